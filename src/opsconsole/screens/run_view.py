"""The list of a run: one row for each item and each line of the day's sheet, made of the run's state alone."""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from opsconsole.contracts.store import RunKey
from opsconsole.engine.overview import review_of
from opsconsole.model.actions import Action
from opsconsole.model.checklists import Cadence, Checklist, Field
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.qualifications import DayOfMonitoring
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import hurdles
from opsconsole.model.text import visible
from opsconsole.screens.action_view import action_row
from opsconsole.screens.facts import amended_words
from opsconsole.screens.marks import MEASURING, NEAR, OUTCOMES, WORD_WIDTH, Mark, is_near
from opsconsole.screens.phrases import day, first_line, padded, zone_of
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row

FIELD = "field:"
"""Begins the keys of rows that are lines of the day's sheet; no item's id holds a colon."""

WHY = FIELD
"""The key of the row that says why a run was missed: that of a hurdle which names neither an item nor a field."""

SHEET = "The day's sheet"
ACTIONS = "Action items"
_TITLE_AT_MOST = 50
"""Cells of the column of titles; longer ones push their own summary to the right."""

_BEFORE_TITLE = 14
_SUMMARY_AT_LEAST = 14
"""Cells that a summary beside the titles must have to be worth showing; the detail has it all."""

_QUIET = frozenset({Outcome.PASS, Outcome.SKIPPED})
"""Outcomes that the filter hides: nothing more is to be done about them."""

_FILLED = Mark("[x]", "FILLED", "$success")
_WANTED = Mark("[ ]", "TO FILL")
_FREE = Mark("[ ]", "empty", "dim")
_UNSEEN = Mark("[-]", "UNSEEN", "dim")
_TO_SAY = Mark("[ ]", "TO SAY", "bold $warning")
_SAID = Mark("[x]", "SAID", "$success")


@dataclass(frozen=True, slots=True)
class RunLooks:
    """What the list shows beside the run's state."""

    measuring: Collection[str] = ()
    unsaved: Collection[str] = ()
    """Ids of items of which something could not be saved."""
    only_not_green: bool = False
    width: int = 0
    """Cells of the list."""
    carried: tuple[Action, ...] = ()
    """What earlier runs left to be done."""
    today: dt.date = dt.date.min
    """Where the checklist lives: tells which action items are late."""


def run_rows(state: RunState, looks: RunLooks) -> list[Row]:
    """Return the rows of a run: its sections, the day's sheet, what is to be done; headings cannot be selected."""
    rows = _missed_rows(state) if state.missed else _seen_rows(state, looks)
    actions = [
        each for each in (*looks.carried, *state.actions.values()) if each.is_open or not looks.only_not_green
    ]
    if actions:
        rows.append(_heading("section:actions", ACTIONS))
        rows += [action_row(each, looks.today, width=WORD_WIDTH, about=_origin(each, state)) for each in actions]
    return rows


def _origin(action: Action, state: RunState) -> str:
    """Return where an action item comes from, where that is not the run itself."""
    return f"from {RunKey.parse(action.run).period}" if action.run != state.run else ""


def _missed_rows(state: RunState) -> list[Row]:
    """Return the rows of a run that nobody did: why, and what was not looked at."""
    said = "; ".join(first_line(each.text) for each in state.notes)
    why = (_SAID if said else _TO_SAY).piece(), Piece("Why nobody did it"), *_beside(said, 1)
    rows = [_heading("section:missed", "Missed"), Row(WHY, why)]
    for number, section in enumerate(state.definition.sections):
        rows.append(_heading(f"section:{number}", section.title))
        rows += [Row(each.id, (_UNSEEN.piece(), Piece(visible(each.title), "dim"))) for each in section.items]
    return rows


def _seen_rows(state: RunState, looks: RunLooks) -> list[Row]:
    titles = [visible(each.item.title) for each in state.items.values()]
    column = max((cell_len(each) for each in titles if cell_len(each) <= _TITLE_AT_MOST), default=0)
    if looks.width - column < _BEFORE_TITLE + _SUMMARY_AT_LEAST:
        column = 0
    rows: list[Row] = []
    for number, section in enumerate(state.definition.sections):
        items = [state.items[item.id] for item in section.items if item.id in state.items]
        shown = [each for each in items if not (looks.only_not_green and _is_quiet(each, looks))]
        if shown:
            rows.append(_heading(f"section:{number}", section.title))
            rows += [_item_row(each, looks, column) for each in shown]
    fields = list(_field_rows(state, looks, column))
    if fields:
        rows += [_heading("section:sheet", SHEET), *fields]
    return rows


def _heading(key: str, title: str) -> Row:
    return Row(key, (Piece(title, "bold"),), selectable=False)


def _is_quiet(state: ItemState, looks: RunLooks) -> bool:
    return state.outcome in _QUIET and state.item.id not in looks.unsaved


def mark_of(state: ItemState, *, measuring: bool = False) -> Mark:
    """Return how an item's state is shown."""
    if measuring:
        return MEASURING
    outcome = state.outcome
    if outcome is Outcome.PASS and any(map(is_near, state.judgements.values())):
        return NEAR
    return OUTCOMES[outcome]


def _item_row(state: ItemState, looks: RunLooks, column: int) -> Row:
    name = state.item.id
    mark = mark_of(state, measuring=name in looks.measuring)
    title = padded(visible(state.item.title), column)
    left = (mark.piece(), Piece(title), *_beside(state.summary, column))
    if name in looks.unsaved:
        return Row(name, left, (Piece("NOT SAVED", "bold $error reverse"),))
    if state.amendments:
        return Row(name, left, (Piece("amended", "bold $warning"),))
    return Row(name, left, (Piece("noted", "dim"),) if state.notes else ())


def _beside(text: str, column: int) -> tuple[Piece, ...]:
    return (Piece(f"  {first_line(text)}", "dim"),) if column and text else ()


def _field_rows(state: RunState, looks: RunLooks, column: int) -> Iterator[Row]:
    wanted = {each.field for each in hurdles(state) if each.field}
    for field in state.definition.fields:
        filled = state.fields.get(field.id)
        if looks.only_not_green and field.id not in wanted:
            continue
        mark = _FILLED if filled else _WANTED if field.id in wanted else _FREE
        text = filled.text if filled else ""
        title = padded(visible(field.title), column)
        amended = any(each.amendment.field == field.id for each in state.amendments)
        right = (Piece("amended", "bold $warning"),) if amended else ()
        yield Row(FIELD + field.id, (mark.piece(), Piece(title), *_beside(text, column)), right)


def run_notices(notices: Sequence[str], alarms: Sequence[str] = ()) -> list[Paragraph]:
    """Return what the operator should know of a run beside its items."""
    told = [Paragraph((Piece("[ALARM] ", "bold $error"), Piece(each, "bold $error")), 8) for each in alarms]
    return [*told, *(Paragraph((Piece("note  ", "bold $warning"), Piece(each)), 6) for each in notices)]


def field_of(state: RunState, key: str) -> Field | None:
    """Return the line of the day's sheet that a row's key names, if it names one."""
    name = key.removeprefix(FIELD)
    return next((each for each in state.definition.fields if key != name and each.id == name), None)


def next_open_field(state: RunState) -> str | None:
    """Return the key of the next line of the day's sheet to fill in: a wanted one before an empty one."""
    fields = state.definition.fields
    wanted = {each.field for each in hurdles(state) if each.field}
    ranked = sorted(fields, key=lambda each: (each.id not in wanted, each.id in state.fields))
    return FIELD + ranked[0].id if ranked else None


def head(
    state: RunState, monitoring: DayOfMonitoring | None, *, mode: str = "", company: str = ""
) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return the left and the right part of a run's top line: what it is, and what it came to so far."""
    about = [day(state.times.business_date)]
    if state.definition.cadence is Cadence.INTERVAL:
        about = [f"{about[0]} {state.times.begins_at.astimezone(zone_of(state.times)):%H:%M %Z}"]
    if state.times.period.start != state.times.period.end:
        about = [state.times.period.key]
    if monitoring is not None:
        about.append(str(monitoring))
    if mode:
        about.append(mode)
    left = (Piece(state.definition.title, "bold"), Piece("".join(f" · {each}" for each in about)))
    beside = (Piece(f"{company} · "),) if company else ()
    if state.signed is not None:
        return left, (*beside, Piece(standing_words(state), "bold"))
    if state.missed:
        return left, (*beside, Piece("MISSED", "bold $error"))
    usual = "not signed" if state.definition.needs_signature else "needs no signature"
    return left, (*beside, Piece("FAIL so far" if state.result is Result.FAIL else usual))


def standing_words(state: RunState) -> str:
    """Return what a signed run stands for: `signed PASS`, `signed PASS, amended to FAIL, reviewed`."""
    signed = state.signed
    if signed is None:
        return "not signed"
    words = f"signed {signed.body.statement.result}"
    if state.missed:
        words = "MISSED, explained"
    if state.amendments:
        words += amended_words(signed.body.statement.result, state.result)
    return f"{words}, reviewed" if review_of(state) is not None else words


def offered_by(checklist: Checklist) -> dict[str, bool]:
    """Return which commands have anything to do in any run of a checklist."""
    entries = any(each.entry is not None for each in checklist.items)
    return {
        "tick": any(each.manual for each in checklist.items),
        "enter": entries or bool(checklist.fields),
        "fill": bool(checklist.fields),
        "runbook": any(each.on_fail.runbook for each in checklist.items),
    }
