"""The block devices of this host and their counters, and what passes between two looks at them.

Read from /proc/diskstats and not by psutil, which leaves out the weighted time and the requests under way: without
them there is no queue, and a disk that hangs looks idle. Formats: of the kernel's Documentation,
admin-guide/iostats.rst, ABI/testing/procfs-diskstats and ABI/stable/sysfs-block.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from opsconsole.checks import _proc, _sampling
from opsconsole.checks._sampling import Samples
from opsconsole.contracts.probe import Subjects
from opsconsole.model.values import Number, Unit, Value, formatted, seconds

DISKSTATS = Path("/proc/diskstats")
DEVICES = Path("/sys/dev/block")

RATES: Subjects = {
    "reads": Unit.COUNT,
    "writes": Unit.COUNT,
    "read_rate": Unit.BYTES,
    "write_rate": Unit.BYTES,
    "busy": Unit.PERCENT,
    "wait": Unit.SECONDS,
    "read_wait": Unit.SECONDS,
    "write_wait": Unit.SECONDS,
    "queue": Unit.COUNT,
}
"""Requests completed a second, bytes a second, the share of the time in which any request was under way, how long a
request took on average from being queued to being done (0 s where none was asked for), and how many were queued or
under way on average."""
SUBJECTS: Subjects = {"device": None, **RATES, "in_flight": Unit.COUNT}
"""The kernel's name of it, what passed in the window, and how many requests are under way at its end."""

_NUMBER = re.compile(r"[0-9]{1,20}")
_SECTOR = 512
"""Bytes that these counters mean by a sector, whatever the device's own are."""
_COUNTERS = 11
"""Those that every kernel since 2.6.25 gives; 4.18 added discards, 5.5 flushes."""
_LAP = 1 << 32
"""Milliseconds are written with 32 bits: they begin again after 49.7 days, of the requests' time added up."""
_MANY = 1000
"""Requests that no device can have done in less time than the kernel's clock can tell."""
_SIGNED = 1 << 31
_HUNDREDTH = Decimal("0.01")
_SPARE = Decimal(1000)
"""Milliseconds by which the busy time of a device may be ahead of the window: it comes in steps of a clock."""


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """A block device at one time, and its counters since it was attached."""

    name: str
    number: str
    """`MAJOR:MINOR`."""
    serial: str = ""
    """Another one for each device that was attached, where the kernel counts them (5.15): names are used again."""
    reads: int
    read_bytes: int
    read_ms: int
    writes: int
    write_bytes: int
    write_ms: int
    busy_ms: int
    weighted_ms: int
    """The time of all requests added up."""
    others: int
    """Discards and flushes that were completed, as far as the kernel counts them."""
    in_flight: int | None
    """None where the kernel miscounted, as some have."""
    reads_waiting: int | None = None
    """Of those in flight; None where it does not say."""
    writes_waiting: int | None = None
    counted: bool = True
    """Whether its requests are counted at all (`queue/iostats`)."""

    @property
    def never_busy(self) -> bool:
        """Whether it does not keep the time that it is busy, as device-mapper and md did not for years."""
        return not self.busy_ms and self.reads + self.writes > _MANY


Disks = Mapping[str, Disk]
"""By number."""


def disks() -> dict[str, Disk]:
    """Return every device that /proc/diskstats has, partitions and virtual ones too; raise ProbeError."""
    return parsed_disks(_proc.read(DISKSTATS))


def parsed_disks(text: str) -> dict[str, Disk]:
    """Read the lines of /proc/diskstats; raise ProbeError where one is not understood: it may be the one."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if not words:
            continue
        major, minor, name, *counters = words if len(words) >= _COUNTERS + 3 else ["", "", ""]
        if not all(map(_NUMBER.fullmatch, (major, minor, *counters[:8], *counters[9:]))):
            raise _proc.unreadable(DISKSTATS)
        disk = _disk(name, f"{int(major)}:{int(minor)}", counters)
        found[disk.number] = disk
    return found


def _disk(name: str, number: str, counters: list[str]) -> Disk:
    in_flight = int(counters[8]) if _NUMBER.fullmatch(counters[8]) else -1
    reads, _, read_sectors, read_ms, writes, _, write_sectors, write_ms = map(int, counters[:8])
    return Disk(
        name=name,
        number=number,
        reads=reads,
        read_bytes=read_sectors * _SECTOR,
        read_ms=read_ms,
        writes=writes,
        write_bytes=write_sectors * _SECTOR,
        write_ms=write_ms,
        busy_ms=int(counters[9]),
        weighted_ms=int(counters[10]),
        others=sum(map(int, counters[11:12] + counters[15:16])),
        in_flight=in_flight if 0 <= in_flight < _SIGNED else None,
    )


def described(disk: Disk) -> Disk:
    """Return a device with what /sys says of it beside its counters, as far as it does."""
    place = DEVICES / disk.number
    whole = place / ".." if (place / "partition").exists() else place
    waiting = _content(place / "inflight").split()
    numbers = [int(each) for each in waiting if _NUMBER.fullmatch(each) and int(each) < _SIGNED]
    reads, writes = numbers if len(waiting) == len(numbers) == 2 else (None, None)  # noqa: PLR2004 - reads and writes
    return msgspec.structs.replace(
        disk,
        serial=_content(whole / "diskseq"),
        counted=_content(whole / "queue" / "iostats") != "0",
        reads_waiting=reads,
        writes_waiting=writes,
    )


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


# --- between two looks -------------------------------------------------------------------------------


class Passed(msgspec.Struct, frozen=True):
    """What passed between two looks at a device."""

    values: dict[str, Value]
    lower_bounds: tuple[str, ...] = ()
    """Those that are at least what is given: requests that were under way all the time have no end yet."""


def passed(number: str, samples: Samples[Disks]) -> Passed:
    """Return the subjects of a device that the last sample has.

    What passed is None where it was attached anew or its counters were set back meanwhile, where its requests are
    not counted, and where no time passed.
    """
    before, now = samples.first.get(number), samples.last[number]
    flying = Number(Decimal(now.in_flight)) if now.counted and now.in_flight is not None else None
    if before is None or not now.counted or not samples.elapsed or not _same(before, now):
        return Passed({"device": now.name, **dict.fromkeys(RATES), "in_flight": flying})

    def rate(counter: str, unit: Unit = Unit.COUNT) -> Number | None:
        return _sampling.per_second(getattr(before, counter), getattr(now, counter), samples.elapsed, unit)

    waits = _waits(before, now, samples.elapsed)
    values: dict[str, Value] = {
        "device": now.name,
        "reads": rate("reads"),
        "writes": rate("writes"),
        "read_rate": rate("read_bytes", Unit.BYTES),
        "write_rate": rate("write_bytes", Unit.BYTES),
        "busy": _busy(before, now, samples.elapsed),
        **{name: value for name, (value, _) in waits.items()},
        "queue": _queue(before, now, samples.elapsed),
        "in_flight": flying,
    }
    return Passed(values, tuple(name for name, (_, at_least) in waits.items() if at_least))


def _same(before: Disk, now: Disk) -> bool:
    """Return whether it is the same device still, whose counters only rise."""
    counters = ("reads", "read_bytes", "writes", "write_bytes")
    same = (before.name, before.serial) == (now.name, now.serial)
    return same and all(getattr(before, each) <= getattr(now, each) for each in counters)


def _spent(before: int, after: int) -> int | None:
    """Return how many milliseconds were added, None where it were more than can be."""
    spent = (after - before) % _LAP
    return spent if spent < _SIGNED else None


def _stuck(before: int | None, now: int | None) -> bool | None:
    """Return whether requests were under way at both looks, None where that is not known."""
    if before is None or now is None:
        return None
    return bool(before and now)


def _busy(before: Disk, now: Disk, elapsed: Decimal) -> Number | None:
    spent, whole = _spent(before.busy_ms, now.busy_ms), elapsed * 1000
    if spent is None or now.never_busy or spent > 2 * whole + _SPARE:
        return None
    if not spent and _stuck(before.in_flight, now.in_flight) is not False:
        return None  # kernels before 5.10 count the time of a request only when it ends
    return _sampling.share(min(Decimal(spent), whole), whole)


def _queue(before: Disk, now: Disk, elapsed: Decimal) -> Number | None:
    spent = _spent(before.weighted_ms, now.weighted_ms)
    if spent is None or now.never_busy:
        return None
    if not spent and _stuck(before.in_flight, now.in_flight) is not False:
        return None  # the time of a request is added when it ends
    return Number((Decimal(spent) / (elapsed * 1000)).quantize(_HUNDREDTH))


def _waits(before: Disk, now: Disk, elapsed: Decimal) -> dict[str, tuple[Number | None, bool]]:
    """Return the average waits of requests, of both kinds and of each, and whether each is a lower bound."""
    reads, writes = now.reads - before.reads, now.writes - before.writes
    reading, writing = _spent(before.read_ms, now.read_ms), _spent(before.write_ms, now.write_ms)
    both = None if reading is None or writing is None else reading + writing
    stuck = _stuck(before.in_flight, now.in_flight)
    stuck_reads = _stuck(before.reads_waiting, now.reads_waiting)
    stuck_writes = _stuck(before.writes_waiting, now.writes_waiting)
    if now.others != before.others:  # those under way at both looks may be flushes, one after the other
        stuck, stuck_writes = stuck and None, stuck_writes and None
    return {
        "wait": _wait(reads + writes, both, elapsed, stuck),
        "read_wait": _wait(reads, reading, elapsed, stuck_reads),
        "write_wait": _wait(writes, writing, elapsed, stuck_writes),
    }


def _wait(completed: int, spent: int | None, elapsed: Decimal, stuck: bool | None) -> tuple[Number | None, bool]:
    if completed:
        return (None if spent is None else seconds(Decimal(spent) / 1000 / completed)), False
    if stuck is None:
        return None, False
    return (seconds(elapsed), True) if stuck else (seconds(0), False)


def line(seen: Passed) -> str:
    """Return what passed on a device in words."""

    def said(name: str) -> str:
        value = seen.values[name]
        shown = formatted(value) if isinstance(value, Number) else "unknown"
        return f"at least {shown}" if name in seen.lower_bounds else shown

    return (
        f"{seen.values['device']}: read {said('read_rate')}/s in {said('reads')} requests/s, "
        f"wrote {said('write_rate')}/s in {said('writes')} requests/s, busy {said('busy')}, "
        f"waited {said('wait')} (reads {said('read_wait')}, writes {said('write_wait')}), "
        f"queue {said('queue')}, {said('in_flight')} under way"
    )
