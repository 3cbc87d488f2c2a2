"""What the demo shows of the synchronisation: a store and its copy, what copies, and the backups of both."""

import contextlib
import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from opsconsole.contracts.probe import Source
from opsconsole.demo.cluster import open_cluster
from opsconsole.demo.drawing import between
from opsconsole.demo.sync.backups import write_backups
from opsconsole.demo.sync.faults import Fault
from opsconsole.demo.sync.pocketbase import running_pocketbase
from opsconsole.demo.sync.records import records_between
from opsconsole.demo.sync.stores import AHEAD, DATABASE, HISTORY, ROLE, going_on, schema, spoil
from opsconsole.demo.system import DemoFault, DemoSystem, Past, Running
from opsconsole.demo.web import Answer, Answering, Asked, serving

_WITH_TOKEN = (
    *("sync-15min/signed-in", "sync-15min/pocketbase-counts"),
    *("sync-daily/signed-in", "sync-daily/pocketbase-day", "sync-monthly/restore-pocketbase"),
)
_LOOKS_BACK = ("agreement", "response-times", "availability", "processors")
_OF_THE_HOST = ("cpu", "memory", "disk", "disk-io", "network")
_ROUNDS = 6
"""Runs of the quarter-hourly list before the present one."""
_WEEK_OF_ROUNDS = 7 * 96


@contextlib.contextmanager
def _run(directory: Path, now: dt.datetime, fault: DemoFault | None) -> Iterator[Running]:
    wrong = fault if isinstance(fault, Fault) else None
    places = {"/srv": directory / "srv"}
    backups = places["/srv"] / "backups"
    records = list(records_between(now - HISTORY, now + AHEAD))
    with contextlib.ExitStack() as stack:
        # Only one demo at a time gets further than the first of these.
        cluster = stack.enter_context(open_cluster(directory, setup=schema(records, now)))
        pocketbase = stack.enter_context(running_pocketbase(directory / "pocketbase"))
        present = threading.Event()
        health = stack.enter_context(serving(_health(lambda: wrong if present.is_set() else None)))
        pocketbase.load(each for each in records if each.at < now)

        def at(moment: dt.datetime) -> None:
            if moment < now:  # what the stores hold is asked for up to an instant
                write_backups(backups, moment, None)
                return
            present.set()
            write_backups(backups, moment, wrong)
            spoil(cluster, pocketbase, now, wrong)
            stack.enter_context(going_on(pocketbase, now, wrong, lambda then: write_backups(backups, then, wrong)))

        sources = {
            "questdb": Source(kind="postgresql", dsn=cluster.dsn(DATABASE, ROLE)),
            "questdb-health": Source(kind="http", url=health),
            "pocketbase": Source(kind="http", url=pocketbase.url),
        }
        token = {"bearer": f"file:{pocketbase.token_file}"}
        notices = (*cluster.notices, *_without_device(directory))
        yield Running(sources, notices, places, {**_OPTIONS, **dict.fromkeys(_WITH_TOKEN, token)}, _WORDS, at)


_OPTIONS: dict[str, dict[str, Any]] = {
    "sync-15min/network": {"interface": "lo"},
    **{f"sync-daily/{each}": {"over": _ROUNDS} for each in _LOOKS_BACK},
    "sync-weekly/availability": {"least": _WEEK_OF_ROUNDS},
}
_WORDS = {"availability_due": "availability"}
"""Most of what was due yesterday or in a week was before the demo."""


def _health(fault: Callable[[], Fault | None]) -> Answering:
    """Return what answers as QuestDB's minimal HTTP server does."""

    def answer(asked: Asked) -> Answer | None:
        if asked.path not in {"/", "/status"}:
            return None
        after = between(f"{dt.datetime.now(dt.UTC):%F %T}", 1, 9) / 1000
        if fault() is Fault.QUESTDB_UNWELL:
            return Answer(b"Status: Unhealthy\nUnhandled errors: 3\n", 500, "text/plain", after=after)
        return Answer(b"Status: Healthy\n", content_type="text/plain", after=after)

    return answer


def _without_device(directory: Path) -> tuple[str, ...]:
    """Return what to say where no disk that the kernel counts is below a directory: of a container, for example."""
    device = directory.stat().st_dev
    numbers = [str(os.major(device)), str(os.minor(device))]
    with contextlib.suppress(OSError):
        for line in Path("/proc/diskstats").read_text(encoding="ascii").splitlines():
            if line.split()[:2] == numbers:
                return ()
    return (f"{directory} lies on no disk of its own, so the requests to that are skipped",)


SYSTEM = DemoSystem(
    faults=Fault,
    run=_run,
    checklists=("sync-daily", "sync-15min", "sync-weekly", "sync-monthly"),
    first="sync-daily",
    last="sync-weekly",
    past=(
        Past("sync-daily", 14, unmeasured=("backup-disk",), unseen=_LOOKS_BACK),
        Past("sync-15min", _ROUNDS, unmeasured=_OF_THE_HOST),
    ),
    skips=frozenset({("diskio", "not-found")}),
    notices=(
        (
            "PocketBase is a real one; a PostgreSQL with the same tables stands for QuestDB, and a small server of "
            "the demo's own for its health page"
        ),
        "a part of the demo stands for the service that copies, and the loopback for the network between both",
        (
            "the quarter-hourly list was run for an hour and a half alone: that is what the daily list looks back "
            "on here, not all of yesterday; what looks back on a week or month of it warns or is skipped"
        ),
        (
            "disks, memory and processors of this host are its own, and may be red where it is full or busy; how "
            "busy it was before the demo nobody can tell"
        ),
    ),
)
