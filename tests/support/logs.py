"""Log files to look at: written, aged, rotated and compressed as real programs and logrotate do it."""

import bz2
import datetime as dt
import gzip
import lzma
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.checks import _logask, _logscan, logfile
from opsconsole.contracts.probe import Context, Environment, ProbeError
from opsconsole.model.encoding import dec_hook
from opsconsole.model.readings import Problem, Reading
from support.systemd import context

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
"""When logs are looked at, unless a test says otherwise."""


def at(minutes: float, now: dt.datetime = NOW) -> dt.datetime:
    """Return the instant so many minutes before."""
    return now - dt.timedelta(minutes=minutes)


def python_line(when: dt.datetime, level: str, message: str) -> str:
    """Return a line as Django's `{levelname} {asctime} {module} {message}` has it."""
    return f"{level} {when:%Y-%m-%d %H:%M:%S},{when.microsecond // 1000:03} views {message}"


def log(
    path: Path, lines: Iterable[tuple[float, str, str]], *, now: dt.datetime = NOW, changed: float | None = None
) -> Path:
    """Write entries (minutes ago, severity, message); the file's time is that of the last, or `changed`."""
    entries = list(lines)
    text = "".join(python_line(at(minutes, now), level, message) + "\n" for minutes, level, message in entries)
    return written(path, text.encode(), now - dt.timedelta(minutes=changed or (entries[-1][0] if entries else 0)))


def written(path: Path, data: bytes, changed: dt.datetime = NOW) -> Path:
    """Write a file that was last changed at an instant."""
    path.write_bytes(data)
    os.utime(path, (changed.timestamp(), changed.timestamp()))
    return path


def compressed(path: Path, kind: str) -> Path:
    """Replace a file by its compressed one, with the same time, as logrotate does."""
    status = path.stat()
    there = path.with_name(f"{path.name}.{kind}")
    there.write_bytes(packed(path.read_bytes(), kind))
    os.utime(there, (status.st_atime, status.st_mtime))
    path.unlink()
    return there


def packed(data: bytes, kind: str) -> bytes:
    """Return `data` compressed."""
    if kind == "zst":
        import zstandard

        return zstandard.ZstdCompressor().compress(data)
    if kind == "xz":
        return lzma.compress(data)
    return gzip.compress(data) if kind == "gz" else bz2.compress(data)


def asked(**changes: Any) -> Context:
    """Return the context of a run at `NOW`."""
    now = changes.pop("now", NOW)
    return context(**({"now": now, "cutoff": now, "timeout": 10.0} | changes))


def options(path: Path | str, **more: Any) -> logfile.LogfileOptions:
    """Return options as a checklist gives them, of a log whose times are UTC."""
    return msgspec.convert(
        {"path": str(path), "timezone": "UTC", **more}, logfile.LogfileOptions, dec_hook=dec_hook
    )


async def read(path: Path | str, run: Context | None = None, **more: Any) -> Reading:
    """Measure once."""
    probe = logfile.KIND.open(Environment())
    return await probe.measure(options(path, **more), run or asked())


async def problem(path: Path | str, run: Context | None = None, **more: Any) -> Problem:
    """Return why it could not be measured."""
    try:
        reading = await read(path, run, **more)
    except ProbeError as error:
        return error.problem
    raise AssertionError(reading)


def counts(reading: Reading, *names: str) -> Sequence[int]:
    """Return measures as whole numbers."""
    return [int(reading.measures[name].value) for name in names]  # type: ignore[union-attr]


def column(reading: Reading, name: str) -> list[Any]:
    """Return a column of the table."""
    return [row[reading.columns.index(name)] for row in reading.rows]


def answered(path: Path, **more: Any) -> dict[str, Any]:
    """Answer in this process what the worker would be asked."""
    context = asked()
    chosen = options(path, **({"level": "error", "since": "1 h"} | more))
    span = _logask.span_of(chosen.since, context)
    return _logscan.answered(logfile._request(chosen, span, "UTC", context))


def busy(path: Path) -> Path:
    """A day of a web application: quiet but for the last hour."""
    lines = [(minutes, "INFO", f"request {minutes}") for minutes in range(1440, 60, -10)]
    lines += [
        (50, "ERROR", "Application approval failed for 12"),
        (40, "ERROR", "Application approval failed for 9"),
    ]
    lines += [(30, "CRITICAL", "CRITICAL: Reverted application status of 9"), (5, "INFO", "request 5")]
    return log(path, lines)
