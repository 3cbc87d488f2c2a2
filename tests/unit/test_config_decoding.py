"""Decoding tables into structs: every problem at once, in words, with nothing converted on the quiet."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest

from opsconsole.config.decoding import Decoder, Rules
from opsconsole.config.diagnostics import WHOLE, Diagnostic, Report, Severity
from opsconsole.config.words import guess, nearest
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.conditions import Condition
from opsconsole.model.values import Duration, Unit


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table in a table."""

    a: int
    b: str = "b"


class Outer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field of every type."""

    text: str
    short: Annotated[str, msgspec.Meta(min_length=1, max_length=3)] = "x"
    whole: int = 0
    bounded: Annotated[int, msgspec.Meta(ge=1, lt=10)] = 1
    decimal: Decimal = Decimal(0)
    fraction: float = 0.0
    flag: bool = False
    choice: Literal["a", "b"] = "a"
    unit: Unit = Unit.COUNT
    duration: Duration | None = None
    condition: Condition | None = None
    inner: Inner | None = None
    inners: tuple[Inner, ...] = ()
    names: list[str] = []
    table: dict[str, int] = {}
    either: int | str = 0
    anything: Any = None

    def __post_init__(self) -> None:
        if self.text == "forbidden":
            raise ValueError("this text is forbidden")


def decoded(table: Any) -> Outer | None:
    """Decode a table that is expected to be right."""
    report = Report("x")
    found = Decoder(report, Rules()).struct(Outer, {"text": "t"} | table, WHOLE)
    assert [str(each) for each in report.diagnostics()] == []
    return found


def problems(table: dict[str, Any]) -> list[str]:
    """Return what is wrong with a table."""
    report = Report("x")
    assert Decoder(report, Rules()).struct(Outer, {"text": "t"} | table, WHOLE) is None
    return [str(each).removeprefix("x: ") for each in report.diagnostics()]


@pytest.mark.parametrize(
    ("table", "value"),
    [
        ({"whole": 7}, 7),
        ({"decimal": 7}, Decimal(7)),
        ({"decimal": Decimal("1.50")}, Decimal("1.50")),
        ({"fraction": Decimal("0.5")}, 0.5),
        ({"flag": True}, True),
        ({"choice": "b"}, "b"),
        ({"unit": "%"}, Unit.PERCENT),
        ({"duration": "10 s"}, Duration.parse("10 s")),
        ({"condition": "a < 1"}, parse_condition("a < 1")),
        ({"inner": {"a": 1}}, Inner(1)),
        ({"inners": [{"a": 1}, {"a": 2, "b": "c"}]}, (Inner(1), Inner(2, "c"))),
        ({"names": ["-v", "a", "-v"]}, ["-v", "a", "-v"]),
        ({"table": {"a": 1}}, {"a": 1}),
        ({"either": "a"}, "a"),
        ({"either": 1}, 1),
        ({"anything": [1, {"a": [Decimal("1.5"), True]}]}, [1, {"a": [Decimal("1.5"), True]}]),
    ],
)
def test_values_arrive(table: dict[str, Any], value: Any) -> None:
    """What is written right is what the program works with."""
    (key,) = table
    found = getattr(decoded(table), key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"text": 1}, 'text: must be a text, not a whole number; put it in quotes: "1"'),
        ({"text": True}, 'text: must be a text, not true; put it in quotes: "true"'),
        ({"text": Decimal("1.5")}, 'text: must be a text, not 1.5; put it in quotes: "1.5"'),
        ({"text": []}, "text: must be a text, not a list"),
        ({"text": "forbidden"}, "this text is forbidden"),
        ({"short": ""}, "short: must not be empty"),
        ({"short": "abcd"}, "short: has more than 3 characters"),
        ({"whole": "7"}, "whole: must be a whole number, not a text; leave the quotes out"),
        ({"whole": "x"}, "whole: must be a whole number, not a text"),
        ({"whole": Decimal("7.5")}, "whole: must be a whole number, not 7.5"),
        ({"whole": True}, "whole: must be a whole number, not true"),
        ({"whole": 2**53}, "whole: is too large: at most 9007199254740991"),
        ({"bounded": 0}, "bounded: must be at least 1, not 0"),
        ({"bounded": 10}, "bounded: must be less than 10, not 10"),
        ({"decimal": "7"}, "decimal: must be a number, not a text; leave the quotes out"),
        ({"decimal": True}, "decimal: must be a number, not true"),
        ({"decimal": Decimal("nan")}, "decimal: must be a finite number of reasonable size, not 'NaN'"),
        ({"decimal": Decimal("1e30")}, "decimal: must be a finite number of reasonable size, not '1E+30'"),
        ({"flag": 1}, "flag: must be true or false, not a whole number"),
        ({"flag": "false"}, "flag: must be true or false, not a text; leave the quotes out"),
        ({"choice": "c"}, "choice: 'c' is not 'a' or 'b'"),
        ({"choice": 1}, "choice: must be 'a' or 'b', not a whole number"),
        ({"unit": "b"}, "unit: 'b' is not 'count', '%', 'B' or 's'; did you mean 'B'?"),
        ({"duration": 10}, "duration: must be a duration in quotes such as '10 s', not a whole number"),
        ({"duration": "10"}, "duration: '10' is not a duration; write it like '10 s', '5 min', '2 h' or '1 d'"),
        ({"duration": "99999999999 d"}, "duration: '99999999999 d' is longer than a century"),
        ({"condition": 1}, "condition: must be a condition in quotes, not a whole number"),
        ({"inner": 1}, "inner: must be a table such as { a = ... }, not a whole number"),
        ({"inner": {}}, "inner.a: is missing"),
        ({"inner": {"a": 1, "c": 1}}, "inner: unknown key 'c'; known here: a, b"),
        ({"inners": {"a": 1}}, "inners: must be a list of tables, not a table; put it in brackets"),
        ({"inners": [{"a": 1}, {"b": "x"}]}, "inners[2].a: is missing"),
        ({"names": "a"}, "names: must be a list of texts, not a text; put it in brackets"),
        ({"names": ["a", 1]}, 'names[2]: must be a text, not a whole number; put it in quotes: "1"'),
        ({"table": []}, "table: must be a table, not a list"),
        ({"table": {"a": "x"}}, "table.a: must be a whole number, not a text"),
        ({"either": []}, "either: must be a whole number or a text, not a list"),
        ({"anything": {"a": [2**60]}}, "anything.a[1]: is too large: at most 9007199254740991"),
        ({"anything": 1.5j}, "anything: must not be complex"),
    ],
)
def test_what_is_wrong_is_said_in_words(table: dict[str, Any], message: str) -> None:
    """A person who has never heard of types understands what to change."""
    assert problems(table) == [message]


def test_all_problems_at_once() -> None:
    """A file with five mistakes is mended in one go, not in five."""
    told = problems({"whole": "x", "flag": 1, "names": [1, 2], "inner": {"a": "x", "z": 1}, "txt": ""})
    assert len(told) == 7


def test_a_misspelt_key_is_not_missing_as_well() -> None:
    """One mistake is told once: with what was meant, and not a second time as missing."""
    report = Report("x")
    Decoder(report, Rules()).struct(Outer, {"txet": "t"}, WHOLE)
    assert [each.message for each in report.diagnostics()] == ["unknown key 'txet'; did you mean 'text'?"]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("requre", ["require", "requires", "retry"], "require"),
        ("on-empty", ["on_empty", "on_fail"], "on_empty"),
        ("Title", ["title"], "title"),
        ("x", ["title"], None),
        ("", ["title"], None),
        ("t" * 1000, ["title"], None),
    ],
)
def test_what_was_meant(word: str, known: list[str], meant: str | None) -> None:
    """Typing errors are recognised; where nothing is similar, nothing is guessed."""
    assert nearest(word, known) == meant
    assert ("did you mean" in guess(word, known)) == (meant is not None)


def test_the_text_form() -> None:
    """Problems are told as compilers tell theirs, so that an editor can jump to them."""
    told = Diagnostic("qbr-daily.toml", "what", 41, "collectors", "require[1]")
    assert str(told) == "qbr-daily.toml:41: item 'collectors': require[1]: what"
    assert str(Diagnostic("x.toml", "what")) == "x.toml: what"
    assert str(Diagnostic("x", "what", 3, severity=Severity.WARNING)) == "x:3: warning: what"
    assert len(str(Diagnostic("x", "what" * 1000))) == 600
