"""Action items in the engine: their numbers, what is refused, and when they are due."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsconsole.contracts.probe import Environment
from opsconsole.engine.engine import Engine
from opsconsole.engine.entering import ActionRefused, due_date
from opsconsole.engine.overview import action_named, all_actions, carried_actions, open_actions, present
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.checklists import Checklist, Due, Item, Section
from opsconsole.model.events import ActionState, Actor, Handled, Raised
from opsconsole.model.runs import FoldError
from opsconsole.store.sqlite import SqliteStore
from support.runs import Chain

SATURDAY = dt.date(2026, 11, 21)
NOW = dt.datetime(2026, 11, 21, 14, tzinfo=dt.UTC)
LOOK = Checklist(
    id="look",
    title="Look",
    due=Due(timezone="America/Chicago"),
    sections=(Section("Look", (Item(id="door", title="The door", manual=True),)),),
)


class Place:
    """A record in a directory, and engines over it at any moment."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.store = SqliteStore(directory / "records.db")

    def engine(self, at: dt.datetime = NOW, login: str = "jane") -> Engine:
        """Return an engine of one person."""
        state = self.directory / "state"
        return Engine(
            self.store, {}, Environment(), Actor(login), state, clock=lambda: at, checklists={"look": LOOK}
        )


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A record of its own."""
    found = Place(tmp_path)
    yield found
    found.store.close()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", None),
        (" 2026-12-01 ", dt.date(2026, 12, 1)),
        ("+7", dt.date(2026, 11, 28)),
        ("3 days", dt.date(2026, 11, 24)),
        ("2w", dt.date(2026, 12, 5)),
        ("today", SATURDAY),
        ("Tomorrow", dt.date(2026, 11, 22)),
        ("fri", dt.date(2026, 11, 27)),
        ("Saturday", dt.date(2026, 11, 28)),
        ("sun", dt.date(2026, 11, 22)),
    ],
)
def test_due_dates_as_people_write_them(typed: str, meant: dt.date | None) -> None:
    """A date, days or weeks from today, or the next such weekday."""
    assert due_date(typed, SATURDAY) == meant


@pytest.mark.parametrize("typed", ["soon", "2026-13-01", "21.11.2026", "-1", "2026-11-20", "+99999", "s"])
def test_dates_that_cannot_be_meant(typed: str) -> None:
    """What is no date, and a day that is over, is refused with an example or the reason."""
    with pytest.raises(ActionRefused, match=r"write it like 2026-11-28|is over already"):
        due_date(typed, SATURDAY)


def test_numbers_are_places_in_the_record() -> None:
    """Two events that chose the same token are two action items all the same; what was said goes to the first."""
    chain = Chain().add(Raised(action="1", text="one")).add(Raised(action="1", text="two"))
    chain.add(Handled(action="1", state=ActionState.DONE))
    actions = chain.state().actions
    assert [(each.id, each.raised.text, each.is_open) for each in actions.values()] == [
        ("qbr-daily@2026-11-21#1", "one", False),
        ("qbr-daily@2026-11-21#2", "two", True),
    ]
    with pytest.raises(FoldError, match="has no action item 'x'"):
        chain.add(Handled(action="x")).state()


async def test_consoles_that_raise_at_once_take_different_numbers(place: Place) -> None:
    """However many people raise something in the same moment, each has its number, and nothing is lost."""
    sessions = [await place.engine(login=f"p{each}").open(LOOK) for each in range(4)]
    numbers = await asyncio.gather(
        *(session.raise_action(f"{who}.{each}") for who, session in enumerate(sessions) for each in range(3))
    )
    assert sorted(map(int, numbers)) == list(range(1, 13))
    assert {each.raised.text for each in all_actions(place.engine())} == {
        f"{w}.{e}" for w in range(4) for e in range(3)
    }
    for each in sessions:
        await each.aclose()


async def test_what_is_refused(place: Place) -> None:
    """An unknown item or number, empty words, a drop without a reason, and what changes nothing."""
    session = await place.engine().open(LOOK)
    number = await session.raise_action("Paint it", "lou", SATURDAY)
    refused = [
        (session.raise_action("x", item="window"), "has no item 'window'"),
        (session.raise_action("  "), "some words are needed"),
        (session.raise_action("x", "o" * 300), "is no name"),
        (session.handle_action("9", ActionState.DONE), "has no action item '9'"),
        (session.handle_action(number, ActionState.DROPPED), "some words are needed"),
        (session.handle_action(number, ActionState.OPEN, "", " lou ", SATURDAY), "nothing would change"),
    ]
    for deed, why in refused:
        with pytest.raises(ActionRefused, match=why):
            await deed
    await session.handle_action(number, ActionState.DONE)
    with pytest.raises(ActionRefused, match="is done already"):
        await session.handle_action(number, ActionState.DONE)
    assert action_named(place.engine(), f"look@2026-11-21#{number}").state is ActionState.DONE
    for name in ("look@2026-11-21#9", "look@2026-11-22#1", "nonsense", "#1", ""):
        with pytest.raises(ActionRefused, match="there is no action item"):
            action_named(place.engine(), name)
    await session.aclose()


async def test_carried_to_the_next_run_until_it_is_done(place: Place) -> None:
    """An earlier run's open items belong to the next one, and no more to a past run that is signed."""
    friday = place.engine(NOW - dt.timedelta(days=1))
    before = await friday.open(LOOK)
    await before.raise_action("Paint it", due=dt.date(2026, 11, 20))
    await before.tick("door")
    await sign_statement(before, statement_now(before))
    engine = place.engine()
    now = await engine.open(LOOK)
    await now.raise_action("Oil it")
    assert [each.raised.text for each in carried_actions(engine, now.state)] == ["Paint it"]
    assert carried_actions(engine, before.state) == ()
    (late,) = [
        each for each in open_actions(engine) if each.is_late(present(engine, {"look": LOOK}).date(each.run))
    ]
    assert late.raised.text == "Paint it"
    await before.handle_action("1", ActionState.DONE, "painted")
    assert carried_actions(engine, now.state) == ()
    await before.aclose()
    await now.aclose()


def test_late_is_a_matter_of_the_place(place: Place) -> None:
    """What is due today is not late in Chicago while it is tomorrow already in UTC."""
    night = place.engine(dt.datetime(2026, 11, 22, 3, tzinfo=dt.UTC))
    assert present(night, {"look": LOOK}).date("look@2026-11-21") == SATURDAY
