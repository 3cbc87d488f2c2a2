"""When a checklist is due, as its file says: what is warned of, and what is as it should be."""

import sys
from pathlib import Path

import pytest

from opsconsole.config.checklists import load_checklist
from opsconsole.model import holidays
from support.fake_kinds import KINDS

ITEM = """
[[section]]
title = "Section"
[[section.item]]
id = "web"
title = "Web"
probe = "http"
url = "http://localhost/"
"""


def warned(tmp_path: Path, top: str, item: str = 'require = ["latency < 3 s"]') -> list[str]:
    """Return what is warned of a checklist that is usable."""
    path = tmp_path / "list.toml"
    path.write_text(f'title = "List"\n{top}\n{ITEM}{item}\n')
    loaded = load_checklist(path, KINDS, check_trust=False)
    assert [str(each) for each in loaded.problems] == []
    assert loaded.checklist is not None
    return [f"{each.key}: {each.message}" for each in loaded.warnings]


@pytest.mark.parametrize(
    "top",
    [
        'due = { at = "08:00", days = "Mon..Fri", holidays = "US-TX", closed = [2026-12-24] }',
        'cadence = "interval"\ndue = { every = "5 min" }',
        'cadence = "interval"\ndue = { every = "1 h", days = "Mon..Fri", grace = "10 min", holidays = "DE-BY" }',
        'cadence = "weekly"\ndue = { days = "Mon", closed = [2026-12-28] }\nlooks_back = "same-period"',
        'cadence = "monthly"\ndue = { days = "Mon#1", holidays = "US" }\nlooks_back = "previous-period"',
        'cadence = "monthly"\ndue = { days = "31" }',
        'cadence = "quarterly"\ndue = { days = "Mon#1" }',
        'cadence = "quarterly"\ndue = { days = "Mon#5,Tue#5" }',
        'cadence = "once"\ndue = { on = 2026-11-21, at = "12:00" }',
        'cadence = "once"\ndue = { after = "nine" }',
        'due = { at = "06:00", grace = "16 h" }\nschedule = { at = "22:00" }',
        "sign_off = { needed = false }",
    ],
)
def test_nothing_to_warn_of(tmp_path: Path, top: str) -> None:
    """What makes sense is taken without a word."""
    assert warned(tmp_path, top) == []


@pytest.mark.parametrize(
    ("top", "told"),
    [
        (
            'cadence = "interval"\ndue = { every = "15 min", at = "08:00" }',
            "due.at: means nothing for the cadence 'interval': an interval is due when it begins",
        ),
        (
            'cadence = "interval"\ndue = { every = "15 min", grace = "1 h" }',
            "due.grace: the interval is over, and the list missed, before its grace of 1 h is",
        ),
        (
            'cadence = "interval"\nlooks_back = "same-period"\ndue = { every = "15 min" }',
            "looks_back: an interval has hardly begun when it is due: it would look at what is still to come",
        ),
        (
            'cadence = "once"\ndue = { on = 2026-11-21, days = "Mon" }',
            "due.days: means nothing for the cadence 'once': a list that is due once has its one date",
        ),
        (
            'cadence = "once"\nlooks_back = "same-period"\ndue = { after = "nine" }',
            (
                "looks_back: means nothing for a list that is due once, which looks back over the days of its "
                "qualification"
            ),
        ),
        (
            'looks_back = "same-period"',
            "looks_back: means nothing for a daily list: schedule.covers says which day's data it looks at",
        ),
        (
            'due = { at = "23:00" }',
            "due.at: the day is over, and the list missed, before its grace of 2 h is",
        ),
        (
            'cadence = "weekly"\ndue = { days = "Sun", grace = "3 d" }',
            "due.grace: the period is over, and the list missed, before its grace of 3 d is",
        ),
        (
            'cadence = "monthly"\ndue = { days = "Mon#5" }',
            "due.days: lie in some months only: nothing is due in the others, such as 2001-02",
        ),
        (
            'cadence = "weekly"\ndue = { days = "1,15" }',
            "due.days: lie in some weeks only: nothing is due in the others, such as 2001-W02",
        ),
        (
            'cadence = "quarterly"\ndue = { days = "Mon#5" }',
            "due.days: lie in some quarters only: nothing is due in the others, such as 2002-Q1",
        ),
        (
            'cadence = "weekly"\ndue = { days = "Thu", closed = [2026-12-24, 2026-12-25] }',
            (
                "due.closed: leave no working day after it in 2026-W52: the list is due on 2026-12-24, although "
                "that is closed"
            ),
        ),
    ],
)
def test_what_is_warned_of(tmp_path: Path, top: str, told: str) -> None:
    """Who writes what has no effect, or another one than it seems, is told so."""
    assert warned(tmp_path, top) == [told]


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ('require = ["latency < baseline * 1.5"]\nbaseline = { readings = 30, least = 10 }', []),
        ('require = ["latency < 3 s"]\ntarget = ["latency < last_week + 1 s"]\non_no_history = "skipped"', []),
        ('require = ["latency within 20% of previous"]\non_no_history = "warn"', []),
        ('require = ["status == yesterday"]', []),
        (
            'require = ["latency < last_month * 2"]\nbaseline = { readings = 30 }',
            ["baseline: no condition compares with the baseline: value < baseline * 1.5"],
        ),
        (
            'require = ["latency < 3 s"]\non_no_history = "warn"',
            ["on_no_history: no condition compares with the past, so it is never asked for"],
        ),
    ],
)
@pytest.mark.parametrize("cadence", ["daily", "monthly"])
def test_the_past_as_a_limit(tmp_path: Path, item: str, told: list[str], cadence: str) -> None:
    """Conditions may compare with the past, on lists of any cadence, and what is said of it needs one that does."""
    assert warned(tmp_path, f'cadence = "{cadence}"', item) == told


def test_holidays_without_their_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, a list that names a country is refused with what to install."""
    monkeypatch.setitem(sys.modules, "holidays", None)
    holidays._calendar.cache_clear()
    path = tmp_path / "list.toml"
    path.write_text(f'title = "List"\ndue = {{ holidays = "US" }}\n{ITEM}require = ["latency < 3 s"]\n')
    (problem,) = load_checklist(path, KINDS, check_trust=False).problems
    holidays._calendar.cache_clear()
    assert problem.line == 2
    assert problem.message == ("public holidays need the library `holidays`: pip install 'opsconsole[holidays]'")
