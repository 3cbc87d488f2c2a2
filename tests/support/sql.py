"""Measuring with the probes of SQL in tests."""

import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import msgspec

from opsconsole.checks.mysql import MysqlOptions, MysqlProbe
from opsconsole.checks.sql import SqlOptions, SqlProbe
from opsconsole.contracts.probe import Environment, ProbeError, Source
from opsconsole.model.readings import Problem, Reading
from opsconsole.model.values import Value
from support.systemd import context


def source(dsn: str, **more: Any) -> Source:
    """Return a PostgreSQL source."""
    return Source(kind="postgresql", dsn=dsn, **more)


async def problem_of(measuring: Awaitable[Reading]) -> Problem:
    """Return why something could not be measured."""
    try:
        reading = await measuring
    except ProbeError as error:
        return error.problem
    raise AssertionError(f"it was measured: {reading}")


class Asking:
    """A probe with one source named `db`, for one pass."""

    def __init__(self, probe: SqlProbe | MysqlProbe, options: type[SqlOptions | MysqlOptions] = SqlOptions) -> None:
        self.probe: Any = probe
        self._options = options

    async def read(self, query: str, *, item: str = "item", **more: Any) -> Reading:
        """Measure; options are those of the probe, or `timeout`, `target` and such of the context."""
        names = {each.name for each in msgspec.structs.fields(self._options)}
        options = {"source": "db"} | {key: more.pop(key) for key in names & more.keys()}
        asked = self._options(query=query, **options)
        reading: Reading = await self.probe.measure(asked, context(item=item, **more))
        return reading

    async def cell(self, query: str, **more: Any) -> Value:
        """Return the only cell of an answer."""
        reading = await self.read(query, **more)
        ((cell,),) = reading.rows
        return cell

    async def problem(self, query: str, **more: Any) -> Problem:
        """Return why a query could not be measured."""
        return await problem_of(self.read(query, **more))


@contextlib.asynccontextmanager
async def asking(dsn: str, **sources: Source) -> AsyncIterator[Asking]:
    """Open a pass with the source `db`, and others."""
    probe = SqlProbe(Environment(sources={"db": source(dsn), **sources}))
    try:
        yield Asking(probe)
    finally:
        await probe.aclose()
