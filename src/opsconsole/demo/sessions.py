"""Sessions of a PostgreSQL that are kept open, idle: spoken by hand, to spare the demo the driver's import."""

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_PROTOCOL = 3 << 16  # 3.0, see "Message Formats" in PostgreSQL's manual
_READY = b"Z"


@contextlib.contextmanager
def idle_sessions(path: Path, user: str, database: str, count: int, application: str = "") -> Iterator[None]:
    """Keep sessions open over a socket that asks for no password; raise ConnectionError where one is refused."""
    words = ("user", user, "database", database, *(("application_name", application) if application else ()), "")
    startup = b"".join(word.encode() + b"\0" for word in words)
    message = struct.pack("!ii", 8 + len(startup), _PROTOCOL) + startup
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(count)]
        for session in sessions:
            session.connect(str(path))
            session.sendall(message)
        for session in sessions:
            with session.makefile("rb") as answers:
                while (kind := answers.read(1)) != _READY:
                    if kind in {b"", b"E"}:
                        raise ConnectionError("the database refused one of the connections")
                    answers.read(struct.unpack("!i", answers.read(4))[0] - 4)
        yield
