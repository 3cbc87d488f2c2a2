"""What a condition says of a reading, in parts: `[every|any|no] SUBJECT OPERATOR LIMIT`.

It is structured, so that the console can say what broke, by how much, and how near its limit a green one is;
`judging.py` does that. `condition_parser.py` reads it from what a checklist says, and has the grammar.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from opsconsole.model.values import Quantity


class Quantifier(StrEnum):
    """Which rows of a table a condition speaks of."""

    EVERY = "every"
    ANY = "any"
    NO = "no"


class Operator(StrEnum):
    """How the subject is held against the limit."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    IN = "in"
    NOT_IN = "not in"
    CONTAINS = "contains"
    NOT_CONTAINS = "not contains"
    MATCHES = "matches"
    NOT_MATCHES = "not matches"
    BETWEEN = "between"
    WITHIN = "within"


ORDERING = frozenset({Operator.LT, Operator.LE, Operator.GT, Operator.GE})
PAST = ("baseline", "previous", "yesterday", "last_week", "last_month", "last_quarter")
"""What a limit may call a subject's own past; no measure or column can be compared with under these names."""


class Name(msgspec.Struct, frozen=True):
    """A limit that is another measure of the same reading or the subject's own past, times and plus something."""

    name: str
    factor: Decimal = Decimal(1)
    plus: Quantity | None = None

    @property
    def of_past(self) -> bool:
        """Whether the subject's own past is meant."""
        return self.name in PAST


class Pattern(msgspec.Struct, frozen=True):
    """A regular expression, searched for anywhere in the text."""

    source: str


class Range(msgspec.Struct, frozen=True):
    """Two numbers of one unit, both included."""

    low: Quantity
    high: Quantity


class Tolerance(msgspec.Struct, frozen=True):
    """A distance, in percent or in the unit of what it is taken from."""

    width: Quantity
    of: Quantity | Name


Literal = Quantity | str | bool
Limit = Literal | Name | Pattern | Range | Tolerance | tuple[Literal, ...]


class Condition:
    """One parsed condition; `text` is what the author wrote, with its spaces normalised.

    Two are equal when their texts are. It is written into records as its text (see `encoding.py`), so it is no
    msgspec struct.
    """

    __slots__ = ("limit", "operator", "quantifier", "subject", "text")

    def __init__(
        self, text: str, quantifier: Quantifier | None, subject: str, operator: Operator, limit: Limit
    ) -> None:
        self.text = text
        self.quantifier = quantifier
        self.subject = subject
        self.operator = operator
        self.limit = limit

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"parse_condition({self.text!r})"

    def names(self) -> tuple[str, ...]:
        """Return the measures that the limit refers to, without those of the past."""
        named = self._name
        return (named.name,) if named is not None and not named.of_past else ()

    def past(self) -> str:
        """Return which part of its subject's own past the limit refers to, empty for none."""
        named = self._name
        return named.name if named is not None and named.of_past else ""

    @property
    def _name(self) -> Name | None:
        limit = self.limit.of if isinstance(self.limit, Tolerance) else self.limit
        return limit if isinstance(limit, Name) else None
