"""The probe `http` as tests use it: measured once, or through the judge."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import msgspec

from opsconsole.checks.http import KIND
from opsconsole.contracts.probe import Environment, Source
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.encoding import dec_hook
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from support.systemd import context


async def measured(
    url: str = "",
    *,
    timeout: float = 10.0,  # noqa: ASYNC109 - the item's own
    sources: dict[str, Source] | None = None,
    now: dt.datetime | None = None,
    **options: Any,
) -> Reading:
    """Measure once, as a pass does, and close everything."""
    environment = Environment(sources=sources or {})
    probe = KIND.open(environment)
    given = {"url": url, **options} if url else options
    decoded = msgspec.convert(given, KIND.options, dec_hook=dec_hook)
    assert KIND.validate(decoded) == []
    changes = {} if now is None else {"now": now}
    try:
        reading = await probe.measure(decoded, context(timeout=timeout, **changes))
    finally:
        await probe.aclose()
        await environment.aclose()
    subjects = KIND.subjects(decoded)
    assert subjects is not None
    assert set(reading.measures) <= set(subjects)
    assert set(reading.columns) <= set(subjects)
    return reading


def outcome(reading: Reading, *conditions: str) -> Outcome:
    """Judge a reading by requirements."""
    return judge(reading, [parse_condition(each) for each in conditions]).outcome


async def until(seen: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until something that happens in another thread is seen."""
    async with asyncio.timeout(seconds):
        while not seen():  # noqa: ASYNC110 - the other thread sets no event of this loop
            await asyncio.sleep(0.005)
