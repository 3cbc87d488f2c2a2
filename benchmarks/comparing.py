"""Runs commands beside each other, in turns, so that what disturbs the machine disturbs all of them."""

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar


@dataclass(frozen=True, slots=True)
class Sample:
    """What it took until something had happened."""

    wall: float
    """Seconds from before the fork."""
    cpu: float
    """Seconds of processor, user and system."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A command, made anew for each run."""

    name: str
    prepared: Callable[[], Sequence[str]]
    """Makes ready what a run uses up, off the clock, and returns the argv."""
    environment: Mapping[str, str]
    accepted: frozenset[int] = frozenset({0})
    """Exit statuses that mean it did its work."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Pairwise ratios of two contestants: those of the runs that were made right after each other."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> "Ratio":
        """Return how many times as much `ours` are, pair by pair."""
        ratios = sorted(one / other for one, other in zip(ours, theirs, strict=True))
        return cls(statistics.median(ratios), ratios[0], ratios[-1])

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f}-{self.greatest:.2f})"


class CommandFailedError(Exception):
    """A command did not do what is measured, so that its time means nothing."""


def timed(contestant: Contestant) -> Sample:
    """Run a command to its end with its output thrown away; raises CommandFailedError where it fails.

    The processor's time is that of the process and of the children it waited for.
    """
    argv = contestant.prepared()
    with Path(os.devnull).open("r+b") as nowhere:
        start = time.perf_counter()
        process = subprocess.Popen(
            argv, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=dict(contestant.environment)
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in contestant.accepted:
        raise CommandFailedError(f"exit status {process.returncode}: {' '.join(argv)}")
    return Sample(wall, used.ru_utime + used.ru_stime)


_Result = TypeVar("_Result")


def in_turns(takers: Sequence[Callable[[], _Result]], rounds: int, warmups: int = 1) -> list[list[_Result]]:
    """Return `rounds` results of each taker; every round asks all of them, each time beginning with another."""
    results: list[list[_Result]] = [[] for _ in takers]
    for number in range(-warmups, rounds):
        for step in range(len(takers)):
            at = (number + step) % len(takers)
            result = takers[at]()
            if number >= 0:
                results[at].append(result)
    return results


def race(contestants: Sequence[Contestant], rounds: int, warmups: int = 2) -> list[list[Sample]]:
    """Return the samples of each contestant, run in turns."""
    return in_turns([partial(timed, each) for each in contestants], rounds, warmups)


COMPARED = ("wall", "CPU", "opsconsole", "the peer", "target, wall")
"""The heads of what `compared` returns."""


def compared(ours: Sequence[Sample], theirs: Sequence[Sample], limit: float | None = None) -> tuple[str, ...]:
    """Return the ratios of wall and processor time, the two medians, and whether the wall's ratio keeps a limit."""
    wall = Ratio.of([each.wall for each in ours], [each.wall for each in theirs])
    cpu = Ratio.of([each.cpu for each in ours], [each.cpu for each in theirs])
    target = "" if limit is None else reached(wall.median, limit)
    return str(wall), str(cpu), _milliseconds(ours), _milliseconds(theirs), target


def reached(ratio: float, limit: float) -> str:
    """Return whether a target was reached, and by how much it was missed."""
    if round(ratio, 2) <= limit:
        return f"≤ {limit:g}: reached"
    return f"≤ {limit:g}: missed by {(ratio / limit - 1) * 100:.0f} %"


def _milliseconds(samples: Sequence[Sample]) -> str:
    return f"{statistics.median(each.wall for each in samples) * 1000:.0f} ms"
