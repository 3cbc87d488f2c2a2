"""The system that the `golive` lists watch, on loopback: Prometheus with a past, Docker, PostgreSQL, logs.

Prometheus, Docker and PostgreSQL are real. What Prometheus holds was written into its store beforehand, under the
names of node-exporter and of an application: weeks of it, of a system that is well and of one that is not.
"""

import asyncio
import concurrent.futures
import contextlib
import datetime as dt
import functools
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from opsconsole.contracts.probe import Environment, Source
from opsconsole.engine.engine import Engine, opened
from opsconsole.engine.proving import proved
from opsconsole.model.checklists import Checklist, Item
from opsconsole.model.events import Actor, Via
from opsconsole.model.proving import Proven
from opsconsole.model.runs import RunState
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.kinds import probe_kinds
from support.docker import DockerDaemon, health, running_docker
from support.httpd import Httpd, Says, says_json, says_text, serving
from support.loki_double import LokiDouble, running_loki
from support.pgpair import Pair
from support.prometheus import remembering

ACTOR = Actor("cron", "", "ops01", Via.HEADLESS)
SERVICES = tuple(f"s{number:02}" for number in range(1, 29))
CONTAINERS = ("backend", "frontend", "model", "database")
_SLEEP = ("sleep", "600")
_MINUTE, _DAY = 60, 86_400


# --- Prometheus --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """What Prometheus saw of a system."""

    requests: float = 30.0
    """A second."""
    errors: float = 0.02
    """A second."""
    within: Mapping[str, float] = field(
        default_factory=lambda: {"0.05": 0.6, "0.1": 0.8, "0.5": 0.97, "2": 1.0, "5": 1.0, "+Inf": 1.0}
    )
    """The share of requests that took no longer than so many seconds."""
    busy: float = 0.35
    memory: float = 0.45
    disk: float = 0.5
    filling: float = 0.0
    """What is added to `disk` in a day."""
    written: float = 12e6
    """Bytes a second."""
    up: int = 1
    alert: str = ""
    """The severity of an alert that fires."""
    growth: float = 1.0
    """How many requests there are in this week for one of the week before."""


WELL = World()
UNWELL = World(
    requests=120.0,
    errors=9.0,
    within={"0.05": 0.1, "0.1": 0.2, "0.5": 0.4, "2": 0.6, "5": 1.0, "+Inf": 1.0},
    busy=0.97,
    memory=0.93,
    disk=0.91,
    filling=0.01,
    written=90e6,
    up=0,
    alert="critical",
    growth=4.0,
)
_NODE = 'instance="node1:9100",job="node"'
_APP = 'instance="backend:10010",job="backend"'


def past_of(world: World, now: int) -> str:
    """Return samples in the OpenMetrics text format: sixteen days, the last of them by the minute, and a bit more.

    They go on for half an hour, so that those of "now" are there however long the tests take.
    """
    begin = now - 16 * _DAY
    times = [*range(begin, now - 26 * 3600, 5 * _MINUTE), *range(now - 26 * 3600, now + 30 * _MINUTE, _MINUTE)]

    def asked(at: int) -> float:
        """Return the requests up to a time."""
        week = now - 7 * _DAY
        before = world.requests / world.growth
        return before * (min(at, week) - begin) + world.requests * max(0, at - week)

    def used(at: int) -> float:
        return world.disk + world.filling * (at - now) / _DAY

    gauges: dict[str, Callable[[int], float]] = {
        f"up{{{_APP}}}": lambda _at: world.up,
        f"up{{{_NODE}}}": lambda _at: 1,
        f"node_memory_MemTotal_bytes{{{_NODE}}}": lambda _at: 16e9,
        f"node_memory_MemAvailable_bytes{{{_NODE}}}": lambda _at: 16e9 * (1 - world.memory),
        f'node_filesystem_size_bytes{{{_NODE},fstype="ext4",mountpoint="/"}}': lambda _at: 1e12,
        f'node_filesystem_avail_bytes{{{_NODE},fstype="ext4",mountpoint="/"}}': lambda at: 1e12 * (1 - used(at)),
        f'node_filesystem_size_bytes{{{_NODE},fstype="tmpfs",mountpoint="/run"}}': lambda _at: 1e9,
        f'node_filesystem_avail_bytes{{{_NODE},fstype="tmpfs",mountpoint="/run"}}': lambda _at: 1e6,
        "prometheus_tsdb_lowest_timestamp_seconds": lambda _at: begin - 14 * _DAY * world.up,
    }
    if world.alert:
        labels = f'alertname="ErrorsHigh",alertstate="firing",severity="{world.alert}"'
        gauges[f"ALERTS{{{labels}}}"] = lambda _at: 1
    counters: dict[str, Callable[[int], float]] = {
        f'jarvis_requests_total{{{_APP},endpoint="/ask"}}': asked,
        f"jarvis_errors_total{{{_APP}}}": lambda at: asked(at) * world.errors / world.requests,
        f'node_cpu_seconds_total{{{_NODE},cpu="0",mode="idle"}}': lambda at: (at - begin) * (1 - world.busy),
        f'node_cpu_seconds_total{{{_NODE},cpu="0",mode="user"}}': lambda at: (at - begin) * world.busy,
        f'node_disk_read_bytes_total{{{_NODE},device="sda"}}': lambda at: (at - begin) * world.written / 4,
        f'node_disk_written_bytes_total{{{_NODE},device="sda"}}': lambda at: (at - begin) * world.written * 3 / 4,
    }
    for limit, share in world.within.items():
        name = f'jarvis_latency_seconds_bucket{{{_APP},endpoint="/ask",le="{limit}"}}'
        gauges[name] = functools.partial(_part, asked, share)
    lines = []
    for name, value in {**gauges, **counters}.items():
        lines += [f"{name} {value(at):.6f} {at}" for at in times]
    return "\n".join((*lines, "# EOF\n"))


def _part(whole: Callable[[int], float], share: float, at: int) -> float:
    return whole(at) * share


# --- all of it ---------------------------------------------------------------------------------------


class Site:
    """All parts of the system, and what is asked of them."""

    def __init__(
        self, *, well: str, unwell: str, http: Httpd, loki: LokiDouble, docker: DockerDaemon, database: Pair
    ) -> None:
        self.metrics = {True: well, False: unwell}
        self.http = http
        self.loki = loki
        self.docker = docker
        self.database = database
        database.primary.run("create extension if not exists pg_stat_statements")
        self.role = database.role()
        self.heal()
        for name in CONTAINERS:
            docker.run(f"golive-{name}-1", *_SLEEP, Labels=labels(name))

    def heal(self) -> None:
        """Let all services answer, and the log say little."""
        self.http.scripts.clear()
        for name in SERVICES:
            self.http.on(f"/health/{name}", says_json({"status": "ok"}))
        self.names(SERVICES)
        self.http.on("/health", says_json({"status": "ok"}))
        self.http.on("/", says_text("welcome"))
        self.http.on("/api/tags", says_json({"models": [{"name": "small"}]}))
        self.loki.lines.clear()
        self.loki.write("INFO served", ago=20, times=50, job="golive", container="backend")

    def names(self, services: Collection[str]) -> None:
        """Have the registry name some services."""
        found = [{"name": each, "health": f"127.0.0.1:{self.http.port}/health/{each}"} for each in services]
        self.http.on("/services.json", says_json({"services": found}))

    def hurt(self) -> None:
        """Let a service fail and another be unknown, and all others too; the log is full of errors."""
        self.names(SERVICES[:27])
        for path in ("/health/s07", "/health", "/", "/api/tags"):
            self.http.on(path, Says(b"no", 503))
        self.loki.write("ERROR no answer from the model", ago=30, times=600, job="golive", container="backend")

    @contextlib.contextmanager
    def broken_container(self) -> Iterator[None]:
        """Have a container whose health check fails."""
        sick = health(["cat", "/no/such/file"])
        self.docker.run("golive-sick-1", *_SLEEP, Labels=labels("sick"), Healthcheck=sick)
        try:
            self.docker.until(lambda: self.docker.shows("golive-sick-1", Health="unhealthy"), "the sick container")
            yield
        finally:
            self.docker.remove("golive-sick-1")

    def slow_statement(self, took: float) -> None:
        """Have five sessions run a statement that takes so many seconds, at once, after forgetting all others."""
        self.database.primary.run("select pg_stat_statements_reset()")
        dsn = self.database.primary.dsn(self.role)

        def one() -> None:
            with psycopg.connect(dsn, autocommit=True) as session:
                session.execute("select pg_sleep(%s)", (took,))

        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            list(pool.map(lambda _: one(), range(5)))

    def environment(self, *, well: bool = True, others: Mapping[str, Source] | None = None) -> Environment:
        """Return the sources that the lists ask, some of them replaced."""
        web = Source(kind="http", url=self.http.url)
        known = {
            **{f"golive-{each}": web for each in ("registry", "backend", "frontend", "model")},
            "golive-metrics": Source(kind="http", url=self.metrics[well]),
            "golive-logs": Source(kind="http", url=self.loki.url),
            "golive-docker": Source(kind="http", url=f"unix:{self.docker.socket}"),
            "golive-database": Source(kind="postgresql", dsn=self.database.primary.dsn(self.role)),
        }
        return Environment(sources={**known, **(others or {})})


def labels(service: str) -> dict[str, str]:
    """Return the labels that Compose gives a container."""
    return {"com.docker.compose.project": "golive", "com.docker.compose.service": service}


# --- measuring ---------------------------------------------------------------------------------------


def hurried(checklist: Checklist, without: Collection[str] = (), **options: Mapping[str, Any]) -> Checklist:
    """Return a list in UTC that repeats nothing, with other options of some items (`_` in their names for `-`)."""

    def changed(item: Item) -> Item:
        more = options.get(item.id.replace("-", "_"), {})
        return msgspec.structs.replace(item, retry=None, options={**item.options, **more})

    sections = tuple(
        msgspec.structs.replace(part, items=tuple(changed(each) for each in part.items if each.id not in without))
        for part in checklist.sections
    )
    due = msgspec.structs.replace(checklist.due, timezone="UTC")
    return msgspec.structs.replace(checklist, due=due, sections=tuple(part for part in sections if part.items))


class Watching:
    """A record, and lists that are measured into it; each list is known in the form it was given last."""

    def __init__(self, state: Path, *checklists: Checklist) -> None:
        self.state = state
        self.store = SqliteStore(state / "records.db")
        self._checklists = {each.id: each for each in checklists}
        self.now = dt.datetime.now(dt.UTC)

    def measured(
        self,
        checklist: Checklist,
        environment: Environment,
        only: Collection[str] = (),
        kinds: Mapping[str, Any] | None = None,
    ) -> RunState:
        """Measure a list, or some of its items, in the run of this moment."""
        engine = Engine(
            self.store,
            kinds or probe_kinds(),
            environment,
            ACTOR,
            self.state,
            clock=lambda: self.now,
            checklists=self._checklists,
        )

        async def run() -> RunState:
            async with opened(engine, checklist) as session:
                await engine.measure(session, list(only))
                return session.state

        return asyncio.run(run())

    def never_red(self, checklist: Checklist) -> list[str]:
        """Return the conditions that nothing breaks, or that were never measured."""
        return [
            f"{each.item.id}: {proof.condition}: {proof.proven}, {proof.how}"
            for each in proved(self.store, checklist)
            for proof in each.proofs
            if proof.proven is not Proven.RED
        ]


def outcomes(state: RunState) -> dict[str, str]:
    """Return what each item came to."""
    return {name: str(item.outcome) for name, item in state.items.items()}


def said(state: RunState, item: str) -> str:
    """Return outcome and summary of an item."""
    return f"{state.items[item].outcome} {state.items[item].summary}"


def now_seconds() -> int:
    """Return the present time in whole seconds."""
    return int(time.time())


@pytest.fixture(scope="session")
def golive_site(tmp_path_factory: pytest.TempPathFactory, postgres_pair: Pair) -> Iterator[Site]:
    """Run all parts of the system, once for all tests of its lists."""
    now = now_seconds()
    with contextlib.ExitStack() as stack:
        well, unwell = (
            stack.enter_context(remembering(tmp_path_factory.mktemp(name), past_of(world, now)))
            for name, world in (("well", WELL), ("unwell", UNWELL))
        )
        docker = stack.enter_context(running_docker())
        http, loki = stack.enter_context(serving()), stack.enter_context(running_loki())
        yield Site(well=well, unwell=unwell, http=http, loki=loki, docker=docker, database=postgres_pair)


@pytest.fixture
def live_site(golive_site: Site) -> Iterator[Site]:
    """Give the system as it is when all is well, and heal it afterwards."""
    golive_site.heal()
    yield golive_site
    golive_site.heal()
