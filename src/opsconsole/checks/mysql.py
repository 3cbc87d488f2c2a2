"""Probe `mysql`: one query to a MySQL or MariaDB source, which it can only read."""

import asyncio
import shlex
import time
import zoneinfo
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.checks._mysql import MysqlAnswer, MysqlConnection
from opsconsole.checks._mysqlsource import connected, load_driver, place_of
from opsconsole.checks._mysqlstatements import MysqlStatement, parse
from opsconsole.checks._mysqlvalues import DATETIME, NUMERIC, TIME, value_of
from opsconsole.checks._pganswers import Bounds, LateError
from opsconsole.checks._sqlanswers import Refusal, cut_off, refuse_columns, rows_of, values_of
from opsconsole.checks.mysqlsources import MysqlPlace
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Source
from opsconsole.model.readings import Reading
from opsconsole.model.values import Unit, seconds

MAX_BYTES = 1 << 20
"""How much of all cells together is kept (1 MiB)."""

_LEAST_SECONDS = 0.05


class MysqlOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `mysql`."""

    source: str
    """The connection to ask, a source of the kind `mysql` in `config.toml`. It needs the extra `mysql`:
    `pip install 'opsconsole[mysql]'`."""
    query: str
    """One statement that begins with `select`, `with`, `values`, `table` or `show`. It may name the parameters of
    the run that the probe `sql` has; instants are in UTC. It runs in a READ ONLY transaction with the time zone
    UTC. Besides the rows there is `latency`, the seconds that the server needed."""
    units: dict[str, Unit] = {}
    """Units of numeric columns: `{ size = "B", share = "%", took = "s" }`. TIME is seconds by itself."""
    zones: dict[str, str] = {}
    """Time zones of DATETIME columns, which name no moment by themselves: `{ updated_at = "UTC" }`. TIMESTAMP
    columns are moments by themselves."""
    label: str = ""
    """The column that names a row in explanations; the first text column where it is left out."""
    max_rows: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 1000
    """More rows are not read, and a result with more is not judged."""


class MysqlProbe:
    """Keeps one connection to each source for one pass over a run."""

    def __init__(self, environment: Environment) -> None:
        self._sources = environment.sources
        self._links: dict[str, _Link] = {}

    async def measure(self, options: MysqlOptions, context: Context) -> Reading:
        """Send the query and return its rows, with the server's time for it as `latency`."""
        statement = parse(options.query)
        values = values_of(statement, context)
        if options.source not in self._links:
            place = place_of(options.source, self._sources)
            self._links[options.source] = _Link(options.source, place, self._sources[options.source])
        link = self._links[options.source]
        answer = await link.asked(statement, values, options.max_rows, context)
        return _reading(options, answer, mysql_line(link.place, statement.literal(values)))

    async def aclose(self) -> None:
        """Close all connections."""
        for link in self._links.values():
            await link.aclose()


class _Link:
    """The connection to one source, made when it is first needed and again when it was lost."""

    def __init__(self, name: str, place: MysqlPlace, source: Source) -> None:
        self.place = place
        self._name = name
        self._source = source
        self._alone = asyncio.Lock()
        self._connection: MysqlConnection | None = None
        self._refusal = Refusal()

    async def asked(self, statement: MysqlStatement, values: list[str], rows: int, context: Context) -> MysqlAnswer:
        """Run a query; raise ProbeError."""
        await load_driver()
        from opsconsole.checks._mysqlproblems import Where, is_late, problem_of, timed_out

        async with self._alone:
            began = time.monotonic()
            connection = await self._open(context)
            left = max(_LEAST_SECONDS, context.allowance - (time.monotonic() - began))
            bounds = Bounds(seconds=left, rows=rows, bytes=MAX_BYTES)
            try:
                return await connection.query(statement.text, values, bounds)
            except LateError as error:
                raise timed_out(error.seconds) from error
            except Exception as error:  # noqa: BLE001 - the driver raises of any kind where a server breaks the protocol
                if is_late(error):
                    raise timed_out(left) from None
                raise problem_of(Where(self._name, self.place), error) from None

    async def _open(self, context: Context) -> MysqlConnection:
        """Return the open connection, or make it."""
        from opsconsole.checks._mysqlproblems import Where, superuser

        if self._connection is not None and self._connection.usable:
            return self._connection
        self._refusal.tell(context)
        try:
            connection = await connected(self._name, self.place, self._source, context.allowance)
            self._connection = connection
            if connection.power:
                raise superuser(Where(self._name, self.place), connection.account, connection.power)
        except ProbeError as error:
            self._refusal.remember(context, error.problem)
            await self.aclose()
            raise
        self._refusal.remember(context, None)
        return connection

    async def aclose(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            await self._connection.aclose()
            self._connection = None


def mysql_line(place: MysqlPlace, query: str) -> str:
    """Return a command line that makes the connection by hand, asks for the password, and sends `query`."""
    where = ["--socket", place.socket] if place.socket else ["--host", place.host, "--port", str(place.port)]
    database = ["--database", place.database] if place.database else []
    session = "set session transaction read only"
    argv = ["mysql", *where, "--user", place.user, *database, "--init-command", session]
    # --password asks for it, and stands last: what looks for secrets takes the word behind it for one
    return shlex.join([*argv, "--execute", f"set time_zone = '+00:00'; {query}", "--password"])


def _reading(options: MysqlOptions, answer: MysqlAnswer, command: str) -> Reading:
    _refuse_columns(options, answer)
    zones = {name: ZoneInfo(zone) for name, zone in options.zones.items()}
    rows, cut = rows_of(
        answer.rows,
        answer.columns,
        lambda cell, column: value_of(cell, column.type, options.units.get(column.name), zones.get(column.name)),
    )
    truncated = answer.truncated or cut
    return Reading(
        measures={"latency": seconds(answer.seconds)},
        columns=tuple(column.name for column in answer.columns),
        rows=rows,
        label=options.label,
        truncated=truncated,
        evidence=(cut_off(len(rows)),) if truncated else (),
        command=command,
    )


def _refuse_columns(options: MysqlOptions, answer: MysqlAnswer) -> None:
    """Raise ProbeError where the columns are not what the item takes them for."""
    wanted = {"label": [options.label] if options.label else [], "units": options.units, "zones": options.zones}
    refuse_columns([column.name for column in answer.columns], wanted)
    for column in answer.columns:
        unit = options.units.get(column.name)
        if unit is not None and not (column.type in NUMERIC or (column.type == TIME and unit is Unit.SECONDS)):
            raise ProbeError(
                "bad-query",
                f"`units` gives the column '{column.name}' the unit '{unit}', but it is no number",
                "cast it, such as `cast(x as decimal(20, 6))`, or take it out of `units`; TIME is in seconds",
            )
        if column.name in options.zones and column.type != DATETIME:
            raise ProbeError(
                "bad-query",
                f"`zones` gives the column '{column.name}' a time zone, but it is no DATETIME",
                "take it out of `zones`; a TIMESTAMP is a moment by itself",
            )


def _problems(options: MysqlOptions) -> list[tuple[str, str]]:
    found = [("query", problem) for problem in parse(options.query).problems]
    return found + [("zones", f"'{zone}' is no time zone") for zone in options.zones.values() if not _is_zone(zone)]


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


KIND = ProbeKind(
    name="mysql",
    summary="Asks a MySQL or MariaDB source one query, which can only read, and brings back its rows.",
    options=MysqlOptions,
    subjects=lambda _options: None,
    open=MysqlProbe,
    lane=lambda options: str(options.source),
    validate=_problems,
    sources=("mysql",),
)
