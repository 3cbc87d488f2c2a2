"""What can be wrong with the monitoring system of the demo."""

from opsconsole.demo.system import DemoFault


class Fault(DemoFault):
    """One thing that is wrong with it now."""

    SITE_DOWN = "site-down", "the site answers 502: the application behind its web server is gone"
    LOGIN_LOST = "login-lost", "the account that looks has lost its rights: the dashboard redirects to the login"
    CRITICAL_ISSUE = "critical-issue", "the dashboard reports a critical issue, with an alert that is open"
    ERROR_IN_ANSWER = "error-in-answer", "analytics fail, and say so with status 200 and an error in the body"
    STALE_ANALYTICS = "stale-analytics", "analytics answer as always, with what they worked out seven hours ago"
    NO_FORECAST = "no-forecast", "forecasts are served with a confidence of 0: none could be made"
    ERROR_STORM = "error-storm", "the bank's interface failed 34 times within twenty minutes"
    NEW_ERROR = "new-error", "one error of a kind that was never in the log before"
    MEMBERS_LOST = "members-lost", "the number of active members fell by a third since yesterday"
    COMPLIANCE_GAP = "compliance-gap", "a critical gap in compliance: the score is 86.4 %"
    SLOW_API = "slow-api", "the API takes a quarter of a second"
    COLD_CACHE = "cold-cache", "the cache was emptied: it hits 41.2 % of the time"
    BROKEN_BACKUP = (
        "broken-backup",
        "the newest backup of the configuration was cut off: its disk was full",
        "monitoring-quarterly",
    )
    DATABASE_DOWN = "database-down", "the database server is stopped, while the site answers from its cache"
