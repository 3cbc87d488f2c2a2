"""Which backups are kept: when each was made, on which dates there is none, and what their list must hold."""

import datetime as dt
import json
import os
import re
import statistics
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.checks._archives import UntestableError, plain_name
from opsconsole.checks._files import CLOCK_SKEW, Facts, Stop, open_regular, refused
from opsconsole.checks._files_walk import Entry
from opsconsole.checks._mounts import presentable

LARGEST_MANIFEST = 8 << 20
"""Bytes of a manifest that is read."""

UNFINISHED = (".part", ".partial", ".filepart", ".incomplete", ".tmp", ".temp", "~")
"""How names end of what is still being written, by the programs that make or copy it."""

_HUNDREDTH = Decimal("0.01")
_DATE = re.compile(
    r"(?<!\d)(?P<date>(?:19|20)\d\d(?P<dash>[-_.]?)(?:0[1-9]|1[0-2])(?P=dash)(?:0[1-9]|[12]\d|3[01]))"
    r"(?:[-_.T ]?(?P<time>(?:[01]\d|2[0-3])(?P<colon>[-_.:h]?)[0-5]\d(?:(?P=colon)[0-5]\d)?)(?P<utc>Z)?)?(?!\d)"
)
_FULL_TIME = 6


class Backup(msgspec.Struct, frozen=True):
    """One backup."""

    name: str
    """Its path below the directory, as the `os` functions take it."""
    made: float
    """Seconds since the epoch."""
    facts: Facts

    @property
    def shown(self) -> str:
        """The name for people and records."""
        return presentable(self.name)


def dated_by_name(name: str, where: ZoneInfo) -> float | None:
    """Return when the first date in a name is, `2026-11-21` or `20261121`, with a time after it or without.

    Without one it is the beginning of that date, so that nothing looks newer than it is; it is local without a `Z`.
    """
    found = _DATE.search(name.rpartition("/")[2])
    if found is None:
        return None
    date = "".join(filter(str.isdigit, found["date"]))
    time = "".join(filter(str.isdigit, found["time"] or "")).ljust(_FULL_TIME, "0")
    try:
        moment = dt.datetime.strptime(date + time, "%Y%m%d%H%M%S")  # noqa: DTZ007 - the zone follows
    except ValueError:
        return None
    return moment.replace(tzinfo=dt.UTC if found["utc"] else where).timestamp()


def backups(entries: Iterable[Entry], *, by_name: bool, where: ZoneInfo) -> list[Backup]:
    """Return the backups, the newest first; UntestableError where a name has no date that should have one."""
    found = []
    for each in entries:
        made = dated_by_name(each.name, where) if by_name else each.facts.modified
        if made is None:
            raise UntestableError(
                f"the name of {each.shown} has no date in it",
                "pass it by: exclude = ['...'], or take the time from the file: dated = 'modified'",
            )
        found.append(Backup(each.name, made, each.facts))
    return sorted(found, key=lambda each: (-each.made, each.name))


def is_unfinished(name: str, patterns: Iterable[str]) -> bool:
    """Whether a file is called as programs call what they have not finished, and no pattern asks for such names."""
    base = name.rpartition("/")[2]
    asked = [each.rpartition("/")[2] for each in patterns]
    if base.startswith("."):  # as rsync does
        return not any(each.startswith(".") for each in asked)
    ending = next((each for each in UNFINISHED if base.lower().endswith(each)), "")
    return bool(ending) and not any(each.lower().endswith(ending) for each in asked)


def distinct(root: str, entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries below `root` without links that lead to another of them, such as `latest`."""
    found: dict[str, Entry] = {}
    for each in entries:
        path = os.path.join(root, each.name)  # noqa: PTH118 - a text stays a text here
        led_to = os.path.realpath(path)
        if led_to not in found or not os.path.islink(path):  # noqa: PTH114 - a text stays a text here
            found[led_to] = each
    return list(found.values())


def age_of(made: float, now: float) -> float | None:
    """Return an age in seconds, None where it is in the future by more than clocks differ."""
    return max(now - made, 0.0) if made <= now + CLOCK_SKEW else None


def dates_without(kept: Sequence[Backup], days: int, now: dt.datetime, where: ZoneInfo) -> list[dt.date] | None:
    """Return the local dates up to yesterday on which none was made: of the last `days`, or since the oldest.

    None where there is no date to begin with, or only such as are in the future.
    """
    made = {date for each in kept if (date := _date_of(each.made, where)) is not None}
    today = now.astimezone(where).date()
    if days:
        dates = [today - dt.timedelta(days=back) for back in range(days, 0, -1)]
    elif made and min(made) <= today:
        since = min(made)
        dates = [since + dt.timedelta(days=on) for on in range((today - since).days)]
    else:
        return None
    return [each for each in dates if each not in made]


def _date_of(made: float, where: ZoneInfo) -> dt.date | None:
    """Return the local date of a moment, None for one beyond the calendar, as a clock that went wrong has it."""
    try:
        return dt.datetime.fromtimestamp(made, where).date()
    except (ValueError, OverflowError, OSError):
        return None


def longest_gap(kept: Sequence[Backup]) -> float | None:
    """Return the longest time between one and the next, in seconds; None for fewer than two."""
    return max((newer.made - older.made for newer, older in pairwise(kept)), default=None)


def relative_size(kept: Sequence[Backup], compare: int) -> Decimal | None:
    """Return the size of the newest in percent of the median of those before; None where there are none."""
    before = [each.facts.size for each in kept[1 : compare + 1]]
    median = Decimal(str(statistics.median(before))) if before else Decimal(0)
    return (100 * Decimal(kept[0].facts.size) / median).quantize(_HUNDREDTH) if median else None


# --- the manifest ------------------------------------------------------------------------------------


def manifest(path: str, stop: Stop) -> list[str]:
    """Return the names that a manifest lists; ProbeError where it cannot be read or lists nothing.

    It is JSON: a list of names, or of objects with a `path` or `name`, or an object whose `files` is such a list;
    or plain text with one name a line, where what begins with `#` is a comment.
    """
    shown = presentable(path)
    try:
        with open_regular(path, stop) as file:
            content = file.read(LARGEST_MANIFEST + 1)
    except OSError as error:
        raise refused(path, error) from error
    if len(content) > LARGEST_MANIFEST:
        raise UntestableError(
            f"{shown} is larger than {LARGEST_MANIFEST >> 20} MiB", "list fewer files", "too-large"
        )
    text = content.decode("utf-8-sig", "surrogateescape")
    names = _names_of_json(text, shown) if text.lstrip()[:1] in {"[", "{"} else _names_of_text(text)
    if not names:
        raise UntestableError(f"{shown} lists nothing", "write the names that have to be there, one a line")
    return list(dict.fromkeys(plain_name(each) for each in names))


def _names_of_text(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _names_of_json(text: str, shown: str) -> list[str]:
    try:
        listed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UntestableError(
            f"{shown} begins like JSON and is none", "write a list of names, or one a line"
        ) from error
    names = list(_names_in(listed.get("files") if isinstance(listed, dict) else listed))
    if not names or any(not isinstance(each, str) or not each for each in names):
        raise UntestableError(f"{shown} has no list of names", 'write ["a.sql", "b.sql"] or {"files": [...]}')
    return [str(each) for each in names]


def _names_in(listed: object) -> Iterator[object]:
    for each in listed if isinstance(listed, list) else ():
        yield each.get("path", each.get("name")) if isinstance(each, dict) else each
