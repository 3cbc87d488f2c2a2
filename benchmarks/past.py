"""Opening the history of a record with 100,000 runs, against the SQL queries alone."""

import contextlib
import datetime as dt
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.comparing import COMPARED, CommandFailedError, Sample, compared, in_turns
from benchmarks.records import days_before, patterns, write_record
from benchmarks.tables import Table
from benchmarks.workshop import Workshop
from opsconsole.contracts.probe import Environment
from opsconsole.contracts.store import RunKey
from opsconsole.engine.engine import Engine
from opsconsole.engine.identity import current_actor
from opsconsole.engine.overview import summaries, today
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Via
from opsconsole.model.runs import fold
from opsconsole.screens.history import AHEAD, FIRST
from opsconsole.screens.history_view import history_row, history_rows
from opsconsole.store.sqlite import SqliteStore

RUNS = 100_000
FULL = 400
"""The latest runs of each checklist that have all their events; earlier ones have the first and the last."""
LATEST = 30
"""What `opsconsole history` lists."""
LIMIT = 2.0
HEAD = ("what", "the SQL alone", *COMPARED)
TODAY = dt.date(2026, 11, 20)
LONG, SHORT = "host-daily", "qbr-daily"
_KEYS = "SELECT checklist, period FROM events WHERE kind = 'opened'"
_OF_CHECKLIST = f"{_KEYS} AND checklist = ? ORDER BY period_end DESC, checklist, period"
_LATEST = f"{_KEYS} ORDER BY period_end DESC, checklist, period LIMIT ?"
_DOCUMENTS = "SELECT document FROM events WHERE run = ? ORDER BY seq"


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    path = _record(workshop)
    with SqliteStore(path) as store, contextlib.closing(sqlite3.connect(path)) as sql:
        engine = Engine(store, {}, Environment(), current_actor(Via.COMMAND), workshop.directory / "past" / "state")
        definitions = {name: _definition(store, name) for name in (LONG, SHORT)}
        rows: list[tuple[str, ...]] = []
        for what, against, ours, theirs, limit in (
            ("the console's history opens", "all runs of it", _opens(engine, definitions[LONG]), _keys(sql), LIMIT),
            ("and lists them all", "all runs of it", _lists(engine, definitions[LONG]), _keys(sql), None),
            (f"`history`: the latest {LATEST}", "them, with their events", _latest(engine), _documents(sql), None),
            (
                "where a checklist stands today",
                "its last two runs",
                _today(engine, definitions[SHORT]),
                _two(sql),
                None,
            ),
        ):
            mine, peers = in_turns([partial(_timed, ours), partial(_timed, theirs)], rounds)
            rows.append((what, against, *compared(mine, peers, limit)))
    about = (
        f"{rounds} rounds in turns after 1 to warm up, within one process, so without its start. "
        f"{RUNS:,} daily runs of one checklist and {FULL} QBR mornings, {path.stat().st_size / 2**20:.0f} MB. "
        f"The console lists the latest {FIRST} and reads the {AHEAD} that are on the screen; the rest is listed "
        "while somebody looks at them."
    )
    return Table("past", HEAD, rows, about)


def _record(workshop: Workshop) -> Path:
    found = patterns(workshop, "past")
    long, short = found[LONG], found[SHORT]
    days = days_before(TODAY, RUNS)
    place = workshop.directory / "past" / "record"
    place.mkdir(mode=0o700)
    runs = [(long.short, day) for day in days[:-FULL]]
    for day in days[-FULL:]:
        runs += [(long, day), (short, day)]
    write_record(place / "opsconsole.db", runs)
    return place / "opsconsole.db"


def _definition(store: SqliteStore, checklist: str) -> Checklist:
    state = fold(store.events(store.runs(checklist, limit=1)[0].id))
    assert state is not None
    return state.definition


def _timed(work: Callable[[], int]) -> Sample:
    start, cpu = time.perf_counter(), time.process_time()
    count = work()
    sample = Sample(time.perf_counter() - start, time.process_time() - cpu)
    if not count:
        raise CommandFailedError("nothing was found")
    return sample


def _opens(engine: Engine, checklist: Checklist) -> Callable[[], int]:
    """Do what the console does before its history shows runs with their results."""

    def work() -> int:
        keys = engine.store.runs(checklist.id, limit=FIRST)
        rows = history_rows(keys, {}, checklist, engine.zone_of(checklist))
        near = summaries(engine, keys[:AHEAD])
        shown = [history_row(RunKey.parse(each.run), each) for each in near]
        return len(rows) and len(shown)

    return work


def _lists(engine: Engine, checklist: Checklist) -> Callable[[], int]:
    return lambda: len(history_rows(engine.store.runs(checklist.id), {}, checklist, engine.zone_of(checklist)))


def _latest(engine: Engine) -> Callable[[], int]:
    return lambda: len(summaries(engine, engine.store.runs(limit=LATEST)))


def _today(engine: Engine, checklist: Checklist) -> Callable[[], int]:
    return lambda: len(today(engine, checklist).run)


def _keys(sql: sqlite3.Connection) -> Callable[[], int]:
    return lambda: len(sql.execute(_OF_CHECKLIST, (LONG,)).fetchall())


def _documents(sql: sqlite3.Connection) -> Callable[[], int]:
    def work() -> int:
        keys = sql.execute(_LATEST, (LATEST,)).fetchall()
        return sum(len(sql.execute(_DOCUMENTS, (f"{name}@{period}",)).fetchall()) for name, period in keys)

    return work


def _two(sql: sqlite3.Connection) -> Callable[[], int]:
    def work() -> int:
        keys = sql.execute(f"{_OF_CHECKLIST} LIMIT 2", (SHORT,)).fetchall()
        return sum(len(sql.execute(_DOCUMENTS, (f"{name}@{period}",)).fetchall()) for name, period in keys)

    return work
