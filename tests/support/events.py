"""Events for a store to keep: valid, plain, and unlike one another."""

import datetime as dt
import uuid
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.contracts.store import Head, RunKey, Store
from opsconsole.model.calendar import period_of, times_of
from opsconsole.model.encoding import definition_hash
from opsconsole.model.events import (
    Actor,
    Body,
    Event,
    Meaning,
    Measured,
    Noted,
    Opened,
    Signature,
    Signed,
    Statement,
    Stored,
)
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.readings import Evidence, Judgement, Reading
from opsconsole.model.record import sha256_of
from opsconsole.model.tiers import Tier
from opsconsole.model.values import number, seconds
from support.runs import CHECKLIST, MORNING, NIGHT_JOB, OPERATOR

TODAY = MORNING.date()
RUN = RunKey(CHECKLIST.id, TODAY.isoformat()).id


def event(body: Body, run: str = RUN, *, at: dt.datetime = MORNING, actor: Actor = OPERATOR) -> Event:
    """Return an event with an id of its own."""
    return Event(id=str(uuid.uuid4()), run=run, at=at, actor=actor, body=body)


def opening(date: dt.date = TODAY, checklist: str = CHECKLIST.id) -> Event:
    """Return what opens the run of a day."""
    definition = msgspec.structs.replace(CHECKLIST, id=checklist)
    times = times_of(definition, period_of(date, definition.cadence), ZoneInfo("America/Chicago"), date)
    body = Opened(times=times, definition=definition, definition_hash=definition_hash(definition), version="0.1.0")
    return event(body, RunKey(checklist, times.period.key).id, actor=NIGHT_JOB)


def note(text: str, run: str = RUN, *, item: str = "", at: dt.datetime = MORNING) -> Event:
    """Return a note."""
    return event(Noted(item, text), run, at=at)


def kept(title: str, text: str) -> Evidence:
    """Return evidence as a store gives it back."""
    return Evidence(title, text, sha256=sha256_of(text))


def measurement(run: str = RUN, *, rows: int = 2, outcome: Outcome = Outcome.PASS) -> Event:
    """Return a measurement with a table and some evidence."""
    body = Measured(
        item="collectors",
        judgement=Judgement(outcome, f"{rows} rows"),
        started_at=MORNING,
        elapsed=seconds(0.25),
        reading=Reading(
            columns=("collector_name", "duration"),
            rows=tuple((f"collector-{row}", number(row)) for row in range(rows)),
            evidence=(kept("psql", "success \x1b[31m\n" * rows),),
        ),
    )
    return event(body, run, actor=NIGHT_JOB)


def sign_off(
    store: Store,
    last: Stored,
    *,
    meaning: Meaning = Meaning.PERFORMED,
    login: str = OPERATOR.login,
    head: Head | None = None,
    store_id: str = "",
    run: str = "",
) -> Event:
    """Return a signature over a run whose last event is `last`; the rest puts something false into it."""
    name = last.event.run
    end = head or Head(last.seq, last.hash)
    statement = Statement(
        store_id=store_id or store.store_id,
        run=run or name,
        checklist=RunKey.parse(name).checklist,
        definition_hash="0" * 64,
        business_date=TODAY,
        result=Result.PASS,
        counts={Outcome.PASS: 4},
        head_seq=end.seq,
        head_hash=end.hash,
        meaning=meaning,
        login=login,
        name="Day Operator",
        host="ops01",
        signed_at=MORNING,
        timezone="America/Chicago",
        utc_offset="-0600",
    )
    return event(Signed(statement=statement, signature=Signature(Tier.ATTRIBUTED)), name)
