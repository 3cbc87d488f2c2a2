"""What the folds keep of events: what was done to a run or an item, with who did it and when."""

import datetime as dt
from dataclasses import dataclass

from opsconsole.model.events import Actor, Amendment, Entered, Measured, Waived


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
