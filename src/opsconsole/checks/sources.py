"""Looks a PostgreSQL source over for `opsconsole doctor`: can it be reached, and what could its role do there."""

import datetime as dt
import time

import msgspec

from opsconsole.checks import _pgproblems
from opsconsole.checks._conninfo import dsn_problem
from opsconsole.checks._pganswers import Bounds, LateError, LostError, ServerError
from opsconsole.checks._pgproblems import Place
from opsconsole.checks._pgsource import connected, place_of, service_doubt
from opsconsole.checks._pgvalues import value_of
from opsconsole.checks._postgres import Connection
from opsconsole.checks._statements import parse
from opsconsole.contracts.probe import ProbeError, Source
from opsconsole.model.readings import Problem
from opsconsole.model.values import Moment, Number, Value, seconds

__all__ = ["SourceReport", "dsn_problem", "inspect_source", "service_doubt"]

_SHOWN = 5
"""How many of the things that the role could change are named."""

_CLOCK = "select clock_timestamp() as clock"
"""Asked by itself, for nothing else is to take time between the clocks."""

_RIGHTS = f"""
select current_setting('server_version') as version, current_user as role, current_database() as database,
       (select rolsuper from pg_roles where rolname = session_user) as superuser,
       current_setting('default_transaction_read_only') = 'on' as read_only, pg_is_in_recovery() as standby,
       array_to_string(array(
           select format('what %s may do', rolname) from pg_roles
             where rolname in ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program')
               and pg_has_role(current_user, oid, 'member')
           union all
           select format('create in database %I', current_database())
             where has_database_privilege(current_database(), 'create')
           union all
           (select format('create in schema %I', n.nspname) from pg_namespace n
             where n.nspname !~ '^pg_' and has_schema_privilege(n.oid, 'create') order by 1 limit {_SHOWN + 1})
           union all
           (select format('%s on table %s', rights.list, c.oid::regclass)
              from pg_class c join pg_namespace n on n.oid = c.relnamespace,
                   lateral (select string_agg(privilege, ', ') as list
                              from unnest(array['insert', 'update', 'delete', 'truncate']) as privilege
                             where has_table_privilege(c.oid, privilege)) rights
             where c.relkind in ('r', 'p', 'v', 'm', 'f') and rights.list is not null
               and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
             order by 1 limit {_SHOWN + 1})
       ), E'\\n') as writes
"""  # noqa: S608 - only the number of rows is put in


class SourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about one source."""

    name: str
    where: str
    """Host and port, or the directory of the socket."""
    problem: Problem | None = None
    """Why it cannot be used for checks: not reached, refused, or a superuser's."""
    server_version: str = ""
    role: str = ""
    database: str = ""
    superuser: bool = False
    writes: tuple[str, ...] = ()
    """What the role could change, which a role for checks should not: `insert on table qbr_metrics_monthly`."""
    read_only_default: bool = False
    """Whether the role's transactions are read-only unless they ask for more."""
    standby: bool = False
    """Whether the server is a replica, whose data may be behind."""
    transport: str = ""
    """`socket`, `encrypted` or `not encrypted`."""
    latency: Number | None = None
    """One round trip, with a query."""
    clock_skew: Number | None = None
    """How far the server's clock is ahead of this host's; negative where it is behind."""
    clock_uncertainty: Number | None = None
    """Half of the round trip: a skew smaller than that says nothing."""


async def inspect_source(name: str, source: Source, timeout: float = 10.0) -> SourceReport:  # noqa: ASYNC109 - it ends its work in the server too
    """Connect, ask for version, rights and clock, and close again; what goes wrong is the report's `problem`."""
    where = ""
    deadline = time.monotonic() + timeout
    connection: Connection | None = None
    try:
        place = place_of(name, source)
        where = f"{place.host}, port {place.port}"
        connection = await connected(place, source, timeout)
        return await _inspected(place, connection, deadline)
    except ProbeError as error:
        return SourceReport(name=name, where=where, problem=error.problem)
    finally:
        if connection is not None:
            await connection.aclose()


async def _inspected(place: Place, connection: Connection, deadline: float) -> SourceReport:
    before = dt.datetime.now(dt.UTC)
    clock = await _asked(place, connection, _CLOCK, deadline)
    took = (dt.datetime.now(dt.UTC) - before).total_seconds()
    row = await _asked(place, connection, _RIGHTS, deadline)
    superuser = connection.superuser or row["superuser"] is True
    writes = tuple(_text(row["writes"]).splitlines())
    transport = "encrypted" if connection.encrypted else "socket" if connection.local else "not encrypted"
    return SourceReport(
        name=place.source,
        where=f"{place.host}, port {place.port}",
        problem=_pgproblems.superuser(place, connection.role).problem if superuser else None,
        server_version=_text(row["version"]),
        role=_text(row["role"]),
        database=_text(row["database"]),
        superuser=superuser,
        writes=("everything",) if superuser else _brief(writes),
        read_only_default=row["read_only"] is True,
        standby=row["standby"] is True,
        transport=transport,
        latency=seconds(took),
        clock_skew=_skew(clock["clock"], before, took),
        clock_uncertainty=seconds(took / 2),
    )


async def _asked(place: Place, connection: Connection, query: str, deadline: float) -> dict[str, Value]:
    """Return the one row of a query by column; raise ProbeError."""
    bounds = Bounds(seconds=max(0.05, deadline - time.monotonic()), rows=1, bytes=1 << 20)
    try:
        answer = await connection.query(query, [], [], bounds)
    except LateError as error:
        raise _pgproblems.timed_out(error.seconds) from error
    except LostError as error:
        raise _pgproblems.lost(place, str(error)) from error
    except ServerError as error:
        raise _pgproblems.query_error(place, connection.role, error, parse(query)) from error
    cells = zip(answer.rows[0], answer.columns, strict=True)
    return {column.name: value_of(cell, column.type) for cell, column in cells}


def _skew(clock: Value, before: dt.datetime, took: float) -> Number | None:
    if not isinstance(clock, Moment):
        return None
    return seconds((clock.at - before).total_seconds() - took / 2)


def _brief(writes: tuple[str, ...]) -> tuple[str, ...]:
    return writes if len(writes) <= _SHOWN else (*writes[:_SHOWN], "and more")


def _text(value: Value) -> str:
    return value if isinstance(value, str) else ""
