"""`opsconsole demo --system golive`: a good day is green, a fault turns red what it should, answers are honest."""

import asyncio
import datetime as dt
import json
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import psutil
import pytest

from opsconsole.contracts.probe import Environment
from opsconsole.contracts.store import Store
from opsconsole.demo.golive.faults import Fault
from opsconsole.demo.golive.metrics import Metrics
from opsconsole.demo.golive.prometheus import Prometheus
from opsconsole.demo.golive.shown import ROUNDS
from opsconsole.demo.golive.system import SERVICES, Site
from opsconsole.demo.systems import SystemName, demo_system
from opsconsole.demo.web import Asked, as_json, serving
from opsconsole.engine.engine import Engine
from opsconsole.model.checklists import Item, Section
from opsconsole.model.events import Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.runs import RunState, fold
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring import demo_watch
from opsconsole.wiring.demo import demo_services
from opsconsole.wiring.demo_past import missed_since
from opsconsole.wiring.kinds import probe_kinds
from support.demos import Demos, seen_by_what_is_named
from support.prometheus import remembering
from support.qbr import item_of, shipped

pytestmark = pytest.mark.xdist_group("demo-golive")

HOST = {
    *(f"golive-5min/{each}" for each in ("own-cpu", "own-memory", "own-disk", "database")),
    *(f"golive-daily/{each}" for each in ("room", "memory")),
    *("golive-weekly/level-database", "golive-monthly/level-database"),
}
"""What tells of the host that runs the tests: how full it is, and how long its own PostgreSQL takes to answer."""
TOO_YOUNG = {
    **dict.fromkeys((f"golive-monthly/{each}" for each in ("own-disk", "requests", "latency")), "WARN"),
    **dict.fromkeys(("golive-daily/errors-more", "golive-monthly/database-growth"), "SKIPPED"),
}
"""What needs days or weeks of a record."""

INSTANT = tuple(f"golive-5min/{each.id}" for each in shipped("golive-5min").items if each.probe == "prometheus")
"""What the five-minute list asks Prometheus."""

RED: dict[Fault, dict[str, str]] = {
    Fault.SERVICE_DOWN: dict.fromkeys(("golive-daily/services", "golive-5min/services"), "FAIL"),
    Fault.FORGOTTEN_SERVICE: dict.fromkeys(("golive-daily/service-list", "golive-5min/service-list"), "FAIL"),
    Fault.NO_MODEL: {"golive-5min/model": "FAIL"},
    Fault.REQUEST_ERRORS: {
        "golive-daily/normal-errors": "FAIL",
        "golive-daily/errors-logged": "FAIL",
        "golive-5min/error-rate": "FAIL",
        "golive-5min/error-share": "FAIL",
        "golive-5min/errors-logged": "FAIL",
    },
    Fault.SLOW_REQUESTS: {"golive-daily/normal-latency": "FAIL", "golive-5min/latency": "FAIL"},
    Fault.LOST_METRIC: {"golive-5min/error-rate": "ERROR", "golive-5min/error-share": "ERROR"},
    Fault.STALE_METRICS: dict.fromkeys(
        (
            *INSTANT,
            *(
                f"golive-daily/{each.id}"
                for each in shipped("golive-daily").items
                if each.id.startswith("normal-") or each.id == "alerts"
            ),
            *(f"golive-weekly/{each}" for each in ("disk-ahead", "memory", "processors", "growth", "endpoints")),
            "golive-monthly/metrics-kept",
        ),
        "ERROR",
    ),
    Fault.SILENT_LOGS: {"golive-daily/errors-logged": "ERROR", "golive-5min/errors-logged": "ERROR"},
    Fault.KILLED_CONTAINER: {"golive-daily/containers": "WARN", "golive-5min/containers": "WARN"},
    Fault.TAKEN_CONNECTIONS: {"golive-5min/connections": "FAIL", "golive-weekly/connections": "FAIL"},
    Fault.NIGHT_ALERT: {"golive-daily/alerts": "FAIL"},
    Fault.FILLING_DISK: {"golive-weekly/disk-ahead": "FAIL"},
    Fault.INTRUDER: {"golive-weekly/access": "FAIL", "golive-weekly/accounts": "WARN"},
}
"""What each fault changes, and to what."""


def _hurried(item: Item) -> Item:
    """Return an item that repeats nothing, and asks for fewer points of a day or week."""
    step = _STEPS.get(str(item.options.get("since"))) if item.probe == "prometheus" else None
    return msgspec.structs.replace(item, retry=None, options=item.options | ({"step": step} if step else {}))


_STEPS = {"24 h": "30 min", "7 d": "6 h"}


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Demos:
    """Open the demo once, so that its past is there."""
    return Demos(SystemName.GOLIVE, tmp_path_factory.mktemp("demo"), _hurried)


@pytest.fixture(scope="module")
def good(demos: Demos) -> dict[str, tuple[Outcome, str]]:
    """Return what everything comes to while nothing is wrong."""
    return demos.said(without={"golive-5min/own-cpu"})


def test_all_is_green_while_nothing_is_wrong(good: dict[str, tuple[Outcome, str]]) -> None:
    """A visitor sees four lists that pass; what is too young for its question says so, and nothing else warns."""
    assert {name.partition("/")[0] for name in good} == set(demo_system(SystemName.GOLIVE).checklists)
    other = {name: said for name, said in good.items() if said[0] is not Outcome.PASS and name not in HOST}
    assert {name: str(outcome) for name, (outcome, _) in other.items()} == TOO_YOUNG, other


def test_every_fault_is_described() -> None:
    """What can be wrong is one table here, and has a sentence each for `--faults`."""
    assert set(RED) == set(Fault)
    assert all(seen_by_what_is_named(SystemName.GOLIVE, RED).values())
    assert all(each.description and not each.description.endswith(".") for each in Fault)


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_turns_red_what_it_should(demos: Demos, good: dict[str, tuple[Outcome, str]], fault: Fault) -> None:
    """Each item that can see the fault says so, and no other one changes."""
    now = demos.said(fault, HOST)
    changed = {name: str(outcome) for name, (outcome, _) in now.items() if outcome is not good[name][0]}
    assert changed == RED[fault], {name: now[name] for name in changed}


def test_the_next_demo_goes_on_with_the_record(demos: Demos) -> None:
    """Services keep their addresses, and so their past; what was done is still there; nothing goes on running."""
    seen = []
    others = psutil.Process().children()
    for _ in range(2):
        with demo_services(SystemName.GOLIVE, None, demos.state, None, Via.HEADLESS) as parts:
            port = (demos.state / "demo" / "golive" / "port").read_text()
            seen.append((parts.engine.store.runs(), port))
            (server,) = (
                each for each in psutil.Process().children() if each.name() == "postgres" and each not in others
            )
    (first, port), (then, other_port) = seen
    assert port == other_port
    assert set(first) <= set(then)
    assert not server.is_running()
    assert len([key for key in first if key.checklist == "golive-5min"]) >= ROUNDS


def test_rounds_since_the_last_demo_are_filled_in(demos: Demos) -> None:
    """A break of some rounds leaves no hole in the night; after a longer one the record begins anew."""
    with demo_services(SystemName.GOLIVE, None, demos.state, None, Via.HEADLESS) as parts:
        past = demo_system(SystemName.GOLIVE).past

        def engine_at(_clock: object) -> Engine:
            return parts.engine

        keys = [each.period for each in parts.engine.store.runs("golive-5min")]
        missed = missed_since(engine_at, parts.definitions, past, lambda _: keys[3])
        assert missed is not None
        assert [each.period.key for each in missed][:2] == keys[2::-1][:2]
        assert missed_since(engine_at, parts.definitions, past, lambda _: "2020-01-01T0000Z") is None


def test_the_open_console_is_watched_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody reads, the rounds go on as from cron, so that none is missing; leaving ends that at once."""
    monkeypatch.setattr(demo_watch, "_FIRST", 0.0)
    disk = Section("Host", (item_of(shipped("golive-5min"), "own-disk"),))
    watch = msgspec.structs.replace(shipped("golive-5min"), sections=(disk,))

    def made(store: Store, seconds: float = 30.0) -> Engine:
        now = BEGUN + dt.timedelta(seconds=seconds)
        kinds, actor = probe_kinds(), demo_watch.CRON
        return Engine(store, kinds, Environment(), actor, tmp_path, clock=lambda: now, checklists={watch.id: watch})

    with closing(SqliteStore(tmp_path / "records.db")) as store:
        asyncio.run(demo_watch._run_once(made(store, seconds=3.0), store, watch))
        assert store.runs() == []
        with demo_watch.watched(lambda: SqliteStore(tmp_path / "records.db"), made, [watch]):
            deadline = time.monotonic() + 30
            while not any(each.items["own-disk"].attempts for each in _states(store)):
                assert time.monotonic() < deadline
                time.sleep(0.01)
        assert [each.period for each in store.runs()] == [f"{BEGUN:%Y-%m-%dT%H%MZ}"]
        assert [each.opened.actor for each in _states(store)] == [demo_watch.CRON]
    assert not [each for each in threading.enumerate() if each.name == "demo-watch"]


def _states(store: Store) -> list[RunState]:
    """Return all runs as far as they have come."""
    found = (fold(store.events(each.id)) for each in store.runs())
    return [each for each in found if each is not None]


def test_a_port_that_is_taken_is_no_obstacle() -> None:
    """Where another program has the port of the last demo by now, the services get another one."""
    with serving(lambda _: as_json("first")) as first:
        port = int(first.rpartition(":")[2])
        with serving(lambda _: as_json("second"), port=port) as second:
            assert [httpx.get(each).json() for each in (first, second)] == ["first", "second"]
    with serving(lambda _: as_json("third"), port=port) as third:
        assert third == first


# --- the stand-in for Prometheus ---------------------------------------------------------------------

NORMAL = {
    "request-rate": (8, 60),
    "error-rate": (0, 0.02),
    "error-share": (0, 0.2),
    "latency": (0.05, 0.5),
    "hosts-cpu": (10, 60),
    "hosts-memory": (30, 60),
    "hosts-disk": (20, 70),
}
"""What is normal at any time of day."""
BEGUN = dt.datetime(2026, 5, 14, 9, 5, tzinfo=dt.UTC)


def _asked(prometheus: Prometheus, query: str, at: dt.datetime = BEGUN) -> tuple[int, dict[str, Any]]:
    answer = prometheus.answer(Asked("GET", "/api/v1/query", {"query": query, "time": f"{at.timestamp()}"}))
    assert answer is not None
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize("name", NORMAL)
def test_figures_stay_normal_at_any_hour(name: str) -> None:
    """Whoever looks at the demo by night or day sees figures that differ, within what is normal."""
    query = next(str(each.options["query"]) for each in shipped("golive-5min").items if each.id == name)
    prometheus = Prometheus(Site(BEGUN, None))
    values = []
    for hours in range(0, 24 * 5, 2):
        status, body = _asked(prometheus, query, BEGUN - dt.timedelta(hours=hours))
        assert status == 200
        values.append([float(each["value"][1]) for each in body["data"]["result"]])
    low, high = NORMAL[name]
    assert all(low <= value <= high for each in values for value in each)
    assert len({each[0] for each in values}) == len(values)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("nonsense(up)", 'unknown function with name "nonsense"'),
        ("sum(rate(x[5m]", "parse error"),
        ("up{job=~'('}", "error parsing regexp"),
        ("rate(up)", "expected type range vector"),
        ("rate(up[5m])", "is no counter"),
        ("up[5m]", "expected type instant vector"),
        ("1 == 2", "BOOL"),
        ("(" * 500 + "1" + ")" * 500, "too deeply"),
    ],
)
def test_a_query_that_it_cannot_answer_is_an_error(query: str, said: str) -> None:
    """Nobody is told a number that was not worked out: the answer is an error of the API, in its own form."""
    status, body = _asked(Prometheus(Site(BEGUN, None)), query)
    assert (status, body["status"], body["errorType"]) == (400, "error", "bad_data")
    assert said in str(body["error"])


def test_a_metric_that_there_is_not_has_no_series() -> None:
    """As with the real one, a name nobody exports is an empty answer, not an error, and not a 0."""
    assert _asked(Prometheus(Site(BEGUN, None)), "sum(rate(nothing_total[5m]))") == (
        200,
        {"status": "success", "data": {"resultType": "vector", "result": []}},
    )


def test_there_are_28_services_with_addresses_of_their_own() -> None:
    """The number is that of the checklist, and no two health checks have the same address."""
    assert len({(each.name, each.health) for each in SERVICES}) == 28
    assert len({each.name for each in SERVICES}) == 28


# --- beside a real Prometheus ------------------------------------------------------------------------

_SECONDS = 15
_HOURS = 2


def _exported(site: Site) -> str:
    """Return what would have been scraped of all targets in the last hours, in the OpenMetrics text format."""
    metrics, end = Metrics(site), int(site.began)
    lines = []
    for name in sorted({each.labels["__name__"] for each in metrics.named("")}):
        for each in metrics.named(name):
            labels = ",".join(f'{key}="{value}"' for key, value in each.labels.items() if key != "__name__")
            for when in range(end - _HOURS * 3600, end + 1, _SECONDS):
                at = each.scraped(when)
                lines.append(f"{name}{{{labels}}} {each.value(at, metrics.born):.9g} {at:.3f}")
    return "\n".join((*lines, "# EOF\n"))


ASKED = (
    *(str(each.options["query"]) for each in shipped("golive-5min").items if each.probe == "prometheus"),
    "sum by (instance) (rate(node_disk_read_bytes_total[5m]) + rate(node_disk_written_bytes_total[5m]))",
    "histogram_quantile(0.5, sum by (le, endpoint) (rate(jarvis_latency_seconds_bucket[1h]))) >= 0",
    "max by (mountpoint) (predict_linear(node_filesystem_avail_bytes[1h], 86400))",
    "sum(increase(jarvis_requests_total[30m])) / sum(increase(jarvis_requests_total[30m] offset 30m))",
    'max by (alertname) (max_over_time(ALERTS{alertstate="firing"}[1h]))',
    'label_replace(min(timestamp(up)), "which", "0", "", "") or label_replace(min(nothing), "which", "1", "", "")',
    "max(max_over_time(timestamp(up)[30m:60s]))",
    "count by (job) (up{job!~'node|cadvisor'} == 1) unless on_nothing",
    "-min_over_time(node_memory_MemAvailable_bytes[10m]) / 1024 + 2 * 3",
)


def _values(body: dict[str, Any]) -> dict[frozenset[tuple[str, str]], float]:
    result = body["data"]["result"]
    return {frozenset(each["metric"].items()): float(each["value"][1]) for each in result}


def test_answers_are_those_of_a_real_prometheus(tmp_path: Path) -> None:
    """What the stand-in works out from its curves is what Prometheus works out from samples of them."""
    site = Site(dt.datetime.now(dt.UTC) - dt.timedelta(seconds=5), None)
    stand_in = Prometheus(site)
    with remembering(tmp_path, _exported(site)) as url, httpx.Client(base_url=url, timeout=30) as real:
        for query in ASKED:
            asked = {"query": query, "time": f"{site.began:.3f}"}
            expected = real.get("/api/v1/query", params=asked)
            status, body = _asked(stand_in, query, site.begun)
            assert (status, body["data"]["resultType"]) == (200, expected.json()["data"]["resultType"]), query
            found, wanted = _values(body), _values(expected.json())
            assert found.keys() == wanted.keys(), query
            assert found == {key: pytest.approx(value, rel=0.02) for key, value in wanted.items()}, query
