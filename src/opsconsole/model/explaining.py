"""Says in words what was seen and what was required: "ConnectWise took 41.2 s, limit 30 s"."""

from collections.abc import Callable, Iterator, Sequence

from opsconsole.model.comparing import Seen, named_value
from opsconsole.model.conditions import Condition, Name, Operator, Pattern, Quantifier, Range, Tolerance
from opsconsole.model.readings import Level, Verdict
from opsconsole.model.values import Number, Quantity, Unit, Value, formatted, shown

_DURATION_NAMES = frozenset({"duration", "took", "elapsed", "latency", "runtime"})
_NAMED_ROWS = 3


def explained(
    condition: Condition,
    level: Level,
    verdict: Verdict,
    seen: Sequence[Seen],
    measures_of: Callable[[str], dict[str, Value]],
) -> str:
    """Return one line on a condition; `measures_of` gives by the name of a row what its limit may refer to."""
    if verdict is Verdict.HOLDS and condition.operator in _EXACT:
        return _stated_together(condition, seen)
    if verdict is Verdict.HOLDS and len(seen) > 1 and all(each.used is None for each in seen):
        needed = _needed(condition, level, _shared(condition, seen, measures_of))
        return f"{_stated_together(condition, seen)}, {needed}"
    rows = list(_worth_naming(condition, verdict, seen))
    measures = _shared(condition, rows, measures_of)
    own_limits = bool(condition.past()) and len(rows) > 1
    named = "; ".join(
        _stated(condition, each, measures_of(each.who))
        + (f" against {_limit_text(condition.limit, measures_of(each.who))}" if own_limits else "")
        for each in rows[:_NAMED_ROWS]
    )
    if len(rows) > _NAMED_ROWS:
        named += f" and {len(rows) - _NAMED_ROWS} more"
    needed = _needed(condition, level, measures)
    if verdict is Verdict.NEAR:
        used = max((each.used for each in rows if each.used is not None), default=None)
        share = f" ({used * 100:.0f} % of it)" if used is not None and condition.operator in _UPPER else ""
        return f"{named}, near the {needed}{share}"
    return f"{named}, {needed}"


def _shared(
    condition: Condition, rows: Sequence[Seen], measures_of: Callable[[str], dict[str, Value]]
) -> dict[str, Value]:
    """Return the measures that the limit of all these rows refers to: without a past that each has for itself."""
    measures = measures_of(rows[0].who)
    if len(rows) == 1 or not condition.past():
        return measures
    return {name: value for name, value in measures.items() if name != condition.past()}


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


def _stated_together(condition: Condition, seen: Sequence[Seen]) -> str:
    """Return what was seen in all rows, each value once."""
    values = list(dict.fromkeys(_bounded(each, _short(_quoted(each.value, _scale(condition)))) for each in seen))
    named = ", ".join(values[:_NAMED_ROWS])
    if len(values) > _NAMED_ROWS:
        named += f" and {len(values) - _NAMED_ROWS} more"
    alone = condition.subject == "value" and condition.quantifier is None
    return named if alone else f"{condition.subject} is {named}"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


_UPPER = frozenset({Operator.LT, Operator.LE})


def _worth_naming(condition: Condition, verdict: Verdict, seen: Sequence[Seen]) -> Iterator[Seen]:
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


def _stated(condition: Condition, seen: Seen, measures: dict[str, Value]) -> str:
    value = _short(_quoted(seen.value, _scale(condition)))
    if seen.verdict is Verdict.BROKEN and value == _bound_text(condition.limit, measures):
        value = _exact(seen.value)
    value = _bounded(seen, value)
    if condition.subject in _DURATION_NAMES and isinstance(seen.value, Number):
        return f"{seen.who or 'it'} took {value}"
    subject = f"{seen.who}: {condition.subject}" if seen.who else condition.subject
    if condition.subject == "value" and not seen.who:
        return value
    if condition.subject == "entry":
        return f"{value} entered"
    return f"{subject} is {value}"


def _bounded(seen: Seen, value: str) -> str:
    return f"at least {value}" if seen.at_least else value


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


def _named_text(limit: Name, measures: dict[str, Value]) -> str:
    """Return `baseline (8 s) * 1.5 = 12 s`; the name without a value where several rows have one each."""
    value = measures.get(limit.name)
    text = f"{limit.name} ({shown(value)})" if value is not None else limit.name
    if limit.factor != 1:
        text += f" * {limit.factor.normalize():f}"
    if limit.plus is not None:
        below = limit.plus.number.value < 0
        text += f" {'-' if below else '+'} {formatted(_absolute(limit.plus.number), limit.plus.scale)}"
    if value is None or (limit.factor == 1 and limit.plus is None):
        return text
    return f"{text} = {shown(named_value(limit, measures))}"


def _bound_text(limit: object, measures: dict[str, Value]) -> str:
    """Return the value of a limit alone, without how it was come to."""
    if isinstance(limit, Name) and limit.name in measures:
        return shown(named_value(limit, measures))
    return _limit_text(limit, measures)


def _absolute(number: Number) -> Number:
    return Number(abs(number.value), number.unit)


def _limit_text(limit: object, measures: dict[str, Value]) -> str:
    match limit:
        case Quantity():
            return str(limit)
        case Range(low=low, high=high):
            return f"{low} and {high}"
        case Pattern(source=source):
            return f"/{source}/"
        case Name():
            return _named_text(limit, measures)
        case Tolerance(width=width, of=of):
            return f"{width} of {_limit_text(of, measures)}"
        case tuple() as members:
            return "[" + ", ".join(_limit_text(each, measures) for each in members) + "]"
        case str():
            return f"'{limit}'"
        case _:
            return shown(limit)  # type: ignore[arg-type]
