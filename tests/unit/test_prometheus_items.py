"""Items of the probes `prometheus` and `loki` as checklists have them: what is accepted, and what is not."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from opsconsole.checks import loki, prometheus
from opsconsole.checks._spans import span_of
from opsconsole.checks.loki import LokiOptions
from opsconsole.checks.prometheus import PrometheusOptions
from opsconsole.config.checklists import load_checklist
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.calendar import Window
from opsconsole.model.values import Duration
from opsconsole.wiring.kinds import probe_kinds
from support.systemd import context

ITEMS = """
title = "After going live"
cadence = "daily"

[[section]]
title = "Performance"

[[section.item]]
id = "error-rate"
title = "No more than 0.05 errors a second"
refs = ["J02"]
probe = "prometheus"
source = "metrics"
query = "sum(rate(app_errors_total[5m])) or vector(0)"
samples = ['up{job="app"}']
max_age = "2 min"
require = ["value <= 0.05"]
target = ["value <= baseline * 1.5"]

[[section.item]]
id = "latency"
title = "95 of 100 requests take less than 2 s"
refs = ["J02", "J12"]
probe = "prometheus"
source = "metrics"
query = "histogram_quantile(0.95, sum by (le) (rate(app_latency_seconds_bucket[5m])))"
unit = "s"
require = ["value < 2 s"]
on_nan = "skipped"

[[section.item]]
id = "cpu"
title = "No host is busy for more than 90 %"
refs = ["J03"]
probe = "prometheus"
source = "metrics"
query = '100 * (1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])))'
unit = "%"
labels = ["instance"]
require = ["every value <= 90%", "count >= 1"]
target = ["every value <= 70%"]

[[section.item]]
id = "targets"
title = "Nothing that is scraped is down"
probe = "prometheus"
source = "metrics"
query = "up == 0"
require = ["count == 0"]

[[section.item]]
id = "week"
title = "Requests of last week"
refs = ["J17"]
probe = "prometheus"
source = "metrics"
query = "app_requests_total"
since = "7 d"
step = "1 h"
counter = true
labels = ["job"]
require = ["every avg between 0 and 100", "every resets < 10", "every coverage >= 99%"]

[[section.item]]
id = "each"
title = "Each service is up"
probe = "prometheus"
source = "metrics"
query = "up{instance=:target}"
for_each = ["api:80", "web:80"]
require = ["value == 1", "age < 1 min", "every age < 1 min"]

[[section]]
title = "Logs"

[[section.item]]
id = "errors"
title = "No ERROR, few WARNINGs in the last day"
refs = ["J08"]
probe = "loki"
source = "logs"
selector = '{container="backend"}'
patterns = { errors = "ERROR", warnings = "WARN(ING)?" }
max_age = "1 h"
require = ["errors == 0"]
target = ["warnings < 100", "age < 15 min"]

[[section.item]]
id = "by-service"
title = "No service writes more than ten errors in a week"
probe = "loki"
source = "logs"
selector = '{job=~".+"}'
filters = ['|= "ERROR"', '| json']
by = ["job"]
since = "window"
require = ["every lines <= 10"]
"""


def _loaded(tmp_path: Path, text: str) -> tuple[list[str], Any]:
    path = tmp_path / "list.toml"
    path.write_text(text)
    loaded = load_checklist(path, probe_kinds(), sources={"metrics", "logs"}, check_trust=False)
    return [str(each) for each in (*loaded.problems, *loaded.warnings)], loaded.checklist


def test_items_as_they_are_written(tmp_path: Path) -> None:
    """Rates, limits with units, windows and targets read well and are accepted."""
    problems, checklist = _loaded(tmp_path, ITEMS)
    assert problems == []
    assert len(checklist.items) == 8


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        ("every value <= 90%", "every value <= 90", "write 90% instead of 90"),
        ("every value <= 90%", "every valeu <= 90%", "did you mean 'value'"),
        ("value < 2 s", "p95 < 2 s", "does not measure 'p95'"),
        ("every coverage >= 99%", "every coverage >= 99", "write 99%"),
        ("errors == 0", "error == 0", "did you mean 'errors'"),
        ("every lines <= 10", "every line <= 10", "did you mean 'lines'"),
        ('query = "up == 0"', 'query = "up == (0"', "')' is missing"),
        ('step = "1 h"', 'step = "90 ms"', "whole seconds"),
        ('labels = ["job"]', 'label = ["job"]', "did you mean 'labels'"),
        ("'{container=\"backend\"}'", "'container=\"backend\"'", "no stream selector"),
        ("{instance=:target}", "", "nothing uses the targets"),
    ],
)
def test_slips_are_found_before_the_morning(tmp_path: Path, was: str, becomes: str, words: str) -> None:
    """A name, a unit or a bracket that is wrong is told when the list is loaded."""
    assert was in ITEMS
    problems, _ = _loaded(tmp_path, ITEMS.replace(was, becomes))
    assert words in "\n".join(problems)


@pytest.mark.parametrize(
    ("more", "keys"),
    [
        ({}, []),
        ({"query": " "}, ["query"]),
        ({"query": "vector(1)"}, ["query"]),
        ({"query": "up" + " + up" * 1000}, ["query"]),
        ({"query": "up == :target"}, ["query"]),
        ({"labels": ("a-b", "a", "a")}, ["labels", "labels"]),
        ({"samples": ("up > 0", "sum(up)", "up[5m]", "up offset 1h", "up")}, ["samples"] * 4),
        ({"max_age": "0 s"}, ["max_age"]),
        ({"step": "1 min", "counter": True, "skip_nan": True}, ["step", "counter", "skip_nan"]),
        ({"since": "yesterday"}, ["since"]),
        ({"since": "0 s"}, ["since"]),
        ({"since": "9000 d"}, ["since"]),
        ({"since": "7 d", "step": "1 min"}, ["step"]),
        ({"since": "7 d", "step": "1500 ms"}, ["step"]),
        ({"since": "window", "step": "1 min"}, []),
        ({"since": "7 d", "min_coverage": Decimal(101)}, ["min_coverage"]),
        ({"url": "", "source": ""}, ["url"]),
    ],
)
def test_options_of_prometheus(more: dict[str, Any], keys: list[str]) -> None:
    """Each mistake is told with the key that it is in."""
    lengths = {key: Duration.parse(more[key]) for key in ("max_age", "step") if key in more}
    options = PrometheusOptions(**{"url": "http://prometheus.example", "query": "up"} | more | lengths)
    assert [key for key, _ in prometheus.KIND.validate(options)] == keys


@pytest.mark.parametrize(
    ("more", "keys"),
    [
        ({}, []),
        ({"selector": '{app="a"} |= "x"'}, ["selector"]),
        ({"selector": "{}"}, ["selector"]),
        ({"selector": '{app="}"}', "filters": ('|= "a"', "!= `b`", "|~ 'c'", "| json", "|> `<_> x`")}, []),
        ({"filters": ("ERROR", "json")}, ["filters", "filters"]),
        ({"patterns": {"count": "x", "No": "x", "empty": ""}}, ["patterns"] * 3),
        ({"patterns": {f"p{each}": "x" for each in range(21)}}, ["patterns"]),
        ({"patterns": {"long": "x" * 5000}}, ["selector"]),
        ({"by": ("a b",)}, ["by"]),
        ({"since": "1 m"}, ["since"]),
        ({"max_age": Duration.parse("0 s")}, ["max_age"]),
        ({"labels": ("a",), "partial": True}, ["labels", "partial"]),
        ({"query": "sum(rate({a='b'}[5m])", "by": ("a",)}, ["by", "query"]),
    ],
)
def test_options_of_loki(more: dict[str, Any], keys: list[str]) -> None:
    """Each mistake is told with the key that it is in."""
    options = LokiOptions(**{"url": "http://loki.example", "selector": '{app="a"}'} | more)
    assert [key for key, _ in loki.KIND.validate(options)] == keys


NOW = dt.datetime(2026, 3, 8, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def test_the_stretch_of_time() -> None:
    """It ends now, or with the period that the run looks back over; what is still to come is no measurement."""
    assert span_of("2 h", context(now=NOW)).seconds == 7200
    assert span_of("scheduled", context(now=NOW)).begins == NOW - dt.timedelta(hours=1)
    past = span_of("window", context(now=NOW, window=Window(NOW.date(), NOW.date(), NOW - 2 * DAY, NOW - DAY)))
    assert (past.ends, past.live) == (NOW - DAY, False)
    present = span_of("window", context(now=NOW, window=Window(NOW.date(), NOW.date(), NOW - DAY, NOW + DAY)))
    assert (present.ends, present.live) == (NOW, True)
    for since, changes, reason in (
        ("window", {"window": Window(NOW.date(), NOW.date(), NOW + DAY, NOW + 2 * DAY)}, "too-early"),
        ("scheduled", {"scheduled": NOW + DAY}, "too-early"),
        ("scheduled", {"scheduled": None}, "no-schedule"),
    ):
        with pytest.raises(ProbeError) as caught:
            span_of(since, context(now=NOW, **changes))
        assert caught.value.problem.reason == reason
