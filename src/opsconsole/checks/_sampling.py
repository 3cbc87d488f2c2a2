"""What changes while one looks: two samples, a window apart.

The window is an option of the probes that sample, and lies within the item's `timeout`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from opsconsole.contracts.probe import Context, ProbeError
from opsconsole.model.values import Duration, Number, Unit

SHORTEST = Decimal("0.1")
"""Seconds. The kernel counts time in hundredths: over a shorter window there would be steps and no shares."""
LONGEST = Decimal(600)
DEFAULT = Duration.parse("1 s")
_HUNDREDTH = Decimal("0.01")

S = TypeVar("S")


class Samples(msgspec.Struct, Generic[S], frozen=True):
    """The same thing, seen twice."""

    first: S
    last: S
    elapsed: Decimal
    """Seconds from one to the other."""


def window_problem(window: Duration) -> str:
    """Return what is wrong with a window, empty where nothing is."""
    if SHORTEST <= window.seconds <= LONGEST:
        return ""
    return f"a window of {window} cannot be sampled; write '100 ms' to '10 min', within the item's `timeout`"


def refuse_too_long(window: Duration, context: Context) -> None:
    """Raise ProbeError where the window does not fit into the item's timeout."""
    if window.seconds < Decimal(str(context.allowance)):
        return
    raise ProbeError(
        "bad-options",
        f"a window of {window} does not fit into the item's timeout of {context.timeout:.3g} s",
        "raise `timeout` beyond it, or look for a shorter time",
    )


async def sampled(take: Callable[[], Awaitable[S]], window: Duration) -> Samples[S]:
    """Take a sample, wait for the window to pass, and take another."""
    first = await take()
    began = time.monotonic()
    await asyncio.sleep(float(window.seconds))
    last = await take()
    return Samples(first, last, Decimal(str(time.monotonic() - began)))


def per_second(before: int, after: int, elapsed: Decimal, unit: Unit = Unit.COUNT) -> Number | None:
    """Return how fast a counter rises; None where it was set back, so that nothing can be said."""
    if after < before or not elapsed:
        return None
    return Number((Decimal(after - before) / elapsed).quantize(_HUNDREDTH), unit)


def share(part: Decimal | int, whole: Decimal | int) -> Number:
    """Return a part of something that is not zero, in percent."""
    return Number((Decimal(100) * part / whole).quantize(_HUNDREDTH), Unit.PERCENT)
