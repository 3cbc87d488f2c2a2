"""An account with a password, and a PAM service that judges it with pam_unix: made by root, removed afterwards."""

import contextlib
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.needs import missing

_SERVICES = Path("/etc/pam.d")


@dataclass(frozen=True)
class Account:
    """An account whose password the tests know."""

    login: str
    password: str
    service: str


def _refuse(why: str) -> None:
    missing(f"NO PAM: {why}. No password was ever judged.")


def _ran(*argv: str, stdin: str = "") -> None:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        _refuse(f"{argv[0]}: {done.stderr.strip()}")


@contextlib.contextmanager
def account() -> Iterator[Account]:
    """Give a real account; skip loudly, or fail in CI, where none can be made."""
    missing = [each for each in ("useradd", "userdel", "chpasswd") if shutil.which(each) is None]
    if os.geteuid() != 0 or missing or not _SERVICES.is_dir():
        _refuse("it needs root" if os.geteuid() else f"not installed: {', '.join(missing) or _SERVICES}")
    unique = uuid.uuid4().hex[:8]
    found = Account(f"ops-{unique}", f"pass: word {unique} \u00e9'\"", f"opsconsole-test-{unique}")
    service = _SERVICES / found.service
    _ran("useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", found.login)
    try:
        _ran("chpasswd", stdin=f"{found.login}:{found.password}\n")
        service.write_text("auth required pam_unix.so nodelay\naccount required pam_unix.so\n")
        yield found
    finally:
        service.unlink(missing_ok=True)
        subprocess.run(["userdel", found.login], capture_output=True, check=False, timeout=30)


def expire(login: str) -> None:
    """Let an account be over."""
    _ran("chage", "-E", "1", login)


@contextlib.contextmanager
def hanging(directory: Path, name: str) -> Iterator[str]:
    """Give a PAM service whose module does not end."""
    script = directory / "hang"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o755)
    service = _SERVICES / name
    service.write_text(f"auth required pam_exec.so quiet {script}\naccount required pam_permit.so\n")
    try:
        yield name
    finally:
        service.unlink(missing_ok=True)
