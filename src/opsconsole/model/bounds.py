"""What can be said of a measure that is only known to be at least something: "1,000 or more"."""

from collections.abc import Collection, Mapping

import msgspec

from opsconsole.model.comparing import Seen, Unknown, named_value
from opsconsole.model.conditions import Condition, Name, Operator, Range, Tolerance
from opsconsole.model.readings import Verdict
from opsconsole.model.values import Number, Quantity, Unit, Value, shown

_UPPER = frozenset({Operator.LT, Operator.LE})
_LOWER = frozenset({Operator.GT, Operator.GE})


def bounded(condition: Condition, seen: Seen, bounds: Collection[str], measures: Mapping[str, Value]) -> Seen:
    """Return `seen` with what is known of it where it, or its limit, is one of the measures `bounds`.

    Raises Unknown where the verdict could be another one if all had been counted: a lower bound satisfies a minimum
    and breaks a maximum, and says nothing the other way round.
    """
    own = not seen.who and condition.subject in bounds
    named_limit = next((each for each in condition.names() if each in bounds), "")
    if not own and not named_limit:
        return seen
    holds = seen.verdict in {Verdict.HOLDS, Verdict.NEAR}
    certain = _grows(condition, seen, measures, holds=holds) if own else True
    if named_limit:
        certain = certain and not own and _limit_grows(condition, holds=holds)
    if certain:
        return msgspec.structs.replace(seen, at_least=own)
    if own:
        raise uncounted(condition, seen.value)
    raise Unknown(
        f"'{named_limit}', which it is compared with, is at least {shown(measures.get(named_limit))}: "
        "there was more than could be counted"
    )


def uncounted(condition: Condition, value: Value) -> Unknown:
    """Return why a condition on a lower bound cannot be judged, whatever else is missing."""
    return Unknown(f"{condition.subject} is at least {shown(value)}: there was more than could be counted")


def _grows(condition: Condition, seen: Seen, measures: Mapping[str, Value], *, holds: bool) -> bool:
    """Return whether the verdict stays the same however much greater the value is."""
    if condition.operator in _UPPER:
        return not holds
    if condition.operator in _LOWER:
        return holds
    top = _greatest(condition, measures)
    return isinstance(seen.value, Number) and top is not None and seen.value.value > top.value


def _limit_grows(condition: Condition, *, holds: bool) -> bool:
    """Return whether the verdict stays the same however much greater the limit is."""
    limit = condition.limit
    if not isinstance(limit, Name) or limit.factor < 0:
        return False
    return (condition.operator in _UPPER and holds) or (condition.operator in _LOWER and not holds)


def _greatest(condition: Condition, measures: Mapping[str, Value]) -> Number | None:
    """Return the greatest number that the limit speaks of; beyond it, nothing changes a verdict any more."""
    match condition.limit:
        case Range(high=high):
            return high.number
        case Tolerance(width=width, of=of):
            centre = named_value(of, dict(measures)) if isinstance(of, Name) else of.number
            if not isinstance(centre, Number):
                return None
            share = width.number.unit is Unit.PERCENT and centre.unit is not Unit.PERCENT
            allowed = abs(centre.value) * width.number.value / 100 if share else width.number.value
            return Number(centre.value + allowed, centre.unit)
        case tuple() as members:
            numbers = [each.number for each in members if isinstance(each, Quantity)]
            return max(numbers, key=lambda each: each.value) if len(numbers) == len(members) else None
        case Quantity(number=number):
            return number
        case Name() as name:
            value = named_value(name, dict(measures))
            return value if isinstance(value, Number) else None
        case _:
            return None
