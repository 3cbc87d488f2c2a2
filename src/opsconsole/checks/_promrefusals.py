"""Answers of Prometheus that are none to what was asked: of another time, with gaps, or that ended on the way."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal

from opsconsole.checks._http import Endpoint
from opsconsole.checks._promages import Ages
from opsconsole.checks._promapi import CLOCK, Answered, Series
from opsconsole.checks._promrange import Summary
from opsconsole.checks._spans import Span
from opsconsole.contracts.probe import Context, ProbeError
from opsconsole.model.readings import Evidence
from opsconsole.model.text import shortened
from opsconsole.model.values import Duration, Number, Unit, formatted, seconds

_SHOWN = 200
"""Characters of names in a cause."""


def other_kind(kind: str) -> ProbeError:
    """Return the problem of an answer that is of a kind which nothing is made of."""
    hint = "a selector with a range, such as x[5m], has to go through a function: rate(x[5m])"
    return ProbeError("bad-query", f"the query comes to a {kind}, which is not judged", hint)


def refuse_other_time(endpoint: Endpoint, found: Answered, context: Context, max_age: Duration) -> None:
    """Raise ProbeError where an answer is of another time, as of a cache, or of a clock that stands still."""
    if found.at is None:
        return
    apart = abs((found.at - context.now).total_seconds())
    if apart > max(CLOCK, float(max_age.seconds)) + context.timeout:
        raise ProbeError(
            "stale",
            f"{endpoint.name} answers for {found.at:%Y-%m-%d %H:%M:%SZ}, which is "
            f"{formatted(seconds(int(apart)))} from now",
            "are the clocks of both hosts right, or does a cache answer in its place?",
        )


def refuse_other_points(endpoint: Endpoint, found: Answered, span: Span, step: int) -> None:
    """Raise ProbeError where points lie beyond what was asked for, as in the answer of a cache.

    Some servers move the ends to multiples of the step (Mimir and Thanos, where they are told to).
    """
    first, last = span.begins - dt.timedelta(seconds=step), span.ends + dt.timedelta(seconds=step)
    odd = next((at for each in found.series for at in _ends(each) if not first <= at <= last), None)
    if odd is not None:
        raise ProbeError(
            "stale",
            f"{endpoint.name} answers with points of {odd:%Y-%m-%d %H:%M:%SZ}, which were not asked for",
            "does a cache answer in its place?",
        )


def refuse_ended(endpoint: Endpoint, found: Answered, ages: Ages, span: Span, step: int, max_age: Duration) -> None:
    """Raise ProbeError where the points end before the stretch does, for want of samples that there were."""
    newest = max((each.samples[-1].at for each in found.series if each.samples), default=None)
    late = max_age.timedelta() + dt.timedelta(seconds=step)
    if not ages.absent or newest is None or span.ends - newest <= late:
        return
    gone = shortened(" and ".join(each.text for each in ages.absent), _SHOWN)
    raise ProbeError(
        "stale",
        f"{endpoint.name} has no samples of {gone} any more, and no points since {newest:%Y-%m-%d %H:%M:%SZ}",
        "is it still scraped, under the same name?",
        (ages.evidence(),),
    )


def refuse_gaps(sums: Mapping[str, Summary], found: Answered, least: Decimal, notes: Sequence[Evidence]) -> None:
    """Raise ProbeError where a series has fewer of the points that were asked for than `least` percent."""
    bad = [(name, each) for name, each in sums.items() if each.coverage < least]
    if bad:
        name, worst = min(bad, key=lambda each: each[1].coverage)
        others = f", and {len(bad) - 1} more have too few" if len(bad) > 1 else ""
        share = formatted(Number(worst.coverage, Unit.PERCENT))
        raise ProbeError(
            "partial",
            f"{name or 'the series'} has {worst.points} points, {share} of those asked for{others}",
            "it was not there, or was not scraped; where that does not matter, lower `min_coverage`",
            tuple(each for each in (*notes, *found.notes) if each.text),
        )


def _ends(each: Series) -> Sequence[dt.datetime]:
    """Return the times of the first and the last point of a series."""
    return [one.at for one in (*each.samples[:1], *each.samples[-1:])]
