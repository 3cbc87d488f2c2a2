"""One connection for a source and a pass: shared, in order, never mixing answers up, and gone at the end."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest

from opsconsole.checks._pglink import DEPTH
from opsconsole.checks.sql import KIND, SqlOptions
from opsconsole.contracts.probe import Environment, ProbeError
from opsconsole.engine.engine import Engine
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.model.checklists import Checklist, Due, Item, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import Actor, Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Duration, number
from opsconsole.store.sqlite import SqliteStore
from support.pgproxy import proxied
from support.postgres import Postgres
from support.sql import Asking, asking, source


@pytest.fixture(scope="module")
def role(postgres: Postgres) -> str:
    """Make a role without any grant."""
    return postgres.create_role()


@pytest.fixture
async def db(postgres: Postgres, role: str) -> AsyncIterator[Asking]:
    """Open a pass over a run."""
    async with asking(postgres.dsn("postgres", role)) as opened:
        yield opened


def _sessions(postgres: Postgres, role: str, and_where: str = "true") -> int:
    query = f"select count(*) from pg_stat_activity where usename = '{role}' and {and_where}"
    return int(postgres.run(query))


async def _until(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"{what} did not come"
        await asyncio.sleep(0.01)


async def test_items_of_a_source_share_one_connection(postgres: Postgres, db: Asking, role: str) -> None:
    """A checklist of forty queries is one session of the database, with the console's name, and none afterwards."""
    found = await asyncio.gather(*(db.cell("select pg_backend_pid() as it", item=str(n)) for n in range(40)))
    assert len(set(found)) == 1
    assert _sessions(postgres, role, "application_name = 'opsconsole'") == 1
    await db.probe.aclose()
    await _until(lambda: _sessions(postgres, role) == 0, "the end of the session")


async def test_a_source_has_its_lane(db: Asking) -> None:
    """The engine starts no more than a few queries of a source at once, and none of another source behind them."""
    lanes = {KIND.lane(SqlOptions(source=name, query="select 1")) for name in ("a", "a", "b")}
    assert lanes == {"a", "b"}
    assert KIND.depth == DEPTH
    assert 1 < DEPTH < 16  # of the places that a pass has for all kinds


async def _outcome(db: Asking, at: int, kind: str) -> tuple[str, object]:
    """Ask in a way that ends as `kind` says; return what came of it."""
    query = {
        "value": f"select {at} as it",
        "rows": f"select {at} as it from generate_series(1, 1 + {at} % 7)",
        "error": f"select {at} / 0 as it",
        "syntax": f"select {at} frm x y",
        "slow": f"select {at} as it, pg_sleep(60)::text as b",
        "cut": f"select {at} as it, generate_series(1, 100000000) as n",
    }[kind]
    limits: dict[str, dict[str, float]] = {"slow": {"timeout": 0.15}, "cut": {"max_rows": 5}}
    try:
        reading = await db.read(query, item=f"item-{at}", **limits.get(kind, {}))
    except ProbeError as error:
        return kind, error.problem.reason
    assert {row[0] for row in reading.rows} == {number(at)}, "an answer of another query"
    return kind, (len(reading.rows), reading.truncated)


async def test_answers_are_never_mixed_up(db: Asking) -> None:
    """Hundreds of queries under way at once each get their own answer, whatever becomes of those before them."""
    choice = random.Random(20261121)
    kinds = choice.choices(("value", "rows", "error", "syntax", "slow", "cut"), (40, 20, 10, 10, 2, 5), k=300)
    found = await asyncio.gather(*(_outcome(db, at, kind) for at, kind in enumerate(kinds)))
    for at, (kind, came) in enumerate(found):
        expected = {
            "value": (1, False),
            "rows": (1 + at % 7, False),
            "error": "failed",
            "syntax": "bad-query",
            "slow": "timeout",
            "cut": (5, True),
        }
        assert came == expected[kind], f"{kind} at {at}"


async def test_cancelled_items_do_not_disturb_the_others(db: Asking) -> None:
    """Whichever items are given up while under way, all others get their own answers."""
    choice = random.Random(20261121)
    for _ in range(15):
        tasks = [
            asyncio.create_task(_outcome(db, at, choice.choice(("value", "rows", "error")))) for at in range(30)
        ]
        await asyncio.sleep(choice.random() * 0.004)
        given_up = set(choice.sample(tasks, 10))
        for task in given_up:
            task.cancel()
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)
        for task, came in zip(tasks, done, strict=True):
            assert isinstance(came, tuple) or (task in given_up and isinstance(came, asyncio.CancelledError))


async def test_time_counts_from_ones_own_turn(db: Asking) -> None:
    """A query behind a slow one has its whole time when its turn comes."""
    slow = asyncio.create_task(db.read("select pg_sleep(1)::text as it", item="slow", timeout=10))
    behind = [
        asyncio.create_task(db.cell(f"select {at} as it", item=str(at), timeout=0.4)) for at in range(DEPTH - 1)
    ]
    assert await slow
    assert await asyncio.gather(*behind) == [number(at) for at in range(DEPTH - 1)]


def _item(name: str, query: str, timeout: str) -> Item:
    options = {"source": "db", "query": query}
    conditions = (parse_condition("count == 1"),)
    return Item(
        id=name, title=name, probe="sql", options=options, require=conditions, timeout=Duration.parse(timeout)
    )


async def test_the_engine_waits_for_those_in_line(postgres: Postgres, role: str, tmp_path: Path) -> None:
    """In a whole run too, a slow query of a source leaves the others of that source their time."""
    items = [_item("slow", "select pg_sleep(1.5)::text as it", "10 s")]
    items += [_item(f"behind-{at}", f"select {at} as it", "400 ms") for at in range(2 * DEPTH)]
    due = Due(timezone="UTC")
    definition = Checklist(id="morning", title="Morning", due=due, sections=(Section("All", tuple(items)),))
    store = SqliteStore(tmp_path / "records.db")
    environment = Environment(sources={"db": source(postgres.dsn("postgres", role))})
    operator = Actor("operator", "Day Operator", "ops01", Via.CONSOLE)
    engine = Engine(store, {"sql": KIND}, environment, operator, tmp_path / "state", options=MeasuringOptions())
    session = await engine.open(definition)
    try:
        await engine.measure(session)
        assert {each.outcome for each in session.state.items.values()} == {Outcome.PASS}
    finally:
        await session.aclose()
        store.close()


async def test_cancelling_ends_the_query_in_the_server(postgres: Postgres, db: Asking, role: str) -> None:
    """Leaving the console while a query runs leaves nothing running in the database."""
    task = asyncio.create_task(db.read("select pg_sleep(60)::text as it"))
    await _until(lambda: _sessions(postgres, role, "query like '%pg_sleep(60)%'") == 1, "the query")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until(lambda: _sessions(postgres, role, "state = 'active'") == 0, "the end of the query")
    assert await db.cell("select 1 as it") == number(1)


async def test_closing_ends_what_is_under_way(postgres: Postgres, db: Asking, role: str) -> None:
    """At the end of a pass nobody waits for an answer that will not come."""
    asked = [asyncio.create_task(db.problem("select pg_sleep(60)::text as it", item=str(n))) for n in range(3)]
    await _until(lambda: _sessions(postgres, role, "query like '%pg_sleep(60)%'") == 1, "the query")
    await db.probe.aclose()
    problems = await asyncio.gather(*asked)
    assert {problem.reason for problem in problems} == {"source-down"}
    await _until(lambda: _sessions(postgres, role) == 0, "the end of the session")


async def test_a_query_costs_one_round_trip(postgres: Postgres, role: str, tmp_path: Path) -> None:
    """BEGIN, limits, query and ROLLBACK travel together, also when the query fails; connecting costs its own."""
    upstream = psycopg.conninfo.conninfo_to_dict(postgres.superuser_dsn)["host"]
    async with (
        proxied(str(upstream), tmp_path) as proxy,
        asking(f"host={tmp_path} dbname=postgres user={role}") as db,
    ):
        await db.cell("select 1 as it")
        connecting = proxy.turns
        assert connecting <= 2
        for at in range(10):
            await db.cell(f"select {at} as it")
            await db.problem(f"select {at} / 0 as it")
        assert proxy.turns - connecting == 20


async def test_queries_do_not_wait_for_the_answers_of_others(postgres: Postgres, role: str, tmp_path: Path) -> None:
    """With a far database, queries follow each other without waiting a round trip for every one."""
    upstream = psycopg.conninfo.conninfo_to_dict(postgres.superuser_dsn)["host"]
    async with (
        proxied(str(upstream), tmp_path) as proxy,
        asking(f"host={tmp_path} dbname=postgres user={role}") as db,
    ):
        await db.cell("select 1 as it")
        proxy.hold_answers()
        asked = asyncio.gather(*(db.cell(f"select {at} as it", item=str(at)) for at in range(DEPTH)))
        await _until(lambda: proxy.sent.count(b"ROLLBACK") == 1 + DEPTH, "all queries")
        proxy.thaw()
        assert await asked == [number(at) for at in range(DEPTH)]
        assert proxy.connections == 1


EXITS = """
import asyncio, socket, time
from opsconsole.checks import _conninfo
from opsconsole.checks.sql import SqlOptions, SqlProbe
from opsconsole.contracts.probe import Environment, ProbeError, Source
from support.systemd import context

socket.getaddrinfo = lambda *_, **__: time.sleep(600)  # a resolver whose servers are gone

async def main():
    probe = SqlProbe(Environment(sources={"db": Source(kind="postgresql", dsn="host=db.example")}))
    ticks = 0
    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1
    ticking = asyncio.create_task(tick())
    try:
        await probe.measure(SqlOptions(source="db", query="select 1"), context(timeout=0.5))
    except ProbeError as error:
        print(error.problem.reason, ticks > 10)
    ticking.cancel()
    await probe.aclose()

asyncio.run(main())
"""


def test_a_resolver_that_hangs_holds_up_nothing() -> None:
    """When name service is down the console goes on, says so in time, and can be left."""
    tests = Path(__file__).resolve().parents[1]
    began = time.monotonic()
    said = subprocess.run(
        [sys.executable, "-c", EXITS], capture_output=True, check=False, timeout=60, env={"PYTHONPATH": str(tests)}
    )
    assert said.stdout.split() == [b"source-down", b"True"], said.stderr.decode()
    assert time.monotonic() - began < 20
