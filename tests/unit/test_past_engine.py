"""Conditions that look back, over a real record of several days."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.config.checklists import load_checklist
from opsconsole.contracts.probe import ProbeError
from opsconsole.contracts.store import RunKey, StoreError, StoreUnavailable
from opsconsole.engine.amending import amendment_now
from opsconsole.engine.past import KEPT, StoreHistory, span_of
from opsconsole.engine.signoff import sign_statement, statement_now
from opsconsole.engine.sparing import SparingReader, _Opening
from opsconsole.model.calendar import period_of, slots_of
from opsconsole.model.checklists import Baseline, Cadence, Checklist, Entry
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.events import AmendmentKind, Meaning, Measured, Opened
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.past import earlier_of
from opsconsole.model.readings import Evidence, Past, Reading, Verdict
from opsconsole.model.rejudging import judgement_fault
from opsconsole.model.runs import fold
from opsconsole.model.values import Duration, Number, Unit, number
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.kinds import probe_kinds
from support.days import FIRST, WHERE, Days, checklist, item, percent, several_days

DOWN = ProbeError("source-down", "no answer")
THREE = Baseline(readings=5, least=3)


@pytest.fixture
def days(tmp_path: Path) -> Iterator[Days]:
    """A record in a directory of its own."""
    with several_days(tmp_path) as found:
        yield found


def past_of(state: ItemState) -> tuple[Past, ...]:
    """Return what the last reading of an item was compared with."""
    reading = state.attempts[-1].body.reading
    assert reading is not None
    return reading.past


def outcomes(found: list[ItemState]) -> list[Outcome]:
    """Return what an item came to on each day."""
    return [each.outcome for each in found]


async def test_a_baseline_comes_about(days: Days) -> None:
    """The first days are ERROR and still become the past; then it is judged, and red days count as well."""
    listed = checklist(item("used < baseline * 1.5", baseline=THREE))
    found = await days.days(listed, *(percent(each) for each in (40, 44, 42, 62, 65, 64)))
    assert outcomes(found) == [Outcome.ERROR] * 3 + [Outcome.PASS, Outcome.FAIL, Outcome.PASS]
    assert "a baseline needs 3 earlier readings, and there are 2" in found[2].summary
    assert found[4].summary == "used is 65 %, limit baseline (43 %) * 1.5 = 64.5 %"
    assert past_of(found[5]) == (Past("used", values={"baseline": Number(Decimal(44), Unit.PERCENT)}, readings=5),)


async def test_errors_are_no_past(days: Days) -> None:
    """A day on which nothing could be measured is not compared with: previous is the last that was read."""
    listed = checklist(item("used <= previous + 5%"))
    found = await days.days(listed, percent(40), DOWN, None, percent(45), percent(51))
    assert outcomes(found) == [Outcome.ERROR, Outcome.ERROR, Outcome.PASS, Outcome.FAIL]
    assert past_of(found[2])[0].runs == {"previous": f"morning@{FIRST}"}


@pytest.mark.parametrize("meant", [Outcome.WARN, Outcome.SKIPPED, Outcome.FAIL, Outcome.ERROR])
async def test_what_no_history_means(days: Days, meant: Outcome) -> None:
    """Each item says itself what it is on its first days."""
    (found,) = await days.days(checklist(item("used < last_week * 2", on_no_history=meant)), percent(1))
    assert found.outcome is meant
    assert found.summary.endswith(f"there is no reading of {FIRST - dt.timedelta(days=7)}")


async def test_days_skipped_for_want_of_a_past_make_one(days: Days) -> None:
    """An item that is SKIPPED on its first days for that alone comes to its baseline; other skips do not count.

    Those are days that a person skipped, and days that were empty and so not applicable.
    """
    skipped = Outcome.SKIPPED
    listed = checklist(item("count < baseline * 2", baseline=THREE, on_no_history=skipped, on_empty=skipped))
    row = (("A", number(1)),)
    filled, empty = Reading(columns=("name", "size"), rows=row), Reading(columns=("name", "size"))
    found = await days.days(listed, filled, empty, filled)
    days.at(FIRST + dt.timedelta(days=3))
    session = await days.engine().open(listed)
    await session.skip("room", "moved")
    await session.aclose()
    days.at(FIRST + dt.timedelta(days=4))
    found += [(await days.run(listed, filled)).items["room"]]
    days.at(FIRST + dt.timedelta(days=5))
    found += [(await days.run(listed, filled)).items["room"]]
    assert outcomes(found) == [Outcome.SKIPPED] * 4 + [Outcome.PASS]
    assert past_of(found[-1])[0].readings == 3


async def test_a_gap_is_no_reading(days: Days) -> None:
    """Where last week's run was missed, nothing takes its place: not the day before, nor a run opened too late."""
    listed = checklist(item("used < last_week * 2", on_no_history=Outcome.WARN))
    await days.days(listed, percent(40), None, percent(42))
    gap = FIRST + dt.timedelta(days=1)
    days.at(FIRST + dt.timedelta(days=3))
    missed = await days.run(listed, percent(41), when=gap)
    assert missed.missed
    days.at(gap + dt.timedelta(days=7))
    state = await days.run(listed, percent(1))
    assert state.items["room"].outcome is Outcome.WARN
    assert f"there is no reading of {gap}" in state.items["room"].summary
    days.at(gap + dt.timedelta(days=8))
    assert (await days.run(listed, percent(83))).items["room"].outcome is Outcome.PASS


async def test_what_was_recorded_is_judged_the_same(days: Days) -> None:
    """Whoever verifies the record judges each event again, from what stands in it, and finds no fault."""
    listed = checklist(
        item("used < baseline * 1.5", "used within 20% of previous", baseline=THREE),
        item("entry <= baseline + 5", name="tickets", probe="", entry=Entry("Tickets"), baseline=THREE),
        item(
            "entry within 10% of used", "entry < last_week * 2", name="both", entry=Entry("Used", unit=Unit.PERCENT)
        ),
    )
    checked = 0
    for index, value in enumerate((40, 44, 42, 62, 90, 43, 41, 44, 80)):
        days.at(FIRST + dt.timedelta(days=index))
        entries = {"tickets": str(10 + value // 10), "both": str(value)}
        state = await days.run(listed, percent(value), entries=entries)
        stored = days.store.events(state.run)
        for position, each in enumerate(stored[1:], start=1):
            before = fold(stored[:position])
            assert before is not None
            assert judgement_fault(before, each.event.body) == ""
            checked += isinstance(each.event.body, Measured)
    assert checked == 18
    assert {name: each.outcome for name, each in state.items.items()} == {
        "room": Outcome.FAIL,
        "tickets": Outcome.PASS,
        "both": Outcome.PASS,
    }


async def test_a_stripped_past_is_found(days: Days) -> None:
    """Who takes out of an event what it was compared with contradicts its judgement."""
    listed = checklist(item("used < baseline * 1.5", baseline=THREE))
    await days.days(listed, *[percent(40)] * 4)
    stored = days.store.events(days.store.runs("morning")[0].id)
    before = fold(stored[:-1])
    assert before is not None
    body = stored[-1].event.body
    assert isinstance(body, Measured)
    assert body.reading is not None
    assert judgement_fault(before, body) == ""
    bare = msgspec.structs.replace(body, reading=msgspec.structs.replace(body.reading, past=()))
    assert "was judged PASS, and by its conditions it is ERROR" in judgement_fault(before, bare)


async def test_entries_are_compared_with_entries(days: Days) -> None:
    """An item without a probe looks back at what was typed in, a correction after the sign-off included."""
    listed = checklist(
        item("entry <= previous * 2", name="tickets", probe="", entry=Entry("Tickets"), on_no_history=Outcome.WARN)
    )
    days.at(FIRST)
    state = await days.run(listed, entries={"tickets": "10"})
    assert state.items["tickets"].outcome is Outcome.WARN
    days.definitions["morning"] = listed
    session = await days.engine().open(listed)
    await session.note("tickets", "the first day")
    await sign_statement(session, statement_now(session))
    amendment = amendment_now(session, AmendmentKind.ENTRY, "misread", item="tickets", text="30")
    await sign_statement(session, statement_now(session, Meaning.AMENDED, amendment=amendment))
    await session.aclose()
    days.at(FIRST + dt.timedelta(days=1))
    state = await days.run(listed, entries={"tickets": "60"})
    assert state.items["tickets"].outcome is Outcome.PASS
    days.at(FIRST + dt.timedelta(days=2))
    assert (await days.run(listed, entries={"tickets": "121"})).items["tickets"].outcome is Outcome.FAIL


async def test_every_target_has_its_own_past(days: Days) -> None:
    """Of an item that is measured for several targets each is compared with itself."""
    each = item("used <= previous + 5%", for_each=("/srv", "/var"), options={"path": "{target}"})
    values = {"/srv": 10, "/var": 80}
    days.probe.says = lambda context: percent(values[context.target])
    days.at(FIRST)
    await days.run(checklist(each))
    values |= {"/srv": 15, "/var": 86}
    days.at(FIRST + dt.timedelta(days=1))
    state = await days.run(checklist(each))
    found = {target: each.body.judgement.outcome for target, each in state.items["room"].latest.items()}
    assert found == {"/srv": Outcome.PASS, "/var": Outcome.FAIL}


async def test_an_edit_of_the_probe_is_told(days: Days) -> None:
    """After the path was edited the past begins anew, and says why; an edited condition goes on with it."""
    listed = checklist(item("used < baseline * 1.5", baseline=THREE, options={"path": "/srv"}))
    await days.days(listed, *[percent(40)] * 3)
    days.at(FIRST + dt.timedelta(days=3))
    other = checklist(item("used < baseline * 1.2", baseline=THREE, options={"path": "/srv"}))
    assert (await days.run(other, percent(44))).items["room"].outcome is Outcome.PASS
    days.at(FIRST + dt.timedelta(days=4))
    moved = checklist(item("used < baseline * 1.5", baseline=THREE, options={"path": "/var"}))
    state = await days.run(moved, percent(1))
    assert state.items["room"].outcome is Outcome.ERROR
    assert "there is none (4 were measured in another way" in state.items["room"].summary


async def test_the_week_before_and_the_month_before(days: Days) -> None:
    """Weekly and monthly lists compare with their previous run, whichever day that was done on."""
    weekly = checklist(item("used <= last_week + 5%"), name="weekly", cadence=Cadence.WEEKLY)
    monthly = checklist(item("used <= last_month + 5%"), name="monthly", cadence=Cadence.MONTHLY)
    quarterly = checklist(item("used <= last_quarter + 5%"), name="quarterly", cadence=Cadence.QUARTERLY)
    for listed, dates in (
        (weekly, ("2026-11-10", "2026-11-22", "2026-11-23")),
        (monthly, ("2026-02-03", "2026-03-31", "2026-04-30")),
        (quarterly, ("2025-10-02", "2026-03-31", "2026-05-31")),
    ):
        found = []
        for date, value in zip(dates, (40, 45, 51), strict=True):
            days.at(dt.date.fromisoformat(date))
            state = await days.run(listed, percent(value))
            found.append(state.items["room"].outcome)
        assert found == [Outcome.ERROR, Outcome.PASS, Outcome.FAIL], listed.id


async def test_last_month_of_a_daily_list(days: Days) -> None:
    """On 31 March last month is 28 February."""
    listed = checklist(item("used <= last_month + 5%"))
    for date, value in (("2026-02-28", 40), ("2026-03-01", 80), ("2026-03-31", 46)):
        days.at(dt.date.fromisoformat(date))
        state = await days.run(listed, percent(value))
    assert state.items["room"].summary == "used is 46 %, limit last_month (40 %) + 5 % = 45 %"


@pytest.mark.parametrize(
    ("before", "after", "utc"),
    [("2026-10-31", "2026-11-01", "2026-10-31T1315Z"), ("2026-03-07", "2026-03-08", "2026-03-07T1415Z")],
)
async def test_yesterday_at_this_time_of_day(days: Days, before: str, after: str, utc: str) -> None:
    """A list of every 15 minutes compares 08:15 with 08:15 on the clock, also when that was changed at night."""
    listed = checklist(item("used <= yesterday + 5%"), cadence=Cadence.INTERVAL, every=Duration.parse("15 min"))
    first, second = dt.date.fromisoformat(before), dt.date.fromisoformat(after)
    for time, value in (("07:16", 10), ("08:01", 20), ("08:16", 30), ("08:31", 40), ("09:16", 50)):
        days.at(first, time)
        await days.run(listed, percent(value))
    days.at(second, "08:29")
    state = await days.run(listed, percent(35))
    room = state.items["room"]
    assert room.outcome is Outcome.PASS
    assert past_of(room)[0].runs == {"yesterday": f"morning@{utc}"}
    days.at(second, "12:00")
    state = await days.run(listed, percent(56))
    assert state.items["room"].summary == "used is 56 %, limit yesterday (50 %) + 5 % = 55 %"


async def test_last_week_of_five_minutes_is_found(days: Days) -> None:
    """A week of five-minute runs lies in between, and only the one that is meant is read."""
    listed = checklist(item("used <= last_week + 5%"), cadence=Cadence.INTERVAL, every=Duration.parse("5 min"))
    days.at(FIRST, "10:00")
    await days.run(listed, percent(40))
    days.at(FIRST + dt.timedelta(days=7), "10:00")
    counted = Counting(days.store)
    days.store = counted
    state = await days.run(listed, percent(41))
    assert state.items["room"].outcome is Outcome.PASS
    assert len([run for run in counted.read if run != state.run]) == 1


class Counting:
    """A store that notes whose links are read."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.read: list[str] = []
        self.broken = False

    def links(self, run: str = "", **more: Any) -> Any:
        """Note it, and refuse while `broken` is set."""
        self.read.append(run)
        if self.broken:
            raise StoreUnavailable("the disk of backup:hunter2-not-real@db is gone", "wait")
        return self._inner.links(run, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


async def test_an_unreadable_record_is_an_error(days: Days) -> None:
    """Where the past cannot be read the item is an ERROR whatever no history means, and no secret is told."""
    listed = checklist(
        item("used <= previous + 5%", on_no_history=Outcome.SKIPPED),
        item("entry <= previous", name="tickets", probe="", entry=Entry("Tickets"), on_no_history=Outcome.SKIPPED),
    )
    days.at(FIRST)
    await days.run(listed, percent(40), entries={"tickets": "3"})
    days.at(FIRST + dt.timedelta(days=1))
    counted = Counting(days.store)
    counted.broken = True
    days.store = counted
    state = await days.run(listed, percent(41), entries={"tickets": "3"}, secrets=("hunter2-not-real",))
    for name in ("room", "tickets"):
        assert state.items[name].outcome is Outcome.ERROR
        assert "the record could not be read" in state.items[name].summary
        assert "hunter2" not in state.items[name].summary
    counted.broken = False
    assert all(b"hunter2" not in link.document for link in days.store.links())


async def test_a_probe_cannot_bring_its_own_past(days: Days) -> None:
    """What is compared with comes from the record alone."""
    forged = msgspec.structs.replace(
        percent(90), past=(Past("used", values={"previous": number(90, Unit.PERCENT)}, runs={"previous": "x"}),)
    )
    found = await days.days(checklist(item("used <= previous + 5%")), percent(40), forged)
    assert outcomes(found) == [Outcome.ERROR, Outcome.FAIL]
    (plain,) = await Days(days.directory, days.store).days(checklist(item("used < 95%"), name="other"), forged)
    assert past_of(plain) == ()


async def test_names_of_rows_are_redacted_alike(days: Days) -> None:
    """A row whose name holds a secret is kept without it, and still finds its own past."""
    reading = Reading(
        columns=("dsn", "duration"), rows=(("postgresql://a:hunter2-not-real@db/x", number(10, Unit.SECONDS)),)
    )
    listed = checklist(item("every duration <= previous * 2"))
    found = await days.days(listed, reading, reading)
    assert outcomes(found) == [Outcome.ERROR, Outcome.PASS]
    assert past_of(found[1])[0].row == "postgresql://a:[redacted]@db/x"


async def test_measured_again_it_is_not_its_own_past(days: Days) -> None:
    """A run that is measured twice, or again days later, is compared with what came before it."""
    listed = checklist(item("used <= previous + 5%"))
    await days.days(listed, percent(40), percent(44), percent(60))
    days.at(FIRST + dt.timedelta(days=1), "20:00")
    state = await days.run(listed, percent(46))
    assert past_of(state.items["room"])[0].runs == {"previous": f"morning@{FIRST}"}
    assert state.items["room"].outcome is Outcome.FAIL


async def test_a_month_is_not_its_own_last_week(days: Days) -> None:
    """Where last week lies in the run's own month there is no reading of it, also when it is measured twice."""
    listed = checklist(item("used <= last_week + 5%"), cadence=Cadence.MONTHLY)
    for day in (9, 20):
        days.at(dt.date(2026, 11, day))
        state = await days.run(listed, percent(40))
    assert state.items["room"].outcome is Outcome.ERROR
    assert state.items["room"].summary.endswith("there is no reading of 2026-11-02")


# --- reading the record ------------------------------------------------------------------------------


def history_of(days: Days) -> StoreHistory:
    """Return what reads the record."""
    return StoreHistory(days.store, days.definitions, lambda _: WHERE)


async def test_which_runs_are_looked_at(days: Days) -> None:
    """Bounds of dates, of a number, and the run that asks are kept; runs come the latest first."""
    listed = checklist(item("used < 99%"))
    await days.days(listed, *(percent(each) if each else None for each in (1, 2, 0, 4, 5)))
    history = history_of(days)

    def seen(**bounds: Any) -> list[int]:
        found = history.earlier("morning", "room", **bounds)
        return [int(value.value) for each in found if (value := each.value("used")) is not None]

    third = FIRST + dt.timedelta(days=2)
    assert seen() == [5, 4, 2, 1]
    assert seen(limit=2) == [5, 4]
    assert seen(since=third) == [5, 4]
    assert seen(until=third) == [2, 1]
    assert seen(before=f"morning@{FIRST + dt.timedelta(days=3)}") == [2, 1]
    assert seen(before=f"morning@{third}") == [2, 1]
    assert seen(before="another@2020-01-01", since=FIRST, until=FIRST) == [1]
    assert list(history.earlier("morning", "nothing")) == []
    assert list(history.earlier("nothing", "room")) == []
    assert history.items("morning") == ("room",)
    assert history.items("nothing") == ()


async def test_what_was_due(days: Days) -> None:
    """Due are the days since the first run, within the bounds; of an unknown list none."""
    listed = checklist(item("used < 99%"), days="Mon..Fri")
    await days.days(listed, None, percent(1), percent(2))
    history = history_of(days)
    due = history.due("morning", FIRST - dt.timedelta(days=9), FIRST + dt.timedelta(days=9))
    assert [each.key for each in due] == [f"2026-11-{day}" for day in (10, 11, 12, 13, 16, 17, 18)]
    assert history.due("nothing", FIRST, FIRST) == ()
    assert history.due("morning", FIRST, FIRST - dt.timedelta(days=1)) == ()


async def test_due_intervals(days: Days) -> None:
    """Of a list of every six hours each interval is due, from the first run on."""
    listed = checklist(item("used < 99%"), cadence=Cadence.INTERVAL, every=Duration.parse("6 h"))
    days.at(FIRST, "12:00")
    await days.run(listed, percent(1))
    due = history_of(days).due("morning", FIRST - dt.timedelta(days=5), FIRST + dt.timedelta(days=1))
    slots = [*slots_of(FIRST, dt.timedelta(hours=6), WHERE)][2:]
    slots += slots_of(FIRST + dt.timedelta(days=1), dt.timedelta(hours=6), WHERE)
    assert [each.key for each in due] == [each.key for each in slots]


@pytest.mark.parametrize(
    ("key", "start", "end"),
    [
        ("2026-11-21", "2026-11-21", "2026-11-21"),
        ("2026-W47", "2026-11-16", "2026-11-22"),
        ("2026-W53", "2026-12-28", "2027-01-03"),
        ("2028-02", "2028-02-01", "2028-02-29"),
        ("2026-Q4", "2026-10-01", "2026-12-31"),
        ("2026-11-21T0015Z", "2026-11-20", "2026-11-22"),
    ],
)
def test_names_of_periods(key: str, start: str, end: str) -> None:
    """The name of a period says which dates can be in it."""
    assert span_of(key) == (dt.date.fromisoformat(start), dt.date.fromisoformat(end))


@pytest.mark.parametrize("cadence", [Cadence.DAILY, Cadence.WEEKLY, Cadence.MONTHLY, Cadence.QUARTERLY])
def test_names_of_all_periods(cadence: Cadence) -> None:
    """So it is for every day of three years."""
    for step in range(3 * 366):
        period = period_of(dt.date(2026, 1, 1) + dt.timedelta(days=step), cadence)
        assert span_of(period.key) == (period.start, period.end)


async def test_read_sparingly_it_is_the_same(days: Days) -> None:
    """What is read of one item without the others and without evidence is what the whole run says of it."""
    with_text = msgspec.structs.replace(percent(40), evidence=(Evidence("df", "a long text"),))
    listed = checklist(
        item("used < 50%"), item("used < 30%", name="second"), item(probe="", manual=True, name="look")
    )
    for index in range(2):
        days.at(FIRST + dt.timedelta(days=index))
        session = await days.engine().open(listed)
        days.probe.says = lambda _: with_text
        await days.engine().measure(session)
        await session.tick("look")
        await session.waive("second", "known", FIRST + dt.timedelta(days=9))
        await session.note("room", "seen")
        await sign_statement(session, statement_now(session))
        await session.aclose()
    reader = SparingReader(days.store)
    states = []
    for key in days.store.runs("morning"):
        whole = fold(days.store.events(key.id))
        assert whole is not None
        for name in whole.items:
            sparing = reader.state(key.id, name)
            assert sparing is not None
            expected, found = earlier_of(whole, name), earlier_of(sparing, name)
            assert expected is not None
            assert found is not None
            assert found == msgspec.structs.replace(expected, reading=_bare(expected.reading))
            states.append(sparing)
        bare = reader.state(key.id)
        assert bare is not None
        assert (bare.result, bare.counts, bare.head_hash, bare.last_seq) == (
            whole.result,
            whole.counts,
            whole.head_hash,
            whole.last_seq,
        )
    assert len({id(each.definition) for each in states}) == 1
    assert reader.state("morning@2020-01-01") is None


def _bare(reading: Reading | None) -> Reading | None:
    if reading is None:
        return None
    evidence = tuple(msgspec.structs.replace(each, text="") for each in reading.evidence)
    return msgspec.structs.replace(reading, evidence=evidence)


def test_openings_have_the_same_fields() -> None:
    """Whatever is added to the event that opens a run is read here too."""
    ours = {each.encode_name for each in msgspec.structs.fields(_Opening)}
    assert ours == {each.encode_name for each in msgspec.structs.fields(Opened)}


async def test_a_changed_event_is_refused(days: Days, tmp_path: Path) -> None:
    """A past that somebody changed is not compared with: the item is an ERROR and says so."""
    listed = checklist(item("used <= previous + 5%", on_no_history=Outcome.SKIPPED))
    await days.days(listed, percent(40))

    class Tampered(Counting):
        def links(self, run: str = "", **more: Any) -> Any:
            for link in super().links(run, **more):
                yield msgspec.structs.replace(link, document=link.document.replace(b'"40"', b'"90"'))

    days.store = Tampered(days.store)
    with pytest.raises(StoreError, match="was changed after it was stored"):
        list(history_of(days).earlier("morning", "room"))
    days.at(FIRST + dt.timedelta(days=1))
    state = await days.run(listed, percent(95))
    assert state.items["room"].outcome is Outcome.ERROR
    assert "was changed after it was stored" in state.items["room"].summary


async def test_what_is_kept_is_bounded_and_fresh(days: Days) -> None:
    """A run that is kept takes in what was added to it, and no more than so many are kept."""
    listed = checklist(item("used < 99%"))
    days.at(FIRST)
    state = await days.run(listed, percent(1))
    history = history_of(days)
    known = history.state(state.run)
    assert known is not None
    session = await days.engine().open(listed)
    await session.note("room", "later")
    await session.aclose()
    again = history.state(state.run)
    assert again is known
    assert [each.text for each in again.items["room"].notes] == ["later"]
    for index in range(KEPT + 50):
        history._folded[f"x@{index}"] = known
    history.state(state.run)
    assert len(history._folded) <= KEPT
    assert state.run in history._folded


async def test_a_verdict_of_its_own(days: Days) -> None:
    """A condition without a past is told apart from one that is broken or unknown."""
    (found,) = await days.days(checklist(item("used < baseline")), percent(1))
    (finding,) = found.attempts[-1].body.judgement.findings
    assert finding.verdict is Verdict.NO_HISTORY


def test_a_long_record_is_read_in_pages(tmp_path: Path) -> None:
    """Who wants the latest three of many runs asks the store for a page of names, not for all of them."""
    asked: list[int] = []

    class Paging:
        def runs(self, checklist: str, *, limit: int = 0) -> Any:
            asked.append(limit)
            keys = [RunKey(checklist, str(FIRST - dt.timedelta(days=ago))) for ago in range(2000)]
            return keys[:limit] if limit else keys

        def links(self, _run: str, **_more: Any) -> Any:
            return iter(())

    history = StoreHistory(Paging(), {}, lambda _: WHERE)  # type: ignore[arg-type]
    assert list(history.earlier("morning", "room", since=FIRST - dt.timedelta(days=20))) == []
    assert asked == [256]
    assert list(history.earlier("morning", "room")) == []
    assert asked == [256, 256, 1024, 4096]


async def test_conditions_are_parsed_once(days: Days) -> None:
    """A condition that stands in a thousand openings is understood once."""
    assert parse_condition("used < baseline * 1.5") is parse_condition("used < baseline * 1.5")


def test_a_list_by_itself(tmp_path: Path) -> None:
    """Without a record of anything there is nothing, and nothing breaks."""
    with SqliteStore(tmp_path / "records.db") as store:
        history = StoreHistory(store, {}, lambda _: WHERE)
        assert history.state("morning@2026-11-09") is None
        assert list(history.earlier("morning", "room")) == []
        empty = Checklist(id="once", title="Once", cadence=Cadence.ONCE)
        times: Any = None
        assert list(history.near(empty, "room", FIRST, times)) == []


@pytest.mark.parametrize(
    ("meant", "problem"),
    [
        ("warn", ""),
        ("fail", ""),
        ("error", ""),
        ("skipped", ""),
        ("pass", "on_no_history"),
        ("blocked", "on_no_history"),
    ],
)
def test_a_pass_without_history_is_refused(tmp_path: Path, meant: str, problem: str) -> None:
    """No checklist can say that too little history is a pass: `lint` refuses it, and it is not run."""
    path = tmp_path / "morning.toml"
    path.write_text(
        'title = "Morning"\n[[section]]\ntitle = "All"\n[[section.item]]\nid = "room"\ntitle = "Room"\n'
        f'probe = "disk"\nrequire = ["used < baseline * 1.5"]\non_no_history = "{meant}"\n',
        encoding="utf-8",
    )
    loaded = load_checklist(path, probe_kinds(), check_trust=False)
    assert (loaded.checklist is None) is bool(problem)
    assert problem in "\n".join(map(str, loaded.problems))
