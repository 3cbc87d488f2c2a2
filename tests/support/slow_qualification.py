"""A qualification told from what people did, day by day: slow, plain, and without a line of what it is to check."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from support.qualified import hour

STRENGTH = ("attributed", "reauthenticated", "signed", "hardware-signed")


@dataclass(frozen=True)
class Deed:
    """One thing that somebody did to the run of a day."""

    order: float
    """When it happened really: hours after the midnight that the story begins with."""
    at: dt.datetime
    """When the clock said that it happened."""
    day: dt.date
    verb: str
    """open, explain, edit, see, waive, skip, sign, note, fail, reset, exclude, review"""
    who: str = "ann"
    tier: str = "attributed"
    outcome: str = "PASS"
    version: int = 0


@dataclass(frozen=True)
class Made:
    """A decision that was made."""

    at: dt.datetime
    date: dt.date
    approved: bool
    who: str
    tier: str
    complete: bool
    last: dt.date
    days: tuple[tuple[dt.date, str], ...]
    """What it was made on, by the plain telling at that moment."""
    stands_in: dt.date
    """The day in whose record it stands."""


@dataclass(frozen=True)
class House:
    """The rules, in plain words."""

    days: int
    start: dt.date | None = None
    tier: str = "attributed"
    warnings: str = "count"
    waivers: str = "count"
    skips: str = "count"
    unsigned: str = "reset"
    missed: str = "reset"
    definition_changes: str = "reset"
    own_work: bool = False
    decision_tier: str = "attributed"
    within_days: int = 30


@dataclass
class Told:
    """What there is to tell of one day."""

    verdict: str
    """count, hold, excluded, reset or wait"""
    version: int | None = None
    reason: bool = False
    signers: set[str] = field(default_factory=set)


def story_until(deeds: list[Deed], day: dt.date, until: dt.datetime | None) -> list[Deed]:
    """Return what was done to a day's run until an instant, all of it without one.

    Nothing stands behind the first thing that the clock dates later, but that a signature stands behind a reading
    shows that the reading was there first, whatever it is dated.
    """
    own = [each for each in sorted(deeds, key=lambda deed: deed.order) if each.day == day]
    if until is None:
        return own
    found: list[Deed] = []
    readings: list[Deed] = []
    for each in own:
        if each.verb in {"see", "waive"}:
            readings.append(each)
        elif each.at > until:
            break
        else:
            found += [*readings, each]
            readings = []
    for each in readings:
        if each.at > until:
            break
        found.append(each)
    return found


def tell(house: House, day: dt.date, deeds: list[Deed], now: dt.datetime, first_version: int | None) -> Told:
    """Say what a due day comes to by the rules, from what was done to it."""
    over = hour(day, 26)
    last_call = over + dt.timedelta(hours=24)
    verbs = [each.verb for each in deeds]
    signers = {each.who for each in deeds if each.verb in SIGNING}
    versions = [each.version for each in deeds if each.verb in {"open", "explain", "edit"}]
    version = versions[-1] if versions else None
    told = Told("count", version, "reset" in verbs, signers)
    if is_excluded(house, deeds):
        told.verdict = "excluded"
    elif "explain" in verbs or (not deeds and now >= over):
        told.verdict = "reset" if house.missed == "reset" else "hold"
    elif "sign" not in verbs:
        told.verdict = unsigned_verdict(house, deeds, now, last_call, over, changed(version, first_version))
    else:
        effects = signed_effects(house, deeds, over, last_call)
        if changed(version, first_version):
            effects.append(house.definition_changes)
        told.verdict = gravest(effects)
    return told


SIGNING = {"sign", "note", "fail", "reset", "exclude", "review"}


def changed(version: int | None, first: int | None) -> bool:
    """Version 2 has another title than version 0, and measures the same."""
    return first is not None and version is not None and (version == 1) != (first == 1)


def gravest(effects: list[str]) -> str:
    """One reset resets, one standstill holds."""
    if "reset" in effects:
        return "reset"
    return "hold" if "hold" in effects else "count"


def is_excluded(house: House, deeds: list[Deed]) -> bool:
    """Two persons: one who asked, one who had no hand in the run and looked at it after its last amendment."""
    settled = [each for each in deeds if each.verb in SIGNING and each.verb != "review"]
    asked = [each for each in deeds if each.verb == "exclude"]
    if not asked:
        return False
    later = [each for each in deeds if each.order > settled[-1].order and each.verb == "review"]
    hands = {each.who for each in settled}
    accepted = None
    for each in later:
        if each.who not in hands:
            accepted = each
            hands = hands | {each.who}
    if accepted is None:
        return False
    return all(STRENGTH.index(each.tier) >= STRENGTH.index(house.tier) for each in (asked[-1], accepted))


def seen_late(deeds: list[Deed], over: dt.datetime) -> bool:
    """Whether what counts was looked at after the day."""
    signed = [each for each in deeds if each.verb == "sign"]
    if signed and signed[0].at < over:
        return False
    return any(each.verb == "see" and each.at >= over for each in deeds)


def look(deeds: list[Deed]) -> str:
    """What the items came to before anybody amended anything."""
    verbs = {each.verb for each in deeds}
    seen = [each.outcome for each in deeds if each.verb == "see"]
    outcome = seen[-1] if seen else "PENDING"
    if "waive" in verbs and outcome != "PASS":
        outcome = "WAIVED"
    return outcome


def unsigned_verdict(
    house: House, deeds: list[Deed], now: dt.datetime, last_call: dt.datetime, over: dt.datetime, other: bool
) -> str:
    """A day that nobody signed: open for a while, then as the rules have it."""
    if now < last_call:
        return "wait"
    if house.unsigned != "count":
        return house.unsigned
    outcome = look(deeds)
    if outcome in {"FAIL", "PENDING", "ERROR"}:
        return "reset"
    effects = by_outcome(house, deeds, outcome)
    if seen_late(deeds, over):
        effects.append("reset" if house.missed == "reset" else "hold")
    if other:
        effects.append(house.definition_changes)
    return gravest(effects)


def by_outcome(house: House, deeds: list[Deed], outcome: str) -> list[str]:
    """Warnings, waivers and skips."""
    effects = []
    if outcome == "WARN":
        effects.append(house.warnings)
    if outcome == "WAIVED":
        effects.append(house.waivers)
    if any(each.verb == "skip" for each in deeds):
        effects.append(house.skips)
    return effects


def signed_effects(house: House, deeds: list[Deed], over: dt.datetime, last_call: dt.datetime) -> list[str]:
    """Everything that can be said against a signed day."""
    signed = next(each for each in deeds if each.verb == "sign")
    settling = [each for each in deeds if each.verb in SIGNING and each.verb != "review"]
    effects = []
    outcome = look(deeds)
    if any(each.verb == "fail" for each in deeds):
        outcome = "FAIL"
    if outcome in {"FAIL", "ERROR", "PENDING"}:
        effects.append("reset")
    if seen_late(deeds, over):
        effects.append("reset" if house.missed == "reset" else "hold")
    if signed.at >= last_call:
        effects.append(house.unsigned)
    if any(STRENGTH.index(each.tier) < STRENGTH.index(house.tier) for each in settling):
        effects.append(house.unsigned)
    return effects + by_outcome(house, deeds, outcome)


# --- the count -------------------------------------------------------------------------------------


@dataclass
class Count:
    """One count as it is told."""

    days: list[tuple[dt.date, str, int, int]] = field(default_factory=list)
    """Date, state, number, day of the monitoring."""
    reset: tuple[dt.date, int, bool] | None = None
    """Date, how many had passed, whether a reason is given."""
    decision: str = ""
    version: int | None = None
    signers: set[str] = field(default_factory=set)

    def passed(self) -> list[dt.date]:
        """The dates that passed."""
        return [date for date, state, _, _ in self.days if state == "passed"]

    def numbered(self) -> int:
        """How many days have a number."""
        return sum(1 for _, _, number, _ in self.days if number)


@dataclass
class Whole:
    """Everything that is told."""

    counts: list[Count]
    standing: list[Made]

    def reached(self, house: House) -> dt.date | None:
        """The last day of the last count, once it is full."""
        dates = self.counts[-1].passed()
        return dates[-1] if len(dates) == house.days else None

    def evidence(self) -> tuple[tuple[dt.date, str], ...]:
        """What a decision would be made on."""
        days = self.counts[-1].days
        return tuple((date, state) for date, state, _, _ in days if state in {"passed", "held", "excluded"})


def whole(
    house: House,
    due: list[dt.date],
    deeds: Mapping[dt.date, list[Deed]],
    made: list[Made],
    broken: set[dt.date],
    now: dt.datetime,
) -> Whole:
    """Tell the counts from the first due day to the last."""
    counts = [Count()]
    standing: list[Made] = []
    strong = [each for each in made if STRENGTH.index(each.tier) >= STRENGTH.index(house.decision_tier)]
    refusals = sorted((each for each in strong if not each.approved), key=lambda each: each.date)
    for day in [*due, None]:
        for refusal in [each for each in refusals if day is None or each.date < day]:
            refusals.remove(refusal)
            end_by_refusal(counts, refusal, standing, at_the_end=day is None)
        if day is None:
            break
        if counts[-1].numbered() == house.days:
            counts[-1].days.append((day, "after", 0, 0))
            continue
        take(house, day, deeds, counts, broken, now)
        if len(counts[-1].passed()) == house.days:
            decide(house, counts[-1], strong, standing, broken)
    return Whole(counts, standing)


def end_by_refusal(counts: list[Count], refusal: Made, standing: list[Made], *, at_the_end: bool) -> None:
    """After a refusal nothing counts up to its date."""
    if counts[-1].decision == "refused":
        if standing[-1] is refusal and not at_the_end:
            counts.append(Count())
    elif counts[-1].numbered():
        counts[-1].reset = (refusal.date, len(counts[-1].passed()), True)
        counts.append(Count())


def take(
    house: House,
    day: dt.date,
    deeds: Mapping[dt.date, list[Deed]],
    counts: list[Count],
    broken: set[dt.date],
    now: dt.datetime,
) -> None:
    """Put a day where it belongs."""
    count = counts[-1]
    place = count.numbered() + 1
    told = tell(house, day, deeds.get(day, []), now, count.version)
    alone = tell(house, day, deeds.get(day, []), now, None)
    if day in broken:
        told.verdict = alone.verdict = "reset"
        told.reason = False  # what stands in a record that does not hold was documented by nobody
    states = {"count": "passed", "wait": "waiting", "hold": "held", "excluded": "excluded"}
    if told.verdict != "reset":
        number = place if told.verdict in {"count", "wait"} else 0
        count.days.append((day, states[told.verdict], number, place))
        count.signers |= told.signers
        if number and count.version is None:
            count.version = told.version
        return
    count.reset = (day, len(count.passed()), told.reason)
    counts.append(Count())
    if alone.verdict != "reset":  # only the edit of its checklist was against it: it is the first day of the next
        take(house, day, deeds, counts, broken, now)
    else:
        count.days.append((day, "reset", 0, place))


def decide(house: House, count: Count, made: list[Made], standing: list[Made], broken: set[dt.date]) -> None:
    """Find what was decided of a full count: a refusal, else the first approval."""
    last = count.passed()[-1]
    evidence = tuple((date, state) for date, state, _, _ in count.days if state in {"passed", "held", "excluded"})
    valid = []
    for each in made:
        if each.last != last or each.days != evidence:
            continue
        if not house.own_work and each.who in count.signers:
            continue
        expired = each.at >= hour(last, 26) + dt.timedelta(days=house.within_days)
        if each.approved and (expired or not each.complete or each.stands_in in broken):
            continue
        valid.append(each)
    refused = [each for each in valid if not each.approved]
    for each in (refused or valid)[:1]:
        standing.append(each)
        count.decision = "approved" if each.approved else "refused"
