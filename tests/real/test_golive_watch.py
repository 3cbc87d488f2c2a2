"""The five-minute list of a system that went live, on real parts: what is well is green, what is not is named."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from opsconsole.contracts.probe import Source
from opsconsole.model.judging import judge_item
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Number, Unit, number
from opsconsole.wiring.definitions import shipped_checklists
from support.golive import Site, Watching, hurried, outcomes, said
from support.httpd import Says
from support.judged import outcome
from support.qbr import item_of, shipped

pytestmark = pytest.mark.xdist_group("postgres-pair")

OWN = ("own-cpu", "own-memory", "own-disk")
"""Items about the host that runs the tests, which may be busy."""
WATCH = hurried(shipped("golive-5min"), own_cpu={"window": "0.1 s"})


def test_a_good_round_is_green_and_every_condition_can_go_red(live_site: Site, tmp_path: Path) -> None:
    """The second round has no warning, the list waits for nobody, and every condition can be broken."""
    watching = Watching(tmp_path, WATCH)
    watching.now -= dt.timedelta(minutes=5)
    watching.measured(WATCH, live_site.environment(), OWN)
    watching.now += dt.timedelta(minutes=5)
    state = watching.measured(WATCH, live_site.environment())
    bad = {name: said(state, name) for name, each in outcomes(state).items() if each != "PASS" and name not in OWN}
    assert bad == {}
    assert {state.items[name].outcome for name in OWN} <= {Outcome.PASS, Outcome.WARN, Outcome.FAIL}
    assert len(state.items["services"].latest) == 28
    assert not WATCH.needs_signature
    assert watching.never_red(WATCH) == []


@pytest.mark.parametrize("name", ["5min", "daily", "weekly", "monthly"])
def test_the_sources_are_those_that_are_told(live_site: Site, name: str) -> None:
    """What the head of golive-5min and golive-weekly says to name in config.toml is all that the lists ask."""
    known = {*live_site.environment().sources, "golive-public"}
    asked = {item.options["source"] for item in shipped(f"golive-{name}").items if "source" in item.options}
    assert asked <= known
    told = "".join((shipped_checklists() / f"golive-{each}.toml").read_text() for each in ("5min", "weekly"))
    assert [each for each in asked if f"`{each}`" not in told] == []


RED = {
    "service-list": "FAIL count is 27",
    "services": "FAIL 127.0.0.1:",
    "backend": "FAIL status is 503, required 200",
    "frontend": "FAIL",
    "model": "FAIL",
    "metrics": "PASS",
    "scraped": "FAIL backend",
    "request-rate": "FAIL",
    "error-rate": "FAIL",
    "error-share": "FAIL",
    "latency": "FAIL",
    "hosts-cpu": "FAIL node1:9100",
    "hosts-memory": "FAIL node1:9100",
    "hosts-disk": "FAIL node1:9100, /: value is 91 %, limit 85 %",
    "containers": "FAIL",
    "errors-logged": "FAIL",
}


def test_a_bad_round_names_what_is_wrong(live_site: Site, tmp_path: Path) -> None:
    """Everything is wrong at once, and each item says so for itself."""
    live_site.hurt()
    with live_site.broken_container():
        state = Watching(tmp_path, WATCH).measured(WATCH, live_site.environment(well=False))
    assert {name: said(state, name) for name in RED if not said(state, name).startswith(RED[name])} == {}


def test_one_of_28_services_that_fails_is_named(live_site: Site, tmp_path: Path) -> None:
    """A service with 503 and one that nobody listens for are both told by their address; the others are green."""
    live_site.http.on("/health/s07", Says(b"no", 503))
    state = Watching(tmp_path, WATCH).measured(WATCH, live_site.environment(), ["service-list", "services"])
    assert f"127.0.0.1:{live_site.http.port}/health/s07" in said(state, "services")
    assert state.items["services"].outcome is Outcome.FAIL
    assert (
        sum(each.body.judgement.outcome is Outcome.PASS for each in state.items["services"].latest.values()) == 27
    )


def test_sources_that_are_gone_are_never_green(live_site: Site, tmp_path: Path) -> None:
    """With every source down each item is red, in error, or blocked by one that is."""
    nobody = Source(kind="http", url="http://127.0.0.1:1")
    gone = dict.fromkeys(live_site.environment().sources, nobody)
    gone["golive-database"] = Source(kind="postgresql", dsn="host=/nonexistent dbname=golive user=opsconsole")
    environment = live_site.environment(others=gone)
    found = outcomes(Watching(tmp_path, WATCH).measured(WATCH, environment))
    assert {name for name, each in found.items() if each not in {"FAIL", "ERROR", "BLOCKED"}} <= {*OWN}
    assert {found[name] for name in ("backend", "frontend", "model", "database")} == {"FAIL"}
    assert found["hosts-disk"] == "BLOCKED"


@contextlib.contextmanager
def _sessions(live_site: Site, count: int) -> Iterator[list[psycopg.Connection]]:
    with contextlib.ExitStack() as stack:
        dsn = live_site.database.primary.dsn(live_site.role)
        yield [stack.enter_context(psycopg.connect(dsn, autocommit=True)) for _ in range(count)]


def test_a_database_without_free_connections(live_site: Site, tmp_path: Path) -> None:
    """Of seventeen connections that are not reserved sixteen are taken: that is more than nine tenths."""
    with _sessions(live_site, 15):
        state = Watching(tmp_path, WATCH).measured(WATCH, live_site.environment(), ["connections"])
    assert said(state, "connections").startswith("FAIL share is 9")


def test_a_query_that_waits_for_a_lock(live_site: Site, tmp_path: Path) -> None:
    """A session that waits for another one's lock is a warning."""
    with _sessions(live_site, 2) as (first, second):
        first.execute("select pg_advisory_lock(4711)")
        waiting = second.cursor()
        second.pgconn.send_query(b"select pg_advisory_lock(4711)")
        watching = Watching(tmp_path, WATCH)
        state = watching.measured(WATCH, live_site.environment(), ["queries"])
        while not said(state, "queries").startswith("WARN"):
            watching.now += dt.timedelta(minutes=5)
            assert watching.now < dt.datetime.now(dt.UTC) + dt.timedelta(hours=8)
            state = watching.measured(WATCH, live_site.environment(), ["queries"])
        first.execute("select pg_advisory_unlock(4711)")
        while second.pgconn.get_result() is not None:
            pass
        waiting.close()
    assert "waiting is 1" in said(state, "queries")


@pytest.mark.parametrize(
    ("item", "measure", "good", "bad"),
    [
        ("own-cpu", "used", 90, 91),
        ("own-disk", "used", 85, 86),
        ("own-disk", "inodes_used", 85, 86),
        ("own-memory", "used_percent", 85, 86),
    ],
)
def test_the_limits_of_this_host(item: str, measure: str, good: int, bad: int) -> None:
    """The limits of the procedure are kept to the percent, whatever this host does just now."""
    for value, expected in ((good, Outcome.PASS), (bad, Outcome.FAIL)):
        others = {"used": 1, "inodes_used": 1, "used_percent": 1} | {measure: value}
        found = {name: Number(number(each).value, Unit.PERCENT) for name, each in others.items()}
        conditions = [each.text for each in item_of(WATCH, item).require if "previous" not in each.text]
        assert outcome(Reading(measures=dict(found)), *conditions) is expected
    assert judge_item(item_of(WATCH, item), Reading()).outcome is Outcome.ERROR
