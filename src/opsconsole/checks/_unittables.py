"""Lists of units, as systemctl prints them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from opsconsole.checks import _systemd
from opsconsole.checks._systemd import Programs

COLUMNS = ("unit", "load", "active", "sub", "description")
WILDCARDS = frozenset("*?[")

MOST_UNITS = 500
"""So many units are looked at; a list is cut off after these."""


def parsed_units(listed: str) -> tuple[tuple[str, ...], ...]:
    """Return the rows of `systemctl list-units --plain --no-legend --output=json`.

    Before version 246 systemctl knows no JSON for this and prints the plain table: four words and the description.
    """
    if listed.startswith("["):
        try:
            found = json.loads(listed)
            return tuple(tuple(_cell(each, column) for column in COLUMNS) for each in found)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise _systemd.bad_answer(f"systemctl's list of units cannot be read: {error}") from error
    rows = [line.split(None, len(COLUMNS) - 1) for line in listed.splitlines() if line.strip()]
    if any(len(row) < len(COLUMNS) - 1 for row in rows):
        raise _systemd.bad_answer("systemctl's list of units cannot be read")
    return tuple((*row, *[""] * (len(COLUMNS) - len(row))) for row in rows)


def _cell(unit: Mapping[str, Any], column: str) -> str:
    return str(unit[column])


async def names_of(programs: Programs, wanted: Sequence[str]) -> list[str]:
    """Return the units that names and patterns such as `app-*` mean, each once; raise ProbeError.

    A pattern means the units that systemd has loaded: all that run, have failed or are referred to. One that means
    none is a mistake, for nothing of it would be seen.
    """
    found: dict[str, None] = {}
    for each in wanted:
        name = _systemd.full_name(each)
        if not WILDCARDS & set(each):
            found[name] = None
            continue
        listed = await programs.systemctl(
            "list-units", "--all", "--full", "--plain", "--no-legend", "--output=json", "--", name
        )
        loaded = [row[0] for row in parsed_units(listed) if row[1] != "not-found"]
        if not loaded:
            raise _systemd.absent(name, programs.manager)
        found |= dict.fromkeys(sorted(loaded))
    return list(found)
