"""Which selectors a PromQL query has, and how a target is filled in."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._promapi import number_of
from opsconsole.checks._promql import problem_of, selectors, tokens_of, uses_target, with_target
from opsconsole.checks._promrows import quoted

UP = "up"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("up", ["up"]),
        ('up{job="a)b"}', ['up{job="a)b"}']),
        ("job:errors:rate5m > 0", ["job:errors:rate5m"]),
        ('{__name__="up", job!~"x|y"}', ['{__name__="up", job!~"x|y"}']),
        ("sum by (job) (rate(a_total[5m])) / sum(b_total) by (job)", ["a_total", "b_total"]),
        ("SUM WITHOUT (x, y) (a) and on (job) b unless ignoring(z) c", ["a", "b", "c"]),
        ("a * on (x) group_left (y, z) b * ON(x) group_right c", ["a", "b", "c"]),
        ("histogram_quantile(0.95, sum by (le) (rate(h_bucket[5m])))", ["h_bucket"]),
        ('label_replace(a, "x", "$1", "y", "(.*)") or vector(0)', ["a"]),
        ("count_values by (v) ('x', a)", ["a"]),
        ("a > bool 1e3 + 0x1F - .5 * Inf ^ NaN", ["a"]),
        ("# up\nnode_load1 # {", ["node_load1"]),
        ("max_over_time(rate(a[5m])[1h:1m]) > count", ["a", "count"]),
        ("time() - timestamp(a)", ["a"]),
        ("vector(1) + 2", []),
        ("up{job='a'} + up{job='a'}", ["up{job='a'}"]),
        ("a atan2 b", ["a", "b"]),
    ],
)
def test_selectors(query: str, found: list[str]) -> None:
    """The age of samples is asked for what a query looks at: no keyword, label or text is taken for it."""
    assert [each.text for each in selectors(query)] == found
    assert problem_of(query) is None


@pytest.mark.parametrize(
    ("query", "past"),
    [
        ("a offset 1d", {"a": True}),
        ("a OFFSET -5m + b", {"a": True, "b": False}),
        ("rate(a[5m] offset 1w)", {"a": True}),
        ("a @ 1600000000", {"a": True}),
        ("a{x='y'} @ end()", {"a{x='y'}": True}),
        ("a - a offset 1d", {"a": False}),
        ("a offset 1d - a", {"a": False}),
    ],
)
def test_another_time_on_purpose(query: str, past: dict[str, bool]) -> None:
    """What an `offset` or `@` looks at is old by intention; what is looked at now too is not."""
    assert {each.text: each.past for each in selectors(query)} == past


def test_a_query_that_is_a_selector() -> None:
    """Only of such a query every series has an age of its own."""
    assert [each.whole for each in selectors(' up{a="b"} # all')] == [True]
    for query in ("up > 0", "sum(up)", "(up)", "up offset 1h", "rate(up[5m])", "up[5m]"):
        assert not any(each.whole for each in selectors(query)), query


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "nothing"),
        ("sum(up", "')' is missing"),
        ("up)", "closes nothing"),
        ('up{a="b}', "no end"),
        ("a[5m)", "closes"),
    ],
)
def test_slips_are_found_when_the_list_is_loaded(query: str, words: str) -> None:
    """A bracket or a quote that was forgotten is no red morning."""
    assert words in (problem_of(query) or "")


@given(st.text())
def test_targets_stay_texts(target: str) -> None:
    """Whatever a target holds, the query has the same words around one text more."""
    query = "up{instance=:target, job=~:target} > on (x) job:target:sum"
    filled = tokens_of(with_target(query, target))
    assert [each.kind for each in filled] == [
        "text" if each.text == ":target" else each.kind for each in tokens_of(query)
    ]
    assert uses_target(query)
    assert not uses_target("job:target:sum + :target")


@given(st.text())
def test_a_text_in_quotes_is_one_word(text: str) -> None:
    """Nothing ends a text before its end."""
    (only,) = tokens_of(quoted(text))
    assert only.kind == "text"


@given(st.text(alphabet=" abup:(){}[]\"'`\\,=~!@#\n0159.offsetbyn", max_size=60))
def test_any_text_is_read_to_its_end(query: str) -> None:
    """No query makes the reading of it fail or hang."""
    problem_of(query)
    for each in selectors(query):
        assert each.text in query
    with_target(query, "x")


@given(st.floats())
def test_numbers_as_go_writes_them(value: float) -> None:
    """Every float that a server can write is read, and is the same."""
    text = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}.get(repr(value), repr(value))
    read = number_of(text)
    assert read.is_nan() if math.isnan(value) else float(read) == value


@pytest.mark.parametrize("text", ["", "1_000", "sNaN", "0x10", "1e9999", "Infinity", "1,5", " 1", "\u0661", "null"])
def test_what_is_no_number(text: str) -> None:
    """Other spellings that a decimal could be made of are none."""
    with pytest.raises(ValueError, match="no number"):
        number_of(text)
