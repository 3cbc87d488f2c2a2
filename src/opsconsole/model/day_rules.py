"""What a day does to the count of a qualification: the rules of its definition, applied to what the record says."""

import datetime as dt
from collections.abc import Iterator

from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.qualifications import DayFact, Effect, Qualification, Said

CHANGED = "its items were measured or judged in another way than on the first day"


def is_excluded(definition: Qualification, fact: DayFact) -> bool:
    """Return whether two persons said so, and both with signatures that are strong enough."""
    said = fact.exclusion
    return said is not None and bool(said.accepted_by) and said.tier.satisfies(definition.tier)


def effect_of(definition: Qualification, fact: DayFact, known: str, now: dt.datetime) -> tuple[Effect | None, str]:
    """Return what a day does to the count, None while that is open, and why where it is no plain pass.

    `known` is the `substance_hash` of the first day of the count, empty where it has none yet.
    Of several things that are wrong with a day the gravest counts: a reset before a standstill.
    """
    if fact.fault:
        return Effect.RESET, f"its record does not hold: {fact.fault}"
    said = fact.exclusion
    if said is not None and is_excluded(definition, fact):
        return Effect.HOLD, f"excluded by {said.who} and {said.accepted_by}: {said.text}"
    if fact.closed and (fact.missed or not fact.opened):
        return Effect.HOLD, fact.closed
    effect, cause = _effect(definition, fact, known, now)
    asked = f"{said.who} asks to exclude it, {_lacking(definition, said)}" if said is not None else ""
    if not asked or cause == CHANGED:
        return effect, cause
    return effect, f"{cause}; {asked}" if cause else asked


def _lacking(definition: Qualification, said: Said) -> str:
    if not said.accepted_by:
        return "which a second person has to accept"
    return f"and that is {said.tier}, where {definition.tier} is asked for"


def _effect(definition: Qualification, fact: DayFact, known: str, now: dt.datetime) -> tuple[Effect | None, str]:
    if fact.missed or (not fact.opened and now >= fact.ends_at):
        return _never_more_than_held(definition.missed), "nobody ran the checklist"
    until = fact.ends_at + definition.sign_within.timedelta()
    if fact.signed_at is None and now < until:
        return None, "" if now < fact.ends_at else f"waits for its signature until {until:%Y-%m-%d %H:%MZ}"
    if fact.signed_at is None and definition.unsigned is not Effect.COUNT:
        return definition.unsigned, "nobody signed it off"
    found = list(_objections(definition, fact, known))
    for gravest in (Effect.RESET, Effect.HOLD, Effect.COUNT):
        cause = next((cause for effect, cause in found if effect is gravest), None)
        if cause is not None:
            return gravest, cause
    return Effect.COUNT, ""


def _never_more_than_held(effect: Effect) -> Effect:
    """Return what a day does that nobody has seen: it cannot count."""
    return Effect.HOLD if effect is Effect.COUNT else effect


def _objections(definition: Qualification, fact: DayFact, known: str) -> Iterator[tuple[Effect, str]]:
    """Yield what can be said against a day that was signed, or need not be, with what the rules make of it."""
    if fact.signed_at is None and fact.result is Result.OPEN:
        yield Effect.RESET, "not everything was seen"
    elif not (fact.passed if fact.signed_at is not None else fact.result is Result.PASS):
        yield Effect.RESET, f"it failed: {', '.join(fact.not_passed) or _unnamed_failure(fact)}"
    if not fact.in_time:
        yield _never_more_than_held(definition.missed), "part of it was seen only after its day"
    yield from _signing_objections(definition, fact)
    if fact.counts.get(Outcome.WARN):
        yield definition.warnings, "it passed with warnings"
    if fact.counts.get(Outcome.WAIVED):
        yield definition.waivers, "an item was waived"
    if fact.skipped_by_hand:
        yield definition.skips, "an item was skipped by hand"
    if known and fact.substance != known:
        yield definition.definition_changes, CHANGED


def _unnamed_failure(fact: DayFact) -> str:
    """Return why a day failed none of whose items did."""
    return "every item was skipped" if set(fact.counts) == {Outcome.SKIPPED} else "it was amended to fail"


def _signing_objections(definition: Qualification, fact: DayFact) -> Iterator[tuple[Effect, str]]:
    if fact.signed_at is None:
        yield definition.unsigned, "nobody signed it off"
        return
    if fact.signed_at >= fact.ends_at + definition.sign_within.timedelta():
        yield definition.unsigned, f"it was signed too late, at {fact.signed_at:%Y-%m-%d %H:%MZ}"
    if not fact.tier.satisfies(definition.tier):
        yield definition.unsigned, f"its weakest signature is {fact.tier}, and {definition.tier} is asked for"
