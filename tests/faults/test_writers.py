"""Several processes that write to one record at once, and are killed while they do."""

import random
import time
from collections import Counter

import pytest

from opsconsole.contracts.store import Store
from support.events import RUN, note, opening
from support.faults import Tally, times
from support.stores import Stores, lines_of, writers

PROCESSES = 8
EACH = times(few=100, full=500)
SENT_TWICE = times(few=50, full=500)
KILLINGS = times(few=8, full=100)
LONGEST = 0.06
"""Seconds that writers have before they are killed, at most: by then each is well under way."""


def _said(lines: list[str], word: str) -> list[str]:
    return [line.split()[1] for line in lines if line.startswith(f"{word} ")]


def _ids(store: Store) -> list[str]:
    return [each.event.id for each in store.events(RUN, after=1)]


@pytest.mark.timeout(300)
@pytest.mark.faults("together")
def test_eight_processes_lose_and_double_nothing(stores: Stores, tally: Tally) -> None:
    """Eight operators and jobs that write at once all get in: exactly their events, in one sound chain."""
    store = stores.open()
    store.append([opening()])
    with writers(stores, [("note", RUN, f"{EACH}")] * PROCESSES) as processes:
        acknowledged = [name for process in processes for name in _said(lines_of(process), "done")]
    assert len(acknowledged) == PROCESSES * EACH
    assert sorted(_ids(store)) == sorted(acknowledged)
    found = store.verify()
    assert (found.events, found.broken) == (PROCESSES * EACH + 1, None)
    tally.survived_all(PROCESSES * EACH)


@pytest.mark.timeout(300)
@pytest.mark.faults("twice")
@pytest.mark.parametrize("count", [2, 4])
def test_what_several_send_is_stored_once(stores: Stores, tally: Tally, count: int) -> None:
    """The same ticks, sent at the same time by whoever got no answer and sends again: each is there once."""
    store = stores.open()
    store.append([opening()])
    with writers(stores, [("same", RUN, f"{SENT_TWICE}")] * count) as processes:
        acknowledged = Counter(name for process in processes for name in _said(lines_of(process), "done"))
    assert set(acknowledged.values()) == {count}
    assert sorted(_ids(store)) == sorted(acknowledged)
    assert len(acknowledged) == SENT_TWICE
    assert store.verify().broken is None
    tally.survived_all(SENT_TWICE * count)


@pytest.mark.timeout(300)
@pytest.mark.faults("kill-random")
@pytest.mark.parametrize("count", [1, 3])
def test_killing_writers_loses_nothing_acknowledged(stores: Stores, tally: Tally, count: int) -> None:
    """Kill -9 at any moment: what was acknowledged is there once, what was not is there whole or not at all."""
    dice = random.Random(20261121 + count)
    store = stores.open()
    store.append([opening()])
    attempted: set[str] = set()
    acknowledged: set[str] = set()
    for _ in range(KILLINGS):
        with tally.one():
            _kill_once(stores, count, dice.uniform(0, LONGEST), attempted, acknowledged)
            stored = _ids(store)
            assert len(stored) == len(set(stored))
            assert acknowledged <= set(stored) <= attempted
    assert store.verify().broken is None
    assert acknowledged
    store.append([note("and it goes on")])
    tally.saw("acknowledged", len(acknowledged))
    tally.saw("not acknowledged and stored", len(set(_ids(store)) - acknowledged) - 1)


def _kill_once(stores: Stores, count: int, moment: float, attempted: set[str], acknowledged: set[str]) -> None:
    """Let writers begin, kill them `moment` seconds after the first word of one, and note what they said."""
    with writers(stores, [("note", RUN, "100000")] * count) as processes:
        first = processes[0]
        assert first.stdout is not None
        heard = [first.stdout.readline().strip()]
        end = time.monotonic() + moment
        while time.monotonic() < end:
            pass
        for process in processes:
            process.kill()
        for process in processes:
            lines = (heard if process is first else []) + lines_of(process)
            attempted.update(_said(lines, "try"))
            acknowledged.update(_said(lines, "done"))
