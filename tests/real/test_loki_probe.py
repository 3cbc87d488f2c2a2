"""The `loki` probe against a double of Loki: what it counts, and what it refuses to call none."""

import asyncio
import datetime as dt
import json
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from opsconsole.checks.loki import KIND, LokiOptions
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.calendar import Window
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Duration, number
from support.canned import read, refused
from support.judged import assert_declared, outcome
from support.loki_double import LokiDouble, Written, captured, running_loki

API = '{app="api"}'


@pytest.fixture
def loki() -> Iterator[LokiDouble]:
    """Run a double of Loki in which nothing was written."""
    with running_loki() as double:
        yield double


def _options(double: LokiDouble, **more: Any) -> LokiOptions:
    return LokiOptions(**{"url": double.url, "selector": API, "since": "1 h"} | more)


async def _read(double: LokiDouble, **more: Any) -> Reading:
    around = {key: more.pop(key) for key in ("target", "timeout", "now", "window") if key in more}
    options = _options(double, **more)
    assert KIND.validate(options) == []
    reading = await read(KIND, options, **around)
    assert_declared(KIND, options, reading)
    return reading


async def _problem(double: LokiDouble, **more: Any) -> ProbeError:
    around = {key: more.pop(key) for key in ("target", "timeout", "now", "window") if key in more}
    return await refused(KIND, _options(double, **more), **around)


# --- what is counted ---------------------------------------------------------------------------------


async def test_errors_of_the_last_hour(loki: LokiDouble) -> None:
    """No ERROR is green where the service wrote other lines; one is red, and is shown."""
    loki.write("INFO request {n}", times=50, app="api")
    loki.write("ERROR of yesterday", ago=90_000, app="api")
    loki.write("ERROR of another", app="web")
    quiet = await _read(loki, filters=('|= "ERROR"',))
    assert quiet.measures["count"] == number(0)
    assert outcome(quiet, "count == 0", "age < 2 min") is Outcome.PASS
    assert [each.text for each in quiet.evidence][1] == "none"
    loki.write("ERROR database is gone", ago=30, app="api", host="a1")
    red = await _read(loki, filters=('|= "ERROR"',))
    assert outcome(red, "count == 0") is Outcome.FAIL
    assert 'Z {app="api", host="a1"} ERROR database is gone' in red.evidence[1].text
    assert "of yesterday" not in red.evidence[1].text


async def test_silence_is_not_health(loki: LokiDouble) -> None:
    """Where the service has no line at all, no error was not seen either: ERROR, and `on_empty` decides."""
    for wrong in (API, '{ap="api"}', '{app=~"nosuch.*"}'):
        problem = (await _problem(loki, selector=wrong, filters=('|= "ERROR"',))).problem
        assert problem.reason == "empty"
        assert "no line at all" in problem.cause
    loki.write("INFO", ago=1800, app="api")
    assert outcome(await _read(loki), "count == 1", "age < 31 min") is Outcome.PASS
    stale = (await _problem(loki, max_age=Duration.parse("10 min"))).problem
    assert stale.reason == "stale"
    assert "30 min old, over 10 min" in stale.cause


async def test_several_patterns_at_once(loki: LokiDouble) -> None:
    """Each named pattern is a measure of its own; a line that has two counts once in `count`."""
    loki.write("all is well", times=9, app="api")
    loki.write('CRITICAL: "x" {n}', times=2, app="api")
    loki.write("approval failed {n}", times=4, app="api")
    loki.write("CRITICAL: approval failed", app="api")
    patterns = {"critical": "CRITICAL:", "refused": "approval (failed|denied)", "rolled_back": 'rolled "back"'}
    reading = await _read(loki, patterns=patterns)
    assert {name: reading.measures[name] for name in (*patterns, "count")} == {
        "critical": number(3),
        "refused": number(5),
        "rolled_back": number(0),
        "count": number(7),
    }
    assert outcome(reading, "rolled_back == 0", "critical <= 3") is Outcome.PASS
    assert outcome(reading, "critical == 0") is Outcome.FAIL
    assert len(reading.evidence[1].text.splitlines()) == 7


async def test_by_label(loki: LokiDouble) -> None:
    """Counts by service are rows: one beyond its limit is named."""
    loki.write("ERROR {n}", times=3, app="api", job="loader")
    loki.write("ERROR timeout {n}", times=1, app="api", job="collector")
    loki.write("INFO {n}", times=3, app="api", job="quiet")
    reading = await _read(loki, filters=('|= "ERROR"',), by=("job",), patterns={"timeouts": "timeout", "all": "."})
    assert reading.columns == ("series", "job", "lines", "timeouts", "all")
    assert reading.rows == (
        ("collector", "collector", number(1), number(1), number(1)),
        ("loader", "loader", number(3), number(0), number(3)),
    )
    assert reading.measures["count"] == number(4)
    assert outcome(reading, "every lines <= 3", "count < 5") is Outcome.PASS
    assert outcome(reading, "every lines < 3") is Outcome.FAIL
    error = await _problem(loki, by=("jobb",))
    assert "no series has the label 'jobb'" in error.problem.cause


async def test_an_own_query(loki: LokiDouble) -> None:
    """A metric query of the item's own is a table of its series."""
    loki.write("ERROR", times=36, app="api", job="loader")
    more: dict[str, Any] = {"query": 'sum by (job) (rate({app="api"} |= "ERROR" [$__range]))', "labels": ("job",)}
    reading = await _read(loki, **more)
    assert reading.rows == (("loader", "loader", number("0.01")),)
    assert outcome(reading, "every value < 0.05") is Outcome.PASS
    assert outcome(reading, "every value < 0.005") is Outcome.FAIL
    total = await _read(loki, query='sum(count_over_time({app="api"} [$__range]))')
    assert outcome(total, "value == 36") is Outcome.PASS
    none = await _read(loki, query='sum(count_over_time({app="api"} |= "nothing" [$__range]))')
    assert outcome(none, "count == 0") is Outcome.PASS
    assert outcome(none, "every value < 1") is Outcome.ERROR


async def test_the_window_of_a_run(loki: LokiDouble) -> None:
    """A list that looks back over a day counts the lines of that day: with its end, without its beginning."""
    end = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
    window = Window(dt.date(2026, 11, 19), dt.date(2026, 11, 19), end - dt.timedelta(days=1), end)
    last = int(end.timestamp()) * 10**9
    day = 86_400 * 10**9
    loki.lines = [
        Written(at, {"app": "api"}, f"at {at}") for at in (last + 1, last, last - 5, last - day + 1, last - day)
    ]
    now = end + dt.timedelta(hours=8)
    reading = await _read(loki, since="window", window=window, now=now)
    assert reading.measures["count"] == number(3)
    assert len(reading.evidence[1].text.splitlines()) == 3


# --- what cannot be counted --------------------------------------------------------------------------


async def test_more_than_loki_shows(loki: LokiDouble) -> None:
    """Beyond its limit of lines the count is right nevertheless, and the evidence says that it is a part."""
    loki.write("ERROR {n}", times=6_000, app="api")
    reading = await _read(loki, shown=5_000)
    assert reading.measures["count"] == number(6_000)
    assert reading.lower_bounds == ()
    assert reading.evidence[1].title == "the newest 5000 of 6,000 lines"
    assert reading.evidence[1].truncated


@pytest.mark.parametrize(("condition", "expected"), [
    ("count <= 3", Outcome.ERROR),
    ("count == 2", Outcome.ERROR),
    ("count < 2", Outcome.FAIL),
    ("count >= 2", Outcome.PASS),
])  # fmt: skip
async def test_a_partial_count_is_at_least_so_many(loki: LokiDouble, condition: str, expected: Outcome) -> None:
    """A count that Loki warns of satisfies no maximum; it can break one."""
    loki.write("ERROR {n}", times=2, app="api")
    loki.warnings = ["maximum number of series (500) reached for a single query; returning partial results"]
    reading = await _read(loki, patterns={"errors": "ERROR"})
    assert set(reading.lower_bounds) == {"count", "errors"}
    assert outcome(reading, condition) is expected
    assert any("partial results" in each.text for each in reading.evidence)
    grouped = await _read(loki, by=("app",))
    assert outcome(grouped, "every lines < 5") is Outcome.ERROR
    query = 'sum(count_over_time({app="api"} [$__range]))'
    assert (await _problem(loki, query=query)).problem.reason == "partial"
    assert outcome(await _read(loki, query=query, partial=True), "value == 2") is Outcome.PASS


async def test_lines_that_came_in_between(loki: LokiDouble) -> None:
    """Lines that are seen and were not counted make the count a lower bound."""
    loki.write("ERROR", app="api")
    loki.late = [Written(loki.lines[0].at + each, {"app": "api"}, "late") for each in (1000, 2000)]
    reading = await _read(loki)
    assert reading.measures["count"] == number(3)
    assert outcome(reading, "count <= 5") is Outcome.ERROR
    assert outcome(reading, "count <= 2") is Outcome.FAIL


# --- what Loki says no to ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"filters": ("|= `a` | jsonn",)}, "parse error at line 1, col 11: syntax error"),
        ({"selector": '{app=~".*"}'}, "at least one regexp or equality matcher"),
        ({"since": "60 d"}, "the query time range exceeds the limit"),
    ],
)
async def test_errors_of_loki_are_told(loki: LokiDouble, more: dict[str, Any], words: str) -> None:
    """Loki's errors are plain text, and are told as they are."""
    loki.write("x", app="api")
    error = await _problem(loki, **more)
    assert error.problem.reason == "bad-query"
    assert words in error.problem.cause


async def test_another_program_at_the_address(loki: LokiDouble) -> None:
    """A wrong path, or no answer at all, has its own cause."""
    found = (await _problem(loki, url=f"{loki.url}/grafana")).problem
    assert (found.reason, "404 page not found" in found.cause) == ("not-found", True)
    with running_loki() as gone:
        pass
    assert (await _problem(gone)).problem.reason == "source-down"


async def test_targets_cannot_change_the_query(loki: LokiDouble) -> None:
    """A target with quotes is refused, for it could exclude the very lines that are looked for."""
    loki.write("ERROR", app="api")
    problem = (
        await _problem(loki, selector='{app="api"} != "ERROR" | x="}', target='api"} != "ERROR" | x="')
    ).problem
    assert problem.reason == "bad-options"
    assert outcome(await _read(loki, target="api"), "count == 1") is Outcome.PASS


async def test_the_command_shows_the_same(loki: LokiDouble) -> None:
    """What is copied out with the evidence counts the same."""
    loki.write('he said "ERROR"', times=3, app="api")
    reading = await _read(loki, patterns={"said": 'said "ERROR"'})
    argv = shlex.split(reading.command)
    shown = await asyncio.to_thread(subprocess.run, argv, capture_output=True, check=True, timeout=10)
    assert json.loads(shown.stdout)["data"]["result"][0]["value"][1] == "3"


@pytest.mark.parametrize("name", ["instant", "no_match", "range_streams", "bad_logql", "range_too_long"])
def test_the_double_answers_as_loki_did(loki: LokiDouble, name: str) -> None:
    """What was captured from Loki and what the double says have the same form."""
    theirs = captured(name)
    assert set(theirs) == {"path", "status", "content_type", "body"}
    if theirs["status"] != 200:
        return
    loki.write("level=error msg=timeout", app="qbr", level="error")
    path = "/loki/api/v1/query" if name == "instant" else "/loki/api/v1/query_range"
    metric = 'sum(count_over_time({app="qbr"} [300s]))'
    selector = '{app="nosuch"}' if name == "no_match" else '{app="qbr"}'
    now = loki.lines[0].at + 10**9
    bounds = {"start": str(now - 10**11), "end": str(now), "limit": "5", "direction": "backward"}
    params = {"query": metric, "time": str(now)} if name == "instant" else {"query": selector, **bounds}
    status, kind, body = loki.answer(path, params)
    assert (status, kind) == (theirs["status"], theirs["content_type"])
    assert _form(json.loads(body)) == _form(json.loads(theirs["body"]))


def _form(value: Any) -> Any:
    """Return the keys and types of an answer, of lists those of the first entry; labels are free."""
    match value:
        case dict():
            return {key: "labels" if key in {"stream", "metric"} else _form(each) for key, each in value.items()}
        case list():
            return [_form(value[0])] if value else []
        case _:
            return "number" if isinstance(value, int | float) else type(value).__name__
