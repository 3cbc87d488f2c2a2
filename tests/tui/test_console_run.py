"""The run's screen: what each key does, what is on disk then, and what is refused."""

import asyncio
import datetime as dt

import pytest

from opsconsole.contracts.store import StoreUnavailable
from opsconsole.model.outcomes import Outcome
from opsconsole.widgets.rows import RowHighlighted, Rows
from support.console import CRON, Morning, bad, good
from support.driving import driving

from .conftest import MakeMorning


async def test_opening_measures_and_shows_the_answer(morning: Morning) -> None:
    """One key opens the morning: everything measured is judged, and what waits for a person is named."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.sees("5 pass, 2 pending", "day 1 of 9", "[x] PASS    Both collectors", "[ ] PENDING")
        assert set(driver.morning.told.asked) == {"collectors", "journal", "metrics", "disk", "memory", "tickets"}


async def test_bad_morning_says_what_broke_and_what_to_do(make_morning: MakeMorning) -> None:
    """A failed item shows what was measured, the limit, whom to tell and the key of its runbook."""
    async with driving(make_morning(bad())) as driver:
        await driver.open_run()
        await driver.sees("[!] FAIL", "ConnectWise took 41.2 s, limit 30 s", "tell L1", "b runbook")
        await driver.sees("[?] ERROR", "[=] BLOCKED", "PASS ^")
        await driver.go("journal")
        await driver.sees("the journal could not be read: no permission", "add the account to the group adm")


async def test_tick_is_on_disk_when_it_shows(morning: Morning) -> None:
    """Space ticks and unticks a manual item; each is an event before it is on screen."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.go("dashboard")
        await driver.press("space")
        await driver.sees("[x] PASS    The dashboard looks right", "ticked by")
        assert driver.stored()[-1] == "Ticked"
        await driver.press("space")
        await driver.sees("[ ] PENDING The dashboard looks right", "tick taken back")
        assert driver.stored()[-1] == "Unticked"


async def test_two_quick_ticks_are_a_tick_and_its_undoing(morning: Morning) -> None:
    """Deeds take effect in the order of the keys, each on what the one before left."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.go("dashboard")
        await driver.press("space", "space", "space")
        await driver.until(lambda: len(driver.stored()) == 4, "three deeds")
        assert driver.stored()[1:] == ["Ticked", "Unticked", "Ticked"]


async def test_measured_items_cannot_be_ticked(morning: Morning) -> None:
    """Nobody can tick what is measured; the console says so and stores nothing."""
    async with driving(morning) as driver:
        await driver.open_run()
        before = driver.stored()
        await driver.press("space")
        await driver.sees("is measured, not ticked")
        await driver.press("e")
        await driver.sees("takes no entry: it is measured")
        await driver.press("u")
        await driver.sees("neither skipped nor waived")
        await driver.go("dashboard")
        await driver.press("r")
        await driver.sees("is not measured: it waits for a person")
        assert driver.stored() == before


async def test_entry_is_judged_against_what_was_measured(morning: Morning) -> None:
    """A typed value is compared with the measured one, at once and in words."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.go("tickets")
        await driver.press("e")
        await driver.sees("Tickets in ConnectWise", "Read it in ConnectWise")
        await driver.type("about four hundred")
        await driver.press("enter")
        await driver.sees("is not a number")
        assert driver.stored() == ["Opened"]
        await driver.press(*["backspace"] * 18, *"413", "enter")
        await driver.sees("[x] PASS", "entered: 413 entered, required within 1 % of value (412)")
        assert driver.state.items["tickets"].outcome is Outcome.PASS
        await driver.press("e")
        await driver.type("500")
        await driver.press("enter")
        await driver.sees("[!] FAIL    Ticket count", "500 entered")


async def test_note_skip_waive_and_restore(make_morning: MakeMorning) -> None:
    """Each deed about a red item is recorded with its words, and can be taken back."""
    async with driving(make_morning(bad())) as driver:
        await driver.open_run()
        await driver.press("n")
        await driver.type("Vendor knows")
        await driver.press("ctrl+j", *"ticket 7", "enter")
        await driver.sees("noted", "Vendor knows")
        assert driver.state.items["collectors"].notes[0].text == "Vendor knows\nticket 7"
        await driver.go("journal")
        await driver.press("s")
        await driver.type("no journal here")
        await driver.press("enter")
        await driver.sees("[-] SKIPPED", "skipped by", "no journal here")
        await driver.press("u")
        await driver.sees("taken back", "[?] ERROR   No errors")
        await driver.go("collectors")
        await driver.press("w")
        await driver.type("accepted by L2")
        await driver.press("enter")
        await driver.sees("[w] WAIVED", "waived until Sat 2026-11-28")
        waiver = driver.state.items["collectors"].waiver
        assert waiver is not None
        assert waiver.body.expires == dt.date(2026, 11, 28)
        assert driver.stored() == ["Opened", "Noted", "Skipped", "Restored", "Waived"]


@pytest.mark.parametrize(("typed", "expires"), [("3 d", "2026-11-24"), ("2026-12-24", "2026-12-24")])
async def test_waiver_takes_a_date_or_days(make_morning: MakeMorning, typed: str, expires: str) -> None:
    """The last day of a waiver is typed as a date or as a number of days."""
    async with driving(make_morning(bad())) as driver:
        await driver.open_run()
        await driver.press("w")
        await driver.type("accepted")
        await driver.press("tab", *["backspace"] * 10, *typed, "enter")
        await driver.until(lambda: driver.state.items["collectors"].waiver is not None)
        waiver = driver.state.items["collectors"].waiver
        assert waiver is not None
        assert waiver.body.expires.isoformat() == expires


async def test_wrong_or_past_waiver_keeps_the_form_open(make_morning: MakeMorning) -> None:
    """A date that means nothing, or is over, is said in the form; nothing typed is lost."""
    async with driving(make_morning(bad())) as driver:
        await driver.open_run()
        await driver.press("w")
        await driver.press("enter")
        await driver.sees("some words are needed")
        await driver.type("accepted")
        await driver.press("tab", *["backspace"] * 10, *"soon", "enter")
        await driver.sees("'soon' is no date")
        await driver.press(*["backspace"] * 4, *"2026-11-01", "enter")
        await driver.sees("has already expired", "accepted")
        assert driver.stored() == ["Opened"]


async def test_escape_keeps_what_was_typed(morning: Morning) -> None:
    """Esc in a form loses nothing: the draft is there again, also after the run was left."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.press("n")
        await driver.type("half a thought")
        await driver.press("escape")
        await driver.sees("kept as a draft")
        await driver.press("escape")
        await driver.sees("Today")
        await driver.press("q")
        await driver.sees("a draft that was never saved: q again leaves")
        await driver.press("enter")
        await driver.sees("Collection")
        await driver.press("n")
        await driver.sees("half a thought", "what you had typed before is back")
        await driver.press("enter")
        await driver.sees("noted")
        assert driver.app.drafts == {}
        await driver.press("n", "escape")
        await driver.sees_no("kept as a draft")


async def test_sheet_is_filled_line_by_line(make_morning: MakeMorning) -> None:
    """f goes to the next open line of the day's sheet, the wanted one first; Enter on a line fills it too."""
    async with driving(make_morning(bad())) as driver:
        await driver.open_run()
        await driver.press("f")
        await driver.sees("Issues found")
        await driver.type("ConnectWise slow")
        await driver.press("enter")
        await driver.sees("[x] FILLED  Issues found")
        await driver.press("f")
        await driver.type("none")
        await driver.press("enter")
        await driver.sees("[x] FILLED  Action items")
        await driver.go("field:notes")
        await driver.press("enter")
        await driver.type("quiet otherwise")
        await driver.press("enter")
        await driver.sees("Notes: saved")
        assert {name: each.text for name, each in driver.state.fields.items()} == {
            "issues": "ConnectWise slow",
            "actions": "none",
            "notes": "quiet otherwise",
        }
        await driver.press("n")
        await driver.sees("can only be filled in")


async def test_note_on_the_run(morning: Morning) -> None:
    """N writes a note on the run as a whole."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.press("N")
        await driver.sees("Note on the run as a whole")
        await driver.type("handed over")
        await driver.press("enter")
        await driver.until(lambda: [each.text for each in driver.state.notes] == ["handed over"])


async def test_measuring_again_changes_the_item(make_morning: MakeMorning) -> None:
    """r measures one item again, m all of them; every attempt stays in the detail."""
    async with driving(make_morning(bad())) as driver:
        await driver.open_run()
        driver.morning.told.answers = good()
        driver.morning.told.asked.clear()
        await driver.press("r")
        await driver.until(lambda: driver.state.items["collectors"].outcome is Outcome.PASS)
        assert driver.morning.told.asked == ["collectors"]
        await driver.press("enter")
        await driver.sees("Attempts")
        await driver.press("escape", "m")
        await driver.sees("5 pass, 2 pending")
        assert len(driver.morning.told.asked) == 7


async def test_progress_shows_and_leaving_the_screen_stops_nothing(morning: Morning) -> None:
    """While measuring, the console says how far it is; going back to Today cancels nothing."""
    morning.told.hold = asyncio.Event()
    async with driving(morning) as driver:
        await driver.press("enter")
        await driver.sees("measuring: 0 of 6 done", "[.] READING")
        await driver.press("m")
        await driver.sees("it is being measured already")
        await driver.press("escape")
        await driver.sees("opsconsole · Today")
        morning.told.hold.set()
        await driver.until(lambda: not driver.live.is_measuring)
        await driver.press("r")
        await driver.sees("5 pass, 2 pending")


async def test_resuming_measures_only_what_is_missing(morning: Morning) -> None:
    """A run that was left half measured goes on where it was."""
    engine = morning.engine(CRON)
    session = await engine.open(morning.checklists[0])
    await engine.measure(session, ("disk", "journal"))
    await session.aclose()
    morning.told.asked.clear()
    async with driving(morning) as driver:
        await driver.open_run()
        assert sorted(morning.told.asked) == ["collectors", "memory", "metrics", "tickets"]


async def test_what_others_do_shows(morning: Morning) -> None:
    """A tick in another process shows within seconds, without a key."""
    async with driving(morning) as driver:
        await driver.open_run()
        other = await morning.engine(CRON).open(morning.checklists[0])
        await other.tick("dashboard")
        await driver.sees("[x] PASS    The dashboard looks right")
        await other.aclose()


async def test_unsaved_deed_is_said_marked_and_saved_later(morning: Morning) -> None:
    """A tick that the disk refuses never looks done; it is marked, retried, and shown once it is stored."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.go("dashboard")
        morning.store.broken = True
        await driver.press("space")
        await driver.sees("1 action NOT SAVED - retrying", "[ ] PENDING The dashboard", "the disk is full; kept in")
        await driver.press("g")
        await driver.press("S")
        await driver.sees("Sign-off")
        assert driver.state.signed is None
        await driver.press("escape", "escape", "q")
        await driver.sees("1 action that could not be saved")
        await driver.press("enter")
        morning.store.broken = False
        await driver.sees("[x] PASS    The dashboard looks right")
        await driver.sees_no("NOT SAVED")
        assert driver.stored()[-1] == "Ticked"


async def test_leaving_with_something_unsaved_says_where_it_is(morning: Morning) -> None:
    """Who leaves all the same reads where it is kept, and the exit code says so; the next console saves it."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.go("dashboard")
        morning.store.broken = True
        await driver.press("space")
        await driver.sees("NOT SAVED")
        await driver.press("q")
        await driver.sees("q again leaves all the same")
        await driver.press("q")
        await driver.until(lambda: not driver.app.is_running)
        assert driver.app.return_code == 4
        words = "\n".join(driver.app._parting_words)
        assert "1 action of qbr-daily@2026-11-21 not saved" in words
        assert "the disk is full; kept in" in words
    morning.store.broken = False
    async with driving(morning, run="qbr-daily") as driver:
        await driver.sees("[x] PASS    The dashboard looks right")


async def test_unreadable_record_is_said_calmly(morning: Morning, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the record cannot be read for a while, the screen says so and goes on."""

    def broken(_run: str, *, after: int = 0) -> None:
        raise StoreUnavailable("the disk is gone")

    async with driving(morning) as driver:
        await driver.open_run()
        with monkeypatch.context() as patch:
            patch.setattr(morning.store.inner, "events", broken)
            await driver.sees("RECORD OUT OF REACH  the disk is gone")
            await driver.press("down")
            await driver.sees("RECORD OUT OF REACH")  # it stays for as long as it is so
        await driver.sees("the record can be reached again")
        await driver.sees_no("OUT OF REACH")
        await driver.go("dashboard")
        await driver.press("space")
        await driver.sees("[x] PASS    The dashboard looks right")


async def test_filter_and_find(make_morning: MakeMorning) -> None:
    """! leaves only what is not green, / goes to an item by its name, Esc goes back step by step."""
    async with driving(make_morning(bad())) as driver:
        await driver.open_run()
        await driver.press("exclamation_mark")
        await driver.sees("not green only", "Both collectors")
        await driver.sees_no("More than 1 GB")
        await driver.press("escape")
        await driver.sees("More than 1 GB")
        await driver.press("slash", *"memory", "enter")
        await driver.sees("available is 6.4 GB")
        await driver.until(lambda: driver.lines[7].startswith("> [x]"), "the cursor on the item found")


async def test_runbook_is_shown_at_the_failing_item(make_morning: MakeMorning) -> None:
    """b shows the runbook that the item names; an item without one says so."""
    async with driving(make_morning(bad())) as driver:
        await driver.open_run()
        await driver.press("b")
        await driver.sees("Runbook collection-failure", "# The collection failed", "1. Look at the service")
        await driver.press("escape")
        await driver.go("disk")
        await driver.press("b")
        await driver.sees("no runbook is named")


async def test_day_log_is_written(morning: Morning) -> None:
    """x writes the day log and says where it is."""
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.press("x")
        await driver.sees("day log written")
        (path,) = (morning.directory / "day-logs").iterdir()
        assert "QBR daily monitoring" in path.read_text("utf-8")
        assert path.stat().st_mode & 0o777 == 0o600


async def test_day_log_that_cannot_be_written_is_said(morning: Morning) -> None:
    """Where the day log cannot be written, the operator reads why."""
    (morning.directory / "day-logs").write_text("in the way", "utf-8")
    async with driving(morning) as driver:
        await driver.open_run()
        await driver.press("x")
        await driver.sees("the day log could not be written")


async def test_unexpected_error_is_shown_and_nothing_ends(
    morning: Morning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the program shows as one line without anybody's data, and the console goes on."""

    async def broken(_item: str) -> None:
        secret = "hunter2-not-real"
        raise ZeroDivisionError(f"fault {len(secret)}")

    async with driving(morning) as driver:
        await driver.open_run()
        monkeypatch.setattr(driver.live.session, "tick", broken)
        await driver.go("dashboard")
        await driver.press("space")
        await driver.sees("Unexpected error", "ZeroDivisionError: fault 16")
        assert "hunter2" not in driver.text
        await driver.press("escape")
        await driver.sees("opsconsole · Today")


async def test_answer_outlives_the_move_before_it(morning: Morning) -> None:
    """Keys typed quickly: that the cursor moved, which is heard of late, takes no answer to the next key away."""
    async with driving(morning) as driver:
        await driver.open_run()
        rows = driver.app.screen.query_one(Rows)
        moved = RowHighlighted(rows, 1, "collectors")
        driver.app.say("the answer to the next key")
        rows.post_message(moved)
        await driver.pilot.pause(0.2)
        assert "the answer to the next key" in driver.message
        await driver.press("down")
        await driver.sees_no("the answer to the next key")
