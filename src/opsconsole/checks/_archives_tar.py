"""Reads the headers of a tar from its first block to its end mark, and passes over the data.

Formats: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Header Block"; GNU tar, "Basic Tar Format". The
module `tarfile` is not used because it takes a damaged header within an archive for its end, and holds whole names,
headers and members in memory, however large.
"""

from typing import BinaryIO

import msgspec

from opsconsole.checks._archives import MOST_MEMBERS, DamagedError, UntestableError, Wishes
from opsconsole.checks._files import CHUNK, Stop

BLOCK = 512
LARGEST_HEADER = 1 << 20
"""Bytes of a name or of pax records; a path has no more than 4096."""

_ZEROS = bytes(BLOCK)
_CHECKSUM = slice(148, 156)
_WITHOUT_DATA = frozenset(b"123456")
"""Links, devices, directories and FIFOs, whose size field says nothing of what follows (hard links excepted)."""
_GNU_SPARSE_EXTENDED, _GNU_SPARSE_MORE = 482, 504


class _Next(msgspec.Struct):
    """What the headers before a member say of it."""

    name: str = ""
    own_name: str = ""
    """Of a sparse file, which has another name in its own header."""
    size: int | None = None


def read_tar(file: BinaryIO, wishes: Wishes, stop: Stop) -> tuple[int, int]:
    """Return how many members it has and how many bytes were read; raise DamagedError where it is not whole."""
    members, size = 0, 0
    ahead = _Next()
    while True:
        if not members % 64:
            stop.check()
        block = _exactly(file, BLOCK, "a header")
        size += BLOCK
        if block == _ZEROS:
            return members, size + _ended(file)
        _check(block, members)
        kind, length = block[156], _number(block[124:136])
        if kind in b"xgLKX":
            data = _special(file, length)
            size += len(data)
            _note(ahead, kind, data, length)
            continue
        if kind == ord("S") and block[_GNU_SPARSE_EXTENDED]:
            size += _sparse(file, stop)
        length = length if ahead.size is None else ahead.size
        passed = 0 if kind in _WITHOUT_DATA and not (kind == ord("1") and length) else _padded(length)
        size += _passed(file, passed)
        wishes.seen(ahead.own_name or ahead.name or _name(block))
        ahead = _Next()
        members += 1
        if members > MOST_MEMBERS:
            raise UntestableError(f"a tar has more than {MOST_MEMBERS:,} members", "test it by hand", "too-large")


def _exactly(file: BinaryIO, size: int, what: str) -> bytes:
    parts: list[bytes] = []
    missing = size
    while missing:
        part = file.read(min(missing, CHUNK))
        if not part:
            raise DamagedError(f"it ends in the middle of {what}" if parts else "it ends without tar's end mark")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _passed(file: BinaryIO, size: int) -> int:
    """Read over data without keeping it."""
    missing = size
    while missing:
        part = file.read(min(missing, CHUNK))
        if not part:
            raise DamagedError(f"it ends in the middle of a member, {missing:,} bytes too early")
        missing -= len(part)
    return size


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _ended(file: BinaryIO) -> int:
    """Check the second of the two blocks of zeros at the end, and read the zeros that pad the last record.

    Programs stop reading at the end mark, so another tar behind it would not be restored.
    """
    if _exactly(file, BLOCK, "its end mark") != _ZEROS:
        raise DamagedError("only one block of its end mark is there: something follows that is no header")
    size = BLOCK
    while part := file.read(CHUNK):
        if part.count(0) < len(part):
            raise DamagedError("there is something behind its end mark, where nobody reads on")
        size += len(part)
    return size


def _check(block: bytes, members: int) -> None:
    """Hold the checksum of a header against its bytes, which some old programs added up as signed."""
    said = _octal(block[_CHECKSUM])
    blanked = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(blanked)
    signed = unsigned - 256 * sum(byte > 127 for byte in blanked)  # noqa: PLR2004 - the greatest that is the same as signed
    if said is None or said not in {unsigned, signed}:
        raise DamagedError(f"the header after {members:,} members is damaged" if members else "it is no tar")


def _octal(field: bytes) -> int | None:
    text = field.strip(b" \0").split(b"\0")[0].strip()
    if not text:
        return 0
    return int(text, 8) if all(byte in b"01234567" for byte in text) else None


def _number(field: bytes) -> int:
    """Return a size: octal digits, or where the first bit is set, a binary number of GNU tar."""
    if field[0] & 0x80:
        number = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40:
            raise DamagedError("a member has a negative size")
        return number
    number_or_none = _octal(field)
    if number_or_none is None:
        raise DamagedError("the size of a member is no number")
    return number_or_none


def _special(file: BinaryIO, length: int) -> bytes:
    if length > LARGEST_HEADER:
        raise UntestableError(
            f"a tar has a header of {length:,} bytes, which no program writes",
            "it was made to harm whoever reads it, or is damaged: see who wrote it",
            "too-large",
        )
    return _exactly(file, _padded(length), "a header")


def _note(ahead: _Next, kind: int, data: bytes, length: int) -> None:
    """Take from a header before a member what changes how it is read: its long name, its large size."""
    if kind == ord("L"):
        ahead.name = _text(data[:length].split(b"\0")[0])
    elif kind in b"xX":
        for key, value in _records(data[:length]):
            if key == b"path":
                ahead.name = _text(value)
            elif key == b"GNU.sparse.name":
                ahead.own_name = _text(value)
            elif key == b"size":
                ahead.size = _decimal(value)


def _records(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the records of a pax header, each `LENGTH KEY=VALUE` with a line feed, LENGTH counting all of it."""
    found = []
    while data:
        space = data.find(b" ")
        length = _decimal(data[:space]) if 0 < space < 20 else 0  # noqa: PLR2004 - no length has so many digits
        record = data[space + 1 : length - 1]
        if not space < length <= len(data) or b"=" not in record or data[length - 1 : length] != b"\n":
            raise DamagedError("a pax header is damaged")
        key, _, value = record.partition(b"=")
        found.append((key, value))
        data = data[length:]
    return found


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:  # noqa: PLR2004 - 2**64 has no more
        raise DamagedError("a number of a pax header is damaged")
    return int(text)


def _sparse(file: BinaryIO, stop: Stop) -> int:
    """Read the further headers of a sparse file in GNU's old format."""
    size = 0
    while True:
        stop.check()
        block = _exactly(file, BLOCK, "a header")
        size += BLOCK
        if not block[_GNU_SPARSE_MORE]:
            return size


def _name(block: bytes) -> str:
    name = _text(block[:100].split(b"\0")[0])
    prefix = _text(block[345:500].split(b"\0")[0]) if block[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
