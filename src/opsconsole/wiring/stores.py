"""Opens the record where the configuration says it is, and moves one from a place to another."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from opsconsole.checks.sources import dsn_problem, service_doubt
from opsconsole.config.loading import is_dsn
from opsconsole.config.settings import StorePlace
from opsconsole.contracts.store import Head, Store, StoreError, Verified
from opsconsole.store.sqlite import SqliteStore

PATIENCE = 30.0
"""Seconds that a command waits for others who write."""

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from opsconsole.store.copying import Intake


def open_store(place: StorePlace, *, lock_timeout: float, create: bool = True) -> Store:
    """Open the record, making it where it is missing unless `create` is false; raises StoreError.

    `lock_timeout`: seconds that a call waits for others who write.
    """
    if place.path is not None:
        return SqliteStore(place.path, create=create, lock_timeout=lock_timeout)
    doubt = service_doubt(place.dsn)
    if doubt is not None:
        raise StoreError(doubt.why, doubt.command)
    from opsconsole.store.postgres import PostgresStore

    return PostgresStore(place.dsn, create=create, lock_timeout=lock_timeout)


def is_made(place: StorePlace) -> bool:
    """Return whether there is a record already; a database server is asked when it is opened."""
    if place.path is None:
        return True
    try:
        return place.path.exists()
    except PermissionError:  # whoever opens it says so
        return True


def hindrance(place: StorePlace) -> str:
    """Return why no record could be made in a file that is not there, empty where nothing is in the way."""
    if place.path is None:
        return ""
    above = next(each for each in place.path.parents if each.exists())
    if not above.is_dir():
        return f"{above} is no directory"
    return "" if os.access(above, os.W_OK | os.X_OK) else f"this account cannot write to {above}"


def place_of(text: str) -> StorePlace:
    """Return the place that a path or a connection string names; raises StoreError where that holds a password."""
    if not is_dsn(text):
        return StorePlace(Path(text).expanduser().absolute())
    problem = dsn_problem(text)
    if problem is not None:
        raise StoreError(f"a connection string cannot be used: {problem}")
    return StorePlace(dsn=text)


class Made(msgspec.Struct, frozen=True):
    """A record that is ready."""

    location: str
    store_id: str
    events: int
    missing_roles: tuple[str, ...] = ()
    """Those that a shared record has rights for, and that the server does not know."""


def made(place: StorePlace, *, lock_timeout: float = PATIENCE) -> Made:
    """Make the record where it is missing, upgrade it where it is old, and see to the rights of its roles.

    PGUSER counts for more here than what is configured, which names a writer. Raises StoreError, for a record in
    PostgreSQL also where this role is not its owner.
    """
    if place.path is None:
        place = StorePlace(dsn=_as_asked(place.dsn))
    with contextlib.closing(open_store(place, lock_timeout=lock_timeout)) as store:
        missing: tuple[str, ...] = ()
        if place.path is None:
            from opsconsole.store.postgres import granted

            missing = granted(place.dsn, lock_timeout=lock_timeout)
        return Made(store.location, store.store_id, store.head().seq, missing)


def _as_asked(dsn: str) -> str:
    """Return a connection string with PGUSER in the place of its own user, or of its service's."""
    from psycopg.conninfo import make_conninfo

    from opsconsole.store.postgres_connection import Server

    user = os.environ.get("PGUSER", "")
    return make_conninfo(**{**Server.of(dsn).parameters, "user": user}) if user else dsn


def roles_sql(place: StorePlace) -> str:
    """Return the SQL for psql that makes the roles, and the database that `place` names."""
    from opsconsole.store.postgres_connection import Server
    from opsconsole.store.postgres_roles import roles_script

    name = Server.of(place.dsn).parameters.get("dbname", "") if place.dsn else ""
    return roles_script(name or "opsconsole")


def backed_up(place: StorePlace, target: Path, *, lock_timeout: float = PATIENCE) -> Verified:
    """Copy the record to the new SQLite file `target`; return what walking the copy found. Raises StoreError."""
    with contextlib.closing(open_store(place, lock_timeout=lock_timeout, create=False)) as store:
        store.backup_to(target)
    with contextlib.closing(SqliteStore(target, create=False)) as copy:
        return copy.verify()


def copied(source: StorePlace, target: StorePlace, *, lock_timeout: float = PATIENCE) -> Head:
    """Copy the whole record at `source` to `target`, where there must be none; return the end of its chain.

    Raises StoreError where the record does not hold together or there is another one at `target`, and leaves
    nothing there that looks whole.
    """
    from opsconsole.store.copying import copy_chain

    with (
        contextlib.closing(open_store(source, lock_timeout=lock_timeout, create=False)) as store,
        _intake(target, store.birth(), lock_timeout) as intake,
    ):
        return copy_chain(store, intake)


def _intake(place: StorePlace, birth: bytes, lock_timeout: float) -> "AbstractContextManager[Intake]":
    if place.path is not None:
        from opsconsole.store.sqlite_intake import sqlite_intake

        return sqlite_intake(place.path, birth)
    from opsconsole.store.postgres_intake import postgres_intake

    return postgres_intake(place.dsn, birth, lock_timeout=lock_timeout)
