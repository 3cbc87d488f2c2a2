"""A PostgreSQL server that is killed while several processes write to the record in it."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from opsconsole.contracts.store import Store, StoreUnavailable
from opsconsole.demo.errors import DemoError
from support.events import RUN, note, opening
from support.faults import Tally, times
from support.postgres import Postgres
from support.stores import DEADLINE, Stores, lines_of, writers

KILLINGS = times(few=2, full=25)
WRITERS = 3
EACH = 400
"""Events that a writer tries, so many that none is through when the server dies."""
LONGEST = 0.2
"""Seconds that they have before that, at most."""


@contextmanager
def _running_again(postgres: Postgres) -> Iterator[None]:
    """Start the server again at the end, as soon as nothing of the killed one holds its memory any more."""
    try:
        yield
    finally:
        end = time.monotonic() + DEADLINE
        while True:
            try:
                postgres.start()
                break
            except DemoError:
                if time.monotonic() > end:
                    raise


def _kill_server(postgres: Postgres) -> None:
    """Kill the server's first process; the others notice and end."""
    pid = postgres.server_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def _kill_session(postgres: Postgres) -> None:
    """Kill the process that serves one writer: the server ends all others, recovers and goes on by itself."""
    found = postgres.run(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'opsconsole' AND state <> 'idle'"
    )
    pids = [int(line) for line in found.split() if line.isdigit()]
    if pids:
        os.kill(random.choice(pids), signal.SIGKILL)


def _answers(store: Store) -> bool:
    try:
        store.last_seq(RUN)
    except StoreUnavailable:
        return False
    return True


@pytest.mark.timeout(300)
@pytest.mark.faults("kill-server")
@pytest.mark.parametrize("stores", ["postgresql"], indirect=True)
@pytest.mark.parametrize("kill", [_kill_server, _kill_session])
def test_a_killed_server_loses_nothing_acknowledged(
    postgres: Postgres, stores: Stores, tally: Tally, kill: Callable[[Postgres], None]
) -> None:
    """The server dies in the middle of writing: what it had acknowledged is there once it is back, once."""
    store = stores.open()
    store.append([opening()])
    dice = random.Random(20261121)
    acknowledged: set[str] = set()
    attempted: set[str] = set()
    for _ in range(KILLINGS):
        with tally.one():
            with _running_again(postgres), writers(stores, [("note", RUN, f"{EACH}")] * WRITERS) as processes:
                heard = [_first_words(process) for process in processes]
                _wait(dice.uniform(0, LONGEST))
                kill(postgres)
                for process, first in zip(processes, heard, strict=True):
                    lines = [first, *lines_of(process)]
                    acknowledged.update(line.split()[1] for line in lines if line.startswith("done "))
                    attempted.update(line.split()[1] for line in lines if line.startswith("try "))
            end = time.monotonic() + DEADLINE
            while not _answers(store):
                assert time.monotonic() < end, "the server did not come back"
            stored = [each.event.id for each in store.events(RUN, after=1)]
            assert len(stored) == len(set(stored))
            assert acknowledged <= set(stored) <= attempted
    assert acknowledged
    assert store.verify().broken is None
    store.append([note("and it goes on")])
    tally.saw("acknowledged", len(acknowledged))
    tally.saw("refused", len(attempted) - len(acknowledged))


def _first_words(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _wait(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
