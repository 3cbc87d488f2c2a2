"""Who is in a run, told by files that the kernel frees however their process ends."""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_LONGEST = 200
"""Bytes of a name that are read."""


class FilePresence:
    """A Presence (see contracts): a file in `directory` for each process and run, with an advisory lock on it.

    It is a courtesy between colleagues: where no file can be made, the run goes on without.
    """

    def __init__(self, directory: Path, run: str, who: str) -> None:
        self._directory = directory / run
        self._own = self._directory / uuid.uuid4().hex
        self._descriptor: int | None = None
        with suppress(OSError):
            for each in reversed((self._directory, *self._directory.parents)):
                each.mkdir(mode=0o700, exist_ok=True)  # `parents=True` would make those above as the umask has it
            self._descriptor = os.open(
                self._own, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(self._descriptor, who.encode("utf-8", "backslashreplace")[:_LONGEST])

    def others(self) -> tuple[str, ...]:
        """Return who else is in the run now, sorted; files that nobody holds any more are removed."""
        return tuple(sorted(self._living()))

    def close(self) -> None:
        """Leave the run."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._own.unlink()
            os.close(self._descriptor)
            self._descriptor = None

    def _living(self) -> Iterator[str]:
        with suppress(OSError):
            for path in list(self._directory.iterdir()):
                if path != self._own and (who := _held(path)):
                    yield who


def _held(path: Path) -> str:
    """Return who holds a file of presence, nothing where its process has ended."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, _LONGEST, 0).decode("utf-8", "backslashreplace")
    except OSError:
        return ""
    else:
        with suppress(OSError):
            path.unlink()
        return ""
    finally:
        os.close(descriptor)
