"""The web side of the system: its registry, 28 services with their health checks, and the page that users have."""

from opsconsole.demo.drawing import between
from opsconsole.demo.golive.faults import Fault
from opsconsole.demo.golive.system import SERVICES, Site
from opsconsole.demo.web import Answer, Asked, as_json

_LOST = "billing"
"""Whom the faults are about."""
_MODELS = (("llama3.1:8b", 4_920_753_328), ("nomic-embed-text:latest", 274_302_450), ("qwen2.5:14b", 8_988_124_069))
_HEADERS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
}
_PAGE = (
    b"<!doctype html><html lang=en><title>Assistant</title><div id=app></div><script src=/app.js></script></html>"
)


class Services:
    """Answers for the registry at `/registry`, and for each service at `/NAME`."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._paths = {f"/{each.name}{each.health}": each for each in SERVICES}
        self.address = ""
        """Host and port under which they are reached."""

    def answer(self, asked: Asked) -> Answer | None:
        """Return the answer to a request; None for a path that there is not."""
        match asked.path:
            case "/registry/services.json":
                return as_json({"services": self._named(), "updated": int(self._site.now)})
            case "/frontend/":
                return Answer(_PAGE, content_type="text/html; charset=utf-8", after=self._time("frontend"))
            case "/model/api/tags":
                return as_json({"models": self._models()}, after=self._time("model"))
        service = self._paths.get(asked.path)
        if service is None:
            return None
        if service.name == _LOST and self._site.fault is Fault.SERVICE_DOWN:
            return as_json(
                {"status": "DOWN", "database": "connection refused"}, 503, after=self._time(service.name)
            )
        return as_json({"status": "ok", "service": service.name}, after=self._time(service.name))

    def _named(self) -> list[dict[str, str]]:
        left_out = _LOST if self._site.fault is Fault.FORGOTTEN_SERVICE else ""
        return [
            {"name": each.name, "health": f"{self.address}/{each.name}{each.health}"}
            for each in SERVICES
            if each.name != left_out
        ]

    def _models(self) -> list[dict[str, object]]:
        if self._site.fault is Fault.NO_MODEL:
            return []
        return [{"name": name, "size": size} for name, size in _MODELS]

    def _time(self, service: str) -> float:
        """Return the seconds that an answer takes: some are quick, and none is always as quick."""
        slow = 24 if service in {"backend", "frontend", "model", "documents"} else 6
        return between(f"{service} {self._site.now // 20}", 1, slow) / 1000


def public_page(asked: Asked) -> Answer | None:
    """Return the page that users have."""
    if asked.path != "/":
        return None
    return Answer(_PAGE, content_type="text/html; charset=utf-8", headers=_HEADERS)
