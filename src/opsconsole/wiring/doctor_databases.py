"""What the doctor says of MySQL, MariaDB and QuestDB sources."""

import asyncio
from collections.abc import Iterator, Mapping

from opsconsole.checks.dbdoctor import KINDS, DatabaseReport, inspect_database
from opsconsole.contracts.probe import Source
from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import formatted
from opsconsole.wiring.checked import Checked


def database_findings(sources: Mapping[str, Source]) -> Iterator[Checked]:
    """Yield what is found out about each of the sources that are such databases, asked at the same time."""
    asked = {name: source for name, source in sources.items() if source.kind in KINDS}

    async def inspected() -> list[DatabaseReport]:
        return await asyncio.gather(*(inspect_database(name, source) for name, source in asked.items()))

    for report in asyncio.run(inspected()) if asked else ():
        yield from _source(report)


def _source(report: DatabaseReport) -> Iterator[Checked]:
    subject = f"source {report.name}"
    if report.problem is not None:
        yield Checked(subject, Outcome.FAIL, report.problem.cause, report.problem.hint)
    if not report.product:
        return
    took = f", {formatted(report.latency)} a round trip" if report.latency is not None else ""
    where = f"{report.where} as {report.account} ({report.transport})"
    yield Checked(subject, Outcome.PASS, f"{report.product} at {where}{took}")
    if report.writes and report.problem is None:
        yield Checked(
            subject,
            Outcome.WARN,
            f"{report.account} could change things: {'; '.join(report.writes)}",
            "an account for checks needs SELECT only",
        )
    if not report.tells_rights:
        yield Checked(
            subject,
            Outcome.WARN,
            f"what {report.account} may change there cannot be asked",
            "see that it is the account of `pg.readonly.user` in server.conf",
        )
