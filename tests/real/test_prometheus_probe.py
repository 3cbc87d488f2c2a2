"""The `prometheus` probe on a real Prometheus that scrapes a real node-exporter."""

import asyncio
import datetime as dt
import json
import shlex
import subprocess
from decimal import Decimal
from typing import Any

import pytest

from opsconsole.checks.prometheus import KIND, PrometheusOptions
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.calendar import Window
from opsconsole.model.checklists import Item
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.judging import judge_item
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Duration, Number, Unit, Value, number
from support.canned import read, refused
from support.judged import assert_declared, outcome
from support.prometheus import LAG, Prometheus, free_port

pytestmark = pytest.mark.xdist_group("prometheus")

BUSY = '100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[1m])))'
MEMORY = "100 * (1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes)"


def _options(server: Prometheus, query: str, **more: Any) -> PrometheusOptions:
    lengths: dict[str, Any] = {key: Duration.parse(more.pop(key)) for key in ("max_age", "step") if key in more}
    return PrometheusOptions(url=server.url, query=query, **lengths, **more)


async def _read(server: Prometheus, query: str, **more: Any) -> Reading:
    around = {key: more.pop(key) for key in ("target", "timeout", "now", "window") if key in more}
    options = _options(server, query, **more)
    assert KIND.validate(options) == []
    reading = await read(KIND, options, **around)
    assert_declared(KIND, options, reading)
    return reading


async def _problem(server: Prometheus, query: str, **more: Any) -> ProbeError:
    around = {key: more.pop(key) for key in ("target", "timeout", "now") if key in more}
    return await refused(KIND, _options(server, query, **more), **around)


def _then(server: Prometheus) -> dt.datetime:
    """Return the end of the history, which a stretch of time can end with."""
    return dt.datetime.fromtimestamp(server.seeded, dt.UTC)


def _decimal(value: Value) -> Decimal:
    assert isinstance(value, Number)
    return value.value


def _cell(reading: Reading, column: str, row: int = 0) -> Value:
    return reading.rows[row][reading.columns.index(column)]


# --- now ---------------------------------------------------------------------------------------------


async def test_each_series_is_a_row(prometheus: Prometheus) -> None:
    """Of four targets one is down: the item is red and names that one; the others by themselves are green."""
    reading = await _read(prometheus, "up", labels=("job", "instance"))
    assert [row[1] for row in reading.rows] == ["dead", "lagging", "node", "prometheus"]
    assert reading.rows[2][:3] == (f"node, {prometheus.exporter}", "node", prometheus.exporter)
    assert outcome(reading, "every value == 1") is Outcome.FAIL
    assert outcome(reading, "count == 4", "any value == 1", "every age < 30 s", "age < 30 s") is Outcome.PASS
    alive = await _read(prometheus, 'up{job!="dead"}')
    assert outcome(alive, "every value == 1") is Outcome.PASS
    assert f'up{{instance="{prometheus.exporter}", job="node"}}' in {row[0] for row in alive.rows}


@pytest.mark.parametrize(
    ("query", "unit"), [(BUSY, Unit.PERCENT), (MEMORY, Unit.PERCENT), ("node_load1", Unit.COUNT)]
)
async def test_figures_of_the_host(prometheus: Prometheus, query: str, unit: Unit) -> None:
    """CPU and memory of a host come as percentages, which limits with that unit are held against."""
    reading = await _read(prometheus, query, unit=unit, labels=("instance",))
    assert [row[0] for row in reading.rows] == [prometheus.exporter]
    value = _cell(reading, "value")
    assert isinstance(value, Number)
    assert value.unit is unit
    assert Decimal(-1) <= value.value <= 1000
    mark = "%" if unit is Unit.PERCENT else ""
    assert outcome(reading, f"value < 1001{mark}") is Outcome.PASS
    assert outcome(reading, f"value > 1001{mark}") is Outcome.FAIL
    assert outcome(reading, "value < 1001 s") is Outcome.ERROR


async def test_a_sum_has_one_value(prometheus: Prometheus) -> None:
    """What has no labels is the measure `value`, which history and limits can name."""
    reading = await _read(prometheus, "sum(up)")
    assert reading.measures["value"] == number(3)
    assert outcome(reading, "value == 3", "every value == 3") is Outcome.PASS
    assert outcome(reading, "value == 2") is Outcome.FAIL


@pytest.mark.parametrize(
    ("query", "value"), [("scalar(sum(up)) + 1", "4"), ("scalar(up) * 0 / 0", "NaN"), ("sum(up) / 0", "Infinity")]
)
async def test_scalars_and_what_is_no_number(prometheus: Prometheus, query: str, value: str) -> None:
    """NaN and infinity stay what they are, and are no pass whatever the limit; `on_nan` can say otherwise."""
    reading = await _read(prometheus, query)
    assert str(_decimal(reading.measures["value"])) == value
    if value != "4":
        for condition in ("value < 5", "value > 5", "value != 5"):
            assert outcome(reading, condition) is Outcome.ERROR
        item = Item(id="x", title="x", require=(parse_condition("value < 5"),), on_nan=Outcome.WARN)
        assert judge_item(item, reading).outcome is Outcome.WARN


async def test_a_text(prometheus: Prometheus) -> None:
    """A query that is a text comes back as one."""
    reading = await read(KIND, _options(prometheus, '"ready"'))
    assert reading.measures["value"] == "ready"


async def test_nothing_below_zero_is_proven(prometheus: Prometheus) -> None:
    """No target that is down counts as none only because targets were seen at all."""
    reading = await _read(prometheus, 'up{job!="dead"} == 0')
    assert reading.rows == ()
    assert outcome(reading, "count == 0") is Outcome.PASS
    assert outcome(reading, "every value == 1") is Outcome.ERROR
    assert outcome(await _read(prometheus, "up == 0"), "count == 0") is Outcome.FAIL
    problem = (await _problem(prometheus, "upp == 0")).problem
    assert (problem.reason, "no series of upp" in problem.cause) == ("empty", True)


async def test_a_zero_that_was_made_up_is_no_measurement(prometheus: Prometheus) -> None:
    """`or vector(0)` does not make a metric green that nobody has ever written; what proves it can be named."""
    query = "sum(rate(api_errors_total[5m])) or vector(0)"
    problem = (await _problem(prometheus, query)).problem
    assert problem.reason == "empty"
    assert "made of no sample" in problem.cause
    proven = await _read(prometheus, query, samples=('up{job="node"}',))
    assert outcome(proven, "value == 0", "age < 30 s") is Outcome.PASS
    for half in (f"({query}) / sum(up)", "up / on (job) api_requests_total > 0.05"):
        assert (await _problem(prometheus, half)).problem.reason == "empty"
    either = await _read(prometheus, "sum(api_up) or sum(up)")
    assert outcome(either, "value == 3") is Outcome.PASS
    many = await _read(prometheus, " + ".join(f'sum(up{{job!="x{each}"}})' for each in range(15)))
    assert outcome(many, "value == 45") is Outcome.PASS
    unproven = (await _problem(prometheus, query, samples=('up{job="node"}', 'up{job="api"}'))).problem
    assert unproven.reason == "stale"


# --- old samples -------------------------------------------------------------------------------------


async def test_a_sample_that_prometheus_shows_as_new(prometheus: Prometheus) -> None:
    """A value of minutes ago is seen for what it is: its age is measured, and too old an age is an ERROR."""
    reading = await _read(prometheus, "lagging")
    assert LAG <= _decimal(_cell(reading, "age")) < LAG + 30
    assert outcome(reading, "value == 1", "age < 5 min") is Outcome.PASS
    assert outcome(reading, "value == 1", "every age < 50 s") is Outcome.FAIL
    for query in ("lagging", "sum(lagging)", "up * on (job) group_left lagging", "rate(lagging[5m])"):
        problem = (await _problem(prometheus, query, max_age="50 s")).problem
        assert problem.reason == "stale"
        assert "more than 50 s" in problem.cause


@pytest.mark.parametrize(
    "query", ["seeded_gone", "rate(seeded_gone[6h])", "sum(last_over_time(seeded_gone[1d])) or vector(0)"]
)
async def test_a_target_that_is_gone(prometheus: Prometheus, query: str) -> None:
    """A query over hours still has a value when its target is dead: that is an ERROR which says since when."""
    problem = (await _problem(prometheus, query)).problem
    assert problem.reason == "stale"
    assert "seeded_gone that are 2 h" in problem.cause


async def test_an_age_of_hours_can_be_allowed(prometheus: Prometheus) -> None:
    """A batch that runs every few hours is judged by the age that it may have."""
    reading = await _read(prometheus, "last_over_time(seeded_gone[1d])", max_age="4 h")
    assert 7200 <= _decimal(reading.measures["age"]) < 7200 + 400
    assert outcome(reading, "value == 1", "age < 3 h") is Outcome.PASS


async def test_the_past_on_purpose(prometheus: Prometheus) -> None:
    """What an `offset` looks at is old by intention, and no age is told of it."""
    reading = await _read(prometheus, 'seeded_temperature{room="b"} offset 4h')
    assert reading.measures["age"] is None
    assert outcome(reading, "value == 20") is Outcome.PASS
    assert outcome(reading, "value == 20", "age < 1 h") is Outcome.ERROR


# --- over time ---------------------------------------------------------------------------------------


async def test_a_stretch_of_time_is_summed_up(prometheus: Prometheus) -> None:
    """A temperature that rises by 6 an hour says so, with its least, mean, greatest and 95th percentile."""
    reading = await _read(
        prometheus,
        'seeded_temperature{room="a"}',
        since="4 h",
        step="1 min",
        labels=("room",),
        now=_then(prometheus),
    )
    row = dict(zip(reading.columns, reading.rows[0], strict=True))
    assert _decimal(row["slope"]) == pytest.approx(Decimal(6), abs=Decimal("0.05"))
    assert _decimal(row["max"]) - _decimal(row["min"]) == pytest.approx(Decimal(24), abs=Decimal("0.3"))
    assert _decimal(row["avg"]) == pytest.approx(
        (_decimal(row["max"]) + _decimal(row["min"])) / 2, abs=Decimal("0.1")
    )
    assert _decimal(row["p95"]) == pytest.approx(_decimal(row["max"]) - Decimal("1.2"), abs=Decimal("0.1"))
    assert row["last"] == row["max"]
    assert (row["points"], row["gaps"], row["nans"]) == (number(241), number(0), number(0))
    assert outcome(reading, "every slope < 7", "every coverage == 100%", "every max < 80") is Outcome.PASS
    assert outcome(reading, "every slope < 5") is Outcome.FAIL
    points = next(each for each in reading.evidence if each.title == "points")
    assert len(points.text.splitlines()) == 242


async def test_gaps_are_seen(prometheus: Prometheus) -> None:
    """A host that was away for half an hour is an ERROR, until the item says how much may be missing."""
    query = 'seeded_temperature{room="b"}'
    problem = await _problem(prometheus, query, since="4 h", step="1 min", now=_then(prometheus))
    assert problem.problem.reason == "partial"
    assert "of those asked for" in problem.problem.cause
    reading = await _read(
        prometheus, query, since="4 h", step="1 min", min_coverage=Decimal(50), now=_then(prometheus)
    )
    row = dict(zip(reading.columns, reading.rows[0], strict=True))
    assert row["gaps"] == number(1)
    assert 1400 <= _decimal(row["longest_gap"]) <= 1800
    assert outcome(reading, "every gaps == 0") is Outcome.FAIL


async def test_one_side_of_a_share_that_ended(prometheus: Prometheus) -> None:
    """A share of two metrics, one of which is not there any more, is no measurement of the hours until now."""
    query = "100 * sum(seeded_gone) / sum(seeded_jobs_total > -1)"
    more: dict[str, Any] = {"since": "5 h", "step": "5 min", "min_coverage": Decimal(50), "now": _then(prometheus)}
    problem = (await _problem(prometheus, query, **more)).problem
    assert (problem.reason, "no samples of seeded_gone any more" in problem.cause) == ("stale", True)
    allowed = await _read(prometheus, query, max_age="3 h", **more)
    assert outcome(allowed, "every points >= 20") is Outcome.PASS


async def test_points_that_are_no_number(prometheus: Prometheus) -> None:
    """An hour of NaN spoils the whole, unless the item says that it may be left out."""
    more: dict[str, Any] = {"since": "6 h", "step": "5 min", "now": _then(prometheus)}
    strict = await _read(prometheus, "seeded_latency", **more)
    assert all(_decimal(_cell(strict, each)).is_nan() for each in ("min", "avg", "max", "p95", "slope"))
    assert outcome(strict, "every max < 1") is Outcome.ERROR
    lenient = await _read(prometheus, "seeded_latency", skip_nan=True, **more)
    assert outcome(lenient, "every max < 1", "every nans between 10 and 13", "every avg == 0.2") is Outcome.PASS


async def test_a_counter_that_began_again(prometheus: Prometheus) -> None:
    """A counter of one a second is that after three restarts too: they are counted, and taken for no fall."""
    more: dict[str, Any] = {"since": "6 h", "step": "1 min", "now": _then(prometheus)}
    reading = await _read(prometheus, "seeded_jobs_total", counter=True, **more)
    row = dict(zip(reading.columns, reading.rows[0], strict=True))
    assert row["resets"] == number(3)
    assert 21_000 <= _decimal(row["increase"]) <= 21_700
    assert outcome(reading, "every p95 == 1", "every slope == 0", "every resets < 4") is Outcome.PASS
    assert outcome(reading, "every resets == 0") is Outcome.FAIL


async def test_the_window_of_a_run(prometheus: Prometheus) -> None:
    """A list that looks back over a period which is over asks for that one, and no sample has to be new."""
    end = _then(prometheus) - dt.timedelta(hours=3)
    window = Window(end.date(), end.date(), end - dt.timedelta(hours=2), end)
    reading = await _read(prometheus, "seeded_gone", since="window", window=window)
    assert outcome(reading, "every min == 1", "every coverage == 100%") is Outcome.PASS
    assert reading.measures["age"] is None


# --- what the server says no to ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "more", "reason", "words"),
    [
        ("up{job=}", {}, "bad-query", "parse error"),
        ("up + on(nosuch) up", {}, "failed", "many-to-many matching"),
        ('{__name__=~"go_goroutines|go_threads"}', {}, "failed", "several metrics of one selector"),
        ("up[5m]", {}, "bad-query", "matrix"),
        ("up[5m]", {"since": "1 h"}, "bad-query", "invalid expression type"),
        ("up", {"labels": ("hots",)}, "bad-query", "no series has the label 'hots'"),
        ("node_cpu_seconds_total", {"labels": ("job",)}, "bad-query", "several series"),
        ("up", {"since": "365 d", "step": "1 min"}, "bad-query", "more than 2,000 points"),
    ],
)
async def test_errors_of_the_server_are_told(
    prometheus: Prometheus, query: str, more: dict[str, Any], reason: str, words: str
) -> None:
    """What Prometheus refuses is told in its own words."""
    error = await _problem(prometheus, query, **more)
    assert error.problem.reason == reason
    assert words in error.problem.cause


async def test_a_server_that_is_not_there() -> None:
    """Nobody at the address is `source-down`, which `on_connect_error` of the item decides."""
    options = PrometheusOptions(url=f"http://127.0.0.1:{free_port()}", query="up")
    assert (await refused(KIND, options)).problem.reason == "source-down"


async def test_something_else_at_the_address(prometheus: Prometheus) -> None:
    """The exporter in place of Prometheus is told from an answer without series."""
    options = PrometheusOptions(url=f"http://{prometheus.exporter}", query="up")
    assert (await refused(KIND, options)).problem.reason in {"not-found", "bad-answer"}


async def test_targets_cannot_change_the_query(prometheus: Prometheus) -> None:
    """A target is a text in the query, whatever is in it: one that would widen the selector finds nothing."""
    good = await _read(prometheus, "up{instance=:target}", target=prometheus.exporter)
    assert [row[0] for row in good.rows] == [f'up{{instance="{prometheus.exporter}", job="node"}}']
    pattern = await _problem(prometheus, "up{instance=~:target}", target=".*")
    assert pattern.problem.reason == "empty"
    injected = await _problem(prometheus, "up{instance=:target}", target='x"} or up{job="node')
    assert injected.problem.reason == "empty"


async def test_the_command_shows_the_same(prometheus: Prometheus) -> None:
    """What is copied out with the evidence asks the same of the same server."""
    reading = await _read(prometheus, 'sum(up{job!="dead"})')
    words = shlex.split(reading.command)
    assert words[0] == "curl"
    shown = await asyncio.to_thread(
        subprocess.run, ["curl", *words[1:]], capture_output=True, check=True, timeout=10
    )
    assert json.loads(shown.stdout)["data"]["result"][0]["value"][1] == "3"
