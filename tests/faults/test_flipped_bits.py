"""Single bits that a bad disk, a bad cable or somebody turns, in the record and in what was exported from it."""

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from opsconsole.contracts.store import StoreError
from opsconsole.model.outcomes import Outcome
from opsconsole.store.sqlite import SqliteStore
from support.events import RUN, TODAY, measurement, note, opening, sign_off
from support.faults import Tally, times
from support.records import Auditor, Book, FileVerifier, commands_of, make_key
from support.tampering import tampered

FLIPS = times(few=400, full=20_000)
EXPORT_FLIPS = times(few=80, full=5_000)
SEED = 3
OTHER = "host-daily@2026-11-21"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a signed run and an open one."""
    path = tmp_path_factory.mktemp("template") / "records.db"
    with SqliteStore(path) as store:
        stored = store.append([opening(), note("a note"), measurement(outcome=Outcome.FAIL), note("why")])
        store.append([sign_off(store, stored[-1])])
        store.append([opening(checklist="host-daily"), *(measurement(OTHER, rows=9) for _ in range(40))])
    return path


@pytest.mark.timeout(600)
@pytest.mark.faults("flips-store")
def test_no_flipped_bit_changes_the_record_unnoticed(tmp_path: Path, template: Path, tally: Tally) -> None:
    """Whatever single bit of the file is turned: it is noticed on opening, by verify, or the record is the same."""
    path = Path(shutil.copy2(template, tmp_path / "records.db"))
    with SqliteStore(path) as store:
        sound = _content(store)
    original = path.read_bytes()
    for bit in random.Random(SEED).sample(range(len(original) * 8), FLIPS):
        damaged = bytearray(original)
        damaged[bit // 8] ^= 1 << bit % 8
        for leftover in tmp_path.glob("records.db-*"):
            leftover.unlink()
        path.write_bytes(damaged)
        with tally.one():
            noticed = _noticed(path, sound)
        tally.saw(noticed)
    assert tally.besides["noticed by verify"] > FLIPS // 10


@pytest.mark.faults("flips-store")
@pytest.mark.parametrize("place", [1, 10**15])
def test_evidence_in_a_place_that_cannot_be_is_noticed(tmp_path: Path, template: Path, place: int) -> None:
    """One bit can make a place a thousand million: that is noticed too, and at once."""
    path = Path(shutil.copy2(template, tmp_path / "records.db"))

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE evidence SET place = ? WHERE seq = 3", (place,))

    tampered(path, attack)
    with SqliteStore(path) as store:
        broken = store.verify().broken
        assert broken is not None
        assert (broken.seq, broken.why) == (3, "evidence stands beside it that it knows nothing of")
        with pytest.raises(StoreError, match="evidence"):
            store.events(RUN)


def _noticed(path: Path, sound: list[object]) -> str:
    """Return who noticed a damage, or that there is none; fail where there is one that nobody noticed."""
    try:
        store = SqliteStore(path, create=False)
    except StoreError:
        return "noticed when it is opened"
    with store:
        try:
            if store.verify().broken is not None:
                return "noticed by verify"
            assert _content(store) == sound, "the record was changed unnoticed"
        except StoreError:
            return "noticed when it is read"
    return "in unused bytes"


def _content(store: SqliteStore) -> list[object]:
    """Return everything that a record tells."""
    return [
        store.runs(),
        store.head(),
        store.store_id,
        store.birth(),
        [(store.events(run.id), [each.document for each in store.links(run.id)]) for run in store.runs()],
    ]


# --- what was exported -------------------------------------------------------------------------------


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Export a run that was signed with a real key, as an auditor gets it."""
    jane = make_key(tmp_path, "jane@example.org", "Jane Doe")
    book = Book(tmp_path)
    run = book.opened(TODAY)
    book.sign(run, jane)
    path = book.write(run, tmp_path / "record", FileVerifier(jane.line()))
    book.close()
    return path


@pytest.mark.timeout(600)
@pytest.mark.faults("flips-export")
def test_every_flipped_bit_of_an_export_is_noticed(tmp_path: Path, record: Path, tally: Tally) -> None:
    """Whatever bit of whatever exported file is turned: the commands of its README tell, all of them.

    What the signature covers is noticed by the signature alone, also where somebody writes sums that fit.
    """
    auditor = Auditor(tmp_path / "auditor")
    place = auditor.receive(record)
    *signatures, sums = commands_of((record / "README").read_text(encoding="utf-8"))
    assert auditor.verifies([*signatures, sums])
    dice = random.Random(SEED)
    files = sorted(each for each in place.rglob("*") if each.is_file())
    for path in dice.choices(files, k=EXPORT_FLIPS):
        original = path.read_bytes()
        bit = dice.randrange(len(original) * 8)
        if _is_case_of_a_sum(path, original, bit):
            continue
        damaged = bytearray(original)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with tally.one():
            assert not auditor.verifies([sums]), f"bit {bit} of {path.name} was turned unnoticed"
            if path.suffix == ".record":
                assert not auditor.verifies(signatures), f"bit {bit} of {path.name} is still what was signed"
                tally.saw("noticed by the signature alone")
        path.write_bytes(original)
    assert auditor.verifies([*signatures, sums])


def _is_case_of_a_sum(path: Path, content: bytes, bit: int) -> bool:
    """Return whether a flip makes `a` of the outermost sum `A`: sha256sum reads both, and they say the same."""
    return path.name == "SHA256SUMS.sha256" and bit % 8 == 5 and chr(content[bit // 8]) in "abcdef"
