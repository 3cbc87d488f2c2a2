"""Probe `history`: the program's own past, what an item came to in earlier runs and where its readings go."""

import asyncio
import re
import threading
from collections.abc import Sequence
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from functools import partial

import msgspec

from opsconsole.checks import _pasttables, _pasttext
from opsconsole.checks._lookback import ELAPSED, WINDOW, Asked, Looked, look_back
from opsconsole.checks._pastmeasures import (
    OF_BEFORE,
    OF_LIMITS,
    OF_OUTCOMES,
    OF_VALUES,
    OF_VALUES_BEFORE,
    SHARES,
    Judged,
    before_measures,
    growth_measures,
    outcome_measures,
    value_measures,
)
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.past import History
from opsconsole.contracts.probe import (
    TOO_LITTLE_HISTORY,
    Context,
    Environment,
    ProbeError,
    ProbeKind,
    Subjects,
    Use,
)
from opsconsole.contracts.store import StoreError
from opsconsole.model.checklists import ID
from opsconsole.model.judging import ENTRY
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.text import counted, there_are
from opsconsole.model.trends import CONFIDENCE, Bound
from opsconsole.model.values import Duration, Quantity, Unit, UnitError, parse_quantity

ROWS = 400
"""Runs that stand in the table, the latest ones. With more, `count` is still of all of them."""
MOST_RUNS = 10_000
_LEAST_CONFIDENCE, _MOST_CONFIDENCE = Decimal(50), Decimal("99.9")
_MOST_DAYS = 36525
_NAME = re.compile(r"[^\x00-\x1f]{1,200}\Z")


class By(StrEnum):
    """What a row of the table is."""

    RUN = "run"
    TARGET = "target"
    CAUSE = "cause"


class HistoryOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `history`."""

    item: str
    """The id of the item whose past is looked at."""
    checklist: str = ""
    """The checklist that the item stands in; this one where it is left out. The run that asks is never part of its
    own past."""
    subject: str = ""
    """The number that is looked at: a measure of the item's readings, a column (with `row`), `entry` for what was
    typed in, or `elapsed` for how long measuring took. Without it only outcomes are counted."""
    minus: str = ""
    """Another number of the same reading, taken away from it: `subject = "entry"` with `minus = "value"` looks at
    by how much what was typed in differed from what was measured."""
    row: str = ""
    """What the row is called whose column is meant: its label, else its first text."""
    for_target: str = ""
    """Which of its targets is meant, where the item has `for_each`."""
    over: int | str = "30 d"
    """How far to look back: so many runs (`14`), so long (`30 d`, which are the thirty days before the business
    date), or `window`, what the run looks back over: the week before, the days of a qualification."""
    least: int = 5
    """With fewer readings nothing is said: the item comes to what its `on_no_history` says."""
    signed: bool = False
    """Count signed runs only; others are as good as missing."""
    limit: str = ""
    """A value that the trend may reach, with its unit: `90%`, `20 GB`. Gives `limit_in` and `limit_state`."""
    bound: Bound = Bound.UPPER
    """Whether the limit is `upper` (disk space in use) or `lower` (disk space left)."""
    ahead: Duration = Duration.parse("30 d")
    """How far ahead the trend is drawn out for `projected`."""
    by: By = By.RUN
    """What a row of the table is: a `run`; a `target` of the item with its availability and the levels of the
    subject; or a `cause` with how often it made a run fail, numbers in it aside."""
    before: bool = False
    """Look at the stretch before too, of the same length: gives `growth` of the subject's mean, and which causes
    are new."""
    confidence: Decimal = CONFIDENCE
    """Percent, with which the slope lies between `slope_per_day_low` and `slope_per_day_high`."""


class HistoryProbe:
    """Reads the record in a thread of its own."""

    def __init__(self, history: History | None) -> None:
        self._history = history

    async def measure(self, options: HistoryOptions, context: Context) -> Reading:
        """Return what the earlier runs come to; too few of them are a ProbeError `too-little-history`."""
        if self._history is None:
            raise ProbeError("not-found", "there is no record here whose past could be looked at")
        asked = Asked(
            checklist=options.checklist or context.checklist,
            item=options.item,
            subject=options.subject,
            minus=options.minus,
            row=options.row,
            target=options.for_target,
            over=options.over,
            signed=options.signed,
            before=options.before,
        )
        looked = await _looked(self._history, asked, context)
        if _found(asked, looked, options) < options.least:
            raise _too_little(asked, looked, options)
        return await asyncio.to_thread(_reading, asked, looked, options, context)

    async def aclose(self) -> None:
        """Nothing to end."""


async def _looked(history: History, asked: Asked, context: Context) -> Looked:
    given_up = threading.Event()
    name = f"history {id(given_up)} of {asked.checklist}: {asked.item}"
    try:
        async with asyncio.timeout(context.allowance):
            return await in_thread(name, partial(look_back, history, asked, context, given_up))
    except TimeoutError:
        raise ProbeError(
            "timeout",
            f"the record was not read within {context.allowance:.3g} s",
            "raise `timeout`, or look back over less",
        ) from None
    except StoreError as error:
        raise ProbeError("failed", f"the record could not be read: {error}", error.hint) from error
    finally:
        given_up.set()


def _found(asked: Asked, looked: Looked, options: HistoryOptions) -> int:
    """Return how many readings or runs there are to say something by; of two stretches in that with fewer."""
    if not asked.subject or options.by is not By.RUN:
        return len(looked.judged)
    return min(len(looked.readings), len(looked.readings_before) if asked.before else len(looked.readings))


def _reading(asked: Asked, looked: Looked, options: HistoryOptions, context: Context) -> Reading:
    judged = _judged(looked, options, context) if asked.subject and options.by is By.RUN else None
    measures = outcome_measures(looked, context.now)
    if judged is not None:
        measures |= judged.values
    if asked.before:
        measures |= before_measures(looked) | (growth_measures(looked) if judged is not None else {})
    text = _pasttext.summary(asked, looked, judged, limit=_limit(options), ahead=options.ahead)
    truncated = False
    match options.by:
        case By.TARGET:
            columns, rows = _pasttables.by_target(asked, looked, context)
            if not rows:
                raise ProbeError(
                    "bad-options", f"{asked.item} was measured for no targets, so there is none to tell of"
                )
        case By.CAUSE:
            causes = _pasttables.causes_of(looked)
            measures |= _pasttables.cause_measures(causes, compared=asked.before)
            columns, rows = _pasttables.by_cause(causes, compared=asked.before)
            rows, truncated = rows[: _pasttables.MOST_CAUSES], len(rows) > _pasttables.MOST_CAUSES
        case By.RUN:
            columns, latest = _pasttext.rows_of(asked, looked, ROWS)
            rows = list(latest)
            truncated = len(looked.runs) > ROWS
    return Reading(
        measures=measures,
        columns=columns,
        rows=tuple(rows),
        label=columns[0] if options.by is not By.RUN else "run",
        truncated=truncated,
        evidence=(Evidence("history", text),),
        command=f"opsconsole history {asked.checklist}",
    )


def _judged(looked: Looked, options: HistoryOptions, context: Context) -> Judged:
    limit, unit = _limit(options), looked.readings[-1][1].unit
    if limit is not None and limit.number.unit is not unit:
        measured = "a plain number" if unit is Unit.COUNT else f"measured in {unit}"
        raise ProbeError(
            "bad-options", f"the limit {limit} is of another unit than '{options.subject}', which is {measured}"
        )
    return value_measures(
        looked.readings,
        confidence=options.confidence,
        now=context.now,
        ahead=options.ahead.timedelta(),
        limit=limit,
        bound=options.bound,
    )


def _limit(options: HistoryOptions) -> Quantity | None:
    return parse_quantity(options.limit) if options.limit else None


def _too_little(asked: Asked, looked: Looked, options: HistoryOptions) -> ProbeError:
    """Return why nothing can be said: that there is too little of a past, or that nothing of that name has one."""
    if not looked.runs and asked.item not in looked.items:
        return _unknown(asked, looked.items)
    targets = looked.runs[-1].targets if looked.runs else ()
    if asked.subject and options.by is By.RUN and targets and asked.target not in targets:
        named = f"no target '{asked.target}'" if asked.target else "several targets"
        return ProbeError(
            "bad-options", f"{asked.item} has {named}", f"name one by `for_target`: {', '.join(targets)}"
        )
    found = _found(asked, looked, options)
    beside = f" ({'; '.join(looked.left_out)})" if looked.left_out else ""
    needed = "is needed" if options.least == 1 else "are needed"
    text = _pasttext.summary(asked, looked, None, limit=None, ahead=options.ahead)
    return ProbeError(
        TOO_LITTLE_HISTORY,
        f"{_pasttext.name_of(asked)}: {counted(options.least, 'earlier reading')} {needed}{_in_each(asked)}, and "
        f"{there_are(found)}{beside}",
        "later runs will have more; else look back over more by `over`, ask for fewer by `least`, or say by "
        "`on_no_history` what it means for now",
        (Evidence("history", text),),
    )


def _in_each(asked: Asked) -> str:
    return " in each of both stretches" if asked.before else ""


def _unknown(asked: Asked, items: Sequence[str]) -> ProbeError:
    if not items:
        return ProbeError(
            "not-found", f"there is no checklist '{asked.checklist}', and no run of it", "is its name right?"
        )
    near = get_close_matches(asked.item, items, 1)
    hint = f"did you mean '{near[0]}'?" if near else f"it has {', '.join(items)}"
    return ProbeError("not-found", f"{asked.checklist} has no item '{asked.item}'", hint)


def _subjects(options: HistoryOptions) -> Subjects:
    found: dict[str, Unit | None] = dict(OF_OUTCOMES)
    unit = Unit.SECONDS if options.subject == ELAPSED else None
    if options.before:
        found |= OF_BEFORE
    if options.by is By.TARGET:
        return found | _pasttables.TARGET_COLUMNS | dict.fromkeys(_of_targets(options), unit)
    if options.by is By.CAUSE:
        found |= dict.fromkeys(
            ("causes", "most_frequent", *(("new_causes",) if options.before else ())), Unit.COUNT
        )
        return found | _pasttables.CAUSE_COLUMNS
    if options.subject:
        found |= dict.fromkeys(OF_VALUES, unit) | dict.fromkeys(SHARES, Unit.PERCENT) | {"trend": None}
    if options.subject and options.before:
        found |= dict.fromkeys(OF_VALUES_BEFORE, unit) | {"growth": Unit.PERCENT}
    if options.limit:
        found |= dict.fromkeys(OF_LIMITS, Unit.SECONDS) | {"limit_state": None}
    return found | dict.fromkeys(("date", *(("value",) if options.subject else ()), "outcome", "run"))


def _of_targets(options: HistoryOptions) -> tuple[str, ...]:
    return _pasttables.VALUE_COLUMNS if options.subject else ()


# --- what can be wrong with the options --------------------------------------------------------------


def _problems(options: HistoryOptions) -> list[tuple[str, str]]:
    found = []
    if not ID.fullmatch(options.item):
        found.append(("item", f"'{options.item}' is no id of an item"))
    if options.checklist and not ID.fullmatch(options.checklist):
        found.append(("checklist", f"'{options.checklist}' is no id of a checklist"))
    if options.subject and not _NAME.fullmatch(options.subject):
        found.append(("subject", "a name of at most 200 characters"))
    if options.row and options.subject in {"", ENTRY, ELAPSED}:
        found.append(("row", "means something beside a `subject` that is a column only"))
    if options.minus and (not options.subject or ELAPSED in {options.subject, options.minus}):
        found.append(("minus", "is taken away from a `subject` of the same reading"))
    found += _over_problems(options)
    found += _table_problems(options)
    if options.limit:
        found += _limit_problems(options)
    elif options.bound is not Bound.UPPER:
        found.append(("bound", "means nothing without a `limit`"))
    if not _LEAST_CONFIDENCE <= options.confidence <= _MOST_CONFIDENCE:
        found.append(("confidence", f"between {_LEAST_CONFIDENCE} and {_MOST_CONFIDENCE} percent"))
    return found


def _table_problems(options: HistoryOptions) -> list[tuple[str, str]]:
    found = []
    if options.by is By.TARGET and options.for_target:
        found.append(("for_target", "all targets are looked at: leave out `for_target`, or `by`"))
    if options.by is By.TARGET and options.before:
        found.append(("before", "goes with a single target, by `for_target`, and with causes"))
    if options.by is By.CAUSE and options.subject:
        found.append(("subject", "means nothing where causes are counted"))
    if options.by is not By.RUN and options.limit:
        found.append(("limit", "is of a single series: leave out `by`"))
    if options.before and isinstance(options.over, int):
        found.append(("before", "needs a stretch of time as `over`: '7 d', or 'window'"))
    return found


def _over_problems(options: HistoryOptions) -> list[tuple[str, str]]:
    over = options.over
    if options.least < 1:
        return [("least", "at least 1")]
    if isinstance(over, int):
        if not 1 <= over <= MOST_RUNS:
            return [("over", f"between 1 and {MOST_RUNS:,} runs")]
        unmet = f"{options.least} readings are never among {counted(over, 'run')}"
        return [("least", unmet)] if options.least > over else []
    if over == WINDOW:
        return []
    try:
        length = Duration.parse(over)
    except UnitError as error:
        return [("over", f"{error}; or a number of runs, or 'window'")]
    days = length.seconds / 86400
    return [] if 0 < days <= _MOST_DAYS else [("over", f"'{over}' is no stretch of time; a century at most")]


def _limit_problems(options: HistoryOptions) -> list[tuple[str, str]]:
    if not options.subject:
        return [("limit", "means nothing without a `subject`")]
    try:
        parse_quantity(options.limit)
    except UnitError as error:
        return [("limit", str(error))]
    return []


def _uses(options: HistoryOptions) -> tuple[Use, ...]:
    checklist, item = options.checklist, options.item
    named = {
        "checklist": ("", ""),
        "item": (item, ""),
        "subject": (item, options.subject),
        "minus": (item, options.minus),
    }
    return tuple(
        Use(key=key, item=each, name=name, checklist=checklist, of_past=True)
        for key, (each, name) in named.items()
        if getattr(options, key)
    )


def _open(environment: Environment) -> HistoryProbe:
    return HistoryProbe(environment.history)


KIND = ProbeKind(
    name="history",
    summary="Looks back at what an item came to in earlier runs: how often it failed, and where its readings go.",
    options=HistoryOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
    uses=_uses,
    amiss=lambda options: "what was wrong" if options.by is By.CAUSE else "",
)
