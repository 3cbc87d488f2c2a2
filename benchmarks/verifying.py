"""Verifying the chain of 100,000 events, against reading the same rows and hashing them, and nothing else."""

import contextlib
import datetime as dt
import hashlib
import sqlite3
import time
from functools import partial
from pathlib import Path

from benchmarks.comparing import COMPARED, CommandFailedError, Sample, compared, in_turns
from benchmarks.records import Pattern, copied, days_before, patterns, write_record
from benchmarks.tables import Table
from benchmarks.workshop import Workshop
from opsconsole.contracts.store import Store
from opsconsole.store.sqlite import SqliteStore

EVENTS = 100_000
AT_MOST = 7
HEAD = ("record", "against", *COMPARED)
TODAY = dt.date(2026, 11, 20)


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    rounds = min(rounds, AT_MOST)
    path = _record(workshop)
    with SqliteStore(path) as store, contextlib.closing(sqlite3.connect(path)) as connection:
        hashing = partial(_hashed, connection)
        takers = [partial(_verified, store), hashing, partial(_hashed, connection, and_check=True)]
        ours, *peers = in_turns(takers, rounds)
        events = store.head().seq
    record = f"{events:,} events, {path.stat().st_size / 2**20:.0f} MB"
    against = ("read and hashed", "the same, and integrity_check")
    rows = [(record, what, *compared(ours, theirs)) for what, theirs in zip(against, peers, strict=True)]
    about = f"{rounds} rounds in turns after 1 to warm up, all within one process and with the file in memory."
    return Table("verifying", HEAD, rows, about)


def _record(workshop: Workshop) -> Path:
    pattern: Pattern = patterns(workshop, "verifying")["qbr-daily"]
    days = days_before(TODAY, EVENTS // len(pattern.links))
    place = workshop.directory / "verifying" / "record"
    place.mkdir(mode=0o700)
    path = place / "opsconsole.db"
    write_record(path, [(pattern, day) for day in days])
    return copied(path, place.with_name("copy"))


def _verified(store: Store) -> Sample:
    start, cpu = time.perf_counter(), time.process_time()
    found = store.verify()
    sample = Sample(time.perf_counter() - start, time.process_time() - cpu)
    if found.broken is not None:
        raise CommandFailedError(f"event {found.broken.seq}: {found.broken.why}")
    return sample


def _hashed(connection: sqlite3.Connection, *, and_check: bool = False) -> Sample:
    """Read every row in one query and take its hash; with `and_check` SQLite looks at the file too."""
    start, cpu = time.perf_counter(), time.process_time()
    sha256, prev = hashlib.sha256, ""
    for before, own, document in connection.execute("SELECT prev, hash, document FROM events ORDER BY seq"):
        if sha256(before.encode() + document).hexdigest() != own or (prev and before != prev):
            raise CommandFailedError("the chain does not hold")
        prev = own
    for (text,) in connection.execute("SELECT text FROM evidence ORDER BY seq, place"):
        sha256(text.encode()).hexdigest()
    if and_check and connection.execute("PRAGMA integrity_check(1)").fetchall() != [("ok",)]:
        raise CommandFailedError("the file is damaged")
    return Sample(time.perf_counter() - start, time.process_time() - cpu)
