"""The lists of a web application that are due every few minutes or hours: green on good parts, red on bad ones."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from opsconsole.model.values import Unit, number, seconds
from support.httpd import Fault, Says, redirects, says_json, serving
from support.mornings import measures
from support.postgres import Postgres
from support.webapp import (
    HOST,
    HOST_KINDS,
    HOUR,
    LAST_HOUR,
    LAST_QUARTER,
    MINUTE,
    NOW,
    Planned,
    Record,
    WebApp,
    access_line,
    ends_of,
    planned_kinds,
    said,
    unbreakable,
)

FREQUENT = ("webapp-5min", "webapp-15min", "webapp-hourly")


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


async def usual(record: Record, *, quick: float, errors: float, share: float) -> None:
    """Give the lists a past: how quick the answers were (in seconds), and how many errors there were."""
    latency: Planned = lambda _: measures(status=number(200), latency=seconds(quick))  # noqa: E731 - a plan in a line
    rise: Planned = lambda _: measures(value=number(share, Unit.PERCENT))  # noqa: E731 - a plan in a line
    response: Planned = lambda _: measures(value=seconds(quick))  # noqa: E731 - a plan in a line
    quarters = ends_of(NOW - 5 * MINUTE, 15 * MINUTE, 8)
    plan = {"api": latency, "api-slower": latency, "database-response": response, "error-rate-rise": rise}
    await record.past("webapp-15min", plan, quarters)
    await record.past(
        "webapp-hourly",
        {"errors": lambda _: measures(count=number(errors))},
        ends_of(NOW - 5 * MINUTE, HOUR, 6),
    )


@pytest.mark.parametrize("name", FREQUENT)
async def test_good_parts_are_green(webapp: WebApp, record: Record, name: str) -> None:
    """All is green, nothing waits for a person, and each condition can go red on what was read."""
    await usual(record, quick=4, errors=2, share=2)
    assert said(await record.measured(name)) == {}
    assert unbreakable(record, webapp.lists[name]) == []


BAD_LOG = [
    (NOW - 8 * MINUTE, "ERROR", "CRITICAL: application 7 is approved, and nobody takes part"),
    (LAST_HOUR, "ERROR", "CRITICAL: application 8 is approved, and nobody takes part"),
    *[(LAST_HOUR, "ERROR", f"Application approval failed: {each}") for each in range(4)],
    *[(LAST_HOUR, "ERROR", f"Quest assignment failed: {each}") for each in range(17)],
    *[(LAST_HOUR, "WARNING", f"Transaction rolled back: {each}") for each in range(5)],
    (LAST_HOUR, "WARNING", "Reverted application status"),
    *[(LAST_HOUR, "WARNING", f"slow operation: {each} s") for each in range(11)],
    (LAST_HOUR, "WARNING", "database: the connection timed out"),
]
BUSY: Mapping[str, Planned] = {
    "memory": lambda _: measures(available_percent=number(4, Unit.PERCENT)),
    "load": lambda _: measures(per_cpu15=number(5)),
}
EXPECTED = {
    "webapp-5min": {
        "quick-health": "FAIL status is 503, required 200; state is 'ERROR', required 'OK'",
        "start-page": "FAIL status is 502, required 200",
        "critical": "FAIL critical is 1, required 0",
    },
    "webapp-15min": {
        "api": "FAIL /api/quests/: status is 500, required 200",
        "api-slower": "BLOCKED",
        "database-response": "WARN ",
        "server-errors": "FAIL count is 120, limit 100",
        "error-rate": "FAIL 30 %, limit 5 %",
        "error-rate-rise": "WARN 30 %",
        "memory": "FAIL available_percent is 4 %",
        "load": "FAIL per_cpu15 is 5",
    },
    "webapp-hourly": {
        "workflow": "FAIL critical is 2, required 0; approval_failed is 4, limit 3; assignment_failed is 17",
        "slow-operations": "FAIL slow is 11, limit 10; database_errors is 1, required 0",
        "errors": "FAIL count is 24, limit 20",
        "approval-failures": "WARN 13.8 %",
        "assignment-failures": "WARN 29.8 %",
        "transactions": "FAIL 7.14 %",
        "health": "FAIL status is 503, required 200; state is 'unhealthy', required 'healthy'; database is",
        "synchronised": "FAIL count is 1, required 0",
        "stuck": "WARN waiting is 1, wanted 0",
    },
}


def _break(webapp: WebApp) -> None:
    """Let everything go wrong at once, but for what would hide something else."""
    webapp.write_log(*BAD_LOG)
    webapp.write_access(400, 120)
    webapp.pages(status="unhealthy", checks={"database": "ERROR: no connection", "data_integrity": "OK"})
    webapp.httpd.on("/health/quick/", says_json({"status": "ERROR"}, 503))
    webapp.httpd.on("/", Says(b"<h1>502 Bad Gateway</h1>", 502))
    webapp.httpd.on("/api/quests/", Says(b"<h1>Server Error (500)</h1>", 500))
    webapp.run(
        "INSERT INTO applications_application (quest_id, applicant_id, status, applied_at, decided_at)"
        f" VALUES (1, 4, 'approved', '2026-12-01', '{NOW - HOUR}')"
    )


@contextlib.asynccontextmanager
async def a_session_waits(webapp: WebApp) -> AsyncIterator[None]:
    """Let one session wait for a lock that another holds."""
    connect = psycopg.AsyncConnection.connect
    dsn = webapp.postgres.dsn(webapp.database)
    async with (
        await connect(dsn) as holds,
        await connect(dsn) as waits,
        await connect(dsn, autocommit=True) as sees,
    ):
        await holds.execute("LOCK TABLE auth_user")
        waiting = asyncio.create_task(waits.execute("LOCK TABLE auth_user"))
        async with asyncio.timeout(10):
            while not await (  # noqa: ASYNC110 - the server sets no event of this loop
                await sees.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
            ).fetchone():
                await asyncio.sleep(0.01)
        yield
        await holds.rollback()
        await waiting
        await waits.rollback()


@pytest.mark.parametrize("name", FREQUENT)
async def test_bad_parts_are_named(webapp: WebApp, record: Record, name: str) -> None:
    """Each thing that is wrong is seen by the item that is about it, and said in words."""
    await usual(record, quick=0.000_001, errors=1, share=1)
    _break(webapp)
    async with a_session_waits(webapp):
        found = said(await record.measured(name, kinds=planned_kinds({**HOST, **BUSY}, HOST_KINDS)))
    assert {each: text[: len(EXPECTED[name].get(each, ""))] for each, text in found.items()} == EXPECTED[name]


# --- one by one --------------------------------------------------------------------------------------


def _log_stands_still(webapp: WebApp) -> None:
    webapp.write_file("django.log", 1.1)


def _log_gone(webapp: WebApp) -> None:
    for each in webapp.logs.glob("django.log*"):
        each.unlink()


def _no_requests(webapp: WebApp) -> None:
    webapp.write_access(0, 0)


def _access_log_new(webapp: WebApp) -> None:
    """Let nginx's log begin within the time that is looked at: there may have been more before."""
    webapp.access.write_text(access_line(LAST_QUARTER, 200), encoding="utf-8")


def _few_requests(webapp: WebApp) -> None:
    webapp.write_access(49, 49)


def _silent(webapp: WebApp) -> None:
    for path in ("/", "/health/", "/health/quick/", "/api/quests/"):
        webapp.httpd.on(path, Says(fault=Fault.CLOSE_BEFORE))


def _moved(webapp: WebApp) -> None:
    webapp.httpd.on("/", redirects("https://elsewhere.example/"))


def _not_allowed(webapp: WebApp) -> None:
    webapp.run(f'REVOKE SELECT ON applications_application FROM "{webapp.role}"')


def _ordinary_role(webapp: WebApp) -> None:
    webapp.run(f'REVOKE pg_monitor FROM "{webapp.role}"')


@pytest.mark.parametrize(
    ("name", "breaks", "expected"),
    [
        ("webapp-hourly", _log_stands_still, {"log-written": "FAIL age is 26.4 h"}),
        (
            "webapp-hourly",
            _log_gone,
            {"log-written": "FAIL exists is", "workflow": "ERROR", "transactions": "BLOCKED"},
        ),
        ("webapp-hourly", _not_allowed, {"synchronised": "ERROR"}),
        ("webapp-hourly", _ordinary_role, {"stuck": "ERROR"}),
        ("webapp-hourly", _silent, {"health": "FAIL webapp closed"}),
        ("webapp-15min", _no_requests, {"requests": "FAIL count is 0", "error-rate": "SKIPPED"}),
        ("webapp-15min", _access_log_new, {"server-errors": "ERROR"}),
        ("webapp-15min", _few_requests, {"error-rate": "SKIPPED", "error-rate-rise": "SKIPPED"}),
        ("webapp-15min", _silent, {"api": "FAIL /api/quests/: webapp closed", "api-slower": "BLOCKED"}),
        ("webapp-5min", _log_gone, {"critical": "ERROR"}),
        ("webapp-5min", _ordinary_role, {"database": "ERROR"}),
        ("webapp-5min", _silent, {"quick-health": "FAIL webapp closed", "start-page": "FAIL webapp closed"}),
        ("webapp-5min", _moved, {"start-page": "FAIL status is 302"}),
    ],
)
async def test_what_cannot_be_seen_is_not_green(
    webapp: WebApp, record: Record, name: str, breaks: Callable[[WebApp], None], expected: dict[str, str]
) -> None:
    """What is not there, or may not be seen, is an error or a failure, and never a pass."""
    breaks(webapp)
    found = said(await record.measured(name, only=expected))
    webapp.allow()
    for each, text in expected.items():
        assert found[each].startswith(text), found[each]


async def test_slower_than_usual(record: Record) -> None:
    """Answers that are within every limit, and take far longer than they used to, are a warning."""
    await usual(record, quick=0.000_001, errors=1, share=1)
    found = said(await record.measured("webapp-15min", only=["api", "api-slower"]))
    assert found["api-slower"].startswith("WARN /api/")


async def test_nothing_answers(webapp: WebApp, record: Record) -> None:
    """A site and a database that nobody answers at are failures, not merely errors: users see the same."""
    down = Record(record.state / "down", webapp.lists, webapp.nowhere)
    found = said(await down.measured("webapp-5min"))
    down.store.close()
    assert {name: text.split()[0] for name, text in found.items()} == dict.fromkeys(
        ("quick-health", "start-page", "database"), "FAIL"
    )
