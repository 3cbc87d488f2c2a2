"""The probe `history`: the program's own past, over real records and over tables of what it has to say."""

import asyncio
import datetime as dt
import threading
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.checks._lookback import stretch_of
from opsconsole.checks._pastmeasures import outcome_measures, value_measures
from opsconsole.checks.history import KIND, ROWS, HistoryOptions
from opsconsole.contracts.probe import Context, Environment, ProbeError
from opsconsole.contracts.store import StoreUnavailable
from opsconsole.model.calendar import Times, period_at, period_of, times_of
from opsconsole.model.checklists import Cadence, Checklist, Entry, Item
from opsconsole.model.encoding import canonical, dec_hook
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.past import Earlier
from opsconsole.model.readings import Reading
from opsconsole.model.trends import Bound
from opsconsole.model.values import Duration, Number, Unit, Value, number, parse_quantity
from support.days import FIRST, WHERE, Days, checklist, item, percent, several_days
from support.judged import outcome

DAY = dt.timedelta(days=1)
DOWN = ProbeError("source-down", "no answer")
LISTED = checklist(item("used < 90%"))


@pytest.fixture
def days(tmp_path: Path) -> Iterator[Days]:
    """A record in a directory of its own."""
    with several_days(tmp_path) as found:
        yield found


def looking_back(
    *require: str, name: str = "weekly", cadence: Cadence = Cadence.WEEKLY, **options: Any
) -> Checklist:
    """Return a list that asks for the past of `room` in the morning list."""
    asked = {"checklist": "morning", "item": "room", "subject": "used", "over": "9 d"} | options
    more = {key: asked.pop(key) for key in ("on_no_history", "skip_when") if key in asked}
    return checklist(
        item(*require, name="past", probe="history", options=asked, **more), name=name, cadence=cadence
    )


async def asked(days: Days, listed: Checklist, on: int) -> ItemState:
    """Run a list that looks back, so many days after the first, and return its item."""
    days.at(FIRST + on * DAY, "12:00")
    return (await days.run(listed)).items["past"]


def reading_of(state: ItemState) -> Reading:
    """Return the last reading of an item."""
    reading = state.attempts[-1].body.reading
    assert reading is not None
    return reading


def plain(measures: Mapping[str, Value]) -> dict[str, object]:
    """Return measures as a person would write them down."""
    return {
        name: f"{each.value.normalize():f} {each.unit}".removesuffix(" count") if isinstance(each, Number) else each
        for name, each in measures.items()
    }


# --- over a real record ------------------------------------------------------------------------------


async def test_nine_days(days: Days) -> None:
    """Nine mornings, one of them missed, one red, one without an answer: all of it is told."""
    readings = [
        percent(40),
        percent(42),
        percent(44),
        None,
        percent(95),
        DOWN,
        percent(50),
        percent(51),
        percent(52),
    ]
    await days.days(LISTED, *readings)
    state = await asked(days, looking_back("trend == 'rising'", "missing == 1"), 9)
    assert state.outcome is Outcome.PASS
    reading = reading_of(state)
    assert_declared(reading)
    found = plain(reading.measures)
    assert found == found | {
        "count": "7",
        "due": "9",
        "missing": "1",
        "passed": "6",
        "failed": "1",
        "errored": "1",
        "failed_percent": "12.5 %",
        "availability": "75 %",
        "longest_failing": "2",
        "longest_failing_time": "172800 s",
        "failing_now": "0",
        "median": "50 %",
        "spread": "8.8956 %",
        "mean": "53.4285714286 %",
        "min": "40 %",
        "max": "95 %",
        "last": "52 %",
        "value_previous": "51 %",
        "change_yesterday": "1 %",
        "value_last_week": "42 %",
        "change_last_week": "10 %",
        "change_last_week_percent": "23.8095238095 %",
        "trend": "rising",
    }
    assert reading.columns == ("date", "value", "outcome", "run")
    assert [row[0] for row in reading.rows] == [str(FIRST + each * DAY) for each in (0, 1, 2, 4, 5, 6, 7, 8)]
    assert reading.rows[4][1:3] == (None, "ERROR")
    text = reading.evidence[0].text
    for told in (
        "morning: room, used, over 9 d",
        f"1 of 9 due is missing: {FIRST + 3 * DAY}",
        "1 was without such a reading",
        "6 PASS, 1 FAIL, 1 ERROR",
        "▁▁▂█·",
        "95 % interval",
    ):
        assert told in text
    assert canonical(reading)


def assert_declared(reading: Reading, **options: Any) -> None:
    """Check that a reading has the subjects that lint knows of, and units where it knows them."""
    declared = KIND.subjects(msgspec.convert(_options(**options), HistoryOptions, dec_hook=dec_hook))
    assert declared is not None
    assert set(reading.measures) | set(reading.columns) == set(declared)
    for name, value in reading.measures.items():
        assert not isinstance(value, Number) or declared[name] in {None, value.unit}, name


def _options(**more: Any) -> dict[str, Any]:
    return {"checklist": "morning", "item": "room", "subject": "used", "over": "9 d"} | more


@pytest.mark.parametrize("meant", [Outcome.WARN, Outcome.SKIPPED, Outcome.FAIL, Outcome.ERROR, Outcome.PASS])
async def test_too_little_history_is_said(days: Days, meant: Outcome) -> None:
    """With four of five readings nothing is computed; the item says what that means, and it is never green."""
    await days.days(LISTED, percent(1), percent(2), DOWN, percent(4), percent(5))
    state = await asked(days, looking_back("count >= 0", on_no_history=meant), 9)
    assert state.outcome is (Outcome.ERROR if meant is Outcome.PASS else meant)
    assert "5 earlier readings are needed, and there are 4 (1 was without such a reading)" in state.summary
    problem = state.attempts[-1].body.problem
    assert problem is not None
    assert problem.reason == "too-little-history"
    assert "outcomes: 4 PASS, 1 ERROR" in reading_of(state).evidence[0].text


async def test_the_first_morning(days: Days) -> None:
    """A list that looks back at itself has no past on its first day, and never counts the day itself."""
    own = checklist(
        item("used < 90%"),
        item("median < 90%", name="past", probe="history", options={"item": "room", "subject": "used", "least": 2}),
    )
    found = []
    for index in range(4):
        days.at(FIRST + index * DAY)
        state = (await days.run(own, percent(40 + index))).items["past"]
        reading = state.attempts[-1].body.reading
        found.append((state.outcome, reading and plain(reading.measures).get("count")))
    assert found == [(Outcome.ERROR, None), (Outcome.ERROR, None), (Outcome.PASS, "2"), (Outcome.PASS, "3")]


@pytest.mark.parametrize(
    ("options", "reason", "said"),
    [
        ({"checklist": "mornings"}, "not-found", "there is no checklist 'mornings'"),
        ({"item": "rooms"}, "not-found", "morning has no item 'rooms'"),
        ({"subject": "usage"}, "too-little-history", "there is none (5 were without such a reading)"),
        ({"limit": "3 GB"}, "bad-options", "the limit 3 GB is of another unit than 'used', which is measured in %"),
    ],
)
async def test_names_that_there_are_not(days: Days, options: dict[str, Any], reason: str, said: str) -> None:
    """A misspelt name is an ERROR, however little history may mean."""
    await days.days(LISTED, *[percent(40)] * 5)
    state = await asked(days, looking_back("count > 0", on_no_history=Outcome.SKIPPED, **options), 9)
    problem = state.attempts[-1].body.problem
    assert problem is not None
    assert (problem.reason, state.outcome is Outcome.SKIPPED) == (reason, reason == "too-little-history")
    assert said in problem.cause
    if options == {"item": "rooms"}:
        assert problem.hint == "did you mean 'room'?"


async def test_only_what_was_signed(days: Days) -> None:
    """Where signed runs count alone, the others are told and as good as missing."""
    for index in range(6):
        days.at(FIRST + index * DAY)
        await days.run(LISTED, percent(40), signed=index != 2)
    reading = reading_of(await asked(days, looking_back("count > 0", signed=True, over="6 d"), 6))
    found = plain(reading.measures)
    assert (found["count"], found["due"], found["missing"]) == ("5", "6", "1")
    assert "1 was not signed" in reading.evidence[0].text
    reading = reading_of(await asked(days, looking_back("count > 0", signed=True, over=5, name="other"), 6))
    assert plain(reading.measures)["count"] == "5"
    reading = reading_of(await asked(days, looking_back("count > 0", over="6 d", name="third"), 6))
    assert plain(reading.measures)["count"] == "6"


async def test_what_people_decided(days: Days) -> None:
    """A skipped reading is left out, a waived one counts; both are told, and neither is a failure."""
    await days.days(LISTED, *(percent(each) for each in (40, 95, 41, 42, 43, 44)))
    for index, skip in ((1, False), (3, True)):
        days.at(FIRST + index * DAY)
        session = await days.engine().resume(f"morning@{FIRST + index * DAY}")
        await (session.skip("room", "moved") if skip else session.waive("room", "known", FIRST + 9 * DAY))
        await session.aclose()
    days.at(FIRST + 6 * DAY)
    await days.run(checklist(item("used < 90%")), percent(45))
    reading = reading_of(await asked(days, looking_back("count > 0", over="7 d"), 7))
    found = plain(reading.measures)
    assert (found["count"], found["passed"], found["waived"], found["skipped"]) == ("6", "5", "1", "1")
    assert (found["failed"], found["longest_failing"], found["availability"]) == ("0", "0", "83.3333333333 %")
    assert "1 was skipped" in reading.evidence[0].text


async def test_an_edited_probe(days: Days) -> None:
    """Readings from before the probe was edited are told and left out of the numbers; the outcomes count on."""
    before = checklist(item("used < 90%", options={"path": "/srv"}))
    await days.days(before, *[percent(10)] * 3)
    for index in range(3, 8):
        days.at(FIRST + index * DAY)
        await days.run(checklist(item("used < 95%", options={"path": "/var"})), percent(50))
    reading = reading_of(await asked(days, looking_back("count > 0"), 8))
    found = plain(reading.measures)
    assert (found["count"], found["passed"], found["min"], found["trend"]) == ("5", "8", "50 %", "steady")
    assert "3 were measured in another way" in reading.evidence[0].text


async def test_another_unit(days: Days) -> None:
    """Where the source changed its unit, only readings of the last unit are compared."""
    old = Reading(measures={"used": number(4000)})
    await days.days(LISTED, old, old, *[percent(50)] * 5)
    reading = reading_of(await asked(days, looking_back("count > 0"), 7))
    assert plain(reading.measures)["max"] == "50 %"
    assert "2 were in another unit than the last one" in reading.evidence[0].text


async def test_other_subjects(days: Days) -> None:
    """A column of a row, what was typed in, how long it took, and one of several targets can be looked at."""
    took = Reading(
        columns=("name", "duration"), rows=(("A", number(3, Unit.SECONDS)), ("B", number(9, Unit.SECONDS)))
    )
    listed = checklist(
        item("every duration < 30 s"),
        item("entry > 0", name="typed", probe="", entry=Entry("Tickets")),
        item("every duration < 30 s", name="each", for_each=("/srv", "/var"), options={"path": "{target}"}),
    )
    for index in range(5):
        days.at(FIRST + index * DAY)
        await days.run(listed, took, entries={"typed": str(10 + index)})
    for number_of, (options, median) in enumerate(
        (
            ({"subject": "duration", "row": "B"}, "9 s"),
            ({"item": "typed", "subject": "entry"}, "12"),
            ({"item": "each", "subject": "duration", "row": "A", "for_target": "/srv"}, "3 s"),
        )
    ):
        back = looking_back("count == 5", name=f"list{number_of}", **options)  # type: ignore[arg-type]
        state = await asked(days, back, 5)
        assert state.outcome is Outcome.PASS
        assert plain(reading_of(state).measures)["median"] == median
    state = await asked(days, looking_back("max < 60 s", name="elapsed", subject="elapsed"), 5)
    assert state.outcome is Outcome.PASS
    state = await asked(days, looking_back("count > 0", name="no-target", item="each", subject="duration"), 5)
    problem = state.attempts[-1].body.problem
    assert problem is not None
    assert (problem.reason, problem.hint) == ("bad-options", "name one by `for_target`: /srv, /var")
    state = await asked(days, looking_back("availability == 100%", name="all", item="each", subject=""), 5)
    assert state.outcome is Outcome.PASS
    assert reading_of(state).columns == ("date", "outcome", "run")


async def test_differences_within_a_reading(days: Days) -> None:
    """By how much what was typed in differed from what was measured has a past of its own."""
    listed = checklist(item("entry within 10% of used", name="room", entry=Entry("Used", unit=Unit.PERCENT)))
    for index, typed in enumerate((41, 40, 42, 40, 39)):
        days.at(FIRST + index * DAY)
        await days.run(listed, percent(40), entries={"room": str(typed)})
    state = await asked(days, looking_back("min < 0%", "max > 0%", subject="entry", minus="used"), 5)
    assert state.outcome is Outcome.PASS
    found = plain(reading_of(state).measures)
    assert (found["min"], found["median"], found["max"]) == ("-1 %", "0 %", "2 %")


async def test_an_item_that_came_later_was_not_missed_before(days: Days) -> None:
    """What was due counts from the first run that had the item, within the stretch."""
    await days.days(checklist(item("used < 90%", name="other")), *[percent(40)] * 4)
    for index in (4, 5, 7, 8):
        days.at(FIRST + index * DAY)
        await days.run(checklist(item("used < 90%"), item("used < 90%", name="other")), percent(40))
    reading = reading_of(await asked(days, looking_back("count > 0", least=3), 9))
    found = plain(reading.measures)
    assert (found["count"], found["due"], found["missing"]) == ("4", "5", "1")


async def test_the_window_of_a_weekly_list(days: Days) -> None:
    """On Monday a weekly list looks at the seven days of the week before."""
    await days.days(LISTED, *(percent(each) for each in range(40, 48)))
    listed = looking_back("count == 7", "max == 46%", "missing == 0", over="window")
    assert (await asked(days, listed, 7)).outcome is Outcome.PASS


async def test_what_can_still_be_done_is_not_missing(days: Days) -> None:
    """A week that was due on Monday and is not over on Wednesday is neither missing nor counted as due."""
    weekly = checklist(item("used < 90%"), cadence=Cadence.WEEKLY)
    for index in (0, 8):
        days.at(FIRST + index * DAY)
        await days.run(weekly, percent(40))
    daily = looking_back("count == 2", "due == 2", "missing == 0", over="20 d", least=2, cadence=Cadence.DAILY)
    assert (await asked(days, daily, 16)).outcome is Outcome.PASS
    assert (await asked(days, daily, 22)).outcome is Outcome.FAIL


# --- what cannot be said -----------------------------------------------------------------------------


async def test_a_day_that_never_comes_is_no_number(days: Days) -> None:
    """Where the trend does not lead to the limit there is no day, and a condition on it is an ERROR, not a pass."""
    await days.days(LISTED, *[percent(40)] * 6)
    state = await asked(days, looking_back("limit_in > 30 d", limit="90%"), 6)
    assert state.outcome is Outcome.ERROR
    assert "limit_in is missing" in state.summary
    assert "there is no day on which it would be reached" in reading_of(state).evidence[0].text
    state = await asked(
        days, looking_back("limit_state == 'not-ahead'", "projected_high < 90%", name="two", limit="90%"), 6
    )
    assert state.outcome is Outcome.PASS


class Remembered:
    """A past that was made up, and how much of it was read."""

    def __init__(self, runs: list[Earlier], error: Exception | None = None) -> None:
        self.runs = runs
        self.error = error
        self.read = 0
        self.reading = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def earlier(self, _checklist: str, _item: str, **_more: Any) -> Iterator[Earlier]:
        """Yield the runs, the latest first."""
        if self.error is not None:
            raise self.error
        for each in reversed(self.runs):
            self.reading.set()
            self.go_on.wait(10)
            self.read += 1
            yield each

    def near(self, *_given: Any, **_more: Any) -> Iterator[Earlier]:
        """Yield nothing."""
        return iter(())

    def due(self, *_given: Any) -> tuple[()]:
        """Return nothing."""
        return ()

    def items(self, _checklist: str) -> tuple[str, ...]:
        """Return the one item."""
        return ("room",)


def made_up(values: list[object], *outcomes: Outcome, every: dt.timedelta = DAY) -> list[Earlier]:
    """Return runs with these readings, one a day, with these outcomes or all of them passed."""
    found = []
    for index, value in enumerate(values):
        at = dt.datetime.combine(FIRST, dt.time(14), dt.UTC) + index * every
        found.append(
            Earlier(
                run=f"morning@{index:05}",
                business_date=at.date(),
                period=period_of(at.date(), Cadence.DAILY),
                at=at,
                outcome=outcomes[index] if index < len(outcomes) else Outcome.PASS,
                reading=None if value is None else percent(value),
                method="same",
            )
        )
    return found


def context(on: int = 9, timeout: float = 10, listed: Checklist = LISTED) -> Context:
    """Return what the probe knows of the run that asks."""
    date = FIRST + on * DAY
    times = times_of(listed, period_of(date, Cadence.DAILY), WHERE, date)
    now = dt.datetime.combine(date, dt.time(18), dt.UTC)
    return Context(
        run="weekly@x", checklist="weekly", item="past", times=times, now=now, cutoff=now, timeout=timeout
    )


async def measured(history: Any, seconds: float = 10, **options: Any) -> Reading:
    """Return what the probe brings back."""
    given = msgspec.convert(_options(**options), HistoryOptions, dec_hook=dec_hook, strict=False)
    assert KIND.validate(given) == []
    return await KIND.open(Environment(history=history)).measure(given, context(timeout=seconds))


async def test_a_long_table_is_cut_off() -> None:
    """Of ten years the latest runs stand in the table: the numbers are of all, and nothing takes it for whole."""
    reading = await measured(Remembered(made_up(list(range(1000)))), over=1000)
    assert (len(reading.rows), reading.truncated) == (ROWS, True)
    assert outcome(reading, "count == 1000", "max == 999%") is Outcome.PASS
    assert outcome(reading, "every outcome == 'PASS'") is Outcome.ERROR
    assert "medians of 600 groups" in reading.evidence[0].text


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        (None, "not-found"),
        (Remembered([], StoreUnavailable("the disk is gone", "wait")), "failed"),
    ],
)
async def test_without_a_record(history: Any, reason: str) -> None:
    """Without a record, or with one that cannot be read, it is an ERROR and no lack of history."""
    with pytest.raises(ProbeError) as raised:
        await measured(history)
    assert raised.value.problem.reason == reason


async def test_a_record_that_does_not_answer() -> None:
    """It ends in time, and the thread that reads ends with it."""
    history = Remembered(made_up(list(range(500))))
    history.go_on.clear()
    with pytest.raises(ProbeError) as raised:
        await measured(history, 0.2, over=500)
    assert raised.value.problem.reason == "timeout"
    history.go_on.set()
    await asyncio.to_thread(_until_still, history)
    assert history.read < 10


def _until_still(history: Remembered) -> None:
    deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=10)
    name = "of morning: room"
    while dt.datetime.now(dt.UTC) < deadline and any(name in each.name for each in threading.enumerate()):
        threading.Event().wait(0.005)


# --- outcomes ----------------------------------------------------------------------------------------


P, W, F, E, B = Outcome.PASS, Outcome.WARN, Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED
SKIPPED, WAIVED, PENDING = Outcome.SKIPPED, Outcome.WAIVED, Outcome.PENDING


@pytest.mark.parametrize(
    ("outcomes", "available", "now", "longest", "days_long"),
    [
        ([P, P, P], "100", 0, 0, 0),
        ([P, W, P], "100", 0, 0, 0),
        ([P, F, P, F], "50", 1, 1, 6),
        ([F, F, E, P, F, P], "33.3333333333", 0, 3, 3),
        ([P, F, SKIPPED, F, P], "50", 0, 2, 3),
        ([P, F, PENDING, P, P], "75", 0, 1, 2),
        ([P, F, WAIVED, F, P], "40", 0, 1, 1),
        ([B, B], "0", 2, 2, 9),
        ([P, F, F, PENDING], "33.3333333333", 2, 2, 8),
    ],
)
async def test_how_often_and_how_long(
    outcomes: list[Outcome], available: str, now: int, longest: int, days_long: int
) -> None:
    """Counts are of runs in which the item applied and was looked at; a streak lasts until it was seen good."""
    runs = made_up(list(range(len(outcomes))), *outcomes)
    reading = await measured(Remembered(runs), subject="", least=1, over=100)
    found = plain(reading.measures)
    assert (found["availability"], found["failing_now"], found["longest_failing"]) == (
        f"{available} %",
        str(now),
        str(longest),
    )
    told = reading.measures["longest_failing_time"]
    assert isinstance(told, Number)
    assert told.value // 86400 == days_long
    for name, wanted in (("passed", P), ("failed", F), ("errored", E), ("skipped", SKIPPED), ("pending", PENDING)):
        assert found[name] == str(outcomes.count(wanted))


def test_nothing_was_judged() -> None:
    """Where nothing applied there is no percentage: neither 0 nor 100."""
    from opsconsole.checks._lookback import Looked

    found = outcome_measures(Looked(runs=tuple(made_up([1], SKIPPED))), dt.datetime.now(dt.UTC))
    assert found["availability"] is None
    assert found["failed_percent"] is None


# --- numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "limit", "bound", "expected"),
    [
        ([10, 20, 30, 40, 50, 60], "100%", Bound.UPPER, {"limit_in": "345600 s", "limit_state": "ahead"}),
        ([10, 20, 30, 40, 50, 60], "60%", Bound.UPPER, {"limit_in": "0 s", "limit_state": "reached"}),
        ([10, 20, 30, 40, 50, 60], "5%", Bound.LOWER, {"limit_in": None, "limit_state": "not-ahead"}),
        ([60, 50, 40, 30, 20, 10], "5%", Bound.LOWER, {"limit_in": "43200 s", "limit_state": "ahead"}),
        ([5, 9, 4, 8, 6, 7], "100%", Bound.UPPER, {"limit_in_late": None, "limit_state": "possible"}),
        ([1, 2, 3], "100%", Bound.UPPER, {"limit_in_early": None, "limit_state": "unclear", "trend": "unclear"}),
        ([1, 2, 3], "100%", Bound.UPPER, {"slope_per_day_low": None, "projected_high": None}),
        ([0, 0, 0, 0, 0, 5], "9%", Bound.UPPER, {"change_yesterday": "5 %", "change_yesterday_percent": None}),
        ([7], "9%", Bound.UPPER, {"value_previous": None, "change_previous": None, "slope_per_day": None}),
        ([1, 2, 3, 4, 5, 6], "9%", Bound.UPPER, {"value_last_week": None, "change_last_week_percent": None}),
        ([10, 20, 30, 40, 50, 60], "99%", Bound.UPPER, {"projected": "360 %", "projected_low": "360 %"}),
    ],
)
def test_what_readings_come_to(values: list[object], limit: str, bound: Bound, expected: dict[str, object]) -> None:
    """Lines lead where they lead; what cannot be said is nothing, and never 0."""
    runs = made_up(values)
    found = value_measures(
        [(each, number(value, Unit.PERCENT)) for each, value in zip(runs, values, strict=True)],
        confidence=Decimal(95),
        now=runs[-1].at,
        ahead=dt.timedelta(days=30),
        limit=parse_quantity(limit),
        bound=bound,
    )
    told = plain(found.values)
    assert told == told | expected


def test_a_week_is_not_its_own_yesterday() -> None:
    """Of a weekly list a day before lies in the same week: there is no such reading, and no change of 0."""
    week = period_of(FIRST, Cadence.WEEKLY)
    runs = [msgspec.structs.replace(each, period=week) for each in made_up([1, 2])[1:]]
    found = value_measures(
        [(each, number(5)) for each in runs],
        confidence=Decimal(95),
        now=runs[-1].at,
        ahead=DAY,
        limit=None,
        bound=Bound.UPPER,
    )
    assert found.values["value_yesterday"] is None
    assert found.values["change_yesterday"] is None


def test_yesterday_among_many_runs_a_day() -> None:
    """Of a list of every hour, a day before is the reading of the same hour."""
    runs = made_up(list(range(60)), every=dt.timedelta(hours=1))
    found = value_measures(
        [(each, number(index)) for index, each in enumerate(runs)],
        confidence=Decimal(95),
        now=runs[-1].at,
        ahead=dt.timedelta(days=1),
        limit=None,
        bound=Bound.UPPER,
    )
    assert plain(found.values)["value_yesterday"] == "35"
    assert plain(found.values)["slope_per_day"] == "24"


# --- which stretch -----------------------------------------------------------------------------------


def times_at(cadence: Cadence, date: str, time: str = "08:15") -> Times:
    """Return the times of the run at a wall-clock time."""
    listed = checklist(Item(id="x", title="X", manual=True), cadence=cadence, every=Duration.parse("15 min"))
    now = dt.datetime.combine(dt.date.fromisoformat(date), dt.time.fromisoformat(time), WHERE).astimezone(dt.UTC)
    return times_of(listed, period_at(listed, now, WHERE), WHERE, now.astimezone(WHERE).date())


@pytest.mark.parametrize(
    ("cadence", "over", "since", "until", "begins_at"),
    [
        (Cadence.DAILY, "30 d", "2026-10-22", "2026-11-20", None),
        (Cadence.DAILY, "24 h", "2026-11-20", "2026-11-20", None),
        (Cadence.DAILY, 14, None, "2026-11-21", None),
        (Cadence.DAILY, "window", "2026-11-21", "2026-11-21", None),
        (Cadence.WEEKLY, "window", "2026-11-09", "2026-11-15", None),
        (Cadence.MONTHLY, "window", "2026-10-01", "2026-10-31", None),
        (Cadence.INTERVAL, "1 d", "2026-11-20", "2026-11-21", "2026-11-20T14:15"),
        (Cadence.INTERVAL, "6 h", "2026-11-21", "2026-11-21", "2026-11-21T08:15"),
    ],
)
def test_stretches(cadence: Cadence, over: int | str, since: str | None, until: str, begins_at: str | None) -> None:
    """Days are those before the business date, a window is the run's own, intervals count back from themselves."""
    found = stretch_of(over, msgspec.structs.replace(context(), times=times_at(cadence, "2026-11-21")))
    assert (found.since and found.since.isoformat(), found.until.isoformat()) == (since, until)
    assert (found.begins_at and found.begins_at.strftime("%Y-%m-%dT%H:%M")) == begins_at


async def test_the_last_hours_of_a_list_of_every_quarter(days: Days) -> None:
    """A list of every 15 minutes looks back over two hours: the runs in them, and those that were missed."""
    own = checklist(
        item("used < 90%"),
        item(
            "count > 0",
            name="past",
            probe="history",
            options={"item": "room", "subject": "used", "over": "2 h", "least": 3},
        ),
        cadence=Cadence.INTERVAL,
        every=Duration.parse("15 min"),
    )
    for time in ("07:00", "08:15", "08:30", "08:45", "09:00", "09:15", "09:45", "10:15"):
        days.at(FIRST, time)
        state = await days.run(own, percent(40))
    found = plain(reading_of(state.items["past"]).measures)
    assert (found["count"], found["due"], found["missing"]) == ("6", "8", "2")


async def test_an_interval_looks_at_mornings(days: Days) -> None:
    """A list of every 15 minutes that looks at a daily one counts whole days, whatever the time of day."""
    await days.days(LISTED, *[percent(40)] * 3, None, percent(40))
    own = looking_back("count == 3", "missing == 1", "due == 4", over="5 d", least=3, name="pool")
    own = msgspec.structs.replace(
        own, cadence=Cadence.INTERVAL, due=msgspec.structs.replace(own.due, every=Duration.parse("15 min"))
    )
    for time in ("00:15", "08:00", "12:00", "23:45"):
        days.at(FIRST + 5 * DAY, time)
        assert (await days.run(own)).items["past"].outcome is Outcome.PASS


# --- its options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "key", "said"),
    [
        ({"item": "No Such"}, "item", "is no id"),
        ({"checklist": "../x"}, "checklist", "is no id"),
        ({"over": 0}, "over", "between 1 and 10,000 runs"),
        ({"over": 3}, "least", "5 readings are never among 3 runs"),
        ({"over": "1m"}, "over", "ambiguous"),
        ({"over": "0 d"}, "over", "no stretch of time"),
        ({"over": "windows"}, "over", "or 'window'"),
        ({"least": 0}, "least", "at least 1"),
        ({"limit": "5 gb"}, "limit", "ambiguous"),
        ({"limit": "5%", "subject": ""}, "limit", "means nothing without a `subject`"),
        ({"bound": "lower"}, "bound", "means nothing without a `limit`"),
        ({"row": "A", "subject": "entry"}, "row", "a column only"),
        ({"row": "A", "subject": ""}, "row", "a column only"),
        ({"confidence": 100}, "confidence", "between 50 and 99.9 percent"),
        ({"subject": "a\nb"}, "subject", "a name"),
        ({"minus": "used", "subject": ""}, "minus", "taken away from a `subject`"),
        ({"minus": "used", "subject": "elapsed"}, "minus", "taken away from a `subject`"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], key: str, said: str) -> None:
    """What can never work is told when the list is loaded."""
    given = msgspec.convert(_options(**options), HistoryOptions, dec_hook=dec_hook, strict=False)
    problems = dict(KIND.validate(given))
    assert said in problems[key]


@pytest.mark.parametrize(
    ("options", "there", "not_there"),
    [
        ({"subject": ""}, {"availability", "outcome"}, {"median", "value", "limit_in"}),
        ({}, {"median", "trend", "value", "slope_per_day_low"}, {"limit_in"}),
        ({"limit": "90%"}, {"limit_in", "limit_state"}, set()),
    ],
)
def test_what_conditions_may_speak_of(options: dict[str, Any], there: set[str], not_there: set[str]) -> None:
    """A condition on what an item does not ask for is refused when the list is loaded."""
    subjects = KIND.subjects(msgspec.convert(_options(**options), HistoryOptions, dec_hook=dec_hook))
    assert subjects is not None
    assert there <= set(subjects)
    assert not not_there & set(subjects)
