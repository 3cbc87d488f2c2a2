"""The probe `sql` on QuestDB: its wire protocol by a double, the driver's part of it against a real PostgreSQL."""

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from opsconsole.checks._pganswers import Bounds
from opsconsole.checks._pgdialects import QUESTDB
from opsconsole.checks._pgstats import About
from opsconsole.checks._postgres import Connection
from opsconsole.checks.postgres import PostgresOptions, PostgresProbe
from opsconsole.contracts.probe import Environment, ProbeError, Source
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Moment, number
from opsconsole.wiring.configuration import loaded_config
from support.judged import outcome
from support.postgres import Postgres
from support.questdb import BOOLEAN, DOUBLE, LONG, TIMESTAMP, VARCHAR, QuestDb, Table, questdb
from support.sql import Asking, asking
from support.systemd import context

NOW = dt.datetime(2026, 11, 21, 8, 0, 0, 123, tzinfo=dt.UTC)
TRADES: Table = (
    (("symbol", VARCHAR), ("price", DOUBLE), ("n", LONG), ("ts", TIMESTAMP), ("live", BOOLEAN)),
    (("ETH", "2615.54", "7", "2026-11-21 07:59:59.500000", "t"), ("BTC", None, "-1", None, "f")),
)


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give the password as libpq takes it."""
    monkeypatch.setenv("PGPASSWORD", "quest-not-real")


@contextlib.asynccontextmanager
async def opened(answers: dict[str, Table]) -> AsyncIterator[tuple[Asking, QuestDb]]:
    """Open a pass over a double that has these answers."""
    async with questdb(answers) as (double, port):
        source = Source(kind="questdb", dsn=f"host=127.0.0.1 port={port} user=user dbname=qdb")
        async with asking("host=nowhere.invalid", quest=source) as db:
            yield db, double


async def test_a_query_is_sent_alone_and_read_as_it_is_meant() -> None:
    """No transaction and no setting goes to QuestDB, and its timestamps are moments in UTC."""
    query = "select * from trades latest on ts partition by symbol"
    async with opened({query: TRADES}) as (db, double):
        reading = await db.read(query, source="quest")
        assert double.asked == [query]
        assert double.password == "quest-not-real"
    assert reading.rows == (
        (
            "ETH",
            number("2615.54"),
            number(7),
            Moment(NOW.replace(hour=7, minute=59, second=59, microsecond=500_000)),
            True,
        ),
        ("BTC", None, number(-1), None, False),
    )
    assert outcome(reading, "every n >= 0") is Outcome.FAIL
    assert outcome(reading, "any n == 7", "latency < 10 s", "count == 2") is Outcome.PASS
    assert outcome(reading, "every price > 1") is Outcome.ERROR
    assert "PGPASSWORD" not in reading.command
    assert "quest-not-real" not in str(reading)


async def test_parameters_are_written_as_questdb_has_them() -> None:
    """Instants are in its own form, and stand in the query, because it binds them in ways of its own."""
    before = "ts < '2026-11-21T08:00:00.000123Z'"
    sent = f"select count() n from trades where {before} and symbol = 'ETH' and day = '2026-11-21'"
    answer: Table = ((("n", LONG),), (("5",),))
    async with opened({sent: answer}) as (db, double):
        query = "select count() n from trades where ts < :now and symbol = :target and day = :business_date"
        reading = await db.read(query, source="quest", now=NOW, target="ETH")
        assert reading.rows == ((number(5),),)
        for hostile in ("a' or 'b", "a\\", "a; drop table trades", "a\nb"):
            problem = await db.problem(query, source="quest", now=NOW, target=hostile)
            assert problem.reason == "bad-query"
        assert double.asked == [sent]


@pytest.mark.parametrize(
    "query",
    [
        "select ';drop table trades' as x",
        "select 1 /* /* */ ; drop table trades; -- */",
        "values (1)",
        "table trades",
        "select $a$; drop table trades; $a$",
    ],
)
async def test_what_could_be_read_as_more_is_not_sent(query: str) -> None:
    """QuestDB has no transaction that only reads: what is not surely one query stays here."""
    async with opened({}) as (db, double):
        assert (await db.problem(query, source="quest")).reason == "bad-query"
        assert double.asked == []


async def test_refusals_and_a_slow_query() -> None:
    """An unknown table is told in its own words, and a query that takes too long is cancelled there."""
    async with opened({"select 1 as it": ((("it", LONG),), (("1",),))}) as (db, double):
        assert "table does not exist" in (await db.problem("select * from nowhere", source="quest")).cause
        slow = "select count() from long_sequence(1000000000000)"
        assert (await db.problem(slow, source="quest", timeout=0.4)).reason == "timeout"
        await asyncio.wait_for(double.cancelled.wait(), 5)
        assert await db.cell("select 1 as it", source="quest") == number(1)


async def test_queries_follow_one_another() -> None:
    """Each of a pass gets its own answer, over one connection, none before the other was answered."""
    answers: dict[str, Table] = {f"select {n} as it": ((("it", LONG),), ((str(n),),)) for n in range(20)}
    async with opened(answers) as (db, double):
        found = await asyncio.gather(*(db.cell(query, source="quest", item=query) for query in answers))
        assert found == [number(n) for n in range(20)]
        assert double.at_once == 0


async def test_a_source_of_the_wrong_kind_is_told(postgres: Postgres) -> None:
    """A PostgreSQL is never asked without its READ ONLY transaction, nor QuestDB with one."""
    role = postgres.create_role()
    async with asking("host=x", quest=Source(kind="questdb", dsn=postgres.dsn("postgres", role))) as db:
        problem = await db.problem("select 1 as it", source="quest")
        assert problem.reason == "bad-source"
        assert "postgresql" in problem.hint
    async with questdb({}) as (double, port), asking(f"host=127.0.0.1 port={port} user=user dbname=qdb") as db:
        problem = await db.problem("select 1 as it")
        assert problem.reason == "bad-source"
        assert "questdb" in problem.hint
        assert double.asked == []


async def test_the_figures_of_postgres_are_not_those_of_questdb() -> None:
    """The probe `postgres` says that it does not know this server."""
    source = Source(kind="questdb", dsn="host=127.0.0.1 user=user")
    probe = PostgresProbe(Environment(sources={"quest": source}))
    with pytest.raises(ProbeError, match="kind 'questdb'"):
        await probe.measure(PostgresOptions(source="quest", about=About.SIZES), context())


async def test_the_wire_without_transactions_on_a_real_server(postgres: Postgres) -> None:
    """Rows, errors, a cut-off result and a timeout come as they do with transactions."""
    parameters: dict[str, Any] = psycopg.conninfo.conninfo_to_dict(postgres.dsn("postgres", postgres.create_role()))
    connection = await Connection.open({key: str(value) for key, value in parameters.items()}, QUESTDB)
    try:
        bounds = Bounds(seconds=10, rows=10, bytes=1000)
        for number_ in range(3):
            answer = await connection.query(f"select {number_}", [], [], bounds)
            assert answer.rows == ((str(number_).encode(),),)
            with pytest.raises(Exception, match="division by zero"):
                await connection.query("select 1 / 0", [], [], bounds)
        answer = await connection.query("select generate_series(1, 1000000)", [], [], bounds)
        assert (answer.truncated, len(answer.rows)) == (True, 10)
        assert (await connection.query("select 5", [], [], bounds)).rows == ((b"5",),)
        with pytest.raises(Exception, match="not done after"):
            await connection.query("select pg_sleep(60)", [], [], Bounds(seconds=0.2, rows=1, bytes=100))
        assert not connection.usable
    finally:
        await connection.aclose()


def test_the_configuration_knows_such_sources(tmp_path: Path) -> None:
    """A source of the kind is accepted, and one with a password in it is refused without repeating it."""
    path = tmp_path / "config.toml"
    path.write_text('[sources.ticks]\nkind = "questdb"\ndsn = "host=db.example port=8812 user=user dbname=qdb"\n')
    path.chmod(0o600)
    assert loaded_config(path, tmp_path / "state").problems == ()
    path.write_text('[sources.ticks]\nkind = "questdb"\ndsn = "host=db.example password=hunter2"\n')
    problems = loaded_config(path, tmp_path / "state").problems
    assert problems
    assert "hunter2" not in str(problems)
