"""Past runs: which there were, what they came to, and one of them in full, to be read only."""

import datetime as dt
import threading

from msgspec.structs import replace

from opsconsole.contracts.store import RunKey
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.events import Stored
from support.console import CRON, HOST, QBR, Morning, on
from support.driving import driving


async def _past(morning: Morning, day: dt.date, *, sign: bool = True) -> None:
    engine = morning.engine(CRON, on(day))
    session = await engine.open(HOST, day)
    await engine.measure(session)
    if sign:
        await sign_statement(session, statement_now(session))
    await session.aclose()


async def test_past_runs_and_one_of_them_read_only(morning: Morning) -> None:
    """The history names every run with its result; a signed one opens to be read, and refuses changes."""
    await _past(morning, dt.date(2026, 11, 19))
    await _past(morning, dt.date(2026, 11, 20), sign=False)
    async with driving(morning) as driver:
        await driver.sees("Host daily")
        await driver.press("down", "h")
        await driver.sees("Host daily · History", "2 runs", "[ ] UNSIGNED 2026-11-20", "[x] PASS     2026-11-19")
        await driver.sees("by cron")
        await driver.press("down", "enter")
        await driver.sees("Host daily · Thu 2026-11-19", "signed PASS")
        await driver.press("n")
        await driver.sees("read only: the run was signed by cron")
        await driver.press("g")
        await driver.sees("Signed as performed", "performed by cron")
        await driver.press("escape", "escape")
        await driver.sees("History")


async def test_unsigned_past_run_is_read_and_resumed_on_purpose(morning: Morning) -> None:
    """A past run that nobody signed is read only until the operator asks to go on with it."""
    await _past(morning, dt.date(2026, 11, 20), sign=False)
    async with driving(morning) as driver:
        await driver.sees("Host daily")
        await driver.press("down", "h")
        await driver.sees("UNSIGNED")
        await driver.press("enter")
        await driver.sees("Fri 2026-11-20 · read only", "o resume")
        await driver.press("n")
        await driver.sees("read only: a past run; o resumes it")
        await driver.press("g")
        await driver.sees("read only")
        await driver.press("o")
        await driver.sees_no("read only")
        await driver.press("n")
        await driver.type("late")
        await driver.press("enter")
        await driver.until(lambda: driver.stored() == ["Opened", "Noted"])
        await driver.press("escape")
        await driver.sees("History")


async def test_thousands_of_runs_are_read_as_they_come_near(morning: Morning) -> None:
    """A long history opens at once: only the runs around the cursor are read."""
    await _past(morning, dt.date(2026, 11, 20))
    asked: list[str] = []
    events = morning.store.inner.events

    def counted(run: str, *, after: int = 0) -> object:
        asked.append(run)
        return events("host-daily@2026-11-20", after=after) if run != "host-daily@2026-11-21" else []

    async with driving(morning) as driver:
        await driver.sees("Host daily")
        first = dt.date(1999, 1, 1)
        keys = [RunKey("host-daily", (first + dt.timedelta(days)).isoformat()) for days in range(10_000)]

        def runs(_checklist: str = "", *, limit: int = 0, with_actions: bool = False) -> list[RunKey]:
            return keys

        morning.store.inner.runs = runs  # type: ignore[method-assign, assignment]
        asked.clear()
        morning.store.inner.events = counted  # type: ignore[method-assign, assignment]
        await driver.press("down", "h")
        await driver.sees("10,000 runs")
        await driver.until(lambda: len(asked) >= 30)
        await driver.press("end")
        await driver.until(lambda: keys[-1].id in asked)
        assert len(asked) < 200


async def test_the_latest_runs_show_before_all_are_listed(morning: Morning) -> None:
    """A hundred thousand runs do not keep anybody waiting: the latest are there, the rest follows."""
    latest = dt.date(2026, 11, 20)
    await _past(morning, latest)
    keys = [RunKey("host-daily", (latest - dt.timedelta(days)).isoformat()) for days in range(5_000)]
    events, counted = morning.store.inner.events, threading.Event()

    def runs(_checklist: str = "", *, limit: int = 0) -> list[RunKey]:
        if not limit:
            counted.wait(60)
        return keys[:limit] if limit else keys

    def alike(run: str, *, after: int = 0) -> list[Stored]:
        return [replace(each, event=replace(each.event, run=run)) for each in events(keys[0].id, after=after)]

    async with driving(morning) as driver:
        await driver.sees("Host daily")
        morning.store.inner.runs = runs  # type: ignore[method-assign, assignment]
        morning.store.inner.events = alike  # type: ignore[method-assign]
        await driver.press("down", "h")
        await driver.sees("counting runs", "[x] PASS     2026-11-20")
        await driver.press("down", "down")
        counted.set()
        await driver.sees("5,000 runs", "> [x] PASS     2026-11-18")
        await driver.press("end")
        await driver.sees(f"> [x] PASS     {keys[-1].period}")


async def test_checklist_without_runs(morning: Morning) -> None:
    """A checklist that nobody ever opened says so."""
    async with driving(morning) as driver:
        await driver.sees("QBR")
        await driver.press("h")
        await driver.sees("nobody has opened this checklist yet", "0 runs")
        assert driver.morning.store.inner.runs(QBR.id) == []
