"""Notices what other sessions store in PostgreSQL: told by NOTIFY, and found by looking where that is not heard."""

import contextlib
import select
import threading
import time

import psycopg

from opsconsole.contracts.store import StoreUnavailable
from opsconsole.store.postgres_connection import BoundedConnection, Server, Waker
from opsconsole.store.postgres_faults import connecting_explained, explained

_LOOK = 1.0
"""Seconds between two looks while nobody knows whether notifications come through: a pooler may keep them."""
_LOOK_WHEN_TOLD = 15.0
"""Seconds between two looks once a notification came before a look had found anything."""
_PAUSE = 1.0
"""Seconds before a server that could not be asked is asked again."""

_LISTEN = "LISTEN opsconsole"
_LAST = "SELECT coalesce(max(seq), 0) FROM opsconsole.events"


class PostgresWatch:
    """A Watch (see contracts) on a session of its own."""

    def __init__(self, server: Server, *, patience: float) -> None:
        self._server = server
        self._patience = patience
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._waker = Waker()
        self._connection: BoundedConnection | None = None
        self._failed = False
        self._heard = False
        """Whether a notification came along with the answer to something else."""
        self._told = False
        """Whether notifications are known to come through."""
        self._next_look = 0.0
        self._seen: int | None = None

    def wait(self, timeout: float) -> bool:
        """Return True once something may have been stored, False after `timeout` seconds or where it was closed."""
        deadline = time.monotonic() + timeout
        try:
            with self._lock:
                return self._wait(deadline)
        finally:
            if self._closed.is_set():
                self._tidy()

    def close(self) -> None:
        """Look no longer; a `wait` under way returns at once."""
        self._closed.set()
        self._waker.wake()
        self._tidy()

    def _wait(self, deadline: float) -> bool:
        if self._failed and not self._closed.wait(max(0.0, min(_PAUSE, deadline - time.monotonic()))):
            self._failed = False
        while not self._closed.is_set():
            try:
                if self._changed():
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._listen(min(left, max(0.0, self._next_look - time.monotonic())))
            except psycopg.Error as error:
                self._disconnect()
                if self._closed.is_set():
                    return False
                self._failed = True
                raise self._unavailable(error) from error
        return False

    def _changed(self) -> bool:
        """Return whether there is news: told, or found by a look when one is due."""
        connection, told = self._connection, False
        if connection is None or connection.closed:
            connection = self._connected()
        else:
            told = self._notified(connection)
            if not told and time.monotonic() < self._next_look:
                return False
        row = connection.execute(_LAST).fetchone()
        before, self._seen = self._seen, row[0] if row is not None else 0
        changed = before != self._seen
        if changed or told:
            self._told = told
        self._next_look = time.monotonic() + (_LOOK_WHEN_TOLD if self._told else _LOOK)
        return changed

    def _notified(self, connection: BoundedConnection) -> bool:
        connection.pgconn.consume_input()
        found, self._heard = self._heard, False
        while connection.pgconn.notifies() is not None:
            found = True
        return found

    def _listen(self, seconds: float) -> None:
        """Wait until the server says something, somebody closes, or the time is over."""
        if self._connection is not None:
            poll = select.poll()
            poll.register(self._connection.pgconn.socket, select.POLLIN)
            poll.register(self._waker, select.POLLIN)
            poll.poll(seconds * 1000)

    def _connected(self) -> BoundedConnection:
        connection = self._server.connect(patience=self._patience, waker=self._waker)
        connection.add_notify_handler(self._hear)
        self._connection, self._told, self._heard = connection, False, False
        try:
            connection.execute(_LISTEN)
        except psycopg.Error:
            if connection.closed:
                raise
        return connection

    def _hear(self, _notification: psycopg.Notify) -> None:
        self._heard = True

    def _unavailable(self, error: psycopg.Error) -> StoreUnavailable:
        explain = connecting_explained if error.sqlstate is None else explained
        found = explain(error, str(self._server))
        return found if isinstance(found, StoreUnavailable) else StoreUnavailable(str(found), found.hint)

    def _tidy(self) -> None:
        """End the connection, unless a `wait` is under way, which does it at its end."""
        if self._lock.acquire(blocking=False):
            try:
                self._disconnect()
            finally:
                self._lock.release()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._seen = None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                connection.close()
