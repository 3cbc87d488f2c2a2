"""One measuring pass over a run at a time on this host: two cron jobs join instead of doubling the load."""

import asyncio
import contextlib
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from opsconsole.engine.spill import make_private

SUFFIX = ".lock"
_POLL = 0.1
"""Seconds between two looks at a lock that somebody else holds; flock has no other way to wait and be cancelled."""

PATIENCE = 60.0
_WHOLE = b"complete"
_OLD = 86_400.0
"""Seconds after which a lock file that nobody holds is removed: a list of five minutes makes 288 a day."""


class PassLock:
    """An advisory lock on a file, freed by the kernel however its holder ends.

    It only saves work: the store alone keeps concurrent writers apart, so a lock file that cannot be made, or one
    whose holder was stopped, is no reason to refuse a measurement.
    """

    def __init__(self, path: Path, patience: float = PATIENCE) -> None:
        """`patience`: seconds after which it is no longer waited for the holder."""
        self._path = path
        self._patience = patience
        self._descriptor: int | None = None

    @contextlib.asynccontextmanager
    async def held(
        self, waiting: Callable[[], None], given_up: Callable[[], None] = lambda: None
    ) -> AsyncIterator[bool]:
        """Hold the lock; gives whether a whole pass of somebody else was waited for, down to its end."""
        try:
            make_private(self._path.parent)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError:
            yield False
            return
        try:
            if not os.fstat(descriptor).st_size:  # no pass over this run was begun before, so it is a new one
                _remove_old(self._path)
            deadline: float | None = None
            while not (taken := _taken(descriptor)):
                now = asyncio.get_running_loop().time()
                if deadline is None:
                    deadline = now + self._patience
                    waiting()
                if now >= deadline:
                    given_up()
                    break
                await asyncio.sleep(_POLL)
            self._descriptor = descriptor if taken else None
            yield taken and deadline is not None and os.pread(descriptor, len(_WHOLE), 0) == _WHOLE
        finally:
            self._descriptor = None
            os.close(descriptor)

    def begin(self) -> None:
        """Note that a pass begins: it may be one over some items only, or never come to its end."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)

    def complete(self) -> None:
        """Note that every item was measured, so that whoever waits need not do it again."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.pwrite(self._descriptor, _WHOLE, 0)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without flock: there is nothing to wait for
        return True
    return True


def _remove_old(besides: Path) -> None:
    """Remove the lock files beside this one that are old and held by nobody.

    Whoever opens one at this moment may hold a file without a name, and measure beside somebody else: the lock
    saves work, and nothing rests on it.
    """
    before = time.time() - _OLD
    with contextlib.suppress(OSError), os.scandir(besides.parent) as found:
        for each in found:
            if each.name == besides.name or not each.name.endswith(SUFFIX):
                continue
            if each.stat(follow_symlinks=False).st_mtime < before:
                _remove_unheld(Path(each.path))


def _remove_unheld(path: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if _taken(descriptor):
                path.unlink()
        finally:
            os.close(descriptor)
