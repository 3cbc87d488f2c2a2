"""Whom an item asks over HTTP: a server of its options, or a source of config.toml, with the secrets it needs."""

import base64
import re
import shlex
import urllib.parse
from collections.abc import Mapping

import msgspec

from opsconsole.checks.httpsources import HTTP, NO_COLON, UNIX, header_problems, url_problem
from opsconsole.config.references import UnresolvedError, is_reference, reference_problem, resolved
from opsconsole.contracts.probe import Environment, Lane, ProbeError, Source

CONNECTIONS = 6
"""So many items ask one server at once where its source says nothing else, as browsers do: a service with a short
queue for new connections (5 is common) drops more, and its clients wait for a second that is not the service's."""
_PORTS = {"http": 80, "https": 443}


class Server(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom an item asks: the options that every probe over HTTP has."""

    source: str = ""
    """The server, by its name in `config.toml`; or its `url` stands here. Six items ask a server at once, whatever
    names they have for it, and the time of the others begins with their turn; `connections = 2` of the source makes
    it two."""
    url: str = ""
    """The server, such as `https://app.example`, or the socket of one on this host, such as
    `unix:/run/docker.sock`. With `source` it is left out. With `for_each`, `{target}` stands for a whole URL or a
    part of one: `http://{target}/health`."""
    bearer: str = ""
    """Where the token is kept that goes with the request: `env:NAME` or `file:/PATH`. A source may have it instead;
    so with the following."""
    user: str = ""
    """The name for basic authentication."""
    password: str = ""
    """Where its password is kept: `env:NAME` or `file:/PATH`."""
    headers: dict[str, str] = {}
    """Further headers of the request. The value of a secret one is where it is kept: `env:NAME` or `file:/PATH`."""
    ca: str = ""
    """A file with the certificates that its server is trusted by, where the system's are not enough."""


def server_problems(options: Server) -> list[tuple[str, str]]:
    """Return what is wrong with the options of a server, as pairs of key and message."""
    found: list[tuple[str, str]] = []
    if bool(options.source) is bool(options.url):
        found.append(("url", "name the server once: by `source`, which config.toml names, or by its `url`"))
    elif options.url and (problem := url_problem(options.url.replace("{target}", "target"))):
        found.append(("url", problem))
    if bool(options.user) is not bool(options.password):
        found.append(("user", "basic authentication needs a user and where the password is kept"))
    if ":" in options.user:
        found.append(("user", NO_COLON))
    if options.user and options.bearer:
        found.append(("bearer", "a request is authenticated in one way; leave out the token, or user and password"))
    for key in ("bearer", "password"):
        value = getattr(options, key)
        if value and (problem := reference_problem(value)):
            found.append((key, problem))
    found += [("headers", f"'{name}' {message}") for name, message in header_problems(options.headers)]
    if options.ca and not options.ca.startswith("/"):
        found.append(("ca", "must be an absolute path"))
    return found


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A server as it is asked, with the secrets in it: never shown, never kept."""

    base: str
    """What the path is added to, `http://localhost` for a socket."""
    socket: str = ""
    """The path of its socket, empty for TCP."""
    headers: Mapping[str, str] = {}
    secrets: tuple[str, ...] = ()
    """Values that must not be shown."""
    ca: str = ""
    connections: int = CONNECTIONS
    """How many requests may be under way at once, with those of everybody who asks the same server."""
    connect_timeout: float = 5.0
    """Seconds."""
    name: str
    """What messages call it: the source, or its host."""
    shell: tuple[str, ...] = ()
    """Words with which curl asks the same in a shell, quoted; secrets are taken from where they are kept."""

    @property
    def place(self) -> str:
        """Its name, with its address where that says something else."""
        address = self.socket or urllib.parse.urlsplit(self.base).netloc
        return self.name if self.name == address else f"{self.name} ({address})"

    @property
    def encrypted(self) -> bool:
        """Whether it is asked over TLS."""
        return self.base.startswith("https:")

    @property
    def server(self) -> str:
        """Who answers there, whatever the paths: see `server_of`."""
        return server_of(f"{UNIX}{self.socket}" if self.socket else self.base)


def server_of(url: str) -> str:
    """Return scheme, host and port of a URL, all of it for a socket, nothing where there is no such thing."""
    if url.startswith(UNIX):
        return url
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname and port else ""


def lane_of(options: Server, sources: Mapping[str, Source]) -> Lane | None:
    """Return the server that an item asks, and how many items may at once; None where nothing is named.

    Two sources may lead to one server, and a `url` to that of a source; the lowest number of them counts.
    """
    named = sources.get(options.source)
    server = server_of(named.url if named is not None else options.url)
    return Lane(server, _connections(server, sources)) if server else None


def _connections(server: str, sources: Mapping[str, Source]) -> int:
    told = [each.connections for each in sources.values() if each.kind == HTTP and server_of(each.url) == server]
    return min((each for each in told if each is not None), default=CONNECTIONS)


def endpoint_of(options: Server, environment: Environment) -> Endpoint:
    """Return the server that an item asks, with its secrets taken from where they are kept; raise ProbeError."""
    problems = server_problems(options)
    if problems:
        raise ProbeError("bad-options", "; ".join(f"{key}: {message}" for key, message in problems))
    source = _source_of(options, environment)
    url, ca = source.url or options.url, options.ca or source.ca
    socket = url.removeprefix(UNIX) if url.startswith(UNIX) else ""
    secrets: list[str] = []
    headers: dict[str, str] = {}
    shell = ["--unix-socket", shlex.quote(socket)] if socket else []
    shell += ["--cacert", shlex.quote(ca)] if ca else []
    given = {name.lower(): each for name, each in [*source.headers.items(), *options.headers.items()]}
    for name, each in given.items():
        headers[name] = _value(each, secrets)
        shell += ["-H", _in_shell(f"{name}: ", each) if is_reference(each) else shlex.quote(f"{name}: {each}")]
    who = options if options.bearer or options.user else source
    if who.bearer:
        headers["authorization"] = f"Bearer {_secret(who.bearer, secrets)}"
        shell += ["-H", _in_shell("authorization: Bearer ", who.bearer)]
    elif who.user:
        password = _secret(who.password, secrets, header=False)
        pair = base64.b64encode(f"{who.user}:{password}".encode()).decode()
        headers["authorization"] = f"Basic {pair}"
        secrets.append(pair)
        shell += ["-u", _in_shell(f"{who.user}:", who.password)]
    return Endpoint(
        base="http://localhost" if socket else url,
        socket=socket,
        headers=headers,
        secrets=tuple(secrets),
        ca=ca,
        connections=_connections(server_of(url), environment.sources),
        connect_timeout=float(source.connect_timeout),
        name=options.source or socket or urllib.parse.urlsplit(url).netloc,
        shell=tuple(shell),
    )


def _source_of(options: Server, environment: Environment) -> Source:
    """Return the source that an item names, or one that says nothing; raise ProbeError."""
    if not options.source:
        return Source(kind=HTTP)
    source = environment.sources.get(options.source)
    if source is None:
        known = ", ".join(sorted(environment.sources)) or "none"
        raise ProbeError(
            "unknown-source",
            f"config.toml names no source '{options.source}'",
            f"add `[sources.{options.source}]` to it; known are: {known}",
        )
    if source.kind != HTTP:
        raise ProbeError(
            "bad-source", f"{options.source} is a source of the kind '{source.kind}'", f"this needs '{HTTP}'"
        )
    return source


def _in_shell(before: str, reference: str) -> str:
    """Return a word of a shell in which a secret stands behind `before`, taken from where it is kept."""
    kind, _, place = reference.partition(":")
    quoted = re.sub(r'([\\"$`])', r"\\\1", before)
    if kind == "env":
        return f'"{quoted}${place}"'
    for written, variable in (("%CREDENTIALS%/", "$CREDENTIALS_DIRECTORY"), ("~/", "$HOME")):
        if place.startswith(written):
            return f'"{quoted}$(cat "{variable}"/{shlex.quote(place.removeprefix(written))})"'
    return f'"{quoted}$(cat {shlex.quote(place)})"'


def _value(text: str, secrets: list[str]) -> str:
    return _secret(text, secrets) if is_reference(text) else text


def _secret(reference: str, secrets: list[str], *, header: bool = True) -> str:
    try:
        secret = resolved(reference)
    except UnresolvedError as error:
        raise ProbeError("no-secret", str(error), error.hint) from error
    if header and not (secret.isascii() and secret.isprintable()):
        raise ProbeError("no-secret", f"what {reference} leads to has letters that no header of a request has")
    secrets.append(secret)
    return secret
