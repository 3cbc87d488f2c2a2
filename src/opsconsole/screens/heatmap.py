"""A calendar of how the runs of a checklist went: a glyph for each period, read as it is looked at."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from opsconsole.engine.calendaring import SeenPlace, seen_places
from opsconsole.model.checklists import Checklist
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.heatmap import Board, Place, Square, board_of
from opsconsole.screens.base import WARNING, ConsoleScreen
from opsconsole.screens.commands import Where, bindings
from opsconsole.screens.heatmap_view import board_lines, legend_paragraphs, place_paragraphs, span_words
from opsconsole.widgets.evidence import TextPane
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.squares import BoardLeft, SquareHighlighted, Squares, SquareSelected

_LINES_BESIDE = 14
"""Lines of the screen that are not the board: top, heads, legend, what is under the cursor, messages, keys."""


class CalendarScreen(ConsoleScreen):
    """Weeks beside each other, or a row for each quarter, year or day; under it the period under the cursor."""

    WHERE: ClassVar[Where] = Where.CALENDAR
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(Where.CALENDAR)]
    AUTO_FOCUS: ClassVar[str | None] = "Squares"
    CSS_PATH = "heatmap.tcss"

    def __init__(self, checklist: Checklist) -> None:
        super().__init__()
        self._checklist = checklist
        self._until: dt.date | None = None
        """The last date that is looked at; None for today, whenever that is."""
        self._board: Board | None = None
        self._known: dict[Place, SeenPlace] = {}
        self._readings = 0
        """How often it was begun to read: a board that is no longer looked at is not read on."""

    def compose_body(self) -> ComposeResult:
        """Yield the board, what its glyphs mean, and what is under the cursor."""
        yield Squares(id="squares")
        legend = TextPane(id="legend")
        legend.can_focus = False
        yield legend
        yield TextPane(id="about")

    def on_resize(self) -> None:
        """Show as many squares as fit."""
        self.call_after_refresh(self._begin)

    def on_screen_resume(self) -> None:
        """Look again: a run may have been signed meanwhile."""
        self.show_standing()
        if self._board is not None:
            self._begin()

    @property
    def _today(self) -> dt.date:
        return self.console.services.engine.business_date(self._checklist)

    def _begin(self, cursor: tuple[int, int] | None = None) -> None:
        """Show the board, and begin to read what became of its periods."""
        if not self.is_attached or not self.size.width:
            return
        where = self.console.services.engine.zone_of(self._checklist)
        until = min(self._until or self._today, self._today)
        height = max(3, self.size.height - _LINES_BESIDE)
        before, self._board = self._board, board_of(self._checklist, until, self.size.width, height, where)
        if before is None or (before.first, before.last) != (self._board.first, self._board.last):
            cursor = cursor or self._place_of(until)
        self._readings += 1
        self._show(cursor)
        self.console.start("reading the calendar", self._read, self._board, self._readings)

    def _place_of(self, date: dt.date) -> tuple[int, int] | None:
        """Return where the last square is that begins on a date or before, and has come."""
        instant = f"{self.console.services.engine.clock():%Y-%m-%dT%H%MZ}"
        found = [
            (place.periods[0].start, place.periods[0].key, row, column)
            for row, line in enumerate(self._board.rows if self._board is not None else ())
            for column, place in enumerate(line.places)
            if place is not None and place.periods[0].start <= date and _has_come(place, instant)
        ]
        return max(found)[2:] if found else None

    async def _read(self, board: Board, reading: int) -> None:
        parts = seen_places(self.console.services.engine, self._checklist, board)
        try:
            while (part := await asyncio.to_thread(_next, parts)) is not None:
                if not self.is_attached or reading != self._readings:
                    return
                self._known.update({each.place: each for each in part})
                self._show()
        except OpsconsoleError as error:
            self.say_error(error)

    def _show(self, cursor: tuple[int, int] | None = None) -> None:
        board = self._board
        if board is None:
            return
        title = (Piece(self._checklist.title, "bold"), Piece(" · Calendar"))
        self.show_top((title, (Piece(span_words(board, self._today)),)))
        shown = {place: self._known[place] for place in board.places if place in self._known}
        self.query_one(Squares).show(board.heads, board_lines(board, shown), board.cell_width, cursor)
        legend = self.query_one("#legend", TextPane)
        lines = legend_paragraphs(shown, self.size.width - 1)
        legend.show(lines)
        legend.styles.height = len(lines)
        self._show_about()

    # --- the square under the cursor -----------------------------------------------------------------

    @property
    def _chosen(self) -> Place | None:
        cursor = self.query_one(Squares).cursor
        if cursor is None or self._board is None:
            return None
        return self._board.rows[cursor[0]].places[cursor[1]]

    @on(SquareHighlighted)
    def _show_about(self) -> None:
        place = self._chosen
        if place is not None:
            where = self.console.services.engine.zone_of(self._checklist)
            parts = place_paragraphs(place, self._known.get(place), where)
            self.query_one("#about", TextPane).show(parts, document=place.label)

    @on(SquareSelected)
    def action_open(self) -> None:
        """Open the run under the cursor: the present one to be worked on, one that nobody opened to say why."""
        place = self._chosen
        seen = self._known.get(place) if place is not None else None
        chosen = seen.chosen if seen is not None else None
        if chosen is None:
            self.say("one moment: it is being read")
        elif chosen.square in {Square.OPEN, Square.MISSED}:
            period = self.console.services.engine.period_named(self._checklist, chosen.period)
            self.console.open_run(self._checklist, period)
        elif chosen.opened:
            self.console.read_run(chosen.run)
        else:
            self.say(f"{chosen.run}: {chosen.square}", WARNING)

    # --- keys ----------------------------------------------------------------------------------------

    @on(BoardLeft)
    def turn(self, event: BoardLeft) -> None:
        """Go on where the cursor was to leave the board."""
        if event.step < 0:
            self.action_earlier()
        else:
            self.action_later()

    def action_earlier(self) -> None:
        """Look at the time before."""
        if self._board is not None:
            self._until = self._board.first - dt.timedelta(days=1)
            self._begin()

    def action_later(self) -> None:
        """Look at the time after, up to today."""
        board = self._board
        if board is None or self._until is None or board.last >= self._today:
            self.say("what is to come is not known")
            return
        self._until = min(board.last + (board.last - board.first) + dt.timedelta(days=1), self._today)
        self._begin()

    def action_history(self) -> None:
        """Show the past runs of the checklist."""
        self.console.show_history(self._checklist)

    def action_reload(self) -> None:
        """Read the record again."""
        self._known = {}
        self._begin()


def _has_come(place: Place, instant: str) -> bool:
    """Return whether an interval has begun at an instant, written like its key; of others the date decides."""
    key = place.periods[0].key
    return "T" not in key or key <= instant


def _next(parts: Iterator[list[SeenPlace]]) -> list[SeenPlace] | None:
    """Return the next part; None after the last."""
    return next(parts, None)
