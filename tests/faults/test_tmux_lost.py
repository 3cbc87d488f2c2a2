"""The real console in tmux, whose clients come and go, and which is killed itself."""

import datetime as dt
import os
import re
import signal
import subprocess
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from opsconsole.model.runs import fold
from opsconsole.store.sqlite import SqliteStore
from support.command import Installation, installed
from support.faults import Tally, times
from support.tmux import Tmux, tmux_server

ROUNDS = times(few=2, full=15)
ITEMS = 8
TODAY = dt.datetime.now(dt.UTC).date()
_TICKED = re.compile(r"\[x\] PASS +Look at (\d)")

pytestmark = pytest.mark.faults("terminal")


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """Install the program with a checklist of ticks."""
    items = "".join(
        f'[[section.item]]\nid = "look-{each}"\ntitle = "Look at {each}"\nmanual = true\n' for each in range(ITEMS)
    )
    head = 'title = "By hand"\ndue = { timezone = "UTC" }\n[[section]]\ntitle = "All"\n'
    return installed(tmp_path, by_hand=head + items)


def _opened(tmux: Tmux, place: Installation, day: dt.date) -> None:
    tmux.start(place.arguments("run", "by-hand", "--date", f"{day}"), place.environment())
    tmux.sees(f"Look at {ITEMS - 1}")


@contextmanager
def _client(tmux: Tmux, cols: int, rows: int) -> Iterator[int]:
    """Attach a terminal of that size, as an operator does who comes back; gives the descriptor to type into.

    Closing it is a line that drops. What tmux paints there is not looked at: the pane says what it shows.
    """
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (rows, cols))
    argv = ["setsid", "-c", *tmux._base, "attach-session"]
    env = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, env=env)
    os.close(slave)
    try:
        tmux.until(lambda _: bool(tmux.command("list-clients").strip()), "a client")
        yield master
    finally:
        os.close(master)
        process.wait(30)
    tmux.until(lambda _: not tmux.command("list-clients").strip(), "no client")


def _ticked(place: Installation, day: dt.date) -> set[str]:
    with closing(SqliteStore(place.state / "opsconsole.db")) as store:
        state = fold(store.events(f"by-hand@{day}"))
        assert store.verify().broken is None
    assert state is not None
    return {name for name, each in state.items.items() if each.ticked is not None}


def _is_on(screen: str, item: int) -> bool:
    return any(re.match(rf"> .*Look at {item}\b", line) for line in screen.splitlines())


def test_a_detached_console_is_found_where_it_was_left(place: Installation, tally: Tally) -> None:
    """The line drops: tmux keeps the console, which goes on, and shows the same item on another terminal."""
    with tmux_server() as tmux, tally.one():
        _opened(tmux, place, TODAY)
        with _client(tmux, 100, 30) as typing:
            os.write(typing, b" jj")
            tmux.until(lambda screen: _is_on(screen, 2), "the cursor two items on")
            tmux.command("detach-client")
        tmux.press("Space")
        tmux.sees("[x] PASS    Look at 2")
        with _client(tmux, 80, 24) as typing:
            tmux.until(lambda screen: _is_on(screen, 2), "the cursor where it was")
            os.write(typing, b"j")
            tmux.until(lambda screen: _is_on(screen, 3), "the next item")
        tmux.press("Space")
        screen = tmux.sees("[x] PASS    Look at 3")
        assert _is_on(screen, 3)
        assert _ticked(place, TODAY) == {"look-0", "look-2", "look-3"}


@pytest.mark.timeout(600)
def test_a_killed_tmux_takes_nothing_along(place: Installation, tally: Tally) -> None:
    """kill -9 of tmux, so that the terminal is gone under the console: what was shown is there in the next one."""
    for number in range(ROUNDS):
        day = TODAY - dt.timedelta(days=number)
        if number:
            place.then("by-hand", day)
        with tally.one():
            with tmux_server() as tmux:
                _opened(tmux, place, day)
                tmux.press(*["Space", "j"] * (1 + number % ITEMS))
                shown = _on(tmux.until(lambda screen: bool(_on(screen)), "a tick"))
                server = int(tmux.command("display-message", "-p", "#{pid}"))
                console = _descendants(int(tmux.command("display-message", "-p", "#{pane_pid}")))
                assert console
                os.kill(server, signal.SIGKILL)
                _wait_for_the_end(console)
            stored = _ticked(place, day)
            assert shown <= stored
            with tmux_server() as tmux:
                _opened(tmux, place, day)
                tmux.until(lambda screen, stored=stored: _on(screen) == stored, "the ticks")  # type: ignore[misc]
        tally.saw("ticks that were shown", len(shown))


def _on(screen: str) -> set[str]:
    return {f"look-{number}" for number in _TICKED.findall(screen)}


def _descendants(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    children = [int(each) for each in text.split()]
    return [*children, *(each for child in children for each in _descendants(child))]


def _wait_for_the_end(pids: Sequence[int]) -> None:
    """Wait until the console has ended, as it does when its terminal is gone."""
    deadline = time.monotonic() + 30
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline, "the console outlives its terminal"


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return not state.startswith("Z")
