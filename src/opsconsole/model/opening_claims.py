"""Whether a run was opened as the program opens runs: under its own name, with its own times, and in its time."""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from opsconsole.model.calendar import times_of
from opsconsole.model.claims import opening_fault
from opsconsole.model.clock_steps import TOLERANCE
from opsconsole.model.events import Opened
from opsconsole.model.verification import Finding, Weight

ZONE_CHANGES = dt.timedelta(hours=3)
"""So far the instants of a run may be from those that its definition comes to today: rules of zones are edited."""


def opening_findings(run: str, opened: Opened, at: dt.datetime, seq: int) -> Iterator[Finding]:
    """Yield what is wrong with the event `seq`, dated `at`, that opened `run`."""
    fault = opening_fault(run, opened)
    if fault:
        yield Finding(Weight.FAULT, "other-run", f"event {seq}: {fault}", seq)
    for text in _false_times(opened):
        yield Finding(Weight.FAULT, "false-times", f"event {seq}: {text}", seq)
    ends_at = opened.times.ends_at
    if not opened.missed and ends_at is not None and at - ends_at > TOLERANCE:
        text = f"it was opened at {_instant(at)}, when it was over since {_instant(ends_at)}, and not as missed"
        yield Finding(Weight.FAULT, "opened-late", f"event {seq}: {text}", seq)


def _false_times(opened: Opened) -> Iterator[str]:
    """Yield where the zone, the beginning or the end of a period is not what the definition makes of it.

    They say until when a run could be done: it is not missed as long as they are not over.
    """
    told, due = opened.times, opened.definition.due
    if due.timezone not in {"local", told.timezone}:
        yield f"its times are of the zone {told.timezone}, and its checklist lives in {due.timezone}"
        return
    own = times_of(opened.definition, told.period, ZoneInfo(told.timezone), told.business_date, opened.qualified)
    for name, said, found in (
        ("begin", told.begins_at, own.begins_at),
        ("end", told.ends_at, own.ends_at),
    ):
        apart = said is not found if said is None or found is None else abs(said - found) > ZONE_CHANGES
        if apart:
            yield f"its period is said to {name} {_when(said)}; by its definition it does {_when(found)}"


def _when(moment: dt.datetime | None) -> str:
    return "never" if moment is None else f"at {_instant(moment)}"


def _instant(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%SZ}"
