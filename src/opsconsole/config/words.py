"""The words of messages: what a value is, and what was probably meant."""

import datetime as dt
import difflib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from opsconsole.model.redaction import redacted
from opsconsole.model.text import shortened

_LONGEST_GUESSED = 64
_LONGEST_NUMBER = 20
_MOST_LISTED = 24


def nearest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """Return the one of `known` that `word` was probably meant to be: the most similar, if it is `alike` enough."""
    if not 0 < len(word) <= _LONGEST_GUESSED:
        return None
    candidates = list(known)
    for candidate in candidates:
        if candidate.lower() == word.lower().replace("-", "_") or candidate.lower() == word.lower():
            return candidate
    return next(iter(difflib.get_close_matches(word, candidates, 1, alike)), None)


def guess(word: str, known: Iterable[str], listed: str = "known here") -> str:
    """Return the second half of a message about an unknown word: what was meant, or else what there is."""
    candidates = sorted(set(known))
    meant = nearest(word, candidates)
    if meant is not None:
        return f"; did you mean '{meant}'?"
    if not candidates or len(candidates) > _MOST_LISTED:
        return ""
    return f"; {listed}: {', '.join(candidates)}"


def quoted(text: str) -> str:
    """Return a text of the file in quotes, cut to a length that a message can bear, and after secrets are out."""
    return f"'{shortened(redacted(text), 60)}'"


def kind_of(value: Any) -> str:
    """Return what a TOML value is, in words."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return "a text"
        case int():
            return "a whole number"
        case Decimal() | float():
            return str(value) if len(str(value)) <= _LONGEST_NUMBER else "a number"
        case list() | tuple():
            return "a list"
        case dict():
            return "a table"
        case dt.datetime():
            return "a date and time"
        case dt.date():
            return "a date"
        case dt.time():
            return "a time"
        case _:
            return type(value).__name__


def either(words: Iterable[str]) -> str:
    """Join alternatives: `a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last
