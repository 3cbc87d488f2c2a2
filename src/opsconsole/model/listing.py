"""Which targets a reading names for the items that ask it by `for_each`: all of them, or none and why."""

from collections import Counter

from opsconsole.model.checklists import MOST_TARGETS, ForEach
from opsconsole.model.item_state import ItemState
from opsconsole.model.readings import Problem, Reading

LONGEST_TARGET = 200
"""Characters of a target's name."""
_SHOWN = 60


def listed(for_each: ForEach, state: ItemState) -> tuple[str, ...] | Problem:
    """Return the targets that the latest reading of an item names, in its order; why not where it names none.

    Only a whole list will do: targets that are missing from it would be taken for measured.
    """
    latest = list(state.latest.values())
    if len(latest) > 1 or state.targets:
        return _useless(f"'{state.item.title}' is itself measured for several targets, so it is no single list")
    if not latest or latest[0].body.problem is not None or latest[0].body.reading is None:
        return _useless(f"'{state.item.title}' could not be read, so it names no targets")
    return named_targets(for_each, latest[0].body.reading, state.item.title)


def named_targets(for_each: ForEach, reading: Reading, title: str) -> tuple[str, ...] | Problem:
    """Return the targets that a reading of the item called `title` names, or why it does not name them all."""
    if not reading.tabular:
        return _useless(f"'{title}' brought no table, so it names no targets")
    if reading.truncated:
        return _useless(f"'{title}' was cut off, so not every target is known")
    column = for_each.column or reading.label or (reading.columns[0] if len(reading.columns) == 1 else "")
    known = ", ".join(reading.columns)
    if not column:
        return _useless(f"which column of '{title}' names the targets? It has {known}")
    if reading.columns.count(column) != 1:
        return _useless(f"'{title}' has no column '{column}'; it has {known}")
    if not reading.rows:
        return Problem("empty", f"'{title}' has no rows, so there is nothing to measure")
    if len(reading.rows) > MOST_TARGETS:
        return _useless(f"'{title}' names {len(reading.rows):,} targets; {MOST_TARGETS:,} at most are measured")
    at = reading.columns.index(column)
    return _names([row[at] for row in reading.rows], column, title)


def _names(cells: list[object], column: str, title: str) -> tuple[str, ...] | Problem:
    names: list[str] = []
    for number, cell in enumerate(cells, 1):
        objection = _objection(cell)
        if objection or not isinstance(cell, str):
            return _useless(
                f"'{title}' names no target in row {number}: {objection}",
                f"let its column '{column}' hold one name, a text in one line, for each row",
            )
        names.append(cell)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        return _useless(
            f"'{title}' names {_quoted(twice[0])} twice, so which row is meant cannot be told",
            f"let its column '{column}' hold each name once",
        )
    return tuple(names)


def _objection(cell: object) -> str:
    """Return why a cell is no name of a target: it is put into paths, addresses and arguments of programs."""
    if cell is None:
        return "there is nothing"
    if not isinstance(cell, str):
        return "what is there is no text"
    if not cell.strip() or cell != cell.strip():
        return f"{_quoted(cell)} is blank, or begins or ends with a space"
    if len(cell) > LONGEST_TARGET:
        return f"it has more than {LONGEST_TARGET} characters"
    if not cell.isprintable():
        return f"{_quoted(cell)} has control characters"
    if cell.startswith("-"):
        return f"{_quoted(cell)} begins with '-', which programs take for an option"
    return ""


def _quoted(text: str) -> str:
    cut = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return f"'{cut}'"


def _useless(cause: str, hint: str = "") -> Problem:
    return Problem("bad-answer", cause, hint)
