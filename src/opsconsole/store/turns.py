"""Lets the processes that write to one record take turns.

SQLite is correct without: but its writers wait by polling at growing intervals, and those that poll keep the one
that commits from its lock. Eight writers then store some 50 events a second instead of several hundred.
"""

import contextlib
import fcntl
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

_POLL = (0.0005, 0.003)
"""Seconds between two looks, at least and at most; flock(2) has no other way to give up after a while."""


@contextlib.contextmanager
def turn(directory: Path, *, timeout: float) -> Iterator[None]:
    """Hold an advisory lock on `directory` for the length of a `with` block, freed by the kernel however that ends.

    It only saves time, so whoever cannot have it within `timeout` seconds goes ahead and leaves it to SQLite.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    try:
        deadline = time.monotonic() + timeout
        while not _taken(descriptor) and time.monotonic() < deadline:
            time.sleep(random.uniform(*_POLL))  # noqa: S311 - only keeps writers from meeting again
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without flock: there is nothing to wait for
        return True
    return True
