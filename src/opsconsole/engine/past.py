"""Reads earlier runs for comparisons: the `history` probe, and conditions that speak of a baseline or last week."""

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from zoneinfo import ZoneInfo

from opsconsole.contracts.past import History
from opsconsole.contracts.store import RunKey, Store, StoreError
from opsconsole.engine.sparing import SparingReader
from opsconsole.model.calendar import (
    Period,
    Times,
    due_date,
    instant,
    is_slot,
    period_of,
    periods_since,
    slot_begins,
    slots_of,
    zone,
)
from opsconsole.model.checklists import Cadence, Checklist, Item
from opsconsole.model.past import Earlier, earlier_of, looks_back, pasts_of, unreadable_pasts
from opsconsole.model.period_names import dates_named
from opsconsole.model.readings import Past, Reading
from opsconsole.model.runs import RunState

LOOKED_BACK = 400
"""Earlier runs in which a condition looks for readings to compare with, at most: a year of days."""
KEPT = 600
"""Folded runs that are kept, those asked for last: two days of five minutes, and a month of twenty lists."""
_PAGE = 256
"""Names of runs that are asked for at first; each time that more are needed, four times as many."""
_FIRST = 300
"""Names of the earliest date's runs among which the first is looked for: a day of five minutes."""


class StoreHistory:
    """The past as a store has it. Few folded runs are kept, and no evidence: a record grows for years."""

    def __init__(
        self,
        store: Store,
        checklists: Mapping[str, Checklist],
        zone_of: Callable[[Checklist], ZoneInfo],
    ) -> None:
        self._store = store
        self._checklists = checklists
        self._zone_of = zone_of
        self._reader = SparingReader(store)
        self._folded: OrderedDict[str, RunState] = OrderedDict()
        self._lock = threading.Lock()

    def earlier(
        self,
        checklist: str,
        item: str,
        *,
        target: str = "",
        before: str = "",
        since: dt.date | None = None,
        until: dt.date | None = None,
        limit: int = 0,
    ) -> Iterator[Earlier]:
        """Yield what an item came to in earlier runs; see contracts.past.History."""
        last = RunKey.parse(before) if before else None
        end = _order(last.period) if last is not None and last.checklist == checklist else None
        looked_at = 0
        for key in self._keys(checklist):
            starts, ends = span_of(key.period)
            if (end is not None and _order(key.period) >= end) or (until is not None and starts > until):
                continue
            if (limit and looked_at == limit) or (since is not None and ends < since):
                return
            state = self._reader.state(key.id, item)
            if state is None or not _within(state.times.period, since, until):
                continue
            looked_at += 1
            each = earlier_of(state, item, target)
            if each is not None:
                yield each

    def near(
        self, definition: Checklist, item: str, date: dt.date, times: Times, *, target: str = ""
    ) -> Iterator[Earlier]:
        """Yield what an item came to in the runs of a date; see contracts.past.History."""
        for period in _periods_near(definition, date, times):
            state = None
            if period.key != times.period.key:
                state = self._reader.state(RunKey(definition.id, period.key).id, item)
            each = earlier_of(state, item, target) if state is not None else None
            if each is not None:
                yield each

    def _keys(self, checklist: str) -> Iterator[RunKey]:
        """Yield the runs of a checklist, the latest first, in pages: who wants last week asks for no ten years."""
        seen: set[str] = set()
        page = _PAGE
        while True:
            keys = self._store.runs(checklist, limit=page)
            yield from (key for key in keys if key.period not in seen)
            if len(keys) < page:
                return
            seen.update(key.period for key in keys)
            page *= 4

    def state(self, run: str) -> RunState | None:
        """Return a run as it is now, without evidence and only to be read; a kept one takes in what is new."""
        with self._lock:
            known = self._folded.pop(run, None)
            if known is None:
                known = self._reader.state(run)
            else:
                for stored in self._reader.events(run, after=known.last_seq):
                    known.apply(stored)
            if known is not None:
                self._folded[run] = known
            while len(self._folded) > KEPT:
                self._folded.popitem(last=False)
            return known

    def due(self, checklist: str, since: dt.date, until: dt.date) -> Sequence[Period]:
        """Return the periods that were due; see contracts.past.History."""
        definition = self._checklists.get(checklist)
        keys = self._store.runs(checklist)
        if definition is None or not keys or until < since:
            return ()
        where = self._zone_of(definition)
        begun = min(_order(key.period) for key in keys[-_FIRST:])
        end = instant(until + dt.timedelta(days=1), dt.time(), where) - dt.timedelta(microseconds=1)
        dated = (
            (each, due_date(each, definition.due, definition.cadence))
            for each in periods_since(definition, max(since, begun[0]), end, where)
        )
        return [
            each
            for each, date in dated
            if date is not None and since <= date <= until and _order(each.key) >= begun
        ]

    def items(self, checklist: str) -> Collection[str]:
        """Return the ids of a checklist's items; see contracts.past.History."""
        definition = self._checklists.get(checklist)
        if definition is None:
            keys = self._store.runs(checklist, limit=1)
            state = self.state(keys[0].id) if keys else None
            definition = state.definition if state is not None else None
        return tuple(each.id for each in definition.items) if definition is not None else ()


def pasts(
    history: History,
    run: str,
    definition: Checklist,
    times: Times,
    item: Item,
    reading: Reading,
    target: str = "",
) -> tuple[Past, ...]:
    """Return what the conditions of an item compare its reading in `run` with. Synchronous: call it from a thread.

    Where the record cannot be read, that is what they say: it is no lack of a past.
    """
    if not looks_back(item):
        return ()
    lately = history.earlier(definition.id, item.id, target=target, before=run, limit=LOOKED_BACK)
    on = partial(_on, history, definition, item.id, times, target)
    try:
        return pasts_of(item, reading, lately, on, times.business_date)
    except StoreError as error:
        return unreadable_pasts(item, reading, str(error))


def _on(
    history: History, definition: Checklist, item: str, times: Times, target: str, date: dt.date
) -> Iterator[Earlier]:
    return history.near(definition, item, date, times, target=target)


def _periods_near(definition: Checklist, date: dt.date, times: Times) -> Sequence[Period]:
    """Return the periods that hold a date; of intervals, first what begins at the time of day of the asking one.

    The time of day is that on the clock of the list's zone, on both sides of a change of it.
    """
    if definition.cadence is Cadence.ONCE:
        return ()
    if definition.cadence is not Cadence.INTERVAL:
        return (period_of(date, definition.cadence),)
    if definition.due.every is None:
        return ()
    where = zone(times.timezone)
    local = times.begins_at.astimezone(where)
    moment = instant(local.date() - (times.business_date - date), local.time(), where)
    slots = slots_of(date, definition.due.every.timedelta(), where)
    return sorted(slots, key=lambda each: abs(slot_begins(each) - moment))


# --- names of periods --------------------------------------------------------------------------------


def span_of(key: str) -> tuple[dt.date, dt.date]:
    """Return the first and the last date that a period of this name can hold, whatever checklist it is of.

    The name of an interval is in UTC: its date is that one, the one before or the one after. Raises ValueError for
    what is no name of a period.
    """
    period = dates_named(key)
    if period is None:
        raise ValueError(f"'{key}' names no period")
    around = dt.timedelta(days=1 if is_slot(key) else 0)
    return period.start - around, period.end + around


def _order(key: str) -> tuple[dt.date, str]:
    return span_of(key)[0], key


def _within(period: Period, since: dt.date | None, until: dt.date | None) -> bool:
    return (since is None or period.end >= since) and (until is None or period.start <= until)
