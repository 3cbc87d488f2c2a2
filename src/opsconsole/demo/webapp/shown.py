"""What the demo shows of the web application: its pages, its database and audit, its logs."""

import contextlib
import datetime as dt
import os
import pwd
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from opsconsole.contracts.probe import Source
from opsconsole.demo.cluster import Cluster, open_cluster
from opsconsole.demo.system import DemoFault, DemoSystem, Past, Running
from opsconsole.demo.web import serving
from opsconsole.demo.webapp.faults import Fault
from opsconsole.demo.webapp.logs import ACCESS, Logs, living
from opsconsole.demo.webapp.site import answering

DATABASE, ROLE = "webapp", "opsconsole"
_APPROVED = (
    "INSERT INTO applications_application (quest_id, applicant_id, status, applied_at, decided_at) "
    "SELECT id, 119, 'approved', now() - interval '2 hours', {decided} FROM quests_quest ORDER BY id LIMIT {of};"
)
_BREAKING = {
    Fault.LOST_PARTICIPANTS: _APPROVED.format(decided="now() - interval '40 minutes'", of=3),
    Fault.ORPHANS: "DELETE FROM quests_quest WHERE id = 40;",
    Fault.HALF_DECIDED: (
        "UPDATE applications_application SET decided_at = NULL "
        "WHERE id = (SELECT id FROM applications_application WHERE status = 'approved' ORDER BY id LIMIT 1);"
    ),
}
"""What is done to the data."""


class _Clock:
    """Which instant the site is in: one of the past, or the present where there is none."""

    past: dt.datetime | None = None


@contextlib.contextmanager
def _run(directory: Path, now: dt.datetime, fault: DemoFault | None) -> Iterator[Running]:
    wrong = fault if isinstance(fault, Fault) else None
    clock = _Clock()
    schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    logs, project = directory / "log", directory / "project"
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(serving(answering(lambda: clock.past, wrong)))
        cluster = stack.enter_context(open_cluster(directory, setup=schema))
        dsn = cluster.dsn(DATABASE, ROLE)
        _write_project(project, dsn)
        past = Logs(logs, directory / ACCESS, now, None)

        def at(moment: dt.datetime) -> None:
            clock.past = moment if moment < now else None
            if clock.past is None:
                _present(stack, Logs(logs, directory / ACCESS, now, wrong), cluster, wrong)
            else:
                past.write(moment)

        yield Running(
            {"webapp": Source(kind="http", url=url), "webapp-database": Source(kind="postgresql", dsn=dsn)},
            cluster.notices,
            places={
                "/srv/webapp/venv/bin/python": Path(sys.executable),
                "/srv/webapp": project,
                "/var/log/webapp": logs,
                "/var/log/nginx/access.log": directory / ACCESS,
            },
            words={"'www-data'": f"'{_account()}'"},
            at=at,
        )


def _present(stack: contextlib.ExitStack, logs: Logs, cluster: Cluster, fault: Fault | None) -> None:
    """Let the fault be there, and time go on."""
    logs.write(dt.datetime.now(dt.UTC))
    stack.enter_context(living(logs))
    if fault in _BREAKING:
        cluster.run_script(_BREAKING[fault], DATABASE)
    if fault is Fault.DATABASE_DOWN:
        cluster.stop()


def _write_project(directory: Path, dsn: str) -> None:
    directory.mkdir(mode=0o700, exist_ok=True)
    program = resources.files(__package__).joinpath("manage.py").read_text(encoding="utf-8")
    (directory / "manage.py").write_text(program, encoding="utf-8")
    (directory / "database.txt").write_text(dsn, encoding="utf-8")


def _account() -> str:
    """Name the account that writes the logs here: our own."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


SYSTEM = DemoSystem(
    faults=Fault,
    run=_run,
    checklists=(
        "webapp-daily",
        "webapp-5min",
        "webapp-15min",
        "webapp-hourly",
        "webapp-weekly",
        "webapp-monthly",
    ),
    first="webapp-daily",
    last="webapp-weekly",
    past=(
        Past("webapp-monthly", 1),
        Past("webapp-weekly", 1),
        Past("webapp-daily", 6),
        Past("webapp-hourly", 2),
        Past("webapp-15min", 2),
        Past("webapp-5min", 2),
    ),
    notices=(
        "the application is a small server of the demo's own, and its logs are written as if people used it",
        "the logs belong to the account that you are, which stands for 'www-data'",
        "the frequent lists were run for the last hours alone: what looks back further says so",
    ),
)
