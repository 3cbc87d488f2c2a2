r"""Reads the SQL of an item without understanding it: finds its named parameters, and what can be refused at once.

`:month` becomes `$1`, the way libpq takes parameters; what stands in strings, quoted names, dollar quotes and
comments is left alone, and so are casts (`x::date`), array slices (`a[1:n]`) and `%`. The lexical rules are those
of the PostgreSQL manual, section 4.1 "Lexical Structure".

This is a convenience and an early warning, not the guard: that is the server's, with its extended protocol (one
statement), READ ONLY transaction and a role that may only read.
"""

import bisect
import datetime as dt
import difflib
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.contracts.probe import Context
from opsconsole.model.calendar import Window
from opsconsole.model.windows import window_before

OPENINGS = ("select", "with", "values", "table", "show")
"""The words that a query may begin with."""

_TOKEN = re.compile(
    r"""
      (?P<space> \s+ | --[^\n]* )
    | (?P<comment> /\* )
    | (?P<string> [eE]'(?:[^'\\]|\\.|'')*'(?!') (?: \s*\n\s*'(?:[^'\\]|\\.|'')*'(?!') )*
                | (?:[uU]&|[bBxXnN])?'(?:[^']|'')*'(?!') )
    | (?P<quoted> (?:[uU]&)?"(?:[^"]|"")*"(?!") )
    | (?P<dollars> \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ )
    | (?P<unended> [eE]?' | " | \$(?:[^\W\d]\w*)?\$ )
    | (?P<positional> \$\d+ )
    | (?P<word> [^\W\d][\w$]* )
    | (?P<number> \d[\w.]* )
    | (?P<cast> ::|:= )
    | (?P<parameter> :[^\W\d]\w* )
    | (?P<quoting> :(?=['"{]) )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_UNENDED = {"'": "a text", '"': "a quoted name", "$": "a dollar-quoted text", "/": "a comment"}

_LASTING_LOCK = re.compile(r"(pg_(?:try_)?advisory)(_lock(?:_shared)?)", re.IGNORECASE)
"""Functions whose locks a rollback does not let go, nor a pooler between."""

_NO_OPERAND = frozenset(
    {"and", "between", "case", "else", "ilike", "in", "is", "like", "not", "or", "select", "then", "when"}
)
"""Words after which a value begins, so that `:name` behind one is a parameter even between brackets."""


class Parameter(msgspec.Struct, frozen=True):
    """A name that queries may use, and how its value is sent."""

    type: str
    """PostgreSQL's name of the type, told to the server so that it never has to guess one."""
    oid: int
    """The same as a number: `select oid from pg_type`."""
    value: Callable[[Context], str | None]
    meaning: str
    missing: str = ""
    """What to do where there is no value."""


def _instant(at: dt.datetime | None) -> str | None:
    return None if at is None else at.astimezone(dt.UTC).isoformat(" ")


def _before(context: Context) -> Window:
    return window_before(context.times.window, ZoneInfo(context.times.timezone))


_DATE, _INSTANT, _TEXT = ("date", 1082), ("timestamptz", 1184), ("text", 25)

PARAMETERS = {
    "business_date": Parameter(
        *_DATE, lambda context: context.times.business_date.isoformat(), "the date of the run"
    ),
    "scheduled": Parameter(
        *_INSTANT,
        lambda context: _instant(context.times.scheduled),
        "when the job that the checklist looks after was to start",
        'give the checklist a schedule: `schedule = { at = "02:00" }`',
    ),
    "covered_date": Parameter(
        *_DATE, lambda context: context.times.covered_date.isoformat(), "the day that the collected data belongs to"
    ),
    "month": Parameter(*_TEXT, lambda context: context.times.month, "the month of `covered_date`, `YYYY-MM`"),
    "period": Parameter(*_TEXT, lambda context: context.times.period.key, "the period of the run, as in its name"),
    "period_start": Parameter(
        *_DATE, lambda context: context.times.period.start.isoformat(), "the first day of the period"
    ),
    "period_end": Parameter(
        *_DATE, lambda context: context.times.period.end.isoformat(), "the last day of the period"
    ),
    "window_start": Parameter(
        *_INSTANT,
        lambda context: _instant(context.times.window.begins_at),
        "when the stretch of time begins that the run looks back over",
    ),
    "window_end": Parameter(
        *_INSTANT,
        lambda context: _instant(context.times.window.ends_at),
        "when it ends: the first instant that is no longer part of it",
    ),
    "window_first": Parameter(
        *_DATE, lambda context: context.times.window.start.isoformat(), "the first date of that stretch"
    ),
    "window_last": Parameter(*_DATE, lambda context: context.times.window.end.isoformat(), "its last date"),
    "before_start": Parameter(
        *_INSTANT,
        lambda context: _instant(_before(context).begins_at),
        "when the stretch before that one begins, which ends at `:window_start`",
    ),
    "before_first": Parameter(
        *_DATE, lambda context: _before(context).start.isoformat(), "the first date of the stretch before"
    ),
    "cutoff": Parameter(
        *_INSTANT,
        lambda context: _instant(context.cutoff),
        "the one moment of the pass that all its items leave out what is younger of",
    ),
    "now": Parameter(*_INSTANT, lambda context: _instant(context.now), "when the pass over the run was measured"),
    "timezone": Parameter(*_TEXT, lambda context: context.times.timezone, "the checklist's time zone"),
    "target": Parameter(
        *_TEXT,
        lambda context: context.target or None,
        "the target of `for_each`",
        'give the item its targets: `for_each = ["first", "second"]`',
    ),
}
"""What a query can ask for by `:name`."""


class Statement(msgspec.Struct, frozen=True):
    """A query as it is sent, and what is wrong with it."""

    text: str
    """The query with `$1`, `$2` … where it names parameters."""
    names: tuple[str, ...]
    """The parameters in the order of their numbers."""
    problems: tuple[str, ...]
    """Why it cannot be sent; empty where it can."""
    source: str
    moved: tuple[tuple[int, int], ...]
    """Where pieces of `text` begin, each with the place of the same piece in `source`, in ascending order."""

    def place(self, position: int) -> tuple[int, int]:
        """Return line and column in the query as written of the server's `position`, a character counted from 1."""
        at = position - 1
        began, original = self.moved[bisect.bisect_right(self.moved, (at, len(self.source))) - 1]
        offset = min(original + at - began, len(self.source))
        return self.source.count("\n", 0, offset) + 1, offset - self.source.rfind("\n", 0, offset)

    def values(self, context: Context) -> list[str]:
        """Return the values of `names`; raise ValueError naming the first that this run has none for."""
        found = []
        for name in self.names:
            value = PARAMETERS[name].value(context)
            if value is None:
                raise ValueError(name)
            found.append(value)
        return found

    def types(self) -> list[int]:
        """Return the type of each of `names`."""
        return [PARAMETERS[name].oid for name in self.names]

    def literal(self, values: Sequence[str], *, typed: bool = True) -> str:
        """Return the query with its values written out, to be run by hand; `typed` as PostgreSQL has it."""
        literals = {
            str(number): "'" + value.replace("'", "''") + (f"'::{PARAMETERS[name].type}" if typed else "'")
            for number, (name, value) in enumerate(zip(self.names, values, strict=True), start=1)
        }
        pieces = (
            literals[token.text[1:]] if token.kind == "positional" else token.text for token in _tokens(self.text)
        )
        return "".join(pieces).strip()


def without_literals(text: str) -> str:
    """Return SQL with every text in it as `'…'`, one that was cut off included, and no comments."""
    shown = {"string": "'…'", "dollars": "'…'", "unended": "'…'"}
    tokens = _tokens(text)
    return "".join(
        " " if token.text.startswith(("--", "/*")) else shown.get(token.kind, token.text) for token in tokens
    )


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    start: int


def _tokens(query: str) -> Iterator[_Token]:
    """Yield all of `query` in pieces; the last is `unended` where a quote or comment has no end."""
    at = 0
    while at < len(query):
        match = _TOKEN.match(query, at)
        kind = match.lastgroup if match is not None else None
        if match is None or kind is None:  # the last alternative matches any character
            raise AssertionError
        end = match.end()
        if kind == "comment":
            end = _comment_end(query, at)
            kind = "space" if end else "unended"
        if kind == "unended":
            end = len(query)
        yield _Token(kind, query[at:end], at)
        at = end


def _comment_end(query: str, start: int) -> int:
    """Return where the comment that begins at `start` ends, those inside it included; 0 where it does not."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(query, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return 0


@functools.lru_cache(maxsize=256)
def parse(query: str) -> Statement:
    """Read a query; what is wrong with it is in `problems`, all of it at once."""
    reader = _Reader()
    for token in _tokens(query):
        reader.read(token)
    return reader.statement(query)


class _Reader:
    """Rewrites a query token by token."""

    def __init__(self) -> None:
        self._names: dict[str, int] = {}
        self._problems: list[str] = []
        self._pieces: list[str] = []
        self._length = 0
        self._moved: list[tuple[int, int]] = [(0, 0)]
        self._brackets: list[str] = []
        self._before: _Token | None = None
        """The token before, spaces and comments not counted."""
        self._opening = ""
        self._ended = False

    def statement(self, query: str) -> Statement:
        if "\0" in query:
            self._problem("the query holds a NUL character")
        if not self._opening:
            self._problem("the query is empty")
        return Statement(
            "".join(self._pieces), tuple(self._names), tuple(self._problems), query, tuple(self._moved)
        )

    def read(self, token: _Token) -> None:
        if token.kind == "parameter" and not self._slices():
            self._parameter(token)
        else:
            self._keep(token.text)
        if token.kind == "space":
            return
        self._shape(token)
        self._notice(token)
        self._before = token

    def _keep(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)

    def _problem(self, message: str) -> None:
        if message not in self._problems:
            self._problems.append(message)

    def _parameter(self, token: _Token) -> None:
        name = token.text[1:]
        if name not in PARAMETERS:
            near = difflib.get_close_matches(name, PARAMETERS, n=1)
            known = ", ".join(f":{each}" for each in PARAMETERS)
            meant = f"did you mean ':{near[0]}'?" if near else f"known are {known}"
            slicing = " (a slice of an array is written with a space: '[1 : n]')" if self._brackets else ""
            self._problem(f"unknown parameter '{token.text}'; {meant}{slicing}")
        number = self._names.setdefault(name, len(self._names) + 1)
        self._moved.append((self._length, token.start))
        self._keep(f"${number}")
        self._moved.append((self._length, token.start + len(token.text)))

    def _slices(self) -> bool:
        """Whether a colon at this place parts the bounds of an array slice."""
        before = self._before
        if before is None or self._brackets[-1:] != ["["]:
            return False
        if before.kind == "word":
            return before.text.lower() not in _NO_OPERAND
        return before.kind in {"number", "string", "dollars", "quoted", "parameter"} or before.text in {")", "]"}

    def _shape(self, token: _Token) -> None:
        """Follow brackets and the end of the statement."""
        if self._ended and token.text != ";":
            self._problem("the query holds more than one statement; an item sends exactly one")
        if token.text in {"(", "["}:
            self._brackets.append(token.text)
        elif token.text in {")", "]"} and self._brackets:
            self._brackets.pop()
        elif token.text == ";":
            self._ended = True
        if not self._opening and token.text != "(":
            self._opening = token.text
            if token.text.lower() not in OPENINGS:
                allowed = ", ".join(OPENINGS[:-1]) + f" or {OPENINGS[-1]}"
                self._problem(f"the query begins with '{_brief(token.text)}'; a check only reads: {allowed}")

    def _notice(self, token: _Token) -> None:
        if token.kind == "unended":
            what = _UNENDED[token.text.lstrip("eE")[0]]
            self._problem(f'{what} that begins with "{_brief(token.text)}" does not end')
        elif token.kind == "positional":
            self._problem(f"'{token.text}' has no value; write parameters by name, such as ':month'")
        elif token.kind == "quoting" and not self._slices():
            self._problem("a ':' before a quote is psql's own; write a parameter as ':month', without quotes")
        elif token.text == "(" and self._before is not None:
            lock = _LASTING_LOCK.fullmatch(self._before.text)
            if lock is not None:
                name = f"{lock[1]}_xact{lock[2]}".lower()
                self._problem(f"{lock[0]}() takes a lock that outlives the transaction; {name}() does not")


def _brief(text: str) -> str:
    shown = text.partition("\n")[0]
    return shown if len(shown) <= 20 else shown[:17] + "..."  # noqa: PLR2004 - enough to find it
