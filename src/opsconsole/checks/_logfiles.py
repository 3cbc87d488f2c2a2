"""The files of one log: the live one, the rotated and the compressed ones, each held open while it is read.

Part of the worker of the probe `logfile`: the standard library only.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from collections.abc import Iterator
from io import FileIO

from opsconsole.checks._logpacked import MissingLibraryError, packing_of, unpacker

BLOCK = 240 << 10
"""Bytes that are read at once: measured to be searched the soonest, as they stay in the processor's cache."""
MOST_FILES = 1000
_SAME = 4096
"""Bytes at the beginning and at the end by which a copy is known."""
_TRIES = 5
_STAMPS = r"\d{1,14}|\d{4}-\d\d-\d\d(?:[T_-]\d\d(?:[-:_]?\d\d){0,2})?|\d{8}[-T_]\d{2,9}|old|bak"
_PACKED = r"(?:\.(?:gz|xz|lzma|bz2|zst))?"
_NUMBERED = re.compile(rf"(.*[._-])(\d{{1,3}})((?:\.[A-Za-z]\w*)??){_PACKED}", re.DOTALL)
_PAUSE = 0.03
"""Seconds in which a rotation gets to its end whose files have a gap in their numbers for a moment."""
_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")
_HOLE = bytes(8)
"""So many NULs are no text, but what a file system leaves of blocks not written before a power failure."""
_NOTHING = bytes(BLOCK)
_SMALL = 256
_TELLING = 10


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
        self.packing = packing_of(self.head)
        self.begins = len(_MARK) if self.head.startswith(_MARK) else self._first_data()

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
        before = b"\n"
        while at < end:
            block = os.pread(self.descriptor, min(BLOCK, end - at), at)
            if not block:
                raise Refusal("changing", f"{self.path} was cut off while it was being read", "measure again")
            yield mended(block, before)
            at, before = at + len(block), block[-1:]

    def _unpacked(self) -> Iterator[bytes]:
        hint = "see whether it is complete: `gzip -t` and the like"
        try:
            with FileIO(os.dup(self.descriptor), "rb") as raw, unpacker(self.packing, raw) as stream:
                raw.seek(0)
                block = stream.read1(BLOCK)  # only what the first bytes need: a damaged end matters to who reads it
                block, before = block.removeprefix(_MARK) or stream.read(BLOCK), b"\n"
                while block:
                    yield mended(block, before)
                    block, before = stream.read(BLOCK), block[-1:]
        except MemoryError:
            raise Refusal("too-large", f"{self.path} needs too much memory to be unpacked") from None
        except (Refusal, GeneratorExit):
            raise
        except MissingLibraryError as error:
            said = f"{self.path} is compressed by {self.packing}: {error}"
            raise Refusal("missing-driver", said, "install opsconsole[archives]") from None
        except Exception as error:  # each of the four libraries has errors of its own for what is damaged
            raise Refusal("bad-answer", f"{self.path} cannot be unpacked: {error}", hint) from error

    def read(self, at: int, length: int) -> bytes:
        """Return up to `length` bytes of a file that is not compressed."""
        return mended(os.pread(self.descriptor, max(0, min(length, self.size - at)), at), b"\n")

    def is_empty(self) -> bool:
        """Return whether there is nothing in it, be that nothing compressed."""
        if not self.packing:
            return self.begins >= self.size
        return self.size < _SMALL and not next(self.blocks(), b"")

    def unchanged(self) -> bool:
        """Return whether it still holds what it held when it was opened, as far as its ends tell."""
        if self.packing:
            return True
        longer = os.fstat(self.descriptor).st_size >= self.size
        return longer and os.pread(self.descriptor, len(self.head), 0) == self.head

    def close(self) -> None:
        """Close it."""
        os.close(self.descriptor)


def mended(block: bytes, before: bytes) -> bytes:
    """Return a block in which a hole of NULs that tore a line apart begins with a line feed: the line ends there.

    `before` is the byte before the block.
    """
    if block == _NOTHING[: len(block)]:
        return block if before in {b"\n", b"\0"} else b"\n" + block[1:]
    at = block.find(_HOLE) if b"\0" in block else -1  # a single byte is found ten times as fast
    pieces, done = [], 0
    while at >= 0:
        if (block[at - 1 : at] if at else before) not in {b"\n", b"\0"}:
            pieces += [block[done:at], b"\n"]
            done = at + 1
        rest = block[at:].lstrip(b"\0")
        at = block.find(_HOLE, len(block) - len(rest)) if rest else -1
    return b"".join([*pieces, block[done:]]) if pieces else block


def is_wide(text: bytes) -> bool:
    """Return whether a text seems to be UTF-16 or UTF-32: nearly every second byte of it is NUL, others are not."""
    even, odd = text[0::2].count(0), text[1::2].count(0)
    most, least, half = max(even, odd), min(even, odd), len(text) // 2
    return text.startswith(_WIDE_MARKS) or (half >= len(_HOLE) and most >= 0.9 * half and least <= 0.6 * half)


class Files:
    """All files of one log that could be opened, the live one among them, and what is to be said of the others."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.closed: list[tuple[str, float]] = []
        """Files that may not be read, with the time of their last change."""
        self.notes: list[str] = []
        self.gaps: list[tuple[str, str, str]] = []
        """What is missing among numbered files, in words, and the two files that it was between."""

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
            names = _names(path, rotated, files)
            for name in names:
                _open(name, files)
            there = _identities(_names(path, rotated, Files()))
            files.gaps = [] if _is_pattern(path) else gaps(names, path)
            if files.gaps and not attempt:
                time.sleep(_PAUSE)
                files.close()
                continue
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


def _is_pattern(path: str) -> bool:
    return any(each in path for each in "*?[")


def _names(path: str, rotated: bool, files: Files) -> list[str]:
    """Return the files that are there, by name."""
    if _is_pattern(path):
        import glob  # loading it would cost the worker a tenth of its start

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
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - pathlib costs the worker a third of its start
    rotated = re.compile(rf"{re.escape(name)}[.-](?:{_STAMPS}){_PACKED}|{re.escape(name)}\.gz")
    within = re.compile(rf"{re.escape(stem)}[._-](?:{_STAMPS}){re.escape(suffix)}{_PACKED}") if suffix else rotated
    try:
        names = os.listdir(directory)  # noqa: PTH208 - pathlib costs the worker a third of its start
    except PermissionError:
        files.notes.append(f"{directory} may not be listed, so rotated files are not seen")
        return []
    except OSError:
        return []
    found = (each for each in names if each != name and (rotated.fullmatch(each) or within.fullmatch(each)))
    return sorted(os.path.join(directory, each) for each in found)  # noqa: PTH118 - pathlib costs the worker a third of its start


def gaps(names: list[str], path: str) -> list[tuple[str, str, str]]:
    """Return what is missing among rotated files by their numbers, with the names of the files next to it.

    The live file stands before the first, which is number 0 or 1.
    """
    series: dict[tuple[str, str], dict[int, str]] = {}
    stems = {path, os.path.splitext(path)[0]}  # noqa: PTH122 - pathlib costs the worker a third of its start
    for name in names:
        match = _NUMBERED.fullmatch(name)
        if match is not None and match[1][:-1] in stems:
            series.setdefault((match[1], match[3]), {})[int(match[2])] = name
    found = []
    for (stem, rest), numbers in series.items():
        last, neighbour = 0, path
        for number in sorted(numbers):
            if number > last + 1:
                between = f"{stem}{last + 1}{rest}" + (f" to {number - 1}" if number > last + 2 else "")
                found.append((f"{between} is missing", neighbour, numbers[number]))
            last, neighbour = number, numbers[number]
    return found


def _missing(path: str) -> Refusal:
    above = os.path.dirname(path)  # noqa: PTH120 - pathlib costs the worker a third of its start
    try:
        os.stat(path)  # noqa: PTH116 - pathlib costs the worker a third of its start
    except PermissionError:
        return Refusal("no-permission", f"{path} may not be looked at", _rights(path))
    except OSError as error:
        if error.errno == errno.ENOENT and not os.path.isdir(above):  # noqa: PTH112 - pathlib costs the worker a third of its start
            return Refusal("not-found", f"there is no directory {above}", "see where the log is written")
        if error.errno != errno.ENOENT:
            return Refusal("failed", f"{path}: {error.strerror}")
    return Refusal("not-found", f"there is no file {path}", "see where the log is written")


def _rights(path: str) -> str:
    return f"let the console's user read it, by the group that owns it (`adm`) or `setfacl -m u:USER:r {path}`"


def _open(name: str, files: Files) -> None:
    try:
        status = os.stat(name)  # noqa: PTH116 - pathlib costs the worker a third of its start
    except FileNotFoundError:
        if os.path.islink(name):  # noqa: PTH114 - pathlib costs the worker a third of its start
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
            status = os.stat(name)  # noqa: PTH116 - pathlib costs the worker a third of its start
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
    """Return whether a file is a copy of what another one begins with.

    It has to hold some different lines: two files of the same few may well be what was written twice.
    """
    if len(set(shorter.head.splitlines())) < _TELLING:
        return False
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
