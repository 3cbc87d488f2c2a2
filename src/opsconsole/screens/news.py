"""What others did about a run, in a few words."""

from collections.abc import Iterable

from opsconsole.model.events import (
    ActionState,
    Amended,
    Body,
    Entered,
    Event,
    Filled,
    Handled,
    Noted,
    Raised,
    Redefined,
    Restored,
    Signed,
    Skipped,
    Ticked,
    Unticked,
    Waived,
)
from opsconsole.model.runs import RunState
from opsconsole.screens.phrases import first_line

_DEEDS_NAMED = 2
"""Deeds of one person that are told one by one; of more the first only."""


def news_of(events: Iterable[Event], run: RunState) -> str:
    """Return `Jane Roe (jane) ticked The dashboard looks right`; empty where nobody did anything by hand.

    What was measured is not told: its rows show it.
    """
    deeds: dict[str, list[str]] = {}
    for event in events:
        words = _words(event.body, run)
        if words:
            deeds.setdefault(event.actor.shown, []).append(words)
    return "; ".join(f"{who} {_together(words)}" for who, words in deeds.items())


def _together(words: list[str]) -> str:
    if len(words) <= _DEEDS_NAMED:
        return " and ".join(words)
    return f"{words[0]} and did {len(words) - 1} things more"


def _words(body: Body, run: RunState) -> str:
    match body:
        case Ticked(item=item):
            return f"ticked {_title(item, run)}"
        case Unticked(item=item):
            return f"took back the tick of {_title(item, run)}"
        case Entered(item=item, text=text):
            return f"entered {text} for {_title(item, run)}"
        case Noted(item=item):
            return f"wrote a note on {_title(item, run)}" if item else "wrote a note on the run"
        case Skipped(item=item):
            return f"skipped {_title(item, run)}"
        case Waived(item=item):
            return f"waived {_title(item, run)}"
        case Restored(item=item):
            return f"took back a skip or waiver of {_title(item, run)}"
        case Filled(field=field):
            return f"filled in {field}"
        case Raised() | Handled():
            return _words_of_action(body)
        case Redefined():
            return "opened it with the checklist as it is now: it was edited"
        case Signed() | Amended():
            return "amended the run" if isinstance(body, Amended) else f"signed the run as {body.statement.meaning}"
        case _:
            return ""


def _words_of_action(body: Raised | Handled) -> str:
    if isinstance(body, Raised):
        return f"noted what is to be done: {first_line(body.text)}"
    if body.state is ActionState.OPEN:
        return "changed an action item"
    return f"said that an action item is {body.state}"


def _title(item: str, run: RunState) -> str:
    state = run.items.get(item) or run.retired.get(item)
    return state.item.title if state is not None else item
