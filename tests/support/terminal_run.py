"""Starts the application of the pty tests, and reads the traces it leaves."""

import sys
from collections.abc import Mapping
from pathlib import Path

from support.ptys import Pty

_TESTS = Path(__file__).resolve().parents[1]


def start(
    directory: Path,
    *options: str,
    cols: int = 80,
    rows: int = 24,
    env: Mapping[str, str | None] | None = None,
    is_controlling: bool = True,
) -> Pty:
    """Start the application with `directory` for its traces."""
    directory.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "support.terminal_main", str(directory), *options]
    environ = {"PYTHONPATH": str(_TESTS), **(env or {})}
    return Pty(argv, cols=cols, rows=rows, env=environ, is_controlling=is_controlling)


def started(
    directory: Path,
    *options: str,
    cols: int = 80,
    rows: int = 24,
    env: Mapping[str, str | None] | None = None,
    is_controlling: bool = True,
) -> Pty:
    """Start the application, and return when all of its first screen is drawn."""
    pty = start(directory, *options, cols=cols, rows=rows, env=env, is_controlling=is_controlling)
    pty.wait_for("Update")
    pty.wait_until(lambda: bool(beats(directory)), what="the first heartbeat")
    pty.settle()
    return pty


def events(directory: Path) -> list[str]:
    """Return what happened to the application so far."""
    return _lines(directory / "events")


def beats(directory: Path) -> list[str]:
    """Return the heartbeats so far: time, the number of updates, whether the line has stalled."""
    return _lines(directory / "beats")


def thread_count(pty: Pty) -> int:
    """Return how many threads the program has."""
    return len(list(Path(f"/proc/{pty.pid}/task").iterdir()))


def process_state(pty: Pty) -> str:
    """Return the state of the program as proc(5) names it: S sleeping, T stopped."""
    return Path(f"/proc/{pty.pid}/stat").read_text().rpartition(")")[2].split()[0]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
