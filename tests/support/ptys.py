"""Runs a program on a pseudo-terminal of its own, as its session's controlling terminal, and plays the operator.

Nothing here sleeps: every wait names its condition and has a deadline. The terminal is only read while something
waits, so a test that does not read is a line that has stalled.
"""

import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from support.vt import Screen

WAIT = 30.0
"""Seconds any condition may take; machines that run tests are slow."""

_POLL = 0.02
_SYNC_QUESTION = b"\x1b[?2026$p"
_SYNC_ANSWER = b"\x1b[?2026;2$y"


class Pty:
    """A running program and the terminal it is on."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        cols: int = 80,
        rows: int = 24,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        is_controlling: bool = True,
    ) -> None:
        """Start `argv` on a terminal of `cols` x `rows`.

        The environment is a small one of its own (UTF-8, 256 colours, true colour); `env` adds to it, and removes
        what it gives as None. Of a terminal that is not the controlling one, no signal comes when it is hung up.
        """
        self.output = bytearray()
        """All that was read from the terminal."""
        self.screen = Screen(cols, rows)
        self.is_open = True
        self.master, slave = os.openpty()
        termios.tcsetwinsize(slave, (rows, cols))
        self.initial_attributes = termios.tcgetattr(slave)
        # setsid makes the terminal the controlling one without code between fork and exec.
        setsid = ["setsid", "-c"] if is_controlling else ["setsid"]
        self._process = subprocess.Popen(
            [*setsid, *map(str, argv)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=_environment(env or {}),
            cwd=cwd,
        )
        os.close(slave)

    @property
    def pid(self) -> int:
        """The process id of the program, which leads a session of its own."""
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write(f"--- the screen at the end\n{self.screen.text}\n---\n")
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()
        self.hang_up()

    # Reading.

    def read(self, seconds: float) -> bytes:
        """Return what the program writes first within `seconds`; empty where that is nothing."""
        if not self.is_open or not select.select([self.master], [], [], seconds)[0]:
            return b""
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: every descriptor of the other end is closed
            data = b""
        if not data:
            self.is_open = False
        if _SYNC_QUESTION in data:
            self.send(_SYNC_ANSWER)
        self.output += data
        self.screen.feed(data)
        return data

    def wait_until(self, condition: Callable[[], bool], seconds: float = WAIT, what: str = "") -> None:
        """Read until `condition` holds; fail after `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
            if not self.read(_POLL) and not self.is_open:
                time.sleep(_POLL)

    def wait_for(self, text: str | re.Pattern[str], seconds: float = WAIT) -> None:
        """Read until the screen shows `text` or something that matches it."""
        if isinstance(text, str):
            self.wait_until(lambda: text in self.screen.text, seconds, repr(text))
        else:
            self.wait_until(lambda: text.search(self.screen.text) is not None, seconds, text.pattern)

    def wait_for_bytes(self, data: bytes, seconds: float = WAIT) -> None:
        """Read until the program has sent `data`, ever."""
        self.wait_until(lambda: data in self.output, seconds, repr(data))

    def settle(self, quiet: float = 0.3, seconds: float = WAIT) -> None:
        """Read until nothing has come for `quiet` seconds."""
        deadline = time.monotonic() + seconds
        while self.read(quiet):
            assert time.monotonic() < deadline, f"not quiet within {seconds} s"

    def bytes_in(self, seconds: float) -> int:
        """Return how many bytes come within `seconds`."""
        before, deadline = len(self.output), time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.read(left)
        return len(self.output) - before

    def wait_unread(self, condition: Callable[[], bool], seconds: float = WAIT, what: str = "") -> None:
        """Wait for `condition` without reading: to the program, the line has stalled."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
            time.sleep(_POLL)

    # Acting.

    def send(self, keys: str | bytes) -> None:
        """Type `keys`."""
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the program alone."""
        os.kill(self.pid, number)

    def resize(self, cols: int, rows: int) -> None:
        """Change the terminal's size, of which the kernel tells the program; the screen starts anew."""
        self.screen.resize(cols, rows)
        termios.tcsetwinsize(self.master, (rows, cols))

    def hang_up(self) -> None:
        """Close the line, as a dropped SSH connection does."""
        if self.master >= 0:
            os.close(self.master)
        self.master = -1
        self.is_open = False

    # The end.

    @property
    def attributes(self) -> list[object]:
        """The terminal's modes now (termios)."""
        return list(termios.tcgetattr(self.master))

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._process.poll() is None

    def wait_exit(self, seconds: float = WAIT) -> int:
        """Read until the program has ended; return its exit status, negative for a signal."""
        self.wait_until(lambda: not self.is_running, seconds, "the end of the program")
        while self.read(0):
            pass
        return self._process.wait()


def _environment(changes: Mapping[str, str | None]) -> dict[str, str]:
    base = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        **changes,
    }
    return {name: value for name, value in base.items() if value is not None}
