"""A small web server of the demo's own, on loopback: its answers are made up at the moment of asking."""

import contextlib
import json
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_MOST_BODY = 1 << 20
_IDLE_SECONDS = 30.0
_WAITING = 128


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    method: str
    path: str
    """Decoded, without the query."""
    query: Mapping[str, str]
    """The parameters of the query, or of a form in the body; the last of those with the same name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said to it."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    after: float = 0.0
    """Seconds that it takes."""


NOT_FOUND = Answer(b'{"error": "there is no such page"}', 404)

Answering = Callable[[Asked], Answer | None]
"""Makes the answer to a request; None for a page that there is not. Called by many threads."""


def as_json(value: Any, status: int = 200, after: float = 0.0) -> Answer:
    """Return an answer in JSON."""
    return Answer(json.dumps(value).encode(), status, after=after)


@contextlib.contextmanager
def serving(answering: Answering, *, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serve on loopback for the length of the block; yield the URL, without a slash at its end.

    `port` is taken where it is free, for names of targets that stay the same, else any other; `tls` makes it https.
    """
    with _opened(port, _handler(answering)) as server:
        server.tls = tls
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="demo-web", daemon=True)
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def _opened(port: int, handler: type[BaseHTTPRequestHandler]) -> "_Server":
    try:
        return _Server(("127.0.0.1", port), handler)
    except OSError:
        return _Server(("127.0.0.1", 0), handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = _WAITING
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands, where that is asked for, in the thread of the request."""
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(_IDLE_SECONDS)
        with self.tls.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away: the terminal belongs to the console."""


def _handler(answering: Answering) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _IDLE_SECONDS
        disable_nagle_algorithm = True  # a body would wait for the acknowledgement of its header

        def do_GET(self) -> None:
            self._reply()

        def do_HEAD(self) -> None:
            self._reply()

        def do_POST(self) -> None:
            self._reply()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name in the class above)
            """Write no log: the terminal belongs to the console."""

        def _reply(self) -> None:
            answer = answering(self._asked()) or NOT_FOUND
            if answer.after:
                time.sleep(answer.after)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        def _asked(self) -> Asked:
            parts = urllib.parse.urlsplit(self.path)
            length = min(int(self.headers.get("Content-Length") or 0), _MOST_BODY)
            form = self.rfile.read(length).decode(errors="replace") if length else ""
            pairs = urllib.parse.parse_qsl(f"{parts.query}&{form}", keep_blank_values=True)
            path = urllib.parse.unquote(parts.path)
            return Asked(self.command, path, dict(pairs))

    return Handler
