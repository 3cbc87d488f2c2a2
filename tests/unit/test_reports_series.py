"""Numbers against their limits: only what can be compared is, and no number is too odd to be reported."""

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from opsconsole.export.report_charts import chart_lines
from opsconsole.export.report_number_words import trend_words
from opsconsole.export.report_svg import svg
from opsconsole.model.calendar import period_of, times_of
from opsconsole.model.checklists import Cadence, Checklist, Due, Item, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import Measured
from opsconsole.model.judging import judge_item
from opsconsole.model.readings import Reading
from opsconsole.model.report_numbers import Series
from opsconsole.model.report_runs import Expected, Told
from opsconsole.model.report_series import nearest_first, series_of
from opsconsole.model.runs import RunState
from opsconsole.model.values import Number, Unit, Value, seconds
from support.runs import NIGHT_JOB, Chain

UTC = ZoneInfo("UTC")
FIRST = dt.date(2026, 11, 1)


def checklist(*require: str, target: tuple[str, ...] = (), path: str = "/") -> Checklist:
    """Return a list of one item with these conditions."""
    item = Item(
        id="it",
        title="It",
        probe="disk",
        options={"path": path},
        require=tuple(map(parse_condition, require)),
        target=tuple(map(parse_condition, target)),
    )
    return Checklist(id="daily", title="Daily", due=Due(timezone="UTC"), sections=(Section("All", (item,)),))


def run(definition: Checklist, day: int, reading: Reading) -> RunState:
    """Return a run of that day that brought this back."""
    date = FIRST + dt.timedelta(days=day)
    return (
        Chain(definition, date)
        .add(
            Measured(
                item="it",
                judgement=judge_item(definition.items[0], reading),
                started_at=dt.datetime.combine(date, dt.time(8), dt.UTC),
                elapsed=seconds(1),
                reading=reading,
            ),
            NIGHT_JOB,
        )
        .state()
    )


def told(definition: Checklist, *readings: Reading | None) -> Told:
    """Return what is told of days with these readings, None for a missed day."""
    present = []
    for day, reading in enumerate(readings):
        date = FIRST + dt.timedelta(days=day)
        times = times_of(definition, period_of(date, Cadence.DAILY), UTC)
        state = run(definition, day, reading) if reading is not None else None
        present.append(Expected(f"daily@{date}", date, times, due=True, state=state))
    return Told(definition, UTC, present)


def value(number: float | str | Decimal, unit: Unit = Unit.COUNT) -> Reading:
    """Return a reading of one number."""
    return Reading(measures={"value": Number(Decimal(str(number)), unit)})


def only(series: list[Series]) -> Series:
    """Return the one there is."""
    (found,) = series
    return found


@pytest.mark.parametrize(
    ("condition", "bounds"),
    [
        ("value < 30", [(30, True)]),
        ("value >= 10", [(10, False)]),
        ("no value > 30", [(30, True)]),
        ("every value <= 30", [(30, True)]),
        ("value between 10 and 30", [(10, False), (30, True)]),
    ],
)
def test_limits(condition: str, bounds: list[tuple[int, bool]]) -> None:
    """A limit is one from above or from below, however the checklist says it."""
    rows = Reading(columns=("value",), rows=((Number(Decimal(20)),),))
    found = only(series_of(told(checklist(condition), rows)))
    assert [(int(each.value.value), each.upper) for each in found.bounds] == bounds
    assert not found.points[0].beyond


@pytest.mark.parametrize("condition", ["value == 30", "any value < 30", "value != 4", "value within 1% of 20"])
def test_what_has_no_direction_is_no_series(condition: str) -> None:
    """A number that has to be exactly right is not drawn against a limit."""
    rows = Reading(columns=("value",), rows=((Number(Decimal(20)),),))
    assert series_of(told(checklist(condition), rows)) == []


def test_gaps_and_units_and_numbers_that_are_none() -> None:
    """A missed day, NaN, infinity and an absurd exponent are gaps; the rest is told."""
    readings = (value(5), None, value("NaN"), value("Infinity"), value("1e999999"), value(7))
    found = only(series_of(told(checklist("value < 30"), *readings)))
    assert (found.readings, found.least.value, found.greatest.value) == (2, Decimal(5), Decimal(7))
    assert [each.value is None for each in found.points] == [False, True, True, True, True, False]
    assert "4 without a reading" in "\n".join(chart_lines(found))
    assert svg(found).count("<circle") == 2


@pytest.mark.parametrize("odd", ["0", "-5", "1e-30", "1e30", "123456789012345678901234567890"])
def test_odd_numbers_are_reported(odd: str) -> None:
    """Nothing that a source says ends the report."""
    readings = [value(odd), value(1), value(odd), value(1), value(odd), value(2)]
    found = only(series_of(told(checklist("value < 30", target=("value > -2",)), *readings)))
    assert chart_lines(found)
    assert svg(found)
    assert trend_words(found)


def test_what_was_measured_in_another_way_is_left_out() -> None:
    """After the path was edited the old disk's numbers say nothing of the new one, and are counted as left out."""
    old = told(checklist("value < 30", path="/old"), value(1), value(2))
    new = told(checklist("value < 30"), value(10), value(11), value(12))
    found = only(series_of(Told(new.checklist, UTC, [*old.present, *new.present])))
    assert (found.readings, found.incomparable, found.least.value) == (3, 2, Decimal(10))


def test_a_clear_trend_says_when_it_meets_its_limit() -> None:
    """Five points a day from 20 % on reach 80 % on the twelfth day or so, and not for certain."""
    readings = [value(20 + 5 * day + day % 2, Unit.PERCENT) for day in range(8)]
    found = only(series_of(told(checklist("value < 80%"), *readings)))
    assert found.trend is not None
    assert found.trend.meets == "value < 80%"
    assert found.trend.meets_on is not None
    assert dt.date(2026, 11, 12) <= found.trend.meets_on <= dt.date(2026, 11, 14)
    assert "points a day" in trend_words(found)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((1, 9), "too few readings to say"),
        ((5,), "too few readings to say"),
        ((5, 1, 6, 2, 7, 1, 6, 2), "no direction beyond its noise"),
        ((8, 7, 6, 5, 4, 3), "falling -1 a day (95 %: -1 to -1)"),
    ],
)
def test_trends_claim_no_more_than_their_noise_allows(values: tuple[int, ...], words: str) -> None:
    """Two readings are no trend, and a number that jumps up and down has no direction."""
    assert trend_words(only(series_of(told(checklist("value < 30"), *map(value, values))))) == words


def test_nearest_to_their_limits_first() -> None:
    """What was beyond its limit stands before what came near it, and that before the rest."""
    calm, near, over = (only(series_of(told(checklist(f"value < {limit}"), value(20)))) for limit in (1000, 21, 15))
    assert nearest_first([calm, over, near]) == (over, near, calm)


def test_each_row_of_a_table_is_followed_by_its_name() -> None:
    """Rows may change their order from day to day; each collector keeps its own line."""

    def rows(*found: tuple[str, int]) -> Reading:
        table: tuple[tuple[Value, ...], ...] = tuple(
            (name, Number(Decimal(took), Unit.SECONDS)) for name, took in found
        )
        return Reading(columns=("name", "duration"), rows=table, label="name")

    definition = checklist("every duration < 30 s")
    found = series_of(told(definition, rows(("A", 1), ("B", 10)), rows(("B", 11), ("A", 2)), rows(("A", 3))))
    assert {each.row: [point.value and int(point.value.value) for point in each.points] for each in found} == {
        "A": [1, 2, 3],
        "B": [10, 11, None],
    }
