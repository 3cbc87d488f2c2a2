"""A stand-in for the network between a client and PostgreSQL: it takes time, stops, or breaks on demand."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path


class Proxy:
    """A socket of PostgreSQL's name that passes on to the real one; counts the turns of the conversation."""

    def __init__(self, upstream: Path, delay: float) -> None:
        self.turns = 0
        """How often the client spoke after the server had: round trips, the cancel requests' included."""
        self.connections = 0
        self.sent = bytearray()
        """All that clients sent."""
        self._upstream = upstream
        self._delay = delay
        self._flowing = {True: asyncio.Event(), False: asyncio.Event()}
        """For what comes from the client, and for what comes from the server."""
        self.thaw()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server_spoke = True

    def freeze(self) -> None:
        """Let nothing pass any more, in either direction, as a cable that was pulled."""
        for event in self._flowing.values():
            event.clear()

    def hold_answers(self) -> None:
        """Let nothing pass that comes from the server."""
        self._flowing[False].clear()

    def thaw(self) -> None:
        """Let everything pass again."""
        for event in self._flowing.values():
            event.set()

    def cut(self) -> None:
        """End all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        self.connections += 1
        up_reader, up_writer = await asyncio.open_unix_connection(self._upstream)
        self._writers += [writer, up_writer]
        for source, sink, client in ((reader, up_writer, True), (up_reader, writer, False)):
            task = asyncio.create_task(self._pump(source, sink, client=client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if client:
                    self.turns += self._server_spoke
                    self.sent += data
                self._server_spoke = not client
                if self._delay:
                    await asyncio.sleep(self._delay)
                await self._flowing[client].wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def aclose(self) -> None:
        """End everything."""
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def proxied(upstream_directory: str, directory: Path, delay: float = 0.0) -> AsyncIterator[Proxy]:
    """Listen in `directory` for clients of the server whose socket is in the other one; `delay` s each way."""
    proxy = Proxy(Path(upstream_directory) / ".s.PGSQL.5432", delay)
    server = await asyncio.start_unix_server(proxy.connected, directory / ".s.PGSQL.5432")
    try:
        yield proxy
    finally:
        server.close()
        await proxy.aclose()
