"""A server that asks for a password as PostgreSQL does, and repeats it in its refusal, as careless poolers do."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_NO_ENCRYPTION = {80877103: b"N", 80877104: b"N"}
"""SSLRequest and GSSENCRequest (PostgreSQL manual, "Message Formats")."""


@contextmanager
def echoing_server() -> Iterator[int]:
    """Serve on loopback for the length of the block; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield int(listening.getsockname()[1])
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _serve(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection, suppress(OSError, struct.error):
            connection.settimeout(10)
            _refuse(connection)


def _refuse(connection: socket.socket) -> None:
    while True:
        length, code = struct.unpack("!ii", _exactly(connection, 8))
        _exactly(connection, length - 8)
        if code not in _NO_ENCRYPTION:
            break
        connection.sendall(_NO_ENCRYPTION[code])
    connection.sendall(b"R" + struct.pack("!ii", 8, 3))  # AuthenticationCleartextPassword
    kind, length = struct.unpack("!ci", _exactly(connection, 5))
    password = _exactly(connection, length - 4).rstrip(b"\0") if kind == b"p" else b""
    words = b"the pool has no place for <" + password + b">, try postgresql://pool:" + password + b"@other/qbr"
    fields = b"SFATAL\0VFATAL\0C58000\0M" + words + b"\0H" + b"password=" + password + b"\0\0"
    connection.sendall(b"E" + struct.pack("!i", len(fields) + 4) + fields)


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = connection.recv(count - len(found))
        if not part:
            raise ConnectionResetError
        found += part
    return found
