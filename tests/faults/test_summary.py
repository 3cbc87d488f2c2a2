"""What a run of the fault tests tells at its end: whoever reads one line knows what was lost."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from support.faults import ROWS, Summary
from support.stores import DEADLINE, environment

_TESTS = """
import pytest

@pytest.mark.faults("twice")
@pytest.mark.parametrize("count", [2, 3])
def test_counted(tally, count):
    for _ in range(count):
        with tally.one():
            pass
    tally.saw("acknowledged", count)

@pytest.mark.faults("clock")
def test_uncounted():
    pass

@pytest.mark.faults("together")
def test_loses(tally):
    with tally.one():
        pass
    with tally.one():
        assert not "there"

@pytest.mark.faults("disk-full")
def test_cannot():
    from support.faults import not_made
    not_made("there is no disk")
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_every_row_is_told(tmp_path: Path, workers: str) -> None:
    """Each row is told, also by several workers, with what was tried and lost; one that was not tried fails all."""
    (tmp_path / "test_some.py").write_text(_TESTS, encoding="utf-8")
    summary = tmp_path / "summary.json"
    argv = ["-p", "support.faults", "-n", workers, "--faults-summary", str(summary), "-m", "faults"]
    finished = _run(tmp_path, [*argv, "--deselect", "test_some.py::test_loses"])
    lines = finished.stdout.splitlines()
    assert any("sent by several processes at once: 5 tried, 5 survived, 0 lost; acknowledged 5" in x for x in lines)
    assert any("clocks that jump" in line and "1 tried, 1 survived, 0 lost" in line for line in lines)
    assert any("NOT TRIED: Skipped: FAULT NOT MADE: there is no disk" in line for line in lines)
    assert any("NOT TRIED: no test of it was run" in line for line in lines)
    assert finished.returncode == pytest.ExitCode.TESTS_FAILED
    told = msgspec.json.decode(summary.read_bytes(), type=Summary)
    assert told.counts == "few"
    assert list(told.rows) == [row.key for row in ROWS]
    assert (told.rows["twice"].tried, told.rows["twice"].tests, told.rows["disk-full"].tried) == (5, 2, 0)


def test_what_was_lost_is_told(tmp_path: Path) -> None:
    """A fault that cost something is counted beside those that did not; in CI what cannot be made fails."""
    (tmp_path / "test_some.py").write_text(_TESTS, encoding="utf-8")
    finished = _run(tmp_path, ["-p", "support.faults", "-n", "0"], CI="true")
    assert "8 processes that write at once: 2 tried, 1 survived, 1 lost" in finished.stdout
    assert "FAULT NOT MADE: there is no disk" in finished.stdout
    assert "2 failed, 3 passed" in finished.stdout


def _run(directory: Path, argv: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in environment().items() if name not in {"CI", "OPSCONSOLE_FAULTS"}}
    env = {name: value for name, value in env.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--rootdir", str(directory), "-c", os.devnull, *argv, str(directory)],
        cwd=directory,
        env=env | more,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
