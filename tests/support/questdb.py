"""A double of QuestDB's PostgreSQL protocol, made from its documentation: no TLS, one kind of time, no settings.

It knows the queries that it is given answers for, and refuses what QuestDB does not have, as QuestDB words it.
Messages: PostgreSQL manual, "Message Formats". No package of QuestDB exists to test against.
"""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Mapping, Sequence

VARCHAR, DOUBLE, LONG, TIMESTAMP, BOOLEAN = 1043, 701, 20, 1114, 16
_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_REPORTED = {
    "TimeZone": "GMT",
    "application_name": "QuestDB",
    "server_version": "12.3",
    "integer_datetimes": "on",
    "client_encoding": "UTF8",
}

Table = tuple[Sequence[tuple[str, int]], Sequence[Sequence[str | None]]]
"""Columns with their types, and rows as text."""


class QuestDb:
    """What it was asked, and what it answers."""

    def __init__(self, answers: Mapping[str, Table]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []
        self.cancelled = asyncio.Event()
        self.password = ""
        """What the last client gave."""
        self.at_once = 0
        """How many queries came before the one before them was answered."""
        self._sessions: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        self._sessions[asyncio.current_task()] = writer
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._session(reader, writer)
        writer.close()

    def answer_of(self, query: str) -> Table | None:
        """Return the answer to a query, None where it knows none."""
        return self.answers.get(query)

    async def aclose(self) -> None:
        """End all sessions."""
        self.cancelled.set()
        for writer in self._sessions.values():
            writer.transport.abort()
        await asyncio.gather(*(each for each in self._sessions if each), return_exceptions=True)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            length, code = struct.unpack("!ii", await reader.readexactly(8))
            await reader.readexactly(length - 8)
            if code == _CANCEL:
                self.cancelled.set()
                return
            if code not in {_SSL, _GSS}:
                break
            writer.write(b"N")
        writer.write(_message(b"R", struct.pack("!i", 3)))  # the password in clear, as it asks for it
        _, given = await _read(reader)
        self.password = given.rstrip(b"\0").decode()
        writer.write(_message(b"R", struct.pack("!i", 0)))
        for name, value in _REPORTED.items():
            writer.write(_message(b"S", f"{name}\0{value}\0".encode()))
        writer.write(_message(b"K", struct.pack("!ii", 1, 2)) + _message(b"Z", b"I"))
        while True:
            kind, body = await _read(reader)
            if kind == b"X":
                return
            if kind == b"P":
                query = body.split(b"\0")[1].decode()
                self.at_once += len(reader._buffer) > 200  # type: ignore[attr-defined]
                await self._answer(query, reader, writer)

    async def _answer(self, query: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(query)
        if "long_sequence(1000000000000)" in query:
            await self.cancelled.wait()
            said = [_error("cancelled by user")]
        elif (found := self.answer_of(query)) is not None:
            columns, rows = found
            described = b"".join(
                name.encode() + b"\0" + struct.pack("!ihihih", 0, 0, kind, -1, -1, 0) for name, kind in columns
            )
            said = [_message(b"1"), _message(b"2"), _message(b"T", struct.pack("!h", len(columns)) + described)]
            said += [_message(b"D", struct.pack("!h", len(row)) + b"".join(map(_cell, row))) for row in rows]
            said.append(_message(b"C", f"SELECT {len(rows)}\0".encode()))
        elif "set_config" in query or "clock_timestamp" in query:
            said = [_error("unknown function name: set_config(STRING,STRING,BOOLEAN)")]
        else:
            said = [_error(f"table does not exist [table={query.rsplit(maxsplit=1)[-1]}]")]
        while (await _read(reader))[0] != b"S":
            pass
        writer.write(b"".join(said) + _message(b"Z", b"I"))
        await writer.drain()


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _cell(text: str | None) -> bytes:
    return struct.pack("!i", -1) if text is None else struct.pack("!i", len(text.encode())) + text.encode()


def _error(words: str) -> bytes:
    return _message(b"E", f"C00000\0M{words}\0SERROR\0\0".encode())


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    kind = await reader.readexactly(1)
    (length,) = struct.unpack("!i", await reader.readexactly(4))
    return kind, await reader.readexactly(length - 4)


@contextlib.asynccontextmanager
async def questdb(answers: Mapping[str, Table]) -> AsyncIterator[tuple[QuestDb, int]]:
    """Serve on a port of loopback until the block ends."""
    double = QuestDb(answers)
    server = await asyncio.start_server(double.serve, "127.0.0.1", 0)
    try:
        yield double, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await double.aclose()
