"""What is said between the tests of hostile sources and the process that measures them (hostile_main)."""

import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One checklist to be measured."""

    checklist: str
    """Its file."""
    config: str
    """The file of the sources that it names."""
    directory: str
    """Where a record may be kept meanwhile."""
    programs: str = ""
    """The only directory in which programs are found; empty for those of the host."""
    environment: dict[str, str] = {}
    at_most: float = 30.0
    """Seconds after which the measuring process is ended, whatever it does."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What one item came to."""

    item: str
    outcome: str
    green: bool
    reason: str
    """Of the problem, empty where there is a reading."""
    cause: str
    """Of the problem, else the summary of the judgement."""
    seconds: float


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What measuring came to and what it took."""

    found: list[Found] = []
    seconds: float = 0.0
    grown_kib: int = 0
    """How much more memory the process had at most than before (peak resident set)."""
    of_children_kib: int = 0
    """How much more than that the largest process that it started had."""
    descriptors_left: int = 0
    processes_left: int = 0
    traceback: str = ""
    """Of the measuring process itself, which should never be there."""


class Measurer:
    """The measuring process; it is started once for many tasks."""

    def __init__(self) -> None:
        tests = Path(__file__).resolve().parents[1]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.hostile_main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=tests,
            env={**os.environ, "PYTHONPATH": str(tests), "OPSCONSOLE_STATE": ""},
            start_new_session=True,
        )

    def measured(self, task: Task) -> Told:
        """Have a checklist measured."""
        told, asked = self._process.stdout, self._process.stdin
        assert told is not None
        assert asked is not None
        asked.write(msgspec.json.encode(task) + b"\n")
        asked.flush()
        assert select.select([told], [], [], task.at_most + 30)[0], "the measuring process does not answer"
        return msgspec.json.decode(told.readline(), type=Told)

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def measuring() -> Iterator[Measurer]:
    """Have a measuring process for the length of the block."""
    measurer = Measurer()
    try:
        yield measurer
    finally:
        measurer.close()
