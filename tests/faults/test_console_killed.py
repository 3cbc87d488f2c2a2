"""kill -9 of the real console at random moments: whatever it had shown as done is in the record."""

import datetime as dt
import random
import re
import signal
from contextlib import closing
from pathlib import Path

import pytest

from opsconsole.model.runs import RunState, fold
from opsconsole.store.sqlite import SqliteStore
from support.command import Installation, installed
from support.faults import Tally, times
from support.ptys import Pty

ROUNDS = times(few=100, full=400)
PARTS = 4
"""The rounds are shared out, so that several workers can take them."""
ITEMS = 14
_FIRST_DAY = dt.date(2026, 1, 1)
_LONGEST = 0.7
"""Seconds that the console works before it is killed, at most: by then it is through with all keys."""

_ROW = re.compile(r"\[(?P<tick>[x ])\] (?:PASS|PENDING) +Look at (?P<number>\d\d).*?(?P<noted>noted)? *(?:[│|]|$)")


def _checklist() -> str:
    items = "\n".join(
        f'[[section.item]]\nid = "look-{each:02}"\ntitle = "Look at {each:02}"\nmanual = true\n'
        for each in range(ITEMS)
    )
    head = 'title = "By hand"\ndue = { timezone = "UTC" }\n[[section]]\ntitle = "All"\n'
    return head + items


def _keys(dice: random.Random) -> str:
    """Return keys that tick every item, and write a note on some, from the first to the last."""
    notes = ("n", "seen\r")
    return "".join(f" {''.join(notes) if dice.random() < 0.3 else ''}j" for _ in range(ITEMS))


def _shown(pty: Pty) -> tuple[set[str], set[str]]:
    """Return the items that the screen shows as ticked, and those that it shows as noted."""
    rows = [found for line in pty.screen.lines if (found := _ROW.search(line)) is not None]
    ticked = {f"look-{row['number']}" for row in rows if row["tick"] == "x"}
    return ticked, {f"look-{row['number']}" for row in rows if row["noted"]}


def _stored(place: Installation, run: str) -> RunState | None:
    with closing(SqliteStore(place.state / "opsconsole.db")) as store:
        return fold(store.events(run))


def _killed(place: Installation, day: dt.date, dice: random.Random) -> tuple[set[str], set[str]]:
    """Work on the run of `day` until the console is killed; return what it had shown as ticked and as noted."""
    place.then("by-hand", day)
    argv = place.arguments("run", "by-hand", "--date", day.isoformat())
    with Pty(argv, cols=140, rows=40, env=place.environment(), cwd=place.directory) as pty:
        pty.wait_for(f"Look at {ITEMS - 1:02}")
        pty.wait_for("> [ ] PENDING Look at 00")
        pty.send(_keys(dice))
        moment = dice.uniform(0, _LONGEST)
        pty.bytes_in(moment)
        pty.send_signal(signal.SIGKILL)
        assert pty.wait_exit() == -signal.SIGKILL
        return _shown(pty)


@pytest.mark.timeout(600)
@pytest.mark.faults("kill-console")
@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_shown_is_lost(tmp_path: Path, tally: Tally, part: int) -> None:
    """Mornings that ended in a crash: every tick and note that was on screen is on disk, and the chain is whole."""
    place = installed(tmp_path, by_hand=_checklist())
    for number in range(ROUNDS // PARTS):
        dice = random.Random(1_000 * part + number)
        day = _FIRST_DAY + dt.timedelta(days=number)
        ticked, noted = _killed(place, day, dice)
        with tally.one():
            run = _stored(place, f"by-hand@{day}")
            assert run is not None
            on_disk = {name for name, each in run.items.items() if each.ticked is not None}
            assert ticked <= on_disk, f"round {number}: shown as ticked, and not on disk: {ticked - on_disk}"
            explained = {name for name, each in run.items.items() if each.notes}
            assert noted <= explained, f"round {number}: shown as noted, and not on disk: {noted - explained}"
        tally.saw("ticks and notes that were shown", len(ticked) + len(noted))
    assert tally.besides.total(), "no round got as far as showing anything: the test sees nothing"
    with closing(SqliteStore(place.state / "opsconsole.db")) as store:
        assert store.verify().broken is None
