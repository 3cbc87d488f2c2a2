"""The mounted file systems of this host, and which of them have room of their own to run out of.

Formats: proc(5), /proc/PID/mountinfo and /proc/filesystems.
"""

import errno
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from opsconsole.contracts.probe import ProbeError

MOUNTINFO = Path("/proc/self/mountinfo")
FILESYSTEMS = Path("/proc/filesystems")

_WITHOUT_DEVICE = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "fhgfs", "glusterfs", "gpfs", "lustre", "nfs", "nfs4", "pvfs2"),
        *("smb3", "smbfs", "vboxsf", "virtiofs", "zfs"),
    }
)
"""Real file systems that the kernel lists as `nodev` because they are a network's, a host's or a pool's."""

_IMAGES = frozenset({"cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"})
"""Read-only images, which are always full: every snap is one."""

_NO_STORAGE = frozenset({"fuse.gvfsd-fuse", "fuse.lxcfs", "fuse.portal", "fuse.snapfuse", "fuse.squashfuse"})
PRIVATE = frozenset({errno.EACCES, errno.EPERM})
_GONE = frozenset({errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT})
_ESCAPE = re.compile(rb"\\([0-7]{3})")


class Mount(msgspec.Struct, frozen=True):
    """One line of mountinfo."""

    point: str
    """Where it is mounted; bytes that are no UTF-8 are kept as surrogates, as the `os` functions take them."""
    type: str
    source: str
    device: str
    """`MAJOR:MINOR`."""
    root: str
    """The directory of the file system that is mounted there: `/` unless it is a bind mount or a subvolume."""

    @property
    def shown(self) -> str:
        """The mount point for people and records, which hold no surrogates."""
        return presentable(self.point)


def presentable(path: str) -> str:
    """Return a path whose bytes are no UTF-8 with these spelled out."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def mounted() -> list[Mount]:
    """Return what is mounted, as far as it is not hidden behind a later mount on the same directory."""
    mounts = {mount.point: mount for mount in parsed_mounts(MOUNTINFO.read_bytes())}
    return list(mounts.values())


def parsed_mounts(mountinfo: bytes) -> list[Mount]:
    """Read mountinfo; lines that are not understood are left out."""
    found = []
    for line in mountinfo.splitlines():
        before, dash, after = line.partition(b" - ")
        fields, rest = before.split(b" "), after.split(b" ")
        if dash and len(fields) >= 6 and len(rest) >= 2:  # noqa: PLR2004 - the fields that proc(5) promises
            texts = [_text(field) for field in (fields[4], rest[0], rest[1], fields[2], fields[3])]
            found.append(Mount(*texts))
    return found


def _text(field: bytes) -> str:
    raw = _ESCAPE.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), field)
    return raw.decode("utf-8", "surrogateescape")


def with_room(mounts: Iterable[Mount], types_with_device: frozenset[str]) -> list[Mount]:
    """Return the mounts that have room of their own, each file system once, at its shortest mount point.

    Left out are memory and pseudo file systems, images that are always full, and overlays, whose room is that of
    another; but for the root of a container, which has nothing else.
    """
    chosen: dict[str, Mount] = {}
    for mount in sorted(mounts, key=lambda each: (each.root != "/", len(each.point), each.point)):
        if _has_room(mount, types_with_device):
            by_source = mount.type in types_with_device and mount.source.startswith("/dev/")
            chosen.setdefault(mount.source if by_source else mount.device, mount)
    return sorted(chosen.values(), key=lambda each: each.point)


def _has_room(mount: Mount, types_with_device: frozenset[str]) -> bool:
    if mount.type in _IMAGES or mount.type in _NO_STORAGE:
        return False
    if mount.type == "overlay":
        return mount.point == "/"
    if mount.type.startswith("fuse."):
        return True
    return mount.type in types_with_device or mount.type in _WITHOUT_DEVICE


def types_with_device() -> frozenset[str]:
    """Return the types of file systems of this kernel that lie on a device."""
    lines = FILESYSTEMS.read_text(encoding="ascii", errors="replace").splitlines()
    return frozenset(line.strip() for line in lines if not line.startswith("nodev"))


def mount_of(path: str, mounts: Sequence[Mount]) -> Mount | None:
    """Return the mount that a path without symbolic links lies on."""
    above = [each for each in mounts if path == each.point or path.startswith(each.point.rstrip("/") + "/")]
    return max(above, key=lambda each: len(each.point), default=None)


def refused(path: str, error: OSError) -> ProbeError:
    """Return the problem of a path that cannot be looked at."""
    shown = presentable(path)
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return ProbeError(
            "not-found", f"there is no {shown}", "is the path right, and is what it lies on mounted? See `findmnt`"
        )
    if error.errno in PRIVATE:
        return ProbeError(
            "no-permission",
            f"this user may not look at {shown}",
            "let its user enter the directories above (`chmod o+x`), or run as another one",
        )
    if error.errno in _GONE:
        return ProbeError("source-down", f"what is mounted on {shown} is gone: {error.strerror}", "mount it again")
    return ProbeError("failed", f"{shown}: {error.strerror}", "see the kernel's messages: `dmesg`")
