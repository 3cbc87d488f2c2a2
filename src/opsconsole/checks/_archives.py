"""Tests whether an archive can be read from its first byte to its last, without writing anything anywhere.

Everything is read as a stream, so memory is bounded whatever the archive says of itself: some 12 MiB for what usual
programs write; at most a dictionary of 256 MiB (xz), a window of 128 MiB and blocks of 64 MiB (zstd), or the
directory of a zip, 16 MiB in the file and some 150 MiB once read. What needs more is not tested, and that is told.
Which format it is, its first bytes say, and not its name: what is named `.gz` and is none is damaged.
"""

import io
from collections.abc import Callable, Iterable
from typing import BinaryIO

import msgspec

from opsconsole.checks._files import CHUNK, Stop
from opsconsole.contracts.probe import ProbeError

MOST_MEMBERS = 10_000_000
"""Members after which an archive is not read on: no backup has so many, and the time it takes has no end."""
HEAD = 1024
"""Bytes at the beginning that tell what something is."""

_TAR_MAGIC_AT = 257
_MAGICS = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"SQLite format 3\x00", "sqlite"),
    (b"PGDMP", "pg_dump"),
)
_ENDINGS = {
    ".gz": "gzip",
    ".tgz": "gzip",
    ".bz2": "bzip2",
    ".tbz2": "bzip2",
    ".xz": "xz",
    ".txz": "xz",
    ".zst": "zstd",
    ".tzst": "zstd",
    ".zip": "zip",
    ".tar": "tar",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".sql": "sql",
}
_TAR_IN = frozenset({".tgz", ".tbz2", ".txz", ".tzst"})
_NOTHING = "there is nothing in it"
_ONLY_STREAM = "only the compression was tested, not what is in it"
COMPRESSED = frozenset({"gzip", "bzip2", "xz", "zstd"})
_SKIPPABLE_ZSTD = tuple(bytes([0x50 + each]) + b"\x2a\x4d\x18" for each in range(16))


class DamagedError(Exception):
    """The archive is not whole; the message says in what way."""


class UntestableError(ProbeError):
    """Nothing can be said of the archive: a format that nobody here reads, a password, a bound on memory."""

    def __init__(self, cause: str, hint: str, reason: str = "bad-answer") -> None:
        super().__init__(reason, cause, hint)


class Wishes:
    """The names that must be among the members of an archive: struck off when seen, so nothing else is kept."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.missing = dict.fromkeys(plain_name(each) for each in names)

    def seen(self, name: str) -> None:
        """Strike a member off."""
        if self.missing:
            self.missing.pop(plain_name(name), None)


class Examined(msgspec.Struct, kw_only=True):
    """What reading an archive to its end came to."""

    format: str
    """`zip`, `tar`, `gzip`, `gzip of tar`, `sqlite`, `pg_dump`, `sql` and the like."""
    damage: str = ""
    """What is wrong with it; empty where it is whole."""
    members: int | None = None
    """Members of an archive, tables of a SQLite database, entries of a dump; None where it has no parts."""
    size: int = 0
    """Bytes that it came to, uncompressed."""
    checked: bool = True
    """Whether its data carry checksums, without which a wrong byte in them may pass."""
    unseen: str = ""
    """What of it was not looked at, in words."""
    missing: tuple[str, ...] = ()
    """What was to be in it and is not, where it is whole and has members."""


def plain_name(name: str) -> str:
    """Return the name of a member without a leading `./` and a trailing `/`, as a person writes it."""
    while name.startswith("./"):
        name = name[2:]
    return name.rstrip("/") or "."


def format_of(head: bytes, name: str) -> str:
    """Return what a file is by its first bytes, by its name where these tell nothing, `""` where neither does."""
    for magic, found in _MAGICS:
        if head.startswith(magic):
            return found
    if head.startswith(_SKIPPABLE_ZSTD):
        return "zstd"
    if head[_TAR_MAGIC_AT : _TAR_MAGIC_AT + 5] == b"ustar":
        return "tar"
    if _is_sql(head):
        return "sql"
    return _ENDINGS.get(_ending(name), "")


def _ending(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:].lower() if dot > 0 else ""


def _is_sql(head: bytes) -> bool:
    """Whether it begins as dumps of PostgreSQL, MySQL and MariaDB do; these with a comment of their own kind."""
    begins = head.lstrip(b"\xef\xbb\xbf\r\n ")
    return begins.startswith((b"--", b"/*M!")) and any(
        each in head for each in (b"PostgreSQL database", b"MySQL dump", b"MariaDB dump")
    )


def expected_inside(name: str) -> str:
    """Return what the name of a compressed file says is in it: `tar`, `sql`, `sqlite` or nothing."""
    if _ending(name) in _TAR_IN:
        return "tar"
    inner = name[: name.rfind(".")] if _ending(name) in _ENDINGS else name
    return _ENDINGS.get(_ending(inner), "")


def examined(file: BinaryIO, name: str, found: str, wishes: Wishes, stop: Stop) -> Examined:
    """Read an opened archive of the format `found` to its end; UntestableError where that is none of ours.

    Not for SQLite and PostgreSQL's own format, which their own programs read.
    """
    stop.doing = f"testing {name}"
    try:
        if found in COMPRESSED:
            return _compressed(file, name, found, wishes, stop)
        if found == "zip":
            from opsconsole.checks._archives_zip import read_zip

            members, size = read_zip(file, name, wishes, stop)
            return _with_members(Examined(format="zip", members=members, size=size), wishes)
        return _inside(file, found, wishes, stop, found)
    except DamagedError as damage:
        return Examined(format=found, damage=str(damage))


def _compressed(file: BinaryIO, name: str, found: str, wishes: Wishes, stop: Stop) -> Examined:
    from opsconsole.checks._archives_streams import Counted, decompressed, has_checksum

    checked = has_checksum(file, found)
    stream = Counted(decompressed(file, found, name, stop))
    head = stream.peek(HEAD)
    if not head:
        raise DamagedError(_NOTHING)
    expected = expected_inside(name)
    inside = format_of(head, "") or (expected if expected in {"tar", "sql"} else "")
    if expected in {"tar", "sqlite"} and inside != expected:
        raise DamagedError(f"there is no {expected} in it, as its name says, but {inside or 'something else'}")
    shown = f"{found} of {inside}" if inside else found
    if inside in {"tar", "sql"}:
        within = _inside(stream, inside, wishes, stop, shown)
        drained(stream.read)
        within.size, within.checked = stream.count, checked
        return within
    size = drained(stream.read)  # nothing is unpacked to be tested
    if inside == "sqlite":
        return Examined(format=shown, size=size, checked=checked, unseen=_of_its_length(head, size))
    if inside:
        raise UntestableError(
            f"{name} is {shown}: {_ONLY_STREAM}, which may have broken off before it was compressed",
            "back it up without compressing it once more, or verify its checksum: checksum = true",
        )
    return Examined(format=shown, size=size, checked=checked, unseen=_ONLY_STREAM)


def _of_its_length(head: bytes, size: int) -> str:
    """Return what is not known of a SQLite database of which only beginning and length were seen."""
    from opsconsole.checks._archives_sqlite import stated_length

    stated = stated_length(head)
    if size < stated:
        raise DamagedError(f"the database in it is cut off: it has {size:,} bytes instead of {stated:,}")
    return "of the database in it only the length was looked at"


def _inside(file: BinaryIO, found: str, wishes: Wishes, stop: Stop, shown: str) -> Examined:
    if found == "tar":
        from opsconsole.checks._archives_tar import read_tar

        members, size = read_tar(file, wishes, stop)
        return _with_members(Examined(format=shown, members=members, size=size, checked=False), wishes)
    if found == "sql":
        from opsconsole.checks._archives_sql import read_sql

        return Examined(format=shown, size=read_sql(file), checked=False)
    raise UntestableError(
        f"nobody here can test a file of the format '{found or 'unknown'}'",
        "leave `test` out for it, or verify its checksum: checksum = true",
    )


def _with_members(archive: Examined, wishes: Wishes) -> Examined:
    """Return an archive that was read with what is missing in it; one of nothing backs nothing up."""
    if not archive.members:
        raise DamagedError(_NOTHING)
    archive.missing = tuple(wishes.missing)
    return archive


def drained(read: Callable[[int], bytes]) -> int:
    """Read a stream to its end, a chunk at a time, and return how many bytes came."""
    size = 0
    while chunk := read(CHUNK):
        size += len(chunk)
    return size


def head_of(file: io.FileIO) -> bytes:
    """Return the first bytes of an opened file, and go back to its beginning."""
    head = file.read(HEAD)
    file.seek(0)
    return head or b""
