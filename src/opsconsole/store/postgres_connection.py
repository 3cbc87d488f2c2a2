"""Connections to PostgreSQL on which nothing is waited for without an end, and transactions on them."""

import contextlib
import math
import os
import select
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec
import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg.waiting import Ready, Wait

from opsconsole.contracts.store import StoreError, StoreUnavailable

RV = TypeVar("RV")
Connection: TypeAlias = psycopg.Connection[TupleRow]

CLASS = 0x4F505343
"""`OPSC`: the first half of the advisory locks' keys, which other programs in the database hardly use."""
LOCK = "SELECT pg_advisory_xact_lock(%s, %s)"
APPENDING = 1
"""The second half: held by whoever appends, until its transaction ends."""
MIGRATING = 2
"""The second half: held by whoever makes or upgrades the schema."""

_DEFAULTS = {
    "fallback_application_name": "opsconsole",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
_FIXED = {"client_encoding": "UTF8"}
_LONGEST_CONNECT = 10
"""Seconds that one address has to answer."""
_GRACE = 10.0
"""Seconds beyond the wait for a lock that a statement may take, and its answer on top of that."""
_MOST_IDLE = 10.0
"""Seconds after which the server ends a transaction whose client has stopped: others wait for its lock."""

# For the transaction only: a pooler between gives the connection to somebody else afterwards. What would make
# commits less than durable here is overruled; `remote_apply` is more than `on`, and stays.
_SETTINGS = """
SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true),
       set_config('idle_in_transaction_session_timeout', %s, true), set_config('search_path', 'pg_catalog', true),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                                        WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)
"""
_WRITABLE = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'"


class NoAnswer(psycopg.OperationalError):
    """The server, or the network before it, said nothing for too long; the connection was given up."""


class Waker:
    """Ends, from any thread, whatever waits for a server."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """Return a descriptor that can be read from once it was woken."""
        return self._descriptor

    def wake(self) -> None:
        """End every wait, those to come included."""
        os.eventfd_write(self._descriptor, 1)

    def __del__(self) -> None:
        """Give the descriptor back, which must have no new owner while anybody may still wait on it."""
        os.close(self._descriptor)


class BoundedConnection(psycopg.Connection[TupleRow]):
    """A connection that is given up where an answer takes longer than its patience, or its user has none left.

    libpq waits for ever for a server that was frozen or a cable that was pulled: TCP notices late, a socket never.
    """

    patience: float = 60.0
    """Seconds for each answer."""
    waker: Waker | None = None
    """Ends what is waited for, once it was woken."""

    def wait(self, gen: PQGen[RV], interval: float = 0.0, timeout: float | None = None) -> RV:  # noqa: ARG002 - psycopg's
        """Return what a conversation with the server ends in."""
        deadline = time.monotonic() + (self.patience if timeout is None else timeout)
        descriptor, poll = self.pgconn.socket, select.poll()
        if self.waker is not None:
            poll.register(self.waker, select.POLLIN)
        try:
            wanted = next(gen)
            while True:
                events = (select.POLLIN if wanted & Wait.R else 0) | (select.POLLOUT if wanted & Wait.W else 0)
                poll.register(descriptor, events)
                found = dict(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
                if descriptor not in found:
                    waited = "while it was waited for" if found else f"within {self.patience:g} s"
                    raise NoAnswer(f"the server gave no answer {waited}")  # noqa: TRY301 - it ends what is under way as the others do
                wanted = gen.send(_ready(found[descriptor]))
        except StopIteration as ended:
            result: RV = ended.value
            return result
        except (NoAnswer, KeyboardInterrupt) as error:
            self.pgconn.finish()  # an answer that comes later must not be taken for that of another question
            with contextlib.suppress(psycopg.Error, KeyboardInterrupt, StopIteration):
                gen.throw(error)
            raise


def _ready(events: int) -> Ready:
    """Return what poll(2) says in psycopg's words; an error is found out by reading or writing."""
    if events & ~(select.POLLIN | select.POLLOUT):
        return Ready.RW
    return Ready((Ready.R if events & select.POLLIN else 0) | (Ready.W if events & select.POLLOUT else 0))


class Server(msgspec.Struct, frozen=True):
    """Where the record is and with what it is connected to; never with a password, which libpq finds by itself."""

    parameters: Mapping[str, str]

    @classmethod
    def of(cls, dsn: str) -> "Server":
        """Read a connection string or URL; raises StoreError, which repeats nothing of it."""
        try:
            given = {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
        except psycopg.Error as error:
            raise StoreError(
                "the store's connection string cannot be read",
                "Write it like 'postgresql://db.example/opsconsole' or 'service=opsconsole'",
            ) from error
        return cls({key: value for key, value in given.items() if value})

    def __str__(self) -> str:
        """Return where it is, for a person."""
        if not {"host", "hostaddr", "dbname"} & self.parameters.keys() and "service" in self.parameters:
            return f"PostgreSQL (service {self.parameters['service']})"
        host = self.parameters.get("host") or self.parameters.get("hostaddr") or "the local socket"
        port = self.parameters.get("port", "")
        name = self.parameters.get("dbname", "")
        return f"PostgreSQL ({f'database {name}, ' if name else ''}{host}{f', port {port}' if port else ''})"

    def connect(
        self, *, patience: float, application_name: str = "", waker: Waker | None = None
    ) -> BoundedConnection:
        """Return a connection in autocommit mode; raises psycopg.Error, whose text is libpq's."""
        seconds = max(2, min(_LONGEST_CONNECT, math.ceil(patience)))
        named = {"application_name": application_name} if application_name else {}
        given = {"connect_timeout": str(seconds)} | dict(self.parameters)
        parameters = _DEFAULTS | given | _passfile(given) | _FIXED | named
        connection: BoundedConnection = BoundedConnection.connect(
            make_conninfo(**parameters),
            autocommit=True,
            prepare_threshold=None,  # a pooler may answer the next statement from another session
        )
        connection.patience = patience + 2 * _GRACE
        connection.waker = waker
        return connection


def _passfile(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return what keeps libpq from writing across the screen that it ignores a password file others may read."""
    path = Path(parameters.get("passfile") or os.environ.get("PGPASSFILE") or "~/.pgpass").expanduser()
    try:
        mode = path.stat().st_mode
    except OSError:
        return {}
    usable = stat.S_ISREG(mode) and not mode & (stat.S_IRWXG | stat.S_IRWXO)
    return {} if usable else {"passfile": f"{os.devnull}/none"}


class Questions:
    """Statements that go to the server as one message, in their order, and their answers.

    Not a pipeline, after whose end PostgreSQL does not watch for clients that have stopped in a transaction.
    """

    def __init__(self, connection: Connection) -> None:
        self._cursor: psycopg.ClientCursor[TupleRow] = psycopg.ClientCursor(connection)
        self._statements: list[str] = []
        self._answers: list[list[TupleRow]] = []

    def ask(self, query: str, values: Any = None) -> Callable[[], list[TupleRow]]:
        """Add a statement; return what gives its rows once it was sent."""
        number = len(self._statements)
        self._statements.append(self._cursor.mogrify(query.encode(), values) if values else query)
        return lambda: self._answers[number]

    def send(self) -> None:
        """Send all and take the answers; raises psycopg.Error for the first that fails."""
        if not self._statements:
            return
        with self._cursor as cursor:
            cursor.execute(";\n".join(self._statements).encode())
            for _ in self._statements:
                self._answers.append(cursor.fetchall() if cursor.description is not None else [])
                cursor.nextset()


@contextlib.contextmanager
def beginning(connection: Connection, *, lock: int, lock_timeout: float) -> Iterator[Questions]:
    """Begin a writing transaction with a lock, and send what the block asks with it, all in one round trip.

    What the block asks is answered once it has ended, and has seen what was committed before the lock was had
    (READ COMMITTED). Raises StoreUnavailable where the server takes no writes. The caller ends the transaction.
    """
    milliseconds = max(1, round(lock_timeout * 1000))
    limits = (milliseconds, milliseconds + round(_GRACE * 1000), round(_MOST_IDLE * 1000))
    questions = Questions(connection)
    questions.ask("BEGIN ISOLATION LEVEL READ COMMITTED")
    questions.ask(_SETTINGS, [str(each) for each in limits])
    writable = questions.ask(_WRITABLE)
    questions.ask(LOCK, (CLASS, lock))
    yield questions
    questions.send()
    ((standby, read_only),) = writable()
    refuse_read_only(standby, read_only)


def refuse_read_only(standby: bool, read_only: bool) -> None:
    """Raise StoreUnavailable where a transaction could not write."""
    if standby:
        raise StoreUnavailable(
            "this server is a standby, which takes no writes",
            "Name the primary in `store`, or all of them and `target_session_attrs=read-write`",
        )
    if read_only:
        raise StoreUnavailable(
            "the server is read-only for this role or database (default_transaction_read_only)",
            "Find out who set it and why (a full disk?): `select * from pg_db_role_setting`; "
            "`show default_transaction_read_only`",
        )


@contextlib.contextmanager
def one_moment(connection: Connection) -> Iterator[None]:
    """See one state of the database for the length of a `with` block, whatever others commit meanwhile."""
    connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    try:
        yield
    finally:
        with contextlib.suppress(psycopg.Error):
            connection.rollback()
