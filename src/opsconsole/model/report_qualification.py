"""Makes the report of a qualification of what the record tells: pure, and the same for every format."""

import datetime as dt
from collections.abc import Iterator, Sequence

from opsconsole.model.actions import Action
from opsconsole.model.counting import Attempt, Day, DayState, Decision, QualificationState
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.qualification_reports import (
    AttemptLine,
    DayLine,
    DecisionLine,
    Issue,
    QualificationReport,
    ReviewLine,
)
from opsconsole.model.qualification_summary import DECIDED, Monitored, summary_of
from opsconsole.model.report_runs import Told
from opsconsole.model.report_series import accuracy_of, nearest_first, series_of
from opsconsole.model.report_spells import BAD, in_order, observations, troubles_of
from opsconsole.model.report_written import action_lines, amendments_of, written_in
from opsconsole.model.reports import Span, Trouble, Written
from opsconsole.model.runs import RunState
from opsconsole.model.tiers import Tier

_GRAVE = BAD | {Outcome.WAIVED, Outcome.WARN}


def qualification_report(found: Monitored) -> QualificationReport:
    """Return the report."""
    state, told = found.state, found.told
    definition = state.definition
    last = _narrowed(told, _measured_runs(state))
    series = series_of(last, every_column=True)
    named_rows = tuple(sorted((each for each in series if each.row), key=lambda each: each.row))
    dates = [each.date for each in told.present]
    span = Span(
        key=definition.id, start=min(dates, default=dt.date.min), end=found.now.astimezone(told.where).date()
    )
    troubles = in_order(troubles_of(told, found.now))
    measured = [each.date for each in last.present if each.state is not None]
    return QualificationReport(
        id=definition.id,
        title=definition.title,
        system=definition.system,
        checklist=definition.checklist,
        phase=state.phase,
        finished=state.phase in DECIDED,
        made_at=found.now,
        timezone=str(told.where),
        definition_hash=found.definition_hash,
        rules=tuple(_rules(state)),
        summary=summary_of(found),
        days=tuple(_days(found)),
        attempts=tuple(_attempt_line(each) for each in state.attempts),
        issues=tuple(issue for each in told.states for issue in _issues(each, troubles)),
        troubles=troubles,
        actions=action_lines(found.actions, span, told.where, span.end),
        measured_from=min(measured, default=None),
        measured_to=max(measured, default=None),
        performance=named_rows,
        resources=nearest_first(each for each in series if not each.row),
        accuracy=tuple(accuracy_of(last)),
        review=_review_line(found),
        recommendations=_recommendations(found.reviewed),
        decisions=tuple(_decisions(found)),
        blockers=() if state.phase in DECIDED else tuple(found.blockers),
        amendments=tuple(amendments_of(told, span)),
        written=tuple(each for run in told.states for each in written_in(run)),
        provenance=found.provenance,
    )


def _measured_runs(state: QualificationState) -> set[str]:
    """Return the runs of the last count of which any was opened."""
    for attempt in reversed(state.attempts):
        days = [each.fact for each in attempt.days if each.state is not DayState.AFTER]
        if any(each.opened and not each.missed for each in days):
            return {each.run for each in days}
    return set()


def _narrowed(told: Told, runs: set[str]) -> Told:
    """Return what is told of some runs only."""
    return Told(told.checklist, told.where, [each for each in told.present if each.run in runs])


def _rules(state: QualificationState) -> Iterator[tuple[str, str]]:
    definition = state.definition
    yield "consecutive days", str(definition.days)
    if definition.start is not None:
        yield "nothing counts before", str(definition.start)
    yield "weakest sign-off", str(definition.tier)
    yield "signed within", str(definition.sign_within)
    for name in ("warnings", "waivers", "skips", "unsigned", "missed", "definition_changes"):
        yield name.replace("_", " "), str(getattr(definition, name))
    yield "final review", definition.review or "none"
    yield "weakest approval", str(definition.approval.tier)
    yield "approval of own work", "allowed" if definition.approval.own_work else "not allowed"
    yield "decided within", str(definition.approval.within)


def _verified(found: Monitored) -> dict[str, tuple[str, str]]:
    return {each.run: (each.standing, "; ".join(each.faults)) for each in found.provenance.checks}


def _days(found: Monitored) -> Iterator[DayLine]:
    states = {each.run: each for each in found.told.states}
    verified = _verified(found)
    for attempt in found.state.attempts:
        for day in attempt.days:
            yield _day_line(attempt, day, states.get(day.fact.run), verified.get(day.fact.run, ("", "")))


def _day_line(attempt: Attempt, day: Day, run: RunState | None, verified: tuple[str, str]) -> DayLine:
    fact = day.fact
    notes = [f"{each.place}: {each.text}" if each.place else each.text for each in written_in(run)] if run else []
    return DayLine(
        attempt=attempt.number,
        number=day.number,
        date=fact.date,
        run=fact.run,
        state=day.state,
        result=fact.result,
        counts=fact.counts,
        signer=fact.signer,
        signed_at=fact.signed_at,
        tier=fact.tier if fact.signed_at is not None else None,
        cause=day.cause,
        notes=tuple(notes),
        verification=verified[0],
        fault=fact.fault or verified[1],
    )


def _attempt_line(attempt: Attempt) -> AttemptLine:
    reset = attempt.reset
    said = reset.reason if reset is not None else None
    return AttemptLine(
        number=attempt.number,
        first=attempt.first,
        passed=attempt.passed,
        length=attempt.length,
        ended_on=reset.date if reset is not None else None,
        cause=reset.cause if reset is not None else "",
        reason=said.text if said is not None else "",
        reason_by=said.who if said is not None else "",
    )


def _issues(state: RunState, troubles: Sequence[Trouble]) -> Iterator[Issue]:
    """Yield every item that was not plainly good in a run, and what its sheet says."""
    if state.missed:
        why = "; ".join(each.text for each in state.notes)
        yield Issue(
            date=state.times.business_date,
            run=state.run,
            subject="The whole checklist",
            outcome=None,
            text="nobody ran it",
            said=(why,) if why else (),
        )
        return
    for item in state.items.values():
        if item.outcome not in _GRAVE and item.skipped is None:
            continue
        said = [each.text for each in item.notes]
        if item.waiver is not None:
            said.append(
                f"waived by {item.waiver.author} until {item.waiver.body.expires}: {item.waiver.body.reason}"
            )
        yield Issue(
            date=state.times.business_date,
            run=state.run,
            subject=item.item.title,
            outcome=item.outcome,
            text=item.measured_summary if item.failed is None else item.summary,
            said=tuple(said),
            good_again_at=_good_again(state, item, troubles),
            actions=tuple(_became(each) for each in state.actions.values() if each.raised.item == item.item.id),
        )
    titles = {each.id: each.title for each in state.definition.fields}
    for name in ("issues", "actions"):
        if name in state.fields:
            yield Issue(
                date=state.times.business_date,
                run=state.run,
                subject=titles.get(name, name),
                outcome=None,
                text=state.fields[name].text,
                actions=tuple(_became(each) for each in state.actions.values() if not each.raised.item),
            )


def _good_again(state: RunState, item: ItemState, troubles: Sequence[Trouble]) -> dt.datetime | None:
    """Return when an item that a run saw bad was good again."""
    bad = [each.at for each in observations(state, item) if each.outcome in BAD]
    spells = [spell for each in troubles if each.item == item.item.id for spell in each.spells]
    return next((each.ended_at for each in spells if bad and each.began_at <= bad[0] <= each.last_bad_at), None)


def _became(action: Action) -> str:
    said = [each.body.text for each in action.steps if each.body.text]
    return f"{action.raised.text}: {action.state}{f', {said[-1]}' if said else ''}"


def _review_line(found: Monitored) -> ReviewLine | None:
    if found.review is None:
        return None
    items = found.reviewed.items.values() if found.reviewed is not None else ()
    return ReviewLine(
        run=found.review.run,
        opened=found.review.opened,
        passed=found.review.passed,
        signed_at=found.review.signed_at,
        signer=found.review.signer,
        fault=found.review.fault,
        outcomes=tuple((each.item.title, each.outcome, each.summary) for each in items),
    )


def _recommendations(review: RunState | None) -> tuple[Written, ...]:
    return tuple(each for each in written_in(review) if each.field) if review is not None else ()


def _decisions(found: Monitored) -> Iterator[DecisionLine]:
    phase = found.state.definition.phase
    for each in found.state.attempts:
        if each.decision is not None:
            yield _decision_line(each.decision, phase, found.tiers.get(each.decision.seq), overturned=False)
    for decision in found.state.overturned:
        yield _decision_line(decision, phase, found.tiers.get(decision.seq), overturned=True)


def _decision_line(decision: Decision, phase: str, tier: Tier | None, *, overturned: bool) -> DecisionLine:
    return DecisionLine(
        approved=decision.approved,
        ready=decision.ready,
        phase=phase,
        by=decision.by,
        at=decision.at,
        tier=tier,
        run=decision.run,
        reason=decision.reason,
        overturned=overturned,
    )
