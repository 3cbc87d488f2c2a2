"""Asks for a password: it is shown as dots, kept nowhere, and forgotten when the form closes."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from opsconsole.screens.commands import Where, bindings, commands_of
from opsconsole.screens.form import OneLine
from opsconsole.screens.lines import Keys, Line
from opsconsole.widgets.pieces import Piece


class Secret(OneLine):
    """An input whose text shows as dots, and that no key copies to a clipboard."""

    def __init__(self, text: str, *, id: str) -> None:  # noqa: A002 - as widgets have it
        super().__init__(text, id=id)
        self.password = True

    def action_copy(self) -> None:
        """Copy nothing."""

    def action_cut(self) -> None:
        """Cut nothing."""


class PasswordScreen(ModalScreen[str]):
    """Closes with what was typed, or with nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.PASSWORD)]
    CSS_PATH = "password.tcss"
    AUTO_FOCUS: ClassVar[str | None] = "Input"

    def __init__(self, login: str) -> None:
        super().__init__()
        self._login = login

    def compose(self) -> ComposeResult:
        """Yield the form."""
        with Container(id="form"):
            yield Line(id="title")
            with Container(classes="answer"):
                yield Label("password", classes="label", markup=False)
                yield Secret("", id="secret")
            yield Line(id="about-it")
            yield Keys(commands_of(Where.PASSWORD, anywhere=False))

    def on_mount(self) -> None:
        """Say whose password it is."""
        self.query_one("#title", Line).show((Piece(f"The password of the login {self._login}", "bold"),))
        about = "It tells that the login is yours; no key signs, so nobody else can check it."
        self.query_one("#about-it", Line).show((Piece(about, "dim"),))

    @on(Input.Submitted)
    def give(self) -> None:
        """Close with what was typed."""
        typed = self._taken()
        if typed:
            self.dismiss(typed)

    def action_cancel(self) -> None:
        """Close with nothing."""
        self._taken()
        self.dismiss(None)

    def _taken(self) -> str:
        field = self.query_one(Input)
        typed, field.value = field.value, ""
        return typed
