"""The versions of the SQLite schema, and how a file comes from one to the next: wholly, or not at all."""

import datetime as dt
import glob
import hashlib
import itertools
import sqlite3
import uuid
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import msgspec

from opsconsole.contracts.store import StoreError
from opsconsole.store.backup import copy_database
from opsconsole.store.chain import ZEROS, birth_document, link
from opsconsole.store.connection import immediate, one_moment

APPLICATION_ID = 0x4F505343
"""`OPSC`: marks a file as one of this program's (PRAGMA application_id)."""


class Migration(msgspec.Struct, frozen=True):
    """What leads to one version of the schema from the one before."""

    version: int
    statements: tuple[str, ...]


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
            _apply(connection, migrations, version)
            _give_birth(connection)
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


def _apply_faithfully(connection: sqlite3.Connection, migrations: Sequence[Migration], version: int) -> None:
    before = _fingerprint(connection)
    _apply(connection, migrations, version)
    if _fingerprint(connection) != before:
        raise StoreError(
            f"the upgrade of the record from schema {version} would change its events; it was left as it is",
            "This is a mistake in opsconsole; stay with the version you had",
        )


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
    expected, found = _expected_schema(migrations), _schema_of(connection)
    for name, sql in expected.items():
        if name not in found:
            return f"'{name}', which guards the record, was removed"
        if found[name] != sql:
            return f"'{name}', which guards the record, was changed"
    added = sorted(set(found) - set(expected))
    return f"'{added[0]}' was added by somebody else" if added else ""


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
    if version > newest:
        raise StoreError(
            f"{path} was written by a newer opsconsole (schema {version}; this one knows {newest})",
            "Upgrade opsconsole on this host",
        )
    if version < 1 or empty:
        raise StoreError(f"{path} is damaged: it lacks its tables", "Put a backup in its place")
    return int(version)


def _give_birth(connection: sqlite3.Connection) -> None:
    store_id, now = str(uuid.uuid4()), dt.datetime.now(dt.UTC)
    document = birth_document(store_id, now.isoformat(timespec="seconds").replace("+00:00", "Z"))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(
        "INSERT INTO meta (one, store_id, hash, document) VALUES (1, ?, ?, ?)",
        (store_id, link(ZEROS, document), document),
    )


def _backup_name(path: Path, version: int) -> Path:
    stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    name = f"{path.name}.v{version}-{stamp}"
    suffixes = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    candidates = (path.with_name(f"{name}{suffix}.backup") for suffix in suffixes)
    return next(each for each in candidates if not each.exists())


def _fingerprint(connection: sqlite3.Connection) -> str:
    """Return a hash over the chain as it is stored: no migration may change a bit of it."""
    digest = hashlib.sha256()
    for table in (
        "SELECT 0, '', hash, document FROM meta",
        "SELECT seq, prev, hash, document FROM events ORDER BY seq",
    ):
        for seq, prev, own, document in connection.execute(table):
            digest.update(f"{seq} {prev} {own} {len(document)} ".encode())
            digest.update(document)
    return digest.hexdigest()
