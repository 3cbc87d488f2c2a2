"""Connection strings of PostgreSQL: what may stand in one, and what a connection is made with.

The format is libpq's: PostgreSQL manual, section "Connection Strings". It is read here once more so that a password
is found, and a wrong string explained, without loading the driver and without repeating any of the string.
"""

import asyncio
import ipaddress
import os
import pwd
import re
import shlex
import socket
import stat
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from opsconsole.checks._threads import in_thread

SECRETS = frozenset({"password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key"})
"""Keywords whose value must not be written into a file that everybody reads."""

_HOW_TO_WRITE = (
    "write it like 'host=db.example dbname=qbr user=opsconsole' or 'postgresql://opsconsole@db.example/qbr'"
)
_HOW_TO_GIVE = "PGPASSFILE (~/.pgpass), PGSERVICE or PGPASSWORD in the environment give it to the console"

_DEFAULTS = {
    "application_name": "opsconsole",
    "client_encoding": "UTF8",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
_URL = re.compile(
    r"postgres(?:ql)?://(?:(?P<user>[^@/]*)@)?(?P<hosts>[^/?]*)(?:/(?P<dbname>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_HOST = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<host>[^:\[\]]*))(?::(?P<port>.*))?", re.DOTALL)
_PAIR = re.compile(
    r"\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'(?=\s|\Z)|((?:[^\s'\\]|\\.)(?:[^\s\\]|\\.)*)?)", re.DOTALL
)
_LARGEST_PORT = 65535


class DsnError(ValueError):
    """A connection string that cannot be used; the message holds nothing of it, for it may hold a password."""


class UnresolvedError(Exception):
    """No address is known for a host; the message names it."""


def dsn_problem(dsn: str) -> str | None:
    """Return why a connection string is refused, None where it is not."""
    try:
        parameters_of(dsn)
    except DsnError as error:
        return str(error)
    return None


def parameters_of(dsn: str) -> dict[str, str]:
    """Return the keywords and values of a connection string or URL; raise DsnError where it holds a secret."""
    is_url = dsn.startswith(("postgresql://", "postgres://"))
    found = _of_url(dsn) if is_url else _of_pairs(dsn)
    for keyword in (each for each in found if each.lower() in SECRETS):
        raise DsnError(f"it holds a secret ('{keyword}'), which does not belong there: {_HOW_TO_GIVE}")
    ports = found.get("port", "").split(",")
    if not all(not port or (port.isdecimal() and 0 < int(port) <= _LARGEST_PORT) for port in ports):
        raise DsnError(f"its port is not a number from 1 to {_LARGEST_PORT}; {_HOW_TO_WRITE}")
    if "\0" in dsn:
        raise DsnError("it holds a NUL character")
    return found


def _of_pairs(dsn: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at, text = 0, dsn.rstrip()
    while at < len(text):
        match = _PAIR.match(text, at)
        if match is None:
            raise DsnError(f"it is no list of keywords and values; {_HOW_TO_WRITE}")
        keyword, quoted, plain = match.groups()
        found[keyword] = re.sub(r"\\(.)", r"\1", quoted if quoted is not None else plain or "", flags=re.DOTALL)
        at = match.end()
    return found


def _of_url(dsn: str) -> dict[str, str]:
    match = _URL.fullmatch(dsn)
    if match is None or re.search(r"\s", dsn) or "@" in match["hosts"] + (match["dbname"] or ""):
        raise DsnError(f"it is no URL of a database; {_HOW_TO_WRITE}")
    user, colon, password = (match["user"] or "").partition(":")
    found = {"user": user, "dbname": match["dbname"] or ""} | _hosts_of(match["hosts"])
    if colon and password:
        found["password"] = password
    for pair in (match["query"] or "").split("&"):
        keyword, equals, value = pair.partition("=")
        if equals:
            found[urllib.parse.unquote(keyword)] = value
        elif pair:
            raise DsnError(f"a part behind its '?' has no '='; {_HOW_TO_WRITE}")
    return {keyword: urllib.parse.unquote(value) for keyword, value in found.items() if value}


def _hosts_of(hosts: str) -> dict[str, str]:
    matches = [_HOST.fullmatch(each) for each in hosts.split(",")]
    if None in matches:
        raise DsnError(f"its host cannot be read; {_HOW_TO_WRITE}")
    found = [match for match in matches if match is not None]
    ports = [match["port"] or "" for match in found]
    return {
        "host": ",".join(match["address"] or match["host"] or "" for match in found),
        "port": ",".join(ports) if any(ports) else "",
    }


# --- what a connection is made with ------------------------------------------------------------------


async def connection_parameters(dsn: str, connect_timeout: int) -> dict[str, str]:
    """Return all that a connection is made with, host names already resolved.

    Names are looked up here because libpq would block the whole program with it. Raises DsnError and
    UnresolvedError.
    """
    given = parameters_of(dsn)
    parameters = _DEFAULTS | {"connect_timeout": str(connect_timeout)} | given
    if ignored_password_file(given) is not None:
        # libpq would ignore it too, but say so on the terminal, across the console's screen
        parameters["passfile"] = f"{os.devnull}/none"
    return parameters | await _addresses(given)


def login() -> str:
    """Return the name of this process's user, which is libpq's role and database where none is given."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def psql_line(parameters: Mapping[str, str], query: str = "") -> str:
    """Return a command line that makes the connection by hand, and sends `query` with the same precautions."""
    target = " ".join(f"{keyword}={_quoted(value)}" for keyword, value in parameters.items())
    argv = ["psql", "--no-psqlrc", *([target] if target else []), *(["--command", query] if query else [])]
    options = "PGOPTIONS='-c default_transaction_read_only=on -c row_security=off' " if query else ""
    return options + " ".join(map(_shell_quoted, argv))


def _shell_quoted(text: str) -> str:
    """Quote for a shell as a person would: SQL is full of single quotes, so in double ones where that is safe."""
    if "'" in text and not re.search(r'["$`\\!]', text):
        return f'"{text}"'
    return shlex.quote(text)


def _quoted(value: str) -> str:
    if value and not re.search(r"[\s'\\]", value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def password_file(parameters: Mapping[str, str]) -> Path:
    """Return where libpq looks for passwords."""
    named = parameters.get("passfile") or os.environ.get("PGPASSFILE")
    return Path(named) if named else _in_home(".pgpass")


def ignored_password_file(parameters: Mapping[str, str]) -> Path | None:
    """Return the password file if libpq does not use it because others may read it."""
    path = password_file(parameters)
    try:
        mode = path.stat().st_mode
    except OSError:
        return None
    return path if not stat.S_ISREG(mode) or mode & (stat.S_IRWXG | stat.S_IRWXO) else None


def setting(parameters: Mapping[str, str], keyword: str, variable: str, default: str = "") -> str:
    """Return a setting from where libpq takes it: the connection string, its service, the environment."""
    service = _service(parameters) if keyword not in parameters else {}
    return parameters.get(keyword) or service.get(keyword) or os.environ.get(variable) or default


def _service(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return what the connection service file says, empty where there is none: "The Connection Service File"."""
    file = service_file(parameters)
    return _service_section(_lines(file), f"[{_service_name(parameters)}]") if file is not None else {}


def service_file(parameters: Mapping[str, str]) -> Path | None:
    """Return the file in which libpq finds the service of a connection, None where it names none."""
    name = _service_name(parameters)
    found = (path for path in service_files() if name and f"[{name}]" in map(str.strip, _lines(path)))
    return next(found, None)


def _service_name(parameters: Mapping[str, str]) -> str:
    return parameters.get("service") or os.environ.get("PGSERVICE") or ""


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []


def _in_home(name: str) -> Path:
    """Return a file of the account's home directory, one that there cannot be where it has none."""
    try:
        return Path("~", name).expanduser()
    except RuntimeError:
        return Path(os.devnull, name)


def service_files() -> tuple[Path, Path]:
    """Return where libpq looks for services: the user's own file, and the system's."""
    return (
        Path(os.environ.get("PGSERVICEFILE") or _in_home(".pg_service.conf")),
        Path(os.environ.get("PGSYSCONFDIR") or "/etc/postgresql-common", "pg_service.conf"),
    )


def _service_section(lines: list[str], heading: str) -> dict[str, str]:
    found: dict[str, str] = {}
    inside = False
    for line in map(str.strip, lines):
        if line.startswith("["):
            inside = line == heading
        elif inside and not line.startswith("#"):
            keyword, equals, value = line.partition("=")
            if equals:
                found[keyword.strip()] = value.strip()
    return found


async def _addresses(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return host, address and port of every address that the hosts' names have, in order."""
    hosts = setting(parameters, "host", "PGHOST").split(",")
    if setting(parameters, "hostaddr", "PGHOSTADDR") or not any(map(_is_name, hosts)):
        return {}
    ports = setting(parameters, "port", "PGPORT", "5432").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    found = await asyncio.gather(*map(_resolved, hosts), return_exceptions=True)
    places: list[tuple[str, str, str]] = []
    failures: list[BaseException] = []
    for host, port, addresses in zip(hosts, ports, found, strict=False):
        if isinstance(addresses, BaseException):
            failures.append(addresses)
        else:
            places += [(host, address, port) for address in addresses]
    if not places:
        raise failures[0]
    return {
        keyword: ",".join(values)
        for keyword, values in zip(("host", "hostaddr", "port"), zip(*places, strict=True), strict=True)
    }


def _is_name(host: str) -> bool:
    if not host or host.startswith(("/", "@")):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


async def _resolved(host: str) -> list[str]:
    if not _is_name(host):
        return ["" if not host or host.startswith(("/", "@")) else host]

    def look_up() -> list[str]:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP, type=socket.SOCK_STREAM)
        return [str(each[4][0]) for each in found]

    try:
        return await in_thread(f"look up {host}", look_up)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is no host name"
        raise UnresolvedError(f"the name {host} has no address: {why}") from error
