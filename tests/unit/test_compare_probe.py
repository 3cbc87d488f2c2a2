"""The probe `compare`: two sources agree, or it is seen by how much and where they do not."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import compare
from opsconsole.contracts.probe import Context, Input, ProbeError
from opsconsole.engine.measuring import decoded_options
from opsconsole.model.checklists import ForEach, Item
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import MAX_TEXT, Reading
from opsconsole.model.values import Duration, Moment, Number, Unit, Value, number
from support.told import NOW, Desk, checklist, context_with, item, table, value

NAN = Number(Decimal("NaN"))
KEYED = {"key": "collection", "column": "records"}
COUNTS = {"left": {"item": "questdb", **KEYED}, "right": {"item": "pocketbase", **KEYED}}
VALUES = {"left": {"item": "questdb"}, "right": {"item": "pocketbase"}}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An engine whose probe brings back what it is told."""
    made = Desk(tmp_path)
    yield made
    made.store.close()


def comparing(*require: str, **more: Any) -> Item:
    """Return an item that compares."""
    options = more.pop("options", VALUES)
    return item("agree", *(require or ("difference_share <= 1%",)), probe="compare", options=options, **more)


def compared(left: Reading, right: Reading, options: dict[str, Any] | None = None) -> Reading:
    """Return what comparing two readings brings back."""
    inputs = {
        "questdb": Input(item="questdb", title="Questdb", readings={"": left}, started_at={"": NOW}),
        "pocketbase": Input(item="pocketbase", title="Pocketbase", readings={"": right}, started_at={"": NOW}),
    }
    asked = comparing(options=options or VALUES)
    probe = compare.CompareProbe()
    decoded = decoded_options(compare.KIND, asked, "")
    return asyncio.run(probe.measure(decoded, context_with(inputs)))


# --- single values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "condition", "outcome", "said"),
    [
        (101, 100, "difference_share <= 1%", Outcome.PASS, ""),
        (102, 100, "difference_share <= 1%", Outcome.FAIL, "2 %"),
        (99, 100, "left within 1% of right", Outcome.PASS, ""),
        (98, 100, "left within 1% of right", Outcome.FAIL, "98"),
        (103, 100, "difference <= 3", Outcome.PASS, ""),
        (96, 100, "difference <= 3", Outcome.FAIL, "4"),
        (96, 100, "left_minus_right >= 0", Outcome.FAIL, "-4"),
        (0, 0, "difference_share <= 1%", Outcome.PASS, ""),
        (5, 0, "difference_share <= 1%", Outcome.FAIL, "100 %"),
        (0, 5, "difference_share <= 1%", Outcome.FAIL, "100 %"),
        (-5, 5, "difference_share <= 1%", Outcome.FAIL, "200 %"),
        (5, -5, "difference_share <= 1%", Outcome.FAIL, "200 %"),
        (NAN, 5, "difference_share <= 1%", Outcome.ERROR, "NaN"),
        (5, NAN, "difference <= 1", Outcome.ERROR, "NaN"),
        (NAN, NAN, "same == true", Outcome.ERROR, "missing"),
        (number("Infinity"), number("Infinity"), "difference == 0", Outcome.ERROR, "NaN"),
        (None, 5, "difference_share <= 1%", Outcome.ERROR, "no 'value'"),
        ("2.4.1", "2.4.1", "same == true", Outcome.PASS, ""),
        ("2.4.1", "2.4.0", "same == true", Outcome.FAIL, ""),
        ("2.4.1", "2.4.1", "difference == 0", Outcome.ERROR, "missing"),
        (True, False, "same == true", Outcome.FAIL, ""),
        ("100", 100, "same == true", Outcome.ERROR, "a text (100), right is a plain number"),
        (number(5, Unit.BYTES), 5, "same == true", Outcome.ERROR, "a size in bytes"),
        (number(5, Unit.SECONDS), number(5, Unit.PERCENT), "same == true", Outcome.ERROR, "a percentage"),
        (Moment(NOW), Moment(NOW - dt.timedelta(minutes=3)), "difference <= 5 min", Outcome.PASS, ""),
        (Moment(NOW), Moment(NOW - dt.timedelta(minutes=9)), "difference <= 5 min", Outcome.FAIL, "9 min"),
    ],
)
async def test_two_values(  # what is compared, and what is said of it
    desk: Desk, left: Any, right: Any, condition: str, outcome: Outcome, said: str
) -> None:
    """Two values agree or not, absolutely, by share of the right one, or exactly; what cannot be seen is ERROR."""
    desk.told.answers = {"questdb": value(left, seen=1), "pocketbase": value(right)}
    states = await desk.measured(checklist(item("questdb", "seen == 1"), item("pocketbase"), comparing(condition)))
    assert states["agree"].outcome is outcome
    assert said in states["agree"].summary


@given(
    left=st.decimals(allow_nan=False, allow_infinity=False),
    right=st.decimals(allow_nan=False, allow_infinity=False),
)
def test_differences_are_those_of_fractions(left: Decimal, right: Decimal) -> None:
    """Whatever the numbers, the difference is that of exact arithmetic to 30 digits, and no number raises."""
    measures = compared(value(number(left)), value(number(right))).measures
    away = abs(Fraction(left) - Fraction(right))
    for name, exact in (("difference", away), ("difference_share", _share(away, Fraction(right)))):
        found = measures[name]
        assert isinstance(found, Number)
        if found.value.is_finite():
            assert abs(Fraction(found.value) - exact) <= exact / 10**30
    assert measures["same"] is (left == right)


def _share(away: Fraction, right: Fraction) -> Fraction:
    if not right:
        return Fraction(100 if away else 0)
    return away * 100 / abs(right)


@pytest.mark.parametrize(
    ("left", "right", "condition", "outcome"),
    [
        ((1000, True), (400, False), "difference > 500", Outcome.PASS),
        ((1000, True), (400, False), "difference <= 500", Outcome.FAIL),
        ((1000, True), (400, False), "difference <= 5000", Outcome.ERROR),
        ((1000, True), (5000, False), "difference <= 5000", Outcome.ERROR),
        ((1000, True), (1000, False), "same == true", Outcome.ERROR),
        ((1000, True), (1000, True), "difference == 0", Outcome.ERROR),
        ((400, False), (1000, True), "difference <= 500", Outcome.FAIL),
        ((400, False), (1000, True), "difference_share <= 50%", Outcome.FAIL),
        ((400, False), (1000, True), "left_minus_right >= 0", Outcome.ERROR),
        ((1000, True), (400, False), "same == true", Outcome.FAIL),
    ],
)
async def test_lower_bounds(
    desk: Desk, left: tuple[int, bool], right: tuple[int, bool], condition: str, outcome: Outcome
) -> None:
    """Where one side is "so many or more", they are never said to agree; that they do not can be certain."""
    for name, (count, bound) in (("questdb", left), ("pocketbase", right)):
        desk.told.answers[name] = Reading(
            measures={"value": number(count)}, lower_bounds=("value",) if bound else ()
        )
    listed = checklist(item("questdb", "value > 0"), item("pocketbase", "value > 0"), comparing(condition))
    assert (await desk.measured(listed))["agree"].outcome is outcome


# --- tables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "require", "outcome", "said"),
    [
        ([("mail", 100), ("users", 50)], ["every share <= 1%"], Outcome.PASS, ""),
        ([("users", 50), ("mail", 101)], ["every share <= 1%"], Outcome.PASS, ""),
        ([("mail", 90), ("users", 50)], ["every share <= 1%"], Outcome.FAIL, "mail: share is 11.1 %"),
        ([("mail", 90), ("users", 60)], ["difference <= 20"], Outcome.PASS, ""),
        ([("mail", 90), ("users", 60)], ["difference <= 5"], Outcome.FAIL, "10"),
        ([("mail", 100)], ["every share <= 1%"], Outcome.ERROR, "users: share is missing"),
        ([("mail", 100)], ["difference_share <= 1%"], Outcome.ERROR, "missing"),
        ([("mail", 100)], ["every share <= 1%", "missing_right == 0"], Outcome.FAIL, "missing_right is 1"),
        ([("mail", 100), ("users", 50), ("new", 1)], ["missing_left == 0"], Outcome.FAIL, "missing_left is 1"),
        ([("mail", 100)], ["every same == true"], Outcome.FAIL, "users"),
        ([("mail", 100), ("users", None)], ["every share <= 1%"], Outcome.ERROR, "users: share is missing"),
        ([("mail", 100), ("users", NAN)], ["every share <= 1%"], Outcome.ERROR, "NaN"),
        ([("mail", 50), ("users", NAN)], ["every share <= 1%"], Outcome.FAIL, "mail"),
        ([("mail", "100"), ("users", 50)], ["every share <= 1%"], Outcome.ERROR, "mail: left is a plain number"),
        ([("mail", 100), ("mail", 50)], ["every share <= 1%"], Outcome.ERROR, "several rows"),
        ([("mail", 100), (None, 50)], ["every share <= 1%"], Outcome.ERROR, "row 2 of 'Pocketbase' has no 'coll"),
        ([("mail", 150), ("users", 0)], ["total_left within 1% of total_right"], Outcome.PASS, ""),
        ([("mail", 150), ("users", 0)], ["difference_share <= 1%"], Outcome.FAIL, "100 %"),
        ([("mail", 100), ("users", 50)], ["different == 0", "count == 2"], Outcome.PASS, ""),
    ],
)
async def test_counts_for_each_collection(
    desk: Desk, right: list[tuple[Any, Any]], require: list[str], outcome: Outcome, said: str
) -> None:
    """Rows belong together by their key, in any order; a key that only one side has is shown and never green."""
    desk.told.answers = {"questdb": table("collection records", ("mail", 100), ("users", 50))}
    desk.told.answers["pocketbase"] = table("collection records", *right)
    listed = checklist(item("questdb"), item("pocketbase"), comparing(*require, options=COUNTS))
    state = (await desk.measured(listed))["agree"]
    assert (state.outcome, said in state.summary) == (outcome, True), state.summary


async def test_groups_that_are_left_out(desk: Desk) -> None:
    """`absent = "zero"` takes a group without a row for 0, and still tells that it was missing."""
    desk.told.answers = {"questdb": table("collection records", ("mail", 100), ("new", 3))}
    desk.told.answers["pocketbase"] = table("collection records", ("mail", 100), ("old", 0))
    options = {**COUNTS, "absent": "zero"}
    require = ("every difference <= 3", "missing_left == 1", "missing_right == 1", "total_right == 100")
    listed = checklist(item("questdb"), item("pocketbase"), comparing(*require, options=options))
    state = (await desk.measured(listed))["agree"]
    assert state.outcome is Outcome.PASS
    reading = state.latest[""].body.reading
    assert reading is not None
    assert [row[:4] for row in reading.rows] == [
        ("mail", number(100), number(100), number(0)),
        ("new", number(3), number(0), number(3)),
        ("old", number(0), number(0), number(0)),
    ]
    assert "missing right: new" in reading.evidence[0].text


_CELLS = st.one_of(st.integers(-5, 5), st.just(NAN), st.none())
_TABLES = st.dictionaries(st.sampled_from("abcdef"), _CELLS, max_size=6)


@given(left=_TABLES, right=_TABLES, zero=st.booleans())
def test_tables_are_compared_as_a_slow_model_does(left: dict[str, Any], right: dict[str, Any], zero: bool) -> None:
    """Row by row and in sum, the probe finds what looking up each key of each side by hand finds."""
    one, other = (table("collection records", *each.items()) for each in (left, right))
    options = {**COUNTS, "absent": "zero" if zero else "unknown"}
    if not left and not right:
        with pytest.raises(ProbeError) as caught:
            compared(one, other, options)
        assert caught.value.problem.reason == "empty"
        return
    reading = compared(one, other, options)
    model = {key: _modelled(left, right, key, zero=zero) for key in {**left, **right}}
    assert {row[0]: repr(row[3]) for row in reading.rows} == {key: repr(each) for key, each in model.items()}
    assert reading.measures["missing_left"] == number(len(right.keys() - left.keys()))
    assert reading.measures["missing_right"] == number(len(left.keys() - right.keys()))
    expected: Value = None
    numbers = [each for each in model.values() if isinstance(each, Number)]
    if len(numbers) == len(model):
        broken = any(each.value.is_nan() for each in numbers)
        expected = NAN if broken else max(numbers, key=lambda each: each.value)
    assert repr(reading.measures["difference"]) == repr(expected)


def _modelled(left: dict[str, Any], right: dict[str, Any], key: str, *, zero: bool) -> Value:
    if not zero and (key not in left or key not in right):
        return None
    one, other = left.get(key, 0), right.get(key, 0)
    if one is None or other is None:
        return None
    return NAN if one is NAN or other is NAN else number(abs(one - other))


# --- targets -----------------------------------------------------------------------------------------


async def test_targets_are_keys(desk: Desk) -> None:
    """One request for each collection on one side, one query on the other: `targets = true` makes them keys."""
    each = item("pocketbase", "value >= 0", for_each=("mail", "users"), options={"about": "{target}"})
    options = {"left": {"item": "questdb", **KEYED}, "right": {"item": "pocketbase", "targets": True}}
    listed = checklist(item("questdb"), each, comparing("every share <= 1%", options=options))
    desk.told.answers = {"questdb": table("collection records", ("mail", 100), ("users", 50))}
    desk.told.answers |= {"pocketbase/mail": value(100), "pocketbase/users": value(50)}
    assert (await desk.measured(listed))["agree"].outcome is Outcome.PASS
    desk.told.answers["pocketbase/users"] = value(40)
    assert (await desk.measured(listed))["agree"].outcome is Outcome.FAIL
    desk.told.answers["pocketbase/users"] = ProbeError("source-down", "nobody answers")
    state = (await desk.measured(listed))["agree"]
    assert (state.outcome, state.summary) == (Outcome.ERROR, "users: share is missing")


async def test_each_target_with_its_own(desk: Desk) -> None:
    """An item with the same targets compares each with the readings of that target."""
    found = ForEach("catalogue", "name")
    about = {"about": "{target}"}
    sides = [item(name, "value >= 0", for_each=found, options=about) for name in ("questdb", "pocketbase")]
    listed = checklist(item("catalogue"), *sides, comparing("difference == 0", for_each=found))
    desk.told.answers = {"catalogue": table("name", ("mail",), ("users",)), "questdb": value(5)}
    desk.told.answers |= {"pocketbase": value(5), "pocketbase/users": value(6)}
    state = (await desk.measured(listed))["agree"]
    assert {name: each.outcome for name, each in state.judgements.items()} == {
        "mail": Outcome.PASS,
        "users": Outcome.FAIL,
    }
    desk.told.answers["pocketbase/users"] = ProbeError("timeout", "no answer")
    state = (await desk.measured(listed))["agree"]
    assert "'Pocketbase' could not be measured for 'users': no answer" in state.judgements["users"].summary
    several = checklist(item("catalogue"), *sides, comparing("difference == 0"))
    state = (await desk.measured(several))["agree"]
    assert (state.outcome, "none of them is meant" in state.summary) == (Outcome.ERROR, True)


# --- when they were measured -------------------------------------------------------------------------


async def test_apart_and_the_same_cutoff(desk: Desk) -> None:
    """How far apart they were measured is a measure, and whether both left out what came after one cut-off."""

    def slow(_context: Context) -> Reading:
        desk.now += dt.timedelta(seconds=90)
        return value(5)

    def listed(*require: str, **of_right: Any) -> Any:
        query = {"query": "select count(*) from t where at < :cutoff"}
        left = item("questdb", "value > 0", options=query)
        right = item("pocketbase", "value > 0", requires=("questdb",), **of_right)
        return checklist(left, right, comparing(*require), cutoff=Duration.parse("1 min"))

    desk.told.answers = {"questdb": slow, "pocketbase": value(5)}
    both = {"options": {"about": "filter=created < '{cutoff}'"}}
    began = desk.now
    state = (await desk.measured(listed("apart <= 1 min", "same_cutoff == true", **both)))["agree"]
    reading = state.latest[""].body.reading
    assert reading is not None
    assert (state.outcome, "apart is" in state.summary) == (Outcome.FAIL, True)
    assert reading.measures["apart"] == Number(Decimal(90), Unit.SECONDS)
    assert reading.measures["cutoff"] == Moment(began.replace(microsecond=0) - dt.timedelta(minutes=1))
    state = (await desk.measured(listed("same_cutoff == true")))["agree"]
    assert state.outcome is Outcome.FAIL
    assert state.latest[""].body.reading is not None
    assert "without a common cut-off" in state.latest[""].body.reading.evidence[0].text


async def test_what_it_compares_is_measured_with_it(desk: Desk) -> None:
    """To compare again measures both sides again; where one cannot be, the comparison is BLOCKED, never old."""
    listed = checklist(item("questdb"), item("pocketbase"), comparing(), item("other"))
    desk.told.answers = {"questdb": value(5), "pocketbase": value(5), "other": value(1)}
    assert (await desk.measured(listed))["agree"].outcome is Outcome.PASS
    for only in ("agree", "questdb"):
        desk.told.contexts.clear()
        await desk.measured(listed, (only,))
        assert sorted(desk.told.measured) == ["pocketbase", "questdb"]
    desk.told.answers["pocketbase"] = ProbeError("source-down", "nobody answers")
    state = (await desk.measured(listed))["agree"]
    assert (state.outcome, state.summary) == (Outcome.BLOCKED, "needs 'Pocketbase', which is ERROR")


# --- what cannot be compared -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "options", "reason", "said"),
    [
        (table("collection records", ("a", 1), truncated=True), COUNTS, "bad-answer", "was cut off"),
        (
            table("collection other", ("a", 1)),
            COUNTS,
            "bad-answer",
            "no column 'records'; it has collection, other",
        ),
        (value(3), COUNTS, "bad-answer", "brought no table"),
        (value(total=3), VALUES, "bad-answer", "has no 'value'; it has total"),
        (Reading(), VALUES, "bad-answer", "no single values"),
        (
            table("a b", ("x", 1), ("y", 2)),
            {"left": {"item": "questdb", "column": "b"}, "right": {"item": "pocketbase"}},
            "bad-answer",
            "has 2 rows, and one is needed",
        ),
        (
            Reading(columns=("b",)),
            {"left": {"item": "questdb", "column": "b"}, "right": {"item": "pocketbase"}},
            "empty",
            "has 0 rows",
        ),
        (
            table("collection b c", ("x", 1, 2)),
            {**COUNTS, "left": {"item": "questdb", "key": "collection"}},
            "bad-options",
            "which column of 'Questdb' is compared? It has b, c",
        ),
        (
            value(3),
            {"left": {"item": "questdb", "targets": True}, "right": {"item": "pocketbase", **KEYED}},
            "bad-options",
            "has no targets",
        ),
    ],
)
def test_what_is_no_side(left: Reading, options: dict[str, Any], reason: str, said: str) -> None:
    """What was read in another shape than the options say is a problem with its cause."""
    with pytest.raises(ProbeError) as caught:
        compared(left, table("collection records", ("a", 1)), options)
    assert (caught.value.problem.reason, said in caught.value.problem.cause) == (reason, True), caught.value


def test_a_huge_table_is_refused_and_hostile_keys_stay_small() -> None:
    """A query without its `group by` does not fill the record."""
    many = table("collection records", *((f"k{each}", each) for each in range(compare.MOST_ROWS + 1)))
    with pytest.raises(ProbeError, match="at most are compared"):
        compared(many, many, COUNTS)
    hostile = [("\x1b[2J" + "x" * 150 + str(each), each) for each in range(300)]
    reading = compared(table("collection records", *hostile), table("collection records", ("a", 1)), COUNTS)
    assert len(reading.evidence[0].text) < MAX_TEXT


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({**VALUES, "left": {"item": "No Id"}}, "left.item"),
        ({**VALUES, "left": {"item": "a", "value": "x", "column": "y"}}, "left.value"),
        ({**COUNTS, "right": {"item": "a"}}, "right"),
        ({**COUNTS, "left": {"item": "a"}}, "left"),
        ({**COUNTS, "right": {"item": "a", "key": "b", "value": "c"}}, "right.value"),
        ({**COUNTS, "right": {"item": "a", "key": "b", "targets": True}}, "right.key"),
        ({**VALUES, "absent": "zero"}, "absent"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], key: str) -> None:
    """Each mistake is told with the key that it stands at."""
    with pytest.raises(ProbeError, match=f"{key}: "):
        decoded_options(compare.KIND, comparing(options=options), "")


@pytest.mark.parametrize("options", [VALUES, COUNTS], ids=["values", "tables"])
def test_every_measure_and_column_is_declared(options: dict[str, Any]) -> None:
    """Lint knows every name that a reading can have, and no other."""
    rows = table("collection records value", ("a", 1, 2))
    one = compared(rows if options is COUNTS else value(2), rows if options is COUNTS else value(2), options)
    declared = compare.KIND.subjects(decoded_options(compare.KIND, comparing(options=options), ""))
    assert declared is not None
    rest = {"count", "left", "right"} if options is COUNTS else set()
    assert {*one.measures, *one.columns, *rest} == set(declared)
