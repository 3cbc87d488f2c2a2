"""How every screen looks, at 80x24 and at 120x40. `pytest --snapshot-update` renews the pictures; look at them."""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from opsconsole.contracts.signer import SigningError
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.events import Statement
from opsconsole.screens import signoff_view
from opsconsole.screens.signoff_view import RecordFacts
from opsconsole.widgets.evidence import Paragraph
from support.console import (
    CRON,
    HOST,
    JANES,
    OPERATOR_PERSON,
    TOKEN,
    Morning,
    ScriptedAuthenticator,
    ScriptedSigner,
    bad,
    good,
    key_of,
    on,
)
from support.driving import Driver

from .conftest import MakeMorning

Steps = Callable[[Driver], Awaitable[None]]
SIZES = ((80, 24), (120, 40))


@pytest.fixture(autouse=True)
def _plain_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Show the same hashes and ids in every run."""
    bound = signoff_view._bound

    def steady(statement: Statement, record: RecordFacts | None) -> Iterator[Paragraph]:
        plain = {"head_seq": 9, "head_hash": "5a" * 32, "definition_hash": "c3" * 32, "store_id": "0" * 36}
        if statement.amends:
            plain["amends"] = "7e" * 32
        facts = RecordFacts(record.events, 7_831, "b4" * 32) if record is not None else None
        return bound(msgspec.structs.replace(statement, **plain), facts)

    monkeypatch.setattr(signoff_view, "_bound", steady)


async def today(driver: Driver) -> None:
    """What an operator sees first."""
    await driver.sees("GAP", "not opened")


async def opened(driver: Driver) -> None:
    """A run that was just measured."""
    await driver.open_run()


async def measuring(driver: Driver) -> None:
    """A run that is being measured."""
    driver.morning.told.hold = asyncio.Event()
    await driver.press("enter")
    await driver.sees("measuring: 0 of 6 done", "[.] READING")


async def reading(driver: Driver) -> None:
    """The detail of a failed item in full."""
    await opened(driver)
    await driver.press("enter")
    await driver.sees("2 rows")


async def not_green(driver: Driver) -> None:
    """Only what is not green."""
    await opened(driver)
    await driver.press("exclamation_mark")
    await driver.sees("not green only")


async def note(driver: Driver) -> None:
    """A note being written."""
    await opened(driver)
    await driver.press("n")
    await driver.type("The vendor knows, ticket 4711")
    await driver.press("ctrl+j")
    await driver.type("They call back at ten")
    await driver.sees("They call back at ten")


async def waive(driver: Driver) -> None:
    """A waiver with a wrong date."""
    await opened(driver)
    await driver.press("w")
    await driver.type("accepted by L2")
    await driver.press("tab", *"x", "enter")
    await driver.sees("is no date")


async def unsaved(driver: Driver) -> None:
    """A tick that could not be saved."""
    await opened(driver)
    await driver.go("dashboard")
    driver.morning.store.broken = True
    await driver.press("space")
    await driver.sees("1 action NOT SAVED")
    driver.live.session._recorder.unsaved_cause = (
        "the disk is full; kept in /var/lib/opsconsole/unsaved until it can be saved"
    )
    driver.live._tell()
    await driver.sees("/var/lib/opsconsole")


async def hurdles(driver: Driver) -> None:
    """What stands in the way of the sign-off."""
    await opened(driver)
    await driver.press("g")
    await driver.sees("6 things to do")


async def explained(driver: Driver) -> None:
    """A bad morning in which every item that is not green is explained."""
    await opened(driver)
    session = driver.live.session
    await session.note("collectors", "The vendor knows, ticket 4711")
    await session.waive("journal", "no rights on the journal yet", dt.date(2026, 11, 30))
    await session.skip("metrics", "counted by hand today")
    await session.enter("tickets", "413")
    await session.tick("dashboard")
    await session.fill("issues", "ConnectWise was slow")
    await driver.sees("1 waived")


async def ready(driver: Driver) -> None:
    """What is signed, before it is."""
    if driver.morning.told.answers["disk"] == bad()["disk"]:
        await explained(driver)
    else:
        await opened(driver)
        await driver.live.session.enter("tickets", "412")
        await driver.live.session.tick("dashboard")
    await driver.press("g")
    await driver.sees("ready: S signs")


async def signed(driver: Driver) -> None:
    """A signed run."""
    await ready(driver)
    await driver.press("S")
    await driver.sees("Signed. x")
    await driver.press("escape")
    await driver.sees("signed FAIL")


async def history(driver: Driver) -> None:
    """Past runs."""
    await driver.sees("Host daily")
    await driver.press("down", "h")
    await driver.sees("2 runs", "by cron")


async def past(driver: Driver) -> None:
    """A past run, read only."""
    await history(driver)
    await driver.press("enter")
    await driver.sees("read only")


async def runbook(driver: Driver) -> None:
    """A runbook."""
    await opened(driver)
    await driver.press("b")
    await driver.sees("Runbook")


async def help_(driver: Driver) -> None:
    """The help."""
    await opened(driver)
    await driver.press("question_mark")
    await driver.sees("Keys on a run")


async def palette(driver: Driver) -> None:
    """The palette."""
    await opened(driver)
    await driver.press("ctrl+p")
    await driver.type("note")
    await driver.sees_no("Take a skip")


async def signed_green(driver: Driver) -> None:
    """A green morning, signed."""
    await opened(driver)
    session = driver.live.session
    await session.enter("tickets", "412")
    await session.tick("dashboard")
    await driver.press("g")
    await driver.sees("ready: S signs")
    await driver.press("S")
    await driver.sees("Signed. x")
    await driver.press("escape")
    await driver.sees("signed PASS")


def _signer(driver: Driver) -> ScriptedSigner:
    assert driver.morning.signer is not None
    return driver.morning.signer


async def with_key(driver: Driver) -> None:
    """A sign-off with a security key, before it signs."""
    _signer(driver).keys = [key_of(TOKEN), key_of(OPERATOR_PERSON)]
    await ready(driver)
    await driver.sees("ED25519-SK")


async def without_key(driver: Driver) -> None:
    """A sign-off without a usable key."""
    _signer(driver).missing = SigningError(
        "no-agent",
        "no agent answers: SSH_AUTH_SOCK names /tmp/ssh-XXXX/agent.1, which is gone",
        "log in again with ssh -A, or start one: eval $(ssh-agent)",
    )
    await ready(driver)
    await driver.press("S")
    await driver.sees("Y signs all the same")


async def choosing_key(driver: Driver) -> None:
    """The list of ways of signing."""
    _signer(driver).keys = [key_of(TOKEN, comment="token"), key_of(OPERATOR_PERSON)]
    await ready(driver)
    await driver.press("c")
    await driver.sees("Sign with")


async def amending(driver: Driver) -> None:
    """What is asked for an amendment."""
    await signed_green(driver)
    await driver.go("tickets")
    await driver.press("a", "enter")
    await driver.press(*["backspace"] * 3, *"500", "tab")
    await driver.type("Read the wrong month")
    await driver.sees("Read the wrong month")


async def amendment(driver: Driver) -> None:
    """An amendment before it is signed."""
    await amending(driver)
    await driver.press("enter")
    await driver.sees("ready: S signs")


async def amended(driver: Driver) -> None:
    """A run that was amended to FAIL."""
    await amendment(driver)
    await driver.press("S")
    await driver.sees("Signed as amended")
    await driver.press("escape")
    await driver.sees("amended to FAIL")


async def today_amended(driver: Driver) -> None:
    """Today, after that."""
    await amended(driver)
    await driver.press("escape")
    await driver.sees("amended to FAIL")


async def together(driver: Driver) -> None:
    """A colleague is in the run, and has just done something."""
    await opened(driver)
    other = await driver.morning.engine(JANES).open(driver.morning.checklists[0])
    presence = driver.morning.store.enter(driver.state.run, "Jane Roe (jane)")
    await driver.until(lambda: "with Jane" in driver.lines[0], "Jane")
    await other.tick("dashboard")
    await driver.sees("Jane Roe (jane) ticked")
    driver.morning.held.append(presence)
    await other.aclose()


async def out_of_reach(driver: Driver) -> None:
    """The record cannot be reached, and a tick is not saved."""
    await opened(driver)
    await driver.go("dashboard")
    driver.morning.store.gone = True
    await driver.press("space")
    await driver.sees("1 action NOT SAVED", "RECORD OUT OF REACH")
    driver.live.session._recorder.unsaved_cause = "kept in /var/lib/opsconsole/unsaved until it can be saved"
    driver.live._tell()
    await driver.sees("/var/lib/opsconsole")


async def password(driver: Driver) -> None:
    """A password being typed."""
    await ready(driver)
    await driver.press("S")
    await driver.type("not-a-password")


async def _handed_over(driver: Driver) -> None:
    """Leave a run of two days before with notes and things to be done."""
    engine = driver.morning.engine(CRON, on(dt.date(2026, 11, 19)))
    session = await engine.open(driver.morning.checklists[0])
    await engine.measure(session)
    await session.enter("tickets", "412")
    await session.tick("dashboard")
    await session.fill("notes", "ConnectWise was slow at night, ticket 4711\nThe vendor calls back at ten")
    await session.raise_action("Order a bigger disk for /var", "Jane Roe", dt.date(2026, 11, 20), "disk")
    await session.raise_action("Renew the certificate of the gateway", "", dt.date(2026, 11, 21))
    await session.raise_action("Ask the vendor why it is slow by night")
    await sign_statement(session, statement_now(session))
    await session.aclose()
    await driver.press("r")
    await driver.sees("Handover", "[!] LATE")


async def handover(driver: Driver) -> None:
    """What is handed over, above the checklists."""
    await _handed_over(driver)


async def handover_gap(driver: Driver) -> None:
    """Everything about what was missed."""
    await _handed_over(driver)
    await driver.press("home")
    await driver.sees("without a signed run")


async def missed(driver: Driver) -> None:
    """A run that nobody did."""
    await _handed_over(driver)
    await driver.press("home", "enter")
    await driver.sees("Why nobody did it", "nobody has said why yet")
    await driver.until(lambda: len(driver.live.carried) == 3, "carried")


async def signoff_missed(driver: Driver) -> None:
    """The sign-off of why a run was missed."""
    await missed(driver)
    await driver.live.session.note("", "The host was down for maintenance, announced on Monday")
    await driver.press("g")
    await driver.sees("ready: S signs")


async def carried(driver: Driver) -> None:
    """A run with what earlier runs left to be done."""
    await _handed_over(driver)
    await driver.go("qbr-daily")
    await opened(driver)
    await driver.until(lambda: len(driver.live.carried) == 3, "carried")
    await driver.press("end")
    await driver.sees("named    qbr-daily@2026-11-19")


async def actions(driver: Driver) -> None:
    """Every action item."""
    await _handed_over(driver)
    await driver.press("a")
    await driver.sees("3 to do, 1 late", "named")


async def action_form(driver: Driver) -> None:
    """An action item being raised."""
    await opened(driver)
    await driver.press("i")
    await driver.type("Ask the vendor why it is slow by night")
    await driver.press("enter", *"jane", "enter", *"fri")
    await driver.sees("fri")


SCENES: dict[str, tuple[Callable[[], Any], Steps]] = {
    "today": (good, today),
    "run-good": (good, opened),
    "run-bad": (bad, opened),
    "run-measuring": (good, measuring),
    "run-reading": (bad, reading),
    "run-not-green": (bad, not_green),
    "run-unsaved": (good, unsaved),
    "run-signed": (bad, signed),
    "form-note": (bad, note),
    "form-waive": (bad, waive),
    "signoff-hurdles": (bad, hurdles),
    "signoff-ready": (bad, ready),
    "signoff-key": (good, with_key),
    "signoff-no-key": (good, without_key),
    "signoff-choice": (good, choosing_key),
    "signoff-password": (good, password),
    "form-amend": (good, amending),
    "signoff-amendment": (good, amendment),
    "run-amended": (good, amended),
    "today-amended": (good, today_amended),
    "run-together": (good, together),
    "run-out-of-reach": (good, out_of_reach),
    "history": (good, history),
    "history-past": (good, past),
    "runbook": (bad, runbook),
    "handover": (good, handover),
    "handover-gap": (good, handover_gap),
    "run-missed": (good, missed),
    "signoff-missed": (good, signoff_missed),
    "run-carried": (good, carried),
    "actions": (good, actions),
    "form-action": (good, action_form),
    "help": (good, help_),
    "palette": (good, palette),
}


KEYED = {with_key, without_key, choosing_key}


async def _earlier(morning: Morning) -> None:
    """Leave two runs of other days: one signed, one not."""
    for day, sign in ((18, True), (20, False)):
        engine = morning.engine(CRON, on(dt.date(2026, 11, day)))
        session = await engine.open(HOST)
        await engine.measure(session)
        if sign:
            await sign_statement(session, statement_now(session))
        await session.aclose()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", SCENES)
def test_looks(
    make_morning: MakeMorning,
    snap_compare: Callable[..., bool],
    scene: str,
    size: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The screen looks as it was accepted."""
    monkeypatch.setattr("opsconsole.screens.keeping_up.RETRY_EVERY", 60.0)
    monkeypatch.setattr("opsconsole.screens.run_shared.COMPANY_EVERY", 0.05)
    monkeypatch.setattr("opsconsole.screens.run_shared.NEWS_FOR", 600.0)
    answers, steps = SCENES[scene]
    problems = ("checklists/broken.toml: line 3: 'prob' is no key of an item; did you mean 'probe'?",)
    notices = ("this host was not booted with systemd: items about units, timers and the journal are skipped",)
    options: dict[str, Any] = {"signer": ScriptedSigner()} if steps in KEYED else {}
    if steps is password:
        options = {"authenticator": ScriptedAuthenticator("")}
    morning = make_morning(answers(), notices=notices, problems=problems, **options)
    asyncio.run(_earlier(morning))
    app = morning.app()

    async def before(pilot: Pilot[None]) -> None:
        driver = Driver(morning, app, pilot)
        await steps(driver)
        await driver.stands_still()

    assert snap_compare(app, terminal_size=size, run_before=before)
