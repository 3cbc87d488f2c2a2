"""The README of a record: for an auditor who has never heard of this program and has OpenSSH and sha256sum."""

import datetime as dt
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from opsconsole.contracts.exporter import Report
from opsconsole.export.facts import (
    amended_first,
    binding,
    exact_moment,
    period,
    principal_of,
    rfc3339,
    zone_of,
)
from opsconsole.export.layout import one_line, wrapped
from opsconsole.export.wording import (
    action_facts,
    action_state,
    approval_facts,
    items_words,
    looked_back,
    missed_words,
    signed_words,
)
from opsconsole.model.people import role_for
from opsconsole.model.runs import SignOff
from opsconsole.model.text import shortened, visible

WIDTH = 78
_LONGEST = 300
"""Characters of one text of a person or a source."""
_MARGIN = "    "


_ABOUT = """
One run of a checklist, written down by opsconsole {version}. It stands on its own: what was signed can be
verified with OpenSSH (ssh-keygen, 8.9 or later) and sha256sum, without opsconsole. record.md is the whole run to
read; the anchor names the run's last event in its store.
"""

_VERIFY_SIGNATURES = """
1. The signatures, in this directory, a line for each. It must print 'Good ... signature' and the fingerprint that
stands above, and end with 0.
"""

_UNLISTED = """
Whose key signed {names} is not told by the allowed signers in here: that command proves that the file is what the
key with the printed fingerprint signed, and no more. Whose key that is, you must know.
"""

_TRUST_SIGNERS = """
The file allowed_signers came with the record: whoever forged the one could have forged the other. Compare the
fingerprint that ssh-keygen prints with one that you hold yourself, or had from the signer or from who keeps the
list of signers; or put your own allowed-signers file in the place of this one. A key that was retired since has a
valid-before in it, and verifies at the signed time. A key that was stolen is on a list of revoked keys: ask for
it, and add -r REVOKED_KEYS.
"""

_TRUST_SUMS = """
The sums find damage and carelessness, not forgery: whoever changes a file can write new sums. What is signed are
the files *.record. Each holds the events of the run, one a line, exactly as they were stored, and in its last
line what was stated: result, counts, who, when, the hash of the last event. Evidence is bound to them by its
SHA-256: the events hold the names of the files in evidence/.
"""

_TRUST_UNSIGNED = """
The sums find damage and carelessness, not forgery: whoever changes a file can write new sums. Only the store that
this came from, and heads of its chain that were noted elsewhere, can tell more.
"""

_NO_TIME = """
When it was signed: an SSH signature has no time in it, and the stated one is the signer's word. It lies between
the events before it and whatever was noted of the chain after it: later signatures, journal lines, other records.
"""

_NO_END = """
That nothing followed: a later amendment is in a later record only. Ask the store, or whoever kept a later head of
it. And a signature says that somebody signed this, not that what was measured was true.
"""

_CHAIN = """
Every event of the store has a hash over the one before it and its own line: SHA-256 of the 64 characters of the
hash before, directly followed by the line without its line feed. chain.txt holds seq, the hash before, and the
hash, for each line of events.jsonl. This prints nothing where all of them fit:
"""

_CHAIN_END = """
Other runs lie between these events, so a hash before need not be in here. The statement of each signature names
the event that it covers, head_seq, and its hash, head_hash.
"""


@dataclass(frozen=True)
class RecordSignature:
    """One signature of the run, as the record has it."""

    name: str
    """`01-performed`."""
    sign_off: SignOff
    listed: bool
    """Whether `allowed_signers` has a line for its signer."""
    verdict: str
    """What the host that wrote the record made of it; empty where no key signed."""

    @property
    def file(self) -> str:
        """The file that the signature is over."""
        return f"{self.name}.record"

    @property
    def keyed(self) -> bool:
        """Whether there is a signature that others can check."""
        return bool(self.sign_off.body.signature.armored)


@dataclass(frozen=True)
class Gone:
    """An evidence text that was removed because of its age."""

    seq: int
    item: str
    title: str
    sha256: str


def verifying_command(signature: RecordSignature) -> str:
    """Return the line that verifies a signature with ssh-keygen, for any POSIX shell.

    The time is given as UTC by way of `TZ`, because OpenSSH before 9.1 knows no `Z` behind it. Where the signer is
    not among the allowed signers, or has a name that no shell should be given, all that can be checked is that some
    key made the signature: `check-novalidate` prints which.
    """
    statement = signature.sign_off.body.statement
    namespace = role_for(statement.meaning).namespace
    principal = principal_of(signature.sign_off)
    files = f"-s {signature.file}.sig"
    if not signature.listed or visible(principal) != principal:
        return f"ssh-keygen -Y check-novalidate -n {namespace} {files} < {signature.file}"
    time = statement.signed_at.astimezone(dt.UTC).strftime("%Y%m%d%H%M%S")
    return (
        f"TZ=UTC0 ssh-keygen -Y verify -f allowed_signers -I {shlex.quote(principal)} -n {namespace} {files} "
        f"-Overify-time={time} < {signature.file}"
    )


SUMS_COMMAND = "sha256sum --strict -c SHA256SUMS.sha256 SHA256SUMS"

CHAIN_COMMANDS = """\
while IFS= read -r document && read -r seq prev hash <&3; do
  found=$(printf '%s%s' "$prev" "$document" | sha256sum)
  [ "$found" = "$hash  -" ] || echo "event $seq was changed"
done < events.jsonl 3< chain.txt"""


def readme(report: Report, signatures: Sequence[RecordSignature], evidence: int, gone: Sequence[Gone]) -> str:
    """Return the whole text; everything that people or sources wrote in it is harmless to look at."""
    parts = (
        _title(report),
        _signatures(signatures, zone_of(report.state.times)),
        _verify(signatures),
        _trust(signatures),
        _limits(signatures),
        _chain(),
        _files(signatures, evidence, gone),
    )
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def _title(report: Report) -> Iterator[str]:
    state = report.state
    yield from _underlined(f"Record of {visible(state.run)}", "=")
    yield ""
    yield from _prose(f"{_clean(state.definition.title)}, {period(state.times)}, {_clean(state.times.timezone)}")
    window = looked_back(state)
    if window:
        yield from _prose(f"Looks back over {window}")
    yield f"Result:  {state.result}, {items_words(state)}"
    missed = missed_words(state, zone_of(state.times))
    if missed:
        yield from _prose(f"MISSED {_clean(missed)}")
        for each in state.notes:
            yield from _prose(f"Reason given by {_clean(each.by.actor.shown)}: {_clean(each.text)}")
    amended = amended_first(state, zone_of(state.times))
    if amended:
        yield from _prose(f"AMENDED {_clean(amended)}")
    for action in state.actions.values():
        told = f"{action_state(action, state.times.business_date)}: {action.raised.text}"
        facts = action_facts(action)
        yield from _prose(f"Action item #{action.number}, {_clean(f'{told} ({facts})' if facts else told)}")
    yield f"Anchor:  {report.store_id} {report.head.seq} {report.head.hash}"
    yield ""
    yield from _prose(_ABOUT.format(version=report.version))


def _signatures(signatures: Sequence[RecordSignature], where: ZoneInfo) -> Iterator[str]:
    yield from _underlined("Who signed what", "-")
    if not signatures:
        yield ""
        yield from _prose("Nobody: THIS RUN IS NOT SIGNED. Nothing in here proves who did it, or that it was done.")
    for each in signatures:
        yield ""
        yield from _signature(each, where)


def _signature(signature: RecordSignature, where: ZoneInfo) -> Iterator[str]:
    statement, given = signature.sign_off.body.statement, signature.sign_off.body.signature
    host = f" on {_clean(statement.host)}" if statement.host else ""
    yield signature.file
    yield from _prose(f"{statement.meaning}: {statement.result}, {signed_words(statement)}", _MARGIN)
    yield from _prose(f"by {_clean(statement.signer)}{host}", _MARGIN)
    if signature.keyed:
        yield from _prose(f"principal {_clean(principal_of(signature.sign_off)) or 'not known'}", _MARGIN)
    yield from _prose(f"{exact_moment(statement.signed_at, where)}, {rfc3339(statement.signed_at)}", _MARGIN)
    yield from _prose(f"{binding(given.tier)}", _MARGIN)
    if given.fingerprint:
        yield f"{_MARGIN}{_clean(given.fingerprint)}"
    if statement.amendment is not None:
        about = f"{statement.amendment.about}, " if statement.amendment.about else ""
        what = f"{about}because: {statement.amendment.reason}"
        yield from _prose(_clean(what), _MARGIN)
    if statement.approval is not None:
        for name, text in approval_facts(statement.approval, statement.meaning):
            yield from _prose(f"{name.lower()}: {_clean(text)}", _MARGIN)
    yield from _prose(f"covers the run up to event {statement.head_seq}", _MARGIN)
    yield f"{_MARGIN}{_clean(statement.head_hash)}"
    if signature.verdict:
        yield from _prose(_clean(signature.verdict), _MARGIN)
    else:
        yield from _prose("No key signed this: nothing proves who it was.", _MARGIN)


def _verify(signatures: Sequence[RecordSignature]) -> Iterator[str]:
    keyed = [each for each in signatures if each.keyed]
    yield from _underlined("How to verify it", "-")
    yield ""
    if keyed:
        yield from _prose(_VERIFY_SIGNATURES)
        yield ""
        yield from (f"{_MARGIN}{verifying_command(each)}" for each in keyed)
        unlisted = [each.name for each in keyed if "check-novalidate" in verifying_command(each)]
        if unlisted:
            yield ""
            yield from _prose(_UNLISTED.format(names=", ".join(unlisted)))
    else:
        yield from _prose("1. There is no signature of a key in here, and so none to verify.")
    yield ""
    yield from _prose("2. Every file as it was written. Each line must end in OK.")
    yield ""
    yield f"{_MARGIN}{SUMS_COMMAND}"


def _trust(signatures: Sequence[RecordSignature]) -> Iterator[str]:
    yield from _underlined("What that rests on", "-")
    yield ""
    if any(each.listed for each in signatures):
        yield from _prose(_TRUST_SIGNERS)
        yield ""
    yield from _prose(_TRUST_SUMS if any(each.keyed for each in signatures) else _TRUST_UNSIGNED)


def _limits(signatures: Sequence[RecordSignature]) -> Iterator[str]:
    yield from _underlined("What it does not prove", "-")
    yield ""
    if any(each.keyed for each in signatures):
        yield from _prose(_NO_TIME)
        yield ""
    yield from _prose(_NO_END)


def _chain() -> Iterator[str]:
    yield from _underlined("The chain, if you want to see it too", "-")
    yield ""
    yield from _prose(_CHAIN)
    yield ""
    yield from (f"{_MARGIN}{line}" for line in CHAIN_COMMANDS.splitlines())
    yield ""
    yield from _prose(_CHAIN_END)


def _files(signatures: Sequence[RecordSignature], evidence: int, gone: Sequence[Gone]) -> Iterator[str]:
    yield from _underlined("What is in it", "-")
    yield ""
    if signatures:
        yield "NN-MEANING.record   what was stated and signed, in order"
    if any(each.keyed for each in signatures):
        yield "NN-MEANING.record.sig  the SSH signature over it"
    if any(each.listed for each in signatures):
        yield "allowed_signers     whose keys those are"
    yield "events.jsonl        every event of the run, as it is stored"
    yield "chain.txt           the hashes of those events"
    yield "record.md           the day log: the whole run, to read"
    yield "record.json         the same for programs"
    if evidence:
        yield f"evidence/           {evidence} texts that back what was measured, named by their SHA-256;"
        yield "                    raw: look at them with 'cat -v', they may steer a terminal"
    yield "SHA256SUMS          the sums of all these; SHA256SUMS.sha256 is the sum of that list"
    if gone:
        yield ""
        yield from _prose("Evidence that was removed because of its age; its SHA-256 is all that is left:")
    for each in gone:
        yield ""
        yield from _prose(f"event {each.seq}, {_clean(each.item)}: {_clean(each.title)}", _MARGIN)
        yield f"{_MARGIN}{_clean(each.sha256)}"


def _underlined(text: str, sign: str) -> Iterator[str]:
    yield text
    yield sign * len(text)


def _prose(text: str, indent: str = "") -> Iterator[str]:
    yield from (f"{indent}{line}" for line in wrapped(text, WIDTH - len(indent)))


def _clean(text: str) -> str:
    """Return a text of a person or a source as one harmless line of bearable length."""
    return shortened(one_line(text), _LONGEST)
