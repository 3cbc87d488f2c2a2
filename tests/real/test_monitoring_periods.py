"""The weekly, monthly and quarterly lists of the monitoring system, over good and bad pasts."""

import asyncio
import datetime as dt
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from opsconsole.model.calendar import due_date, period_of
from opsconsole.model.checklists import Checklist
from opsconsole.model.readings import Reading
from opsconsole.model.values import Duration, Number, Unit, number, seconds
from support.dashboard import (
    LISTS,
    OPTIMISATION,
    SITE,
    Dashboard,
    Desk,
    Errors,
    api,
    at_once,
    message,
    not_green,
    open_dashboard,
)
from support.httpd import Script
from support.mornings import Planned, dates, measures, planned_kinds
from support.postgres import Postgres

pytestmark = pytest.mark.xdist_group("monitoring")

FIRST, LAST = dt.date(2026, 10, 26), dt.date(2026, 12, 6)
"""The days that were looked at; the week is the one from 23 November, the month November."""
DAY, MISSED = dt.date(2026, 11, 25), dt.date(2026, 11, 27)
"""In a bad past, the day on which things failed, and one on which nobody looked."""
WEEK = dt.date(2026, 11, 23)
DUE = {
    "weekly": dt.date(2026, 11, 30),
    "monthly": dt.date(2026, 12, 7),
    "quarterly": dt.date(2027, 1, 12),
}
ENTRIES = {"monthly": {"database-after": "18 ms", "api-after": "90 ms"}, "quarterly": {"restored": "25 min"}}


# --- the past ----------------------------------------------------------------------------------------


def at(date: dt.date, hour: int, minute: int = 0) -> dt.datetime:
    """Return a local time of the site."""
    return dt.datetime.combine(date, dt.time(hour, minute), SITE).astimezone(dt.UTC)


def milliseconds(value: float) -> Number:
    """Return a duration."""
    return seconds(round(value) / 1000)


def percent(value: float) -> Number:
    """Return a share."""
    return number(value, Unit.PERCENT)


def alerts(*severities: str) -> Reading:
    """Return the alerts of a dashboard."""
    rows = tuple((f"ALERT-{place}", severity) for place, severity in enumerate(severities))
    return Reading(measures={"status": number(200)}, columns=("alert", "severity"), rows=rows, label="alert")


def _page(latency: float, status: int = 200) -> Reading:
    return measures(status=number(status), latency=milliseconds(latency))


def _called(latency: float, age: float = 120) -> Reading:
    return measures(status=number(200), problems=number(0), latency=milliseconds(latency), age=seconds(age))


GOOD: Mapping[str, Planned] = {
    "web": lambda _: measures(status=number(200), answer="pong"),
    "dashboard": lambda _: _page(300),
    "api": lambda date: _called(90 + date.day % 5),
    "analytics": lambda _: _called(800),
    "database": lambda date: measures(value=milliseconds(20 + date.day % 3)),
    "alerts": lambda _: alerts("LOW"),
    "members": lambda date: measures(active=number(1200 + date.day % 4)),
    "cache": lambda date: measures(rate=percent(85 + date.day % 3)),
}
_BAD_LEVELS = ("analytics-response", "data-age", "noticed")


def _since_then(before: float, after: float) -> Planned:
    return lambda date: measures(value=milliseconds(after if date >= WEEK else before))


BAD: Mapping[str, Planned] = {
    **GOOD,
    "dashboard": lambda date: _page(300, 503 if date == DAY else 200),
    "api": lambda date: _called(620 if date >= WEEK else 90),
    "analytics": lambda date: _called(35_000, 1000) if date >= WEEK else _called(800),
    "database": _since_then(20, 120),
    "alerts": lambda date: alerts("CRITICAL") if date in {DAY, dt.date(2026, 11, 24)} else alerts(),
    "members": lambda date: measures(active=number(1200 - (date - FIRST).days)),
    "cache": lambda date: measures(rate=percent(45 if date >= WEEK else 85)),
}
MONTHS = (dt.date(2026, 10, 5), dt.date(2026, 11, 2), dt.date(2026, 12, 7))
WEEKS = [dt.date(2026, 10, 5) + dt.timedelta(weeks=week) for week in range(13)]


def daily_slots(checklist: Checklist) -> Checklist:
    """Return a list for every five minutes that is due once a day, so that a past of weeks has fewer runs."""
    due = msgspec.structs.replace(checklist.due, every=Duration.parse("24 h"))
    return msgspec.structs.replace(checklist, due=due)


def _desk(state: Path, site: Dashboard, plan: Mapping[str, Planned], left_out: dt.date | None) -> Desk:
    lists = {name: at_once(each) for name, each in LISTS.items()}
    desk = Desk(state, site, {**lists, "frequent": daily_slots(lists["frequent"])})
    kinds = planned_kinds(plan, ("http", "postgres"))

    async def past() -> None:
        for date in dates(FIRST, LAST):
            if date == left_out:
                continue
            await desk.run("frequent", at(date, 0, 1), kinds)
            if date.weekday() < 5:
                seen = ("web", "dashboard", "members", "cache")
                await desk.run("daily", at(date, 9, 5), kinds, only=seen, sign=True)

    asyncio.run(past())
    return desk


async def reviewed(desk: Desk, *, well: bool) -> None:
    """Do the weekly and monthly lists of a quarter; unless `well`, a month was bad and three weeks are missing."""
    plan: dict[str, Planned] = {"mornings": lambda _: measures(missing=number(0), availability=percent(100))}
    for date in WEEKS if well else (*WEEKS[:2], *WEEKS[5:]):
        kinds = planned_kinds(plan, ("history",))
        await desk.run("weekly", at(date, 8, 5), kinds, only=("mornings",), sign=True)
    for date in MONTHS:
        month = {**plan, **_month(bad=not well and date == MONTHS[1])}
        await desk.run("monthly", at(date, 7, 5), planned_kinds(month, ("history",)), only=tuple(month), sign=True)


def _month(*, bad: bool) -> dict[str, Planned]:
    kept = measures(
        availability_due=percent(98.9 if bad else 99.9),
        longest_failing_time=seconds(0),
        longest_gap=number(9 if bad else 0),
        missing=number(0),
        p95=seconds(1900 if bad else 1),
        max=seconds(1),
        median=seconds(1),
    )
    return dict.fromkeys(("availability", "analytics-response", "data-age", "noticed"), lambda _: kept)


@pytest.fixture(scope="module")
def site(postgres: Postgres) -> Iterator[Dashboard]:
    """Run one site for all tests."""
    with open_dashboard(postgres) as found:
        yield found


@pytest.fixture(scope="module")
def good(site: Dashboard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Six weeks in which all went well."""
    desk = _desk(tmp_path_factory.mktemp("good"), site, GOOD, None)
    yield desk
    desk.store.close()


@pytest.fixture(scope="module")
def bad(site: Dashboard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Six weeks of which the fifth went badly."""
    desk = _desk(tmp_path_factory.mktemp("bad"), site, BAD, MISSED)
    yield desk
    desk.store.close()


def quiet() -> Errors:
    """Return a log of the same three errors on each day of half a year."""
    return [(dt.timedelta(days=day, hours=5 * each + 1), f"Kind {each}") for day in range(200) for each in range(3)]


def loud(days: int) -> Errors:
    """Return that log with a new kind of error in it, fifty times on each of so many days up to the day before."""
    new = [
        (dt.timedelta(days=day, minutes=each), f"Bank file {each}")
        for day in range(1, days + 1)
        for each in range(50)
    ]
    return [*quiet(), *new]


def run(
    desk: Desk, name: str, answers: Mapping[str, Script] | None = None, errors: Errors | None = None
) -> dict[str, str]:
    """Measure a list on the day that it is due, and return what is not green."""
    now = at(DUE[name], 9, 5)
    desk.site.answer(now, answers)
    desk.site.log(now, quiet() if errors is None else errors)
    return not_green(asyncio.run(desk.run(name, now, entries=ENTRIES.get(name))))


# --- good periods ------------------------------------------------------------------------------------

FIRST_TIME = {"weekly": {"compliance-change", "database-size"}, "monthly": {"capacity"}}


@pytest.mark.parametrize("name", ["weekly", "monthly"])
def test_a_good_period_is_green(good: Desk, name: str) -> None:
    """What went well is green; what has no period before it is skipped; no condition is always green."""
    found = run(good, name)
    assert set(found) == FIRST_TIME[name], found
    assert all(each.startswith("SKIPPED") for each in found.values()), found
    assert good.unproven(name) == []


# --- bad ones ----------------------------------------------------------------------------------------

POOR: Mapping[str, Script] = {
    api("get_detailed_analytics_report"): message({"error": "no such table"}),
    api("get_compliance_metrics"): message(
        {
            "overall_score": 88,
            "critical_gaps": 0,
            "sepa_compliance_rate": 80,
            "audit_completeness": 90,
            "regulatory_violations": 2,
            "data_retention_status": "review_required",
        }
    ),
    api("get_trend_forecasts"): message({"confidence_score": 59, "trend_alerts": 2}),
    OPTIMISATION: message(
        {"current_metrics": {"database_metrics": {"error": "no"}}, "timestamp": "2026-11-01 00:00:00"}
    ),
}
BAD_WEEK = {
    "report": "ERROR age is missing",
    "errors-trend": "FAIL growth is ",
    "errors-hotspots": "WARN Bank file #: times is ",
    "errors-new": "WARN count is 1, wanted 0",
    "compliance": "FAIL score is 88 %, limit more than 90 %",
    "compliance-change": "FAIL score is 88 %, limit at least last_week (96.5 %) - 5 % = 91.5 %",
    "forecast-confidence": "FAIL confidence is 59 %, limit at least 60 %",
    "optimisation": "FAIL problems is 1, required 0",
    "database-trend": "FAIL p95 is 120 ms, limit 100 ms",
    "api-trend": "FAIL p95 is 620 ms, limit 500 ms",
    "cache": "FAIL mean is 45 %, limit at least 50 %",
    "availability": "FAIL availability_due is 71.4 %",
    "alert-patterns": "WARN ",
    "resolution": "FAIL ",
    "mornings": "WARN ",
    "members-trend": "WARN trend is falling",
    "database-size": "WARN ",
}
BAD_MONTH = {
    "availability": "FAIL availability_due is 93.3 %",
    "analytics-response": "FAIL p95 is 35 s, limit 30 s",
    "data-age": "FAIL p95 is 16.7 min, limit 15 min",
    "noticed": "WARN missing is 1, wanted 0",
    "errors": "FAIL growth is ",
    "error-patterns": "WARN Bank file #: times is ",
    "compliance": "FAIL score is 88 %, limit more than 90 %",
    "mornings": "WARN missing is 1, wanted 0",
    "database-after": "FAIL 190 ms entered, limit 100 ms; ",
    "api-after": "FAIL 950 ms entered, limit 500 ms; ",
    "capacity": "SKIPPED",
}


def test_a_bad_week_is_named(bad: Desk) -> None:
    """What went wrong in the week, or against the week before, is named by the item that looks for it."""
    first = at(WEEK, 9, 5)
    bad.site.answer(first)
    bad.site.log(first, ())
    asyncio.run(bad.run("weekly", first))
    bad.site.run("CREATE TABLE grown AS SELECT generate_series(1, 60000) AS n, repeat('x', 40) AS text")
    found = run(bad, "weekly", POOR, loud(6))
    bad.site.run("DROP TABLE grown")
    assert found.keys() == BAD_WEEK.keys(), {each: found.get(each) for each in found.keys() ^ BAD_WEEK.keys()}
    for name, text in BAD_WEEK.items():
        assert found[name].startswith(text), (name, found[name])


def test_a_bad_month_is_named(bad: Desk) -> None:
    """So is what went wrong in the month, and a cycle after which the system is slower than before it."""
    now = at(DUE["monthly"], 9, 5)
    bad.site.answer(now, POOR)
    bad.site.log(now, loud(30))
    slower = {"database-after": "190 ms", "api-after": "950 ms"}
    found = not_green(asyncio.run(bad.run("monthly", now, entries=slower)))
    assert found.keys() == BAD_MONTH.keys(), {each: found.get(each) for each in found.keys() ^ BAD_MONTH.keys()}
    for name, text in BAD_MONTH.items():
        assert found[name].startswith(text), (name, found[name])


def test_weeks_without_a_past(site: Dashboard, tmp_path: Path) -> None:
    """Where nothing was recorded yet, what looks back is a warning or does not apply, and never green."""
    desk = Desk(tmp_path, site)
    found = run(desk, "weekly") | run(desk, "monthly")
    desk.store.close()
    past = {each.id for name in ("weekly", "monthly") for each in LISTS[name].items if each.probe == "history"}
    assert {name: each.split()[0] for name, each in found.items()} == {
        **dict.fromkeys(past, "WARN"),
        **dict.fromkeys(("database-after", "api-after"), "ERROR"),
        **dict.fromkeys(("members-trend", "compliance-change", "database-size", "capacity"), "SKIPPED"),
    }


# --- the quarter -------------------------------------------------------------------------------------


def backups(directory: Path, now: dt.datetime, days: int, *, torn: bool = False) -> Path:
    """Write an archive for each of the last days, with their checksums; the newest one is torn where told."""
    directory.mkdir()
    lines = []
    for day in range(days):
        path = directory / f"monitoring-{(now - dt.timedelta(days=day)):%Y%m%d}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            info = tarfile.TarInfo("site_config.json")
            info.size = 2000
            archive.addfile(info, io.BytesIO(os.urandom(info.size)))
        lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
        if torn and not day:
            path.write_bytes(path.read_bytes()[:900])
        made = (now - dt.timedelta(days=day, hours=6)).timestamp()
        os.utime(path, (made, made))
    (directory / "SHA256SUMS").write_text("".join(lines))
    return directory


def with_backups(checklist: Checklist, directory: Path) -> Checklist:
    """Return the list with another directory of backups than the one that its file names as an example."""
    parts = (
        msgspec.structs.replace(
            part,
            items=tuple(
                msgspec.structs.replace(each, options={**each.options, "path": str(directory)})
                if each.id == "backups"
                else each
                for each in part.items
            ),
        )
        for part in checklist.sections
    )
    return msgspec.structs.replace(checklist, sections=tuple(parts))


BAD_QUARTER = {
    "availability": "FAIL min is 98.9 %, limit at least 99.5 %",
    "service-levels": "FAIL ",
    "errors": "FAIL 2026-11: growth is ",
    "reviews": "FAIL monitoring-weekly: missing is 3, limit 2",
    "compliance": "FAIL score is 88 %",
    "growth": "SKIPPED",
    "backups": "FAIL ",
    "restored": "FAIL 3 h entered, limit 2 h",
}


@pytest.mark.parametrize("well", [True, False], ids=["good", "bad"])
def test_the_quarter(site: Dashboard, tmp_path: Path, *, well: bool) -> None:
    """The quarterly audit is green over a good quarter with a whole backup, and names what was bad in another."""
    now = at(DUE["quarterly"], 9, 5)
    kept = backups(tmp_path / "backups", now, 8 if well else 4, torn=not well)
    lists = {name: at_once(each) for name, each in LISTS.items()}
    desk = Desk(tmp_path, site, {**lists, "quarterly": with_backups(lists["quarterly"], kept)})
    asyncio.run(reviewed(desk, well=well))
    site.answer(now, {} if well else POOR)
    new = (
        []
        if well
        else [(dt.timedelta(days=50 + day, minutes=each), "Bank file") for day in range(20) for each in range(50)]
    )
    site.log(now, [*quiet(), *new])
    found = not_green(asyncio.run(desk.run("quarterly", now, entries={"restored": "25 min" if well else "3 h"})))
    unproven = desk.unproven("quarterly")
    desk.store.close()
    assert unproven == []
    expected = {"growth": "SKIPPED"} if well else BAD_QUARTER
    assert found.keys() == expected.keys(), {each: found.get(each) for each in found.keys() ^ expected.keys()}
    for name, text in expected.items():
        assert found[name].startswith(text), (name, found[name])


# --- when --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "date", "due"),
    [
        ("weekly", "2026-11-25", "2026-11-23 08:00"),
        ("monthly", "2026-11-25", "2026-11-02 07:00"),
        ("monthly", "2027-02-10", "2027-02-01 07:00"),
        ("quarterly", "2026-11-25", "2026-10-13 09:00"),
    ],
)
def test_when_they_are_due(name: str, date: str, due: str) -> None:
    """Each is due in the maintenance window of the procedure: Monday, the first Monday, once a quarter."""
    checklist = LISTS[name]
    found = due_date(period_of(dt.date.fromisoformat(date), checklist.cadence), checklist.due, checklist.cadence)
    assert f"{found} {checklist.due.at}" == due
