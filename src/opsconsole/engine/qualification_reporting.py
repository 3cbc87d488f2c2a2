"""Gathers from the record what the report of a qualification is made of; see model/qualification_reports.py."""

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.evidence import Evidence
from opsconsole.engine.overview import all_actions
from opsconsole.engine.reporting import Checked, checked
from opsconsole.model.approving import ReviewFact, blockers
from opsconsole.model.calendar import period_of, times_of
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.counting import Day, QualificationState
from opsconsole.model.events import DECIDING
from opsconsole.model.qualification_reports import QualificationReport
from opsconsole.model.qualification_summary import Monitored
from opsconsole.model.qualifications import qualification_hash
from opsconsole.model.report_qualification import qualification_report
from opsconsole.model.report_runs import Expected, Told
from opsconsole.model.reports import Provenance
from opsconsole.model.runs import RunState
from opsconsole.model.tiers import Tier
from opsconsole.model.version import VERSION

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from opsconsole.engine.engine import Engine
    from opsconsole.engine.verifying import Verifying


def report_of(
    engine: "Engine", checklists: Mapping[str, Checklist], name: str, verifying: "Verifying | None"
) -> QualificationReport:
    """Return the report of a qualification, at whatever phase it is; its records are verified for it first.

    Without `verifying` they are not, and the report says so. Reads the store and runs `ssh-keygen` for each
    signature. Raises ActionRefused for a name that there is not, or whose checklist is gone.
    """
    now, definition = engine.clock(), engine.qualifying.definition(name)
    checklist = checklists.get(definition.checklist)
    if checklist is None:
        raise ActionRefused(f"{name} counts runs of '{definition.checklist}', and there is no such checklist")
    known = engine.qualifying.verified(name, verifying) if verifying is not None else Evidence()
    state = engine.qualifying.state(name, None, known.faults, known.unchecked)
    review = engine.qualifying.review(state, known.faults, known.unchecked)
    runs = _runs_of(state, review)
    found = checked(verifying, runs) if verifying is not None else Checked()
    reviewed = engine.load(review.run) if review is not None and review.opened else None
    head = engine.store.head()
    raised_in = [definition.checklist, *([definition.review] if definition.review else [])]
    return qualification_report(
        Monitored(
            state=state,
            now=now,
            told=_told(engine, checklist, state),
            review=review,
            reviewed=reviewed,
            tiers=_tiers(engine, state),
            actions=[each for one in raised_in for each in all_actions(engine, one)],
            blockers=blockers(state, review, now, known.record),
            definition_hash=qualification_hash(definition),
            provenance=Provenance(
                store_id=engine.store.store_id,
                location=engine.store.location,
                head_seq=head.seq,
                head_hash=head.hash,
                runs=len(runs),
                version=VERSION,
                verified=verifying is not None,
                chain=found.chain,
                lost=found.lost,
                unread=found.unread,
                checks=found.checks,
            ),
        )
    )


def _runs_of(state: QualificationState, review: ReviewFact | None) -> list[str]:
    """Return every run that the report rests on: the days of all counts, the final review, the decisions."""
    runs = [day.fact.run for attempt in state.attempts for day in attempt.days if day.fact.opened]
    runs += [each.decision.run for each in state.attempts if each.decision is not None]
    runs += [each.run for each in state.overturned]
    runs += [review.run] if review is not None and review.opened else []
    return list(dict.fromkeys(runs))


def _told(engine: "Engine", checklist: Checklist, state: QualificationState) -> Told:
    where = engine.zone_of(checklist)
    days = {day.fact.run: day for attempt in state.attempts for day in attempt.days}
    present = [_expected(engine, checklist, day, where) for day in days.values()]
    return Told(checklist, where, sorted(present, key=lambda each: each.date))


def _expected(engine: "Engine", checklist: Checklist, day: Day, where: "ZoneInfo") -> Expected:
    run: RunState | None = engine.history.state(day.fact.run) if day.fact.opened else None
    date: dt.date = day.fact.date
    times = run.times if run is not None else times_of(checklist, period_of(date, Cadence.DAILY), where)
    return Expected(day.fact.run, date, times, due=True, state=run)


def _tiers(engine: "Engine", state: QualificationState) -> dict[int, Tier]:
    """Return how strongly each decision was signed, by the seq of its signature."""
    decided_in = [each.decision.run for each in state.attempts if each.decision is not None]
    decided_in += [each.run for each in state.overturned]
    runs = (engine.load(run) for run in dict.fromkeys(decided_in))
    return {
        each.seq: each.body.signature.tier
        for run in runs
        if run is not None
        for each in run.signatures
        if each.body.statement.meaning in DECIDING
    }
