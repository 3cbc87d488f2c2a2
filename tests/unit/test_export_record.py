"""The files of a record: the same from the same events, none of a broken store, and which may replace which."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from opsconsole.contracts.signer import SignatureRefused, SigningError
from opsconsole.contracts.store import Head
from opsconsole.export.bundles import Bundle
from opsconsole.export.files import OutputRefused
from opsconsole.export.record import RecordBroken, has_grown, is_record, record_bundle
from opsconsole.model.events import Meaning, Pruned, Signature
from opsconsole.model.people import Person
from opsconsole.model.readings import Evidence
from support.records import Book, FileVerifier, Key, make_key
from support.states import STATES

DATE = dt.date(2026, 11, 21)


class Refusing(FileVerifier):
    """Knows everybody, and takes no signature."""

    def __init__(self, error: Exception, *lines: str) -> None:
        super().__init__(*lines)
        self.error = error

    def check(self, _payload: bytes, _signature: Signature, _meaning: Meaning, _at: dt.datetime, /) -> Person:
        """Refuse."""
        raise self.error


class Unreadable(FileVerifier):
    """Has a file that cannot be used."""

    def allowed_signers(self, _principals: list[str], /) -> bytes:
        """Refuse."""
        raise SigningError("untrusted-file", "allowed_signers can be written by everybody")


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    """A store."""
    found = Book(tmp_path)
    yield found
    found.close()


@pytest.fixture
def jane(tmp_path: Path) -> Key:
    """An operator."""
    return make_key(tmp_path, "jane@example.org", "Jane Doe")


def bundle_of(book: Book, run: str, verifier: FileVerifier | None = None) -> Bundle:
    """Return the files of a run's record."""
    state = book.state(run)
    report = STATES["green"]().report(
        state=state,
        head=Head(state.last_seq, state.head_hash),
        store_id=book.store.store_id,
        exported_at=None,
        events=tuple(book.store.events(run)),
    )
    return record_bundle(report, list(book.store.links(run, evidence=True)), verifier)


def test_the_same_events_give_the_same_files(book: Book, jane: Key, tmp_path: Path) -> None:
    """A record written tomorrow, after other runs, or as a tar by another host, has the same bytes."""
    run = book.opened(DATE)
    book.sign(run, jane)
    verifier = FileVerifier(jane.line())
    first = book.write(run, tmp_path / "a.tar", verifier).read_bytes()
    before = bundle_of(book, run, verifier)
    book.opened(DATE + dt.timedelta(days=1))
    assert book.write(run, tmp_path / "b.tar", verifier).read_bytes() == first
    assert bundle_of(book, run, verifier) == before
    assert is_record(before)


def test_a_later_signature_may_be_added(book: Book, jane: Key, tmp_path: Path) -> None:
    """After the review the record is written again in its place: it has grown. The other way it is refused."""
    run = book.opened(DATE)
    book.sign(run, jane)
    verifier = FileVerifier(jane.line())
    signed = bundle_of(book, run, verifier)
    target = book.write(run, tmp_path / "record", verifier)
    book.sign(run, jane, Meaning.REVIEWED)
    reviewed = bundle_of(book, run, verifier)
    assert has_grown(signed, reviewed)
    assert not has_grown(reviewed, signed)
    book.write(run, target, verifier)
    assert (target / "02-reviewed.record.sig").exists()


def test_another_run_takes_no_place_but_by_force(book: Book, jane: Key, tmp_path: Path) -> None:
    """A record gives way to another run's only where that was asked for, and never with a file of mine in it."""
    runs = [book.opened(DATE), book.opened(DATE + dt.timedelta(days=1))]
    for run in runs:
        book.sign(run, jane)
    target = book.write(runs[0], tmp_path / "record", None)
    with pytest.raises(OutputRefused, match="holds something else"):
        book.write(runs[1], target, None)
    book.write(runs[1], target, None, force=True)
    assert runs[1] in (target / "README").read_text()
    (target / "my notes.txt").write_text("mine")
    with pytest.raises(OutputRefused, match="holds something else"):
        book.write(runs[0], target, None, force=True)
    assert (target / "my notes.txt").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SignatureRefused("revoked", "the key was revoked"), "IT DID NOT HOLD: the key was revoked"),
        (
            SigningError("no-keygen", "there is no ssh-keygen"),
            "could not be checked when this was written: there is",
        ),
    ],
)
def test_a_signature_that_does_not_hold_is_told(book: Book, jane: Key, error: Exception, said: str) -> None:
    """A record with a revoked key in it is written, and its README says so where the signature stands."""
    run = book.opened(DATE)
    book.sign(run, jane)
    readme = " ".join(bundle_of(book, run, Refusing(error, jane.line()))["README"].decode().split())
    assert said in readme


def test_a_bad_list_of_signers_stops_no_export(book: Book, jane: Key) -> None:
    """Where the allowed signers cannot be trusted, none are given out; the signature can still be checked."""
    run = book.opened(DATE)
    book.sign(run, jane)
    bundle = bundle_of(book, run, Unreadable())
    assert "allowed_signers" not in bundle
    assert b"-Y check-novalidate" in bundle["README"]


def test_a_signer_stands_there_once(book: Book, jane: Key) -> None:
    """Who signed twice has one line, exactly as it stands in the file of signers; who did not sign has none."""
    run = book.opened(DATE)
    book.sign(run, jane)
    book.sign(run, jane, Meaning.REVIEWED)
    verifier = FileVerifier(jane.line().replace("jane@", "rob@"), jane.line())
    assert bundle_of(book, run, verifier)["allowed_signers"].decode() == jane.line()


# --- a store that was tampered with -----------------------------------------------------------------


def test_no_record_is_made_of_a_broken_chain(book: Book, jane: Key) -> None:
    """A document that was changed in the store is told, instead of being exported as if it were sound."""
    run = book.opened(DATE)
    book.sign(run, jane)
    links = list(book.store.links(run, evidence=True))
    report = STATES["green"]().report(state=book.state(run), exported_at=None)
    changed = msgspec.structs.replace(links[2], document=links[2].document.replace(b"FAIL", b"PASS"))
    with pytest.raises(RecordBroken, match=f"event {links[2].seq} was changed"):
        record_bundle(report, [*links[:2], changed, *links[3:]], None)
    with pytest.raises(RecordBroken, match="holds no statement"):
        record_bundle(report, links[:-1], None)
    false = msgspec.structs.replace(links[1], evidence=("another text",))
    with pytest.raises(RecordBroken, match=f"evidence of event {links[1].seq} was changed"):
        record_bundle(report, [links[0], false, *links[2:]], None)


def test_pruned_evidence_is_listed(book: Book) -> None:
    """What was removed because of its age is named with its hash, and has no file."""
    run = book.opened(DATE)
    last = book.store.last_seq(run)
    book.add(run, Pruned(through_seq=last, texts=2, characters=66, older_than=book.clock))
    assert book.store.remove_evidence(run, last) == 2
    bundle = bundle_of(book, run)
    assert not [name for name in bundle if name.startswith("evidence/")]
    readme = bundle["README"].decode()
    hashes = [each.sha256 for each in _evidence(book, run)]
    assert len(hashes) == 2
    assert all(each in readme and f'"sha256": "{each}"' in bundle["record.json"].decode() for each in hashes)
    assert "Evidence that was removed because of its age" in readme


def _evidence(book: Book, run: str) -> list[Evidence]:
    readings = (each.body.reading for each in book.state(run).items["collectors"].attempts)
    return [evidence for reading in readings if reading is not None for evidence in reading.evidence]
