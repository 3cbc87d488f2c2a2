"""What a demo of one system is: its checklists, what they look at, and what can be wrong with that."""

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from opsconsole.contracts.probe import Source


class DemoFault(StrEnum):
    """One thing that can be wrong with a system; each system has members of its own."""

    description: str
    """What happened, in a sentence without its full stop."""
    shown_by: str
    """The checklist that sees it, where that is not the system's first one."""

    def __new__(cls, value: str, description: str, shown_by: str = "") -> Self:
        """Make a member of its name on the command line, its description, and the checklist to look at."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        member.shown_by = shown_by
        return member


def _always(_moment: dt.datetime) -> None:
    """Change nothing: the system keeps its own past."""


@dataclass(frozen=True, slots=True)
class Running:
    """A system that runs for as long as the demo does."""

    sources: Mapping[str, Source]
    """Its connections, by the names that the checklists use."""
    notices: tuple[str, ...] = ()
    """What the person should know: sentences without their full stop."""
    places: Mapping[str, Path] = field(default_factory=dict)
    """Directories and files that the checklists name, such as `/var/log/webapp`, and where they are in the demo."""
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Options that are other ones here, by `CHECKLIST/ITEM`."""
    words: Mapping[str, str] = field(default_factory=dict)
    """Parts of conditions that are other ones here, such as the account that writes the logs."""
    at: Callable[[dt.datetime], None] = _always
    """Makes the system as it was at an instant (aware): called before each run of the past, and with the present at
    the end. It was well until then, whatever its fault is."""


@dataclass(frozen=True, slots=True)
class Past:
    """Runs before the demo's own, so that there is something to compare with."""

    checklist: str
    runs: int
    """How many of the due ones before the present one."""
    unmeasured: tuple[str, ...] = ()
    """Items that tell of the moment itself, such as how busy this host is: nobody can measure that afterwards."""
    unseen: tuple[str, ...] = ()
    """Items that look back on runs which this past does not have."""
    unbroken: bool = False
    """A later start fills in those that were due since, `runs` at most; with more, it begins with new records.
    While the console is open, the demo runs each interval's itself, as cron would."""


Run = Callable[[Path, dt.datetime, DemoFault | None], AbstractContextManager[Running]]
"""Runs a system in a directory, with a past up to an instant (aware), and a fault. Raises DemoError."""


@dataclass(frozen=True, slots=True)
class DemoSystem:
    """The demo of one system."""

    faults: type[DemoFault]
    run: Run
    checklists: tuple[str, ...]
    """Those that it shows, in this order; shipped ones."""
    first: str
    """The one that `--headless` runs, unless a fault shows in another one."""
    last: str
    """Who has signed this one has seen it all: the next demo begins with new records."""
    past: tuple[Past, ...] = ()
    faulty_past: bool = True
    """Whether there is a past with a fault too: not where `run` breaks the system for good."""
    qualifications: tuple[str, ...] = ()
    skips: frozenset[tuple[str, str]] = frozenset()
    """Probes and reasons of what they cannot see here that make an item SKIPPED instead of ERROR."""
    notices: tuple[str, ...] = ()
    """What the person should know whatever is wrong: sentences without their full stop."""

    def past_of(self, fault: DemoFault | None) -> tuple[Past, ...]:
        """Return the runs before the demo's own."""
        return self.past if fault is None or self.faulty_past else ()

    def last_of(self, fault: DemoFault | None) -> str:
        """Return the checklist that ends a demo when it is signed."""
        return self.last if fault is None else self.first

    def first_of(self, fault: DemoFault | None) -> str:
        """Return the checklist to look at first: with a fault, one that sees it."""
        return self.first if fault is None else fault.shown_by or self.first
