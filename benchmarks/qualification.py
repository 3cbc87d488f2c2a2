"""Computing a qualification over ten years of mornings, against reading the rows that it is computed from."""

import contextlib
import datetime as dt
import sqlite3
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.comparing import COMPARED, CommandFailedError, Sample, compared, in_turns
from benchmarks.records import Pattern, days_before, finished_run, write_record
from benchmarks.tables import Table
from benchmarks.workshop import Workshop, shipped, without_systemd
from opsconsole.contracts.probe import Environment
from opsconsole.engine.engine import Engine
from opsconsole.engine.identity import current_actor
from opsconsole.engine.outlines import KINDS
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Via
from opsconsole.model.qualifications import Qualification
from opsconsole.model.runs import fold
from opsconsole.store.sqlite import SqliteStore

DAYS = 3_650
FAILING = 8
"""Of the second record every so manieth morning failed, so that its nine days are never reached."""
LIMIT = 2.0
CHECKLIST = "qbr-daily"
TODAY = dt.date(2026, 11, 20)
RULES = Qualification(id="bench", title="Nine clean days", checklist=CHECKLIST, days=9)
HEAD = ("what", "rows read and decoded", *COMPARED)
_OF_RUNS = "FROM events WHERE run IN (SELECT run FROM events WHERE kind = 'opened' AND checklist = ?)"
_ALL = f"SELECT document {_OF_RUNS} ORDER BY seq"
_NEEDED = f"SELECT document {_OF_RUNS} AND kind IN ({', '.join('?' * len(KINDS))}) ORDER BY seq"


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    passed, failed = (_pattern(workshop, name) for name in ("passed", "failed"))
    days = days_before(TODAY, DAYS)
    mixed = [(failed if number % FAILING == 0 else passed, day) for number, day in enumerate(days, 1)]
    clean = _written(workshop, "clean", [(passed, day) for day in days])
    stained = _written(workshop, "stained", mixed)
    rows: list[tuple[str, ...]] = []
    for what, path, warm, query, limit in (
        ("all mornings passed", clean, False, _NEEDED, LIMIT),
        ("all mornings passed", clean, False, _ALL, None),
        (f"one in {FAILING} failed", stained, False, _NEEDED, None),
        (f"one in {FAILING} failed", stained, False, _ALL, LIMIT),
        ("once more in a console, all passed", clean, True, _NEEDED, None),
    ):
        told = "those that it needs" if query is _NEEDED else "all of the runs"
        with SqliteStore(path) as store, contextlib.closing(sqlite3.connect(path)) as sql:
            ours = _computed(_engines(workshop, store), warm=warm)
            mine, peers = in_turns([partial(_timed, ours), partial(_timed, _read(sql, query))], rounds)
        rows.append((what, told, *compared(mine, peers, limit)))
    about = (
        f"{rounds} rounds in turns after 1 to warm up, within one process, so without its start. {DAYS:,} QBR "
        f"mornings of {len(passed.links)} events each, {clean.stat().st_size / 2**20:.0f} MB. Nothing "
        "is kept between two computations, but in the last row."
    )
    return Table("qualification", HEAD, rows, about)


def _pattern(workshop: Workshop, name: str) -> Pattern:
    installation = workshop.installation(f"qualification-{name}", {CHECKLIST: without_systemd(shipped(CHECKLIST))})
    state = installation.fresh_state()
    argv = installation.headless(state, CHECKLIST, "--quiet")
    subprocess.run(argv, env=dict(installation.environment), check=False, capture_output=True)
    path = state / "opsconsole.db"
    with SqliteStore(path) as store:
        (key,) = store.runs()
    return finished_run(path, key.id, failed=name == "failed")


def _written(workshop: Workshop, name: str, runs: list[tuple[Pattern, dt.date]]) -> Path:
    place = workshop.directory / "qualification" / name
    place.mkdir(mode=0o700, parents=True)
    write_record(place / "opsconsole.db", runs)
    return place / "opsconsole.db"


def _engines(workshop: Workshop, store: SqliteStore) -> Callable[[], Engine]:
    state = fold(store.events(store.runs(CHECKLIST, limit=1)[0].id))
    assert state is not None
    checklist: Checklist = state.definition
    now = dt.datetime.combine(TODAY, dt.time(20), dt.UTC)

    def made() -> Engine:
        return Engine(
            store,
            {},
            Environment(),
            current_actor(Via.COMMAND),
            workshop.directory / "qualification" / "state",
            clock=lambda: now,
            checklists={CHECKLIST: checklist},
            qualifications={RULES.id: RULES},
        )

    return made


def _computed(engines: Callable[[], Engine], *, warm: bool) -> Callable[[], int]:
    kept = engines()

    def work() -> int:
        engine = kept if warm else engines()
        state = engine.qualifying.state(RULES.id)
        return sum(len(each.days) for each in state.attempts) if state.resets or state.current.reached else 0

    return work


def _read(sql: sqlite3.Connection, query: str) -> Callable[[], int]:
    values = (CHECKLIST, *KINDS) if query is _NEEDED else (CHECKLIST,)
    return lambda: len([msgspec.json.decode(document) for (document,) in sql.execute(query, values)])


def _timed(work: Callable[[], int]) -> Sample:
    start, cpu = time.perf_counter(), time.process_time()
    count = work()
    sample = Sample(time.perf_counter() - start, time.process_time() - cpu)
    if not count:
        raise CommandFailedError("nothing was found")
    return sample
