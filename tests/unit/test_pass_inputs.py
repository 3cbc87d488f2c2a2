"""What is computed with is what this pass has read: not what was read before, nor what others read beside it."""

import asyncio
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from opsconsole.contracts.probe import Context, ProbeError
from opsconsole.contracts.store import StoreUnavailable
from opsconsole.engine.recorder import NotSaved
from opsconsole.model.checklists import ForEach, Item
from opsconsole.model.events import Event
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from support.told import Desk, checklist, item, table, value

SIDES = {"left": {"item": "left"}, "right": {"item": "right"}}
CUTOFF = {"query": "select count(*) from records where at < :cutoff"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An engine whose probe brings back what it is told."""
    made = Desk(tmp_path)
    yield made
    made.store.close()


def listed(*require: str) -> tuple[Item, ...]:
    """Return two items and their comparison."""
    return (
        item("left", "value >= 0", options=CUTOFF),
        item("right", "value >= 0", requires=("left",), options=CUTOFF),
        item("agree", *require, probe="compare", options=SIDES),
    )


async def test_two_passes_at_once_do_not_mix(desk: Desk, tmp_path: Path) -> None:
    """Another host measures the same run a minute later, in between: its count is not held against ours."""
    other = Desk(tmp_path / "other")
    other.store.close()
    other.store = desk.store
    other.now = desk.now + dt.timedelta(minutes=1)
    other.told.answers = {"left": value(500), "right": value(500)}
    both = checklist(*listed("difference == 0", "same_cutoff == true", "apart < 30 s"))

    async def right(_context: Context) -> Reading:
        await other.measured(both)
        await session.refresh()
        return value(100)

    desk.told.answers = {"left": value(100), "right": right}
    async with desk.opened(both) as (engine, session):
        await engine.measure(session)
        state = session.state.items["agree"]
        assert len(session.state.items["left"].attempts) == 2, "both hosts measured it"
        ours = state.attempts[-1].body
        assert ours.judgement.outcome is Outcome.PASS, ours.judgement.summary
        assert ours.reading is not None
        assert (ours.reading.measures["left"], ours.reading.measures["right"]) == (
            value(100).measures["value"],
            value(100).measures["value"],
        )


async def test_what_could_not_be_saved_is_not_replaced_by_what_was(desk: Desk) -> None:
    """A full disk takes the new reading away: the comparison does not fall back to that of the pass before."""
    both = checklist(*listed("difference == 0"))
    desk.told.answers = {"left": value(1), "right": value(1)}
    assert (await desk.measured(both))["agree"].outcome is Outcome.PASS
    append = desk.store.append

    def refusing(events: list[Event], *, after: int | None = None) -> object:
        if any(getattr(each.body, "item", "") == "left" for each in events):
            raise StoreUnavailable("the disk is full", "make room")
        return append(events, after=after)

    desk.told.answers = {"left": value(2), "right": value(1)}
    desk.store.append = refusing  # type: ignore[method-assign, assignment]
    async with desk.opened(both) as (engine, session):
        with pytest.raises(NotSaved):
            await engine.measure(session)
        assert {"left", "agree"} <= session.unsaved_items
        desk.store.append = append  # type: ignore[method-assign]
        await session.retry_unsaved()
        assert session.state.items["agree"].outcome is Outcome.BLOCKED


async def test_an_input_that_is_not_read_any_more_blocks(desk: Desk) -> None:
    """What could be read an hour ago and cannot now is nothing to compute with."""
    both = checklist(*listed("difference == 0"))
    desk.told.answers = {"left": value(1), "right": value(1)}
    assert (await desk.measured(both))["agree"].outcome is Outcome.PASS
    desk.told.answers = {"left": ProbeError("failed", "broke"), "right": value(1)}
    states = await desk.measured(both, ("agree",))
    assert states["agree"].outcome is Outcome.BLOCKED


async def test_a_pass_that_is_cancelled_computes_nothing(desk: Desk) -> None:
    """Whoever ends a pass while one side is measured does not get the other compared with its old reading."""
    both = checklist(*listed("difference == 0"))
    desk.told.answers = {"left": value(1), "right": value(1)}
    await desk.measured(both)
    begun, never = asyncio.Event(), asyncio.Event()

    async def right(_context: Context) -> Reading:
        begun.set()
        await never.wait()
        return value(0)

    desk.told.answers = {"left": value(7), "right": right}
    async with desk.opened(both) as (engine, session):
        task = asyncio.create_task(engine.measure(session))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(session.state.items["left"].attempts) == 2
        assert len(session.state.items["agree"].attempts) == 1, "nothing was compared with half a pass"


@pytest.mark.parametrize("taken_out", ["catalogue", "left"])
async def test_an_edit_takes_an_input_out_while_it_is_measured(desk: Desk, tmp_path: Path, taken_out: str) -> None:
    """Somebody removes an item from the list in mid-pass: those that needed it say so, and the rest is measured."""
    each = item("each", "value > 0", for_each=ForEach("catalogue", "name"), options={"about": "{target}"})
    items = (item("catalogue", "count > 0"), each, *listed("difference == 0"), item("other", "value > 0"))
    whole = checklist(*items)
    rest = checklist(item("other", "value > 0"), *(one for one in items if one.id == "right"))
    other = Desk(tmp_path / "other")
    other.store.close()
    other.store = desk.store

    def edited(reading: Reading) -> Callable[[Context], Any]:
        async def answer(_context: Context) -> Reading:
            async with other.opened(rest):
                await session.refresh()
            return reading

        return answer

    desk.told.answers = {"catalogue": table("name", ("a",)), "each": value(1), "left": value(1), "right": value(1)}
    desk.told.answers |= {"other": value(1)}
    desk.told.answers[taken_out] = edited(table("name", ("a",)) if taken_out == "catalogue" else value(1))
    async with desk.opened(whole) as (engine, session):
        await engine.measure(session)
        assert session.state.items.keys() == {"other", "right"}
        assert session.state.items["other"].outcome is Outcome.PASS
