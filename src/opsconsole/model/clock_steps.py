"""Finds where the clock of a host went backward while a record was written, and what time it was by the chain."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from opsconsole.model.verification import Finding, Weight

TOLERANCE = dt.timedelta(minutes=1)
"""Events of several processes are stored a little out of order; the patience of a store is half of this."""
MOST_PER_RUN = 10
"""More steps than these in one run are not told one by one."""


class _Writer(msgspec.Struct, frozen=True):
    host: str = ""


class _Dated(msgspec.Struct, frozen=True):
    run: str
    at: Annotated[dt.datetime, msgspec.Meta(tz=True)]
    actor: _Writer


_DATED = msgspec.json.Decoder(_Dated)
_SIGNS = b'"statement":'
"""Stands in every event that signs something."""


LONG = dt.timedelta(minutes=15)
"""What is dated so long before an event that precedes it was dated back or stored late, or a clock was ahead."""


@dataclass(frozen=True)
class Behind:
    """An event that is dated long before another one that precedes it."""

    seq: int
    at: dt.datetime
    latest: dt.datetime
    """The latest instant that an event before it is dated."""
    earlier: int
    """The seq of that event."""


@dataclass(frozen=True)
class Clocks:
    """What the dates of all events say of the clocks that they were written by."""

    steps: dict[str, list[Finding]] = field(default_factory=dict)
    """By run: events that are dated before their host's last one, or in the future."""
    reached: dict[int, tuple[dt.datetime, int]] = field(default_factory=dict)
    """By seq of each signature: the latest instant that an event before it is dated, and the seq of that event.

    So late it was when the signature was stored, unless a clock was ahead. Dates in the future are left out.
    """
    behind: dict[str, list[Behind]] = field(default_factory=dict)
    """By run: events that are dated long before one that stands before them."""


def clock_steps(documents: Iterable[tuple[int, bytes]], now: dt.datetime) -> Clocks:
    """Return what the dates of events say at `now`.

    `documents`: the seq and the exact bytes of events, in the order of the chain. A step is told once, where it
    shows; an action that could not be saved at first and was stored later shows in the same way.
    """
    clocks = Clocks()
    found = clocks.steps
    last: dict[str, tuple[dt.datetime, int]] = {}
    latest: tuple[dt.datetime, int] | None = None
    for seq, document in documents:
        try:
            dated = _DATED.decode(document)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue  # whoever reads the run says so
        if latest is not None and _SIGNS in document:
            clocks.reached[seq] = latest
        if latest is not None and latest[0] - dated.at > LONG:
            clocks.behind.setdefault(dated.run, []).append(Behind(seq, dated.at, *latest))
        host = dated.actor.host
        before = last.get(host)
        if before is not None and before[0] - dated.at > TOLERANCE:
            text = f"event {seq} is dated {before[0] - dated.at} before event {before[1]} of the same host {host}"
            _add(
                found,
                dated.run,
                Finding(Weight.FLAG, "clock-step", f"{text}: its clock was set back, or it was stored late", seq),
            )
        if dated.at > now + TOLERANCE:
            text = f"event {seq} is dated {dated.at:%Y-%m-%d %H:%M:%SZ}, which has not come yet"
            _add(found, dated.run, Finding(Weight.FLAG, "clock-ahead", text, seq))
        elif latest is None or dated.at > latest[0]:
            latest = (dated.at, seq)
        last[host] = (dated.at, seq)
    return clocks


def _add(found: dict[str, list[Finding]], run: str, finding: Finding) -> None:
    of_run = found.setdefault(run, [])
    if len(of_run) < MOST_PER_RUN:
        of_run.append(finding)
