"""Probes that do as they are told, to see what the engine makes of it."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind
from opsconsole.model.readings import Reading
from opsconsole.model.values import number


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the scripted probe is told."""

    does: str = "pass"
    """Name of a behaviour."""
    lane: str = ""
    """Items of one lane go one after another."""


@dataclass
class Script:
    """What the scripted probe does, and what it saw being done."""

    running: int = 0
    most_running: int = 0
    in_lane: int = 0
    most_in_lane: int = 0
    order: list[str] = field(default_factory=list)
    closed: int = 0
    cancelled: int = 0
    flaky: int = 0
    hold: asyncio.Event | None = None
    started: Callable[[str], None] = lambda _item: None

    async def measure(self, options: Options, context: Context) -> Reading:
        """Do what the options name."""
        self.running += 1
        self.in_lane += bool(options.lane)
        self.most_running = max(self.most_running, self.running)
        self.most_in_lane = max(self.most_in_lane, self.in_lane)
        self.order.append(context.item)
        self.started(context.item)
        try:
            await asyncio.sleep(0)
            return await self._do(options, context)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
            self.in_lane -= bool(options.lane)

    async def _do(self, options: Options, context: Context) -> Reading:
        match options.does:
            case "pass":
                return Reading(measures={"value": number(1)})
            case "fail":
                return Reading(measures={"value": number(0)})
            case "flaky":
                self.flaky += 1
                if self.flaky < 3:
                    raise ProbeError("source-down", f"refused {self.flaky} times", "wait")
                return Reading(measures={"value": number(1)})
            case "hang":
                await asyncio.Event().wait()
            case "deaf":
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
                await asyncio.Event().wait()
            case "hold" if self.hold is not None:
                await self.hold.wait()
                return Reading(measures={"value": number(1)})
            case "bug":
                raise ZeroDivisionError("a fault of the plug-in")
            case "leak":
                return Reading(measures={"value": number(1), "text": "password=hunter2-not-real"})
            case "no-systemd":
                raise ProbeError("not-booted-with-systemd", "no systemd here")
            case "target":
                return Reading(measures={"value": number(len(context.target))})
        raise AssertionError(options.does)

    async def aclose(self) -> None:
        """Count."""
        self.closed += 1


def scripted_kind(script: Script) -> ProbeKind:
    """Return the kind `scripted`."""

    def opened(_environment: Environment) -> Script:
        return script

    def lane(options: Any) -> str:
        return str(options.lane)

    return ProbeKind(
        name="scripted",
        summary="Does as it is told.",
        options=Options,
        subjects=lambda _options: {"value": None},
        open=opened,
        lane=lane,
    )
