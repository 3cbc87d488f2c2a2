"""What a session tells those who watch it."""

import msgspec

from opsconsole.model.events import Event


class Changed(msgspec.Struct, frozen=True):
    """Events were stored and folded; nothing is announced before it is on disk."""

    items: frozenset[str]
    """Ids of the items they concern; empty where only the run itself changed."""
    others: tuple[Event, ...] = ()
    """Those of the events that this session did not make: other people and processes work on the run too."""


class Progress(msgspec.Struct, frozen=True):
    """An item is being measured now, or no longer is."""

    item: str
    measuring: bool
    done: int
    total: int


class Unsaved(msgspec.Struct, frozen=True):
    """So many events could not be saved; 0 when everything is in the store again."""

    count: int


Change = Changed | Progress | Unsaved
