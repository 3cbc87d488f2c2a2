"""The monitoring system that the `monitoring` lists look after: a dashboard with an API, and its log.

The API answers as one of Frappe does: `{"message": ...}`, with the local time of the site in its timestamps, and
with status 200 and an `error` in the message where it failed.
"""

import asyncio
import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.contracts.probe import Environment, ProbeKind, Source
from opsconsole.engine.engine import Engine, opened
from opsconsole.engine.proving import ItemProof, proved
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Actor, Via
from opsconsole.model.proving import Proven
from opsconsole.model.runs import RunState
from opsconsole.model.values import Duration
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.kinds import probe_kinds
from support.httpd import Httpd, Script, says_json, says_text, serving
from support.mornings import signed
from support.postgres import Postgres
from support.qbr import shipped

SITE = ZoneInfo("Europe/Amsterdam")
LISTS = {name: shipped(f"monitoring-{name}") for name in ("frequent", "daily", "weekly", "monthly", "quarterly")}
_METHOD = "/api/method/verenigingen"
PAGE = "/monitoring_dashboard"
OPTIMISATION = f"{_METHOD}.utils.performance_optimizer.get_optimization_status"

Errors = Iterable[tuple[dt.timedelta, str]]
"""How long ago an error was logged, and its title."""
_TABLE = """
CREATE TABLE "tabError Log" (name text PRIMARY KEY, creation timestamp NOT NULL, method text, error text);
"""


def api(name: str) -> str:
    """Return the path of a method of the dashboard."""
    return f"{_METHOD}.www.monitoring_dashboard.{name}"


def message(value: Any) -> Script:
    """Return the answer of a method."""
    return says_json({"message": value})


def good_answers(now: dt.datetime) -> dict[str, Script]:
    """Return what a site in good health answers at an instant, by path."""
    recently = (now - dt.timedelta(minutes=2)).astimezone(SITE).replace(tzinfo=None).isoformat(" ")
    return {
        "/api/method/ping": message("pong"),
        PAGE: says_text("<h2>Executive Summary</h2>", content_type="text/html"),
        api("get_executive_summary"): message(
            {
                "overall_status": "healthy",
                "critical_issues_count": 0,
                "top_critical_issue": "None",
                "business_impact": "low",
                "generated_at": recently,
            }
        ),
        api("get_system_metrics"): message(
            {"members": {"active": 1204, "total": 1388}, "errors": {"last_hour": 0, "last_24h": 3, "last_week": 21}}
        ),
        api("get_compliance_metrics"): message(
            {
                "overall_score": 96.5,
                "critical_gaps": 0,
                "sepa_compliance_rate": 99.1,
                "audit_completeness": 97,
                "regulatory_violations": 0,
                "data_retention_status": "compliant",
                "last_assessment": recently,
            }
        ),
        api("get_active_alerts"): message([{"name": "ALERT-0007", "severity": "LOW", "message": "disk at 61 %"}]),
        api("get_analytics_summary"): message(
            {
                "error_patterns": {"total_errors": 21, "trend_direction": "stable", "peak_hour": 9},
                "hotspots": {"critical_count": 0},
                "last_updated": recently,
            }
        ),
        api("get_trend_forecasts"): message(
            {"confidence_score": 78.5, "trend_alerts": 0, "capacity_recommendations": 1}
        ),
        api("get_detailed_analytics_report"): message({"generated_at": recently, "report_period": "30 days"}),
        OPTIMISATION: message(
            {
                "current_metrics": {
                    "timestamp": recently,
                    "api_metrics": {"average_response_time_ms": 84.2, "total_calls": 311},
                    "cache_metrics": {"hit_rate": 88.5},
                },
                "timestamp": recently,
            }
        ),
    }


def few_errors() -> Errors:
    """Return four weeks of a quiet log: one error of each of three kinds a day, with numbers that differ."""
    for day in range(70):
        for hour, title in ((3, f"Mail queue: retry {day}"), (9, "Webhook timed out"), (20, f"Job {day} was late")):
            yield dt.timedelta(days=day, hours=hour), title


class Dashboard:
    """The site of a test: its server, and a database with its error log."""

    def __init__(self, httpd: Httpd, postgres: Postgres) -> None:
        self.httpd = httpd
        self._postgres = postgres
        self._role = postgres.create_role()
        self._database = postgres.create_database(f'{_TABLE} GRANT SELECT ON "tabError Log" TO "{self._role}";')

    @property
    def sources(self) -> dict[str, Source]:
        """The connections of the checklists."""
        return {
            "dashboard": Source(kind="http", url=self.httpd.url),
            "dashboard-db": Source(kind="postgresql", dsn=self._postgres.dsn(self._database, self._role)),
        }

    def answer(self, now: dt.datetime, changes: Mapping[str, Script] | None = None) -> None:
        """Answer as a healthy site does at an instant, but for the changes."""
        self.httpd.scripts.clear()
        self.httpd.scripts.update({**good_answers(now), **(changes or {})})

    def log(self, now: dt.datetime, errors: Errors) -> None:
        """Let the error log hold these errors and no others; times are those of the site."""
        rows = [
            f"{number}\t{(now - ago).astimezone(SITE).replace(tzinfo=None)}\t{title}\ttraceback"
            for number, (ago, title) in enumerate(errors)
        ]
        copied = "\n".join(('COPY "tabError Log" FROM STDIN;', *rows, "\\.\n"))
        self.run(f'TRUNCATE "tabError Log"; {copied}')

    def run(self, script: str) -> None:
        """Run a script as the superuser; `$role` in it is the account of the console."""
        self._postgres.run(script.replace("$role", f'"{self._role}"'), self._database)


@contextlib.contextmanager
def open_dashboard(postgres: Postgres) -> Iterator[Dashboard]:
    """Run a site for the length of the block."""
    with serving() as httpd:
        yield Dashboard(httpd, postgres)


# --- running the lists -------------------------------------------------------------------------------


def with_items(checklist: Checklist, **changes: Any) -> Checklist:
    """Return a list whose items are changed."""
    parts = (
        msgspec.structs.replace(part, items=tuple(msgspec.structs.replace(item, **changes) for item in part.items))
        for part in checklist.sections
    )
    return msgspec.structs.replace(checklist, sections=tuple(parts))


def only_items(checklist: Checklist, names: Iterable[str]) -> Checklist:
    """Return a list with some of its items, and no fields, so that its runs can be signed at once."""
    wanted = set(names)
    parts = (
        msgspec.structs.replace(part, items=tuple(each for each in part.items if each.id in wanted))
        for part in checklist.sections
    )
    return msgspec.structs.replace(checklist, sections=tuple(part for part in parts if part.items), fields=())


def at_once(checklist: Checklist) -> Checklist:
    """Return a list that does not wait between two attempts: it makes one."""
    return with_items(checklist, retry=None)


def within(checklist: Checklist, timeout: str) -> Checklist:
    """Return a list whose items give up early."""
    return with_items(checklist, retry=None, timeout=Duration.parse(timeout))


class Desk:
    """A record in a directory of its own, and the lists that are worked through on it."""

    def __init__(self, state: Path, site: Dashboard, checklists: Mapping[str, Checklist] | None = None) -> None:
        self.state = state
        self.site = site
        self.lists = checklists or {name: at_once(each) for name, each in LISTS.items()}
        self.now = dt.datetime(2026, 11, 2, 8, 5, tzinfo=dt.UTC)
        self.store = SqliteStore(state / "records.db")

    def engine(self, kinds: Mapping[str, ProbeKind], sources: Mapping[str, Source]) -> Engine:
        """Return an engine over the record."""
        return Engine(
            self.store,
            kinds,
            Environment(sources=sources),
            Actor("ann", "Ann Archer", "ops01", Via.COMMAND),
            self.state,
            clock=lambda: self.now,
            checklists={each.id: each for each in self.lists.values()},
        )

    async def run(
        self,
        name: str,
        now: dt.datetime,
        kinds: Mapping[str, ProbeKind] | None = None,
        *,
        only: Iterable[str] = (),
        sources: Mapping[str, Source] | None = None,
        entries: Mapping[str, str] | None = None,
        sign: bool = False,
    ) -> RunState:
        """Open the run of a list at an instant and measure it; type in values where told.

        With `sign` the list has the items of `only` and no others, and is signed.
        """
        self.now = now
        engine = self.engine(kinds or probe_kinds(), sources or self.site.sources)
        checklist = only_items(self.lists[name], only) if sign else self.lists[name]
        async with opened(engine, checklist) as session:
            await engine.measure(session, list(only))
            for item, value in (entries or {}).items():
                await session.enter(item, value)
            if sign:
                await signed(session)
            return session.state

    def unproven(self, name: str) -> list[str]:
        """Return the conditions of a list that nothing could break on the readings there are."""
        found: list[ItemProof] = proved(self.store, self.lists[name])
        assert found
        return [
            f"{item.item.id}: {each.condition}: {each.how}"
            for item in found
            for each in item.proofs
            if each.proven is not Proven.RED
        ]


def not_green(state: RunState) -> dict[str, str]:
    """Return the items that are neither green nor waiting for a person, each with its outcome and what it says."""
    return {
        name: re.sub(r"\s+", " ", f"{item.outcome} {item.summary}")
        for name, item in state.items.items()
        if item.outcome not in {"PASS", "PENDING"}
    }


def measured(
    desk: Desk,
    name: str,
    now: dt.datetime,
    answers: Mapping[str, Script] | None = None,
    errors: Callable[[], Errors] = few_errors,
) -> RunState:
    """Return the run of a list on a site that answers so and has logged those errors."""
    desk.site.answer(now, answers)
    desk.site.log(now, errors())
    return asyncio.run(desk.run(name, now))
