"""Looks MySQL, MariaDB and QuestDB sources over for `opsconsole doctor`: reached or not, and with which rights."""

import re
import time

import msgspec

from opsconsole.checks._mysqlsource import MYSQL, connected, load_driver, place_of
from opsconsole.checks._pganswers import Bounds
from opsconsole.checks._pgdialects import QUESTDB
from opsconsole.checks._pglink import asked_alone, refuse_unfit
from opsconsole.checks._pgsource import connected as pg_connected
from opsconsole.checks._pgsource import place_of as pg_place_of
from opsconsole.checks._statements import parse
from opsconsole.contracts.probe import ProbeError, Source
from opsconsole.model.readings import Problem
from opsconsole.model.values import Number, seconds

KINDS = (MYSQL, QUESTDB.kind)
"""The kinds of sources that this is for."""

_SHOWN = 5
_GRANT = re.compile(r"GRANT (?P<rights>.+?) ON (?P<object>\S+) TO ", re.IGNORECASE | re.DOTALL)
_READING = re.compile(
    r"(?:SELECT|USAGE|PROCESS|SHOW \w+|REPLICATION CLIENT|REPLICA MONITOR|SLAVE MONITOR|BINLOG MONITOR)(?: \(.*)?",
    re.IGNORECASE | re.DOTALL,
)


class DatabaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about one source."""

    name: str
    where: str = ""
    """Host and port, or the path of the socket."""
    product: str = ""
    """What it says that it is: `MariaDB 10.11.14`."""
    account: str = ""
    problem: Problem | None = None
    """Why it cannot be used for checks: not reached, refused, or an account that may do anything."""
    writes: tuple[str, ...] = ()
    """What the account could change, as far as the server tells: `INSERT on shop.*`."""
    tells_rights: bool = True
    """Whether the server tells what the account may do."""
    transport: str = ""
    """`socket`, `encrypted` or `not encrypted`."""
    latency: Number | None = None
    """One round trip, with a query."""


async def inspect_database(name: str, source: Source, timeout: float = 10.0) -> DatabaseReport:  # noqa: ASYNC109 - it ends its work in the server too
    """Connect, ask for version and rights, and close again; what goes wrong is the report's `problem`."""
    try:
        return await (_mysql if source.kind == MYSQL else _questdb)(name, source, timeout)
    except ProbeError as error:
        return DatabaseReport(name=name, problem=error.problem)


async def _mysql(name: str, source: Source, allowed: float) -> DatabaseReport:
    place = place_of(name, {name: source})
    await load_driver()
    from opsconsole.checks._mysqlproblems import Where, problem_of, superuser

    where = Where(name, place)
    connection = await connected(name, place, source, allowed)
    try:
        began = time.monotonic()
        try:
            await connection.query("select 1", [], Bounds(seconds=allowed, rows=1, bytes=1000))
        except Exception as error:  # noqa: BLE001 - the driver raises of any kind where a server breaks the protocol
            raise problem_of(where, error) from None
        latency = seconds(time.monotonic() - began)
        refused = superuser(where, connection.account, connection.power).problem if connection.power else None
        product = "MariaDB" if connection.is_mariadb else "MySQL"
        return DatabaseReport(
            name=name,
            where=where.text,
            product=f"{product} {connection.version.partition('-')[0]}",
            account=connection.account,
            problem=refused,
            writes=writes_of(connection.grants),
            transport="socket" if place.socket else "encrypted" if connection.encrypted else "not encrypted",
            latency=latency,
        )
    finally:
        await connection.aclose()


def writes_of(grants: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the lines of SHOW GRANTS let an account change: `INSERT, DELETE on shop.*`."""
    found = []
    for grant in grants:
        match = _GRANT.match(grant)
        rights = [each.strip() for each in re.split(r",(?![^(]*\))", match["rights"])] if match else []
        more = [each for each in rights if not _READING.fullmatch(each)]
        if match and more:
            found.append(
                f"{', '.join(more[:_SHOWN])}{', and more' if len(more) > _SHOWN else ''} on {match['object']}"
            )
    return tuple(found) if len(found) <= _SHOWN else (*found[:_SHOWN], "and more")


async def _questdb(name: str, source: Source, allowed: float) -> DatabaseReport:
    place = pg_place_of(name, source)
    connection = await pg_connected(place, source, allowed)
    try:
        refuse_unfit(place, connection)
        began = time.monotonic()
        await asked_alone(place, connection, parse("select 1"), Bounds(seconds=allowed, rows=1, bytes=1000))
        return DatabaseReport(
            name=name,
            where=f"{place.host}, port {place.port}",
            product=QUESTDB.name,
            account=place.user,
            tells_rights=False,
            transport="not encrypted",
            latency=seconds(time.monotonic() - began),
        )
    finally:
        await connection.aclose()
