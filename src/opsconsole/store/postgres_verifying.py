"""Checks a whole PostgreSQL record: the chain first, because it can name the event, then the schema around it."""

import psycopg

from opsconsole.contracts.store import Verified
from opsconsole.store.chain import Walk
from opsconsole.store.postgres_connection import Connection, one_moment
from opsconsole.store.postgres_rows import all_rows, birth_of, hashes_of
from opsconsole.store.postgres_schema import schema_fault

_DAMAGE = ("XX001", "XX002")

# Read as they lie in the table: rows that a damaged index does not lead to are counted as well.
_COUNTING = (
    "SELECT set_config('enable_indexscan', 'off', true), set_config('enable_indexonlyscan', 'off', true), "
    "set_config('enable_bitmapscan', 'off', true)"
)


def verified(connection: Connection) -> Verified:
    """Return what is wrong first as of one moment, or that nothing is.

    Raises psycopg.Error where the server cannot be asked now.
    """
    with one_moment(connection):
        return walked(connection)


def walked(connection: Connection) -> Verified:
    """Return the same within a transaction that is open."""
    walk = Walk(birth_of(connection), hashes_of(connection))
    try:
        for row in all_rows(connection):
            if not walk.step(row):
                return walk.result()
        walk.finish()
        fault = _counting_fault(connection, walk.head.seq) or schema_fault(connection)
    except psycopg.Error as error:
        if error.sqlstate not in _DAMAGE:
            raise
        walk.break_off(walk.head.seq + 1, f"the server finds its data damaged from here on: {error}")
    else:
        if fault:
            walk.break_off(0, fault)
    return walk.result()


def _counting_fault(connection: Connection, walked: int) -> str:
    connection.execute(_COUNTING)
    ((count,),) = connection.execute("SELECT count(*) FROM opsconsole.events")
    return "" if count == walked else f"the table of events has {count} rows, its index leads to {walked}"
