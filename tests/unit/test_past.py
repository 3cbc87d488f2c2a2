"""What conditions compare with: which earlier readings are comparable, and what is said where there are too few."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.calendar import Period, period_of
from opsconsole.model.checklists import Baseline, Cadence, Entry, EntryKind, Item
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.conditions import PAST
from opsconsole.model.encoding import canonical, decoded
from opsconsole.model.judging import judge_entry, judge_item, without_history
from opsconsole.model.outcomes import Outcome
from opsconsole.model.past import Earlier, looks_back, method_of, months_before, pasts_of, unreadable_pasts
from opsconsole.model.readings import Judgement, Past, Reading, Verdict
from opsconsole.model.text import counted, there_are
from opsconsole.model.values import Number, Unit, Value, number

TODAY = dt.date(2026, 11, 21)
B, P, S = Unit.BYTES, Unit.PERCENT, Unit.SECONDS


def item(*require: str, **more: Any) -> Item:
    """Return an item with these requirements."""
    given = {"probe": "disk", "require": tuple(map(parse_condition, require))} | more
    given["target"] = tuple(map(parse_condition, given.get("target", ())))
    return Item(id="room", title="Room", **given)


def used(value: object, unit: Unit = P) -> Reading:
    """Return a reading of one measure."""
    return Reading(measures={"used": number(value, unit)})


def table(**took: object) -> Reading:
    """Return a reading with a row for each name."""
    rows = tuple((name, number(value, S)) for name, value in took.items())
    return Reading(columns=("name", "duration"), rows=rows, label="name")


def earlier(
    reading: Reading | None, days: int, of: Item, *, outcome: Outcome = Outcome.PASS, entered: Value = None
) -> Earlier:
    """Return what an item came to so many days ago."""
    date = TODAY - dt.timedelta(days=days)
    return Earlier(
        run=f"morning@{date}",
        business_date=date,
        period=period_of(date, Cadence.DAILY),
        at=dt.datetime.combine(date, dt.time(14), dt.UTC),
        outcome=outcome,
        reading=reading,
        entered=entered,
        method=method_of(of),
    )


def daily(of: Item, *readings: Reading | None) -> list[Earlier]:
    """Return one earlier run a day, yesterday's first."""
    return [earlier(each, days, of) for days, each in enumerate(readings, start=1)]


def compared(of: Item, reading: Reading, past: Sequence[Earlier], today: dt.date = TODAY) -> Reading:
    """Return a reading with what its conditions compare it with."""

    def on(date: dt.date) -> Iterable[Earlier]:
        return [each for each in past if each.period.start <= date <= each.period.end]

    return msgspec.structs.replace(reading, past=pasts_of(of, reading, past, on, today))


def judged(of: Item, reading: Reading, past: Sequence[Earlier]) -> Judgement:
    """Judge a reading with its past."""
    return judge_item(of, compared(of, reading, past))


# --- the baseline ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "value", "outcome", "text"),
    [
        ("used < baseline * 1.5", 59, Outcome.PASS, "used is 59 %, near the limit baseline (40 %) * 1.5 = 60 %"),
        ("used < baseline * 1.5", 60, Outcome.FAIL, "used is 60 %, limit baseline (40 %) * 1.5 = 60 %"),
        ("used <= baseline + 5%", 45, Outcome.PASS, "limit baseline (40 %) + 5 % = 45 %"),
        ("used <= baseline + 5%", 46, Outcome.FAIL, "used is 46 %, limit baseline (40 %) + 5 % = 45 %"),
        ("used >= previous - 5%", 25, Outcome.PASS, "at least previous (30 %) - 5 % = 25 %"),
        ("used >= previous - 5%", 24, Outcome.FAIL, "limit at least previous (30 %) - 5 % = 25 %"),
        ("used within 5% of yesterday", 35, Outcome.PASS, "within 5 % of yesterday (30 %)"),
        ("used within 5% of yesterday", 36, Outcome.FAIL, "used is 36 %, required within 5 % of yesterday (30 %)"),
        ("used <= baseline", "40.04", Outcome.FAIL, "used is 40.04 %, limit baseline (40 %)"),
        ("used == last_week", 60, Outcome.PASS, "used is 60 %"),
        ("used != last_week", 60, Outcome.FAIL, "required not last_week (60 %)"),
    ],
)
def test_what_is_compared(condition: str, value: object, outcome: Outcome, text: str) -> None:
    """Each name of the past is what it says, and the verdict shows what it came to."""
    of = item(condition)
    past = daily(of, *(used(each) for each in (30, 20, 40, 50, 35, 45, 60)))
    judgement = judged(of, used(value), past)
    assert judgement.outcome is outcome
    assert text in judgement.findings[0].text


@given(st.lists(st.decimals(0, 100, places=1), max_size=12), st.integers(1, 6), st.integers(1, 8))
def test_the_baseline_is_a_median_of_the_latest(values: list[Decimal], least: int, readings: int) -> None:
    """It is the median of so many latest ones, and there is none with fewer than asked for."""
    of = item("used < baseline * 1.5", baseline=Baseline(readings, least))
    (past,) = compared(of, used(1), daily(of, *(used(each) for each in values))).past
    latest = sorted(values[:readings])
    assert past.readings == len(latest)
    if len(latest) < least:
        assert past.missing == {
            "baseline": f"a baseline needs {counted(least, 'earlier reading')}, and {there_are(len(latest))}"
        }
        return
    middle = (latest[(len(latest) - 1) // 2] + latest[len(latest) // 2]) / 2
    assert past.values == {"baseline": Number(middle, P)}


def test_too_few_readings_are_never_green() -> None:
    """With four of five the item is what it says on no history, which is ERROR; the reason is told."""
    of = item("used < baseline * 1.5")
    judgement = judged(of, used(1), daily(of, *[used(40)] * 4))
    assert judgement.outcome is Outcome.ERROR
    assert judgement.findings[0].verdict is Verdict.NO_HISTORY
    assert judgement.summary == (
        "used cannot be compared with 'baseline': a baseline needs 5 earlier readings, and there are 4"
    )


@pytest.mark.parametrize(
    ("on_no_history", "target", "value", "outcome"),
    [
        (Outcome.ERROR, (), 1, Outcome.ERROR),
        (Outcome.WARN, (), 1, Outcome.WARN),
        (Outcome.FAIL, (), 1, Outcome.FAIL),
        (Outcome.SKIPPED, (), 1, Outcome.SKIPPED),
        (Outcome.PASS, (), 1, Outcome.ERROR),
        (Outcome.SKIPPED, ("used < 50%",), 60, Outcome.WARN),
        (Outcome.SKIPPED, (), 99, Outcome.FAIL),
        (Outcome.SKIPPED, ("gone < 50%",), 1, Outcome.ERROR),
    ],
)
def test_on_no_history(on_no_history: Outcome, target: tuple[str, ...], value: int, outcome: Outcome) -> None:
    """The item says what a lack of history means, never a pass; what is wrong anyway outweighs it."""
    of = item("used < 90%", "used < baseline * 1.5", target=target, on_no_history=on_no_history)
    assert judged(of, used(value), []).outcome is outcome
    assert without_history(of) is (Outcome.ERROR if on_no_history is Outcome.PASS else on_no_history)


def test_red_readings_are_a_past_too() -> None:
    """A day that failed, was waived, or had no baseline itself counts; one skipped or not read does not."""
    of = item("used < baseline * 1.5", baseline=Baseline(5, 4))
    outcomes = (Outcome.FAIL, Outcome.WAIVED, Outcome.ERROR, Outcome.WARN, Outcome.SKIPPED)
    past = [earlier(used(10 * days), days, of, outcome=outcome) for days, outcome in enumerate(outcomes, start=1)]
    past.insert(2, earlier(None, 9, of, outcome=Outcome.ERROR))
    (found,) = compared(of, used(1), past).past
    assert found.values == {"baseline": Number(Decimal(25), P)}
    assert found.readings == 4


@pytest.mark.parametrize(
    ("old", "told"),
    [
        (used(5, B), "5 were in another unit"),
        (used("NaN"), "5 were without such a reading"),
        (Reading(measures={"used": "much"}), "5 were without such a reading"),
        (Reading(measures={"other": number(5, P)}), "5 were without such a reading"),
        (None, "5 were without such a reading"),
        (Reading(columns=("used",), rows=((number(5, P),),), truncated=True), "5 were without such a reading"),
    ],
)
def test_why_others_do_not_count(old: Reading | None, told: str) -> None:
    """Another unit, no number, no such measure, a cut-off table: none is compared with, and the reason is told."""
    of = item("used < baseline * 1.5")
    judgement = judged(of, used(1), daily(of, *[old] * 5))
    assert judgement.outcome is Outcome.ERROR
    assert judgement.summary.endswith(f"there is none ({told})")


def test_an_edited_probe_begins_a_new_past() -> None:
    """Readings from before its options were edited are not comparable, which is told; conditions may change."""
    of = item("used < baseline * 1.5", options={"path": "/srv"})
    before = msgspec.structs.replace(of, options={"path": "/var"})
    judged_otherwise = msgspec.structs.replace(of, require=(parse_condition("used < 10%"),), title="Space")
    past = [*daily(judged_otherwise, used(30), used(40)), *daily(before, *[used(99)] * 6)]
    judgement = judged(of, used(1), past)
    told = "there are 2 (6 were measured in another way, for its probe or options were edited since)"
    assert judgement.summary.endswith(told)
    assert judged(of, used(1), daily(judged_otherwise, *[used(40)] * 5)).outcome is Outcome.PASS


# --- what was not seen -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (used("NaN"), "used is NaN"),
        (Reading(measures={"used": None}), "used is missing"),
        (Reading(measures={"used": "much"}), "used is a text; only numbers are compared with 'baseline'"),
        (Reading(measures={"other": number(1)}), "the reading has no 'used'"),
        (Reading(columns=("used",), rows=((number(5, P),),), truncated=True), "cut off"),
    ],
)
@pytest.mark.parametrize("days", [0, 9])
def test_what_was_not_seen_is_no_lack_of_history(reading: Reading, said: str, days: int) -> None:
    """A value that is not there is an ERROR however little of a past there is, and whatever that may mean."""
    of = item("used < baseline * 1.5", on_no_history=Outcome.SKIPPED)
    judgement = judged(of, reading, daily(of, *[used(40)] * days))
    assert judgement.outcome is Outcome.ERROR
    assert said in judgement.summary


def test_a_record_that_cannot_be_read_is_an_error() -> None:
    """That is no lack of history either, and the cause is told."""
    of = item("used < baseline * 1.5", "used > last_week - 5%", on_no_history=Outcome.SKIPPED)
    reading = msgspec.structs.replace(used(1), past=unreadable_pasts(of, used(1), "the disk is gone"))
    judgement = judge_item(of, reading)
    assert judgement.outcome is Outcome.ERROR
    assert "the record could not be read: the disk is gone" in judgement.summary


# --- rows --------------------------------------------------------------------------------------------


DAYS = [table(A=10, B=50)] * 5


@pytest.mark.parametrize(
    ("condition", "took", "outcome", "text"),
    [
        (
            "every duration < baseline * 2",
            {"A": 12, "B": 75},
            Outcome.PASS,
            "B took 75 s, limit baseline (50 s) * 2 = 100 s",
        ),
        ("every duration < baseline * 2", {"A": 25, "B": 75}, Outcome.FAIL, "A took 25 s, limit baseline (10 s)"),
        (
            "every duration < baseline * 2",
            {"A": 25, "B": 110},
            Outcome.FAIL,
            "A took 25 s against baseline (10 s) * 2 = 20 s; B took 110 s against baseline (50 s) * 2",
        ),
        ("any duration < baseline", {"A": 9, "B": 50}, Outcome.PASS, "A took 9 s, near the limit baseline (10 s)"),
        ("any duration < baseline", {"A": 10, "B": 50}, Outcome.FAIL, "limit baseline"),
        ("no duration > baseline * 2", {"A": 20, "B": 100}, Outcome.PASS, ""),
        ("no duration > baseline * 2", {"A": 21, "B": 100}, Outcome.FAIL, "A took 21 s"),
        # a third row that has no past
        ("every duration < baseline * 2", {"A": 12, "B": 75, "C": 1}, Outcome.WARN, "C: duration cannot be"),
        ("every duration < baseline * 2", {"A": 25, "B": 75, "C": 1}, Outcome.FAIL, "A took 25 s"),
        ("any duration < baseline", {"A": 9, "B": 75, "C": 1}, Outcome.PASS, "A took 9 s"),
        ("any duration < baseline", {"A": 12, "B": 75, "C": 1}, Outcome.WARN, "C: duration cannot be"),
        ("no duration > baseline * 2", {"A": 12, "B": 75, "C": 1}, Outcome.WARN, "C: duration cannot be"),
        ("no duration > baseline * 2", {"A": 21, "B": 75, "C": 1}, Outcome.FAIL, "A took 21 s"),
    ],
)
def test_every_row_has_its_own_past(condition: str, took: dict[str, int], outcome: Outcome, text: str) -> None:
    """Each row is compared with itself; a new one is no pass, and never hides that another is red."""
    of = item(condition, on_no_history=Outcome.WARN)
    judgement = judged(of, table(**took), daily(of, *DAYS))
    assert judgement.outcome is outcome
    assert text in judgement.summary


def test_rows_of_one_name_cannot_be_told_apart() -> None:
    """Where two rows are called the same nobody knows which past is whose: an ERROR."""
    of = item("every duration < baseline * 2", on_no_history=Outcome.SKIPPED)
    twice = Reading(columns=("name", "duration"), rows=(("A", number(1, S)), ("A", number(2, S))), label="name")
    judgement = judged(of, twice, daily(of, *DAYS))
    assert judgement.outcome is Outcome.ERROR
    assert "several rows are called 'A'" in judgement.summary


@given(
    st.lists(st.dictionaries(st.sampled_from("ABC"), st.integers(0, 50), min_size=1), max_size=8),
    st.dictionaries(st.sampled_from("ABC"), st.integers(0, 50), min_size=1),
    st.sampled_from(["every", "any", "no"]),
    st.sampled_from(["<", ">="]),
    st.sampled_from(PAST),
)
def test_verdicts_of_rows(
    past: list[dict[str, int]], now: dict[str, int], quantifier: str, operator: str, name: str
) -> None:
    """The verdict is that of a slow model: rows without a past count as either, and only a sure answer is one."""
    of = item(f"{quantifier} duration {operator} {name}", baseline=Baseline(3, 2))
    reading = compared(of, table(**now), daily(of, *(table(**each) for each in past)))
    limits = {each.row: each.values[name].value for each in reading.past if name in each.values}
    truths = {row: (value < limits[row]) is (operator == "<") for row, value in now.items() if row in limits}
    possible = {
        _folded(quantifier, [truths.get(row, guess) for row, guess in zip(now, guesses, strict=True)])
        for guesses in _guesses(len(now))
    }
    expected = Outcome.ERROR if len(possible) == 2 else Outcome.PASS if possible == {True} else Outcome.FAIL
    assert judge_item(of, reading).outcome is expected


def _folded(quantifier: str, truths: list[bool]) -> bool:
    return all(truths) if quantifier == "every" else any(truths) is (quantifier == "any")


def _guesses(count: int) -> Iterator[tuple[bool, ...]]:
    for bits in range(2**count):
        yield tuple(bool(bits >> index & 1) for index in range(count))


# --- dates -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "months", "expected"),
    [
        ("2026-03-31", 1, "2026-02-28"),
        ("2028-03-31", 1, "2028-02-29"),
        ("2026-01-15", 1, "2025-12-15"),
        ("2026-05-31", 3, "2026-02-28"),
        ("2026-12-31", 1, "2026-11-30"),
        ("2026-02-28", 1, "2026-01-28"),
        ("2026-01-01", 3, "2025-10-01"),
    ],
)
def test_months_before(date: str, months: int, expected: str) -> None:
    """A month before the 31st is the last day of a shorter month, over the year's end too."""
    assert months_before(dt.date.fromisoformat(date), months) == dt.date.fromisoformat(expected)


@pytest.mark.parametrize(
    ("today", "name", "asked"),
    [
        ("2026-11-21", "yesterday", "2026-11-20"),
        ("2026-11-21", "last_week", "2026-11-14"),
        ("2026-01-01", "yesterday", "2025-12-31"),
        ("2026-03-31", "last_month", "2026-02-28"),
        ("2028-02-29", "last_month", "2028-01-29"),
        ("2026-05-31", "last_quarter", "2026-02-28"),
    ],
)
def test_which_date_is_meant(today: str, name: str, asked: str) -> None:
    """The names speak of dates, counted from the business date; where nobody looked then, that date is named."""
    of = item(f"used < {name}")
    dates: list[dt.date] = []

    def on(date: dt.date) -> Iterable[Earlier]:
        dates.append(date)
        return ()

    (past,) = pasts_of(of, used(1), [], on, dt.date.fromisoformat(today))
    assert dates == [dt.date.fromisoformat(asked)]
    assert past.missing == {name: f"there is no reading of {asked}"}


def test_what_a_run_of_that_date_lacked() -> None:
    """A run without a usable reading on the date is told, and the day before it is never taken in its place."""
    of = item("used < yesterday", "used < previous")
    past = daily(of, None, used(40))
    (found,) = compared(of, used(1), past).past
    assert found.missing == {
        "yesterday": f"there is no reading of {past[0].business_date} (1 was without such a reading)"
    }
    assert found.values == {"previous": Number(Decimal(40), P)}
    assert found.runs == {"previous": past[1].run}


def test_a_weekly_list_looks_at_the_week_before() -> None:
    """Whichever day of the week a weekly list is opened on, last week is the week before."""
    of = item("used < last_week * 2")
    week = Period(dt.date(2026, 11, 9), dt.date(2026, 11, 15), "2026-W46")
    before = msgspec.structs.replace(
        earlier(used(30), 1, of), run="weekly@2026-W46", period=week, business_date=dt.date(2026, 11, 13)
    )
    for day in range(16, 23):
        (past,) = compared(of, used(1), [before], dt.date(2026, 11, day)).past
        assert past.values == {"last_week": Number(Decimal(30), P)}


def test_no_more_is_read_than_is_needed() -> None:
    """A baseline of three readings reads three runs, however long the record is, and once for all conditions."""
    of = item("used < baseline * 2", "used < previous * 3", "used > baseline - 50%", baseline=Baseline(3, 2))
    read = 0

    def lately() -> Iterator[Earlier]:
        nonlocal read
        for days in range(1, 4000):
            read += 1
            yield earlier(used(40), days, of)

    pasts_of(of, used(1), lately(), lambda _: (), TODAY)
    assert read == 3


# --- entries, and judging again ----------------------------------------------------------------------


def entry_item(*require: str, **more: Any) -> Item:
    """Return an item that a person types a number in for."""
    return item(*require, entry=Entry("Open tickets", **more), probe="")


@pytest.mark.parametrize(
    ("typed", "outcome"), [(12, Outcome.PASS), (15, Outcome.PASS), (16, Outcome.FAIL), (-1, Outcome.PASS)]
)
def test_entries_have_a_past(typed: int, outcome: Outcome) -> None:
    """What was typed in is compared with what was typed in before, with no probe at all."""
    of = entry_item("entry <= baseline + 5")
    past = [earlier(None, days, of, entered=number(10)) for days in range(1, 6)]
    reading = compared(of, Reading(), past)
    assert judge_entry(of, reading, number(typed)).outcome is outcome


def test_entries_of_another_unit_are_left_out() -> None:
    """Where somebody typed `3 GB` for a count on one day, that day is not compared with."""
    of = entry_item("entry <= baseline + 5", unit=Unit.COUNT)
    values = [number(10), number(3, B), number(10), number(10), number(10)]
    past = [earlier(None, days, of, entered=each) for days, each in enumerate(values, start=1)]
    (found,) = compared(of, Reading(), past).past
    assert found.missing["baseline"].endswith("there are 4 (1 was in another unit)")


def test_a_text_has_no_past() -> None:
    """A text that is typed in is not compared with the past: an ERROR, should it get past the loader."""
    of = entry_item("entry != previous", kind=EntryKind.TEXT)
    past = [earlier(None, days, of, entered="fine") for days in range(1, 6)]
    assert judge_entry(of, compared(of, Reading(), past), "fine").outcome is Outcome.ERROR


@given(
    st.lists(st.one_of(st.none(), st.decimals(0, 100, places=1)), max_size=10),
    st.decimals(0, 100, places=1),
    st.sampled_from(
        ["used < baseline * 1.5", "used within 5% of last_week", "used >= previous - 5%", "used < yesterday"]
    ),
    st.sampled_from([Outcome.WARN, Outcome.SKIPPED, Outcome.ERROR, Outcome.FAIL]),
)
def test_it_is_judged_the_same_years_later(
    values: list[Decimal | None], now: Decimal, condition: str, on_no_history: Outcome
) -> None:
    """What a record keeps of the past is enough to come to the same judgement, to the last word."""
    of = item(condition, on_no_history=on_no_history)
    past = daily(of, *(None if each is None else used(each) for each in values))
    reading = compared(of, used(now), past)
    kept = decoded(canonical(reading), Reading)
    assert kept == reading
    assert judge_item(of, kept) == judge_item(of, reading)
    if not values:
        assert judge_item(of, kept).outcome is on_no_history


def test_items_that_look_back() -> None:
    """Only items whose conditions speak of the past make anybody read it."""
    assert looks_back(item("used < baseline"))
    assert looks_back(item("used < 5%", target=("used within 5% of last_week",)))
    assert not looks_back(item("used < total", "used < 5%"))
    assert Past("used") == Past("used", values={}, missing={}, runs={}, readings=0, problem="")
