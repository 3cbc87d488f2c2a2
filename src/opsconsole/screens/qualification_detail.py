"""Everything about the row of a qualification that the cursor stands on."""

from collections.abc import Iterator

from opsconsole.engine.outlook import Outlook, Trust
from opsconsole.model.counting import Attempt, Day, Decision, Reset
from opsconsole.model.outcomes import Outcome
from opsconsole.model.qualifications import Qualification, Said
from opsconsole.model.signoff import count_words
from opsconsole.model.tiers import Tier
from opsconsole.screens.facts import fact
from opsconsole.screens.marks import OUTCOMES
from opsconsole.screens.phrases import day as day_words
from opsconsole.screens.phrases import moment, number_of
from opsconsole.screens.qualification_rows import (
    ATTEMPT,
    BLOCKER,
    DAY,
    DECISION,
    RESET,
    REVIEW,
    WANTED,
    attempt_words,
    mark_of,
    nothing_missing,
    review_words,
)
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece


def detail_paragraphs(outlook: Outlook, key: str) -> list[Paragraph]:
    """Return everything about the row with `key`; nothing for a row that is gone."""
    for start, about in _ABOUT.items():
        if key.startswith(start):
            return list(about(outlook, key.removeprefix(start)))
    return []


def _wanted(outlook: Outlook, rest: str) -> Iterator[Paragraph]:
    number, _, _run = rest.partition(":")
    if not number.isdecimal() or int(number) >= len(outlook.outstanding):
        yield Paragraph.plain(nothing_missing(outlook))
        return
    wanted = outlook.outstanding[int(number)]
    yield Paragraph.plain(wanted.text, "bold $warning" if wanted.warns else "bold")
    yield fact("run", wanted.run)
    yield from rule_paragraphs(outlook.state.definition)


def rule_paragraphs(definition: Qualification) -> Iterator[Paragraph]:
    """Yield what is asked for, by the definition."""
    yield Paragraph.plain("")
    yield Paragraph.plain(definition.title, "bold")
    if definition.help:
        yield Paragraph.plain(definition.help)
    yield fact("counts", f"{number_of(definition.days, 'day')} of {definition.checklist}, one after another")
    if definition.start is not None:
        yield fact("start", f"nothing counts before {definition.start}")
    yield fact("signed", f"{definition.tier} or better, within {definition.sign_within} of the end of the day")
    rules = {
        "warnings": definition.warnings,
        "waivers": definition.waivers,
        "skips": definition.skips,
        "unsigned": definition.unsigned,
        "missed": definition.missed,
        "edits": definition.definition_changes,
    }
    yield fact("rules", ", ".join(f"{name}: {effect}" for name, effect in rules.items()))
    approval = definition.approval
    who = "anybody who may approve" if approval.own_work else "another person than those who signed the days"
    yield fact("decision", f"{who}, {approval.tier} or better, within {approval.within}, for {definition.phase}")


def _day(outlook: Outlook, run: str) -> Iterator[Paragraph]:
    day = outlook.state.day_of(run)
    if day is not None:
        yield from day_paragraphs(outlook, day)


def day_paragraphs(outlook: Outlook, day: Day) -> Iterator[Paragraph]:
    """Yield everything about one day."""
    seen, where = day.fact, outlook.where
    number = f", day {day.number} of {outlook.state.definition.days}" if day.number else ""
    yield Paragraph((mark_of(day).piece(), Piece(f"{day_words(seen.date)}{number}", "bold")))
    if day.cause:
        yield fact("why", day.cause)
    yield fact("run", seen.run if seen.opened else f"{seen.run}, which nobody opened")
    if seen.opened:
        result = f"{seen.result}, " if seen.result is not None else ""
        yield fact("result", f"{result}{count_words(seen.counts)}" if not seen.missed else "MISSED")
    if seen.not_passed:
        yield fact("failed", "; ".join(seen.not_passed), "$error")
    if seen.signed_at is not None:
        yield fact("signed", f"{moment(seen.signed_at, where)} by {seen.signer}, {seen.tier}")
        yield from trust_paragraphs(outlook, seen.run, seen.tier)
    elif seen.opened:
        yield fact("signed", "not signed")
    if seen.amendments:
        yield fact("amended", number_of(seen.amendments, "time"))
    yield from _said("reset", seen.reset, outlook)
    yield from _said("exclusion", seen.exclusion, outlook)
    if seen.exclusion is not None and not seen.exclusion.accepted_by:
        yield fact("", "it counts for nothing until another person reviews it: v", "$warning")


def trust_paragraphs(outlook: Outlook, run: str, tier: Tier) -> Iterator[Paragraph]:
    """Yield what verifying found of a run; before anybody looked, that nobody has."""
    trust = outlook.trust(run, tier)
    yield fact("verified", trust, "bold $error" if trust is Trust.BROKEN else "")
    known = outlook.verification
    if known is not None and trust in {Trust.BROKEN, Trust.UNCHECKED}:
        yield fact("", known.evidence.faults.get(run) or known.evidence.unchecked.get(run, ""))


def _said(label: str, said: Said | None, outlook: Outlook) -> Iterator[Paragraph]:
    if said is None:
        return
    accepted = f"; accepted by {said.accepted_by}" if said.accepted_by else ""
    yield fact(label, said.text)
    yield fact("", f"{said.who} at {moment(said.at, outlook.where)}{accepted}", "dim")


def _reset(outlook: Outlook, run: str) -> Iterator[Paragraph]:
    reset = next((each for each in outlook.state.resets if each.run == run), None)
    if reset is None:
        return
    yield from reset_paragraphs(outlook, reset)
    day = outlook.state.day_of(run)
    if day is not None:
        yield Paragraph.plain("")
        yield from day_paragraphs(outlook, day)


def reset_paragraphs(outlook: Outlook, reset: Reset) -> Iterator[Paragraph]:
    """Yield what a reset is, and what was documented of it."""
    passed = number_of(reset.reached, "day")
    yield Paragraph.plain(f"Reset on {day_words(reset.date)}, after {passed} that passed", "bold")
    yield fact("cause", reset.cause)
    if reset.reason is None:
        yield fact("reason", "missing; w documents it, and until then nothing can be approved", "bold $warning")
    else:
        yield from _said("reason", reset.reason, outlook)


def _review(outlook: Outlook, _rest: str) -> Iterator[Paragraph]:
    review = outlook.review
    if review is None:
        return
    mark, said = review_words(outlook)
    yield Paragraph((mark.piece(), Piece(f"{review.run}: {said}", "bold")))
    if review.signed_at is not None:
        yield fact("signed", f"{moment(review.signed_at, outlook.where)} by {review.signer}, {review.tier}")
        yield from trust_paragraphs(outlook, review.run, review.tier)
    if review.first_reading_at is not None:
        yield fact("measured", f"from {moment(review.first_reading_at, outlook.where)} on")
    if review.fault:
        yield fact("fault", review.fault, "bold $error")
    for each in outlook.not_green:
        yield outcome_paragraph(each.outcome, each.title)
        if each.summary:
            yield Paragraph.plain(" " * 12 + each.summary, indent=12)


def outcome_paragraph(outcome: Outcome, title: str) -> Paragraph:
    """Return an item with its mark."""
    return Paragraph((OUTCOMES[outcome].piece(), Piece(title)), 12)


def _blocker(outlook: Outlook, rest: str) -> Iterator[Paragraph]:
    if rest.isdecimal() and int(rest) < len(outlook.blockers):
        yield Paragraph.plain("This stands against an approval", "bold")
        yield Paragraph.plain(outlook.blockers[int(rest)])
    yield from rule_paragraphs(outlook.state.definition)


def _decision(outlook: Outlook, rest: str) -> Iterator[Paragraph]:
    state = outlook.state
    made = [each.decision for each in state.attempts if each.decision is not None]
    for decision in (*state.overturned, *made):
        if rest == f"{decision.run}:{decision.seq}":
            yield from decision_paragraphs(outlook, decision, overturned=decision in state.overturned)
            return


def decision_paragraphs(outlook: Outlook, decision: Decision, *, overturned: bool) -> Iterator[Paragraph]:
    """Yield what was decided, on what grounds, and whether they still bear it out."""
    said = "Approved" if decision.approved else "Refused"
    ready = "ready" if decision.ready else "not ready"
    yield Paragraph.plain(f"{said} by {decision.by}", "bold")
    yield fact("time", moment(decision.at, outlook.where))
    yield fact("phase", f"{ready} for {outlook.state.definition.phase}")
    if decision.reason:
        yield fact("reason", decision.reason)
    if overturned:
        yield fact("overturned", decision.void, "bold $error")
    for each in decision.changed:
        yield fact("changed", each, "$warning")
    yield fact("record", f"event {decision.seq} of {decision.run}")
    yield fact("grounds", ", ".join(f"{each.run} ({each.state})" for each in decision.grounds))


def _attempt(outlook: Outlook, rest: str) -> Iterator[Paragraph]:
    attempt = next((each for each in outlook.state.attempts if str(each.number) == rest), None)
    if attempt is not None:
        yield from attempt_paragraphs(outlook, attempt)


def attempt_paragraphs(outlook: Outlook, attempt: Attempt) -> Iterator[Paragraph]:
    """Yield how an earlier count went."""
    first = f", from {day_words(attempt.first)} on" if attempt.first is not None else ""
    yield Paragraph.plain(f"Count {attempt.number}{first}", "bold")
    yield Paragraph.plain(attempt_words(attempt))
    if attempt.reset is not None:
        yield from reset_paragraphs(outlook, attempt.reset)
    if attempt.decision is not None:
        yield from decision_paragraphs(outlook, attempt.decision, overturned=False)


_ABOUT = {
    WANTED: _wanted,
    DAY: _day,
    RESET: _reset,
    REVIEW: _review,
    BLOCKER: _blocker,
    DECISION: _decision,
    ATTEMPT: _attempt,
}
