"""Stands for Prometheus: its query API over the metrics of the demo.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from opsconsole.demo.golive.faults import Fault
from opsconsole.demo.golive.metrics import Metrics
from opsconsole.demo.golive.promeval import Evaluator, Vector
from opsconsole.demo.golive.promql import Node, QueryError, parsed
from opsconsole.demo.golive.system import Site
from opsconsole.demo.web import Answer, Asked, as_json

_MOST_POINTS = 11_000
_CACHED = 3600.0
"""How old the answers of the cache are."""


class Prometheus:
    """Answers what is asked of Prometheus."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._evaluator = Evaluator(Metrics(site))
        self._trees: dict[str, Node] = {}

    def answer(self, asked: Asked) -> Answer | None:
        """Return the answer to a request; None for a path that there is not."""
        match asked.path:
            case "/-/ready":
                return Answer(b"Prometheus Server is Ready.\n", content_type="text/plain; charset=utf-8")
            case "/-/healthy":
                return Answer(b"Prometheus Server is Healthy.\n", content_type="text/plain; charset=utf-8")
            case "/api/v1/query":
                return _answered(lambda: self._instant(asked))
            case "/api/v1/query_range":
                return _answered(lambda: self._range(asked))
            case "/api/v1/status/buildinfo":
                return as_json({"status": "success", "data": {"version": "the opsconsole demo's stand-in"}})
        return None

    def _tree(self, asked: Asked) -> Node:
        query = asked.query.get("query", "")
        if query not in self._trees:
            try:
                self._trees[query] = parsed(query)
            except QueryError as error:
                raise QueryError(f'invalid parameter "query": {error}') from None
        return self._trees[query]

    @property
    def _late(self) -> float:
        return _CACHED if self._site.fault is Fault.STALE_METRICS else 0.0

    def _instant(self, asked: Asked) -> dict[str, Any]:
        when = _number(asked, "time", self._site.now) - self._late
        found = self._evaluator.value(self._tree(asked), when)
        if isinstance(found, float):
            return {"resultType": "scalar", "result": [round(when, 3), written(found)]}
        return {
            "resultType": "vector",
            "result": [
                {"metric": dict(each.labels), "value": [round(when, 3), written(each.value)]} for each in found
            ],
        }

    def _range(self, asked: Asked) -> dict[str, Any]:
        start, end, step = (_number(asked, name) for name in ("start", "end", "step"))
        if step <= 0 or end < start or (end - start) / step > _MOST_POINTS:
            raise QueryError(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution"
            )
        last = min(end, self._site.now - self._late)
        tree = self._tree(asked)
        series: dict[tuple[tuple[str, str], ...], list[list[Any]]] = {}
        for index in range(math.floor((end - start) / step) + 1):
            when = start + index * step
            if when > last:
                break
            for labels, value in _pairs(self._evaluator.value(tree, when)):
                series.setdefault(labels, []).append([round(when, 3), written(value)])
        return {
            "resultType": "matrix",
            "result": [{"metric": dict(labels), "values": values} for labels, values in series.items()],
        }


def _pairs(found: float | Vector) -> list[tuple[tuple[tuple[str, str], ...], float]]:
    if isinstance(found, float):
        return [((), found)]
    return [(tuple(sorted(each.labels.items())), each.value) for each in found]


def _answered(work: Callable[[], dict[str, Any]]) -> Answer:
    try:
        return as_json({"status": "success", "data": work()})
    except QueryError as error:
        return as_json({"status": "error", "errorType": "bad_data", "error": str(error)}, status=400)


def _number(asked: Asked, name: str, default: float | None = None) -> float:
    text = asked.query.get(name, "")
    if not text and default is not None:
        return default
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise QueryError(f'invalid parameter "{name}": cannot parse "{text}" to a valid timestamp')
    return found


def written(value: float) -> str:
    """Return a number as Prometheus writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{Decimal(repr(value)):f}".removesuffix(".0")
