r"""Reads the SQL of an item for MySQL and MariaDB: finds its named parameters, and what can be refused at once.

`:month` becomes `?`. The lexical rules are those of the MySQL Reference Manual, "Lexical Structure": texts in `'`
and `"` with backslashes, names in backticks, comments that begin with `-- `, `#` or `/*`. The session that a query
is sent in has these rules set (`sql_mode`). As with PostgreSQL this is a convenience and an early warning; the
guard is the server's: one prepared statement in a READ ONLY transaction, of an account that may only read.
"""

import difflib
import functools
import re
from collections.abc import Iterator, Sequence

import msgspec

from opsconsole.checks._statements import OPENINGS, PARAMETERS
from opsconsole.contracts.probe import Context

_TOKEN = re.compile(
    r"""
      (?P<space> \s+ | --(?=\s|\Z)[^\n]* | \#[^\n]* | /\*(?![!+M]).*?\*/ )
    | (?P<hidden> /\*(?:!|M!) )
    | (?P<hint> /\*\+.*?\*/ )
    | (?P<string> '(?:[^'\\]|\\.|'')*'(?!') | "(?:[^"\\]|\\.|"")*"(?!") )
    | (?P<quoted> `(?:[^`]|``)*`(?!`) )
    | (?P<unended> ['"`] | /\* )
    | (?P<assigned> := )
    | (?P<parameter> :[^\W\d]\w* )
    | (?P<word> [^\W\d][\w$]* )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_WRITES = {
    "into": "the query has INTO, which writes; a check only reads",
    "for update": "the query has FOR UPDATE, which holds up those who write",
    "for share": "the query has FOR SHARE, which holds up those who write",
    "get_lock (": "the query has GET_LOCK(), whose lock outlives the query; is_used_lock() says who has it",
    "lock in": "the query has LOCK IN SHARE MODE, which holds up those who write",
}


class MysqlStatement(msgspec.Struct, frozen=True):
    """A query as it is sent, and what is wrong with it."""

    text: str
    """The query with `?` where it names parameters."""
    names: tuple[str, ...]
    """The parameter of each `?`, in their order."""
    problems: tuple[str, ...]
    """Why it cannot be sent; empty where it can."""

    def values(self, context: Context) -> list[str]:
        """Return the value of each `?`; raise ValueError naming the first that this run has none for.

        Instants are in UTC and have no zone behind them, as the server takes them: `2026-11-21 08:00:00`.
        """
        found = []
        for name in self.names:
            value = PARAMETERS[name].value(context)
            if value is None:
                raise ValueError(name)
            found.append(value.removesuffix("+00:00") if PARAMETERS[name].type == "timestamptz" else value)
        return found

    def literal(self, values: Sequence[str]) -> str:
        """Return the query with its values written out, to be run by hand."""
        waiting = iter(values)
        pieces = (
            _quoted(next(waiting)) if kind == "other" and text == "?" else text for kind, text in tokens(self.text)
        )
        return "".join(pieces).strip()


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def tokens(query: str) -> Iterator[tuple[str, str]]:
    """Yield kinds and pieces of all of `query`; the last is `unended` where a quote or comment has no end."""
    at = 0
    while at < len(query):
        match = _TOKEN.match(query, at)
        if match is None or match.lastgroup is None:  # the last alternative matches any character
            raise AssertionError
        end = len(query) if match.lastgroup == "unended" else match.end()
        yield match.lastgroup, query[at:end]
        at = end


@functools.lru_cache(maxsize=256)
def parse(query: str) -> MysqlStatement:
    """Read a query; what is wrong with it is in `problems`, all of it at once."""
    pieces: list[str] = []
    names: list[str] = []
    problems: list[str] = []
    words: list[str] = []
    ended = False
    for kind, text in tokens(query):
        if kind == "parameter":
            names.append(text[1:])
            problems += _unknown(text[1:])
        pieces.append("?" if kind == "parameter" else text)
        if kind == "space":
            continue
        problems += _refused(kind, text)
        if ended and text != ";":
            problems.append("the query holds more than one statement; an item sends exactly one")
        ended = ended or text == ";"
        words.append(text.lower() if kind == "word" or text == "(" else "")
    problems += _of_words(words)
    if "\0" in query:
        problems.append("the query holds a NUL character")
    return MysqlStatement("".join(pieces), tuple(names), tuple(dict.fromkeys(problems)))


def _refused(kind: str, text: str) -> list[str]:
    if kind == "unended":
        return [f'what begins with "{text[:20]}" does not end']
    if kind == "hidden":
        return ["the query holds a comment that the server would run (`/*!`); write what it says instead"]
    if kind == "assigned":
        return ["':=' assigns; a check only reads"]
    if text == "?":
        return ["'?' has no value; write parameters by name, such as ':month'"]
    return []


def _unknown(name: str) -> list[str]:
    if name in PARAMETERS:
        return []
    near = difflib.get_close_matches(name, PARAMETERS, n=1)
    known = ", ".join(f":{each}" for each in PARAMETERS)
    return [f"unknown parameter ':{name}'; " + (f"did you mean ':{near[0]}'?" if near else f"known are {known}")]


def _of_words(words: list[str]) -> Iterator[str]:
    opening = next((word for word in words if word != "("), None)
    if opening is None:
        yield "the query is empty"
    elif opening not in OPENINGS:
        allowed = ", ".join(OPENINGS[:-1]) + f" or {OPENINGS[-1]}"
        yield f"the query does not begin as one that reads: {allowed}"
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        said = _WRITES.get(word) or _WRITES.get(f"{word} {following}")
        if said:
            yield said
