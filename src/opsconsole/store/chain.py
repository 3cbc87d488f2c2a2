"""The chain: how each event is bound to all before it, so that a record can be checked without this program.

Every link is a document, the exact bytes that were stored: canonical JSON (RFC 8785) in UTF-8, one line without its
line feed. Its hash is

    hash(n) = SHA-256( hash(n-1) || document(n) )

where `hash(n-1)` is written as 64 lower-case hexadecimal characters in ASCII, and `||` puts nothing in between.
Link 0 is the store's birth document (store id and time of creation), and 64 zeros stand before it; link n is the
event with seq n. So the hash of any event stands for every byte before it and for the store it was written in, and
`sha256sum` is all that is needed to recompute it (docs/decisions/0001-chain.md shows how).

The texts of evidence are no part of the documents, which hold their SHA-256: so a text that has become too old can
be removed, and the chain still holds (docs/decisions/0005-evidence.md).
"""

from collections.abc import Callable

import msgspec

from opsconsole.contracts.store import Broken, Head, Verified
from opsconsole.model.chain import link_hash
from opsconsole.model.encoding import canonical, decoded
from opsconsole.model.record import sha256_of
from opsconsole.store.documents import (
    MEASURED,
    OPENED,
    PRUNED,
    Claim,
    Facts,
    claim_of,
    evidence_of,
    facts_of,
    pruned_through,
)

ZEROS = "0" * 64
"""What stands before the birth document."""

_SCHEMA = "opsconsole.store.v1"


def link(prev: str, document: bytes) -> str:
    """Return the hash, in hexadecimal, of `document` standing after the link whose hash is `prev`."""
    return link_hash(prev, document)


def is_link(prev: object, document: object, own: object) -> bool:
    """Return whether `own` is the hash of `document` after `prev`; a damaged file can hold any type in each."""
    if not isinstance(prev, str) or not prev.isascii() or not isinstance(document, bytes):
        return False
    return link(prev, document) == own


class Birth(msgspec.Struct, frozen=True, kw_only=True):
    """The first document of a store, which no event is."""

    schema: str = _SCHEMA
    store_id: str
    """A UUID."""
    created_at: str
    """UTC, ISO 8601."""


def birth_document(store_id: str, created_at: str) -> bytes:
    """Return the exact bytes of link 0."""
    return canonical(Birth(store_id=store_id, created_at=created_at))


def store_id_of(document: bytes) -> str:
    """Return the store that a birth document is of; raise msgspec.MsgspecError for any other document."""
    return decoded(document, Birth).store_id


class BirthRow(msgspec.Struct, frozen=True):
    """The birth document as it is stored, with its column and its hash."""

    store_id: str
    hash: str
    document: bytes


class Row(msgspec.Struct, frozen=True):
    """One event as it is stored: its place, its columns, its exact bytes."""

    seq: int
    prev: str
    hash: str
    facts: Facts
    document: bytes
    texts: tuple[str | None, ...] = ()
    """The evidence beside it, None for each text that is not there any more."""


def birth_fault(birth: BirthRow) -> str:
    """Return why the birth document is not what it was when the store was made; nothing where it is."""
    if not is_link(ZEROS, birth.document, birth.hash):
        return "the store's birth document was changed after it was stored"
    try:
        told = decoded(birth.document, Birth)
    except (msgspec.MsgspecError, ValueError) as error:
        return f"the store's birth document cannot be read: {error}"
    if told.store_id != birth.store_id:
        return f"the store calls itself {birth.store_id}, but was born as {told.store_id}"
    return ""


def claim_fault(claim: Claim, facts: Facts, store_id: str, seq: int, hash_at: Callable[[int], str | None]) -> str:
    """Return why what a person signed does not belong at `seq` of this chain; nothing where it does.

    `hash_at` gives the hash of a link that stands before `seq`.
    """
    if claim.store_id != store_id:
        return f"what was signed is of another store, {claim.store_id}"
    if claim.run != facts.run:
        return f"what was signed is of another run, {claim.run}"
    if not 0 < claim.head_seq < seq:
        return f"what was signed ends with event {claim.head_seq}, which is not before it"
    if hash_at(claim.head_seq) != claim.head_hash:
        return f"event {claim.head_seq} is not what was signed: its hash was {claim.head_hash}"
    return ""


class Walk:
    """Goes along a chain, link by link, and remembers the first that does not fit."""

    def __init__(self, birth: BirthRow, hash_at: Callable[[int], str | None]) -> None:
        self._store_id = birth.store_id
        self._hash_at = hash_at
        self._last_of_run: dict[str, int] = {}
        self._closed: set[str] = set()
        self._without: dict[str, list[int]] = {}
        self.head = Head(0, birth.hash)
        self.broken: Broken | None = None
        fault = birth_fault(birth)
        if fault:
            self.broken = Broken(0, "", fault)

    def step(self, row: Row) -> bool:
        """Take the next link; return whether the chain holds so far."""
        if self.broken is not None:
            return False
        expected = self.head.seq + 1
        if row.seq != expected:
            self.broken = Broken(expected, "", f"event {expected} is missing: {row.seq} follows {self.head.seq}")
            return False
        fault = self._fault(row)
        if fault:
            self.broken = Broken(row.seq, str(row.facts.run), fault)
            return False
        self.head = Head(row.seq, row.hash)
        self._last_of_run[row.facts.run] = row.seq
        return True

    def finish(self) -> None:
        """Look at what only the end of the chain tells: whether missing evidence was removed as it should be."""
        missing = [(seqs[0], run) for run, seqs in self._without.items() if seqs]
        if self.broken is None and missing:
            seq, run = min(missing)
            self.broken = Broken(seq, run, "its evidence is missing, and no event tells that it was removed")

    def break_off(self, seq: int, why: str) -> None:
        """Record what somebody else found: at `seq`, or at 0 where no single event is to blame."""
        if self.broken is None:
            self.broken = Broken(seq, "", why)

    def result(self) -> Verified:
        """Return what was found so far."""
        return Verified(self.head.seq, len(self._last_of_run), self.head, self.broken)

    def _fault(self, row: Row) -> str:
        """Return why a row is not the next link; a document can be of any shape, hashed well."""
        try:
            return self._place_fault(row) or self._content_fault(row) or self._evidence_fault(row)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            return f"it cannot be read: {error}"

    def _place_fault(self, row: Row) -> str:
        if row.prev != self.head.hash:
            before = f"event {self.head.seq}" if self.head.seq else "the store's birth document"
            return f"it does not follow {before}: one of the two was put there or changed, and hashed anew"
        if not is_link(row.prev, row.document, row.hash):
            return "it was changed after it was stored: its bytes do not give its hash"
        return ""

    def _content_fault(self, row: Row) -> str:
        told = facts_of(row.document)
        if told != row.facts:
            return _differing(row.facts, told)
        if told.kind != OPENED and told.run not in self._last_of_run:
            return f"its run, {told.run}, was never opened"
        return self._claim_fault(row, claim_of(row.document)) if told.claims else ""

    def _evidence_fault(self, row: Row) -> str:
        """Return why the evidence beside an event is not what was stored with it; notes what is missing."""
        run, kind = row.facts.run, row.facts.kind
        hashes = evidence_of(row.document) if kind == MEASURED else ()
        if len(row.texts) > len(hashes):
            return "evidence stands beside it that it knows nothing of"
        for place, own in enumerate(hashes):
            text = row.texts[place] if place < len(row.texts) else None
            if text is None:
                self._without.setdefault(run, []).append(row.seq)
                break
            if not isinstance(text, str) or sha256_of(text) != own:
                return "the evidence beside it was changed after it was stored"
        if kind == PRUNED and run not in self._closed:
            through = pruned_through(row.document)
            self._without[run] = [seq for seq in self._without.get(run, ()) if seq > through]
        if row.facts.closes:
            self._closed.add(run)
        return ""

    def _claim_fault(self, row: Row, claim: Claim) -> str:
        uncovered = self._last_of_run.get(row.facts.run, 0)
        if uncovered > claim.head_seq:
            return f"what was signed does not cover event {uncovered} of the run, which stands before the signature"
        return claim_fault(claim, row.facts, self._store_id, row.seq, self._hash_at)


def _differing(columns: Facts, told: Facts) -> str:
    for name in Facts.__struct_fields__:
        column, own = getattr(columns, name), getattr(told, name)
        if column != own:
            return f"its column '{name}' says {column!r}, its document {own!r}"
    return ""
