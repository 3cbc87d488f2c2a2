"""Traffic, connections and ports: those of real sockets on loopback and of a network namespace of its own."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.checks import _interfaces, _tcpsockets
from opsconsole.checks._interfaces import Interface
from opsconsole.checks.network import KIND
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.outcomes import Outcome
from support.hostprobes import eventually, free_port, measured, outcome, problem_of, problems, tcp_server, value
from support.needs import IMPOSSIBLE, missing

TESTS = Path(__file__).resolve().parents[1]


# --- interfaces --------------------------------------------------------------------------------------


async def test_real_traffic() -> None:
    """Bytes that go over loopback are seen as a rate, of which a limit is broken or kept."""

    async def flood(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"x" * 100_000)
            await writer.drain()

    async with tcp_server(flood) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        task = asyncio.ensure_future(_swallow(reader))
        reading = await measured(KIND, interface="lo", window="200 ms")
        task.cancel()
        writer.transport.abort()
    assert outcome(reading, "rx_rate > 100 kB", "tx_rate > 100 kB", "up == true") is Outcome.PASS
    assert outcome(reading, "rx_rate < 100 kB") is Outcome.FAIL
    assert outcome(reading, "error_rate == 0", "drop_rate == 0", "rx_errors == 0", "tx_drops == 0") is Outcome.PASS
    assert outcome(reading, "used < 80%") is Outcome.ERROR  # loopback has no speed
    assert reading.command == "ip -statistics link show dev lo"


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 20):
        pass


def _counted(name: str) -> int:
    return int(Path(f"/sys/class/net/lo/statistics/{name}").read_text())


async def test_the_counters_are_those_of_the_kernel() -> None:
    """What was counted since the interface was made is what /sys says."""
    reading = await measured(KIND, interface="lo", window="100 ms")
    assert 0 < value(reading, "rx_bytes") <= _counted("rx_bytes")


async def test_an_interface_that_is_not_there() -> None:
    """A missing interface is told with those that there are, at once and not after the window."""
    problem = await problem_of(KIND, 60, interface="eth77", window="30 s")
    assert problem.reason == "not-found"
    assert "eth77" in problem.cause
    assert "lo" in problem.hint


ALONE = """
import asyncio, subprocess
from opsconsole.checks import _interfaces
from opsconsole.checks.network import KIND
from support.hostprobes import eventually, measured, outcome, problem_of

def ip(*words):
    subprocess.run(["ip", *words], check=True)

async def main():
    down = await measured(KIND, interface="lo", window="100 ms")
    print(outcome(down, "up == true"))
    print((await problem_of(KIND, window="100 ms")).reason)
    ip("link", "add", "left", "type", "veth", "peer", "name", "right")
    ip("link", "set", "left", "up")
    unplugged = await measured(KIND, window="100 ms")
    print([row[0] for row in unplugged.rows], outcome(unplugged, "every up == true"))
    ip("link", "set", "right", "up")
    plugged = await measured(KIND, window="100 ms")
    print(sorted(row[0] for row in plugged.rows), outcome(plugged, "every up == true"))
    print(outcome(plugged, "every speed >= 1000"), outcome(plugged, "every used < 50%"))
    real, looked = _interfaces._seen, []
    def noted():
        seen = real()
        looked.append(seen)
        return seen
    _interfaces._seen = noted
    task = asyncio.ensure_future(measured(KIND, window="300 ms"))
    await eventually(lambda: looked)
    ip("link", "delete", "left")
    try:
        print(outcome(await task, "every up == true"))
    except Exception as error:
        print(error.problem.reason)

asyncio.run(main())
"""


def test_interfaces_that_are_down_without_a_link_and_removed() -> None:
    """A cable that is out is red; a namespace without interfaces is no green, nor is one removed meanwhile."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        missing("NOT ROOT, OR NO `ip`: only root makes a network of its own.")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", ALONE],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(TESTS), "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
    )
    if "Operation not" in done.stderr or "Unknown device type" in done.stderr:
        missing(f"NO NETWORK OF ITS OWN CAN BE MADE: {done.stderr.strip()}")
    assert done.stdout.splitlines() == [
        "FAIL",
        "empty",
        "['left'] FAIL",
        "['left', 'right'] PASS",
        "PASS PASS",
        "empty",
    ], done.stderr


def _interface(**changes: Any) -> Interface:
    counters = dict.fromkeys(("rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_drops", "tx_drops"), 1000)
    return Interface(**{"name": "eth0", "wanted": True, "up": True, "speed": 100, **counters, **changes})


async def _between(monkeypatch: pytest.MonkeyPatch, first: Interface, last: Interface) -> Any:
    samples = iter([{"eth0": first}, {"eth0": first}, {"eth0": last}])
    monkeypatch.setattr(_interfaces, "_seen", lambda: next(samples))
    return await measured(KIND, interface="eth0", window="100 ms")


async def test_errors_drops_and_a_full_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors and drops of the window are told from those before; a line in use is a share of its speed."""
    busy = _interface(rx_bytes=1000 + 1_000_000, tx_errors=1005, rx_drops=1010)
    reading = await _between(monkeypatch, _interface(), busy)
    assert outcome(reading, "used between 40% and 85%") is Outcome.PASS  # 80 Mbit in a tenth of a second, or later
    assert outcome(reading, "used < 10%") is Outcome.FAIL
    assert outcome(reading, "error_rate == 0") is Outcome.FAIL
    assert outcome(reading, "drop_rate < 1") is Outcome.FAIL
    assert outcome(reading, "tx_errors == 1005", "rx_drops == 1010", "speed == 100") is Outcome.PASS


async def test_counters_that_were_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An interface that was made anew has no rates, and certainly no traffic of 0."""
    reading = await _between(monkeypatch, _interface(), _interface(rx_bytes=0, rx_errors=0))
    for condition in ("rx_rate < 1 GB", "error_rate == 0", "used < 90%"):
        assert outcome(reading, condition) is Outcome.ERROR
    assert outcome(reading, "tx_rate < 1 GB") is Outcome.PASS


async def test_one_that_was_removed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one of several is gone, the others do not make the item green."""
    both = {"eth0": _interface(), "eth1": _interface(name="eth1")}
    samples = iter([both, {"eth0": _interface()}])
    monkeypatch.setattr(_interfaces, "_seen", lambda: next(samples))
    reading = await measured(KIND, window="100 ms")
    assert outcome(reading, "every up == true") is Outcome.ERROR
    assert "removed while one looked: eth1" in reading.evidence[0].text


# --- connections -------------------------------------------------------------------------------------


async def _hold(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_connections_by_state() -> None:
    """Real connections are counted by their state: those that the server has not closed are red."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        none = await measured(KIND, of="connections", port=port)
        assert outcome(none, "count == 0") is Outcome.PASS
        with socket.create_connection(("127.0.0.1", port)) as client, listener.accept()[0]:
            reading = await measured(KIND, of="connections", port=port)
            everything = await measured(KIND, of="connections")
            client.shutdown(socket.SHUT_RDWR)
            left = await measured(KIND, of="connections", port=port)
    assert outcome(reading, "established == 1", "count == 1", "time_wait == 0") is Outcome.PASS
    assert outcome(reading, "established < 1") is Outcome.FAIL
    assert outcome(everything, "established >= 2") is Outcome.PASS
    assert outcome(left, "close_wait == 0") is Outcome.FAIL
    assert reading.command == f"ss --tcp --all --numeric 'sport = :{port}'"


async def test_time_wait() -> None:
    """The side that closes first is left waiting."""

    async def bye(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with tcp_server(bye) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.read()
        writer.close()
        await writer.wait_closed()
        await eventually(lambda: f":{port:04X} 0100007F:" in _waiting())
        reading = await measured(KIND, of="connections", port=port)
    assert outcome(reading, "time_wait == 1", "established == 0") is Outcome.PASS
    assert outcome(reading, "time_wait == 0") is Outcome.FAIL


def _waiting() -> str:
    """Return the kernel's lines of sockets in TIME_WAIT (6)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()
    return "\n".join(line for line in lines if line.split()[3] == "06")


@pytest.mark.parametrize(("most", "expected"), [(2_000_000, Outcome.PASS), (1, Outcome.ERROR)])
async def test_more_than_can_be_counted(monkeypatch: pytest.MonkeyPatch, most: int, expected: Outcome) -> None:
    """Beyond the bound the numbers are at least what was counted, which proves no maximum."""
    with socket.socket() as listener, socket.socket() as other:
        for each in (listener, other):
            each.bind(("127.0.0.1", 0))
            each.listen()
        monkeypatch.setattr(_tcpsockets, "MOST_SOCKETS", most)
        port = listener.getsockname()[1]
        counted = await measured(KIND, of="connections", port=port)
        every = await measured(KIND, of="listening")
    assert outcome(counted, "count < 10") is expected
    assert outcome(every, "every port > 0") is expected
    if most == 1:
        assert (await problem_of(KIND, of="listening", ports=[free_port()])).reason == "too-large"


async def test_no_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without /proc nothing is counted; without IPv6 that is told."""
    monkeypatch.setattr(_tcpsockets, "TABLES", (tmp_path / "tcp", tmp_path / "tcp6"))
    assert (await problem_of(KIND, of="connections")).reason == "failed"
    shutil.copyfile("/proc/net/tcp", tmp_path / "tcp")
    reading = await measured(KIND, of="connections")
    assert "no table tcp6" in reading.evidence[0].text
    (tmp_path / "tcp").write_text("header\n 0: nonsense\n")
    assert (await problem_of(KIND, of="connections")).reason == "bad-answer"


async def test_a_kernel_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that cannot be read to its end in time is a problem, and nobody reads on."""
    ended = threading.Event()
    given: list[threading.Event] = []

    def stuck(given_up: threading.Event, _port: int) -> None:
        given.append(given_up)
        given_up.wait(10)
        ended.set()

    monkeypatch.setattr(_tcpsockets, "sockets", stuck)
    assert (await problem_of(KIND, 0.3, of="connections")).reason == "timeout"
    assert given[0].is_set()
    await eventually(ended.is_set)
    waiting = threading.Event()
    monkeypatch.setattr(_interfaces, "_seen", waiting.wait)
    try:
        assert (await problem_of(KIND, 0.3, window="100 ms")).reason == "timeout"
    finally:
        waiting.set()


# --- ports -------------------------------------------------------------------------------------------


async def test_ports_that_are_listened_on() -> None:
    """Expected ports are judged one by one; one that nobody listens on is red."""
    closed = free_port()
    async with tcp_server(_hold) as port:
        right = await measured(KIND, of="listening", ports=[port])
        wrong = await measured(KIND, of="listening", ports=[port, closed])
    assert outcome(right, "every listening == true", "no public == true") is Outcome.PASS
    assert outcome(right, "every addresses == '127.0.0.1'") is Outcome.PASS
    assert outcome(wrong, "every listening == true") is Outcome.FAIL
    assert f"{closed}: not listened on" in wrong.evidence[0].text


async def test_ports_that_nobody_expected() -> None:
    """Every port that is listened on has a row, with whether others than this host can reach it."""
    async with tcp_server(_hold, "0.0.0.0") as port:
        reading = await measured(KIND, of="listening")
        own = await measured(KIND, of="listening", ports=[port])
    assert outcome(reading, f"any port == {port}") is Outcome.PASS
    assert outcome(reading, "every port in [1]") is Outcome.FAIL
    assert outcome(own, "no public == true") is Outcome.FAIL


async def test_addresses_of_ipv6() -> None:
    """Addresses of both protocols are read, loopback is told from all."""
    try:
        async with tcp_server(_hold, "::1") as port:
            reading = await measured(KIND, of="listening", ports=[port])
    except OSError as error:
        missing(f"NO IPv6 ON LOOPBACK: {error}.")
    assert outcome(reading, "every addresses == '::1'", "no public == true") is Outcome.PASS


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0: 0100007F:07E8 00000000:0000 0A x", (10, "127.0.0.1", 2024)),
        ("9: 00000000000000000000000001000000:0016 0:0 0A x", (10, "::1", 22)),
        ("9: 0000000000000000FFFF00000100007F:0016 0:0 0A x", (10, "::ffff:127.0.0.1", 22)),
        ("1: 0100007F:07E8 0100007F:8000 01 x", (1, "", 2024)),
        ("1: 0100007F:07E8 0100007F:8000 0C x", (12, "", 2024)),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason=f"{IMPOSSIBLE}the kernel writes in the machine's own order")
def test_lines_of_the_kernel(line: str, expected: tuple[int, str, int]) -> None:
    """The kernel's hexadecimal addresses are read as people write them."""
    assert _tcpsockets.parsed_socket(line) == expected


@given(st.text() | st.builds("1: {}:{} 0:0 {} x".format, *[st.text("0123456789abcdefG", max_size=34)] * 3))
def test_any_line_is_read_or_refused(line: str) -> None:
    """Whatever is in there is a socket or a cause."""
    reason = "bad-answer"
    try:
        assert _tcpsockets.parsed_socket(line)[0] in _tcpsockets.STATES
    except ProbeError as error:
        reason = error.problem.reason
    assert reason == "bad-answer"


def test_options() -> None:
    """Mistakes are found when the checklist is loaded."""
    assert problems(KIND) == []
    assert problems(KIND, of="listening", ports=[22, 443]) == []
    assert problems(KIND, of="connections", interface="eth0") == ["interface"]
    assert problems(KIND, interface="a/b") == ["interface"]
    assert problems(KIND, port=22, ports=[22]) == ["port", "ports"]
    assert problems(KIND, window="0 s") == ["window"]
