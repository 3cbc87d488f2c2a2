"""The configuration: which file, which value wins, where it came from, and what happens where there is no home."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from opsconsole.config.loading import load_config
from opsconsole.config.settings import Config, LoadedConfig, Settings
from opsconsole.contracts.probe import Source
from support.fake_kinds import SOURCE_KINDS
from support.needs import needs_root

ROOT = Path(__file__).parent.parent.parent
SOURCE = '[sources.inventory]\nkind = "postgresql"\ndsn = "dbname=inventory"\n'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An account of one's own, with nothing configured; the current directory is elsewhere."""
    for name in [name for name in os.environ if name.startswith(("OPSCONSOLE_", "XDG_"))] + ["NO_COLOR"]:
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "home"


def load(option: Path | None = None, **more: Any) -> LoadedConfig:
    """Load the configuration, wherever the tests keep theirs."""
    return load_config(option, source_kinds=SOURCE_KINDS, check_trust=False, **more)


def usable(loaded: LoadedConfig) -> Config:
    """Return a configuration that has no problems."""
    assert [str(each) for each in loaded.problems] == []
    assert loaded.config is not None
    return loaded.config


def origin(loaded: LoadedConfig, key: str) -> tuple[str, str]:
    """Return value and origin of a setting."""
    return next((each.value, each.origin) for each in loaded.settings if each.key == key)


def test_nothing_configured(home: Path) -> None:
    """A fresh account works: everything has a default, and records go to the XDG place."""
    loaded = load()
    config = usable(loaded)
    assert loaded.path is None
    assert config.state == home / ".local/state/opsconsole"
    assert config.store.path == config.state / "opsconsole.db"
    assert config.checklists == ()
    assert config.run.concurrency == 16
    assert {each.origin for each in loaded.settings} == {"default"}


def test_the_example_works_as_it_stands() -> None:
    """The configuration at the root of the project is used as it is, and names every setting there is."""
    loaded = load_config(ROOT / "config.toml", source_kinds=SOURCE_KINDS, environ={}, check_trust=False)
    config = usable(loaded)
    assert config.checklists == (ROOT / "checklists",)
    text = (ROOT / "config.toml").read_text()
    for field in structs.fields(Settings):
        default = field.default
        names = structs.fields(type(default)) if hasattr(type(default), "__struct_fields__") else ()
        if names:
            assert f"[{field.encode_name}]" in text
        for each in (*names, *structs.fields(Source)):
            assert re.search(rf"^(# +)?{each.encode_name} = ", text, re.MULTILINE)


def test_defaults_in_the_example_are_the_defaults(tmp_path: Path) -> None:
    """What the example shows in comments is what is used without it; only the place of the records is made up."""
    text = (ROOT / "config.toml").read_text()
    path = tmp_path / "config.toml"
    path.write_text(re.sub(r"^# (\w+ = .*)$", r"\1", text, flags=re.MULTILINE))
    plain = usable(load_config(ROOT / "config.toml", source_kinds=SOURCE_KINDS, environ={}, check_trust=False))
    shown = usable(load_config(path, source_kinds=SOURCE_KINDS, environ={}, check_trust=False))
    assert shown.store != plain.store
    assert (shown.run, shown.console, shown.sources) == (plain.run, plain.console, plain.sources)


@pytest.mark.parametrize("where", ["option", "variable", "directory", "xdg"])
def test_the_places_of_the_file(home: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """--config goes before OPSCONSOLE_CONFIG, before ./config.toml, before the user's own; the origin is told."""
    places = {
        "option": home / "option.toml",
        "variable": home / "variable.toml",
        "directory": Path.cwd() / "config.toml",
        "xdg": home / ".config/opsconsole/config.toml",
    }
    order = list(places)
    for number, name in enumerate(order):
        if number >= order.index(where):
            places[name].parent.mkdir(parents=True, exist_ok=True)
            places[name].write_text(f"[run]\nconcurrency = {number + 1}\n")
    if order.index(where) <= 1:
        monkeypatch.setenv("OPSCONSOLE_CONFIG", str(places["variable"]))
    loaded = load(places["option"] if where == "option" else None)
    assert loaded.path == places[where]
    assert usable(loaded).run.concurrency == order.index(where) + 1
    told = {
        "option": "--config",
        "variable": "OPSCONSOLE_CONFIG",
        "directory": "the current directory",
        "xdg": "the user's configuration",
    }
    assert origin(loaded, "config") == (str(places[where]), told[where])


@pytest.mark.parametrize("named", ["option", "variable"])
def test_a_named_file_has_to_be_there(home: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """A typing error in the name of the configuration is told, instead of working with the defaults."""
    monkeypatch.setenv("OPSCONSOLE_CONFIG", "missing.toml" if named == "variable" else "")
    loaded = load(Path("missing.toml") if named == "option" else None)
    assert loaded.config is None
    assert [str(each) for each in loaded.problems] == ["missing.toml: there is no such file"]


def test_a_broken_link_is_not_overlooked(home: Path) -> None:
    """./config.toml that leads nowhere was meant to be used; it is a problem and no reason to look elsewhere."""
    Path("config.toml").symlink_to("nowhere.toml")
    assert [str(each) for each in load().problems] == ["config.toml: there is no such file"]


def test_every_layer_over_the_one_below(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line wins over the environment, that over the file, that over the default; origins are told."""
    Path("config.toml").write_text("[run]\nconcurrency = 2\n\n[console]\nascii = true\ncolor = false\n")
    loaded = load()
    assert origin(loaded, "run.concurrency") == ("2", "config.toml:2")
    assert origin(loaded, "console.color") == ("false", "config.toml:6")
    monkeypatch.setenv("OPSCONSOLE_RUN_CONCURRENCY", "3")
    monkeypatch.setenv("OPSCONSOLE_CONSOLE_COLOR", "on")
    loaded = load()
    assert origin(loaded, "run.concurrency") == ("3", "OPSCONSOLE_RUN_CONCURRENCY")
    assert origin(loaded, "console.color") == ("true", "OPSCONSOLE_CONSOLE_COLOR")
    loaded = load(overrides={"run.concurrency": 4, "console.ascii": None})
    assert origin(loaded, "run.concurrency") == ("4", "command line")
    assert origin(loaded, "console.ascii") == ("true", "config.toml:5")
    assert usable(loaded).run.concurrency == 4


def test_no_color(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR turns colours off whatever the file says, unless it is empty; the program's own variable wins."""
    Path("config.toml").write_text("[console]\ncolor = true\n")
    monkeypatch.setenv("NO_COLOR", "")
    assert usable(load()).console.color
    monkeypatch.setenv("NO_COLOR", "1")
    assert origin(load(), "console.color") == ("false", "NO_COLOR")
    monkeypatch.setenv("OPSCONSOLE_CONSOLE_COLOR", "yes")
    assert usable(load()).console.color


def test_paths_are_relative_to_where_they_are_given(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's paths start at the file, the environment's at the current directory; ~ is the home directory."""
    (home / "etc").mkdir()
    file = home / "etc" / "my.toml"
    file.write_text('checklists = ["lists", "~/more", "/srv/x.toml"]\nstore = "../r.db"\n')
    config = usable(load(file))
    assert config.checklists == (home / "etc/lists", home / "more", Path("/srv/x.toml"))
    assert config.store.path is not None
    assert config.store.path.resolve() == home / "r.db"
    monkeypatch.setenv("OPSCONSOLE_CHECKLISTS", "here:/there:")
    assert usable(load(file)).checklists == (Path.cwd() / "here", Path("/there"))


def test_home_in_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crontab or unit, which leaves `~` as it is, may write it all the same."""
    (home / "my.toml").write_text("")
    monkeypatch.setenv("OPSCONSOLE_CONFIG", "~/my.toml")
    monkeypatch.setenv("OPSCONSOLE_STATE", "~/state")
    loaded = load()
    assert loaded.path == home / "my.toml"
    assert usable(loaded).state == home / "state"


def test_a_deleted_directory(home: Path) -> None:
    """A shell whose directory was deleted can still start the program."""
    Path.cwd().rmdir()
    assert usable(load()).state == home / ".local/state/opsconsole"


def test_sources(home: Path) -> None:
    """Connections arrive with their defaults, and `config show` tells each line of them."""
    Path("config.toml").write_text(SOURCE)
    loaded = load()
    assert usable(loaded).sources["inventory"].dsn == "dbname=inventory"
    assert origin(loaded, "sources.inventory.dsn") == ("dbname=inventory", "config.toml:3")
    assert origin(loaded, "sources.inventory.connect_timeout") == ("5", "default")


def test_no_message_repeats_a_password(home: Path) -> None:
    """Whatever is wrong with a source, its connection string is not shown: it may hold a password."""
    secret = "hunter2"
    for line in (
        f'dsn = "password={secret}"',
        f'dsn = ["password={secret}"]',
        f'dsn = "dbname=x"\npassword = "{secret}"',
        f'dsn = "dbname=x"\nPassword = "{secret}"',
        f"dsn = password={secret}",
    ):
        Path("config.toml").write_text(f'[sources.inventory]\nkind = "postgresql"\n{line}\n')
        loaded = load()
        assert loaded.config is None
        assert secret not in str(loaded)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("OPSCONSOLE_RUN_CONCURRENCY", "x", "must be a whole number, not a text"),
        ("OPSCONSOLE_RUN_CONCURRENCY", "-1", "must be from 1 to 256, not -1"),
        ("OPSCONSOLE_RUN_CONCURRENCY", "0", "must be from 1 to 256, not 0"),
        ("OPSCONSOLE_CONSOLE_ASCII", "maybe", "must be true or false, not a text"),
        ("OPSCONSOLE_SIGNING_TIMEOUT", "0", "must be from 1 to 600, not 0"),
    ],
)
def test_the_environment_is_checked_like_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    """A mistake in a crontab is told with the name of the variable."""
    monkeypatch.setenv(name, value)
    loaded = load()
    assert loaded.config is None
    assert [str(each) for each in loaded.problems] == [f"{name}: {message}"]


def test_unknown_variables_are_warned_of(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt variable is not silently without effect."""
    monkeypatch.setenv("OPSCONSOLE_STAT", "/var/lib/x")
    loaded = load()
    usable(loaded)
    (warning,) = loaded.warnings
    assert str(warning) == "OPSCONSOLE_STAT: warning: there is no such setting; did you mean 'OPSCONSOLE_STATE'?"


def test_the_command_line_is_checked_too(home: Path) -> None:
    """An option out of range is told by its key."""
    (problem,) = load(overrides={"run.concurrency": 1000}).problems
    assert str(problem) == "command line: run.concurrency: must be from 1 to 256, not 1000"


def test_problems_of_all_layers_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong in the file does not hide what is wrong in the environment."""
    Path("config.toml").write_text("[run]\nconcurrency = 0\n[consol]\n")
    monkeypatch.setenv("OPSCONSOLE_CONSOLE_COLOR", "x")
    assert len(load().problems) == 3


def test_the_state_directory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--state goes before OPSCONSOLE_STATE, before XDG_STATE_HOME; relative ones start at the current directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "xdg"))
    assert usable(load()).state == home / "xdg/opsconsole"
    monkeypatch.setenv("OPSCONSOLE_STATE", "here")
    loaded = load()
    assert origin(loaded, "state") == (str(Path.cwd() / "here"), "OPSCONSOLE_STATE")
    assert usable(load(state=Path("/option"))).state == Path("/option")


def run_without_home(*arguments: str, account: bool) -> str:
    """Load the configuration in a process that has no HOME, and no account either where that is possible."""
    script = (
        "import os, platformdirs, sys\n"
        "from pathlib import Path\n"
        "from opsconsole.config.loading import load_config\n"
        + ("" if account else "os.setgid(54321); os.setuid(54321)\n")
        + ""
        "loaded = load_config(source_kinds={}, state=Path(sys.argv[1]) if len(sys.argv) > 1 else None)\n"
        "print(loaded.config.state if loaded.config else '; '.join(map(str, loaded.problems)))\n"
    )
    keep = {name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH", "LANG"}}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], env=keep, cwd="/", capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_without_home(home: Path) -> None:
    """Cron and system services have no HOME: the account's own directory is used."""
    state = run_without_home(account=True)
    assert state.endswith("/.local/state/opsconsole")
    assert state.startswith("/")


@needs_root("nobody else can become an account that does not exist")
def test_without_home_and_account(home: Path) -> None:
    """A container with a made-up user is told what to set, and works once it is."""
    told = run_without_home(account=False)
    assert told == (
        "OPSCONSOLE_STATE: this account has no home directory; name a directory for the records by --state or "
        "OPSCONSOLE_STATE"
    )
    assert run_without_home("/srv/state", account=False) == "/srv/state"


@pytest.mark.parametrize(
    "dsn", ["postgresql://records.example/ops", "postgres:///ops", "service=ops", "host=/run/postgresql dbname=ops"]
)
def test_the_store_can_be_a_database_server(home: Path, dsn: str) -> None:
    """One line chooses PostgreSQL; everything that is no connection string is a file."""
    Path("config.toml").write_text(f'store = "{dsn}"\n')
    loaded = load()
    assert usable(loaded).store.dsn == dsn
    assert origin(loaded, "store") == (dsn, "config.toml:1")


def test_what_signing_needs_lies_beside_the_configuration(home: Path) -> None:
    """The people stand beside the configuration unless it says otherwise; nothing is pruned by default."""
    config = usable(load())
    assert config.allowed_signers == home / ".config/opsconsole/allowed_signers"
    assert (config.revoked_keys, config.git, config.journal, config.signing.key) == (None, None, True, "")
    assert (config.retention.evidence, config.exports) == (0, config.state / "day-logs")
    Path("config.toml").write_text(
        'exports = "logs"\n[people]\nallowed_signers = "~/team"\n[signing]\nkey = "k.pub"\n'
    )
    config = usable(load())
    assert (config.allowed_signers, config.exports) == (home / "team", Path.cwd() / "logs")
    assert config.signing.key == str(Path.cwd() / "k.pub")


def test_the_file_must_be_trusted(home: Path) -> None:
    """A configuration that others can change is refused: it says what is run in one's own name."""
    path = Path("config.toml")
    path.write_text("")
    path.chmod(0o646)
    loaded = load_config(source_kinds=SOURCE_KINDS)
    assert loaded.config is None
    assert str(loaded.problems[0]).startswith("config.toml: can be changed by everybody: chmod o-w ")


def test_an_empty_file_is_fine(home: Path) -> None:
    """A file with nothing but comments says nothing, and all defaults hold."""
    Path("config.toml").write_text("# later\n")
    assert str(usable(load()).store).endswith("opsconsole.db")
