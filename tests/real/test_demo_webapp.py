"""`opsconsole demo --system webapp`: what is in good health is green, and each fault turns red what it should."""

import pytest

from opsconsole.demo.systems import SystemName
from opsconsole.demo.webapp.faults import Fault
from opsconsole.model.outcomes import Outcome
from support.demos import Demos, seen_by_what_is_named

pytestmark = pytest.mark.xdist_group("demo-webapp")

LOOKS_BACK = {
    *("webapp-daily/uptime", "webapp-daily/response-trend", "webapp-daily/user-activity"),
    *("webapp-15min/api-slower", "webapp-15min/database-response", "webapp-15min/error-rate-rise"),
    "webapp-hourly/errors",
    *(f"webapp-weekly/looked-{each}" for each in ("quick", "quarter", "hourly")),
    *(f"webapp-weekly/{each}" for each in ("blind", "duration", "error-growth", "response-growth", "audits")),
    *(f"webapp-monthly/{each}" for each in ("uptime", "looked", "time-to-detect", "time-to-repair", "brief")),
    *(f"webapp-monthly/{each}" for each in ("integrity-detection", "causes", "error-trend", "response-growth")),
}
"""What looks back further than the demo has been there."""
ENTERED = {"webapp-monthly/false-alarms", "webapp-monthly/answered"}
HOST = {"webapp-15min/memory", "webapp-15min/load", "webapp-daily/log-disk"}
"""Figures of the host that runs the tests."""

_SHARES = ("approval-failures", "assignment-failures", "transactions")
_DATABASE = {
    **{f"webapp-daily/{each}": "FAIL" for each in ("audit", "synchronised", "orphans", "undecided", "health")},
    **{f"webapp-daily/{each}": "ERROR" for each in ("user-activity", "approval-rate")},
    **{f"webapp-5min/{each}": "FAIL" for each in ("quick-health", "database")},
    **{f"webapp-15min/{each}": "FAIL" for each in ("api", "database-response")},
    "webapp-15min/api-slower": "BLOCKED",
    **{f"webapp-hourly/{each}": "FAIL" for each in ("health", "synchronised", "stuck")},
    "webapp-weekly/constraints": "ERROR",
    "webapp-monthly/user-activity": "ERROR",
}
RED: dict[Fault, dict[str, str]] = {
    Fault.DOWN: {
        "webapp-daily/health": "FAIL",
        "webapp-5min/quick-health": "FAIL",
        "webapp-5min/start-page": "FAIL",
        "webapp-15min/api": "FAIL",
        "webapp-15min/api-slower": "BLOCKED",
        "webapp-hourly/health": "FAIL",
    },
    Fault.SLOW_API: {"webapp-15min/api": "WARN"},
    Fault.STALE_HEALTH: {"webapp-daily/health": "FAIL"},
    Fault.LOST_PARTICIPANTS: {
        "webapp-daily/audit": "FAIL",
        "webapp-daily/synchronised": "FAIL",
        "webapp-daily/health": "FAIL",
        "webapp-hourly/health": "FAIL",
        "webapp-hourly/synchronised": "FAIL",
    },
    Fault.ORPHANS: {
        "webapp-daily/audit": "FAIL",
        "webapp-daily/orphans": "FAIL",
        "webapp-daily/health": "FAIL",
        "webapp-hourly/health": "FAIL",
    },
    Fault.HALF_DECIDED: {"webapp-daily/undecided": "FAIL"},
    Fault.FAILED_APPROVALS: {
        "webapp-daily/approval-failures": "WARN",
        "webapp-hourly/workflow": "FAIL",
        "webapp-hourly/approval-failures": "WARN",
    },
    Fault.NEW_ERROR: {"webapp-daily/error-kinds": "WARN"},
    Fault.ERROR_BURST: {
        "webapp-daily/error-rise": "WARN",
        "webapp-daily/error-bursts": "FAIL",
        "webapp-daily/error-kinds": "FAIL",
    },
    Fault.CRITICAL: {"webapp-5min/critical": "FAIL"},
    Fault.LOG_STOPPED: {
        "webapp-daily/workflow-log": "FAIL",
        "webapp-hourly/log-written": "FAIL",
        "webapp-hourly/workflow": "FAIL",
        **{f"webapp-hourly/{each}": "SKIPPED" for each in _SHARES},
    },
    Fault.GATEWAY_ERRORS: {"webapp-15min/error-rate": "FAIL"},
    Fault.PASSWORD_LOGGED: {"webapp-weekly/secrets": "FAIL", "webapp-weekly/passwords": "WARN"},
    Fault.OPEN_LOG: {"webapp-weekly/log-permissions": "FAIL"},
    Fault.NOT_ROTATED: {"webapp-weekly/rotation": "FAIL"},
    Fault.DATABASE_DOWN: _DATABASE,
}
"""What each fault changes, and to what."""


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Demos:
    """Open the demo once, so that its past is there."""
    return Demos(SystemName.WEBAPP, tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def good(demos: Demos) -> dict[str, Outcome]:
    """Return what everything comes to while nothing is wrong."""
    return demos.outcomes(without=HOST)


def test_all_is_green_while_nothing_is_wrong(good: dict[str, Outcome]) -> None:
    """A visitor sees six lists that pass, and what has too little to look back on says so."""
    assert {name for name, outcome in good.items() if outcome is not Outcome.PASS} <= LOOKS_BACK | ENTERED
    assert not {name for name, outcome in good.items() if outcome in {Outcome.FAIL, Outcome.ERROR}}
    assert len({name.partition("/")[0] for name in good}) == 6


def test_every_fault_is_described() -> None:
    """What can be wrong is one table here, and has a sentence each for `--faults`."""
    assert set(RED) == set(Fault)
    assert all(seen_by_what_is_named(SystemName.WEBAPP, RED).values())
    assert all(each.description and not each.description.endswith(".") for each in Fault)


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_turns_red_what_it_should(demos: Demos, good: dict[str, Outcome], fault: Fault) -> None:
    """Each item that can see the fault says so, and no other one changes."""
    now = demos.outcomes(fault, HOST)
    assert {name: str(outcome) for name, outcome in now.items() if outcome is not good[name]} == RED[fault]
