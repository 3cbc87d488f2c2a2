"""What a store is: an append-only, chained list of events, with one open run for each checklist and period."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec

from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import Event, Stored


class StoreError(OpsconsoleError):
    """The store could not do it. Nothing was stored."""

    title = "the record store"


class StoreUnavailable(StoreError):
    """Disk full, read-only, locked for too long: worth another try later."""


class Unrecordable(StoreError):
    """An event that no store can write down and read back the same: it will not be better later."""


class Conflict(StoreError):
    """Somebody else's event came in between; read the run again and decide anew."""


class AlreadyOpen(Conflict):
    """The run of this checklist and period was opened by somebody else just now: join it."""


class AlreadySigned(Conflict):
    """The run is signed: only amendments can be added."""


class Head(msgspec.Struct, frozen=True):
    """The end of the chain; its hash stands for everything before it."""

    seq: int
    hash: str


class RunKey(msgspec.Struct, frozen=True, order=True):
    """What names a run."""

    checklist: str
    period: str

    @property
    def id(self) -> str:
        """The run's name, `qbr-daily@2026-11-21`."""
        return f"{self.checklist}@{self.period}"

    @classmethod
    def parse(cls, text: str) -> "RunKey":
        """Read a run's name; raise ValueError with an example for anything else."""
        checklist, at, period = text.partition("@")
        if not (checklist and at and period):
            raise ValueError(f"'{text}' names no run; write it like 'qbr-daily@2026-11-21'")
        return cls(checklist, period)


class Broken(msgspec.Struct, frozen=True):
    """The first event that does not fit the chain."""

    seq: int
    """0 where no single event is to blame: the birth document, or the file around the events."""
    run: str
    why: str


class Verified(msgspec.Struct, frozen=True):
    """What walking the chain found."""

    events: int
    runs: int
    head: Head
    broken: Broken | None = None


class Store(Protocol):
    """Synchronous: the engine calls it from a thread of its own. Safe to open from several processes at once."""

    @property
    def store_id(self) -> str:
        """A UUID made when the store was created."""
        ...

    @property
    def location(self) -> str:
        """Where it is, for a person."""
        ...

    def append(self, events: Sequence[Event], *, after: int | None = None) -> list[Stored]:
        """Append all `events` of one run in one durable transaction, or none.

        An event whose id is stored already is not stored again, and its stored form is returned. With `after`
        (compare-and-append) the run's last event must have that seq (0: the run has none yet), else Conflict.
        A run begins with its `opened`. Raises AlreadyOpen for a second one, AlreadySigned for anything but an
        amendment after a sign-off, Conflict for a signature that does not cover the run's last event,
        StoreUnavailable where nothing can be written now.
        """
        ...

    def events(self, run: str, *, after: int = 0) -> list[Stored]:
        """Return the events of a run in order, those beyond seq `after` only."""
        ...

    def last_seq(self, run: str) -> int:
        """Return the seq of a run's last event, 0 where it has none."""
        ...

    def runs(self, checklist: str = "", *, limit: int = 0) -> list[RunKey]:
        """Return the runs there are, of one checklist if named, latest period first."""
        ...

    def head(self) -> Head:
        """Return the end of the chain; seq 0 and the hash of the birth document for an empty store."""
        ...

    def verify(self) -> Verified:
        """Walk the whole chain over the exact stored bytes."""
        ...

    def holds(self, head: Head) -> bool:
        """Return whether the chain has this link, noted elsewhere: shows a cut-off tail and an old copy."""
        ...

    def documents(self, run: str) -> Iterator[bytes]:
        """Yield the exact stored bytes of a run's events, for export."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...
