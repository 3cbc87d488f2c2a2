"""Single facts under their names, and the words for a few of them."""

from opsconsole.model.events import Clock
from opsconsole.model.outcomes import Result
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece

LABEL = 11
"""Cells of the names of facts."""

SHORT_LABEL = 9

_CLOCKS = {
    Clock.SYNCHRONISED: "clock synchronised",
    Clock.UNSYNCHRONISED: "clock NOT synchronised",
    Clock.UNKNOWN: "nobody knows whether the clock is right",
}


def fact(label: str, text: str, style: str = "") -> Paragraph:
    """Return a line that says one thing under its name."""
    return Paragraph((Piece(f"{label:<{LABEL}}", "dim"), Piece(text, style)), LABEL)


def short_fact(label: str, text: str, style: str = "") -> Paragraph:
    """Return the same with little room for the name; every line of a text begins below the first."""
    below = text.replace("\n", f"\n{'':<{SHORT_LABEL}}")
    return Paragraph((Piece(f"{label:<{SHORT_LABEL}}", "dim"), Piece(below, style)), SHORT_LABEL)


def clock_words(clock: Clock) -> str:
    """Return what the kernel says of its clock."""
    return _CLOCKS[clock]


def amended_words(before: Result, after: Result) -> str:
    """Return `, amended to FAIL`, or `, amended` where the result stayed."""
    return f", amended to {after}" if after is not before else ", amended"
