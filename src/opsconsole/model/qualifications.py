"""N consecutive passing days: what is asked for, and what the record says of each day. See counting.py."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from opsconsole.model.checklists import Checklist
from opsconsole.model.encoding import canonical, plain
from opsconsole.model.events import DECIDING, Amendment, AmendmentKind, Meaning
from opsconsole.model.foureyes import Signatory, in_common, own_work, signatory_of
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.runs import RunState, SignOff
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Duration


class Effect(StrEnum):
    """What a day does to the count."""

    COUNT = "count"
    """It is one more."""
    HOLD = "hold"
    """The count stands still: the day is neither for nor against it."""
    RESET = "reset"
    """The count begins anew."""


class ApprovalPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who decides, and until when."""

    tier: Tier = Tier.ATTRIBUTED
    """The weakest signature that is enough."""
    own_work: bool = False
    """Whether somebody who signed one of the days may decide as well; it is shown wherever the decision is."""
    within: Duration = Duration.parse("30 d")
    """How long after the last day the evidence is good for a decision."""


class Qualification(msgspec.Struct, frozen=True, kw_only=True):
    """A definition, never a state: `qualifications/ID.toml`."""

    id: str
    """The name of its file, without `.toml`."""
    title: str
    checklist: str
    """Whose runs are counted: a daily one."""
    days: int
    """So many consecutive business dates have to pass."""
    help: str = ""
    system: str = ""
    start: dt.date | None = None
    """Nothing counts before it; with the first run of the checklist where it is left out."""
    tier: Tier = Tier.ATTRIBUTED
    """The weakest sign-off that a day counts with."""
    sign_within: Duration = Duration.parse("1 d")
    """How long after its period a run may still be signed off and count."""
    warnings: Effect = Effect.COUNT
    """What a day does that passed with warnings."""
    waivers: Effect = Effect.COUNT
    """What a day does on which an item was waived."""
    skips: Effect = Effect.COUNT
    """What a day does on which a person skipped an item."""
    unsigned: Effect = Effect.RESET
    """What a day does that nobody signed off in time, or with too weak a signature. With `count` what was seen
    decides: an unsigned day counts where everything was seen and passed."""
    missed: Effect = Effect.RESET
    """What a day does on which nobody ran the checklist, or only afterwards: it never counts, nobody saw it."""
    definition_changes: Effect = Effect.RESET
    """What a day does that was measured or judged in another way than the first one of the count. With `reset` it
    is itself the first of the new count; an edit of titles, help and the like is no change."""
    review: str = ""
    """The checklist of the final review; empty where there is none."""
    approval: ApprovalPolicy = ApprovalPolicy()
    phase: str = "production"
    """What the system is ready for once it is approved."""


def qualification_hash(definition: Qualification) -> str:
    """Return the SHA-256 of a definition in hexadecimal: equal for files that say the same."""
    return hashlib.sha256(canonical(definition)).hexdigest()


_JUDGED = (
    "id",
    "probe",
    "options",
    "entry",
    "manual",
    "require",
    "target",
    "on_empty",
    "on_timeout",
    "on_connect_error",
    "on_nan",
    "on_too_few",
    "on_no_history",
    "baseline",
    "skip_when",
    "requires",
    "for_each",
)
"""What of an item decides how it is measured and judged."""


def substance_hash(checklist: Checklist) -> str:
    """Return the SHA-256 of what a checklist measures and how it judges: titles, help and minutes may be edited."""
    items = [{name: plain(getattr(item, name)) for name in _JUDGED} for item in checklist.items]
    said = {"items": items, "schedule": plain(checklist.schedule), "timezone": checklist.due.timezone}
    said |= {"cutoff": checklist.cutoff.text} if checklist.cutoff.seconds else {}
    return hashlib.sha256(canonical(said)).hexdigest()


class DayOfMonitoring(msgspec.Struct, frozen=True):
    """`day` of `length`."""

    day: int
    length: int

    def __str__(self) -> str:
        return f"day {self.day} of {self.length}"


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a person documented about a day, signed as an amendment of its run."""

    text: str
    who: str
    at: dt.datetime
    accepted_by: str = ""
    """The second person, of an exclusion that has been reviewed since."""
    tier: Tier = Tier.ATTRIBUTED
    """The weaker one of the signatures that asked for it and accepted it."""
    run: str = ""
    """In whose record it stands."""


class DayFact(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the record says of one due date."""

    date: dt.date
    run: str
    """Its name, also where nobody opened it."""
    ends_at: dt.datetime
    """When its period was over."""
    opened: bool = False
    missed: bool = False
    """It was opened only to explain why nobody did it."""
    closed: str = ""
    """Why it was none to be done, where nobody can tell whether it was so before it began; see counted_dates.py."""
    result: Result | None = None
    passed: bool = False
    """Signed as a pass, and none of its amendments says otherwise."""
    counts: dict[Outcome, int] = {}
    not_passed: tuple[str, ...] = ()
    """Titles of the items that failed, could not be measured or were blocked."""
    in_time: bool = True
    """Whether everything that counts was seen before the period was over."""
    skipped_by_hand: bool = False
    signed_at: dt.datetime | None = None
    """When it was signed off: the later one of what the signature says and what its event is dated."""
    signer: str = ""
    tier: Tier = Tier.ATTRIBUTED
    """The weakest of the signatures that settle the run."""
    signatories: tuple[Signatory, ...] = ()
    """Everybody who performed, amended or reviewed it."""
    seq: int = 0
    """Of the signature that settled it last: its sign-off or an amendment."""
    hash: str = ""
    """Of that event."""
    amendments: int = 0
    substance: str = ""
    """See `substance_hash`."""
    reset: Said | None = None
    exclusion: Said | None = None
    fault: str = ""
    """Why its record cannot be trusted; empty where it holds, or where nobody has looked."""
    unchecked: str = ""
    """Why nobody can tell whether its record holds, which is not the same as that it does not."""


def fact_of(
    state: RunState, qualification: str, ends_at: dt.datetime, *, skipped: bool | None = None, substance: str = ""
) -> DayFact:
    """Return what a run says of its day, for the qualification of that id.

    Of a signed run it is what was signed. `state` may be without its items where `needs_items` says so; `skipped`
    tells then whether a person skipped one. `substance` is that of its definition, where it is known already.
    """
    signed, settling = state.signed, settling_signatures(state)
    last = settling[-1] if settling else None
    by_hand = any(each.skipped is not None for each in state.items.values()) if skipped is None else skipped
    telling = not state.missed
    return DayFact(
        date=state.times.business_date,
        run=state.run,
        ends_at=ends_at,
        opened=True,
        missed=state.missed,
        result=state.result,
        passed=state.passed,
        counts=last.body.statement.counts if last is not None else state.counts,
        not_passed=_not_passed(state) if telling and not state.passed else (),
        in_time=seen_in_time(state) if telling else True,
        skipped_by_hand=telling and by_hand,
        signed_at=signing_time(signed) if signed is not None else None,
        signer=signed.body.statement.signer if signed is not None else "",
        tier=weakest_tier(settling),
        signatories=tuple(
            signatory_of(each) for each in state.signatures if each.body.statement.meaning not in DECIDING
        ),
        seq=last.seq if last is not None else 0,
        hash=last.hash if last is not None else "",
        amendments=len(state.amendments),
        substance=substance or substance_hash(state.definition),
        reset=_said(state, AmendmentKind.RESET, qualification),
        exclusion=_said(state, AmendmentKind.EXCLUDED, qualification),
    )


def needs_items(state: RunState) -> bool:
    """Return whether `fact_of` needs to know of the single items of a run, and not only what was signed of it."""
    if state.missed:
        return False
    return not state.passed or not _signed_in_time(state)


_SETTLING = frozenset({Meaning.PERFORMED, Meaning.AMENDED})
_NOT_PASSED = frozenset({Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED})
_STRENGTH = list(Tier)


def settling_signatures(state: RunState) -> list[SignOff]:
    """Return the signatures that say what a run came to: its sign-off and its amendments."""
    return [each for each in state.signatures if each.body.statement.meaning in _SETTLING]


def weakest_tier(signatures: Iterable[SignOff]) -> Tier:
    """Return how strong the weakest of some signatures is; ATTRIBUTED where there are none."""
    return min((each.body.signature.tier for each in signatures), key=_STRENGTH.index, default=Tier.ATTRIBUTED)


def signing_time(signature: SignOff) -> dt.datetime:
    """Return when a signature was made: no earlier than its statement says, and no earlier than it was stored."""
    return max(signature.body.statement.signed_at, signature.by.at)


def _not_passed(state: RunState) -> tuple[str, ...]:
    return tuple(each.item.title for each in state.items.values() if each.outcome in _NOT_PASSED)


def seen_in_time(state: RunState) -> bool:
    """Return whether everything that counts was seen before the run's period was over.

    What is measured, ticked or entered later says how things are then: a run made up for afterwards proves nothing
    about its day. What stands in the record before a sign-off in time was seen in time, whatever its clock said.
    """
    if _signed_in_time(state):
        return True
    seen = [each.body.started_at for item in state.items.values() for each in item.latest.values()]
    seen += [each.ticked.at for each in state.items.values() if each.ticked is not None]
    seen += [each.entered.at for each in state.items.values() if each.entered is not None]
    return not any(map(state.times.over, seen))


def _signed_in_time(state: RunState) -> bool:
    signed = state.signed
    return signed is not None and not state.times.over(signing_time(signed))


def _said(state: RunState, kind: AmendmentKind, qualification: str) -> Said | None:
    """Return what was documented last of a kind, and which second person has reviewed the run since."""
    found: SignOff | None = None
    review: SignOff | None = None
    for place, each in enumerate(state.signatures):
        statement = each.body.statement
        amendment = statement.amendment
        if amendment is not None and amendment.kind is kind and _is_about(amendment, qualification):
            found, review = each, None
        elif statement.meaning is Meaning.AMENDED:
            review = None  # what was reviewed is another thing now
        elif statement.meaning is Meaning.REVIEWED and found is not None:
            before = state.signatures[:place]
            review = each if own_work(before, Meaning.REVIEWED, signatory_of(each)) is None else review
    if found is None or found.body.statement.amendment is None:
        return None
    statement = found.body.statement
    tiers = [each.body.signature.tier for each in (found, review) if each is not None]
    return Said(
        text=found.body.statement.amendment.reason,
        who=statement.signer,
        at=statement.signed_at,
        accepted_by=review.body.statement.signer if review is not None else "",
        tier=min(tiers, key=_STRENGTH.index),
        run=state.run,
    )


def _is_about(amendment: Amendment, qualification: str, run: str = "") -> bool:
    return amendment.qualification == qualification and amendment.run == run


def reasons_for_others(state: RunState, qualification: str) -> Iterator[tuple[str, Said]]:
    """Yield what a run's record documents of resets by other runs, each with the run that it is about, in order.

    The record of those takes no amendment any more: it does not hold, or there is none and none can be made.
    """
    for each in state.signatures:
        statement = each.body.statement
        amendment = statement.amendment
        if amendment is None or amendment.kind is not AmendmentKind.RESET or not amendment.run:
            continue
        if _is_about(amendment, qualification, amendment.run):
            yield (
                amendment.run,
                Said(
                    text=amendment.reason,
                    who=statement.signer,
                    at=statement.signed_at,
                    tier=each.body.signature.tier,
                    run=state.run,
                ),
            )


def signed_by(facts: Iterable[DayFact], new: Signatory) -> tuple[str, str] | None:
    """Return who of the people that signed days is the same person as `new`, and the run; None for nobody."""
    for fact in facts:
        for each in fact.signatories:
            who = in_common(each, new)
            if who:
                return who, fact.run
    return None
