"""Answers of the query API that no healthy server gives: what `prometheus` and `loki` make of them."""

import asyncio
import json
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import loki, prometheus
from opsconsole.checks.loki import LokiOptions
from opsconsole.checks.prometheus import PrometheusOptions
from opsconsole.contracts.probe import ProbeError, ProbeKind
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Duration, number
from support.canned import ASKED_AT, Canned, Said, Says, read, refused
from support.judged import outcome

JSON = "application/json"
URL = "http://prometheus.example"
ASKED = PrometheusOptions(url=URL, query="sum(errors)")
OF_LOKI = LokiOptions(url="http://loki.example", selector='{app="api"}', since="1 h", patterns={"errors": "ERROR"})


def _said(data: Any, **more: Any) -> Said:
    return 200, JSON, json.dumps({"status": "success", "data": data, **more}).encode()


def _vector(*series: tuple[dict[str, str], str]) -> dict[str, Any]:
    return {
        "resultType": "vector",
        "result": [{"metric": labels, "value": [ASKED_AT, value]} for labels, value in series],
    }


def _of_vector(series: Any) -> Said:
    return _said({"resultType": "vector", "result": [series]})


def _says(said: Said, ages: Said | None = None) -> Says:
    """Answer the query with one thing, and with another how old its samples are."""

    def says(_path: str, params: Mapping[str, str]) -> Said:
        if "timestamp(" not in params["query"]:
            return said
        return ages or _said(_vector(({"selector": "0"}, str(time.time() - 5))))

    return says


def _of_loki(count: Said) -> Says:
    """Answer as Loki: the counts as told, and one line of ten seconds ago."""
    at = str(time.time_ns() - 10**10)
    lines = {"resultType": "streams", "result": [{"stream": {"app": "api"}, "values": [[at, "hello"]]}]}
    return lambda path, _params: _said(lines) if path.endswith("range") else count


# --- Prometheus --------------------------------------------------------------------------------------


async def test_warnings_are_no_green() -> None:
    """An answer that Prometheus warns of may lack what matters: ERROR, with the warning and how to accept it."""
    said = _said(
        _vector(({}, "0")), warnings=["1 store could not be reached: store-2\n" * 30], infos=["no counter"]
    )
    error = await refused(prometheus.KIND, ASKED, Canned(_says(said)))
    assert error.problem.reason == "partial"
    assert "1 store could not be reached: store-2" in error.problem.cause
    assert len(error.problem.cause) < 500
    assert "partial = true" in error.problem.hint
    accepting = PrometheusOptions(url=URL, query="sum(errors)", partial=True)
    reading = await read(prometheus.KIND, accepting, Canned(_says(said)))
    assert outcome(reading, "value == 0") is Outcome.PASS
    assert {"warnings of the server", "notes of the server"} < {each.title for each in reading.evidence}


async def test_a_partial_answer_of_victoriametrics() -> None:
    """Where a part of the storage did not answer, which its cluster says without a warning, nothing is green."""
    said = _said(_vector(({}, "1")), isPartial=True)
    problem = await refused(prometheus.KIND, ASKED, Canned(_says(said)))
    assert (problem.problem.reason, "did not answer" in problem.problem.cause) == ("partial", True)
    whole = await read(prometheus.KIND, ASKED, Canned(_says(_said(_vector(({}, "1")), isPartial=False))))
    assert outcome(whole, "value == 1") is Outcome.PASS
    options = msgspec.structs.replace(OF_LOKI, patterns={})
    count = await read(loki.KIND, options, Canned(_of_loki(_said(_vector(({}, "1")), isPartial=True))))
    assert outcome(count, "count <= 5") is Outcome.ERROR


async def test_samples_of_the_future() -> None:
    """A sample that is still to come is of no known time, and is not fresh for ever."""
    ages = _said(_vector(({"selector": "0"}, str(time.time() + 7200))))
    problem = await refused(prometheus.KIND, ASKED, Canned(_says(_said(_vector(({}, "1"))), ages)))
    assert (problem.problem.reason, "no known time" in problem.problem.cause) == ("stale", True)


@pytest.mark.parametrize("ago", [7200.0, -7200.0])
@pytest.mark.parametrize("of_lines", [True, False])
async def test_loki_answers_for_another_time(ago: float, of_lines: bool) -> None:
    """Neither a line nor a count of another time than the one asked for is taken for one of it."""
    stamp = time.time() - ago
    line = {"stream": {"app": "api"}, "values": [[str(int((stamp if of_lines else time.time() - 9) * 10**9)), "x"]]}
    count = {"resultType": "vector", "result": [{"metric": {}, "value": [time.time() if of_lines else stamp, "0"]}]}
    lines = {"resultType": "streams", "result": [line]}
    canned = Canned(lambda path, _params: _said(lines if path.endswith("range") else count))
    problem = await refused(loki.KIND, OF_LOKI, canned)
    assert (problem.problem.reason, "not asked for" in problem.problem.cause) == ("stale", True)


async def test_notes_are_shown() -> None:
    """What Prometheus only remarks is evidence, and nothing is wrong with the answer."""
    said = _said(_vector(({}, "0")), infos=["metric might not be a counter"])
    reading = await read(prometheus.KIND, ASKED, Canned(_says(said)))
    assert outcome(reading, "value == 0") is Outcome.PASS
    assert "might not be a counter" in reading.evidence[-1].text


def _error(kind: str, text: str) -> bytes:
    return json.dumps({"status": "error", "errorType": kind, "error": text}).encode()


_NOW = "the time of the test"
"""Stands for it in answers, which are made when the tests are collected, long before they are run."""


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        ((400, JSON, _error("bad_data", "parse error: unexpected )")), "bad-query", "unexpected )"),
        ((422, JSON, _error("execution", "would load too many samples")), "failed", "too many samples"),
        ((503, JSON, _error("timeout", "query timed out")), "timeout", "query timed out"),
        ((503, JSON, _error("canceled", "query was canceled")), "timeout", "canceled"),
        ((500, JSON, _error("internal", "")), "failed", "internal"),
        ((200, JSON, _error("", "")), "failed", "without a word"),
        ((503, "text/plain", b"Service Unavailable"), "failed", "Service Unavailable"),
        ((400, "text/plain; charset=utf-8", b"parse error : x"), "bad-query", "parse error : x"),
        ((404, "text/html", b"<h1>no</h1>"), "not-found", "status 404"),
        ((429, "text/plain", b"too many outstanding requests"), "failed", "too many outstanding"),
        ((504, "text/html", b"<h1>late</h1>"), "timeout", "504"),
        ((401, JSON, _error("bad_data", "x")), "refused", "401"),
        ((403, "text/html", b""), "refused", "403"),
        ((302, "text/html", b""), "bad-answer", "sends on to /login"),
        ((502, "text/html", b"<h1>bad gateway</h1>"), "bad-answer", "502"),
        ((200, "text/html", b"<form>please log in</form>"), "bad-answer", "text/html that is no JSON"),
        ((200, JSON, b""), "bad-answer", "no JSON"),
        ((200, JSON, b"[" * 200_000), "bad-answer", "no JSON"),
        ((200, JSON, b'{"status":"success"}'), "bad-answer", "cannot be read"),
        ((200, JSON, b"{}"), "bad-answer", "neither"),
        ((204, "", b""), "bad-answer", "204"),
        (_said({"resultType": "matrix", "result": []}), "bad-query", "comes to a matrix"),
        (_said({"resultType": "table", "result": []}), "bad-answer", "'table'"),
        (_of_vector({"metric": {}}), "bad-answer", "no value"),
        (_of_vector({"metric": {}, "histogram": [1, {}]}), "bad-query", "histograms"),
        (_of_vector({"metric": {}, "value": [1e300, "1"]}), "bad-answer", "calendar"),
        (_said({"resultType": "scalar", "result": [1, "one"]}), "bad-answer", "'one' is no number"),
        (_said({"resultType": "scalar", "result": [1, 1]}), "bad-answer", "cannot be read"),
        (_said({"resultType": "scalar", "result": [1, "1"]}), "stale", "1970-01-01"),
        ((200, JSON, b'{"status":"success","data":{"resultType":"string","result":[1,"\xff"]}}'), "bad-answer", ""),
    ],
)  # fmt: skip
async def test_each_refusal_has_its_cause(said: Said, reason: str, words: str) -> None:
    """A query that is wrong, a server that is overloaded, a login page: they are told apart."""
    error = await refused(prometheus.KIND, ASKED, Canned(_says(said)))
    assert error.problem.reason == reason
    assert words in error.problem.cause


@pytest.mark.parametrize(
    ("ages", "reason"),
    [
        (_said(_vector(({"selector": "0"}, "NaN"))), "stale"),
        (_said(_vector(({"selector": "0"}, "100"))), "stale"),
        (_said(_vector(({"selector": "7"}, "100"))), "stale"),
        (_said(_vector()), "empty"),
        (_said(_vector(({}, _NOW))), "empty"),
        ((503, "text/plain", b""), "failed"),
    ],
)
async def test_unless_its_age_is_known_nothing_is_green(ages: Said, reason: str) -> None:
    """A value whose samples are old, or of no known age, is an ERROR."""
    status, kind, body = ages
    ages = (status, kind, body.replace(_NOW.encode(), str(time.time()).encode()))
    green = _said(_vector(({}, "0")))
    assert outcome(await read(prometheus.KIND, ASKED, Canned(_says(green))), "value == 0") is Outcome.PASS
    assert (await refused(prometheus.KIND, ASKED, Canned(_says(green, ages)))).problem.reason == reason


async def test_a_series_without_a_time() -> None:
    """Of a bare selector each series has to tell its time."""
    said = _said(_vector(({"a": "1"}, "0"), ({"a": "2"}, "0")))
    options = PrometheusOptions(url=URL, query="errors")
    ages = _said(_vector(({"a": "1"}, str(time.time()))))
    error = await refused(prometheus.KIND, options, Canned(_says(said, ages)))
    assert 'sample of {a="2"}' in error.problem.cause


@pytest.mark.parametrize(("ago", "is_new"), [(0.0, True), (800.0, True), (86_400.0, False), (-7200.0, False)])
async def test_points_of_another_time(ago: float, is_new: bool) -> None:
    """Yesterday's points, as a cache has them, are not today's; ends moved to a multiple of the step are."""
    now = time.time() - ago
    values = [[now - 3600 + 900 * at, "1"] for at in range(5)]
    said = _said({"resultType": "matrix", "result": [{"metric": {"job": "a"}, "values": values}]})
    ages = _said(_vector(({"job": "a"}, str(time.time() - 5))))
    options = PrometheusOptions(url=URL, query="errors", since="1 h", step=Duration.parse("15 min"))
    if is_new:
        assert (
            outcome(await read(prometheus.KIND, options, Canned(_says(said, ages))), "every max <= 5")
            is Outcome.PASS
        )
    else:
        problem = await refused(prometheus.KIND, options, Canned(_says(said, ages)))
        assert (problem.problem.reason, "not asked for" in problem.problem.cause) == ("stale", True)


async def test_rows_that_are_called_alike() -> None:
    """Two series of one name could not be followed from day to day: the item must name more labels."""
    said = _said(_vector(({"job": "a", "i": "1"}, "0"), ({"job": "a", "i": "2"}, "0")))
    options = PrometheusOptions(url=URL, query="sum by (job, i) (errors)", labels=("job",))
    assert (
        "several series called 'a'" in (await refused(prometheus.KIND, options, Canned(_says(said)))).problem.cause
    )
    both = PrometheusOptions(url=URL, query="sum by (job, i) (errors)", labels=("job", "i"))
    assert [row[0] for row in (await read(prometheus.KIND, both, Canned(_says(said)))).rows] == ["a, 1", "a, 2"]


async def test_a_label_that_is_called_like_a_column() -> None:
    """Such a label is a column under another name, and the measured value keeps its own."""
    said = _said(_vector(({"value": "x", "series": "y"}, "0")))
    options = PrometheusOptions(url=URL, query="sum by (value, series) (errors)", labels=("value", "series"))
    reading = await read(prometheus.KIND, options, Canned(_says(said)))
    assert reading.columns == ("series", "label_value", "label_series", "value")
    assert reading.rows == (("x, y", "x", "y", number(0)),)


async def test_more_series_than_are_kept() -> None:
    """An answer that was cut is not judged, for what was cut may be what is wrong."""
    said = _said(_vector(*(({"a": str(each)}, "0") for each in range(5))))
    options = PrometheusOptions(url=URL, query="sum by (a) (errors)", max_series=3)
    reading = await read(prometheus.KIND, options, Canned(_says(said)))
    assert (len(reading.rows), reading.truncated) == (3, True)
    assert outcome(reading, "every value == 0") is Outcome.ERROR
    assert outcome(reading, "count < 10") is Outcome.ERROR


@pytest.mark.parametrize("kind", [prometheus.KIND, loki.KIND])
async def test_a_slow_server(kind: ProbeKind) -> None:
    """The time is that of all questions together."""
    began = time.monotonic()
    said = _said(_vector(({}, "1")))
    options, says = (ASKED, _says(said)) if kind is prometheus.KIND else (OF_LOKI, _of_loki(said))
    error = await refused(kind, options, Canned(says, delay=0.15), timeout=0.25)
    assert error.problem.reason == "timeout"
    assert time.monotonic() - began < 2


async def test_the_server_is_told_the_time() -> None:
    """Prometheus itself gives up when nobody waits any more, and both questions are about one instant."""
    canned = Canned(_says(_said(_vector(({}, "0")))))
    await read(prometheus.KIND, ASKED, canned, timeout=8.0)
    (path, first), (_, second) = canned.asked
    assert (path, first["timeout"]) == ("api/v1/query", "7s")
    assert float(second["time"]) == pytest.approx(time.time(), abs=30)


# --- Loki --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "reason", "words"),
    [
        (_said(_vector(({}, "-1"))), "bad-answer", "-1"),
        (_said(_vector(({}, "1.5"))), "bad-answer", "1.5"),
        (_said(_vector(({}, "NaN"))), "bad-answer", "NaN"),
        (_said({"resultType": "streams", "result": []}), "bad-answer", "streams where a count"),
        ((200, JSON, b'{"status":"success"}'), "bad-answer", "cannot be read"),
        ((500, "text/plain", b"context deadline exceeded"), "bad-answer", "context deadline exceeded"),
        ((429, "text/plain", b"too many outstanding requests"), "failed", "too many"),
    ],
)
async def test_counts_that_are_none(said: Said, reason: str, words: str) -> None:
    """What is no whole number of lines is no count."""
    error = await refused(loki.KIND, OF_LOKI, Canned(_of_loki(said)))
    assert error.problem.reason == reason
    assert words in error.problem.cause


async def test_lines_with_more_than_a_text() -> None:
    """Structured metadata beside a line is no fault, and what a line holds stays as it is."""
    at = str(time.time_ns() - 10**9)
    values = [[at, "\x1b[31m\u202e[/]\x00", {"trace": "x"}]]
    lines = _said({"resultType": "streams", "result": [{"stream": {"app": "api"}, "values": values}]})
    says = _of_loki(_said(_vector(({}, "1"))))
    reading = await read(
        loki.KIND, OF_LOKI, Canned(lambda path, params: lines if "range" in path else says(path, params))
    )
    assert "\x1b[31m\u202e[/]\x00" in reading.evidence[1].text


# --- anything ----------------------------------------------------------------------------------------

_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet="abc/\x00\ud800-NaIf", max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every part of a document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, each in inner for place in _places(each, (*path, key)))]


def _replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _replaced(copy[path[0]], path[1:], by)
    return copy


@st.composite
def damaged(draw: st.DrawFn, body: Any) -> Said:
    """Return an answer with something wrong: cut off, one part replaced by another, or of another status."""
    text = json.dumps(_replaced(body, draw(st.sampled_from(_places(body))), draw(_JUNK))).encode()
    if draw(st.booleans()):
        text = text[: draw(st.integers(0, len(text)))]
    return (
        draw(st.sampled_from((200, 200, 200, 204, 302, 400, 422, 500, 503))),
        draw(st.sampled_from((JSON, "text/plain", ""))),
        text,
    )


def _body(said: Said) -> Any:
    return json.loads(said[2])


_RED = _body(_said(_vector(({"job": "a"}, "7"), ({"job": "b"}, "8"))))
_MATRIX = _body(
    _said(
        {
            "resultType": "matrix",
            "result": [{"metric": {"job": "a"}, "values": [[ASKED_AT, "7"], [ASKED_AT, "8"]]}],
        }
    )
)
_COUNT = _body(_said(_vector(({}, "7"))))
_STREAMS = _body(
    _said(
        {
            "resultType": "streams",
            "result": [{"stream": {"app": "api"}, "values": [[str(time.time_ns()), "hello"]]}],
        }
    )
)


def _measured(kind: ProbeKind, options: Any, says: Says) -> Reading | None:
    """Return what comes of it, None for a problem; any other exception is a fault of the probe."""
    try:
        return asyncio.run(read(kind, options, Canned(says), timeout=20.0))
    except ProbeError as error:
        problem = error.problem
    assert problem.reason
    assert problem.cause
    return None


@given(damaged(_RED))
def test_damaged_values_are_never_green(said: Said) -> None:
    """Two values beyond their limit do not become a pass by damage on their way."""
    reading = _measured(prometheus.KIND, ASKED, _says(said))
    assert reading is None or outcome(reading, "every value <= 5", "count == 2") is not Outcome.PASS


@given(damaged(_MATRIX))
def test_damaged_points_are_never_green(said: Said) -> None:
    """The same of a stretch of time."""
    options = PrometheusOptions(
        url=URL, query="errors", since="1 h", step=Duration.parse("30 min"), min_coverage=Decimal(0)
    )
    ages = _said(_vector(({"job": "a"}, str(time.time() - 5))))
    reading = _measured(prometheus.KIND, options, _says(said, ages))
    assert reading is None or outcome(reading, "every min <= 5", "every p95 <= 5", "count == 1") is not Outcome.PASS


@given(damaged(_body(_said(_vector(({"selector": "0"}, "100"))))))
def test_damaged_ages_are_never_green(said: Said) -> None:
    """A sample of 1970 does not become new by damage of the answer that tells its time."""
    reading = _measured(prometheus.KIND, ASKED, _says(_said(_vector(({}, "0"))), said))
    assert reading is None or outcome(reading, "value == 0") is not Outcome.PASS


@given(damaged(_COUNT))
def test_damaged_counts_are_never_green(said: Said) -> None:
    """Seven errors do not become none: what is damaged is no count."""
    reading = _measured(loki.KIND, OF_LOKI, _of_loki(said))
    if reading is not None and 'result": []' not in said[2].decode("utf-8", "replace"):
        assert outcome(reading, "errors <= 5") is not Outcome.PASS


@given(damaged(_STREAMS))
def test_damaged_lines_do_not_break_anything(said: Said) -> None:
    """Lines only serve as proof and evidence: damaged ones end in a cause, never in a traceback."""
    count = _said(_vector(({}, "7")))
    reading = _measured(loki.KIND, OF_LOKI, lambda path, _params: said if "range" in path else count)
    assert reading is None or outcome(reading, "errors <= 5") is not Outcome.PASS


@given(st.binary(max_size=200), st.sampled_from((200, 400, 503)))
def test_any_bytes(body: bytes, status: int) -> None:
    """Whatever answers, there is a cause."""
    said = (status, JSON, body)
    assert _measured(prometheus.KIND, ASKED, _says(said)) is None
    assert _measured(loki.KIND, OF_LOKI, lambda _path, _params: said) is None


@pytest.mark.parametrize("kind", [prometheus.KIND, loki.KIND])
async def test_a_measurement_that_is_cancelled(kind: ProbeKind) -> None:
    """When the console is closed meanwhile, no question goes on."""
    said = _said(_vector(({}, "1")))
    options, says = (ASKED, _says(said)) if kind is prometheus.KIND else (OF_LOKI, _of_loki(said))
    canned = Canned(says, delay=60)
    task = asyncio.create_task(read(kind, options, canned))
    async with asyncio.timeout(10):
        await canned.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}
