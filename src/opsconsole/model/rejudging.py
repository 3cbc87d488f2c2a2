"""Judges again what a record says was judged: a forged judgement contradicts the reading or the entry beside it."""

from opsconsole.model.checklists import Item
from opsconsole.model.events import Amended, AmendmentKind, Body, Entered, Measured
from opsconsole.model.judging import Unread, judge_entry, judge_item
from opsconsole.model.readings import Judgement, Past, Reading
from opsconsole.model.runs import RunState
from opsconsole.model.values import Value


def judgement_fault(before: RunState, body: Body) -> str:
    """Return why the judgement in an event of the run `before` is not what its own reading or entry comes to.

    Empty where it is, and where an event has nothing to judge: a problem in the place of a reading, say.
    """
    match body:
        case Measured(reading=Reading() as reading, problem=None, judgement=told):
            item = _item(before, body.item, body.definition_hash)
            if item is None or item.entry is not None:
                return ""
            return _differing(item, told, judge_item(item, reading))
        case Entered(value=value, judgement=told, past=past):
            item = _item(before, body.item, body.definition_hash)
            return _entry_fault(before, item, value, told, past)
        case Amended(statement=statement) if statement.amendment is not None:
            amendment = statement.amendment
            if amendment.kind is not AmendmentKind.ENTRY or amendment.judgement is None:
                return ""
            state = before.items.get(amendment.item)
            past = state.typed.body.past if state is not None and state.typed is not None else ()
            item = _item(before, amendment.item, "")
            return _entry_fault(before, item, amendment.value, amendment.judgement, past)
        case _:
            return ""


def _item(before: RunState, name: str, definition_hash: str) -> Item | None:
    """Return an item by the definition that an event was made by."""
    definition = before.definitions.get(definition_hash or before.definition_hash)
    return next((each for each in definition.items if each.id == name), None) if definition is not None else None


def _entry_fault(before: RunState, item: Item | None, value: Value, told: Judgement, past: tuple[Past, ...]) -> str:
    if item is None or item.entry is None or value is None:
        return ""
    beside: list[Measured | None] = [None]
    if item.measured:
        # Somebody may have measured again while the entry was typed: any attempt of the item may have been seen.
        state = before.items.get(item.id)
        beside = [each.body for each in reversed(state.attempts)] if state is not None else []
    faults = [_differing(item, told, judged_beside(item, each, value, past)) for each in beside]
    return faults[0] if all(faults) and faults else ""


def judged_beside(item: Item, measured: Measured | None, value: Value, past: tuple[Past, ...] = ()) -> Judgement:
    """Judge what was entered for an item against what was measured for it, if it is measured.

    Where that could not be, the conditions that need it come to what the item says of such a problem: for a
    reading that there is not yet, nobody has to wait. `past` are earlier entries where no reading has them.
    """
    if measured is None:
        return judge_entry(item, Reading(past=past), value)
    reading = measured.reading or Reading(past=past)
    if measured.problem is None:
        return judge_entry(item, reading, value)
    return judge_entry(item, reading, value, Unread(measured.problem.cause, measured.judgement.outcome))


def _differing(item: Item, told: Judgement, own: Judgement) -> str:
    if told.outcome is own.outcome:
        return ""
    return f"{item.title} was judged {told.outcome}, and by its conditions it is {own.outcome}: {own.summary}"
