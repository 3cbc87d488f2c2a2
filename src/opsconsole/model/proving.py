"""Proves that a checklist can go red: breaks each condition on a real reading, and tells those that nothing breaks.

A condition that cannot be broken judges nothing, however green it is: `count >= 0`, `used <= 100%`, a pattern that
matches every text. What is put into a reading is first what could be measured, and only then what could not (a
count below zero, a share above 100 %): a condition that only such a value breaks is as good as none.
"""

import datetime as dt
import random
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from opsconsole.model.checklists import Item
from opsconsole.model.conditions import Condition, Name, Pattern, Range, Tolerance
from opsconsole.model.judging import ENTRY, judge, measures_of, past_subjects, value_at
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import MAX_TEXT, Level, Past, Reading, Verdict
from opsconsole.model.values import Moment, Number, Quantity, Unit, Value, shown

_FAR = Decimal(10**12)
_AGES = dt.timedelta(days=3650)
_ALL_OF_IT = Decimal(100)


class Proven(StrEnum):
    """What became of the attempt to break a condition."""

    RED = "goes red"
    DOUBTFUL = "doubtful"
    """Only by a value that cannot be measured."""
    NEVER = "never red"
    UNSEEN = "not seen"
    """There is no reading to break it on."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """One condition, and how it was broken."""

    item: str
    condition: str
    level: Level
    proven: Proven
    how: str
    """What was changed, or why nothing helped."""


class _Broken(msgspec.Struct, frozen=True):
    """A reading in which something was changed."""

    how: str
    reading: Reading
    entry: Value = None
    possible: bool = True


def prove_item(item: Item, readings: Sequence[Reading]) -> list[Proof]:
    """Return a proof for each condition of an item, by the best that any of its readings gives."""
    found = []
    for level, conditions in ((Level.REQUIRE, item.require), (Level.TARGET, item.target)):
        for condition in conditions:
            proven, how = _proven(condition, item, readings)
            found.append(Proof(item=item.id, condition=condition.text, level=level, proven=proven, how=how))
    return found


_ORDER = (Proven.RED, Proven.DOUBTFUL, Proven.NEVER, Proven.UNSEEN)


def _proven(condition: Condition, item: Item, readings: Sequence[Reading]) -> tuple[Proven, str]:
    known = [each for each in readings if _can_be_judged(condition, item, each)]
    if not readings and (item.probe or item.entry is None):
        return Proven.UNSEEN, "it was never measured"
    if not known and readings:
        return Proven.UNSEEN, "no reading has what it speaks of"
    results = [_of_reading(condition, item, each) for each in known or [Reading()]]
    return min(results, key=lambda each: _ORDER.index(each[0]))


def _can_be_judged(condition: Condition, item: Item, reading: Reading) -> bool:
    if item.entry is not None:
        return True
    verdict = judge(reading, [condition]).findings[0].verdict
    return verdict not in {Verdict.UNKNOWN, Verdict.NAN} or _has(reading, condition.subject)


def _has(reading: Reading, subject: str) -> bool:
    return subject in measures_of(reading) or subject in reading.columns


def _of_reading(condition: Condition, item: Item, reading: Reading) -> tuple[Proven, str]:
    doubtful = ""
    reading = _with_past(condition, reading)
    for broken in _attempts(condition, item, reading):
        judged = judge(broken.reading, [condition], entry=broken.entry)
        if judged.outcome is Outcome.FAIL and broken.possible:
            return Proven.RED, broken.how
        if judged.outcome is Outcome.FAIL:
            doubtful = doubtful or broken.how
    if doubtful:
        return Proven.DOUBTFUL, f"only {doubtful} would break it, which cannot be measured"
    return Proven.NEVER, "no value was found that breaks it"


def _with_past(condition: Condition, reading: Reading) -> Reading:
    """Return the reading with a past as good as its present, where the condition compares with one."""
    past = []
    for subject, row, name in past_subjects([condition], reading):
        value = value_at(reading, subject, row)
        if isinstance(value, Number):
            past.append(Past(subject=subject, row=row, values={name: value}))
    return msgspec.structs.replace(reading, past=tuple(past)) if past else reading


def _attempts(condition: Condition, item: Item, reading: Reading) -> Iterator[_Broken]:
    """Yield changed readings: what could be measured before what could not."""
    found = list(_changes(condition, item, reading))
    yield from sorted(found, key=lambda each: not each.possible)


def _changes(condition: Condition, item: Item, reading: Reading) -> Iterator[_Broken]:
    subject = condition.subject
    measures = measures_of(reading)
    if item.entry is not None and subject == ENTRY:
        unit = item.entry.unit
        for value, possible in _values(condition, Number(Decimal(1), unit), measures):
            yield _Broken(f"an entry of {shown(value)}", reading, value, possible)
        for text in _texts(condition, ""):
            yield _Broken(f"an entry of '{text}'", reading, text)
        return
    if condition.quantifier is None and subject in reading.measures:
        for value, possible in _values(condition, reading.measures[subject], measures):
            changed = msgspec.structs.replace(reading, measures={**reading.measures, subject: value})
            yield _Broken(f"{subject} = {_said(value)}", changed, _entry(item), possible)
        return
    if subject == "count" and subject not in reading.columns:
        yield from _counts(condition, item, reading)
        return
    yield from _cells(condition, item, reading, measures)


def _entry(item: Item) -> Value:
    return None if item.entry is None else Number(Decimal(1), item.entry.unit)


def _counts(condition: Condition, item: Item, reading: Reading) -> Iterator[_Broken]:
    """Yield tables of other lengths, told by their count alone."""
    for number in dict.fromkeys(_numbers(condition, Decimal(len(reading.rows)), measures_of(reading))):
        if number != number.to_integral_value() or (number == 0 and item.on_empty is Outcome.PASS):
            continue
        counted = {**reading.measures, "count": Number(number)}
        yield _Broken(
            f"{number} rows", msgspec.structs.replace(reading, measures=counted), _entry(item), number >= 0
        )


def _cells(condition: Condition, item: Item, reading: Reading, measures: dict[str, Value]) -> Iterator[_Broken]:
    """Yield tables in which one cell of the column, or all of them, say something else."""
    subject = condition.subject if condition.subject in reading.columns else ""
    column = subject or (reading.columns[0] if condition.subject == "value" and len(reading.columns) == 1 else "")
    if not column:
        return
    at = reading.columns.index(column)
    rows = reading.rows or (tuple("something" for _ in reading.columns),)
    samples = [row[at] for row in rows if row[at] is not None] or [Number(Decimal(1))]
    # what stands in a table without rows is not known: it is tried as a text, and as a number of each unit
    kinds = samples[:1] if reading.rows else [*samples[:1], *(Number(Decimal(1), unit) for unit in Unit)]
    for value, possible in (each for kind in kinds for each in _values(condition, kind, measures)):
        for which, label in ((1, "in one row"), (len(rows), "in all rows")):
            changed = tuple(
                (*row[:at], value, *row[at + 1 :]) if index < which else row for index, row in enumerate(rows)
            )
            told = f"{column} = {_said(value)}{f' {label}' if len(rows) > 1 else ''}"
            new = msgspec.structs.replace(reading, rows=changed, truncated=False)
            yield _Broken(told, new, _entry(item), possible)


def _said(value: Value) -> str:
    return f"'{value}'" if isinstance(value, str) else shown(value)


def _values(condition: Condition, like: Value, measures: dict[str, Value]) -> Iterator[tuple[Value, bool]]:
    """Yield values of the kind of `like`, each with whether it could be measured."""
    match like:
        case bool():
            yield not like, True
            yield like, True
        case str():
            for text in _texts(condition, like):
                yield text, True
        case Moment(at=at):
            for moved in (at + _AGES, at - _AGES):
                yield Moment(moved), True
        case Number(unit=unit, value=value):
            for number in _numbers(condition, value, measures):
                yield Number(number, unit), _is_possible(number, unit, [value, *_limits(condition, measures)])


def _is_possible(number: Decimal, unit: Unit, meant: Sequence[Decimal]) -> bool:
    """Return whether a number could be measured, by what was, and by what the condition's author thought of."""
    if number < 0 <= min(meant):
        return False
    return not (unit is Unit.PERCENT and number > _ALL_OF_IT >= max(meant))


def _numbers(condition: Condition, seen: Decimal, measures: dict[str, Value]) -> Iterator[Decimal]:
    """Yield numbers about the limits, and far away."""
    about = [seen, *(_limits(condition, measures))]
    whole = all(each == each.to_integral_value() for each in about)
    for each in dict.fromkeys(about):
        step = Decimal(1) if whole else max(abs(each) / 100, Decimal("0.001"))
        yield from (each, each + step, each - step, each * 2, each / 2)
    yield from (Decimal(0), Decimal(1), _ALL_OF_IT, _FAR, Decimal(-1), -_FAR)


def _limits(condition: Condition, measures: dict[str, Value]) -> Iterator[Decimal]:
    match condition.limit:
        case Quantity(number=number):
            yield number.value
        case Range(low=low, high=high):
            yield from (low.number.value, high.number.value)
        case Tolerance(of=of, width=width):
            for centre in _named(of, measures) if isinstance(of, Name) else (of.number.value,):
                share = width.number.unit is Unit.PERCENT
                away = abs(centre) * width.number.value / 100 if share else width.number.value
                yield from (centre + 2 * away + 1, centre - 2 * away - 1)
        case Name() as limit:
            yield from _named(limit, measures)
        case tuple() as members:
            yield from (each.number.value for each in members if isinstance(each, Quantity))


def _named(limit: Name, measures: dict[str, Value]) -> Iterator[Decimal]:
    """Yield what a limit comes to that is a measure, times and plus something."""
    other = measures.get(limit.name)
    if isinstance(other, Number):
        yield other.value * limit.factor + (limit.plus.number.value if limit.plus is not None else 0)


def _texts(condition: Condition, seen: str) -> Iterator[str]:
    """Yield texts: what the limit says, what it does not, and nothing at all."""
    limit = condition.limit
    match limit:
        case Pattern(source=source):
            yield from _matches(source)
        case str():
            yield limit
        case tuple() as members:
            yield from (each for each in members if isinstance(each, str))
    yield from ("something else", f"{seen} else", "", "0")


def _matches(pattern: str) -> Iterator[str]:
    """Yield a text that a pattern matches, if one can be made up; the same each time."""
    import rstr  # no other command needs it

    try:
        made = rstr.Rstr(random.Random(0)).xeger(pattern)  # noqa: S311 - nothing secret depends on it
    except (ValueError, KeyError, RecursionError, NotImplementedError):
        return  # a lookahead, say
    if len(made) <= MAX_TEXT and re.search(pattern, made):
        yield made
