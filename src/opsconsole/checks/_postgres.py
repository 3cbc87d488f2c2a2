"""One connection to PostgreSQL that can only read: a query, its bounds and its rollback go in one round trip.

psycopg opens the connection and wraps libpq (`psycopg.pq`); the traffic is driven here, because what is needed lies
below its cursors: pipeline mode and single-row mode together, so that a result can be cut off while it arrives, the
type of each column, and the SQLSTATE of each error. Pipeline mode always speaks the extended protocol, in which a
message holds one statement only. PostgreSQL manual: "Pipeline Mode", "Retrieving Query Results Row-by-Row".
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opsconsole.checks._pganswers import (
    MAX_MESSAGE,
    Answer,
    Bounds,
    DisplacedError,
    Exchange,
    LateError,
    LostError,
    TooLargeError,
    error_of,
    first_line,
)
from opsconsole.checks._pgdialects import POSTGRESQL, QUESTDB, Dialect
from opsconsole.checks._pgguard import guarded_connection, mapped, waiting

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.pq.abc import PGresult

_CANCEL_SECONDS = 1.0
"""How long the server has to give up a statement before the connection is given up instead."""

_CANCEL_AGAIN_SECONDS = 0.05

_READ_ONLY = b"BEGIN READ ONLY"
_ROLLBACK = b"ROLLBACK"
_SETTINGS = (
    b"SELECT set_config('statement_timeout', $1, true),"
    b" set_config('row_security', 'off', true),"  # raise where rows would be hidden
    b" set_config('TimeZone', 'UTC', true),"
    b" set_config('DateStyle', 'ISO, YMD', true),"
    b" set_config('IntervalStyle', 'postgres', true),"
    b" set_config('extra_float_digits', '1', true),"
    b" set_config('bytea_output', 'hex', true),"
    b" extract(epoch from clock_timestamp())"
)
"""For the transaction only, so that a pooler between does not give them to somebody else."""

_CLOCK = b"SELECT extract(epoch from clock_timestamp())"
"""The server's clock around a query says how long it took, however many share the round trip."""

_MAX_NOTICES = 20

_MOST_ROOM = 2 * MAX_MESSAGE
"""What libpq may take for a message: it makes room in powers of two."""

_MOST_AT_ONCE = 4 << 20
"""What waits in the socket may be read in part only and be counted again, so no more of it is counted."""


class Connection:
    """An open connection. Queries may be sent while others are under way; they are answered in order.

    A query's time counts from when those before it are done. When one has to be stopped in a way that ends the
    connection, those behind it raise DisplacedError.
    """

    def __init__(self, connection: "AsyncConnection[Any]", dialect: Dialect = POSTGRESQL) -> None:
        self.dialect = dialect
        self._connection = connection
        self._pgconn = connection.pgconn
        self._exchanges: deque[Exchange] = deque()
        self._reader: asyncio.Task[None] | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._arrived = 0
        """Bytes that were read since the last whole message, about."""
        self._ending = False
        self.role = self._reported("session_authorization")
        """The role it is logged in as."""
        self.superuser = self._reported("is_superuser") == "on"
        """Whether its role may do anything at all."""
        self.reported_dialect = QUESTDB if self._reported("application_name") == QUESTDB.name else POSTGRESQL
        """What the server says that it is."""
        self.server_version: int = self._pgconn.server_version
        """As libpq counts: 150004 is 15.4."""
        self._pgconn.enter_pipeline_mode()
        self._pgconn.notice_handler = self._noticed

    @classmethod
    async def open(cls, parameters: Mapping[str, str], dialect: Dialect = POSTGRESQL) -> "Connection":
        """Connect; raises `psycopg.OperationalError`, whose text is libpq's."""
        from psycopg.conninfo import make_conninfo

        return cls(await guarded_connection(make_conninfo(**parameters)), dialect)

    @property
    def usable(self) -> bool:
        """Whether more can be sent."""
        return not (self._ending or self._connection.closed)

    @property
    def encrypted(self) -> bool:
        """Whether TLS or GSSAPI protects it."""
        return bool(self._pgconn.ssl_in_use or self._pgconn.used_gssapi)

    @property
    def local(self) -> bool:
        """Whether it is a socket of this host, not of the network."""
        return self._pgconn.host.startswith((b"/", b"@"))

    def _reported(self, name: str) -> str:
        """Return a setting that the server reports by itself: libpq, `PQparameterStatus`."""
        return (self._pgconn.parameter_status(name.encode()) or b"").decode("utf-8", "replace")

    async def aclose(self) -> None:
        """Stop what runs in the server and close; whoever still waits for an answer is told that it was lost."""
        self._ending = True
        exchanges = list(self._exchanges)
        for exchange in exchanges:
            exchange.fail(LostError("it was closed"))
        try:
            async with asyncio.timeout(_CANCEL_SECONDS):
                for exchange in exchanges:
                    await self._stop(exchange)
        except TimeoutError:
            pass
        finally:
            self._close()

    async def query(self, text: str, values: Sequence[str], types: Sequence[int], bounds: Bounds) -> Answer:
        """Run one query in a READ ONLY transaction that is rolled back, all of it in one round trip.

        Where the dialect has no such transactions, it is sent alone.
        Raises ServerError, LateError, LostError, DisplacedError. Cancelling it ends the query in the server too.
        """
        if not self.usable:
            raise DisplacedError
        exchange = Exchange(bounds)
        self._send(text.encode(), [value.encode() for value in values], types, bounds)
        self._exchanges.append(exchange)
        if self._reader is None or self._reader.done():
            self._reader = asyncio.create_task(self._read(), name="read from PostgreSQL")
        try:
            return await exchange.done
        except asyncio.CancelledError:
            await self._stop(exchange)
            raise

    # --- the pipeline --------------------------------------------------------------------------------

    def _send(self, text: bytes, values: Sequence[bytes], types: Sequence[int], bounds: Bounds) -> None:
        from psycopg import OperationalError

        pgconn = self._pgconn
        try:
            if self.dialect.transactional:
                pgconn.send_query_params(_READ_ONLY, None)
                pgconn.send_query_params(_SETTINGS, [str(bounds.server_milliseconds).encode()])
            pgconn.send_query_params(text, values, types)
            if self.dialect.transactional:
                pgconn.send_query_params(_CLOCK, None)
                pgconn.pipeline_sync()
                # behind the synchronisation point, so that an error before it does not skip this one
                pgconn.send_query_params(_ROLLBACK, None)
            pgconn.pipeline_sync()
            if pgconn.flush():
                asyncio.get_running_loop().add_writer(pgconn.socket, self._send_rest, pgconn.socket)
            self._wake()
        except OperationalError as error:
            self._close()  # a part of it may be on its way: nothing can follow
            raise LostError(first_line(error)) from error

    def _send_rest(self, socket: int) -> None:
        """Go on sending what did not fit into the socket; an error shows when the answer is read."""
        from psycopg import OperationalError

        rest = 0
        with contextlib.suppress(OperationalError):
            rest = self._pgconn.flush()
        self._wake()
        if not rest:
            asyncio.get_running_loop().remove_writer(socket)

    async def _read(self) -> None:
        """Read the answers of all queries under way, in order."""
        from psycopg import OperationalError

        while self._exchanges:
            exchange = self._exchanges[0]
            try:
                async with asyncio.timeout(exchange.bounds.seconds):
                    await self._receive(exchange)
            except TimeoutError:
                exchange.give_up(LateError(exchange.bounds.seconds))
                await self._give_up()
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody may be left waiting for this task
                exchange.give_up(LostError(first_line(error)) if isinstance(error, OperationalError) else error)
                await self._give_up()
                return
            self._exchanges.popleft()
            exchange.settle()
            exchange.over.set()
            if self._exchanges:
                self._exchanges[0].began = time.monotonic()

    async def _receive(self, exchange: Exchange) -> None:
        """Take the results of what `_send` sent, in its order."""
        if not self.dialect.transactional:
            await self._take(exchange)
            exchange.timed(None, None)
            await self._result()  # the synchronisation point
            return
        await self._skim(exchange)
        began = await self._skim(exchange)
        await self._take(exchange)
        ended = await self._skim(exchange)
        exchange.timed(began, ended)
        await self._result()  # the synchronisation point
        while (result := await self._result()) is not None:
            error = error_of(result)
            if error is not None:
                raise error  # not even rolled back: nothing may be sent into that transaction
        await self._result()

    async def _take(self, exchange: Exchange) -> None:
        """Take the rows of the query itself, and have it stopped when that is enough."""
        if exchange.error is None:
            self._pgconn.set_single_row_mode()
        while (result := await self._result()) is not None:
            exchange.take(result)
            if exchange.truncated and not exchange.stopped:
                exchange.stopped = True
                await self._stop_statement(exchange)

    async def _skim(self, exchange: Exchange) -> bytes | None:
        """Take the results of a statement of ours; return the last cell of its row, if it has one."""
        cell = None
        while (result := await self._result()) is not None:
            exchange.refuse(error_of(result))
            if result.ntuples:
                cell = result.get_value(0, result.nfields - 1)
        return cell

    async def _result(self) -> "PGresult | None":
        """Return the next result; None marks the end of a statement."""
        from psycopg import OperationalError
        from psycopg.pq import ConnStatus, ExecStatus

        try:
            while self._is_busy():
                await self._readable()
                self._pgconn.consume_input()
        except OperationalError as error:
            raise LostError(first_line(error)) from error
        result = self._pgconn.get_result()
        if self._pgconn.status != ConnStatus.OK:
            last_words = error_of(result) if result is not None else None
            raise last_words or LostError(first_line(self._pgconn.get_error_message()))
        if result is not None and result.status in {ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH}:
            raise LostError("the server began to copy data, which nobody asked for")
        return result

    def _is_busy(self) -> bool:
        """Whether more has to be read; TooLargeError before that is more than is held: libpq holds any message."""
        before = mapped()
        if not self._pgconn.is_busy():
            self._arrived = 0
            return False
        self._arrived += min(waiting(self._pgconn.socket), _MOST_AT_ONCE)
        if self._arrived > _MOST_ROOM or mapped() - before >= _MOST_ROOM:
            raise TooLargeError
        return True

    async def _readable(self) -> None:
        """Wait until the socket has something to read, or something may have been read from it while sending."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        socket = self._pgconn.socket
        loop.add_reader(socket, self._wake)
        try:
            await self._waiting
        finally:
            if not self._connection.closed:
                loop.remove_reader(socket)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _noticed(self, result: "PGresult") -> None:
        if self._exchanges and len(self._exchanges[0].notices) < _MAX_NOTICES:
            self._exchanges[0].notices.append(result.get_error_message("utf-8").strip())

    # --- giving up -----------------------------------------------------------------------------------

    async def _stop(self, exchange: Exchange) -> None:
        """Stop a query that is being answered, for a second at most; one behind others is not stopped.

        Asked again and again, because a request that arrives just between two statements has no effect.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CANCEL_SECONDS):
                while self._exchanges and self._exchanges[0] is exchange:
                    await self._stop_statement(exchange)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(exchange.over.wait(), _CANCEL_AGAIN_SECONDS)

    async def _stop_statement(self, target: Exchange | None = None) -> None:
        """Ask the server to stop the statement under way; it comes back as an error of that statement."""
        from psycopg import Error

        self._expose(target)
        with contextlib.suppress(Error):
            await self._connection.cancel_safe(timeout=_CANCEL_SECONDS)
        self._expose(target)

    def _expose(self, target: Exchange | None) -> None:
        """Remember that a request to stop `target` may come too late and hit one that is behind it."""
        for exchange in self._exchanges:
            exchange.exposed = exchange.exposed or exchange is not target

    async def _give_up(self) -> None:
        """Close: what is still on its way must not answer another query. Those behind have to be sent again."""
        self._ending = True
        self._displace()
        try:
            if not self._connection.closed:
                await self._stop_statement()
        finally:
            self._close()

    def _displace(self) -> None:
        while self._exchanges:
            exchange = self._exchanges.popleft()
            exchange.fail(DisplacedError())
            exchange.over.set()

    def _close(self) -> None:
        self._ending = True
        self._displace()
        if not self._connection.closed:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._pgconn.socket)
            loop.remove_writer(self._pgconn.socket)
        self._pgconn.finish()
        if self._reader is not None and self._reader is not asyncio.current_task():
            self._reader.cancel()
