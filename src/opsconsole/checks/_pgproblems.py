"""Says in the words of an operator what PostgreSQL refused, and what to do about it.

SQLSTATEs: PostgreSQL manual, appendix "PostgreSQL Error Codes". Before there is a connection libpq gives only a
text; a server that speaks another language than English ends in the general case there, with its own words.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from opsconsole.checks._conninfo import ignored_password_file, login, password_file, psql_line, setting
from opsconsole.checks._pganswers import QUERY_CANCELED, ServerError, TooLargeError
from opsconsole.checks._statements import Statement
from opsconsole.contracts.probe import ProbeError

_INSUFFICIENT_PRIVILEGE = "42501"
_READ_ONLY = "25006"
_MISSING = frozenset({"42P01", "42703", "42883", "42704", "3F000", "42P02", "3D000"})
_TOO_MANY = "53300"
_DENIED = re.compile(r"permission denied for (?P<kind>[a-z ]+?) (?P<name>\S+)")
_HIDDEN = re.compile(r"row-level security policy for table (?P<name>.+)")


class Place:
    """Where a source is and who asks, for messages; never a password."""

    def __init__(self, source: str, parameters: Mapping[str, str]) -> None:
        self.source = source
        self.parameters = parameters
        self.host = setting(parameters, "host", "PGHOST") or "the local socket"
        self.port = setting(parameters, "port", "PGPORT", "5432")
        self.user = setting(parameters, "user", "PGUSER") or login()
        self.database = setting(parameters, "dbname", "PGDATABASE") or self.user

    def __str__(self) -> str:
        return f"{self.source} ({self.host}, port {self.port})"


# --- connecting --------------------------------------------------------------------------------------


def connect_error(place: Place, message: str) -> ProbeError:
    """Return the problem behind libpq's `message` about a connection that could not be made."""
    for pattern, reason, cause, hint in _CONNECTING:
        match = re.search(pattern, message)
        if match is not None:
            words = _words(place) | match.groupdict()
            return ProbeError(reason, f"{place}: {cause.format(**words)}", hint.format(**words))
    return ProbeError(
        "source-down",
        f"{place}: {_said(message)}",
        f"see what `{psql_line(place.parameters)}` says",
    )


def connect_timeout(place: Place, seconds: float) -> ProbeError:
    """Return the problem of a server that did not answer at all."""
    return ProbeError(
        "source-down",
        f"{place}: no answer within {seconds:g} s",
        "see whether the host is up, whether a firewall drops the packets, and whether the server is overloaded",
    )


def unresolved(place: Place, message: str) -> ProbeError:
    """Return the problem of a host that has no address."""
    return ProbeError(
        "source-down", f"{place}: {message}", "see whether the name is right and name service works here"
    )


_CONNECTING = (
    (
        r"Connection refused",
        "source-down",
        "nothing listens there",
        "see whether PostgreSQL runs there and takes connections: `pg_isready -h {host} -p {port}`",
    ),
    (
        r'on socket "(?P<path>[^"]+)" failed: No such file',
        "source-down",
        "there is no socket {path}",
        "see whether PostgreSQL runs on this host, and where it has its socket: `show unix_socket_directories`",
    ),
    (
        r'on socket "(?P<path>[^"]+)" failed: Permission denied',
        "no-permission",
        "this user may not open the socket {path}",
        "run as a user that may enter its directory",
    ),
    (
        r"no password supplied",
        "authentication",
        "the server asks for a password, and there is none",
        "{password}",
    ),
    (
        r"password authentication failed",
        "authentication",
        "the server does not accept the password of {user}",
        "{password}",
    ),
    (
        r"(?P<method>[A-Za-z0-9-]+) authentication failed for user",
        "authentication",
        "{method} authentication of {user} failed",
        "see the server's log, pg_hba.conf and pg_ident.conf: this login of this host must be let in as {user}",
    ),
    (
        r"no pg_hba\.conf entry|pg_hba\.conf rejects connection",
        "authentication",
        "the server's pg_hba.conf does not let {user} in from here",
        "add a line for database {database}, role {user} and this host to pg_hba.conf, and reload",
    ),
    (
        r'role "(?P<role>.+)" (?:does not exist|is not permitted to log in)',
        "authentication",
        "there is no role {role} that may log in",
        "`create role {role} login;`, and let it read what is checked",
    ),
    (
        r'database "(?P<name>.+)" does not exist',
        "not-found",
        "there is no database {name}",
        "correct `dbname` in the source's dsn; `psql -l` lists the databases",
    ),
    (
        r'permission denied for database "(?P<name>.+)"',
        "no-permission",
        "{user} may not connect to database {name}",
        "`grant connect on database {name} to {user};`",
    ),
    (
        r"too many clients|too many connections|remaining connection slots",
        "too-many-connections",
        "the server has no connection left for {user}",
        "see who holds them: `select usename, application_name, count(*) from pg_stat_activity group by 1, 2`",
    ),
    (
        r"the database system is (?P<state>starting up|shutting down|in recovery mode|not yet accepting \w+)",
        "source-down",
        "the database is {state}",
        "wait for it, and measure again",
    ),
    (
        r'definition of service "(?P<name>.+)" not found',
        "not-found",
        "there is no service {name} in the connection service file",
        "see ~/.pg_service.conf and PGSERVICEFILE",
    ),
    (
        r"server does not support SSL",
        "source-down",
        "the server does not speak TLS, which the dsn asks for",
        "switch TLS on in the server, or take `sslmode` out of the dsn",
    ),
    (
        r"certificate verify failed|server certificate for .+ does not match",
        "source-down",
        "the server's certificate is not the expected one",
        "see `sslrootcert` and the host name in the dsn; do not switch the check off",
    ),
)
"""Text of libpq or of the server, reason, cause and hint."""


def _words(place: Place) -> dict[str, str]:
    return {
        "host": place.host.partition(",")[0],
        "port": place.port.partition(",")[0],
        "user": place.user,
        "database": place.database,
        "password": _password_hint(place.parameters),
    }


def _password_hint(parameters: Mapping[str, str]) -> str:
    ignored = ignored_password_file(parameters)
    if ignored is not None:
        return f"{ignored} is ignored because others may read it: `chmod 600 {ignored}`"
    path: Path = password_file(parameters)
    return (
        f"put it into {path} (host:port:database:user:password, mode 600; PGPASSFILE names another file) or into "
        "PGPASSWORD of the console's environment, never into config.toml"
    )


def _said(message: str) -> str:
    """Return the telling line of libpq's text, which begins with what it tried."""
    line = message.strip().partition("\n")[0]
    return line.removeprefix("connection failed: ").partition(" failed: ")[2] or line


def superuser(place: Place, role: str) -> ProbeError:
    """Return the refusal to watch with a role that may do anything."""
    return ProbeError(
        "superuser",
        f"{place}: {role} is a superuser, and a check must not be able to change what it watches",
        "connect as a role that may only read: `create role opsconsole login; "
        f"grant connect on database {place.database} to opsconsole; grant usage on schema public to opsconsole; "
        "grant select on all tables in schema public to opsconsole;`",
    )


# --- asking ------------------------------------------------------------------------------------------


def query_error(place: Place, role: str, error: ServerError, statement: Statement) -> ProbeError:
    """Return the problem behind a query that the server refused."""
    state = error.sqlstate
    if state == _INSUFFICIENT_PRIVILEGE:
        return _no_permission(place, role, error, statement)
    if state == QUERY_CANCELED:
        return ProbeError(
            "failed",
            "somebody cancelled the query (pg_cancel_backend, or a setting of the server)",
            "measure again",
        )
    if state == _READ_ONLY:
        return ProbeError(
            "read-only",
            f"the query would change the database: {error.message}",
            "a check only reads; take the function or the WITH part that writes out of the query",
        )
    if state.startswith(("57P", "08")):
        return lost(place, error.message)
    if state == _TOO_MANY:
        return connect_error(place, "too many connections")
    if state in _MISSING:
        known = "see whether the name and its schema are right (`\\d` in psql), and what `search_path` is"
        return ProbeError("not-found", f"{error.message}{_at(error, statement)}", error.hint or known)
    if state.startswith(("42", "0A")):
        return ProbeError("bad-query", f"{error.message}{_at(error, statement)}", error.hint or error.detail)
    return ProbeError("failed", f"the query failed: {error.message}", error.hint or error.detail)


def lost(place: Place, message: str) -> ProbeError:
    """Return the problem of a connection that ended while it was needed."""
    return ProbeError(
        "source-down",
        f"{place}: the connection ended: {message or 'the server closed it'}",
        "see whether the server was restarted, or the connection cut on its way; measure again",
    )


def too_large(place: Place, error: TooLargeError) -> ProbeError:
    """Return the problem of a row that is too long to be read."""
    return ProbeError(
        "too-large", f"{place}: {error}, and no more is read of one", "select less of it: `left(x, 1000)`"
    )


def timed_out(seconds: float) -> ProbeError:
    """Return the problem of a query that takes too long."""
    return ProbeError(
        "timeout",
        f"the query had not ended after {seconds:.3g} s and was stopped",
        "run it by hand with `explain`; it may wait for a lock (`select * from pg_locks where not granted`), "
        "need an index, or need a longer `timeout`",
    )


def _no_permission(place: Place, role: str, error: ServerError, statement: Statement) -> ProbeError:
    to = identifier(role)
    hidden = _HIDDEN.search(error.message)
    if hidden is not None:
        table = hidden["name"].strip('"')
        return ProbeError(
            "no-permission",
            f"row-level security hides rows of {table} from {role}, so what is there cannot be said",
            f"let it see all rows: `alter role {to} bypassrls;`, or check a view of the table's owner instead",
        )
    denied = _DENIED.search(error.message)
    if denied is None:
        return ProbeError("no-permission", f"{role}: {error.message}", error.hint or error.detail)
    kind, name = denied["kind"], denied["name"].strip('"')
    what = _qualified(name, statement.source)
    hint = {
        "schema": f"`grant usage on schema {what} to {to};`",
        "function": f"`grant execute on function {what} to {to};`, if it only reads",
    }.get(kind, f"`grant select on {what} to {to};` in database {place.database}")
    return ProbeError("no-permission", f"{role} may not read {kind} {name}", hint)


def identifier(name: str) -> str:
    """Return a name as SQL has it, quoted where it has to be."""
    return name if re.fullmatch(r"[a-z_][a-z0-9_$]*", name) else '"' + name.replace('"', '""') + '"'


def _qualified(name: str, query: str) -> str:
    """Return the name of a table with its schema, which the server's message leaves out, if the query has it."""
    schema = re.search(rf'([\w$]+|"[^"]+")\s*\.\s*"?{re.escape(name)}"?(?![\w$])', query, re.IGNORECASE)
    return f"{schema[1]}.{identifier(name)}" if schema else identifier(name)


def _at(error: ServerError, statement: Statement) -> str:
    if not error.position:
        return ""
    line, column = statement.place(error.position)
    return f" (line {line}, column {column} of the query)"
