"""Signatures with one fault each, made by the real ssh-keygen: each is refused, and for its own stated reason."""

import base64
import datetime as dt
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import pytest

from opsconsole.contracts.signer import SignatureRefused
from opsconsole.model.events import Meaning, Signature
from opsconsole.model.people import Role
from opsconsole.model.record import record_bytes
from opsconsole.model.tiers import Tier
from opsconsole.signing.keys import PublicKey
from opsconsole.signing.sshsig import armored
from opsconsole.signing.verifying import OpenSshVerifier
from opsconsole.signing.wire import Reader, packed
from support.needs import missing
from support.ssh import Key, certified, fake_keygen, make_key, ran, security_key, signed, signer_line, until

NOW = dt.datetime(2026, 11, 21, 14, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
RUN = Role.OPERATOR.namespace
JANE = "jane@example.com"
EVENTS = (b'{"id":"1","run":"qbr@2026-11-21"}', b'{"id":"2","run":"qbr@2026-11-21"}')
STATEMENT = b'{"run":"qbr@2026-11-21","result":"PASS","signed_at":"2026-11-21T14:00:00Z"}'
PAYLOAD = record_bytes(EVENTS, STATEMENT)
OTHER_PAYLOAD = PAYLOAD.replace(b"2026-11-21", b"2026-11-20")


@dataclass(frozen=True)
class Claim:
    """A signature as a record presents it, and what it is checked with."""

    signature: Signature
    verifier: OpenSshVerifier
    payload: bytes = PAYLOAD
    meaning: Meaning = Meaning.PERFORMED
    at: dt.datetime = NOW

    def check(self) -> str:
        """Return the reason for which it is refused, empty where it holds."""
        try:
            self.verifier.check(self.payload, self.signature, self.meaning, self.at)
        except SignatureRefused as refused:
            return refused.reason if str(refused) else "no message"
        return ""

    def with_(self, **changes: object) -> "Claim":
        """Return it with parts of its signature changed."""
        return replace(self, signature=msgspec.structs.replace(self.signature, **changes))


@dataclass(frozen=True)
class World:
    """People, their keys, and what they signed."""

    directory: Path
    jane: Key
    bob: Key
    gone: Key
    soon: Key
    stranger: Key
    revoked: Key
    device: PublicKey
    good: Claim
    touched: Claim
    untouched: Claim

    def claim(self, key: Key, principal: str, *, namespace: str = RUN, payload: bytes = PAYLOAD) -> Claim:
        """Return a signature by a key, presented as a person's."""
        signature = Signature(Tier.SIGNED, principal, key.fingerprint, signed(key.path, namespace, payload))
        return replace(self.good, signature=signature)

    def people(self) -> str:
        """Return the file of people as it is."""
        return self.good.verifier.path.read_text(encoding="utf-8")

    def elsewhere(self, tmp_path: Path, people: str | None = None, revoked: bytes | None = None) -> OpenSshVerifier:
        """Return a verifier with files of its own."""
        path = tmp_path / "allowed_signers"
        path.write_text(self.people() if people is None else people, encoding="utf-8")
        path.chmod(0o644)
        list_path = None
        if revoked is not None:
            list_path = tmp_path / "revoked_keys"
            list_path.write_bytes(revoked)
            list_path.chmod(0o644)
        return OpenSshVerifier(path, list_path)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """People with real keys, and one with a (pretended) security key."""
    directory = tmp_path_factory.mktemp("signers")
    names = ("jane", "bob", "gone", "soon", "stranger", "revoked")
    keys = {name: make_key(directory / name, "ecdsa" if name == "bob" else "ed25519") for name in names}
    with security_key(directory) as (device, agent):
        (directory / "device.pub").write_text(device.public.text)
        lines = (
            "# who signs\n\n",
            signer_line(JANE, keys["jane"].text, "Jane Doe", Role.OPERATOR, Role.APPROVER),
            signer_line("bob@example.com", keys["bob"].text, "Bob", Role.OPERATOR),
            signer_line("gone", keys["gone"].text, "Gone", Role.OPERATOR, before=NOW - DAY),
            signer_line("soon", keys["soon"].text, "Soon", Role.OPERATOR, after=NOW + DAY),
            signer_line("lost", keys["revoked"].text, "Lost", Role.OPERATOR),
            signer_line("hal", device.public.text, "Hal", Role.OPERATOR),
        )
        people = directory / "allowed_signers"
        people.write_text("".join(lines), encoding="utf-8")
        verifier = OpenSshVerifier(people)
        by_jane = signed(keys["jane"].path, RUN, PAYLOAD)
        good = Claim(Signature(Tier.SIGNED, JANE, keys["jane"].fingerprint, by_jane), verifier)
        by_touch = signed(directory / "device.pub", RUN, PAYLOAD, agent=agent)
        device.touched = False
        without = signed(directory / "device.pub", RUN, PAYLOAD, agent=agent)
        touched = Claim(Signature(Tier.HARDWARE, "hal", device.public.fingerprint, by_touch), verifier)
        yield World(
            directory=directory,
            device=device.public,
            good=good,
            touched=touched,
            untouched=touched.with_(tier=Tier.SIGNED, armored=without),
            **keys,
        )


# --- what holds ------------------------------------------------------------------------------------


def test_what_nobody_touched_holds(world: World) -> None:
    """The table below proves something only if the same signatures hold where nothing is wrong with them."""
    assert world.good.check() == ""
    assert world.claim(world.bob, "bob@example.com").check() == ""
    assert world.touched.check() == ""
    assert world.untouched.check() == ""
    assert replace(world.claim(world.gone, "gone"), at=NOW - 2 * DAY).check() == "", "retired keys stay good"


def test_who_it_was(world: World) -> None:
    """The answer is the person, as their line in the file tells."""
    person = world.good.verifier.check(PAYLOAD, world.good.signature, Meaning.AMENDED, NOW)
    assert (person.name, person.principal, person.line) == ("Jane Doe", JANE, 3)


# --- the table -------------------------------------------------------------------------------------


def blob_of(claim: Claim) -> bytearray:
    """Return the bytes in the armor."""
    return bytearray(base64.b64decode("".join(claim.signature.armored.splitlines()[1:-1])))


def rearmored(claim: Claim, blob: bytes | bytearray) -> Claim:
    """Put other bytes into the armor."""
    return claim.with_(armored=armored(bytes(blob)))


def flipped(claim: Claim, at: int) -> Claim:
    """Flip one bit of the bytes in the armor."""
    blob = blob_of(claim)
    blob[at] ^= 0x01
    return rearmored(claim, blob)


def rebuilt(
    claim: Claim, *, version: int = 1, reserved: bytes = b"", algorithm: bytes = b"", more: bytes = b""
) -> Claim:
    """Build a signature anew of the same parts but for one."""
    reader = Reader(bytes(blob_of(claim)))
    reader.take(10)
    key, namespace, _, hashed, signature = (reader.string() for _ in range(5))
    parts = (key, namespace, reserved, algorithm or hashed, signature)
    return rearmored(claim, b"SSHSIG" + struct.pack(">I", version) + b"".join(map(packed, parts)) + more)


def flags(claim: Claim, value: int) -> Claim:
    """Set the flags of a security key's signature, which are followed by its counter."""
    blob = blob_of(claim)
    blob[-5] = value
    return rearmored(claim, blob)


def lines_changed(claim: Claim, change: Callable[[list[str]], list[str]]) -> Claim:
    """Change lines of the armor."""
    return claim.with_(armored="".join(f"{line}\n" for line in change(claim.signature.armored.splitlines())))


def padding_bits(claim: Claim) -> Claim:
    """Change bits of the last base64 character that no decoder looks at."""
    lines = claim.signature.armored.splitlines()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = lines[-2]
    assert body.endswith("="), "this signature's length leaves bits over"
    last = len(body.rstrip("=")) - 1
    changed = alphabet[alphabet.index(body[last]) ^ 0x01]
    return lines_changed(claim, lambda each: [*each[:-2], body[:last] + changed + body[last + 1 :], each[-1]])


CASES: dict[str, tuple[str, Callable[[World], Claim]]] = {
    # whose it is
    "another person's key, presented as Jane's": (
        "misattributed",
        lambda w: w.claim(w.bob, JANE).with_(fingerprint=w.jane.fingerprint),
    ),
    "another person's key and fingerprint": ("misattributed", lambda w: w.claim(w.bob, JANE)),
    "principal swapped": ("misattributed", lambda w: w.good.with_(principal="bob@example.com")),
    "principal removed": ("misattributed", lambda w: w.good.with_(principal="")),
    "fingerprint swapped": ("misattributed", lambda w: w.good.with_(fingerprint=w.bob.fingerprint)),
    "a stranger's key": ("unknown-key", lambda w: w.claim(w.stranger, JANE)),
    # what it is for
    "made for git": ("wrong-namespace", lambda w: w.claim(w.jane, JANE, namespace="git")),
    "an approval presented as a sign-off": (
        "wrong-namespace",
        lambda w: w.claim(w.jane, JANE, namespace=Role.APPROVER.namespace),
    ),
    "a sign-off presented as an approval": ("wrong-namespace", lambda w: replace(w.good, meaning=Meaning.APPROVED)),
    "a role that the person does not have": (
        "wrong-role",
        lambda w: replace(
            w.claim(w.bob, "bob@example.com", namespace=Role.APPROVER.namespace), meaning=Meaning.APPROVED
        ),
    ),
    # what it is over
    "another run's record": ("altered", lambda w: replace(w.good, payload=OTHER_PAYLOAD)),
    "a bit flipped in the record": (
        "altered",
        lambda w: replace(w.good, payload=bytes([PAYLOAD[0] ^ 0x01]) + PAYLOAD[1:]),
    ),
    "the record cut off": ("altered", lambda w: replace(w.good, payload=PAYLOAD[:-1])),
    "a line feed added": ("altered", lambda w: replace(w.good, payload=PAYLOAD + b"\n")),
    "two events swapped": (
        "altered",
        lambda w: replace(w.good, payload=record_bytes(EVENTS[::-1], STATEMENT)),
    ),
    "an event removed": ("altered", lambda w: replace(w.good, payload=record_bytes(EVENTS[:1], STATEMENT))),
    "the statement swapped": (
        "altered",
        lambda w: replace(w.good, payload=record_bytes(EVENTS, STATEMENT.replace(b"PASS", b"FAIL"))),
    ),
    "nothing at all": ("altered", lambda w: replace(w.good, payload=b"")),
    # the signature itself
    "a bit flipped in the signature": ("altered", lambda w: flipped(w.good, -1)),
    "a bit flipped in its key": ("misattributed", lambda w: flipped(w.good, 40)),
    "a bit flipped in its namespace": ("wrong-namespace", lambda w: flipped(w.good, 70)),
    "a bit flipped in its magic": ("malformed", lambda w: flipped(w.good, 0)),
    "a bit flipped in a length": ("malformed", lambda w: flipped(w.good, 10)),
    "another hash named": ("altered", lambda w: rebuilt(w.good, algorithm=b"sha256")),
    "a hash that nobody knows": ("malformed", lambda w: rebuilt(w.good, algorithm=b"md5")),
    "another version": ("malformed", lambda w: rebuilt(w.good, version=2)),
    "something in the reserved part": ("malformed", lambda w: rebuilt(w.good, reserved=b"x")),
    "bytes after the end": ("malformed", lambda w: rebuilt(w.good, more=b"x")),
    "unused bits of base64": ("malformed", lambda w: padding_bits(w.good)),
    "armor cut off": ("malformed", lambda w: w.good.with_(armored=w.good.signature.armored[:-40])),
    "a line of the armor missing": ("malformed", lambda w: lines_changed(w.good, lambda each: each[:2] + each[3:])),
    "armor with a blank in it": ("malformed", lambda w: w.good.with_(armored=f" {w.good.signature.armored}")),
    "armor wrapped otherwise": (
        "malformed",
        lambda w: lines_changed(w.good, lambda each: [each[0], "".join(each[1:-1]), each[-1]]),
    ),
    "armor of another kind": (
        "malformed",
        lambda w: w.good.with_(armored=w.good.signature.armored.replace("SSH SIGNATURE", "PGP SIGNATURE")),
    ),
    "no armor": ("malformed", lambda w: w.good.with_(armored="")),
    "no key at all": ("unsigned", lambda w: w.good.with_(tier=Tier.ATTRIBUTED, armored="")),
    # when
    "after the key was retired": ("retired", lambda w: w.claim(w.gone, "gone")),
    "at the instant that it was retired": (
        "retired",
        lambda w: replace(w.claim(w.gone, "gone"), at=NOW - DAY),
    ),
    "before the key was valid": ("not-valid-yet", lambda w: w.claim(w.soon, "soon")),
    # how strongly
    "a plain key that claims to be hardware": ("weak-tier", lambda w: w.good.with_(tier=Tier.HARDWARE)),
    "a security key that was not touched": ("weak-tier", lambda w: w.untouched.with_(tier=Tier.HARDWARE)),
    "the touch stripped": ("weak-tier", lambda w: flags(w.touched, 0x00)),
    "the touch stripped, claiming less": ("altered", lambda w: flags(w.touched, 0x00).with_(tier=Tier.SIGNED)),
    "a touch added": ("altered", lambda w: flags(w.untouched, 0x01).with_(tier=Tier.HARDWARE)),
    "the counter changed": ("altered", lambda w: flipped(w.touched, -1)),
    "a tier that is too low": ("misattributed", lambda w: w.touched.with_(tier=Tier.SIGNED)),
}


@pytest.mark.parametrize("fault", CASES)
def test_each_fault_has_its_reason(world: World, fault: str) -> None:
    """What the verification prints says what is wrong, not only that something is."""
    reason, made = CASES[fault]
    assert made(world).check() == reason


def test_no_character_of_a_signature_can_be_changed(world: World) -> None:
    """Whatever is changed in a stored signature is noticed: every ninth character is, one after the other."""
    text = world.good.signature.armored
    for at in range(0, len(text), 9):
        changed = "B" if text[at] != "B" else "C"
        assert world.good.with_(armored=text[:at] + changed + text[at + 1 :]).check() != "", f"character {at}"


# --- the files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("valid", ["-1d:+1d", "-2d:-1d"])
def test_certificates_are_refused(world: World, tmp_path: Path, valid: str) -> None:
    """A certificate, expired or not, names its people itself: the file of people would have no say."""
    key = make_key(tmp_path / "key")
    authority = make_key(tmp_path / "authority")
    text = signed(certified(key, authority, valid=valid), RUN, PAYLOAD)
    claim = replace(world.good, signature=Signature(Tier.SIGNED, JANE, key.fingerprint, text))
    assert claim.check() == "certificate"


def writable_for_everybody(path: Path) -> None:
    """Let everybody write."""
    path.chmod(0o666)


def writable_for_a_group(path: Path) -> None:
    """Let a group with other people in it write."""
    if os.geteuid() == 0:
        os.chown(path, 0, 12345)
    path.chmod(0o664)


def in_a_writable_directory(path: Path) -> None:
    """Let everybody put another file in its place."""
    path.parent.chmod(0o777)


def owned_by_another(path: Path) -> None:
    """Give it to another account."""
    if os.geteuid() != 0:
        missing("NOT ROOT: only root can give a file away.")
    os.chown(path, 12345, 0)


@pytest.mark.parametrize(
    "harm", [writable_for_everybody, writable_for_a_group, in_a_writable_directory, owned_by_another]
)
@pytest.mark.parametrize("name", ["allowed_signers", "revoked_keys"])
def test_files_that_others_can_change_are_refused(
    world: World, tmp_path: Path, harm: Callable[[Path], None], name: str
) -> None:
    """ssh-keygen takes them; whoever can write there could make themselves anybody."""
    if harm is writable_for_a_group and os.geteuid() != 0:
        missing("NOT ROOT: an ordinary user's own group is nobody else's.")
    place = tmp_path / "etc"
    place.mkdir()
    verifier = world.elsewhere(place, revoked=b"")
    claim = replace(world.good, verifier=verifier)
    assert claim.check() == ""
    harm(place / name)
    with pytest.raises(SignatureRefused) as refused:
        claim.verifier.check(PAYLOAD, claim.signature, Meaning.PERFORMED, NOW)
    assert refused.value.reason == "untrusted-file"
    assert "chmod" in str(refused.value) or "chown" in str(refused.value)


def test_files_that_cannot_be_used(world: World, tmp_path: Path) -> None:
    """A file that is gone or broken refuses everybody, and says so: it never lets anything pass."""

    def reason(people: str | None = None, revoked: bytes | None = None) -> str:
        return replace(world.good, verifier=world.elsewhere(tmp_path, people, revoked)).check()

    assert reason("") == "unknown-key"
    assert replace(world.good, verifier=OpenSshVerifier(tmp_path / "none")).check() == "unknown-key"
    assert reason(world.people() + "nonsense\n") == "bad-file"
    doubled = signer_line("eve", world.jane.text, "Eve", Role.OPERATOR)
    assert reason(world.people() + doubled) == "bad-file", "the same key for two people"
    assert reason(world.people().replace(RUN, "git")) == "wrong-role", "the role taken away"
    assert reason(revoked=b"junk\n") == "bad-revocations"
    missing = OpenSshVerifier(world.good.verifier.path, tmp_path / "not-there")
    assert replace(world.good, verifier=missing).check() == "bad-revocations"
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o644)
    for name in ("directory", "pipe"):
        assert replace(world.good, verifier=OpenSshVerifier(tmp_path / name)).check() == "unreadable-file", name


def test_revoked_keys(world: World, tmp_path: Path) -> None:
    """A compromised key proves nothing, whenever it signed; a list of keys and OpenSSH's own format both do."""
    plain = f"# compromised\n{world.revoked.text} laptop stolen\n".encode()
    ran("ssh-keygen", "-k", "-f", tmp_path / "krl", world.revoked.public_path)
    for number, revoked in enumerate((plain, (tmp_path / "krl").read_bytes())):
        place = tmp_path / str(number)
        place.mkdir()
        verifier = world.elsewhere(place, revoked=revoked)
        lost = replace(world.claim(world.revoked, "lost"), verifier=verifier)
        assert lost.check() == "revoked"
        assert replace(lost, at=NOW - 1000 * DAY).check() == "revoked"
        assert replace(world.good, verifier=verifier).check() == "", "others are not concerned"
    damaged = world.elsewhere(tmp_path, revoked=(tmp_path / "krl").read_bytes()[:50])
    assert replace(world.good, verifier=damaged).check() == "bad-revocations"


def test_links_are_followed_with_suspicion(world: World, tmp_path: Path) -> None:
    """A link to a good file holds; one whose directory anybody can write to does not."""
    open_place = tmp_path / "open"
    open_place.mkdir()
    link = open_place / "allowed_signers"
    link.symlink_to(world.good.verifier.path)
    claim = replace(world.good, verifier=OpenSshVerifier(link))
    assert claim.check() == ""
    open_place.chmod(0o777)
    assert claim.check() == "untrusted-file"


def has_ended(pid: int) -> bool:
    """Return whether a process is gone, or only waits for its parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


# --- ssh-keygen ------------------------------------------------------------------------------------


def test_ssh_keygen_missing_old_or_hanging(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a working ssh-keygen nothing is taken for verified, and the message says what to install.

    The old and the hanging one are scripts in its place: this machine has a good one.
    """
    old = fake_keygen(tmp_path, 'echo "unknown option -- Y" >&2; exit 1')
    monkeypatch.setenv("PATH", old)
    assert world.good.check() == "old-ssh-keygen"
    fake_keygen(tmp_path, 'echo "Couldn\'t read signature file: No such file or directory" >&2; exit 255')
    assert world.good.check() == "blind-ssh-keygen", "what it says where /proc is not mounted"
    marker = tmp_path / "pid"
    fake_keygen(tmp_path, f'sleep 600 & echo $! > "{marker}"; wait')
    begun = time.monotonic()
    slow = OpenSshVerifier(world.good.verifier.path, timeout=0.5)
    assert replace(world.good, verifier=slow).check() == "timeout"
    assert time.monotonic() - begun < 20
    until(lambda: has_ended(int(marker.read_text())), "the end of what it had started")
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    monkeypatch.setattr("opsconsole.signing.keygen._PLACES", "")
    assert world.good.check() == "no-ssh-keygen"


def test_ssh_keygen_before_times_could_be_utc(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to OpenSSH 9.0, as in RHEL 9, a time with a Z is refused: none reaches ssh-keygen, whose zone is UTC.

    A script in front of this machine's ssh-keygen refuses them as the old one does, and sets nothing else.
    """
    refusal = (
        'for each; do case "$each" in /dev/fd/*) grep -q \'valid-[a-z]*="[0-9]*Z"\' "$each" && exit 1;; esac; done'
    )
    refusal += '\ncase "$*" in *verify-time=*Z*) exit 1;; esac'
    monkeypatch.setenv("PATH", fake_keygen(tmp_path, f'{refusal}\nexec {shutil.which("ssh-keygen")} "$@"'))
    monkeypatch.setenv("TZ", "America/Chicago")
    gone = world.claim(world.gone, "gone")
    assert replace(gone, at=NOW - DAY - dt.timedelta(seconds=1)).check() == ""
    assert gone.check() == "retired"
    assert "Z" in world.people().splitlines()[4]


def test_the_file_may_change_while_it_is_read(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh-keygen sees exactly the lines that were checked, whatever happens to the file in between."""
    verifier = world.elsewhere(tmp_path)
    program = shutil.which("ssh-keygen")
    stolen = signer_line(JANE, world.stranger.text, "Jane Doe", Role.OPERATOR)
    monkeypatch.setenv(
        "PATH", fake_keygen(tmp_path, f"printf '%s' '{stolen}' > {verifier.path}; exec {program} \"$@\"")
    )
    assert replace(world.good, verifier=verifier).check() == ""
    assert replace(world.good, verifier=verifier).check() == "unknown-key", "and the next one sees the new file"
