"""Which key logged in, from the file that sshd writes, against what ssh-keygen says of the same keys."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.contracts.exporter import Report
from opsconsole.contracts.store import Head
from opsconsole.engine import loginkey
from opsconsole.engine.identity import current_actor
from opsconsole.engine.loginkey import login_key
from opsconsole.export.facts import person
from opsconsole.export.markdown import MarkdownExporter
from opsconsole.model.encoding import canonical, decoded
from opsconsole.model.events import Actor, Noted, Via
from support.runs import MORNING, Chain

OWN = frozenset({os.getuid()})
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ/bf+oJtXFYNTJ6G+DLhR5cwW1D4+RQAZTSaUvDyBSs"


def keygen(*words: str | Path) -> str:
    """Run ssh-keygen and return what it prints."""
    done = subprocess.run(["ssh-keygen", *map(str, words)], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


@pytest.fixture
def auth(tmp_path: Path) -> Path:
    """The file that SSH_USER_AUTH names."""
    path = tmp_path / "sshauth.x"
    path.touch(mode=0o600)
    return path


def found(path: Path | str, uids: frozenset[int] = OWN) -> str:
    """Return what a program that sshd started finds out."""
    return login_key({"SSH_USER_AUTH": str(path)}, uids)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa -b 256", "ecdsa -b 521", "rsa -b 2048"])
def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path, auth: Path, kind: str) -> None:
    """A key, and a certificate over it, have the fingerprint that an operator sees in `ssh-keygen -l`."""
    key, ca = tmp_path / "key", tmp_path / "ca"
    keygen("-q", "-t", *kind.split(), "-N", "", "-f", key)
    keygen("-q", "-t", "ed25519", "-N", "", "-f", ca)
    keygen("-q", "-s", ca, "-I", "jane", "-n", "ops", tmp_path / "key.pub")
    expected = keygen("-l", "-f", tmp_path / "key.pub").split()[1]
    for public in ("key.pub", "key-cert.pub"):
        words = (tmp_path / public).read_text().split()
        auth.write_text(f"publickey {words[0]} {words[1]}\n")
        assert found(auth) == expected


def test_the_first_key_of_several_methods_counts(auth: Path) -> None:
    """With a password besides, the key is still the key; a password alone tells nothing."""
    auth.write_text(f"password\npublickey {ED25519}\nkeyboard-interactive\n")
    assert found(auth).startswith("SHA256:")
    auth.write_text("password\n")
    assert found(auth) == ""


def test_what_others_could_write_tells_nothing(tmp_path: Path, auth: Path) -> None:
    """A file of somebody else, one that others can change, a link, a pipe, a directory: no key."""
    auth.write_text(f"publickey {ED25519}\n")
    assert found(auth)
    assert found(auth, frozenset({os.getuid() + 1})) == ""
    for mode in (0o620, 0o602):
        auth.chmod(mode)
        assert found(auth) == ""
    auth.chmod(0o600)
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(auth)
    os.mkfifo(pipe, 0o600)
    for each in (link, pipe, tmp_path, tmp_path / "missing", "relative", "", "/nul\0"):
        assert found(each) == ""
    assert login_key({}, OWN) == ""


@pytest.mark.parametrize("name", ["TMUX", "STY"])
def test_inside_tmux_nobody_knows_who_is_attached(auth: Path, name: str) -> None:
    """The environment is of whoever started it: a wrong name would be worse than none."""
    auth.write_text(f"publickey {ED25519}\n")
    assert login_key({"SSH_USER_AUTH": str(auth), name: "/tmp/tmux,1,0"}, OWN) == ""


@given(st.binary(max_size=60), st.binary(max_size=30))
def test_nothing_that_stands_there_raises(first: bytes, rest: bytes) -> None:
    """A broken file is no reason for the console not to open."""
    for line in (first, b"publickey " + first, b"publickey x " + rest, b"publickey ssh-ed25519 " + first):
        for each in line.splitlines():
            try:
                loginkey._fingerprint(each)
            except ValueError:
                continue


@pytest.mark.parametrize("rest", [" ====", " AAAA", "", " \xe9"])
def test_a_key_that_is_none_tells_nothing(auth: Path, rest: str) -> None:
    """Half a key has no fingerprint that anybody would recognise."""
    auth.write_text(f"publickey ssh-ed25519{rest}\n", encoding="latin-1")
    assert found(auth) == ""


def test_the_key_is_part_of_who_did_it(auth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event of a person on a shared account names the key that logged in; of others it stays as small."""
    for name in ("TMUX", "STY", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("SSH_USER_AUTH", raising=False)
    plain = current_actor(Via.COMMAND)
    assert plain.key == ""
    assert b"key" not in canonical(plain)
    auth.write_text(f"publickey {ED25519}\n")
    monkeypatch.setenv("SSH_USER_AUTH", str(auth))
    actor = current_actor(Via.COMMAND)
    assert actor.key.startswith("SHA256:")
    assert decoded(canonical(actor), Actor) == actor


def test_day_logs_tell_which_key_it_was() -> None:
    """In the trail and wherever an event's author stands, the key follows the shared login."""
    actor = Actor("ops", "Operations", "ops01", key="SHA256:abc")
    assert person(actor) == "Operations (ops), logged in with SHA256:abc on ops01"
    chain = Chain().add(Noted("", "seen"), actor)
    report = Report(
        state=chain.state(),
        head=Head(2, chain.events[-1].hash),
        store_id="store",
        exported_at=MORNING,
        version="0",
        events=tuple(chain.events),
    )
    assert "| Operations (ops), logged in with SHA256:abc |" in MarkdownExporter().render(report)
