"""The demo: a QBR database like the one of the procedure, up to this morning, on a PostgreSQL of its own."""

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from importlib import resources
from pathlib import Path

from opsconsole.demo.cluster import Cluster, open_cluster
from opsconsole.demo.places import SOCKET_NAME
from opsconsole.demo.qbr.faults import Fault, with_fault
from opsconsole.demo.qbr.history import History, planned_history
from opsconsole.demo.sessions import idle_sessions

DATABASE = "qbr"
ROLE = "opsconsole"
"""The role for checklists: it can read the two QBR tables, and write nothing."""

CROWD = 55
"""Connections that the fault `too-many-connections` keeps open."""

_REVOKE = "REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM opsconsole;"


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo."""

    dsn: str
    """libpq's connection string for the role `opsconsole`: a private socket, no password."""
    directory: Path
    """Where the database's files are; they stay there, for a quick start next time."""
    notices: tuple[str, ...]
    """What the person should know: sentences without their full stop."""
    _cluster: Cluster

    def stop_server(self) -> None:
        """Stop the database server, as the fault `database-down` does."""
        self._cluster.stop()


@contextlib.contextmanager
def running_demo(directory: Path, *, now: dt.datetime, fault: Fault | None = None) -> Iterator[Demo]:
    """Run a database with the QBR history up to `now` (aware), and that fault, until the block ends.

    Its files are in `directory` or, for root, where PostgreSQL can have them: `Demo.notices` says so. Every demo
    starts with a new database. Only one can run in a directory. Raises DemoError with the cause and what to do.
    """
    schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    script = schema + _filling(with_fault(planned_history(now), fault), fault)
    with open_cluster(directory, setup=script) as cluster, contextlib.ExitStack() as stack:
        if fault is Fault.TOO_MANY_CONNECTIONS:
            stack.enter_context(idle_sessions(cluster.socket_directory / SOCKET_NAME, ROLE, DATABASE, CROWD))
        if fault is Fault.DATABASE_DOWN:
            cluster.stop()
        yield Demo(cluster.dsn(DATABASE, ROLE), cluster.directory, cluster.notices, cluster)


def _filling(history: History, fault: Fault | None) -> str:
    """Return the script that fills both tables, in one go."""
    runs = (
        (r.period, r.collector_name, r.status, r.records_collected, r.started_at, r.completed_at)
        for r in history.runs
    )
    lines = [
        "BEGIN;",
        *_copy(
            "qbr_collection_log (period, collector_name, status, records_collected, started_at, completed_at)", runs
        ),
        *_copy(
            "qbr_metrics_monthly (period, metric_name, metric_value, vendor_id, data_source, updated_at)",
            (astuple(metric) for metric in history.metrics),
        ),
        *([_REVOKE] if fault is Fault.NO_GRANTS else []),
        "COMMIT;",
    ]
    return "\n".join((*lines, ""))


def _copy(table: str, rows: Iterable[Iterable[object]]) -> Iterator[str]:
    r"""Yield a COPY in text format: tabs between columns, ``\N`` for null. No value of ours needs escaping."""
    yield f"COPY {table} FROM STDIN;"
    for row in rows:
        yield "\t".join(r"\N" if value is None else str(value) for value in row)
    yield r"\."
