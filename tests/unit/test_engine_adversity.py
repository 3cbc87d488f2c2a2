"""The engine where others interfere in the middle of a pass: signatures, edits, stopped processes, bad plug-ins."""

import asyncio
import datetime as dt
import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.contracts.probe import Context, Environment, ProbeKind
from opsconsole.contracts.store import StoreUnavailable
from opsconsole.engine import measuring
from opsconsole.engine.engine import Engine
from opsconsole.engine.entering import ActionRefused, typed_value
from opsconsole.engine.locking import PassLock
from opsconsole.engine.overview import today
from opsconsole.engine.recorder import NotSaved
from opsconsole.engine.session import RunSession
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.engine.spill import Spill, make_private
from opsconsole.model.calendar import Standing
from opsconsole.model.checklists import Cadence, Checklist, Due, Entry, Item, Section
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import Actor, Entered, Event, Noted, Stored
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.qualifications import Qualification
from opsconsole.model.readings import Evidence, Judgement, Reading
from opsconsole.model.values import number
from opsconsole.store.sqlite import SqliteStore
from support.runs import Chain

NOW = dt.datetime(2026, 11, 21, 14, 5, tzinfo=dt.UTC)
OPERATOR = Actor("operator", "Day Operator", "ops01")
MANUAL = Item(id="look", title="Look", manual=True)


class Options(msgspec.Struct, frozen=True):
    """What the probe brings back."""

    does: str = "pass"


class Gate:
    """A probe that waits until it may go on, and brings back what no sound one would."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.go = asyncio.Event()

    async def measure(self, options: Options, _context: Context) -> Reading:
        """Do what the options name."""
        match options.does:
            case "wait":
                self.began.set()
                await self.go.wait()
            case "gives-up":
                raise asyncio.CancelledError
            case "float":
                return Reading(measures={"value": number(1), "share": 1.5})  # type: ignore[dict-item]
            case "shape":
                return "no reading"  # type: ignore[return-value]
            case "bytes":
                return Reading(measures={"value": number(1)}, evidence=(Evidence("/mnt/\udce9", "\udce9"),))
            case "long":
                return Reading(measures={"value": "." * 70_000 + "ERROR"})
        return Reading(measures={"value": number(1)})

    async def aclose(self) -> None:
        """Have nothing to end."""


class Place:
    """A store that can refuse, and engines on it as other processes would have them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inner = SqliteStore(directory / "records.db")
        self.broken = False
        self.before: Callable[[], object] = lambda: None
        """Called ahead of every append."""
        self.now = NOW
        self.gate = Gate()

    def append(self, events: list[Event], *, after: int | None = None) -> list[Stored]:
        """Refuse for now, or pass on."""
        self.before()
        if self.broken:
            raise StoreUnavailable("the disk is full", "make room")
        return self.inner.append(events, after=after)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def engine(self, *qualifications: Qualification, checklist: Checklist | None = None) -> Engine:
        """Return an engine of its own."""
        kind = ProbeKind(
            name="gate",
            summary="",
            options=Options,
            subjects=lambda _: {"value": None},
            open=lambda _environment: self.gate,
        )
        return Engine(
            self,  # type: ignore[arg-type]
            {"gate": kind},
            Environment(),
            OPERATOR,
            self.directory / "state",
            clock=lambda: self.now,
            checklists={} if checklist is None else {checklist.id: checklist},
            qualifications={each.id: each for each in qualifications},
        )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A directory of its own, and short patience."""
    monkeypatch.setattr(measuring, "_UNWIND", 0.05)
    monkeypatch.setattr("opsconsole.engine.recorder.RETRIES", (0.001,))
    found = Place(tmp_path)
    yield found
    found.inner.close()


def gated(name: str, does: str = "pass", require: str = "value >= 1") -> Item:
    """Return an item that the gate measures."""
    return Item(id=name, title=name, probe="gate", options={"does": does}, require=(parse_condition(require),))


def checklist(*items: Item, **more: Any) -> Checklist:
    """Return a checklist of these items."""
    due = more.pop("due", Due(timezone="UTC"))
    return Checklist(id="morning", title="Morning", due=due, sections=(Section("All", items),), **more)


async def measured(place: Place, *items: Item) -> RunSession:
    """Return a run of these items that was measured."""
    engine = place.engine()
    session = await engine.open(checklist(*items))
    assert await engine.measure(session)
    await session.aclose()
    return session


# --- plug-ins --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("does", "said"),
    [("gives-up", "gave up by itself"), ("float", "cannot be kept"), ("shape", "failed unexpectedly")],
)
async def test_a_broken_plug_in_is_an_error_and_harms_no_other_item(place: Place, does: str, said: str) -> None:
    """A probe that cancels itself or brings back nonsense is an ERROR that says so; the next item is measured."""
    session = await measured(place, gated("bad", does), gated("good"))
    assert {name: each.outcome for name, each in session.state.items.items()} == {
        "bad": Outcome.ERROR,
        "good": Outcome.PASS,
    }
    assert said in session.state.items["bad"].summary


async def test_bytes_that_are_no_text_are_spelled_out(place: Place) -> None:
    """A mount point with a Latin-1 name can be recorded, as can a note typed in such a terminal."""
    session = await measured(place, gated("disk", "bytes"))
    reading = session.state.items["disk"].latest[""].body.reading
    assert reading is not None
    assert [(each.title, each.text) for each in reading.evidence] == [("/mnt/\\udce9", "\\udce9")]


async def test_what_was_cut_off_is_not_judged(place: Place) -> None:
    """A log without ERROR in its first 64 kB is not a log without ERROR."""
    session = await measured(place, gated("log", "long", "value not contains 'ERROR'"))
    assert session.state.items["log"].outcome is Outcome.ERROR
    assert "cut off" in session.state.items["log"].summary


# --- others on the same run ------------------------------------------------------------------------


async def test_a_run_that_is_signed_while_it_is_measured(place: Place) -> None:
    """The pass ends in order, and nothing is added to what was signed."""
    first = place.engine()
    session = await first.open(checklist(gated("slow", "wait"), MANUAL))
    task = asyncio.create_task(first.measure(session))
    await place.gate.began.wait()
    other = await place.engine().open(checklist(gated("slow", "wait"), MANUAL))
    await other.tick("look")
    await other.waive("slow", "not today", NOW.date())
    await sign_statement(other, statement_now(other))
    place.gate.go.set()
    assert await task is False
    assert session.state.signed is not None
    assert session.state.last_seq == other.state.last_seq
    with pytest.raises(ActionRefused, match="is signed"):
        await session.tick("look")


async def test_an_edit_during_a_pass_has_to_be_seen_again(place: Place) -> None:
    """What the old definition found green says nothing of the new one, which another process has recorded."""
    first, second = place.engine(), place.engine()
    session = await first.open(checklist(gated("slow", "wait"), gated("same", "wait"), MANUAL))
    task = asyncio.create_task(first.measure(session))
    await place.gate.began.wait()
    title = msgspec.structs.replace(MANUAL, title="Look at the other dashboard")
    edited = checklist(gated("slow", "wait", "value >= 10"), gated("same", "wait"), title)
    other = await second.open(edited)
    await session.tick("look")
    place.gate.go.set()
    assert await task is True
    await other.refresh()
    outcomes = {name: each.outcome for name, each in other.state.items.items()}
    assert outcomes == {"slow": Outcome.PENDING, "same": Outcome.PASS, "look": Outcome.PENDING}
    await second.measure(other)
    assert other.state.items["slow"].outcome is Outcome.FAIL


async def test_a_pass_over_one_item_is_no_reason_to_leave_the_others(place: Place) -> None:
    """A night job that waits for somebody who measures one item again measures all of them."""
    one, two = place.engine(), place.engine()
    definition = checklist(gated("slow", "wait"), gated("good"))
    first, second = await one.open(definition), await two.open(definition)
    waits = asyncio.Event()
    measuring_one = asyncio.create_task(one.measure(first, ("slow",)))
    await place.gate.began.wait()
    measuring_two = asyncio.create_task(two.measure(second, waiting=waits.set))
    await waits.wait()
    place.gate.go.set()
    assert await measuring_one is True
    assert await measuring_two is True
    assert {each.outcome for each in second.state.items.values()} == {Outcome.PASS}


async def test_a_stopped_process_holds_nobody_up(tmp_path: Path) -> None:
    """The lock of a process that does not go on is waited for only so long, and that is said."""
    said: list[str] = []
    async with PassLock(tmp_path / "lock").held(lambda: None):
        lock = PassLock(tmp_path / "lock", patience=0.01)
        async with lock.held(lambda: said.append("waiting"), lambda: said.append("given up")) as joined:
            assert joined is False
    assert said == ["waiting", "given up"]


# --- what could not be saved -----------------------------------------------------------------------


async def test_what_was_not_saved_before_somebody_signed_is_kept_aside(place: Place, tmp_path: Path) -> None:
    """It cannot enter a signed run any more: it is kept where it is told to be, and the run can still be opened."""
    definition = checklist(MANUAL)
    session = await place.engine().open(definition)
    await session.tick("look")
    place.broken = True
    with pytest.raises(NotSaved):
        await session.note("look", "the light is red")
    await session.aclose()
    place.broken = False
    other = RunSession(place.inner, place.inner.events(session.state.run), OPERATOR, Spill((), session.state.run))
    await sign_statement(other, statement_now(other))
    again = await place.engine().open(definition)
    assert again.unsaved == 0
    assert "can no longer be saved" in again.notices[-1]
    (aside,) = (tmp_path / "state" / "unsaved").glob("*.refused")
    assert "the light is red" in aside.read_text()
    assert (await place.engine().open(definition)).notices == ()


async def test_one_refused_event_does_not_take_the_others_with_it(place: Place) -> None:
    """Events that share a transaction are told apart when one of them cannot be stored."""
    session = await place.engine().open(checklist(MANUAL))
    unfit = session.record(Noted("look", "\ud800"))
    results = await asyncio.gather(
        session.note("", "first"), unfit, session.note("", "last"), return_exceptions=True
    )
    assert [type(each).__name__ for each in results] == ["NoneType", "Unrecordable", "NoneType"]
    assert {note.text for note in session.state.notes} == {"first", "last"}


async def test_two_processes_that_cannot_save_keep_their_own(place: Place) -> None:
    """A full disk, a console and a second one: neither replaces what the other spilled."""
    definition = checklist(MANUAL)
    sessions = [await place.engine().open(definition) for _ in range(2)]
    place.broken = True
    for at, each in enumerate(sessions):
        with pytest.raises(NotSaved):
            await each.note("look", f"note {at}")
        await each.aclose()
    place.broken = False
    again = await place.engine().open(definition)
    assert {note.text for note in again.state.items["look"].notes} == {"note 0", "note 1"}


async def test_what_a_silent_store_holds_up_is_spilled_before_the_end(place: Place, tmp_path: Path) -> None:
    """A line that drops while the server hangs: what was being saved is in a file until it is stored."""
    session = await place.engine().open(checklist(MANUAL))
    unsaved, answer = tmp_path / "state" / "unsaved", threading.Event()
    place.before = answer.wait
    noting = asyncio.create_task(session.note("look", "the light is red"))
    await asyncio.sleep(0)
    await session.hasten()
    (spilled,) = unsaved.iterdir()
    assert "the light is red" in spilled.read_text()
    answer.set()
    await session.aclose()
    (stored,) = place.inner.events(session.state.run, after=1)
    assert isinstance(stored.event.body, Noted)
    assert stored.event.body.text == "the light is red"
    assert list(unsaved.iterdir()) == []
    noting.cancel()


def test_everything_that_was_refused_is_kept_aside(tmp_path: Path) -> None:
    """A store that refuses a second time does not replace what it refused before."""
    spill, chain = Spill((tmp_path / "unsaved",), "morning@2026-11-21"), Chain()
    for text in ("first", "second"):
        chain.add(Noted("", text))
        kept = spill.set_aside([chain.events[-1].event])
    assert kept is not None
    assert [text in kept.read_text() for text in ("first", "second")] == [True, True]


def test_a_spill_that_a_bad_disk_does_not_give_back_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be read now is not removed with what was saved."""
    make_private(tmp_path / "unsaved")
    (tmp_path / "unsaved" / "morning@2026-11-21.old.jsonl").write_text("{}")
    spill = Spill((tmp_path / "unsaved",), "morning@2026-11-21")

    def unreadable(_path: Path) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", unreadable)
        assert spill.claim() == []
    spill.settle([])
    (kept,) = (tmp_path / "unsaved").iterdir()
    assert (kept.suffix, kept.read_text()) == (".unreadable", "{}")


def test_a_spill_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    """Half a line of an earlier version, or of a damaged disk, is set aside and not removed."""
    make_private(tmp_path / "unsaved")
    (tmp_path / "unsaved" / "morning@2026-11-21.old.jsonl").write_text('{"id": "half a')
    spill = Spill((tmp_path / "unsaved",), "morning@2026-11-21")
    assert spill.claim() == []
    spill.settle([])
    (kept,) = (tmp_path / "unsaved").iterdir()
    assert (kept.suffix, kept.read_text()) == (".unreadable", '{"id": "half a')


def test_a_spill_goes_only_where_nobody_else_can_write(tmp_path: Path) -> None:
    """A directory in /tmp that somebody made first is passed over, for reading as well."""
    open_to_all, own = tmp_path / "open", tmp_path / "deep" / "own"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    before = os.umask(0)
    try:
        path = Spill((open_to_all, own), "morning@2026-11-21").write([])
    finally:
        os.umask(before)
    assert path is not None
    assert path.parent == own
    assert {stat.S_IMODE(each.stat().st_mode) for each in (own, own.parent)} == {0o700}


# --- days ------------------------------------------------------------------------------------------


async def test_a_day_that_has_not_come_is_not_opened(place: Place) -> None:
    """Nobody can sign tomorrow's morning today; a later day of this week is this week's run, of today."""
    with pytest.raises(ActionRefused, match="has not come yet"):
        await place.engine().open(checklist(MANUAL), dt.date(2026, 11, 22))
    session = await place.engine().open(checklist(MANUAL, cadence=Cadence.WEEKLY), dt.date(2026, 11, 22))
    assert session.state.times.business_date == dt.date(2026, 11, 21)


async def test_days_that_nobody_looked_at_cannot_be_made_up_for(place: Place) -> None:
    """On Saturday Friday's run is one that was missed: nothing is measured, and what is signed is why."""
    definition = checklist(gated("good"), MANUAL)
    engine = place.engine()
    session = await engine.open(definition, dt.date(2026, 11, 20))
    assert "was missed" in "".join(session.notices)
    assert await engine.measure(session) is False
    for deed in (session.tick("look"), session.skip("good", "why"), session.waive("good", "why", NOW.date())):
        with pytest.raises(ActionRefused, match="was missed"):
            await deed
    with pytest.raises(ActionRefused, match="has to say why"):
        statement_now(session)
    await session.note("", "nobody was there")
    await sign_statement(session, statement_now(session))
    assert (session.state.result, session.state.passed, session.state.counts) == (Result.MISSED, False, {})
    view = today(engine, definition)
    assert [(each.standing, each.why) for each in view.gaps] == [(Standing.EXPLAINED, "nobody was there")]
    again = await engine.open(definition, dt.date(2026, 11, 20))
    assert again.state.missed


async def test_what_was_opened_in_time_can_be_signed_later(place: Place) -> None:
    """A run of yesterday that was measured then is signed today, and what is measured today says so."""
    definition = checklist(gated("good"))
    engine = place.engine()
    session = await engine.open(definition)
    await engine.measure(session)
    place.now += dt.timedelta(days=1)
    again = await engine.open(definition, NOW.date())
    assert "was over on 2026-11-21" in "".join(again.notices)
    await sign_statement(again, statement_now(again))
    assert again.state.result is Result.PASS


async def test_working_days_qualify_too(place: Place) -> None:
    """A Monday follows upon the Friday before; here a Saturday upon the one before."""
    definition = checklist(gated("good"), due=Due(timezone="UTC", days="Sat"))
    nine = Qualification(id="five", title="Five", checklist=definition.id, days=5)
    for day in (1, 2, 3):
        engine = place.engine(nine, checklist=definition)
        session = await engine.open(definition)
        await engine.measure(session)
        await sign_statement(session, statement_now(session))
        assert str(engine.day_of_monitoring(session.state)) == f"day {day} of 5"
        place.now += dt.timedelta(days=7)


async def test_a_run_that_has_seen_nothing_is_no_pass(place: Place) -> None:
    """Every item skipped with a reason can be signed, but not as a PASS."""
    session = await place.engine().open(checklist(MANUAL))
    await session.skip("look", "no time")
    assert statement_now(session).result == "FAIL"


async def test_huge_numbers_of_a_source_are_judged(place: Place) -> None:
    """No number that a source can hold overflows the arithmetic."""
    item = gated("good", require="value < 0.000000000000000001")
    place.gate.measure = lambda *_: _huge()  # type: ignore[method-assign]
    session = await measured(place, item)
    assert session.state.items["good"].outcome in {Outcome.FAIL, Outcome.ERROR}


async def _huge() -> Reading:
    return Reading(measures={"value": number(Decimal("1e999999"))})


async def test_reading_grows_with_what_was_stored(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items that were stored together are not read anew for each of them."""
    read: list[int] = []
    events = place.inner.events

    def counted(run: str, *, after: int = 0) -> list[Stored]:
        found = events(run, after=after)
        read.append(len(found))
        return found

    monkeypatch.setattr(place.inner, "events", counted)
    await measured(place, *(gated(f"item-{at}") for at in range(200)))
    assert sum(read) <= 2 * 201


@pytest.mark.parametrize("text", ["12,5", "1,2345", ",5", "9" * 40, "9" * 40 + " s", "1e999999999"])
def test_numbers_that_mean_two_things_are_refused(text: str) -> None:
    """`12,5` is not taken for 125, and a key that stuck not for a number."""
    with pytest.raises(ActionRefused):
        typed_value(Entry("Tickets"), text)


def test_an_entry_whose_reading_failed_meanwhile() -> None:
    """What was typed in while it could be compared does not stand once the source did not answer (`on_timeout`)."""
    judgement = Judgement(Outcome.PASS, "it agrees")
    chain = Chain().measured("tickets", Outcome.PENDING).add(Entered("tickets", number(5), "5", judgement))
    assert chain.state().items["tickets"].outcome is Outcome.PASS
    late = chain.measured("tickets", Outcome.FAIL, "no answer").state().items["tickets"]
    assert (late.outcome, late.summary) == (Outcome.FAIL, "no answer")
