"""The terminal driver: never makes the event loop wait for the line, and notices when the line is gone."""

import codecs
import os
import selectors
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, cast

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from opsconsole.widgets.environment import ERASE_LINE, Terminal
from opsconsole.widgets.writer import TerminalWriter

CLOSE_WITHIN = 1.0
"""Seconds that leaving the terminal may wait for a stalled line."""

_STDERR = 2

_POLL = 0.1
"""Seconds between two looks of the input thread at whether it should end."""

_END_SYNCHRONISED_UPDATE = "\x1b[?2026l"


class TerminalOwner(Protocol):
    """What the driver needs of the application it belongs to; called in the event loop's thread."""

    @property
    def terminal(self) -> Terminal:
        """What the terminal can show."""

    def repaint(self) -> None:
        """Draw the whole screen anew."""

    def terminal_gone(self) -> None:
        """Note that nobody is at the other end any more."""

    def unexpected(self, error: Exception, doing: str) -> None:
        """Note an error that has nowhere else to go."""


class TerminalDriver(LinuxDriver):
    """Textual's Linux driver (8.2.8) with a writer that drops frames instead of blocking.

    Textual's own writer thread is started with the rest, but never given anything: its queue of thirty frames
    blocks the event loop, and with it every measurement, as soon as the line stalls.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = False,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._owner = cast("TerminalOwner", app)
        self._encoding = "ascii" if self._owner.terminal.ascii else "utf-8"
        self._output: TerminalWriter | None = None
        self._attributes: list[Any] | None = None
        self._started_before = False
        self._has_ended = False

    @property
    def is_running(self) -> bool:
        """Whether keys are being read and frames written."""
        return self._output is not None

    @property
    def is_stalled(self) -> bool:
        """Whether frames are being dropped, because the terminal does not take them."""
        return self._output is not None and self._output.is_dropping

    def write(self, data: str) -> None:
        """Hand `data` to the writer; while the terminal is lent to an editor there is none, and it is dropped."""
        self.offer(data)

    def offer(self, data: str) -> bool:
        """Hand `data` to the writer; return whether it was accepted."""
        return self._output is not None and self._output.write(data.encode(self._encoding, "replace"))

    def start_application_mode(self) -> None:
        """Take the terminal: start the threads, switch to the alternate screen, and draw what is current."""
        if self._output is not None or self._has_ended:
            return
        self._output = TerminalWriter(
            _STDERR,
            on_drained=partial(self._in_loop, self._owner.repaint),
            on_gone=partial(self._in_loop, self._owner.terminal_gone),
        )
        self._output.start()
        if not self._started_before:
            self.write(ERASE_LINE)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        # A killed editor leaves its own modes behind: what the terminal was before the console counts.
        if self._attributes is None:
            self._attributes = self.attrs_before
        self.attrs_before = self._attributes
        if self._started_before:
            self._in_loop(self._owner.repaint)
        self._started_before = True

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was, ahead of frames that a stalled line has not taken yet."""
        if self._output is None:
            # The application ends while an editor has the terminal; it must not be taken back for the editor's end.
            self._has_ended = True
        else:
            self._output.make_way()
        self.write(_END_SYNCHRONISED_UPDATE)
        super().stop_application_mode()

    def close(self) -> None:
        """End the writers; a stalled line delays this by a second at most, a closed one not at all."""
        super().close()
        if self._output is not None:
            self._output.close(CLOSE_WITHIN)
            self._output = None

    def run_input_thread(self) -> None:
        """Read keys until told to end, or until the terminal is gone, which reads as the end of the file or EIO."""
        parser = XTermParser(self._debug)
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(_POLL):
                    data = self._read()
                    if not data:
                        self._in_loop(self._owner.terminal_gone)
                        return
                    for message in parser.feed(decode(data)):
                        self.process_message(message)
                for message in parser.tick():
                    self.process_message(message)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, 4096)
        except OSError:
            return b""

    def _run_input_thread(self) -> None:
        """Run the input thread, and hand whatever it dies of to the application."""
        try:
            self.run_input_thread()
        except Exception as error:  # noqa: BLE001  the boundary of a thread: nobody else would ever see it
            self._in_loop(partial(self._owner.unexpected, error, "reading the keyboard"))

    def _sigcont_application(self, *_: object) -> None:
        """Take the terminal again after a stop, and only then.

        The kernel pairs the SIGHUP of a hang-up with a SIGCONT, upon which Textual would start a second input
        thread and a second writer. After a SIGSTOP, of which nobody is told, the picture is drawn anew.
        """
        if not self._auto_restart:
            return
        if self._output is None:
            self._in_loop(self.resume_application_mode)
        elif self._in_foreground():
            self._in_loop(self._reassert)

    def _in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self.fileno) == os.getpgrp()
        except OSError:
            return False

    def _reassert(self) -> None:
        """Take the terminal again without having given it back: a shell had it while this process was stopped."""
        if self._output is not None:
            self.stop_application_mode()
            self.close()
            self.start_application_mode()

    def _in_loop(self, call: Callable[[], object]) -> None:
        """Make the event loop call `call`, from whichever thread or signal handler, if it still runs."""
        try:
            self._loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop is closed: there is nobody left to tell
            return
