"""Where events wait that the store could not take: a file beside it, or in the run-time directory."""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from opsconsole.model.encoding import canonical, decoded
from opsconsole.model.events import Event


class Spill:
    """One file of JSON lines for each run, in the first of `directories` that can be written."""

    def __init__(self, directories: Sequence[Path]) -> None:
        self._directories = tuple(directories)

    def write(self, run: str, events: Sequence[Event]) -> Path | None:
        """Replace the spilled events of `run`; return the file, None where no directory could be written."""
        content = b"".join(canonical(event) + b"\n" for event in events)
        for directory in self._directories:
            try:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                return _replaced(directory / f"{run}.jsonl", content)
            except OSError:
                continue
        return None

    def read(self, run: str) -> list[Event]:
        """Return the events that an earlier process of this user could not save, without a cut-off last line."""
        found: list[Event] = []
        for directory in self._directories:
            path = directory / f"{run}.jsonl"
            if not path.is_file() or path.is_symlink() or path.stat().st_uid != os.getuid():
                continue
            for line in path.read_bytes().splitlines():
                with contextlib.suppress(msgspec.ValidationError, msgspec.DecodeError):
                    found.append(decoded(line, Event))
        return found

    def clear(self, run: str) -> None:
        """Remove the spilled events of `run`, which are in the store now."""
        for directory in self._directories:
            with contextlib.suppress(OSError):
                (directory / f"{run}.jsonl").unlink()


def _replaced(path: Path, content: bytes) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    return path
