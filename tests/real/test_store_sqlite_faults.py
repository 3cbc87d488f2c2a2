"""A SQLite record while another process or an administrator gets in its way; see tests/faults for the disk."""

import contextlib
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsconsole.contracts.store import (
    AlreadyOpen,
    AlreadySigned,
    Conflict,
    Head,
    StoreError,
    StoreUnavailable,
)
from opsconsole.model.encoding import decoded
from opsconsole.store import documents
from opsconsole.store.faults import explained, is_busy
from opsconsole.store.sqlite import SqliteStore
from support.events import RUN, note, opening, sign_off
from support.needs import IMPOSSIBLE
from support.stores import DEADLINE
from support.syscalls import available, decided_by

needs_hook = pytest.mark.skipif(
    not available(), reason=f"{IMPOSSIBLE}this Python has SQLite built in, whose calls cannot be made to fail"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the record of a test is."""
    return tmp_path / "state" / "records.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """Open a record with one run, which gives up on locks soon."""
    with SqliteStore(path, lock_timeout=0.2) as opened:
        opened.append([opening()])
        yield opened


# --- other processes ---------------------------------------------------------------------------------


def test_a_record_that_stays_locked_is_said_to_be(store: SqliteStore, path: Path) -> None:
    """A process that keeps the file locked makes others give up with its name to be found, not hang."""
    tick = note("later")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        deeds: list[Callable[[], object]] = [lambda: store.append([tick]), lambda: store.events(RUN)]
        for deed in deeds:
            with pytest.raises(StoreUnavailable, match=r"kept .* locked") as raised:
                deed()
            assert raised.value.hint == f"See who it is: fuser -v {path}"
        other.execute("ROLLBACK")
    assert store.append([tick])[0].seq == 2


def test_a_writer_waits_for_another_to_finish(path: Path) -> None:
    """A tick that meets a long transaction is stored as soon as that ends, without being asked for again."""
    tick = note("patient")
    with (
        SqliteStore(path) as store,
        contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other,
    ):
        store.append([opening()])
        other.execute("BEGIN IMMEDIATE")
        trying = threading.Event()

        def write() -> None:
            trying.set()
            store.append([tick])

        thread = threading.Thread(target=write)
        thread.start()
        trying.wait()
        other.execute("ROLLBACK")
        thread.join(DEADLINE)
        assert [each.event for each in store.events(RUN, after=1)] == [tick]


def test_a_reader_in_the_middle_does_not_lose_a_write(path: Path) -> None:
    """Somebody who reads with another tool while a tick is stored delays it at most."""
    with SqliteStore(path, lock_timeout=0.2) as store:
        store.append([opening()])
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM events").fetchall()
            tick = note("while read")
            with pytest.raises(StoreUnavailable, match="locked"):
                store.append([tick])
            reader.execute("COMMIT")
        assert store.append([tick])[0].seq == 2
        assert store.verify().broken is None


# --- the file under its name -------------------------------------------------------------------------


def test_a_record_that_was_moved_away_is_not_written_to_any_more(store: SqliteStore, path: Path) -> None:
    """A file that an administrator moved while a console ran takes no ticks that nobody would find again."""
    moved = path.with_name("moved.db")
    path.rename(moved)
    tick = note("where to")
    with pytest.raises(StoreUnavailable, match="there is no record store"):
        store.append([tick])
    assert not path.exists()
    moved.rename(path)
    assert store.append([tick])[0].seq == 2


def test_another_record_in_its_place_is_not_mixed_up(store: SqliteStore, path: Path) -> None:
    """A console never goes on in a different record than the one it was opened on."""
    shutil.move(path, path.with_name("moved.db"))
    SqliteStore(path).close()
    with pytest.raises(StoreUnavailable, match="is another record now"):
        store.append([note("not there")])
    with SqliteStore(path) as other:
        assert other.head().seq == 0


def test_a_backup_put_back_is_gone_on_with(store: SqliteStore, path: Path) -> None:
    """A backup restored under a running console is used from the next event on, and its age shows."""
    backup = path.with_name("backup.db")
    store.backup_to(backup)
    (lost,) = store.append([note("after the backup")])
    backup.replace(path)
    (stored,) = store.append([note("after it was restored")])
    assert stored.seq == 2
    assert not store.holds(Head(lost.seq, lost.hash))
    assert store.verify().broken is None


@needs_hook
def test_a_file_that_vanishes_in_the_middle_of_a_write_acknowledges_nothing(store: SqliteStore, path: Path) -> None:
    """A file that is replaced between the beginning and the end of a write counts as not written."""
    backup = path.with_name("backup.db")
    store.backup_to(backup)

    def replace(name: str, _before: int) -> int:
        if name == "unlink":
            backup.replace(path)
        return 0

    tick = note("in the middle")
    with decided_by(replace), pytest.raises(StoreUnavailable, match="moved or replaced while it was written"):
        store.append([tick])
    assert store.append([tick])[0].seq == 2
    assert [each.event for each in store.events(RUN, after=1)] == [tick]


# --- what a person is told ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (sqlite3.SQLITE_FULL, StoreUnavailable, "there is no space left for /r/records.db"),
        (sqlite3.SQLITE_IOERR_FSYNC, StoreUnavailable, "the disk refused to read or write /r/records.db"),
        (sqlite3.SQLITE_READONLY_DBMOVED, StoreUnavailable, "/r/records.db cannot be written to"),
        (sqlite3.SQLITE_CANTOPEN, StoreUnavailable, "/r/records.db cannot be opened"),
        (sqlite3.SQLITE_PERM, StoreUnavailable, "/r/records.db must not be written to"),
        (sqlite3.SQLITE_BUSY_RECOVERY, StoreUnavailable, "another process has kept /r/records.db locked"),
        (sqlite3.SQLITE_LOCKED, StoreUnavailable, "another process has kept /r/records.db locked"),
        (sqlite3.SQLITE_NOMEM, StoreUnavailable, "there is not enough memory"),
        (sqlite3.SQLITE_CORRUPT_INDEX, StoreUnavailable, "/r/records.db is damaged"),
        (sqlite3.SQLITE_NOTADB, StoreUnavailable, "/r/records.db is no SQLite database"),
        (sqlite3.SQLITE_ERROR, StoreError, "/r/records.db could not be used"),
        (sqlite3.SQLITE_CONSTRAINT_CHECK, StoreError, "the store refused the event"),
    ],
)
def test_each_error_of_sqlite_has_words_and_a_hint(code: int, kind: type[StoreError], message: str) -> None:
    """Whatever SQLite reports reaches a person as what happened and what to do, with its own words beside."""
    error = sqlite3.OperationalError("own words")
    error.sqlite_errorcode, error.sqlite_errorname = code, "SQLITE_SOMETHING"
    told = explained(error, Path("/r/records.db"))
    assert type(told) is kind
    assert str(told) == f"{message}{str(told)[len(message) :]}"
    assert "own words; SQLITE_SOMETHING" in str(told)
    assert told.hint or code == sqlite3.SQLITE_CONSTRAINT_CHECK
    assert is_busy(error) == ("locked" in message)


def test_what_the_triggers_refuse_is_told_as_the_store_tells_it(store: SqliteStore, path: Path) -> None:
    """A refusal by the last line of defence has the same name as one by the first."""
    (signed,) = store.append([sign_off(store, store.events(RUN)[-1])])
    row = "SELECT {seq}, '" + "0" * 36 + "', run, {kind}, {prev}, hash, x'00' FROM events WHERE seq = 2"
    insert = "INSERT INTO events (seq, id, run, kind, checklist, period, period_end, prev, hash, document) "
    cases = {
        AlreadySigned: row.format(seq=3, kind="'noted', NULL, NULL, NULL", prev="hash"),
        AlreadyOpen: row.format(seq=3, kind="'opened', 'qbr-daily', '2026-11-21', '2026-11-21'", prev="hash"),
        Conflict: row.format(seq=5, kind="'noted', NULL, NULL, NULL", prev="hash"),
    }
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        for kind, values in cases.items():
            with pytest.raises(sqlite3.IntegrityError) as raised:
                other.execute(insert + values)
            assert type(explained(raised.value, path)) is kind
    assert store.head() == Head(signed.seq, signed.hash)


def test_an_event_that_would_be_read_back_as_another_is_refused(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in how events are written down is an error at once, and not a record that says something else."""
    monkeypatch.setattr(
        documents, "decoded", lambda document, kind: decoded(document.replace(b"48 GB", b"49 GB"), kind)
    )
    with pytest.raises(StoreError, match="would be read back as something else; it was not stored"):
        store.append([note("48 GB free")])
    assert store.last_seq(RUN) == 1


def test_a_file_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """A path that was mistyped into another file harms neither."""
    other = tmp_path / "notes.txt"
    other.write_text("shopping list\n" * 100, encoding="utf-8")
    other.chmod(0o600)
    before = other.read_bytes()
    with pytest.raises(StoreUnavailable, match=r"notes\.txt is no SQLite database"):
        SqliteStore(other)
    assert other.read_bytes() == before
