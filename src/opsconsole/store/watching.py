"""Notices what other processes store in a SQLite file, by the counter that SQLite keeps for its caches."""

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from opsconsole.contracts.store import StoreUnavailable
from opsconsole.store import files
from opsconsole.store.faults import explained, is_busy

_POLL = 0.25
"""Seconds between two looks; each reads one page of the file."""


class SqliteWatch:
    """A Watch (see contracts) on a connection of its own: `PRAGMA data_version` tells of others."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], path: Path) -> None:
        self._connect = connect
        self._path = path
        self._closed = threading.Event()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._seen: int | None = None

    def wait(self, timeout: float) -> bool:
        """Return True once something may have been stored, False after `timeout` seconds or where it was closed."""
        deadline = time.monotonic() + timeout
        while not self._closed.is_set():
            if self._changed():
                return True
            left = deadline - time.monotonic()
            if left <= 0 or self._closed.wait(min(_POLL, left)):
                return False
        self._disconnect()
        return False

    def close(self) -> None:
        """Look no longer; the connection is ended by the thread that uses it."""
        self._closed.set()

    def _changed(self) -> bool:
        try:
            identity = files.identity(self._path)
            if self._connection is None or identity != self._identity:
                self._disconnect()
                self._connection, self._identity = self._connect(), identity
            ((version,),) = self._connection.execute("PRAGMA data_version")
        except sqlite3.Error as error:
            if is_busy(error):
                return False  # somebody writes: the next look tells
            self._disconnect()
            raise explained(error, self._path) from error
        except OSError as error:
            self._disconnect()
            raise StoreUnavailable(f"{self._path} cannot be used: {error.strerror}") from error
        before, self._seen = self._seen, version
        return bool(version != before)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._seen = None
        if connection is not None:
            connection.close()
