"""The calendar at the console: how the runs of a list went, over months, each a keystroke away."""

import asyncio
import datetime as dt
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.contracts.store import RunKey
from opsconsole.engine import calendaring
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.checklists import Cadence, Checklist, Due, SignOffPolicy
from opsconsole.model.heatmap import Square
from opsconsole.model.values import Duration
from opsconsole.screens.heatmap_view import SQUARES
from opsconsole.widgets.environment import Terminal
from opsconsole.widgets.squares import Squares
from support.console import HOSTILE
from support.driving import Driver, driving
from support.monitored import DAILY, MORNING, Monitored
from support.tampering import column as column_of
from support.tampering import tampered

from .test_console_hostile import assert_harmless

Make = Callable[..., Monitored]
MIXED = {3: "pass", 5: "pass", 6: "waive", 8: "open", 9: "pass", 14: "pass", 15: "fail", 18: "missed", 19: "pass"}


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a console in a directory of the test's own."""
    made: list[Monitored] = []

    def monitored(**options: Any) -> Monitored:
        directory = tmp_path / str(len(made))
        directory.mkdir()
        made.append(Monitored(directory, **{"qualifications": (), "checklists": (DAILY,), **options}))
        return made[-1]

    yield monitored
    for each in made:
        each.close()


async def at_calendar(driver: Driver) -> None:
    """Open the calendar of the first list from Today, and wait until it is read."""
    await driver.sees("Today")
    await driver.press("c")
    await driver.sees("Calendar", "passed")
    await driver.until(lambda: all(" :" not in each for each in driver.lines), "read")


def column(driver: Driver) -> str:
    """Return the glyphs of the last week."""
    rows = driver.lines[3:10]
    return "".join(each[79:80] or " " for each in rows)


async def test_each_state_has_its_glyph(make: Make) -> None:
    """Passed, with a waiver, failed, missed, explained, not signed and open are told apart without any colour."""
    async with driving(await make().past(MIXED)) as driver:
        await at_calendar(driver)
        await driver.reads(
            "x passed 5",
            "~ passed with warnings 1",
            "! failed 1",
            "M missed",
            "e missed, and explained 1",
            "u not signed 1",
            "o open 1",
            "- to come 1",
        )
        assert column(driver) == "MMexMo-"
        await driver.sees("Sat 2026-11-21  o open", "which nobody opened")


async def test_a_run_that_cannot_be_read_has_its_glyph(make: Make) -> None:
    """One run that was tampered with is told as that, and hides none of the others."""
    monitored = await make().past(MIXED)
    store = monitored.store.inner
    seq = store.events("qbr-daily@2026-11-19")[1].seq
    tampered(Path(store.location), column_of(seq, "document", b"{}"))
    async with driving(monitored) as driver:
        await at_calendar(driver)
        await driver.reads("x passed 4", "? could not be measured 1", "! failed 1")
        assert column(driver) == "MMe?Mo-"


def test_glyphs_are_different_and_ascii() -> None:
    """No two states look alike, on any terminal."""
    glyphs = [SQUARES[each].text for each in Square]
    assert len(set(glyphs)) == len(glyphs)
    assert all(each.isascii() and len(each) == 1 for each in glyphs)


async def test_cursor_tells_of_the_run_and_enter_opens_it(make: Make) -> None:
    """The line under the board tells of the square under the cursor; Enter reads it, or opens a missed one."""
    async with driving(await make().past(MIXED)) as driver:
        await at_calendar(driver)
        await driver.press("left", "down")
        await driver.sees("Sun 2026-11-15  ! failed", "amended to FAIL", "by Day Operator (operator), attributed")
        await driver.press("enter")
        await driver.sees("Sun 2026-11-15", "amended to FAIL")
        await driver.press("escape")
        await driver.press("up", "up", "right", "up", "up")
        await driver.sees("Wed 2026-11-18  e missed, and explained", "the VPN was down")
        await driver.press("up")
        await driver.sees("Tue 2026-11-17  M missed", "which nobody opened")
        await driver.press("enter")
        await driver.reads("Tue 2026-11-17", "was missed")
        await driver.press("escape", "end")
        await driver.press("down", "down", "down", "down", "enter")
        await driver.sees("Sat 2026-11-21", "not signed")
        await driver.press("escape", "down", "enter")
        await driver.sees("to come")


async def test_earlier_and_later(make: Make) -> None:
    """Brackets, and the cursor at the edge, turn to the time before and back again."""
    async with driving(await make().past(MIXED)) as driver:
        await at_calendar(driver)
        await driver.sees("2026-03-02 to 2026-11-21")
        await driver.press("right_square_bracket")
        await driver.sees("what is to come is not known")
        await driver.press("left_square_bracket")
        await driver.sees("2025-06-09 to 2026-03-01")
        await driver.press("home", "left")
        await driver.sees("2024-09-16 to 2025-06-08")
        await driver.press("right_square_bracket", "right_square_bracket")
        await driver.sees("2026-03-02 to 2026-11-21")


async def test_from_the_history_and_back_to_it(make: Make) -> None:
    """c in the history shows the calendar, h in the calendar the history."""
    async with driving(await make().past({20: "pass"})) as driver:
        await driver.sees("Today")
        await driver.press("h")
        await driver.sees("History", "1 run")
        await driver.press("c")
        await driver.sees("Calendar")
        await driver.press("h")
        await driver.sees("History")


async def test_first_paint_waits_for_nothing(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The board is there before anything was read, and says of each square that it is not known yet."""
    gate = threading.Event()
    real = calendaring.seen_places

    def held(*args: Any) -> Any:
        gate.wait(30)
        yield from real(*args)

    monkeypatch.setattr("opsconsole.screens.heatmap.seen_places", held)
    async with driving(await make().past(MIXED)) as driver:
        await driver.sees("Today")
        await driver.press("c")
        await driver.sees("Mon  : : :", "Sat 2026-11-21  reading the record")
        await driver.press("left", "up")
        await driver.sees("Fri 2026-11-13  reading the record")
        gate.set()
        await driver.sees("x passed 5", "Fri 2026-11-13  M missed")


async def test_ten_years_are_read_as_they_are_looked_at(make: Make) -> None:
    """Of thousands of runs only those on the board are read, the latest first."""
    monitored = await make().past({20: "pass"})
    events, asked = monitored.store.inner.events, []
    keys = [RunKey(DAILY.id, (dt.date(2026, 11, 20) - dt.timedelta(days=days)).isoformat()) for days in range(3650)]

    def alike(run: str, *, after: int = 0) -> list[Any]:
        asked.append(run)
        found = events(keys[0].id, after=after)
        return [msgspec.structs.replace(each, event=msgspec.structs.replace(each.event, run=run)) for each in found]

    async with driving(monitored) as driver:
        await driver.sees("Today")
        monitored.store.inner.runs = (  # type: ignore[method-assign]
            lambda checklist="", *, limit=0, with_actions=False: keys[: limit or None] if checklist else []
        )
        monitored.store.inner.events = alike  # type: ignore[method-assign]
        asked.clear()
        await at_calendar(driver)
        await driver.sees("x passed 264")
        read = [each for each in asked if each != "qbr-daily@2026-11-21"]
        assert len(set(read)) <= 7 * 38
        assert read[0] == keys[0].id


async def test_intervals_have_a_square_for_each_hour(make: Make) -> None:
    """A list of every half hour shows days as rows of hours; what failed in an hour is seen, and named below."""
    every = Checklist(
        id="pulse",
        title="Pulse",
        cadence=Cadence.INTERVAL,
        due=Due(every=Duration.parse("30 min"), timezone="UTC"),
        sign_off=SignOffPolicy(needed=True),
        sections=DAILY.sections,
    )
    monitored = make(checklists=(every,))
    for minute in (0, 30):
        monitored.now = dt.datetime(2026, 11, 21, 13, minute + 5, tzinfo=dt.UTC)
        session = await monitored.engine().open(every)
        for item in every.items:
            await session.tick(item.id)
        if minute == 0:
            await sign_statement(session, statement_now(session))
        await session.aclose()
    monitored.now = MORNING
    async with driving(monitored) as driver:
        await at_calendar(driver)
        await driver.sees("11-21", "2026-11-21 14h", "00", "18")
        await driver.press("left")
        await driver.reads("2026-11-21 13h u not signed", "1 passed, 1 not signed", "pulse@2026-11-21T1330Z")


@pytest.mark.parametrize("cadence", [Cadence.WEEKLY, Cadence.MONTHLY, Cadence.QUARTERLY])
async def test_rarer_lists_have_rows_of_periods(make: Make, cadence: Cadence) -> None:
    """Weekly, monthly and quarterly lists show their periods; the cursor stands on the present one."""
    rare = msgspec.structs.replace(DAILY, id="rare", title="Rare", cadence=cadence, due=Due(timezone="UTC"))
    monitored = make(checklists=(rare,))
    async with driving(monitored, size=(80, 24)) as driver:
        await at_calendar(driver)
        label = {"weekly": "2026-W47  o open", "monthly": "2026-11  o open", "quarterly": "2026-Q4  o open"}
        await driver.sees(label[cadence])
        await driver.press("left", "up", "home", "end", "pageup")
        await driver.until(lambda: driver.app.screen.query_one(Squares).cursor is not None)


async def test_hostile_explanations_are_text(make: Make) -> None:
    """What somebody wrote about a day that was missed steers nothing."""
    monitored = await make().past({19: "pass"})
    await monitored.missed(dt.date(2026, 11, 20), f"because {HOSTILE}")
    monitored.now = MORNING
    async with driving(monitored) as driver:
        await at_calendar(driver)
        await driver.press("up")
        await driver.sees("e missed, and explained", "because \\x1b[2J")
        assert_harmless(driver.text)


async def test_without_colours(make: Make) -> None:
    """The cursor shows without colours and other glyphs: a sign stands before its square."""
    async with driving(await make().past(MIXED), terminal=Terminal(ascii=True, no_color=True)) as driver:
        await at_calendar(driver)
        await driver.sees(">o")


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_looks(make: Make, snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """The calendar looks as it was accepted."""
    monitored = asyncio.run(make().past(MIXED))
    app = monitored.app()

    async def before(pilot: Any) -> None:
        driver = Driver(monitored, app, pilot)
        await at_calendar(driver)
        await driver.sees("x passed 5")
        await driver.stands_still()

    assert snap_compare(app, terminal_size=size, run_before=before)
