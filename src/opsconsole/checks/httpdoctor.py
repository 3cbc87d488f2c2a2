"""What can be said of an HTTP source before an item asks it: whether it answers, how fast, and how safely."""

import datetime as dt
import time

import msgspec

from opsconsole.checks import _tls
from opsconsole.checks._http import Clients, Endpoint, Server, endpoint_of
from opsconsole.checks._httpproblems import UntrustedError
from opsconsole.contracts.probe import Environment, ProbeError, Source
from opsconsole.model.readings import Problem
from opsconsole.model.values import Number, seconds

_PATIENCE = 10.0
"""Seconds for one source."""
_REFUSALS = frozenset({401, 403})


class HttpReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about one source; without secrets."""

    name: str
    where: str
    """Its URL, or the path of its socket."""
    status: int | None = None
    """What it answered, None where it did not."""
    latency: Number | None = None
    """Seconds of a request, with the connection."""
    problem: Problem | None = None
    credentials: tuple[str, ...] = ()
    """What goes with a request and could be read: `token`, `password`, or the name of a header."""
    refused: bool = False
    """It answered that these are not the right ones, or that there are none."""
    encrypted: bool = False
    certificate_left: Number | None = None
    """Seconds until the first of its certificates ends that could be seen; negative afterwards. None for none."""


class _Allowance(msgspec.Struct, frozen=True):
    allowance: float
    item: str = ""
    target: str = ""


async def inspect_http(name: str, source: Source, now: dt.datetime | None = None) -> HttpReport:
    """Ask a source once, at its URL as it stands; what goes wrong is in the report."""
    where = source.url
    try:
        endpoint = endpoint_of(Server(source=name), Environment(sources={name: source}))
    except ProbeError as error:
        return HttpReport(name=name, where=where, problem=error.problem, encrypted=where.startswith("https:"))
    report = HttpReport(name=name, where=where, credentials=_credentials(source), encrypted=endpoint.encrypted)
    if endpoint.encrypted:
        report = await _with_certificate(report, endpoint, now or dt.datetime.now(dt.UTC))
        if report.problem is not None:
            return report
    clients = Clients()
    try:
        began = time.monotonic()
        answer = await clients.ask(endpoint, _Allowance(_PATIENCE))
        latency = seconds(answer.elapsed)
        refused = answer.status in _REFUSALS
        return msgspec.structs.replace(report, status=answer.status, latency=latency, refused=refused)
    except UntrustedError as error:
        return msgspec.structs.replace(report, problem=error.problem)
    except ProbeError as error:
        if error.problem.reason == "too-large":  # which is an answer
            return msgspec.structs.replace(report, latency=seconds(time.monotonic() - began))
        return msgspec.structs.replace(report, problem=error.problem)
    finally:
        await clients.aclose()


async def _with_certificate(report: HttpReport, endpoint: Endpoint, now: dt.datetime) -> HttpReport:
    try:
        seen = await _tls.presented(endpoint, min(_PATIENCE, endpoint.connect_timeout))
    except ProbeError as error:
        return msgspec.structs.replace(report, problem=error.problem)
    left = (min(each.ends_at for each in seen.certificates) - now).total_seconds()
    return msgspec.structs.replace(report, certificate_left=seconds(left))


def _credentials(source: Source) -> tuple[str, ...]:
    found = ["token"] if source.bearer else ["password"] if source.user else []
    return (*found, *(f"header {name}" for name in source.headers))
