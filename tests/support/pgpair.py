"""A real primary with a real standby and `pg_stat_statements`: Debian's PostgreSQL, which has what the wheel lacks.

They listen on sockets of directories of their own, are ended by their process ids, and leave nothing.
"""

import contextlib
import secrets
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsconsole.demo.accounts import last_lines, launched, run, server_account
from opsconsole.demo.server import ServerProcess, start_server
from support.needs import missing
from support.postgres import open_directory

PACKAGES = Path("/usr/lib/postgresql")
PORT = "5432"
_SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "max_connections": "20",
    "superuser_reserved_connections": "3",
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "synchronous_commit": "off",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "max_prepared_transactions": "2",
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track_utility": "on",
    "autovacuum": "off",
    "wal_receiver_status_interval": "1s",
    "jit": "off",
    "timezone": "UTC",
}


def until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait for a condition, up to a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)


class Server:
    """One server, started and stopped at will."""

    def __init__(self, programs: Path, data: Path, sockets: Path, log: Path) -> None:
        self.data = data
        self.sockets = sockets
        self._programs = programs
        self._log = log
        self._process: ServerProcess | None = None

    def dsn(self, user: str = "postgres", dbname: str = "postgres") -> str:
        """Return a connection string; roles need no password."""
        return f"host={self.sockets} port={PORT} dbname={dbname} user={user}"

    def run(self, script: str, dbname: str = "postgres") -> str:
        """Run a script as the superuser and return what it printed."""
        psql = (str(self._programs / "psql"), "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "-f", "-")
        return run("psql", (*psql, "-d", self.dsn(dbname=dbname)), stdin=script).strip()

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        settings = [argument for each in _SETTINGS.items() for argument in ("-c", "=".join(each))]
        postgres = str(self._programs / "postgres")
        command = [postgres, "-D", str(self.data), "-k", str(self.sockets), *settings]
        self._process = start_server(command, server_account(), self._log)
        until(self._ready, f"the server, which says {last_lines(self._log.read_text())!r},")

    def _ready(self) -> bool:
        done = contextlib.suppress(OSError, IndexError)
        with done:
            return (self.data / "postmaster.pid").read_text().splitlines()[7].strip() in {"ready", "standby"}
        return False

    def stop(self) -> None:
        """End it, and whoever is connected."""
        if self._process is not None:
            self._process.send(signal.SIGINT)
            if not self._process.wait(20):
                self._process.send(signal.SIGKILL)
                self._process.wait(20)
            self._process = None


class Pair:
    """A primary with a standby that follows it."""

    def __init__(self, primary: Server, standby: Server) -> None:
        self.primary = primary
        self.standby = standby

    def role(self, options: str = "", *, monitor: bool = True) -> str:
        """Create a login role that no other test has, with the right to read statistics."""
        name = f"role_{secrets.token_hex(6)}"
        grant = f'grant pg_monitor to "{name}"' if monitor else ""
        self.primary.run(f'create role "{name}" login {options}; {grant}')
        return name

    def caught_up(self) -> bool:
        """Whether the standby has replayed all that there is."""
        head = self.primary.run("select pg_current_wal_lsn()")
        return self.standby.run(f"select pg_last_wal_replay_lsn() >= '{head}'") == "t"


def _programs() -> Path:
    found = sorted(PACKAGES.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    missing(f"NO POSTGRESQL OF DEBIAN in {PACKAGES}: replication and statements were not tested.")


@contextlib.contextmanager
def _opened(place: Path) -> Iterator[Pair]:
    programs, account = _programs(), server_account()
    servers = []
    for name in ("primary", "standby"):
        directory = place / name
        directory.mkdir(mode=0o711)
        account.own(directory)
        servers.append(Server(programs, directory / "data", directory, place / f"{name}.log"))
    primary, standby = servers
    initdb = (str(programs / "initdb"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
    run("initdb", launched(account, (*initdb, "-D", str(primary.data)), ended_by=signal.SIGKILL))
    try:
        primary.start()
        backup = (str(programs / "pg_basebackup"), "-d", primary.dsn(), "-D", str(standby.data), "-R", "--no-sync")
        copying = launched(account, (*backup, "-c", "fast", "-X", "stream"), ended_by=signal.SIGKILL)
        run("pg_basebackup", copying)
        standby.start()
        yield Pair(primary, standby)
    finally:
        standby.stop()
        primary.stop()
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_pair() -> Iterator[Pair]:
    """Run a primary and its standby. A test that stops one of them starts it again."""
    with open_directory() as directory, _opened(directory) as pair:
        yield pair
