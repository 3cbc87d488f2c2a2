"""The `logfile` probe: counts and shows entries of a log file by time, pattern and severity."""

import os
import re
import shlex
import warnings
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import msgspec

from opsconsole.checks import _logask, _logtimes
from opsconsole.checks._logask import ALL, LOCAL, SCHEDULED, WINDOW, Answer, Span, moment, span_of
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.conditions import PAST
from opsconsole.model.readings import MAX_TEXT, Evidence, Reading
from opsconsole.model.values import Duration, Unit, UnitError, Value, number, seconds

Level = Literal["", "debug", "info", "notice", "warning", "error", "critical"]
Show = Literal["lines", "messages", "hours"]
MOST_PATTERNS = 50


class LogfileOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `logfile`."""

    path: str
    """The log, by its absolute path. Rotated files beside it belong to it: `app.log.1`, `app.log-20261120.gz`,
    `app-20261120.log`, `app.log.2026-11-20`; compressed by gzip, bzip2, xz, or zstd (which needs
    `opsconsole[archives]`). Where there is no file of a fixed name, a pattern such as `/var/log/app/app-*.log`
    names the files of one log."""
    patterns: dict[str, str] = {}
    """What to look for, each under a name that conditions use: `{ critical = "CRITICAL:", slow = "/took [0-9]+
    s/" }`. A plain text is looked for as it is; between slashes it is a regular expression (of Python; `^` and
    `$` are the ends of lines, and `(?i)` at its beginning makes capitals not matter). Each counts the entries in
    which it is found. Without any, all entries count."""
    level: Level = ""
    """Only entries of this severity and worse: what the entry itself names (`ERROR`, `[warn]`, `level=error`,
    `<3>`); of an access log the status, 4xx being a `warning` and 5xx an `error`."""
    since: str = "24 h"
    """How far to look back (`1 h`); `scheduled`: since the scheduled time of the checklist's job; `window`: the
    stretch of time that the run looks back over, such as last week, and no further than now; or `all`: the whole
    log, which needs no times in it."""
    before: Duration | None = None
    """How long a stretch before that is compared with: gives `new`, the messages that are in the one and not in the
    other."""
    show: Show = "lines"
    """What the table holds: the newest entries that count as `lines`; the different `messages` with how often
    each is there, the most frequent first; or how many entries there are in each of the `hours` (of UTC) that
    have any."""
    rows: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    """At most so many rows are shown; all are counted."""
    tail: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    """So many last lines of the log, whatever they say, as evidence."""
    format: str = "auto"
    """How entries begin. Without it that is recognised, file by file. `iso` (ISO 8601, Python's logging with its
    milliseconds after a comma, Django, PostgreSQL; a severity may stand before it), `syslog` (no year), `nginx`
    (its error log), `access` (of nginx and Apache), `apache` (its error log), `django` (its server: `[20/Nov/2026
    08:00:00]`), `epoch` (seconds or milliseconds since 1970), `json` (one object a line), `logfmt`; or in the
    directives of strptime: `%d.%m.%Y %H:%M:%S`."""
    timezone: str = LOCAL
    """In which zone times without an offset were written: an IANA name, or `local` for the zone of the host."""
    rotated: bool = True
    """Whether rotated files are looked at, too."""
    partial: bool = False
    """Accept a log that begins within the time looked at, because it is new or because older files were removed, or
    in which a numbered file is missing. Without it what is counted is taken for the least that there was, since
    there may have been more."""


_LINES = ("time", "level", "message", "pattern")
_MESSAGES = ("message", "count", "first", "last")
_HOURS = ("hour", "count")
MEASURES: Subjects = {
    "count": Unit.COUNT,
    "age": Unit.SECONDS,
    "covered": Unit.SECONDS,
    "burst": Unit.COUNT,
}
"""How many entries count, how old the newest entry of the log is (whatever it says), how much of the time looked at
the log covers, and the most that count within any sixty minutes."""
_OF_MESSAGES: Subjects = {"messages": Unit.COUNT, "repeated": Unit.COUNT}
"""How many different messages there are, and how often the most frequent one is there."""
_RESERVED = frozenset(
    {*MEASURES, *_OF_MESSAGES, "new", "value", "entry", *PAST, *_LINES, *_MESSAGES, *_HOURS}
    | {"every", "any", "no", "in", "not", "contains", "matches", "between", "within", "true", "false", "of"}
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")


class LogfileProbe:
    """Has the log read by a process of its own, which is killed when its time is over."""

    async def measure(self, options: LogfileOptions, context: Context) -> Reading:
        """Return what was counted as measures and a table; raise ProbeError where the log could not be read."""
        span = span_of(options.since, context)
        zone = _logask.zone_place(options.timezone)
        answer = await _logask.asked(_request(options, span, zone, context), context)
        return _reading(options, span, zone, answer, context)

    async def aclose(self) -> None:
        """Nothing to end: each worker ended with its measurement."""


def _request(options: LogfileOptions, span: Span, zone: str, context: Context) -> dict[str, Any]:
    return {
        "path": options.path,
        "rotated": options.rotated,
        "format": options.format,
        "zone": zone,
        "patterns": options.patterns,
        "level": options.level,
        "since": None if span.since is None else span.since.timestamp(),
        "until": span.until.timestamp(),
        "now": context.now.timestamp(),
        "before": None if options.before is None else float(options.before.seconds),
        "rows": options.rows,
        "tail": options.tail,
        "messages": _tells_messages(options),
    }


def _tells_messages(options: LogfileOptions) -> bool:
    return options.show == "messages" or options.before is not None


# --- the reading -------------------------------------------------------------------------------------


def _reading(options: LogfileOptions, span: Span, zone: str, answer: Answer, context: Context) -> Reading:
    measures = _measures(options, span, answer, context)
    incomplete = _begins_late(span, answer) or bool(answer.missing)
    unsure = bool(answer.cut) or (incomplete and not options.partial)
    columns, rows, whole = _table(options, answer)
    counted = ("count", "burst", *options.patterns, *_OF_MESSAGES, "new")
    return Reading(
        measures=measures,
        columns=columns,
        rows=rows,
        label=columns[0],
        truncated=not whole or unsure,
        lower_bounds=tuple(name for name in counted if name in measures) if unsure else (),
        evidence=tuple(_evidence(options, span, zone, answer)),
        command=_command(options, answer),
    )


def _begins_late(span: Span, answer: Answer) -> bool:
    return span.since is not None and (answer.oldest is None or answer.oldest > span.since.timestamp())


def _measures(options: LogfileOptions, span: Span, answer: Answer, context: Context) -> dict[str, Value]:
    since = span.since.timestamp() if span.since is not None else answer.oldest
    begins = None if since is None or answer.oldest is None else max(since, answer.oldest)
    age = None if answer.newest is None else max(0.0, context.now.timestamp() - answer.newest)
    measures: dict[str, Value] = {
        "count": number(answer.count),
        "age": None if age is None else seconds(age),
        "covered": None if begins is None else seconds(max(0.0, span.until.timestamp() - begins)),
        "burst": None if answer.burst is None or begins is None else number(answer.burst),
        **{name: number(answer.patterns[name]) for name in options.patterns},
    }
    if _tells_messages(options):
        measures["messages"] = None if answer.many_messages else number(answer.different)
        measures["repeated"] = None if answer.many_messages else number(answer.most)
    if options.before is not None:
        seen_before = span.since is not None and answer.oldest is not None and not _begins_late(span, answer)
        measures["new"] = number(answer.new) if seen_before and not answer.many_messages else None
    return measures


def _table(options: LogfileOptions, answer: Answer) -> tuple[tuple[str, ...], tuple[tuple[Value, ...], ...], bool]:
    """Return the columns and rows of the table, and whether these are all."""
    if options.show == "hours":
        hours = answer.hours[-options.rows :]
        rows = tuple((moment(at), number(count)) for at, count in hours)
        return _HOURS, rows, len(hours) == len(answer.hours) and answer.burst is not None
    if options.show == "messages":
        whole = answer.different == len(answer.messages) and not answer.many_messages
        return _message_columns(options), tuple(_message_row(options, each) for each in answer.messages), whole
    newest = answer.kept[-options.rows :]
    lines = tuple((moment(at), level or None, text, ", ".join(found)) for at, level, text, found in newest)
    return _LINES, lines, len(lines) == answer.count


def _message_columns(options: LogfileOptions) -> tuple[str, ...]:
    return (*_MESSAGES, "new") if options.before is not None else _MESSAGES


def _message_row(
    options: LogfileOptions, each: tuple[str, int, float | None, float | None, bool]
) -> tuple[Value, ...]:
    text, count, first, last, new = each
    row: tuple[Value, ...] = (text, number(count), moment(first), moment(last))
    return (*row, new) if options.before is not None else row


# --- evidence ----------------------------------------------------------------------------------------


def _evidence(options: LogfileOptions, span: Span, zone: str, answer: Answer) -> Iterable[Evidence]:
    yield Evidence("what was looked at", _account(options, span, zone, answer))
    of = f" of severity {options.level} and worse" if options.level else ""
    if not options.patterns:
        newest = answer.kept[-options.rows :]
        yield _shown(f"entries{of}", [text for _, _, text, _ in newest], answer.count)
    for name, pattern in options.patterns.items():
        lines = [text for _, _, text, found in answer.kept if name in found]
        yield _shown(f"entries{of} with {pattern} ({name})", lines, answer.patterns[name])
    if options.before is not None:
        new = [f"{count} x {text}" for text, count, _, _, is_new in answer.messages if is_new]
        yield _shown("messages that were not there before", new, answer.new)
    if options.tail:
        yield Evidence(f"last {options.tail} lines of {options.path}", answer.tail[-MAX_TEXT:] or "none")


def _shown(title: str, lines: Sequence[str], count: int) -> Evidence:
    """Return the newest of `lines` that there is room for; `count` is how many there are in all."""
    kept: list[str] = []
    room = MAX_TEXT
    for line in reversed(lines):
        room -= len(line) + 1
        if room < 0:
            break
        kept.append(line)
    return Evidence(title, "\n".join(reversed(kept)) or "none", truncated=len(kept) < count)


def _account(options: LogfileOptions, span: Span, zone: str, answer: Answer) -> str:
    """Return in words what was looked at, and what could not be seen."""
    formats = ", ".join(each if each in _logtimes.PATTERNS else f"'{each}'" for each in answer.formats)
    times = f"times as {formats}, those without an offset in {_logask.zone_name(zone)}" if formats else "no times"
    said = [f"{options.path} {span.words()} ({times})", f"read: {', '.join(answer.read) or 'nothing'}"]
    if answer.newest is not None:
        said.append(f"the newest entry is of {_at(answer.newest)}")
    if _begins_late(span, answer) and answer.oldest is not None:
        least = "" if options.partial else ", so what is counted is the least that there was (`partial` accepts it)"
        said.append(f"the log begins at {_at(answer.oldest)} only{least}")
    if options.before is not None and span.since is not None and answer.oldest is not None:
        begins = span.since.timestamp() - float(options.before.seconds)
        said.append(f"compared with the time since {_at(max(begins, answer.oldest))}")
    unseen = "what it held was not seen" + ("" if options.partial else " (`partial` accepts it)")
    said += [f"{each}, so {unseen}" for each in answer.missing]
    if answer.cut:
        said.append(f"{answer.cut} entries are longer than 1 MiB, of which the rest was not searched")
    if answer.doubtful:
        said.append(
            f"{answer.doubtful} entries are of an hour that came twice, when the clock was put back; "
            "as nothing tells which they are of, they count where either is looked at"
        )
    if answer.many_messages:
        said.append("there are too many different messages to tell them apart")
    return "\n".join([*said, *answer.notes])


def _at(at: float) -> str:
    found = moment(at)
    return f"{found.at:%Y-%m-%d %H:%M:%SZ}" if found is not None else ""


def _command(options: LogfileOptions, answer: Answer) -> str:
    """Return a line that shows the same entries, of the same files, whatever their times."""
    files = answer.read or [options.path]
    packed = {os.path.splitext(each)[1] for each in files} & {".gz", ".bz2", ".xz", ".zst"}  # noqa: PTH122 - a text stays a text here
    grep = "grep" if not packed else "zgrep" if packed == {".gz"} else "xzgrep"
    if options.patterns and all(map(_is_expression, options.patterns.values())):
        words = [grep, "-hP", *(f"-e{each[1:-1]}" for each in list(options.patterns.values())[:1])]
    elif options.patterns and not any(map(_is_expression, options.patterns.values())):
        words = [grep, "-hF", *(f"-e{each}" for each in options.patterns.values())]
    elif options.patterns:
        alternatives = (
            each[1:-1] if _is_expression(each) else re.escape(each) for each in options.patterns.values()
        )
        words = [grep, "-hP", f"-e{'|'.join(alternatives)}"]
    else:
        words = [grep, "-h", "-e", options.level.upper() if options.level else ""]
    return f"{shlex.join([*words, '--', *files])} | tail -n {options.rows}"


# --- the kind ----------------------------------------------------------------------------------------


def _is_expression(text: str) -> bool:
    return len(text) > 2 and text[0] == text[-1] == "/"  # noqa: PLR2004 - something stands between two slashes


def _problems(options: LogfileOptions) -> list[tuple[str, str]]:
    found = []
    if not options.path.startswith("/") or "\0" in options.path:
        found.append(("path", f"'{options.path}' is no absolute path; write it like '/var/log/app.log'"))
    if len(options.patterns) > MOST_PATTERNS:
        found.append(("patterns", f"{MOST_PATTERNS} at most are looked for at once"))
    for name, text in options.patterns.items():
        found += [("patterns", message) for message in _pattern_problems(name, text)]
    found += [("since", message) for message in _since_problems(options.since)]
    if options.before is not None and options.since == ALL:
        found.append(("before", "nothing is before the whole log; say by `since` how far to look back"))
    if options.before is not None and not options.before.seconds:
        found.append(("before", "nothing lies within '0'; write how long a stretch, like '7 d'"))
    if options.format != "auto" and options.format not in _logtimes.PATTERNS:
        found += [("format", message) for message in _format_problems(options.format)]
    if options.timezone != LOCAL:
        try:
            _logask.zone_place(options.timezone)
        except ProbeError as error:
            found.append(("timezone", f"{error.problem.cause}; {error.problem.hint}"))
    return found


def _pattern_problems(name: str, text: str) -> Iterable[str]:
    if not _NAME.match(name):
        yield f"'{name}' is no name for a condition: small letters, digits and '_', a letter first"
    elif name in _RESERVED:
        yield f"'{name}' already means something in conditions; choose another name"
    if not text:
        yield f"'{name}' looks for nothing; without patterns all entries count"
    elif "\n" in text or "\0" in text:
        yield f"'{name}' is more than one line of text"
    elif _is_expression(text):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what will mean something else in a later Python
                re.compile(text[1:-1], re.MULTILINE)
        except (re.error, OverflowError, RecursionError) as error:
            yield f"{text} is no regular expression: {error}"


def _since_problems(since: str) -> Iterable[str]:
    if since in {SCHEDULED, WINDOW, ALL}:
        return
    try:
        if not Duration.parse(since).seconds:
            yield "nothing lies within '0'; write how far to look back, like '24 h'"
    except UnitError as error:
        yield (
            f"{error}; or write 'scheduled' for the time of the checklist's job, 'window' for what the run "
            "looks back over, or 'all'"
        )


def _format_problems(text: str) -> Iterable[str]:
    if "%" not in text:
        known = ", ".join(_logtimes.PATTERNS)
        yield f"there is no format '{text}'; there are {known}, or write it like '%d.%m.%Y %H:%M:%S'"
        return
    try:
        _logtimes.custom_pattern(text)
    except ValueError as error:
        yield f"'{text}': {error}; write it like '%d.%m.%Y %H:%M:%S'"


def _subjects(options: LogfileOptions) -> Subjects:
    subjects: dict[str, Unit | None] = {**MEASURES, **dict.fromkeys(options.patterns, Unit.COUNT)}
    if _tells_messages(options):
        subjects |= _OF_MESSAGES
    if options.before is not None:
        subjects["new"] = Unit.COUNT
    columns = {"lines": _LINES, "messages": _MESSAGES, "hours": _HOURS}[options.show]
    return {**dict.fromkeys(columns), **subjects}


def _open(_environment: Environment) -> LogfileProbe:
    return LogfileProbe()


KIND = ProbeKind(
    name="logfile",
    summary="Counts entries of a log file by pattern, severity and time, over its rotated and compressed files.",
    options=LogfileOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
