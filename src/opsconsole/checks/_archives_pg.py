"""Tests dumps in PostgreSQL's own format (`pg_dump -Fc`) by its own program.

`pg_restore --list` reads the table of contents only, which is at the beginning: a dump that was cut off passes it.
So the data are read too, by restoring to /dev/null, for which no server is needed.
"""

import re
import time

from opsconsole.checks import _process
from opsconsole.checks._archives import Examined, UntestableError, Wishes
from opsconsole.checks._files import GivenUpError
from opsconsole.checks._process import CannotStartError, Finished, TimedOutError

LIST_BYTES = 16 << 20
"""Bytes of a table of contents that are read: some 150,000 entries."""

_ENTRY = re.compile(rb"^\d+; \d+ \d+ (?P<rest>.+)$")
_DATA = re.compile(rb"TABLE DATA (?P<schema>\S+) (?P<table>.+) \S+$")
_NEWER = re.compile(r"unsupported version \([0-9.]+\) in file header")
_UNABLE = re.compile(r"not supported|this build|compression algorithm|without support", re.IGNORECASE)
_DAMAGE = "pg_restore: "


async def examined_pg_dump(program: str, path: str, name: str, wishes: Wishes, allowed: float) -> Examined:
    """Return what `pg_restore` makes of a dump; raise GivenUpError where that takes too long.

    Members are the entries of its table of contents. What is wished for are tables that have data, `public.orders`.
    """
    until = time.monotonic() + allowed
    listed = await _run([program, "--list", path], name, allowed)
    if listed.returncode:
        return _failed(listed, name)
    members = 0
    for line in listed.stdout.splitlines():
        entry = _ENTRY.match(line)
        members += entry is not None
        data = _DATA.match(entry["rest"]) if entry else None
        if data is not None:
            wishes.seen(b".".join((data["schema"], data["table"])).decode("utf-8", "surrogateescape"))
    if listed.truncated:
        raise UntestableError(
            f"the table of contents of {name} is too long to be read", "test it by hand", "too-large"
        )
    read = await _run([program, "--file=/dev/null", path], name, until - time.monotonic())
    if read.returncode:
        return _failed(read, name)
    return Examined(format="pg_dump", members=members, checked=False, missing=tuple(wishes.missing))


async def _run(argv: list[str], name: str, allowed: float) -> Finished:
    try:
        return await _process.run(argv, timeout=max(allowed, 0.01), limit_bytes=LIST_BYTES)
    except TimedOutError as error:
        raise GivenUpError(f"testing {name} by {argv[0]}") from error
    except CannotStartError as error:
        reason = "missing-program" if error.cause == "not-found" else "failed"
        raise UntestableError(
            f"{name} is a dump of PostgreSQL, which {argv[0]} tests: {error}",
            "install PostgreSQL's client programs, or write where it is: pg_restore = '/...'",
            reason,
        ) from error


def _failed(finished: Finished, name: str) -> Examined:
    """Return the damage; UntestableError where it is the program that is too old, or was ended."""
    said = finished.stderr.decode("utf-8", "backslashreplace").strip()
    line = next(iter(said.splitlines()), f"exit code {finished.returncode}")[:500]
    if _NEWER.search(said) or _UNABLE.search(said):
        raise UntestableError(
            f"{name} cannot be read by this pg_restore: {line}",
            "name that of a PostgreSQL at least as new as the one that made it: pg_restore = '/...'",
        )
    if finished.returncode < 0:
        raise UntestableError(
            f"pg_restore was ended by signal {-finished.returncode} while it read {name}",
            "see the kernel's messages (`dmesg`): out of memory?",
            "failed",
        )
    return Examined(format="pg_dump", damage=line if line.startswith(_DAMAGE) else _DAMAGE + line)
