"""The processes of this host as psutil sees them, and whether some of them are hidden.

Command lines are compared and never kept: people put passwords there.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from opsconsole.checks._threads import in_thread

if TYPE_CHECKING:
    import psutil

MOUNTINFO = Path("/proc/self/mountinfo")

_HIDES_NOTHING = frozenset({"0", "off"})


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process at one time."""

    handle: "psutil.Process"
    """Equal for the same process alone, also where its number was given to another one."""
    pid: int
    name: str
    command: str
    """Its program and arguments, empty for those of the kernel and for zombies. Never to be shown."""
    user: str
    zombie: bool
    age: float
    """Seconds since it was started."""
    cpu: float
    """Seconds of processor time that it has used."""
    rss: int
    """Bytes of memory that are not swapped out."""
    threads: int


class Snapshot(msgspec.Struct, frozen=True):
    """Those that could be seen at one time, without the one that looks."""

    processes: tuple[Process, ...]
    unseen: int
    """How many are there of which not even the name could be read."""


async def snapshot() -> Snapshot:
    """Return what runs now; measurements that ask at the same time share one look."""
    return await in_thread("processes", _snapshot)


async def open_files(processes: Iterable[Process]) -> dict[int, int | None]:
    """Return how many files each has open by its number, None where this user may not see that."""
    chosen = tuple(processes)
    name = f"open files of {' '.join(str(each.pid) for each in chosen)}"
    return await in_thread(name, lambda: {each.pid: _open_files(each) for each in chosen})


def hidden() -> bool:
    """Return whether /proc shows this user its own processes only: proc(5), `hidepid`."""
    try:
        lines = MOUNTINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    for line in lines:
        before, _, after = line.partition(" - ")
        if before.split(" ")[4:5] != ["/proc"] or not after.startswith("proc "):
            continue
        options = dict(each.partition("=")[::2] for each in after.split(" ")[-1].split(","))
        if options.get("hidepid", "0") not in _HIDES_NOTHING:
            let_in = options.get("gid", "0")
            return os.geteuid() != 0 and not (let_in != "0" and let_in in map(str, os.getgroups()))
    return False


def _snapshot() -> Snapshot:
    import psutil  # the first measurement loads it

    found: list[Process] = []
    unseen = 0
    users: dict[int, str] = {}
    for pid in psutil.pids():
        if pid == os.getpid():
            continue
        try:
            found.append(_process(psutil.Process(pid), users))
        except psutil.NoSuchProcess:
            continue  # it ended meanwhile
        except (psutil.AccessDenied, OSError):
            unseen += 1
    return Snapshot(tuple(found), unseen)


def _process(handle: "psutil.Process", users: dict[int, str]) -> Process:
    import psutil

    with handle.oneshot():
        zombie = handle.status() == psutil.STATUS_ZOMBIE
        command = ""
        if not zombie:
            try:
                command = " ".join(handle.cmdline()).strip()
            except psutil.ZombieProcess:
                zombie = True
        times = handle.cpu_times()
        uid = handle.uids().effective
        return Process(
            handle=handle,
            pid=handle.pid,
            name=handle.name(),
            command=command,
            user=users.get(uid) or users.setdefault(uid, _user_name(uid)),
            zombie=zombie,
            age=max(0.0, time.time() - handle.create_time()),
            cpu=times.user + times.system,
            rss=0 if zombie else handle.memory_info().rss,
            threads=handle.num_threads(),
        )


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def user_called(name: str) -> str | None:
    """Return what the processes of a user have, by its name or number; None for a name that nobody has."""
    import pwd

    if name.isdecimal() and len(name) < 11:  # noqa: PLR2004 - the digits of 32 bits
        return _user_name(int(name))
    try:
        return pwd.getpwnam(name).pw_name
    except (KeyError, ValueError):
        return None


def _open_files(process: Process) -> int | None:
    import psutil

    try:
        return process.handle.num_fds()
    except (psutil.Error, OSError):
        return None


def own_user() -> str:
    """Return the name of the user that the console runs as."""
    return _user_name(os.geteuid())
