"""Works out what a query comes to, from metrics that are curves: the part of PromQL that promql.py reads."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opsconsole.demo.golive.metrics import SCRAPED_EVERY, Metric, Metrics
from opsconsole.demo.golive.promql import (
    Aggregation,
    Binary,
    Call,
    Literal,
    Node,
    QueryError,
    Selector,
    Subquery,
    Text,
)

NAME = "__name__"
LOOKBACK = 300.0
"""Seconds for which a sample is shown."""
_MOST_SAMPLES = 170
"""Of a range that are looked at, spread over it."""
_MOST_SUBQUERY = 2_000


@dataclass(frozen=True, slots=True)
class Point:
    """One series at an instant."""

    labels: Mapping[str, str]
    value: float


Vector = list[Point]


class Evaluator:
    """Answers queries about metrics at instants."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def value(self, node: Node, when: float) -> float | Vector:
        """Return what an expression comes to at an instant; raise QueryError where it has no value."""
        match node:
            case Literal(value):
                return value
            case Selector(_, _, 0.0):
                return [
                    Point(each.labels, each.value(at, self._metrics.born)) for each, at in self._shown(node, when)
                ]
            case Call():
                return self._call(node, when)
            case Aggregation():
                return _aggregated(node, self._vector(node.inner, when))
            case Binary():
                return _combined(node.operator, self.value(node.left, when), self.value(node.right, when))
            case _:
                raise QueryError("a range or a text has no value here: expected type instant vector")

    # --- selectors -----------------------------------------------------------------------------------

    def _selected(self, node: Selector) -> Iterator[Metric]:
        for each in self._metrics.named(node.name):
            if all(matcher.holds(each.labels.get(matcher.label, "")) for matcher in node.matchers):
                yield each

    def _shown(self, node: Selector, when: float) -> Iterator[tuple[Metric, float]]:
        """Yield the series that have a sample which is shown at an instant, each with the time of that."""
        when -= node.offset
        for each in self._selected(node):
            at = each.scraped(when)
            if when - at < LOOKBACK and at >= each.since:
                yield each, at

    def _ranges(self, node: Selector, when: float) -> Iterator[tuple[Metric, float, float]]:
        """Yield the series that have two samples in a range, each with the first and last times."""
        when -= node.offset
        for each in self._selected(node):
            end = each.scraped(when)
            begin = max(when - node.window, each.since)
            begin += (each.scraped(begin) < begin) * SCRAPED_EVERY - (begin - each.scraped(begin))
            if end > begin:
                yield each, begin, end

    def _vector(self, node: Node, when: float) -> Vector:
        found = self.value(node, when)
        if isinstance(found, float):
            raise QueryError("expected type instant vector, got scalar")
        return found

    # --- functions -----------------------------------------------------------------------------------

    def _call(self, node: Call, when: float) -> float | Vector:
        arguments = node.arguments
        match node.function:
            case "time":
                return when
            case "vector":
                return [Point({}, _scalar(self.value(arguments[0], when)))]
            case "timestamp":
                return self._timestamps(arguments[0], when)
            case "rate" | "increase":
                return list(self._rates(_range(arguments[0]), when, each_second=node.function == "rate"))
            case "predict_linear":
                ahead = _scalar(self.value(arguments[1], when))
                return list(self._predicted(_range(arguments[0]), when, ahead))
            case "histogram_quantile":
                return list(_quantiles(_scalar(self.value(arguments[0], when)), self._vector(arguments[1], when)))
            case "label_replace":
                return _relabelled(self._vector(arguments[0], when), [_text(each) for each in arguments[1:]])
            case _:
                return self._over_time(arguments[0], when, _OVER_TIME[node.function])

    def _timestamps(self, node: Node, when: float) -> Vector:
        if isinstance(node, Selector) and not node.window:
            return [Point(_nameless(each.labels), at) for each, at in self._shown(node, when)]
        return [Point(_nameless(each.labels), when) for each in self._vector(node, when)]

    def _rates(self, node: Selector, when: float, *, each_second: bool) -> Iterator[Point]:
        for each, begin, end in self._ranges(node, when):
            if not each.counter:
                raise QueryError(f"the metric {each.labels[NAME]} is no counter")
            reaches = min(node.window, end - begin + SCRAPED_EVERY)
            increase = each.curve.sum(begin, end) * reaches / (end - begin)
            yield Point(_nameless(each.labels), increase / node.window if each_second else increase)

    def _predicted(self, node: Selector, when: float, ahead: float) -> Iterator[Point]:
        for each, begin, end in self._ranges(node, when):
            times = _spread(begin, end)
            values = [each.value(at, self._metrics.born) for at in times]
            middle, mean = sum(times) / len(times), sum(values) / len(values)
            spread = sum((at - middle) ** 2 for at in times)
            slope = sum((at - middle) * value for at, value in zip(times, values, strict=True)) / spread
            yield Point(_nameless(each.labels), mean + slope * (when + ahead - middle))

    def _over_time(self, node: Node, when: float, function: Callable[[Sequence[float]], float]) -> Vector:
        if isinstance(node, Subquery):
            return self._over_subquery(node, when, function)
        found = []
        for each, begin, end in self._ranges(_range(node), when):
            values = [each.value(at, self._metrics.born) for at in _spread(begin, end)]
            found.append(Point(_nameless(each.labels), function(values)))
        return found

    def _over_subquery(self, node: Subquery, when: float, function: Callable[[Sequence[float]], float]) -> Vector:
        if node.window / node.step > _MOST_SUBQUERY:
            raise QueryError("query processing would load too many samples into memory in query execution")
        seen: dict[tuple[tuple[str, str], ...], list[float]] = {}
        at = math.floor(when / node.step) * node.step
        while at > when - node.window:
            for each in self._vector(node.inner, at):
                seen.setdefault(tuple(sorted(each.labels.items())), []).append(each.value)
            at -= node.step
        return [Point(_nameless(dict(labels)), function(values)) for labels, values in seen.items()]


_OVER_TIME: Mapping[str, Callable[[Sequence[float]], float]] = {
    "min_over_time": min,
    "max_over_time": max,
    "avg_over_time": lambda values: sum(values) / len(values),
}
_SUMS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum,
    "min": min,
    "max": max,
    "avg": lambda values: math.fsum(values) / len(values),
    "count": lambda values: float(len(values)),
}


def _spread(begin: float, end: float) -> list[float]:
    """Return times of samples of a range, its first and last among them."""
    parts = max(1, min(_MOST_SAMPLES, int((end - begin) // SCRAPED_EVERY)))
    return [begin + (end - begin) * part / parts for part in range(parts + 1)]


def _nameless(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != NAME}


def _range(node: Node) -> Selector:
    if not isinstance(node, Selector) or not node.window:
        raise QueryError("parse error: expected type range vector in call to function, got instant vector")
    return node


def _scalar(found: float | Vector) -> float:
    if not isinstance(found, float):
        raise QueryError("parse error: expected type scalar in call to function, got instant vector")
    return found


def _text(node: Node) -> str:
    if not isinstance(node, Text):
        raise QueryError("parse error: expected type string in call to function")
    return node.value


def _aggregated(node: Aggregation, vector: Vector) -> Vector:
    groups: dict[tuple[tuple[str, str], ...], list[float]] = {}
    for each in vector:
        key = tuple((name, each.labels[name]) for name in node.by if name in each.labels)
        groups.setdefault(key, []).append(each.value)
    return [Point(dict(key), _SUMS[node.function](values)) for key, values in groups.items()]


def _relabelled(vector: Vector, texts: Sequence[str]) -> Vector:
    target, replacement, source, pattern = texts
    found = []
    for each in vector:
        match = re.fullmatch(pattern, each.labels.get(source, ""))
        labels = dict(each.labels)
        if match is not None:
            labels[target] = match.expand(re.sub(r"\$(\d+)", r"\\\1", replacement))
        found.append(Point({name: value for name, value in labels.items() if value}, each.value))
    return found


def _quantiles(share: float, vector: Vector) -> Iterator[Point]:
    """Yield the quantile of each histogram, as Prometheus does it: by a straight line within a bucket."""
    histograms: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for each in vector:
        key = tuple(sorted((name, value) for name, value in _nameless(each.labels).items() if name != "le"))
        histograms.setdefault(key, []).append((float(each.labels.get("le", "nan")), each.value))
    for key, found in histograms.items():
        buckets = sorted(found)
        if math.isinf(buckets[-1][0]):
            yield Point(dict(key), _quantile(share, buckets))


def _quantile(share: float, buckets: Sequence[tuple[float, float]]) -> float:
    whole = buckets[-1][1]
    if not whole or len(buckets) == 1:
        return math.nan
    wanted = share * whole
    low, below = 0.0, 0.0
    for limit, count in buckets:
        if count >= wanted:
            return low if math.isinf(limit) else low + (limit - low) * (wanted - below) / ((count - below) or 1)
        low, below = limit, count
    return math.nan


# --- operators ---------------------------------------------------------------------------------------

_ARITHMETIC: Mapping[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right if right else (math.nan if not left else math.copysign(math.inf, left)),
}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _combined(operator: str, left: float | Vector, right: float | Vector) -> float | Vector:
    if operator in {"or", "and", "unless"}:
        return _sets(operator, left, right)
    if isinstance(left, float) and isinstance(right, float):
        if operator in _COMPARISONS:
            raise QueryError("parse error: comparisons between scalars must use BOOL modifier")
        return _ARITHMETIC[operator](left, right)
    found: Vector = []
    for labels, one, other in _pairs(left, right):
        if operator in _ARITHMETIC:
            found.append(Point(_nameless(labels), _ARITHMETIC[operator](one, other)))
        elif _COMPARISONS[operator](one, other):
            found.append(Point(labels, other if isinstance(left, float) else one))
    return found


def _pairs(left: float | Vector, right: float | Vector) -> Iterator[tuple[Mapping[str, str], float, float]]:
    if isinstance(left, float):
        yield from ((each.labels, left, each.value) for each in _points(right))
    elif isinstance(right, float):
        yield from ((each.labels, each.value, right) for each in left)
    else:
        others = {_key(each): each.value for each in right}
        if len(others) < len(right):
            raise QueryError("found duplicate series for the match group on the right hand-side of the operation")
        yield from ((each.labels, each.value, others[_key(each)]) for each in left if _key(each) in others)


def _points(found: float | Vector) -> Vector:
    if isinstance(found, float):
        raise QueryError("parse error: set operator not allowed in binary scalar expression")
    return found


def _sets(operator: str, left: float | Vector, right: float | Vector) -> Vector:
    ours, theirs = _points(left), _points(right)
    here, there = {_key(each) for each in ours}, {_key(each) for each in theirs}
    match operator:
        case "or":
            return [*ours, *(each for each in theirs if _key(each) not in here)]
        case "and":
            return [each for each in ours if _key(each) in there]
        case _:
            return [each for each in ours if _key(each) not in there]


def _key(each: Point) -> frozenset[tuple[str, str]]:
    return frozenset(_nameless(each.labels).items())
