"""What is noticed of changes to a SQLite record, by whom, and what is not."""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from opsconsole.contracts.store import Head, StoreError
from opsconsole.model.outcomes import Outcome
from opsconsole.store.sqlite import SqliteStore
from support import tampering
from support.events import RUN, note
from support.store_attacks import FAILED, FOUND_BY_THE_CHAIN, HOST, LAST, fill
from support.tampering import Attack, tampered

PAPER = Path(__file__).parents[2] / "docs" / "decisions" / "0001-chain.md"


def _record(path: Path) -> Head:
    with SqliteStore(path) as store:
        return fill(store)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the record of a test is."""
    return tmp_path / "records.db"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Head]:
    """Write the record once for all tests."""
    path = tmp_path_factory.mktemp("template") / "records.db"
    return path, _record(path)


@pytest.fixture
def noted(path: Path, template: tuple[Path, Head]) -> Head:
    """Put the record in place and return its head, as the last exported day log shows it."""
    shutil.copy2(template[0], path)
    return template[1]


@pytest.mark.parametrize("name", FOUND_BY_THE_CHAIN)
def test_verifying_names_the_first_event_that_was_tampered_with(path: Path, noted: Head, name: str) -> None:
    """An edited, deleted, moved, swapped, forged event: verify says which one is the first and why."""
    attack, seq, why = FOUND_BY_THE_CHAIN[name]
    tampered(path, attack)
    with SqliteStore(path) as store:
        broken = store.verify().broken
        assert broken is not None
        assert broken.seq == seq
        assert re.search(why, broken.why)


@pytest.mark.parametrize(
    "attack", [tampering.edit(FAILED), tampering.column(LAST, "run", RUN)], ids=["edited", "moved"]
)
def test_a_tampered_event_is_not_shown_as_if_nothing_were(path: Path, noted: Head, attack: Attack) -> None:
    """A failure that was edited into a pass in the file is an error on screen, and not a pass."""
    tampered(path, attack)
    with SqliteStore(path) as store, pytest.raises(StoreError, match=r"changed after|moved to another") as raised:
        store.events(RUN)
    assert "verify" in raised.value.hint


def _wiped(path: Path, _older: Path) -> None:
    path.unlink()
    _record(path)


def _older_copy_restored(path: Path, older: Path) -> None:
    older.replace(path)


def _unsigned_part_hashed_anew(path: Path, _older: Path) -> None:
    tampered(path, tampering.edit_and_chain(LAST))


def _tail_cut_off(path: Path, _older: Path) -> None:
    tampered(path, tampering.cut_off(LAST + 1))


@pytest.mark.parametrize("attack", [_wiped, _older_copy_restored, _unsigned_part_hashed_anew, _tail_cut_off])
def test_what_the_chain_alone_cannot_see_shows_against_a_noted_head(
    path: Path, noted: Head, attack: Callable[[Path, Path], None]
) -> None:
    """A cut-off tail leaves a sound chain: only a head from a day log, a signature or a colleague's notes tells."""
    older = path.with_name("older.db")
    with SqliteStore(path) as store:
        assert store.backup_to(older) == noted
        store.append([note("a note for next week", HOST)])
        last = store.head()
        assert store.holds(noted)
        assert store.holds(last)
    attack(path, older)
    with SqliteStore(path) as store:
        assert store.verify().broken is None
        assert not store.holds(last)


# --- the file around the events ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        (
            "DROP TRIGGER events_are_never_changed",
            "'events_are_never_changed', which guards the record, was removed",
        ),
        ("DROP INDEX one_sign_off", "'one_sign_off', which guards the record, was removed"),
        ("CREATE TRIGGER quiet AFTER INSERT ON events BEGIN SELECT 1; END", "'quiet' was added by somebody else"),
    ],
)
def test_a_guard_that_was_taken_away_is_noticed(path: Path, noted: Head, statement: str, why: str) -> None:
    """Whoever prepares to change the record shows before anything was changed, in verify and in doctor."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)
    with SqliteStore(path) as store:
        broken = store.verify().broken
        assert broken is not None
        assert (broken.seq, broken.why) == (0, why)
        guards = next(each for each in store.health() if each.subject == "guards")
        assert (guards.outcome, guards.text) == (Outcome.FAIL, why)


@pytest.mark.parametrize(
    ("kept", "filler"),
    [(0.5, b""), (0.9, b""), (0.3, b"\0"), (0.0, b"\xff")],
    ids=["half", "most", "zeros", "noise"],
)
def test_a_torn_file_is_noticed(path: Path, noted: Head, kept: float, filler: bytes) -> None:
    """A file that was cut short or overwritten is never taken for a record."""
    original = path.read_bytes()
    rest = original[: int(len(original) * kept)]
    path.write_bytes(rest + filler * (len(original) - len(rest)))
    try:
        with SqliteStore(path, create=False) as store:
            assert store.verify().broken is not None
    except StoreError as error:
        assert str(path) in str(error)  # noqa: PT017 - either way of noticing will do


# --- accidents, and other programs -------------------------------------------------------------------

_EVENT = "INSERT OR {policy} INTO events (seq, id, run, kind, prev, hash, document) "
_NEXT = "SELECT {seq}, {id}, {run}, 'noted', {prev}, '" + "ab" * 32 + "', x'7b7d' FROM events WHERE seq = 8"
_FINE = {"seq": "9", "id": "'" + "0" * 36 + "'", "run": f"'{HOST}'", "prev": "hash"}


def _insert(policy: str, **changed: str) -> str:
    return _EVENT.format(policy=policy) + _NEXT.format(**{**_FINE, **changed})


_REFUSED = {
    "update": "UPDATE events SET kind = 'ticked' WHERE seq = 2",
    "update of nothing much": "UPDATE events SET hash = hash",
    "delete": "DELETE FROM events",
    "birth document changed": "UPDATE meta SET store_id = 'x'",
    "birth document deleted": "DELETE FROM meta",
    "second birth document": "INSERT INTO meta SELECT 2, store_id, hash, document FROM meta",
    "birth document replaced": "REPLACE INTO meta SELECT one, 'x', hash, document FROM meta",
    "upsert": "INSERT INTO events SELECT * FROM events WHERE seq = 8 ON CONFLICT DO UPDATE SET kind = 'x'",
    "text for a document": _insert("ABORT").replace("x'7b7d'", "'{}'"),
    **{
        f"{what} ({policy})": _insert(policy, **changed)
        for policy in ("ABORT", "REPLACE", "IGNORE", "FAIL", "ROLLBACK")
        for what, changed in {
            "a gap": {"seq": "10"},
            "a place that is taken": {"seq": "8"},
            "no place": {"seq": "NULL"},
            "another one before": {"prev": "prev"},
            "none before": {"prev": "'" + "cd" * 32 + "'"},
            "an id that is taken": {"id": "id"},
            "a signed run": {"run": f"'{RUN}'"},
            "a run that was never opened": {"run": "'qbr-daily@2026-11-20'"},
        }.items()
    },
}


@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_other_programs_can_only_append_what_fits(path: Path, noted: Head, recursive: str) -> None:
    """A slip in a database tool, whatever its settings, changes, replaces and removes nothing."""
    before = path.read_bytes()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA recursive_triggers = {recursive}")
        for name, statement in _REFUSED.items():
            with pytest.raises(sqlite3.IntegrityError) as raised:
                connection.execute(statement)
            assert "opsconsole:" in str(raised.value) or name == "text for a document", name
        connection.execute("BEGIN")
        connection.execute(_insert("ABORT"))  # what all of them would be without their one fault
        connection.execute("ROLLBACK")
    assert path.read_bytes() == before


# --- without this program ----------------------------------------------------------------------------


def _blocks() -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", PAPER.read_text(encoding="utf-8"), re.DOTALL):
        yield str(block)


def test_an_auditor_recomputes_the_head_with_a_shell(path: Path, noted: Head) -> None:
    """The commands that the decision record gives, word for word, end in the head that the program shows."""
    export, recompute = _blocks()
    query = re.search(r'"(.*)"', export, re.DOTALL)
    assert query is not None
    with closing(sqlite3.connect(path)) as connection:
        documents = [row[0] for part in query[1].split(";") for row in connection.execute(part)]
    directory = path.parent
    (directory / "documents.jsonl").write_text("".join(f"{each}\n" for each in documents), encoding="utf-8")
    said = subprocess.run(["/bin/sh", "-c", recompute], cwd=directory, capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == f"{noted.seq} {noted.hash}"
    if shutil.which("sqlite3"):
        (directory / "documents.jsonl").rename(directory / "expected")
        subprocess.run(["/bin/sh", "-c", export], cwd=directory, check=True)
        assert (directory / "documents.jsonl").read_bytes() == (directory / "expected").read_bytes()
