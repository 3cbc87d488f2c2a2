"""Connections to a SQLite file, and transactions on them."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from opsconsole.contracts.store import StoreUnavailable
from opsconsole.store.durability import Durability
from opsconsole.store.files import FILE_LOCKS

_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA trusted_schema = OFF",  # what the file's schema says is not trusted to call functions
    "PRAGMA cell_size_check = ON",  # damaged pages are noticed when they are read
    "PRAGMA recursive_triggers = ON",  # INSERT OR REPLACE tells the delete trigger
    "PRAGMA synchronous = EXTRA",
)


def connect(path: Path, *, lock_timeout: float) -> sqlite3.Connection:
    """Return a connection to an existing file, in autocommit mode, for use from one thread at a time.

    SQLite itself waits up to `lock_timeout` seconds for other connections. The file is not touched yet: it may be
    another program's. Raises sqlite3.Error.
    """
    with FILE_LOCKS:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw",  # never creates the file
            uri=True,
            timeout=lock_timeout,
            isolation_level=None,
            check_same_thread=False,
        )
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def make_durable(connection: sqlite3.Connection, path: Path, settings: Durability) -> None:
    """Choose how commits are written; raise StoreUnavailable where the file insists on another journal mode."""
    connection.execute(f"PRAGMA synchronous = {settings.synchronous}")
    ((mode,),) = connection.execute(f"PRAGMA journal_mode = {settings.journal_mode}")
    if mode != settings.journal_mode:
        raise StoreUnavailable(
            f"{path} is in journal mode {mode} and did not change to {settings.journal_mode}",
            "End whatever else has the file open",
        )


@contextlib.contextmanager
def one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    """See one state of the file for the length of a `with` block, whatever others commit meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        with contextlib.suppress(sqlite3.Error):
            connection.rollback()


@contextlib.contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[None]:
    """Hold the write lock for the length of a `with` block, then commit; nothing is stored where it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.rollback()
        raise
