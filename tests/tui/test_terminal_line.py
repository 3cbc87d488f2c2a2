"""What crosses the line: how much, in which bytes, and what happens when the line stalls."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from support.ptys import Pty
from support.terminal_app import SECRET, flood_row
from support.terminal_run import beats, start, started

ROW_BUDGET = 200
CURSOR_BUDGET = 400

_SGR = re.compile(rb"\x1b\[([0-9;]*)m")
_ESCAPE = re.compile(rb"\x1b\[[<>?]?[0-9;]*\$?[@-~]")


def _cost(pty: Pty, keys: str) -> bytes:
    """Return what the application sends upon `keys`."""
    before = len(pty.output)
    pty.send(keys)
    pty.settle()
    return bytes(pty.output[before:])


def test_first_screen_is_complete_and_then_still(tmp_path: Path) -> None:
    """The console opens with every line in place, and sends nothing while nothing happens."""
    with started(tmp_path) as pty:
        assert pty.screen.lines[0].startswith("> [x] row 0")
        assert pty.screen.lines[22].startswith("  [x] row 22")
        assert all(line.endswith("value 0 PASS") for line in (text.rstrip("▅ ") for text in pty.screen.lines[:23]))
        assert pty.bytes_in(2.0) == 0


def test_updates_and_moves_stay_within_their_budget(tmp_path: Path) -> None:
    """On a slow line, a row that changes and a cursor that moves are there at once."""
    with started(tmp_path) as pty:
        assert 0 < len(_cost(pty, "u")) <= ROW_BUDGET
        assert pty.screen.lines[3].rstrip("▅ ").endswith("value 1 PASS")
        assert 0 < len(_cost(pty, "j")) <= CURSOR_BUDGET
        assert pty.screen.lines[1].startswith("> [x] row 1")
        assert pty.screen.reversed_lines == [1]


def test_stalled_line_stops_nothing_and_recovers(tmp_path: Path) -> None:
    """While the terminal takes nothing, checks go on; when it takes again, it shows what is now, and all of it."""
    with started(tmp_path) as pty:
        pty.send("f")
        pty.wait_unread(lambda: beats(tmp_path)[-1].endswith("stalled"), what="the line to fill up")
        count = len(beats(tmp_path))
        pty.wait_unread(lambda: len(beats(tmp_path)) >= count + 20, what="heartbeats on a stalled line")
        times = [float(line.split()[0]) for line in beats(tmp_path)[count:]]
        assert max(after - before for before, after in pairwise(times)) < 2.0
        pty.send("f")
        # Once two beats in a row have the same number of updates, nothing changes any more.
        pty.wait_unread(
            lambda: len({line.split()[1] for line in beats(tmp_path)[-3:]}) == 1, what="the updates to stop"
        )
        value = int(beats(tmp_path)[-1].split()[1])
        pty.wait_until(lambda: beats(tmp_path)[-1].endswith("flowing"), what="the line to recover")
        pty.settle()
        wanted = ["".join(piece.text for piece in flood_row(index, value).left) for index in range(23)]
        assert [line[2:76].rstrip() for line in pty.screen.lines[:23]] == [line.rstrip() for line in wanted]
        assert "Update" in pty.screen.lines[23]
        assert pty.bytes_in(0.5) == 0


def test_no_color_sends_no_colour(tmp_path: Path) -> None:
    """NO_COLOR is obeyed to the letter: only bold, reverse and the like are sent, and everything still shows."""
    with started(tmp_path, env={"NO_COLOR": "1"}) as pty:
        pty.send("t")
        pty.wait_for("of two lines")
        pty.send("w")
        pty.wait_for("worker failed")
        pty.settle()
        codes = {int(code or 0) for match in _SGR.finditer(pty.output) for code in match[1].split(b";")}
        assert codes <= set(range(10)) | set(range(20, 30)), codes
        assert pty.screen.reversed_lines == [0]
        pty.send("q")
        assert pty.wait_exit() == 0


@pytest.mark.parametrize(
    ("options", "env"),
    [((), {"LC_ALL": "C"}), ((), {"LANG": None}), (("--ascii",), {})],
    ids=["LC_ALL=C", "no locale", "--ascii"],
)
def test_only_ascii_on_terminals_that_have_nothing_else(
    tmp_path: Path, options: tuple[str, ...], env: dict[str, str | None]
) -> None:
    """Where the locale is not UTF-8, borders, scroll bars and evidence are drawn in ASCII, in the same cells."""
    with started(tmp_path, *options, env=env) as pty:
        pty.send("t")
        pty.wait_for("of two lines")
        pty.settle()
        assert pty.output.isascii()
        assert "|naive v | text" in pty.screen.lines[1]
        assert pty.screen.lines[1].endswith("|")
        assert len(pty.screen.lines[1]) == 80
        assert re.search(r"\+-{30,}\+$", pty.screen.lines[0])


def test_glyphs_where_the_locale_is_utf8(tmp_path: Path) -> None:
    """A UTF-8 terminal gets the real characters."""
    with started(tmp_path, env={"LANG": "de_DE.UTF-8"}) as pty:
        pty.send("t")
        pty.wait_for("naïve ✓ │ text")


def test_hostile_text_reaches_the_terminal_spelled_out(tmp_path: Path) -> None:
    """Escape sequences, markup and reordering in evidence are seen as what they are, and do nothing."""
    with started(tmp_path) as pty:
        pty.send("h")
        pty.wait_for("testing [/]")
        pty.settle()
        shown = pty.screen.text
        assert "\\x1b[31mred\\x1b]0;title\\x07 [/]" in shown
        assert "[@click=app.quit]x[/]" in shown
        assert "\\u202eright\\x9b5n" in shown
        assert "[b]bold[/b]" in shown
        # The strict terminal of the tests has already refused anything it does not know; this is for the rest.
        text = _ESCAPE.sub(b"", pty.output).decode()
        assert not re.search(
            r"[\x00-\x06\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", text
        )
        assert SECRET not in text


def test_splash_comes_first_and_leaves_no_trace(tmp_path: Path) -> None:
    """The operator sees at once that something starts; after the end the shell's screen is as it was."""
    with started(tmp_path) as pty:
        assert pty.output.startswith(b"\rstarting")
        pty.send("q")
        assert pty.wait_exit() == 0
        assert not pty.screen.is_alternate
        assert pty.screen.text.strip() == ""
        assert pty.screen.modes == {"7", "25"}
        assert pty.attributes == pty.initial_attributes


def test_terminal_that_cannot_move_its_cursor_is_refused(tmp_path: Path) -> None:
    """TERM=dumb gets a sentence that says what to do instead, not a screen full of codes."""
    with start(tmp_path, env={"TERM": "dumb"}) as pty:
        assert pty.wait_exit() == 2
        assert b"\x1b" not in pty.output
        assert "TERM=dumb" in pty.screen.text
        assert "--headless" in pty.screen.text


def test_screen_somebody_else_wrote_on_is_drawn_anew(tmp_path: Path) -> None:
    """A broadcast of `wall` across the console is gone after one key, though else only differences are sent."""
    with started(tmp_path) as pty:
        before = pty.screen.picture
        pty.screen.feed(b"\x1b[5;1HThe system is going down\x1b[12;40Hsoon")
        assert pty.screen.picture != before
        pty.send("\x0c")
        pty.wait_until(lambda: pty.screen.picture == before, what="the screen to be as it was")


def test_resized_terminal_is_drawn_anew(tmp_path: Path) -> None:
    """A window made larger, or a tmux pane made smaller, shows a whole screen in its new size."""
    with started(tmp_path) as pty:
        pty.resize(100, 30)
        pty.wait_until(lambda: "Update" in pty.screen.lines[29], what="the footer in the last line")
        pty.settle()
        assert pty.screen.lines[28].startswith("  [x] row 28")
        assert pty.screen.lines[28].rstrip("▅▌ ").endswith("value 0 PASS")
