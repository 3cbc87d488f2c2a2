"""Who may measure now: time runs for nobody who waits, and what hangs delays nobody else."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.engine.lanes import SPARE, Lane, Spare
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Duration
from support.told import Desk, checklist, item


@dataclass
class Floor:
    """Lanes with what is under way in each."""

    slots: int
    spare: int
    depth: int
    lanes: list[Lane] = field(default_factory=list)
    inside: list[int] = field(default_factory=list)
    most: int = 0
    most_lanes: int = 0
    most_in_lane: int = 0

    def opened(self, count: int) -> None:
        """Make so many lanes."""
        self.free, self.shared = asyncio.Semaphore(self.slots), Spare(self.spare)
        self.lanes = [Lane(self.depth, self.free, self.shared) for _ in range(count)]
        self.inside = [0] * count

    async def measure(self, lane: int, until: asyncio.Event | None, steps: int) -> None:
        """Be under way for so many turns of the event loop, or until something happens."""
        async with self.lanes[lane].turn():
            self.inside[lane] += 1
            self.most = max(self.most, sum(self.inside))
            self.most_lanes = max(self.most_lanes, sum(each > 0 for each in self.inside))
            self.most_in_lane = max(self.most_in_lane, *self.inside)
            try:
                for _ in range(steps):
                    await asyncio.sleep(0)
                if until is not None:
                    await until.wait()
            finally:
                self.inside[lane] -= 1


@settings(max_examples=60, deadline=None)
@given(
    slots=st.integers(1, 4),
    spare=st.integers(0, 5),
    depth=st.integers(1, 4),
    tasks=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4), st.booleans()), max_size=60),
    dead=st.integers(0, 3),
)
def test_bounds_hold_and_nobody_waits_for_the_dead(
    slots: int, spare: int, depth: int, tasks: list[tuple[int, int, bool]], dead: int
) -> None:
    """Whatever hangs or is cancelled, no bound is broken, all others get their turn, and every place comes back."""

    async def scenario() -> Floor:
        floor, woken = Floor(slots, spare, depth), asyncio.Event()
        floor.opened(8 + dead)
        hanging = [
            asyncio.create_task(floor.measure(8 + lane, woken, 0))
            for lane in range(min(dead, slots - 1))
            for _ in range(depth)
        ]
        await asyncio.sleep(0)
        under_way = [asyncio.create_task(floor.measure(lane, None, steps)) for lane, steps, _ in tasks]
        for number, (_, _, cancelled) in enumerate(tasks):
            if cancelled:
                await asyncio.sleep(0)
                under_way[number].cancel()
        async with asyncio.timeout(5):
            await asyncio.gather(*under_way, return_exceptions=True)
        woken.set()
        await asyncio.gather(*hanging)
        for _ in range(slots):
            async with asyncio.timeout(1):
                await floor.free.acquire()
        assert [floor.shared.take() for _ in range(spare + 1)] == [True] * spare + [False]
        return floor

    floor = asyncio.run(scenario())
    assert floor.most <= slots + spare
    assert floor.most_lanes <= slots
    assert floor.most_in_lane <= depth
    assert floor.inside == [0] * len(floor.inside)


async def test_so_many_are_under_way_at_once_whatever_waits() -> None:
    """Hundred servers with a hundred requests each are no ten thousand requests at once, on the time of each."""
    floor = Floor(slots=64, spare=SPARE, depth=32)
    floor.opened(100)
    async with asyncio.timeout(20):
        await asyncio.gather(*(floor.measure(lane, None, 1) for lane in range(100) for _ in range(30)))
    assert floor.most == 64 + SPARE


async def test_spare_places_go_round() -> None:
    """A source with many requests does not take all spare places before others that came a little later."""
    floor = Floor(slots=3, spare=2, depth=8)
    floor.opened(3)
    woken = asyncio.Event()
    greedy = [asyncio.create_task(floor.measure(0, woken, 0)) for _ in range(8)]
    await asyncio.sleep(0)
    others = [asyncio.create_task(floor.measure(lane, None, 1)) for lane in (1, 2) for _ in range(20)]
    async with asyncio.timeout(5):
        await asyncio.gather(*others)
    assert floor.inside == [3, 0, 0]
    woken.set()
    await asyncio.gather(*greedy)


@pytest.mark.parametrize("in_line", [False, True])
async def test_only_a_line_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_line: bool) -> None:
    """A probe that does not end its work itself is given up after its own time, not after that of all its lane."""
    desk = Desk(tmp_path)
    kinds = desk.told.kinds()
    deep = msgspec.structs.replace(kinds["told"], lane=lambda _: "web", depth=32, in_line=in_line)
    monkeypatch.setattr(desk.told, "kinds", lambda: kinds | {"told": deep})
    desk.told.answers = {"late": lambda _: asyncio.Event().wait()}
    began = time.monotonic()
    states = await desk.measured(checklist(item("late", "value < 1", timeout=Duration.parse("20 ms"))))
    took = time.monotonic() - began
    assert (states["late"].outcome, states["late"].summary) == (Outcome.ERROR, "no answer within 20 ms")
    assert (took >= 32 * 0.02) is in_line
    desk.store.close()
