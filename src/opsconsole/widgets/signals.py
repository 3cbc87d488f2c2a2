"""Leaving when asked to: one orderly departure for every signal that asks for it, and a deadline for it."""

import _thread
import contextlib
import os
import signal
import termios
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Self

_ASKING = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
_FROM_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
_STDIN, _STDERR = 0, 2

_GIVE_BACK = b"\x1b[?2026l\x1b[?2004l\x1b[?1004l\x1b[?7h\x1b[?1049l\x1b[?25h"
"""Ends a synchronised update, paste and focus reports; brings back line wrap, the main screen and the cursor."""


def exit_code(cause: signal.Signals) -> int:
    """Return the exit status by which shells name the end by a signal."""
    return 128 + cause


class Departure:
    """A context in which the signals that ask a process to end lead to one call of `leave`.

    Whatever happens then, the process ends `deadline` seconds later, with the status 128 + signal. A second signal
    changes nothing. Where the terminal is gone, the descriptors that were the terminal become /dev/null, so that
    nothing that still writes to them fails or waits.
    """

    def __init__(self, leave: Callable[[signal.Signals], None], *, deadline: float) -> None:
        self.cause: signal.Signals | None = None
        self._leave = leave
        self._deadline = deadline
        self._keyboard_ignored = False
        self._terminal_fds: list[int] = []
        self._attributes: list[Any] | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._terminal_fds = [fileno for fileno in (0, 1, 2) if os.isatty(fileno)]
        with contextlib.suppress(termios.error):
            self._attributes = termios.tcgetattr(_STDIN)
        for asking in _ASKING:
            self._handlers[asking] = signal.signal(asking, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for asking, handler in self._handlers.items():
            signal.signal(asking, handler)

    def request(self, cause: signal.Signals) -> None:
        """Begin to leave because of `cause`, unless it has begun already."""
        if self.cause is not None:
            return
        self.cause = cause
        # Not threading.Thread: the signal may have interrupted that module while it held its own lock.
        _thread.start_new_thread(self._end_by_force, (exit_code(cause),))
        if is_terminal_gone():
            self._let_go_of_terminal()
        self._leave(cause)

    @contextlib.contextmanager
    def keyboard_ignored(self) -> Iterator[None]:
        """Ignore the interrupt and quit keys, which are meant for the editor that has the terminal meanwhile.

        Not SIG_IGN, which the editor would inherit.
        """
        self._keyboard_ignored = True
        try:
            yield
        finally:
            self._keyboard_ignored = False

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        cause = signal.Signals(number)
        if not (self._keyboard_ignored and cause in _FROM_KEYBOARD):
            self.request(cause)

    def _let_go_of_terminal(self) -> None:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for fileno in self._terminal_fds:
            os.dup2(nowhere, fileno)
        os.close(nowhere)

    def _end_by_force(self, status: int) -> None:
        time.sleep(self._deadline)
        _thread.start_new_thread(self._give_terminal_back, ())  # which may wait for a stalled line
        time.sleep(0.2)
        os._exit(status)

    def _give_terminal_back(self) -> None:
        if self._attributes is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(_STDIN, termios.TCSANOW, self._attributes)
        with contextlib.suppress(OSError):
            os.write(_STDERR, _GIVE_BACK)


def is_terminal_gone() -> bool:
    """Return whether the terminal the keys come from has been hung up."""
    try:
        termios.tcgetattr(_STDIN)
    except termios.error:
        return True
    return False
