"""A record in PostgreSQL while its server dies, its sessions are ended, or the network breaks."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from opsconsole.contracts.store import StoreUnavailable
from opsconsole.model.events import Event
from opsconsole.store import postgres_connection, postgres_watching
from opsconsole.store.postgres import PostgresStore
from opsconsole.store.postgres_connection import APPENDING, CLASS, Server, beginning
from opsconsole.store.postgres_roles import OWNER, WRITER
from support.events import RUN, measurement, note, opening
from support.postgres import Postgres, open_directory
from support.store_server import KillableServer, Network, killable_server, network
from support.stores import DEADLINE, Stores, lines_of, shared_database, shared_record, writers

KILLINGS = 4
TERMINATIONS = 25


@pytest.fixture(scope="module")
def server() -> Iterator[KillableServer]:
    """Run a server that the tests of this module may kill."""
    with killable_server() as found:
        yield found


@pytest.fixture
def stores(server: KillableServer, tmp_path: Path) -> Iterator[Stores]:
    """Give a record on that server."""
    found = Stores("postgresql", tmp_path, server)
    yield found
    found.close()


def _ids(store: PostgresStore) -> list[str]:
    return [each.event.id for each in store.events(RUN, after=1)]


def test_killing_the_server_loses_and_doubles_nothing(server: KillableServer, stores: Stores) -> None:
    """A server that dies at any moment of an append has what it acknowledged, once, when it is back."""
    moments = random.Random(20261121)
    with PostgresStore(stores.where) as store:
        store.append([opening()])
        attempted: set[str] = set()
        acknowledged: set[str] = set()
        for _ in range(KILLINGS):
            with writers(stores, [("note", RUN, "100000")] * 2) as processes:
                assert processes[0].stdout is not None
                heard = [processes[0].stdout.readline().strip() for _ in range(moments.randint(2, 60))]
                server.kill()
                for process in processes:
                    process.kill()
                said = heard + [line for process in processes for line in lines_of(process)]
            server.start()
            attempted |= {line.split()[1] for line in said if line.startswith("try ")}
            acknowledged |= {line.split()[1] for line in said if line.startswith("done ")}
            stored = _ids(store)
            assert len(stored) == len(set(stored))
            assert acknowledged <= set(stored) <= attempted
            assert store.verify().broken is None
        assert len(acknowledged) > KILLINGS
        store.append([note("and it goes on")])


class Insistent(threading.Thread):
    """Stores events one after another, each again and again until it is acknowledged."""

    def __init__(self, store: PostgresStore, count: int) -> None:
        super().__init__()
        self.store = store
        self.events: list[Event] = [note(f"{number}") for number in range(count)]
        self.refusals = 0
        self.done = 0
        self.failure: Exception | None = None

    def run(self) -> None:
        """Store them all."""
        try:
            for each in self.events:
                while not self._stored(each):
                    self.refusals += 1
                self.done += 1
        except Exception as error:  # noqa: BLE001 - shown by the test
            self.failure = error

    def _stored(self, each: Event) -> bool:
        try:
            self.store.append([each])
        except StoreUnavailable:
            time.sleep(0.01)
            return False
        return True


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.001)


def test_whoever_insists_is_stored_once(server: KillableServer, stores: Stores) -> None:
    """A tick whose acknowledgement was lost with the server is sent again, and is one tick."""
    with PostgresStore(stores.where, lock_timeout=5.0) as store:
        store.append([opening()])
        writer = Insistent(store, 400)
        writer.start()
        for done in (50, 150, 250):
            _until(lambda done=done: writer.done >= done or writer.failure is not None)  # type: ignore[misc]
            server.kill()
            server.start()
        writer.join(DEADLINE)
        assert writer.failure is None
        assert _ids(store) == [each.id for each in writer.events]
        assert store.verify().broken is None


def test_sessions_that_are_ended_are_not_noticed(postgres: Postgres, tmp_path: Path) -> None:
    """An administrator who ends sessions: a tick takes a moment longer, and is stored once."""
    moments = random.Random(3)
    place = Stores("postgresql", tmp_path, postgres)
    name = psycopg.conninfo.conninfo_to_dict(place.where)["dbname"]
    with (
        PostgresStore(place.where) as store,
        psycopg.connect(postgres.superuser_dsn, autocommit=True) as administrator,
    ):
        store.append([opening()])
        writer = Insistent(store, 600)
        writer.start()
        ended = 0
        while writer.is_alive() and ended < TERMINATIONS:
            count = administrator.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s", (name,)
            ).fetchone()
            ended += count[0] if count else 0
            reached = writer.done + moments.randint(1, 12)
            _until(lambda reached=reached: writer.done >= reached or not writer.is_alive())  # type: ignore[misc]
        writer.join(DEADLINE)
        assert writer.failure is None
        assert writer.refusals == 0
        assert ended > TERMINATIONS // 2
        assert _ids(store) == [each.id for each in writer.events]


# --- the network -------------------------------------------------------------------------------------


class Line:
    """A record behind a network that breaks."""

    def __init__(self, dsn: str, net: Network) -> None:
        self.dsn = dsn
        self.net = net


@pytest.fixture
def line(postgres: Postgres) -> Iterator[Line]:
    """Put a breakable network between a record and its users."""
    name = shared_record(postgres)
    real = psycopg.conninfo.conninfo_to_dict(postgres.dsn(name, WRITER))
    with open_directory() as directory, network(Path(str(real["host"])), directory) as net:
        yield Line(psycopg.conninfo.make_conninfo("", **{**real, "host": str(directory)}), net)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_that_is_cut_at_the_commit(line: Line, moment: str) -> None:
    """Nobody knows whether the commit got through: the same event is sent again, and is stored once."""
    with PostgresStore(line.dsn, create=False) as store:
        store.append([opening()])
        for number in range(5):
            line.net.proxy.cut_at = moment
            (stored,) = store.append([note(f"{number}")])
            assert stored.seq == number + 2
            assert line.net.proxy.cuts == number + 1
        assert store.last_seq(RUN) == 6
        assert store.verify().broken is None


def test_a_network_that_swallows_everything_is_given_up(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pulled cable makes a tick show as not saved within a bounded time; it is stored once when it is back."""
    monkeypatch.setattr(postgres_connection, "_GRACE", 0.1)
    with PostgresStore(line.dsn, create=False, lock_timeout=0.2) as store:
        store.append([opening()])
        tick = note("into the void")
        line.net.freeze()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="no answer within") as raised:
            store.append([tick])
        assert time.monotonic() - began < 5
        assert raised.value.hint
        line.net.thaw()
        assert store.append([tick])[0].seq == 2
        assert store.last_seq(RUN) == 2


def test_closing_ends_what_waits_for_a_silent_server(line: Line) -> None:
    """A console that is left does not stay for the answers of a server that hangs, nor does its listener."""
    store = PostgresStore(line.dsn, create=False, lock_timeout=30.0)
    store.append([opening()])
    watch = store.watch()
    assert watch.wait(5.0)
    line.net.freeze()
    outcomes: list[object] = []

    def appended() -> None:
        try:
            store.append([note("into the void")])
        except StoreUnavailable as error:
            outcomes.append(error)

    waiting = [
        threading.Thread(target=appended),
        threading.Thread(target=lambda: outcomes.append(watch.wait(60.0))),
    ]
    for each in waiting:
        each.start()
    waiting[0].join(1.5)  # until both wait for an answer, the watch after its next look
    assert [each.is_alive() for each in waiting] == [True, True]
    watch.close()
    store.close()
    for each in waiting:
        each.join(5.0)
        assert not each.is_alive()
    assert sorted(type(each).__name__ for each in outcomes) == ["StoreUnavailable", "bool"]
    with pytest.raises(StoreUnavailable, match="was closed"):
        store.head()
    line.net.thaw()


# --- others ------------------------------------------------------------------------------------------


def test_a_record_that_stays_locked_is_said_to_be(postgres: Postgres) -> None:
    """A session that keeps the lock makes others give up in time, with the SQL that names it; reading goes on."""
    name = shared_record(postgres)
    tick = note("later")
    with (
        PostgresStore(postgres.dsn(name, WRITER), create=False, lock_timeout=0.2) as store,
        psycopg.connect(postgres.dsn(name), autocommit=True) as other,
    ):
        store.append([opening()])
        other.execute("SELECT pg_advisory_lock(%s, %s)", (CLASS, APPENDING))
        with pytest.raises(StoreUnavailable, match="kept the record locked for too long") as raised:
            store.append([tick])
        found = other.execute(raised.value.hint.partition(": ")[2].encode()).fetchall()
        assert [row[0] for row in found] == [other.info.backend_pid]
        assert store.last_seq(RUN) == 1
        other.execute("SELECT pg_advisory_unlock_all()")
        assert store.append([tick])[0].seq == 2


def test_a_writer_that_was_stopped_keeps_nobody_waiting(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A console that was suspended (Ctrl-Z, a sleeping laptop) in the middle of an append loses its turn."""
    monkeypatch.setattr(postgres_connection, "_MOST_IDLE", 0.2)
    dsn = postgres.dsn(shared_record(postgres), WRITER)
    with PostgresStore(dsn, create=False) as store, closing(Server.of(dsn).connect(patience=5.0)) as stopped:
        with beginning(stopped, lock=APPENDING, lock_timeout=5.0):
            pass
        assert store.append([opening()])[0].seq == 1
        with pytest.raises(psycopg.Error):
            stopped.execute("SELECT 1")


def test_a_server_that_is_read_only_is_said_to_be(postgres: Postgres) -> None:
    """A database that an administrator made read-only is still read; a tick is said not to be saved, and why."""
    name = shared_record(postgres)
    with PostgresStore(postgres.dsn(name, WRITER), create=False) as store:
        store.append([opening()])
        postgres.run(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    with PostgresStore(postgres.dsn(name, WRITER), create=False) as store:
        tick = note("later")
        with pytest.raises(StoreUnavailable, match="read-only") as raised:
            store.append([tick])
        assert "default_transaction_read_only" in raised.value.hint
        assert store.last_seq(RUN) == 1
        postgres.run(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        assert store.append([tick])[0].seq == 2


def test_a_server_without_space_is_said_to_be(postgres: Postgres) -> None:
    """What the server says when its disk is full reaches the operator; the tick is stored when there is space."""
    name = shared_record(postgres)
    full = (
        "CREATE FUNCTION public.full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION "
        "'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;"
        "CREATE TRIGGER zz_full BEFORE INSERT ON opsconsole.evidence EXECUTE FUNCTION public.full_disk();"
    )
    with PostgresStore(postgres.dsn(name, WRITER), create=False) as store:
        store.append([opening()])
        postgres.run(full, name)
        tick = measurement()
        with pytest.raises(StoreUnavailable, match="no disk space left"):
            store.append([tick])
        assert store.last_seq(RUN) == 1
        postgres.run("DROP TRIGGER zz_full ON opsconsole.evidence", name)
        assert store.append([tick])[0].seq == 2


def test_a_standby_is_read_and_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failover to the wrong side history is still shown; a tick is told that this server is a standby."""
    from opsconsole.demo import cluster as demo_cluster

    replica = {**demo_cluster._SETTINGS, "wal_level": "replica"}
    monkeypatch.setattr(demo_cluster, "_SETTINGS", replica)
    with killable_server() as server:
        dsn = server.dsn(shared_record(server), WRITER)
        with PostgresStore(dsn, create=False) as store:
            store.append([opening()])
        server.stop()
        signal = server.cluster._data / "standby.signal"
        signal.touch(mode=0o666)
        signal.chmod(0o666)

        def answers(_server: object) -> bool:
            try:
                psycopg.connect(dsn).close()
            except psycopg.OperationalError:
                return False
            return True

        monkeypatch.setattr(server.cluster, "_ready", answers)
        server.start()
        with PostgresStore(dsn, create=False) as store:
            assert store.last_seq(RUN) == 1
            assert store.verify().broken is None
            assert any("standby" in each.text for each in store.health())
            with pytest.raises(StoreUnavailable, match="standby") as raised:
                store.append([note("in vain")])
            assert "target_session_attrs" in raised.value.hint


def test_another_record_in_its_place_is_not_written_to(postgres: Postgres) -> None:
    """A database that was dropped and made anew under a console takes none of its ticks."""
    name = shared_record(postgres)
    with PostgresStore(postgres.dsn(name, WRITER), create=False) as store:
        store.append([opening()])
        noted = store.head()
        postgres.run("DROP SCHEMA opsconsole CASCADE", name)
        with pytest.raises(StoreUnavailable, match="there is no record in database"):
            store.append([note("where to")])
        with PostgresStore(postgres.dsn(name, OWNER)) as other:
            other.append([opening()])
            assert not other.holds(noted)
        with pytest.raises(StoreUnavailable, match="holds another record now"):
            store.append([note("where to")])


def test_a_console_that_owns_the_record_does_not_make_it_anew(postgres: Postgres) -> None:
    """A schema that vanishes is not replaced by an empty one behind the operator's back."""
    name = shared_database(postgres)
    with PostgresStore(postgres.dsn(name, OWNER)) as store:
        store.append([opening()])
        postgres.run("DROP SCHEMA opsconsole CASCADE", name)
        with pytest.raises(StoreUnavailable, match="there is no record"):
            store.append([note("where to")])


# --- watching, and who is there ----------------------------------------------------------------------


def test_notifications_wake_at_once(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a colleague ticks shows because the server tells it, long before the next look."""
    monkeypatch.setattr(postgres_watching, "_LOOK", 3_600.0)
    monkeypatch.setattr(postgres_watching, "_LOOK_WHEN_TOLD", 3_600.0)
    dsn = postgres.dsn(shared_record(postgres), WRITER)
    with PostgresStore(dsn, create=False) as store, closing(store.watch()) as watch:
        store.append([opening()])
        assert watch.wait(DEADLINE)
        for number in range(30):
            store.append([note(f"{number}")])
            began = time.monotonic()
            assert watch.wait(DEADLINE)
            assert time.monotonic() - began < 10


def test_without_notifications_it_is_found_by_looking(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a pooler that keeps notifications to itself, ticks of colleagues show a little later."""
    monkeypatch.setattr(postgres_watching, "_LISTEN", "SELECT 1")
    monkeypatch.setattr(postgres_watching, "_LOOK", 0.05)
    dsn = postgres.dsn(shared_record(postgres), WRITER)
    with PostgresStore(dsn, create=False) as store, closing(store.watch()) as watch:
        store.append([opening()])
        assert watch.wait(DEADLINE)
        store.append([note("unheard")])
        assert watch.wait(DEADLINE)
        assert not watch.wait(0.1)


def test_watching_and_presence_outlive_a_restart(server: KillableServer, stores: Stores) -> None:
    """While the server is gone both say so; when it is back they go on, and nobody has to open the run again."""
    store, colleague = stores.open(), stores.open()
    store.append([opening()])
    with (
        closing(store.watch()) as watch,
        closing(store.enter(RUN, "Day Operator (day)")) as mine,
        closing(colleague.enter(RUN, "Blake (blake)")) as theirs,
    ):
        assert watch.wait(DEADLINE)
        assert mine.others() == ("Blake (blake)",)
        server.kill()
        with pytest.raises(StoreUnavailable):
            watch.wait(DEADLINE)
        with pytest.raises(StoreUnavailable):
            mine.others()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            watch.wait(0.2)
        assert 0.1 < time.monotonic() - began < 10
        server.start()
        assert watch.wait(DEADLINE)
        theirs.others()
        _until(lambda: mine.others() == ("Blake (blake)",))
        store.append([note("and on")])
        assert watch.wait(DEADLINE)


def test_entering_a_run_does_not_need_the_server(server: KillableServer, stores: Stores) -> None:
    """A run that is open on screen when the server goes stays open; who else is there cannot be told for now."""
    store = stores.open()
    server.kill()
    with closing(store.enter(RUN, "Day Operator (day)")) as presence:
        with pytest.raises(StoreUnavailable):
            presence.others()
        server.start()
        assert presence.others() == ()


def test_an_administrator_sees_who_is_connected(postgres: Postgres) -> None:
    """Sessions are called by the program's name in pg_stat_activity, also those with names that are too long."""
    name = shared_record(postgres)
    who = "Maximiliane-Theodora Ångström von und zu Hohenlinden-Waldenburg (maxi)"
    with PostgresStore(postgres.dsn(name, WRITER), create=False) as store, closing(store.enter(RUN, who)):
        query = (
            f"select application_name from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()"
        )
        found = postgres.run(query).splitlines()
        assert len(found) == 2
        assert all(each.startswith("opsconsole") and len(each.encode()) <= 63 for each in found)
        with closing(store.enter(RUN, "b")) as other:
            (shown,) = other.others()
            assert shown.startswith("Maximiliane-Theodora")
            assert shown.endswith("(maxi)")
