"""Signing the record of a QBR morning with a key file, and verifying it, against `ssh-keygen` by itself."""

import datetime as dt
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.comparing import COMPARED, Sample, compared, in_turns
from benchmarks.records import Pattern, patterns
from benchmarks.tables import Table
from benchmarks.workshop import Workshop
from opsconsole.model.events import Meaning, Statement
from opsconsole.model.people import Role
from opsconsole.model.record import record_bytes, statement_bytes, statement_document
from opsconsole.signing.ssh import SshSigner
from opsconsole.signing.verifying import OpenSshVerifier

HEAD = ("what", "against", *COMPARED)
PERSON = "operator@example.com"
NAMESPACE = Role.OPERATOR.namespace


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    place = workshop.directory / "keys"
    place.mkdir(mode=0o700)
    record = _record(patterns(workshop, "signing")["qbr-daily"], place)
    _keys(place)
    verifier = OpenSshVerifier(place / "allowed_signers")
    signer = SshSigner(verifier, key=place / "key", environ={}, home=place, sockets=())
    content = record.read_bytes()
    at = dt.datetime.now(dt.UTC)
    (candidate,) = signer.candidates(Meaning.PERFORMED, at)
    signature = signer.sign(content, Meaning.PERFORMED, candidate)
    sign, verify = partial(_sign, place, record), partial(_verify, place, record)
    sign()
    pairs: tuple[tuple[str, str, Callable[[], object], Callable[[], object]], ...] = (
        (
            "sign, and verify what was signed",
            "-Y sign, -Y verify",
            lambda: signer.sign(content, Meaning.PERFORMED, candidate),
            lambda: (sign(), verify()),
        ),
        ("verify", "-Y verify", lambda: verifier.check(content, signature, Meaning.PERFORMED, at), verify),
    )
    rows: list[tuple[str, ...]] = []
    for what, against, ours, theirs in pairs:
        mine, peers = in_turns([partial(_timed, ours), partial(_timed, theirs)], rounds)
        rows.append((what, against, *compared(mine, peers)))
    about = (
        f"{rounds} rounds in turns after 1 to warm up, within one process; a record of "
        f"{len(content) / 1024:.0f} KiB, an Ed25519 key in a file. CPU is that of the process without ssh-keygen's."
    )
    return Table("signing", HEAD, rows, about)


def _record(pattern: Pattern, place: Path) -> Path:
    """Write what is signed of a run; return where it is."""
    *events, sign_off = (each.document for each in pattern.links)
    told = msgspec.json.decode(statement_bytes(sign_off), type=Statement)
    statement = msgspec.structs.replace(told, principal=PERSON, signed_at=dt.datetime.now(dt.UTC))
    path = place / "record"
    path.write_bytes(record_bytes(events, statement_document(statement)))
    return path


def _keys(place: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / "key"], check=True)
    public = (place / "key.pub").read_text(encoding="ascii").split()[:2]
    signers = place / "allowed_signers"
    signers.write_text(f'{PERSON} namespaces="{NAMESPACE}" {" ".join(public)} name=Operator\n', encoding="ascii")
    signers.chmod(0o600)


def _sign(place: Path, record: Path) -> None:
    with record.open("rb") as content, (place / "record.sig").open("wb") as signature:
        argv = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", str(place / "key")]
        subprocess.run(argv, stdin=content, stdout=signature, stderr=subprocess.DEVNULL, check=True)


def _verify(place: Path, record: Path) -> None:
    argv = ["ssh-keygen", "-Y", "verify", "-f", str(place / "allowed_signers"), "-I", PERSON, "-n", NAMESPACE]
    with record.open("rb") as content:
        subprocess.run(
            [*argv, "-s", str(place / "record.sig")], stdin=content, stdout=subprocess.DEVNULL, check=True
        )


def _timed(work: Callable[[], object]) -> Sample:
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return Sample(time.perf_counter() - start, time.process_time() - cpu)
