"""Reads every member of a zip to its checksum.

Format: PKWARE APPNOTE 6.3.10. Its directory is at the end, and is read into memory: its size is bounded first.
"""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from lzma import LZMAError
from typing import BinaryIO

from opsconsole.checks._archives import DamagedError, UntestableError, Wishes
from opsconsole.checks._files import CHUNK, Stop
from opsconsole.checks._mounts import presentable

LARGEST_DIRECTORY = 16 << 20
"""Bytes of a zip's directory: some 150,000 members, which take ten times as much memory."""

_END = b"PK\x05\x06"
_END_SIZE, _COMMENT = 22, 65_535
_END64 = b"PK\x06\x06"
_LOCATOR = b"PK\x06\x07"
_LOCATOR_SIZE, _RECORD_SIZE = 20, 56
_MEMBER = b"PK\x03\x04"
_ENCRYPTED = 0x1


def read_zip(file: BinaryIO, name: str, wishes: Wishes, stop: Stop) -> tuple[int, int]:
    """Return how many members it has and what they come to; raise DamagedError where one is not whole."""
    if _directory_size(file, _ending_at(file)) > LARGEST_DIRECTORY:
        raise UntestableError(
            f"the directory of {name} is larger than {LARGEST_DIRECTORY >> 20} MiB",
            f"test it by hand: unzip -t {name}",
            "too-large",
        )
    size = 0
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _refuse_unlisted(file, members)
            for member in members:
                stop.check()
                stop.doing = f"testing {name}, at {presentable(member.filename)[:200]}"
                wishes.seen(member.filename)
                size += _read(archive, member, name, stop)
            return len(members), size
    except zipfile.BadZipFile as error:
        raise DamagedError(f"zip: {_said(error)}") from error


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str, stop: Stop) -> int:
    if member.flag_bits & _ENCRYPTED:
        raise UntestableError(
            f"{name} is encrypted, and nobody here has its password", "test it where that is known"
        )
    size = 0
    shown = presentable(member.filename)[:200]
    try:
        with archive.open(member) as stream:
            while chunk := stream.read(CHUNK):
                stop.check()
                size += len(chunk)
    except NotImplementedError as error:
        raise UntestableError(
            f"{name} has a member of a compression that nobody here reads ({member.compress_type})",
            f"test it by hand: unzip -t {name}",
        ) from error
    except zipfile.BadZipFile as error:
        raise DamagedError(f"zip: {_said(error)} ({shown})") from error
    except (EOFError, zlib.error, LZMAError, OSError, ValueError, struct.error) as error:
        raise DamagedError(f"zip: the data of {shown} is damaged") from error
    if size != member.file_size:
        raise DamagedError(f"zip: {shown} has {size:,} bytes instead of {member.file_size:,}")
    return size


def _said(error: zipfile.BadZipFile) -> str:
    text = str(error)
    known = {
        "Bad CRC-32": "a checksum is wrong",
        "File is not a zip file": "its directory at the end is not there",
        "Overlapped": "members overlap",
    }
    return next((words for begins, words in known.items() if text.startswith(begins)), "its structure is damaged")


def _refuse_unlisted(file: BinaryIO, members: Sequence[zipfile.ZipInfo]) -> None:
    """Raise DamagedError where the directory at the end is not that of what is at the beginning.

    A zip that was cut off right behind a zip which it holds ends with the directory of that.
    """
    file.seek(0)
    if file.read(len(_MEMBER)) == _MEMBER and all(each.header_offset for each in members):
        raise DamagedError("zip: it begins with a member that the directory at its end does not list")


def _ending_at(file: BinaryIO) -> tuple[int, bytes]:
    """Return where the record at the end begins in the last bytes of the file, and these; -1 where it is not there.

    Raises DamagedError where it is not at the end.
    """
    end = file.seek(0, 2)
    file.seek(max(end - _END_SIZE - _COMMENT - _LOCATOR_SIZE, 0))
    tail = file.read(end)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_SIZE:
        return -1, tail
    behind = tail[at + _END_SIZE :]
    comment = int(struct.unpack_from("<H", tail, at + 20)[0])
    if len(behind) < comment:
        raise DamagedError("zip: it ends in the middle of its comment")
    if behind[comment:].strip(b"\0"):
        raise DamagedError(f"zip: {len(behind) - comment:,} bytes follow its end")
    return at, tail


def _directory_size(file: BinaryIO, ending: tuple[int, bytes]) -> int:
    """Return how large the end of the file says that the directory is; 0 where there is no such end."""
    at, tail = ending
    if at < 0:
        return 0
    size = int(struct.unpack_from("<L", tail, at + 12)[0])
    locator = at - _LOCATOR_SIZE
    if locator < 0 or tail[locator : locator + 4] != _LOCATOR:
        return size
    file.seek(min(int(struct.unpack_from("<Q", tail, locator + 8)[0]), 2**62))
    record = file.read(_RECORD_SIZE)
    whole = len(record) == _RECORD_SIZE and record.startswith(_END64)
    return int(struct.unpack_from("<Q", record, 40)[0]) if whole else size
