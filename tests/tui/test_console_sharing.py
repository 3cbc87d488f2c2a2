"""Several consoles on one record: what others do shows at once, who is there is told, and a lost record is said."""

import time

import pytest

from opsconsole.screens.company import company_words
from support.console import BY_HAND, CRON, HOSTILE, JANES, Morning
from support.driving import Driver, driving

from .conftest import MakeMorning


@pytest.fixture(autouse=True)
def _heard_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever shows here was heard of: the next look would come too late."""
    monkeypatch.setattr("opsconsole.screens.keeping_up.REFRESH_EVERY", 600.0)
    monkeypatch.setattr("opsconsole.screens.run_shared.COMPANY_EVERY", 0.05)


@pytest.fixture
def by_hand(make_morning: MakeMorning) -> Morning:
    """A run that only people work on."""
    morning: Morning = make_morning(checklists=(BY_HAND,))
    return morning


async def opened(driver: Driver) -> None:
    """Open the run."""
    await driver.sees("By hand")
    await driver.press("enter")
    await driver.sees("Look at 00")


async def test_what_a_colleague_does_shows_at_once(by_hand: Morning) -> None:
    """Ticks and notes of somebody else show within a second, with a calm word on who it was."""
    async with driving(by_hand) as driver:
        await opened(driver)
        other = await by_hand.engine(JANES).open(BY_HAND)
        began = time.monotonic()
        await other.tick("look-3")
        await driver.sees("[x] PASS    Look at 03", "Jane Roe (jane) ticked Look at 03")
        assert time.monotonic() - began < 5
        await other.note("look-4", "dusty")
        await driver.sees("Jane Roe (jane) wrote a note on Look at 04")
        await other.aclose()


async def test_what_cron_measures_is_not_announced(morning: Morning) -> None:
    """Readings of another process show in their rows; nobody is told of each."""
    async with driving(morning) as driver:
        await driver.open_run()
        engine = morning.engine(CRON)
        other = await engine.open(morning.checklists[0])
        asked = len(morning.told.asked)
        await engine.measure(other, ("disk",))
        await driver.until(lambda: len(driver.state.items["disk"].attempts) == 2, "the second reading")
        assert len(morning.told.asked) == asked + 1
        assert "cron" not in driver.message
        await other.aclose()


async def test_own_deeds_are_no_news(by_hand: Morning) -> None:
    """Nobody is told what they did themselves."""
    async with driving(by_hand) as driver:
        await opened(driver)
        await driver.press("space")
        await driver.sees("[x] PASS    Look at 00")
        assert "Day Operator" not in driver.message


async def test_who_is_in_the_run_is_shown(by_hand: Morning) -> None:
    """Whoever has the run open is named in the top line, and no longer once they have left."""
    async with driving(by_hand) as driver:
        await opened(driver)
        jane = by_hand.store.enter("by-hand@2026-11-21", "Jane Roe (jane)")
        await driver.until(lambda: "with Jane Roe (jane) · not signed" in driver.lines[0], "Jane")
        third = by_hand.store.enter("by-hand@2026-11-21", f"x{HOSTILE}")
        await driver.until(lambda: "with Jane Roe (jane) +1" in driver.lines[0], "a third")
        assert "Day Operator (operator)" in jane.others()
        jane.close()
        await driver.until(lambda: "with x\\x1b[2J" in driver.lines[0], "the third alone")
        third.close()
        await driver.until(lambda: "with" not in driver.lines[0], "nobody else")
        watcher = by_hand.store.enter("by-hand@2026-11-21", "watcher")
        await driver.press("escape")
        await driver.until(lambda: watcher.others() == (), "the console to leave")
        watcher.close()


def test_names_in_the_top_line() -> None:
    """One name, more of them as a number, oneself at another terminal; never more than there is room for."""
    assert company_words((), "me") == ""
    assert company_words(("Jane Roe (jane)",), "me") == "with Jane Roe (jane)"
    assert company_words(("a", "b", "c"), "me") == "with a +2"
    assert company_words(("me",), "me") == "with yourself elsewhere"
    assert len(company_words(("x" * 100, "y"), "me")) <= 40


async def test_lost_record_is_said_for_as_long_as_it_lasts(by_hand: Morning) -> None:
    """A server that is gone: the screen goes on saying so, ticks are kept, and are saved once it is back."""
    async with driving(by_hand) as driver:
        await opened(driver)
        by_hand.store.gone = True
        await driver.sees("RECORD OUT OF REACH", "the server does not answer")
        await driver.press("space")
        await driver.sees("1 action NOT SAVED", "NOT SAVED\n")
        await driver.press("down", "space")
        await driver.sees("2 actions NOT SAVED")
        await driver.press("g")
        await driver.sees("RECORD OUT OF REACH", "not ready")
        await driver.press("S")
        await driver.reads("the record is out of reach")
        await driver.press("escape")
        await driver.press("question_mark", "escape")
        await driver.sees("2 actions NOT SAVED", "RECORD OUT OF REACH")
        by_hand.store.gone = False
        await driver.sees("[x] PASS    Look at 00", "[x] PASS    Look at 01")
        await driver.sees("everything is saved now")
        await driver.sees_no("NOT SAVED")
        await driver.sees_no("OUT OF REACH")
        assert driver.stored() == ["Opened", "Ticked", "Ticked"]


async def test_long_fault_leaves_room_for_answers(by_hand: Morning) -> None:
    """However much there is to say about a lost record, what the last key came to is on the screen."""
    async with driving(by_hand) as driver:
        await opened(driver)
        by_hand.store.why = "nothing listens there; " + "see whether the server runs, and where; " * 9
        by_hand.store.gone = True
        await driver.sees("RECORD OUT OF REACH", "nothing listens there")
        driver.app.say("it is being measured already")
        await driver.sees("RECORD OUT OF REACH", "nothing listens there", "it is being measured already")


async def test_lost_record_is_said_on_today(by_hand: Morning) -> None:
    """Also where no run is open."""
    async with driving(by_hand) as driver:
        await driver.sees("By hand")
        by_hand.store.gone = True
        await driver.sees("RECORD OUT OF REACH")
        by_hand.store.gone = False
        await driver.sees("the record can be reached again")


async def test_today_follows_what_others_do(by_hand: Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    """Today shows what colleagues do in a run without being asked again."""
    monkeypatch.setattr("opsconsole.screens.today.STIRRED_WITHIN", 0.05)
    async with driving(by_hand) as driver:
        await driver.sees("By hand", "not opened")
        other = await by_hand.engine(JANES).open(BY_HAND)
        await other.tick("look-3")
        await driver.sees("1 pass, 14 pending")
        await other.aclose()
