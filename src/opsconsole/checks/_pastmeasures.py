"""What earlier readings and outcomes come to: the measures of a `history` item."""

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from itertools import groupby

import msgspec

from opsconsole.checks._lookback import Looked
from opsconsole.model.calendar import Period
from opsconsole.model.outcomes import Outcome
from opsconsole.model.past import Earlier
from opsconsole.model.trends import (
    Bound,
    Meeting,
    Point,
    Slope,
    mean,
    median,
    meeting,
    percent_change,
    percentile,
    projected,
    rounded,
    spread,
    theil_sen,
    trend_of,
)
from opsconsole.model.values import Number, Quantity, Unit, Value, seconds

_DAY = Decimal(86400)
_P95 = Decimal(95)
_FAILING = frozenset({Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED})
_HELD = frozenset({Outcome.PASS, Outcome.WARN})
_UNSEEN = frozenset({Outcome.SKIPPED, Outcome.PENDING})
_COUNTED = {
    "passed": Outcome.PASS,
    "warned": Outcome.WARN,
    "failed": Outcome.FAIL,
    "errored": Outcome.ERROR,
    "blocked": Outcome.BLOCKED,
    "waived": Outcome.WAIVED,
    "skipped": Outcome.SKIPPED,
    "pending": Outcome.PENDING,
}
_SHARED = ("passed", "warned", "failed", "errored")

OF_OUTCOMES: dict[str, Unit | None] = {
    "count": Unit.COUNT,
    "due": Unit.COUNT,
    "missing": Unit.COUNT,
    **dict.fromkeys(_COUNTED, Unit.COUNT),
    **{f"{name}_percent": Unit.PERCENT for name in _SHARED},
    "availability": Unit.PERCENT,
    "availability_due": Unit.PERCENT,
    "gaps": Unit.COUNT,
    "longest_gap": Unit.COUNT,
    "failing_now": Unit.COUNT,
    "longest_failing": Unit.COUNT,
    "longest_failing_time": Unit.SECONDS,
    "spells": Unit.COUNT,
    "brief_spells": Unit.COUNT,
    "mean_failing_time": Unit.SECONDS,
}
OF_BEFORE: dict[str, Unit | None] = {"availability_before": Unit.PERCENT, "failing_before": Unit.COUNT}
"""What the stretch before came to."""
OF_VALUES_BEFORE = ("mean_before", "median_before", "p95_before")
_THEN = ("previous", "yesterday", "last_week")
OF_VALUES: tuple[str, ...] = (
    "median",
    "spread",
    "mean",
    "min",
    "max",
    "p95",
    "last",
    *(f"value_{name}" for name in _THEN),
    *(f"change_{name}" for name in _THEN),
    "slope_per_day",
    "slope_per_day_low",
    "slope_per_day_high",
    "projected",
    "projected_low",
    "projected_high",
)
"""In the unit of the subject."""
SHARES = tuple(f"change_{name}_percent" for name in _THEN)
OF_LIMITS = ("limit_in", "limit_in_early", "limit_in_late")


class Nearing(StrEnum):
    """What the trend says of a limit."""

    REACHED = "reached"
    AHEAD = "ahead"
    """The whole interval of the slope goes there."""
    POSSIBLE = "possible"
    """Only a part of the interval goes there."""
    NOT_AHEAD = "not-ahead"
    UNCLEAR = "unclear"
    """Too few readings for an interval."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a subject, worked out."""

    unit: Unit
    values: dict[str, Value]
    slope: Slope | None
    meets: Meeting | None = None


# --- outcomes ----------------------------------------------------------------------------------------


def outcome_measures(looked: Looked, now: dt.datetime) -> dict[str, Value]:
    """Return how often the item came to what, and how long it was not good at a stretch.

    Percentages are of the runs in which it applied and was looked at; it was available where its requirements held.
    `availability_due` is of all periods that were due: one that nobody looked at was not available.
    """
    judged = looked.judged
    found: dict[str, Value] = {
        "count": Number(Decimal(len(looked.readings or judged))),
        "due": Number(Decimal(looked.due)),
        "missing": Number(Decimal(len(looked.missing))),
    }
    for name, outcome in _COUNTED.items():
        found[name] = Number(Decimal(sum(each.outcome is outcome for each in looked.runs)))
    for name in _SHARED:
        found[f"{name}_percent"] = _share({_COUNTED[name]}, judged)
    found["availability"] = _share(_HELD, judged)
    found["availability_due"] = availability_due(looked.periods, looked.runs)
    gaps = gaps_in(looked.periods, looked.missing)
    found["gaps"] = Number(Decimal(len(gaps)))
    found["longest_gap"] = Number(Decimal(max(gaps, default=0)))
    streaks = list(_streaks(judged, now))
    found["failing_now"] = Number(Decimal(streaks[-1][0] if judged and judged[-1].outcome in _FAILING else 0))
    found["longest_failing"] = Number(Decimal(max((runs for runs, _ in streaks), default=0)))
    longest = max((length for _, length in streaks), default=dt.timedelta())
    found["longest_failing_time"] = _whole_seconds(longest)
    over = streaks[:-1] if judged and judged[-1].outcome in _FAILING else streaks
    found["spells"] = Number(Decimal(len(streaks)))
    found["brief_spells"] = Number(Decimal(sum(runs == 1 for runs, _ in over)))
    whole = sum((length for _, length in streaks), dt.timedelta())
    found["mean_failing_time"] = _whole_seconds(whole / len(streaks) if streaks else whole)
    return found


def before_measures(looked: Looked) -> dict[str, Value]:
    """Return what the stretch before came to, by outcomes."""
    judged = [each for each in looked.before if each.outcome not in _UNSEEN]
    return {
        "availability_before": _share(_HELD, judged),
        "failing_before": Number(Decimal(sum(each.outcome in _FAILING for each in judged))),
    }


def growth_measures(looked: Looked) -> dict[str, Value]:
    """Return what the readings of the stretch before come to, and by how much their mean has grown since.

    From nothing to something is 100 %.
    """
    before = [value.value for _, value in looked.readings_before]
    now, unit = [value.value for _, value in looked.readings], looked.readings[-1][1].unit
    figures = (mean(before), rounded(median(before)), percentile(before, _P95))
    found: dict[str, Value] = dict(zip(OF_VALUES_BEFORE, (Number(each, unit) for each in figures), strict=True))
    grown = percent_change(mean(before), mean(now))
    if grown is None:
        grown = Decimal(100) * ((mean(now) > 0) - (mean(now) < 0))
    return {**found, "growth": Number(grown, Unit.PERCENT)}


def availability_due(periods: Sequence[Period], runs: Sequence[Earlier]) -> Number | None:
    """Return the share of periods in which it held; those in which it did not apply are left out.

    None where none was due, or it never applied: nothing was seen then.
    """
    outcomes = {each.period.key: each.outcome for each in runs}
    due = [outcomes.get(each.key) for each in periods]
    counted = [each for each in due if each is not Outcome.SKIPPED]
    if not counted:
        return None
    held = sum(each in _HELD for each in counted)
    return Number(rounded(Decimal(100) * held / len(counted)), Unit.PERCENT)


def gaps_in(periods: Sequence[Period], missing: Sequence[str]) -> list[int]:
    """Return how many periods in a row were missing, for each gap."""
    absent = frozenset(missing)
    spells = groupby(periods, lambda each: each.key in absent)
    return [len(list(each)) for is_missing, each in spells if is_missing]


def _whole_seconds(length: dt.timedelta) -> Number:
    return seconds(Decimal(length // dt.timedelta(seconds=1)))


def _share(outcomes: Iterable[Outcome], judged: Sequence[Earlier]) -> Number | None:
    wanted = frozenset(outcomes)
    if not judged:
        return None
    return Number(
        rounded(Decimal(100) * sum(each.outcome in wanted for each in judged) / len(judged)), Unit.PERCENT
    )


def _streaks(judged: Sequence[Earlier], now: dt.datetime) -> Iterable[tuple[int, dt.timedelta]]:
    """Yield how many runs in a row failed or could not be measured, and until when the next was seen to be good."""
    spells = [(failing, list(runs)) for failing, runs in groupby(judged, lambda each: each.outcome in _FAILING)]
    for index, (failing, runs) in enumerate(spells):
        if failing:
            end = spells[index + 1][1][0].at if index + 1 < len(spells) else now
            yield len(runs), end - runs[0].at


# --- values ------------------------------------------------------------------------------------------


def value_measures(
    readings: Sequence[tuple[Earlier, Number]],
    *,
    confidence: Decimal,
    now: dt.datetime,
    ahead: dt.timedelta,
    limit: Quantity | None,
    bound: Bound,
) -> Judged:
    """Return what at least one reading comes to; what cannot be said is None, which is never a pass."""
    unit = readings[-1][1].unit
    numbers = [value.value for _, value in readings]
    found: dict[str, Decimal | None] = {
        "median": rounded(median(numbers)),
        "spread": spread(numbers),
        "mean": mean(numbers),
        "min": min(numbers),
        "max": max(numbers),
        "p95": percentile(numbers, _P95),
        "last": numbers[-1],
    }
    shares = {}
    for name, then in _thens(readings).items():
        found[f"value_{name}"] = then
        found[f"change_{name}"] = None if then is None else numbers[-1] - then
        shares[f"change_{name}_percent"] = None if then is None else percent_change(then, numbers[-1])
    slope = theil_sen([Point(each.at, value.value) for each, value in readings], confidence)
    levels = projected(slope, now + ahead) if slope is not None else (None, None, None)
    found |= dict(zip(("projected", "projected_low", "projected_high"), levels, strict=True))
    found |= {
        "slope_per_day": slope.per_day if slope is not None else None,
        "slope_per_day_low": slope.low if slope is not None else None,
        "slope_per_day_high": slope.high if slope is not None else None,
    }
    values: dict[str, Value] = {name: _number(found[name], unit) for name in OF_VALUES}
    values |= {name: _number(share, Unit.PERCENT) for name, share in shares.items()}
    values["trend"] = str(trend_of(slope))
    if limit is None:
        return Judged(unit=unit, values=values, slope=slope)
    meets = meeting(slope, numbers[-1], limit.number.value, bound, now) if slope is not None else None
    return Judged(unit=unit, values=values | _limit_measures(slope, meets), slope=slope, meets=meets)


def _number(value: Decimal | None, unit: Unit) -> Number | None:
    return None if value is None else Number(value, unit)


def _thens(readings: Sequence[tuple[Earlier, Number]]) -> dict[str, Decimal | None]:
    """Return the reading before the last one, and those of a day and of a week before it."""
    last, _ = readings[-1]
    found: dict[str, Decimal | None] = {"previous": readings[-2][1].value if len(readings) > 1 else None}
    for name, days in (("yesterday", 1), ("last_week", 7)):
        ago = dt.timedelta(days=days)
        date, moment = last.business_date - ago, last.at - ago
        of_date = [
            (abs(each.at - moment), value.value)
            for each, value in readings[:-1]
            if each.period.start <= date <= each.period.end
        ]
        found[name] = min(of_date)[1] if of_date else None
    return found


def _limit_measures(slope: Slope | None, meets: Meeting | None) -> dict[str, Value]:
    days = (meets.expected, meets.early, meets.late) if meets is not None else (None, None, None)
    found: dict[str, Value] = {
        name: None if each is None else seconds(round(each * _DAY))
        for name, each in zip(OF_LIMITS, days, strict=True)
    }
    found["limit_state"] = str(_nearing(slope, meets))
    return found


def _nearing(slope: Slope | None, meets: Meeting | None) -> Nearing:
    if meets is not None and meets.reached:
        return Nearing.REACHED
    if slope is None or meets is None or slope.low is None:
        return Nearing.UNCLEAR
    if meets.late is not None:
        return Nearing.AHEAD
    return Nearing.POSSIBLE if meets.early is not None else Nearing.NOT_AHEAD
