"""A runbook: read like a text, its commands gone through one by one, copied, or shown alone; never run."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.config.runbook_steps import Command, parse_runbook
from opsconsole.screens.base import WARNING, ConsoleScreen
from opsconsole.screens.commands import BY_ID, Where, bindings, with_way_back
from opsconsole.screens.commands import Command as Asked
from opsconsole.screens.runbook_view import place_words, runbook_paragraphs
from opsconsole.widgets.evidence import TextPane, TextScrolled
from opsconsole.widgets.pieces import Piece

_ABOVE = 3
"""Lines shown above a command that is brought into view, where its whole step does not fit."""


class RunbookScreen(ConsoleScreen):
    """Shows the text; the chosen command is always one that can be seen."""

    WHERE: ClassVar[Where] = Where.RUNBOOK
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.RUNBOOK)]
    AUTO_FOCUS: ClassVar[str | None] = "TextPane"
    DETAIL: ClassVar[str] = "#text"

    def __init__(self, name: str, text: str) -> None:
        super().__init__()
        self._runbook = name
        self._book = parse_runbook(text)
        self._chosen: Command | None = None

    def compose_body(self) -> ComposeResult:
        """Yield the text."""
        yield TextPane(id="text")

    def on_mount(self) -> None:
        """Show the text."""
        self._show()

    @property
    def _pane(self) -> TextPane:
        return self.query_one("#text", TextPane)

    def commands(self) -> list[Asked]:
        """Return what can be asked for: a runbook without commands is only read."""
        offered = with_way_back(super().commands(), "back")
        return offered if self._book.commands else [each for each in offered if each.where is Where.ANYWHERE]

    # --- the command under the cursor --------------------------------------------------------------

    @on(TextScrolled)
    def follow(self) -> None:
        """Choose a command that is in view: none is ever copied that cannot be seen."""
        chosen = self._chosen
        if chosen is None or not self._in_view(chosen):
            chosen = next(filter(self._in_view, self._book.commands), None)
        self._choose(chosen)

    def action_next(self) -> None:
        """Go to the next command."""
        beyond = self._beyond()
        self._go(beyond[0] if beyond else None, "there is no command further down")

    def action_previous(self) -> None:
        """Go to the command before."""
        before = self._before()
        self._go(before[-1] if before else None, "there is no command further up")

    def _beyond(self) -> Sequence[Command]:
        """Return the commands below the chosen one, or below what is in view."""
        if self._chosen is not None:
            return self._book.commands[self._book.commands.index(self._chosen) + 1 :]
        below = self._pane.lines_visible.stop
        return [each for each in self._book.commands if self._lines(each).start >= below]

    def _before(self) -> Sequence[Command]:
        if self._chosen is not None:
            return self._book.commands[: self._book.commands.index(self._chosen)]
        above = self._pane.lines_visible.start
        return [each for each in self._book.commands if self._lines(each).stop <= above]

    def _go(self, command: Command | None, otherwise: str) -> None:
        if command is None:
            self.say(otherwise if self._book.commands else "this runbook has no commands")
            return
        self.say("")
        self._choose(command)
        self._bring_into_view(command)

    def _bring_into_view(self, command: Command) -> None:
        """Scroll where needed: to the heading of the step, if the command fits below it, else to the command."""
        lines, visible = self._lines(command), self._pane.lines_visible
        if lines.start in visible and lines[-1] in visible:
            return
        step = self._book.step_at(command.begin)
        top = self._pane.lines_of(step.line).start if step is not None else 0
        if lines.stop - top > len(visible):
            top = max(0, lines.start - min(_ABOVE, max(0, len(visible) - len(lines))))
        self._pane.scroll_to_line(top)

    def _choose(self, command: Command | None) -> None:
        self._chosen = command
        self._show()

    def _lines(self, command: Command) -> range:
        """Return the lines of the screen's text that a command takes."""
        first, last = self._pane.lines_of(command.lines[0]), self._pane.lines_of(command.lines[-1])
        return range(first.start, max(last.stop, first.start + 1))

    def _in_view(self, command: Command) -> bool:
        return self._lines(command).start in self._pane.lines_visible

    def _show(self) -> None:
        at = self._chosen.begin if self._chosen is not None else self._first_line
        title, facts = place_words(self._book, self._book.step_at(at), self._chosen)
        left = (Piece(f"Runbook {self._runbook}", "bold"), Piece(f" · {title}" if title else ""))
        self.show_top((left, (Piece(facts),)))
        self._pane.show(runbook_paragraphs(self._book, self._chosen), document=self._runbook)

    @property
    def _first_line(self) -> int:
        """The line of the runbook that is the first in view."""
        top = self._pane.lines_visible.start
        return next((i for i in range(len(self._book.lines)) if self._pane.lines_of(i).stop > top), 0)

    # --- handing it over ---------------------------------------------------------------------------

    def action_copy(self) -> None:
        """Send the command to the clipboard."""
        if (command := self._wanted()) is not None:
            self.console.copy(self._about(command), command.text, BY_ID["runbook.alone"].key)

    def action_alone(self) -> None:
        """Show the command alone, for the mouse."""
        if (command := self._wanted()) is not None:
            self.console.show_alone(f"{self._about(command)} of the runbook {self._runbook}", command.text)

    def _wanted(self) -> Command | None:
        if self._chosen is None:
            down = BY_ID["runbook.next" if self._beyond() else "runbook.previous"].key
            some = f"no command is in view: {down} goes to one"
            self.say(some if self._book.commands else "this runbook has no commands", WARNING)
        return self._chosen

    def _about(self, command: Command) -> str:
        return f"command {self._book.commands.index(command) + 1}"
