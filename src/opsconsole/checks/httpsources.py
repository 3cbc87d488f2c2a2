"""What an HTTP source may say in config.toml, without loading a client."""

import re
import urllib.parse

from opsconsole.config.references import reference_problem
from opsconsole.contracts.probe import Source

HTTP = "http"
"""The kind of sources that this is for."""

UNIX = "unix:"
"""A URL that begins so is the socket of a service on this host: `unix:/run/docker.sock`."""

SECRET_HEADER = re.compile(r"authorization|cookie|token|secret|password|api[-_]?key", re.IGNORECASE)
"""Names of headers whose values are secret."""

NO_COLON = "a name for basic authentication has no colon (RFC 7617)"
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_LARGEST_PORT = 65535


def http_problems(source: Source) -> list[tuple[str, str]]:
    """Return what is wrong with a source, as pairs of key and message."""
    found = [("url", problem) for problem in [url_problem(source.url)] if problem]
    if bool(source.user) is not bool(source.password):
        found.append(("user", "basic authentication needs a user and where the password is kept"))
    if ":" in source.user:
        found.append(("user", NO_COLON))
    if source.user and source.bearer:
        found.append(("bearer", "a request is authenticated in one way; leave out the token, or user and password"))
    found += [(f"headers.{name}", message) for name, message in header_problems(source.headers)]
    if source.ca and not source.ca.startswith("/"):
        found.append(("ca", "must be an absolute path"))
    return found


def url_problem(url: str) -> str | None:
    """Return why a URL cannot be asked, None where it can; the message does not repeat it."""
    if url.startswith(UNIX):
        path = url.removeprefix(UNIX)
        return None if path.startswith("/") and "\0" not in path else "what follows unix: is no absolute path"
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError:
        return "it is no URL: its host or its port cannot be read"
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return "it is no URL such as 'https://app.example/health' or 'unix:/run/docker.sock'"
    if not _is_host(parts.hostname):
        return "its host is no name: each part between two dots has from 1 to 63 characters"
    if "@" in parts.netloc:
        return "it holds a user or a password; give them as `user` and `password = 'env:NAME'`"
    if parts.fragment:
        return "what follows the # is never sent to a server"
    if port == 0 or re.search(r"[\s\x00-\x1f]", url):
        return "it holds a character, or a port, that no URL has"
    return None


def _is_host(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def header_problems(headers: dict[str, str]) -> list[tuple[str, str]]:
    """Return what is wrong with headers, as pairs of name and message."""
    found = []
    for name, value in headers.items():
        if not HEADER_NAME.match(name):
            found.append((name, "is no name of a header"))
        elif SECRET_HEADER.search(name) and (problem := reference_problem(value)):
            found.append((name, problem))
        elif not value.isascii() or not value.isprintable():
            found.append((name, "has letters, or a line feed, that no header has"))
    return found
