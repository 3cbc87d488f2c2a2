"""One measuring pass over a run at a time on this host: two cron jobs join instead of doubling the load."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

_POLL = 0.1
"""Seconds between two looks at a lock that somebody else holds; flock has no other way to wait and be cancelled."""


class PassLock:
    """An advisory lock on a file, freed by the kernel however its holder ends.

    It only saves work: the store alone keeps concurrent writers apart, so a lock file that cannot be made is no
    reason to refuse a measurement.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextlib.asynccontextmanager
    async def held(self, waiting: Callable[[], None]) -> AsyncIterator[bool]:
        """Hold the lock; gives whether somebody else had to be waited for."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            yield False
            return
        try:
            waited = False
            while not _taken(descriptor):
                if not waited:
                    waiting()
                waited = True
                await asyncio.sleep(_POLL)
            yield waited
        finally:
            os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
