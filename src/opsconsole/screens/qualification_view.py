"""How far a qualification is, in a few words and as a bar; short enough for a row of Today."""

from opsconsole.model.approving import ReviewFact
from opsconsole.model.counting import DayState, Phase, QualificationState

BAR_AT_MOST = 24
"""Cells of the bar; a longer count is drawn to scale."""
_PASSED, _WAITING, _TO_COME = "#", "~", "."


def progress_words(state: QualificationState, review: ReviewFact | None = None) -> str:
    """Return `day 5 of 9, 4 passed`, `reached: waits for its final review`, and what is open besides.

    `review` is what the record says of the final review, where that was read.
    """
    parts = [f"{'approval' if each.approved else 'refusal'} of {each.date} overturned" for each in state.overturned]
    parts.append(phase_words(state, review))
    unexplained = state.unexplained
    if unexplained:
        more = f" and {len(unexplained) - 1} more" if len(unexplained) > 1 else ""
        parts.append(f"reset on {unexplained[-1].date}{more}: reason missing")
    return "; ".join(parts)


def phase_words(state: QualificationState, review: ReviewFact | None = None) -> str:
    """Return how far the last count is, and what it waits for once it is full."""
    attempt, decision = state.current, state.current.decision
    match state.phase:
        case Phase.NOT_BEGUN:
            return "not begun"
        case Phase.RUNNING:
            return f"{attempt.present}, {attempt.passed} passed"
        case Phase.REACHED:
            return f"reached: waits for {_awaited(state, review)}"
        case Phase.APPROVED | Phase.REFUSED:
            return str(state.phase) if decision is None else f"{state.phase} by {decision.by} on {decision.date}"


def _awaited(state: QualificationState, review: ReviewFact | None) -> str:
    if not state.definition.review:
        return "a decision"
    if review is None:
        return "its final review and a decision"
    if review.signed_at is None:
        return "its final review"
    return "a decision" if review.passed else "a final review that passes"


def progress_bar(state: QualificationState) -> str:
    """Return the last count as `####~....`: days that passed, that wait for their signature, that are to come."""
    attempt = state.current
    states = [each.state for each in attempt.counted[: attempt.length]]
    marks = [_PASSED if each is DayState.PASSED else _WAITING for each in states]
    marks += [_TO_COME] * (attempt.length - len(marks))
    if attempt.length <= BAR_AT_MOST:
        return "".join(marks)
    return "".join(_scaled(marks, cell) for cell in range(BAR_AT_MOST))


def _scaled(marks: list[str], cell: int) -> str:
    """Return the mark of one cell that stands for several days: passed only where all of them did."""
    part = marks[cell * len(marks) // BAR_AT_MOST : (cell + 1) * len(marks) // BAR_AT_MOST]
    if all(each == _PASSED for each in part):
        return _PASSED
    return _TO_COME if all(each == _TO_COME for each in part) else _WAITING
