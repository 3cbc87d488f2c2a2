"""The console with the operator's own OpenSSH: an agent that comes back, a signature, an amendment, a touch."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from opsconsole.model.events import Amended, Signed
from opsconsole.model.people import Role
from opsconsole.model.record import record_bytes, statement_bytes
from opsconsole.model.runs import RunState, fold
from opsconsole.model.tiers import Tier
from opsconsole.store.sqlite import SqliteStore
from support.command import Installation, installed
from support.ptys import Pty
from support.ssh import Key, make_key, ran, real_agent, security_key, short_directory, signer_line
from support.tmux import tmux_server

CHECKLIST = """
title = "By hand"
due = { timezone = "UTC" }
sign_off = { tier = "TIER" }

[[section]]
title = "All"

[[section.item]]
id = "look-00"
title = "Look at 00"
manual = true
"""
CONFIG = """
[people]
allowed_signers = "people"

[anchors]
journal = false
"""
JANE = "jane@example.com"


def place(directory: Path, tier: Tier, public: str) -> Installation:
    """Return an installation in which Jane Roe may sign with a key."""
    made = installed(directory, CONFIG, by_hand=CHECKLIST.replace("TIER", tier))
    people = directory / "people"
    people.write_text(signer_line(JANE, public, "Jane Roe", Role.OPERATOR))
    people.chmod(0o644)
    return made


def environment(made: Installation, agent: str) -> dict[str, str]:
    """Return an environment with an agent, and a home without keys."""
    home = made.directory / "home"
    home.mkdir(exist_ok=True)
    return {**made.environment(), "HOME": str(home), "SSH_AUTH_SOCK": agent, "TERM": "xterm-256color"}


def verified(made: Installation) -> RunState:
    """Check every signature as anybody would, with stock ssh-keygen alone; return the run."""
    with closing(SqliteStore(made.state / "opsconsole.db")) as store:
        assert store.verify().broken is None
        (key,) = store.runs("by-hand")
        links, events = list(store.links(key.id)), store.events(key.id)
    run = fold(events)
    assert run is not None
    for number, (link, event) in enumerate(zip(links, events, strict=True)):
        body = event.event.body
        if isinstance(body, Signed | Amended):
            payload = record_bytes([each.document for each in links[:number]], statement_bytes(link.document))
            signature = made.directory / f"{event.seq}.sig"
            signature.write_text(body.signature.armored)
            people = made.directory / "people"
            who = ("-f", people, "-I", JANE, "-n", Role.OPERATOR.namespace, "-s", signature)
            said = ran("ssh-keygen", "-Y", "verify", *who, stdin=payload)
            assert b"Good" in said
            assert body.statement.principal == JANE
    return run


@pytest.mark.timeout(240)
def test_agent_that_comes_back_signs_and_amends(tmp_path: Path) -> None:
    """In tmux, at 80x24: no agent at first and no way to sign, then one after a new login; sign, amend, verify."""
    key: Key = make_key(tmp_path / "id_test")
    made = place(tmp_path, Tier.SIGNED, key.text)
    with short_directory() as sockets, tmux_server() as tmux:
        gone = sockets / "old"
        tmux.start(made.arguments("run", "by-hand"), environment(made, str(gone)))
        tmux.sees("> [ ] PENDING Look at 00")
        tmux.press("Space")
        tmux.sees("[x] PASS    Look at 00")
        tmux.press("g")
        tmux.sees("No key can sign this now", "without    a key it cannot be signed", "not ready")
        tmux.press("S")
        tmux.sees("asks for a sign-off that is")
        with real_agent(key, path=sockets / "new") as agent:
            tmux.command("set-environment", "SSH_AUTH_SOCK", agent.socket)  # as a client that attaches does
            tmux.press("r")
            tmux.sees("ready: S signs", f"ED25519 {key.fingerprint}", "Jane Roe, principal jane@example.com")
            tmux.press("S")
            tmux.sees("Signed. x writes the day log")
            tmux.press("Escape")
            tmux.sees("signed PASS", "a amend")
            tmux.press("a")
            tmux.sees("Amend the signed run", "Found failed after all")
            tmux.press("Enter")
            tmux.sees("Found failed after all", "reason")
            tmux.type("it was the dashboard of yesterday")
            tmux.press("Enter")
            tmux.sees("Amendment", "was        PASS", "becomes    FAIL", "ready: S signs")
            tmux.press("S")
            tmux.sees("Signed as amended.")
            tmux.press("Escape")
            tmux.sees("signed PASS, amended to FAIL")
            tmux.press("q")
            tmux.sees("left with 0")
    run = verified(made)
    assert [each.body.signature.tier for each in run.signatures] == [Tier.SIGNED, Tier.SIGNED]
    assert not run.passed


@pytest.mark.timeout(180)
def test_touch_that_never_comes_is_stopped_and_made_up_for(tmp_path: Path) -> None:
    """A security key that nobody touches: the console says what it waits for, Esc stops it, a touch signs later."""
    with security_key(tmp_path) as (device, agent):
        made = place(tmp_path, Tier.HARDWARE, device.public.text)
        device.hangs = True
        argv = made.arguments("run", "by-hand")
        with Pty(argv, env=environment(made, agent), cwd=made.directory) as pty:
            pty.wait_for("> [ ] PENDING Look at 00")
            pty.send(" ")
            pty.wait_for("[x] PASS    Look at 00")
            pty.send("g")
            pty.wait_for("ready: S signs")
            pty.send("S")
            pty.wait_for("touch the key when it blinks; Esc stops waiting")
            pty.send("\x1b")
            pty.wait_for("not signed: you stopped it")
            pty.send("S")
            pty.wait_for("touch the key when it blinks; Esc stops waiting")
            began = time.monotonic()
            pty.send("q")
            assert pty.wait_exit() == 0
            assert time.monotonic() - began < 20, "it waited for the key"
        device.hangs = False
        with Pty(argv, env=environment(made, agent), cwd=made.directory) as pty:
            pty.wait_for("[x] PASS    Look at 00")
            pty.send("g")
            pty.wait_for("ready: S signs")
            pty.send("S")
            pty.wait_for("Signed. x")
            pty.send("q")
            assert pty.wait_exit() == 0
    run = verified(made)
    assert run.signed is not None
    assert run.signed.body.signature.tier is Tier.HARDWARE
