"""Judging: what was not seen is never green, and every verdict explains itself."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Judgement, Reading, Verdict
from opsconsole.model.values import Moment, Number, Unit, Value, number, seconds

S, B, P = Unit.SECONDS, Unit.BYTES, Unit.PERCENT


def judged(reading: Reading, *require: str, target: tuple[str, ...] = (), entry: Value = None) -> Judgement:
    """Judge by conditions as they are written in a checklist."""
    return judge(
        reading,
        [parse_condition(each) for each in require],
        [parse_condition(each) for each in target],
        entry=entry,
    )


def collectors(*rows: tuple[str, str, float | None]) -> Reading:
    """Return a table like that of the collection log."""
    return Reading(
        columns=("collector_name", "status", "duration"),
        rows=tuple((name, status, None if took is None else number(took, S)) for name, status, took in rows),
        label="collector_name",
    )


GOOD = collectors(("NinjaOne", "success", 6.1), ("ConnectWise", "success", 12.4))


@pytest.mark.parametrize(
    ("reading", "condition", "outcome", "text"),
    [
        (
            collectors(("NinjaOne", "success", 6.1), ("ConnectWise", "success", 41.2)),
            "every duration < 30 s",
            Outcome.FAIL,
            "ConnectWise took 41.2 s, limit 30 s",
        ),
        (GOOD, "every duration < 30 s", Outcome.PASS, "ConnectWise took 12.4 s, limit 30 s"),
        (GOOD, "every duration < 13 s", Outcome.PASS, "ConnectWise took 12.4 s, near the limit 13 s (95 % of it)"),
        (GOOD, "count == 2", Outcome.PASS, "count is 2"),
        (GOOD, "count == 3", Outcome.FAIL, "count is 2, required 3"),
        (GOOD, "every status == 'success'", Outcome.PASS, "status is 'success'"),
        (
            collectors(("NinjaOne", "failed", 1), ("ConnectWise", "success", 12)),
            "every status == 'success'",
            Outcome.FAIL,
            "NinjaOne: status is 'failed', required 'success'",
        ),
        (GOOD, "no status == 'failed'", Outcome.PASS, "status is 'success'"),
        (GOOD, "any duration < 10 s", Outcome.PASS, "NinjaOne took 6.1 s, limit 10 s"),
        (GOOD, "any duration < 5 s", Outcome.FAIL, "NinjaOne took 6.1 s; ConnectWise took 12.4 s, limit 5 s"),
        (Reading(measures={"used": number(81, P)}), "used < 80%", Outcome.FAIL, "used is 81 %, limit 80 %"),
        (
            Reading(measures={"available": number(900_000_000, B)}),
            "available > 1 GB",
            Outcome.FAIL,
            "available is 0.9 GB, limit more than 1 GB",
        ),
        (
            Reading(measures={"value": number(7)}),
            "value between 5 and 9",
            Outcome.PASS,
            "7, required between 5 and 9",
        ),
        (Reading(measures={"mode": "rw"}), "mode in ['ro']", Outcome.FAIL, "mode is 'rw', required in ['ro']"),
        (Reading(measures={"out": "0 rows"}), r"out matches /^\d+ rows$/", Outcome.PASS, None),
        (Reading(measures={"out": "x"}), "out contains 'y'", Outcome.FAIL, "out is 'x', required contains 'y'"),
        (Reading(measures={"ok": True}), "ok == true", Outcome.PASS, "ok is true"),
    ],
)
def test_explains(reading: Reading, condition: str, outcome: Outcome, text: str | None) -> None:
    """Every verdict says in words what was seen and what was required."""
    judgement = judged(reading, condition)
    assert judgement.outcome is outcome
    if text is not None:
        assert judgement.findings[0].text == text


@pytest.mark.parametrize(
    ("reading", "condition", "said"),
    [
        (collectors(("A", "success", None)), "every duration < 30 s", "A: duration is missing"),
        (collectors(), "every status == 'success'", "the result is empty"),
        (collectors(), "no status == 'failed'", "the result is empty"),
        (GOOD, "duration < 30 s", "2 rows have a 'duration'; the condition must say every, any or no"),
        (GOOD, "every state == 'x'", "the reading has no 'state'"),
        (Reading(measures={"used": number(81)}), "used < 80%", "cannot be compared with 80 %"),
        (Reading(measures={"used": number(81, P)}), "used < 80", "cannot be compared with 80"),
        (Reading(measures={"v": Number(Decimal("NaN"))}), "v < 80", "NaN"),
        (Reading(measures={"v": Number(Decimal("Infinity"))}), "v > 80", "Infinity"),
        (Reading(measures={"v": "12"}), "v > 8", "a text"),
        (Reading(measures={"v": "12"}), "v == 12", "a text"),
        (Reading(measures={"v": number(1)}), "v == '1'", "a text"),
        (Reading(measures={"v": True}), "v == 1", "true or false"),
        (
            Reading(measures={"v": "a" * 60_000}),
            "v matches /a+b+c/",
            "60,000 characters, in which looking for /a+b+c/",
        ),
        (Reading(measures={"v": "a" * 60_000}), "v not matches /a+b+c/", "can take for ever"),
        (Reading(measures={"v": None}), "v == 1", "v is missing"),
        (
            Reading(measures={"v": number(3)}),
            "v within 1% of w",
            "'w', which it is compared with, was not measured",
        ),
        (Reading(columns=("q",), rows=(("<insufficient privilege>",),)), "no q == 'x'", "hidden from this role"),
        (Reading(columns=("q",), rows=(("a",),), truncated=True), "every q == 'a'", "cut off"),
        (Reading(columns=("q",), rows=(("a",),), truncated=True), "count == 1", "cut off"),
        (Reading(columns=("q",), rows=(("a",),), truncated=True), "value == 'a'", "cut off"),
        (Reading(columns=("q",), rows=(("a",),), truncated=True), "value not contains 'b'", "cut off"),
        (Reading(), "count == 0", "no 'count'"),
    ],
)
def test_what_was_not_seen_is_an_error(reading: Reading, condition: str, said: str) -> None:
    """A missing cell, NaN, an empty or cut-off table, unlike units: ERROR with the cause, never a pass."""
    judgement = judged(reading, condition)
    assert judgement.outcome is Outcome.ERROR
    assert said in judgement.summary


def test_an_empty_table_may_be_what_was_wanted() -> None:
    """A condition on the count judges an empty table, and `on_empty` names its outcome."""
    assert judged(collectors(), "count == 0").outcome is Outcome.PASS
    conditions = [parse_condition("every status == 'x'")]
    assert judge(collectors(), conditions, on_empty=Outcome.FAIL).outcome is Outcome.FAIL
    assert judge(collectors(), conditions, on_empty=Outcome.PASS).outcome is Outcome.PASS
    cut = Reading(columns=("a",), truncated=True)
    assert judge(cut, conditions, on_empty=Outcome.PASS).outcome is Outcome.ERROR


def test_targets_warn() -> None:
    """A broken target is a warning; a broken requirement outweighs it."""
    judgement = judged(GOOD, "every duration < 30 s", target=("every duration < 10 s",))
    assert judgement.outcome is Outcome.WARN
    assert judgement.summary == "ConnectWise took 12.4 s, target 10 s"
    assert judged(GOOD, "count == 3", target=("every duration < 10 s",)).outcome is Outcome.FAIL
    assert judged(GOOD, "count == 2", target=("every nothing < 10 s",)).outcome is Outcome.ERROR


def test_no_condition_is_no_pass() -> None:
    """Nothing required means nothing shown: an error, should it ever get past the loader."""
    assert judge(GOOD, []).outcome is Outcome.ERROR


@pytest.mark.parametrize(
    ("typed", "outcome"),
    [(1234, Outcome.PASS), (1246, Outcome.PASS), (1247, Outcome.FAIL), (1221, Outcome.FAIL), (1222, Outcome.PASS)],
)
def test_entry_within_one_percent(typed: int, outcome: Outcome) -> None:
    """What the operator typed is held against what was measured."""
    reading = Reading(columns=("metric_value",), rows=((number(1234),),))
    assert judged(reading, "entry within 1% of value", entry=number(typed)).outcome is outcome


def test_rounding_never_hides_a_breach() -> None:
    """30.004 s is not shown as `30 s, limit 30 s`."""
    reading = collectors(("ConnectWise", "success", 30.004))
    assert judged(reading, "every duration < 30 s").summary == "ConnectWise took 30.004 s, limit 30 s"


@pytest.mark.parametrize(
    ("value", "condition", "said"),
    [
        (0.482, "age < 30 s", "age is 0.482 s, limit 30 s"),
        (0.005, "age < 1 s", "age is 5 ms, limit 1 s"),
        (248, "age < 24 h", "age is 4 min, limit 24 h"),
        (1900, "age < 1 h", "age is 31 min, limit 1 h"),
        (5400, "age < 24 h", "age is 1.5 h, limit 24 h"),
        (-0.00504, "age < 1 h", "age is -5 ms, limit 1 h"),
        (0, "age < 1 h", "age is 0 h, limit 1 h"),
    ],
)
def test_small_parts_of_a_limit_are_legible(value: float, condition: str, said: str) -> None:
    """Both sides stand on one scale, unless that of the limit is too large to read what was measured."""
    assert judged(Reading(measures={"age": seconds(value)}), condition).summary == said


def test_a_value_of_many_rows_is_called_so() -> None:
    """Beside another finding `count is 2; 1` says nothing; alone, the value of a single cell speaks for itself."""
    rows = Reading(columns=("job", "value"), rows=(("a", number(1)), ("b", number(1))), label="job")
    assert judged(rows, "count == 2", "every value == 1").summary == "count is 2; value is 1"
    assert judged(Reading(measures={"value": number(1)}), "value == 1").summary == "1"


def test_within_nothing_of_zero() -> None:
    """A percentage of zero is zero: only zero is within it."""
    reading = Reading(measures={"value": number(0)})
    assert judged(reading, "entry within 1% of value", entry=number(0)).outcome is Outcome.PASS
    assert judged(reading, "entry within 1% of value", entry=number(1)).outcome is Outcome.FAIL


def test_many_broken_rows_are_counted() -> None:
    """A hundred broken rows stay one line."""
    reading = collectors(*((f"collector {index}", "failed", 1.0) for index in range(100)))
    assert judged(reading, "every status == 'success'").summary.endswith("and 97 more, required 'success'")


_cells = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=5),
    st.decimals(allow_nan=True, allow_infinity=True, places=2).map(Number),
    st.builds(Number, st.decimals(-100, 100, places=1), st.sampled_from(list(Unit))),
    st.datetimes(timezones=st.just(__import__("datetime").UTC)).map(Moment),
)
_conditions = st.sampled_from(
    [
        "every a == 'x'",
        "no a == 'x'",
        "any a < 30 s",
        "every a >= 3",
        "every a between 1 and 5",
        "every a in ['x', 'y']",
        "every a within 5% of 10",
        "every a matches /x/",
        "count >= 1",
        "every a == true",
        "a != 3",
    ]
)


@given(st.lists(st.tuples(_cells), max_size=4), _conditions, st.booleans())
def test_green_means_seen(rows: list[tuple[Value]], condition: str, truncated: bool) -> None:
    """Whatever a source brings back, a pass over rows means that every one of them was there to be judged."""
    reading = Reading(columns=("a",), rows=tuple(rows), truncated=truncated)
    judgement = judged(reading, condition)
    assert judgement.summary
    if judgement.outcome is Outcome.PASS:
        assert not truncated
        assert rows
        if condition != "count >= 1":
            assert all(cell is not None for (cell,) in rows)
    assert {finding.verdict for finding in judgement.findings} <= set(Verdict)


@given(st.decimals(-1000, 1000, places=2), st.decimals(-1000, 1000, places=2))
def test_orderings_agree(got: Decimal, limit: Decimal) -> None:
    """`<` and `>=` never both hold, and exactly one of them does."""
    reading = Reading(measures={"v": Number(got)})
    below = judged(reading, f"v < {limit}").outcome
    rest = judged(reading, f"v >= {limit}").outcome
    assert {below, rest} == {Outcome.PASS, Outcome.FAIL}
