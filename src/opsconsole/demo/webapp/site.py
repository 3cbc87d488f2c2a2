"""What the web application says over HTTP: its start page, its interface, its health pages."""

import datetime as dt
from collections.abc import Callable

from opsconsole.demo.drawing import between
from opsconsole.demo.web import Answer, Answering, Asked, as_json
from opsconsole.demo.webapp.faults import Fault

_SLOW_SECONDS = 2.3
_CACHED = dt.timedelta(hours=2)
_UNSOUND = {Fault.LOST_PARTICIPANTS, Fault.ORPHANS}
"""What the application's own health page notices, because it runs the audit."""


def answering(past: Callable[[], dt.datetime | None], fault: Fault | None) -> Answering:
    """Return what answers requests; `past` is an instant of the past that the site is in, or None."""

    def answer(asked: Asked) -> Answer | None:
        moment = past()
        return _answer(asked, moment or dt.datetime.now(dt.UTC), None if moment else fault)

    return answer


def _answer(asked: Asked, now: dt.datetime, fault: Fault | None) -> Answer | None:
    if fault is Fault.DOWN:
        return Answer(b"<h1>502 Bad Gateway</h1>", 502, "text/html")
    match asked.path:
        case "/":
            return Answer(b"<title>Quests</title>", content_type="text/html", after=0.01)
        case "/health/quick/":
            broken = fault is Fault.DATABASE_DOWN
            return as_json({"status": "ERROR" if broken else "OK"}, 503 if broken else 200)
        case "/health/":
            return _health(now, fault)
        case "/api/quests/" | "/api/applications/":
            if fault is Fault.DATABASE_DOWN:
                return as_json({"detail": "A server error occurred."}, 500)
            takes = between(f"{now:%F %H:%M} {asked.path}", 20, 70) / 1000
            listed = [{"id": each} for each in range(between(f"{now:%F} {asked.path}", 20, 50))]
            return as_json(listed, after=_SLOW_SECONDS if fault is Fault.SLOW_API else takes)
    return None


def _health(now: dt.datetime, fault: Fault | None) -> Answer:
    database, sound = fault is not Fault.DATABASE_DOWN, fault not in _UNSOUND
    made_at = now - _CACHED if fault is Fault.STALE_HEALTH else now
    days = (now.date() - dt.date(2024, 9, 2)).days
    models = {"applications": days * 3, "quests": days, "participants": days * 2}
    checks = {
        "database": "OK" if database else "ERROR: connection refused",
        "data_integrity": "OK" if sound else "ISSUES FOUND",
        "models": models,
    }
    well = database and sound
    said = {
        "timestamp": made_at.replace(tzinfo=None).isoformat(),
        "status": "healthy" if well else "unhealthy",
        "checks": checks,
    }
    return as_json(said, 200 if well else 503, after=0.05)
