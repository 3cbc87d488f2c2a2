"""Signing with keys: what is shown first, what can go wrong, and that nothing is lost by it."""

import threading
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot

from opsconsole.contracts.signer import KeyPlace, SigningError
from opsconsole.model.checklists import SignOffPolicy
from opsconsole.model.events import Meaning
from opsconsole.model.record import statement_document
from opsconsole.model.tiers import Tier
from support.console import (
    HOST,
    HOSTILE,
    JANE,
    OPERATOR_PERSON,
    TOKEN,
    Morning,
    ScriptedAnchor,
    ScriptedAuthenticator,
    ScriptedSigner,
    key_of,
)
from support.driving import Driver, driving

from .conftest import MakeMorning

NO_AGENT = SigningError("no-agent", "no agent answers at /tmp/agent.1", "start one, or log in with ssh -A")
PASSWORD = "correct-horse-not-real"


def host(tier: Tier = Tier.ATTRIBUTED) -> Any:
    """Return a checklist of one item that asks for signatures of a tier."""
    return msgspec.structs.replace(HOST, sign_off=SignOffPolicy(tier))


async def at_sign_off(driver: Driver) -> None:
    """Open the one run and its sign-off."""
    await driver.reads("Host daily")
    await driver.press("enter")
    await driver.reads("1 pass")
    await driver.press("g")
    await driver.reads("Sign-off · Host daily", "asked for")


def make(make_morning: MakeMorning, tier: Tier = Tier.ATTRIBUTED, **options: Any) -> Morning:
    """Return a morning of one item."""
    return make_morning(checklists=(host(tier),), **options)


async def test_everything_about_the_key_is_read_before_it_signs(make_morning: MakeMorning) -> None:
    """Type, fingerprint, whose, where, tier, what is asked for, namespace, size and hash are on screen before S."""
    signer = ScriptedSigner(key_of(OPERATOR_PERSON))
    async with driving(make(make_morning, Tier.SIGNED, signer=signer), size=(120, 40)) as driver:
        await at_sign_off(driver)
        await driver.reads(
            f"ED25519 {OPERATOR_PERSON.fingerprint}",
            "Day Operator, principal operator@example.com",
            "in the agent, 'operator@example.com laptop'",
            "operator, namespace run@opsconsole.v1",
            "signed: anybody can check it",
            "signed or better",
            "clock synchronised",
            "2 events, ",
            "SHA-256",
            "ready: S signs",
        )
        await driver.press("S")
        await driver.reads("Signed. x", "signed by operator@example.com")
        signed = driver.state.signed
        assert signed is not None
        assert signed.body.signature.tier is Tier.SIGNED
        assert signed.body.statement.principal == "operator@example.com"
        (payload,) = signer.payloads
        assert payload.endswith(statement_document(signed.body.statement) + b"\n")


async def test_exact_bytes_can_be_read(make_morning: MakeMorning) -> None:
    """d shows the very bytes that are signed: the statement, and every event as it is stored."""
    async with driving(make(make_morning, signer=ScriptedSigner(key_of(OPERATOR_PERSON)))) as driver:
        await at_sign_off(driver)
        await driver.press("d")
        await driver.reads("bytes, SHA-256", "The statement, its last line", '"meaning":"performed"')
        await driver.press("escape")
        await driver.reads("ready: S signs")


async def test_best_key_that_is_enough_is_chosen_and_another_can_be(make_morning: MakeMorning) -> None:
    """Where the checklist asks for a touch, the security key is chosen; c offers the others."""
    keys = ScriptedSigner(key_of(OPERATOR_PERSON), key_of(TOKEN, comment="token"))
    async with driving(make(make_morning, Tier.HARDWARE, signer=keys)) as driver:
        await at_sign_off(driver)
        await driver.reads("ED25519-SK", "touch it when it blinks", "ready: S signs")
        await driver.press("c")
        await driver.reads("Sign with", "signed: not enough", "hardware-signed", "attributed: not enough")
        await driver.press("enter")
        await driver.reads("It cannot be signed now", "not ready")
        await driver.press("S")
        await driver.reads("asks for a sign-off that is hardware-signed")
        assert "S sign it" not in driver.text
        await driver.press("c", "down", "enter")
        await driver.reads("ready: S signs")
        await driver.press("S")
        await driver.reads("Signed. x", "hardware-signed by")


async def test_waiting_for_a_touch_can_be_stopped(make_morning: MakeMorning) -> None:
    """While a key is waited for the screen says so and lives on; Esc stops it, nothing is signed, S tries again."""
    signer = ScriptedSigner(key_of(TOKEN))
    signer.hold = threading.Event()
    async with driving(make(make_morning, signer=signer)) as driver:
        await at_sign_off(driver)
        await driver.press("S")
        await driver.reads("touch the key when it blinks; Esc stops waiting")
        await driver.press("down")  # it goes on taking keys
        await driver.press("escape")
        await driver.reads("not signed: you stopped it", "Sign-off · Host daily")
        signer.hold.set()
        assert driver.state.signed is None
        assert driver.stored() == ["Opened"]
        await driver.press("S")
        await driver.reads("Signed. x")
        assert driver.stored() == ["Opened", "Signed"]


async def test_leaving_while_a_key_never_answers(make_morning: MakeMorning) -> None:
    """q leaves at once although an agent hangs; nothing is signed."""
    signer = ScriptedSigner(key_of(OPERATOR_PERSON))
    signer.hold = threading.Event()
    morning = make(make_morning, signer=signer)
    async with driving(morning) as driver:
        await at_sign_off(driver)
        await driver.press("S")
        await driver.reads("waiting for the agent to sign")
        await driver.press("q")
        await driver.until(lambda: not driver.app.is_running)
        assert driver.stored() == ["Opened"]
    signer.hold.set()


@pytest.mark.parametrize(
    ("reason", "message", "hint"),
    [
        ("no-agent", "no agent answers at /run/agent.7", "log in again with ssh -A"),
        ("declined", "the agent was asked and declined", "confirm it where the key is"),
        ("expired", "the key of Day Operator was valid until 2026-11-01", "ask for a new one"),
        ("timeout", "the key did not answer within 60 s", "touch it when it blinks"),
    ],
)
async def test_each_failure_says_why_and_the_way_on(
    make_morning: MakeMorning, reason: str, message: str, hint: str
) -> None:
    """A key that does not sign says why and what to do; nothing is stored, and the next attempt can succeed."""
    signer = ScriptedSigner(key_of(OPERATOR_PERSON))
    signer.refusal = SigningError(reason, message, hint)
    async with driving(make(make_morning, signer=signer)) as driver:
        await at_sign_off(driver)
        await driver.press("S")
        await driver.reads("The last attempt did not sign", message, hint, "S tries again")
        assert driver.stored() == ["Opened"]
        signer.refusal = None
        await driver.press("S")
        await driver.reads("Signed. x")


async def test_without_a_usable_key_it_takes_two_deliberate_keys(make_morning: MakeMorning) -> None:
    """No key: why and the way on are shown; S alone never signs without proof, S and Y do."""
    signer = ScriptedSigner()
    signer.missing = NO_AGENT
    async with driving(make(make_morning, signer=signer)) as driver:
        await at_sign_off(driver)
        await driver.reads(
            "No key can sign this now", "no agent answers at /tmp/agent.1", "ssh -A; then r looks again"
        )
        await driver.press("Y")
        await driver.press("S")
        await driver.reads("this is no proof of who signed. Y signs all the same", "Y yes, no proof")
        assert driver.stored() == ["Opened"]
        await driver.press("escape")
        await driver.reads("not signed", "Sign-off · Host daily")
        await driver.press("Y")
        await driver.press("S", "Y")
        await driver.reads("Signed. x", "not cryptographically signed")
        signed = driver.state.signed
        assert signed is not None
        assert signed.body.signature.tier is Tier.ATTRIBUTED


async def test_agent_that_came_back_is_found(make_morning: MakeMorning) -> None:
    """r looks again, as after a tmux session was attached anew."""
    signer = ScriptedSigner(key_of(OPERATOR_PERSON))
    signer.missing = NO_AGENT
    async with driving(make(make_morning, Tier.SIGNED, signer=signer)) as driver:
        await at_sign_off(driver)
        await driver.reads("No key can sign", "without a key it cannot be signed", "not ready")
        assert "S sign it" not in driver.text
        await driver.press("S")
        await driver.reads("asks for a sign-off that is signed")
        signer.missing = None
        await driver.press("r")
        await driver.reads("ready: S signs", "ED25519 SHA256:")
        await driver.sees_no("No key can sign")
        await driver.press("S")
        await driver.reads("Signed. x")


async def test_anchor_that_kept_nothing_is_told_calmly(make_morning: MakeMorning) -> None:
    """The signature holds where the journal does not take the note of it, and the operator reads both."""
    anchor = ScriptedAnchor("no such socket")
    signer = ScriptedSigner(key_of(OPERATOR_PERSON))
    async with driving(make(make_morning, signer=signer, anchors=(anchor,)), size=(120, 40)) as driver:
        await at_sign_off(driver)
        await driver.press("S")
        await driver.reads("Signed, and that holds; but no note of it was taken elsewhere: journal: no such socket")
        assert driver.state.signed is not None


async def test_password_is_taken_and_shown_nowhere(
    make_morning: MakeMorning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password of the login signs as reauthenticated; it never shows, not even in a report of a fault."""
    authenticator = ScriptedAuthenticator(PASSWORD)
    morning = make(make_morning, Tier.REAUTHENTICATED, authenticator=authenticator)
    async with driving(morning) as driver:
        await at_sign_off(driver)
        await driver.reads("reauthenticated as the login operator", "ready: S signs")
        await driver.press("S")
        await driver.reads("The password of the login operator")
        await driver.type("wrong-one")
        assert "wrong-one" not in driver.app.export_screenshot()
        await driver.press("enter")
        await driver.reads("The last attempt did not sign", "was not taken")
        await driver.press("S", "escape")
        await driver.reads("ready: S signs")
        authenticator.fault = RuntimeError(f"pam said {PASSWORD}")
        await driver.press("S")
        await driver.type(PASSWORD)
        await driver.press("enter")
        await driver.reads("the password could not be checked: RuntimeError")
        assert PASSWORD not in driver.app.export_screenshot()
        authenticator.fault = None
        await driver.press("S")
        await driver.type(PASSWORD)
        await driver.press("enter")
        await driver.reads("Signed. x")
        signed = driver.state.signed
        assert signed is not None
        assert signed.body.signature.tier is Tier.REAUTHENTICATED
        assert not driver.app.drafts
        assert driver.app.clipboard == ""
    assert not (morning.directory / "crashes").exists()
    assert all(
        PASSWORD.encode() not in path.read_bytes() for path in morning.directory.rglob("*") if path.is_file()
    )


async def test_what_an_agent_says_steers_nothing(make_morning: MakeMorning) -> None:
    """Comments of keys, names and messages are text: no markup, no control sequences."""
    person = msgspec.structs.replace(OPERATOR_PERSON, name=f"Day {HOSTILE}", key_type="ssh-[/]ed25519")
    signer = ScriptedSigner(
        key_of(person, comment=HOSTILE), key_of(JANE, place=KeyPlace.FILE, path=f"/k/{HOSTILE}")
    )
    async with driving(make(make_morning, signer=signer)) as driver:
        await at_sign_off(driver)
        await driver.press("c")
        await driver.reads("Sign with")
        assert "\x1b" not in driver.text
        assert "\\x1b" in driver.text
        await driver.press("escape")
        signer.refusal = SigningError("declined", f"agent: {HOSTILE}", HOSTILE)
        await driver.press("S")
        await driver.reads("The last attempt did not sign")
        assert not set(driver.text) & {"\x1b", "\x07", "\x9b", "\u202e", "\x00"}


async def test_store_that_is_gone_blocks_the_sign_off(make_morning: MakeMorning) -> None:
    """While the record is out of reach nothing can be signed, and the reason is read; then it goes on."""
    morning = make(make_morning, signer=ScriptedSigner(key_of(OPERATOR_PERSON)))
    async with driving(morning) as driver:
        await at_sign_off(driver)
        await driver.reads("ready: S signs")
        morning.store.gone = True
        await driver.reads("RECORD OUT OF REACH", "It cannot be signed now", "not ready")
        await driver.press("S")
        await driver.reads("the record is out of reach: the server does not answer")
        morning.store.gone = False
        await driver.reads("ready: S signs")
        await driver.press("S")
        await driver.reads("Signed. x")


async def test_review_is_another_persons(make_morning: MakeMorning) -> None:
    """Whoever performed the run cannot review it, and reads why; another person can, and it shows."""
    signer = ScriptedSigner(key_of(msgspec.structs.replace(OPERATOR_PERSON, roles=JANE.roles)))
    async with driving(make(make_morning, Tier.SIGNED, signer=signer)) as driver:
        await at_sign_off(driver)
        await driver.press("S")
        await driver.reads("Signed. x")
        await driver.press("escape")
        await driver.reads("signed PASS", "a amend", "v review")
        await driver.press("v")
        await driver.reads(
            "Review · Host daily", "It cannot be signed now", "another person has to sign it", "not ready"
        )
        assert "S sign it" not in driver.text
        signer.keys.append(key_of(JANE))
        await driver.press("r", "c", "down", "enter")
        await driver.reads("With S you sign that you reviewed", "review@opsconsole.v1", "ready: S signs")
        await driver.press("S")
        await driver.reads("Signed as reviewed.")
        await driver.press("escape")
        await driver.reads("signed PASS, reviewed")
        assert signer.asked[-1] == (Meaning.REVIEWED, JANE.fingerprint)


async def test_burst_of_keys_signs_once(make_morning: MakeMorning, monkeypatch: pytest.MonkeyPatch) -> None:
    """S typed twice signs once, and what is typed after it is meant for what follows."""
    signer = ScriptedSigner(key_of(OPERATOR_PERSON))
    async with driving(make(make_morning, signer=signer)) as driver:
        await at_sign_off(driver)
        pilot: Pilot[None] = driver.pilot
        await pilot.press("S", "S", "escape")
        await driver.reads("signed PASS")
        assert len(signer.payloads) == 1
        assert driver.stored() == ["Opened", "Signed"]
