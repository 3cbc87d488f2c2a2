"""Secrets by reference: a file says where a secret is kept, and never what it is.

`env:NAME` is a variable of the console's own environment, `file:PATH` the content of a file without the line feed
at its end. Systemd's `LoadCredential=` goes well with the second: `file:%CREDENTIALS%/token` is the file `token` in
the directory that $CREDENTIALS_DIRECTORY names.
"""

import os
import re
import stat
from pathlib import Path

from opsconsole.model.errors import OpsconsoleError

_VARIABLE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*\Z")
_CREDENTIALS = "%CREDENTIALS%"
_MOST = 64 * 1024
"""Bytes; no secret is longer."""
_FORM = "env:NAME for a variable of the environment, or file:/PATH for a file"


class UnresolvedError(OpsconsoleError):
    """A secret is not where a reference says; the message names the place, and nothing of a secret."""

    title = "secret"


def is_reference(text: str) -> bool:
    """Return whether a text says where a secret is kept."""
    return reference_problem(text) is None


def reference_problem(text: str) -> str | None:
    """Return why `text` is no reference, None where it is; the message does not repeat it, for it may be one."""
    if text.startswith("env:"):
        return None if _VARIABLE.match(text) else "what follows env: is no name of a variable"
    if text.startswith("file:"):
        path = text.removeprefix("file:")
        good = path.startswith(("/", "~/", f"{_CREDENTIALS}/")) and "\0" not in path
        return None if good else f"what follows file: is no absolute path, nor one in ~ or {_CREDENTIALS}"
    return f"a secret is not written down here; write where it is kept: {_FORM}"


def resolved(reference: str) -> str:
    """Return the secret that a reference names; raise UnresolvedError.

    A file that everybody on the host can read keeps no secret, and is refused.
    """
    problem = reference_problem(reference)
    if problem is not None:
        raise UnresolvedError(problem)
    kind, _, place = reference.partition(":")
    found = _of_environment(place) if kind == "env" else _of_file(_path(place))
    if not found:
        raise UnresolvedError(f"{reference} is empty", "see whether the right place is named")
    if any(each in found for each in "\0\r\n"):
        raise UnresolvedError(f"{reference} has several lines", "keep the secret alone in its place")
    return found


def _of_environment(name: str) -> str:
    found = os.environ.get(name)
    if found is None:
        raise UnresolvedError(
            f"the environment has no variable {name}",
            "set it for the console: EnvironmentFile= of its service, or the crontab",
        )
    return found


def _path(place: str) -> Path:
    if place.startswith(_CREDENTIALS):
        directory = os.environ.get("CREDENTIALS_DIRECTORY", "")
        if not directory:
            raise UnresolvedError(
                f"file:{place} is in $CREDENTIALS_DIRECTORY, which is not set",
                "systemd sets it for a service with LoadCredential=",
            )
        return Path(directory + place.removeprefix(_CREDENTIALS))
    try:
        return Path(place).expanduser()
    except RuntimeError as error:
        raise UnresolvedError(f"file:{place} is in the home directory, and there is none") from error


def _of_file(path: Path) -> str:
    try:
        with open(path, "rb", opener=_opened) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise UnresolvedError(f"{path} is no file", "name the file that holds the secret")
            if mode & (stat.S_IROTH | stat.S_IWOTH):
                raise UnresolvedError(f"everybody on this host can read or write {path}", f"chmod o-rwx {path}")
            content = file.read(_MOST + 1)
    except OSError as error:
        raise UnresolvedError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(content) > _MOST:
        raise UnresolvedError(f"{path} is too long for a secret")
    try:
        return content.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise UnresolvedError(f"{path} is no text") from error


def _opened(path: str, flags: int) -> int:
    """Open a file without waiting for whoever is at the other end of a pipe."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
