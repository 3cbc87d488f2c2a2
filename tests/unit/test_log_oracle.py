"""The `logfile` worker counts what the plainest program counts that reads every line of every file."""

import bz2
import datetime as dt
import gzip
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.checks import _logfiles, _logplaces, _logscan

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
SPAN = 6 * 3600
LEVELS = ("debug", "info", "notice", "warning", "error", "critical")
PATTERNS = {"lost": "lost", "took": r"/took \d+ s/", "boom": "/^  boom$/", "grün": "/gr.n/"}
FORMATS = {
    "iso": "{at:%Y-%m-%d %H:%M:%S} {level} {text}",
    "python": "{level} {at:%Y-%m-%d %H:%M:%S},000 views {text}",
    "syslog": "{at:%b %d %H:%M:%S} host app[7]: {level} {text}",
    "django": "[{at:%d/%b/%Y %H:%M:%S}] {level} {text}",
    "epoch": "{at:%s} {level} {text}",
    "json": '{{"level": "{level}", "msg": "{text}", "time": "{at:%Y-%m-%dT%H:%M:%SZ}"}}',
}
_TOGETHER = (("iso",), ("python",), ("syslog",), ("epoch",), ("json",), ("iso", "django"), ("syslog", "iso"))
_TEXTS = ("connection lost", "took 9 s", "took long", "fine", "grün", "")
_MORE = ("", "", "", "Traceback\n  boom\n", "  lost\n", "\n")


class Event(NamedTuple):
    """What was written at a time."""

    at: int
    """Seconds before `NOW`."""
    level: str
    text: str
    more: str
    form: int


class Log(NamedTuple):
    """Events of a log, how many of them are in each of its files, the oldest first, and how these are kept."""

    events: Sequence[Event]
    cuts: Sequence[int]
    packing: str
    forms: Sequence[str]


def _entry(log: Log, event: Event) -> str:
    when = NOW - dt.timedelta(seconds=event.at)
    plain = FORMATS[log.forms[event.form % len(log.forms)]].replace("{at:%s}", str(int(when.timestamp())))
    return plain.format(at=when, level=event.level.upper(), text=event.text) + "\n" + event.more


_EVENTS = st.builds(
    Event,
    st.integers(1, SPAN),
    st.sampled_from(LEVELS),
    st.sampled_from(_TEXTS),
    st.sampled_from(_MORE),
    st.integers(0, 1),
)


def _ordered(events: list[Event], jitter: list[int]) -> list[Event]:
    """Return events in the order they are written in, some a few minutes late."""
    late = dict(enumerate(jitter))
    order = sorted(range(len(events)), key=lambda at: (-events[at].at + late.get(at, 0), at))
    return [events[at] for at in order]


_LOGS = st.builds(
    Log,
    st.builds(_ordered, st.lists(_EVENTS, min_size=1, max_size=80), st.lists(st.integers(0, 140), max_size=20)),
    st.lists(st.integers(0, 80), max_size=3).map(sorted),
    st.sampled_from(["", "gz", "bz2"]),
    st.sampled_from(_TOGETHER),
)


def _files(log: Log) -> list[list[Event]]:
    bounds = [0, *(min(each, len(log.events)) for each in log.cuts), len(log.events)]
    return [list(log.events[start:end]) for start, end in pairwise(bounds)]


def _write(directory: Path, log: Log) -> Path:
    """Write the files as logrotate leaves them: the live one, the one before as it was, the others packed."""
    path = directory / "app.log"
    for old in directory.iterdir():
        old.unlink()
    *rotated, live = _files(log)
    _put(path, "".join(_entry(log, each) for each in live).encode(), live)
    for number, events in enumerate(reversed(rotated), 1):
        data = "".join(_entry(log, each) for each in events).encode()
        packing = log.packing if number > 1 else ""
        packed = {"": data, "gz": gzip.compress(data), "bz2": bz2.compress(data)}[packing]
        _put(directory / f"app.log.{number}{'.' if packing else ''}{packing}", packed, events)
    return path


def _put(path: Path, data: bytes, events: list[Event]) -> None:
    path.write_bytes(data)
    newest = NOW.timestamp() - min((each.at for each in events), default=0)
    os.utime(path, (newest, newest))


def _request(
    path: Path, since: int | None, before: int | None, level: str, patterns: dict[str, str]
) -> dict[str, Any]:
    now = NOW.timestamp()
    return {
        "path": str(path),
        "rotated": True,
        "format": "auto",
        "zone": "UTC",
        "patterns": patterns,
        "level": level,
        "since": None if since is None else now - since,
        "until": now,
        "now": now,
        "before": before,
        "rows": 1000,
        "tail": 0,
        "messages": True,
    }


def _holds(entry: str, pattern: str) -> bool:
    if pattern.startswith("/"):
        return re.search(pattern[1:-1], entry.removesuffix("\n"), re.MULTILINE) is not None
    return pattern in entry


def _counted(log: Log, since: int | None, level: str, patterns: dict[str, str]) -> Iterator[tuple[Event, set[str]]]:
    """Yield what counts, by the plainest of means."""
    for event in log.events:
        if since is not None and event.at > since:
            continue
        if level and LEVELS.index(event.level) < LEVELS.index(level):
            continue
        names = {name for name, pattern in patterns.items() if _holds(_entry(log, event), pattern)}
        if names or not patterns:
            yield event, names


def _message(event: Event) -> tuple[str, str]:
    """Return what tells an event from others of another kind."""
    return event.level, re.sub(r"\d+", "", event.text)


def _burst(times: Sequence[int]) -> int:
    return max((sum(1 for other in times if 0 <= other - each < 3600) for each in times), default=0)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that each example fills anew."""
    return tmp_path_factory.mktemp("logs")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    log=_LOGS,
    since=st.none() | st.integers(60, SPAN),
    before=st.none() | st.integers(60, SPAN),
    level=st.sampled_from(["", "", "warning", "error"]),
    names=st.sets(st.sampled_from(sorted(PATTERNS))),
    sizes=st.tuples(st.sampled_from([64, 300, 4096]), st.sampled_from([64, 512])),
)
def test_the_plainest_program_counts_the_same(
    directory: Path,
    log: Log,
    since: int | None,
    before: int | None,
    level: str,
    names: set[str],
    sizes: tuple[int, int],
) -> None:
    """However a log is rotated, packed and read, the numbers are those of reading all of it line by line."""
    path = _write(directory, log)
    patterns = {name: PATTERNS[name] for name in sorted(names)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_logfiles, "BLOCK", sizes[0])
        patch.setattr(_logplaces, "_NEAR", sizes[1])
        patch.setattr(_logplaces, "LINE", 128)
        answer = _logscan.answered(_request(path, since, before if since else None, level, patterns))
        again = _logscan.answered(_request(path, since, before if since else None, level, patterns))
    assert answer == again, "a second run says the same"
    if answer.get("problem", [""])[0] == "no-levels":
        return
    assert "problem" not in answer, answer
    counted = list(_counted(log, since, level, patterns))
    assert answer["count"] == len(counted)
    assert answer["patterns"] == {name: sum(1 for _, found in counted if name in found) for name in patterns}
    times = [int(NOW.timestamp()) - event.at for event, _ in counted]
    assert answer["burst"] == _burst(times)
    hours = Counter(at // 3600 for at in times)
    assert answer["hours"] == [[hour * 3600.0, hours[hour]] for hour in sorted(hours)]
    assert sorted(row[0] for row in answer["kept"]) == [float(at) for at in sorted(times)]
    newest = NOW.timestamp() - min(each.at for each in log.events)
    assert 0 <= newest - answer["newest"] <= _logplaces.ORDER_SLACK
    messages = Counter(_message(event) for event, _ in counted)
    assert sum(each[1] for each in answer["messages"]) == len(counted)
    if len(log.forms) == 1:
        assert (answer["different"], answer["most"]) == (len(messages), max(messages.values(), default=0))
        earlier = _counted(log, SPAN * 2, level, patterns)
        known = {_message(event) for event, _ in earlier if before and since and since < event.at <= since + before}
        assert answer["new"] == len(messages.keys() - known)
    assert answer["missing"] == []
