"""The sign-off: what still stands in its way, and exactly what is signed."""

from collections.abc import Callable
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.contracts.store import Conflict
from opsconsole.engine.session import ActionRefused
from opsconsole.model.events import Statement
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import hurdles, statement_of
from opsconsole.screens.base import WARNING, ConsoleScreen
from opsconsole.screens.commands import Command, Where, bindings, commands_of
from opsconsole.screens.live import LiveRun
from opsconsole.screens.run_view import run_notices
from opsconsole.screens.signoff_view import (
    Seen,
    differences,
    hurdle_rows,
    seen_of,
    signed_paragraphs,
    statement_paragraphs,
)
from opsconsole.widgets.evidence import TextPane
from opsconsole.widgets.pieces import Piece, width_of
from opsconsole.widgets.rows import RowHighlighted, Rows, RowSelected

GUTTER = 2
"""Cells that a row has for the cursor."""


class SignOffScreen(ConsoleScreen):
    """Shows what is signed; closes with the key of a run's row where the operator goes to what is to be done."""

    WHERE: ClassVar[Where] = Where.SIGN_OFF
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.SIGN_OFF)]
    CSS_PATH = "signoff.tcss"
    AUTO_FOCUS: ClassVar[str | None] = ""

    def __init__(self, state: RunState, live: LiveRun | None) -> None:
        super().__init__()
        self._state = state
        self._live = live
        self._shown: Statement | None = None
        self._seen: Seen = {}
        self._unwatch: Callable[[], None] = lambda: None

    @property
    def state(self) -> RunState:
        """The run as it stands now."""
        return self._live.state if self._live is not None else self._state

    def commands(self) -> list[Command]:
        """Return what can be asked for now."""
        unsigned = self.state.signed is None
        missing = bool(hurdles(self.state))
        wanted = {"sign": unsigned and not missing, "go": unsigned and missing, "export": not missing}
        return [each for each in commands_of(Where.SIGN_OFF) if wanted.get(each.name, True)]

    def compose_body(self) -> ComposeResult:
        """Yield what is to be done, and what is signed."""
        yield Rows(id="hurdles")
        yield TextPane(id="statement")

    def on_mount(self) -> None:
        """Show it, and notice when the run changes meanwhile."""
        if self._live is not None:
            self._unwatch = self._live.watch(self._changed)
        self._show()
        self.query_one("#hurdles" if self.query_one("#hurdles").display else "#statement").focus()

    def on_unmount(self) -> None:
        """Look no longer."""
        self._unwatch()

    # --- showing -----------------------------------------------------------------------------------

    def _show(self) -> None:
        state = self.state
        self._seen = seen_of(state)
        self._show_hurdles()
        if state.signed is not None or self._live is None:
            self._shown = None
            self.query_one("#statement", TextPane).show(signed_paragraphs(state), document="signed")
        else:
            self._shown = self._statement(self._live)
            parts = [*run_notices(self._live.session.notices), *statement_paragraphs(state, self._shown)]
            self.query_one("#statement", TextPane).show(parts, document="open")
        ready = "signed" if state.signed is not None else "not ready" if hurdles(state) else "ready: S signs"
        self.show_top(((Piece("Sign-off", "bold"), Piece(f" · {state.definition.title}")), (Piece(ready),)))
        self.show_keys()

    def _show_hurdles(self) -> None:
        rows = hurdle_rows(hurdles(self.state)) if self.state.signed is None and self._live is not None else []
        listed = self.query_one("#hurdles", Rows)
        if not rows and listed.has_focus:
            self.query_one("#statement").focus()
        listed.display = bool(rows)
        listed.styles.height = len(rows)
        listed.set_rows(rows)

    def _statement(self, live: LiveRun) -> Statement:
        engine = self.console.services.engine
        return statement_of(
            live.state, live.session.actor, store_id=engine.store.store_id, signed_at=engine.clock()
        )

    def _changed(self) -> None:
        """Show the run anew where it changed while the operator reads, and say what is different."""
        if not self.is_attached or self._shown is None or self.state.head_hash == self._shown.head_hash:
            return
        self._show_difference("changed meanwhile")

    def _show_difference(self, how: str) -> None:
        found = differences(self._seen, seen_of(self.state))
        self._show()
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""  # noqa: PLR2004 - a message has three lines
            text = f"{how}: {'; '.join(found[:3])}{more}. Look again before you sign"
            self.message.show_notice((Piece(text, WARNING),))

    # --- keys --------------------------------------------------------------------------------------

    @on(RowHighlighted, "#hurdles")
    def spell_out(self, event: RowHighlighted) -> None:
        """Say in full what has no room in its row."""
        row = event.rows.rows[event.index]
        self.say(row.left[-1].text if width_of(row.left) > event.rows.size.width - GUTTER else "")

    @on(RowSelected, "#hurdles")
    def go_to_hurdle(self, event: RowSelected) -> None:
        """Go back to the run, to what is to be done."""
        self.dismiss(event.key)

    def action_other_pane(self) -> None:
        """Move the keys between the two parts."""
        self.focus_next()

    def action_export(self) -> None:
        """Write the day log to a file."""
        self.console.export(self.state)

    def action_sign(self) -> None:
        """Sign what is shown."""
        if self._live is None or self.state.signed is not None:
            self.say("it is signed already" if self.state.signed is not None else "read only", WARNING)
            return
        if self._shown is not None:
            shown, live = self._shown, self._live
            self.console.start_first("signing", self.acted, live, lambda: self._sign(live, shown))

    async def _sign(self, live: LiveRun, shown: Statement) -> str:
        """Sign `shown` at the present moment; where the run is another by now, show that instead."""
        statement = live.session.statement()
        if not _same(statement, shown):
            raise ActionRefused("the run is not as it was shown; look again before you sign")
        try:
            await live.session.sign(statement)
        except Conflict as error:
            self._show_difference("somebody else changed the run just now")
            raise ActionRefused(f"not signed: {error}") from error
        self.message.show_notice(())
        self._show()
        return "Signed. x writes the day log, Esc goes back"


def _same(one: Statement, other: Statement) -> bool:
    """Return whether two statements say the same, except for when."""
    moment = {"signed_at": other.signed_at, "utc_offset": other.utc_offset, "clock": other.clock}
    return msgspec.structs.replace(one, **moment) == other
