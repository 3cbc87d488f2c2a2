"""Shows a text alone on the terminal itself, for the mouse to select: no border, no line broken by the console."""

import asyncio
import contextlib
import os
import sys
import termios
from typing import Any

from opsconsole.model.text import visible_lines
from opsconsole.widgets.application import TerminalApp
from opsconsole.widgets.driver import CLOSE_WITHIN
from opsconsole.widgets.writer import TerminalWriter

_STDERR = 2


async def show_alone(app: TerminalApp[Any], head: str, text: str) -> None:
    """Lend the terminal to `text` until the operator presses Enter; what runs in the background goes on.

    The terminal itself wraps a line that is longer than it is wide, so that it is selected and copied as one line;
    in tmux and screen too. What could steer the terminal is spelled out. Await it from a worker. Raises
    textual.app.SuspendNotSupported where the terminal cannot be lent.
    """
    encoding = "ascii" if app.terminal.ascii else "utf-8"
    lines = ["", *visible_lines(head), "", *visible_lines(text), "", "Enter goes back to the console."]
    with app.keyboard_lent(), app.suspend():
        written = await _write("\n".join([*lines, ""]).encode(encoding, "backslashreplace"))
        if written:
            await _enter()
    if not written:
        app.repaint()


async def _write(data: bytes) -> bool:
    """Write `data` to the terminal without ever waiting for the line in the event loop; return whether it went."""
    writer = TerminalWriter(_STDERR, on_drained=_nothing, on_gone=_nothing)
    writer.start()
    writer.write(data)
    return await asyncio.to_thread(writer.close, CLOSE_WITHIN)


async def _enter() -> None:
    """Wait for a line end on the keyboard, or for its end; forget what else was typed or pasted."""
    stdin = sys.__stdin__
    if stdin is None:
        return
    fileno = stdin.fileno()
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def look() -> None:
        try:
            typed = os.read(fileno, 4096)
        except OSError:
            typed = b""
        if (not typed or b"\n" in typed) and not done.done():
            done.set_result(None)

    loop.add_reader(fileno, look)
    try:
        await done
    finally:
        loop.remove_reader(fileno)
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(fileno, termios.TCIFLUSH)


def _nothing() -> None:
    """Do nothing: the writer is only used once."""
