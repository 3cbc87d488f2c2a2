"""Amendments at the console: what is asked, what it was and becomes, the signature, where it shows."""

import datetime as dt

import msgspec
import pytest

from opsconsole.contracts.signer import SigningError
from opsconsole.engine.amending import amendment_now
from opsconsole.engine.signoff import payload_of, sign_statement, statement_now
from opsconsole.model.checklists import SignOffPolicy
from opsconsole.model.events import AmendmentKind, Meaning
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.tiers import Tier
from support.console import (
    HOST,
    JANES,
    OPERATOR_PERSON,
    QBR,
    Morning,
    ScriptedSigner,
    key_of,
    on,
)
from support.driving import Driver, driving

from .conftest import MakeMorning

SIGNED_QBR = msgspec.structs.replace(QBR, sign_off=SignOffPolicy(Tier.SIGNED))


@pytest.fixture
def signer() -> ScriptedSigner:
    """The operator's key."""
    return ScriptedSigner(key_of(OPERATOR_PERSON))


@pytest.fixture
def keyed(make_morning: MakeMorning, signer: ScriptedSigner) -> Morning:
    """A good morning that asks for keys."""
    morning: Morning = make_morning(checklists=(SIGNED_QBR, HOST), signer=signer)
    return morning


async def signed_run(driver: Driver) -> None:
    """Sign a green morning, and come back to the run."""
    await driver.open_run()
    session = driver.live.session
    await session.enter("tickets", "412")
    await session.tick("dashboard")
    await session.fill("issues", "none")
    await driver.press("g")
    await driver.sees("ready: S signs")
    await driver.press("S")
    await driver.sees("Signed. x")
    await driver.press("escape")
    await driver.sees("signed PASS", "a amend", "v review")


async def test_entry_is_corrected_and_both_values_stay(keyed: Morning, signer: ScriptedSigner) -> None:
    """A corrected entry shows what it was and becomes before it is signed, and old, new, who and why afterwards."""
    async with driving(keyed, size=(120, 40)) as driver:
        await signed_run(driver)
        await driver.go("tickets")
        await driver.press("a")
        await driver.sees(
            "Amend the signed run", "Correct the entry: Tickets in ConnectWise", "Found failed after all"
        )
        await driver.press("enter")
        await driver.sees("Correct the entry", "entered: 412")
        await driver.press(*["backspace"] * 3, *"500", "enter")  # goes on to the reason, which is missing
        await driver.press("enter")
        await driver.sees("some words are needed here")
        await driver.type("read the wrong month")
        await driver.press("enter")
        await driver.reads(
            "Amendment · QBR daily monitoring",
            "With S you sign this amendment",
            "entry corrected: Ticket count agrees",
            "was 412 (PASS)",
            "becomes 500 (FAIL): 500 entered",
            "reason read the wrong month",
            "before PASS 7 pass",
            "after FAIL 6 pass, 1 fail",
            "run@opsconsole.v1",
        )
        assert driver.stored()[-1] == "Signed"
        await driver.press("S")
        await driver.sees("Signed as amended.")
        assert signer.asked[-1] == (Meaning.AMENDED, OPERATOR_PERSON.fingerprint)
        assert driver.stored()[-1] == "Amended"
        assert not driver.app.drafts
        await driver.press("escape")
        await driver.sees("signed PASS, amended to FAIL", "[!] FAIL    Ticket count", "amended")
        await driver.sees(
            "was  412 (PASS)", "is   500 (FAIL)", "why  read the wrong month", "Day Operator (operator) at"
        )
        await driver.press("g")
        await driver.reads("Signed as performed", "Signed as amended", "was 412 (PASS)")
        assert driver.state.result is Result.FAIL
        assert not driver.state.passed


async def test_amended_morning_shows_on_today_and_in_the_history(keyed: Morning) -> None:
    """A run that was amended to FAIL says so wherever the run shows."""
    async with driving(keyed, size=(110, 30)) as driver:
        await signed_run(driver)
        await driver.go("disk")
        await driver.press("a", "enter")
        await driver.sees("Found failed after all: Disk of the install path")
        await driver.type("the graph was of another host")
        await driver.press("enter")
        await driver.reads("found failed after all", "was PASS: used is 41.5 %", "becomes FAIL", "after FAIL")
        await driver.press("S")
        await driver.sees("Signed as amended.")
        await driver.press("escape", "escape")
        await driver.sees("[!] FAIL     QBR daily", "amended to FAIL")
        await driver.press("h")
        await driver.sees("[!] FAIL     2026-11-21  amended, was PASS")


async def test_past_run_is_opened_to_be_amended(make_morning: MakeMorning) -> None:
    """From the history a signed run opens read only; a opens it, and the note is signed into it."""
    morning = make_morning()
    engine = morning.engine(at=on(dt.date(2026, 11, 18)))
    session = await engine.open(HOST)
    await engine.measure(session)
    await sign_statement(session, statement_now(session))
    await session.aclose()
    async with driving(morning) as driver:
        await driver.sees("Host daily")
        await driver.press("down", "h")
        await driver.sees("2026-11-18")
        await driver.press("enter")
        await driver.sees("signed PASS", "a amend")
        await driver.press("n")
        await driver.sees("read only: the run was signed by Day Operator (operator); a amends it")
        await driver.press("a", "down", "down", "enter")
        await driver.sees("Add a note on the run as a whole")
        await driver.type("the room was hot")
        await driver.press("tab")
        await driver.type("found later")
        await driver.press("enter")
        await driver.reads("note the room was hot", "reason found later", "ready: S signs")
        await driver.press("S")
        await driver.sees("Signed as amended.")
        await driver.press("escape")
        await driver.sees("signed PASS, amended")
        (amended,) = driver.state.amendments
        assert amended.amendment.kind is AmendmentKind.NOTE
        assert driver.state.items["space"].outcome is Outcome.PASS


async def test_amendment_that_was_not_signed_stays_a_draft(keyed: Morning, signer: ScriptedSigner) -> None:
    """Leaving the sign-off, or a key that declines, loses nothing that was typed."""
    async with driving(keyed) as driver:
        await signed_run(driver)
        await driver.go("field:notes")
        await driver.press("a", "enter")
        await driver.sees("Correct the text: Notes")
        await driver.type("all quiet")
        await driver.press("tab")
        await driver.type("forgotten")
        await driver.press("enter")
        await driver.reads("was nothing", "becomes all quiet")
        signer.refusal = SigningError("declined", "the agent was asked and declined", "confirm it")
        await driver.press("S")
        await driver.sees("The last attempt did not sign")
        await driver.press("escape")
        assert driver.stored()[-1] == "Signed"
        await driver.press("q")
        await driver.reads("there is a draft that was never saved")
        signer.refusal = None
        await driver.press("a", "enter")
        await driver.sees("all quiet", "forgotten", "what you had typed before is back")
        await driver.press("enter")
        await driver.sees("ready: S signs")
        await driver.press("S")
        await driver.sees("Signed as amended.")
        await driver.press("escape")
        await driver.sees("all quiet", "amended")


async def test_amendment_whose_answer_was_lost_is_signed_once(keyed: Morning) -> None:
    """A server that dies right after it stored the signature: once it is back, nobody is asked to sign again."""
    async with driving(keyed) as driver:
        await signed_run(driver)
        await driver.press("a", "enter")
        await driver.sees("Found failed after all")
        await driver.type("it was red")
        await driver.press("enter")
        await driver.sees("ready: S signs")
        keyed.store.loses_answers = True
        await driver.press("S")
        await driver.reads("RECORD OUT OF REACH", "not signed: the connection was lost")
        keyed.store.gone = False
        await driver.reads("Signed as amended, and that holds", "the answer of the record was lost")
        await driver.press("S")
        await driver.sees("signed already")
        assert driver.stored().count("Amended") == 1
        assert not driver.app.drafts


async def test_open_run_is_not_amended(morning: Morning) -> None:
    """Before the sign-off a run is changed as usual: a and v are not offered, and say so."""
    async with driving(morning) as driver:
        await driver.open_run()
        assert "a amend" not in driver.text
        await driver.press("a")
        await driver.sees("the run is not signed: change it as usual")
        await driver.press("v")
        await driver.sees("there is nothing to review")


async def test_amendment_of_a_colleague_arrives_while_one_reads(keyed: Morning) -> None:
    """What somebody else amends meanwhile shows at once, and a signature over the old state is not made."""
    async with driving(keyed) as driver:
        await signed_run(driver)
        await driver.press("v")
        await driver.reads("another person has to sign it")
        other = await keyed.engine(JANES).open(SIGNED_QBR)
        amendment = amendment_now(other, AmendmentKind.NOTE, "seen later", item="disk", text="it was full at noon")
        statement = statement_now(other, Meaning.AMENDED, None, amendment)
        with pytest.raises(Exception, match="asks for"):
            await sign_statement(other, statement)
        person = msgspec.structs.replace(OPERATOR_PERSON, principal="jane@example.com", name="Jane Roe")
        statement = statement_now(other, Meaning.AMENDED, person, amendment)
        signature = ScriptedSigner().sign(payload_of(other, statement), Meaning.AMENDED, key_of(person))
        await sign_statement(other, statement, signature)
        await other.aclose()
        await driver.reads("changed meanwhile: ", "what was signed changed")
        await driver.press("escape")
        await driver.sees("signed PASS, amended")
        await driver.reads("Jane Roe (jane) amended the run")
