"""From an event to the document that is stored, and from any document to the facts that a store keeps as columns.

Facts are read from the exact bytes with structs of their own, so that a record is checked, years later, without
depending on what the model has become.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from opsconsole.contracts.store import RunKey, StoreError, Unrecordable
from opsconsole.model.encoding import canonical, decoded
from opsconsole.model.events import Event, Meaning, Opened

OPENED = "opened"
SIGNED = "signed"
AMENDED = "amended"
"""Corrects a signed run: besides other signatures, the only one that may follow its sign-off."""


class Claim(msgspec.Struct, frozen=True):
    """The part of a signed statement that binds it to a place in a chain."""

    store_id: str
    run: str
    meaning: str
    head_seq: int
    head_hash: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a store keeps beside a document to find it again; each is in the document too."""

    id: str
    run: str
    kind: str
    checklist: str | None = None
    """Of an `opened` event."""
    period: str | None = None
    """Of an `opened` event: the period's key, such as `2026-11-21` or `2026-W47`."""
    period_end: str | None = None
    """Of an `opened` event: the last date of the period, by which runs of unlike cadences are ordered."""
    meaning: str | None = None
    """Of a `signed` event."""

    @property
    def closes(self) -> bool:
        """Whether it is the sign-off after which the run is only amended."""
        return self.meaning == Meaning.PERFORMED

    @property
    def may_follow_sign_off(self) -> bool:
        """Whether it is an amendment, or a signature with another meaning."""
        return self.kind == AMENDED or (self.kind == SIGNED and not self.closes)


class Entry(msgspec.Struct, frozen=True):
    """An event ready to be stored."""

    event: Event
    """As it is read back from the document, so that a writer sees what every later reader will."""
    document: bytes
    facts: Facts


class _Envelope(msgspec.Struct, frozen=True):
    id: str
    run: str
    body: msgspec.Raw


class _Tag(msgspec.Struct, frozen=True):
    type: str


class _Period(msgspec.Struct, frozen=True):
    key: str
    end: dt.date


class _Times(msgspec.Struct, frozen=True):
    period: _Period


class _Opening(msgspec.Struct, frozen=True):
    times: _Times


class _Signing(msgspec.Struct, frozen=True):
    statement: Claim


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_TAG = msgspec.json.Decoder(_Tag)


def facts_of(document: bytes) -> Facts:
    """Return what the exact bytes of an event say; raise msgspec.MsgspecError or ValueError where they are none."""
    envelope = _ENVELOPE.decode(document)
    body = bytes(envelope.body)
    kind = _TAG.decode(body).type
    common: dict[str, Any] = {"id": envelope.id, "run": envelope.run, "kind": kind}
    if kind == OPENED:
        key, period = RunKey.parse(envelope.run), decoded(body, _Opening).times.period
        return Facts(**common, checklist=key.checklist, period=key.period, period_end=period.end.isoformat())
    if kind == SIGNED:
        return Facts(**common, meaning=decoded(body, _Signing).statement.meaning)
    return Facts(**common)


def claim_of(document: bytes) -> Claim:
    """Return what the exact bytes of a `signed` event claim; raises as `facts_of` does."""
    return decoded(bytes(_ENVELOPE.decode(document).body), _Signing).statement


def entry_of(event: Event) -> Entry:
    """Return `event` as it will be stored; raise Unrecordable where it could not be read back just the same."""
    _refuse_misshapen(event)
    try:
        document = canonical(event)
        same = decoded(document, Event)
        facts = facts_of(document)
    except (msgspec.MsgspecError, ValueError, TypeError, NotImplementedError, RecursionError) as error:
        raise Unrecordable(f"event {event.id} of {event.run} cannot be written down: {error}") from error
    if canonical(same) != document:
        raise Unrecordable(
            f"event {event.id} of {event.run} would be read back as something else; it was not stored"
        )
    return Entry(same, document, facts)


def without_repetition(entries: Sequence[Entry]) -> list[Entry]:
    """Return each event once; raise StoreError where unlike ones have the same id."""
    found: dict[str, Entry] = {}
    for entry in entries:
        if found.setdefault(entry.facts.id, entry).document != entry.document:
            raise StoreError(f"two unlike events have the id {entry.facts.id}")
    return list(found.values())


def _refuse_misshapen(event: Event) -> None:
    """Refuse what only a mistake of the writer can bring forth, before it becomes part of a record for ever."""
    try:
        proper = str(uuid.UUID(event.id)) == event.id
        key = RunKey.parse(event.run)
    except ValueError as error:
        raise StoreError(f"event '{event.id}' of run '{event.run}' is misshapen: {error}") from error
    if not proper:
        raise StoreError(f"event id '{event.id}' is not a UUID in its usual spelling")
    if event.at.utcoffset() != dt.timedelta(0):
        raise StoreError(f"event {event.id} is dated {event.at}, which is not UTC")
    if isinstance(event.body, Opened):
        told = RunKey(event.body.definition.id, event.body.times.period.key)
        if told != key:
            raise StoreError(f"the opening of {event.run} is that of {told.id}")
