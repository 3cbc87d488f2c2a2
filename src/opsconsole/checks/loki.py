"""Probe `loki`: how many lines of a log match, counted by Loki, with the newest of them as evidence."""

import asyncio
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated

import msgspec

from opsconsole.checks import _logql
from opsconsole.checks._http import Clients, Endpoint, Server, endpoint_of, server_problems
from opsconsole.checks._promapi import (
    CLOCK,
    MAX_QUERY,
    SCALAR,
    STREAMS,
    VECTOR,
    Answered,
    Line,
    answered,
    curl,
    deadline,
    refuse_partial,
    together,
)
from opsconsole.checks._promql import problem_of, with_target
from opsconsole.checks._promrows import column_of, label_problems, named, series_name, texts_of
from opsconsole.checks._servers import lane_of
from opsconsole.checks._spans import Span, since_problem, span_of
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import MAX_TEXT, Evidence, Reading
from opsconsole.model.text import shortened
from opsconsole.model.values import Duration, Number, Unit, Value, formatted, number, seconds

QUERY, RANGE = "loki/api/v1/query", "loki/api/v1/query_range"
SERIES, VALUE, LINES = "series", "value", "lines"
COUNT, AGE, LATENCY = "count", "age", "latency"

MOST_LINES = 5_000
"""What Loki gives at most, unless it was told otherwise (`max_entries_limit_per_query`)."""
_AT_ONCE = 4
"""Questions that one measurement has open together."""
_LINE_CHARACTERS = 2_000
_TAKEN = frozenset({COUNT, AGE, LATENCY, LINES, SERIES, VALUE})
_MOST_PATTERNS = 20
_NANOSECOND = 1_000
"""Of a microsecond."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class LokiOptions(Server, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `loki`."""

    selector: str
    """Whose lines: a stream selector such as `{app="api", env="prod"}`. It has to have lines in the time looked at:
    where there are none at all, nothing is known of errors either (`empty`). The measure `age` is how long before
    the end of that time the newest was written, whatever it says."""
    filters: tuple[str, ...] = ()
    """What lines have to pass to be counted, in the order of LogQL: `['|= "ERROR"', '| json', '| took > 2s']`."""
    patterns: dict[str, str] = msgspec.field(default_factory=dict)
    """Several counts in one item: patterns (RE2; `(?i)` in front for any case) by the name of the measure that
    tells how many lines each is found in: `{ critical = "CRITICAL:", refused = "approval failed" }`. `count` is
    then the lines in which any of them is found. They are looked for in lines as they were written, before the
    filters."""
    by: tuple[str, ...] = ()
    """Count for each value of these labels: each is a row, called by its values, with the column `lines` and one
    for each pattern. Those without a line have no row."""
    since: str = "24 h"
    """How far to look back (`1 h`); `scheduled`: since the scheduled time of the checklist's job; or `window`: the
    stretch of time that the run looks back over, such as last week, and no further than now."""
    max_age: Duration | None = None
    """With an older newest line of the selector nothing is judged: an ERROR, `stale`. For a service that always has
    something to say: its silence may be that of whoever brings the lines to Loki."""
    query: str = ""
    """Instead of counting, a metric query of your own, evaluated at the end of the time: its series are rows with
    the column `value`. `$__range` stands for the length of the time, and, with `for_each`, `:target` for the target
    where a label is compared."""
    unit: Unit = Unit.COUNT
    """With `query`: what the values count, `s`, `B` or `%`."""
    labels: tuple[str, ...] = ()
    """With `query`: labels that become columns and call the rows, which are called by all their labels without."""
    shown: Annotated[int, msgspec.Meta(ge=0, le=MOST_LINES)] = 20
    """So many of the newest lines that were counted are evidence."""
    partial: bool = False
    """Accept an answer of `query` that Loki warns of. A count that it warns of is a lower bound in any case: shown
    as at least so many, and never below a limit."""
    max_series: Annotated[int, msgspec.Meta(ge=1, le=5_000)] = 500
    """More rows are not kept, and an answer with more is not judged."""


class LokiProbe:
    """Lets Loki count: an answer made of lines ends at its limit without saying so."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._clients = environment.shared(Clients)

    async def measure(self, options: LokiOptions, context: Context) -> Reading:
        """Return counts, or the series of a query; raise ProbeError where no line could be seen."""
        texts = (options.selector, *options.filters)
        if problem := _logql.target_problem(context.target, texts):
            raise ProbeError("bad-options", problem, "name targets that are plain words")
        endpoint = endpoint_of(options, self._environment)
        span = span_of(options.since, context)
        asking = _Asking(self._clients, endpoint, context, options, span)
        async with deadline(endpoint, context):
            return await (asking.own_query() if options.query else asking.counts())

    async def aclose(self) -> None:
        """Leave the clients open: they are shared, and closed with the pass."""


class _Asking:
    """One measurement."""

    def __init__(
        self, clients: Clients, endpoint: Endpoint, context: Context, options: LokiOptions, span: Span
    ) -> None:
        self._clients = clients
        self._endpoint = endpoint
        self._context = context
        self._options = options
        self._span = span
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._elapsed = 0.0
        self._notes: dict[str, Evidence] = {}

    async def counts(self) -> Reading:
        """Return how many lines match, altogether, by pattern and by group."""
        options = self._options
        every = [options.patterns[name] for name in options.patterns]
        queries = {COUNT: _logql.lines_of(options.selector, options.filters, every)}
        queries |= {
            name: _logql.lines_of(options.selector, options.filters, [each])
            for name, each in options.patterns.items()
        }
        age, *found = await together(self._newest(), *(self._counted(each) for each in queries.values()))
        counted = dict(zip(queries, found, strict=True))
        totals = {name: sum(each.counts.values()) for name, each in counted.items()}
        shown = await self._shown(queries[COUNT]) if totals[COUNT] and options.shown else []
        doubted = [name for name, each in counted.items() if each.warnings]
        if len(shown) > totals[COUNT]:  # more was seen than counted
            totals[COUNT] = len(shown)
            doubted.append(COUNT)
        measures: dict[str, Value] = {LATENCY: seconds(self._elapsed), AGE: seconds(age)}
        measures |= {name: number(each) for name, each in totals.items()}
        rows = self._groups(counted)
        command = curl(
            self._endpoint, QUERY, self._at(_logql.count_of(queries[COUNT], self._span.seconds, options.by))
        )
        return Reading(
            measures=measures,
            columns=_columns(options),
            rows=tuple(rows[: options.max_series]),
            label=SERIES if options.by else "",
            truncated=len(rows) > options.max_series or bool(options.by and doubted),
            lower_bounds=tuple(dict.fromkeys(doubted)),
            evidence=self._evidence(queries[COUNT], totals[COUNT], shown, age),
            command=command,
        )

    async def own_query(self) -> Reading:
        """Return the series of a metric query."""
        options = self._options
        query = _logql.with_range(with_target(options.query, self._context.target), self._span.seconds)
        params = self._at(query)
        age, found = await together(self._newest(), self._ask(QUERY, params))
        if found.kind not in {VECTOR, SCALAR}:
            hint = "let it count: sum(count_over_time(... [$__range])); lines are counted without `query`"
            raise ProbeError("bad-query", f"the query comes to {found.kind}, which is not judged", hint)
        if not options.partial:
            refuse_partial(self._endpoint, found)
        labels = () if found.kind == SCALAR else options.labels
        rows: list[tuple[Value, ...]] = [
            (name, *texts_of(each, labels), Number(each.samples[0].value, options.unit))
            for name, each in named(self._endpoint, found.series, labels).items()
        ]
        measures: dict[str, Value] = {LATENCY: seconds(self._elapsed), AGE: seconds(age)}
        if len(found.series) == 1 and not found.series[0].labels:
            measures[VALUE] = Number(found.series[0].samples[0].value, options.unit)
        return Reading(
            measures=measures,
            columns=_columns(options),
            rows=tuple(rows[: options.max_series]),
            label=SERIES,
            truncated=len(rows) > options.max_series,
            evidence=(Evidence("what was looked at", self._looked(age)), *found.notes),
            command=curl(self._endpoint, QUERY, params),
        )

    # --- asking ----------------------------------------------------------------------------------

    def _at(self, query: str) -> dict[str, str]:
        """Return the parameters that ask for a value at the end of the time looked at."""
        return {"query": query, "time": str(_nanoseconds(self._span.ends))}

    def _between(self, query: str, limit: int) -> dict[str, str]:
        """Return the parameters that ask for the newest lines of the time looked at.

        A range of a metric query holds its end and not its beginning, one of lines the other way round.
        """
        length = math.ceil(self._span.seconds) * 1_000_000 * _NANOSECOND
        end = _nanoseconds(self._span.ends)
        bounds = {"start": str(end - length + 1), "end": str(end + 1)}
        return {"query": query, **bounds, "limit": str(limit), "direction": "backward"}

    async def _ask(self, path: str, params: Mapping[str, str]) -> Answered:
        async with self._slots:
            answer = await self._clients.ask(self._endpoint, self._context, path, params=params)
        self._elapsed = max(self._elapsed, answer.elapsed)
        found = await in_thread(f"answer {id(answer)}", lambda: answered(self._endpoint, answer))
        self._notes |= {each.title: each for each in found.notes}
        self._refuse_other_time(found)
        return found

    def _refuse_other_time(self, found: Answered) -> None:
        """Raise ProbeError where an answer is not of the time asked for, as of a cache."""
        margin = dt.timedelta(seconds=CLOCK)
        first, last = self._span.ends - dt.timedelta(seconds=self._span.seconds), self._span.ends
        times = [(found.at, last)] if found.at is not None else [(each.at, first) for each in found.lines]
        odd = next((at for at, since in times if not since - margin <= at <= last + margin), None)
        if odd is not None:
            raise ProbeError(
                "stale",
                f"{self._endpoint.name} answers for {odd:%Y-%m-%d %H:%M:%SZ}, which was not asked for",
                "does a cache answer in its place?",
            )

    async def _newest(self) -> float:
        """Return the seconds from the newest line of the selector to the end; raise ProbeError without a line."""
        found = await self._ask(RANGE, self._between(self._options.selector, 1))
        if found.kind != STREAMS:
            raise _other(self._endpoint, found.kind, "lines")
        if not found.lines:
            raise ProbeError(
                "empty",
                f"{self._endpoint.name} has no line at all of {self._options.selector} {self._span.words()}",
                "are its labels right, and does whoever brings the lines to Loki still run?",
            )
        age = max(0.0, (self._span.ends - found.lines[0].at).total_seconds())
        most = self._options.max_age
        if most is not None and age > most.seconds:
            raise ProbeError(
                "stale",
                f"the newest line of {self._options.selector} is {formatted(seconds(int(age)))} old, over {most}",
                "does it still write, and does whoever brings the lines to Loki still run?",
            )
        return age

    async def _counted(self, lines: str) -> "_Counted":
        """Return how many lines there are, by group."""
        by = self._options.by
        found = await self._ask(QUERY, self._at(_logql.count_of(lines, self._span.seconds, by)))
        if found.kind != VECTOR:
            raise _other(self._endpoint, found.kind, "a count")
        groups = named(self._endpoint, found.series, by)
        counts = {name: _whole(self._endpoint, each.samples[0].value) for name, each in groups.items()}
        return _Counted(counts, {name: texts_of(each, by) for name, each in groups.items()}, found.warnings)

    async def _shown(self, lines: str) -> Sequence[Line]:
        found = await self._ask(RANGE, self._between(lines, self._options.shown))
        if found.kind != STREAMS:
            raise _other(self._endpoint, found.kind, "lines")
        return found.lines

    # --- the reading -----------------------------------------------------------------------------

    def _groups(self, counted: Mapping[str, "_Counted"]) -> list[tuple[Value, ...]]:
        """Return a row for each group: no line of a pattern in a group that has others is a count of 0."""
        if not self._options.by:
            return []
        every = counted[COUNT]
        names = list(self._options.patterns)
        return [
            (
                group,
                *every.labels[group],
                number(lines),
                *(number(counted[name].counts.get(group, 0)) for name in names),
            )
            for group, lines in every.counts.items()
        ]

    def _looked(self, age: float) -> str:
        newest = formatted(seconds(int(age)))
        return f"{self._options.selector} {self._span.words()}\nits newest line was written {newest} before the end"

    def _evidence(self, query: str, count: int, shown: Sequence[Line], age: float) -> tuple[Evidence, ...]:
        found = [Evidence("what was looked at", f"{query}\n{self._looked(age)}")]
        if self._options.shown:
            title = f"the newest {len(shown)} of {count:,} lines" if len(shown) < count else "lines"
            text = "\n".join(_line(each) for each in reversed(shown)) or "none"
            found.append(Evidence(title, text[-MAX_TEXT:], truncated=len(shown) < count or len(text) > MAX_TEXT))
        return (*found, *self._notes.values())


class _Counted(msgspec.Struct, frozen=True):
    """The lines of one query, by group."""

    counts: Mapping[str, int]
    labels: Mapping[str, tuple[str, ...]]
    warnings: tuple[str, ...]


def _whole(endpoint: Endpoint, value: Decimal) -> int:
    if not value.is_finite() or value < 0 or value != value.to_integral_value() or value > 10**18:
        raise _other(endpoint, f"{str(value)[:20]}", "a count")
    return int(value)


def _line(each: Line) -> str:
    return f"{each.at:%Y-%m-%d %H:%M:%SZ} {series_name(each.labels)} {shortened(each.text, _LINE_CHARACTERS)}"


def _nanoseconds(at: dt.datetime) -> int:
    return (at - _EPOCH) // dt.timedelta(microseconds=1) * _NANOSECOND


def _other(endpoint: Endpoint, what: str, instead: str) -> ProbeError:
    hint = "is it Loki that answers at its URL?"
    return ProbeError("bad-answer", f"{endpoint.name} answers with {what} where {instead} was asked for", hint)


# --- what there will be ----------------------------------------------------------------------------


def _cells(options: LokiOptions) -> dict[str, Unit | None]:
    """Return the columns that hold what was measured, none where there is no table."""
    if options.query:
        return {VALUE: options.unit}
    return {LINES: Unit.COUNT, **dict.fromkeys(options.patterns, Unit.COUNT)} if options.by else {}


def _columns(options: LokiOptions) -> tuple[str, ...]:
    cells = _cells(options)
    if not cells:
        return ()
    taken = {SERIES, *cells}
    return (SERIES, *(column_of(each, taken) for each in options.labels or options.by), *cells)


def _subjects(options: LokiOptions) -> Subjects:
    cells = _cells(options)
    of_measures = {LATENCY: Unit.SECONDS, AGE: Unit.SECONDS, COUNT: Unit.COUNT}
    of_patterns = {} if options.query else dict.fromkeys(options.patterns, Unit.COUNT)
    return {**of_measures, **of_patterns, **{each: cells.get(each) for each in _columns(options)}}


def _problems(options: LokiOptions) -> list[tuple[str, str]]:
    found = server_problems(options) + label_problems(options.labels)
    found += [("by", message) for _, message in label_problems(options.by)]
    if problem := _logql.selector_problem(options.selector):
        found.append(("selector", problem))
    found += [("filters", problem) for each in options.filters if (problem := _logql.filter_problem(each))]
    found += [("patterns", each) for each in _logql.pattern_problems(options.patterns, _TAKEN)]
    if len(options.patterns) > _MOST_PATTERNS:
        found.append(("patterns", f"more than {_MOST_PATTERNS} are a load for Loki; make another item of some"))
    if problem := since_problem(options.since):
        found.append(("since", problem))
    if options.max_age is not None and options.max_age.seconds < 1:
        found.append(("max_age", "no line is younger than that"))
    texts = (options.selector, options.query, *options.filters, *options.patterns.values())
    if sum(map(len, texts)) > MAX_QUERY:
        found.append(("selector", f"with what filters it, it has more than {MAX_QUERY:,} characters"))
    return found + _query_problems(options)


def _query_problems(options: LokiOptions) -> list[tuple[str, str]]:
    if not options.query:
        keys = {"labels": options.labels, "partial": options.partial, "unit": options.unit is not Unit.COUNT}
        return [(key, "belongs to a `query` of your own") for key, given in keys.items() if given]
    keys = {"filters": options.filters, "patterns": options.patterns, "by": options.by}
    found = [(key, "is for counting; a `query` of your own says it itself") for key, given in keys.items() if given]
    if problem := problem_of(options.query):
        found.append(("query", problem))
    return found


KIND = ProbeKind(
    name="loki",
    summary="Lets Loki count the lines of a log that match, with the newest of them as evidence.",
    options=LokiOptions,
    subjects=_subjects,
    open=LokiProbe,
    server=lane_of,
    validate=_problems,
    sources=("http",),
)
