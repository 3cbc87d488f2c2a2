"""A PostgreSQL database over the life of a program: stopped, restarted, failed over, and there again."""

import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import psycopg

from opsconsole.contracts.store import StoreUnavailable
from opsconsole.store.postgres_connection import BoundedConnection, Connection, Server, Waker
from opsconsole.store.postgres_faults import (
    connecting_explained,
    explained,
    is_lost,
    is_missing,
    is_passing,
    is_starting,
)
from opsconsole.store.postgres_rows import birth_of
from opsconsole.store.postgres_schema import bring_up_to_date
from opsconsole.store.versions import Migration

T = TypeVar("T")

_WAIT_FOR_START = 0.1
"""Seconds between two looks at a server that is starting."""


class PostgresDatabase:
    """Gives a connection to one record, used by one thread at a time.

    After any error of the driver the connection is given up, so that the next call starts from what is stored. What
    is done with it has to bear being done again: an event has an id, so an append does.
    """

    def __init__(
        self, server: Server, *, create: bool, lock_timeout: float, migrations: Sequence[Migration]
    ) -> None:
        self.server = server
        self.lock_timeout = lock_timeout
        self._migrations = tuple(migrations)
        self._create = create
        self._lock = threading.RLock()
        self._waker = Waker()
        self._connection: BoundedConnection | None = None
        self._store_id = ""
        self._deadline = 0.0
        self._closed = False

    @property
    def time_left(self) -> float:
        """Seconds that the call under way may still wait for others."""
        return max(0.001, self._deadline - time.monotonic())

    def attempt(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` does with a connection; it is begun anew where that was lost, and while there is time.

        Raises StoreError with what a person can do in place of every error of the driver.
        """
        with self._lock:
            self._deadline = time.monotonic() + self.lock_timeout
            while True:
                is_new = self._connection is None
                connection = self._connected()
                try:
                    return work(connection)
                except psycopg.Error as error:
                    self._disconnect()
                    if not self._is_worth_another(error, is_new=is_new):
                        raise explained(error, str(self.server)) from error
                    time.sleep(random.uniform(0.001, 0.01))  # noqa: S311 - only keeps writers from meeting again
                except StoreUnavailable:
                    self._disconnect()
                    if is_new:  # what an older session was told at its start may be otherwise by now
                        raise
                except BaseException:
                    self._end_transaction()
                    raise

    def _is_worth_another(self, error: psycopg.Error, *, is_new: bool) -> bool:
        """Return whether a new connection may do better; it also tells whether there still is a record."""
        if is_missing(error):
            return not is_new
        return (is_lost(error) or is_passing(error)) and time.monotonic() < self._deadline

    def close(self) -> None:
        """End the connection, and what waits for an answer on it; every later call raises StoreUnavailable."""
        self._closed = True
        self._waker.wake()
        with self._lock:
            self._disconnect()

    def _connected(self) -> BoundedConnection:
        if self._closed:
            raise StoreUnavailable("this record store was closed")
        if self._connection is not None and self._connection.closed:
            self._disconnect()
        while self._connection is None:
            connection = self._reached()
            try:
                bring_up_to_date(connection, self._migrations, create=self._create, lock_timeout=self.time_left)
                self._recognise(connection)
            except psycopg.Error as error:
                connection.close()
                if not self._is_worth_another(error, is_new=True):
                    raise explained(error, str(self.server)) from error
            except BaseException:
                connection.close()
                raise
            else:
                self._connection = connection
        return self._connection

    def _reached(self) -> BoundedConnection:
        """Return a new connection; a server that is just starting is waited for."""
        while True:
            try:
                return self.server.connect(patience=self.lock_timeout, waker=self._waker)
            except psycopg.Error as error:
                if not is_starting(error) or time.monotonic() >= self._deadline:
                    raise connecting_explained(error, str(self.server)) from error
            time.sleep(_WAIT_FOR_START)

    def _recognise(self, connection: Connection) -> None:
        """Refuse to go on in another record than the one that was opened first."""
        found = birth_of(connection).store_id
        if self._store_id and found != self._store_id:
            raise StoreUnavailable(
                f"{self.server} holds another record now: it was replaced while it was in use",
                f"Put the record with the id {self._store_id} back, or start opsconsole again",
            )
        self._store_id = found
        self._create = False  # a record that is gone later is not made anew, empty, under a running console

    def _end_transaction(self) -> None:
        """Undo what a call has begun and not finished; a connection that cannot is given up."""
        if self._connection is not None:
            try:
                self._connection.rollback()
            except psycopg.Error:
                self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()
