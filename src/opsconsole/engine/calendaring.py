"""Reads what became of the periods on a calendar, a few at a time, the latest first."""

import datetime as dt
from collections.abc import Iterator

import msgspec

from opsconsole.contracts.store import RunKey, StoreError, StoreUnavailable
from opsconsole.engine.engine import Engine
from opsconsole.engine.overview import RunSummary, summary_of
from opsconsole.model.calendar import Period
from opsconsole.model.checklists import Cadence, Checklist
from opsconsole.model.heatmap import Board, Place, Square, gravest, square_of, square_without_run
from opsconsole.model.runs import FoldError

_PART = 28
"""Runs that are read before they are shown: a screen's worth of weeks comes in some ten parts."""
_DAYS_OF = {Cadence.DAILY: 1, Cadence.WEEKLY: 7, Cadence.MONTHLY: 28, Cadence.QUARTERLY: 90}


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one period."""

    period: str
    run: str
    """Its name, also where nobody opened it."""
    square: Square
    opened: bool = False
    summary: RunSummary | None = None
    why: str = ""
    """The explanation of one that was missed, or why it cannot be read."""


class SeenPlace(msgspec.Struct, frozen=True):
    """What became of the periods of one square."""

    place: Place
    seen: tuple[Seen, ...]

    @property
    def square(self) -> Square:
        """What is shown: the gravest."""
        return gravest(each.square for each in self.seen)

    @property
    def chosen(self) -> Seen | None:
        """The first one of which that is so."""
        return next((each for each in self.seen if each.square is self.square), None)


def seen_places(engine: Engine, checklist: Checklist, board: Board) -> Iterator[list[SeenPlace]]:
    """Yield what became of the squares of a board, part by part, the latest first. Reads the store as it goes."""
    now = engine.clock()
    most = _periods_since(checklist, board.first, now.date())
    keys = engine.store.runs(checklist.id, limit=most)
    known = {key.period: key for key in keys}
    # Where the limit is reached there are runs before those on the board: nothing on it is before the first.
    first = "0" if len(keys) >= most else min(known, default="")
    reader = _Reader(engine, checklist, known, first, now)
    part: list[SeenPlace] = []
    runs = 0
    for place in board.places:
        part.append(SeenPlace(place, tuple(reader.seen(period) for period in place.periods)))
        runs += sum(each.opened for each in part[-1].seen)
        if runs >= _PART:
            yield part
            part, runs = [], 0
    yield part


def _periods_since(checklist: Checklist, first: dt.date, today: dt.date) -> int:
    """Return how many runs there can be since a date, at most."""
    days = max(0, (today - first).days) + 2
    if checklist.cadence is Cadence.INTERVAL and checklist.due.every is not None:
        return int(days * (dt.timedelta(days=1) / checklist.due.every.timedelta() + 1)) + 1
    return days // _DAYS_OF.get(checklist.cadence, 1) + 2


class _Reader:
    """Reads the runs of one checklist."""

    def __init__(
        self, engine: Engine, checklist: Checklist, known: dict[str, RunKey], first: str, now: dt.datetime
    ) -> None:
        self._engine = engine
        self._checklist = checklist
        self._known = known
        self._first = first
        self._now = now
        self._where = engine.zone_of(checklist)

    def seen(self, period: Period) -> Seen:
        """Return what became of a period."""
        run = RunKey(self._checklist.id, period.key).id
        if period.key not in self._known:
            square = square_without_run(self._checklist, period, self._now, self._where, self._first)
            return Seen(period=period.key, run=run, square=square)
        try:
            state = self._engine.load(run)
        except StoreUnavailable:
            raise
        except (StoreError, FoldError) as error:
            return Seen(period=period.key, run=run, square=Square.ERROR, opened=True, why=str(error))
        if state is None:
            return Seen(period=period.key, run=run, square=Square.MISSED)
        summary = summary_of(state)
        return Seen(
            period=period.key,
            run=run,
            square=square_of(state, self._now),
            opened=True,
            summary=summary,
            why=summary.why,
        )
