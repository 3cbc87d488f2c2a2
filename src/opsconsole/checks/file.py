"""Probe `file`: what the inodes say of one file, or of all that fit a pattern, and whether secrets are in them."""

import errno
import os
import shlex
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from opsconsole.checks import _files_walk, _secretscan
from opsconsole.checks._files import (
    CLOCK_SKEW,
    Facts,
    GivenUpError,
    Stop,
    facts_of,
    group_name,
    in_time,
    owner_name,
    path_problems,
    refused,
    sized,
    too_slow,
)
from opsconsole.checks._files_walk import Entry, Found, Order, Wanted
from opsconsole.checks._mounts import presentable
from opsconsole.checks._secretscan import Scanned
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import MAX_TEXT, Evidence, Reading
from opsconsole.model.values import Unit, UnitError, Value, number, parse_quantity, seconds

MOST_SCANNED = 10_000
"""Files of one pattern that are scanned for secrets."""
_ANY_MODE = 0o7777

_FACTS: Subjects = {
    "size": Unit.BYTES,
    "age": Unit.SECONDS,
    "mode": None,
    "owner": None,
    "group": None,
    "world_readable": None,
    "world_writable": None,
}
_ONE: Subjects = {"exists": None, "type": None, **_FACTS}
"""Of one path: whether it is there, `file`, `directory`, `symbolic link` and so on, how long ago its content was
changed, its permissions as `0640`, and whether everybody may read or change it."""
COLUMNS: Subjects = {"name": None, **_FACTS}
FINDINGS: Subjects = {"file": None, "line": Unit.COUNT, "kind": None}
_MANY: Subjects = {
    "count": Unit.COUNT,
    "total": Unit.BYTES,
    "largest": Unit.BYTES,
    "oldest": Unit.SECONDS,
    "newest": Unit.SECONDS,
    "owners": None,
    "groups": None,
    "modes": None,
    "world_readable_files": Unit.COUNT,
    "world_writable_files": Unit.COUNT,
    "unseen": Unit.COUNT,
}
"""Of a pattern: the number of files, their size together and that of the largest, the ages of the oldest and the
newest, all owners, groups and modes in one text each (`root`, `app, root`), how many everybody may read or change,
and the number of directories and files that could not be looked at."""
_SECRETS: Subjects = {"secrets": Unit.COUNT, "scanned": Unit.COUNT, "unscanned": Unit.COUNT}
_BOUNDED = ("count", "total", "largest", "oldest", "world_readable_files", "world_writable_files", "too_open")

_ORDERS: dict[str, Order] = {
    "newest": lambda entry: (-entry.facts.modified,),
    "oldest": lambda entry: (entry.facts.modified,),
    "largest": lambda entry: (-entry.facts.size,),
    "name": lambda entry: (entry.name,),
}


class FileOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `file`."""

    path: str
    """A file; with `pattern`, the directory in which files are looked for."""
    pattern: tuple[str, ...] | str = ()
    """Which files: `*.log`, or a list of such patterns, as the shell has them. One with a `/` is of the path below
    the directory: `app/*.log`."""
    exclude: tuple[str, ...] = ()
    """Names of files and directories that are passed by: `["*.gz", "archive"]`."""
    recursive: bool = False
    """Look into the directories below, too."""
    follow: bool = False
    """Look at what symbolic links lead to. Otherwise a link is no file, and is not counted."""
    max_mode: str = ""
    """The most that its permissions may be, `0640`: then `too_open` is the number of files that have more."""
    order: Literal["newest", "oldest", "largest", "name"] = "newest"
    """Which files the table shows first."""
    rows: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    """So many files (or findings) are shown; all are counted. Conditions on columns need them all."""
    secrets: bool = False
    """Scan the text of the files for passwords in addresses, private keys and the tokens of well-known services
    (extra `secrets`). The table then has the findings: `file`, `line`, `kind`, and never the secret. Compressed
    files are read for what they hold. What is no text, too large or unreadable is `unscanned`, and then nothing
    passes."""
    keywords: bool = False
    """With `secrets`: look for `password = ...` and the like, too. Logs that speak of passwords have false ones."""
    scan_limit: str = "64 MiB"
    """With `secrets`: no more of one file is scanned."""


class Looked(msgspec.Struct, kw_only=True):
    """What was seen of one path or of a directory."""

    facts: Facts | None = None
    link: str = ""
    """Where the symbolic link leads that the path is."""
    owner: str = ""
    group: str = ""
    found: Found | None = None
    scanned: Scanned | None = None


class FileProbe:
    """Asks the kernel, in a thread that is left behind where it does not answer."""

    async def measure(self, options: FileOptions, context: Context) -> Reading:
        """Return what is known of the path, or of the files below it; raise ProbeError where that is nothing."""
        problems = _problems(options)
        if problems:
            raise ProbeError("bad-options", "; ".join(f"{key}: {message}" for key, message in problems))
        shown = presentable(options.path)
        work = _many if _patterns(options) else _one
        try:
            looked = await in_time(f"file {options!r}", lambda stop: work(options, stop), context.allowance)
        except GivenUpError as error:
            raise too_slow(f"looking at {shown}", str(error), context.allowance) from None
        except OSError as error:
            raise refused(options.path, error) from error
        now = context.now.timestamp()
        if looked.found is not None:
            return _table(options, looked, looked.found, now)
        return _single(options, looked, now)

    async def aclose(self) -> None:
        """Nothing to end."""


# --- one ---------------------------------------------------------------------------------------------


def _one(options: FileOptions, stop: Stop) -> Looked:
    """Look at the path itself. What lies on a directory that is not there cannot be said to be missing."""
    looked = Looked()
    try:
        status = os.stat(options.path) if options.follow else os.lstat(options.path)  # noqa: PTH116 - a text stays a text here
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        os.stat(os.path.dirname(options.path.rstrip("/")) or "/")  # noqa: PTH116, PTH120 - a text stays a text here
        return looked
    looked.facts = facts_of(status)
    looked.owner, looked.group = owner_name(status.st_uid), group_name(status.st_gid)
    if looked.facts.kind == "symbolic link":
        looked.link = os.readlink(options.path)  # noqa: PTH115 - a text stays a text here
    if options.secrets:
        looked.scanned = _scan(options, [""], stop)
        if not looked.scanned.files and not looked.scanned.unscanned:
            raise FileNotFoundError(errno.ENOENT, "it went away while it was looked at")
    return looked


def _single(options: FileOptions, looked: Looked, now: float) -> Reading:
    measures: dict[str, Value] = dict.fromkeys([*_ONE, *(["too_open"] if options.max_mode else [])])
    facts = looked.facts
    if facts is None:
        measures["exists"] = False
    else:
        measures |= {"exists": True, "type": facts.kind, "owner": looked.owner, "group": looked.group}
        measures["age"] = _age(facts.age(now))
        if facts.kind != "symbolic link":  # whose permissions mean nothing
            measures |= {"mode": facts.mode, "world_readable": facts.world_readable}
            measures["world_writable"] = facts.world_writable
            if options.max_mode:
                measures["too_open"] = number(int(bool(facts.permissions & ~_mode(options.max_mode))))
        if facts.regular:
            measures["size"] = number(facts.size, Unit.BYTES)
    reading = Reading(
        measures=measures,
        evidence=(Evidence("file", _account(options, looked, now)),),
        command=shlex.join(["stat", *(["-L"] if options.follow else []), "--", options.path]),
    )
    return _with_findings(options, reading, looked.scanned, whole=True)


def _account(options: FileOptions, looked: Looked, now: float) -> str:
    shown, facts = presentable(options.path), looked.facts
    if facts is None:
        return f"There is no {shown}; its directory is there."
    size = f", {sized(facts.size)}" if facts.regular else ""
    told = f"{shown} is a {facts.kind}{size}, {facts.mode} {looked.owner}:{looked.group}"
    if looked.link:
        told += f"\nIt leads to {presentable(looked.link)}, which was not looked at: follow = true does"
    if facts.age(now) is None:
        told += "\nIt is dated in the future, so its age is not known."
    return told


# --- many --------------------------------------------------------------------------------------------


def _wanted(options: FileOptions) -> Wanted:
    return Wanted(
        root=options.path,
        patterns=_patterns(options),
        exclude=options.exclude,
        recursive=options.recursive,
        follow=options.follow,
    )


def _many(options: FileOptions, stop: Stop) -> Looked:
    keep = MOST_SCANNED if options.secrets else options.rows
    max_mode = _mode(options.max_mode) if options.max_mode else _ANY_MODE
    found = _files_walk.walk(_wanted(options), stop, order=_ORDERS[options.order], keep=keep, max_mode=max_mode)
    looked = Looked(found=found)
    if options.secrets:
        looked.scanned = _scan(options, [each.name for each in found.entries], stop)
        more = found.totals.count - len(found.entries)
        if more > 0:
            looked.scanned.unscanned.append((f"{more:,} more files", f"only {MOST_SCANNED:,} are scanned"))
    return looked


def _table(options: FileOptions, looked: Looked, found: Found, now: float) -> Reading:
    totals = found.totals
    oldest = None if totals.oldest is None else max(now - totals.oldest, 0.0)
    largest = None if totals.largest is None else number(totals.largest, Unit.BYTES)
    measures: dict[str, Value] = {
        "count": number(totals.count),
        "total": number(totals.size, Unit.BYTES),
        "largest": largest,
        "oldest": _age(oldest),
        "newest": _newest(found, now),
        "owners": found.owners if found.whole and totals.count else None,
        "groups": found.groups if found.whole and totals.count else None,
        "modes": found.modes if found.whole and totals.count else None,
        "world_readable_files": number(totals.world_readable),
        "world_writable_files": number(totals.world_writable),
        "unseen": number(found.unseen_count),
    }
    if options.max_mode:
        measures["too_open"] = number(totals.loose)
    bounds = () if found.whole else tuple(each for each in _BOUNDED if measures.get(each) is not None)
    shown = found.entries[: options.rows]
    reading = Reading(
        measures=measures,
        columns=tuple(COLUMNS),
        rows=tuple(_row(each, now) for each in shown),
        label="name",
        truncated=not found.whole or totals.count > len(shown),
        lower_bounds=bounds,
        evidence=(Evidence("files", _listing(options, found, now)),),
        command=_files_walk.as_find(_wanted(options)),
    )
    return _with_findings(options, reading, looked.scanned, whole=found.whole)


def _newest(found: Found, now: float) -> Value:
    """Return the age of the newest file; None where a newer one may be in a place that was not seen."""
    newest = found.totals.newest
    if newest is None or not found.whole or newest > now + CLOCK_SKEW:
        return None
    return _age(max(now - newest, 0.0))


def _age(age: float | None) -> Value:
    return None if age is None else seconds(age)


def _row(entry: Entry, now: float) -> tuple[Value, ...]:
    facts = entry.facts
    return (
        entry.shown,
        number(facts.size, Unit.BYTES),
        _age(facts.age(now)),
        facts.mode,
        owner_name(facts.uid),
        group_name(facts.gid),
        facts.world_readable,
        facts.world_writable,
    )


def _listing(options: FileOptions, found: Found, now: float) -> str:
    totals = found.totals
    below = " and below" if options.recursive else ""
    patterns = " or ".join(map(presentable, _patterns(options)))
    where = presentable(options.path)
    lines = [f"{totals.count:,} files fit {patterns} in {where}{below}: {sized(totals.size)} together"]
    if totals.newest is not None and totals.newest > now + CLOCK_SKEW:
        lines.append("One of them is dated in the future, so the age of the newest is not known.")
    return "\n".join(each for each in (*lines, _files_walk.told(found)) if each)


# --- secrets -----------------------------------------------------------------------------------------


def _scan(options: FileOptions, names: Sequence[str], stop: Stop) -> Scanned:
    return _secretscan.scanned(
        options.path,
        names,
        stop,
        keywords=options.keywords,
        limit=int(parse_quantity(options.scan_limit).number.value),
        follow=options.follow,
    )


def _with_findings(options: FileOptions, reading: Reading, scanned: Scanned | None, *, whole: bool) -> Reading:
    """Return the reading with the findings as its table; what was not scanned makes their number a lower bound."""
    if scanned is None:
        return reading
    unscanned = len(scanned.unscanned)
    complete = whole and not unscanned
    rows = tuple((each.file, number(each.line), each.kind) for each in scanned.findings[: options.rows])
    told = [f"{scanned.files:,} files were scanned to their end, {sized(scanned.size)}"]
    told += [f"{each.file}:{each.line}: {each.kind}" for each in scanned.findings[: options.rows]]
    told += ["Not scanned:"] if unscanned else []
    told += [f"{name}: {reason}" for name, reason in scanned.unscanned[:100]]
    text = "\n".join(told)
    return msgspec.structs.replace(
        reading,
        measures=reading.measures
        | {
            "secrets": number(scanned.count),
            "scanned": number(scanned.files),
            "unscanned": number(unscanned),
        },
        columns=tuple(FINDINGS),
        rows=rows,
        label="file",
        truncated=not complete or scanned.count > len(rows),
        lower_bounds=reading.lower_bounds if complete else (*reading.lower_bounds, "secrets"),
        evidence=(*reading.evidence, Evidence("secrets", text[:MAX_TEXT], len(text) > MAX_TEXT)),
        command=shlex.join(["detect-secrets", "scan", "--all-files", options.path]),
    )


# --- options -----------------------------------------------------------------------------------------


def _patterns(options: FileOptions) -> tuple[str, ...]:
    return _files_walk.as_patterns(options.pattern)


def _mode(text: str) -> int:
    return int(text, 8)


def _problems(options: FileOptions) -> list[tuple[str, str]]:
    found = path_problems("path", options.path)
    patterns = _patterns(options)
    if "*" in options.path and not patterns:
        found.append(
            ("path", "a `*` is a plain character here; give the directory, and a pattern: pattern = '*.log'")
        )
    for key, listed in (("pattern", patterns), ("exclude", options.exclude)):
        found += [(key, message) for message in _files_walk.pattern_problems(listed)]
    if not patterns:
        for key in ("exclude", "recursive"):
            if getattr(options, key):
                found.append((key, "means nothing without a `pattern`"))
    if options.max_mode and not _is_mode(options.max_mode):
        found.append(("max_mode", f"'{options.max_mode}' is no mode; write it like '0640'"))
    if options.keywords and not options.secrets:
        found.append(("keywords", "means nothing without secrets = true"))
    return found + _limit_problems(options.scan_limit)


def _is_mode(text: str) -> bool:
    return 3 <= len(text) <= 4 and all(digit in "01234567" for digit in text)  # noqa: PLR2004 - 640, 0640


def _limit_problems(text: str) -> list[tuple[str, str]]:
    try:
        limit = parse_quantity(text).number
    except UnitError as error:
        return [("scan_limit", str(error))]
    if limit.unit is not Unit.BYTES or limit.value < 1:
        return [("scan_limit", f"'{text}' is no size; write it like '64 MiB'")]
    return []


def _subjects(options: FileOptions) -> Subjects:
    many = bool(_patterns(options))
    found = {**_MANY, **COLUMNS} if many else dict(_ONE)
    if options.max_mode:
        found["too_open"] = Unit.COUNT
    if options.secrets:
        found = {name: unit for name, unit in found.items() if not many or name not in COLUMNS}
        found |= {**_SECRETS, **FINDINGS}
    return found


def _open(_environment: Environment) -> FileProbe:
    return FileProbe()


KIND = ProbeKind(
    name="file",
    summary="Measures a file, or all that fit a pattern: age, size, permissions, and whether secrets are in them.",
    options=FileOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
    amiss=lambda options: "secrets that were found" if options.secrets else "",
)
