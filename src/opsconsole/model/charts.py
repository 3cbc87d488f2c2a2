"""Small charts drawn in text: a line of readings, and a bar against its limit.

They never mislead: whoever draws one gets its axis to state beside it, equal heights mean equal values, the scale
is linear, and a reading that is missing leaves a gap. Without Unicode the heights are digits, tenths of the axis.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

_BLOCKS = "▁▂▃▄▅▆▇█"
_DIGITS = "0123456789"
_GAP, _ASCII_GAP = "·", "."
_HALF = Decimal("0.5")


class Sparkline(msgspec.Struct, frozen=True, kw_only=True):
    """A line of readings, the earliest first, one character for each cell."""

    text: str
    beyond: str
    """Under each cell `!` where a reading in it is beyond its limit, else a space."""
    low: Decimal
    """The value of the lowest character."""
    high: Decimal
    """The value of the highest one; equal to `low` where all readings are, and the line is flat."""
    per_cell: int
    """How many readings a cell stands for at most."""
    gaps: int
    """Cells without any reading."""


def sparkline(
    values: Sequence[Decimal | None],
    *,
    limits: Sequence[Decimal] = (),
    is_beyond: Callable[[Decimal], bool] = lambda _: False,
    pick: Callable[[Sequence[Decimal]], Decimal] = max,
    width: int = 40,
    ascii_only: bool = False,
) -> Sparkline | None:
    """Draw readings, None for one that is missing; return None where there is none at all.

    The axis reaches from the least to the greatest of the readings and `limits`. Where there are more readings than
    `width`, a cell shows the one that `pick` takes, which whoever shows the chart has to say.
    """
    known = [each for each in values if each is not None]
    if not known:
        return None
    per_cell = -(-len(values) // width)
    cells = [
        [each for each in values[at : at + per_cell] if each is not None] for at in range(0, len(values), per_cell)
    ]
    shown = [pick(each) if each else None for each in cells]
    axis = [*(each for each in shown if each is not None), *limits]
    low, high = min(axis), max(axis)
    levels, gap = (_DIGITS, _ASCII_GAP) if ascii_only else (_BLOCKS, _GAP)
    return Sparkline(
        text="".join(gap if each is None else levels[_level(each, low, high, len(levels))] for each in shown),
        beyond="".join("!" if any(map(is_beyond, each)) else " " for each in cells),
        low=low,
        high=high,
        per_cell=per_cell,
        gaps=sum(not each for each in cells),
    )


def _level(value: Decimal, low: Decimal, high: Decimal, levels: int) -> int:
    """Return which of so many levels a value has; the middle one where the axis has no length."""
    if high == low:
        return (levels - 1) // 2
    return int((value - low) / (high - low) * (levels - 1) + _HALF)


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One value as a length, its limit marked."""

    text: str
    low: Decimal
    """What its left end stands for: 0, or less where a value is negative."""
    high: Decimal
    """What its right end stands for."""


def bar(value: Decimal, limit: Decimal, *, width: int = 24, ascii_only: bool = False) -> Bar:
    """Draw a value from zero, with the limit marked by `|` between the cells; both are always on the axis."""
    low, high = min(Decimal(0), value, limit), max(Decimal(0), value, limit)
    full, empty = ("#", "-") if ascii_only else ("█", "░")
    span = high - low
    filled = 0 if span == 0 else int((value - low) / span * width + _HALF)
    mark = width if span == 0 else int((limit - low) / span * width + _HALF)
    cells = full * filled + empty * (width - filled)
    return Bar(text=f"{cells[:mark]}|{cells[mark:]}", low=low, high=high)
