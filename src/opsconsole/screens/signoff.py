"""The sign-off: what still stands in its way, exactly what is signed, and with what."""

import asyncio
import hashlib
from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.contracts.store import StoreError
from opsconsole.engine.clocks import clock_state
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import payload_of
from opsconsole.model.deeds import By, Corrected
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import Meaning, Statement
from opsconsole.model.record import LINE_FEED, statement_document
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import amended_state, hurdles, statement_of
from opsconsole.screens.base import WARNING
from opsconsole.screens.commands import Command, Where, bindings, commands_of
from opsconsole.screens.live import LiveRun
from opsconsole.screens.pen import Pen, Way
from opsconsole.screens.pen_view import no_key_paragraphs, trouble_paragraphs
from opsconsole.screens.run_view import run_notices
from opsconsole.screens.signing import Purpose, SigningScreen
from opsconsole.screens.signoff_view import (
    Preview,
    RecordFacts,
    Seen,
    differences,
    hurdle_rows,
    seen_of,
    signed_paragraphs,
    statement_paragraphs,
)
from opsconsole.widgets.evidence import Paragraph, TextPane
from opsconsole.widgets.pieces import Piece, width_of
from opsconsole.widgets.rows import RowHighlighted, Rows, RowSelected

GUTTER = 2
"""Cells that a row has for the cursor."""
_TITLES = {
    Meaning.PERFORMED: "Sign-off",
    Meaning.AMENDED: "Amendment",
    Meaning.REVIEWED: "Review",
    Meaning.APPROVED: "Approval",
    Meaning.REFUSED: "Refusal",
}
_DOCUMENT_AT_MOST = 500_000
"""Bytes of a record that the console shows; `opsconsole export` writes all of it."""


class SignOffScreen(SigningScreen):
    """Shows what is signed; closes with the key of a run's row where the operator goes to what is to be done."""

    WHERE: ClassVar[Where] = Where.SIGN_OFF
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.SIGN_OFF)]
    CSS_PATH = "signoff.tcss"
    AUTO_FOCUS: ClassVar[str | None] = ""

    def __init__(self, state: RunState, live: LiveRun | None, purpose: Purpose = Purpose()) -> None:  # noqa: B008 - immutable
        """Show a run to be signed, or what was signed of it: without a `live` one it can only be read."""
        super().__init__(live, purpose)
        self._state = state
        self._seen: Seen = {}
        self._record: tuple[str, RecordFacts] | None = None
        self._reading = ""
        self._blocked: OpsconsoleError | None = None
        self._unwatch: Callable[[], None] = lambda: None

    @property
    def state(self) -> RunState:
        """The run as it stands now."""
        return self._live.state if self._live is not None else self._state

    @property
    def is_to_sign(self) -> bool:
        """Whether something is to be signed here, now or once everything is done."""
        if self._live is None or self._signed_here:
            return False
        return self._purpose.meaning is not Meaning.PERFORMED or self.state.signed is None

    @property
    def _missing(self) -> bool:
        return self._purpose.meaning is Meaning.PERFORMED and bool(hurdles(self.state))

    def commands(self) -> list[Command]:
        """Return what can be asked for now."""
        to_sign, idle = self.is_to_sign, self._signing is None
        pen = self._pen
        way = pen.chosen if pen is not None else None
        may_help = pen is not None and (pen.has_people or (self._blocked is not None and not self._missing))
        wanted = {
            "sign": to_sign and idle and way is not None and self._blocked is None,
            "attribute": to_sign and idle and self.is_confirmable,
            "go": to_sign and self._missing,
            "choose_key": to_sign and idle and pen is not None and len(pen.ways) > 1,
            "look_again": to_sign and idle and may_help,
            "export": not to_sign or not self._missing,
        }
        return [each for each in commands_of(Where.SIGN_OFF) if wanted.get(each.name, True)]

    def compose_body(self) -> ComposeResult:
        """Yield what is to be done, and what is signed."""
        yield Rows(id="hurdles")
        yield TextPane(id="statement")

    def on_mount(self) -> None:
        """Show it, and notice when the run changes meanwhile."""
        if self._live is not None:
            self._unwatch = self._live.watch(self._changed)
            if self.is_to_sign:
                purpose, signing = self._purpose, self.console.services.signing
                self._pen = Pen(signing, self._live.session, purpose.meaning, purpose.deciding)
        self.show_all()
        self.query_one("#hurdles" if self.query_one("#hurdles").display else "#statement").focus()
        if self._pen is not None:
            self.console.start_first("looking for keys", self.look)

    def on_unmount(self) -> None:
        """Look no longer."""
        self._unwatch()

    # --- showing -----------------------------------------------------------------------------------

    def show_all(self) -> None:
        """Show everything as it is now."""
        if not self.is_attached:
            return
        state = self.state
        self._seen = seen_of(state)
        self._show_hurdles()
        pane = self.query_one("#statement", TextPane)
        if self.is_to_sign and self._live is not None and self._pen is not None:
            self._blocked = self.obstacle(self._pen.chosen)
            parts = self._preview(self._live, self._pen)
            pane.show(parts, document="trouble" if self._trouble else "open")
        else:
            self._shown = None
            pane.show(signed_paragraphs(state), document="signed")
        title, deciding = _TITLES[self._purpose.meaning], self._purpose.deciding
        about = state.definition.title if deciding is None else deciding.case.state.definition.title
        self.show_top(((Piece(title, "bold"), Piece(f" · {about}")), (Piece(self._readiness()),)))
        self.show_keys()

    def show_standing(self) -> None:
        """Show what must not be missed, and whether it can still be signed."""
        super().show_standing()
        self.show_all()

    def _readiness(self) -> str:
        if not self.is_to_sign:
            return "signed"
        way = self._pen.chosen if self._pen is not None else None
        if self._missing or self._blocked is not None:
            return "not ready"
        return "looking for keys" if way is None else "ready: S signs"

    def _preview(self, live: LiveRun, pen: Pen) -> list[Paragraph]:
        way = pen.chosen
        self._shown = self._statement(live, way)
        record = self._record[1] if self._record is not None and self._record[0] == self.state.head_hash else None
        if record is None and self._reading != self.state.head_hash:
            self._reading = self.state.head_hash
            self.console.start("reading the record", self._measure_record, live.session, self._shown)
        possible = self._blocked is None and not self._missing
        preview = Preview(self._shown, way, pen.wanted, record, possible, self._change(live), live.carried)
        return [
            *run_notices(live.session.notices, self.console.services.alarms),
            *self._troubles(pen),
            *statement_paragraphs(live.state, preview),
        ]

    def _troubles(self, pen: Pen) -> list[Paragraph]:
        """Return what stands in the way, and the ways on; what is still to be done has rows of its own."""
        found: list[Paragraph] = []
        if self._trouble is not None:
            hint = "; ".join(filter(None, (self._trouble.hint, "S tries again, r looks for keys again")))
            found += trouble_paragraphs("The last attempt did not sign", self._trouble.text, hint)
        found += no_key_paragraphs(pen)
        is_told = pen.refused is not None and pen.chosen is not None and not pen.chosen.tier.satisfies(pen.wanted)
        if self._blocked is not None and not self._missing and not is_told:
            found += trouble_paragraphs("It cannot be signed now", str(self._blocked), self._blocked.hint)
        return found

    def _show_hurdles(self) -> None:
        rows = hurdle_rows(hurdles(self.state)) if self.is_to_sign and self._missing else []
        listed = self.query_one("#hurdles", Rows)
        if not rows and listed.has_focus:
            self.query_one("#statement").focus()
        listed.display = bool(rows)
        listed.styles.height = len(rows)
        listed.set_rows(rows)

    def _statement(self, live: LiveRun, way: Way | None) -> Statement:
        engine, deciding = self.console.services.engine, self._purpose.deciding
        approval = deciding.approving.approval(deciding.case, deciding.verdict) if deciding is not None else None
        return statement_of(
            live.state,
            live.session.actor,
            store_id=engine.store.store_id,
            signed_at=engine.clock(),
            meaning=self._purpose.meaning,
            signatory=way.person if way is not None else None,
            clock=clock_state(),
            amendment=self._purpose.amendment,
            approval=approval,
        )

    def _change(self, live: LiveRun) -> Corrected | None:
        amendment = self._purpose.amendment
        if amendment is None:
            return None
        by = By(live.session.actor, self.console.services.engine.clock())
        return amended_state(live.state, amendment, by).amendments[-1]

    async def _measure_record(self, session: RunSession, statement: Statement) -> None:
        try:
            facts = await asyncio.to_thread(record_facts, session, statement)
        except StoreError:
            self._reading = ""
            return  # the line of messages says that the record cannot be reached
        self._record = (statement.head_hash, facts)
        if self.is_attached and self._signing is None and self.is_to_sign:
            self.show_all()

    def _changed(self) -> None:
        """Show the run anew where it changed while the operator reads, and say what is different."""
        if not self.is_attached or self._shown is None or self._signing is not None:
            return
        if self.is_signed_after_all():
            return
        if self.state.head_hash != self._shown.head_hash:
            self.show_difference("changed meanwhile")
        else:
            self.show_all()

    def show_difference(self, how: str) -> None:
        """Show the run anew, and say what is different from before."""
        found = differences(self._seen, seen_of(self.state))
        self.show_all()
        if found:
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""  # noqa: PLR2004 - a message has three lines
            text = f"{how}: {'; '.join(found[:3])}{more}. Look again before you sign"
            self.message.show_notice((Piece(text, WARNING),))

    # --- keys --------------------------------------------------------------------------------------

    @on(RowHighlighted, "#hurdles")
    def spell_out(self, event: RowHighlighted) -> None:
        """Say in full what has no room in its row."""
        row = event.rows.rows[event.index]
        self.say_after(event, row.left[-1].text if width_of(row.left) > event.rows.size.width - GUTTER else "")

    @on(RowSelected, "#hurdles")
    def go_to_hurdle(self, event: RowSelected) -> None:
        """Go back to the run, to what is to be done."""
        self.dismiss(event.key)

    def action_export(self) -> None:
        """Write the day log to a file."""
        self.console.export(self.state)

    def action_document(self) -> None:
        """Show the exact bytes that the signature is over, or that the last one was over."""
        self.console.start_first("reading the record", self._read_document)

    async def _read_document(self) -> None:
        from opsconsole.screens.reader import ReaderScreen

        statement = self._shown or self.state.signatures[-1].body.statement
        session = self._live.session if self._live is not None else None
        if session is None:
            self.say("read only: a run that is signed or open shows its record", WARNING)
            return
        try:
            payload = await asyncio.to_thread(payload_of, session, statement)
        except StoreError as error:
            self.say_error(error)
            return
        self.app.push_screen(ReaderScreen("Record", document_paragraphs(payload)))


def record_facts(session: RunSession, statement: Statement) -> RecordFacts:
    """Return how long the record is ahead of `statement`, and its hash. Reads the store."""
    payload = payload_of(session, statement)
    before = payload[: -len(statement_document(statement) + LINE_FEED)]
    return RecordFacts(before.count(LINE_FEED), len(before), hashlib.sha256(before).hexdigest())


def document_paragraphs(payload: bytes) -> list[Paragraph]:
    """Return a record as it is signed: a line for each event, the statement last."""
    *events, statement = payload[:-1].decode("utf-8", "backslashreplace").split("\n")
    head = f"{len(payload):,} bytes, SHA-256 {hashlib.sha256(payload).hexdigest()}"
    shown, room = [], _DOCUMENT_AT_MOST
    for each in events:
        room -= len(each)
        if room < 0:
            shown.append(Paragraph.plain("… more events, which `opsconsole export` writes", "bold"))
            break
        shown.append(Paragraph.plain(each, indent=2))
    return [
        Paragraph.plain(head, "dim"),
        Paragraph.plain("\nThe statement, its last line", "bold"),
        Paragraph.plain(statement, indent=2),
        Paragraph.plain("\nThe events of the run, a line each", "bold"),
        *shown,
    ]
