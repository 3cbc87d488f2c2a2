"""The `journal` probe: counts and shows messages of the systemd journal, and proves that it could see them."""

import datetime as dt
import os
import shlex
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from opsconsole.checks import _systemd
from opsconsole.checks._journal import COUNT_LIMIT, Entry, Found, Journal, empty
from opsconsole.checks._systemd import Programs
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Duration, Moment, Unit, UnitError, Value, number, seconds

SCHEDULED = "scheduled"
MACHINE_ID = Path("/etc/machine-id")
"""Written when the system was set up; no entry of its journal is older."""
_SETTING_UP = dt.timedelta(minutes=10)

Priority = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages."""

    unit: str = ""
    """The unit whose messages are counted, and those of systemd about it; all of the host where it is left out.
    `.service` may be left out."""
    priority: Priority = "err"
    """Messages of this priority and worse."""
    since: str = "24 h"
    """How far to look back (`24 h`), or `scheduled`: since the scheduled time of the checklist's job."""
    grep: str = ""
    """Only messages in which this pattern is found (PCRE, capitals matter)."""
    rows: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    """The newest so many messages are shown; all are counted."""
    tail: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    """So many last lines of the unit, of any priority and age, as evidence."""
    directory: str = ""
    """Read the journal files of this directory instead of the host's own journal."""
    partial: bool = False
    """Accept a journal that begins within the time looked at, holds nothing at all of that time, or from which
    journald left out messages of a unit that wrote too many. Without it these are errors, because what is missing
    may have been what is looked for."""


COLUMNS = ("time", "priority", "source", "message", "unit")
SUBJECTS: Subjects = {
    "count": Unit.COUNT,
    "covered": Unit.SECONDS,
    "dropped": Unit.COUNT,
    **dict.fromkeys(COLUMNS),
}
"""What is known: the `count` of messages, how much time before now the journal covers (`covered`, at most what was
asked for), and how many messages journald says it left out (`dropped`)."""


class _Seen(msgspec.Struct, frozen=True):
    """How much of what was asked for the journal holds."""

    since: dt.datetime
    begins: dt.datetime | None
    """Where the journal begins, if that is after `since`."""
    missing: bool
    """Whether there may have been entries between `since` and its beginning."""
    dropped: int
    note: str = ""


class JournalProbe:
    """Asks `journalctl`; keeps nothing between two measurements."""

    async def measure(self, options: Options, context: Context) -> Reading:
        """Return the messages as a table and their `count`, or raise ProbeError where they could not be seen."""
        since = _window(options, context)
        programs = Programs(context)
        unit = _systemd.full_name(options.unit) if options.unit else ""
        if options.directory:
            journal, note = Journal(programs, directory=options.directory), ""
            await _require_entries_of(journal, unit, options.directory)
        else:
            namespace, note = await _living_journal(programs, unit)
            journal = Journal(programs, namespace=namespace)
        seen = await _visible(journal, options, unit, since, note)
        selection = _selection(options, unit, since)
        found, last = await _systemd.together(
            journal.newest(*selection, most=options.rows), _tail(journal, unit, options.tail)
        )
        counted = len(found.entries) if found.complete else await journal.count(*selection)
        return _reading(options, unit, context, seen, found, counted, last)

    async def aclose(self) -> None:
        """Nothing is kept open."""


def _window(options: Options, context: Context) -> dt.datetime:
    """Return the instant from which messages are looked at."""
    if options.since != SCHEDULED:
        return context.now - Duration.parse(options.since).timedelta()
    scheduled = context.times.scheduled
    if scheduled is None:
        raise ProbeError(
            "no-schedule",
            "the checklist has no scheduled job, so 'since = \"scheduled\"' means no time",
            "give the checklist a 'schedule', or write how far to look back: since = \"24 h\"",
        )
    if scheduled > context.now:
        raise ProbeError(
            "too-early",
            f"the job is scheduled for {scheduled:%Y-%m-%d %H:%M} UTC, which is still to come",
            "measure again after it has run",
        )
    return scheduled


def _selection(options: Options, unit: str, since: dt.datetime) -> list[str]:
    """Return the options of journalctl that leave the messages asked for."""
    selection = [f"--priority={options.priority}", _since(since)]
    if unit:
        selection.append(f"--unit={unit}")
    if options.grep:
        selection += [f"--grep={options.grep}", "--case-sensitive=yes"]
    return selection


def _since(since: dt.datetime) -> str:
    return f"--since=@{int(since.timestamp())}"


# --- proving that it can be seen ---------------------------------------------------------------------


async def _living_journal(programs: Programs, unit: str) -> tuple[str, str]:
    """Return the journal namespace of a unit and a note on where its output goes, once journald is known to run."""
    _systemd.require_booted()
    asked = [_systemd.properties(programs, "systemd-journald.service", ["ActiveState"])]
    if unit:
        asked.append(
            _systemd.properties(programs, unit, ["LogNamespace", "StandardOutput", "StandardError", "LogLevelMax"])
        )
    journald, *units = await _systemd.together(*asked)
    if journald.get("ActiveState") != "active":
        raise ProbeError(
            "source-down",
            f"systemd-journald is {journald.get('ActiveState')}, so nothing is being recorded",
            "`systemctl status systemd-journald` says why",
        )
    shown = units[0] if units else {}
    return shown.get("LogNamespace", ""), _elsewhere(unit, shown)


_ELSEWHERE = {
    "append": "to a file",
    "file": "to a file",
    "truncate": "to a file",
    "null": "nowhere",
    "socket": "to a socket",
    "fd": "to a socket",
    "tty": "to a terminal",
}
"""What StandardOutput= and StandardError= may say beside the journal: systemd.exec(5)."""


def _elsewhere(unit: str, shown: dict[str, str]) -> str:
    """Return a note on the output of a unit that never reaches the journal."""
    notes = []
    for name, words in (("StandardOutput", "standard output"), ("StandardError", "standard error")):
        where = _ELSEWHERE.get(shown.get(name, "").partition(":")[0])
        if where:
            notes.append(f"{words} of {unit} goes {where}, not to the journal")
    if shown.get("LogLevelMax", "-1") not in {"", "-1"}:
        notes.append(f"{unit} keeps messages beyond priority {shown['LogLevelMax']} out of the journal")
    return "; ".join(notes)


async def _require_entries_of(journal: Journal, unit: str, directory: str) -> None:
    """Refuse a unit of which a directory of journal files has no entry at all: its name is likely mistyped."""
    if unit and not await journal.holds(f"--unit={unit}"):
        if not await journal.holds():
            raise empty(f"there are no journal entries in {directory}", directory)
        raise ProbeError("not-found", f"the journal in {directory} has no entry of {unit}", "check the unit's name")


async def _visible(journal: Journal, options: Options, unit: str, since: dt.datetime, note: str) -> _Seen:
    """Return how much of the window can be seen; raise ProbeError where that is nothing, or less than all of it."""
    files = _files(options)
    reaches_back, recorded, dropped = await _systemd.together(
        journal.holds(*files, f"--until=@{int(since.timestamp())}"),
        journal.holds(*files, _since(since)),
        journal.dropped(unit, _since(since)),
    )
    if not recorded and not (reaches_back and options.partial):
        words = f"the journal holds no entry at all since {since:%Y-%m-%d %H:%M:%S} UTC, of anything"
        raise empty(words, options.directory)
    begins, missing = (None, False) if reaches_back else await _beginning(journal, options, since)
    if dropped and not options.partial:
        raise ProbeError(
            "incomplete",
            f"journald left out {dropped} messages of {unit or 'noisy units'} because there were too many at once",
            "raise LogRateLimitBurst= of the unit or RateLimitBurst= of journald.conf, or set 'partial = true'",
        )
    return _Seen(since, begins, missing, int(dropped), note)


def _files(options: Options) -> list[str]:
    """Return the option that leaves the files of the system: one of a user may reach back further than those."""
    return [] if options.directory else ["--system"]


async def _beginning(journal: Journal, options: Options, since: dt.datetime) -> tuple[dt.datetime | None, bool]:
    """Return when a journal begins that does not reach back to `since`, and whether something is missing.

    Nothing is where the system itself was set up only then.
    """
    begins = await journal.begins(*_files(options))
    young = begins is not None and not options.directory and begins <= _set_up() + _SETTING_UP
    if young or options.partial:
        return begins, not young
    when = f"begins at {begins:%Y-%m-%d %H:%M:%S} UTC" if begins else "begins later"
    raise ProbeError(
        "incomplete",
        f"messages were asked for since {since:%Y-%m-%d %H:%M:%S} UTC, but the journal {when}",
        "keep the journal in /var/log/journal and large enough (SystemMaxUse=), or set 'partial = true'",
    )


def _set_up() -> dt.datetime:
    """Return when this system was set up, the beginning of time where that is not known."""
    try:
        return dt.datetime.fromtimestamp(MACHINE_ID.stat().st_mtime, dt.UTC)
    except OSError:
        return dt.datetime.fromtimestamp(0, dt.UTC)


async def _tail(journal: Journal, unit: str, lines: int) -> Found:
    selection = [f"--unit={unit}"] if unit else []
    return await journal.newest(*selection, most=lines) if lines else Found((), complete=True)


# --- the reading -------------------------------------------------------------------------------------


def _reading(
    options: Options,
    unit: str,
    context: Context,
    seen: _Seen,
    found: Found,
    counted: int | None,
    last: Found,
) -> Reading:
    begins = seen.begins if seen.missing else seen.since
    measures: dict[str, Value] = {
        "covered": None if begins is None else seconds((context.now - begins).total_seconds()),
        "dropped": number(seen.dropped),
    }
    if counted is not None:
        measures["count"] = number(counted)
    what = f"of {unit}" if unit else "of all units"
    evidence = [
        Evidence("what was looked at", _account(options, what, seen, found, counted)),
        Evidence(f"messages {what}, {options.priority} or worse", _lines(found.entries), not found.complete),
    ]
    if options.tail:
        evidence.append(Evidence(f"last {options.tail} lines {what}", _lines(last.entries)))
    return Reading(
        measures=measures,
        columns=COLUMNS,
        rows=tuple(
            (Moment(each.at), each.priority, each.source, each.message, each.unit or unit or None)
            for each in found.entries
        ),
        label="time",
        truncated=not found.complete,
        evidence=tuple(evidence),
        command=_command(options, unit, seen.since),
    )


def _lines(entries: tuple[Entry, ...]) -> str:
    return "\n".join(each.line() for each in entries) or "none"


def _account(options: Options, what: str, seen: _Seen, found: Found, counted: int | None) -> str:
    """Return in words what was looked at, and what could not be seen."""
    said = [f"messages {what} with priority {options.priority} or worse since {seen.since:%Y-%m-%d %H:%M:%SZ}"]
    if options.directory:
        said.append(f"in the journal files of {options.directory}")
    if options.grep:
        said.append(f"in which /{options.grep}/ is found")
    if counted is None:
        said.append(f"there are more than {COUNT_LIMIT:,}, too many to be counted")
    if not found.complete:
        said.append(f"only the newest {len(found.entries)} are shown")
    if seen.begins is not None:
        why = "" if seen.missing else ", when this system was set up"
        said.append(f"the journal begins at {seen.begins:%Y-%m-%d %H:%M:%SZ} only{why}")
    if seen.dropped:
        said.append(f"journald left out {seen.dropped} messages")
    if seen.note:
        said.append(seen.note)
    return "\n".join(said)


def _command(options: Options, unit: str, since: dt.datetime) -> str:
    words = ["journalctl", "--no-pager", f"--priority={options.priority}", f"--since={since:%Y-%m-%d %H:%M:%S} UTC"]
    if options.directory:
        words.append(f"--directory={options.directory}")
    if unit:
        words.append(f"--unit={unit}")
    if options.grep:
        words += [f"--grep={options.grep}", "--case-sensitive=yes"]
    return shlex.join(words)


# --- the kind ----------------------------------------------------------------------------------------


def _problems(options: Options) -> list[tuple[str, str]]:
    found = []
    if options.unit and (problem := _systemd.name_problem(options.unit)):
        found.append(("unit", problem))
    if options.since != SCHEDULED:
        try:
            if not Duration.parse(options.since).seconds:
                found.append(("since", "nothing lies within '0'; write how far to look back, like '24 h'"))
        except UnitError as error:
            found.append(("since", f"{error}; or write 'scheduled' for the time of the checklist's job"))
    if "\0" in options.grep or "\n" in options.grep:
        found.append(("grep", "a pattern is one line of text"))
    if options.directory and not os.path.isabs(options.directory):  # noqa: PTH117 - a text stays a text here
        found.append(("directory", f"'{options.directory}' is no absolute path"))
    return found


def _subjects(_options: Options) -> Subjects:
    return SUBJECTS


def _open(_environment: Environment) -> JournalProbe:
    return JournalProbe()


KIND = ProbeKind(
    name="journal",
    summary="Messages of the systemd journal by unit, priority and time, counted and shown.",
    options=Options,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
