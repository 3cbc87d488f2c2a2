"""Unpacks the compressed files of a log, and notices one that ends too early.

Part of the worker of the probe `logfile`: the standard library only, and `zstandard` where a file needs it.
"""

from __future__ import annotations

import os
from io import FileIO

TYPE_CHECKING = False
if TYPE_CHECKING:  # loading it would cost the worker a fifth of its start
    from typing import Any

_MAGIC = {b"\x1f\x8b": "gz", b"\xfd7zXZ\x00": "xz", b"]\x00\x00": "xz", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zst"}
_FRAME = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = tuple(bytes([0x50 + each]) + b"\x2a\x4d\x18" for each in range(16))
_DICTIONARY_BYTES = (0, 1, 2, 4)
_RAW_SIZE_BYTES = (0, 2, 4, 8)
_RUN = 1


class MissingLibraryError(Exception):
    """What a file was compressed by is not installed."""


class CutOffError(Exception):
    """A compressed file ends before its end."""


def packing_of(head: bytes) -> str:
    """Return what a file that begins with `head` was compressed by, empty for none that is known."""
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "")


def unpacker(packing: str, raw: FileIO) -> Any:
    """Return a stream of what `raw` unpacks to; raises CutOffError, MissingLibraryError."""
    if packing == "gz":
        import gzip

        return gzip.GzipFile(fileobj=raw)
    if packing == "bz2":
        import bz2

        return bz2.BZ2File(raw)
    if packing == "xz":
        import lzma

        return lzma.LZMAFile(raw)
    try:
        import zstandard
    except ImportError:
        raise MissingLibraryError("zstandard is missing") from None
    if not zstd_is_whole(raw.fileno()):  # its library takes a file that ends early for one that ended
        raise CutOffError("it ends in the middle")
    return zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)


def zstd_is_whole(descriptor: int) -> bool:
    """Return whether the last frame of a zstd file is there to its end (RFC 8878, section 3.1).

    Only the headers of the blocks are read. What begins no frame is left to who unpacks it to refuse.
    """
    size, at = os.fstat(descriptor).st_size, 0
    while at < size:
        head = os.pread(descriptor, 18, at)
        if head.startswith(_SKIPPABLE):
            at += 8 + int.from_bytes(head[4:8], "little")
        elif head.startswith(_FRAME) and len(head) > len(_FRAME):
            at = _end_of_frame(descriptor, at, head[4])
        else:
            return len(head) > len(_FRAME)
    return at == size


def _end_of_frame(descriptor: int, at: int, flags: int) -> int:
    """Return where a frame ends by what its headers say, beyond the end of the file where it is cut off."""
    single = flags >> 5 & 1
    raw_size = _RAW_SIZE_BYTES[flags >> 6] or single
    at += 5 + (not single) + _DICTIONARY_BYTES[flags & 3] + raw_size
    while True:
        header = os.pread(descriptor, 3, at)
        block = int.from_bytes(header, "little")
        at += 3 + (1 if block >> 1 & 3 == _RUN else block >> 3)
        if len(header) < 3 or block & 1:  # noqa: PLR2004 - the header of a block has three bytes
            return at + 4 * (flags >> 2 & 1)
