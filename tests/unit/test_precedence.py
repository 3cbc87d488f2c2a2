"""Which answer outweighs which: a mild one never hides a broken requirement, and nothing unseen is a pass."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.contracts.probe import ProbeError
from opsconsole.model.checklists import Entry, Retry, RetryOn
from opsconsole.model.condition_parser import parse_condition
from opsconsole.model.judging import judge
from opsconsole.model.outcomes import Outcome, worst
from opsconsole.model.readings import Evidence, Judgement, Past, Reading, Verdict
from opsconsole.model.rejudging import judgement_fault
from opsconsole.model.runs import fold
from opsconsole.model.values import Duration, Number, Value, number
from support.days import FIRST, several_days
from support.days import checklist as days_checklist
from support.days import item as days_item
from support.told import Desk, checklist, item, table, value

MILD = (Outcome.WARN, Outcome.SKIPPED)
KEYS = ("on_empty", "on_nan", "on_no_history")
NAN = number("NaN")
EVIDENCE = (Evidence("history", "2 runs"),)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An engine whose probe brings back what it is told."""
    made = Desk(tmp_path)
    yield made
    made.store.close()


def judged(reading: Reading, *require: str, target: tuple[str, ...] = (), **keys: Any) -> Judgement:
    """Judge by conditions as they are written in a checklist."""
    return judge(reading, tuple(map(parse_condition, require)), tuple(map(parse_condition, target)), **keys)


def at_least(count: int, past: int | None = None) -> Reading:
    """Return a count of so many or more, with what it was the last time."""
    known = (Past("errors", values={"previous": number(past)}),) if past is not None else ()
    return Reading(measures={"errors": number(count)}, lower_bounds=("errors",), past=known)


# --- what was not seen in full -----------------------------------------------------------------------


@pytest.mark.parametrize("meant", MILD)
@pytest.mark.parametrize(
    ("conditions", "outcome"),
    [
        (("errors <= previous * 2",), Outcome.ERROR),
        (("errors >= previous",), Outcome.ERROR),
        (("errors <= previous * 2", "errors < 500"), Outcome.FAIL),
        (("errors <= previous * 2", "errors < 5000"), Outcome.ERROR),
        (("errors <= previous * 2", "errors > 500"), Outcome.ERROR),
    ],
)
def test_a_cut_off_count_without_a_past(conditions: tuple[str, ...], outcome: Outcome, meant: Outcome) -> None:
    """So many "or more" and no past is no lack of a past: it was not seen in full, and may break a maximum."""
    found = judged(at_least(1000), *conditions, on_no_history=meant)
    assert found.outcome is outcome
    assert "at least 1,000" in found.summary
    as_target = judged(at_least(1000), "errors > 0", target=conditions, on_no_history=meant)
    assert as_target.outcome is Outcome.ERROR


def test_a_cut_off_count_with_a_past() -> None:
    """With a past it is judged as far as more could not change it."""
    assert judged(at_least(1000, past=100), "errors <= previous * 2").outcome is Outcome.FAIL
    assert judged(at_least(1000, past=900), "errors <= previous * 2").outcome is Outcome.ERROR


def test_the_worst_of_several_rows() -> None:
    """One row is no number and one has no past: the milder key does not answer for both."""
    rows = table("name n", ("a", NAN), ("b", 5))
    found = judged(rows, "every n <= previous", on_nan=Outcome.SKIPPED, on_no_history=Outcome.FAIL)
    assert found.outcome is Outcome.FAIL
    found = judged(rows, "every n <= previous", on_nan=Outcome.WARN, on_no_history=Outcome.SKIPPED)
    assert found.outcome is Outcome.WARN


# --- an empty table beside measures ------------------------------------------------------------------


def empty(**measures: Any) -> Reading:
    """Return a table without rows, and measures beside it."""
    return Reading(measures=value(**measures).measures, columns=("name", "n"))


@pytest.mark.parametrize(
    ("reading", "conditions", "outcome", "said"),
    [
        (empty(unreadable=0), ("every n < 5", "unreadable == 0"), None, "no rows"),
        (empty(unreadable=3), ("every n < 5", "unreadable == 0"), Outcome.FAIL, "unreadable is 3, required 0"),
        (empty(unreadable=3), ("count < 5", "unreadable == 0"), Outcome.FAIL, "unreadable is 3, required 0"),
        (empty(unreadable=NAN), ("count < 5", "unreadable == 0"), Outcome.ERROR, "NaN"),
        (empty(took="x"), ("took < 5",), Outcome.ERROR, "is a text"),
        (empty(), ("count == 2", "every n > 2"), None, "no rows"),
        (empty(oldest=None), ("oldest < 5",), None, "no rows"),
        (empty(count=7), ("count == 2",), Outcome.FAIL, "count is 7"),
    ],
)
@pytest.mark.parametrize("meant", [Outcome.PASS, Outcome.SKIPPED, Outcome.WARN])
def test_an_empty_table_answers_for_its_rows_only(
    reading: Reading, conditions: tuple[str, ...], outcome: Outcome | None, said: str, meant: Outcome
) -> None:
    """What else was measured is judged: `on_empty = "pass"` does not hide that three files could not be read."""
    found = judged(reading, *conditions, on_empty=meant)
    assert (found.outcome, said in found.summary) == (outcome or meant, True), found


def test_an_empty_table_that_is_worse_than_the_rest() -> None:
    """Measures that hold do not make an empty table good, nor a missed target worse than it is."""
    assert judged(empty(n=1), "n == 1", "count > 0", on_empty=Outcome.FAIL).outcome is Outcome.FAIL
    assert judged(empty(m=1), "m == 1", on_empty=Outcome.SKIPPED).outcome is Outcome.SKIPPED
    assert judged(empty(m=1), "m == 1", target=("m == 2",), on_empty=Outcome.SKIPPED).outcome is Outcome.WARN


# --- whatever an item says ---------------------------------------------------------------------------

CELLS = st.sampled_from([number(0), number(5), number(900), NAN, None, "text"])
OUTCOMES = st.sampled_from([Outcome.PASS, Outcome.WARN, Outcome.SKIPPED, Outcome.FAIL, Outcome.ERROR])
CONDITIONS = st.sampled_from(
    [
        "m < 10",
        "m >= 5",
        "m <= other * 2",
        "m <= previous",
        "m == 'text'",
        "count < 3",
        "every c < 10",
        "any c == 5",
        "no c > 100",
        "every c <= baseline * 2",
    ]
)


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    """Draw a reading with holes of every kind."""
    rows = draw(st.lists(CELLS, max_size=3))
    past = [
        Past(subject, row, values={name: number(draw(st.sampled_from([1, 50])))})
        for subject, row, name in (
            ("m", "", "previous"),
            *(("c", f"r{index}", "baseline") for index in range(len(rows))),
        )
        if draw(st.booleans())
    ]
    measures: dict[str, Value] = {name: draw(CELLS) for name in ("m", "other") if draw(st.booleans())}
    tabular = draw(st.booleans())
    numbers = [name for name, each in measures.items() if isinstance(each, Number)]
    return Reading(
        measures=measures,
        columns=("name", "c") if tabular else (),
        rows=tuple((f"r{index}", cell) for index, cell in enumerate(rows)) if tabular else (),
        label="name" if tabular else "",
        past=tuple(past),
        lower_bounds=tuple(name for name in numbers if draw(st.booleans())),
        truncated=tabular and draw(st.booleans()),
    )


@settings(max_examples=400)
@given(
    reading=readings(),
    require=st.lists(CONDITIONS, min_size=1, max_size=3, unique=True),
    target=st.lists(CONDITIONS, max_size=2, unique=True),
    keys=st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, OUTCOMES)),
)
def test_a_mild_answer_hides_nothing(
    reading: Reading, require: list[str], target: list[str], keys: dict[str, Outcome]
) -> None:
    """Whatever an item says of holes, FAIL stays FAIL, what is not known is never mild, and no hole is a pass."""
    strict = judged(reading, *require, target=tuple(target))
    found = judged(reading, *require, target=tuple(target), **keys)
    verdicts = {each.verdict for each in found.findings}
    is_empty = "on_empty" in keys and reading.tabular and not reading.rows and not reading.truncated
    rows_alone = not found.findings or (is_empty and strict.outcome is Outcome.FAIL)
    if strict.outcome is Outcome.FAIL and not rows_alone:
        assert found.outcome is Outcome.FAIL
    if Verdict.UNKNOWN in verdicts:
        assert found.outcome in {Outcome.FAIL, Outcome.ERROR}
    if found.outcome is Outcome.PASS:
        assert verdicts <= {Verdict.HOLDS, Verdict.NEAR}
        assert found.findings or (is_empty and keys["on_empty"] is Outcome.PASS)
    if verdicts & {Verdict.NAN, Verdict.NO_HISTORY}:
        keyed = {Verdict.NAN: "on_nan", Verdict.NO_HISTORY: "on_no_history"}
        said = [keys.get(keyed[each], Outcome.ERROR) for each in verdicts if each in keyed]
        least = worst(Outcome.ERROR if each is Outcome.PASS else each for each in said)
        assert worst([found.outcome, least]) is found.outcome
    assert found.summary


# --- another attempt ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "outcome"),
    [
        (value(1), Outcome.PASS),
        (value(9), Outcome.FAIL),
        (value(NAN), Outcome.FAIL),
        (ProbeError("timeout", "no answer"), Outcome.FAIL),
        (ProbeError("source-down", "nobody answers"), Outcome.FAIL),
        (ProbeError("no-systemd", "not here"), Outcome.FAIL),
        (ProbeError("failed", "broke"), Outcome.ERROR),
        (Reading(columns=("value",)), Outcome.SKIPPED),
        (ProbeError("empty", "nothing there"), Outcome.SKIPPED),
    ],
    ids=["good", "bad", "nan", "timeout", "down", "not applicable", "error", "no rows", "empty"],
)
async def test_another_attempt_that_sees_nothing(desk: Desk, second: Reading | Exception, outcome: Outcome) -> None:
    """What failed and was then not seen is not taken back by what the item says of timeouts and the like."""
    answers = iter([value(7), second])
    desk.told.answers = {"one": lambda _: next(answers)}
    keys = dict.fromkeys(("on_timeout", "on_connect_error"), Outcome.WARN)
    keys |= dict.fromkeys(("on_nan", "on_empty"), Outcome.SKIPPED)
    once_more = Retry(times=1, delay=Duration.parse("1 ms"), on=(RetryOn.FAIL,))
    one = item("one", "value < 5", retry=once_more, skip_when=("no-systemd",), **keys)
    states = await desk.measured(checklist(one))
    assert states["one"].outcome is outcome, states["one"].summary
    if outcome is Outcome.FAIL:
        assert "limit 5" in states["one"].summary
    events = desk.store.events("morning@2026-11-21")
    for index, each in enumerate(events[1:], start=1):
        before = fold(events[:index])
        assert before is not None
        assert judgement_fault(before, each.event.body) == ""


# --- what an entry is compared with ------------------------------------------------------------------


@pytest.mark.parametrize("meant", [Outcome.WARN, Outcome.SKIPPED])
@pytest.mark.parametrize(
    ("reason", "key"),
    [
        ("too-little-history", "on_no_history"),
        ("timeout", "on_timeout"),
        ("source-down", "on_connect_error"),
        ("empty", "on_empty"),
        ("too-few", "on_too_few"),
    ],
)
@pytest.mark.parametrize("evidence", [False, True])
async def test_an_entry_whose_reference_is_not_there(
    desk: Desk, reason: str, key: str, meant: Outcome, evidence: bool
) -> None:
    """It comes to what the item says of that; what can be judged without the reference still fails it."""
    desk.told.answers = {"tickets": ProbeError(reason, "there is nothing to compare with", "", EVIDENCE * evidence)}
    tickets = item("tickets", "entry <= mean * 2", "entry >= 0", entry=Entry("Tickets"), **{key: meant})
    async with desk.opened(checklist(tickets)) as (engine, session):
        await engine.measure(session)
        assert session.state.items["tickets"].outcome is Outcome.PENDING
        came_to = []
        for typed in ("12", "-1", "3 GB"):
            await session.enter("tickets", typed)
            state = session.state.items["tickets"]
            came_to.append((state.outcome, "there is nothing to compare with" in state.summary))
        # what was typed last cannot be judged, whatever there is to compare it with
        assert came_to == [(meant, True), (Outcome.FAIL, False), (Outcome.ERROR, False)]
    events = desk.store.events("morning@2026-11-21")
    for index, each in enumerate(events[1:], start=1):
        before = fold(events[:index])
        assert before is not None
        assert judgement_fault(before, each.event.body) == ""


@pytest.mark.parametrize("key", ["on_empty", "on_too_few"])
async def test_nothing_to_compare_with_is_no_pass(desk: Desk, key: str) -> None:
    """An item may call an empty table good, and an entry beside it is still not compared with anything."""
    reason = {"on_empty": "empty", "on_too_few": "too-few"}[key]
    desk.told.answers = {"tickets": ProbeError(reason, "nothing there")}
    tickets = item("tickets", "entry == value", entry=Entry("Tickets"), **{key: Outcome.PASS})
    async with desk.opened(checklist(tickets)) as (engine, session):
        await engine.measure(session)
        await session.enter("tickets", "12")
        assert session.state.items["tickets"].outcome is Outcome.ERROR


async def test_an_entry_builds_its_own_past(tmp_path: Path) -> None:
    """What is typed on days with too little of a past counts for those after, which are judged by it."""
    look = {"item": "tickets", "subject": "entry", "over": 30, "least": 2}
    tickets = days_item(
        "entry <= mean * 2",
        name="tickets",
        probe="history",
        options=look,
        entry=Entry("Tickets"),
        on_no_history=Outcome.SKIPPED,
    )
    found = []
    with several_days(tmp_path) as days:
        for index, typed in enumerate(["10", "12", "21", "90"]):
            days.at(FIRST + dt.timedelta(days=index))
            state = await days.run(days_checklist(tickets), entries={"tickets": typed})
            found.append((state.items["tickets"].outcome, state.items["tickets"].summary))
    assert [outcome for outcome, _ in found] == [Outcome.SKIPPED, Outcome.SKIPPED, Outcome.PASS, Outcome.FAIL]
    assert "2 earlier readings are needed, and there is 1" in found[1][1]


async def test_an_entry_is_compared_with_its_past_whatever_became_of_the_reference(tmp_path: Path) -> None:
    """Nobody answers what the entry is compared with, and it is ten times what it was: that is seen and fails."""
    tickets = days_item(
        "entry <= previous * 2",
        "entry within 10% of used",
        name="tickets",
        entry=Entry("Tickets"),
        on_timeout=Outcome.WARN,
        on_no_history=Outcome.SKIPPED,
    )
    with several_days(tmp_path) as days:
        days.at(FIRST)
        await days.run(days_checklist(tickets), value(used=10), entries={"tickets": "10"})
        days.at(FIRST + dt.timedelta(days=1))
        late = ProbeError("timeout", "no answer")
        state = await days.run(days_checklist(tickets), late, entries={"tickets": "100"})
        found = state.items["tickets"]
        assert (found.outcome, "limit previous (10) * 2 = 20" in found.summary) == (Outcome.FAIL, True)
        events = days.store.events(state.run)
        for index, each in enumerate(events[1:], start=1):
            before = fold(events[:index])
            assert before is not None
            assert judgement_fault(before, each.event.body) == ""


@pytest.mark.parametrize("meant", [Outcome.SKIPPED, Outcome.WARN, Outcome.PASS])
@pytest.mark.parametrize(
    ("failed", "of", "conditions", "is_broken"),
    [
        (15, 18, ("value < 50%", "numerator < 10"), True),
        (5, 18, ("value < 50%", "numerator < 10"), False),
        (15, 18, ("value < 50%",), False),
        (15, 18, ("value < 50%", "denominator > 20"), True),
    ],
)
async def test_too_few_for_a_share_are_still_counted(
    desk: Desk, failed: int, of: int, conditions: tuple[str, ...], is_broken: bool, meant: Outcome
) -> None:
    """Too few were counted to take a share of, and ten of them failed: what is asked of that number is judged."""
    desk.told.answers = {"failed": value(failed), "all": value(of)}
    options = {"numerator": {"item": "failed"}, "denominator": {"item": "all"}, "minimum": 20}
    share = item("share", *conditions, probe="ratio", options=options, on_too_few=meant)
    both = checklist(item("failed", "value >= 0"), item("all", "value >= 0"), share)
    state = (await desk.measured(both))["share"]
    assert state.outcome is (Outcome.FAIL if is_broken else meant)
    assert ("too few" in state.summary) is not is_broken
    assert state.attempts[-1].body.problem is not None, "it is nothing to compute with"
