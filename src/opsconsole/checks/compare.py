"""Probe `compare`: holds what two items of the same checklist have read against each other."""

import datetime as dt
from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from opsconsole.checks import _inputs
from opsconsole.checks._differences import Difference, Row, difference, joined, largest, sum_of
from opsconsole.checks._inputs import Taken
from opsconsole.contracts.probe import Context, Environment, Input, ProbeError, ProbeKind, Subjects, Use
from opsconsole.model.checklists import ID
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Moment, Number, Unit, Value, number, shown

MOST_ROWS = 10_000
"""Keys that are compared; more are a mistake in a query."""
_NAMED = 20
COLUMNS = ("key", "left", "right", "difference", "share", "left_minus_right", "same")


class Absent(StrEnum):
    """What a key is that only one side has."""

    UNKNOWN = "unknown"
    """Nothing: how far they differ cannot be said, which is never green."""
    ZERO = "zero"
    """A count of 0: a query with `group by` has no row for what there is none of."""


class Side(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the one or the other side is read."""

    item: str
    """The id of an item of this checklist; it is measured first."""
    value: str = ""
    """A measure of its reading; `value` where nothing is said."""
    column: str = ""
    """A column instead: of a single row, or with `key` of all rows."""
    key: str = ""
    """The column by which the rows of both sides belong together."""
    targets: bool = False
    """Its targets (`for_each`) are the keys; of each the `value` is compared, or the `column` of its only row."""

    @property
    def tabular(self) -> bool:
        """Whether there are several values, by keys."""
        return bool(self.key) or self.targets


class CompareOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `compare`."""

    left: Side
    """One side: `{ item = "questdb-counts", key = "collection", column = "records" }`."""
    right: Side
    """The other one, of which `share` is a percentage."""
    absent: Absent = Absent.UNKNOWN
    """What a key counts as that only one side has: `unknown`, or `zero` where a query leaves out what there is none
    of. It is counted in `missing_left` or `missing_right` either way."""


class CompareProbe:
    """Compares; it reads nothing itself."""

    async def measure(self, options: CompareOptions, context: Context) -> Reading:
        """Return what lies between the two sides; raise ProbeError where they cannot be compared."""
        sides = {
            name: _inputs.input_of(context, side.item)
            for name, side in (("left", options.left), ("right", options.right))
        }
        if options.left.tabular:
            left = _table(sides["left"], options.left, context.target)
            right = _table(sides["right"], options.right, context.target)
            return _of_tables(sides, left, right, options)
        one = _value(sides["left"], options.left, context.target)
        other = _value(sides["right"], options.right, context.target)
        return _of_values(sides, one, other)

    async def aclose(self) -> None:
        """Nothing to end."""


def _value(found: Input, side: Side, target: str) -> Taken:
    name, reading = _inputs.one_reading(found, target)
    if side.column:
        return _inputs.taken(found, name, _inputs.cell(reading, found.title, side.column))
    value, at_least = _inputs.measure(reading, found.title, side.value or "value")
    return _inputs.taken(found, name, value, at_least=at_least)


def _table(found: Input, side: Side, target: str) -> dict[str, Taken]:
    """Return the values of a side by their keys; None as the value of a target that could not be measured."""
    if side.targets:
        names = {name for name in (*found.readings, *found.problems) if name}
        if not names:
            raise ProbeError("bad-options", f"'{found.title}' has no targets that could be the keys")
        return {
            name: _value(found, side, name) if name in found.readings else _inputs.taken(found, name, None)
            for name in sorted(names)
        }
    name, reading = _inputs.one_reading(found, target)
    chosen = side.column or _inputs.only_other(reading, found.title, side.key)
    cells = _inputs.keyed(reading, found.title, side.key, chosen)
    if len(cells) > MOST_ROWS:
        raise ProbeError(
            "too-large", f"'{found.title}' has {len(cells):,} rows; {MOST_ROWS:,} at most are compared"
        )
    return {key: _inputs.taken(found, name, value) for key, value in cells.items()}


# --- what comes of it --------------------------------------------------------------------------------


def _of_values(sides: dict[str, Input], left: Taken, right: Taken) -> Reading:
    found = difference(left, right)
    measures: dict[str, Value] = {
        "left": found.left,
        "right": found.right,
        "difference": found.difference,
        "difference_share": found.share,
        "left_minus_right": found.left_minus_right,
        "same": found.same,
        **_times([left, right]),
    }
    lines = [*_told(sides, [left], [right]), f"left {shown(left.value)}, right {shown(right.value)}{_by(found)}"]
    return Reading(
        measures=measures,
        lower_bounds=tuple("difference_share" if each == "share" else each for each in found.bounds),
        evidence=(Evidence("comparison", "\n".join(lines)),),
    )


def _of_tables(
    sides: dict[str, Input], left: dict[str, Taken], right: dict[str, Taken], options: CompareOptions
) -> Reading:
    rows = list(joined(left, right, absent_is_zero=options.absent is Absent.ZERO))
    if not rows:
        raise ProbeError("empty", "neither side has any rows, so there is nothing to compare")
    same = [row.found.same for row in rows]
    measures: dict[str, Value] = {
        "difference": largest(rows, "difference"),
        "difference_share": largest(rows, "share"),
        "total_left": _total(left),
        "total_right": _total(right),
        "missing_left": number(sum(row.missing == "left" for row in rows)),
        "missing_right": number(sum(row.missing == "right" for row in rows)),
        "different": None if None in same else number(same.count(False)),
        **_times([*left.values(), *right.values()]),
    }
    lines = [*_told(sides, list(left.values()), list(right.values())), *_of_rows(rows)]
    return Reading(
        measures=measures,
        columns=COLUMNS,
        rows=tuple(_cells(row) for row in rows),
        label="key",
        evidence=(Evidence("comparison", "\n".join(lines)),),
    )


def _total(side: dict[str, Taken]) -> Number | None:
    if any(each.at_least for each in side.values()):
        return None
    return sum_of([each.value for each in side.values()])


def _cells(row: Row) -> tuple[Value, ...]:
    """Return a row of the table; what is only a lower bound is left out, for a cell cannot say that it is one."""
    found = row.found

    def told(name: str) -> Value:
        value: Value = getattr(found, name)
        return None if name in found.bounds else value

    return (row.key, *(told(name) for name in COLUMNS[1:-1]), found.same)


def _times(taken: Sequence[Taken]) -> dict[str, Value]:
    cutoff = _inputs.common_cutoff(list(taken))
    return {
        "apart": _inputs.apart([each.started_at for each in taken]),
        "same_cutoff": cutoff is not None,
        "cutoff": Moment(cutoff) if cutoff is not None else None,
    }


# --- in words ----------------------------------------------------------------------------------------


def _told(sides: dict[str, Input], left: list[Taken], right: list[Taken]) -> Iterator[str]:
    for name, values in (("left", left), ("right", right)):
        yield f"{name}: '{sides[name].title}' ({sides[name].item}){_when(values)}"
    apart = _inputs.apart([each.started_at for each in (*left, *right)])
    cutoff = _inputs.common_cutoff([*left, *right])
    common = f"both as of {_instant(cutoff)}" if cutoff is not None else "without a common cut-off"
    yield f"measured {shown(apart)} apart, {common}" if apart is not None else common


def _when(values: list[Taken]) -> str:
    times = [each.started_at for each in values if each.started_at is not None]
    return f", measured at {_instant(min(times))}" if times else ""


def _instant(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M:%SZ}"


def _by(found: Difference) -> str:
    if found.difference is None:
        return ": the same" if found.same else ": not the same" if found.same is False else ""
    least = "at least " if "difference" in found.bounds else ""
    share = f" ({shown(found.share)} of the right one)" if found.share is not None else ""
    return f": {least}{shown(found.difference)} apart{share}"


def _of_rows(rows: Sequence[Row]) -> Iterator[str]:
    yield f"{len(rows)} keys, {sum(row.found.same is True for row in rows)} of them the same"
    for name in ("left", "right"):
        missing = [row.key for row in rows if row.missing == name]
        if missing:
            yield f"missing {name}: {_few(missing)}"
    unread = [row.key for row in rows if not row.missing and row.found.same is None]
    if unread:
        yield f"not to be compared: {_few(unread)}"
    apart = [row for row in rows if row.found.difference is not None and row.found.same is False]
    apart.sort(key=_size, reverse=True)
    for row in apart[:_NAMED]:
        yield f"{row.key}: left {shown(row.found.left)}, right {shown(row.found.right)}{_by(row.found)}"
    if len(apart) > _NAMED:
        yield f"and {len(apart) - _NAMED} more"


def _size(row: Row) -> tuple[bool, object]:
    found = row.found.share or row.found.difference
    return (False, 0) if found is None or not found.value.is_finite() else (True, found.value)


def _few(keys: list[str]) -> str:
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return ", ".join(keys[:_NAMED]) + more


# --- what can be wrong with the options --------------------------------------------------------------


def _problems(options: CompareOptions) -> list[tuple[str, str]]:
    found = []
    for name, side in (("left", options.left), ("right", options.right)):
        if not ID.fullmatch(side.item):
            found.append((f"{name}.item", f"'{side.item}' is no id of an item"))
        if side.value and side.column:
            found.append((f"{name}.value", "a measure or a column: leave out `value` or `column`"))
        elif side.value and side.key:
            found.append((f"{name}.value", "rows have columns: write `column` instead of `value`"))
        if side.key and side.targets:
            found.append((f"{name}.key", "the targets are the keys already; leave out `key` or `targets`"))
    if options.left.tabular is not options.right.tabular:
        lacking = "right" if options.left.tabular else "left"
        found.append((lacking, "the other side has keys, so this one needs `key` or `targets = true` too"))
    if options.absent is Absent.ZERO and not (options.left.tabular or options.right.tabular):
        found.append(("absent", "means something where rows belong together by a `key` only"))
    return found


def _subjects(options: CompareOptions) -> Subjects:
    found: dict[str, Unit | None] = {
        "difference": None,
        "difference_share": Unit.PERCENT,
        "left_minus_right": None,
        "left": None,
        "right": None,
        "same": None,
        "apart": Unit.SECONDS,
        "same_cutoff": None,
        "cutoff": None,
    }
    if options.left.tabular:
        found |= {"key": None, "share": Unit.PERCENT, "count": Unit.COUNT, "total_left": None, "total_right": None}
        found |= dict.fromkeys(("missing_left", "missing_right", "different"), Unit.COUNT)
    return found


def _inputs_of(options: CompareOptions) -> dict[str, str]:
    return {"left.item": options.left.item, "right.item": options.right.item}


def _uses(options: CompareOptions) -> Iterator[Use]:
    for way, side in (("left", options.left), ("right", options.right)):
        if side.key:
            yield Use(key=f"{way}.key", item=side.item, name=side.key, targets=side.targets)
        if side.column or not side.key:
            key = "column" if side.column else "value"
            name = side.column or side.value or "value"
            yield Use(key=f"{way}.{key}", item=side.item, name=name, targets=side.targets)


def _open(_environment: Environment) -> CompareProbe:
    return CompareProbe()


KIND = ProbeKind(
    name="compare",
    summary="Holds what two items of a checklist have read against each other, single values or rows by a key.",
    options=CompareOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
    inputs=_inputs_of,
    uses=lambda options: tuple(_uses(options)),
)
