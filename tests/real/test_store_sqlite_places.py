"""Where a SQLite record may be kept, who can reach it, and with which settings it is written."""

import os
import shutil
import sqlite3
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from opsconsole.contracts.store import Head, StoreError, StoreUnavailable
from opsconsole.model.outcomes import Outcome
from opsconsole.store import files, health, migrations
from opsconsole.store.durability import ROLLBACK_JOURNAL, WRITE_AHEAD_LOG, durability, wal_is_safe
from opsconsole.store.filesystems import FileSystem, file_system_of, find_mount
from opsconsole.store.sqlite import SqliteStore
from support.events import RUN, note, opening
from support.needs import IMPOSSIBLE, needs_root

NOBODY = 65534


def _mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


# --- whose it is -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_new_record_is_for_its_owner_only(tmp_path: Path, mask: int) -> None:
    """Whatever the umask of cron or a login is, nobody else can read the record, its directories or its journal."""
    path = tmp_path / "a" / "b" / "records.db"
    before = os.umask(mask)
    try:
        store = SqliteStore(path)
    finally:
        os.umask(before)
    with store:
        store.append([opening()])
        assert _mode(path) == "0600"
        assert _mode(path.parent) == _mode(path.parent.parent) == "0700"
        with closing(sqlite3.connect(path, isolation_level=None)) as writer:
            writer.execute("BEGIN")
            writer.execute("CREATE TABLE something (x)")
            assert _mode(path.with_name("records.db-journal")) == "0600"
            writer.execute("ROLLBACK")


def test_a_directory_that_was_there_keeps_its_permissions(tmp_path: Path) -> None:
    """The program changes no permission of what it did not make."""
    directory = tmp_path / "there"
    directory.mkdir(mode=0o755)
    directory.chmod(0o755)
    SqliteStore(directory / "records.db").close()
    assert _mode(directory) == "0755"


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    """Where others could put another file in its place, nothing is recorded."""
    directory = tmp_path / "open"
    directory.mkdir()
    directory.chmod(mode)
    with pytest.raises(StoreError, match="can be written to by others") as raised:
        SqliteStore(directory / "records.db")
    assert raised.value.hint.startswith(f"chmod go-w {directory}")
    assert not list(directory.iterdir())


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    """A record that others could have edited is not taken for one without a word."""
    path = tmp_path / "records.db"
    SqliteStore(path).close()
    path.chmod(mode)
    with pytest.raises(StoreError, match="can be written to by others") as raised:
        SqliteStore(path)
    assert raised.value.hint == f"chmod 600 {path}"


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    """A link in the place of the record leads no writes to where somebody else wants them."""
    target, path = tmp_path / "target.db", tmp_path / "records.db"
    SqliteStore(target).close()
    path.symlink_to(target)
    with pytest.raises(StoreError, match="is a symbolic link") as raised:
        SqliteStore(path)
    assert str(target) in raised.value.hint
    path.unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="is a symbolic link"):
        SqliteStore(path)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("kind", ["directory", "fifo"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A directory or a pipe under that name is said to be none, and opening it does not hang."""
    path = tmp_path / "records.db"
    path.mkdir() if kind == "directory" else os.mkfifo(path, 0o600)
    with pytest.raises(StoreError, match="is not a regular file"):
        SqliteStore(path)


@needs_root("nobody else can give a file to another account")
@pytest.mark.parametrize("whose", ["file", "directory"])
def test_what_belongs_to_somebody_else_is_refused(tmp_path: Path, whose: str) -> None:
    """Not even root writes to the record of another account, or where another account could replace it."""
    path = tmp_path / "state" / "records.db"
    SqliteStore(path).close()
    os.chown(path if whose == "file" else path.parent, NOBODY, -1)
    with pytest.raises(StoreError, match=r"belongs to (nobody|uid 65534)"):
        SqliteStore(path)


def test_a_record_that_is_not_there_is_not_made_up(tmp_path: Path) -> None:
    """Looking at the history on a host that has none creates none."""
    for path in (tmp_path / "records.db", tmp_path / "none" / "records.db"):
        with pytest.raises(StoreUnavailable, match=f"there is no record store at {path}"):
            SqliteStore(path, create=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a b?c#d%41.db", "naïve—ü.db", "x;mode=memory.db", "-r.db", "bad-\udcff.db"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    """Characters that mean something in a URI mean nothing in the name of a record."""
    path = tmp_path / name
    with SqliteStore(path) as store:
        store.append([opening()])
        assert store.backup_to(tmp_path / f"{name}.backup") == store.head()
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted([name, f"{name}.backup"])


def test_an_empty_file_becomes_a_record(tmp_path: Path) -> None:
    """An administrator may prepare the file with the owner and place that it should have."""
    path = tmp_path / "records.db"
    path.touch(mode=0o600)
    with SqliteStore(path) as store:
        assert store.verify().broken is None


def test_many_first_openers_make_one_record(tmp_path: Path) -> None:
    """Cron jobs that all start for the first time share the one record that one of them makes."""
    path = tmp_path / "state" / "records.db"
    gate = threading.Barrier(8)

    def open_first(_: int) -> str:
        gate.wait()
        with SqliteStore(path) as store:
            return store.store_id

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(open_first, range(8)))
    assert len(set(found)) == 1
    assert [each.name for each in path.parent.iterdir()] == ["records.db"]


def test_a_record_that_somebody_makes_while_it_is_looked_at_is_not_taken_for_another_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who opens a record at the moment it is made sees it before or after, never half of each."""
    path = tmp_path / "records.db"
    maker = threading.Thread(target=lambda: SqliteStore(path).close())
    look = migrations._schema_of

    def look_a_little_late(connection: sqlite3.Connection) -> dict[str, str]:
        if maker.ident is None and threading.current_thread() is threading.main_thread():
            maker.start()
            maker.join(0.3)  # it cannot finish while the one who looks holds on to what it has seen so far
        return look(connection)

    monkeypatch.setattr(migrations, "_schema_of", look_a_little_late)
    with SqliteStore(path) as store:
        maker.join()
        assert store.verify().broken is None


# --- what it lies on ---------------------------------------------------------------------------------

_MOUNTINFO = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
31 27 0:40 / /srv/a\\040b rw,relatime shared:2 master:3 - nfs4 filer:/vol rw,vers=4.2
32 27 0:41 / /home/x/remote rw,nosuid - fuse.sshfs x@host:/ rw
33 27 0:42 / /mnt/c rw - 9p C: rw
34 27 0:43 / /mnt/share rw - cifs //host/share rw
35 27 0:44 / /mnt/usb rw - fuseblk /dev/sdb1 rw
36 27 0:45 / /mnt/else rw - fuse.something something rw
37 27 0:46 / /run rw - tmpfs tmpfs rw
38 27 0:47 / /mnt/smb rw - smb3 //host/share rw
"""


@pytest.mark.parametrize(
    ("mount", "kind", "where", "network", "volatile", "foreign"),
    [
        (27, "ext4", "/", False, False, False),
        (31, "nfs4", "/srv/a b", True, False, False),
        (32, "fuse.sshfs", "/home/x/remote", True, False, True),
        (33, "9p", "/mnt/c", True, False, False),
        (34, "cifs", "/mnt/share", True, False, False),
        (35, "fuseblk", "/mnt/usb", False, False, False),
        (36, "fuse.something", "/mnt/else", False, False, True),
        (37, "tmpfs", "/run", False, True, False),
        (38, "smb3", "/mnt/smb", True, False, False),
    ],
)
def test_file_systems_are_told_apart(
    mount: int, kind: str, where: str, network: bool, volatile: bool, foreign: bool
) -> None:
    """A network file system is known as one, whatever its name and mount point look like."""
    found = find_mount(_MOUNTINFO, mount)
    assert found == FileSystem(kind, where)
    assert (found.is_network, found.is_volatile, found.is_foreign) == (network, volatile, foreign)
    assert find_mount(_MOUNTINFO, 99) is None


def test_the_kernel_tells_what_a_directory_lies_on(tmp_path: Path) -> None:
    """The answer is that of the running kernel, for directories far below the mount point too."""
    assert file_system_of(Path("/proc/self/task")) == FileSystem("proc", "/proc")
    here = file_system_of(tmp_path)
    assert here is not None
    assert tmp_path.is_relative_to(here.mount_point)
    assert file_system_of(tmp_path / "nowhere") is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "9p", "fuse.sshfs", "ceph"])
def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Where SQLite could lose records, none is begun, and the way out is named."""
    monkeypatch.setattr(files, "file_system_of", lambda _: FileSystem(kind, "/mnt/filer"))
    with pytest.raises(StoreError, match=rf"network file system \({kind}, mounted at /mnt/filer\)") as raised:
        SqliteStore(tmp_path / "records.db")
    assert "PostgreSQL" in raised.value.hint
    assert not list(tmp_path.iterdir())


# --- how it is written -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 9), False),
        ((3, 49, 9), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((4, 0, 0), True),
    ],
)
def test_a_write_ahead_log_needs_the_fixed_sqlite(version: tuple[int, int, int], safe: bool) -> None:
    """On a SQLite whose write-ahead log can corrupt the record, it is not used even where it is asked for."""
    assert wal_is_safe(version) is safe
    assert durability(version) == ROLLBACK_JOURNAL
    assert durability(version, wal=True) == (WRITE_AHEAD_LOG if safe else ROLLBACK_JOURNAL)


def _pragma(store: SqliteStore, name: str) -> object:
    return store._database.attempt(lambda connection: connection.execute(f"PRAGMA {name}").fetchone()[0])


@pytest.mark.parametrize("wal", [False, True])
def test_the_settings_are_those_that_survive_a_power_cut(tmp_path: Path, wal: bool) -> None:
    """Each connection has them, in this SQLite, and a file that was left in the other mode is brought back."""
    path = tmp_path / "records.db"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = wal")
    settings = durability(sqlite3.sqlite_version_info, wal=wal)
    with SqliteStore(path, wal=wal) as store:
        store.append([opening()])
        assert _pragma(store, "journal_mode") == settings.journal_mode
        assert _pragma(store, "synchronous") == {"delete": 3, "wal": 2}[settings.journal_mode]
        wanted = {"foreign_keys": 1, "trusted_schema": 0, "cell_size_check": 1, "recursive_triggers": 1}
        assert {name: _pragma(store, name) for name in wanted} == wanted
        assert store.verify().broken is None


def test_a_record_in_another_journal_mode_that_is_in_use_is_not_written_to(tmp_path: Path) -> None:
    """While somebody else holds the file in a mode that is not safe here, nothing is recorded, with a word."""
    if wal_is_safe(sqlite3.sqlite_version_info):
        pytest.skip(f"{IMPOSSIBLE}this SQLite is safe in either mode")
    path = tmp_path / "records.db"
    SqliteStore(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = wal")
        other.execute("SELECT count(*) FROM events").fetchone()
        with pytest.raises(StoreUnavailable, match="locked"):
            SqliteStore(path, lock_timeout=0.1)


# --- health and backups ------------------------------------------------------------------------------


def test_a_sound_record_is_found_healthy(tmp_path: Path) -> None:
    """The doctor looks at everything that a record depends on."""
    with SqliteStore(tmp_path / "records.db") as store:
        found = {each.subject: each for each in store.health()}
    assert set(found) == {"integrity", "guards", "space", "file system", "permissions", "durability"}
    sure = ("integrity", "guards", "permissions", "durability")
    assert {found[subject].outcome for subject in sure} == {Outcome.PASS}
    assert sqlite3.sqlite_version in found["durability"].text


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("ext4", Outcome.PASS), ("tmpfs", Outcome.WARN), ("fuse.something", Outcome.WARN), (None, Outcome.WARN)],
)
def test_the_doctor_warns_of_a_doubtful_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None, outcome: Outcome
) -> None:
    """A record that a restart would wipe, or whose locks nobody vouches for, is pointed out."""
    monkeypatch.setattr(health, "file_system_of", lambda _: FileSystem(kind, "/mnt") if kind else None)
    with SqliteStore(tmp_path / "records.db") as store:
        assert [each.outcome for each in store.health() if each.subject == "file system"] == [outcome]


@pytest.mark.parametrize(
    ("free", "outcome"),
    [(10 * 2**20, Outcome.FAIL), (100 * 2**20, Outcome.WARN), (2**40, Outcome.PASS)],
)
def test_the_doctor_warns_before_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, outcome: Outcome
) -> None:
    """Little space is a warning, too little a failure, each with what to do."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**41, 2**41 - free, free))
    with SqliteStore(tmp_path / "records.db") as store:
        (found,) = (each for each in store.health() if each.subject == "space")
    assert found.outcome is outcome
    assert bool(found.hint) == (outcome is not Outcome.PASS)


def test_the_doctor_sees_a_record_that_others_can_read(tmp_path: Path) -> None:
    """Evidence can hold what others should not see; a file they can read is pointed out with the remedy."""
    path = tmp_path / "records.db"
    with SqliteStore(path) as store:
        path.chmod(0o644)
        (found,) = (each for each in store.health() if each.subject == "permissions")
    assert (found.outcome, found.hint) == (Outcome.WARN, f"chmod 600 {path}")


def test_a_backup_is_one_moment_of_the_record(tmp_path: Path) -> None:
    """A backup made while somebody writes is a whole record with a sound chain, for its owner only."""
    backup = tmp_path / "backup.db"
    with SqliteStore(tmp_path / "records.db") as store:
        store.append([opening(), *(note(f"{n}") for n in range(500))])
        writing = threading.Event()
        finished = threading.Event()

        def write() -> None:
            while not finished.is_set():
                store.append([note("meanwhile")])
                writing.set()

        thread = threading.Thread(target=write)
        thread.start()
        writing.wait()
        head = store.backup_to(backup)
        finished.set()
        thread.join()
        assert store.holds(head)
        assert head.seq > 501
        with SqliteStore(backup) as copy:
            assert copy.head() == head
            assert copy.store_id == store.store_id
            assert copy.verify() == copy.verify()
            assert copy.verify().broken is None
            assert copy.events(RUN) == store.events(RUN)[: head.seq]
    assert _mode(backup) == "0600"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup.db", "records.db"]


def test_a_backup_replaces_nothing(tmp_path: Path) -> None:
    """A backup never overwrites an earlier one, and says so where its directory is missing."""
    with SqliteStore(tmp_path / "records.db") as store:
        store.backup_to(tmp_path / "backup.db")
        before = (tmp_path / "backup.db").read_bytes()
        store.append([opening()])
        with pytest.raises(StoreError, match="exists already"):
            store.backup_to(tmp_path / "backup.db")
        assert (tmp_path / "backup.db").read_bytes() == before
        with pytest.raises(StoreUnavailable, match="No such file or directory"):
            store.backup_to(tmp_path / "none" / "backup.db")
        assert store.head() == Head(1, store.events(RUN)[0].hash)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["backup.db", "records.db"]
