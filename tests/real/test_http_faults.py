"""Servers that misbehave: each ends in time, with its own cause, and leaves nothing open."""

import asyncio
import gzip
import resource
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsconsole.checks._http import MAX_BODY, Answer, Clients, Server, asked_url, endpoint_of
from opsconsole.checks._httpoptions import HttpOptions
from opsconsole.checks._servers import CONNECTIONS
from opsconsole.checks.http import KIND
from opsconsole.checks.httpdoctor import inspect_http
from opsconsole.contracts.probe import Environment, ProbeError, Source
from opsconsole.model.outcomes import Outcome
from support.http import measured, outcome, until
from support.httpd import Asked, Fault, Httpd, Says, says_json, says_text, serving
from support.systemd import context


@pytest.fixture
def server() -> Iterator[Httpd]:
    """A server that says nothing yet."""
    with serving() as running:
        yield running


async def _problem(url: str, path: str = "/", timeout: float = 0.6) -> tuple[str, str]:  # noqa: ASYNC109 - the item's own
    began = time.monotonic()
    with pytest.raises(ProbeError) as caught:
        await measured(url, path=path, timeout=timeout)
    assert time.monotonic() - began < timeout + 1
    return caught.value.problem.reason, caught.value.problem.cause


@pytest.mark.parametrize(
    ("said", "reason", "says"),
    [
        (Says(b"x", fault=Fault.SILENT), "timeout", "the beginning of its answer was awaited"),
        (Says(b"x", fault=Fault.DRIP_HEADERS), "timeout", "the beginning of its answer was awaited"),
        (Says(b"x", fault=Fault.DRIP), "timeout", "the rest of its answer was awaited"),
        (Says(b"abc", length=10), "timeout", "the rest of its answer was awaited"),
        (Says(b"x", fault=Fault.CLOSE_BEFORE), "source-down", "without an answer"),
        (Says(b"x", fault=Fault.RESET), "source-down", "without an answer"),
        (Says(raw=b"HTT"), "bad-answer", "in the middle of its answer"),
        (Says(raw=b"HTTP/1.1 200 OK\r\ncontent-le"), "bad-answer", "in the middle of its answer"),
        (Says(b"x" * 100, fault=Fault.CLOSE_MIDWAY), "bad-answer", "in the middle of its answer"),
        (Says(fault=Fault.ENDLESS), "too-large", "there was more"),
        (Says(b"x" * (MAX_BODY + 1)), "too-large", "announces"),
        (
            Says(gzip.compress(bytes(1 << 26)), headers=(("content-encoding", "gzip"),)),
            "too-large",
            "there was more",
        ),
        (Says(b"no gzip", headers=(("content-encoding", "gzip"),)), "bad-answer", "no gzip"),
        (
            Says(gzip.compress(b"x" * 99)[:-9], headers=(("content-encoding", "gzip"),)),
            "bad-answer",
            "ends too early",
        ),
        (Says(b"x", headers=(("content-encoding", "zstd"),)), "bad-answer", "not asked for"),
        (Says(headers=(("x-long", "y" * 100_000),)), "bad-answer", "as HTTP asks"),
        (Says(headers=tuple((f"x-{index}", "y") for index in range(500))), "bad-answer", "as HTTP asks"),
        (Says(raw=b"SSH-2.0-OpenSSH_9.2\r\n"), "bad-answer", "as HTTP asks"),
        (Says(raw=b"\0\1\2\r\n\r\n"), "bad-answer", "as HTTP asks"),
        (Says(raw=b"HTTP/1.1 99999 x\r\n\r\n"), "bad-answer", "as HTTP asks"),
        (Says(raw=b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"), "bad-answer", "as HTTP asks"),
        (
            Says(raw=b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n"),
            "bad-answer",
            "as HTTP asks",
        ),
        (Says(raw=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), "bad-answer", "as HTTP asks"),
        (Says(raw=b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"), "bad-answer", "in the middle"),
    ],
)
async def test_each_fault_has_its_cause(server: Httpd, said: Says, reason: str, says: str) -> None:
    """Slow, endless, broken and foreign answers are told apart, each within the item's time."""
    server.on("/", said)
    told, cause = await _problem(server.url, timeout=0.4)
    assert (told, says in cause) == (reason, True), cause


async def test_nobody_there(tmp_path: Path) -> None:
    """A closed port, a socket that is not there and an unknown host are all a source that is down."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]
        assert await _problem(f"http://127.0.0.1:{port}") == (
            "source-down",
            f"127.0.0.1:{port} cannot be reached: Connection refused",
        )
    assert (await _problem(f"unix:{tmp_path}/s"))[0] == "source-down"
    reason, cause = await _problem("http://no-such-host.invalid", timeout=10)
    assert reason == "source-down"
    assert cause.startswith("the name no-such-host.invalid has no address: ")


async def test_where_a_source_should_be_is_told(tmp_path: Path) -> None:
    """Its name alone does not say which address is wrong: without one, behind TLS or not, refused, or no socket."""
    for scheme in ("http", "https"):
        told = await inspect_http("site", Source(kind="http", url=f"{scheme}://no-such-host.invalid"))
        assert told.problem is not None
        assert told.problem.cause.startswith("site: the name no-such-host.invalid has no address: ")
        assert told.problem.hint == "see whether the name is right and name service works here"
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # and nobody listens
            port = taken.getsockname()[1]
            told = await inspect_http("site", Source(kind="http", url=f"{scheme}://127.0.0.1:{port}"))
        assert told.problem is not None
        assert told.problem.cause == f"site (127.0.0.1:{port}) cannot be reached: Connection refused"
        assert told.problem.hint == "see whether it runs, and whether this host may reach it"
    told = await inspect_http("site", Source(kind="http", url=f"unix:{tmp_path}/s"))
    assert told.problem is not None
    assert told.problem.cause == f"site ({tmp_path}/s) cannot be reached: No such file or directory"


async def test_a_port_that_takes_no_connection_is_down_and_not_slow() -> None:
    """A host that drops packets is down, also where the item's time is shorter than that for connecting."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        with socket.socket() as first, socket.socket() as second:  # the queue is full after them
            for each in (first, second):
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))
            reason, cause = await _problem(f"http://127.0.0.1:{port}", timeout=0.8)
    assert (reason, "could not be reached within" in cause) == ("source-down", True)


async def test_those_behind_a_host_that_is_silent_do_not_wait_for_it_again(server: Httpd) -> None:
    """Of many items of a host that drops packets the first few find out, and the others are told the same."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        endpoint = endpoint_of(Server(url=f"http://127.0.0.1:{port}"), Environment())
        with socket.socket() as first, socket.socket() as second:  # the queue is full after them
            for each in (first, second):
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))

            async def work(clients: Clients) -> None:
                await _get(clients, server)  # which loads the libraries
                began = time.monotonic()
                asking = [clients.ask(endpoint, context(item=f"item-{at}", timeout=0.5)) for at in range(30)]
                found = await asyncio.gather(*asking, return_exceptions=True)
                assert {each.problem.reason for each in found if isinstance(each, ProbeError)} == {"source-down"}

                assert time.monotonic() - began < 0.9

            await _with_clients(work)


async def test_who_found_a_host_silent_may_try_again(server: Httpd) -> None:
    """Another attempt of the item itself (`retry`) asks the host, where those of others are told what is known."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        endpoint = endpoint_of(Server(url=f"http://127.0.0.1:{port}"), Environment())
        with socket.socket() as first, socket.socket() as second:  # the queue is full after them
            for each in (first, second):
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))

            async def work(clients: Clients) -> None:
                await _get(clients, server)  # which loads the libraries
                waited = []
                for item in ("one", "one", "other"):
                    began = time.monotonic()
                    with pytest.raises(ProbeError, match="could not be reached within"):
                        await clients.ask(endpoint, context(item=item, timeout=0.5))
                    waited.append(time.monotonic() - began > 0.3)
                assert waited == [True, True, False]

            await _with_clients(work)


async def test_a_name_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that hangs holds up its own item only, and neither the end of the pass nor of the program."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_a, **_k: time.sleep(1.5))
    reason, _ = await _problem("http://app.example", timeout=0.3)
    assert reason == "timeout"


async def test_cancelling_ends_the_request(server: Httpd) -> None:
    """A pass that is cancelled in the middle of an answer leaves no connection behind."""
    server.on("/", Says(fault=Fault.DRIP))
    task = asyncio.create_task(measured(server.url, path="/"))
    await until(lambda: server.asked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not server.open)


# --- connections -------------------------------------------------------------------------------------


async def _with_clients(work: Callable[[Clients], Awaitable[None]]) -> None:
    clients = Clients()
    try:
        await work(clients)
    finally:
        await clients.aclose()


def _get(clients: Clients, server: Httpd, path: str = "/", **more: str) -> Awaitable[Answer]:
    return clients.ask(endpoint_of(Server(url=server.url), Environment()), context(timeout=5), path, method="GET")


async def test_connections_are_reused_and_closed(server: Httpd) -> None:
    """Items of one pass share a connection, and the end of the pass closes it."""
    server.on("/", says_text("x"))

    async def work(clients: Clients) -> None:
        for _ in range(5):
            assert (await _get(clients, server)).status == 200

    await _with_clients(work)
    assert server.connections == 1
    await until(lambda: not server.open)


async def test_a_connection_that_the_server_closed_is_no_error(server: Httpd) -> None:
    """Servers close idle connections: the next request on one is none that failed."""
    server.on("/", Says(b"x", fault=Fault.HANG_UP))

    async def work(clients: Clients) -> None:
        for _ in range(3):
            answers = await asyncio.gather(*(_get(clients, server) for _ in range(8)))
            assert {each.status for each in answers} == {200}
            closed = server.connections
            await until(lambda: not server.open)
            time.sleep(0.02)  # noqa: ASYNC251 - the loop is busy, and has not seen yet that they were closed
            assert (await _get(clients, server)).status == 200
            assert server.connections > closed

    await _with_clients(work)


async def test_many_connections_that_the_server_was_closing_are_no_error(server: Httpd) -> None:
    """Where all connections that were kept open end with the next request, it is sent on a new one."""
    used: set[int] = set()

    def once_each(asked: Asked) -> Says:
        if asked.path == "/" and asked.connection in used:
            return Says(fault=Fault.RESET)
        used.add(asked.connection)
        return says_text("x")

    server.on("/", once_each)

    async def work(clients: Clients) -> None:
        assert {each.status for each in await asyncio.gather(*(_get(clients, server) for _ in range(4)))} == {200}
        assert (await _get(clients, server)).text() == "x"

    await _with_clients(work)
    assert len(used) == 5


async def test_what_changes_something_is_sent_once(server: Httpd) -> None:
    """A POST whose connection is lost is not sent again, and never goes over a connection that may be closing."""
    server.on("/", says_text("x"))
    server.on("/lost", Says(fault=Fault.CLOSE_BEFORE))
    endpoint = endpoint_of(Server(url=server.url), Environment())

    async def work(clients: Clients) -> None:
        await _get(clients, server)
        await clients.ask(endpoint, context(), "/", method="POST", content=b"1")
        with pytest.raises(ProbeError, match="without an answer"):
            await clients.ask(endpoint, context(), "/lost", method="POST", content=b"1")

    await _with_clients(work)
    assert [each.path for each in server.asked] == ["/", "/", "/lost"]
    assert len({each.connection for each in server.asked}) == 3


async def test_a_dead_server_holds_up_no_other(server: Httpd) -> None:
    """While fifty requests wait for one server, six of them there, another answers at once."""
    server.on("/", says_text("x"))
    with serving({"/": Says(fault=Fault.SILENT)}) as dead:

        async def work(clients: Clients) -> None:
            waiting = [asyncio.ensure_future(_get(clients, dead)) for _ in range(50)]
            await until(lambda: len(dead.asked) == CONNECTIONS)
            answer = await _get(clients, server)
            assert answer.elapsed < 1
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
            assert len(dead.asked) == CONNECTIONS

        await _with_clients(work)


async def test_more_than_was_announced_does_not_reach_the_next(server: Httpd) -> None:
    """What a server sends behind its answer is not taken for the answer to the next request."""
    second = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwrong"
    server.on("/", Says(b"right" + second, length=5))
    server.on("/next", says_text("next"))

    async def work(clients: Clients) -> None:
        assert (await _get(clients, server)).text() == "right"
        assert (await _get(clients, server, "/next")).text() == "next"

    await _with_clients(work)


async def test_memory_stays_bounded(server: Httpd) -> None:
    """An endless answer and a bomb cost a few times the bound, whatever they hold."""
    server.on("/", Says(fault=Fault.ENDLESS))
    server.on("/bomb", Says(gzip.compress(bytes(1 << 28)), headers=(("content-encoding", "gzip"),)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in ("/", "/bomb"):
        assert (await _problem(server.url, path, timeout=5))[0] == "too-large"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < (1 << 28) / 4 + 8 * MAX_BODY


# --- addresses, and foreign answers ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "path", "params", "url"),
    [
        ("http://a", "", {}, "http://a"),
        ("http://a/", "", {}, "http://a/"),
        ("http://a/health/", "", {}, "http://a/health/"),
        ("http://a", "/b/", {}, "http://a/b/"),
        ("http://a/v1/", "/b", {}, "http://a/v1/b"),
        ("http://a?x=1", "/b", {}, "http://a/b?x=1"),
        ("http://a?x=1", "/b?y=2", {"z": "3 4"}, "http://a/b?x=1&y=2&z=3+4"),
        ("http://a", "?y=2", {}, "http://a/?y=2"),
    ],
)
def test_addresses_are_put_together(base: str, path: str, params: dict[str, str], url: str) -> None:
    """The path of an item is added to that of its source, and parameters to those that there are."""
    assert asked_url(base, path, params) == url


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300), st.sampled_from(["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 503"])
)
def test_any_answer_ends_in_a_value_or_a_cause(server: Httpd, junk: bytes, head: str) -> None:
    """Whatever comes over the wire is never green, and ends in time with a reading or a problem."""
    server.on("/", Says(raw=head.encode() + junk))

    async def ask() -> None:
        try:
            reading = await measured(
                server.url, path="/", timeout=2, json={"state": "$.status", "ok": "$.checks[*].ok"}
            )
        except ProbeError:
            return
        assert outcome(reading, "state == 'up'", "every ok == true") is not Outcome.PASS

    asyncio.run(ask())


async def test_a_pass_over_many_servers_is_quick(server: Httpd) -> None:
    """A hundred items of one server are asked beside each other over few connections."""
    server.on("/", says_json({"status": "up"}))
    environment = Environment()
    probe = KIND.open(environment)
    options = HttpOptions(url=server.url, path="/", json={"state": "$.status"})
    await probe.measure(options, context())
    began = time.monotonic()
    readings = await asyncio.gather(*(probe.measure(options, context()) for _ in range(100)))
    assert time.monotonic() - began < 5
    assert {each.measures["state"] for each in readings} == {"up"}
    await environment.aclose()
