"""A qualification decided on in a real terminal: its operator may not do it, a second person with a key may."""

from contextlib import closing
from pathlib import Path

import pytest

from opsconsole.model.events import Meaning
from opsconsole.model.people import Role
from opsconsole.model.record import record_bytes, statement_bytes
from opsconsole.model.runs import RunState, fold
from opsconsole.store.sqlite import SqliteStore
from support.command import Installation, installed
from support.ssh import Key, make_key, ran, real_agent, short_directory, signer_line
from support.tmux import Tmux, tmux_server

CHECKLIST = """
title = "By hand"
due = { timezone = "UTC" }
sign_off = { tier = "signed" }

[[section]]
title = "All"

[[section.item]]
id = "look-00"
title = "Look at 00"
manual = true
"""
QUALIFICATION = """
title = "One clean day"
checklist = "by-hand"
days = 1
tier = "signed"
approval = { tier = "signed", within = "30 d" }
phase = "production"
"""
CONFIG = """
qualifications = ["one-day.toml"]

[people]
allowed_signers = "people"

[anchors]
journal = false
"""
JANE, RAVI = "jane@example.com", "ravi@example.com"


def place(directory: Path, jane: Key, ravi: Key) -> Installation:
    """Return an installation in which Jane operates and may approve, and Ravi only approves."""
    made = installed(directory, CONFIG, by_hand=CHECKLIST)
    (directory / "one-day.toml").write_text(QUALIFICATION)
    people = directory / "people"
    lines = signer_line(JANE, jane.text, "Jane Roe", Role.OPERATOR, Role.APPROVER)
    people.write_text(lines + signer_line(RAVI, ravi.text, "Ravi Rao", Role.APPROVER))
    for each in (directory / "one-day.toml", people):
        each.chmod(0o644)
    return made


def verified(made: Installation) -> RunState:
    """Check every signature with stock ssh-keygen alone, each in the namespace of its role; return the run."""
    with closing(SqliteStore(made.state / "opsconsole.db")) as store:
        assert store.verify().broken is None
        (key,) = store.runs("by-hand")
        links, events = list(store.links(key.id)), store.events(key.id)
    run = fold(events)
    assert run is not None
    roles = {Meaning.PERFORMED: Role.OPERATOR, Meaning.APPROVED: Role.APPROVER}
    for each in run.signatures:
        number = next(place for place, stored in enumerate(events) if stored.seq == each.seq)
        statement = each.body.statement
        payload = record_bytes([link.document for link in links[:number]], statement_bytes(links[number].document))
        signature = made.directory / f"{each.seq}.sig"
        signature.write_text(each.body.signature.armored)
        who = ("-f", made.directory / "people", "-I", statement.principal, "-s", signature)
        said = ran("ssh-keygen", "-Y", "verify", *who, "-n", roles[statement.meaning].namespace, stdin=payload)
        assert b"Good" in said
    return run


def decide(tmux: Tmux) -> None:
    """Go from Today to the decision, and approve up to the signature."""
    tmux.sees("Today", "By hand")
    tmux.press("d")
    tmux.sees("One clean day", "reached: waits for a decision", "verified")
    tmux.press("a")
    tmux.sees("Nothing stands against an approval", "a approve")
    tmux.press("a")
    tmux.sees("Is it ready for production?")
    tmux.type("yes")
    tmux.press("Tab")
    tmux.type("it ran as it should")
    tmux.press("Enter")
    tmux.sees("Approval", "READY for production", "it ran as it should")


@pytest.mark.timeout(240)
def test_operator_may_not_approve_and_a_second_person_does(tmp_path: Path) -> None:
    """In tmux, at 80x24: Jane signs the day and cannot approve it, Ravi's agent takes her place and approves."""
    jane, ravi = make_key(tmp_path / "id_jane"), make_key(tmp_path / "id_ravi")
    made = place(tmp_path, jane, ravi)
    home = tmp_path / "home"
    home.mkdir()
    environment = {**made.environment(), "HOME": str(home), "TERM": "xterm-256color"}
    with short_directory() as sockets, tmux_server() as tmux:
        with real_agent(jane, path=sockets / "jane") as agent:
            tmux.start(made.arguments("run", "by-hand"), {**environment, "SSH_AUTH_SOCK": agent.socket})
            tmux.sees("> [ ] PENDING Look at 00", "day 1 of 1")
            tmux.press("Space")
            tmux.sees("[x] PASS    Look at 00")
            tmux.press("g")
            tmux.sees("ready: S signs")
            tmux.press("S")
            tmux.sees("Signed. x writes the day log")
            tmux.press("Escape")
            tmux.sees("signed PASS")
            tmux.press("Escape")
            decide(tmux)
            tmux.sees("It cannot be signed now", "jane@example.com has signed by-hand@", "not ready")
        with real_agent(ravi, path=sockets / "ravi") as other:
            tmux.command("set-environment", "SSH_AUTH_SOCK", other.socket)  # as a client that attaches does
            tmux.press("r")
            tmux.sees("ready: S signs")
            tmux.press("S")
            tmux.sees("Signed as approved.")
            tmux.press("Escape")
            tmux.sees("approved by Ravi Rao", "[x] APPROVED", "· verified")
            tmux.press("q")
            tmux.sees("left with 0")
    run = verified(made)
    approval = run.signatures[-1].body.statement.approval
    assert [each.body.statement.principal for each in run.signatures] == [JANE, RAVI]
    assert approval is not None
    assert (approval.qualification, approval.ready, approval.complete) == ("one-day", True, True)
