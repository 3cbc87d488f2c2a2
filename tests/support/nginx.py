"""A real nginx on loopback, in a directory of its own, in front of a backend of the tests: ended by its process.

Debian's package `nginx` has it. The master stays in the foreground and needs no root; as root its workers stay so,
since nobody else may enter the directories of tests.
"""

import base64
import contextlib
import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.certificates import Issued, issued
from support.hostprobes import free_ports
from support.httpd import Httpd, serving
from support.needs import missing

USER, PASSWORD = "monitor", "only-of-this-test"
DOCUMENT = b'{"state": "up", "text": "' + b"quite long " * 500 + b'"}'
START_SECONDS = 20.0

_CONFIG = """
daemon off;
{user}
pid {root}/nginx.pid;
error_log {root}/error.log info;
worker_processes 1;
events {{ worker_connections 128; }}
http {{
    client_body_temp_path {root}/temp/body;
    proxy_temp_path {root}/temp/proxy;
    fastcgi_temp_path {root}/temp/fastcgi;
    uwsgi_temp_path {root}/temp/uwsgi;
    scgi_temp_path {root}/temp/scgi;
    types {{ application/json json; }}
    log_format epoch '$msec $remote_addr "$request" $status $body_bytes_sent';
    log_format iso '$time_iso8601 $remote_addr "$request" $status $body_bytes_sent';
    log_format json escape=json '{{"remote": "$remote_addr", "time": "$time_iso8601", "status": "$status"}}';
    log_format logfmt 'ts=$time_iso8601 status=$status bytes=$body_bytes_sent';
    access_log {root}/access.log combined;
    access_log {root}/epoch.log epoch;
    access_log {root}/iso.log iso;
    access_log {root}/json.log json;
    access_log {root}/logfmt.log logfmt;
    limit_req_zone $binary_remote_addr zone=slowly:64k rate=1r/m;
    gzip on;
    gzip_types application/json;
    keepalive_timeout {keepalive};
    server {{
        listen 127.0.0.1:{port};
        listen unix:socket;
        listen 127.0.0.1:{tls} ssl;
        listen 127.0.0.1:{broken} ssl;
        ssl_certificate $certificate;
        ssl_certificate_key {root}/key.pem;
        root {root}/pages;
        location = /empty {{ return 204; }}
        location = /moved {{ return 301 /document.json; }}
        location = /limited {{ limit_req zone=slowly; try_files /document.json =404; }}
        location = /status {{ stub_status; access_log off; }}
        location /private/ {{
            auth_basic "the tests";
            auth_basic_user_file {root}/passwords;
            alias {root}/pages/;
        }}
        location = /gone {{ proxy_pass http://127.0.0.1:1; }}
        location = /impatient {{ proxy_pass http://127.0.0.1:{backend}/held; proxy_read_timeout 100ms; }}
        location / {{ try_files $uri @application; }}
        location @application {{ proxy_pass http://127.0.0.1:{backend}; }}
    }}
    map $server_port $certificate {{ default {root}/chain.pem; {broken} {root}/alone.pem; }}
}}
"""
"""What is no page of its own is asked of the backend. On one of the ports the issuer's certificate is missing."""


class Nginx:
    """A server that runs, and its backend."""

    def __init__(self, root: Path, backend: Httpd, authority: Issued, zone: str, keepalive: str) -> None:
        self.root, self.backend = root, backend
        self.ports = dict(zip(("port", "tls", "broken"), free_ports(3), strict=True))
        """`port` speaks HTTP, `tls` HTTPS, `broken` HTTPS without the issuer's certificate."""
        self.access, self.error, self.ca = root / "access.log", root / "error.log", root / "ca.pem"
        self._environment = {"TZ": zone, "PATH": os.environ["PATH"]}
        self._argv = [_program(), "-p", str(root), "-c", str(root / "nginx.conf"), "-e", str(self.error)]
        for name in ("temp", "pages"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "pages" / "document.json").write_bytes(DOCUMENT)
        digest = base64.b64encode(hashlib.sha1(PASSWORD.encode(), usedforsecurity=False).digest()).decode()
        (root / "passwords").write_text(f"{USER}:{{SHA}}{digest}\n", encoding="ascii")
        self._certify(authority)
        config = _CONFIG.format(
            root=root,
            backend=backend.port,
            keepalive=keepalive,
            user="user root;" if os.geteuid() == 0 else "",
            **self.ports,
        )
        (root / "nginx.conf").write_text(config, encoding="ascii")

    def _certify(self, authority: Issued) -> None:
        between = issued("Intermediate of the tests", by=authority, days=30, authority=True)
        own = issued("nginx", by=between, days=20)
        (self.root / "key.pem").touch(mode=0o600)
        (self.root / "key.pem").write_bytes(own.key_pem)
        (self.root / "chain.pem").write_bytes(own.pem + between.pem)
        (self.root / "alone.pem").write_bytes(own.pem)
        self.ca.write_bytes(authority.pem)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.ports['port']}"

    def https(self, which: str = "tls") -> str:
        """Return where it answers over TLS."""
        return f"https://127.0.0.1:{self.ports[which]}"

    @contextlib.contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run it, and wait until it answers."""
        process = subprocess.Popen(
            self._argv,
            env=self._environment,
            cwd=self.root,  # the path of a socket has 107 bytes at most, so that of this one is relative
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._await(process)
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def _await(self, process: "subprocess.Popen[bytes]") -> None:
        def answers() -> bool:
            assert process.poll() is None, process.communicate()[1].decode(errors="replace")
            with contextlib.suppress(OSError):
                return self.get("/status") == 200
            return False

        until(answers, START_SECONDS)

    def tell(self, what: str) -> None:
        """Send it a signal as people do: `nginx -s reopen`, `nginx -s reload`."""
        subprocess.run(
            [*self._argv, "-s", what], env=self._environment, check=True, capture_output=True, timeout=20
        )

    def workers(self) -> set[int]:
        """Return the processes of the master that serve."""
        master = int((self.root / "nginx.pid").read_text())
        return set(map(int, Path(f"/proc/{master}/task/{master}/children").read_text().split()))

    def get(self, path: str) -> int:
        """Ask over a connection of its own, and return the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["port"], timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            return answer.status

    def connections(self) -> int:
        """Return how many connections are open, without the one that asks."""
        with socket.create_connection(("127.0.0.1", self.ports["port"]), timeout=10) as asking:
            asking.sendall(b"GET /status HTTP/1.0\r\n\r\n")
            with asking.makefile("rb") as answer:
                said = answer.read().partition(b"Active connections: ")[2]
        return int(said.split()[0]) - 1

    def lines(self, *names: str) -> int:
        """Return how many lines its logs have; one is written a little after its request was answered."""
        paths = [self.root / name for name in names or ("access.log",)]
        return sum(path.read_bytes().count(b"\n") for path in paths if path.exists())


def _program() -> str:
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        missing("nginx IS NOT INSTALLED (apt-get install nginx): nothing was tried against a real web server.")
    return found


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition, up to a deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


@contextlib.contextmanager
def running_nginx(root: Path, *, zone: str = "UTC", keepalive: str = "60s") -> Iterator[Nginx]:
    """Run a server of a test's own, in a time zone, with a backend."""
    authority = issued("Authority of the tests", authority=True, days=40)
    with serving() as backend:
        server = Nginx(root, backend, authority, zone, keepalive)
        with server.running():
            yield server


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """Run an nginx of this test process's own."""
    with running_nginx(tmp_path_factory.mktemp("nginx")) as server:
        yield server
