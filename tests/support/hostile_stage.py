"""What a hostile source is set up on, and what is said of each."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from support import hostile_servers as servers
from support.hostile_servers import Talk

ROOM = 24
"""MiB that measuring anything may cost: connections, the event loop, the record."""


JSON = 176
"""MiB where 4 MiB of JSON are a million objects, each of which Python keeps with 64 bytes and more."""


@dataclass(frozen=True)
class Stage:
    """Where a source is set up."""

    directory: Path
    stack: ExitStack

    def served(self, talk: Talk) -> int:
        """Have a server for the length of the case; return its port."""
        return self.stack.enter_context(servers.serving(talk))

    def program(self, name: str, script: str) -> None:
        """Have a program, and no other one, be found."""
        programs = self.directory / "programs"
        programs.mkdir(exist_ok=True)
        path = programs / name
        path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n", encoding="utf-8")
        path.chmod(0o755)


Arrange = Callable[[Stage], dict[str, str]]
"""Sets a source up and returns what stands for @NAME@ in the item."""


@dataclass(frozen=True)
class Case:
    """One thing that one source does."""

    kind: str
    does: str
    """For the page: what the source does."""
    reasons: tuple[str, ...]
    """Of the problem, any of them; `not judged` is a reading that is incomplete, `red` one that is wrong."""
    item: str
    """The keys of the item in TOML."""
    arrange: Arrange = field(compare=False)
    timeout: float = 2.0
    """Seconds, of the item."""
    grows: int = ROOM
    """MiB by which the process may grow."""

    @property
    def name(self) -> str:
        """What the test is called."""
        return f"{self.kind}: {self.does}"
