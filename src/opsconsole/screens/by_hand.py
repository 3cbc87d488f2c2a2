"""The command that shows by hand what was measured of an item; of several targets the operator chooses one."""

from collections.abc import Callable, Mapping
from functools import partial

from opsconsole.model.item_state import ItemState
from opsconsole.model.text import visible
from opsconsole.screens.base import WARNING, ConsoleScreen
from opsconsole.screens.reading_view import commands_by_hand

Then = Callable[[str, str], None]
"""Takes what the command is called, and the command."""


def with_command(screen: ConsoleScreen, item: ItemState | None, then: Then) -> None:
    """Go on with the command of an item; say so where there is none."""
    found = commands_by_hand(item) if item is not None else {}
    if item is None or not found:
        screen.say(_why_none(item), WARNING)
    elif len(found) == 1:
        then("the command", *found.values())
    else:
        from opsconsole.screens.palette import Entry, PaletteScreen

        judged = item.judgements
        entries = [Entry(each, each, str(judged[each].outcome) if each in judged else "") for each in found]
        title = "The command of which target?"
        screen.app.push_screen(PaletteScreen(title, entries), partial(_go_on, found, then))


def _why_none(item: ItemState | None) -> str:
    if item is None or not item.item.measured:
        return "this is not measured: there is no command that shows it by hand"
    if item.latest:
        return "nothing could be read, so that there is no command that shows it by hand"
    return "it was not measured yet"


def _go_on(found: Mapping[str, str], then: Then, target: str | None) -> None:
    if target is not None and target in found:
        then(f"the command of {visible(target)}", found[target])
