"""What a database administrator with bad intentions can do to a record in PostgreSQL."""

import contextlib
from collections.abc import Iterable
from typing import Any, cast

import psycopg

from support.tampering import Attack

_TABLES = ("versions", "meta", "events", "evidence")


class Adapter:
    """A connection to PostgreSQL with the manners of SQLite's, as far as the attacks of tampering.py need them."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def execute(self, statement: str, values: Iterable[object] = ()) -> "psycopg.Cursor[Any]":
        """Execute a statement with `?` for its values."""
        return self._connection.execute(statement.replace("?", "%s").encode(), tuple(values) or None)


def tampered(dsn: str, attack: Attack) -> None:
    """Do it as a superuser, with every guard taken away first and put back afterwards: only the chain can tell."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        guards = connection.execute(
            "SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'A'"
        ).fetchall()
        checks = connection.execute(
            "SELECT conrelid::regclass, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'c' AND connamespace = 'opsconsole'::regnamespace"
        ).fetchall()
        for table in _TABLES:
            connection.execute(f"ALTER TABLE opsconsole.{table} DISABLE TRIGGER ALL".encode())
        for table, name, _ in checks:
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}".encode())
        connection.execute("SET search_path = opsconsole")
        attack(cast("Any", Adapter(connection)))
        connection.execute("SET search_path = pg_catalog")
        for table, name, definition in checks:
            connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID".encode())
            with contextlib.suppress(psycopg.errors.CheckViolation):
                connection.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {name}".encode())
        for table in _TABLES:
            connection.execute(f"ALTER TABLE opsconsole.{table} ENABLE TRIGGER ALL".encode())
        for table, name in guards:
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}".encode())
