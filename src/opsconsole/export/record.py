"""The record of a run on its own: everything that was signed, in files that stock tools verify years later.

    README              what it is, who signed what, and the commands that verify it
    NN-MEANING.record   the exact bytes that a signature is over (model/record.py), one file for each signature
    NN-MEANING.record.sig   the signature, SSHSIG
    allowed_signers     whose keys those are: lines of the allowed-signers file as they stand there
    events.jsonl        every event of the run as it is stored, one a line
    chain.txt           seq, hash before and hash of each of those lines
    evidence/SHA256     each evidence text, named by the hash that the events hold
    record.md, record.json   the same to read, and for programs
    SHA256SUMS, SHA256SUMS.sha256   the hash of every file, and of that list

The same events give the same files, whenever and wherever they are written. See docs/records.md.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

import msgspec

from opsconsole.contracts.exporter import Report
from opsconsole.contracts.signer import SignatureRefused, SigningError, Verifier
from opsconsole.contracts.store import Link
from opsconsole.export.bundles import Bundle
from opsconsole.export.facts import principal_of
from opsconsole.export.json import JsonExporter
from opsconsole.export.markdown import MarkdownExporter
from opsconsole.export.record_readme import Gone, RecordSignature, readme
from opsconsole.model.encoding import decoded
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import Event, Measured, Statement
from opsconsole.model.record import record_bytes, sha256_of, statement_bytes
from opsconsole.model.runs import SignOff

README = "README"
SUMS = "SHA256SUMS"
SUM_OF_SUMS = "SHA256SUMS.sha256"
EVENTS = "events.jsonl"
CHAIN = "chain.txt"
ALLOWED_SIGNERS = "allowed_signers"
EVIDENCE = "evidence/"

_OURS = re.compile(
    r"README|SHA256SUMS(\.sha256)?|events\.jsonl|chain\.txt|allowed_signers|record\.(md|json)"
    r"|\d{2,}-[a-z]+\.record(\.sig)?|evidence/[0-9a-f]{64}"
)
_SIGNED = re.compile(r"\d{2,}-[a-z]+\.record(\.sig)?")


class RecordBroken(OpsconsoleError):
    """What the store holds does not fit together, so no record can be made of it that would verify."""

    title = "the record is broken"


def record_bundle(report: Report, links: Sequence[Link], verifier: Verifier | None) -> Bundle:
    """Return the files of a run's record by their names.

    `links` are all events of the run with their evidence, `report` its state with the run's own last event as head
    and no time of export, `verifier` what knows the allowed signers, where any are configured. Raises RecordBroken.
    """
    for each in links:
        _refuse_unlinked(each)
    texts, gone = _evidence(links)
    records = [(sign_off, _record_of(sign_off, links)) for sign_off in report.state.signatures]
    lines = _allowed_signers([sign_off for sign_off, _ in records], verifier)
    signatures = []
    bundle: dict[str, bytes] = {}
    for number, (sign_off, record) in enumerate(records, 1):
        signature = RecordSignature(
            name=f"{number:02}-{sign_off.body.statement.meaning}",
            sign_off=sign_off,
            listed=principal_of(sign_off) in lines,
            verdict=_verdict(sign_off, record, verifier),
        )
        signatures.append(signature)
        bundle[signature.file] = record
        if sign_off.body.signature.armored:
            bundle[f"{signature.file}.sig"] = sign_off.body.signature.armored.encode()
    if any(lines.values()):
        bundle[ALLOWED_SIGNERS] = _joined(lines.values())
    bundle[EVENTS] = b"".join(each.document + b"\n" for each in links)
    bundle[CHAIN] = "".join(f"{each.seq} {each.prev} {each.hash}\n" for each in links).encode()
    bundle |= {f"{EVIDENCE}{name}": text.encode() for name, text in texts.items()}
    bundle["record.md"] = MarkdownExporter().render(report).encode()
    bundle["record.json"] = JsonExporter().render(report).encode()
    bundle[README] = readme(report, signatures, len(texts), gone).encode()
    bundle[SUMS] = _sums(bundle)
    bundle[SUM_OF_SUMS] = _sums({SUMS: bundle[SUMS]})
    return dict(sorted(bundle.items()))


def has_grown(before: Bundle, after: Bundle) -> bool:
    """Return whether a record is an earlier one with more in it: a later signature, say, and nothing gone."""
    kept = [name for name in before if _SIGNED.fullmatch(name) or name.startswith(EVIDENCE)]
    return (
        is_record(before)
        and after[EVENTS].startswith(before[EVENTS])
        and all(after.get(name) == before[name] for name in kept)
    )


def is_record(bundle: Bundle) -> bool:
    """Return whether files are those of some record, and nothing else is among them."""
    return {README, EVENTS, CHAIN, SUMS} <= bundle.keys() and all(map(_OURS.fullmatch, bundle))


# --- events and evidence ----------------------------------------------------------------------------


def _refuse_unlinked(link: Link) -> None:
    """Refuse an event whose bytes do not give its hash: hash(n) = SHA-256(hash(n-1) || document(n))."""
    if hashlib.sha256(link.prev.encode() + link.document).hexdigest() != link.hash:
        raise RecordBroken(f"event {link.seq} was changed after it was stored", "opsconsole verify --all")


def _evidence(links: Sequence[Link]) -> tuple[dict[str, str], list[Gone]]:
    """Return the evidence texts by their hashes, and those that were removed."""
    texts: dict[str, str] = {}
    gone = []
    for link in links:
        body = decoded(link.document, Event).body
        reading = body.reading if isinstance(body, Measured) else None
        if reading is None or not isinstance(body, Measured):
            continue
        held = [*link.evidence, *[None] * len(reading.evidence)]
        for evidence, text in zip(reading.evidence, held, strict=False):
            if text is None:
                gone.append(Gone(link.seq, body.item, evidence.title, evidence.sha256))
            elif sha256_of(text) != evidence.sha256:
                raise RecordBroken(f"the evidence of event {link.seq} was changed", "opsconsole verify --all")
            else:
                texts[evidence.sha256] = text
    return texts, gone


def _record_of(sign_off: SignOff, links: Sequence[Link]) -> bytes:
    """Return what a signature is over: the exact events before it, and its exact statement."""
    statement = sign_off.body.statement
    try:
        own = next(each for each in links if each.seq == sign_off.seq)
        exact = statement_bytes(own.document)
        same = decoded(exact, Statement) == statement
    except (StopIteration, msgspec.MsgspecError, ValueError) as error:
        raise RecordBroken(f"event {sign_off.seq} holds no statement that could be read") from error
    if not same:
        raise RecordBroken(f"event {sign_off.seq} has changed while it was read; try again")
    return record_bytes((each.document for each in links if each.seq <= statement.head_seq), exact)


# --- signatures -------------------------------------------------------------------------------------


def _allowed_signers(sign_offs: Sequence[SignOff], verifier: Verifier | None) -> dict[str, bytes]:
    """Return the lines of each signer who has any, by principal."""
    keyed = [principal_of(each) for each in sign_offs if each.body.signature.armored]
    found: dict[str, bytes] = {}
    for principal in dict.fromkeys(filter(None, keyed)):
        try:
            lines = verifier.allowed_signers([principal]) if verifier is not None else b""
        except SigningError:
            lines = b""
        if lines:
            found[principal] = lines
    return found


def _joined(lines: Iterable[bytes]) -> bytes:
    """Return every line once: two people may stand in one line."""
    every = (line for each in lines for line in each.splitlines())
    return b"".join(line + b"\n" for line in dict.fromkeys(every))


def _verdict(sign_off: SignOff, record: bytes, verifier: Verifier | None) -> str:
    """Return what this host makes of a signature now, in a sentence; nothing where no key signed."""
    signature, statement = sign_off.body.signature, sign_off.body.statement
    if not signature.armored:
        return ""
    if verifier is None:
        return "It was not checked when this was written: no allowed signers are configured there."
    try:
        verifier.check(record, signature, statement.meaning, statement.signed_at)
    except (SignatureRefused, SigningError) as error:
        if isinstance(error, SigningError) or error.unchecked:
            return f"It could not be checked when this was written: {error}"
        if error.reason == _UNKNOWN:
            return f"When this was written, nobody knew whose key that is: {error}"
        return f"WHEN THIS WAS WRITTEN, IT DID NOT HOLD: {error}"
    return "When this was written, it held."


_UNKNOWN = "unknown-key"


def _sums(bundle: Bundle) -> bytes:
    """Return the lines that `sha256sum -c` reads."""
    names = sorted(bundle)
    return "".join(f"{hashlib.sha256(bundle[name]).hexdigest()}  {name}\n" for name in names).encode()
