"""What could go wrong tomorrow morning: sources and their rights, the record, clocks, systemd and the journal."""

import asyncio
import contextlib
import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from opsconsole.checks.httpsources import HTTP
from opsconsole.checks.sources import SourceReport, inspect_source
from opsconsole.config.settings import Config
from opsconsole.contracts.probe import Source
from opsconsole.contracts.store import StoreError
from opsconsole.engine.identity import local_zone
from opsconsole.model.events import Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.redaction import redacted
from opsconsole.model.values import formatted
from opsconsole.wiring.checked import Checked
from opsconsole.wiring.definitions import Definitions
from opsconsole.wiring.doctor_databases import database_findings
from opsconsole.wiring.doctor_http import http_findings
from opsconsole.wiring.doctor_signing import signing_findings
from opsconsole.wiring.secrets import known_secrets
from opsconsole.wiring.services import PATIENCE
from opsconsole.wiring.stores import hindrance, is_made, open_store

_SKEW = Decimal(5)
"""Seconds by which two clocks may differ before the times in a record mislead."""


def looked_over(config: Config, definitions: Definitions) -> list[Checked]:
    """Return everything that the doctor looks at, in a fixed order."""
    secrets = known_secrets(config, definitions.checklists.values())
    found = (
        *_definitions(definitions),
        *_sources(config.sources),
        *_record(config),
        *signing_findings(config),
        *_host(),
    )
    return [
        msgspec.structs.replace(each, text=redacted(each.text, secrets), hint=redacted(each.hint, secrets))
        for each in found
    ]


def _definitions(definitions: Definitions) -> Iterator[Checked]:
    usable = ", ".join(definitions.checklists) or "none"
    yield Checked("checklists", Outcome.PASS if definitions.checklists else Outcome.WARN, f"usable: {usable}")
    for problem in definitions.problems:
        yield Checked("checklists", Outcome.WARN, problem, "see `opsconsole lint`")
    warnings = len(definitions.warnings)
    if warnings:
        said = f"{warnings} warning{'' if warnings == 1 else 's'}, the first: {definitions.warnings[0]}"
        yield Checked("checklists", Outcome.WARN, said, "`opsconsole lint` tells all of them")


def _sources(sources: Mapping[str, Source]) -> Iterator[Checked]:
    if not sources:
        yield Checked("sources", Outcome.PASS, "the configuration names none")

    of_http = {name: source for name, source in sources.items() if source.kind == HTTP}
    of_postgres = {name: source for name, source in sources.items() if source.kind == "postgresql"}

    async def inspected() -> list[SourceReport]:
        return await asyncio.gather(*(inspect_source(name, source) for name, source in of_postgres.items()))

    for report in asyncio.run(inspected()) if of_postgres else ():
        yield from _source(report)
    yield from http_findings(of_http)
    yield from database_findings(sources)


def _source(report: SourceReport) -> Iterator[Checked]:
    subject = f"source {report.name}"
    if report.problem is not None:
        yield Checked(subject, Outcome.FAIL, report.problem.cause, report.problem.hint)
    if not report.server_version:
        return
    took = f", {formatted(report.latency)} a round trip" if report.latency is not None else ""
    where = f"{report.database} at {report.where} as {report.role} ({report.transport})"
    yield Checked(subject, Outcome.PASS, f"PostgreSQL {report.server_version}, {where}{took}")
    if report.writes and not report.superuser:
        yield Checked(
            subject,
            Outcome.WARN,
            f"{report.role} could change things: {'; '.join(report.writes)}",
            f"a role for checks needs `grant select` only; at least: alter role {report.role} "
            "set default_transaction_read_only = on",
        )
    if report.standby:
        yield Checked(subject, Outcome.WARN, "it is a standby, whose data may be behind")
    skew, doubt = report.clock_skew, report.clock_uncertainty
    if skew is not None and doubt is not None and abs(skew.value) > max(_SKEW, doubt.value):
        yield Checked(
            subject,
            Outcome.WARN,
            f"its clock is {formatted(skew)} off this host's",
            "synchronise both: `timedatectl` shows whether they are",
        )


def _record(config: Config) -> Iterator[Checked]:
    if not is_made(config.store):
        hindered = hindrance(config.store)
        if hindered:
            said = f"{config.store} cannot be made: {hindered}"
            yield Checked("record", Outcome.FAIL, said, "`store` in config.toml or --state names another place")
        else:
            yield Checked("record", Outcome.PASS, f"{config.store} is made by the first run")
        return
    try:
        with contextlib.closing(
            open_store(config.store, lock_timeout=PATIENCE[Via.COMMAND], create=False)
        ) as store:
            for finding in store.health():
                yield Checked(f"record {finding.subject}", finding.outcome, finding.text, finding.hint)
    except StoreError as error:
        yield Checked("record", Outcome.FAIL, str(error), error.hint)


def _host() -> Iterator[Checked]:
    yield Checked("time zone", Outcome.PASS, f"this host is in {local_zone()}")
    if Path("/run/systemd/system").is_dir():
        yield Checked("systemd", Outcome.PASS, "this host was booted with it")
        yield _journal()
    else:
        yield Checked(
            "systemd",
            Outcome.WARN,
            "this host was not booted with it",
            "unit, timer and journal items will be errors, unless they say `skip_when`",
        )


def _journal() -> Checked:
    readable = [each for each in (Path("/var/log/journal"), Path("/run/log/journal")) if os.access(each, os.R_OK)]
    files = [file for place in readable for file in place.rglob("system*.journal") if os.access(file, os.R_OK)]
    if files:
        return Checked("journal", Outcome.PASS, "this account can read the system's journal")
    return Checked(
        "journal",
        Outcome.WARN,
        "this account cannot read the system's journal",
        "add it to a group that can: usermod -aG systemd-journal NAME",
    )
