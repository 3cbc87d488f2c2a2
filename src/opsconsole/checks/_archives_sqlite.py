"""Tests a SQLite database that nobody writes to: a backup.

It is opened read-only and immutable, so nothing of it, and nothing beside it, is changed or locked. Sources:
https://www.sqlite.org/uri.html (immutable), https://www.sqlite.org/pragma.html#pragma_integrity_check.
"""

import contextlib
import os
import sqlite3
from urllib.parse import quote

from opsconsole.checks._archives import Examined, UntestableError, Wishes
from opsconsole.checks._files import Stop

MOST_PROBLEMS = 5
"""Problems after which the check of a database ends."""
_STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the time: some milliseconds."""


def examined_sqlite(path: str, name: str, wishes: Wishes, stop: Stop) -> Examined:
    """Return what `PRAGMA integrity_check` says of a database; GivenUpError in time."""
    stop.doing = f"testing {name}"
    try:
        with contextlib.closing(_opened(path)) as database:
            database.set_progress_handler(lambda: int(stop.over), _STEPS)
            database.execute("PRAGMA trusted_schema = OFF")
            problems = [str(row[0]) for row in database.execute(f"PRAGMA integrity_check({MOST_PROBLEMS})")]
            tables = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
            members = 0
            for (table,) in tables:
                wishes.seen(str(table))
                members += 1
    except sqlite3.DatabaseError as error:
        stop.check()  # interrupted, if its time is over
        if isinstance(error, sqlite3.OperationalError) and "unable to open" in str(error):
            raise UntestableError(f"SQLite cannot open {name}: {error}", "see by hand: sqlite3") from error
        return Examined(format="sqlite", damage=f"SQLite: {error}", size=_size(path))
    damage = "" if problems == ["ok"] else f"SQLite: {problems[0] if problems else 'no answer'}"
    return Examined(
        format="sqlite", damage=damage, members=members, size=_size(path), missing=tuple(wishes.missing)
    )


def _opened(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1", uri=True, isolation_level=None)


def _size(path: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(path).st_size  # noqa: PTH116
    return 0


def unmerged(path: str) -> str:
    """Return what lies beside a database that belongs to it and was not looked at; empty where there is nothing."""
    with contextlib.suppress(OSError):
        if os.stat(f"{path}-wal").st_size:  # noqa: PTH116
            return "a write-ahead log lies beside it (-wal), which is part of it and was not looked at"
    return ""
