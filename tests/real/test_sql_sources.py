"""What `opsconsole doctor` finds out about a source."""

from pathlib import Path

import psycopg
import pytest

from opsconsole.checks.sources import inspect_source
from opsconsole.contracts.probe import Source
from opsconsole.model.values import Unit
from support.pgproxy import proxied
from support.postgres import Postgres
from support.sql import source


async def test_a_source_as_it_should_be(postgres: Postgres) -> None:
    """A role that may only read is reported with version, way, time and clock, and nothing to object to."""
    name = postgres.create_database("create table seen (id int)")
    role = postgres.create_role()
    postgres.run(f'grant select on seen to "{role}"; revoke temp on database "{name}" from public', name)
    postgres.run(f'alter role "{role}" set default_transaction_read_only = on', name)
    report = await inspect_source("inventory", source(postgres.dsn(name, role)))
    assert report.problem is None
    assert (report.name, report.role, report.database) == ("inventory", role, name)
    assert report.server_version[:2].isdigit()
    assert (report.superuser, report.writes, report.read_only_default, report.standby) == (False, (), True, False)
    assert report.transport == "socket"
    assert report.latency is not None
    assert report.clock_skew is not None
    assert report.clock_uncertainty is not None
    assert {report.latency.unit, report.clock_skew.unit} == {Unit.SECONDS}
    assert abs(report.clock_skew.value) <= report.clock_uncertainty.value + 1


async def test_what_a_role_could_change_is_named(postgres: Postgres) -> None:
    """A role that may write is reported with what it may write, so that a better one can be made."""
    name = postgres.create_database("create table seen (id int); create table other (id int)")
    role = postgres.create_role()
    grants = f'grant insert, delete on seen to "{role}"; grant create on schema public to "{role}"'
    postgres.run(
        f'{grants}; grant create on database "{name}" to "{role}"; grant pg_write_all_data to "{role}"', name
    )
    report = await inspect_source("inventory", source(postgres.dsn(name, role)))
    assert report.problem is None
    assert "create in schema public" in report.writes
    assert f"create in database {name}" in report.writes
    assert "what pg_write_all_data may do" in report.writes
    assert report.writes[-1] == "insert, update, delete on table seen"
    postgres.run(f'revoke pg_write_all_data from "{role}"; revoke create on schema public from "{role}"', name)
    postgres.run(f'revoke create on database "{name}" from "{role}"', name)
    report = await inspect_source("inventory", source(postgres.dsn(name, role)))
    assert report.writes == ("insert, delete on table seen",)


async def test_many_writable_tables_are_not_all_listed(postgres: Postgres) -> None:
    """A role that owns a hundred tables gets a few names and no screenful."""
    tables = "do $$ begin for n in 1..100 loop execute format('create table t%s (id int)', n); end loop; end $$"
    name = postgres.create_database(tables)
    role = postgres.create_role()
    postgres.run(f'grant insert on all tables in schema public to "{role}"', name)
    report = await inspect_source("inventory", source(postgres.dsn(name, role)))
    assert len(report.writes) == 6
    assert report.writes[-1] == "and more"


async def test_a_superuser_is_a_problem(postgres: Postgres) -> None:
    """A superuser's source is reported as a problem, with all else that was found."""
    report = await inspect_source("inventory", source(postgres.superuser_dsn))
    assert report.problem is not None
    assert report.problem.reason == "superuser"
    assert report.superuser
    assert report.server_version


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (source("host=nowhere.invalid"), "source-down"),
        (source("host=db password=hunter2"), "bad-source"),
        (Source(kind="oracle", dsn=""), "bad-source"),
    ],
)
async def test_what_cannot_be_reached_is_a_report_too(wrong: Source, reason: str) -> None:
    """Doctor goes through all sources, whatever is wrong with one of them."""
    report = await inspect_source("inventory", wrong)
    assert report.problem is not None
    assert report.problem.reason == reason
    assert "hunter2" not in str(report)


async def test_a_server_that_stops_answering(postgres: Postgres, tmp_path: Path) -> None:
    """Doctor ends in time when a source takes the connection and then says nothing."""
    role = postgres.create_role()
    upstream = psycopg.conninfo.conninfo_to_dict(postgres.superuser_dsn)["host"]
    async with proxied(str(upstream), tmp_path) as proxy:
        dsn = f"host={tmp_path} dbname=postgres user={role}"
        assert (await inspect_source("inventory", source(dsn))).problem is None
        proxy.freeze()
        report = await inspect_source("inventory", source(dsn), timeout=0.5)
        assert report.problem is not None
        assert report.problem.reason == "source-down"
