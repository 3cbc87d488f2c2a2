"""Reads PromQL as far as the shipped lists and the probe speak it; anything else is an error, as of Prometheus.

Grammar: https://prometheus.io/docs/prometheus/latest/querying/basics/ and .../operators/.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

AGGREGATIONS = frozenset({"sum", "min", "max", "avg", "count"})
_PRECEDENCE = ({"or"}, {"and", "unless"}, {"==", "!=", "<=", "<", ">=", ">"}, {"+", "-"}, {"*", "/"})
"""Binary operators, those that bind least first."""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_DURATION_PART = re.compile(r"(\d+)(ms|[smhdwy])")
_TOKEN = re.compile(
    r"""\s*(?:\#[^\n]*\n\s*)*(?:
        (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
      | (?P<duration>(?:\d+(?:ms|[smhdwy]))+)
      | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
      | (?P<word>[A-Za-z_][A-Za-z0-9_:]*)
      | (?P<sign>=~|!~|!=|==|<=|>=|[-+*/<>=(){}\[\],:])
      | (?P<end>\Z)
      | (?P<other>.))""",
    re.VERBOSE | re.DOTALL,
)
_DEEPEST = 40


class QueryError(Exception):
    """A query that cannot be answered; the message is what Prometheus would say."""


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition of a selector."""

    label: str
    operator: str
    value: str

    def holds(self, value: str) -> bool:
        """Return whether a label with that value, empty for none, is selected."""
        same = re.fullmatch(self.value, value) is not None if "~" in self.operator else value == self.value
        return same is not self.operator.startswith("!")


@dataclass(frozen=True, slots=True)
class Literal:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text, which is an argument of a few functions only."""

    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by name and labels, at an instant or, with a `window`, over so many seconds before it."""

    name: str
    matchers: tuple[Matcher, ...]
    window: float = 0.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression at instants of the past, `step` seconds apart."""

    inner: "Node"
    window: float
    step: float


@dataclass(frozen=True, slots=True)
class Call:
    """A function of its arguments."""

    function: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One value for each group of series."""

    function: str
    by: tuple[str, ...]
    inner: "Node"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two expressions and what is done with them."""

    operator: str
    left: "Node"
    right: "Node"


Node = Literal | Text | Selector | Subquery | Call | Aggregation | Binary


def parsed(query: str) -> Node:
    """Return what a query says; raise QueryError with the place of what is not understood."""
    parser = _Parser(query)
    node = parser.expression()
    parser.expect("end")
    return node


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


class _Parser:
    def __init__(self, query: str) -> None:
        self._tokens = [
            _Token(str(each.lastgroup), each[str(each.lastgroup)], each.start(str(each.lastgroup)))
            for each in _TOKEN.finditer(query)
        ]
        self._at = 0
        self._depth = 0

    # --- tokens --------------------------------------------------------------------------------------

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _taken(self) -> _Token:
        token = self._next
        self._at += token.kind != "end"
        return token

    def _took(self, text: str) -> bool:
        found = self._next.kind != "text" and self._next.text == text
        self._at += found
        return found

    def expect(self, kind: str, text: str = "") -> _Token:
        """Take the next token, which has to be of that kind, and that one if a text is given."""
        token = self._next
        if token.kind != kind or (text and token.text != text):
            said = f'"{token.text}"' if token.text else "end of input"
            raise QueryError(f"1:{token.start + 1}: parse error: unexpected {said}, expected {text or kind}")
        return self._taken()

    def _fault(self, token: _Token, what: str) -> QueryError:
        return QueryError(f"1:{token.start + 1}: parse error: {what}")

    # --- expressions ---------------------------------------------------------------------------------

    def expression(self, level: int = 0) -> Node:
        """Return an expression whose operators bind at least as much as those of a level."""
        if level == len(_PRECEDENCE):
            return self._unary()
        self._depth += 1
        if self._depth > _DEEPEST * len(_PRECEDENCE):
            raise self._fault(self._next, "it is nested too deeply")
        left = self.expression(level + 1)
        while self._next.kind in {"sign", "word"} and self._next.text in _PRECEDENCE[level]:
            operator = self._taken().text
            left = Binary(operator, left, self.expression(level + 1))
        self._depth -= 1
        return left

    def _unary(self) -> Node:
        if self._took("-"):
            return Binary("-", Literal(0.0), self._unary())
        return self._with_range(self._primary())

    def _primary(self) -> Node:
        token = self._next
        match token.kind:
            case "number":
                return Literal(float(self._taken().text))
            case "text":
                return Text(_plain(self._taken().text))
            case "word":
                return self._named()
            case "sign" if token.text == "{":
                return Selector("", self._matchers())
            case "sign" if token.text == "(":
                self._taken()
                inner = self.expression()
                self.expect("sign", ")")
                return inner
        said = f'unexpected "{token.text}"' if token.text else "unexpected end of input"
        raise self._fault(token, said)

    def _named(self) -> Node:
        token = self._taken()
        if token.text in AGGREGATIONS and (self._next.text in {"(", "by"}):
            return self._aggregation(token.text)
        if self._next.text != "(":
            return Selector(token.text, self._matchers() if self._next.text == "{" else ())
        if token.text not in FUNCTIONS:
            raise self._fault(token, f'unknown function with name "{token.text}"')
        arguments = self._list(self.expression)
        if len(arguments) not in FUNCTIONS[token.text]:
            raise self._fault(
                token, f'wrong number of arguments in call to "{token.text}", which were {len(arguments)}'
            )
        return Call(token.text, tuple(arguments))

    def _aggregation(self, function: str) -> Node:
        by = self._labels() if self._took("by") else ()
        self.expect("sign", "(")
        inner = self.expression()
        self.expect("sign", ")")
        if self._took("by"):
            by = self._labels()
        return Aggregation(function, by, inner)

    def _labels(self) -> tuple[str, ...]:
        return tuple(self._list(lambda: self.expect("word").text))

    def _list(self, one: Callable[[], T]) -> list[T]:
        self.expect("sign", "(")
        found: list[T] = []
        while not self._took(")"):
            if found:
                self.expect("sign", ",")
            found.append(one())
        return found

    # --- selectors -----------------------------------------------------------------------------------

    def _matchers(self) -> tuple[Matcher, ...]:
        self.expect("sign", "{")
        found: list[Matcher] = []
        while not self._took("}"):
            label = self.expect("word").text
            operator = self._taken()
            if operator.text not in {"=", "!=", "=~", "!~"}:
                raise self._fault(operator, f'unexpected "{operator.text}" in label matching')
            value = self.expect("text")
            found.append(Matcher(label, operator.text, _plain(value.text)))
            _refuse_pattern(found[-1], value.start)
            if self._next.text != "}":
                self.expect("sign", ",")
        return tuple(found)

    def _with_range(self, node: Node) -> Node:
        if self._took("["):
            window = self._duration()
            if self._took(":"):
                step = 60.0 if self._next.text == "]" else self._duration()
                node = Subquery(node, window, step)
            elif isinstance(node, Selector):
                node = Selector(node.name, node.matchers, window)
            else:
                raise self._fault(self._next, "ranges only allowed for vector selectors")
            self.expect("sign", "]")
        if self._next.kind == "word" and self._next.text == "offset":
            token = self._taken()
            if not isinstance(node, Selector):
                raise self._fault(token, "offset modifier must be preceded by an instant vector selector")
            node = Selector(node.name, node.matchers, node.window, self._duration())
        return node

    def _duration(self) -> float:
        token = self.expect("duration")
        return sum(int(number) * _UNITS[unit] for number, unit in _DURATION_PART.findall(token.text))


FUNCTIONS: dict[str, tuple[int, ...]] = {
    "time": (0,),
    "vector": (1,),
    "timestamp": (1,),
    "rate": (1,),
    "increase": (1,),
    "avg_over_time": (1,),
    "min_over_time": (1,),
    "max_over_time": (1,),
    "predict_linear": (2,),
    "histogram_quantile": (2,),
    "label_replace": (5,),
}
"""How many arguments each function has."""


def _plain(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    inner = text[1:-1] if text[0] == '"' else text[1:-1].replace("\\'", "'").replace('"', '\\"')
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError:
        raise QueryError(f"1:1: parse error: invalid escape in {text}") from None


def _refuse_pattern(matcher: Matcher, start: int) -> None:
    if "~" in matcher.operator:
        try:
            re.compile(matcher.value)
        except re.error as error:
            raise QueryError(f"1:{start + 1}: parse error: error parsing regexp: {error}") from None
