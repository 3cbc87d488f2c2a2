"""A SQLite record whose writer is killed at each step of one write."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.stores import DEADLINE, environment
from support.syscalls import available

FEWEST = {"append": 12, "migrate": 20}
"""Steps that there are at least; fewer would mean that nothing was killed."""


@pytest.mark.parametrize("how", ["call", "statement"])
@pytest.mark.parametrize("deed", ["append", "migrate"])
def test_kill_at_every_step_leaves_all_or_nothing(tmp_path: Path, deed: str, how: str) -> None:
    """kill -9 before and after each statement and each write to disk: the record is as before, or as after.

    Afterwards the same ticks, sent again because nobody had acknowledged them, are there once; a migration is
    finished by the next start, and the backup made before it is whole.
    """
    if how == "call" and not available():
        pytest.skip("this Python has SQLite built in: its system calls cannot be counted")
    finished = subprocess.run(
        [sys.executable, "-m", "support.store_dying", deed, how, str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert int(finished.stdout) >= FEWEST[deed]
