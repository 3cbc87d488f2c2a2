"""The files of one log: the live one, the rotated and the compressed ones, each held open while it is read.

Part of the worker of the probe `logfile`: the standard library only.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
from collections.abc import Iterator
from io import FileIO

TYPE_CHECKING = False
if TYPE_CHECKING:  # loading it would cost the worker a fifth of its start
    from typing import Any

BLOCK = 240 << 10
"""Bytes that are read at once: measured to be searched the soonest, as they stay in the processor's cache."""
MOST_FILES = 1000
_SAME = 4096
"""Bytes at the beginning and at the end by which a copy is known."""
_TRIES = 5
_STAMPS = r"\d{1,14}|\d{4}-\d\d-\d\d(?:[T_-]\d\d(?:[-:_]?\d\d){0,2})?|\d{8}[-T_]\d{2,9}|old|bak"
_PACKED = r"(?:\.(?:gz|xz|lzma|bz2|zst))?"
_MAGIC = {b"\x1f\x8b": "gz", b"\xfd7zXZ\x00": "xz", b"]\x00\x00": "xz", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zst"}


class Refusal(Exception):
    """The log cannot be read: reason, cause and hint as a ProbeError has them."""

    def __init__(self, reason: str, cause: str, hint: str = "") -> None:
        super().__init__(cause)
        self.reason, self.cause, self.hint = reason, cause, hint


class Part:
    """One file, open; `size` is what it held then, and no more is read."""

    def __init__(self, path: str, descriptor: int, status: os.stat_result) -> None:
        self.path = path
        self.descriptor = descriptor
        self.size = status.st_size
        self.mtime = status.st_mtime
        self.identity = (status.st_dev, status.st_ino)
        self.head = os.pread(descriptor, _SAME, 0) if self.size else b""
        self.packing = next((name for magic, name in _MAGIC.items() if self.head.startswith(magic)), "")
        self.begins = self._first_data()

    def _first_data(self) -> int:
        """Return where the first byte is that was written: a truncated file may begin with a hole."""
        try:
            return min(os.lseek(self.descriptor, 0, os.SEEK_DATA), self.size)
        except OSError as error:
            return self.size if error.errno == errno.ENXIO else 0

    def blocks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield what it holds from `start` to `end` (of what is unpacked, the whole); raises Refusal."""
        if self.packing:
            yield from self._unpacked()
            return
        at, end = max(start, self.begins), self.size if end is None else end
        while at < end:
            block = os.pread(self.descriptor, min(BLOCK, end - at), at)
            if not block:
                raise Refusal("changing", f"{self.path} was cut off while it was being read", "measure again")
            yield block
            at += len(block)

    def _unpacked(self) -> Iterator[bytes]:
        try:
            with FileIO(os.dup(self.descriptor), "rb") as raw, self._unpacker(raw) as stream:
                raw.seek(0)
                block = stream.read1(BLOCK)  # only what the first bytes need: a damaged end matters to who reads it
                while block:
                    yield block
                    block = stream.read(BLOCK)
        except MemoryError:
            raise Refusal("too-large", f"{self.path} needs too much memory to be unpacked") from None
        except (Refusal, GeneratorExit):
            raise
        except Exception as error:  # each of the four libraries has errors of its own for what is damaged
            hint = "see whether it is complete: `gzip -t` and the like"
            raise Refusal("bad-answer", f"{self.path} cannot be unpacked: {error}", hint) from error

    def _unpacker(self, raw: FileIO) -> Any:
        if self.packing == "gz":
            import gzip

            return gzip.GzipFile(fileobj=raw)
        if self.packing == "bz2":
            import bz2

            return bz2.BZ2File(raw)
        if self.packing == "xz":
            import lzma

            return lzma.LZMAFile(raw)
        try:
            import zstandard
        except ImportError:
            hint = "install opsconsole[archives]"
            raise Refusal(
                "missing-driver", f"{self.path} is compressed by zstd: zstandard is missing", hint
            ) from None
        return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)

    def read(self, at: int, length: int) -> bytes:
        """Return up to `length` bytes of a file that is not compressed."""
        return os.pread(self.descriptor, max(0, min(length, self.size - at)), at)

    def unchanged(self) -> bool:
        """Return whether it still holds what it held when it was opened, as far as its ends tell."""
        if self.packing:
            return True
        longer = os.fstat(self.descriptor).st_size >= self.size
        return longer and os.pread(self.descriptor, len(self.head), 0) == self.head

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)


class Files:
    """All files of one log that could be opened, the live one among them, and what is to be said of the others."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.closed: list[tuple[str, float]] = []
        """Files that may not be read, with the time of their last change."""
        self.notes: list[str] = []

    def close(self) -> None:
        """Close all."""
        for part in self.parts:
            part.close()
        self.parts.clear()


def opened(path: str, *, rotated: bool) -> Files:
    """Open the files of a log; raises Refusal where there is none.

    A rotation in between may move one past the other, so the names are read again afterwards.
    """
    for attempt in range(_TRIES):
        files = Files()
        try:
            for name in _names(path, rotated, files):
                _open(name, files)
            there = _identities(_names(path, rotated, Files()))
            if there <= {part.identity for part in files.parts} | _identities([name for name, _ in files.closed]):
                return _without_copies(files, path)
        except Refusal as refusal:
            files.close()
            if refusal.reason != "not-found" or attempt == _TRIES - 1:
                raise
        except BaseException:
            files.close()
            raise
        else:
            files.close()
    raise Refusal("changing", f"the files of {path} are renamed faster than they can be opened", "measure again")


def _names(path: str, rotated: bool, files: Files) -> list[str]:
    """Return the files that are there, by name."""
    if glob.has_magic(path):
        found = sorted(glob.glob(path))  # noqa: PTH207 - pathlib costs the worker a third of its start
        if not found:
            raise Refusal("not-found", f"no file is called {path}", "see where the log is written")
    else:
        found = [path, *(_siblings(path, files) if rotated else [])]
        there = [name for name in found if os.path.lexists(name)]
        if not there:
            raise _missing(path)
        if path not in there:
            files.notes.append(f"{path} itself is not there at present, only what was rotated")
        found = there
    if len(found) > MOST_FILES:
        raise Refusal("too-large", f"{len(found)} files belong to {path}; {MOST_FILES} at most are looked at")
    return found


def _siblings(path: str, files: Files) -> list[str]:
    directory, name = os.path.split(path)
    stem, suffix = os.path.splitext(name)  # noqa: PTH122
    rotated = re.compile(rf"{re.escape(name)}[.-](?:{_STAMPS}){_PACKED}|{re.escape(name)}\.gz")
    within = re.compile(rf"{re.escape(stem)}[._-](?:{_STAMPS}){re.escape(suffix)}{_PACKED}") if suffix else rotated
    try:
        names = os.listdir(directory)  # noqa: PTH208
    except PermissionError:
        files.notes.append(f"{directory} may not be listed, so rotated files are not seen")
        return []
    except OSError:
        return []
    found = (each for each in names if each != name and (rotated.fullmatch(each) or within.fullmatch(each)))
    return sorted(os.path.join(directory, each) for each in found)  # noqa: PTH118


def _missing(path: str) -> Refusal:
    above = os.path.dirname(path)  # noqa: PTH120
    try:
        os.stat(path)  # noqa: PTH116
    except PermissionError:
        return Refusal("no-permission", f"{path} may not be looked at", _rights(path))
    except OSError as error:
        if error.errno == errno.ENOENT and not os.path.isdir(above):  # noqa: PTH112
            return Refusal("not-found", f"there is no directory {above}", "see where the log is written")
        if error.errno != errno.ENOENT:
            return Refusal("failed", f"{path}: {error.strerror}")
    return Refusal("not-found", f"there is no file {path}", "see where the log is written")


def _rights(path: str) -> str:
    return f"let the console's user read it, by the group that owns it (`adm`) or `setfacl -m u:USER:r {path}`"


def _open(name: str, files: Files) -> None:
    try:
        status = os.stat(name)  # noqa: PTH116
    except FileNotFoundError:
        if os.path.islink(name):  # noqa: PTH114
            raise Refusal("not-found", f"{name} is a link to what is not there") from None
        return  # it was just renamed: looking again finds it
    except OSError as error:
        raise Refusal("failed", f"{name}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        kind = "directory" if stat.S_ISDIR(status.st_mode) else "pipe or a device"
        raise Refusal(
            "no-file", f"{name} is a {kind}, and no file whose past could be read", "name the file itself"
        )
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except PermissionError:
        files.closed.append((name, status.st_mtime))
        return
    except FileNotFoundError:
        return
    except OSError as error:
        raise Refusal("failed", f"{name} cannot be opened: {error.strerror}") from error
    part = _part(name, descriptor)
    if any(part.identity == other.identity for other in files.parts):
        part.close()
    else:
        files.parts.append(part)


def _part(name: str, descriptor: int) -> Part:
    try:
        return Part(name, descriptor, os.fstat(descriptor))
    except OSError as error:
        os.close(descriptor)
        raise Refusal("failed", f"{name} cannot be read: {error.strerror}") from error


def _identities(names: list[str]) -> set[tuple[int, int]]:
    found = set()
    for name in names:
        try:
            status = os.stat(name)  # noqa: PTH116
        except OSError:
            continue
        found.add((status.st_dev, status.st_ino))
    return found


def _without_copies(files: Files, path: str) -> Files:
    """Leave out what another file holds too: `copytruncate` copies before it truncates, gzip before it removes."""
    plain = sorted((each for each in files.parts if not each.packing and each.size), key=lambda each: -each.size)
    copies = [
        shorter for at, shorter in enumerate(plain) if any(_begins_with(longer, shorter) for longer in plain[:at])
    ]
    originals = {each.path: each for each in plain}
    for packed in (each for each in files.parts if each.packing):
        original = originals.get(re.sub(r"\.\w+\Z", "", packed.path))
        if original is not None and _packs(packed, original):
            copies.append(packed)
    for copy in copies:
        files.parts.remove(copy)
        copy.close()
        files.notes.append(f"{copy.path} is a copy of what another file holds, and was left out")
    if not files.parts and any(name == path for name, _ in files.closed):
        raise unreadable(path)
    return files


def _begins_with(longer: Part, shorter: Part) -> bool:
    last = max(0, shorter.size - _SAME)
    return longer.head[: len(shorter.head)] == shorter.head and longer.read(last, shorter.size - last) == (
        shorter.read(last, shorter.size - last)
    )


def _packs(packed: Part, original: Part) -> bool:
    """Return whether a compressed file is that of another one, or on the way to be."""
    try:
        return next(packed.blocks(), b"")[:_SAME] == original.head
    except Refusal:
        return True


def unreadable(path: str) -> Refusal:
    """Return the problem of a file that the console's user may not read."""
    return Refusal("no-permission", f"{path} may not be read", _rights(path))
