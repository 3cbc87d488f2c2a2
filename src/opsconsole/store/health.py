"""Whether a SQLite record is fit to be written to tomorrow: what `opsconsole doctor` tells about it."""

import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from opsconsole.contracts.store import Health
from opsconsole.model.outcomes import Outcome
from opsconsole.store.durability import Durability
from opsconsole.store.filesystems import file_system_of
from opsconsole.store.migrations import schema_fault
from opsconsole.store.versions import Migration

_MIB = 2**20
_LOW, _TOO_LOW = 200 * _MIB, 20 * _MIB
_READABLE_BY_OTHERS = 0o077


def findings(
    connection: sqlite3.Connection, path: Path, settings: Durability, migrations: Sequence[Migration]
) -> list[Health]:
    """Return everything that was looked at, in a fixed order; raises sqlite3.Error where nothing can be read."""
    return [
        _integrity(connection),
        _schema(connection, migrations),
        _space(path.parent),
        _file_system(path.parent),
        _permissions(path),
        _journal(connection, settings),
    ]


def _integrity(connection: sqlite3.Connection) -> Health:
    problems = [text for (text,) in connection.execute("PRAGMA quick_check(5)")]
    if problems == ["ok"]:
        return Health(Outcome.PASS, "integrity", "SQLite finds no damage")
    return Health(Outcome.FAIL, "integrity", "; ".join(problems), "Keep the file, and put a backup in its place")


def _schema(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> Health:
    fault = schema_fault(connection, migrations)
    if not fault:
        return Health(Outcome.PASS, "guards", "every trigger and index is as it was made")
    return Health(Outcome.FAIL, "guards", fault, "Check the record: opsconsole verify --all; see who did it")


def _space(directory: Path) -> Health:
    free = shutil.disk_usage(directory).free
    text = f"{free // _MIB:,} MiB free in {directory}"
    if free < _TOO_LOW:
        return Health(Outcome.FAIL, "space", text, "Free some space before the record cannot be written")
    outcome = Outcome.WARN if free < _LOW else Outcome.PASS
    return Health(outcome, "space", text, "Free some space soon" if free < _LOW else "")


def _file_system(directory: Path) -> Health:
    found = file_system_of(directory)
    if found is None:
        return Health(Outcome.WARN, "file system", f"the kernel does not tell what {directory} lies on")
    text = f"{found.kind}, mounted at {found.mount_point}"
    if found.is_volatile:
        return Health(Outcome.WARN, "file system", text, "It is gone after a restart: keep the record elsewhere")
    if found.is_foreign:
        return Health(Outcome.WARN, "file system", text, "Nobody can say what its locks and fsync are worth")
    return Health(Outcome.PASS, "file system", text)


def _permissions(path: Path) -> Health:
    mode = path.stat().st_mode & 0o777
    if mode & _READABLE_BY_OTHERS:
        return Health(Outcome.WARN, "permissions", f"{path} has mode {mode:04o}", f"chmod 600 {path}")
    return Health(Outcome.PASS, "permissions", f"only this account can use {path}")


def _journal(connection: sqlite3.Connection, settings: Durability) -> Health:
    ((mode,),) = connection.execute("PRAGMA journal_mode")
    text = f"SQLite {sqlite3.sqlite_version}, journal mode {mode}, synchronous {settings.synchronous}"
    return Health(Outcome.PASS if mode == settings.journal_mode else Outcome.FAIL, "durability", text)
