"""Measuring with the `sql` probe in tests."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from opsconsole.checks.sql import SqlOptions, SqlProbe
from opsconsole.contracts.probe import Environment, ProbeError, Source
from opsconsole.model.readings import Problem, Reading
from opsconsole.model.values import Value
from support.systemd import context


def source(dsn: str, **more: Any) -> Source:
    """Return a PostgreSQL source."""
    return Source(kind="postgresql", dsn=dsn, **more)


class Asking:
    """A probe with one source named `db`, for one pass."""

    def __init__(self, probe: SqlProbe) -> None:
        self.probe = probe

    async def read(self, query: str, *, item: str = "item", **more: Any) -> Reading:
        """Measure; options are those of the probe, or `timeout`, `target` and such of the context."""
        options: dict[str, Any] = {"source": "db"}
        options |= {key: more.pop(key) for key in ("source", "units", "label", "max_rows") if key in more}
        return await self.probe.measure(SqlOptions(query=query, **options), context(item=item, **more))

    async def cell(self, query: str, **more: Any) -> Value:
        """Return the only cell of an answer."""
        reading = await self.read(query, **more)
        ((cell,),) = reading.rows
        return cell

    async def problem(self, query: str, **more: Any) -> Problem:
        """Return why a query could not be measured."""
        try:
            reading = await self.read(query, **more)
        except ProbeError as error:
            return error.problem
        raise AssertionError(f"it was measured: {reading}")


@contextlib.asynccontextmanager
async def asking(dsn: str, **sources: Source) -> AsyncIterator[Asking]:
    """Open a pass with the source `db`, and others."""
    probe = SqlProbe(Environment(sources={"db": source(dsn), **sources}))
    try:
        yield Asking(probe)
    finally:
        await probe.aclose()
