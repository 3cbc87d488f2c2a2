"""The record in a PostgreSQL database: the store that several hosts and people share."""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from opsconsole.contracts.store import Extract, Head, Health, Link, RunKey, Verified
from opsconsole.model.events import Event, Stored
from opsconsole.store import postgres_rows as rows
from opsconsole.store.admitting import refuse_mixture, refuse_unbound, refuse_unfit
from opsconsole.store.copying import copy_chain
from opsconsole.store.documents import Entry, entry_of, without_repetition
from opsconsole.store.postgres_connection import APPENDING, MIGRATING, Connection, Questions, Server, beginning
from opsconsole.store.postgres_database import PostgresDatabase
from opsconsole.store.postgres_health import findings
from opsconsole.store.postgres_presence import SessionPresence
from opsconsole.store.postgres_roles import grant
from opsconsole.store.postgres_schema import MIGRATIONS
from opsconsole.store.postgres_verifying import verified
from opsconsole.store.postgres_watching import PostgresWatch
from opsconsole.store.sqlite_intake import sqlite_intake
from opsconsole.store.versions import Migration

LOCK_TIMEOUT = 30.0
"""Seconds that a call waits for other sessions before it gives up."""


class PostgresStore:
    """A Store (see contracts) in the schema `opsconsole` of the database that `dsn` names.

    `dsn` is a libpq connection string or URL; the password comes from where libpq finds it (PGPASSFILE, a service).
    The schema is made where it is missing, by a role that owns the database or may create in it, unless `create` is
    false, and upgraded by its owner alone. A store is safe to use from several threads, a database from any number
    of stores. Opening raises StoreError for a database that is unfit, StoreUnavailable for one that cannot be used
    now, or where another role has to make the record first.
    """

    def __init__(
        self,
        dsn: str,
        *,
        create: bool = True,
        lock_timeout: float = LOCK_TIMEOUT,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        self._database = PostgresDatabase(
            Server.of(dsn), create=create, lock_timeout=lock_timeout, migrations=migrations
        )
        try:
            self._store_id = self._database.attempt(rows.birth_of).store_id
        except BaseException:
            self._database.close()
            raise

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
        """The server and the database."""
        return str(self._database.server)

    def append(self, events: Sequence[Event], *, after: int | None = None) -> list[Stored]:
        """Append all `events` of one run in one durable transaction, or none (see Store.append)."""
        entries = [entry_of(event) for event in events]
        if not entries:
            return []
        refuse_mixture(entries)
        return self._database.attempt(partial(self._append, entries=entries, after=after))

    def _append(self, connection: Connection, entries: Sequence[Entry], after: int | None) -> list[Stored]:
        """Append in two round trips: lock and look, then add and commit."""
        with beginning(connection, lock=APPENDING, lock_timeout=self._database.time_left) as ahead:
            asked = rows.ask_before(ahead, entries)
        before = asked()
        stored = dict(before.known)
        fresh = without_repetition([entry for entry in entries if entry.facts.id not in stored])
        if not fresh:
            connection.rollback()
            return [stored[entry.facts.id] for entry in entries]
        refuse_unfit(before.standing, fresh, after)
        self._add(connection, before, fresh, stored)
        return [stored[entry.facts.id] for entry in entries]

    def _add(
        self, connection: Connection, before: rows.Before, fresh: Sequence[Entry], stored: dict[str, Stored]
    ) -> None:
        head, last, stored_hash = before.head, before.standing.last_seq, rows.hashes_of(connection)
        hashes: dict[int, str] = {}
        additions = Questions(connection)
        for entry in fresh:
            refuse_unbound(entry, head, last, self._store_id, lambda seq: hashes.get(seq) or stored_hash(seq))
            added = rows.insert(additions, entry, head)
            stored[added.event.id] = added
            hashes[added.seq] = added.hash
            head, last = Head(added.seq, added.hash), added.seq
        additions.ask("COMMIT")
        additions.send()

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
        page = rows.PAGE
        while page == rows.PAGE:
            found = self._database.attempt(
                partial(rows.extracts_of, checklist=checklist, kinds=tuple(kinds), after=after)
            )
            yield from found
            page = len(found)
            after = found[-1].seq if found else after

    def birth(self) -> bytes:
        """Return the exact bytes of the birth document."""
        return self._database.attempt(rows.birth_of).document

    def remove_evidence(self, run: str, through_seq: int) -> int:
        """Remove the evidence texts of a run up to a seq, after a `pruned` event that tells it."""

        def removed(connection: Connection) -> int:
            with beginning(connection, lock=APPENDING, lock_timeout=self._database.time_left):
                pass
            count = rows.remove_texts(connection, run, through_seq)
            connection.execute("COMMIT")
            return count

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
        """Walk the whole chain over the exact stored bytes as of one moment, then look at the schema around it.

        A tail that was cut off leaves a chain that is sound in itself: see `holds`.
        """
        return self._database.attempt(verified)

    def holds(self, head: Head) -> bool:
        """Return whether the chain has this link: for heads that were noted elsewhere (see SqliteStore.holds)."""
        return self._database.attempt(lambda connection: rows.hashes_of(connection)(head.seq) == head.hash)

    def watch(self) -> PostgresWatch:
        """Return what tells when something was stored, on whatever host."""
        return PostgresWatch(self._database.server, patience=self._database.lock_timeout)

    def enter(self, run: str, who: str) -> SessionPresence:
        """Show the others that `who` is in a run from now on, on whatever host."""
        return SessionPresence(self._database.server, run, who, patience=self._database.lock_timeout)

    def health(self) -> list[Health]:
        """Return what `doctor` tells about the server, the schema and this role's rights."""
        return self._database.attempt(findings)

    def backup_to(self, target: Path) -> Head:
        """Write a checked copy of the record to the new SQLite file `target`; return the end of its chain."""
        with sqlite_intake(target.absolute(), self.birth()) as intake:
            return copy_chain(self, intake)

    def close(self) -> None:
        """End the connection; every later call raises StoreUnavailable."""
        self._database.close()


def granted(dsn: str, *, lock_timeout: float = LOCK_TIMEOUT) -> tuple[str, ...]:
    """Give the roles of a record their rights again, as its owner; return those roles that the server lacks."""
    database = PostgresDatabase(Server.of(dsn), create=False, lock_timeout=lock_timeout, migrations=MIGRATIONS)

    def given(connection: Connection) -> tuple[str, ...]:
        with beginning(connection, lock=MIGRATING, lock_timeout=database.time_left):
            pass
        missing = grant(connection)
        connection.execute("COMMIT")
        return tuple(missing)

    try:
        return database.attempt(given)
    finally:
        database.close()
