"""Action items: raised in a run, carried until they are done, handled from wherever they show, and never lost."""

import datetime as dt
from typing import Any

import pytest

from opsconsole.engine.overview import all_actions
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.actions import Action
from opsconsole.model.events import ActionState, Handled, Raised
from support.console import CRON, HOST, HOSTILE, JANES, QBR, Morning, on
from support.driving import Driver, driving

FRIDAY = dt.date(2026, 11, 20)


async def _left(morning: Morning, *things: tuple[str, str, dt.date | None], sign: bool = True) -> None:
    """Leave a run of the day before with things to be done."""
    engine = morning.engine(CRON, on(FRIDAY))
    session = await engine.open(HOST)
    await engine.measure(session)
    for text, owner, due in things:
        await session.raise_action(text, owner, due)
    if sign:
        await sign_statement(session, statement_now(session))
    await session.aclose()


def _stored(morning: Morning) -> list[Action]:
    return list(all_actions(morning.engine()))


async def _host(driver: Driver) -> None:
    await driver.sees("Host daily")
    await driver.go("host-daily")
    await driver.press("enter")
    await driver.sees("Room", "1 pass")


async def _answer(driver: Driver, *typed: str) -> None:
    """Give the answers of a form one after another; an empty one is passed over."""
    for text in typed:
        if text:
            await driver.type(text)
        await driver.press("enter")


async def test_raised_at_an_item_with_owner_and_date(morning: Morning) -> None:
    """One key and three answers: what, who, when; it shows in the run, on Today and in the record."""
    async with driving(morning) as driver:
        await _host(driver)
        await driver.press("i")
        await driver.sees("Action item: to be done", "Every file system is below 90 %")
        await _answer(driver, "Order a bigger disk", "jane", "+7")
        await driver.sees("raised as host-daily@2026-11-21#1", "[ ] TO DO   Order a bigger disk")
        await driver.press("escape")
        await driver.sees("Handover", "[ ] TO DO    Order a bigger disk", "jane, due 2026-11-28")
        (action,) = _stored(morning)
        assert (action.raised.item, action.owner, action.due) == ("space", "jane", dt.date(2026, 11, 28))
        assert driver.stored() == ["Opened", "Raised"]


async def test_raised_on_the_run_without_owner_and_date(morning: Morning) -> None:
    """Only what is to be done has to be said; the rest may stay empty."""
    async with driving(morning) as driver:
        await _host(driver)
        await driver.press("I")
        await driver.sees("about the run as a whole")
        await _answer(driver, "Tell the vendor", "", "")
        await driver.sees("raised as host-daily@2026-11-21#1")
        (action,) = _stored(morning)
        assert (action.raised.item, action.owner, action.due) == ("", "", None)


@pytest.mark.parametrize(
    ("typed", "said"),
    [("soon", "'soon' is no date: write it like 2026-11-28"), ("2026-11-20", "2026-11-20 is over already")],
)
async def test_date_that_means_nothing_is_refused_in_the_form(morning: Morning, typed: str, said: str) -> None:
    """A wrong date is said while everything typed is still there."""
    async with driving(morning) as driver:
        await _host(driver)
        await driver.press("i")
        await _answer(driver, "Order a bigger disk", "jane", typed)
        await driver.sees(said, "Order a bigger disk")
        assert _stored(morning) == []


async def test_carried_into_the_next_run_and_done_there(morning: Morning) -> None:
    """What the run before left to be done stands in the next one, and at its sign-off until it is done."""
    await _left(morning, ("Order a bigger disk", "jane", FRIDAY), ("Tell the vendor", "", None))
    async with driving(morning) as driver:
        await _host(driver)
        await driver.sees("[!] LATE    Order a bigger disk  from 2026-11-20", "jane, 1 day late")
        await driver.press("g")
        await driver.sees("Action items: 2 things to do", "carried")
        await driver.press("escape")
        await driver.go("action:host-daily@2026-11-20#1")
        await driver.sees("raised   2026-11-20", "Enter done, change")
        await driver.press("enter")
        await driver.sees("Done: say what was done", "Another date or owner", "Dropped")
        await driver.press("enter")
        await _answer(driver, "The disk is there, 2 TB")
        await driver.sees("host-daily@2026-11-20#1: done", "[x] DONE    Order a bigger disk", "Tell the vendor")
        await driver.press("g")
        await driver.sees("Action items: 1 thing to do")
        assert "Order a bigger disk" not in driver.text
        done = next(each for each in _stored(morning) if not each.is_open)
        assert (done.state, done.steps[0].body.text) == (ActionState.DONE, "The disk is there, 2 TB")
        assert done.steps[0].actor.login == "operator"


async def test_handled_from_today_also_after_the_sign_off(morning: Morning) -> None:
    """Today drops, postpones and reassigns what a signed run left; the reason of a drop is asked for."""
    await _left(morning, ("Order a bigger disk", "jane", FRIDAY), ("Tell the vendor", "", None))
    async with driving(morning) as driver:
        await driver.sees("[!] LATE     Order a bigger disk")
        await driver.go("action:host-daily@2026-11-20#1")
        await driver.press("enter", "down", "enter")
        await driver.sees("Another date or owner", "2026-11-20")
        await driver.press(*["backspace"] * 10, *"+3", "tab", *"lou", "tab", *"jane is away", "enter")
        await driver.sees("[ ] TO DO    Order a bigger disk", "lou, due Tue")
        await driver.go("action:host-daily@2026-11-20#2")
        await driver.press("enter", "down", "down", "enter")
        await driver.sees("Dropped: why")
        await driver.press("enter")
        await driver.sees("some words are needed here")
        await _answer(driver, "They know")
        await driver.sees_no("Tell the vendor")
        first, second = sorted(_stored(morning), key=lambda each: each.number)
        assert (first.owner, first.due, first.steps[0].body.text) == ("lou", dt.date(2026, 11, 24), "jane is away")
        assert (second.state, second.steps[0].body.text) == (ActionState.DROPPED, "They know")


async def test_actions_screen_lists_those_of_all_checklists(morning: Morning) -> None:
    """One key from Today: everything open, the late first; another shows what is closed; one opens again."""
    await _left(morning, ("Order a bigger disk", "jane", FRIDAY))
    engine = morning.engine(CRON)
    session = await engine.open(QBR)
    await session.raise_action("Renew the certificate")
    await session.raise_action("Ask the vendor")
    await session.handle_action("2", ActionState.DONE, "asked")
    await session.aclose()
    async with driving(morning) as driver:
        await driver.sees("Handover")
        await driver.press("a")
        await driver.sees("Action items", "2 to do, 1 late, 1 closed", "> [!] LATE     Order a bigger disk")
        await driver.sees("Renew the certificate  qbr-daily@2026-11-21")
        await driver.press("c")
        await driver.sees("[x] DONE     Ask the vendor")
        await driver.press("end", "enter")
        await driver.sees("Open again: it is not done after all")
        await driver.press("enter")
        await _answer(driver, "they did not answer")
        await driver.sees("3 to do, 1 late")
        await driver.press("o")
        await driver.sees("QBR daily monitoring · Sat 2026-11-21", "read only")
        await driver.press("escape", "escape")
        await driver.sees("opsconsole · Today")


async def test_nothing_to_do_is_said(morning: Morning) -> None:
    """An empty list says that nothing is to be done, and its keys do no harm."""
    async with driving(morning) as driver:
        await driver.sees("Host daily")
        await driver.press("a")
        await driver.sees("nothing is to be done", "0 to do")
        await driver.press("enter", "c", "o")
        await driver.sees("no action item is under the cursor")


async def test_raised_and_handled_in_a_signed_run_that_is_read(morning: Morning) -> None:
    """A run that can only be read still takes what is to be done, and shows what became of it."""
    await _left(morning)
    async with driving(morning) as driver:
        await driver.sees("Host daily")
        await driver.go("host-daily")
        await driver.press("h")
        await driver.sees("[x] PASS     2026-11-20")
        await driver.press("enter")
        await driver.sees("signed PASS")
        await driver.press("i")
        await _answer(driver, "Look at the log of that night", "", "")
        await driver.sees("[ ] TO DO   Look at the log of that night")
        await driver.press("end", "enter", "enter")
        await _answer(driver, "")
        await driver.sees("[x] DONE    Look at the log of that night")
        kinds = [type(each.event.body) for each in morning.store.inner.events("host-daily@2026-11-20")]
        assert kinds[-3:][1:] == [Raised, Handled]


async def test_two_consoles_raise_at_once(morning: Morning) -> None:
    """A colleague who raises one at the same moment takes no number away: both stand in the record."""
    async with driving(morning) as driver:
        await _host(driver)
        other = await morning.engine(JANES).open(HOST)
        await driver.press("i")
        await driver.type("Mine")
        morning.store.hook = _once(morning, lambda: _raise(other, "Theirs"))
        await driver.press("enter", "enter", "enter")
        await driver.sees("raised as host-daily@2026-11-21#2", "Theirs", "Mine")
        assert {each.raised.text: each.number for each in _stored(morning)} == {"Theirs": 1, "Mine": 2}
        await other.aclose()


def _raise(session: Any, text: str) -> None:
    """Append what a colleague's console would, between the key and the writing of one's own."""
    event = session._event(Raised(action="theirs", text=text))
    session.store.inner.append([event])


def _once(morning: Morning, deed: Any) -> Any:
    def hook() -> None:
        morning.store.hook = lambda: None
        deed()

    return hook


async def test_store_that_is_down_loses_nothing(morning: Morning) -> None:
    """What cannot be saved now is kept, said, and saved as soon as that is possible; as notes are."""
    async with driving(morning) as driver:
        await _host(driver)
        morning.store.broken = True
        await driver.press("i")
        await _answer(driver, "Order a bigger disk", "", "")
        await driver.sees("1 action NOT SAVED")
        assert _stored(morning) == []
        morning.store.broken = False
        await driver.sees("everything is saved now", "[ ] TO DO   Order a bigger disk")
        assert [each.raised.text for each in _stored(morning)] == ["Order a bigger disk"]


async def test_hostile_text_and_secrets(morning: Morning) -> None:
    """Text that steers terminals is shown spelled out everywhere; a password never reaches the record."""
    await _left(morning, (HOSTILE, HOSTILE, None))
    async with driving(morning) as driver:
        await driver.sees("TO DO")
        assert "\x1b" not in driver.text
        await driver.go("action:host-daily@2026-11-20#1")
        await driver.press("a")
        await driver.sees("1 to do")
        await driver.press("enter")
        await driver.sees("Done: say what was done")
        await driver.press("enter")
        await driver.sees("Done: what was done")
        assert not set("\x1b\x07\x9b\u202e") & set(driver.text)
        await driver.type("postgresql://ops:hunter2@db/x works")
        await driver.press("enter")
        await driver.sees("done")
        (action,) = _stored(morning)
        assert "hunter2" not in action.steps[0].body.text


async def test_colleagues_action_is_news_and_shows(morning: Morning) -> None:
    """What a colleague raises in the open run shows in its list, and is told."""
    async with driving(morning) as driver:
        await _host(driver)
        other = await morning.engine(JANES).open(HOST)
        await other.raise_action("Order a bigger disk")
        await driver.sees("Jane Roe (jane) noted what is to be done: Order", "[ ] TO DO   Order a bigger disk")
        await other.handle_action("1", ActionState.DROPPED, "we have one")
        await driver.sees("Jane Roe (jane) said that an action item is dropped", "[-] DROPPED Order")
        await other.aclose()


async def test_moving_over_action_items_changes_nothing_else(morning: Morning) -> None:
    """Keys for items say that this is none; the filter hides what is done and keeps what is open."""
    await _left(morning, ("Order a bigger disk", "", None))
    async with driving(morning) as driver:
        await _host(driver)
        await driver.sees("Order a bigger disk")
        await driver.go("action:host-daily@2026-11-20#1")
        for key in ("space", "n", "s", "w", "r"):
            await driver.press(key)
            await driver.sees("this is something to be done: Enter says what became of it")
        await driver.press("exclamation_mark")
        await driver.sees("not green only", "Order a bigger disk")
        assert driver.stored() == ["Opened"]
