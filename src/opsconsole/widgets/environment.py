"""What the terminal can show, and what must be settled before Textual is imported.

Textual reads its settings from the environment while it is being imported, and draws on standard error. This
module imports neither Textual nor Rich, so that the command line can refuse a terminal, or say that it is
starting, in a few milliseconds.
"""

import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Self, TextIO

DEFAULT_THEME = "ansi-dark"
"""Textual's theme of the terminal's own colours: it fits light and dark ones, and needs half the bytes."""

ERASE_LINE = "\r\x1b[K"
"""Takes a line of text, such as the splash, off the screen again (ECMA-48: CR, EL)."""

_STDIN = 0
_STDERR = 2

_FORCED = {
    "TEXTUAL_ANIMATIONS": "none",  # every frame of an animation would cross the line
    "TEXTUAL_SMOOTH_SCROLL": "0",
    "TEXTUAL_DISABLE_KITTY_KEY": "1",  # a dropped connection would leave the operator's own shell in that mode
}
_PREFERRED = {
    "ESCDELAY": "300",  # milliseconds; over a slow line the parts of one key arrive apart
    "TEXTUAL_FPS": "30",
    "TEXTUAL_THEME": DEFAULT_THEME,
}
_INCAPABLE = frozenset({"dumb", "unknown", "network"})
"""Names that terminfo gives to lines without a movable cursor."""


def no_color_asked(environ: Mapping[str, str]) -> bool:
    """Return whether NO_COLOR asks for no colour: present and not empty, as https://no-color.org says."""
    return environ.get("NO_COLOR", "") != ""


def prepare(environ: MutableMapping[str, str]) -> None:
    """Settle in `environ` (os.environ) what Textual reads on import: stillness, key delays, the theme.

    The operator's own ESCDELAY, TEXTUAL_FPS and TEXTUAL_THEME are kept, except that NO_COLOR needs the theme that
    has no colours of its own. Call it before anything imports Textual; it has no effect afterwards.
    """
    environ.update(_FORCED)
    for name, value in _PREFERRED.items():
        environ.setdefault(name, value)
    if no_color_asked(environ):
        environ["TEXTUAL_THEME"] = DEFAULT_THEME
    else:
        environ.pop("NO_COLOR", None)  # Textual takes an empty one for a request


def refusal(environ: Mapping[str, str], isatty: Callable[[int], bool] = os.isatty) -> str | None:
    """Return why the console cannot be drawn here and what to do instead, or None where it can.

    Keys come from standard input and the picture goes to standard error, so both must be terminals; standard
    output may be redirected.
    """
    term = environ.get("TERM", "").strip().lower()
    if not isatty(_STDIN):
        problem = "standard input is not a terminal"
    elif not isatty(_STDERR):
        problem = "standard error, on which the console is drawn, is not a terminal"
    elif not term:
        problem = "the environment does not say which terminal this is (TERM is not set)"
    elif term in _INCAPABLE:
        problem = f"this terminal cannot move its cursor (TERM={term})"
    else:
        return None
    return f"The console cannot be shown: {problem}. To run a checklist without it: opsconsole run ID --headless"


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the terminal can show."""

    ascii: bool = False
    """Only ASCII can be shown: the locale is not UTF-8, or the operator asked for it."""
    no_color: bool = False
    """No colour may be sent (NO_COLOR)."""

    @classmethod
    def detect(cls, environ: Mapping[str, str], *, ascii_asked: bool = False) -> Self:
        """Return what the terminal of this process can show, from its environment and the `--ascii` option."""
        return cls(
            ascii=ascii_asked or not is_utf8(declared_locale(environ)),
            no_color=no_color_asked(environ),
        )


def is_utf8(locale_name: str) -> bool:
    """Return whether a locale's name says UTF-8: `C.utf8`, `de_DE.UTF-8@euro`, `UTF-8`."""
    codeset = locale_name.partition("@")[0].rpartition(".")[2]
    return codeset.lower().replace("-", "") == "utf8"


def declared_locale(environ: Mapping[str, str]) -> str:
    """Return the locale the operator's environment declares for characters, `C` where it declares none.

    The name counts, not what the C library made of it: over SSH the declared locale describes the terminal even
    where this host has no such locale installed. Precedence as in locale(7): LC_ALL, LC_CTYPE, LANG.
    """
    ctype = environ.get("LC_CTYPE", "")
    if ctype == "C.UTF-8" and _is_coerced():
        ctype = _initial_environ().get("LC_CTYPE", "")
    return environ.get("LC_ALL") or ctype or environ.get("LANG") or "C"


def _is_coerced() -> bool:
    """Return whether the interpreter may have set LC_CTYPE itself, having started in the C locale (PEP 538)."""
    return bool(sys.flags.utf8_mode) and not sys.flags.ignore_environment


def _initial_environ() -> dict[str, str]:
    """Return the environment this process was started with, before anything in it changed any of it (proc(5))."""
    try:
        with open("/proc/self/environ", "rb") as block:  # noqa: PTH123  pathlib would be imported for nothing
            entries = block.read().split(b"\0")
    except OSError:
        return {}
    pairs = (os.fsdecode(entry).partition("=") for entry in entries)
    return {name: value for name, _, value in pairs}


def show_splash(text: str, stream: TextIO) -> None:
    """Write one short line, without a line end, that says the console is starting.

    The first frame is half a second away; the driver takes the line off again before it draws.
    """
    stream.write(f"\r{text[:60]}")
    stream.flush()


def clear_splash(stream: TextIO) -> None:
    """Take the splash off again, where the console is not going to be drawn after all."""
    stream.write(ERASE_LINE)
    stream.flush()
