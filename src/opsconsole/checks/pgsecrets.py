"""The passwords that libpq would find by itself, so that they can be masked in whatever is recorded.

Formats: PostgreSQL manual, "The Password File" and "The Connection Service File". What cannot be read is none of
libpq's passwords either; nothing here raises.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from opsconsole.checks._conninfo import SECRETS, DsnError, parameters_of, password_file, service_files

_MOST = 256 * 1024
"""Bytes of a file that are read; no list of passwords is longer."""


def stored_passwords(dsns: Iterable[str]) -> Iterator[str]:
    """Yield every password of the environment, the password files and the service files, for these connections."""
    yield os.environ.get("PGPASSWORD", "")
    files = {password_file({})}
    for dsn in dsns:
        with suppress(DsnError):
            files.add(password_file(parameters_of(dsn)))
    services = list(service_files())
    settings = [pair for path in services for pair in _settings(path)]
    files |= {Path(value) for keyword, value in settings if keyword == "passfile" and value}
    for path in sorted(files):
        for line in _lines(path):
            yield _password_of(line)
    for keyword, value in settings:
        if keyword in SECRETS:
            yield value


def _password_of(line: str) -> str:
    r"""Return the last field of `host:port:database:user:password`, in which `\:` and `\\` are plain characters."""
    fields, escaped = [""], False
    for char in line:
        if escaped or (char not in ":\\"):
            fields[-1] += char
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            fields.append("")
    return "" if line.startswith("#") or len(fields) < _FIELDS else fields[_FIELDS - 1]


_FIELDS = 5


def _settings(path: Path) -> Iterator[tuple[str, str]]:
    for line in _lines(path):
        keyword, equals, value = line.partition("=")
        if equals and not keyword.lstrip().startswith("#"):
            yield keyword.strip(), value.strip()


def _lines(path: Path) -> list[str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
            return file.read(_MOST).decode("utf-8", "surrogateescape").splitlines()
    except (OSError, ValueError, RuntimeError):
        return []


def environment_secrets(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the passwords in the URLs of an environment, such as that of DATABASE_URL."""
    import urllib.parse

    for value in environ.values():
        before, separator, rest = value.partition("://")
        if separator and before.replace("+", "").replace("-", "").isalnum():
            user, at, _ = rest.partition("/")[0].rpartition("@")
            password = user.partition(":")[2] if at else ""
            yield password
            yield urllib.parse.unquote(password)
