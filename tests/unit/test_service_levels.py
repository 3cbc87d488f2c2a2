"""Service levels from the record: gaps count as not available, and each target and each cause is told apart."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._lookback import Looked
from opsconsole.checks._pastmeasures import availability_due, gaps_in, outcome_measures
from opsconsole.checks.history import KIND, HistoryOptions
from opsconsole.contracts.probe import Context, ProbeError
from opsconsole.model.calendar import period_of
from opsconsole.model.checklists import Cadence, Checklist, ForEach
from opsconsole.model.encoding import dec_hook
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.past import Earlier
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number, Unit, Value, number
from support.days import FIRST, Days, checklist, item, percent, several_days
from support.told import table

DAY = dt.timedelta(days=1)
DOWN = ProbeError("source-down", "no answer from 10.0.0.7 within 5 s")
SERVICES = checklist(
    item("count >= 1", name="catalogue"),
    item("used < 90%", name="services", for_each=ForEach("catalogue", "name"), options={"path": "/{target}"}),
)
LISTED = checklist(item("used < 90%"))


@pytest.fixture
def days(tmp_path: Path) -> Iterator[Days]:
    """A record in a directory of its own."""
    with several_days(tmp_path) as found:
        yield found


def looking_back(*require: str, **options: Any) -> Checklist:
    """Return a weekly list that asks for the past of an item of the morning list."""
    given = {"checklist": "morning", "over": "9 d", "least": 1} | options
    return checklist(
        item(*require, name="past", probe="history", options=given), name="weekly", cadence=Cadence.WEEKLY
    )


async def asked(days: Days, listed: Checklist, on: int) -> ItemState:
    """Run a list that looks back, so many days after the first, and return its item."""
    days.at(FIRST + on * DAY, "12:00")
    days.probe.says = lambda _: percent(1)
    return (await days.run(listed)).items["past"]


def read(state: ItemState) -> Reading:
    """Return the last reading of an item."""
    reading = state.attempts[-1].body.reading
    assert reading is not None, state.summary
    return reading


def plain(value: Value) -> object:
    """Return a value as a person would write it down."""
    if isinstance(value, Number):
        return f"{round(value.value, 2).normalize():f} {value.unit}".removesuffix(" count")
    return value


def answers(
    services: Sequence[str] | ProbeError, used: dict[str, Reading | ProbeError]
) -> Callable[[Context], Reading | ProbeError]:
    """Return a probe that names these services, of which those in `used` answer so and others well."""

    def says(context: Context) -> Reading | ProbeError:
        if context.item == "catalogue":
            if isinstance(services, ProbeError):
                return services
            return table("name", *((name,) for name in services))
        return used.get(context.target, percent(40))

    return says


# --- each target -------------------------------------------------------------------------------------


async def test_each_service_has_its_own_level(days: Days) -> None:
    """Days nobody looked, and days on which the catalogue was down, count against each service that was known."""
    story: list[Any] = [
        answers(["mail"], {}),
        answers(["mail"], {"mail": percent(60)}),
        answers(["mail", "web"], {}),
        answers(["mail", "web"], {"mail": percent(95)}),
        None,
        answers(DOWN, {}),
        answers(["mail"], {}),
        answers(["mail", "web"], {"web": percent(80)}),
    ]
    for index, says in enumerate(story):
        if says is not None:
            days.at(FIRST + index * DAY)
            days.probe.says = says
            await days.run(SERVICES)
    options = {"item": "services", "by": "target", "subject": "used"}
    state = await asked(days, looking_back("every availability_due >= 60%", "every p95 < 90%", **options), 8)
    reading = read(state)
    rows = [dict(zip(reading.columns, map(plain, row), strict=True)) for row in reading.rows]
    assert rows == [
        {
            "target": "mail",
            "runs": "6",
            "availability": "83.33 %",
            "availability_due": "62.5 %",
            "failing": "1",
            "missing": "2",
            "longest_failing_time": f"{3 * 86400} s",
            "last": "40 %",
            "mean": "52.5 %",
            "median": "40 %",
            "p95": "86.25 %",
            "max": "95 %",
        },
        {
            "target": "web",
            "runs": "3",
            "availability": "100 %",
            "availability_due": "60 %",
            "failing": "0",
            "missing": "2",
            "longest_failing_time": "0 s",
            "last": "80 %",
            "mean": "53.33 %",
            "median": "40 %",
            "p95": "76 %",
            "max": "80 %",
        },
    ]
    assert state.outcome is Outcome.PASS
    state = await asked(days, looking_back("every availability_due >= 99.5%", **options), 9)
    assert state.outcome is Outcome.FAIL
    assert "mail: availability_due" in state.summary
    assert "web: availability_due" in state.summary


async def test_an_item_without_targets_has_no_such_table(days: Days) -> None:
    """A table of targets of an item that has none is a problem, and no empty green table."""
    await days.days(LISTED, *[percent(40)] * 3)
    state = await asked(days, looking_back("every availability >= 99%", item="room", by="target"), 3)
    assert (state.outcome, "measured for no targets" in state.summary) == (Outcome.ERROR, True)


# --- the whole item ----------------------------------------------------------------------------------


async def test_what_nobody_looked_at_was_not_available(days: Days) -> None:
    """Two of ten days were missed: 100 % of the runs passed, and 80 % of the days."""
    story = [percent(40)] * 4 + [None, None] + [percent(40)] * 4
    await days.days(LISTED, *story)
    state = await asked(days, looking_back("availability_due >= 99.5%", item="room", over="10 d"), 10)
    measures = read(state).measures
    names = ("availability", "availability_due", "missing", "gaps", "longest_gap")
    assert [plain(measures[name]) for name in names] == ["100 %", "80 %", "2", "1", "2"]
    assert state.outcome is Outcome.FAIL
    assert "available in 80 % of the periods that were due" in read(state).evidence[0].text


@given(
    st.lists(st.sampled_from([None, *Outcome]), min_size=1, max_size=20),
    st.integers(0, 3),
)
def test_availability_is_that_of_a_slow_model(outcomes: list[Outcome | None], late: int) -> None:
    """Day by day counted by hand, it comes to the same: what was skipped is left out, what is unseen counts."""
    periods = [period_of(FIRST + index * DAY, Cadence.DAILY) for index in range(len(outcomes))]
    runs = [
        Earlier(
            run=f"morning@{index}",
            business_date=FIRST + index * DAY,
            period=periods[index],
            at=dt.datetime.combine(FIRST + index * DAY, dt.time(14 + late), dt.UTC),
            outcome=each,
        )
        for index, each in enumerate(outcomes)
        if each is not None
    ]
    good = bad = 0
    for each in outcomes:
        good += each in {Outcome.PASS, Outcome.WARN}
        bad += each not in {Outcome.PASS, Outcome.WARN, Outcome.SKIPPED}
    found = availability_due(periods, runs)
    if not good + bad:
        assert found is None
        return
    assert found is not None
    assert abs(found.value - Decimal(100) * good / (good + bad)) < Decimal("1e-9")
    missing = [period.key for period, each in zip(periods, outcomes, strict=True) if each is None]
    assert sum(gaps_in(periods, missing)) == len(missing)
    text = "".join("x" if each is None else " " for each in outcomes)
    assert gaps_in(periods, missing) == [len(each) for each in text.split()]


@pytest.mark.parametrize(
    ("story", "spells", "brief", "mean_days"),
    [("PPPP", 0, 0, 0), ("PFPP", 1, 1, 1), ("PFFP", 1, 0, 2), ("PFPF", 2, 1, 1), ("FPFFFP", 2, 1, 2)],
)
def test_how_long_and_how_often_it_was_down(story: str, spells: int, brief: int, mean_days: int) -> None:
    """Spells of failing are counted, those of a single run that was over by itself, and their mean length."""
    meant = {"P": Outcome.PASS, "F": Outcome.FAIL}
    runs = tuple(
        Earlier(
            run=f"morning@{index}",
            business_date=FIRST + index * DAY,
            period=period_of(FIRST + index * DAY, Cadence.DAILY),
            at=dt.datetime.combine(FIRST + index * DAY, dt.time(14), dt.UTC),
            outcome=meant[each],
        )
        for index, each in enumerate(story)
    )
    measures = outcome_measures(Looked(runs=runs), runs[-1].at + DAY)
    assert measures["spells"] == number(spells)
    assert measures["brief_spells"] == number(brief)
    assert measures["mean_failing_time"] == Number(Decimal(mean_days * 86400), Unit.SECONDS)


# --- growth ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "growth", "outcome"),
    [
        ([40] * 7, [48] * 7, "20 %", Outcome.PASS),
        ([40] * 7, [52] * 7, "30 %", Outcome.FAIL),
        ([0] * 7, [0] * 7, "0 %", Outcome.PASS),
        ([0] * 7, [5] * 7, "100 %", Outcome.FAIL),
        ([40] * 7, [20] * 7, "-50 %", Outcome.PASS),
    ],
)
async def test_growth_from_week_to_week(
    days: Days, before: list[int], now: list[int], growth: str, outcome: Outcome
) -> None:
    """Errors must not grow by a quarter from one week to the next: the means of both weeks are held together."""
    await days.days(LISTED, *map(percent, (*before, *now)))
    listed = looking_back("growth < 25%", item="room", subject="used", over="7 d", before=True)
    state = await asked(days, listed, 14)
    assert (plain(read(state).measures["growth"]), state.outcome) == (growth, outcome)
    assert "the stretch before: 7 runs, mean" in read(state).evidence[0].text


async def test_growth_needs_both_weeks(days: Days) -> None:
    """Where the week before has too few readings nothing is said, whatever this week was like."""
    await days.days(LISTED, *map(percent, (40, 40, *[40] * 7)))
    listed = looking_back("growth < 25%", item="room", subject="used", over="7 d", before=True, least=5)
    state = await asked(days, listed, 9)
    assert state.outcome is Outcome.ERROR
    assert "in each of both stretches, and there are 2" in state.summary


# --- causes ------------------------------------------------------------------------------------------


async def test_what_goes_wrong_again_and_again(days: Days) -> None:
    """Failures that differ in numbers only are one cause; one that the week before did not have is new."""
    week_before = [percent(95), *[percent(40)] * 6]
    week: list[Reading | ProbeError] = [percent(96), percent(97), DOWN, *[percent(40)] * 3, percent(91)]
    await days.days(LISTED, *week_before, *week)
    require = ("every times <= 2", "new_causes == 0")
    state = await asked(days, looking_back(*require, item="room", over="7 d", by="cause", before=True), 14)
    reading = read(state)
    assert [tuple(map(plain, row)) for row in reading.rows] == [
        ("used is # %, limit # %", "3", "75 %", "2026-11-16", "2026-11-22", False),
        ("no answer from # within # s", "1", "25 %", "2026-11-18", "2026-11-18", True),
    ]
    assert state.outcome is Outcome.FAIL
    names = ("causes", "most_frequent", "new_causes")
    assert [plain(reading.measures[name]) for name in names] == ["2", "3", "1"]
    await days.days(LISTED)
    state = await asked(days, looking_back("most_frequent <= 0", item="room", over="2 d", by="cause"), 13)
    assert state.outcome is Outcome.PASS, "no failures at all are good news"


# --- options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"by": "target", "for_target": "mail"}, "for_target"),
        ({"by": "target", "before": True}, "before"),
        ({"by": "cause", "subject": "used"}, "subject"),
        ({"by": "target", "subject": "used", "limit": "5%"}, "limit"),
        ({"before": True, "over": 14}, "before"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], key: str) -> None:
    """What can never work is told when the list is loaded."""
    given = msgspec.convert({"item": "room", **options}, HistoryOptions, dec_hook=dec_hook, strict=False)
    assert key in dict(KIND.validate(given))


@pytest.mark.parametrize(
    "options",
    [
        {"by": "target", "subject": "used", "item": "services"},
        {"by": "target", "item": "services"},
        {"by": "cause", "item": "services"},
        {"by": "cause", "before": True, "item": "services"},
        {"before": True, "item": "services"},
    ],
)
async def test_every_measure_and_column_is_declared(days: Days, options: dict[str, Any]) -> None:
    """Lint knows every name that a reading can have, and no other."""
    for index in range(4):
        days.at(FIRST + index * DAY)
        days.probe.says = answers(["mail", "web"], {"web": percent(99)})
        await days.run(SERVICES)
    state = await asked(days, looking_back("count >= 0", over="2 d", **options), 4)
    reading = read(state)
    given = {"checklist": "morning", "over": "2 d", "least": 1} | options
    declared = KIND.subjects(msgspec.convert(given, HistoryOptions, dec_hook=dec_hook, strict=False))
    assert declared is not None
    assert {*reading.measures, *reading.columns} == set(declared)
