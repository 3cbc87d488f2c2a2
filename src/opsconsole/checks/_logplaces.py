"""Where in the files of a log the entries of a stretch of time are.

Part of the worker of the probe `logfile`: the standard library only.
"""

from __future__ import annotations

from opsconsole.checks._logentries import LINE, LONGEST, Chunks, last_start
from opsconsole.checks._logfiles import BLOCK, Part
from opsconsole.checks._logtimes import Format, Stamp

TYPE_CHECKING = False
if TYPE_CHECKING:  # what is only named in annotations costs the worker nothing
    from collections.abc import Iterator, Sequence

ORDER_SLACK = 300.0
"""Seconds that an entry may be out of order: access logs are written when a request ends, with when it began."""
_NEAR = 1 << 16
_SAMPLE = 1 << 16
_FEW = 10
"""Entries one after another that are looked at in each place: those of two clocks may be there in turns."""
_HEAD = 128
"""Bytes that may still belong to a time: one that is read to nearly the end of what was read may go on there."""
_SAMPLED = 16
"""Places, beside those around its ends, at which the time before and after a stretch is looked at."""


def entries_after(part: Part, at: int, end: int, form: Format) -> tuple[int, Stamp] | None:
    """Return the place of the first entry that begins after `at`, at the first byte, or later, but before `end`.

    With it come the earliest and the latest time of that and the few after it. At most the longest entry is looked
    at: None where none begins in that.
    """
    length = LINE
    while True:
        data = part.read(at, length)
        whole = at + len(data) >= part.size
        line = 0 if at <= part.begins else data.find(b"\n") + 1
        found = _begun(part, data, line, form) if line or at <= part.begins else []
        found = [each for each in found if each[0] < end - at and (whole or each[1] <= len(data) - _HEAD)]
        if found:
            early, late = min(stamp[0] for _, _, stamp in found), max(stamp[1] for _, _, stamp in found)
            return at + found[0][0], (early, late)
        if length >= LONGEST or at + length >= min(end, part.size):
            return None
        length *= 4


def _begun(part: Part, data: bytes, start: int, form: Format) -> list[tuple[int, int, Stamp]]:
    """Return where the first few entries begin, where their times end, and these."""
    found = []
    for match in form.head.finditer(data, start):
        stamp = form.stamp(match, part.mtime)
        if stamp is not None:
            found.append((match.start(), match.end(), stamp))
            if len(found) == _FEW:
                break
    return found


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


def goes_on(part: Part, place: int) -> bool:
    """Return whether the entry at a place, the last of a file, has further lines that say something."""
    rest = part.read(place, min(LONGEST, part.size - place))
    return bool(rest.partition(b"\n")[2].strip(b"\0\r\n\t "))


def place_of(part: Part, form: Format, instant: float, seen: list[tuple[int, Stamp]]) -> int:
    """Return a place before which everything was written before `instant`, found by bisection.

    What was `seen` on the way is added, so that the caller can tell whether the file is in order.
    """
    low, high = part.begins, part.size
    while high - low > _NEAR:
        middle = (low + high) // 2
        found = entries_after(part, middle, high, form)
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


def end_of(part: Part, form: Format, instant: float, seen: list[tuple[int, Stamp]]) -> int:
    """Return a place after which everything was written after `instant`, likewise."""
    low, high, end = part.begins, part.size, part.size
    while high - low > _NEAR:
        middle = (low + high) // 2
        found = entries_after(part, middle, end, form)
        if found is None:
            low = middle
            continue
        seen.append(found)
        place, (early, _) = found
        if early > instant:
            high, end = middle, place
        else:
            low = middle
    return end


def is_whole(
    part: Part, form: Format, stretch: tuple[int, int], times: Stamp, seen: list[tuple[int, Stamp]]
) -> bool:
    """Return whether nothing was found before or after a stretch that was written between two instants.

    That is looked for nearby and, at ever longer distances, in all of the file, for where a clock was put back
    bisection may have gone astray. What was `seen` is added.
    """
    for at in _around(part, stretch):
        outer = stretch[0] if at < stretch[0] else part.size
        found = entries_after(part, at, outer, form)
        if found is None:
            continue
        seen.append(found)
        place, (early, late) = found
        if (place < stretch[0] and late >= times[0]) or (place >= stretch[1] and early <= times[1]):
            return False
    return True


def _around(part: Part, stretch: tuple[int, int]) -> Iterator[int]:
    """Yield places before and after a stretch."""
    start, end = stretch
    distance = LINE
    while start - distance > part.begins or end + distance < part.size:
        yield from (at for at in (start - distance, end + distance) if part.begins < at < part.size)
        distance *= 2
    step = (part.size - part.begins) // _SAMPLED
    if step > _NEAR:
        yield from (at for at in range(part.begins + step, part.size, step) if not start <= at < end)


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
    begin = b""
    for block in part.blocks():
        begin = (begin + block)[:length]
        if len(begin) == length:
            break
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
    """Return the time of a file's last entry; None where none is found."""
    if not part.packing:
        found = last_entry(part, form)
        return None if found is None else found[1]
    stamp = None
    for data in Chunks(part.blocks(), form):
        stamp = form.at(data, last_start(data, form.head), part.mtime) or stamp
    return stamp


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
