"""What a query brings back: every type as a value that can be judged, and never more than can be held."""

import datetime as dt
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Moment, Number, Unit, Value, number
from support.postgres import Postgres
from support.sql import Asking, asking


@pytest.fixture(scope="module")
def reader_dsn(postgres: Postgres) -> str:
    """Return the connection string of a role that may look at a small table."""
    database = postgres.create_database("create table few as select generate_series(1, 3) as id, 'x'::text as name")
    role = postgres.create_role()
    postgres.run(f'grant select on few to "{role}"', database)
    return postgres.dsn(database, role)


@pytest.fixture
async def db(reader_dsn: str) -> AsyncIterator[Asking]:
    """Open a pass over a run, with that source."""
    async with asking(reader_dsn) as opened:
        yield opened


def _judged(reading: Reading, *conditions: str) -> Outcome:
    return judge(reading, [parse_condition(each) for each in conditions]).outcome


def _seconds(value: str | int) -> Number:
    return number(value, Unit.SECONDS)


def _moment(text: str) -> Moment:
    return Moment(dt.datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("null", None),
        ("true", True),
        ("false", False),
        ("1::smallint", number(1)),
        ("'-9223372036854775808'::bigint", number("-9223372036854775808")),
        ("4294967295::oid", number(4294967295)),
        ("0.1::numeric(3, 1)", number("0.1")),
        ("1.10::numeric", number("1.10")),
        ("0.1::float8", number("0.1")),
        ("0.3::real", number("0.3")),
        ("1e20::float8", number("1e20")),
        ("'text'::text", "text"),
        ("'ü€😀'::varchar", "ü€😀"),
        ("'a  '::char(5)", "a    "),
        ("'name'::name", "name"),
        ("date '2026-11-21'", "2026-11-21"),
        ("time '08:00'", "08:00:00"),
        ("timestamp '2026-11-21 08:00:00.5'", "2026-11-21 08:00:00.5"),
        ("timestamptz '2026-11-21 08:00:00-06'", _moment("2026-11-21 14:00:00+00:00")),
        ("timestamptz '2026-11-21 08:00:00.123456+05:30'", _moment("2026-11-21 02:30:00.123456+00:00")),
        ("timestamptz '2026-11-01 01:30:00 America/Chicago'", _moment("2026-11-01 07:30:00+00:00")),
        ("timestamptz 'infinity'", "infinity"),
        ("timestamptz '0044-03-15 12:00+00 BC'", "0044-03-15 12:00:00+00 BC"),
        ("timestamptz '20000-01-01 00:00+00'", "20000-01-01 00:00:00+00"),
        ("interval '0'", _seconds(0)),
        ("interval '41.25 s'", _seconds("41.25")),
        ("interval '-1 h 30 min'", _seconds(-1800)),
        ("interval '1 day -02:00:00.5'", _seconds("79199.5")),
        ("interval '2 mons 3 days'", _seconds(63 * 86400)),
        ("interval '1 year 1 mon'", _seconds("34149600")),
        ("'\\xdead'::bytea", "\\xdead"),
        ("'{\"a\": [1]}'::jsonb", '{"a": [1]}'),
        ("'{1,2}'::int[]", "{1,2}"),
        ("'12345678-1234-5678-1234-567812345678'::uuid", "12345678-1234-5678-1234-567812345678"),
        ("inet '10.0.0.1/8'", "10.0.0.1/8"),
        ("row(1, 'a')", "(1,a)"),
    ],
)
async def test_every_type_has_its_value(db: Asking, expression: str, value: Value) -> None:
    """Numbers, times and texts arrive exactly, without a float on the way."""
    cell = await db.cell(f"select {expression} as it")
    assert cell == value
    assert type(cell) is type(value)


@pytest.mark.parametrize(
    "interval",
    [
        "1 year 2 mons -3 days -04:05:06.7",
        "-1 mon 29 days 23:59:59.999999",
        "10000 years",
        "-00:00:00.000001",
        "1 week",
    ],
)
async def test_intervals_are_the_seconds_that_postgresql_counts(db: Asking, interval: str) -> None:
    """A duration is the same number as `extract(epoch from …)` gives."""
    ((ours, theirs),) = (
        await db.read(f"select interval '{interval}' as ours, extract(epoch from interval '{interval}') as theirs")
    ).rows
    assert isinstance(ours, Number)
    assert isinstance(theirs, Number)
    assert ours.value == theirs.value


@pytest.mark.parametrize(
    "expression", ["'NaN'::float8", "'NaN'::numeric", "'infinity'::float8", "'-infinity'::numeric"]
)
async def test_what_is_no_finite_number_is_never_judged(db: Asking, expression: str) -> None:
    """NaN and infinity end in ERROR, below any limit and above it."""
    reading = await db.read(f"select {expression} as it")
    assert _judged(reading, "it < 5") is Outcome.ERROR
    assert _judged(reading, "it > 5") is Outcome.ERROR


async def test_settings_of_role_and_database_change_nothing(postgres: Postgres) -> None:
    """A role that was given other date styles, zones or precisions is read like any other."""
    database, role = postgres.create_database(), postgres.create_role()
    for setting in ("datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'", "timezone = 'Asia/Kolkata'"):
        postgres.run(f'alter role "{role}" set {setting}', database)
    postgres.run(f'alter role "{role}" set extra_float_digits = -10; alter role "{role}" set bytea_output = escape')
    async with asking(postgres.dsn(database, role)) as opened:
        reading = await opened.read(
            "select date '2026-11-03' as d, timestamptz '2026-11-03 04:00+00' as t, interval '1 day 2 hours' as i,"
            " 0.1234567890123456::float8 as f, '\\x01'::bytea as b"
        )
    assert reading.rows == (
        ("2026-11-03", _moment("2026-11-03 04:00+00:00"), _seconds(93600), number("0.1234567890123456"), "\\x01"),
    )


# --- parameters --------------------------------------------------------------------------------------


async def test_parameters_have_their_types(db: Asking) -> None:
    """Dates, instants and texts of the run can be used without a cast, wherever a value may stand."""
    now = dt.datetime(2026, 11, 1, 14, 5, 0, 250_000, tzinfo=dt.UTC)
    names = ("business_date", "covered_date", "period_start", "period_end", "scheduled", "now", "month", "period")
    query = ", ".join(f"pg_typeof(:{name})::text as {name}" for name in (*names, "timezone", "target"))
    reading = await db.read(f"select {query}", now=now, target="a")
    assert reading.rows == (("date",) * 4 + ("timestamp with time zone",) * 2 + ("text",) * 4,)
    reading = await db.read(
        "select :now as a, :scheduled - interval '1 day' as b, :business_date + 1 as c, :month || '!' as d",
        now=now,
        scheduled=now,
    )
    assert reading.rows == ((Moment(now), Moment(now - dt.timedelta(days=1)), "2026-11-02", "2026-11!"),)


@pytest.mark.parametrize("target", ["it's", "'; drop table few; --", "$1", "%s", ":month", 'a"b\\', "x\ny", "ünï"])
async def test_a_target_is_a_value_and_never_sql(db: Asking, target: str) -> None:
    """Quotes, comments and placeholders in a target arrive as they are."""
    assert await db.cell("select :target as it", target=target) == target


async def test_percent_signs_and_casts_arrive(db: Asking) -> None:
    """Patterns, modulo and casts work as in psql."""
    assert await db.cell(
        "select count(*) from few where name like 'x%' and id % 2 = 1 and :month::text <> ''"
    ) == number(2)
    assert await db.cell("select (array[1, 2, 3])[2:3] as it") == "{2,3}"


@pytest.mark.parametrize(("name", "hint"), [("scheduled", "schedule = "), ("target", "for_each = ")])
async def test_a_parameter_without_a_value_is_refused(db: Asking, name: str, hint: str) -> None:
    """A query for the schedule of a checklist that has none says so, and says how to give it one."""
    problem = await db.problem(f"select :{name}", scheduled=None)
    assert problem.reason == "bad-query"
    assert f"':{name}'" in problem.cause
    assert hint in problem.hint


# --- the table ---------------------------------------------------------------------------------------


async def test_the_reading_is_the_table(db: Asking) -> None:
    """Columns, rows, the label and the server's time come back, and a line to see the same by hand."""
    reading = await db.read(
        "select name, id from few where id < :target::int order by id", label="name", target="3"
    )
    assert reading.columns == ("name", "id")
    assert reading.rows == (("x", number(1)), ("x", number(2)))
    assert reading.label == "name"
    assert not reading.truncated
    latency = reading.measures["latency"]
    assert isinstance(latency, Number)
    assert latency.unit is Unit.SECONDS
    assert 0 < latency.value < 5
    assert reading.command.startswith("PGOPTIONS='-c default_transaction_read_only=on -c row_security=off' psql ")
    assert "where id < '3'::text::int order by id" in reading.command


async def test_latency_is_the_servers_time(db: Asking) -> None:
    """A slow query shows as slow."""
    reading = await db.read("select pg_sleep(0.2)::text as it")
    latency = reading.measures["latency"]
    assert isinstance(latency, Number)
    assert Decimal("0.2") <= latency.value < 5


async def test_units_of_columns(db: Asking) -> None:
    """Bytes, percent and seconds can be judged with their units."""
    reading = await db.read(
        "select 1536 as size, 99.5 as share, 2 as took, interval '3 s' as gap, null::int as none",
        units={
            "size": Unit.BYTES,
            "share": Unit.PERCENT,
            "took": Unit.SECONDS,
            "gap": Unit.SECONDS,
            "none": Unit.BYTES,
        },
    )
    assert _judged(reading, "size == 1.5 KiB", "share < 100%", "took < 3 s", "gap == 3 s") is Outcome.PASS
    assert _judged(reading, "none < 1 GiB") is Outcome.ERROR


@pytest.mark.parametrize(
    ("query", "options", "words"),
    [
        ("select 1 as a, 2 as a", {}, "two columns called 'a'"),
        ("select 1, 2", {}, "two columns called '?column?'"),
        ("select from few", {}, "returns no columns"),
        ("select 1 as a", {"label": "b"}, "`label` names a column 'b'"),
        ("select 1 as a", {"units": {"b": Unit.BYTES}}, "`units` names a column 'b'"),
        ("select 'x' as a", {"units": {"a": Unit.BYTES}}, "the unit 'B', but it is no number"),
        ("select interval '1 s' as a", {"units": {"a": Unit.BYTES}}, "the unit 'B', but it is no number"),
    ],
)
async def test_columns_that_are_not_what_they_are_taken_for(
    db: Asking, query: str, options: dict[str, object], words: str
) -> None:
    """A column that is missing, doubled or no number is an error of the item, not a value that passes somehow."""
    problem = await db.problem(query, **options)
    assert problem.reason == "bad-query"
    assert words in problem.cause


async def test_an_empty_result_is_not_green(db: Asking) -> None:
    """No rows are no values: a condition on them is ERROR, their number can be asked for."""
    reading = await db.read("select id, name from few where id > 99")
    assert reading.columns == ("id", "name")
    assert _judged(reading, "every id < 5") is Outcome.ERROR
    assert _judged(reading, "no id > 5") is Outcome.ERROR
    assert _judged(reading, "count == 0") is Outcome.PASS


async def test_cells_hidden_from_the_role_are_not_green(db: Asking, postgres: Postgres) -> None:
    """What pg_stat_activity hides from an ordinary role is an error, not a text that happens to be harmless."""
    async with asking(postgres.dsn("postgres", postgres.create_role())) as other:
        await other.cell("select 1 as it")
        reading = await db.read("select query from pg_stat_activity where usename <> current_user")
        assert _judged(reading, "no query contains 'delete'") is Outcome.ERROR


# --- too much ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "truncated"), [(9, False), (10, False), (11, True), (100_000_000, True)])
async def test_more_rows_than_allowed_are_not_judged(db: Asking, rows: int, truncated: bool) -> None:
    """A result is whole up to `max_rows`; beyond it is cut off at once, said to be, and never counted or passed."""
    reading = await db.read(f"select generate_series(1, {rows}) as id", max_rows=10)
    assert (len(reading.rows), reading.truncated) == (min(rows, 10), truncated)
    expected = Outcome.ERROR if truncated else Outcome.PASS
    assert _judged(reading, "every id >= 1") is expected
    assert _judged(reading, "count <= 10") is expected
    assert await db.cell("select 1 as it") == number(1)


@pytest.mark.parametrize(
    "query", ["select repeat('x', 9000) as it from generate_series(1, 1000)", "select repeat('x', 10001) as it"]
)
async def test_too_much_text_is_cut_off(db: Asking, query: str) -> None:
    """Rows or cells that are too long to keep make the result unjudged, and the evidence says what to do."""
    reading = await db.read(query)
    assert reading.truncated
    assert sum(len(str(cell)) for row in reading.rows for cell in row) <= 1 << 20
    assert "let the query aggregate" in reading.evidence[0].text


async def test_messages_of_the_server_are_evidence(postgres: Postgres) -> None:
    """What a function of the database warns of is shown with the item."""
    body = "begin raise warning 'disk nearly full'; return 1; end"
    database = postgres.create_database(f"create function warns() returns int language plpgsql as $$ {body} $$")
    async with asking(postgres.dsn(database, postgres.create_role())) as opened:
        reading = await opened.read("select warns() as it")
    assert [each.title for each in reading.evidence] == ["messages of the server"]
    assert "disk nearly full" in reading.evidence[0].text
