"""Which block devices are meant: one by name, by path or by what lies on it, or all that are disks.

Formats: /sys/dev/block (sysfs-block), the device numbers of stat(2) and of mountinfo.
"""

import os
import re
import stat
from collections.abc import Iterable

from opsconsole.checks import _diskstats, _mounts
from opsconsole.checks._diskstats import Disk, Disks
from opsconsole.contracts.probe import ProbeError

_VIRTUAL = re.compile(r"(fd|loop|ram|sr|zram)[0-9]+")
"""Files, memory and drives for media that come and go."""
_WITHOUT_DEVICE = {
    "btrfs": "it may lie on several devices: name each of them, see `btrfs filesystem show`",
    "overlay": "what is below it has a device: name that, or a path on it such as a volume",
    "ramfs": "it is kept in memory, and makes no requests to a disk",
    "tmpfs": "it is kept in memory, and makes no requests to a disk",
    "zfs": "its pool lies on several devices: name each of them, see `zpool status`",
}
_OTHERS = "name a device of this host, or measure where its disks are"


def number_of(device: str) -> str:
    """Return the `MAJOR:MINOR` of the device at a path, or of the one that what is at the path lies on.

    Empty for a kernel's name, which stands in /proc/diskstats. Raises OSError, and ProbeError where there is none.
    """
    if not device.startswith("/"):
        return ""
    status = os.stat(device)  # noqa: PTH116 - names of devices are texts, and stay so
    if stat.S_ISBLK(status.st_mode):
        return f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    if stat.S_ISCHR(status.st_mode):
        raise ProbeError("not-found", f"{_mounts.presentable(device)} is no block device", "see `lsblk`")
    if os.major(status.st_dev):
        return f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    raise _deviceless(device)


def _deviceless(path: str) -> ProbeError:
    mount = _mounts.mount_of(os.path.realpath(path), _mounts.mounted())
    kind = mount.type if mount else "a file system"
    return ProbeError(
        "not-found",
        f"{_mounts.presentable(path)} is on {kind}, which has no block device of its own",
        _WITHOUT_DEVICE.get(kind, _OTHERS),
    )


def one(device: str, number: str, found: Disks) -> Disk:
    """Return the device that was named; raise ProbeError where /proc/diskstats does not have it."""
    for each in found.values():
        if each.number == number or (not number and each.name == device):
            return _diskstats.described(each)
    shown = _mounts.presentable(device)
    raise ProbeError(
        "not-found",
        f"{_diskstats.DISKSTATS} has no device {number} ({shown})"
        if number
        else f"there is no block device {shown}",
        f"there are {_listed(found.values())}; was it detached or renamed? See `lsblk`",
    )


def whole_disks(found: Disks) -> dict[str, Disk]:
    """Return the disks that have room: no partitions, none of memory or files, no drive without a medium."""
    if not _diskstats.DEVICES.is_dir():
        raise ProbeError(
            "failed", f"{_diskstats.DEVICES} cannot be read", "is /sys mounted? Or name one by `device`"
        )
    return {number: _diskstats.described(disk) for number, disk in found.items() if _is_disk(disk)}


def _is_disk(disk: Disk) -> bool:
    place = _diskstats.DEVICES / disk.number
    if _VIRTUAL.fullmatch(disk.name) or (place / "partition").exists():
        return False
    try:
        return (place / "size").read_text(encoding="ascii").strip() != "0"
    except (OSError, UnicodeDecodeError):
        return True  # it is not known to be none


def label_of(disk: Disk) -> str:
    """Return a device's name, with that of the device mapper where it has one: `dm-0 (vg-srv)`."""
    try:
        mapped = (_diskstats.DEVICES / disk.number / "dm" / "name").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return disk.name
    return f"{disk.name} ({mapped})"


def _listed(disks: Iterable[Disk]) -> str:
    names = [disk.name for disk in disks if not _VIRTUAL.fullmatch(disk.name)]
    most = 20
    return ", ".join(names[:most]) + (" …" if len(names) > most else "") or "none"
