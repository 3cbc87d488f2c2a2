"""What a store is: an append-only, chained list of events, with one open run for each checklist and period."""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import Event, Stored
from opsconsole.model.outcomes import Outcome

if TYPE_CHECKING:
    from pathlib import Path


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


class Link(msgspec.Struct, frozen=True):
    """One event exactly as it is stored, for whoever checks or copies it."""

    seq: int
    prev: str
    hash: str
    document: bytes
    """The exact bytes."""
    evidence: tuple[str | None, ...] = ()
    """The texts that the document holds the hashes of, in its order; None for one that was removed."""


class Extract(msgspec.Struct, frozen=True):
    """One event of a run that was asked for by its kind."""

    seq: int
    run: str
    kind: str
    """Such as `opened`."""
    hash: str
    document: bytes
    """The exact bytes."""
    sound: bool
    """Whether they are what was stored: their hash is that of the link."""


class Health(msgspec.Struct, frozen=True):
    """One thing that `doctor` looked at in a store."""

    outcome: Outcome
    subject: str
    text: str
    hint: str = ""


class Watch(Protocol):
    """Tells when somebody, this process included, stored something. Used by one thread of its own."""

    def wait(self, timeout: float) -> bool:
        """Return True as soon as something may have been stored since the last call, False after `timeout` seconds.

        Raises StoreUnavailable where the store cannot be asked now; it may be called again.
        """
        ...

    def close(self) -> None:
        """Look no longer; a `wait` under way in another thread returns soon."""
        ...


class Presence(Protocol):
    """This process's place among those who are in a run; others see it until it is closed, or the process ends."""

    def others(self) -> tuple[str, ...]:
        """Return who else is in the run now, `Printed Name (login)` or `login@host`, sorted; this process left out.

        Raises StoreUnavailable where nobody can say.
        """
        ...

    def close(self) -> None:
        """Leave the run."""
        ...


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

        The texts of evidence are kept beside their event, which holds their hashes, in the same transaction. An
        event whose id is stored already is not stored again, and its stored form is returned. With `after`
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

    def runs(self, checklist: str = "", *, limit: int = 0, with_actions: bool = False) -> list[RunKey]:
        """Return the runs there are, of one checklist if named, latest end of period first.

        Those of one date and checklist stand latest first too; `with_actions`: only those with action items.
        """
        ...

    def head(self) -> Head:
        """Return the end of the chain; seq 0 and the hash of the birth document for an empty store."""
        ...

    def verify(self) -> Verified:
        """Walk the whole chain over the exact stored bytes, and the evidence beside it by its hashes."""
        ...

    def holds(self, head: Head) -> bool:
        """Return whether the chain has this link, noted elsewhere: shows a cut-off tail and an old copy."""
        ...

    def links(self, run: str = "", *, after: int = 0, evidence: bool = False) -> Iterator[Link]:
        """Yield the events of a run, or of all, in order and exactly as they are stored, without looking at them.

        Their evidence texts are read only where asked for.
        """
        ...

    def extracts(self, checklist: str, kinds: Collection[str], *, after: int = 0) -> Iterator[Extract]:
        """Yield the events of some kinds of all runs of a checklist beyond seq `after`, in order.

        For whoever looks at years of runs and needs no readings. Evidence is not read.
        """
        ...

    def birth(self) -> bytes:
        """Return the exact bytes of the birth document, link 0 of the chain."""
        ...

    def remove_evidence(self, run: str, through_seq: int) -> int:
        """Remove the evidence texts of a run's events up to a seq; return how many there were.

        Only what a `pruned` event of the run covers, and never of a signed run: raises StoreError for others.
        """
        ...

    def backup_to(self, target: "Path") -> Head:
        """Write a checked copy of everything to the new SQLite file `target`; return the end of its chain."""
        ...

    def watch(self) -> Watch:
        """Return what tells when something was stored."""
        ...

    def enter(self, run: str, who: str) -> Presence:
        """Show the others that `who` is in a run from now on."""
        ...

    def health(self) -> list[Health]:
        """Return what `doctor` tells about the store: can it be written to tomorrow, and with which rights."""
        ...

    def close(self) -> None:
        """End the connection; calls under way in other threads end soon, and later ones, in StoreUnavailable."""
        ...
