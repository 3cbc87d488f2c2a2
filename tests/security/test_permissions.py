"""What others could change is refused, with the command that mends it, and what is written is private."""

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import MANUAL, OPSCONSOLE, Done, Installation, installed
from support.needs import missing, needs_root
from support.postgres import as_ordinary_user, directory_of_ordinary_user

NOBODY = 65534
RUNBOOK = "# What to do\n\nLook.\n"
WITH_RUNBOOK = MANUAL.replace('id = "load"', 'id = "load"\non_fail = { runbook = "look" }')


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """Give an installation with a runbook and a service file, in directories that nobody else can change."""
    home = tmp_path / "an account's home"
    home.mkdir()
    found = installed(home, "", morning=WITH_RUNBOOK)
    books = home / "checklists" / "runbooks"
    books.mkdir(mode=0o755)
    (books / "look.md").write_text(RUNBOOK)
    (books / "look.md").chmod(0o644)
    return found


def mended(place: Installation, words: tuple[str, ...], good: Callable[[Done], bool]) -> list[str]:
    """Do what the program says until it works; return the commands, each run by a shell as it is printed."""
    done: list[str] = []
    for _ in range(6):
        told = place.run(*words)
        if good(told):
            return done
        found = re.search(r"(?:sudo )?((?:chmod|chown) .*)", told.out + told.err)
        assert found is not None, told
        assert "Traceback" not in told.err
        done.append(found[1])
        subprocess.run(["sh", "-c", found[1]], check=True, timeout=20)
    raise AssertionError(f"it does not get better: {done}")


def _linked(path: Path, through: Path) -> None:
    """Put a link in the place of `path`, into or through another directory."""
    through.mkdir(exist_ok=True)
    target = through / path.name
    path.rename(target)
    path.symlink_to(target)


CHECKLIST, ELSEWHERE = "checklists/morning.toml", "elsewhere/morning.toml"
SPOILED: dict[str, tuple[tuple[str, int], ...]] = {
    "the configuration, for the world": (("config.toml", 0o646),),
    "the configuration, for the group": (("config.toml", 0o664),),
    "its directory": ((".", 0o777),),
    "the directory above": (("..", 0o757),),
    "a checklist": ((CHECKLIST, 0o666),),
    "the checklists": (("checklists", 0o777),),
    "a group's checklists": (("checklists", 0o775),),
    "a setgid directory": (("checklists", 0o2775),),
    "where a link leads": ((ELSEWHERE, 0o666),),
    "where a link leads through": (("elsewhere", 0o777),),
    "the state": (("state", 0o777),),
    "a group's state": (("state", 0o770),),
    "several at once": ((".", 0o777), ("config.toml", 0o666), (CHECKLIST, 0o662)),
}
"""Paths of the installation and the modes they get; those for a group get a group that is not their owner's own."""


def spoil(place: Installation, what: str) -> None:
    """Give others what they need to change something."""
    for name, mode in SPOILED[what]:
        path = place.directory / name
        if name.startswith("elsewhere"):
            _linked(place.directory / CHECKLIST, place.directory / "elsewhere")
        if name == "state":
            path.mkdir()
        if mode & stat.S_IWGRP and not mode & stat.S_IWOTH:
            _of_a_group(path)
        path.chmod(mode)


def _of_a_group(path: Path) -> None:
    """Give a path to a group that is not its owner's own."""
    if os.geteuid() == 0:
        os.chown(path, -1, NOBODY)
    elif path.group() == path.owner():
        missing("THIS ACCOUNT IS IN NO GROUP BUT ITS OWN: a file of another group was not tried.")


@pytest.mark.parametrize("what", SPOILED)
def test_what_others_can_change_is_refused_and_mended(place: Installation, what: str) -> None:
    """Nothing runs on files that others can change; the printed command, run as it is, makes it work again."""
    assert place.run("run", "morning", "--headless", "--quiet").code == 0
    shutil.rmtree(place.state)
    spoil(place, what)
    refused = place.run("run", "morning", "--headless", "--quiet")
    assert refused.code == 2
    assert "can be changed by" in refused.err
    assert refused.out == ""
    commands = mended(place, ("run", "morning", "--headless", "--quiet"), lambda done: done.code == 0)
    assert commands
    assert len(commands) == (3 if what == "several at once" else 1)


@pytest.mark.parametrize("spoil", [lambda book: book.chmod(0o666), lambda book: book.parent.chmod(0o777)])
def test_a_runbook_that_others_can_change(place: Installation, spoil: Callable[[Path], None]) -> None:
    """Whoever is called at night does not follow steps that somebody else put there."""
    spoil(place.directory / "checklists" / "runbooks" / "look.md")
    assert place.run("lint").code == 2
    assert len(mended(place, ("lint",), lambda done: done.code == 0)) == 1


@needs_root("nobody else can give a file to somebody else")
@pytest.mark.parametrize("what", ["config.toml", "checklists", "checklists/morning.toml", "."])
def test_what_belongs_to_somebody_else(place: Installation, what: str) -> None:
    """The owner can change a file whatever its mode."""
    os.chown(place.directory / what, NOBODY, -1)
    refused = place.run("run", "morning", "--headless", "--quiet")
    assert refused.code == 2
    assert "belongs to nobody" in refused.err
    assert len(mended(place, ("run", "morning", "--headless", "--quiet"), lambda done: done.code == 0)) == 1


@needs_root("nobody else can give a file to somebody else")
def test_a_link_of_somebody_else(place: Installation) -> None:
    """Who owns a link chooses the file; the command changes the link and not what it leads to."""
    path = place.directory / "checklists" / "morning.toml"
    _linked(path, place.directory / "elsewhere")
    os.chown(path, NOBODY, -1, follow_symlinks=False)
    commands = mended(place, ("run", "morning", "--headless", "--quiet"), lambda done: done.code == 0)
    assert [each.split()[:2] for each in commands] == [["chown", "-h"]]
    assert path.lstat().st_uid == os.geteuid()


@pytest.mark.parametrize(
    "name", ["a b", "it's", "-rf", "$(touch owned)", "`id`;x", "é 例", "a\x1b[2Jb", "new\nline"]
)
def test_the_command_can_be_pasted_whatever_the_name(tmp_path: Path, name: str) -> None:
    """A name made to look like an option, a command or a terminal sequence is only a name."""
    home = tmp_path / name
    home.mkdir()
    place = installed(home, morning=MANUAL)
    (home / "checklists" / "morning.toml").chmod(0o666)
    commands = mended(place, ("run", "morning", "--headless", "--quiet"), lambda done: done.code == 0)
    assert len(commands) == 1
    assert commands[0].isprintable()
    assert not list(tmp_path.rglob("owned"))
    assert not Path("owned").exists()


@pytest.mark.parametrize("what", ["allowed_signers", "revoked_keys"])
@pytest.mark.parametrize("way", ["file", "directory", "link"])
def test_people_that_others_can_change(place: Installation, what: str, way: str) -> None:
    """Who can write to the file of people can be anybody: nothing is signed or listed by it until it is mended."""
    people = place.directory / "people"
    people.mkdir(mode=0o755)
    key = people / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True, timeout=60)
    (people / "revoked_keys").write_text("")
    (people / "revoked_keys").chmod(0o644)
    place.config.write_text(
        'checklists = ["checklists"]\n[people]\nallowed_signers = "people/allowed_signers"\n'
        'revoked_keys = "people/revoked_keys"\n'
    )
    named = ("--name", "Jane Doe", "--role", "operator", "--key", f"{key}.pub")
    assert place.run("people", "add", "jane@example.org", *named).code == 0
    match way:
        case "file":
            (people / what).chmod(0o666)
        case "directory":
            people.chmod(0o777)
        case _:
            _linked(people / what, place.directory / "elsewhere")
            (place.directory / "elsewhere").chmod(0o777)
    refused = place.run("people", "list")
    assert refused.code != 0
    assert "can be changed by" in refused.err
    assert "jane" not in refused.out
    assert len(mended(place, ("people", "list"), lambda done: done.code == 0)) == 1


def test_a_service_file_that_others_can_change(place: Installation) -> None:
    """It says to which server a check goes: somebody else's server would say that all is well."""
    services = place.directory / "services"
    services.write_text("[pool]\nhost=/nowhere\n")
    services.chmod(0o666)
    place.config.write_text(
        'checklists = ["checklists"]\n[sources.pool]\nkind = "postgresql"\ndsn = "service=pool"\n'
    )
    environment = place.environment(PGSERVICEFILE=str(services))
    told = place.run("doctor", env=environment)
    assert told.code == 1
    assert "can be changed by everybody" in told.out
    found = re.search(r"chmod .*", told.out)
    assert found is not None
    subprocess.run(["sh", "-c", found[0]], check=True, timeout=20)
    assert "can be changed" not in place.run("doctor", env=environment).out


# --- what is written ---------------------------------------------------------------------------------


def modes(directory: Path) -> dict[str, str]:
    """Return the kind and mode of everything below a directory, and of itself."""
    return {
        str(
            each.relative_to(directory.parent)
        ): f"{'d' if each.is_dir() else 'f'}{stat.S_IMODE(each.stat().st_mode):04o}"
        for each in (directory, *directory.rglob("*"))
    }


@pytest.mark.parametrize("umask", ["000", "022", "077", "027"])
def test_everything_written_is_private_whatever_the_umask(place: Installation, tmp_path: Path, umask: str) -> None:
    """Records, journals, locks, presence, exports and day logs: files 0600, directories 0700."""
    new = tmp_path / "new"
    script = 'umask "$1"; shift; exec "$@"'
    output = tmp_path / "output.json"
    for words in (
        ("run", "morning", "--headless", "--quiet"),
        ("run", "morning", "--headless", "--quiet", "--format", "json", "--output", str(output)),
        ("verify", "--all"),
    ):
        arguments = [*OPSCONSOLE, "--config", str(place.config), "--state", str(new / "deep" / "state"), *words]
        done = subprocess.run(
            ["sh", "-c", script, "sh", umask, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=place.environment(TMPDIR=str(tmp_path)),
        )
        assert done.returncode == 0, done.stderr
    found = modes(new)
    assert {"new", "new/deep", "new/deep/state", "new/deep/state/opsconsole.db"} <= found.keys()
    assert any("locks" in each for each in found)
    assert {name: mode for name, mode in found.items() if mode not in {"d0700", "f0600"}} == {}
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


@needs_root("nobody else can give a file to somebody else")
def test_root_keeps_its_hands_off_the_state_of_an_account(place: Installation) -> None:
    """`sudo opsconsole` leaves no file in an operator's state that the operator could not use afterwards."""
    place.state.mkdir(mode=0o700)
    os.chown(place.state, NOBODY, -1)
    refused = place.run("run", "morning", "--headless", "--quiet")
    assert refused.code == 2
    assert "belongs to nobody; use it as that account (sudo -u nobody" in refused.err
    assert not list(place.state.iterdir())


@needs_root("nobody else can give a file to somebody else")
def test_an_account_does_not_use_the_state_of_another() -> None:
    """An ordinary account that is let into somebody's state is told whose it is, and leaves nothing there."""
    with directory_of_ordinary_user() as home:
        state = home / "state"
        state.mkdir()
        state.chmod(0o777)
        os.chown(state, 54321, -1)
        done = subprocess.run(
            as_ordinary_user([*OPSCONSOLE, "--state", str(state), "list"]),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
        )
        assert done.returncode == 2
        assert "belongs to user 54321; use it as that account" in done.stderr
        assert not list(state.iterdir())


@pytest.mark.parametrize("kind", ["link", "dangling", "directory", "fifo"])
def test_an_export_follows_no_link(place: Installation, tmp_path: Path, kind: str) -> None:
    """A document is never written through a link, into a device, or over a directory."""
    target, victim = tmp_path / "day.json", tmp_path / "victim"
    victim.write_text("mine")
    match kind:
        case "link":
            target.symlink_to(victim)
        case "dangling":
            target.symlink_to(tmp_path / "nowhere")
        case "directory":
            target.mkdir()
        case _:
            os.mkfifo(target)
    done = place.run("run", "morning", "--headless", "--quiet", "--format", "json", "--output", str(target))
    assert done.code == 2
    assert victim.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_spilled_events_are_private_and_taken_from_nobody_else(tmp_path: Path) -> None:
    """What could not be saved waits in files of one's own; a directory that others can write to is passed by."""
    from opsconsole.engine.spill import Spill
    from support.events import note

    before = os.umask(0)
    try:
        opened, own = tmp_path / "open", tmp_path / "own"
        opened.mkdir(mode=0o777)
        written = Spill((opened, own), "morning@2026-11-21").write([note("kept")])
    finally:
        os.umask(before)
    assert written is not None
    assert written.parent == own
    assert (stat.S_IMODE(own.stat().st_mode), stat.S_IMODE(written.stat().st_mode)) == (0o700, 0o600)
    shutil.copy(written, opened / written.name)
    written.unlink()
    assert Spill((opened, own), "morning@2026-11-21").claim() == []
    (own / "elsewhere").write_bytes((opened / written.name).read_bytes())
    written.symlink_to(own / "elsewhere")
    assert Spill((opened, own), "morning@2026-11-21").claim() == []


def test_presence_and_locks_are_private(tmp_path: Path) -> None:
    """Who is in a run is told to this account only, whatever the umask."""
    from opsconsole.store.presence import FilePresence

    before = os.umask(0)
    try:
        presence = FilePresence(tmp_path / "in" / "presence", "morning@2026-11-21", "operator on ops01")
        found = modes(tmp_path / "in")
        presence.close()
    finally:
        os.umask(before)
    assert {mode for mode in found.values() if mode.startswith("f")} == {"f0600"}
    assert {mode for mode in found.values() if mode.startswith("d")} == {"d0700"}, found
