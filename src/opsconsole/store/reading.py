"""From what a store holds back to an event, whichever kind of store it is: nothing false is shown."""

from collections.abc import Mapping, Sequence

import msgspec

from opsconsole.contracts.store import StoreError
from opsconsole.model.encoding import decoded
from opsconsole.model.events import Event, Stored
from opsconsole.store.chain import Row, is_link
from opsconsole.store.documents import MEASURED, attached, evidence_of, facts_of

Texts = Mapping[int, Mapping[int, str]]
"""Evidence texts by seq of their event and place in it."""


def texts_for(seq: int, document: bytes, texts: Texts) -> tuple[str | None, ...]:
    """Return the texts that belong to an event, in its order, None for each that is not there any more."""
    found = texts.get(seq, {})
    if not found and b'"evidence"' not in document:
        return ()
    try:
        hashes = evidence_of(document) if facts_of(document).kind == MEASURED else ()
    except (msgspec.MsgspecError, ValueError):
        hashes = ()
    return tuple(found.get(place) for place in range(max(len(hashes), max(found, default=-1) + 1)))


def stored_event(row: Row, texts: Sequence[str | None]) -> Stored:
    """Return the event of a row; raise StoreError where it is not what was stored."""
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
    try:
        whole = attached(event, texts)
    except ValueError as error:
        raise StoreError(f"event {row.seq}: {error}", "Check the record: opsconsole verify --all") from error
    return Stored(seq=row.seq, event=whole, prev=row.prev, hash=row.hash)
