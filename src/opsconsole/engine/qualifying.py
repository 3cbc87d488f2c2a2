"""How far the qualifications are: computed from the record each time, and never stored."""

import datetime as dt
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import TYPE_CHECKING

import msgspec

from opsconsole.contracts.store import RunKey, StoreError, StoreUnavailable
from opsconsole.engine.decisions import decisions_in
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.evidence import Doubt, Evidence, doubt_of, note, of_record
from opsconsole.engine.outlines import Outline, Outlines, Readable
from opsconsole.model.approving import ReviewFact
from opsconsole.model.calendar import instant, is_due, period_at, period_of, time_of_day, times_of
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.counted_dates import counted_dates
from opsconsole.model.counting import Attempt, DayState, Decision, QualificationState, Reset, qualified
from opsconsole.model.events import Approval, ApprovedDay
from opsconsole.model.outcomes import Outcome
from opsconsole.model.qualifications import (
    DayFact,
    DayOfMonitoring,
    Qualification,
    fact_of,
    needs_items,
    qualification_hash,
    reasons_for_others,
    settling_signatures,
    signing_time,
    weakest_tier,
)
from opsconsole.model.runs import FoldError, RunState, fold, fold_until
from opsconsole.model.signoff import hurdles
from opsconsole.model.verification import Weight

if TYPE_CHECKING:
    from opsconsole.engine.engine import Engine
    from opsconsole.engine.verifying import Verifying


class Qualifying:
    """Computes qualifications over one record."""

    def __init__(
        self,
        engine: "Engine",
        qualifications: Mapping[str, Qualification],
        checklists: Mapping[str, Checklist],
    ) -> None:
        """`checklists` are those that there are now: their calendar says on which dates a run is due."""
        self._engine = engine
        self.qualifications = qualifications
        self._checklists = checklists
        self._outlines: dict[str, Outlines] = {}

    def definition(self, name: str) -> Qualification:
        """Return the qualification of that id; raises ActionRefused with those there are."""
        if name not in self.qualifications:
            there_are = ", ".join(self.qualifications) or "none"
            raise ActionRefused(f"there is no qualification '{name}'; there are: {there_are}")
        return self.qualifications[name]

    def state(
        self,
        name: str,
        now: dt.datetime | None = None,
        faults: Mapping[str, str] | None = None,
        unchecked: Mapping[str, str] | None = None,
    ) -> QualificationState:
        """Return how far a qualification is now, or at another instant by what was stored until then.

        `faults` say of runs why their records do not hold, `unchecked` why nobody can tell: see `verified`. Reads
        the store.
        """
        definition = self.definition(name)
        at = now or self._engine.clock()
        checked = Evidence(faults=faults or {}, unchecked=unchecked or {})
        facts = list(self._facts(definition, at, now, checked))
        return qualified(definition, facts, self._decisions(definition, now, checked), at)

    def _facts(
        self, definition: Qualification, at: dt.datetime, until: dt.datetime | None, checked: Evidence
    ) -> Iterator[DayFact]:
        """Yield what the record says of each due date, from the first run on; `until` is None for all of it."""
        checklist = self._checklists.get(definition.checklist)
        if checklist is None:
            return
        where = self._engine.zone_of(checklist)
        read = self._read(definition.checklist, until)
        days = {each.state.times.period.start: each for each in read.runs.values() if _is_daily(each)}
        first = definition.start or min((day for day, each in days.items() if not each.state.missed), default=None)
        if first is None:
            return

        at_hour = dt.time() if checklist.schedule is None else time_of_day(checklist.schedule.at)
        elsewhere = dict(
            said
            for outline in sorted(read.runs.values(), key=lambda one: one.last_seq)
            if outline.state.amendments and outline.state.run not in {*checked.faults, *read.faults}
            for said in reasons_for_others(outline.state, definition.id)
        )
        followed = (each for outline in read.runs.values() for each in outline.followed)
        last = period_at(checklist, at, where).start
        for each in counted_dates(checklist, followed, first, last, lambda date: instant(date, at_hour, where)):
            fact = self._fact(definition, checklist, each.date, days.get(each.date), until)
            fault = checked.faults.get(fact.run) or read.faults.get(fact.run) or fact.fault
            doubt = checked.unchecked.get(fact.run, "")
            reset = (None if fault else fact.reset) or elsewhere.get(fact.run)
            yield msgspec.structs.replace(fact, fault=fault, unchecked=doubt, closed=each.closed, reset=reset)

    def _read(self, checklist: str, until: dt.datetime | None) -> Readable:
        outlines = self._outlines.setdefault(checklist, Outlines(self._engine.store, checklist))
        return outlines.read(until)

    def _fact(
        self,
        definition: Qualification,
        checklist: Checklist,
        date: dt.date,
        outline: Outline | None,
        until: dt.datetime | None,
    ) -> DayFact:
        if outline is None:
            period = period_of(date, Cadence.DAILY)
            times = times_of(checklist, period, self._engine.zone_of(checklist))
            return DayFact(
                date=date, run=RunKey(checklist.id, period.key).id, ends_at=times.ends_at or times.overdue_at
            )
        known = outline.facts.get(definition.id)
        if known is None:
            known = self._drawn(outline, definition, until)
            if outline.state.signed is not None:  # nothing is added to it that an outline does not know of
                outline.facts[definition.id] = known
        return known

    def _drawn(self, outline: Outline, definition: Qualification, until: dt.datetime | None) -> DayFact:
        """Return what a run says of its day, from its outline alone where that is enough."""
        state = outline.state
        ends_at = state.times.ends_at or state.times.overdue_at
        if not outline.skipped and not needs_items(state):
            return fact_of(state, definition.id, ends_at, skipped=False, substance=outline.substance)
        try:
            whole = self._folded(outline, until)
        except StoreUnavailable:
            raise
        except (StoreError, FoldError) as error:
            return DayFact(
                date=state.times.period.start, run=state.run, ends_at=ends_at, opened=True, fault=str(error)
            )
        if whole is None:
            raise StoreError(f"{state.run} was there a moment ago, and is not any more")
        return fact_of(whole, definition.id, ends_at, substance=outline.substance)

    def _folded(self, outline: Outline, until: dt.datetime | None) -> RunState | None:
        """Return a run by what was stored until an instant, by everything without one.

        What stands before the last event of its outline was stored before that, whatever a clock dated it.
        """
        events = self._engine.store.events(outline.state.run)
        last = outline.last_seq
        return fold(takewhile(lambda each: until is None or each.seq <= last or each.event.at <= until, events))

    # --- for one run -------------------------------------------------------------------------------

    def of_checklist(self, checklist: str) -> tuple[Qualification, ...]:
        """Return the qualifications that count the runs of a checklist."""
        return tuple(each for each in self.qualifications.values() if each.checklist == checklist)

    def monitoring(self, state: RunState) -> DayOfMonitoring | None:
        """Return which day of its qualification a run is; None where none counts it."""
        for each in self.of_checklist(state.definition.id):
            found = self.state(each.id).monitoring(state.run)
            if found is not None:
                return found
        return None

    def reached(self, name: str) -> tuple[dt.date, dt.date] | None:
        """Return the first and the last day of the last count of a qualification, None while it is not full."""
        attempt = self.state(name).current
        return (attempt.first, attempt.reached) if attempt.first and attempt.reached else None

    def documented_in(self, state: QualificationState, reset: Reset) -> str:
        """Return in which run's record the reason of a reset is given: its own, where that takes an amendment.

        For one whose record does not hold, or that nobody can open or sign any more, it is the first signed run
        after it that holds. Raises ActionRefused where there is none yet.
        """
        own = state.day_of(reset.run)
        why = self.takes_no_amendment(state.definition, own.fact) if own is not None else ""
        if not why:
            return reset.run
        days = (each.fact for attempt in state.attempts for each in attempt.days)
        after = (each for each in days if each.date > reset.date and each.signed_at is not None and not each.fault)
        found = min(after, key=lambda each: each.date, default=None)
        if found is None:
            raise ActionRefused(
                f"{reset.run} takes no amendment: {why}",
                "its reason is given in the first run after it that is signed and holds, and there is none yet",
            )
        return found.run

    def takes_no_amendment(self, definition: Qualification, fact: DayFact) -> str:
        """Return why the record of a day can never take an amendment; nothing where it can, once it is signed."""
        checklist = self._checklists.get(definition.checklist)
        if fact.fault or fact.signed_at is not None or checklist is None:
            return fact.fault
        if not fact.opened:
            period, where = period_of(fact.date, Cadence.DAILY), self._engine.zone_of(checklist)
            return "" if is_due(checklist, period, where) else "nobody ran it, and it is not due any more"
        run = self._engine.load(fact.run)
        if run is None or not run.lapsed(self._engine.clock()):
            return ""
        return next((f"it is over, and {each.text}" for each in hurdles(run)), "")

    # --- review and decision -----------------------------------------------------------------------

    def review_run(self, definition: Qualification, attempt: Attempt) -> str:
        """Return the run in whose record a count is decided on: its final review, else its last day."""
        last = attempt.reached
        if last is None:
            raise ActionRefused(
                f"{definition.id} has not been reached: {attempt.passed} of {definition.days} days have passed"
            )
        if definition.review:
            return RunKey(definition.review, period_of(last, Cadence.ONCE).key).id
        return attempt.counted[-1].fact.run

    def review(
        self,
        state: QualificationState,
        faults: Mapping[str, str] | None = None,
        unchecked: Mapping[str, str] | None = None,
        until: dt.datetime | None = None,
    ) -> ReviewFact | None:
        """Return what the record says of the final review; None where none is asked for, or it is not its time.

        By what was stored until an instant, by everything without one.
        """
        if not state.definition.review or state.current.reached is None:
            return None
        run = self.review_run(state.definition, state.current)
        fault, doubt = (faults or {}).get(run, ""), (unchecked or {}).get(run, "")
        try:
            events = self._engine.store.events(run)
            found = fold(events) if until is None else fold_until(events, until)
        except StoreUnavailable:
            raise
        except (StoreError, FoldError) as error:
            return ReviewFact(run=run, opened=True, fault=fault or str(error))
        if found is None:
            return ReviewFact(run=run, fault=fault)
        readings = [each.body.started_at for item in found.items.values() for each in item.latest.values()]
        signed = found.signed
        return ReviewFact(
            run=run,
            opened=True,
            signed_at=signing_time(signed) if signed is not None else None,
            passed=found.passed,
            signer=signed.body.statement.signer if signed is not None else "",
            tier=weakest_tier(settling_signatures(found)),
            fault=fault,
            unchecked=doubt,
            first_reading_at=min(readings, default=None),
        )

    def runs_of(self, state: QualificationState) -> tuple[str, ...]:
        """Return the runs that the last count and its review rest on, those that exist.

        Days after the last one have their part in it until somebody has decided.
        """
        attempt = state.current
        counted = attempt.days if attempt.decision is None else attempt.evidence
        days = [each.fact.run for each in counted if each.fact.opened]
        if state.definition.review and state.current.reached is not None:
            review = self.review_run(state.definition, state.current)
            days += [review] if self._engine.store.last_seq(review) else []
        return tuple(days)

    def approval(self, state: QualificationState, *, complete: bool, ready: bool, reason: str = "") -> Approval:
        """Return what would be decided on now; raises ActionRefused where the count is not full."""
        attempt, definition = state.current, state.definition
        if attempt.first is None or attempt.reached is None:
            raise ActionRefused(f"{attempt.passed} of {definition.days} days have passed: nothing to decide")
        days = attempt.evidence
        since = [each for each in attempt.days if each.state is DayState.AFTER and not each.fact.passed]
        counts = [each.fact.counts for each in attempt.counted]
        return Approval(
            qualification=definition.id,
            qualification_hash=qualification_hash(definition),
            attempt=attempt.number,
            first=attempt.first,
            last=attempt.reached,
            days=tuple(
                ApprovedDay(
                    date=each.fact.date,
                    run=each.fact.run,
                    seq=each.fact.seq,
                    hash=each.fact.hash,
                    signer=each.fact.signer,
                    state=each.state,
                )
                for each in days
            ),
            resets=len(state.resets),
            waivers=sum(each.get(Outcome.WAIVED, 0) for each in counts),
            warnings=sum(each.get(Outcome.WARN, 0) for each in counts),
            failed_since=tuple(each.fact.run for each in since if each.fact.signed_at is not None),
            complete=complete,
            ready=ready,
            phase=definition.phase,
            own_work_allowed=definition.approval.own_work,
            reason=reason,
        )

    def _decisions(self, definition: Qualification, until: dt.datetime | None, checked: Evidence) -> list[Decision]:
        """Return every decision on a qualification, in order; it stands in a final review, or in a day's record.

        Looked for in every list that comes after it, too: an edit of its `review` takes no refusal away.
        """
        after = (each.id for each in self._checklists.values() if each.due.after == definition.id)
        places = dict.fromkeys(filter(None, (definition.checklist, definition.review, *after)))
        runs = [each.state for name in places for each in self._read(name, until).runs.values()]
        found = (
            each for state in runs for each in decisions_in(state, definition.id, checked.faults.get(state.run, ""))
        )
        return sorted(found, key=lambda each: each.seq)

    # --- verification ------------------------------------------------------------------------------

    def verified(self, name: str, verifying: "Verifying", now: dt.datetime | None = None) -> Evidence:
        """Return what is wrong with the records that a qualification rests on, and what could not be checked.

        Chain, signatures and what was signed, of every day of the last count and of the final review, of the runs
        that reset a count, and the heads kept outside. What does not hold resets a count, so that it is another one
        that is the last: its runs have their turn then. Where the chain says that a day may have been made up for,
        with a clock that was set back, that stands against an approval until two persons have excluded the day.
        Runs `ssh-keygen` for each signature: call it from a thread where a screen waits.
        """
        faults: dict[str, str] = {}
        unchecked: dict[str, str] = {}
        doubts: dict[str, Doubt] = {}
        seen: set[str] = set()
        while True:
            state = self.state(name, now, faults, unchecked)
            wanted = [each for each in self.rests_on(state) if each not in seen]
            if not wanted:
                break
            seen.update(wanted)
            for each in verifying.runs(wanted):
                note(each, faults, unchecked)
                doubts[each.run] = doubt_of(each, verifying)
        for day in state.current.evidence:
            doubt = doubts.get(day.fact.run)
            if doubt is not None and (why := doubt.of(day.fact, state.definition)):
                unchecked.setdefault(day.fact.run, why)
        told = list(of_record(verifying))
        return Evidence(
            faults=faults,
            unchecked=unchecked,
            record=tuple(text for _, text in told),
            record_holds=all(weight is not Weight.FAULT for weight, _ in told),
        )

    def rests_on(self, state: QualificationState) -> tuple[str, ...]:
        """Return the runs that a state rests on: the last count, its review, resets, and what was decided."""
        resets = (run for each in state.resets for run in (each.run, each.reason.run if each.reason else ""))
        decided = (each.run for each in state.overturned)
        there = (each for each in (*resets, *decided) if each and self._engine.store.last_seq(each))
        return tuple(dict.fromkeys((*self.runs_of(state), *there)))


def _is_daily(outline: Outline) -> bool:
    """Return whether a run is of one day: its checklist may have had another cadence once."""
    period = outline.state.times.period
    return period.key == period.start.isoformat()
