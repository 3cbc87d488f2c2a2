"""The query API of Prometheus, which Loki, Thanos, Mimir and VictoriaMetrics speak too: reads its answers.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/ and, for streams and errors as plain text,
https://grafana.com/docs/loki/latest/reference/loki-http-api/. An answer is foreign text: whatever is not of that
form is a ProbeError, never an empty result.
"""

import asyncio
import datetime as dt
import re
import shlex
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from opsconsole.checks._http import Answer, Endpoint, refusal
from opsconsole.contracts.probe import Context, ProbeError
from opsconsole.model.readings import Evidence
from opsconsole.model.text import shortened

T = TypeVar("T")

VECTOR, MATRIX, SCALAR, STRING, STREAMS = "vector", "matrix", "scalar", "string", "streams"

MAX_QUERY = 4_000
"""Characters of a query; it goes into the URL."""

_MOST_SAID = 300
"""Characters of a server's own words in a cause."""
_MOST_NOTES = 20
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?|[+-]?Inf|NaN", re.ASCII)
"""How Go writes a float64: strconv.FormatFloat with the format 'f', and 'e' where that is shorter."""
_MOST_DIGITS = 400
"""Characters of a number; the greatest float64 has 309 digits."""
_NOT_A_NUMBER = Decimal("NaN")
_PARTIAL = "it is partial, for a part of the storage did not answer"
CLOCK = 60.0
"""Seconds that two clocks may lie apart; beyond that an answer is of another time than the one asked for."""


class Sample(msgspec.Struct, frozen=True):
    """One value of a series."""

    at: dt.datetime
    value: Decimal
    """May be NaN or infinite."""


class Series(msgspec.Struct, frozen=True):
    """Samples of one set of labels: one in a vector, in the order of time in a matrix."""

    labels: Mapping[str, str]
    samples: Sequence[Sample]


class Line(msgspec.Struct, frozen=True):
    """One line of a log; the text is hostile."""

    at: dt.datetime
    labels: Mapping[str, str]
    text: str


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What a query came to."""

    kind: str
    """`vector`, `matrix`, `scalar`, `string` or `streams`."""
    series: Sequence[Series] = ()
    """Of a vector and a matrix; of a scalar the one value, without labels."""
    lines: Sequence[Line] = ()
    """Of streams, the newest first."""
    text: str = ""
    """Of a string."""
    at: dt.datetime | None = None
    """The instant that the query was evaluated for, where the answer says it."""
    warnings: tuple[str, ...] = ()
    """Why the result may not be all of it, or not right."""
    infos: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[Evidence, ...]:
        """Return what the server says about its answer, as evidence."""
        found = (("warnings of the server", self.warnings), ("notes of the server", self.infos))
        return tuple(Evidence(title, "\n".join(texts)) for title, texts in found if texts)


# --- what is decoded -------------------------------------------------------------------------------


class _Envelope(msgspec.Struct):
    status: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    errorType: str = ""  # noqa: N815 - the API's own name
    error: str = ""
    warnings: list[str] | None = None
    infos: list[str] | None = None
    isPartial: bool = False  # noqa: N815 - that of a cluster of VictoriaMetrics, which gives no warning


class _Data(msgspec.Struct):
    resultType: str  # noqa: N815 - the API's own name
    result: msgspec.Raw


_Pair = tuple[Decimal, str]


class _OfVector(msgspec.Struct):
    metric: dict[str, str]
    value: _Pair | None = None
    histogram: Any = None


class _OfMatrix(msgspec.Struct):
    metric: dict[str, str]
    values: list[_Pair] = []
    histograms: Any = None


class _OfStreams(msgspec.Struct):
    stream: dict[str, str]
    values: list[list[Any]]


def answered(endpoint: Endpoint, answer: Answer) -> Answered:
    """Return what a server answered to a query; raise ProbeError where it is an error, or no such answer."""
    envelope = _envelope(endpoint, answer)
    try:
        data = msgspec.json.decode(envelope.data, type=_Data)
        found = _result(endpoint, data)
    except ProbeError:
        raise
    except (msgspec.MsgspecError, ArithmeticError, ValueError, TypeError, RecursionError, OSError) as error:
        raise _foreign(endpoint, answer, f"its result cannot be read: {_line(str(error))}") from None
    partial = (_PARTIAL,) if envelope.isPartial else ()
    warnings = (*partial, *_notes(envelope.warnings))
    return msgspec.structs.replace(found, warnings=warnings, infos=_notes(envelope.infos))


def _envelope(endpoint: Endpoint, answer: Answer) -> _Envelope:
    if answer.status in {401, 403}:
        raise refusal(endpoint, answer)
    try:
        envelope = msgspec.json.decode(answer.body, type=_Envelope)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        envelope = None
    if envelope is not None and envelope.status == "error":
        raise _refused(endpoint, answer, envelope)
    if answer.status != 200:  # noqa: PLR2004 - RFC 9110
        raise _status(endpoint, answer)
    if envelope is None:
        kind = answer.media_type or "something"
        raise _foreign(endpoint, answer, f"{kind} that is no JSON of the query API")
    if envelope.status != "success":
        raise _foreign(endpoint, answer, "it says neither 'success' nor 'error'")
    return envelope


def _result(endpoint: Endpoint, data: _Data) -> Answered:
    match data.resultType:
        case "vector":
            found = msgspec.json.decode(data.result, type=list[_OfVector])
            series = [Series(each.metric, (_sample(_floats(endpoint, each)),)) for each in found]
            return Answered(kind=VECTOR, series=series, at=series[0].samples[0].at if series else None)
        case "matrix":
            rows = msgspec.json.decode(data.result, type=list[_OfMatrix])
            if any(each.histograms for each in rows):
                raise _histogram(endpoint)
            return Answered(
                kind=MATRIX, series=[Series(each.metric, [_sample(pair) for pair in each.values]) for each in rows]
            )
        case "scalar":
            sample = _sample(msgspec.json.decode(data.result, type=_Pair))
            return Answered(kind=SCALAR, series=(Series({}, (sample,)),), at=sample.at)
        case "string":
            at, text = msgspec.json.decode(data.result, type=_Pair)
            return Answered(kind=STRING, text=text, at=_instant(at))
        case "streams":
            streams = msgspec.json.decode(data.result, type=list[_OfStreams])
            lines = [_log_line(each.stream, value) for each in streams for value in each.values]
            return Answered(kind=STREAMS, lines=sorted(lines, key=lambda line: line.at, reverse=True))
        case other:
            raise ValueError(f"results of the type '{other[:40]}' are not known")


def _floats(endpoint: Endpoint, each: _OfVector) -> _Pair:
    if each.value is None:
        if each.histogram is not None:
            raise _histogram(endpoint)
        raise ValueError("a series has no value")
    return each.value


def _sample(pair: _Pair) -> Sample:
    return Sample(_instant(pair[0]), number_of(pair[1]))


def _log_line(labels: Mapping[str, str], value: list[Any]) -> Line:
    if len(value) < 2 or not isinstance(value[0], str) or not isinstance(value[1], str):  # noqa: PLR2004 - a pair
        raise ValueError("a line is no pair of a time and a text")
    if not re.fullmatch(r"[0-9]{1,19}", value[0]):
        raise ValueError("the time of a line is no number of nanoseconds")
    return Line(_instant(Decimal(value[0]) / 10**9), labels, value[1])


def number_of(text: str) -> Decimal:
    """Return a value as Prometheus writes it: `1.5`, `1e-05`, `NaN`, `+Inf`; raise ValueError for another text."""
    if len(text) > _MOST_DIGITS or not _NUMBER.fullmatch(text):
        raise ValueError(f"'{text[:40]}' is no number")
    return _NOT_A_NUMBER if text == "NaN" else Decimal(text)


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = Decimal("0.000001")


def _instant(seconds: Decimal) -> dt.datetime:
    """Return the instant so many seconds after the epoch; raise ValueError or OverflowError beyond the calendar."""
    if not seconds.is_finite() or abs(seconds.adjusted()) > 12:  # noqa: PLR2004 - beyond any date
        raise ValueError("a time lies beyond the calendar")
    return _EPOCH + dt.timedelta(microseconds=int(seconds / _MICROSECOND))


def _notes(texts: list[str] | None) -> tuple[str, ...]:
    given = tuple(_line(each) for each in (texts or ())[:_MOST_NOTES])
    left = len(texts or ()) - len(given)
    return (*given, f"and {left} more") if left else given


def _line(text: str) -> str:
    return shortened(" ".join(text.split()), _MOST_SAID)


# --- what can go wrong -----------------------------------------------------------------------------

_OF_TYPES = {"bad_data": "bad-query", "timeout": "timeout", "canceled": "timeout", "not_found": "not-found"}
"""The reason of a problem by the API's `errorType`; the others (execution, internal, unavailable) are `failed`."""


def _refused(endpoint: Endpoint, answer: Answer, envelope: _Envelope) -> ProbeError:
    """Return the problem that an error of the API is, with the API's own words."""
    reason = _OF_TYPES.get(envelope.errorType, "failed")
    said = _line(envelope.error) or _line(envelope.errorType) or "without a word why"
    hints = {
        "bad-query": "try the query in the server's own console",
        "timeout": "ask for less, a shorter time or fewer series, or let the server record it by a rule",
        "failed": "see the server's own log",
    }
    cause = f"{endpoint.name} answers with an error (status {answer.status}): {said}"
    return ProbeError(reason, cause, hints.get(reason, ""), (answer.evidence(),))


def _status(endpoint: Endpoint, answer: Answer) -> ProbeError:
    """Return the problem that a status is whose body is none of the API's: Loki's plain text, a proxy's page."""
    said = _line(answer.text())
    is_text = answer.media_type == "text/plain" and said
    told = f": {said}" if is_text else ""
    evidence = (answer.evidence(),)
    cause = f"{endpoint.name} answers with status {answer.status}{told}"
    match answer.status:
        case 400 if is_text:
            return ProbeError("bad-query", cause, "try the query in the server's own console", evidence)
        case 404:
            hint = "is the URL that of the server itself, with its prefix if it has one?"
            return ProbeError("not-found", cause, hint, evidence)
        case 408 | 504:
            return ProbeError("timeout", cause, "ask for less: a shorter time, or fewer series", evidence)
        case 429:
            return ProbeError("failed", cause, "it is asked too much at once; ask less often", evidence)
        case 503:
            return ProbeError("failed", cause, "it starts, or is overloaded: see its own log", evidence)
        case status if status < 400:  # noqa: PLR2004 - RFC 9110
            to = _line(answer.headers.get("location", ""))
            more = f" and sends on to {to}" if to else ""
            hint = "name the server itself by its URL; redirects, such as to a login page, are not followed"
            return ProbeError("bad-answer", f"{endpoint.name} answers with status {status}{more}", hint, evidence)
        case _:
            return refusal(endpoint, answer)


def _foreign(endpoint: Endpoint, answer: Answer, why: str) -> ProbeError:
    hint = "does something else answer at its URL, such as a login page or another program?"
    return ProbeError("bad-answer", f"{endpoint.name} does not answer as asked: {why}", hint, (answer.evidence(),))


def _histogram(endpoint: Endpoint) -> ProbeError:
    return ProbeError(
        "bad-query",
        f"{endpoint.name} answers with histograms, which are no numbers",
        "take a number from them: histogram_quantile(0.95, ...), histogram_count or histogram_avg",
    )


def refuse_partial(endpoint: Endpoint, found: Answered) -> None:
    """Raise ProbeError where the server warns of its answer: what is missing may be what is looked for."""
    if found.warnings:
        raise ProbeError(
            "partial",
            f"{endpoint.name} warns of its answer: {found.warnings[0]}",
            "what is left out may be what matters; where it does not, accept it by `partial = true`",
            found.notes,
        )


@asynccontextmanager
async def deadline(endpoint: Endpoint, context: Context) -> AsyncIterator[None]:
    """Give several questions the time of one measurement together; raise ProbeError where that is over."""
    try:
        async with asyncio.timeout(context.allowance):
            yield
    except TimeoutError:
        raise ProbeError(
            "timeout",
            f"{endpoint.name} had not answered all after {context.allowance:.3g} s",
            "ask for less, see whether it is overloaded, or raise `timeout`",
        ) from None


async def together(*work: Awaitable[Any]) -> list[Any]:
    """Wait for all; where one fails, cancel the others and raise its error as it is."""
    tasks = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(each)) for each in work]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _awaited(work: Awaitable[T]) -> T:
    return await work


# --- for a person ----------------------------------------------------------------------------------


def curl(endpoint: Endpoint, path: str, params: Mapping[str, str]) -> str:
    """Return a command line that asks the same, without the secrets that may have to go with it."""
    words = ["curl", "-sG"]
    if endpoint.socket:
        words.append(f"--unix-socket={endpoint.socket}")
    if endpoint.ca:
        words.append(f"--cacert={endpoint.ca}")
    words.append(f"{endpoint.base}/{path}")
    for key, value in params.items():
        words += ["--data-urlencode", f"{key}={value}"]
    return shlex.join(words)


def unix(at: dt.datetime) -> str:
    """Return an instant as the API is told it, in seconds with three decimals."""
    return f"{Decimal((at - _EPOCH) // dt.timedelta(milliseconds=1)) / 1000:.3f}"
