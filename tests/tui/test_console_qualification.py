"""The qualification at the console: its days, what is missing, every deed about it, and the decision at the end."""

import asyncio
import datetime as dt
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.engine import outlook
from opsconsole.engine.amending import amendment_now
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.events import AmendmentKind, Approval, Meaning
from opsconsole.model.qualifications import ApprovalPolicy
from opsconsole.widgets.environment import Terminal
from support.console import HOSTILE, OPERATOR, ScriptedSigner, key_of
from support.driving import Driver, driving
from support.monitored import APPROVER, DAILY, FIRST, FIVE_DAYS, MAL, THREE_DAYS, Monitored
from support.tampering import column, tampered

from .test_console_hostile import assert_harmless

Make = Callable[..., Monitored]
MIXED = {14: "pass", 15: "fail", 16: "pass", 17: "waive", 18: "missed", 19: "pass", 20: "open"}


@pytest.fixture(autouse=True)
def _verified_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verify again whenever something changed: the tests do not wait for the next turn."""
    monkeypatch.setattr("opsconsole.screens.qualification.VERIFY_EVERY", 0.0)
    monkeypatch.setattr("opsconsole.screens.qualification.STIRRED_WITHIN", 0.05)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a console over days of a qualification in a directory of the test's own."""
    made: list[Monitored] = []

    def monitored(**options: Any) -> Monitored:
        directory = tmp_path / str(len(made))
        directory.mkdir()
        made.append(Monitored(directory, **options))
        return made[-1]

    yield monitored
    for each in made:
        each.close()


async def at_qualification(driver: Driver, *expected: str) -> None:
    """Open the qualification from Today, and wait until it is verified."""
    await driver.sees("QBR daily monitoring")
    await driver.press("d")
    await driver.reads("Count ", *expected)


def _rows(path: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchall()


def approval_in(monitored: Monitored) -> Approval | None:
    """Return what was decided in the final review."""
    state = monitored.engine().load("qbr-final-review@2026-11-20")
    assert state is not None
    return state.signatures[-1].body.statement.approval


async def approve(driver: Driver, reason: str) -> None:
    """Answer what an approval asks: yes, it is ready, for a reason."""
    await driver.press("a")
    await driver.type("yes")
    await driver.press("tab")
    await driver.type(reason)
    await driver.press("enter")


async def found_failed(monitored: Monitored) -> None:
    """Amend the second day that counts to FAIL, as somebody else who looks at it again."""
    session = await monitored.engine().open(DAILY, dt.date(2026, 11, 19))
    amendment = amendment_now(session, AmendmentKind.FAILED, "the graph was of another host", item="disk")
    await sign_statement(session, statement_now(session, Meaning.AMENDED, None, amendment))
    await session.aclose()


# --- what it shows ---------------------------------------------------------------------------------


async def test_days_resets_and_what_is_missing(make: Make) -> None:
    """Each day has its state in a word, number, date, and who signed it how; what is missing stands first."""
    async with driving(await make().past(MIXED), size=(160, 40)) as driver:
        await at_qualification(driver, "day 2 of 3, 1 passed · verified")
        await driver.reads(
            "[ ] TO DO 2026-11-20 is to be signed before 2026-11-22 00:00 CST",
            "[ ] TO DO 2026-11-21 is to be run, and ends at 2026-11-22 00:00 CST",
            "the reset of 2026-11-15 has no documented reason",
            "Count 3: day 2 of 3, 1 passed",
            "[#~~]",
            "[~] WAITING 3 Sat 2026-11-21 not opened",
            "[x] PASSED 1 Thu 2026-11-19 Day Operator (operator), attributed, holds",
            "[ ] OPEN Sun 2026-11-15 reason missing",
            "Earlier counts: 2",
        )


async def test_nothing_shows_as_verified_before_it_is(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The days are there at once; as long as nobody has verified them, each says so."""
    gate = threading.Event()
    real = outlook.verification

    def held(*args: Any) -> outlook.Verification:
        gate.wait(30)
        return real(*args)

    monkeypatch.setattr("opsconsole.screens.qualification.verification", held)
    async with driving(await make().past(MIXED), size=(100, 40)) as driver:
        await at_qualification(driver, "verifying …", "not verified yet")
        assert "holds" not in driver.text
        assert "· verified" not in driver.text
        gate.set()
        await driver.sees("· verified", "attributed, holds")
        await driver.sees_no("not verified yet")


async def test_leaving_while_it_is_verified(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verifying that takes for ever holds nobody up: q leaves at once."""
    gate = threading.Event()
    monkeypatch.setattr("opsconsole.screens.qualification.verification", lambda *_: gate.wait(60))
    async with driving(await make().past(MIXED)) as driver:
        await at_qualification(driver, "verifying …")
        await driver.press("q")
        await driver.until(lambda: not driver.app.is_running)
    gate.set()


async def test_not_begun(make: Make) -> None:
    """A qualification of a list that nobody ever ran says what begins it."""
    async with driving(make()) as driver:
        await at_qualification(driver, "not begun", "nobody has run qbr-daily yet", "[...]")


async def test_rules_say_from_which_date_on_days_count(make: Make) -> None:
    """Earlier days that the definition leaves out are not left out in silence."""
    rules = msgspec.structs.replace(THREE_DAYS, start=dt.date(2026, 11, 20))
    monitored = await make(qualifications=(rules,)).past({19: "pass", 20: "pass"})
    async with driving(monitored, size=(140, 45)) as driver:
        await at_qualification(driver, "day 2 of 3, 1 passed")
        await driver.reads("start nothing counts before 2026-11-20")


async def test_record_that_does_not_hold(make: Make) -> None:
    """A day whose record was tampered with counts no more, and says what is wrong with it."""
    monitored = await make().past({18: "pass", 19: "pass", 20: "pass"})
    store = monitored.store.inner
    seq = store.events("qbr-daily@2026-11-20")[1].seq

    ((document,),) = _rows(store.location, "SELECT document FROM events WHERE seq = ?", seq)
    forged = bytes(document).replace(b"collectors", b"collectorz")
    tampered(Path(store.location), column(seq, "document", forged))
    async with driving(monitored, size=(220, 40)) as driver:
        await at_qualification(driver)
        await driver.reads(
            "1 record DOES NOT HOLD", "reset of 2026-11-20 has no documented reason: its record does not hold"
        )
        await driver.go("attempt:1")
        await driver.press("enter")
        await driver.reads("[?] BROKEN - Fri 2026-11-20", "attributed, DOES NOT HOLD")
        assert "reached" not in driver.lines[0]


async def test_earlier_counts_unfold(make: Make) -> None:
    """An earlier count is one line with its end; Enter shows its days, and hides them again."""
    async with driving(await make().past(MIXED), size=(160, 45)) as driver:
        await at_qualification(driver, "[+] COUNT 1 1 day passed, reset on 2026-11-15")
        await driver.go("attempt:1")
        await driver.press("enter")
        await driver.reads("[-] COUNT 1", "[!] RESET - Sun 2026-11-15", "[x] PASSED 1 Sat 2026-11-14")
        await driver.press("enter")
        await driver.sees_no("PASSED     1  Sat 2026-11-14")


async def test_each_day_opens_its_record(make: Make) -> None:
    """Enter reads a day that is over, opens the present one to be worked on, and a missed one to say why."""
    async with driving(await make().past({18: "pass", 20: "pass"})) as driver:
        await at_qualification(driver, "· verified")
        await driver.go("day:qbr-daily@2026-11-20")
        await driver.press("enter")
        await driver.sees("Fri 2026-11-20", "signed PASS")
        await driver.press("escape")
        await driver.go("day:qbr-daily@2026-11-21")
        await driver.press("enter")
        await driver.sees("Sat 2026-11-21 · day 2 of 3", "not signed")
        await driver.press("escape")
        await driver.go("reset:qbr-daily@2026-11-19")
        await driver.press("w")
        await driver.sees("qbr-daily@2026-11-19 was missed")
        await driver.press("enter")
        await driver.reads("Thu 2026-11-19", "was missed")


async def test_opened_from_a_run_and_from_the_palette(make: Make) -> None:
    """d on a day of the monitoring shows its qualification; the palette names it too."""
    async with driving(await make().past({20: "pass"})) as driver:
        await driver.sees("QBR daily")
        await driver.press("enter")
        await driver.sees("day 2 of 3")
        await driver.press("d")
        await driver.sees("three clean days · Qualification")
        await driver.press("escape", "escape", "ctrl+p")
        await driver.type("days count")
        await driver.press("enter")
        await driver.sees("three clean days · Qualification")


async def test_progress_on_today(make: Make) -> None:
    """Today says how far the count is, as a bar and in words, and that a reset waits for its reason."""
    async with driving(await make().past({18: "fail", 19: "pass", 20: "pass"}), size=(110, 24)) as driver:
        await driver.sees("[##~] day 3 of 3, 2 passed; reset on 2026-11-18: reason missing (qbr-3day)")


async def test_several_or_none(make: Make) -> None:
    """Of several qualifications one is chosen from a list; where there is none, how to name one is said."""
    async with driving(await make(qualifications=(THREE_DAYS, FIVE_DAYS)).past({20: "pass"})) as driver:
        await driver.sees("QBR daily")
        await driver.press("d")
        await driver.sees("Qualifications", "five clean days", "three clean days")
        await driver.press("down", "enter")
        await driver.sees("five clean days · Qualification")
    async with driving(make(qualifications=(), checklists=(DAILY,))) as driver:
        await driver.sees("QBR daily")
        await driver.press("d")
        await driver.sees("no qualification is configured")


# --- deeds -----------------------------------------------------------------------------------------


async def test_reason_of_a_reset_is_given_and_signed(make: Make) -> None:
    """w asks why the count began anew; the reason is signed into the failed run, and shows at once."""
    monitored = await make().past({18: "fail", 19: "pass", 20: "pass"})
    async with driving(monitored, size=(100, 40)) as driver:
        await at_qualification(driver, "reason missing")
        await driver.go("reset:qbr-daily@2026-11-18")
        await driver.press("w")
        await driver.reads("Why qbr-3day began anew on Wed 2026-11-18", "it failed: Both collectors succeeded")
        await driver.type("the vendor changed its API")
        await driver.press("enter")
        await driver.reads(
            "Amendment", "reset of qbr-3day documented", "the vendor changed its API", "ready: S signs"
        )
        await driver.press("S")
        await driver.sees("Signed as amended.")
        await driver.press("escape")
        await driver.reads("[x] REASON Wed 2026-11-18 the vendor changed its API", "· verified")
        await driver.sees_no("reason missing")
    state = monitored.engine().load("qbr-daily@2026-11-18")
    assert state is not None
    amendment = state.amendments[-1].amendment
    assert (amendment.kind, amendment.qualification) == (AmendmentKind.RESET, "qbr-3day")


async def test_exclusion_needs_two_persons(make: Make) -> None:
    """e asks for a day not to count; nothing changes until somebody else reviews it with v, and then it does."""
    monitored = await make().past({18: "pass", 19: "fail", 20: "pass"})
    async with driving(monitored, size=(200, 40)) as driver:
        await at_qualification(driver, "Count 2: day 2 of 3, 1 passed")
        await driver.go("reset:qbr-daily@2026-11-19")
        await driver.press("e")
        await driver.reads("Why Thu 2026-11-19 is not to count", "once another person has reviewed it")
        await driver.type("the test system was in the way")
        await driver.press("enter")
        await driver.reads("exclusion from qbr-3day asked for", "ready: S signs")
        await driver.press("S")
        await driver.sees("Signed as amended.")
        await driver.press("escape")
        await driver.reads("waits for another person's review", "Count 2: day 2 of 3")
        await driver.press("v")
        await driver.reads("Review · QBR", "another person has to sign it", "not ready")
        await driver.press("escape", "q")
        await driver.until(lambda: not driver.app.is_running)
    monitored.options["actor"] = MAL
    async with driving(monitored, size=(200, 40)) as driver:
        await at_qualification(driver, "waits for another person's review")
        await driver.go("reset:qbr-daily@2026-11-19")
        await driver.press("v")
        await driver.reads("Review · QBR", "ready: S signs")
        await driver.press("S")
        await driver.sees("Signed as reviewed.")
        await driver.press("escape")
        await driver.reads("Count 1: day 3 of 3, 2 passed", "[-] EXCLUDED - Thu 2026-11-19")


async def test_review_of_what_nobody_signed(make: Make) -> None:
    """What was not signed cannot be reviewed or amended, which is said with what to do first."""
    async with driving(await make().past({19: "pass", 20: "open"})) as driver:
        await at_qualification(driver, "· verified")
        await driver.go("day:qbr-daily@2026-11-20")
        await driver.press("v")
        await driver.sees("is not signed yet: there is nothing to review")
        await driver.press("e")
        await driver.sees("is not signed: sign it first")
        await driver.press("a")
        await driver.sees("nothing to decide yet: 1 of 3 days have passed")
        await driver.press("f")
        await driver.sees("the final review opens when 3 days have passed")


async def test_what_others_sign_shows(make: Make) -> None:
    """A day that a colleague signs meanwhile counts within a moment, and is verified again."""
    monitored = await make().past({19: "pass", 20: "open"})
    async with driving(monitored, size=(100, 40)) as driver:
        await at_qualification(driver, "day 2 of 3, 1 passed · verified")
        session = await monitored.engine(OPERATOR).open(DAILY, dt.date(2026, 11, 20))
        await sign_statement(session, statement_now(session))
        await session.aclose()
        await driver.reads("day 3 of 3, 2 passed · verified", "[x] PASSED 2 Fri 2026-11-20")


# --- the decision ----------------------------------------------------------------------------------


async def test_blockers_are_listed_and_no_approval_is_offered(make: Make) -> None:
    """Without its final review nothing is approved: the decision says why, and offers only the refusal."""
    async with driving(await make(actor=MAL).reached(review=False), size=(100, 40)) as driver:
        await at_qualification(driver, "reached: waits for its final review", "[!] BLOCKS the final review")
        await driver.press("a")
        await driver.reads(
            "1 cause against it",
            "1 thing stands against an approval",
            "the final review qbr-final-review@2026-11-20 was not done",
            "operator signed",
            "[x] PASSED 1 Wed 2026-11-18 Day Operator (operator), attributed",
            "Resets: 1",
            "the vendor changed its API",
        )
        assert "a approve" not in driver.text
        await driver.press("a")
        await driver.reads("1 thing stands against an approval of qbr-3day; - the final review")
        await driver.press("escape")
        await driver.sees("f final review")
        await driver.press("f")
        await driver.sees("QBR final review", "Two collectors on each day")


async def test_approval_by_a_second_person(make: Make) -> None:
    """Days, resets, review and rules are read, yes or no is asked, all that is signed is shown, and S signs it."""
    signer = ScriptedSigner(key_of(APPROVER))
    monitored = await make(actor=MAL, signer=signer).reached()
    async with driving(monitored, size=(110, 45)) as driver:
        await at_qualification(driver, "reached: waits for a decision", "nothing stands against an approval")
        await driver.press("a")
        await driver.reads("can be approved", "every record that this rests on holds", "Every item passed.")
        await driver.press("a")
        await driver.reads("Approve QBR collection", "Is it ready for Phase 5: production?")
        await driver.type("perhaps")
        await driver.press("enter", "enter")
        await driver.sees("answer yes or no")
        await driver.press("shift+tab", *["backspace"] * 7, *"yes", "tab")
        await driver.type("three clean mornings")
        await driver.press("enter")
        await driver.reads(
            "Approval · QBR collection: three clean days",
            "With S you sign that you approve this qualification",
            "qbr-3day, count 2: 2026-11-18 to 2026-11-20",
            "approved; READY for Phase 5: production",
            "three clean mornings",
            "nothing stood against an approval",
            "nobody decides on their own work",
            "2026-11-20 passed, Day Operator (operator); event",
            "approver, namespace approve@opsconsole.v1",
            "ready: S signs",
        )
        await driver.press("S")
        await driver.sees("Signed as approved.")
        assert signer.asked == [(Meaning.APPROVED, APPROVER.fingerprint)]
        await driver.press("escape")
        await driver.reads("approved by Mal Lory (mallory)", "[x] APPROVED")
        assert not driver.app.drafts
        await driver.press("a")
        await driver.sees("it was approved already")
    approval = approval_in(monitored)
    assert approval is not None
    assert (approval.ready, approval.complete, approval.reason) == (True, True, "three clean mornings")


async def test_refusal_needs_a_reason(make: Make) -> None:
    """A refusal without a reason is not taken; with one it is signed, and the count begins anew."""
    monitored = await make(actor=MAL).reached()
    async with driving(monitored, size=(110, 45)) as driver:
        await at_qualification(driver, "reached")
        await driver.press("a")
        await driver.sees("n refuse")
        await driver.press("n")
        await driver.sees("Refuse QBR collection")
        await driver.press("enter")
        await driver.sees("give the reason why it is refused")
        await driver.type("the runbook is not written")
        await driver.press("enter")
        await driver.reads("Refusal · QBR", "refused; NOT READY for Phase 5", "ready: S signs")
        await driver.press("S")
        await driver.sees("Signed as refused.")
        await driver.press("escape")
        await driver.reads("refused by Mal Lory (mallory)", "[!] REFUSED")
    approval = approval_in(monitored)
    assert approval is not None
    assert not approval.ready


async def test_nobody_decides_on_their_own_work(make: Make) -> None:
    """Whoever signed the days is told that another person has to decide, with a key as without one."""
    signer = ScriptedSigner(key_of(FIRST))
    async with driving(await make(signer=signer).reached(), size=(110, 45)) as driver:
        await at_qualification(driver, "reached")
        await driver.press("a")
        await driver.reads("not allowed: whoever signed one of these may not decide", "you may not decide")
        await approve(driver, "fine")
        await driver.reads("It cannot be signed now", "not ready")
        await driver.press("S")
        await driver.until(lambda: "sign" in driver.message, "why not")
        assert "S sign it" not in driver.text
        await driver.press("escape", "escape")
        await driver.reads("reached: waits for a decision")


async def test_own_work_that_is_allowed_is_said(make: Make) -> None:
    """Where the rules let people decide on their own work, that is shown before, and is part of what is signed."""
    rules = msgspec.structs.replace(THREE_DAYS, approval=ApprovalPolicy(own_work=True))
    monitored = await make(qualifications=(rules,)).reached()
    async with driving(monitored, size=(110, 45)) as driver:
        await at_qualification(driver, "reached")
        await driver.press("a")
        await driver.reads("ALLOWED by the rules")
        await approve(driver, "small house")
        await driver.reads("people may decide on their own work", "ready: S signs")
        await driver.press("S")
        await driver.sees("Signed as approved.")
    approval = approval_in(monitored)
    assert approval is not None
    assert approval.own_work_allowed


async def test_decision_on_what_changed_meanwhile(make: Make) -> None:
    """A day that is amended while somebody decides is not decided on: nothing is signed, and the way on is said."""
    monitored = await make(actor=MAL).reached()
    async with driving(monitored, size=(110, 45)) as driver:
        await at_qualification(driver, "reached")
        await driver.press("a")
        await driver.sees("a approve")
        await approve(driver, "fine")
        await driver.sees("ready: S signs")
        await found_failed(monitored)
        await driver.press("S")
        await driver.reads("not signed: it has changed in the meantime", "Esc goes back to how it is now")
        await driver.press("escape")
        await driver.reads("Decision", "1 of 3 days have passed")
    assert approval_in(monitored) is None


async def test_approval_that_is_overturned(make: Make) -> None:
    """An approval whose day is amended to FAIL afterwards no longer stands, and the screen says why."""
    monitored = await make(actor=MAL).reached()
    async with driving(monitored, size=(220, 45)) as driver:
        await at_qualification(driver, "reached")
        await driver.press("a")
        await driver.sees("a approve")
        await approve(driver, "fine")
        await driver.sees("ready: S signs")
        await driver.press("S")
        await driver.sees("Signed as approved.")
        await driver.press("escape")
        await driver.reads("[x] APPROVED")
        await found_failed(monitored)
        await driver.reads("[?] OVERTURNED approval of 2026-11-21 by Mal Lory")
        rows = [each for each in driver.lines if "OVERTURNED" in each]
        assert rows
        key = next(each for each in _keys(driver) if each.startswith("decision:"))
        await driver.go(key)
        await driver.reads("overturned the days that it was made on do not count any more as they did")


def _keys(driver: Driver) -> list[str]:
    from opsconsole.widgets.rows import Rows

    return [each.key for each in driver.app.screen.query_one(Rows).rows]


# --- looks -----------------------------------------------------------------------------------------


async def test_hostile_reasons_are_text(make: Make) -> None:
    """Escape sequences and markup in reasons, names and explanations steer nothing, here and in the decision."""
    actor = msgspec.structs.replace(OPERATOR, name=f"Day {HOSTILE}")
    rules = msgspec.structs.replace(THREE_DAYS, days=2, review="")
    monitored = make(actor=MAL, qualifications=(rules,), checklists=(DAILY,))
    await monitored.past({17: "pass"})
    await monitored.day(dt.date(2026, 11, 18), "fail", actor)
    for number in (19, 20):
        await monitored.day(dt.date(2026, 11, number), "pass", actor)
    await monitored.past({})
    await monitored.amended(dt.date(2026, 11, 18), AmendmentKind.RESET, f"because {HOSTILE}")
    async with driving(monitored, size=(120, 40)) as driver:
        await at_qualification(driver, "· verified", "because \\x1b[2J")
        assert_harmless(driver.text)
        for key in _keys(driver):
            if not key.startswith("heading"):
                await driver.go(key)
                assert_harmless(driver.text)
        await driver.press("a")
        await driver.reads("Decision", "because \\x1b[2J")
        assert_harmless(driver.text)


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 50)])
async def test_without_colours_and_with_ascii_alone(make: Make, size: tuple[int, int]) -> None:
    """Every state is told by a glyph and a word: nothing is lost where neither colours nor other glyphs show."""
    terminal = Terminal(ascii=True, no_color=True)
    async with driving(await make().past(MIXED), size=size, terminal=terminal) as driver:
        await driver.sees("QBR")
        await driver.press("d")
        await driver.sees("TO DO")
        for key in _keys(driver):
            if not key.startswith("heading"):
                await driver.go(key)
        await driver.press("home")
        if size[1] > 20:
            await driver.sees("[~] WAITING", "[x] PASSED")


# --- pictures --------------------------------------------------------------------------------------


async def _running(driver: Driver) -> None:
    await at_qualification(driver, "· verified")
    await driver.go("day:qbr-daily@2026-11-19")


async def _reached(driver: Driver) -> None:
    await at_qualification(driver, "· verified", "waits for a decision")


async def _decision(driver: Driver) -> None:
    await _reached(driver)
    await driver.press("a")
    await driver.sees("can be approved")


async def _blocked(driver: Driver) -> None:
    await at_qualification(driver, "· verified")
    await driver.press("a")
    await driver.sees("1 cause against it")


SCENES: dict[str, tuple[Callable[[Monitored], Coroutine[Any, Any, Monitored]], Callable[[Driver], Any]]] = {
    "qualification-running": (lambda made: made.past(MIXED, {15: "the vendor changed its API"}), _running),
    "qualification-reached": (lambda made: made.reached(), _reached),
    "decision": (lambda made: made.reached(), _decision),
    "decision-blocked": (lambda made: made.reached(review=False), _blocked),
}


@pytest.mark.parametrize("size", [(80, 24), (140, 40)], ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", SCENES)
def test_looks(make: Make, snap_compare: Callable[..., bool], scene: str, size: tuple[int, int]) -> None:
    """The screen looks as it was accepted."""
    past, steps = SCENES[scene]
    monitored = asyncio.run(past(make(actor=MAL)))
    app = monitored.app()

    async def before(pilot: Any) -> None:
        driver = Driver(monitored, app, pilot)
        await steps(driver)
        await driver.stands_still()

    assert snap_compare(app, terminal_size=size, run_before=before)
