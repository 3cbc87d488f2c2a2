"""How long people worked: what the record can tell of it, against the minutes that were planned."""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

import msgspec

from opsconsole.model.events import Pruned, Stored, Via, Waived
from opsconsole.model.report_runs import Told
from opsconsole.model.reports import Effort
from opsconsole.model.runs import RunState

LONGEST_PAUSE = dt.timedelta(minutes=10)
"""Between two things that a person did: after a longer one the time before the second does not count."""
HOW = (
    "Time is counted between two consecutive things that one person did, in whichever run, where no more than "
    f"{LONGEST_PAUSE // dt.timedelta(minutes=1)} minutes lie between them; it goes to the run of the second. "
    "Reading before the first and work outside of the console are not in it. Planned are the minutes of the items "
    "that a person had to tick or to enter."
)


class Act(msgspec.Struct, frozen=True, order=True):
    """One thing that a person did."""

    at: dt.datetime
    person: str
    run: str


def acts_of(events: Iterable[Stored]) -> Iterator[Act]:
    """Yield what was done by people, at the console or with a command: opening and measuring there are part of it.

    What cron measured is none, nor are waivers that the program carried over.
    """
    for stored in events:
        event = stored.event
        carried = isinstance(event.body, Waived) and event.body.origin
        if event.actor.via is not Via.HEADLESS and not isinstance(event.body, Pruned) and not carried:
            yield Act(event.at, event.actor.shown, event.run)


def active_times(acts: Iterable[Act]) -> dict[str, Counter[str]]:
    """Return how many microseconds each person worked on each run: by run, then by person.

    A person who goes back and forth between two runs is not counted twice.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    last: dict[str, dt.datetime] = {}
    for act in sorted(acts):
        before = last.get(act.person)
        if before is not None and act.at - before <= LONGEST_PAUSE:
            found[act.run][act.person] += (act.at - before) // dt.timedelta(microseconds=1)
        last[act.person] = act.at
    return found


def planned_minutes(state: RunState) -> int:
    """Return how many minutes the items of a run were planned to take that a person had to tick or to enter."""
    return sum(
        item.item.minutes
        for item in state.items.values()
        if (item.item.manual or item.item.entry is not None) and item.skipped is None
    )


def efforts_of(tellings: Sequence[Told], acts: Iterable[Act]) -> tuple[Effort, ...]:
    """Return what each checklist cost in the period, those that took longest first."""
    spent = active_times(acts)
    found = []
    for told in tellings:
        people: Counter[str] = Counter()
        for state in told.states:
            people.update(spent.get(state.run, Counter()))
        planned = [planned_minutes(state) for state in told.states if not state.missed]
        if any(planned) or people:
            found.append(
                Effort(
                    checklist=told.checklist.id,
                    runs=sum(bool(each) for each in planned),
                    planned_minutes=sum(planned),
                    active_seconds=_seconds(people.total()),
                    people=tuple((name, _seconds(count)) for name, count in people.most_common()),
                )
            )
    return tuple(sorted(found, key=lambda each: -each.active_seconds))


def _seconds(microseconds: int) -> Decimal:
    return Decimal(microseconds) / 1_000_000
