"""The statements that read and add rows; each works on a connection that somebody else opened."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from opsconsole.contracts.store import Head, RunKey, StoreError
from opsconsole.model.encoding import decoded
from opsconsole.model.events import Event, Stored
from opsconsole.store.chain import BirthRow, Row, is_link, link
from opsconsole.store.documents import Entry, Facts

PAGE = 500
"""Rows read at once: few enough that a long walk never keeps a writer waiting."""

_SELECT = "SELECT seq, prev, hash, document, id, run, kind, checklist, period, period_end, meaning FROM events"

_INSERT = """
INSERT INTO events (seq, prev, hash, document, id, run, kind, checklist, period, period_end, meaning)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

_STANDING = """
SELECT coalesce((SELECT max(seq) FROM events WHERE run = :run), 0),
       EXISTS (SELECT 1 FROM events WHERE run = :run AND kind = 'opened'),
       EXISTS (SELECT 1 FROM events WHERE run = :run AND meaning = 'performed')
"""

_RUNS = "SELECT checklist, period FROM events WHERE kind = 'opened'"
_LATEST_FIRST = " ORDER BY period_end DESC, checklist, period LIMIT :limit"


class Standing(msgspec.Struct, frozen=True):
    """How far a run is."""

    last_seq: int
    opened: bool
    closed: bool
    """Signed off."""


def birth_of(connection: sqlite3.Connection) -> BirthRow:
    """Return the birth document."""
    row = connection.execute("SELECT store_id, hash, document FROM meta").fetchone()
    if row is None:
        raise StoreError("the record store has no birth document", "Put a backup in its place")
    return BirthRow(*row)


def last_link(connection: sqlite3.Connection) -> Head:
    """Return the end of the chain."""
    row = connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
    return Head(*row) if row is not None else Head(0, birth_of(connection).hash)


def hashes_of(connection: sqlite3.Connection) -> Callable[[int], str | None]:
    """Return what gives the hash of the link with a seq, None where there is none."""

    def hash_at(seq: int) -> str | None:
        if seq == 0:
            return birth_of(connection).hash
        row = connection.execute("SELECT hash FROM events WHERE seq = ?", (seq,)).fetchone()
        return row[0] if row is not None else None

    return hash_at


def standing_of(connection: sqlite3.Connection, run: str) -> Standing:
    """Return how far a run is."""
    last, opened, closed = connection.execute(_STANDING, {"run": run}).fetchone()
    return Standing(last, bool(opened), bool(closed))


def runs_of(connection: sqlite3.Connection, checklist: str, limit: int) -> list[RunKey]:
    """Return the runs of a checklist, or of all where it is empty, latest end of period first."""
    query = _RUNS + (" AND checklist = :checklist" if checklist else "") + _LATEST_FIRST
    values = {"checklist": checklist, "limit": limit or -1}
    return [RunKey(*row) for row in connection.execute(query, values)]


def documents_of(connection: sqlite3.Connection, run: str, after: int) -> list[tuple[int, bytes]]:
    """Return seq and exact bytes of one page of a run's events."""
    query = "SELECT seq, document FROM events WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?"
    return connection.execute(query, (run, after, PAGE)).fetchall()


def events_of(connection: sqlite3.Connection, run: str, after: int) -> list[Stored]:
    """Return a run's events beyond seq `after`."""
    query = f"{_SELECT} WHERE run = ? AND seq > ? ORDER BY seq"
    return [_stored(_row(values)) for values in connection.execute(query, (run, after))]


def all_rows(connection: sqlite3.Connection) -> Iterator[Row]:
    """Yield every row in the order of seq, a page at a time, so that writers come in between."""
    last, page = 0, PAGE
    query = f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT {PAGE}"
    while page == PAGE:
        found = connection.execute(query, (last,)).fetchall()
        for values in found:
            yield _row(values)
        page = len(found)
        last = found[-1][0] if found else last


def stored_already(connection: sqlite3.Connection, entry: Entry) -> Stored | None:
    """Return the stored form of an event, None where there is none with its id; raise StoreError for another."""
    values = connection.execute(f"{_SELECT} WHERE id = ?", (entry.facts.id,)).fetchone()
    if values is None:
        return None
    row = _row(values)
    if row.document != entry.document:
        raise StoreError(f"event {entry.facts.id} is stored already, with another content")
    return _stored(row)


def insert(connection: sqlite3.Connection, entry: Entry, head: Head) -> Stored:
    """Add an event after the link `head`."""
    seq, own, facts = head.seq + 1, link(head.hash, entry.document), entry.facts
    columns = (facts.id, facts.run, facts.kind, facts.checklist, facts.period, facts.period_end, facts.meaning)
    connection.execute(_INSERT, (seq, head.hash, own, entry.document, *columns))
    return Stored(seq=seq, event=entry.event, prev=head.hash, hash=own)


def _row(values: tuple[Any, ...]) -> Row:
    seq, prev, own, document, name, run, kind, checklist, period, period_end, meaning = values
    facts = Facts(
        id=name, run=run, kind=kind, checklist=checklist, period=period, period_end=period_end, meaning=meaning
    )
    return Row(seq, prev, own, facts, document)


def _stored(row: Row) -> Stored:
    """Return the event of a row; raise StoreError where it is not what was stored: nothing false is shown."""
    if not is_link(row.prev, row.document, row.hash):
        raise StoreError(
            f"event {row.seq} was changed after it was stored", "Check the record: opsconsole verify --all"
        )
    try:
        event = decoded(row.document, Event)
    except msgspec.MsgspecError as error:
        raise StoreError(
            f"event {row.seq} cannot be read: {error}",
            "It may have been written by a newer opsconsole: upgrade this one",
        ) from error
    if (event.id, event.run) != (row.facts.id, row.facts.run):
        raise StoreError(f"event {row.seq} was moved to another run", "Check the record: opsconsole verify --all")
    return Stored(seq=row.seq, event=event, prev=row.prev, hash=row.hash)
