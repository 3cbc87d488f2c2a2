"""The sign-off: what stands in its way, exactly what is signed, and what happens when two people work at once."""

import datetime as dt

import pytest

from opsconsole.model.outcomes import Result
from support.console import CRON, HOST, Morning, bad
from support.driving import Driver, driving

from .conftest import MakeMorning


async def _all_green(driver: Driver) -> None:
    """Do what a good morning asks of a person."""
    await driver.open_run()
    await driver.go("tickets")
    await driver.press("e")
    await driver.type("412")
    await driver.press("enter")
    await driver.sees("entered: 412")
    await driver.go("dashboard")
    await driver.press("space")
    await driver.sees("7 pass")


async def test_all_green_morning_is_three_keys(make_morning: MakeMorning) -> None:
    """Where everything is measured and green: open, review, sign."""
    async with driving(make_morning(checklists=(HOST,))) as driver:
        await driver.sees("Host daily")
        await driver.press("enter")
        await driver.sees("1 pass")
        await driver.press("g")
        await driver.sees(
            "With S you sign that you performed this checklist", "Every item passed", "ready: S signs"
        )
        await driver.press("S")
        await driver.sees("Signed. x writes the day log")
        assert driver.state.signed is not None
        assert driver.stored() == ["Opened", "Signed"]


async def test_shows_exactly_what_is_signed(morning: Morning) -> None:
    """Result, counts, who, where, when with zone, and what the signature is bound to are read before signing."""
    async with driving(morning, size=(120, 40)) as driver:
        await _all_green(driver)
        await driver.press("g")
        head = driver.state.head_hash
        await driver.sees(
            "PASS  7 pass",
            "performed by Day Operator (login operator) on ops01",
            "2026-11-21 08:12:03 CST now",
            "attributed to the login operator; not cryptographically signed",
            head,
            driver.state.definition_hash,
            driver.morning.store.inner.store_id,
        )
        await driver.press("S")
        await driver.sees("Signed as performed")
        signed = driver.state.signed
        assert signed is not None
        assert (signed.body.statement.result, signed.body.statement.head_hash) == (Result.PASS, head)


async def test_enter_alone_never_signs(morning: Morning) -> None:
    """Enter, Space and the small s do not sign: only the deliberate key does."""
    async with driving(morning) as driver:
        await _all_green(driver)
        await driver.press("g")
        await driver.sees("ready: S signs")
        await driver.press("enter", "space", "s", "y")
        await driver.press("escape")
        await driver.sees("not signed")
        assert driver.state.signed is None


async def test_hurdles_are_listed_and_enter_goes_there(make_morning: MakeMorning) -> None:
    """What is missing is named, item by item; Enter goes to it; nothing can be signed before."""
    async with driving(make_morning(bad())) as driver:
        await driver.open_run()
        await driver.press("g")
        await driver.sees(
            "6 things to do", "it needs a note", "could not be measured", "'Issues found'", "not ready"
        )
        await driver.press("S")
        await driver.sees("it needs a note")
        assert driver.state.signed is None
        await driver.press("down", "down", "down", "down", "enter")
        await driver.until(lambda: any(each.startswith("> [ ] PENDING The dashboard") for each in driver.lines))
        await driver.press("g", "end", "enter")
        await driver.until(lambda: any(each.startswith("> [ ] TO FILL Issues") for each in driver.lines))


async def test_bad_morning_is_signed_as_fail_with_its_notes(make_morning: MakeMorning) -> None:
    """A morning that failed is signed as FAIL once every item that is not green is explained."""
    async with driving(make_morning(bad()), size=(120, 40)) as driver:
        await driver.open_run()
        session = driver.live.session
        await session.note("collectors", "vendor slow")
        await session.waive("journal", "no rights yet", dt.date(2026, 11, 30))
        await session.note("metrics", "follows from the journal")
        await session.enter("tickets", "412")
        await session.tick("dashboard")
        await session.fill("issues", "slow")
        await driver.press("g")
        await driver.sees(
            "FAIL  4 pass, 1 fail, 1 blocked, 1 waived", "note by", "vendor slow", "until 2026-11-30: no rights yet"
        )
        await driver.press("S")
        await driver.sees("Signed. x")
        await driver.press("escape")
        await driver.sees("signed FAIL")
        assert driver.state.result is Result.FAIL


async def test_signed_run_refuses_every_change(morning: Morning) -> None:
    """After the sign-off the run can be read and exported, and every change is refused with a clear word."""
    async with driving(morning) as driver:
        await _all_green(driver)
        await driver.press("g", "S")
        await driver.sees("Signed. x")
        await driver.press("escape")
        await driver.sees("signed PASS")
        stored = driver.stored()
        for key in ("space", "e", "n", "s", "w", "u", "f", "N", "r", "m"):
            await driver.press(key)
            await driver.sees("read only: the run was signed by Day Operator")
            await driver.press("down" if key != "m" else "up")
        assert driver.stored() == stored
        await driver.press("x")
        await driver.sees("day log written")
        await driver.press("escape")
        await driver.sees("[x] PASS     QBR daily monitoring", "signed 08:12, 7")


async def test_change_by_somebody_else_is_shown_before_signing(morning: Morning) -> None:
    """When another operator changes the run while one reads, the screen says what changed, and is read again."""
    async with driving(morning) as driver:
        await _all_green(driver)
        await driver.press("g")
        await driver.sees("ready: S signs")
        other = await morning.engine(CRON).open(morning.checklists[0])
        await other.untick("dashboard")
        await driver.sees("The dashboard looks right: PASS is PENDING now", "not ready")
        await other.aclose()


async def test_conflict_at_the_last_moment_signs_nothing(morning: Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people at once: the later one's signature is refused, and what changed is shown."""
    monkeypatch.setattr("opsconsole.screens.keeping_up.REFRESH_EVERY", 60.0)
    morning.store.deaf = True
    async with driving(morning) as driver:
        await _all_green(driver)
        await driver.press("g")
        await driver.sees("ready: S signs")
        other = await morning.engine(CRON).open(morning.checklists[0])
        await other.note("dashboard", "looked again")
        await driver.press("S")
        await driver.sees("not signed", "changed in the meantime")
        assert driver.state.signed is None
        await driver.press("S")
        await driver.sees("Signed. x")
        await other.aclose()
