"""Checks a whole SQLite record: the chain first, because it can name the event, then the file around it."""

import sqlite3
from collections.abc import Sequence

from opsconsole.contracts.store import Verified
from opsconsole.store.chain import Walk
from opsconsole.store.faults import is_damage
from opsconsole.store.migrations import schema_fault
from opsconsole.store.rows import all_rows, birth_of, hashes_of
from opsconsole.store.versions import Migration


def verified(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> Verified:
    """Return what is wrong first, or that nothing is; raise sqlite3.Error where the file cannot be read for now."""
    walk = Walk(birth_of(connection), hashes_of(connection))
    try:
        for row in all_rows(connection):
            if not walk.step(row):
                return walk.result()
        walk.finish()
        fault = _file_fault(connection, migrations)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if not is_damage(error):
            raise
        walk.break_off(walk.head.seq + 1, f"the file is damaged from here on: {error}")
    else:
        if fault:
            walk.break_off(0, fault)
    return walk.result()


def _file_fault(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> str:
    """Return what is wrong with indexes, guards and pages: damage there hides events that the chain still has."""
    ((found,),) = connection.execute("PRAGMA integrity_check(1)")
    return f"SQLite finds the file damaged: {found}" if found != "ok" else schema_fault(connection, migrations)
