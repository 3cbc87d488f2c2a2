"""A SQLite record on a disk that is full, read-only, or fails."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.contracts.store import StoreUnavailable
from opsconsole.model.events import Event
from opsconsole.store.sqlite import SqliteStore
from support.events import RUN, measurement, note, opening
from support.faults import Tally, not_made, times
from support.recording import recorded
from support.stores import DEADLINE, environment
from support.syscalls import available, decided_by, failing_at

ROUNDS = times(few=1, full=10)
NUMBERS = [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EFBIG]
IN_NAMESPACE = ("unshare", "--mount", "--propagation", "private")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """Open a record with one run, which gives up on locks soon."""
    if not available():
        not_made("this Python has SQLite built in: its system calls cannot be made to fail")
    with SqliteStore(tmp_path / "state" / "records.db", lock_timeout=0.2) as opened:
        opened.append([opening()])
        yield opened


@pytest.mark.faults("disk-errors")
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("number", NUMBERS, ids=[errno.errorcode[each] for each in NUMBERS])
def test_a_write_that_fails_at_any_call_loses_nothing(
    store: SqliteStore, tally: Tally, number: int, lasting: bool
) -> None:
    """A full or failing disk, at whichever write it strikes: the tick is said not to be saved, and can be later."""
    with decided_by(lambda _name, _before: 0) as calls:
        store.append([note("undisturbed")])
    assert len(calls) > 5
    written = store.events(RUN)
    for round_ in range(ROUNDS):
        for position, call in enumerate(calls):
            tick = note(f"{position}") if round_ % 2 == 0 else measurement(rows=20)
            with tally.one():
                failing = decided_by(failing_at(position, number, lasting=lasting))
                with failing, pytest.raises(StoreUnavailable) as raised:
                    store.append([tick])
                assert raised.value.hint
                if number == errno.ENOSPC and call.startswith("pwrite"):
                    assert "no space left" in str(raised.value)
                assert store.events(RUN) == written
                written += store.append([tick])
                assert store.append([tick]) == written[-1:]
    assert store.events(RUN) == written
    assert store.verify().broken is None


@pytest.mark.faults("disk-errors")
def test_a_sync_that_fails_loses_nothing(tmp_path: Path, tally: Tally) -> None:
    """A disk that refuses to make sure of a write: the tick is said not to be saved, and is stored once later."""
    if not available():
        not_made("this Python has SQLite built in: it cannot be listened to")
    path = tmp_path / "records.db"
    with SqliteStore(path) as store:
        written = store.append([opening()])
    with recorded(tmp_path) as recording, SqliteStore(path) as store:
        written += store.append([note("undisturbed")])
    syncs = sum(step.deed == "sync" for step in recording.steps)
    assert syncs >= 2
    for position in range(syncs):
        tick = note(f"{position}")
        with tally.one():
            _refused(path, tick, failing_sync=position)
            with SqliteStore(path) as store:
                assert store.events(RUN) == written
                written += store.append([tick])
                assert store.verify().broken is None


def _refused(path: Path, tick: Event, failing_sync: int) -> None:
    refused = pytest.raises(StoreUnavailable, match="the disk refused")
    with recorded(path.parent, failing_sync), SqliteStore(path) as store, refused:
        store.append([tick])


@pytest.mark.faults("disk-errors")
def test_a_record_that_cannot_be_written_can_still_be_read(store: SqliteStore) -> None:
    """While the disk is full, what was recorded is shown and verified, and nothing is pretended."""
    before = store.events(RUN)
    with decided_by(failing_at(0, errno.ENOSPC, lasting=True)):
        with pytest.raises(StoreUnavailable):
            store.append([note("in vain")])
        assert store.events(RUN) == before
        assert store.verify().broken is None
        assert store.runs()
        with pytest.raises(StoreUnavailable):
            store.backup_to(Path(store.location).with_name("backup.db"))
    assert sorted(each.name for each in Path(store.location).parent.iterdir()) == ["records.db"]


def _confined(tmp_path: Path, limit: str, *before: str) -> list[str]:
    """Run store_confined.py; return what it says, line by line."""
    command = [*before, sys.executable, "-m", "support.store_confined", limit, str(tmp_path / "place")]
    (tmp_path / "place").mkdir(mode=0o700)
    finished = subprocess.run(
        command,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()


@pytest.mark.faults("disk-full")
def test_a_real_limit_on_file_sizes_loses_nothing(tmp_path: Path, tally: Tally) -> None:
    """Whoever runs into a real ulimit is told, keeps what was saved, and goes on when it is lifted."""
    for round_ in range(ROUNDS):
        (tmp_path / f"{round_}").mkdir()
        with tally.one():
            assert _confined(tmp_path / f"{round_}", "limit") == ["StoreUnavailable", "kept", "went on"]


@pytest.mark.faults("disk-full")
@pytest.mark.parametrize("limit", ["full", "read-only"])
def test_a_real_full_or_read_only_file_system_loses_nothing(tmp_path: Path, tally: Tally, limit: str) -> None:
    """A partition that is really full, or was remounted read-only: told, kept, and gone on with afterwards."""
    if os.geteuid() != 0:
        not_made("only root can mount a small file system in a namespace of its own")
    for round_ in range(ROUNDS):
        (tmp_path / f"{round_}").mkdir()
        with tally.one():
            said = _confined(tmp_path / f"{round_}", limit, *IN_NAMESPACE)
            assert said == ["StoreUnavailable", "kept", "went on"]
