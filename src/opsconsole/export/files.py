"""Writes a document to a file: whole or not at all, readable by its owner only."""

import contextlib
import errno
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from opsconsole.model.checklists import ID
from opsconsole.model.errors import OpsconsoleError

_PERIOD = re.compile(r"[0-9]{4}-(?:[0-9]{2}(?:-[0-9]{2}(?:T[0-9]{4}Z)?)?|W[0-9]{2}|Q[1-4])\Z")
"""How periods are named, see `model.calendar.Period.key`."""

_PRIVATE = 0o700
_NO_DIRECTORY_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP})
"""What file systems answer that cannot make a directory durable by itself."""


class OutputRefused(OpsconsoleError):
    """The document was not to be written there: a directory, a link, a device, a name that means nothing."""

    title = "wrong output"


class NotWritten(OpsconsoleError):
    """The document could not be written now: disk full, read-only, no permission."""

    title = "not written"


_CAUSES = {
    errno.ENOSPC: ("the disk is full", "make room there, or write to another place"),
    errno.EDQUOT: ("the disk quota is used up", "make room there, or write to another place"),
    errno.EFBIG: ("the file would be larger than allowed here", "see `ulimit -f`"),
    errno.EROFS: ("the file system is read-only", "write to another place"),
    errno.EACCES: ("no permission to write in that directory", "write to another place"),
    errno.EPERM: ("no permission to write in that directory", "write to another place"),
}


def file_name(run: str, suffix: str) -> str:
    """Return the name of a run's export, `qbr-daily-2026-11-21.md`; raise OutputRefused for what names no run."""
    checklist, _, period = run.partition("@")
    if not (ID.match(checklist) and _PERIOD.match(period)):
        raise OutputRefused(f"'{run}' names no run, so it cannot name a file")
    return f"{checklist}-{period}{suffix}"


def write_atomically(
    path: Path, content: str | bytes, *, make_directory: bool = False, modified: int | None = None
) -> None:
    """Write `content`, texts as UTF-8, to `path`, mode 0600, replacing a regular file of that name in one step.

    Whoever reads `path` finds the old document or the whole new one, also after a crash: the content is synced
    before the rename and the directory after it. With `make_directory` missing directories are made, mode 0700;
    otherwise a missing one is refused, because it is more likely a typing error. `modified` is the time that the
    file shall show, in seconds since 1970. Raises OutputRefused and NotWritten, and leaves no half-written file.
    """
    with explained(path):
        if make_directory:
            path.parent.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        _refuse_special(path)
        exact = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
        _replace(path, exact, modified)


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise OutputRefused or NotWritten, with what helps, where `path` cannot be written in the block."""
    try:
        yield
    except ValueError as error:
        raise OutputRefused(f"'{path}' cannot name a file: {error}") from error
    except (FileNotFoundError, NotADirectoryError, FileExistsError) as error:
        raise OutputRefused(
            f"there is no directory '{path.parent}'", "make it first, or name one that exists"
        ) from error
    except OSError as error:
        cause, hint = _CAUSES.get(error.errno or 0, (os.strerror(error.errno or errno.EIO), ""))
        raise NotWritten(f"{path}: {cause}", hint) from error


def _refuse_special(path: Path) -> None:
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(kind):
        raise OutputRefused(f"'{path}' is a directory", "name a file in it")
    if stat.S_ISLNK(kind):
        raise OutputRefused(f"'{path}' is a symbolic link", "name the file that it points to")
    if not stat.S_ISREG(kind):
        raise OutputRefused(f"'{path}' is no regular file", "without an output file the document is printed")


def _replace(path: Path, content: bytes, modified: int | None) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".opsconsole-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if modified is not None:
                os.utime(file.fileno(), (modified, modified))
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make the new name durable where that can be done: it needs permission to read the directory."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_DIRECTORY_SYNC:
            raise NotWritten(
                f"the document is in {directory}, but the file system did not confirm it: {error.strerror}",
                "check the disk, then write it again",
            ) from error
    finally:
        os.close(descriptor)
