"""What an exporter is: it turns a run into one document, and touches nothing."""

import datetime as dt
from typing import Protocol

import msgspec

from opsconsole.contracts.store import Head
from opsconsole.model.events import Stored
from opsconsole.model.qualifications import DayOfMonitoring
from opsconsole.model.runs import RunState


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an export of one run needs. The same report gives the same document, byte for byte."""

    state: RunState
    head: Head
    """The end of the store's chain when the export was made: with it the document is an anchor of the chain."""
    store_id: str
    store_location: str = ""
    """Where the store is, for a person; left out of the document where empty."""
    exported_at: dt.datetime | None
    """Aware; shown in UTC and in the zone of the run. None in a record, which is the same whenever written."""
    version: str
    """Of opsconsole."""
    monitoring: DayOfMonitoring | None = None
    """Which day of its qualification the run is; None where the checklist has none."""
    events: tuple[Stored, ...] = ()
    """The events of the run, for the trail of who did what: it shows also what was changed or taken back later.
    Documents made without them have no trail."""
    colour: bool = False
    """Whether the reader is a terminal that shows colours; used by the text format only."""


class Exporter(Protocol):
    """One format."""

    @property
    def name(self) -> str:
        """What `--format` calls it."""
        ...

    @property
    def suffix(self) -> str:
        """The end of a file's name, with its dot: `.md`."""
        ...

    def render(self, report: Report) -> str:
        """Return the whole document, with a final newline, for any run whatever its sources brought back."""
        ...
