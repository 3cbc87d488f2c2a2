"""What is wrong with a file, in words and with the place: every problem of it at once, never only the first."""

from enum import StrEnum

import msgspec

from opsconsole.config.locating import TomlLines
from opsconsole.model.redaction import redacted
from opsconsole.model.text import shortened, visible

Keys = tuple[str | int, ...]
"""The way to a value: keys of tables, and positions in lists from 0."""

MOST = 100
"""So many problems of one file are told; a file with more of them is something else than was meant."""

_LONGEST = 600


class Severity(StrEnum):
    """Whether a file can be used all the same."""

    ERROR = "error"
    WARNING = "warning"


class Diagnostic(msgspec.Struct, frozen=True):
    """One problem of one file; `str()` of it is one harmless line of text, without what looks like a secret."""

    file: str
    """The path as it was given, or the name of what was wrong instead (an environment variable)."""
    message: str
    line: int = 0
    """Counted from 1; 0 where the file as a whole is meant."""
    item: str = ""
    """The id of the item of a checklist."""
    key: str = ""
    """The key within the item, or within the file: `require[2]`, `due.at`; lists are counted from 1."""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        parts = [
            place,
            "warning" if self.severity is Severity.WARNING else "",
            f"item '{self.item}'" if self.item else "",
            self.key,
            self.message,
        ]
        return visible(shortened(": ".join(redacted(part) for part in parts if part), _LONGEST))


def key_text(keys: Keys) -> str:
    """Return a way as an author would write it: `due.at`, `require[2]` for the second one."""
    text = ""
    for key in keys:
        text += f"[{key + 1}]" if isinstance(key, int) else f".{key}" if text else key
    return text


class Place(msgspec.Struct, frozen=True):
    """Where in a file something stands, and what of that a message names."""

    keys: Keys = ()
    item: str = ""
    named_from: int = 0
    """How many of the first keys the item's name stands for."""

    def at(self, *keys: str | int) -> "Place":
        """Return the place `keys` below this one."""
        return Place((*self.keys, *keys), self.item, self.named_from)

    def of_item(self, item: str) -> "Place":
        """Return the same place, named by the id of the item that starts here."""
        return Place(self.keys, item, len(self.keys))

    @property
    def key(self) -> str:
        """The text of the keys that a message shows."""
        return key_text(self.keys[self.named_from :])


WHOLE = Place()
"""The file itself."""


class Report:
    """Gathers the problems of one file while it is read, and finds their lines once they are asked for."""

    def __init__(self, file: str, text: str = "") -> None:
        self.file = file
        self.lines = TomlLines(text)
        self.failed = False
        self._found: list[Diagnostic] = []
        self._untold = 0

    @property
    def full(self) -> bool:
        """Whether no more problems are told, so that costly guesses about what was meant can be left out."""
        return len(self._found) >= MOST

    def error(self, place: Place, message: str, *, line: int | None = None) -> None:
        """Note what makes the file unusable."""
        self.failed = True
        self._add(place, message, line, Severity.ERROR)

    def warn(self, place: Place, message: str) -> None:
        """Note what is probably not meant."""
        self._add(place, message, None, Severity.WARNING)

    def line(self, place: Place) -> int:
        """Return the line of a place, 0 for the file itself."""
        return self.lines.of(place.keys) if place.keys else 0

    def _add(self, place: Place, message: str, line: int | None, severity: Severity) -> None:
        if self.full:
            self._untold += 1
            return
        at = self.line(place) if line is None else line
        self._found.append(Diagnostic(self.file, message, at, place.item, place.key, severity))

    def diagnostics(self, severity: Severity | None = None) -> tuple[Diagnostic, ...]:
        """Return what was found, of one severity or of both, in the order of the lines."""
        found = sorted(self._found, key=lambda each: each.line)
        if self._untold:
            more = Severity.ERROR if self.failed else Severity.WARNING
            found.append(Diagnostic(self.file, f"and {self._untold} more problems", severity=more))
        return tuple(each for each in found if severity in {None, each.severity})
