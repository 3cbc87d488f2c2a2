"""A double of Loki on loopback, for Loki has no package that tests could start.

What it says is taken from answers of Loki 3.3.2 that were captured (`loki_answers/`): their envelope with its
statistics, the texts of errors, the types and order of times. Which lines a query selects it works out by itself,
for the part of LogQL that the probe writes: stream selectors, line filters, count_over_time and rate with sum, by
labels. A metric range holds its end and not its beginning, a range of lines the other way round, as documented.
"""

import contextlib
import json
import re
import threading
import time
import urllib.parse
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ANSWERS = Path(__file__).parent / "loki_answers"
MOST_ENTRIES = 5_000
LONGEST = (30 * 24 + 1) * 3600 * 10**9
_SECOND = 10**9


class Refusal(Exception):
    """What is answered instead: the name of a captured answer."""


@dataclass(frozen=True)
class Written:
    """One line."""

    at: int
    """Nanoseconds since the epoch."""
    labels: Mapping[str, str]
    text: str


@dataclass
class LokiDouble:
    """What the double holds, and what is wrong with it."""

    url: str = ""
    lines: list[Written] = field(default_factory=list)
    late: list[Written] = field(default_factory=list)
    """Lines that are shown and were not counted, because they came in between."""
    warnings: list[str] = field(default_factory=list)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    spoil: Callable[[bytes], bytes] = bytes
    """What becomes of a body on its way."""

    def write(self, text: str, *, ago: float = 60.0, times: int = 1, **labels: str) -> None:
        """Write lines, the last so many seconds ago and those before it a millisecond apart."""
        now = time.time_ns()
        for index in range(times):
            at = now - int(ago * _SECOND) - index * 1_000_000
            self.lines.append(Written(at, labels or {"app": "qbr"}, text.replace("{n}", str(index))))

    def answer(self, path: str, params: dict[str, str]) -> tuple[int, str, bytes]:
        """Return status, content type and body."""
        self.asked.append((path, params))
        try:
            kind, result = self._asked(path, params)
        except Refusal as refusal:
            said = captured(str(refusal))
            return int(said["status"]), str(said["content_type"]), str(said["body"]).encode()
        body = json.loads(captured("instant" if kind == "vector" else "range_streams")["body"])
        body["data"] |= {"resultType": kind, "result": result}
        if self.warnings:
            body["warnings"] = self.warnings
        return 200, "application/json; charset=UTF-8", self.spoil(json.dumps(body).encode())

    def _asked(self, path: str, params: Mapping[str, str]) -> tuple[str, list[Any]]:
        match path:
            case "/loki/api/v1/query":
                return self._instant(params)
            case "/loki/api/v1/query_range":
                return self._range(params)
            case _:
                raise Refusal("notfound")

    def _instant(self, params: Mapping[str, str]) -> tuple[str, list[Any]]:
        at = int(params["time"])
        metric = _METRIC.fullmatch(params["query"].strip())
        if metric is None:
            raise Refusal("bad_logql")
        length = int(metric["seconds"]) * _SECOND
        if length > LONGEST:
            raise Refusal("range_too_long")
        by = [each.strip() for each in (metric["by"] or "").split(",") if each.strip()]
        groups: dict[tuple[tuple[str, str], ...], int] = defaultdict(int)
        for each in _selected(self.lines, metric["lines"]):
            if at - length < each.at <= at:
                groups[tuple((name, each.labels[name]) for name in by if name in each.labels)] += 1
        share = int(metric["seconds"]) if metric["function"] == "rate" else 1
        return "vector", [
            {"metric": dict(key), "value": [at / _SECOND, f"{count / share:g}" if share > 1 else str(count)]}
            for key, count in groups.items()
        ]

    def _range(self, params: Mapping[str, str]) -> tuple[str, list[Any]]:
        start, end, limit = int(params["start"]), int(params["end"]), int(params["limit"])
        if limit > MOST_ENTRIES:
            raise Refusal("limit_big")
        if end - start > LONGEST:
            raise Refusal("range_too_long")
        found = [each for each in _selected(self.lines + self.late, params["query"]) if start <= each.at < end]
        newest = sorted(found, key=lambda each: each.at, reverse=params["direction"] == "backward")[:limit]
        streams: dict[tuple[tuple[str, str], ...], list[list[str]]] = defaultdict(list)
        for each in newest:
            streams[tuple(sorted(each.labels.items()))].append([str(each.at), each.text])
        return "streams", [{"stream": dict(key), "values": values} for key, values in streams.items()]


_METRIC = re.compile(
    r"sum(?:\s*by\s*\((?P<by>[^)]*)\))?\s*\((?P<function>count_over_time|rate)\("
    r"(?P<lines>\{.*)\s\[(?P<seconds>\d+)s\]\)\)",
    re.DOTALL,
)
_TEXT = r'"(?:[^"\\]|\\.)*"|`[^`]*`'
_MATCHER = re.compile(rf"\s*([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*({_TEXT})\s*(?:,|$)")
_FILTER = re.compile(rf"\s*(?:(\|=|!=|\|~|!~)\s*({_TEXT})|\|\s*json)")


def captured(name: str) -> Any:
    """Return a captured answer: its path, status, content type and body."""
    return json.loads((ANSWERS / f"{name}.json").read_text())


def _selected(lines: list[Written], query: str) -> list[Written]:
    """Return the lines that a log query selects."""
    match = re.match(rf"\s*\{{((?:{_TEXT}|[^}}\"`])*)\}}", query)
    if match is None:
        raise Refusal("bad_logql")
    matchers = _all(_MATCHER, match[1].strip())
    if not any(operator in {"=", "=~"} and not _holds(operator, "", value) for _, operator, value in matchers):
        raise Refusal("empty_matcher")
    filters = _all(_FILTER, query[match.end() :].rstrip())
    names = {"|=": "=", "!=": "!=", "|~": "=~", "!~": "!~"}
    return [
        each
        for each in lines
        if all(_holds(operator, each.labels.get(name, ""), value) for name, operator, value in matchers)
        and all(_contains(names[operator], each.text, value) for operator, value in filters if operator)
    ]


def _all(pattern: re.Pattern[str], text: str) -> list[Any]:
    found, at = [], 0
    while at < len(text):
        match = pattern.match(text, at)
        if match is None or match.end() == at:
            raise Refusal("bad_logql")
        found.append(tuple(_plain(each) for each in match.groups()))
        at = match.end()
    return found


def _plain(text: str | None) -> str:
    if text is None or text[:1] not in {'"', "`"}:
        return text or ""
    return str(json.loads(text)) if text[0] == '"' else text[1:-1]


def _holds(operator: str, value: str, wanted: str) -> bool:
    same = re.fullmatch(wanted, value) is not None if "~" in operator else value == wanted
    return same is not operator.startswith("!")


def _contains(operator: str, text: str, wanted: str) -> bool:
    pattern = wanted.replace("(?:(?i)", "(?i:")  # RE2 takes flags at the beginning of any group
    found = re.search(pattern, text) is not None if "~" in operator else wanted in text
    return found is not operator.startswith("!")


class _Quiet(ThreadingHTTPServer):
    """Says nothing of a client that went away, as one does that is cancelled."""

    daemon_threads = True

    def handle_error(self, *_args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running_loki() -> Iterator[LokiDouble]:
    """Serve a double of its own, empty, on loopback."""
    double = LokiDouble()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            status, kind, body = double.answer(parts.path, dict(urllib.parse.parse_qsl(parts.query)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            pass

    server = _Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    double.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield double
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
