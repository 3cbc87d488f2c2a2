"""Whom PostgreSQL runs as, and which places that account can reach."""

import os
import pwd
import signal
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from opsconsole.demo import launch
from opsconsole.demo.errors import DemoError

UNPRIVILEGED = "nobody"
"""Whom root starts PostgreSQL as, which refuses to run as root itself."""

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""All that the programs of PostgreSQL get to see: no PG… variable of the operator's can lead them elsewhere."""

_COMMAND_SECONDS = 120
_LAST_LINES = 4


@dataclass(frozen=True, slots=True)
class Account:
    """An account that PostgreSQL's processes run as."""

    name: str
    uid: int
    gid: int
    switched: bool
    """Whether it is another one than this process has, so that files have to be given to it."""

    def own(self, path: Path) -> None:
        """Give a file or directory, which nobody but us can have replaced, to this account."""
        if not self.switched:
            return
        try:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        except OSError as error:  # root of a container that has no other account, for example
            raise DemoError(
                f"PostgreSQL refuses to run as root, and root cannot act as '{self.name}' here: {error.strerror}",
                "start the demo as an ordinary user",
            ) from error


def own_account() -> Account:
    """Return the account that this process has."""
    uid = os.geteuid()
    return Account(f"uid {uid}", uid, os.getegid(), switched=False)


def server_account() -> Account:
    """Return the account for the server: our own, or an unprivileged one when we are root."""
    if os.geteuid() != 0:
        return own_account()
    try:
        entry = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        raise DemoError(
            f"PostgreSQL refuses to run as root, and this host has no account '{UNPRIVILEGED}' to run it as",
            "start the demo as an ordinary user",
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switched=True)


def reachable(path: Path, account: Account) -> bool:
    """Tell by the modes whether the account may enter a directory (or run a program) and all above it.

    Access lists are not looked at: where they forbid more, PostgreSQL's own message says so.
    """
    if not account.switched:
        return os.access(path, os.X_OK)
    resolved = path.resolve()
    for place in (resolved, *resolved.parents):
        status = place.stat()
        if status.st_uid == account.uid:
            needed = stat.S_IXUSR
        elif status.st_gid == account.gid:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed:
            return False
    return True


def launched(account: Account, arguments: Sequence[str], *, ended_by: signal.Signals) -> list[str]:
    """Return a command that runs a program as the account; the kernel ends it with the thread that started it."""
    uid, gid = (account.uid, account.gid) if account.switched else (-1, -1)
    launcher = [sys.executable, "-I", "-S", launch.__file__]
    return [*launcher, *map(str, (os.getpid(), uid, gid, int(ended_by))), *arguments]


def run(program: str, command: Sequence[str], *, stdin: str = "") -> str:
    """Run a command to its end and return its output; DemoError with its last lines when it fails."""
    try:
        finished = subprocess.run(
            command,
            input=stdin.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DemoError(f"{program} had not ended after {_COMMAND_SECONDS} s and was stopped") from None
    output = finished.stdout.decode(errors="replace")
    if finished.returncode != 0:
        said = last_lines(output) or f"exit status {finished.returncode}"
        raise DemoError(f"{program} failed: {said}")
    return output


def last_lines(text: str) -> str:
    """Return what a program said last, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " / ".join(lines[-_LAST_LINES:])
