"""Figures that look drawn, and are the same for the same seed whenever they are asked for."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

_T = TypeVar("_T")


def between(seed: str, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`."""
    drawn = int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest())
    return low + drawn % (high - low + 1)


def pick(seed: str, choices: Sequence[_T]) -> _T:
    """Return one of the choices."""
    return choices[between(seed, 0, len(choices) - 1)]
