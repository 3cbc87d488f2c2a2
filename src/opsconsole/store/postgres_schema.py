"""The versions of the PostgreSQL schema, who may make them, and whether one is still as it was made."""

import itertools
import json
from collections.abc import Sequence
from importlib import resources

import msgspec

from opsconsole.contracts.store import StoreError, StoreUnavailable
from opsconsole.store.chain import ZEROS, link, store_id_of
from opsconsole.store.postgres_connection import MIGRATING, Connection, beginning
from opsconsole.store.postgres_roles import grant, quoted
from opsconsole.store.versions import (
    Migration,
    difference,
    fingerprint_of,
    newborn,
    refuse_newer,
    refuse_unfaithful,
)

_OLDEST_SERVER = 130000
"""As PostgreSQL numbers itself: 13, the oldest in which every statement here works."""

_FILES = resources.files("opsconsole.store")

MIGRATIONS: tuple[Migration, ...] = (Migration(1, ((_FILES / "postgres_1.sql").read_text(encoding="utf-8"),)),)
"""Every version there has been, in order. An entry is never edited once it was released."""

_CATALOGUE = "postgres_1.json"
"""What `catalogue` returns for a schema of the newest version that nobody has touched."""

_STATE = """
SELECT pg_catalog.current_setting('server_encoding'), pg_catalog.current_setting('server_version_num')::int,
       s.oid IS NOT NULL,
       EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = s.oid AND relname = 'versions'),
       EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = s.oid),
       CASE WHEN s.oid IS NULL
            THEN pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')
            ELSE pg_catalog.pg_has_role(s.nspowner, 'USAGE') END,
       coalesce(pg_catalog.pg_get_userbyid(s.nspowner),
                (SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database
                  WHERE datname = pg_catalog.current_database())),
       current_user::text, pg_catalog.current_database()::text,
       pg_catalog.current_setting('transaction_read_only') = 'on'
  FROM (SELECT 1) AS always LEFT JOIN pg_catalog.pg_namespace s ON s.nspname = 'opsconsole'
"""

_CHAIN = (
    "SELECT 0::bigint, '', hash, document FROM opsconsole.meta",
    "SELECT seq, prev, hash, document FROM opsconsole.events ORDER BY seq",
)
"""What no migration may change a bit of."""


class State(msgspec.Struct, frozen=True):
    """What a database holds of a record, and what the connected role could do about it."""

    encoding: str
    server: int
    """As PostgreSQL numbers its versions: 180004."""
    has_schema: bool
    has_record: bool
    has_tables: bool
    """Of whomever."""
    may_make: bool
    """Whether the role may make or upgrade the record."""
    owner: str
    """Of the schema, or of the database where there is none."""
    role: str
    database: str
    read_only: bool


def state_of(connection: Connection) -> State:
    """Return what there is; needs no rights at all."""
    row = connection.execute(_STATE).fetchone()
    if row is None:
        raise StoreError("the server answered with nothing")
    return State(*row)


def bring_up_to_date(
    connection: Connection,
    migrations: Sequence[Migration] = MIGRATIONS,
    *,
    create: bool,
    lock_timeout: float,
) -> None:
    """Bring the database behind `connection` to the newest schema, which only its owner can.

    Everything happens in one transaction. Raises StoreUnavailable where there is no record and none may be made
    here, StoreError for a database of something else, of a newer version, or whose events would be changed.
    """
    state, newest = state_of(connection), migrations[-1].version
    version = _version(connection, state, newest)
    if version == newest:
        return
    if version == 0 and not create:
        raise StoreUnavailable(f"there is no record in database {state.database} yet", _how_to_make(state))
    _refuse_unentitled(state, version, newest)
    with beginning(connection, lock=MIGRATING, lock_timeout=lock_timeout):
        pass
    state = state_of(connection)
    version = _version(connection, state, newest)
    if version == 0:
        make(connection, migrations, newborn(), has_schema=state.has_schema)
    elif version < newest:  # or somebody else was faster
        before = _fingerprint(connection)
        _apply(connection, migrations, version)
        refuse_unfaithful(before, _fingerprint(connection), version)
    connection.execute("COMMIT")


def make(connection: Connection, migrations: Sequence[Migration], birth: bytes, *, has_schema: bool) -> None:
    """Make the record that was born with a document, within the caller's transaction."""
    if not has_schema:
        connection.execute("CREATE SCHEMA opsconsole")
    _apply(connection, migrations, 0)
    connection.execute(
        "INSERT INTO opsconsole.meta (one, store_id, hash, document) VALUES (1, %s, %s, %s)",
        (store_id_of(birth), link(ZEROS, birth), birth),
    )
    grant(connection)


def _apply(connection: Connection, migrations: Sequence[Migration], version: int) -> None:
    for migration in migrations:
        if migration.version > version:
            for statement in migration.statements:
                connection.execute(statement.encode())
            connection.execute("INSERT INTO opsconsole.versions (version) VALUES (%s)", (migration.version,))


def _version(connection: Connection, state: State, newest: int) -> int:
    """Return the version of the schema, 0 where there is none; raise StoreError where it is not to be touched."""
    if state.server < _OLDEST_SERVER:
        raise StoreError("the server is older than PostgreSQL 13", "Upgrade it, or keep the record elsewhere")
    if state.encoding != "UTF8":
        raise StoreError(
            f"database {state.database} has the encoding {state.encoding}, in which some names cannot be written",
            "Make another one for the record: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'",
        )
    if not state.has_record:
        if state.has_tables:
            raise StoreError(
                f"the schema opsconsole of database {state.database} is another program's",
                "Choose another database for the record",
            )
        return 0
    ((version,),) = connection.execute("SELECT coalesce(max(version), 0) FROM opsconsole.versions")
    refuse_newer(f"the record in database {state.database}", version, newest)
    return int(version)


def refuse_unmakable(connection: Connection, state: State, newest: int) -> int:
    """Return the version of the record there is, 0 for none; raise StoreError where the role could make none.

    A record of an older version is to be upgraded first.
    """
    version = _version(connection, state, newest)
    _refuse_unentitled(state, version, newest)
    if 0 < version < newest:
        raise StoreError(f"the record in database {state.database} has schema {version}", _how_to_make(state))
    return version


def _refuse_unentitled(state: State, version: int, newest: int) -> None:
    if not state.may_make:
        lack = f"there is no record in database {state.database} yet, and {state.role} may not make it"
        if version:
            lack = (
                f"the record in database {state.database} has schema {version}, this opsconsole needs {newest}, "
                f"and {state.role} may not upgrade it"
            )
        raise StoreUnavailable(lack, _how_to_make(state))
    if state.read_only:
        raise StoreUnavailable(f"database {state.database} takes no writes, so no record can be made there now")


def _how_to_make(state: State) -> str:
    return (
        f"As its owner: PGUSER={quoted(state.owner)} opsconsole store init "
        "(`opsconsole store init --print-roles` shows the roles)"
    )


def _fingerprint(connection: Connection) -> str:
    cursors = [connection.cursor(binary=True).execute(query) for query in _CHAIN]
    return fingerprint_of(itertools.chain.from_iterable(cursors))


# --- what was made ----------------------------------------------------------------------------------

# As PostgreSQL writes its own definitions, but for what is written otherwise by some version of it.
_LISTING = r"""
WITH schema AS (SELECT oid FROM pg_namespace WHERE nspname = 'opsconsole'),
     tables AS (SELECT c.* FROM pg_class c JOIN schema s ON c.relnamespace = s.oid)
SELECT relname, concat_ws(' ', CASE relkind WHEN 'r' THEN 'table' ELSE 'kind ' || relkind::text END,
         CASE relpersistence WHEN 'p' THEN NULL ELSE 'not kept' END,
         CASE WHEN relrowsecurity OR relforcerowsecurity THEN 'row security' END,
         CASE WHEN relhasrules THEN 'rules' END, CASE WHEN relhassubclass THEN 'inherited' END)
  FROM tables WHERE relkind NOT IN ('i', 'I', 't', 'c')
UNION ALL
SELECT t.relname || '.' || a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
         CASE WHEN a.attnotnull THEN 'not null' END, o.collname, pg_get_expr(d.adbin, d.adrelid))
  FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
       LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
       LEFT JOIN pg_collation o ON o.oid = a.attcollation AND o.collname <> 'default'
 WHERE t.relkind NOT IN ('i', 'I', 't')
UNION ALL
SELECT c.relname, concat_ws(' ', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN 'invalid' END)
  FROM pg_index i JOIN tables t ON t.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid
UNION ALL
SELECT conname, concat_ws(' ', pg_get_constraintdef(c.oid), CASE WHEN NOT convalidated THEN 'not validated' END)
  FROM pg_constraint c JOIN tables t ON t.oid = c.conrelid WHERE contype IN ('c', 'f', 'x')
UNION ALL
SELECT g.tgname, concat_ws(' ', pg_get_triggerdef(g.oid), g.tgenabled)
  FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
UNION ALL
SELECT t.relname || ' foreign keys', 'not enforced'
  FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid WHERE g.tgisinternal AND g.tgenabled <> 'O'
UNION ALL
SELECT r.rulename, pg_get_ruledef(r.oid)
  FROM pg_rewrite r JOIN tables t ON t.oid = r.ev_class
UNION ALL
SELECT p.proname || '()', concat_ws(' ', p.prosecdef, p.provolatile, p.proconfig, p.prosrc)
  FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace
"""


def catalogue(connection: Connection) -> dict[str, str]:
    """Return the definition of every table, column, index, constraint, trigger and function of the schema, by name.

    The connection has to have a transaction open, whose search path is changed.
    """
    connection.execute("SELECT set_config('search_path', 'pg_catalog', true)")
    return {name: " ".join(text.split()) for name, text in connection.execute(_LISTING)}


def schema_fault(connection: Connection) -> str:
    """Return what is missing, changed or added in the schema; nothing where all is as it was made."""
    expected: dict[str, str] = json.loads((_FILES / _CATALOGUE).read_text(encoding="utf-8"))
    return difference(expected, catalogue(connection))
