"""Reads runs without what looking back has no use for: evidence, and the readings of other items.

A record grows for years: so a year of mornings is read in a tenth of a second, and a definition that hundreds of
runs follow is in memory once.
"""

import datetime as dt
import hashlib
from collections import OrderedDict
from collections.abc import Collection, Iterator

import msgspec

from opsconsole.contracts.store import Link, Store, StoreError
from opsconsole.model.calendar import Times
from opsconsole.model.chain import link_hash
from opsconsole.model.checklists import Checklist
from opsconsole.model.encoding import dec_hook
from opsconsole.model.events import Actor, Event, Opened, Stored
from opsconsole.model.runs import FoldError, RunState, fold

DEFINITIONS = 64
"""Different definitions that are kept; a checklist is edited now and then."""


class _Body(msgspec.Struct, frozen=True):
    type: str
    item: str = ""


class _Peeked(msgspec.Struct, frozen=True):
    body: _Body


class _Owned(msgspec.Struct, frozen=True):
    run: str


class _Opening(msgspec.Struct, frozen=True, tag="opened"):
    """An `Opened` whose definition is not decoded yet."""

    times: Times
    definition: msgspec.Raw
    definition_hash: str
    version: str
    missed: bool = False
    qualified: tuple[dt.date, dt.date] | None = None


class _OpeningEvent(msgspec.Struct, frozen=True):
    id: str
    run: str
    at: dt.datetime
    actor: Actor
    body: _Opening


_OWNED = msgspec.json.Decoder(_Owned)
_PEEKED = msgspec.json.Decoder(_Peeked)
_OPENING = msgspec.json.Decoder(_OpeningEvent, dec_hook=dec_hook)
_EVENT = msgspec.json.Decoder(Event, dec_hook=dec_hook)
_DEFINITION = msgspec.json.Decoder(Checklist, dec_hook=dec_hook)


def _unreadable(link: Link, error: Exception) -> StoreError:
    return StoreError(f"event {link.seq} cannot be read: {error}", "Check the record: opsconsole verify --all")


class SparingReader:
    """Reads runs of a store. What it returns is checked against the chain as the store itself checks it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._definitions: OrderedDict[bytes, Checklist] = OrderedDict()

    def state(self, run: str, item: str = "") -> RunState | None:
        """Return a run, None where there is none; with `item`, as if no other item had been measured."""
        try:
            return fold(self.events(run, item=item))
        except FoldError as error:
            raise StoreError(str(error), "Check the record: opsconsole verify --all") from error

    def events(self, run: str, *, after: int = 0, item: str = "") -> Iterator[Stored]:
        """Yield the events of a run beyond a seq, without evidence texts; raises StoreError for a changed one."""
        for link in self._store.links(run, after=after):
            stored = self._stored(link, item)
            if stored is not None:
                yield stored

    def events_of(self, runs: Collection[str]) -> dict[str, list[Stored]]:
        """Return the events of many runs, in one pass over the record: each would be a question to a server.

        Raises StoreError for a changed one, and for any that does not tell its run.
        """
        found: dict[str, list[Stored]] = {run: [] for run in runs}
        for link in self._store.links():
            try:
                run = _OWNED.decode(link.document).run
            except msgspec.MsgspecError as error:
                raise _unreadable(link, error) from error
            stored = self._stored(link) if run in found else None
            if stored is not None:
                found[run].append(stored)
        return found

    def _stored(self, link: Link, item: str = "") -> Stored | None:
        try:
            event = self._event(link, item)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise _unreadable(link, error) from error
        return Stored(seq=link.seq, event=event, prev=link.prev, hash=link.hash) if event is not None else None

    def _event(self, link: Link, item: str) -> Event | None:
        if link_hash(link.prev, link.document) != link.hash:
            raise ValueError("it was changed after it was stored")
        body = _PEEKED.decode(link.document).body
        if body.type == "opened":
            return self._opened(link.document)
        if item and body.type == "measured" and body.item != item:
            return None
        return _EVENT.decode(link.document)

    def _opened(self, document: bytes) -> Event:
        found = _OPENING.decode(document)
        body = found.body
        opened = Opened(
            times=body.times,
            definition=self._definition(bytes(body.definition)),
            definition_hash=body.definition_hash,
            version=body.version,
            missed=body.missed,
            qualified=body.qualified,
        )
        return Event(id=found.id, run=found.run, at=found.at, actor=found.actor, body=opened)

    def _definition(self, document: bytes) -> Checklist:
        """Return a definition; the same one for the same bytes, whatever hash the event says it has."""
        key = hashlib.sha256(document).digest()
        known = self._definitions.get(key)
        if known is None:
            known = self._definitions[key] = _DEFINITION.decode(document)
            while len(self._definitions) > DEFINITIONS:
                self._definitions.popitem(last=False)
        return known
