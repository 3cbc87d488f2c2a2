"""The `journal` probe: counts and shows messages of the systemd journal, and proves that it could see them."""

import datetime as dt
import os
import shlex
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from opsconsole.checks import _systemd, _unitevents
from opsconsole.checks._journal import COUNT_LIMIT, Entry, Found, Journal
from opsconsole.checks._journalsight import Asked, Seen, Span, living_journal, require_entries_of, visible
from opsconsole.checks._systemd import Programs
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Duration, Moment, Unit, UnitError, Value, number, seconds

SCHEDULED, WINDOW = "scheduled", "window"
Priority = Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which messages."""

    unit: str = ""
    """The unit whose messages are counted, and those of systemd about it; all of the host where it is left out.
    `.service` may be left out."""
    priority: Priority = "err"
    """Messages of this priority and worse."""
    since: str = "24 h"
    """How far to look back (`24 h`); `scheduled`: since the scheduled time of the checklist's job; or `window`: the
    stretch of time that the run looks back over, such as last week, and no further than now."""
    grep: str = ""
    """Only messages in which this pattern is found (PCRE; capitals matter unless it begins with `(?i)`)."""
    events: bool = False
    """Instead of the unit's messages look at what systemd itself says of its runs, whatever the priority: how often
    it was `started` (a job of Type=oneshot: came to its end) and `stopped`, how many runs `succeeded`, `failed` (by
    their exit status, a time-out, or because they could not be started) and `crashed` (by a signal, the watchdog,
    for want of memory), how often it was `restarted` by Restart=, and how often a process of it was killed for want
    of memory (`out_of_memory`). The column `event` has the same words, beside its `time`. Known from systemd 243
    on: a condition such as `succeeded >= 1` proves that its runs were seen."""
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
"""What is known: the `count` of messages, how much of the time looked at the journal covers (`covered`), and how
many messages journald says it left out (`dropped`)."""

_MOST_EVENTS = 1000
"""So many events of a unit are counted by their kind; with more there is none of these numbers."""


class JournalProbe:
    """Asks `journalctl`; keeps nothing between two measurements."""

    async def measure(self, options: Options, context: Context) -> Reading:
        """Return the messages as a table and their `count`, or raise ProbeError where they could not be seen."""
        span = _span(options, context)
        programs = Programs(context)
        unit = _systemd.full_name(options.unit) if options.unit else ""
        least = _unitevents.LEAST_LEVEL if options.events else 0
        asked = Asked(unit, options.directory, options.partial, least)
        if options.directory:
            journal, note = Journal(programs, directory=options.directory), ""
            await require_entries_of(journal, asked)
        else:
            namespace, note = await living_journal(programs, asked)
            journal = Journal(programs, namespace=namespace)
        seen = await visible(journal, asked, span, note)
        selection = _selection(options, unit, span)
        most = _MOST_EVENTS if options.events else options.rows
        found, last = await _systemd.together(
            journal.newest(*selection, most=most), _tail(journal, unit, options.tail)
        )
        counted = len(found.entries) if found.complete else await journal.count(*selection)
        if options.events:
            return _events(options, unit, seen, found, last)
        return _reading(options, unit, seen, found, counted, last)

    async def aclose(self) -> None:
        """Nothing is kept open."""


def _span(options: Options, context: Context) -> Span:
    """Return the stretch of time whose messages are looked at."""
    if options.since == WINDOW:
        window = context.times.window
        if window.begins_at >= context.now:
            raise _too_early(f"the run looks back over the time since {window.begins_at:%Y-%m-%d %H:%M} UTC")
        open_end = window.ends_at > context.now
        return Span(window.begins_at, context.now if open_end else window.ends_at, open_end)
    if options.since != SCHEDULED:
        return Span(context.now - Duration.parse(options.since).timedelta(), context.now)
    scheduled = context.times.scheduled
    if scheduled is None:
        raise ProbeError(
            "no-schedule",
            "the checklist has no scheduled job, so 'since = \"scheduled\"' means no time",
            "give the checklist a 'schedule', or write how far to look back: since = \"24 h\"",
        )
    if scheduled > context.now:
        raise _too_early(f"the job is scheduled for {scheduled:%Y-%m-%d %H:%M} UTC")
    return Span(scheduled, context.now)


def _too_early(what: str) -> ProbeError:
    return ProbeError("too-early", f"{what}, which is still to come", "measure again after that")


def _selection(options: Options, unit: str, span: Span) -> list[str]:
    """Return the options of journalctl that leave the messages asked for."""
    selection = span.options()
    if unit:
        selection.append(f"--unit={unit}")
    if options.events:
        return [*selection, *_unitevents.SELECTION]
    selection.append(f"--priority={options.priority}")
    if options.grep:
        selection += [f"--grep={options.grep}", "--case-sensitive=yes"]
    return selection


async def _tail(journal: Journal, unit: str, lines: int) -> Found:
    selection = [f"--unit={unit}"] if unit else []
    return await journal.newest(*selection, most=lines) if lines else Found((), complete=True)


# --- the reading -------------------------------------------------------------------------------------


def _reading(options: Options, unit: str, seen: Seen, found: Found, counted: int | None, last: Found) -> Reading:
    what = f"of {unit}" if unit else "of all units"
    asked = f"messages {what} with priority {options.priority} or worse"
    evidence = [
        Evidence("what was looked at", _account(options, asked, seen, found, counted)),
        Evidence(f"messages {what}, {options.priority} or worse", _lines(found.entries), not found.complete),
    ]
    if options.tail:
        evidence.append(Evidence(f"last {options.tail} lines {what}", _lines(last.entries)))
    return Reading(
        measures={**_covered(seen), **({} if counted is None else {"count": number(counted)})},
        columns=COLUMNS,
        rows=tuple(_row(each, unit) for each in found.entries),
        label="time",
        truncated=not found.complete,
        evidence=tuple(evidence),
        command=_command(options, unit, seen.span),
    )


def _events(options: Options, unit: str, seen: Seen, found: Found, last: Found) -> Reading:
    """Return the reading of a unit's events: all are counted, and none where there were too many to be sure."""
    told = [each for each in found.entries if each.event]
    asked = f"what systemd says of the runs of {unit}"
    complete = len(told) if found.complete else None
    evidence = [
        Evidence("what was looked at", _account(options, asked, seen, found, complete)),
        Evidence(f"events of {unit}", _lines(told), not found.complete),
    ]
    if options.tail:
        evidence.append(Evidence(f"last {options.tail} lines of {unit}", _lines(last.entries)))
    shown_ones = told[-options.rows :]
    counted = {"count": number(len(told)), **_unitevents.counts(each.event for each in told)}
    return Reading(
        measures={**_covered(seen), **(counted if found.complete else {})},
        columns=(*COLUMNS, "event"),
        rows=tuple((*_row(each, unit), each.event) for each in shown_ones),
        label="time",
        truncated=not found.complete or len(shown_ones) < len(told),
        evidence=tuple(evidence),
        command=_command(options, unit, seen.span),
    )


def _row(entry: Entry, unit: str) -> tuple[Value, ...]:
    return (Moment(entry.at), entry.priority, entry.source, entry.message, entry.unit or unit or None)


def _covered(seen: Seen) -> dict[str, Value]:
    begins = seen.begins if seen.missing else seen.span.since
    return {
        "covered": None if begins is None else seconds((seen.span.end - begins).total_seconds()),
        "dropped": number(seen.dropped),
    }


def _lines(entries: Sequence[Entry]) -> str:
    return "\n".join(each.line() for each in entries) or "none"


def _account(options: Options, asked: str, seen: Seen, found: Found, counted: int | None) -> str:
    """Return in words what was looked at, and what could not be seen."""
    said = [f"{asked} {seen.span.words()}"]
    if options.directory:
        said.append(f"in the journal files of {options.directory}")
    if options.grep:
        said.append(f"in which /{options.grep}/ is found")
    if counted is None:
        limit = _MOST_EVENTS if options.events else COUNT_LIMIT
        said.append(f"there are more than {limit:,}, too many to be counted")
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


def _command(options: Options, unit: str, span: Span) -> str:
    words = ["journalctl", "--no-pager", f"--since={span.since:%Y-%m-%d %H:%M:%S} UTC"]
    if not span.open_end:
        last = span.end - dt.timedelta(microseconds=1)
        words.append(f"--until={last:%Y-%m-%d %H:%M:%S.%f} UTC")
    if options.directory:
        words.append(f"--directory={options.directory}")
    if unit:
        words.append(f"--unit={unit}")
    if options.events:
        return shlex.join([*words, *_unitevents.SELECTION])
    words.append(f"--priority={options.priority}")
    if options.grep:
        words += [f"--grep={options.grep}", "--case-sensitive=yes"]
    return shlex.join(words)


# --- the kind ----------------------------------------------------------------------------------------


def _problems(options: Options) -> list[tuple[str, str]]:
    found = []
    if options.unit and (problem := _systemd.name_problem(options.unit)):
        found.append(("unit", problem))
    if options.since not in {SCHEDULED, WINDOW}:
        try:
            if not Duration.parse(options.since).seconds:
                found.append(("since", "nothing lies within '0'; write how far to look back, like '24 h'"))
        except UnitError as error:
            others = "'scheduled' for the time of the checklist's job, or 'window' for what the run looks back over"
            found.append(("since", f"{error}; or write {others}"))
    if options.events and not options.unit:
        found.append(("events", "say whose: they are what systemd says of the runs of one 'unit'"))
    if options.events and options.grep:
        found.append(("grep", "events are known by their kind; ask for 'events' or for a pattern"))
    if options.events and options.priority != "err":
        found.append(("priority", "events are looked at whatever their priority; leave it out"))
    if "\0" in options.grep or "\n" in options.grep:
        found.append(("grep", "a pattern is one line of text"))
    if options.directory and not os.path.isabs(options.directory):  # noqa: PTH117 - a text stays a text here
        found.append(("directory", f"'{options.directory}' is no absolute path"))
    return found


def _subjects(options: Options) -> Subjects:
    return {**SUBJECTS, **_unitevents.SUBJECTS} if options.events else SUBJECTS


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
