"""What is made of a query for MySQL, and of the cells of its answer: nothing raises, nothing is guessed."""

import datetime as dt
import re
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._mysql import power_of
from opsconsole.checks._mysqlstatements import parse, tokens
from opsconsole.checks._mysqlvalues import BIT, DATE, DATETIME, TIME, TIMESTAMP, value_of
from opsconsole.checks._statements import PARAMETERS, without_literals
from opsconsole.checks.mysqlsources import mysql_place
from opsconsole.model.values import Moment, Number, Unit, number

SQL = st.lists(
    st.sampled_from(
        [
            "select ",
            "'",
            '"',
            "`",
            "\\",
            "/*",
            "*/",
            "--",
            "-- ",
            "#",
            "\n",
            ":now",
            ":x",
            ";",
            "?",
            "$$",
            "$a$",
            "1",
        ]
    )
    | st.text(max_size=5),
    max_size=20,
).map("".join)


@given(SQL)
def test_reading_a_query_loses_nothing(query: str) -> None:
    """Whatever is written, every character is in exactly one piece, and reading it ends."""
    assert "".join(text for _, text in tokens(query)) == query
    statement = parse(query)
    if not statement.problems:
        assert statement.text.count("?") >= len(statement.names)
        assert ";" not in statement.text.rstrip().rstrip(";") or re.search(r"['\"`#]|--|/\*", query)


@given(SQL)
def test_texts_of_others_are_left_out(query: str) -> None:
    """No text of a statement that somebody else sent is kept, however it is cut off."""
    assert "hunter2" not in without_literals(f"select 'hunter2' {query}") or "'" in query
    assert "hunter2" not in without_literals("select 1 where x = 'it''s hunter2")
    assert "hunter2" not in without_literals("select $tag$ hunter2 $tag$, E'\\'hunter2' /* hunter2 */ -- hunter2")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("select ':now', \":now\", `:now`, :now -- :now\n, :now # :now", ("now", "now")),
        ("select a->'$.b', 1--1, :now", ("now",)),
        ("select /*+ MAX_EXECUTION_TIME(1000) */ :month;", ("month",)),
        ("select 'it\\'s', 'it''s', :month", ("month",)),
    ],
)
def test_parameters_are_found_where_they_are(query: str, names: tuple[str, ...]) -> None:
    """Texts, names and comments hold no parameters, in MySQL's own spelling."""
    statement = parse(query)
    assert statement.problems == ()
    assert statement.names == names


def test_a_lock_that_outlives_the_transaction_is_refused() -> None:
    """GET_LOCK would hold up others until the pass is over; a column may be called so."""
    assert any("GET_LOCK" in each for each in parse("select Get_Lock ('nightly', 0)").problems)
    assert parse("select get_lock, is_used_lock('nightly') from locks").problems == ()


def test_values_can_be_read_by_hand() -> None:
    """The query of the evidence has its values in it, quoted as MySQL has it."""
    statement = parse("select :target, '?' as x")
    assert statement.literal(["O'Neil \\"]) == "select 'O''Neil \\\\', '?' as x"
    assert "target" in PARAMETERS


@given(st.none() | st.text() | st.binary(), st.integers(0, 255), st.sampled_from([None, ZoneInfo("Europe/Berlin")]))
def test_any_cell_becomes_a_value(raw: str | bytes | None, kind: int, zone: ZoneInfo | None) -> None:
    """No answer of a server makes the console stumble."""
    found = value_of(raw, kind, Unit.BYTES, zone)
    assert (found is None) == (raw is None) or kind in {DATE, DATETIME, TIMESTAMP}


@pytest.mark.parametrize(
    ("raw", "kind", "found"),
    [
        ("0000-00-00", DATE, None),
        ("0000-00-00 00:00:00", TIMESTAMP, None),
        ("0000-00-00 00:00:00.000000", DATETIME, None),
        ("2026-02-00", DATE, "2026-02-00"),
        ("2026-02-00 00:00:00", TIMESTAMP, "2026-02-00 00:00:00"),
        ("2026-01-01 00:00:00", TIMESTAMP, Moment(dt.datetime(2026, 1, 1, tzinfo=dt.UTC))),
        ("2026-01-01 00:00:00", DATETIME, Moment(dt.datetime(2025, 12, 31, 23, tzinfo=dt.UTC))),
        ("-838:59:59.25", TIME, Number(Decimal("-3020399.25"), Unit.SECONDS)),
        (b"\xff" * 8, BIT, number(2**64 - 1)),
        ("18446744073709551615", 8, number(2**64 - 1)),
        ("1e400", 5, number("1e400")),
        ("what", 3, "what"),
    ],
)
def test_cells_that_are_easily_misread(raw: str | bytes, kind: int, found: object) -> None:
    """A date of zeros is nothing, a moment has its zone, and large numbers stay what they are."""
    assert value_of(raw, kind, None, ZoneInfo("Europe/Berlin")) == found


@pytest.mark.parametrize(
    ("grant", "power"),
    [
        ("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION", True),
        ("GRANT SELECT, INSERT, SUPER, EVENT ON *.* TO `root`@`localhost`", True),
        ("GRANT FILE ON *.* TO `x`@`%`", True),
        ("GRANT USAGE ON *.* TO `x`@`%` IDENTIFIED BY PASSWORD '*ALL'", False),
        ("GRANT SELECT, PROCESS, REPLICATION CLIENT ON *.* TO `x`@`%`", False),
        ("GRANT ALL PRIVILEGES ON `shop`.* TO `x`@`%`", False),
        ("GRANT SELECT ON `ALL ON *.* TO`.* TO `x`@`%`", False),
    ],
)
def test_an_account_with_all_rights_is_known(grant: str, power: bool) -> None:
    """Rights on everything are seen in each server's way of listing them, those on one database are not."""
    assert bool(power_of([grant])) is power


@given(st.text())
def test_any_dsn_is_a_place_or_a_mistake(dsn: str) -> None:
    """No dsn raises anything else, and no mistake repeats what was written, which may be a password."""
    for text in (dsn, f"mysql://{dsn}", f"mysql://user@{dsn}/x"):
        said = ""
        try:
            mysql_place(text)
        except ValueError as error:
            said = str(error)
        assert len(dsn) < 12 or dsn not in said
