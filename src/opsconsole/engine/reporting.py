"""Gathers from the record what a report is made of; what it says is computed in model/report_*.py."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.contracts.store import RunKey
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.identity import local_zone
from opsconsole.engine.overview import all_actions
from opsconsole.engine.sparing import SparingReader
from opsconsole.model.actions import Action
from opsconsole.model.calendar import (
    Period,
    due_date,
    is_slot,
    midnight,
    period_at,
    period_of,
    periods_since,
    previous,
    slot_begins,
    times_of,
    zone,
)
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.counting import Phase, QualificationState
from opsconsole.model.events import Stored
from opsconsole.model.outstanding import exclusions_waiting
from opsconsole.model.period_names import dates_named
from opsconsole.model.report_effort import Act, acts_of
from opsconsole.model.report_period import Asked, period_report
from opsconsole.model.report_runs import Expected, Told
from opsconsole.model.report_spells import saw_good, unsettled
from opsconsole.model.reports import INTACT, PeriodReport, Provenance, QualificationLine, RecordCheck
from opsconsole.model.runs import RunState, fold
from opsconsole.model.verification import Weight
from opsconsole.model.version import VERSION

if TYPE_CHECKING:
    from opsconsole.engine.engine import Engine
    from opsconsole.engine.verifying import Verifying

LOOKED_ON = 400
"""Runs of one checklist, around the periods of a report, in which the beginning or the end of what was not good is
looked for, at most."""
_MANY = 500
"""Runs of one checklist that are read in one pass over the record, others included, instead of one by one."""
_DAY = dt.timedelta(days=1)


@dataclass
class Reporting:
    """Makes reports over one record. Reads the store; call it from a thread where a screen waits.

    `checklists` are those that there are now. `verifying` is what verifies the record, where that is asked for.
    """

    engine: "Engine"
    checklists: Mapping[str, Checklist]
    verifying: "Verifying | None" = None
    timezone: str = ""
    """Of whoever makes it, which says what date it is; that of this host where it is left out."""
    _folded: dict[str, RunState] = field(default_factory=dict)
    _acts: list[Act] = field(default_factory=list)
    _keys: dict[str, list[RunKey]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._now = self.engine.clock()
        self._reader = SparingReader(self.engine.store)
        self._where = zone(self.timezone or local_zone())

    # --- the report --------------------------------------------------------------------------------

    def period(self, cadence: Cadence, at: str = "") -> Period:
        """Return the period that `at` names: a date in it, its key, `last` for the one before the present one.

        Raises ActionRefused for a text that is none of these. Without one it is the present period.
        """
        today = self._now.astimezone(self._where).date()
        present = period_of(today, cadence)
        if at in {"", "last"}:
            return present if not at else previous(present, cadence)
        named = dates_named(at)
        if named is None or (named.start != named.end and period_of(named.start, cadence) != named):
            example = period_of(dt.date(2026, 11, 21), cadence).key
            raise ActionRefused(
                f"'{at}' names no {_NOUNS[cadence]}",
                f"write a date in it, or its name such as {example}, or 'last'",
            )
        found = period_of(named.start, cadence)
        if found.start > today:
            raise ActionRefused(f"{found.key} has not come yet: today is {today}")
        return found

    def report(self, cadence: Cadence, at: str = "", *, system: str = "", checklist: str = "") -> PeriodReport:
        """Return the report of a period; raises ActionRefused for a name that there is not, StoreError."""
        period = self.period(cadence, at)
        asked = Asked(
            cadence=cadence,
            period=period,
            before=previous(period, cadence),
            now=self._now,
            where=self._where,
            system=system,
            checklist=checklist,
        )
        wanted = list(self._wanted(system, checklist))
        tellings = [told for each, removed in wanted if (told := self._told(each, asked, removed)) is not None]
        names = [told.checklist.id for told in tellings]
        return period_report(
            asked,
            tellings,
            acts=self._acts,
            actions=self._actions(names if system or checklist else []),
            qualifications=[
                self.qualification_line(each, asked)
                for each in self.engine.qualifying.qualifications
                if self.engine.qualifying.definition(each).checklist in names
            ],
            provenance=self._provenance(tellings),
        )

    def _wanted(self, system: str, checklist: str) -> Iterator[tuple[Checklist, bool]]:
        """Yield the checklists asked for, and whether they are there no more; raises ActionRefused for none."""
        for key in self.engine.store.runs():
            self._keys.setdefault(key.checklist, []).append(key)
        known = {**dict.fromkeys(self._keys), **self.checklists}
        ordered = [*self.checklists, *sorted(name for name in self._keys if name not in self.checklists)]
        if checklist and checklist not in known:
            raise ActionRefused(
                f"there is no checklist '{checklist}' and no run of one", "`opsconsole list` shows those there are"
            )
        found = False
        for name in ordered:
            definition = self.checklists.get(name) or self._last_definition(name)
            if definition is None or (checklist and name != checklist) or (system and definition.system != system):
                continue
            found = True
            yield definition, name not in self.checklists
        if system and not found:
            systems = sorted({each.system for each in self.checklists.values() if each.system})
            raise ActionRefused(
                f"no checklist is of the system '{system}'", f"there are: {', '.join(systems) or 'none'}"
            )

    def _last_definition(self, name: str) -> Checklist | None:
        state = self._state(self._keys[name][0].id)
        return state.definition if state is not None else None

    # --- runs --------------------------------------------------------------------------------------

    def _state(self, run: str) -> RunState | None:
        """Return a run, folded once; what people did in it is remembered."""
        if run not in self._folded:
            self._fold(run, list(self._reader.events(run)))
        return self._folded.get(run)

    def _fold(self, run: str, events: Sequence[Stored]) -> None:
        state = fold(events)
        if state is not None:
            self._folded[run] = state
            self._acts += acts_of(events)

    def _read_ahead(self, keys: Sequence[RunKey], asked: Asked) -> None:
        """Read the runs of both periods in one pass, where there are many."""
        begins, ends = asked.before.start - _DAY, asked.period.end + _DAY
        named = ((key.id, dates_named(key.period)) for key in keys if key.id not in self._folded)
        wanted = [run for run, dates in named if dates is not None and dates.start <= ends and dates.end >= begins]
        if len(wanted) > _MANY:
            for run, events in self._reader.events_of(wanted).items():
                self._fold(run, events)

    def _told(self, checklist: Checklist, asked: Asked, removed: bool) -> Told | None:
        """Return what the record tells of a checklist; None for a removed one that has no part in the report."""
        where = self.engine.zone_of(checklist)
        keys = self._keys.get(checklist.id, [])
        if not keys:
            return None if removed else self._never_run(checklist, where)
        self._read_ahead(keys, asked)
        present = self._expected(checklist, where, asked.period, removed=removed)
        before = self._expected(checklist, where, asked.before, removed=removed)
        if removed and not present and not before:
            return None
        return Told(
            checklist,
            where,
            present,
            before,
            earlier=self._looked_on([*before, *present], keys, backwards=True),
            later=self._looked_on([*before, *present], keys, backwards=False),
            removed=removed,
        )

    def _never_run(self, checklist: Checklist, where: ZoneInfo) -> Told:
        if checklist.due.after:
            return Told(checklist, where, ())
        present = period_at(checklist, self._now, where)
        awaited = self._now >= times_of(checklist, present, where).due_at
        return Told(checklist, where, (), never_run=True, awaited=awaited)

    def _expected(self, checklist: Checklist, where: ZoneInfo, span: Period, *, removed: bool) -> list[Expected]:
        """Return the periods of a checklist that are due within `span` and until now, and other runs of then."""
        found: dict[str, Expected] = {}
        for period in () if removed else self._due(checklist, where, span):
            run = RunKey(checklist.id, period.key).id
            state = self._state(run)
            times = state.times if state is not None else times_of(checklist, period, where)
            date = due_date(period, checklist.due, checklist.cadence) or period.start
            if span.start <= date <= span.end and (times.due_at <= self._now or state is not None):
                found[run] = Expected(run, date, times, due=True, state=state)
        for key in self._keys.get(checklist.id, []):
            named = dates_named(key.period)
            if key.id in found or named is None or named.end < span.start - _DAY or named.start > span.end + _DAY:
                continue
            each = self._undue(key, checklist, span)
            if each is not None:
                found[key.id] = each
        return sorted(found.values(), key=lambda each: (each.times.due_at, each.run))

    def _due(self, checklist: Checklist, where: ZoneInfo, span: Period) -> Iterator[Period]:
        """Yield the periods that may be due within `span`, none from before the first run."""
        first_run = dates_named(self._keys[checklist.id][-1].period)
        if first_run is None:
            return
        until = min(self._now, midnight(span.end + _DAY, where) - dt.timedelta(microseconds=1))
        # the last day of the span lasts, in a list with a schedule, until the job of the next one begins
        for period in periods_since(checklist, max(span.start, first_run.start), until, where):
            if checklist.cadence is not Cadence.INTERVAL or slot_begins(period) >= self._first_slot(checklist):
                yield period

    def _first_slot(self, checklist: Checklist) -> dt.datetime:
        key = self._keys[checklist.id][-1].period
        return (
            slot_begins(Period(dt.date.min, dt.date.min, key))
            if is_slot(key)
            else dt.datetime.min.replace(tzinfo=dt.UTC)
        )

    def _undue(self, key: RunKey, checklist: Checklist, span: Period) -> Expected | None:
        """Return a run that the calendar does not ask for, where it is of `span`; of a removed list all are due."""
        state = self._state(key.id)
        if state is None:
            return None
        local = state.times.due_at.astimezone(zone(state.times.timezone)).date()
        once = state.definition.cadence is Cadence.ONCE
        date = local if once or checklist.id not in self.checklists else state.times.business_date
        if not span.start <= date <= span.end:
            return None
        due = checklist.id not in self.checklists or once
        return Expected(key.id, date, state.times, due=due, state=state)

    def _looked_on(
        self, expected: Sequence[Expected], keys: Sequence[RunKey], *, backwards: bool
    ) -> list[RunState]:
        """Return further runs, in order of time, until all was seen good that the first or last one left bad."""
        own = [each.state for each in expected if each.state is not None]
        pending = unsettled(own, backwards=backwards)
        if not pending:
            return []
        order = [key.id for key in keys]
        edge = order.index((own[0] if backwards else own[-1]).run)
        rest = order[edge + 1 :] if backwards else list(reversed(order[:edge]))
        known = {each.run for each in own}
        found: list[RunState] = []
        for run in [each for each in rest if each not in known][:LOOKED_ON]:
            state = self._state(run)
            if state is None:
                continue
            found.append(state)
            pending = {name for name in pending if not saw_good(state, name)}
            if not pending:
                break
        return list(reversed(found)) if backwards else found

    # --- beside the runs ---------------------------------------------------------------------------

    def _actions(self, checklists: Sequence[str]) -> list[Action]:
        if not checklists:
            return list(all_actions(self.engine))
        return [each for name in checklists for each in all_actions(self.engine, name)]

    def qualification_line(self, name: str, asked: Asked) -> QualificationLine:
        """Return how far a qualification is now, in one line."""
        state = self.engine.qualifying.state(name, asked.now)
        resets = [each for each in state.resets if asked.period.start <= each.date <= asked.period.end]
        return QualificationLine(
            id=name,
            title=state.definition.title,
            phase=state.phase,
            passed=state.current.passed,
            length=state.definition.days,
            resets=len(state.resets),
            resets_in_period=len(resets),
            unexplained=len(state.unexplained),
            waiting=self._waits_for(state),
            words=_standing_words(state),
        )

    def _waits_for(self, state: QualificationState) -> str:
        """Return what a person has to do for it; the present day's own run is no news to anybody."""
        if state.unexplained:
            return f"{len(state.unexplained)} reset{'s' if len(state.unexplained) > 1 else ''} without a reason"
        if state.phase is Phase.REACHED:
            review = self.engine.qualifying.review(state)
            if review is not None and review.signed_at is None:
                return f"the final review {review.run} is to be {'signed' if review.opened else 'done'}"
            if review is not None and not review.passed:
                return f"the final review {review.run} did not pass, so that it can only be refused"
            return "it is to be approved or refused"
        return next((each.text for each in exclusions_waiting(state)), "")

    def _provenance(self, tellings: Sequence[Told]) -> Provenance:
        store = self.engine.store
        runs = [state.run for told in tellings for state in told.states]
        found = checked(self.verifying, runs) if self.verifying is not None else Checked()
        head = store.head()
        return Provenance(
            store_id=store.store_id,
            location=store.location,
            head_seq=head.seq,
            head_hash=head.hash,
            runs=len(self._folded),
            version=VERSION,
            verified=self.verifying is not None,
            chain=found.chain,
            lost=found.lost,
            unread=found.unread,
            checks=found.checks,
        )


_NOUNS = {Cadence.DAILY: "day", Cadence.WEEKLY: "week", Cadence.MONTHLY: "month", Cadence.QUARTERLY: "quarter"}


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying the record for a report found."""

    chain: str = ""
    checks: tuple[RecordCheck, ...] = ()
    lost: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def checked(verifying: "Verifying", runs: Sequence[str]) -> Checked:
    """Verify the chain, these runs and the heads kept outside; return what was found."""
    found = [
        RecordCheck(
            run=each.run,
            standing=str(each.standing),
            faults=tuple(finding.text for finding in each.findings if finding.weight is Weight.FAULT),
        )
        for each in (verifying.runs(runs) if runs else ())
    ]
    broken = verifying.chain.broken
    outside = [
        (finding.weight, f"{anchor.name}: {finding.text}")
        for anchor in verifying.anchors()
        for finding in anchor.findings
    ]
    return Checked(
        chain=INTACT if broken is None else f"broken at event {broken.seq}: {broken.why}",
        checks=tuple(found),
        lost=tuple(text for weight, text in outside if weight is Weight.FAULT),
        unread=tuple(text for weight, text in outside if weight is Weight.UNCHECKED),
    )


def _standing_words(state: QualificationState) -> str:
    attempt = state.current
    words = f"{state.phase}, {attempt.passed} of {state.definition.days} days"
    if attempt.decision is not None:
        return f"{words}, {'approved' if attempt.decision.approved else 'refused'} by {attempt.decision.by}"
    return words
