"""How a SQLite record comes from one version of its schema to the next."""

import errno
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from opsconsole.contracts.store import StoreError, StoreUnavailable
from opsconsole.model.events import Event
from opsconsole.store import migrations
from opsconsole.store.migrations import APPLICATION_ID, MIGRATIONS, statements_of
from opsconsole.store.sqlite import SqliteStore
from opsconsole.store.versions import Migration
from support.events import RUN, note, opening
from support.faults import Tally, not_made
from support.synthetic_migrations import HISTORY, broken_by
from support.syscalls import available, decided_by, failing_at

EVENTS: list[Event] = [opening(), note("written by the version before")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a record of the present version and return where it is."""
    place = tmp_path / "records.db"
    with SqliteStore(place) as store:
        store.append(EVENTS)
    return place


def _copied(path: Path) -> Path:
    """Return the only file of a fresh directory, a copy of the record."""
    directory = path.parent / "copy"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    return Path(shutil.copy2(path, directory / path.name))


def _version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _backups(path: Path) -> list[Path]:
    return sorted(each for each in path.parent.iterdir() if each != path)


def test_a_record_is_marked_as_ours(path: Path) -> None:
    """`file` and other tools can tell what it is, and which version."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
    assert APPLICATION_ID.to_bytes(4, "big") == b"OPSC"
    assert _version(path) == MIGRATIONS[-1].version
    assert not _backups(path)


def test_the_versions_are_numbered_without_a_gap() -> None:
    """No version can be skipped by mistake."""
    assert [each.version for each in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_an_older_record_is_brought_up_to_date_and_kept(path: Path) -> None:
    """After an upgrade everything is there, goes on in the same chain, and the file as it was is kept beside."""
    with SqliteStore(path) as old:
        store_id, head = old.store_id, old.head()
    with SqliteStore(path, migrations=HISTORY) as store:
        assert _version(path) == 3
        assert (store.store_id, store.head()) == (store_id, head)
        assert [each.event for each in store.events(RUN)] == EVENTS
        store.append([note("written by the new version")])
        assert store.verify().broken is None
    (backup,) = _backups(path)
    assert backup.name.startswith("records.db.v1-20")
    assert backup.suffix == ".backup"
    assert f"{backup.stat().st_mode & 0o777:04o}" == "0600"
    with SqliteStore(backup) as kept:
        assert (kept.store_id, kept.head()) == (store_id, head)
        assert kept.verify().broken is None


def test_versions_can_be_skipped(tmp_path: Path, path: Path) -> None:
    """An upgrade over two releases, one after the other, and a new record all end in the same schema."""
    direct, stepwise, fresh = (tmp_path / name for name in ("direct.db", "stepwise.db", "fresh.db"))
    for place in (direct, stepwise):
        with SqliteStore(path) as store:
            store.backup_to(place)
    for history in (HISTORY[:2], HISTORY):
        SqliteStore(stepwise, migrations=history).close()
    for place in (direct, stepwise, fresh):
        with SqliteStore(place, migrations=HISTORY) as store:
            assert store.verify().broken is None
            assert _version(place) == 3


def test_many_that_start_after_an_upgrade_migrate_once(path: Path) -> None:
    """Consoles and cron jobs that start together after an upgrade wait for the one that does it."""
    gate, failures = threading.Barrier(6), []

    def start() -> None:
        gate.wait()
        try:
            with SqliteStore(path, migrations=HISTORY) as store:
                store.append([note("first thing")])
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(_backups(path)) == 1
    with SqliteStore(path, migrations=HISTORY) as store:
        assert store.last_seq(RUN) == 8
        assert store.verify().broken is None


def test_two_backups_in_one_second_have_names_of_their_own(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup is never overwritten by the next."""
    taken = migrations._backup_name(path, 1)
    for second in range(3):
        taken.with_name(taken.name.replace("Z.", f"Z{f'-{second}' if second > 1 else ''}.")).touch()
    assert not migrations._backup_name(path, 1).exists()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("INSERT INTO no_such_table VALUES (1)", "no such table"),
        ("UPDATE events SET hash = hash", "an event is never changed; not even now"),
        ("INSERT INTO tails SELECT NULL, NULL, NULL", "NOT NULL constraint failed"),
    ],
)
def test_a_migration_that_fails_leaves_the_record_as_it_was(path: Path, statement: str, message: str) -> None:
    """An upgrade that goes wrong is undone as a whole and leaves nothing about; the old version still works."""
    before = path.read_bytes()
    for _ in range(2):
        with pytest.raises(StoreError, match=message):
            SqliteStore(path, migrations=broken_by(statement))
    assert path.read_bytes() == before
    assert not _backups(path)
    with SqliteStore(path) as store:
        assert [each.event for each in store.events(RUN)] == EVENTS


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET document = x'7b7d' WHERE seq = 2",
        "DELETE FROM events WHERE seq = 2",
        "UPDATE meta SET hash = substr(hash, 33) || substr(hash, 1, 32)",
        "UPDATE events SET prev = substr(prev, 33) || substr(prev, 1, 32) WHERE seq = 1",
    ],
)
def test_a_migration_that_would_change_events_is_refused(path: Path, statement: str) -> None:
    """No upgrade can ever alter what was recorded, not even by mistake."""
    guards = [name for name in migrations._expected_schema(MIGRATIONS) if "_are_" in name or "_is_" in name]
    script = (*(f"DROP TRIGGER {name}" for name in guards), statement)
    history = (*MIGRATIONS, Migration(2, script))
    before = path.read_bytes()
    with pytest.raises(StoreError, match="would change its events; it was left as it is"):
        SqliteStore(path, migrations=history)
    assert path.read_bytes() == before


@pytest.mark.faults("migration")
def test_a_disk_that_fills_up_during_an_upgrade_leaves_the_record_as_it_was(path: Path, tally: Tally) -> None:
    """Wherever the space runs out, in the backup or after: the old record works, and a later try succeeds.

    Only a commit that failed leaves the backup made before it: nobody could be sure of the file at that moment.
    """
    if not available():
        not_made("this Python has SQLite built in: its system calls cannot be made to fail")
    with decided_by(lambda _name, _before: 0) as calls:
        SqliteStore(_copied(path), migrations=HISTORY).close()
    assert len(calls) > 20
    for position in range(len(calls)):
        with tally.one():
            _fill_up_at(position, len(calls), _copied(path))


def _fill_up_at(position: int, calls: int, place: Path) -> None:
    with decided_by(failing_at(position, errno.ENOSPC, lasting=True)), pytest.raises(StoreUnavailable):
        SqliteStore(place, migrations=HISTORY)
    assert _version(place) == 1
    left = [each for each in _backups(place) if not each.name.endswith("-journal")]
    for kept in [place, *left]:
        with SqliteStore(kept) as store:
            assert [each.event for each in store.events(RUN)] == EVENTS
    assert not left or position > calls // 2
    SqliteStore(place, migrations=HISTORY).close()
    assert _version(place) == 3
    assert len(_backups(place)) == len(left) + 1


def test_a_newer_record_is_refused(path: Path) -> None:
    """An old program on one host does not touch what a new one on it has written, and says what to do."""
    SqliteStore(path, migrations=HISTORY).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"newer opsconsole \(schema 3; this one knows 1\)") as raised:
        SqliteStore(path)
    assert raised.value.hint == "Upgrade opsconsole on this host"
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", ["delete", "wal"])
@pytest.mark.parametrize("application", [0, 1234])
def test_the_database_of_another_program_is_left_alone(tmp_path: Path, mode: str, application: int) -> None:
    """A path that was mistyped into another program's database changes nothing in it, not even its journal mode."""
    path = tmp_path / "firefox.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute(f"PRAGMA application_id = {application}")
        connection.execute("CREATE TABLE places (url)")
    before = path.read_bytes()
    path.chmod(0o600)
    with pytest.raises(StoreError, match="is the database of another program"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_a_record_without_its_tables_is_said_to_be_damaged(path: Path) -> None:
    """A file that is ours but empty is not quietly begun anew."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            connection.execute(f"DROP TABLE {name}")
    with pytest.raises(StoreError, match="lacks its tables"):
        SqliteStore(path)


def test_scripts_are_split_where_statements_end() -> None:
    """Triggers, comments and strings with semicolons stay whole; a script that ends too early is a mistake."""
    script = "-- a;\nSELECT ';';\nCREATE TRIGGER t BEFORE DELETE ON x BEGIN\n  SELECT 1;\n  SELECT 2;\nEND;\n\n"
    assert len(statements_of(script)) == 2
    with pytest.raises(ValueError, match="ends within a statement: SELECT 1"):
        statements_of("SELECT 1")
