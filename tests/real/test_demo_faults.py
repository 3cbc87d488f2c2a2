"""Each bad morning of the demo shows what its description says, in the tables as the checklist's role sees them."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from opsconsole.demo.qbr.faults import Fault, with_fault
from opsconsole.demo.qbr.history import CONNECTWISE, METRICS, NINJAONE, metrics_after, planned_history
from opsconsole.demo.qbr.running import CROWD, Demo, running_demo
from support.postgres import open_directory

MORNING = dt.datetime(2026, 5, 14, 13, 0, tzinfo=dt.UTC)
LAST_NIGHT = "2026-05-14 02:00 America/Chicago"
FIRST_OF_MONTH = dt.datetime(2026, 5, 2, 13, 0, tzinfo=dt.UTC)
"""A morning whose month has one night only: no row of it can be older."""

Rows = list[tuple[Any, ...]]

RUNS = f"""
    SELECT collector_name, status, extract(epoch FROM completed_at - started_at)::float AS seconds
    FROM qbr_collection_log WHERE started_at >= '{LAST_NIGHT}' ORDER BY started_at
"""
CURRENT = "SELECT metric_name FROM qbr_metrics_monthly WHERE period = '2026-05' ORDER BY metric_name"
FRESH = f"SELECT period, count(*) FROM qbr_metrics_monthly WHERE updated_at >= '{LAST_NIGHT}' GROUP BY 1 ORDER BY 1"
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'qbr'"

ALL_METRICS = sorted(name for names in METRICS.values() for name in names)


@pytest.fixture(scope="module")
def demo_directory() -> Iterator[Path]:
    """Keep one directory, so that only the first demo has to make a cluster."""
    with open_directory() as directory:
        yield directory


@pytest.fixture
def morning(demo_directory: Path, request: pytest.FixtureRequest) -> Iterator[Demo]:
    """Run the demo with the fault that the test is about."""
    with running_demo(demo_directory, now=MORNING, fault=request.param) as demo:
        yield demo


def ask(demo: Demo, query: str) -> Rows:
    """Return what the checklist's role gets for a query."""
    with psycopg.connect(demo.dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def statuses(rows: Rows) -> list[tuple[str, str]]:
    """Return collector and status of each run."""
    return [(name, status) for name, status, _ in rows]


def good_runs(rows: Rows) -> bool:
    """Tell whether last night was as it should be: both succeeded within their targets."""
    return statuses(rows) == [(NINJAONE, "success"), (CONNECTWISE, "success")] and all(
        seconds < {NINJAONE: 10, CONNECTWISE: 20}[name] for name, _, seconds in rows
    )


def seconds_of_connectwise(rows: Rows) -> float:
    """Return how long ConnectWise took."""
    return float(next(seconds for name, _, seconds in rows if name == CONNECTWISE))


BAD_MORNINGS: dict[Fault | None, dict[str, Callable[[Rows], bool]]] = {
    None: {
        RUNS: good_runs,
        CURRENT: lambda rows: [name for (name,) in rows] == ALL_METRICS,
        FRESH: lambda rows: rows == [("2026-05", 5)],
        CONNECTIONS: lambda rows: rows[0][0] < 50,
    },
    Fault.LATE_COLLECTOR: {
        RUNS: lambda rows: seconds_of_connectwise(rows) == 41.2,
        FRESH: lambda rows: rows == [("2026-05", 5)],
    },
    Fault.SLOW_COLLECTOR: {RUNS: lambda rows: 20 < seconds_of_connectwise(rows) < 30},
    Fault.FAILED_COLLECTOR: {
        RUNS: lambda rows: statuses(rows) == [(NINJAONE, "success"), (CONNECTWISE, "failed")],
        CURRENT: lambda rows: len(rows) == 5,
        FRESH: lambda rows: rows == [("2026-05", 2)],
    },
    Fault.REPEATED_COLLECTOR: {
        RUNS: lambda rows: (
            statuses(rows) == [(NINJAONE, "success"), (CONNECTWISE, "failed"), (CONNECTWISE, "success")]
        ),
        FRESH: lambda rows: rows == [("2026-05", 5)],
    },
    Fault.UNFINISHED_COLLECTOR: {
        RUNS: lambda rows: [row[1:] for row in rows if row[0] == CONNECTWISE] == [("running", None)],
        FRESH: lambda rows: rows == [("2026-05", 2)],
    },
    Fault.MISSING_METRIC: {
        RUNS: good_runs,
        CURRENT: lambda rows: (
            [name for (name,) in rows] == [name for name in ALL_METRICS if name != "tickets_closed"]
        ),
    },
    Fault.STALE_METRICS: {RUNS: good_runs, CURRENT: lambda rows: len(rows) == 5, FRESH: lambda rows: rows == []},
    Fault.WRONG_MONTH: {
        "SELECT DISTINCT period FROM qbr_collection_log WHERE started_at >= '2026-05-14'": (
            lambda rows: rows == [("2026-06",)]
        ),
        FRESH: lambda rows: rows == [("2026-06", 5)],
    },
    Fault.NO_RUN: {RUNS: lambda rows: rows == [], FRESH: lambda rows: rows == []},
    Fault.TOO_MANY_CONNECTIONS: {
        RUNS: good_runs,
        CONNECTIONS: lambda rows: rows[0][0] == CROWD + 1,
    },
}


@pytest.mark.parametrize(
    ("morning", "shown"), BAD_MORNINGS.items(), indirect=["morning"], ids=[str(fault) for fault in BAD_MORNINGS]
)
def test_a_fault_is_in_the_tables(morning: Demo, shown: dict[str, Callable[[Rows], bool]]) -> None:
    """What `--fault` announces is what a query finds, and the next demo has none of it."""
    for query, holds in shown.items():
        rows = ask(morning, query)
        assert holds(rows), f"{query} gave {rows}"


@pytest.mark.parametrize("morning", [Fault.DATABASE_DOWN], indirect=True)
def test_a_stopped_database_refuses_connections(morning: Demo) -> None:
    """The morning without a database is a source that is down, not an empty table."""
    with pytest.raises(psycopg.OperationalError, match="No such file or directory"):
        ask(morning, RUNS)


@pytest.mark.parametrize("morning", [Fault.NO_GRANTS], indirect=True)
def test_without_grants_the_tables_are_closed(morning: Demo) -> None:
    """The role can connect, and is told that it may not read."""
    for table in ("qbr_collection_log", "qbr_metrics_monthly"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ask(morning, f"SELECT * FROM {table}")


@pytest.mark.parametrize("morning", [None], indirect=True)
@pytest.mark.parametrize(
    "statement", ["DELETE FROM qbr_collection_log", "CREATE TABLE mine ()", "CREATE TEMP TABLE mine ()"]
)
def test_the_role_of_the_checklists_can_only_read(morning: Demo, statement: str) -> None:
    """The demo shows the role that the documentation asks for: one that can change nothing, even if it tries."""
    with psycopg.connect(morning.dsn, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute(statement.encode())
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())


@pytest.mark.parametrize("morning", [None], indirect=True)
def test_the_role_of_the_checklists_sees_one_database(morning: Demo) -> None:
    """It cannot even connect elsewhere in the cluster, and is no superuser."""
    assert ask(
        morning, "SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    ) == [(False,)]
    for other in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(morning.dsn, dbname=other)


@pytest.mark.parametrize("morning", [None], indirect=True)
def test_the_tables_hold_the_planned_history(morning: Demo) -> None:
    """Every planned row arrives, with its exact times and values."""
    history = planned_history(MORNING)
    log = (
        "SELECT period, collector_name, status, records_collected, started_at, completed_at FROM qbr_collection_log"
    )
    metrics = (
        "SELECT period, metric_name, metric_value, vendor_id, data_source, updated_at FROM qbr_metrics_monthly"
    )
    assert set(ask(morning, log)) == {
        (r.period, r.collector_name, r.status, r.records_collected, r.started_at, r.completed_at)
        for r in history.runs
    }
    assert set(ask(morning, metrics)) == {
        (m.period, m.metric_name, m.metric_value, m.vendor_id, m.data_source, m.updated_at) for m in history.metrics
    }


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("now", [MORNING, FIRST_OF_MONTH])
def test_a_fault_leaves_the_past_alone(fault: Fault, now: dt.datetime) -> None:
    """Only last night is different, so that trends and the audit of the other days stay as they were."""
    good, bad = planned_history(now), with_fault(planned_history(now), fault)
    assert good.metrics == metrics_after(good.runs)
    last = max(run.covered for run in good.runs)
    assert [run for run in bad.runs if run.covered != last] == [run for run in good.runs if run.covered != last]
    earlier = f"{last.replace(day=1) - dt.timedelta(days=1):%Y-%m}"
    assert {m for m in bad.metrics if m.period == earlier} == {m for m in good.metrics if m.period == earlier}


def test_stale_metrics_are_there_on_a_months_first_morning() -> None:
    """Also when the month has only one night, the metrics are present and old, not missing."""
    stale = [
        m for m in with_fault(planned_history(FIRST_OF_MONTH), Fault.STALE_METRICS).metrics if m.period == "2026-05"
    ]
    assert len(stale) == 5
    assert all(metric.updated_at < FIRST_OF_MONTH - dt.timedelta(hours=20) for metric in stale)


def test_every_fault_describes_itself() -> None:
    """The help of `--fault` has one plain sentence for each, and every one is tried here."""
    assert {fault.value for fault in Fault} >= {
        *(
            "late-collector",
            "failed-collector",
            "missing-metric",
            "stale-metrics",
            "no-run",
            "database-down",
            "no-grants",
        )
    }
    assert all(fault.description and not fault.description.endswith(".") for fault in Fault)
    assert set(Fault) == {*filter(None, BAD_MORNINGS), Fault.DATABASE_DOWN, Fault.NO_GRANTS}
