"""What goes wrong between here and PostgreSQL, said so that an operator knows the cause and what to do.

SQLSTATEs: PostgreSQL manual, appendix "PostgreSQL Error Codes". Before there is a connection libpq gives only a
text; a server that speaks another language than English ends in the general case there, with its own words.
"""

import re

import psycopg

from opsconsole.contracts.store import StoreError, StoreUnavailable, Unrecordable
from opsconsole.model.redaction import redacted
from opsconsole.store.faults import refusal
from opsconsole.store.postgres_connection import CLASS, NoAnswer

WHO_LOCKS = (
    "see who it is: select a.pid, usename, application_name, client_addr, state from pg_stat_activity a "  # noqa: S608 - a number
    f"join pg_locks l on l.pid = a.pid where locktype = 'advisory' and classid = {CLASS} and granted"
)
_STARTING = re.compile(r"the database system is (starting up|in recovery mode|not yet accepting|shutting down)")
_LOST_STATES = ("08", "57P01", "57P02", "57P03", "57P05", "25P03", "25P04")
_AGAIN_STATES = frozenset({"40001", "40P01", "25P03", "57P01", "57P02"})
_MENDED_BY_A_RETRY = frozenset({"events_pkey", "events_prev_key", "events_id_key", "evidence_pkey"})
"""What a program that goes round the lock makes an append run into."""

_CONNECTING: tuple[tuple[str, str, str], ...] = (
    (
        r"Connection refused",
        "nothing listens there",
        "see whether PostgreSQL runs there and takes connections: `pg_isready`",
    ),
    (
        r'on socket "(?P<path>[^"]+)" failed: No such file',
        "there is no socket {path}",
        "see whether PostgreSQL runs on this host, and where it has its socket: `show unix_socket_directories`",
    ),
    (r'on socket "(?P<path>[^"]+)" failed: Permission denied', "this user may not open the socket {path}", ""),
    (
        r"could not translate host name|[Nn]ame or service not known|failed to resolve host",
        "its name has no address",
        "see whether the name is right and name service works here",
    ),
    (
        r"no password supplied",
        "the server asks for a password, and there is none",
        "put it into ~/.pgpass (host:port:database:user:password, mode 600; PGPASSFILE names another), not here",
    ),
    (
        r"(?P<method>[A-Za-z0-9-]+) authentication failed for user \"(?P<user>[^\"]*)\"",
        "{method} authentication of {user} failed",
        "see the server's log, pg_hba.conf and pg_ident.conf, and the password in ~/.pgpass (PGPASSFILE)",
    ),
    (
        r"no pg_hba\.conf entry|pg_hba\.conf rejects connection",
        "the server's pg_hba.conf does not let this role in from here",
        "add a line for the database, role and this host to pg_hba.conf, and reload",
    ),
    (
        r'role "(?P<role>.+)" (?:does not exist|is not permitted to log in)',
        "there is no role {role} that may log in",
        "see `opsconsole store init --print-roles`; PGUSER or the connection string choose the role",
    ),
    (
        r'database "(?P<name>.+)" does not exist',
        "there is no database {name}",
        "make it: `opsconsole store init --print-roles` shows how",
    ),
    (
        r'permission denied for database "(?P<name>.+)"',
        "this role may not connect to database {name}",
        "GRANT CONNECT ON DATABASE {name} TO …;",
    ),
    (
        r"too many clients|too many connections|remaining connection slots",
        "the server has no connection left",
        "see who holds them: select usename, application_name, count(*) from pg_stat_activity group by 1, 2",
    ),
    (_STARTING.pattern, "the server is starting, stopping or recovering", "wait for it"),
    (
        r"definition of service \".+\" not found|service file \".+\" not found",
        "the connection service file does not have its service",
        "see ~/.pg_service.conf and PGSERVICEFILE",
    ),
    (
        r"session is read-only|session is not read-only|server is in hot standby mode|target_session_attrs",
        "none of its servers takes writes",
        "see which one is the primary: select pg_is_in_recovery()",
    ),
    (
        r"timeout expired|[Tt]imed? ?out",
        "it does not answer",
        "see whether the host is up and a firewall is between",
    ),
    (
        r"server does not support SSL|certificate verify failed|server certificate",
        "the connection cannot be protected as the connection string asks for",
        "see `sslmode` and `sslrootcert` there; do not switch the check off",
    ),
)
"""Text of libpq or of the server, cause and hint."""

_STATES: tuple[tuple[str, str, str], ...] = (
    ("55P03", "another session has kept the record locked for too long", WHO_LOCKS),
    (
        "57014",
        "the server stopped a statement that took too long",
        "see what it is busy with: select pid, state, wait_event, query from pg_stat_activity",
    ),
    (
        "25006",
        "the server takes no writes for now: it is a standby, or read-only",
        "select pg_is_in_recovery(); show default_transaction_read_only",
    ),
    ("53100", "the server has no disk space left", "free some on the server's host"),
    ("53200", "the server has not enough memory", "see the server's log"),
    ("53", "the server has no room for this", "see the server's log"),
    (
        "42501",
        "this role lacks a right",
        "`opsconsole store init --print-roles` shows the rights that roles need, `opsconsole doctor` what this has",
    ),
    ("58", "the server cannot read or write its files", "see the server's log, and its disk"),
    ("XX001", "the server finds its data damaged", "see the server's log; restore a backup"),
    ("XX002", "the server finds an index damaged", "see the server's log; `reindex database`"),
)
"""Beginning of the SQLSTATE, cause and hint, the first that fits."""

_MISSING = frozenset({"3F000", "42P01", "42703"})


def first_line(error: psycopg.Error) -> str:
    """Return the telling line of an error's text, without the password that a server or pooler may repeat in it."""
    lines = [each.strip() for each in str(error).splitlines() if each.strip()]
    text = lines[0] if lines else type(error).__name__
    return redacted(text.removeprefix("connection failed: ").removeprefix("FATAL:").strip(), _password(error))


def _password(error: psycopg.Error) -> tuple[str, ...]:
    """Return the password that the connection was tried with, wherever libpq had found it."""
    try:
        given = error.pgconn.password if error.pgconn is not None else b""
    except psycopg.Error:  # the connection was closed already
        given = b""
    return (given.decode("utf-8", "replace"),) if given else ()


def is_starting(error: psycopg.Error) -> bool:
    """Return whether a server that is not there yet, or any more, said so: it may be there soon."""
    return error.sqlstate == "57P03" or (error.sqlstate is None and _STARTING.search(str(error)) is not None)


def is_lost(error: psycopg.Error) -> bool:
    """Return whether the connection ended, so that a new one may do what this one could not."""
    if isinstance(error, NoAnswer):
        return False  # it was waited for long enough
    if error.sqlstate is not None:
        return error.sqlstate.startswith(_LOST_STATES)
    return isinstance(error, psycopg.OperationalError)


def is_missing(error: psycopg.Error) -> bool:
    """Return whether the schema, or a part of it, is not there."""
    return error.sqlstate in _MISSING


def is_passing(error: psycopg.Error) -> bool:
    """Return whether the same transaction, begun anew, may succeed at once."""
    if error.sqlstate in _AGAIN_STATES:
        return True
    if error.sqlstate == "23505":
        return error.diag.constraint_name in _MENDED_BY_A_RETRY
    return error.sqlstate == "23000" and "has to follow the last one" in str(error)


def connecting_explained(error: psycopg.Error, server: str) -> StoreError:
    """Return the error that a person is told where there is no connection, to be raised `from` psycopg's."""
    text = str(error)
    for pattern, cause, hint in _CONNECTING:
        found = re.search(pattern, text)
        if found is not None:
            words = found.groupdict()
            return StoreUnavailable(f"{server}: {cause.format(**words)}", _sentence(hint.format(**words)))
    return StoreUnavailable(f"{server} cannot be reached: {first_line(error)}", "Try it by hand with psql")


def _sentence(hint: str) -> str:
    return hint[:1].upper() + hint[1:]


def explained(error: psycopg.Error, server: str) -> StoreError:
    """Return the error that a person is told, to be raised `from` the one psycopg gave."""
    state, detail = error.sqlstate or "", first_line(error)
    if state.startswith("23"):
        return refusal(str(error), f" ({detail})")
    if isinstance(error, psycopg.DataError) and not state:
        return Unrecordable(f"{server} cannot keep it: {detail}")
    if is_missing(error):
        return StoreError(
            f"{server}: the record's tables are not as they were made ({detail})", "See `opsconsole doctor`"
        )
    for beginning, cause, hint in _STATES:
        if state.startswith(beginning):
            return StoreUnavailable(f"{server}: {cause} ({detail})", _sentence(hint))
    if is_lost(error) or isinstance(error, NoAnswer):
        return StoreUnavailable(
            f"{server}: the connection was lost ({detail})",
            "See whether the server was stopped, or the network cut; it is connected to again by itself",
        )
    return StoreError(f"{server} could not be used ({detail}; {state or type(error).__name__})")
