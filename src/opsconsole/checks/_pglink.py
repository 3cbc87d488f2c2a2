"""The connections of one pass: one to each source, which every probe that asks PostgreSQL shares."""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence

from opsconsole.checks import _pgproblems
from opsconsole.checks._pganswers import (
    Answer,
    Bounds,
    DisplacedError,
    LateError,
    LostError,
    ServerError,
    TooLargeError,
)
from opsconsole.checks._pgdialects import POSTGRESQL, QUESTDB, Dialect
from opsconsole.checks._pgproblems import Place
from opsconsole.checks._pgsource import connected, dialect_of, place_of
from opsconsole.checks._postgres import Connection
from opsconsole.checks._sqlanswers import Refusal, source_of
from opsconsole.checks._statements import Statement
from opsconsole.contracts.probe import Context, ProbeError, Source

MAX_BYTES = 1 << 20
"""How much of all cells together is kept (1 MiB)."""

DEPTH = 8
"""So many queries are on their way to a source at once: with 20 ms to the database, four times as fast as one after
another. More would hold up the probes of other kinds behind a slow query."""

_LEAST_SECONDS = 0.05


class Links:
    """Keeps one connection to each source for one pass over a run."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}

    def link(self, name: str, sources: Mapping[str, Source]) -> "Link":
        """Return the way to the source of that name; raise ProbeError where there is none, or no usable one."""
        if name not in self._links:
            source = source_of(name, sources)
            self._links[name] = Link(place_of(name, source), source)
        return self._links[name]

    async def aclose(self) -> None:
        """Close all connections."""
        for link in self._links.values():
            await link.aclose()


class Link:
    """The connection to one source, made when it is first needed and again when it was lost."""

    def __init__(self, place: Place, source: Source) -> None:
        self.place = place
        self.source = source
        self.dialect: Dialect = dialect_of(source)
        self._connecting = asyncio.Lock()
        self._alone = contextlib.nullcontext() if self.dialect.transactional else asyncio.Lock()
        self._connection: Connection | None = None
        self._refusal = Refusal()

    async def asked(
        self,
        statement: Statement,
        values: Sequence[str],
        rows: int,
        context: Context,
        seconds: float | None = None,
    ) -> Answer:
        """Run a query within `seconds`, else the context's allowance; raise ProbeError.

        A query that has to be sent again, because the connection ended over another one, only reads and can be.
        """
        left = context.allowance if seconds is None else seconds
        async with self._alone:
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
                except (LateError, LostError, ServerError) as error:
                    raise problem_of(self.place, connection, error, statement) from error

    @property
    def server_version(self) -> int:
        """The version of the server as libpq counts, 0 where there is no connection."""
        return self._connection.server_version if self._connection is not None else 0

    async def _open(self, context: Context, seconds: float) -> Connection:
        """Return the open connection, or make it."""
        if self._connection is not None and self._connection.usable:
            return self._connection
        self._connection = None  # it is ending by itself
        self._refusal.tell(context)
        try:
            connection = self._connection = await connected(self.place, self.source, seconds)
            refuse_unfit(self.place, connection)
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


def refuse_unfit(place: Place, connection: Connection) -> None:
    """Raise ProbeError for a superuser's connection, and for a server that is not what its source says."""
    if connection.superuser:
        raise _pgproblems.superuser(place, connection.role)
    named = connection.dialect
    if connection.reported_dialect is not named:
        other = QUESTDB if named is POSTGRESQL else POSTGRESQL
        raise ProbeError(
            "bad-source",
            f"{place}: it is a {other.name}, and its source is of the kind '{named.kind}'",
            f"write kind = '{other.kind}' in config.toml",
        )


async def asked_alone(place: Place, connection: Connection, statement: Statement, bounds: Bounds) -> Answer:
    """Run a query over a connection that nobody shares; raise ProbeError."""
    try:
        return await connection.query(statement.text, [], [], bounds)
    except (DisplacedError, LateError, LostError, ServerError) as error:
        raise problem_of(place, connection, error, statement) from error


def problem_of(place: Place, connection: Connection, error: Exception, statement: Statement) -> ProbeError:
    """Return the problem behind a query that was late, lost or refused."""
    if isinstance(error, LateError):
        return _pgproblems.timed_out(error.seconds)
    if isinstance(error, ServerError):
        return _pgproblems.query_error(place, connection.role, error, statement)
    if isinstance(error, TooLargeError):
        return _pgproblems.too_large(place, error)
    return _pgproblems.lost(place, str(error))
