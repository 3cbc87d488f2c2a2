"""Checks conditions against what a probe will bring back: unknown names, unlike units, forgotten quotes."""

from collections.abc import Iterator
from decimal import Decimal

from opsconsole.config.words import guess, nearest
from opsconsole.contracts.probe import Subjects
from opsconsole.model.checklists import Entry, EntryKind
from opsconsole.model.conditions import Condition, Limit, Name, Pattern, Range, Tolerance
from opsconsole.model.judging import ENTRY
from opsconsole.model.values import Quantity, Unit

OF_ANY_TABLE = ("count", "value", "latency")
"""Measures of a reading whose columns only its source knows: the rows, the only cell, the time it took."""

_KINDS = {
    Unit.COUNT: "a plain number",
    Unit.PERCENT: "a percentage",
    Unit.BYTES: "a size in bytes",
    Unit.SECONDS: "a duration",
}


def kind_words(unit: Unit) -> str:
    """Return what a number of this unit is: `a duration`."""
    return _KINDS[unit]


class Judged:
    """What the conditions of one item may speak of."""

    def __init__(self, subjects: Subjects | None, entry: Entry | None, probe: str) -> None:
        self._open = subjects is None
        self._probe = probe
        self._entry = entry
        self._units: dict[str, Unit | None] = dict(subjects or {})
        if entry is not None:
            self._units[ENTRY] = entry.unit if entry.kind is EntryKind.NUMBER else None

    def objection(self, condition: Condition) -> str | None:
        """Return what is wrong with one condition; the first thing only, since others may follow from it."""
        return (
            self._of_entry(condition)
            or self._of_subject(condition)
            or next(filter(None, (self._of_name(name, condition) for name in condition.names())), None)
            or self._of_units(condition)
        )

    def _of_entry(self, condition: Condition) -> str | None:
        if not uses_entry(condition):
            return None
        if self._entry is None:
            return "'entry' is what an operator types in; this item asks for none"
        if condition.subject == ENTRY and condition.quantifier is not None:
            return f"'entry' is a single value; leave '{condition.quantifier}' out"
        if self._entry.kind is EntryKind.TEXT and condition.subject == ENTRY:
            if _is_numeric(condition.limit):
                return "'entry' is a text here, which is not compared with numbers"
            if condition.past():
                return f"'entry' is a text here, which has no '{condition.past()}': only numbers are compared so"
        return None

    def _of_subject(self, condition: Condition) -> str | None:
        subject = condition.subject
        if self._open or subject in self._units:
            return None
        if not self._probe:
            return _unmeasured(subject)
        return f"the probe '{self._probe}' does not measure '{subject}'{guess(subject, self._units, 'it measures')}"

    def _of_name(self, name: str, condition: Condition) -> str | None:
        if name in self._units or (self._open and name in OF_ANY_TABLE):
            return None
        known = {*self._units, *(OF_ANY_TABLE if self._open else ())}
        meant = nearest(name, known)
        if meant is not None:
            return f"'{name}' is no measure; did you mean '{meant}'?"
        if isinstance(condition.limit, Name):
            written = f"{condition.subject} {condition.operator} '{name}'"
            return f"'{name}' is no measure; did you mean the text '{name}' in quotes: {written}"
        return f"'{name}' is no measure{guess(name, known, 'measures are')}" if self._probe else _unmeasured(name)

    def _of_units(self, condition: Condition) -> str | None:
        unit = self._units.get(condition.subject)
        if unit is None:
            return None
        limit, subject = condition.limit, condition.subject
        for quantity in _quantities(limit):
            if quantity.number.unit is not unit:
                return f"'{subject}' is {_KINDS[unit]}; {self._instead(subject, quantity, unit)}"
        if isinstance(limit, Tolerance) and limit.width.number.unit not in {Unit.PERCENT, unit}:
            return f"'{subject}' is {_KINDS[unit]}; a tolerance of {limit.width} cannot be taken from it"
        plus = _plus(condition)
        if plus is not None and plus.number.unit is not unit:
            return f"'{subject}' is {_KINDS[unit]}; {self._instead_of_sum(condition, plus)}"
        for name in condition.names():
            other = self._units.get(name)
            if other is not None and other is not unit:
                return f"'{subject}' is {_KINDS[unit]}, '{name}' is {_KINDS[other]}: they cannot be compared"
        if not isinstance(limit, Name) and not _is_numeric(limit):
            kind = "true or false" if isinstance(limit, bool) else "a text"
            return f"'{subject}' is {_KINDS[unit]}, never {kind}"
        return None

    def _instead(self, subject: str, quantity: Quantity, unit: Unit) -> str:
        """Return what to write so that the units are alike."""
        given = quantity.number.unit
        if subject == ENTRY and given is not Unit.COUNT:
            return f"give the entry the unit that {quantity} has: unit = '{given}'"
        plain = f"{quantity.number.value.normalize():f}"
        match given, unit:
            case Unit.COUNT, Unit.PERCENT:
                return f"write {plain}% instead of {plain}"
            case Unit.COUNT, Unit.SECONDS:
                return f"write {plain} s, {plain} min or {plain} h instead of {plain}"
            case Unit.COUNT, _:
                return f"write {plain} MB, {plain} GiB or the like instead of {plain}"
            case Unit.PERCENT, Unit.COUNT:
                return f"write {plain} instead of {quantity}"
            case _:
                return f"{quantity} is {_KINDS[given]}"

    def _instead_of_sum(self, condition: Condition, plus: Quantity) -> str:
        """Return what to write instead of adding something unlike to a measure or to the past."""
        name = condition.past() or condition.names()[0]
        if plus.number.unit is Unit.PERCENT:
            factor = max(_factor(condition) + plus.number.value / 100, Decimal("0.01"))
            return f"a share of it is written {name} * {factor.normalize():f}"
        return f"{plus}, {_KINDS[plus.number.unit]}, cannot be added to '{name}'"


def _plus(condition: Condition) -> Quantity | None:
    """Return what is added to the name that is the limit of a condition."""
    limit = condition.limit.of if isinstance(condition.limit, Tolerance) else condition.limit
    return limit.plus if isinstance(limit, Name) else None


def _factor(condition: Condition) -> Decimal:
    """Return what the name that is the limit of a condition is multiplied by."""
    limit = condition.limit.of if isinstance(condition.limit, Tolerance) else condition.limit
    return limit.factor if isinstance(limit, Name) else Decimal(1)


def uses_entry(condition: Condition) -> bool:
    """Return whether a condition speaks of what the operator typed."""
    return ENTRY in {condition.subject, *condition.names()}


def _unmeasured(name: str) -> str:
    return f"only 'entry' can be judged here: nothing is measured, so there is no '{name}'"


def _quantities(limit: Limit) -> Iterator[Quantity]:
    match limit:
        case Quantity():
            yield limit
        case Range(low=low):
            yield low
        case Tolerance(of=Quantity() as of):
            yield of
        case tuple() as members:
            yield from (each for each in members if isinstance(each, Quantity))
        case _:
            pass


def _is_numeric(limit: Limit) -> bool:
    if isinstance(limit, tuple):
        return any(isinstance(each, Quantity) for each in limit)
    return not isinstance(limit, str | bool | Pattern | Name)
