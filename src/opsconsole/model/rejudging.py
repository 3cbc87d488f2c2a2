"""Judges again what a record says was judged: a forged judgement contradicts the reading or the entry beside it."""

from opsconsole.model.checklists import Item
from opsconsole.model.events import Amended, AmendmentKind, Body, Entered, Measured
from opsconsole.model.judging import judge_entry, judge_item
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
    readings = [Reading(past=past)]
    if item.measured:
        # Somebody may have measured again while the entry was typed: any reading of the item may have been seen.
        state = before.items.get(item.id)
        attempts = state.attempts if state is not None else []
        readings = [each.body.reading for each in reversed(attempts) if each.body.reading is not None]
    faults = [_differing(item, told, judge_entry(item, reading, value)) for reading in readings]
    return faults[0] if all(faults) and faults else ""


def _differing(item: Item, told: Judgement, own: Judgement) -> str:
    if told.outcome is own.outcome:
        return ""
    return f"{item.title} was judged {told.outcome}, and by its conditions it is {own.outcome}: {own.summary}"
