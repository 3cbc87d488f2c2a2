"""A line with a delay: listens on loopback, and carries every byte to a socket and back some milliseconds later.

    delay.py SOCKET MILLISECONDS

prints the port it listens on, carries half of the delay in each direction, and ends when its standard input does.
Connecting is not delayed, as it is on a real line, and bandwidth is not limited. Standard library only.
"""

import asyncio
import contextlib
import sys
from collections.abc import Coroutine
from typing import Any

_CHUNK = 65536


class Line:
    """Carries connections to a Unix socket."""

    def __init__(self, path: str, one_way: float) -> None:
        self._path = path
        self._one_way = one_way
        self._running: set[asyncio.Task[None]] = set()

    def carry(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        """Begin to carry a connection."""
        self._start(self._both_directions(near, to_near))

    async def _both_directions(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        far, to_far = await asyncio.open_unix_connection(self._path)
        self._start(self._one_direction(near, to_far))
        self._start(self._one_direction(far, to_near))

    async def _one_direction(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._start(self._deliver(under_way, target))
        loop = asyncio.get_running_loop()
        data = b"-"
        while data:
            try:
                data = await source.read(_CHUNK)
            except ConnectionError:
                data = b""
            under_way.put_nowait((loop.time() + self._one_way, data))

    async def _deliver(self, under_way: "asyncio.Queue[tuple[float, bytes]]", target: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            while True:
                due, data = await under_way.get()
                await asyncio.sleep(due - loop.time())
                if not data:
                    break
                target.write(data)
                await target.drain()
        target.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


async def main(path: str, milliseconds: float) -> None:
    """Listen until standard input ends."""
    line = Line(path, milliseconds / 2000)
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
