"""Verifies a record: its chain, each signature at its signed time, what was signed, and each head kept outside."""

import datetime as dt
import os
import re
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property

import msgspec

from opsconsole.contracts.anchor import Anchor, AnchorError, Kept
from opsconsole.contracts.signer import SignatureRefused, SigningError, Verifier
from opsconsole.contracts.store import Link, RunKey, Store, StoreError, StoreUnavailable, Verified
from opsconsole.engine.session import utc_now
from opsconsole.model.claims import SIGNING_TAKES, definition_fault, event_findings
from opsconsole.model.clock_steps import Behind, Clocks, clock_steps
from opsconsole.model.decision_claims import decision_findings
from opsconsole.model.deeds import By
from opsconsole.model.encoding import decoded, is_canonical
from opsconsole.model.events import Amended, Event, Opened, Redefined, Signed, Stored
from opsconsole.model.listing_claims import listing_findings
from opsconsole.model.opening_claims import opening_findings
from opsconsole.model.people import Person
from opsconsole.model.record import record_bytes, statement_bytes
from opsconsole.model.runs import RunState, SignOff, fold
from opsconsole.model.tiers import Tier
from opsconsole.model.verification import (
    MADE_UP_FOR,
    CheckedAnchor,
    CheckedRun,
    CheckedSignature,
    Finding,
    Standing,
    Weight,
    standing_of,
)

_AHEAD = 8
"""Runs whose signatures are being checked while the ones before them are told: what is kept in memory at once."""
_SIGNING = re.compile(rb'"type":"(?:signed|amended)"')
_MOST_TOLD = 20
"""Heads of one anchor that are named where many are wrong; the rest is counted."""


class Verifying:
    """Verifies one store. It reads, and changes nothing.

    `verifier` is None where no allowed signers are configured: signatures cannot be checked then, which is said.
    `required`: the weakest tier that a sign-off may have to pass. `accepted` tells in words who has accepted that a
    kept head is lost, and nothing for all others.
    """

    def __init__(
        self,
        store: Store,
        verifier: Verifier | None,
        anchors: Sequence[Anchor] = (),
        *,
        required: Tier = Tier.ATTRIBUTED,
        accepted: Callable[[Kept], str] = lambda _: "",
        clock: Callable[[], dt.datetime] = utc_now,
    ) -> None:
        self._store = store
        self._verifier = verifier
        self._anchors = tuple(anchors)
        self._required = required
        self._accepted = accepted
        self._clock = clock

    @cached_property
    def chain(self) -> Verified:
        """What walking the whole chain found; everything else is about what stands before its first break."""
        return self._store.verify()

    @cached_property
    def _clocks(self) -> Clocks:
        """What dates say of clocks; hosts write into many runs, so the whole record is looked at."""
        documents = ((each.seq, each.document) for each in self._store.links() if each.seq <= self.chain.head.seq)
        try:
            return clock_steps(documents, self._clock())
        except StoreError:  # where the file is damaged, which the chain says
            return Clocks()

    @cached_property
    def _people(self) -> list[Person] | str:
        """Everybody who may sign or ever could; why no signature of a key can be checked where nobody knows."""
        if self._verifier is None:
            return "no allowed signers are configured"
        try:
            return self._verifier.people() or "the file of allowed signers names nobody"
        except SigningError as error:
            return str(error)

    def runs(self, names: Collection[str] = ()) -> Iterator[CheckedRun]:
        """Yield each run of `names`, of all there are without, with everything that was found about it.

        Signatures are checked by several threads, and few runs are in memory at once.
        """
        wanted: Sequence[str] = list(names) or [key.id for key in self._all()]
        followed: dict[str, RunState] = {}
        with ThreadPoolExecutor(_threads(), "opsconsole-verify") as pool:
            begun: deque[_Run] = deque()
            try:
                for name in wanted:
                    run = self._begun(name, pool)
                    run.compare(followed)
                    begun.append(run)
                    if len(begun) > _AHEAD:
                        yield begun.popleft().finished()
                while begun:
                    yield begun.popleft().finished()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def latest_before(self, seq: int) -> dt.datetime | None:
        """Return the latest instant that an event before the signature `seq` is dated, None where there is none.

        So late it was at least when that was stored, unless a clock was ahead.
        """
        reached = self._clocks.reached.get(seq)
        return reached[0] if reached is not None else None

    def anchors(self) -> Iterator[CheckedAnchor]:
        """Yield each anchor, and whether the record holds what it keeps."""
        for anchor in self._anchors:
            yield self._checked_anchor(anchor)

    # --- runs --------------------------------------------------------------------------------------

    def _all(self) -> list[RunKey]:
        return list(reversed(self._store.runs()))

    def _begun(self, name: str, pool: ThreadPoolExecutor) -> "_Run":
        """Fold a run and compare what was signed with it; its signatures are being checked when this returns."""
        checked = _Run(name, self._required)
        try:
            self._fold(checked, name, pool)
        except StoreUnavailable as error:
            checked.add(Weight.UNCHECKED, "store", str(error))
        except StoreError as error:
            checked.add(Weight.FAULT, "store", str(error))
        broken = self.chain.broken
        if broken is not None and (broken.run == name or self.chain.head.seq == 0):
            checked.add(Weight.FAULT, "chain", f"the chain is broken: {broken.why}", broken.seq)
        checked.findings += self._clocks.steps.get(name, [])
        checked.made_up_for(self._clocks.behind.get(name, ()))
        return checked

    def _fold(self, checked: "_Run", name: str, pool: ThreadPoolExecutor) -> None:
        documents: list[bytes] = []
        for link in self._store.links(name):
            if link.seq > self.chain.head.seq:
                checked.beyond(link, self.chain)
                continue
            try:
                payload = checked.take(link, documents, self._signatures)
            except Exception as error:  # noqa: BLE001 - a document made by hand may fail in any way: no other run pays
                checked.add(Weight.FAULT, "unreadable", f"event {link.seq} makes no sense here: {error}", link.seq)
                return
            if payload is not None:
                checked.check(payload, self._check(pool, checked, payload))
            documents.append(link.document)

    def _signatures(self, run: str) -> list[SignOff]:
        """Return every signature of a run as it is stored; of one that cannot be read nothing is said here."""
        found = []
        for link in self._store.links(run):
            if link.seq > self.chain.head.seq or not _SIGNING.search(link.document):
                continue
            try:
                event = decoded(link.document, Event)
            except (msgspec.MsgspecError, ValueError, RecursionError):
                continue
            if isinstance(event.body, Signed | Amended):
                found.append(SignOff(link.seq, event.body, By(event.actor, event.at), link.hash))
        return found

    def _check(self, pool: ThreadPoolExecutor, checked: "_Run", payload: bytes) -> "Future[Person] | str":
        """Begin to check the signature that was taken last; return why not where nobody can."""
        statement, signature = checked.body.statement, checked.body.signature
        people = self._people
        reached = self._clocks.reached.get(checked.last_seq)
        if reached is not None and reached[0] - statement.signed_at > SIGNING_TAKES:
            checked.backdated(*reached, () if isinstance(people, str) else people)
        if self._verifier is None or isinstance(people, str):
            return str(people)
        if not signature.tier.keyed:
            return ""
        return pool.submit(self._verifier.check, payload, signature, statement.meaning, statement.signed_at)

    # --- anchors -----------------------------------------------------------------------------------

    def _checked_anchor(self, anchor: Anchor) -> CheckedAnchor:
        found = _Anchored()
        try:
            for kept in anchor.kept():
                self._take(kept, found)
        except (AnchorError, StoreError) as error:
            found.add(Weight.UNCHECKED, "anchor-unreadable", str(error))
        except Exception as error:  # noqa: BLE001 - the boundary of a plug-in: the other anchors have their turn
            found.add(Weight.UNCHECKED, "anchor-unreadable", f"it ended unexpectedly: {error!r}")
        return found.result(anchor.name)

    def _take(self, kept: Kept, found: "_Anchored") -> None:
        key = (kept.store_id, kept.head.seq, kept.head.hash)
        if key in found.known:
            return
        found.known.add(key)
        place = f"event {kept.head.seq} with the hash {kept.head.hash[:16]}"
        if kept.store_id == self._store.store_id:
            found.heads += 1
            found.furthest = max(found.furthest, kept.head.seq)
            if not self._store.holds(kept.head):
                found.lost(kept, f"{place} is not in the record: {kept.where}", self._accepted(kept))
        elif kept.store_location == self._store.location:
            text = f"another record, {kept.store_id}, was here with {place}: {kept.where}"
            found.lost(kept, text, self._accepted(kept), code="other-record-here")
        else:
            found.foreign += 1


def _threads() -> int:
    """Return how many signatures to check at once: each is a process of its own that takes some 25 ms."""
    return max(2, min(8, os.cpu_count() or 1))


class _Anchored:
    """What one anchor keeps, while it is read."""

    def __init__(self) -> None:
        self.known: set[tuple[str, int, str]] = set()
        self.heads = self.furthest = self.foreign = 0
        self._untold = 0
        self._findings: list[Finding] = []

    def add(self, weight: Weight, code: str, text: str, seq: int = 0) -> None:
        self._findings.append(Finding(weight, code, text, seq))

    def lost(self, kept: Kept, text: str, accepted: str, *, code: str = "head-not-in-chain") -> None:
        if accepted:
            self.add(Weight.INFO, "accepted-loss", f"{text}; {accepted}", kept.head.seq)
        elif sum(each.weight is Weight.FAULT for each in self._findings) < _MOST_TOLD:
            self.add(Weight.FAULT, code, text, kept.head.seq)
        else:
            self._untold += 1

    def result(self, name: str) -> CheckedAnchor:
        if self._untold:
            self.add(Weight.FAULT, "more", f"so it is with {self._untold} more heads")
        if self.foreign:
            self.add(Weight.INFO, "other-records", f"it also keeps {self.foreign} heads of other records")
        return CheckedAnchor(
            name=name, heads=self.heads, furthest_seq=self.furthest, findings=tuple(self._findings)
        )


class _Run:
    """One run while it is verified: its fold so far, what was found, and the checks that are under way."""

    def __init__(self, name: str, required: Tier) -> None:
        self.findings: list[Finding] = []
        self._name = name
        self._required = required
        self._state: RunState | None = None
        self._last: Stored | None = None
        self._signatures: list[CheckedSignature] = []
        self._checks: dict[int, Future[Person]] = {}

    def add(self, weight: Weight, code: str, text: str, seq: int = 0) -> None:
        self.findings.append(Finding(weight, code, text, seq))

    @property
    def body(self) -> Signed | Amended:
        """The signing event that was taken last."""
        body = self._last.event.body if self._last is not None else None
        if not isinstance(body, Signed | Amended):
            raise TypeError(f"the last event of {self._name} signs nothing")
        return body

    @property
    def last_seq(self) -> int:
        """Of the event that was taken last, 0 before any."""
        return self._last.seq if self._last is not None else 0

    def compare(self, followed: dict[str, RunState]) -> None:
        """Tell where the run follows another definition than the last one of its checklist; remember its own."""
        if self._state is None:
            return
        now, before = self._state.definition, followed.get(self._state.definition.id)
        followed[now.id] = self._state
        if before is None or before.definition_hash == self._state.definition_hash:
            return
        was, asked = before.definition.sign_off.tier, now.sign_off.tier
        if not asked.satisfies(was):
            text = f"its checklist asks for a signature that is {asked}; that of {before.run} asked for {was}"
            self.add(Weight.FLAG, "weaker-policy", text)
        text = f"its checklist was edited since {before.run}: {before.definition_hash[:16]} has become"
        self.add(Weight.INFO, "edited-checklist", f"{text} {self._state.definition_hash[:16]}")

    def backdated(self, latest: dt.datetime, earlier: int, people: Sequence[Person]) -> None:
        """Note that a signature says that it was made long before `latest`, the date of an event that precedes it.

        Where its key had come to its end by then, nobody can tell whether it was still good when it signed.
        """
        statement, key = self.body.statement, self.body.signature.fingerprint
        said, shown = f"{statement.signed_at:%Y-%m-%d %H:%M:%SZ}", f"{latest:%Y-%m-%d %H:%M:%SZ}"
        text = f"it says it was {statement.meaning} at {said}, and event {earlier} before it is dated {shown}"
        self.add(Weight.FLAG, "backdated", text, self.last_seq)
        lines = [each for each in people if each.fingerprint == key]
        if lines and not any(each.is_valid(latest - SIGNING_TAKES) for each in lines):
            text = f"whether the key could still sign cannot be told: {text}, when it could not any more"
            self.add(Weight.UNCHECKED, "signed-after-end", text, self.last_seq)

    def made_up_for(self, behind: Sequence[Behind]) -> None:
        """Note the first event up to the sign-off that is dated in the run's period and stands after its end."""
        state = self._state
        ends_at = state.times.ends_at if state is not None else None
        if state is None or state.missed or ends_at is None:
            return
        signed = state.signed
        for each in behind:
            if each.at < ends_at <= each.latest and (signed is None or each.seq <= signed.seq):
                said, shown = f"{each.at:%Y-%m-%d %H:%M:%SZ}", f"{each.latest:%Y-%m-%d %H:%M:%SZ}"
                text = f"event {each.seq} is dated {said}, and event {each.earlier} before it {shown}"
                over = f"the run was over at {ends_at:%Y-%m-%d %H:%M:%SZ}, so it may have been made up for"
                self.add(Weight.FLAG, MADE_UP_FOR, f"{text}: {over}", each.seq)
                return

    def beyond(self, link: Link, chain: Verified) -> None:
        """Note an event that stands behind the first break of the chain; without a break it was added just now."""
        if chain.broken is not None and not any(each.code == "behind-break" for each in self.findings):
            at = chain.broken.seq
            text = f"event {link.seq} stands at or behind the break of the chain at event {at}: {chain.broken.why}"
            self.add(Weight.FAULT, "behind-break", text, link.seq)

    def take(
        self, link: Link, before: Sequence[bytes], signatures: Callable[[str], Sequence[SignOff]]
    ) -> bytes | None:
        """Fold the next event and compare it with the run so far; return what is signed where it signs anything.

        `signatures` gives those of any run: a decision on a qualification speaks of others than its own.
        """
        stored = Stored(seq=link.seq, event=decoded(link.document, Event), prev=link.prev, hash=link.hash)
        body = stored.event.body
        if stored.event.at.utcoffset() is None:
            raise ValueError("it is dated in no zone")
        if not is_canonical(link.document):
            text = f"event {link.seq} is not written as events are: others may read something else in it"
            self.add(Weight.FAULT, "not-canonical", text, link.seq)
        if isinstance(body, Opened | Redefined) and (fault := definition_fault(link.document)):
            self.add(Weight.FAULT, "definition", f"event {link.seq}: {fault}", link.seq)
        if isinstance(body, Opened):
            self.findings += opening_findings(self._name, body, stored.event.at, link.seq)
        if self._state is None:
            self._state = fold([stored])
        else:
            self.findings += event_findings(self._state, stored)
            self.findings += listing_findings(self._state, stored)
            self.findings += decision_findings(self._state, stored, signatures)
            self._state.apply(stored)
        self._last = stored
        if not isinstance(body, Signed | Amended):
            return None
        return record_bytes(before, statement_bytes(link.document))

    def check(self, payload: bytes, begun: "Future[Person] | str") -> None:
        """Note a signature over `payload` and its check, or why there is none."""
        body, seq = self.body, self.last_seq
        statement, signature = body.statement, body.signature
        self._signatures.append(
            CheckedSignature(
                seq=seq,
                meaning=statement.meaning,
                tier=signature.tier,
                result=statement.result,
                name=statement.name,
                login=statement.login,
                principal=signature.principal,
                fingerprint=signature.fingerprint,
                signed_at=statement.signed_at,
                verified=None,
            )
        )
        if not signature.tier.satisfies(self._required):
            text = (
                f"it was {statement.meaning} by a signature that is {signature.tier}; {self._required} is asked for"
            )
            self.add(Weight.FAULT, "tier", text, seq)
        if isinstance(begun, Future):
            self._checks[seq] = begun
        elif signature.tier.keyed:
            text = f"the signature ({statement.meaning}, {len(payload)} bytes) could not be checked: {begun}"
            self.add(Weight.UNCHECKED, "signature-unchecked", text, seq)

    def finished(self) -> CheckedRun:
        """Wait for the checks and return the whole."""
        signatures = tuple(
            msgspec.structs.replace(each, verified=self._verified(each)) if each.seq in self._checks else each
            for each in self._signatures
        )
        standing = standing_of(signatures, self.findings)
        return CheckedRun(
            run=self._name,
            standing=standing if self._state is not None else Standing.BROKEN,
            result=self._state.result if self._state is not None else None,
            last_seq=self.last_seq,
            last_hash=self._last.hash if self._last is not None else "",
            signatures=signatures,
            findings=tuple(self.findings),
        )

    def _verified(self, signature: CheckedSignature) -> bool | None:
        """Return whether the key's signature holds, None where that could not be told."""
        seq, meaning = signature.seq, signature.meaning
        try:
            person = self._checks[seq].result()
        except SignatureRefused as error:
            if not error.unchecked:
                text = f"the signature ({meaning}) does not hold: {error}"
                self.add(Weight.FAULT, f"signature-{error.reason}", text, seq)
                return False
            why = str(error)  # nobody has looked at it
        except SigningError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - the boundary of a plug-in: the other runs have their turn
            why = f"its check ended unexpectedly: {error!r}"
        else:
            return self._is_of(person, signature)
        self.add(
            Weight.UNCHECKED, "signature-unchecked", f"the signature ({meaning}) could not be checked: {why}", seq
        )
        return None

    def _is_of(self, person: Person, signature: CheckedSignature) -> bool:
        """Return whether the key that signed is the one that the signature names."""
        told = (signature.principal, signature.fingerprint)
        if told == (person.principal, person.fingerprint):
            if signature.name != person.name:
                text = f"{person.principal} is called '{person.name}', and signed as '{signature.name}'"
                self.add(Weight.FLAG, "other-name", text, signature.seq)
            return True
        text = f"the key is that of {person.principal} ({person.fingerprint}), not of {told[0]} ({told[1]})"
        self.add(Weight.FAULT, "signature-other-person", text, signature.seq)
        return False
