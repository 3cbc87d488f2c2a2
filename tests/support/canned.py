"""HTTP answers that nobody has to serve: what a probe makes of any status, body and delay."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from opsconsole.checks._http import Answer, Clients, Endpoint
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind
from opsconsole.model.readings import Reading
from support.systemd import context

Said = tuple[int, str, bytes]
"""Status, content type and body."""
ASKED_AT = 4_000_000_000.5
"""Stands for the time of asking in a canned body: what says a time of its own would grow old while tests wait."""
Says = Callable[[str, Mapping[str, str]], Said]
"""What is answered to a path and its parameters."""


class Canned:
    """Stands in for the HTTP clients of a pass."""

    def __init__(self, says: Says, *, delay: float = 0.0) -> None:
        self._says = says
        self._delay = delay
        self.began = asyncio.Event()
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def ask(
        self,
        endpoint: Endpoint,
        context: Context,
        path: str = "",
        *,
        params: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Answer:
        """Answer as told."""
        self.began.set()
        self.asked.append((path, dict(params or {})))
        assert context.item
        await asyncio.sleep(self._delay)
        status, kind, body = self._says(path, params or {})
        body = body.replace(str(ASKED_AT).encode(), f"{time.time():.3f}".encode())
        headers = {"content-type": kind, "location": "/login"}
        return Answer(status=status, headers=headers, body=body, elapsed=0.01, url=endpoint.base)

    async def aclose(self) -> None:
        """Nothing is open."""


async def read(kind: ProbeKind, options: Any, canned: Canned | None = None, **more: Any) -> Reading:
    """Measure once, over real HTTP where nothing is canned."""
    environment = Environment(pool={Clients: canned} if canned is not None else {})
    probe = kind.open(environment)
    try:
        return await probe.measure(options, context(**more))
    finally:
        await probe.aclose()
        await environment.aclose()


async def refused(kind: ProbeKind, options: Any, canned: Canned | None = None, **more: Any) -> ProbeError:
    """Return the problem that measuring ends in."""
    try:
        reading = await read(kind, options, canned, **more)
    except ProbeError as error:
        return error
    raise AssertionError(f"it was measured: {reading}")
