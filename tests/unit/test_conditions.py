"""The condition language: what it reads, and how it says what was meant."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.model.condition_parser import ConditionError, parse_condition
from opsconsole.model.conditions import PAST, Condition, Name, Operator, Pattern, Quantifier, Range, Tolerance
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Quantity, Unit, UnitError, number, parse_quantity


@pytest.mark.parametrize(
    ("text", "quantifier", "subject", "operator"),
    [
        ("count == 2", None, "count", Operator.EQ),
        ("count==2", None, "count", Operator.EQ),
        ("every status == 'success'", Quantifier.EVERY, "status", Operator.EQ),
        ("any state != 'missing'", Quantifier.ANY, "state", Operator.NE),
        ("no status in ['failed', 'running']", Quantifier.NO, "status", Operator.IN),
        ("status not in ['a']", None, "status", Operator.NOT_IN),
        ("every duration < 30 s", Quantifier.EVERY, "duration", Operator.LT),
        ("used <= 80%", None, "used", Operator.LE),
        ("available > 1 GB", None, "available", Operator.GT),
        ("data.checks.db >= 1", None, "data.checks.db", Operator.GE),
        ("value between 0 h and 500 h", None, "value", Operator.BETWEEN),
        ("entry within 1% of value", None, "entry", Operator.WITHIN),
        ("value within 3 of 10", None, "value", Operator.WITHIN),
        ("stdout contains 'TOTAL ISSUES: 0'", None, "stdout", Operator.CONTAINS),
        ("stdout not contains 'ERROR'", None, "stdout", Operator.NOT_CONTAINS),
        (r"stdout matches /^\d+ rows$/", None, "stdout", Operator.MATCHES),
        (r"address matches /^\d{1,3}(\.\d{1,3}){3}$/", None, "address", Operator.MATCHES),
        ("stdout not matches 'x+'", None, "stdout", Operator.NOT_MATCHES),
        ('every "Col one" == true', Quantifier.EVERY, "Col one", Operator.EQ),
        ("no == 3", None, "no", Operator.EQ),
        ("every in ['a']", None, "every", Operator.IN),
    ],
)
def test_reads(text: str, quantifier: Quantifier | None, subject: str, operator: Operator) -> None:
    """Each form of the language is understood as it is documented."""
    condition = parse_condition(text)
    assert (condition.quantifier, condition.subject, condition.operator) == (quantifier, subject, operator)


def test_reads_limits() -> None:
    """Limits keep what they are: numbers with units, ranges, tolerances, patterns and names."""
    limits = [
        parse_condition(text).limit
        for text in (
            "a < 1.5 GiB",
            "a between 1 and 2",
            "a within 5% of b",
            "a matches /x\\/y/",
            "a == b",
            "a in [1 s, 2 s]",
        )
    ]
    assert limits[0] == parse_quantity("1.5 GiB")
    assert limits[1] == Range(parse_quantity("1"), parse_quantity("2"))
    assert limits[2] == Tolerance(parse_quantity("5%"), Name("b"))
    assert limits[3] == Pattern("x/y")
    assert limits[4] == Name("b")
    assert limits[5] == (parse_quantity("1 s"), parse_quantity("2 s"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        ("used < 1m", "'1m' is ambiguous: minutes or months? Write 'min' for minutes"),
        ("used < 5 G", "'5 G' is ambiguous"),
        ("used < 5 mins", "did you mean 'min'?"),
        ("used < 5 gib", "did you mean 'GiB'?"),
        ("used < 5 parsec", "unknown unit 'parsec'"),
        ("status = 'ok'", "did you mean '=='?"),
        ("used =< 3", "did you mean '<='?"),
        ("used is 3", "did you mean '=='?"),
        ("used below 3", "did you mean '<'?"),
        ("used betwen 1 and 2", "did you mean 'between'?"),
        ("all status == 'x'", "did you mean 'every'?"),
        ("evry status == 'x'", "did you mean 'every'?"),
        ("Every status == 'x'", "did you mean 'every'?"),
        ("status == null", "a missing value is always an error"),
        ("status < 'x'", "orders numbers"),
        ('status == "x"', "write texts in single quotes: 'x'"),
        ("status == 'x", "a text needs a closing quote"),
        ("count == 1 and used < 3", "one condition each"),
        ("baseline < 3", "'baseline' is what a subject is compared with; write it on the right"),
        ("every last_week < 3", "write it on the right"),
        ("used < 3 * 2", "only a name can be multiplied and added to, in this order: baseline * 1.5 + 10"),
        ("used < 1.5 * baseline", "only a name can be multiplied"),
        ("used < baseline * 5%", "multiplied by a plain number above 0"),
        ("used < baseline * -1", "multiplied by a plain number above 0"),
        ("used < baseline * 0", "multiplied by a plain number above 0"),
        ("used < baseline * last_week", "a number expected after 'baseline *', not last_week"),
        ("used < baseline +", "a number after 'baseline +' is missing"),
        ("used < baseline + + 5", "a number expected"),
        ("used < baseline + 1m", "'1m' is ambiguous"),
        ("used < lastweek * 2 and x < 1", "one condition each"),
        ("used within 5 of", "what it is compared with, after 'of' is missing"),
        ("used < 1,000", "thousands are not separated"),
        ("used in 1", "a list in brackets expected"),
        ("used in [1, 'a']", "of one kind and unit"),
        ("used in [1 s, 1 B]", "of one kind and unit"),
        ("used in []", "expected"),
        ("used between 5 and 1", "the smaller number comes first"),
        ("used between 1 s and 1 B", "unlike units"),
        ("used between 1 or 2", "'and' expected instead of 'or'"),
        ("used within 1 s of 3 B", "unlike units"),
        ("used within -1 of 3", "cannot be negative"),
        ("used matches /(/", "the pattern is not valid"),
        ("used matches /^(a+)+$/", "can take for ever"),
        (r"used matches /^(\w+|\s)*$/", "can take for ever"),
        ("used matches x", "a pattern between slashes expected"),
        ("used contains 3", "a text in quotes expected"),
        ("used not < 3", "'not' goes with"),
        ("used", "an operator after 'used' is missing"),
        ("used <", "the limit after '<' is missing"),
        ("30 s < used", "a subject (a column or measure) must come first"),
        ("used < 3 extra", "unknown unit 'extra'"),
        ("used ! 3", "cannot read"),
        ("x" * 501, "500 characters at most"),
    ],
)
def test_says_what_is_wrong(text: str, said: str) -> None:
    """A typo is answered with what was probably meant, not with a position in a grammar."""
    with pytest.raises(ConditionError) as raised:
        parse_condition(text)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("text", "name", "factor", "plus"),
    [
        ("used < baseline", "baseline", "1", None),
        ("used < baseline * 1.5", "baseline", "1.5", None),
        ("used < baseline*1.5", "baseline", "1.5", None),
        ("used <= last_week + 5%", "last_week", "1", "5%"),
        ("used >= last_week - 5%", "last_week", "1", "-5%"),
        ("used >= last_week -5%", "last_week", "1", "-5%"),
        ("used < yesterday+1 GiB", "yesterday", "1", "1 GiB"),
        ("used < previous - 1.5 GiB", "previous", "1", "-1.5 GiB"),
        ("used > last_month * 0.9", "last_month", "0.9", None),
        ("used == last_quarter", "last_quarter", "1", None),
        ("used < total * 0.8", "total", "0.8", None),
        ("used < total - 1 GiB", "total", "1", "-1 GiB"),
        ("count <= baseline * 1.5 + 10", "baseline", "1.5", "10"),
        ("count <= baseline*1.5+10", "baseline", "1.5", "10"),
        ("count >= previous * 0.5 - 3", "previous", "0.5", "-3"),
        ("count >= previous * 0.5 -3", "previous", "0.5", "-3"),
        ("used <= last_week * 1 + 5%", "last_week", "1", "5%"),
        ("used < total * 0.8 - 1 GiB", "total", "0.8", "-1 GiB"),
    ],
)
def test_reads_names_and_sums(text: str, name: str, factor: str, plus: str | None) -> None:
    """A limit may be a measure or the past, times a number, or a number more or less."""
    condition = parse_condition(text)
    expected = Name(name, Decimal(factor), None if plus is None else parse_quantity(plus))
    assert condition.limit == expected
    assert condition.past() == (name if name in PAST else "")
    assert condition.names() == (() if name in PAST else (name,))


@pytest.mark.parametrize("name", PAST)
def test_tolerances_of_the_past(name: str) -> None:
    """A value may be within a distance of each part of the past, also of a sum."""
    condition = parse_condition(f"every used within 20% of {name} * 2")
    assert condition.limit == Tolerance(parse_quantity("20%"), Name(name, Decimal(2)))
    assert condition.past() == name


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("baseline + 10 * 1.5", "in this order: baseline * 1.5 + 10"),
        ("baseline * 1.5 * 2", "in this order: baseline * 1.5 + 10"),
        ("1.5 * baseline + 10", "in this order: baseline * 1.5 + 10"),
        ("10 + baseline * 1.5", "in this order: baseline * 1.5 + 10"),
        ("baseline * 1.5 + 10 + 5", "in this order: baseline * 1.5 + 10"),
        ("baseline * 1.5 + 10 -5", "one factor and one summand"),
        ("(baseline + 10) * 1.5", "there are no parentheses"),
        ("baseline * (1 + 2)", "there are no parentheses"),
        ("baseline * 1.5 +", "a number after 'baseline +' is missing"),
        ("baseline * + 10", "a number expected after 'baseline *', not +"),
        ("baseline * -1.5 + 10", "a plain number above 0"),
        ("baseline * 1.5 + total", "a number expected after 'baseline +', not total"),
        ("baseline * 150% + 10", "a plain number above 0"),
    ],
)
def test_sums_that_are_none(limit: str, said: str) -> None:
    """What is not read in the one order there is says what that order is."""
    for operator in ("<=", "within 10% of"):
        with pytest.raises(ConditionError) as raised:
            parse_condition(f"count {operator} {limit}")
        assert said in str(raised.value)


@given(
    st.decimals(1, 50, places=1),
    st.integers(-50, 50),
    st.integers(0, 100),
    st.integers(0, 100),
    st.sampled_from(["<=", ">", "==", "within 7 of"]),
)
def test_a_factor_comes_before_a_summand(factor: Decimal, plus: int, other: int, seen: int, operator: str) -> None:
    """`other * 1.5 + 10` is what everybody takes it for, in judging and in what is said of it."""
    sign = "-" if plus < 0 else "+"
    text = f"count {operator} other * {factor} {sign} {abs(plus)}"
    limit = other * factor + plus
    reading = Reading(measures={"count": number(seen), "other": number(other)})
    judged = judge(reading, [parse_condition(text)])
    holds = {
        "<=": seen <= limit,
        ">": seen > limit,
        "==": seen == limit,
        "within 7 of": abs(seen - limit) <= 7,
    }[operator]
    assert judged.outcome is (Outcome.PASS if holds else Outcome.FAIL)
    if judged.outcome is Outcome.FAIL and factor != 1:
        assert f"other ({other}) * {factor.normalize():f} {sign} {abs(plus)} = " in judged.summary


@given(st.text(max_size=80))
def test_never_fails_otherwise(text: str) -> None:
    """Whatever stands in a checklist, it is read or refused with a message."""
    try:
        condition = parse_condition(text)
    except ConditionError as error:
        assert str(error)  # noqa: PT017 - either way is right, and this is what is said
    else:
        assert isinstance(condition, Condition)


_words = st.sampled_from(
    [
        *("every", "any", "no", "used", "count", "==", "<", "in", "[", "]", ",", "'a'", "30 s", "/x/"),
        *("baseline", "last_week", "*", "+", "-", "1.5", "within", "of", "-3", "(", ")", "5%"),
    ]
)


@given(st.lists(_words, max_size=8).map(" ".join))
def test_reads_back_its_own_text(text: str) -> None:
    """What was read once is read the same from the record."""
    try:
        first = parse_condition(text)
    except ConditionError:
        return
    again = parse_condition(first.text)
    assert again == first
    assert again.limit == first.limit


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("80%", "80", Unit.PERCENT),
        ("1 GiB", "1073741824", Unit.BYTES),
        ("1 GB", "1000000000", Unit.BYTES),
        ("1.5 KiB", "1536.0", Unit.BYTES),
        ("500 ms", "0.500", Unit.SECONDS),
        ("2 h", "7200", Unit.SECONDS),
        ("30 d", "2592000", Unit.SECONDS),
        ("10_000", "10000", Unit.COUNT),
        ("-3", "-3", Unit.COUNT),
    ],
)
def test_quantities(text: str, value: str, unit: Unit) -> None:
    """Numbers with units mean what they mean everywhere else."""
    number = parse_quantity(text).number
    assert (str(number.value.normalize()), number.unit) == (
        str(Quantity(number).number.value.normalize()),
        unit,
    )
    assert number.value == parse_quantity(value).number.value


@pytest.mark.parametrize("unit", ["m", "M", "k", "K", "KB", "G", "T", "b", "mb", "gb", "mo", "y"])
def test_ambiguous_units_are_refused(unit: str) -> None:
    """A unit that two people read in two ways is never guessed."""
    with pytest.raises(UnitError, match="ambiguous"):
        parse_quantity(f"1 {unit}")
