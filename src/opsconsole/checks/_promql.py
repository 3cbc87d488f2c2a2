"""Finds the selectors of a PromQL query, to ask how old the samples are that its value is made of.

An instant query shows the newest sample of the last five minutes as if it was of now, and the timestamps of its
answer are those of the question. `timestamp(SELECTOR)` alone tells the time of a sample itself, so the selectors
have to be known. Grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/ and `promql/parser/lex.go`.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

import msgspec

from opsconsole.checks._promrows import quoted

TARGET = ":target"
"""Stands for the target of `for_each`, where a label is compared: `up{instance=:target}`."""

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
      | (?P<match>=~|!~|!=|==|=)
      | (?P<number>0[xX][0-9a-fA-F]+|(?:[0-9]+[a-zµ]+)+\b|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<word>[A-Za-z_:][A-Za-z0-9_:]*)
      | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
"""Keywords that a list of labels follows, which are no selectors."""
_WORDS = frozenset(
    {"and", "or", "unless", "atan2", "bool", "inf", "nan", "fill", "fill_left", "fill_right", *_LISTS}
)
_AGGREGATIONS = frozenset(
    {"sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "quantile"}
    | {"count_values", "limitk", "limit_ratio"}
)
_OPENING, _CLOSING = "([{", ")]}"
_PAST = frozenset({"offset", "@"})
"""What follows a selector that looks at another time than now, on purpose."""


class Token(msgspec.Struct, frozen=True):
    """One word of a query."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """Where it ends in the query."""
        return self.start + len(self.text)


class Selected(msgspec.Struct, frozen=True):
    """A selector of a query."""

    text: str
    """Without what follows it: `up{job="node"}`."""
    whole: bool
    """The query is nothing else: each of its series has an age of its own."""
    past: bool
    """It looks at another time, by `offset` or `@`."""


def tokens_of(query: str) -> list[Token]:
    """Return the words of a query, without spaces and comments."""
    found = (Token(str(each.lastgroup), each[0], each.start()) for each in _TOKEN.finditer(query))
    return [each for each in found if each.kind != "space"]


def problem_of(query: str) -> str | None:
    """Return what is wrong with a query at first sight, None where only the server can tell."""
    if not query.strip():
        return "there is nothing to ask"
    awaited: list[str] = []
    for each in tokens_of(query):
        if each.kind != "other":
            continue
        if each.text in {'"', "'", "`"}:
            return f"the text that begins at {query[each.start : each.start + 20]} has no end"
        if each.text in _OPENING:
            awaited.append(_CLOSING[_OPENING.index(each.text)])
        elif each.text in _CLOSING and (not awaited or awaited.pop() != each.text):
            return f"'{each.text}' closes nothing"
    return f"'{awaited[-1]}' is missing" if awaited else None


def selectors(query: str) -> list[Selected]:
    """Return the selectors of a query in order, each once; of one that the server refuses anything at all."""
    tokens = tokens_of(query)
    found: dict[str, Selected] = {}
    at = 0
    while at < len(tokens):
        end = _selector_end(tokens, at)
        if end is None:
            at = _after_list(tokens, at)
            continue
        text = query[tokens[at].start : tokens[end - 1].end]
        past = end < len(tokens) and _looks_elsewhere(tokens, end)
        previous = found.get(text)
        whole = at == 0 and end == len(tokens)
        found[text] = Selected(text, whole, past and (previous is None or previous.past))
        at = end
    return list(found.values())


def _selector_end(tokens: Sequence[Token], at: int) -> int | None:
    """Return the index after the selector that begins at a token, None where none does."""
    token = tokens[at]
    following = tokens[at + 1].text if at + 1 < len(tokens) else ""
    if token.text == "{":
        return _closed(tokens, at)
    if token.kind != "word":
        return None
    word = token.text.lower()
    is_keyword = (
        word in _WORDS or word in _PAST or (word in _AGGREGATIONS and following.lower() in {"by", "without"})
    )
    if following == "(" or is_keyword:
        return None
    return _closed(tokens, at + 1) if following == "{" else at + 1


def _after_list(tokens: Sequence[Token], at: int) -> int:
    """Return the index of the next token that may begin a selector: labels in brackets after `by` are none."""
    word = tokens[at].text.lower()
    if word in _LISTS and at + 1 < len(tokens) and tokens[at + 1].text == "(":
        return _closed(tokens, at + 1)
    if tokens[at].text == "[":
        return _closed(tokens, at)
    if word == "@" and at + 1 < len(tokens) and tokens[at + 1].kind == "word":  # @ start(), @ end()
        return at + 2
    return at + 1


def _closed(tokens: Sequence[Token], at: int) -> int:
    """Return the index after the bracket that closes the one at `at`, or the end."""
    opening = tokens[at].text
    closing = _CLOSING[_OPENING.index(opening)]
    depth = 0
    for index in range(at, len(tokens)):
        depth += (tokens[index].text == opening) - (tokens[index].text == closing)
        if not depth:
            return index + 1
    return len(tokens)


def _looks_elsewhere(tokens: Sequence[Token], at: int) -> bool:
    after = _closed(tokens, at) if tokens[at].text == "[" else at
    return after < len(tokens) and tokens[after].text.lower() in _PAST


def with_target(query: str, target: str) -> str:
    """Return a query with `:target` filled in as a text, so that nothing in a target can change the query.

    After `=~` and `!~` it stands for itself, not for a pattern.
    """
    parts, done = [], 0
    for place, operator in _targets(query):
        text = re.escape(target) if operator in {"=~", "!~"} else target
        parts += [query[done:place], quoted(text)]
        done = place + len(TARGET)
    return "".join((*parts, query[done:]))


def fills_in(query: str) -> bool:
    """Return whether a query can put a number of its own in the place of what is missing: `or vector(0)`."""
    return any(word.text.lower() == "vector" and after.text == "(" for word, after in pairwise(tokens_of(query)))


def uses_target(query: str) -> bool:
    """Return whether a query has a place for the target."""
    return any(True for _ in _targets(query))


def _targets(query: str) -> Iterator[tuple[int, str]]:
    """Yield where `:target` is compared with a label, and by which operator."""
    tokens = tokens_of(query)
    for operator, token in pairwise(tokens):
        if token.text == TARGET and operator.text in {"=", "!=", "=~", "!~"}:
            yield token.start, operator.text
