"""Figures that go up and down with the day, and their sums over time: closed forms, quick for any instant."""

import math
from dataclasses import dataclass
from typing import Protocol

from opsconsole.demo.drawing import between

DAY = 86_400.0
_PERIODS = (DAY / 2, 5_820.0, 1_380.0, 433.0)
"""Seconds; beside the day itself."""
_PARTS = (0.20, 0.16, 0.12, 0.08)
_NOON = 14 * 3600.0
"""When the day is at its highest, in seconds after midnight UTC."""


class Curve(Protocol):
    """A figure over time."""

    def at(self, when: float) -> float:
        """Return it at an instant, in seconds since the epoch."""

    def sum(self, since: float, until: float) -> float:
        """Return its integral between two instants."""


@dataclass(eq=False, slots=True)
class Wave:
    """A mean, how much of it the day adds and takes away, ripples, and a trend."""

    mean: float
    terms: tuple[tuple[float, float, float], ...] = ()
    """Share of the mean, angular speed and phase of each."""
    slope: float = 0.0
    """By how much it grows in a second."""
    origin: float = 0.0
    """When the trend is at the mean."""
    _last: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The stretch that was summed last, and its sum: all buckets of a histogram ask for the same."""

    def at(self, when: float) -> float:
        """Return it at an instant."""
        share = sum(part * math.sin(speed * when + phase) for part, speed, phase in self.terms)
        return self.mean * (1 + share) + self.slope * (when - self.origin)

    def sum(self, since: float, until: float) -> float:
        """Return its integral between two instants."""
        begin, end, known = self._last
        if (begin, end) == (since, until):
            return known
        length = until - since
        share = sum(
            part / speed * (math.cos(speed * since + phase) - math.cos(speed * until + phase))
            for part, speed, phase in self.terms
        )
        drift = self.slope * length * ((since + until) / 2 - self.origin)
        total = self.mean * (length + share) + drift
        self._last = (since, until, total)
        return total


@dataclass(frozen=True, slots=True)
class Switched:
    """One curve up to an instant, and another one from it on."""

    before: Curve
    after: Curve
    when: float

    def at(self, when: float) -> float:
        """Return it at an instant."""
        return (self.before if when < self.when else self.after).at(when)

    def sum(self, since: float, until: float) -> float:
        """Return its integral between two instants."""
        turn = min(max(self.when, since), until)
        return self.before.sum(since, turn) + self.after.sum(turn, until)


@dataclass(frozen=True, slots=True)
class Scaled:
    """A part of a curve."""

    whole: Curve
    share: float

    def at(self, when: float) -> float:
        """Return it at an instant."""
        return self.whole.at(when) * self.share

    def sum(self, since: float, until: float) -> float:
        """Return its integral between two instants."""
        return self.whole.sum(since, until) * self.share


def wave(seed: str, mean: float, swing: float, *, slope: float = 0.0, origin: float = 0.0) -> Wave:
    """Return a wave of a seed's own whose day goes up and down by `swing`, a share of the mean."""
    late = between(f"{seed} noon", -90, 90) * 60
    terms = [(swing * 0.6, 2 * math.pi / DAY, math.pi / 2 - 2 * math.pi * (_NOON + late) / DAY)]
    for period, part in zip(_PERIODS, _PARTS, strict=True):
        phase = between(f"{seed} {period}", 0, 6283) / 1000
        terms.append((swing * part, 2 * math.pi / period, phase))
    return Wave(mean, tuple(terms), slope, origin)


def constant(value: float) -> Wave:
    """Return a curve that is flat."""
    return Wave(value)
