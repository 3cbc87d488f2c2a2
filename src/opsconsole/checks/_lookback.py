"""Which earlier runs a `history` item looks at, what they came to, and which of their readings are comparable."""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from opsconsole.contracts.past import History
from opsconsole.contracts.probe import Context
from opsconsole.model.calendar import Period, slot_begins, zone
from opsconsole.model.outcomes import Outcome
from opsconsole.model.past import ANOTHER_WAY, Earlier
from opsconsole.model.values import Duration, Number

WINDOW = "window"
ELAPSED = "elapsed"
_DAY = 86400
_SLOT = "T"
"""What the key of an interval has in it, and no other."""

_SKIPPED = "skipped"
_UNREAD = "without such a reading"
_OTHER_UNIT = "in another unit than the last one"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for."""

    checklist: str
    item: str
    subject: str
    row: str
    minus: str = ""
    target: str
    over: int | str
    signed: bool
    before: bool = False
    """Whether the stretch before the one that is looked at is looked at too."""


class Stretch(msgspec.Struct, frozen=True):
    """The dates that are looked at, both included."""

    since: dt.date | None
    until: dt.date
    begins_at: dt.datetime | None = None
    """Only what does not begin before this instant: intervals by the minute, others by whole local dates."""
    after: dt.date | None = None
    """The local date of that instant."""
    ends_at: dt.datetime | None = None
    """Only what begins before this instant, where that is not the beginning of the run that asks."""

    def holds(self, period: Period) -> bool:
        """Return whether a period does not begin too early or too late; its dates are another matter."""
        if self.begins_at is None or self.after is None:
            return True
        if _SLOT not in period.key:
            return period.start > self.after and (self.ends_at is None or period.end < self.until)
        begins_at = slot_begins(period)
        return begins_at >= self.begins_at and (self.ends_at is None or begins_at < self.ends_at)


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    runs: tuple[Earlier, ...]
    """In the order of time, each with the item; without those that are not signed where only signed ones count."""
    readings: tuple[tuple[Earlier, Number], ...] = ()
    """The comparable ones, in the order of time, all of one unit."""
    left_out: tuple[str, ...] = ()
    """Why others are not, in words."""
    due: int = 0
    """Periods that were due."""
    missing: tuple[str, ...] = ()
    """Those of them in which the item was not looked at: not opened, missed, or never measured."""
    items: tuple[str, ...] = ()
    """What items the checklist has, where no run was found."""
    periods: tuple[Period, ...] = ()
    """Those that were due, in the order of time."""
    before: tuple[Earlier, ...] = ()
    """The runs of the stretch before, in the order of time."""
    readings_before: tuple[tuple[Earlier, Number], ...] = ()
    """Those readings of it that are comparable with the later ones."""

    @property
    def judged(self) -> tuple[Earlier, ...]:
        """The runs in which the item applied and was looked at."""
        return tuple(each for each in self.runs if each.outcome not in {Outcome.SKIPPED, Outcome.PENDING})


def stretch_of(over: int | str, context: Context) -> Stretch:
    """Return the stretch that `over` means for the run that asks.

    Whole days are those before its business date; of a run every few minutes, and of a part of a day, they are
    counted back from the instant at which its period begins.
    """
    times = context.times
    if isinstance(over, int):
        return Stretch(None, times.business_date)
    if over == WINDOW:
        return Stretch(times.window.start, times.window.end)
    length = Duration.parse(over)
    days, rest = divmod(length.seconds, _DAY)
    if not rest and _SLOT not in times.period.key:
        date = times.business_date
        return Stretch(date - dt.timedelta(days=int(days)), date - dt.timedelta(days=1))
    begins_at = times.begins_at - length.timedelta()
    after = begins_at.astimezone(zone(times.timezone)).date()
    return Stretch(after, times.business_date, begins_at, after)


def stretch_before(stretch: Stretch, over: str, context: Context) -> Stretch:
    """Return the stretch of the same length before one that is no number of runs."""
    if stretch.begins_at is not None:
        begins_at = stretch.begins_at - Duration.parse(over).timedelta()
        after = begins_at.astimezone(zone(context.times.timezone)).date()
        until = stretch.begins_at.astimezone(zone(context.times.timezone)).date()
        return Stretch(after, until, begins_at, after, stretch.begins_at)
    since = stretch.since or stretch.until
    length = stretch.until - since + dt.timedelta(days=1)
    return Stretch(since - length, since - dt.timedelta(days=1))


def look_back(history: History, asked: Asked, context: Context, given_up: threading.Event) -> Looked:
    """Return what the record has; raise StoreError where it cannot be read.

    When `given_up` is set nobody waits for the answer any more, and it ends soon with a part of it.
    """
    stretch = stretch_of(asked.over, context)
    runs = list(_runs(history, asked, stretch, context, given_up))[::-1]
    due = _due(history, asked, stretch, context, runs)
    seen = {each.period.key for each in runs if each.outcome is not Outcome.PENDING}
    counted = [each for each in runs if each.signed or not asked.signed]
    unsigned = len(runs) - len(counted)
    if asked.signed:
        seen &= {each.period.key for each in counted}
    before = _before(history, asked, stretch, context, given_up)
    readings, left_out = comparable(asked, [*before, *counted]) if asked.subject else ([], [])
    known = {each.run for each in before}
    earlier = sum(each.run in known for each, _ in readings)
    if unsigned:
        left_out.append(_counted(unsigned, "not signed"))
    return Looked(
        runs=tuple(counted),
        readings=tuple(readings[earlier:]),
        left_out=tuple(left_out),
        due=len(due),
        missing=tuple(each.key for each in due if each.key not in seen),
        items=() if runs else tuple(history.items(asked.checklist)),
        periods=tuple(sorted(due, key=lambda each: (each.start, each.key))),
        before=tuple(before),
        readings_before=tuple(readings[:earlier]),
    )


def _before(
    history: History, asked: Asked, stretch: Stretch, context: Context, given_up: threading.Event
) -> list[Earlier]:
    """Return the runs of the stretch before, in the order of time; none where nobody asks for them."""
    if not asked.before or isinstance(asked.over, int):
        return []
    earlier = stretch_before(stretch, asked.over, context)
    runs = list(_runs(history, asked, earlier, context, given_up))[::-1]
    return [each for each in runs if each.signed or not asked.signed]


def _runs(
    history: History, asked: Asked, stretch: Stretch, context: Context, given_up: threading.Event
) -> Iterator[Earlier]:
    """Yield the runs of the stretch, the latest first; of a number of runs, as many that count."""
    found = history.earlier(
        asked.checklist,
        asked.item,
        target=asked.target,
        before=context.run if asked.checklist == context.checklist else "",
        since=stretch.since,
        until=stretch.until,
    )
    count = 0
    for each in found:
        if given_up.is_set():
            return
        if not stretch.holds(each.period):
            continue
        yield each
        count += each.signed or not asked.signed
        if isinstance(asked.over, int) and count >= asked.over:
            return


def _due(
    history: History, asked: Asked, stretch: Stretch, context: Context, runs: Sequence[Earlier]
) -> list[Period]:
    """Return the periods that were due and are over, from when the item was first in the list."""
    if not runs:
        return []
    since = stretch.since
    if since is None or not _was_there(history, asked, since):
        since = runs[0].period.start
    until = stretch.until
    if stretch.since is None or stretch.begins_at is not None:
        until = context.times.business_date
    own = context.times.period.key if asked.checklist == context.checklist else ""
    found = [each for each in history.due(asked.checklist, since, until) if each.key != own]
    found = _without_later_slots(found, context)
    if stretch.begins_at is None and stretch.since is not None:
        return [each for each in found if each.end <= until]
    return [each for each in found if _is_over(each, context) and stretch.holds(each)]


def _is_over(period: Period, context: Context) -> bool:
    return _SLOT in period.key or period.end < context.times.business_date


def _without_later_slots(found: Sequence[Period], context: Context) -> list[Period]:
    """Return the periods without the intervals that are not over: for a run of an interval those from its own on.

    For one of whole days that is the interval in which it asks, so that a morning list sees the whole night.
    """
    if not any(_SLOT in each.key for each in found):
        return list(found)
    if _SLOT in context.times.period.key:
        return [each for each in found if slot_begins(each) < context.times.begins_at]
    begun = sorted((each for each in found if slot_begins(each) <= context.now), key=slot_begins)
    whole = len(begun) == len(found) and found[-1].end < context.times.business_date
    return begun if whole else begun[:-1]


def _was_there(history: History, asked: Asked, since: dt.date) -> bool:
    """Return whether the last run before a date had the item already: what is due counts from its first run on."""
    before = history.earlier(asked.checklist, asked.item, until=since - dt.timedelta(days=1), limit=1)
    return next(before, None) is not None


def comparable(asked: Asked, runs: Sequence[Earlier]) -> tuple[list[tuple[Earlier, Number]], list[str]]:
    """Return the numbers that can be compared with one another, and why others cannot.

    The last reading decides: what was measured in another way or unit is told and left out.
    """
    method = next((each.method for each in reversed(runs) if _value(asked, each) is not None), "")
    left_out: Counter[str] = Counter()
    found: list[tuple[Earlier, Number]] = []
    for each in runs:
        value = _value(asked, each)
        if each.outcome is Outcome.SKIPPED and not each.unpaired:
            left_out[_SKIPPED] += 1
        elif value is None:
            left_out[_UNREAD] += 1
        elif each.method != method:
            left_out[ANOTHER_WAY] += 1
        else:
            found.append((each, value))
    unit = found[-1][1].unit if found else None
    kept = [(each, value) for each, value in found if value.unit is unit]
    left_out[_OTHER_UNIT] += len(found) - len(kept)
    return kept, [_counted(count, why) for why, count in left_out.items() if count]


def _value(asked: Asked, each: Earlier) -> Number | None:
    if asked.subject == ELAPSED:
        return each.elapsed if each.reading is not None else None
    value = each.value(asked.subject, asked.row)
    if value is None or not asked.minus:
        return value
    other = each.value(asked.minus, asked.row)
    if other is None or other.unit is not value.unit:
        return None
    return Number(value.value - other.value, value.unit)


def _counted(count: int, why: str) -> str:
    return f"{count} {'was' if count == 1 else 'were'} {why}"
