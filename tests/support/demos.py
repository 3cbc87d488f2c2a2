"""The demos of the systems, as tests look at them: what every item of every list comes to with a fault."""

import asyncio
import shutil
from collections.abc import Collection
from pathlib import Path

from opsconsole.demo.system import DemoFault
from opsconsole.demo.systems import SystemName
from opsconsole.engine.engine import opened
from opsconsole.model.events import Via
from opsconsole.model.outcomes import Outcome
from opsconsole.wiring.demo import demo_services
from opsconsole.wiring.services import Services


class Demos:
    """A state directory in which the demo of a system is opened again and again; its past is lived through once."""

    def __init__(self, system: SystemName, state: Path) -> None:
        self.system = system
        self.state = state
        self._records = state / "demo" / system / "records"
        with demo_services(system, None, state, None, Via.HEADLESS):
            pass
        self._past = shutil.copy(self._records / "good.db", state / "past.db")

    def outcomes(self, fault: DemoFault | None = None, without: Collection[str] = ()) -> dict[str, Outcome]:
        """Return what every measured item comes to, by `CHECKLIST/ITEM`, in a new record with the same past."""
        return {name: outcome for name, (outcome, _) in self.said(fault, without).items()}

    def said(self, fault: DemoFault | None = None, without: Collection[str] = ()) -> dict[str, tuple[Outcome, str]]:
        """Return the same with what is said of each item; those of `without` are not measured."""
        shutil.copy(self._past, self._records / f"{fault or 'good'}.db")
        with demo_services(self.system, None, self.state, fault, Via.HEADLESS) as parts:
            assert parts.problems == ()
            return asyncio.run(_measured(parts, without))


async def _measured(parts: Services, without: Collection[str]) -> dict[str, tuple[Outcome, str]]:
    found = {}
    for name, checklist in parts.definitions.checklists.items():
        async with opened(parts.engine, checklist) as session:
            items = [each.id for each in checklist.items if each.measured and f"{name}/{each.id}" not in without]
            await parts.engine.measure(session, items)
            for item in items:
                state = session.state.items[item]
                found[f"{name}/{item}"] = (state.outcome, state.summary)
    return found
