"""The power fails while a SQLite record is written to."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from opsconsole.contracts.store import StoreError
from opsconsole.model.events import Event
from opsconsole.store import sqlite
from opsconsole.store.durability import ROLLBACK_JOURNAL, Durability
from opsconsole.store.sqlite import SqliteStore
from support.events import RUN, measurement, note, opening, sign_off
from support.faults import Tally, not_made, times
from support.needs import IMPOSSIBLE
from support.power import State, look_after, states
from support.recording import recorded
from support.stores import DEADLINE, environment
from support.syscalls import available

SEED = 20261121
SHUFFLED = times(few=2, full=12)
"""States with some of what was under way, after each step."""
STATES = times(few=120, full=2_000)
"""States that are looked at, at most."""
FEWEST = times(few=100, full=1_500)
WEAKER = times(few=60, full=300)
"""States that a weaker setting is looked at in, at most."""
APPENDS = times(few=8, full=16)

EXT4_APPENDS = times(few=4, full=40)

IN_NAMESPACE = ("unshare", "--mount", "--propagation", "private")
_NAME = "records.db"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return an empty directory for a record."""
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    return directory


def _written(place: Path, *, migrated: bool = True) -> tuple[list[Event], list[State]]:
    """Write a morning while everything is recorded; return its events and what a crash at any step may leave."""
    path = place / _NAME
    path.touch(mode=0o600)
    if migrated:
        SqliteStore(path).close()
    done: list[Event] = []
    with recorded(place) as recording, SqliteStore(path) as store:

        def append(event: Event) -> None:
            recording.tell("tried", event.id)
            store.append([event])
            recording.tell("acknowledged", event.id)
            done.append(event)

        append(opening())
        for number in range(APPENDS):
            append(measurement(rows=30) if number % 4 == 3 else note(f"tick {number}"))
        append(sign_off(store, store.events(RUN)[-1]))
    return done, list(states(recording, SHUFFLED, random.Random(SEED)))


def _sample(found: Sequence[State], most: int) -> list[State]:
    return random.Random(SEED).sample(found, min(most, len(found)))


def _put(place: Path, state: State) -> Path:
    """Put what the crash left into a fresh directory."""
    directory = place.with_name("after")
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    for name, content in state.files.items():
        (directory / name).write_bytes(content)
        (directory / name).chmod(0o600)
    return directory / _NAME


needs_hook = pytest.mark.skipif(not available(), reason=f"{IMPOSSIBLE}this Python has SQLite built in")


@needs_hook
@pytest.mark.timeout(300)
@pytest.mark.faults("power-states")
@pytest.mark.parametrize("migrated", [True, False], ids=["a record", "its first start"])
def test_no_power_loss_takes_what_was_acknowledged(place: Path, tally: Tally, migrated: bool) -> None:
    """Whatever of the unsynced writes reached the disk, in whichever order and torn: the record is whole."""
    events, found = _written(place, migrated=migrated)
    chosen = _sample(found, STATES if migrated else STATES // 4)
    for state in chosen:
        with tally.one():
            look_after(_put(place, state), events, len(state.tried), len(state.acknowledged))
    tally.saw("acknowledged", sum(len(each.acknowledged) for each in chosen))
    assert not migrated or len(chosen) >= FEWEST


@needs_hook
@pytest.mark.timeout(300)
@pytest.mark.parametrize("synchronous", ["NORMAL", "FULL"])
def test_weaker_settings_would_lose_some(place: Path, monkeypatch: pytest.MonkeyPatch, synchronous: str) -> None:
    """What the test above would find if the record were not synced as it is: so its silence means something."""
    with monkeypatch.context() as patch:
        weaker = Durability(ROLLBACK_JOURNAL.journal_mode, synchronous)
        patch.setattr(sqlite, "durability", lambda *_args, **_more: weaker)
        events, found = _written(place)
    lost = 0
    for state in _sample(found, WEAKER):
        try:
            look_after(_put(place, state), events, len(state.tried), len(state.acknowledged))
        except (AssertionError, StoreError):
            lost += 1
    assert lost


@needs_hook
@pytest.mark.timeout(300)
@pytest.mark.faults("power-ext4")
def test_no_power_loss_of_a_real_ext4_takes_what_was_acknowledged(tmp_path: Path, tally: Tally) -> None:
    """What a real file system has handed to its disk by each write: mounted anew, the record is whole."""
    env = environment()
    env["PATH"] += ":/usr/sbin:/sbin"
    missing = [each for each in ("mkfs.ext4", "mount", "unshare") if shutil.which(each, path=env["PATH"]) is None]
    if missing or os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        not_made(f"an ext4 on a loop device needs root, /dev/loop-control and {', '.join(missing) or 'mkfs.ext4'}")
    finished = subprocess.run(
        [*IN_NAMESPACE, sys.executable, "-m", "support.store_on_ext4", str(tmp_path), f"{EXT4_APPENDS}"],
        env=env,
        capture_output=True,
        text=True,
        timeout=DEADLINE * 5,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    copies, held = map(int, finished.stdout.split())
    assert copies > EXT4_APPENDS * 5
    tally.survived_all(copies)
    tally.saw("acknowledged", held)
