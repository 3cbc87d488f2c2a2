"""Everything that can keep a query from being answered ends in a problem with its cause and what to do about it."""

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from opsconsole.checks._pganswers import Bounds, ServerError
from opsconsole.checks._postgres import Connection
from opsconsole.checks.sql import KIND, SqlOptions
from opsconsole.contracts.probe import ProbeError, Source
from support.pgproxy import proxied
from support.postgres import Postgres
from support.sql import Asking, asking, source

SETUP = """
create table seen (id int);
create table hidden (id int);
create schema closed create table inside (id int);
create table filtered (id int);
alter table filtered enable row level security;
create policy half on filtered using (id > 1);
create sequence numbers;
create function writes() returns int language sql as 'insert into seen values (1) returning id';
create function denied() returns int language sql as 'select 1';
revoke execute on function denied() from public;
"""


class Database:
    """A database, and a role that may see a part of it."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        self.name = postgres.create_database(SETUP)
        self.role = postgres.create_role()
        self.run(f'grant select, insert on seen to "{self.role}"')
        self.run(f'grant select on filtered, closed.inside to "{self.role}"; grant all on numbers to "{self.role}"')

    def run(self, script: str) -> str:
        """Run a script as the superuser."""
        return self.postgres.run(script, self.name)

    @property
    def dsn(self) -> str:
        """The role's connection string."""
        return self.postgres.dsn(self.name, self.role)


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Database:
    """Make a database with things to see and not to see."""
    return Database(postgres)


@pytest.fixture
async def db(database: Database) -> AsyncIterator[Asking]:
    """Open a pass over a run, with that source."""
    async with asking(database.dsn) as opened:
        yield opened


# --- what the server refuses -------------------------------------------------------------------------

REFUSED = [
    (
        "select * from hidden",
        "no-permission",
        "ROLE may not read table hidden",
        "`grant select on hidden to ROLE;`",
    ),
    (
        "select * from closed.inside",
        "no-permission",
        "read schema closed",
        "`grant usage on schema closed to ROLE;`",
    ),
    ("select denied() as it", "no-permission", "function denied", "`grant execute on function denied to ROLE;`"),
    ("select count(*) from filtered", "no-permission", "row-level security hides rows of filtered", "bypassrls"),
    ("select * from nowhere", "not-found", 'relation "nowhere" does not exist (line 1, column 15', "search_path"),
    ("select\n  od\nfrom seen", "not-found", 'column "od" does not exist (line 2, column 3', 'column "seen.id"'),
    ("select nosuch(1) as it", "not-found", "function nosuch(integer) does not exist", "No function matches"),
    ("select :month as a,\n :now as b, 1 frm x", "bad-query", 'near "x" (line 2, column 19 of the query)', ""),
    ("select 1 from seen group by 2", "bad-query", "GROUP BY position 2", ""),
    ("select 1 / 0 as it", "failed", "division by zero", ""),
    ("select 'x'::int as it", "failed", "invalid input syntax", ""),
    (
        "with new as (insert into seen values (1) returning id) select * from new",
        "read-only",
        "would change",
        "only reads",
    ),
    ("select writes() as it", "read-only", "would change the database: cannot execute INSERT", "only reads"),
    ("select nextval('numbers') as it", "read-only", "nextval", "only reads"),
    ("select * from seen for update", "no-permission|read-only", "", ""),
    ("select set_config('transaction_read_only', 'off', true), nextval('numbers')", "bad-query|failed", "", ""),
    (
        "select pg_terminate_backend(pg_backend_pid()) as it",
        "source-down",
        "connection ended: terminating",
        "measure again",
    ),
    ("select pg_read_file('/etc/passwd') as it", "no-permission", "function pg_read_file", ""),
]


@pytest.mark.parametrize(("query", "reason", "cause", "hint"), REFUSED)
async def test_what_the_server_refuses(
    database: Database, db: Asking, query: str, reason: str, cause: str, hint: str
) -> None:
    """Each refusal has its own reason, names what was refused, and tells what to do; the next query works."""
    problem = await db.problem(query)
    assert re.fullmatch(reason, problem.reason), problem
    assert cause.replace("ROLE", database.role) in problem.cause
    assert hint.replace("ROLE", database.role) in problem.hint
    assert await db.cell("select count(*) >= 0 as it from seen") is True


async def test_the_advice_for_missing_grants_is_right(database: Database) -> None:
    """Doing what the hints say lets the role read."""
    role = database.postgres.create_role()
    async with asking(database.postgres.dsn(database.name, role)) as opened:
        for _ in ("usage of the schema", "select on the table"):
            problem = await opened.problem("select count(*) as it from closed.inside")
            database.run(re.findall(r"`(grant .+?)`", problem.hint)[0])
        assert await opened.read("select count(*) as it from closed.inside")


async def test_row_level_security_of_a_role_that_sees_all(database: Database) -> None:
    """A role that row-level security does not touch is believed."""
    role = database.postgres.create_role("bypassrls")
    database.run(f'grant select on filtered to "{role}"')
    async with asking(database.postgres.dsn(database.name, role)) as opened:
        assert await opened.read("select count(*) as it from filtered")


async def test_a_superuser_is_refused(database: Database) -> None:
    """A source that connects as a superuser is not used; the hint's statements make a role that is."""
    async with asking(database.postgres.dsn(database.name)) as opened:
        problem = await opened.problem("select 1 as it")
    assert problem.reason == "superuser"
    assert "postgres is a superuser" in problem.cause
    role = f"{database.role}_new"
    ((statements),) = re.findall(r"`(.+)`", problem.hint)
    database.run(statements.replace("opsconsole", f'"{role}"').replace(database.name, f'"{database.name}"'))
    async with asking(database.postgres.dsn(database.name, role)) as opened:
        assert await opened.cell("select count(*) >= 0 as it from hidden") is True


# --- what is not even sent, and what would happen if it were -----------------------------------------

ESCAPES = [
    "commit; insert into seen values (1)",
    "select 1; insert into seen values (1)",
    "rollback; begin; insert into seen values (1); commit",
    "/* */ commit /* */ ; -- \n insert into seen values (1)",
    "insert into seen values (1)",
    "update seen set id = 2",
    "delete from seen",
    "truncate seen",
    "create table more (id int)",
    "set transaction_read_only = off",
    "set session characteristics as transaction read write",
    "do $$ begin commit; insert into seen values (1); end $$",
    "copy seen from stdin",
    "copy (select 1) to program 'true'",
    "commit",
    "listen news",
    "prepare transaction 'x'",
]


@pytest.mark.parametrize("query", ESCAPES)
async def test_other_statements_are_refused_when_the_checklist_is_loaded(query: str) -> None:
    """What does not read is a problem of the key `query`, long before the morning."""
    problems = KIND.validate(SqlOptions(source="db", query=query))
    assert {key for key, _ in problems} == {"query"}


async def test_nothing_gets_out_of_the_read_only_transaction(database: Database) -> None:
    """Even statements that were let through by mistake change nothing, sent by the owner of the table."""
    owner = database.postgres.create_role()
    table = f"owned_{owner}"
    database.run(f"create table {table} as select 1 as id; alter table {table} owner to {owner}")
    before = database.run(f"select * from {table}; select count(*) from pg_class; select count(*) from pg_proc")
    parameters = psycopg.conninfo.conninfo_to_dict(database.postgres.dsn(database.name, owner))
    bounds = Bounds(seconds=10, rows=10, bytes=1000)
    for query in ESCAPES:
        connection = await Connection.open({key: str(value) for key, value in parameters.items()})
        with contextlib.suppress(Exception):
            await connection.query(query.replace("seen", table), [], [], bounds)
        if connection.usable:
            with pytest.raises(ServerError, match="read-only transaction"):
                await connection.query(f"insert into {table} values (2)", [], [], bounds)
        await connection.aclose()
    after = database.run(f"select * from {table}; select count(*) from pg_class; select count(*) from pg_proc")
    assert after == before


# --- time --------------------------------------------------------------------------------------------


async def test_a_query_that_takes_too_long(db: Asking) -> None:
    """A slow query ends in time, by the server, and the connection goes on."""
    process = await db.cell("select pg_backend_pid() as it")
    began = time.monotonic()
    problem = await db.problem("select pg_sleep(60)::text as it", timeout=0.5)
    assert problem.reason == "timeout"
    assert re.search(r"had not ended after [\d.]+ s and was stopped", problem.cause)
    assert time.monotonic() - began < 10
    assert await db.cell("select pg_backend_pid() as it") == process


async def test_a_query_that_waits_for_a_lock(database: Database, db: Asking) -> None:
    """A table that somebody has locked is a timeout, and the hint thinks of locks."""
    with psycopg.connect(database.postgres.dsn(database.name)) as other:
        other.execute("lock table seen in access exclusive mode")
        problem = await db.problem("select * from seen", timeout=0.5)
    assert problem.reason == "timeout"
    assert "pg_locks" in problem.hint


async def test_a_query_that_somebody_cancels(database: Database, db: Asking) -> None:
    """An administrator who cancels the query is not mistaken for a timeout."""
    process = await db.cell("select pg_backend_pid() as it")
    asked = asyncio.create_task(db.problem("select pg_sleep(60)::text as it"))
    await _until(lambda: _sleeping(database), "the query")
    database.run(f"select pg_cancel_backend({process.value})")  # type: ignore[union-attr]
    problem = await asked
    assert problem.reason == "failed"
    assert "somebody cancelled" in problem.cause


async def test_a_server_that_stops_answering(database: Database, tmp_path: Path) -> None:
    """When the network swallows everything, the query ends in time and the next one gets a new connection."""
    upstream = psycopg.conninfo.conninfo_to_dict(database.dsn)["host"]
    dsn = f"host={tmp_path} dbname={database.name} user={database.role}"
    async with proxied(str(upstream), tmp_path) as proxy, asking(dsn) as opened:
        assert await opened.read("select 1 as it")
        proxy.freeze()
        began = time.monotonic()
        problem = await opened.problem("select 2 as it", timeout=0.5)
        assert problem.reason == "timeout"
        assert time.monotonic() - began < 10
        proxy.thaw()
        assert await opened.read("select 3 as it", timeout=5)
        assert proxy.connections >= 2


async def test_a_connection_that_breaks(database: Database, tmp_path: Path) -> None:
    """A connection that is cut under a query is said to be, and replaced for the next one."""
    upstream = psycopg.conninfo.conninfo_to_dict(database.dsn)["host"]
    dsn = f"host={tmp_path} dbname={database.name} user={database.role}"
    async with proxied(str(upstream), tmp_path) as proxy, asking(dsn) as opened:
        asked = asyncio.create_task(opened.problem("select pg_sleep(60)::text as it"))
        await _until(lambda: _sleeping(database), "the query")
        proxy.cut()
        problem = await asked
        assert problem.reason == "source-down"
        assert "connection ended" in problem.cause
        assert await opened.read("select 1 as it")
    database.run(
        "select pg_terminate_backend(pid) from pg_stat_activity where query like '%pg_sleep(60)%'"
        " and pid <> pg_backend_pid()"
    )


# --- connecting --------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_sources_that_are_not_there(postgres: Postgres, tmp_path: Path) -> None:
    """Refused, no socket, no name, no database, no role, no service: each has its own words."""
    dsn, role = postgres.dsn("postgres", postgres.create_role()), postgres.create_role()
    refused = f"host=127.0.0.1 port={_free_port()}"
    sources = {
        "refused": (refused, "source-down", "nothing listens there", "pg_isready -h 127.0.0.1 -p "),
        "socket": (f"host={tmp_path}", "source-down", f"no socket {tmp_path}/.s.PGSQL.5432", "runs on this host"),
        "name": ("host=nowhere.invalid", "source-down", "the name nowhere.invalid has no address", "name service"),
        "label": (f"host={'x' * 70}.invalid", "source-down", "has no address", "name is right"),
        "database": (postgres.dsn("nothing", role), "not-found", "there is no database nothing", "psql -l"),
        "role": (postgres.dsn("postgres", "nobody_here"), "authentication", "no role nobody_here", "create role"),
        "service": ("service=nothing", "not-found", "there is no service nothing", "pg_service.conf"),
    }
    async with asking(dsn, **{name: source(each[0]) for name, each in sources.items()}) as opened:
        for name, (_, reason, cause, hint) in sources.items():
            problem = await opened.problem("select 1 as it", source=name)
            assert (name, problem.reason) == (name, reason), problem
            assert cause in problem.cause
            assert problem.cause.startswith(f"{name} (")
            assert hint in problem.hint


async def test_sources_that_are_not_defined(postgres: Postgres) -> None:
    """A source that config.toml does not name is told with those that it does; one that is wrong says why."""
    wrong = {"kind": Source(kind="oracle", dsn=""), "secret": source("host=db password=hunter2")}
    async with asking(postgres.dsn("postgres"), **wrong) as opened:
        problem = await opened.problem("select 1", source="inventry")
        assert problem.reason == "unknown-source"
        assert "'inventry'" in problem.cause
        assert "known are: db, kind, secret" in problem.hint
        assert (await opened.problem("select 1", source="kind")).reason == "bad-source"
        problem = await opened.problem("select 1", source="secret")
        assert problem.reason == "bad-source"
        assert "hunter2" not in problem.cause + problem.hint


async def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    """A host that takes the connection and says nothing costs the time to connect, once."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / ".s.PGSQL.5432"))
        silent.listen()
        async with asking(f"host={tmp_path}") as opened:
            began = time.monotonic()
            problem = await opened.problem("select 1", item="first", timeout=0.5)
            assert (problem.reason, "no answer within" in problem.cause) == ("source-down", True)
            assert time.monotonic() - began < 10
            began = time.monotonic()
            assert await opened.problem("select 2", item="second", timeout=60) == problem
            assert time.monotonic() - began < 10


async def test_a_server_that_is_stopped(postgres: Postgres) -> None:
    """A source that is down is said to be to every item at once, and the one that found out may try again."""
    async with asking(postgres.dsn("postgres", postgres.create_role())) as opened:
        postgres.stop()
        try:
            problem = await opened.problem("select 1", item="first")
            assert problem.reason == "source-down"
        finally:
            postgres.start()
        assert await opened.problem("select 1", item="second") == problem
        assert await opened.read("select 1 as it", item="first")
        assert await opened.read("select 1 as it", item="second")


async def test_no_connection_left(postgres: Postgres) -> None:
    """A role that has used up its connections is told who holds them."""
    role = postgres.create_role("connection limit 1")
    dsn = postgres.dsn("postgres", role)
    with psycopg.connect(dsn):
        async with asking(dsn) as opened:
            problem = await opened.problem("select 1 as it")
    assert problem.reason == "too-many-connections"
    assert role in problem.cause
    assert "pg_stat_activity" in problem.hint


async def test_not_allowed_into_the_database(postgres: Postgres) -> None:
    """A role without CONNECT is told the grant it needs."""
    name = postgres.create_database()
    postgres.run(f'revoke connect on database "{name}" from public')
    role = postgres.create_role()
    async with asking(postgres.dsn(name, role)) as opened:
        problem = await opened.problem("select 1 as it")
    assert problem.reason == "no-permission"
    assert f"grant connect on database {name} to {role}" in problem.hint


# --- passwords ---------------------------------------------------------------------------------------


@pytest.fixture
def guarded(postgres: Postgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """Make a database that wants a password, and give the connection string of a role that has one."""
    name, role = postgres.create_database(), postgres.create_role("password 'open-sesame'")
    rules = postgres.run("select pg_read_file('pg_hba.conf')")
    _write_rules(postgres, f"local {name} all scram-sha-256\n{rules}")
    for variable in ("PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE", "PGSERVICE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        yield postgres.dsn(name, role)
    finally:
        _write_rules(postgres, rules)


def _write_rules(postgres: Postgres, rules: str) -> None:
    quoted = rules.replace("'", "''")
    postgres.run(f"copy (select unnest(string_to_array('{quoted}', E'\\n'))) to program 'cat > pg_hba.conf'")
    postgres.run("select pg_reload_conf()")
    postgres.run("select count(*) from pg_hba_file_rules")


async def _connecting(dsn: str) -> str:
    async with asking(dsn) as opened:
        try:
            await opened.read("select 1 as it")
        except ProbeError as error:
            return f"{error.problem.reason}: {error.problem.cause} -> {error.problem.hint}"
    return "connected"


async def test_passwords(guarded: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Missing, wrong, ignored and right passwords are told apart, and none is ever repeated."""
    await _guarded_now(guarded)
    said = [await _connecting(guarded)]
    assert "asks for a password, and there is none" in said[0]
    assert f"{tmp_path}/.pgpass" in said[0]
    monkeypatch.setenv("PGPASSWORD", "open-barley")
    said.append(await _connecting(guarded))
    assert "does not accept the password" in said[1]
    monkeypatch.delenv("PGPASSWORD")
    password_file = tmp_path / ".pgpass"
    password_file.write_text("*:*:*:*:open-sesame\n", encoding="ascii")
    password_file.chmod(0o644)
    said.append(await _connecting(guarded))
    assert f"`chmod 600 {password_file}`" in said[2]
    assert "sesame" not in "".join(said)
    assert "barley" not in "".join(said)
    password_file.chmod(0o600)
    assert await _connecting(guarded) == "connected"


async def test_a_loose_password_file_says_nothing_on_the_terminal(
    guarded: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What libpq warns of a password file that others can read does not get across the console's screen."""
    (tmp_path / ".pgpass").write_text("*:*:*:*:open-sesame\n", encoding="ascii")
    (tmp_path / ".pgpass").chmod(0o644)
    await _connecting(guarded)
    assert capfd.readouterr().err == ""


async def test_a_service_file(guarded: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A source can name a service, whose file holds host and password."""
    await _guarded_now(guarded)
    parameters = psycopg.conninfo.conninfo_to_dict(guarded, password="open-sesame")
    lines = "\n".join(f"{key}={value}" for key, value in parameters.items())
    services = tmp_path / "services.conf"
    services.write_text(f"[other]\nhost=nowhere.invalid\n[qbr]\n# ours\n{lines}\n", encoding="utf-8")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    assert await _connecting("service=qbr") == "connected"
    said = await _connecting("service=other")
    assert "the name nowhere.invalid has no address" in said


# --- waiting -----------------------------------------------------------------------------------------


def _sleeping(database: Database) -> bool:
    query = (
        "select count(*) from pg_stat_activity where state = 'active' and query = 'select pg_sleep(60)::text as it'"
    )
    return database.run(query).strip() != "0"


async def _until(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"{what} did not come"
        await asyncio.sleep(0.01)


async def _guarded_now(dsn: str) -> None:
    """Wait until the server has taken its new rules over."""
    deadline = time.monotonic() + 15
    while not (await _connecting(dsn)).startswith("authentication"):
        assert time.monotonic() < deadline, "the new rules did not come"
        await asyncio.sleep(0.01)


def test_the_driver_is_loaded_late() -> None:
    """Neither the checklists nor the console's start wait for psycopg."""
    loaded = "import sys; import opsconsole.checks.sql, opsconsole.checks.sources; print('psycopg' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", loaded], capture_output=True, check=True, env=os.environ)
    assert said.stdout == b"False\n"
