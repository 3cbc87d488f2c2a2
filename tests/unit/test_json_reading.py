"""Measures and tables from JSON, and the points in time and units in it."""

import contextlib
import datetime as dt
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks._jsonpath import JsonError, parsed
from opsconsole.checks._jsonreading import (
    MAX_CELL,
    MAX_ROWS,
    Found,
    Questions,
    found_in,
    names_of,
    question_problems,
    question_subjects,
    value_problems,
)
from opsconsole.checks._scales import scale_of, unit_problem
from opsconsole.checks._timestamps import TimestampError, age_of, moment_of
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number, Unit, number

NOW = dt.datetime(2026, 10, 29, 6, 0, tzinfo=dt.UTC)

HEALTH = """{
  "status": "healthy", "took": 12.5, "share": 0.97, "started": "2026-10-29T05:59:00Z", "none": null, "errors": [],
  "checks": {"database": {"ok": true, "ms": 3}, "cache": {"ok": false, "ms": "7"}},
  "services": [{"name": "web", "state": "up", "seen": 1793253540}, {"name": "mail", "state": "down", "seen": null}],
  "regions": [{"name": "eu", "nodes": [{"id": "a"}]}, {"name": "us"}]
}"""


def _found(**asked: Any) -> Found:
    questions = Questions(**asked)
    assert not question_problems(questions)
    assert not value_problems(questions, names_of(questions))
    return found_in(parsed(HEALTH), questions, NOW)


def _outcome(found: Found, *conditions: str) -> Outcome:
    reading = Reading(
        measures=found.measures,
        columns=found.columns,
        rows=found.rows,
        label=found.label,
        truncated=found.truncated,
    )
    return judge(reading, [parse_condition(each) for each in conditions]).outcome


@pytest.mark.parametrize(
    ("asked", "condition", "outcome"),
    [
        ({"json": {"state": "$.status"}}, "state == 'healthy'", Outcome.PASS),
        ({"json": {"state": "$.status"}}, "state == 'critical'", Outcome.FAIL),
        ({"json": {"state": "$.health"}}, "state == 'healthy'", Outcome.ERROR),
        ({"json": {"state": "$.none"}}, "state == 'healthy'", Outcome.ERROR),
        ({"json": "$.status"}, "value == 'healthy'", Outcome.PASS),
        ({"json": {"took": "$.took"}, "units": {"took": "ms"}}, "took < 20 ms", Outcome.PASS),
        ({"json": {"took": "$.took"}, "units": {"took": "ms"}}, "took < 10 ms", Outcome.FAIL),
        ({"json": {"share": "$.share"}, "units": {"share": "100%"}}, "share > 95%", Outcome.PASS),
        ({"json": {"age": "$.started"}, "ages": ["age"]}, "age < 2 min", Outcome.PASS),
        ({"json": {"age": "$.started"}, "ages": ["age"]}, "age < 30 s", Outcome.FAIL),
        ({"json": {"age": "$.status"}, "ages": ["age"]}, "age < 30 s", Outcome.ERROR),
        ({"json": {"errors": "$.errors"}}, "errors == ''", Outcome.ERROR),
        ({"json": {"ok": "$.checks.*.ok"}}, "every ok == true", Outcome.FAIL),
        ({"json": {"ok": "$.checks.*.ok"}}, "any ok == true", Outcome.PASS),
        ({"json": {"ok": "$.checks.*.ok"}}, "count == 2", Outcome.PASS),
        ({"json": {"ms": "$.checks.*.ms"}, "units": {"ms": "ms"}}, "every ms < 8 ms", Outcome.PASS),
        ({"json": {"ms": "$.checks.*.ms"}}, "every ms < 8", Outcome.ERROR),
        ({"json": {"state": "$.regions[*].state"}}, "no state == 'down'", Outcome.ERROR),
        ({"json": "$.errors[*]"}, "count == 0", Outcome.PASS),
        ({"counts": {"down": "$.services[?@.state != 'up']"}}, "down == 0", Outcome.FAIL),
        ({"counts": {"lost": "$.services[?@.state == 'lost']"}}, "lost == 0", Outcome.PASS),
        ({"counts": {"lost": "$.servants[?@.state == 'lost']"}}, "lost == 0", Outcome.ERROR),
        ({"counts": {"nodes": "$.regions[*].nodes[*]"}}, "nodes >= 1", Outcome.ERROR),
        ({"rows": "$.regions[*].nodes[*]"}, "count == 2", Outcome.ERROR),
        ({"rows": "$.services[*]", "columns": {"s": "$.state"}}, "no s == 'lost'", Outcome.PASS),
        ({"rows": "$.services[*]", "columns": {"s": "$.state"}}, "every s == 'up'", Outcome.FAIL),
        ({"rows": "$.services[*]", "columns": {"a": "$.seen"}, "ages": ["a"]}, "every a < 5 min", Outcome.ERROR),
        ({"rows": "$.services[:1]", "columns": {"a": "$.seen"}, "ages": ["a"]}, "every a < 5 min", Outcome.PASS),
    ],
)
def test_values_by_path_can_be_judged(asked: dict[str, Any], condition: str, outcome: Outcome) -> None:
    """What an item asks of a JSON answer is seen green, red, and never green where it is not there."""
    assert _outcome(_found(**asked), condition) is outcome


def test_rows_are_called_by_what_they_are() -> None:
    """A member of an object is called by its name, an element of a list by its first text, else by its index."""
    checks = _found(json={"ok": "$.checks.*.ok", "ms": "$.checks.*.ms"})
    assert checks.columns == ("ok", "ms", "key")
    assert [row[-1] for row in checks.rows] == ["database", "cache"]
    assert checks.label == "key"
    services = _found(rows="$.services[*]", columns={"name": "$.name", "state": "$.state"})
    assert (services.label, services.rows[1]) == ("", ("mail", "down", "[1]"))
    nodes = _found(rows="$.regions[*].nodes[*]")
    assert [row[-1] for row in nodes.rows] == ["[0].nodes[0]", "[1]"]


def test_what_is_missing_is_told() -> None:
    """The evidence names each place that was not there."""
    found = _found(json={"state": "$.health", "list": "$.checks"}, counts={"n": "$.nobody[*]"})
    assert found.measures == {"state": None, "list": None, "n": None}
    told = found.evidence()[0].text
    assert "state: $.health leads nowhere" in told
    assert "list: there is an object" in told


def test_a_table_that_is_not_there_is_no_empty_one() -> None:
    """No rows because there is no such list is an error, and not `on_empty`."""
    with pytest.raises(JsonError, match="leads nowhere"):
        _found(rows="$.servers[*]")


def test_long_tables_and_cells_are_cut_off_and_say_so() -> None:
    """Ten thousand services are not judged as the first thousand of them."""
    many = found_in(list(range(MAX_ROWS + 1)), Questions(json="$[*]"), NOW)
    assert many.truncated
    assert len(many.rows) == MAX_ROWS
    assert _outcome(many, "every value >= 0") is Outcome.ERROR
    long = found_in(["x" * (MAX_CELL + 1)], Questions(json="$[*]"), NOW)
    assert _outcome(long, "no value contains 'y'") is Outcome.ERROR


@pytest.mark.parametrize(
    ("asked", "key", "says"),
    [
        ({"json": {"a": "status"}}, "json", "begins with $"),
        ({"json": {"a b": "$.status"}}, "json", "is no name"),
        ({"json": {"every": "$.status"}}, "json", "is no name"),
        ({"json": {"key": "$.status"}}, "json", "is no name"),
        ({"json": {"status": "$.status"}}, "json", "measured anyway"),
        ({"json": {"a": "$.a"}, "counts": {"a": "$.b[*]"}}, "json", "given twice"),
        ({"json": {"a": "$.a[*]", "b": "$.b[*]"}}, "json", "different tables"),
        ({"json": {"a": "$.a[*]"}, "rows": "$.b[*]"}, "json", "one table"),
        ({"rows": "$.a"}, "rows", "$.a[*]"),
        ({"columns": {"a": "$.a"}}, "columns", "`rows`"),
        ({"rows": "$.a[*]", "columns": {"a": "$.b[*]"}}, "columns", "room for one"),
    ],
)
def test_questions_that_make_no_sense_are_refused(asked: dict[str, Any], key: str, says: str) -> None:
    """A checklist that asks so is refused when it is loaded, with the key and what to write."""
    problems = question_problems(Questions(**asked), ("status",))
    assert [each for each in problems if each[0] == key and says in each[1]], problems


@pytest.mark.parametrize(
    ("asked", "key", "says"),
    [
        ({"units": {"b": "s"}}, "units", "there is no 'b'"),
        ({"units": {"a": "parsec"}}, "units", "unknown unit"),
        ({"units": {"a": "k"}}, "units", "ambiguous"),
        ({"units": {"a": "s"}, "ages": ["a"]}, "units", "is an age"),
        ({"ages": ["b"]}, "ages", "there is no 'b'"),
        ({"timezone": "Mars/Olympus"}, "timezone", "no time zone"),
        ({"label": "a"}, "label", "no column 'a'"),
    ],
)
def test_units_ages_and_labels_speak_of_what_there_is(asked: dict[str, Any], key: str, says: str) -> None:
    """A unit for nothing is a typo, found when the checklist is loaded."""
    questions = Questions(json={"a": "$.a"}, **asked)
    problems = value_problems(questions, names_of(questions))
    assert [each for each in problems if each[0] == key and says in each[1]], problems


def test_subjects_are_known_beforehand() -> None:
    """Lint knows each measure and column with its unit before anything was asked."""
    asked = Questions(
        json={"ok": "$.c[*].ok", "took": "$.took", "age": "$.at"},
        counts={"n": "$.d[*]"},
        units={"took": "ms"},
        ages=("age",),
    )
    assert question_subjects(asked) == {
        "ok": None,
        "took": Unit.SECONDS,
        "age": Unit.SECONDS,
        "n": Unit.COUNT,
        "key": None,
        "count": Unit.COUNT,
    }


# --- points in time, and units -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-10-29T05:59:00Z",
        "2026-10-29T05:59:00.000+00:00",
        "2026-10-29 05:59:00 UTC",
        "2026-10-29 00:59:00-05:00",
        "20261029T055900Z",
        "Thu, 29 Oct 2026 05:59:00 GMT",
        1793253540,
        Decimal("1793253540.0"),
        1793253540_000,
        1793253540_000_000,
        1793253540_000_000_000,
        "1793253540",
        "1793253540.000",
        "1793253540000",
    ],
)
def test_timestamps_in_every_form(stamp: str | int | Decimal) -> None:
    """However a server writes a point in time, its age is the same."""
    assert age_of(stamp, NOW) == number(60, Unit.SECONDS)


@pytest.mark.parametrize(
    ("stamp", "says"),
    [
        ("2026-10-29T05:59:00", "time zone"),
        ("yesterday", "no point in time"),
        ("", "no point in time"),
        ("2026-13-01T00:00:00Z", "no point in time"),
        ("2027-10-29T05:59:00Z", "future"),
        (10**40, "no point in time"),
        (Decimal("NaN"), "no point in time"),
        (10**20, "beyond|future"),
        ("0001-01-01T00:00:00+14:00", "beyond"),
    ],
)
def test_what_has_no_age_has_none(stamp: str | int | Decimal, says: str) -> None:
    """A timestamp that cannot be placed, or lies in the future, is no fresh one."""
    with pytest.raises(TimestampError, match=says):
        age_of(stamp, NOW)


def test_a_zone_can_be_named() -> None:
    """Local timestamps get their zone from the item; a clock that is slightly ahead is no error."""
    assert moment_of("2026-10-29 00:59:00", "America/Chicago") == NOW - dt.timedelta(minutes=1)
    assert age_of("2026-10-29T06:00:02Z", NOW) == number(-2, Unit.SECONDS)


@given(st.text(max_size=40) | st.integers() | st.decimals())
def test_any_stamp(stamp: str | int | Decimal) -> None:
    """Whatever is taken for a timestamp ends in a moment or in words."""
    with contextlib.suppress(TimestampError):
        assert moment_of(stamp, "UTC").tzinfo is dt.UTC


@pytest.mark.parametrize(
    ("unit", "scale"),
    [
        ("ms", Number(Decimal("0.001"), Unit.SECONDS)),
        ("KiB", Number(Decimal(1024), Unit.BYTES)),
        ("%", Number(Decimal(1), Unit.PERCENT)),
        ("100%", Number(Decimal(100), Unit.PERCENT)),
        ("count", Number(Decimal(1))),
    ],
)
def test_units(unit: str, scale: Number) -> None:
    """A unit says what 1 in an answer means."""
    assert scale_of(unit) == scale
    assert unit_problem(unit) is None


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_any_document_ends_in_values(document: Any) -> None:
    """Whatever a server answers, what an item asks of it comes to values or to words."""
    asked = Questions(
        json={"one": "$.a", "age": "$.b", "many": "$.c[*].a", "took": "$.c[*].b"},
        counts={"n": "$..a"},
        units={"one": "ms", "took": "100%"},
        ages=("age",),
    )
    try:
        found = found_in(document, asked, NOW)
    except JsonError:
        return
    assert set(found.measures) >= {"one", "age", "n"}
    assert all(len(row) == len(found.columns) for row in found.rows)
