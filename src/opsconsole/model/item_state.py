"""One item of a run as the fold of the events that speak of it."""

from dataclasses import dataclass, field

from opsconsole.model.checklists import Checklist, Item
from opsconsole.model.deeds import Attempt, By, Corrected, Note, Typed, Waiver
from opsconsole.model.events import (
    Amendment,
    AmendmentKind,
    Entered,
    Listed,
    Measured,
    Noted,
    Restored,
    Skipped,
    Ticked,
    Unticked,
    Waived,
)
from opsconsole.model.outcomes import Outcome, worst
from opsconsole.model.readings import Judgement

OfItem = Measured | Listed | Ticked | Unticked | Entered | Noted | Skipped | Waived | Restored
"""Events of one item, before the sign-off."""

_NO_READING = frozenset({Outcome.FAIL, Outcome.ERROR, Outcome.BLOCKED})


@dataclass
class ItemState:
    """Everything that happened to one item of a run."""

    item: Item
    section: str
    attempts: list[Attempt] = field(default_factory=list)
    listed: tuple[str, ...] = ()
    """The targets that another item found out, as last listed."""
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
        """The last attempt for each target (`""` for an item without targets), in the order of the targets.

        Where another item finds out the targets, only those that it found last count.
        """
        found = {attempt.body.target: attempt for attempt in self.attempts}
        if self.item.listed_by:
            return {target: found[target] for target in self.listed or ("",) if target in found}
        return {target: found[target] for target in (*self.item.targets, *found) if target in found}

    @property
    def targets(self) -> tuple[str, ...]:
        """What is to be measured, as far as is known; empty for an item without targets."""
        return self.listed if self.item.listed_by else self.item.targets

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
        if any(target not in latest for target in self.targets):
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
        if not self.targets:
            return next(iter(judgements.values())).summary
        outcome = self.measured_outcome
        missing = [target for target in self.targets if target not in judgements]
        if outcome is Outcome.PENDING and missing:
            return f"{len(missing)} of {len(self.targets)} not measured yet"
        telling = {target: each for target, each in judgements.items() if each.outcome is outcome}
        named = "; ".join(f"{target}: {each.summary}" for target, each in telling.items())
        return f"all {len(judgements)} pass" if outcome is Outcome.PASS and len(judgements) > 1 else named

    @property
    def explained(self) -> bool:
        """Whether a person wrote why it is as it is: a note, or the reason of a skip or waiver."""
        return bool(self.notes) or self.skipped is not None or self.waiver is not None

    def apply(self, body: OfItem, by: By, seq: int) -> None:
        """Take in the next event of the item, which has the place `seq` in the chain."""
        match body:
            case Measured():
                self.attempts.append(Attempt(seq, body, by))
                self.listed = self.listed if body.target else ()
            case Listed(targets=targets):
                self.listed = targets
            case Ticked():
                self.ticked = by
            case Unticked():
                self.ticked = None
            case Entered():
                self.typed, self.entered = Typed(body, by), by
            case Noted(text=text):
                self.notes.append(Note(text, by))
            case Skipped(reason=reason):
                self.skipped = Note(reason, by)
            case Waived():
                self.waiver = Waiver(body, by)
            case Restored():
                self.skipped = self.waiver = None

    def amend(self, corrected: Corrected) -> None:
        """Take in an amendment of the item after the sign-off."""
        self.amendments.append(corrected)
        amendment, by = corrected.amendment, corrected.by
        match amendment.kind:
            case AmendmentKind.NOTE:
                self.notes.append(Note(amendment.text, by))
            case AmendmentKind.FAILED:
                self.failed = corrected
            case AmendmentKind.ENTRY if amendment.judgement is not None:
                past = self.typed.body.past if self.typed is not None else ()
                body = Entered(amendment.item, amendment.value, amendment.text, amendment.judgement, past=past)
                self.typed = Typed(body, by)

    def before(self, amendment: Amendment) -> str:
        """Return in words what an amendment of the item would replace, empty where that is nothing."""
        match amendment.kind:
            case AmendmentKind.ENTRY if self.typed is not None:
                return f"{self.typed.body.text} ({self.typed.body.judgement.outcome})"
            case AmendmentKind.FAILED:
                return f"{self.outcome}: {self.summary}"
            case _:
                return ""


def item_states(definition: Checklist) -> dict[str, ItemState]:
    """Return the items of a checklist by id, in its order, as they are before anything has happened."""
    return {item.id: ItemState(item, section.title) for section in definition.sections for item in section.items}


def carried(before: ItemState, fresh: ItemState) -> ItemState:
    """Keep what happened to an item whose definition changed; what no longer fits is not counted any more.

    A reading that was judged by other conditions is history, not the item's present outcome.
    """
    if before.item == fresh.item:
        before.section = fresh.section
        return before
    fresh.notes = before.notes
    fresh.skipped, fresh.waiver = before.skipped, before.waiver
    return fresh
