"""How two values differ, and two tables whose rows belong together by a key."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from opsconsole.checks._inputs import ARITHMETIC, Taken, quiet
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.values import Moment, Number, Unit, Value, kind_words, seconds, shown

_HUNDRED = Decimal(100)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Two values and what lies between them; None where that cannot be said."""

    left: Value
    right: Value
    difference: Number | None = None
    """How far they are apart, never negative; of points in time in seconds."""
    share: Number | None = None
    """Percent of the right one that the difference is."""
    left_minus_right: Number | None = None
    same: bool | None = None
    bounds: tuple[str, ...] = ()
    """Of those, which are at least what is given."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One key of two tables."""

    key: str
    found: Difference
    missing: str = ""
    """`left` or `right`, where only the other one has it."""


def difference(left: Taken, right: Taken, what: str = "") -> Difference:
    """Return how two values differ; raise ProbeError where they are of unlike kinds or units. `what` names them."""
    one, other = left.value, right.value
    if one is None or other is None:
        return Difference(left=one, right=other)
    if isinstance(one, Number) and isinstance(other, Number) and one.unit is other.unit:
        if left.at_least or right.at_least:
            return _bounded(one, other, left, right)
        return _numbers(one, other)
    if type(one) is not type(other) or isinstance(one, Number):
        raise ProbeError(
            "bad-answer",
            f"{what}left is {kind_words(one)} ({_short(one)}), right is {kind_words(other)} ({_short(other)}): "
            "they cannot be compared",
            "give both the same unit, or make both numbers or both texts",
        )
    if isinstance(one, Moment) and isinstance(other, Moment):
        away = seconds(Decimal(str((one.at - other.at).total_seconds())))
        size = Number(abs(away.value), Unit.SECONDS)
        return Difference(left=one, right=other, difference=size, left_minus_right=away, same=not away.value)
    return Difference(left=one, right=other, same=one == other)


def _numbers(left: Number, right: Number) -> Difference:
    one, other, unit = left.value, right.value, left.unit
    away = ARITHMETIC.subtract(quiet(one), quiet(other))
    finite = one.is_finite() and other.is_finite()
    return Difference(
        left=left,
        right=right,
        difference=Number(away.copy_abs(), unit),
        share=Number(_share(away, other), Unit.PERCENT),
        left_minus_right=Number(away, unit),
        same=one == other if finite else None,
    )


def _share(away: Decimal, other: Decimal) -> Decimal:
    """Return percent of `other`; 100 % where there is nothing of it and something of the left one."""
    if not away.is_finite() or not other.is_finite():
        return Decimal("NaN")
    if not other:
        return _HUNDRED if away else Decimal(0)
    return ARITHMETIC.divide(ARITHMETIC.multiply(away.copy_abs(), _HUNDRED), other.copy_abs())


def _bounded(one: Number, other: Number, left: Taken, right: Taken) -> Difference:
    """Return what can be said where one side is only known to be at least something: that it differs by as much."""
    exact = _numbers(one, other)
    if not (one.value.is_finite() and other.value.is_finite()):
        return exact
    if left.at_least and right.at_least:
        return Difference(left=one, right=other, bounds=("left", "right"))
    side = "left" if left.at_least else "right"
    ahead = one.value > other.value if left.at_least else other.value > one.value
    if not ahead or not (one.value >= 0 and other.value >= 0):
        return Difference(left=one, right=other, bounds=(side,))
    told = ("difference", "share", "left_minus_right") if left.at_least else ("difference", "share")
    return Difference(
        left=one,
        right=other,
        difference=exact.difference,
        share=exact.share,
        left_minus_right=exact.left_minus_right if left.at_least else None,
        same=False,
        bounds=(side, *told),
    )


def joined(left: Mapping[str, Taken], right: Mapping[str, Taken], *, absent_is_zero: bool) -> Iterator[Row]:
    """Yield the rows of two tables by their keys: those of the left one in its order, then those only right."""
    for key in dict.fromkeys((*left, *right)):
        one, other = left.get(key), right.get(key)
        missing = "left" if one is None else "right" if other is None else ""
        if absent_is_zero and missing:
            there = one or other
            zero = Taken(value=_nothing_of(there.value if there is not None else None))
            one, other = one or zero, other or zero
        if one is None or other is None:
            found = Difference(
                left=one.value if one is not None else None,
                right=other.value if other is not None else None,
                same=False,
            )
        else:
            found = difference(one, other, f"{_short(key)}: ")
        yield Row(key=key, found=found, missing=missing)


def _nothing_of(value: Value) -> Value:
    return Number(Decimal(0), value.unit) if isinstance(value, Number) else None


def largest(rows: Sequence[Row], name: str) -> Number | None:
    """Return the largest difference or share of all rows, None where one of them is not known; NaN where one is."""
    found: list[Number] = []
    for row in rows:
        each = getattr(row.found, name)
        if each is None or name in row.found.bounds:
            return None
        found.append(each)
    broken = next((each for each in found if not each.value.is_finite()), None)
    return broken or max(found, key=lambda each: each.value, default=None)


def sum_of(values: Sequence[Value]) -> Number | None:
    """Return the sum of numbers of one unit, None for anything else."""
    numbers = [each for each in values if isinstance(each, Number)]
    if not numbers or len(numbers) < len(values) or len({each.unit for each in numbers}) > 1:
        return None
    result = Decimal(0)
    for each in numbers:
        result = ARITHMETIC.add(result, quiet(each.value))
    return Number(result, numbers[0].unit)


def _short(value: Value) -> str:
    text = shown(value)
    return text if len(text) <= 60 else f"{text[:60]}..."  # noqa: PLR2004 - as much as fits a line
