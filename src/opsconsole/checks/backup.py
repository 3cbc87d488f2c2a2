"""Probe `backup`: whether backups are there, fresh, as many and as large as they should be, and can be read."""

import time
from collections.abc import Callable
from typing import Annotated, Literal, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.checks import _archives, _archives_kept, _archives_sums, _files_walk
from opsconsole.checks._archives import Examined, UntestableError
from opsconsole.checks._archives_kept import Backup
from opsconsole.checks._archives_reading import Read, Wants, absent_files, read_backup
from opsconsole.checks._files import GivenUpError, Stop, in_time, path_problems, refused, sized, too_slow
from opsconsole.checks._files_walk import Entry, Found, Wanted
from opsconsole.checks._mounts import presentable
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import MAX_TEXT, Evidence, Reading
from opsconsole.model.values import Number, Unit, Value, number, seconds

T = TypeVar("T")

MOST_KEPT = 10_000
"""Files that may fit the pattern of one item."""
_BOUNDED = ("count", "oldest", "total")
_MOST_MISSING = 200

_SUBJECTS: Subjects = {
    "count": Unit.COUNT,
    "newest": Unit.SECONDS,
    "oldest": Unit.SECONDS,
    "size": Unit.BYTES,
    "smallest": Unit.BYTES,
    "total": Unit.BYTES,
    "relative_size": Unit.PERCENT,
    "gaps": Unit.COUNT,
    "longest_gap": Unit.SECONDS,
    "name": None,
    "age": Unit.SECONDS,
}
"""How many there are, the ages of the newest and the oldest, the size of the newest, the smallest and all, that of
the newest in percent of those before, dates without any, and the longest time between two."""


class BackupOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `backup`."""

    path: str
    """The directory that the backups are in."""
    pattern: tuple[str, ...] | str = "*"
    """Which files are backups of the same thing: `qbr-*.dump`, or a list of such patterns. Files of checksums are
    none, and none are those not finished by their names, unless a pattern ends like them: hidden ones, as rsync
    makes them, and `.part`, `.partial`, `.filepart`, `.incomplete`, `.tmp`, `.temp`, `~`."""
    exclude: tuple[str, ...] = ()
    """Names of files and directories that are passed by: `["*.partial"]`."""
    recursive: bool = False
    """Look into the directories below, too."""
    follow: bool = False
    """Look at what symbolic links lead to. Otherwise a link is no backup. One that leads to another of the backups
    is not counted once more."""
    dated: Literal["modified", "name"] = "modified"
    """When a backup was made: when its file was last modified, or the date in its name (`2026-11-21`, `20261121`,
    with a time after it or without), which is right for copies too."""
    days: Annotated[int, msgspec.Meta(ge=0, le=3660)] = 0
    """`gaps` are the dates without a backup among so many before today; 0: since the oldest one."""
    compare: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 7
    """`relative_size` compares the newest with the median of so many before it."""
    verify: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    """So many of the newest are read for `checksum` and `test`. That takes time: give the item a `timeout`."""
    checksum: bool = False
    """Hold the newest against the checksum that was written for it, in `NAME.sha256` (sha512, sha1, md5 and so on)
    or `SHA256SUMS` beside it. The measure `checksum` is `ok`, `differs` or, where none was written, `absent`."""
    checksum_file: str = ""
    """Where the checksums are, if elsewhere."""
    test: bool = False
    """Read the newest from beginning to end: zip, tar, gzip, bzip2, xz, zstd (extra `archives`), SQLite, dumps of
    PostgreSQL (by `pg_restore`) and dumps in SQL (by their last line). Nothing is unpacked: what is within a
    compression is tested where it is a tar or SQL, only for its length where it is SQLite, and not at all where it
    is a dump, a zip or compressed once more, which is an error. An archive of nothing is damaged. The measure
    `archive` is `ok` or `damaged`, `format` says what was tested, and `members` counts what is in it."""
    pg_restore: str = "pg_restore"
    """The program that reads dumps of PostgreSQL's own format; no older than the one that made them."""
    contains: tuple[str, ...] = ()
    """Names that must be in the newest: members of an archive, tables of a SQLite database, tables with data of a
    dump (`public.orders`). The measure `missing` counts those that are not. With `test`."""
    manifest: str = ""
    """A file that lists such names: JSON (a list, or an object with `files`), or one a line."""
    listed_in: Literal["archive", "directory"] = "archive"
    """Where they must be: in the newest archive, or as files with content in the directory itself."""
    rows: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    """So many are shown, the newest first. Conditions on columns need them all."""


class Seen(msgspec.Struct, kw_only=True):
    """What was seen of the backups."""

    found: Found
    kept: list[Backup]
    """The newest first."""
    unfinished: list[str]
    """Names of files that are still being written, and are no backups yet."""
    read: list[Read] = msgspec.field(default_factory=list)
    """Of the newest, in the same order."""
    missing: list[str] | None = None
    """Names that are not where they must be; None where that is not known."""
    names: list[str] = msgspec.field(default_factory=list)
    """Names that must be there."""


class BackupProbe:
    """Reads directories and archives in threads of its own, each of which ends when it is given up."""

    async def measure(self, options: BackupOptions, context: Context) -> Reading:
        """Return what is known of the backups; raise ProbeError where one that is to be read cannot be."""
        problems = _problems(options)
        if problems:
            raise ProbeError("bad-options", "; ".join(f"{key}: {message}" for key, message in problems))
        timed = _Timed(options, context.allowance)
        where = ZoneInfo(context.times.timezone)
        try:
            seen = await timed(f"look {where}", lambda stop: _look(options, where, stop))
            seen = msgspec.structs.replace(seen, read=[])  # others may have been given the same
            await _read(options, seen, timed)
        except GivenUpError as error:
            raise too_slow("looking at the backups", str(error), context.allowance) from None
        except OSError as error:
            raise refused(options.path, error) from error
        return _reading(options, seen, context)

    async def aclose(self) -> None:
        """Nothing to end."""


class _Timed:
    """The time of one measurement, which its parts share."""

    def __init__(self, options: BackupOptions, allowed: float) -> None:
        self._options = options
        self._until = time.monotonic() + allowed

    async def __call__(self, what: str, work: Callable[[Stop], T]) -> T:
        return await in_time(f"backup {self._options!r} {what}", work, self.left())

    def left(self) -> float:
        return max(self._until - time.monotonic(), 0.01)


def _look(options: BackupOptions, where: ZoneInfo, stop: Stop) -> Seen:
    """Find the backups, and read the list of what must be in them."""
    found = _files_walk.walk(_wanted(options), stop, order=_newest_first, keep=MOST_KEPT + 1)
    if len(found.entries) > MOST_KEPT:
        where_shown = presentable(options.path)
        raise UntestableError(f"more than {MOST_KEPT:,} files fit in {where_shown}", "name a pattern", "too-large")
    entries = [each for each in found.entries if not _archives_sums.is_checksum(each.name)]
    entries = _archives_kept.distinct(options.path, entries) if options.follow else entries
    patterns = _files_walk.as_patterns(options.pattern)
    unfinished = {each.name for each in entries if _archives_kept.is_unfinished(each.name, patterns)}
    entries = [each for each in entries if each.name not in unfinished]
    kept = _archives_kept.backups(entries, by_name=options.dated == "name", where=where)
    listed = _archives_kept.manifest(options.manifest, stop) if options.manifest else []
    names = list(dict.fromkeys([*map(_archives.plain_name, options.contains), *listed]))
    seen = Seen(found=found, kept=kept, unfinished=sorted(map(presentable, unfinished)), names=names)
    if names and options.listed_in == "directory":
        seen.missing = absent_files(options.path, names, stop)
    return seen


def _newest_first(entry: Entry) -> tuple[float, ...]:
    return (-entry.facts.modified,)


async def _read(options: BackupOptions, seen: Seen, timed: _Timed) -> None:
    """Read the newest backups; what is missing is known of the very newest."""
    wants = Wants(
        checksum=options.checksum,
        checksum_file=options.checksum_file,
        test=options.test,
        pg_restore=options.pg_restore,
    )
    in_archive = seen.names if options.listed_in == "archive" else []
    for each in seen.kept[: options.verify if options.checksum or options.test else 0]:
        names = [] if seen.read else in_archive
        read = await read_backup(options.path, each, names, wants, timed)
        if names and read.examined is not None and not read.examined.damage:
            seen.missing = list(read.examined.missing)
        seen.read.append(read)


def _wanted(options: BackupOptions) -> Wanted:
    return Wanted(
        root=options.path,
        patterns=_files_walk.as_patterns(options.pattern),
        exclude=options.exclude,
        recursive=options.recursive,
        follow=options.follow,
    )


# --- the reading -------------------------------------------------------------------------------------


def _reading(options: BackupOptions, seen: Seen, context: Context) -> Reading:
    whole = seen.found.whole
    columns = ["name", "size", "age"]
    columns += ["checksum"] if options.checksum else []
    columns += ["archive"] if options.test else []
    shown = seen.kept[: options.rows]
    measures = _measures(options, seen, context) | _read_measures(options, seen)
    return Reading(
        measures=measures,
        columns=tuple(columns),
        rows=tuple(_row(options, seen, index, context) for index in range(len(shown))),
        label="name",
        truncated=not whole or len(seen.kept) > len(shown),
        lower_bounds=() if whole else tuple(each for each in _BOUNDED if measures[each] is not None),
        evidence=_evidence(options, seen, context),
        command=_files_walk.as_find(_wanted(options)),
    )


def _measures(options: BackupOptions, seen: Seen, context: Context) -> dict[str, Value]:
    """Return what the directory says; None for what a place that was not seen may change."""
    kept, now, whole = seen.kept, context.now.timestamp(), seen.found.whole
    newest = _archives_kept.age_of(kept[0].made, now) if kept and whole else None
    oldest = _archives_kept.age_of(kept[-1].made, now) if kept else None
    gaps = _gaps(options, seen, context)
    longest = _archives_kept.longest_gap(kept) if whole else None
    relative = _archives_kept.relative_size(kept, options.compare) if kept and whole else None
    return {
        "count": number(len(kept)),
        "newest": None if newest is None else seconds(newest),
        "oldest": None if oldest is None else seconds(oldest),
        "size": number(kept[0].facts.size, Unit.BYTES) if kept and whole else None,
        "smallest": number(min(each.facts.size for each in kept), Unit.BYTES) if kept and whole else None,
        "total": number(sum(each.facts.size for each in kept), Unit.BYTES),
        "relative_size": None if relative is None else Number(relative, Unit.PERCENT),
        "gaps": None if gaps is None or not whole else number(len(gaps)),
        "longest_gap": None if longest is None else seconds(longest),
    }


def _gaps(options: BackupOptions, seen: Seen, context: Context) -> list[str] | None:
    where = ZoneInfo(context.times.timezone)
    dates = _archives_kept.dates_without(seen.kept, options.days, context.now, where)
    return None if dates is None else [each.isoformat() for each in dates]


def _read_measures(options: BackupOptions, seen: Seen) -> dict[str, Value]:
    """Return what reading them came to: the worst of all, and of the newest what is in it."""
    measures: dict[str, Value] = {}
    unknown = not seen.read or not seen.found.whole
    if options.checksum:
        verdicts = [each.verified.verdict for each in seen.read if each.verified]
        worst = next((each for each in ("differs", "absent") if each in verdicts), "ok")
        measures["checksum"] = None if unknown else worst
    if options.test:
        examined = [each.examined for each in seen.read if each.examined]
        damaged = any(each.damage for each in examined)
        newest = examined[0] if examined else None
        measures["archive"] = None if unknown else "damaged" if damaged else "ok"
        measures["format"] = newest.format if newest else None
        known = newest is not None and newest.members is not None and not newest.damage
        measures["members"] = number(newest.members) if newest and known else None
    if options.contains or options.manifest:
        measures["missing"] = None if seen.missing is None else number(len(seen.missing))
    return measures


def _row(options: BackupOptions, seen: Seen, index: int, context: Context) -> tuple[Value, ...]:
    backup = seen.kept[index]
    read = seen.read[index] if index < len(seen.read) else Read()
    age = _archives_kept.age_of(backup.made, context.now.timestamp())
    row: list[Value] = [backup.shown, number(backup.facts.size, Unit.BYTES), None if age is None else seconds(age)]
    if options.checksum:
        row.append(read.verified.verdict if read.verified else None)
    if options.test:
        row.append(("damaged" if read.examined.damage else "ok") if read.examined else None)
    return tuple(row)


def _evidence(options: BackupOptions, seen: Seen, context: Context) -> tuple[Evidence, ...]:
    patterns = " or ".join(map(presentable, _files_walk.as_patterns(options.pattern)))
    total = sum(each.facts.size for each in seen.kept)
    lines = [f"{len(seen.kept):,} backups fit {patterns} in {presentable(options.path)}: {sized(total)} together"]
    if seen.kept and _archives_kept.age_of(seen.kept[0].made, context.now.timestamp()) is None:
        lines.append(f"{seen.kept[0].shown} is dated in the future, so the age of the newest is not known.")
    if seen.unfinished:
        lines.append(f"Not finished, by their names, and not counted: {', '.join(seen.unfinished[:_MOST_MISSING])}")
    gaps = _gaps(options, seen, context)
    lines += [f"Dates without a backup: {', '.join(gaps[:_MOST_MISSING])}"] if gaps else []
    lines += [told for told in [_files_walk.told(seen.found)] if told]
    found = [("backups", lines)]
    found.append(("checksum", [each.verified.told for each in seen.read if each.verified]))
    found.append(
        ("archive", [_told(seen.kept[at], each.examined) for at, each in enumerate(seen.read) if each.examined])
    )
    found.append(("missing", [presentable(each) for each in (seen.missing or [])[:_MOST_MISSING]]))
    texts = ((title, "\n".join(each)) for title, each in found if each)
    return tuple(Evidence(title, text[:MAX_TEXT], len(text) > MAX_TEXT) for title, text in texts)


def _told(backup: Backup, examined: Examined) -> str:
    if examined.damage:
        return f"{backup.shown} ({examined.format}) is damaged: {presentable(examined.damage)}"
    members = "" if examined.members is None else f", {examined.members:,} members"
    size = f", {sized(examined.size)} uncompressed" if examined.size else ""
    told = f"{backup.shown} ({examined.format}) is whole{members}{size}"
    if not examined.checked:
        told += "; its data have no checksum of their own, so a wrong byte may pass: checksum = true sees it"
    return f"{told}; {examined.unseen}" if examined.unseen else told


# --- options -----------------------------------------------------------------------------------------


def _problems(options: BackupOptions) -> list[tuple[str, str]]:
    found = path_problems("path", options.path)
    patterns = _files_walk.as_patterns(options.pattern)
    if not patterns:
        found.append(("pattern", "name the backups: pattern = '*.dump'"))
    for key, listed in (("pattern", patterns), ("exclude", options.exclude)):
        found += [(key, message) for message in _files_walk.pattern_problems(listed)]
    for key in ("checksum_file", "manifest"):
        if getattr(options, key):
            found += path_problems(key, getattr(options, key))
    if options.checksum_file and not options.checksum:
        found.append(("checksum_file", "means nothing without checksum = true"))
    if not options.pg_restore or "\0" in options.pg_restore:
        found.append(("pg_restore", "name the program, or leave it out"))
    return found + _wish_problems(options)


def _wish_problems(options: BackupOptions) -> list[tuple[str, str]]:
    asked = [key for key in ("contains", "manifest") if getattr(options, key)]
    found = [("contains", "'' is no name") for each in options.contains if not each]
    if asked and options.listed_in == "archive" and not options.test:
        found.append((asked[0], "says what must be in the archive; that is known with test = true"))
    if options.listed_in == "directory":
        names = options.contains
        found += [("contains", f"'{each}' is not below the directory") for each in names if ".." in each.split("/")]
        if not asked:
            found.append(("listed_in", "means nothing without `contains` or `manifest`"))
    return found


def _subjects(options: BackupOptions) -> Subjects:
    found = dict(_SUBJECTS)
    if options.checksum:
        found["checksum"] = None
    if options.test:
        found |= {"archive": None, "format": None, "members": Unit.COUNT}
    if options.contains or options.manifest:
        found["missing"] = Unit.COUNT
    return found


def _open(_environment: Environment) -> BackupProbe:
    return BackupProbe()


KIND = ProbeKind(
    name="backup",
    summary="Measures backups: age, number, gaps and sizes, their checksums, and whether they can be read.",
    options=BackupOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
