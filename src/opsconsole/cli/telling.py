"""What a signature will say, and what became of it, in words for a terminal."""

from collections.abc import Iterator, Sequence

from opsconsole.cli.proposing import Proposal
from opsconsole.contracts.signer import Candidate, KeyPlace
from opsconsole.export.facts import binding, exact_moment, zone_of
from opsconsole.model.events import AmendmentKind
from opsconsole.model.runs import Corrected, RunState, SignOff
from opsconsole.model.signoff import count_words
from opsconsole.model.text import visible, visible_lines

_LABEL = 12


def proposal_lines(proposal: Proposal) -> Iterator[str]:
    """Yield everything that the signature will say; texts of people and sources in them are harmless."""
    statement, state = proposal.statement, proposal.state
    corrected = proposal.corrected
    if corrected is not None:
        yield from _correction_lines(state, corrected)
        yield from _fact("result", _change(str(state.result), str(statement.result)))
        yield from _fact("items", _change(count_words(state.counts), count_words(statement.counts)))
        if statement.result is not state.result and not state.amended_to_fail:
            yield from _fact("", f"a run that was amended to {statement.result} never counts as passed again")
    else:
        yield from _fact("result", f"{statement.result}, {count_words(statement.counts)}")
    where = zone_of(state.times)
    now = exact_moment(statement.signed_at, where)
    yield from _fact("meaning", f"{statement.meaning} by {statement.name} (login {statement.login})")
    yield from _fact("run", f"{statement.run}, business date {statement.business_date}, on {statement.host}")
    yield from _fact("time", f"the moment of signing (now {now}), clock {statement.clock}")
    if proposal.candidate is not None:
        yield from _fact("key", _key_words(proposal.candidate))
    yield from _fact("strength", binding(proposal.tier))
    yield from _fact("covers", f"every event of the run up to event {statement.head_seq}, {statement.head_hash}")
    if statement.amends:
        yield from _fact("after", f"the sign-off with the hash {statement.amends}")
    yield from _fact("definition", statement.definition_hash)
    yield from _fact("store", statement.store_id)


def _correction_lines(state: RunState, corrected: Corrected) -> Iterator[str]:
    amendment = corrected.amendment
    item = state.items.get(amendment.item) or state.retired.get(amendment.item)
    fields = {each.id: each.title for each in state.definition.fields}
    if item is not None:
        yield from _fact("item", f"{item.item.title} ({amendment.item})")
    elif amendment.field:
        yield from _fact("field", f"{fields.get(amendment.field, amendment.field)} ({amendment.field})")
    else:
        yield from _fact("item", "none: the run as a whole")
    if amendment.kind is not AmendmentKind.NOTE:
        yield from _fact("old", corrected.was or "nothing")
    match amendment.kind:
        case AmendmentKind.NOTE:
            yield from _fact("note", amendment.text)
        case AmendmentKind.FIELD:
            yield from _fact("new", amendment.text)
        case AmendmentKind.FAILED:
            yield from _fact("new", "FAIL")
        case AmendmentKind.ENTRY:
            judged = amendment.judgement
            yield from _fact("new", f"{amendment.text} ({judged.outcome}: {judged.summary})" if judged else "")
    yield from _fact("reason", amendment.reason)


def _key_words(candidate: Candidate) -> str:
    person = candidate.person
    place = "in the agent" if candidate.place is KeyPlace.AGENT else f"in {candidate.path}"
    return f"{person.principal}, {person.key_type} {person.fingerprint}, {place}"


def _change(before: str, after: str) -> str:
    return f"{after}, as before" if before == after else f"{before} -> {after}"


def _fact(label: str, text: str) -> Iterator[str]:
    first, *rest = visible_lines(text)
    yield f"  {label:<{_LABEL}}{first}".rstrip()
    yield from (f"  {'':<{_LABEL}}{line}".rstrip() for line in rest)


def signature_line(signature: SignOff) -> str:
    """Return what was signed in one line, with the head that stands for it."""
    statement = signature.body.statement
    how = signature.body.signature.tier
    said = f"{statement.run}: {statement.meaning} {statement.result} by {statement.name}, {how}"
    return visible(f"{said}, event {signature.seq} {signature.hash}")


def failure_lines(failures: Sequence[str]) -> Iterator[str]:
    """Yield what became of anchors that did not keep the sign-off, which stands nevertheless."""
    yield from (f"signed, but not noted outside of the record: {each}" for each in failures)
