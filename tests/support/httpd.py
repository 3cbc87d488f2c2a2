"""A real HTTP or HTTPS server on loopback that answers as it is told, and misbehaves in every way a server can.

It runs in a thread of its own, so that tests of the command line can use it as well as those of the event loop.
"""

import asyncio
import contextlib
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any


class Fault(StrEnum):
    """What goes wrong with an answer."""

    NONE = ""
    SILENT = "silent"
    """The request is read, and nothing comes back."""
    CLOSE_BEFORE = "close-before"
    """The connection is closed without an answer."""
    CLOSE_MIDWAY = "close-midway"
    """It is closed after half of the body that the header announces."""
    RESET = "reset"
    """It is reset (RST) without an answer."""
    DRIP = "drip"
    """The body comes one byte at a time, 20 ms apart, and never ends."""
    DRIP_HEADERS = "drip-headers"
    """The headers come so."""
    ENDLESS = "endless"
    """The body comes as fast as it is read, in chunks, and never ends."""
    HANG_UP = "hang-up"
    """The answer is whole and promises keep-alive; then the connection is closed, as servers do with idle ones."""


@dataclass(frozen=True)
class Says:
    """One answer."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    fault: Fault = Fault.NONE
    length: int | None = None
    """What content-length says instead of the truth."""
    raw: bytes | None = None
    """Sent instead of everything above, before the connection is closed."""

    def but(self, **changes: Any) -> "Says":
        """Return the same with some things changed."""
        return replace(self, **changes)


def says_json(value: Any, status: int = 200, **headers: str) -> Says:
    """Return an answer in JSON; `headers` with `_` for `-`."""
    named = tuple((name.replace("_", "-"), text) for name, text in headers.items())
    return Says(json.dumps(value).encode(), status, (("content-type", "application/json"), *named))


def says_text(text: str, status: int = 200, **headers: str) -> Says:
    """Return an answer in plain text; `headers` with `_` for `-`."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Says(text.encode(), status, (("content-type", "text/plain; charset=utf-8"), *named))


def redirects(to: str, status: int = 302) -> Says:
    """Return an answer that sends elsewhere."""
    return Says(b"", status, (("location", to),))


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    path: str
    """Without the query."""
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    connection: int
    """The number of the connection that it came over."""


Script = Says | Callable[[Asked], Says]

_REASONS = {200: "OK", 401: "Unauthorized", 404: "Not Found", 503: "Service Unavailable"}


@dataclass
class Httpd:
    """A running server: tell it what to say by path, and see what it was asked."""

    url: str = ""
    port: int = 0
    scripts: dict[str, Script] = field(default_factory=dict)
    """By path; a path that is not there is answered with 404."""
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    """How many were accepted."""
    open: int = 0
    """How many are open now."""

    def on(self, path: str, script: Script) -> None:
        """Answer a path so from now on."""
        self.scripts[path] = script

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        self.open += 1
        number = self.connections
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            while await self._one(reader, writer, number):
                pass
        self.open -= 1
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        asked = await _read(reader, number)
        self.asked.append(asked)
        script = self.scripts.get(asked.path, Says(b"nothing here", 404))
        said = script if isinstance(script, Says) else script(asked)
        return await _answer(asked, said, writer)


async def _read(reader: asyncio.StreamReader, number: int) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.rstrip("\r\n").split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    path, _, query = target.partition("?")
    return Asked(method, path, dict(urllib.parse.parse_qsl(query)), headers, body, number)


async def _answer(asked: Asked, said: Says, writer: asyncio.StreamWriter) -> bool:
    """Send an answer; return whether the connection stays open."""
    if said.raw is not None:
        writer.write(said.raw)
        await writer.drain()
        return False
    if said.fault is Fault.SILENT:
        await asyncio.Event().wait()
    if said.fault is Fault.CLOSE_BEFORE:
        return False
    if said.fault is Fault.RESET:
        writer.transport.abort()
        return False
    head = _head(said)
    if said.fault is Fault.DRIP_HEADERS:
        await _drip(writer, head)
    if said.fault is Fault.CLOSE_MIDWAY:
        writer.write(head + said.body[: len(said.body) // 2])
        await writer.drain()
        return False
    if said.fault in {Fault.DRIP, Fault.ENDLESS}:
        writer.write(head)
    if said.fault is Fault.DRIP:
        await _drip(writer, b" ")
    while said.fault is Fault.ENDLESS:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()
    writer.write(head + (said.body if asked.method != "HEAD" else b""))  # arrives together
    await writer.drain()
    return said.fault is not Fault.HANG_UP and asked.headers.get("connection", "").lower() != "close"


def _head(said: Says) -> bytes:
    lines = [f"HTTP/1.1 {said.status} {_REASONS.get(said.status, 'Said')}"]
    lines += [f"{name}: {value}" for name, value in said.headers]
    if said.fault in {Fault.ENDLESS, Fault.DRIP}:
        lines.append("transfer-encoding: chunked" if said.fault is Fault.ENDLESS else "content-length: 100000")
    else:
        lines.append(f"content-length: {len(said.body) if said.length is None else said.length}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def _drip(writer: asyncio.StreamWriter, text: bytes) -> None:
    while True:
        for at in range(len(text)):
            writer.write(text[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0.02)


@contextlib.contextmanager
def serving(
    scripts: Mapping[str, Script] | None = None, *, tls: ssl.SSLContext | None = None, socket: Path | None = None
) -> Iterator[Httpd]:
    """Run a server on a free port of 127.0.0.1, or on a socket, for the length of the block."""
    server = Httpd(scripts=dict(scripts or {}))
    ready, loops = threading.Event(), list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()

    async def run() -> None:
        end = asyncio.Event()
        loops.append((asyncio.get_running_loop(), end))
        tasks: set[asyncio.Task[None]] = set()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with contextlib.suppress(asyncio.CancelledError):
                await server.serve(reader, writer)
            writer.transport.abort()
            tasks.discard(task)

        if socket is not None:
            listening = await asyncio.start_unix_server(accept, socket)
            server.url = f"unix:{socket}"
        else:
            listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
            server.port = listening.sockets[0].getsockname()[1]
            server.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.port}"
        ready.set()
        await end.wait()
        listening.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="httpd", daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "the server did not start"
        yield server
    finally:
        for loop, end in loops:
            loop.call_soon_threadsafe(end.set)
        thread.join(10)
