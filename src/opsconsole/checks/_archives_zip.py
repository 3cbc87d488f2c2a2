"""Reads every member of a zip to its checksum.

Format: PKWARE APPNOTE 6.3.10. Its directory is at the end, and is read into memory: its size is bounded first.
"""

import struct
import zipfile
import zlib
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
_LOCATOR_SIZE = 20
_SEE_64 = 0xFFFFFFFF
_ENCRYPTED = 0x1


def read_zip(file: BinaryIO, name: str, wishes: Wishes, stop: Stop) -> tuple[int, int]:
    """Return how many members it has and what they come to; raise DamagedError where one is not whole."""
    if _directory_size(file) > LARGEST_DIRECTORY:
        raise UntestableError(
            f"the directory of {name} is larger than {LARGEST_DIRECTORY >> 20} MiB",
            f"test it by hand: unzip -t {name}",
            "too-large",
        )
    size = 0
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
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


def _directory_size(file: BinaryIO) -> int:
    """Return how large the end of the file says that the directory is; 0 where there is no such end."""
    end = file.seek(0, 2)
    start = max(end - _END_SIZE - _COMMENT - _LOCATOR_SIZE, 0)
    file.seek(start)
    tail = file.read(end - start)
    file.seek(0)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + _END_SIZE:
        return 0
    size = int(struct.unpack_from("<L", tail, at + 12)[0])
    locator = at - _LOCATOR_SIZE
    if locator < 0 or tail[locator : locator + 4] != _LOCATOR:
        return size
    record_at = int(struct.unpack_from("<Q", tail, locator + 8)[0])
    if record_at + 56 > end:
        return size
    file.seek(record_at)
    record = file.read(56)
    file.seek(0)
    return int(struct.unpack_from("<Q", record, 40)[0]) if record.startswith(_END64) else size
