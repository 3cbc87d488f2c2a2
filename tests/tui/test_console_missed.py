"""Runs that were missed or not signed in time: what is shown of them, and what can still be done about them."""

import datetime as dt

import msgspec
import pytest

from opsconsole.engine.overview import today
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.calendar import Standing
from opsconsole.model.checklists import Cadence, Due
from opsconsole.model.events import Signed, Statement
from opsconsole.model.outcomes import Result
from opsconsole.model.values import Duration
from support.console import CRON, HOST, JANES, QBR, Morning, console_screen, on
from support.driving import Driver, driving

from .conftest import MakeMorning

HOURLY = msgspec.structs.replace(
    HOST,
    id="pulse",
    title="Pulse",
    cadence=Cadence.INTERVAL,
    due=Due(every=Duration.parse("1 h"), timezone="America/Chicago"),
)


async def _past(morning: Morning, day: int, *, sign: bool = True) -> None:
    engine = morning.engine(CRON, on(dt.date(2026, 11, day)))
    session = await engine.open(HOST)
    await engine.measure(session)
    if sign:
        await sign_statement(session, statement_now(session))
    await session.aclose()


async def _signed(driver: Driver) -> Statement:
    await driver.sees("ready: S signs")
    await driver.press("S")
    await driver.sees("Signed. x writes the day log")
    signed = driver.morning.store.inner.events(driver.live.state.run)[-1].event.body
    assert isinstance(signed, Signed)
    return signed.statement


async def test_missed_day_is_explained_from_today(morning: Morning) -> None:
    """The gap opens as missed, measures nothing, asks why, and is explained once that is signed."""
    await _past(morning, 19)
    asked = len(morning.told.asked)
    async with driving(morning) as driver:
        await driver.sees("[!] MISSED   Host daily  2026-11-20: nobody ran it")
        await driver.press("home", "enter")
        await driver.sees("Host daily · Fri 2026-11-20", "[ ] TO SAY  Why nobody did it", "[-] UNSEEN  Every file")
        await driver.sees("because  nobody has said why yet", "N say why")
        await driver.press("enter")
        await driver.type("The host was down for maintenance")
        await driver.press("enter")
        await driver.sees("[x] SAID", "because  The host was down for maintenance")
        await driver.press("g")
        await driver.sees("With S you sign why this run was missed", "MISSED", "because  The host was down")
        statement = await _signed(driver)
        assert (statement.result, statement.counts) == (Result.MISSED, {})
        await driver.press("escape")
        await driver.sees("MISSED, explained")
        await driver.press("escape")
        await driver.sees_no("[!] MISSED")
        gap = today(morning.engine(), HOST).gaps[0]
        assert (gap.standing, gap.why) == (Standing.EXPLAINED, "The host was down for maintenance")
        assert driver.stored() == ["Opened", "Noted", "Signed"]
        assert len(morning.told.asked) == asked


async def test_missed_run_offers_and_takes_nothing_else(make_morning: MakeMorning) -> None:
    """No key looks at anything afterwards: each says that it is too late, and the footer offers none of them."""
    morning = make_morning(checklists=(QBR,))
    async with driving(morning, run="qbr-daily@2026-11-20") as driver:
        await driver.sees("Why nobody did it")
        offered = {each.name for each in console_screen(driver.app).commands()}
        assert {"note_run", "sign_off", "raise_action", "history"} <= offered
        assert not offered & {"tick", "enter", "skip", "waive", "measure", "measure_all", "fill", "note"}
        for row in ("dashboard", "collectors", "tickets"):
            await driver.go(row)
            for key in ("space", "s", "w", "r", "R", "f", "u"):
                await driver.press(key)
                await driver.sees("what nobody saw then cannot be filled in now")
                await driver.press("up", "down")
                await driver.sees("nobody did it")
        await driver.press("g", "enter")
        await driver.sees("> [ ] TO SAY  Why nobody did it")
        assert driver.stored() == ["Opened"]
        assert morning.told.asked == []


async def test_missed_days_are_opened_from_the_history(morning: Morning) -> None:
    """A line for several missing runs lets one be chosen; the list shows afterwards that nobody has said why."""
    await _past(morning, 16)
    await _past(morning, 20)
    async with driving(morning) as driver:
        await driver.sees("Host daily")
        await driver.go("host-daily")
        await driver.press("h")
        await driver.sees("[!] GAP      2026-11-17 to 2026-11-19  3 runs missing")
        await driver.press("down", "enter")
        await driver.sees("Which one was missed", "host-daily@2026-11-18")
        await driver.press("down", "enter")
        await driver.sees("Host daily · Wed 2026-11-18", "MISSED")
        await driver.press("escape")
        await driver.sees("[!] MISSED   2026-11-18  nobody has said why", "[!] GAP      2026-11-19  no run")
        await driver.go("host-daily@2026-11-18")
        await driver.press("enter")
        await driver.sees("[ ] TO SAY  Why nobody did it")


async def test_several_gaps_are_chosen_from(morning: Morning) -> None:
    """Where more than one period is missing, Enter asks which one is meant; Esc opens none."""
    await _past(morning, 17)
    async with driving(morning) as driver:
        await driver.sees("2026-11-20: nobody ran it, and 2 more")
        await driver.press("home")
        await driver.sees(
            "3 periods without a signed run", "2026-11-18: nobody ran it  was due 2026-11-18 09:00:00"
        )
        await driver.press("enter")
        await driver.sees("Which one", "host-daily@2026-11-19  nobody ran it")
        await driver.press("escape")
        await driver.sees("> [!] MISSED")
        assert driver.app.runs.all == ()


async def test_run_that_was_seen_in_time_is_signed_late(morning: Morning) -> None:
    """What cron measured in time can be signed later: it says so everywhere, and nothing is measured anew."""
    await _past(morning, 19)
    await _past(morning, 20, sign=False)
    asked = len(morning.told.asked)
    async with driving(morning) as driver:
        await driver.sees("[ ] UNSIGNED Host daily  2026-11-20: never signed")
        await driver.press("home", "enter")
        await driver.sees("Host daily · Fri 2026-11-20 · LATE", "was over on 2026-11-20")
        await driver.press("g")
        await driver.sees("LATE       its period was over at 2026-11-21 00:00:00 CST")
        statement = await _signed(driver)
        assert statement.result is Result.PASS
        await driver.sees("LATE       its period was over")
        assert len(morning.told.asked) == asked


async def test_unmeasured_items_of_a_late_run_are_not_measured_by_opening_it(morning: Morning) -> None:
    """A run that was only opened in time stays as it was until somebody decides otherwise."""
    engine = morning.engine(CRON, on(dt.date(2026, 11, 20)))
    await (await engine.open(HOST)).aclose()
    async with driving(morning, run="host-daily@2026-11-20") as driver:
        await driver.sees("LATE", "1 pending")
        assert morning.told.asked == []


async def test_interval_needs_no_signature(make_morning: MakeMorning) -> None:
    """A list of every hour is done once it was measured: it says so, and nobody is asked to sign it."""
    morning = make_morning(checklists=(HOURLY,))
    async with driving(morning) as driver:
        await driver.sees("[ ] DUE      Pulse", "needs no signature")
        await driver.press("enter")
        await driver.sees("Pulse · Sat 2026-11-21 08:00 CST", "needs no signature", "1 pass")
        assert "sign_off" not in {each.name for each in console_screen(driver.app).commands()}
        await driver.press("g")
        await driver.sees("this checklist needs no signature")
        await driver.press("escape")
        await driver.sees("[x] DONE     Pulse")


async def test_missed_interval_can_be_explained_and_signed(make_morning: MakeMorning) -> None:
    """An hour that nobody measured is a gap too, and its explanation is signed."""
    morning = make_morning(checklists=(HOURLY,))
    engine = morning.engine(CRON, morning.now - dt.timedelta(hours=2))
    session = await engine.open(HOURLY)
    await engine.measure(session)
    await session.aclose()
    async with driving(morning) as driver:
        await driver.sees("[!] MISSED   Pulse  2026-11-21T1300Z: nobody ran it")
        await driver.press("home", "enter")
        await driver.sees("Pulse · Sat 2026-11-21 07:00 CST", "Why nobody did it")
        await driver.press("N")
        await driver.type("The host rebooted")
        await driver.press("enter")
        await driver.sees("noted")
        await driver.press("g")
        await _signed(driver)


async def test_colleague_explains_at_the_same_time(morning: Morning) -> None:
    """Two who open the same gap work on one run: what the other writes shows."""
    await _past(morning, 19)
    async with driving(morning) as driver:
        await driver.sees("[!] MISSED")
        await driver.press("home", "enter")
        await driver.sees("[ ] TO SAY")
        other = await morning.engine(JANES).resume("host-daily@2026-11-20")
        await other.note("", "I know why: the host was down")
        await driver.sees("[x] SAID", "I know why: the host was down")
        await other.aclose()


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_missed_run_fits_the_screen(morning: Morning, size: tuple[int, int]) -> None:
    """Why, and what to do about it, shows without scrolling."""
    async with driving(morning, size=size, run="host-daily@2026-11-20") as driver:
        await driver.sees("MISSED", "Why nobody did it", "to do    N say why   g sign that", "nobody did it")
