"""A SQLite record whose writer is killed at each step of one write."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.faults import Tally, not_made
from support.stores import DEADLINE, environment
from support.syscalls import available

FEWEST = {"append": 12, "migrate": 20}
"""Steps that there are at least; fewer would mean that nothing was killed."""


def _killed(deed: str, how: str, place: Path, tally: Tally) -> None:
    if how == "call" and not available():
        not_made("this Python has SQLite built in: its system calls cannot be counted")
    finished = subprocess.run(
        [sys.executable, "-m", "support.store_dying", deed, how, str(place)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    killed = int(finished.stdout)
    assert killed >= FEWEST[deed]
    tally.survived_all(killed)


@pytest.mark.faults("kill-step")
@pytest.mark.parametrize("how", ["call", "statement"])
def test_an_append_killed_at_every_step_leaves_all_or_nothing(tmp_path: Path, tally: Tally, how: str) -> None:
    """kill -9 before and after each statement and each write to disk: the record is as before, or as after.

    Afterwards the same ticks, sent again because nobody had acknowledged them, are there once.
    """
    _killed("append", how, tmp_path, tally)


@pytest.mark.faults("migration")
@pytest.mark.parametrize("how", ["call", "statement"])
def test_a_migration_killed_at_every_step_leaves_all_or_nothing(tmp_path: Path, tally: Tally, how: str) -> None:
    """kill -9 of an upgrade: the old version or the new, finished by the next start; its backup is whole."""
    _killed("migrate", how, tmp_path, tally)
