"""What stands against the approval of a qualification."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from opsconsole.model.counting import Attempt, DayState, QualificationState, expiry
from opsconsole.model.foureyes import Signatory, in_common
from opsconsole.model.qualifications import Qualification, signed_by
from opsconsole.model.tiers import Tier


class ReviewFact(msgspec.Struct, frozen=True, kw_only=True):
    """What the record says of the final review."""

    run: str
    opened: bool = False
    signed_at: dt.datetime | None = None
    passed: bool = False
    signer: str = ""
    tier: Tier = Tier.ATTRIBUTED
    """The weakest of the signatures that settle it."""
    fault: str = ""
    unchecked: str = ""
    """Why nobody can tell whether its record holds."""
    first_reading_at: dt.datetime | None = None
    """When the oldest reading that counts was taken."""


def decider_objection(state: QualificationState, review: Sequence[Signatory], new: Signatory) -> str:
    """Return why `new` may not decide on the last count: they signed one of its days, or its final review.

    `review` are those who signed the final review. By key and by person, as far as anybody can tell; nothing where
    it is somebody else, or where the definition allows it.
    """
    if state.definition.approval.own_work:
        return ""
    found = signed_by((each.fact for each in state.current.evidence), new)
    if found is not None:
        return f"{found[0]} has signed {found[1]}: another person has to decide"
    who = next((same for each in review if (same := in_common(each, new))), "")
    return f"{who} has signed the final review: another person has to decide" if who else ""


def blockers(
    state: QualificationState, review: ReviewFact | None, now: dt.datetime, record: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return what stands against an approval now, a line each; nothing means that it can be approved.

    `review` is None where the definition asks for none; `record` is what is wrong with the record as a whole. A
    refusal needs no more than that nothing was decided yet.
    """
    definition, attempt = state.definition, state.current
    found = []
    if attempt.decision is not None:
        found.append(f"it was {'approved' if attempt.decision.approved else 'refused'} by {attempt.decision.by}")
    if attempt.reached is None:
        waiting = [each.fact.run for each in attempt.counted if each.state is DayState.WAITING]
        rest = f"; {', '.join(waiting)} still to be signed" if waiting and attempt.full else ""
        found.append(f"{attempt.passed} of {definition.days} days have passed{rest}")
    found += [f"the reset of {each.date} has no documented reason: {each.cause}" for each in state.unexplained]
    found += _record_blockers(state)
    found += record
    if attempt.reached is not None and now >= (last := expiry(definition, attempt)):
        found.append(f"its evidence expired at {last:%Y-%m-%d %H:%MZ}, {definition.approval.within} after the end")
    return (*found, *_review_blockers(definition, attempt, review, now))


def _record_blockers(state: QualificationState) -> Iterator[str]:
    """Yield what is wrong with the records of the last count: those that do not hold, or cannot be checked."""
    for each in state.current.days:
        if each.fact.fault and each.state is not DayState.RESET:
            yield f"{each.fact.run}: its record does not hold: {each.fact.fault}"
        elif each.fact.unchecked:
            yield f"{each.fact.run}: its record could not be checked: {each.fact.unchecked}"


def _review_blockers(
    definition: Qualification, attempt: Attempt, review: ReviewFact | None, now: dt.datetime
) -> Iterable[str]:
    if review is None or attempt.reached is None:
        return
    if not review.opened:
        yield f"the final review {review.run} was not done"
    elif review.signed_at is None:
        yield f"the final review {review.run} is not signed"
    elif not review.passed:
        yield f"the final review {review.run} did not pass"
    if review.fault:
        yield f"the record of {review.run} does not hold: {review.fault}"
    elif review.unchecked:
        yield f"the record of {review.run} could not be checked: {review.unchecked}"
    oldest = review.first_reading_at
    if oldest is not None and now >= oldest + definition.approval.within.timedelta():
        yield f"the final review was measured at {oldest:%Y-%m-%d}, more than {definition.approval.within} ago"
