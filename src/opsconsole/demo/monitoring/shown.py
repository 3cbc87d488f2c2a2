"""What the demo shows of the monitoring system: a dashboard with its API, the database behind it, its backups."""

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path

from opsconsole.contracts.probe import Source
from opsconsole.demo.cluster import Cluster, open_cluster
from opsconsole.demo.drawing import between
from opsconsole.demo.files import noise, tar_gz, with_checksum, written
from opsconsole.demo.monitoring.errorlog import LoggedError, quiet_log, with_fault
from opsconsole.demo.monitoring.faults import Fault
from opsconsole.demo.monitoring.site import SITE, Site
from opsconsole.demo.system import DemoFault, DemoSystem, Past, Running
from opsconsole.demo.web import serving

DATABASE, ROLE = "dashboard", "opsconsole"
BACKUPS = "/srv/backups/monitoring"
_KEPT = 14


class _Clock:
    """Which instant the system is in: one of the past, or the present where there is none."""

    past: dt.datetime | None = None


@contextlib.contextmanager
def _run(directory: Path, now: dt.datetime, fault: DemoFault | None) -> Iterator[Running]:
    wrong = fault if isinstance(fault, Fault) else None
    log, more = list(quiet_log(now)), list(with_fault(now, wrong))
    clock = _Clock()
    site = Site(lambda: clock.past, [*log, *more], wrong)
    backups = directory / "backups"

    with serving(site.answering()) as url, _database(directory, log) as cluster:

        def at(moment: dt.datetime) -> None:
            clock.past = None if moment >= now else moment
            _write_backups(backups, moment, broken=clock.past is None and wrong is Fault.BROKEN_BACKUP)
            if clock.past is not None:
                cluster.run_script(f"SELECT show_until('{_stamp(moment)}');", DATABASE)
                return
            cluster.run_script(f"SELECT show_until(NULL);\n{_copied(more)}", DATABASE)
            if wrong is Fault.DATABASE_DOWN:
                cluster.stop()

        dashboard = Source(kind="http", url=url)
        database = Source(kind="postgresql", dsn=cluster.dsn(DATABASE, ROLE))
        yield Running(
            {"dashboard": dashboard, "dashboard-db": database},
            cluster.notices,
            places={BACKUPS: backups},
            at=at,
        )


@contextlib.contextmanager
def _database(directory: Path, log: Sequence[LoggedError]) -> Iterator[Cluster]:
    schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    with open_cluster(directory, setup=schema + _copied(log)) as cluster:
        yield cluster


def _copied(log: Sequence[LoggedError]) -> str:
    rows = (f"{_stamp(each.at)}\t{each.title}" for each in log)
    return "\n".join(("COPY logged FROM STDIN;", *rows, "\\.", ""))


def _stamp(moment: dt.datetime) -> str:
    return f"{moment.astimezone(SITE):%Y-%m-%d %H:%M:%S.%f}"


def _write_backups(directory: Path, now: dt.datetime, *, broken: bool) -> None:
    """Write the archives of a fortnight up to an instant, one a night; the newest cut off where it is broken."""
    tonight = dt.datetime.combine(now.astimezone(SITE), dt.time(1, 30), SITE)
    newest = tonight if tonight <= now else tonight - dt.timedelta(days=1)
    wanted = {}
    for back in range(_KEPT):
        when = newest - dt.timedelta(days=back)
        wanted[directory / f"configuration-{when:%Y-%m-%d}.tar.gz"] = when
    for path in directory.glob("configuration-*"):
        if path.with_name(path.name.removesuffix(".sha256")) not in wanted:
            path.unlink()
    for path, when in wanted.items():
        if when == newest or not path.exists():  # the newest may be one that was broken for an earlier demo
            _write_backup(path, when, broken=broken and when == newest)


def _write_backup(path: Path, when: dt.datetime, *, broken: bool) -> None:
    seed = f"{when.date()} configuration"
    size = 24_000 + between(seed, 0, 900)
    data = tar_gz({"site_config.json": b'{"db_name": "dashboard"}\n', "limits.json": noise(seed, size)}, when)
    with_checksum(path, data, when)
    if broken:
        written(path, data[: len(data) // 3], when)


SYSTEM = DemoSystem(
    faults=Fault,
    run=_run,
    checklists=(
        "monitoring-daily",
        "monitoring-frequent",
        "monitoring-weekly",
        "monitoring-monthly",
        "monitoring-quarterly",
    ),
    first="monitoring-daily",
    last="monitoring-weekly",
    past=(
        Past("monitoring-quarterly", 1),
        Past("monitoring-monthly", 1),
        Past("monitoring-weekly", 1),
        Past("monitoring-daily", 16),
        Past("monitoring-frequent", 12),
    ),
    notices=(
        "the dashboard is a small server of the demo's own, which answers as one does; its database is a real one",
        "the five-minute list was run for the last hour alone: what looks back on a week or a month of it says so",
    ),
)
