"""Action items: what somebody found to be done, from its raising until it is done or dropped."""

import datetime as dt
from dataclasses import dataclass, field

from opsconsole.model.events import ActionState, Actor, Handled, Raised


@dataclass(frozen=True)
class Step:
    """One thing that was said of an action item, by whom, and when."""

    body: Handled
    actor: Actor
    at: dt.datetime


@dataclass
class Action:
    """An action item as its events tell."""

    run: str
    number: int
    """Its place among those of the run, from 1: nobody chooses it, so two who raise one at once get two."""
    raised: Raised
    actor: Actor
    at: dt.datetime
    steps: list[Step] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Names it in the whole record: `qbr-daily@2026-11-21#1`."""
        return f"{self.run}#{self.number}"

    @property
    def state(self) -> ActionState:
        """What became of it."""
        return self.steps[-1].body.state if self.steps else ActionState.OPEN

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.state is ActionState.OPEN

    @property
    def owner(self) -> str:
        """Who is to do it."""
        changed = [each.body.owner for each in self.steps if each.body.owner is not None]
        return changed[-1] if changed else self.raised.owner

    @property
    def due(self) -> dt.date | None:
        """When it is to be done."""
        changed = [each.body.due for each in self.steps if each.body.due is not None]
        return changed[-1] if changed else self.raised.due

    def is_late(self, today: dt.date) -> bool:
        """Return whether it is open although it was due before `today`."""
        return self.is_open and self.due is not None and self.due < today
