"""The `logfile` probe on real files: what it counts, and what it refuses to call zero."""

import datetime as dt
import gzip
import os
import threading
import time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from opsconsole.checks import _logfiles, _logscan, logfile
from opsconsole.checks._process import run
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.calendar import window_between
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Moment, seconds
from support import logs
from support.judged import assert_declared, outcome
from support.logs import NOW, answered, at, busy, column, counts, log, options, problem, python_line, read, written

PATTERNS = {
    "critical": "CRITICAL:",
    "approvals": "Application approval failed",
    "reverted": "/Reverted application (status|state)/",
}


# --- what is counted ---------------------------------------------------------------------------------


async def test_patterns_within_the_last_hour(tmp_path: Path) -> None:
    """Each pattern is a number of its own, judged by its own limit, with its lines as evidence."""
    path = busy(tmp_path / "errors.log")
    reading = await read(path, patterns=PATTERNS, since="1 h", tail=3)
    assert counts(reading, "critical", "approvals", "reverted", "count") == [1, 2, 1, 3]
    assert outcome(reading, "approvals <= 3") is Outcome.PASS
    assert outcome(reading, "critical == 0") is Outcome.FAIL
    assert reading.measures["age"] == seconds(300)
    assert reading.measures["covered"] == seconds(3600)
    assert column(reading, "level") == ["ERROR".lower(), "error", "critical"]
    assert column(reading, "pattern") == ["approvals", "approvals", "critical, reverted"]
    assert column(reading, "time") == [Moment(at(minutes)) for minutes in (50, 40, 30)]
    titles = [each.title for each in reading.evidence]
    assert titles[1] == "entries with CRITICAL: (critical)"
    assert "Reverted application status of 9" in reading.evidence[1].text
    assert reading.evidence[-1].text.count("\n") == 2
    assert_declared(logfile.KIND, options(path, patterns=PATTERNS), reading)


async def test_a_second_run_says_the_same(tmp_path: Path) -> None:
    """Nothing is kept between two runs: whoever asks again gets the same answer."""
    path = busy(tmp_path / "errors.log")
    assert await read(path, patterns=PATTERNS) == await read(path, patterns=PATTERNS)
    assert os.listdir(tmp_path) == ["errors.log"]  # noqa: PTH208 - pathlib would block here, says another rule


async def test_nothing_found_is_a_pass_where_the_time_was_seen(tmp_path: Path) -> None:
    """A quiet log that covers the time looked at is green, and one that begins within it is not."""
    path = busy(tmp_path / "errors.log")
    assert (
        outcome(await read(path, patterns={"rolled": "rolled back"}, since="23 h"), "rolled == 0") is Outcome.PASS
    )
    late = await read(path, patterns={"rolled": "rolled back"}, since="30 h")
    assert outcome(late, "rolled == 0") is Outcome.ERROR
    assert outcome(late, "rolled < 5") is Outcome.ERROR
    assert "the least that there was" in late.evidence[0].text
    assert outcome(await read(path, patterns=PATTERNS, since="30 h"), "critical == 0") is not Outcome.PASS
    partial = await read(path, patterns={"rolled": "rolled back"}, since="30 h", partial=True)
    assert outcome(partial, "rolled == 0") is Outcome.PASS
    assert partial.measures["covered"] == seconds(86400)


@pytest.mark.parametrize(("level", "count"), [("info", 142), ("warning", 3), ("error", 3), ("critical", 1)])
async def test_severity(tmp_path: Path, level: str, count: int) -> None:
    """Entries of a severity and worse count, whatever they say."""
    reading = await read(busy(tmp_path / "a.log"), level=level, since="24 h")
    assert counts(reading, "count") == [count]
    assert outcome(reading, "count < 10") is (Outcome.PASS if count < 10 else Outcome.FAIL)


async def test_severity_and_pattern_together(tmp_path: Path) -> None:
    """A pattern counts only in entries of the severity asked for."""
    path = log(
        tmp_path / "a.log", [(90, "INFO", "x"), (9, "ERROR", "slow"), (8, "INFO", "slow"), (7, "WARN", "slow")]
    )
    assert counts(await read(path, patterns={"slow": "slow"}, level="warning", since="1 h"), "slow") == [2]


async def test_a_traceback_belongs_to_its_entry(tmp_path: Path) -> None:
    """An error is one entry, however long its traceback, and is found by what stands in it."""
    trace = 'Internal Server Error\nTraceback (most recent call last):\n  File "x.py"\ndjango.db.IntegrityError: no'
    path = log(tmp_path / "a.log", [(90, "INFO", "x"), (9, "ERROR", trace), (5, "INFO", "IntegrityError again")])
    reading = await read(path, patterns={"integrity": "IntegrityError", "both": r"/Server[\s\S]*IntegrityError/"})
    assert counts(reading, "count", "integrity", "both") == [2, 2, 1]
    assert column(reading, "message")[0].endswith("django.db.IntegrityError: no")


async def test_the_window_of_the_run(tmp_path: Path) -> None:
    """A weekly list looks at last week, and at nothing of this one."""
    path = log(tmp_path / "a.log", [(day * 1440, "ERROR", f"day {day}") for day in range(20, 0, -1)])
    monday = dt.date(2026, 11, 9)
    window = window_between(monday, monday + dt.timedelta(days=6), ZoneInfo("UTC"))
    reading = await read(path, logs.asked(window=window), since="window")
    days = [int(text.rsplit(" ", 1)[1]) for text in column(reading, "message")]
    assert days == [11, 10, 9, 8, 7, 6, 5]
    coming = window_between(dt.date(2026, 11, 23), dt.date(2026, 11, 29), ZoneInfo("UTC"))
    assert (await problem(path, logs.asked(window=coming), since="window")).reason == "too-early"
    assert (await problem(path, logs.asked(scheduled=None), since="scheduled")).reason == "no-schedule"
    assert counts(await read(path, logs.asked(scheduled=at(1500)), since="scheduled"), "count") == [1]


async def test_repeated_and_new_messages(tmp_path: Path) -> None:
    """The same error with other numbers is the same one; what was not there before is told."""
    lines = [(7000 - n, "ERROR", f"user {n} unknown") for n in range(30)]
    lines += [(1000 - n, "ERROR", f"user {n} unknown") for n in range(7)]
    lines += [(500, "ERROR", "disk 3 is gone"), (400, "ERROR", "disk 4 is gone")]
    path = log(tmp_path / "a.log", lines)
    reading = await read(path, level="error", show="messages", before="7 d", since="24 h", partial=True)
    assert counts(reading, "count", "repeated", "messages", "new") == [9, 7, 2, 1]
    assert column(reading, "message") == ["ERROR views user <n> unknown", "ERROR views disk <n> is gone"]
    assert column(reading, "new") == [False, True]
    assert outcome(reading, "repeated <= 10", "every count <= 10") is Outcome.PASS
    assert outcome(reading, "repeated <= 5") is Outcome.FAIL
    assert outcome(reading, "new == 0") is Outcome.FAIL
    assert "2 x ERROR views disk" in next(e.text for e in reading.evidence if "not there before" in e.title)
    assert_declared(logfile.KIND, options(path, show="messages", before="7 d"), reading)


async def test_new_where_nothing_is_known_of_before(tmp_path: Path) -> None:
    """A log without a past can show nothing to be new, and nothing not to be."""
    path = log(tmp_path / "a.log", [(100, "ERROR", "x"), (5, "ERROR", "y")])
    reading = await read(path, level="error", before="7 d", since="24 h", partial=True)
    assert reading.measures["new"] is None
    assert outcome(reading, "new == 0") is Outcome.ERROR


async def test_bursts(tmp_path: Path) -> None:
    """The worst hour counts wherever it begins, and the table shows each hour of the clock."""
    minutes = [600, *range(95, 65, -1), *range(65, 45, -1), 5]
    path = log(tmp_path / "a.log", [(each, "ERROR", "x") for each in minutes])
    reading = await read(path, level="error", since="9 h", show="hours")
    assert counts(reading, "count", "burst") == [51, 50]
    assert outcome(reading, "burst <= 20") is Outcome.FAIL
    assert [int(each.value) for each in column(reading, "count")] == [35, 16]
    assert_declared(logfile.KIND, options(path, show="hours"), reading)


async def test_a_silent_log(tmp_path: Path) -> None:
    """A logger that has stopped shows by the age of its last entry, whatever is counted."""
    path = log(tmp_path / "a.log", [(3000, "INFO", "x"), (300, "INFO", "y")])
    reading = await read(path, patterns=PATTERNS, since="1 h")
    assert outcome(reading, "critical == 0", "age < 1 h") is Outcome.FAIL
    assert outcome(reading, "critical == 0", "age < 6 h") is Outcome.PASS


async def test_the_newest_rows_are_shown_and_all_are_counted(tmp_path: Path) -> None:
    """Cut-off rows never stand for all of them; a rare pattern keeps its lines all the same."""
    lines = [(2000 - n, "ERROR", "rare" if n == 700 else f"often {n}") for n in range(1990)]
    path = log(tmp_path / "a.log", lines)
    reading = await read(path, patterns={"rare": "rare", "often": "often"}, since="24 h", rows=10)
    assert counts(reading, "rare", "often") == [1, 1429]
    assert len(reading.rows) == 10
    assert reading.truncated
    assert outcome(reading, "no message contains 'nothing'") is Outcome.ERROR
    assert "rare" in reading.evidence[1].text
    assert column(reading, "message")[-1].endswith("often 1989")


@pytest.mark.parametrize(
    ("patterns", "level"),
    [
        ({"a": "approval failed"}, ""),
        ({"a": "/approval (failed|lost)/"}, ""),
        ({"a": "approval failed", "b": "/Rever.ed/"}, ""),
        ({"a": "(", "b": "/x{3}|y/"}, ""),
        ({}, "error"),
    ],
)
@pytest.mark.parametrize("pack", [False, True])
async def test_the_command_shows_the_same(tmp_path: Path, patterns: dict[str, str], level: str, pack: bool) -> None:
    """What is copied out with the evidence shows the lines, also of compressed files."""
    path = tmp_path / "it's a.log"
    log(tmp_path / "it's a.log.1", [(90, "ERROR", "approval failed 1"), (80, "ERROR", "Reverted ( xxx")])
    if pack:
        logs.compressed(tmp_path / "it's a.log.1", "gz")
    log(path, [(70, "ERROR", "approval failed 2"), (60, "INFO", "quiet")])
    reading = await read(path, patterns=patterns, level=level, since="2 h", partial=True)
    done = await run(["sh", "-c", reading.command], timeout=10)
    assert done.returncode == 0
    assert sorted(done.stdout.decode().splitlines()) == sorted(column(reading, "message"))
    assert len(reading.rows) > 0


# --- rotated and compressed files --------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz", "zst"])
@pytest.mark.parametrize("name", ["app.log.1", "app.log-20261120", "app-20261120.log", "app.log.2026-11-20"])
async def test_rotated_files_belong_to_the_log(tmp_path: Path, name: str, kind: str) -> None:
    """The window goes on in what was rotated, however that is called and compressed."""
    rotated = log(tmp_path / name, [(n, "ERROR", "x") for n in range(300, 30, -1)])
    if kind:
        logs.compressed(rotated, kind)
    log(tmp_path / "app.log", [(n, "ERROR", "x") for n in range(30, 0, -1)])
    log(tmp_path / "app.log.conf", [(10, "ERROR", "no log")])
    log(tmp_path / "app.logger.1", [(10, "ERROR", "another log")])
    reading = await read(tmp_path / "app.log", level="error", since="1 h")
    assert counts(reading, "count") == [60]
    assert reading.lower_bounds == ()
    alone = await read(tmp_path / "app.log", level="error", since="1 h", rotated=False)
    assert counts(alone, "count") == [30]
    assert alone.lower_bounds


async def test_only_what_is_needed_is_read(tmp_path: Path) -> None:
    """Files of last week are not unpacked for the last hour, be they damaged."""
    for number_ in range(5, 0, -1):
        each = log(
            tmp_path / f"a.log.{number_}", [(1440 * number_ + n, "INFO", "x" * 50) for n in range(900, 0, -1)]
        )
        there = logs.compressed(each, "gz")
        whole = there.read_bytes()
        written(there, whole[: len(whole) // 2], at(1440 * number_))
    log(tmp_path / "a.log", [(n, "INFO", "x") for n in range(1440, 0, -1)])
    reading = await read(tmp_path / "a.log", since="1 h")
    assert counts(reading, "count") == [60]
    assert "a.log.1" not in reading.command
    found = await problem(tmp_path / "a.log", since="3 d")
    assert found.reason == "bad-answer"
    assert "cannot be unpacked" in found.cause


async def test_names_by_a_pattern(tmp_path: Path) -> None:
    """A log whose every file has a date in its name is named by a pattern."""
    for day in (2, 1, 0):
        log(tmp_path / f"app-{20 - day}.log", [(1440 * day + n, "ERROR", "x") for n in range(700, 0, -1)])
    reading = await read(tmp_path / "app-*.log", level="error", since="36 h", partial=True)
    assert counts(reading, "count") == [700 + 700]
    assert (await problem(tmp_path / "other-*.log")).reason == "not-found"


async def test_an_empty_live_file_after_a_rotation(tmp_path: Path) -> None:
    """Just after midnight the live file is empty, or not there yet, and the log is not."""
    log(tmp_path / "a.log.1", [(n, "ERROR", "x") for n in range(90, 0, -1)])
    written(tmp_path / "a.log", b"")
    for _ in range(2):
        reading = await read(tmp_path / "a.log", level="error", since="1 h")
        assert counts(reading, "count") == [60]
        assert reading.measures["age"] == seconds(60)
        (tmp_path / "a.log").unlink(missing_ok=True)
    assert "only what was rotated" in reading.evidence[0].text
    logs.compressed(tmp_path / "a.log.1", "gz")
    assert (await read(tmp_path / "a.log", level="error", since="1 h")).measures["age"] == seconds(60)


@pytest.mark.parametrize("way", ["copytruncate", "compressing", "half compressed", "hard link"])
async def test_nothing_is_counted_twice(tmp_path: Path, way: str) -> None:
    """Looked at in the middle of a rotation, when what is there is there twice."""
    path = log(tmp_path / "a.log", [(n, "ERROR", f"x {n}") for n in range(90, 0, -1)])
    data, changed = path.read_bytes(), at(1)
    match way:
        case "copytruncate":
            written(tmp_path / "a.log.1", data[: len(data) // 2 + 7], changed)
        case "hard link":
            os.link(path, tmp_path / "a.log.1")
        case _:
            written(tmp_path / "a.log.1", data, changed)
            written(path, b"", changed)
            gz = gzip.compress(data)
            written(tmp_path / "a.log.1.gz", gz[:20] if way == "half compressed" else gz, changed)
    reading = await read(path, level="error", since="1 h")
    assert counts(reading, "count") == [60]


async def test_a_truncated_log_that_begins_with_a_hole(tmp_path: Path) -> None:
    """A writer that goes on where it was after copytruncate leaves NULs, which are no garbage."""
    path = tmp_path / "a.log"
    with path.open("wb") as file:
        file.seek(1 << 31)
        file.write("".join(python_line(at(n), "ERROR", "x") + "\n" for n in range(90, 0, -1)).encode())
    os.utime(path, (NOW.timestamp(),) * 2)
    began = time.monotonic()
    assert counts(await read(path, level="error", since="1 h"), "count") == [60]
    assert counts(await read(path, patterns={"x": "views x"}, since="all"), "x") == [90]
    assert time.monotonic() - began < 3


async def test_rotation_while_it_is_read(tmp_path: Path) -> None:
    """A log that is rotated meanwhile is read whole, and once; or the answer is that it changes."""
    path = log(tmp_path / "a.log", [(n, "ERROR", f"x {n}") for n in range(90, 0, -1)])
    done = threading.Event()

    def rotate() -> None:
        for last in range(1, 40):
            for each in range(last, 1, -1):
                (tmp_path / f"a.log.{each - 1}").rename(tmp_path / f"a.log.{each}")
            path.rename(tmp_path / "a.log.1")
            path.touch()
            done.wait(0.005)

    thread = threading.Thread(target=rotate)
    thread.start()
    answers = []
    while thread.is_alive():
        answers.append(await _count_or_reason(path))
    thread.join()
    assert answers
    assert set(answers) <= {60, "changing"}
    assert await _count_or_reason(path) == 60


async def _count_or_reason(path: Path) -> int | str:
    try:
        return counts(await read(path, level="error", since="1 h"), "count")[0]
    except ProbeError as error:
        return error.problem.reason


def test_truncated_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """copytruncate in the middle of a reading: it is read again, and the copy has it all."""
    path = log(tmp_path / "a.log", [(n, "ERROR", f"x {n}") for n in range(90, 0, -1)])
    whole, scans = path.read_bytes(), []
    original = _logscan.Scan._scan

    def truncating(scan: _logscan.Scan, part: _logfiles.Part) -> None:
        scans.append(part.path)
        if len(scans) == 1:
            written(tmp_path / "a.log.1", whole, at(1))
            os.truncate(path, 0)
        original(scan, part)

    monkeypatch.setattr(_logscan.Scan, "_scan", truncating)
    assert answered(path)["count"] == 60
    assert scans == [str(path), str(tmp_path / "a.log.1")]


def test_truncated_and_written_again_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it has grown again over what was read, its first lines tell; that it goes on changing is an error."""
    path = log(tmp_path / "a.log", [(n, "ERROR", f"x {n}") for n in range(90, 0, -1)])
    original = _logscan.Scan._scan

    def overwriting(scan: _logscan.Scan, part: _logfiles.Part) -> None:
        original(scan, part)
        log(path, [(n, "ERROR", f"{time.monotonic_ns()} {n}") for n in range(200, 0, -1)])

    monkeypatch.setattr(_logscan.Scan, "_scan", overwriting)
    assert answered(path)["problem"][0] == "changing"


# --- time zones --------------------------------------------------------------------------------------


async def test_the_zone_of_times_without_an_offset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same stamps mean other instants in another zone; that of the host is taken where none is named."""
    there = ZoneInfo("America/Chicago")
    local = NOW.astimezone(there)
    text = "".join(f"{local - dt.timedelta(minutes=n):%Y-%m-%d %H:%M:%S} x\n" for n in range(90, 0, -1))
    path = written(tmp_path / "a.log", text.encode())
    assert counts(await read(path, timezone="America/Chicago", since="1 h"), "count") == [60]
    monkeypatch.setenv("TZ", "America/Chicago")
    reading = await read(path, timezone="local", since="1 h")
    assert counts(reading, "count") == [60]
    assert "those without an offset in America/Chicago" in reading.evidence[0].text
    ahead = await problem(path, timezone="America/Denver", since="1 h")
    assert ahead.reason == "future"
    assert "timezone" in ahead.hint
    behind = await read(path, timezone="UTC", since="1 h")
    assert counts(behind, "count") == [0]
    assert "if its times are of another zone" in behind.evidence[0].text
    assert outcome(behind, "age < 1 h") is Outcome.FAIL


@pytest.mark.parametrize(("minutes", "count"), [(30, 30), (60, 60), (90, 90), (150, 150)])
async def test_the_night_when_the_clock_is_put_back(tmp_path: Path, minutes: int, count: int) -> None:
    """The hour that comes twice is counted right, for the place in the file tells which it is."""
    there = ZoneInfo("America/Chicago")
    now = dt.datetime(2026, 11, 1, 8, 15, tzinfo=dt.UTC)
    text = "".join(
        f"{(now - dt.timedelta(minutes=n)).astimezone(there):%Y-%m-%d %H:%M:%S} x\n" for n in range(600, 0, -1)
    )
    path = written(tmp_path / "a.log", text.encode(), now)
    reading = await read(path, logs.asked(now=now), timezone="America/Chicago", since=f"{minutes} min")
    assert counts(reading, "count") == [count]
    assert "came twice" not in reading.evidence[0].text


async def test_an_hour_that_nothing_tells_apart(tmp_path: Path) -> None:
    """A single entry of the doubtful hour counts where either may be meant, and that is said."""
    now = dt.datetime(2026, 11, 1, 7, 45, tzinfo=dt.UTC)
    path = written(tmp_path / "a.log", b"2026-10-31 20:00:00 x\n2026-11-01 01:30:00 x\n", now)
    reading = await read(path, logs.asked(now=now), timezone="America/Chicago", since="30 min")
    assert counts(reading, "count") == [1]
    assert "1 entries are of an hour that came twice" in reading.evidence[0].text


# --- options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({}, "", ""),
        ({"patterns": PATTERNS, "since": "window", "before": "7 d", "format": "%d.%m.%Y %H:%M"}, "", ""),
        ({"path": "app.log"}, "path", "no absolute path"),
        ({"patterns": {"Critical": "x"}}, "patterns", "no name for a condition"),
        ({"patterns": {"count": "x"}}, "patterns", "already means something"),
        ({"patterns": {"baseline": "x"}}, "patterns", "already means something"),
        ({"patterns": {"a": ""}}, "patterns", "looks for nothing"),
        ({"patterns": {"a": "x\ny"}}, "patterns", "more than one line"),
        ({"patterns": {"a": "/(/"}}, "patterns", "no regular expression"),
        ({"patterns": {f"p{n}": "x" for n in range(51)}}, "patterns", "50 at most"),
        ({"since": "1m"}, "since", "minutes or months"),
        ({"since": "0 s"}, "since", "nothing lies within"),
        ({"since": "yesterday"}, "since", "'window'"),
        ({"since": "all", "before": "7 d"}, "before", "nothing is before the whole log"),
        ({"before": "0 s"}, "before", "nothing lies within"),
        ({"format": "syslogg"}, "format", "there are iso"),
        ({"format": "%Q"}, "format", "not understood"),
        ({"timezone": "Mars/Olympus"}, "timezone", "no time zone"),
    ],
)
def test_options_are_checked_when_a_checklist_is_loaded(changes: dict[str, Any], key: str, message: str) -> None:
    """Names, patterns, times and formats that mean nothing are lint errors, not red mornings."""
    problems = logfile.KIND.validate(options(**({"path": "/var/log/app.log"} | changes)))
    assert [each for each, _ in problems] == ([key] if key else [])
    assert not key or message in problems[0][1]
