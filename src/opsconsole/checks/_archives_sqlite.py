"""Tests a SQLite database that nobody writes to: a backup.

It is opened read-only and immutable, so nothing of it, and nothing beside it, is changed or locked. Sources:
https://www.sqlite.org/uri.html (immutable), https://www.sqlite.org/pragma.html#pragma_integrity_check.
"""

import contextlib
import os
import re
import sqlite3
import struct
from urllib.parse import quote

from opsconsole.checks._archives import Examined, UntestableError, Wishes
from opsconsole.checks._files import Stop, open_regular

MOST_PROBLEMS = 5
"""Problems after which the check of a database ends."""
_STEPS = 10_000
"""Instructions of SQLite's machine between two looks at the time: some milliseconds."""
_UNABLE = re.compile(
    "unable to open|unknown function|no such (?:function|module|collation)|unsupported file format"
)
"""What SQLite says where it needs more than the file: the functions and collations of an application."""
_HEADER = 100
_JOURNAL = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
"""What a journal begins with that is needed; one that is done with is empty or begins with zeros."""


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
        if isinstance(error, sqlite3.OperationalError) and _UNABLE.search(str(error)):
            raise UntestableError(
                f"SQLite cannot test {name} here: {error}", "see by hand, by the program whose database it is"
            ) from error
        return Examined(format="sqlite", damage=f"SQLite: {error}", size=_size(path))
    damage = "" if problems == ["ok"] else f"SQLite: {problems[0] if problems else 'no answer'}"
    return Examined(
        format="sqlite", damage=damage, members=members, size=_size(path), missing=tuple(wishes.missing)
    )


def _opened(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(os.fsencode(path))}?mode=ro&immutable=1", uri=True, isolation_level=None)


def _size(path: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(path).st_size  # noqa: PTH116 - a text stays a text here
    return 0


def stated_length(head: bytes) -> int:
    """Return how many bytes a database has by its header, at least: https://www.sqlite.org/fileformat.html, 1.3."""
    if len(head) < _HEADER:
        return _HEADER
    page = int.from_bytes(head[16:18], "big")
    changed, pages, valid_for = (struct.unpack_from(">L", head, at)[0] for at in (24, 28, 92))
    return int(pages if changed == valid_for else 1) * (65_536 if page == 1 else page)


def unmerged(path: str, stop: Stop) -> str:
    """Return what lies beside a database that belongs to it and was not looked at; empty where there is nothing."""
    with contextlib.suppress(FileNotFoundError):
        if os.stat(f"{path}-wal").st_size:  # noqa: PTH116 - a text stays a text here
            return "a write-ahead log lies beside it (-wal), which is part of it and was not looked at"
    with contextlib.suppress(FileNotFoundError), open_regular(f"{path}-journal", stop) as file:
        if file.read(len(_JOURNAL)) == _JOURNAL:
            return "the journal of a change that was under way lies beside it (-journal), and was not looked at"
    return ""
