"""What a regular expression may cost: Python's try one way after another, and nothing else goes on meanwhile."""

import importlib
import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

MOST_STEPS = 5_000_000
"""Steps that are tried in this process: a tenth of a second in the worst case."""
_FEW = 16
"""A repetition that is made no more often than this has as many choices; one that is grows with the text."""
_UNROLLED = 8
"""A repetition that is made no more often than this, and always so often, is weighed as what it repeats."""


def steps_of(pattern: str, length: int) -> float:
    """Return how many steps searching a text of this length may take at most, about; infinite where it explodes."""
    repeats, choices = _weight_of(pattern)
    if not math.isfinite(repeats):
        return math.inf
    orders = int(repeats) + 1
    return float((length + 1.0) ** orders / math.factorial(orders) * 2.0 ** min(choices, 60.0))


@lru_cache(256)
def _weight_of(pattern: str) -> tuple[float, float]:
    parser: Any = importlib.import_module("re._parser")  # of `re` itself: no other knows its patterns
    return _weighed(parser.parse(pattern), within=False)


def explodes(pattern: str) -> bool:
    """Tell whether a valid pattern can take for ever on a short text: it nests repetitions or choices."""
    return not math.isfinite(_weight_of(pattern)[0])


def _weighed(parsed: Iterable[tuple[Any, Any]], *, within: bool) -> tuple[float, float]:
    """Return how many repetitions there are, and how many choices; infinite where one lies within another."""
    repeats = choices = 0.0
    for operation, argument in parsed:
        name = str(operation)
        if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            least, most, body = argument
            if least == most and most <= _UNROLLED:  # as if it were written so many times
                more = _weighed(body, within=within)
                repeats, choices = repeats + more[0] * most, choices + more[1] * most
                continue
            varies = least != most
            if varies and within:
                return math.inf, choices
            repeats += most > _FEW
            choices += math.log2(most - least + 1) if most <= _FEW else 0.0
            more = _weighed(body, within=within or most > 1)
            repeats, choices = repeats + more[0], choices + more[1] * max(1, min(int(most), 64))
        elif name == "BRANCH":
            if within:
                return math.inf, choices
            weights = [_weighed(each, within=within) for each in argument[1]]
            repeats += max(each[0] for each in weights)
            choices += max(each[1] for each in weights) + math.log2(len(weights))
        elif name in {"GROUPREF", "GROUPREF_EXISTS"}:
            return math.inf, choices
        else:
            for each in _bodies(argument):
                more = _weighed(each, within=within)
                repeats, choices = repeats + more[0], choices + more[1]
    return repeats, choices


def _bodies(argument: Any) -> list[Any]:
    """Return the patterns within an operation: those of groups, and of what looks ahead or behind."""
    parts = argument if isinstance(argument, tuple) else (argument,)
    return [each for each in parts if type(each).__name__ == "SubPattern"]
