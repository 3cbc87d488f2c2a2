"""What can be wrong with the web application of the demo."""

from opsconsole.demo.system import DemoFault


class Fault(DemoFault):
    """One thing that is wrong with it now, or was yesterday."""

    DOWN = "down", "nginx answers 502: the application behind it is gone"
    SLOW_API = "slow-api", "the interface takes 2.3 s to answer", "webapp-15min"
    STALE_HEALTH = "stale-health", "the health page is one of a cache: healthy, two hours ago"
    LOST_PARTICIPANTS = "lost-participants", "three people were approved forty minutes ago and take no part"
    ORPHANS = "orphans", "a quest was deleted, and its applications were not"
    HALF_DECIDED = "half-decided", "an application is approved, and nobody knows when: a transaction was not whole"
    FAILED_APPROVALS = "failed-approvals", "every fifth approval failed, yesterday and in the last hours"
    NEW_ERROR = "new-error", "yesterday's log has an error of a kind that was never there before"
    ERROR_BURST = "error-burst", "a known error came 28 times within an hour yesterday"
    CRITICAL = "critical", "the application wrote something critical four minutes ago", "webapp-5min"
    LOG_STOPPED = (
        "log-stopped",
        "the application runs, and has written nothing to its log for thirteen hours",
        "webapp-hourly",
    )
    GATEWAY_ERRORS = "gateway-errors", "nginx answers one request in eleven with 502", "webapp-15min"
    PASSWORD_LOGGED = "password-logged", "a form and an access key were written into the log", "webapp-weekly"
    OPEN_LOG = "open-log", "everybody on the host may read the log", "webapp-weekly"
    NOT_ROTATED = "not-rotated", "logrotate has not run for four days", "webapp-weekly"
    DATABASE_DOWN = "database-down", "PostgreSQL is stopped, while the start page comes from a cache"
