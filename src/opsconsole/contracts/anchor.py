"""What keeps heads of the chain outside of the store, where whoever changes the store does not reach."""

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import msgspec

from opsconsole.contracts.store import Head
from opsconsole.model.errors import OpsconsoleError

if TYPE_CHECKING:
    from pathlib import Path


class AnchorError(OpsconsoleError):
    """A head could not be kept, or those that were kept cannot be read. What was signed stays signed."""

    title = "anchor"


class Noted(msgspec.Struct, frozen=True, kw_only=True):
    """A head of a chain at some moment, and what it was the head of."""

    store_id: str
    store_location: str
    head: Head
    run: str
    """The run whose sign-off was the last event, empty where it was none."""
    what: str
    """In words, such as `performed PASS by Jane Doe (jane)`."""
    at: dt.datetime


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A head that was kept outside, as it is read back."""

    store_id: str
    head: Head
    where: str
    """For a person: `journal of db1 at 2026-11-21 14:00Z`, `day-logs/qbr-daily-2026-11-21.md`."""
    store_location: str = ""
    """Empty where the anchor does not tell."""


class Anchor(Protocol):
    """One place outside of the store. Synchronous: called from a thread."""

    @property
    def name(self) -> str:
        """What messages call it: `journal`, `last-seen heads`, `git`."""
        ...

    def keep(self, noted: Noted, record: "Path | None") -> None:
        """Keep a head; `record` is the directory of the exported record, where there is one.

        Raises AnchorError where it could not be kept.
        """
        ...

    def kept(self) -> Iterator[Kept]:
        """Yield every head that was kept, of any store; raises AnchorError where they cannot be read."""
        ...
