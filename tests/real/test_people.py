"""`opsconsole people` as whoever keeps the people uses it."""

import datetime as dt
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opsconsole.model.people import Role
from opsconsole.signing.keys import PublicKey, key_of_text
from support.command import Installation, installed
from support.ssh import Key, make_key, ran, real_agent, signed, signer_line

JANE = ("jane@example.com", "--name", "Jane Doe", "--role", "operator")


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation in which keys can be revoked."""
    found = installed(tmp_path, '[people]\nrevoked_keys = "revoked_keys"\n')
    (found.directory / "revoked_keys").touch(0o644)
    return found


@pytest.fixture
def key(tmp_path: Path) -> Key:
    """A key."""
    return make_key(tmp_path / "jane")


def file_of(place: Installation) -> Path:
    """Return the file of people."""
    return place.config.parent / "allowed_signers"


def added(place: Installation, key: Key, *words: str) -> None:
    """Add a key, which has to work."""
    done = place.run("people", "add", *(words or JANE), "--key", str(key.public_path))
    assert done.code == 0, done.err


def listed(place: Installation, *words: str) -> list[dict[str, Any]]:
    """Return the people as the program lists them for machines."""
    document = json.loads(place.run("people", "list", "--format", "json", *words).out)
    assert document["schema"] == "opsconsole.people.v1"
    people: list[dict[str, Any]] = document["people"]
    return people


def test_add_and_verify(place: Installation, key: Key, tmp_path: Path) -> None:
    """Who was added can sign at once, by stock ssh-keygen; the file is for everybody to read and one to write."""
    added(place, key)
    assert stat.S_IMODE(file_of(place).stat().st_mode) == 0o644
    (tmp_path / "sig").write_text(signed(key.path, Role.OPERATOR.namespace, b"record"))
    words = (
        "-Y",
        "verify",
        "-f",
        file_of(place),
        "-I",
        JANE[0],
        "-n",
        Role.OPERATOR.namespace,
        "-s",
        tmp_path / "sig",
    )
    assert b"Good" in ran("ssh-keygen", *words, stdin=b"record")
    text = place.run("people", "list").out
    assert "Jane Doe" in text
    assert key.fingerprint in text
    (person,) = listed(place)
    assert (person["stands"], person["roles"], person["valid_before"]) == ("valid", ["operator"], None)


def test_add_from_the_agent(place: Installation, key: Key, tmp_path: Path) -> None:
    """The command that a refused sign-off names adds the key that is in the agent."""
    second = make_key(tmp_path / "second")
    with real_agent(key, second) as agent:
        env = place.environment(SSH_AUTH_SOCK=agent.socket)
        done = place.run("people", "add", *JANE, "--agent", env=env)
        assert done.code == 2
        assert key.fingerprint in done.err
        words = ("--agent", "--fingerprint", second.fingerprint)
        assert place.run("people", "add", *JANE, *words, env=env).code == 0
    assert [each["fingerprint"] for each in listed(place)] == [second.fingerprint]
    assert "no SSH agent" in place.run("people", "add", *JANE, "--agent").err


def test_retire_keeps_the_line(place: Installation, key: Key, tmp_path: Path) -> None:
    """A retired key stays in the file, so that what it signed before still verifies."""
    file_of(place).write_text("# our people\n\n")
    second = make_key(tmp_path / "second")
    added(place, key, *JANE, "--valid-from", "2020-01-01")
    added(place, second, *JANE, "--valid-from", "2020-01-01")
    before = file_of(place).read_text().splitlines()
    done = place.run("people", "retire", JANE[0], "--fingerprint", key.fingerprint, "--at", "2099-01-01")
    assert done.code == 0, done.err
    after = file_of(place).read_text().splitlines()
    assert after[:2] == ["# our people", ""]
    assert after[2] == before[2].replace(" ssh-ed25519", ',valid-before="20990101000000Z" ssh-ed25519')
    assert after[3] == before[3]
    assert place.run("people", "retire", JANE[0]).code == 0
    assert listed(place) == []
    assert [each["stands"] for each in listed(place, "--all")] == ["retired", "retired"]
    done = place.run("people", "retire", JANE[0])
    assert (done.code, "retired already" in done.err) == (2, True)
    added(place, key, *JANE[:3], "--role", "reviewer")
    assert [each["roles"] for each in listed(place)] == [["reviewer"]], "the same key, in another role from now on"


def test_retire_before_it_began(place: Installation, key: Key, tmp_path: Path) -> None:
    """A key that was to be valid later never is; one that was added this very second ends with it."""
    later = make_key(tmp_path / "later")
    added(place, key)
    added(place, later, *JANE, "--valid-from", "2099-01-01")
    assert [each["stands"] for each in listed(place)] == ["valid", "not yet"]
    done = place.run("people", "retire", JANE[0])
    assert (done.code, done.err.count("may sign until")) == (0, 2)
    assert "# retired before it was valid: jane@example.com" in file_of(place).read_text()
    assert [each["fingerprint"] for each in listed(place, "--all")] == [key.fingerprint]


def test_revoke(place: Installation, key: Key, tmp_path: Path) -> None:
    """A revoked key is told from a retired one, and cannot be added again."""
    added(place, key)
    assert place.run("people", "revoke", JANE[0], "--fingerprint", key.fingerprint).code == 0
    assert [each["stands"] for each in listed(place, "--all")] == ["revoked"]
    (tmp_path / "sig").write_text(signed(key.path, Role.OPERATOR.namespace, b"record"))
    arguments = ["-Y", "verify", "-f", str(file_of(place)), "-I", JANE[0], "-n", Role.OPERATOR.namespace]
    arguments += ["-s", str(tmp_path / "sig"), "-r", str(place.directory / "revoked_keys")]
    verified = subprocess.run(["ssh-keygen", *arguments], input=b"record", capture_output=True, check=False)
    assert verified.returncode != 0, "stock ssh-keygen reads the list too"
    done = place.run("people", "retire", JANE[0])
    assert done.code == 0
    again = place.run("people", "add", *JANE, "--key", str(key.public_path), "--valid-from", "2099-01-01")
    assert (again.code, "was revoked" in again.err) == (2, True)


def weak_rsa(directory: Path) -> Key:
    """Return an RSA key that is too short."""
    return make_key(directory / "weak", "rsa", bits=2048)


def test_what_is_not_added(place: Installation, key: Key, tmp_path: Path) -> None:
    """Nothing is written where it would make somebody ambiguous, weak or public; the message says why."""
    added(place, key)
    before = file_of(place).read_bytes()
    other = make_key(tmp_path / "other")
    bob = ("bob", "--name", "Bob", "--role", "operator")
    refused = {
        (*bob, "--key", str(key.public_path)): "who signed with it?",
        (*bob, "--key", str(other.path)): "this is a private key",
        (*bob, "--key", str(weak_rsa(tmp_path).public_path)): "too weak",
        (*bob, "--key", str(tmp_path / "none.pub")): "No such file",
        (*bob, "--key", str(place.config)): "no public key",
        (*JANE, "--key", str(key.public_path)): "people retire",
        (JANE[0], "--name", "Eve", "--role", "operator", "--key", str(other.public_path)): "one person for ever",
        ("JANE@example.com", *JANE[1:], "--key", str(other.public_path)): "differ in case only",
        ("*", *JANE[1:], "--key", str(other.public_path)): "is a pattern",
        (
            "bob",
            "--name",
            "Bob\x1b[31m",
            "--role",
            "operator",
            "--key",
            str(other.public_path),
        ): "cannot be printed",
        (*bob,): "--key FILE.pub, or --agent",
        (*bob, "--key", str(other.public_path), "--valid-until", "2020-01-01"): "never be valid",
        (*bob, "--key", str(other.public_path), "--valid-until", "2099-01-01T12:00"): "another instant",
        (*bob, "--key", str(other.public_path), "--valid-until", "tomorrow"): "is no time",
        ("bob", "--name", "Bob", "--role", "king", "--key", str(other.public_path)): "king",
    }
    for words, said in refused.items():
        done = place.run("people", "add", *words)
        assert done.code == 2, words
        assert said in done.err, done.err
        assert "Traceback" not in done.err
    for words, said in {
        ("retire", "eve"): "nobody is called",
        ("revoke", JANE[0], "--fingerprint", "x"): "no key x",
    }.items():
        done = place.run("people", *words)
        assert (done.code, said in done.err) == (2, True), done.err
    assert file_of(place).read_bytes() == before
    assert [each.name for each in file_of(place).parent.iterdir() if each.name.startswith(".allowed")] == []


def test_a_file_that_cannot_be_trusted_or_read_is_left_alone(place: Installation, key: Key) -> None:
    """A file that others can change is no ground to build on, and one with a mistake in it is mended first."""
    added(place, key)
    path = file_of(place)
    for harm, said in ((lambda: path.chmod(0o666), "chmod"), (lambda: path.write_text("nonsense\n"), "line 1")):
        harm()
        before = path.read_bytes()
        for words in (("add", *JANE, "--key", str(key.public_path)), ("retire", JANE[0]), ("list",)):
            done = place.run("people", *words)
            assert done.code == 2
            assert said in done.err
        assert path.read_bytes() == before
        path.chmod(0o644)


def test_hand_written_lines_stay(place: Installation, key: Key, tmp_path: Path) -> None:
    """Comments, blank lines, a missing last line feed and lines of other programs survive every change."""
    other = make_key(tmp_path / "other")
    mine = "# kept by hand\r\n\n\t# and this\n"
    mine += signer_line("git-only", other.text, "Git", namespaces="git").removesuffix("\n")
    file_of(place).write_bytes(mine.encode())
    added(place, key)
    assert place.run("people", "retire", JANE[0]).code == 0
    assert file_of(place).read_bytes().startswith(f"{mine}\n".encode())


def test_two_at_once_lose_nothing(place: Installation, tmp_path: Path) -> None:
    """Eight people are added at the same moment by eight processes; all of them are there afterwards."""
    keys = [make_key(tmp_path / f"key-{number}") for number in range(8)]
    add = ("people", "add", "--role", "operator")
    processes = [
        subprocess.Popen(
            place.arguments(*add, f"p{number}", "--name", f"Person {number}", "--key", str(each.public_path)),
            env=place.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for number, each in enumerate(keys)
    ]
    assert [each.wait(60) for each in processes] == [0] * 8
    assert {each["principal"] for each in listed(place)} == {f"p{number}" for number in range(8)}


def test_time_of_validity(place: Installation, key: Key) -> None:
    """A new key may sign from the moment that it was added, unless another is named: never before."""
    begun = dt.datetime.now(dt.UTC).replace(microsecond=0)
    added(place, key, *JANE, "--valid-until", "2099-06-30T18:00-06:00")
    (person,) = listed(place)
    assert begun <= dt.datetime.fromisoformat(person["valid_after"]) <= dt.datetime.now(dt.UTC)
    assert person["valid_before"] == "2099-07-01T00:00:00Z"


def test_keys_of_every_kind_are_what_ssh_keygen_says(tmp_path: Path) -> None:
    """Type and fingerprint are those that ssh-keygen prints."""
    for kind, bits in (("ed25519", 0), ("ecdsa", 384), ("rsa", 3072)):
        key = make_key(tmp_path / kind, kind, bits=bits)
        public: PublicKey = key_of_text(key.public_path.read_text())[0]
        assert public.fingerprint in ran("ssh-keygen", "-l", "-f", key.public_path).decode()
        assert public.weakness is None


def test_nobody_yet(place: Installation) -> None:
    """An empty list says how to begin."""
    done = place.run("people", "list")
    assert (done.code, done.out, "people add" in done.err) == (0, "", True)


def test_it_works_without_a_configuration_directory(tmp_path: Path, key: Key) -> None:
    """The first person may be added before anything else is configured."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    words = ["people", "add", *JANE, "--key", str(key.public_path)]
    done = subprocess.run(
        [sys.executable, "-m", "opsconsole", *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / ".config/opsconsole/allowed_signers").exists()
