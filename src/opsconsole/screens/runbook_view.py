"""A runbook as it is written, its commands marked: one paragraph for each of its lines, made of the text alone."""

from opsconsole.config.runbook_steps import Command, Runbook, Step
from opsconsole.screens.phrases import number_of
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece

_DEEPEST = 8


def runbook_paragraphs(book: Runbook, chosen: Command | None) -> list[Paragraph]:
    """Return the lines of a runbook; a bar marks code, and `> ` and reversed text the chosen command."""
    headings = {each.line for each in book.steps}
    firsts = {each.begin for each in book.commands}
    lines = chosen.lines if chosen is not None else range(0)
    return [
        _code(book.code[number], cursor=number in lines, first=number in firsts)
        if number in book.code
        else _written("" if number in book.fences else line, heading=number in headings)
        for number, line in enumerate(book.lines)
    ]


def _written(line: str, *, heading: bool) -> Paragraph:
    indent = len(line) - len(line.lstrip(" -*0123456789."))
    return Paragraph.plain(line, "bold" if heading else "", min(indent, _DEEPEST))


def _code(line: str, *, cursor: bool, first: bool) -> Paragraph:
    mark = Piece("> " if cursor and first else "  ", "bold")
    return Paragraph((mark, Piece("│ ", "dim"), Piece(line, "reverse" if cursor else "")), 6)


def place_words(book: Runbook, step: Step | None, chosen: Command | None) -> tuple[str, str]:
    """Return what the operator is at, and how long it may take with where it stands among the commands."""
    title = step.title if step is not None and step is not book.steps[0] else ""
    facts = [step.time_box] if step is not None and step.time_box else []
    if chosen is not None:
        facts.append(f"command {book.commands.index(chosen) + 1} of {len(book.commands)}")
    else:
        facts.append(number_of(len(book.commands), "command") if book.commands else "no commands")
    return title, " · ".join(facts)
