"""The database of the system: a PostgreSQL of the demo's own, with the sessions that a pool keeps open."""

import contextlib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from opsconsole.demo.cluster import Cluster, open_cluster
from opsconsole.demo.golive.faults import Fault
from opsconsole.demo.places import SOCKET_NAME
from opsconsole.demo.sessions import idle_sessions

NAME, ROLE = "golive", "opsconsole"
_APPLICATION = "golive_app"
_POOL = 14
"""Sessions that the application keeps open."""
_LEAKED = 78
"""Sessions that nobody gives back: of the hundred there can be, three are kept for administrators."""
_NEW_SUPERUSER = "CREATE ROLE support_tmp LOGIN SUPERUSER;"


class Database:
    """The running database, and what is wrong with it once that is asked for."""

    def __init__(self, cluster: Cluster, stack: contextlib.ExitStack) -> None:
        self._cluster = cluster
        self._stack = stack
        self.dsn = cluster.dsn(NAME, ROLE)
        self.notices = cluster.notices
        self._is_spoilt = False
        self._keep_open(_POOL)

    def spoil(self, fault: Fault | None) -> None:
        """Let a fault be in it from now on."""
        if self._is_spoilt:
            return
        self._is_spoilt = True
        if fault is Fault.TAKEN_CONNECTIONS:
            self._keep_open(_LEAKED)
        if fault is Fault.INTRUDER:
            self._cluster.run_script(_NEW_SUPERUSER, "postgres")

    def _keep_open(self, count: int) -> None:
        path = self._cluster.socket_directory / SOCKET_NAME
        self._stack.enter_context(idle_sessions(path, _APPLICATION, NAME, count, "backend"))


@contextlib.contextmanager
def running_database(directory: Path) -> Iterator[Database]:
    """Run the database in a directory until the block ends; raise DemoError where it cannot be."""
    schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    with open_cluster(directory, setup=schema) as cluster, contextlib.ExitStack() as stack:
        yield Database(cluster, stack)
