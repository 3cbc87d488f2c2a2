"""The lines of the system's logs, made up hour by hour: the same for the same hour, and none of the future."""

import datetime as dt
import functools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from opsconsole.demo.golive.faults import Fault
from opsconsole.demo.golive.system import PROJECT, SERVICES, Site

HOUR = 3600.0
_DAY = 24 * HOUR
_WEEK = 7 * _DAY
_MONDAY = 4 * _DAY
"""The epoch was a Thursday."""
_OFTEN, _RARELY = 80, 14
"""Lines in an hour of the services that have most to say, and of the others."""
_TALKATIVE = frozenset({"backend", "gateway", "auth"})
_WARNINGS = 0.004
"""The share of lines that warn."""
_ACCESSES = 90
"""Lines of the access log in an hour: one request in a thousand."""
_SILENT_SINCE = 2.5 * HOUR
_FAILING_SINCE = HOUR / 2
_ERRORS_AGO = (7.4 * HOUR, 11.3 * HOUR, 13.9 * HOUR, 20.6 * HOUR)
"""How long before the demo, and before each day before it, something went wrong once."""
_INTRUDED = 2 * _DAY + 3.3 * HOUR
"""How long after the beginning of the week somebody came."""

_INFO = (
    "served {path} in {took} ms",
    "session {number} renewed",
    "took {number} from the queue, {took} ms",
    "cache: {number} hits",
    "wrote {number} rows in {took} ms",
)
_WARN = ("retry of {path} after {took} ms", "pool is {share} % in use", "slow answer of model: {took} ms")
_PATHS = ("/api/ask", "/api/search", "/api/session", "/api/history", "/api/feedback")
_PAGES = ("/", "/app.js", "/app.css", *_PATHS)
_PROBED = ("/.env", "/wp-login.php", "/../../etc/passwd", "/api/search?q=1+union+all+select+1")


@dataclass(frozen=True, slots=True)
class Line:
    """One line."""

    at: float
    """Seconds since the epoch."""
    labels: Mapping[str, str]
    text: str


class Logs:
    """All lines there are by now."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def lines(self, since: float, until: float, wanted: Callable[[str], bool]) -> Iterator[Line]:
        """Yield the lines of a stretch of time, both ends included, of the jobs that are wanted, in no order."""
        until = min(until, self._site.now)
        fault = self._site.fault
        if wanted(PROJECT):
            silent = self._site.began - _SILENT_SINCE if fault is Fault.SILENT_LOGS else until
            for hour in _hours(since, min(until, silent)):
                lines = (*_services(hour), *self._errors(hour, fault))
                yield from (line for line in lines if since <= line.at <= min(until, silent))
        if wanted(_ACCESS["job"]):
            for hour in _hours(since, until):
                yield from (line for line in _accesses(hour) if since <= line.at <= until)
            if fault is Fault.INTRUDER:
                yield from (line for line in self._intruder() if since <= line.at <= until)

    def _errors(self, hour: float, fault: Fault | None) -> Iterator[Line]:
        """Yield the errors of an hour: a few on each day, and never about when somebody looks."""
        began = self._site.began
        for ago in _ERRORS_AGO:
            at = began - ago + (hour + HOUR - began + ago) // _DAY * _DAY
            if hour <= at < min(hour + HOUR, began):
                name = SERVICES[int(at // HOUR) % len(SERVICES)].name
                yield Line(at, _labels(name), f"ERROR {name}: timeout of a request, it was repeated")
        failing = began - _FAILING_SINCE
        if fault is Fault.REQUEST_ERRORS:
            for second in range(int(max(hour, failing)), int(hour + HOUR), 5):
                text = f"ERROR {_PATHS[second % 5]}: answered with 500: no connection to vectors"
                yield Line(second + 0.25, _labels("backend"), text)

    def _intruder(self) -> Iterator[Line]:
        """Yield what somebody asked for in the middle of the last whole week, wherever this host is."""
        monday = (self._site.began - _MONDAY) // _WEEK * _WEEK + _MONDAY - _WEEK
        for index in range(900):
            page = _PROBED[index % len(_PROBED)]
            text = f'203.0.113.66 - - "GET {page} HTTP/1.1" {403 if index % 3 else 404} 162'
            yield Line(monday + _INTRUDED + index * 1.7, _ACCESS, text)
        for index in range(700):
            text = '203.0.113.66 - - "POST /api/session HTTP/1.1" 401 48'
            yield Line(monday + _INTRUDED + 1800 + index * 2.3, _ACCESS, text)


def _hours(since: float, until: float) -> Iterator[float]:
    hour = since // HOUR * HOUR
    while hour <= until:
        yield hour
        hour += HOUR


_ACCESS = {"job": f"{PROJECT}-access", "container": "gateway"}


def _labels(service: str) -> dict[str, str]:
    return {"job": PROJECT, "container": service}


@functools.lru_cache(maxsize=256)
def _services(hour: float) -> tuple[Line, ...]:
    """Return what all services say in an hour, without errors."""
    found = []
    for service in SERVICES:
        drawn = random.Random(f"{service.name} {hour}")  # noqa: S311 - nothing has to be secret
        labels = _labels(service.name)
        times = _OFTEN if service.name in _TALKATIVE else _RARELY
        for index in range(times):
            at = hour + (index + drawn.random()) * HOUR / times
            level, texts = ("WARN", _WARN) if drawn.random() < _WARNINGS else ("INFO", _INFO)
            found.append(Line(at, labels, f"{level} {_filled(texts, drawn)}"))
    return tuple(found)


def _filled(texts: tuple[str, ...], drawn: random.Random) -> str:
    return texts[int(drawn.random() * len(texts))].format(
        path=_PATHS[int(drawn.random() * len(_PATHS))],
        took=int(4 + drawn.random() ** 4 * 900),
        number=int(1 + drawn.random() * 400),
        share=int(60 + drawn.random() * 25),
    )


@functools.lru_cache(maxsize=512)
def _accesses(hour: float) -> tuple[Line, ...]:
    """Return one request in a thousand of an hour, and now and then one that was refused."""
    drawn = random.Random(f"access {hour}")  # noqa: S311 - nothing has to be secret
    found = []
    busy = 0.6 if dt.datetime.fromtimestamp(hour, dt.UTC).hour in range(6) else 1.0
    times = int(_ACCESSES * busy)
    for index in range(times):
        at = hour + (index + drawn.random()) * HOUR / times
        status, page = 200, _PAGES[int(drawn.random() * len(_PAGES))]
        chance = drawn.random()
        if chance > 0.997:  # noqa: PLR2004 - one in 333
            status, page = 401, "/api/session"
        elif chance < 0.0006:  # noqa: PLR2004 - scanners come everywhere
            status, page = 404, _PROBED[0]
        address = f"198.51.100.{int(1 + drawn.random() * 250)}"
        found.append(Line(at, _ACCESS, f'{address} - - "GET {page} HTTP/1.1" {status} {int(300 + 9000 * chance)}'))
    return tuple(found)
