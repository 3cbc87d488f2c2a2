"""A run as JSON, for programs: complete, in ASCII, its keys always all there and in the same order."""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from opsconsole.contracts.exporter import Report
from opsconsole.export import documents as doc
from opsconsole.export.facts import monitored_by, near, weekday
from opsconsole.export.trail import deeds
from opsconsole.model.events import Actor, kind_of
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Problem, Reading
from opsconsole.model.runs import Attempt, By, ItemState, Note, RunState, SignOff, Waiver
from opsconsole.model.signoff import hurdles
from opsconsole.model.values import Moment, Value


class JsonExporter:
    """The schema `opsconsole.run.v1`, described in `docs/formats.md`."""

    name = "json"
    suffix = ".json"

    def render(self, report: Report) -> str:
        """Return the run as one JSON object, indented, in ASCII; texts in it are exactly as they were recorded."""
        plain = _encodable(msgspec.to_builtins(run_document(report), str_keys=True))
        text = json.dumps(plain, indent=2, ensure_ascii=True, allow_nan=False)
        # DEL is the one control character that JSON lets stand as it is; it can only be within a string.
        return text.replace("\x7f", "\\u007f") + "\n"


def _encodable(value: Any) -> Any:
    """Return a plain value whose texts can be encoded: a lone surrogate, which readers refuse, is spelled out."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(each) for key, each in value.items()}
    return [_encodable(each) for each in value] if isinstance(value, list) else value


def run_document(report: Report) -> doc.RunDocument:
    """Return the whole run in the form of the schema."""
    state, times = report.state, report.state.times
    return doc.RunDocument(
        run=state.run,
        checklist=doc.ChecklistDocument(
            id=state.definition.id,
            title=state.definition.title,
            system=state.definition.system,
            cadence=state.definition.cadence,
            definition_hash=state.definition_hash,
            edits=[_stamp(each) for each in state.redefinitions],
        ),
        business_date=times.business_date,
        weekday=weekday(times.business_date),
        period=doc.PeriodDocument(key=times.period.key, start=times.period.start, end=times.period.end),
        timezone=times.timezone,
        covered_date=times.covered_date,
        scheduled_at=None if times.scheduled is None else _utc(times.scheduled),
        due_at=_utc(times.due_at),
        overdue_at=_utc(times.overdue_at),
        monitoring=_monitoring(report),
        opened=_stamp(state.opened),
        operators=list(monitored_by(state)),
        result=state.result,
        counts=_counts(state.counts),
        to_do=_to_do(state),
        items=[_item(each) for each in state.items.values()],
        retired_items=[_item(each) for each in state.retired.values()],
        fields=_fields(state),
        notes=[_note(each) for each in state.notes],
        signatures=[_signature(each) for each in state.signatures],
        trail=_trail(report),
        chain=doc.ChainDocument(
            store_id=report.store_id,
            store_location=report.store_location,
            run_seq=state.last_seq,
            run_hash=state.head_hash,
            head_seq=report.head.seq,
            head_hash=report.head.hash,
        ),
        exported=doc.ExportDocument(at=_utc(report.exported_at), version=report.version),
    )


def _utc(at: dt.datetime) -> dt.datetime:
    return at.astimezone(dt.UTC)


def _person(actor: Actor) -> doc.Person:
    return doc.Person(login=actor.login, name=actor.name, host=actor.host, via=actor.via)


def _stamp(by: By) -> doc.Stamp:
    return doc.Stamp(at=_utc(by.at), by=_person(by.actor))


def _note(note: Note) -> doc.NoteDocument:
    return doc.NoteDocument(text=note.text, at=_utc(note.by.at), by=_person(note.by.actor))


def _counts(counts: Mapping[Outcome, int]) -> dict[Outcome, int]:
    return {outcome: counts.get(outcome, 0) for outcome in Outcome}


def _monitoring(report: Report) -> doc.MonitoringDocument | None:
    found = report.monitoring
    return None if found is None else doc.MonitoringDocument(day=found.day, length=found.length)


def _to_do(state: RunState) -> list[doc.HurdleDocument]:
    left = hurdles(state) if state.signed is None else ()
    return [doc.HurdleDocument(item=each.item, field=each.field, text=each.text) for each in left]


def _fields(state: RunState) -> list[doc.FieldDocument]:
    found = []
    for field in state.definition.fields:
        written = state.fields.get(field.id)
        found.append(
            doc.FieldDocument(
                id=field.id,
                title=field.title,
                required=field.required,
                written=None if written is None else _note(written),
            )
        )
    return found


# --- items ------------------------------------------------------------------------------------------


def _item(state: ItemState) -> doc.ItemDocument:
    item = state.item
    return doc.ItemDocument(
        id=item.id,
        title=item.title,
        section=state.section,
        kind="manual" if item.manual else "check" if item.entry is None else "entry",
        probe=item.probe,
        refs=list(item.refs),
        requires=list(item.requires),
        targets=list(item.for_each),
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
        ticked=None if state.ticked is None else _stamp(state.ticked),
        skipped=None if state.skipped is None else _note(state.skipped),
        waiver=None if state.waiver is None else _waiver(state.waiver),
        notes=[_note(each) for each in state.notes],
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
        entered=None if typed is None else _stamp(typed.by),
    )


def _waiver(waiver: Waiver) -> doc.WaiverDocument:
    return doc.WaiverDocument(
        reason=waiver.body.reason,
        expires=waiver.body.expires,
        author=waiver.author,
        origin=waiver.body.origin,
        at=_utc(waiver.by.at),
        by=_person(waiver.by.actor),
    )


def _attempt(attempt: Attempt) -> doc.AttemptDocument:
    body = attempt.body
    return doc.AttemptDocument(
        seq=attempt.seq,
        target=body.target,
        attempt=body.attempt,
        final=body.final,
        started_at=_utc(body.started_at),
        elapsed=body.elapsed,
        by=_person(attempt.by.actor),
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
        evidence=[
            doc.EvidenceDocument(title=each.title, text=each.text, truncated=each.truncated)
            for each in reading.evidence
        ],
        command=reading.command,
    )


def _value(value: Value) -> Value:
    return Moment(_utc(value.at)) if isinstance(value, Moment) else value


# --- sign-off and trail -----------------------------------------------------------------------------


def _signature(signature: SignOff) -> doc.SignatureDocument:
    statement = signature.body.statement
    return doc.SignatureDocument(
        seq=signature.seq,
        meaning=statement.meaning,
        result=statement.result,
        counts=_counts(statement.counts),
        name=statement.name,
        login=statement.login,
        host=statement.host,
        signed_at=_utc(statement.signed_at),
        timezone=statement.timezone,
        utc_offset=statement.utc_offset,
        store_id=statement.store_id,
        definition_hash=statement.definition_hash,
        head_seq=statement.head_seq,
        head_hash=statement.head_hash,
        tier=signature.body.signature.tier,
        principal=signature.body.signature.principal,
        armored=signature.body.signature.armored,
    )


def _trail(report: Report) -> list[doc.DeedDocument]:
    return [
        doc.DeedDocument(
            seq=stored.seq,
            hash=stored.hash,
            at=_utc(stored.event.at),
            by=_person(stored.event.actor),
            kind=kind_of(stored.event.body),
            item=getattr(stored.event.body, "item", ""),
            text=words,
        )
        for stored, words in deeds(report.events)
    ]
