"""Measures opsconsole beside its peers and prints ratios; `--write` puts the tables into docs/benchmarks.md.

    python benchmarks/run.py [--write] [--rounds N] [morning] [distance] [paint] [traffic] [where]
                             [appends] [verifying] [past] [qualification] [signing] [logs]
                             [webchecks] [mixed]

Absolute times mean little on a machine that others use too: what counts is the ratio of two commands that ran in
turns, and its spread.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.tables import Table
    from benchmarks.workshop import Workshop

NAMES = (
    *("morning", "distance", "paint", "traffic", "where", "appends", "verifying", "past", "qualification"),
    *("signing", "logs", "webchecks", "mixed"),
)


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description="Measure opsconsole beside its peers.")
    parser.add_argument("names", nargs="*", metavar="|".join(NAMES), help="what to measure; everything without")
    parser.add_argument("--rounds", type=int, default=15, help="how often each command runs (15)")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/benchmarks.md")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"there is no benchmark '{unknown[0]}'; there are {', '.join(NAMES)}")
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return _measured(options.names or NAMES, options.rounds, write=options.write)


def _measured(names: Sequence[str], rounds: int, *, write: bool) -> int:
    from benchmarks.machine import facts
    from benchmarks.tables import write_into_page
    from benchmarks.workshop import compile_program, opened

    compile_program()
    tables = []
    with opened() as workshop:
        for name in NAMES:
            if name in names:
                start = time.monotonic()
                table = _benchmark(name)(workshop, rounds)
                tables.append(table)
                print(f"## {name}\n\n{table}\n{facts()}\n", flush=True)
                print(f"{name} took {time.monotonic() - start:.0f} s", file=sys.stderr)
    if write:
        write_into_page(tables, facts())
    return 0


def _benchmark(name: str) -> "Callable[[Workshop, int], Table]":
    module = importlib.import_module(f"benchmarks.{name}")
    found: Callable[[Workshop, int], Table] = module.measure
    return found


if __name__ == "__main__":
    root = Path(__file__).resolve().parents[1]
    sys.path[:0] = [str(root), str(root / "tests")]
    sys.exit(main())
