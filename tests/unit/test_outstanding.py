"""What is missing for the day to count: what is to be done, until when, and what the rules will make of it."""

import datetime as dt
from zoneinfo import ZoneInfo

import msgspec
import pytest

from opsconsole.model.counting import QualificationState, qualified
from opsconsole.model.outcomes import Outcome
from opsconsole.model.outstanding import outstanding, waiting_runs
from opsconsole.model.qualifications import DayFact, Effect, Qualification, Said, fact_of, substance_hash
from opsconsole.model.runs import RunState
from opsconsole.model.tiers import Tier
from support.runs import CHECKLIST, Chain

NOW = dt.datetime(2026, 11, 21, 15, tzinfo=dt.UTC)
RULES = Qualification(id="nine", title="Nine", checklist=CHECKLIST.id, days=9, tier=Tier.SIGNED)
CHICAGO = ZoneInfo("America/Chicago")


def day(number: int) -> DayFact:
    """Return a day of November that nobody opened."""
    date = dt.date(2026, 11, number)
    ends = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(6), dt.UTC)
    return DayFact(date=date, run=f"qbr-daily@{date}", ends_at=ends)


def passed(number: int) -> DayFact:
    """Return a day that was signed as a pass."""
    made = day(number)
    signed = made.ends_at - dt.timedelta(hours=10)
    substance = substance_hash(CHECKLIST)
    return msgspec.structs.replace(
        made, opened=True, passed=True, signed_at=signed, signer="Ann", tier=Tier.SIGNED, substance=substance
    )


def running(*outcomes: Outcome) -> RunState:
    """Return today's run with these outcomes of its measured items; the rest was done by hand."""
    chain = Chain()
    for name, outcome in zip(("collectors", "tickets"), outcomes, strict=True):
        chain.measured(name, outcome)
    for target in ("/", "/var"):
        chain.measured("disk", outcomes[0], target=target)
    return chain.state()


def told(rules: Qualification, *facts: DayFact, run: RunState | None = None) -> list[str]:
    """Return what is missing in words; `run` is today's."""
    state: QualificationState = qualified(rules, facts, (), NOW)
    assert set(waiting_runs(state)) == ({run.run} if run is not None else set())
    runs = {run.run: run} if run is not None else {}
    return [each.text for each in outstanding(state, runs, NOW, CHICAGO)]


def test_day_that_nobody_opened() -> None:
    """The day that is under way is to be run, and when it ends is told in the time of the list."""
    assert told(RULES, passed(20), day(21)) == ["2026-11-21 is to be run, and ends at 2026-11-22 00:00 CST"]


def test_open_run_says_what_is_to_be_done_and_signed() -> None:
    """Every hurdle of today's run stands there, then until when and how strongly it has to be signed."""
    run = running(Outcome.PASS, Outcome.PASS)
    fact = fact_of(run, RULES.id, day(21).ends_at)
    found = told(RULES, passed(20), fact, run=run)
    assert "Tickets is still pending: enter its value, or skip it with a reason" in found
    assert found[-1] == "2026-11-21 is to be signed before 2026-11-23 00:00 CST, signed or better"


@pytest.mark.parametrize(("outcome", "warns"), [(Outcome.FAIL, True), (Outcome.PASS, False)])
def test_what_the_rules_will_make_of_it(outcome: Outcome, warns: bool) -> None:
    """A run that is about to reset the count says so while it is still open; one that will not says nothing."""
    run = running(outcome, Outcome.PASS)
    fact = fact_of(run, RULES.id, day(21).ends_at)
    foreseen = [each for each in told(RULES, passed(20), fact, run=run) if each.startswith("as it stands")]
    assert bool(foreseen) is warns
    assert all("2026-11-21 resets the count: it failed: Collectors" in each for each in foreseen)


def test_missing_reasons_and_exclusions_that_wait() -> None:
    """A reset without a reason, and an exclusion that nobody else has reviewed, are somebody's to do."""
    said = Said(text="the test system", who="Ann", at=NOW)
    failed = msgspec.structs.replace(passed(19), passed=False, not_passed=("Disk",), exclusion=said)
    found = told(RULES, failed, passed(20))
    assert found[0].startswith("the reset of 2026-11-19 has no documented reason: it failed: Disk")
    assert found[1] == "the exclusion of 2026-11-19 by Ann waits for another person's review"


def test_nothing_is_missing() -> None:
    """Where everything is settled there is nothing to do, whatever the rules."""
    assert told(msgspec.structs.replace(RULES, waivers=Effect.HOLD), passed(20), passed(21)) == []
