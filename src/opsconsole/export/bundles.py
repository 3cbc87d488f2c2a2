"""Writes several files as one directory or one tar: whole or not at all, and the same bytes each time.

A bundle is a mapping of relative names to contents. It never takes the place of anything but an earlier state of
itself, unless that is asked for, and never of what is no bundle.
"""

import datetime as dt
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from opsconsole.export.files import OutputRefused, explained, sync_directory, write_atomically

Bundle = Mapping[str, bytes]

SUFFIX = ".tar"
_PRIVATE_DIRECTORY = 0o700
_PRIVATE_FILE = 0o600
_TEMPORARY = ".opsconsole-"
_LARGEST = 256 * 1024 * 1024
"""Bytes of an existing bundle that are compared."""


def write_bundle(
    path: Path,
    bundle: Bundle,
    stamp: dt.datetime,
    may_replace: Callable[[Bundle], bool],
    *,
    root: str,
    make_directory: bool = False,
) -> bool:
    """Write a bundle as the directory `path`, or as one tar where that ends in `.tar`; return False if it is there.

    Files get the mode 0600, directories 0700, all of them the time `stamp`. In a tar everything lies in the
    directory `root`. Everything is synced before it gets its name. What is at `path` already is left alone where it
    is the same; otherwise `may_replace` is asked with its contents. Raises OutputRefused and NotWritten.
    """
    with explained(path):
        if make_directory:
            path.parent.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)
        there = _existing(path)
        if there == bundle:
            return False
        if there is not None and not may_replace(there):
            raise OutputRefused(
                f"'{path}' is there already, and holds something else",
                "name another place; --force replaces a record by another",
            )
        if path.suffix == SUFFIX:
            write_atomically(path, _tar(bundle, stamp, root), modified=_seconds(stamp))
        else:
            _write_directory(path, bundle, stamp)
    return True


# --- what is there ----------------------------------------------------------------------------------


def _existing(path: Path) -> Bundle | None:
    """Return the contents of what is at `path`, None where nothing is; raises OutputRefused for no bundle."""
    if path.is_symlink():
        raise OutputRefused(f"'{path}' is a symbolic link", "name what it points to")
    if not path.exists():
        return None
    if path.suffix == SUFFIX:
        return _read_tar(path)
    return _read_directory(path)


def _read_directory(path: Path) -> Bundle | None:
    if not path.is_dir():
        raise OutputRefused(f"'{path}' is no directory", "name a directory, or a file that ends in .tar")
    found, size = {}, 0
    for each in sorted(path.rglob("*")):
        if each.is_dir() and not each.is_symlink():
            continue
        size += each.lstat().st_size
        if each.is_symlink() or not each.is_file() or size > _LARGEST:
            raise OutputRefused(f"'{path}' holds '{each.name}', which is of no record", "name another place")
        found[each.relative_to(path).as_posix()] = each.read_bytes()
    return found or None


def _read_tar(path: Path) -> Bundle:
    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise OutputRefused(f"'{path}' is no record", "name another file")
    found = {}
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                if file is not None:
                    found[member.name.partition("/")[2]] = file.read()
    except tarfile.TarError as error:
        raise OutputRefused(f"'{path}' is no record: {error}", "name another file") from error
    return found


# --- writing ----------------------------------------------------------------------------------------


def _seconds(stamp: dt.datetime) -> int:
    return int(stamp.timestamp())


def _write_directory(path: Path, bundle: Bundle, stamp: dt.datetime) -> None:
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=_TEMPORARY))
    try:
        _fill(temporary, bundle, stamp)
        _put_in_place(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_directory(path.parent)


def _fill(directory: Path, bundle: Bundle, stamp: dt.datetime) -> None:
    times = (_seconds(stamp), _seconds(stamp))
    for name, content in bundle.items():
        file = directory / name
        file.parent.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchmod(stream.fileno(), _PRIVATE_FILE)
            os.utime(stream.fileno(), times)
            os.fsync(stream.fileno())
    for each in (*(sub for sub in directory.iterdir() if sub.is_dir()), directory):
        each.chmod(_PRIVATE_DIRECTORY)
        os.utime(each, times)
        sync_directory(each)


def _put_in_place(temporary: Path, path: Path) -> None:
    """Give a written directory its name; an earlier one is moved away first, and comes back where that fails.

    No system call of POSIX replaces a directory that is not empty, so for an instant there is none.
    """
    if not path.exists() or not any(path.iterdir()):
        temporary.rename(path)
        return
    away = Path(tempfile.mkdtemp(dir=path.parent, prefix=_TEMPORARY))
    try:
        path.rename(away)
    except BaseException:
        away.rmdir()
        raise
    try:
        temporary.rename(path)
    except BaseException:
        away.rename(path)
        raise
    shutil.rmtree(away)


def _tar(bundle: Bundle, stamp: dt.datetime, root: str) -> bytes:
    """Return a tar (ustar) that is the same on every host: names sorted, nobody's ids, one time."""
    names = sorted(bundle)
    directories = sorted({root, *(f"{root}/{name.rpartition('/')[0]}" for name in names if "/" in name)})
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for directory in directories:
            archive.addfile(_entry(directory, stamp, tarfile.DIRTYPE, _PRIVATE_DIRECTORY))
        for name in names:
            entry = _entry(f"{root}/{name}", stamp, tarfile.REGTYPE, _PRIVATE_FILE)
            entry.size = len(bundle[name])
            archive.addfile(entry, io.BytesIO(bundle[name]))
    return stream.getvalue()


def _entry(name: str, stamp: dt.datetime, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, _seconds(stamp)
    return entry
