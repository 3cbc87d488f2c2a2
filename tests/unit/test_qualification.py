"""The rules of a qualification, one by one: what a day does to the count, and what a decision is worth."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from opsconsole.model.approving import ReviewFact, blockers, decider_objection
from opsconsole.model.counting import Phase, QualificationState
from opsconsole.model.encoding import definition_hash
from opsconsole.model.events import Actor, AmendmentKind, Meaning, Redefined, Skipped, Ticked, Waived
from opsconsole.model.foureyes import Signatory
from opsconsole.model.outcomes import Outcome
from opsconsole.model.qualifications import (
    ApprovalPolicy,
    Effect,
    Qualification,
    qualification_hash,
    substance_hash,
)
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Duration
from support.qualified import ANN, BEN, DAYS, EVA, REVIEW, RULES, Ledger, edited, hour, qualifying, run_of

MON = dt.date(2026, 11, 16)
LATER = hour(MON, 24 * 8)


def day(step: int) -> dt.date:
    """Return a date of the week."""
    return MON + dt.timedelta(days=step)


def ruled(**changes: Any) -> Qualification:
    """Return the rules with something else in them."""
    return msgspec.structs.replace(RULES, **changes)


def told(
    ledger: Ledger, now: dt.datetime = LATER, rules: Qualification = RULES, **faults: dict[str, str]
) -> QualificationState:
    """Return the state by everything that is stored."""
    return qualifying(ledger, now, rules).state("qbr", None, **faults)


def passing(*steps: int, version: int = 0, actor: Actor = ANN) -> Ledger:
    """Return a record in which those days passed."""
    ledger = Ledger()
    for step in steps:
        ledger.day(day(step), version=version, actor=actor)
    return ledger


def grid(state: QualificationState) -> list[str]:
    """Return each count in a line, its days by the first letter of their state with their number."""
    letters = {"passed": "P", "held": "H", "excluded": "X", "reset": "R", "waiting": "W", "after": "A"}
    return [" ".join(letters[each.state] + str(each.number or "") for each in one.days) for one in state.attempts]


# --- one day ----------------------------------------------------------------------------------------


def _plain(ledger: Ledger) -> None:
    ledger.day(day(1))


def _warned(ledger: Ledger) -> None:
    ledger.day(day(1), Outcome.WARN)


def _failed(ledger: Ledger) -> None:
    ledger.day(day(1), Outcome.FAIL)


def _nothing(ledger: Ledger) -> None:
    """Leave it."""


def _unsigned(ledger: Ledger) -> None:
    ledger.see(ledger.open(day(1), hour(day(1), 8)), hour(day(1), 8))


def _unseen(ledger: Ledger) -> None:
    ledger.open(day(1), hour(day(1), 8))


def _waived(ledger: Ledger) -> None:
    run = ledger.open(day(1), hour(day(1), 8))
    ledger.see(run, hour(day(1), 8), Outcome.FAIL)
    ledger.add(run, Waived("collectors", "known", dt.date(2027, 1, 1)), hour(day(1), 8.5))
    ledger.sign(run, hour(day(1), 9))


def _skipped(ledger: Ledger) -> None:
    run = ledger.open(day(1), hour(day(1), 8))
    ledger.see(run, hour(day(1), 8))
    ledger.add(run, Skipped("look", "not here"), hour(day(1), 8.5))
    ledger.sign(run, hour(day(1), 9))


def _explained(ledger: Ledger) -> None:
    run = ledger.open(day(1), hour(day(1), 30), missed=True)
    ledger.sign(run, hour(day(1), 31))


def _signed(at: float) -> Callable[[Ledger], None]:
    def done(ledger: Ledger) -> None:
        run = ledger.open(day(1), hour(day(1), 8))
        ledger.see(run, hour(day(1), 8))
        ledger.sign(run, hour(day(1), at))

    return done


def _dated_back(ledger: Ledger) -> None:
    run = ledger.open(day(1), hour(day(1), 8))
    ledger.see(run, hour(day(1), 8))
    ledger.sign(run, hour(day(1), 80), said=hour(day(1), 9))


def _dated_ahead(ledger: Ledger) -> None:
    run = ledger.open(day(1), hour(day(1), 8))
    ledger.see(run, hour(day(1), 8))
    ledger.sign(run, hour(day(1), 9), said=hour(day(1), 80))


def _seen_late(ledger: Ledger) -> None:
    run = ledger.open(day(1), hour(day(1), 8))
    ledger.see(run, hour(day(1), 27))
    ledger.sign(run, hour(day(1), 28))


def _ticked_late(ledger: Ledger) -> None:
    run = ledger.open(day(1), hour(day(1), 8))
    ledger.see(run, hour(day(1), 8), ticked=hour(day(1), 27))
    ledger.add(run, Redefined(definition=DAYS, definition_hash=definition_hash(DAYS)), hour(day(1), 27))
    ledger.sign(run, hour(day(1), 28))


def _another(ledger: Ledger) -> None:
    ledger.day(day(1), version=1)


def _retitled(ledger: Ledger) -> None:
    ledger.day(day(1), version=2)


def _edited_meanwhile(ledger: Ledger) -> None:
    run = ledger.open(day(1), hour(day(1), 8))
    body = Redefined(definition=edited(1), definition_hash=definition_hash(edited(1)))
    ledger.add(run, body, hour(day(1), 8.2))
    ledger.see(run, hour(day(1), 8.5))
    ledger.sign(run, hour(day(1), 9))


def _amended(kind: AmendmentKind, tier: Tier = Tier.ATTRIBUTED) -> Callable[[Ledger], None]:
    def done(ledger: Ledger) -> None:
        ledger.amend(ledger.day(day(1)), hour(day(1), 60), kind, tier=tier)

    return done


def _excluded(reviewer: Actor | None, *, then: AmendmentKind | None = None) -> Callable[[Ledger], None]:
    def done(ledger: Ledger) -> None:
        run = ledger.day(day(1), Outcome.FAIL)
        ledger.amend(run, hour(day(1), 10), AmendmentKind.EXCLUDED)
        if reviewer is not None:
            ledger.sign(run, hour(day(1), 11), Meaning.REVIEWED, reviewer)
        if then is not None:
            ledger.amend(run, hour(day(1), 12), then, BEN)

    return done


def _reviewed_first(ledger: Ledger) -> None:
    run = ledger.day(day(1), Outcome.FAIL)
    ledger.sign(run, hour(day(1), 10), Meaning.REVIEWED, EVA)
    ledger.amend(run, hour(day(1), 11), AmendmentKind.EXCLUDED)


ONE_DAY: list[tuple[str, Callable[[Ledger], None], dict[str, Any], list[str], str]] = [
    ("plain", _plain, {}, ["P1 P2 P3"], ""),
    ("warned", _warned, {}, ["P1 P2 P3"], "it passed with warnings"),
    ("warned, held", _warned, {"warnings": Effect.HOLD}, ["P1 H P2"], "it passed with warnings"),
    ("warned, reset", _warned, {"warnings": Effect.RESET}, ["P1 R", "P1"], "it passed with warnings"),
    ("failed", _failed, {}, ["P1 R", "P1"], "it failed: Collectors"),
    ("nothing", _nothing, {}, ["P1 R", "P1"], "nobody ran the checklist"),
    ("nothing, held", _nothing, {"missed": Effect.HOLD}, ["P1 H P2"], "nobody ran the checklist"),
    ("nothing never counts", _nothing, {"missed": Effect.COUNT}, ["P1 H P2"], "nobody ran the checklist"),
    ("explained", _explained, {}, ["P1 R", "P1"], "nobody ran the checklist"),
    ("explained, held", _explained, {"missed": Effect.HOLD}, ["P1 H P2"], "nobody ran the checklist"),
    ("unsigned", _unsigned, {}, ["P1 R", "P1"], "nobody signed it off"),
    ("unsigned, held", _unsigned, {"unsigned": Effect.HOLD}, ["P1 H P2"], "nobody signed it off"),
    ("unsigned, green", _unsigned, {"unsigned": Effect.COUNT}, ["P1 P2 P3"], "nobody signed it off"),
    ("unsigned, unseen", _unseen, {"unsigned": Effect.COUNT}, ["P1 R", "P1"], "not everything was seen"),
    ("waived", _waived, {}, ["P1 P2 P3"], "an item was waived"),
    ("waived, held", _waived, {"waivers": Effect.HOLD}, ["P1 H P2"], "an item was waived"),
    ("waived, reset", _waived, {"waivers": Effect.RESET}, ["P1 R", "P1"], "an item was waived"),
    ("skipped", _skipped, {}, ["P1 P2 P3"], "an item was skipped by hand"),
    ("skipped, reset", _skipped, {"skips": Effect.RESET}, ["P1 R", "P1"], "an item was skipped by hand"),
    ("signed next day", _signed(27), {}, ["P1 P2 P3"], ""),
    ("signed in the last minute", _signed(49.95), {}, ["P1 P2 P3"], ""),
    ("signed too late", _signed(50), {}, ["P1 R", "P1"], "it was signed too late"),
    ("signed late, held", _signed(80), {"unsigned": Effect.HOLD}, ["P1 H P2"], "it was signed too late"),
    ("signed late, counted", _signed(80), {"unsigned": Effect.COUNT}, ["P1 P2 P3"], "it was signed too late"),
    ("dated back", _dated_back, {}, ["P1 R", "P1"], "it was signed too late, at 2026-11-20 14:00Z"),
    ("dated ahead", _dated_ahead, {}, ["P1 R", "P1"], "it was signed too late, at 2026-11-20 14:00Z"),
    ("longer to sign", _signed(80), {"sign_within": Duration.parse("4 d")}, ["P1 P2 P3"], ""),
    ("seen late", _seen_late, {}, ["P1 R", "P1"], "part of it was seen only after its day"),
    ("seen late never counts", _seen_late, {"missed": Effect.COUNT}, ["P1 H P2"], "part of it was seen"),
    ("ticked late", _ticked_late, {}, ["P1 R", "P1"], "part of it was seen only after its day"),
    ("another definition", _another, {}, ["P1", "P1", "P1"], ""),
    ("another, held", _another, {"definition_changes": Effect.HOLD}, ["P1 H P2"], "in another way"),
    ("another, counted", _another, {"definition_changes": Effect.COUNT}, ["P1 P2 P3"], "in another way"),
    ("another title", _retitled, {}, ["P1 P2 P3"], ""),
    ("edited within the day", _edited_meanwhile, {}, ["P1", "P1", "P1"], ""),
    ("weak", _plain, {"tier": Tier.SIGNED}, ["R", "R", "R", ""], "its weakest signature is attributed"),
    ("amended to fail", _amended(AmendmentKind.FAILED), {}, ["P1 R", "P1"], "it failed: Collectors"),
    ("a note", _amended(AmendmentKind.NOTE), {}, ["P1 P2 P3"], ""),
    ("exclusion asked for", _excluded(None), {}, ["P1 R", "P1"], "Ann (ann) asks to exclude it"),
    ("excluded by two", _excluded(EVA), {}, ["P1 X P2"], "excluded by Ann (ann) and Eva (eva): because"),
    ("excluded by one", _excluded(ANN), {}, ["P1 R", "P1"], "which a second person has to accept"),
    ("excluded, then a note", _excluded(EVA, then=AmendmentKind.NOTE), {}, ["P1 R", "P1"], "a second person"),
    ("reviewed before it was asked", _reviewed_first, {}, ["P1 R", "P1"], "a second person has to accept"),
]


QUIET = msgspec.structs.replace(
    DAYS, due=msgspec.structs.replace(DAYS.due, closed=tuple(day(step) for step in range(3, 9)))
)
"""The checklist with nothing due after three days, so that what may still be signed can be waited for."""


@pytest.mark.parametrize(
    ("do", "rules", "expected", "cause"), [each[1:] for each in ONE_DAY], ids=[each[0] for each in ONE_DAY]
)
def test_what_a_day_does_to_the_count(
    do: Callable[[Ledger], None], rules: dict[str, Any], expected: list[str], cause: str
) -> None:
    """Of three days the middle one is not like the others: the grid shows what the rules make of it, and why."""
    ledger = passing(0)
    do(ledger)
    ledger.day(day(2))
    state = qualifying(ledger, hour(day(5), 8), ruled(**rules), QUIET).state("qbr")
    assert grid(state) == expected
    shown = next(each for one in state.attempts for each in one.days if each.fact.date == day(1))
    assert cause in shown.cause
    assert bool(shown.cause) is bool(cause)


# --- the count --------------------------------------------------------------------------------------


def test_a_day_can_be_signed_until_its_time_is_over() -> None:
    """This morning is day 3 already while yesterday waits for its signature; without one it is day 1 in the end."""
    ledger = passing(0)
    _unsigned(ledger)
    assert grid(told(ledger, hour(day(1), 12))) == ["P1 W2"]
    waiting = told(ledger, hour(day(2), 8))
    assert grid(waiting) == ["P1 W2 W3"]
    assert "waits for its signature until 2026-11-19 08:00Z" in waiting.current.days[1].cause
    ledger.day(day(2))
    assert told(ledger, hour(day(2), 10)).current.reached is None
    assert blockers(told(ledger, hour(day(2), 10)), None, hour(day(2), 10)) == (
        f"2 of 3 days have passed; {run_of(day(1))} still to be signed",
    )
    assert grid(told(ledger, hour(day(3), 1.9))) == ["P1 W2 P3"]
    assert grid(told(ledger, hour(day(3), 2))) == ["P1 R", "P1 W2"]
    ledger.sign(run_of(day(1)), hour(day(3), 1), actor=BEN)
    assert grid(told(ledger, hour(day(3), 2))) == ["P1 P2 P3 A"]


def test_monday_follows_friday() -> None:
    """Of a list for working days a weekend is no gap, and a run that somebody opens on one does not count."""
    checklist = msgspec.structs.replace(DAYS, due=msgspec.structs.replace(DAYS.due, days="Mon..Fri"))
    ledger = Ledger()
    for step in (3, 4, 5, 7):
        run = ledger.open(day(step), hour(day(step), 8), checklist)
        ledger.see(run, hour(day(step), 8), Outcome.FAIL if step == 5 else Outcome.PASS)
        ledger.sign(run, hour(day(step), 9))
    state = qualifying(ledger, hour(day(7), 12), RULES, checklist).state("qbr")
    assert grid(state) == ["P1 P2 P3"]
    assert state.current.reached == day(7)
    assert state.day_of(run_of(day(5))) is None


def test_the_calendar_cannot_be_edited_after_the_fact() -> None:
    """Closing the day that failed, or that nobody worked on, once the list has been opened again hides nothing."""
    ledger = passing(0)
    _failed(ledger)
    ledger.day(day(3))
    closed = msgspec.structs.replace(DAYS, due=msgspec.structs.replace(DAYS.due, closed=(day(1), day(2))))
    assert grid(qualifying(ledger, hour(day(3), 12), RULES, closed).state("qbr")) == ["P1 R", "R", "P1"]
    run = ledger.open(day(4), hour(day(4), 8), closed)
    ledger.see(run, hour(day(4), 8))
    ledger.sign(run, hour(day(4), 9))
    assert grid(qualifying(ledger, hour(day(4), 12), RULES, closed).state("qbr")) == ["P1 R", "R", "P1 P2"]


def test_a_day_that_was_closed_in_time_is_no_gap() -> None:
    """What a run followed before the day began holds: a works holiday is passed over."""
    closed = msgspec.structs.replace(DAYS, due=msgspec.structs.replace(DAYS.due, closed=(day(1),)))
    ledger = Ledger()
    for step in (0, 2):
        run = ledger.open(day(step), hour(day(step), 8), closed)
        ledger.see(run, hour(day(step), 8))
        ledger.sign(run, hour(day(step), 9))
    assert grid(qualifying(ledger, hour(day(2), 12), RULES, closed).state("qbr")) == ["P1 P2"]
    assert grid(qualifying(passing(0), hour(day(1), 12), RULES, closed).state("qbr")) == ["P1"]


def test_nothing_counts_before_the_start_and_everything_from_it_on() -> None:
    """Years of mornings before a qualification are not its business; days missed since its start are."""
    ledger = passing(2, 3)
    _failed(ledger)
    assert grid(told(ledger, hour(day(3), 12))) == ["R", "P1 P2"]
    assert grid(told(ledger, hour(day(3), 12), ruled(start=day(3)))) == ["P1"]
    assert grid(told(ledger, hour(day(3), 12), ruled(start=day(0)))) == ["R", "R", "P1 P2"]
    assert grid(told(Ledger(), hour(day(1), 12), ruled(start=day(0)))) == ["R", "W1"]
    assert told(Ledger(), hour(day(1), 12)).phase is Phase.NOT_BEGUN


def test_a_reset_stays_open_until_its_reason_is_given() -> None:
    """Each failed day asks why; the reason is shown with who gave it, and one of another qualification is none."""
    ledger = passing(0)
    _failed(ledger)
    ledger.day(day(2))
    state = told(ledger, hour(day(2), 12))
    (reset,) = state.unexplained
    assert (reset.date, reset.run, reset.reached, reset.reason) == (day(1), run_of(day(1)), 1, None)
    assert "the reset of 2026-11-17 has no documented reason" in "".join(blockers(state, None, LATER))
    ledger.amend(run_of(day(1)), hour(day(2), 13), AmendmentKind.RESET, BEN)
    state = told(ledger, hour(day(2), 14))
    assert state.unexplained == []
    (reset,) = state.resets
    assert reset.reason is not None
    assert (reset.reason.text, reset.reason.who) == ("because", "Ben (ben)")
    other = msgspec.structs.replace(RULES, id="another")
    assert qualifying(ledger, hour(day(2), 14), other).state("another").unexplained != []


def test_a_failed_day_was_the_second_day_of_the_monitoring() -> None:
    """The sheet of a morning names its day of monitoring, of a failed one too; those after the last have none."""
    ledger = passing(0, 2, 3, 4)
    _failed(ledger)
    ledger.day(day(5))
    state = told(ledger, hour(day(5), 12))
    shown = [str(state.monitoring(run_of(day(step)))) for step in range(6)]
    assert shown == ["day 1 of 3", "day 2 of 3", "day 1 of 3", "day 2 of 3", "day 3 of 3", "None"]


def test_a_record_that_does_not_hold_changes_the_state_and_says_so() -> None:
    """A broken day resets the count, even an excluded one; what could not be checked only blocks an approval."""
    ledger = passing(0, 2)
    _excluded(EVA)(ledger)
    assert grid(told(ledger, hour(day(2), 12))) == ["P1 X P2"]
    broken = told(ledger, hour(day(2), 12), faults={run_of(day(1)): "event 7 was changed"})
    assert grid(broken) == ["P1 R", "P1"]
    assert broken.resets[0].cause == "its record does not hold: event 7 was changed"
    unchecked = told(ledger, hour(day(2), 12), unchecked={run_of(day(1)): "no allowed signers"})
    assert grid(unchecked) == ["P1 X P2"]
    assert f"{run_of(day(1))}: its record could not be checked: no allowed signers" in blockers(
        unchecked, None, LATER
    )


def test_a_record_that_cannot_be_read_is_a_day_that_does_not_hold() -> None:
    """One damaged event of one morning takes that morning from the count, and nobody's screen down."""
    ledger = passing(0, 1, 2)
    place = next(seq for seq, each in enumerate(ledger.stored) if each.event.run == run_of(day(1)))
    ledger.documents[place + 3] = ledger.documents[place + 3].replace(b"PASS", b"FAIL")
    state = told(ledger, hour(day(2), 12))
    assert grid(state) == ["P1 R", "P1"]
    assert "was changed after it was stored" in state.resets[0].cause


def test_a_clock_that_was_set_back_does_not_show_what_had_not_happened() -> None:
    """Of a past moment nothing is told that stands behind an event of a later date, whatever its own date."""
    ledger = Ledger()
    run = ledger.open(day(0), hour(day(0), 8))
    body = Redefined(definition=edited(2), definition_hash=definition_hash(edited(2)))
    ledger.add(run, body, hour(day(0), 20))
    ledger.see(run, hour(day(0), 9))
    ledger.sign(run, hour(day(0), 9.5))
    now = hour(day(0), 21)
    assert grid(qualifying(ledger, now).state("qbr", hour(day(0), 10))) == ["W1"]
    assert grid(qualifying(ledger, now).state("qbr", now)) == ["P1"]


def test_what_stands_before_a_signature_was_there_before_it() -> None:
    """A reading that a wrong clock dates later is part of what was signed, also when that morning is looked at."""
    ledger = Ledger()
    run = ledger.open(day(0), hour(day(0), 8))
    ledger.see(run, hour(day(0), 40), Outcome.FAIL)
    ledger.sign(run, hour(day(0), 9))
    (reset,) = qualifying(ledger, hour(day(2), 1)).state("qbr", hour(day(0), 10)).resets
    assert reset.cause == "it failed: Collectors"


def test_what_decides_is_hashed_and_titles_are_not() -> None:
    """An edit of titles, help or minutes is no change of what is measured; a limit, the zone or the schedule is."""
    first = DAYS.sections[0].items[0]
    harmless = {"title": "x", "help": "x", "minutes": 9, "refs": ("Q01",), "priority": "P1"}
    for changes in harmless.items():
        item = msgspec.structs.replace(first, **dict([changes]))
        assert substance_hash(_with(item)) == substance_hash(DAYS)
    for changes in {"probe": "disk", "on_timeout": Outcome.WARN, "on_no_history": Outcome.SKIPPED}.items():
        item = msgspec.structs.replace(first, **dict([changes]))
        assert substance_hash(_with(item)) != substance_hash(DAYS)
    zone = msgspec.structs.replace(DAYS, due=msgspec.structs.replace(DAYS.due, timezone="UTC"))
    assert len({substance_hash(each) for each in (DAYS, zone, msgspec.structs.replace(DAYS, schedule=None))}) == 3


def _with(item: Any) -> Any:
    section = msgspec.structs.replace(DAYS.sections[0], items=(item, DAYS.sections[0].items[1]))
    return msgspec.structs.replace(DAYS, sections=(section,))


# --- decisions --------------------------------------------------------------------------------------


def decided(
    ledger: Ledger,
    meaning: Meaning = Meaning.APPROVED,
    *,
    at: dt.datetime = hour(day(2), 14),
    who: Actor = EVA,
    rules: Qualification = RULES,
    tier: Tier = Tier.ATTRIBUTED,
    **changes: Any,
) -> None:
    """Decide on what is reached, in the record of its last day, with something false in it."""
    found = qualifying(ledger, at, rules)
    state = found.state("qbr")
    approval = found.approval(state, complete=True, ready=meaning is Meaning.APPROVED, reason="because")
    run = state.current.counted[-1].fact.run
    ledger.sign(run, at, meaning, who, tier=tier, approval=msgspec.structs.replace(approval, **changes))


def test_an_approval_stands_as_long_as_the_record_bears_it_out() -> None:
    """A note on a day changes nothing and is told; a day that turns out to have failed overturns the approval."""
    ledger = passing(0, 1, 2)
    decided(ledger)
    state = told(ledger, hour(day(2), 15))
    assert state.phase is Phase.APPROVED
    assert state.current.decision is not None
    assert state.current.decision.changed == ()
    ledger.amend(run_of(day(1)), hour(day(2), 16), AmendmentKind.NOTE)
    noted = told(ledger, hour(day(2), 17))
    assert noted.phase is Phase.APPROVED
    assert noted.current.decision is not None
    assert noted.current.decision.changed == (f"{run_of(day(1))} was amended since",)
    ledger.amend(run_of(day(1)), hour(day(2), 18), AmendmentKind.FAILED)
    failed = told(ledger, hour(day(2), 19))
    assert failed.phase is Phase.RUNNING
    (overturned,) = failed.overturned
    assert overturned.void == "the days that it was made on do not count any more as they did"
    assert grid(failed) == ["P1 R", "P1"]


def test_an_approval_is_told_when_its_rules_were_edited() -> None:
    """A longer count is not approved by an approval of a shorter one; another title of it is only mentioned."""
    ledger = passing(0, 1, 2)
    decided(ledger)
    titled = told(ledger, hour(day(2), 15), ruled(title="Three clean days"))
    assert titled.phase is Phase.APPROVED
    assert titled.current.decision is not None
    assert titled.current.decision.changed == ("the definition of qbr was edited since",)
    longer = told(ledger, hour(day(2), 15), ruled(days=4))
    assert longer.phase is Phase.RUNNING
    assert len(longer.overturned) == 1
    shorter = told(ledger, hour(day(2), 15), ruled(days=2))
    assert shorter.phase is Phase.REACHED
    assert len(shorter.overturned) == 1


def test_an_approval_goes_with_the_exclusion_of_a_day() -> None:
    """To exclude a day afterwards is to have one day less: what was approved is not full any more."""
    ledger = passing(0, 1, 2)
    decided(ledger)
    ledger.amend(run_of(day(1)), hour(day(2), 15), AmendmentKind.EXCLUDED)
    assert told(ledger, hour(day(2), 16)).phase is Phase.APPROVED
    ledger.sign(run_of(day(1)), hour(day(2), 17), Meaning.REVIEWED, BEN)
    state = told(ledger, hour(day(2), 18))
    assert (state.phase, grid(state), len(state.overturned)) == (Phase.RUNNING, ["P1 X P2"], 1)


@pytest.mark.parametrize(
    ("rules", "changes", "why"),
    [
        ({}, {"complete": False}, "it was approved though something stood against it"),
        ({}, {"who": ANN}, f"ann has signed {run_of(day(0))} too"),
        ({"approval": ApprovalPolicy(own_work=True)}, {"who": ANN}, ""),
        (
            {"approval": ApprovalPolicy(tier=Tier.SIGNED)},
            {},
            "its signature is attributed, and signed is asked for",
        ),
        ({"approval": ApprovalPolicy(tier=Tier.SIGNED)}, {"tier": Tier.SIGNED}, ""),
        ({"approval": ApprovalPolicy(within=Duration.parse("1 h"))}, {"at": hour(day(2), 27)}, "had expired"),
        ({"approval": ApprovalPolicy(within=Duration.parse("1 h"))}, {"at": hour(day(2), 26.9)}, ""),
        ({}, {"first": day(0), "days": ()}, "the days that it was made on"),
    ],
)
def test_what_was_decided_against_the_rules_does_not_stand(
    rules: dict[str, Any], changes: dict[str, Any], why: str
) -> None:
    """However it came into the record: the count waits for another decision, and says what became of this one."""
    ledger, definition = passing(0, 1, 2), ruled(**rules)
    decided(ledger, rules=definition, **changes)
    state = told(ledger, hour(day(2), 27.5), definition)
    assert state.phase is (Phase.REACHED if why else Phase.APPROVED)
    assert [why in each.void for each in state.overturned] == ([True] if why else [])


def test_after_a_refusal_nothing_counts_up_to_its_date() -> None:
    """The next count begins on the day after, and the refusal is told with its reason."""
    ledger = passing(0, 1, 2, 3, 4)
    decided(ledger, Meaning.REFUSED, at=hour(day(3), 14))
    refused = told(ledger, hour(day(3), 15))
    assert refused.phase is Phase.REFUSED
    assert refused.current.decision is not None
    assert (refused.current.decision.reason, refused.current.decision.date) == ("because", day(3))
    assert grid(told(ledger, hour(day(4), 15))) == ["P1 P2 P3 A", "P1"]


def test_a_refusal_cannot_be_got_round_by_an_amendment() -> None:
    """A day amended to fail afterwards takes the refused count away, and lets no refused day count again."""
    ledger = passing(0, 1, 2, 3)
    decided(ledger, Meaning.REFUSED, at=hour(day(3), 14))
    ledger.amend(run_of(day(0)), hour(day(3), 15), AmendmentKind.FAILED)
    state = told(ledger, hour(day(3), 16))
    assert grid(state) == ["R", "P1 P2 P3", ""]
    assert state.phase is Phase.RUNNING
    assert "refused by Eva (eva)" in state.resets[-1].cause
    assert state.resets[-1].reason is not None
    assert len(state.overturned) == 1
    ledger.day(day(4))
    assert grid(told(ledger, hour(day(4), 16))) == ["R", "P1 P2 P3", "P1"]


def test_of_two_decisions_the_refusal_stands() -> None:
    """Whoever refuses what was approved withdraws it; an approval of what was refused does nothing."""
    for first, second in ((Meaning.APPROVED, Meaning.REFUSED), (Meaning.REFUSED, Meaning.APPROVED)):
        ledger = passing(0, 1, 2)
        decided(ledger, first)
        decided(ledger, second, who=BEN)
        state = told(ledger, hour(day(2), 15))
        assert state.phase is Phase.REFUSED
        assert [each.void.startswith("it was refused by") for each in state.overturned] == [True]
    ledger = passing(0, 1, 2)
    decided(ledger)
    decided(ledger, who=BEN)
    state = told(ledger, hour(day(2), 15))
    assert state.current.decision is not None
    assert state.current.decision.by == "Eva (eva)"
    assert [each.void for each in state.overturned] == ["it was approved by Eva (eva) on 2026-11-18"]


def test_an_approval_in_a_broken_record_does_not_stand_and_a_refusal_does() -> None:
    """Nobody gets rid of a refusal by damaging its record, nor an approval by forging one."""
    for meaning, phase in ((Meaning.APPROVED, Phase.RUNNING), (Meaning.REFUSED, Phase.RUNNING)):
        ledger = passing(0, 1, 2)
        decided(ledger, meaning)
        state = told(ledger, hour(day(2), 15), faults={run_of(day(2)): "it was forged"})
        assert state.phase is phase
        assert len(state.overturned) == 1
    ledger.day(day(3))
    state = told(ledger, hour(day(3), 15), faults={run_of(day(2)): "it was forged"})
    assert grid(state)[-1] == "P1"


def test_a_decision_in_a_final_review_that_does_not_hold() -> None:
    """The days may all hold: of a forged review the approval falls with it, and the refusal does not."""
    rules = ruled(review=REVIEW.id)
    for meaning, phase in ((Meaning.APPROVED, Phase.REACHED), (Meaning.REFUSED, Phase.REFUSED)):
        ledger = passing(0, 1, 2)
        run = ledger.open(day(2), hour(day(2), 12), REVIEW)
        ledger.add(run, Ticked("audit"), hour(day(2), 12))
        ledger.sign(run, hour(day(2), 13))
        found = qualifying(ledger, hour(day(2), 14), rules)
        assert found.review_run(rules, found.state("qbr").current) == run
        approval = found.approval(found.state("qbr"), complete=True, ready=meaning is Meaning.APPROVED)
        ledger.sign(run, hour(day(2), 14), meaning, EVA, approval=approval)
        broken = told(ledger, hour(day(2), 15), rules, faults={run: "it was forged"})
        assert told(ledger, hour(day(2), 15), rules).current.decision is not None
        assert broken.phase is phase
        void = [f"the record of {run} does not hold: it was forged"] if meaning is Meaning.APPROVED else []
        assert [each.void for each in broken.overturned] == void


# --- approval ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (Signatory(login="ann"), "ann has signed"),
        (Signatory(login="ann", principal="ann@example.org", key="SHA256:ann"), "ann has signed"),
        (Signatory(login="eva", principal="ann@example.org", key="SHA256:x"), ""),
        (Signatory(login="ben"), "ben has signed qbr-daily@2026-11-17"),
        (Signatory(login="eva"), ""),
        (Signatory(login="zoe"), "zoe has signed the final review"),
    ],
)
def test_who_may_decide(new: Signatory, why: str) -> None:
    """Nobody who performed, amended or reviewed a day, or the final review; the rules may lift it."""
    ledger = passing(0, 1, 2)
    ledger.sign(run_of(day(1)), hour(day(1), 12), Meaning.REVIEWED, BEN)
    state = told(ledger, hour(day(2), 12))
    objection = decider_objection(state, [Signatory(login="zoe")], new)
    assert (why in objection) if why else objection == ""
    lifted = told(ledger, hour(day(2), 12), ruled(approval=ApprovalPolicy(own_work=True)))
    assert decider_objection(lifted, [Signatory(login="zoe")], new) == ""


REVIEWED = ReviewFact(
    run="qbr-review@2026-11-18",
    opened=True,
    signed_at=hour(day(2), 13),
    passed=True,
    first_reading_at=hour(day(2), 12),
)


@pytest.mark.parametrize(
    ("changes", "after", "why"),
    [
        ({}, 1, ()),
        ({"opened": False, "signed_at": None}, 1, ("the final review qbr-review@2026-11-18 was not done",)),
        ({"signed_at": None}, 1, ("the final review qbr-review@2026-11-18 is not signed",)),
        ({"passed": False}, 1, ("the final review qbr-review@2026-11-18 did not pass",)),
        ({"fault": "x"}, 1, ("the record of qbr-review@2026-11-18 does not hold: x",)),
        ({"unchecked": "x"}, 1, ("the record of qbr-review@2026-11-18 could not be checked: x",)),
        ({}, 24 * 30, ("the final review was measured at 2026-11-18, more than 30 d ago",)),
        (
            {},
            24 * 31,
            (
                "its evidence expired at 2026-12-19 08:00Z, 30 d after the end",
                "the final review was measured at 2026-11-18, more than 30 d ago",
            ),
        ),
    ],
)
def test_what_stands_against_an_approval(changes: dict[str, Any], after: int, why: tuple[str, ...]) -> None:
    """The list of causes names each thing in words, the final review's too; with none it can be approved."""
    state = told(passing(0, 1, 2), hour(day(2), 12))
    review = msgspec.structs.replace(REVIEWED, **changes)
    now = hour(day(2), 12) + dt.timedelta(hours=after)
    assert blockers(state, review, now) == why
    assert blockers(state, review, now, ("the chain is broken",))[0] == "the chain is broken"


def test_what_is_decided_already_is_not_decided_again() -> None:
    """The list of causes names who decided."""
    ledger = passing(0, 1, 2)
    decided(ledger)
    assert blockers(told(ledger, hour(day(2), 15)), None, hour(day(2), 15)) == ("it was approved by Eva (eva)",)


def test_a_definition_has_a_hash_of_its_own() -> None:
    """Two files that say the same have the same; any other word in it makes another."""
    assert qualification_hash(ruled()) == qualification_hash(RULES)
    assert qualification_hash(ruled(days=4)) != qualification_hash(RULES)
