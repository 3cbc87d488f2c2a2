"""Probe `prometheus`: what a query comes to now, or over a stretch of time, series by series."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated

import msgspec

from opsconsole.checks import _promages
from opsconsole.checks._http import Clients, Endpoint, Server, endpoint_of, server_problems
from opsconsole.checks._promages import Ages
from opsconsole.checks._promapi import (
    MATRIX,
    MAX_QUERY,
    SCALAR,
    STRING,
    VECTOR,
    Answered,
    Series,
    answered,
    curl,
    deadline,
    refuse_partial,
    unix,
)
from opsconsole.checks._promql import TARGET, fills_in, problem_of, selectors, uses_target, with_target
from opsconsole.checks._promrange import MOST_POINTS, Asked, Summary, expected, pairs_each, step_for, summary
from opsconsole.checks._promrefusals import (
    other_kind,
    refuse_ended,
    refuse_gaps,
    refuse_other_points,
    refuse_other_time,
)
from opsconsole.checks._promrows import column_of, label_problems, named, series_name, texts_of
from opsconsole.checks._servers import lane_of
from opsconsole.checks._spans import SCHEDULED, WINDOW, Span, since_problem, span_of
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import MAX_TEXT, Evidence, Reading
from opsconsole.model.values import Duration, Number, Unit, Value, formatted, number, seconds

QUERY, RANGE = "api/v1/query", "api/v1/query_range"
SERIES, VALUE, AGE = "series", "value", "age"

_MAX_ANSWER = 8 << 20
"""Bytes of an answer (8 MiB): 300 series of 240 points are 2 MiB."""
_WHOLE = 100


class PrometheusOptions(Server, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `prometheus`."""

    query: str
    """PromQL. Each series of the answer is a row, called by its labels, with its `value`: a condition says `every
    value < 5`, or `value < 5` where there is one series only. An answer without a series has no rows: `count == 0`
    holds of it if each selector of the query finds samples, as `up` in `up == 0` does, else it is `empty`; so it is
    where `vector(0)` fills in for a selector that finds none. With `for_each`,
    `:target` stands for the target where a label is compared: `up{instance=:target}`."""
    unit: Unit = Unit.COUNT
    """What the values count: `s`, `B`, `%` (100 is all, so multiply a share by 100) or, left out, plain numbers."""
    labels: tuple[str, ...] = ()
    """Labels that become columns, and call the rows by their values: `["instance"]`. Without them a row is called
    by all its labels: `up{instance="db:9100", job="node"}`. A label that is called like a column of the probe gets
    `label_` in front."""
    max_age: Duration = Duration.parse("5 min")
    """Older samples are no measurement: an ERROR, `stale`. Prometheus shows a sample for five minutes as if it was
    new, so the probe asks a second time, for the time of the samples themselves (`timestamp(SELECTOR)`), and gives
    the oldest as the measure `age`; a query that is a selector and nothing else has the `age` of each series as a
    column. Two to four times the interval at which Prometheus scrapes tells soon that it does not any more."""
    samples: tuple[str, ...] = ()
    """The selectors whose samples prove that the answer was measured, where those of the query do not: with
    `... or vector(0)`, or a query that has no series while all is well (`ALERTS`), something that is always there,
    such as `up{job="api"}`."""
    since: str = ""
    """Look at a stretch of time instead of now, point by point: so far back (`24 h`), `scheduled` (since the
    scheduled time of the checklist's job) or `window` (what the run looks back over, such as last week, and no
    further than now). Each series is then summed up: `min`, `avg`, `max`, `p95`, `last`, its `slope` per hour (by
    Theil and Sen, which a few outliers do not move), how many `points` it has, which share of those asked for
    (`coverage`), in how many stretches they are missing (`gaps`), how long the longest is (`longest_gap`), and how
    many are no number (`nans`). What happens between two points is not seen: for peaks ask
    `max_over_time(x[5m])` with a step of 5 min."""
    step: Duration | None = None
    """With `since`: the time from one point to the next, whole seconds. Left out, it is such that there are up to
    240 of them."""
    counter: bool = False
    """With `since`: the query is a bare counter. `min`, `avg`, `max`, `p95`, `last` and `slope` are then those of
    its rate per second between two points, and there are its `increase` and its `resets`: how often it began again
    at 0, which is not taken for a fall."""
    skip_nan: bool = False
    """With `since`: leave out points that are no number, such as the latency of an hour without requests. Without
    it one of them makes all of its series NaN, and `on_nan` of the item decides."""
    min_coverage: Decimal = Decimal(90)
    """With `since`: the percentage of points that every series must have. With fewer, such as of a host that was
    down or is new, nothing is judged: an ERROR, `partial`."""
    partial: bool = False
    """Accept an answer that the server warns of, because parts of it could not be read or are not right. What it
    says is evidence in any case."""
    max_series: Annotated[int, msgspec.Meta(ge=1, le=5_000)] = 1000
    """More rows are not kept, and an answer with more is not judged."""


class PrometheusProbe:
    """Asks over the HTTP API; what is asked together is asked for one instant."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._clients = environment.shared(Clients)

    async def measure(self, options: PrometheusOptions, context: Context) -> Reading:
        """Return the series as a table; raise ProbeError where they, or the age of their samples, are not known."""
        endpoint = endpoint_of(options, self._environment)
        query = with_target(options.query, context.target)
        asking = _Asking(self._clients, endpoint, context, options)
        async with deadline(endpoint, context):
            if options.since:
                return await asking.over_time(query, span_of(options.since, context))
            return await asking.now(query)

    async def aclose(self) -> None:
        """Leave the clients open: they are shared, and closed with the pass."""


class _Asking:
    """One measurement."""

    def __init__(self, clients: Clients, endpoint: Endpoint, context: Context, options: PrometheusOptions) -> None:
        self._clients = clients
        self._endpoint = endpoint
        self._context = context
        self._options = options
        self._elapsed = 0.0

    async def now(self, query: str) -> Reading:
        """Return what a query comes to at this instant."""
        params = {"query": query}
        found = await self._ask(QUERY, params)
        refuse_other_time(self._endpoint, found, self._context, self._options.max_age)
        if found.kind == STRING:
            return self._reading(found, params, measures={VALUE: found.text[:MAX_TEXT]})
        if found.kind not in {VECTOR, SCALAR}:
            raise other_kind(found.kind)
        ages = await self._ages(query, found.at, has_series=bool(found.series))
        rows = named(self._endpoint, found.series, self._labels(found))
        measures: dict[str, Value] = {"age": _seconds(ages.oldest)}
        only = found.series[0] if len(found.series) == 1 else None
        if only is not None and not only.labels:
            measures[VALUE] = self._number(only.samples[0].value)
        columns, taken = _columns(self._options)
        table = [
            (name, *texts_of(each, taken), self._number(each.samples[0].value), *self._own_age(ages, each, columns))
            for name, each in rows.items()
        ]
        return self._reading(
            found, params, measures=measures, columns=columns, rows=table, notes=(ages.evidence(),)
        )

    async def over_time(self, query: str, span: Span) -> Reading:
        """Return what a query came to over a stretch of time."""
        options = self._options
        step = int(options.step.seconds) if options.step is not None else step_for(span.seconds)
        if expected(span.seconds, step) > MOST_POINTS:
            raise ProbeError(
                "bad-query",
                f"with a step of {step} s there are more than {MOST_POINTS:,} points {span.words()}",
                "make `step` longer, or leave it out",
            )
        params = {"query": query, "start": unix(span.begins), "end": unix(span.ends), "step": str(step)}
        found = await self._ask(RANGE, params)
        if found.kind != MATRIX:
            raise other_kind(found.kind)
        refuse_other_points(self._endpoint, found, span, step)
        ages = Ages()
        if span.live or not found.series:
            ages = await self._ages(query, span.ends, has_series=bool(found.series))
            refuse_ended(self._endpoint, found, ages, span, step, options.max_age)
        asked = Asked(
            begins=span.begins,
            seconds=span.seconds,
            step=step,
            counter=options.counter,
            skip_nan=options.skip_nan,
            slope_points=pairs_each(len(found.series)),
        )
        rows = named(self._endpoint, found.series, self._labels(found))
        sums = await in_thread(
            f"sums of {id(rows)}", lambda: {name: summary(each.samples, asked) for name, each in rows.items()}
        )
        looked = Evidence("what was looked at", f"{span.words()}, a point each {formatted(seconds(step))}")
        points = _points(rows)
        notes = (looked, ages.evidence(), points)
        refuse_gaps(sums, found, options.min_coverage, notes)
        columns, taken = _columns(options)
        table = [
            (
                name,
                *texts_of(rows[name], taken),
                *(self._value(column, each) for column in columns[1 + len(taken) :]),
            )
            for name, each in sums.items()
        ]
        measures = {"age": _seconds(ages.oldest)}
        return self._reading(found, params, measures=measures, columns=columns, rows=table, notes=notes)

    # --- asking ----------------------------------------------------------------------------------

    async def _ask(self, path: str, params: Mapping[str, str]) -> Answered:
        context = self._context
        timed = {**params, "timeout": f"{max(1, int(context.allowance))}s"}
        answer = await self._clients.ask(self._endpoint, context, path, params=timed, max_body=_MAX_ANSWER)
        self._elapsed += answer.elapsed
        found = await in_thread(f"answer {id(answer)}", lambda: answered(self._endpoint, answer))
        if not self._options.partial:
            refuse_partial(self._endpoint, found)
        return found

    async def _ages(self, query: str, at: dt.datetime | None, *, has_series: bool) -> Ages:
        """Return how old the samples are that an answer is made of; raise ProbeError where that is too old."""
        options = self._options
        proof = bool(options.samples)
        found = selectors(query)
        if proof:
            given = [with_target(each, self._context.target) for each in options.samples]
            found = [each for text in given for each in selectors(text)]
        at = self._context.now if at is None else at
        asked = _promages.Asked(
            selectors=found,
            at=at,
            max_age=options.max_age,
            proof=proof,
            has_series=has_series,
            fills_in=fills_in(query),
        )

        async def ask(text: str, instant: dt.datetime) -> Answered:
            return await self._ask(QUERY, {"query": text, "time": unix(instant)})

        return await _promages.ages(self._endpoint, asked, ask)

    # --- the reading -----------------------------------------------------------------------------

    def _labels(self, found: Answered) -> tuple[str, ...]:
        """Return the labels that name the rows: a scalar has none."""
        return () if found.kind == SCALAR else self._options.labels

    def _number(self, value: Decimal) -> Number:
        return Number(value, self._options.unit)

    def _own_age(self, ages: Ages, each: Series, columns: Sequence[str]) -> tuple[Value, ...]:
        """Return the cell of the column `age`, where there is that column."""
        if AGE not in columns:
            return ()
        age = ages.of(each.labels)
        if age is None:
            hint = "does something between it and this host change its answers?"
            name = series_name(each.labels)
            raise ProbeError("bad-answer", f"{self._endpoint.name} tells no time for the sample of {name}", hint)
        return (_seconds(age),)

    def _value(self, column: str, each: Summary) -> Value:
        """Return what stands in a column of a stretch of time."""
        unit = self._options.unit
        match column:
            case "points" | "gaps" | "nans" | "resets":
                return number(getattr(each, column))
            case "coverage":
                return Number(each.coverage, Unit.PERCENT)
            case "longest_gap":
                return seconds(each.longest_gap)
            case "slope":
                return None if each.slope is None else Number(each.slope, unit)
            case _:
                return Number(getattr(each, _FIELDS.get(column, column)), unit)

    def _reading(
        self,
        found: Answered,
        params: Mapping[str, str],
        *,
        measures: Mapping[str, Value],
        columns: tuple[str, ...] = (),
        rows: Sequence[tuple[Value, ...]] = (),
        notes: Sequence[Evidence] = (),
    ) -> Reading:
        most = self._options.max_series
        path = RANGE if "step" in params else QUERY
        return Reading(
            measures={"latency": seconds(self._elapsed), **measures},
            columns=columns,
            rows=tuple(rows[:most]),
            label=SERIES if columns else "",
            truncated=len(rows) > most,
            evidence=tuple(each for each in (*notes, *found.notes) if each.text),
            command=curl(self._endpoint, path, params),
        )


def _points(rows: Mapping[str, Series]) -> Evidence:
    """Return the points of all series, one a line, as far as they can be kept."""
    lines: list[str] = []
    length = 0
    for name, each in rows.items():
        for text in (name or "the series", *(f"{one.at:%Y-%m-%dT%H:%M:%SZ} {one.value}" for one in each.samples)):
            length += len(text) + 1
            if length > MAX_TEXT:
                return Evidence("points", "\n".join(lines), truncated=True)
            lines.append(text)
    return Evidence("points", "\n".join(lines))


def _seconds(age: float | None) -> Number | None:
    return None if age is None else seconds(max(0.0, round(age, 3)))


# --- what there will be ----------------------------------------------------------------------------

_FIELDS = {"min": "least", "avg": "mean", "max": "greatest"}
_OF_VALUES = ("min", "avg", "max", "p95", "last", "slope")
_OF_POINTS: Subjects = {
    "points": Unit.COUNT,
    "coverage": Unit.PERCENT,
    "gaps": Unit.COUNT,
    "longest_gap": Unit.SECONDS,
    "nans": Unit.COUNT,
}


def _cells(options: PrometheusOptions) -> dict[str, Unit | None]:
    """Return the columns that hold what was measured."""
    if options.since:
        of_counter = {"increase": options.unit, "resets": Unit.COUNT} if options.counter else {}
        return {**dict.fromkeys(_OF_VALUES, options.unit), **of_counter, **_OF_POINTS}
    found = selectors(options.query)
    is_selector = len(found) == 1 and found[0].whole and not options.samples
    return {VALUE: options.unit, **({AGE: Unit.SECONDS} if is_selector else {})}


def _columns(options: PrometheusOptions) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return all columns, and the labels among them by their own names."""
    cells = _cells(options)
    taken = {SERIES, *cells}
    return (SERIES, *(column_of(each, taken) for each in options.labels), *cells), options.labels


def _subjects(options: PrometheusOptions) -> Subjects:
    columns, _ = _columns(options)
    cells = _cells(options)
    of_measures = {"latency": Unit.SECONDS, "age": Unit.SECONDS, "count": Unit.COUNT}
    return {**of_measures, **{each: cells.get(each) for each in columns}}


def _problems(options: PrometheusOptions) -> list[tuple[str, str]]:
    found = server_problems(options) + label_problems(options.labels)
    if problem := problem_of(options.query):
        found.append(("query", problem))
    elif not selectors(options.query):
        found.append(("query", "it looks at no series, so nothing is measured by it"))
    if len(options.query) > MAX_QUERY:
        found.append(("query", f"it has more than {MAX_QUERY:,} characters; let the server record it by a rule"))
    if TARGET in options.query.split() and not uses_target(options.query):
        found.append(("query", f"{TARGET} stands where a label is compared: up{{instance={TARGET}}}"))
    for each in options.samples:
        if problem_of(each) or [one.whole and not one.past for one in selectors(each)] != [True]:
            found.append(("samples", f"'{each}' is no selector such as up{{job=\"api\"}}"))
    if options.max_age.seconds < 1:
        found.append(("max_age", "no sample is younger than that"))
    if not 0 <= options.min_coverage <= _WHOLE:
        found.append(("min_coverage", "is a percentage, from 0 to 100"))
    return found + _range_problems(options)


def _range_problems(options: PrometheusOptions) -> list[tuple[str, str]]:
    if not options.since:
        keys = {"step": options.step, "counter": options.counter, "skip_nan": options.skip_nan}
        return [(key, "belongs to a stretch of time: say `since`") for key, given in keys.items() if given]
    if problem := since_problem(options.since):
        return [("since", problem)]
    if options.step is None:
        return []
    step = options.step.seconds
    if step < 1 or step != int(step):
        return [("step", "must be whole seconds")]
    if options.since in {SCHEDULED, WINDOW}:
        return []
    points = Duration.parse(options.since).seconds / step
    return [("step", f"makes more than {MOST_POINTS:,} points of each series")] if points > MOST_POINTS else []


KIND = ProbeKind(
    name="prometheus",
    summary="Asks Prometheus a query, for now or over a stretch of time, and brings back its series.",
    options=PrometheusOptions,
    subjects=_subjects,
    open=PrometheusProbe,
    server=lane_of,
    validate=_problems,
    sources=("http",),
)
