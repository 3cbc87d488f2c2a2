"""Whether what was decided of a qualification agrees with the records of the days that it names."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from opsconsole.model.checklists import Cadence
from opsconsole.model.events import DECIDING, Approval, ApprovedDay, Meaning, Signed, Stored
from opsconsole.model.foureyes import in_common, signatory_of, signatory_with
from opsconsole.model.outcomes import Result
from opsconsole.model.runs import RunState, SignOff
from opsconsole.model.verification import Finding, Weight

_STATES = frozenset({"passed", "held", "excluded"})
_SETTLING = frozenset({Meaning.PERFORMED, Meaning.AMENDED})


def decision_findings(
    before: RunState, stored: Stored, signatures: Callable[[str], Sequence[SignOff]]
) -> Iterator[Finding]:
    """Yield what is wrong with a decision as the next event of the run `before`.

    `signatures` gives every signature of a run as the record has it, nothing for one that there is not. The rules
    of the qualification are not in the record, only their hash: whether a decision keeps them is said by the count.
    """
    body = stored.event.body
    if not isinstance(body, Signed) or body.statement.meaning not in DECIDING or body.statement.approval is None:
        return
    approval = body.statement.approval
    for text in _inconsistencies(before, body.statement.meaning, approval):
        yield Finding(Weight.FAULT, "false-approval", f"its decision {text}", stored.seq)
    for day in approval.days:
        signed = signatures(day.run)
        for text in _day_faults(day, [each for each in signed if each.seq < stored.seq]):
            yield Finding(Weight.FAULT, "false-approval", f"its decision {text}", stored.seq)
        if any(each.seq > stored.seq and each.body.statement.meaning in _SETTLING for each in signed):
            text = f"{day.run}, on which it was decided, was amended since"
            yield Finding(Weight.FLAG, "amended-since", text, stored.seq)
    yield from _own_work(before, stored, body, approval, signatures)


def _inconsistencies(before: RunState, meaning: Meaning, approval: Approval) -> Iterator[str]:
    """Yield what contradicts itself, or the run that it stands in."""
    if meaning is Meaning.APPROVED and not approval.complete:
        yield "approves what it calls incomplete"
    if meaning is Meaning.REFUSED and approval.ready:
        yield f"refuses what it calls ready for {approval.phase}"
    due = before.definition
    reviews = due.cadence is Cadence.ONCE and due.due.after == approval.qualification
    if not reviews and before.run not in {each.run for each in approval.days}:
        yield f"stands in {before.run}, neither a final review of {approval.qualification} nor one of its days"
    passed = [each.date for each in approval.days if each.state == "passed"]
    if [*passed[:1], *passed[-1:]] != [approval.first, approval.last]:
        yield f"says that the count went from {approval.first} to {approval.last}, and its days do not"
    if any(one.date >= other.date for one, other in pairwise(approval.days)):
        yield "names its days out of order"
    if len({each.run.partition("@")[0] for each in approval.days}) > 1:
        yield "names days of several checklists"
    for each in approval.days:
        if each.state not in _STATES:
            yield f"calls {each.run} '{each.state}'"
        if each.run.partition("@")[2] != each.date.isoformat():
            yield f"gives {each.run} the date {each.date}"


def _day_faults(day: ApprovedDay, signed: Sequence[SignOff]) -> Iterator[str]:
    """Yield what it says of a day that the record of that day denies; `signed` are the signatures before it."""
    settling = [each for each in signed if each.body.statement.meaning in _SETTLING]
    if not settling:
        if day.seq or day.hash or day.signer:
            yield f"names a signature of {day.run} that is not in the record"
        return
    last = settling[-1]
    if (day.seq, day.hash) != (last.seq, last.hash):
        what = f"was settled by event {last.seq} with the hash {last.hash[:16]}"
        yield f"rests on event {day.seq} of {day.run} with the hash {day.hash[:16] or 'none'}; that {what}"
    signer = next((each.body.statement.signer for each in settling), "")
    if day.signer != signer:
        yield f"says that {day.signer or 'nobody'} signed {day.run}; by the record it was {signer}"
    if day.state == "passed" and any(each.body.statement.result is not Result.PASS for each in settling):
        yield f"calls {day.run} passed, which was signed as {settling[-1].body.statement.result}"


def _own_work(
    before: RunState,
    stored: Stored,
    body: Signed,
    approval: Approval,
    signatures: Callable[[str], Sequence[SignOff]],
) -> Iterator[Finding]:
    """Yield where whoever decided had signed a day, or the final review: a fault, unless the rules allowed it."""
    new = signatory_with(stored.event.actor, body.signature)
    for run in dict.fromkeys((*(each.run for each in approval.days), before.run)):
        signed = [each for each in signatures(run) if each.seq < stored.seq]
        others = (each for each in signed if each.body.statement.meaning not in DECIDING)
        who = next((same for each in others if (same := in_common(signatory_of(each), new))), "")
        if not who:
            continue
        text = f"{who} had signed {run}, and it was {body.statement.meaning} by the same person"
        if approval.own_work_allowed:
            yield Finding(Weight.FLAG, "own-work-allowed", f"{text}, which its rules allowed", stored.seq)
        else:
            yield Finding(Weight.FAULT, "own-work", text, stored.seq)
        return
