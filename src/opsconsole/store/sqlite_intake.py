"""A SQLite file that is being filled with the chain of another store."""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from opsconsole.contracts.store import Link, StoreError, Verified
from opsconsole.store.backup import unpublished
from opsconsole.store.connection import connect
from opsconsole.store.files import prepare_directory
from opsconsole.store.migrations import MIGRATIONS, create
from opsconsole.store.rows import insert_link
from opsconsole.store.verifying import verified
from opsconsole.store.versions import Migration


class SqliteIntake:
    """An Intake (see copying.py): a file that has its name only once it is whole, filled in one transaction."""

    def __init__(self, path: Path, connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
        self._path = path
        self._connection = connection
        self._migrations = migrations

    @property
    def place(self) -> str:
        """The path that it will have."""
        return str(self._path)

    def add(self, link: Link) -> None:
        """Add the next event exactly as the other store has it."""
        insert_link(self._connection, link)

    def verified(self) -> Verified:
        """Walk what was added so far."""
        return verified(self._connection, self._migrations)

    def publish(self) -> None:
        """Write it to the disk; it gets its name when the block of `sqlite_intake` ends."""
        self._connection.execute("COMMIT")


@contextlib.contextmanager
def sqlite_intake(path: Path, birth: bytes, migrations: Sequence[Migration] = MIGRATIONS) -> Iterator[SqliteIntake]:
    """Fill the new file `path` (mode 0600) in a block, with the chain that begins with the document `birth`.

    Raises StoreError where `path` exists or its directory is unfit for a record, StoreUnavailable where it cannot
    be written; then, and where the block raises or its process ends, nothing has that name.
    """
    if path.exists():
        raise StoreError(f"{path} exists already", "Choose another name")
    prepare_directory(path)
    with unpublished(path) as partial, contextlib.closing(connect(partial, lock_timeout=0.0)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        create(connection, migrations, birth)
        yield SqliteIntake(path, connection, migrations)
        if connection.in_transaction:
            raise StoreError(f"{path} was not finished")
