"""HTTP servers on loopback that answer every request after a moment: what HTTP checks are measured with.

    python benchmarks/answering.py MILLISECONDS SERVERS

It prints the port, the same on 127.0.0.1, 127.0.0.2 and so on, and ends with its standard input.
"""

import asyncio
import sys

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\nConnection: %s\r\n\r\n"
    b'{"status":"ok"}'
)
_END = b"\r\n\r\n"
_CLOSE = b"connection: close"


class Answering(asyncio.Protocol):
    """One connection, on which requests without a body come one after another."""

    def __init__(self, after: float) -> None:
        self._after = after
        self._loop = asyncio.get_running_loop()
        self._read = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what is answered on."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole by now, later."""
        self._read += data
        while _END in self._read:
            head, _, self._read = self._read.partition(_END)
            closing = _CLOSE in head.lower() or b" HTTP/1.0" in head
            self._loop.call_later(self._after, self._answer, closing)

    def _answer(self, closing: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(_ANSWER % (b"close" if closing else b"keep-alive"))
        if closing:
            self._transport.close()


async def main(milliseconds: float, servers: int) -> None:
    """Answer until standard input ends."""
    loop = asyncio.get_running_loop()

    def connection() -> Answering:
        return Answering(milliseconds / 1000)

    first = await loop.create_server(connection, "127.0.0.1", 0, backlog=1024)
    port = first.sockets[0].getsockname()[1]
    for number in range(2, servers + 1):
        await loop.create_server(connection, f"127.0.0.{number}", port, backlog=1024)
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), int(sys.argv[2])))
