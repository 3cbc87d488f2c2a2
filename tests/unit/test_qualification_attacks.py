"""What may be tried to make a qualification look better than it is, and how an honest one gets out again."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from opsconsole.model.counting import Phase, QualificationState
from opsconsole.model.events import Amendment, AmendmentKind, Meaning, Opened, Ticked
from opsconsole.model.opening_claims import opening_findings
from opsconsole.model.outcomes import Outcome
from opsconsole.model.verification import Weight
from support.qualified import ANN, BEN, DAYS, EVA, REVIEW, RULES, Ledger, hour, qualifying, run_of

MON = dt.date(2026, 11, 16)
REVIEWED = msgspec.structs.replace(RULES, review=REVIEW.id)


def day(step: int) -> dt.date:
    """Return a date of the week."""
    return MON + dt.timedelta(days=step)


def passing(*steps: int) -> Ledger:
    """Return a record in which those days passed."""
    ledger = Ledger()
    for step in steps:
        ledger.day(day(step))
    return ledger


def told(ledger: Ledger, now: dt.datetime, **given: Any) -> QualificationState:
    """Return the state of the qualification with a final review."""
    return qualifying(ledger, now, given.pop("rules", REVIEWED)).state("qbr", None, **given)


def grid(state: QualificationState) -> list[str]:
    """Return each count in a line, its days by the first letter of their state with their number."""
    return [" ".join(each.state.upper()[0] + str(each.number or "") for each in one.days) for one in state.attempts]


def reviewed(ledger: Ledger, at: float = 12) -> str:
    """Do and sign the final review of three days; return its run."""
    run = ledger.open(day(2), hour(day(2), at), REVIEW)
    ledger.add(run, Ticked("audit"), hour(day(2), at))
    ledger.sign(run, hour(day(2), at + 0.5))
    return run


def decided(ledger: Ledger, run: str, meaning: Meaning = Meaning.APPROVED, rules: Any = REVIEWED) -> None:
    """Decide in the record of a run."""
    found = qualifying(ledger, hour(day(2), 14), rules)
    approval = found.approval(found.state("qbr"), complete=True, ready=meaning is Meaning.APPROVED, reason="why")
    ledger.sign(run, hour(day(2), 14), meaning, EVA, approval=approval)


# --- the definition, edited around a decision -------------------------------------------------------


def test_an_approval_without_the_final_review_does_not_stand() -> None:
    """Whoever takes `review` out of the definition, approves, and puts it back has approved nothing."""
    ledger = passing(0, 1, 2)
    decided(ledger, run_of(day(2)), rules=RULES)
    assert told(ledger, hour(day(2), 15), rules=RULES).phase is Phase.APPROVED
    state = told(ledger, hour(day(2), 15))
    assert state.phase is Phase.REACHED
    assert [each.void for each in state.overturned] == [
        f"it was approved in {run_of(day(2))}, without the final review {REVIEW.id}@{day(2)}"
    ]


def test_a_review_that_failed_after_all_takes_its_approval_with_it() -> None:
    """The final review is what was approved on: amended to FAIL, it bears the approval no more."""
    ledger = passing(0, 1, 2)
    run = reviewed(ledger)
    decided(ledger, run)
    assert told(ledger, hour(day(2), 15)).phase is Phase.APPROVED
    ledger.amend(run, hour(day(2), 16), AmendmentKind.NOTE)
    assert told(ledger, hour(day(2), 17)).phase is Phase.APPROVED
    statement = ledger.states[run].signatures[-1].body.statement.amendment
    assert statement is not None
    failed = msgspec.structs.replace(statement, kind=AmendmentKind.FAILED, item="audit", text="")
    ledger.sign(run, hour(day(2), 18), Meaning.AMENDED, amendment=failed)
    state = told(ledger, hour(day(2), 19))
    assert state.phase is Phase.REACHED
    assert [each.void for each in state.overturned] == [f"the final review {run} does not count as passed"]


def test_a_refusal_does_not_go_away_with_another_review() -> None:
    """Whoever names another final review in the definition, or none, finds the refusal where it was."""
    ledger = passing(0, 1, 2)
    decided(ledger, reviewed(ledger), Meaning.REFUSED)
    assert told(ledger, hour(day(2), 15)).phase is Phase.REFUSED
    for other in ("", "qbr-other-review"):
        state = told(ledger, hour(day(2), 15), rules=msgspec.structs.replace(RULES, review=other))
        assert state.phase is Phase.REFUSED, other


# --- the calendar -----------------------------------------------------------------------------------


def test_a_missed_day_that_is_explained_does_not_begin_the_monitoring() -> None:
    """A reason given for a day before anybody began asks nobody for the reasons of all the days in between."""
    ledger = Ledger()
    run = ledger.open(day(-30), hour(day(0), 7), missed=True)
    ledger.sign(run, hour(day(0), 7.5))
    for step in (0, 1):
        ledger.day(day(step))
    assert grid(told(ledger, hour(day(1), 12))) == ["P1 P2"]


def test_a_missed_day_that_is_closed_afterwards_is_seen() -> None:
    """Closed before the list is opened again, it stands still, and whoever decides sees since when it is known."""
    closed = msgspec.structs.replace(DAYS, due=msgspec.structs.replace(DAYS.due, closed=(day(1),)))
    ledger = passing(0)
    for step in (2, 3):
        run = ledger.open(day(step), hour(day(step), 8), closed)
        ledger.see(run, hour(day(step), 8))
        ledger.sign(run, hour(day(step), 9))
    state = qualifying(ledger, hour(day(3), 12), REVIEWED, closed).state("qbr")
    assert grid(state) == ["P1 H P2 P3"]
    (held,) = (each for each in state.current.days if each.fact.date == day(1))
    assert held.cause == "it was closed by an edit that the record knows of only since 2026-11-18 14:00Z"


# --- runs that are made up for ----------------------------------------------------------------------


def _opening(**changes: Any) -> Opened:
    ledger = Ledger()
    ledger.open(day(0), hour(day(0), 8))
    body = ledger.stored[0].event.body
    assert isinstance(body, Opened)
    return msgspec.structs.replace(body, **changes)


def test_an_opening_after_the_end_of_its_period_is_no_opening_in_time() -> None:
    """The program opens such a run as missed: one that is not was made in another way."""
    run, opened = run_of(day(0)), _opening()
    end = opened.times.ends_at
    assert end is not None
    late = end + dt.timedelta(minutes=2)
    assert list(opening_findings(run, opened, hour(day(0), 8), 1)) == []
    assert list(opening_findings(run, opened, end, 1)) == []
    (found,) = opening_findings(run, opened, late, 1)
    assert (found.weight, found.code) == (Weight.FAULT, "opened-late")
    assert list(opening_findings(run, msgspec.structs.replace(opened, missed=True), late, 1)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"ends_at": hour(day(20), 8)},
        {"ends_at": None},
        {"begins_at": hour(day(-3), 8)},
        {"timezone": "Pacific/Kiritimati"},
    ],
)
def test_times_that_are_not_those_of_the_definition(changes: dict[str, Any]) -> None:
    """A period that is written down longer than it was does not make a run of another day one in time."""
    opened = _opening()
    forged = msgspec.structs.replace(opened, times=msgspec.structs.replace(opened.times, **changes))
    found = list(opening_findings(run_of(day(0)), forged, hour(day(0), 8), 1))
    assert {(each.weight, each.code) for each in found} == {(Weight.FAULT, "false-times")}


def test_rules_of_a_zone_that_were_changed_since_are_no_fault() -> None:
    """Governments move their clocks, and the table of zones is brought up to date: an hour is no forgery."""
    opened = _opening()
    end = opened.times.ends_at
    assert end is not None
    moved = msgspec.structs.replace(opened.times, ends_at=end + dt.timedelta(hours=1))
    kept = msgspec.structs.replace(opened, times=moved)
    assert not list(opening_findings(run_of(day(0)), kept, moved.begins_at, 1))


# --- resets whose record does not hold --------------------------------------------------------------


def documented(ledger: Ledger, run: str, at: dt.datetime, about: str = "") -> None:
    """Say in the record of a run why it reset the count, or why another did."""
    amendment = Amendment(kind=AmendmentKind.RESET, reason="INC-1", qualification=RULES.id, run=about)
    ledger.sign(run, at, Meaning.AMENDED, amendment=amendment)


def test_a_reason_in_a_record_that_does_not_hold_is_none() -> None:
    """Whoever writes a reason into the run that failed, with a forged signature, has documented nothing."""
    ledger = Ledger()
    failed = ledger.day(day(0), Outcome.FAIL)
    documented(ledger, failed, hour(day(0), 10))
    assert told(ledger, hour(day(0), 12)).unexplained == []
    (still_open,) = told(ledger, hour(day(0), 12), faults={failed: "it was forged"}).unexplained
    assert still_open.cause == "its record does not hold: it was forged"


def test_the_reason_of_a_broken_record_is_given_in_another() -> None:
    """Nothing can be added to a run that was tampered with: the run of the next morning says why, and names it."""
    ledger = Ledger()
    for step in range(4):
        ledger.day(day(step))
    broken, after = run_of(day(0)), run_of(day(1))
    faults = {broken: "it was changed"}
    assert [each.run for each in told(ledger, hour(day(3), 12), faults=faults).unexplained] == [broken]
    documented(ledger, after, hour(day(3), 10), broken)
    state = told(ledger, hour(day(3), 12), faults=faults)
    assert state.unexplained == []
    assert state.current.reached == day(3)
    (reset,) = state.resets
    assert reset.reason is not None
    assert (reset.reason.text, reset.reason.run) == ("INC-1", after)
    assert after in qualifying(ledger, hour(day(3), 12), REVIEWED).rests_on(state)
    both = {**faults, after: "it was forged"}
    assert broken in [each.run for each in told(ledger, hour(day(3), 12), faults=both).unexplained]


def test_a_reason_for_another_run_is_no_reason_of_its_own() -> None:
    """The run that says why yesterday was reset has said nothing of itself."""
    ledger = Ledger()
    first, second = ledger.day(day(0), Outcome.FAIL), ledger.day(day(1), Outcome.FAIL)
    documented(ledger, second, hour(day(1), 10), first)
    assert [each.run for each in told(ledger, hour(day(1), 12)).unexplained] == [second]


def test_whoever_asks_for_an_exclusion_does_not_accept_it() -> None:
    """Nor does whoever signed the day: it fails until somebody who had no hand in it has looked."""
    ledger = Ledger()
    ledger.day(day(0))
    failed = ledger.day(day(1), Outcome.FAIL, actor=BEN)
    asked = Amendment(kind=AmendmentKind.EXCLUDED, reason="a drill", qualification=RULES.id)
    ledger.sign(failed, hour(day(1), 10), Meaning.AMENDED, ANN, amendment=asked)
    for each in (ANN, BEN):
        ledger.sign(failed, hour(day(1), 11), Meaning.REVIEWED, each)
        assert grid(told(ledger, hour(day(1), 12))) == ["P1 R", ""]
    ledger.sign(failed, hour(day(1), 12), Meaning.REVIEWED, EVA)
    assert grid(told(ledger, hour(day(1), 13))) == ["P1 E"]


def test_four_eyes_that_are_lifted_for_an_approval_only() -> None:
    """Whoever sets `own_work`, approves their own days and takes it out again has approved nothing."""
    ledger = passing(0, 1, 2)
    lifted = msgspec.structs.replace(RULES, approval=msgspec.structs.replace(RULES.approval, own_work=True))
    found = qualifying(ledger, hour(day(2), 14), lifted)
    approval = found.approval(found.state("qbr"), complete=True, ready=True)
    ledger.sign(run_of(day(2)), hour(day(2), 14), Meaning.APPROVED, ANN, approval=approval)
    assert told(ledger, hour(day(2), 15), rules=lifted).phase is Phase.APPROVED
    state = told(ledger, hour(day(2), 15), rules=RULES)
    assert state.phase is Phase.REACHED
    assert [each.void for each in state.overturned] == [f"ann has signed {run_of(day(0))} too"]
