"""Everything that a front end shows of one qualification, read in one go, and what verifying it found."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from zoneinfo import ZoneInfo

from opsconsole.engine.engine import Engine
from opsconsole.engine.evidence import Evidence
from opsconsole.engine.verifying import Verifying
from opsconsole.model.approving import ReviewFact, blockers
from opsconsole.model.checklists import Checklist
from opsconsole.model.counting import QualificationState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.outstanding import Outstanding, outstanding, waiting_runs
from opsconsole.model.runs import RunState
from opsconsole.model.tiers import Tier


class Trust(StrEnum):
    """What is known of the record of a run, in the words that are shown."""

    VERIFIED = "verified"
    """Signed with a key, and everything holds."""
    HOLDS = "holds"
    """Everything holds, and who signed it is this program's word."""
    UNCHECKED = "not checked"
    """Nothing is known to be wrong, and not everything could be looked at."""
    BROKEN = "DOES NOT HOLD"
    NOT_YET = "not verified yet"
    """Or not as it is now."""
    UNRELATED = "not verified"
    """The last count does not rest on it, so that it is not looked at."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a qualification found, and of which records."""

    evidence: Evidence
    runs: frozenset[str]
    """Those that were looked at."""
    through_seq: int
    """The last event of the store before they were: a run that has grown beyond it is another now."""


@dataclass(frozen=True, slots=True)
class NotGreen:
    """An item of the final review that did not pass."""

    outcome: Outcome
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class Outlook:
    """A qualification at one moment."""

    state: QualificationState
    at: dt.datetime
    where: ZoneInfo
    """The zone of the checklist that is counted."""
    outstanding: tuple[Outstanding, ...]
    blockers: tuple[str, ...]
    """What stands against an approval, a line each."""
    review: ReviewFact | None
    """None where no final review is asked for, or it is not its time."""
    not_green: tuple[NotGreen, ...] = ()
    """Of the final review."""
    ends: Mapping[str, int] = field(default_factory=dict)
    """The runs that it rests on, each with the seq of its last event."""
    verification: Verification | None = None
    """None as long as nobody has verified it."""

    def trust(self, run: str, tier: Tier) -> Trust:
        """Return what is known of the record of a run that was signed with `tier`."""
        if run not in self.ends:
            return Trust.UNRELATED
        known = self.verification
        if known is None or not self._was_looked_at(run):
            return Trust.NOT_YET
        if run in known.evidence.faults:
            return Trust.BROKEN
        if run in known.evidence.unchecked:
            return Trust.UNCHECKED
        return Trust.VERIFIED if tier.keyed else Trust.HOLDS

    def _was_looked_at(self, run: str) -> bool:
        """Return whether a run was verified as it is now."""
        known = self.verification
        return known is not None and run in known.runs and self.ends[run] <= known.through_seq

    @property
    def is_verified(self) -> bool:
        """Whether every record that it rests on was looked at as it is now."""
        return self.verification is not None and all(self._was_looked_at(run) for run in self.ends)


def outlook(
    engine: Engine, name: str, counted: Checklist | None, verification: Verification | None = None
) -> Outlook:
    """Return how a qualification of the checklist `counted` stands now. Reads the store.

    What a `verification` found to be wrong counts. Raises ActionRefused where there is none of that name.
    """
    at, qualifying = engine.clock(), engine.qualifying
    evidence = verification.evidence if verification is not None else Evidence()
    faults, unchecked = evidence.faults, evidence.unchecked
    state = qualifying.state(name, None, faults, unchecked)
    review = qualifying.review(state, faults, unchecked)
    seen = engine.load(review.run) if review is not None and review.opened and not review.fault else None
    waiting = {run: engine.load(run) for run in waiting_runs(state)}
    known = {run: each for run, each in waiting.items() if each is not None}
    where = engine.zone_of(counted) if counted is not None else ZoneInfo("UTC")
    return Outlook(
        state=state,
        at=at,
        where=where,
        outstanding=outstanding(state, known, at, where),
        blockers=blockers(state, review, at, evidence.record),
        review=review,
        not_green=tuple(_not_green(seen)) if seen is not None else (),
        ends={run: engine.store.last_seq(run) for run in qualifying.rests_on(state)},
        verification=verification,
    )


def _not_green(run: RunState) -> Iterable[NotGreen]:
    for each in run.items.values():
        if each.outcome is not Outcome.PASS:
            yield NotGreen(each.outcome, each.item.title, each.summary)


def verification(engine: Engine, name: str, verifying: Verifying) -> Verification:
    """Verify what a qualification rests on; it takes as long as `ssh-keygen` does for each signature.

    Call it from a thread where a screen waits.
    """
    head, qualifying = engine.store.head(), engine.qualifying
    evidence = qualifying.verified(name, verifying)
    state = qualifying.state(name, None, evidence.faults, evidence.unchecked)
    return Verification(evidence, frozenset(qualifying.rests_on(state)), head.seq)
