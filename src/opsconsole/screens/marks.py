"""How outcomes are shown: an ASCII glyph and a word of fixed width always, a colour where there is one."""

from dataclasses import dataclass

from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Judgement, Verdict
from opsconsole.widgets.pieces import Piece

WORD_WIDTH = 8
"""Cells of the word after a glyph, so that what follows is aligned."""


STANDING_WIDTH = 9
"""The same for words like UPCOMING, of whole runs."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A glyph, a word, and the style of both."""

    glyph: str
    word: str
    style: str = ""

    def piece(self, width: int = WORD_WIDTH) -> Piece:
        """Return glyph and word, padded to a column."""
        return Piece(f"{self.glyph} {self.word:<{width}}", self.style)


OUTCOMES = {
    Outcome.PASS: Mark("[x]", "PASS", "$success"),
    Outcome.WARN: Mark("[~]", "WARN", "$warning"),
    Outcome.FAIL: Mark("[!]", "FAIL", "bold $error"),
    Outcome.ERROR: Mark("[?]", "ERROR", "bold $error"),
    Outcome.BLOCKED: Mark("[=]", "BLOCKED", "$error"),
    Outcome.SKIPPED: Mark("[-]", "SKIPPED", "dim"),
    Outcome.WAIVED: Mark("[w]", "WAIVED", "$warning"),
    Outcome.PENDING: Mark("[ ]", "PENDING"),
}
"""One mark for each outcome."""

NEAR = Mark("[x]", "PASS ^", "$success")
"""A pass whose value has come near its limit."""

MEASURING = Mark("[.]", "READING", "dim")
"""An item that is being measured now."""

VERDICTS = {
    Verdict.HOLDS: Mark("[x]", "holds", "$success"),
    Verdict.NEAR: Mark("[x]", "near", "$warning"),
    Verdict.BROKEN: Mark("[!]", "broken", "bold $error"),
    Verdict.UNKNOWN: Mark("[?]", "unknown", "bold $error"),
    Verdict.NAN: Mark("[?]", "NaN", "bold $error"),
    Verdict.NO_HISTORY: Mark("[?]", "no past", "$warning"),
    Verdict.UNREAD: Mark("[?]", "not measured", "$warning"),
}
"""One mark for each verdict of a condition."""


MISSED = Mark("[~]", "missed", "$warning")
"""A target, which is no requirement, that was not reached."""


def is_near(judgement: Judgement) -> bool:
    """Return whether a value that passed has come near its limit."""
    return any(finding.verdict is Verdict.NEAR for finding in judgement.findings)
