"""Signing with real ssh-agents, key files, a real sshd and tmux: what works, and what is said where it does not."""

import contextlib
import datetime as dt
import os
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from opsconsole.contracts.signer import Candidate, KeyPlace, SigningError
from opsconsole.model.events import Meaning, Signature
from opsconsole.model.people import Role, role_for
from opsconsole.model.tiers import Tier
from opsconsole.signing import agents
from opsconsole.signing.keyfiles import named_key_file, why_unusable
from opsconsole.signing.ssh import SshSigner
from opsconsole.signing.verifying import OpenSshVerifier
from support.ptys import Pty
from support.ssh import (
    Key,
    RealAgent,
    fake_keygen,
    forwarded_login,
    hung,
    make_key,
    own_agent,
    ran,
    real_agent,
    security_key,
    short_directory,
    signer_line,
    until,
)
from support.tmux import tmux_server

JANE = "jane@example.com"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
DAY = dt.timedelta(days=1)
PAYLOAD = b'{"id":"1"}\n{"signed_at":"%s"}\n' % NOW.isoformat().encode()


@dataclass
class Desk:
    """An operator's desk: a home directory, an environment, and the file of people."""

    directory: Path
    key: Key
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def people(self) -> Path:
        """The file of people."""
        return self.directory / "allowed_signers"

    @property
    def home(self) -> Path:
        """The home directory."""
        return self.directory / "home"

    def know(self, *lines: str) -> None:
        """Let the file of people say this."""
        self.people.write_text("".join(lines), encoding="utf-8")
        self.people.chmod(0o644)

    def signer(self, **options: object) -> SshSigner:
        """Return what signs at this desk."""
        revoked = self.directory / "revoked_keys"
        verifier = OpenSshVerifier(self.people, revoked if revoked.exists() else None)
        given = {"environ": self.environ, "home": self.home, "sockets": (), "timeout": 10.0, **options}
        return SshSigner(verifier, **given)  # type: ignore[arg-type]

    def candidates(self, meaning: Meaning = Meaning.PERFORMED, **options: object) -> list[Candidate]:
        """Return the keys that could sign now."""
        return self.signer(**options).candidates(meaning, NOW)

    def refused(self, meaning: Meaning = Meaning.PERFORMED, **options: object) -> SigningError:
        """Return why there is no key."""
        with pytest.raises(SigningError) as error:
            self.candidates(meaning, **options)
        return error.value

    def sign(self, meaning: Meaning = Meaning.PERFORMED, **options: object) -> Signature:
        """Sign with the best key."""
        signer = self.signer(**options)
        return signer.sign(PAYLOAD, meaning, signer.candidates(meaning, NOW)[0])

    def stored(self, key: Key, name: str = "id_ed25519") -> Path:
        """Put a key into ~/.ssh under a usual name."""
        place = self.home / ".ssh"
        place.mkdir(parents=True, exist_ok=True)
        for source, target in ((key.path, place / name), (key.public_path, place / f"{name}.pub")):
            target.write_bytes(source.read_bytes())
            target.chmod(0o600)
        return place / name


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    """Jane's key."""
    return make_key(tmp_path_factory.mktemp("jane") / "jane")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Key:
    """A key of somebody else, or of nobody."""
    return make_key(tmp_path_factory.mktemp("other") / "other", "ecdsa")


@pytest.fixture
def desk(tmp_path: Path, key: Key) -> Desk:
    """A desk at which Jane may sign as operator, with no key at hand yet."""
    found = Desk(tmp_path, key)
    found.know(signer_line(JANE, key.text, "Jane Doe", Role.OPERATOR))
    return found


@contextlib.contextmanager
def at_hand(desk: Desk, *keys: Key, env: Mapping[str, str] | None = None) -> Iterator[RealAgent]:
    """Run an agent with these keys at the desk."""
    with real_agent(*keys, env=env) as agent:
        desk.environ[agents.VARIABLE] = agent.socket
        yield agent


def verifies(desk: Desk, signature: Signature, meaning: Meaning = Meaning.PERFORMED) -> bool:
    """Ask stock ssh-keygen, as an auditor would."""
    path = desk.directory / "record.sig"
    path.write_text(signature.armored)
    role = role_for(meaning)
    words = ("-Y", "verify", "-f", desk.people, "-I", signature.principal, "-n", role.namespace, "-s", path)
    return b"Good" in ran("ssh-keygen", *words, stdin=PAYLOAD)


# --- what works ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", 0), ("ecdsa", 521), ("rsa", 3072)])
@pytest.mark.parametrize("place", KeyPlace)
def test_sign_with_an_agent_or_a_file(tmp_path: Path, kind: str, bits: int, place: KeyPlace) -> None:
    """Each kind of key signs from either place, and an auditor's ssh-keygen takes the signature."""
    desk = Desk(tmp_path, make_key(tmp_path / "key", kind, bits=bits))
    desk.know(signer_line(JANE, desk.key.text, "Jane Doe", Role.OPERATOR, Role.APPROVER))
    with contextlib.ExitStack() as stack:
        if place is KeyPlace.AGENT:
            stack.enter_context(at_hand(desk, desk.key))
        else:
            desk.stored(desk.key, f"id_{kind}")
        (candidate,) = desk.candidates()
        assert (candidate.place, candidate.person.name, candidate.comment) == (place, "Jane Doe", "key")
        for meaning in (Meaning.PERFORMED, Meaning.AMENDED, Meaning.APPROVED):
            signature = desk.sign(meaning)
            assert (signature.tier, signature.principal) == (Tier.SIGNED, JANE)
            assert signature.fingerprint == desk.key.fingerprint
            assert verifies(desk, signature, meaning)


def test_the_best_key_comes_first(desk: Desk, other: Key) -> None:
    """A security key is offered before others, an agent before a file, and what is nobody's not at all."""
    mine = make_key(desk.directory / "second")
    with security_key(desk.directory) as (device, agent), at_hand(desk, desk.key, other, mine):
        desk.stored(desk.key)
        desk.know(
            signer_line(JANE, desk.key.text, "Jane Doe", Role.OPERATOR),
            signer_line(JANE, mine.text, "Jane Doe", Role.OPERATOR),
            signer_line(JANE, device.public.text, "Jane Doe", Role.OPERATOR),
        )
        assert [each.place for each in desk.candidates()] == [KeyPlace.AGENT, KeyPlace.AGENT]
        desk.environ[agents.VARIABLE] = agent
        found = desk.candidates()
        assert [each.person.hardware for each in found] == [True, False]
        assert found[1].place is KeyPlace.FILE


def test_a_configured_key_is_the_only_one(desk: Desk) -> None:
    """Whoever has several keys says which; its public half is enough where the agent has the private one."""
    mine = make_key(desk.directory / "second")
    public = desk.directory / "configured.pub"
    public.write_bytes(mine.public_path.read_bytes())
    desk.know(
        signer_line(JANE, desk.key.text, "Jane Doe", Role.OPERATOR),
        signer_line(JANE, mine.text, "Jane Doe", Role.OPERATOR),
    )
    with at_hand(desk, desk.key, mine) as agent:
        (candidate,) = desk.candidates(key=public)
        assert candidate.person.fingerprint == mine.fingerprint
        assert desk.sign(key=public).fingerprint == mine.fingerprint
        agent.command("-q", "-d", str(mine.path))
        assert desk.refused(key=public).reason == "no-key-file"
        assert desk.candidates(key=mine.path)[0].place is KeyPlace.FILE
    assert desk.refused(key=desk.directory / "nowhere").reason == "no-key-file"


def test_a_key_may_change_its_roles(desk: Desk) -> None:
    """The same key of the same person counts by the line that is valid now."""
    desk.know(
        signer_line(JANE, desk.key.text, "Jane Doe", Role.APPROVER, before=NOW - DAY),
        signer_line(JANE, desk.key.text, "Jane Doe", Role.OPERATOR, after=NOW - DAY),
    )
    with at_hand(desk, desk.key):
        assert desk.sign().principal == JANE
        assert desk.refused(Meaning.APPROVED).reason == "wrong-role"


# --- security keys (a double of the device; see support/ssh.py) ------------------------------------


def test_a_security_key_that_is_touched(desk: Desk) -> None:
    """With the touch in it the signature is hardware-signed; without it is worth no more than a plain key's."""
    with security_key(desk.directory) as (device, agent):
        desk.know(signer_line(JANE, device.public.text, "Jane Doe", Role.OPERATOR))
        desk.environ[agents.VARIABLE] = agent
        (candidate,) = desk.candidates()
        assert candidate.person.hardware
        signature = desk.sign()
        assert signature.tier is Tier.HARDWARE
        assert verifies(desk, signature)
        device.touched = False
        assert desk.sign().tier is Tier.SIGNED


def test_a_security_key_that_is_not_touched(desk: Desk) -> None:
    """The operator is told that it waited for the touch, after no longer than was configured."""
    with security_key(desk.directory) as (device, agent):
        desk.know(signer_line(JANE, device.public.text, "Jane Doe", Role.OPERATOR))
        desk.environ[agents.VARIABLE] = agent
        device.refuses = True
        assert failure_of(desk).reason == "declined"
        device.refuses, device.hangs = False, True
        begun = time.monotonic()
        error = failure_of(desk, timeout=0.5)
        assert error.reason == "no-touch"
        assert "touch it" in error.hint
        assert time.monotonic() - begun < 10


def test_a_security_key_that_is_not_plugged_in(desk: Desk) -> None:
    """Its files are there, and the device is somewhere else: the real ssh-keygen looks for it and finds none."""
    with security_key(desk.directory) as (device, _):
        desk.know(signer_line(JANE, device.public.text, "Jane Doe", Role.OPERATOR))
        desk.stored(device.write_files(desk.directory / "files"), "id_ed25519_sk")
    assert desk.candidates()[0].person.hardware
    error = failure_of(desk)
    assert error.reason == "no-device"
    assert "ssh -A" in error.hint


def failure_of(desk: Desk, **options: object) -> SigningError:
    """Return how signing fails with a key that is at hand."""
    signer = desk.signer(**options)
    (candidate,) = signer.candidates(Meaning.PERFORMED, NOW)
    with pytest.raises(SigningError) as error:
        signer.sign(PAYLOAD, Meaning.PERFORMED, candidate)
    return error.value


# --- no key at hand --------------------------------------------------------------------------------


def test_nobody_is_known(desk: Desk) -> None:
    """Before anybody was added, the message is the command that adds the first one."""
    desk.people.unlink()
    error = desk.refused()
    assert error.reason == "no-people"
    assert "opsconsole people add PRINCIPAL --name 'Printed Name' --role operator --key FILE.pub" in error.hint


def test_no_agent_and_no_file(desk: Desk) -> None:
    """A login without an agent is told how to bring one."""
    error = desk.refused()
    assert (error.reason, "ssh -A" in error.hint) == ("no-agent", True)


def test_a_stale_socket(desk: Desk) -> None:
    """What SSH_AUTH_SOCK names may be gone, refuse, or be no socket; all three say so."""
    with short_directory() as directory:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(directory / "refuses"))
        (directory / "file").touch()
        for name in ("gone", "refuses", "file"):
            desk.environ[agents.VARIABLE] = str(directory / name)
            error = desk.refused()
            assert error.reason == "agent-unreachable", name
            assert "tmux" in error.hint


def test_a_hung_agent_blocks_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A forwarded agent whose line is dead takes connections and never answers: files still sign."""
    monkeypatch.setattr(agents.listed, "__defaults__", (0.3,))
    with own_agent(hung) as agent:
        desk.environ[agents.VARIABLE] = agent.socket
        begun = time.monotonic()
        assert desk.refused().reason == "agent-hung"
        desk.stored(desk.key)
        assert desk.sign().tier is Tier.SIGNED
        assert time.monotonic() - begun < 10


@pytest.mark.parametrize("answer", [b"", b"\x05", b"\x0c\x00\x00\x00\x09", b"\x0c", b"HTTP/1.1 400 Bad Request"])
def test_what_answers_is_no_agent(desk: Desk, answer: bytes) -> None:
    """Something else may listen there; it is told, and nothing is taken from it."""
    with own_agent(lambda _: answer) as agent:
        desk.environ[agents.VARIABLE] = agent.socket
        assert desk.refused().reason == "agent-unreachable"


def test_an_agent_that_offers_nothing(desk: Desk) -> None:
    """An empty agent and a locked one look the same, so the message names both ways on."""
    with at_hand(desk) as agent:
        error = desk.refused()
        assert error.reason == "agent-empty"
        assert "ssh-add FILE" in error.hint
        agent.add(desk.key)
        assert desk.candidates()
        agent.lock(b"secret")
        error = desk.refused()
        assert error.reason == "agent-empty"
        assert "ssh-add -X" in error.hint


def test_only_keys_of_nobody(desk: Desk, other: Key) -> None:
    """The keys that are there are named, with the command that would add one of them."""
    with at_hand(desk, other):
        error = desk.refused()
    assert error.reason == "key-absent"
    assert other.fingerprint in str(error)
    assert f"--role operator --agent --fingerprint {other.fingerprint}" in error.hint


# --- keys that may not sign ------------------------------------------------------------------------


def test_keys_out_of_their_time_or_role(desk: Desk) -> None:
    """Each key that is known and may not sign now says why: its time, its role, or its revocation."""
    with at_hand(desk, desk.key):
        expected = {
            "expired": signer_line(JANE, desk.key.text, "Jane Doe", Role.OPERATOR, before=NOW - DAY),
            "not-valid-yet": signer_line(JANE, desk.key.text, "Jane Doe", Role.OPERATOR, after=NOW + DAY),
            "wrong-role": signer_line(JANE, desk.key.text, "Jane Doe", Role.REVIEWER),
        }
        for reason, line in expected.items():
            desk.know(line)
            error = desk.refused()
            assert error.reason == reason
            assert JANE in str(error)
            assert error.hint
        desk.know(signer_line(JANE, desk.key.text, "Jane Doe", Role.OPERATOR))
        (desk.directory / "revoked_keys").write_text(f"{desk.key.text}\n")
        (desk.directory / "revoked_keys").chmod(0o644)
        assert desk.refused().reason == "revoked"


def test_a_file_of_people_that_cannot_be_used(desk: Desk) -> None:
    """Nobody signs by a file that others can change, or that leaves open who somebody is."""
    with at_hand(desk, desk.key):
        desk.people.chmod(0o666)
        error = desk.refused()
        assert error.reason == "untrusted-file"
        assert "chmod" in str(error)
        desk.know("*@example.com ", desk.key.text, "\n")
        assert desk.refused().reason == "bad-file"


# --- keys that do not sign -------------------------------------------------------------------------


def test_a_confirmation_that_is_declined(desk: Desk) -> None:
    """A key added with `ssh-add -c` asks each time; here the question is declined."""
    with at_hand(desk, env={"SSH_ASKPASS": "/bin/false", "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":9"}) as agent:
        agent.add(desk.key, "-c")
        error = failure_of(desk)
    assert error.reason == "declined"
    assert "ssh-add -c" in str(error)


def test_a_key_for_certain_hosts_only(desk: Desk, other: Key) -> None:
    """A destination-constrained key lets its agent sign logins only: the message names that among the causes."""
    hosts = desk.directory / "known_hosts"
    hosts.write_text(f"bastion {other.text}\n")
    with at_hand(desk) as agent:
        agent.add(desk.key, "-H", str(hosts), "-h", "bastion")
        error = failure_of(desk)
    assert error.reason == "declined"
    assert "ssh-add -h" in str(error)


def test_a_key_whose_time_in_the_agent_is_over(desk: Desk) -> None:
    """A key added with `ssh-add -t` may go between the dialog and the signature."""
    with at_hand(desk) as agent:
        agent.add(desk.key, "-t", "1")
        signer = desk.signer()
        (candidate,) = signer.candidates(Meaning.PERFORMED, NOW)
        until(lambda: agent.keys() == 0, "the end of the key's time")
        with pytest.raises(SigningError) as error:
            signer.sign(PAYLOAD, Meaning.PERFORMED, candidate)
    assert error.value.reason == "key-gone"
    assert "ssh-add -t" in str(error.value)


def test_an_agent_that_goes_while_it_signs(desk: Desk) -> None:
    """Between the dialog and the signature the agent may end, or hang."""
    signer = desk.signer()
    with at_hand(desk, desk.key):
        (candidate,) = signer.candidates(Meaning.PERFORMED, NOW)
    with pytest.raises(SigningError) as error:
        signer.sign(PAYLOAD, Meaning.PERFORMED, candidate)
    assert error.value.reason == "agent-unreachable"


def test_an_agent_that_signs_something_else(desk: Desk) -> None:
    """Nothing is stored that an auditor could not verify: the signature is checked before anybody gets it."""
    with security_key(desk.directory) as (device, _):
        desk.know(signer_line(JANE, device.public.text, "Jane Doe", Role.OPERATOR))

        def lie(message: bytes) -> bytes | None:
            return device.answer(message[:-8] + b"\xff" * 4 + message[-4:] if message[0] == 13 else message)

        with own_agent(lie) as agent:
            desk.environ[agents.VARIABLE] = agent.socket
            assert failure_of(desk).reason == "altered"


def test_key_files_that_cannot_be_used(desk: Desk, other: Key, tmp_path: Path) -> None:
    """A passphrase is never asked for; open permissions, damage and a wrong public half each have their message."""
    locked = make_key(tmp_path / "locked", passphrase="obviously not a secret")
    path = desk.stored(locked)
    desk.know(signer_line(JANE, locked.text, "Jane Doe", Role.OPERATOR))
    begun = time.monotonic()
    error = desk.refused()
    assert (error.reason, "ssh-add" in error.hint) == ("passphrase", True)
    assert time.monotonic() - begun < 5

    path = desk.stored(desk.key)
    desk.know(signer_line(JANE, desk.key.text, "Jane Doe", Role.OPERATOR))
    path.chmod(0o644)
    error = desk.refused()
    assert (error.reason, error.hint) == ("key-permissions", f"chmod 600 {path}")
    path.chmod(0o600)
    path.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
    assert desk.refused().reason == "bad-key-file"
    path.write_bytes(other.path.read_bytes())
    error = desk.refused()
    assert error.reason == "key-mismatch"
    assert other.fingerprint in str(error)
    path.unlink()
    assert desk.refused().reason == "no-agent", "its public half alone is no key file"


def test_a_key_file_that_may_not_be_read(desk: Desk) -> None:
    """The account is told that the key is not its own to read."""
    path = desk.stored(desk.key)
    path.chmod(0o000)
    file = named_key_file(path)
    user = os.geteuid()
    if user == 0:  # who may read everything
        os.seteuid(65534)
    try:
        problem = why_unusable(file)
    finally:
        os.seteuid(user)
    assert problem is not None
    assert problem.reason == "key-unreadable"


def test_ssh_keygen_missing_or_old(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install. The old one is a script: this machine has a good one."""
    with at_hand(desk, desk.key):
        assert desk.candidates()
        monkeypatch.setenv("PATH", fake_keygen(tmp_path, 'echo "unknown option -- Y" >&2; exit 1'))
        assert failure_of(desk).reason == "old-ssh-keygen"
        monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
        monkeypatch.setattr("opsconsole.signing.keygen._PLACES", "")
        error = failure_of(desk)
        assert (error.reason, "openssh-client" in error.hint) == ("no-ssh-keygen", True)


_AT_A_TERMINAL = """
import sys
from pathlib import Path
from opsconsole.contracts.signer import Candidate, KeyPlace, SigningError
from opsconsole.model.events import Meaning
from opsconsole.signing.ssh import SshSigner
from opsconsole.signing.verifying import OpenSshVerifier
verifier = OpenSshVerifier(Path(sys.argv[1]))
candidate = Candidate(person=verifier.people()[0], place=KeyPlace.FILE, path=sys.argv[2])
try:
    SshSigner(verifier, timeout=10).sign(b"record", Meaning.PERFORMED, candidate)
except SigningError as error:
    print("not signed:", error.reason)
"""


def test_nothing_is_asked_at_the_terminal(desk: Desk, tmp_path: Path) -> None:
    """ssh-keygen would ask for a passphrase in the middle of the console's screen, and wait for it for ever."""
    locked = make_key(tmp_path / "locked", passphrase="obviously not a secret")
    desk.know(signer_line(JANE, locked.text, "Jane Doe", Role.OPERATOR))
    with Pty([sys.executable, "-c", _AT_A_TERMINAL, desk.people, locked.path]) as terminal:
        terminal.wait_for("not signed: passphrase")
        assert terminal.wait_exit() == 0
        assert terminal.output.decode().strip() == "not signed: passphrase"


# --- forwarded agents and tmux ---------------------------------------------------------------------


def test_a_forwarded_agent(desk: Desk, other: Key) -> None:
    """Over a real sshd: the key stays at home, signs here, and is gone with the login."""
    with (
        real_agent(desk.key) as agent,
        forwarded_login(desk.directory, agent, other) as login,
    ):
        desk.environ[agents.VARIABLE] = login.socket
        assert login.socket != agent.socket
        (candidate,) = desk.candidates()
        assert candidate.path == login.socket
        assert verifies(desk, desk.sign())
        login.end()
        assert desk.refused().reason == "agent-unreachable"


def test_tmux_knows_the_new_agent(desk: Desk) -> None:
    """After tmux was attached from a new login, panes still have the old socket; signing works all the same."""
    with tmux_server() as tmux, real_agent(desk.key) as agent:
        tmux.start(["true"], {"PATH": os.environ["PATH"]})
        where = tmux.command("display-message", "-p", "#{socket_path},#{pid},#{s/\\$//:session_id}").strip()
        desk.environ |= {"TMUX": where, "PATH": os.environ["PATH"], agents.VARIABLE: "/nonexistent/agent.1"}
        assert desk.refused().reason == "agent-unreachable"
        tmux.command("set-environment", agents.VARIABLE, agent.socket)
        assert desk.candidates()[0].path == agent.socket
        assert verifies(desk, desk.sign())
        del desk.environ[agents.VARIABLE]
        assert desk.candidates()[0].path == agent.socket, "a pane that never had one"


def test_the_newest_agent_of_this_account(desk: Desk, other: Key) -> None:
    """Where tmux does not know either, the sockets of this account are; those of two people are no guess."""
    with short_directory() as directory:
        places = [directory / "ssh-a", directory / "ssh-b", directory / "ssh-c"]
        for each in places:
            each.mkdir(mode=0o700)
        sockets = (f"{directory}/ssh-*/agent.*",)
        with (
            real_agent(desk.key, path=places[0] / "agent.1"),
            real_agent(desk.key, path=places[1] / "agent.2") as newer,
            real_agent(path=places[2] / "agent.3") as third,
        ):
            os.utime(newer.socket, (time.time() + 10,) * 2)
            assert desk.refused(sockets=sockets).reason == "no-agent", "a login that never had an agent gets none"
            desk.environ[agents.VARIABLE] = "/nonexistent/agent.1"
            assert desk.candidates(sockets=sockets)[0].path == newer.socket
            places[1].chmod(0o777)
            assert desk.candidates(sockets=sockets)[0].path != newer.socket, "where others could put a socket"
            third.add(other)
            desk.know(
                signer_line(JANE, desk.key.text, "Jane Doe", Role.OPERATOR),
                signer_line("bob@example.com", other.text, "Bob", Role.OPERATOR),
            )
            error = desk.refused(sockets=sockets)
            assert error.reason == "ambiguous-agent"
            assert "bob@example.com, jane@example.com" in str(error)
