"""The first paint of the console, against an application of Textual's that shows one line."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.comparing import COMPARED, Sample, compared, in_turns
from benchmarks.tables import Table
from benchmarks.terminal import Start, program_environment, started
from benchmarks.workshop import Workshop, shipped

BARE_APP = Path(__file__).with_name("peers") / "bare_app.py"
CHECKLISTS = ("qbr-daily", "host-daily")
SIZES = ((80, 24), (200, 50))
LIMIT = 1.3
HEAD = ("terminal", "moment", *COMPARED)
_FIRST = "QBR daily monitoring"
_LAST = "quit"
_KNOWN = "not opened yet"


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    installation = workshop.installation("paint", {name: shipped(name) for name in CHECKLISTS})
    before = installation.used_state("qbr-daily")
    env = program_environment(workshop.directory)

    def console(cols: int, rows: int) -> Start:
        argv = installation.command(installation.fresh_state(before))
        return started(argv, env, cols, rows, (_FIRST, _LAST, _KNOWN))

    def bare(cols: int, rows: int) -> Start:
        return started([sys.executable, str(BARE_APP)], env, cols, rows, (_FIRST,))

    rows: list[tuple[str, ...]] = []
    for size in SIZES:
        takers: list[Callable[[], Start]] = [partial(console, *size), partial(bare, *size)]
        ours, theirs = in_turns(takers, rounds, warmups=1)
        rows += _rows(size, ours, theirs)
    about = (
        f"{rounds} rounds in turns after 1 to warm up, for each size; median (least-greatest) of the ratios within "
        "a round. The console's first frame is there when a checklist's name and the keys are on the screen, the "
        "bare application's when its one line is."
    )
    return Table("paint", HEAD, rows, about)


def _rows(size: tuple[int, int], ours: list[Start], theirs: list[Start]) -> list[tuple[str, ...]]:
    """Return a row for each moment; the bare application has only one frame to compare with."""
    bare = [start.shown[0] for start in theirs]
    moments = (
        ("first byte", [each.first_byte for each in ours], [each.first_byte for each in theirs], None),
        ("first frame", [max(each.shown[:2], key=_wall) for each in ours], bare, LIMIT),
        ("and where the checklists stand", [each.shown[2] for each in ours], bare, None),
    )
    return [(f"{size[0]}x{size[1]}", name, *compared(mine, peer, limit)) for name, mine, peer, limit in moments]


def _wall(moment: Sample) -> float:
    return moment.wall
