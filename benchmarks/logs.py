"""Counting in log files: the last hour of a long one, and all of it, against grep and ripgrep over the whole."""

import asyncio
import datetime as dt
import os
import resource
import shutil
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.comparing import COMPARED, CommandFailedError, Contestant, Sample, compared, in_turns, timed
from benchmarks.tables import Table
from benchmarks.workshop import Workshop
from opsconsole.checks.logfile import KIND, LogfileOptions
from opsconsole.contracts.probe import Context, Environment
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number
from support.logs import asked

HEAD = ("what", "against", *COMPARED)
LAST = dt.date(2026, 11, 20)
DAYS = {"0.6 GB": 8, "6 GB": 76}
HOUR_LIMIT = 0.05
"""Seconds that the last hour may take, however long the log is."""
LIMIT = 1.0
TEXTS = {"critical": "CRITICAL:", "approvals": "Application approval failed", "rolled": "Transaction rolled back"}
COMMON = {"unknown": "user unknown", "tenant": "tenant red", "lost": "status lost"}
"""Texts without a letter that is rare in the log, which the probe's search by the rarest byte cannot gain by."""
PATTERN = "approval failed [0-9]+"
_MOST_ROUNDS = 7
_EVERY = 5000
"""One line of so many is an error."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for, in the probe's words and in those of its peers."""

    what: str
    patterns: dict[str, str]
    since: str
    arguments: tuple[str, ...]


TEXTS_EVERYWHERE = tuple(f"--regexp={text}" for text in TEXTS.values())
LAST_HOUR = Search("the last hour of {}, three texts", TEXTS, "1 h", ("-cF", *TEXTS_EVERYWHERE))
WHOLE = (
    Search("all of {}, three texts", TEXTS, "all", ("-cF", *TEXTS_EVERYWHERE)),
    Search(
        "all of {}, three of common letters",
        COMMON,
        "all",
        ("-cF", *(f"--regexp={each}" for each in COMMON.values())),
    ),
    Search("all of {}, one pattern", {"failed": f"/{PATTERN}/"}, "all", ("-c", f"--regexp={PATTERN}")),
)


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    rounds = min(rounds, _MOST_ROUNDS)
    rows: list[tuple[str, ...]] = []
    for size, days in DAYS.items():
        log = _written(workshop.directory / "log", days)
        for search in (LAST_HOUR, *WHOLE) if days == min(DAYS.values()) else (LAST_HOUR,):
            rows += _rows(workshop, search, size, log, rounds)
        log.unlink()
    about = (
        f"{rounds} rounds in turns after 1 to warm up; the probe within a process that runs already, its worker "
        "started for each measurement; the peers as processes. Files in the page cache, ten lines of 100 bytes a "
        f"second, one in {_EVERY:,} with a text that is looked for."
    )
    if "rg" not in _peers():
        about += " ripgrep is not installed here."
    return Table("logs", HEAD, rows, about)


def _rows(workshop: Workshop, search: Search, size: str, log: Path, rounds: int) -> list[tuple[str, ...]]:
    options = LogfileOptions(path=str(log), patterns=search.patterns, since=search.since, timezone="UTC")
    peers = _peers()
    searches = [partial(timed, _peer(workshop, name, search, log)) for name in peers]
    mine, *others = in_turns([partial(_measured, options, _context()), *searches], rounds)
    rows = []
    for name, theirs in zip(peers, others, strict=True):
        whole = search is not LAST_HOUR
        row = compared(mine, theirs, LIMIT if whole and name == "grep" else None)
        row = row if whole else (*row[:-1], _kept(mine))
        rows.append((search.what.format(size), f"{name}, all of it", *row))
    return rows


def _peers() -> list[str]:
    return [name for name in ("grep", "rg") if shutil.which(name)]


def _context() -> Context:
    now = dt.datetime.combine(LAST, dt.time(), dt.UTC) + dt.timedelta(days=1)
    return asked(now=now, timeout=120.0)


def _measured(options: LogfileOptions, context: Context) -> Sample:
    start, cpu = time.perf_counter(), _processor_time()
    reading = asyncio.run(_read(options, context))
    sample = Sample(time.perf_counter() - start, _processor_time() - cpu)
    count = reading.measures["count"]
    if not isinstance(count, Number) or not count.value:
        raise CommandFailedError("nothing was found")
    return sample


async def _read(options: LogfileOptions, context: Context) -> Reading:
    reading: Reading = await KIND.open(Environment()).measure(options, context)
    return reading


def _processor_time() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _peer(workshop: Workshop, name: str, search: Search, log: Path) -> Contestant:
    """Return a search whose output is read: grep stops at the first match where nobody will see it."""
    flags = ("-E",) if name == "grep" and "-cF" not in search.arguments else ()
    argv = ["/bin/sh", "-c", '"$@" | cat', "sh", name, *flags, *search.arguments, str(log)]
    return Contestant(name, lambda: argv, workshop.environment)


def _kept(samples: list[Sample]) -> str:
    median = sorted(each.wall for each in samples)[len(samples) // 2]
    word = "reached" if median <= HOUR_LIMIT else "missed"
    return f"≤ {HOUR_LIMIT * 1000:.0f} ms: {word}"


def _written(directory: Path, days: int) -> Path:
    """Write a log of so many days, in the order of time."""
    directory.mkdir(exist_ok=True)
    path = directory / "app.log"
    day = _day()
    with path.open("wb") as file:
        for back in range(days - 1, -1, -1):
            date = LAST - dt.timedelta(days=back)
            file.write(day.replace(b"2026-11-20", date.isoformat().encode()))
    changed = dt.datetime.combine(LAST, dt.time(23, 59, 59), dt.UTC).timestamp()
    os.utime(path, (changed, changed))
    return path


def _day() -> bytes:
    plain = b"2026-11-20 %b,%03d INFO  views request %08d took 12 ms for user 4711 of tenant blue, status ok\n"
    error = (
        b"2026-11-20 %b,%03d ERROR views Application approval failed %08d: Transaction rolled back, user unknown\n"
    )
    lines = []
    for second in range(86_400):
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}".encode()
        for tenth in range(10):
            number = second * 10 + tenth
            lines.append((plain if number % _EVERY else error) % (clock, tenth * 100, number))
    return b"".join(lines)
