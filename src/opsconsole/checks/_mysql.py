"""One connection to MySQL or MariaDB that can only read: a query, its bounds and its rollback go in one round trip.

The query and the values of its parameters are sent as hexadecimal digits, and prepared by the server, which
prepares one statement only: nothing in them can end what stands around them. MySQL Reference Manual: "PREPARE
Statement", "START TRANSACTION"; a server ends a query by itself by `max_statement_time` (MariaDB) or
`max_execution_time` (MySQL).
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec

from opsconsole.checks._pganswers import Bounds, LateError

if TYPE_CHECKING:
    from opsconsole.checks._mysqlwire import GuardedConnection

Opener = Any
"""An async function that opens another connection of the same account."""

_CANCEL_SECONDS = 1.0
"""How long ending a query in the server may take."""

_OWN_ROWS = 10_000
_OWN_BYTES = 4 << 20
"""Of what the server says of itself: its version, and what the account may do."""

_KEPT_MODES = re.compile(
    r"(?:ONLY_FULL|STRICT|NO_ZERO|ERROR_FOR|NO_ENGINE|PAD_CHAR|REAL_AS|HIGH_NOT|TIME_TRUNCATE)\w*"
)
"""Of the server's `sql_mode`, what has nothing to do with how a query is read."""

_EVERYTHING = re.compile(r"GRANT (?P<rights>.*) ON \*\.\* TO ", re.IGNORECASE | re.DOTALL)
_NO_GRANTS = 1290
"""Code of an answer to SHOW GRANTS by a server that was started with --skip-grant-tables."""


class Column(msgspec.Struct, frozen=True):
    """A column of an answer."""

    name: str
    type: int
    """MySQL's number of its type: `_mysqlvalues`."""


class MysqlAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a query brought back, cells as the server sent them: bytes where they are no text."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str | bytes | None, ...], ...]
    truncated: bool
    """Whether rows were left out because a bound was reached."""
    seconds: Decimal
    """How long the server needed for it, without the way there and back."""


class MysqlConnection:
    """An open connection: one query at a time. What ends a query in the middle ends the connection as well."""

    def __init__(self, driver: "GuardedConnection", opener: Opener) -> None:
        self._driver = driver
        self._opener = opener
        self.encrypted = driver.encrypted
        self.version = ""
        self.account = ""
        """Whom the server takes us for: `opsconsole@%`."""
        self.power = ""
        """The right by which the account may do anything, empty where it has none such."""
        self.grants: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        """Whether more can be sent."""
        return bool(self._driver.connected)

    @property
    def is_mariadb(self) -> bool:
        """Whether it is MariaDB, which bounds queries in another way."""
        return "mariadb" in self.version.lower()

    async def prepare(self) -> None:
        """Find out whom we are, and set the session up; raises what the driver raises."""
        ((version, account, mode),) = (await self._rows("SELECT VERSION(), CURRENT_USER(), @@SESSION.sql_mode"))[:1]
        self.version, self.account = str(version), str(account)
        modes = ",".join(each for each in str(mode).split(",") if _KEPT_MODES.fullmatch(each))
        await self._rows(f"SET SESSION time_zone = '+00:00', sql_mode = '{modes}'")
        await self._rows("SET SESSION TRANSACTION READ ONLY")
        self.grants, self.power = await self._rights()

    async def _rights(self) -> tuple[tuple[str, ...], str]:
        from asyncmy.errors import MySQLError

        try:
            grants = tuple(str(row[0]) for row in await self._rows("SHOW GRANTS"))
        except MySQLError as error:
            if error.args[:1] == (_NO_GRANTS,):
                return (), "all rights, as everybody has while grants are switched off (skip-grant-tables)"
            raise
        return grants, power_of(grants)

    async def query(self, text: str, values: Sequence[str], bounds: Bounds) -> MysqlAnswer:
        """Run one query in a READ ONLY transaction that is rolled back.

        Raises LateError, and what the driver raises. Cancelling it ends the query in the server too.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(bounds.seconds):
                return await self._exchange(_batch(text, values, self._limit(bounds)), bounds)
        except TimeoutError:
            await self._kill()
            raise LateError(time.monotonic() - began) from None
        except asyncio.CancelledError:
            await self._kill()
            raise
        except Exception as error:
            if getattr(error, "sqlstate", None):  # the server's own refusal, behind which nothing else comes
                await self._rolled_back()
            else:
                self._driver.close()  # what is still on its way must not answer another query
            raise

    def _limit(self, bounds: Bounds) -> str:
        milliseconds = bounds.server_milliseconds
        if self.is_mariadb:
            return f"SESSION max_statement_time = {milliseconds / 1000:.3f}"
        return f"SESSION max_execution_time = {milliseconds}"

    async def _exchange(self, batch: str, bounds: Bounds) -> MysqlAnswer:
        from asyncmy.cursors import SSCursor

        cursor = self._driver.cursor(SSCursor)
        began = time.monotonic()
        await cursor.execute(batch)  # the bounds and the values
        for _ in range(2):  # the transaction, and preparing
            await _following(cursor)
        await _following(cursor)
        before = await _only(cursor)
        await _following(cursor)
        answer = await _taken(cursor, bounds)
        if answer.truncated:
            self._driver.close()  # the server ends the query where it cannot send any more
            return msgspec.structs.replace(answer, seconds=Decimal(str(time.monotonic() - began)))
        await _following(cursor)
        after = await _only(cursor)
        for _ in range(2):  # the rollback, and forgetting what was prepared
            await _following(cursor)
        return msgspec.structs.replace(answer, seconds=after - before)

    async def _rolled_back(self) -> None:
        """End the transaction after an error in the middle; a connection that cannot is given up."""
        done = False
        try:
            with contextlib.suppress(Exception):  # whatever it is, the connection is closed
                async with asyncio.timeout(_CANCEL_SECONDS):
                    await self._rows("ROLLBACK")
                    done = True
        finally:
            if not done:
                self._driver.close()

    async def _rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return what the server says of itself, which is never much; raises what the driver raises."""
        from asyncmy.cursors import SSCursor

        from opsconsole.checks._mysqlwire import TooLargeError

        cursor = self._driver.cursor(SSCursor)
        await cursor.execute(query)
        rows: list[tuple[Any, ...]] = []
        size = 0
        while cursor.description and (row := await cursor.fetchone()) is not None:
            rows.append(row)
            size += sum(len(cell) for cell in row if cell is not None)
            if len(rows) > _OWN_ROWS or size > _OWN_BYTES:
                self._driver.close()
                raise TooLargeError(f"more than {_OWN_ROWS:,} rows or {_OWN_BYTES:,} bytes about itself")
        return rows

    async def _kill(self) -> None:
        """End the session in the server over another connection: it does not notice that this one was closed."""
        number = self._driver.thread_id()
        self._driver.close()
        with contextlib.suppress(Exception):  # whatever it is, the server's own limit ends the query
            async with asyncio.timeout(_CANCEL_SECONDS):
                other = await self._opener()
                try:
                    await other.query(f"KILL {int(number)}")
                finally:
                    other.close()

    async def aclose(self) -> None:
        """Say goodbye and close."""
        with contextlib.suppress(Exception):  # it is closed in any case
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self._driver.ensure_closed()
        self._driver.close()


def power_of(grants: Sequence[str]) -> str:
    """Return the right among the lines of SHOW GRANTS by which an account may do anything, empty without one."""
    for grant in grants:
        match = _EVERYTHING.match(grant)
        rights = {each.strip().upper() for each in match["rights"].split(",")} if match else set()
        for right in ("ALL PRIVILEGES", "ALL", "SUPER", "FILE"):
            if right in rights:
                return f"the right {right} on everything"
    return ""


def _batch(text: str, values: Sequence[str], limit: str) -> str:
    names = [f"@opsconsole_{number}" for number in range(1, len(values) + 1)]
    assigned = [limit, f"@opsconsole = {_hexadecimal(text)}"]
    assigned += [f"{name} = {_hexadecimal(value)}" for name, value in zip(names, values, strict=True)]
    using = f" USING {', '.join(names)}" if names else ""
    clock = "SELECT UNIX_TIMESTAMP(SYSDATE(6))"
    return (
        f"SET {', '.join(assigned)}; START TRANSACTION READ ONLY; PREPARE opsconsole FROM @opsconsole; {clock}; "
        f"EXECUTE opsconsole{using}; {clock}; ROLLBACK; DEALLOCATE PREPARE opsconsole"
    )


def _hexadecimal(text: str) -> str:
    return f"CONVERT(0x{text.encode().hex()} USING utf8mb4)" if text else "''"


async def _following(cursor: Any) -> None:
    if not await cursor.nextset():
        raise ValueError("an answer is missing")


async def _only(cursor: Any) -> Decimal:
    (cell,) = await cursor.fetchone()
    if await cursor.fetchone() is not None:
        raise ValueError("the clock has two rows")
    return Decimal(str(cell))


async def _taken(cursor: Any, bounds: Bounds) -> MysqlAnswer:
    """Read the rows of the query itself, unless they are too many."""
    columns = tuple(Column(str(each[0]), int(each[1])) for each in cursor.description or ())
    rows: list[tuple[str | bytes | None, ...]] = []
    size, truncated = 0, False
    while columns and (row := await cursor.fetchone()) is not None:
        size += sum(len(cell) for cell in row if cell is not None)
        if len(rows) == bounds.rows or size > bounds.bytes:
            truncated = True
            break
        rows.append(row)
    return MysqlAnswer(columns=columns, rows=tuple(rows), truncated=truncated, seconds=Decimal(0))
