"""The statements that read and add rows in PostgreSQL; each works on a connection that somebody else opened.

What is read comes in binary, which costs neither side a conversion.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from opsconsole.contracts.store import Extract, Head, Link, RunKey, StoreError
from opsconsole.model.events import Stored
from opsconsole.store.admitting import Standing
from opsconsole.store.chain import BirthRow, Row
from opsconsole.store.chain import link as hash_of
from opsconsole.store.documents import Entry, facts_of
from opsconsole.store.postgres_connection import Connection, Questions
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

PAGE = 1_000
"""Rows read at once."""

_SELECT = f"SELECT {COLUMNS} FROM opsconsole.events"  # noqa: S608 - a constant
_LINKS = "SELECT seq, prev, hash, document FROM opsconsole.events"
_TEXTS = "SELECT v.seq, v.place, v.text FROM opsconsole.evidence v"

_BIRTH = "SELECT store_id, hash, document FROM opsconsole.meta"
_LAST = "SELECT seq, hash FROM opsconsole.events ORDER BY seq DESC LIMIT 1"
_HASH = "SELECT hash FROM opsconsole.events WHERE seq = %s"
_BY_ID = f"{_SELECT} WHERE id = ANY(%s)"
_STANDING = """
SELECT coalesce((SELECT max(seq) FROM opsconsole.events WHERE run = %(run)s), 0),
       EXISTS (SELECT FROM opsconsole.events WHERE run = %(run)s AND kind = 'opened'),
       EXISTS (SELECT FROM opsconsole.events WHERE run = %(run)s AND meaning = 'performed')
"""
_OF_RUN = f"{_SELECT} WHERE run = %s AND seq > %s ORDER BY seq"
_TEXTS_OF_RUN = f"{_TEXTS} JOIN opsconsole.events e ON e.seq = v.seq WHERE e.run = %s AND e.seq > %s"
_TEXTS_BY_ID = f"{_TEXTS} JOIN opsconsole.events e ON e.seq = v.seq WHERE e.id = ANY(%s)"
_TEXTS_BETWEEN = f"{_TEXTS} WHERE v.seq BETWEEN %s AND %s"
_LINKS_OF_RUN = f"{_LINKS} WHERE run = %(run)s AND seq > %(after)s ORDER BY seq LIMIT {PAGE}"
_ALL_LINKS = f"{_LINKS} WHERE seq > %(after)s ORDER BY seq LIMIT {PAGE}"
_EXTRACTS = f"""
SELECT seq, run, kind, prev, hash, document FROM opsconsole.events
 WHERE seq > %(after)s AND kind = ANY(%(kinds)s)
   AND run IN (SELECT run FROM opsconsole.events WHERE kind = 'opened' AND checklist = %(checklist)s)
 ORDER BY seq LIMIT {PAGE}
"""  # noqa: S608 - a constant
_PAGE = f"{_SELECT} WHERE seq > %s ORDER BY seq LIMIT {PAGE}"
_RUNS = """
SELECT checklist, period FROM opsconsole.events WHERE kind = 'opened' {narrowed}
 ORDER BY period_end DESC, checklist, period DESC LIMIT %(limit)s
"""
_WITH_ACTIONS = "AND run IN (SELECT run FROM opsconsole.events WHERE kind = 'raised')"
_INSERT = f"INSERT INTO opsconsole.events ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"  # noqa: S608 - a constant
_INSERT_TEXT = "INSERT INTO opsconsole.evidence (seq, place, text) VALUES (%s, %s, %s)"
_DELETE_TEXTS = """
DELETE FROM opsconsole.evidence WHERE seq IN (SELECT seq FROM opsconsole.events WHERE run = %s AND seq <= %s)
"""


def _asked(connection: Connection, query: str, values: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor(binary=True) as cursor:
        return cursor.execute(query.encode(), values).fetchall()


class Before(msgspec.Struct, frozen=True):
    """What an append has to know of the chain and of its run."""

    standing: Standing
    head: Head
    known: dict[str, Stored]
    """Those of its events that are stored already, by id."""


def ask_before(questions: Questions, entries: Sequence[Entry]) -> Callable[[], Before]:
    """Ask what an append of `entries` has to know; the answer can be had once the questions were sent.

    The answer raises StoreError where an event of the same id and another content is stored.
    """
    same = questions.ask(_BY_ID, ([entry.facts.id for entry in entries],))
    texts = questions.ask(_TEXTS_BY_ID, ([entry.facts.id for entry in entries],))
    standing = questions.ask(_STANDING, {"run": entries[0].facts.run})
    last = questions.ask(_LAST)
    birth = questions.ask(_BIRTH)

    def answer() -> Before:
        found = {row.facts.id: row for row in map(row_of, same())}
        beside = _texts(texts())
        known = {}
        for entry in entries:
            row = found.get(entry.facts.id)
            if row is None:
                continue
            if row.document != entry.document:
                raise StoreError(f"event {entry.facts.id} is stored already, with another content")
            known[entry.facts.id] = _stored(row, beside.get(row.seq, {}))
        head = Head(*last()[0]) if last() else Head(0, _birth(birth()).hash)
        ((last_seq, opened, closed),) = standing()
        return Before(Standing(last_seq, opened, closed), head, known)

    return answer


def insert(additions: Questions, entry: Entry, head: Head) -> Stored:
    """Add an event after the link `head`, once the additions are sent."""
    own = hash_of(head.hash, entry.document)
    _insert(additions, Link(head.seq + 1, head.hash, own, entry.document, entry.texts), columns_of(entry.facts))
    return Stored(seq=head.seq + 1, event=entry.event, prev=head.hash, hash=own)


def insert_link(additions: Questions, link: Link) -> None:
    """Add an event exactly as another store has it, once the additions are sent."""
    _insert(additions, link, columns_of(facts_of(link.document)))


def _insert(additions: Questions, link: Link, columns: Sequence[str | None]) -> None:
    additions.ask(_INSERT, (link.seq, link.prev, link.hash, link.document, *columns))
    for place, text in enumerate(link.evidence):
        if text is not None:
            additions.ask(_INSERT_TEXT, (link.seq, place, text.encode("utf-8")))


def birth_of(connection: Connection) -> BirthRow:
    """Return the birth document."""
    return _birth(_asked(connection, _BIRTH))


def last_link(connection: Connection) -> Head:
    """Return the end of the chain."""
    found = _asked(connection, _LAST)
    return Head(*found[0]) if found else Head(0, birth_of(connection).hash)


def hashes_of(connection: Connection) -> Callable[[int], str | None]:
    """Return what gives the hash of the link with a seq, None where there is none."""

    def hash_at(seq: int) -> str | None:
        if seq == 0:
            return birth_of(connection).hash
        found = _asked(connection, _HASH, (seq,))
        return found[0][0] if found else None

    return hash_at


def standing_of(connection: Connection, run: str) -> Standing:
    """Return how far a run is."""
    ((last, opened, closed),) = _asked(connection, _STANDING, {"run": run})
    return Standing(last, opened, closed)


def runs_of(connection: Connection, checklist: str, limit: int, *, with_actions: bool) -> list[RunKey]:
    """Return the runs of a checklist, or of all where it is empty, latest end of period first."""
    of_checklist = "AND checklist = %(checklist)s " if checklist else ""
    query = _RUNS.format(narrowed=of_checklist + (_WITH_ACTIONS if with_actions else ""))
    return [RunKey(*row) for row in _asked(connection, query, {"checklist": checklist, "limit": limit or None})]


def events_of(connection: Connection, run: str, after: int) -> list[Stored]:
    """Return a run's events beyond seq `after`."""
    with connection.pipeline():
        found = connection.execute(_OF_RUN.encode(), (run, after), binary=True)
        beside = connection.execute(_TEXTS_OF_RUN.encode(), (run, after), binary=True)
    texts = _texts(beside.fetchall())
    return [_stored(row, texts.get(row.seq, {})) for row in map(row_of, found.fetchall())]


def links_of(connection: Connection, run: str, after: int, *, evidence: bool) -> list[Link]:
    """Return one page of a run's events, or of all where it is empty, as they are stored."""
    found = _asked(connection, _LINKS_OF_RUN if run else _ALL_LINKS, {"run": run, "after": after})
    texts: Texts = {}
    if found and evidence:
        first, last = found[0][0], found[-1][0]
        texts = _texts_of_run(connection, run, first, last) if run else texts_between(connection, first, last)
    return [
        Link(seq, prev, own, document, texts_for(seq, document, texts) if evidence else ())
        for seq, prev, own, document in found
    ]


def extracts_of(connection: Connection, checklist: str, kinds: Sequence[str], after: int) -> list[Extract]:
    """Return one page of the events of some kinds of a checklist's runs."""
    found = _asked(connection, _EXTRACTS, {"after": after, "kinds": list(kinds), "checklist": checklist})
    return [extract_of(row) for row in found]


def all_rows(connection: Connection) -> Iterator[Row]:
    """Yield every row in the order of seq, a page at a time."""
    last, page = 0, PAGE
    while page == PAGE:
        found = [row_of(values) for values in _asked(connection, _PAGE, (last,))]
        texts = texts_between(connection, found[0].seq, found[-1].seq) if found else {}
        for row in found:
            beside = row.seq in texts
            yield msgspec.structs.replace(row, texts=texts_for(row.seq, row.document, texts)) if beside else row
        page = len(found)
        last = found[-1].seq if found else last


def _texts_of_run(connection: Connection, run: str, first: int, last: int) -> Texts:
    """Return the evidence texts of a run's events from seq `first` to `last`; many of others may lie in between."""
    return _texts(_asked(connection, f"{_TEXTS_OF_RUN} AND e.seq <= %s", (run, first - 1, last)))


def texts_between(connection: Connection, first: int, last: int) -> Texts:
    """Return the evidence texts of the events from seq `first` to `last`."""
    return _texts(_asked(connection, _TEXTS_BETWEEN, (first, last)))


def remove_texts(connection: Connection, run: str, through_seq: int) -> int:
    """Remove the evidence texts of a run up to a seq; return how many there were."""
    return connection.execute(_DELETE_TEXTS, (run, through_seq)).rowcount


def _birth(found: list[tuple[Any, ...]]) -> BirthRow:
    if not found:
        raise StoreError("the record store has no birth document", "Restore a backup")
    return BirthRow(*found[0])


def _texts(found: list[tuple[Any, ...]]) -> Texts:
    """Return texts from their bytes; of damaged ones something that has another hash."""
    return grouped((seq, place, bytes(text).decode("utf-8", "replace")) for seq, place, text in found)


def _stored(row: Row, texts: Mapping[int, str]) -> Stored:
    return stored_event(row, texts_for(row.seq, row.document, {row.seq: texts}))
