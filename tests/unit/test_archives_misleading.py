"""Backups that every program takes for whole, and are not: what a half-written one may look like."""

import gzip
import io
import lzma
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from opsconsole.checks._archives import Examined, UntestableError, Wishes, examined, format_of
from opsconsole.checks._archives_sqlite import examined_sqlite, unmerged
from support.filing import FILES, a_tar, a_zip, ran, stop

PG_DUMP = b"PGDMP\x01\x0e" + b"x" * 500


def read(data: bytes, name: str) -> Examined:
    """Test an archive that is in memory."""
    return examined(io.BytesIO(data), name, format_of(data[:1024], name), Wishes(), stop())


def _nested() -> bytes:
    """Return the beginning of a zip that ends right behind a zip which it holds."""
    inner = a_zip({"inner": b"inner" * 100})
    outer = a_zip({"first": b"1" * 5000, "inner.zip": inner, "last": b"2" * 5000}, zipfile.ZIP_STORED)
    return outer[: outer.find(inner) + len(inner)]


CLUSTER = b"--\n-- PostgreSQL database cluster dump\n--\n\n"
DATABASE = b"--\n-- PostgreSQL database dump\n--\nSELECT 1;\n--\n-- PostgreSQL database dump complete\n--\n\n"
SANDBOX = b"/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19  Distrib 10.11.14-MariaDB\n"

MISLEADING: dict[str, tuple[str, bytes, str]] = {
    "the directory is that of a zip within": ("b.zip", _nested(), "begins with a member"),
    "a second zip behind it": ("b.zip", a_zip() + a_zip({"second": b"2"}), "begins with a member"),
    "half of a second zip behind it": ("b.zip", a_zip() + a_zip({"second": b"2" * 9000})[:-40], "follow"),
    "a zip of nothing": ("b.zip", a_zip({}), "nothing in it"),
    "blocks of zeros, as a power failure leaves": ("b.tar", bytes(1 << 20), "nothing in it"),
    "compressed zeros": ("b.tar.gz", gzip.compress(bytes(10240)), "nothing in it"),
    "half of a second tar behind it": ("b.tar", a_tar() + a_tar()[:5000], "behind its end mark"),
    "two compressed tars": ("b.tgz", gzip.compress(a_tar()) * 2, "behind its end mark"),
    "what a failed dump left to be compressed": ("b.dump.gz", gzip.compress(b""), "nothing in it"),
    "the same, by zstd": ("b.zst", zstandard.compress(b""), "nothing in it"),
    "a compressed database of another kind": ("b.sqlite.gz", gzip.compress(b"hello"), "no sqlite in it"),
    "the first of several databases": ("all.sql", CLUSTER + DATABASE, "cut off"),
    "the same, compressed": ("all.sql.gz", gzip.compress(CLUSTER + DATABASE), "cut off"),
    "the first lines of MariaDB's dump": ("nightly.gz", gzip.compress(SANDBOX + b"SELECT 1;\n"), "cut off"),
}


@pytest.mark.parametrize("what", MISLEADING)
def test_what_is_not_whole_is_damaged(what: str) -> None:
    """A backup that ends where it seems to end, and lacks what was to follow, is never green."""
    name, data, damage = MISLEADING[what]
    assert damage in read(data, name).damage


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("b.zip", a_zip() + bytes(512)),
        ("b.zip", b"#!/bin/sh\nexit\n" + a_zip()),
        ("b.tar", a_tar() + bytes(9 * 512)),
        ("all.sql", CLUSTER + DATABASE * 2 + b"--\n-- PostgreSQL database cluster dump complete\n--\n\n"),
        ("nightly", SANDBOX + b"SELECT 1;\n-- Dump completed on 2026-11-21  2:00:13\n"),
        ("b.tar.zst", b"\x50\x2a\x4d\x18\5\0\0\0hello" + zstandard.compress(a_tar())),
    ],
    ids=["padded zip", "extracts itself", "padded tar", "cluster", "MariaDB", "skippable frame"],
)
def test_what_is_whole_passes(name: str, data: bytes) -> None:
    """What extracts itself, is padded, or has a skippable frame, is as whole as any."""
    assert read(data, name).damage == ""


def test_a_zip_with_a_comment() -> None:
    """The comment at the end belongs to it; without a part of it, it was cut off."""
    made = io.BytesIO(a_zip())
    with zipfile.ZipFile(made, "a") as archive:
        archive.comment = b"nightly of the inventory"
    assert read(made.getvalue(), "b.zip").damage == ""
    assert read(made.getvalue()[:-3], "b.zip").damage


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, zstandard.compress])
def test_what_is_hidden_in_a_stream_is_not_said_to_be_whole(compress: Callable[[bytes], bytes]) -> None:
    """A dump that broke off and was compressed all the same is a whole stream; so nothing is said of it."""
    for content in (PG_DUMP, a_zip(), gzip.compress(b"more")):
        with pytest.raises(UntestableError, match="only the compression"):
            read(compress(content), "b.gz")


def test_a_compressed_database_has_the_length_that_it_says(tmp_path: Path) -> None:
    """Of SQLite in a stream the length is known; more is not, and that is told."""
    with sqlite3.connect(tmp_path / "b.sqlite") as database:
        database.execute("CREATE TABLE orders AS SELECT randomblob(5000) AS it")
    database.close()
    whole = (tmp_path / "b.sqlite").read_bytes()
    found = read(gzip.compress(whole), "b.sqlite.gz")
    assert (found.format, found.damage, found.size) == ("gzip of sqlite", "", len(whole))
    assert "length" in found.unseen
    for cut in (60, 4096, len(whole) - 1):
        assert "bytes" in read(gzip.compress(whole[:cut]), "b.sqlite.gz").damage


def test_a_stream_without_a_checksum_is_told() -> None:
    """xz may leave the checksum out, as zstd may; of other content only the stream was seen."""
    assert not read(lzma.compress(a_tar(), check=lzma.CHECK_NONE), "b.tar.xz").checked
    assert read(lzma.compress(a_tar()), "b.tar.xz").checked
    assert "only the compression" in read(gzip.compress(b"some text"), "b.gz").unseen
    assert read(gzip.compress(a_tar()), "b.tar.gz").unseen == ""


def test_sparse_files_keep_their_long_names(tmp_path: Path) -> None:
    """A sparse file is found by its own name, not by the one that pax hides it under."""
    name = "/".join(["a-directory-with-a-rather-long-name"] * 6) + "/sparse"
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.seek(1 << 20)
        file.write(b"data")
    for form in ("--format=gnu", *(f"--sparse-version={each}" for each in ("0.0", "0.1", "1.0"))):
        ran(
            "tar", "--sparse", "--format=pax", form, "-cf", str(tmp_path / "b.tar"), "-C", str(tmp_path / "in"), "."
        )
        wishes = Wishes([name])
        with (tmp_path / "b.tar").open("rb") as file_:
            found = examined(file_, "b.tar", "tar", wishes, stop())
        assert (found.damage, list(wishes.missing)) == ("", []), form


# --- SQLite ------------------------------------------------------------------------------------------


def test_a_journal_beside_a_database(tmp_path: Path) -> None:
    """A copy made in the middle of a transaction needs its journal; one that was finished with says nothing."""
    path = tmp_path / "b.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders AS SELECT 1 AS it")
    database.close()
    journal = tmp_path / "b.sqlite-journal"
    for content in (b"", bytes(512)):  # journal_mode = truncate, persist
        journal.write_bytes(content)
        assert unmerged(str(path), stop()) == ""
    journal.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504))
    assert "-journal" in unmerged(str(path), stop())


def test_what_only_the_application_knows(tmp_path: Path) -> None:
    """A database whose indexes need a function of the application's is not damaged: it cannot be tested here."""
    path = tmp_path / "b.sqlite"
    with sqlite3.connect(path) as database:
        database.create_function("ours", 1, lambda value: value, deterministic=True)
        database.create_collation("own", lambda one, other: (one > other) - (one < other))
        database.execute("CREATE TABLE orders (it COLLATE own)")
        database.execute("INSERT INTO orders VALUES (1), (2)")
        database.execute("CREATE INDEX by_function ON orders (ours(it))")
    database.close()
    with pytest.raises(UntestableError, match="ours"):
        examined_sqlite(str(path), path.name, Wishes(), stop())


def test_zips_of_more_than_four_gigabytes_say_where_their_directory_is() -> None:
    """The record of zip64 is found, and believed no more than the directory itself."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in FILES.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
    whole = made.getvalue()
    at = whole.rfind(b"PK\x05\x06")
    directory, size = whole.find(b"PK\x01\x02"), at - whole.find(b"PK\x01\x02")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, len(FILES), len(FILES), size, directory)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert read(whole[:at] + record + locator + end, "b.zip").members == len(FILES)
    assert read(whole[:at] + record[:-1] + locator + end, "b.zip").damage
    with pytest.raises(UntestableError):
        read(whole[:at] + record + end, "b.zip")
