"""Connects to PostgreSQL, and keeps the memory of this process from a server that sends without an end.

libpq keeps every setting that a server reports, and waits for it to be ready. What waits in the socket is counted
before each reading, so that one that is never ready is given up before it has filled the memory. A message is told
by libpq when it is whole only; but as soon as it knows how long one is, it makes room for all of it, which shows.
"""

import array
import fcntl
import os
import resource
import termios
from collections.abc import Generator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import AsyncConnection

_PAGE = resource.getpagesize()

MAX_GREETING = 1 << 20
"""Bytes that may come before a connection is ready (1 MiB)."""


def waiting(descriptor: int) -> int:
    """Return how many bytes a socket has to be read, in the kernel's count (FIONREAD)."""
    found = array.array("i", [0])
    try:
        fcntl.ioctl(descriptor, termios.FIONREAD, found)
    except OSError:
        return 0
    return found[0]


def mapped() -> int:
    """Return how many bytes of addresses this process has (proc_pid_statm(5)), 0 where the kernel does not say.

    Making room takes addresses before it takes any memory.
    """
    try:
        return int(os.pread(_statm(), 32, 0).split()[0]) * _PAGE
    except (OSError, ValueError, IndexError):
        return 0


@lru_cache(maxsize=1)
def _statm_of(_process: int) -> int:
    return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


def _statm() -> int:
    return _statm_of(os.getpid())  # anew behind a fork, where it would be the parent's


async def guarded_connection(conninfo: str) -> "AsyncConnection[Any]":
    """Connect; raises `psycopg.OperationalError`, also where the server says too much before it is ready."""
    from psycopg import AsyncConnection, OperationalError

    class Guarded(AsyncConnection[Any]):
        """Counts what comes while connecting, which is what psycopg's own generator waits for."""

        @classmethod
        def _connect_gen(cls, conninfo: str = "") -> Generator[Any, Any, Any]:
            steps: Generator[Any, Any, Any] = super()._connect_gen(conninfo)
            came = 0
            try:
                wanted = next(steps)
                while True:
                    ready = yield wanted
                    came += waiting(wanted[0])
                    if came > MAX_GREETING:
                        raise OperationalError(f"more than {MAX_GREETING:,} bytes came, and it is not ready")
                    wanted = steps.send(ready)
            except StopIteration as end:
                return end.value
            finally:
                steps.close()

    return await Guarded.connect(conninfo, autocommit=True)
