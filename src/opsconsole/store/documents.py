"""From an event to the document that is stored, and from any document to the facts that a store keeps as columns.

Facts are read from the exact bytes with structs of their own, so that a record is checked, years later, without
depending on what the model has become.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from opsconsole.contracts.store import RunKey, StoreError, Unrecordable
from opsconsole.model.encoding import canonical, decoded
from opsconsole.model.events import Event, Meaning, Measured, Opened
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.record import sha256_of

OPENED = "opened"
MEASURED = "measured"
SIGNED = "signed"
AMENDED = "amended"
"""Corrects a signed run."""
PRUNED = "pruned"
"""Tells what was removed because of its age."""
RAISED = "raised"
"""Somebody found something to be done."""
HANDLED = "handled"
"""What became of that."""


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
        """Whether it is an amendment, a signature with another meaning, about an action item or removed files."""
        return self.kind in {AMENDED, PRUNED, RAISED, HANDLED} or (self.kind == SIGNED and not self.closes)

    @property
    def claims(self) -> bool:
        """Whether a person signed something in it: see Claim."""
        return self.kind in {SIGNED, AMENDED}


class Entry(msgspec.Struct, frozen=True):
    """An event ready to be stored."""

    event: Event
    """As it is read back, so that a writer sees what every later reader will."""
    document: bytes
    facts: Facts
    texts: tuple[str, ...] = ()
    """What is kept beside the document: the evidence that it holds the hashes of, in its order."""


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


class _Hashed(msgspec.Struct, frozen=True):
    sha256: str


class _Read(msgspec.Struct, frozen=True):
    evidence: tuple[_Hashed, ...] = ()


class _Measuring(msgspec.Struct, frozen=True):
    reading: _Read | None = None


class _Pruning(msgspec.Struct, frozen=True):
    through_seq: int = 0


_MEASURING = msgspec.json.Decoder(_Measuring)
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


def evidence_of(document: bytes) -> tuple[str, ...]:
    """Return the hashes of the evidence that belongs to the exact bytes of a `measured` event, in its order."""
    reading = _MEASURING.decode(bytes(_ENVELOPE.decode(document).body)).reading
    return tuple(each.sha256 for each in reading.evidence) if reading is not None else ()


def pruned_through(document: bytes) -> int:
    """Return up to which seq the evidence of a run was removed, told by the exact bytes of a `pruned` event."""
    return decoded(bytes(_ENVELOPE.decode(document).body), _Pruning).through_seq


def entry_of(event: Event) -> Entry:
    """Return `event` as it will be stored; raise Unrecordable where it could not be read back just the same."""
    _refuse_misshapen(event)
    try:
        bare, texts = detached(event)
        document = canonical(bare)
        same = decoded(document, Event)
        facts = facts_of(document)
    except (msgspec.MsgspecError, ValueError, TypeError, NotImplementedError, RecursionError) as error:
        raise Unrecordable(f"event {event.id} of {event.run} cannot be written down: {error}") from error
    if canonical(same) != document:
        raise Unrecordable(
            f"event {event.id} of {event.run} would be read back as something else; it was not stored"
        )
    return Entry(attached(same, texts), document, facts, texts)


def detached(event: Event) -> tuple[Event, tuple[str, ...]]:
    """Return `event` with the hashes of its evidence in place of the texts, and the texts.

    So what takes most room can be removed one day, and every hash of the chain still holds.
    """
    reading = _reading_of(event)
    if reading is None or not reading.evidence:
        return event, ()
    bare = tuple(replace(each, text="", sha256=sha256_of(each.text)) for each in reading.evidence)
    return _with_evidence(event, bare), tuple(each.text for each in reading.evidence)


def attached(event: Event, texts: Sequence[str | None]) -> Event:
    """Return `event` with its evidence texts put back; those that were removed are None and stay empty."""
    reading = _reading_of(event)
    if reading is None or not reading.evidence:
        return event
    if len(texts) != len(reading.evidence):
        raise ValueError(f"{len(reading.evidence)} evidence texts belong to it, {len(texts)} are stored")
    for each, text in zip(reading.evidence, texts, strict=True):
        if text is not None and sha256_of(text) != each.sha256:
            raise ValueError(f"its evidence '{each.title}' was changed")
    whole = (replace(each, text=text or "") for each, text in zip(reading.evidence, texts, strict=True))
    return _with_evidence(event, tuple(whole))


def _reading_of(event: Event) -> Reading | None:
    return event.body.reading if isinstance(event.body, Measured) else None


def _with_evidence(event: Event, evidence: tuple[Evidence, ...]) -> Event:
    if not isinstance(event.body, Measured) or event.body.reading is None:
        return event
    reading = replace(event.body.reading, evidence=evidence)
    return replace(event, body=replace(event.body, reading=reading))


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
