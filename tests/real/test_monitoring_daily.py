"""The frequent and the daily list of the monitoring system, on real servers: green, and red by name."""

import asyncio
import datetime as dt
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from opsconsole.config.linting import lint_paths
from opsconsole.contracts.probe import Source
from opsconsole.model.calendar import due_date, period_of
from opsconsole.wiring.configuration import SOURCE_KINDS
from opsconsole.wiring.definitions import shipped_checklists
from opsconsole.wiring.kinds import probe_kinds
from support.dashboard import (
    LISTS,
    OPTIMISATION,
    PAGE,
    Dashboard,
    Desk,
    Errors,
    api,
    few_errors,
    good_answers,
    measured,
    message,
    not_green,
    open_dashboard,
    within,
)
from support.httpd import Asked, Fault, Says, Script, redirects, says_json
from support.pgproxy import proxied
from support.postgres import Postgres

pytestmark = pytest.mark.xdist_group("monitoring")

FIRST = dt.datetime(2026, 11, 2, 8, 5, tzinfo=dt.UTC)
"""A Monday morning of the site, at 09:05."""
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


@pytest.fixture(scope="module")
def site(postgres: Postgres) -> Iterator[Dashboard]:
    """Run one site for all tests."""
    with open_dashboard(postgres) as found:
        yield found


@pytest.fixture(scope="module")
def desk(site: Dashboard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return a desk after five good mornings."""
    found = Desk(tmp_path_factory.mktemp("desk"), site)
    for _ in range(5):
        measured(found, "daily", next_morning(found))
    yield found
    found.store.close()


def next_morning(desk: Desk) -> dt.datetime:
    """Return the next business day's morning."""
    days = 3 if desk.now.weekday() == 4 else 1
    return desk.now + dt.timedelta(days=days) if desk.now >= FIRST else FIRST


def says(name: str, **value: Any) -> Mapping[str, Script]:
    """Return what a method says instead."""
    return {api(name): message(value)}


def also(*more: tuple[dt.timedelta, str]) -> Callable[[], Errors]:
    """Return the quiet log with more errors in it."""
    return lambda: [*few_errors(), *more]


FAILED = {"error": "Failed to load"}
NO_PERMISSION = says_json({"exc_type": "PermissionError"}, 403)
WORLDS: dict[str, tuple[Mapping[str, Script], Callable[[], Errors], dict[str, str]]] = {
    "good": ({}, few_errors, {}),
    "a login in the place of the dashboard": (
        {PAGE: redirects("/login?redirect-to=/monitoring_dashboard")},
        few_errors,
        {"dashboard": "FAIL status is 302, required 200"},
    ),
    "a dashboard that failed": ({PAGE: Says(b"", 503)}, few_errors, {"dashboard": "FAIL status is 503"}),
    "at risk": (
        says("get_executive_summary", overall_status="at_risk", critical_issues_count=0, generated_at="NOW"),
        few_errors,
        {"executive-summary": "WARN overall is 'at_risk', wanted 'healthy'"},
    ),
    "critical": (
        says("get_executive_summary", overall_status="critical", critical_issues_count=2, generated_at="NOW"),
        few_errors,
        {"executive-summary": "FAIL overall is 'critical', required in ['healthy', 'at_risk']; critical"},
    ),
    "no summary": (
        says("get_executive_summary", **FAILED),
        few_errors,
        {"executive-summary": "ERROR overall is missing"},
    ),
    "members gone and many errors": (
        says("get_system_metrics", members={"active": 310}, errors={"last_hour": 2, "last_24h": 51}),
        few_errors,
        {"members": "FAIL active is 310", "errors": "FAIL last_24h is 51, limit 50"},
    ),
    "some members less and some errors": (
        says("get_system_metrics", members={"active": 1100}, errors={"last_hour": 2, "last_24h": 10}),
        few_errors,
        {"members": "WARN active is 1,100", "errors": "WARN last_24h is 10, target 10"},
    ),
    "metrics that failed": (
        says("get_system_metrics", **FAILED),
        few_errors,
        {"members": "ERROR active is missing", "errors": "ERROR last_24h is missing"},
    ),
    "not compliant": (
        says("get_compliance_metrics", overall_score=90, critical_gaps=1, last_assessment="NOW"),
        few_errors,
        {"compliance": "FAIL score is 90 %, limit more than 90 %"},
    ),
    "compliance that failed": (
        says("get_compliance_metrics", **FAILED),
        few_errors,
        {"compliance": "FAIL problems is 1, required 0"},
    ),
    "a critical alert": (
        {api("get_active_alerts"): message([{"name": "ALERT-9", "severity": "CRITICAL", "message": "stuck"}])},
        few_errors,
        {"alerts": "FAIL ALERT-9: severity is 'CRITICAL'"},
    ),
    "no alert": ({api("get_active_alerts"): message([])}, few_errors, {}),
    "alerts that failed": (
        {api("get_active_alerts"): message(FAILED)},
        few_errors,
        {"alerts": "ERROR what dashboard answers is not the JSON that is expected"},
    ),
    "no list of alerts": (
        {api("get_active_alerts"): message({})},
        few_errors,
        {"alerts": "ERROR what dashboard answers is not the JSON that is expected: $.message[0:] leads "},
    ),
    "old analytics": (
        says("get_analytics_summary", error_patterns={"trend_direction": "stable"}, last_updated="OLD"),
        few_errors,
        {"analytics": "FAIL age is 6.02 h, limit 6 h"},
    ),
    "an error deep in the analytics": (
        says(
            "get_analytics_summary",
            error_patterns={"trend_direction": "stable"},
            hotspots={"error": "no such table"},
            last_updated="NOW",
        ),
        few_errors,
        {"analytics": "FAIL problems is 1, required 0"},
    ),
    "analytics of nothing": (
        says("get_analytics_summary", error_patterns={"trend_direction": "unknown"}, last_updated="NOW"),
        few_errors,
        {"analytics": "FAIL trend is unknown"},
    ),
    "no forecast": (
        says("get_trend_forecasts", confidence_score=0),
        few_errors,
        {"forecasts": "FAIL confidence is 0 %"},
    ),
    "slow on average, and a cold cache": (
        {
            OPTIMISATION: message(
                {
                    "current_metrics": {
                        "api_metrics": {"average_response_time_ms": 512.5},
                        "cache_metrics": {"hit_rate": 49},
                    }
                }
            )
        },
        few_errors,
        {
            "api-average": "FAIL average is 512.5 ms, limit 500 ms",
            "cache": "FAIL rate is 49 %, limit",
        },
    ),
    "an average of no calls, and a lukewarm cache": (
        {
            OPTIMISATION: message(
                {
                    "current_metrics": {
                        "api_metrics": {"average_response_time_ms": 0},
                        "cache_metrics": {"hit_rate": 70},
                    }
                }
            )
        },
        few_errors,
        {"api-average": "FAIL average is 0 s", "cache": "WARN rate is 70 %, target more than 70 %"},
    ),
    "twenty in an hour": (
        {},
        also(*((5 * HOUR + 3 * n * MINUTE, f"Webhook {n} timed out") for n in range(20))),
        {"errors-recurring": "FAIL Webhook # timed out: times is 20", "errors-new": "FAIL count is 1, required 0"},
    ),
    "a burst": (
        {},
        also(*((5 * HOUR + n * MINUTE, f"Mail queue: retry {n}") for n in range(21))),
        {
            "errors-hour": "FAIL worst_hour is 21, limit 20",
            "errors-recurring": "FAIL Mail queue: retry #: times is 22, limit 10",
        },
    ),
    "a new kind": ({}, also((HOUR, "Bank file 7 is empty")), {"errors-new": "FAIL count is 1, required 0"}),
    "five more of a kind": (
        {},
        also(*((n * 4 * HOUR, f"Job {n} was late") for n in range(5))),
        {"errors-recurring": "WARN Job # was late: times is 6, target 5"},
    ),
    "no errors at all": ({}, lambda: (), {}),
}


def dated(answers: Mapping[str, Script], now: dt.datetime) -> dict[str, Script]:
    """Put the times of the site in the place of NOW and OLD."""
    stamps = {b"NOW": now - MINUTE, b"OLD": now - 6 * HOUR - MINUTE}
    found: dict[str, Script] = {}
    for path, said in answers.items():
        assert isinstance(said, Says)
        body = said.body
        for word, at in stamps.items():
            body = body.replace(word, (at + HOUR).replace(tzinfo=None).isoformat(" ").encode())
        found[path] = said.but(body=body)
    return found


@pytest.mark.parametrize("world", WORLDS)
def test_mornings(desk: Desk, world: str) -> None:
    """Each morning shows exactly what is wrong with the monitoring system, in words, and everything else green."""
    answers, errors, expected = WORLDS[world]
    now = next_morning(desk)
    found = not_green(measured(desk, "daily", now, dated(answers, now), errors))
    assert set(found) == set(expected), found
    for name, text in expected.items():
        assert found[name].startswith(text)


# --- what could not be seen, and what is slow --------------------------------------------------------

OVER_HTTP = {each.id for each in LISTS["daily"].items if each.probe == "http"} - {"web"}
IN_DATABASE = {each.id for each in LISTS["daily"].items if each.probe in {"sql", "postgres"}}


@pytest.mark.parametrize(
    "said",
    [Says(fault=Fault.RESET), Says(b"<h1>Sorry</h1>", 200), NO_PERMISSION, message("maintenance")],
    ids=["reset", "a page", "refused", "another answer"],
)
def test_a_site_that_is_down(desk: Desk, said: Says) -> None:
    """Where the plainest request fails, one item says so and the others are blocked; the log is still seen."""
    found = not_green(measured(desk, "daily", next_morning(desk), {"/api/method/ping": said}))
    assert set(found) == {"web", *OVER_HTTP}
    assert found.pop("web").startswith(("ERROR", "FAIL"))
    assert all(each.startswith("BLOCKED needs 'The site answers'") for each in found.values())


def test_a_page_that_never_comes(site: Dashboard, tmp_path: Path) -> None:
    """A dashboard that takes the request and says nothing is an error in time, and holds up nothing else."""
    desk = Desk(tmp_path, site, {"daily": within(LISTS["daily"], "0.4 s")})
    found = not_green(measured(desk, "daily", FIRST, {PAGE: Says(fault=Fault.SILENT)}))
    desk.store.close()
    assert set(found) == {"dashboard", "members"}
    assert found["dashboard"].startswith("ERROR"), found
    assert found["members"].startswith("SKIPPED"), found


def test_a_slow_api(desk: Desk) -> None:
    """What takes more than half a second is a failure of the item that measures it, and of no other."""

    def late(_asked: Asked) -> Says:
        time.sleep(0.51)
        said = good_answers(desk.now)[api("get_system_metrics")]
        assert isinstance(said, Says)
        return said

    only = ("web", "api-response")
    desk.site.answer(next_morning(desk), {api("get_system_metrics"): late})
    found = not_green(asyncio.run(desk.run("daily", next_morning(desk), only=only)))
    assert set(found) == {"api-response"}
    assert re.fullmatch(r"FAIL it took [0-9.]+ ms, limit 500 ms", found["api-response"]), found


@pytest.mark.parametrize(("delay", "expected"), [(0.03, "WARN"), (0.052, "FAIL")])
async def test_a_slow_database(desk: Desk, tmp_path: Path, delay: float, expected: str) -> None:
    """Round trips of more than 50 ms are a warning, of more than 100 ms a failure."""
    source = desk.site.sources["dashboard-db"]
    upstream = conninfo_to_dict(source.dsn)["host"]
    async with proxied(str(upstream), tmp_path, delay):
        slow = Source(kind="postgresql", dsn=make_conninfo(source.dsn, host=str(tmp_path)))
        sources = {**desk.site.sources, "dashboard-db": slow}
        state = await desk.run("daily", next_morning(desk), only=("database-response",), sources=sources)
    assert state.items["database-response"].outcome == expected, not_green(state)


@pytest.mark.parametrize(
    ("script", "back", "cause"),
    [
        ('REVOKE SELECT ON "tabError Log" FROM $role', 'GRANT SELECT ON "tabError Log" TO $role', "may not read"),
        ('ALTER TABLE "tabError Log" RENAME TO gone', 'ALTER TABLE gone RENAME TO "tabError Log"', "tabError Log"),
    ],
    ids=["no right", "no log"],
)
def test_an_error_log_that_cannot_be_read(desk: Desk, script: str, back: str, cause: str) -> None:
    """An error log that the account may not read is an error of every item about it, and never free of errors."""
    now = next_morning(desk)
    desk.site.answer(now)
    desk.site.run(script)
    found = not_green(asyncio.run(desk.run("daily", now)))
    desk.site.run(back)
    assert set(found) == IN_DATABASE - {"database-response"}
    assert all(each.startswith("ERROR") and cause in each for each in found.values()), found


def test_a_database_that_is_down(desk: Desk) -> None:
    """Nothing of the database is green when it cannot be reached; the dashboard is seen all the same."""
    now = next_morning(desk)
    desk.site.answer(now)
    gone = {**desk.site.sources, "dashboard-db": Source(kind="postgresql", dsn="host=/nonexistent dbname=x user=x")}
    found = not_green(asyncio.run(desk.run("daily", now, sources=gone)))
    assert set(found) == IN_DATABASE
    assert all(each.startswith("ERROR") for each in found.values())


# --- every five minutes ------------------------------------------------------------------------------

FREQUENT: dict[str, tuple[Mapping[str, Script], dict[str, str]]] = {
    "good": ({}, {}),
    "down": ({PAGE: Says(b"", 502)}, {"dashboard": "FAIL status is 502"}),
    "critical": (
        {api("get_active_alerts"): message([{"name": "ALERT-9", "severity": "Critical", "message": "stuck"}])},
        {"alerts": "FAIL ALERT-9: severity is 'Critical'"},
    ),
    "analytics failed": (says("get_analytics_summary", **FAILED), {"analytics": "FAIL problems is 1, required 0"}),
    "analytics are old": (
        says("get_analytics_summary", last_updated="OLD"),
        {"analytics": "FAIL age is 361 min, limit 15 min"},
    ),
    "metrics failed": (says("get_system_metrics", **FAILED), {"api": "FAIL problems is 1, required 0"}),
}


@pytest.mark.parametrize("world", FREQUENT)
def test_every_five_minutes(desk: Desk, world: str) -> None:
    """What breaks a service level is named within the interval in which it began, and nobody has to sign it."""
    answers, expected = FREQUENT[world]
    now = next_morning(desk)
    state = measured(desk, "frequent", now, dated(answers, now))
    found = not_green(state)
    assert set(found) == set(expected), found
    for name, text in expected.items():
        assert found[name].startswith(text)


# --- the lists themselves ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["daily", "frequent"])
def test_every_condition_can_go_red(desk: Desk, name: str) -> None:
    """No condition of the lists is green whatever happens."""
    now = next_morning(desk)
    measured(desk, name, now, errors=also((HOUR, "Bank file 7 is empty")))
    assert desk.unproven(name) == []


def test_the_lists_name_their_sources() -> None:
    """With the two sources that their head asks for, all lists of the monitoring system lint clean."""
    paths = sorted(shipped_checklists().glob("monitoring-*.toml"))
    assert [each.stem.removeprefix("monitoring-") for each in paths] == sorted(LISTS)
    sources = {"dashboard", "dashboard-db"}
    assert lint_paths(paths, probe_kinds(), SOURCE_KINDS, sources=sources, check_trust=False) == []


@pytest.mark.parametrize(
    ("name", "now", "due"),
    [
        ("daily", "2026-11-21T10:00", None),
        ("daily", "2026-11-23T10:00", "2026-11-23T09:00"),
    ],
)
def test_when_they_are_due(name: str, now: str, due: str | None) -> None:
    """The daily list is due on business days at 09:00 in the zone of the site."""
    checklist = LISTS[name]
    date = dt.datetime.fromisoformat(now).date()
    found = due_date(period_of(date, checklist.cadence), checklist.due, checklist.cadence)
    assert (None if found is None else f"{found}T{checklist.due.at}") == due
