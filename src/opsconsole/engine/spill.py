"""Where events wait that the store could not take: files beside it, or in the run-time directory."""

import glob
import os
import stat
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from opsconsole.model.encoding import canonical, decoded
from opsconsole.model.events import Event

_REFUSED = ".refused"
_UNREADABLE = ".unreadable"


class Spill:
    """Files of JSON lines for one run, in the first of `directories` that can be written.

    The files of each process have names of their own: two that cannot save never replace each other's events.
    """

    def __init__(self, directories: Sequence[Path], run: str) -> None:
        self._directories = tuple(directories)
        self._run = run
        self._own = uuid.uuid4().hex
        self._claimed: list[Path] = []
        self._refused: dict[str, Event] = {}
        self._unreadable: set[Path] = set()

    def write(self, events: Sequence[Event]) -> Path | None:
        """Replace what this process has spilled; return the file, None where no directory could be written."""
        return self._written(events, "")

    def set_aside(self, events: Sequence[Event]) -> Path | None:
        """Keep `events`, which the store refuses for good, where a person finds them; return the file."""
        self._refused |= {event.id: event for event in events}
        return self._written(list(self._refused.values()), _REFUSED)

    def claim(self) -> list[Event]:
        """Return what other processes of this user could not save: from now on it is this one's to save.

        Their files are renamed first, so that one that still lives writes into another and loses nothing.
        """
        found: list[Event] = []
        for path in self._others():
            mine = path.with_name(f"{self._run}.{self._own}-{len(self._claimed)}.jsonl")
            try:
                path.rename(mine)
            except OSError:
                continue
            self._claimed.append(mine)
            try:
                lines = mine.read_bytes().splitlines()
            except OSError:
                self._unreadable.add(mine)
                continue
            for line in lines:
                event = _event(line)
                if event is not None and event.run == self._run:
                    found.append(event)
                else:
                    self._unreadable.add(mine)
        return found

    def settle(self, left: Sequence[Event]) -> None:
        """Keep the events that are `left`, and remove the files of this process: the others are in the store now.

        What could not be read stays, and so does everything where what is left cannot be written.
        """
        if left and self.write(left) is None:
            return
        for path in self._claimed:
            with suppress(OSError):
                if path in self._unreadable:
                    path.rename(path.with_name(path.name + _UNREADABLE))
                else:
                    path.unlink()
        self._claimed.clear()
        if not left:
            self.withdraw()

    def withdraw(self) -> None:
        """Remove what this process has spilled: it is in the store now."""
        for directory in self._directories:
            with suppress(OSError):
                (directory / f"{self._run}.{self._own}.jsonl").unlink()

    def _written(self, events: Sequence[Event], ending: str) -> Path | None:
        content = b"".join(canonical(event) + b"\n" for event in events)
        for directory in self._directories:
            try:
                make_private(directory)
                if _is_trusted(directory):
                    return _replaced(directory / f"{self._run}.{self._own}.jsonl{ending}", content)
            except OSError:
                continue
        return None

    def _others(self) -> Iterator[Path]:
        for directory in self._directories:
            if not _is_trusted(directory):
                continue
            for path in sorted(directory.glob(f"{glob.escape(self._run)}.*.jsonl")):
                with suppress(OSError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode) and status.st_uid == os.getuid():
                        yield path


def make_private(directory: Path) -> None:
    """Make `directory` and what is missing above it, for this account alone whatever its umask is."""
    for each in reversed((directory, *directory.parents)):
        each.mkdir(mode=0o700, exist_ok=True)


def _is_trusted(directory: Path) -> bool:
    """Return whether nobody else can put files into a directory or take them out: its parent may be /tmp."""
    try:
        status = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o022


def _event(line: bytes) -> Event | None:
    try:
        return decoded(line, Event)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _replaced(path: Path, content: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
        _synced(path.parent)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return path


def _synced(directory: Path) -> None:
    """Make a new name in `directory` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
