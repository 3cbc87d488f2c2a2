"""Probe `container`: what Docker or podman says of the containers of a host."""

import asyncio
import datetime as dt
import fnmatch
import shlex
from collections.abc import Iterable, Sequence

from opsconsole.checks._docker import (
    EXITED,
    MISSING,
    PROJECT,
    RESTARTING,
    RUNNING,
    Container,
    Docker,
    Listed,
    Service,
)
from opsconsole.checks._http import Clients
from opsconsole.checks._servers import Endpoint, Server, endpoint_of, lane_of, server_problems
from opsconsole.checks._timestamps import SKEW
from opsconsole.checks.httpsources import UNIX
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.text import visible
from opsconsole.model.values import Moment, Number, Unit, Value, number, seconds

SOCKET = f"{UNIX}/run/docker.sock"
MOST = 500
"""So many containers are looked at; with more the table is cut off."""

_MOST_EVIDENCE = 60_000
"""Characters."""
_MOST_SAYINGS = 5


class Options(Server, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `container`; without filters it looks at all, those that do not run included."""

    url: str = ""
    """The socket of the service: `unix:/run/docker.sock` where nothing else is said, `unix:/run/podman/podman.sock`
    for podman; or the address of a proxy that only reads."""
    name: str = ""
    """Only containers whose name is this, with `*` for anything: `shop-*`."""
    label: tuple[str, ...] = ()
    """Only containers with all these labels: `["role=web"]`, or `["role"]` whatever its value."""
    project: str = ""
    """Only containers of this Compose project."""
    expected: tuple[str, ...] = ()
    """Names of containers, or of services of the Compose project, that have to be there. One that is not has a row
    of its own with the state `missing`, and counts as `missing`, `stopped` and `unhealthy`."""


MEASURES = (
    "running",
    "healthy",
    "unhealthy",
    "starting",
    "unchecked",
    "restarting",
    "exited",
    "failed",
    "stopped",
    "missing",
)
COLUMNS: Subjects = {
    "name": None,
    "image": None,
    "state": None,
    "health": None,
    "restarts": Unit.COUNT,
    "started": None,
    "age": Unit.SECONDS,
    "ended": Unit.SECONDS,
    "exit_code": Unit.COUNT,
    "oom_killed": None,
}
SUBJECTS: Subjects = {"count": Unit.COUNT, **dict.fromkeys(MEASURES, Unit.COUNT), **COLUMNS}
"""How many there are `running`, `restarting` and `stopped` (all others, those that are missing included); of the
running ones how many are `healthy`, `unhealthy`, `starting` or `unchecked` (without a health check); of the stopped
ones how many have `exited`, and how many `failed` (exited with another code than 0, or dead).

Of each: `health` is there only for a running one with a health check, `age` is the time since it was started,
`ended` the time since it ended, `exit_code` that of its last run that ended, `restarts` how often its restart
policy started it again, and `oom_killed` whether the service saw a process of its last run killed
for want of memory."""

_NOT_UNHEALTHY = frozenset({None, "healthy", "starting"})
"""What nobody has heard of counts as unhealthy."""
_UNSEEN_IF_MISSING = ("restarting", "exited", "failed", "starting", "unchecked")
"""What one that is missing might have been: these are at least what is given then."""


class ContainerProbe:
    """Asks the service over the clients that all probes share; keeps nothing between two measurements."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def measure(self, options: Options, context: Context) -> Reading:
        """Return the containers as a table, with how many there are in each state."""
        problems = _problems(options)
        if problems:
            raise ProbeError("bad-options", "; ".join(f"{key}: {message}" for key, message in problems))
        endpoint = endpoint_of(_server(options), self._environment)
        docker = Docker(self._environment.shared(Clients), endpoint, context)
        try:
            async with asyncio.timeout(context.allowance):
                service = await docker.service()
                listed = _wanted(await docker.listed(_labels(options)), options)
                chosen, rest = _chosen(listed, options.expected)
                found = await docker.looked_at(chosen)
        except TimeoutError:
            raise ProbeError(
                "timeout",
                f"{endpoint.name} had not answered after {context.allowance:.3g} s",
                "see whether `docker ps` answers by hand, or raise `timeout`",
            ) from None
        containers = [*found, *_absent(found, options.expected)]
        if not containers:
            raise ProbeError("empty", f"{service.name} has no container{_filter_words(options)}", _EMPTY_HINT)
        return Reading(
            measures={name: number(count) for name, count in _counts(containers).items()},
            columns=tuple(COLUMNS),
            rows=tuple(_row(each, context) for each in containers),
            label="name",
            truncated=bool(rest),
            lower_bounds=_bounds(containers, truncated=bool(rest)),
            evidence=_evidence(containers, service, truncated=bool(rest)),
            command=_command(options, endpoint),
        )

    async def aclose(self) -> None:
        """Nothing of its own is open."""


_EMPTY_HINT = "see `docker ps --all`; where that is as it should be, the item may say so by `on_empty`"


def _server(options: Options) -> Server:
    shared = {each: getattr(options, each) for each in Server.__struct_fields__}
    return Server(**(shared if options.source or options.url else shared | {"url": SOCKET}))


def _labels(options: Options) -> tuple[str, ...]:
    return (*options.label, *([f"{PROJECT}={options.project}"] if options.project else []))


def _wanted(listed: Iterable[Listed], options: Options) -> list[Listed]:
    """Return those whose name is asked for, in the order of names."""
    found = [each for each in listed if not options.name or fnmatch.fnmatchcase(each.name, options.name)]
    return sorted(found, key=lambda each: each.name)


def _chosen(listed: Sequence[Listed], expected: Sequence[str]) -> tuple[Sequence[Listed], Sequence[Listed]]:
    """Return those that are looked at, the expected ones first where there are too many, and those that are not."""
    if len(listed) > MOST:
        listed = sorted(listed, key=lambda each: each.name not in expected and each.service not in expected)
    return listed[:MOST], listed[MOST:]


def _absent(found: Iterable[Container], expected: Iterable[str]) -> list[Container]:
    there = {each for container in found for each in (container.name, container.service)}
    return [Container(name=each, state=MISSING) for each in dict.fromkeys(expected) if each not in there]


# --- the reading -------------------------------------------------------------------------------------


def _bounds(containers: Sequence[Container], *, truncated: bool) -> tuple[str, ...]:
    """Return the measures that may be more than was seen."""
    if truncated:
        return MEASURES
    return _UNSEEN_IF_MISSING if any(each.state == MISSING for each in containers) else ()


def _counts(containers: Sequence[Container]) -> dict[str, int]:
    """Return how many there are of each kind, by the names of MEASURES."""
    states = [each.state for each in containers]
    running = [each.health for each in containers if each.state == RUNNING]
    missing = states.count(MISSING)
    counted = {
        "running": len(running),
        "healthy": running.count("healthy"),
        "unhealthy": sum(each not in _NOT_UNHEALTHY for each in running) + missing,
        "starting": running.count("starting"),
        "unchecked": running.count(None),
        "restarting": states.count(RESTARTING),
        "exited": states.count(EXITED),
        "failed": sum(each.failed for each in containers),
        "stopped": sum(each not in {RUNNING, RESTARTING} for each in states),
        "missing": missing,
    }
    return {name: counted[name] for name in MEASURES}


def _row(container: Container, context: Context) -> tuple[Value, ...]:
    values: dict[str, Value] = {
        "name": container.name,
        "image": container.image,
        "state": container.state,
        "health": container.health,
        "restarts": _number(container.restarts),
        "started": Moment(container.started) if container.started is not None else None,
        "age": _since(container.started, context),
        "ended": _since(container.ended, context),
        "exit_code": _number(container.exit_code),
        "oom_killed": container.oom_killed,
    }
    return tuple(values[name] for name in COLUMNS)


def _since(moment: dt.datetime | None, context: Context) -> Number | None:
    """Return the seconds that have passed, None for a moment that is still to come by more than clocks differ."""
    if moment is None:
        return None
    passed = (context.now - moment).total_seconds()
    return seconds(passed) if passed >= -SKEW else None


def _number(value: int | None) -> Number | None:
    return None if value is None else number(value)


def _evidence(containers: Sequence[Container], service: Service, *, truncated: bool) -> tuple[Evidence, ...]:
    more = f"; only {len(containers)} of them are shown" if truncated else ""
    lines = [f"{service.name}, version {service.version} of the API{more}", *map(_line, containers)]
    text = "\n".join(lines)
    said = [each for each in containers if each.said][:_MOST_SAYINGS]
    return (
        Evidence("containers", text[:_MOST_EVIDENCE], truncated or len(text) > _MOST_EVIDENCE),
        *(Evidence(f"health check of {visible(each.name)}", each.said) for each in said),
    )


def _line(container: Container) -> str:
    said = [container.state]
    if container.health:
        said.append(container.health)
    if container.exit_code is not None:
        said.append(f"exit code {container.exit_code}")
    if container.oom_killed:
        said.append("killed for want of memory")
    if container.restarts:
        said.append(f"restarted {container.restarts} times")
    image = f" ({visible(container.image)})" if container.image else ""
    return f"{visible(container.name)}{image}: {visible(', '.join(said))}"


def _filter_words(options: Options) -> str:
    said = [f"whose name is '{options.name}'"] if options.name else []
    said += [f"with the label {each}" for each in options.label]
    said += [f"of the Compose project '{options.project}'"] if options.project else []
    return " " + " and ".join(said) if said else ""


def _command(options: Options, endpoint: Endpoint) -> str:
    words = ["docker"]
    if endpoint.socket != SOCKET.removeprefix(UNIX):
        address = f"tcp://{endpoint.base.partition('://')[2]}"
        words += ["--host", f"unix://{endpoint.socket}" if endpoint.socket else address]
        words += ["--tls"] if endpoint.encrypted else []
    words += ["ps", "--all"]
    for label in _labels(options):
        words += ["--filter", f"label={label}"]
    if options.name and "*" not in options.name:
        words += ["--filter", f"name=^{options.name}$"]
    return shlex.join(words)


# --- the kind ----------------------------------------------------------------------------------------


def _problems(options: Options) -> list[tuple[str, str]]:
    found = server_problems(_server(options))
    for key in ("label", "expected"):
        if any(not each.strip() or "\0" in each for each in getattr(options, key)):
            found.append((key, "an empty one is none; leave it out"))
    if any(each.startswith("=") for each in options.label):
        found.append(("label", "write the name of a label, or NAME=VALUE"))
    if any(any(char in each for char in "*?[") for each in options.expected):
        found.append(("expected", "a container that has to be there has a whole name, without wildcards"))
    return found


def _open(environment: Environment) -> ContainerProbe:
    return ContainerProbe(environment)


KIND = ProbeKind(
    name="container",
    summary="The containers of Docker or podman: state, health, restarts and how each ended, counted and shown.",
    options=Options,
    subjects=lambda _options: SUBJECTS,
    open=_open,
    server=lambda options, sources: lane_of(_server(options), sources),
    validate=_problems,
    sources=("http",),
)
