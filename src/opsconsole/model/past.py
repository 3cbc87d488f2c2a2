"""An item's own past: which earlier readings are comparable with a new one, and what they come to."""

import calendar
import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import msgspec

from opsconsole.model.calendar import Period
from opsconsole.model.checklists import EntryKind, Item
from opsconsole.model.conditions import Condition
from opsconsole.model.deeds import Attempt
from opsconsole.model.encoding import canonical, plain
from opsconsole.model.item_state import ItemState
from opsconsole.model.judging import ENTRY, past_subjects, row_names, value_at
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Judgement, Past, Reading, Verdict
from opsconsole.model.runs import RunState
from opsconsole.model.text import counted, there_are
from opsconsole.model.trends import median
from opsconsole.model.values import Number, Unit, Value

_MONTHS = 12

ANOTHER_WAY = "measured in another way, for its probe or options were edited since"
_NOT_APPLICABLE = "skipped"
_NOT_READ = "without such a reading"
_ANOTHER_UNIT = "in another unit"


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """What an item came to in one earlier run: the last attempt for one of its targets."""

    run: str
    business_date: dt.date
    period: Period
    at: dt.datetime
    """When it was measured, or entered; when the run was opened where neither was done."""
    outcome: Outcome
    """Of the target, or of the whole item where none is named; after skips, waivers and amendments."""
    reading: Reading | None = None
    """None where there was none. Its evidence is left out."""
    entered: Value = None
    elapsed: Number | None = None
    """How long the measurement took."""
    method: str = ""
    """See `method_of`: readings that were taken in another way are not comparable."""
    signed: bool = False
    unpaired: bool = False
    """Whether there was too little to compare it with: where it is SKIPPED for that alone, its reading counts, and
    so does what was typed in."""
    targets: tuple[str, ...] = ()
    """What the item was measured for, each by itself."""
    parts: dict[str, "Earlier"] = {}
    """What each of its targets came to, by its name; nothing where one target alone is asked for."""
    cause: str = ""
    """In one line what was wrong, where it did not pass."""

    def value(self, subject: str, row: str = "") -> Number | None:
        """Return the number that a measure, column or entry had; None where it had none, or one not finite.

        One that is only known to be at least something is none either.
        """
        if subject == ENTRY:
            found = self.entered
        elif self.reading is None or (not row and subject in self.reading.lower_bounds):
            found = None
        else:
            found = value_at(self.reading, subject, row)
        return found if isinstance(found, Number) and found.value.is_finite() else None


def method_of(item: Item) -> str:
    """Return the SHA-256 of how an item is measured: its probe, options and entry, not what is asked of it."""
    said = {"probe": item.probe, "options": plain(item.options), "entry": plain(item.entry)}
    return hashlib.sha256(canonical(said)).hexdigest()


def earlier_of(state: RunState, item: str, target: str = "") -> Earlier | None:
    """Return what an item came to in a run, None where the run had no such item or was missed."""
    found = state.items.get(item)
    if found is None or state.missed:
        return None
    method = method_of(found.item)
    whole = _earlier(state, found, target, method)
    if target or not found.targets:
        return whole
    parts = {name: _earlier(state, found, name, method) for name in found.targets}
    return msgspec.structs.replace(whole, parts=parts)


def _earlier(state: RunState, found: ItemState, target: str, method: str) -> Earlier:
    latest = found.latest.get(target)
    typed = found.typed
    at = latest.body.started_at if latest is not None else typed.by.at if typed is not None else state.opened.at
    reading = latest.body.reading if latest is not None and latest.body.problem is None else None
    return Earlier(
        run=state.run,
        business_date=state.times.business_date,
        period=state.times.period,
        at=at,
        outcome=_outcome_of(found, latest) if target else found.outcome,
        cause=_cause(found, target),
        reading=reading,
        entered=typed.body.value if typed is not None else None,
        elapsed=latest.body.elapsed if latest is not None else None,
        method=method,
        signed=state.signed is not None,
        unpaired=found.skipped is None and _lacked_a_past(found.judgements.get(target)),
        targets=found.targets,
    )


def _cause(found: ItemState, target: str) -> str:
    if not target:
        return "" if found.outcome is Outcome.PASS else found.measured_summary
    judgement = found.judgements.get(target)
    return "" if judgement is None or judgement.outcome is Outcome.PASS else judgement.summary


def _lacked_a_past(judgement: Judgement | None) -> bool:
    findings = judgement.findings if judgement is not None else ()
    return any(each.verdict in {Verdict.NO_HISTORY, Verdict.UNREAD} for each in findings)


def _outcome_of(item: ItemState, latest: Attempt | None) -> Outcome:
    """Return what one target came to: what a person decided of the item holds for each of its targets."""
    if item.failed is not None or item.skipped is not None:
        return item.outcome
    own = latest.body.judgement.outcome if latest is not None else Outcome.PENDING
    return Outcome.WAIVED if item.waiver is not None and own is not Outcome.PASS else own


# --- what conditions compare with --------------------------------------------------------------------


def looks_back(item: Item) -> bool:
    """Return whether a condition of an item speaks of its past."""
    return any(each.past() for each in (*item.require, *item.target))


def pasts_of(
    item: Item,
    reading: Reading,
    lately: Iterable[Earlier],
    on: Callable[[dt.date], Iterable[Earlier]],
    today: dt.date,
) -> tuple[Past, ...]:
    """Return what the conditions of an item compare its new `reading` with.

    `lately` is what it came to before, the latest first; it is asked for no more of it than is needed. `on` gives
    the same for the runs whose period holds a date, the run to be compared with first. `today` is the business date
    of the reading, from which yesterday and last week are counted.
    """
    recent = _Replayed(lately)
    seen = {subject: _duplicates(reading, subject) for subject, _, _ in _wanted(item, reading)}
    names: dict[tuple[str, str], list[str]] = {}
    for subject, row, name in _wanted(item, reading):
        names.setdefault((subject, row), []).append(name)
    found = []
    for (subject, row), wanted in names.items():
        if row in seen[subject]:
            found.append(Past(subject, row, problem=f"several rows are called '{row}'"))
            continue
        sieve = partial(_sieved, method_of(item), subject, row, _unit_of(item, reading, subject, row))
        found.append(_past(item, Past(subject, row), wanted, recent, on, sieve, today))
    return tuple(found)


def unreadable_pasts(item: Item, reading: Reading, why: str) -> tuple[Past, ...]:
    """Return the same where earlier readings could not be had."""
    problem = f"the record could not be read: {why}"
    wanted = dict.fromkeys((subject, row) for subject, row, _ in _wanted(item, reading))
    return tuple(Past(subject, row, problem=problem) for subject, row in wanted)


def _wanted(item: Item, reading: Reading) -> list[tuple[str, str, str]]:
    conditions: Sequence[Condition] = (*item.require, *item.target)
    return past_subjects(conditions, reading)


def _duplicates(reading: Reading, subject: str) -> frozenset[str]:
    """Return the names that several rows have, of which none can be told from the others in an earlier reading."""
    if subject not in reading.columns:
        return frozenset()
    return frozenset(name for name, count in Counter(row_names(reading)).items() if count > 1)


def _unit_of(item: Item, reading: Reading, subject: str, row: str) -> Unit | None:
    if subject == ENTRY:
        return item.entry.unit if item.entry is not None and item.entry.kind is EntryKind.NUMBER else None
    value = value_at(reading, subject, row)
    return value.unit if isinstance(value, Number) else None


class _Replayed:
    """Reads what is given once, as far as anybody asks, and gives it again to whoever asks after."""

    def __init__(self, source: Iterable[Earlier]) -> None:
        self._source = iter(source)
        self._read: list[Earlier] = []

    def __iter__(self) -> Iterator[Earlier]:
        index = 0
        while True:
            if index == len(self._read):
                following = next(self._source, None)
                if following is None:
                    return
                self._read.append(following)
            yield self._read[index]
            index += 1


_Sieve = Callable[[Earlier], Number | str]
"""Returns what an earlier run read of the subject, or in words why that is not comparable."""


def _sieved(method: str, subject: str, row: str, unit: Unit | None, each: Earlier) -> Number | str:
    """Return the comparable number of an earlier run.

    A red one is as much of the past as a green one: what was measured counts, however it was judged. Only what a
    person or the list itself called not applicable does not.
    """
    if each.method != method:
        return ANOTHER_WAY
    if each.outcome is Outcome.SKIPPED and not each.unpaired:
        return _NOT_APPLICABLE
    value = each.value(subject, row)
    if value is None:
        return _NOT_READ
    return value if unit is None or value.unit is unit else _ANOTHER_UNIT


def _past(
    item: Item,
    bare: Past,
    names: Sequence[str],
    recent: Iterable[Earlier],
    on: Callable[[dt.date], Iterable[Earlier]],
    sieve: _Sieve,
    today: dt.date,
) -> Past:
    values: dict[str, Number] = {}
    runs: dict[str, str] = {}
    missing: dict[str, str] = {}
    readings = 0
    for name in dict.fromkeys(names):
        if name == "baseline":
            taken, left_out = _taken(recent, sieve, item.baseline.readings)
            readings = len(taken)
            if readings >= item.baseline.least:
                values[name] = _middle([value for _, value in taken])
                continue
            needed = counted(item.baseline.least, "earlier reading")
            why = f"a baseline needs {needed}, and {there_are(readings)}"
        else:
            date = None if name == "previous" else _AGO[name](today)
            taken, left_out = _taken(recent if date is None else on(date), sieve, 1)
            if taken:
                runs[name], values[name] = taken[0]
                continue
            why = "there is no earlier reading" if date is None else f"there is no reading of {date}"
        missing[name] = why + _beside(left_out)
    return msgspec.structs.replace(bare, values=values, runs=runs, readings=readings, missing=missing)


def _taken(earlier: Iterable[Earlier], sieve: _Sieve, most: int) -> tuple[list[tuple[str, Number]], Counter[str]]:
    """Return the first comparable numbers with their runs, and why others were left out on the way there."""
    taken: list[tuple[str, Number]] = []
    left_out: Counter[str] = Counter()
    for each in earlier:
        found = sieve(each)
        if isinstance(found, str):
            left_out[found] += 1
            continue
        taken.append((each.run, found))
        if len(taken) == most:
            break
    return taken, left_out


def _beside(left_out: Counter[str]) -> str:
    """Return in words what there was that could not be used."""
    told = [f"{count} {'was' if count == 1 else 'were'} {why}" for why, count in left_out.items()]
    return f" ({'; '.join(told)})" if told else ""


def _middle(numbers: Sequence[Number]) -> Number:
    return Number(median([each.value for each in numbers]), numbers[0].unit)


def months_before(date: dt.date, months: int) -> dt.date:
    """Return the same day so many months before; the last of its month where that is shorter."""
    index = date.year * _MONTHS + date.month - 1 - months
    year, month = index // _MONTHS, index % _MONTHS + 1
    return dt.date(year, month, min(date.day, calendar.monthrange(year, month)[1]))


_AGO: dict[str, Callable[[dt.date], dt.date]] = {
    "yesterday": lambda date: date - dt.timedelta(days=1),
    "last_week": lambda date: date - dt.timedelta(days=7),
    "last_month": lambda date: months_before(date, 1),
    "last_quarter": lambda date: months_before(date, 3),
}
"""Which date the names of conditions.PAST speak of, counted from the business date."""
