"""The system that went live: its 28 services, its hosts, and whether it is looked at in the past or now."""

import datetime as dt
import threading
from dataclasses import dataclass

from opsconsole.demo.golive.faults import Fault

PROJECT = "golive"


@dataclass(frozen=True, slots=True)
class Service:
    """One service, which is one container."""

    name: str
    health: str
    """The path of its health check."""
    image: str
    host: str


def _service(line: str) -> Service:
    name, health, image, host = line.split()
    return Service(name, health, image, host)


SERVICES = tuple(
    map(
        _service,
        """
        gateway /healthz traefik:3.1 node1
        frontend / golive/frontend:1.4.2 node1
        backend /health golive/backend:1.4.2 node1
        auth /health/ready golive/auth:1.4.0 node1
        sessions /health golive/sessions:1.3.7 node1
        users /health golive/users:1.4.0 node1
        billing /actuator/health golive/billing:1.2.9 node1
        notifier /health golive/notifier:1.4.1 node1
        mailer /ping golive/mailer:1.1.3 node1
        scheduler /health/live golive/scheduler:1.4.1 node2
        worker /health/live golive/worker:1.4.2 node2
        queue /api/health rabbitmq:3.13 node2
        cache /ping redis:7.4 node2
        search /_cluster/health opensearch:2.17 node2
        vectors /healthz qdrant:1.12 node2
        embedder /health golive/embedder:1.4.2 node3
        model /api/version ollama:0.3 node3
        recommender /health golive/recommender:1.3.0 node3
        speech /health golive/speech:1.2.2 node3
        documents /health golive/documents:1.4.0 node2
        files /minio/health/live minio:2026 node2
        images /health golive/images:1.2.4 node2
        exporter /metrics/health golive/exporter:1.0.8 node1
        audit /health golive/audit:1.4.0 node1
        feedback /health golive/feedback:1.3.1 node1
        reports /health/ready golive/reports:1.2.6 node2
        admin /admin/health golive/admin:1.4.2 node1
        database /health postgres-gateway:1.1 node2
        """.strip().splitlines(),
    )
)
"""The registry's list; the database is asked by a small service in front of it."""

HOSTS = ("node1", "node2", "node3")


class Site:
    """What time it is for the system, and what is wrong with it by then."""

    def __init__(self, begun: dt.datetime, fault: Fault | None) -> None:
        self.begun = begun
        self._wrong = fault
        self._lock = threading.Lock()
        self._back = 0.0
        """Seconds by which it is looked at in the past."""

    def at(self, moment: dt.datetime) -> None:
        """Be as at an instant: before the demo began it was well."""
        real = dt.datetime.now(dt.UTC)
        with self._lock:
            self._back = (real - moment).total_seconds() if moment < self.begun else 0.0

    @property
    def now(self) -> float:
        """The present instant of the system, in seconds since the epoch."""
        with self._lock:
            return dt.datetime.now(dt.UTC).timestamp() - self._back

    @property
    def fault(self) -> Fault | None:
        """What is wrong with it at that instant."""
        with self._lock:
            return None if self._back else self._wrong

    @property
    def began(self) -> float:
        """When the demo began, in seconds since the epoch."""
        return self.begun.timestamp()
