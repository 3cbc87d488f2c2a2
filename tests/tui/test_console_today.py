"""Today: what is due, what it came to, and what the operator should know."""

import datetime as dt

import msgspec
import pytest

from opsconsole.contracts.store import StoreUnavailable
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.checklists import Cadence, Due
from opsconsole.model.qualifications import Qualification
from support.console import CRON, HOST, QBR, Morning, on
from support.driving import driving

from .conftest import MakeMorning


async def _signed_day(morning: Morning, day: dt.date) -> None:
    engine = morning.engine(CRON, on(day))
    session = await engine.open(HOST, day)
    await engine.measure(session)
    await sign_statement(session, statement_now(session))
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
        await driver.sees("2026-11-19: PASS, 1 pass; signed", "GAP      2026-11-20: nobody ran it")


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

    def broken(_run: str, **_options: object) -> None:
        raise StoreUnavailable("the disk is gone", "plug it in")

    async with driving(morning) as driver:
        await driver.sees("[ ] DUE")
        with monkeypatch.context() as patch:
            patch.setattr(morning.store.inner, "events", broken)
            patch.setattr(morning.store.inner, "links", broken)
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
    """A day that was missed can be opened by its name, and is shown as missed: nothing of it can be done now."""
    async with driving(morning, run="qbr-daily@2026-11-20") as driver:
        await driver.sees("QBR daily monitoring · Fri 2026-11-20", "MISSED", "[ ] TO SAY  Why nobody did it")
        assert morning.told.asked == []


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


async def _left_behind(morning: Morning) -> None:
    """Leave a signed run with a note and action items, and a day after it on which nobody did anything."""
    engine = morning.engine(CRON, on(dt.date(2026, 11, 19)))
    session = await engine.open(HOST)
    await engine.measure(session)
    await session.note("space", "80 % on /var\nit grows by night")
    await session.raise_action("Clean up /var", "jane", dt.date(2026, 11, 20), "space")
    await session.raise_action("Order a bigger disk")
    await sign_statement(session, statement_now(session))
    await session.aclose()


async def test_handover_comes_first(morning: Morning) -> None:
    """What was missed, what is to be done and what was written the day before stand above the checklists."""
    await _left_behind(morning)
    async with driving(morning) as driver:
        await driver.sees("Handover", "[!] MISSED   Host daily  2026-11-20: nobody ran it", "Checklists")
        await driver.sees("[!] LATE     Clean up /var", "jane, 1 day late", "[ ] TO DO    Order a bigger disk")
        await driver.sees("[i] NOTE     Host daily", "80 % on /var …", "> [ ] DUE      QBR daily monitoring")
        await driver.press("up")
        await driver.sees("it grows by night", "host-daily@2026-11-19, signed by cron")
        await driver.press("enter")
        await driver.sees("Host daily · Thu 2026-11-19", "signed PASS")


async def test_nothing_to_hand_over_takes_no_room(morning: Morning) -> None:
    """A quiet night leaves the list of checklists alone on top."""
    async with driving(morning) as driver:
        await driver.sees("[ ] UPCOMING Host daily")
        assert "Handover" not in driver.text
        assert driver.lines[1].startswith("> [ ] DUE      QBR")


async def test_yesterdays_notes_go_once_the_run_is_signed(morning: Morning) -> None:
    """Notes are for whoever does the next run; action items stay."""
    await _left_behind(morning)
    engine = morning.engine(CRON)
    session = await engine.open(HOST)
    await engine.measure(session)
    async with driving(morning) as driver:
        await driver.sees("[~] TO SIGN  Host daily", "[i] NOTE")
        await sign_statement(session, statement_now(session))
        await driver.press("r")
        await driver.sees("[x] PASS     Host daily")
        await driver.sees_no("[i] NOTE")
        assert "Order a bigger disk" in driver.text
    await session.aclose()


async def test_what_needs_the_operator_moves_up_and_the_cursor_stays(
    morning: Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checklist that is done goes below those that are not; the cursor stays on the one that it stood on."""
    monkeypatch.setattr("opsconsole.screens.today.RELOAD_EVERY", 0.05)
    engine = morning.engine(CRON)
    async with driving(morning) as driver:
        await driver.sees("> [ ] DUE      QBR")
        session = await engine.open(QBR)
        await engine.measure(session)
        await session.enter("tickets", "412")
        await session.tick("dashboard")
        await sign_statement(session, statement_now(session))
        await session.aclose()
        await driver.press("r")
        await driver.sees("> [x] PASS     QBR")
        await driver.until(lambda: driver.lines[1].strip().startswith("[ ] UPCOMING Host daily"), "order")
        assert driver.lines[2].startswith("> [x] PASS     QBR")


async def test_rows_do_not_move_under_a_moving_cursor(morning: Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever moves the cursor just now finds every row where it was; the marks are right at once."""
    monkeypatch.setattr("opsconsole.screens.today.RELOAD_EVERY", 0.05)
    monkeypatch.setattr("opsconsole.screens.today.CALM_AFTER", 600.0)
    async with driving(morning) as driver:
        await driver.sees("> [ ] DUE      QBR")
        await driver.press("down", "up", "down")
        engine = morning.engine(CRON)
        session = await engine.open(QBR)
        await engine.measure(session)
        await session.aclose()
        morning.now += dt.timedelta(hours=3)
        await driver.sees("[!] OVERDUE  QBR", "> [!] OVERDUE  Host")
        assert driver.lines[1].strip().startswith("[!] OVERDUE  QBR")


async def test_list_that_waits_for_a_qualification(make_morning: MakeMorning) -> None:
    """A list that opens when a qualification has been reached says how far that is, and cannot be opened before."""
    nine = Qualification(id="nine", title="Nine days", checklist=QBR.id, days=9)
    review = msgspec.structs.replace(HOST, id="review", title="Review", cadence=Cadence.ONCE, due=Due(after="nine"))
    async with driving(make_morning(checklists=(QBR, review), qualifications=(nine,))) as driver:
        await driver.sees("[ ] WAITS    Review", "opens when nine has been reach")
        await driver.press("down")
        await driver.sees("waits    opens when nine has been reached: 0 of 9 days have passed")
        await driver.press("enter")
        await driver.sees("it cannot be opened: review opens when nine has been reached")


async def test_long_handover_is_complete_by_keys(make_morning: MakeMorning) -> None:
    """What has no room on a small screen is one key away: the notes as a text, the action items as a list."""
    morning = make_morning(checklists=(HOST,))
    engine = morning.engine(CRON, on(dt.date(2026, 11, 20)))
    session = await engine.open(HOST)
    for number in range(6):
        await session.note("space", f"note {number}")
        await session.raise_action(f"thing {number}")
    await session.aclose()
    async with driving(morning) as driver:
        await driver.sees("and 4 more action items", "and 5 more notes")
        await driver.press("up")
        await driver.sees("note 3")
        await driver.press("right_square_bracket")
        await driver.sees("note 5")
        await driver.press("enter")
        await driver.sees("Notes of the runs before", "note 0", "note 5")
        await driver.press("escape", "up", "up", "enter")
        await driver.sees("Action items", "thing 0", "thing 5", "6 to do")
