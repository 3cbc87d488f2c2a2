"""Asks a Docker-compatible API: the Docker Engine, or podman's service.

Formats: https://docs.docker.com/reference/api/engine/ (SystemVersion, ContainerList, ContainerInspect); what is
read here is the same since version 1.24. podman differs in what it leaves empty: without a health check its status
is "".
"""

import asyncio
import datetime as dt
import json
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec

from opsconsole.checks._http import Answer, Clients, refusal
from opsconsole.checks._servers import Endpoint
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import Context, ProbeError
from opsconsole.model.readings import Evidence
from opsconsole.model.text import shortened, visible

T = TypeVar("T")

OLDEST, NEWEST = (1, 24), (1, 51)
"""Versions of the API that are spoken. A service that no longer speaks the newest is asked in its own."""

PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"
"""Labels that Compose gives its containers, podman's too."""

RUNNING, RESTARTING, EXITED, MISSING = "running", "restarting", "exited", "missing"
UP = frozenset({RUNNING, "paused"})
"""States of a container whose process is there."""

_AT_ONCE = 8
"""Containers that are looked at at the same time."""
_NOT_FOUND = 404
_LONGEST = 200
"""Characters of a name that are shown."""
_HEALTH_SHOWN = 500
"""Characters of what a health check said last."""
_VERSION = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")
_NEVER = re.compile(r"|0001-01-01T.*", re.DOTALL)
_NO_HEALTH = frozenset({"", "none"})


class Service(msgspec.Struct, frozen=True):
    """Who answers, and in which version."""

    name: str
    """`Docker Engine 20.10.24`."""
    version: str
    """Of the API: `1.41`."""


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One container; None where nothing is said, or nothing can be."""

    name: str
    service: str = ""
    """What its Compose file calls it."""
    image: str | None = None
    state: str
    """`created`, `running`, `paused`, `restarting`, `removing`, `exited`, `dead`, whatever else is answered; or
    `missing` for one that is not there."""
    health: str | None = None
    """`healthy`, `unhealthy` or `starting`; None without a health check, and for one that does not run: what its
    check said before is of no use then."""
    restarts: int | None = None
    started: dt.datetime | None = None
    ended: dt.datetime | None = None
    exit_code: int | None = None
    oom_killed: bool | None = None
    said: str = ""
    """What its health check said last, where that is not healthy."""

    @property
    def failed(self) -> bool:
        """Whether it ended badly."""
        return self.state == "dead" or (self.state == EXITED and self.exit_code != 0)


# --- what is answered --------------------------------------------------------------------------------


class _Component(msgspec.Struct, frozen=True):
    name: str = msgspec.field(name="Name", default="")


class _Version(msgspec.Struct, frozen=True):
    api: str = msgspec.field(name="ApiVersion")
    least: str = msgspec.field(name="MinAPIVersion", default="")
    version: str = msgspec.field(name="Version", default="")
    components: list[_Component] | None = msgspec.field(name="Components", default=None)


class Listed(msgspec.Struct, frozen=True):
    """One container as the list has it."""

    id: str = msgspec.field(name="Id")
    names: list[str] | None = msgspec.field(name="Names", default=None)
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)

    @property
    def name(self) -> str:
        """Its own name, not one under which a linked container knows it."""
        own = [each.removeprefix("/") for each in self.names or ()]
        return next((each for each in own if each and "/" not in each), self.id[:12])

    @property
    def service(self) -> str:
        """What its Compose file calls it, empty for others."""
        return (self.labels or {}).get(SERVICE, "")


class _Said(msgspec.Struct, frozen=True):
    output: str = msgspec.field(name="Output", default="")


class _Health(msgspec.Struct, frozen=True):
    status: str = msgspec.field(name="Status", default="")
    log: list[_Said] | None = msgspec.field(name="Log", default=None)


class _State(msgspec.Struct, frozen=True):
    status: str = msgspec.field(name="Status")
    exit_code: int | None = msgspec.field(name="ExitCode", default=None)
    oom_killed: bool | None = msgspec.field(name="OOMKilled", default=None)
    started: str = msgspec.field(name="StartedAt", default="")
    ended: str = msgspec.field(name="FinishedAt", default="")
    health: _Health | None = msgspec.field(name="Health", default=None)


class _Config(msgspec.Struct, frozen=True):
    image: str = msgspec.field(name="Image", default="")


class _Inspected(msgspec.Struct, frozen=True):
    state: _State = msgspec.field(name="State")
    restarts: int | None = msgspec.field(name="RestartCount", default=None)
    config: _Config | None = msgspec.field(name="Config", default=None)


# --- asking ------------------------------------------------------------------------------------------


class Docker:
    """One service, asked for one measurement."""

    def __init__(self, clients: Clients, endpoint: Endpoint, context: Context) -> None:
        self._clients = clients
        self._endpoint = endpoint
        self._context = context
        self._prefix = ""

    async def service(self) -> Service:
        """Find out who answers and agree on a version; to be called first."""
        answer = await self._ask("version")
        service = parsed_service(answer.body, self._endpoint.name)
        self._prefix = f"v{service.version}/"
        return service

    async def listed(self, labels: Sequence[str]) -> list[Listed]:
        """Return the containers with all these labels (`role` or `role=web`), those that do not run included."""
        params = {"all": "1"}
        if labels:
            params["filters"] = json.dumps({"label": list(labels)})
        answer = await self._ask("containers/json", params)
        return [each for each in parsed_list(answer.body, self._endpoint.name) if _has(each.labels or {}, labels)]

    async def looked_at(self, listed: Iterable[Listed]) -> list[Container]:
        """Return each container of the list that is still there."""
        gate = asyncio.Semaphore(_AT_ONCE)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._inspected(each, gate)) for each in listed]
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        found = (task.result() for task in tasks)
        return [each for each in found if each is not None]

    async def _inspected(self, listed: Listed, gate: asyncio.Semaphore) -> Container | None:
        async with gate:
            answer = await self._ask(f"containers/{listed.id}/json", gone=True)
        if answer.status == _NOT_FOUND:
            return None
        return parsed_container(answer.body, listed, self._endpoint.name)

    async def _ask(self, path: str, params: Mapping[str, str] | None = None, *, gone: bool = False) -> Answer:
        try:
            answer = await self._clients.ask(self._endpoint, self._context, self._prefix + path, params=params)
        except ProbeError as error:
            if error.problem.reason != "source-down" or not self._endpoint.socket:
                raise
            socket = self._endpoint.socket
            raise await in_thread(f"look at {socket}", lambda: _closed(socket)) or error from None
        if answer.status != 200 and not (gone and answer.status == _NOT_FOUND):  # noqa: PLR2004 - RFC 9110
            raise refusal(self._endpoint, answer)
        return answer


def _closed(socket: str) -> ProbeError | None:
    """Return why a socket cannot be connected to, None where nobody listens there."""
    try:
        if not stat.S_ISSOCK(os.stat(socket).st_mode):  # noqa: PTH116 - a text stays a text here
            return ProbeError("not-found", f"{socket} is no socket", "name the socket of Docker or podman")
        allowed = os.access(socket, os.R_OK | os.W_OK, effective_ids=True)
    except FileNotFoundError:
        return ProbeError(
            "source-down",
            f"there is no socket {socket}",
            "see whether the service runs: `systemctl status docker.socket` or `podman.socket`",
        )
    except PermissionError:
        allowed = False
    except OSError:
        return None
    if allowed:
        return None
    return ProbeError(
        "no-permission",
        f"this user may not use {socket}",
        "let it into the socket's group (`usermod -aG docker NAME`), through which it has the rights of root, "
        "or name a proxy of the API that only reads",
    )


def _has(labels: Mapping[str, str], wanted: Iterable[str]) -> bool:
    pairs = (each.partition("=") for each in wanted)
    return all(name in labels and (not equals or labels[name] == value) for name, equals, value in pairs)


# --- reading answers ---------------------------------------------------------------------------------


def parsed_service(body: bytes, name: str) -> Service:
    """Return who answers to `/version`, with the version of the API that is spoken; raise ProbeError."""
    told = _decoded(body, _Version, name)
    spoken, least = _version(told.api), _version(told.least) or OLDEST
    if spoken is None:
        raise _unreadable(name, body, f"its version is '{visible(told.api[:50])}'")
    if spoken < OLDEST:
        raise ProbeError(
            "bad-answer",
            f"{name} speaks version {told.api} of Docker's API",
            f"what is needed is there from {_dotted(OLDEST)} on: use a newer Docker or podman",
        )
    chosen = spoken if spoken <= NEWEST or least > NEWEST else NEWEST
    who = next((each.name for each in told.components or () if each.name), "") or "the service"
    return Service(shortened(f"{who} {told.version}".strip(), _LONGEST), _dotted(chosen))


def parsed_list(body: bytes, name: str) -> list[Listed]:
    """Return what `/containers/json` lists; raise ProbeError."""
    listed = _decoded(body, list[Listed], name)
    odd = next((each.id for each in listed if not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", each.id)), None)
    if odd is not None:
        raise _unreadable(name, body, f"a container has the id '{visible(odd[:50])}'")
    return listed


def parsed_container(body: bytes, listed: Listed, name: str) -> Container:
    """Return what `/containers/ID/json` says of one container; raise ProbeError."""
    told = _decoded(body, _Inspected, name)
    state = told.state
    up, started = state.status in UP, _moment(state.started, name, body)
    health = state.health.status if state.health is not None and state.status == RUNNING else ""
    return Container(
        name=shortened(listed.name, _LONGEST),
        service=shortened(listed.service, _LONGEST),
        image=shortened(told.config.image, _LONGEST) if told.config is not None and told.config.image else None,
        state=shortened(state.status, _LONGEST),
        health=None if health in _NO_HEALTH else shortened(health, _LONGEST),
        restarts=told.restarts,
        started=started,
        ended=None if up or started is None else _moment(state.ended, name, body),
        exit_code=None if up or started is None else state.exit_code,
        oom_killed=None if started is None else state.oom_killed,
        said=_last_words(state.health) if health == "unhealthy" else "",
    )


def _last_words(health: _Health | None) -> str:
    log = (health.log if health is not None else None) or ()
    return shortened(log[-1].output.strip(), _HEALTH_SHOWN) if log else ""


def _decoded(body: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        raise _unreadable(name, body, " ".join(str(error).split())[:200]) from None


def _moment(text: str, name: str, body: bytes) -> dt.datetime | None:
    """Return a time of RFC 3339 with up to nine decimals, None for what never was (year 1)."""
    if _NEVER.fullmatch(text):
        return None
    try:
        moment = dt.datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        pass
    raise _unreadable(name, body, f"'{visible(text[:50])}' is no time")


def _unreadable(name: str, body: bytes, why: str) -> ProbeError:
    shown = body[:4000].decode("utf-8", "backslashreplace")
    return ProbeError(
        "bad-answer",
        f"{name} does not answer as Docker's API does: {why}",
        "see whether that is Docker or podman",
        (Evidence("answer", shown, truncated=len(body) > len(shown)),),
    )


def _version(text: str) -> tuple[int, int] | None:
    match = _VERSION.fullmatch(text)
    return (int(match[1]), int(match[2])) if match is not None else None


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"
