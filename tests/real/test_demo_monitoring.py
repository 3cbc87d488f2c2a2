"""`opsconsole demo --system monitoring`: a site in good health is green, each fault turns red what it should."""

import pytest

from opsconsole.demo.monitoring.faults import Fault
from opsconsole.demo.systems import SystemName
from opsconsole.model.outcomes import Outcome
from support.demos import Demos, seen_by_what_is_named

pytestmark = pytest.mark.xdist_group("demo-monitoring")

LOOKS_BACK = {
    "monitoring-weekly/database-trend",
    "monitoring-weekly/api-trend",
    "monitoring-weekly/availability",
    "monitoring-weekly/alert-patterns",
    "monitoring-weekly/resolution",
    "monitoring-monthly/availability",
    "monitoring-monthly/analytics-response",
    "monitoring-monthly/data-age",
    "monitoring-monthly/noticed",
    "monitoring-monthly/mornings",
    "monitoring-monthly/database-after",
    "monitoring-monthly/api-after",
    "monitoring-quarterly/availability",
    "monitoring-quarterly/service-levels",
    "monitoring-quarterly/reviews",
}
"""What looks back further than the demo has been there."""

TIMED = {
    "monitoring-daily/api-response",
    "monitoring-daily/database-response",
    "monitoring-frequent/api",
    "monitoring-frequent/database",
}
"""What is judged by how long it takes, here on a machine that is busy with other tests."""
REPEATED = {"monitoring-daily/database-response"}
"""What tries again for ten seconds before it says that nobody answers."""
LATER = {
    f"monitoring-{each}"
    for each in (
        *("weekly/errors-trend", "weekly/errors-hotspots", "weekly/errors-new"),
        *("monthly/errors", "monthly/error-patterns", "quarterly/errors"),
    )
}
"""What sees the errors of the last hour when that was still in the last week or month."""

_HTTP = ("dashboard", "executive-summary", "members", "errors", "compliance", "alerts", "analytics", "forecasts")
_HTTP_TOO = ("api-response", "api-average", "cache")

RED: dict[Fault, dict[str, str]] = {
    Fault.SITE_DOWN: {
        "monitoring-daily/web": "FAIL",
        **{f"monitoring-daily/{each}": "BLOCKED" for each in (*_HTTP, *_HTTP_TOO)},
        **{f"monitoring-frequent/{each}": "FAIL" for each in ("dashboard", "api", "analytics", "alerts")},
        **{f"monitoring-weekly/{each}": "FAIL" for each in ("report", "optimisation")},
        **{
            f"monitoring-{each}": "ERROR"
            for each in (
                "weekly/compliance",
                "weekly/compliance-change",
                "weekly/forecast-confidence",
                "monthly/compliance",
                "quarterly/compliance",
            )
        },
    },
    Fault.LOGIN_LOST: {"monitoring-daily/dashboard": "FAIL", "monitoring-frequent/dashboard": "FAIL"},
    Fault.CRITICAL_ISSUE: {
        "monitoring-daily/executive-summary": "FAIL",
        "monitoring-daily/alerts": "FAIL",
        "monitoring-frequent/alerts": "FAIL",
    },
    Fault.ERROR_IN_ANSWER: {"monitoring-daily/analytics": "FAIL", "monitoring-frequent/analytics": "FAIL"},
    Fault.STALE_ANALYTICS: {"monitoring-daily/analytics": "FAIL", "monitoring-frequent/analytics": "FAIL"},
    Fault.NO_FORECAST: {"monitoring-daily/forecasts": "FAIL", "monitoring-weekly/forecast-confidence": "FAIL"},
    Fault.ERROR_STORM: {
        "monitoring-daily/errors": "WARN",
        "monitoring-daily/errors-hour": "FAIL",
        "monitoring-daily/errors-recurring": "FAIL",
    },
    Fault.NEW_ERROR: {"monitoring-daily/errors-new": "FAIL"},
    Fault.MEMBERS_LOST: {"monitoring-daily/members": "FAIL"},
    Fault.COMPLIANCE_GAP: {
        "monitoring-daily/compliance": "FAIL",
        "monitoring-weekly/compliance": "FAIL",
        "monitoring-weekly/compliance-change": "FAIL",
        "monitoring-monthly/compliance": "FAIL",
        "monitoring-quarterly/compliance": "FAIL",
    },
    Fault.SLOW_API: {"monitoring-daily/api-response": "WARN", "monitoring-frequent/api": "WARN"},
    Fault.COLD_CACHE: {"monitoring-daily/cache": "FAIL"},
    Fault.BROKEN_BACKUP: {"monitoring-quarterly/backups": "FAIL"},
    Fault.DATABASE_DOWN: {
        f"monitoring-{each}": "ERROR"
        for each in (
            *("daily/errors-hour", "daily/errors-new", "daily/errors-recurring", "daily/database-response"),
            "frequent/database",
            *("weekly/errors-trend", "weekly/errors-hotspots", "weekly/errors-new", "weekly/database-size"),
            *("monthly/errors", "monthly/error-patterns", "monthly/capacity"),
            *("quarterly/errors", "quarterly/growth"),
        )
    },
}
"""What each fault changes, and to what."""


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Demos:
    """Open the demo once, so that its past is there."""
    return Demos(SystemName.MONITORING, tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def good(demos: Demos) -> dict[str, Outcome]:
    """Return what everything comes to while nothing is wrong."""
    return demos.outcomes()


def test_all_is_green_while_nothing_is_wrong(good: dict[str, Outcome]) -> None:
    """A visitor sees five lists that pass, and what has too little to look back on says so."""
    assert {name for name, outcome in good.items() if outcome is not Outcome.PASS} <= LOOKS_BACK | TIMED
    assert not {name for name, outcome in good.items() if outcome is Outcome.FAIL} - TIMED
    assert len({name.partition("/")[0] for name in good}) == 5


def test_every_fault_is_described() -> None:
    """What can be wrong is one table here, and has a sentence each for `--faults`."""
    assert set(RED) == set(Fault)
    assert all(seen_by_what_is_named(SystemName.MONITORING, RED).values())
    assert all(each.description and not each.description.endswith(".") for each in Fault)


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_turns_red_what_it_should(demos: Demos, good: dict[str, Outcome], fault: Fault) -> None:
    """Each item that can see the fault says so, and no other one changes."""
    without = (TIMED - RED[fault].keys()) | REPEATED
    now = demos.outcomes(fault, without)
    changed = {name: str(outcome) for name, outcome in now.items() if outcome is not good[name]}
    if fault in {Fault.NEW_ERROR, Fault.ERROR_STORM}:
        changed = {name: outcome for name, outcome in changed.items() if name not in LATER}
    assert changed == {name: outcome for name, outcome in RED[fault].items() if name not in without}
