"""A PostgreSQL of our own: one private cluster on one private socket, which never outlives this process.

Its files are made once, with `initdb`, and used again by the next start. They are never forced to disk, for speed,
so after each boot of the machine they are made anew: no power cut can have hurt those in use. Files that do not
work for any other reason are made anew as well.
"""

import contextlib
import hashlib
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from opsconsole.demo.accounts import Account, last_lines, launched, run, server_account
from opsconsole.demo.binaries import Programs, find_programs, programs_within_reach
from opsconsole.demo.errors import DemoError
from opsconsole.demo.places import Home, choose_home, locked, remove_socket_directory, socket_directory
from opsconsole.demo.server import ServerProcess, end_leftover, read_foreign, read_postmaster, start_server

SUPERUSER = "postgres"

_INITDB = (
    *("--username", SUPERUSER),
    *("--auth", "trust"),  # the directory of the socket lets nobody in but root and the server's account
    *("--encoding", "UTF8", "--locale", "C"),  # the one locale that every host has
    *("--wal-segsize", "1"),
    "--no-sync",
)
_PSQL = ("--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set", "ON_ERROR_STOP=1")
_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "max_connections": "100",
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",  # in the data directory: a killed server leaves nothing in /dev/shm
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "16MB",
    "max_logical_replication_workers": "0",
    "autovacuum": "off",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
_NEWER_SETTINGS = {18: {"io_method": "sync"}}  # no worker processes for what is all in memory
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.003


class Cluster:
    """A cluster of its own, started and stopped at will while it is open; see `open_cluster`."""

    def __init__(self, home: Home, data: Path, sockets: Path, programs: Programs, account: Account) -> None:
        self.directory = home.path
        self.notices = home.notices
        self.socket_directory = sockets
        self._data = data
        self._programs = programs
        self._account = account
        self._server: ServerProcess | None = None

    @property
    def server_pid(self) -> int | None:
        """The process id of the running server; None when it is stopped."""
        return self._server.pid if self._server and self._server.running else None

    def dsn(self, database: str, user: str) -> str:
        """Return a libpq connection string; it needs no password, and works only for us and for root."""
        values = {"host": str(self.socket_directory), "port": "5432", "dbname": database, "user": user}
        return " ".join(f"{key}={_quoted(value)}" for key, value in values.items())

    def start(self) -> None:
        """Start the server and wait until it takes connections; nothing happens when it runs."""
        if self.server_pid is not None:
            return
        log = self.directory / "server.log"
        settings = [argument for name, value in self._settings() for argument in ("-c", f"{name}={value}")]
        command = [str(self._programs.postgres), "-D", str(self._data), "-k", str(self.socket_directory), *settings]
        server = start_server(command, self._account, log)
        self._server = server
        deadline = time.monotonic() + _START_SECONDS
        while not self._ready(server):
            if not server.running:
                said = last_lines(log.read_text(encoding="utf-8", errors="replace"))
                raise DemoError(f"PostgreSQL did not start: {said or 'it said nothing'}", f"its log is {log}")
            if time.monotonic() > deadline:
                self.stop(at_once=True)
                raise DemoError(f"PostgreSQL was not ready after {_START_SECONDS:g} s", f"its log is {log}")
            time.sleep(_POLL_SECONDS)

    def stop(self, *, at_once: bool = False) -> None:
        """Stop the server, cutting its connections; `at_once` without writing the data out, which takes longer."""
        if self._server is None:
            return
        for number in (signal.SIGQUIT if at_once else signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            self._server.send(number)
            if self._server.wait(_STOP_SECONDS):
                return
        raise DemoError(f"PostgreSQL (process {self._server.pid}) does not end")

    def run_script(self, script: str, database: str) -> str:
        """Run a script for psql as the superuser, up to its first error, and return what it printed."""
        target = ("--dbname", self.dsn(database, SUPERUSER), "--file", "-")
        return run("psql", (str(self._programs.psql), *_PSQL, *target), stdin=script)

    def _settings(self) -> Iterator[tuple[str, str]]:
        major = int(read_foreign(self._data / "PG_VERSION") or "0")
        yield from _SETTINGS.items()
        for since, settings in _NEWER_SETTINGS.items():
            if major >= since:
                yield from settings.items()

    def _ready(self, server: ServerProcess) -> bool:
        postmaster = read_postmaster(self._data)
        return postmaster is not None and postmaster.ready and postmaster.pid == server.pid


def _quoted(value: str) -> str:
    r"""Quote a value for a connection string: ``'it\'s'`` (libpq, "Keyword/Value Connection Strings")."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@contextlib.contextmanager
def open_cluster(directory: Path, *, setup: str = "", binaries: Path | None = None) -> Iterator[Cluster]:
    """Run a cluster in `directory` (or, for root, where its server's account can be) until the block ends.

    `setup` is a psql script for the superuser, run at each start, connected to `template1`. `binaries` are
    PostgreSQL's programs, the wheel's unless given. Raises DemoError with the cause and what to do about it.
    """
    with contextlib.ExitStack() as stack:
        with _explained():
            cluster = _open(stack, directory, setup, find_programs(binaries))
        yield cluster


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        raise DemoError(
            f"PostgreSQL cannot be set up: {error.strerror}{place}",
            "make room or give access there, or choose another state directory (OPSCONSOLE_STATE)",
        ) from error


def _open(stack: contextlib.ExitStack, directory: Path, setup: str, found: Programs) -> Cluster:
    account = server_account()
    home = choose_home(directory, account)
    stack.enter_context(locked(home.path))
    _sweep(home.path, account)
    programs = programs_within_reach(found, home.path, account, _boot())
    sockets = stack.enter_context(socket_directory(home.path, account))
    if sockets.parent != home.path:
        home = replace(
            home, notices=(*home.notices, f"its socket is in {sockets}: {home.path} is too long for one")
        )
    data = home.path / f"data-{_identity(programs)}"
    for other in home.path.glob("data-*"):
        if other != data:
            _discard(other)
    cluster = Cluster(home, data, sockets, programs, account)
    stack.callback(cluster.stop)
    if data.exists():
        with contextlib.suppress(DemoError):
            cluster.start()
            cluster.run_script(setup, "template1")
            return cluster
        cluster.stop(at_once=True)
        _discard(data)
    _initialise(data, programs, account)
    cluster.start()
    cluster.run_script(setup, "template1")
    return cluster


def _identity(programs: Programs) -> str:
    made_by = "\0".join((programs.identity(), *_INITDB, _boot()))
    return hashlib.sha256(made_by.encode()).hexdigest()[:12]


def _initialise(data: Path, programs: Programs, account: Account) -> None:
    building = Path(tempfile.mkdtemp(prefix="building-", dir=data.parent))
    try:
        account.own(building)
        initdb = (str(programs.initdb), *_INITDB, "--pgdata", str(building))
        run("initdb", launched(account, initdb, ended_by=signal.SIGKILL))
        building.rename(data)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _sweep(home: Path, account: Account) -> None:
    """Remove what a killed demo left: its server, if it is really that, its socket, unfinished directories."""
    for data in home.glob("data-*"):
        end_leftover(data, account)
        # PostgreSQL would take any live process of that number for its server, and refuse to start.
        (data / "postmaster.pid").unlink(missing_ok=True)
    remove_socket_directory(home, account)
    for unfinished in home.glob("building-*"):
        shutil.rmtree(unfinished, ignore_errors=True)


def _discard(data: Path) -> None:
    """Remove a data directory; a last process of its server, still writing, can delay that to the next start."""
    doomed = data.with_name(f"building-{secrets.token_hex(8)}")
    data.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _boot() -> str:
    """Name this boot of the machine; see random(4)."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
