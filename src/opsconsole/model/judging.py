"""Judges a reading by its conditions: pure, and the same for every kind of probe.

What was not seen is never a pass: a missing cell, NaN, a cut-off table, an empty one whose conditions speak of
rows, and the comparison of unlike units all end in ERROR.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from opsconsole.model.conditions import (
    Condition,
    Name,
    Operator,
    Pattern,
    Quantifier,
    Range,
    Tolerance,
)
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Finding, Judgement, Level, Reading, Verdict
from opsconsole.model.values import Moment, Number, Quantity, Unit, Value, formatted, shown

NEAR = Decimal("0.9")
"""A green value that has used up this share of its limit is called near."""

ENTRY = "entry"
"""The subject that holds what the operator typed."""

_DURATION_NAMES = frozenset({"duration", "took", "elapsed", "latency", "runtime"})
_NAMED_ROWS = 3
_UNSEEN = "<insufficient privilege>"
"""What PostgreSQL shows in place of a cell that the role may not see (pg_stat_activity)."""

_OPPOSITE = {Verdict.HOLDS: Verdict.BROKEN, Verdict.NEAR: Verdict.BROKEN, Verdict.BROKEN: Verdict.HOLDS}


class _Unknown(Exception):  # noqa: N818 - never leaves this module
    """The condition cannot be judged; the message says why."""


class _Seen(msgspec.Struct, frozen=True):
    """One value held against a limit."""

    who: str
    value: Value
    verdict: Verdict
    used: Decimal | None = None
    """The share of the limit that is used up, where the limit is an upper or lower bound."""


def judge(
    reading: Reading,
    require: Sequence[Condition],
    target: Sequence[Condition] = (),
    *,
    on_empty: Outcome | None = None,
    entry: Value = None,
) -> Judgement:
    """Judge `reading`, with the operator's `entry` if there is one.

    A broken requirement is FAIL, a condition that cannot be judged ERROR, a broken target WARN. An empty table
    has the outcome `on_empty`; without one, conditions on measures such as `count` are judged, and any that
    speaks of rows is ERROR.
    """
    if on_empty is not None and reading.tabular and not reading.rows and not reading.truncated:
        return Judgement(on_empty, "no rows")
    findings = tuple(
        _finding(condition, level, reading, entry)
        for level, conditions in ((Level.REQUIRE, require), (Level.TARGET, target))
        for condition in conditions
    )
    return Judgement(_outcome(findings), _summary(findings), findings)


def _outcome(findings: Sequence[Finding]) -> Outcome:
    verdicts = {(each.level, each.verdict) for each in findings}
    if (Level.REQUIRE, Verdict.BROKEN) in verdicts:
        return Outcome.FAIL
    if not findings or any(verdict is Verdict.UNKNOWN for _, verdict in verdicts):
        return Outcome.ERROR
    return Outcome.WARN if (Level.TARGET, Verdict.BROKEN) in verdicts else Outcome.PASS


_TELLING = (
    (Level.REQUIRE, Verdict.BROKEN),
    (Level.REQUIRE, Verdict.UNKNOWN),
    (Level.TARGET, Verdict.UNKNOWN),
    (Level.TARGET, Verdict.BROKEN),
    (Level.REQUIRE, Verdict.NEAR),
    (Level.TARGET, Verdict.NEAR),
)


def _summary(findings: Sequence[Finding]) -> str:
    for level, verdict in _TELLING:
        telling = [each.text for each in findings if (each.level, each.verdict) == (level, verdict)]
        if telling:
            return "; ".join(dict.fromkeys(telling))
    required = [each.text for each in findings if each.level is Level.REQUIRE]
    return "; ".join(dict.fromkeys(required or [each.text for each in findings]))


def _finding(condition: Condition, level: Level, reading: Reading, entry: Value) -> Finding:
    try:
        seen = _compared(condition, reading, entry)
        verdict = _verdict(condition, seen)
        text = _explained(condition, level, verdict, seen, reading, entry)
    except _Unknown as unknown:
        verdict, text = Verdict.UNKNOWN, str(unknown)
    return Finding(condition.text, level, verdict, text)


# --- what the condition speaks of ------------------------------------------------------------------


def measures_of(reading: Reading, entry: Value = None) -> dict[str, Value]:
    """Return the named single values of a reading, with `count` and `value` where its table gives them."""
    found = dict(reading.measures)
    if reading.tabular:
        if not reading.truncated:
            found.setdefault("count", Number(Decimal(len(reading.rows))))
        if len(reading.rows) == 1 and len(reading.columns) == 1:
            found.setdefault("value", reading.rows[0][0])
    if entry is not None:
        found[ENTRY] = entry
    return found


def _names(columns: Sequence[str]) -> str:
    return ", ".join(columns) or "none"


def _subjects(condition: Condition, reading: Reading, entry: Value) -> list[tuple[str, Value]]:
    """Return the values that the condition speaks of, each with the name of its row (empty for a measure)."""
    measures = measures_of(reading, entry)
    if condition.quantifier is None and condition.subject in measures:
        return [("", measures[condition.subject])]
    if condition.subject not in reading.columns:
        if condition.subject == "count" and reading.truncated:
            raise _Unknown("the result was cut off, so its rows cannot be counted")
        known = _names((*measures, *reading.columns))
        raise _Unknown(f"the reading has no '{condition.subject}'; it has {known}")
    if condition.quantifier is None and len(reading.rows) > 1:
        raise _Unknown(
            f"{len(reading.rows)} rows have a '{condition.subject}'; the condition must say every, any or no"
        )
    if reading.truncated:
        raise _Unknown("the result was cut off, so not every row was seen")
    if not reading.rows:
        raise _Unknown(f"the result is empty, so no '{condition.subject}' was seen")
    at = reading.columns.index(condition.subject)
    return [(_row_name(reading, index), row[at]) for index, row in enumerate(reading.rows)]


def _row_name(reading: Reading, index: int) -> str:
    """Return what a row is called: its label, else its first text, else its number where there are several."""
    row = reading.rows[index]
    if reading.label in reading.columns:
        return shown(row[reading.columns.index(reading.label)])
    text = next((cell for cell in row if isinstance(cell, str)), None)
    if text is not None:
        return text
    return f"row {index + 1}" if len(reading.rows) > 1 else ""


# --- comparing ---------------------------------------------------------------------------------------


def _compared(condition: Condition, reading: Reading, entry: Value) -> list[_Seen]:
    measures = measures_of(reading, entry)
    return [_held_against(condition, who, value, measures) for who, value in _subjects(condition, reading, entry)]


def _held_against(condition: Condition, who: str, value: Value, measures: dict[str, Value]) -> _Seen:
    name = f"{who}: {condition.subject}" if who else condition.subject
    if value is None:
        raise _Unknown(f"{name} is missing")
    if value == _UNSEEN:
        raise _Unknown(f"{name} is hidden from this role")
    if isinstance(value, Number) and not value.value.is_finite():
        raise _Unknown(f"{name} is {value.value}, not a number that can be judged")
    limit = condition.limit
    match limit:
        case Tolerance():
            return _within(name, who, value, limit, measures)
        case Range(low=low, high=high):
            got = _same_unit(name, value, low.number, str(low))
            holds = low.number.value <= got <= high.number.value
            return _Seen(who, value, Verdict.HOLDS if holds else Verdict.BROKEN)
        case Pattern(source=source):
            holds = re.search(source, _text(name, value)) is not None
            return _Seen(who, value, _yes(holds, negated=condition.operator is Operator.NOT_MATCHES))
        case tuple() as members:
            holds = any(_equal(name, value, member) for member in members)
            return _Seen(who, value, _yes(holds, negated=condition.operator is Operator.NOT_IN))
        case Name(name=other):
            return _scalar(condition.operator, name, who, value, _named(other, measures))
        case Quantity(number=number):
            return _scalar(condition.operator, name, who, value, number)
        case _ if condition.operator in {Operator.CONTAINS, Operator.NOT_CONTAINS}:
            holds = str(limit) in _text(name, value)
            return _Seen(who, value, _yes(holds, negated=condition.operator is Operator.NOT_CONTAINS))
        case _:
            return _scalar(condition.operator, name, who, value, limit)


def _named(name: str, measures: dict[str, Value]) -> Value:
    value = measures.get(name)
    if value is None or (isinstance(value, Number) and not value.value.is_finite()):
        raise _Unknown(f"'{name}', which it is compared with, was not measured")
    return value


def _yes(holds: bool, *, negated: bool) -> Verdict:
    return Verdict.HOLDS if holds is not negated else Verdict.BROKEN


def _text(name: str, value: Value) -> str:
    if not isinstance(value, str):
        raise _Unknown(f"{name} is {_kind(value)}, not a text")
    return value


def _kind(value: Value) -> str:
    match value:
        case bool():
            return "true or false"
        case str():
            return "a text"
        case Number(unit=Unit.COUNT):
            return "a plain number"
        case Number(unit=Unit.PERCENT):
            return "a percentage"
        case Number(unit=Unit.BYTES):
            return "a size in bytes"
        case Number():
            return "a duration"
        case Moment():
            return "a point in time"
        case _:
            return "nothing"


def _same_unit(name: str, value: Value, limit: Number, limit_text: str) -> Decimal:
    if not isinstance(value, Number) or value.unit is not limit.unit:
        raise _Unknown(
            f"{name} is {_kind(value)} ({shown(value)}), which cannot be compared with {limit_text}, {_kind(limit)}"
        )
    return value.value


def _equal(name: str, value: Value, limit: Value | Quantity) -> bool:
    other = limit.number if isinstance(limit, Quantity) else limit
    if isinstance(other, Number):
        return _same_unit(name, value, other, formatted(other)) == other.value
    if type(value) is not type(other):
        raise _Unknown(f"{name} is {_kind(value)} ({shown(value)}), the limit is {_kind(other)} ({shown(other)})")
    return value == other


def _scalar(operator: Operator, name: str, who: str, value: Value, limit: Value) -> _Seen:
    if operator in {Operator.EQ, Operator.NE}:
        return _Seen(who, value, _yes(_equal(name, value, limit), negated=operator is Operator.NE))
    if isinstance(value, Moment) and isinstance(limit, Moment):
        ordered = (value.at > limit.at) - (value.at < limit.at)
        return _Seen(who, value, _yes(_ordered(operator, ordered), negated=False))
    if not isinstance(limit, Number):
        raise _Unknown(f"{name} cannot be ordered against {_kind(limit)}")
    got, bound = _same_unit(name, value, limit, formatted(limit)), limit.value
    holds = _ordered(operator, (got > bound) - (got < bound))
    used = _used(operator, got, limit)
    if not holds:
        return _Seen(who, value, Verdict.BROKEN, used)
    return _Seen(who, value, Verdict.NEAR if used is not None and used >= NEAR else Verdict.HOLDS, used)


def _ordered(operator: Operator, sign: int) -> bool:
    match operator:
        case Operator.LT:
            return sign < 0
        case Operator.LE:
            return sign <= 0
        case Operator.GT:
            return sign > 0
        case _:
            return sign >= 0


def _used(operator: Operator, got: Decimal, limit: Number) -> Decimal | None:
    """Return the share of a bound that is used up: 0.95 for 28.5 s of 30 s, and for 1.05 GB where 1 GB must be.

    Counts below ten have no nearness: with 2 of at least 2 there is nothing in between.
    """
    bound = limit.value
    few = limit.unit is Unit.COUNT and bound < 10  # noqa: PLR2004
    if got <= 0 or bound <= 0 or few:
        return None
    return got / bound if operator in {Operator.LT, Operator.LE} else bound / got


def _within(name: str, who: str, value: Value, limit: Tolerance, measures: dict[str, Value]) -> _Seen:
    centre = _centre(limit, measures)
    got = _same_unit(name, value, centre, formatted(centre))
    width = limit.width.number
    if width.unit is Unit.PERCENT and centre.unit is not Unit.PERCENT:
        allowed = abs(centre.value) * width.value / 100
    elif width.unit is centre.unit:
        allowed = width.value
    else:
        raise _Unknown(f"a tolerance of {limit.width} cannot be taken from {formatted(centre)}")
    away = abs(got - centre.value)
    used = away / allowed if allowed else None
    if away > allowed:
        return _Seen(who, value, Verdict.BROKEN, used)
    return _Seen(who, value, Verdict.NEAR if used is not None and used >= NEAR else Verdict.HOLDS, used)


def _centre(limit: Tolerance, measures: dict[str, Value]) -> Number:
    centre = _named(limit.of.name, measures) if isinstance(limit.of, Name) else limit.of.number
    if not isinstance(centre, Number):
        raise _Unknown(f"{_kind(centre)} has no surroundings to be within")
    return centre


def _verdict(condition: Condition, seen: Sequence[_Seen]) -> Verdict:
    verdicts = [each.verdict for each in seen]
    match condition.quantifier:
        case Quantifier.NO:
            verdicts = [_OPPOSITE[each] for each in verdicts]
        case Quantifier.ANY:
            return min(verdicts, key=(Verdict.HOLDS, Verdict.NEAR, Verdict.BROKEN).index)
        case _:
            pass
    return max(verdicts, key=(Verdict.HOLDS, Verdict.NEAR, Verdict.BROKEN).index)


# --- explaining in words -----------------------------------------------------------------------------


def _explained(
    condition: Condition,
    level: Level,
    verdict: Verdict,
    seen: Sequence[_Seen],
    reading: Reading,
    entry: Value,
) -> str:
    measures = measures_of(reading, entry)
    if verdict is Verdict.HOLDS and condition.operator in _EXACT:
        return _stated_together(condition, seen)
    if verdict is Verdict.HOLDS and len(seen) > 1 and all(each.used is None for each in seen):
        return f"{_stated_together(condition, seen)}, {_needed(condition, level, measures)}"
    rows = list(_worth_naming(condition, verdict, seen))
    named = "; ".join(_stated(condition, each, measures) for each in rows[:_NAMED_ROWS])
    if len(rows) > _NAMED_ROWS:
        named += f" and {len(rows) - _NAMED_ROWS} more"
    needed = _needed(condition, level, measures)
    if verdict is Verdict.NEAR:
        used = max((each.used for each in rows if each.used is not None), default=None)
        share = f" ({used * 100:.0f} % of it)" if used is not None and condition.operator in _UPPER else ""
        return f"{named}, near the {needed}{share}"
    return f"{named}, {needed}"


_EXACT = frozenset(
    {
        Operator.EQ,
        Operator.NE,
        Operator.IN,
        Operator.NOT_IN,
        Operator.CONTAINS,
        Operator.NOT_CONTAINS,
        Operator.MATCHES,
        Operator.NOT_MATCHES,
    }
)
"""Operators without a distance: where they hold, what was seen says it all."""
_LONGEST = 60


def _stated_together(condition: Condition, seen: Sequence[_Seen]) -> str:
    """Return what was seen in all rows, each value once."""
    values = list(dict.fromkeys(_short(_quoted(each.value, _scale(condition))) for each in seen))
    named = ", ".join(values[:_NAMED_ROWS])
    if len(values) > _NAMED_ROWS:
        named += f" and {len(values) - _NAMED_ROWS} more"
    return named if condition.subject == "value" else f"{condition.subject} is {named}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_UPPER = frozenset({Operator.LT, Operator.LE})


def _worth_naming(condition: Condition, verdict: Verdict, seen: Sequence[_Seen]) -> Iterator[_Seen]:
    """Yield the rows that made the verdict; of a condition that holds, the one that came nearest to its limit."""
    if condition.quantifier is Quantifier.NO:
        wanted = {Verdict.HOLDS, Verdict.NEAR} if verdict is Verdict.BROKEN else {Verdict.BROKEN}
    elif condition.quantifier is Quantifier.ANY and verdict is Verdict.BROKEN:
        wanted = {Verdict.BROKEN}
    else:
        wanted = {verdict}
    rows = [each for each in seen if each.verdict in wanted]
    if verdict is Verdict.HOLDS and any(each.used is not None for each in rows):
        yield max((each for each in rows if each.used is not None), key=lambda each: each.used or 0)
        return
    yield from rows


def _scale(condition: Condition) -> str:
    """Return the unit in which the limit was written, so that both sides are shown on one scale.

    A limit of nothing (`<= 0 s`) says nothing about the scale of what is measured.
    """
    match condition.limit:
        case Quantity(number=number, scale=scale) if number.value:
            return scale
        case Range(low=Quantity(scale=scale)) | Tolerance(of=Quantity(scale=scale)):
            return scale
        case _:
            return ""


def _quoted(value: Value, scale: str = "") -> str:
    return f"'{value}'" if isinstance(value, str) else shown(value, scale)


def _stated(condition: Condition, seen: _Seen, measures: dict[str, Value]) -> str:
    value = _short(_quoted(seen.value, _scale(condition)))
    if seen.verdict is Verdict.BROKEN and value == _limit_text(condition.limit, measures):
        value = _exact(seen.value)
    if condition.subject in _DURATION_NAMES and isinstance(seen.value, Number):
        return f"{seen.who or 'it'} took {value}"
    subject = f"{seen.who}: {condition.subject}" if seen.who else condition.subject
    if condition.subject == "value" and not seen.who:
        return value
    if condition.subject == ENTRY:
        return f"{value} entered"
    return f"{subject} is {value}"


def _exact(value: Value) -> str:
    """Return a number that rounding made look like its limit, in full and in its base unit."""
    if not isinstance(value, Number):
        return shown(value)
    unit = "" if value.unit is Unit.COUNT else f" {value.unit}"
    return f"{value.value.normalize():f}{unit}"


def _needed(condition: Condition, level: Level, measures: dict[str, Value]) -> str:
    limit = condition.limit
    word = "limit" if level is Level.REQUIRE else "target"
    match condition.operator:
        case Operator.LT | Operator.LE if condition.quantifier is not Quantifier.NO:
            return f"{word} {_limit_text(limit, measures)}"
        case Operator.GT | Operator.GE if condition.quantifier is not Quantifier.NO:
            return (
                f"{word} at least {_limit_text(limit, measures)}"
                if condition.operator is Operator.GE
                else (f"{word} more than {_limit_text(limit, measures)}")
            )
        case _:
            pass
    required = "required" if level is Level.REQUIRE else "wanted"
    prefix = {Quantifier.NO: "none ", Quantifier.ANY: "one "}.get(condition.quantifier or Quantifier.EVERY, "")
    operator = {Operator.EQ: "", Operator.NE: "not "}.get(condition.operator, f"{condition.operator} ")
    return f"{required} {prefix}{operator}{_limit_text(limit, measures)}"


def _limit_text(limit: object, measures: dict[str, Value]) -> str:
    match limit:
        case Quantity():
            return str(limit)
        case Range(low=low, high=high):
            return f"{low} and {high}"
        case Pattern(source=source):
            return f"/{source}/"
        case Name(name=name):
            return f"{name} ({shown(measures.get(name))})"
        case Tolerance(width=width, of=of):
            return f"{width} of {_limit_text(of, measures)}"
        case tuple() as members:
            return "[" + ", ".join(_limit_text(each, measures) for each in members) + "]"
        case str():
            return f"'{limit}'"
        case _:
            return shown(limit)  # type: ignore[arg-type]
