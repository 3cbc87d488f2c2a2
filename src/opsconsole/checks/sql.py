"""Probe `sql`: one query to a PostgreSQL source, which it can only read."""

import asyncio
import time
from typing import Annotated

import msgspec

from opsconsole.checks import _pgproblems
from opsconsole.checks._conninfo import psql_line
from opsconsole.checks._pganswers import Answer, Bounds, DisplacedError, LateError, LostError, ServerError
from opsconsole.checks._pgproblems import Place
from opsconsole.checks._pgsource import connected, place_of
from opsconsole.checks._pgvalues import INTERVAL, NUMERIC, shortened, value_of
from opsconsole.checks._postgres import Connection
from opsconsole.checks._statements import PARAMETERS, Statement, parse
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Source
from opsconsole.model.readings import Evidence, Problem, Reading
from opsconsole.model.values import Unit, Value, seconds

MAX_BYTES = 1 << 20
"""How much of all cells together is kept (1 MiB)."""

DEPTH = 8
"""So many queries are on their way to a source at once: with 20 ms to the database, four times as fast as one after
another. More would hold up the probes of other kinds behind a slow query."""

_LEAST_SECONDS = 0.05


class SqlOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `sql`."""

    source: str
    """The connection to ask, by its name in `config.toml`."""
    query: str
    """One statement that begins with `select`, `with`, `values`, `table` or `show`. It may name the parameters of
    the run that are listed below. It runs in a READ ONLY transaction with the time zone UTC; a column of the type
    `timestamp` names no moment, `x at time zone 'America/Chicago'` makes it one. Besides the rows there is
    `latency`, the seconds that the server needed."""
    units: dict[str, Unit] = {}
    """Units of numeric columns: `{ size = "B", share = "%", took = "s" }`. Intervals are seconds by themselves."""
    label: str = ""
    """The column that names a row in explanations; the first text column where it is left out."""
    max_rows: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    """More rows are not read, and a result with more is not judged."""


class SqlProbe:
    """Keeps one connection to each source for one pass over a run."""

    def __init__(self, environment: Environment) -> None:
        self._sources = environment.sources
        self._links: dict[str, _Link] = {}

    async def measure(self, options: SqlOptions, context: Context) -> Reading:
        """Send the query and return its rows, with the server's time for it as `latency`.

        Its time counts while it connects and while its query runs, not while others of the same source are ahead.
        """
        statement = parse(options.query)
        if statement.problems:
            raise ProbeError(
                "bad-query", "; ".join(statement.problems), "`opsconsole lint` shows it before the morning"
            )
        values = _values(statement, context)
        link = self._link(options.source)
        answer = await link.asked(statement, values, options.max_rows, context)
        line = psql_line(link.place.parameters, statement.literal(values))
        return _reading(options, answer, line)

    async def aclose(self) -> None:
        """Close all connections."""
        for link in self._links.values():
            await link.aclose()

    def _link(self, name: str) -> "_Link":
        if name not in self._links:
            source = self._sources.get(name)
            if source is None:
                known = ", ".join(sorted(self._sources)) or "none"
                raise ProbeError(
                    "unknown-source",
                    f"config.toml names no source '{name}'",
                    f"add `[sources.{name}]` to it; known are: {known}",
                )
            self._links[name] = _Link(place_of(name, source), source)
        return self._links[name]


class _Link:
    """The connection to one source, made when it is first needed and again when it was lost."""

    def __init__(self, place: Place, source: Source) -> None:
        self.place = place
        self._source = source
        self._connecting = asyncio.Lock()
        self._connection: Connection | None = None
        self._refused: tuple[tuple[str, str], Problem] | None = None
        """Who could not connect, and why."""

    async def asked(self, statement: Statement, values: list[str], rows: int, context: Context) -> Answer:
        """Run a query; raise ProbeError.

        A query that has to be sent again, because the connection ended over another one, only reads and can be.
        """
        left = context.allowance
        while True:
            async with self._connecting:
                began = time.monotonic()
                connection = await self._open(context, left)
                left = max(_LEAST_SECONDS, left - (time.monotonic() - began))
            bounds = Bounds(seconds=left, rows=rows, bytes=MAX_BYTES)
            try:
                return await connection.query(statement.text, values, statement.types(), bounds)
            except DisplacedError:
                continue
            except LateError as error:
                raise _pgproblems.timed_out(error.seconds) from error
            except LostError as error:
                raise _pgproblems.lost(self.place, str(error)) from error
            except ServerError as error:
                raise _pgproblems.query_error(self.place, connection.role, error, statement) from error

    async def _open(self, context: Context, seconds: float) -> Connection:
        """Return the open connection, or make it.

        Where that failed before in this pass, others are told the same at once; the item that tried may try again.
        """
        if self._connection is not None and self._connection.usable:
            return self._connection
        self._connection = None  # it is ending by itself
        asking = (context.item, context.target)
        if self._refused is not None and self._refused[0] != asking:
            problem = self._refused[1]
            raise ProbeError(problem.reason, problem.cause, problem.hint)
        try:
            connection = self._connection = await connected(self.place, self._source, seconds)
            if connection.superuser:
                raise _pgproblems.superuser(self.place, connection.role)
        except ProbeError as error:
            self._refused = (asking, error.problem)
            await self.aclose()
            raise
        self._refused = None
        return connection

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            await self._connection.aclose()
            self._connection = None


def _values(statement: Statement, context: Context) -> list[str]:
    try:
        return statement.values(context)
    except ValueError as error:
        name = str(error)
        parameter = PARAMETERS[name]
        raise ProbeError(
            "bad-query", f"the query asks for ':{name}', {parameter.meaning}, and there is none", parameter.missing
        ) from error


def _reading(options: SqlOptions, answer: Answer, command: str) -> Reading:
    names = tuple(column.name for column in answer.columns)
    _refuse_columns(options, answer, names)
    truncated = answer.truncated
    rows: list[tuple[Value, ...]] = []
    for cells in answer.rows:
        pairs = [
            shortened(value_of(cell, column.type, options.units.get(column.name)))
            for cell, column in zip(cells, answer.columns, strict=True)
        ]
        truncated = truncated or any(cut for _, cut in pairs)
        rows.append(tuple(value for value, _ in pairs))
    return Reading(
        measures={"latency": seconds(answer.seconds)},
        columns=names,
        rows=tuple(rows),
        label=options.label,
        truncated=truncated,
        evidence=_evidence(answer, truncated=truncated),
        command=command,
    )


def _refuse_columns(options: SqlOptions, answer: Answer, names: tuple[str, ...]) -> None:
    """Raise ProbeError where the columns are not what the item takes them for."""
    if not names:
        raise ProbeError("bad-query", "the query returns no columns", "name what it is to return")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ProbeError("bad-query", f"the query returns two columns called '{twice[0]}'", "rename one with `as`")
    has = f"the query returns {', '.join(names)}"
    for name in (*([options.label] if options.label else []), *options.units):
        if name not in names:
            key = "label" if name == options.label else "units"
            raise ProbeError("bad-query", f"`{key}` names a column '{name}', which there is not", has)
    for column in answer.columns:
        unit = options.units.get(column.name)
        fits = column.type in NUMERIC or (column.type == INTERVAL and unit is Unit.SECONDS)
        if unit is not None and not fits:
            raise ProbeError(
                "bad-query",
                f"`units` gives the column '{column.name}' the unit '{unit}', but it is no number",
                "cast it, such as `x::numeric`, or take it out of `units`; an interval is seconds by itself",
            )


def _evidence(answer: Answer, *, truncated: bool) -> tuple[Evidence, ...]:
    found = []
    if truncated:
        found.append(
            Evidence(
                "cut off",
                f"Only {len(answer.rows)} rows were read, or a cell was too long: let the query aggregate, "
                "or raise `max_rows`.",
                truncated=True,
            )
        )
    if answer.notices:
        found.append(Evidence("messages of the server", "\n".join(answer.notices)))
    return tuple(found)


KIND = ProbeKind(
    name="sql",
    summary="Asks a PostgreSQL source one query, which can only read, and brings back its rows.",
    options=SqlOptions,
    subjects=lambda _options: None,
    open=SqlProbe,
    lane=lambda options: str(options.source),
    depth=DEPTH,
    validate=lambda options: [("query", problem) for problem in parse(options.query).problems],
)
