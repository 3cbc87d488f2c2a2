"""The `timer` probe: whether a systemd timer waits, when it starts its unit next, and how that went last."""

import datetime as dt
import shlex
import time
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.checks import _systemd
from opsconsole.checks._systemd import Programs
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Moment, Unit, Value, seconds


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which timer."""

    unit: str
    """The timer to look at; `.timer` may be left out."""


SUBJECTS: Subjects = {
    "active": None,
    "sub": None,
    "enabled": None,
    "next": Unit.SECONDS,
    "next_time": None,
    "next_at": None,
    "last": Unit.SECONDS,
    "last_time": None,
    "last_at": None,
    "triggered": None,
    "unit": None,
    "unit_active": None,
    "unit_ran": None,
    "unit_result": None,
    "unit_exit_status": Unit.COUNT,
    "unit_duration": Unit.SECONDS,
    "unit_last_exit": Unit.SECONDS,
}
"""What is known of a timer. `next` is the time until it starts its unit, `last` the time since it did; `next_at`
and `last_at` are the same as `HH:MM` in the checklist's zone. An inactive timer and one whose unit is running
have no `next`, one that never elapsed no `last`. `unit_…` speaks of what it starts, as the `unit` probe does."""

_PROPERTIES = (
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Unit",
    "Result",
    "NextElapseUSecRealtime",
    "NextElapseUSecMonotonic",
    "LastTriggerUSec",
    "TimersCalendar",
    "TimersMonotonic",
)
_CANNOT_RUN = frozenset({"masked", "bad-setting", "error"})


class TimerProbe:
    """Asks `systemctl`; keeps nothing between two measurements."""

    async def measure(self, options: Options, context: Context) -> Reading:
        """Return the state of the timer and of the unit it starts."""
        _systemd.require_booted()
        programs = Programs(context)
        timer = _systemd.full_name(options.unit, "timer")
        shown = await _systemd.properties(programs, timer, _PROPERTIES)
        started = await _started_unit(programs, timer, shown)
        run = _systemd.run_state(started, context.now)
        following = next_elapse(shown, context.now)
        last = _systemd.moment(shown.get("LastTriggerUSec", ""))
        zone = ZoneInfo(context.times.timezone)
        measures: dict[str, Value] = {
            "active": _systemd.text(shown.get("ActiveState")),
            "sub": _systemd.text(shown.get("SubState")),
            "enabled": _systemd.text(shown.get("UnitFileState")),
            "next": seconds((following.at - context.now).total_seconds()) if following else None,
            "next_time": following,
            "next_at": _local(following, zone),
            "last": _systemd.age(last, context.now),
            "last_time": last,
            "last_at": _local(last, zone),
            "triggered": last is not None,
            "unit": shown["Unit"],
            "unit_active": _systemd.text(started.get("ActiveState")),
            "unit_ran": run["ran"],
            "unit_result": run["result"],
            "unit_exit_status": run["exit_status"],
            "unit_duration": run["duration"],
            "unit_last_exit": run["last_exit"],
        }
        return Reading(
            measures=measures,
            evidence=(
                Evidence(f"systemctl show {timer}", _systemd.listing(shown)),
                Evidence(f"systemctl show {shown['Unit']}", _systemd.listing(started)),
            ),
            command=shlex.join(["systemctl", "status", "--no-pager", "--full", timer, shown["Unit"]]),
        )

    async def aclose(self) -> None:
        """Nothing is kept open."""


async def _started_unit(programs: Programs, timer: str, shown: Mapping[str, str]) -> dict[str, str]:
    """Return the properties of what the timer starts; raise ProbeError where it can start nothing.

    A timer goes on waiting in full health after its unit was removed or masked.
    """
    unit = shown.get("Unit", "")
    if not unit:
        raise ProbeError("not-found", f"{timer} names no unit to start", f"see `systemctl cat {timer}`")
    try:
        started = await _systemd.properties(programs, unit, _systemd.RUN_PROPERTIES)
    except ProbeError as error:
        if error.problem.reason != "not-found":
            raise
        raise ProbeError("not-found", f"{timer} starts {unit}, which does not exist", error.problem.hint) from error
    if started["LoadState"] in _CANNOT_RUN:
        raise ProbeError(
            "failed",
            f"{timer} starts {unit}, which cannot run: it is {started['LoadState']}",
            f"see `systemctl status {unit}`",
            (Evidence(f"systemctl show {unit}", _systemd.listing(started)),),
        )
    return started


def next_elapse(shown: Mapping[str, str], now: dt.datetime) -> Moment | None:
    """Return when a timer elapses next, by its calendar or its intervals, whichever comes first.

    None for an inactive timer and while its unit is running, when systemd has not set it again yet.
    """
    candidates = []
    calendar = _systemd.moment(shown.get("NextElapseUSecRealtime", ""))
    if calendar is not None:
        candidates.append(calendar.at)
    interval = _systemd.span(shown.get("NextElapseUSecMonotonic", ""))
    if interval is not None:
        try:
            rest = dt.timedelta(seconds=float(interval) - time.clock_gettime(time.CLOCK_MONOTONIC))
            candidates.append(now + rest)
        except OverflowError:
            raise _systemd.bad_answer("systemctl printed a time span beyond the end of all calendars") from None
    return Moment(min(candidates)) if candidates else None


def _local(moment: Moment | None, zone: ZoneInfo) -> str | None:
    return None if moment is None else f"{moment.at.astimezone(zone):%H:%M}"


def _problems(options: Options) -> list[tuple[str, str]]:
    problem = _systemd.name_problem(options.unit, "timer")
    return [("unit", problem)] if problem else []


def _subjects(_options: Options) -> Subjects:
    return SUBJECTS


def _open(_environment: Environment) -> TimerProbe:
    return TimerProbe()


KIND = ProbeKind(
    name="timer",
    summary="Whether a systemd timer waits, when it elapses next and last, and how the unit that it starts went.",
    options=Options,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
