"""Ports that answer, refuse, say nothing and cannot be reached: each is told, and none is taken for another."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from opsconsole.checks.tcp import KIND
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Number
from support.hostprobes import free_port, measured, outcome, problem_of, problems, tcp_server


async def _silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Say nothing."""


async def test_an_open_port() -> None:
    """A port that answers is open, and the time that took is measured."""
    async with tcp_server(_silent) as port:
        reading = await measured(KIND, host="127.0.0.1", port=port)
    assert outcome(reading, "open == true", "state == 'open'", "latency < 1 s") is Outcome.PASS
    assert outcome(reading, "open == false") is Outcome.FAIL
    assert reading.measures["address"] == "127.0.0.1"
    assert reading.command == f"nc -v -w 5 -z 127.0.0.1 {port}"


async def test_a_closed_port_may_be_what_has_to_be() -> None:
    """A refused connection is a reading: red where the port has to be open, green where it has to be closed."""
    reading = await measured(KIND, host="127.0.0.1", port=free_port())
    assert outcome(reading, "open == true") is Outcome.FAIL
    assert outcome(reading, "open == false", "state == 'refused'") is Outcome.PASS
    assert outcome(reading, "latency < 1 s") is Outcome.ERROR  # nothing was connected to
    assert "Connection refused" in reading.evidence[0].text


@contextlib.contextmanager
def _deaf() -> Iterator[int]:
    """Listen without accepting, with the queue full, so that further connections get no answer."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield int(listener.getsockname()[1])


async def test_a_port_that_says_nothing() -> None:
    """No answer at all is a timeout, which is no refusal, and comes when it has to."""
    with _deaf() as port:
        began = time.monotonic()
        reading = await measured(KIND, host="127.0.0.1", port=port, within="300 ms")
    assert 0.2 < time.monotonic() - began < 5
    assert outcome(reading, "state == 'timeout'", "open == false") is Outcome.PASS
    assert outcome(reading, "open == true") is Outcome.FAIL


async def test_no_way_there() -> None:
    """Where there is no way to a host, nobody knows whether its port is open: not even `open == false` is green."""
    reading = await measured(KIND, host="224.0.0.1", port=9)
    assert outcome(reading, "state == 'unreachable'") is Outcome.PASS
    assert outcome(reading, "state == 'open'") is Outcome.FAIL
    assert outcome(reading, "open == false") is Outcome.ERROR
    assert outcome(reading, "open == true") is Outcome.ERROR


async def test_a_name_that_nobody_knows() -> None:
    """A name without an address is a problem of the name, not a closed port."""
    problem = await problem_of(KIND, host="nobody.invalid", port=9)
    assert problem.reason in {"not-found", "source-down"}  # without any name server it is the latter
    assert "nobody.invalid" in problem.cause


async def test_which_of_both_protocols() -> None:
    """A server on IPv4 alone is open to one who asks for any, and refused to one who asks for IPv6."""
    async with tcp_server(_silent) as port:
        either = await measured(KIND, host="127.0.0.1", port=port, family="ipv4")
        if socket.has_ipv6:
            other = await measured(KIND, host="::1", port=port, family="ipv6")
            assert other.measures["open"] is not True
        problem = await problem_of(KIND, host="127.0.0.1", port=port, family="ipv6")
    assert either.measures["open"] is True
    assert problem.reason == "not-found"


async def _redis(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert await reader.readline() == b"PING\r\n"
    writer.write(b"+PO")
    await writer.drain()
    writer.write(b"NG\r\n")
    await writer.drain()


async def test_what_a_server_says() -> None:
    """The answer to what is sent is compared, also when it comes in pieces."""
    async with tcp_server(_redis) as port:
        right = await measured(KIND, host="127.0.0.1", port=port, send="PING\r\n", expect=r"/^\+PONG/")
        wrong = await measured(
            KIND, host="127.0.0.1", port=port, send="PING\r\n", expect="/^-LOADING/", within="200 ms"
        )
    assert outcome(right, "matched == true", "banner == '+PONG'", "answer_time < 2 s") is Outcome.PASS
    assert outcome(wrong, "matched == true") is Outcome.FAIL
    assert wrong.measures["banner"] == "+PONG"
    assert "not found: nothing more came within 0.2 s" in wrong.evidence[1].text
    assert right.command == rf"printf %b 'PING\r\n' | nc -v -w 5 127.0.0.1 {port}"


async def _closes(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"half")
    writer.close()


async def _breaks(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def _floods(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"\x1b]0;\xff\0" * 10_000)
        await writer.drain()


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (_closes, "closed"),
        (_breaks, "not found: "),
        (_floods, "no more than 65,536 bytes"),
        (_silent, "nothing more"),
    ],
)
async def test_servers_that_do_not_say_it(behaviour: object, said: str) -> None:
    """Half an answer, a broken connection, a flood of control characters and silence end in time."""
    assert callable(behaviour)
    async with tcp_server(behaviour) as port:
        reading = await measured(KIND, host="127.0.0.1", port=port, expect="/ready/", within="300 ms")
    assert outcome(reading, "matched == true") is Outcome.FAIL
    assert said in reading.evidence[1].text
    assert len(reading.evidence[1].text) < 5_000
    assert len(str(reading.measures["banner"])) <= 4_000


async def test_nothing_is_expected_of_a_closed_port() -> None:
    """Where no connection was made, nothing can be said of what the server says."""
    reading = await measured(KIND, host="127.0.0.1", port=free_port(), expect="/ready/")
    assert outcome(reading, "matched == true") is Outcome.ERROR
    assert outcome(reading, "matched == false") is Outcome.ERROR


async def test_cancelling_closes_the_connection() -> None:
    """A measurement that is given up leaves no connection behind."""
    gone = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()
        gone.set()

    async with tcp_server(wait) as port:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await measured(KIND, host="127.0.0.1", port=port, expect="/ready/")
        async with asyncio.timeout(5):
            await gone.wait()


async def test_a_wait_that_does_not_fit() -> None:
    """A wait beyond the item's timeout is a mistake that is told."""
    assert (await problem_of(KIND, 1, host="127.0.0.1", port=9, within="5 s")).reason == "bad-options"


def test_options() -> None:
    """Mistakes are found when the checklist is loaded."""
    assert problems(KIND, host="{target}", port=22) == []
    assert problems(KIND, host="::1", port=22, expect="/^SSH/") == []
    assert problems(KIND, host="http://x", port=22) == ["host"]
    assert problems(KIND, host="a b", port=22, within="0 s") == ["host", "within"]
    assert problems(KIND, host="a", port=22, send="x") == ["send"]
    assert problems(KIND, host="a", port=22, send="AUTH password=hunter2-not-real\n", expect="/OK/") == ["send"]
    assert problems(KIND, host="a", port=22, expect="OK") == ["expect"]
    assert problems(KIND, host="a", port=22, expect="/(/") == ["expect"]


async def test_latency_is_a_duration() -> None:
    """The time to connect can be held against durations."""
    async with tcp_server(_silent) as port:
        reading = await measured(KIND, host="localhost", port=port)
    latency = reading.measures["latency"]
    assert isinstance(latency, Number)
    assert 0 < latency.value < 5
