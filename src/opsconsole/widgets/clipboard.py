"""Copying a text to where the operator can paste it: the terminal's clipboard by OSC 52, and tmux's buffer.

OSC 52 is xterm's (https://invisible-island.net/xterm/ctlseqs/ctlseqs.html, "Manipulate Selection Data"). Nobody
answers it: a terminal that does not allow it, or a multiplexer on the way that keeps it, shows nothing. So
nobody is ever told that something *was* copied, unless tmux itself took it.
"""

import asyncio
import base64
import contextlib
from collections.abc import Mapping
from enum import StrEnum

from opsconsole.model.text import visible

LIMIT = 74_994
"""Bytes that fit into the longest OSC 52 that terminals are known to take, 100,000 bytes of base64 and frame."""

_TMUX_WITHIN = 3.0
"""Seconds that tmux may take to accept a text."""
_SCREEN_CHUNK = 250
"""Bytes of a control string that GNU screen passes on at once; it gives up on longer ones."""


class Route(StrEnum):
    """Which way a text goes to the clipboard."""

    TERMINAL = "terminal"
    """Straight to the terminal."""
    TMUX = "tmux"
    """By tmux, of which this process is a child."""
    TMUX_BEYOND = "tmux-beyond"
    """By a tmux on the operator's side of the connection: it cannot be asked, only written to."""
    SCREEN = "screen"
    """By GNU screen."""
    NONE = "none"
    """The terminal has no clipboard."""


def route(environ: Mapping[str, str]) -> Route:
    """Return which way a text has to go, as far as the environment tells; TMUX is that of the innermost session."""
    term = environ.get("TERM", "")
    if term.startswith("linux"):
        return Route.NONE
    if environ.get("TMUX") and not environ.get("STY"):
        return Route.TMUX
    if environ.get("STY") and not environ.get("TMUX"):
        return Route.SCREEN
    return Route.TMUX_BEYOND if term.startswith("tmux") else Route.TERMINAL


def clipboard_codes(text: str, by: Route) -> str:
    """Return the control codes that ask the terminal to put `text` on its clipboard.

    A tmux drops plain OSC 52 unless its `set-clipboard` is on, and what is wrapped for the terminal behind it
    unless its `allow-passthrough` is: it gets both, which at most do the same twice.
    """
    plain = f"\x1b]52;c;{base64.b64encode(text.encode('utf-8', 'replace')).decode()}\a"
    if by is Route.NONE:
        return ""
    if by in {Route.TMUX, Route.TMUX_BEYOND}:
        doubled = plain.replace("\x1b", "\x1b\x1b")
        return f"{plain}\x1bPtmux;{doubled}\x1b\\"
    if by is Route.SCREEN:
        chunks = (plain[at : at + _SCREEN_CHUNK] for at in range(0, len(plain), _SCREEN_CHUNK))
        return "".join(f"\x1bP{chunk}\x1b\\" for chunk in chunks)
    return plain


def refusal(text: str) -> str:
    """Return why `text` must not be pasted anywhere, empty where it may be.

    A control character in it could end the paste and go on as keys, whatever the terminal brackets.
    """
    if not text.strip():
        return "there is nothing in it"
    hidden = {char for char in text if char != "\n" and visible(char) != char}
    if hidden:
        return f"it holds {', '.join(sorted(map(visible, hidden))[:3])}, which could steer a terminal"
    if len(text.encode("utf-8", "replace")) > LIMIT:
        return f"it is longer than the {LIMIT:,} bytes that terminals take"
    return ""


async def give_to_tmux(text: str) -> bool:
    """Put `text` into a new buffer of the tmux around this process, and on its clipboard; return whether it did.

    Its own `set-clipboard` decides about the clipboard: `external`, the default, and `on` pass it to the terminal.
    """
    # -w came with tmux 3.2: an older one refuses it, and has at least the buffer.
    return await _tmux(text, "load-buffer", "-w", "-") or await _tmux(text, "load-buffer", "-")


async def _tmux(text: str, *words: str) -> bool:
    nothing = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            "tmux", *words, stdin=asyncio.subprocess.PIPE, stdout=nothing, stderr=nothing
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(_TMUX_WITHIN):
            await process.communicate(text.encode())
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode == 0
