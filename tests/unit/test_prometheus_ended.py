"""What is said of a metric of Prometheus that was there until just now."""

import datetime as dt
from decimal import Decimal

import pytest

from opsconsole.checks._promages import Asked, ages
from opsconsole.checks._promapi import VECTOR, Answered, Sample, Series
from opsconsole.checks._promql import selectors
from opsconsole.checks._servers import Endpoint
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.values import Duration

NOW = dt.datetime(2026, 11, 21, 8, 12, tzinfo=dt.UTC)
LOAD = "node_load1"
RATE = 'rate(node_cpu_seconds_total{mode="idle"}[5m])'


@pytest.mark.parametrize(
    ("query", "has_series", "fills_in", "cause", "hint"),
    [
        (RATE, True, False, "there was one of node_cpu_seconds_total", "Status and Targets"),
        (LOAD, False, False, "prom has no series of node_load1 any more", "Status and Targets"),
        (f"{RATE} or vector(0)", True, True, "there was one of node_cpu_seconds_total", "Status and Targets"),
    ],
)
async def test_a_target_that_ended_is_told_from_a_wrong_name(
    query: str, has_series: bool, fills_in: bool, cause: str, hint: str
) -> None:
    """The name is right and nothing was filled in: whoever reads that looks for the target."""

    async def ask(asked: str, _at: dt.datetime) -> Answered:
        """Answer as Prometheus does after a staleness marker: nothing now, and something further back."""
        if "max_over_time" not in asked:
            return Answered(kind=VECTOR)
        written = Decimal(int(NOW.timestamp()) - 90)
        return Answered(kind=VECTOR, series=(Series({"selector": "0"}, (Sample(NOW, written),)),))

    asked = Asked(selectors(query), NOW, Duration.parse("5 min"), False, has_series, fills_in)
    with pytest.raises(ProbeError) as told:
        await ages(Endpoint(base="http://prom", name="prom"), asked, ask)
    problem = told.value.problem
    assert problem.reason == "empty"
    assert cause in problem.cause
    assert "within the last minutes" in problem.cause
    assert hint in problem.hint
