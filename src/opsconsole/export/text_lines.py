"""Lines of the text format: 80 columns, with labels in columns of their own."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from opsconsole.export.facts import moment
from opsconsole.export.layout import padded, wrapped
from opsconsole.model.deeds import Note
from opsconsole.model.text import shortened, visible, visible_lines

WIDTH = 80
STATE = 9
"""Columns of the word at the start of a line: the longest, `BLOCKED`, and two spaces."""
LABEL = 10
_LONGEST = 1_000
"""Characters of one text; the other formats have all of it."""


def clean(text: str) -> str:
    """Return a text of a source as one harmless line of bearable length; white space is only a space."""
    return shortened(visible(" ".join(text.split())), _LONGEST)


def hanging(start: str, text: str, indent: int) -> list[str]:
    """Return `start` and `text`, wrapped; `start` takes `indent` columns whatever escape codes it holds."""
    first, *rest = wrapped(text, WIDTH - indent)
    return [f"{start}{first}".rstrip(), *(" " * indent + line for line in rest)]


def labelled(label: str, text: str, indent: int = 0) -> list[str]:
    """Return a line below an item, behind its label."""
    return hanging(" " * indent + padded(label, LABEL), text, indent + LABEL)


def fact(label: str, text: str) -> list[str]:
    """Return a line of the header or the footer, whose labels stand where items have their outcome."""
    return hanging(padded(label, STATE), text, STATE)


def prose(text: str, indent: int) -> Iterator[str]:
    """Yield the lines that a person wrote, all of them."""
    for line in visible_lines(text):
        yield from (f"{' ' * indent}{part}".rstrip() for part in wrapped(line, WIDTH - indent))


def note_lines(label: str, note: Note, where: ZoneInfo, indent: int) -> Iterator[str]:
    """Yield who wrote a note, and below it what was written, line by line."""
    start = " " * indent + label
    yield from hanging(start, f"{clean(note.by.actor.shown)}, {moment(note.by.at, where)}:", len(start))
    yield from prose(note.text, len(start))
