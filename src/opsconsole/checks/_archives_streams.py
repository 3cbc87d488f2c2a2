"""Decompresses streams to their last byte, checking what they carry to be checked, within a bound of memory.

Formats: RFC 1952 (gzip), the .xz file format 1.2, bzip2, RFC 8878 (Zstandard). Each may hold several streams one
after another. What ends before its end mark is damaged: reading on in silence would call half a backup whole.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO, cast

from opsconsole.checks._archives import HEAD, DamagedError, UntestableError
from opsconsole.checks._files import CHUNK, Stop

XZ_MEMORY = 256 << 20
"""Bytes that a dictionary of .xz may take: eight times what `xz -9` needs for reading."""
ZSTD_WINDOW = 128 << 20
"""Bytes of a window of Zstandard, as `zstd --long=27` makes it, and as much as the program `zstd` reads unasked."""

_ZSTD_INPUT = 1024
"""Bytes that are fed at once: one block of 4 bytes may stand for 128 KiB, so these may come to 32 MiB."""
_PADDING = 4
_XZ_CHECK = 7
"""Where a stream of xz says which checksum it has; 0 is none (.xz file format, 2.1.1.2)."""


def decompressed(file: BinaryIO, found: str, name: str, stop: Stop) -> io.RawIOBase:
    """Return what a compressed file holds as a stream; its reads raise DamagedError and UntestableError."""
    match found:
        case "gzip":
            return _Chunks(_gzip(file), stop)
        case "bzip2":
            return _Chunks(_bzip2(file, name), stop)
        case "xz":
            return _Chunks(_xz(file, name), stop)
        case _:
            return _Chunks(_zstd(file, name), stop)


def has_checksum(file: BinaryIO, found: str) -> bool:
    """Whether the data carry a checksum, which xz and Zstandard may leave out. Goes back to the beginning."""
    if found not in {"xz", "zstd"}:
        return True
    head = file.read(HEAD)
    file.seek(0)
    if found == "xz":
        return bool(head[_XZ_CHECK : _XZ_CHECK + 1].strip(b"\0"))
    with contextlib.suppress(ImportError, ValueError):  # without the library, or of a damaged header: told later
        import zstandard

        with contextlib.suppress(zstandard.ZstdError):
            return bool(zstandard.get_frame_parameters(head).has_checksum)
    return False


class _Chunks(io.RawIOBase):
    """A readable stream of chunks."""

    def __init__(self, chunks: Iterator[bytes], stop: Stop) -> None:
        self._chunks = chunks
        self._stop = stop
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer; less than that only at the end."""
        filled = 0
        while filled < len(buffer):
            if not self._rest:
                self._stop.check()
                chunk = next(self._chunks, None)
                if chunk is None:
                    break
                self._rest = memoryview(chunk)
            size = min(len(buffer) - filled, len(self._rest))
            buffer[filled : filled + size] = self._rest[:size]
            self._rest = self._rest[size:]
            filled += size
        return filled


class Counted(io.BufferedReader):
    """A stream that tells how much was read of it."""

    def __init__(self, raw: io.RawIOBase) -> None:
        super().__init__(raw, CHUNK)
        self.count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        data = super().read(size)
        self.count += len(data)
        return data


def _gzip(file: BinaryIO) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=file) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except EOFError as error:
        raise DamagedError("it ends in the middle: gzip's end mark is not there") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DamagedError(f"gzip: {_said(error)}") from error


def _said(error: Exception) -> str:
    """Return the message of a library in words that hold no bytes of the file."""
    text = str(error)
    known = ("CRC check failed", "Incorrect length of data produced", "Not a gzipped file")
    named = next((each for each in known if each.lower() in text.lower()), "")
    return {"Not a gzipped file": "what follows a stream is no gzip"}.get(named, named) or "its data is damaged"


def _bzip2(file: BinaryIO, name: str) -> Iterator[bytes]:
    first, data = True, file.read(CHUNK)
    while data or first:
        rest = yield from _one_stream(file, data, bz2.BZ2Decompressor(), "bzip2", name)
        first, data = False, rest or file.read(CHUNK)


def _xz(file: BinaryIO, name: str) -> Iterator[bytes]:
    first, data = True, file.read(CHUNK)
    while data or first:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
        rest = yield from _one_stream(file, data, stream, "xz", name)
        first, data = False, _unpadded(rest, file)


def _one_stream(
    file: BinaryIO,
    data: bytes,
    stream: "bz2.BZ2Decompressor | lzma.LZMADecompressor",
    program: str,
    name: str,
) -> Generator[bytes, None, bytes]:
    """Yield what one stream holds, of which `data` is the beginning, and return what was read behind it."""
    while not stream.eof:
        if stream.needs_input and not data:
            data = file.read(CHUNK)
            if not data:
                raise DamagedError(f"it ends in the middle: the end mark of {program} is not there")
        try:
            chunk = stream.decompress(data, CHUNK)
        except (OSError, ValueError, lzma.LZMAError) as error:
            if isinstance(error, lzma.LZMAError) and "memory" in str(error).lower():
                raise _too_large(name, "xz", XZ_MEMORY) from error
            raise DamagedError(f"{program}: its data is damaged") from error
        data = b""
        if chunk:
            yield chunk
    return stream.unused_data


def _unpadded(data: bytes, file: BinaryIO) -> bytes:
    """Return what follows the padding between two streams: zeros, in multiples of four (.xz file format, 2.2)."""
    zeros = 0
    while True:
        data = data or file.read(CHUNK)
        rest = data.lstrip(b"\0")
        zeros += len(data) - len(rest)
        if rest or not data:
            break
        data = b""
    if zeros % _PADDING:
        raise DamagedError("xz: its padding is damaged")
    return rest


def _zstd(file: BinaryIO, name: str) -> Iterator[bytes]:
    try:
        import zstandard
    except ImportError as error:
        raise UntestableError(
            f"{name} is compressed by Zstandard, and the library for that is not installed",
            "install it: pip install 'opsconsole[archives]'",
            "missing-driver",
        ) from error
    first, data = True, file.read(CHUNK)
    while data or first:
        stream = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).decompressobj()
        while not stream.eof:
            data = data or file.read(CHUNK)
            if not data:
                raise DamagedError("it ends in the middle: a frame of zstd is not complete")
            piece, data = data[:_ZSTD_INPUT], data[_ZSTD_INPUT:]
            try:
                chunk = stream.decompress(piece)
            except zstandard.ZstdError as error:
                if "memory" in str(error).lower():
                    raise _too_large(name, "zstd", ZSTD_WINDOW) from error
                raise DamagedError("zstd: its data is damaged") from error
            if chunk:
                yield chunk
        first, data = False, (stream.unused_data + data) or file.read(CHUNK)


def _too_large(name: str, program: str, bound: int) -> UntestableError:
    return UntestableError(
        f"{name} needs more than {bound >> 20} MiB of memory to be read, which its {program} header asks for",
        f"test it by hand, `{program} --test`, or compress it with a smaller window",
        "too-large",
    )


def text_stream(file: BinaryIO, found: str, name: str, stop: Stop) -> BinaryIO:
    """Return a file, or what it holds where it is compressed, for reading from beginning to end."""
    return cast("BinaryIO", io.BufferedReader(decompressed(file, found, name, stop), CHUNK))
