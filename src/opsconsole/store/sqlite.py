"""The record in one SQLite file: the store of a single host and account."""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from opsconsole.contracts.store import Extract, Head, Health, Link, RunKey, Verified
from opsconsole.model.events import Event, Stored
from opsconsole.store import rows
from opsconsole.store.admitting import refuse_mixture, refuse_unbound, refuse_unfit
from opsconsole.store.backup import copy_database
from opsconsole.store.connection import connect, immediate
from opsconsole.store.database import Database
from opsconsole.store.documents import Entry, entry_of, without_repetition
from opsconsole.store.durability import durability
from opsconsole.store.files import sync_directory
from opsconsole.store.health import findings
from opsconsole.store.migrations import MIGRATIONS
from opsconsole.store.presence import FilePresence
from opsconsole.store.turns import turn
from opsconsole.store.verifying import verified
from opsconsole.store.versions import Migration
from opsconsole.store.watching import SqliteWatch

LOCK_TIMEOUT = 30.0
"""Seconds that a call waits for other processes before it gives up."""


class SqliteStore:
    """A Store (see contracts) in the file `path`.

    The file is created where it is missing, unless `create` is false, and brought up to date after a backup of it.
    A store is safe to use from several threads, a file from several stores and processes. Opening raises StoreError
    for a place or file that is unfit, StoreUnavailable for one that cannot be used now.
    """

    def __init__(
        self,
        path: Path,
        *,
        create: bool = True,
        wal: bool = False,
        lock_timeout: float = LOCK_TIMEOUT,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        self._database = Database(
            path,
            create=create,
            settings=durability(sqlite3.sqlite_version_info, wal=wal),
            lock_timeout=lock_timeout,
            migrations=migrations,
        )
        self._store_id = self._database.attempt(rows.birth_of).store_id

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def store_id(self) -> str:
        """A UUID made when the store was created."""
        return self._store_id

    @property
    def location(self) -> str:
        """The path of the file."""
        return str(self._database.path)

    def append(self, events: Sequence[Event], *, after: int | None = None) -> list[Stored]:
        """Append all `events` of one run in one durable transaction, or none (see Store.append)."""
        entries = [entry_of(event) for event in events]
        if not entries:
            return []
        refuse_mixture(entries)
        return self._database.attempt(partial(self._append, entries=entries, after=after))

    def _append(self, connection: sqlite3.Connection, entries: Sequence[Entry], after: int | None) -> list[Stored]:
        directory = self._database.path.parent
        with turn(directory, timeout=self._database.lock_timeout), immediate(connection):
            found = (rows.stored_already(connection, entry) for entry in entries)
            stored = {each.event.id: each for each in found if each is not None}
            fresh = without_repetition([entry for entry in entries if entry.facts.id not in stored])
            standing = rows.standing_of(connection, entries[0].facts.run)
            if fresh:
                refuse_unfit(standing, fresh, after)
            head, last = rows.last_link(connection), standing.last_seq
            for entry in fresh:
                refuse_unbound(entry, head, last, self._store_id, rows.hashes_of(connection))
                added = rows.insert(connection, entry, head)
                stored[added.event.id] = added
                head, last = Head(added.seq, added.hash), added.seq
        if len(fresh) < len(entries):
            # The attempt that stored the others may have died before the removal of its journal was synced.
            sync_directory(directory)
        self._database.refuse_lost_file()
        return [stored[entry.facts.id] for entry in entries]

    def events(self, run: str, *, after: int = 0) -> list[Stored]:
        """Return the events of a run in order; raise StoreError where one is not what was stored."""
        return self._database.attempt(partial(rows.events_of, run=run, after=after))

    def links(self, run: str = "", *, after: int = 0, evidence: bool = False) -> Iterator[Link]:
        """Yield the events of a run, or of all, exactly as they are stored, without looking at them."""
        page = rows.PAGE
        while page == rows.PAGE:
            found = self._database.attempt(partial(rows.links_of, run=run, after=after, evidence=evidence))
            yield from found
            page = len(found)
            after = found[-1].seq if found else after

    def extracts(self, checklist: str, kinds: Collection[str], *, after: int = 0) -> Iterator[Extract]:
        """Yield the events of some kinds of all runs of a checklist beyond seq `after`, in order."""
        seqs = self._database.attempt(
            partial(rows.seqs_of_kinds, checklist=checklist, kinds=tuple(kinds), after=after)
        )
        for start in range(0, len(seqs), rows.PAGE):
            page = seqs[start : start + rows.PAGE]
            yield from self._database.attempt(partial(rows.extracts_of, seqs=page))

    def birth(self) -> bytes:
        """Return the exact bytes of the birth document."""
        return self._database.attempt(rows.birth_of).document

    def remove_evidence(self, run: str, through_seq: int) -> int:
        """Remove the evidence texts of a run up to a seq, after a `pruned` event that tells it."""

        def removed(connection: sqlite3.Connection) -> int:
            with immediate(connection):
                return rows.remove_texts(connection, run, through_seq)

        return self._database.attempt(removed)

    def last_seq(self, run: str) -> int:
        """Return the seq of a run's last event, 0 where it has none."""
        return self._database.attempt(partial(rows.standing_of, run=run)).last_seq

    def runs(self, checklist: str = "", *, limit: int = 0, with_actions: bool = False) -> list[RunKey]:
        """Return the runs there are, of one checklist if named: latest end of period first."""
        wanted = partial(rows.runs_of, checklist=checklist, limit=limit, with_actions=with_actions)
        return self._database.attempt(wanted)

    def head(self) -> Head:
        """Return the end of the chain; seq 0 and the hash of the birth document for an empty store."""
        return self._database.attempt(rows.last_link)

    def verify(self) -> Verified:
        """Walk the whole chain over the exact stored bytes, then let SQLite check the file.

        A tail that was cut off leaves a chain that is sound in itself: see `holds`.
        """
        return self._database.attempt(partial(verified, migrations=self._database.migrations))

    def holds(self, head: Head) -> bool:
        """Return whether the chain has this link: for heads that were noted elsewhere.

        Together with `verify` it finds what no chain can show by itself: a cut-off tail, a chain hashed anew from
        some event on, another store, an older copy put back.
        """
        return self._database.attempt(lambda connection: rows.hashes_of(connection)(head.seq) == head.hash)

    def watch(self) -> SqliteWatch:
        """Return what tells when something was stored, by any process."""
        database = self._database
        return SqliteWatch(lambda: connect(database.path, lock_timeout=0.0), database.path)

    def enter(self, run: str, who: str) -> FilePresence:
        """Show the others on this host that `who` is in a run from now on."""
        return FilePresence(self._database.path.parent / "present", run, who)

    def health(self) -> list[Health]:
        """Return what `doctor` tells about the file and its surroundings."""
        database = self._database
        return database.attempt(
            partial(findings, path=database.path, settings=database.settings, migrations=database.migrations)
        )

    def backup_to(self, target: Path) -> Head:
        """Write a checked copy of the record to the new file `target`; return the end of its chain."""
        return self._database.attempt(
            lambda _: copy_database(
                self._database.path, target.absolute(), lock_timeout=self._database.lock_timeout
            )
        )

    def close(self) -> None:
        """End the connection; every later call raises StoreUnavailable."""
        self._database.close()
