"""Reads TOML within bounds, and says in plain words what is wrong with it."""

import re
import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from opsconsole.config.diagnostics import WHOLE, Report
from opsconsole.config.textfiles import read_text

MAX_KEY_PARTS = 16
"""Dotted keys of thousands of parts cost quadratic time and memory in any TOML parser; nobody writes them."""

_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.){0,64}"|'[^'\n]{0,64}')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*\.[ \t]*{_PART}){{{MAX_KEY_PARTS}}}")
"""The lengths keep the search itself cheap; a line has no room for many parts that are longer. Possessive groups,
which would do as well, match wrongly before Python 3.11.5 (python/cpython#106052)."""

_POSITION = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)\Z", re.DOTALL)

_IN_WORDS = {
    "Cannot overwrite a value": "a key or table is given twice",
    "Invalid value": "this is no value; a text must stand in quotes",
    "Invalid statement": "this is neither key = value nor a [table]",
    "Invalid date or datetime": "there is no such date or time",
    "Expected '=' after a key in a key/value pair": "'=' is missing after a key",
    "Expected newline or end of document after a statement": (
        "something is left over after the value; a text must stand in quotes"
    ),
    "Unterminated string": "a text is not closed",
    "Illegal character '\\n'": "a text is not closed at the end of its line",
    "Unclosed array": "a ',' or ']' is missing, or the quotes around a text",
    "Unclosed inline table": "a ',' or '}' is missing, or the quotes around a text",
    "Invalid initial character for a key part": (
        "a key is expected here (a table in braces stays on one line and has no ',' at its end)"
    ),
    "Unescaped '\\' in a string": (
        "a backslash must be doubled in a text in double quotes; single quotes take it as it is"
    ),
}
_ABOUT_TABLES = (
    (r"Cannot declare \((.*)\) twice", "the table [{0}] is there twice; one of several is written [[{0}]]"),
    (r"Cannot mutate immutable namespace \((.*)\)", "'{0}' is complete where it stands; write all of it there"),
    (r"Cannot redefine namespace \((.*)\)", "'{0}' has a table of its own; write all of it there"),
    (r"Duplicate inline table key ('.*')", "the key '{0}' is given twice"),
)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent beyond what decimals can hold
        return Decimal("inf")


def read_toml(path: Path, *, shown: str = "", check_trust: bool = True) -> tuple[dict[str, Any] | None, Report]:
    """Return the tables of a TOML file, None where it cannot be read, and what is wrong with it so far.

    `shown` is what messages call the file, its path where it is left out.
    """
    report = Report(shown or str(path))
    text = read_text(path, report, check_trust=check_trust)
    if text is None:
        return None, report
    report = Report(report.file, text)
    return parse_toml(text, report), report


def parse_toml(text: str, report: Report) -> dict[str, Any] | None:
    """Return the tables of a TOML text, numbers with a point as Decimal; or None with the problem in `report`."""
    bomb = _LONG_KEY.search(text)
    if bomb is not None:
        line = text.count("\n", 0, bomb.start()) + 1
        report.error(WHOLE, f"a key has more than {MAX_KEY_PARTS} parts", line=line)
        return None
    try:
        return tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError as error:
        message, line = _explained(str(error), text)
        report.error(WHOLE, f"not valid TOML: {message}", line=line)
    except (RecursionError, MemoryError):
        report.error(WHOLE, "not valid TOML: lists or tables are nested too deeply")
    return None


def _explained(error: str, text: str) -> tuple[str, int]:
    match = _POSITION.match(error)
    if match is None:
        return error, 0
    message, line = match[1], match[2]
    if line is None:
        return f"{_words(message)}, at the end of the file", max(1, len(text.rstrip().split("\n")))
    return f"{_words(message)} (column {match[3]})", int(line)


def _words(message: str) -> str:
    if message in _IN_WORDS:
        return _IN_WORDS[message]
    for pattern, words in _ABOUT_TABLES:
        match = re.fullmatch(pattern, message)
        if match is not None:
            return words.format(".".join(re.findall(r"'([^']*)'", match[1])))
    return message.replace("Illegal character", "the text holds the character")
