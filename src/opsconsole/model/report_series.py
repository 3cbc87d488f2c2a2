"""Numbers that were read run after run: against their limits, their own past, and what people entered."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

import msgspec

from opsconsole.model import trends
from opsconsole.model.checklists import Item
from opsconsole.model.comparing import Unknown, held_against, named_value
from opsconsole.model.conditions import ORDERING, Condition, Name, Operator, Quantifier, Range, Tolerance
from opsconsole.model.item_state import ItemState
from opsconsole.model.judging import ENTRY, measures_of, row_name, value_at
from opsconsole.model.past import method_of
from opsconsole.model.readings import Level, Reading, Verdict
from opsconsole.model.report_numbers import Accuracy, Bound, Difference, Point, Series, Trend
from opsconsole.model.report_runs import Expected, Told
from opsconsole.model.runs import RunState
from opsconsole.model.trends import meeting, theil_sen, thinned
from opsconsole.model.values import MAX_EXPONENT, Number, Quantity, Unit, Value

_OPPOSITE = {
    Operator.LT: Operator.GE,
    Operator.LE: Operator.GT,
    Operator.GT: Operator.LE,
    Operator.GE: Operator.LT,
}
_UPPER = frozenset({Operator.LT, Operator.LE})
_EXACT = 3
"""Digits of a difference: a tolerance of 1 % must not be met by rounding."""


class _Asked(msgspec.Struct, frozen=True):
    """One side of a limit: a condition whose operator orders, which has to hold of every row."""

    condition: Condition
    level: Level
    text: str
    """What the checklist says."""


class _Key(msgspec.Struct, frozen=True, order=True):
    """What names a series within its item."""

    target: str
    subject: str
    row: str


class _Seen(msgspec.Struct, frozen=True):
    """One reading of a series, with what its limits may refer to."""

    value: Number
    measures: dict[str, Value]
    at: dt.datetime


def _asked(item: Item) -> Iterator[_Asked]:
    """Yield what an item asks of numbers, each as a bound from above or below."""
    for level, conditions in ((Level.REQUIRE, item.require), (Level.TARGET, item.target)):
        for each in conditions:
            for condition in _sides(each):
                yield _Asked(condition, level, each.text)


def _sides(condition: Condition) -> Iterator[Condition]:
    if condition.quantifier is Quantifier.ANY:
        return
    negated = condition.quantifier is Quantifier.NO
    match condition.limit:
        case Range(low=low, high=high) if not negated:
            yield Condition(condition.text, None, condition.subject, Operator.GE, low)
            yield Condition(condition.text, None, condition.subject, Operator.LE, high)
        case Quantity() | Name() as limit if condition.operator in ORDERING:
            operator = _OPPOSITE[condition.operator] if negated else condition.operator
            yield Condition(condition.text, None, condition.subject, operator, limit)
        case _:
            return


# --- readings --------------------------------------------------------------------------------------


def _readings(item: ItemState, subjects: Iterable[str], *, every_column: bool) -> dict[_Key, _Seen]:
    """Return the numbers that an item's latest readings, and its entry, have of these subjects."""
    found: dict[_Key, _Seen] = {}
    for target, attempt in item.latest.items():
        reading = attempt.body.reading
        if reading is None or attempt.body.problem is not None:
            continue
        for subject in _named(reading, subjects, every_column=every_column):
            found |= _of_subject(reading, target, subject, attempt.body.started_at)
    if item.typed is not None and isinstance(item.typed.body.value, Number) and ENTRY in subjects:
        past = {each.subject: each.values for each in item.typed.body.past}
        measures: dict[str, Value] = dict(past.get(ENTRY, {}))
        found[_Key("", ENTRY, "")] = _Seen(item.typed.body.value, measures, item.typed.by.at)
    return {key: seen for key, seen in found.items() if _computable(seen.value)}


def _computable(number: Number) -> bool:
    """Return whether something can be made of a number: NaN, infinity and 1e999999999 are no readings."""
    return number.value.is_finite() and abs(number.value.adjusted()) <= MAX_EXPONENT


def _named(reading: Reading, subjects: Iterable[str], *, every_column: bool) -> list[str]:
    columns = reading.columns if every_column and reading.label in reading.columns else ()
    return list(dict.fromkeys((*subjects, *columns)))


def _of_subject(reading: Reading, target: str, subject: str, at: dt.datetime) -> dict[_Key, _Seen]:
    measures = measures_of(reading)
    rows = [""] if subject in measures else [row_name(reading, index) for index in range(len(reading.rows))]
    found = {}
    for row in dict.fromkeys(rows):
        value = value_at(reading, subject, row)
        if isinstance(value, Number):
            own = next((each.values for each in reading.past if (each.subject, each.row) == (subject, row)), {})
            found[_Key(target, subject, row)] = _Seen(value, {**measures, **own}, at)
    return found


# --- series ----------------------------------------------------------------------------------------


def series_of(told: Told, *, every_column: bool = False) -> list[Series]:
    """Return the series of a checklist that have limits, as its last run defines them.

    With `every_column` also the numbers of tables whose rows have names, such as the records of each collector.
    """
    last = next((state for state in reversed(told.states) if not state.missed), None)
    if last is None:
        return []
    found: list[Series] = []
    for name, item in last.items.items():
        asked = list(_asked(item.item))
        subjects = list(dict.fromkeys(each.condition.subject for each in asked))
        if subjects or every_column:
            found += _of_item(told, name, item.item, asked, subjects, every_column=every_column)
    return found


def _of_item(
    told: Told, name: str, item: Item, asked: Sequence[_Asked], subjects: Sequence[str], *, every_column: bool
) -> Iterator[Series]:
    method = method_of(item)
    present = [_read(each, name, method, subjects, every_column=every_column) for each in told.present]
    before = [_read(each, name, method, subjects, every_column=every_column) for each in told.before]
    others = sum(each is None for each in present)
    keys = dict.fromkeys(key for each in present if each is not None for key in each)
    for key in keys:
        points = [
            _point(expected, (read or {}).get(key), _for(asked, key))
            for expected, read in zip(told.present, present, strict=True)
        ]
        seen = [read[key] for read in present if read is not None and key in read]
        earlier = [read[key].value for read in before if read is not None and key in read]
        yield _series(told, item, key, _for(asked, key), points, seen, earlier, others)


def _for(asked: Iterable[_Asked], key: _Key) -> list[_Asked]:
    return [each for each in asked if each.condition.subject == key.subject]


def _read(
    expected: Expected, name: str, method: str, subjects: Iterable[str], *, every_column: bool
) -> dict[_Key, _Seen] | None:
    """Return what a run read of an item; None where it measured it in another way, which cannot be compared."""
    state = expected.state
    if state is None or state.missed or name not in state.items:
        return {}
    item = state.items[name]
    if method_of(item.item) != method:
        return None
    return _readings(item, subjects, every_column=every_column)


def _point(expected: Expected, seen: _Seen | None, asked: Sequence[_Asked]) -> Point:
    if seen is None:
        return Point(run=expected.run, date=expected.date)
    beyond = any(verdict is Verdict.BROKEN for verdict, _ in _held(seen, asked))
    return Point(run=expected.run, date=expected.date, at=seen.at, value=seen.value, beyond=beyond)


def _held(seen: _Seen, asked: Iterable[_Asked]) -> Iterator[tuple[Verdict, Decimal | None]]:
    """Yield what a reading is to each of its limits, and the share of it that is used up."""
    for each in asked:
        try:
            held = held_against(each.condition, "", seen.value, seen.measures)
        except Unknown:
            continue
        yield held.verdict, held.used


def _series(
    told: Told,
    item: Item,
    key: _Key,
    asked: Sequence[_Asked],
    points: Sequence[Point],
    seen: Sequence[_Seen],
    earlier: Sequence[Number],
    others: int,
) -> Series:
    unit = seen[-1].value.unit
    values = [each.value.value for each in seen if each.value.unit is unit]
    before = [each.value for each in earlier if each.unit is unit]
    median = trends.median(values)
    median_before = trends.median(before) if before else None
    change = median - median_before if median_before is not None else None
    used = [share for each in seen for _, share in _held(each, asked) if share is not None]
    bounds = tuple(_bounds(asked, seen[-1]))
    return Series(
        checklist=told.checklist.id,
        item=item.id,
        title=item.title,
        target=key.target,
        subject=key.subject,
        row=key.row,
        bounds=bounds,
        points=tuple(points),
        readings=len(values),
        least=Number(min(values), unit),
        mean=Number(trends.mean(values), unit),
        median=Number(trends.rounded(median), unit),
        greatest=Number(max(values), unit),
        last=Number(values[-1], unit),
        median_before=Number(trends.rounded(median_before), unit) if median_before is not None else None,
        change=Number(trends.rounded(change), unit) if change is not None else None,
        change_percent=_percent(change, median_before),
        used=trends.rounded(max(used)) if used else None,
        trend=_trend(points, unit, bounds),
        incomparable=others,
    )


def _percent(part: Decimal | None, whole: Decimal | None, places: int = 1) -> Decimal | None:
    """Return a share in percent, None of nothing; one that is beyond all reason with fewer digits."""
    if part is None or not whole:
        return None
    share = part / abs(whole) * 100
    return round(share, places) if share.adjusted() < _REASONABLE else trends.rounded(share)


_REASONABLE = 15
"""Digits before the point of a percentage."""


def _bounds(asked: Iterable[_Asked], seen: _Seen) -> Iterator[Bound]:
    for each in asked:
        limit = each.condition.limit
        try:
            value = named_value(limit, seen.measures) if isinstance(limit, Name) else limit
        except Unknown:
            continue
        number = value.number if isinstance(value, Quantity) else value
        if isinstance(number, Number) and number.unit is seen.value.unit:
            yield Bound(
                value=number,
                upper=each.condition.operator in _UPPER,
                level=each.level,
                condition=each.text,
                scale=limit.scale if isinstance(limit, Quantity) else "",
                moving=isinstance(limit, Name),
            )


def _trend(points: Sequence[Point], unit: Unit, bounds: Sequence[Bound]) -> Trend | None:
    """Return which way the points go; None where there are no two to compare."""
    placed = [
        trends.Point(each.at, each.value.value)
        for each in points
        if each.at is not None and each.value is not None and each.value.unit is unit
    ]
    slope = theil_sen(thinned(sorted(placed, key=lambda each: each.at), _MOST_SLOPES))
    if slope is None:
        return None
    found = Trend(
        direction=trends.trend_of(slope),
        per_day=Number(slope.per_day, unit),
        low=Number(slope.low, unit) if slope.low is not None else None,
        high=Number(slope.high, unit) if slope.high is not None else None,
    )
    if found.direction not in {trends.Trend.RISING, trends.Trend.FALLING}:
        return found
    ahead = [each for each in bounds if not each.moving and each.upper is (slope.per_day > 0)]
    for each in sorted(ahead, key=lambda bound: abs(bound.value.value - slope.level)):
        side = trends.Bound.UPPER if each.upper else trends.Bound.LOWER
        met = meeting(slope, placed[-1].value, each.value.value, side, slope.at)
        if not met.reached and met.expected is not None:
            return msgspec.structs.replace(
                found,
                meets=each.condition,
                meets_on=_after(slope.at, met.expected),
                meets_from=_after(slope.at, met.early),
                meets_until=_after(slope.at, met.late),
            )
    return found


_MOST_SLOPES = 120
"""Readings that a slope is computed of: 7,140 pairs, a few milliseconds."""
_FORESEEN = Decimal(3650)


def _after(at: dt.datetime, days: Decimal | None) -> dt.date | None:
    """Return the date so many days later; None where nobody can mean that any more."""
    return None if days is None or days > _FORESEEN else (at + dt.timedelta(days=float(days))).date()


def nearest_first(series: Iterable[Series]) -> tuple[Series, ...]:
    """Return them in the order of how much of their limit they used up, those without such a share last.

    One that was beyond its limit stands with those that used up all of it.
    """

    def rank(each: Series) -> Decimal:
        beyond = Decimal(any(point.beyond for point in each.points))
        return max(beyond, each.used if each.used is not None else Decimal(-1))

    return tuple(sorted(series, key=lambda each: (-rank(each), each.checklist, each.item)))


# --- entries against readings ----------------------------------------------------------------------


def accuracy_of(told: Told) -> list[Accuracy]:
    """Return, for each entry that has to be within so much of a measure, how far it was from it on each day."""
    found: dict[str, list[Difference]] = {}
    for state in told.states:
        for name, item in state.items.items():
            each = _difference(state, item)
            if each is not None:
                found.setdefault(name, []).append(each)
    last: Mapping[str, Item] = {name: item.item for state in told.states for name, item in state.items.items()}
    return [_accuracy(told, last[name], days) for name, days in found.items()]


def _compared(item: Item) -> tuple[Condition, Name] | None:
    for each in (*item.require, *item.target):
        if each.subject == ENTRY and isinstance(each.limit, Tolerance) and isinstance(each.limit.of, Name):
            return each, each.limit.of
    return None


def _difference(state: RunState, item: ItemState) -> Difference | None:
    compared, typed, attempt = _compared(item.item), item.typed, item.latest.get("")
    if compared is None or typed is None or attempt is None or attempt.body.reading is None:
        return None
    reading = attempt.body.reading
    own = {name: value for each in reading.past if each.subject == ENTRY for name, value in each.values.items()}
    try:
        measured = named_value(compared[1], {**measures_of(reading), **own})
    except Unknown:
        return None
    entered = typed.body.value
    if not (isinstance(entered, Number) and isinstance(measured, Number)) or entered.unit is not measured.unit:
        return None
    if not _computable(measured):
        return None
    return Difference(
        run=state.run,
        date=state.times.business_date,
        entered=entered,
        measured=measured,
        percent=_percent(entered.value - measured.value, measured.value, _EXACT),
        outcome=item.outcome,
    )


def _accuracy(told: Told, item: Item, days: Sequence[Difference]) -> Accuracy:
    compared = _compared(item)
    known = [abs(each.percent) for each in days if each.percent is not None]
    return Accuracy(
        checklist=told.checklist.id,
        item=item.id,
        title=item.title,
        condition=compared[0].text if compared is not None else "",
        days=tuple(days),
        greatest_percent=max(known, default=None),
    )
