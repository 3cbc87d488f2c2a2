"""What stands between a run and its sign-off, and exactly what is signed."""

import copy
import datetime as dt
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.model.checklists import Field, Required
from opsconsole.model.deeds import By
from opsconsole.model.events import Actor, Amendment, Approval, Clock, Meaning, Statement
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import UNMEASURED, Outcome
from opsconsole.model.people import Person
from opsconsole.model.runs import RunState


class Hurdle(msgspec.Struct, frozen=True):
    """One thing to do before the run can be signed."""

    item: str
    """Its id; empty where a field of the day's sheet is meant."""
    field: str
    text: str


def is_seen(state: RunState) -> bool:
    """Return whether every item of a run has an outcome that somebody or something saw."""
    return bool(state.counts) and not UNMEASURED & state.counts.keys()


def hurdles(state: RunState) -> tuple[Hurdle, ...]:
    """Return what is still to be done, in the order of the checklist; nothing means that it can be signed."""
    if state.missed:
        return () if state.notes else (Hurdle("", "", "a note has to say why nobody did it"),)
    found = []
    for name, item in state.items.items():
        outcome = item.outcome
        if outcome in UNMEASURED:
            what = "could not be measured" if outcome is Outcome.ERROR else "is still pending"
            advice = "measure it again, or skip or waive it with a reason"
            if outcome is Outcome.PENDING and (item.item.manual or item.item.entry is not None):
                advice = "tick it" if item.item.manual else "enter its value"
                advice += ", or skip it with a reason"
            found.append(Hurdle(name, "", f"{item.item.title} {what}: {advice}"))
        elif outcome is not Outcome.PASS and not _explained(item, state):
            found.append(Hurdle(name, "", f"{item.item.title} is {outcome}: {_wanted(outcome)}"))
    found += [
        Hurdle("", field.id, f"'{field.title}' is to be filled in ('none' is an answer)")
        for field in state.definition.fields
        if _required(field, state) and field.id not in state.fields
    ]
    return tuple(found)


def _wanted(outcome: Outcome) -> str:
    return "measure it again, or write a note" if outcome is Outcome.BLOCKED else "it needs a note"


def _required(field: Field, state: RunState) -> bool:
    if field.required is Required.UNLESS_GREEN:
        return bool(set(state.counts) - {Outcome.PASS, Outcome.SKIPPED, Outcome.PENDING})
    return field.required is Required.ALWAYS


def _explained(item: ItemState, state: RunState) -> bool:
    """Return whether it is on record why an item is not green.

    A person's note, skip or waiver does it. So does what the program recorded: the reason it skipped the item for
    (no systemd in the demo), and for a blocked item whatever explains the one that it needs.
    """
    if item.explained:
        return True
    if item.outcome is Outcome.SKIPPED:
        return True
    if item.outcome is Outcome.BLOCKED:
        needed = [state.items[name] for name in item.item.requires if name in state.items]
        red = [each for each in needed if each.outcome not in {Outcome.PASS, Outcome.WARN}]
        return bool(red) and all(_explained(each, state) for each in red)
    return False


def count_words(counts: dict[Outcome, int]) -> str:
    """Return `23 pass, 1 warn, 1 waived`, worst last."""
    order = (
        Outcome.PASS,
        Outcome.WARN,
        Outcome.FAIL,
        Outcome.ERROR,
        Outcome.BLOCKED,
        Outcome.WAIVED,
        Outcome.SKIPPED,
        Outcome.PENDING,
    )
    return ", ".join(f"{counts[each]} {each.lower()}" for each in order if counts.get(each)) or "no items"


def statement_of(
    state: RunState,
    actor: Actor,
    *,
    store_id: str,
    signed_at: dt.datetime,
    meaning: Meaning = Meaning.PERFORMED,
    signatory: Person | None = None,
    clock: Clock = Clock.UNKNOWN,
    amendment: Amendment | None = None,
    approval: Approval | None = None,
) -> Statement:
    """Return what `actor` signs now: the run as it stands, bound to its store and its last event.

    With an `amendment` the result and the counts are those that the run has with it. An `approval` is what is
    decided of the qualification that the run belongs to.
    """
    local = signed_at.astimezone(ZoneInfo(state.times.timezone))
    amended = state if amendment is None else amended_state(state, amendment, By(actor, signed_at))
    return Statement(
        store_id=store_id,
        run=state.run,
        checklist=state.definition.id,
        definition_hash=state.definition_hash,
        business_date=state.times.business_date,
        result=state.result if amendment is None else amended.computed_result,
        counts=amended.counts,
        head_seq=state.last_seq,
        head_hash=state.head_hash,
        meaning=meaning,
        login=actor.login,
        principal=signatory.principal if signatory is not None else "",
        name=(signatory.name if signatory is not None else "") or actor.name or actor.login,
        host=actor.host,
        signed_at=signed_at,
        timezone=state.times.timezone,
        utc_offset=local.strftime("%z"),
        clock=clock,
        amends=state.signed.hash if state.signed is not None else "",
        amendment=amendment,
        approval=approval,
    )


def amended_state(state: RunState, amendment: Amendment, by: By) -> RunState:
    """Return the run as it will be with `amendment`, the last of its amendments; `state` stays as it is."""
    amended = copy.deepcopy(state)
    amended.amend(amendment, by)
    return amended


def says_the_same(one: Statement, other: Statement) -> bool:
    """Return whether two statements differ in nothing but the moment of their signing."""
    moment = {"signed_at": other.signed_at, "utc_offset": other.utc_offset, "clock": other.clock}
    return msgspec.structs.replace(one, **moment) == other
