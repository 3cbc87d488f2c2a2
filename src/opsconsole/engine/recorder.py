"""Writes events to the store from a thread of its own, and says plainly when one could not be saved."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import msgspec

from opsconsole.contracts.store import Store, StoreError, StoreUnavailable
from opsconsole.engine.spill import Spill
from opsconsole.engine.threads import in_daemon_thread
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import Event, Stored

P = ParamSpec("P")
T = TypeVar("T")

RETRIES = (0.05, 0.25, 1.0)
"""Seconds to wait before each further attempt at a write that failed for now."""
_SOON = 0.5
"""Seconds that a write under way has at the end before it is spilled as well, whatever becomes of it."""


class NotSaved(OpsconsoleError):
    """An event is in memory, and in the spill file if that could be written, but not in the store yet."""

    title = "not saved"

    def __init__(self, cause: StoreUnavailable, spilled: Path | None) -> None:
        where = f"kept in {spilled}" if spilled else "kept in memory only"
        super().__init__(f"{cause}; {where} until it can be saved", cause.hint)
        self.cause = cause
        self.spilled = spilled


class NotKept(StoreError):
    """The store refuses for good what waited to be saved; `aside` is where it is kept instead."""

    def __init__(self, count: int, cause: StoreError, aside: Path | None) -> None:
        where = f"kept in {aside}" if aside else "kept in memory only"
        super().__init__(f"{count} earlier events can no longer be saved: {cause}; {where}", cause.hint)


class _Waiting(msgspec.Struct):
    event: Event
    saved: "asyncio.Future[None]"


class Recorder:
    """The one way to the store for one run: what it has acknowledged is on disk.

    Events that arrive while a transaction is under way go into the next one together.
    """

    def __init__(self, store: Store, run: str, spill: Spill) -> None:
        self._store = store
        self._run = run
        self._spill = spill
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="opsconsole-store")
        self._queue: list[_Waiting] = []
        self._under_way: list[Event] = []
        self._flushing: asyncio.Task[None] | None = None
        self.unsaved: dict[str, Event] = {}
        """Events that could not be saved so far, by id."""
        self.unsaved_cause = ""
        """Why they could not, and where they are kept meanwhile."""
        self._closing = False
        self._spilled_ahead = False
        self.notices: tuple[str, ...] = ()
        """What became of events that the store refuses for good."""

    async def append(self, event: Event) -> None:
        """Return once `event` is durable.

        Raises NotSaved where the store cannot be written for now, another StoreError where it refuses.
        """
        saved: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(event, saved))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        await asyncio.shield(saved)

    async def append_after(self, events: Sequence[Event], after: int) -> list[Stored]:
        """Compare-and-append (see Store.append): for what depends on nothing having come in between."""
        return await self._call(self._store.append, list(events), after=after)

    async def read(self, after: int) -> list[Stored]:
        """Return the run's events beyond seq `after`."""
        return await self._call(self._store.events, self._run, after=after)

    async def retry_unsaved(self) -> int:
        """Try again to save what this or an earlier process could not save; return how many events are left.

        Raises NotKept, once, for events that the store refuses for good (somebody has signed the run meanwhile).
        """
        if not self.unsaved:
            self.unsaved = {event.id: event for event in await self._call(self._spill.claim)}
        try:
            await self._save_waiting()
        except StoreUnavailable as error:
            self.unsaved_cause = self.unsaved_cause or str(error)
        return len(self.unsaved)

    async def hasten(self) -> None:
        """Be about to end: what is being written is spilled as well, unless the store answers soon.

        Who ends the process may not wait for a store that is silent; a spill of what was stored does no harm.
        """
        self._closing = True
        if self._flushing is None:
            return
        await asyncio.wait({self._flushing}, timeout=_SOON)
        if not self._flushing.done():
            waiting = [*self.unsaved.values(), *self._under_way, *(each.event for each in self._queue)]
            events = list({event.id: event for event in waiting}.values())
            await in_daemon_thread("spill", partial(self._spill.write, events))
            self._spilled_ahead = True

    async def aclose(self) -> None:
        """Finish what is being written; what cannot be saved at once is spilled, and not tried again."""
        self._closing = True
        if self._flushing is not None:
            await asyncio.wait({self._flushing})
        if self._spilled_ahead and not self.unsaved:
            await self._call(self._spill.withdraw)
        self._thread.shutdown(wait=False)

    async def _call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **kwargs))

    async def _flush(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            self._under_way = [each.event for each in batch]
            refused: dict[str, Exception]
            try:
                refused = dict(await self._save([each.event for each in batch]))
            except Exception as error:  # noqa: BLE001 - handed to everybody who waits for the batch
                refused = {each.event.id: error for each in batch}
            for each in batch:
                if each.saved.cancelled():
                    continue
                if each.event.id in refused:
                    each.saved.set_exception(refused[each.event.id])
                    each.saved.exception()
                else:
                    each.saved.set_result(None)

    async def _save(self, fresh: list[Event]) -> dict[str, StoreError]:
        """Save what could not be saved before ahead of what is new, so that the order stays that of the deeds.

        Returns the errors of those that the store refuses, by id.
        """
        for wait in (*RETRIES, None):
            try:
                with suppress(NotKept):  # it is among the notices, and no reason to refuse what is new
                    await self._save_waiting()
                return await self._appended(fresh)
            except StoreUnavailable as error:
                unavailable = error
                if wait is None or self._closing:
                    break
                await asyncio.sleep(wait)
        self.unsaved |= {event.id: event for event in fresh}
        spilled = await self._call(self._spill.write, list(self.unsaved.values()))
        not_saved = NotSaved(unavailable, spilled)
        self.unsaved_cause = str(not_saved)
        raise not_saved from unavailable

    async def _save_waiting(self) -> None:
        """Save what could not be saved before; raises NotKept where the store refuses some of it for good."""
        waiting = dict(self.unsaved)
        if not waiting:
            return
        refused = await self._appended(list(waiting.values()))
        kept = {event: waiting[event] for event in refused}
        aside = await self._call(self._spill.set_aside, list(kept.values())) if kept else None
        for event in waiting:
            if event not in kept or aside is not None:
                self.unsaved.pop(event, None)
        # What is left failed meanwhile, or is refused and could not be set aside.
        await self._call(self._spill.settle, list(self.unsaved.values()))
        if kept:
            error = NotKept(len(kept), next(iter(refused.values())), aside)
            self.notices = (*self.notices, str(error))
            raise error

    async def _appended(self, events: list[Event]) -> dict[str, StoreError]:
        """Append events together, or each alone where one of them is refused; return the refusals by id."""
        try:
            await self._call(self._store.append, events)
        except StoreUnavailable:
            raise
        except StoreError as error:
            if len(events) == 1:
                return {events[0].id: error}
        else:
            return {}
        refused: dict[str, StoreError] = {}
        for event in events:
            refused |= await self._appended([event])
        return refused
