"""An engine over a real store, for several days one after another."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.checks.history import KIND as HISTORY
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind
from opsconsole.contracts.store import Store
from opsconsole.engine.engine import Engine
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.calendar import Period
from opsconsole.model.checklists import Cadence, Checklist, Due, Item, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import Actor, Via
from opsconsole.model.item_state import ItemState
from opsconsole.model.readings import Reading
from opsconsole.model.runs import RunState
from opsconsole.model.values import Unit, number
from opsconsole.store.sqlite import SqliteStore

WHERE = ZoneInfo("America/Chicago")
OPERATOR = Actor("operator", "Day Operator", "ops01", Via.CONSOLE)
FIRST = dt.date(2026, 11, 9)
"""A Monday, a week after the clocks went back."""


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the probe that brings back what it is told."""

    path: str = "/"


class Telling:
    """Brings back what `says` returns, or raises it."""

    def __init__(self) -> None:
        self.says: Callable[[Context], Reading | ProbeError] = lambda _: Reading(measures={"used": number(40)})

    async def measure(self, _options: Told, context: Context) -> Reading:
        """Bring it back."""
        found = self.says(context)
        if isinstance(found, ProbeError):
            raise found
        return found

    async def aclose(self) -> None:
        """Nothing to end."""


def percent(value: object) -> Reading:
    """Return a reading of `used`."""
    return Reading(measures={"used": number(value, Unit.PERCENT)})


def item(*require: str, name: str = "room", probe: str = "told", **more: Any) -> Item:
    """Return an item with these requirements."""
    return Item(id=name, title=name.capitalize(), probe=probe, require=tuple(map(parse_condition, require)), **more)


def checklist(*items: Item, name: str = "morning", cadence: Cadence = Cadence.DAILY, **due: Any) -> Checklist:
    """Return a checklist of these items."""
    due = {"timezone": str(WHERE)} | due
    return Checklist(
        id=name, title=name.capitalize(), cadence=cadence, due=Due(**due), sections=(Section("All", items),)
    )


class Days:
    """A record, and the clock of whoever works with it."""

    def __init__(self, directory: Path, store: Store) -> None:
        self.directory = directory
        self.store = store
        self.probe = Telling()
        self.now = dt.datetime.combine(FIRST, dt.time(14, 5), dt.UTC)
        self.definitions: dict[str, Checklist] = {}

    def engine(self, *, secrets: tuple[str, ...] = ()) -> Engine:
        """Return an engine as a new process would have it."""
        kinds: Mapping[str, ProbeKind] = {
            "told": ProbeKind(
                name="told",
                summary="Brings back what it is told.",
                options=Told,
                subjects=lambda _: None,
                open=lambda _: self.probe,
            ),
            "history": HISTORY,
        }
        return Engine(
            self.store,
            kinds,
            Environment(),
            OPERATOR,
            self.directory / "state",
            options=MeasuringOptions(secrets=secrets),
            clock=lambda: self.now,
            checklists=self.definitions,
        )

    def at(self, date: dt.date, time: str = "08:05") -> None:
        """Put the clock to a wall-clock time."""
        self.now = dt.datetime.combine(date, dt.time.fromisoformat(time), WHERE).astimezone(dt.UTC)

    async def run(
        self,
        definition: Checklist,
        reading: Reading | ProbeError | None = None,
        *,
        when: dt.date | Period | None = None,
        entries: Mapping[str, str] | None = None,
        signed: bool = False,
        secrets: tuple[str, ...] = (),
    ) -> RunState:
        """Open the run of the present period, measure it, type in what is to be, and sign it if asked for."""
        self.definitions[definition.id] = definition
        if reading is not None:
            self.probe.says = lambda _: reading
        engine = self.engine(secrets=secrets)
        session = await engine.open(definition, when)
        try:
            await engine.measure(session)
            for name, text in (entries or {}).items():
                await session.enter(name, text)
            if signed:
                await sign_statement(session, statement_now(session))
            return session.state
        finally:
            await session.aclose()

    async def days(self, definition: Checklist, *readings: Reading | ProbeError | None) -> list[ItemState]:
        """Run a list on one day after another, from FIRST on, and not at all for None; return its first item's."""
        found = []
        for index, reading in enumerate(readings):
            if reading is not None:
                self.at(FIRST + dt.timedelta(days=index))
                state = await self.run(definition, reading)
                found.append(next(iter(state.items.values())))
        return found


@contextmanager
def several_days(directory: Path) -> Iterator[Days]:
    """Open a record in a directory for the length of the block."""
    with SqliteStore(directory / "records.db") as store:
        yield Days(directory, store)
