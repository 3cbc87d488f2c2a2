"""The deed of signing: it waits for a key, an agent or a touch without holding anything else up."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from opsconsole.contracts.signer import SigningError
from opsconsole.contracts.store import Conflict
from opsconsole.engine.approving import refuse_verdict
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.signoff import refuse_weak, statement_now
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import Amendment, Meaning, Statement
from opsconsole.model.signoff import hurdles, says_the_same
from opsconsole.model.tiers import Tier
from opsconsole.screens.base import WARNING, ConsoleScreen
from opsconsole.screens.live import LiveRun
from opsconsole.screens.pen import Deciding, PasswordNotChecked, Pen, Way
from opsconsole.screens.pen_view import waiting_words, way_entries

MEANT_WITHIN = 10.0
"""Seconds within which Y after S means that a signature without proof is meant."""
_QUICK = 0.5
"""Seconds that keys wait for a signature: what is typed after S is meant for what follows it."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What is to be signed."""

    meaning: Meaning = Meaning.PERFORMED
    amendment: Amendment | None = None
    draft: tuple[str, ...] = ()
    """Names the draft that the amendment was typed into; it is kept until the amendment is signed."""
    deciding: Deciding | None = None
    """What is decided of a qualification, with the meanings APPROVED and REFUSED."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the last attempt signed nothing."""

    text: str
    hint: str


class SigningScreen(ConsoleScreen):
    """The part of the sign-off that signs. Nothing is lost by an attempt that fails: it can be made again."""

    def __init__(self, live: LiveRun | None, purpose: Purpose) -> None:
        super().__init__()
        self._live = live
        self._purpose = purpose
        self._pen: Pen | None = None
        self._shown: Statement | None = None
        """What is on screen, and what alone may be signed; None where nothing is to be signed."""
        self._trouble: Trouble | None = None
        self._signing: asyncio.Task[tuple[str, ...]] | None = None
        self._signed_here = False
        self._confirmable_until = 0.0
        self._is_outdated = False
        """Whether what is decided on is no longer as it was shown."""

    # --- what the screen shows ---------------------------------------------------------------------

    def show_all(self) -> None:
        """Show everything as it is now."""
        raise NotImplementedError

    def show_difference(self, how: str) -> None:
        """Show everything as it is now, and say what is different from before."""
        raise NotImplementedError

    @property
    def is_confirmable(self) -> bool:
        """Whether Y signs now: S was pressed, and a signature without a key needs to be meant."""
        return monotonic() < self._confirmable_until

    def obstacle(self, way: Way | None) -> OpsconsoleError | None:
        """Return why it cannot be signed in this way now; None where it can."""
        live = self._live
        if live is None:
            return ActionRefused("read only")
        fault = self.console.store_fault
        if fault:
            return ActionRefused(f"the record is out of reach: {fault}", "it can be signed once the record is back")
        if self._is_outdated:
            return ActionRefused("what is decided on has changed since", "Esc goes back to how it is now")
        try:
            self._refuse(live, way)
        except ActionRefused as error:
            return error
        return None

    def _refuse(self, live: LiveRun, way: Way | None) -> None:
        """Raise ActionRefused where it cannot be signed in this way, in any where that is None."""
        deciding = self._purpose.deciding
        if deciding is None:
            statement_now(live.session, self._purpose.meaning, way.person if way else None, self._purpose.amendment)
            if way is not None:
                refuse_weak(live.session.state, way.tier)
        elif way is None:
            refuse_verdict(deciding.case, deciding.verdict)
        else:
            approving = deciding.approving
            approving.statement(live.session, deciding.case, deciding.verdict, way.person, way.tier)

    def _to_sign(self, live: LiveRun, way: Way, shown: Statement) -> Statement:
        """Return what is signed at the present moment; of a decision what was shown, which is looked at again."""
        if self._purpose.deciding is not None:
            return shown
        statement = statement_now(live.session, self._purpose.meaning, way.person, self._purpose.amendment)
        if not says_the_same(statement, shown):
            raise ActionRefused("the run is not as it was shown; look again before you sign")
        return statement

    def is_fit(self, way: Way) -> bool:
        """Return whether it can be signed in this way, apart from what is still to be done."""
        done = self._live is not None and (self._purpose.meaning is not Meaning.PERFORMED or self._is_done())
        return self.obstacle(way) is None if done else True

    def _is_done(self) -> bool:
        return self._live is not None and not hurdles(self._live.state)

    # --- keys --------------------------------------------------------------------------------------

    def action_choose_key(self) -> None:
        """Choose with which key to sign, or to sign without one."""
        from opsconsole.screens.palette import PaletteScreen

        if self._pen is None or self._live is None or len(self._pen.ways) < 2:  # noqa: PLR2004 - one is no choice
            self.say("there is nothing to choose from" if self._pen else "nothing is to be signed here", WARNING)
            return
        entries = way_entries(self._pen, self._live.session.actor.login)
        self.app.push_screen(PaletteScreen("Sign with", entries), self._chose)

    def _chose(self, way: str | None) -> None:
        if way and self._pen is not None:
            self._pen.pick(way)
            self._trouble = None
            self.say("")
            self._begin_anew()

    def action_look_again(self) -> None:
        """Look again for keys: an agent may be back, a security key plugged in."""
        if self._pen is None or self._signing is not None:
            self.say("nothing is to be signed here", WARNING)
            return
        self.say("looking for keys ...")
        self.console.start_first("looking for keys", self.look)

    async def look(self) -> None:
        """Look which keys there are."""
        if self._pen is None:
            return
        await self._pen.look(self.is_fit)
        if self.is_attached:
            self._trouble = None
            self.say("")
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._confirmable_until = 0.0
        self.show_all()

    def action_sign(self) -> None:
        """Sign what is shown."""
        way = self._pen.chosen if self._pen is not None else None
        if self._pen is None or self._live is None or self._shown is None:
            self.say(
                "it is signed already" if self._live is None or self._live.state.signed else "read only", WARNING
            )
        elif self._signing is not None:
            self.say(waiting_words(way) if way is not None else "")
        elif way is None or self._pen.is_looking:
            self.say("still looking for keys; one moment", WARNING)
        elif (obstacle := self.obstacle(way)) is not None:
            self.say_error(obstacle)
        elif self._pen.needs_confirmation:
            self._confirmable_until = monotonic() + MEANT_WITHIN
            self.say("Without a key this is no proof of who signed. Y signs all the same; Esc does not", WARNING)
            self.show_keys()
        elif way.tier is Tier.REAUTHENTICATED:
            self._ask_password()
        else:
            self._begin()

    def action_attribute(self) -> None:
        """Sign without a key, where that was asked for a moment ago."""
        if self.is_confirmable:
            self._confirmable_until = 0.0
            self._begin()

    def go_back(self) -> bool:
        """Stop waiting for a key, or do not sign without one; leave the screen where nothing is under way."""
        if self._signing is not None:
            self._signing.cancel()
            return True
        if self.is_confirmable:
            self._confirmable_until = 0.0
            self.say("not signed")
            self.show_keys()
            return True
        return False

    def _ask_password(self) -> None:
        from opsconsole.screens.password import PasswordScreen

        if self._live is not None:
            self.app.push_screen(PasswordScreen(self._live.session.actor.login), self._typed)

    def _typed(self, password: str | None) -> None:
        if password:
            self._begin(password)

    # --- the deed ----------------------------------------------------------------------------------

    def _begin(self, password: str | None = None) -> None:
        pen, live, shown = self._pen, self._live, self._shown
        if pen is None or live is None or shown is None or pen.chosen is None:
            return
        way, over = pen.chosen, asyncio.Event()

        async def signed() -> None:
            try:
                await self._sign(live, pen, way, shown, password)
            finally:
                over.set()

        self.console.start("signing", signed)
        self.console.start_first("signing", self._wait_for, over, way)

    async def _wait_for(self, over: asyncio.Event, way: Way) -> None:
        """Keep the keys while the signature is likely to come at once; then say what is waited for."""
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), _QUICK)
        if not over.is_set():
            first = "verifying the records first; " if self._purpose.deciding is not None else ""
            self.say(f"{first}{waiting_words(way)}")
            self.show_keys()

    async def _sign(self, live: LiveRun, pen: Pen, way: Way, shown: Statement, password: str | None) -> None:
        """Sign `shown` at the present moment; where the run is another by now, show that instead."""
        async with live.in_order:
            try:
                statement = self._to_sign(live, way, shown)
                self._signing = asyncio.ensure_future(_checked(pen, way, statement, password))
                missing = await self._signing
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise  # the console is being left
                self._not_signed(ActionRefused("you stopped it; nothing was signed, and nothing is lost"))
            except Conflict:
                self._signing = None
                self._is_outdated = self._purpose.deciding is not None
                self.show_difference("somebody else changed the run just now")
                hint = "Esc goes back to how it is now" if self._is_outdated else ""
                self._not_signed(ActionRefused("it has changed in the meantime", hint))
            except OpsconsoleError as error:
                self._not_signed(error)
            else:
                self._is_signed(missing)
            finally:
                self._signing = None
        if self.is_attached:
            self.show_keys()

    def is_signed_after_all(self) -> bool:
        """Show that what seemed not to be signed is, where that turned out."""
        found = self._live is not None and self._live.session.signed_after_all()
        if found:
            # Later: that the record can be reached again is said first.
            self.call_later(self._is_signed, ("the answer of the record was lost",))
        return found

    def _not_signed(self, error: OpsconsoleError) -> None:
        if self.is_signed_after_all():
            return
        if not self.is_attached:
            self.console.say(f"not signed: {error}", WARNING)
            return
        self._signing = None
        if isinstance(error, SigningError):
            self._trouble = Trouble(str(error), error.hint)
        self.show_all()
        self.say(f"not signed: {error}{f'; {error.hint}' if error.hint else ''}", WARNING)

    def _is_signed(self, missing: tuple[str, ...]) -> None:
        self._signing, self._trouble = None, None
        self._signed_here = True
        self.console.drafts.pop(self._purpose.draft, None)
        done = "Signed" if self._purpose.meaning is Meaning.PERFORMED else f"Signed as {self._purpose.meaning}"
        next_ = "x writes the day log, Esc goes back"
        text = f"{done}. {next_}"
        if missing:
            text = f"{done}, and that holds; but no note of it was taken elsewhere: {'; '.join(missing)}. {next_}"
        if not self.is_attached:
            self.console.say(text)
            return
        self.message.show_notice(())
        self.show_all()
        self.say(text)


async def _checked(pen: Pen, way: Way, statement: Statement, password: str | None) -> tuple[str, ...]:
    if password is None:
        return await pen.sign(way, statement)
    try:
        return await pen.sign(way, statement, password)
    except OpsconsoleError:
        raise
    except Exception as error:  # noqa: BLE001 - of a plug-in: what it says may hold the password
        raise PasswordNotChecked(type(error).__name__) from None
