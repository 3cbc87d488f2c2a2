"""What the probes of hosts are tried on: servers of one packet, programs under a name of their own, and judging."""

import asyncio
import contextlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from opsconsole.contracts.probe import Environment, ProbeError, ProbeKind
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.encoding import dec_hook
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Problem, Reading
from opsconsole.model.values import Number, Unit, Value
from support.systemd import context

NTP_EPOCH = 2_208_988_800


async def measured(kind: ProbeKind, seconds: float = 10, **options: Any) -> Reading:
    """Measure once with the options as a checklist has them, which are found to be right."""
    decoded = msgspec.convert(options, kind.options, dec_hook=dec_hook)
    assert kind.validate(decoded) == []
    probe = kind.open(Environment())
    try:
        reading = await probe.measure(decoded, context(timeout=seconds))
    finally:
        await probe.aclose()
    assert fits(reading, kind, decoded)
    return reading


async def problem_of(kind: ProbeKind, seconds: float = 10, **options: Any) -> Problem:
    """Return why it cannot be measured."""
    with pytest.raises(ProbeError) as caught:
        await measured(kind, seconds, **options)
    return caught.value.problem


def problems(kind: ProbeKind, **options: Any) -> list[str]:
    """Return the keys that are found wrong when a checklist is loaded."""
    return [key for key, _ in kind.validate(msgspec.convert(options, kind.options, dec_hook=dec_hook))]


def fits(reading: Reading, kind: ProbeKind, options: Any) -> bool:
    """Return whether a reading has the subjects that its kind promises, with their units."""
    subjects = kind.subjects(options)
    assert subjects is not None
    values: list[tuple[str, Value]] = list(reading.measures.items())
    for row in reading.rows:
        values += zip(reading.columns, row, strict=True)
    names = {*reading.measures, *reading.columns, *(["count"] if reading.tabular else [])}
    fit = [value.unit is (subjects[name] or Unit.COUNT) for name, value in values if isinstance(value, Number)]
    return names <= subjects.keys() and all(fit)


def outcome(reading: Reading, *conditions: str) -> Outcome:
    """Return what the reading comes to."""
    return judge(reading, [parse_condition(each) for each in conditions]).outcome


def value(reading: Reading, name: str) -> Decimal:
    """Return the number of a measure."""
    found = reading.measures[name]
    assert isinstance(found, Number)
    return found.value


# --- programs ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def running(*argv: str, env: dict[str, str] | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program until the end of the test."""
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=env)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def under_the_name(name: str, program: str, directory: Path) -> str:
    """Return the path of a link to a program, which then runs under another name."""
    found = shutil.which(program)
    assert found is not None
    link = directory / name
    link.symlink_to(os.path.realpath(found))
    return str(link)


BUSY = (sys.executable, "-c", "while True: pass")


# --- servers -----------------------------------------------------------------------------------------


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of loopback that was free just now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that were free just now, each another one."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [int(each.getsockname()[1]) for each in sockets]


class _Scripted(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], Sequence[bytes]]) -> None:
        self._answer = answer
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        assert self._transport is not None
        for packet in self._answer(data):
            self._transport.sendto(packet, addr)


@contextlib.asynccontextmanager
async def udp_server(answer: Callable[[bytes], Sequence[bytes]], port: int = 0) -> AsyncIterator[int]:
    """Answer each packet by those that `answer` returns; yield the port."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Scripted(answer), local_addr=("127.0.0.1", port))
    try:
        yield int(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()


def ntp_stamp(at: float) -> bytes:
    """Return a time as NTP writes it, in whichever era."""
    since = at + NTP_EPOCH
    return struct.pack("!II", int(since) % 2**32, int(since % 1 * 2**32))


def ntp_answer(
    packet: bytes,
    *,
    ahead: float = 0,
    first: int = 0b00_100_100,
    stratum: int = 2,
    reference: bytes = b"\x0a\1\2\3",
) -> bytes:
    """Return what an NTP server whose clock is `ahead` seconds of ours answers."""
    now = time.time() + ahead
    head = bytes([first, stratum]) + packet[2:3] + b"\xec" + struct.pack("!II", 0x100, 0x100) + reference
    return head + ntp_stamp(now - 10) + packet[40:48] + ntp_stamp(now) + ntp_stamp(time.time() + ahead)


@contextlib.asynccontextmanager
async def tcp_server(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[int]:
    """Serve connections by `handle`, which need not close them; yield the port."""
    writers = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await handle(reader, writer)

    server = await asyncio.start_server(connected, host, port)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()


async def eventually(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for a condition, up to a deadline."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.01)
