"""The scratch PostgreSQL that other tests build on."""

import psycopg
import pytest

from support.postgres import Postgres


def test_databases_and_roles_are_ones_own(postgres: Postgres) -> None:
    """Two tests that make databases and roles cannot meet in one."""
    first, second = (postgres.create_database("CREATE TABLE kept (value int)") for _ in range(2))
    role = postgres.create_role()
    assert first != second
    with psycopg.connect(postgres.dsn(first)) as connection:
        connection.execute("INSERT INTO kept VALUES (1)")
    with psycopg.connect(postgres.dsn(second)) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchall() == [(0,)]
    with (
        psycopg.connect(postgres.dsn(first, role)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT * FROM kept")


def test_the_server_can_be_away_for_a_while(postgres: Postgres) -> None:
    """A test can take the server away and give it back, with its data."""
    database = postgres.create_database("CREATE TABLE kept AS SELECT 5 AS value")
    postgres.stop()
    try:
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(postgres.superuser_dsn)
    finally:
        postgres.start()
    assert postgres.run("SELECT value FROM kept", database) == "5\n"
