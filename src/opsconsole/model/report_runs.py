"""The due periods of a checklist in a report: what became of each, and their counts."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.model.calendar import Times
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.reports import DONE, ChecklistLine, Kept, RunLine, Signer, Tally
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import is_seen
from opsconsole.model.tiers import Tier

_STRENGTH = list(Tier)


@dataclass(frozen=True)
class Expected:
    """One period of a checklist, and its run where somebody opened it."""

    run: str
    date: dt.date
    """On which it is due, else its business date."""
    times: Times
    due: bool
    state: RunState | None


@dataclass(frozen=True)
class Told:
    """What the record tells of one checklist for a report."""

    checklist: Checklist
    where: ZoneInfo
    present: Sequence[Expected]
    """The periods that are due in that of the report and until now, and the runs that were not due; in order."""
    before: Sequence[Expected] = ()
    """The same of the period before."""
    earlier: Sequence[RunState] = ()
    """Runs before those, as far back as something was not good then; in order."""
    later: Sequence[RunState] = ()
    """Runs after the period, as far as something had not become good."""
    never_run: bool = False
    awaited: bool = False
    """Of one that was never run: whether it is due by now."""
    removed: bool = False

    @property
    def states(self) -> list[RunState]:
        """The runs of the period that somebody opened, in order."""
        return [each.state for each in self.present if each.state is not None]

    @property
    def states_before(self) -> list[RunState]:
        """The same of the period before."""
        return [each.state for each in self.before if each.state is not None]


def kept_of(expected: Expected, now: dt.datetime, *, signed: bool) -> Kept:
    """Return what became of a period at the instant `now`; `signed` tells whether it has to be signed."""
    state, over = expected.state, expected.times.over(now)
    if state is None:
        return Kept.MISSED if over else Kept.OPEN
    closing = state.signed
    if state.missed:
        return Kept.EXPLAINED if closing is not None else Kept.MISSED
    if closing is not None:
        return _timely(closing.body.statement.signed_at, state.times)
    if signed:
        return Kept.UNSIGNED if over else Kept.OPEN
    if is_seen(state):
        return _timely(last_reading_at(state) or state.opened.at, state.times)
    return Kept.UNFINISHED if over else Kept.OPEN


def _timely(at: dt.datetime, times: Times) -> Kept:
    return Kept.IN_TIME if at < times.overdue_at else Kept.LATE


def last_reading_at(state: RunState) -> dt.datetime | None:
    """Return when the last reading that counts was taken."""
    found = (each.body.started_at for item in state.items.values() for each in item.latest.values())
    return max(found, default=None)


def run_line(expected: Expected, now: dt.datetime, *, signed: bool) -> RunLine:
    """Return one line on a period."""
    state = expected.state
    kept = kept_of(expected, now, signed=signed)
    if state is None:
        return RunLine(run=expected.run, date=expected.date, kept=kept, due=expected.due)
    closing = state.signed
    return RunLine(
        run=expected.run,
        date=expected.date,
        kept=kept,
        due=expected.due,
        result=state.result,
        counts=state.counts,
        signer=closing.body.statement.signer if closing is not None else "",
        signed_at=closing.body.statement.signed_at if closing is not None else None,
        tier=closing.body.signature.tier if closing is not None else None,
        amendments=len(state.amendments),
        why="; ".join(each.text for each in state.notes) if state.missed else "",
    )


def tally_of(lines: Iterable[RunLine]) -> Tally:
    """Count lines; one that was not due counts in `extra`, and with what it came to."""
    kept, results, outcomes = dict.fromkeys(Kept, 0), dict.fromkeys(Result, 0), dict.fromkeys(Outcome, 0)
    due = passed = extra = unseen = 0
    for each in lines:
        if each.due:
            due += 1
            kept[each.kept] += 1
        else:
            extra += 1
        if each.result is not None:
            results[each.result] += 1
        passed += each.kept in DONE and each.result is Result.PASS
        unseen += each.result is Result.FAIL and each.counts.keys() == {Outcome.SKIPPED}
        for outcome, count in each.counts.items():
            outcomes[outcome] += count
    return Tally(due=due, kept=kept, results=results, outcomes=outcomes, passed=passed, extra=extra, unseen=unseen)


def checklist_line(told: Told, lines: Sequence[RunLine]) -> ChecklistLine:
    """Return a checklist with its lines; of a list that is due every few minutes with the telling ones only."""
    checklist = told.checklist
    telling = [msgspec.structs.replace(each, number=number) for number, each in enumerate(lines, start=1)]
    if checklist.cadence is Cadence.INTERVAL:
        telling = [each for each in telling if each.kept is not Kept.IN_TIME or each.result is not Result.PASS]
    return ChecklistLine(
        id=checklist.id,
        title=checklist.title,
        system=checklist.system,
        cadence=checklist.cadence,
        timezone=str(told.where),
        tally=tally_of(lines),
        runs=tuple(telling),
        never_run=told.never_run,
        awaited=told.awaited,
        removed=told.removed,
    )


def signers_of(states: Iterable[RunState]) -> tuple[Signer, ...]:
    """Return who signed runs off, those with the most first."""
    runs: Counter[str] = Counter()
    tiers: dict[str, Tier] = {}
    for state in states:
        closing = state.signed
        if closing is None:
            continue
        name, tier = closing.body.statement.signer, closing.body.signature.tier
        runs[name] += 1
        tiers[name] = min(tiers.get(name, tier), tier, key=_STRENGTH.index)
    return tuple(Signer(name=name, runs=count, tier=tiers[name]) for name, count in runs.most_common())
