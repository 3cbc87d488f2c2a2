"""Finds the lines of keys and values in a TOML text, for messages; `tomllib` reads the values, and tells no places.

The text is known to be valid TOML when it is walked. What the walk cannot follow degrades to the line of what
encloses it.
"""

import contextlib
import re
import tomllib
from functools import cached_property

_Keys = tuple[str | int, ...]

_TOKEN = re.compile(
    r'''
      (?P<string> """ [^"\\]* (?: (?: \\. | \\\Z | "(?!"") ) [^"\\]* )* (?: "{3,5} | \Z )
                | \'\'\' [^']* (?: '(?!'') [^']* )* (?: '{3,5} | \Z )
                | " [^"\\\n]* (?: \\. [^"\\\n]* )* "
                | ' [^'\n]* ' )
    | (?P<newline> \n )
    | (?P<word> [^\s"'\#\[\]{},=.]+ )
    | (?P<sign> [\[\]{},=.] )
    | (?P<space> [ \t\r]+ | \#[^\n]* )
    | (?P<other> . )
    ''',
    re.VERBOSE | re.DOTALL,
)


class TomlLines:
    """The lines of one TOML text, found when the first of them is asked for."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _known(self) -> dict[_Keys, int]:
        walk = _Walk(self._text.replace("\r\n", "\n"))
        with contextlib.suppress(IndexError, RecursionError, tomllib.TOMLDecodeError):
            walk.document()
        return walk.known

    def of(self, keys: _Keys) -> int:
        """Return the line (from 1) of a key, value or table, of what encloses it where it is not there, or 0."""
        for length in range(len(keys), 0, -1):
            line = self._known.get(keys[:length])
            if line is not None:
                return line
        return 0


class _Walk:
    """Goes through the tokens once; an IndexError is the end of the text."""

    def __init__(self, text: str) -> None:
        self.known: dict[_Keys, int] = {}
        self._tokens: list[tuple[str, str, int]] = []
        self._position = 0
        self._elements: dict[_Keys, int] = {}
        line = 1
        for match in _TOKEN.finditer(text):
            kind = match.lastgroup or "other"
            if kind != "space":
                self._tokens.append((kind, match[0], line))
            if kind in {"newline", "string"}:
                line += match[0].count("\n")

    def _peek(self) -> str:
        return self._tokens[self._position][1]

    def _take(self) -> str:
        self._position += 1
        return self._tokens[self._position - 1][1]

    def _line(self) -> int:
        return self._tokens[self._position][2]

    def _skip_newlines(self) -> None:
        while self._peek() == "\n":
            self._position += 1

    def document(self) -> None:
        """Walk all lines."""
        table: _Keys = ()
        while True:
            self._skip_newlines()
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> _Keys:
        line = self._line()
        self._take()
        many = self._peek() == "["
        if many:
            self._take()
        table: _Keys = ()
        for key in self._key():
            table = (*self._inside(table), key)
            self.known.setdefault(table, line)
        if many:
            self._elements[table] = self._elements.get(table, 0) + 1
            table = self._inside(table)
            self.known[table] = line
        else:
            self.known[table] = line
        while self._take() != "\n":
            pass
        return table

    def _inside(self, table: _Keys) -> _Keys:
        """Return where keys under a table's name belong: into its last element where it is a list of tables."""
        count = self._elements.get(table)
        return table if count is None else (*table, count - 1)

    def _key(self) -> list[str]:
        """Take the parts of a dotted key."""
        parts = [_unquoted(self._take())]
        while self._peek() == ".":
            self._take()
            parts.append(_unquoted(self._take()))
        return parts

    def _pair(self, table: _Keys) -> None:
        line = self._line()
        for part in self._key():
            table = (*table, part)
            self.known.setdefault(table, line)
        self._take()
        self._value(table)

    def _value(self, keys: _Keys) -> None:
        opening = self._peek()
        if opening == "[":
            self._take()
            self._list(keys)
        elif opening == "{":
            self._take()
            self._inline_table(keys)
        else:
            while self._peek() not in {"\n", ",", "]", "}"}:
                self._take()

    def _list(self, keys: _Keys) -> None:
        index = 0
        while True:
            self._skip_newlines()
            if self._peek() == "]":
                self._take()
                return
            if self._peek() == ",":
                self._take()
                index += 1
                continue
            self.known[(*keys, index)] = self._line()
            before = self._position
            self._value((*keys, index))
            if self._position == before:  # no TOML: something that begins no value
                raise IndexError

    def _inline_table(self, keys: _Keys) -> None:
        while True:
            self._skip_newlines()
            if self._peek() == "}":
                self._take()
                return
            if self._peek() == ",":
                self._take()
                continue
            self._pair(keys)


def _unquoted(token: str) -> str:
    if token[:1] == "'":
        return token[1:-1]
    if token[:1] == '"':
        return next(iter(tomllib.loads(f"{token} = 0"))) if "\\" in token else token[1:-1]
    return token
