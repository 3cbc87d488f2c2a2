"""Bytes on the line: the console's list beside Textual's DataTable, and the whole console."""

import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.tables import Table
from benchmarks.terminal import TolerantScreen, program_environment
from benchmarks.workshop import Workshop, shipped
from support.ptys import Pty

SIZES = ((80, 24), (200, 50))
ROW_LIMIT = 200
CURSOR_LIMIT = 400
IDLE_SECONDS = 10.0
HEAD = ("terminal", "what", "opsconsole", "DataTable", "ratio", "budget")
TABLE_APP = Path(__file__).with_name("peers") / "table_app.py"
_ROWS_APP = """
import os
from opsconsole.widgets.environment import prepare
prepare(os.environ)
from benchmarks.rows_app import run
run()
"""
_STILL: Mapping[str, str] = {"TEXTUAL_ANIMATIONS": "none", "TEXTUAL_THEME": "ansi-dark", "TEXTUAL_FPS": "30"}
"""The console's own settings, for the peer too: what is compared are the widgets."""
_QUIET = 0.15
_MEASURED = "2 pending"
"""What the console counts when everything else has been measured."""
_DOWN = "\x1b[B"


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    rows: list[tuple[str, ...]] = []
    for size in SIZES:
        rows += _measured(workshop, size, rounds)
    about = (
        f"Median (least-greatest) of {rounds} key presses each, and what came within {IDLE_SECONDS:g} s without "
        "any. The DataTable runs with the console's theme and without animations."
    )
    return Table("traffic", HEAD, rows, about)


def _measured(workshop: Workshop, size: tuple[int, int], rounds: int) -> list[tuple[str, ...]]:
    cols, lines = size
    installation = workshop.installation(f"traffic-{cols}", {"qbr-daily": shipped("qbr-daily")})
    env = program_environment(workshop.directory)
    console = installation.command(installation.fresh_state())
    with (
        Pty([sys.executable, "-c", _ROWS_APP], cols=cols, rows=lines, env=env) as ours,
        Pty([sys.executable, str(TABLE_APP)], cols=cols, rows=lines, env={**env, **_STILL}) as theirs,
        Pty(console, cols=cols, rows=lines, env=env) as whole,
    ):
        theirs.screen = TolerantScreen(cols, lines)
        for pty in (ours, theirs):
            pty.wait_for("Collection log of night 15")
            pty.settle()
        whole.wait_for("not opened yet")
        whole.settle()
        opening = _cost(whole, "\r", lambda: _MEASURED in whole.screen.text, quiet=0.5)
        rows = []
        for name, key, limit in (
            ("change of one row", "u", ROW_LIMIT),
            ("cursor to the next row", _DOWN, CURSOR_LIMIT),
        ):
            mine, peer = ([_cost(pty, key) for _ in range(rounds)] for pty in (ours, theirs))
            rows.append(_row(size, f"the list alone: {name}", mine, peer, limit))
        moves = [_cost(whole, _DOWN) for _ in range(rounds)]
        rows.append(_row(size, "the console, a run: cursor to the next item, with its detail", moves))
        again = [_cost(whole, "r", quiet=0.5) for _ in range(max(1, rounds // 3))]
        rows.append(_row(size, "the console, a run: one item measured again", again))
        rows.append(_row(size, "the console: a run opened and its 18 items measured", [opening]))
        idle = _idle([ours, theirs, whole])
        rows.append(_row(size, f"the list alone: idle, {IDLE_SECONDS:g} s", [idle[0]], [idle[1]], 0))
        rows.append(_row(size, f"the console, a run: idle, {IDLE_SECONDS:g} s", [idle[2]], None, 0))
    return rows


def _cost(pty: Pty, key: str, shown: Callable[[], bool] = lambda: True, quiet: float = _QUIET) -> int:
    """Return how many bytes a key brings, until what it is meant to show is shown and the line is quiet."""
    before = len(pty.output)
    pty.send(key)
    pty.wait_until(lambda: len(pty.output) > before and shown())
    pty.settle(quiet)
    return len(pty.output) - before


def _idle(ptys: Sequence[Pty]) -> list[int]:
    """Return how many bytes each sends within the time, all at once; the terminals hold what is not read yet."""
    before = [len(pty.output) for pty in ptys]
    ptys[0].bytes_in(IDLE_SECONDS)
    for pty in ptys:
        while pty.read(0):
            pass
    return [len(pty.output) - count for pty, count in zip(ptys, before, strict=True)]


def _row(
    size: tuple[int, int],
    what: str,
    ours: Sequence[int],
    theirs: Sequence[int] | None = None,
    limit: int | None = None,
) -> tuple[str, ...]:
    median = statistics.median(ours)
    ratio = "" if not theirs or not statistics.median(theirs) else f"{median / statistics.median(theirs):.3f}"
    budget = ""
    if limit is not None:
        budget = f"≤ {limit} B: kept" if median <= limit else f"≤ {limit} B: {median - limit:g} B over"
    return f"{size[0]}x{size[1]}", what, _bytes(ours), "" if theirs is None else _bytes(theirs), ratio, budget


def _bytes(counts: Sequence[int]) -> str:
    if len(counts) == 1:
        return f"{counts[0]} B"
    return f"{statistics.median(counts):.0f} B ({min(counts)}-{max(counts)})"
