"""However much a server sends, no more of it is held than is said, and the connection that it clogs is ended."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from opsconsole.model.values import number
from support.postgres import Postgres
from support.sql import asking


@contextlib.asynccontextmanager
async def over_tcp(upstream: Path) -> AsyncIterator[int]:
    """Pass a port of loopback on to a socket."""
    tasks: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 18):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(upstream)
        tasks.update(asyncio.create_task(pump(*each)) for each in ((reader, up_writer), (up_reader, writer)))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)


@contextlib.contextmanager
def sampled_memory() -> Iterator[Callable[[], int]]:
    """Watch how much the memory of this process grows at most, in bytes."""
    process = psutil.Process()
    before = most = process.memory_info().rss
    over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.002):
            most = max(most, process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: most - before
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("over", ["a socket", "TCP"])
async def test_a_row_of_any_length_takes_no_memory(postgres: Postgres, tmp_path: Path, over: str) -> None:
    """One cell of 150 MB is given up while it arrives, and the next query is answered; one of 3 MB is cut off."""
    dsn = postgres.dsn(postgres.create_database(), postgres.create_role())
    upstream = Path(str(psycopg.conninfo.conninfo_to_dict(dsn)["host"])) / ".s.PGSQL.5432"
    async with contextlib.AsyncExitStack() as stack:
        if over == "TCP":
            port = await stack.enter_async_context(over_tcp(upstream))
            dsn = psycopg.conninfo.make_conninfo(dsn, host="127.0.0.1", port=port)
        db = await stack.enter_async_context(asking(dsn))
        assert (await db.read("select repeat('x', 3000000) as it")).truncated
        with sampled_memory() as grown:
            problem = await db.problem("select repeat('x', 150000000) as it")
        assert (problem.reason, "select less" in problem.hint) == ("too-large", True)
        assert grown() < 100 << 20
        assert await db.cell("select 1 as it") == number(1)
        assert (await db.read("select repeat('x', 15000000) as it")).truncated
