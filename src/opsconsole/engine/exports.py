"""The directory of exported files, of which old ones are removed: nothing but what the program wrote there."""

import datetime as dt
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from opsconsole.contracts.store import Head

_LONGEST = 64 * 1024 * 1024
"""Bytes of a file that is read: no day log comes near."""


class Said(Protocol):
    """What an exported file says of itself."""

    @property
    def run(self) -> str:
        """The run it is of."""
        ...

    @property
    def store_id(self) -> str:
        """The store that the run is in."""
        ...

    @property
    def head(self) -> Head:
        """The end of the chain when it was written."""
        ...


class ExportedFile(msgspec.Struct, frozen=True):
    """A regular file of this account in the directory, recognised as one that the program wrote."""

    name: str
    said: Said
    written_at: dt.datetime
    identity: tuple[int, int]
    """Device and inode: it is removed only as long as its name is that of the same file."""


class ExportsDirectory:
    """A directory, looked at without following links out of it, and without those below it."""

    def __init__(self, path: Path, recognise: Callable[[str, bytes], Said | None]) -> None:
        """`recognise`: from a file's name and content to what it says of itself, None for a file of others."""
        self._path = path
        self._recognise = recognise

    def older_than(self, before: dt.datetime) -> list[ExportedFile]:
        """Return the exported files that were written before an instant, by name; none where it is not there.

        Raises OSError where the directory cannot be read.
        """
        if not self._path.is_dir():
            return []
        with self._opened() as directory:
            found = (self._exported(directory, name, before) for name in _names(directory))
            return [each for each in found if each is not None]

    def remove(self, file: ExportedFile) -> bool:
        """Remove a file, durably; return whether it was still the one that was found."""
        with self._opened() as directory:
            try:
                status = os.lstat(file.name, dir_fd=directory)
            except FileNotFoundError:
                return False
            if (status.st_dev, status.st_ino) != file.identity or not stat.S_ISREG(status.st_mode):
                return False
            os.unlink(file.name, dir_fd=directory)
            os.fsync(directory)
        return True

    @contextmanager
    def _opened(self) -> Iterator[int]:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _exported(self, directory: int, name: str, before: dt.datetime) -> ExportedFile | None:
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=directory)
        except OSError:  # a link, a socket, or somebody else's: none of the program's
            return None
        try:
            status = os.fstat(descriptor)
            written_at = dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)
            own = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
            if not own or written_at >= before or status.st_size > _LONGEST:
                return None
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                said = self._recognise(name, file.read())
        finally:
            os.close(descriptor)
        if said is None:
            return None
        return ExportedFile(name, said, written_at, (status.st_dev, status.st_ino))


def _names(directory: int) -> list[str]:
    with os.scandir(directory) as entries:
        return sorted(each.name for each in entries)
