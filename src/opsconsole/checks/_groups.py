"""The control groups that this process is in, their limits, and whether it runs in a container.

What /proc says of processors and memory is the host's, also inside a container: limits are told beside it.
Formats: cgroups(7), and the kernel's cgroup-v2.rst (`memory.max`, `cpu.max`).
"""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path, PurePosixPath

OWN_CGROUP = Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")
MOUNTINFO = Path("/proc/self/mountinfo")
OWN_PIDS = Path("/proc/self/ns/pid")
CONTAINER_MARKS = (Path("/run/.containerenv"), Path("/.dockerenv"), Path("/run/systemd/container"))
"""Files that podman, Docker and systemd-nspawn leave in a container."""

_FIRST_PIDS = 0xEFFFFFFC
"""The number that the kernel gives the namespace of the whole host: PROC_PID_INIT_INO of proc_ns.h."""


def memory_limit() -> int | None:
    """Return the lowest memory limit of the control groups of this process in bytes, None where there is none."""
    limits = []
    for directory in _own_groups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            text = _content(directory / name)
            if text.isdecimal():
                limits.append(int(text))
    return min(limits, default=None)


def cpu_limit() -> Decimal | None:
    """Return how many processors the control groups of this process may use, None where they may use all."""
    limits = []
    for directory in _own_groups("cpu"):
        quota, _, period = _content(directory / "cpu.max").partition(" ")
        if not quota:
            quota, period = _content(directory / "cpu.cfs_quota_us"), _content(directory / "cpu.cfs_period_us")
        if quota.isdecimal() and period.isdecimal() and int(period):
            limits.append(Decimal(quota) / Decimal(period))
    return min(limits, default=None)


def in_container() -> bool:
    """Return whether a mark says that this process runs in a container."""
    return any(mark.exists() for mark in CONTAINER_MARKS)


def in_pid_namespace() -> bool:
    """Return whether only the processes of a PID namespace can be seen, as in most containers: namespaces(7)."""
    try:
        return OWN_PIDS.stat().st_ino != _FIRST_PIDS
    except OSError:
        return False


def shows_own(path: str) -> bool:
    """Return whether a file of /proc is shown by lxcfs, which puts the figures of the container in place of it."""
    try:
        lines = MOUNTINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(f" {path} " in line and "lxcfs" in line.partition(" - ")[2] for line in lines)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _own_groups(controller: str) -> Iterator[Path]:
    """Yield the directories of the groups that this process is in, of both versions, and of those above them."""
    try:
        lines = OWN_CGROUP.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUPS / controller if controllers else CGROUPS
        group = PurePosixPath(path.lstrip("/"))
        yield from (root / each for each in (group, *group.parents))
