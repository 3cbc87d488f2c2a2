"""Random stories of a house's mornings: what the record tells of them equals what a slow, plain telling says."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.engine.outlines import Outlines
from opsconsole.model.checklists import Checklist
from opsconsole.model.counting import QualificationState
from opsconsole.model.encoding import definition_hash
from opsconsole.model.events import AmendmentKind, Meaning, Redefined, Skipped, Waived
from opsconsole.model.outcomes import Outcome
from opsconsole.model.qualifications import ApprovalPolicy, Effect, Qualification, fact_of
from opsconsole.model.runs import fold
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Duration
from support.qualified import ANN, BEN, DAYS, EVA, RULES, ZONE, Ledger, edited, hour, qualifying, run_of
from support.slow_qualification import Deed, House, Made, Whole, story_until, whole

FIRST = dt.date(2026, 10, 28)
"""Before the night that has an hour more, and a week of which follows."""
PEOPLE = {"ann": ANN, "ben": BEN, "eva": EVA}
AMENDING = {
    "note": AmendmentKind.NOTE,
    "fail": AmendmentKind.FAILED,
    "reset": AmendmentKind.RESET,
    "exclude": AmendmentKind.EXCLUDED,
}
TIERS = ["attributed"] * 4 + ["signed"]
SHAPES = [
    *("warn", "fail", "waived", "skipped", "nothing", "explained", "unsigned", "late", "clock", "edited", "error"),
]
Throw = tuple[float, float, dict[str, Any]]


@dataclass(frozen=True)
class Wish:
    """Somebody wants to decide, if there is anything to decide on."""

    order: float
    at: dt.datetime
    approve: bool
    who: str
    tier: str
    complete: bool


@dataclass(frozen=True)
class Story:
    """What is drawn."""

    house: House
    checklist: Checklist
    deeds: tuple[Deed, ...]
    wishes: tuple[Wish, ...]
    broken: frozenset[dt.date]
    now: dt.datetime


def story_of(seed: int) -> Story:
    """Return the story of a number: a house, some weeks of it, and a moment to look at them."""
    return _Dice(seed).story()


class _Dice:
    """Throws a story; plain random numbers, because there are hundreds of throws in each."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._one = self._random.choice

    def story(self) -> Story:
        one = self._one
        length, calm = self._random.randint(3, 16), one([True, True, False])
        version, deeds = one([0, 0, 1]), []
        for step in range(length):
            version = one([0, 1, 2]) if self._random.random() < 0.1 else version
            deeds += self._morning(step, version, calm=calm)
        closed = tuple(_day(self._random.randint(0, 9)) for _ in range(one([0, 0, 1])))
        due = msgspec.structs.replace(DAYS.due, days=one(["Mon..Sun", "Mon..Sun", "Mon..Fri"]), closed=closed)
        broken = [_day(self._random.randrange(length)) for _ in range(one([0, 0, 0, 0, 1]))]
        return Story(
            house=self._house(),
            checklist=msgspec.structs.replace(DAYS, due=due),
            deeds=tuple(deeds),
            wishes=tuple(self._wish(length) for _ in range(one([0, 1, 2, 4]))),
            broken=frozenset(broken),
            now=hour(FIRST, 24 * self._random.randint(0, length + 4) + one([1.0, 2.0, 8.3, 12.0])),
        )

    def _house(self) -> House:
        one = self._one
        effects = ["count", "hold", "reset"]
        return House(
            days=self._random.randint(1, 5),
            start=one([None, None, _day(self._random.randint(-2, 4))]),
            tier=one([*["attributed"] * 5, "signed"]),
            warnings=one(effects),
            waivers=one(effects),
            skips=one(effects),
            unsigned=one(effects),
            missed=one(["reset", "reset", "hold", "count"]),
            definition_changes=one(effects),
            own_work=one([True, False]),
            decision_tier=one([*["attributed"] * 4, "signed"]),
            within_days=one([1, 30, 30]),
        )

    def _wish(self, length: int) -> Wish:
        step, at = self._random.randint(0, length), self._one([9.5, 10.0, 23.0])
        return Wish(
            order=24 * step + at,
            at=hour(_day(step), at),
            approve=self._one([True, False]),
            who=self._one(["eva", "eva", "ann"]),
            tier=self._one(TIERS),
            complete=self._one([True, True, True, False]),
        )

    def _morning(self, step: int, version: int, *, calm: bool) -> list[Deed]:
        """Return what is done to one day: when it happened, what the clock said, and what it was."""
        one = self._one
        shape = one([*["pass"] * (20 if calm else 5), *SHAPES])
        if shape == "nothing":
            return []
        deeds: list[Throw] = []
        signed_at = one([9, 9, 9, 9, 20, 30, 49.9, 50, 60])
        if shape == "explained":
            opened = one([26.0, 30.0, 70.0])
            deeds.append((opened, opened, {"verb": "explain", "version": version}))
            signed_at = opened + 1
        else:
            deeds.append((8, 8, {"verb": "open", "version": version}))
        if shape == "edited":
            deeds.append((8.1, 8.1, {"verb": "edit", "version": one([0, 1, 2])}))
        if shape == "late":
            deeds.append((29, 29, {"verb": "see"}))
            signed_at = max(signed_at, 30)
        elif shape != "explained":
            outcome = {"warn": "WARN", "fail": "FAIL", "waived": "FAIL", "error": "ERROR"}.get(shape, "PASS")
            deeds.append((8.5, 40 if shape == "clock" else 8.5, {"verb": "see", "outcome": outcome}))
        if shape in {"waived", "skipped"}:
            deeds.append((8.6, 8.6, {"verb": "waive" if shape == "waived" else "skip"}))
        if shape != "unsigned" and not (shape == "explained" and one([True, False])):
            deeds.append(
                (signed_at, signed_at, {"verb": "sign", "who": one(["ann", "ann", "ben"]), "tier": one(TIERS)})
            )
            deeds += self._afterwards(signed_at, shape)
        day = _day(step)
        return [Deed(24 * step + order, hour(day, said), day, **more) for order, said, more in deeds]

    def _afterwards(self, at: float, shape: str) -> Iterator[Throw]:
        """Yield how a signed run is amended and reviewed."""
        verbs = ["note", "reset", "reset", "exclude", "exclude", "review", "review", "review"]
        if shape != "explained":
            verbs.append("fail")
        count = self._one([0, 0, 0, 1, 2, 4]) if shape in {"pass", "clock"} else self._one([0, 1, 2, 4])
        for _ in range(count):
            at += self._one([0.5, 3, 24, 100])
            verb = self._one(verbs)
            if verb == "fail":
                verbs.remove("fail")
            yield at, at, {"verb": verb, "who": self._one(["ann", "ben", "eva"]), "tier": self._one(TIERS)}


def _day(step: int) -> dt.date:
    return FIRST + dt.timedelta(days=step)


def rules_of(house: House) -> Qualification:
    """Return the definition that says what the house wants."""
    effects = ("warnings", "waivers", "skips", "unsigned", "missed", "definition_changes")
    return msgspec.structs.replace(
        RULES,
        days=house.days,
        start=house.start,
        tier=Tier(house.tier),
        approval=ApprovalPolicy(
            tier=Tier(house.decision_tier), own_work=house.own_work, within=Duration.parse(f"{house.within_days} d")
        ),
        **{name: Effect(getattr(house, name)) for name in effects},
    )


class Told:
    """A story while it is written into a record."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self.rules = rules_of(story.house)
        self.ledger = Ledger()
        self.done: list[Deed] = []
        self.made: list[Made] = []
        acts: list[Deed | Wish] = [*story.deeds, *story.wishes]
        for each in sorted(acts, key=lambda one: one.order):
            if isinstance(each, Deed):
                self._do(each)
            else:
                self._decide(each)

    def _as_it_is(self, version: int) -> Checklist:
        return msgspec.structs.replace(edited(version), due=self.story.checklist.due)

    def _do(self, deed: Deed) -> None:
        run, actor = run_of(deed.day), PEOPLE[deed.who]
        ledger, tier = self.ledger, Tier(deed.tier)
        match deed.verb:
            case "open" | "explain":
                ledger.open(deed.day, deed.at, self._as_it_is(deed.version), missed=deed.verb == "explain")
            case "edit":
                checklist = self._as_it_is(deed.version)
                body = Redefined(definition=checklist, definition_hash=definition_hash(checklist))
                ledger.add(run, body, deed.at)
            case "see":
                ledger.see(run, deed.at, Outcome(deed.outcome))
            case "waive":
                ledger.add(run, Waived("collectors", "known", dt.date(2027, 1, 1)), deed.at)
            case "skip":
                ledger.add(run, Skipped("look", "not here"), deed.at)
            case "sign":
                ledger.sign(run, deed.at, actor=actor, tier=tier)
            case "review":
                ledger.sign(run, deed.at, Meaning.REVIEWED, actor, tier=tier)
            case verb:
                ledger.amend(run, deed.at, AMENDING[verb], actor, tier=tier)
        self.done.append(deed)

    def expected(self, now: dt.datetime, *, cut: bool = False, broken: frozenset[dt.date] = frozenset()) -> Whole:
        """Return the slow telling, of everything or of what was stored by then."""
        until = now if cut else None
        deeds = {each.day: story_until(self.done, each.day, until) for each in self.done}
        made = [each for each in self.made if until is None or each.at <= until]
        return whole(self.story.house, self.due(now, deeds), deeds, made, set(broken), now)

    def due(self, now: dt.datetime, deeds: dict[dt.date, list[Deed]]) -> list[dt.date]:
        """Return the due dates from the first one until now, by the calendar on the wall."""
        begun = (day for day, done in deeds.items() if done and done[0].verb != "explain")
        day = self.story.house.start or min(begun, default=None)
        due, found = self.story.checklist.due, []
        while day is not None and hour(day, 2) <= now:
            weekend = due.days == "Mon..Fri" and day.weekday() in {5, 6}
            if not weekend and day not in due.closed:
                found.append(day)
            day += dt.timedelta(days=1)
        return found

    def state(
        self, now: dt.datetime, *, at: bool = False, broken: frozenset[dt.date] = frozenset()
    ) -> QualificationState:
        """Return what the program computes, by all that is stored, or by what was stored at that instant."""
        found = qualifying(self.ledger, now, self.rules, self.story.checklist)
        faults = {run_of(day): "it was changed" for day in broken}
        return found.state("qbr", now if at else None, faults)

    def _decide(self, wish: Wish) -> None:
        state, expected = self.state(wish.at), self.expected(wish.at)
        attempt = state.current
        assert attempt.reached == expected.reached(self.story.house)
        if attempt.reached is None:
            return
        found = qualifying(self.ledger, wish.at, self.rules, self.story.checklist)
        approval = found.approval(state, complete=wish.complete, ready=wish.approve)
        days = tuple((each.date, each.state) for each in approval.days)
        assert days == expected.evidence()
        last = attempt.counted[-1].fact
        if last.signed_at is None:
            return  # only a signed run takes a decision
        meaning = Meaning.APPROVED if wish.approve else Meaning.REFUSED
        self.ledger.sign(last.run, wish.at, meaning, PEOPLE[wish.who], tier=Tier(wish.tier), approval=approval)
        local = wish.at.astimezone(ZONE).date()
        self.made.append(
            Made(wish.at, local, wish.approve, wish.who, wish.tier, wish.complete, approval.last, days, last.date)
        )


def agree(state: QualificationState, expected: Whole, made: int) -> None:
    """Compare both tellings in everything that both tell."""
    shown = [
        (
            [(each.fact.date, str(each.state), each.number, each.place) for each in attempt.days],
            attempt.reset and (attempt.reset.date, attempt.reset.reached, attempt.reset.reason is not None),
            attempt.decision and ("approved" if attempt.decision.approved else "refused"),
        )
        for attempt in state.attempts
    ]
    told = [(each.days, each.reset, each.decision or None) for each in expected.counts]
    assert shown == told
    assert len(state.overturned) == made - len(expected.standing)
    assert all(each.void for each in state.overturned)
    assert [each.date for each in state.unexplained] == [
        each.reset[0] for each in expected.counts if each.reset is not None and not each.reset[2]
    ]


@settings(max_examples=350, deadline=None)
@given(st.integers(0, 2**32).map(story_of))
def test_a_qualification_is_what_a_slow_and_plain_telling_says(story: Story) -> None:
    """Whatever happens in a house, the grid of days, the resets and the decision are those of the rules."""
    told = Told(story)
    end = max([story.now, *(each.at for each in told.done), *(each.at for each in told.made)])
    agree(told.state(end, broken=story.broken), told.expected(end, broken=story.broken), len(told.made))
    past = [each for each in told.made if each.at <= story.now]
    if not _cut_decision(told, story.now):
        agree(told.state(story.now, at=True), told.expected(story.now, cut=True), len(past))


def _cut_decision(told: Told, now: dt.datetime) -> bool:
    """Whether a decision made by then stands behind something of its run that a clock dates later."""
    for each in told.made:
        story = [deed for deed in told.done if deed.day == each.stands_in and deed.at > now]
        if each.at <= now and story:
            return True
    return False


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32).map(story_of))
def test_what_is_drawn_from_outlines_is_what_whole_runs_say(story: Story) -> None:
    """Years are read in a moment, and nothing else is said of them than if every event had been read."""
    told = Told(story)
    found = qualifying(told.ledger, story.now, told.rules, story.checklist)
    outlines = Outlines(told.ledger, DAYS.id).read().runs  # type: ignore[arg-type]
    for run, outline in outlines.items():
        whole_run = fold(told.ledger.events(run))
        assert whole_run is not None
        ends_at = whole_run.times.ends_at
        assert ends_at is not None
        drawn = found._drawn(outline, told.rules, None)
        assert drawn == fact_of(whole_run, "qbr", ends_at)
