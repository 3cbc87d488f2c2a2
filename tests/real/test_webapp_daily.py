"""The daily list of a web application on real parts: good mornings are green, and what is wrong is named."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Unit, number, seconds
from support.httpd import Fault, Says, says_text, serving
from support.mornings import measures
from support.postgres import Postgres
from support.webapp import (
    DAY,
    HOST,
    HOST_KINDS,
    MIDNIGHT,
    MINUTE,
    NOW,
    YESTERDAY,
    Planned,
    Record,
    WebApp,
    ends_of,
    planned_kinds,
    said,
    table,
    unbreakable,
)


@pytest.fixture(scope="module")
def webapp(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[WebApp]:
    """The application; a test puts it in order first."""
    with serving() as httpd:
        yield WebApp(tmp_path_factory.mktemp("webapp"), postgres, httpd)


@pytest.fixture
def record(webapp: WebApp, tmp_path: Path) -> Iterator[Record]:
    """An empty record, of an application in good order."""
    webapp.set_up()
    record = Record(tmp_path, webapp.lists, webapp.sources)
    yield record
    record.store.close()


async def looked(record: Record, *, users: int = 1, errors: int = 1, good: bool = True) -> None:
    """Give the list a past: seven mornings, and what the more frequent lists saw at the end of yesterday."""
    activity = table("created completed applied active_users", *(number(each * users) for each in (1, 1, 3, 5)))
    usual: dict[str, Planned] = {
        "error-rise": lambda _: measures(count=number(errors)),
        "user-activity": lambda _: activity,
        "approval-rate": lambda _: table("approved decided", number(60 / users, Unit.PERCENT), number(3)),
    }
    await record.past("webapp-daily", usual, [NOW - back * DAY for back in range(7, 0, -1)])
    status, latency = number(200 if good else 502), seconds(0.1 if good else 6)
    healthy: Planned = lambda _: measures(status=status, state="OK", latency=seconds(0.1))  # noqa: E731 - a plan in a line
    await record.past("webapp-5min", {"quick-health": healthy}, ends_of(MIDNIGHT, 5 * MINUTE))
    await record.past(
        "webapp-15min",
        {"api": lambda _: measures(status=number(200), latency=latency)},
        ends_of(MIDNIGHT, 15 * MINUTE),
    )


async def test_a_good_morning(webapp: WebApp, record: Record) -> None:
    """All is green, nothing is skipped, and each condition can go red on what was read."""
    await looked(record)
    state = await record.measured("webapp-daily")
    assert said(state) == {}
    assert state.counts[Outcome.PENDING] == 1
    assert unbreakable(record, webapp.lists["webapp-daily"]) == []


async def test_the_first_morning(record: Record) -> None:
    """What compares with a past that is not there is skipped or a warning; all else is measured at once."""
    found = said(await record.measured("webapp-daily"))
    assert {name: text.split()[0] for name, text in found.items()} == {
        "uptime": "WARN",
        "response-trend": "WARN",
        **dict.fromkeys(("error-rise", "user-activity", "approval-rate"), "SKIPPED"),
    }


BAD_LOG = [
    (YESTERDAY, "ERROR", "CRITICAL: application 7 is approved, and nobody takes part"),
    *[(YESTERDAY, "ERROR", f"Application approval failed: {each}") for each in range(4)],
    *[(YESTERDAY, "ERROR", f"Quest assignment failed: {each}") for each in range(18)],
    (YESTERDAY, "WARNING", "Transaction rolled back"),
    (YESTERDAY, "WARNING", "Reverted application status"),
]
BAD_DATA = """
INSERT INTO applications_application (quest_id, applicant_id, status, applied_at, decided_at) VALUES
  (1, 4, 'approved', '2026-12-01', '2026-12-02'), (9001, 2, 'rejected', '2026-12-01', '2026-12-02'),
  (2, 9002, 'rejected', '2026-12-01', '2026-12-02'), (3, 4, 'rejected', '2026-12-01', NULL);
INSERT INTO quests_questparticipant (quest_id, user_id, joined_at)
VALUES (1, 1, '2026-12-02'), (1, 2, '2026-12-02'), (9003, 2, '2026-12-02'), (2, 9004, '2026-12-02');
"""
FULL: dict[str, Planned] = {
    **HOST,
    "log-disk": lambda _: measures(used=number(85, Unit.PERCENT), inodes_used=number(95, Unit.PERCENT)),
}
EXPECTED = {
    "audit": "FAIL exit_code is 1, required 0; issues is 3, required 0",
    "synchronised": "FAIL approved, but no participant: found is 1; participant more than once: found is 1; part",
    "orphans": "FAIL application without quest: orphans is 1; application without user: orphans is 1; part",
    "undecided": "FAIL 1",
    "health": "FAIL status is 503, required 200; state is 'degraded', required 'healthy'; data_integrity is",
    "uptime": "FAIL availability_due is 0 %",
    "log-disk": "FAIL inodes_used is 95 %",
    "error-rise": "WARN count is 24",
    "error-bursts": "FAIL burst is 24",
    "error-kinds": "FAIL repeated is 18, limit 10",
    "workflow-log": "FAIL critical is 1, required 0",
    "approval-failures": "WARN 13.8 %",
    "assignment-failures": "WARN 31 %",
    "response-trend": "FAIL /api/",
    "user-activity": "WARN created is 1",
    "approval-rate": "WARN approved is",
}


async def test_a_bad_morning(webapp: WebApp, record: Record) -> None:
    """Each thing that is wrong with the application is seen by the item that is about it, and said in words."""
    await looked(record, users=10, good=False)
    webapp.audit(3)
    webapp.run(BAD_DATA)
    webapp.write_log(*BAD_LOG)
    checks = {"database": "OK", "data_integrity": "ISSUES_DETECTED", "models": {"quests": 67}}
    webapp.pages(status="degraded", checks=checks)
    found = said(await record.measured("webapp-daily", kinds=planned_kinds(FULL, HOST_KINDS)))
    assert {name: text[: len(EXPECTED.get(name, ""))] for name, text in found.items()} == EXPECTED


# --- what cannot be seen -----------------------------------------------------------------------------


def _gone(webapp: WebApp) -> None:
    for each in webapp.logs.glob("django.log*"):
        each.unlink()


def _truncated(webapp: WebApp) -> None:
    webapp.write_file("django.log", 0)
    for each in webapp.logs.glob("django.log.*"):
        each.unlink()


def _broken_audit(webapp: WebApp) -> None:
    (webapp.project / "manage.py").write_text("import a_module_that_is_not_there", encoding="utf-8")


def _quiet_audit(webapp: WebApp) -> None:
    (webapp.project / "manage.py").write_text("", encoding="utf-8")


def _no_rights(webapp: WebApp) -> None:
    webapp.run(f'REVOKE SELECT ON quests_questparticipant FROM "{webapp.role}"')


def _login_page(webapp: WebApp) -> None:
    webapp.httpd.on("/health/", says_text("<h1>Sign in</h1>"))


def _silent(webapp: WebApp) -> None:
    webapp.httpd.on("/health/", Says(fault=Fault.CLOSE_BEFORE))


def _cached(webapp: WebApp) -> None:
    webapp.pages(timestamp=(NOW - DAY).replace(tzinfo=None).isoformat())


LOGS = ("error-rise", "error-bursts", "error-kinds", "workflow-log")


@pytest.mark.parametrize(
    ("breaks", "items", "expected"),
    [
        (_gone, LOGS, "ERROR"),
        (_truncated, LOGS[1:], "ERROR"),
        (_broken_audit, ["audit"], "FAIL exit_code is 1"),
        (_quiet_audit, ["audit"], "ERROR"),
        (_no_rights, ["synchronised", "orphans"], "ERROR"),
        (_login_page, ["health"], "ERROR"),
        (_silent, ["health"], "FAIL webapp closed"),
        (_cached, ["health"], "FAIL age is 1,440 min"),
    ],
)
async def test_what_cannot_be_seen_is_not_green(
    webapp: WebApp, record: Record, breaks: Callable[[WebApp], None], items: list[str], expected: str
) -> None:
    """A log, an audit, a table or a page that is not there is an error or a failure, and never a pass."""
    breaks(webapp)
    found = said(await record.measured("webapp-daily", only=items))
    webapp.run(f'GRANT SELECT ON quests_questparticipant TO "{webapp.role}"')
    for name in items:
        assert found[name].startswith(expected), found[name]
