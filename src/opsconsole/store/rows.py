"""The statements that read and add rows; each works on a connection that somebody else opened."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from opsconsole.contracts.store import Extract, Head, Link, RunKey, StoreError
from opsconsole.model.events import Stored
from opsconsole.store.admitting import Standing
from opsconsole.store.chain import BirthRow, Row
from opsconsole.store.chain import link as hash_of
from opsconsole.store.documents import Entry, facts_of
from opsconsole.store.reading import (
    COLUMNS,
    Texts,
    columns_of,
    extract_of,
    grouped,
    row_of,
    stored_event,
    texts_for,
)

PAGE = 500
"""Rows read at once: few enough that a long walk never keeps a writer waiting."""

_SELECT = f"SELECT {COLUMNS} FROM events"  # noqa: S608 - a constant

_INSERT = f"INSERT INTO events ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - a constant
_INSERT_TEXT = "INSERT INTO evidence (seq, place, text) VALUES (?, ?, ?)"

_STANDING = """
SELECT coalesce((SELECT max(seq) FROM events WHERE run = :run), 0),
       EXISTS (SELECT 1 FROM events WHERE run = :run AND kind = 'opened'),
       EXISTS (SELECT 1 FROM events WHERE run = :run AND meaning = 'performed')
"""

_LINKS_OF_RUN = """
SELECT seq, prev, hash, document FROM events WHERE run = :run AND seq > :after ORDER BY seq LIMIT :page
"""
_ALL_LINKS = "SELECT seq, prev, hash, document FROM events WHERE seq > :after ORDER BY seq LIMIT :page"

_SEQS_OF_KINDS = """
SELECT seq FROM events
 WHERE seq > ? AND kind IN ({kinds})
   AND run IN (SELECT run FROM events WHERE kind = 'opened' AND checklist = ?)
 ORDER BY seq
"""
_EXTRACTS = "SELECT seq, run, kind, prev, hash, document FROM events WHERE seq IN ({seqs}) ORDER BY seq"

_TEXTS_OF_RUN = """
SELECT evidence.seq, place, text FROM evidence JOIN events ON events.seq = evidence.seq
 WHERE events.run = ? AND events.seq > ?
"""

_RUNS = "SELECT checklist, period FROM events WHERE kind = 'opened'"
_WITH_ACTIONS = " AND run IN (SELECT run FROM events WHERE kind = 'raised')"
_LATEST_FIRST = " ORDER BY period_end DESC, checklist, period DESC LIMIT :limit"


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


def runs_of(connection: sqlite3.Connection, checklist: str, limit: int, *, with_actions: bool) -> list[RunKey]:
    """Return the runs of a checklist, or of all where it is empty, latest end of period first."""
    narrowed = (" AND checklist = :checklist" if checklist else "") + (_WITH_ACTIONS if with_actions else "")
    query = _RUNS + narrowed + _LATEST_FIRST
    values = {"checklist": checklist, "limit": limit or -1}
    return [RunKey(*row) for row in connection.execute(query, values)]


def links_of(connection: sqlite3.Connection, run: str, after: int, *, evidence: bool) -> list[Link]:
    """Return one page of a run's events, or of all where it is empty, as they are stored."""
    query = _LINKS_OF_RUN if run else _ALL_LINKS
    found = connection.execute(query, {"run": run, "after": after, "page": PAGE}).fetchall()
    texts: Texts = {}
    if found and evidence:
        first, last = found[0][0], found[-1][0]
        texts = _texts_of_run(connection, run, first, last) if run else texts_between(connection, first, last)
    return [
        Link(seq, prev, own, document, texts_for(seq, document, texts) if evidence else ())
        for seq, prev, own, document in found
    ]


def seqs_of_kinds(connection: sqlite3.Connection, checklist: str, kinds: Sequence[str], after: int) -> list[int]:
    """Return which events of a checklist's runs are of some kinds.

    Without their documents, and all at once: they are found by run, and every page would have to sort what is left.
    """
    query = _SEQS_OF_KINDS.format(kinds=", ".join("?" * len(kinds)))
    return [seq for (seq,) in connection.execute(query, (after, *kinds, checklist))]


def extracts_of(connection: sqlite3.Connection, seqs: Sequence[int]) -> list[Extract]:
    """Return these events in order, a page of them at most."""
    query = _EXTRACTS.format(seqs=", ".join("?" * len(seqs)))
    return [extract_of(row) for row in connection.execute(query, seqs)]


def events_of(connection: sqlite3.Connection, run: str, after: int) -> list[Stored]:
    """Return a run's events beyond seq `after`."""
    query = f"{_SELECT} WHERE run = ? AND seq > ? ORDER BY seq"
    texts = grouped(connection.execute(_TEXTS_OF_RUN, (run, after)))
    return [_stored(row_of(values), texts.get(values[0], {})) for values in connection.execute(query, (run, after))]


def _texts_of_run(connection: sqlite3.Connection, run: str, first: int, last: int) -> Texts:
    """Return the evidence texts of a run's events from seq `first` to `last`; many of others may lie in between."""
    return grouped(connection.execute(f"{_TEXTS_OF_RUN} AND events.seq <= ?", (run, first - 1, last)))


def texts_between(connection: sqlite3.Connection, first: int, last: int) -> Texts:
    """Return the evidence texts of the events from seq `first` to `last`."""
    query = "SELECT seq, place, text FROM evidence WHERE seq BETWEEN ? AND ?"
    return grouped(connection.execute(query, (first, last)))


def remove_texts(connection: sqlite3.Connection, run: str, through_seq: int) -> int:
    """Remove the evidence texts of a run up to a seq; return how many there were."""
    query = "DELETE FROM evidence WHERE seq IN (SELECT seq FROM events WHERE run = ? AND seq <= ?)"
    return connection.execute(query, (run, through_seq)).rowcount


def all_rows(connection: sqlite3.Connection) -> Iterator[Row]:
    """Yield every row in the order of seq, a page at a time, so that writers come in between."""
    last, page = 0, PAGE
    query = f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT {PAGE}"
    while page == PAGE:
        found = connection.execute(query, (last,)).fetchall()
        texts = texts_between(connection, found[0][0], found[-1][0]) if found else {}
        for values in found:
            row = row_of(values)
            beside = texts.get(row.seq, {})
            yield msgspec.structs.replace(row, texts=texts_for(row.seq, row.document, texts)) if beside else row
        page = len(found)
        last = found[-1][0] if found else last


def stored_already(connection: sqlite3.Connection, entry: Entry) -> Stored | None:
    """Return the stored form of an event, None where there is none with its id; raise StoreError for another."""
    values = connection.execute(f"{_SELECT} WHERE id = ?", (entry.facts.id,)).fetchone()
    if values is None:
        return None
    row = row_of(values)
    if row.document != entry.document:
        raise StoreError(f"event {entry.facts.id} is stored already, with another content")
    return _stored(row, texts_between(connection, row.seq, row.seq).get(row.seq, {}))


def insert(connection: sqlite3.Connection, entry: Entry, head: Head) -> Stored:
    """Add an event after the link `head`."""
    seq, own, facts = head.seq + 1, hash_of(head.hash, entry.document), entry.facts
    connection.execute(_INSERT, (seq, head.hash, own, entry.document, *columns_of(facts)))
    for place, text in enumerate(entry.texts):
        connection.execute(_INSERT_TEXT, (seq, place, text))
    return Stored(seq=seq, event=entry.event, prev=head.hash, hash=own)


def insert_link(connection: sqlite3.Connection, link: Link) -> None:
    """Add an event exactly as another store has it."""
    columns = columns_of(facts_of(link.document))
    connection.execute(_INSERT, (link.seq, link.prev, link.hash, link.document, *columns))
    for place, text in enumerate(link.evidence):
        if text is not None:
            connection.execute(_INSERT_TEXT, (link.seq, place, text))


def _stored(row: Row, texts: Mapping[int, str]) -> Stored:
    return stored_event(row, texts_for(row.seq, row.document, {row.seq: texts}))
