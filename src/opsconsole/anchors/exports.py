"""The exported day logs and records as anchors: each tells the head of the chain that it was made at."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from opsconsole.contracts.anchor import AnchorError, Kept, Noted
from opsconsole.contracts.store import Head


class Anchored(Protocol):
    """A head as a document tells it."""

    @property
    def store_id(self) -> str:
        """Of which record."""
        ...

    @property
    def seq(self) -> int:
        """Of the last event."""
        ...

    @property
    def hash(self) -> str:
        """Of that event."""
        ...


class ExportsAnchor:
    """An Anchor (see contracts) that is only read: documents get into `directory` by being exported."""

    name = "exports"

    def __init__(
        self, directory: Path, anchors_in: Callable[[Path], Iterable[tuple[str, Anchored]]], *, location: str = ""
    ) -> None:
        """`anchors_in` yields the heads that the documents of a directory hold, and where each stands.

        `location`: of the one record that documents are exported from to this directory; empty where there may be
        several.
        """
        self._directory = directory
        self._anchors_in = anchors_in
        self._location = location

    def keep(self, noted: Noted, record: Path | None) -> None:
        """Do nothing: whoever exports a document keeps its head with it."""

    def kept(self) -> Iterator[Kept]:
        """Yield the head of every document; raises AnchorError where one cannot be read."""
        if not self._directory.is_dir():
            return
        try:
            for where, found in self._anchors_in(self._directory):
                yield Kept(
                    store_id=found.store_id,
                    head=Head(found.seq, found.hash),
                    where=where,
                    store_location=self._location,
                )
        except OSError as error:
            named = error.filename or self._directory
            raise AnchorError(f"{named} cannot be read: {error.strerror}") from error
