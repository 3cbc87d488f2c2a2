"""Where a start spends its processor time: the modules it imports, by package (`python -X importtime`)."""

import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence

from benchmarks.comparing import Contestant, timed
from benchmarks.tables import Table
from benchmarks.terminal import program_environment
from benchmarks.workshop import Workshop, shipped, without_systemd
from support.ptys import Pty

CHECKLIST = "qbr-daily"
ROUNDS = 5
SHOWN = 8
HEAD = ("start", "imports, share", "the packages, each with its modules and milliseconds")
_LINE = re.compile(rb"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
Imports = dict[str, int]
"""Microseconds of each module, without what it imports itself."""


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    rounds = min(rounds, ROUNDS)
    installation = workshop.installation("where", {CHECKLIST: without_systemd(shipped(CHECKLIST))})
    before = installation.used_state(CHECKLIST)
    env = program_environment(workshop.directory)

    def headless() -> Imports:
        argv = _watched(installation.headless(installation.fresh_state(before), CHECKLIST))
        done = subprocess.run(argv, env=dict(installation.environment), capture_output=True, check=True)
        return _imports(done.stderr)

    def console() -> Imports:
        with Pty(_watched(installation.command(installation.fresh_state(before))), env=env) as pty:
            output = b""
            while b"not opened" not in output:
                output += os.read(pty.master, 65536)
        return _imports(output)

    whole = Contestant(
        "opsconsole",
        lambda: installation.headless(installation.fresh_state(before), CHECKLIST),
        installation.environment,
    )
    cpu = statistics.median(timed(whole).cpu for _ in range(rounds)) * 1000
    rows = [
        _row("headless run", _quickest(headless, rounds), cpu),
        _row("console, to its first frames", _quickest(console, rounds), None),
    ]
    about = (
        f"The least of {rounds} starts for each module. A headless run of 16 items takes {cpu:.0f} ms of processor "
        "in all, of which the imports have the share that is given."
    )
    return Table("where", HEAD, rows, about)


def _watched(argv: Sequence[str]) -> list[str]:
    return [sys.executable, "-X", "importtime", *argv[1:]]


def _imports(output: bytes) -> Imports:
    return {name.decode(): int(microseconds) for microseconds, name in _LINE.findall(output)}


def _quickest(start: Callable[[], Imports], rounds: int) -> Imports:
    """Return the least time of each module: what came in between was somebody else's."""
    starts = [start() for _ in range(rounds)]
    return {name: min(each.get(name, spent) for each in starts) for name, spent in starts[0].items()}


def _row(name: str, imports: Imports, cpu: float | None) -> tuple[str, ...]:
    times: Counter[str] = Counter()
    modules: Counter[str] = Counter()
    for module, microseconds in imports.items():
        package = module.partition(".")[0].removesuffix("_binary").removesuffix("_core")
        times[package] += microseconds
        modules[package] += 1
    total = sum(times.values()) / 1000
    share = "" if cpu is None else f", {total / cpu * 100:.0f} %"
    largest = (f"{package} ({modules[package]}) {spent / 1000:.0f}" for package, spent in times.most_common(SHOWN))
    return name, f"{len(imports)} modules, {total:.0f} ms{share}", ", ".join(largest)
