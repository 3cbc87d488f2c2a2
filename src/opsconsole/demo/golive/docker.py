"""Stands for Docker: what its API says of the system's containers.

Format: https://docs.docker.com/reference/api/engine/ (SystemVersion, ContainerList, ContainerInspect).
"""

import datetime as dt
import hashlib
import json
import re
from typing import Any

from opsconsole.demo.drawing import between
from opsconsole.demo.golive.faults import Fault
from opsconsole.demo.golive.system import PROJECT, SERVICES, Service, Site
from opsconsole.demo.web import Answer, Asked, as_json

_VERSION = "1.47"
_PATH = re.compile(r"(?:/v1\.\d+)?/(?P<what>_ping|version|containers/json|containers/(?P<id>[0-9a-z_-]+)/json)")
_KILLED = "recommender"
_RESTARTS = 4
_LIVED = 1140.0
"""Seconds since the container that was killed runs again."""
_DEPLOYED = 11
"""Days ago."""


class Docker:
    """Answers what is asked of Docker."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._containers = {_id(each): each for each in SERVICES}

    def answer(self, asked: Asked) -> Answer | None:
        """Return the answer to a request."""
        match = _PATH.fullmatch(asked.path)
        if match is None:
            return as_json({"message": "page not found"}, 404)
        match match["what"]:
            case "_ping":
                return Answer(b"OK", content_type="text/plain; charset=utf-8")
            case "version":
                return as_json(_ABOUT)
            case "containers/json":
                return self._listed(asked)
        found = self._containers.get(match["id"])
        if found is None:
            return as_json({"message": f"No such container: {match['id']}"}, 404)
        return as_json(self._inspected(match["id"], found))

    def _listed(self, asked: Asked) -> Answer:
        try:
            wanted = json.loads(asked.query.get("filters") or "{}").get("label", [])
        except (ValueError, AttributeError):
            return as_json({"message": "invalid filter"}, 400)
        return as_json([_short(number, each) for number, each in self._containers.items() if _has(each, wanted)])

    def _inspected(self, number: str, service: Service) -> dict[str, Any]:
        killed = service.name == _KILLED and self._site.fault is Fault.KILLED_CONTAINER
        begun = self._site.began - _LIVED if killed else _started(self._site, service)
        state = {
            "Status": "running",
            "Running": True,
            "Paused": False,
            "Restarting": False,
            "OOMKilled": killed,
            "Dead": False,
            "Pid": between(f"{service.name} pid", 1200, 64000),
            "ExitCode": 0,
            "Error": "",
            "StartedAt": _moment(begun),
            "FinishedAt": _moment(begun - 2.4) if killed else "0001-01-01T00:00:00Z",
            "Health": {"Status": "healthy", "FailingStreak": 0, "Log": []},
        }
        return {
            "Id": number,
            "Name": f"/{_name(service)}",
            "RestartCount": _RESTARTS if killed else 0,
            "State": state,
            "Config": {"Image": service.image, "Labels": _labels(service)},
        }


_ABOUT = {
    "Version": "27.3.1",
    "ApiVersion": _VERSION,
    "MinAPIVersion": "1.24",
    "Os": "linux",
    "Arch": "amd64",
    "Components": [{"Name": "Engine (the opsconsole demo's stand-in)", "Version": "27.3.1"}],
}


def _id(service: Service) -> str:
    return hashlib.sha256(f"{PROJECT} {service.name}".encode()).hexdigest()


def _name(service: Service) -> str:
    return f"{PROJECT}-{service.name}-1"


def _labels(service: Service) -> dict[str, str]:
    return {"com.docker.compose.project": PROJECT, "com.docker.compose.service": service.name}


def _short(number: str, service: Service) -> dict[str, Any]:
    return {
        "Id": number,
        "Names": [f"/{_name(service)}"],
        "Image": service.image,
        "Labels": _labels(service),
        "State": "running",
    }


def _has(service: Service, wanted: list[str]) -> bool:
    labels = _labels(service)
    pairs = (each.partition("=") for each in wanted)
    return all(name in labels and (not equals or labels[name] == value) for name, equals, value in pairs)


def _started(site: Site, service: Service) -> float:
    """Return when a container was started: all of them with one release, one after the other."""
    day = dt.timedelta(days=_DEPLOYED, seconds=between(service.name, 0, 240))
    return (site.begun - day).replace(hour=20, minute=4).timestamp() + between(service.name, 0, 40)


def _moment(when: float) -> str:
    return f"{dt.datetime.fromtimestamp(when, dt.UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"
