"""Stores of every kind under one name, in this process and in others, for scenarios that hold for all of them."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from opsconsole.contracts.store import Store
from opsconsole.store.postgres import PostgresStore
from opsconsole.store.postgres_roles import OWNER, PRUNER, roles_script
from opsconsole.store.sqlite import SqliteStore
from support.postgres import Postgres

KINDS = ("sqlite", "postgresql")
"""The kinds that the scenarios run over."""

_TESTS = str(Path(__file__).parents[1])
DEADLINE = 60.0
"""Seconds after which a process that was to end has hung."""


def environment() -> dict[str, str]:
    """Return an environment in which a Python of its own finds this package and whatever this one finds."""
    paths = [_TESTS, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def open_store(kind: str, where: str, *, lock_timeout: float = 30.0) -> Store:
    """Open a store that another process may have open too."""
    if kind == "postgresql":
        return PostgresStore(where, create=False, lock_timeout=lock_timeout)
    assert kind == "sqlite"
    return SqliteStore(Path(where), lock_timeout=lock_timeout)


def shared_database(postgres: Postgres) -> str:
    """Make a database and its roles as the printed script has it; return its name. There is no record in it yet."""
    name = postgres.create_database()
    postgres.run(f'{roles_script(name)}\nALTER DATABASE "{name}" OWNER TO {OWNER};')
    return name


def shared_record(postgres: Postgres) -> str:
    """Make a record as its owner in a database of its own; return that database's name."""
    name = shared_database(postgres)
    PostgresStore(postgres.dsn(name, OWNER)).close()
    return name


class Stores:
    """One record, and everything that opens it during a test.

    In PostgreSQL it is used as the role that may prune, which may do what each of its kind may and nothing else.
    """

    def __init__(self, kind: str, directory: Path, postgres: Postgres | None = None) -> None:
        self.kind = kind
        self._directory = directory
        self._postgres = postgres
        self._others = 0
        self._opened: list[Store] = []
        if kind == "postgresql":
            assert postgres is not None
            self.where = postgres.dsn(shared_record(postgres), PRUNER)
        else:
            self.where = str(directory / "state" / "records.db")

    def open(self, *, lock_timeout: float = 30.0) -> Store:
        """Open the record once more."""
        store = open_store(self.kind, self.where, lock_timeout=lock_timeout)
        self._opened.append(store)
        return store

    def another(self) -> "Stores":
        """Return a place for a second record, which is closed with this one."""
        self._others += 1
        other = Stores(self.kind, self._directory / f"other-{self._others}", self._postgres)
        other._opened = self._opened
        return other

    def close(self) -> None:
        """End whatever was opened."""
        for store in self._opened:
            store.close()


@contextlib.contextmanager
def writers(stores: Stores, arguments: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start a process for each list of arguments (see store_writer.py), and let all begin at the same moment."""
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(helper("store_writer", stores.kind, stores.where, *each)) for each in arguments
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        yield processes


@contextlib.contextmanager
def helper(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module of this package as a process of its own, which is killed at the end if it still runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"support.{module}", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


def lines_of(process: subprocess.Popen[str]) -> list[str]:
    """Return what a process still says until it ends, without a last line that was cut off."""
    assert process.stdout is not None
    said = process.stdout.read()
    process.wait(DEADLINE)
    return said.rpartition("\n")[0].splitlines()
