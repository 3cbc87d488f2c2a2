"""Reads the text of a file that a person wrote, and refuses anything else before it can do harm.

The limits keep hostile or mistaken files (a log, a device, a core dump) from costing time or memory.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from opsconsole.config.diagnostics import WHOLE, Report
from opsconsole.config.trust import untrusted

MAX_BYTES = 256 * 1024
MAX_LINE = 2000
"""Characters."""

_BOMS = {b"\xef\xbb\xbf": "UTF-8", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_text(path: Path, report: Report, *, check_trust: bool = True, max_line: int = MAX_LINE) -> str | None:
    """Return the text of `path`, or None with what is wrong in `report`.

    `check_trust` refuses files that others can change (see `trust.untrusted`); what comes with the program needs
    no such check, it is as trusted as the program's code.
    """
    if check_trust and (reason := untrusted(path)) is not None:
        report.error(WHOLE, reason)
        return None
    try:
        content = _content(path)
    except OSError as error:
        report.error(WHOLE, _unreadable(error))
        return None
    except ValueError as error:
        report.error(WHOLE, str(error))
        return None
    return _text(content, report, max_line)


def is_directory(path: Path) -> bool:
    """Return whether `path` is a directory that can be looked at."""
    return _is(stat.S_ISDIR, path)


def is_file(path: Path) -> bool:
    """Return whether `path` is a regular file that can be looked at."""
    return _is(stat.S_ISREG, path)


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """Ask what pathlib asks, without raising where a directory on the way may not be entered."""
    try:
        return kind(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def _content(path: Path) -> bytes:
    """Return the bytes of a regular file; opening a pipe would wait, and opening a device can do anything."""
    _refuse_special(path.stat().st_mode)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        _refuse_special(os.fstat(descriptor).st_mode)
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"is larger than {MAX_BYTES // 1024} kB, so it is not read")
    return content


def _refuse_special(mode: int) -> None:
    for is_kind, name in _KINDS:
        if is_kind(mode):
            raise ValueError(f"is {name}, not a file")


def _unreadable(error: OSError) -> str:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "there is no such file"
        case PermissionError():
            return "may not be read: permission denied"
        case _:
            return f"cannot be read: {error.strerror or error}"


def _text(content: bytes, report: Report, max_line: int) -> str | None:
    for mark, encoding in _BOMS.items():
        if content.startswith(mark):
            report.error(WHOLE, f"starts with a byte order mark ({encoding}); save it as UTF-8 without one")
            return None
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        report.error(WHOLE, f"is not UTF-8: byte 0x{content[error.start]:02x}", line=line)
        return None
    if "\0" in text:
        report.error(WHOLE, "holds a NUL byte, so it is no text", line=text[: text.index("\0")].count("\n") + 1)
        return None
    if len(text) > max_line:
        for number, line_text in enumerate(text.split("\n"), 1):
            if len(line_text) > max_line:
                report.error(WHOLE, f"the line is longer than {max_line:,} characters", line=number)
                return None
    return text
