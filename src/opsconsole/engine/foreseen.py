"""What a pass over a run still has to measure, and how long it may take."""

from decimal import Decimal

from opsconsole.model.runs import RunState

_FORESEEN = 100
"""Targets that are reckoned with for an item whose targets are found out on the way."""
_UNWIND = 2
"""Seconds that a measurement may take to end after its time (measuring._UNWIND)."""


def longest_pass(state: RunState) -> float:
    """Return the seconds after which a pass over a run must have ended, were each item measured after the other."""
    seconds_of = Decimal(60)
    for each in state.items.values():
        item = each.item
        if not item.measured:
            continue
        attempts = 1 + (item.retry.times if item.retry else 0)
        delay = item.retry.delay.seconds if item.retry else Decimal(0)
        targets = max(len(each.targets), _FORESEEN if item.listed_by else 1)
        seconds_of += attempts * (item.timeout.seconds + _UNWIND + delay) * targets
    return float(seconds_of)


def unmeasured(state: RunState) -> tuple[str, ...]:
    """Return the ids of items that are measured, and have not been for all targets by their present definition."""
    return tuple(
        name
        for name, each in state.items.items()
        if each.item.measured and (not each.attempts or any(target not in each.latest for target in each.targets))
    )
