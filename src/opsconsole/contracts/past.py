"""What the program's own past is to whoever compares with it."""

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from opsconsole.model.calendar import Period, Times
from opsconsole.model.checklists import Checklist
from opsconsole.model.past import Earlier


class History(Protocol):
    """Reads earlier runs of the record. Synchronous: call it from a thread; every method may raise StoreError."""

    def earlier(
        self,
        checklist: str,
        item: str,
        *,
        target: str = "",
        before: str = "",
        since: dt.date | None = None,
        until: dt.date | None = None,
        limit: int = 0,
    ) -> Iterator[Earlier]:
        """Yield what an item came to in the runs of a checklist, the latest period first, each read when asked for.

        Runs whose period ends before `since` or begins after `until` are left out, and so are the run called
        `before` and later ones; at most `limit` runs are looked at, all of them where it is 0.
        """
        ...

    def near(
        self, definition: Checklist, item: str, date: dt.date, times: Times, *, target: str = ""
    ) -> Iterator[Earlier]:
        """Yield what an item came to in the runs whose period holds `date`.

        `times` are those of the run that asks, which is left out itself. Of intervals that one comes first which
        begins at the same time of day, then the nearest to it.
        """
        ...

    def due(self, checklist: str, since: dt.date, until: dt.date) -> Sequence[Period]:
        """Return the periods of a checklist that were due from `since` to `until`, both included.

        Those before its first run are left out; one that has no run was missed. The present definition says what
        was due. Empty for an unknown checklist.
        """
        ...

    def items(self, checklist: str) -> Collection[str]:
        """Return the ids of a checklist's items, of its latest run where it is gone; empty for an unknown one."""
        ...
