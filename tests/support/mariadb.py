"""A real MariaDB for tests: a scratch server on a private socket and a port of loopback, one a worker.

It is started by hand from Debian's `mariadb-server`, never as the system's service, runs as an ordinary account
where the tests are root, is ended by its process id, and leaves nothing.
"""

import asyncio
import contextlib
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsconsole.contracts.probe import Source
from opsconsole.demo.accounts import last_lines, launched, run, server_account
from opsconsole.demo.server import ServerProcess, start_server
from support.needs import missing
from support.postgres import open_directory

_SERVER = "/usr/sbin/mariadbd"
_INSTALL = "/usr/bin/mariadb-install-db"
_CLIENT = "/usr/bin/mariadb"


def until(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait for a condition, up to a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)


async def until_async(condition: Callable[[], bool], what: str, seconds: float = 20.0) -> None:
    """Wait for a condition without holding up the event loop."""
    await asyncio.to_thread(until, condition, what, seconds)


class MariaDb:
    """A running server, with room for throw-away databases and accounts; all of it is removed after the session."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.socket = place / "socket"
        self.ca = place / "ca.pem"
        """The certificate of the server, which signs itself; made out to `localhost`."""
        self.port = _free_port()
        self._log = place / "log"
        self._process: ServerProcess | None = None

    def dsn(self, user: str, database: str = "", *, tcp: bool = False, host: str = "127.0.0.1") -> str:
        """Return the URL of an account, over the socket unless `tcp`."""
        if tcp:
            return f"mysql://{user}@{host}:{self.port}/{database}"
        return f"mysql://{user}@/{database}?socket={self.socket}"

    def source(self, user: str, database: str = "", *, tcp: bool = False, **more: str) -> Source:
        """Return a source; `password` and `ca` as config.toml has them."""
        host = more.pop("host", "127.0.0.1")
        return Source(kind="mysql", dsn=self.dsn(user, database, tcp=tcp, host=host), **more)  # type: ignore[arg-type]

    def run(self, script: str, database: str = "") -> str:
        """Run a script as the server's superuser and return what it printed, without headings."""
        command = [_CLIENT, "--no-defaults", "--socket", str(self.socket), "--user", "root", "-N", "-B", database]
        argv = [each for each in command if each]
        done = subprocess.run(argv, input=script.encode(), capture_output=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout.decode(errors="replace").strip()

    def create_database(self, script: str = "") -> str:
        """Create a database that no other test has, run a script in it, and return its name."""
        name = f"test_{secrets.token_hex(6)}"
        self.run(f"create database {name}; use {name}; {script}")
        return name

    def create_account(self, grants: str = "", password: str = "", options: str = "") -> str:
        """Create an account that no other test has, with `grants` such as `select on x.*`, and return its name."""
        name = f"account_{secrets.token_hex(6)}"
        identified = f"identified by '{password}'" if password else ""
        self.run(f"create user '{name}'@'%' {identified} {options}")
        if grants:
            self.run(f"grant {grants} to '{name}'@'%'")
        return name

    def sessions(self, account: str, and_where: str = "true") -> int:
        """Return how many sessions an account has."""
        query = f"select count(*) from information_schema.processlist where user = '{account}' and {and_where}"
        return int(self.run(query))

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        settings = {
            "datadir": self.place / "data",
            "socket": self.socket,
            "port": self.port,
            "bind-address": "127.0.0.1",
            "pid-file": self.place / "pid",
            "tmpdir": self.place / "tmp",
            "innodb-buffer-pool-size": "16M",
            "innodb-flush-log-at-trx-commit": 0,
            "innodb-log-file-size": "8M",
            "ssl-ca": self.ca,
            "ssl-cert": self.ca,
            "ssl-key": self.place / "key.pem",
            "sql-mode": "ANSI_QUOTES,STRICT_TRANS_TABLES",
            "lc-messages-dir": "/usr/share/mysql",
        }
        command = [_SERVER, "--no-defaults", *(f"--{name}={value}" for name, value in settings.items())]
        self._process = start_server(command, server_account(), self._log)
        until(self._ready, f"MariaDB, which says {last_lines(self._log.read_text(errors='replace'))!r},")

    def _ready(self) -> bool:
        if self._process is None or not self._process.running:
            pytest.fail(f"MariaDB ended: {last_lines(self._log.read_text(errors='replace'))}")
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(self.socket))
            return True
        return False

    def stop(self) -> None:
        """End it, and whoever is connected."""
        if self._process is not None:
            self._process.send(signal.SIGTERM)
            if not self._process.wait(20):
                self._process.send(signal.SIGKILL)
                self._process.wait(20)
            self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _refuse(why: str) -> None:
    missing(f"NO REAL MARIADB: {why}. The probe `mysql` was not tested against a server.")


def _certificate(place: Path) -> None:
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    files = ["-keyout", str(place / "key.pem"), "-out", str(place / "ca.pem")]
    run("openssl", ["openssl", "req", "-x509", *key, *subject, *files])


@contextlib.contextmanager
def open_mariadb(place: Path) -> Iterator[MariaDb]:
    """Run a server in a directory of its own until the block ends."""
    account = server_account()
    for name in ("data", "tmp"):
        (place / name).mkdir(mode=0o700)
        account.own(place / name)
    _certificate(place)
    for name in ("key.pem", "ca.pem"):
        account.own(place / name)
    account.own(place)
    install = [_INSTALL, "--no-defaults", f"--datadir={place / 'data'}", f"--tmpdir={place / 'tmp'}"]
    options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
    run("mariadb-install-db", launched(account, [*install, *options], ended_by=signal.SIGKILL))
    server = MariaDb(place)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    """Run a MariaDB of this test process's own. A test that stops it starts it again."""
    missing = [each for each in (_SERVER, _INSTALL, _CLIENT) if not Path(each).exists()]
    if missing:
        _refuse(f"{', '.join(missing)} is not installed (Debian: mariadb-server)")
    with open_directory() as directory, open_mariadb(directory) as server:
        yield server
