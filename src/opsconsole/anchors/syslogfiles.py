"""Reads what syslog daemons keep in files: the present one and those that logrotate has put aside."""

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

from opsconsole.contracts.anchor import AnchorError

NAMES = ("auth.log", "secure", "syslog", "messages")
"""Where Debian and Red Hat put the facility authpriv, and the rest of them everything."""
MOST_BYTES = 256 << 20
"""Of one file, unpacked: older logs than these are told to be unread."""
_LONGEST_LINE = 1 << 16


def lines_of(files: Iterable[Path], identifier: str, unseen: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the lines that hold `identifier[`, each with where it stands; put what cannot be read into `unseen`."""
    wanted = f"{identifier}[".encode()
    for path in files:
        try:
            yield from _matching(path, wanted)
        except PermissionError:
            unseen.append(f"this account may not read {path}")
        except (OSError, EOFError, zlib.error, AnchorError) as error:
            unseen.append(f"{path} cannot be read: {error}")


def log_files(directory: Path) -> list[Path]:
    """Return the files that a syslog daemon may have put authpriv into, of each the present one first."""
    found: list[Path] = []
    for name in NAMES:
        with contextlib.suppress(OSError):
            found += sorted(each for each in directory.glob(f"{name}*") if _is_log(each, name))
    return found


def _is_log(path: Path, name: str) -> bool:
    rest = path.name.removeprefix(name).removesuffix(".gz")
    return path.is_file() and (not rest or (rest[0] in ".-" and rest[1:].isdigit()))


def _matching(path: Path, wanted: bytes) -> Iterator[tuple[str, str]]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as raw:
        file = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw)
        read = number = 0
        while line := file.readline(_LONGEST_LINE):
            number += 1
            read += len(line)
            if read > MOST_BYTES:
                raise AnchorError(f"only its first {MOST_BYTES >> 20} MiB were")
            if wanted in line:
                yield f"{path} line {number}", line.decode("utf-8", "backslashreplace").rstrip("\n")
