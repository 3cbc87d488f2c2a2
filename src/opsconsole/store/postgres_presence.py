"""Who is in a run, told by sessions of the server that end however their process does.

Every role sees the application names of all sessions in `pg_stat_activity`, so that is where it is written: a mark,
a short hash of the run, and who. PostgreSQL keeps 63 bytes of it, of ASCII. It is a courtesy between colleagues and
no proof; a pooler that shares sessions among transactions loses it.
"""

import contextlib
import hashlib
import threading
import urllib.parse

import psycopg

from opsconsole.store.postgres_connection import BoundedConnection, Server
from opsconsole.store.postgres_faults import connecting_explained, explained, is_lost

_MARK = "opsconsole"
_LONGEST = 63
"""NAMEDATALEN - 1: PostgreSQL manual, application_name."""
_HASH = 8

_OTHERS = """
SELECT pg_catalog.substr(application_name, %(length)s + 1) FROM pg_catalog.pg_stat_activity
 WHERE datname = pg_catalog.current_database() AND pg_catalog.starts_with(application_name, %(prefix)s)
   AND pid <> pg_catalog.pg_backend_pid()
"""

# The session waits for as long as the run is open; the server finds out that its host is gone.
_STAY = """
SELECT pg_catalog.set_config(name, value, false)
  FROM (VALUES ('idle_session_timeout', '0'), ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'),
               ('tcp_keepalives_count', '3')) AS wanted (name, value)
 WHERE EXISTS (SELECT FROM pg_catalog.pg_settings s WHERE s.name = wanted.name)
"""


def _prefix(run: str) -> str:
    return f"{_MARK} {hashlib.sha256(run.encode()).hexdigest()[:_HASH]} "


def written(run: str, who: str) -> str:
    """Return the application name that says who is in a run; a long name loses its end, but for the login.

    What is no printable ASCII is percent-encoded.
    """
    prefix = _prefix(run)
    name, bracket, login = who.rpartition(" (")
    tail = _encoded(f"{bracket}{login}") if name else ""
    room = _LONGEST - len(prefix)
    if len(tail) > room // 2:
        name, tail = who, ""
    cut = name or who
    while len(_encoded(cut)) + len(tail) > room:
        cut = cut[:-1]
    return prefix + _encoded(cut) + tail


def _encoded(text: str) -> str:
    return urllib.parse.quote(text, safe=" !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~")


class SessionPresence:
    """A Presence (see contracts): a session of its own, made by the first question where it cannot be at once."""

    def __init__(self, server: Server, run: str, who: str, *, patience: float) -> None:
        self._server = server
        self._prefix = _prefix(run)
        self._name = written(run, who)
        self._patience = patience
        self._lock = threading.Lock()
        self._connection: BoundedConnection | None = None
        self._closed = False
        with contextlib.suppress(psycopg.Error), self._lock:
            self._connected()

    def others(self) -> tuple[str, ...]:
        """Return who else is in the run now, sorted; raises StoreUnavailable where the server cannot be asked."""
        with self._lock:
            if self._closed:
                return ()
            found = self._asked(again=self._connection is not None)
        return tuple(sorted(urllib.parse.unquote(name) for (name,) in found))

    def _asked(self, *, again: bool) -> list[tuple[str]]:
        try:
            connection = self._connected()
        except psycopg.Error as error:
            raise connecting_explained(error, str(self._server)) from error
        try:
            values = {"prefix": self._prefix, "length": len(self._prefix)}
            return connection.execute(_OTHERS, values).fetchall()
        except psycopg.Error as error:
            self._disconnect()
            if again and is_lost(error):  # the server was restarted since the last question
                return self._asked(again=False)
            raise explained(error, str(self._server)) from error

    def close(self) -> None:
        """Leave the run."""
        with self._lock:
            self._closed = True
            self._disconnect()

    def _connected(self) -> BoundedConnection:
        if self._connection is None or self._connection.closed:
            self._disconnect()
            connection = self._server.connect(patience=self._patience, application_name=self._name)
            try:
                connection.execute(_STAY)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
