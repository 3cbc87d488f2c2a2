"""Where an unexpected error is written down: with a traceback, and without the values of variables."""

import os
import platform
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from opsconsole.model.text import visible


def summary(error: BaseException) -> str:
    """Return one harmless line that says what happened."""
    text = str(error)
    return visible(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def report_text(error: BaseException, redact: Callable[[str], str]) -> str:
    """Return the traceback of `error` and its causes, with no local variable in it: those hold secrets."""
    lines = traceback.TracebackException.from_exception(error, capture_locals=False).format()
    return redact("".join(lines))


def write_report(error: BaseException, doing: str, directory: Path, redact: Callable[[str], str]) -> Path | None:
    """Write the report of `error` to a new file (mode 0600) in `directory`; return its path, None if it cannot be.

    The directory is made, for its owner only, where it is missing.
    """
    now = datetime.now(UTC)
    head = (
        f"opsconsole met an unexpected error while {doing}\n"
        f"{now.isoformat(timespec='seconds')}, Python {platform.python_version()}, process {os.getpid()}\n\n"
    )
    path = directory / f"crash-{now:%Y%m%dT%H%M%S.%fZ}-{os.getpid()}.txt"
    try:
        for each in reversed((directory, *directory.parents)):
            each.mkdir(mode=0o700, exist_ok=True)  # `parents=True` would make those above as the umask has it
        fileno = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(fileno, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(head + report_text(error, redact))
    except OSError:
        return None
    return path
