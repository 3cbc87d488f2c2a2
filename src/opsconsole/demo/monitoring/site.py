"""What the site says: a dashboard with an API of Frappe's, `{"message": ...}`, with local times without a zone."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from opsconsole.demo.drawing import between
from opsconsole.demo.monitoring.errorlog import LoggedError
from opsconsole.demo.monitoring.faults import Fault
from opsconsole.demo.web import Answer, Answering, Asked, as_json

SITE = ZoneInfo("Europe/Amsterdam")
PAGE = "/monitoring_dashboard"
_METHODS = "/api/method/verenigingen"
_DASHBOARD = f"{_METHODS}.www.monitoring_dashboard"
OPTIMISER = f"{_METHODS}.utils.performance_optimizer.get_optimization_status"
_FOUNDED = dt.date(2011, 3, 1)
_REFRESHED_EVERY = dt.timedelta(minutes=5)
_STALE = dt.timedelta(hours=7)
_SLOW_SECONDS = 0.26

Now = Callable[[], dt.datetime | None]
"""An instant of the past that the site is in, or None for the present."""


class Site:
    """The site at the instants that it is asked at."""

    def __init__(self, past: Now, log: Sequence[LoggedError], fault: Fault | None) -> None:
        self._past = past
        self._log = log
        self._fault = fault
        self._methods: dict[str, Callable[[dt.datetime], Any]] = {
            "/api/method/ping": lambda _: "pong",
            f"{_DASHBOARD}.get_executive_summary": self._summary,
            f"{_DASHBOARD}.get_system_metrics": self._metrics,
            f"{_DASHBOARD}.get_compliance_metrics": self._compliance,
            f"{_DASHBOARD}.get_active_alerts": self._alerts,
            f"{_DASHBOARD}.get_analytics_summary": self._analytics,
            f"{_DASHBOARD}.get_trend_forecasts": self._forecasts,
            f"{_DASHBOARD}.get_detailed_analytics_report": self._report,
            OPTIMISER: self._optimiser,
        }

    def answering(self) -> Answering:
        """Return what answers requests."""
        return self._answer

    def _answer(self, asked: Asked) -> Answer | None:
        past = self._past()
        now = past or dt.datetime.now(dt.UTC)
        if past is None and self._fault is Fault.SITE_DOWN:
            return Answer(b"<h1>502 Bad Gateway</h1>", 502, "text/html")
        if asked.path == PAGE:
            return self._page(past)
        method = self._methods.get(asked.path)
        return None if method is None else as_json({"message": method(now)}, after=self._takes(asked.path, past))

    def _page(self, past: dt.datetime | None) -> Answer:
        if self._is(Fault.LOGIN_LOST):
            return Answer(b"", 302, "text/html", {"Location": "/login?redirect-to=/monitoring_dashboard"})
        return Answer(b"<h2>Executive Summary</h2>", content_type="text/html", after=0.0 if past else 0.12)

    def _takes(self, path: str, past: dt.datetime | None) -> float:
        if past is not None:
            return 0.0
        if path.endswith("get_system_metrics"):
            return _SLOW_SECONDS if self._fault is Fault.SLOW_API else 0.04
        return 0.0 if path.endswith("ping") else 0.02

    def _is(self, fault: Fault) -> bool:
        """Tell whether that is wrong, now."""
        return self._fault is fault and self._past() is None

    # --- the methods ------------------------------------------------------------------------------

    def _summary(self, now: dt.datetime) -> dict[str, Any]:
        critical = self._is(Fault.CRITICAL_ISSUE)
        return {
            "overall_status": "critical" if critical else "healthy",
            "critical_issues_count": int(critical),
            "top_critical_issue": "Direct debit batch of this month was not created" if critical else "None",
            "business_impact": "high" if critical else "low",
            "generated_at": _local(now),
        }

    def _metrics(self, now: dt.datetime) -> dict[str, Any]:
        active = 840 + (now.astimezone(SITE).date() - _FOUNDED).days // 15 + between(f"{now.date()} members", 0, 3)
        if self._is(Fault.MEMBERS_LOST):
            active = active * 2 // 3
        hour, day, week = (
            sum(now - back < each.at <= now for each in self._log)
            for back in (dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(days=7))
        )
        return {
            "members": {"active": active, "total": active + 186},
            "errors": {"last_hour": hour, "last_24h": day, "last_week": week},
        }

    def _compliance(self, now: dt.datetime) -> dict[str, Any]:
        gap = self._is(Fault.COMPLIANCE_GAP)
        tenths = 864 if gap else 962 + between(f"{now:%G-%V} score", 0, 7)
        return {
            "overall_score": tenths / 10,
            "critical_gaps": int(gap),
            "sepa_compliance_rate": 98.4 + between(f"{now:%G-%V} debit", 0, 9) / 10,
            "audit_completeness": 97,
            "regulatory_violations": 0,
            "data_retention_status": "compliant",
            "last_assessment": _local(now - dt.timedelta(minutes=between(f"{now.date()} assessed", 40, 90))),
        }

    def _alerts(self, _now: dt.datetime) -> list[dict[str, str]]:
        alerts = [{"name": "ALERT-0412", "severity": "LOW", "message": "Disk of the application at 61 %"}]
        if self._is(Fault.CRITICAL_ISSUE):
            issue = {"name": "ALERT-0419", "severity": "CRITICAL", "message": "Direct debit batch is missing"}
            return [issue, *alerts]
        return alerts

    def _analytics(self, now: dt.datetime) -> dict[str, Any]:
        if self._is(Fault.ERROR_IN_ANSWER):
            return {"error": "Could not load analytics: (1213, 'Deadlock found when trying to get lock')"}
        refreshed = now - dt.timedelta(seconds=now.timestamp() % _REFRESHED_EVERY.total_seconds())
        return {
            "error_patterns": {"total_errors": len(self._log), "trend_direction": "stable", "peak_hour": 9},
            "hotspots": {"critical_count": 0},
            "last_updated": _local(refreshed - _STALE if self._is(Fault.STALE_ANALYTICS) else refreshed),
        }

    def _forecasts(self, now: dt.datetime) -> dict[str, Any]:
        confidence = 0 if self._is(Fault.NO_FORECAST) else 74 + between(f"{now.date()} forecast", 0, 90) / 10
        return {"confidence_score": confidence, "trend_alerts": 0, "capacity_recommendations": 1}

    def _report(self, now: dt.datetime) -> dict[str, Any]:
        return {"generated_at": _local(now), "report_period": "30 days"}

    def _optimiser(self, now: dt.datetime) -> dict[str, Any]:
        cold = self._is(Fault.COLD_CACHE)
        return {
            "current_metrics": {
                "timestamp": _local(now),
                "api_metrics": {
                    "average_response_time_ms": 71 + between(f"{now:%F %H} average", 0, 240) / 10,
                    "total_calls": between(f"{now:%F %H} calls", 180, 420),
                },
                "cache_metrics": {"hit_rate": 41.2 if cold else 86 + between(f"{now.date()} cache", 0, 30) / 10},
            },
            "timestamp": _local(now),
        }


def _local(moment: dt.datetime) -> str:
    return moment.astimezone(SITE).replace(tzinfo=None).isoformat(" ")
