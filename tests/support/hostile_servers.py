"""Servers on loopback that do to whoever connects what no good server does: drip, flood, hang, lie and hang up."""

import contextlib
import functools
import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

Talk = Callable[[socket.socket], None]
"""What is done to one connection, which is closed afterwards; an OSError ends it."""

_BLOCK = 1 << 16
_LONGEST = 60.0
"""Seconds after which a server gives up by itself, so that nothing outlives a test that failed."""


@contextlib.contextmanager
def serving(talk: Talk) -> Iterator[int]:
    """Serve every connection by a thread of its own for the length of the block; gives the port."""
    opened: list[socket.socket] = []

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError, ValueError, struct.error):
            connection.settimeout(_LONGEST)
            talk(connection)

    def accept(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                opened.append(connection)
                threading.Thread(target=one, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=accept, args=(listening,), daemon=True)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            for each in (listening, *opened):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@contextlib.contextmanager
def answering(answers: Callable[[bytes], Iterator[bytes]]) -> Iterator[int]:
    """Answer each datagram by those of `answers` for the length of the block; gives the port."""
    ended = threading.Event()

    def serve(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not ended.is_set():
                said, who = listening.recvfrom(_BLOCK)
                for answer in answers(said):
                    if ended.is_set():
                        return
                    listening.sendto(answer, who)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        port = int(listening.getsockname()[1])
        try:
            yield port
        finally:
            ended.set()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waking:
                waking.sendto(b"", ("127.0.0.1", port))
            thread.join(10)


# --- of any protocol ----------------------------------------------------------------------------------


def silent(connection: socket.socket) -> None:
    """Read what comes, and say nothing."""
    while connection.recv(_BLOCK):
        pass


def says(text: bytes) -> Talk:
    """Say something as soon as something was asked, and hold the connection open."""

    def talk(connection: socket.socket) -> None:
        connection.recv(_BLOCK)
        connection.sendall(text)
        silent(connection)

    return talk


def begins_with(text: bytes) -> Talk:
    """Say something before anything was asked, and hold the connection open."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(text)
        silent(connection)

    return talk


def half(text: bytes) -> Talk:
    """Say something and close."""

    def talk(connection: socket.socket) -> None:
        connection.recv(_BLOCK)
        connection.sendall(text)

    return talk


def drips(head: bytes, each: bytes = b" ") -> Talk:
    """Say a beginning, and then a byte every twentieth of a second for ever."""

    def talk(connection: socket.socket) -> None:
        connection.recv(_BLOCK)
        connection.sendall(head)
        while True:
            connection.sendall(each)
            time.sleep(0.05)

    return talk


def floods(head: bytes, block: bytes) -> Talk:
    """Say a beginning, and then the same as fast as it is read for ever."""

    def talk(connection: socket.socket) -> None:
        connection.recv(_BLOCK)
        _flood(connection, head, block)

    return talk


def begins_dripping(each: bytes) -> Talk:
    """Say a byte every twentieth of a second for ever, before anything was asked."""

    def talk(connection: socket.socket) -> None:
        while True:
            connection.sendall(each)
            time.sleep(0.05)

    return talk


def begins_flooding(block: bytes) -> Talk:
    """Say the same as fast as it is read for ever, before anything was asked."""
    return lambda connection: _flood(connection, b"", block)


def _flood(connection: socket.socket, head: bytes, block: bytes) -> None:
    connection.sendall(head)
    while True:
        connection.sendall(block)


# --- HTTP ---------------------------------------------------------------------------------------------


def http(*headers: str, status: str = "200 OK") -> bytes:
    """Return the head of an answer."""
    return "\r\n".join([f"HTTP/1.1 {status}", "content-type: application/json", *headers, "", ""]).encode()


def body(content: bytes, *headers: str, status: str = "200 OK") -> Talk:
    """Answer every request by this."""

    def talk(connection: socket.socket) -> None:
        while connection.recv(_BLOCK):
            connection.sendall(http(f"content-length: {len(content)}", *headers, status=status) + content)

    return talk


ENDLESS = floods(http("transfer-encoding: chunked"), b"10000\r\n" + b"[" * _BLOCK + b"\r\n")
TEN_GIGABYTES = floods(http("content-length: 10737418240"), b" " * _BLOCK)
NO_LENGTH = floods(http("connection: close"), b" " * _BLOCK)
HALF = half(http("content-length: 1000") + b'{"state": "up", ')
DRIPS = drips(http("content-length: 100000"))
HEADERS = floods(b"HTTP/1.1 200 OK\r\n", b"x-more: and more\r\n" * 1000)
NEVER_CLOSED = says(http() + b'{"state": "up"}')


def bomb(unpacked: int) -> Talk:
    """Answer by so many bytes, packed to a thousandth."""

    def talk(connection: socket.socket) -> None:
        body(_packed(unpacked), "content-encoding: gzip")(connection)

    return talk


@functools.cache
def _packed(unpacked: int) -> bytes:
    return gzip.compress(b"[" * (unpacked // 16), 6) * 16


def html(text: str) -> Talk:
    """Answer by a page for people."""
    return body(text.encode(), "content-type: text/html")


def redirects(connection: socket.socket) -> None:
    """Send every request on to the same place."""
    body(b"", "location: /again", status="302 Found")(connection)


# --- PostgreSQL ---------------------------------------------------------------------------------------

_STARTUP = 196608
_OURS = {"server_version": "15.4", "is_superuser": "off", "session_authorization": "ops", "client_encoding": "UTF8"}


def message(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    """Return one message of the server ("Message Formats" of the manual); `length` lies about what follows."""
    return kind + struct.pack("!i", 4 + (len(content) if length is None else length)) + content


def _admitted(connection: socket.socket) -> None:
    while True:
        length, code = struct.unpack("!ii", _exactly(connection, 8))
        _exactly(connection, length - 8)
        if code == _STARTUP:
            break
        connection.sendall(b"N")
    connection.sendall(message(b"R", struct.pack("!i", 0)))


def _ready(connection: socket.socket) -> None:
    told = b"".join(message(b"S", f"{key}\0{value}\0".encode()) for key, value in _OURS.items())
    connection.sendall(told + message(b"K", struct.pack("!ii", 7, 7)) + message(b"Z", b"I"))


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = connection.recv(count - len(found))
        if not part:
            raise ConnectionResetError
        found += part
    return found


def postgres_floods(head: bytes, block: bytes) -> Talk:
    """Let somebody in as PostgreSQL does, and answer the first query by a flood."""

    def talk(connection: socket.socket) -> None:
        _admitted(connection)
        _ready(connection)
        connection.recv(_BLOCK)
        _flood(connection, head, block)

    return talk


def postgres_admits_and_floods(connection: socket.socket) -> None:
    """Let somebody in, and then report settings without an end instead of being ready."""
    _admitted(connection)
    number = 0
    while True:
        connection.sendall(message(b"S", b"setting%d\0" % number + b"v" * 29_000 + b"\0"))
        number += 1


def postgres_says(text: bytes) -> Talk:
    """Let somebody in, answer the first query by this, and close."""

    def talk(connection: socket.socket) -> None:
        _admitted(connection)
        _ready(connection)
        connection.recv(_BLOCK)
        connection.sendall(text)

    return talk


# --- MySQL --------------------------------------------------------------------------------------------


def packet(number: int, payload: bytes) -> bytes:
    """Return one message of the protocol."""
    return len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload


_GREETING = packet(
    0,
    b"\x0a8.4.0\0" + (7).to_bytes(4, "little") + b"12345678\0" + b"\xff\xf7" + b"\xff\x02\0\xff\xdf" + b"\x15"
    + bytes(10) + b"123456789012\0" + b"mysql_native_password\0",
)  # fmt: skip
_OK = b"\0\0\0\2\0\0\0"
_COLUMN = b"\x03def\0\0\0\x01v\0\x0c\x2d\0\xff\0\0\0\xfd\0\0\0\0\0"


def mysql_floods(columns: int, row: bytes) -> Talk:
    """Let somebody in as MySQL does, and answer the first query by rows without an end."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(_GREETING)
        connection.recv(_BLOCK)
        connection.sendall(packet(2, _OK))
        connection.recv(_BLOCK)
        head = packet(1, bytes([columns])) + b"".join(packet(2 + each, _COLUMN) for each in range(columns))
        connection.sendall(head)
        number = 2 + columns
        block = b"".join(packet(number + each, row) for each in range(256))
        _flood(connection, b"", block)

    return talk


def mysql_announces(connection: socket.socket) -> None:
    """Let somebody in, and answer the first query by messages of 16 MB each, all of one row."""
    connection.sendall(_GREETING)
    connection.recv(_BLOCK)
    connection.sendall(packet(2, _OK))
    connection.recv(_BLOCK)
    _flood(connection, packet(1, b"\x01") + packet(2, _COLUMN) + b"\xff\xff\xff\x03", b"x" * _BLOCK)
