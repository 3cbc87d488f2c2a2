"""The probe `ratio`: a share of what was counted, and nothing is said of too little."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import ratio
from opsconsole.contracts.probe import Input, ProbeError
from opsconsole.engine.measuring import decoded_options
from opsconsole.model.checklists import Item
from opsconsole.model.judging import judge_item
from opsconsole.model.outcomes import Outcome, Result, result_of
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number, Unit, number
from support.told import NOW, Desk, checklist, context_with, item, table, value

NAN = Number(Decimal("NaN"))
RATE = {"numerator": {"item": "failed"}, "denominator": {"item": "all"}}
ROWS = {"numerator": {"item": "failed", "value": "count"}, "denominator": {"item": "all"}}
OF_BOTH = {"numerator": {"item": "failed"}, "denominator": [{"item": "failed"}, {"item": "all"}]}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An engine whose probe brings back what it is told."""
    made = Desk(tmp_path)
    yield made
    made.store.close()


def rate(*require: str, **more: Any) -> Item:
    """Return an item that takes a share."""
    return item("rate", *(require or ("value <= 5%",)), probe="ratio", **{"options": RATE, **more})


def taken(failed: Reading, total: Reading, options: dict[str, Any] = RATE) -> Reading:
    """Return what the share of two readings brings back."""
    inputs = {
        name: Input(item=name, title=name.capitalize(), readings={"": reading}, started_at={"": NOW})
        for name, reading in (("failed", failed), ("all", total))
    }
    decoded = decoded_options(ratio.KIND, rate(options=options), "")
    return asyncio.run(ratio.RatioProbe().measure(decoded, context_with(inputs)))


def at_least(count: int) -> Reading:
    """Return a count of so many or more."""
    return Reading(measures={"value": number(count)}, lower_bounds=("value",))


@pytest.mark.parametrize(
    ("failed", "total", "options", "outcome", "said"),
    [
        (value(5), value(100), RATE, Outcome.PASS, "5 %"),
        (value(6), value(100), RATE, Outcome.FAIL, "6 %, limit 5 %"),
        (value(0), value(100), RATE, Outcome.PASS, "0 %"),
        (value(150), value(100), RATE, Outcome.FAIL, "150 %"),
        (value(1), value(0), RATE, Outcome.SKIPPED, "0 were counted, too few"),
        (value(0), value(0), RATE, Outcome.SKIPPED, "too few"),
        (value(0), value(19), {**RATE, "minimum": 20}, Outcome.SKIPPED, "19 were counted, too few"),
        (value(0), value(20), {**RATE, "minimum": 20}, Outcome.PASS, "0 %"),
        (value(5), value(95), OF_BOTH, Outcome.PASS, "5 %"),
        (value(6), value(94), OF_BOTH, Outcome.FAIL, "6 %"),
        (table("id", ("a",), ("b",)), value(100), ROWS, Outcome.PASS, "2 %"),
        (Reading(columns=("id",)), value(100), ROWS, Outcome.PASS, "0 %"),
        (table("id", ("a",), ("b",)), value(100), RATE, Outcome.ERROR, "has no 'value'; it has count"),
        (table("n", (7,)), value(100), RATE, Outcome.FAIL, "7 %"),
        (value(NAN), value(100), RATE, Outcome.ERROR, "NaN"),
        (value(1), value(NAN), RATE, Outcome.ERROR, "NaN"),
        (value(1), value(number("Infinity")), RATE, Outcome.ERROR, "NaN"),
        (value(number("Infinity")), value(100), RATE, Outcome.ERROR, "NaN"),
        (value(-1), value(100), RATE, Outcome.ERROR, "less than nothing"),
        (value("five"), value(100), RATE, Outcome.ERROR, "'five', no number"),
        (value(True), value(100), RATE, Outcome.ERROR, "true, no number"),
        (Reading(measures={"value": None}), value(100), RATE, Outcome.ERROR, "nothing, no number"),
        (value(number(1, Unit.BYTES)), value(100), RATE, Outcome.ERROR, "unlike units"),
        (value(number(1, Unit.BYTES)), value(number(100, Unit.BYTES)), RATE, Outcome.PASS, "1 %"),
        (table("id", ("a",), truncated=True), value(100), ROWS, Outcome.ERROR, "has no 'count'"),
        (at_least(50), value(100), RATE, Outcome.FAIL, "at least 50 %"),
        (at_least(1), value(100), RATE, Outcome.ERROR, "more than could be counted"),
        (value(1), at_least(100), RATE, Outcome.ERROR, "missing"),
        (value(1), at_least(5), {**RATE, "minimum": 20}, Outcome.ERROR, "whether there were as many"),
        (at_least(50), value(50), OF_BOTH, Outcome.FAIL, "at least 50 %"),
        (at_least(1), value(99), OF_BOTH, Outcome.ERROR, "more than could be counted"),
    ],
)
async def test_a_share(  # what was counted, and what is said of it
    desk: Desk, failed: Reading, total: Reading, options: dict[str, Any], outcome: Outcome, said: str
) -> None:
    """A rate is held against its limit; too few are SKIPPED, what was not seen ERROR, and neither is ever green."""
    desk.told.answers = {"failed": failed, "all": total}
    readable = ("count >= 0",)
    states = await desk.measured(
        checklist(item("failed", *readable), item("all", *readable), rate(options=options))
    )
    assert (states["rate"].outcome, said in states["rate"].summary) == (outcome, True), states["rate"].summary


@pytest.mark.parametrize("meant", [Outcome.WARN, Outcome.ERROR, Outcome.FAIL, Outcome.PASS])
async def test_too_few_means_what_the_item_says(desk: Desk, meant: Outcome) -> None:
    """`on_too_few` says what it means; a run in which everything was skipped is no pass."""
    desk.told.answers = {"failed": value(0), "all": value(3)}
    options = {**RATE, "minimum": 10}
    states = await desk.measured(checklist(item("failed"), item("all"), rate(options=options, on_too_few=meant)))
    assert states["rate"].outcome is meant
    assert result_of([Outcome.SKIPPED]) is not Result.PASS


async def test_sums_of_a_column(desk: Desk) -> None:
    """A column is added up, one without rows makes 0, and a cell that is no number makes an ERROR."""
    options = {
        "numerator": {"item": "failed", "column": "n"},
        "denominator": {"item": "all", "column": "n"},
        "minimum": 10,
    }
    listed = checklist(item("failed"), item("all"), rate(options=options))
    desk.told.answers = {
        "failed": table("kind n", ("a", 1), ("b", 3)),
        "all": table("kind n", ("a", 60), ("b", 40)),
    }
    state = (await desk.measured(listed))["rate"]
    assert (state.outcome, "4 %" in state.summary) == (Outcome.PASS, True)
    desk.told.answers["failed"] = Reading(columns=("kind", "n"))
    assert "0 %" in (await desk.measured(listed))["rate"].summary
    for bad in (None, "x", True):
        desk.told.answers["failed"] = table("kind n", ("a", 1), ("b", bad))
        state = (await desk.measured(listed))["rate"]
        assert (state.outcome, "in row 2" in state.summary) == (Outcome.ERROR, True)
    desk.told.answers["failed"] = table("kind n", ("a", 1), truncated=True)
    assert "cut off" in (await desk.measured(listed))["rate"].summary


@given(failed=st.decimals(0, 10**12, allow_nan=False), total=st.decimals("0.001", 10**12, allow_nan=False))
def test_shares_are_those_of_fractions(failed: Decimal, total: Decimal) -> None:
    """Whatever was counted, the share is that of exact arithmetic to 30 digits."""
    if total < 1:
        with pytest.raises(ProbeError, match="too few"):
            taken(value(number(failed)), value(number(total)))
        return
    found = taken(value(number(failed)), value(number(total))).measures["value"]
    exact = Fraction(failed) * 100 / Fraction(total)
    assert isinstance(found, Number)
    assert abs(Fraction(found.value) - exact) <= exact / 10**30


@given(failed=st.integers(0, 50), more=st.integers(0, 50), passed=st.integers(1, 50), limit=st.integers(0, 100))
def test_a_share_of_what_was_cut_off_is_never_too_good(failed: int, more: int, passed: int, limit: int) -> None:
    """Where "so many or more" failed, no verdict is given that counting all of them would change."""
    known = judge_item(rate(f"value <= {limit}%"), taken(at_least(failed), value(passed), OF_BOTH)).outcome
    truth = judge_item(rate(f"value <= {limit}%"), taken(value(failed + more), value(passed), OF_BOTH)).outcome
    assert known in {Outcome.ERROR, truth}


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({**RATE, "numerator": {"item": "No Id"}}, "numerator.item"),
        ({**RATE, "denominator": [{"item": "a"}, {"item": "No Id"}]}, "denominator.1.item"),
        ({**RATE, "denominator": [{"item": "a"}, {"item": "a"}]}, "denominator"),
        ({**RATE, "denominator": []}, "denominator"),
        ({**RATE, "numerator": {"item": "a", "value": "x", "column": "y"}}, "numerator.value"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], key: str) -> None:
    """Each mistake is told with the key that it stands at."""
    with pytest.raises(ProbeError, match=f"{key}: "):
        decoded_options(ratio.KIND, rate(options=options), "")


def test_every_measure_is_declared() -> None:
    """Lint knows every name that a reading can have, and no other."""
    declared = ratio.KIND.subjects(decoded_options(ratio.KIND, rate(), ""))
    assert declared is not None
    assert set(taken(value(1), value(2)).measures) == set(declared)
