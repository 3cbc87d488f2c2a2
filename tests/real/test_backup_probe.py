"""Backups as real programs make them: fresh, kept, whole and complete ones are green, and nothing else is."""

import contextlib
import datetime as dt
import gzip
import json
import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _archives_kept, backup
from opsconsole.checks._archives_kept import dated_by_name, dates_without, manifest
from opsconsole.checks.backup import BackupOptions
from opsconsole.contracts.probe import ProbeError
from opsconsole.demo.binaries import find_programs
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from support.filing import (
    DAY,
    FILES,
    HOUR,
    a_tar,
    a_zip,
    as_nobody,
    no_backup,
    of_backup,
    plain,
    problem,
    ran,
    stop,
    until,
    written,
)
from support.judged import outcome
from support.postgres import Postgres, open_directory

UTC = ZoneInfo("UTC")
PROGRAMS = find_programs().postgres.parent
PG_RESTORE = str(PROGRAMS / "pg_restore")
NAMES = tuple(FILES)


def values(reading: Reading) -> dict[str, Any]:
    """Return the measures as plain values."""
    return {name: plain(value) for name, value in reading.measures.items()}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Make ten daily backups that grow a little, the newest of this night."""
    for day in range(10):
        written(tmp_path / f"qbr-{day}.tar", a_tar() + bytes(512 * (10 - day)), age=day * DAY + 2 * HOUR)
    return tmp_path


# --- which are kept ----------------------------------------------------------------------------------


async def test_backups_are_kept(kept: Path) -> None:
    """Number, ages, sizes and gaps of what is kept, judged either way."""
    reading = await of_backup(kept, pattern="qbr-*.tar")
    seen = values(reading)
    assert (seen["count"], seen["gaps"]) == (10, 0)
    assert 2 * HOUR - 5 < seen["newest"] < 2 * HOUR + 60
    assert DAY - 5 < seen["longest_gap"] < DAY + 5
    assert seen["size"] > seen["smallest"]
    assert 100 < seen["relative_size"] < 110
    assert [plain(row[0]) for row in reading.rows][:2] == ["qbr-0.tar", "qbr-1.tar"]
    green = ["newest < 1 d", "count >= 7", "oldest >= 9 d", "oldest < 11 d", "gaps == 0", "longest_gap < 26 h",
             "relative_size >= 80%", "smallest > 10 kB", "size within 10% of smallest",
             "every size > 10 kB"]  # fmt: skip
    red = ["newest < 1 h", "count >= 14", "oldest >= 30 d", "oldest < 7 d", "gaps > 0", "longest_gap < 12 h",
           "relative_size <= 90%", "size > 1 MB", "total < 1 kB", "every age < 1 d"]  # fmt: skip
    assert {each: outcome(reading, each) for each in green} == dict.fromkeys(green, Outcome.PASS)
    assert {each: outcome(reading, each) for each in red} == dict.fromkeys(red, Outcome.FAIL)


async def test_a_date_without_a_backup(kept: Path) -> None:
    """A date that has none is named; with `days` those before the oldest count too, and today never."""
    (kept / "qbr-3.tar").unlink()
    reading = await of_backup(kept, pattern="qbr-*.tar")
    assert outcome(reading, "gaps == 0") is Outcome.FAIL
    assert values(reading)["gaps"] == 1
    assert "Dates without a backup: 20" in reading.evidence[0].text
    assert values(await of_backup(kept, pattern="qbr-*.tar", days=2))["gaps"] == 0
    assert values(await of_backup(kept, pattern="qbr-*.tar", days=30))["gaps"] >= 20


async def test_a_backup_that_shrank(kept: Path) -> None:
    """The newest is compared with the median of those before, so that one bad day does not shift it."""
    written(kept / "qbr-0.tar", a_tar()[:2000], age=HOUR)
    written(kept / "qbr-1.tar", b"", age=DAY)
    reading = await of_backup(kept, pattern="qbr-*.tar")
    assert outcome(reading, "relative_size >= 80%") is Outcome.FAIL
    alone = await of_backup(kept, pattern="qbr-0.tar")
    assert outcome(alone, "relative_size >= 80%") is Outcome.ERROR
    assert outcome(alone, "longest_gap < 2 d") is Outcome.ERROR


async def test_no_backup_at_all(tmp_path: Path) -> None:
    """An empty directory has none, and nothing of it is green; one that is not there is an error."""
    reading = await of_backup(tmp_path, pattern="*.dump", checksum=True, test=True)
    assert outcome(reading, "count >= 1") is Outcome.FAIL
    for condition in ("newest < 1 d", "gaps == 0", "checksum == 'ok'", "archive == 'ok'", "size > 0 B"):
        assert outcome(reading, condition) is Outcome.ERROR
    assert (await no_backup(tmp_path / "gone")).problem.reason == "not-found"


async def test_dates_in_names(tmp_path: Path) -> None:
    """The date in the name counts where it is said to, whatever became of the file since it was copied."""
    now = dt.datetime.now(ZoneInfo("America/Chicago"))
    for back in range(5):
        written(tmp_path / f"db-{now - dt.timedelta(days=back):%Y-%m-%d}.dump", b"x" * 100)
    written(tmp_path / "SHA256SUMS", b"not a backup, and without a date")
    reading = await of_backup(tmp_path, dated="name")
    assert 4 * DAY - 2 * HOUR <= values(reading)["oldest"] <= 5 * DAY + 2 * HOUR
    assert values(reading)["gaps"] == 0
    assert values(await of_backup(tmp_path))["oldest"] < HOUR
    written(tmp_path / "latest.dump")
    error = await no_backup(tmp_path, dated="name")
    assert "latest.dump has no date" in error.problem.cause


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("qbr-2026-11-21.dump", "2026-11-21T00:00:00+00:00"),
        ("qbr_20261121_0230.tar.gz", "2026-11-21T02:30:00+00:00"),
        ("20261121T023015Z.sql", "2026-11-21T02:30:15+00:00"),
        ("a/2025.01.01/b.2026.11.21", "2026-11-21T00:00:00+00:00"),
        ("db-2026-11-21_02-30-15.zip", "2026-11-21T02:30:15+00:00"),
        ("db-2026-02-30.zip", None),
        ("db-120261121.zip", None),
        ("latest.zip", None),
    ],
)
def test_dates_that_are_recognised(name: str, expected: str | None) -> None:
    """Usual ways to write a date and time in a name are read; what is no date is none."""
    found = dated_by_name(name, UTC)
    assert (None if found is None else dt.datetime.fromtimestamp(found, UTC).isoformat()) == expected


@given(st.text(max_size=60))
def test_any_name_may_be_there(name: str) -> None:
    """A name has a date or none, and never a traceback."""
    dated_by_name(name, ZoneInfo("America/Chicago"))


def test_dates_are_local() -> None:
    """What was made at 03:00 UTC is of the evening before in Chicago."""
    entry = _archives_kept.Backup("b", dt.datetime(2026, 11, 20, 3, tzinfo=UTC).timestamp(), None)  # type: ignore[arg-type]
    now = dt.datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert dates_without([entry], 0, now, UTC) == []
    assert dates_without([entry], 0, now, ZoneInfo("America/Chicago")) == [dt.date(2026, 11, 20)]
    assert dates_without([], 0, now, UTC) is None
    assert dates_without([], 2, now, UTC) == [dt.date(2026, 11, 19), dt.date(2026, 11, 20)]


@pytest.mark.parametrize("made", [2.0**33, 2.0**40, -(2.0**40), 2.0**60], ids=str)
def test_dates_that_cannot_be(made: float) -> None:
    """A backup of a clock that went wrong is of no date: without another one it is not known which lack one."""
    now = dt.datetime.now(UTC)
    entry = _archives_kept.Backup("b", made, None)  # type: ignore[arg-type]
    assert dates_without([entry], 0, now, UTC) is None
    assert len(dates_without([entry], 2, now, UTC) or ()) == 2


async def test_a_backup_of_the_future(tmp_path: Path) -> None:
    """It is told, and neither the age of the newest nor the dates without one are known."""
    written(tmp_path / "b.tar", a_tar(), age=-40 * DAY)
    reading = await of_backup(tmp_path)
    assert "dated in the future" in reading.evidence[0].text
    for condition in ("newest < 1 d", "gaps == 0"):
        assert outcome(reading, condition) is Outcome.ERROR


async def test_what_is_still_being_copied_is_no_backup(tmp_path: Path) -> None:
    """By the names that programs give to what is not finished; the newest is the last that is."""
    written(tmp_path / "b-1.tar", a_tar(), age=DAY)
    unfinished = [".b-2.tar.Xy12Ab", "b-2.tar.part", "b-2.tar.partial", "b-2.TMP", "b-2.tar.filepart", "b-2.tar~"]
    for name in unfinished:
        written(tmp_path / name, a_tar()[:700])
    reading = await of_backup(tmp_path, test=True)
    assert values(reading)["count"] == 1
    assert outcome(reading, "newest < 2 h") is Outcome.FAIL
    assert outcome(reading, "archive == 'ok'") is Outcome.PASS
    assert "Not finished, by their names, and not counted: .b-2.tar.Xy12Ab, b-2.TMP" in reading.evidence[0].text
    assert values(await of_backup(tmp_path, pattern=["*.tmp", "*.TMP"]))["count"] == 1  # asked for by that name
    assert values(await of_backup(tmp_path, pattern=".b-*"))["count"] == 1


async def test_a_link_to_the_latest(tmp_path: Path) -> None:
    """Where links are followed, one that leads to another backup is not one more; one that leads elsewhere is."""
    for day in range(3):
        written(tmp_path / "kept" / f"b-{day}.tar", a_tar(), age=day * DAY)
    (tmp_path / "kept" / "b-latest.tar").symlink_to("b-0.tar")
    (tmp_path / "kept" / "b-previous.tar").symlink_to(tmp_path / "kept" / "b-latest.tar")
    assert values(await of_backup(tmp_path / "kept", pattern="b-*.tar", follow=True))["count"] == 3
    assert values(await of_backup(tmp_path / "kept", pattern="b-latest.tar", follow=True))["count"] == 1
    (tmp_path / "kept" / "b-9.tar").symlink_to(written(tmp_path / "elsewhere.tar", a_tar(), age=9 * DAY))
    assert values(await of_backup(tmp_path / "kept", pattern="b-*.tar", follow=True))["count"] == 4
    assert values(await of_backup(tmp_path / "kept", pattern="b-*.tar"))["count"] == 3


def test_a_closed_directory_below() -> None:
    """A place that cannot be entered may hold the newest one: nothing of freshness and sizes is known."""
    with open_directory() as place:
        written(place / "b" / "one.tar", a_tar(), mode=0o644)
        closed = written(place / "b" / "closed" / "two.tar").parent
        (place / "b").chmod(0o755)
        closed.chmod(0)
        reading = as_nobody(lambda: of_backup(place / "b", recursive=True, test=True))
        closed.chmod(0o755)
    for condition in (
        "newest < 1 d",
        "count < 9",
        "size > 0 B",
        "archive == 'ok'",
        "every size > 0 B",
        "gaps == 0",
    ):
        assert outcome(reading, condition) is Outcome.ERROR
    assert outcome(reading, "count >= 1") is Outcome.PASS
    assert "this user may not read it" in reading.evidence[0].text


# --- checksums ---------------------------------------------------------------------------------------


async def test_checksums(kept: Path) -> None:
    """The newest ones match what was written for them; a wrong byte, and a checksum that is not there, fail."""
    reading = await of_backup(kept, pattern="*.tar", checksum=True)
    assert values(reading)["checksum"] == "absent"
    written(kept / "SHA256SUMS", ran("sha256sum", *(f"qbr-{day}.tar" for day in range(10)), cwd=kept))
    green = await of_backup(kept, checksum=True, verify=10)
    assert outcome(green, "checksum == 'ok'", "every checksum == 'ok'", "count == 10") is Outcome.PASS
    assert outcome(await of_backup(kept, checksum=True), "every checksum == 'ok'") is Outcome.ERROR  # one was read
    third = kept / "qbr-2.tar"
    written(third, third.read_bytes()[:-1] + b"X", age=2 * DAY)
    red = await of_backup(kept, checksum=True, verify=3)
    assert outcome(red, "checksum == 'ok'") is Outcome.FAIL
    assert "qbr-2.tar: sha256 is another than that in" in red.evidence[1].text
    assert outcome(await of_backup(kept, checksum=True), "checksum == 'ok'") is Outcome.PASS
    (kept / "SHA256SUMS").unlink()
    os.mkfifo(kept / "SHA256SUMS")
    assert (await no_backup(kept, pattern="*.tar", checksum=True)).problem.reason == "bad-answer"


# --- archives ----------------------------------------------------------------------------------------


def _sqlite(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT)")
        database.executemany("INSERT INTO orders (name) VALUES (?)", [("x" * 50,)] * 2000)
    database.close()


ARCHIVES: dict[str, Callable[[Path], object]] = {
    "b.tar": lambda path: path.write_bytes(a_tar()),
    "b.tar.gz": lambda path: path.write_bytes(gzip.compress(a_tar())),
    "b.tgz": lambda path: path.write_bytes(a_tar(mode="w:gz")),
    "b.tar.xz": lambda path: path.write_bytes(a_tar(mode="w:xz")),
    "b.tar.bz2": lambda path: path.write_bytes(a_tar(mode="w:bz2")),
    "b.tar.zst": lambda path: path.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(a_tar())),
    "b.zip": lambda path: path.write_bytes(a_zip()),
    "b.sqlite": _sqlite,
}


@pytest.mark.parametrize("name", ARCHIVES)
async def test_archives(tmp_path: Path, name: str) -> None:
    """A whole archive passes; the same cut off, emptied, or with a wrong byte in the middle does not."""
    path = tmp_path / name
    ARCHIVES[name](path)
    whole = path.read_bytes()
    wanted = ["orders"] if name == "b.sqlite" else [*NAMES]
    green = await of_backup(tmp_path, test=True, contains=wanted)
    assert (
        outcome(green, "archive == 'ok'", "members >= 1", "missing == 0", "every archive == 'ok'") is Outcome.PASS
    )
    assert " is whole" in green.evidence[-1].text
    incomplete = await of_backup(tmp_path, test=True, contains=[*wanted, "gone.sql"])
    assert outcome(incomplete, "missing == 0") is Outcome.FAIL
    assert incomplete.evidence[-1].text == "gone.sql"
    damages = {"cut": whole[: len(whole) * 2 // 3], "empty": b""}
    if name not in {"b.tar", "b.sqlite"}:  # whose data has no checksum
        damages["wrong"] = (
            whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 0x55]) + whole[len(whole) // 2 + 1 :]
        )
    if name == "b.sqlite":
        damages["wrong"] = whole[:4096] + b"\xff" * 4096 + whole[8192:]
    for damage, content in damages.items():
        path.write_bytes(content)
        red = await of_backup(tmp_path, test=True, contains=wanted)
        assert outcome(red, "archive == 'ok'") is Outcome.FAIL, damage
        assert outcome(red, "missing == 0") is Outcome.ERROR
        assert outcome(red, "members >= 1") is Outcome.ERROR
        assert "is damaged: " in red.evidence[1].text


async def test_data_without_a_checksum(tmp_path: Path) -> None:
    """Where a wrong byte may pass, the evidence says so."""
    for name, content, told in (("a.tar", a_tar(), True), ("b.tar.zst", zstandard.compress(a_tar()), True),
                                ("c.tar.gz", gzip.compress(a_tar()), False)):  # fmt: skip
        written(tmp_path / name, content)
        reading = await of_backup(tmp_path, pattern=name, test=True)
        assert ("no checksum of their own" in reading.evidence[1].text) is told


async def test_what_nobody_can_test(tmp_path: Path) -> None:
    """An unknown format, an encrypted zip, and what has no list of its parts are errors with a cause."""
    path = written(tmp_path / "b.dump", b"who knows what this is")
    error = await no_backup(tmp_path, test=True)
    assert (error.problem.reason, "unknown" in error.problem.cause) == ("bad-answer", True)
    path.write_bytes(gzip.compress(b"some bytes"))
    assert values(await of_backup(tmp_path, test=True))["format"] == "gzip"
    error = await no_backup(tmp_path, test=True, contains=["a"])
    assert "has no list of what is in it" in error.problem.cause
    path.unlink()
    os.mkfifo(tmp_path / "b.fifo")
    assert values(await of_backup(tmp_path, test=True))["count"] == 0


async def test_sqlite_is_not_touched(tmp_path: Path) -> None:
    """Nothing is written beside a database that is tested; a write-ahead log beside it is told."""
    path = tmp_path / "b.sqlite"
    _sqlite(path)
    before = path.read_bytes()
    await of_backup(tmp_path, test=True)
    assert os.listdir(tmp_path) == ["b.sqlite"]  # noqa: PTH208 - only the names
    assert path.read_bytes() == before
    written(tmp_path / "b.sqlite-wal", b"pages")
    assert "write-ahead log" in (await no_backup(tmp_path, pattern="*.sqlite", test=True)).problem.cause


def test_a_backup_that_may_not_be_read() -> None:
    """It is there, and it may be fresh; that it is whole cannot be said."""
    with open_directory() as place:
        written(place / "b" / "b.tar", a_tar(), mode=0)
        (place / "b").chmod(0o755)
        reading = as_nobody(lambda: of_backup(place / "b"))
        assert outcome(reading, "newest < 1 d") is Outcome.PASS
        for options in ({"test": True}, {"checksum": True}):
            more: dict[str, Any] = options
            (place / "b" / "b.tar.sha256").write_text("ab" * 32)
            error = as_nobody(lambda: no_backup(place / "b", pattern="*.tar", **more))  # noqa: B023 - waited for
            assert error.problem.reason == "no-permission"


async def test_a_backup_that_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that grows while it is read is neither whole nor damaged yet."""
    path = written(tmp_path / "b.tar", a_tar())
    real = os.scandir

    def growing(place: str) -> Any:
        found = list(real(place))
        for each in found:
            each.stat(follow_symlinks=False)
        path.write_bytes(a_tar() + bytes(512))
        return contextlib.nullcontext(found)

    monkeypatch.setattr(os, "scandir", growing)
    error = await no_backup(tmp_path, test=True)
    assert "was written to while it was read" in error.problem.cause


# --- dumps of PostgreSQL -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dumps(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Dump a real database in each format."""
    name = postgres.create_database(
        "CREATE TABLE orders AS SELECT g AS id, md5(g::text) AS hash FROM generate_series(1, 20000) g;\n"
        "CREATE TABLE people (id int PRIMARY KEY); INSERT INTO people VALUES (1);\n"
    )
    formats = {"c": "b.dump", "t": "b.tar", "p": "b.sql"}
    found = {}
    for letter, file in formats.items():
        place = tmp_path_factory.mktemp("dumps") / file
        command = [str(PROGRAMS / "pg_dump"), f"--format={letter}", f"--file={place}", postgres.dsn(name)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        found[file] = place.read_bytes()
    return found


async def test_dumps_of_postgresql(dumps: dict[str, bytes], tmp_path: Path) -> None:
    """pg_dump's own format is read to its end, tables with data are told; what `--list` alone lets pass is not."""
    path = written(tmp_path / "b.dump", dumps["b.dump"])
    options: dict[str, Any] = {"test": True, "pg_restore": PG_RESTORE}
    green = await of_backup(tmp_path, **options, contains=["public.orders", "public.people"])
    assert outcome(green, "archive == 'ok'", "format == 'pg_dump'", "missing == 0", "members >= 4") is Outcome.PASS
    assert outcome(await of_backup(tmp_path, **options, contains=["public.gone"]), "missing == 0") is Outcome.FAIL
    cut = dumps["b.dump"][: len(dumps["b.dump"]) * 3 // 4]
    path.write_bytes(cut)
    assert b"TABLE DATA" in ran(PG_RESTORE, "--list", str(path))
    for content in (cut, dumps["b.dump"][:200], b"PGDMP"):
        path.write_bytes(content)
        assert outcome(await of_backup(tmp_path, **options), "archive == 'ok'") is Outcome.FAIL


async def test_pg_restore_that_is_missing_or_too_old(dumps: dict[str, bytes], tmp_path: Path) -> None:
    """Without the program, or with one of an older version, it is an error that says so."""
    written(tmp_path / "b.dump", dumps["b.dump"])
    error = await no_backup(tmp_path, test=True, pg_restore="pg_restore-of-nowhere")
    assert error.problem.reason == "missing-program"
    newer = bytearray(dumps["b.dump"])
    newer[6] = 99
    written(tmp_path / "b.dump", bytes(newer))
    error = await no_backup(tmp_path, test=True, pg_restore=PG_RESTORE)
    assert "cannot be read by this pg_restore" in error.problem.cause


async def test_other_dumps_of_postgresql(dumps: dict[str, bytes], tmp_path: Path) -> None:
    """A dump as tar is one; a dump in SQL is whole where its last line is there, plain or compressed."""
    written(tmp_path / "b.tar", dumps["b.tar"])
    assert outcome(await of_backup(tmp_path, test=True, contains=["toc.dat"]), "missing == 0") is Outcome.PASS
    (tmp_path / "b.tar").unlink()
    for name, pack in (("b.sql", bytes), ("b.sql.gz", gzip.compress)):
        path = written(tmp_path / name, pack(dumps["b.sql"]))
        assert outcome(await of_backup(tmp_path, test=True), "archive == 'ok'") is Outcome.PASS
        path.write_bytes(pack(dumps["b.sql"][:-200]))
        assert outcome(await of_backup(tmp_path, test=True), "archive == 'ok'") is Outcome.FAIL
        path.unlink()


async def test_a_program_that_does_not_end(dumps: dict[str, bytes], tmp_path: Path) -> None:
    """A pg_restore that hangs is stopped in time."""
    written(tmp_path / "b.dump", dumps["b.dump"])
    program = written(tmp_path / "bin" / "hang", b"#!/bin/sh\nexec sleep 30\n", mode=0o755)
    began = time.monotonic()
    error = await no_backup(tmp_path, test=True, pg_restore=str(program), seconds=0.5)
    assert (error.problem.reason, time.monotonic() - began < 5) == ("timeout", True)


# --- manifests ---------------------------------------------------------------------------------------


async def test_manifests(tmp_path: Path) -> None:
    """A list as JSON or text says what must be in the archive, or lie in the directory with content."""
    written(tmp_path / "in" / "b.zip", a_zip())
    shapes = (
        json.dumps(NAMES), json.dumps({"files": NAMES}), json.dumps({"files": [{"path": each} for each in NAMES]}),
        "# all of them\n" + "\n".join(f"./{each}" for each in NAMES) + "\n\n",
    )  # fmt: skip
    for shape in shapes:
        listed = written(tmp_path / "manifest", shape.encode())
        reading = await of_backup(tmp_path / "in", test=True, manifest=str(listed))
        assert outcome(reading, "missing == 0") is Outcome.PASS
    listed.write_text("\n".join([*NAMES, "new.csv"]))
    assert (
        outcome(await of_backup(tmp_path / "in", test=True, manifest=str(listed)), "missing == 0") is Outcome.FAIL
    )
    for name, content in FILES.items():
        written(tmp_path / "tree" / name, content)
    listed.write_text("\n".join(NAMES))
    options: dict[str, Any] = {"manifest": str(listed), "listed_in": "directory", "recursive": True}
    empty = await of_backup(tmp_path / "tree", **options)
    assert empty.evidence[-1].text == "data/empty"
    written(tmp_path / "tree" / "data/empty", b"no more")
    assert outcome(await of_backup(tmp_path / "tree", **options), "missing == 0") is Outcome.PASS
    listed.write_text("../../etc/passwd")
    assert "not below" in (await no_backup(tmp_path / "tree", **options)).problem.cause


@pytest.mark.parametrize(
    "content", [b"", b"# nothing\n", b"[]", b"{}", b"[1, 2]", b'{"files": 3}', b"[", b'[{"a": 1}]']
)
async def test_manifests_that_say_nothing(tmp_path: Path, content: bytes) -> None:
    """A list of nothing proves nothing."""
    written(tmp_path / "b.zip", a_zip())
    listed = written(tmp_path / "list" / "manifest", content)
    assert (await no_backup(tmp_path, test=True, manifest=str(listed))).problem.reason == "bad-answer"
    assert (await no_backup(tmp_path, test=True, manifest=f"{listed}.gone")).problem.reason == "not-found"


@given(st.binary(max_size=200))
def test_anything_may_be_in_a_manifest(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever is in it, there are names or a cause."""
    path = written(tmp_path_factory.getbasetemp() / "manifest", content)
    try:
        assert manifest(str(path), stop())
    except ProbeError as error:
        assert error.problem.cause  # noqa: PT017 - either is right


# --- time, bounds and mistakes -----------------------------------------------------------------------


async def test_reading_ends_in_time(tmp_path: Path) -> None:
    """A backup too large for the time is an error that says what was being read, and the reading ends."""
    path = tmp_path / "b.sql.gz"
    path.write_bytes(gzip.compress(bytes(16 << 20)) * 1000)  # 16 GB of zeros
    before = threading.active_count()
    error = await no_backup(tmp_path, test=True, seconds=0.2)
    assert error.problem.reason == "timeout"
    assert "testing b.sql.gz" in error.problem.cause
    await until(lambda: threading.active_count() <= before)
    with path.open("wb") as sparse:
        sparse.truncate(1 << 40)
    written(tmp_path / "SHA256SUMS", f"{'ab' * 32}  b.sql.gz\n".encode())
    error = await no_backup(tmp_path, checksum=True, seconds=0.2)
    assert "reading b.sql.gz for its checksum" in error.problem.cause
    await until(lambda: threading.active_count() <= before)


async def test_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with more files than backups can be asks for a pattern."""
    monkeypatch.setattr(backup, "MOST_KEPT", 3)
    for each in range(5):
        written(tmp_path / str(each), age=each)
    assert (await no_backup(tmp_path)).problem.reason == "too-large"


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"path": "relative"}, "path"),
        ({"path": "/a", "pattern": ""}, "pattern"),
        ({"path": "/a", "exclude": ["/x"]}, "exclude"),
        ({"path": "/a", "checksum_file": "/x"}, "checksum_file"),
        ({"path": "/a", "checksum": True, "checksum_file": "x"}, "checksum_file"),
        ({"path": "/a", "manifest": "/x"}, "manifest"),
        ({"path": "/a", "contains": ["x"]}, "contains"),
        ({"path": "/a", "contains": [""], "test": True}, "contains"),
        ({"path": "/a", "contains": ["../x"], "listed_in": "directory"}, "contains"),
        ({"path": "/a", "listed_in": "directory"}, "listed_in"),
        ({"path": "/a", "pg_restore": ""}, "pg_restore"),
    ],
)
async def test_mistakes_in_options(options: dict[str, Any], key: str) -> None:
    """Each is told with its key before anything is measured."""
    asked = msgspec.convert(options, BackupOptions)
    assert [each for each, _ in backup.KIND.validate(asked)] == [key]
    assert (await problem(backup.KIND, asked)).problem.reason == "bad-options"
