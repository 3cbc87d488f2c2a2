"""The logs of the web application: those of the days before, and what is written while the demo is open."""

import contextlib
import datetime as dt
import gzip
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from opsconsole.demo.files import written
from opsconsole.demo.webapp.activity import DAY, HOUR, Entry, entries_between, requests_between
from opsconsole.demo.webapp.faults import Fault

DJANGO, ACCESS = "django.log", "access.log"
_BUSY_DAYS = 10
"""Days whose logs have everything; those of the days before hold a line."""
_KEPT_DAYS = 30
_SILENT = dt.timedelta(hours=13)
_NOT_ROTATED = 4
_ACCESS_HOURS = 2
_STEP_SECONDS = 2.0
_OTHERS = {
    "debug.log": (1, 7),
    "warnings.log": (28, 3),
    "errors.log": (28, 12),
}
"""Logs of one severity each: how many days between two rotations, and how many rotated ones are kept."""
_LEVELS = {"debug.log": "DEBUG", "warnings.log": "WARNING", "errors.log": "ERROR"}
_CRITICAL = "CRITICAL 2025-03-02 04:11:09,412 views CRITICAL: the disk of the uploads is full\n"


class Logs:
    """The directory of the logs, in the state of an instant; what follows is written as time goes on."""

    def __init__(self, directory: Path, access: Path, now: dt.datetime, fault: Fault | None) -> None:
        self.directory = directory
        self.access = access
        self._fault = fault
        self._now = now
        self._until = now
        self._silent = fault is Fault.LOG_STOPPED
        self._whole: set[Path] = set()

    def write(self, moment: dt.datetime) -> None:
        """Write all that there is at an instant; what an earlier demo left is replaced."""
        self._now = self._until = moment
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        today = self._now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        wanted = {self._django(today)}
        for back in range(1, _KEPT_DAYS):
            wanted.add(self._rotated(today - back * DAY, back))
        for name in _OTHERS:
            wanted.update(self._other(name, today))
        wanted.add(written(self.directory / "critical.log", _CRITICAL.encode(), today - 600 * DAY))
        for path in set(self.directory.iterdir()) - wanted:
            path.unlink()
        lines = requests_between(self._now - _ACCESS_HOURS * HOUR, self._now, self._fault)
        written(self.access, "".join(line for _, line in lines).encode(), self._now)

    def _django(self, today: dt.datetime) -> Path:
        """Write the present log: of today, or of the days since it was rotated last."""
        begin = today - _NOT_ROTATED * DAY if self._fault is Fault.NOT_ROTATED else today
        end = self._now - _SILENT if self._silent else self._now
        entries = entries_between(min(begin, end - HOUR), end, self._fault, self._now)
        mode = 0o644 if self._fault is Fault.OPEN_LOG else 0o640
        last = max((each.at for each in entries), default=end)
        return written(self.directory / DJANGO, _text(entries), last, mode)

    def _rotated(self, day: dt.datetime, back: int) -> Path:
        """Write the log of a day before, compressed, as logrotate's `dateext` names it."""
        path = self.directory / f"{DJANGO}-{day + DAY:%Y%m%d}.gz"
        if self._fault is Fault.NOT_ROTATED and back <= _NOT_ROTATED:
            path.unlink(missing_ok=True)
            return path
        if path in self._whole and path.exists():
            return path
        if back <= _BUSY_DAYS:
            self._whole.add(path)
        end = min(day + DAY, self._now - _SILENT if self._silent else self._now)
        entries = entries_between(day, end, self._fault, self._now) if back <= _BUSY_DAYS else []
        data = _text(entries or [Entry(day, "INFO", "health is OK")])
        return written(path, gzip.compress(data, 1, mtime=0), day + DAY - dt.timedelta(seconds=1))

    def _other(self, name: str, today: dt.datetime) -> Iterator[Path]:
        """Write the log of a severity, and the rotated ones beside it."""
        days, kept = _OTHERS[name]
        for place in range(kept):
            when = today - place * days * DAY - HOUR
            data = _text([Entry(when, _LEVELS[name], "see django.log")])
            if place:
                yield written(self.directory / f"{name}.{place}.gz", gzip.compress(data, 1, mtime=0), when)
            else:
                yield written(self.directory / name, data, when)

    def go_on(self) -> None:
        """Append what has happened since the last time."""
        begin, self._until = self._until, dt.datetime.now(dt.UTC)
        lines = requests_between(begin, self._until, self._fault)
        _append(self.access, "".join(line for _, line in lines))
        if self._silent:
            return
        if begin.astimezone(dt.UTC).date() != self._until.date() and self._fault is not Fault.NOT_ROTATED:
            present = self.directory / DJANGO
            present.rename(self.directory / f"{DJANGO}-{self._until:%Y%m%d}")
        entries = entries_between(begin, self._until, None, self._until)
        _append(self.directory / DJANGO, "".join(each.line for each in entries))


def _text(entries: list[Entry]) -> bytes:
    return "".join(each.line for each in entries).encode()


def _append(path: Path, text: str) -> None:
    if text:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "a", encoding="utf-8") as log:
            log.write(text)


@contextlib.contextmanager
def living(logs: Logs) -> Iterator[None]:
    """Let the logs be written for the length of the block."""
    over = threading.Event()

    def keep() -> None:
        while not over.wait(_STEP_SECONDS):
            with contextlib.suppress(OSError):  # a full disk, or no directory: logs stop, as real ones do
                logs.go_on()

    thread = threading.Thread(target=keep, name="demo-logs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
