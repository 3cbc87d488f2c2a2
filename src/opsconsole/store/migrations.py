"""The versions of the SQLite schema, and how a file comes from one to the next: wholly, or not at all."""

import datetime as dt
import glob
import itertools
import sqlite3
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from opsconsole.contracts.store import StoreError
from opsconsole.store.backup import copy_database
from opsconsole.store.chain import ZEROS, link, store_id_of
from opsconsole.store.connection import immediate, one_moment
from opsconsole.store.versions import (
    Migration,
    difference,
    fingerprint_of,
    newborn,
    refuse_newer,
    refuse_unfaithful,
)

APPLICATION_ID = 0x4F505343
"""`OPSC`: marks a file as one of this program's (PRAGMA application_id)."""


def statements_of(script: str) -> tuple[str, ...]:
    """Return the statements of an SQL script.

    sqlite3.executescript would end the transaction that they have to run in.
    """
    found, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    if pending.strip():
        raise ValueError(f"an SQL script ends within a statement: {pending.strip()[:60]}")
    return tuple(found)


def _shipped(name: str) -> tuple[str, ...]:
    return statements_of((resources.files("opsconsole.store") / name).read_text(encoding="utf-8"))


_CHAIN = (
    "SELECT 0, '', hash, document FROM meta",
    "SELECT seq, prev, hash, document FROM events ORDER BY seq",
)
"""What no migration may change a bit of."""


MIGRATIONS: tuple[Migration, ...] = (Migration(1, _shipped("schema_1.sql")),)
"""Every version there has been, in order. An entry is never edited once it was released."""


def bring_up_to_date(
    connection: sqlite3.Connection,
    path: Path,
    migrations: Sequence[Migration] = MIGRATIONS,
    *,
    lock_timeout: float = 30.0,
) -> Path | None:
    """Bring the file behind `connection` to the newest schema; return the backup that was made before, if any.

    Everything happens in one transaction, so that a file has the old schema or the new one however the process
    ends. Raises StoreError for a file of something else, of a newer version, or whose events would be changed.
    """
    newest = migrations[-1].version
    with one_moment(connection):
        if _version(connection, path, newest) == newest:
            return None
    with immediate(connection):
        version = _version(connection, path, newest)
        if version == newest:  # somebody else was faster
            return None
        backup = None
        if not version:
            create(connection, migrations, newborn())
            return None
        backup = _backup_name(path, version)
        _sweep(path)
        copy_database(path, backup, lock_timeout=lock_timeout)
        try:
            _apply_faithfully(connection, migrations, version)
        except BaseException:
            backup.unlink(missing_ok=True)  # or each further attempt would leave another copy of an unchanged file
            raise
    return backup


def create(connection: sqlite3.Connection, migrations: Sequence[Migration], birth: bytes) -> None:
    """Make an empty database the record that was born with a document, within the caller's transaction."""
    _apply(connection, migrations, 0)
    give_birth(connection, birth)


def _apply_faithfully(connection: sqlite3.Connection, migrations: Sequence[Migration], version: int) -> None:
    before = _fingerprint(connection)
    _apply(connection, migrations, version)
    refuse_unfaithful(before, _fingerprint(connection), version)


def _apply(connection: sqlite3.Connection, migrations: Sequence[Migration], version: int) -> None:
    for migration in migrations:
        if migration.version > version:
            for statement in migration.statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {migration.version}")


def _sweep(path: Path) -> None:
    """Remove unfinished backups of attempts that were killed; nobody else makes one while the file is locked."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.v*.partial*"):
        leftover.unlink(missing_ok=True)


def schema_fault(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> str:
    """Return which table, index or trigger is missing, changed or added; nothing where all is as it was made."""
    return difference(_expected_schema(migrations), _schema_of(connection))


def _expected_schema(migrations: Sequence[Migration]) -> dict[str, str]:
    """Return the SQL of every table, index and trigger that a file of the newest version has, by name."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for migration in migrations:
            for statement in migration.statements:
                connection.execute(statement)
        return _schema_of(connection)
    finally:
        connection.close()


def _schema_of(connection: sqlite3.Connection) -> dict[str, str]:
    """Return the SQL of every table, index and trigger of a database, by name."""
    return dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL"))


def _version(connection: sqlite3.Connection, path: Path, newest: int) -> int:
    """Return the version of the schema, 0 for an empty file; raise StoreError for one that is not to be touched."""
    ((application,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    empty = not _schema_of(connection)
    if application == 0 and version == 0 and empty:
        return 0
    if application != APPLICATION_ID:
        raise StoreError(f"{path} is the database of another program", "Choose another file for the record")
    refuse_newer(path, version, newest)
    if version < 1 or empty:
        raise StoreError(f"{path} is damaged: it lacks its tables", "Put a backup in its place")
    return int(version)


def give_birth(connection: sqlite3.Connection, document: bytes) -> None:
    """Make an empty schema that of a record: a new one, or one that another store was born with."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    values = (store_id_of(document), link(ZEROS, document), document)
    connection.execute("INSERT INTO meta (one, store_id, hash, document) VALUES (1, ?, ?, ?)", values)


def _backup_name(path: Path, version: int) -> Path:
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{path.name}.v{version}-{stamp}"
    suffixes = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    candidates = (path.with_name(f"{name}{suffix}.backup") for suffix in suffixes)
    return next(each for each in candidates if not each.exists())


def _fingerprint(connection: sqlite3.Connection) -> str:
    rows = itertools.chain.from_iterable(connection.execute(table) for table in _CHAIN)
    return fingerprint_of(rows)
