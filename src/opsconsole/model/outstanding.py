"""What is missing for the day to count in a qualification, and what somebody still has to say about it."""

import datetime as dt
from collections.abc import Iterable, Mapping

import msgspec

from opsconsole.model.counting import Day, DayState, Phase, QualificationState
from opsconsole.model.day_rules import effect_of
from opsconsole.model.outcomes import UNMEASURED, Result
from opsconsole.model.qualifications import Effect, Qualification
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import hurdles
from opsconsole.model.tiers import Tier


class Outstanding(msgspec.Struct, frozen=True):
    """One thing that is to be done, and in which run."""

    run: str
    text: str
    warns: bool = False
    """Nothing can be done about it: it says what the rules will make of the day."""


def outstanding(
    state: QualificationState, runs: Mapping[str, RunState], now: dt.datetime, where: dt.tzinfo = dt.UTC
) -> tuple[Outstanding, ...]:
    """Return what is missing now, what has a time limit first.

    `runs` are those of the days that wait, as they are; one that is not among them was not opened. Times are told
    as they are in `where`.
    """
    found: list[Outstanding] = []
    for day in state.current.days:
        if day.state is DayState.WAITING:
            found += _of_day(state, day, runs.get(day.fact.run), now, where)
    found += [
        Outstanding(each.run, f"the reset of {each.date} has no documented reason: {each.cause}")
        for each in state.unexplained
    ]
    return (*found, *exclusions_waiting(state))


def waiting_runs(state: QualificationState) -> tuple[str, ...]:
    """Return the runs that were opened and whose days wait: what `outstanding` wants to know about."""
    return tuple(
        each.fact.run for each in state.current.days if each.state is DayState.WAITING and each.fact.opened
    )


def _of_day(
    state: QualificationState, day: Day, run: RunState | None, now: dt.datetime, where: dt.tzinfo
) -> Iterable[Outstanding]:
    fact, definition = day.fact, state.definition
    if run is None:
        ends = fact.ends_at.astimezone(where)
        yield Outstanding(fact.run, f"{fact.date} is to be run, and ends at {ends:%Y-%m-%d %H:%M %Z}")
        return
    before = f"{fact.date}: " if now >= fact.ends_at else ""
    yield from (Outstanding(fact.run, f"{before}{each.text}") for each in hurdles(run))
    until = (fact.ends_at + definition.sign_within.timedelta()).astimezone(where)
    strength = "" if definition.tier is Tier.ATTRIBUTED else f", {definition.tier} or better"
    yield Outstanding(fact.run, f"{fact.date} is to be signed before {until:%Y-%m-%d %H:%M %Z}{strength}")
    foreseen = _foreseen(definition, day, run, state, now)
    if foreseen:
        yield Outstanding(fact.run, foreseen, warns=True)


def _foreseen(
    definition: Qualification, day: Day, run: RunState, state: QualificationState, now: dt.datetime
) -> str:
    """Return what the rules would make of a day that was signed as it is now; nothing where it would count."""
    result = run.computed_result
    if result is Result.OPEN and UNMEASURED & run.counts.keys():
        return ""
    passed = result is Result.PASS
    signed = msgspec.structs.replace(day.fact, signed_at=now, passed=passed, tier=Tier.HARDWARE)
    others = (each.fact.substance for each in state.current.counted if each.fact.run != day.fact.run)
    effect, cause = effect_of(definition, signed, next(filter(None, others), ""), now)
    match effect:
        case Effect.RESET:
            return f"as it stands, {day.fact.date} resets the count: {cause}"
        case Effect.HOLD:
            return f"as it stands, the count stands still on {day.fact.date}: {cause}"
        case _:
            return ""


def exclusions_waiting(state: QualificationState) -> Iterable[Outstanding]:
    """Yield the exclusions that were asked for and that nobody else has reviewed."""
    if state.phase in {Phase.APPROVED, Phase.REFUSED}:
        return
    for attempt in state.attempts:
        for day in attempt.days:
            said = day.fact.exclusion
            if said is not None and not said.accepted_by:
                yield Outstanding(
                    day.fact.run,
                    f"the exclusion of {day.fact.date} by {said.who} waits for another person's review",
                )
