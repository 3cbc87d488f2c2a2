"""Reads one backup as it is asked for, its checksum and its content, and makes sure that nobody wrote to it."""

import os
import stat
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from opsconsole.checks import _archives, _archives_pg, _archives_sqlite, _archives_sums
from opsconsole.checks._archives import Examined, UntestableError, Wishes
from opsconsole.checks._archives_kept import Backup
from opsconsole.checks._archives_sums import Verified
from opsconsole.checks._files import Stop, facts_of, is_absent, open_regular, refused
from opsconsole.checks._mounts import presentable

T = TypeVar("T")

_PG_DUMP = "pg_dump"


class Wants(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of each backup that is read."""

    checksum: bool
    checksum_file: str
    """Where the checksums are, empty for beside the backup."""
    test: bool
    pg_restore: str
    """The program."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What reading one backup came to."""

    verified: Verified | None = None
    examined: Examined | None = None


class Timed(Protocol):
    """Does work in a thread, within what is left of the time; GivenUpError in time."""

    async def __call__(self, what: str, work: Callable[[Stop], T]) -> T:
        """Return what `work` returns; `what` names all that it depends on."""
        ...

    def left(self) -> float:
        """Return how many seconds are left."""
        ...


async def read_backup(root: str, backup: Backup, names: Sequence[str], wants: Wants, timed: Timed) -> Read:
    """Read a backup below `root`, in which `names` have to be; ProbeError where nothing can be said of it."""
    path = f"{root.rstrip('/')}/{backup.name}"
    verified, examined = None, None
    try:
        if wants.checksum:
            beside = wants.checksum_file
            verified = await timed(f"sum {path}", lambda stop: _archives_sums.verified(path, beside, stop))
        if wants.test:
            examined = await _examined(path, backup.shown, names, wants, timed)
        now = await timed(f"stat {path}", lambda _stop: facts_of(os.stat(path)))  # noqa: PTH116 - a text stays a text here
    except OSError as error:
        raise refused(path, error) from error
    if (now.size, now.modified) != (backup.facts.size, backup.facts.modified):
        raise UntestableError(
            f"{backup.shown} was written to while it was read",
            "measure when the backup is done, or let it have its name only then",
        )
    return Read(verified=verified, examined=examined)


async def _examined(path: str, name: str, names: Sequence[str], wants: Wants, timed: Timed) -> Examined:
    asked = f"test {path} {hash(tuple(names))}"
    examined = await timed(asked, lambda stop: _examined_here(path, name, names, stop))
    if examined is None:
        examined = await _archives_pg.examined_pg_dump(wants.pg_restore, path, name, Wishes(names), timed.left())
    if names and examined.members is None and not examined.damage:
        raise UntestableError(
            f"{name} is {examined.format}, which has no list of what is in it",
            "leave out what it must contain",
        )
    return examined


def _examined_here(path: str, name: str, names: Sequence[str], stop: Stop) -> Examined | None:
    """Return what became of the test; None for what another program has to read."""
    wishes = Wishes(names)
    with open_regular(path, stop) as file:
        head = _archives.head_of(file)
        if not head:
            return Examined(format=_archives.format_of(b"", name) or "empty", damage="it is empty")
        found = _archives.format_of(head, name)
        if found == _PG_DUMP:
            return None
        if found != "sqlite":
            return _archives.examined(file, name, found, wishes, stop)
    examined = _archives_sqlite.examined_sqlite(path, name, wishes, stop)
    beside = _archives_sqlite.unmerged(path, stop)
    if beside:
        raise UntestableError(f"{name}: {beside}", "back it up by `sqlite3 DATABASE '.backup FILE'`, not by a copy")
    return examined


def absent_files(root: str, names: Sequence[str], stop: Stop) -> list[str]:
    """Return which of the names are no files with content below a directory."""
    found = []
    for name in names:
        stop.check()
        if name.startswith("/") or ".." in name.split("/"):
            raise UntestableError(f"'{presentable(name)}' is not below the directory", "name what is in it")
        path = f"{root.rstrip('/')}/{name}"
        try:
            status = os.stat(path)  # noqa: PTH116 - a text stays a text here
        except OSError as error:
            if not is_absent(error):
                raise refused(path, error) from error
            found.append(name)
        else:
            if not stat.S_ISREG(status.st_mode) or not status.st_size:
                found.append(name)
    return found
