"""One connection to PostgreSQL that can only read: a query, its bounds and its rollback go in one round trip.

psycopg opens the connection and wraps libpq (`psycopg.pq`); the traffic is driven here, because what is needed lies
below its cursors: pipeline mode and single-row mode together, so that a result can be cut off while it arrives, the
type of each column, and the SQLSTATE of each error. Pipeline mode always speaks the extended protocol, in which a
message holds one statement only. PostgreSQL manual: "Pipeline Mode", "Retrieving Query Results Row-by-Row".
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from psycopg import AsyncConnection
    from psycopg.pq.abc import PGresult

_CANCEL_SECONDS = 1.0
"""How long the server has to give up a statement before the connection is given up instead."""

_READ_ONLY = b"BEGIN READ ONLY"
_ROLLBACK = b"ROLLBACK"
_SETTINGS = (
    b"SELECT set_config('statement_timeout', $1, true),"
    b" set_config('row_security', 'off', true),"  # raise where rows would be hidden
    b" set_config('TimeZone', 'UTC', true),"
    b" set_config('DateStyle', 'ISO, YMD', true),"
    b" set_config('IntervalStyle', 'postgres', true),"
    b" set_config('extra_float_digits', '1', true),"
    b" set_config('bytea_output', 'hex', true)"
)
"""For the transaction only, so that a pooler between does not give them to somebody else."""

_MAX_NOTICES = 20


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a query may take."""

    seconds: float
    """After which nothing is waited for any more; the server is told to stop a little earlier."""
    rows: int
    bytes: int
    """Of all cells together."""

    @property
    def server_milliseconds(self) -> int:
        """The server's `statement_timeout`: early enough for its own error to arrive."""
        return max(1, int((self.seconds - min(0.25, self.seconds / 10)) * 1000))


class Column(msgspec.Struct, frozen=True):
    """A column of an answer."""

    name: str
    type: int
    """The oid of its type: `select oid, typname from pg_type`."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a query brought back, cells as the text that the server sent."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[bytes | None, ...], ...]
    truncated: bool
    """Whether rows were left out because a bound was reached."""
    seconds: float
    """From sending the query to its last row."""
    notices: tuple[str, ...]


class ServerError(Exception):
    """What the server refused; the fields are those of the protocol ("Error and Notice Message Fields")."""

    def __init__(self, sqlstate: str, message: str, *, detail: str = "", hint: str = "", position: int = 0) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint
        self.position = position
        """Character of the query where it went wrong, counted from 1; 0 where the server does not say."""


class LostError(Exception):
    """The connection ended while it was needed."""


class LateError(Exception):
    """The server had not answered in time, not even to say that it was out of time."""


class Connection:
    """An open connection; one query at a time. After any error `usable` says whether it can go on."""

    def __init__(self, connection: "AsyncConnection[Any]") -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._notices: list[str] = []
        self._pgconn.enter_pipeline_mode()
        self._pgconn.notice_handler = self._noticed

    @classmethod
    async def open(cls, parameters: Mapping[str, str]) -> "Connection":
        """Connect; raises `psycopg.OperationalError`, whose text is libpq's."""
        from psycopg import AsyncConnection
        from psycopg.conninfo import make_conninfo

        return cls(await AsyncConnection.connect(make_conninfo(**parameters), autocommit=True))

    @property
    def usable(self) -> bool:
        """Whether it is open and idle, outside any transaction."""
        from psycopg.pq import TransactionStatus

        return not self._connection.closed and self._pgconn.transaction_status == TransactionStatus.IDLE

    @property
    def superuser(self) -> bool:
        """Whether its role may do anything at all."""
        return self.reported("is_superuser") == "on"

    @property
    def role(self) -> str:
        """The role it is logged in as."""
        return self.reported("session_authorization") or self._pgconn.user.decode("utf-8", "replace")

    @property
    def encrypted(self) -> bool:
        """Whether TLS or GSSAPI protects it."""
        return bool(self._pgconn.ssl_in_use or self._pgconn.used_gssapi)

    @property
    def local(self) -> bool:
        """Whether it is a socket of this host, not of the network."""
        return self._pgconn.host.startswith((b"/", b"@"))

    def reported(self, name: str) -> str:
        """Return a setting that the server reports by itself: "Asynchronous Operations", ParameterStatus."""
        return (self._pgconn.parameter_status(name.encode()) or b"").decode("utf-8", "replace")

    async def aclose(self) -> None:
        """Close it at once."""
        await self._connection.close()

    async def query(self, text: str, values: Sequence[str], types: Sequence[int], bounds: Bounds) -> Answer:
        """Run one query in a READ ONLY transaction that is rolled back, all of it in one round trip.

        Raises ServerError, LateError, LostError. Cancelling it cancels the query in the server too.
        """
        self._notices.clear()
        kept = _Kept(bounds)
        try:
            async with asyncio.timeout(bounds.seconds):
                self._send(text.encode(), [value.encode() for value in values], types, bounds)
                await self._flush()
                await self._receive(kept)
        except TimeoutError:
            await self._abandon()
            if not kept.truncated:
                raise LateError from None
        except asyncio.CancelledError:
            await self._abandon()
            raise
        if kept.error is not None and not kept.truncated:
            raise kept.error
        return kept.answer(tuple(self._notices))

    # --- the pipeline --------------------------------------------------------------------------------

    def _send(self, text: bytes, values: Sequence[bytes], types: Sequence[int], bounds: Bounds) -> None:
        from psycopg import OperationalError

        pgconn = self._pgconn
        try:
            pgconn.send_query_params(_READ_ONLY, None)
            pgconn.send_query_params(_SETTINGS, [str(bounds.server_milliseconds).encode()])
            pgconn.send_query_params(text, values, types)
            pgconn.pipeline_sync()
            # behind the synchronisation point, so that an error before it does not skip this one
            pgconn.send_query_params(_ROLLBACK, None)
            pgconn.pipeline_sync()
        except OperationalError as error:
            raise LostError(_first_line(error)) from error

    async def _flush(self) -> None:
        from psycopg import OperationalError

        try:
            while self._pgconn.flush():
                await self._ready(writing=True)
                self._pgconn.consume_input()  # a server that cannot send does not receive either
        except OperationalError as error:
            raise LostError(_first_line(error)) from error

    async def _receive(self, kept: "_Kept") -> None:
        """Take the results of what `_send` sent, in its order."""
        for _ in (_READ_ONLY, _SETTINGS):
            while (result := await self._result()) is not None:
                kept.refuse(_error_of(result))
        if kept.error is None:
            self._pgconn.set_single_row_mode()
        while (result := await self._result()) is not None:
            kept.take(result)
            if kept.truncated and not kept.cut_off:
                kept.cut_off = True
                await self._cancel()
        kept.ended = time.monotonic()
        await self._result()
        while (result := await self._result()) is not None:
            kept.refuse(_error_of(result))
        await self._result()

    async def _result(self) -> "PGresult | None":
        """Return the next result; None marks the end of a statement."""
        from psycopg import OperationalError
        from psycopg.pq import ConnStatus

        try:
            while self._pgconn.is_busy():
                await self._ready()
                self._pgconn.consume_input()
        except OperationalError as error:
            raise self._lost(_first_line(error)) from error
        result = self._pgconn.get_result()
        if self._pgconn.status != ConnStatus.OK:
            raise self._lost(_first_line(self._pgconn.get_error_message()), result)
        return result

    def _lost(self, message: str, result: "PGresult | None" = None) -> Exception:
        """Return why the connection ended: the server's last words where it had any."""
        while result is not None or (result := self._pgconn.get_result()) is not None:
            error = _error_of(result)
            if error is not None and error.sqlstate:
                return error
            result = None
        return LostError(message)

    async def _ready(self, *, writing: bool = False) -> None:
        """Wait until the socket has something to read, or room to write."""
        loop = asyncio.get_running_loop()
        ready = loop.create_future()
        socket = self._pgconn.socket

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        loop.add_reader(socket, wake)
        if writing:
            loop.add_writer(socket, wake)
        try:
            await ready
        finally:
            loop.remove_reader(socket)
            if writing:
                loop.remove_writer(socket)

    # --- giving up -----------------------------------------------------------------------------------

    async def _cancel(self) -> None:
        """Ask the server to stop the statement under way; it comes back as an error of that statement."""
        from psycopg import Error

        with contextlib.suppress(Error):
            await self._connection.cancel_safe(timeout=_CANCEL_SECONDS)

    async def _abandon(self) -> None:
        """Cancel in the server and close: what is still on its way must not answer the next query."""
        try:
            async with asyncio.timeout(_CANCEL_SECONDS):
                await self._cancel()
        except TimeoutError:
            pass
        finally:
            self._pgconn.finish()

    def _noticed(self, result: "PGresult") -> None:
        if len(self._notices) < _MAX_NOTICES:
            self._notices.append(result.get_error_message("utf-8").strip())


class _Kept:
    """Collects the rows of a query up to its bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self.error: ServerError | None = None
        self.truncated = False
        self.cut_off = False
        """Whether the server was already asked to stop."""
        self.began = self.ended = time.monotonic()
        self._bounds = bounds
        self._columns: tuple[Column, ...] = ()
        self._rows: list[tuple[bytes | None, ...]] = []
        self._bytes = 0

    def refuse(self, error: ServerError | None) -> None:
        """Remember the first error; what follows in the pipeline is only skipped because of it."""
        self.error = self.error or error

    def take(self, result: "PGresult") -> None:
        """Keep the rows of a result, unless that is too much."""
        self.refuse(_error_of(result))
        if self.error is not None or self.truncated:
            return
        if not self._columns:
            self._columns = tuple(
                Column((result.fname(at) or b"").decode("utf-8", "backslashreplace"), result.ftype(at))
                for at in range(result.nfields)
            )
        for row in range(result.ntuples):
            if len(self._rows) == self._bounds.rows:
                self.truncated = True
                return
            cells = tuple(result.get_value(row, at) for at in range(result.nfields))
            self._bytes += sum(len(cell) for cell in cells if cell is not None)
            if self._bytes > self._bounds.bytes:
                self.truncated = True
                return
            self._rows.append(cells)

    def answer(self, notices: tuple[str, ...]) -> Answer:
        """Return what was kept."""
        return Answer(
            columns=self._columns,
            rows=tuple(self._rows),
            truncated=self.truncated,
            seconds=self.ended - self.began,
            notices=notices,
        )


def _error_of(result: "PGresult") -> ServerError | None:
    from psycopg.pq import DiagnosticField, ExecStatus

    if result.status != ExecStatus.FATAL_ERROR:
        return None

    def field(code: DiagnosticField) -> str:
        return (result.error_field(code) or b"").decode("utf-8", "backslashreplace")

    position = field(DiagnosticField.STATEMENT_POSITION)
    return ServerError(
        field(DiagnosticField.SQLSTATE),
        field(DiagnosticField.MESSAGE_PRIMARY) or _first_line(result.get_error_message("utf-8")),
        detail=field(DiagnosticField.MESSAGE_DETAIL),
        hint=field(DiagnosticField.MESSAGE_HINT),
        position=int(position) if position.isdecimal() else 0,
    )


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]
