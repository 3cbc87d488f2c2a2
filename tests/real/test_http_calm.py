"""How many items ask one server at once: few, so that the server is measured and not the crowd before it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from opsconsole.checks._http import Clients, Server, endpoint_of
from opsconsole.contracts.probe import Environment, Source
from opsconsole.engine.engine import Engine, opened
from opsconsole.engine.identity import current_actor
from opsconsole.model.checklists import Checklist, Due, Item, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import Via
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Duration, Number
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.kinds import probe_kinds
from support.systemd import context

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
SERVICES = tuple(f"service-{number}" for number in range(28))


def _item(name: str, targets: tuple[str, ...] = SERVICES, timeout: str = "10 s", **options: object) -> Item:
    return Item(
        id=name,
        title=name,
        probe="http",
        options={"path": "/{target}", **options},
        for_each=targets,
        timeout=Duration.parse(timeout),
        require=(parse_condition("status == 200"),),
        target=(parse_condition("latency < 500 ms"),),
    )


async def _measured(
    directory: Path, *items: Item, sources: dict[str, Source] | None = None
) -> dict[str, ItemState]:
    """Return what a pass of the engine finds."""
    checklist = Checklist(id="calm", title="Calm", due=Due(), sections=(Section("All", items),))
    with SqliteStore(directory / "opsconsole.db") as store:
        environment = Environment(sources=sources or {})
        engine = Engine(store, probe_kinds(), environment, current_actor(Via.COMMAND), directory)
        async with opened(engine, checklist) as session:
            await engine.measure(session)
            return dict(session.state.items)


def _latencies(state: ItemState) -> list[float]:
    found = []
    for each in state.latest.values():
        assert each.body.reading is not None, each.body.problem
        latency = each.body.reading.measures["latency"]
        assert isinstance(latency, Number)
        found.append(float(latency.value))
    return found


@contextlib.contextmanager
def _small(backlog: int = 5, seconds: float = 0.02) -> Iterator[str]:
    """Run a server that serves one connection after another, and has a short queue for others; gives its URL."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(backlog)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(1 << 16)
                    time.sleep(seconds)
                    connection.sendall(_ANSWER)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        listening.close()


class Crowd:
    """A server that takes everybody at once, and remembers how many there were."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.url = ""
        self.now = self.most = 0
        self._seconds = seconds

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.now += 1
        self.most = max(self.most, self.now)
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(self._seconds)
        self.now -= 1  # before the answer, behind which the next may come
        writer.write(_ANSWER)
        writer.close()

    @contextlib.asynccontextmanager
    async def served(self) -> AsyncIterator["Crowd"]:
        """Serve for the length of the block."""
        async with await asyncio.start_server(self.serve, "127.0.0.1", 0) as listening:
            self.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
            yield self


async def test_a_small_server_is_not_slowed_down_by_its_checks(tmp_path: Path) -> None:
    """28 services of one small server are all fast: none waits for a second because the others were in its way."""
    with _small() as url:
        found = (await _measured(tmp_path, _item("services", url=url)))["services"]
    assert found.outcome is Outcome.PASS, found.summary
    assert max(_latencies(found)) < 0.5


@pytest.mark.parametrize(("connections", "least", "most"), [(None, 6, 6), (2, 2, 2), (28, 7, 28)])
async def test_a_server_is_asked_by_as_many_as_its_source_says(
    tmp_path: Path, connections: int | None, least: int, most: int
) -> None:
    """Six at once, or `connections` of the source; also those that name the server by its URL."""
    async with Crowd().served() as crowd:
        sources = {"app": Source(kind="http", url=crowd.url, connections=connections)}
        items = (_item("by-source", source="app"), _item("by-url", SERVICES[:4], url=f"{crowd.url}/x"))
        found = await _measured(tmp_path, *items, sources=sources)
    assert {each.outcome for each in found.values()} == {Outcome.PASS}
    assert least <= crowd.most <= most


async def test_all_kinds_that_ask_a_server_are_counted_together(tmp_path: Path) -> None:
    """Prometheus and a health page on one port share the connections to it."""
    async with Crowd().served() as crowd:
        sources = {"app": Source(kind="http", url=crowd.url, connections=2)}
        query = Item(
            id="query",
            title="query",
            probe="prometheus",
            options={"source": "app", "query": "up"},
            for_each=SERVICES[:5],
            require=(parse_condition("count > 0"),),
        )
        found = await _measured(tmp_path, _item("page", SERVICES[:5], source="app"), query, sources=sources)
    assert found["page"].outcome is Outcome.PASS
    assert crowd.most == 2


async def test_servers_are_asked_together(tmp_path: Path) -> None:
    """The limit is one server's: those of others go out at the same time."""
    async with Crowd().served() as one, Crowd().served() as two, Crowd().served() as three:
        crowds = (one, two, three)
        most = 0

        async def watch() -> None:
            nonlocal most
            while True:
                most = max(most, sum(each.now for each in crowds))
                await asyncio.sleep(0.002)

        watching = asyncio.create_task(watch())
        await _measured(tmp_path, *(_item(f"of-{n}", SERVICES[:12], url=each.url) for n, each in enumerate(crowds)))
        watching.cancel()
    assert most > 6
    assert {each.most for each in crowds} == {6}


async def test_waiting_for_a_turn_counts_for_nothing(tmp_path: Path) -> None:
    """Neither an item's timeout nor its latency has the time in it for which others were asked."""
    async with Crowd(0.1).served() as crowd:
        sources = {"app": Source(kind="http", url=crowd.url, connections=1)}
        found = (await _measured(tmp_path, _item("slow", SERVICES[:10], "0.8 s", source="app"), sources=sources))[
            "slow"
        ]
    assert found.outcome is Outcome.PASS, found.summary
    assert max(_latencies(found)) < 0.4
    assert max(float(each.body.elapsed.value) for each in found.latest.values()) < 0.6


async def test_a_probe_with_many_questions_keeps_to_it_too() -> None:
    """What one measurement asks at once, such as about each container, is as many as the server is asked by all."""
    clients = Clients()
    async with Crowd().served() as crowd:
        endpoint = endpoint_of(Server(url=crowd.url), Environment())
        answers = await asyncio.gather(*(clients.ask(endpoint, context(timeout=5), f"/{n}") for n in range(20)))
        await clients.aclose()
    assert {each.status for each in answers} == {200}
    assert crowd.most == 6
    assert max(each.elapsed for each in answers) < 0.5
