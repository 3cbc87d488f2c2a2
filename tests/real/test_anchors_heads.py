"""The last-seen heads of an account: what it has seen once, it misses."""

import datetime as dt
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from opsconsole.anchors.heads import LastSeenHeads
from opsconsole.contracts.anchor import AnchorError, Kept, Noted
from opsconsole.contracts.store import Head
from opsconsole.store.sqlite import SqliteStore
from support import tampering
from support.events import note, opening
from support.stores import environment
from support.tampering import tampered


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the record is."""
    return tmp_path / "state" / "records.db"


def heads(tmp_path: Path, store: SqliteStore) -> LastSeenHeads:
    """Return what this account has seen."""
    return LastSeenHeads(tmp_path / "home" / "heads", store)


def begun(tmp_path: Path, path: Path, notes: int = 3) -> None:
    """Begin a record, which the account sees."""
    with SqliteStore(path) as store:
        store.append([opening(), *(note(f"a note {number}") for number in range(notes))])
        heads(tmp_path, store).look()


def alarm(tmp_path: Path, path: Path) -> str:
    """Return what the account is told when it opens the record."""
    with SqliteStore(path) as store:
        return heads(tmp_path, store).alarm()


def put_back(path: Path, older: Path) -> None:
    """Put an older copy in the place of the record."""
    path.unlink()
    older.rename(path)


def copied(path: Path, target: Path) -> Path:
    """Return a backup of the record, with a little more in the record since."""
    with SqliteStore(path) as store:
        store.backup_to(target)
        store.append([note("later")])
    return target


def test_what_was_seen_is_there_again(tmp_path: Path, path: Path) -> None:
    """A record that only grows makes no alarm, and the file of it is nobody else's to read."""
    begun(tmp_path, path)
    with SqliteStore(path) as store:
        store.append([note("more")])
        assert heads(tmp_path, store).alarm() == ""
        heads(tmp_path, store).look()
        (kept,) = heads(tmp_path, store).kept()
        assert (kept.store_id, kept.head, kept.store_location) == (store.store_id, store.head(), str(path))
    directory = tmp_path / "home" / "heads"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(each.stat().st_mode) for each in directory.iterdir()} == {0o600}


def test_an_old_copy(tmp_path: Path, path: Path) -> None:
    """A restored old state directory is noticed, stays noticed, and grows on without being taken for the other."""
    begun(tmp_path, path)
    older = copied(path, tmp_path / "older.db")
    with SqliteStore(path) as store:
        heads(tmp_path, store).look()
    put_back(path, older)
    with SqliteStore(path) as store:
        store.append([note("gone on"), note("and on")])
        mine = heads(tmp_path, store)
        assert "event 5, which this account saw" in mine.alarm()
        assert "opsconsole verify --accept-head" in mine.alarm()
        with pytest.raises(AnchorError, match="not noted"):
            mine.look()
        noted = Noted(
            store_id=store.store_id,
            store_location=store.location,
            head=store.head(),
            run="",
            what="",
            at=dt.datetime.now(dt.UTC),
        )
        with pytest.raises(AnchorError, match="not noted"):
            mine.keep(noted, None)
        assert "event 5" in mine.alarm()


def test_a_record_that_was_begun_anew(tmp_path: Path, path: Path) -> None:
    """A wiped record, with another in its place, is called another one by both names."""
    begun(tmp_path, path)
    with SqliteStore(path) as store:
        before = store.store_id
    path.unlink()
    with SqliteStore(path) as store:
        store.append([opening(), *(note(f"a note {number}") for number in range(9))])
        said = heads(tmp_path, store).alarm()
        assert f"it is {store.store_id} now, and was {before} with 4 events" in said


def test_a_record_at_another_place(tmp_path: Path, path: Path) -> None:
    """A record that was moved is the same; an old copy of it that is opened elsewhere is not."""
    begun(tmp_path, path)
    elsewhere, older = tmp_path / "moved" / "records.db", tmp_path / "older" / "records.db"
    for each in (elsewhere, older):
        each.parent.mkdir(mode=0o700)
    copied(path, older)
    with SqliteStore(path) as store:
        store.backup_to(elsewhere)
        heads(tmp_path, store).look()
    assert alarm(tmp_path, elsewhere) == ""
    assert "event 5, which this account saw" in alarm(tmp_path, older)


def test_a_cut_off_end(tmp_path: Path, path: Path) -> None:
    """Events that were there yesterday and are not today are missed."""
    begun(tmp_path, path)
    tampered(path, tampering.cut_off(3))
    assert "its end was cut off" in alarm(tmp_path, path)


def test_accepting_a_loss_is_written_down(tmp_path: Path, path: Path) -> None:
    """The alarm ends with the operator's word, which tells who gave it; only what was lost then is excused."""
    begun(tmp_path, path)
    with SqliteStore(path) as store:
        seen = store.head()
        assert heads(tmp_path, store).accept("jane", []) == ""
    tampered(path, tampering.cut_off(3))
    with SqliteStore(path) as store:
        lost = Kept(store_id=store.store_id, head=seen, where="journal")
        later = Kept(store_id=store.store_id, head=Head(2, "00" * 32), where="journal")
        assert "event 4" in heads(tmp_path, store).accept("jane", [lost])
        mine = heads(tmp_path, store)
        assert mine.alarm() == ""
        mine.look()
        assert mine.accepted(lost).startswith("accepted by jane at ")
        assert mine.accepted(later) == ""
        store.append([note("on")])
        assert mine.alarm() == ""
    log = tmp_path / "home" / "heads" / "accepted.jsonl"
    assert log.read_text(encoding="utf-8").count('"login":"jane"') == 1
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


ENDLESS = b'{"store_location":"x","store_id":"x","seq":%d,"hash":"x","at":"2026-11-21T14:00:00Z"}' % 10**30
"""No store can be asked for such an event."""


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"schema":', ENDLESS])
def test_a_damaged_file_is_an_alarm(tmp_path: Path, path: Path, content: bytes) -> None:
    """Whoever empties the file of heads hides nothing: that it cannot be read is an alarm, until it is accepted."""
    begun(tmp_path, path)
    (file,) = (tmp_path / "home" / "heads").glob("*.json")
    file.write_bytes(content)
    assert "was damaged or changed" in alarm(tmp_path, path)
    with SqliteStore(path) as store:
        mine = heads(tmp_path, store)
        with pytest.raises(AnchorError):
            list(mine.kept())
        with pytest.raises(AnchorError):
            mine.look()
        assert mine.accept("jane", [])
        assert mine.alarm() == ""


def test_a_home_that_cannot_be_written_to(tmp_path: Path, path: Path) -> None:
    """A home that is no directory, or full, costs the anchor, and nothing else."""
    (tmp_path / "home").write_text("no directory")
    with SqliteStore(path) as store:
        store.append([opening()])
        assert "cannot be read" in heads(tmp_path, store).alarm()
        with pytest.raises(AnchorError, match="cannot be written"):
            heads(tmp_path, store).look()


def test_a_directory_that_others_write_to(tmp_path: Path, path: Path) -> None:
    """Heads that anybody could have put there prove nothing; the command that mends it is told."""
    begun(tmp_path, path)
    directory = tmp_path / "home" / "heads"
    directory.chmod(0o777)
    assert re.search(f"can be changed by everybody: chmod g?o-w {directory}$", alarm(tmp_path, path))
    with SqliteStore(path) as store:
        store.append([note("more")])
        with pytest.raises(AnchorError, match="prove nothing"):
            heads(tmp_path, store).look()
    directory.chmod(0o700)
    assert alarm(tmp_path, path) == ""


_LOOKING = """
import sys
from pathlib import Path
from opsconsole.anchors.heads import LastSeenHeads
from opsconsole.store.sqlite import SqliteStore
from support.events import note
with SqliteStore(Path(sys.argv[1])) as store:
    heads = LastSeenHeads(Path(sys.argv[2]), store)
    for number in range(20):
        store.append([note(f"{sys.argv[3]} {number}")])
        heads.look()
"""


def test_two_processes_at_once(tmp_path: Path, path: Path) -> None:
    """Two consoles of one account keep the furthest head, whoever writes last."""
    begun(tmp_path, path)
    directory = tmp_path / "home" / "heads"
    processes = [
        subprocess.Popen([sys.executable, "-c", _LOOKING, str(path), str(directory), name], env=environment())
        for name in ("one", "other")
    ]
    assert [process.wait(60) for process in processes] == [0, 0]
    with SqliteStore(path) as store:
        (kept,) = heads(tmp_path, store).kept()
        assert kept.head == store.head()
        assert kept.head.seq == 44
    assert sorted(each.name for each in directory.iterdir() if each.suffix != ".json") == [".lock"]
