"""Probe `network`: the traffic of interfaces over a window, the TCP connections by state, the ports listened on."""

import asyncio
import ipaddress
import shlex
import threading
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from opsconsole.checks import _groups, _interfaces, _sampling, _tcpsockets
from opsconsole.checks._sampling import Samples
from opsconsole.checks._tcpsockets import Sockets
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Duration, Number, Unit, Value

INTERFACES, CONNECTIONS, LISTENING = "interfaces", "connections", "listening"
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]

STATES: Subjects = dict.fromkeys(
    ("count", *dict.fromkeys(name for name in _tcpsockets.STATES.values() if name != "listen")), Unit.COUNT
)
"""How many TCP connections there are (`count`), and how many of them in each state."""
PORTS: Subjects = {"port": Unit.COUNT, "listening": None, "public": None, "addresses": None, "count": Unit.COUNT}
"""The port, whether a socket listens on it, whether others than this host can reach it (by an address that is not
loopback), and the addresses."""

_MOST_SHOWN = 1000


class NetworkOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `network`."""

    of: Literal["interfaces", "connections", "listening"] = "interfaces"
    """What to look at: the traffic of `interfaces`, TCP `connections` by their state, or the TCP ports that are
    listened on (`listening`)."""
    interface: str = ""
    """The one that is looked at, such as `eth0`. Where it is left out, every one that is set up has a row, but for
    loopback."""
    window: Duration = _sampling.DEFAULT
    """How long the traffic of interfaces is counted: `rx_rate` and `tx_rate` are bytes, `error_rate` and
    `drop_rate` events a second, `speed` is in Mbit/s. It must lie within the item's `timeout`."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0
    """With `connections`: only those of this local port, such as those to a server on this host."""
    ports: tuple[Port, ...] = ()
    """With `listening`: the ports that are asked for, one row each, whether they are listened on or not. Where it
    is left out, every port that is listened on has a row."""


class NetworkProbe:
    """Asks the kernel, in threads."""

    async def measure(self, options: NetworkOptions, context: Context) -> Reading:
        """Return measures of one interface or of the connections, or a table of interfaces or ports."""
        if options.of == INTERFACES:
            return await _traffic(options, context)
        seen = await _counted(options.port if options.of == CONNECTIONS else 0, context)
        return _connections(options, seen) if options.of == CONNECTIONS else _ports(options, seen)

    async def aclose(self) -> None:
        """Nothing to end."""


def _where() -> list[Evidence]:
    if not _groups.in_container():
        return []
    text = "The console runs in a container: these are the network interfaces and sockets that the container sees."
    return [Evidence("whose figures", text)]


# --- interfaces --------------------------------------------------------------------------------------


async def _traffic(options: NetworkOptions, context: Context) -> Reading:
    _sampling.refuse_too_long(options.window, context)
    try:
        async with asyncio.timeout(context.allowance):
            if options.interface:
                _refuse_missing(options.interface, await _interfaces.interfaces())
            samples = await _sampling.sampled(_interfaces.interfaces, options.window)
    except TimeoutError:
        raise ProbeError(
            "timeout",
            f"the interfaces had not been read after {context.allowance:.3g} s",
            "is the host overloaded?",
        ) from None
    if options.interface:
        _refuse_missing(options.interface, samples.last)
        seen = _interfaces.values(options.interface, samples)
        return Reading(
            measures=seen,
            evidence=(_interface_evidence(options, [seen], ""), *_where()),
            command=shlex.join(["ip", "-statistics", "link", "show", "dev", options.interface]),
        )
    return _all(options, samples)


def _all(options: NetworkOptions, samples: Samples[_interfaces.Interfaces]) -> Reading:
    chosen = [name for name, each in samples.last.items() if each.wanted]
    gone = [name for name, each in samples.first.items() if each.wanted and name not in samples.last]
    others = [name for name in samples.last if name not in chosen]
    if not chosen:
        raise ProbeError(
            "empty",
            "no network interface is set up here, beside loopback",
            f"name one by `interface`; there are {', '.join(others) or 'none'}",
        )
    seen = [_interfaces.values(name, samples) for name in sorted(chosen)]
    notes = [f"left out, not set up or loopback: {', '.join(others)}"] if others else []
    notes += [f"removed while one looked: {', '.join(gone)}"] if gone else []
    return Reading(
        columns=tuple(_interfaces.SUBJECTS),
        rows=tuple(tuple(each[name] for name in _interfaces.SUBJECTS) for each in seen),
        label="interface",
        truncated=bool(gone),
        evidence=(_interface_evidence(options, seen, "\n".join(notes)), *_where()),
        command="ip -statistics link",
    )


def _interface_evidence(options: NetworkOptions, seen: list[dict[str, Value]], note: str) -> Evidence:
    lines = [f"over {options.window}", *map(_interfaces.line, seen), *([note] if note else [])]
    return Evidence("interfaces", "\n".join(lines))


def _refuse_missing(name: str, found: Mapping[str, object]) -> None:
    if name not in found:
        raise ProbeError(
            "not-found",
            f"there is no network interface {name}",
            f"there are {', '.join(sorted(found)) or 'none'}; was it renamed? See `ip link`",
        )


# --- sockets -----------------------------------------------------------------------------------------


async def _counted(port: int, context: Context) -> Sockets:
    given_up = threading.Event()
    try:
        async with asyncio.timeout(context.allowance):
            return await in_thread(f"sockets {port} {id(given_up)}", lambda: _tcpsockets.sockets(given_up, port))
    except TimeoutError:
        raise ProbeError(
            "timeout", f"the TCP sockets had not been counted after {context.allowance:.3g} s", "raise `timeout`"
        ) from None
    finally:
        given_up.set()


def _connections(options: NetworkOptions, seen: Sockets) -> Reading:
    counts = {name: seen.states[name] for name in STATES if name != "count"}
    measures: dict[str, Value] = {name: Number(Decimal(count)) for name, count in counts.items()}
    measures["count"] = Number(Decimal(sum(counts.values())))
    said = [f"{name}: {count}" for name, count in counts.items() if count] or ["no connection"]
    if options.port:
        said.insert(0, f"of the local port {options.port}")
    shown = ["ss", "--tcp", "--all", "--numeric", *([f"sport = :{options.port}"] if options.port else [])]
    return Reading(
        measures=measures,
        lower_bounds=() if seen.complete else tuple(measures),
        evidence=(Evidence("connections", "\n".join([*said, *_limits(seen)])), *_where()),
        command=shlex.join(shown),
    )


def _ports(options: NetworkOptions, seen: Sockets) -> Reading:
    if options.ports and not seen.complete and set(options.ports) - seen.listening.keys():
        raise ProbeError(
            "too-large",
            f"there are more than {_tcpsockets.MOST_SOCKETS:,} TCP sockets, so not all could be looked at",
            "ask for the port by the probe `tcp`",
        )
    ports = list(dict.fromkeys(options.ports)) or sorted(seen.listening)
    found = [(port, sorted(set(seen.listening.get(port, [])))) for port in ports[:_MOST_SHOWN]]
    said = [f"{port}: {', '.join(addresses) or 'not listened on'}" for port, addresses in found] or ["no port"]
    return Reading(
        columns=tuple(name for name in PORTS if name != "count"),
        rows=tuple(_port_row(port, addresses) for port, addresses in found),
        label="port",
        truncated=len(ports) > len(found) or not (options.ports or seen.complete),
        evidence=(Evidence("listening", "\n".join([*said, *_limits(seen)])), *_where()),
        command="ss --tcp --listening --numeric",
    )


def _port_row(port: int, addresses: list[str]) -> tuple[Value, ...]:
    public = any(not _is_loopback(each) for each in addresses)
    return Number(Decimal(port)), bool(addresses), public, ", ".join(addresses)


def _is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


def _limits(seen: Sockets) -> list[str]:
    said = []
    if not seen.complete:
        said.append(f"there are more than {_tcpsockets.MOST_SOCKETS:,} sockets, and no more were counted")
    if seen.missing:
        said.append(f"the kernel has no table {' and '.join(seen.missing)}: what there is of it is not counted")
    return said


# --- the kind ----------------------------------------------------------------------------------------


def _problems(options: NetworkOptions) -> list[tuple[str, str]]:
    found = []
    if problem := _sampling.window_problem(options.window):
        found.append(("window", problem))
    if options.interface and (options.of != INTERFACES or "/" in options.interface or " " in options.interface):
        found.append(("interface", f"'{options.interface}' is the name of no interface; or leave it out with `of`"))
    if options.port and options.of != CONNECTIONS:
        found.append(("port", "goes with `of = 'connections'` only"))
    if options.ports and options.of != LISTENING:
        found.append(("ports", "goes with `of = 'listening'` only"))
    return found


def _subjects(options: NetworkOptions) -> Subjects:
    if options.of == CONNECTIONS:
        return STATES
    if options.of == LISTENING:
        return PORTS
    return _interfaces.SUBJECTS if options.interface else {**_interfaces.SUBJECTS, "count": Unit.COUNT}


def _open(_environment: Environment) -> NetworkProbe:
    return NetworkProbe()


KIND = ProbeKind(
    name="network",
    summary="Measures the traffic of network interfaces, counts TCP connections, and finds the ports listened on.",
    options=NetworkOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
