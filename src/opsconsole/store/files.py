"""The database file and its directory: made for one account only, and refused where another could reach in."""

import contextlib
import errno
import os
import pwd
import shlex
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from opsconsole.contracts.store import StoreError, StoreUnavailable
from opsconsole.store.filesystems import file_system_of

FILE_LOCKS = threading.Lock()
"""Held while a database file is created or connected to.

POSIX drops all locks that a process has on a file as soon as it closes any descriptor of it, so no descriptor of
the program's own may be closed while a connection of another thread could hold a lock.
"""

_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, None where there is none: tells a file from another put in its place."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def prepare(path: Path, *, create: bool) -> None:
    """Make sure that `path` is a file in which a record can be kept; create it, empty, where asked to.

    Raises StoreError where the place is unfit, StoreUnavailable where it may be fit later.
    """
    with _explained(path):
        _prepare_directory(path.parent, create=create)
        if create:
            _create(path)
        _check_file(path)


def prepare_directory(path: Path) -> None:
    """Make sure that a record could be kept at `path`, where nothing is yet; raises as `prepare` does."""
    with _explained(path):
        _prepare_directory(path.parent, create=True)


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StoreUnavailable(f"there is no record store at {path}", "Is its disk mounted?") from error
    except OSError as error:
        raise StoreUnavailable(
            f"{path} cannot be used: {error.strerror}", f"Look at the permissions of {error.filename or path}"
        ) from error


def _prepare_directory(directory: Path, *, create: bool) -> None:
    if create:
        _make_directories(directory)
    _check_directory(directory)


def sync_directory(directory: Path) -> None:
    """Make sure that what was created, renamed or removed in a directory stays so after a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems have nothing to do for a directory
            raise
    finally:
        os.close(descriptor)


def publish(partial: Path, path: Path) -> None:
    """Give a finished file its name, which nothing may have yet; raises FileExistsError where something has."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        partial.rename(path)
    else:
        partial.unlink()
    sync_directory(path.parent)


def _make_directories(directory: Path) -> None:
    missing = []
    while not directory.exists():
        missing.append(directory)
        directory = directory.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)
        with contextlib.suppress(PermissionError):  # the first one above may not be readable
            sync_directory(each.parent)


def _check_directory(directory: Path) -> None:
    found = directory.stat()
    if found.st_uid not in {0, os.geteuid()}:
        raise StoreError(
            f"{directory} belongs to {_account(found.st_uid)}, who could replace the record",
            "Keep the record in a directory of your own",
        )
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise StoreError(
            f"{directory} can be written to by others, who could replace the record",
            f"chmod go-w {shlex.quote(str(directory))}",
        )
    file_system = file_system_of(directory)
    if file_system is not None and file_system.is_network:
        raise StoreError(
            f"{directory} is on a network file system ({file_system.kind}, mounted at {file_system.mount_point}), "
            "where SQLite can lose records",
            "Keep the record on a local disk, or in PostgreSQL where several hosts share it",
        )


def _create(path: Path) -> None:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with FILE_LOCKS:
        try:
            descriptor = os.open(path, flags, 0o600)
        except FileExistsError:
            return
        os.close(descriptor)
    sync_directory(path.parent)


def _check_file(path: Path) -> None:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise StoreError(f"{path} is a symbolic link", f"Name the file itself: {path.resolve()}")
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{path} is not a regular file", "Name a file")
    if found.st_uid != os.geteuid():
        raise StoreError(
            f"{path} belongs to {_account(found.st_uid)}",
            f"Use it as that account, or keep a record of your own; this is {_account(os.geteuid())}",
        )
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise StoreError(f"{path} can be written to by others", f"chmod 600 {shlex.quote(str(path))}")


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
