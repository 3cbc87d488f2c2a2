"""`opsconsole store …` as an administrator uses it, and the console's own commands on a shared record."""

import subprocess
import sys
from pathlib import Path

import pytest

from opsconsole.store.postgres import PostgresStore
from opsconsole.store.postgres_roles import OWNER, READER, WRITER
from opsconsole.store.sqlite import SqliteStore
from support.events import RUN, measurement, note, opening
from support.postgres import Postgres
from support.stores import DEADLINE, environment, shared_database, shared_record


class Shell:
    """Runs the program with a configuration of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "config.toml"

    def configure(self, store: str) -> None:
        """Say where the record is."""
        self.config.write_text(f'checklists = []\nstore = "{store}"\n')
        self.config.chmod(0o600)

    def command(self, *arguments: str) -> list[str]:
        """Return the command line."""
        options = ["--config", str(self.config), "--state", str(self.directory / "state")]
        return [sys.executable, "-m", "opsconsole", *options, *arguments]

    def run(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """Run a command; return its exit code, output and narration."""
        done = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
            env={**environment(), **variables},
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Give a place to run commands in."""
    return Shell(tmp_path)


def test_a_shared_record_from_nothing(shell: Shell, postgres: Postgres) -> None:
    """The administrator's script, `store init` as the owner, and then consoles that may only add: ten lines."""
    shell.configure("postgresql://db.example/records")
    code, script, said = shell.run("store", "init", "--print-roles")
    assert (code, said) == (0, "")
    assert "CREATE DATABASE records" in script
    name = shared_database(postgres)
    shell.configure(postgres.dsn(name, WRITER).replace("'", ""))
    code, _, said = shell.run("history")
    assert code == 4
    assert f"PGUSER={OWNER} opsconsole store init" in said
    code, out, said = shell.run("store", "init", PGUSER=OWNER)
    assert (code, said) == (0, "")
    assert "0 events" in out
    shell.configure(postgres.dsn(name, "").replace("user=''", "").replace("'", ""))
    code, out, said = shell.run("doctor", PGUSER=WRITER)
    assert "PASS  record role: opsconsole_writer may read and add, no more" in out
    assert "PASS  record guards" in out
    with PostgresStore(postgres.dsn(name, WRITER), create=False) as store:
        store.append([opening(), measurement()])
        head = store.head()
    code, out, said = shell.run("verify", "--all", PGUSER=READER)
    assert code == 0, said
    assert head.hash in out


def test_backup_and_back(shell: Shell, postgres: Postgres, tmp_path: Path) -> None:
    """A backup of the shared record is a file that verifies, and that moves back to a server as the same record."""
    name = shared_record(postgres)
    with PostgresStore(postgres.dsn(name, WRITER), create=False) as store:
        store.append([opening(), measurement(), note("x")])
        head, store_id = store.head(), store.store_id
    shell.configure(postgres.dsn(name, READER).replace("'", ""))
    code, out, said = shell.run("store", "backup", str(tmp_path / "backup.db"))
    assert (code, said) == (0, "")
    assert f"3 events, head 3 {head.hash}" in out
    code, _, said = shell.run("store", "backup", str(tmp_path / "backup.db"))
    assert code == 4
    assert "exists already" in said
    target = postgres.dsn(shared_database(postgres), OWNER)
    code, out, said = shell.run("store", "copy", str(tmp_path / "backup.db"), target)
    assert code == 0, said
    assert f"copied and verified: 3 events, head 3 {head.hash}" in out
    with PostgresStore(target, create=False) as copy:
        assert (copy.store_id, copy.head()) == (store_id, head)


def test_the_server_knows_how_long_a_copied_record_is(tmp_path: Path, shell: Shell, postgres: Postgres) -> None:
    """Without that each event that is copied makes its triggers read all before it: hours for a year's record."""
    events = 1200
    with SqliteStore(tmp_path / "records.db") as store:
        store.append([opening(), *(note(f"number {number}") for number in range(events - 1))])
    name = shared_database(postgres)
    shell.configure(str(tmp_path / "records.db"))
    code, _, said = shell.run("store", "copy", str(tmp_path / "records.db"), postgres.dsn(name, OWNER))
    assert code == 0, said
    known = postgres.run("select reltuples::int from pg_class where oid = 'opsconsole.events'::regclass;", name)
    assert int(known) >= events // 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("a.db", "postgresql://u:not-a-real-secret@h/d"), 4, "holds a secret"),
        (("a.db", "a.db"), 2, "the same"),
        (("no/such.db", "b.db"), 4, "there is no record store"),
    ],
)
def test_what_cannot_be_copied_is_said(
    shell: Shell, tmp_path: Path, arguments: tuple[str, str], code: int, said: str
) -> None:
    """A password, the same place twice, a source that is not there: refused in words, and nothing is made."""
    places = [each if "://" in each else str(tmp_path / each) for each in arguments]
    found = shell.run("store", "copy", *places)
    assert found[0] == code
    assert said in found[2]
    assert "not-a-real" not in found[2]
    assert not list(tmp_path.glob("*.db"))


def test_a_copy_that_is_killed_leaves_nothing_that_looks_whole(
    shell: Shell, postgres: Postgres, tmp_path: Path
) -> None:
    """Kill -9 in the middle of a copy, to a file or to a server: what is left is not taken for a record."""
    source = tmp_path / "source.db"
    with SqliteStore(source) as store:
        store.append([opening(), *(note(f"{number}") for number in range(3_000))])
        head = store.head()
    name = shared_database(postgres)
    file = tmp_path / "copy" / "records.db"
    for target in (str(file), postgres.dsn(name, OWNER)):
        for seconds in (0.25, 0.5, 0.75):
            _killed(shell.command("store", "copy", str(source), target), seconds)
        if target == str(file) and not file.exists():
            assert shell.run("store", "copy", str(source), target)[0] == 0
        elif target != str(file):
            code, _, said = shell.run("store", "copy", str(source), target)
            assert (
                code == 0 or "has a record already, of 3001 events" in said
            )  # the last one was not killed in time
    for copy in (SqliteStore(file, create=False), PostgresStore(postgres.dsn(name, OWNER), create=False)):
        with copy:
            assert copy.verify().broken is None
            assert copy.head() == head
            assert copy.last_seq(RUN) == 3_001


def _killed(command: list[str], seconds: float) -> None:
    """Run a command and kill it after a while, unless it has ended."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(DEADLINE)
