"""What a signature will say, and what became of it, in words for a terminal."""

from collections.abc import Iterator, Sequence

from opsconsole.cli.proposing import Proposal
from opsconsole.contracts.signer import Candidate, KeyPlace
from opsconsole.export.facts import binding, exact_moment, zone_of
from opsconsole.export.wording import signed_words
from opsconsole.model.deeds import Corrected
from opsconsole.model.events import Amendment, AmendmentKind, Approval, Meaning
from opsconsole.model.runs import RunState, SignOff
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
    elif statement.approval is not None:
        yield from _approval_lines(statement.meaning, statement.approval)
    else:
        yield from _fact("result", f"{statement.result}, {signed_words(statement)}")
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
    if amendment.qualification:
        yield from _fact("about", f"{amendment.qualification}: {_about(amendment)}")
        yield from _fact("reason", amendment.reason)
        return
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


def _about(amendment: Amendment) -> str:
    if amendment.kind is AmendmentKind.RESET:
        return f"why the count began anew with {amendment.run or 'this run'}"
    return "this run is not to count, neither for nor against; a second person has to review that"


def _approval_lines(meaning: Meaning, approval: Approval) -> Iterator[str]:
    """Yield what is said of a qualification; the days were shown before, with the hashes that bind them."""
    passed = sum(each.state == "passed" for each in approval.days)
    period = f"{approval.first} to {approval.last}, {passed} of {len(approval.days)} days passed"
    yield from _fact("decision", f"{approval.qualification} is {meaning}: count {approval.attempt}, {period}")
    ready = "READY" if approval.ready else "NOT READY"
    yield from _fact("phase", f"{ready} for {approval.phase}")
    yield from _fact("reason", approval.reason or "none given")
    yield from _fact(
        "seen",
        f"resets before: {approval.resets}, waivers: {approval.waivers}, warnings: {approval.warnings}, "
        f"failed since: {', '.join(approval.failed_since) or 'none'}",
    )
    yield from _fact("evidence", "complete by the rules" if approval.complete else "NOT complete by the rules")
    if approval.own_work_allowed:
        yield from _fact("four eyes", "LIFTED by the definition: who signed the days may decide as well")
    yield from _fact("rules", approval.qualification_hash)
    for each in approval.days:
        yield from _fact("day", f"{each.date} {each.state} {each.signer or 'nobody'}, event {each.seq} {each.hash}")


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
    approval = statement.approval
    what = str(statement.result) if approval is None else f"{approval.qualification} to {approval.last}"
    said = f"{statement.run}: {statement.meaning} {what} by {statement.name}, {how}"
    return visible(f"{said}, event {signature.seq} {signature.hash}")


def failure_lines(failures: Sequence[str]) -> Iterator[str]:
    """Yield what became of anchors that did not keep the sign-off, which stands nevertheless."""
    yield from (f"signed, but not noted outside of the record: {each}" for each in failures)
