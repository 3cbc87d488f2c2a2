"""One writer of the benchmark `appends`: `appending.py WHO KIND WHERE RUN COUNT`, on the path of this repository.

WHO is `opsconsole`, or `bare`: what the database alone does for the same bytes, as durably, in one transaction for
each event. It says `ready`, waits until its input ends, and prints when it began and when it was done with each
event, in seconds of the monotonic clock, as JSON.
"""

import json
import sqlite3
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

SQLITE = """
CREATE TABLE bare (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, document BLOB NOT NULL)
"""
POSTGRESQL = """
CREATE TABLE bare (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE, hash text NOT NULL,
                   document bytea NOT NULL);
GRANT SELECT, INSERT ON bare TO PUBLIC;
"""
_INSERT = "INSERT INTO bare (id, hash, document) VALUES ({}, {}, {})"
_LOCK_KEY = 4711


def _opsconsole(kind: str, where: str, run: str) -> Callable[[], None]:
    from support.events import note
    from support.stores import open_store

    store = open_store(kind, where)
    return lambda: _nothing(store.append([note("the queue is empty again", run)]))


def _nothing(_result: object) -> None:
    pass


def _document(run: str) -> bytes:
    from opsconsole.store.documents import entry_of
    from support.events import note

    return entry_of(note("the queue is empty again", run)).document


def _bare_sqlite(where: str, document: bytes) -> Callable[[], None]:
    connection = sqlite3.connect(Path(where).with_name("bare.db"), isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = EXTRA")
    insert = _INSERT.format("?", "?", "?")

    def append() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(insert, (str(uuid.uuid4()), "0" * 64, document))
        connection.execute("COMMIT")

    return append


def _bare_postgresql(where: str, document: bytes) -> Callable[[], None]:
    import psycopg

    connection = psycopg.connect(where, autocommit=True)
    insert = _INSERT.format("%s", "%s", "%s")

    def append() -> None:
        with connection.pipeline():
            connection.execute("BEGIN")
            connection.execute("SET LOCAL synchronous_commit = on")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK_KEY,))
            connection.execute(insert, (str(uuid.uuid4()), "0" * 64, document))
            connection.execute("COMMIT")

    return append


def main(who: str, kind: str, where: str, run: str, count: str) -> None:
    """Do what the module says."""
    if who == "opsconsole":
        append = _opsconsole(kind, where, run)
    elif kind == "sqlite":
        append = _bare_sqlite(where, _document(run))
    else:
        append = _bare_postgresql(where, _document(run))
    print("ready", flush=True)
    sys.stdin.read()
    moments = [time.monotonic()]
    for _ in range(int(count)):
        append()
        moments.append(time.monotonic())
    print(json.dumps(moments))


if __name__ == "__main__":
    main(*sys.argv[1:])
