"""How a database gets the schema of a record, and from one version to the next."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from opsconsole.contracts.store import StoreError, StoreUnavailable, Unrecordable
from opsconsole.demo.cluster import open_cluster
from opsconsole.model.events import Event
from opsconsole.store.postgres import PostgresStore
from opsconsole.store.postgres_connection import Server
from opsconsole.store.postgres_roles import OWNER, WRITER
from opsconsole.store.postgres_schema import MIGRATIONS
from opsconsole.store.versions import Migration
from support.events import RUN, measurement, note, opening
from support.postgres import Postgres, open_directory
from support.stores import shared_database, shared_record

OTHER_SERVERS = [
    place
    for pattern in ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
    for place in sorted(Path("/").glob(pattern.lstrip("/")))
    if (place / "postgres").exists()
]
_UNGUARDED = "ALTER TABLE opsconsole.events {} TRIGGER events_are_never_changed;"
_CHANGE = "UPDATE opsconsole.events SET document = document || '\\x20' WHERE seq = 1;"
LATER = (*MIGRATIONS, Migration(2, ("ALTER TABLE opsconsole.events ADD COLUMN login text",)))
UNFAITHFUL = (
    *MIGRATIONS,
    Migration(2, (_UNGUARDED.format("DISABLE") + _CHANGE + _UNGUARDED.format("ENABLE ALWAYS"),)),
)
FAILING = (*MIGRATIONS, Migration(2, ("ALTER TABLE opsconsole.events ADD COLUMN login text; SELECT 1 / 0",)))


def _write(store: PostgresStore) -> list[Event]:
    events = [opening(), measurement(), note("a note")]
    store.append(events)
    return events


@pytest.mark.parametrize("binaries", OTHER_SERVERS, ids=lambda place: place.parent.name)
def test_other_versions_of_the_server_do(binaries: Path) -> None:
    """On the PostgreSQL that this host has, a record works, and its guards are found as they were made."""
    with open_directory() as directory, open_cluster(directory, binaries=binaries) as cluster:
        server = Postgres(cluster)
        with PostgresStore(server.dsn(shared_record(server), WRITER), create=False) as store:
            _write(store)
            assert store.verify().broken is None
            assert store.append([note("more")])[0].seq == 4


def test_a_record_comes_to_a_newer_version_whole(postgres: Postgres) -> None:
    """An upgrade by the owner changes no event; consoles of the old version are told to upgrade."""
    name = shared_record(postgres)
    owner, writer = postgres.dsn(name, OWNER), postgres.dsn(name, WRITER)
    with PostgresStore(writer, create=False) as store:
        events = _write(store)
        with pytest.raises(StoreUnavailable, match=f"{WRITER} may not upgrade it") as raised:
            PostgresStore(writer, migrations=LATER)
        assert "store init" in raised.value.hint
        with PostgresStore(owner, migrations=LATER) as newer:
            assert [each.event for each in newer.events(RUN)] == events
            assert newer.head() == store.head()
    with pytest.raises(StoreError, match="written by a newer opsconsole"):
        PostgresStore(writer)


@pytest.mark.parametrize(("migrations", "error"), [(UNFAITHFUL, "would change its events"), (FAILING, "division")])
def test_an_upgrade_that_goes_wrong_leaves_the_record_as_it_was(
    postgres: Postgres, migrations: tuple[Migration, ...], error: str
) -> None:
    """A mistake in an upgrade is undone as a whole, and the version before goes on."""
    dsn = postgres.dsn(shared_record(postgres), OWNER)
    with PostgresStore(dsn) as store:
        events = _write(store)
        with pytest.raises(StoreError, match=error):
            PostgresStore(dsn, migrations=migrations)
        assert [each.event for each in store.events(RUN)] == events
        assert store.verify().broken is None


def test_of_many_that_open_an_empty_database_one_makes_the_record(postgres: Postgres) -> None:
    """Cron jobs on several hosts that meet a new database at the same moment share one record."""
    dsn = postgres.dsn(shared_database(postgres), OWNER)
    gate = threading.Barrier(5)

    def opened(_: int) -> str:
        gate.wait()
        with PostgresStore(dsn) as store:
            return store.store_id

    with ThreadPoolExecutor(5) as pool:
        assert len(set(pool.map(opened, range(5)))) == 1


def test_a_schema_of_somebody_else_is_left_alone(postgres: Postgres) -> None:
    """A database in which another program has a schema of that name is refused, and not touched."""
    name = postgres.create_database("CREATE SCHEMA opsconsole; CREATE TABLE opsconsole.theirs ();")
    with pytest.raises(StoreError, match="another program's"):
        PostgresStore(postgres.dsn(name))
    assert postgres.run("select count(*) from pg_class where relname in ('events', 'meta')", name).strip() == "0"


def test_a_database_that_cannot_hold_every_name_is_refused(postgres: Postgres) -> None:
    """A database in an old encoding would refuse some names one morning: it is refused at once."""
    name = f"old_{postgres.create_role()[-8:]}"
    postgres.run(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    with pytest.raises(StoreError, match="encoding SQL_ASCII") as raised:
        PostgresStore(postgres.dsn(name))
    assert "UTF8" in raised.value.hint


def test_looking_makes_nothing(postgres: Postgres) -> None:
    """`doctor` on an empty database says that there is no record, and leaves it empty."""
    name = shared_database(postgres)
    with pytest.raises(StoreUnavailable, match="there is no record"):
        PostgresStore(postgres.dsn(name, OWNER), create=False)
    assert postgres.run("select count(*) from pg_namespace where nspname = 'opsconsole'", name).strip() == "0"


def test_commits_wait_for_the_disk_whatever_the_server_says(postgres: Postgres) -> None:
    """A server that is told to acknowledge early waits all the same for what goes into the record."""
    name = shared_record(postgres)
    spy = (
        "CREATE TABLE public.seen (mode text); GRANT INSERT ON public.seen TO PUBLIC; GRANT USAGE ON SCHEMA public "
        "TO PUBLIC; CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$; "
        "CREATE TRIGGER zz_spy AFTER INSERT ON opsconsole.events EXECUTE FUNCTION public.spy();"
    )
    postgres.run(spy, name)
    with PostgresStore(postgres.dsn(name, WRITER), create=False) as store:
        store.append([opening()])
    postgres.run(f'ALTER DATABASE "{name}" SET synchronous_commit = remote_apply')
    with PostgresStore(postgres.dsn(name, WRITER), create=False) as store:
        store.append([note("more")])
    assert postgres.run("show synchronous_commit").strip() == "off"
    assert postgres.run("select mode from public.seen", name).split() == ["on", "remote_apply"]


# --- places and what is said of them ------------------------------------------------------------------


def _refused(dsn: str) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as raised:
        PostgresStore(dsn, lock_timeout=1.0)
    assert isinstance(raised.value.__cause__, psycopg.Error)
    return raised.value


@pytest.mark.parametrize(
    ("changed", "cause"),
    [
        ({"host": "/nonexistent"}, "there is no socket"),
        ({"host": "127.0.0.1", "port": "9"}, "nothing listens there"),
        ({"host": "no-such-host.invalid"}, "no address"),
        ({"dbname": "no_such_database"}, "there is no database no_such_database"),
        ({"user": "nobody_here"}, "there is no role nobody_here"),
        ({"service": "no-such-service"}, "does not have its service"),
        ({"sslmode": "verify-full", "host": "127.0.0.1", "port": "9"}, "nothing listens|cannot be protected|root"),
    ],
    ids=lambda each: "-".join(each) if isinstance(each, dict) else None,
)
def test_a_server_that_cannot_be_reached_says_why(
    postgres: Postgres, changed: dict[str, str], cause: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each way in which a connection fails has its own words and what to do."""
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "none"))
    parameters = psycopg.conninfo.conninfo_to_dict(postgres.dsn("postgres"))
    error = _refused(psycopg.conninfo.make_conninfo("", **{**parameters, **changed}))
    assert re.search(cause, str(error)), str(error)
    assert error.hint


def test_too_many_connections_say_so(postgres: Postgres) -> None:
    """A role that has used up its connections is told who may hold them."""
    role = postgres.create_role("CONNECTION LIMIT 0")
    assert "no connection left" in str(_refused(postgres.dsn("postgres", role)))


def test_a_service_is_a_place(postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`store = "service=records"`: host, database and role come from the service file, none from the config."""
    parameters = psycopg.conninfo.conninfo_to_dict(postgres.dsn(shared_record(postgres), WRITER))
    lines = "".join(f"{key}={value}\n" for key, value in parameters.items())
    (tmp_path / "services").write_text(f"[records]\n{lines}")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    with PostgresStore("service=records", create=False) as store:
        assert store.location == "PostgreSQL (service records)"
        store.append([opening()])


def test_a_password_comes_from_the_password_file(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """libpq finds the password where it always does; it is never part of what the store says of itself."""
    server = Server.of("postgresql://records@db.example:5433/opsconsole?sslmode=verify-full")
    assert str(server) == "PostgreSQL (database opsconsole, db.example, port 5433)"
    (tmp_path / "pass").write_text("*:*:*:*:not-a-real-secret\n")
    (tmp_path / "pass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pass"))
    with PostgresStore(postgres.dsn(shared_record(postgres), WRITER), create=False) as store:
        assert "not-a-real" not in store.location
        (tmp_path / "pass").chmod(0o644)
        capfd.readouterr()
        with PostgresStore(postgres.dsn(shared_record(postgres), WRITER), create=False):
            assert capfd.readouterr().err == ""  # libpq would say so across the console's screen


def test_a_string_that_is_no_connection_string_is_refused_without_being_shown() -> None:
    """What cannot be read may hold a password: it is not repeated."""
    with pytest.raises(StoreError, match="cannot be read") as raised:
        PostgresStore("host=db password='not-a-real-secret")
    assert "not-a-real" not in str(raised.value)


def test_a_name_that_postgresql_cannot_hold_is_refused_for_good(postgres: Postgres) -> None:
    """An event that no database can keep is not tried for ever."""
    name = shared_record(postgres)
    with PostgresStore(postgres.dsn(name, WRITER), create=False) as store, pytest.raises(Unrecordable):
        store.append([opening(checklist="qbr\x00daily")])
