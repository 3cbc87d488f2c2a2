"""A qualification: which days count, what is missing, resets, final review, decision, and earlier counts."""

import asyncio
from functools import partial
from time import monotonic
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container
from textual.timer import Timer

from opsconsole.engine.outlook import Outlook, Verification, outlook, verification
from opsconsole.engine.threads import in_daemon_thread
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.qualifications import Qualification
from opsconsole.screens.commands import Command, Where, bindings, commands_of
from opsconsole.screens.qualification_deeds import QualificationDeeds
from opsconsole.screens.qualification_detail import detail_paragraphs
from opsconsole.screens.qualification_rows import (
    ATTEMPT,
    BLOCKER,
    DECISION,
    REVIEW,
    Looks,
    qualification_rows,
)
from opsconsole.screens.qualification_view import phase_words
from opsconsole.screens.run_view import run_notices
from opsconsole.widgets.evidence import TextPane
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import RowHighlighted, Rows, RowSelected

STIRRED_WITHIN = 2.0
"""Seconds within which what others did shows."""
VERIFY_EVERY = 10.0
"""Seconds between two verifications of a record that goes on growing: each may run many processes."""


class QualificationScreen(QualificationDeeds):
    """The days on the left or above, the one under the cursor on the right or below."""

    WHERE: ClassVar[Where] = Where.QUALIFICATION
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.QUALIFICATION)]
    CSS_PATH = "qualification.tcss"
    DETAIL: ClassVar[str] = "#detail"

    def __init__(self, definition: Qualification) -> None:
        super().__init__()
        self.definition = definition
        self._outlook: Outlook | None = None
        self._verification: Verification | None = None
        self._unfolded: set[int] = set()
        self._loading = self._outdated = self._verifying = False
        self._verifying_since = -VERIFY_EVERY
        self._stirred: Timer | None = None
        self._postponed: Timer | None = None

    # --- what it shows -------------------------------------------------------------------------------

    @property
    def outlook(self) -> Outlook | None:
        """What was read last; None as long as nothing was."""
        return self._outlook

    @property
    def chosen_key(self) -> str:
        """The key of the row under the cursor."""
        return self.query_one(Rows).cursor_key or ""

    def commands(self) -> list[Command]:
        """Return what can be asked for about the row under the cursor."""
        offered = self.offered if self.is_attached and self.query(Rows) else {}
        return [each for each in commands_of(Where.QUALIFICATION) if offered.get(each.name, True)]

    def compose_body(self) -> ComposeResult:
        """Yield the list and the detail."""
        yield TextPane(id="notices")
        with Container(id="body"):
            yield Rows(id="rows")
            yield TextPane(id="detail")

    def on_mount(self) -> None:
        """Begin to read how it stands; what is verified follows."""
        alarms = self.console.services.alarms
        notices = self.query_one("#notices", TextPane)
        notices.display = bool(alarms)
        notices.show(run_notices((), alarms))
        self._show_top()
        self.query_one("#detail", TextPane).show(())
        self.say("reading the record …")

    def on_resize(self) -> None:
        """Show what the new width has room for."""
        self.call_after_refresh(self.show_now)

    def on_screen_resume(self) -> None:
        """Look again: what was signed on another screen shows here."""
        self.show_standing()
        self._load()

    def record_stirred(self) -> None:
        """Look again soon: somebody stored something."""
        if self.is_current and self._stirred is None:
            self._stirred = self.set_timer(STIRRED_WITHIN, self._load_stirred)

    def _load_stirred(self) -> None:
        self._stirred = None
        self._load()

    def show_now(self) -> None:
        """Show everything as it is known; only lines that changed are painted."""
        if not self.is_attached:
            return
        self._show_top()
        if self._outlook is not None:
            rows = self.query_one(Rows)
            rows.set_rows(qualification_rows(self._outlook, Looks(self._unfolded, rows.size.width)))
        self._show_detail()
        self.show_keys()

    def _show_top(self) -> None:
        left = (Piece(self.definition.title, "bold"), Piece(" · Qualification"))
        if self._outlook is None:
            self.show_top((left, (Piece("not verified yet"),)))
            return
        words = phase_words(self._outlook.state, self._outlook.review)
        self.show_top((left, (Piece(f"{words} · "), Piece(self.verification_words(), "bold"))))

    def verification_words(self) -> str:
        """Return what is known of the records that this rests on; never more than was looked at."""
        known = self._outlook
        if known is None or known.verification is None or not known.is_verified:
            return "verifying …" if self._verifying else "not verified yet"
        evidence = known.verification.evidence
        if evidence.faults:
            one = len(evidence.faults) == 1
            return "1 record DOES NOT HOLD" if one else f"{len(evidence.faults)} records DO NOT HOLD"
        if not evidence.record_holds:
            return "THE RECORD DOES NOT HOLD"
        if not evidence.is_whole:
            return "not all could be checked"
        return "verified"

    def _show_detail(self) -> None:
        if self._outlook is None:
            return
        key = self.chosen_key
        parts = detail_paragraphs(self._outlook, key)
        self.query_one("#detail", TextPane).show(parts, document=key)

    # --- reading -------------------------------------------------------------------------------------

    def action_reload(self) -> None:
        """Read the record again, and verify it."""
        self._verification = None
        self._verifying_since = -VERIFY_EVERY
        self.say("reading the record …")
        self._load()

    def _load(self) -> None:
        self._outdated = True
        if not self._loading:
            self._loading = True
            self.console.start("reading the qualification", self._loaded)

    async def _loaded(self) -> None:
        try:
            while self._outdated and self.is_attached:
                self._outdated = False
                await self._read()
        finally:
            self._loading = False

    async def _read(self) -> None:
        is_first = self._outlook is None
        engine, name = self.console.services.engine, self.definition.id
        try:
            self._outlook = await asyncio.to_thread(outlook, engine, name, self.checklist, self._verification)
        except OpsconsoleError as error:
            self.say_error(error)
            return
        if self.is_attached:
            if is_first or self.message.text == "reading the record …":
                self.say("")
            self.show_now()
            self._verify()

    # --- verifying -----------------------------------------------------------------------------------

    def _verify(self) -> None:
        """Begin to verify what was not, or not as it is now."""
        if self._outlook is None or self._outlook.is_verified or self._verifying or self._postponed is not None:
            return
        early = self._verifying_since + VERIFY_EVERY - monotonic()
        if early > 0:
            self._postponed = self.set_timer(early, self._verify_now)
        else:
            self._verify_now()

    def _verify_now(self) -> None:
        self._postponed = None
        if self._verifying or not self.is_attached:
            return
        self._verifying, self._verifying_since = True, monotonic()
        self._show_top()
        self.console.start("verifying", self._verified)

    async def _verified(self) -> None:
        services = self.console.services
        work = partial(verification, services.engine, self.definition.id, services.verifying())
        try:
            # In a thread that nobody has to wait for: it may take minutes, and the console may be left before.
            found = await in_daemon_thread("verifying", work)
        except OpsconsoleError as error:
            self.say_error(OpsconsoleError(f"not verified: {error}", error.hint))
        else:
            self._verification = found
            self._load()
        finally:
            self._verifying = False
            self.show_now()

    # --- keys ----------------------------------------------------------------------------------------

    @on(RowHighlighted, "#rows")
    def detail_follows(self, event: RowHighlighted) -> None:
        """Show everything about the row under the cursor."""
        self.say_after(event, "")
        self._show_detail()
        self.show_keys()

    @on(RowSelected, "#rows")
    def action_open(self) -> None:
        """Open what the row under the cursor is about."""
        key = self.chosen_key
        if key.startswith(ATTEMPT):
            self._fold(int(key.removeprefix(ATTEMPT)))
        elif key == REVIEW:
            self.action_final_review()
        elif key.startswith(BLOCKER):
            self.action_decide()
        elif key.startswith(DECISION):
            self.console.read_run(key.removeprefix(DECISION).rpartition(":")[0])
        elif self.chosen_run:
            self.show_run(self.chosen_run)

    def _fold(self, number: int) -> None:
        self._unfolded ^= {number}
        self.show_now()

    def action_history(self) -> None:
        """Show the past runs of the checklist."""
        if self.checklist is not None:
            self.console.show_history(self.checklist)

    def action_calendar(self) -> None:
        """Show how the runs went as a calendar."""
        if self.checklist is not None:
            self.console.show_calendar(self.checklist)
