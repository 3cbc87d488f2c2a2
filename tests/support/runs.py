"""Runs made of events, without a store: for the fold and for what is drawn from it."""

import datetime as dt
import hashlib
from zoneinfo import ZoneInfo

from opsconsole.contracts.store import RunKey
from opsconsole.model.calendar import period_of, times_of
from opsconsole.model.checklists import Checklist, Entry, Field, Item, Required, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.encoding import canonical, definition_hash
from opsconsole.model.events import Actor, Body, Event, Measured, Opened, Stored
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Judgement, Problem
from opsconsole.model.runs import RunState, fold
from opsconsole.model.values import seconds

OPERATOR = Actor("operator", "Day Operator", "ops01")
NIGHT_JOB = Actor("cron", "", "ops01")
MORNING = dt.datetime(2026, 11, 21, 14, 0, tzinfo=dt.UTC)

CHECKLIST = Checklist(
    id="qbr-daily",
    title="QBR daily monitoring",
    sections=(
        Section(
            "Collection",
            (
                Item(id="collectors", title="Collectors", probe="sql", require=(parse_condition("count == 2"),)),
                Item(id="disk", title="Disk", probe="disk", for_each=("/", "/var")),
            ),
        ),
        Section(
            "By hand",
            (
                Item(
                    id="tickets",
                    title="Tickets",
                    probe="sql",
                    entry=Entry("Tickets"),
                    require=(parse_condition("entry within 1% of value"),),
                ),
                Item(id="look", title="Look at the dashboard", manual=True),
            ),
        ),
    ),
    fields=(Field("notes", "Notes"), Field("issues", "Issues found", required=Required.UNLESS_GREEN)),
)


class Chain:
    """Builds the events of one run, each a minute after the one before."""

    def __init__(self, checklist: Checklist = CHECKLIST, date: dt.date = MORNING.date()) -> None:
        self.events: list[Stored] = []
        times = times_of(checklist, period_of(date, checklist.cadence), ZoneInfo("America/Chicago"), date)
        self.run = RunKey(checklist.id, times.period.key).id
        self.add(
            Opened(
                times=times,
                definition=checklist,
                definition_hash=definition_hash(checklist),
                version="0.1.0",
            ),
            NIGHT_JOB,
        )

    def add(self, body: Body, actor: Actor = OPERATOR) -> "Chain":
        """Append an event."""
        seq = len(self.events) + 1
        event = Event(
            id=f"00000000-0000-4000-8000-{seq:012}",
            run=self.run,
            at=MORNING + dt.timedelta(minutes=seq),
            actor=actor,
            body=body,
        )
        prev = self.events[-1].hash if self.events else "0" * 64
        digest = hashlib.sha256(bytes.fromhex(prev) + canonical(event)).hexdigest()
        self.events.append(Stored(seq=seq, event=event, prev=prev, hash=digest))
        return self

    def measured(self, item: str, outcome: Outcome, summary: str = "seen", *, target: str = "") -> "Chain":
        """Append a measurement with that outcome."""
        problem = Problem("source-down", summary) if outcome is Outcome.ERROR else None
        return self.add(
            Measured(
                item=item,
                target=target,
                judgement=Judgement(outcome, summary),
                started_at=MORNING,
                elapsed=seconds(0.25),
                problem=problem,
            ),
            NIGHT_JOB,
        )

    def state(self) -> RunState:
        """Return the fold."""
        state = fold(self.events)
        assert state is not None
        return state
