"""Stores of every kind under one name, in this process and in others, for scenarios that hold for all of them."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from opsconsole.contracts.store import Store
from opsconsole.store.sqlite import SqliteStore

KINDS = ("sqlite",)
"""The kinds that the scenarios run over."""

_TESTS = str(Path(__file__).parents[1])
DEADLINE = 60.0
"""Seconds after which a process that was to end has hung."""


def environment() -> dict[str, str]:
    """Return an environment in which a Python of its own finds this package and whatever this one finds."""
    paths = [_TESTS, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def open_store(kind: str, where: str) -> Store:
    """Open a store that another process may have open too."""
    assert kind == "sqlite"
    return SqliteStore(Path(where))


class Stores:
    """One record, and everything that opens it during a test."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.kind = kind
        self.where = str(directory / "state" / "records.db")
        self._directory = directory
        self._others = 0
        self._opened: list[Store] = []

    def open(self) -> Store:
        """Open the record once more."""
        store = open_store(self.kind, self.where)
        self._opened.append(store)
        return store

    def another(self) -> "Stores":
        """Return a place for a second record, which is closed with this one."""
        self._others += 1
        other = Stores(self.kind, self._directory / f"other-{self._others}")
        other._opened = self._opened
        return other

    def close(self) -> None:
        """End whatever was opened."""
        for store in self._opened:
            store.close()


@contextlib.contextmanager
def writers(stores: Stores, arguments: Sequence[Sequence[str]]) -> Iterator[list[subprocess.Popen[str]]]:
    """Start a process for each list of arguments (see store_writer.py), and let all begin at the same moment."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "support.store_writer", stores.kind, stores.where, *each],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for each in arguments
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.close()
        yield processes
    finally:
        for process in processes:
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
