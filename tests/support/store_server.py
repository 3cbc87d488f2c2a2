"""A PostgreSQL server that a test may kill, and a network before it that breaks where it hurts."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

from opsconsole.demo.cluster import Cluster, open_cluster
from support.pgproxy import Proxy
from support.postgres import Postgres, open_directory
from support.stores import DEADLINE


class KillableServer(Postgres):
    """A cluster of the test's own."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.cluster = cluster

    def kill(self) -> None:
        """End the server at once, as a power cut would but for what the system still has in memory."""
        self.cluster.stop(at_once=True)


@contextlib.contextmanager
def killable_server() -> Iterator[KillableServer]:
    """Run a server for the length of the block."""
    with open_directory() as directory, open_cluster(directory) as cluster:
        yield KillableServer(cluster)


class CuttingProxy(Proxy):
    """Cuts a connection once, before a COMMIT reaches the server or before its answer gets back."""

    def __init__(self, upstream: Path) -> None:
        super().__init__(upstream, 0.0)
        self.cut_at = ""
        """`before`, `after`, or nothing."""
        self.cuts = 0

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if client and b"COMMIT" in data and self.cut_at == "before":
                    break
                if not client and b"COMMIT\0" in data and self.cut_at == "after":
                    break
                await self._flowing[client].wait()
                writer.write(data)
                await writer.drain()
            else:
                writer.close()
                return
            self.cut_at = ""
            self.cuts += 1
            self.cut()
        writer.close()


class Network:
    """A proxy in a thread of its own, for clients that wait; every call returns once it is done."""

    def __init__(self, loop: asyncio.AbstractEventLoop, proxy: CuttingProxy) -> None:
        self._loop = loop
        self.proxy = proxy

    def _call(self, deed: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(deed, self._loop).result(DEADLINE)

    def freeze(self) -> None:
        """Let nothing pass any more."""

        async def done() -> None:
            self.proxy.freeze()

        self._call(done())

    def thaw(self) -> None:
        """Let everything pass again, on connections that are made from now on."""

        async def done() -> None:
            self.proxy.cut()
            self.proxy.thaw()

        self._call(done())


@contextlib.contextmanager
def network(upstream: Path, directory: Path) -> Iterator[Network]:
    """Listen in `directory` for clients of the server whose socket is in `upstream`."""
    loop = asyncio.new_event_loop()
    proxy = CuttingProxy(upstream / ".s.PGSQL.5432")
    ready, over = threading.Event(), asyncio.Event()

    async def serve() -> None:
        server = await asyncio.start_unix_server(proxy.connected, directory / ".s.PGSQL.5432")
        ready.set()
        await over.wait()
        server.close()
        await proxy.aclose()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert ready.wait(DEADLINE)
        yield Network(loop, proxy)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(DEADLINE)
        loop.close()
