"""The `timer` probe on a real systemd: waiting, stopped, never elapsed, running, and starting nothing at all."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _systemd, timer
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Problem
from opsconsole.model.values import Moment, Number, number
from support.judged import assert_declared, outcome
from support.pretended import pretend
from support.systemd import USER_ID, SystemdBox, context, until

pytestmark = pytest.mark.xdist_group("systemd")

boxed = pytest.mark.systemd

ON_TIME = "next_at in ['02:00', '03:00']"
"""03:00 is what becomes of 02:00 on the night when the clocks go forward."""
NIGHTLY = ("enabled == 'enabled'", "active == 'active'", "sub == 'waiting'", "next <= 25 h", ON_TIME)
"""What the QBR procedure asks of its timer."""


@boxed
@pytest.mark.parametrize("uid", [0, USER_ID], ids=["root", "user"])
def test_the_nightly_timer_of_the_procedure(systemd_box: SystemdBox, uid: int) -> None:
    """The collector's timer is green: enabled, waiting, and due at the coming 02:00 in Chicago."""
    reading = systemd_box.reading("timer", {"unit": "qbr-collector"}, uid=uid)
    assert outcome(reading, *NIGHTLY) is Outcome.PASS
    assert outcome(reading, "unit_result == 'success'", "unit_exit_status == 0", "last < 25 h") is Outcome.PASS
    assert reading.measures["unit"] == "qbr-collector.service"
    assert_declared(timer.KIND, timer.Options(unit="qbr-collector"), reading)


@boxed
@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata"])
def test_local_times_are_those_of_the_checklist(systemd_box: SystemdBox, zone: str) -> None:
    """The time of the next elapse is shown in the zone of the checklist, not in that of the host or the timer."""
    reading = systemd_box.reading("timer", {"unit": "qbr-collector"}, timezone=zone)
    following = reading.measures["next_time"]
    assert isinstance(following, Moment)
    assert reading.measures["next_at"] == f"{following.at.astimezone(ZoneInfo(zone)):%H:%M}"
    assert outcome(reading, ON_TIME) is Outcome.FAIL


@boxed
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good", {"active": "active", "triggered": True, "unit_ran": True, "unit_result": "success"}),
        ("nightly", {"active": "active", "enabled": "enabled", "triggered": True, "unit_exit_status": number(0)}),
        ("never", {"active": "active", "triggered": False, "last": None, "last_at": None, "unit_ran": False}),
        ("interval", {"active": "active", "sub": "waiting", "triggered": False, "last": None}),
        ("disabled", {"active": "inactive", "sub": "dead", "enabled": "disabled", "next": None, "next_at": None}),
    ],
)
def test_the_state_of_a_timer(systemd_box: SystemdBox, name: str, expected: dict[str, Any]) -> None:
    """Each kind of timer reads as what it is: elapsed, never elapsed, by interval only, disabled."""
    reading = systemd_box.reading("timer", {"unit": name})
    assert {key: reading.measures[key] for key in expected} == expected
    assert_declared(timer.KIND, timer.Options(unit=name), reading)


@boxed
def test_a_timer_that_never_elapsed_is_not_green(systemd_box: SystemdBox) -> None:
    """A timer that is waiting in full health but has not started anything yet fails what is asked of its job."""
    reading = systemd_box.reading("timer", {"unit": "never"})
    assert outcome(reading, "active == 'active'") is Outcome.PASS
    assert outcome(reading, "last < 25 h") is Outcome.ERROR
    assert outcome(reading, "unit_result == 'success'") is Outcome.ERROR
    assert outcome(reading, "triggered == true") is Outcome.FAIL


@boxed
def test_a_disabled_timer_is_not_green(systemd_box: SystemdBox) -> None:
    """A timer that waits for nothing fails, whatever its last run was."""
    assert outcome(systemd_box.reading("timer", {"unit": "disabled"}), *NIGHTLY) is Outcome.FAIL


@boxed
def test_a_missed_run_was_made_up_for(systemd_box: SystemdBox) -> None:
    """A persistent timer whose host was off for three days has started its job on booting."""
    reading = systemd_box.reading("timer", {"unit": "nightly"})
    assert outcome(reading, "last < 10 min", "next <= 24 h", "unit_last_exit < 10 min") is Outcome.PASS


@boxed
@pytest.mark.parametrize("name", ["good", "interval", "never", "nightly", "qbr-collector"])
def test_the_next_elapse_is_the_one_systemd_lists(systemd_box: SystemdBox, name: str) -> None:
    """Calendar and interval timers agree with `systemctl list-timers`, whose `left` is no duration."""
    listed = json.loads(systemd_box.systemctl("list-timers", "--all", "--output=json", f"{name}.timer"))
    now = dt.datetime.now(dt.UTC)
    measures = systemd_box.reading("timer", {"unit": name}, now=now).measures
    following = measures["next_time"]
    left = measures["next"]
    assert isinstance(following, Moment)
    assert isinstance(left, Number)
    assert following.at.timestamp() == pytest.approx(listed[0]["next"] / 1e6, abs=1)
    assert float(left.value) == pytest.approx(listed[0]["next"] / 1e6 - now.timestamp(), abs=1)


@boxed
def test_a_timer_whose_job_is_running(systemd_box: SystemdBox) -> None:
    """While the job runs there is no next elapse yet, and no result: the item is no pass."""
    systemd_box.write("/run/slow", "")
    try:
        systemd_box.systemctl("start", "slow.timer")
        until(lambda: systemd_box.shows("slow.service", ActiveState="activating"), "the start of the job")
        reading = systemd_box.reading("timer", {"unit": "slow"})
    finally:
        systemd_box.path("/run/slow").unlink()
        systemd_box.systemctl("stop", "slow.timer", "slow.service")
        systemd_box.systemctl("reset-failed", "slow.service")
    measures = reading.measures
    assert (measures["sub"], measures["next"], measures["triggered"]) == ("running", None, True)
    assert (measures["unit_active"], measures["unit_result"]) == ("activating", None)
    assert outcome(reading, "next < 24 h") is Outcome.ERROR


@boxed
def test_a_failed_run_shows(systemd_box: SystemdBox) -> None:
    """A timer that works well but whose job failed last night is red where the job is asked about."""
    systemd_box.write("/run/sometimes-fail", "")
    try:
        systemd_box.systemctl("start", "sometimes.timer")
        systemd_box.run(["systemctl", "start", "sometimes.service"])
        reading = systemd_box.reading("timer", {"unit": "sometimes"})
    finally:
        systemd_box.path("/run/sometimes-fail").unlink()
        systemd_box.systemctl("stop", "sometimes.timer")
        systemd_box.systemctl("reset-failed", "sometimes.service")
    assert outcome(reading, "active == 'active'", "sub == 'waiting'", ON_TIME) is Outcome.PASS
    assert outcome(reading, "unit_result == 'success'") is Outcome.FAIL
    assert outcome(reading, "unit_exit_status == 0") is Outcome.FAIL


# --- timers that can start nothing -------------------------------------------------------------------


@boxed
def test_a_timer_that_does_not_exist(systemd_box: SystemdBox) -> None:
    """A mistyped timer is an error that names what was meant."""
    problem = systemd_box.problem("timer", {"unit": "qbr-colector"})
    assert (problem.reason, problem.cause) == ("not-found", "there is no unit qbr-colector.timer on this host")
    assert "did you mean qbr-collector.timer?" in problem.hint


@boxed
def test_a_timer_whose_unit_does_not_exist(systemd_box: SystemdBox) -> None:
    """A timer for a service that was never installed is an error that says so."""
    problem = systemd_box.problem("timer", {"unit": "orphan"})
    assert (problem.reason, problem.cause) == (
        "not-found",
        "orphan.timer starts gone.service, which does not exist",
    )


@boxed
def test_a_timer_whose_unit_was_removed(systemd_box: SystemdBox) -> None:
    """A timer goes on waiting when its service is uninstalled: that is no pass."""
    directory = "/etc/systemd/system"
    systemd_box.write(f"{directory}/passing.timer", "[Timer]\nOnCalendar=daily\n")
    systemd_box.write(f"{directory}/passing.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n")
    systemd_box.systemctl("daemon-reload")
    systemd_box.systemctl("start", "passing.timer")
    try:
        before = systemd_box.reading("timer", {"unit": "passing"})
        systemd_box.path(f"{directory}/passing.service").unlink()
        systemd_box.systemctl("daemon-reload")
        assert systemd_box.shows("passing.timer", ActiveState="active", SubState="waiting")
        problem = systemd_box.problem("timer", {"unit": "passing"})
    finally:
        systemd_box.systemctl("stop", "passing.timer")
    assert outcome(before, "active == 'active'") is Outcome.PASS
    assert problem.cause == "passing.timer starts passing.service, which does not exist"


@boxed
def test_a_timer_whose_unit_is_masked(systemd_box: SystemdBox) -> None:
    """A timer for a service that somebody masked is an error that says so."""
    problem = systemd_box.problem("timer", {"unit": "masked"})
    assert (problem.reason, problem.cause) == (
        "failed",
        "masked.timer starts masked.service, which cannot run: it is masked",
    )


async def test_a_host_without_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a container the check is an error under the code that the demo skips."""
    monkeypatch.setattr(_systemd, "BOOTED", tmp_path / "nothing")
    assert (await _problem()).reason == "not-booted-with-systemd"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("NextElapseUSecRealtime=morgen", "a time that cannot be read: morgen"),
        ("NextElapseUSecMonotonic=3 Stunden", "a time span that cannot be read: 3 Stunden"),
        ("LastTriggerUSec=Sa 2026-11-21 02:00:00 CST", "a time that cannot be read"),
    ],
)
async def test_times_that_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, words: str
) -> None:
    """A time in a form nobody knows is an error, not a timer that never elapsed."""
    shown = f"LoadState=loaded\\nActiveState=active\\nSubState=waiting\\nUnit=a.service\\n{line}\\n"
    pretend(monkeypatch, tmp_path, systemctl=f"printf '{shown}'")
    problem = await _problem()
    assert problem.reason == "bad-answer"
    assert words in problem.cause


async def _problem() -> Problem:
    with pytest.raises(ProbeError) as caught:
        await timer.TimerProbe().measure(timer.Options(unit="a"), context())
    return caught.value.problem


# --- reading what systemd prints ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1h 30min 6.741605s", "5406.741605"),
        ("30min 6.724702s", "1806.724702"),
        ("5s", "5"),
        ("500ms", "0.5"),
        ("12us", "0.000012"),
        ("1w 2d", "777600"),
        ("1month 1d", "2716200"),
        ("1y", "31557600"),
        ("0", None),
        ("infinity", None),
        ("", None),
    ],
)
def test_time_spans(text: str, seconds: str | None) -> None:
    """Spans are read as systemd writes them; none and never are none."""
    assert _systemd.span(text) == (None if seconds is None else Decimal(seconds))


@boxed
def test_time_spans_are_read_as_systemd_itself_does(systemd_box: SystemdBox) -> None:
    """Our reading of spans agrees with `systemd-analyze timespan`."""
    texts = ["1y 2month 3w 4d 5h 6min 7s 8ms 9us", "2month", "1w", "1h 1us", "59min 59.999999s", "4d 12h"]
    answered = systemd_box.run(["systemd-analyze", "timespan", *texts]).stdout.decode()
    microseconds = [int(line.split()[-1]) for line in answered.splitlines() if "s:" in line and "Human" not in line]
    spans = [_systemd.span(text) for text in texts]
    assert spans == [Decimal(each) / 1_000_000 for each in microseconds]


@pytest.mark.parametrize("text", ["1 parsec", "h", "1h5", "-1s", "1h\n", "1.s"])
def test_time_spans_in_no_known_form(text: str) -> None:
    """What is no span is an error."""
    with pytest.raises(ProbeError, match="cannot be read"):
        _systemd.span(text)


@given(st.integers(1, 253_402_300_799))
def test_timestamps(since_epoch: int) -> None:
    """Every timestamp that systemctl prints under UTC comes back as the same instant."""
    at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=since_epoch)
    assert _systemd.moment(f"{at:%a} {at.isoformat(' ')[:19]} UTC") == Moment(at)


@pytest.mark.parametrize("text", ["", "n/a", "[not set]", "0", "infinity"])
def test_no_timestamp(text: str) -> None:
    """What systemd prints for never is no moment."""
    assert _systemd.moment(text) is None


# --- options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("qbr-collector", None),
        ("qbr-collector.timer", None),
        ("fstrim@data.timer", None),
        ("qbr-collector.service", "its name must end in '.timer'"),
        ("*.timer", "no name of a unit"),
        ("backup@.timer", "write the instance"),
        ("", "no name of a unit"),
    ],
)
def test_options_are_checked_when_a_checklist_is_loaded(name: str, message: str | None) -> None:
    """A service where a timer is meant, wildcards and templates are lint errors."""
    problems = timer.KIND.validate(msgspec.convert({"unit": name}, timer.Options))
    assert [key for key, _ in problems] == ([] if message is None else ["unit"])
    assert message is None or message in problems[0][1]
