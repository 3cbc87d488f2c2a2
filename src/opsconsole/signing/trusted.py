"""Reads files that say who may sign: only where nobody else can change them."""

import os
import stat
from pathlib import Path

from opsconsole.config.trust import untrusted

MAX_BYTES = 4 << 20
"""Thousands of people."""


class Untrusted(Exception):
    """Others can change the file; the message says who, and the command that helps."""


class Unreadable(Exception):
    """The file cannot be read; the message says why."""


def read_trusted(path: Path) -> bytes | None:
    """Return the content of a file, None where there is none; raises Untrusted and Unreadable.

    ssh-keygen takes such a file from anywhere and with any permissions, so they are checked here, up to the root.
    """
    reason = untrusted(path)
    if reason is not None:
        raise Untrusted(f"{path}: {reason}")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise Unreadable(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable(f"{path} is no file")
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        try:
            content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise Unreadable(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise Unreadable(f"{path} is larger than {MAX_BYTES >> 20} MiB, so it is not read")
    return content
