"""A process whose children are killed at every step of one deed on a store: `store_dying DEED HOW DIRECTORY`.

DEED is `append` or `migrate`, HOW is `call` (killed in place of each system call that changes something) or
`statement` (killed before each SQL statement and after each COMMIT). After each killing the record has to be as
before the deed or as after it, and the deed has to succeed when it is done again. Prints how many children were
killed.
"""

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from opsconsole.store.migrations import MIGRATIONS
from opsconsole.store.sqlite import SqliteStore
from support.events import RUN, note, opening
from support.synthetic_migrations import HISTORY
from support.syscalls import decided_by, killed_at

EARLIER = [opening(), note("acknowledged before")]
BATCH = [note("first of two"), note("second of two")]


class Dying(sqlite3.Connection):
    """Kills its process at a step; steps are counted over all connections."""

    fatal = -1
    step = 0

    def execute(self, statement: str, *arguments: Any) -> sqlite3.Cursor:
        """Execute a statement, unless this is the end."""
        self._one_step()
        cursor = super().execute(statement, *arguments)
        if statement == "COMMIT":
            self._one_step()
        return cursor

    def _one_step(self) -> None:
        if Dying.step == Dying.fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        Dying.step += 1


def _append(path: Path) -> None:
    with SqliteStore(path) as store:
        store.append(BATCH, after=2)


def _migrate(path: Path) -> None:
    SqliteStore(path, migrations=HISTORY).close()


def _check_append(path: Path) -> None:
    with SqliteStore(path) as store:
        found = [each.event for each in store.events(RUN)]
        assert found in (EARLIER, EARLIER + BATCH), f"{len(found)} events"
        assert store.verify().broken is None
        again = store.append(BATCH, after=2)
        assert [each.event for each in again] == BATCH
        assert [each.event for each in store.events(RUN)] == EARLIER + BATCH
        assert store.verify().broken is None


def _check_migrate(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        ((version,),) = connection.execute("PRAGMA user_version")
    assert version in {MIGRATIONS[-1].version, HISTORY[-1].version}, f"version {version}"
    with SqliteStore(path, migrations=HISTORY if version == HISTORY[-1].version else MIGRATIONS) as store:
        assert [each.event for each in store.events(RUN)] == EARLIER
        assert store.verify().broken is None
    _migrate(path)
    backups = list(path.parent.glob("records.db.v1-*.backup"))
    assert backups
    for backup in backups:
        with SqliteStore(backup) as store:
            assert [each.event for each in store.events(RUN)] == EARLIER
            assert store.verify().broken is None
    assert not list(path.parent.glob(".*.partial*"))


DEEDS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "append": (_append, _check_append),
    "migrate": (_migrate, _check_migrate),
}


def _child(deed: Callable[[Path], None], how: str, fatal: int, path: Path) -> int:
    """Fork a child that does the deed until it is killed; return how it ended, as os.waitpid tells."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        with ExitStack() as stack:
            if how == "call":
                stack.enter_context(decided_by(killed_at(fatal)))
            else:
                Dying.fatal = fatal
                sqlite3.connect = partial(sqlite3.connect, factory=Dying)  # type: ignore[assignment]
            deed(path)
        status = 0
    finally:
        os._exit(status)


def _places(directory: Path) -> Iterator[Path]:
    """Yield a fresh copy of the same record, again and again."""
    template = directory / "template.db"
    with SqliteStore(template) as store:
        store.append(EARLIER)
    while True:
        place = directory / "place"
        place.mkdir(mode=0o700)
        yield Path(shutil.copy2(template, place / "records.db"))
        shutil.rmtree(place)


def main(name: str, how: str, directory: str) -> None:
    """Do what the module says."""
    deed, check = DEEDS[name]
    for fatal, path in enumerate(_places(Path(directory))):
        ended = _child(deed, how, fatal, path)
        if os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL:
            check(path)
            continue
        assert ended == 0, f"a child failed at step {fatal}"
        check(path)
        sys.stdout.write(f"{fatal}\n")
        return


if __name__ == "__main__":
    main(*sys.argv[1:])
