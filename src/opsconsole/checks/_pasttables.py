"""What the earlier runs of a `history` item come to for each of its targets, and for each cause of a failure."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

import msgspec

from opsconsole.checks._lookback import Asked, Looked, comparable
from opsconsole.checks._pastmeasures import availability_due, outcome_measures
from opsconsole.contracts.probe import Context
from opsconsole.model.calendar import Period
from opsconsole.model.outcomes import Outcome
from opsconsole.model.past import Earlier
from opsconsole.model.trends import mean, median, percentile, rounded
from opsconsole.model.values import Number, Unit, Value

TARGET_COLUMNS: dict[str, Unit | None] = {
    "target": None,
    "runs": Unit.COUNT,
    "availability": Unit.PERCENT,
    "availability_due": Unit.PERCENT,
    "failing": Unit.COUNT,
    "missing": Unit.COUNT,
    "longest_failing_time": Unit.SECONDS,
}
VALUE_COLUMNS = ("last", "mean", "median", "p95", "max")
CAUSE_COLUMNS: dict[str, Unit | None] = {
    "cause": None,
    "times": Unit.COUNT,
    "share": Unit.PERCENT,
    "first": None,
    "last": None,
    "new": None,
}
MOST_CAUSES = 200
_LONGEST_CAUSE = 200
_NUMBERS = re.compile(r"\d+(?:[.,:]\d+)*")
_FAILING = frozenset({Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED})
_UNSEEN = frozenset({Outcome.SKIPPED, Outcome.PENDING})


# --- by target ---------------------------------------------------------------------------------------


def by_target(asked: Asked, looked: Looked, context: Context) -> tuple[tuple[str, ...], list[tuple[Value, ...]]]:
    """Return columns and a row for each target that the item had in any of its runs, in the order first seen.

    A target is counted from the run that had it first, and not in those that did not name it any more; where the
    targets could not be found out at all, nobody saw it, and it was not available.
    """
    names = dict.fromkeys(name for run in looked.runs for name in run.parts)
    columns = (*TARGET_COLUMNS, *(VALUE_COLUMNS if asked.subject else ()))
    return columns, [_target_row(asked, looked, context, name) for name in names]


def _target_row(asked: Asked, looked: Looked, context: Context, name: str) -> tuple[Value, ...]:
    parts = tuple(run.parts[name] for run in looked.runs if name in run.parts)
    periods = list(_periods_of(looked, name))
    seen = {each.period.key for each in parts if each.outcome is not Outcome.PENDING}
    own = Looked(runs=parts, due=len(periods), missing=tuple(each.key for each in periods if each.key not in seen))
    measures = outcome_measures(own, context.now)
    row: list[Value] = [
        name,
        Number(Decimal(len(own.judged))),
        measures["availability"],
        availability_due(periods, parts),
        Number(Decimal(sum(each.outcome in _FAILING for each in parts))),
        measures["missing"],
        measures["longest_failing_time"],
    ]
    return (*row, *(_values(asked, parts) if asked.subject else ()))


def _periods_of(looked: Looked, name: str) -> Iterator[Period]:
    """Yield the periods in which a target was due."""
    named = {run.period.key: run for run in looked.runs}
    first = next(run.period for run in looked.runs if name in run.parts)
    for period in looked.periods:
        run = named.get(period.key)
        if (period.start, period.key) < (first.start, first.key):
            continue
        if run is None or not run.parts or name in run.parts:
            yield period


def _values(asked: Asked, parts: Sequence[Earlier]) -> tuple[Value, ...]:
    readings, _ = comparable(asked, parts)
    if not readings:
        return (None,) * len(VALUE_COLUMNS)
    numbers, unit = [value.value for _, value in readings], readings[-1][1].unit
    found = (numbers[-1], mean(numbers), rounded(median(numbers)), percentile(numbers, Decimal(95)), max(numbers))
    return tuple(Number(each, unit) for each in found)


# --- by cause ----------------------------------------------------------------------------------------


class Cause(msgspec.Struct):
    """What was wrong again and again, numbers aside."""

    first: str
    last: str
    times: int = 0
    new: bool = True


def causes_of(looked: Looked) -> dict[str, Cause]:
    """Return what was wrong in the runs that failed or could not be measured, the most frequent first.

    Of an item with targets each target counts. Causes that differ in numbers only are one: "41.2 s, limit 30 s".
    """
    known = {text for run in looked.before for text, _ in _failures(run)}
    found: dict[str, Cause] = {}
    for run in looked.runs:
        for text, date in _failures(run):
            cause = found.setdefault(text, Cause(first=date, last=date, new=text not in known))
            cause.times += 1
            cause.last = date
    return dict(sorted(found.items(), key=lambda each: -each[1].times))


def _failures(run: Earlier) -> Iterator[tuple[str, str]]:
    for each in run.parts.values() or (run,):
        if each.outcome in _FAILING:
            text = _NUMBERS.sub("#", " ".join(each.cause.split())) or "no cause was recorded"
            yield text[:_LONGEST_CAUSE], run.business_date.isoformat()


def by_cause(causes: dict[str, Cause], *, compared: bool) -> tuple[tuple[str, ...], list[tuple[Value, ...]]]:
    """Return columns and a row for each cause; which is new is known where the stretch before was looked at."""
    whole = sum(each.times for each in causes.values())
    rows: list[tuple[Value, ...]] = [
        (
            text,
            Number(Decimal(each.times)),
            Number(rounded(Decimal(100) * each.times / whole), Unit.PERCENT),
            each.first,
            each.last,
            each.new if compared else None,
        )
        for text, each in causes.items()
    ]
    return tuple(CAUSE_COLUMNS), rows


def cause_measures(causes: dict[str, Cause], *, compared: bool) -> dict[str, Value]:
    """Return how many causes there were, how often the most frequent one came, and how many are new."""
    return {
        "causes": Number(Decimal(len(causes))),
        "most_frequent": Number(Decimal(max((each.times for each in causes.values()), default=0))),
        **({"new_causes": Number(Decimal(sum(each.new for each in causes.values())))} if compared else {}),
    }
