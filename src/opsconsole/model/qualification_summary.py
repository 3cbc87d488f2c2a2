"""What the report of a qualification is made of, and its first lines."""

import datetime as dt
from collections.abc import Mapping, Sequence

import msgspec

from opsconsole.model.actions import Action
from opsconsole.model.approving import ReviewFact
from opsconsole.model.counting import Phase, QualificationState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.report_runs import Told
from opsconsole.model.report_spells import troubles_of
from opsconsole.model.report_summary import named, unread_words
from opsconsole.model.reports import INTACT, Provenance
from opsconsole.model.runs import RunState
from opsconsole.model.text import counted
from opsconsole.model.tiers import Tier

DECIDED = frozenset({Phase.APPROVED, Phase.REFUSED})


class Monitored(msgspec.Struct, frozen=True, kw_only=True):
    """What the record tells for the report of a qualification."""

    state: QualificationState
    now: dt.datetime
    told: Told
    """Of the qualified checklist: every day of every count."""
    review: ReviewFact | None
    reviewed: RunState | None
    """The run of the final review."""
    tiers: Mapping[int, Tier]
    """Of decisions, by the seq of their signature."""
    actions: Sequence[Action]
    blockers: Sequence[str]
    definition_hash: str
    provenance: Provenance


def summary_of(found: Monitored) -> tuple[str, ...]:
    """Return the verdict in a sentence, then a line each: days, failures, review, what is needed, who signed."""
    state, attempt = found.state, found.state.current
    days = f"{attempt.passed} of {attempt.length} passed"
    if attempt.first is not None:
        days += f", from {attempt.first} to {attempt.reached or attempt.counted[-1].fact.date}"
    resets = f"{counted(len(state.resets), 'reset')}"
    if state.resets:
        lacking = len(state.unexplained)
        resets += f", {lacking or 'none'} of them without a documented reason"
    return (
        _verdict(state),
        f"Days: {days}; {resets}.",
        _failed(found),
        _review_words(found),
        _needs(found),
        _signed(found),
        _record_words(found),
    )


def _needs(found: Monitored) -> str:
    """Return what stands against an approval; resets that wait for a reason are counted."""
    if found.state.phase in DECIDED:
        return "Needed: nothing."
    unexplained = {each.date for each in found.state.unexplained}
    rest = [
        each for each in found.blockers if not any(each.startswith(f"the reset of {day}") for day in unexplained)
    ]
    if unexplained:
        rest.append(f"a documented reason of {counted(len(unexplained), 'reset')}")
    if found.state.phase is Phase.REACHED and not rest:
        rest.append("an approval or a refusal")
    return f"Needed: {'; '.join(rest) or 'nothing'}."


def _verdict(state: QualificationState) -> str:
    definition, attempt, decision = state.definition, state.current, state.current.decision
    match state.phase:
        case Phase.APPROVED if decision is not None:
            ready = f"ready for {definition.phase}" if decision.ready else f"not ready for {definition.phase}"
            return f"Approved by {decision.by}: {ready}."
        case Phase.REFUSED if decision is not None:
            return f"Refused by {decision.by}: {decision.reason}"
        case Phase.REACHED:
            return f"Reached, and not decided: all {definition.days} days have passed, an approval is to be given."
        case Phase.RUNNING:
            return f"Not finished: {attempt.passed} of {definition.days} consecutive days have passed."
        case _:
            return "Not begun: no day has counted."


def _failed(found: Monitored) -> str:
    bad = [each for each in troubles_of(found.told, found.now) if each.spells or each.runs]
    grave = [each for each in bad if each.runs.get(Outcome.FAIL) or each.spells]
    if not grave:
        return "Failed: nothing on any day that was run."
    still = [each for each in grave if not each.is_over]
    titles = named([each.title for each in grave])
    return f"Failed: {titles}; {'all of it is over' if not still else f'{len(still)} not over'}."


def _review_words(found: Monitored) -> str:
    review = found.review
    if review is None:
        return "Final review: " + ("not its time." if found.state.definition.review else "none is asked for.")
    if not review.opened:
        return f"Final review: {review.run} was not done."
    if review.signed_at is None:
        return f"Final review: {review.run} is not signed."
    return f"Final review: {'passed' if review.passed else 'not passed'}, signed by {review.signer}."


def _signed(found: Monitored) -> str:
    names = [each.fact.signer for each in found.state.current.counted if each.fact.signer]
    told = [f"{name} ({names.count(name)})" for name in dict.fromkeys(names)]
    return f"Signed by: {named(told) or 'nobody'}."


def _record_words(found: Monitored) -> str:
    source = found.provenance
    checks = source.checks
    broken = [each.run for each in checks if each.faults]
    if not source.verified:
        return "Records: not verified for this report."
    if source.lost:
        return f"Records: {len(source.lost)} of the heads kept outside are not in it: it cannot be trusted."
    if broken or source.chain != INTACT:
        return f"Records: the chain is {source.chain}; {named(broken) or 'no run'} cannot be trusted."
    if not source.is_whole:
        parts = [f"{len(source.unchecked)} of {counted(len(checks), 'record')}"] if source.unchecked else []
        parts += [unread_words(source.unread)] if source.unread else []
        words = f"{' and '.join(parts)} could not be checked"
        return f"Records: the chain is intact, and nothing is known to be wrong; {words}."
    return f"Records: the chain is intact, and nothing is wrong with {counted(len(checks), 'record')}."
