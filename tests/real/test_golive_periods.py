"""The weekly and monthly lists of a system that went live: what they look back on, and what they measure."""

import asyncio
import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from opsconsole.contracts.probe import Environment, Source
from opsconsole.engine.engine import Engine, opened
from opsconsole.model.checklists import Checklist
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.runs import RunState
from opsconsole.model.values import Unit, Value, number, seconds
from support.certificates import issued, server_context
from support.golive import ACTOR, SERVICES, Site, Watching, hurried, outcomes, said
from support.httpd import Says, serving
from support.mornings import Planned, measures, planned_kinds, rows, signed
from support.qbr import shipped

pytestmark = pytest.mark.xdist_group("postgres-pair")

WATCH, DAILY = hurried(shipped("golive-5min")), hurried(shipped("golive-daily"))
WEEKLY, MONTHLY = hurried(shipped("golive-weekly")), hurried(shipped("golive-monthly"))
KINDS = ("http", "prometheus", "container", "postgres", "disk")
ROUND, WEEK = dt.timedelta(minutes=5), dt.timedelta(days=7)
HEADERS = {
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def _round(*, status: int = 200, took: float = 0.01, share: int = 20, load: int = 30) -> dict[str, Planned]:
    """Return what a round of the five-minute list reads."""
    answer = measures(status=number(status), latency=seconds(took), models=number(1))
    listed = rows("health service", *((f"{each}.example/health", each) for each in SERVICES[:3]))
    kinds = ("unhealthy", "restarting", "failed", "missing", "stopped")
    counts: dict[str, Value] = dict.fromkeys(kinds, number(0))
    room = measures(used=number(share, Unit.PERCENT), inodes_used=number(1, Unit.PERCENT))
    readings = {
        "metrics": measures(status=number(200)),
        "service-list": msgspec.structs.replace(listed, measures={"status": number(200)}),
        **dict.fromkeys(("services", "backend", "frontend", "model"), answer),
        "database": measures(value=seconds(took)),
        "connections": measures(share=number(share, Unit.PERCENT), idle_in_transaction=number(0)),
        "own-disk": room,
        "request-rate": measures(value=number(load)),
        "error-rate": measures(value=number(0)),
        "latency": measures(value=seconds(took)),
        "containers": Reading(measures=counts, columns=("name", "oom_killed"), rows=(("backend", False),)),
    }
    return {name: lambda _, reading=reading: reading for name, reading in readings.items()}  # type: ignore[misc]


GOOD, BAD = _round(), _round(status=503, took=9, share=95, load=500)


def _began(checklist: Checklist, now: dt.datetime) -> dt.datetime:
    """Return the midnight at which the week or month of a list began."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return today - dt.timedelta(days=today.weekday()) if checklist is WEEKLY else today.replace(day=1)


def _last_hour(watching: Watching, checklist: Checklist, plan: Mapping[str, Planned]) -> None:
    """Run the five-minute list through the last hour of what another list looks back over."""
    now = watching.now
    for back in range(12, 0, -1):
        watching.now = _began(checklist, now) - back * ROUND
        watching.measured(WATCH, Environment(), list(plan), planned_kinds(plan, KINDS))
    watching.now = now


def _signed_morning(watching: Watching, at: dt.datetime) -> None:
    """Work through the daily list at a time, and sign it."""
    engine = Engine(
        watching.store, planned_kinds(GOOD, KINDS), Environment(), ACTOR, watching.state, clock=lambda: at
    )

    async def work() -> None:
        async with opened(engine, DAILY) as session:
            await engine.measure(session, ["service-list", "services"])
            await signed(session)

    asyncio.run(work())


@contextmanager
def _public(directory: Path, *, days: int, headers: Mapping[str, str]) -> Iterator[Source]:
    """Serve the page that users have, with a certificate that lasts so long."""
    authority = issued("ca", authority=True)
    ca = directory / "ca.pem"
    ca.write_bytes(authority.pem)
    context = server_context(directory, issued("golive", by=authority, days=days))
    page = Says(b"hello", headers=tuple(headers.items()))
    with serving({"": page, "/": page}, tls=context) as server:
        yield Source(kind="http", url=server.url, ca=str(ca))


class Week:
    """A week of the system, measured by the weekly list."""

    def __init__(self, site: Site, directory: Path) -> None:
        self.site = site
        self.watching = Watching(directory, WATCH, DAILY, WEEKLY, MONTHLY)
        self.secrets = directory / "golive"
        self.secrets.mkdir()
        (self.secrets / ".env").touch(mode=0o600)
        self.list = hurried(WEEKLY, secret_files={"path": str(self.secrets)})
        self.directory = directory

    def log(self, text: str, times: int) -> None:
        """Write lines of the access log in the middle of the week."""
        ago = (self.watching.now - _began(WEEKLY, self.watching.now)).total_seconds() + 3 * 86_400
        self.site.loki.write(text, ago=ago, times=times, job="golive-access")

    def measured(
        self, *, well: bool = True, days: int = 90, headers: Mapping[str, str] = HEADERS, before: bool = True
    ) -> RunState:
        """Measure the list, and with `before` some items in the week before, so that there is one."""
        with ExitStack() as stack:
            public = stack.enter_context(_public(self.directory, days=days, headers=headers))
            environment = self.site.environment(well=well, others={"golive-public": public})
            if before:
                now, self.watching.now = self.watching.now, self.watching.now - WEEK
                self.watching.measured(self.list, environment, ["accounts", "database-growth"])
                self.watching.now = now
            return self.watching.measured(self.list, environment)


@pytest.fixture
def week(live_site: Site, tmp_path: Path) -> Week:
    """Give a week in which all went well, up to the list that looks back on it."""
    return Week(live_site, tmp_path)


def test_a_good_week_is_green_and_every_condition_can_go_red(week: Week) -> None:
    """Nothing but what a person does is open, and every condition can be broken."""
    week.site.slow_statement(0.0)
    week.log('10.0.0.7 "GET / HTTP/1.1" 200 12', 50)
    _last_hour(week.watching, WEEKLY, GOOD)
    _signed_morning(week.watching, _began(WEEKLY, week.watching.now) - dt.timedelta(hours=14))
    state = week.measured()
    bad = {name: said(state, name) for name, each in outcomes(state).items() if each not in {"PASS", "PENDING"}}
    assert bad == {}
    pending = {name for name, each in outcomes(state).items() if each == "PENDING"}
    assert pending == {each.id for each in WEEKLY.items if each.manual}
    assert week.watching.never_red(week.list) == []


RED = {
    "levels": "FAIL s01.example/health: availability_due is 0 %",
    "level-backend": "FAIL availability_due is 0 %",
    "level-frontend": "FAIL availability_due is 0 %",
    "level-model": "FAIL availability_due is 0 %",
    "level-database": "FAIL availability_due is 0 %",
    "disk-ahead": "FAIL node1:9100, /: value is 121 %",
    "memory": "FAIL node1:9100",
    "processors": "FAIL node1:9100",
    "growth": "FAIL 3.99",
    "connections": "FAIL max is 95 %",
    "statements": "FAIL slowest is 1",
    "endpoints": "FAIL /ask: value is 4.",
    "access": "FAIL denied is 1,200",
    "certificate": "FAIL certificate_left is ",
    "headers": "ERROR ",
    "secret-files": "FAIL too_open is 1",
    "accounts": "WARN access: accounts is ",
    "mornings": "WARN ",
}


def test_a_bad_week_names_what_is_wrong(week: Week) -> None:
    """Everything went wrong at once, and each item says so for itself."""
    week.site.slow_statement(1.02)
    (week.secrets / ".env").chmod(0o644)
    week.log('10.0.0.7 "GET /.env HTTP/1.1" 403 12', 1200)
    _last_hour(week.watching, WEEKLY, BAD)
    week.measured()
    role = week.site.database.role()
    week.watching.now += dt.timedelta(seconds=1)
    state = week.measured(well=False, days=5, headers={"server": "x"}, before=False)
    week.site.database.primary.run(f'drop role "{role}"')
    assert {name: said(state, name) for name in RED if not said(state, name).startswith(RED[name])} == {}


def test_a_database_that_grew_and_is_not_vacuumed(live_site: Site, tmp_path: Path) -> None:
    """A table half of whose rows are dead is named, and so is growth against the reviews before."""
    primary = live_site.database.primary
    primary.run("create table golive_dead as select generate_series(1, 4000) as id")
    primary.run("delete from golive_dead where id % 2 = 0")
    watching = Watching(tmp_path, WATCH, WEEKLY, MONTHLY)
    now = watching.now
    for checklist in (WEEKLY, MONTHLY):
        watching.now = _began(checklist, now) - dt.timedelta(hours=1)
        plan: dict[str, Planned] = {"database-growth": lambda _: measures(value=number(1000, Unit.BYTES))}
        kinds = planned_kinds(plan, KINDS)
        watching.measured(checklist, live_site.environment(), ["database-growth"], kinds)
        watching.now = now
        items = [each.id for each in checklist.items if each.id in {"database-growth", "dead-rows"}]
        state = watching.measured(checklist, live_site.environment(), items)
        assert state.items["database-growth"].outcome is Outcome.WARN, said(state, "database-growth")
        if checklist is WEEKLY:
            assert "golive_dead: dead_share is 50 %" in said(state, "dead-rows")
            assert state.items["dead-rows"].outcome is Outcome.WARN
    primary.run("drop table golive_dead")


def test_a_good_month_is_green_and_every_condition_can_go_red(live_site: Site, tmp_path: Path) -> None:
    """A month of rounds that were all well, and a Prometheus that remembers thirty days."""
    watching = Watching(tmp_path, WATCH, MONTHLY)
    _last_hour(watching, MONTHLY, GOOD)
    state = watching.measured(MONTHLY, live_site.environment())
    found = outcomes(state)
    bad = {name: said(state, name) for name, each in found.items() if each not in {"PASS", "PENDING"}}
    assert set(bad) == {"database-growth"}
    assert {name for name, each in found.items() if each == "PENDING"} == {
        each.id for each in MONTHLY.items if each.manual
    }
    assert watching.never_red(MONTHLY) == []


MONTH = {
    "levels": "FAIL s01.example/health: availability_due is 0 %",
    "level-backend": "FAIL availability_due is 0 %",
    "level-frontend": "FAIL availability_due is 0 %",
    "level-model": "FAIL availability_due is 0 %",
    "level-database": "FAIL availability_due is 0 %",
    "own-disk": "FAIL max is 95 %",
    "requests": "FAIL p95 is 500",
    "latency": "FAIL p95 is 9 s",
    "metrics-kept": "WARN 16 d, wanted between",
}


def test_a_bad_month_names_what_is_wrong(live_site: Site, tmp_path: Path) -> None:
    """Levels that were not kept, and a store that forgets too soon."""
    watching = Watching(tmp_path, WATCH, MONTHLY)
    _last_hour(watching, MONTHLY, BAD)
    state = watching.measured(MONTHLY, live_site.environment(well=False))
    assert {name: said(state, name) for name in MONTH if not said(state, name).startswith(MONTH[name])} == {}


def test_a_watch_with_holes_and_noise(live_site: Site, tmp_path: Path) -> None:
    """Rounds that nobody ran are missing, and single red ones are counted as noise."""
    watching = Watching(tmp_path, WATCH, MONTHLY)
    now, end = watching.now, _began(MONTHLY, watching.now)
    for back in range(46, 0, -1):
        if back in range(23, 37):
            continue
        watching.now = end - back * ROUND
        plan = BAD if back in {*range(1, 23, 2), 45} else GOOD
        watching.measured(WATCH, Environment(), ["metrics", "backend"], planned_kinds(plan, KINDS))
    watching.now = now
    state = watching.measured(MONTHLY, live_site.environment(), ["watched", "noise"])
    assert said(state, "watched").startswith("FAIL longest_gap is 14")
    assert "backend: brief_spells is 11, target 10" in said(state, "noise")


def test_nothing_watched_is_not_green(live_site: Site, tmp_path: Path) -> None:
    """Without a single round neither the week nor the month kept its levels."""
    watching = Watching(tmp_path, WATCH, WEEKLY, MONTHLY)
    for checklist in (WEEKLY, MONTHLY):
        levels = [each.id for each in checklist.items if "J13" in each.refs]
        found = outcomes(watching.measured(checklist, live_site.environment(), levels))
        assert {found[name] for name in levels} <= {"WARN", "ERROR"}
