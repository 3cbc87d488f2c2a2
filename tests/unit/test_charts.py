"""Charts drawn in text never mislead: equal heights are equal values, gaps stay gaps, the axis is the data's."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.charts import bar, sparkline

numbers = st.decimals(min_value=-(10**9), max_value=10**9, places=3)
readings = st.lists(st.one_of(st.none(), numbers), min_size=1, max_size=80)
BLOCKS, DIGITS = "▁▂▃▄▅▆▇█", "0123456789"


@given(readings, st.lists(numbers, max_size=2), st.booleans())
def test_a_line_shows_every_reading_on_a_linear_axis(
    values: list[Decimal | None], limits: list[Decimal], ascii_only: bool
) -> None:
    """Whoever reads a line finds one character for each reading, higher ones never lower, and the true ends."""
    drawn = sparkline(values, limits=limits, width=80, ascii_only=ascii_only)
    known = [each for each in values if each is not None]
    if not known:
        assert drawn is None
        return
    assert drawn is not None
    assert len(drawn.text) == len(drawn.beyond) == len(values)
    assert (drawn.low, drawn.high) == (min([*known, *limits]), max([*known, *limits]))
    assert drawn.gaps == values.count(None)
    levels = DIGITS if ascii_only else BLOCKS
    for char, value in zip(drawn.text, values, strict=True):
        if value is None:
            assert char in {"·", "."}
            continue
        level = levels.index(char)
        if drawn.low != drawn.high:
            exact = (value - drawn.low) / (drawn.high - drawn.low) * (len(levels) - 1)
            assert abs(level - exact) <= Decimal("0.5")


@given(st.lists(numbers, min_size=81, max_size=400))
def test_what_is_too_long_shows_the_worst_of_each_cell(values: list[Decimal]) -> None:
    """A peak is never lost in a quarter of readings: a cell shows the greatest, and says of how many."""
    drawn = sparkline(values, width=80)
    assert drawn is not None
    assert len(drawn.text) <= 80
    assert drawn.high == max(values)
    assert drawn.text[values.index(max(values)) // drawn.per_cell] in {"█", "▄"}


def test_readings_beyond_their_limit_are_marked_where_they_are() -> None:
    """The mark stands under the reading that was too high, also where a cell holds several."""
    values = [Decimal(each) for each in (1, 2, 9, 1, 1, 1)]
    drawn = sparkline(values, is_beyond=lambda value: value > 5, width=3, pick=min)
    assert drawn is not None
    assert (drawn.text, drawn.beyond, drawn.per_cell) == ("▄▄▄", " ! ", 2)


def test_a_flat_line_is_neither_high_nor_low() -> None:
    """Readings that are all the same say nothing of an axis."""
    drawn = sparkline([Decimal(5)] * 3, ascii_only=True)
    assert drawn is not None
    assert drawn.text == "444"


@given(numbers, numbers, st.integers(min_value=4, max_value=60))
def test_a_bar_has_both_value_and_limit_on_its_axis(value: Decimal, limit: Decimal, width: int) -> None:
    """The bar is as long as its value's share of the axis, and the mark stands where the limit is."""
    drawn = bar(value, limit, width=width, ascii_only=True)
    cells = drawn.text.replace("|", "", 1)
    assert len(cells) == width
    assert drawn.low <= min(value, limit) <= max(value, limit) <= drawn.high
    span = drawn.high - drawn.low
    if span:
        assert abs(cells.count("#") - (value - drawn.low) / span * width) <= 1
        assert abs(drawn.text.index("|") - (limit - drawn.low) / span * width) <= 1


@pytest.mark.parametrize(
    ("value", "text"), [("0", "--------|"), ("15", "####----|"), ("30", "########|"), ("60", "####|####")]
)
def test_bars_against_a_limit_of_30(value: str, text: str) -> None:
    """Half the limit is half a bar, twice the limit reaches twice as far as the mark."""
    assert bar(Decimal(value), Decimal(30), width=8, ascii_only=True).text == text
