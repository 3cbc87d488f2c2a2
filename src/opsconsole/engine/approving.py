"""How a qualification is decided on: what is shown first, who may not decide and why, and exactly what is signed.

The deed is the same at the console and on the command line: `Approving.case` says what there is to decide on, from
records that were verified for it; `statement` is what would be signed; `sign` signs it, unless anything that was
shown is another by then.
"""

import asyncio
import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.contracts.signer import Candidate
from opsconsole.contracts.store import Conflict, StoreError, StoreUnavailable
from opsconsole.engine.entering import ActionRefused, written
from opsconsole.engine.evidence import Evidence
from opsconsole.engine.signing import Signing, tier_of
from opsconsole.engine.signoff import refuse_weak, statement_now
from opsconsole.model.approving import ReviewFact, blockers, decider_objection
from opsconsole.model.checklists import Checklist
from opsconsole.model.counting import DayState, QualificationState, Reset
from opsconsole.model.events import DECIDING, Approval, Meaning, Statement
from opsconsole.model.foureyes import Signatory, signatory_now, signatory_of
from opsconsole.model.outcomes import Outcome
from opsconsole.model.outstanding import outstanding, waiting_runs
from opsconsole.model.people import Person
from opsconsole.model.redaction import redacted
from opsconsole.model.runs import FoldError, RunState, fold_until
from opsconsole.model.signoff import hurdles, says_the_same
from opsconsole.model.tiers import Tier

if TYPE_CHECKING:
    from opsconsole.engine.engine import Engine
    from opsconsole.engine.session import RunSession
    from opsconsole.engine.verifying import Verifying


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to say of a qualification."""

    meaning: Meaning
    """APPROVED or REFUSED."""
    ready: bool = False
    """Whether the system is ready for the next phase; what is refused never is."""
    reason: str = ""
    """Why it is refused, or not ready; else what goes with the approval."""


class ReviewItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the final review that is not green."""

    title: str
    outcome: Outcome
    summary: str
    """What was seen; raw text of a source may be in it."""
    notes: tuple[str, ...] = ()
    """What people wrote about it."""


class Excluded(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whose own work it would be to decide on."""

    who: str
    """Everything that is known of the person: principal or login."""
    signed: tuple[str, ...]
    """The runs that they have signed or amended."""


class OpenReset(msgspec.Struct, frozen=True, kw_only=True):
    """A reset without a documented reason, and where that is given."""

    reset: Reset
    holder: str = ""
    """In which run's record: its own, or the one that stands in for that; empty as long as there is none."""
    why: str = ""
    """Why there is none, and when there will be."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that somebody who decides on a qualification is shown."""

    state: QualificationState
    at: dt.datetime
    """When it was looked at."""
    where: ZoneInfo
    """The zone of the checklist that is counted."""
    run: str = ""
    """In whose record a decision would be signed; empty while the count is not full."""
    review: ReviewFact | None = None
    """None where none is asked for, or it is not its time."""
    review_items: tuple[ReviewItem, ...] = ()
    """What of the final review is not green."""
    review_hurdles: tuple[str, ...] = ()
    """What is to be done before it can be signed."""
    review_signatories: tuple[Signatory, ...] = ()
    open_resets: tuple[OpenReset, ...] = ()
    """The resets that stand against an approval until their reason is documented."""
    excluded: tuple[Excluded, ...] = ()
    """Who has signed what is decided on; they may decide where `state.definition.approval.own_work` allows it."""
    blockers: tuple[str, ...] = ()
    """What stands against an approval, a line each."""
    missing: tuple[str, ...] = ()
    """What a person has to do next, a line each."""
    evidence: Evidence | None = None
    """What verifying the records for this found; None where they were not, and then nothing is decided on them."""

    @property
    def name(self) -> str:
        """The id of the qualification."""
        return self.state.definition.id

    def shows(self, other: "Case") -> bool:
        """Return whether `other` shows the same; when it was looked at makes no difference."""
        return msgspec.structs.replace(self, at=other.at) == other


class Approving:
    """Decides on qualifications over one record.

    `checklists` are those that there are, `verifying` makes what verifies the record, anew for each look. `redact`
    takes secrets out of what a person writes.
    """

    def __init__(
        self,
        engine: "Engine",
        checklists: Mapping[str, Checklist],
        verifying: Callable[[], "Verifying"],
        redact: Callable[[str], str] = redacted,
    ) -> None:
        self._engine = engine
        self._qualifying = engine.qualifying
        self._checklists = checklists
        self._verifying = verifying
        self._redact = redact

    # --- what is decided on ------------------------------------------------------------------------

    def case(self, name: str, at: dt.datetime | None = None, *, verify: bool = True) -> Case:
        """Return what there is to decide on now, or at another instant by what was stored until then.

        Every record that it rests on is verified first. Reads the store and runs `ssh-keygen` for each signature:
        call it from a thread where a screen waits. Raises ActionRefused for a name that there is not.
        """
        found = self._qualifying.verified(name, self._verifying(), at) if verify else None
        return self._case(self._state(name, at, found), at, found)

    def _state(self, name: str, at: dt.datetime | None, evidence: Evidence | None) -> QualificationState:
        known = evidence or Evidence()
        return self._qualifying.state(name, at, known.faults, known.unchecked)

    def _case(self, state: QualificationState, until: dt.datetime | None, evidence: Evidence | None) -> Case:
        known, now = evidence or Evidence(), until or self._engine.clock()
        review = self._qualifying.review(state, known.faults, known.unchecked, until)
        reviewed = self._reviewed(review, until)
        signatories, to_do = _signatories(reviewed), _hurdles(reviewed)
        return Case(
            state=state,
            at=now,
            where=self._zone_of(state),
            run=self._decided_in(state, review),
            review=review,
            review_items=_not_green(reviewed),
            review_hurdles=to_do,
            review_signatories=signatories,
            excluded=_excluded(state, review, signatories),
            open_resets=tuple(self._open_reset(state, each) for each in state.unexplained),
            blockers=blockers(state, review, now, known.record),
            missing=(*self._outstanding(state, until), *_decision_missing(state, review, to_do)),
            evidence=evidence,
        )

    def _open_reset(self, state: QualificationState, reset: Reset) -> OpenReset:
        try:
            return OpenReset(reset=reset, holder=self._qualifying.documented_in(state, reset))
        except ActionRefused as error:
            return OpenReset(reset=reset, why=f"{error}; {error.hint}")

    def _folded(self, run: str, until: dt.datetime | None) -> RunState | None:
        return self._engine.load(run) if until is None else fold_until(self._engine.store.events(run), until)

    def _reviewed(self, review: ReviewFact | None, until: dt.datetime | None) -> RunState | None:
        if review is None or not review.opened:
            return None
        try:
            return self._folded(review.run, until)
        except StoreUnavailable:
            raise
        except (StoreError, FoldError):  # `review.fault` says so
            return None

    def _outstanding(self, state: QualificationState, until: dt.datetime | None) -> tuple[str, ...]:
        waiting = {run: self._folded(run, until) for run in waiting_runs(state)}
        known = {run: each for run, each in waiting.items() if each is not None}
        now = until or self._engine.clock()
        return tuple(each.text for each in outstanding(state, known, now, self._zone_of(state)))

    def _zone_of(self, state: QualificationState) -> ZoneInfo:
        counted = self._checklists.get(state.definition.checklist)
        return self._engine.zone_of(counted) if counted is not None else ZoneInfo("UTC")

    def _decided_in(self, state: QualificationState, review: ReviewFact | None) -> str:
        """Return the run whose record takes the decision: the review once it is signed, else the last day.

        Only a signed run takes it; without its review a count can be refused, and not approved.
        """
        attempt = state.current
        if attempt.reached is None:
            return ""
        if review is not None and review.signed_at is not None:
            return review.run
        return attempt.counted[-1].fact.run

    # --- what would be signed ----------------------------------------------------------------------

    def statement(
        self, session: "RunSession", case: Case, verdict: Verdict, person: Person | None, tier: Tier
    ) -> Statement:
        """Return exactly what would be signed now of `case`, by the key of `person` or without one.

        `session` works on `case.run`. Raises ActionRefused with everything that is in the way.
        """
        if session.state.run != case.run:
            raise ValueError(f"{case.name} is decided on in {case.run or 'no run yet'}, not in {session.state.run}")
        refuse_verdict(case, verdict)
        wanted = case.state.definition.approval.tier
        if not tier.satisfies(wanted):
            raise ActionRefused(
                f"a decision on {case.name} has to be {wanted}; this one would be {tier}",
                "an SSH key in an agent or file does it: `opsconsole people list` shows whose keys may sign",
            )
        refuse_weak(session.state, tier)
        objection = decider_objection(case.state, case.review_signatories, signatory_now(session.actor, person))
        if objection:
            raise ActionRefused(objection)
        return statement_now(session, verdict.meaning, person, None, self.approval(case, verdict))

    def approval(self, case: Case, verdict: Verdict) -> Approval:
        """Return what the statement says of the qualification."""
        return self._qualifying.approval(
            case.state,
            complete=not case.blockers,
            ready=verdict.ready,
            reason=written(self._redact(verdict.reason)) if verdict.reason.strip() else "",
        )

    async def sign(
        self,
        session: "RunSession",
        signing: Signing,
        case: Case,
        verdict: Verdict,
        shown: Statement,
        candidate: Candidate | None,
        password: str | None = None,
    ) -> tuple[str, ...]:
        """Sign what was shown, at the present moment; return what anchors could not keep.

        The records are verified once more before the key is asked, and looked at again before the signature is
        stored. Raises Conflict where anything is not as `case` and `shown` have it, SigningError where the key does
        not sign.
        """
        fresh = await asyncio.to_thread(self.case, case.name)
        tier = tier_of(candidate) if password is None else Tier.REAUTHENTICATED
        if session.state.last_seq != shown.head_seq or not case.shows(fresh):
            raise Conflict(f"{case.name} has changed since it was shown")
        statement = self.statement(session, fresh, verdict, candidate.person if candidate else None, tier)
        if not says_the_same(statement, shown):
            raise Conflict(f"{case.name} has changed since it was shown")
        still_so = partial(self._refuse_changed, fresh)
        if candidate is not None:
            return await signing.sign(session, statement, candidate, still_so)
        return await signing.attribute(session, statement, password, still_so)

    def _refuse_changed(self, case: Case) -> None:
        """Raise Conflict where a record that `case` rests on was written to since: a key may take its time."""
        state = self._state(case.name, None, case.evidence)
        if not case.shows(self._case(state, None, case.evidence)):
            raise Conflict(f"{case.name} has changed since it was shown")


def refuse_verdict(case: Case, verdict: Verdict) -> None:
    """Refuse what nobody could say of `case`, before keys are spoken of; raises ActionRefused with every cause."""
    if verdict.meaning not in DECIDING:
        raise ActionRefused(f"a qualification is approved or refused, not {verdict.meaning}")
    approves = verdict.meaning is Meaning.APPROVED
    if case.evidence is None:
        raise ActionRefused("nothing is decided on records that were not verified")
    if approves and case.blockers:
        things = "1 thing stands" if len(case.blockers) == 1 else f"{len(case.blockers)} things stand"
        listed = "\n".join(f"- {each}" for each in case.blockers)
        raise ActionRefused(f"{things} against an approval of {case.name}\n{listed}")
    attempt = case.state.current
    if attempt.reached is None:
        raise ActionRefused(
            f"{case.name} has not been reached: {attempt.passed} of {attempt.length} days have passed",
            f"`opsconsole qualification status {case.name}` shows what is missing",
        )
    if attempt.decision is not None:
        said = "approved" if attempt.decision.approved else "refused"
        raise ActionRefused(f"{case.name} was {said} by {attempt.decision.by} already")
    if verdict.ready and not approves:
        raise ActionRefused(f"what is refused is not ready for {case.state.definition.phase}")
    if not verdict.ready and not verdict.reason.strip():
        what = "it is refused" if not approves else f"it is not ready for {case.state.definition.phase}"
        raise ActionRefused(f"give the reason why {what}")


# --- what is shown ---------------------------------------------------------------------------------

_GREEN = frozenset({Outcome.PASS})


def _not_green(review: RunState | None) -> tuple[ReviewItem, ...]:
    if review is None:
        return ()
    return tuple(
        ReviewItem(
            title=each.item.title,
            outcome=each.outcome,
            summary=each.summary,
            notes=tuple(note.text for note in each.notes),
        )
        for each in review.items.values()
        if each.outcome not in _GREEN
    )


def _hurdles(review: RunState | None) -> tuple[str, ...]:
    if review is None or review.signed is not None:
        return ()
    return tuple(each.text for each in hurdles(review))


def _signatories(review: RunState | None) -> tuple[Signatory, ...]:
    """Return everybody who performed, amended or reviewed the final review."""
    if review is None:
        return ()
    signed = (each for each in review.signatures if each.body.statement.meaning not in DECIDING)
    return tuple(signatory_of(each) for each in signed)


def _excluded(
    state: QualificationState, review: ReviewFact | None, signatories: tuple[Signatory, ...]
) -> tuple[Excluded, ...]:
    """Return whose own work it is, in the order of their first signature."""
    found: dict[str, dict[str, None]] = {}
    days = [each.fact for each in state.current.days if each.state is not DayState.AFTER]
    signed = [(each, day.run) for day in days for each in day.signatories]
    signed += [(each, review.run) for each in signatories if review is not None]
    for who, run in signed:
        found.setdefault(who.principal or who.login, {})[run] = None
    return tuple(Excluded(who=who, signed=tuple(runs)) for who, runs in found.items())


def _decision_missing(
    state: QualificationState, review: ReviewFact | None, to_do: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what is to be done once the count is full: the final review, then the decision."""
    if state.current.reached is None or state.current.decision is not None:
        return ()
    if review is None or review.signed_at is not None:
        return ("a second person is to decide",)
    if not review.opened:
        return (f"the final review {review.run} is to be done and signed",)
    return (*(f"{review.run}: {each}" for each in to_do), f"the final review {review.run} is to be signed")
