"""The QBR database with a planted past, and single items of the shipped checklists measured on it."""

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import astuple, replace
from importlib import resources
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.checks.sql import SqlOptions, SqlProbe
from opsconsole.config.checklists import load_checklist
from opsconsole.contracts.probe import Context, Environment, Source
from opsconsole.demo.qbr.history import CollectorRun, History, Metric, planned_history
from opsconsole.model.calendar import Times, period_of, times_of
from opsconsole.model.checklists import Checklist, Item
from opsconsole.model.encoding import dec_hook
from opsconsole.model.judging import judge_item
from opsconsole.model.readings import Judgement, Reading
from opsconsole.wiring.definitions import shipped_checklists
from opsconsole.wiring.kinds import probe_kinds
from support.postgres import Postgres

CENTRAL = ZoneInfo("America/Chicago")
Plant = Callable[[History], History]


def shipped(name: str) -> Checklist:
    """Return a shipped checklist."""
    loaded = load_checklist(shipped_checklists() / f"{name}.toml", probe_kinds(), check_trust=False)
    assert loaded.checklist is not None, loaded.problems
    return loaded.checklist


def item_of(checklist: Checklist, item: str) -> Item:
    """Return one item."""
    return next(each for each in checklist.items if each.id == item)


# --- the database ------------------------------------------------------------------------------------


class QbrDatabase:
    """A database of a test's own with both QBR tables, and the role that checklists read them as."""

    def __init__(self, postgres: Postgres, history: History | None = None) -> None:
        self._postgres = postgres
        schema = resources.files("opsconsole.demo.qbr").joinpath("schema.sql").read_text(encoding="utf-8")
        tables = schema.partition("\\connect qbr")[2].partition("GRANT SELECT")[0]
        self.role = postgres.create_role()
        grant = f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{self.role}";'
        filling = "" if history is None else _filling(history)
        self.name = postgres.create_database(tables + filling + grant)

    def refill(self, history: History) -> None:
        """Put another past in the place of the one there is: quicker than another database."""
        self.run("TRUNCATE qbr_collection_log, qbr_metrics_monthly;" + _filling(history))

    @property
    def source(self) -> Source:
        """The connection of checklists."""
        return Source(kind="postgresql", dsn=self._postgres.dsn(self.name, self.role))

    def other_role(self) -> str:
        """Create a role that may do nothing, and return its name as SQL has it."""
        return f'"{self._postgres.create_role()}"'

    def run(self, script: str) -> str:
        """Run a script as the superuser."""
        return self._postgres.run(script, self.name)


def _filling(history: History) -> str:
    runs = (
        (r.period, r.collector_name, r.status, r.records_collected, r.started_at, r.completed_at)
        for r in history.runs
    )
    return _copy("qbr_collection_log", runs) + _copy("qbr_metrics_monthly", map(astuple, history.metrics))


def _copy(table: str, rows: Iterable[Iterable[object]]) -> str:
    lines = ("\t".join(r"\N" if each is None else str(each) for each in row) for row in rows)
    return "\n".join((f"COPY {table} FROM STDIN;", *lines, "\\.\n"))


def qbr_history(now: dt.datetime, days: int = 40) -> History:
    """Return the past of the demo without its bad nights, for `days` nights up to `now`."""
    history = planned_history(now, days)
    return History(tuple(r for r in history.runs if r.status == "success"), history.metrics)


def with_runs(changed: Callable[[CollectorRun], Iterable[CollectorRun]]) -> Plant:
    """Return what puts others in the place of each run."""
    return lambda history: replace(history, runs=tuple(new for run in history.runs for new in changed(run)))


def with_metrics(changed: Callable[[Metric], Iterable[Metric]]) -> Plant:
    """Return what puts others in the place of each metric."""
    return lambda history: replace(history, metrics=tuple(new for each in history.metrics for new in changed(each)))


def night(run: CollectorRun) -> dt.date:
    """Return the local date on which a run began as planned."""
    return run.covered + dt.timedelta(days=1)


# --- measuring ---------------------------------------------------------------------------------------


def times(checklist: Checklist, date: dt.date, qualified: tuple[dt.date, dt.date] | None = None) -> Times:
    """Return the times of the run that `date` belongs to."""
    return times_of(checklist, period_of(date, checklist.cadence), CENTRAL, date, qualified)


async def measured(
    database: QbrDatabase, item: Item, of: Times, now: dt.datetime, target: str = ""
) -> tuple[Reading, Judgement]:
    """Measure and judge one SQL item, without its past."""
    probe = SqlProbe(Environment(sources={"inventory": database.source}))
    context = Context(item=item.id, times=of, now=now, cutoff=now, timeout=30, target=target)
    try:
        reading = await probe.measure(msgspec.convert(item.options, SqlOptions, dec_hook=dec_hook), context)
    finally:
        await probe.aclose()
    return reading, judge_item(item, reading)
