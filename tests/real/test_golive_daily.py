"""The daily list of a system that went live, on real parts and on a night of the five-minute list."""

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from opsconsole.contracts.probe import Source
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.values import Unit, Value, number, seconds
from support.golive import SERVICES, Site, Watching, hurried, outcomes, said
from support.mornings import Planned, measures, planned_kinds, rows
from support.qbr import shipped

pytestmark = pytest.mark.xdist_group("postgres-pair")

WATCH, DAILY = hurried(shipped("golive-5min")), hurried(shipped("golive-daily"))
HOST = {"room", "memory"}
"""Items about the host that runs the tests."""
BY_HAND = {"alerts-reviewed", "performance-reviewed"}
COMPARED = {"errors-more", "cache"}
"""Items that are held against the days before."""
ROUND = dt.timedelta(minutes=5)
NIGHT = ("metrics", "service-list", "services", "error-rate", "containers")


def _round(status: int = 200, errors: float = 0, unhealthy: int = 0) -> dict[str, Planned]:
    """Return what a round of the five-minute list reads."""
    kinds = ("restarting", "failed", "missing", "stopped")
    counts: dict[str, Value] = {**dict.fromkeys(kinds, number(0)), "unhealthy": number(unhealthy)}
    containers = Reading(measures=counts, columns=("name", "oom_killed"), rows=(("backend", False),))
    return {
        "service-list": lambda _: msgspec.structs.replace(
            rows("health service", *((f"{each}.example/health", each) for each in SERVICES)),
            measures={"status": number(200)},
        ),
        "metrics": lambda _: measures(status=number(200)),
        "services": lambda _: measures(status=number(status), latency=seconds(0.1)),
        "error-rate": lambda _: measures(value=number(errors)),
        "containers": lambda _: containers,
    }


GOOD, BAD = _round(), _round(503, 7, 2)


def _night(live_site: Site, watching: Watching, plans: Sequence[dict[str, Planned] | None]) -> None:
    """Run the five-minute list up to now, once for each plan; nobody does where that is None."""
    now = watching.now
    for index, plan in enumerate(plans):
        if plan is not None:
            watching.now = now - (len(plans) - index) * ROUND
            kinds = planned_kinds(plan, ("http", "prometheus", "container"))
            watching.measured(WATCH, live_site.environment(), NIGHT, kinds)
    watching.now = now


def test_a_good_morning_is_green_and_every_condition_can_go_red(live_site: Site, tmp_path: Path) -> None:
    """A quiet night and a normal day: only what a person does is open, and every condition can be broken."""
    live_site.slow_statement(0.0)
    watching = Watching(tmp_path, WATCH, DAILY)
    _night(live_site, watching, [GOOD] * 6)
    state = watching.measured(DAILY, live_site.environment())
    bad = {name: said(state, name) for name, each in outcomes(state).items() if each != "PASS"}
    assert set(bad) - HOST <= BY_HAND | COMPARED, bad
    assert {bad[name].partition(" ")[0] for name in COMPARED} == {"SKIPPED"}
    assert {bad[name].partition(" ")[0] for name in BY_HAND} == {"PENDING"}
    assert len(state.items["services"].latest) == 28
    assert watching.never_red(DAILY) == []


RED = {
    "service-list": "FAIL count is 27",
    "services": "FAIL 127.0.0.1:",
    "containers": "FAIL unhealthy is 1",
    "alerts": "FAIL ErrorsHigh, critical: ",
    "night-services": "FAIL s01.example/health: ",
    "night-errors": "FAIL availability is ",
    "night-containers": "FAIL longest_failing_time",
    "normal-requests": "FAIL ",
    "normal-errors": "FAIL ",
    "normal-median": "FAIL ",
    "normal-latency": "FAIL ",
    "normal-cpu": "FAIL node1:9100",
    "normal-memory": "FAIL node1:9100",
    "normal-disk": "FAIL node1:9100",
    "errors-logged": "FAIL backend: errors is 600",
    "slow-statements": "FAIL slowest is 1",
}


def test_a_bad_morning_names_what_is_wrong(live_site: Site, tmp_path: Path) -> None:
    """Everything went wrong at once, and each item says so for itself."""
    live_site.hurt()
    live_site.slow_statement(1.02)
    watching = Watching(tmp_path, WATCH, DAILY)
    _night(live_site, watching, [GOOD, GOOD, BAD, BAD, BAD, BAD])
    with live_site.broken_container():
        state = watching.measured(DAILY, live_site.environment(well=False))
    assert {name: said(state, name) for name in RED if not said(state, name).startswith(RED[name])} == {}


@pytest.mark.parametrize(
    ("plans", "services", "errors", "containers"),
    [
        pytest.param([GOOD, GOOD, None, GOOD, GOOD, GOOD], "FAIL", "WARN", "PASS", id="a round was left out"),
        pytest.param([*[GOOD] * 24, BAD, *[GOOD] * 5], "FAIL", "WARN", "WARN", id="one bad round"),
        pytest.param([], "WARN", "WARN", "WARN", id="nobody watched"),
    ],
)
def test_nights(
    live_site: Site,
    tmp_path: Path,
    plans: list[dict[str, Planned] | None],
    services: str,
    errors: str,
    containers: str,
) -> None:
    """A night with a hole or a bad round is told, and a night that nobody watched is not green."""
    watching = Watching(tmp_path, WATCH, DAILY)
    _night(live_site, watching, plans)
    items = ("night-services", "night-errors", "night-containers")
    state = watching.measured(DAILY, live_site.environment(), items)
    assert [str(state.items[each].outcome) for each in items] == [services, errors, containers]


def test_more_errors_than_usual(live_site: Site, tmp_path: Path) -> None:
    """The log of today is held against that of the days before."""
    watching = Watching(tmp_path, WATCH, DAILY)
    today = watching.now
    for back in range(6, 0, -1):
        watching.now = today - dt.timedelta(days=back)
        plan: dict[str, Planned] = {"errors-more": lambda _: measures(count=number(20))}
        watching.measured(DAILY, live_site.environment(), ["errors-more"], planned_kinds(plan, ("loki",)))
    watching.now = today
    live_site.loki.write("ERROR once", ago=60, times=40, job="golive", container="backend")
    state = watching.measured(DAILY, live_site.environment(), ["errors-more"])
    assert state.items["errors-more"].outcome is Outcome.PASS
    live_site.loki.write("ERROR again", ago=90, times=1, job="golive", container="backend")
    state = watching.measured(DAILY, live_site.environment(), ["errors-more"])
    assert said(state, "errors-more").startswith("WARN count is 41")


def test_a_database_that_reads_from_disk_or_deadlocks(live_site: Site, tmp_path: Path) -> None:
    """Real figures are green against those of yesterday, and a warning where yesterday had fewer deadlocks."""
    for earlier, expected in ((10**6, "PASS"), (-1, "WARN deadlocks is ")):
        state_directory = tmp_path / expected[:4]
        state_directory.mkdir()
        watching = Watching(state_directory, WATCH, DAILY)
        today = watching.now
        watching.now = today - dt.timedelta(days=1)
        reading = measures(cache_hit=number(99, Unit.PERCENT), deadlocks=number(earlier))
        plan: dict[str, Planned] = {"cache": lambda _, reading=reading: reading}  # type: ignore[misc]
        watching.measured(DAILY, live_site.environment(), ["cache"], planned_kinds(plan, ("postgres",)))
        watching.now = today
        state = watching.measured(DAILY, live_site.environment(), ["cache"])
        assert said(state, "cache").startswith(expected)


def test_sources_that_are_gone_are_never_green(live_site: Site, tmp_path: Path) -> None:
    """With every source down no item but those about this host passes."""
    nobody = Source(kind="http", url="http://127.0.0.1:1")
    gone = dict.fromkeys(live_site.environment().sources, nobody)
    gone["golive-database"] = Source(kind="postgresql", dsn="host=/nonexistent dbname=golive user=opsconsole")
    found = outcomes(Watching(tmp_path, WATCH, DAILY).measured(DAILY, live_site.environment(others=gone)))
    assert {name for name, each in found.items() if each == "PASS"} <= HOST
