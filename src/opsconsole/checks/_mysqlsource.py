"""Opens the connection to a MySQL source named in config.toml; every way that fails is a problem in words."""

import asyncio
import contextlib
import importlib
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from opsconsole.checks._mysql import MysqlConnection
from opsconsole.checks._sqlanswers import source_of
from opsconsole.checks._threads import in_thread
from opsconsole.checks.mysqlsources import MysqlPlace, mysql_place
from opsconsole.config.references import UnresolvedError, resolved
from opsconsole.contracts.probe import ProbeError, Source

if TYPE_CHECKING:
    from opsconsole.checks._mysqlproblems import Where
    from opsconsole.checks._mysqlwire import GuardedConnection

MYSQL = "mysql"
"""The kind of sources that this is for."""


def place_of(name: str, sources: Mapping[str, Source]) -> MysqlPlace:
    """Return where the source of that name is; raise ProbeError where there is none, or no usable one."""
    source = source_of(name, sources)
    if source.kind != MYSQL:
        raise ProbeError("bad-source", f"{name} is a source of the kind '{source.kind}'", f"this needs '{MYSQL}'")
    try:
        return mysql_place(source.dsn)
    except ValueError as error:
        raise ProbeError(
            "bad-source", f"the dsn of {name} is refused: {error}", "correct it in config.toml"
        ) from None


async def load_driver() -> None:
    """Load asyncmy, which is an extra; raise ProbeError where it is missing."""
    try:
        await in_thread("load asyncmy", lambda: importlib.import_module("opsconsole.checks._mysqlwire"))
    except ImportError as error:
        raise ProbeError(
            "missing-driver",
            f"asyncmy, which speaks with MySQL and MariaDB, cannot be loaded: {error}",
            "install it beside opsconsole: `pip install 'opsconsole[mysql]'`",
        ) from error


async def connected(name: str, place: MysqlPlace, source: Source, seconds: float) -> MysqlConnection:
    """Connect within `seconds` and set the session up; raise ProbeError."""
    await load_driver()
    from opsconsole.checks._mysqlproblems import Where, connect_timeout, problem_of

    where = Where(name, place)
    password = _password(source)
    context = _tls(where, place, source)
    began = time.monotonic()
    opener = partial(_opened, place, password, context, source.connect_timeout)
    connection: MysqlConnection | None = None
    try:
        async with asyncio.timeout(min(seconds, float(source.connect_timeout))):
            connection = MysqlConnection(await opener(), opener)
            await connection.prepare()
    except TimeoutError:
        await _given_up(connection)
        raise connect_timeout(where, time.monotonic() - began) from None
    except asyncio.CancelledError:
        await _given_up(connection)
        raise
    except Exception as error:  # noqa: BLE001 - the driver raises of any kind where a server does not keep to the protocol
        await _given_up(connection)
        if isinstance(error.__cause__, TimeoutError):
            raise connect_timeout(where, time.monotonic() - began) from None
        raise problem_of(where, error) from None
    return connection


async def _given_up(connection: MysqlConnection | None) -> None:
    if connection is not None:
        await connection.aclose()


async def _opened(
    place: MysqlPlace, password: bytes, context: ssl.SSLContext | None, connect_timeout: int
) -> "GuardedConnection":
    """Connect to the first address that takes the connection; raises what the driver raises."""
    from asyncmy.errors import OperationalError

    options: dict[str, Any] = {
        "user": place.user,
        "password": password,
        "database": place.database or None,
        "charset": "utf8mb4",
        "connect_timeout": connect_timeout,
        "autocommit": None,
        "conv": {},
        "program_name": "opsconsole",
    }
    if place.socket:
        return await _made(options | {"unix_socket": place.socket}, place.host)
    addresses = await _addresses(place.host)
    for number, address in enumerate(addresses, start=1):
        try:
            return await _made(options | {"host": address, "port": place.port, "ssl": context}, place.host)
        except OperationalError as error:
            if number == len(addresses) or not isinstance(error.__cause__, OSError):
                raise
    raise OSError("it has no address")


async def _made(options: Mapping[str, Any], name: str) -> "GuardedConnection":
    from opsconsole.checks._mysqlwire import GuardedConnection

    driver = GuardedConnection(name=name, **options)
    try:
        await driver.connect()
    except BaseException:
        driver.close()
        raise
    return driver


async def _addresses(host: str) -> list[str]:
    """Return the addresses of a host, looked up in a thread of its own: a resolver may hang."""
    with contextlib.suppress(ValueError):
        return [str(ipaddress.ip_address(host))]

    def look_up() -> list[str]:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP, type=socket.SOCK_STREAM)
        return [str(each[4][0]) for each in found]

    try:
        return await in_thread(f"look up {host}", look_up)
    except UnicodeError as error:
        raise OSError("it is no host name") from error
    except socket.gaierror as error:
        raise OSError(0, f"the name {host} has no address: {error.strerror}") from error


def _password(source: Source) -> bytes:
    if not source.password:
        return b""
    try:
        return resolved(source.password).encode()
    except UnresolvedError as error:
        raise ProbeError("no-secret", str(error), error.hint) from error


def _tls(where: "Where", place: MysqlPlace, source: Source) -> ssl.SSLContext | None:
    if not source.ca or place.socket:
        return None
    try:
        return ssl.create_default_context(cafile=source.ca)
    except (OSError, ssl.SSLError) as error:
        raise ProbeError("tls", f"the certificates in {source.ca} for {where} cannot be used: {error}") from error
