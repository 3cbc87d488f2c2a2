"""Archives are read from the first byte to the last: what is whole passes, and every kind of damage is seen."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _archives_sql, _archives_streams, _archives_tar, _archives_zip
from opsconsole.checks._archives import (
    DamagedError,
    Examined,
    UntestableError,
    Wishes,
    examined,
    expected_inside,
    format_of,
    plain_name,
)
from opsconsole.checks._files import GivenUpError
from opsconsole.contracts.probe import ProbeError
from support.filing import FILES, a_tar, a_zip, ran, stop

MEMBERS = len(FILES) + 2
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data),
}
DECOMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.decompress,
    "bz2": bz2.decompress,
    "xz": lzma.decompress,
    "zst": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}
DUMP = (
    b"--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE a (b int);\n" + b"INSERT INTO a VALUES (1);\n" * 500
    + b"--\n-- PostgreSQL database dump complete\n--\n\n"
)  # fmt: skip


def read(data: bytes, name: str = "backup", wishes: Wishes | None = None, allowed: float = 60.0) -> Examined:
    """Test an archive that is in memory."""
    return examined(io.BytesIO(data), name, format_of(data[:1024], name), wishes or Wishes(), stop(allowed))


def whole_or_cause(data: bytes, name: str) -> bool:
    """Return whether an archive passes for whole; it may also be one of which nothing can be said."""
    try:
        return not read(data, name).damage
    except ProbeError as error:
        if error.problem.reason not in {"too-large", "bad-answer"}:
            raise
        return False


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_whole_tar_passes(form: int) -> None:
    """All three formats of tar are read, with names that are longer than a header has room for."""
    long = "/".join(["a-directory-with-a-long-name"] * 4) + "/file"
    files = {**FILES, long: b"x" * 1000, **({"ümläut/€": b"1"} if form != tarfile.USTAR_FORMAT else {})}
    wishes = Wishes(files)
    found = read(a_tar(files, format=form), wishes=wishes)
    assert (found.format, found.damage, found.members) == ("tar", "", len(files) + 2)
    assert not wishes.missing
    assert not found.missing


def test_a_tar_of_the_program(tmp_path: Path) -> None:
    """What GNU tar writes is read: sparse files, hard links, special members, a volume's label."""
    place = tmp_path / "in"
    place.mkdir()
    with (place / "sparse").open("wb") as sparse:
        for at in range(0, 64 << 20, 1 << 20):
            sparse.seek(at)
            sparse.write(b"data")
    (place / "linked").hardlink_to(place / "sparse")
    (place / ("n" * 200)).write_bytes(b"long")
    for form in ("gnu", "pax", "oldgnu"):
        archive = tmp_path / f"{form}.tar"
        ran("tar", "--sparse", f"--format={form}", "--label=weekly", "-cf", str(archive), "-C", str(place), ".")
        wishes = Wishes(["sparse", "./linked", "n" * 200])
        with archive.open("rb") as file:
            found = examined(file, archive.name, "tar", wishes, stop())
        assert (found.damage, list(wishes.missing)) == ("", []), form
        assert found.members == (4 if form == "pax" else 5), form  # the label of pax is no member


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_compressed_archives(ending: str) -> None:
    """A tar within each compression is read to the end of both; other content to the end of the stream."""
    compress = COMPRESSIONS[ending]
    found = read(compress(a_tar()), f"backup.tar.{ending}")
    assert (found.damage, found.members) == ("", MEMBERS)
    assert found.format.endswith(" of tar")
    found = read(compress(DUMP), f"backup.sql.{ending}")
    assert (found.damage, found.format.endswith(" of sql"), found.members) == ("", True, None)
    found = read(compress(b"some bytes" * 1000), f"backup.{ending}")
    assert (found.damage, found.size) == ("", 10_000)
    twice = compress(a_tar()[:5000]) + compress(a_tar()[5000:])
    assert read(twice, f"b.tar.{ending}").members == MEMBERS  # streams may follow one another


@pytest.mark.parametrize("ending", COMPRESSIONS)
@given(data=st.data())
def test_no_cut_is_green(ending: str, data: st.DataObject) -> None:
    """Wherever a compressed tar ends too early, it is damaged."""
    whole = COMPRESSIONS[ending](a_tar())
    at = data.draw(st.integers(1, len(whole) - 1))
    assert read(whole[:at], f"backup.tar.{ending}").damage


@pytest.mark.parametrize("ending", COMPRESSIONS)
@given(data=st.data())
def test_no_flipped_bit_is_green(ending: str, data: st.DataObject) -> None:
    """One wrong byte is seen, unless nothing depends on it: what passes holds what it held."""
    whole = bytearray(COMPRESSIONS[ending](a_tar()))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    if whole_or_cause(bytes(whole), f"backup.tar.{ending}"):
        assert DECOMPRESSIONS[ending](bytes(whole)) == a_tar()


@given(at=st.integers(0, 20_000), to=st.binary(min_size=1, max_size=40))
def test_a_tar_cut_or_overwritten(at: int, to: bytes) -> None:
    """A tar that ends too early, or whose headers were written over, is damaged; data within it has no checksum."""
    whole = a_tar()
    at %= len(whole) - 1024
    cut = read(whole[:at], "b.tar") if at else None
    assert cut is None or cut.damage
    whole_or_cause(whole[:at] + to + whole[at + len(to) :], "b.tar")
    header = bytearray(whole)
    header[100] ^= 1
    assert read(bytes(header), "b.tar").damage


@given(st.binary(max_size=3000))
def test_anything_may_be_in_a_file(data: bytes) -> None:
    """Whatever is there, under whatever name, ends in damage or a cause, and never in a traceback."""
    leads = {
        "b.gz": b"\x1f\x8b\x08",
        "b.zip": b"PK\x03\x04",
        "b.zst": b"\x28\xb5\x2f\xfd",
        "b.xz": b"\xfd7zXZ\x00",
        "b.bz2": b"BZh9",
    }
    for name, lead in {**leads, "b.tar": b"", "b.sql": b"", "b": b""}.items():
        assert not whole_or_cause(lead + data, name)


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zips(compression: int) -> None:
    """Every member of a zip is read to its checksum; a cut one and a wrong byte are seen."""
    whole = a_zip(compression=compression)
    wishes = Wishes([*FILES, "gone"])
    found = read(whole, wishes=wishes)
    assert (found.format, found.damage, found.members) == ("zip", "", len(FILES))
    assert found.size == sum(map(len, FILES.values()))
    assert found.missing == ("gone",)
    assert read(whole[: len(whole) // 2]).damage
    assert read(whole[:-30]).damage
    broken = bytearray(whole)
    broken[len(whole) // 3] ^= 0xFF
    assert read(bytes(broken)).damage


def test_an_encrypted_zip_cannot_be_tested() -> None:
    """Nothing is said of what needs a password."""
    whole = bytearray(a_zip())
    whole[6] |= 1
    whole[whole.rfind(b"PK\x01\x02", 0, whole.find(b"PK\x01\x02") + 4) + 8] |= 1
    with pytest.raises(UntestableError, match="encrypted"):
        read(bytes(whole))


def test_a_zip_with_a_huge_directory() -> None:
    """A zip that says its directory is huge is not loaded."""
    whole = bytearray(a_zip())
    at = whole.rfind(b"PK\x05\x06") + 12
    whole[at : at + 4] = struct.pack("<L", 1 << 30)
    with pytest.raises(UntestableError) as caught:
        read(bytes(whole))
    assert caught.value.problem.reason == "too-large"


@pytest.mark.parametrize(
    "end",
    [
        b"-- PostgreSQL database dump complete\n--\n\n",
        b"-- PostgreSQL database dump complete\n--\n\n\\unrestrict abcDEF123\n\n",
        b"--\n-- PostgreSQL database cluster dump complete\n--\n\n",
        b"-- Dump completed on 2026-11-21  2:00:13\n",
        b"-- Dump completed\r\n",
    ],
)
def test_complete_dumps(end: bytes) -> None:
    """The last lines of pg_dump, pg_dumpall, mysqldump and mariadb-dump are known; without them it is cut off."""
    for head in (b"-- PostgreSQL database dump\n", b"-- MariaDB dump 10.19\n"):
        whole = head + b"INSERT INTO a VALUES (1);\n" * 400 + end
        assert read(whole, "b.sql").damage == ""
        assert "cut off" in read(whole[: -len(end)], "b.sql").damage
        assert read(whole + b"DROP TABLE a;\n", "b.sql").damage
        assert read(whole + bytes(512), "b.sql").damage


def test_names_and_beginnings() -> None:
    """What something is, its beginning says; what should be within, its name."""
    assert format_of(b"", "b.tar") == "tar"
    assert format_of(b"\x1f\x8b\x08", "b.zip") == "gzip"
    assert format_of(b"\x50\x2a\x4d\x18", "b") == "zstd"
    assert format_of(b"PGDMP\x01", "b.dump") == "pg_dump"
    assert format_of(b"hello", "b.dump") == ""
    assert [expected_inside(each) for each in ("a.tgz", "a.tar.zst", "a.sql.gz", "a.gz", "a.tar", "gz")] == [
        "tar", "tar", "sql", "", "", ""
    ]  # fmt: skip
    assert [plain_name(each) for each in ("./a", "././a/", "/", "")] == ["a", "a", ".", "."]
    assert "no tar" in read(gzip.compress(b"no tar at all" * 100), "b.tar.gz").damage
    with pytest.raises(UntestableError, match="unknown"):
        read(b"hello", "b.dump")


# --- hostile ones ------------------------------------------------------------------------------------


def _peak(work: Callable[[], object]) -> int:
    """Return how many bytes some work takes at most, in Python's own memory."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_bombs_take_no_memory(ending: str) -> None:
    """64 MB of zeros within some KB are read through, a chunk at a time."""
    bomb = COMPRESSIONS[ending](bytes(64 << 20))
    assert _peak(lambda: read(bomb, f"b.{ending}")) < 80 << 20


def test_a_bomb_in_a_zip_ends_in_time() -> None:
    """A zip that never ends is given up, not waited for."""
    bomb = a_zip({"zeros": bytes(64 << 20)})
    started = time.monotonic()
    with pytest.raises(GivenUpError):
        read(bomb, allowed=0.02)
    assert time.monotonic() - started < 5


def test_a_tar_with_a_huge_header() -> None:
    """A name or pax header of gigabytes is refused before it is read, a chain of sparse headers takes no memory."""
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        member = tarfile.TarInfo("big")
        member.type, member.size = kind, 4 << 30
        with pytest.raises(UntestableError, match="header of"):
            read(member.tobuf(tarfile.GNU_FORMAT) + bytes(4096), "b.tar")
    member = tarfile.TarInfo("sparse")
    member.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    block[482] = 1
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    more = bytes(504) + b"\1" + bytes(7)
    assert "ends" in read(bytes(block) + more * 2000, "b.tar").damage


@pytest.mark.parametrize(
    "records", [b"12 path=", b"0 path=a\n", b"99999999999999999999 a=b\n", b"xx", b"8 pathab\n"]
)
def test_damaged_pax_records(records: bytes) -> None:
    """Records that do not add up are damage, not a loop."""
    member = tarfile.TarInfo("pax")
    member.type, member.size = tarfile.XHDTYPE, len(records)
    with pytest.raises(DamagedError):
        _archives_tar.read_tar(
            io.BytesIO(member.tobuf() + records.ljust(512, b"\0") + bytes(1024)), Wishes(), stop()
        )


def test_streams_that_ask_for_memory() -> None:
    """A dictionary beyond the bound is refused, and said to be one."""
    header = lzma.compress(b"a", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}])
    block = bytearray(header)
    block[16] = 36  # the dictionary's size as 1 GiB
    block[20:24] = struct.pack("<L", zlib.crc32(bytes(block[12:20])))
    with pytest.raises(UntestableError) as caught:
        read(bytes(block), "b.xz")
    assert caught.value.problem.reason == "too-large"
    large = zstandard.ZstdCompressionParameters(window_log=30, compression_level=1)
    stream = zstandard.ZstdCompressor(compression_params=large).compressobj()
    data = stream.compress(b"abc" * 1000) + stream.flush()
    with pytest.raises(UntestableError) as caught:
        read(data, "b.zst")
    assert caught.value.problem.reason == "too-large"


def test_the_bounds_are_what_they_are_said_to_be() -> None:
    """Whoever changes a bound of memory changes what the documentation says of it."""
    assert _archives_streams.XZ_MEMORY == 256 << 20
    assert _archives_streams.ZSTD_WINDOW == 128 << 20
    assert _archives_zip.LARGEST_DIRECTORY == 16 << 20
    assert _archives_tar.LARGEST_HEADER == 1 << 20
    assert _archives_sql.TAIL == 4096
