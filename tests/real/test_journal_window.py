"""The `journal` probe over what a run looks back over, and what systemd says of a unit's runs in that time."""

import datetime as dt
import shutil
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.checks import journal
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.calendar import Window
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Moment, Number, number
from support.judged import assert_declared, outcome
from support.systemd import SystemdBox, context, until

pytestmark = pytest.mark.xdist_group("systemd")

boxed = pytest.mark.systemd
HOUR = dt.timedelta(hours=1)
FAILURE_RESULT = b"d9b373ed55a64feb8242e02dbe79a49c"


def window(begins: dt.datetime, ends: dt.datetime) -> Window:
    """Return the window between two instants."""
    return Window(begins.date(), ends.date(), begins, ends)


def around_now() -> Window:
    """Return a window that began an hour ago and has not ended."""
    now = dt.datetime.now(dt.UTC)
    return window(now - HOUR, now + HOUR)


# --- the window --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copied(systemd_box: SystemdBox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with a copy of the box's journal, of more than one second, to be read from outside."""
    second = int(time.time())
    until(lambda: int(time.time()) > second, "the next second")
    systemd_box.log({"MESSAGE": b"a second later", "PRIORITY": b"6"})
    target = tmp_path_factory.mktemp("journal") / "copy"
    shutil.copytree(systemd_box.path("/var/log/journal"), target)
    return target


async def _read(directory: Path, looked_at: Window, **options: Any) -> Reading:
    """Measure an hour from now, so that a window which ends now is over."""
    now = dt.datetime.now(dt.UTC) + HOUR
    found = journal.Options(directory=str(directory), since="window", partial=True, **options)
    return await journal.JournalProbe().measure(found, context(window=looked_at, now=now))


@boxed
async def test_windows_that_meet_share_no_message(copied: Path) -> None:
    """A message belongs to exactly one of two weeks, also one of the very second in which they meet."""
    now = dt.datetime.now(dt.UTC)
    everything = window(now - HOUR, now + HOUR / 2)
    whole = await _read(copied, everything, priority="debug", rows=1000)
    times = sorted({row[0].at.replace(microsecond=0) for row in whole.rows if isinstance(row[0], Moment)})
    for meeting in {times[1], times[len(times) // 2], times[-1]}:
        counts = []
        for begins, ends in ((everything.begins_at, meeting), (meeting, everything.ends_at)):
            part = await _read(copied, window(begins, ends), priority="debug", rows=1)
            counted = part.measures["count"]
            assert isinstance(counted, Number)
            counts.append(counted)
        assert number(int(counts[0].value + counts[1].value)) == whole.measures["count"]
        assert all(each.value for each in counts)


@boxed
async def test_the_window_that_was_looked_at_is_on_record(copied: Path) -> None:
    """What was asked for, how much of it the journal covers, and the command that shows the same."""
    ends = dt.datetime.now(dt.UTC).replace(microsecond=0) + HOUR / 2
    reading = await _read(copied, window(ends - 2 * HOUR, ends), unit="flaky")
    assert f"until before {ends:%Y-%m-%d %H:%M:%S} UTC" in reading.evidence[0].text
    assert "--until=" in reading.command
    covered = reading.measures["covered"]
    assert isinstance(covered, Number)
    assert 1800 <= covered.value < 3600
    assert reading.measures["count"] == number(4)


@boxed
def test_a_window_that_has_not_ended_goes_to_now(systemd_box: SystemdBox) -> None:
    """Looked at before its end, a window holds what has happened so far, this moment included."""
    systemd_box.log({"MESSAGE": b"just now", "PRIORITY": b"6", "OBJECT_SYSTEMD_UNIT": b"quiet.service"})
    options = {"unit": "quiet", "since": "window", "priority": "info", "grep": "^just now"}
    reading = systemd_box.reading("journal", options, window=around_now())
    assert outcome(reading, "count >= 1") is Outcome.PASS
    assert "--until" not in reading.command


@boxed
def test_a_window_of_which_nothing_was_recorded(systemd_box: SystemdBox) -> None:
    """Last week's journal is gone, or there never was one: that is an error, not a week without messages."""
    now = dt.datetime.now(dt.UTC)
    week = window(now - 14 * 24 * HOUR, now - 7 * 24 * HOUR)
    problem = systemd_box.problem("journal", {"unit": "good", "since": "window"}, window=week)
    assert problem.reason == "empty"
    assert "until before" in problem.cause


async def test_a_window_that_is_still_to_come(tmp_path: Path) -> None:
    """Nothing can have gone wrong in a time that has not begun: that is no pass."""
    now = dt.datetime.now(dt.UTC)
    with pytest.raises(ProbeError) as caught:
        await _read(tmp_path, window(now + 2 * HOUR, now + 3 * HOUR))
    assert caught.value.problem.reason == "too-early"


# --- events ------------------------------------------------------------------------------------------


@boxed
@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("qbr-collector", {"started": 1, "succeeded": 1}),
        ("running", {"started": 1}),
        ("conditional", {}),
        ("failing", {"failed": 1}),
        ("missing-program", {"failed": 1}),
        ("prepared", {"failed": 1}),
        ("killed", {"crashed": 1}),
        ("crashed", {"crashed": 1}),
        ("flaky", {"started": 3, "stopped": 3, "failed": 4, "restarted": 3}),
        ("idle", {}),
    ],
)
def test_what_systemd_says_of_runs(systemd_box: SystemdBox, unit: str, expected: dict[str, int]) -> None:
    """Runs that ended well, failed, crashed or were repeated by systemd are told apart and counted."""
    options = {"unit": unit, "since": "window", "events": True}
    reading = systemd_box.reading("journal", options, window=around_now())
    names = ("started", "stopped", "succeeded", "failed", "crashed", "restarted", "out_of_memory")
    found = {name: reading.measures[name] for name in names}
    assert found == {name: number(expected.get(name, 0)) for name in names}
    assert reading.measures["count"] == number(sum(expected.values()))
    assert_declared(journal.KIND, journal.Options(unit=unit, events=True), reading)
    reliable = outcome(reading, "crashed == 0", "failed == 0", "restarted == 0", "out_of_memory == 0")
    assert reliable is (Outcome.PASS if set(expected) <= {"started", "succeeded"} else Outcome.FAIL)


@boxed
def test_only_systemd_is_believed(systemd_box: SystemdBox) -> None:
    """A program that writes a message with systemd's id is not taken for systemd."""
    forged = {"MESSAGE_ID": FAILURE_RESULT, "UNIT_RESULT": b"signal", "MESSAGE": b"Failed with result 'signal'."}
    systemd_box.log({**forged, "UNIT": b"good.service", "OBJECT_SYSTEMD_UNIT": b"good.service"})
    reading = systemd_box.reading("journal", {"unit": "good", "since": "1 h", "events": True, "partial": True})
    assert reading.measures["crashed"] == number(0)


@boxed
def test_a_unit_that_keeps_such_messages_out(systemd_box: SystemdBox) -> None:
    """Where LogLevelMax= keeps systemd's own messages out of the journal, no crash is no proof of none."""
    problem = systemd_box.problem("journal", {"unit": "quiet", "since": "1 h", "events": True})
    assert problem.reason == "incomplete"
    assert "LogLevelMax=" in problem.hint
    assert systemd_box.reading("journal", {"unit": "quiet", "since": "1 h"}).measures["count"] == number(0)


@boxed
def test_the_command_shows_the_same_events(systemd_box: SystemdBox) -> None:
    """What is copied out with the evidence brings the same messages."""
    options = {"unit": "killed", "since": "window", "events": True}
    reading = systemd_box.reading("journal", options, window=around_now())
    shown = systemd_box.run(["sh", "-c", f"{reading.command} --output=cat"]).stdout.decode()
    assert str(reading.rows[0][reading.columns.index("message")]) in shown.splitlines()
    assert reading.rows[0][reading.columns.index("event")] == "crashed"


@boxed
async def test_fewer_rows_than_events(copied: Path) -> None:
    """All events are counted, and the newest are shown."""
    reading = await _read(copied, around_now(), unit="flaky", events=True, rows=2)
    assert (reading.measures["failed"], reading.measures["count"], len(reading.rows)) == (number(4), number(13), 2)
    assert reading.truncated


@boxed
async def test_too_many_events_are_no_number(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit that flaps beyond counting is an error, never a small number."""
    monkeypatch.setattr(journal, "_MOST_EVENTS", 3)
    reading = await _read(copied, around_now(), unit="flaky", events=True)
    assert outcome(reading, "crashed == 0") is Outcome.ERROR
    assert "more than 3" in reading.evidence[0].text


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"unit": "qbr-collector", "events": True, "since": "window"}, ""),
        ({"events": True}, "events"),
        ({"unit": "nginx", "events": True, "grep": "x"}, "grep"),
        ({"unit": "nginx", "events": True, "priority": "info"}, "priority"),
    ],
)
def test_options_of_events(options: dict[str, Any], key: str) -> None:
    """Events are those of one unit, and are not chosen by pattern or priority: lint says so."""
    problems = journal.KIND.validate(msgspec.convert(options, journal.Options))
    assert [each for each, _ in problems] == ([key] if key else [])
