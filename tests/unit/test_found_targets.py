"""Targets that another item finds out: 28 services are one item, and none of them is green unseen."""

import asyncio
import datetime as dt
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.contracts.exporter import Report
from opsconsole.contracts.probe import Context, ProbeError
from opsconsole.contracts.store import StoreUnavailable
from opsconsole.engine.foreseen import longest_pass, unmeasured
from opsconsole.engine.verifying import Verifying
from opsconsole.export.json import JsonExporter
from opsconsole.export.markdown import MarkdownExporter
from opsconsole.export.text import TextExporter
from opsconsole.model.checklists import Checklist, ForEach, Item, Retry, RetryOn
from opsconsole.model.events import Body, Event, Listed, Measured
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.readings import Judgement, Reading
from opsconsole.model.runs import RunState, fold
from opsconsole.model.signoff import hurdles
from opsconsole.model.values import Duration, number, seconds
from opsconsole.model.verification import CheckedRun, Weight
from opsconsole.screens.item_view import item_paragraphs
from support.told import NOW, OPERATOR, Desk, checklist, item, table, value

RUN = "morning@2026-11-21"
SERVICES = tuple(f"service-{each:02}" for each in range(1, 29))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An engine whose probe brings back what it is told."""
    made = Desk(tmp_path)
    yield made
    made.store.close()


def services(**more: Any) -> Item:
    """Return the item that is measured for every service that the catalogue names."""
    require = more.pop("require", ("value < 3",))
    return item("services", *require, for_each=ForEach("catalogue", "name"), options={"about": "{target}"}, **more)


def listing(*more: Item, **of_services: Any) -> Checklist:
    """Return a list of the catalogue, its services, and more."""
    return checklist(item("catalogue", "count >= 1"), services(**of_services), *more)


def names(*of: str) -> Reading:
    """Return what the catalogue reads."""
    return table("name", *((each,) for each in of))


async def test_every_row_is_measured(desk: Desk) -> None:
    """28 rows are one item with 28 judgements, all of which pass in one line."""
    desk.told.answers = {"catalogue": names(*SERVICES), "services": value(1)}
    states = await desk.measured(listing())
    state = states["services"]
    assert (state.outcome, state.summary, state.targets) == (Outcome.PASS, "all 28 pass", SERVICES)
    assert list(state.judgements) == list(SERVICES)
    assert {each.target for each in desk.told.contexts} == {"", *SERVICES}
    assert isinstance(_bodies(desk)[2], Listed), "the targets are on record before they are measured"


async def test_each_failing_one_is_named(desk: Desk) -> None:
    """Where three of 28 are not green, those three are named, and no green one is in the way."""
    down = ProbeError("source-down", "nobody answers", "start it")
    desk.told.answers = {"catalogue": names(*SERVICES), "services": value(1)}
    desk.told.answers |= {"services/service-03": value(7), "services/service-20": value(5)}
    desk.told.answers["services/service-11"] = down
    states = await desk.measured(listing())
    assert states["services"].outcome is Outcome.FAIL
    text = _exported(desk, TextExporter())
    assert [line.split(":")[0].split()[-1] for line in text.splitlines() if "service-" in line] == [
        "service-03",
        "service-11",
        "service-20",
    ]
    state = fold(desk.store.events(RUN))
    assert state is not None
    detail = "\n".join(each.text for part in item_paragraphs(state, states["services"]) for each in part.pieces)
    measured = detail[detail.index("Measured against") :]
    assert max(measured.index(name) for name in ("service-03", "service-20")) < measured.index("service-01"), (
        "what is red is read first"
    )
    assert "28, found out by catalogue" in _exported(desk, MarkdownExporter())
    document = msgspec.json.decode(_exported(desk, JsonExporter()))
    found = next(each for each in document["items"] if each["id"] == "services")
    assert (found["targets_from"], len(found["targets"])) == ("catalogue", 28)


@pytest.mark.parametrize(
    ("reading", "outcome", "said"),
    [
        (Reading(columns=("name",)), Outcome.ERROR, "has no rows"),
        (names("a", "b", "a"), Outcome.ERROR, "names 'a' twice"),
        (table("name", ("a",), (None,)), Outcome.ERROR, "in row 2: there is nothing"),
        (table("name", ("a",), (7,)), Outcome.ERROR, "in row 2: what is there is no text"),
        (table("name", (" ",)), Outcome.ERROR, "is blank"),
        (table("name", ("a ",)), Outcome.ERROR, "begins or ends with a space"),
        (names("a\x1b[2J"), Outcome.ERROR, "has control characters"),
        (names("a\nb"), Outcome.ERROR, "has control characters"),
        (names("\u202eb"), Outcome.ERROR, "has control characters"),
        (names("-rf"), Outcome.ERROR, "begins with '-'"),
        (names("a" * 201), Outcome.ERROR, "more than 200 characters"),
        (names(*(f"n{each}" for each in range(1001))), Outcome.ERROR, "1,001 targets; 1,000 at most"),
        (table("name", ("a",), truncated=True), Outcome.ERROR, "was cut off"),
        (table("title", ("a",)), Outcome.ERROR, "has no column 'name'; it has title"),
        (table("name name", ("a", "b")), Outcome.ERROR, "has no column 'name'"),
        (value(3), Outcome.ERROR, "brought no table"),
    ],
)
async def test_a_list_that_is_none(desk: Desk, reading: Reading, outcome: Outcome, said: str) -> None:
    """A list that is empty, cut off, doubled or broken measures nothing, and says why: never green."""
    desk.told.answers = {"catalogue": reading, "services": value(1)}
    states = await desk.measured(listing())
    state = states["services"]
    assert state.outcome is outcome
    assert said in state.summary
    assert desk.told.measured == ["catalogue"]


@pytest.mark.parametrize("meant", [Outcome.PASS, Outcome.WARN, Outcome.SKIPPED, Outcome.FAIL])
async def test_an_empty_list_means_what_the_item_says(desk: Desk, meant: Outcome) -> None:
    """`on_empty` says what it means that nothing is listed: no unhealthy container is good news."""
    desk.told.answers = {"catalogue": Reading(columns=("name",)), "services": value(1)}
    states = await desk.measured(listing(on_empty=meant))
    assert states["services"].outcome is meant


@pytest.mark.parametrize(
    ("for_each", "reading", "found"),
    [
        (ForEach("catalogue"), names("a", "b"), ("a", "b")),
        (ForEach("catalogue"), table("id name", (1, "a"), (2, "b"), label="name"), ("a", "b")),
        (ForEach("catalogue", "host"), table("name host", ("a", "x"), label="name"), ("x",)),
        (ForEach("catalogue"), table("id name", (1, "a")), ()),
    ],
)
async def test_which_column(desk: Desk, for_each: ForEach, reading: Reading, found: tuple[str, ...]) -> None:
    """The column is the one that is named, else the label, else the only one; otherwise nobody guesses."""
    desk.told.answers = {"catalogue": reading, "each": value(1)}
    listed = checklist(
        item("catalogue"), item("each", "value > 0", for_each=for_each, options={"about": "{target}"})
    )
    states = await desk.measured(listed)
    assert states["each"].targets == found
    assert states["each"].outcome is (Outcome.PASS if found else Outcome.ERROR)
    assert found or "which column" in states["each"].summary


async def test_a_list_that_fails_is_still_read(desk: Desk) -> None:
    """Where the list itself is red, what it names is measured all the same; unread, it blocks."""
    desk.told.answers = {"catalogue": names("a"), "services": value(1)}
    red = checklist(item("catalogue", "count >= 28"), services())
    states = await desk.measured(red)
    assert [states[name].outcome for name in ("catalogue", "services")] == [Outcome.FAIL, Outcome.PASS]
    desk.told.answers["catalogue"] = ProbeError("source-down", "nobody answers")
    states = await desk.measured(red)
    assert (states["services"].outcome, states["services"].targets) == (Outcome.BLOCKED, ())
    desk.told.answers["catalogue"] = names("b")
    states = await desk.measured(red)
    assert (states["services"].outcome, states["services"].targets) == (Outcome.PASS, ("b",))


async def test_targets_come_and_go(desk: Desk) -> None:
    """Only what was found last counts; a new one is measured, and what vanished while it failed is flagged."""
    desk.told.answers = {"catalogue": names("a", "b"), "services": value(1), "services/b": value(9)}
    assert (await desk.measured(listing()))["services"].outcome is Outcome.FAIL
    desk.told.answers["catalogue"] = names("a", "c")
    states = await desk.measured(listing())
    assert (states["services"].outcome, list(states["services"].latest)) == (Outcome.PASS, ["a", "c"])
    assert [each.body.target for each in states["services"].attempts] == ["a", "b", "a", "c"], "nothing is lost"
    run = _verified(desk)
    assert [(each.weight, each.code) for each in run.findings] == [(Weight.FLAG, "dropped-failure")]
    assert "'b'" in run.findings[0].text


async def test_one_is_never_measured_without_the_other(desk: Desk) -> None:
    """To measure the services again asks for the list anew, and a new list is measured: no stale one is green."""
    desk.told.answers = {"catalogue": names("a"), "services": value(1), "other": value(1)}
    listed = listing(item("other", "value == 1"))
    await desk.measured(listed)
    for only in ("services", "catalogue"):
        desk.told.contexts.clear()
        desk.told.answers["catalogue"] = names("a", "b")
        states = await desk.measured(listed, (only,))
        assert sorted(desk.told.measured) == ["catalogue", "services/a", "services/b"]
        assert states["services"].targets == ("a", "b")


@pytest.mark.parametrize("dies_at", ["services/a", "services/b"])
async def test_killed_between_the_list_and_its_measurements(desk: Desk, dies_at: str) -> None:
    """What was listed and not measured is PENDING, cannot be signed, and is what is measured first afterwards."""
    desk.told.answers = {"catalogue": names("a", "b"), "services": value(1)}
    started = asyncio.Event()

    async def hang(_context: Context) -> Reading:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    desk.told.answers[dies_at] = hang
    async with desk.opened(listing()) as (engine, session):
        task = asyncio.create_task(engine.measure(session))
        await started.wait()
        await _until(lambda: len(session.state.items["services"].attempts) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    state = fold(desk.store.events(RUN))
    assert state is not None
    assert (state.items["services"].outcome, state.result) == (Outcome.PENDING, Result.OPEN)
    assert state.items["services"].summary == "1 of 2 not measured yet"
    assert any(each.item == "services" for each in hurdles(state))
    assert unmeasured(state) == ("services",)
    desk.told.answers[dies_at] = value(1)
    assert (await desk.measured(listing()))["services"].outcome is Outcome.PASS


async def test_each_target_is_tried_again_by_itself(desk: Desk) -> None:
    """Retries are of the target that needs them; the list is not read again."""
    tries = iter([ProbeError("source-down", "not yet"), value(1)])
    desk.told.answers = {"catalogue": names("a", "b"), "services": value(1), "services/b": lambda _: next(tries)}
    retry = Retry(times=2, delay=Duration.parse("1 ms"), on=(RetryOn.ERROR,))
    states = await desk.measured(listing(retry=retry))
    assert sorted(desk.told.measured) == ["catalogue", "services/a", "services/b", "services/b"]
    assert states["services"].outcome is Outcome.PASS


async def test_a_list_that_cannot_be_saved(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the list could not be recorded nothing is measured by an older one, as if it were the present."""
    monkeypatch.setattr("opsconsole.engine.recorder.RETRIES", (0.001,))
    desk.told.answers = {"catalogue": names("a"), "services": value(1)}
    await desk.measured(listing())
    desk.told.contexts.clear()
    append = desk.store.append

    def refuse(events: list[Event], *, after: int | None = None) -> Any:
        if any(isinstance(each.body, Measured) and each.body.item == "catalogue" for each in events):
            raise StoreUnavailable("the disk is full", "make room")
        return append(events, after=after)

    monkeypatch.setattr(desk.store, "append", refuse)
    desk.told.answers["catalogue"] = names("a", "b")
    async with desk.opened(listing()) as (engine, session):
        with pytest.raises(Exception, match=r"disk is full|could not be saved"):
            await engine.measure(session)
    assert desk.told.measured == ["catalogue"]


async def test_all_items_of_a_pass_have_one_cutoff(desk: Desk) -> None:
    """Every item and target of a pass gets the same cut-off, to the second; the next pass has its own."""
    desk.told.answers = {"catalogue": names("a", "b"), "services": value(1), "other": value(1)}

    def later(_context: Context) -> Reading:
        desk.now += dt.timedelta(minutes=3)
        return value(1)

    desk.told.answers["slow"] = later
    listed = listing(item("slow", "value == 1"), item("other", "value == 1", requires=("slow",)))
    listed = msgspec.structs.replace(listed, cutoff=Duration.parse("30 s"))
    await desk.measured(listed)
    assert len(desk.told.contexts) == 5
    expected = NOW.replace(microsecond=0) - dt.timedelta(seconds=30)
    assert {each.cutoff for each in desk.told.contexts} == {expected}
    assert len({each.now for each in desk.told.contexts}) > 1
    desk.told.contexts.clear()
    began = desk.now
    await desk.measured(listed)
    assert {each.cutoff for each in desk.told.contexts} == {began.replace(microsecond=0) - dt.timedelta(seconds=30)}


# --- what the record says -----------------------------------------------------------------------------


def _bodies(desk: Desk) -> list[Body]:
    return [each.event.body for each in desk.store.events(RUN)]


async def _until(true: Any) -> None:
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for is a state of the run
            await asyncio.sleep(0.001)


def _exported(desk: Desk, exporter: Any) -> str:
    events = tuple(desk.store.events(RUN))
    state = fold(events)
    assert state is not None
    report = Report(
        state=state,
        head=desk.store.verify().head,
        store_id=desk.store.store_id,
        exported_at=NOW,
        version="0",
        events=events,
    )
    return str(exporter.render(report))


def _verified(desk: Desk) -> CheckedRun:
    (run,) = Verifying(desk.store, None, clock=lambda: NOW + dt.timedelta(days=1)).runs()
    return run


def _forge(desk: Desk, body: Body) -> None:
    desk.store.append([Event(id=str(uuid.uuid4()), run=RUN, at=NOW, actor=OPERATOR, body=body)])


def _definition_hash(desk: Desk) -> str:
    state = fold(desk.store.events(RUN))
    assert isinstance(state, RunState)
    return state.definition_hash


@pytest.mark.parametrize(
    ("targets", "by", "weight", "code", "said"),
    [
        (("a",), "catalogue", Weight.FAULT, "false-targets", "without 'b'"),
        (("a", "b", "x"), "catalogue", Weight.FAULT, "false-targets", "with 'x', which it does not name"),
        (("b", "a"), "catalogue", Weight.FAULT, "false-targets", "in another order"),
        (("old",), "catalogue", Weight.FLAG, "older-targets", "those of an earlier reading"),
        (("a", "b"), "other", Weight.FAULT, "false-targets", "does not take its targets from 'other'"),
    ],
)
async def test_a_list_that_was_not_read(
    desk: Desk, targets: tuple[str, ...], by: str, weight: Weight, code: str, said: str
) -> None:
    """Whoever leaves a failing service out of the list is found out: the reading beside it still names it."""
    listed = listing(item("other", "value == 1"))
    desk.told.answers = {"catalogue": names("old"), "services": value(1), "other": value(1)}
    await desk.measured(listed)
    desk.told.answers["catalogue"] = names("a", "b")
    await desk.measured(listed)
    run = _verified(desk)
    assert not run.findings
    _forge(desk, Listed(item="services", by=by, targets=targets, definition_hash=_definition_hash(desk)))
    run = _verified(desk)
    assert [(each.weight, each.code) for each in run.findings] == [(weight, code)]
    assert said in run.findings[0].text


@pytest.mark.parametrize(
    ("target", "weight"), [("", Weight.FAULT), ("never listed", Weight.FLAG)], ids=["none", "another"]
)
async def test_a_measurement_beside_the_list(desk: Desk, target: str, weight: Weight) -> None:
    """A pass for no target at all would make the whole list green: it is a fault, and one for another a flag."""
    desk.told.answers = {"catalogue": names("a"), "services": value(9)}
    await desk.measured(listing())
    green = Measured(
        item="services",
        target=target,
        judgement=Judgement(Outcome.PASS, ""),
        started_at=NOW,
        elapsed=seconds(0),
        reading=Reading(measures={"value": number(1)}),
        definition_hash=_definition_hash(desk),
    )
    _forge(desk, green)
    run = _verified(desk)
    assert [(each.weight, each.code) for each in run.findings] == [(weight, "foreign-target")]


async def test_a_pass_over_unknown_targets_is_given_time(desk: Desk) -> None:
    """Another process is waited for as long as a list of many targets may take, before anybody has listed them."""
    async with desk.opened(listing()) as (_, session):
        assert longest_pass(session.state) > 100 * 10
