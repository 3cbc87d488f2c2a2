"""Writing to a terminal that may stop reading: nobody but the writer's own thread ever waits for the line."""

import os
import select
import threading
from collections import deque
from collections.abc import Callable

BACKLOG_LIMIT = 16 * 1024
"""Bytes that may wait for the line before frames are dropped; a full frame of 80x24 is 2 to 6 kB."""

CONTROL_SIZE = 64
"""Bytes up to which a write is taken for a control sequence, which is short and must not be torn from its frame."""


class TerminalWriter:
    """Writes text to a file descriptor from its own thread; when too much waits, it drops whole writes.

    After a drop nothing more is accepted until everything accepted before has been written; then `on_drained` is
    called, so that the owner draws the whole screen anew. `on_gone` is called once, when the line is closed. Both
    are called from the writer's thread.
    """

    def __init__(self, fileno: int, *, on_drained: Callable[[], None], on_gone: Callable[[], None]) -> None:
        self._fileno = fileno
        self._on_drained = on_drained
        self._on_gone = on_gone
        # Its lock is re-entrant: a signal handler of the same thread may write in the middle of a write.
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._backlog = 0
        self._dropping = False
        self._closing = False
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="terminal-writer", daemon=True)

    @property
    def is_dropping(self) -> bool:
        """Whether frames are being dropped because the line is stalled."""
        return self._dropping

    def start(self) -> None:
        """Start the writing thread."""
        self._thread.start()

    def write(self, data: bytes) -> bool:
        """Accept `data` for writing, or drop it; returns at once either way, and whether it was accepted."""
        with self._changed:
            if self._closing or self._ended or self._dropping:
                return False
            if self._backlog >= BACKLOG_LIMIT and len(data) > CONTROL_SIZE:
                self._dropping = True
                return False
            self._waiting.append(data)
            self._backlog += len(data)
            self._changed.notify_all()
            return True

    def make_way(self) -> None:
        """Forget the frames that wait for a stalled line, so that what puts the terminal right comes next."""
        with self._changed:
            if self._dropping:
                self._backlog -= sum(map(len, self._waiting))
                self._waiting.clear()
                self._dropping = False

    def close(self, seconds: float) -> bool:
        """Write what has been accepted, for at most `seconds`; return whether all of it was written.

        Where the line stays stalled, the thread is left behind: it is a daemon, and writes nothing more than the
        one piece it is stuck in.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: self._ended, seconds)
            self._waiting.clear()
        return done

    def _run(self) -> None:
        gone = False
        while not gone:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    break
                data = b"".join(self._waiting)
                self._waiting.clear()
            gone = not self._write_all(data)
            self._settle(len(data))
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        if gone:
            self._on_gone()

    def _settle(self, written: int) -> None:
        """Account for what left, and ask for a new picture where the line has caught up after a drop."""
        with self._changed:
            self._backlog -= written
            recovered = self._dropping and not self._waiting
            if recovered:
                self._dropping = False
        if recovered:
            self._on_drained()

    def _write_all(self, data: bytes) -> bool:
        """Write `data`, however long the line takes; return False where the line is closed."""
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._fileno, view) :]
            except BlockingIOError:  # somebody made the shared terminal non-blocking
                select.select([], [self._fileno], [])
            except OSError:
                return False
        return True
