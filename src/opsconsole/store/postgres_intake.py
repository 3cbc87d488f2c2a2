"""A PostgreSQL database that is being filled with the chain of another store."""

import contextlib
from collections.abc import Iterator, Sequence

import psycopg

from opsconsole.contracts.store import Link, StoreError, Verified
from opsconsole.store.chain import ZEROS, link, store_id_of
from opsconsole.store.postgres_connection import (
    APPENDING,
    CLASS,
    LOCK,
    MIGRATING,
    Connection,
    Questions,
    Server,
    beginning,
)
from opsconsole.store.postgres_faults import connecting_explained, explained
from opsconsole.store.postgres_rows import insert_link, last_link
from opsconsole.store.postgres_schema import MIGRATIONS, make, refuse_unmakable, state_of
from opsconsole.store.postgres_verifying import walked
from opsconsole.store.versions import Migration

_BATCH = 500
"""Events that are sent together, at most."""
_BATCH_SIZE = 2**21
"""Bytes of documents and evidence that are sent together, unless a single event has more."""

# The copy takes as long as the other store takes to be read.
_UNLIMITED = """
SELECT set_config('idle_in_transaction_session_timeout', '0', true), set_config('statement_timeout', '0', true)
"""

# Nobody else sees the tables yet, so no autovacuum tells the planner how long they have become: by what it knows of
# empty ones each trigger reads all of them, and the copy takes the square of the time.
_ANALYSE = b"ANALYZE opsconsole.events, opsconsole.evidence"

_REBIRTH = (
    b"ALTER TABLE opsconsole.meta DISABLE TRIGGER meta_is_never_changed",
    b"UPDATE opsconsole.meta SET store_id = %s, hash = %s, document = %s",
    b"ALTER TABLE opsconsole.meta ENABLE ALWAYS TRIGGER meta_is_never_changed",
)


class PostgresIntake:
    """An Intake (see copying.py): a schema that is made and filled in one transaction."""

    def __init__(self, server: Server, connection: Connection) -> None:
        self._server = server
        self._connection = connection
        self._waiting: list[Link] = []
        self._size = 0
        self._events = 0
        self._analysed = 0

    @property
    def place(self) -> str:
        """The server and the database."""
        return str(self._server)

    def add(self, link: Link) -> None:
        """Add the next event exactly as the other store has it; it is sent together with others."""
        self._waiting.append(link)
        self._size += len(link.document) + sum(len(text) for text in link.evidence if text is not None)
        if len(self._waiting) >= _BATCH or self._size >= _BATCH_SIZE:
            self._send()

    def verified(self) -> Verified:
        """Walk what was added so far."""
        self._send()
        return walked(self._connection)

    def publish(self) -> None:
        """Commit."""
        self._connection.execute("COMMIT")

    def _send(self) -> None:
        additions = Questions(self._connection)
        for each in self._waiting:
            insert_link(additions, each)
        additions.send()
        self._events += len(self._waiting)
        self._waiting.clear()
        self._size = 0
        if self._events >= 2 * self._analysed:
            self._connection.execute(_ANALYSE)
            self._analysed = self._events


@contextlib.contextmanager
def postgres_intake(
    dsn: str, birth: bytes, *, lock_timeout: float, migrations: Sequence[Migration] = MIGRATIONS
) -> Iterator[PostgresIntake]:
    """Fill a database in a block, as its owner, with the chain that begins with the document `birth`.

    There must be no record in it, or one without an event, which is born anew. Raises StoreError where there is
    another one, StoreUnavailable where none can be made; then, and where the block raises or its process ends, the
    database is as it was.
    """
    server = Server.of(dsn)
    try:
        connection = server.connect(patience=lock_timeout)
    except psycopg.Error as error:
        raise connecting_explained(error, str(server)) from error
    try:
        with beginning(connection, lock=MIGRATING, lock_timeout=lock_timeout) as ahead:
            ahead.ask(LOCK, (CLASS, APPENDING))
            ahead.ask(_UNLIMITED)
        _begin_record(connection, server, migrations, birth)
        yield PostgresIntake(server, connection)
    except psycopg.Error as error:
        raise explained(error, str(server)) from error
    finally:
        connection.close()


def _begin_record(connection: Connection, server: Server, migrations: Sequence[Migration], birth: bytes) -> None:
    state = state_of(connection)
    version = refuse_unmakable(connection, state, migrations[-1].version)
    if not version:
        make(connection, migrations, birth, has_schema=state.has_schema)
        return
    head = last_link(connection)
    if head.seq:
        raise StoreError(
            f"{server} has a record already, of {head.seq} events, which is not replaced",
            "Copy to a database without one",
        )
    values = (store_id_of(birth), link(ZEROS, birth), birth)
    for statement in _REBIRTH:
        connection.execute(statement, values if b"%s" in statement else None)
