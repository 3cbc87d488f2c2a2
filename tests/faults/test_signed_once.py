"""Two people who sign off the same run at the same moment."""

import asyncio
import datetime as dt
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from opsconsole.contracts.probe import Environment
from opsconsole.contracts.store import Conflict
from opsconsole.engine.engine import Engine
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.checklists import Checklist, Due, Item, Section
from opsconsole.model.events import Actor, Meaning, Signed, Via
from support.faults import Tally, times
from support.stores import Stores

ROUNDS = times(few=5, full=50)
PEOPLE = 2
MORNING = Checklist(
    id="morning",
    title="Morning",
    due=Due(timezone="UTC"),
    sections=(Section("All", (Item(id="look", title="Look", manual=True),)),),
)


@pytest.mark.timeout(300)
@pytest.mark.faults("signed-once")
async def test_of_two_who_sign_at_once_one_does(stores: Stores, tmp_path: Path, tally: Tally) -> None:
    """Both have seen the same run and press the key: one has signed it, the other is told and sees whose it is."""
    told: Counter[str] = Counter()
    engines = [
        Engine(stores.open(), {}, Environment(), Actor(f"op{each}", f"Op {each}", "ops01", Via.CONSOLE), tmp_path)
        for each in range(PEOPLE)
    ]
    today = engines[0].business_date(MORNING)
    for number in range(ROUNDS):
        day = today.replace(year=today.year - 1 - number, day=1)
        with tally.one():
            for engine in engines:
                engine.clock = partial(dt.datetime, day.year, day.month, day.day, 12, tzinfo=dt.UTC)
            sessions = [await engine.open(MORNING) for engine in engines]
            await sessions[0].tick("look")
            for session in sessions:
                await session.refresh()
            statements = [statement_now(each) for each in sessions]
            answers = await asyncio.gather(
                *(sign_statement(each, statement) for each, statement in zip(sessions, statements, strict=True)),
                return_exceptions=True,
            )
            refused = [each for each in answers if isinstance(each, BaseException)]
            assert len(refused) == PEOPLE - 1
            assert all(isinstance(each, Conflict) for each in refused), refused
            told.update(type(each).__name__ for each in refused)
            signed = [
                each.event.body.statement
                for each in engines[0].store.events(sessions[0].state.run)
                if isinstance(each.event.body, Signed)
            ]
            assert [each.meaning for each in signed] == [Meaning.PERFORMED]
            for session in sessions:
                assert session.state.signed is not None
                assert session.state.signed.body.statement == signed[0]
                await session.aclose()
    assert engines[0].store.verify().broken is None
    for kind, count in told.items():
        tally.saw(f"told {kind}", count)
