"""A run on a shared record while the server goes and comes back: what the operator is told, and what is kept."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from opsconsole.contracts.probe import Environment
from opsconsole.engine.engine import Engine
from opsconsole.engine.entering import ActionRefused
from opsconsole.engine.recorder import NotSaved
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.checklists import Checklist, Due, Item, Section
from opsconsole.model.events import Actor, Noted, Signed, Ticked
from opsconsole.store.postgres import PostgresStore
from opsconsole.store.postgres_roles import WRITER
from support.store_server import KillableServer, killable_server
from support.stores import shared_record

NOW = dt.datetime(2026, 11, 21, 14, 5, tzinfo=dt.UTC)
CHECKLIST = Checklist(
    id="morning",
    title="Morning",
    due=Due(timezone="UTC"),
    sections=(
        Section("By hand", (Item(id="look", title="Look", manual=True), Item(id="say", title="Say", manual=True))),
    ),
)


@pytest.fixture(scope="module")
def server() -> Iterator[KillableServer]:
    """Run a server that the tests may kill."""
    with killable_server() as found:
        yield found


def _engine(store: PostgresStore, state: Path, login: str) -> Engine:
    return Engine(store, {}, Environment(), Actor(login, login.title(), "ops01"), state, clock=lambda: NOW)


class Desk:
    """An operator's engine on the record."""

    def __init__(self, dsn: str, state: Path, login: str) -> None:
        self.store = PostgresStore(dsn, create=False, lock_timeout=2.0)
        self.engine = _engine(self.store, state / login, login)

    async def open(self) -> RunSession:
        """Open the run of the day, or join it."""
        return await self.engine.open(CHECKLIST)

    def close(self) -> None:
        """Go home."""
        self.store.close()


@pytest.fixture
def dsn(server: KillableServer) -> str:
    """Make a record on the server."""
    return server.dsn(shared_record(server), WRITER)


async def test_what_is_done_while_the_server_is_gone_is_kept_and_replayed_once(
    server: KillableServer, dsn: str, tmp_path: Path
) -> None:
    """Ticks show as not saved and wait in a file, nothing can be signed, and all is in once the server is back."""
    with closing(Desk(dsn, tmp_path, "day")) as desk:
        session = await desk.open()
        await session.tick("look")
        await asyncio.to_thread(server.kill)
        with pytest.raises(NotSaved) as raised:
            await session.tick("say")
        assert raised.value.spilled is not None
        assert raised.value.spilled.is_file()
        assert "there is no socket" in str(raised.value) or "nothing listens" in str(raised.value)
        with pytest.raises(NotSaved):
            await session.note("look", "seen while the server was gone")
        assert session.unsaved == 2
        with pytest.raises(ActionRefused, match="2 events are not saved yet"):
            statement_now(session)
        await asyncio.to_thread(server.start)
        assert await session.retry_unsaved() == 0
        assert await session.retry_unsaved() == 0
        statement = statement_now(session)
        await sign_statement(session, statement)
        bodies = [each.event.body for each in desk.store.events(session.state.run)]
        assert [type(each) for each in bodies[1:]] == [Ticked, Ticked, Noted, Signed]
        assert desk.store.verify().broken is None
        assert not raised.value.spilled.exists()
        await session.aclose()


async def test_what_an_ended_console_could_not_save_is_saved_by_the_next(
    server: KillableServer, dsn: str, tmp_path: Path
) -> None:
    """A console that was closed while the server was gone leaves its ticks to the next one of the same operator."""
    with closing(Desk(dsn, tmp_path, "day")) as desk:
        session = await desk.open()
        await asyncio.to_thread(server.kill)
        with pytest.raises(NotSaved):
            await session.tick("look")
        await session.aclose()
        await asyncio.to_thread(server.start)
    with closing(Desk(dsn, tmp_path, "day")) as desk:
        session = await desk.open()
        await session.retry_unsaved()
        ticks = [each for each in desk.store.events(session.state.run) if isinstance(each.event.body, Ticked)]
        assert len(ticks) == 1
        await session.aclose()


async def test_two_people_who_tick_at_once_are_both_kept(dsn: str, tmp_path: Path) -> None:
    """Consoles on two hosts share nothing but the server: both ticks and both notes are in, under their names."""
    with closing(Desk(dsn, tmp_path, "day")) as one, closing(Desk(dsn, tmp_path, "blake")) as other:
        sessions = [await one.open(), await other.open()]
        await asyncio.gather(
            *(session.tick("look") for session in sessions),
            *(session.note("say", f"note {n}") for session in sessions for n in range(5)),
            return_exceptions=True,
        )
        stored = one.store.events(sessions[0].state.run)
        notes = [each.event.actor.login for each in stored if isinstance(each.event.body, Noted)]
        assert sorted(notes) == ["blake"] * 5 + ["day"] * 5
        for session in sessions:
            await session.refresh()
            assert session.state.last_seq == stored[-1].seq
            await session.aclose()
        assert msgspec.structs.asdict(one.store.verify())["broken"] is None
