"""What a MySQL or MariaDB source may say in config.toml, without loading a driver."""

import urllib.parse

import msgspec

from opsconsole.contracts.probe import Source

_FORM = (
    "write it like 'mysql://opsconsole@db.example:3306/inventory', or 'mysql://opsconsole@/inventory?socket=/run/…'"
)
_KNOWN = frozenset({"socket"})


class MysqlPlace(msgspec.Struct, frozen=True):
    """Where a source is, and whose account it uses."""

    host: str
    port: int
    socket: str
    """A path, empty for TCP."""
    user: str
    database: str


def mysql_problems(source: Source) -> list[tuple[str, str]]:
    """Return what is wrong with a source, as pairs of key and message."""
    found = []
    try:
        mysql_place(source.dsn)
    except ValueError as error:
        found.append(("dsn", str(error)))
    if source.ca and not source.ca.startswith("/"):
        found.append(("ca", "must be an absolute path"))
    return found


def mysql_place(dsn: str) -> MysqlPlace:
    """Return where a dsn leads; raise ValueError with what is wrong, without repeating it."""
    try:
        parts = urllib.parse.urlsplit(dsn)
        port = parts.port or 3306
    except ValueError:
        raise ValueError(f"its host or its port cannot be read; {_FORM}") from None
    if parts.scheme not in {"mysql", "mariadb"} or parts.fragment:
        raise ValueError(f"it is no URL of a database; {_FORM}")
    if parts.password:
        raise ValueError("it holds a password, which does not belong there: password = 'env:NAME' says where it is")
    query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
    if query.keys() - _KNOWN:
        raise ValueError(f"behind its '?' only the socket may stand; {_FORM}")
    socket = query.get("socket", "")
    user, database = urllib.parse.unquote(parts.username or ""), urllib.parse.unquote(parts.path.lstrip("/"))
    if not user or not (parts.hostname or socket):
        raise ValueError(f"it names no user, or neither a host nor a socket; {_FORM}")
    return MysqlPlace(parts.hostname or "", port, socket, user, database)
