"""What it takes to append an event durably, against the database doing it alone, for one writer and for eight."""

import contextlib
import json
import os
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

from benchmarks.appending import POSTGRESQL, SQLITE
from benchmarks.comparing import Ratio, in_turns
from benchmarks.tables import Table
from benchmarks.workshop import ROOT, Workshop
from opsconsole.demo import cluster
from support.events import RUN, opening
from support.postgres import Postgres
from support.stores import Stores

HEAD = ("store", "writers", "time of one", "events a second", "opsconsole", "the database alone")
EVENTS = {1: 300, 8: 60}
"""Events of each writer, by how many there are."""
AT_MOST = 9
"""Rounds, which take some ten seconds each."""
_DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


@dataclass(frozen=True, slots=True)
class Appended:
    """What the writers of one round took."""

    latency: float
    """Seconds, the median."""
    worst: float
    """Seconds, the 99th percentile."""
    rate: float
    """Events a second, of all writers together."""

    def __str__(self) -> str:
        return f"{self.latency * 1000:.1f} ms (99 %: {self.worst * 1000:.0f} ms), {self.rate:.0f}/s"


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    rounds = min(rounds, AT_MOST)
    rows: list[tuple[str, ...]] = []
    with _places(workshop.directory / "appends") as places:
        for place in places:
            place.open().append([opening()])
            for writers, count in EVENTS.items():
                takers = [partial(_appended, who, place, writers, count) for who in ("opsconsole", "bare")]
                ours, theirs = in_turns(takers, rounds)
                rows.append((place.kind, f"{writers}", *_compared(ours, theirs)))
    about = (
        f"{rounds} rounds in turns after 1 to warm up; {EVENTS[1]} events of one writer, {EVENTS[8]} of each of "
        f"eight. SQLite {sqlite3.sqlite_version}, journal_mode DELETE, synchronous EXTRA; PostgreSQL with fsync "
        "and synchronous_commit on, on a socket. Median (least-greatest) of the ratios within a round."
    )
    return Table("appends", HEAD, rows, about)


def _compared(ours: list[Appended], theirs: list[Appended]) -> tuple[str, ...]:
    latency = Ratio.of([each.latency for each in ours], [each.latency for each in theirs])
    rate = Ratio.of([each.rate for each in ours], [each.rate for each in theirs])
    return str(latency), str(rate), str(_middle(ours)), str(_middle(theirs))


def _middle(found: list[Appended]) -> Appended:
    return Appended(
        *(statistics.median(getattr(each, name) for each in found) for name in ("latency", "worst", "rate"))
    )


@contextlib.contextmanager
def _places(directory: Path) -> Iterator[list[Stores]]:
    """Make a record of each kind, with a table beside it for the database alone."""
    directory.mkdir(mode=0o711)
    with patch.dict(cluster._SETTINGS, _DURABLE), cluster.open_cluster(directory / "server") as running:  # noqa: SLF001 - settings that no option has
        postgres = Postgres(running)
        places = [Stores("sqlite", directory), Stores("postgresql", directory, postgres)]
        places[0].open()
        with contextlib.closing(sqlite3.connect(Path(places[0].where).with_name("bare.db"))) as bare:
            bare.execute(SQLITE)
        from psycopg.conninfo import conninfo_to_dict

        postgres.run(POSTGRESQL, str(conninfo_to_dict(places[1].where)["dbname"]))
        yield places
        for place in places:
            place.close()


def _appended(who: str, place: Stores, writers: int, count: int) -> Appended:
    argv = [sys.executable, "-m", "benchmarks.appending", who, place.kind, place.where, RUN, f"{count}"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    processes = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) for _ in range(writers)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        moments = [json.loads(process.stdout.read()) for process in processes if process.stdout is not None]
    finally:
        for process in processes:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    taken = sorted(after - before for each in moments for before, after in pairwise(each))
    lasted = max(each[-1] for each in moments) - min(each[0] for each in moments)
    return Appended(statistics.median(taken), taken[len(taken) * 99 // 100], len(taken) / lasted)
