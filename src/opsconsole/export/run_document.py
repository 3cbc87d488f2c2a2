"""Fills the document of a run (see documents.py), which JSON and TOML write down."""

import datetime as dt
from collections.abc import Iterator, Mapping

from opsconsole.contracts.exporter import Report
from opsconsole.export import documents as doc
from opsconsole.export.decision_document import action_document, approval_document
from opsconsole.export.facts import monitored_by, principal_of, weekday
from opsconsole.export.item_document import amendment_document, item_document, note_document, person, stamp, utc
from opsconsole.export.trail import deeds
from opsconsole.model.events import Amended, Body, kind_of
from opsconsole.model.outcomes import Outcome
from opsconsole.model.runs import RunState, SignOff
from opsconsole.model.signoff import hurdles


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
            needs_signature=state.definition.needs_signature,
            definition_hash=state.definition_hash,
            edits=[stamp(each) for each in state.redefinitions],
        ),
        business_date=times.business_date,
        weekday=weekday(times.business_date),
        period=doc.PeriodDocument(key=times.period.key, start=times.period.start, end=times.period.end),
        timezone=times.timezone,
        covered_date=times.covered_date,
        scheduled_at=_utc_or_none(times.scheduled),
        begins_at=utc(times.begins_at),
        due_at=utc(times.due_at),
        overdue_at=utc(times.overdue_at),
        ends_at=_utc_or_none(times.ends_at),
        window=doc.WindowDocument(
            start=times.window.start,
            end=times.window.end,
            begins_at=utc(times.window.begins_at),
            ends_at=utc(times.window.ends_at),
        ),
        qualified=_qualified(state),
        monitoring=_monitoring(report),
        opened=stamp(state.opened),
        operators=list(monitored_by(state)),
        missed=state.missed,
        result=state.result,
        passed=state.passed,
        counts=_counts(state.counts),
        to_do=_to_do(state),
        items=[item_document(each, state) for each in state.items.values()],
        retired_items=[item_document(each, state) for each in state.retired.values()],
        fields=list(_fields(state)),
        notes=[note_document(each) for each in state.notes],
        actions=[action_document(each) for each in state.actions.values()],
        signatures=[_signature(each) for each in state.signatures],
        amendments=[amendment_document(each, state) for each in state.amendments],
        pruned=_pruned(state),
        trail=_trail(report),
        chain=doc.ChainDocument(
            store_id=report.store_id,
            store_location=report.store_location,
            run_seq=state.last_seq,
            run_hash=state.head_hash,
            head_seq=report.head.seq,
            head_hash=report.head.hash,
        ),
        exported=doc.ExportDocument(at=_utc_or_none(report.exported_at), version=report.version),
    )


def _utc_or_none(at: dt.datetime | None) -> dt.datetime | None:
    return None if at is None else utc(at)


def _counts(counts: Mapping[Outcome, int]) -> dict[Outcome, int]:
    return {outcome: counts.get(outcome, 0) for outcome in Outcome}


def _monitoring(report: Report) -> doc.MonitoringDocument | None:
    found = report.monitoring
    return None if found is None else doc.MonitoringDocument(day=found.day, length=found.length)


def _qualified(state: RunState) -> doc.QualifiedDocument | None:
    if state.qualified is None:
        return None
    first, last = state.qualified
    return doc.QualifiedDocument(first=first, last=last)


def _to_do(state: RunState) -> list[doc.HurdleDocument]:
    left = hurdles(state) if state.signed is None else ()
    return [doc.HurdleDocument(item=each.item, field=each.field, text=each.text) for each in left]


def _fields(state: RunState) -> Iterator[doc.FieldDocument]:
    for field in state.definition.fields:
        written = state.fields.get(field.id)
        yield doc.FieldDocument(
            id=field.id,
            title=field.title,
            required=field.required,
            written=None if written is None else note_document(written),
            amendments=[
                amendment_document(each, state) for each in state.amendments if each.amendment.field == field.id
            ],
        )


def _signature(signature: SignOff) -> doc.SignatureDocument:
    statement = signature.body.statement
    return doc.SignatureDocument(
        seq=signature.seq,
        hash=signature.hash,
        meaning=statement.meaning,
        result=statement.result,
        counts=_counts(statement.counts),
        name=statement.name,
        login=statement.login,
        host=statement.host,
        signed_at=utc(statement.signed_at),
        timezone=statement.timezone,
        utc_offset=statement.utc_offset,
        clock=statement.clock,
        store_id=statement.store_id,
        definition_hash=statement.definition_hash,
        head_seq=statement.head_seq,
        head_hash=statement.head_hash,
        amends=statement.amends,
        approval=None if statement.approval is None else approval_document(statement.approval),
        tier=signature.body.signature.tier,
        principal=principal_of(signature),
        fingerprint=signature.body.signature.fingerprint,
        armored=signature.body.signature.armored,
    )


def _pruned(state: RunState) -> list[doc.PrunedDocument]:
    return [
        doc.PrunedDocument(
            through_seq=each.through_seq,
            texts=each.texts,
            characters=each.characters,
            files=list(each.files),
            older_than=utc(each.older_than),
        )
        for each in state.pruned
    ]


def _trail(report: Report) -> list[doc.DeedDocument]:
    return [
        doc.DeedDocument(
            seq=stored.seq,
            hash=stored.hash,
            at=utc(stored.event.at),
            by=person(stored.event.actor),
            kind=kind_of(stored.event.body),
            item=_item_of(stored.event.body),
            text=words,
        )
        for stored, words in deeds(report.events)
    ]


def _item_of(body: Body) -> str:
    if isinstance(body, Amended):
        return body.statement.amendment.item if body.statement.amendment is not None else ""
    return getattr(body, "item", "")
