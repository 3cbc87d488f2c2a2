"""How far a qualification is, in the few words and the bar that Today has room for."""

import datetime as dt

import msgspec
import pytest

from opsconsole.model.approving import ReviewFact
from opsconsole.model.counting import QualificationState, qualified
from opsconsole.model.outcomes import Result
from opsconsole.model.qualifications import DayFact, Qualification
from opsconsole.screens.qualification_view import BAR_AT_MOST, progress_bar, progress_words

NOW = dt.datetime(2026, 11, 21, 14, tzinfo=dt.UTC)
RULES = Qualification(id="nine", title="Nine", checklist="daily", days=4, review="final")


def fact(day: int, how: str) -> DayFact:
    """Return a day of November: `pass`, `fail`, `open` or `gone`."""
    date = dt.date(2026, 11, day)
    ends = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(6), dt.UTC)
    made = DayFact(date=date, run=f"daily@{date}", ends_at=ends, opened=how != "gone", substance="s")
    if how in {"pass", "fail"}:
        signed = ends - dt.timedelta(hours=10)
        result = Result.PASS if how == "pass" else Result.FAIL
        return msgspec.structs.replace(made, signed_at=signed, signer="Ann", passed=how == "pass", result=result)
    return made


def state_of(days: dict[int, str], rules: Qualification = RULES) -> QualificationState:
    """Return the count of those days."""
    return qualified(rules, [fact(day, how) for day, how in days.items()], (), NOW)


@pytest.mark.parametrize(
    ("days", "words", "bar"),
    [
        ({}, "not begun", "...."),
        ({20: "pass"}, "day 2 of 4, 1 passed", "#..."),
        ({19: "pass", 20: "pass", 21: "open"}, "day 3 of 4, 2 passed", "##~."),
        ({18: "pass", 19: "fail", 20: "pass"}, "day 2 of 4, 1 passed; reset on 2026-11-19: reason missing", "#..."),
        (
            {17: "fail", 18: "gone", 21: "open"},
            "day 1 of 4, 0 passed; reset on 2026-11-18 and 1 more: reason missing",
            "~...",
        ),
        (dict.fromkeys((17, 18, 19, 20), "pass"), "reached: waits for its final review and a decision", "####"),
    ],
)
def test_words_and_bar(days: dict[int, str], words: str, bar: str) -> None:
    """The row of Today says which day it is, what has passed, and what somebody still owes a reason for."""
    state = state_of(days)
    assert progress_words(state) == words
    assert progress_bar(state) == bar
    assert (words + bar).isascii()


@pytest.mark.parametrize(
    ("review", "awaited"),
    [
        (ReviewFact(run="final@2026-11-20"), "its final review"),
        (ReviewFact(run="final@2026-11-20", opened=True, signed_at=NOW, passed=True), "a decision"),
        (ReviewFact(run="final@2026-11-20", opened=True, signed_at=NOW), "a final review that passes"),
    ],
)
def test_what_a_full_count_waits_for(review: ReviewFact, awaited: str) -> None:
    """Once all days have passed the words name the very next thing."""
    state = state_of(dict.fromkeys((17, 18, 19, 20), "pass"))
    assert progress_words(state, review) == f"reached: waits for {awaited}"


def test_bar_of_a_long_count_is_drawn_to_scale() -> None:
    """Ninety days have a bar as short as any; a cell is full only where all its days passed."""
    rules = msgspec.structs.replace(RULES, days=90)
    bar = progress_bar(state_of(dict.fromkeys(range(1, 11), "pass"), rules))
    assert len(bar) == BAR_AT_MOST
    assert bar.startswith("##~.")
