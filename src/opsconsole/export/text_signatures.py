"""What the text format says of signatures and of what was amended after the sign-off."""

from collections.abc import Iterator

from opsconsole.export.facts import (
    ADDING,
    amended_first,
    amended_to,
    amended_what,
    binding,
    exact_moment,
    person,
    principal_of,
    sign_off_at,
    zone_of,
)
from opsconsole.export.text_actions import decided
from opsconsole.export.text_lines import STATE, clean, fact, labelled
from opsconsole.export.wording import missed_words
from opsconsole.model.deeds import Corrected
from opsconsole.model.events import AmendmentKind, Meaning
from opsconsole.model.runs import RunState, SignOff
from opsconsole.model.tiers import Tier


def banner(state: RunState) -> list[str]:
    """Return what a reader must know first: that it was missed, or amended, above all where it failed after all."""
    where = zone_of(state.times)
    said, missed = amended_first(state, where), missed_words(state, where)
    return [*(fact("MISSED", clean(missed)) if missed else []), *(fact("AMENDED", clean(said)) if said else [])]


def amended_lines(amendments: list[Corrected]) -> Iterator[str]:
    """Yield what was amended about an item or a field: what was signed, where its section tells the rest."""
    for each in amendments:
        what = "note added" if each.amendment.kind is AmendmentKind.NOTE else f"was {clean(each.was) or 'empty'}"
        yield from labelled("amended", f"event {each.seq}: {what}", STATE)


def amendments(state: RunState) -> list[str]:
    """Return the section that has every amendment, in order."""
    lines = ["Amended after the sign-off"] if state.amendments else []
    where = zone_of(state.times)
    for each in state.amendments:
        signature = sign_off_at(state, each.seq)
        name = signature.body.statement.signer if signature is not None else each.by.actor.shown
        result = f", the run is {signature.body.statement.result}" if signature is not None else ""
        head = f"{amended_what(each)}{result}; {name}, {exact_moment(each.by.at, where)}"
        lines += fact(f"{each.seq}", clean(head))
        if each.amendment.kind not in ADDING:
            lines += labelled("was", clean(each.was) or "empty", STATE)
        if each.amendment.kind not in ADDING or each.amendment.text:
            lines += labelled("now", clean(amended_to(each)), STATE)
        lines += labelled("because", clean(each.amendment.reason), STATE)
    return lines


def signed(signature: SignOff, state: RunState) -> Iterator[str]:
    """Yield one signature: its meaning, who made it when, how strongly it binds, and what it covers."""
    statement, given = signature.body.statement, signature.body.signature
    tier: Tier = given.tier
    host = f" on {statement.host}" if statement.host else ""
    amended = statement.meaning is Meaning.AMENDED
    said = statement.result if amended else f"{statement.meaning}, {statement.result}"
    text = f"{said}, by {statement.signer}{host}"
    if signature.by.actor.login != statement.login:
        text += f", recorded by {person(signature.by.actor)}"
    yield from fact(
        "Amended" if amended else "Signed",
        f"{clean(text)}, {exact_moment(statement.signed_at, zone_of(state.times))};",
    )
    yield from fact("", binding(tier))
    for words in (principal_of(signature), given.fingerprint):
        yield from fact("", clean(words)) if words else ()
    if statement.approval is not None:
        yield from decided(statement.approval, statement.meaning)
    yield from fact("Covers", f"{statement.head_seq} {clean(statement.head_hash)}")
