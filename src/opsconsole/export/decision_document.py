"""Fills the parts of the run's document that are about action items and about what was decided."""

from opsconsole.export import documents as doc
from opsconsole.export.item_document import person, utc
from opsconsole.model.actions import Action
from opsconsole.model.events import Approval


def action_document(action: Action) -> doc.ActionDocument:
    """Return one action item with everything that became of it."""
    return doc.ActionDocument(
        id=action.id,
        number=action.number,
        text=action.raised.text,
        item=action.raised.item,
        owner=action.owner,
        due=action.due,
        state=action.state,
        raised_at=utc(action.at),
        raised_by=person(action.actor),
        raised_owner=action.raised.owner,
        raised_due=action.raised.due,
        steps=[
            doc.StepDocument(
                state=each.body.state,
                text=each.body.text,
                owner=each.body.owner,
                due=each.body.due,
                at=utc(each.at),
                by=person(each.actor),
            )
            for each in action.steps
        ],
    )


def approval_document(approval: Approval) -> doc.ApprovalDocument:
    """Return what was decided of a qualification, and on what grounds."""
    return doc.ApprovalDocument(
        qualification=approval.qualification,
        qualification_hash=approval.qualification_hash,
        attempt=approval.attempt,
        first=approval.first,
        last=approval.last,
        days=[
            doc.ApprovedDayDocument(
                date=each.date, run=each.run, seq=each.seq, hash=each.hash, signer=each.signer, state=each.state
            )
            for each in approval.days
        ],
        resets=approval.resets,
        waivers=approval.waivers,
        warnings=approval.warnings,
        failed_since=list(approval.failed_since),
        complete=approval.complete,
        ready=approval.ready,
        phase=approval.phase,
        own_work_allowed=approval.own_work_allowed,
        reason=approval.reason,
    )
