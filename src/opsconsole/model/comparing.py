"""Holds one value against one limit, and never takes what was not seen for a pass."""

import re
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from opsconsole.model.conditions import Condition, Name, Operator, Pattern, Quantifier, Range, Tolerance
from opsconsole.model.patterns import MOST_STEPS, steps_of
from opsconsole.model.readings import MAX_TEXT, Verdict
from opsconsole.model.values import Moment, Number, Quantity, Unit, Value, formatted, kind_words, shown

NEAR = Decimal("0.9")
"""A green value that has used up this share of its limit is called near."""

_UNSEEN = "<insufficient privilege>"
"""What PostgreSQL shows in place of a cell that the role may not see (pg_stat_activity)."""

_OPPOSITE = {Verdict.HOLDS: Verdict.BROKEN, Verdict.NEAR: Verdict.BROKEN, Verdict.BROKEN: Verdict.HOLDS}


class Unknown(Exception):
    """The condition cannot be judged; the message says why."""


class NoHistory(Unknown):
    """It cannot be judged yet: there are too few earlier readings to compare with."""


class NotANumber(Unknown):
    """It cannot be judged because what was measured is NaN or infinite: nothing was counted, mostly."""


class Seen(msgspec.Struct, frozen=True):
    """One value held against a limit."""

    who: str
    value: Value
    verdict: Verdict
    used: Decimal | None = None
    """The share of the limit that is used up, where the limit is an upper or lower bound."""
    at_least: bool = False
    """Whether the value is a lower bound: more was there than could be counted."""


def named(condition: Condition, who: str) -> str:
    """Return what the subject of one row is called."""
    return f"{who}: {condition.subject}" if who else condition.subject


def refuse_unseen(condition: Condition, who: str, value: Value) -> None:
    """Raise Unknown for a value that was not seen, or not wholly, or that nothing can be compared with."""
    name = named(condition, who)
    if value is None:
        raise Unknown(f"{name} is missing")
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise Unknown(f"{name} has more than {MAX_TEXT:,} characters and was cut off, so not all of it was seen")
    if value == _UNSEEN:
        raise Unknown(f"{name} is hidden from this role")
    if isinstance(value, Number) and not value.value.is_finite():
        raise NotANumber(f"{name} is {value.value}, not a number that can be judged")
    if condition.past() and not isinstance(value, Number):
        raise Unknown(f"{name} is {kind_words(value)}; only numbers are compared with '{condition.past()}'")


def held_against(condition: Condition, who: str, value: Value, measures: dict[str, Value]) -> Seen:
    """Hold the value of one row (called `who`) or measure against the limit; raise Unknown where that cannot be."""
    refuse_unseen(condition, who, value)
    name = named(condition, who)
    limit = condition.limit
    match limit:
        case Tolerance():
            return _within(name, who, value, limit, measures)
        case Range(low=low, high=high):
            got = _same_unit(name, value, low.number, str(low))
            holds = low.number.value <= got <= high.number.value
            return Seen(who, value, Verdict.HOLDS if holds else Verdict.BROKEN)
        case Pattern(source=source):
            holds = re.search(source, _bearable(name, source, _text(name, value))) is not None
            return Seen(who, value, _yes(holds, negated=condition.operator is Operator.NOT_MATCHES))
        case tuple() as members:
            holds = any(_equal(name, value, member) for member in members)
            return Seen(who, value, _yes(holds, negated=condition.operator is Operator.NOT_IN))
        case Name():
            return _scalar(condition.operator, name, who, value, named_value(limit, measures))
        case Quantity(number=number):
            return _scalar(condition.operator, name, who, value, number)
        case _ if condition.operator in {Operator.CONTAINS, Operator.NOT_CONTAINS}:
            holds = str(limit) in _text(name, value)
            return Seen(who, value, _yes(holds, negated=condition.operator is Operator.NOT_CONTAINS))
        case _:
            return _scalar(condition.operator, name, who, value, limit)


def named_value(limit: Name, measures: dict[str, Value]) -> Value:
    """Return what a limit that is a name comes to; raise Unknown where that was not measured or makes no sum."""
    value = measures.get(limit.name)
    if value is None:
        raise Unknown(f"'{limit.name}', which it is compared with, was not measured")
    if isinstance(value, Number) and not value.value.is_finite():
        raise NotANumber(f"'{limit.name}', which it is compared with, is {value.value}, not a number")
    if limit.factor == 1 and limit.plus is None:
        return value
    if not isinstance(value, Number):
        raise Unknown(f"'{limit.name}' is {kind_words(value)}, with which nothing can be computed")
    plus = limit.plus.number if limit.plus is not None else Number(Decimal(0), value.unit)
    if plus.unit is not value.unit:
        raise Unknown(f"{limit.plus} cannot be added to '{limit.name}', which is {kind_words(value)}")
    return Number(value.value * limit.factor + plus.value, value.unit)


def _yes(holds: bool, *, negated: bool) -> Verdict:
    return Verdict.HOLDS if holds is not negated else Verdict.BROKEN


def _text(name: str, value: Value) -> str:
    if not isinstance(value, str):
        raise Unknown(f"{name} is {kind_words(value)}, not a text")
    return value


def _bearable(name: str, pattern: str, text: str) -> str:
    """Return a text that a pattern can be looked for in without holding everything else up."""
    if steps_of(pattern, len(text)) > MOST_STEPS:
        raise Unknown(f"{name} has {len(text):,} characters, in which looking for /{pattern}/ can take for ever")
    return text


def _same_unit(name: str, value: Value, limit: Number, limit_text: str) -> Decimal:
    if not isinstance(value, Number) or value.unit is not limit.unit:
        raise Unknown(
            f"{name} is {kind_words(value)} ({shown(value)}), which cannot be compared with {limit_text}, "
            f"{kind_words(limit)}"
        )
    return value.value


def _equal(name: str, value: Value, limit: Value | Quantity) -> bool:
    other = limit.number if isinstance(limit, Quantity) else limit
    if isinstance(other, Number):
        return _same_unit(name, value, other, formatted(other)) == other.value
    if type(value) is not type(other):
        raise Unknown(
            f"{name} is {kind_words(value)} ({shown(value)}), the limit is {kind_words(other)} ({shown(other)})"
        )
    return value == other


def _scalar(operator: Operator, name: str, who: str, value: Value, limit: Value) -> Seen:
    if operator in {Operator.EQ, Operator.NE}:
        return Seen(who, value, _yes(_equal(name, value, limit), negated=operator is Operator.NE))
    if isinstance(value, Moment) and isinstance(limit, Moment):
        ordered = (value.at > limit.at) - (value.at < limit.at)
        return Seen(who, value, _yes(_ordered(operator, ordered), negated=False))
    if not isinstance(limit, Number):
        raise Unknown(f"{name} cannot be ordered against {kind_words(limit)}")
    got, bound = _same_unit(name, value, limit, formatted(limit)), limit.value
    holds = _ordered(operator, (got > bound) - (got < bound))
    used = _used(operator, got, limit)
    if not holds:
        return Seen(who, value, Verdict.BROKEN, used)
    return Seen(who, value, Verdict.NEAR if used is not None and used >= NEAR else Verdict.HOLDS, used)


def _ordered(operator: Operator, sign: int) -> bool:
    match operator:
        case Operator.LT:
            return sign < 0
        case Operator.LE:
            return sign <= 0
        case Operator.GT:
            return sign > 0
        case _:
            return sign >= 0


def _used(operator: Operator, got: Decimal, limit: Number) -> Decimal | None:
    """Return the share of a bound that is used up: 0.95 for 28.5 s of 30 s, and for 1.05 GB where 1 GB must be.

    Counts below ten have no nearness: with 2 of at least 2 there is nothing in between.
    """
    bound = limit.value
    few = limit.unit is Unit.COUNT and bound < 10  # noqa: PLR2004 - the ten of the docstring
    if got <= 0 or bound <= 0 or few:
        return None
    return got / bound if operator in {Operator.LT, Operator.LE} else bound / got


def _within(name: str, who: str, value: Value, limit: Tolerance, measures: dict[str, Value]) -> Seen:
    centre = _centre(limit, measures)
    got = _same_unit(name, value, centre, formatted(centre))
    width = limit.width.number
    if width.unit is Unit.PERCENT and centre.unit is not Unit.PERCENT:
        allowed = abs(centre.value) * width.value / 100
    elif width.unit is centre.unit:
        allowed = width.value
    else:
        raise Unknown(f"a tolerance of {limit.width} cannot be taken from {formatted(centre)}")
    away = abs(got - centre.value)
    used = away / allowed if allowed else None
    if away > allowed:
        return Seen(who, value, Verdict.BROKEN, used)
    return Seen(who, value, Verdict.NEAR if used is not None and used >= NEAR else Verdict.HOLDS, used)


def _centre(limit: Tolerance, measures: dict[str, Value]) -> Number:
    centre = named_value(limit.of, measures) if isinstance(limit.of, Name) else limit.of.number
    if not isinstance(centre, Number):
        raise Unknown(f"{kind_words(centre)} has no surroundings to be within")
    return centre


def verdict_of(condition: Condition, seen: Sequence[Seen]) -> Verdict:
    """Return what the verdicts of all rows come to, as the condition's quantifier says."""
    verdicts = [each.verdict for each in seen]
    match condition.quantifier:
        case Quantifier.NO:
            verdicts = [_OPPOSITE[each] for each in verdicts]
        case Quantifier.ANY:
            return min(verdicts, key=(Verdict.HOLDS, Verdict.NEAR, Verdict.BROKEN).index)
        case _:
            pass
    return max(verdicts, key=(Verdict.HOLDS, Verdict.NEAR, Verdict.BROKEN).index)
