"""A run as the fold of its events: nothing about it is stored that cannot be recomputed from them."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from opsconsole.model.actions import Action, Step
from opsconsole.model.calendar import Times
from opsconsole.model.checklists import Checklist
from opsconsole.model.deeds import By, Corrected, Note
from opsconsole.model.events import (
    Actor,
    Amended,
    Amendment,
    AmendmentKind,
    Body,
    Entered,
    Filled,
    Handled,
    Listed,
    Meaning,
    Measured,
    Noted,
    Opened,
    Pruned,
    Raised,
    Redefined,
    Signed,
    Stored,
    Ticked,
    Waived,
)
from opsconsole.model.item_state import ItemState, carried, item_states
from opsconsole.model.outcomes import Outcome, Result, result_of


class FoldError(ValueError):
    """The events are no run: the first is not `opened`, or they belong to several runs."""


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
            case Measured() | Listed() | Ticked() | Entered() as body if self._is_superseded(body):
                pass  # it says nothing of the item as it is defined now
            case body:
                self._state(body.item).apply(body, by, stored.seq)
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
            state.amend(corrected)
        elif amendment.kind is AmendmentKind.NOTE:
            self.notes.append(Note(amendment.text, by))
        if amendment.kind is AmendmentKind.FIELD:
            self.fields[amendment.field] = Note(amendment.text, by)

    def _before(self, amendment: Amendment, state: ItemState | None) -> str:
        """Return in words what an amendment replaces."""
        if amendment.kind is AmendmentKind.FIELD:
            filled = self.fields.get(amendment.field)
            return filled.text if filled is not None else ""
        return state.before(amendment) if state is not None else ""

    def _state(self, item: str) -> ItemState:
        state = self.items.get(item) or self.retired.get(item)
        if state is None:
            raise FoldError(f"{self.run} has no item '{item}'")
        return state

    def _is_superseded(self, body: Measured | Listed | Ticked | Entered) -> bool:
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
        for name, fresh in item_states(definition).items():
            before = known.pop(name, None)
            self.items[name] = fresh if before is None else carried(before, fresh)
        self.retired = known


_SETTLING = frozenset({Meaning.PERFORMED, Meaning.AMENDED})
"""Signatures that say what a run came to."""


def _by_hand(body: Body) -> bool:
    """Return whether a person did it, and not the program: a waiver may have been carried over."""
    return not isinstance(body, Opened | Measured | Listed | Redefined | Pruned) and not (
        isinstance(body, Waived) and body.origin
    )


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
            items=item_states(body.definition),
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
