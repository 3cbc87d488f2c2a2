"""Past runs, one line each."""

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import islice
from zoneinfo import ZoneInfo

from opsconsole.contracts.store import RunKey
from opsconsole.engine.overview import RunSummary
from opsconsole.model.calendar import Period, due_date, following, period_named, periods_since, slot_begins
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.outcomes import Result
from opsconsole.model.signoff import count_words
from opsconsole.screens.marks import STANDING_WIDTH, Mark
from opsconsole.screens.phrases import first_line
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row

_SIGNED = {
    Result.PASS: Mark("[x]", "PASS", "$success"),
    Result.FAIL: Mark("[!]", "FAIL", "bold $error"),
    Result.MISSED: Mark("[-]", "MISSED", "$warning"),
}
_UNSIGNED = Mark("[ ]", "UNSIGNED", "$warning")
_NOT_READ_YET = Mark("[ ]", "...", "dim").piece(STANDING_WIDTH)
_GAP = Mark("[!]", "GAP", "$warning")
_TO_EXPLAIN = Mark("[!]", "MISSED", "bold $error")

GAP = "gap:"
"""Begins the key of a row that stands for missing runs; the run before them follows."""
_GAP_AT_MOST = 400
"""Missing runs that are counted one by one; a checklist may have rested for years."""


def history_row(key: RunKey, summary: RunSummary | None) -> Row:
    """Return the row of a run; of one that was not read yet only its period."""
    period = Piece(f"{key.period:<12}")
    if summary is None:
        return Row(key.id, (_NOT_READ_YET, period))
    if summary.result is Result.MISSED:
        return _missed_row(key, summary, period)
    if summary.signed_at is None:
        return Row(key.id, (_UNSIGNED.piece(STANDING_WIDTH), period, Piece(count_words(summary.counts))))
    by = Piece(f"by {summary.signed_by}{', reviewed' if summary.reviewed_by else ''}", "dim")
    mark = _SIGNED[summary.result].piece(STANDING_WIDTH)
    return Row(key.id, (mark, period, *_amended(summary), Piece(count_words(summary.counts))), (by,))


def _missed_row(key: RunKey, summary: RunSummary, period: Piece) -> Row:
    """Return the row of a run that was opened only to say why nobody did it."""
    if summary.signed_at is None:
        why = f"{first_line(summary.why)}, not signed yet" if summary.why else "nobody has said why"
        return Row(key.id, (_TO_EXPLAIN.piece(STANDING_WIDTH), period, Piece(why)))
    mark, by = _SIGNED[Result.MISSED].piece(STANDING_WIDTH), Piece(f"by {summary.signed_by}", "dim")
    return Row(key.id, (mark, period, *_amended(summary), Piece(first_line(summary.why))), (by,))


def _amended(summary: RunSummary) -> tuple[Piece, ...]:
    """Return that a run was amended, and what it was signed as where that is another result now."""
    if not summary.amendments:
        return ()
    changed = summary.signed_result is not None and summary.signed_result is not summary.result
    return (Piece(f"amended{f', was {summary.signed_result}' if changed else ''}  ", "bold $warning"),)


def history_rows(
    keys: Sequence[RunKey],
    known: Mapping[str, RunSummary],
    checklist: Checklist,
    where: ZoneInfo,
    present: Period | None = None,
) -> list[Row]:
    """Return one row for each run, the latest first as `keys` are, with a line wherever runs are missing.

    `present` is the period that it is now: what is missing before it shows too.
    """
    rows: list[Row] = []
    later = present
    for key in keys:
        period = period_named(key.period, checklist, where)
        missing = _missing(period, later, checklist, where)
        if missing:
            rows.append(_gap_row(key, missing))
        rows.append(history_row(key, known.get(key.id)))
        later = period
    return rows


def missing_between(earlier: RunKey, later: RunKey, checklist: Checklist, where: ZoneInfo) -> list[str]:
    """Return the periods between two runs for which one was due, the last one first."""
    first, last = (period_named(each.period, checklist, where) for each in (earlier, later))
    return _missing(first, last, checklist, where)


def _missing(first: Period | None, last: Period | None, checklist: Checklist, where: ZoneInfo) -> list[str]:
    if first is None or last is None or checklist.cadence is Cadence.ONCE:
        return []
    if checklist.cadence is Cadence.INTERVAL:
        return _missing_slots(first, last, checklist, where)
    found: list[str] = []
    period = following(first, checklist.cadence)
    while period < last and len(found) < _GAP_AT_MOST:
        if due_date(period, checklist.due, checklist.cadence) is not None:
            found.append(period.key)
        period = following(period, checklist.cadence)
    return found[::-1]


def _missing_slots(first: Period, last: Period, checklist: Checklist, where: ZoneInfo) -> list[str]:
    every, before = checklist.due.every, slot_begins(last)
    if every is None or before - slot_begins(first) <= every.timedelta():
        return []
    slots = periods_since(checklist, first.start, before - dt.timedelta(seconds=1), where)
    return [each.key for each in islice((each for each in slots if each.key > first.key), _GAP_AT_MOST)][::-1]


def _gap_row(key: RunKey, missing: Sequence[str]) -> Row:
    span = missing[0] if len(missing) == 1 else f"{missing[-1]} to {missing[0]}"
    several = "+" if len(missing) == _GAP_AT_MOST else ""
    text = f"{span}  no run" if len(missing) == 1 else f"{span}  {len(missing)}{several} runs missing"
    return Row(GAP + key.id, (_GAP.piece(STANDING_WIDTH), Piece(text)))


def history_head(title: str, count: int | None) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return the left and the right part of the top line; `count` is None while they are being counted."""
    runs = "counting runs" if count is None else f"{count:,} run{'' if count == 1 else 's'}"
    return (Piece(title, "bold"), Piece(" · History")), (Piece(runs),)
