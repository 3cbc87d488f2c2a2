"""A real PostgreSQL for tests: a scratch cluster on a private socket, one a worker, gone at the end."""

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from opsconsole.demo.accounts import reachable, server_account
from opsconsole.demo.binaries import find_programs
from opsconsole.demo.cluster import SUPERUSER, Cluster, open_cluster
from support.needs import missing


class Postgres:
    """A running cluster, with room for throw-away databases and roles; all of it is removed after the session."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @property
    def superuser_dsn(self) -> str:
        """The superuser's connection string, to the database `postgres`."""
        return self.dsn("postgres", SUPERUSER)

    @property
    def server_pid(self) -> int | None:
        """The server's process id; None while it is stopped."""
        return self._cluster.server_pid

    def dsn(self, dbname: str, user: str = SUPERUSER) -> str:
        """Return a libpq connection string; roles need no password."""
        return self._cluster.dsn(dbname, user)

    def create_database(self, script: str = "") -> str:
        """Create an empty database that no other test has, run a script in it, and return its name."""
        name = f"test_{secrets.token_hex(6)}"
        self._cluster.run_script(
            f'CREATE DATABASE "{name}" STRATEGY file_copy;\n\\connect {name}\n{script}', "postgres"
        )
        return name

    def create_role(self, options: str = "") -> str:
        """Create a login role that no other test has, without any grant, and return its name."""
        name = f"role_{secrets.token_hex(6)}"
        self._cluster.run_script(f'CREATE ROLE "{name}" LOGIN {options}', "postgres")
        return name

    def run(self, script: str, dbname: str = "postgres") -> str:
        """Run a psql script as the superuser and return what it printed, unaligned and without headings."""
        return self._cluster.run_script(script, dbname)

    def stop(self) -> None:
        """Stop the server; its data stays."""
        self._cluster.stop()

    def start(self) -> None:
        """Start it again, on the same socket."""
        self._cluster.start()


@contextlib.contextmanager
def open_directory() -> Iterator[Path]:
    """Make a directory that PostgreSQL's account can enter, which `tmp_path` is not for root, and remove it again.

    Its path is short, too: a socket has only 107 bytes for its own.
    """
    place = Path(tempfile.mkdtemp(prefix="opsconsole-test-"))
    try:
        if server_account().switched:
            place.chmod(0o711)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def as_ordinary_user(command: Sequence[str]) -> list[str]:
    """Return the command as an unprivileged account runs it: unchanged unless we are root, then as `nobody`.

    Where the interpreter is in root's own directories, the account may read and enter, but not write, everywhere.
    """
    account = server_account()
    if not account.switched:
        return list(command)
    if not reachable(find_programs().postgres, account):
        missing(f"'{account.name}' CANNOT REACH THE VIRTUAL ENVIRONMENT: nothing was tried as an ordinary user.")
    read_all = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    capabilities = [] if reachable(Path(sys.executable), account) else read_all
    identity = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    return ["setpriv", *identity, *capabilities, "--", *command]


@contextlib.contextmanager
def directory_of_ordinary_user() -> Iterator[Path]:
    """Make a directory that belongs to whoever `as_ordinary_user` runs as, closed to all others, and remove it."""
    account = server_account()
    with open_directory() as place:
        own = place / "home"
        own.mkdir(mode=0o700)
        if account.switched:
            os.chown(own, account.uid, account.gid)
        yield own


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL server of this test process's own. A test that stops it starts it again."""
    with open_directory() as directory, open_cluster(directory) as cluster:
        yield Postgres(cluster)
