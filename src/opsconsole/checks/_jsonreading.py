"""Measures and a table from one JSON answer, for every probe whose options name paths in it."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from opsconsole.checks._jsonpath import MISSING, JsonError, Path, Place, path_of, path_problem
from opsconsole.checks._scales import scale_of, unit_problem
from opsconsole.checks._timestamps import TimestampError, age_of, zone_problem
from opsconsole.model.readings import Evidence
from opsconsole.model.values import Number, Unit, Value, decimal_of

KEY = "key"
"""The column that says which member of the document a row is: its name, or its index."""
VALUE = "value"

MAX_ROWS = 1000
MAX_CELL = 10_000
"""Characters of a text in a table that are kept."""
MAX_TABLE = 1 << 20
"""Characters of all of them together."""
_MOST_DIGITS = 60
_LARGEST_EXPONENT = 300
_MOST_NOTES = 20
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*\Z")
_NO_NAMES = frozenset({"every", "any", "no", KEY, "count", "in", "not", "contains", "matches", "between", "within"})


class Questions(msgspec.Struct, frozen=True, kw_only=True):
    """What an item asks of a JSON document; each field is an option of the same name."""

    json: Mapping[str, str] | str = {}
    """Paths by the name of the measure or column, or the path of the only one, `value`."""
    counts: Mapping[str, str] = {}
    """Paths by the name of the measure that says how many places they lead to."""
    rows: str = ""
    """The path of the rows of a table."""
    columns: Mapping[str, str] = {}
    """Paths by the name of the column, from each row."""
    units: Mapping[str, str] = {}
    ages: Sequence[str] = ()
    timezone: str = ""
    label: str = ""

    @property
    def paths(self) -> Mapping[str, str]:
        """The paths of `json` by name."""
        return {VALUE: self.json} if isinstance(self.json, str) else self.json

    @property
    def any(self) -> bool:
        """Whether anything is asked of the document."""
        return bool(self.json or self.counts or self.rows)


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a document holds of what was asked."""

    measures: dict[str, Value] = {}
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()
    label: str = ""
    truncated: bool = False
    notes: tuple[str, ...] = ()
    """Why something is missing, one line each."""

    def evidence(self) -> tuple[Evidence, ...]:
        """Return the notes as evidence, none where there are none."""
        return (Evidence("what could not be read", "\n".join(self.notes)),) if self.notes else ()


# --- what is asked -----------------------------------------------------------------------------------


def questions_of(options: Any) -> Questions:
    """Return the options of a probe that are about JSON."""
    return Questions(**{name: getattr(options, name) for name in Questions.__struct_fields__})


def question_problems(asked: Questions, taken: Sequence[str] = ()) -> list[tuple[str, str]]:
    """Return what is wrong with what is asked, as pairs of key and message; `taken` are names of other measures."""
    found = [*_path_problems(asked)]
    if found:
        return found
    names = [*asked.paths, *asked.counts, *asked.columns]
    for name in names:
        if not _NAME.match(name) or name in _NO_NAMES:
            found.append(("json", f"'{name}' is no name for a measure or column"))
        elif name in taken:
            found.append(("json", f"'{name}' is measured anyway; call it otherwise"))
        elif names.count(name) > 1:
            found.append(("json", f"'{name}' is given twice"))
    found += _table_problems(asked)
    return list(dict.fromkeys(found))


def value_problems(asked: Questions, names: Sequence[str]) -> list[tuple[str, str]]:
    """Return what is wrong with `units`, `ages`, `timezone` and `label`, where `names` are what can be named."""
    found = []
    there = f"there are {', '.join(names) or 'none'}"
    for name, unit in asked.units.items():
        if name not in names:
            found.append(("units", f"there is no '{name}'; {there}"))
        elif problem := unit_problem(unit):
            found.append(("units", f"{name}: {problem}"))
        elif name in asked.ages:
            found.append(("units", f"'{name}' is an age, which is a duration"))
    found += [("ages", f"there is no '{name}'; {there}") for name in asked.ages if name not in names]
    if problem := zone_problem(asked.timezone):
        found.append(("timezone", problem))
    columns = column_names(asked)
    if asked.label and asked.label not in columns:
        found.append(("label", f"there is no column '{asked.label}'; there are {', '.join(columns) or 'none'}"))
    return found


def _path_problems(asked: Questions) -> list[tuple[str, str]]:
    found = [
        (key, problem)
        for key, paths in (("json", asked.paths), ("counts", asked.counts), ("columns", asked.columns))
        for text in paths.values()
        if (problem := path_problem(text)) and (text or key != "json" or not isinstance(asked.json, str))
    ]
    if asked.rows and (problem := path_problem(asked.rows)):
        found.append(("rows", problem))
    return found


def _table_problems(asked: Questions) -> list[tuple[str, str]]:
    many = {name: path for name, text in _asked(asked).items() if not (path := path_of(text)).singular}
    if asked.columns and not asked.rows:
        return [("columns", "columns are of rows; name the path of those as `rows`")]
    if asked.rows and path_of(asked.rows).singular:
        return [("rows", f"{asked.rows} leads to one place; the elements of a list there are {asked.rows}[*]")]
    if asked.rows and many:
        return [("json", f"'{next(iter(many))}' leads to many places, and so does `rows`: an item has one table")]
    for name, text in asked.columns.items():
        if not path_of(text).singular:
            return [("columns", f"'{name}' leads to many places in each row; a cell has room for one")]
    if len({path.rows for path in many.values()}) > 1:
        names = " and ".join(f"'{name}'" for name in list(many)[:2])
        return [("json", f"{names} lead to rows of different tables; put one into an item of its own, or `counts`")]
    return []


def _asked(asked: Questions) -> Mapping[str, str]:
    """Return the paths of `json`, none where it is the empty text."""
    return asked.paths if asked.json else {}


def column_names(asked: Questions) -> tuple[str, ...]:
    """Return the columns of the table that is asked for, none where none is."""
    if asked.rows:
        return (*(asked.columns or (VALUE,)), KEY)
    many = tuple(name for name, text in _asked(asked).items() if not path_of(text).singular)
    return (*many, KEY) if many else ()


def names_of(asked: Questions) -> tuple[str, ...]:
    """Return every measure and column whose value comes from the document."""
    found = (*_asked(asked), *asked.counts, *column_names(asked))
    return tuple(dict.fromkeys(name for name in found if name != KEY))


def question_subjects(asked: Questions) -> dict[str, Unit | None]:
    """Return what conditions may speak of, with the unit of each; None for any."""
    found: dict[str, Unit | None] = {name: unit_of(name, asked) for name in names_of(asked)}
    found |= dict.fromkeys(asked.counts, Unit.COUNT)
    if column_names(asked):
        found |= {KEY: None, "count": Unit.COUNT}
    return found


def unit_of(name: str, asked: Questions) -> Unit | None:
    """Return the unit of a measure or column, None where it may have any."""
    if name in asked.ages:
        return Unit.SECONDS
    return scale_of(asked.units[name]).unit if name in asked.units else None


# --- what is found -----------------------------------------------------------------------------------


def unread(asked: Questions) -> dict[str, Value]:
    """Return the measures with nothing in them, for an answer that is no such document."""
    columns = column_names(asked)
    return {name: None for name in names_of(asked) if name not in columns}


def found_in(document: Any, asked: Questions, now: dt.datetime) -> Found:
    """Return what a document holds; raise JsonError where it has no such table.

    A place that is not there, a list or object where one value is meant, and what is no number or no timestamp
    though the item says so are values with nothing in them, and a note.
    """
    reader = _Reader(asked, now)
    measures: dict[str, Value] = {}
    many: dict[str, Path] = {}
    for name, text in _asked(asked).items():
        path = path_of(text)
        if path.singular:
            measures[name] = reader.value(name, path.one(document), text)
        else:
            many[name] = path
    for name, text in asked.counts.items():
        places = path_of(text).places(document)
        measures[name] = Number(Decimal(len(places)))
        if any(each.node is MISSING for each in places):
            measures[name] = None
            reader.miss(name, text)
    if asked.rows:
        columns = {name: path_of(text) for name, text in asked.columns.items()} or {VALUE: path_of("$")}
        heads = path_of(asked.rows).places(document)
        return _table(reader, measures, columns, heads, asked.rows, from_row=True)
    if many:
        first = next(iter(many.values()))
        return _table(reader, measures, many, first.heads(document), first.text, from_row=False)
    return Found(measures=measures, notes=reader.told())


def _table(
    reader: "_Reader",
    measures: dict[str, Value],
    columns: Mapping[str, Path],
    heads: list[Place],
    text: str,
    *,
    from_row: bool,
) -> Found:
    if len(heads) == 1 and heads[0].node is MISSING:
        raise JsonError(f"{text} leads nowhere in it: there is nothing such behind {heads[0].path}")
    rows: list[tuple[Value, ...]] = []
    room, cut = MAX_TABLE, len(heads) > MAX_ROWS
    for head in heads[:MAX_ROWS]:
        key = _key(head, path_of(text).shared)
        cells: list[Value] = []
        for name, path in columns.items():
            node = head.node
            if node is not MISSING:
                node = path.one(node) if from_row else path.tail(node)
            cell = reader.value(name, node, path.text, f"{key}: ")
            if isinstance(cell, str):
                cut = cut or len(cell) > min(MAX_CELL, room)
                cell = cell[: min(MAX_CELL, room)]
                room -= len(cell)
            cells.append(cell)
        rows.append((*cells, key))
    if any(head.node is MISSING for head in heads):
        measures = {**measures, "count": None}
    named = all(isinstance(head.parts[-1], str) for head in heads if head.parts) and bool(heads)
    return Found(
        measures=measures,
        columns=(*columns, KEY),
        rows=tuple(rows),
        label=reader.asked.label or (KEY if named else ""),
        truncated=cut,
        notes=(*reader.told(), *((f"Only {len(rows):,} rows were read, or a cell was too long.",) if cut else ())),
    )


def _key(head: Place, shared: int) -> str:
    """Return what a row is called: its place, without the steps that all rows of the path share."""
    return "".join(_step(step, first=not at) for at, step in enumerate(head.parts[shared:])) or "$"


def _step(step: str | int, *, first: bool) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return step[:100] if first else f".{step[:100]}"


class _Reader:
    """Makes values of nodes, and remembers what could not be one."""

    def __init__(self, asked: Questions, now: dt.datetime) -> None:
        self.asked = asked
        self._now = now
        self._notes: dict[str, None] = {}
        self._scales = {name: scale_of(unit) for name, unit in asked.units.items()}

    def told(self) -> tuple[str, ...]:
        """Return the notes, bounded."""
        notes = list(self._notes)
        more = len(notes) - _MOST_NOTES
        return (*notes[:_MOST_NOTES], f"... and {more:,} more") if more > 0 else tuple(notes)

    def miss(self, name: str, text: str, who: str = "") -> None:
        """Note that a path leads nowhere."""
        self._notes[f"{who}{name}: {text} leads nowhere in the answer"] = None

    def value(self, name: str, node: Any, text: str, who: str = "") -> Value:
        """Return a node as a value; None with a note where it is not what the item takes it for."""
        if node is MISSING:
            self.miss(name, text, who)
            return None
        try:
            now = self._now if name in self.asked.ages else None
            return value_of(node, self._scales.get(name), now, self.asked.timezone)
        except ValueError as error:
            self._notes[f"{who}{name}: {error}"] = None
            return None


def value_of(node: Any, scale: Number | None = None, now: dt.datetime | None = None, zone: str = "") -> Value:
    """Return a node as a value: a number times its `scale`, a timestamp as its age `now`; raise ValueError."""
    if isinstance(node, list | dict):
        kind, hint = ("a list", "[*]") if isinstance(node, list) else ("an object", ".NAME")
        told = f"there is {kind}, no single value; its parts are behind {hint}, and `counts` counts them"
        raise ValueError(told)  # noqa: TRY004 - it is the answer that is wrong, not the call
    if node is None:
        return None
    if now is not None:
        if isinstance(node, bool):
            raise TimestampError("there is true or false, no timestamp")
        return age_of(node, now, zone)
    if isinstance(node, bool):
        if scale is not None:
            raise ValueError("there is true or false, no number")
        return node
    if isinstance(node, str):
        return node if scale is None else _scaled(_number_in(node), scale)
    return _scaled(Decimal(node), scale)


def _number_in(text: str) -> Decimal:
    found = decimal_of(text)
    if found is not None:
        return found
    if text.strip().lower() in {"nan", "inf", "+inf", "-inf", "infinity", "-infinity"}:
        return Decimal(text.strip())
    raise ValueError(f"there is the text '{' '.join(text.split())[:60]}', no number")


def _scaled(number: Decimal, scale: Number | None) -> Number:
    unit = scale.unit if scale is not None else Unit.COUNT
    if not number.is_finite():
        return Number(number, unit)
    if abs(number.adjusted()) > _LARGEST_EXPONENT or len(number.as_tuple().digits) > _MOST_DIGITS:
        raise ValueError("there is a number that is too large, too small or too long")
    if scale is None or scale.value == 1 or not number:
        return Number(number or Decimal(0), unit)
    return Number(number * scale.value, unit)
