"""Signatures in the day log, and what was amended after the sign-off."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from opsconsole.export.commonmark import fenced, heading, inline, line, table
from opsconsole.export.facts import (
    amended_to,
    amended_what,
    binding,
    day,
    exact_moment,
    person,
    principal_of,
    rfc3339,
    sign_off_at,
)
from opsconsole.export.layout import one_line
from opsconsole.export.markdown_actions import approved_days
from opsconsole.export.markdown_items import facts
from opsconsole.export.wording import approval_facts, signed_words
from opsconsole.model.deeds import Corrected
from opsconsole.model.events import Meaning
from opsconsole.model.runs import RunState, SignOff
from opsconsole.model.signoff import hurdles


def sign_off_blocks(state: RunState, where: ZoneInfo, level: int) -> Iterator[str]:
    """Yield every signature; of a run that is not signed, what is still to be done."""
    yield heading(level, "Sign-off")
    if state.signed is None:
        yield "**Not signed.**"
        yield from _to_do(state)
    for signature in state.signatures:
        yield from _signature(signature, where)


def amendment_blocks(state: RunState, where: ZoneInfo, level: int) -> Iterator[str]:
    """Yield the section of everything that was amended: old value, new value, who, when, why."""
    if not state.amendments:
        return
    yield heading(level, "Amendments")
    yield "What was changed after the sign-off, in order. What was signed before stays in the record."
    head = ("Event", "Time", "Who", "What", "Was", "Now", "Because", "The run is")
    yield table(head, [_amendment_row(each, state, where) for each in state.amendments])


def _amendment_row(corrected: Corrected, state: RunState, where: ZoneInfo) -> tuple[str, ...]:
    signature = sign_off_at(state, corrected.seq)
    name = signature.body.statement.signer if signature is not None else corrected.by.actor.shown
    return (
        str(corrected.seq),
        exact_moment(corrected.by.at, where),
        name,
        amended_what(corrected),
        corrected.was,
        amended_to(corrected),
        corrected.amendment.reason,
        signature.body.statement.result.value if signature is not None else "",
    )


def _to_do(state: RunState) -> Iterator[str]:
    left = hurdles(state)
    if not left:
        yield "Nothing stands between this run and its sign-off."
        return
    yield "Still to be done:"
    yield "\n".join(f"- {line(one_line(each.text))}" for each in left)


def _signature(signature: SignOff, where: ZoneInfo) -> Iterator[str]:
    statement, given = signature.body.statement, signature.body.signature
    strength = binding(given.tier)
    meaning = statement.meaning.value
    approval = statement.approval
    decided = approval_facts(approval, statement.meaning) if approval is not None else ()
    about = statement.result if approval is None else approval.qualification
    came = signed_words(statement) if approval is None else f"in a run that came to {statement.result}"
    yield (
        f"**{meaning.capitalize()}: {inline(one_line(about))}**, {inline(came)}. "
        f"This {_called(statement.meaning)} is {strength}."
    )
    pairs = [
        ("Meaning", meaning),
        ("Result", statement.result.value),
        ("Items", signed_words(statement)),
        *decided,
        ("Printed name", statement.name),
        ("Login", statement.login),
        ("Host", statement.host),
        ("Signed at", f"{exact_moment(statement.signed_at, where)}, {rfc3339(statement.signed_at)}"),
        ("Clock", f"{statement.clock} when it was signed"),
        ("Tier", given.tier.value),
        ("Principal", principal_of(signature)),
        ("Key", given.fingerprint),
        ("Amends", f"the sign-off, {statement.amends}" if statement.meaning is Meaning.AMENDED else ""),
        ("Covers the run", f"{statement.run}, {day(statement.business_date)}"),
        ("Covers the chain up to", f"event {statement.head_seq}, {statement.head_hash}"),
        ("Definition (SHA-256)", statement.definition_hash),
        ("Store", statement.store_id),
        ("Recorded as", f"event {signature.seq} by {person(signature.by.actor)}"),
    ]
    wanted = given.tier.keyed
    yield facts((name, text) for name, text in pairs if text or (wanted and name in {"Principal", "Key"}))
    if statement.amendment is not None:
        yield f"Because: {inline(one_line(statement.amendment.reason))}"
    if approval is not None:
        yield approved_days(approval)
    if given.armored:
        yield fenced(given.armored)


def _called(meaning: Meaning) -> str:
    return {
        Meaning.PERFORMED: "sign-off",
        Meaning.AMENDED: "amendment",
        Meaning.REVIEWED: "review",
        Meaning.APPROVED: "approval",
        Meaning.REFUSED: "refusal",
    }[meaning]
