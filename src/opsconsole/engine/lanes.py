"""Who may measure now: the slots of a pass, the lanes of its sources, and the places beyond the first of each lane.

The time of an item runs while it is measured and never while it waits here. That is why there is a bound on all
that is under way at once: thousands of requests would wait for their turn in the event loop instead, on their time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SPARE = 128
"""Measurements that may be under way beside the first one of each lane. With those of 64 slots that makes 192,
which take about two tenths of a second of a processor over HTTP: far less than any of them has."""


class Spare:
    """The places beyond the first of each lane, which all lanes of a pass share; whoever waits longest is next."""

    def __init__(self, places: int = SPARE) -> None:
        self._free = places
        self._waiting: dict[Lane, None] = {}

    def take(self) -> bool:
        """Take a place if one is free."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    def wait(self, lane: "Lane") -> None:
        """Give the next place that becomes free to this lane, unless others came before it."""
        self._waiting[lane] = None

    def forget(self, lane: "Lane") -> None:
        """Do not give it one any more."""
        self._waiting.pop(lane, None)

    def give_back(self) -> None:
        """Give a place back, to the lane that waits longest and still wants it."""
        for lane in tuple(self._waiting):
            del self._waiting[lane]
            if lane.take_spare():
                return
        self._free += 1


class Lane:
    """The way of items to one source: `depth` of them at once at most, and all of them in one of the pass's slots.

    So a source that does not answer holds one slot, however many items wait for it. Its first measurement needs
    nothing but that; further ones need a spare place, so that a few slow sources cannot take all of the time.
    """

    def __init__(self, depth: int, slots: asyncio.Semaphore, spare: Spare) -> None:
        self._turns = asyncio.Semaphore(depth)
        self._slots = slots
        self._spare = spare
        self._entrance = asyncio.Lock()
        self._inside = 0
        self._first_is_taken = False
        self._next: asyncio.Future[bool] | None = None
        """Of the one at the entrance that waits for a place: whether it is a spare one."""

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn, and have it for the length of the block."""
        async with self._turns:
            async with self._entrance:
                is_spare = await self._place()
            try:
                yield
            finally:
                self._leave(is_spare=is_spare)

    def take_spare(self) -> bool:
        """Let the one at the entrance in by a spare place; return whether anybody still waits for one."""
        if self._next is None or self._next.done():
            return False
        self._inside += 1
        self._next.set_result(True)
        return True

    async def _place(self) -> bool:
        """Wait for a place; return whether it is a spare one. One at a time stands here, the others behind it."""
        if self._inside == 0:
            await self._slots.acquire()
        if not self._first_is_taken:
            self._inside += 1
            self._first_is_taken = True
            return False
        if self._spare.take():
            self._inside += 1
            return True
        place: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._next = place
        self._spare.wait(self)
        try:
            return await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was given a place in the same moment
                self._leave(is_spare=place.result())
            raise
        finally:
            self._next = None
            self._spare.forget(self)

    def _leave(self, *, is_spare: bool) -> None:
        if is_spare:
            self._spare.give_back()
        elif self._next is not None and not self._next.done():
            self._next.set_result(False)  # the first place stays taken, by the one that waits for it
            return
        else:
            self._first_is_taken = False
        self._inside -= 1
        if self._inside == 0:
            self._slots.release()
