"""Queries of checklists: parameters are found where they are, and nothing else is touched."""

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._statements import PARAMETERS, parse
from opsconsole.contracts.probe import Context
from opsconsole.model.calendar import Times, period_of, window_between
from opsconsole.model.checklists import Cadence

UNTOUCHED = [
    "select ':month', 'it''s :month', E'\\':month', e'a\\\\', U&'\\0061 :month', B'01', x'1F', N':month'",
    'select ":month", ":mo""nth", U&"\\0061:month" from t',
    "select $$ :month ' $$, $tag$ :month $$ $tag$, $élan$ :month $élan$",
    "select 1 -- :month ' \" /* $$\n, 2",
    "select /* :month /* nested :month */ ' :month */ 1",
    "select a::date, b :: text, '1'::int[] from t",
    "select a[1:2], a[lo:hi], a[f(x):n], a[b[1]:n], a['1':n], a[\"x\":n], a[1 : n], a[$$1$$:n] from t",
    "select 100 % 7, name like '50%' from t where a %s and %(b)s",
    "select data ? 'a', data @> '{}', data -> 'b:month', now():: date from t",
    "select f(a := 1, b => 2)",
    "select a$b$c, a$1 from t",
    "select E'one\\'' \n ':month'",
    "select 1e10, 1.5, .5, 0x1f, 1_000",
]


@pytest.mark.parametrize("query", UNTOUCHED)
def test_what_is_no_parameter_is_sent_as_it_is(query: str) -> None:
    """Strings, quoted names, comments, casts, slices and percent signs reach the server unchanged."""
    statement = parse(query)
    assert (statement.text, statement.names, statement.problems) == (query, (), ())


@pytest.mark.parametrize(
    ("query", "text", "names"),
    [
        ("select :month", "select $1", ("month",)),
        ("select :month::date, :month ||':month'", "select $1::date, $1 ||':month'", ("month",)),
        ("select a<:now,:target,:now", "select a<$1,$2,$1", ("now", "target")),
        ("select array[:month, :target]", "select array[$1, $2]", ("month", "target")),
        (
            "select a[ case when b then :now else :now end ]",
            "select a[ case when b then $1 else $1 end ]",
            ("now",),
        ),
        ("select a[(:month)]", "select a[($1)]", ("month",)),
        ("select (a)[1:2], :month", "select (a)[1:2], $1", ("month",)),
        ("select x -- :target\n=:month", "select x -- :target\n=$1", ("month",)),
        ("select -:scheduled+:scheduled", "select -$1+$1", ("scheduled",)),
    ],
)
def test_parameters_are_numbered(query: str, text: str, names: tuple[str, ...]) -> None:
    """A name becomes a number wherever a value may stand, the same one each time."""
    statement = parse(query)
    assert (statement.text, statement.names, statement.problems) == (text, names, ())


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "is empty"),
        (" -- nothing\n/* here */ ;", "begins with ';'"),
        ("delete from t", "begins with 'delete'"),
        ("/* select */ update t set a = 1", "begins with 'update'"),
        ("explain analyze delete from t", "begins with 'explain'"),
        ("commit; insert into t values (1)", "begins with 'commit'"),
        ("commit; insert into t values (1)", "more than one statement"),
        ("select 1; select 2", "more than one statement"),
        ("select 1;/* ; */;\n-- end\n(select 2)", "more than one statement"),
        ("select :mnth", "unknown parameter ':mnth'; did you mean ':month'?"),
        ("select :xyzzy", "known are :business_date, :scheduled"),
        ("select a[:hi]", "written with a space: '[1 : n]'"),
        ("select $1", "write parameters by name"),
        ("select :'month'", "write a parameter as ':month', without quotes"),
        ('select :"month"', "write a parameter as ':month', without quotes"),
        ("select 'abc", 'a text that begins with "\'abc" does not end'),
        ("select E'abc\\'", "a text that begins"),
        ('select "abc', "a quoted name that begins"),
        ("select $a$ abc $b$", "a dollar-quoted text that begins"),
        ("select /* /* */", "a comment that begins"),
        ("select '\0'", "NUL"),
        ("select Pg_Advisory_Lock (1)", "outlives the transaction"),
        ("select pg_catalog.pg_try_advisory_lock_shared(1, 2)", "pg_try_advisory_xact_lock_shared"),
    ],
)
def test_what_cannot_be_sent_is_said_at_once(query: str, words: str) -> None:
    """A query that cannot work is found when the checklist is checked, with what to write instead."""
    assert any(words in problem for problem in parse(query).problems), parse(query).problems


def test_all_problems_are_told_together() -> None:
    """Two mistakes in one query are two messages of one run of lint."""
    assert len(parse("delete from t where a = :a and b = :b").problems) == 3


@pytest.mark.parametrize(
    "query",
    [
        "select 1;",
        "SELECT 1 ; ; -- done",
        " \n-- why\nwith x as (select 1) select * from x;/* end */",
        "((select 1) union (select 2))",
        "values (1)",
        "table t",
        "Show server_version",
        "select pg_advisory_xact_lock(1), pg_try_advisory_lock from t",
    ],
)
def test_what_only_reads_is_let_through(query: str) -> None:
    """Every reading statement is accepted, with comments before and a semicolon after it."""
    assert parse(query).problems == ()


def test_places_are_those_of_the_query_as_written() -> None:
    """An error behind parameters is reported at its line and column in the checklist, not in what was sent."""
    query = "select :business_date,\n  :month, :now, fom\nwhere x = :target oops"
    statement = parse(query)
    for word, place in (("fom", (2, 17)), ("oops", (3, 19)), ("$2", (2, 3)), ("$4", (3, 11))):
        assert statement.place(statement.text.index(word) + 1) == place
    assert statement.place(10_000) == (3, 23)


def _context(**changes: Any) -> Context:
    now = dt.datetime(2026, 11, 1, 14, 5, tzinfo=dt.UTC)
    times = Times(
        business_date=dt.date(2026, 11, 1),
        period=period_of(dt.date(2026, 11, 1), Cadence.MONTHLY),
        timezone="America/Chicago",
        begins_at=now,
        ends_at=now + dt.timedelta(days=30),
        due_at=now,
        overdue_at=now,
        window=window_between(dt.date(2026, 10, 1), dt.date(2026, 10, 31), ZoneInfo("America/Chicago")),
        scheduled=changes.pop("scheduled", dt.datetime(2026, 11, 1, 7, 0, tzinfo=dt.UTC)),
        covered_date=dt.date(2026, 10, 31),
    )
    return Context(item="item", times=times, now=now, cutoff=now - dt.timedelta(minutes=2), timeout=10.0, **changes)


def test_every_parameter_has_its_value() -> None:
    """Dates and times are those of the run: on the first of a month, the data is still of the month before."""
    statement = parse("select " + ", ".join(f":{name}" for name in PARAMETERS))
    values = dict(zip(statement.names, statement.values(_context(target="a")), strict=True))
    assert values == {
        "business_date": "2026-11-01",
        "scheduled": "2026-11-01 07:00:00+00:00",
        "covered_date": "2026-10-31",
        "month": "2026-10",
        "period": "2026-11",
        "period_start": "2026-11-01",
        "period_end": "2026-11-30",
        "window_start": "2026-10-01 05:00:00+00:00",
        "window_end": "2026-11-01 05:00:00+00:00",
        "window_first": "2026-10-01",
        "window_last": "2026-10-31",
        "before_start": "2026-09-01 05:00:00+00:00",
        "before_first": "2026-09-01",
        "cutoff": "2026-11-01 14:03:00+00:00",
        "now": "2026-11-01 14:05:00+00:00",
        "timezone": "America/Chicago",
        "target": "a",
    }


@pytest.mark.parametrize("name", ["scheduled", "target"])
def test_a_value_that_a_run_does_not_have_is_named(name: str) -> None:
    """A query for the schedule of a checklist without one is not sent with an empty value."""
    with pytest.raises(ValueError, match=name):
        parse(f"select :month, :{name}").values(_context(scheduled=None))


def test_the_query_can_be_run_by_hand() -> None:
    """The values are written out with their types, and quotes in them stay harmless."""
    statement = parse("select :target, ':now' -- :month\n, :month::date")
    literal = statement.literal(statement.values(_context(target="it's; drop table t")))
    assert literal == "select 'it''s; drop table t'::text, ':now' -- :month\n, '2026-10'::text::date"


PIECES = st.lists(
    st.sampled_from(
        [
            "'",
            '"',
            "$$",
            "$a$",
            "$",
            "/*",
            "*/",
            "--",
            "\n",
            ":",
            "::",
            ":month",
            "[",
            "]",
            "(",
            ")",
            "E'",
            "\\",
            ";",
            "a",
            "1",
            " ",
        ]
    ),
    max_size=30,
)


@given(PIECES)
def test_nothing_gets_lost(pieces: list[str]) -> None:
    """Whatever the text, it is sent back complete but for the parameters, and reading it never fails."""
    query = "select " + "".join(pieces)
    statement = parse(query)
    assert statement.source == query
    if "$" not in query:
        sent = re.sub(r"\$(\d+)", lambda found: ":" + statement.names[int(found[1]) - 1], statement.text)
        assert sent == query
    elif not statement.names:
        assert statement.text == query
