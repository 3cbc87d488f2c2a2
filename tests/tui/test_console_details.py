"""The detail of items with many targets and wide tables, and texts that fit any pane."""

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from opsconsole.engine.overview import Today, summary_of
from opsconsole.model.calendar import Standing
from opsconsole.model.events import Measured
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Evidence, Finding, Judgement, Level, Reading, Verdict
from opsconsole.model.values import Unit, number, seconds
from opsconsole.screens.commands import BY_ID, footer
from opsconsole.screens.item_view import item_paragraphs
from opsconsole.screens.phrases import reflowed
from opsconsole.screens.reading_view import commands_by_hand
from opsconsole.screens.today_view import today_rows
from support.console import BY_HAND, Morning
from support.driving import driving
from support.runs import CHECKLIST, MORNING, Chain
from tui.conftest import MakeMorning
from tui.test_console_views import said, text_of

SERVICES = tuple(f"service-{number:02}" for number in range(1, 29))


def _service(name: str, *, up: bool) -> Measured:
    outcome, verdict = (Outcome.PASS, Verdict.HOLDS) if up else (Outcome.FAIL, Verdict.BROKEN)
    text = "status is 200" if up else "status is 503, required 200"
    return Measured(
        item="disk",
        target=name,
        judgement=Judgement(outcome, text, (Finding("status == 200", Level.REQUIRE, verdict, text),)),
        started_at=MORNING,
        elapsed=seconds(0.25),
        reading=Reading(
            measures={"latency": number(3, Unit.SECONDS), "status": number(200 if up else 503)},
            evidence=(Evidence("answer", f"this is {name}"),),
            command=f"curl http://{name}",
        ),
    )


def _detail(*down: str, width: int = 0) -> str:
    chain = Chain()
    for each in SERVICES:
        chain.add(_service(each, up=each not in down))
    state = chain.state()
    return said(item_paragraphs(state, state.items["disk"], width=width))


def test_each_of_28_green_targets_is_a_line() -> None:
    """All green: one line each with what was seen, one row each with the values, and nothing else of them."""
    text = _detail()
    assert "[x] PASS    service-07  status is 200" in text
    assert "28 attempts, green at once" in text
    assert "Readings of all 28\ntarget      latency  status\nservice-01  3 s      200" in text
    assert "this is" not in text
    assert max(text.count(name) for name in SERVICES) <= 3


def test_what_fails_of_28_targets_is_read_first_and_in_full() -> None:
    """Two that failed: their conditions, attempts and evidence, ahead of a line for each of the others."""
    text = _detail("service-11", "service-20")
    assert text.index("service-20  FAIL") < text.index("PASS    service-01")
    assert [name for name in SERVICES if f"this is {name}" in text] == ["service-11", "service-20"]
    assert "26 more attempts, green at once" in text
    assert "Readings of the 26 that are green" in text
    assert text.index("this is service-20") < text.index("Readings of the 26")


def test_commands_of_targets_begin_with_what_fails() -> None:
    """The command that is offered first is that of a target that is not well."""
    chain = Chain().add(_service("a", up=True)).add(_service("b", up=False))
    found = commands_by_hand(chain.state().items["disk"])
    assert found == {"b": "curl http://b", "a": "curl http://a"}
    assert list(found) == ["b", "a"]


def _table(width: int, *rows: tuple[str | None, ...], numbers: int = 0) -> list[str]:
    """Return the lines of a table with as many columns of numbers behind those of text."""
    columns = tuple(f"column_{at}" for at in range(len(rows[0]) + numbers))
    figures = tuple(number(123_456_789) for _ in range(numbers))
    reading = Reading(columns=columns, rows=tuple((*row, *figures) for row in rows))
    body = Measured(
        item="collectors",
        judgement=Judgement(Outcome.PASS, ""),
        started_at=MORNING,
        elapsed=seconds(1),
        reading=reading,
    )
    state = Chain().add(body).state()
    text = said(item_paragraphs(state, state.items["collectors"], width=width))
    return text.partition(" row")[2].partition("\n")[2].splitlines()


def test_a_wide_table_is_cut_in_its_texts_only() -> None:
    """Numbers are never cut: a shortened number would be another one."""
    lines = _table(60, ("a" * 40, "b" * 30), ("c", "d"), numbers=1)
    assert all(cell_len(line) <= 60 for line in lines)
    assert all("123,456,789" in line for line in lines[1:])
    assert "…" in lines[1]
    assert "…" not in lines[2]


def test_a_table_that_cannot_fit_is_a_list() -> None:
    """With more columns than the pane has room for, each row is read downwards, with everything in it."""
    lines = _table(78, ("golive-backend-1", "x" * 90), numbers=8)
    assert lines[0] == "- column_0  golive-backend-1"
    assert lines[1] == "  column_1  " + "x" * 90
    assert lines[9] == "  column_9  123,456,789"


@given(
    st.lists(st.tuples(st.text(max_size=60), st.none() | st.text(max_size=60)), min_size=1, max_size=5),
    st.integers(20, 120),
)
def test_no_line_of_a_table_is_wider_than_the_pane(rows: list[tuple[str, str | None]], width: int) -> None:
    """Whatever a source says, the rows of a table stay lines; a list names every column."""
    lines = _table(width, *rows)
    if lines[0].startswith("- "):
        assert sum(line.startswith("- column_0") for line in lines) == len(rows)
    else:
        assert all(cell_len(line) <= width for line in lines)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("What the five-minute list saw of each service: a round that\nnobody ran was not available.", 1),
        ("Two that belong together, and then these, one after another:\n- one\n- two", 3),
        ("The registry, or a static file on a web server, is a document of JSON\n{}", 2),
        ("One.\nTwo.", 2),
        ("A paragraph that is long enough to have been broken by its author.\n\nAnother.", 3),
    ],
)
def test_help_is_broken_where_the_pane_ends(text: str, expected: int) -> None:
    """Line ends that kept the file narrow are gone; those that mean something stay, and every word."""
    assert len(reflowed(text).split("\n")) == expected
    assert reflowed(text).split() == text.split()


def test_today_has_columns_whatever_the_titles() -> None:
    """A long title is cut, so that every row says where it stands, at 80 columns the worst first."""
    state = (
        Chain()
        .measured("collectors", Outcome.FAIL)
        .measured("disk", Outcome.PASS, target="/")
        .measured("disk", Outcome.PASS, target="/var")
        .state()
    )
    titles = ("Short", "Synchronisation, every quarter of an hour", "Web application, every five minutes")
    lists = {name: msgspec.structs.replace(CHECKLIST, id=name, title=name) for name in titles}
    known = {
        name: Today(
            checklist=each,
            run=f"{name}@2026-11-21",
            times=state.times,
            standing=Standing.OVERDUE,
            current=summary_of(state),
            last=None,
            next_due_at=MORNING + dt.timedelta(days=2),
        )
        for name, each in lists.items()
    }
    narrow = [text_of(row) for row in today_rows(lists, known, MORNING)]
    assert len({line.index("08:00") for line in narrow}) == 1
    assert all("  1 fail, " in line for line in narrow), narrow
    assert all("Mon" not in line for line in narrow), "what is late was due today"
    wide = [text_of(row) for row in today_rows(lists, known, MORNING, width=120)]
    assert titles[1] in wide[1]
    assert "1 pass, 1 fail" in wide[0]


async def test_keys_that_can_do_nothing_are_not_offered(make_morning: MakeMorning, morning: Morning) -> None:
    """A list of ticks offers no entry, sheet or runbook; one of measurements no tick; help has them all."""
    async with driving(make_morning(None, (BY_HAND,)), run=BY_HAND.id) as driver:
        await driver.sees("Look at 01", "Space tick")
        assert not any(each in driver.lines[-1] for each in ("e enter", "f sheet", "b runbook"))
    async with driving(make_morning(None, (BY_HAND,), qualifications=())) as driver:
        await driver.sees("By hand", "c calendar")
        assert "d days" not in driver.lines[-1]
    async with driving(morning, size=(200, 24), run="host-daily") as driver:
        await driver.sees("[x] PASS", "n note")
        assert not any(each in driver.lines[-1] for each in ("Space tick", "e enter", "f sheet", "b runbook"))
        assert "y copy" in driver.lines[-1]


def test_the_way_back_stands_ahead_of_help_and_quit() -> None:
    """Where something is read in full, the footer says how to go back, in any width."""
    from opsconsole.screens.commands import Where, commands_of, with_way_back

    line = "".join(piece.text for piece in footer(with_way_back(commands_of(Where.RUN), "list"), 40))
    assert line.endswith("Esc list  ? help  q quit  ")
    assert BY_ID["anywhere.back"].rank == 0
