"""Named values that patterns find in a text."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence

from opsconsole.checks._jsonreading import value_of
from opsconsole.checks._scales import scale_of
from opsconsole.checks._searching import Match, pattern_problem
from opsconsole.model.values import Number, Value, decimal_of

_LIKE = "/used: ([0-9]+)/"


def group_problem(pattern: str) -> str | None:
    """Return why a text is no pattern with a group, None where it is one."""
    problem = pattern_problem(pattern, _LIKE)
    if problem is None and not re.compile(pattern[1:-1]).groups:
        return f"{pattern} has no group; put parentheses around the number, like '{_LIKE}'"
    return problem


def values_in(
    matches: Mapping[str, Match | None],
    patterns: Mapping[str, str],
    units: Mapping[str, str],
    ages: Sequence[str],
    *,
    now: dt.datetime,
    timezone: str = "",
) -> tuple[dict[str, Value], list[str]]:
    """Return the value of each pattern by name, None where it is not found, and notes on those.

    `matches` are where each pattern, between its slashes, is found first.
    What has a unit must be a number, what is an age a timestamp; of the others numbers are numbers, the rest texts.
    """
    found: dict[str, Value] = {}
    notes: list[str] = []
    for name, pattern in patterns.items():
        match = matches[pattern]
        said = None if match is None else match.group
        found[name] = None
        if said is None:
            notes.append(f"{name}: {pattern} is not found")
            continue
        try:
            if name in ages or name in units:
                scale = scale_of(units[name]) if name in units else None
                found[name] = value_of(said, scale, now if name in ages else None, timezone)
            else:
                plain = decimal_of(said)
                found[name] = said if plain is None else Number(plain)
        except ValueError as error:
            notes.append(f"{name}: {error}")
    return found, notes
