"""What is only known to be at least something, and what is no number: neither is ever green unseen."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number, number
from support.told import table, value

NAN = Number(Decimal("NaN"))


def judged(reading: Reading, condition: str, **more: Any) -> tuple[Outcome, str]:
    """Return what one required condition makes of a reading."""
    found = judge(reading, [parse_condition(condition)], **more)
    return found.outcome, found.summary


def at_least(count: int, **measures: Any) -> Reading:
    """Return a reading of so many or more."""
    return Reading(measures=value(errors=count, **measures).measures, lower_bounds=("errors",))


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ("errors > 500", Outcome.PASS),
        ("errors >= 1000", Outcome.PASS),
        ("errors > 1000", Outcome.ERROR),
        ("errors < 500", Outcome.FAIL),
        ("errors <= 1000", Outcome.ERROR),
        ("errors < 1000", Outcome.FAIL),
        ("errors < 5000", Outcome.ERROR),
        ("errors == 0", Outcome.FAIL),
        ("errors == 1000", Outcome.ERROR),
        ("errors == 5000", Outcome.ERROR),
        ("errors != 0", Outcome.PASS),
        ("errors != 1000", Outcome.ERROR),
        ("errors between 1 and 999", Outcome.FAIL),
        ("errors between 1 and 1000", Outcome.ERROR),
        ("errors between 2000 and 3000", Outcome.ERROR),
        ("errors in [1, 2]", Outcome.FAIL),
        ("errors in [1, 1000]", Outcome.ERROR),
        ("errors not in [1, 2]", Outcome.PASS),
        ("errors within 10% of 500", Outcome.FAIL),
        ("errors within 10% of 1000", Outcome.ERROR),
        ("errors < total", Outcome.ERROR),
        ("errors < total * 0.4", Outcome.FAIL),
        ("total < errors * 3", Outcome.PASS),
        ("total < errors", Outcome.ERROR),
        ("total > errors * 3", Outcome.FAIL),
        ("total > errors", Outcome.ERROR),
        ("total == errors", Outcome.ERROR),
        ("total within 99% of errors", Outcome.ERROR),
        ("total == 2000", Outcome.PASS),
    ],
)
def test_a_thousand_or_more(condition: str, outcome: Outcome) -> None:
    """So many "or more" satisfies a minimum and breaks a maximum; whatever more could change is not decided."""
    assert judged(at_least(1000, total=2000), condition)[0] is outcome


def test_it_is_said_that_there_may_be_more() -> None:
    """Whoever reads the summary sees that the number is a lower bound, green or red or undecided."""
    assert judged(at_least(1000), "errors > 5")[1] == "errors is at least 1,000, limit more than 5"
    assert judged(at_least(1000), "errors < 5")[1] == "errors is at least 1,000, limit 5"
    assert judged(at_least(1000), "errors != 0")[1] == "errors is at least 1,000"
    assert "more than could be counted" in judged(at_least(1000), "errors < 5000")[1]
    assert "more than could be counted" in judged(at_least(1000, total=2000), "total > errors")[1]


@given(
    counted=st.integers(0, 30),
    more=st.integers(0, 30),
    limit=st.integers(0, 40),
    operator=st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "between", "in", "within"]),
)
def test_it_is_decided_only_where_the_truth_is(counted: int, more: int, limit: int, operator: str) -> None:
    """Whatever the true count turns out to be, a verdict that was given holds of it too."""
    limits = {"between": f"between {limit} and {limit + 5}", "in": f"in [{limit}, {limit + 3}]"}
    limits["within"] = f"within 3 of {limit}"
    condition = f"errors {limits.get(operator, f'{operator} {limit}')}"
    known = judged(at_least(counted), condition)[0]
    truth = judged(value(errors=counted + more), condition)[0]
    assert known in {Outcome.ERROR, truth}


@pytest.mark.parametrize(
    ("reading", "condition", "outcome"),
    [
        (Reading(measures={"value": NAN}), "value < 5", Outcome.ERROR),
        (Reading(measures={"value": NAN}), "value != 5", Outcome.ERROR),
        (Reading(measures={"value": NAN}), "value not in [1, 2]", Outcome.ERROR),
        (Reading(measures={"value": number(1), "limit": NAN}), "value < limit", Outcome.ERROR),
        (table("name up", ("a", 1), ("b", NAN)), "every up == 1", Outcome.ERROR),
        (table("name up", ("a", 0), ("b", NAN)), "every up == 1", Outcome.FAIL),
        (table("name up", ("a", 1), ("b", NAN)), "any up == 1", Outcome.ERROR),
        (table("name up", ("a", 0), ("b", NAN)), "any up == 1", Outcome.ERROR),
        (table("name up", ("a", 1), ("b", NAN)), "no up == 0", Outcome.ERROR),
        (table("name up", ("a", 0), ("b", NAN)), "no up == 0", Outcome.FAIL),
        (table("name up", ("a", 0), ("b", None)), "every up == 1", Outcome.ERROR),
    ],
)
def test_no_number_is_never_green(reading: Reading, condition: str, outcome: Outcome) -> None:
    """NaN is ERROR, beside a value that is beyond its limit FAIL, and whatever `on_nan` says no pass."""
    assert judged(reading, condition)[0] is outcome
    is_nan = "NaN" in judged(reading, condition)[1]
    for meant in (Outcome.WARN, Outcome.SKIPPED, Outcome.FAIL, Outcome.PASS):
        found = judged(reading, condition, on_nan=meant)[0]
        assert found is not Outcome.PASS
        if outcome is Outcome.ERROR and is_nan:
            assert found is (Outcome.ERROR if meant is Outcome.PASS else meant)
