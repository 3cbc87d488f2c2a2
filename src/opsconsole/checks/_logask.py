"""Asks the worker of the probe `logfile`: which stretch of time, with what, and what its answer comes to."""

import datetime as dt
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from opsconsole.checks import _process
from opsconsole.checks._process import CannotStartError, TimedOutError
from opsconsole.contracts.probe import Context, ProbeError
from opsconsole.model.readings import Evidence
from opsconsole.model.values import Duration, Moment

SCHEDULED, WINDOW, ALL = "scheduled", "window", "all"
LOCAL = "local"
_LOCALTIME = "/etc/localtime"
_LIMIT_BYTES = 1 << 25
_PROGRAM = "import sys; sys.path += sys.argv[2:]; from opsconsole.checks._logscan import main; main(sys.argv[1])"
_REPORT = "this is a fault of the probe; please report it"


class Span(msgspec.Struct, frozen=True):
    """The stretch of time that is looked at; `since` is None for the whole log."""

    since: dt.datetime | None
    until: dt.datetime

    def words(self) -> str:
        """Return it in words."""
        if self.since is None:
            return "in the whole log"
        return f"from {self.since:%Y-%m-%d %H:%M:%SZ} to {self.until:%Y-%m-%d %H:%M:%SZ}"


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the worker found; instants are seconds since 1970."""

    count: int
    patterns: dict[str, int]
    newest: float | None
    oldest: float | None
    burst: int | None
    kept: list[tuple[float | None, str, str, list[str]]]
    """Entries to show: time, severity, text, names of the patterns found in it."""
    hours: list[tuple[float, int]]
    messages: list[tuple[str, int, float | None, float | None, bool]]
    """Normalised message, how often, first, last, whether it was not there before."""
    different: int
    new: int
    most: int
    many_messages: bool
    tail: str
    read: list[str]
    formats: list[str]
    notes: list[str]
    missing: list[str]
    """Files that are known to have been there, in words."""
    cut: int
    doubtful: int
    bytes: int


class _Refused(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    problem: tuple[str, str, str]


def span_of(since: str, context: Context) -> Span:
    """Return the stretch of time that `since` means for a run; raises ProbeError where it is still to come."""
    now = context.now
    if since == ALL:
        return Span(None, now)
    if since == WINDOW:
        window = context.times.window
        if window.begins_at >= now:
            raise _too_early(f"the run looks back over the time since {window.begins_at:%Y-%m-%d %H:%M} UTC")
        return Span(window.begins_at, min(window.ends_at, now))
    if since != SCHEDULED:
        return Span(now - Duration.parse(since).timedelta(), now)
    scheduled = context.times.scheduled
    if scheduled is None:
        raise ProbeError(
            "no-schedule",
            "the checklist has no scheduled job, so 'since = \"scheduled\"' means no time",
            "give the checklist a 'schedule', or write how far to look back: since = \"24 h\"",
        )
    if scheduled > now:
        raise _too_early(f"the job is scheduled for {scheduled:%Y-%m-%d %H:%M} UTC")
    return Span(scheduled, now)


def _too_early(what: str) -> ProbeError:
    return ProbeError("too-early", f"{what}, which is still to come", "measure again after that")


def zone_place(name: str) -> str:
    """Return the zone for the worker: an IANA name, or the file of the host's own; raises ProbeError."""
    own = os.environ.get("TZ", "").removeprefix(":")
    wanted = (own or _LOCALTIME) if name == LOCAL else name
    if wanted.startswith("/"):
        return wanted
    try:
        ZoneInfo(wanted)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ProbeError(
            "bad-options", f"there is no time zone '{wanted}'", "write an IANA name such as 'America/Chicago'"
        ) from None
    return wanted


def zone_name(place: str) -> str:
    """Return what a zone is called."""
    if not place.startswith("/"):
        return place
    target = os.path.realpath(place)
    return target.partition("/zoneinfo/")[2] or ("UTC" if not Path(place).exists() else place)


async def asked(request: dict[str, Any], context: Context) -> Answer:
    """Return what the worker answers; raises ProbeError. It is killed on timeout and cancellation."""
    places = [each for each in sys.path if each.startswith("/")]
    argv = [sys.executable, "-I", "-S", "-c", _PROGRAM, json.dumps(request), *places]
    try:
        done = await _process.run(argv, timeout=context.allowance, limit_bytes=_LIMIT_BYTES)
    except CannotStartError as error:
        raise ProbeError("failed", f"the worker cannot be started: {error}") from error
    except TimedOutError as error:
        raise _too_slow(error) from error
    if done.returncode:
        raise ProbeError(
            "failed",
            f"the worker ended with exit code {done.returncode}",
            "was it killed for want of memory? Otherwise " + _REPORT,
            (Evidence("standard error", done.stderr[-4000:].decode("utf-8", "backslashreplace")),),
        )
    return _decoded(done.stdout)


def _too_slow(error: TimedOutError) -> ProbeError:
    told = error.stderr.decode("utf-8", "backslashreplace").splitlines()
    how_far = told[-1] if told else "nothing had been read yet"
    return ProbeError(
        "timeout",
        f"the log could not be read within {error.seconds:.3g} s: {how_far}",
        "look back less far, give the item a longer `timeout`, "
        "or see whether a pattern needs for ever, as those with a repetition within a repetition do",
    )


def _decoded(text: bytes) -> Answer:
    try:
        if text.startswith(b'{"problem"'):
            raise ProbeError(*msgspec.json.decode(text, type=_Refused).problem)
        return msgspec.json.decode(text, type=Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ProbeError("bad-answer", f"the worker's answer is not understood: {error}", _REPORT) from error


def moment(at: float | None) -> Moment | None:
    """Return an instant of the worker's as a value."""
    if at is None:
        return None
    return Moment(
        dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=int(Decimal(repr(at)) * 1000000))
    )
