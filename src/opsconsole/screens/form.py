"""A form over the lower part of the screen: a few answers, saved with Enter, kept as a draft with Esc."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.message import Message as TextualMessage
from textual.screen import ModalScreen
from textual.widgets import Input, Label, TextArea

from opsconsole.engine.recorder import NotSaved
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.text import visible
from opsconsole.screens.base import ERROR, Console
from opsconsole.screens.commands import Where, bindings, commands_of
from opsconsole.screens.lines import Keys, Line, Message
from opsconsole.widgets.application import TerminalApp
from opsconsole.widgets.pieces import Piece


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing to be typed in."""

    name: str
    label: str
    initial: str = ""
    lines: int = 1
    """More than one gives a text in which Ctrl+J begins a new line."""
    optional: bool = False
    """Whether it may stay empty."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked, and what is done with the answers."""

    title: str
    about: str
    """What the operator should know while answering; text of a source may be in it."""
    answers: tuple[Answer, ...]
    draft: tuple[str, ...]
    """Names the draft: the run and the question."""
    save: Callable[[Mapping[str, str]], Awaitable[str]]
    """Save the answers, by name, and return what to tell the operator; an OpsconsoleError is shown in the form."""


class OneLine(Input):
    """An input of one line that is still while nobody types."""

    DEFAULT_CSS = """
    OneLine, OneLine:focus { border: none; height: 1; padding: 0; }
    """

    def __init__(self, text: str, *, id: str, is_kept: bool = False) -> None:  # noqa: A002 - as widgets have it
        """Show `text`, selected so that typing replaces what was entered before; a draft that `is_kept` is not."""
        super().__init__(text, id=id, select_on_focus=not is_kept)
        self.cursor_blink = False

    def _on_paste(self, event: events.Paste) -> None:
        """Make harmless what Input is going to take."""
        event.text = harmless(event.text)


class ManyLines(TextArea):
    """A text of several lines in which Enter saves."""

    DEFAULT_CSS = """
    ManyLines, ManyLines:focus { border: none; padding: 0; }
    """

    class Submitted(TextualMessage):
        """Enter was pressed."""

    def __init__(self, text: str, *, id: str) -> None:  # noqa: A002 - as widgets have it
        super().__init__(text, id=id, soft_wrap=True, tab_behavior="focus", compact=True)
        self.cursor_blink = False
        self.move_cursor(self.document.end)

    async def _on_key(self, event: events.Key) -> None:
        if event.key in {"enter", "ctrl+j"}:
            event.stop()
            event.prevent_default()
            if event.key == "enter":
                self.post_message(self.Submitted())
            else:
                self.insert("\n")

    async def _on_paste(self, event: events.Paste) -> None:
        """Make harmless what TextArea is going to take."""
        event.text = harmless(event.text)


def harmless(text: str) -> str:
    """Return pasted text without what would steer the terminal; its lines stay lines."""
    return "\n".join(map(visible, text.replace("\r\n", "\n").replace("\r", "\n").expandtabs().split("\n")))


class FormScreen(ModalScreen[str]):
    """Asks what a form asks; closes with what there is to tell once it is saved."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.FORM)]
    CSS_PATH = "form.tcss"
    AUTO_FOCUS: ClassVar[str | None] = "Input, TextArea"

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = form
        self._saving = False
        self._left_empty: set[str] = set()

    @property
    def console(self) -> Console:
        """The application."""
        return cast("Console", self.app)

    def compose(self) -> ComposeResult:
        """Yield the form."""
        draft = self.console.drafts.get(self._form.draft, {})
        with Container(id="form"):
            yield Line(id="title")
            if self._form.about:
                yield Label(visible_text(self._form.about), id="about", markup=False)
            for answer in self._form.answers:
                with Container(classes="answer" if answer.lines == 1 else "answer long"):
                    yield Label(answer.label, classes="label", markup=False)
                    text = harmless(draft.get(answer.name, answer.initial))
                    if answer.lines > 1:
                        yield ManyLines(text, id=answer.name)
                    else:
                        yield OneLine(text, id=answer.name, is_kept=answer.name in draft)
            yield Message(id="message")
            yield Keys(self._commands())

    def _commands(self) -> list[Any]:
        several = any(each.lines > 1 for each in self._form.answers)
        return [
            each
            for each in commands_of(Where.FORM, anywhere=False)
            if several or each.name not in {"break_line", "editor"}
        ]

    def on_mount(self) -> None:
        """Say that a draft is back where there was one."""
        self.query_one("#title", Line).show((Piece(self._form.title, "bold"),))
        if self._form.draft in self.console.drafts:
            self.say("what you had typed before is back")

    def say(self, text: str, style: str = "") -> None:
        """Say something in the form."""
        if self.is_attached:
            self.query_one("#message", Message).answer(text, style)

    # --- answers -----------------------------------------------------------------------------------

    def _typed(self) -> dict[str, str]:
        return {each.name: self._text_of(each) for each in self._form.answers}

    def _text_of(self, answer: Answer) -> str:
        widget = self.query_one(f"#{answer.name}")
        return widget.text if isinstance(widget, TextArea) else cast("Input", widget).value

    def action_keep(self) -> None:
        """Close; what was typed is there again when the form is opened the next time."""
        if self._saving:
            self.say("it is being saved; one moment")
            return
        typed = self._typed()
        if typed == {each.name: each.initial for each in self._form.answers}:
            self.console.drafts.pop(self._form.draft, None)
            self.dismiss(None)
        else:
            self.console.drafts[self._form.draft] = typed
            self.dismiss("not saved: kept as a draft")

    @on(Input.Submitted)
    @on(ManyLines.Submitted)
    def save(self) -> None:
        """Save, and close where that went well; the cursor goes on to an answer that is still missing."""
        missing = next(filter(self._is_missing, self._form.answers), None)
        if missing is not None:
            self.query_one(f"#{missing.name}").focus()
        elif not self._saving:
            self._saving = True
            self.console.start_first("saving", self._saved, self._typed())

    def _is_missing(self, answer: Answer) -> bool:
        """Return whether the cursor should go to an answer first: to one that may stay empty only once."""
        if self._text_of(answer).strip():
            return False
        if self.query_one(f"#{answer.name}").has_focus:
            self._left_empty.add(answer.name)
            return False
        return not (answer.optional and answer.name in self._left_empty)

    async def _saved(self, typed: dict[str, str]) -> None:
        try:
            said = await self._patiently(self._form.save(typed))
        except NotSaved:
            said = ""  # it is kept, and the screen's notice says that it is not saved yet
        except OpsconsoleError as error:
            self.say(f"{error}{f'; {error.hint}' if error.hint else ''}", ERROR)
            return
        finally:
            self._saving = False
        self.console.drafts.pop(self._form.draft, None)
        self.dismiss(said)

    async def _patiently(self, work: Awaitable[str]) -> str:
        task = asyncio.ensure_future(work)
        done, _ = await asyncio.wait({task}, timeout=0.4)
        if not done:
            self.say("saving …")
        return await task

    # --- the editor --------------------------------------------------------------------------------

    def action_editor(self) -> None:
        """Go on in the operator's own editor."""
        if isinstance(self.focused, ManyLines):
            self.console.start("running the editor", self._edited, self.focused)

    async def _edited(self, widget: ManyLines) -> None:
        from opsconsole.widgets.editor import EditorError, edit_text

        try:
            text = await edit_text(cast("TerminalApp[Any]", self.app), widget.text)
        except EditorError as error:
            text = error.text
            self.say(error.message, ERROR)
        widget.text = harmless(text)
        widget.move_cursor(widget.document.end)


def visible_text(text: str) -> str:
    """Return text of several lines with everything that could steer a terminal spelled out."""
    return "\n".join(map(visible, text.split("\n")))
