"""What items give to each other within a pass: readings to compute with, targets, and one cut-off."""

import datetime as dt
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from opsconsole.contracts.probe import Input, ProbeKind
from opsconsole.model.checklists import Checklist, Item, substituted
from opsconsole.model.encoding import dec_hook
from opsconsole.model.events import Measured

_STAND_IN = "target"
"""Takes the place of targets that are not known yet, where only the other options are asked for."""
_OF_CUTOFF = (":cutoff", "{cutoff")
"""How options ask for the cut-off of the pass."""


def cutoff_of(now: dt.datetime, definition: Checklist) -> dt.datetime:
    """Return the cut-off of a pass that begins `now`: to the second, for not every store counts finer."""
    return now.replace(microsecond=0) - dt.timedelta(seconds=float(definition.cutoff.seconds))


def was_read(measured: Measured) -> bool:
    """Return whether an attempt brought something to compute with."""
    return measured.problem is None and measured.reading is not None


def uses_cutoff(options: Any) -> bool:
    """Return whether the options of an item ask for the cut-off of the pass anywhere."""
    match options:
        case str():
            return any(each in options for each in _OF_CUTOFF)
        case dict():
            return any(map(uses_cutoff, options.values()))
        case list() | tuple():
            return any(map(uses_cutoff, options))
        case _:
            return False


def inputs_of(item: Item, kind: ProbeKind | None) -> tuple[str, ...]:
    """Return the items that one takes its targets from or computes with; raises whatever its probe raises.

    An option that holds `{target}` is read as if a target stood there: which items are meant never depends on it.
    """
    named = [item.listed_by] if item.listed_by else []
    if kind is not None:
        raw = substituted(item.options, item.targets[0] if item.targets else _STAND_IN)
        named += kind.inputs(msgspec.convert(raw, kind.options, strict=False, dec_hook=dec_hook)).values()
    return tuple(dict.fromkeys(named))


def measured_together(only: Collection[str], inputs: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """Return `only` and all items that compute with each other, directly or not, with one of them among those.

    A comparison is of two readings of one pass, and a list of targets goes with what was measured by it: none of
    them is ever measured without the others.
    """
    joined: dict[str, set[str]] = {}
    for name, others in inputs.items():
        for other in others:
            joined.setdefault(name, set()).add(other)
            joined.setdefault(other, set()).add(name)
    found = set(only)
    waiting = deque(only)
    while waiting:
        fresh = joined.get(waiting.popleft(), set()) - found
        found |= fresh
        waiting.extend(fresh)
    return frozenset(found)


def input_of(item: Item, measured: Mapping[str, Measured], cutoff: dt.datetime) -> Input:
    """Return what an item came to, for the probes that compute with it.

    `measured` are the attempts by target that this very pass has recorded: another host may measure the same run at
    the same time, with a cut-off of its own.
    """
    return Input(
        item=item.id,
        title=item.title,
        readings={target: each.reading for target, each in measured.items() if each.reading and not each.problem},
        problems={target: each.problem for target, each in measured.items() if each.problem},
        started_at={target: each.started_at for target, each in measured.items()},
        cutoffs=dict.fromkeys(measured, cutoff) if uses_cutoff(item.options) else {},
    )
