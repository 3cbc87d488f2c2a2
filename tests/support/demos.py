"""The demos of the systems, as tests look at them: what every item of every list comes to with a fault."""

import asyncio
import shutil
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from opsconsole.demo.system import DemoFault
from opsconsole.demo.systems import SystemName, demo_system
from opsconsole.engine.engine import opened
from opsconsole.model.checklists import Checklist, Item
from opsconsole.model.events import Via
from opsconsole.model.outcomes import Outcome
from opsconsole.wiring.demo import demo_services
from opsconsole.wiring.services import Services

Fault = TypeVar("Fault", bound=DemoFault)


class Demos:
    """A state directory in which the demo of a system is opened again and again; its past is lived through once."""

    def __init__(self, system: SystemName, state: Path, hurried: Callable[[Item], Item] | None = None) -> None:
        """Open the demo once; `hurried` makes items quicker, such as one that repeats what it finds red."""
        self.system = system
        self._hurried = hurried
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
            return asyncio.run(_measured(parts, without, self._hurried))


async def _measured(
    parts: Services, without: Collection[str], hurried: Callable[[Item], Item] | None
) -> dict[str, tuple[Outcome, str]]:
    found = {}
    for name, shipped in parts.definitions.checklists.items():
        checklist = shipped if hurried is None else _with_items(shipped, hurried)
        async with opened(parts.engine, checklist) as session:
            items = [each.id for each in checklist.items if each.measured and f"{name}/{each.id}" not in without]
            await parts.engine.measure(session, items)
            for item in items:
                state = session.state.items[item]
                found[f"{name}/{item}"] = (state.outcome, state.summary)
    return found


def _with_items(checklist: Checklist, changed: Callable[[Item], Item]) -> Checklist:
    sections = tuple(
        msgspec.structs.replace(section, items=tuple(map(changed, section.items))) for section in checklist.sections
    )
    return msgspec.structs.replace(checklist, sections=sections)


def seen_by_what_is_named(system: SystemName, red: Mapping[Fault, Mapping[str, str]]) -> dict[Fault, list[str]]:
    """Return for each fault what turns red in the checklist that the demo points to."""
    first_of = demo_system(system).first_of
    return {
        fault: [name for name in changed if name.startswith(f"{first_of(fault)}/")]
        for fault, changed in red.items()
    }
