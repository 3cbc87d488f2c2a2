"""On which file system a directory lies, and whether a database can be trusted to it.

SQLite settles concurrency with POSIX locks and durability with fsync; network file systems keep neither promise.
"""

import os
import re
from pathlib import Path

import msgspec

_NETWORK = frozenset(
    {
        "9p",
        "acfs",
        "afs",
        "beegfs",
        "ceph",
        "ceph-fuse",
        "cephfs",
        "cifs",
        "coda",
        "curlftpfs",
        "davfs",
        "gcsfuse",
        "gfs",
        "gfs2",
        "glusterfs",
        "goofys",
        "gpfs",
        "juicefs",
        "lustre",
        "mfs",
        "mount-s3",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "rclone",
        "s3fs",
        "seaweedfs",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "sshfs",
    }
)
"""Types, and what follows `fuse.` in them."""

_VOLATILE = frozenset({"tmpfs", "ramfs"})

_OCTAL = re.compile(r"\\([0-7]{3})")


class FileSystem(msgspec.Struct, frozen=True):
    """One mounted file system, as `/proc/self/mountinfo` names it (proc(5))."""

    kind: str
    """The type, such as `ext4`, `nfs4` or `fuse.sshfs`."""
    mount_point: str

    @property
    def is_network(self) -> bool:
        """Whether other hosts can write to it too."""
        return self.kind.lower().removeprefix("fuse.") in _NETWORK

    @property
    def is_volatile(self) -> bool:
        """Whether it is gone after a restart."""
        return self.kind in _VOLATILE

    @property
    def is_foreign(self) -> bool:
        """Whether a program of its own serves it, so that nobody can say what its locks and fsync are worth."""
        return self.kind == "fuse" or self.kind.startswith("fuse.")


def find_mount(mountinfo: str, mount_id: int) -> FileSystem | None:
    """Return the file system with a mount id from the text of a mountinfo file."""
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if separator and fields[0] == str(mount_id):
            mount_point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[4])
            return FileSystem(after.split(" ")[0], mount_point)
    return None


def file_system_of(directory: Path) -> FileSystem | None:
    """Return the file system that `directory` lies on, None where the kernel does not tell (no `/proc`).

    The kernel is asked for the mount of the opened directory: that holds for bind mounts, mounts over mounts and
    automounts alike, where comparing paths or device numbers does not; and unlike the magic numbers of statfs(2)
    it tells one FUSE file system from another.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        told = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="ascii")
        mount_id = re.search(r"^mnt_id:\s*(\d+)$", told, re.MULTILINE)
        mountinfo = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return find_mount(mountinfo, int(mount_id[1])) if mount_id else None
