"""Reads conditions as an author writes them, and says what was probably meant where one cannot be understood.

The grammar:

    condition  = [ "every" | "any" | "no" ] subject comparison
    comparison = ( "==" | "!=" | "<" | "<=" | ">" | ">=" ) limit
               | [ "not" ] "in" "[" literal { "," literal } "]"
               | [ "not" ] "contains" text
               | [ "not" ] "matches" ( text | "/" pattern "/" )
               | "between" number "and" number
               | "within" number "of" limit
    subject    = name { "." name } | '"' column title '"'
    literal    = number with unit | text in single quotes | "true" | "false"
    limit      = literal | name [ "*" number ] [ ( "+" | "-" ) number with unit ]
    name       = a measure of the reading | "baseline" | "previous" | "yesterday" | "last_week" | "last_month"
               | "last_quarter"

The last six are the subject's own past: the median of its earlier readings, and what it was when it was last read,
a day, a week, a month and three months before (see past.py). A percentage that is added to a name means percent
points, as does one within which a percentage has to be; of anything else `within 20%` is a share.
"""

import difflib
import re
from decimal import Decimal
from functools import lru_cache
from typing import NoReturn

import msgspec

from opsconsole.model.conditions import (
    ORDERING,
    PAST,
    Condition,
    Limit,
    Literal,
    Name,
    Operator,
    Pattern,
    Quantifier,
    Range,
    Tolerance,
)
from opsconsole.model.patterns import explodes
from opsconsole.model.values import Quantity, Unit, UnitError, parse_quantity

MAX_LENGTH = 500

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<title>"(?:[^"\\]|\\.)*")
    | (?P<pattern>/(?:[^/\\]|\\.)+/)
    | (?P<number>[+-]?\d+(?:_\d+)*(?:\.\d+)?(?:\s*%|\s*[A-Za-zµ]+\b)?)
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<symbol>==|!=|<=|>=|=<|=>|<>|=~|[<>=~\[\],*+-])
    )""",
    re.VERBOSE,
)

_MEANT = {"=": "==", "=<": "<=", "=>": ">=", "<>": "!=", "~": "matches", "=~": "matches"}
_WORD_OPERATORS = ("in", "not", "contains", "matches", "between", "within")
_WORD_MEANT = {
    "is": "==",
    "equals": "==",
    "eq": "==",
    "like": "contains",
    "below": "<",
    "above": ">",
    "lt": "<",
    "gt": ">",
    "under": "<",
    "over": ">",
}
_QUANTIFIER_MEANT = {"all": "every", "each": "every", "some": "any", "none": "no"}


_OPEN = "; a text needs a closing quote"
_UNREADABLE = {
    "'": _OPEN,
    '"': _OPEN,
    "(": "; there are no parentheses: multiply out, baseline * 1.5 + 15 instead of (baseline + 10) * 1.5",
}
"""What is probably wrong, by the character that cannot be read."""


class ConditionError(ValueError):
    """A condition that cannot be understood; the message says what was probably meant."""


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str


def _tokens(text: str) -> list[_Token]:
    found, position = [], 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            rest = text[position:].strip()
            hint = _UNREADABLE.get(rest[:1], "")
            raise ConditionError(f"cannot read '{rest}' in '{text.strip()}'{hint}")
        found.append(_Token(match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return _joined_words(found)


def _joined_words(tokens: list[_Token]) -> list[_Token]:
    """Give back to numbers the words that the unit pattern swallowed: `between 5 and 10`, `within 3 of 10`."""
    result: list[_Token] = []
    for token in tokens:
        if token.kind == "number":
            head, _, tail = token.text.partition(" ")
            if tail.strip() in {"and", "or", "of"}:
                result += [_Token("number", head), _Token("word", tail.strip())]
                continue
        result.append(token)
    return result


def _unquoted(token: _Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1])


class _Parser:
    """Reads the tokens of one condition from left to right."""

    def __init__(self, text: str) -> None:
        self.text = " ".join(text.split())
        self.tokens = _tokens(text)
        self.position = 0

    def fail(self, message: str) -> NoReturn:
        raise ConditionError(f"'{self.text}': {message}")

    def peek(self) -> _Token | None:
        return self.tokens[self.position] if self.position < len(self.tokens) else None

    def next(self, expected: str) -> _Token:
        token = self.peek()
        if token is None:
            self.fail(f"{expected} is missing at the end")
        self.position += 1
        return token

    def word(self, wanted: str) -> None:
        token = self.next(f"'{wanted}'")
        if token.text != wanted:
            self.fail(f"'{wanted}' expected instead of '{token.text}'")

    def parse(self) -> Condition:
        quantifier = self.quantifier()
        subject = self.subject()
        operator = self.operator(subject)
        limit = self.limit(operator)
        extra = self.peek()
        if extra is not None:
            self.extra(extra)
        return Condition(self.text, quantifier, subject, operator, limit)

    def extra(self, token: _Token) -> NoReturn:
        if token.text in {"and", "or"}:
            self.fail(f"one condition each: write what stands beside '{token.text}' as another entry of the list")
        if token.text == ",":
            self.fail("thousands are not separated in a number: write 1000 or 1_000")
        before = self.tokens[self.position - 1] if self.position else None
        if token.text == "*" or (token.text in {"+", "-"} and before is not None and before.kind == "number"):
            self.fail("only a name can be multiplied and added to, in this order: baseline * 1.5 + 10")
        if token.kind == "number" and token.text[0] in "+-":
            self.fail(f"'{token.text}' is left over; a name has one factor and one summand: baseline * 1.5 + 10")
        self.fail(f"'{token.text}' is left over")

    def quantifier(self) -> Quantifier | None:
        token = self.peek()
        following = self.tokens[1] if len(self.tokens) > 1 else None
        if token is None or token.kind != "word" or following is None:
            return None
        if following.kind not in {"word", "title"} or following.text in _WORD_OPERATORS:
            return None
        if token.text in list(Quantifier):
            self.position += 1
            return Quantifier(token.text)
        lowered = token.text.lower()
        meant = _QUANTIFIER_MEANT.get(lowered) or (lowered if lowered in list(Quantifier) else None)
        if meant is None:
            meant = next(iter(difflib.get_close_matches(lowered, list(Quantifier), 1, 0.7)), None)
        if meant is None or following.text in _WORD_MEANT:
            return None
        self.fail(f"unknown quantifier '{token.text}'; did you mean '{meant}'?")

    def subject(self) -> str:
        token = self.next("the subject")
        if token.kind == "title":
            return _unquoted(token)
        if token.kind != "word":
            self.fail(f"a subject (a column or measure) must come first, not {token.text}")
        if token.text in PAST:
            self.fail(f"'{token.text}' is what a subject is compared with; write it on the right")
        return token.text

    def operator(self, subject: str) -> Operator:
        token = self.next(f"an operator after '{subject}'")
        if token.text == "not":
            following = self.next("'in', 'contains' or 'matches' after 'not'")
            negated = f"not {following.text}"
            if negated not in list(Operator):
                self.fail(f"'not' goes with 'in', 'contains' or 'matches', not with '{following.text}'")
            return Operator(negated)
        if token.text in list(Operator):
            return Operator(token.text)
        meant = _MEANT.get(token.text) or _WORD_MEANT.get(token.text.lower())
        if meant is None and token.kind == "word":
            meant = next(iter(difflib.get_close_matches(token.text, _WORD_OPERATORS, 1, 0.6)), None)
        suggestion = f"; did you mean '{meant}'?" if meant else "; known are " + ", ".join(Operator)
        self.fail(f"unknown operator '{token.text}'{suggestion}")

    def limit(self, operator: Operator) -> Limit:
        match operator:
            case Operator.IN | Operator.NOT_IN:
                return self.list()
            case Operator.BETWEEN:
                return self.range()
            case Operator.WITHIN:
                return self.tolerance()
            case Operator.CONTAINS | Operator.NOT_CONTAINS:
                return self.quoted(f"after '{operator}'")
            case Operator.MATCHES | Operator.NOT_MATCHES:
                return self.pattern()
            case _:
                return self.comparable(operator)

    def comparable(self, operator: Operator) -> Limit:
        token = self.next(f"the limit after '{operator}'")
        limit = self.name(token) if self.is_name(token) else self.literal(token)
        if operator in ORDERING and isinstance(limit, str | bool):
            self.fail(f"'{operator}' orders numbers; {token.text} is none")
        return limit

    def name(self, token: _Token) -> Name:
        """Read what may stand behind a name: `* 1.5`, `+ 5%`, or both in this order, that of arithmetic."""
        return Name(token.text, self.factor(token.text), self.summand(token.text))

    def factor(self, name: str) -> Decimal:
        """Read `* 1.5`; 1 where nothing stands there."""
        follows = self.peek()
        if follows is None or follows.text != "*":
            return Decimal(1)
        self.position += 1
        number = self.number(f"after '{name} *'").number
        if number.unit is not Unit.COUNT or number.value <= 0:
            self.fail(f"'{name}' is multiplied by a plain number above 0, such as 1.5")
        return number.value

    def summand(self, name: str) -> Quantity | None:
        """Read `+ 5%` or `- 10`; the number may have swallowed its sign."""
        follows = self.peek()
        if follows is None or follows.text[0] not in "+-":
            return None
        if follows.text in {"+", "-"}:
            self.position += 1
        number = self.number(f"after '{name} {follows.text}'")
        if follows.text != "-":
            return number
        return Quantity(msgspec.structs.replace(number.number, value=-number.number.value), number.scale)

    def is_name(self, token: _Token) -> bool:
        return token.kind == "word" and token.text.lower() not in {"true", "false", "null", "none", "nan"}

    def literal(self, token: _Token) -> Literal:
        if token.kind == "text":
            return _unquoted(token)
        if token.kind == "title":
            self.fail(f"{token.text} is a column title; write texts in single quotes: '{_unquoted(token)}'")
        if token.kind == "number":
            return self.quantity(token)
        if token.text.lower() in {"true", "false"}:
            return token.text.lower() == "true"
        if token.kind == "word":
            self.fail(
                f"'{token.text}' is not comparable: a missing value is always an error"
                if token.text.lower() in {"null", "none", "nan"}
                else f"a text must stand in quotes: '{token.text}'"
            )
        self.fail(f"a number, a text in quotes, true or false expected instead of {token.text}")

    def quantity(self, token: _Token) -> Quantity:
        try:
            return parse_quantity(token.text)
        except UnitError as error:
            raise ConditionError(f"'{self.text}': {error}") from error

    def number(self, where: str) -> Quantity:
        token = self.next(f"a number {where}")
        if token.kind != "number":
            self.fail(f"a number expected {where}, not {token.text}")
        return self.quantity(token)

    def quoted(self, where: str) -> str:
        token = self.next(f"a text {where}")
        if token.kind not in {"text", "title"}:
            self.fail(f"a text in quotes expected {where}, not {token.text}")
        return _unquoted(token)

    def pattern(self) -> Pattern:
        token = self.next("a pattern after 'matches'")
        if token.kind == "pattern":
            source = token.text[1:-1].replace("\\/", "/")
        elif token.kind in {"text", "title"}:
            source = token.text[1:-1]
        else:
            self.fail(f"a pattern between slashes expected, such as /{token.text}/")
        try:
            re.compile(source)
        except (re.error, OverflowError, RecursionError) as error:
            raise ConditionError(f"'{self.text}': the pattern is not valid: {error}") from error
        if explodes(source):
            raise ConditionError(
                f"'{self.text}': the pattern can take for ever: it has a repetition or a choice within a repetition"
            )
        return Pattern(source)

    def list(self) -> tuple[Literal, ...]:
        opening = self.next("a list after 'in'")
        if opening.text != "[":
            self.fail("a list in brackets expected after 'in', such as ['a', 'b']")
        literals = [self.literal(self.next("a member of the list"))]
        while (token := self.next("the closing ']'")).text == ",":
            literals.append(self.literal(self.next("a member of the list")))
        if token.text != "]":
            self.fail(f"',' or ']' expected instead of {token.text}")
        kinds = {each.number.unit if isinstance(each, Quantity) else type(each) for each in literals}
        if len(kinds) > 1:
            self.fail("the members of a list must be of one kind and unit")
        return tuple(literals)

    def range(self) -> Range:
        low = self.number("after 'between'")
        self.word("and")
        high = self.number("after 'and'")
        if low.number.unit is not high.number.unit:
            self.fail(f"the two ends are of unlike units: {low.number.unit} and {high.number.unit}")
        if low.number.value > high.number.value:
            self.fail(f"nothing lies between {low} and {high}; the smaller number comes first")
        return Range(low, high)

    def tolerance(self) -> Tolerance:
        width = self.number("after 'within'")
        if width.number.value < 0:
            self.fail("a tolerance cannot be negative")
        self.word("of")
        token = self.next("what it is compared with, after 'of'")
        of: Quantity | Name
        if token.kind == "number":
            of = self.quantity(token)
        elif self.is_name(token):
            of = self.name(token)
        else:
            self.fail(f"a number or a measure expected after 'of', not {token.text}")
        if (
            isinstance(of, Quantity)
            and width.number.unit is not Unit.PERCENT
            and width.number.unit is not of.number.unit
        ):
            self.fail(f"the tolerance and its centre are of unlike units: {width} and {of}")
        return Tolerance(width, of)


@lru_cache(maxsize=4096)
def parse_condition(text: str) -> Condition:
    """Parse one condition; raise ConditionError with what is wrong and, where it can be guessed, what was meant.

    Each is parsed once: a record says them again with every run.
    """
    if len(text) > MAX_LENGTH:
        raise ConditionError(f"a condition has {MAX_LENGTH} characters at most")
    if not text.strip():
        raise ConditionError("the condition is empty")
    return _Parser(text).parse()
