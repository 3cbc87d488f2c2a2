"""From what a store holds back to an event, whichever kind of store it is: nothing false is shown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from opsconsole.contracts.store import Extract, StoreError
from opsconsole.model.encoding import decoded
from opsconsole.model.events import Event, Stored
from opsconsole.store.chain import Row, is_link
from opsconsole.store.documents import MEASURED, Facts, attached, evidence_of, facts_of

COLUMNS = "seq, prev, hash, document, id, run, kind, checklist, period, period_end, meaning"
"""The columns of an event in the order of `row_of` and `columns_of`, the same in every kind of store."""

Texts = Mapping[int, Mapping[int, str]]
"""Evidence texts by seq of their event and place in it."""


def row_of(values: Sequence[Any]) -> Row:
    """Return an event from its COLUMNS."""
    seq, prev, own, document, name, run, kind, checklist, period, period_end, meaning = values
    facts = Facts(
        id=name, run=run, kind=kind, checklist=checklist, period=period, period_end=period_end, meaning=meaning
    )
    return Row(seq, prev, own, facts, document)


def extract_of(values: Sequence[Any]) -> Extract:
    """Return an event from its seq, run, kind, prev, hash and document."""
    seq, run, kind, prev, own, document = values
    return Extract(seq, run, kind, own, document, sound=is_link(prev, document, own))


def columns_of(facts: Facts) -> tuple[str | None, ...]:
    """Return the last seven of an event's COLUMNS."""
    return (facts.id, facts.run, facts.kind, facts.checklist, facts.period, facts.period_end, facts.meaning)


def grouped(found: Iterable[tuple[int, int, str]]) -> Texts:
    """Return evidence texts, given with the seq of their event and their place, as `texts_for` wants them."""
    texts: dict[int, dict[int, str]] = {}
    for seq, place, text in found:
        texts.setdefault(seq, {})[place] = text
    return texts


def texts_for(seq: int, document: object, texts: Texts) -> tuple[str | None, ...]:
    """Return the texts that belong to an event, in its order, None for each that is not there any more.

    Texts that the event knows nothing of come after them. A damaged file can hold any document and any place.
    """
    found = texts.get(seq, {})
    hashes = _hashes_of(document)
    own = tuple(found.get(place) for place in range(len(hashes)))
    return (*own, *(text for place, text in found.items() if place not in range(len(hashes))))


def _hashes_of(document: object) -> tuple[str, ...]:
    if not isinstance(document, bytes) or b'"evidence"' not in document:
        return ()
    try:
        return evidence_of(document) if facts_of(document).kind == MEASURED else ()
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ()


def stored_event(row: Row, texts: Sequence[str | None]) -> Stored:
    """Return the event of a row; raise StoreError where it is not what was stored."""
    if not is_link(row.prev, row.document, row.hash):
        raise StoreError(
            f"event {row.seq} was changed after it was stored", "Check the record: opsconsole verify --all"
        )
    try:
        event = decoded(row.document, Event)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise StoreError(
            f"event {row.seq} cannot be read: {error}",
            "It may have been written by a newer opsconsole: upgrade this one",
        ) from error
    if (event.id, event.run) != (row.facts.id, row.facts.run):
        raise StoreError(f"event {row.seq} was moved to another run", "Check the record: opsconsole verify --all")
    try:
        whole = attached(event, texts)
    except ValueError as error:
        raise StoreError(f"event {row.seq}: {error}", "Check the record: opsconsole verify --all") from error
    return Stored(seq=row.seq, event=whole, prev=row.prev, hash=row.hash)
