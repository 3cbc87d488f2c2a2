"""The `logfile` probe on logs that would have it pass unseen: what it did not see is said, and never green."""

import datetime as dt
import errno
import os
import random
import subprocess
import time
from pathlib import Path

import pytest

from opsconsole.model.calendar import Window
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from support import logs
from support.judged import outcome
from support.logs import NOW, answered, at, compressed, counts, log, packed, problem, python_line, read, written

ERRORS = {"x": "views x"}


def _lines(first: float, last: float, step: float, text: str = "x", level: str = "ERROR") -> str:
    """Return entries from `first` to `last` minutes ago."""
    return "".join(
        python_line(at(first - n * step), level, text) + "\n" for n in range(int((first - last) / step) + 1)
    )


def _sure(reading: Reading) -> bool:
    """Return whether the counts are said to be all there was."""
    return not reading.lower_bounds and not reading.truncated


# --- which files are read ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["", "gz"])
async def test_writers_side_by_side(tmp_path: Path, kind: str) -> None:
    """Files of several writers that a pattern names are all read, whichever of them began last."""
    one = log(tmp_path / "app-1.log", [(n, "ERROR", "x") for n in range(300, 4, -1)])
    log(tmp_path / "app-2.log", [(n, "INFO", "quiet") for n in range(200, 0, -10)])
    if kind:
        compressed(one, kind)
    reading = await read(tmp_path / "app-*.log*", since="1 h", patterns=ERRORS)
    assert counts(reading, "x") == [56]
    assert outcome(reading, "age < 6 min") is Outcome.PASS


async def test_the_newest_of_writers_side_by_side(tmp_path: Path) -> None:
    """The age is that of the newest entry of all files, not of the file that began last."""
    log(tmp_path / "app-1.log", [(n, "INFO", "x") for n in range(300, 0, -1)])
    log(tmp_path / "app-2.log", [(n, "INFO", "x") for n in range(200, 100, -1)])
    reading = await read(tmp_path / "app-*.log", since="1 h")
    assert outcome(reading, "age <= 1 min") is Outcome.PASS


@pytest.mark.parametrize(("names", "sure"), [((1, 2, 3), True), ((1, 3), False), ((2, 3), False), ((1, 2), True)])
@pytest.mark.parametrize("kind", ["", "gz"])
async def test_a_rotated_file_is_missing(tmp_path: Path, names: tuple[int, ...], sure: bool, kind: str) -> None:
    """A gap in the numbers of rotated files is a hole in what was seen, where it lies in the time looked at."""
    path = log(tmp_path / "a.log", [(n, "INFO", "x") for n in range(90, 0, -1)])
    for number in names:
        begins = 100 * (number + 1) - 10
        rotated = log(tmp_path / f"a.log.{number}", [(n, "INFO", "y") for n in range(begins, begins - 100, -1)])
        if kind and number > 1:
            compressed(rotated, kind)
    reading = await read(path, since=f"{100 * max(names) + 80} min", patterns={"bad": "views bad"})
    assert _sure(reading) is sure
    assert outcome(reading, "bad == 0") is (Outcome.PASS if sure else Outcome.ERROR)
    assert ("is missing, so" in reading.evidence[0].text) is not sure
    assert _sure(await read(path, since="30 min", patterns={"bad": "views bad"}))


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
@pytest.mark.parametrize("cut", [1, 9, 5000])
async def test_a_compressed_file_that_ends_early(tmp_path: Path, kind: str, cut: int) -> None:
    """Half of a compressed file is no count of the whole, whatever it was compressed by."""
    text = "".join(python_line(at(300 - n / 50), "ERROR", f"x {n * 7919 % 100_003}") + "\n" for n in range(10_000))
    data = packed(text.encode(), kind)
    written(tmp_path / f"a.log.1.{kind}", data[:-cut], at(100))
    log(tmp_path / "a.log", [(n, "INFO", "y") for n in range(90, 0, -1)])
    found = await problem(tmp_path / "a.log", since="200 min", patterns=ERRORS)
    assert found.reason == "bad-answer"


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
async def test_compressed_files_one_after_another(tmp_path: Path, kind: str) -> None:
    """What was appended to a compressed file as a second one is read, too."""
    parts = [_lines(200, 151, 1), _lines(150, 100, 1)]
    written(tmp_path / f"a.log.1.{kind}", b"".join(packed(each.encode(), kind) for each in parts), at(100))
    log(tmp_path / "a.log", [(n, "INFO", "y") for n in range(90, 0, -1)])
    assert counts(await read(tmp_path / "a.log", since="180 min", patterns=ERRORS), "x") == [81]


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
async def test_an_empty_file_that_was_compressed(tmp_path: Path, kind: str) -> None:
    """logrotate rotates empty files, too (`ifempty`): they hold nothing, and nothing is missing."""
    written(tmp_path / f"a.log.1.{kind}", packed(b"", kind), at(10))
    log(tmp_path / "a.log.2", [(n, "INFO", "y") for n in range(3000, 100, -1)])
    log(tmp_path / "a.log", [(n, "ERROR", "x") for n in range(9, 0, -1)])
    reading = await read(tmp_path / "a.log", since="24 h", patterns=ERRORS)
    assert counts(reading, "x") == [9]
    assert _sure(reading)


# --- the order of time -------------------------------------------------------------------------------


@pytest.mark.parametrize("begins", [15, 40, 100, 400, 900])
@pytest.mark.parametrize("back", [10, 30, 200])
def test_a_clock_that_was_put_back(tmp_path: Path, begins: int, back: int) -> None:
    """Where the clock jumped back, what was written before the jump is not lost to bisection."""
    pad = "y" * 300
    before = _lines(1440, begins, 0.25, f"x {pad}")
    after = _lines(begins + back, 0.25, 0.25, f"x {pad}")
    path = written(tmp_path / "a.log", (before + after).encode(), at(0))
    for window in (10, 20, 60, 120, 500):
        naive = sum(1 for n in _minutes(1440, begins) + _minutes(begins + back, 0.25) if n <= window)
        assert answered(path, level="", since=f"{window} min")["count"] == naive, (begins, back, window)


def _minutes(first: float, last: float) -> list[float]:
    return [first - n * 0.25 for n in range(int((first - last) / 0.25) + 1)]


def test_two_writers_with_two_clocks(tmp_path: Path) -> None:
    """Entries of two clocks an hour apart, one line of each in turns, are all found."""
    pad = "y" * 300
    lines = [
        "".join(python_line(at(n / 2 + back), "ERROR", f"x {pad}") + "\n" for back in (0, 180))
        for n in range(4000, 0, -1)
    ]
    path = written(tmp_path / "a.log", "".join(lines).encode(), at(0))
    assert answered(path, level="", since="1 h")["count"] == 120
    assert answered(path, level="", since="4 h")["count"] == 600


# --- what an entry is --------------------------------------------------------------------------------


async def test_two_formats_in_one_file(tmp_path: Path) -> None:
    """The requests and the errors of a web server in one file are entries each, with a severity of their own."""
    lines = []
    for n in range(900, 0, -1):
        lines.append(f'192.0.2.7 - - [{at(n / 10):%d/%b/%Y:%H:%M:%S} +0000] "GET /ERROR HTTP/1.1" 200 17 "-" "x"\n')
        if n % 100 == 0:
            lines.append(f"[{at(n / 10):%Y-%m-%d %H:%M:%S} +0000] [71] [ERROR] Exception\nTraceback\n  boom\n")
    path = written(tmp_path / "a.log", "".join(lines).encode())
    reading = await read(path, level="error", since="1 h")
    assert counts(reading, "count") == [6]
    assert counts(await read(path, since="1 h"), "count") == [606]


async def test_a_log_that_changed_its_format(tmp_path: Path) -> None:
    """Since an upgrade the times are written otherwise: the newest entries count for themselves."""
    old = "".join(f"{at(n):%b %d %H:%M:%S} host app[7]: fine\n" for n in range(2000, 30, -1))
    new = "".join(f"{at(n):%Y-%m-%dT%H:%M:%S}+00:00 host app[7]: failed\n" for n in range(30, 0, -1))
    path = written(tmp_path / "a.log", (old + new).encode())
    reading = await read(path, since="10 min", patterns={"failed": "failed"})
    assert counts(reading, "failed") == [10]


async def test_lines_without_times_after_the_last_entry(tmp_path: Path) -> None:
    """What was written an hour after the last time in the file is not taken for having been written then."""
    text = _lines(3000, 100, 10, "started", "INFO") + "ERROR: disk full\n" * 5
    path = written(tmp_path / "a.log", text.encode(), at(2))
    reading = await read(path, since="1 h", patterns={"full": "disk full"})
    assert outcome(reading, "full == 0") in {Outcome.ERROR, Outcome.FAIL}
    assert "without" in reading.evidence[0].text
    quiet = written(tmp_path / "b.log", text.encode(), at(100))
    assert outcome(await read(quiet, since="1 h", patterns={"full": "disk full"}), "full == 0") is Outcome.PASS


async def test_a_crash_that_left_nuls(tmp_path: Path) -> None:
    """After a power failure a file may have NULs in the middle of a line: what follows them is an entry."""
    torn = python_line(at(70), "INFO", "half a li").encode() + bytes(3000)
    path = written(tmp_path / "a.log", _lines(90, 70, 1).encode() + torn + _lines(50, 1, 1).encode())
    reading = await read(path, since="1 h", level="error")
    assert counts(reading, "count") == [50]


async def test_a_byte_order_mark(tmp_path: Path) -> None:
    """A mark before the first entry does not hide its time."""
    text = b"\xef\xbb\xbf" + _lines(50, 50, 1).encode()
    path = written(tmp_path / "a.log", text)
    assert counts(await read(path, since="1 h", patterns=ERRORS), "x") == [1]
    written(tmp_path / "b.log.1.gz", packed(text, "gz"), at(50))
    written(tmp_path / "b.log", _lines(30, 10, 1).encode())
    assert counts(await read(tmp_path / "b.log", since="1 h", patterns=ERRORS), "x") == [22]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
async def test_wide_characters(tmp_path: Path, encoding: str) -> None:
    """A text whose every other byte is a NUL cannot be searched, so nothing found in it is no pass."""
    path = written(tmp_path / "a.log", _lines(50, 1, 1).encode(encoding))
    for since in ("1 h", "all"):
        found = await problem(path, since=since, patterns=ERRORS)
        assert found.reason == "bad-answer"
        assert "UTF-" in found.cause
    written(tmp_path / "b.log.1.gz", packed(_lines(50, 1, 1).encode(encoding), "gz"))
    assert (await problem(tmp_path / "b.log", since="all", patterns=ERRORS)).reason == "bad-answer"


@pytest.mark.parametrize("pattern", ["zurückgesetzt", "/zur(ü|ue)ckgesetzt/"])
async def test_the_letters_of_latin_1(tmp_path: Path, pattern: str) -> None:
    """A word with an umlaut is found in UTF-8 and in what older programs write."""
    text = _lines(50, 31, 1, "zurückgesetzt").encode() + _lines(30, 1, 1, "zurückgesetzt").encode("latin-1")
    path = written(tmp_path / "a.log", text)
    assert counts(await read(path, since="1 h", patterns={"reset": pattern}), "reset") == [50]


async def test_priorities_among_words(tmp_path: Path) -> None:
    """An entry whose severity is a number is found in a file whose other entries name it by a word."""
    filler = _lines(1440, 61, 0.5, "y" * 80, "INFO")
    numbered = "".join(f"<3>{at(n):%Y-%m-%dT%H:%M:%SZ} broken\n" for n in range(50, 40, -1))
    path = written(tmp_path / "a.log", (filler + numbered + _lines(39, 0.5, 0.05, "y" * 80, "INFO")).encode())
    assert counts(await read(path, since="1 h", level="error"), "count") == [10]


@pytest.mark.parametrize("digits", [10, 13, 16, 19])
async def test_epochs_of_any_precision(tmp_path: Path, digits: int) -> None:
    """Seconds, milli-, micro- and nanoseconds since 1970 are told apart by their length."""
    stamps = [f"{int(at(n).timestamp())}".ljust(digits, "0") for n in range(90, 0, -1)]
    plain = written(tmp_path / "a.log", "".join(f"{each} failed\n" for each in stamps).encode())
    assert counts(await read(plain, since="1 h", patterns={"failed": "failed"}), "failed") == [60]
    objects = written(tmp_path / "b.log", "".join(f'{{"ts":{each},"msg":"failed"}}\n' for each in stamps).encode())
    assert counts(await read(objects, since="1 h", patterns={"failed": "failed"}), "failed") == [60]


async def test_a_time_cut_off_where_it_was_looked_for(tmp_path: Path) -> None:
    """Wherever bisection's reading ends, a time is read whole or not at all: an offset is not left out."""
    line = "{:%Y-%m-%dT%H:%M:%S}-11:00 {}\n"
    for width in range(8150, 8200):
        text = "".join(line.format(at(n) - dt.timedelta(hours=11), "y" * width) for n in range(70, 0, -1))
        path = written(tmp_path / "a.log", text.encode())
        assert answered(path, level="", since="1 h")["count"] == 60, width


def test_bursts_are_told_to_the_second(tmp_path: Path) -> None:
    """Ten errors within fifty-nine minutes and twenty seconds are ten within an hour."""
    lines = [(100 - n / 600, "ERROR", "x") for n in range(5)] + [(100 - 59 - 20 / 60, "ERROR", "x")] * 5
    path = log(tmp_path / "a.log", [(150, "INFO", "y"), *lines, (1, "INFO", "y")])
    assert answered(path, since="120 min")["burst"] == 10


async def test_a_window_that_ended_behind_a_long_entry(tmp_path: Path) -> None:
    """An entry of two megabytes near the end of the time looked at does not make it end sooner."""
    text = _lines(1440, 63, 1) + python_line(at(62), "ERROR", "x" + "y" * (3 << 20)) + "\n"
    text += _lines(61, 58, 0.001, "x") + _lines(50, 1, 1)
    path = written(tmp_path / "a.log", text.encode())
    window = Window(at(88).date(), at(58).date(), begins_at=at(88), ends_at=at(58))
    reading = await read(path, logs.asked(window=window), since="window", patterns=ERRORS)
    assert counts(reading, "x")[0] == 26 + 1 + 3000
    assert not _sure(reading), "the long entry was not searched whole"


async def test_the_turns_of_years(tmp_path: Path) -> None:
    """A leap day and the turn of a year are read right in logs without years."""
    now = dt.datetime(2028, 3, 1, 12, tzinfo=dt.UTC)
    text = "".join(f"{at(n * 60, now):%b %d %H:%M:%S} host app: x\n" for n in range(2000, 0, -1))
    path = written(tmp_path / "a.log", text.encode(), now)
    assert counts(await read(path, logs.asked(now=now), since="30 d"), "count") == [720]
    new_year = dt.datetime(2027, 1, 1, 0, 30, tzinfo=dt.UTC)
    text = "".join(f"{at(n, new_year):%b %d %H:%M:%S} host app: x\n" for n in range(200, 0, -1))
    path = written(tmp_path / "b.log", text.encode(), new_year)
    assert counts(await read(path, logs.asked(now=new_year), since="1 h"), "count") == [60]


async def test_files_that_say_the_same(tmp_path: Path) -> None:
    """Two files of the same few lines without times are no copy of each other: both count."""
    for name, lines in (("a.log.2", 2), ("a.log.1", 4), ("a.log", 3)):
        written(tmp_path / name, b"starting\nFAILED\n" * lines)
    assert counts(await read(tmp_path / "a.log", since="all", patterns={"bad": "FAILED"}), "bad") == [9]


@pytest.mark.parametrize(
    ("pattern", "arguments"),
    [
        ("took 1", ["-F", "-e", "took 1"]),
        ("zurück", ["-F", "-e", "zurück"]),
        ("/took [0-9]+7 s$/", ["-P", "-e", "took [0-9]+7 s$"]),
        ("/^ERROR.*(lost|gone)/", ["-P", "-e", "^ERROR.*(lost|gone)"]),
        (r"/(?i)\bLOST\b/", ["-P", "-e", r"(?i)\bLOST\b"]),
    ],
)
def test_as_many_as_grep_finds(tmp_path: Path, pattern: str, arguments: list[str]) -> None:
    """Over the live, the rotated and the compressed files it counts what zgrep counts."""
    draw = random.Random(5)
    words = ["lost", "gone", "zurück", "Lost it", "all lost.", "fine", "took 17 s", "took 1", "took 1977 s"]
    for name, first in (("a.log.3", 4000), ("a.log.2", 3000), ("a.log.1", 2000), ("a.log", 1000)):
        levels = ["INFO", "ERROR"]
        entries = [(first - n, draw.choice(levels), " ".join(draw.choices(words, k=3))) for n in range(1000)]
        path = log(tmp_path / name, entries)
        if name in {"a.log.2", "a.log.3"}:
            compressed(path, "gz")
    files = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run(
        ["zgrep", "-h", *arguments, *files],
        capture_output=True,
        check=True,
        timeout=30,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    answer = answered(tmp_path / "a.log", level="", since="all", patterns={"x": pattern})
    assert answer["patterns"]["x"] == len(done.stdout.splitlines()) > 0


async def test_a_hole_of_a_terabyte(tmp_path: Path) -> None:
    """What a file holds behind a hole that takes for ever to read is an error in time, and no zero."""
    path = tmp_path / "a.log"
    with path.open("wb") as file:
        file.write(_lines(3000, 100, 1).encode())
        file.seek(1 << 40)
        file.write(b"\n" + _lines(90, 1, 1).encode())
    os.utime(path, (NOW.timestamp(),) * 2)
    began = time.monotonic()
    found = await problem(path, logs.asked(timeout=1.0), since="1 h", patterns=ERRORS)
    assert found.reason == "timeout"
    assert time.monotonic() - began < 10


def test_a_file_of_a_server_that_went_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file handle that became stale on the way is an error, be it after half of the file."""
    path = log(tmp_path / "a.log", [(n, "ERROR", "x" * 2000) for n in range(90, 0, -1)])
    original, calls = os.pread, 0

    def stale(descriptor: int, length: int, at_: int) -> bytes:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise OSError(errno.ESTALE, "Stale file handle")
        return original(descriptor, length, at_)

    monkeypatch.setattr(os, "pread", stale)
    reason, cause, _ = answered(path)["problem"]
    assert (reason, "Stale" in cause) == ("failed", True)
