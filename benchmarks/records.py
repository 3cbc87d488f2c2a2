"""Records as large as years make them, written in seconds: the events of one real run, again and again.

The run is measured by the program and signed in its own record. For each further day its documents are taken with
other ids, another date, and hashes that fit, and put into the tables in one transaction, past the program's own
writing but through the guards of the database. `opsconsole verify` finds nothing wrong with the result.
"""

import contextlib
import datetime as dt
import re
import shutil
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.workshop import Workshop, shipped, without_systemd
from opsconsole.contracts.store import Link
from opsconsole.engine.identity import current_actor
from opsconsole.model.events import Body, Entered, Event, Measured, Signature, Signed, Ticked, Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Judgement
from opsconsole.model.runs import RunState, fold
from opsconsole.model.signoff import statement_of
from opsconsole.model.tiers import Tier
from opsconsole.model.values import seconds
from opsconsole.store.chain import link
from opsconsole.store.documents import facts_of
from opsconsole.store.sqlite import SqliteStore

CHECKLISTS = ("qbr-daily", "host-daily")
_ID = re.compile(rb'"id":"([0-9a-f-]{36})"')
_HEAD = re.compile(rb'"head_hash":"[0-9a-f]{64}","head_seq":\d+')
_STORE = re.compile(rb'"store_id":"[0-9a-f-]{36}"')
_EVENT = (
    "INSERT INTO events (seq, prev, hash, document, id, run, kind, checklist, period, period_end, meaning) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_TEXT = "INSERT INTO evidence (seq, place, text) VALUES (?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Pattern:
    """The events of one run of one day, signed."""

    checklist: str
    day: dt.date
    links: Sequence[Link]

    @property
    def short(self) -> "Pattern":
        """The same with its opening and its sign-off only."""
        return Pattern(self.checklist, self.day, (self.links[0], self.links[-1]))


def signed_run(path: Path, run: str) -> Pattern:
    """Sign a run of a record without a key, and return its events; what was not done in it does not matter here."""
    with SqliteStore(path) as store:
        state = fold(store.events(run))
        assert state is not None
        actor = current_actor(Via.COMMAND)
        statement = statement_of(state, actor, store_id=store.store_id, signed_at=dt.datetime.now(dt.UTC))
        body = Signed(statement=statement, signature=Signature(Tier.ATTRIBUTED))
        at = dt.datetime.now(dt.UTC)
        store.append([Event(id=str(uuid.uuid4()), run=run, at=at, actor=actor, body=body)])
        links = tuple(store.links(run, evidence=True))
    return Pattern(state.definition.id, state.times.business_date, links)


def finished_run(path: Path, run: str, *, failed: bool = False) -> Pattern:
    """Do by hand what is left of a run, sign it when it is due, and return its events.

    With `failed` its first item is measured once more, and fails. Signed in time, whenever the benchmark runs.
    """
    with SqliteStore(path) as store:
        state = fold(store.events(run))
        assert state is not None
        actor, at = current_actor(Via.COMMAND), state.times.due_at
        for body in _left_to_do(state, failed=failed):
            store.append([Event(id=str(uuid.uuid4()), run=run, at=at, actor=actor, body=body)])
        state = fold(store.events(run))
        assert state is not None
        statement = statement_of(state, actor, store_id=store.store_id, signed_at=at)
        signed = Signed(statement=statement, signature=Signature(Tier.ATTRIBUTED))
        store.append([Event(id=str(uuid.uuid4()), run=run, at=at, actor=actor, body=signed)])
        links = tuple(store.links(run, evidence=True))
    return Pattern(state.definition.id, state.times.business_date, links)


def _left_to_do(state: RunState, *, failed: bool) -> Iterator[Body]:
    """Yield ticks, entries that pass, and a pass for whatever the demo's host cannot show."""
    for name, item in state.items.items():
        if item.item.entry is not None:
            yield Entered(name, None, "3", Judgement(Outcome.PASS, "3"))
        elif item.item.manual:
            yield Ticked(name)
        elif item.outcome is not Outcome.PASS:
            yield _measured(state, name, Outcome.PASS)
    if failed:
        yield _measured(state, next(each.id for each in state.definition.items if each.measured), Outcome.FAIL)


def _measured(state: RunState, item: str, outcome: Outcome) -> Measured:
    targets = state.items[item].targets
    judgement = Judgement(outcome, str(outcome).lower())
    return Measured(
        item=item,
        target=targets[0] if targets else "",
        judgement=judgement,
        started_at=state.times.due_at,
        elapsed=seconds(0.1),
    )


def patterns(workshop: Workshop, name: str) -> dict[str, Pattern]:
    """Measure the shipped checklists once and sign them; return their runs by checklist."""
    texts = {each: shipped(each) for each in CHECKLISTS}
    installation = workshop.installation(name, {key: without_systemd(text) for key, text in texts.items()})
    state = installation.fresh_state()
    for checklist in CHECKLISTS:
        argv = installation.headless(state, checklist, "--quiet")
        subprocess.run(argv, env=dict(installation.environment), check=False, capture_output=True)
    path = state / "opsconsole.db"
    with SqliteStore(path) as store:
        keys = store.runs()
    return {key.checklist: signed_run(path, key.id) for key in keys}


def days_before(last: dt.date, count: int) -> list[dt.date]:
    """Return so many days, the last one being `last`, in their order."""
    return [last - dt.timedelta(days=ago) for ago in reversed(range(count))]


def write_record(path: Path, runs: Sequence[tuple[Pattern, dt.date]]) -> int:
    """Write a record with a run for each pattern and day, in that order; return how many events it has."""
    store = SqliteStore(path)
    writing = _Writing(store.store_id, store.head().hash)
    store.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")
        connection.execute("BEGIN")
        for pattern, day in runs:
            for row, texts in writing.run(pattern, day):
                connection.execute(_EVENT, row)
                connection.executemany(_TEXT, texts)
        connection.execute("COMMIT")
    return writing.seq


def copied(path: Path, directory: Path) -> Path:
    """Return a copy of a record in a new directory of its own, as the program's place for records."""
    directory.mkdir(mode=0o700, parents=True)
    return Path(shutil.copy2(path, directory / "opsconsole.db"))


class _Writing:
    """Goes along the chain."""

    def __init__(self, store_id: str, head: str) -> None:
        self.seq = 0
        self._store = f'"store_id":"{store_id}"'.encode()
        self._head = head

    def run(
        self, pattern: Pattern, day: dt.date
    ) -> Iterator[tuple[tuple[object, ...], list[tuple[int, int, str]]]]:
        """Yield the rows of a run, each with those of its evidence."""
        before, now = pattern.day.isoformat().encode(), day.isoformat().encode()
        for each in pattern.links:
            self.seq += 1
            document = _ID.sub(b'"id":"%s"' % _name(self.seq), each.document.replace(before, now), count=1)
            if b'"store_id"' in document:
                document = _STORE.sub(self._store, document)
                head = b'"head_hash":"%s","head_seq":%d' % (self._head.encode(), self.seq - 1)
                document = _HEAD.sub(head, document)
            facts = facts_of(document)
            prev, self._head = self._head, link(self._head, document)
            columns = (facts.checklist, facts.period, facts.period_end, facts.meaning)
            row = (self.seq, prev, self._head, document, facts.id, facts.run, facts.kind, *columns)
            yield row, [(self.seq, at, text) for at, text in enumerate(each.evidence) if text is not None]


def _name(number: int) -> bytes:
    digits = f"{number:032x}"
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts).encode()
