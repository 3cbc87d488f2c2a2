"""Dates, times, counts and people in the words of the screens."""

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

from rich.cells import cell_len, set_cell_size

from opsconsole.model.calendar import Times
from opsconsole.model.events import Actor

_FILLED = 50
"""Characters from which on a line of a help text was ended because it was full, and not on purpose."""
_BEGINS_A_LINE = " \t-*+>{[|`#0123456789"

_NARROW_WEEK = 6
"""Days within which the name of a weekday is enough to name a date."""


def zone_of(times: Times) -> ZoneInfo:
    """Return the zone that a run lives in."""
    return ZoneInfo(times.timezone)


def moment(at: dt.datetime, where: ZoneInfo) -> str:
    """Return `2026-11-21 08:12:03 CST`."""
    return f"{at.astimezone(where):%Y-%m-%d %H:%M:%S %Z}"


def moment_near(at: dt.datetime, day: dt.date, where: ZoneInfo) -> str:
    """Return the time of day, with its date where that is not `day`."""
    local = at.astimezone(where)
    return f"{local:%H:%M:%S}" if local.date() == day else f"{local:%Y-%m-%d %H:%M:%S}"


def minute_near(at: dt.datetime, day: dt.date, where: ZoneInfo) -> str:
    """Return the hour and minute, with their date where that is not `day`."""
    local = at.astimezone(where)
    return f"{local:%H:%M}" if local.date() == day else f"{local:%Y-%m-%d %H:%M}"


def day(date: dt.date) -> str:
    """Return `Sat 2026-11-21`."""
    return f"{date:%a %Y-%m-%d}"


def due(at: dt.datetime, now: dt.datetime, where: ZoneInfo) -> str:
    """Return `08:00 CST` for today, `Mon 08:00 CST` for this week, `12-01 08:00 CST` beyond."""
    local, today = at.astimezone(where), now.astimezone(where).date()
    days = (local.date() - today).days
    if days == 0:
        return f"{local:%H:%M %Z}"
    return f"{local:%a %H:%M %Z}" if 0 < days <= _NARROW_WEEK else f"{local:%m-%d %H:%M %Z}"


def person(actor: Actor) -> str:
    """Return who it was and on which host."""
    return f"{actor.shown} on {actor.host}" if actor.host else actor.shown


def number_of(count: int, thing: str) -> str:
    """Return `1 thing`, `2 things`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def reflowed(text: str) -> str:
    """Return a help text without the line ends that only kept its file narrow, so that it fits any pane.

    A short line, one that ends with a colon, and one ahead of a list, an indented or an empty line keep theirs.
    """
    lines = text.split("\n")
    parts = [lines[0]]
    for before, line in pairwise(lines):
        kept = len(before) < _FILLED or before.rstrip().endswith(":") or not line or line[0] in _BEGINS_A_LINE
        parts.append(f"\n{line}" if kept else f" {line}")
    return "".join(parts)


def padded(text: str, cells: int) -> str:
    """Return `text` filled with spaces to `cells` cells; a longer one stays as it is."""
    return set_cell_size(text, cells) if cell_len(text) < cells else text


def first_line(text: str) -> str:
    """Return the first line of `text` that says anything, with a sign that there is more."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return ""
    return f"{lines[0]} …" if len(lines) > 1 else lines[0]
