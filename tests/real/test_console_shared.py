"""Two consoles on one record, each on a terminal of its own: they see each other's ticks, and each other."""

import os
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from opsconsole.model.events import Ticked
from opsconsole.store.sqlite import SqliteStore
from support.command import installed
from support.ptys import Pty
from support.tmux import tmux_server

_TESTS = Path(__file__).resolve().parents[1]
ITEMS = 6
CHECKLIST = 'title = "By hand"\ndue = { timezone = "UTC" }\n[[section]]\ntitle = "All"\n' + "\n".join(
    f'[[section.item]]\nid = "look-{each:02}"\ntitle = "Look at {each:02}"\nmanual = true\n'
    for each in range(ITEMS)
)
SOON = 3.0
"""Seconds within which a colleague's tick shows: sooner than any look from time to time would find it."""


def console(directory: Path, *options: str) -> Pty:
    """Start a console over a record, as the operator or as Jane."""
    argv = [sys.executable, "-m", "support.console_main", str(directory), "--by-hand", "--run", "by-hand", *options]
    return Pty(argv, env={"PYTHONPATH": str(_TESTS)})


def test_two_people_see_each_other_and_their_ticks(tmp_path: Path) -> None:
    """What one ticks the other sees at once, and is told of; who is there shows; otherwise both are still."""
    with console(tmp_path) as one, console(tmp_path, "--jane") as two:
        one.wait_for("with Jane Roe (jane)")
        two.wait_for("with Day Operator (operator)")
        one.send(" ")
        one.wait_for("> [x] PASS    Look at 00")
        began = time.monotonic()
        two.wait_for("Day Operator (operator) ticked Look at 00")
        assert time.monotonic() - began < SOON
        assert "[x] PASS    Look at 00" in two.screen.text
        two.send("jj ")
        one.wait_for("Jane Roe (jane) ticked Look at 02")
        for pty in (one, two):
            pty.wait_until(lambda pty=pty: "ticked Look" not in pty.screen.text, what="the news to pass")  # type: ignore[misc]
        assert one.bytes_in(2.0) == 0
        assert two.bytes_in(2.0) == 0
        two.send("q")
        assert two.wait_exit() == 0
        one.wait_until(lambda: "with Jane" not in one.screen.text, what="Jane to be gone")


def test_both_tick_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    """Two people who tick different items at the same time: both see all of it, and all of it is on disk."""
    with console(tmp_path) as one, console(tmp_path, "--jane") as two:
        for pty in (one, two):
            pty.wait_for("> [ ] PENDING Look at 00")
        two.send("\x1b[B" * 4)
        two.wait_for("> [ ] PENDING Look at 04")
        one.send(" j j j ")
        two.send(" j j j ")
        for pty in (one, two):
            for number in range(8):
                pty.wait_for(f"[x] PASS    Look at {number:02}")
    with closing(SqliteStore(tmp_path / "records.db")) as store:
        bodies = [each.event.body for each in store.events("by-hand@2026-11-21")]
        assert sorted(each.item for each in bodies if isinstance(each, Ticked)) == [f"look-{n}" for n in range(8)]
        assert store.verify().broken is None


def test_killed_console_is_no_longer_there(tmp_path: Path) -> None:
    """Whoever's console was killed is not shown for ever."""
    with console(tmp_path) as one:
        with console(tmp_path, "--jane") as two:
            one.wait_for("with Jane Roe (jane)")
            os.kill(two.pid, 9)
            two.wait_exit()
        one.wait_until(lambda: "with Jane" not in one.screen.text, what="Jane to be gone")


@pytest.mark.timeout(180)
def test_installed_command_in_two_tmux_sessions(tmp_path: Path) -> None:
    """`opsconsole run` twice in tmux, by one login: ticks show in the other, which is oneself elsewhere."""
    place = installed(tmp_path, by_hand=CHECKLIST)
    environment = {**place.environment(), "TERM": "xterm-256color"}
    with tmux_server() as left, tmux_server() as right:
        for tmux in (left, right):
            tmux.start(place.arguments("run", "by-hand"), environment)
            tmux.sees("> [ ] PENDING Look at 00")
        left.sees("with yourself elsewhere")
        left.press("Space")
        right.sees("[x] PASS    Look at 00")
        right.press("Down", "Space")
        left.sees("[x] PASS    Look at 01")
        right.press("q")
        right.sees("left with 0")
        left.until(lambda screen: "yourself elsewhere" not in screen, "the other to be gone")
        left.press("q")
        left.sees("left with 0")
