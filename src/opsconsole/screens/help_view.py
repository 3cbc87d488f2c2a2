"""The help: every key of the screen it was asked on, and what the marks mean."""

from collections.abc import Iterator

from opsconsole.screens.commands import Command, Where, commands_of
from opsconsole.screens.marks import MEASURING, NEAR, OUTCOMES, Mark
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece

_KEY = 10

_MOVING = (
    ("↑ ↓ j k", "Move by a line"),
    ("PgUp PgDn", "Move by a page"),
    ("Home End", "Move to the first, to the last"),
)

_MEANINGS = (
    "what was measured, entered or ticked is as required",
    "a target was missed, or a condition warns",
    "a requirement is broken",
    "it could not be measured: nobody knows whether it is well",
    "not looked at, because something that it needs failed",
    "not applicable, for the reason given",
    "not green, and accepted until a date",
    "waits for a person",
)


def help_paragraphs(where: Where) -> list[Paragraph]:
    """Return the help for one screen."""
    return [
        Paragraph.plain(f"Keys on {where}", "bold"),
        *map(_command, commands_of(where, anywhere=False)),
        Paragraph.plain("\nKeys everywhere", "bold"),
        *map(_command, commands_of(Where.ANYWHERE)),
        *(_key(key, text) for key, text in _MOVING),
        Paragraph.plain("\nMarks", "bold"),
        *_marks(),
    ]


def _key(key: str, text: str) -> Paragraph:
    return Paragraph((Piece(f"{key:<{_KEY}}", "bold"), Piece(text)), _KEY)


def _command(command: Command) -> Paragraph:
    return _key(command.key, command.help)


def _marks() -> Iterator[Paragraph]:
    marks: list[tuple[Mark, str]] = list(zip(OUTCOMES.values(), _MEANINGS, strict=True))
    marks.insert(1, (NEAR, "passed, but near its limit"))
    marks.append((MEASURING, "is being measured now"))
    for mark, text in marks:
        yield Paragraph((mark.piece(), Piece(text)), 12)
