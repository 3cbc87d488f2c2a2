"""What other items of the checklist have read, as the probes that compute with it take it."""

import datetime as dt
from collections.abc import Mapping
from decimal import Context as Arithmetic
from decimal import Decimal

import msgspec

from opsconsole.contracts.probe import Context, Input, ProbeError
from opsconsole.model.judging import measures_of
from opsconsole.model.readings import Reading
from opsconsole.model.values import Moment, Number, Unit, Value, shown

_NAMED = 12
_LONGEST_KEY = 200
ARITHMETIC = Arithmetic(prec=34, traps=[])
"""Without traps: what overflows comes out as no number, which judging never takes for good."""


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """One value of another item's reading."""

    value: Value
    at_least: bool = False
    """Whether more was there than could be counted."""
    started_at: dt.datetime | None = None
    cutoff: dt.datetime | None = None
    """What is younger is not in it; None where it was measured without one."""


def input_of(context: Context, item: str) -> Input:
    """Return what the item called `item` came to; raise ProbeError where the pass has not measured it."""
    found = context.inputs.get(item)
    if found is None:
        raise ProbeError("not-found", f"there is no reading of '{item}' to compute with")
    return found


def one_reading(found: Input, target: str) -> tuple[str, Reading]:
    """Return the reading of an input for the target that is measured, its only one where it has no targets.

    Raises ProbeError where there is none, and where it has several and none of them is meant.
    """
    if target and (target in found.readings or target in found.problems):
        name = target
    elif "" in found.readings or "" in found.problems:
        name = ""
    else:
        names = _few([*found.readings, *found.problems])
        raise ProbeError(
            "bad-options",
            f"'{found.title}' is measured for several targets ({names}), and none of them is meant here",
            "give this item the same `for_each`; `compare` takes all of them by `targets = true`",
        )
    return name, _read(found, name)


def _read(found: Input, target: str) -> Reading:
    problem = found.problems.get(target)
    reading = found.readings.get(target)
    if problem is not None or reading is None:
        why = problem.cause if problem is not None else "it brought nothing back"
        of_target = f" for '{target}'" if target else ""
        raise ProbeError("failed", f"'{found.title}' could not be measured{of_target}: {why}")
    return reading


def taken(found: Input, target: str, value: Value, *, at_least: bool = False) -> Taken:
    """Return a value with what is known of its measurement."""
    return Taken(
        value=value,
        at_least=at_least,
        started_at=found.started_at.get(target),
        cutoff=found.cutoffs.get(target),
    )


def measure(reading: Reading, title: str, name: str) -> tuple[Value, bool]:
    """Return a measure of a reading, and whether it is a lower bound; raise ProbeError where there is none."""
    measures = measures_of(reading)
    if name not in measures:
        raise ProbeError(
            "bad-answer",
            f"'{title}' has no '{name}'; it has {_few([*measures]) or 'no single values'}",
            "name one of them by `value`, or a column by `column`",
        )
    return measures[name], name in reading.lower_bounds


def column(reading: Reading, title: str, name: str) -> list[Value]:
    """Return the cells of a column, of a whole table; raise ProbeError where it is none."""
    if not reading.tabular:
        raise ProbeError("bad-answer", f"'{title}' brought no table, so it has no column '{name}'")
    if reading.truncated:
        raise ProbeError("bad-answer", f"'{title}' was cut off, so not all of it can be computed with")
    if reading.columns.count(name) != 1:
        raise ProbeError("bad-answer", f"'{title}' has no column '{name}'; it has {_few(list(reading.columns))}")
    at = reading.columns.index(name)
    return [row[at] for row in reading.rows]


def cell(reading: Reading, title: str, name: str) -> Value:
    """Return the cell of a column in a table of one row; raise ProbeError for any other."""
    cells = column(reading, title, name)
    if len(cells) != 1:
        raise ProbeError(
            "empty" if not cells else "bad-answer",
            f"'{title}' has {len(cells)} rows, and one is needed",
            "" if not cells else "name the column by which rows belong together: `key`",
        )
    return cells[0]


def keyed(reading: Reading, title: str, key: str, name: str) -> dict[str, Value]:
    """Return the cells of a column by those of the column `key`; raise ProbeError where these are not unique."""
    found: dict[str, Value] = {}
    keys = column(reading, title, key)
    for number, (each, value) in enumerate(zip(keys, column(reading, title, name), strict=True), 1):
        text = key_text(each)
        if not text:
            raise ProbeError("bad-answer", f"row {number} of '{title}' has no '{key}' that it could be found by")
        if text in found:
            raise ProbeError("bad-answer", f"'{title}' has several rows where '{key}' is '{text}'")
        found[text] = value
    return found


def only_other(reading: Reading, title: str, key: str) -> str:
    """Return the one column of a table beside its key."""
    others = [each for each in reading.columns if each != key]
    if len(others) != 1:
        raise ProbeError(
            "bad-options",
            f"which column of '{title}' is compared? It has {_few(others) or 'none beside the key'}",
            "name it by `column`",
        )
    return others[0]


def key_text(value: Value) -> str:
    """Return a cell as a key: texts as they are, numbers alike however written; empty for what is no key."""
    match value:
        case str():
            return value if len(value) <= _LONGEST_KEY else ""
        case Number(value=number) if number.is_finite() and abs(number.adjusted()) < _LONGEST_KEY:
            return f"{number.normalize() + 0:f}"
        case bool():
            return shown(value)
        case Moment(at=at):
            return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
        case _:
            return ""


def total(cells: list[Value], title: str, name: str) -> Number:
    """Return the sum of a column; 0 where it has no rows. Raises ProbeError for what is no number."""
    found = Number(Decimal(0))
    for number, each in enumerate(cells, 1):
        if not isinstance(each, Number):
            what = "nothing" if each is None else "no number"
            raise ProbeError("bad-answer", f"'{title}' has {what} as '{name}' in row {number}, so there is no sum")
        if number > 1 and each.unit is not found.unit:
            raise ProbeError("bad-answer", f"the numbers in '{name}' of '{title}' are of unlike units")
        found = Number(ARITHMETIC.add(found.value, quiet(each.value)), each.unit)
    return found


def quiet(value: Decimal) -> Decimal:
    """Return a decimal that nothing raises at: NaN in the place of a signalling NaN."""
    return Decimal("NaN") if value.is_nan() else value


def apart(times: list[dt.datetime | None]) -> Number | None:
    """Return the seconds between the first and the last of some measurements, None where one is not known."""
    known = [each for each in times if each is not None]
    if len(known) < len(times) or not known:
        return None
    return Number(Decimal((max(known) - min(known)) // dt.timedelta(microseconds=1)) / 1_000_000, Unit.SECONDS)


def common_cutoff(values: Mapping[str, Taken] | list[Taken]) -> dt.datetime | None:
    """Return the one cut-off that all of some values were measured with, None where they were not."""
    each = list(values.values()) if isinstance(values, Mapping) else values
    cutoffs = {one.cutoff for one in each}
    return cutoffs.pop() if len(cutoffs) == 1 else None


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
