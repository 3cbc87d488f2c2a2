"""What people wrote, raised and corrected, for a report."""

import datetime as dt
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from opsconsole.model.actions import Action
from opsconsole.model.deeds import Corrected, Note
from opsconsole.model.report_runs import Told
from opsconsole.model.reports import ActionLine, AmendmentLine, Span, Written
from opsconsole.model.runs import RunState


def written_in(state: RunState) -> Iterator[Written]:
    """Yield the fields and notes of a run word for word: its sheet, its own notes, those of its items."""
    titles = {each.id: each.title for each in state.definition.fields}
    for name, note in state.fields.items():
        yield _written(state, titles.get(name, name), name, note)
    for note in state.notes:
        yield _written(state, "", "", note)
    for item in state.items.values():
        for note in item.notes:
            yield _written(state, item.item.title, "", note)


def _written(state: RunState, place: str, field: str, note: Note) -> Written:
    return Written(
        run=state.run,
        date=state.times.business_date,
        place=place,
        field=field,
        text=note.text,
        by=note.by.actor.shown,
        at=note.by.at,
    )


def action_lines(actions: Iterable[Action], span: Span, where: ZoneInfo, today: dt.date) -> tuple[ActionLine, ...]:
    """Return the action items that were open at some time of the period, as they are now: late ones first.

    Those that were raised after the period are left out.
    """
    lines = [_action_line(each, span, where, today) for each in actions if _local(each.at, where) <= span.end]
    telling = [
        each
        for each in lines
        if each.ended_at is None or each.raised_in_period or _local(each.ended_at, where) >= span.start
    ]
    return tuple(
        sorted(
            telling,
            key=lambda each: (each.ended_at is not None, not each.late, each.due or dt.date.max, each.raised_at),
        )
    )


def _local(at: dt.datetime, where: ZoneInfo) -> dt.date:
    return at.astimezone(where).date()


def _action_line(action: Action, span: Span, where: ZoneInfo, today: dt.date) -> ActionLine:
    ended = action.steps[-1] if action.steps and not action.is_open else None
    said = [each.body.text for each in action.steps if each.body.text]
    return ActionLine(
        id=action.id,
        text=action.raised.text,
        state=action.state,
        owner=action.owner,
        due=action.due,
        late=action.is_late(today),
        raised_by=action.actor.shown,
        raised_at=action.at,
        raised_in_period=span.start <= _local(action.at, where) <= span.end,
        ended_by=ended.actor.shown if ended is not None else "",
        ended_at=ended.at if ended is not None else None,
        outcome=said[-1] if said else "",
    )


def amendments_of(told: Told, span: Span) -> list[AmendmentLine]:
    """Return the amendments to runs of the period, whenever made, and those made in it to the runs around it."""
    own = {each.run for each in told.states}
    return [
        _amendment_line(state, each)
        for state in (*told.earlier, *told.states_before, *told.states)
        for each in state.amendments
        if state.run in own or span.start <= _local(each.by.at, told.where) <= span.end
    ]


def _amendment_line(state: RunState, corrected: Corrected) -> AmendmentLine:
    amendment = corrected.amendment
    now = amendment.text
    if amendment.judgement is not None:
        now = f"{amendment.text} ({amendment.judgement.outcome})"
    return AmendmentLine(
        run=state.run,
        kind=amendment.kind,
        subject=amendment.item or amendment.field or amendment.qualification,
        was=corrected.was,
        now=now,
        reason=amendment.reason,
        by=corrected.by.actor.shown,
        at=corrected.by.at,
    )
