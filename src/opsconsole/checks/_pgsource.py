"""Opens the connection to a source named in config.toml; every way that fails is a problem in words."""

import asyncio
import importlib
import time

from opsconsole.checks import _pgproblems
from opsconsole.checks._conninfo import (
    DsnError,
    UnresolvedError,
    connection_parameters,
    parameters_of,
    service_file,
)
from opsconsole.checks._pgdialects import DIALECTS, Dialect
from opsconsole.checks._pgproblems import Place
from opsconsole.checks._postgres import Connection
from opsconsole.checks._threads import in_thread
from opsconsole.config.trust import Doubt, doubt_of
from opsconsole.contracts.probe import ProbeError, Source

_KINDS = "' or '".join(DIALECTS)
"""The kinds of sources that this is for."""


def dialect_of(source: Source) -> Dialect:
    """Return how the server of a source is spoken to."""
    return DIALECTS[source.kind]


def place_of(name: str, source: Source) -> Place:
    """Return where a source is; raise ProbeError where its definition cannot be used.

    A service file says to which server a check goes, so it is trusted like the configuration: only where nobody
    else can change it.
    """
    if source.kind not in DIALECTS:
        raise ProbeError("bad-source", f"{name} is a source of the kind '{source.kind}'", f"SQL needs '{_KINDS}'")
    try:
        parameters = parameters_of(source.dsn)
    except DsnError as error:
        raise ProbeError(
            "bad-source", f"the dsn of {name} is refused: {error}", "correct it in config.toml"
        ) from None
    doubt = service_doubt(source.dsn)
    if doubt is not None:
        raise ProbeError("bad-source", f"{name}: {doubt.why}", doubt.command)
    return Place(name, parameters)


def service_doubt(dsn: str) -> Doubt | None:
    """Return why the connection service file that a connection string names cannot be trusted, None if it can."""
    file = service_file(parameters_of(dsn))
    doubt = doubt_of(file) if file is not None else None
    return None if doubt is None else Doubt(f"the connection service file {file}: {doubt.why}", doubt.command)


async def connected(place: Place, source: Source, seconds: float) -> Connection:
    """Connect within `seconds`; raise ProbeError. The driver is loaded by the first call."""
    try:
        await in_thread("load psycopg", lambda: importlib.import_module("psycopg"))
    except ImportError as error:
        raise ProbeError(
            "missing-driver",
            f"psycopg, which speaks with PostgreSQL, cannot be loaded: {error}",
            "install opsconsole again: `pip install 'psycopg[binary]'` in its environment",
        ) from error
    from psycopg import Error
    from psycopg.errors import ConnectionTimeout

    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            parameters = await connection_parameters(source.dsn, source.connect_timeout)
            return await Connection.open(parameters, dialect_of(source))
    except (TimeoutError, ConnectionTimeout):
        raise _pgproblems.connect_timeout(place, round(time.monotonic() - began, 1)) from None
    except UnresolvedError as error:
        raise _pgproblems.unresolved(place, str(error)) from error
    except Error as error:
        # without its chain: the driver's own error would show every parameter in a traceback
        raise _pgproblems.connect_error(place, str(error)) from None
