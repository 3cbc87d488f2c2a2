"""Walks a directory for files whose names fit a pattern, and remembers every place that could not be looked at."""

import fnmatch
import heapq
import os
import re
import shlex
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import msgspec

from opsconsole.checks._files import Facts, Stop, facts_of, group_name, is_absent, owner_name, why
from opsconsole.checks._mounts import presentable

MOST_ENTRIES = 1_000_000
"""Directory entries after which a walk ends, and says so."""
MOST_TOLD = 50
"""Places that are named of those that could not be looked at."""
_MOST_NAMES = 20
"""Different owners, groups or modes that are named."""
_CHECK_EVERY = 256

Order = Callable[["Entry"], tuple[float, ...] | tuple[str, ...]]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which files are looked for."""

    root: str
    patterns: tuple[str, ...]
    """Patterns of names, as the shell has them; with a `/` in one it is of the path below the root."""
    exclude: tuple[str, ...] = ()
    """Patterns of names of files and directories that are passed by."""
    recursive: bool = False
    follow: bool = False


class Entry(msgspec.Struct, frozen=True):
    """One file that fits."""

    name: str
    """Its path below the root, as the `os` functions take it."""
    facts: Facts

    @property
    def shown(self) -> str:
        """The name for people and records."""
        return presentable(self.name)


class Totals(msgspec.Struct):
    """What all files that fit come to, whether they are kept or not."""

    count: int = 0
    size: int = 0
    largest: int | None = None
    smallest: int | None = None
    oldest: float | None = None
    """When the one was modified that was not for the longest time, in seconds since the epoch."""
    newest: float | None = None
    world_readable: int = 0
    world_writable: int = 0
    loose: int = 0
    """Files with a permission that the greatest mode allowed has not."""
    owners: set[int] = msgspec.field(default_factory=set)
    groups: set[int] = msgspec.field(default_factory=set)
    modes: set[str] = msgspec.field(default_factory=set)

    def add(self, facts: Facts, max_mode: int) -> None:
        """Count a file."""
        self.count += 1
        self.size += facts.size
        self.largest = max(facts.size, self.largest or 0)
        self.smallest = min(facts.size, facts.size if self.smallest is None else self.smallest)
        self.oldest = min(facts.modified, facts.modified if self.oldest is None else self.oldest)
        self.newest = max(facts.modified, facts.modified if self.newest is None else self.newest)
        self.world_readable += facts.world_readable
        self.world_writable += facts.world_writable
        self.loose += bool(facts.permissions & ~max_mode)
        self.owners.add(facts.uid)
        self.groups.add(facts.gid)
        self.modes.add(facts.mode)


class Found(msgspec.Struct, kw_only=True):
    """What a walk found."""

    entries: list[Entry] = msgspec.field(default_factory=list)
    """Those that come first in the order asked for, no more than asked for."""
    totals: Totals = msgspec.field(default_factory=Totals)
    unseen: list[tuple[str, str]] = msgspec.field(default_factory=list)
    """Paths that could not be looked at, each with the reason; the first of them."""
    unseen_count: int = 0
    passed_by: Counter[str] = msgspec.field(default_factory=Counter)
    """What fits the pattern and is no file, by its kind."""
    entries_seen: int = 0
    owners: str = ""
    groups: str = ""
    modes: str = ""

    @property
    def whole(self) -> bool:
        """Whether every place was looked at, so that what was not found is not there."""
        return not self.unseen_count

    def miss(self, path: str, reason: str) -> None:
        """Remember a place that could not be looked at."""
        self.unseen_count += 1
        if len(self.unseen) < MOST_TOLD:
            self.unseen.append((presentable(path), reason))


def walk(wanted: Wanted, stop: Stop, *, order: Order, keep: int, max_mode: int = 0o7777) -> Found:
    """Walk a directory; raise OSError where the directory itself cannot be read, GivenUpError in time.

    Memory is bounded by `keep` entries and the names of the directories still to visit.
    """
    found = Found()
    fits, passed = _matcher(wanted.patterns), _matcher(wanted.exclude)
    kept: list[_Kept] = []
    for number, entry in enumerate(_files(wanted, stop, found, fits, passed)):
        found.totals.add(entry.facts, max_mode)
        item = _Kept(order(entry), number, entry)
        if len(kept) < keep:
            heapq.heappush(kept, item)
        elif kept[0] < item:
            heapq.heapreplace(kept, item)
    found.entries = [each.entry for each in sorted(kept, reverse=True)]
    found.owners = _listed(map(owner_name, sorted(found.totals.owners)[: _MOST_NAMES + 1]))
    found.groups = _listed(map(group_name, sorted(found.totals.groups)[: _MOST_NAMES + 1]))
    found.modes = _listed(sorted(found.totals.modes)[: _MOST_NAMES + 1])
    return found


class _Kept:
    """An entry in a heap whose first is the last in the order asked for."""

    __slots__ = ("entry", "key", "number")

    def __init__(self, key: tuple[float, ...] | tuple[str, ...], number: int, entry: Entry) -> None:
        self.key, self.number, self.entry = key, number, entry

    def __lt__(self, other: "_Kept") -> bool:
        return (self.key, self.number) > (other.key, other.number)


def _listed(names: "Iterator[str] | Sequence[str]") -> str:
    found = sorted(set(names))
    return ", ".join(found[:_MOST_NAMES]) + (", ..." if len(found) > _MOST_NAMES else "")


def _files(
    wanted: Wanted, stop: Stop, found: Found, fits: Callable[[str], bool], passed: Callable[[str], bool]
) -> Iterator[Entry]:
    """Yield the files that fit, directory by directory; a directory is entered once, whatever links lead to it."""
    ahead = [""]
    been: set[tuple[int, int]] = set()
    while ahead:
        below = ahead.pop()
        place = os.path.join(wanted.root, below)  # noqa: PTH118 - paths are texts here, a million of them
        stop.doing = f"looking at {presentable(place)}, after {found.entries_seen:,} entries"
        try:
            with os.scandir(place) as entries:
                if wanted.follow and _entered(place, been):
                    continue
                for entry in entries:
                    found.entries_seen += 1
                    if not found.entries_seen % _CHECK_EVERY:
                        stop.check()
                    if found.entries_seen > MOST_ENTRIES:
                        found.miss(place, f"more than {MOST_ENTRIES:,} entries: the rest was not looked at")
                        return
                    name = f"{below}/{entry.name}" if below else entry.name
                    if not passed(name):
                        yield from _looked_at(entry, name, wanted, found, fits, ahead)
        except OSError as error:
            if not below:
                raise
            if not is_absent(error):
                found.miss(place, why(error))


def _entered(place: str, been: set[tuple[int, int]]) -> bool:
    status = os.stat(place)  # noqa: PTH116 - a text stays a text here
    key = (status.st_dev, status.st_ino)
    if key in been:
        return True
    been.add(key)
    return False


def _looked_at(
    entry: "os.DirEntry[str]",
    name: str,
    wanted: Wanted,
    found: Found,
    fits: Callable[[str], bool],
    ahead: list[str],
) -> Iterator[Entry]:
    """Yield an entry that is a file and fits; put a directory on the list of those to visit."""
    suits = fits(name)
    try:
        if not suits and not (wanted.recursive and (wanted.follow or entry.is_dir(follow_symlinks=False))):
            return
        status = entry.stat(follow_symlinks=wanted.follow)
    except OSError as error:
        if is_absent(error):
            if suits and entry.is_symlink():
                found.passed_by["symbolic link that leads nowhere"] += 1
            return  # it was there a moment ago, as temporary files are
        found.miss(entry.path, why(error))
        return
    if stat.S_ISDIR(status.st_mode):
        if wanted.recursive:
            ahead.append(name)
        return
    if not suits:
        return
    facts = facts_of(status)
    if facts.regular:
        yield Entry(name, facts)
    else:
        found.passed_by[facts.kind] += 1


def _matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return the test whether a path below the root fits one of the patterns."""
    by_name = [fnmatch.translate(each) for each in patterns if "/" not in each]
    by_path = [fnmatch.translate(each) for each in patterns if "/" in each]
    name_fits = re.compile("|".join(by_name)).match if by_name else None
    path_fits = re.compile("|".join(by_path)).match if by_path else None

    def fits(path: str) -> bool:
        if name_fits is not None and name_fits(path.rpartition("/")[2]):
            return True
        return path_fits is not None and path_fits(path) is not None

    return fits


def told(found: Found) -> str:
    """Return what was not looked at and what was passed by, for the evidence; empty where that is nothing."""
    lines = [f"{path}: {reason}" for path, reason in found.unseen]
    if found.unseen_count > len(found.unseen):
        lines.append(f"and {found.unseen_count - len(found.unseen):,} more")
    if lines:
        lines.insert(0, "Could not be looked at:")
    if found.passed_by:
        kinds = ", ".join(f"{count:,} {kind}{'s' * (count > 1)}" for kind, count in sorted(found.passed_by.items()))
        lines.append(f"Not files, and not counted: {kinds}")
    return "\n".join(lines)


# --- options -----------------------------------------------------------------------------------------


def as_patterns(pattern: tuple[str, ...] | str) -> tuple[str, ...]:
    """Return one pattern or a list of them as a list."""
    if isinstance(pattern, str):
        return (pattern,) if pattern else ()
    return pattern


def pattern_problems(patterns: Sequence[str]) -> list[str]:
    """Return what is wrong with patterns of names."""
    return [f"'{each}' is no pattern of a name below the directory" for each in patterns if _no_pattern(each)]


def _no_pattern(pattern: str) -> bool:
    return not pattern or pattern.startswith("/") or "\0" in pattern or ".." in pattern.split("/")


def as_find(wanted: Wanted) -> str:
    """Return the command line that finds the same files, but for those that `exclude` passes by."""
    words = ["find", *(["-L"] if wanted.follow else []), wanted.root]
    words += [] if wanted.recursive else ["-maxdepth", "1"]
    tests = [["-path", f"*/{each}"] if "/" in each else ["-name", each] for each in wanted.patterns]
    joined = [word for test in tests for word in ("-o", *test)][1:]
    return shlex.join([*words, "-type", "f", *(["(", *joined, ")"] if len(tests) > 1 else joined), "-ls"])
