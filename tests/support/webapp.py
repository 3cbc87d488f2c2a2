"""A web application as the lists `webapp-*` look at it: its database, pages, logs and audit, all of them real."""

import datetime as dt
import gzip
import os
import pwd
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from opsconsole.config.checklists import load_checklist
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Source
from opsconsole.engine.engine import Engine, opened
from opsconsole.engine.proving import proved
from opsconsole.model.checklists import Checklist
from opsconsole.model.events import Actor, Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.proving import Proven
from opsconsole.model.readings import Reading
from opsconsole.model.runs import RunState
from opsconsole.model.values import Unit, Value, number
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.definitions import shipped_checklists
from opsconsole.wiring.kinds import probe_kinds
from support.httpd import Httpd, says_json, says_text
from support.logs import python_line, written
from support.mornings import measures
from support.postgres import Postgres

NOW = dt.datetime(2026, 12, 7, 9, 5, tzinfo=dt.UTC)
"""A first Monday of a month, on which every list is due."""
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
MIDNIGHT = NOW.replace(hour=0, minute=0)
YESTERDAY = NOW - DAY
LAST_HOUR = NOW.replace(hour=8, minute=30)
"""In the hour before the one of `NOW`."""
LAST_QUARTER = NOW.replace(hour=8, minute=50)
LISTS = ("webapp-5min", "webapp-15min", "webapp-hourly", "webapp-daily", "webapp-weekly", "webapp-monthly")
KEPT = {
    "django.log.3.gz": 31.5,
    "debug.log": 8.5,
    "warnings.log": 90.0,
    "errors.log": 0.1,
    "errors.log.1": 366.0,
    "critical.log": 100.0,
}
"""Further logs, each with how many days ago it was last written to: as old as they may be."""
Says = tuple[dt.datetime, str, str]
"""An entry of a log: when, its severity, its message."""

SCHEMA = """
CREATE TABLE auth_user (id int PRIMARY KEY, last_login timestamptz);
CREATE TABLE quests_quest (id int PRIMARY KEY, created_at timestamptz NOT NULL, completed_at timestamptz);
CREATE TABLE applications_application (
  id serial, quest_id int NOT NULL, applicant_id int NOT NULL, status text NOT NULL,
  applied_at timestamptz NOT NULL, decided_at timestamptz);
CREATE TABLE quests_questparticipant (
  id serial, quest_id int NOT NULL, user_id int NOT NULL, joined_at timestamptz NOT NULL);
"""
FILLING = """
TRUNCATE auth_user, quests_quest, applications_application, quests_questparticipant;
INSERT INTO auth_user SELECT id, '{now}'::timestamptz - interval '1 hour' FROM generate_series(1, 5) AS id;
INSERT INTO quests_quest SELECT row_number() OVER (), noon, noon + interval '6 hours'
FROM generate_series('2026-10-01 12:00Z'::timestamptz, '2026-12-06 12:00Z'::timestamptz, interval '1 day') AS noon;
INSERT INTO applications_application (quest_id, applicant_id, status, applied_at, decided_at)
SELECT quest.id, auth_user.id, CASE auth_user.id WHEN 1 THEN 'rejected' ELSE 'approved' END,
       created_at, created_at + interval '1 hour'
FROM quests_quest quest CROSS JOIN auth_user WHERE auth_user.id <= 3;
INSERT INTO quests_questparticipant (quest_id, user_id, joined_at)
SELECT quest_id, applicant_id, decided_at FROM applications_application WHERE status = 'approved';
"""
AUDIT = """
import pathlib, sys
found = int(pathlib.Path(__file__).with_name("issues").read_text())
print("=== " + sys.argv[1])
print(f"TOTAL ISSUES: {found}")
sys.exit(1 if found else 0)
"""


class WebApp:
    """The application below a directory of its own, in good order until a test changes that."""

    def __init__(self, root: Path, postgres: Postgres, httpd: Httpd) -> None:
        self.root = root
        self.postgres = postgres
        self.httpd = httpd
        self.logs, self.project, self.access = root / "log", root / "srv", root / "access.log"
        self.role = postgres.create_role()
        self.database = postgres.create_database(SCHEMA)
        self.allow()
        self.lists = {name: self._adapted(name) for name in LISTS}

    def _adapted(self, name: str) -> Checklist:
        """Return a shipped list with the places of this application filled in, as a site does it."""
        place = self.root / "checklists"
        if not place.exists():
            shutil.copytree(shipped_checklists() / "runbooks", place / "runbooks")
        text = (shipped_checklists() / f"{name}.toml").read_text(encoding="utf-8")
        account = pwd.getpwuid(os.geteuid()).pw_name
        for shipped, own in (
            ("/srv/webapp/venv/bin/python", sys.executable),
            ("/srv/webapp", str(self.project)),
            ("/var/log/webapp", str(self.logs)),
            ("/var/log/nginx/access.log", str(self.access)),
            ("'www-data'", f"'{account}'"),
        ):
            text = text.replace(shipped, own)
        (place / f"{name}.toml").write_text(text, encoding="utf-8")
        loaded = load_checklist(place / f"{name}.toml", probe_kinds(), sources=self.sources, check_trust=False)
        assert loaded.checklist is not None, loaded.problems
        assert (loaded.problems, loaded.warnings) == ((), ())
        return loaded.checklist

    @property
    def sources(self) -> dict[str, Source]:
        """What `config.toml` says of them."""
        dsn = self.postgres.dsn(self.database, self.role)
        return {
            "webapp": Source(kind="http", url=self.httpd.url),
            "webapp-database": Source(kind="postgresql", dsn=dsn),
        }

    def run(self, script: str) -> None:
        """Change the database, as whoever owns it."""
        self.postgres.run(script, self.database)

    def allow(self) -> None:
        """Give the console's role the rights that the lists ask for."""
        self.run(
            f'GRANT pg_monitor TO "{self.role}"; GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{self.role}";'
        )

    @property
    def nowhere(self) -> dict[str, Source]:
        """The same sources where nothing listens."""
        return {
            "webapp": Source(kind="http", url=f"unix:{self.root / 'nothing'}"),
            "webapp-database": Source(kind="postgresql", dsn=f"host={self.root / 'nothing'} user=nobody"),
        }

    # --- how it is ---------------------------------------------------------------------------------

    def set_up(self) -> None:
        """Put everything in good order."""
        shutil.rmtree(self.logs, ignore_errors=True)
        self.logs.mkdir(mode=0o755, parents=True)
        self.project.mkdir(exist_ok=True)
        (self.project / "manage.py").write_text(AUDIT, encoding="utf-8")
        self.audit(0)
        self.write_log()
        self.write_access(100, 1)
        for name, days in KEPT.items():
            self.write_file(name, days)
        self.run(FILLING.format(now=NOW.isoformat()))
        self.pages()

    def audit(self, issues: int) -> None:
        """Let the audit find something."""
        (self.project / "issues").write_text(str(issues), encoding="utf-8")

    def write_file(self, name: str, days: float, text: str = "") -> None:
        """Write a log that was last written to so many days ago, and compressed where its name says so."""
        when = NOW - days * DAY
        data = (text or python_line(when, "INFO", "started") + "\n").encode()
        path = written(self.logs / name, gzip.compress(data) if name.endswith(".gz") else data, when)
        path.chmod(0o640)

    def write_log(self, *also: Says) -> None:
        """Write django.log, rotated each midnight: nine quiet days, with approvals, assignments, few errors."""
        entries: list[Says] = [(NOW - MINUTE - hour * HOUR, "INFO", "health is OK") for hour in range(9 * 24)]
        for when in (LAST_HOUR, YESTERDAY):
            entries += [(when, "INFO", f"Application approved: {each}") for each in range(25)]
            entries += [(when, "INFO", f"Quest assigned: {each}") for each in range(40)]
            entries.append((when, "ERROR", "user 7 is unknown"))
        entries += [(NOW - 4 * DAY, "ERROR", "user 9 is unknown"), *also]
        entries.sort()
        for name, begins, ends in (
            ("django.log.2.gz", NOW - 30 * DAY, MIDNIGHT - DAY),
            ("django.log.1", MIDNIGHT - DAY, MIDNIGHT),
            ("django.log", MIDNIGHT, NOW),
        ):
            text = "".join(python_line(*each) + "\n" for each in entries if begins <= each[0] < ends)
            newest = max(each[0] for each in entries if begins <= each[0] < ends)
            self.write_file(name, (NOW - newest) / DAY, text)

    def write_access(self, requests: int, errors: int) -> None:
        """Write nginx's log of the quarter of an hour before, and an older request."""
        lines = [access_line(NOW - HOUR, 200)]
        lines += [access_line(LAST_QUARTER, 502 if each < errors else 200) for each in range(requests)]
        written(self.access, "".join(lines).encode(), LAST_QUARTER)

    def pages(self, **changes: object) -> None:
        """Let the pages answer as a healthy application does, or with `changes` in what `/health/` says."""
        models = {"applications": 201, "quests": 67, "participants": 134}
        checks = {"database": "OK", "data_integrity": "OK", "models": models}
        said = {"timestamp": NOW.replace(tzinfo=None).isoformat(), "status": "healthy", "checks": checks} | changes
        self.httpd.on("/health/", says_json(said, 200 if said["status"] == "healthy" else 503))
        self.httpd.on("/health/quick/", says_json({"status": "OK"}))
        self.httpd.on("/", says_text("<title>Quests</title>"))
        for path in ("/api/quests/", "/api/applications/"):
            self.httpd.on(path, says_json([]))


def access_line(when: dt.datetime, status: int) -> str:
    """Return a line of nginx's format `combined`."""
    return f'192.0.2.7 - - [{when:%d/%b/%Y:%H:%M:%S} +0000] "GET / HTTP/1.1" {status} 12 "-" "curl/8"\n'


# --- measuring ---------------------------------------------------------------------------------------

Planned = Callable[[Context], Reading | None]
"""What an item reads; None where its source does not answer."""
HOST: Mapping[str, Planned] = {
    "memory": lambda _: measures(available_percent=number(40, Unit.PERCENT)),
    "load": lambda _: measures(per_cpu15=number(0.2)),
    "log-disk": lambda _: measures(used=number(40, Unit.PERCENT), inodes_used=number(9, Unit.PERCENT)),
}
"""Figures of the host that runs the tests, which is not what is tested."""
HOST_KINDS = ("memory", "load", "disk")


class PlannedProbe:
    """Reads what is planned for an item."""

    def __init__(self, plan: Mapping[str, Planned]) -> None:
        self._plan = plan

    async def measure(self, _options: object, context: Context) -> Reading:
        """Return the planned reading, or refuse as a source that is down does."""
        reading = self._plan[context.item](context)
        if reading is None:
            raise ProbeError("not-found", "it is not there")
        return reading

    async def aclose(self) -> None:
        """Nothing is kept open."""


def planned_kinds(plan: Mapping[str, Planned], names: Iterable[str]) -> dict[str, ProbeKind]:
    """Return the kinds of probes with planned ones in the place of some."""
    planned = set(names)
    return {
        name: msgspec.structs.replace(
            kind, open=lambda _: PlannedProbe(plan), lane=lambda _: "", inputs=lambda _: {}
        )
        if name in planned
        else kind
        for name, kind in probe_kinds().items()
    }


class Record:
    """A record in a directory of its own, and runs of lists in it."""

    def __init__(self, state: Path, lists: Mapping[str, Checklist], sources: Mapping[str, Source]) -> None:
        self.state = state
        state.mkdir(exist_ok=True)
        self.store = SqliteStore(state / "records.db")
        self._lists, self._sources = lists, sources

    async def measured(
        self,
        name: str,
        now: dt.datetime = NOW,
        *,
        kinds: Mapping[str, ProbeKind] | None = None,
        only: Iterable[str] = (),
    ) -> RunState:
        """Measure a list at an instant, or some of its items; figures of the host are planned."""
        engine = Engine(
            self.store,
            kinds or planned_kinds(HOST, HOST_KINDS),
            Environment(sources=dict(self._sources)),
            Actor("cron", "", "ops01", Via.HEADLESS),
            self.state,
            clock=lambda: now,
            checklists=self._lists,
        )
        async with opened(engine, self._lists[name]) as session:
            await engine.measure(session, list(only))
            return session.state

    async def past(self, name: str, plan: Mapping[str, Planned], instants: Iterable[dt.datetime]) -> None:
        """Run a list at some instants, with planned readings of some of its items and nothing of the others."""
        kinds = planned_kinds(plan, probe_kinds())
        for now in instants:
            await self.measured(name, now, kinds=kinds, only=plan)


def said(state: RunState) -> dict[str, str]:
    """Return what is not green, but for what waits for a person."""
    return {
        name: f"{item.outcome} {item.summary}"
        for name, item in state.items.items()
        if item.outcome is not Outcome.PASS and item.item.measured and item.item.entry is None
    }


def table(columns: str, *row: Value) -> Reading:
    """Return a table of one row, which nothing names."""
    return Reading(columns=tuple(columns.split()), rows=(row,))


def ends_of(moment: dt.datetime, every: dt.timedelta, times: int = 6) -> list[dt.datetime]:
    """Return an instant in each of the last intervals before a moment."""
    return [moment - back * every + MINUTE for back in range(times, 0, -1)]


def unbreakable(record: Record, checklist: Checklist) -> list[str]:
    """Return the conditions of a list that nothing can break on what was read, or that were never read."""
    return [
        f"{each.item.id}: {proof.condition}: {proof.proven}: {proof.how}"
        for each in proved(record.store, checklist)
        for proof in each.proofs
        if proof.proven is not Proven.RED
    ]
