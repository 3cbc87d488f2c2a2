"""What a person types, made fit for the record or refused with the reason."""

import datetime as dt
import re

from opsconsole.model.checklists import Entry, EntryKind
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.item_state import ItemState
from opsconsole.model.readings import Judgement, Past
from opsconsole.model.rejudging import judged_beside
from opsconsole.model.text import storable
from opsconsole.model.values import Number, UnitError, Value, decimal_of, parse_quantity

MAX_TEXT = 10_000
"""Characters of a note, a reason or a field."""


MAX_OWNER = 200
"""Characters of the name of whoever is to do something."""
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_AHEAD = re.compile(r"\+?\s*(\d{1,4})\s*(?:d|days?|(w|weeks?))?\Z")


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


def owner_named(text: str) -> str:
    """Return who is to do something, in one line; raise ActionRefused where that is longer than a name."""
    clean = storable(" ".join(text.split()))
    if len(clean) > MAX_OWNER:
        raise ActionRefused(f"an owner of {len(clean):,} characters is no name; {MAX_OWNER} are kept")
    return clean


def due_date(text: str, today: dt.date) -> dt.date | None:
    """Return the date that an action item is due on; None where nothing is written.

    `2026-12-01`, `+7` (also `7 d`, `2 w`), `today`, `tomorrow` or a weekday, which is the next one after `today`.
    Raises ActionRefused for anything else, and for a day that is over.
    """
    clean = text.strip().lower()
    if not clean:
        return None
    found = _date_of(clean, today)
    if found is None:
        example = today + dt.timedelta(days=7)
        raise ActionRefused(
            f"'{text.strip()}' is no date: write it like {example}, as a number of days like +7, or as a weekday"
        )
    if found < today:
        raise ActionRefused(f"{found} is over already: today is {today}")
    return found


def _date_of(text: str, today: dt.date) -> dt.date | None:
    named = {"today": today, "tomorrow": today + dt.timedelta(days=1)}
    if text in named:
        return named[text]
    try:
        if ahead := _AHEAD.fullmatch(text):
            return today + int(ahead[1]) * (dt.timedelta(weeks=1) if ahead[2] else dt.timedelta(days=1))
        weekday = next((at for at, name in enumerate(_WEEKDAYS) if text in {name, name[:3]}), None)
        if weekday is None:
            return dt.date.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    return today + dt.timedelta(days=(weekday - today.weekday() - 1) % len(_WEEKDAYS) + 1)


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


def judged_entry(state: ItemState, value: Value, past: tuple[Past, ...] = ()) -> Judgement:
    """Judge what was entered for an item against its latest reading; raise ActionRefused where there is none yet.

    `past` are the earlier entries that it is compared with where no reading has them.
    """
    latest = state.latest.get("")
    if state.item.measured and latest is None:
        raise ActionRefused(f"{state.item.title} has nothing to compare with yet: measure it first")
    return judged_beside(state.item, latest.body if latest is not None else None, value, past)
