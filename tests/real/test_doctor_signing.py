"""What `opsconsole doctor` says of tomorrow's sign-off."""

from pathlib import Path

import pytest

from support.command import Installation, installed
from support.ssh import make_key, real_agent

JANE = ("jane@example.com", "--name", "Jane Doe", "--role", "operator")


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation whose signed records go into a git repository."""
    return installed(tmp_path, f'[anchors]\njournal = false\ngit = "{tmp_path}/records.git"\n')


def test_nobody_may_sign_yet(place: Installation) -> None:
    """Without people every sign-off is an attribution, which the doctor says."""
    done = place.run("doctor")
    assert done.code == 0
    assert "people: nobody may sign with a key" in done.out
    assert "anchor journal" not in done.out
    assert "is made by the first sign-off" in done.out


def test_whose_key_would_sign(place: Installation, tmp_path: Path) -> None:
    """The doctor names the key that the sign-off would use, or why there is none and what to do about it."""
    key = make_key(tmp_path / "jane")
    assert place.run("people", "add", *JANE, "--key", str(key.public_path)).code == 0
    with real_agent(key) as agent:
        done = place.run("doctor", env={"SSH_AUTH_SOCK": agent.socket})
    assert f"PASS  signing: as jane@example.com, ssh-ed25519 {key.fingerprint} in the agent" in done.out
    done = place.run("doctor", env={"SSH_AUTH_SOCK": ""})
    assert done.code == 0
    assert "WARN  signing: this account cannot sign now" in done.out


def test_people_that_others_can_change(place: Installation, tmp_path: Path) -> None:
    """A file of people that others can write to is a failure, with the command that mends it."""
    key = make_key(tmp_path / "jane")
    assert place.run("people", "add", *JANE, "--key", str(key.public_path)).code == 0
    people = place.config.parent / "allowed_signers"
    people.chmod(0o666)
    done = place.run("doctor")
    assert done.code == 1
    assert "FAIL  people" in done.out
    assert f"chmod go-w {people}" in done.out or f"chmod o-w {people}" in done.out
