"""Runs the lists of every few minutes while a demo is open, as cron would: what nobody runs is missing later."""

import asyncio
import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Iterator, Sequence

from opsconsole.contracts.store import Store, StoreError
from opsconsole.engine.engine import Engine, opened
from opsconsole.model.calendar import slot_begins
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Actor, Via

CRON = Actor("cron", "Demo Cron", "demo", Via.HEADLESS)
"""Who runs them."""
_FIRST = 40.0
"""Seconds after which the interval in progress is run, unless somebody has done so: the console is drawn first."""
_AFTER_BEGIN = 20.0
_AGAIN = 5.0


@contextlib.contextmanager
def watched(
    open_store: Callable[[], Store], make: Callable[[Store], Engine], lists: Sequence[Checklist]
) -> Iterator[None]:
    """Run lists in each of their intervals for the length of the block, in a thread with a store of its own."""
    if not lists:
        yield
        return
    thread = _Watch(open_store, make, lists)
    thread.start()
    try:
        yield
    finally:
        thread.stop()


class _Watch(threading.Thread):
    def __init__(
        self, open_store: Callable[[], Store], make: Callable[[Store], Engine], lists: Sequence[Checklist]
    ) -> None:
        super().__init__(name="demo-watch", daemon=True)
        self._open_store = open_store
        self._make = make
        self._lists = lists
        self._loop = asyncio.new_event_loop()
        self._work = self._loop.create_task(self._watched())

    def run(self) -> None:
        # Where the record cannot be opened nothing is run, which the lists tell: the terminal is the console's.
        with contextlib.closing(self._loop), contextlib.suppress(asyncio.CancelledError, StoreError):
            self._loop.run_until_complete(self._work)

    def stop(self) -> None:
        """Give up what is under way, and wait for its end."""
        with contextlib.suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._work.cancel)
        self.join()

    async def _watched(self) -> None:
        await asyncio.sleep(_FIRST)
        with contextlib.closing(self._open_store()) as store:
            engine = self._make(store)
            while True:
                for checklist in self._lists:
                    # A round that fails is missing in the record, which the lists tell; the console goes on.
                    with contextlib.suppress(Exception):
                        await _run_once(engine, store, checklist)
                await asyncio.sleep(_AGAIN)


async def _run_once(engine: Engine, store: Store, checklist: Checklist) -> None:
    """Run the interval in progress, a bit after its beginning, if there is no run of it yet."""
    period = engine.period(checklist)
    if engine.clock() < slot_begins(period) + dt.timedelta(seconds=_AFTER_BEGIN):
        return
    known = store.runs(checklist.id, limit=1)
    if known and known[0].period >= period.key:
        return
    async with opened(engine, checklist, period) as session:
        await engine.measure(session)
