"""How the squares of a calendar look, and what is said about the one under the cursor."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from opsconsole.engine.calendaring import Seen, SeenPlace
from opsconsole.model.heatmap import Board, Place, Square
from opsconsole.model.signoff import count_words
from opsconsole.screens.facts import amended_words, fact
from opsconsole.screens.phrases import moment, number_of
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.squares import Line

SQUARES = {
    Square.PASS: Piece("x", "$success"),
    Square.WARN: Piece("~", "$warning"),
    Square.FAIL: Piece("!", "bold $error"),
    Square.ERROR: Piece("?", "bold $error"),
    Square.MISSED: Piece("M", "bold $error"),
    Square.EXPLAINED: Piece("e", "$warning"),
    Square.UNSIGNED: Piece("u", "$warning"),
    Square.OPEN: Piece("o", "bold"),
    Square.NOT_DUE: Piece(".", "dim"),
    Square.FUTURE: Piece("-", "dim"),
    Square.BEFORE: Piece(" "),
}
"""One glyph for each, which tells them apart without any colour."""
_NOT_READ_YET = Piece(":", "dim")
_RUNS_NAMED = 6


def board_lines(board: Board, known: Mapping[Place, SeenPlace]) -> list[Line]:
    """Return the rows of a board; squares that were not read yet have a sign of their own."""
    return [
        Line(row.label, tuple(_square(place, known) if place is not None else None for place in row.places))
        for row in board.rows
    ]


def _square(place: Place, known: Mapping[Place, SeenPlace]) -> Piece:
    seen = known.get(place)
    return SQUARES[seen.square] if seen is not None else _NOT_READ_YET


def legend_paragraphs(known: Mapping[Place, SeenPlace], width: int) -> list[Paragraph]:
    """Return what the glyphs mean, each with how often it is on the board, in lines of at most `width` cells."""
    counts = Counter(each.square for seen in known.values() for each in seen.seen)
    lines: list[list[Piece]] = [[]]
    room = width
    for square, glyph in SQUARES.items():
        if square is Square.BEFORE:
            continue
        words = f" {square}{f' {counts[square]}' if counts[square] else ''}"
        if room < len(words) + 1:
            lines.append([])
            room = width
        lines[-1] += [glyph, Piece(f"{words}   ", "" if counts[square] else "dim")]
        room -= len(words) + 4
    return [Paragraph((*line[:-1], Piece(line[-1].text.rstrip(), line[-1].style))) for line in lines]


def place_paragraphs(place: Place, seen: SeenPlace | None, where: ZoneInfo) -> Iterator[Paragraph]:
    """Yield what became of the square under the cursor."""
    if seen is None:
        yield Paragraph((Piece(f"{place.label}  ", "bold"), Piece("reading the record …", "dim")))
        return
    glyph = SQUARES[seen.square]
    yield Paragraph((Piece(f"{place.label}  ", "bold"), Piece(f"{glyph.text} {seen.square}".strip(), glyph.style)))
    if len(seen.seen) == 1:
        yield from _run_paragraphs(seen.seen[0], where)
        return
    counts = Counter(each.square for each in seen.seen)
    yield fact("runs", ", ".join(f"{count} {square}" for square, count in counts.items()))
    grave = [each for each in seen.seen if each.square is seen.square]
    for each in grave[:_RUNS_NAMED]:
        said = count_words(each.summary.counts) if each.summary is not None else each.why
        yield fact("", f"{each.run}  {said}")
    if len(grave) > _RUNS_NAMED:
        yield fact("", f"and {len(grave) - _RUNS_NAMED} more")


def _run_paragraphs(seen: Seen, where: ZoneInfo) -> Iterator[Paragraph]:
    run = seen.summary
    if run is None:
        if seen.square in {Square.MISSED, Square.OPEN}:
            yield fact("run", f"{seen.run}, which nobody opened")
        if seen.why:
            yield fact("why", seen.why, "$error")
        return
    yield fact("run", seen.run)
    if run.counts:
        yield fact("result", f"{run.result}  {count_words(run.counts)}")
    if seen.why:
        yield fact("why", seen.why)
    if run.signed_at is not None:
        yield fact("signed", f"{moment(run.signed_at, where)} by {run.signed_by}, {run.tier}")
    if run.amendments and run.signed_result is not None:
        changed = amended_words(run.signed_result, run.result).removeprefix(", ")
        yield fact("amended", f"{number_of(run.amendments, 'time')}; {changed}")
    if run.reviewed_by:
        yield fact("reviewed", f"by {run.reviewed_by}")


def span_words(board: Board, today: dt.date) -> str:
    """Return from when to when the board reaches."""
    return f"{board.first} to {min(board.last, today)}"
