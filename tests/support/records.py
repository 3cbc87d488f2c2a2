"""Runs in a real store, signed with real SSH keys by the stock `ssh-keygen`, and what an auditor has."""

import datetime as dt
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from opsconsole.contracts.signer import Verifier
from opsconsole.contracts.store import Store
from opsconsole.model.events import (
    Actor,
    Amended,
    Amendment,
    AmendmentKind,
    Body,
    Event,
    Meaning,
    Signature,
    Signed,
    Stored,
    Ticked,
)
from opsconsole.model.outcomes import Outcome
from opsconsole.model.people import Person, Role, role_for
from opsconsole.model.record import record_bytes, statement_document
from opsconsole.model.runs import RunState, fold
from opsconsole.model.signoff import statement_of
from opsconsole.model.tiers import Tier
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.records import write_record
from support.events import event, measurement, note, opening
from support.runs import MORNING, OPERATOR

SECONDS = 30.0
"""After which a command that was to end has hung."""


@dataclass(frozen=True)
class Key:
    """One person's key, made for a test."""

    path: Path
    principal: str
    name: str

    @property
    def public(self) -> str:
        """Type and base64."""
        return " ".join(self.path.with_suffix(".pub").read_text().split()[:2])

    @property
    def fingerprint(self) -> str:
        """As ssh-keygen prints it."""
        done = subprocess.run(
            ["ssh-keygen", "-lf", self.path.with_suffix(".pub")],
            check=True,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        return done.stdout.split()[1]

    def line(self, *options: str) -> str:
        """Return its line of an allowed-signers file, for every role unless `options` say something else."""
        every = 'namespaces="' + ",".join(each.namespace for each in Role) + '"'
        principal = f'"{self.principal}"' if " " in self.principal else self.principal
        return f"{principal} {','.join(options or (every,))} {self.public} {self.name}\n"

    def sign(self, payload: bytes, namespace: str) -> str:
        """Return the SSHSIG block of `payload`."""
        done = subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-f", self.path, "-n", namespace],
            input=payload,
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )
        return done.stdout.decode()


def make_key(directory: Path, principal: str, name: str) -> Key:
    """Make a key without a passphrase."""
    path = directory / f"key-{len(list(directory.glob('key-*')))}"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path], check=True, timeout=SECONDS
    )
    return Key(path, principal, name)


class FileVerifier:
    """Knows the lines of one allowed-signers file, and takes every signature; checking is left to the auditor."""

    def __init__(self, *lines: str) -> None:
        self.lines = list(lines)

    def people(self) -> list[Person]:
        """Return nobody: who may sign is not asked here."""
        return []

    def check(self, _payload: bytes, _signature: Signature, _meaning: Meaning, _at: dt.datetime, /) -> Person:
        """Return somebody."""
        return Person(principal="", name="", roles=(), fingerprint="", key_type="", public_key="")

    def allowed_signers(self, principals: list[str]) -> bytes:
        """Return the lines of these people."""
        named = (line for line in self.lines if line.removeprefix('"').startswith(tuple(principals)))
        return "".join(named).encode()


class Book:
    """A store with runs in it, whose clock goes on by a minute with every event."""

    def __init__(self, directory: Path) -> None:
        self.store: Store = SqliteStore(directory / "records.db")
        self.clock = MORNING

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    def add(self, run: str, *bodies: Body, actor: Actor = OPERATOR) -> Stored:
        """Append to a run; return its last event."""
        for body in bodies:
            self.clock += dt.timedelta(minutes=1)
            (stored,) = self.store.append([event(body, run, at=self.clock, actor=actor)])
        return stored

    def opened(self, date: dt.date) -> str:
        """Open the run of a day, measure in it and tick; return its name."""
        first = opening(date)
        self.store.append([first])
        self._put(measurement(first.run))
        self._put(measurement(first.run, rows=3, outcome=Outcome.FAIL))
        self._put(note("both look fine\x1b[31m", first.run, item="collectors"))
        self.add(first.run, Ticked("look"))
        return first.run

    def _put(self, made: Event) -> None:
        self.store.append([made])

    def state(self, run: str) -> RunState:
        """Return the fold of a run."""
        state = fold(self.store.events(run))
        assert state is not None
        return state

    def sign(
        self,
        run: str,
        key: Key | None,
        meaning: Meaning = Meaning.PERFORMED,
        amendment: Amendment | None = None,
        tier: Tier = Tier.SIGNED,
        actor: Actor = OPERATOR,
    ) -> Stored:
        """Sign a run with a key, or as the login alone."""
        self.clock += dt.timedelta(minutes=1)
        state = self.state(run)
        person = None
        if key is not None:
            person = Person(
                principal=key.principal,
                name=key.name,
                roles=tuple(Role),
                fingerprint=key.fingerprint,
                key_type="ssh-ed25519",
                public_key=key.public,
            )
        statement = statement_of(
            state,
            actor,
            store_id=self.store.store_id,
            signed_at=self.clock,
            meaning=meaning,
            signatory=person,
            amendment=amendment,
        )
        signature = Signature(tier)
        if key is not None:
            documents = [each.document for each in self.store.links(run)]
            payload = record_bytes(documents, statement_document(statement))
            armored = key.sign(payload, role_for(meaning).namespace)
            signature = Signature(tier, key.principal, key.fingerprint, armored)
        kind = Amended if meaning is Meaning.AMENDED else Signed
        return self.add(run, kind(statement=statement, signature=signature), actor=actor)

    def amend(self, run: str, key: Key, reason: str, *, item: str = "collectors") -> Stored:
        """Find an item failed after all."""
        amendment = Amendment(kind=AmendmentKind.FAILED, reason=reason, item=item)
        return self.sign(run, key, Meaning.AMENDED, amendment)

    def write(self, run: str, target: Path, verifier: Verifier | None, *, force: bool = False) -> Path:
        """Write the record of a run."""
        return write_record(self.store, run, target, monitoring=lambda _: None, verifier=verifier, force=force)


# --- the auditor ------------------------------------------------------------------------------------


def commands_of(readme: str) -> list[str]:
    """Return the verifying commands that a README gives: its indented lines under 'How to verify it'."""
    section = readme.partition("How to verify it\n")[2].partition("What that rests on\n")[0]
    return [line.strip() for line in section.splitlines() if line.startswith("    ")]


@dataclass(frozen=True)
class Answer:
    """How a command of the auditor ended, and what it said."""

    code: int
    said: str


class Auditor:
    """Has `sh`, `ssh-keygen` and `sha256sum`, and nothing else: as root a chroot with just these, as another user.

    An ordinary user gets an empty environment on the same machine.
    """

    def __init__(self, directory: Path) -> None:
        self.root = directory / "bare"
        self.confined = os.geteuid() == 0
        self.place = self.root / "record"
        (self.root / "etc").mkdir(parents=True)
        (self.root / "etc/passwd").write_text("auditor:x:65534:65534::/nonexistent:/bin/sh\n")
        (self.root / "dev").mkdir()
        (self.root / "dev/null").touch()
        (self.root / "dev/null").chmod(0o666)
        if self.confined:
            for name in ("sh", "ssh-keygen", "sha256sum"):
                self._install(name)

    def _install(self, name: str) -> None:
        found = shutil.which(name)
        assert found is not None
        listed = subprocess.run(["ldd", found], check=True, capture_output=True, text=True, timeout=SECONDS)
        libraries = [word for word in listed.stdout.split() if word.startswith("/")]
        for source in (found, *libraries):
            kept = self.root / ("bin/" + name if source == found else source[1:])
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, kept)

    def receive(self, record: Path) -> Path:
        """Take a copy of a record, and return where it is."""
        shutil.rmtree(self.place, ignore_errors=True)
        shutil.copytree(record, self.place)
        self.give(self.place)
        return self.place

    def give(self, path: Path) -> None:
        """Make a file or a directory in it the auditor's own."""
        if self.confined:
            for each in (path, *path.rglob("*")):
                os.chown(each, 65534, 65534)

    def run(self, command: str) -> Answer:
        """Run a line in a shell, in the record's directory."""
        argv = ["env", "-i", "PATH=/usr/bin:/bin", "HOME=/nonexistent", "sh", "-c", command]
        where = self.place
        if self.confined:
            confined = ["chroot", "--userspec=65534:65534", str(self.root), "/bin/sh", "-c"]
            argv = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/bin", *confined, f"PATH=/bin; cd /record; {command}"]
        done = subprocess.run(
            argv, cwd=where, capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS
        )
        return Answer(done.returncode, done.stdout + done.stderr)

    def verifies(self, commands: list[str]) -> bool:
        """Return whether every command ends well."""
        return all(self.run(each).code == 0 for each in commands)
