"""What a person types, made fit for the record or refused with the reason."""

from opsconsole.model.checklists import Entry, EntryKind
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.judging import judge_entry
from opsconsole.model.readings import Judgement, Reading
from opsconsole.model.runs import ItemState
from opsconsole.model.text import storable
from opsconsole.model.values import Number, UnitError, Value, decimal_of, parse_quantity

MAX_TEXT = 10_000
"""Characters of a note, a reason or a field."""


class ActionRefused(OpsconsoleError):
    """The action makes no sense here; the message says why."""

    title = "not done"


def written(text: str) -> str:
    """Return `text` without surrounding white space; raise ActionRefused where nothing or too much is left."""
    clean = storable(text.strip())
    if not clean:
        raise ActionRefused("some words are needed here")
    if len(clean) > MAX_TEXT:
        raise ActionRefused(f"{len(clean):,} characters are too many; {MAX_TEXT:,} are kept")
    return clean


def typed_value(entry: Entry, text: str) -> Value:
    """Return what `text` means for `entry`: a bare number has the entry's own unit."""
    clean = written(text)
    if entry.kind is EntryKind.TEXT:
        return clean
    bare = decimal_of(clean)
    if bare is not None:
        return Number(bare, entry.unit)
    try:
        return parse_quantity(clean).number
    except UnitError as error:
        raise ActionRefused(str(error)) from error


def judged_entry(state: ItemState, value: Value) -> Judgement:
    """Judge what was entered for an item against its latest reading; raise ActionRefused where there is none."""
    item, reading = state.item, Reading()
    if item.measured:
        latest = state.latest.get("")
        if latest is None:
            raise ActionRefused(f"{item.title} has nothing to compare with yet: measure it first")
        reading = latest.body.reading or reading
    return judge_entry(item, reading, value)
