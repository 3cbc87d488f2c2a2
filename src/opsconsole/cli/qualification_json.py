"""A qualification as a document for programs: `opsconsole.qualification.v1` (docs/qualifications.md)."""

from typing import TYPE_CHECKING, Any

from opsconsole.model.counting import Attempt, Day, Decision, QualificationState, Reset
from opsconsole.model.qualifications import Said, qualification_hash
from opsconsole.model.version import VERSION

if TYPE_CHECKING:
    from opsconsole.contracts.store import Store
    from opsconsole.engine.approving import Case

SCHEMA = "opsconsole.qualification.v1"


def case_document(case: "Case", store: "Store", exit_code: int) -> dict[str, Any]:
    """Return the whole, of values that JSON knows, dates and instants."""
    state = case.state
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "at": case.at,
        "store": {"id": store.store_id, "location": store.location},
        "qualification": _definition(state),
        **_standing(state),
        "attempts": [_attempt(each) for each in state.attempts],
        "overturned": [_decision(each) for each in state.overturned],
        "review": _review(case),
        "excluded": [{"who": each.who, "signed": each.signed} for each in case.excluded],
        "missing": case.missing,
        "blockers": case.blockers,
        "records": _records(case),
        "exit_code": exit_code,
    }


def _records(case: "Case") -> dict[str, Any] | None:
    evidence = case.evidence
    if evidence is None:
        return None
    return {
        "hold": evidence.holds,
        "whole": evidence.is_whole,
        "faults": evidence.faults,
        "unchecked": evidence.unchecked,
        "record": evidence.record,
    }


def _definition(state: QualificationState) -> dict[str, Any]:
    definition = state.definition
    return {
        "id": definition.id,
        "title": definition.title,
        "system": definition.system,
        "checklist": definition.checklist,
        "days": definition.days,
        "start": definition.start,
        "review": definition.review,
        "next_phase": definition.phase,
        "own_work_allowed": definition.approval.own_work,
        "hash": qualification_hash(definition),
    }


def _standing(state: QualificationState) -> dict[str, Any]:
    attempt = state.current
    decision = attempt.decision
    return {
        "phase": state.phase,
        "ready": decision is not None and decision.approved and decision.ready,
        "attempt": attempt.number,
        "passed": attempt.passed,
        "first": attempt.first,
        "reached": attempt.reached,
        "decision": _decision(decision) if decision is not None else None,
        "open_resets": [each.date for each in state.unexplained],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "days": [_day(each) for each in attempt.days],
        "reset": _reset(attempt.reset) if attempt.reset is not None else None,
        "decision": _decision(attempt.decision) if attempt.decision is not None else None,
    }


def _day(day: Day) -> dict[str, Any]:
    fact = day.fact
    return {
        "date": fact.date,
        "run": fact.run,
        "number": day.number,
        "state": day.state,
        "cause": day.cause,
        "opened": fact.opened,
        "result": fact.result,
        "counts": fact.counts,
        "not_passed": fact.not_passed,
        "signed_at": fact.signed_at,
        "signer": fact.signer,
        "tier": fact.tier if fact.signed_at is not None else None,
        "amendments": fact.amendments,
        "seq": fact.seq,
        "hash": fact.hash,
        "exclusion": _said(fact.exclusion),
        "fault": fact.fault,
    }


def _reset(reset: Reset) -> dict[str, Any]:
    return {
        "date": reset.date,
        "run": reset.run,
        "cause": reset.cause,
        "passed": reset.reached,
        "reason": _said(reset.reason),
    }


def _said(said: Said | None) -> dict[str, Any] | None:
    if said is None:
        return None
    return {
        "text": said.text,
        "who": said.who,
        "at": said.at,
        "tier": said.tier,
        "accepted_by": said.accepted_by,
    }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "approved": decision.approved,
        "ready": decision.ready,
        "by": decision.by,
        "at": decision.at,
        "last": decision.last,
        "run": decision.run,
        "seq": decision.seq,
        "tier": decision.tier,
        "complete": decision.complete,
        "reason": decision.reason,
        "changed": decision.changed,
        "void": decision.void,
    }


def _review(case: "Case") -> dict[str, Any] | None:
    review = case.review
    if review is None:
        return None
    return {
        "run": review.run,
        "opened": review.opened,
        "signed_at": review.signed_at,
        "signer": review.signer,
        "tier": review.tier if review.signed_at is not None else None,
        "passed": review.passed,
        "fault": review.fault,
        "not_green": [
            {"title": each.title, "outcome": each.outcome, "summary": each.summary, "notes": each.notes}
            for each in case.review_items
        ],
        "to_do": case.review_hurdles,
    }
