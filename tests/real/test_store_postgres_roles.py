"""Who may do what to a record in PostgreSQL: tried as each role, and told by `doctor`."""

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from opsconsole.contracts.store import Health, StoreError, StoreUnavailable
from opsconsole.model.events import Pruned
from opsconsole.model.outcomes import Outcome
from opsconsole.store.postgres import PostgresStore, granted
from opsconsole.store.postgres_roles import OWNER, PRUNER, READER, RIGHTS, WRITER, grants_to, roles_script
from support.events import RUN, event, measurement, note, opening, sign_off
from support.postgres import Postgres
from support.runs import MORNING
from support.stores import shared_database, shared_record


class Record:
    """A record with a few events, and the roles around it."""

    def __init__(self, postgres: Postgres) -> None:
        self.postgres = postgres
        self.name = shared_record(postgres)
        with self.open(WRITER) as store:
            store.append([opening(), measurement(), note("a note")])

    def open(self, role: str) -> PostgresStore:
        """Open it as one of its roles."""
        return PostgresStore(self.postgres.dsn(self.name, role), create=False, lock_timeout=5.0)

    def health(self, role: str) -> dict[str, Health]:
        """Return what `doctor` says to a role, by subject; the last of each."""
        with self.open(role) as store:
            return {each.subject: each for each in store.health()}


@pytest.fixture
def record(postgres: Postgres) -> Record:
    """Make a record."""
    return Record(postgres)


_TABLES = ("versions", "meta", "events", "evidence")
_FORBIDDEN = [
    f"{deed} opsconsole.{table}{rest}"
    for table in _TABLES
    for deed, rest in (
        ("UPDATE", " SET {column} = {column}"),
        ("DELETE FROM", ""),
        ("TRUNCATE", ""),
        ("DROP TABLE", " CASCADE"),
        ("ALTER TABLE", " DISABLE TRIGGER ALL"),
    )
] + [
    "DO $$ BEGIN LOCK TABLE opsconsole.events IN ACCESS EXCLUSIVE MODE; END $$",
    "CREATE TABLE opsconsole.mine ()",
    "DROP SCHEMA opsconsole CASCADE",
    "CREATE OR REPLACE FUNCTION opsconsole.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN END$$",
    "SET session_replication_role = replica",
    "INSERT INTO opsconsole.meta SELECT * FROM opsconsole.meta",
    "INSERT INTO opsconsole.versions (version) VALUES (99)",
    "DROP TRIGGER events_are_never_changed ON opsconsole.events",
    "CREATE RULE quiet AS ON INSERT TO opsconsole.events DO INSTEAD NOTHING",
]
_COLUMNS = {"versions": "version", "meta": "store_id", "events": "kind", "evidence": "text"}


@pytest.mark.parametrize("role", [WRITER, READER, PRUNER])
def test_no_working_role_can_change_empty_or_unguard_the_record(record: Record, role: str) -> None:
    """Whoever has a console's password can add to the record, and neither change nor remove anything in it."""
    with record.open(OWNER) as store:
        before = list(store.links(evidence=True))
    with psycopg.connect(record.postgres.dsn(record.name, role), autocommit=True) as connection:
        for form in _FORBIDDEN:
            table = form.partition("opsconsole.")[2].partition(" ")[0]
            statement = form.replace("{column}", _COLUMNS.get(table, ""))
            if role == PRUNER and statement == "DELETE FROM opsconsole.evidence":
                with pytest.raises(psycopg.errors.IntegrityError, match="only after an event that tells it"):
                    connection.execute(statement.encode())
                continue
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedObject)):
                connection.execute(statement.encode())
    with record.open(OWNER) as store:
        assert list(store.links(evidence=True)) == before
        assert store.verify().broken is None


def test_a_writer_can_do_a_mornings_work(record: Record) -> None:
    """What consoles and jobs do takes no more than the writer's rights: append, read, watch, be seen, verify."""
    with record.open(WRITER) as store, closing(store.watch()) as watch, closing(store.enter(RUN, "a")) as presence:
        assert watch.wait(5.0)
        (last,) = store.append([measurement()])
        assert presence.others() == ()
        store.append([sign_off(store, last)], after=last.seq)
        assert store.verify().broken is None
        with pytest.raises(StoreUnavailable, match="lacks a right") as raised:
            store.remove_evidence(RUN, 2)
        assert "--print-roles" in raised.value.hint


def test_a_reader_reads_and_verifies_and_no_more(record: Record) -> None:
    """An auditor's role sees and verifies everything; what it would record is refused with what it lacks."""
    with record.open(READER) as store:
        assert store.verify().broken is None
        assert len(store.events(RUN)) == 3
        with pytest.raises(StoreUnavailable, match="permission denied"):
            store.append([note("in vain")])


def test_a_pruner_removes_what_was_told_and_no_more(record: Record) -> None:
    """The retention job needs one right more, and the schema holds it to what an event has told."""
    with record.open(PRUNER) as store:
        with pytest.raises(StoreError, match="only after an event that tells it"):
            store.remove_evidence(RUN, 2)
        store.append([event(Pruned(through_seq=2, texts=1, older_than=MORNING))])
        assert store.remove_evidence(RUN, 2) == 1
        assert store.verify().broken is None


def test_a_login_of_ones_own_works_by_membership(record: Record) -> None:
    """Each person or host can have a login of its own, with the writer's rights by membership."""
    alice = record.postgres.create_role(f"IN ROLE {WRITER}")
    with record.open(alice) as store:
        store.append([note("hers")])
    assert record.health(alice)["role"].outcome is Outcome.PASS


# --- who makes it ------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [WRITER, READER, PRUNER])
def test_a_working_role_that_finds_no_record_is_told_who_makes_it(postgres: Postgres, role: str) -> None:
    """The first console on a fresh database says which command makes the record, and as whom."""
    name = shared_database(postgres)
    with pytest.raises(StoreUnavailable, match=f"no record in database {name} yet, and {role} may not") as raised:
        PostgresStore(postgres.dsn(name, role))
    assert f"PGUSER={OWNER} opsconsole store init" in raised.value.hint


def test_an_owner_that_opens_an_empty_database_has_a_record(postgres: Postgres) -> None:
    """The easy way works: somebody's own database, one line of configuration, and nothing to set up."""
    anybody = postgres.create_role()
    name = postgres.create_database()
    postgres.run(f'ALTER DATABASE "{name}" OWNER TO "{anybody}"')
    with PostgresStore(postgres.dsn(name, anybody)) as store:
        store.append([opening()])
        found = {each.subject: each for each in store.health()}
    assert found["role"].outcome is Outcome.WARN
    assert "can take its guards away" in found["role"].text


def test_an_owner_without_the_right_to_create_uses_a_schema_that_was_made_for_it(postgres: Postgres) -> None:
    """On a server where only the administrator makes schemas, an empty one of the owner's is enough."""
    owner = postgres.create_role()
    name = postgres.create_database(f'CREATE SCHEMA opsconsole AUTHORIZATION "{owner}"')
    with PostgresStore(postgres.dsn(name, owner)) as store:
        assert store.verify().broken is None


def test_the_printed_script_can_be_run_again(postgres: Postgres) -> None:
    """Running the administrator's script twice changes nothing, and makes the database where it is missing."""
    name = f"records {postgres.create_role()[-6:]}"
    for _ in range(2):
        postgres.run(roles_script(name))
    with PostgresStore(postgres.dsn(name, OWNER)):
        pass
    assert set(granted(postgres.dsn(name, OWNER))) == set()


def test_rights_are_given_to_roles_that_come_later(postgres: Postgres) -> None:
    """`store init` once more gives the roles what they should have, and takes what they should not."""
    record = Record(postgres)
    postgres.run(f"GRANT ALL ON ALL TABLES IN SCHEMA opsconsole TO {WRITER}, PUBLIC", record.name)
    assert record.health(WRITER)["rights"].outcome is Outcome.FAIL
    assert granted(postgres.dsn(record.name, OWNER)) == ()
    assert record.health(WRITER)["rights"].outcome is Outcome.PASS
    assert sorted(RIGHTS) == sorted([READER, WRITER, PRUNER])


# --- what doctor says --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "outcome", "text"),
    [
        (WRITER, Outcome.PASS, "may read and add, no more"),
        (PRUNER, Outcome.PASS, "may read, add, and remove pruned evidence, no more"),
        (READER, Outcome.PASS, "may read, no more"),
        (OWNER, Outcome.WARN, "owns the record"),
        ("postgres", Outcome.FAIL, "is a superuser"),
    ],
)
def test_doctor_says_what_the_role_could_do(record: Record, role: str, outcome: Outcome, text: str) -> None:
    """`doctor` warns whoever works with more rights than it takes."""
    found = record.health(role)["role"]
    assert found.outcome is outcome
    assert text in found.text
    assert found.hint or outcome is Outcome.PASS


@pytest.fixture
def mended(record: Record) -> Iterator[tuple[Record, str]]:
    """Give a role of a test's own with the writer's rights."""
    role = record.postgres.create_role()
    record.postgres.run("\n".join(grants_to(WRITER, role)), record.name)
    record.postgres.run(f'GRANT CONNECT ON DATABASE "{record.name}" TO "{role}"')
    yield record, role
    record.postgres.run(f'DROP OWNED BY "{role}"', record.name)


@pytest.mark.parametrize(
    ("given", "subject", "text"),
    [
        ("GRANT UPDATE, DELETE ON opsconsole.events TO {role}", "rights", "may DELETE, UPDATE on events"),
        ("GRANT TRUNCATE ON opsconsole.evidence TO {role}", "rights", "may TRUNCATE on evidence"),
        ("GRANT TRIGGER ON opsconsole.meta TO {role}", "rights", "may TRIGGER on meta"),
        ("GRANT INSERT ON opsconsole.versions TO {role}", "rights", "may INSERT on versions"),
        ("GRANT {owner} TO {role}", "role", "owns the record"),
        ("GRANT pg_write_all_data TO {role}", "role", "is a member of pg_write_all_data"),
    ],
)
def test_what_doctor_hints_mends_it(mended: tuple[Record, str], given: str, subject: str, text: str) -> None:
    """Each right too many is named, and the SQL that `doctor` shows takes it away again."""
    record, role = mended
    record.postgres.run(given.format(role=role, owner=OWNER), record.name)
    found = record.health(role)[subject]
    assert found.outcome in {Outcome.FAIL, Outcome.WARN}
    assert text in found.text
    record.postgres.run(found.hint, record.name)
    assert record.health(role)[subject].outcome is Outcome.PASS


def test_doctor_tells_what_cannot_be_written(record: Record) -> None:
    """A reader, a read-only role, and a server that does not wait for its disk show before the morning does."""
    assert record.health(READER)["writing"].outcome is Outcome.WARN
    assert record.health(WRITER)["writing"].outcome is Outcome.PASS
    durability = record.health(WRITER)["durability"]  # the server of the tests does not wait for its disk
    assert durability.outcome is Outcome.FAIL
    assert "ALTER SYSTEM SET fsync = on" in durability.hint
    record.postgres.run(f'ALTER DATABASE "{record.name}" SET default_transaction_read_only = on')
    assert record.health(WRITER)["writing"].outcome is Outcome.FAIL


def test_doctor_passes_a_record_as_it_was_made(record: Record) -> None:
    """The guards of a record that nobody touched are found whole, by every role."""
    for role in (WRITER, READER, PRUNER, OWNER):
        assert record.health(role)["guards"].outcome is Outcome.PASS
