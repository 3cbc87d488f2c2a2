"""What a `history` item found, in words and as a table: the evidence beside its measures."""

from collections.abc import Iterator
from decimal import Decimal

from opsconsole.checks._lookback import Asked, Looked
from opsconsole.checks._pastmeasures import Judged, availability_due, growth_measures
from opsconsole.model.charts import sparkline
from opsconsole.model.outcomes import Outcome
from opsconsole.model.text import counted
from opsconsole.model.trends import Meeting
from opsconsole.model.values import Duration, Number, Quantity, Unit, Value, formatted, shown

_NAMED = 10
"""Missed periods that are named."""
_DAY = Decimal(86400)


def rows_of(asked: Asked, looked: Looked, most: int) -> tuple[tuple[str, ...], tuple[tuple[Value, ...], ...]]:
    """Return the columns and rows of the latest `most` runs, one each, in the order of time."""
    values = {each.run: value for each, value in looked.readings}
    rows: list[tuple[Value, ...]] = []
    for each in looked.runs[-most:]:
        beside = (values.get(each.run),) if asked.subject else ()
        rows.append((each.business_date.isoformat(), *beside, str(each.outcome), each.run))
    return ("date", *(("value",) if asked.subject else ()), "outcome", "run"), tuple(rows)


def summary(asked: Asked, looked: Looked, judged: Judged | None, *, limit: Quantity | None, ahead: Duration) -> str:
    """Return what was found, the period looked at first."""
    return "\n".join(_lines(asked, looked, judged, limit, ahead))


def _lines(
    asked: Asked, looked: Looked, judged: Judged | None, limit: Quantity | None, ahead: Duration
) -> Iterator[str]:
    yield f"{name_of(asked)}, over {_over(asked.over)}"
    if looked.runs:
        first, last = looked.runs[0].business_date, looked.runs[-1].business_date
        yield f"{counted(len(looked.runs), 'run')} {f'of {first}' if first == last else f'from {first} to {last}'}"
    yield _gaps(looked)
    share = availability_due(looked.periods, looked.runs)
    if share is not None:
        yield f"available in {formatted(share)} of the periods that were due"
    if looked.left_out:
        yield f"of the readings {', '.join(looked.left_out)}"
    outcomes = [(outcome, sum(each.outcome is outcome for each in looked.runs)) for outcome in Outcome]
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes if count)
    if told:
        yield f"outcomes: {told}"
    if judged is not None:
        yield from _numbers(looked, judged, limit, ahead)
    if asked.before:
        yield f"the stretch before: {counted(len(looked.before), 'run')}{_grown(looked, judged)}"


def _grown(looked: Looked, judged: Judged | None) -> str:
    if judged is None or not looked.readings or not looked.readings_before:
        return ""
    found = growth_measures(looked)
    return f", mean {shown(found['mean_before'])}; it has grown by {shown(found['growth'])}"


def name_of(asked: Asked) -> str:
    """Return what is looked at, for a person."""
    parts = [f"{asked.checklist}: {asked.item}"]
    parts += [f"target {asked.target}"] if asked.target else []
    subject = f"{asked.subject} minus {asked.minus}" if asked.minus else asked.subject
    parts += [f"{subject} of {asked.row}" if asked.row else subject] if asked.subject else []
    return ", ".join(parts)


def _over(over: int | str) -> str:
    return str(over) if isinstance(over, str) else "the last run" if over == 1 else f"the last {over} runs"


def _gaps(looked: Looked) -> str:
    if not looked.missing:
        return f"none of {looked.due} due is missing"
    more = f" and {len(looked.missing) - _NAMED} more" if len(looked.missing) > _NAMED else ""
    verb = "is" if len(looked.missing) == 1 else "are"
    return f"{len(looked.missing)} of {looked.due} due {verb} missing: {', '.join(looked.missing[:_NAMED])}{more}"


def _numbers(looked: Looked, judged: Judged, limit: Quantity | None, ahead: Duration) -> Iterator[str]:
    values = judged.values

    def said(name: str) -> str:
        return shown(values[name])

    yield _line(looked, judged.unit)
    yield f"median {said('median')}, spread {said('spread')} (1.4826 times the median absolute deviation)"
    yield f"mean {said('mean')}, min {said('min')}, p95 {said('p95')}, max {said('max')}"
    yield f"last {said('last')}; " + "; ".join(
        _change(values, name, words)
        for name, words in (
            ("previous", "the one before"),
            ("yesterday", "a day before"),
            ("last_week", "a week before"),
        )
    )
    slope = judged.slope
    if slope is None:
        yield "no slope: all readings are of one instant"
        return
    interval = (
        f"{slope.confidence.normalize():f} % interval {said('slope_per_day_low')} to {said('slope_per_day_high')}"
        if slope.low is not None
        else f"too few readings for an interval of {slope.confidence.normalize():f} %"
    )
    yield f"slope {said('slope_per_day')} per day, {interval}: {said('trend')} (Theil-Sen)"
    if slope.readings < len(looked.readings):
        yield f"of {len(looked.readings):,} readings, medians of {slope.readings} groups in time make the slope"
    bounds = f" ({said('projected_low')} to {said('projected_high')})" if slope.low is not None else ""
    yield f"in {ahead} the line is at {said('projected')}{bounds}"
    if limit is not None and judged.meets is not None:
        yield _limit(judged.meets, limit)


def _line(looked: Looked, unit: Unit) -> str:
    numbers = {each.run: value.value for each, value in looked.readings}
    drawn = sparkline([numbers.get(each.run) for each in looked.runs])
    if drawn is None:
        return "no readings"
    most = f", the highest of {drawn.per_cell} readings each" if drawn.per_cell > 1 else ""
    low, high = formatted(Number(drawn.low, unit)), formatted(Number(drawn.high, unit))
    return f"{drawn.text}  {low} to {high}{most}"


def _change(values: dict[str, Value], name: str, words: str) -> str:
    then, change = values[f"value_{name}"], values[f"change_{name}"]
    if not isinstance(then, Number) or not isinstance(change, Number):
        return f"{words} none"
    share = values[f"change_{name}_percent"]
    sign = "+" if change.value > 0 else ""
    percent = f", {sign}{formatted(share)}" if isinstance(share, Number) else ""
    return f"{words} {formatted(then)} ({sign}{formatted(change)}{percent})"


def _limit(meets: Meeting, limit: Quantity) -> str:
    if meets.reached:
        return f"limit {limit}: reached"
    if meets.expected is None and meets.early is None:
        return f"limit {limit}: the trend does not lead there, so there is no day on which it would be reached"
    expected = f"in {_days(meets.expected)}" if meets.expected is not None else "not by the slope itself"
    early = f"in {_days(meets.early)} at the earliest" if meets.early is not None else ""
    late = f"in {_days(meets.late)} at the latest" if meets.late is not None else "perhaps never"
    return f"limit {limit}: {', '.join(filter(None, (expected, early, late)))}"


def _days(days: Decimal) -> str:
    return formatted(Number(days * _DAY, Unit.SECONDS))
