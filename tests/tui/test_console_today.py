"""Today: what is due, what it came to, and what the operator should know."""

import datetime as dt

import msgspec
import pytest

from opsconsole.contracts.store import StoreUnavailable
from support.console import CRON, HOST, QBR, Morning
from support.driving import driving

from .conftest import MakeMorning


async def _signed_day(morning: Morning, day: dt.date) -> None:
    engine = morning.engine(CRON)
    session = await engine.open(HOST, day)
    await engine.measure(session)
    await session.sign(session.statement())
    await session.aclose()


async def test_every_checklist_with_its_state(make_morning: MakeMorning) -> None:
    """Each checklist says whether it is due, when in its own zone, how far it is, and how it went before."""
    morning = make_morning(notices=("no systemd here",), problems=("broken.toml: 3: what is 'prob'?",))
    await _signed_day(morning, dt.date(2026, 11, 19))
    async with driving(morning) as driver:
        await driver.sees("[ ] DUE      QBR daily monitoring  08:00 CST", "not opened")
        await driver.sees("[ ] UPCOMING Host daily", "09:00 CST", "GAP")
        await driver.sees("1 problem with the configuration", "broken.toml: 3: what is 'prob'?", "no systemd here")
        await driver.sees("overdue from 10:00 (America/Chicago)", "Day Operator (operator) on ops01")
        await driver.press("down")
        await driver.sees("2026-11-19: PASS, 1 pass; signed", "the period before this one has no signed run")


async def test_overdue_comes_by_itself(morning: Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    """Due turns into overdue while the console stands open."""
    monkeypatch.setattr("opsconsole.screens.today.RELOAD_EVERY", 0.05)
    async with driving(morning) as driver:
        await driver.sees("[ ] DUE      QBR")
        morning.now += dt.timedelta(hours=2)
        await driver.sees("[!] OVERDUE  QBR")


async def test_measured_run_waits_for_its_signature(morning: Morning) -> None:
    """A run in which nothing is open any more says that it waits to be signed."""
    async with driving(morning) as driver:
        await driver.press("down", "enter")
        await driver.sees("1 pass")
        await driver.press("escape")
        await driver.sees("[~] TO SIGN  Host daily", "1 pass")


async def test_record_that_cannot_be_read_is_said(morning: Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the record cannot be read the row says so; opening it says why and what to do."""

    def broken(_run: str, *, after: int = 0) -> None:
        raise StoreUnavailable("the disk is gone", "plug it in")

    async with driving(morning) as driver:
        await driver.sees("[ ] DUE")
        with monkeypatch.context() as patch:
            patch.setattr(morning.store.inner, "events", broken)
            await driver.press("r")
            await driver.sees("[?] ERROR    QBR daily monitoring", "the disk is gone")
            await driver.press("enter")
            await driver.sees("it cannot be opened: the disk is gone; plug it in")
        await driver.press("r")
        await driver.sees("[ ] DUE")


async def test_nothing_configured_says_what_to_do(make_morning: MakeMorning) -> None:
    """A console without a checklist says how to get one, and can be left."""
    async with driving(make_morning(checklists=())) as driver:
        await driver.sees("There is no checklist yet")
        await driver.press("enter", "h", "q")
        await driver.until(lambda: not driver.app.is_running)


@pytest.mark.parametrize("run", ["host-daily", "host-daily@2026-11-21"])
async def test_opens_on_a_run(morning: Morning, run: str) -> None:
    """`opsconsole run ID` opens on that run, with Today behind it."""
    async with driving(morning, run=run) as driver:
        await driver.sees("Host daily · Sat 2026-11-21", "1 pass")
        await driver.press("escape")
        await driver.sees("opsconsole · Today")


async def test_opens_on_a_past_day_that_nobody_opened(morning: Morning) -> None:
    """A day that was missed can be opened by its name, and is worked on like today's."""
    async with driving(morning, run="qbr-daily@2026-11-20") as driver:
        await driver.sees("QBR daily monitoring · Fri 2026-11-20", "5 pass, 2 pending")
        await driver.sees("qbr-daily@2026-11-20 was over on 2026-11-20")
        await driver.go("dashboard")
        await driver.press("space")
        await driver.sees("6 pass, 1 pending")


@pytest.mark.parametrize(
    ("run", "said"),
    [("nosuch", "there is no checklist 'nosuch'"), ("host-daily@2026-W47", "names no daily period")],
)
async def test_unknown_run_is_said(morning: Morning, run: str, said: str) -> None:
    """A name that means nothing is said on Today."""
    async with driving(morning, run=run) as driver:
        await driver.sees(said)


async def test_many_checklists_scroll(make_morning: MakeMorning) -> None:
    """Forty checklists leave room for what is under the cursor."""
    many = tuple(msgspec.structs.replace(HOST, id=f"host-{each}", title=f"Host {each}") for each in range(40))
    async with driving(make_morning(checklists=(QBR, *many))) as driver:
        await driver.press("end")
        await driver.sees("> [ ] UPCOMING Host 39", "run      host-39@2026-11-21")
