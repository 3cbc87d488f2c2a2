"""Runs in outline: what was opened, signed and amended, read for years of them without their readings."""

import datetime as dt
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from opsconsole.contracts.store import Extract, Store
from opsconsole.model.calendar import Times
from opsconsole.model.checklists import Checklist
from opsconsole.model.deeds import By, Corrected
from opsconsole.model.encoding import decoded
from opsconsole.model.events import Actor, Amended, Signed
from opsconsole.model.qualifications import DayFact, substance_hash
from opsconsole.model.runs import RunState, SignOff

KINDS = ("opened", "redefined", "skipped", "signed", "amended")
"""The events that an outline is made of."""


class _Head(msgspec.Struct, frozen=True):
    """What every event says of itself."""

    at: dt.datetime
    actor: Actor


class _Opening(msgspec.Struct, frozen=True):
    times: Times
    definition: msgspec.Raw
    definition_hash: str
    missed: bool = False
    qualified: tuple[dt.date, dt.date] | None = None


class _OpeningEvent(msgspec.Struct, frozen=True):
    body: _Opening


class _Redefining(msgspec.Struct, frozen=True):
    definition: msgspec.Raw
    definition_hash: str


class _RedefiningEvent(msgspec.Struct, frozen=True):
    body: _Redefining


class _SigningEvent(msgspec.Struct, frozen=True):
    body: Signed | Amended


@dataclass(frozen=True)
class Known:
    """A definition that runs have followed, decoded once for all of them."""

    checklist: Checklist
    substance: str


@dataclass
class Outline:
    """One run without its items, as far as it has been read."""

    state: RunState
    substance: str
    """Of the definition that it follows now."""
    followed: list[tuple[dt.datetime, Checklist]]
    """Each definition that it has followed, with the moment from which on."""
    skipped: bool = False
    """Whether a person ever skipped an item of it; that may have been taken back."""
    last_seq: int = 0
    facts: dict[str, DayFact] = field(default_factory=dict)
    """What was drawn from it for a qualification; forgotten when anything is added."""


class Outlines:
    """The runs of one checklist in outline. What was read stays; only what was added since is read again."""

    def __init__(self, store: Store, checklist: str) -> None:
        self._store = store
        self._checklist = checklist
        self._known: dict[bytes, Known] = {}
        self._present = _Reading()
        self._lock = threading.Lock()

    def read(self, until: dt.datetime | None = None) -> "Readable":
        """Return the runs by what was stored until an instant, by everything without one. Reads the store.

        Where a clock was set back, nothing of a run counts that stands behind its first event of a later date.
        """
        with self._lock:
            self._add(self._present)
            if until is None or until >= self._present.latest:
                return self._present.readable()
            earlier = _Reading(until)
            self._add(earlier)
            return earlier.readable()

    def _add(self, reading: "_Reading") -> None:
        for each in self._store.extracts(self._checklist, KINDS, after=reading.after):
            reading.after = each.seq
            if each.run not in reading.closed and each.run not in reading.faults:
                try:
                    self._take(reading, each)
                except (msgspec.MsgspecError, ValueError, LookupError, RecursionError) as error:
                    reading.faults[each.run] = f"event {each.seq} cannot be read: {error}"

    def _take(self, reading: "_Reading", extract: Extract) -> None:
        """Take in the next event; raises ValueError where it is none that was written here."""
        if not extract.sound:
            raise ValueError("it was changed after it was stored")
        head = decoded(extract.document, _Head)
        if reading.until is not None and head.at > reading.until:
            reading.closed.add(extract.run)
            return
        reading.latest = max(reading.latest, head.at)
        if extract.kind == "opened":
            reading.runs[extract.run] = self._opened(extract, head)
            return
        outline = reading.runs[extract.run]
        outline.last_seq = extract.seq
        outline.facts.clear()
        match extract.kind:
            case "redefined":
                body = decoded(extract.document, _RedefiningEvent).body
                known = self._definition(body.definition)
                outline.state.definition, outline.state.definition_hash = known.checklist, body.definition_hash
                outline.substance = known.substance
                outline.followed.append((head.at, known.checklist))
            case "skipped":
                outline.skipped = True
            case _:
                _sign(outline.state, extract, head, decoded(extract.document, _SigningEvent).body)

    def _opened(self, extract: Extract, head: "_Head") -> Outline:
        body = decoded(extract.document, _OpeningEvent).body
        known = self._definition(body.definition)
        state = RunState(
            run=extract.run,
            times=body.times,
            definition=known.checklist,
            definition_hash=body.definition_hash,
            opened=By(head.actor, head.at),
            missed=body.missed,
            qualified=body.qualified,
            items={},
        )
        return Outline(state, known.substance, [(head.at, known.checklist)], last_seq=extract.seq)

    def _definition(self, raw: msgspec.Raw) -> Known:
        document = bytes(raw)
        if document not in self._known:
            checklist = decoded(document, Checklist)
            self._known[document] = Known(checklist, substance_hash(checklist))
        return self._known[document]


_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass
class _Reading:
    """How far the events were read, and what they came to."""

    until: dt.datetime | None = None
    after: int = 0
    latest: dt.datetime = _NEVER
    """The latest date of an event."""
    runs: dict[str, Outline] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    """Runs of which no more is wanted."""

    def readable(self) -> "Readable":
        return Readable(dict(self.runs), dict(self.faults))


@dataclass(frozen=True)
class Readable:
    """What was read of a checklist's runs."""

    runs: Mapping[str, Outline]
    """By name; those that cannot be read are left out where nothing is known of them."""
    faults: Mapping[str, str]
    """Why records cannot be read, by run."""


def _sign(state: RunState, extract: Extract, head: _Head, body: Signed | Amended) -> None:
    by = By(head.actor, head.at)
    state.signatures.append(SignOff(extract.seq, body, by, extract.hash))
    if isinstance(body, Amended) and body.statement.amendment is not None:
        state.amendments.append(Corrected(extract.seq, body.statement.amendment, by, ""))
