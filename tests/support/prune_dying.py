"""A process whose children are killed at every step of a pruning: `prune_dying HOW DIRECTORY`.

HOW is `statement` (before each SQL statement, after each COMMIT, before and after each removal of a file) or `call`
(in place of each system call by which SQLite changes something). After each killing the record has to verify, and
whatever is gone must be told; done again, the pruning ends where it would have ended. Prints how many were killed.
"""

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from opsconsole.contracts.store import Head
from opsconsole.engine.exports import ExportsDirectory
from opsconsole.engine.pruning import Pruning
from opsconsole.export.recognising import DayLog
from opsconsole.model.events import Measured, Pruned
from opsconsole.store.sqlite import SqliteStore
from support.events import RUN, measurement, opening
from support.runs import MORNING, OPERATOR
from support.store_dying import Dying
from support.syscalls import decided_by, killed_at

_LOG = "log.md"
_NOW = MORNING.replace(year=2027)


def _read(name: str, content: bytes) -> DayLog | None:
    run, store_id, seq, own = content.decode().split()
    return DayLog(run, store_id, Head(int(seq), own)) if name == _LOG else None


class _DyingExports(ExportsDirectory):
    def remove(self, file: object) -> bool:
        step()
        removed = super().remove(file)  # type: ignore[arg-type]
        step()
        return removed


def step() -> None:
    """Count as Dying does."""
    if Dying.step == Dying.fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    Dying.step += 1


def prune(place: Path) -> int:
    """Remove everything that is old; return how many events tell it."""
    with SqliteStore(place / "records.db") as store:
        pruning = Pruning(store, OPERATOR, _DyingExports(place / "logs", _read))
        plan = pruning.plan(_NOW, evidence_days=30, export_days=1)
        for evidence in plan.evidence:
            pruning.remove_evidence(plan, evidence, _NOW)
        for file in plan.files:
            pruning.remove_file(plan, file, _NOW)
        return sum(isinstance(each.event.body, Pruned) for each in store.events(RUN))


def check(place: Path) -> None:
    """Check what a killed pruning left, then that doing it again makes an end of it."""
    with SqliteStore(place / "records.db") as store:
        assert store.verify().broken is None
        told = [each.event.body for each in store.events(RUN) if isinstance(each.event.body, Pruned)]
        left = _texts(store)
        assert left in (["", ""], ["success \x1b[31m\n"] * 2), left
        assert all(left) or any(each.through_seq == 3 for each in told)
        assert (place / "logs" / _LOG).exists() or any(each.files == (_LOG,) for each in told)
    Dying.fatal = -1
    assert prune(place) == 2
    with SqliteStore(place / "records.db") as store:
        assert store.verify().broken is None
        assert _texts(store) == ["", ""]
        assert not (place / "logs" / _LOG).exists()
    assert prune(place) == 2


def _texts(store: SqliteStore) -> list[str]:
    bodies = [each.event.body for each in store.events(RUN)]
    readings = [body.reading for body in bodies if isinstance(body, Measured) and body.reading]
    return [evidence.text for reading in readings for evidence in reading.evidence]


def _places(directory: Path) -> Iterator[Path]:
    """Yield a fresh copy of the same record and the same log, again and again."""
    template = directory / "template"
    (template / "logs").mkdir(parents=True)
    with SqliteStore(template / "records.db") as store:
        store.append([opening(), measurement(rows=1), measurement(rows=1)])
        head = store.head()
        (template / "logs" / _LOG).write_text(f"{RUN} {store.store_id} {head.seq} {head.hash}")
    os.utime(template / "logs" / _LOG, (1, 1))
    place = directory / "place"
    while True:
        shutil.copytree(template, place)
        yield place
        shutil.rmtree(place)


def _child(how: str, fatal: int, place: Path) -> int:
    """Fork a child that prunes until it is killed; return how it ended, as os.waitpid tells."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        with ExitStack() as stack:
            if how == "call":
                stack.enter_context(decided_by(killed_at(fatal)))
            else:
                Dying.fatal, Dying.step = fatal, 0
                sqlite3.connect = partial(sqlite3.connect, factory=Dying)  # type: ignore[assignment]
            prune(place)
        status = 0
    finally:
        os._exit(status)


def main(how: str, directory: str) -> None:
    """Do what the module says."""
    for fatal, place in enumerate(_places(Path(directory))):
        ended = _child(how, fatal, place)
        check(place)
        if os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL:
            continue
        assert ended == 0, f"a child failed at step {fatal}"
        sys.stdout.write(f"{fatal}\n")
        return


if __name__ == "__main__":
    main(*sys.argv[1:])
