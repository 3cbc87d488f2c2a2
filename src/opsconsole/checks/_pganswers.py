"""What a query to PostgreSQL may take, what it brings back, and the ways it can end without an answer."""

import asyncio
import re
import time
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from psycopg.pq import DiagnosticField
    from psycopg.pq.abc import PGresult

QUERY_CANCELED = "57014"
"""SQLSTATE of a statement that was stopped: by its timeout, or by somebody."""

MAX_MESSAGE = 16 << 20
"""Bytes of one row, or another message of the server, that are read (16 MiB)."""

_NEARLY = 0.95
"""The server's clock and ours need not agree to the millisecond on whether a statement's time was up."""


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
    seconds: Decimal
    """How long the server needed for it, without the way there and back."""
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


class TooLargeError(LostError):
    """The server sends a row (or another message) that is longer than what is read, which ends the connection."""

    def __init__(self) -> None:
        super().__init__(f"a row has more than {MAX_MESSAGE >> 20} MiB")


class LateError(Exception):
    """The query was not done in time, and was stopped."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"not done after {seconds:.3g} s")
        self.seconds = seconds


class DisplacedError(Exception):
    """The connection ended because of another query, before this one was answered: send it again."""


class Exchange:
    """One query under way: collects its rows up to its bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.error: ServerError | None = None
        self.truncated = False
        self.stopped = False
        """Whether the server was asked to stop, because enough was seen."""
        self.over = asyncio.Event()
        """Set when nothing of it is left to come."""
        self.exposed = False
        """Whether the server was asked to stop an earlier query while this one was under way: it may be hit."""
        self.began = time.monotonic()
        """When those before it were done."""
        self.notices: list[str] = []
        self._took = 0.0
        self._server_took: Decimal | None = None
        self._columns: tuple[Column, ...] = ()
        self._rows: list[tuple[bytes | None, ...]] = []
        self._bytes = 0

    def refuse(self, error: ServerError | None) -> None:
        """Remember the first error; what follows in the pipeline is only skipped because of it."""
        self.error = self.error or error

    def take(self, result: "PGresult") -> None:
        """Keep the rows of a result, unless that is too much."""
        self.refuse(error_of(result))
        if self.error is not None or self.truncated:
            return
        if not self._columns:
            self._columns = tuple(
                Column((result.fname(at) or b"").decode("utf-8", "backslashreplace"), result.ftype(at))
                for at in range(result.nfields)
            )
        for row in range(result.ntuples):
            cells = tuple(result.get_value(row, at) for at in range(result.nfields))
            self._bytes += sum(len(cell) for cell in cells if cell is not None)
            if len(self._rows) == self.bounds.rows or self._bytes > self.bounds.bytes:
                self.truncated = True
                return
            self._rows.append(cells)

    def timed(self, began: bytes | None, ended: bytes | None) -> None:
        """Keep how long it took, from the server's clock before and after it if both are known."""
        self._took = time.monotonic() - self.began
        if began is not None and ended is not None:
            self._server_took = Decimal(ended.decode()) - Decimal(began.decode())

    def settle(self) -> None:
        """Say what became of it: all its results have been seen."""
        if self.truncated or self.error is None:
            self._answer()
        elif self.error.sqlstate != QUERY_CANCELED:
            self.fail(self.error)
        elif self._took * 1000 >= self.bounds.server_milliseconds * _NEARLY:
            self.fail(LateError(self._took))
        else:
            self.fail(DisplacedError() if self.exposed else self.error)

    def give_up(self, error: Exception) -> None:
        """Say that no more will come: what was seen of a result that is too long anyway is still its answer."""
        if self.truncated:
            self._answer()
        else:
            self.fail(self.error or error)

    def fail(self, error: Exception) -> None:
        """Say that there will be no answer."""
        if not self.done.done():
            self.done.set_exception(error)

    def _answer(self) -> None:
        if not self.done.done():
            self.done.set_result(
                Answer(
                    columns=self._columns,
                    rows=tuple(self._rows),
                    truncated=self.truncated,
                    seconds=self._server_took if self._server_took is not None else Decimal(str(self._took)),
                    notices=tuple(self.notices),
                )
            )


def error_of(result: "PGresult") -> ServerError | None:
    """Return the error that a result holds, None where it holds another thing."""
    from psycopg.pq import DiagnosticField, ExecStatus

    if result.status != ExecStatus.FATAL_ERROR:
        return None

    def field(code: "DiagnosticField") -> str:
        return (result.error_field(code) or b"").decode("utf-8", "backslashreplace")

    position = field(DiagnosticField.STATEMENT_POSITION)
    return ServerError(
        field(DiagnosticField.SQLSTATE),
        field(DiagnosticField.MESSAGE_PRIMARY) or first_line(result.get_error_message("utf-8")),
        detail=field(DiagnosticField.MESSAGE_DETAIL),
        hint=field(DiagnosticField.MESSAGE_HINT),
        position=int(position) if position.isdecimal() else 0,
    )


def first_line(error: object) -> str:
    """Return what libpq says, without the driver's own words before it."""
    line = str(error).strip().partition("\n")[0]
    return re.sub(r"^(?:consuming input|flushing|sending query(?: and params)?) failed: ", "", line)
