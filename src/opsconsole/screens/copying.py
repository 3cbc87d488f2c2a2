"""Handing a command to the operator, to be run elsewhere: nothing here ever runs one."""

from textual.app import SuspendNotSupported

from opsconsole.screens.phrases import number_of
from opsconsole.widgets.alone import show_alone
from opsconsole.widgets.application import TerminalApp
from opsconsole.widgets.clipboard import Route, refusal

_SAID = {
    Route.TMUX: "in tmux's buffer (prefix ] pastes it), and in the terminal's clipboard where tmux may reach it",
    Route.NONE: "this terminal has no clipboard",
}
_SENT = "sent to the terminal's clipboard; one that does not allow it shows nothing"


async def copied(app: TerminalApp[None], text: str, about: str, alone_key: str) -> tuple[str, bool]:
    """Send a command to the clipboard; return what to say about it, and whether it went.

    `about` names the command, `alone_key` is the key that shows it alone instead.
    """
    instead = f"{alone_key} shows it alone, to select with the mouse"
    if why := refusal(text):
        return f"{about}: not copied, {why}; {alone_key} shows it alone", False
    took = await app.offer_to_clipboard(text)
    if took is None:
        return f"{about}: not sent, the line does not take anything now", False
    if took is Route.NONE:
        return f"{about}: {_SAID[took]}; {instead}", False
    count = text.count("\n") + 1
    lines = f" ({number_of(count, 'line')})" if count > 1 else ""
    return f"{about}{lines}: {_SAID.get(took, f'{_SENT}: {instead}')}", True


async def shown_alone(app: TerminalApp[None], about: str, text: str) -> str:
    """Show a command alone on the terminal until Enter; return what to say afterwards, mostly nothing."""
    try:
        await show_alone(app, about, text)
    except SuspendNotSupported:
        return "it cannot be shown alone here"
    return ""
