"""Probe `diskio`: the requests to disks over a window, how long they wait, and how busy the disks are."""

import asyncio
import shlex

import msgspec

from opsconsole.checks import _blockdevices, _diskstats, _groups, _mounts, _sampling
from opsconsole.checks._diskstats import Disk, Disks, Passed
from opsconsole.checks._sampling import Samples
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Duration, Unit

_MOST_SHOWN = 1000


class DiskioOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `diskio`."""

    device: str = ""
    """The one that is looked at, a disk or a partition: the kernel's name (`sda`), a path such as
    `/dev/mapper/data`, or any path on a file system (`/srv`), which is that of the device below it. Those in
    memory, of networks, overlays, btrfs and zfs have no device of their own: name theirs. Where it is left out,
    every disk has a row, but for partitions, `loop`, `ram`, `zram`, `fd` and `sr`, and drives without a medium."""
    window: Duration = _sampling.DEFAULT
    """How long the requests are counted, as `iostat -x` does: `reads` and `writes` are those completed a second,
    `read_rate` and `write_rate` bytes a second, `busy` the share of the time in which any was under way (a disk
    that serves many at once can do more at 100 %), `wait` the average time of one (0 s where none was asked for),
    `queue` how many were queued or under way on average. It must lie within the item's `timeout`."""


class DiskioProbe:
    """Reads /proc/diskstats twice, in threads: a path on a dead mount keeps whoever asks waiting for ever."""

    async def measure(self, options: DiskioOptions, context: Context) -> Reading:
        """Return measures of one device, or a table of all disks."""
        _sampling.refuse_too_long(options.window, context)
        try:
            async with asyncio.timeout(context.allowance):
                return await (_one(options) if options.device else _all(options))
        except TimeoutError:
            what = _mounts.presentable(options.device) or "the disks"
            raise ProbeError(
                "timeout",
                f"{what} did not answer within {context.allowance:.3g} s",
                "a path on a network file system whose server is gone? See `findmnt` and the kernel's messages",
            ) from None

    async def aclose(self) -> None:
        """Nothing to end."""


async def _one(options: DiskioOptions) -> Reading:
    device = options.device

    def seen() -> Disks:
        disk = _blockdevices.one(device, number, _diskstats.disks())
        return {disk.number: disk}

    async def take() -> Disks:
        return await in_thread(f"disk requests {number} {device}", seen)

    try:
        number = await in_thread(f"block device {device}", lambda: _blockdevices.number_of(device))
    except OSError as error:
        raise _mounts.refused(device, error) from error
    samples = await _sampling.sampled(take, options.window)
    (found,) = samples.last.values()
    if not found.counted:
        raise ProbeError(
            "failed",
            f"the kernel does not count the requests to {found.name}",
            f"let it: `echo 1 > /sys/block/{found.name}/queue/iostats`",
        )
    passed = _diskstats.passed(found.number, samples)
    label = _blockdevices.label_of(found)
    note = "" if device == found.name else f"{_mounts.presentable(device)} is on {label}"
    return Reading(
        measures=passed.values,
        lower_bounds=passed.lower_bounds,
        evidence=(_evidence(options, [passed], [note]), *_whose()),
        command=_command(options, found.name),
    )


async def _all(options: DiskioOptions) -> Reading:
    samples = await _sampling.sampled(_disks, options.window)
    if not samples.last:
        raise ProbeError(
            "empty", "there is no disk here, beside those in memory and files", "name one by `device`; see `lsblk`"
        )
    shown = sorted(samples.last.values(), key=lambda disk: disk.name)[:_MOST_SHOWN]
    seen = [_diskstats.passed(disk.number, samples) for disk in shown]
    gone = [disk.name for number, disk in samples.first.items() if number not in samples.last]
    return Reading(
        columns=tuple(_diskstats.SUBJECTS),
        rows=tuple(
            tuple(None if name in each.lower_bounds else each.values[name] for name in _diskstats.SUBJECTS)
            for each in seen
        ),
        label="device",
        truncated=bool(gone) or len(shown) < len(samples.last),
        evidence=(_evidence(options, seen, _notes(samples, shown, gone)), *_whose()),
        command=_command(options),
    )


async def _disks() -> Disks:
    return await in_thread("disk requests", lambda: _blockdevices.whole_disks(_diskstats.disks()))


def _notes(samples: Samples[Disks], shown: list[Disk], gone: list[str]) -> list[str]:
    uncounted = [disk.name for disk in shown if not disk.counted]
    labels = {disk.name: _blockdevices.label_of(disk) for disk in shown}
    return [
        *(label for name, label in labels.items() if label != name),
        f"detached while one looked: {', '.join(gone)}" if gone else "",
        f"not counted, see /sys/block/NAME/queue/iostats: {', '.join(uncounted)}" if uncounted else "",
        f"the first {len(shown)} of {len(samples.last)}" if len(shown) < len(samples.last) else "",
    ]


def _evidence(options: DiskioOptions, seen: list[Passed], notes: list[str]) -> Evidence:
    lines = [f"over {options.window}", *map(_diskstats.line, seen), *filter(None, notes)]
    return Evidence("disk requests", "\n".join(lines))


def _whose() -> list[Evidence]:
    """Return whose figures these are, where somebody may take them for others."""
    if _groups.shows_own(str(_diskstats.DISKSTATS)):
        text = (
            f"{_diskstats.DISKSTATS} is shown by lxcfs: these are the requests of the container, not of its host."
        )
    elif _groups.in_container():
        text = "The console runs in a container: these are the requests of the whole host."
    else:
        return []
    return [Evidence("whose figures", text)]


def _command(options: DiskioOptions, *names: str) -> str:
    return shlex.join(["iostat", "-dxy", *names, str(max(1, round(options.window.seconds))), "1"])


def _problems(options: DiskioOptions) -> list[tuple[str, str]]:
    found = []
    if problem := _sampling.window_problem(options.window):
        found.append(("window", problem))
    name = options.device
    if name and not name.startswith("/") and any(each in "/\0" or each.isspace() for each in name):
        found.append(("device", f"'{name}' is neither a device's name, such as 'sda', nor an absolute path"))
    elif "\0" in name:
        found.append(("device", "a path has no NUL in it"))
    return found


def _subjects(options: DiskioOptions) -> Subjects:
    return _diskstats.SUBJECTS if options.device else {**_diskstats.SUBJECTS, "count": Unit.COUNT}


def _open(_environment: Environment) -> DiskioProbe:
    return DiskioProbe()


KIND = ProbeKind(
    name="diskio",
    summary="Measures the requests to disks over a window of time, how long they wait, and how busy the disks are.",
    options=DiskioOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
