"""The engine over a real store: what is measured, in which order, and what is left when something breaks."""

import asyncio
import datetime as dt
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.contracts.probe import Environment
from opsconsole.contracts.store import Conflict, Store, StoreUnavailable
from opsconsole.engine import measuring
from opsconsole.engine.changes import Change, Changed, Progress, Unsaved
from opsconsole.engine.engine import Engine
from opsconsole.engine.entering import ActionRefused, typed_value
from opsconsole.engine.locking import PassLock
from opsconsole.engine.measuring import MeasuringOptions
from opsconsole.engine.overview import today
from opsconsole.engine.recorder import NotSaved
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.model.calendar import Standing
from opsconsole.model.checklists import Checklist, Due, Entry, EntryKind, Field, Item, Retry, RetryOn, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import Actor, Event, Stored, Via
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.values import Duration, number, seconds
from opsconsole.store.sqlite import SqliteStore
from support.probes import Script, scripted_kind

NOW = dt.datetime(2026, 11, 21, 14, 5, tzinfo=dt.UTC)
OPERATOR = Actor("operator", "Day Operator", "ops01", Via.CONSOLE)
FAST = Retry(times=3, delay=Duration.parse("1 ms"))


def scripted(name: str, does: str = "pass", **more: Any) -> Item:
    """Return an item that the scripted probe measures."""
    return Item(
        id=name,
        title=name.capitalize(),
        probe="scripted",
        options={"does": does} | more.pop("options", {}),
        require=more.pop("require", (parse_condition("value >= 1"),)),
        **more,
    )


def checklist(*items: Item, **more: Any) -> Checklist:
    """Return a daily checklist of these items."""
    return Checklist(
        id="morning",
        title="Morning",
        due=Due(timezone="America/Chicago"),
        sections=(Section("All", items),),
        fields=(Field("notes", "Notes"),),
        **more,
    )


class FaultyStore:
    """A real store that refuses to be written while `broken` is set."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.broken = False

    def append(self, events: list[Event], *, after: int | None = None) -> list[Stored]:
        """Refuse, or pass on."""
        if self.broken:
            raise StoreUnavailable("the disk is full", "make room")
        return self._inner.append(events, after=after)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Place:
    """An engine with its store, its scripted probe, and a clock that stands still."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inner = SqliteStore(directory / "records.db")
        self.store = FaultyStore(self.inner)
        self.script = Script()
        self.now = NOW

    def engine(self, **options: Any) -> Engine:
        """Return an engine as another process would have it."""
        return Engine(
            self.store,  # type: ignore[arg-type]
            {"scripted": scripted_kind(self.script)},
            Environment(),
            OPERATOR,
            self.directory / "state",
            options=MeasuringOptions(**options),
            clock=lambda: self.now,
        )

    @asynccontextmanager
    async def measured(self, definition: Checklist, **options: Any) -> AsyncIterator[RunSession]:
        """Open a run, measure it, and close it in the end."""
        engine = self.engine(**options)
        session = await engine.open(definition)
        try:
            await engine.measure(session)
            yield session
        finally:
            await session.aclose()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An engine in a directory of its own, with short patience."""
    monkeypatch.setattr(measuring, "_UNWIND", 0.05)
    monkeypatch.setattr("opsconsole.engine.recorder.RETRIES", (0.001,))
    found = Place(tmp_path)
    yield found
    found.inner.close()


async def test_measures_and_remembers(place: Place) -> None:
    """What was measured is there for the next process, judged as it was."""
    async with place.measured(checklist(scripted("good"), scripted("bad", "fail"))) as session:
        assert {name: each.outcome for name, each in session.state.items.items()} == {
            "good": Outcome.PASS,
            "bad": Outcome.FAIL,
        }
    again = place.engine().load("morning@2026-11-21")
    assert again is not None
    assert again.result is Result.FAIL
    assert place.script.closed == 1


async def test_a_run_is_opened_once_and_resumed(place: Place) -> None:
    """Two engines that open the same day work on one run."""
    engine, other = place.engine(), place.engine()
    definition = checklist(Item(id="look", title="Look", manual=True))
    first, second = await asyncio.gather(engine.open(definition), other.open(definition))
    await first.tick("look")
    assert second.state.counts == {Outcome.PENDING: 1}
    await second.refresh()
    assert second.state.counts == {Outcome.PASS: 1}
    assert [each.event.body.__class__.__name__ for each in place.store.events(first.state.run)] == [
        "Opened",
        "Ticked",
    ]
    await first.aclose()
    await second.aclose()


async def test_concurrency_is_limited_and_lanes_are_sequential(place: Place) -> None:
    """At most so many probes run at once, and those of one source one after another in one slot."""
    items = [scripted(f"lane-{index}", options={"lane": "db"}) for index in range(6)]
    items += [scripted(f"free-{index}") for index in range(6)]
    async with place.measured(checklist(*items), concurrency=3) as session:
        assert session.state.counts == {Outcome.PASS: 12}
    assert place.script.most_running <= 3
    assert place.script.most_in_lane == 1
    assert [each for each in place.script.order if each.startswith("lane")] == [f"lane-{each}" for each in range(6)]


async def test_a_dead_source_delays_nobody(place: Place) -> None:
    """While one lane hangs in its timeout, everything else is measured."""
    items = [
        scripted(f"dead-{index}", "hang", timeout=Duration.parse("300 ms"), options={"lane": "dead"})
        for index in range(3)
    ]
    items.append(scripted("alive"))
    seen: list[tuple[str, ...]] = []
    engine = place.engine(concurrency=2)
    session = await engine.open(checklist(*items))

    def listen(change: Change) -> None:
        if isinstance(change, Changed):
            seen.append(tuple(change.items))

    session.subscribe(listen)
    await engine.measure(session)
    assert seen[0] == ("alive",)
    assert session.state.items["dead-0"].summary == "no answer within 300 ms"
    assert session.state.counts == {Outcome.PASS: 1, Outcome.ERROR: 3}
    await session.aclose()


async def test_a_lane_of_some_depth_holds_one_slot(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several queries of one source may be under way, and still leave the other slots to everybody else."""
    place.script.hold = asyncio.Event()
    deep = msgspec.structs.replace(scripted_kind(place.script), depth=3)
    items = [scripted(f"lane-{index}", "hold", options={"lane": "db"}) for index in range(5)]
    engine = place.engine(concurrency=2)
    monkeypatch.setattr(engine, "_kinds", {"scripted": deep})
    session = await engine.open(checklist(*items, scripted("free")))
    free = asyncio.Event()
    session.subscribe(lambda change: free.set() if isinstance(change, Changed) else None)
    task = asyncio.create_task(engine.measure(session))
    await free.wait()
    assert session.state.counts == {Outcome.PASS: 1, Outcome.PENDING: 5}
    assert place.script.most_in_lane == 3
    place.script.hold.set()
    await task
    assert session.state.counts == {Outcome.PASS: 6}
    await session.aclose()


@pytest.mark.parametrize("does", ["hang", "deaf"])
async def test_a_timeout_ends_the_probe(place: Place, does: str) -> None:
    """A probe that does not answer is cancelled, and left behind where it does not listen; `on_timeout` decides."""
    late = scripted("late", does, timeout=Duration.parse("10 ms"), on_timeout=Outcome.WARN)
    async with place.measured(checklist(late)) as session:
        state = session.state.items["late"]
        assert (state.outcome, state.summary) == (Outcome.WARN, "no answer within 10 ms")
        problem = state.attempts[-1].body.problem
        assert problem is not None
        assert problem.reason == "timeout"


async def test_retries_are_recorded(place: Place) -> None:
    """An item that succeeds at the third attempt shows all three."""
    async with place.measured(checklist(scripted("flaky", "flaky", retry=FAST))) as session:
        state = session.state.items["flaky"]
        assert state.outcome is Outcome.PASS
        assert [(each.body.attempt, each.body.judgement.outcome, each.body.final) for each in state.attempts] == [
            (1, Outcome.ERROR, False),
            (2, Outcome.ERROR, False),
            (3, Outcome.PASS, True),
        ]


async def test_a_failure_is_not_retried_unless_asked(place: Place) -> None:
    """Retries are for what could not be measured; a failure is an answer."""
    asked = msgspec.structs.replace(FAST, on=(RetryOn.FAIL,))
    async with place.measured(
        checklist(scripted("plain", "fail", retry=FAST), scripted("asked", "fail", retry=asked))
    ) as session:
        assert len(session.state.items["plain"].attempts) == 1
        assert len(session.state.items["asked"].attempts) == 4


async def test_requires_blocks(place: Place) -> None:
    """What needs a failed item is not measured but BLOCKED, down the chain, naming what it needs."""
    items = (
        scripted("third", requires=("second",)),
        scripted("second", requires=("first",)),
        scripted("first", "fail"),
        scripted("other"),
    )
    async with place.measured(checklist(*items)) as session:
        states = session.state.items
        assert (states["second"].outcome, states["third"].outcome) == (Outcome.BLOCKED, Outcome.BLOCKED)
        assert states["second"].summary == "needs 'First', which is FAIL"
        assert states["other"].outcome is Outcome.PASS
    assert place.script.order == ["first", "other"]


async def test_targets_are_each_measured(place: Place) -> None:
    """`for_each` measures every target, with its name filled in."""
    item = scripted("many", "target", for_each=("a", "bbb", "cc"), require=(parse_condition("value < 3"),))
    async with place.measured(checklist(item)) as session:
        state = session.state.items["many"]
        assert state.outcome is Outcome.FAIL
        assert state.summary == "bbb: 3, limit 3"
        assert set(state.latest) == {"a", "bbb", "cc"}


async def test_a_fault_of_a_plug_in_is_a_value(place: Place) -> None:
    """A probe with a bug makes its own item an error and harms no other."""
    async with place.measured(checklist(scripted("bug", "bug"), scripted("good"))) as session:
        assert session.state.items["bug"].outcome is Outcome.ERROR
        assert "ZeroDivisionError: a fault of the plug-in" in session.state.items["bug"].summary
        assert session.state.items["good"].outcome is Outcome.PASS


async def test_unknown_probes_and_options_are_errors(place: Place) -> None:
    """A definition that came from an older record than this program is no crash."""
    items = (
        scripted("odd", options={"colour": "red"}),
        msgspec.structs.replace(scripted("gone"), probe="telepathy"),
    )
    async with place.measured(checklist(*items)) as session:
        assert {each.outcome for each in session.state.items.values()} == {Outcome.ERROR}


async def test_secrets_do_not_reach_the_record(place: Place) -> None:
    """What looks like a password is masked before it is hashed, and so are known secrets."""
    async with place.measured(checklist(scripted("leak", "leak")), secrets=("not-real",)) as session:
        stored = b"".join(each.document for each in place.store.links(session.state.run))
        assert b"hunter2" not in stored
        assert b"redacted" in stored


async def test_reasons_that_skip(place: Place) -> None:
    """Without systemd an item is an error; where the item or the demo says so, it is skipped with the reason."""
    plain, own = (
        scripted("plain", "no-systemd"),
        scripted("own", "no-systemd", skip_when=("not-booted-with-systemd",)),
    )
    async with place.measured(checklist(plain, own)) as session:
        assert session.state.items["plain"].outcome is Outcome.ERROR
        assert session.state.items["own"].outcome is Outcome.SKIPPED
        assert session.state.items["own"].summary == "no systemd here"
    async with place.measured(
        checklist(plain, own), skip=frozenset({("scripted", "not-booted-with-systemd")})
    ) as session:
        assert session.state.counts == {Outcome.SKIPPED: 2}


async def test_cancelling_keeps_what_was_measured(place: Place) -> None:
    """Ctrl-C in the middle: probes are ended, what was on disk stays, and the next start goes on."""
    engine = place.engine()
    definition = checklist(scripted("good"), scripted("hang", "hang"))
    session = await engine.open(definition)
    measured = asyncio.Event()
    session.subscribe(lambda change: measured.set() if isinstance(change, Changed) else None)
    task = asyncio.create_task(engine.measure(session))
    await measured.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await session.aclose()
    assert place.script.cancelled == 1
    assert place.script.closed == 1
    again = await place.engine().open(definition)
    assert again.state.counts == {Outcome.PASS: 1, Outcome.PENDING: 1}
    await again.aclose()


async def test_one_item_alone(place: Place) -> None:
    """`--only` measures what was named and nothing else, its prerequisites being taken as they stand."""
    engine = place.engine()
    session = await engine.open(checklist(scripted("a"), scripted("b", requires=("a",))))
    await engine.measure(session, ["b"])
    assert session.state.items["b"].outcome is Outcome.BLOCKED
    await engine.measure(session, ["a"])
    await engine.measure(session, ["b"])
    assert session.state.counts == {Outcome.PASS: 2}
    await session.aclose()


async def test_progress_is_told_after_the_event_is_stored(place: Place) -> None:
    """Whoever is told of a reading finds it in the store."""
    engine = place.engine()
    session = await engine.open(checklist(scripted("a"), scripted("b")))
    told: list[tuple[int, int]] = []

    def listen(change: Change) -> None:
        if isinstance(change, Changed):
            stored = place.store.events(session.state.run)
            assert stored[-1].seq == session.state.last_seq
        if isinstance(change, Progress) and not change.measuring:
            told.append((change.done, change.total))

    session.subscribe(listen)
    await engine.measure(session)
    assert told == [(1, 2), (2, 2)]
    await session.aclose()


# --- what a person does ----------------------------------------------------------------------------

MANUAL = Item(id="look", title="Look", manual=True)
ENTRY = scripted("tickets", entry=Entry("Tickets"), require=(parse_condition("entry within 1% of value"),))


async def test_a_whole_morning_by_hand(place: Place) -> None:
    """Tick, enter, note, fill and sign: the run is signed as a pass and closed."""
    async with place.measured(checklist(MANUAL, ENTRY, scripted("good"))) as session:
        with pytest.raises(ActionRefused, match="tick it"):
            statement_now(session)
        await session.tick("look")
        await session.enter("tickets", "1")
        await session.note("good", "all well")
        await session.fill("notes", "a quiet night")
        statement = statement_now(session)
        await sign_statement(session, statement)
        assert session.state.signed is not None
        assert session.state.result is Result.PASS
        for refused in (
            session.tick("look"),
            session.note("", "late"),
            session.fill("notes", "more"),
            session.waive("good", "why", dt.date(2026, 12, 1)),
        ):
            with pytest.raises(ActionRefused, match="signed"):
                await refused
        assert not await place.engine().measure(session)


async def test_a_sign_off_covers_what_the_signer_saw(place: Place) -> None:
    """If anything happens between looking and signing, the signature is refused."""
    definition = checklist(MANUAL)
    engine = place.engine()
    mine, theirs = await engine.open(definition), await engine.open(definition)
    await mine.tick("look")
    await theirs.refresh()
    statement = statement_now(mine)
    await theirs.untick("look")
    with pytest.raises(Conflict):
        await sign_statement(mine, statement)
    assert mine.state.signed is None
    assert mine.state.items["look"].outcome is Outcome.PENDING
    await mine.aclose()
    await theirs.aclose()


async def test_refusals(place: Place) -> None:
    """What makes no sense is refused with words and leaves nothing behind."""
    engine = place.engine()
    session = await engine.open(checklist(MANUAL, ENTRY, scripted("good")))
    before = session.state.last_seq
    for action, said in (
        (session.tick("good"), "measured, not ticked"),
        (session.tick("nothing"), "no item 'nothing'"),
        (session.enter("good", "1"), "takes no entry"),
        (session.enter("tickets", "1"), "measure it first"),
        (session.enter("tickets", "many"), "not a number"),
        (session.enter("tickets", "1 m"), "ambiguous"),
        (session.enter("tickets", "1e999999999"), "not a number"),
        (session.note("good", "  "), "words are needed"),
        (session.note("good", "x" * 10_001), "too many"),
        (session.skip("good", ""), "words are needed"),
        (session.waive("good", "why", dt.date(2026, 11, 20)), "already expired"),
        (session.fill("mood", "fine"), "no field 'mood'"),
    ):
        with pytest.raises(ActionRefused, match=said):
            await action
    assert place.store.last_seq(session.state.run) == before
    await session.aclose()


@pytest.mark.parametrize(
    ("entry", "text", "value"),
    [
        (Entry("x"), " 1,234 ", number(1234)),
        (Entry("x"), "1234.50", number("1234.50")),
        (Entry("x"), "2 h", seconds(7200)),
        (Entry("x", kind=EntryKind.TEXT), " v1.2 ", "v1.2"),
    ],
)
def test_typed_values(entry: Entry, text: str, value: object) -> None:
    """Operators type numbers as they read them."""
    assert typed_value(entry, text) == value


async def test_waivers_are_carried_until_they_expire(place: Place) -> None:
    """A waiver holds in the next runs with its author and origin, and ends with its date."""
    definition = checklist(scripted("bad", "fail"))
    async with place.measured(definition) as session:
        await session.waive("bad", "disk is ordered", dt.date(2026, 11, 22))
    place.now = NOW + dt.timedelta(days=1)
    async with place.measured(definition) as session:
        state = session.state.items["bad"]
        assert state.outcome is Outcome.WAIVED
        assert state.waiver is not None
        assert (state.waiver.author, state.waiver.body.origin) == ("Day Operator (operator)", "morning@2026-11-21")
        assert session.state.operators == []
    place.now = NOW + dt.timedelta(days=2)
    async with place.measured(definition) as session:
        assert session.state.items["bad"].outcome is Outcome.FAIL


async def test_an_edited_checklist_is_recorded_on_resuming(place: Place) -> None:
    """An edit between two looks shows in the record, and what it changed is asked anew."""
    async with place.measured(checklist(scripted("good"), MANUAL)) as session:
        await session.tick("look")
    stricter = checklist(scripted("good", require=(parse_condition("value >= 2"),)), MANUAL)
    again = await place.engine().open(stricter)
    assert len(again.state.redefinitions) == 1
    assert again.state.counts == {Outcome.PENDING: 1, Outcome.PASS: 1}
    await again.aclose()


# --- when the store cannot be written ---------------------------------------------------------------


async def test_nothing_is_lost_while_the_disk_is_full(place: Place) -> None:
    """A tick that cannot be saved is said to be unsaved, blocks the sign-off, and is saved when there is room."""
    engine = place.engine()
    session = await engine.open(checklist(MANUAL, scripted("good")))
    told: list[Change] = []
    session.subscribe(told.append)
    place.store.broken = True
    with pytest.raises(NotSaved, match="the disk is full"):
        await session.tick("look")
    assert session.state.items["look"].outcome is Outcome.PENDING
    assert session.unsaved == 1
    assert any(isinstance(each, Unsaved) and each.count == 1 for each in told)
    with pytest.raises(NotSaved):
        await engine.measure(session)
    with pytest.raises(ActionRefused, match="not saved yet"):
        statement_now(session)
    place.store.broken = False
    assert await session.retry_unsaved() == 0
    assert session.state.counts == {Outcome.PASS: 2}
    kinds = [each.event.body.__class__.__name__ for each in place.store.events(session.state.run)]
    assert kinds == ["Opened", "Ticked", "Measured"]
    await session.aclose()


async def test_unsaved_actions_survive_the_process(place: Place) -> None:
    """What could not be saved when the console ended is saved by the next one, once, in its order."""
    engine = place.engine()
    definition = checklist(MANUAL)
    session = await engine.open(definition)
    place.store.broken = True
    with pytest.raises(NotSaved):
        await session.tick("look")
    with pytest.raises(NotSaved):
        await session.note("look", "seen")
    await session.aclose()
    place.store.broken = False
    for _ in range(2):
        again = await place.engine().open(definition)
        assert again.state.items["look"].outcome is Outcome.PASS
        assert [note.text for note in again.state.items["look"].notes] == ["seen"]
        assert again.state.last_seq == 3
        await again.aclose()


# --- two at once, and what Today shows --------------------------------------------------------------


async def test_the_second_measurement_joins_the_first(place: Place) -> None:
    """Two jobs at the same minute: the second waits, takes over what was found, and measures nothing twice."""
    place.script.hold = asyncio.Event()
    definition = checklist(scripted("slow", "hold"))
    one, two = place.engine(), place.engine()
    first, second = await one.open(definition), await two.open(definition)
    began, waits = asyncio.Event(), asyncio.Event()
    place.script.started = lambda _item: began.set()
    measuring_one = asyncio.create_task(one.measure(first))
    await began.wait()
    measuring_two = asyncio.create_task(two.measure(second, waiting=waits.set))
    await waits.wait()
    place.script.hold.set()
    assert await measuring_one is True
    assert await measuring_two is False
    assert second.state.items["slow"].outcome is Outcome.PASS
    assert len(second.state.items["slow"].attempts) == 1
    await first.aclose()
    await second.aclose()


async def test_a_lock_that_cannot_be_made_stops_nothing(place: Place, tmp_path: Path) -> None:
    """The lock only saves work."""
    (tmp_path / "file").write_text("")
    async with PassLock(tmp_path / "file" / "lock").held(lambda: None) as waited:
        assert waited is False


async def test_old_locks_go_and_held_ones_stay(tmp_path: Path) -> None:
    """A list of five minutes leaves no file for each of its runs: the next one takes those of yesterday away."""
    yesterday = dt.datetime.now(dt.UTC).timestamp() - 2 * 86_400
    names = ["left.lock", "held.lock", "notes.txt"]
    for name in names:
        (tmp_path / name).write_text("complete")
        os.utime(tmp_path / name, (yesterday, yesterday))
    (tmp_path / "fresh.lock").write_text("complete")
    held, found = PassLock(tmp_path / "held.lock"), PassLock(tmp_path / "next.lock")
    async with held.held(lambda: None), found.held(lambda: None) as waited:
        assert waited is False
    assert sorted(next(os.walk(tmp_path))[2]) == ["fresh.lock", "held.lock", "next.lock", "notes.txt"]


async def test_today(place: Place) -> None:
    """Today shows what is due, what was signed, and a gap after a morning that nobody signed."""
    definition = checklist(MANUAL)
    engine = place.engine()
    view = today(engine, definition)
    assert (view.standing, view.current, view.last, view.gaps) == (Standing.DUE, None, None, ())
    session = await engine.open(definition)
    await session.tick("look")
    await sign_statement(session, statement_now(session))
    await session.aclose()
    view = today(engine, definition)
    assert view.standing is Standing.SIGNED
    assert view.current is not None
    assert view.current.signed_by == "Day Operator (operator)"
    place.now = NOW + dt.timedelta(days=1)
    assert today(engine, definition).gaps == ()
    place.now = NOW + dt.timedelta(days=2)
    assert [(each.period, each.standing) for each in today(engine, definition).gaps] == [
        ("2026-11-22", Standing.MISSED)
    ]


def test_dates_are_those_of_the_checklist(place: Place) -> None:
    """The host may be in UTC; late at night there it is still the day before in Chicago."""
    place.now = dt.datetime(2026, 11, 22, 3, 0, tzinfo=dt.UTC)
    assert place.engine().key_of(checklist(MANUAL)).id == "morning@2026-11-21"


async def test_a_retry_forgets_only_what_it_saved(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be saved while an earlier action was being saved again is kept, and saved later."""
    monkeypatch.setattr("opsconsole.engine.recorder.RETRIES", ())
    engine = place.engine()
    session = await engine.open(checklist(MANUAL))
    place.store.broken = True
    with pytest.raises(NotSaved):
        await session.tick("look")
    place.store.broken = False
    gate, refusals = threading.Event(), [StoreUnavailable("full for a moment longer")]
    append = place.inner.append

    def once_refused(events: list[Event], *, after: int | None = None) -> list[Stored]:
        gate.wait(10)
        if refusals:
            raise refusals.pop()
        return append(events, after=after)

    monkeypatch.setattr(place.store, "append", once_refused)
    noting = asyncio.create_task(session.note("look", "seen"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    retrying = asyncio.create_task(session.retry_unsaved())
    await asyncio.sleep(0)
    gate.set()
    with pytest.raises(NotSaved):
        await noting
    await retrying
    assert session.unsaved == 1
    assert await session.retry_unsaved() == 0
    assert [note.text for note in session.state.items["look"].notes] == ["seen"]
    assert session.state.items["look"].outcome is Outcome.PASS
    await session.aclose()
