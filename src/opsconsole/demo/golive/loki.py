"""Stands for Loki: counts and shows the lines of the demo's logs, for the part of LogQL that the probe writes.

Formats: https://grafana.com/docs/loki/latest/reference/loki-http-api/ and .../query/. A count holds the end of its
range and not the beginning, a range of lines the other way round; errors are plain text.
"""

import heapq
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from opsconsole.demo.golive.logs import Line, Logs
from opsconsole.demo.golive.promql import Matcher
from opsconsole.demo.golive.system import Site
from opsconsole.demo.web import Answer, Asked, as_json

_MOST_LINES = 5_000
_LONGEST = 721 * 3600.0
_NANOSECONDS = 10**9
_TEXT = r'"(?:[^"\\]|\\.)*"|`[^`]*`'
_SELECTOR = re.compile(rf"\s*\{{((?:{_TEXT}|[^}}\"`])*)\}}")
_MATCHER = re.compile(rf"\s*([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*({_TEXT})\s*(?:,|$)")
_FILTER = re.compile(rf"\s*(\|=|!=|\|~|!~)\s*({_TEXT})")
_COUNT = re.compile(
    r"sum(?:\s*by\s*\((?P<by>[^)]*)\))?\s*\(\s*count_over_time\s*\((?P<lines>.*)\[(?P<seconds>\d+)s\]\s*\)\s*\)",
    re.DOTALL,
)


class _Refusal(Exception):
    """A request that is answered with status 400 and this text."""


@dataclass(frozen=True, slots=True)
class _Query:
    """Which lines are meant."""

    matchers: tuple[Matcher, ...]
    filters: tuple[Callable[[str], bool], ...]

    def of_job(self, job: str) -> bool:
        """Return whether lines with that label `job` may be among them."""
        return all(each.holds(job) for each in self.matchers if each.label == "job")

    def wants(self, line: Line) -> bool:
        """Return whether a line is one of them."""
        return all(each.holds(line.labels.get(each.label, "")) for each in self.matchers) and all(
            each(line.text) for each in self.filters
        )


class Loki:
    """Answers what is asked of Loki."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._logs = Logs(site)

    def answer(self, asked: Asked) -> Answer | None:
        """Return the answer to a request; None for a path that there is not."""
        try:
            match asked.path:
                case "/ready":
                    return Answer(b"ready\n", content_type="text/plain; charset=utf-8")
                case "/loki/api/v1/query":
                    return _data("vector", self._counted(asked))
                case "/loki/api/v1/query_range":
                    return _data("streams", self._shown(asked))
        except _Refusal as refusal:
            return Answer(str(refusal).encode(), 400, "text/plain; charset=utf-8")
        return None

    def _counted(self, asked: Asked) -> list[Any]:
        match = _COUNT.fullmatch(asked.query.get("query", "").strip())
        if match is None:
            raise _Refusal("parse error: a sum of count_over_time is all that is counted here")
        until, seconds = _instant(asked, "time", self._site.now), float(match["seconds"])
        by = [each.strip() for each in (match["by"] or "").split(",") if each.strip()]
        counts: Counter[tuple[tuple[str, str], ...]] = Counter()
        for line in self._found(_parsed(match["lines"]), until - seconds, until):
            if line.at > until - seconds:
                counts[tuple((name, line.labels[name]) for name in by if name in line.labels)] += 1
        return [{"metric": dict(key), "value": [until, str(count)]} for key, count in counts.items()]

    def _shown(self, asked: Asked) -> list[Any]:
        end = _instant(asked, "end", self._site.now)
        start = _instant(asked, "start", end - 3600)
        limit = int(_number(asked, "limit", 100))
        if limit > _MOST_LINES:
            raise _Refusal(
                f"max entries limit per query exceeded, limit > max_entries_limit ({limit} > {_MOST_LINES})"
            )
        query = _parsed(asked.query.get("query", ""))
        backward = asked.query.get("direction", "backward") != "forward"
        lines = (line for line in self._found(query, start, end) if line.at < end)
        first = heapq.nlargest if backward else heapq.nsmallest
        streams: dict[tuple[tuple[str, str], ...], list[list[str]]] = {}
        for line in first(limit, lines, key=lambda line: line.at):
            key = tuple(sorted(line.labels.items()))
            streams.setdefault(key, []).append([str(int(line.at * _NANOSECONDS)), line.text])
        return [{"stream": dict(key), "values": values} for key, values in streams.items()]

    def _found(self, query: _Query, since: float, until: float) -> Iterator[Line]:
        if until - since > _LONGEST:
            raise _Refusal("the query time range exceeds the limit (query length: too long, limit: 30d1h)")
        return filter(query.wants, self._logs.lines(since, until, query.of_job))


def _data(kind: str, result: list[Any]) -> Answer:
    return as_json({"status": "success", "data": {"resultType": kind, "result": result, "stats": {}}})


def _parsed(query: str) -> _Query:
    match = _SELECTOR.match(query)
    if match is None:
        raise _Refusal("parse error at line 1, col 1: syntax error: unexpected $end, expecting {")
    matchers = tuple(
        Matcher(name, operator, _plain(text)) for name, operator, text in _all(_MATCHER, match[1].strip())
    )
    if not any(each.operator in {"=", "=~"} and not each.holds("") for each in matchers):
        raise _Refusal(
            "parse error : queries require at least one regexp or equality matcher that does not have an empty-"
            'compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will'
        )
    filters = tuple(
        _filter(operator, _plain(text)) for operator, text in _all(_FILTER, query[match.end() :].strip())
    )
    return _Query(matchers, filters)


def _all(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, ...]]:
    at = 0
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:
            raise _Refusal(
                f"parse error at line 1, col {at + 1}: syntax error: what the demo reads is lines that are "
                "selected by labels and filtered by |=, |~, != or !~"
            )
        yield match.groups()
        at = match.end()


def _filter(operator: str, wanted: str) -> Callable[[str], bool]:
    absent = operator.startswith("!")
    if "~" not in operator:
        return lambda text: (wanted in text) is not absent
    try:
        pattern = re.compile(wanted.replace("(?:(?i)", "(?i:"))  # RE2 takes flags at the beginning of any group
    except re.error as error:
        raise _Refusal(f"parse error at line 1, col 1: error parsing regexp: {error}") from None
    return lambda text: (pattern.search(text) is not None) is not absent


def _plain(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    try:
        return str(json.loads(text))
    except ValueError:
        raise _Refusal(f"parse error at line 1, col 1: invalid char escape in {text}") from None


def _instant(asked: Asked, name: str, default: float) -> float:
    """Return a time in seconds; the API takes it in nanoseconds."""
    return _number(asked, name, default * _NANOSECONDS) / _NANOSECONDS


def _number(asked: Asked, name: str, default: float) -> float:
    text = asked.query.get(name, "")
    try:
        found = float(text) if text else default
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise _Refusal(f'could not parse "{text}" as a number for {name}')
    return found
