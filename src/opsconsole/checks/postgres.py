"""Probe `postgres`: ready-made figures of a PostgreSQL server, such as its connections, locks, lags and sizes."""

import asyncio
import statistics
import time
from typing import Annotated, Literal

import msgspec

from opsconsole.checks._conninfo import psql_line
from opsconsole.checks._pganswers import Answer, Bounds
from opsconsole.checks._pgdialects import POSTGRESQL
from opsconsole.checks._pglink import DEPTH, MAX_BYTES, Link, Links, asked_alone, refuse_unfit
from opsconsole.checks._pgproblems import timed_out
from opsconsole.checks._pgsource import connected
from opsconsole.checks._pgstats import FIGURES, LATENCY, MAX_TEXT, RESPONSE, About, found
from opsconsole.checks._pgstatsql import EXTENSION, UNPRIVILEGED
from opsconsole.checks._statements import parse
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Value, seconds

OLDEST = 140_000
"""The oldest server whose statistics have all that is asked for, as libpq counts versions."""

_LEAST_SECONDS = 0.05
_MIN_ROWS, _MIN_CALLS, _ROUND_TRIPS = 1000, 5, 5
_ORDERS = {"mean": "mean", "max": "longest", "total": "total", "calls": "calls"}
_OLDEST_STATEMENTS = (1, 9)


class PostgresOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `postgres`."""

    source: str
    """The connection to ask, by its name in `config.toml`. `connections`, `activity`, `locks`, `statements` and
    `replication` need a role that may read statistics: `grant pg_monitor to …`."""
    about: About
    """What is looked at. `connections`: how many are `used` of `max`, of which so many are `reserved`; `share` is
    that of what is not reserved; and what they are doing. `activity`: how long the longest query, transaction and
    wait of an idle transaction last by now, and the oldest prepared transaction. `locks`: sessions that wait for a
    lock. `response`: the median time (`value`) of a few round trips over a connection of its own, and what
    `connecting` took. `database`: `cache_hit`, `deadlocks`, files for sorting and so on of this database, counted
    over the `age` of its statistics. `sizes`: of this database (`value`) and of all. `tables`: the largest.
    `statements`: the slowest that `pg_stat_statements` knows of, by their `mean` time. `vacuum`: the share of dead
    rows (`worst`) and the last vacuum of tables, and how much of the transaction ids is used up (`xid_share`: the
    server stops near 100 %). `replication`: of a primary its standbys with the largest `lag`, of a standby its own;
    replication slots that nobody reads, and how much log they hold back (`retained`). `invalid`: indexes and
    constraints that are not valid. All but `response` have `latency`, the seconds that the server needed."""
    top: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    """The table has so many rows: the largest, longest or worst. Measures and `count` are of all there are."""
    by: Literal["", "mean", "max", "total", "calls"] = ""
    """Which statements come first: `mean` where it is left out."""
    min_calls: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Statements that were called less often are left out; 5 where it is."""
    min_rows: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """For `vacuum`, tables with fewer rows, dead ones included, are left out; 1000 where it is."""
    round_trips: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    """For `response`, how many there are; 5 where it is left out."""


class PostgresProbe:
    """Asks over the connection that the probe `sql` uses too, which is kept for one pass over a run."""

    def __init__(self, environment: Environment) -> None:
        self._sources = environment.sources
        self._links = environment.shared(Links)

    async def measure(self, options: PostgresOptions, context: Context) -> Reading:
        """Return the figures of one kind; raise ProbeError where they cannot be seen whole."""
        link = self._links.link(options.source, self._sources)
        if link.dialect is not POSTGRESQL:
            raise ProbeError(
                "bad-source",
                f"{options.source} is a source of the kind '{link.source.kind}'",
                f"these figures are those of '{POSTGRESQL.kind}'; ask others with the probe `sql`",
            )
        if options.about is About.RESPONSE:
            return await _response(link, options.round_trips or _ROUND_TRIPS, context)
        deadline = time.monotonic() + context.allowance
        schema = await _schema(link, context, deadline) if options.about is About.STATEMENTS else ""
        query = _query(options, schema)
        return _reading(options, link, query, await _asked(link, query, options.top, context, deadline))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._links.aclose()


def _query(options: PostgresOptions, schema: str) -> str:
    filled = {
        "$unprivileged": UNPRIVILEGED,
        "$top": str(options.top),
        "$text": str(MAX_TEXT),
        "$min_rows": str(options.min_rows or _MIN_ROWS),
        "$min_calls": str(options.min_calls or _MIN_CALLS),
        "$by": _ORDERS[options.by or "mean"],
        "$schema": schema,
    }
    query = FIGURES[options.about].sql.strip()
    for name, value in filled.items():
        query = query.replace(name, value)
    return query


async def _asked(link: Link, query: str, rows: int, context: Context, deadline: float) -> Answer:
    left = max(_LEAST_SECONDS, deadline - time.monotonic())
    try:
        return await link.asked(parse(query), [], rows, context, left)
    except ProbeError as error:
        version = link.server_version
        if version and version < OLDEST and error.problem.reason in {"not-found", "bad-query"}:
            raise ProbeError(
                "failed",
                f"{link.place} is PostgreSQL {version // 10_000}, whose statistics are not those of 14 and later",
                "ask what is needed with the probe `sql`",
            ) from error
        raise


def _reading(options: PostgresOptions, link: Link, query: str, answer: Answer) -> Reading:
    figures = FIGURES[options.about]
    seen = found(figures, answer, link.place, link.place.user)
    measures: dict[str, Value] = {**seen.measures, "latency": seconds(answer.seconds)}
    return Reading(
        measures=measures,
        columns=tuple(figures.columns),
        rows=seen.rows,
        label=next(iter(figures.columns), ""),
        evidence=_evidence(options, measures, len(seen.rows)),
        command=psql_line(link.place.parameters, query),
    )


def _evidence(options: PostgresOptions, measures: dict[str, Value], rows: int) -> tuple[Evidence, ...]:
    said = []
    if rows == options.top:
        said.append(f"The table has the first {rows} rows; there may be more, which the measures know of.")
    if options.about is About.REPLICATION and measures["in_recovery"] is False and not rows:
        said.append("No standby is connected to this primary.")
    if options.about is About.REPLICATION and measures["receiving"] is False:
        said.append("This standby receives nothing from a primary: how far it is behind cannot be known in bytes.")
    return (Evidence("note", "\n".join(said)),) if said else ()


# --- statements --------------------------------------------------------------------------------------


async def _schema(link: Link, context: Context, deadline: float) -> str:
    """Return where `pg_stat_statements` is; raise ProbeError where it is not, or is too old."""
    answer = await _asked(link, EXTENSION.strip(), 1, context, deadline)
    if not answer.rows:
        raise ProbeError(
            "not-found",
            f"database {link.place.database} has no extension pg_stat_statements, which remembers statements",
            "put it into `shared_preload_libraries`, restart the server, and as its superuser "
            f"`create extension pg_stat_statements;` in database {link.place.database}",
        )
    schema, version = (bytes(cell or b"").decode("utf-8", "replace") for cell in answer.rows[0][:2])
    parts = tuple(int(part) for part in version.split(".") if part.isdecimal())
    if parts < _OLDEST_STATEMENTS:
        raise ProbeError(
            "failed",
            f"the extension pg_stat_statements is version {version}, which is older than the server",
            "`alter extension pg_stat_statements update;`",
        )
    return schema


# --- response ----------------------------------------------------------------------------------------


async def _response(link: Link, times: int, context: Context) -> Reading:
    """Measure over a connection of its own, where no query of another item is ahead."""
    began = time.monotonic()
    deadline = began + context.allowance
    connection = await connected(link.place, link.source, context.allowance)
    try:
        refuse_unfit(link.place, connection)
        connecting = time.monotonic() - began
        took = []
        statement = parse("select 1")
        for _ in range(times):
            left = deadline - time.monotonic()
            if left <= 0:
                raise timed_out(context.allowance)
            bounds = Bounds(seconds=max(_LEAST_SECONDS, left), rows=1, bytes=MAX_BYTES)
            sent = time.monotonic()
            await asked_alone(link.place, connection, statement, bounds)
            took.append(time.monotonic() - sent)
            await asyncio.sleep(0)  # other probes of the pass are not held up
    finally:
        await connection.aclose()
    return Reading(
        measures={
            "value": seconds(statistics.median(took)),
            "least": seconds(min(took)),
            "most": seconds(max(took)),
            "connecting": seconds(connecting),
        },
        evidence=(Evidence("round trips", ", ".join(f"{each * 1000:.3f} ms" for each in took)),),
        command=psql_line(link.place.parameters, "select 1"),
    )


# --- options -----------------------------------------------------------------------------------------


_BELONG = {
    "by": About.STATEMENTS,
    "min_calls": About.STATEMENTS,
    "min_rows": About.VACUUM,
    "round_trips": About.RESPONSE,
}


def _problems(options: PostgresOptions) -> list[tuple[str, str]]:
    return [
        (key, f"means something with `about = '{about}'` only")
        for key, about in _BELONG.items()
        if getattr(options, key) and options.about is not about
    ]


def _subjects(options: PostgresOptions) -> Subjects:
    if options.about is About.RESPONSE:
        return RESPONSE
    figures = FIGURES[options.about]
    return {**figures.measures, **figures.columns, **LATENCY}


KIND = ProbeKind(
    name="postgres",
    summary="Measures a PostgreSQL server: connections, activity, locks, sizes, vacuum, replication and more.",
    options=PostgresOptions,
    subjects=_subjects,
    open=PostgresProbe,
    lane=lambda options: str(options.source),
    depth=DEPTH,
    in_line=True,
    validate=_problems,
    sources=("postgresql",),
)
