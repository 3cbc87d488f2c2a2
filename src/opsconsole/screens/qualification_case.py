"""Everything that there is to decide on of a qualification, in words, before anybody decides."""

from collections.abc import Iterator

from opsconsole.engine.approving import Case, Excluded
from opsconsole.model.counting import Day, DayState
from opsconsole.model.outcomes import Outcome
from opsconsole.screens.facts import fact
from opsconsole.screens.marks import STANDING_WIDTH
from opsconsole.screens.phrases import day as day_words
from opsconsole.screens.phrases import number_of
from opsconsole.screens.qualification_detail import outcome_paragraph
from opsconsole.screens.qualification_rows import mark_of
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece

_RUNS_NAMED = 3


def case_paragraphs(case: Case, objection: str) -> list[Paragraph]:
    """Return what stands against an approval first, then what it would rest on.

    `objection` says why this login may not decide without a key; empty where it may.
    """
    return [
        *_blockers(case),
        *_who(case, objection),
        *_verified(case),
        *_days(case),
        *_resets(case),
        *_review(case),
    ]


def _blockers(case: Case) -> Iterator[Paragraph]:
    approval = case.state.definition.approval
    if not case.blockers:
        yield Paragraph.plain("Nothing stands against an approval.", "bold $success")
    else:
        things = "1 thing stands" if len(case.blockers) == 1 else f"{len(case.blockers)} things stand"
        yield Paragraph.plain(f"{things} against an approval", "bold $error")
        for each in case.blockers:
            yield Paragraph((Piece("[!] ", "bold $error"), Piece(each)), 4)
    yield fact("phase", f"decided is whether it is ready for {case.state.definition.phase}")
    yield fact("signature", f"{approval.tier} or better, within {approval.within} of the last day")


def _who(case: Case, objection: str) -> Iterator[Paragraph]:
    own_work = case.state.definition.approval.own_work
    if own_work:
        yield fact(
            "own work", "ALLOWED by the rules: whoever signed the days may decide, and it will say so", "$warning"
        )
    else:
        yield fact("own work", "not allowed: whoever signed one of these may not decide")
    for each in case.excluded:
        yield fact("", _signed(each))
    if objection:
        yield fact("you", f"may not decide without a key of another person: {objection}", "bold $warning")


def _signed(excluded: Excluded) -> str:
    more = len(excluded.signed) - _RUNS_NAMED
    runs = ", ".join(excluded.signed[:_RUNS_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{excluded.who} signed {runs}"


def _verified(case: Case) -> Iterator[Paragraph]:
    evidence = case.evidence
    if evidence is None:
        yield fact("verified", "NOT VERIFIED: nothing is decided on it", "bold $error")
    elif evidence.is_whole:
        yield fact("verified", "every record that this rests on holds")
    else:
        said = "not everything could be checked, see above" if evidence.holds else "NOT EVERYTHING HOLDS, see above"
        yield fact("verified", said, "bold $error")


def _days(case: Case) -> Iterator[Paragraph]:
    attempt = case.state.current
    shown = [each for each in attempt.days if each.state is not DayState.AFTER]
    counts = [each.fact.counts for each in attempt.counted]
    warned, waived = (sum(each.get(what, 0) for each in counts) for what in (Outcome.WARN, Outcome.WAIVED))
    yield Paragraph.plain(f"\nThe days: {number_of(attempt.passed, 'day')} passed of {attempt.length}", "bold")
    for each in shown:
        yield _day(each)
    yield fact("warnings", f"{number_of(warned, 'item')} on the days that count")
    yield fact("waivers", f"{number_of(waived, 'item')} on the days that count")
    since = [each.fact.run for each in attempt.days if each.state is DayState.AFTER and each.fact.signed_at]
    failed = [
        each.fact.run
        for each in attempt.days
        if each.state is DayState.AFTER and each.fact.signed_at and not each.fact.passed
    ]
    yield fact("since", f"{number_of(len(since), 'run')} signed after the last day, {len(failed)} did not pass")
    for run in failed:
        yield fact("", run, "$warning")


def _day(day: Day) -> Paragraph:
    number = str(day.number) if day.number else "-"
    signed = f"{day.fact.signer}, {day.fact.tier}" if day.fact.signed_at is not None else "not signed"
    cause = f": {day.cause}" if day.cause else ""
    text = f"{number:>3}  {day_words(day.fact.date)}  {signed}{cause}"
    return Paragraph((mark_of(day).piece(STANDING_WIDTH), Piece(text)), STANDING_WIDTH + 4)


def _resets(case: Case) -> Iterator[Paragraph]:
    resets = case.state.resets
    yield Paragraph.plain(f"\nResets: {len(resets) or 'none'}", "bold")
    for each in resets:
        yield Paragraph.plain(
            f"{day_words(each.date)}, after {number_of(each.reached, 'day')}: {each.cause}", indent=2
        )
        if each.reason is None:
            yield Paragraph((Piece("  no reason is documented", "bold $error"),), 2)
        else:
            yield Paragraph((Piece(f"  {each.reason.who}: ", "dim"), Piece(each.reason.text)), 2)


def _review(case: Case) -> Iterator[Paragraph]:
    if not case.state.definition.review:
        return
    yield Paragraph.plain("\nThe final review", "bold")
    review = case.review
    if review is None or not review.opened:
        yield fact("run", "not done" if review is None else f"{review.run}: not done")
        return
    signed = f"signed by {review.signer}, {'passed' if review.passed else 'did not pass'}"
    yield fact("run", f"{review.run}: {signed if review.signed_at is not None else 'not signed'}")
    for text in case.review_hurdles:
        yield fact("to do", text)
    if not case.review_items:
        yield Paragraph.plain("Every item passed.")
    for item in case.review_items:
        yield outcome_paragraph(item.outcome, item.title)
        for said in (item.summary, *item.notes):
            if said:
                yield Paragraph.plain(" " * 12 + said, indent=12)
