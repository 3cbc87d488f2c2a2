"""What became of an item, and how outcomes combine."""

from collections.abc import Iterable
from enum import StrEnum


class Outcome(StrEnum):
    """Reading and judgement of one item."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"
    ERROR = "ERROR"
    BLOCKED = "BLOCKED"
    SKIPPED = "SKIPPED"
    WAIVED = "WAIVED"
    PENDING = "PENDING"


_SEVERITY = (
    Outcome.FAIL,
    Outcome.ERROR,
    Outcome.BLOCKED,
    Outcome.PENDING,
    Outcome.WARN,
    Outcome.WAIVED,
    Outcome.PASS,
    Outcome.SKIPPED,
)
"""Worst first. SKIPPED stands last: one target that applies and passed makes the item a pass."""

UNMEASURED = frozenset({Outcome.ERROR, Outcome.PENDING})
"""Outcomes that nobody has seen yet: a run that holds one cannot be signed."""


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the most severe of `outcomes`, PENDING where there are none."""
    return min(outcomes, key=_SEVERITY.index, default=Outcome.PENDING)


class Result(StrEnum):
    """What a whole run came to."""

    PASS = "PASS"
    FAIL = "FAIL"
    OPEN = "OPEN"
    MISSED = "MISSED"
    """Its period was over before anybody opened it."""


def result_of(outcomes: Iterable[Outcome]) -> Result:
    """Fold the outcomes of all items of a run: FAIL where one failed or was blocked, OPEN where one is unseen.

    A run of which every item was skipped has seen nothing, and so is no PASS either.
    """
    seen = set(outcomes)
    if seen & {Outcome.FAIL, Outcome.BLOCKED} or seen == {Outcome.SKIPPED}:
        return Result.FAIL
    return Result.OPEN if seen & UNMEASURED or not seen else Result.PASS
