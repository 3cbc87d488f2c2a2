"""Where in the files of a log the entries of a stretch of time are.

Part of the worker of the probe `logfile`: the standard library only.
"""

from __future__ import annotations

from opsconsole.checks._logentries import LINE, LONGEST, Chunks, entries, last_start
from opsconsole.checks._logfiles import BLOCK, Part
from opsconsole.checks._logtimes import Format, Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:  # what is only named in annotations costs the worker nothing
    from collections.abc import Sequence

ORDER_SLACK = 300.0
"""Seconds that an entry may be out of order: access logs are written when a request ends, with when it began."""
_NEAR = 1 << 16
_SAMPLE = 1 << 16


def entry_after(part: Part, at: int, end: int, form: Format) -> tuple[int, Stamp] | None:
    """Return the place and time of the first entry that begins after `at`, at the first byte, or later.

    At most the longest entry is looked at: None where none begins in that.
    """
    length = LINE
    while True:
        data = part.read(at, min(length, end - at))
        line = 0 if at <= part.begins else data.find(b"\n") + 1
        if line or at <= part.begins:
            for match in form.head.finditer(data, line):
                stamp = form.stamp(match, part.mtime)
                if stamp is not None:
                    return at + match.start(), stamp
        if length >= LONGEST or at + length >= end:
            return None
        length *= 4


def last_entry(part: Part, form: Format) -> tuple[int, Stamp] | None:
    """Return the place and time of the last entry of a file that is not compressed; None as above."""
    length = LINE
    while True:
        at = max(part.begins, part.size - length)
        data = part.read(at, part.size - at)
        matches = list(form.head.finditer(data, 0 if at == part.begins else data.find(b"\n") + 1))
        for match in reversed(matches):
            stamp = form.stamp(match, part.mtime)
            if stamp is not None:
                return at + match.start(), stamp
        if length >= LONGEST or at == part.begins:
            return None
        length *= 4


def place_of(part: Part, form: Format, instant: float, seen: list[tuple[int, Stamp]]) -> int:
    """Return a place before which everything was written before `instant`, found by bisection.

    What was `seen` on the way is added, so that the caller can tell whether the file is in order.
    """
    low, high = part.begins, part.size
    while high - low > _NEAR:
        middle = (low + high) // 2
        found = entry_after(part, middle, high, form)
        if found is None:
            high = middle
            continue
        seen.append(found)
        place, (_, late) = found
        if late < instant:
            low = place
        else:
            high = middle
    return low


def in_order(seen: Sequence[tuple[int, Stamp]]) -> bool:
    """Return whether no entry is much older than one before it."""
    latest = float("-inf")
    for _, (early, late) in sorted(seen):
        if late < latest - ORDER_SLACK:
            return False
        latest = max(latest, early)
    return True


def samples(part: Part, length: int = _SAMPLE) -> list[bytes]:
    """Return what a file begins and ends with, as whole lines as far as they are."""
    begin = next(iter(part.blocks()), b"")[:length]
    if part.packing or part.size - part.begins <= length:
        return [begin]
    end = part.read(part.size - length, length)
    return [begin, end[end.find(b"\n") + 1 :]]


def first_of(part: Part, form: Format) -> Stamp | None:
    """Return the time of a file's first entry, looked for in as much as the longest entry may have."""
    looked = 0
    for data in Chunks(part.blocks(), form):
        for match in form.head.finditer(data):
            stamp = form.stamp(match, part.mtime)
            if stamp is not None:
                return stamp
        looked += len(data)
        if looked > LONGEST:
            break
    return None


def last_of(part: Part, form: Format) -> Stamp | None:
    if not part.packing:
        found = last_entry(part, form)
        return None if found is None else found[1]
    stamp = None
    for data in Chunks(part.blocks(), form):
        stamp = form.at(data, last_start(data, form.head), part.mtime) or stamp
    return stamp


def place_after(part: Part, form: Format, place: int, instant: float) -> int:
    """Return the place of the first entry after `place` that is later than an instant."""
    at = place
    for data in Chunks(part.blocks(place), form):
        for first, _ in entries(data, form.head):
            stamp = form.at(data, first, part.mtime)
            if stamp is not None and stamp[0] > instant:
                return at + first
        at += len(data)
    return part.size


def tail_of(ordered: list[Part], lines: int) -> str:
    """Return the last lines of the log, of the file before too where the last has too few."""
    found: list[bytes] = []
    for part in reversed(ordered):
        if part.packing:
            end = b""
            for block in part.blocks():
                end = (end + block)[-BLOCK:]
        else:
            end = part.read(max(part.begins, part.size - BLOCK), BLOCK)
        found = [*end.splitlines(), *found][-lines:]
        if len(found) >= lines:
            break
    return b"\n".join(line[:4000] for line in found).decode("utf-8", "backslashreplace")
