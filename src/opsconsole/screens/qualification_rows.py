"""The list of a qualification: what is missing, its days, resets, final review and decision, and earlier counts."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from opsconsole.engine.outlook import Outlook
from opsconsole.model.counting import Attempt, Day, DayState, Decision, Phase, Reset
from opsconsole.model.qualifications import DayFact
from opsconsole.screens.marks import STANDING_WIDTH, Mark
from opsconsole.screens.phrases import day as day_words
from opsconsole.screens.phrases import first_line, number_of
from opsconsole.screens.qualification_view import phase_words, progress_bar
from opsconsole.widgets.pieces import Piece, clean, cut
from opsconsole.widgets.rows import Row

WANTED, DAY, RESET, REVIEW, BLOCKER, DECISION, ATTEMPT = (
    "wanted:",
    "day:",
    "reset:",
    "review",
    "blocker:",
    "decision:",
    "attempt:",
)
"""What the keys of rows begin with; the run, or a number, follows."""

_BEFORE_CAUSE = 36
"""Cells of a day's mark, number and date, which are always shown."""
_RIGHT_AT_LEAST, _RIGHT_AT_MOST = 20, 44
"""Cells of who signed and how; the detail has it all."""

DAYS = {
    DayState.PASSED: Mark("[x]", "PASSED", "$success"),
    DayState.HELD: Mark("[=]", "HELD", "$warning"),
    DayState.EXCLUDED: Mark("[-]", "EXCLUDED", "$warning"),
    DayState.RESET: Mark("[!]", "RESET", "bold $error"),
    DayState.WAITING: Mark("[~]", "WAITING", "bold"),
    DayState.AFTER: Mark("[.]", "AFTER", "dim"),
}
"""One mark for each thing that a day can be to the count."""
BROKEN = Mark("[?]", "BROKEN", "bold $error")
"""A day whose record does not hold, whatever it says."""

_TO_DO = Mark("[ ]", "TO DO", "bold")
_NOTICE = Mark("[~]", "NOTE", "$warning")
_OPEN = Mark("[ ]", "OPEN", "bold $warning")
_GIVEN = Mark("[x]", "REASON", "$success")
_BLOCKS = Mark("[!]", "BLOCKS", "bold $error")
_OVERTURNED = Mark("[?]", "OVERTURNED", "bold $error")
_FOLDED, _UNFOLDED = Mark("[+]", "COUNT", "dim"), Mark("[-]", "COUNT", "dim")
DECISIONS = {True: Mark("[x]", "APPROVED", "bold $success"), False: Mark("[!]", "REFUSED", "bold $error")}


@dataclass(frozen=True, slots=True)
class Looks:
    """What the list shows beside the outlook."""

    unfolded: Collection[int] = ()
    """Numbers of the earlier counts of which the days are shown."""
    width: int = 80
    """Cells of the list."""

    @property
    def room(self) -> int:
        """Cells for who signed a day and how."""
        return min(max(self.width - _BEFORE_CAUSE, _RIGHT_AT_LEAST), _RIGHT_AT_MOST)


def qualification_rows(outlook: Outlook, looks: Looks) -> list[Row]:
    """Return the rows of a qualification, what is to be done first; headings cannot be selected."""
    state = outlook.state
    rows = [*_wanted_rows(outlook), *_end_rows(outlook), *_count_rows(state.current, outlook, looks)]
    resets = [each for each in state.resets if each.reason is None]
    resets += [each for each in reversed(state.resets) if each.reason is not None]
    if resets:
        rows += [_heading("resets", f"Resets: {number_of(len(resets), 'time')}"), *map(_reset_row, resets)]
    rows += _earlier_rows(outlook, looks)
    return rows


def _heading(key: str, title: str, right: str = "") -> Row:
    return Row(f"heading:{key}", (Piece(title, "bold"),), (Piece(right),) if right else (), selectable=False)


def _wanted_rows(outlook: Outlook) -> Iterator[Row]:
    if outlook.state.phase in {Phase.APPROVED, Phase.REACHED}:
        return
    yield _heading("wanted", "What is missing for the day to count")
    for number, each in enumerate(outlook.outstanding):
        mark = _NOTICE if each.warns else _TO_DO
        yield Row(f"{WANTED}{number}:{each.run}", (mark.piece(STANDING_WIDTH), Piece(first_line(each.text))))
    if not outlook.outstanding:
        yield Row(f"{WANTED}none", (Piece(nothing_missing(outlook), "dim"),))


def nothing_missing(outlook: Outlook) -> str:
    """Return why nothing is to be done for the count now."""
    state = outlook.state
    if state.phase is Phase.NOT_BEGUN:
        start = f" from {state.definition.start} on" if state.definition.start is not None else ""
        return f"nobody has run {state.definition.checklist} yet: its first run that passes{start} is day 1"
    last = next((each for attempt in reversed(state.attempts) for each in reversed(attempt.days)), None)
    if last is None:
        return "no day has come yet"
    return f"nothing: {day_words(last.fact.date)} is settled as {last.state}"


def _count_rows(attempt: Attempt, outlook: Outlook, looks: Looks) -> Iterator[Row]:
    title = f"Count {attempt.number}: {phase_words(outlook.state, outlook.review)}"
    yield _heading("count", title, f"[{progress_bar(outlook.state)}]")
    for each in reversed(attempt.days):
        yield _day_row(each, outlook, looks)
    if not attempt.days:
        yield Row("heading:empty", (Piece("  no day has passed yet", "dim"),), selectable=False)


def mark_of(day: Day) -> Mark:
    """Return how a day is shown."""
    return BROKEN if day.fact.fault else DAYS[day.state]


def _day_row(day: Day, outlook: Outlook, looks: Looks) -> Row:
    number = str(day.number) if day.number else "-"
    cause = f"  {first_line(day.cause)}" if day.cause else ""
    left = (
        mark_of(day).piece(STANDING_WIDTH),
        Piece(f"{number:>3}  {day_words(day.fact.date)}"),
        Piece(cause, "dim"),
    )
    return Row(f"{DAY}{day.fact.run}", left, (Piece(_right(day.fact, outlook, looks.room), "dim"),))


def _right(fact: DayFact, outlook: Outlook, room: int) -> str:
    """Return who signed a day with which tier, and whether that was verified."""
    if fact.signed_at is None:
        return "not opened" if not fact.opened else "not signed"
    verified = outlook.trust(fact.run, fact.tier)
    how = f"{fact.tier}, {verified}"
    signer = cut(clean(fact.signer), room - len(how) - 2)
    return f"{signer}, {how}" if signer else how


def _reset_row(reset: Reset) -> Row:
    mark = _OPEN if reset.reason is None else _GIVEN
    said = "reason missing" if reset.reason is None else first_line(reset.reason.text)
    left = (
        mark.piece(STANDING_WIDTH),
        Piece(f"{day_words(reset.date)}  {said}"),
        Piece(f"  {first_line(reset.cause)}", "dim"),
    )
    return Row(f"{RESET}{reset.run}", left)


def _end_rows(outlook: Outlook) -> Iterator[Row]:
    """Yield the final review, what stands against an approval, and what was decided."""
    state = outlook.state
    if state.current.reached is None and state.phase is not Phase.REFUSED and not state.overturned:
        return
    yield _heading("end", "Final review and decision")
    if outlook.review is not None:
        yield _review_row(outlook)
    decided = [each.decision for each in state.attempts if each.decision is not None]
    for decision in (*state.overturned, *decided):
        yield _decision_row(decision, overturned=decision in state.overturned)
    if state.phase is Phase.REACHED:
        for number, text in enumerate(outlook.blockers):
            yield Row(f"{BLOCKER}{number}", (_BLOCKS.piece(STANDING_WIDTH), Piece(first_line(text))))
        if not outlook.blockers:
            left = (_TO_DO.piece(STANDING_WIDTH), Piece("nothing stands against an approval: a decides"))
            yield Row(f"{BLOCKER}none", left)


def _review_row(outlook: Outlook) -> Row:
    review = outlook.review
    if review is None:
        raise ValueError("there is no final review")
    mark, said = review_words(outlook)
    right = str(outlook.trust(review.run, review.tier)) if review.signed_at is not None else ""
    left = (mark.piece(STANDING_WIDTH), Piece(f"{review.run}  {said}"))
    return Row(REVIEW, left, (Piece(right, "dim"),) if right else ())


def review_words(outlook: Outlook) -> tuple[Mark, str]:
    """Return how the final review is shown, and how it stands."""
    review = outlook.review
    if review is None or not review.opened:
        return _TO_DO, "not done: f opens it"
    if review.fault:
        return BROKEN, "its record does not hold"
    if review.signed_at is None:
        return DAYS[DayState.WAITING], "not signed"
    if not review.passed:
        return Mark("[!]", "FAILED", "bold $error"), f"signed by {review.signer}"
    waived = f", {number_of(len(outlook.not_green), 'item')} not green" if outlook.not_green else ""
    return DAYS[DayState.PASSED], f"signed by {review.signer}{waived}"


def _decision_row(decision: Decision, *, overturned: bool) -> Row:
    mark = _OVERTURNED if overturned else DECISIONS[decision.approved]
    ready = "ready" if decision.ready else "not ready"
    what = f"{'approval' if decision.approved else 'refusal'} of " if overturned else ""
    left = (mark.piece(STANDING_WIDTH + 2), Piece(f"{what}{decision.date} by {decision.by}, {ready}"))
    return Row(f"{DECISION}{decision.run}:{decision.seq}", left)


def _earlier_rows(outlook: Outlook, looks: Looks) -> Iterator[Row]:
    earlier = outlook.state.attempts[:-1]
    if earlier:
        yield _heading("earlier", f"Earlier counts: {len(earlier)}", "Enter shows their days")
    for attempt in reversed(earlier):
        is_open = attempt.number in looks.unfolded
        mark = _UNFOLDED if is_open else _FOLDED
        left = (mark.piece(STANDING_WIDTH), Piece(f"{attempt.number:>3}  {attempt_words(attempt)}"))
        yield Row(f"{ATTEMPT}{attempt.number}", left)
        if is_open:
            yield from (_day_row(each, outlook, looks) for each in reversed(attempt.days))


def attempt_words(attempt: Attempt) -> str:
    """Return how an earlier count ended."""
    passed = number_of(attempt.passed, "day")
    if attempt.reset is not None:
        return f"{passed} passed, reset on {attempt.reset.date}: {first_line(attempt.reset.cause)}"
    if attempt.decision is not None:
        return f"{passed} passed, refused on {attempt.decision.date} by {attempt.decision.by}"
    return f"{passed} passed"
