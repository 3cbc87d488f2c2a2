"""A SQLite file over the life of a program: locked, moved, full, unmounted, and there again."""

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from opsconsole.contracts.store import StoreUnavailable
from opsconsole.store import files
from opsconsole.store.connection import connect, make_durable
from opsconsole.store.durability import Durability
from opsconsole.store.faults import explained, is_busy
from opsconsole.store.migrations import bring_up_to_date
from opsconsole.store.rows import birth_of
from opsconsole.store.versions import Migration

T = TypeVar("T")


class Database:
    """Gives a connection to one record, used by one thread at a time.

    After any error the connection is given up, so that the next call starts from what is on disk.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool,
        settings: Durability,
        lock_timeout: float,
        migrations: Sequence[Migration],
    ) -> None:
        self.path = path.absolute()
        self.settings = settings
        self.lock_timeout = lock_timeout
        self.migrations = tuple(migrations)
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._store_id = ""
        self._closed = False
        files.prepare(self.path, create=create)

    def attempt(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `work` does with a connection; it is begun anew while the file is locked and there is time.

        Raises StoreError with what a person can do in place of every error of SQLite or the system.
        """
        with self._lock:
            deadline = time.monotonic() + self.lock_timeout
            while True:
                try:
                    return work(self._connected())
                except (sqlite3.Error, UnicodeDecodeError) as error:
                    self._disconnect()
                    if not is_busy(error) or time.monotonic() >= deadline:
                        raise explained(error, self.path) from error
                except OSError as error:
                    self._disconnect()
                    raise StoreUnavailable(f"{self.path} cannot be used: {error.strerror}") from error
                time.sleep(random.uniform(0.001, 0.01))  # noqa: S311 - only keeps writers from meeting again

    def refuse_lost_file(self) -> None:
        """Raise StoreUnavailable where the connection's file no longer has its name.

        What was written to it then is not acknowledged: nobody would find it again.
        """
        if files.identity(self.path) != self._identity:
            self._disconnect()
            raise StoreUnavailable(
                f"{self.path} was moved or replaced while it was written to",
                "End every opsconsole before the record is moved or restored",
            )

    def close(self) -> None:
        """End the connection; every later call raises StoreUnavailable."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def _connected(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreUnavailable("this record store was closed")
        if self._connection is not None and files.identity(self.path) != self._identity:
            self._disconnect()
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        files.prepare(self.path, create=False)
        identity = files.identity(self.path)
        connection = connect(self.path, lock_timeout=self.lock_timeout)
        try:
            bring_up_to_date(connection, self.path, self.migrations, lock_timeout=self.lock_timeout)
            make_durable(connection, self.path, self.settings)
            self._recognise(connection)
        except BaseException:
            connection.close()
            raise
        self._identity = identity
        return connection

    def _recognise(self, connection: sqlite3.Connection) -> None:
        """Refuse to go on in another record than the one that was opened first."""
        found = birth_of(connection).store_id
        if self._store_id and found != self._store_id:
            raise StoreUnavailable(
                f"{self.path} is another record now: it was replaced while it was in use",
                f"Put the record with the id {self._store_id} back, or start opsconsole again",
            )
        self._store_id = found

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
