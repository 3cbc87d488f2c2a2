"""What is known of a file without reading it, opening one without hanging, and work on files that can be given up.

Modes and kinds of files: inode(7). Opening: open(2), where O_NONBLOCK keeps a FIFO or a device from waiting.
"""

import asyncio
import errno
import grp
import io
import os
import pwd
import stat
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import msgspec

from opsconsole.checks._mounts import presentable
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.values import Unit, formatted, number

T = TypeVar("T")

CHUNK = 1 << 20
"""Bytes that are read at once."""
CLOCK_SKEW = 300.0
"""Seconds that a file may be dated in the future, by the clock of a file server, and still count as new."""

_KINDS = (
    (stat.S_ISREG, "file"),
    (stat.S_ISDIR, "directory"),
    (stat.S_ISLNK, "symbolic link"),
    (stat.S_ISFIFO, "FIFO"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISBLK, "block device"),
    (stat.S_ISCHR, "character device"),
)
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})
_PRIVATE = frozenset({errno.EACCES, errno.EPERM})
_GONE = frozenset({errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT})


class GivenUpError(Exception):
    """The work was given up: its time is over, or nobody waits for it any more; the message says what it was at."""


class Stop:
    """Tells work in a thread when to end, and is told what it is at."""

    def __init__(self, allowed: float) -> None:
        self.doing = ""
        """What a person may know of it when it takes too long."""
        self._until = time.monotonic() + allowed
        self._given_up = threading.Event()

    @property
    def over(self) -> bool:
        """Whether the time is over, or nobody waits any more."""
        return self._given_up.is_set() or time.monotonic() >= self._until

    def check(self) -> None:
        """Raise GivenUpError when the work has to end."""
        if self.over:
            raise GivenUpError(self.doing)

    def give_up(self) -> None:
        """Let the work end at its next check."""
        self._given_up.set()


async def in_time(name: str, work: Callable[[Stop], T], allowed: float) -> T:
    """Return what `work` returns, done in a thread that ends with the waiting for it; raise GivenUpError in time.

    A call that hangs in the kernel costs its one thread until it comes back, however often it is tried again under
    the same `name`, which must say all that the work depends on.
    """
    stop = Stop(allowed)
    try:
        async with asyncio.timeout(allowed):
            while True:
                try:
                    return await in_thread(name, lambda: work(stop))
                except GivenUpError:
                    if stop.over:  # otherwise it was the same work of somebody else, who gave it up
                        raise
    except TimeoutError:
        raise GivenUpError(stop.doing) from None
    finally:
        stop.give_up()


class Facts(msgspec.Struct, frozen=True):
    """What the inode says."""

    kind: str
    """`file`, `directory`, `symbolic link`, `FIFO`, `socket`, `block device`, `character device`."""
    size: int
    """Bytes."""
    modified: float
    """Seconds since the epoch."""
    permissions: int
    """The lower twelve bits of the mode."""
    uid: int
    gid: int

    @property
    def regular(self) -> bool:
        """Whether it is a file with content, no directory, link or device."""
        return self.kind == "file"

    @property
    def mode(self) -> str:
        """The permissions as chmod(1) takes them, `0640`."""
        return f"{self.permissions:04o}"

    @property
    def world_readable(self) -> bool:
        """Whether everybody may read it, if its directory lets them."""
        return bool(self.permissions & stat.S_IROTH)

    @property
    def world_writable(self) -> bool:
        """Whether everybody may write to it."""
        return bool(self.permissions & stat.S_IWOTH)

    def age(self, now: float) -> float | None:
        """Return how many seconds ago it was modified; None where that is in the future by more than a skew."""
        age = now - self.modified
        return max(age, 0.0) if age >= -CLOCK_SKEW else None


def facts_of(status: os.stat_result) -> Facts:
    """Return what stat(2) says, without what nothing asks for."""
    kind = next((name for test, name in _KINDS if test(status.st_mode)), "something else")
    permissions = stat.S_IMODE(status.st_mode)
    return Facts(kind, status.st_size, status.st_mtime, permissions, status.st_uid, status.st_gid)


@lru_cache(maxsize=1024)
def owner_name(uid: int) -> str:
    """Return the login of a user, its number where it has none. May wait for a directory service."""
    try:
        return presentable(pwd.getpwuid(uid).pw_name)
    except (KeyError, OSError):
        return str(uid)


@lru_cache(maxsize=1024)
def group_name(gid: int) -> str:
    """Return the name of a group, its number where it has none. May wait for a directory service."""
    try:
        return presentable(grp.getgrgid(gid).gr_name)
    except (KeyError, OSError):
        return str(gid)


class Opened(io.FileIO):
    """A file being read, which ends with GivenUpError when the reading is given up."""

    def __init__(self, fd: int, stop: Stop) -> None:
        super().__init__(fd, "rb")
        self._stop = stop

    def read(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes."""
        self._stop.check()
        return super().read(-1 if size is None else size)

    def readinto(self, buffer: object, /) -> int:
        """Read into a buffer."""
        self._stop.check()
        return super().readinto(buffer)  # type: ignore[arg-type]


def open_regular(path: str, stop: Stop, *, follow: bool = True) -> Opened:
    """Open a regular file for reading; raise OSError, with EINVAL for anything else, which is never opened to wait.

    What it is is asked before and after: opening a device may already do something.
    """
    _refuse_irregular(os.stat(path) if follow else os.lstat(path))  # noqa: PTH116 - a text stays a text here
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    fd = os.open(path, flags)
    try:
        _refuse_irregular(os.fstat(fd))
        return Opened(fd, stop)
    except BaseException:
        os.close(fd)
        raise


def _refuse_irregular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, f"it is a {facts_of(status).kind}, no regular file")


def is_absent(error: OSError) -> bool:
    """Whether an error says that there is no such file."""
    return error.errno in _ABSENT


def why(error: OSError) -> str:
    """Return why a path could not be looked at, in words without the path."""
    if error.errno in _PRIVATE:
        return "this user may not read it"
    return presentable(error.strerror or str(error) or "it cannot be read")


def refused(path: str, error: OSError) -> ProbeError:
    """Return the problem that an error of the system about `path` is."""
    shown = presentable(path)
    if is_absent(error):
        return ProbeError(
            "not-found", f"there is no {shown}", "is the path right, and is what it lies on mounted? See `findmnt`"
        )
    if error.errno in _PRIVATE:
        return ProbeError(
            "no-permission",
            f"this user may not read {shown}",
            "let its user enter the directories above and read it (group, ACL), or run as another one",
        )
    if error.errno in _GONE:
        return ProbeError("source-down", f"what is mounted at {shown} is gone: {error.strerror}", "mount it again")
    if error.errno == errno.EINVAL:
        return ProbeError("bad-answer", f"{shown}: {why(error)}", "name a regular file")
    return ProbeError("failed", f"{shown}: {why(error)}", "see the kernel's messages: `dmesg`")


def too_slow(what: str, doing: str, allowed: float) -> ProbeError:
    """Return the problem that work on files is not done in its time."""
    at = f"; it was {doing}" if doing else ""
    return ProbeError(
        "timeout",
        f"{what} was not done after {allowed:.3g} s{at}",
        "give the item a longer `timeout`, or ask for less; where nothing moves at all, look for "
        "a network file system whose server is gone, or a disk that fails: `findmnt`, `dmesg`",
    )


def path_problems(key: str, path: str) -> list[tuple[str, str]]:
    """Return what is wrong with a path that an option names."""
    if not path.startswith("/") or "\0" in path:
        return [(key, f"'{path}' is no absolute path; write it like '/var/lib'")]
    return []


def sized(size: int) -> str:
    """Return a number of bytes for reading."""
    return formatted(number(size, Unit.BYTES))
