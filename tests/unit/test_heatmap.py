"""The calendar of a checklist: which squares there are, and what became of each period."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from opsconsole.model.calendar import period_named, period_of
from opsconsole.model.checklists import Cadence, Checklist, Due, Item, Section, SignOffPolicy
from opsconsole.model.heatmap import Board, Square, board_of, gravest, square_without_run
from opsconsole.model.values import Duration

CHICAGO = ZoneInfo("America/Chicago")
TODAY = dt.date(2026, 11, 21)
NOW = dt.datetime(2026, 11, 21, 14, tzinfo=dt.UTC)


def checklist(cadence: Cadence = Cadence.DAILY, due: Due = Due()) -> Checklist:
    """Return a list of one tick."""
    section = Section("All", (Item(id="look", title="Look", manual=True),))
    return Checklist(id="x", title="X", cadence=cadence, due=due, sections=(section,), sign_off=SignOffPolicy())


def starts(board: Board) -> list[list[dt.date | None]]:
    """Return on which date each square begins."""
    return [[each.periods[0].start if each else None for each in row.places] for row in board.rows]


@pytest.mark.parametrize("cells", [80, 200, 6, 41])
def test_weeks_stand_beside_each_other(cells: int) -> None:
    """As many weeks as fit end with the present one; a column is a week, a row a weekday; no day is left out."""
    board = board_of(checklist(), TODAY, cells, 20, CHICAGO)
    assert [row.label for row in board.rows] == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    columns = list(zip(*starts(board), strict=True))
    assert len(columns) == max(1, (cells - 4) // 2)
    assert TODAY in columns[-1]
    dates = [each for column in columns for each in column]
    assert dates == [board.first + dt.timedelta(days=number) for number in range(len(dates))]
    assert all(each is not None and each.weekday() == number % 7 for number, each in enumerate(dates))


def test_months_are_named_above_their_first_day() -> None:
    """A month stands above the week that its first day lies in, January as the year."""
    board = board_of(checklist(), dt.date(2026, 3, 31), 80, 20, CHICAGO)
    columns = list(zip(*starts(board), strict=True))
    for head, week in zip(board.heads, columns, strict=True):
        firsts = [each for each in week if each is not None and each.day == 1]
        assert head == (
            f"{firsts[0]:%b}" if firsts and firsts[0].month > 1 else f"{firsts[0].year}" if firsts else ""
        )
    assert "2026" in board.heads


def test_weeks_of_a_quarter_make_a_row() -> None:
    """A weekly list has a row for each quarter, and each week stands in exactly one."""
    board = board_of(checklist(Cadence.WEEKLY), TODAY, 80, 5, CHICAGO)
    assert [row.label for row in board.rows] == ["2025-Q4", "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]
    weeks = [each for row in starts(board) for each in row if each is not None]
    assert weeks == [weeks[0] + dt.timedelta(days=7 * number) for number in range(len(weeks))]
    assert weeks[0].weekday() == 0


@pytest.mark.parametrize(("cadence", "columns"), [(Cadence.MONTHLY, 12), (Cadence.QUARTERLY, 4)])
def test_a_year_makes_a_row(cadence: Cadence, columns: int) -> None:
    """Monthly and quarterly lists have a row for each year."""
    board = board_of(checklist(cadence), TODAY, 80, 3, CHICAGO)
    assert [row.label for row in board.rows] == ["2024", "2025", "2026"]
    assert {len(row.places) for row in board.rows} == {columns}
    keys = [each.periods[0].key for row in board.rows for each in row.places if each]
    assert keys == sorted(keys)
    assert period_of(TODAY, cadence).key in keys


@pytest.mark.parametrize(
    ("until", "hours"), [(dt.date(2026, 3, 8), 23), (dt.date(2026, 11, 1), 24), (dt.date(2026, 11, 21), 24)]
)
def test_hours_of_a_day_make_a_row(until: dt.date, hours: int) -> None:
    """A list of every quarter of an hour has a square for each hour that the day has, whatever the clocks do."""
    board = board_of(checklist(Cadence.INTERVAL, Due(every=Duration.parse("15 min"))), until, 80, 3, CHICAGO)
    places = [each for each in board.rows[-1].places if each is not None]
    assert len(places) == hours
    slots = [slot.key for each in places for slot in each.periods]
    expected = {dt.date(2026, 3, 8): 23, dt.date(2026, 11, 1): 25}.get(until, 24) * 4
    assert len(set(slots)) == len(slots) == expected


@pytest.mark.parametrize(
    ("day", "first", "expected"),
    [
        ("2026-11-21", "2026-11-01", Square.OPEN),
        ("2026-11-20", "2026-11-01", Square.MISSED),
        ("2026-11-20", "2026-11-21", Square.BEFORE),
        ("2026-11-20", "", Square.BEFORE),
        ("2026-11-22", "2026-11-01", Square.FUTURE),
        ("2026-11-15", "2026-11-01", Square.NOT_DUE),
        ("2026-11-26", "2026-11-01", Square.NOT_DUE),
    ],
)
def test_days_that_nobody_opened(day: str, first: str, expected: Square) -> None:
    """What nobody opened is missed, open, to come, not due, or from before anybody ran the list."""
    due = Due(timezone="America/Chicago", days="Mon..Sat" if day != "2026-11-22" else "Mon..Sun")
    if day == "2026-11-26":
        due = Due(timezone="America/Chicago", closed=(dt.date(2026, 11, 26),))
    daily = checklist(due=due)
    period = period_named(day, daily, CHICAGO)
    assert period is not None
    assert square_without_run(daily, period, NOW, CHICAGO, first) is expected


def test_the_gravest_shows() -> None:
    """Of several runs in one square the worst is seen, and one that is open does not hide a failure."""
    assert gravest([Square.PASS, Square.OPEN, Square.FAIL]) is Square.FAIL
    assert gravest([Square.FUTURE, Square.PASS]) is Square.PASS
    assert gravest([]) is Square.NOT_DUE
