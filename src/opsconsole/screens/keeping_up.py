"""Keeps the open runs as the record has them, and says so for as long as it cannot be reached."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, ParamSpec

from textual import on

from opsconsole.contracts.store import StoreError, StoreUnavailable
from opsconsole.engine.threads import in_daemon_thread
from opsconsole.screens.base import ERROR, ConsoleScreen
from opsconsole.screens.live import LiveRun, LiveRuns
from opsconsole.screens.sharing import Deaf, HearsAgain, Stirred, StoreWatcher
from opsconsole.screens.typeahead import TypeAheadApp
from opsconsole.widgets.environment import Terminal
from opsconsole.wiring.services import Services

P = ParamSpec("P")

REFRESH_EVERY = 5.0
"""Seconds between two looks at the runs that are shown, for what was not heard of."""
RETRY_EVERY = 5.0
"""Seconds between two attempts to save what could not be saved."""
ANSWER_WITHIN = 2.5
"""Seconds that the record has to answer while the console is being left."""


class KeepingUpApp(TypeAheadApp[None]):
    """The part of the application that shares the record with other consoles."""

    def __init__(self, services: Services, terminal: Terminal, **options: Any) -> None:
        super().__init__(terminal, **options)
        self.services = services
        self.runs = LiveRuns(services.engine)
        self.store_fault = ""
        """Why the record cannot be reached now; empty where it can."""
        self._watcher = StoreWatcher(services.engine.store.watch, self.post_message)
        self._retrying: set[str] = set()
        self._refreshing: set[str] = set()
        self._outdated: set[str] = set()
        self._checking = False

    def say(self, text: str, style: str = "") -> None:
        """Say something on the screen in front, or on the one behind it that has a line for that."""
        raise NotImplementedError

    def start(
        self, doing: str, work: Callable[P, Coroutine[Any, Any, None]], *args: P.args, **kwargs: P.kwargs
    ) -> None:
        """Do `work` in the background, whatever becomes of the screen; an unexpected error is shown."""
        raise NotImplementedError

    def keep_up(self) -> None:
        """Begin to listen to the store, and to look from time to time all the same."""
        self._watcher.start()
        self.set_interval(REFRESH_EVERY, self._look)

    def keep_up_no_longer(self) -> None:
        """Stop listening."""
        self._watcher.close()

    async def let_go_of_silent_store(self) -> None:
        """Close a record that does not answer: nothing that waits for it may keep the console from ending."""
        store = self.services.engine.store
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                with suppress(StoreError):
                    await in_daemon_thread("head", store.head)
        except TimeoutError:
            await in_daemon_thread("closing", store.close)

    # --- what is heard -----------------------------------------------------------------------------

    @on(Stirred)
    def store_stirred(self) -> None:
        """Take in at once what somebody stored."""
        self._refresh_runs()
        for screen in self._consoles():
            screen.record_stirred()

    @on(Deaf)
    def store_is_silent(self, message: Deaf) -> None:
        """Find out whether the record can be reached at all; where it can, the next look shows what others do."""
        self._check(f"what others do shows a few seconds late: {message.cause}")

    @on(HearsAgain)
    def store_is_heard(self) -> None:
        """Find out whether everything is well again."""
        self._check()

    def _look(self) -> None:
        if self.store_fault and not self._watched():
            self._check()
        self._refresh_runs()

    # --- what is read ------------------------------------------------------------------------------

    def _watched(self) -> list[LiveRun]:
        return [each for each in self.runs.all if each.is_watched]

    def _refresh_runs(self, *, at_once: bool = False) -> None:
        for live in self._watched():
            self._refresh(live)
        for live in self.runs.all:
            if live.session.unsaved:
                self.retry(live, at_once=at_once)

    def _refresh(self, live: LiveRun) -> None:
        run = live.state.run
        self._outdated.add(run)
        if run not in self._refreshing:
            self._refreshing.add(run)
            self.start("reading the record", self._refreshed, live)

    async def _refreshed(self, live: LiveRun) -> None:
        run = live.state.run
        try:
            while run in self._outdated:
                self._outdated.discard(run)
                await live.session.refresh()
        except StoreError as error:
            self._not_reached(error)
        else:
            self._reached()
        finally:
            self._refreshing.discard(run)

    def _check(self, otherwise: str = "") -> None:
        """Read what the screens show, or ask for the head of the record; say `otherwise` where that is answered."""
        if not self._checking:
            self._checking = True
            self.start("reading the record", self._checked, otherwise)

    async def _checked(self, otherwise: str) -> None:
        try:
            watched = self._watched()
            for live in watched:
                await live.session.refresh()
            if not watched:
                await in_daemon_thread("head", self.services.engine.store.head)
        except StoreError as error:
            self._not_reached(error)
        else:
            self._reached()
            if otherwise:
                self.say(otherwise)
        finally:
            self._checking = False

    def _not_reached(self, error: StoreError) -> None:
        fault = f"{error}{f'; {error.hint}' if error.hint else ''}"
        if fault != self.store_fault:
            self.store_fault = fault
            self._show_standing()

    def _reached(self) -> None:
        if self.store_fault:
            self.store_fault = ""
            self._show_standing()
            self.say("the record can be reached again")
            self._refresh_runs(at_once=True)
            for screen in self._consoles():
                screen.record_stirred()

    def _show_standing(self) -> None:
        for screen in self._consoles():
            screen.show_standing()

    def _consoles(self) -> list[ConsoleScreen]:
        return [each for each in self.screen_stack if isinstance(each, ConsoleScreen)]

    # --- what could not be saved -------------------------------------------------------------------

    def retry(self, live: LiveRun, *, at_once: bool = False) -> None:
        """Go on trying to save what could not be saved, after a pause unless that is to be `at_once`."""
        if live.state.run not in self._retrying:
            self._retrying.add(live.state.run)
            self.start("saving", self._retried, live, 0.0 if at_once else RETRY_EVERY)

    async def _retried(self, live: LiveRun, pause: float) -> None:
        try:
            while live.session.unsaved:
                await asyncio.sleep(pause)
                pause = RETRY_EVERY
                await live.session.retry_unsaved()
            self.say("everything is saved now")
        except StoreUnavailable as error:
            self._not_reached(error)  # it is tried again with the next look
        except StoreError as error:
            self.say(f"not saved: {error}", ERROR)
        finally:
            self._retrying.discard(live.state.run)
