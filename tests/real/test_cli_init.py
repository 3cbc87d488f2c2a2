"""`init`: what it writes is whole, right at once, private where it must be, and never over what is there."""

import os
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from opsconsole.config.linting import lint_paths
from opsconsole.config.loading import load_config
from opsconsole.wiring.configuration import SOURCE_KINDS
from opsconsole.wiring.initialising import SYSTEMS, System, configuration, initialised, systems
from opsconsole.wiring.kinds import probe_kinds
from support.command import OPSCONSOLE, Done, Installation
from support.postgres import as_ordinary_user, directory_of_ordinary_user

SHIPPED = sorted(systems())


def contents(directory: Path) -> dict[str, bytes]:
    """Every file below a directory with what is in it."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_every_shipped_system_has_a_line() -> None:
    """The list says of each what it is, and the systems of the earliest releases are among them."""
    assert set(SHIPPED) <= set(SYSTEMS)
    assert {"host", "qbr"} <= set(SHIPPED)


@pytest.mark.parametrize("system", SHIPPED)
def test_it_lints_clean_at_once(system: str, tmp_path: Path) -> None:
    """Nobody begins with somebody else's mistakes: no problem, no warning, every source there, none too many."""
    written = initialised([system], tmp_path)
    assert [str(each) for each in lint_paths([tmp_path / "config.toml"], probe_kinds(), SOURCE_KINDS)] == []
    loaded = load_config(tmp_path / "config.toml", source_kinds=SOURCE_KINDS, state=tmp_path / "state")
    assert loaded.config is not None
    assert not (*loaded.problems, *loaded.warnings)
    known = systems()[system]
    assert sorted(loaded.config.sources) == sorted(known.uses()) == list(written.sources)
    assert {path.stem for path in (tmp_path / "checklists").glob("*.toml")} == {p.stem for p in known.checklists}
    assert bool(loaded.config.qualifications) is bool(known.qualifications)


@pytest.mark.parametrize("system", SHIPPED)
def test_every_place_to_fill_in_is_commented(system: str, tmp_path: Path) -> None:
    """A source says who asks it and what to put there; a checklist that needs adapting says what, at its head."""
    initialised([system], tmp_path)
    text = (tmp_path / "config.toml").read_text(encoding="utf-8")
    for name in systems()[system].uses():
        before, _, table = text.partition(f"\n[sources.{name}]\n")
        assert before.splitlines()[-1].startswith("# Asked by ")
        assert table.splitlines()[1].startswith("# ")
    if system != "host":
        for path in (tmp_path / "checklists").glob("*.toml"):
            head = path.read_text(encoding="utf-8").partition("\ntitle = ")[0]
            assert "What to adapt" in head, path.name


def test_examples_of_a_checklist_are_taken_over(tmp_path: Path) -> None:
    """What the author of a list shows as the table of a source is what stands in the configuration."""
    path = tmp_path / "tide-daily.toml"
    path.write_text(
        "# The tide.\n#\n#   [sources.gauge-questdb]\n"
        '#   kind = "questdb"\n#   dsn = "host=gauge.example port=8812"\n#\n# More.\n\n'
        'title = "Tide"\n[[section]]\n[[section.item]]\nid = "a"\nprobe = "sql"\nsource = "gauge-questdb"\n'
        '[[section.item]]\nid = "b"\nprobe = "mysql"\nsource = "shop"\n'
    )
    system = System("tide", (path,))
    assert system.examples() == {"gauge-questdb": 'kind = "questdb"\ndsn = "host=gauge.example port=8812"\n'}
    sources = tomllib.loads(configuration([system]))["sources"]
    assert sources["gauge-questdb"]["dsn"] == "host=gauge.example port=8812"
    assert sources["shop"]["password"] == "env:SHOP_PASSWORD"


def test_modes(tmp_path: Path) -> None:
    """The configuration is its owner's; checklists may be read by whoever runs them; nobody else writes any."""
    before = os.umask(0o022)
    try:
        initialised(["qbr"], tmp_path / "new" / "place")
    finally:
        os.umask(before)
    found = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "new").rglob("*")}
    assert found.pop("config.toml") == 0o600
    assert {found.pop(name) for name in ("place", "checklists", "runbooks", "qualifications")} == {0o755}
    assert set(found.values()) == {0o644}


@pytest.mark.parametrize(
    "taken", ["config.toml", "checklists/qbr-weekly.toml", "checklists/runbooks/collection-failure.md"]
)
@pytest.mark.parametrize("how", ["file", "link", "directory"])
def test_nothing_is_written_over(taken: str, how: str, tmp_path: Path) -> None:
    """One name that is taken, and nothing at all is written; the message lists it. A link leads nowhere."""
    place = tmp_path / taken
    place.parent.mkdir(parents=True, exist_ok=True)
    if how == "file":
        place.write_text("mine\n")
    elif how == "link":
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.mkdir()
    before = contents(tmp_path)
    found = Installation(tmp_path).run("init", "--system", "qbr", str(tmp_path))
    assert (found.code, found.out) == (2, "")
    assert f"  {place}\n" in found.err
    assert contents(tmp_path) == before
    assert not (tmp_path / "elsewhere").exists()


def test_again_changes_nothing(tmp_path: Path) -> None:
    """A second time is no mistake: what is as it was written stays, what is missing comes again."""
    initialised(["qbr"], tmp_path)
    before = contents(tmp_path)
    (tmp_path / "checklists" / "qbr-weekly.toml").unlink()
    again = initialised(["qbr"], tmp_path)
    assert again.files == (Path("checklists/qbr-weekly.toml"),)
    assert {*again.files, *again.kept} == {Path(name) for name in before}
    assert contents(tmp_path) == before


def test_several_systems_share_a_configuration(tmp_path: Path) -> None:
    """Whoever looks after two has one configuration with the sources of both."""
    initialised(["qbr", "host", "qbr"], tmp_path)
    assert [str(each) for each in lint_paths([tmp_path / "config.toml"], probe_kinds(), SOURCE_KINDS)] == []
    assert {"qbr-daily.toml", "host-daily.toml"} <= {each.name for each in (tmp_path / "checklists").iterdir()}


def test_what_was_begun_is_removed(tmp_path: Path) -> None:
    """A disk that fails half way leaves nothing behind that looks like an installation."""
    (tmp_path / "qualifications").write_text("a file where a directory is to be\n")
    found = Installation(tmp_path).run("init", "--system", "qbr", str(tmp_path))
    assert found.code == 4
    assert "what was begun is removed" in found.err
    assert [each.name for each in tmp_path.iterdir()] == ["qualifications"]


def test_a_directory_that_may_not_be_written_to() -> None:
    """No permission is said in a line, with what it is about. Root, who may write everywhere, becomes another."""
    with directory_of_ordinary_user() as home:
        closed = home / "closed"
        closed.mkdir()
        closed.chmod(0o555)
        done = subprocess.run(
            as_ordinary_user([*OPSCONSOLE, "init", "--system", "host", str(closed / "new")]),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
        )
        closed.chmod(0o755)
        assert list(closed.iterdir()) == []
    assert done.returncode == 4
    assert "Permission denied" in done.stderr


def test_the_list_says_how_to_go_on(tmp_path: Path) -> None:
    """Whoever asks what there is wants one of them next; one source is no `sources`."""
    place = Installation(tmp_path)
    environment = place.environment(OPSCONSOLE_STATE=str(tmp_path / "state"))
    listed = run(place, environment, "init")
    assert listed.out.startswith("SYSTEM ")
    assert listed.err == "opsconsole init --system NAME [DIRECTORY] writes one\n"
    assert "  fill in the source inventory in config.toml" in run(place, environment, "init", "--system", "qbr").out


def test_the_commands_that_it_names_work(tmp_path: Path) -> None:
    """What stands under `next` can be typed as it stands: the list of the host is measured, and broken, at once."""
    place = Installation(tmp_path)
    environment = place.environment(OPSCONSOLE_STATE=str(tmp_path / "state"), COLUMNS="200")
    listed = run(place, environment, "init")
    assert listed.out.splitlines()[0].split() == ["SYSTEM", "LISTS", "WHAT", "IT", "IS"]
    assert {line.split()[0] for line in listed.out.splitlines()[1:]} == set(SHIPPED)
    done = run(place, environment, "init", "--system", "host")
    assert (done.code, done.err) == (0, "")
    named = [line.split("  ")[1].split() for line in done.out.splitlines() if line.startswith("  opsconsole ")]
    assert [each[1] for each in named] == ["lint", "doctor", "run", "prove"]
    assert run(place, environment, *named[0][1:]).err == "no problems found\n"
    measured = run(place, environment, *named[2][1:])
    assert "host-daily@" in measured.out
    assert measured.code in {0, 1, 3}
    assert run(place, environment, *named[3][1:]).code in {0, 1, 3}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--system", "qbrr"), "did you mean 'qbr'?"),
        (("--system", "../qbr"), "there is no system '../qbr'"),
        (("elsewhere",), "--system NAME; there are "),
    ],
)
def test_what_makes_no_sense_is_said(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    """A system that there is not, or none at all, is wrong usage with what there is; nothing is written."""
    found = Installation(tmp_path).run("init", *words)
    assert found.code == 2
    assert said in found.err
    assert list(tmp_path.iterdir()) == []


def run(place: Installation, environment: dict[str, str], *words: str) -> Done:
    """Run a command in a directory, where it finds its own configuration."""
    done = subprocess.run(
        [*OPSCONSOLE, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=place.directory,
        env=environment,
    )
    return Done(done.returncode, done.stdout, done.stderr)
