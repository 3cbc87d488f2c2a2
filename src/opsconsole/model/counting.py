"""The count of a qualification: a fold over what the record says of each day.

Nothing here is typed in. The count follows from the signed runs, the rules of the definition and the calendar; a
person gives the reason of a reset, asks for an exclusion that a second person accepts, and decides at the end.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from opsconsole.model.day_rules import CHANGED, effect_of, is_excluded
from opsconsole.model.foureyes import Signatory, in_common
from opsconsole.model.qualifications import (
    DayFact,
    DayOfMonitoring,
    Effect,
    Qualification,
    Said,
    qualification_hash,
    signed_by,
)
from opsconsole.model.tiers import Tier


class DayState(StrEnum):
    """What one day is to the count."""

    PASSED = "passed"
    HELD = "held"
    """It stands still on that day, by a rule."""
    EXCLUDED = "excluded"
    """It stands still on that day, because two persons said so."""
    RESET = "reset"
    WAITING = "waiting"
    """It is not over yet, or may still be signed."""
    AFTER = "after"
    """The count was full already."""


class Day(msgspec.Struct, frozen=True):
    """One day and what it is to the count."""

    fact: DayFact
    state: DayState
    number: int = 0
    """Which day of the count it is, or will be if it passes; 0 where it is none."""
    cause: str = ""
    """Why it is no plain pass."""
    place: int = 0
    """Which day of the monitoring it was when it was done, though it may not have counted; 0 beyond the last."""


class Reset(msgspec.Struct, frozen=True):
    """Why a count ended without having reached its length."""

    date: dt.date
    run: str
    cause: str
    reached: int
    """So many days had passed."""
    reason: Said | None
    """What a person documented; the reset stays open until it is given."""


class Ground(msgspec.Struct, frozen=True):
    """One day that a decision was made on, as it was then."""

    run: str
    hash: str
    """Of the signature that had settled it."""
    state: str
    """`passed`, `held` or `excluded`."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided of a full count."""

    approved: bool
    ready: bool
    by: str
    at: dt.datetime
    date: dt.date
    """Local; after a refusal nothing counts up to and including it."""
    last: dt.date
    """The last day of the count that it is about."""
    run: str
    """In whose record the decision stands."""
    seq: int
    reason: str = ""
    grounds: tuple[Ground, ...] = ()
    """The days that it was made on."""
    rules: str = ""
    """Hash of the definition that it was made by."""
    complete: bool = True
    """Whether it says that nothing stood against an approval."""
    tier: Tier = Tier.ATTRIBUTED
    """Of its signature."""
    fault: str = ""
    """Why the record that it stands in does not hold: no approval stands there, and a refusal all the same."""
    signatory: Signatory | None = None
    beside: tuple[Signatory, ...] = ()
    """Who had signed the run that it stands in before it."""
    changed: tuple[str, ...] = ()
    """What has become another thing since, though the count still bears it out, a line each."""
    passed: bool = True
    """Whether the run that it stands in counts as a pass, by everything that is stored."""
    void: str = ""
    """Why it does not stand; empty where it does."""


@dataclass
class Attempt:
    """One count: its days, and how it ended."""

    number: int
    length: int
    days: list[Day] = field(default_factory=list)
    reset: Reset | None = None
    decision: Decision | None = None
    _counted: list[Day] = field(init=False, repr=False)
    _passed: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Count the days that are given."""
        self._counted = [each for each in self.days if each.number]
        self._passed = sum(each.state is DayState.PASSED for each in self.days)

    def take(self, day: Day) -> None:
        """Add the next day."""
        self.days.append(day)
        if day.number:
            self._counted.append(day)
        self._passed += day.state is DayState.PASSED

    @property
    def passed(self) -> int:
        """How many days have passed."""
        return self._passed

    @property
    def counted(self) -> list[Day]:
        """The days that have a number."""
        return self._counted

    @property
    def full(self) -> bool:
        """Whether every number is taken, be it by a day that still waits."""
        return len(self._counted) >= self.length

    @property
    def present(self) -> DayOfMonitoring:
        """The first day that waits, else the one that is next; the last one where all have passed."""
        waiting = next((each for each in self._counted if each.state is DayState.WAITING), None)
        number = waiting.number if waiting is not None else min(self._passed + 1, self.length)
        return DayOfMonitoring(number, self.length)

    @property
    def reached(self) -> dt.date | None:
        """The last day, once all have passed."""
        return self._counted[-1].fact.date if self.full and self._passed >= self.length else None

    @property
    def first(self) -> dt.date | None:
        """The first day that counts."""
        return self._counted[0].fact.date if self._counted else None

    @property
    def substance(self) -> str:
        """How its first day was measured and judged, empty before there is one: see `substance_hash`."""
        return next((each.fact.substance for each in self._counted if each.fact.substance), "")

    @property
    def evidence(self) -> list[Day]:
        """The days that a decision on it rests on: all up to the last that counts, with those that stood still."""
        return [each for each in self.days if each.state is not DayState.AFTER and each.state is not DayState.RESET]


class Phase(StrEnum):
    """How far a qualification is."""

    NOT_BEGUN = "not begun"
    RUNNING = "running"
    REACHED = "reached"
    """It waits for its final review and a decision."""
    APPROVED = "approved"
    REFUSED = "refused"
    """And no day has counted since."""


@dataclass
class QualificationState:
    """The whole: every count there has been."""

    definition: Qualification
    attempts: list[Attempt]
    overturned: tuple[Decision, ...] = ()
    """Decisions that do not stand, each with what makes it `void`: a run was amended since, or does not hold."""

    @property
    def current(self) -> Attempt:
        """The last count; an empty one where nothing has counted yet."""
        return self.attempts[-1]

    @property
    def phase(self) -> Phase:
        """How far it is."""
        decision = self.current.decision
        if decision is not None:
            return Phase.APPROVED if decision.approved else Phase.REFUSED
        if self.current.reached is not None:
            return Phase.REACHED
        if self.current.counted:
            return Phase.RUNNING
        return Phase.RUNNING if len(self.attempts) > 1 or self.current.days else Phase.NOT_BEGUN

    @property
    def resets(self) -> list[Reset]:
        """Every reset so far, the earliest first."""
        return [each.reset for each in self.attempts if each.reset is not None]

    @property
    def unexplained(self) -> list[Reset]:
        """The resets whose reason nobody has documented yet."""
        return [each for each in self.resets if each.reason is None]

    def day_of(self, run: str) -> Day | None:
        """Return what the day of a run is to the count, None where it has no part in it."""
        days = (day for attempt in reversed(self.attempts) for day in reversed(attempt.days))
        return next((each for each in days if each.fact.run == run), None)

    def monitoring(self, run: str) -> DayOfMonitoring | None:
        """Return which day of the monitoring a run was, is or will be, None where it is none.

        A day that failed was the fourth all the same; what follows it is the first.
        """
        day = self.day_of(run)
        return DayOfMonitoring(day.place, self.definition.days) if day is not None and day.place else None


def qualified(
    definition: Qualification,
    facts: Iterable[DayFact],
    decisions: Iterable[Decision],
    now: dt.datetime,
) -> QualificationState:
    """Fold what the record says of each due date, in order, into the counts there have been.

    `decisions` are all that were made, in order. A day that fails resets the count: the next one is day 1. While a
    day may still be signed, the ones after it are numbered as if it passed. After a refusal nothing counts up to
    and including its date, whatever becomes of the days that it was about.
    """
    fold = _Counting(definition, tuple(decisions), now)
    for fact in facts:
        if definition.start is None or fact.date >= definition.start:
            fold.take(fact)
    return fold.finished()


class _Counting:
    """The fold under way."""

    def __init__(self, definition: Qualification, decisions: tuple[Decision, ...], now: dt.datetime) -> None:
        self._definition = definition
        self._now = now
        self._decisions = decisions
        self._void: dict[int, str] = {}
        """Why decisions do not stand, by their place."""
        refusals = [each for each in decisions if not each.approved and not self._weak(each)]
        self._refusals = sorted(refusals, key=lambda each: each.date)[::-1]
        """Those that the fold has not come to yet, the next one last."""
        self._attempts = [Attempt(1, definition.days)]

    @property
    def _attempt(self) -> Attempt:
        return self._attempts[-1]

    @property
    def _is_refused(self) -> bool:
        decision = self._attempt.decision
        return decision is not None and not decision.approved

    def take(self, fact: DayFact) -> None:
        """Take in the next day."""
        while self._refusals and self._refusals[-1].date < fact.date:
            self._pass_refusal(self._refusals.pop())
        if self._attempt.full:
            self._attempt.take(Day(fact, DayState.AFTER))
            return
        self._count(fact)
        if self._attempt.reached is not None:
            self._attempt.decision = self._decision_on(self._attempt)

    def finished(self) -> QualificationState:
        """Return the whole."""
        while self._refusals:
            refusal = self._refusals.pop()
            if not _is(self._attempt.decision, refusal):
                self._pass_refusal(refusal)
        stand = [each.decision for each in self._attempts if each.decision is not None]
        overturned = [
            msgspec.structs.replace(each, void=self._void.get(place) or _NOT_BORNE_OUT)
            for place, each in enumerate(self._decisions)
            if not any(_is(one, each) for one in stand)
        ]
        return QualificationState(self._definition, self._attempts, tuple(overturned))

    def _pass_refusal(self, refusal: Decision) -> None:
        """Begin another count after a refusal, also where it is of a count that the record bears out no more."""
        attempt = self._attempt
        if not _is(attempt.decision, refusal):
            if self._is_refused or not attempt.counted:
                return
            cause = f"refused by {refusal.by}: nothing counts up to and including {refusal.date}"
            reason = Said(text=refusal.reason, who=refusal.by, at=refusal.at, tier=refusal.tier)
            attempt.reset = Reset(refusal.date, refusal.run, cause, attempt.passed, reason)
        self._attempts.append(Attempt(attempt.number + 1, self._definition.days))

    # --- days --------------------------------------------------------------------------------------

    def _count(self, fact: DayFact) -> None:
        """Take one day into the last count, or end that and begin another."""
        attempt = self._attempt
        place = len(attempt.counted) + 1
        effect, cause = effect_of(self._definition, fact, attempt.substance, self._now)
        match effect:
            case None:
                attempt.take(Day(fact, DayState.WAITING, place, cause, place))
            case Effect.COUNT:
                attempt.take(Day(fact, DayState.PASSED, place, cause, place))
            case Effect.HOLD:
                state = DayState.EXCLUDED if is_excluded(self._definition, fact) else DayState.HELD
                attempt.take(Day(fact, state, 0, cause, place))
            case Effect.RESET:
                attempt.reset = Reset(fact.date, fact.run, cause, attempt.passed, fact.reset)
                self._attempts.append(Attempt(attempt.number + 1, self._definition.days))
                if cause == CHANGED:  # it is the first day of what is measured from now on
                    self._count(fact)
                else:
                    attempt.take(Day(fact, DayState.RESET, 0, cause, place))

    # --- decisions ---------------------------------------------------------------------------------

    def _decision_on(self, attempt: Attempt) -> Decision | None:
        """Return what stands of what was decided of a count: a refusal whenever it was given, else an approval."""
        found: list[Decision] = []
        for place, each in enumerate(self._decisions):
            if each.last != attempt.reached:
                continue
            why = self._weak(each) or self._fault(each, attempt)
            if why:
                self._void[place] = why
            else:
                found.append(each)
        chosen = next((each for each in found if not each.approved), found[0] if found else None)
        if chosen is None:
            return None
        for place, each in enumerate(self._decisions):
            if each in found and not _is(each, chosen):
                said = "approved" if chosen.approved else "refused"
                self._void[place] = f"it was {said} by {chosen.by} on {chosen.date}"
        return msgspec.structs.replace(chosen, changed=tuple(_changes(self._definition, chosen, attempt)))

    def _weak(self, decision: Decision) -> str:
        """Return why a decision stands nowhere, whatever the count."""
        wanted = self._definition.approval.tier
        if not decision.tier.satisfies(wanted):
            return f"its signature is {decision.tier}, and {wanted} is asked for"
        if decision.approved and decision.fault:
            return f"the record of {decision.run} does not hold: {decision.fault}"
        if decision.approved and not decision.complete:
            return "it was approved though something stood against it"
        return ""

    def _fault(self, decision: Decision, attempt: Attempt) -> str:
        """Return why a decision does not stand for a count that ends on the same day."""
        rules, days = self._definition.approval, attempt.evidence
        if [(each.run, each.state) for each in decision.grounds] != [(each.fact.run, each.state) for each in days]:
            return _NOT_BORNE_OUT
        if decision.approved and decision.at >= expiry(self._definition, attempt):
            return f"it was approved when its evidence had expired, {rules.within} after the last day"
        if decision.approved and (why := self._unreviewed(decision)):
            return why
        new = decision.signatory
        if new is None or rules.own_work:
            return ""
        found = signed_by((each.fact for each in days), new)
        if found is not None:
            return f"{found[0]} has signed {found[1]} too"
        return next((f"{who} has signed {decision.run} too" for who in _own(decision, new)), "")

    def _unreviewed(self, decision: Decision) -> str:
        """Return why an approval does not rest on the final review that the rules ask for."""
        review = self._definition.review
        if not review:
            return ""
        wanted = f"{review}@{decision.last}"
        if decision.run != wanted:
            return f"it was approved in {decision.run}, without the final review {wanted}"
        return "" if decision.passed else f"the final review {wanted} does not count as passed"


_NOT_BORNE_OUT = "the days that it was made on do not count any more as they did"


def expiry(definition: Qualification, attempt: Attempt) -> dt.datetime:
    """Return from when on the evidence of a full count is too old for an approval."""
    return attempt.counted[-1].fact.ends_at + definition.approval.within.timedelta()


def _own(decision: Decision, new: Signatory) -> Iterator[str]:
    return (who for each in decision.beside if (who := in_common(each, new)))


def _is(one: Decision | None, other: Decision) -> bool:
    return one is not None and one.seq == other.seq and one.run == other.run


def _changes(definition: Qualification, decision: Decision, attempt: Attempt) -> Iterator[str]:
    """Yield what is not as it was decided on, though it makes no difference to the count."""
    present = {each.fact.run: each.fact.hash for each in attempt.evidence}
    for each in decision.grounds:
        if present[each.run] != each.hash:
            yield f"{each.run} was amended since"
    if decision.rules and decision.rules != qualification_hash(definition):
        yield f"the definition of {definition.id} was edited since"
