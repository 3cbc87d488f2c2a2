"""Fills the part of the run's document that is about one item, and what occurs in many places of it."""

import datetime as dt

from opsconsole.export import documents as doc
from opsconsole.export.facts import near, sign_off_at
from opsconsole.model.deeds import Attempt, By, Corrected, Note, Waiver
from opsconsole.model.events import Actor
from opsconsole.model.item_state import ItemState
from opsconsole.model.readings import Evidence, Past, Problem, Reading
from opsconsole.model.record import sha256_of
from opsconsole.model.runs import RunState
from opsconsole.model.text import storable
from opsconsole.model.values import Moment, Value


def utc(at: dt.datetime) -> dt.datetime:
    """Return the same instant in UTC."""
    return at.astimezone(dt.UTC)


def person(actor: Actor) -> doc.Person:
    """Return who did something."""
    return doc.Person(login=actor.login, name=actor.name, host=actor.host, via=actor.via, key=actor.key)


def stamp(by: By) -> doc.Stamp:
    """Return who did something, and when."""
    return doc.Stamp(at=utc(by.at), by=person(by.actor))


def note_document(note: Note) -> doc.NoteDocument:
    """Return what a person wrote."""
    return doc.NoteDocument(text=note.text, at=utc(note.by.at), by=person(note.by.actor))


def amendment_document(corrected: Corrected, state: RunState) -> doc.AmendmentDocument:
    """Return one amendment with what it replaced, and what the run came to with it."""
    amendment, signature = corrected.amendment, sign_off_at(state, corrected.seq)
    statement = signature.body.statement if signature is not None else None
    return doc.AmendmentDocument(
        seq=corrected.seq,
        kind=amendment.kind,
        item=amendment.item,
        field=amendment.field,
        qualification=amendment.qualification,
        was=corrected.was,
        text=amendment.text,
        value=_value(amendment.value),
        outcome=None if amendment.judgement is None else amendment.judgement.outcome,
        reason=amendment.reason,
        result=None if statement is None else statement.result,
        name=statement.name if statement is not None else corrected.by.actor.shown,
        at=utc(corrected.by.at),
        by=person(corrected.by.actor),
    )


def item_document(state: ItemState, run: RunState) -> doc.ItemDocument:
    """Return everything about one item of `run`."""
    item = state.item
    return doc.ItemDocument(
        id=item.id,
        title=item.title,
        section=state.section,
        kind="manual" if item.manual else "check" if item.entry is None else "entry",
        probe=item.probe,
        refs=list(item.refs),
        requires=list(item.requires),
        targets=list(state.targets),
        targets_from=item.listed_by,
        require=[each.text for each in item.require],
        target=[each.text for each in item.target],
        runbook=item.on_fail.runbook,
        escalate=item.on_fail.escalate,
        priority=item.priority,
        minutes=item.minutes,
        outcome=state.outcome,
        measured_outcome=state.measured_outcome,
        near=near(state),
        summary=state.summary,
        judgements=[
            doc.JudgementDocument(
                target=target, outcome=each.outcome, summary=each.summary, findings=list(each.findings)
            )
            for target, each in state.judgements.items()
        ],
        attempts=[_attempt(each) for each in state.attempts],
        entry=_entry(state),
        ticked=None if state.ticked is None else stamp(state.ticked),
        skipped=None if state.skipped is None else note_document(state.skipped),
        waiver=None if state.waiver is None else _waiver(state.waiver),
        notes=[note_document(each) for each in state.notes],
        amendments=[amendment_document(each, run) for each in state.amendments],
    )


def _entry(state: ItemState) -> doc.EntryDocument | None:
    if state.item.entry is None:
        return None
    typed = state.typed
    return doc.EntryDocument(
        label=state.item.entry.label,
        unit=state.item.entry.unit,
        text=None if typed is None else typed.body.text,
        value=None if typed is None else _value(typed.body.value),
        entered=None if typed is None else stamp(typed.by),
        past=[] if typed is None else [_past(each) for each in typed.body.past],
    )


def _waiver(waiver: Waiver) -> doc.WaiverDocument:
    return doc.WaiverDocument(
        reason=waiver.body.reason,
        expires=waiver.body.expires,
        author=waiver.author,
        origin=waiver.body.origin,
        at=utc(waiver.by.at),
        by=person(waiver.by.actor),
    )


def _attempt(attempt: Attempt) -> doc.AttemptDocument:
    body = attempt.body
    return doc.AttemptDocument(
        seq=attempt.seq,
        target=body.target,
        attempt=body.attempt,
        final=body.final,
        started_at=utc(body.started_at),
        elapsed=body.elapsed,
        by=person(attempt.by.actor),
        outcome=body.judgement.outcome,
        summary=body.judgement.summary,
        findings=list(body.judgement.findings),
        problem=None if body.problem is None else _problem(body.problem),
        reading=None if body.reading is None else _reading(body.reading),
    )


def _problem(problem: Problem) -> doc.ProblemDocument:
    return doc.ProblemDocument(reason=problem.reason, cause=problem.cause, hint=problem.hint)


def _reading(reading: Reading) -> doc.ReadingDocument:
    return doc.ReadingDocument(
        measures={name: _value(each) for name, each in reading.measures.items()},
        columns=list(reading.columns),
        rows=[[_value(each) for each in row] for row in reading.rows],
        label=reading.label,
        truncated=reading.truncated,
        evidence=[_evidence(each) for each in reading.evidence],
        command=reading.command,
        past=[_past(each) for each in reading.past],
        lower_bounds=list(reading.lower_bounds),
    )


def _past(past: Past) -> doc.PastDocument:
    return doc.PastDocument(
        subject=past.subject,
        row=past.row,
        values=dict(past.values),
        runs=dict(past.runs),
        readings=past.readings,
        missing=dict(past.missing),
        problem=past.problem,
    )


def _evidence(evidence: Evidence) -> doc.EvidenceDocument:
    return doc.EvidenceDocument(
        title=evidence.title,
        text=evidence.text,
        truncated=evidence.truncated,
        sha256=evidence.sha256 or sha256_of(storable(evidence.text)),
        pruned=evidence.pruned,
    )


def _value(value: Value) -> Value:
    return Moment(utc(value.at)) if isinstance(value, Moment) else value
