"""What the record says was decided of a qualification."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from opsconsole.model.counting import Decision, Ground
from opsconsole.model.events import DECIDING, Approval, Meaning
from opsconsole.model.foureyes import signatory_of
from opsconsole.model.qualifications import signing_time
from opsconsole.model.runs import RunState, SignOff


def decisions_in(state: RunState, qualification: str, fault: str = "") -> Iterator[Decision]:
    """Yield what a run's record says was decided of a qualification, in order.

    `fault` is why that record does not hold.
    """
    for each in state.signatures:
        statement = each.body.statement
        approval = statement.approval
        if statement.meaning in DECIDING and approval is not None and approval.qualification == qualification:
            yield _decision(state, each, approval, fault)


def _decision(state: RunState, signature: SignOff, approval: Approval, fault: str) -> Decision:
    statement = signature.body.statement
    at = signing_time(signature)
    before = (each for each in state.signatures if each.seq < signature.seq)
    return Decision(
        approved=statement.meaning is Meaning.APPROVED,
        ready=approval.ready,
        by=statement.signer,
        at=at,
        date=at.astimezone(ZoneInfo(state.times.timezone)).date(),
        last=approval.last,
        run=state.run,
        seq=signature.seq,
        reason=approval.reason,
        grounds=tuple(Ground(each.run, each.hash, each.state) for each in approval.days),
        rules=approval.qualification_hash,
        complete=approval.complete,
        tier=signature.body.signature.tier,
        fault=fault,
        signatory=signatory_of(signature),
        beside=tuple(signatory_of(each) for each in before if each.body.statement.meaning not in DECIDING),
        passed=state.passed,
    )
