"""What the doctor says of HTTP sources."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from opsconsole.checks.httpdoctor import HttpReport, inspect_http
from opsconsole.contracts.probe import Source
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Number, formatted
from opsconsole.wiring.checked import Checked

_DAY = Decimal(86_400)
_SOON = 14 * _DAY
"""Seconds before the end of a certificate from which on it is told."""
_SERVER_ERROR = 500
_ON_THIS_HOST = re.compile(r"unix:|http://(?:localhost|127\.[0-9.]+|\[::1\])(?:[:/?]|\Z)", re.IGNORECASE)


def http_findings(sources: Mapping[str, Source]) -> Iterator[Checked]:
    """Yield what is found out about each source, asked at the same time."""

    async def inspected() -> list[HttpReport]:
        return await asyncio.gather(*(inspect_http(name, source) for name, source in sources.items()))

    for report in asyncio.run(inspected()) if sources else ():
        yield from _source(report)


def _source(report: HttpReport) -> Iterator[Checked]:
    subject = f"source {report.name}"
    if report.problem is not None:
        yield Checked(subject, Outcome.FAIL, report.problem.cause, report.problem.hint)
    elif report.refused:
        hint = "see whether its token or password is the right one" if report.credentials else "give it credentials"
        yield Checked(subject, Outcome.FAIL, f"{_answer(report)}: it refuses the request", hint)
    elif report.status is not None and report.status >= _SERVER_ERROR:
        yield Checked(subject, Outcome.WARN, _answer(report), "see its own log")
    else:
        yield Checked(subject, Outcome.PASS, _answer(report))
    if report.encrypted and report.certificate_left is not None:
        yield from _certificate(subject, report.certificate_left)
    if report.credentials and not report.encrypted and not _ON_THIS_HOST.match(report.where):
        yield Checked(
            subject,
            Outcome.WARN,
            f"its {report.credentials[0]} is sent over a connection that is not encrypted",
            "use https",
        )


def _answer(report: HttpReport) -> str:
    status = f" with status {report.status}" if report.status is not None else ", with more than is read"
    took = f" in {formatted(report.latency)}" if report.latency is not None else ""
    given = f"; {' and '.join(report.credentials)} could be read" if report.credentials else ""
    return f"{report.where} answers{status}{took}{given}"


def _certificate(subject: str, left: Number) -> Iterator[Checked]:
    days = int(left.value // _DAY)
    if left.value < 0:
        yield Checked(subject, Outcome.FAIL, "its certificate, or one of its chain, is over", "renew it")
    elif left.value < _SOON:
        yield Checked(subject, Outcome.WARN, f"TLS; its certificates end in {days} d", "renew them")
    else:
        yield Checked(subject, Outcome.PASS, f"TLS; its certificates are valid for {days} d more")
