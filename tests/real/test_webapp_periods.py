"""The weekly and monthly lists of a web application, on real logs, a real database and the console's record."""

import datetime as dt
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Number, Unit, number, seconds
from support.httpd import serving
from support.mornings import measures, rows, size
from support.postgres import Postgres
from support.qbr import item_of
from support.webapp import (
    DAY,
    HOUR,
    MIDNIGHT,
    MINUTE,
    NOW,
    Planned,
    Record,
    WebApp,
    ends_of,
    said,
    unbreakable,
)

MONTH = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
"""The end of the month that the monthly list looks at; of the week it is the last midnight."""
ENDS = {"webapp-weekly": MIDNIGHT, "webapp-monthly": MONTH}
BEFORE = {"webapp-weekly": MIDNIGHT - 7 * DAY, "webapp-monthly": dt.datetime(2026, 11, 1, tzinfo=dt.UTC)}
FAKE_KEY = "AKIA" + "IOSFODNN7EXAMPLE"


def percent(value: float) -> Number:
    """Return a share."""
    return number(value, Unit.PERCENT)


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


def of_webapp(checks: dict[str, Planned], name: str) -> dict[str, Planned]:
    """Return what was planned for the items of one of the lists."""
    return {item: plan for key, plan in checks.items() for of, _, item in [key.partition("/")] if of == name}


GOOD: dict[str, Planned] = {
    "5min/quick-health": lambda _: measures(status=number(200), state="OK", latency=seconds(0.1)),
    "5min/start-page": lambda _: measures(status=number(200), latency=seconds(0.1)),
    "5min/database": lambda _: measures(share=percent(20), idle_in_transaction=number(0)),
    "5min/critical": lambda _: measures(critical=number(0)),
    "15min/api": lambda _: measures(status=number(200), latency=seconds(0.1)),
    "15min/requests": lambda _: measures(count=number(100)),
    "hourly/workflow": lambda _: measures(
        critical=number(0),
        approval_failed=number(0),
        assignment_failed=number(0),
        rolled_back=number(0),
        reverted=number(0),
        age=seconds(30),
    ),
    "hourly/slow-operations": lambda _: measures(slow=number(0), database_errors=number(0)),
    "hourly/errors": lambda _: measures(count=number(2)),
    "hourly/health": lambda _: measures(
        status=number(200), state="healthy", database="OK", data_integrity="OK", latency=seconds(3)
    ),
    "daily/audit": lambda _: measures(exit_code=number(0), issues=number(0)),
    "daily/synchronised": lambda _: rows("what found", ("all", number(0))),
    "daily/orphans": lambda _: rows("what orphans", ("all", number(0))),
    "daily/error-rise": lambda _: measures(count=number(4)),
}
"""What the more frequent lists read when all is well."""
EVERY = {"5min": 5 * MINUTE, "15min": 15 * MINUTE, "hourly": HOUR, "daily": DAY}


BAD: dict[str, Planned] = {
    **GOOD,
    "5min/quick-health": lambda context: (
        measures(status=number(502), state=None, latency=seconds(0.1))
        if context.now.minute % 10 > 5
        else GOOD["5min/quick-health"](context)
    ),
    "5min/start-page": lambda _: measures(status=number(502), latency=seconds(0.1)),
    "5min/database": lambda _: measures(share=percent(99), idle_in_transaction=number(0)),
    "5min/critical": lambda _: measures(critical=number(1)),
    **{f"hourly/{each}": lambda _: None for each in ("workflow", "slow-operations", "errors")},
    "hourly/health": lambda _: measures(
        status=number(200), state="healthy", database="OK", data_integrity="OK", latency=seconds(35)
    ),
    "daily/audit": lambda _: measures(exit_code=number(1), issues=number(3)),
    "daily/synchronised": lambda _: rows("what found", ("all", number(1))),
    "daily/orphans": lambda _: rows("what orphans", ("all", number(1))),
    "daily/error-rise": lambda context: measures(count=number(context.now.day * 9)),
}
"""What they read when nothing is."""


async def looked(
    record: Record, ends: dt.datetime, plan: dict[str, Planned], names: Iterable[str] = EVERY, *, gap: bool = False
) -> None:
    """Give the record the last six runs of lists before a moment, by `gap` with a hole among them."""
    for name in names:
        every = EVERY[name]
        instants = ends_of(ends, every, 14 if gap and name != "daily" else 6)
        if gap:
            del instants[slice(2, 3) if name == "daily" else slice(1, 9)]
        await record.past(f"webapp-{name}", of_webapp(plan, name), instants)


async def kept(record: Record, files: int, total: float) -> None:
    """Give the weekly list its run of the week before."""
    found = {
        "errors-kept": lambda _: measures(count=number(files)),
        "critical-kept": lambda _: measures(count=number(files), total=size(total)),
    }
    await record.past("webapp-weekly", found, [NOW - 7 * DAY])


GROWTH = {"webapp-weekly": ("error-growth", "response-growth"), "webapp-monthly": ("response-growth",)}
"""Items that need the stretch before, too."""


@pytest.mark.parametrize("name", ENDS)
async def test_a_good_period(webapp: WebApp, record: Record, name: str) -> None:
    """All is green but what compares with the stretch before, and each condition can go red on what was read."""
    await looked(record, ENDS[name], GOOD)
    await kept(record, 1, 1)
    found = said(await record.measured(name))
    assert {each: text.split()[0] for each, text in found.items()} == dict.fromkeys(GROWTH[name], "SKIPPED")
    told = unbreakable(record, webapp.lists[name])
    assert [each for each in told if not each.startswith(GROWTH[name])] == []


BAD_DATA = """
DELETE FROM applications_application WHERE applied_at >= '2026-11-01' AND quest_id % 3 > 0;
ALTER TABLE applications_application ADD CONSTRAINT of_quest
  FOREIGN KEY (quest_id) REFERENCES quests_quest (id) NOT VALID;
"""
EXPECTED = {
    "webapp-weekly": {
        "rotation": "FAIL newest is 72 h, limit 50 h",
        "debug-retention": "FAIL oldest is ",
        "info-retention": "FAIL oldest is 32.1 d, limit 32 d",
        "warning-retention": "FAIL oldest is 92.1 d, limit 92 d",
        "error-retention": "FAIL oldest is 367.1 d, limit 367 d",
        "errors-kept": "WARN count is 2, target at least last_week (3)",
        "critical-kept": "FAIL count is 1, limit at least previous (3)",
        "log-directory": "FAIL too_open is 1, required 0",
        "log-permissions": "FAIL too_open is 1, required 0",
        "secrets": "FAIL secrets is 1, required 0",
        "passwords": "WARN secrets is 1, wanted 0",
        "looked-quick": "FAIL missing is 8",
        "looked-quarter": "FAIL missing is 8",
        "looked-hourly": "FAIL missing is 8",
        "blind": "FAIL",
        "duration": "FAIL p95 is 35 s",
        "audits": "FAIL",
        "constraints": "FAIL constraints is 1, required 0",
        "error-growth": "SKIPPED",
        "response-growth": "SKIPPED",
    },
    "webapp-monthly": {
        "uptime": "FAIL availability_due is",
        "looked": "FAIL missing is 8",
        "time-to-detect": "FAIL longest_gap is 8, limit 1",
        "time-to-repair": "FAIL",
        "brief": "WARN",
        "integrity-detection": "FAIL missing is 1",
        "causes": "WARN",
        "error-trend": "WARN",
        "response-growth": "SKIPPED",
        "user-activity": "WARN applications: change is",
    },
}


@pytest.mark.parametrize("name", ENDS)
async def test_a_bad_period(webapp: WebApp, record: Record, name: str) -> None:
    """Each thing that is wrong is seen by the item that is about it, and said in words."""
    await looked(record, ENDS[name], BAD, gap=True)
    await kept(record, 3, 1)
    for each in ("django.log.1", "django.log.2.gz", "django.log.3.gz"):
        (webapp.logs / each).unlink()
    webapp.write_log((NOW - DAY, "INFO", 'signed in with password = "Tr0ub4dor-not-real"'))
    for rotated in webapp.logs.glob("django.log.*"):
        os.utime(rotated, ((NOW - 3 * DAY).timestamp(),) * 2)
    for each, days in (
        ("debug.log", 9.1),
        ("django.log.3.gz", 32.1),
        ("warnings.log", 92.1),
        ("errors.log.1", 367.1),
    ):
        webapp.write_file(each, days)
    webapp.write_file("errors.log", 0.1, f"ERROR 2026-12-07 08:00:00,000 views key {FAKE_KEY}\n")
    (webapp.logs / "warnings.log").chmod(0o644)
    webapp.logs.chmod(0o777)
    webapp.run(BAD_DATA)
    found = said(await record.measured(name))
    assert not [
        each for each in (b"Tr0ub4dor", FAKE_KEY.encode()) if each in (record.state / "records.db").read_bytes()
    ]
    webapp.run("ALTER TABLE applications_application DROP CONSTRAINT of_quest")
    assert {each: text[: len(EXPECTED[name].get(each, ""))] for each, text in found.items()} == EXPECTED[name]


@pytest.mark.parametrize(
    ("name", "item", "grown"),
    [
        ("webapp-weekly", "error-growth", "WARN growth is 400 %"),
        ("webapp-weekly", "response-growth", "FAIL"),
        ("webapp-monthly", "response-growth", "FAIL"),
        ("webapp-monthly", "causes", "WARN"),
    ],
)
async def test_growth(webapp: WebApp, record: Record, name: str, item: str, grown: str) -> None:
    """What is as it was in the stretch before is green; what grew beyond its limit is named."""
    more = {
        **BAD,
        "15min/api": lambda _: measures(status=number(200), latency=seconds(0.5)),
        "hourly/errors": lambda _: measures(count=number(10)),
    }
    for plan, expected in ((GOOD, "PASS"), (more, grown)):
        now = Record(record.state / expected.split()[0], webapp.lists, webapp.sources)
        looks_at = [
            each for each in EVERY if item_of(webapp.lists[name], item).options["checklist"] == f"webapp-{each}"
        ]
        await looked(now, BEFORE[name], GOOD, looks_at)
        await looked(now, ENDS[name], plan, looks_at)
        found = said(await now.measured(name, only=[item]))
        assert found.get(item, "PASS").startswith(expected)
        assert [each for each in unbreakable(now, webapp.lists[name]) if each.startswith(f"{item}:")] == []
        now.store.close()


@pytest.mark.parametrize("name", ENDS)
async def test_the_first_time(record: Record, name: str) -> None:
    """Where the console has not looked before, nothing that rests on its record passes."""
    state = await record.measured(name)
    first = {each: item.outcome for each, item in state.items.items() if item.item.probe == "history"}
    assert first
    assert set(first.values()) <= {Outcome.WARN, Outcome.SKIPPED}


@pytest.mark.parametrize(
    ("name", "size", "expected"), [("django.log", 2, "WARN largest is 2 GiB"), ("x.log", 21, "FAIL")]
)
async def test_logs_out_of_hand(webapp: WebApp, record: Record, name: str, size: int, expected: str) -> None:
    """A log that grows for ever is seen before the disk is full; what is too large to be scanned is no pass."""
    with (webapp.logs / name).open("ab") as large:
        large.truncate(size << 30)
    found = said(await record.measured("webapp-weekly", only=["sizes", "secrets"]))
    assert found["sizes"].startswith(expected)
    assert found["secrets"].startswith("ERROR")
