"""Who could have changed a file: the table of what is trusted and what is not, on real files and modes."""

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from opsconsole.config.checklists import load_checklist, load_checklists
from opsconsole.config.runbooks import load_runbook
from opsconsole.config.trust import untrusted
from support.fake_kinds import KINDS

STRANGER = 54321


class Group:
    """An entry of the group database."""

    def __init__(self, name: str, *members: str) -> None:
        self.gr_name = name
        self.gr_mem = list(members)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of one's own, in an account `ops` whose files belong to a group that others are in."""
    assert untrusted(tmp_path) is None, "the directory of the tests cannot be trusted itself"

    class User:
        pw_name = "ops"

    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: User)
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: Group("staff", "ops", "bob"))
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return home


def write(path: Path, mode: int) -> Path:
    """Make a file with exactly these permissions."""
    path.write_text("a = 1\n")
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("directory", "mode", "reason"),
    [
        (0o700, 0o600, None),
        (0o755, 0o644, None),
        (0o755, 0o755, None),
        (0o755, 0o444, None),
        (0o755, 0o646, "can be changed by everybody: chmod o-w {file}"),
        (0o755, 0o666, "can be changed by everybody: chmod go-w {file}"),
        (0o755, 0o664, "can be changed by the group staff: chmod g-w {file}"),
        (0o777, 0o644, "its directory {directory} can be changed by everybody: chmod go-w {directory}"),
        (0o775, 0o644, "its directory {directory} can be changed by the group staff: chmod g-w {directory}"),
        (0o1777, 0o644, None),
        (0o1775, 0o644, None),
        (0o2755, 0o644, None),
        (0o1777, 0o666, "can be changed by everybody: chmod go-w {file}"),
    ],
)
def test_permissions(home: Path, directory: int, mode: int, reason: str | None) -> None:
    """Who else can write decides, for the file and its directory; the message is the command that helps."""
    place = home / "checklists"
    place.mkdir()
    place.chmod(directory)
    path = write(place / "x.toml", mode)
    expected = reason and reason.format(file=path, directory=place)
    assert untrusted(path) == expected


def test_a_directory_is_judged_like_a_file(home: Path) -> None:
    """A directory of checklists that others can add to is not searched."""
    home.chmod(0o777)
    assert untrusted(home) == f"can be changed by everybody: chmod go-w {home}"
    (diagnostic,) = load_checklists([home], KINDS).problems
    assert str(diagnostic) == f"{home}: can be changed by everybody: chmod go-w {home}"


def test_every_directory_up_to_the_root_counts(home: Path) -> None:
    """A private directory below one that others can change is as good as changed by them."""
    (home / "a" / "b").mkdir(parents=True)
    path = write(home / "a" / "b" / "x.toml", 0o600)
    assert untrusted(path) is None
    (home / "a").chmod(0o777)
    assert untrusted(path) == f"its directory {home}/a can be changed by everybody: chmod go-w {home}/a"


@pytest.mark.parametrize(
    ("group", "trusted"),
    [
        (Group("ops"), True),
        (Group("ops", "ops"), True),
        (Group("ops", "bob"), False),
        (Group("ops", "ops", "bob"), False),
        (Group("staff"), False),
    ],
)
def test_a_private_group(home: Path, monkeypatch: pytest.MonkeyPatch, group: Group, trusted: bool) -> None:
    """Files of a user's own group (umask 002) are trusted as long as nobody else is in it."""
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: group)
    assert (untrusted(write(home / "x.toml", 0o664)) is None) is trusted


def test_an_unknown_group_is_no_private_one(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A group that the system does not know could be anybody's."""

    def unknown(_gid: int) -> Group:
        raise KeyError

    monkeypatch.setattr(grp, "getgrgid", unknown)
    path = write(home / "x.toml", 0o664)
    assert untrusted(path) == f"can be changed by the group {path.stat().st_gid}: chmod g-w {path}"


def _give_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `path` a stranger's; who may not do that becomes a stranger instead."""
    if os.geteuid() == 0:
        os.chown(path, STRANGER, -1, follow_symlinks=False)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: STRANGER)


def test_a_strangers_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner can change a file whatever its mode; root and oneself are the owners that are trusted."""
    path = write(home / "x.toml", 0o600)
    _give_away(path, monkeypatch)
    reason = untrusted(path)
    assert reason is not None
    assert "who could change it; it must belong to you or to root: sudo chown ops" in reason


def test_links_are_followed_one_by_one(home: Path) -> None:
    """A link into a safe place is no safer than the directory in which the link can be exchanged."""
    (home / "open").mkdir()
    (home / "open").chmod(0o777)
    target = write(home / "x.toml", 0o600)
    (home / "open" / "link").symlink_to("../x.toml")
    (home / "first").symlink_to(home / "open" / "link")
    assert untrusted(target) is None
    reason = f"its directory {home}/open can be changed by everybody: chmod go-w {home}/open"
    assert untrusted(home / "first") == reason


def test_what_a_link_leads_to_counts(home: Path) -> None:
    """A link to a file that others can change is refused, with the name of that file."""
    target = write(home / "x.toml", 0o666)
    (home / "link").symlink_to(target)
    assert untrusted(home / "link") == f"{target} can be changed by everybody: chmod go-w {target}"


@pytest.mark.parametrize("name", ["nowhere", "loop", "a\0b"])
def test_what_is_not_there_is_left_to_the_reader(home: Path, name: str) -> None:
    """A missing file is told as missing, not as untrusted."""
    if name == "loop":
        (home / name).symlink_to(name)
    assert untrusted(home / name) is None


def test_names_are_quoted_for_the_shell(home: Path) -> None:
    """The command of the message can be pasted, whatever the name of the file."""
    path = write(home / "a b.toml", 0o666)
    assert untrusted(path) == f"can be changed by everybody: chmod go-w '{path}'"


@pytest.mark.parametrize(
    "load", [lambda path: load_checklist(path, KINDS).problems, lambda path: load_runbook(path).problems]
)
def test_untrusted_files_are_not_read(home: Path, load: Callable[[Path], tuple[object, ...]]) -> None:
    """A checklist or runbook that others can change is refused before anything in it is looked at."""
    path = write(home / "x.toml", 0o666)
    assert [str(each) for each in load(path)] == [f"{path}: can be changed by everybody: chmod go-w {path}"]


def test_what_comes_with_the_program_is_as_trusted_as_the_program(home: Path) -> None:
    """The shipped checklists work wherever the program itself was installed."""
    path = write(home / "x.toml", 0o666)
    assert "can be changed" not in str(load_checklist(path, KINDS, check_trust=False).problems)
