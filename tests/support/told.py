"""A probe that brings back what it is told, for items that compute with what others have read."""

import datetime as dt
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from opsconsole.checks import compare, ratio
from opsconsole.contracts.probe import Context, Environment, Input, ProbeKind
from opsconsole.engine.engine import Engine
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.engine.session import RunSession
from opsconsole.model.calendar import period_of, times_of
from opsconsole.model.checklists import Checklist, Due, Item, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import Actor, Via
from opsconsole.model.item_state import ItemState
from opsconsole.model.readings import Reading
from opsconsole.model.values import Value, number
from opsconsole.store.sqlite import SqliteStore

NOW = dt.datetime(2026, 11, 21, 14, 5, 7, 654321, tzinfo=dt.UTC)
OPERATOR = Actor("operator", "Day Operator", "ops01", Via.CONSOLE)

Answer = Reading | Exception | Callable[[Context], Any]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the probe `told` knows."""

    about: str = ""
    """Where a target stands."""
    query: str = ""


class Told:
    """Brings back by item what `answers` has: a reading, a problem to raise, or what a function returns."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.contexts: list[Context] = []

    async def measure(self, _options: Options, context: Context) -> Reading:
        """Answer for the item, by its target where there is an answer for that alone."""
        self.contexts.append(context)
        answer = self.answers.get(f"{context.item}/{context.target}", self.answers.get(context.item))
        assert answer is not None, context.item
        if not isinstance(answer, Reading | Exception):
            answer = answer(context)
            if hasattr(answer, "__await__"):
                answer = await answer
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Reading)
        return answer

    async def aclose(self) -> None:
        """Nothing to end."""

    @property
    def measured(self) -> list[str]:
        """What was measured, in order: items with their targets."""
        return [f"{each.item}/{each.target}" if each.target else each.item for each in self.contexts]

    def kinds(self) -> dict[str, ProbeKind]:
        """Return the kind `told`, and those that compute."""

        def opened(_environment: Environment) -> "Told":
            return self

        told = ProbeKind(
            name="told", summary="", options=Options, subjects=lambda _: None, open=opened, lane=lambda _: ""
        )
        return {"told": told, "compare": compare.KIND, "ratio": ratio.KIND}


def table(columns: str, *rows: tuple[Any, ...], **more: Any) -> Reading:
    """Return a reading with these columns, separated by spaces; whole numbers become numbers."""
    return Reading(columns=tuple(columns.split()), rows=tuple(tuple(map(cell, row)) for row in rows), **more)


def value(of: Any = None, /, **measures: Any) -> Reading:
    """Return a reading of single values, the first of them called `value`."""
    found = {"value": of} if of is not None else {}
    return Reading(measures={name: cell(each) for name, each in (found | measures).items()})


def cell(of: Any) -> Value:
    """Return a value as a reading holds it."""
    return number(of) if isinstance(of, int | float) and not isinstance(of, bool) else of


def item(name: str, *require: str, probe: str = "told", **more: Any) -> Item:
    """Return an item called `name` that is judged by these conditions."""
    conditions = tuple(map(parse_condition, require or ("count >= 0",)))
    target = tuple(map(parse_condition, more.pop("target", ())))
    return Item(id=name, title=name.capitalize(), probe=probe, require=conditions, target=target, **more)


def checklist(*items: Item, **more: Any) -> Checklist:
    """Return a daily checklist of these items."""
    return Checklist(
        id="morning",
        title="Morning",
        due=Due(timezone="America/Chicago"),
        sections=(Section("All", items),),
        **more,
    )


def context_with(inputs: Mapping[str, Input], target: str = "") -> Context:
    """Return what a probe is told that computes with these inputs."""
    listed = checklist(item("asking"))
    times = times_of(listed, period_of(NOW.date(), listed.cadence), ZoneInfo("America/Chicago"))
    return Context(item="asking", times=times, now=NOW, cutoff=NOW, inputs=inputs, timeout=10, target=target)


class Desk:
    """An engine over a store of its own, whose probe brings back what `told.answers` has."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = SqliteStore(directory / "records.db")
        self.told = Told()
        self.now = NOW

    def engine(self, **options: Any) -> Engine:
        """Return an engine as another process would have it."""
        return Engine(
            self.store,
            self.told.kinds(),
            Environment(),
            OPERATOR,
            self.directory / "state",
            options=MeasuringOptions(**options),
            clock=lambda: self.now,
        )

    @asynccontextmanager
    async def opened(self, definition: Checklist) -> AsyncIterator[tuple[Engine, RunSession]]:
        """Open a run that is not measured yet."""
        engine = self.engine()
        session = await engine.open(definition)
        try:
            yield engine, session
        finally:
            await session.aclose()

    async def measured(self, definition: Checklist, only: tuple[str, ...] = ()) -> dict[str, ItemState]:
        """Open or resume the run, measure it, and return its items."""
        async with self.opened(definition) as (engine, session):
            await engine.measure(session, only)
            return dict(session.state.items)
