"""What is noticed of changes to a record in PostgreSQL, by whomever, and what other programs are refused."""

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from opsconsole.contracts.store import Head, StoreError
from opsconsole.model.events import Pruned
from opsconsole.model.outcomes import Outcome
from opsconsole.store.postgres import PostgresStore
from opsconsole.store.postgres_roles import OWNER, WRITER
from support import tampering
from support.events import RUN, event, note
from support.postgres import Postgres
from support.runs import MORNING
from support.store_attacks import FAILED, FOUND_BY_THE_CHAIN, HOST, LAST, fill
from support.store_pgtampering import tampered
from support.stores import shared_record
from support.tampering import Attack


@pytest.fixture(scope="module")
def template(postgres: Postgres) -> tuple[str, Head]:
    """Write the record once for all tests; return its database and head."""
    name = shared_record(postgres)
    with PostgresStore(postgres.dsn(name, WRITER)) as store:
        return name, fill(store)


class Place:
    """A record of its own."""

    def __init__(self, postgres: Postgres, name: str, noted: Head) -> None:
        self.name = name
        self.noted = noted
        self.superuser = postgres.dsn(name)
        self.writer = postgres.dsn(name, WRITER)
        self.owner = postgres.dsn(name, OWNER)

    def open(self) -> PostgresStore:
        """Open it as consoles do."""
        return PostgresStore(self.writer, create=False)


@pytest.fixture
def place(postgres: Postgres, template: tuple[str, Head]) -> Place:
    """Copy the record, as an administrator could, by its files."""
    name = f"{template[0]}_{len(postgres.run('select 1 from pg_database').splitlines())}"
    postgres.run(f'CREATE DATABASE "{name}" TEMPLATE "{template[0]}" STRATEGY file_copy')
    return Place(postgres, name, template[1])


def test_a_record_that_nobody_touched_is_sound(place: Place) -> None:
    """Verifying, and looking after the guards, complains of nothing where there is nothing."""
    with place.open() as store:
        assert store.verify().broken is None
        assert store.head() == place.noted


@pytest.mark.parametrize("name", FOUND_BY_THE_CHAIN)
def test_verifying_names_the_first_event_that_was_tampered_with(place: Place, name: str) -> None:
    """Whatever a superuser does with the triggers off: verify says which event is the first, and why."""
    attack, seq, why = FOUND_BY_THE_CHAIN[name]
    tampered(place.superuser, attack)
    with place.open() as store:
        broken = store.verify().broken
        assert broken is not None
        assert broken.seq == seq
        assert re.search(why, broken.why)


@pytest.mark.parametrize(
    "attack", [tampering.edit(FAILED), tampering.column(LAST, "run", RUN)], ids=["edited", "moved"]
)
def test_a_tampered_event_is_not_shown_as_if_nothing_were(place: Place, attack: Attack) -> None:
    """A failure that was edited into a pass in the database is an error on screen, and not a pass."""
    tampered(place.superuser, attack)
    with place.open() as store, pytest.raises(StoreError, match=r"changed after|moved to another") as raised:
        store.events(RUN)
    assert "verify" in raised.value.hint


@pytest.mark.parametrize("attack", [tampering.cut_off(LAST), tampering.edit_and_chain(LAST)], ids=["cut", "anew"])
def test_what_the_chain_alone_cannot_see_shows_against_a_noted_head(place: Place, attack: Attack) -> None:
    """A tail that was cut off, or hashed anew, shows against a head noted in a day log, signature or journal."""
    tampered(place.superuser, attack)
    with place.open() as store:
        assert store.verify().broken is None
        assert not store.holds(place.noted)


def test_bytes_that_are_no_text_are_found(place: Place) -> None:
    """Evidence that was overwritten with bytes of no text is found like any other change."""

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE evidence SET text = '\\xff00fe' WHERE seq = 3")

    tampered(place.superuser, attack)
    with place.open() as store:
        broken = store.verify().broken
        assert broken is not None
        assert "evidence beside it was changed" in broken.why
        with pytest.raises(StoreError, match="was changed"):
            store.events(RUN)


_GUARDS = {
    "trigger off": ("ALTER TABLE opsconsole.events DISABLE TRIGGER events_are_never_changed", "events_are_never"),
    "trigger dropped": ("DROP TRIGGER events_are_only_appended ON opsconsole.events", "was removed"),
    "trigger not always": ("ALTER TABLE opsconsole.meta ENABLE TRIGGER meta_is_never_changed", "meta_is_never"),
    "function": (
        (
            "CREATE OR REPLACE FUNCTION opsconsole.refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RETURN NEW; END$$"
        ),
        "refuse_change",
    ),
    "index": ("DROP INDEX opsconsole.one_sign_off", "'one_sign_off', which guards the record, was removed"),
    "check": ("ALTER TABLE opsconsole.events DROP CONSTRAINT opening_columns", "'opening_columns'"),
    "table": ("CREATE TABLE opsconsole.mine ()", "'mine' was added by somebody else"),
    "rule": (
        "CREATE RULE quiet AS ON INSERT TO opsconsole.events WHERE false DO INSTEAD NOTHING",
        "which guards the record, was changed",
    ),
    "row security": ("ALTER TABLE opsconsole.events ENABLE ROW LEVEL SECURITY", "'events'"),
    "unlogged": ("ALTER TABLE opsconsole.evidence SET UNLOGGED", "'evidence'"),
    "column": ("ALTER TABLE opsconsole.events ADD COLUMN mood text", "'events.mood' was added"),
    "nullable": ("ALTER TABLE opsconsole.events ALTER COLUMN prev DROP NOT NULL", "'events.prev'"),
    "foreign key": ("ALTER TABLE opsconsole.evidence DROP CONSTRAINT evidence_seq_fkey", "'evidence_seq_fkey'"),
}


@pytest.mark.parametrize("name", _GUARDS)
def test_a_guard_that_was_taken_away_is_noticed(place: Place, postgres: Postgres, name: str) -> None:
    """Whoever prepares to change the record shows before anything was changed, in verify and in doctor."""
    statement, why = _GUARDS[name]
    postgres.run(f"{statement};", place.name)
    owner = PostgresStore(place.owner, create=False) if name == "row security" else place.open()
    with owner as store:
        broken = store.verify().broken
        assert broken is not None
        assert broken.seq == 0
        assert why in broken.why
        guards = next(each for each in store.health() if each.subject == "guards")
        assert (guards.outcome, guards.text) == (Outcome.FAIL, broken.why)


def test_a_row_that_an_index_hides_is_counted(place: Place, postgres: Postgres) -> None:
    """Events that are in the table and no index leads to are noticed."""
    postgres.run(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'opsconsole.events_of_run'::regclass;",
        place.name,
    )
    with place.open() as store:
        broken = store.verify().broken
        assert broken is not None
        assert "'events_of_run'" in broken.why


# --- accidents, and other programs -------------------------------------------------------------------

_COLUMNS = "seq, id, run, kind, prev, hash, document"
_FINE = {
    "seq": "9",
    "id": f"'{'0' * 36}'",
    "run": f"'{HOST}'",
    "prev": "hash",
    "hash": "encode(sha256(convert_to(hash, 'UTF8') || '{}'), 'hex')",
    "conflict": "",
}


def _insert(**changed: str) -> str:
    values = {**_FINE, **changed}
    return (
        f"INSERT INTO opsconsole.events ({_COLUMNS}) SELECT {values['seq']}, {values['id']}, {values['run']}, "
        f"'noted', {values['prev']}, {values['hash']}, '{{}}' FROM opsconsole.events WHERE seq = 8 "
        f"{values['conflict']}"
    )


_REFUSED = {
    "update": "UPDATE opsconsole.events SET kind = 'ticked' WHERE seq = 2",
    "update of nothing much": "UPDATE opsconsole.events SET hash = hash",
    "delete": "DELETE FROM opsconsole.events",
    "truncate": "TRUNCATE opsconsole.events CASCADE",
    "birth document changed": "UPDATE opsconsole.meta SET store_id = 'x'",
    "birth document deleted": "DELETE FROM opsconsole.meta",
    "birth document emptied": "TRUNCATE opsconsole.meta",
    "second birth document": "INSERT INTO opsconsole.meta SELECT 1, store_id, hash, document FROM opsconsole.meta",
    "version changed": "UPDATE opsconsole.versions SET version = 7",
    "version deleted": "DELETE FROM opsconsole.versions",
    "evidence changed": "UPDATE opsconsole.evidence SET text = ''",
    "evidence deleted": "DELETE FROM opsconsole.evidence WHERE seq = 7",
    "evidence of a signed run deleted": "DELETE FROM opsconsole.evidence WHERE seq = 3",
    "evidence emptied": "TRUNCATE opsconsole.evidence",
    "evidence added later": "INSERT INTO opsconsole.evidence VALUES (7, 5, '')",
    "upsert": _insert(conflict="ON CONFLICT (seq) DO UPDATE SET kind = 'x'", seq="8"),
    "quiet upsert": _insert(conflict="ON CONFLICT DO NOTHING", seq="8"),
    "a gap": _insert(seq="10"),
    "a place that is taken": _insert(seq="8"),
    "no place": _insert(seq="NULL"),
    "another one before": _insert(prev="prev"),
    "none before": _insert(prev="'" + "cd" * 32 + "'"),
    "another hash": _insert(hash="'" + "cd" * 32 + "'"),
    "a signed run": _insert(run=f"'{RUN}'"),
    "a run that was never opened": _insert(run="'qbr-daily@2026-11-20'"),
}


@pytest.mark.parametrize("replicating", [False, True], ids=["plain", "as a replica"])
def test_even_a_superuser_can_only_append_what_fits(place: Place, replicating: bool) -> None:
    """A slip in psql, with whatever settings, changes, replaces and removes nothing."""
    with place.open() as store, psycopg.connect(place.superuser, autocommit=True) as connection:
        before = list(store.links(evidence=True))
        if replicating:
            connection.execute("SET session_replication_role = replica")
        for name, statement in _REFUSED.items():
            with pytest.raises(psycopg.errors.IntegrityError) as raised:
                connection.execute(statement.encode())
            assert "opsconsole:" in str(raised.value), name
        connection.execute("BEGIN")
        connection.execute(_insert().encode())  # what all of them would be without their one fault
        connection.execute("ROLLBACK")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(_insert(id="id").encode())
        assert list(store.links(evidence=True)) == before
        assert store.verify().broken is None


def test_the_right_half_of_a_search_path_does_not_fool_the_guards(place: Place) -> None:
    """Somebody who puts operators or functions of their own in front gets no stray event past the triggers."""
    with psycopg.connect(place.superuser, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA mine")
        connection.execute(
            "CREATE FUNCTION mine.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\\xabab'::bytea $$"
        )
        connection.execute("SET search_path = mine, pg_catalog")
        with pytest.raises(psycopg.errors.IntegrityError, match="the hash of its bytes"):
            connection.execute(_insert(hash="'" + "ab" * 32 + "'").encode())


def test_pruned_evidence_only(place: Place) -> None:
    """What a `pruned` event covers may go, by whatever program, and nothing beyond it."""
    with place.open() as store, psycopg.connect(place.superuser, autocommit=True) as connection:
        store.append([event(Pruned(through_seq=7, texts=1, older_than=MORNING), HOST), note("\x00", HOST)])
        assert connection.execute("DELETE FROM opsconsole.evidence WHERE seq = 7").rowcount == 1
        assert store.verify().broken is None


# --- without this program ----------------------------------------------------------------------------

PAGE = Path(__file__).parents[2] / "docs" / "postgresql.md"


def _queries() -> Iterator[str]:
    for block in re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        yield from re.findall(r'--command "(SELECT convert_from.*?)"', block, re.DOTALL)


def test_an_auditor_recomputes_the_head_with_sql_alone(place: Place) -> None:
    """The documents that the documented query gives are the chain: hashed one by one they end in the head."""
    from opsconsole.store.chain import ZEROS, link

    (query,) = _queries()
    with psycopg.connect(place.writer, autocommit=True) as connection:
        documents = [row[0] for row in connection.execute(query.encode())]
    head = ZEROS
    for document in documents:
        head = link(head, document.encode())
    assert (len(documents) - 1, head) == (place.noted.seq, place.noted.hash)
