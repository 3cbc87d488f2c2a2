"""Whether what a signature states agrees with the run that it was made over."""

import datetime as dt
import hashlib
from collections.abc import Iterator

import msgspec

from opsconsole.model.checklists import Cadence
from opsconsole.model.events import (
    DECIDING,
    Amended,
    Clock,
    Handled,
    Meaning,
    Opened,
    Pruned,
    Raised,
    Redefined,
    Signed,
    Statement,
    Stored,
    Waived,
    kind_of,
)
from opsconsole.model.foureyes import own_work, signatory_with
from opsconsole.model.outcomes import Outcome
from opsconsole.model.rejudging import judgement_fault
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import hurdles, statement_of
from opsconsole.model.verification import Finding, Weight

SIGNING_TAKES = dt.timedelta(minutes=15)
"""A statement is made when the dialog opens, its event when the key has signed: longer than this is odd."""

_FACTS = (
    "schema",
    "store_id",
    "run",
    "checklist",
    "definition_hash",
    "business_date",
    "result",
    "counts",
    "head_seq",
    "head_hash",
    "login",
    "host",
    "timezone",
    "amends",
)
"""What a statement says that its run must bear out."""


class _Defining(msgspec.Struct, frozen=True):
    definition: msgspec.Raw
    definition_hash: str


class _Event(msgspec.Struct, frozen=True):
    body: _Defining


def definition_fault(document: bytes) -> str:
    """Return why the definition in a stored `opened` or `redefined` event is not what its hash says.

    The hash is taken over the exact stored bytes: canonical JSON within canonical JSON is a part of it.
    """
    body = msgspec.json.decode(document, type=_Event).body
    own = hashlib.sha256(bytes(body.definition)).hexdigest()
    return "" if own == body.definition_hash else f"its definition has the hash {own}, not {body.definition_hash}"


def opening_fault(run: str, opened: Opened) -> str:
    """Return why the opening of `run` is that of another run; nothing where it is its own."""
    period = opened.times.period
    own = f"{opened.definition.id}@{period.key}"
    if run != own:
        return f"it is called {run}, and was opened as {own}"
    once = opened.definition.cadence is Cadence.ONCE
    if not period.start <= opened.times.business_date <= (opened.times.business_date if once else period.end):
        return f"its business date {opened.times.business_date} is not in its period"
    return ""


def event_findings(before: RunState, stored: Stored) -> Iterator[Finding]:
    """Yield what is wrong with an event as the next one of the run `before`."""
    body = stored.event.body
    misjudged = judgement_fault(before, body)
    if misjudged:
        yield Finding(Weight.FAULT, "false-judgement", f"event {stored.seq}: {misjudged}", stored.seq)
    if isinstance(body, Waived) and bool(body.author) is not bool(body.origin):
        text = f"event {stored.seq} is a waiver of {body.author or 'nobody'}, carried over from no run"
        yield Finding(Weight.FAULT, "false-waiver", text, stored.seq)
    if isinstance(body, Redefined):
        for code, text in _redefinition_flags(before, body):
            yield Finding(Weight.FLAG, code, text, stored.seq)
    if before.signed is not None and not isinstance(body, Signed | Amended | Pruned | Raised | Handled):
        text = f"event {stored.seq} was added to the run after its sign-off"
        yield Finding(Weight.FAULT, "after-sign-off", text, stored.seq)
    followed = getattr(body, "definition_hash", "")
    if not isinstance(body, Opened | Redefined) and followed and followed not in before.definitions:
        text = f"event {stored.seq} was made by a definition that the run has never followed"
        yield Finding(Weight.FAULT, "foreign-definition", text, stored.seq)
    if isinstance(body, Signed | Amended):
        yield from _signing_findings(before, stored, body)


def _redefinition_flags(before: RunState, body: Redefined) -> Iterator[tuple[str, str]]:
    """Yield what an edit of the checklist took from an open run: a stronger policy, an item that had failed."""
    was, now = before.definition.sign_off.tier, body.definition.sign_off.tier
    if not now.satisfies(was):
        yield "weaker-policy", f"its checklist asked for a signature that is {was}; since an edit {now} is enough"
    kept = body.definition.items
    for state in before.items.values():
        if state.measured_outcome is Outcome.FAIL and state.item not in kept:
            title = state.item.title
            yield "dropped-failure", f"its checklist was edited when {title} had failed, which no longer counts"


def _signing_findings(before: RunState, stored: Stored, body: Signed | Amended) -> Iterator[Finding]:
    for code, text in _faults(before, stored, body):
        yield Finding(Weight.FAULT, code, text, stored.seq)
    for code, text in _flags(before, stored, body.statement):
        yield Finding(Weight.FLAG, code, text, stored.seq)
    if body.statement.meaning is Meaning.PERFORMED and body.statement.signed_at > before.times.overdue_at:
        text = f"it was signed off after it was overdue, at {_instant(body.statement.signed_at)}"
        yield Finding(Weight.INFO, "late", text, stored.seq)


def _faults(before: RunState, stored: Stored, body: Signed | Amended) -> Iterator[tuple[str, str]]:
    """Yield what a signature says that is not so, or that nobody could have signed."""
    statement, signature = body.statement, body.signature
    yield from _false_facts(before, stored, statement)
    amends = statement.meaning is Meaning.AMENDED
    if isinstance(body, Amended) is not amends:
        yield "false-meaning", f"its event is kept as {kind_of(body)}, and its statement says {statement.meaning}"
    if (statement.amendment is not None) is not amends:
        what = "no amendment" if amends else "an amendment"
        yield "false-meaning", f"its statement says {statement.meaning}, and holds {what}"
    if (statement.approval is not None) is not (statement.meaning in DECIDING):
        what = "no qualification" if statement.approval is None else "a qualification"
        yield "false-meaning", f"its statement says {statement.meaning}, and tells of {what}"
    if statement.meaning is Meaning.PERFORMED and before.signed is not None:
        yield "signed-twice", "the run was signed off a second time"
    if statement.meaning is not Meaning.PERFORMED and before.signed is None:
        yield "not-signed-off", f"the run was {statement.meaning} before anybody had signed it off"
    wanted = before.definition.sign_off.tier
    if not signature.tier.satisfies(wanted):
        yield "weak-tier", f"its checklist asks for a signature that is {wanted}; this one is {signature.tier}"
    principal = signature.principal if signature.tier.keyed else ""
    if statement.principal != principal:
        named = f"its statement names {statement.principal or 'nobody'} as the owner of the key"
        yield "false-principal", f"{named}, its signature {principal or 'nobody'}"
    if not signature.tier.keyed:
        yield from _pretended(stored, body)
    new = signatory_with(stored.event.actor, signature)
    again = own_work(before.signatures, statement.meaning, new, statement.approval)
    if again is not None:
        who, said = again
        yield "own-work", f"{who} had {said} the run, and it was {statement.meaning} by the same person"


def _pretended(stored: Stored, body: Signed | Amended) -> Iterator[tuple[str, str]]:
    """Yield what a signature without a key shows that only a key could prove, or its login denies."""
    signature, actor = body.signature, stored.event.actor
    if signature.principal or signature.fingerprint or signature.armored:
        whose = signature.principal or signature.fingerprint or "somebody"
        yield "false-principal", f"it is {signature.tier}, without a key, and carries one as if it were {whose}'s"
    told, own = body.statement.name, actor.name or actor.login
    if told != own:
        yield "false-statement", f"what was signed gives its name as '{told}'; by the record it is '{own}'"


def _false_facts(before: RunState, stored: Stored, statement: Statement) -> Iterator[tuple[str, str]]:
    try:
        expected = statement_of(
            before,
            stored.event.actor,
            store_id=statement.store_id,
            signed_at=statement.signed_at,
            meaning=statement.meaning,
            clock=statement.clock,
            amendment=statement.amendment,
            approval=statement.approval,
        )
    except (ValueError, LookupError, OverflowError) as error:
        yield "unreadable", f"what was signed cannot be compared with the run: {error}"
        return
    for name in _FACTS:
        told, own = getattr(statement, name), getattr(expected, name)
        if told != own:
            what = name.replace("_", " ")
            yield (
                "false-statement",
                f"what was signed gives its {what} as {_words(told)}; by the record it is {_words(own)}",
            )


def _flags(before: RunState, stored: Stored, statement: Statement) -> Iterator[tuple[str, str]]:
    if statement.clock is not Clock.SYNCHRONISED:
        state = "not synchronised" if statement.clock is Clock.UNSYNCHRONISED else "of unknown state"
        yield "clock", f"the clock of {statement.host} was {state} when it was {statement.meaning}"
    apart = abs(stored.event.at - statement.signed_at)
    if apart > SIGNING_TAKES:
        yield (
            "signed-at",
            f"it says it was {statement.meaning} at {_instant(statement.signed_at)}, {apart} from its event",
        )
    if statement.meaning is Meaning.PERFORMED:
        if any(each.through_seq for each in before.pruned):
            yield "evidence-removed", "evidence of it was removed as too old before it was signed off"
        open_hurdles = hurdles(before)
        if open_hurdles:
            more = f" (and {len(open_hurdles) - 1} more)" if len(open_hurdles) > 1 else ""
            yield "hurdles", f"it was signed off though by today's rules {open_hurdles[0].text}{more}"
        if statement.signed_at.date() + dt.timedelta(days=1) < before.times.period.start:
            yield "early", f"it was signed off before its period began, at {_instant(statement.signed_at)}"


def _instant(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%SZ}"


def _words(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items()) or "none"
    return f"'{value}'"
