"""What can be wrong with the system that went live, for a demo of a bad day."""

from opsconsole.demo.system import DemoFault


class Fault(DemoFault):
    """One thing that is wrong today."""

    SERVICE_DOWN = "service-down", "the service `billing` answers its health check with status 503"
    FORGOTTEN_SERVICE = (
        "forgotten-service",
        "the registry no longer names the service `billing`: all that it names are well",
    )
    NO_MODEL = "no-model", "the model server answers with status 200, and has no model left", "golive-5min"
    REQUEST_ERRORS = (
        "request-errors",
        "every health check is good, but for half an hour one request in ten has failed",
    )
    SLOW_REQUESTS = "slow-requests", "for half an hour questions have been slow: one in twenty takes over 2 s"
    LOST_METRIC = (
        "lost-metric",
        "since the last release nothing counts errors any more: the metric is gone",
        "golive-5min",
    )
    STALE_METRICS = "stale-metrics", "a cache answers in the place of Prometheus, as it was an hour ago"
    SILENT_LOGS = (
        "silent-logs",
        "nothing brings lines of the services to Loki any more, so there is no error either",
    )
    KILLED_CONTAINER = (
        "killed-container",
        "`recommender` was killed for want of memory four times; it runs again, and answers",
    )
    TAKEN_CONNECTIONS = (
        "taken-connections",
        "a pool that leaks has taken nearly all connections of the database",
        "golive-5min",
    )
    NIGHT_ALERT = "night-alert", "a critical alert fired for half an hour eight hours ago, and nobody was told"
    FILLING_DISK = (
        "filling-disk",
        "a disk is two thirds full, and gains more than a point each day",
        "golive-weekly",
    )
    INTRUDER = (
        "intruder",
        "last week somebody looked for secrets and passwords; there is a new superuser now",
        "golive-weekly",
    )
