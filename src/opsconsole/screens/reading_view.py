"""What was measured of an item: values, tables, evidence, and the command that shows the same by hand."""

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len

from opsconsole.model.deeds import Attempt
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.text import visible
from opsconsole.model.values import Value, shown
from opsconsole.screens.commands import BY_ID
from opsconsole.screens.phrases import number_of, padded
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece, cut

_ROWS_SHOWN = 200
"""Rows of a measured table that the detail shows; the record keeps all of them."""
_CELL_WIDTH = 40
_NARROWEST = 12
"""Cells that a column of text keeps where a table is made to fit; a narrower one could not be read."""
_LINES_LISTED = 2_000
"""Lines of a table that is shown as a list, at most."""
_INDENT = 2
_GAP = 2
SEVERAL = 3
"""Targets of an item from which on those that are green take a line each, without their evidence."""


def heading(text: str) -> Paragraph:
    """Return the heading of a group of lines."""
    return Paragraph.plain(f"\n{text}", "bold underline")


def commands_by_hand(state: ItemState) -> dict[str, str]:
    """Return the commands that show by hand what was measured, by target, those that are not green first."""
    readings = {target: attempt.body.reading for target, attempt in _worst_first(state)}
    return {target: each.command for target, each in readings.items() if each is not None and each.command}


def reading_paragraphs(state: ItemState, width: int) -> Iterator[Paragraph]:
    """Yield the readings in force: measures, tables, evidence, and how to see the same by hand."""
    latest = {target: each for target, each in _worst_first(state) if each.body.reading is not None}
    green = [target for target, each in latest.items() if each.body.judgement.outcome is Outcome.PASS]
    if len(latest) < SEVERAL:
        green = []
    for target, attempt in latest.items():
        reading = attempt.body.reading
        if reading is not None and target not in green:
            yield from _whole(reading, f" · {target}" if target else "", width)
    if green:
        yield from _greens({target: latest[target].body.reading for target in green}, len(latest), width)


def _worst_first(state: ItemState) -> list[tuple[str, Attempt]]:
    return sorted(state.latest.items(), key=lambda each: each[1].body.judgement.outcome is Outcome.PASS)


def _greens(readings: Mapping[str, Reading | None], of: int, width: int) -> Iterator[Paragraph]:
    """Yield the values of targets with which all is well, a row each."""
    found = {target: each for target, each in readings.items() if each is not None}
    names = list(dict.fromkeys(name for each in found.values() for name in each.measures))
    which = f"the {len(found)} that are green" if len(found) < of else f"all {of}"
    yield heading(f"Readings of {which}")
    rows = [(target, *(_measure(each, name) for name in names)) for target, each in found.items()]
    yield from _table(("target", *names), rows, width)
    key = BY_ID["run.copy"].key
    yield Paragraph.plain(f"What they said is in the record; {key} copies the command of one of them.", "dim")


def _measure(reading: Reading, name: str) -> Value:
    value = reading.measures.get(name)
    return f"at least {shown(value)}" if name in reading.lower_bounds else value


def _whole(reading: Reading, title: str, width: int) -> Iterator[Paragraph]:
    if reading.measures:
        yield heading(f"Reading{title}")
        wide = max(map(len, reading.measures))
        for name in reading.measures:
            value = shown(_measure(reading, name))
            yield Paragraph((Piece(f"{name:<{wide}}  ", "dim"), Piece(value)), wide + 2)
    if reading.tabular:
        count = number_of(len(reading.rows), "row")
        yield heading(f"{count}{title}{' (cut off)' if reading.truncated else ''}")
        yield from _table(reading.columns, reading.rows, width)
    if reading.command:  # ahead of the evidence, which may have hundreds of lines
        key = BY_ID["run.copy"].key
        yield Paragraph((*heading(f"By hand{title}").pieces, Piece(f"  {key} copies it", "dim")))
        yield Paragraph.plain(reading.command, indent=_INDENT)
    for evidence in reading.evidence:
        cut_off = " (cut off)" if evidence.truncated else ""
        yield heading(f"{visible(evidence.title)}{title}{cut_off}")
        yield Paragraph.plain(evidence.text.rstrip("\n") or "(empty)")


# --- tables ------------------------------------------------------------------------------------------


def _table(columns: Sequence[str], rows: Sequence[Sequence[Value]], width: int) -> Iterator[Paragraph]:
    """Yield a table whose lines fit into `width` cells, or else each row as a list of its values."""
    titles = [visible(name) for name in columns]
    cells = [[visible(shown(cell)) for cell in row] for row in rows[:_ROWS_SHOWN]]
    widths = _fitting(titles, cells, [_is_text(rows, at) for at in range(len(titles))], width)
    if widths is None:
        cells = cells[: max(1, _LINES_LISTED // len(titles))]
        yield from _listed(titles, cells)
    else:
        yield Paragraph.plain(_line(titles, widths), "dim", _INDENT)
        for row in cells:
            yield Paragraph.plain(_line(row, widths), indent=_INDENT)
    if len(rows) > len(cells):
        more = f"… and {number_of(len(rows) - len(cells), 'more row')}, all of them in the record"
        yield Paragraph.plain(more, "dim")


def _is_text(rows: Sequence[Sequence[Value]], at: int) -> bool:
    return any(at < len(row) and isinstance(row[at], str) for row in rows[:_ROWS_SHOWN])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    fitted = (padded(cut(cell, wide), wide) for cell, wide in zip(cells, widths, strict=False))
    return (" " * _GAP).join(fitted).rstrip()


def _fitting(
    titles: Sequence[str], cells: Sequence[Sequence[str]], text: Sequence[bool], width: int
) -> list[int] | None:
    """Return the widths of columns, those of text cut to fit into `width`; None where that cannot be."""
    natural = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=False)]
    widths = [min(wide, _CELL_WIDTH) if is_text else wide for wide, is_text in zip(natural, text, strict=True)]
    excess = sum(widths) + _GAP * (len(widths) - 1) - width if width else 0
    spare = sum(max(0, wide - _NARROWEST) for wide, is_text in zip(widths, text, strict=True) if is_text)
    if excess > spare:
        return None
    while excess > 0:
        widest = max(wide for wide, is_text in zip(widths, text, strict=True) if is_text)
        widths[next(at for at, wide in enumerate(widths) if text[at] and wide == widest)] -= 1
        excess -= 1
    return widths


def _listed(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> Iterator[Paragraph]:
    """Yield each row as lines of `column  value`, for a table with too many columns."""
    wide = max(map(cell_len, titles), default=0)
    for number, row in enumerate(cells):
        for at, (title, cell) in enumerate(zip(titles, row, strict=False)):
            mark = "- " if at == 0 else "  "
            yield Paragraph((Piece(f"{mark}{padded(title, wide)}  ", "dim"), Piece(cell)), wide + 4)
        if number + 1 < len(cells) and len(row) > 1:
            yield Paragraph.plain("")
