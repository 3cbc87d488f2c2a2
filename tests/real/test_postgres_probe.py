"""The probe `postgres` on a real primary and standby: each figure green and red, and never green without a view."""

import asyncio
import contextlib
import shlex
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from opsconsole.checks._pgstats import About
from opsconsole.checks.postgres import KIND, PostgresOptions, PostgresProbe
from opsconsole.checks.sql import SqlOptions, SqlProbe
from opsconsole.contracts.probe import Environment, Source
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Problem, Reading
from opsconsole.model.values import Number
from support.judged import assert_declared, outcome
from support.pgpair import Pair, until
from support.pgproxy import proxied
from support.postgres import Postgres
from support.sql import problem_of
from support.systemd import context

pytestmark = pytest.mark.xdist_group("postgres-pair")

ABOUTS = tuple(About)
PRIVILEGED = (About.CONNECTIONS, About.ACTIVITY, About.LOCKS, About.STATEMENTS, About.REPLICATION)


class Looking:
    """A probe with one source named `db`, for one pass."""

    def __init__(self, dsn: str) -> None:
        self.environment = Environment(sources={"db": Source(kind="postgresql", dsn=dsn)})
        self.probe = PostgresProbe(self.environment)

    async def read(self, about: str, *, within: float = 10.0, **more: Any) -> Reading:
        """Measure within so many seconds, and hold the reading against what is declared."""
        options = PostgresOptions(source="db", about=About(about), **more)
        reading = await self.probe.measure(options, context(timeout=within))
        assert_declared(KIND, options, reading)
        return reading

    async def until(self, expected: Outcome, about: str, condition: str, **more: Any) -> Reading:
        """Measure again and again until an item with that condition would come to the expected outcome."""
        async with asyncio.timeout(15):
            while True:
                reading = await self.read(about, **more)
                if outcome(reading, condition) is expected:
                    return reading
                await asyncio.sleep(0.02)

    async def problem(self, about: str, **more: Any) -> Problem:
        """Return why something could not be measured."""
        return await problem_of(self.read(about, **more))


@contextlib.asynccontextmanager
async def looking(dsn: str) -> AsyncIterator[Looking]:
    """Open a pass."""
    opened = Looking(dsn)
    try:
        yield opened
    finally:
        await opened.environment.aclose()


@pytest.fixture(scope="module")
def role(postgres_pair: Pair) -> str:
    """Make a role that may read statistics, and the extension."""
    postgres_pair.primary.run("create extension if not exists pg_stat_statements")
    made = postgres_pair.role()
    until(postgres_pair.caught_up, "the standby")
    return made


@pytest.fixture
async def db(postgres_pair: Pair, role: str) -> AsyncIterator[Looking]:
    """Open a pass over the primary."""
    async with looking(postgres_pair.primary.dsn(role)) as opened:
        yield opened


@contextlib.contextmanager
def session(dsn: str, *statements: str) -> Iterator[psycopg.Connection[Any]]:
    """Hold a session open that has begun a transaction with these statements."""
    with psycopg.connect(dsn) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield connection
        connection.rollback()


def value(reading: Reading, name: str) -> Any:
    """Return the number of a measure."""
    found = reading.measures[name]
    assert isinstance(found, Number), (name, found)
    return found.value


# --- each figure, green and red ----------------------------------------------------------------------


async def test_connections(postgres_pair: Pair, db: Looking, role: str) -> None:
    """Used connections are held against those that an ordinary role can have, and told by role and state."""
    before = await db.read("connections")
    assert outcome(before, "used < 10", "share < 90%", "max == 20", "reserved == 3") is Outcome.PASS
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(session(postgres_pair.primary.dsn(role), "select 1"))
        reading = await db.read("connections")
    assert value(reading, "used") == value(before, "used") + 10
    assert value(reading, "idle_in_transaction") == 10
    assert outcome(reading, "used < 10") is Outcome.FAIL
    assert outcome(reading, "share < 60%") is Outcome.FAIL
    assert [row[0] for row in reading.rows] == [role, role]
    assert outcome(reading, "every connections < 5") is Outcome.FAIL


async def test_activity(postgres_pair: Pair, db: Looking, role: str) -> None:
    """A forgotten transaction is found with who left it, and no text of its query is kept."""
    quiet = await db.read("activity")
    assert outcome(quiet, "longest_query < 5 min", "longest_idle_in_transaction < 1 s") is Outcome.PASS
    with session(postgres_pair.primary.dsn(role), "select 'card 4111', pg_sleep(0.05) -- my secret"):
        await asyncio.sleep(0.05)
        reading = await db.read("activity")
        assert outcome(reading, "longest_idle_in_transaction < 50 ms") is Outcome.FAIL
        assert outcome(reading, "longest_transaction < 50 ms") is Outcome.FAIL
        assert value(reading, "idle_in_transaction") == 1
        assert outcome(reading, f"any session contains '{role}'", "any query contains 'pg_sleep'") is Outcome.PASS
        assert "4111" not in str(reading)
        assert "my secret" not in str(reading)
    postgres_pair.primary.run(
        "create table prepared (id int); begin; insert into prepared values (1); prepare transaction 'forgotten'"
    )
    try:
        await asyncio.sleep(0.05)
        assert outcome(await db.read("activity"), "oldest_prepared < 50 ms") is Outcome.FAIL
    finally:
        postgres_pair.primary.run("rollback prepared 'forgotten'; drop table prepared")


async def test_locks(postgres_pair: Pair, db: Looking) -> None:
    """Who waits for a lock is found, for how long, and which process holds it."""
    assert outcome(await db.read("locks"), "waiting == 0", "longest_wait < 1 s") is Outcome.PASS
    postgres_pair.primary.run("create table if not exists locked (id int)")
    dsn = postgres_pair.primary.dsn()
    with session(dsn, "lock table locked") as holder:
        waiter = await psycopg.AsyncConnection.connect(dsn)
        waiting = asyncio.create_task(waiter.execute("select count(*) from locked where 'x' = 'secret'"))
        reading = await db.until(Outcome.FAIL, "locks", "waiting == 0")
        assert outcome(reading, f"every blocked_by == '{holder.info.backend_pid}'") is Outcome.PASS
        assert outcome(reading, "every lock == 'locked'", "no query contains 'secret'") is Outcome.PASS
        holder.rollback()
        await waiting
        await waiter.close()


async def test_response(postgres_pair: Pair, db: Looking, role: str, tmp_path: Path) -> None:
    """The time of a round trip is that of the network and the server, whatever else the connection does."""
    reading = await db.read("response", round_trips=9)
    assert outcome(reading, "value < 5 s", "connecting < 5 s") is Outcome.PASS
    assert value(reading, "least") <= value(reading, "value") <= value(reading, "most")
    async with (
        proxied(str(postgres_pair.primary.sockets), tmp_path, delay=0.03),
        looking(f"host={tmp_path} dbname=postgres user={role}") as far,
    ):
        assert outcome(await far.read("response"), "value < 50 ms") is Outcome.FAIL
        problem = await far.problem("response", round_trips=100, within=0.5)
        assert problem.reason == "timeout"


async def test_database(postgres_pair: Pair, db: Looking) -> None:
    """Hits of the cache, files for sorting and deadlocks are counted from a moment that is told."""
    postgres_pair.primary.run("select pg_stat_reset()")
    postgres_pair.primary.run(
        "set work_mem = '64kB'; select count(*) from"
        " (select n from generate_series(1, 50000) n order by -n offset 1) x"
    )
    reading = await db.until(Outcome.FAIL, "database", "temp_files == 0")
    assert outcome(reading, "cache_hit > 0%", "deadlocks == 0", "age < 60 s") is Outcome.PASS
    assert outcome(reading, "temp_bytes < 1 kB") is Outcome.FAIL
    assert outcome(reading, "cache_hit > 100%") is Outcome.FAIL
    assert not reading.tabular


async def test_sizes_and_tables(postgres_pair: Pair, db: Looking) -> None:
    """Databases and tables are told with the largest first, and the totals are of all of them."""
    primary = postgres_pair.primary
    primary.run(
        "drop table if exists heavy, light; create table heavy as select generate_series(1, 20000) as id;"
        " create table light (id int); create index on heavy (id); analyze heavy"
    )
    sizes = await db.read("sizes")
    assert outcome(sizes, "value < 1 GiB", "total < 1 GiB") is Outcome.PASS
    assert outcome(sizes, "value < 1 MiB") is Outcome.FAIL
    tables = await db.read("tables", top=1)
    assert [row[0] for row in tables.rows] == ["public.heavy"]
    assert value(tables, "count") > 1
    assert outcome(tables, "largest < 100 kB") is Outcome.FAIL
    assert outcome(tables, "every rows == 20000", "every indexes > 100 kB") is Outcome.PASS
    primary.run("create database private; revoke connect on database private from public")
    try:
        hidden = postgres_pair.role(monitor=False)
        async with looking(primary.dsn(hidden)) as blind:
            reading = await blind.read("sizes")
        assert outcome(reading, "total < 1 GiB") is Outcome.ERROR
        assert outcome(reading, "value < 1 GiB") is Outcome.PASS
    finally:
        primary.run("drop database private")


async def test_statements(postgres_pair: Pair, db: Looking) -> None:
    """The slowest statement is found by its mean, with no text that was in it."""
    postgres_pair.primary.run("select pg_stat_statements_reset()")
    postgres_pair.primary.run(
        "select pg_sleep(0.03), 'private';" * 3 + "create role temporary password 'hunter2'; drop role temporary"
    )
    reading = await db.read("statements", min_calls=3, top=1)
    assert outcome(reading, "slowest < 30 ms") is Outcome.FAIL
    assert outcome(reading, "slowest < 30 s", "every calls == 3", "every share > 50%") is Outcome.PASS
    assert outcome(reading, "any statement contains 'pg_sleep'") is Outcome.PASS
    everything = await db.read("statements", min_calls=1, by="calls", top=100)
    assert "hunter2" not in str(everything)
    assert outcome(everything, "any statement contains 'create role'") is Outcome.PASS
    none = await db.read("statements", min_calls=1_000_000)
    assert outcome(none, "slowest < 30 s") is Outcome.ERROR
    assert outcome(none, "count == 0") is Outcome.PASS


async def test_statements_without_the_extension(postgres: Postgres, postgres_pair: Pair, db: Looking) -> None:
    """A database without the extension, or with one that was never updated, says how to make it."""
    role = postgres.create_role()
    async with looking(postgres.dsn("postgres", role)) as bare:
        problem = await bare.problem("statements")
    assert problem.reason == "not-found"
    assert "create extension pg_stat_statements" in problem.hint
    run = postgres_pair.primary.run
    run("drop extension pg_stat_statements; create extension pg_stat_statements version '1.8'")
    try:
        assert "alter extension" in (await db.problem("statements")).hint
        run('drop extension pg_stat_statements; create schema if not exists "odd ""one"')
        run('create extension pg_stat_statements schema "odd ""one"; grant usage on schema "odd ""one" to public')
        await db.read("statements")
    finally:
        run("drop extension pg_stat_statements; create extension pg_stat_statements")
    await db.read("statements")


async def test_vacuum(postgres_pair: Pair, db: Looking, role: str) -> None:
    """Dead rows, and tables that were never cleaned, are found; a standby says that it does not know."""
    run = postgres_pair.primary.run
    run(
        "drop table if exists dirty; create table dirty as select generate_series(1, 2000) as id; delete from dirty"
        " where id > 500"
    )
    reading = await db.until(Outcome.PASS, "vacuum", "any table == 'public.dirty'")
    assert outcome(reading, "worst < 50%") is Outcome.FAIL
    assert outcome(reading, "never_vacuumed == 0") is Outcome.FAIL
    assert outcome(reading, "xid_share < 50%", "xid_age < 1000000") is Outcome.PASS
    run("vacuum analyze")
    reading = await db.until(Outcome.PASS, "vacuum", "never_vacuumed == 0", min_rows=400)
    assert outcome(reading, "worst < 50%", "oldest_vacuum < 60 s", "every since_vacuum < 60 s") is Outcome.PASS
    async with looking(postgres_pair.standby.dsn(role)) as standby:
        assert "standby" in (await standby.problem("vacuum")).cause


async def test_statistics_that_were_lost(postgres_pair: Pair, db: Looking) -> None:
    """After a crash or a reset nothing is known of dead rows, which must not look as if there were none."""
    run = postgres_pair.primary.run
    run("drop table if exists counted; create table counted as select generate_series(1, 5000) as id")
    run("vacuum analyze")
    await db.until(Outcome.PASS, "vacuum", "any table == 'public.counted'")
    run("select pg_stat_reset_single_table_counters('counted'::regclass)")
    try:
        problem = await db.problem("vacuum")
        assert (problem.reason, "public.counted" in problem.cause) == ("failed", True)
        assert "`analyze;`" in problem.hint
        await db.read("vacuum", min_rows=6000)
        run("analyze counted")
        await db.until(Outcome.PASS, "vacuum", "any table == 'public.counted'")
    finally:
        run("drop table counted")


async def test_tables_of_a_session_are_nobody_elses(postgres_pair: Pair, db: Looking) -> None:
    """A temporary table, which nobody cleans, is no table that was never vacuumed."""
    postgres_pair.primary.run("vacuum analyze")
    create = "create temp table passing as select generate_series(1, 5000) as id"
    with psycopg.connect(postgres_pair.primary.dsn(), autocommit=True) as session:
        session.execute(create)
        session.execute("select pg_stat_force_next_flush()")
        session.execute("select 1")
        assert outcome(await db.read("vacuum"), "never_vacuumed == 0") is Outcome.PASS


async def test_statistics_that_are_not_kept(postgres_pair: Pair, db: Looking) -> None:
    """A server that counts nothing says nothing of rows, deadlocks and files."""
    run = postgres_pair.primary.run
    run("alter system set track_counts = off")
    run("select pg_reload_conf()")
    try:
        for about in ("vacuum", "database"):
            assert "`track_counts` is off" in (await _until_problem(db, about)).cause
    finally:
        run("alter system reset track_counts")
        run("select pg_reload_conf()")
    await db.until(Outcome.PASS, "database", "deadlocks >= 0")


async def _until_problem(db: Looking, about: str) -> Problem:
    async with asyncio.timeout(15):
        while True:
            with contextlib.suppress(AssertionError):  # it was measured
                return await db.problem(about)
            await asyncio.sleep(0.02)


async def test_invalid(postgres_pair: Pair, db: Looking) -> None:
    """An index whose making failed, and a constraint that was never checked, are found."""
    run = postgres_pair.primary.run
    assert outcome(await db.read("invalid"), "value == 0") is Outcome.PASS
    run("drop table if exists twice; create table twice as select 1 as id from generate_series(1, 2)")
    with contextlib.suppress(Exception):
        run("create unique index concurrently broken on twice (id)")
    run("alter table twice add constraint unchecked check (id > 5) not valid")
    try:
        reading = await db.read("invalid")
        assert outcome(reading, "value == 0") is Outcome.FAIL
        assert outcome(reading, "indexes == 1", "constraints == 1", "every relation == 'twice'") is Outcome.PASS
    finally:
        run("drop table twice")


async def test_replication(postgres_pair: Pair, db: Looking, role: str) -> None:
    """Primary and standby tell how far behind the standby is; a standby that is gone is told, on either side."""
    until(postgres_pair.caught_up, "the standby")
    reading = await db.until(Outcome.PASS, "replication", "lag_bytes == 0 B")
    assert outcome(reading, "standbys == 1", "streaming == 1", "lag < 30 s", "every behind < 30 s") is Outcome.PASS
    primary, standby = postgres_pair.primary, postgres_pair.standby
    async with looking(standby.dsn(role)) as follower:
        assert (
            outcome(
                await follower.read("replication"),
                "receiving == true",
                "lag < 30 s",
                "lag_bytes < 1 MiB",
                "paused == false",
            )
            is Outcome.PASS
        )
        standby.run("select pg_wal_replay_pause()")
        primary.run("create table later as select generate_series(1, 1000) as id; drop table later")
        await db.until(Outcome.FAIL, "replication", "lag_bytes == 0 B")
        held = await follower.until(Outcome.FAIL, "replication", "lag_bytes == 0 B")
        assert outcome(held, "paused == false") is Outcome.FAIL
        assert outcome(held, "lag < 1 ms") is Outcome.FAIL
        standby.run("select pg_wal_replay_resume()")
        primary.stop()
        try:
            lost = await follower.until(Outcome.FAIL, "replication", "receiving == true")
            assert outcome(lost, "lag_bytes < 1 GiB") is Outcome.ERROR
            assert "receives nothing" in lost.evidence[0].text
        finally:
            primary.start()
    assert (await db.problem("replication")).reason == "source-down"  # its session ended with the server
    standby.stop()
    try:
        alone = await db.read("replication")
        assert outcome(alone, "standbys >= 1") is Outcome.FAIL
        assert outcome(alone, "lag < 30 s") is Outcome.ERROR
        assert outcome(alone, "every behind < 30 s") is Outcome.ERROR
        assert "No standby" in alone.evidence[0].text
        primary.run("select pg_create_physical_replication_slot('nobody', true)")
        primary.run("create table more as select generate_series(1, 1000) as id; drop table more")
        reading = await db.read("replication")
        primary.run("select pg_drop_replication_slot('nobody')")
        assert outcome(reading, "slots_inactive == 0") is Outcome.FAIL
        assert outcome(reading, "retained < 1 kB") is Outcome.FAIL
    finally:
        standby.start()


# --- what cannot be seen -----------------------------------------------------------------------------


@pytest.mark.parametrize("about", PRIVILEGED)
async def test_a_role_without_rights_is_told_so(postgres_pair: Pair, role: str, about: About) -> None:
    """Where the server would show less than there is, nothing is green, and the grant that is missing is named."""
    blind = postgres_pair.role(monitor=False)
    async with looking(postgres_pair.primary.dsn(blind)) as db:
        problem = await db.problem(about)
    assert problem.reason == "no-permission"
    assert f"grant pg_monitor to {blind}" in problem.hint


async def test_untracked_sessions_are_told(postgres_pair: Pair, db: Looking) -> None:
    """A session that hides what it does leaves no green behind."""
    with session(postgres_pair.primary.dsn(), "set track_activities = off", "select 1"):
        for about in ("connections", "activity"):
            assert (await db.problem(about)).reason == "no-permission"


@pytest.mark.parametrize("about", ABOUTS)
async def test_a_superuser_is_refused(postgres_pair: Pair, about: About) -> None:
    """The figures are not worth an account that may change everything."""
    async with looking(postgres_pair.primary.dsn()) as db:
        assert (await db.problem(about)).reason == "superuser"


@pytest.mark.parametrize("about", ABOUTS)
async def test_a_server_that_stops_answering(postgres_pair: Pair, role: str, about: str, tmp_path: Path) -> None:
    """Each figure ends in time when the server says nothing any more."""
    async with (
        proxied(str(postgres_pair.primary.sockets), tmp_path) as proxy,
        looking(f"host={tmp_path} dbname=postgres user={role}") as db,
    ):
        await db.read("sizes")
        proxy.freeze()
        assert (await db.problem(about, within=0.3)).reason in {"timeout", "source-down"}


@pytest.mark.parametrize("about", ABOUTS)
async def test_newer_servers_have_all_of_it(postgres: Postgres, about: About) -> None:
    """The queries are understood by the newest release as well as by the packaged one."""
    role = postgres.create_role()
    postgres.run(f'grant pg_monitor to "{role}"')
    async with looking(postgres.dsn("postgres", role)) as db:
        if about == "statements":
            return
        await db.read(about)


async def test_the_line_of_evidence_can_be_run(postgres_pair: Pair, db: Looking) -> None:
    """Whoever reads the record can ask the same by hand, with the same answer."""
    for about in ABOUTS:
        reading = await db.read(about)
        words = [each for each in shlex.split(reading.command) if not each.startswith("PGOPTIONS")]
        argv = [*words, "--set", "ON_ERROR_STOP=1", "--no-align"]
        done = await asyncio.to_thread(subprocess.run, argv, capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr


async def test_one_connection_for_both_kinds(postgres_pair: Pair, db: Looking, role: str) -> None:
    """Figures and queries of one source share a session in a pass."""
    sql = SqlProbe(db.environment)
    await sql.measure(SqlOptions(source="db", query="select 1 as it"), context())
    for about in ABOUTS:
        await db.read(about)
    until(
        lambda: postgres_pair.primary.run(f"select count(*) from pg_stat_activity where usename = '{role}'") == "1",
        "a single session",
    )
    await sql.aclose()


def test_mistakes_are_found_before_the_morning() -> None:
    """An option that means nothing for what is looked at is refused, and so is an unknown column."""
    options = PostgresOptions(source="db", about=About.SIZES, min_rows=3, by="mean")
    assert {key for key, _ in KIND.validate(options)} == {"min_rows", "by"}
    for about in ABOUTS:
        subjects = KIND.subjects(PostgresOptions(source="db", about=About(about)))
        assert subjects
