"""A run as the fold of its events: nothing about it is stored that cannot be recomputed from them."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from opsconsole.model.actions import Action, Step
from opsconsole.model.calendar import Times
from opsconsole.model.checklists import Checklist, Item
from opsconsole.model.events import (
    Actor,
    Amended,
    Amendment,
    AmendmentKind,
    Body,
    Entered,
    Filled,
    Handled,
    Meaning,
    Measured,
    Noted,
    Opened,
    Pruned,
    Raised,
    Redefined,
    Restored,
    Signed,
    Skipped,
    Stored,
    Ticked,
    Unticked,
    Waived,
)
from opsconsole.model.outcomes import Outcome, Result, result_of, worst
from opsconsole.model.readings import Judgement

_NO_READING = frozenset({Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED})


class FoldError(ValueError):
    """The events are no run: the first is not `opened`, or they belong to several runs."""


@dataclass(frozen=True)
class By:
    """Who did something, and when."""

    actor: Actor
    at: dt.datetime


@dataclass(frozen=True)
class Note:
    """A note as it was written; later ones never replace earlier ones."""

    text: str
    by: By


@dataclass(frozen=True)
class Attempt:
    """One measurement of an item in its place in the chain."""

    seq: int
    body: Measured
    by: By


@dataclass(frozen=True)
class Typed:
    """What an operator entered, and its judgement."""

    body: Entered
    by: By


@dataclass(frozen=True)
class Corrected:
    """An amendment in its place in the chain, with what it replaced."""

    seq: int
    amendment: Amendment
    by: By
    was: str
    """What stood there before in words, empty where nothing did."""


@dataclass(frozen=True)
class Waiver:
    """Why an item that is not green is accepted, by whom, until when."""

    body: Waived
    by: By

    @property
    def author(self) -> str:
        """Who gave it, also where it was carried over from an earlier run."""
        return self.body.author or self.by.actor.shown


@dataclass
class ItemState:
    """Everything that happened to one item of a run."""

    item: Item
    section: str
    attempts: list[Attempt] = field(default_factory=list)
    ticked: By | None = None
    typed: Typed | None = None
    entered: By | None = None
    """Who entered it before the sign-off, and when, whatever was corrected since."""
    notes: list[Note] = field(default_factory=list)
    skipped: Note | None = None
    waiver: Waiver | None = None
    failed: Corrected | None = None
    """An amendment that found it failed after all."""
    amendments: list[Corrected] = field(default_factory=list)
    """What was amended about it after the sign-off, in order."""

    @property
    def latest(self) -> dict[str, Attempt]:
        """The last attempt for each target (`""` for an item without targets), in the order first measured."""
        return {attempt.body.target: attempt for attempt in self.attempts}

    @property
    def measured_outcome(self) -> Outcome:
        """What the item came to by itself, before a person skipped or waived it."""
        if self.item.manual:
            return Outcome.PASS if self.ticked else Outcome.PENDING
        if self.item.entry is not None:
            missing = self._without_reference
            if missing:
                return worst(missing)
            return self.typed.body.judgement.outcome if self.typed else Outcome.PENDING
        latest = self.latest
        if any(target not in latest for target in self.item.for_each):
            return Outcome.PENDING
        return worst(each.body.judgement.outcome for each in latest.values())

    @property
    def _without_reference(self) -> set[Outcome]:
        """Outcomes that say there was nothing to compare an entry with, whatever was typed before."""
        return {each.body.judgement.outcome for each in self.latest.values()} & _NO_READING

    @property
    def outcome(self) -> Outcome:
        """What counts: a skip or waiver covers everything but a pass, and an amendment to FAIL covers all."""
        if self.failed is not None:
            return Outcome.FAIL
        measured = self.measured_outcome
        if self.skipped is not None:
            return Outcome.SKIPPED
        if self.waiver is not None and measured is not Outcome.PASS:
            return Outcome.WAIVED
        return measured

    @property
    def judgements(self) -> dict[str, Judgement]:
        """The judgement in force for each target; of an entry, that of what was typed."""
        found = {target: attempt.body.judgement for target, attempt in self.latest.items()}
        if self.typed is not None and not self._without_reference:
            found[""] = self.typed.body.judgement
        return found

    @property
    def summary(self) -> str:
        """One line on what was seen or is wrong; raw text of the source may be in it."""
        if self.failed is not None:
            return f"amended to FAIL: {self.failed.amendment.reason}"
        if self.skipped is not None:
            return f"skipped: {self.skipped.text}"
        own = self.measured_summary
        if self.outcome is Outcome.WAIVED and self.waiver is not None:
            waived = f"waived until {self.waiver.body.expires}: {self.waiver.body.reason}"
            return f"{waived} ({own})" if own else waived
        return own

    @property
    def measured_summary(self) -> str:
        """The same of the item by itself, before a person skipped or waived it."""
        if self.item.manual:
            return f"ticked by {self.ticked.actor.shown}" if self.ticked else "to be ticked"
        judgements = self.judgements
        if self.measured_outcome is Outcome.PENDING and self.item.entry is not None:
            return f"to be entered: {self.item.entry.label}"
        if not judgements:
            return "not measured yet"
        if not self.item.for_each:
            return next(iter(judgements.values())).summary
        outcome = self.measured_outcome
        telling = {target: each for target, each in judgements.items() if each.outcome is outcome}
        named = "; ".join(f"{target}: {each.summary}" for target, each in telling.items())
        return f"all {len(judgements)} pass" if outcome is Outcome.PASS and len(judgements) > 1 else named

    @property
    def explained(self) -> bool:
        """Whether a person wrote why it is as it is: a note, or the reason of a skip or waiver."""
        return bool(self.notes) or self.skipped is not None or self.waiver is not None


@dataclass(frozen=True)
class SignOff:
    """A signature in its place in the chain."""

    seq: int
    body: Signed | Amended
    by: By
    hash: str = ""
    """Of the event."""


@dataclass
class RunState:
    """One checklist for one period, as its events tell."""

    run: str
    times: Times
    definition: Checklist
    definition_hash: str
    opened: By
    items: dict[str, ItemState]
    redefinitions: list[By] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    fields: dict[str, Note] = field(default_factory=dict)
    signatures: list[SignOff] = field(default_factory=list)
    """Every signature in order, those of amendments too."""
    amendments: list[Corrected] = field(default_factory=list)
    """Everything that was amended after the sign-off, in order."""
    missed: bool = False
    """Its period was over before anybody opened it: all that can be signed is why."""
    qualified: tuple[dt.date, dt.date] | None = None
    """The first and the last day of the qualification that the checklist comes after."""
    actions: dict[str, Action] = field(default_factory=dict)
    """What was found to be done and what became of it, also later, by the number in the order of the record."""
    pruned: list[Pruned] = field(default_factory=list)
    retired: dict[str, ItemState] = field(default_factory=dict)
    """Items that an edit of the checklist removed while the run was open, with what had happened to them."""
    operators: list[Actor] = field(default_factory=list)
    """Everybody who did something by hand, in order of appearance."""
    definitions: dict[str, Checklist] = field(default_factory=dict)
    """Every definition that the run has followed, by its hash."""
    last_seq: int = 0
    last_at: dt.datetime | None = None
    head_hash: str = ""
    """Hash of the run's last event."""

    @property
    def signed(self) -> SignOff | None:
        """The sign-off that closed the run."""
        return next((each for each in self.signatures if each.body.statement.meaning is Meaning.PERFORMED), None)

    def lapsed(self, now: dt.datetime) -> bool:
        """Return whether its period is over and nobody is asked to sign it: it stays what it came to by then."""
        return not self.missed and not self.definition.needs_signature and self.times.over(now)

    @property
    def counts(self) -> dict[Outcome, int]:
        """How many items have each outcome; only those that occur. A missed run has seen none."""
        if self.missed:
            return {}
        found = dict.fromkeys(Outcome, 0)
        for state in self.items.values():
            found[state.outcome] += 1
        return {outcome: count for outcome, count in found.items() if count}

    @property
    def result(self) -> Result:
        """What the run came to so far; of a signed one, what was signed, and with the last amendment."""
        settled = self._settled
        return self.computed_result if self.amended_to_fail or not settled else settled[-1]

    @property
    def computed_result(self) -> Result:
        """What the outcomes of the items come to; a run that was amended to FAIL stays failed whatever follows."""
        if self.missed:
            return Result.MISSED
        if self.amended_to_fail:
            return Result.FAIL
        return result_of(state.outcome for state in self.items.values())

    @property
    def amended_to_fail(self) -> bool:
        """Whether an amendment found an item failed after all, or took the run from a pass to anything else."""
        if any(each.amendment.kind is AmendmentKind.FAILED for each in self.amendments):
            return True
        return any(before is Result.PASS and after is not before for before, after in pairwise(self._settled))

    @property
    def passed(self) -> bool:
        """Whether it counts as a pass: signed as one, and none of its amendments says otherwise."""
        settled = self._settled
        return bool(settled) and set(settled) == {Result.PASS} and not self.amended_to_fail

    @property
    def _settled(self) -> list[Result]:
        """What the sign-off and each amendment after it said that the run came to."""
        closing = self.signed
        if closing is None:
            return []
        later = (each for each in self.signatures if each.seq >= closing.seq)
        return [each.body.statement.result for each in later if each.body.statement.meaning in _SETTLING]

    def apply(self, stored: Stored) -> None:
        """Take in the next event of the run."""
        event = stored.event
        if event.run != self.run:
            raise FoldError(f"an event of {event.run} stands among those of {self.run}")
        by = By(event.actor, event.at)
        self.last_seq, self.last_at, self.head_hash = stored.seq, event.at, stored.hash
        match event.body:
            case Opened():
                raise FoldError(f"{self.run} was opened twice")
            case Redefined(definition=definition, definition_hash=definition_hash):
                self._redefine(definition, definition_hash, by)
            case Signed() | Amended() as body:
                self.signatures.append(SignOff(stored.seq, body, by, stored.hash))
                if isinstance(body, Amended) and body.statement.amendment is not None:
                    self.amend(body.statement.amendment, by, stored.seq)
            case Filled() | Noted(item="") | Pruned() | Raised() | Handled() as body:
                self._apply_to_run(body, by)
            case Measured() | Ticked() | Entered() as body if self._is_superseded(body):
                pass  # it says nothing of the item as it is defined now
            case Measured() as body:
                state = self._state(body.item)
                state.attempts.append(Attempt(stored.seq, body, by))
            case body:
                _apply_to_item(self._state(body.item), body, by)
        if _by_hand(event.body) and event.actor not in self.operators:
            self.operators.append(event.actor)

    def _apply_to_run(self, body: Filled | Noted | Pruned | Raised | Handled, by: By) -> None:
        match body:
            case Raised():
                number = len(self.actions) + 1
                self.actions[str(number)] = Action(self.run, number, body, by.actor, by.at)
            case Handled(action=token):
                self._action_of(token).steps.append(Step(body, by.actor, by.at))
            case Filled(field=name, text=text):
                self.fields[name] = Note(text, by)
            case Noted(text=text):
                self.notes.append(Note(text, by))
            case Pruned():
                self.pruned.append(body)

    def _action_of(self, token: str) -> Action:
        found = next((each for each in self.actions.values() if each.raised.action == token), None)
        if found is None:
            raise FoldError(f"{self.run} has no action item '{token}'")
        return found

    def amend(self, amendment: Amendment, by: By, seq: int = 0) -> None:
        """Take in an amendment, keeping what it replaces."""
        state = self._state(amendment.item) if amendment.item else None
        corrected = Corrected(seq, amendment, by, self._before(amendment, state))
        self.amendments.append(corrected)
        if state is not None:
            state.amendments.append(corrected)
        match amendment.kind:
            case AmendmentKind.NOTE:
                (self.notes if state is None else state.notes).append(Note(amendment.text, by))
            case AmendmentKind.FIELD:
                self.fields[amendment.field] = Note(amendment.text, by)
            case AmendmentKind.FAILED if state is not None:
                state.failed = corrected
            case AmendmentKind.ENTRY if state is not None and amendment.judgement is not None:
                past = state.typed.body.past if state.typed is not None else ()
                body = Entered(amendment.item, amendment.value, amendment.text, amendment.judgement, past=past)
                state.typed = Typed(body, by)

    def _before(self, amendment: Amendment, state: ItemState | None) -> str:
        """Return in words what an amendment replaces."""
        match amendment.kind:
            case AmendmentKind.FIELD:
                filled = self.fields.get(amendment.field)
                return filled.text if filled is not None else ""
            case AmendmentKind.ENTRY if state is not None and state.typed is not None:
                return f"{state.typed.body.text} ({state.typed.body.judgement.outcome})"
            case AmendmentKind.FAILED if state is not None:
                return f"{state.outcome}: {state.summary}"
            case _:
                return ""

    def _state(self, item: str) -> ItemState:
        state = self.items.get(item) or self.retired.get(item)
        if state is None:
            raise FoldError(f"{self.run} has no item '{item}'")
        return state

    def _is_superseded(self, body: Measured | Ticked | Entered) -> bool:
        """Return whether it was done by a definition of its item that another process has replaced meanwhile."""
        state = self._state(body.item)
        if body.definition_hash in {"", self.definition_hash}:
            return False
        followed = self.definitions.get(body.definition_hash)
        return followed is None or state.item not in followed.items

    def _redefine(self, definition: Checklist, definition_hash: str, by: By) -> None:
        known = {**self.retired, **self.items}
        self.definition, self.definition_hash = definition, definition_hash
        self.definitions[definition_hash] = definition
        self.redefinitions.append(by)
        self.items = {}
        for name, fresh in _states(definition).items():
            before = known.pop(name, None)
            self.items[name] = fresh if before is None else _carried(before, fresh)
        self.retired = known


_SETTLING = frozenset({Meaning.PERFORMED, Meaning.AMENDED})
"""Signatures that say what a run came to."""


def _by_hand(body: Body) -> bool:
    """Return whether a person did it, and not the program: a waiver may have been carried over."""
    return not isinstance(body, Opened | Measured | Redefined | Pruned) and not (
        isinstance(body, Waived) and body.origin
    )


def _carried(before: ItemState, fresh: ItemState) -> ItemState:
    """Keep what happened to an item whose definition changed; what no longer fits is not counted any more.

    A reading that was judged by other conditions is history, not the item's present outcome.
    """
    if before.item == fresh.item:
        before.section = fresh.section
        return before
    fresh.notes = before.notes
    fresh.skipped, fresh.waiver = before.skipped, before.waiver
    return fresh


def _apply_to_item(
    state: ItemState, body: Ticked | Unticked | Entered | Noted | Skipped | Waived | Restored, by: By
) -> None:
    match body:
        case Ticked():
            state.ticked = by
        case Unticked():
            state.ticked = None
        case Entered():
            state.typed, state.entered = Typed(body, by), by
        case Noted(text=text):
            state.notes.append(Note(text, by))
        case Skipped(reason=reason):
            state.skipped = Note(reason, by)
        case Waived():
            state.waiver = Waiver(body, by)
        case Restored():
            state.skipped = state.waiver = None


def _states(definition: Checklist) -> dict[str, ItemState]:
    return {item.id: ItemState(item, section.title) for section in definition.sections for item in section.items}


def fold(events: Iterable[Stored]) -> RunState | None:
    """Return the state of the run that `events` tell, None where there are none; raise FoldError for others."""
    state: RunState | None = None
    for stored in events:
        if state is not None:
            state.apply(stored)
            continue
        body = stored.event.body
        if not isinstance(body, Opened):
            raise FoldError(f"{stored.event.run} does not begin with its opening")
        state = RunState(
            run=stored.event.run,
            times=body.times,
            definition=body.definition,
            definition_hash=body.definition_hash,
            opened=By(stored.event.actor, stored.event.at),
            missed=body.missed,
            qualified=body.qualified,
            items=_states(body.definition),
            definitions={body.definition_hash: body.definition},
            last_seq=stored.seq,
            last_at=stored.event.at,
            head_hash=stored.hash,
        )
    return state


def fold_until(events: Iterable[Stored], at: dt.datetime) -> RunState | None:
    """Return the state of a run by what was stored until the instant `at`, None where it had not been opened.

    That is everything up to the last event of then: what was stored before it belongs to it, although a clock that
    was put back may have dated it later.
    """
    stored = tuple(events)
    known = [place for place, each in enumerate(stored, 1) if each.event.at <= at]
    return fold(stored[: known[-1]]) if known else None
