"""A record that is copied from any kind of store to any other: exactly, or not at all."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from opsconsole.config.settings import StorePlace
from opsconsole.contracts.store import Link, RunKey, Store, StoreError, StoreUnavailable
from opsconsole.model.events import Pruned
from opsconsole.model.outcomes import Outcome
from opsconsole.store.postgres_roles import OWNER, WRITER
from opsconsole.wiring.stores import copied, open_store, place_of
from support.events import RUN, event, measurement, note, opening, sign_off
from support.postgres import Postgres
from support.runs import MORNING
from support.store_fixtures import server_of
from support.stores import KINDS, Stores, shared_database, shared_record

OTHER = "host-daily@2026-11-21"


class Target:
    """A place of a kind where no record is yet."""

    def __init__(self, kind: str, directory: Path, postgres: Postgres | None) -> None:
        self.kind = kind
        self.directory = directory / "moved"
        self._postgres = postgres
        self._database = shared_database(postgres) if kind == "postgresql" and postgres else ""

    @property
    def place(self) -> StorePlace:
        """The place, as its owner uses it."""
        if self._postgres is not None and self._database:
            return StorePlace(dsn=self._postgres.dsn(self._database, OWNER))
        return StorePlace(self.directory / "records.db")

    def is_empty(self) -> bool:
        """Return whether nothing of a record is there."""
        if self._postgres is not None and self._database:
            found = self._postgres.run(
                "select count(*) from pg_namespace where nspname = 'opsconsole'", self._database
            )
            return found.strip() == "0"
        return not self.directory.exists() or list(self.directory.iterdir()) == []


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    """Give a place of each kind to copy to."""
    return Target(request.param, tmp_path, server_of(request.param, request))


def _place(stores: Stores) -> StorePlace:
    return StorePlace(dsn=stores.where) if stores.kind == "postgresql" else StorePlace(Path(stores.where))


@pytest.fixture
def source(stores: Stores) -> Store:
    """Fill a record: a signed run, an amended and a pruned one, and evidence that is there and that is gone."""
    store = stores.open()
    stored = store.append([opening(), measurement(rows=300), note("a note")])
    store.append([sign_off(store, stored[-1])])
    store.append([opening(checklist="host-daily"), measurement(OTHER), measurement(OTHER)])
    store.append([event(Pruned(through_seq=6, texts=1, older_than=MORNING), OTHER)])
    assert store.remove_evidence(OTHER, 6) == 1
    store.append([note("\x00\u2028 hostile", OTHER) for _ in range(400)])
    return store


def _whole(store: Store) -> list[object]:
    return [
        store.store_id,
        store.birth(),
        store.verify(),
        store.runs(),
        list(store.links(evidence=True)),
        [store.events(run.id) for run in store.runs()],
    ]


def test_a_copy_is_the_same_to_the_last_byte(source: Store, stores: Stores, target: Target) -> None:
    """A record moved to the shared server, or back to a file, is the same record: id, events, hashes, evidence."""
    head = copied(_place(stores), target.place)
    assert head == source.head()
    with closing(open_store(target.place, lock_timeout=5.0, create=False)) as copy:
        assert _whole(copy) == _whole(source)
        assert copy.verify().broken is None
        copy.append([note("and on", OTHER)])
        assert copy.verify().events == head.seq + 1
        assert RunKey.parse(RUN) in copy.runs()


def test_an_empty_record_can_be_copied(stores: Stores, target: Target) -> None:
    """A record without an event keeps its birth: what is recorded later is of the same store."""
    source = stores.open()
    assert copied(_place(stores), target.place) == source.head()
    with closing(open_store(target.place, lock_timeout=5.0, create=False)) as copy:
        assert _whole(copy) == _whole(source)


def test_nothing_is_copied_over_a_record(source: Store, stores: Stores, target: Target) -> None:
    """A record that is there already stays what it is."""
    with closing(open_store(target.place, lock_timeout=5.0)) as other:
        other.append([opening()])
        before = _whole(other)
        with pytest.raises(StoreError, match=r"exists already|has a record already, of 1 events"):
            copied(_place(stores), target.place)
        assert _whole(other) == before


def test_a_copy_that_breaks_off_leaves_nothing(
    source: Store, stores: Stores, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy that is interrupted half-way, in whichever way, leaves no record that looks whole."""

    class HalfWay(Exception):
        """The source went away."""

    links = type(source).links
    monkeypatch.setattr(
        type(source), "links", lambda self, run="", *, after=0, evidence=False: _half(links(self, evidence=True))
    )

    def _half(found: Iterator[Link]) -> Iterator[Link]:
        for number, link in enumerate(found):
            if number == 250:
                raise HalfWay
            yield link

    with pytest.raises(HalfWay):
        copied(_place(stores), target.place)
    monkeypatch.undo()
    assert target.is_empty()
    copied(_place(stores), target.place)


def test_a_copy_that_is_not_the_same_is_not_kept(
    source: Store, stores: Stores, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Evidence that changes on its way is found by the check at the end, and nothing is left."""
    links = type(source).links

    def changed(self: Store, run: str = "", *, after: int = 0, evidence: bool = False) -> Iterator[Link]:
        for link in links(self, run, after=after, evidence=evidence):
            texts = tuple(each and each.replace("success", "failure") for each in link.evidence)
            yield Link(link.seq, link.prev, link.hash, link.document, texts)

    monkeypatch.setattr(type(source), "links", changed)
    with pytest.raises(StoreError, match="would be broken: the evidence beside it was changed"):
        copied(_place(stores), target.place)
    assert target.is_empty()


def test_what_is_stored_meanwhile_is_copied_too(
    source: Store, stores: Stores, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tick that comes in while the copy is made is in the copy, or the copy says that it is not finished."""
    late = [note("late", OTHER), note("later", OTHER)]
    links = type(source).links

    def slow(self: Store, run: str = "", *, after: int = 0, evidence: bool = False) -> Iterator[Link]:
        yield from links(self, run, after=after, evidence=evidence)
        if late:
            source.append([late.pop(0)])

    monkeypatch.setattr(type(source), "links", slow)
    head = copied(_place(stores), target.place)
    monkeypatch.undo()
    assert late == []
    assert head == source.head()


def test_a_broken_record_is_not_copied(source: Store, stores: Stores, target: Target, postgres: Postgres) -> None:
    """A copy never looks sounder than what it was made of."""
    if stores.kind == "sqlite":
        with closing(sqlite3.connect(stores.where, isolation_level=None)) as connection:
            connection.execute("DROP TRIGGER evidence_is_never_changed")
            connection.execute("UPDATE evidence SET text = 'all is well' WHERE seq = 2")
    else:
        script = (
            "ALTER TABLE opsconsole.evidence DISABLE TRIGGER USER;"
            "UPDATE opsconsole.evidence SET text = 'all is well' WHERE seq = 2;"
        )
        postgres.run(script, stores.where.split("dbname='")[1].split("'")[0])
    with pytest.raises(StoreError, match="is broken at event 2 and was not copied") as raised:
        copied(_place(stores), target.place)
    assert raised.value.hint
    assert target.is_empty()


def test_where_there_is_nothing_nothing_is_copied(target: Target, tmp_path: Path) -> None:
    """A mistyped name of the source makes no empty record, neither there nor at the target."""
    missing = StorePlace(tmp_path / "no" / "records.db")
    with pytest.raises(StoreUnavailable, match="there is no record store"):
        copied(missing, target.place)
    assert target.is_empty()
    assert not (tmp_path / "no").exists()


def test_an_empty_record_on_a_server_may_become_the_copy(postgres: Postgres, tmp_path: Path) -> None:
    """After `store init` the server has a record without events: it is born anew as the one that moves in."""
    with closing(open_store(StorePlace(tmp_path / "records.db"), lock_timeout=5.0)) as source:
        source.append([opening(), measurement()])
        name = shared_record(postgres)
        copied(StorePlace(tmp_path / "records.db"), StorePlace(dsn=postgres.dsn(name, OWNER)))
        place = StorePlace(dsn=postgres.dsn(name, WRITER))
        with closing(open_store(place, lock_timeout=5.0)) as copy:
            assert _whole(copy) == _whole(source)
            assert [each.outcome for each in copy.health() if each.subject == "guards"] == [Outcome.PASS]


def test_only_the_owner_moves_a_record_in(postgres: Postgres, tmp_path: Path) -> None:
    """A writer is told whom to ask."""
    with closing(open_store(StorePlace(tmp_path / "records.db"), lock_timeout=5.0)):
        name = shared_database(postgres)
        with pytest.raises(StoreUnavailable, match=f"{WRITER} may not make it"):
            copied(StorePlace(tmp_path / "records.db"), StorePlace(dsn=postgres.dsn(name, WRITER)))


def test_places_are_named_as_in_the_configuration(tmp_path: Path) -> None:
    """A path, a URL or a service: and a password in one is refused without being repeated."""
    assert place_of(str(tmp_path)) == StorePlace(tmp_path)
    assert place_of("service=records") == StorePlace(dsn="service=records")
    with pytest.raises(StoreError, match="secret") as raised:
        place_of("postgresql://a:not-a-real-secret@h/d")
    assert "not-a-real" not in str(raised.value)
