"""Taking a log apart by blocks finds what reading it line by line finds."""

import datetime as dt
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.checks import _logentries, _logplaces, _logsearch
from opsconsole.checks._logentries import Chunks, Selection, entries
from opsconsole.checks._logfiles import Part
from opsconsole.checks._logplaces import end_of, in_order, is_whole, last_entry, place_of
from opsconsole.checks._logsearch import Literal
from opsconsole.checks._logtimes import Lines, Zone, formats

(ISO,) = formats("iso", Zone(dt.UTC))
_WORDS = st.sampled_from(["ERROR", "failed", "a b", "x", "", "  File", "ann", "12", "aab", "é"])
_LINES = st.lists(
    st.tuples(st.booleans(), st.lists(_WORDS, max_size=4).map(" ".join)), min_size=1, max_size=30
).map(lambda lines: [("2026-11-20 08:00:00 " if timed else "") + text for timed, text in lines])
PATTERNS = {
    "literal": "failed",
    "short": "a",
    "word": r"/fail\w+/",
    "led": "/a+b?/",
    "perhaps": "/ERRORx?/",
    "times": "/a{0,2}b/",
    "either": "/ann|12/",
    "line": "/^ERROR/",
    "end": "/x$/",
    "space": r"/ERROR\s+a/",
    "across": r"/ERROR[\s\S]*ann/",
    "not": r"/ERROR(?! a)/",
    "first": r"/\A2026/",
    "accent": "/[éü]/",
    "group": r"/(a)\1/",
    "any": "/x .$/",
    "letters": r"/^\w+ \w+ x|ann é\b/",
    "capitals": "/(?i)É|error x/",
    "others": r"/\W\W/",
}


def _blocks(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def _plainly(lines: list[str]) -> list[str]:
    """Return the entries by the plainest of means."""
    found: list[str] = []
    for line in lines:
        if found and not line.startswith("2026"):
            found[-1] += line + "\n"
        else:
            found.append(line + "\n")
    return found


def _holds(entry: str, pattern: str) -> bool:
    if pattern.startswith("/"):
        return re.search(pattern[1:-1], entry.removesuffix("\n"), re.MULTILINE) is not None
    return pattern in entry


@given(_LINES, st.integers(1, 90))
def test_chunks_hold_whole_entries(lines: list[str], size: int) -> None:
    """Wherever a block ends, a traceback stays with the entry before."""
    data = "".join(line + "\n" for line in lines).encode()
    chunks = list(Chunks(_blocks(data, size), ISO))
    assert b"".join(chunks) == data
    found = [chunk[start:end].decode() for chunk in chunks for start, end in entries(chunk, ISO.head)]
    assert found == _plainly(lines)


@settings(max_examples=200)
@given(_LINES, st.integers(20, 400), st.sets(st.sampled_from(sorted(PATTERNS)), min_size=1))
def test_patterns_are_found_as_entry_by_entry(lines: list[str], size: int, names: set[str]) -> None:
    """The swift search of whole blocks counts what a search of each entry counts."""
    data = "".join(line + "\n" for line in lines).encode()
    wanted = {name: PATTERNS[name] for name in sorted(names)}
    selection = Selection(wanted)
    found = [
        (chunk[start:end].decode(), which)
        for chunk in Chunks(_blocks(data, size), ISO)
        for start, end, which in selection.spans(chunk, ISO.head)
    ]
    plainly = [
        (entry, frozenset(n for n, each in wanted.items() if _holds(entry, each))) for entry in _plainly(lines)
    ]
    assert found == [(entry, which) for entry, which in plainly if which]


@given(st.binary(max_size=60), st.binary(min_size=1, max_size=3), st.integers(0, 60), st.integers(0, 3))
def test_the_rarest_byte_leads_to_the_same_places(data: bytes, text: bytes, start: int, most: int) -> None:
    """However a text is searched for, and after however many misses, it is found where it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_logsearch, "_RARE", 1)
        patch.setattr(_logsearch, "_MOST_MISSES", most)
        literal = Literal(text)
        for whole in (data, data + text, text[:1] * 5 + data + text):
            assert literal.find(whole, start) == whole.find(text, start)


def test_lines_without_times_are_entries(tmp_path: Path) -> None:
    """Where no times are known, each line counts for itself."""
    chunks = list(Chunks(_blocks(b"one\ntwo\n\nthree", 5), Lines()))
    found = [chunk[start:end] for chunk in chunks for start, end in entries(chunk, Lines().head)]
    assert found == [b"one\n", b"two\n", b"\n", b"three"]


@given(st.integers(1, 60), st.booleans())
def test_the_rest_of_a_long_entry_is_passed_over(size: int, ended: bool) -> None:
    """A line without end costs no memory, is counted as cut, and what follows it is seen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_logentries, "LONGEST", 100)
        after = b"\n2026-11-20 08:00:01 after\n" if ended else b""
        data = b"2026-11-20 08:00:00 begin " + b"y" * 1000 + after
        chunks = Chunks(_blocks(data, size), ISO)
        found = list(chunks)
    assert chunks.cut == 1
    assert max(map(len, found)) <= 161
    assert b"".join(found).endswith(b"after\n" if ended else b"yyy")


def _written(path: Path, seconds: list[int]) -> Part:
    begin = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    lines = (f"{begin + dt.timedelta(seconds=each):%Y-%m-%d %H:%M:%S} {'y' * 40}\n  more\n" for each in seconds)
    path.write_text("".join(lines))
    return Part(str(path), os.open(path, os.O_RDONLY), path.stat())


@given(st.lists(st.integers(0, 80_000), min_size=1, max_size=60).map(sorted), st.integers(-10, 80_010))
@settings(max_examples=50)
def test_bisection_leaves_nothing_out(tmp_path_factory: pytest.TempPathFactory, at: list[int], wanted: int) -> None:
    """All that was written at or after an instant is behind the place that is found."""
    part = _written(tmp_path_factory.mktemp("log") / "a.log", at)
    instant = dt.datetime(2026, 11, 20, tzinfo=dt.UTC).timestamp() + wanted
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_logplaces, "_NEAR", 128)
        place = place_of(part, ISO, instant, [])
    size = len(f"2026-11-20 00:00:00 {'y' * 40}\n  more\n")
    before = sum(1 for each in at if each < wanted)
    assert place <= before * size
    assert before * size - place <= 128 + (1 + _logplaces._FEW) * size, "cost follows the window"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_logplaces, "_NEAR", 128)
        end = end_of(part, ISO, instant, [])
    assert end >= sum(1 for each in at if each <= wanted) * size
    assert is_whole(part, ISO, (place, end), (instant, instant), [])
    last = last_entry(part, ISO)
    assert last is not None
    assert last[0] == (len(at) - 1) * size
    part.close()


def test_a_log_out_of_order_is_noticed() -> None:
    """Entries much older than one before them show that bisection cannot be trusted."""
    assert in_order([(0, (0.0, 0.0)), (50, (900.0, 900.0)), (20, (800.0, 800.0))])
    assert in_order([(0, (500.0, 500.0)), (9, (300.0, 300.0))]), "an access log is written when requests end"
    assert not in_order([(0, (5000.0, 5000.0)), (9, (300.0, 300.0))])
