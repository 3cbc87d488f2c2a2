"""The console on a terminal: what crosses the line, without colours, without UTF-8, and when the line drops."""

import contextlib
import random
import re
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from opsconsole.model.events import Noted, Ticked
from opsconsole.store.sqlite import SqliteStore
from support.command import installed
from support.ptys import Pty
from support.vt import Screen

_TESTS = Path(__file__).resolve().parents[1]
_SGR = re.compile(rb"\x1b\[([0-9;]*)m")

TICK_BUDGET = 400
"""Bytes of a tick: its row, its detail, the counts, and the message; the row alone is 200."""
CURSOR_BUDGET = 1_000
"""Bytes of a move of the cursor with the detail of another item, at 80x24."""


def console(directory: Path, *options: str, env: Mapping[str, str | None] | None = None) -> Pty:
    """Start a console over told probes."""
    directory.mkdir(exist_ok=True)
    argv = [sys.executable, "-m", "support.console_main", str(directory), *options]
    return Pty(argv, env={"PYTHONPATH": str(_TESTS), **(env or {})})


def opened(pty: Pty) -> None:
    """Open the first run and wait until it is measured."""
    pty.wait_for("DUE")
    pty.send("\r")
    pty.wait_for("2 pending")
    pty.settle()


def _cost(pty: Pty, keys: str) -> int:
    before = len(pty.output)
    pty.send(keys)
    pty.settle()
    return len(pty.output) - before


def test_stands_still_and_moves_little(tmp_path: Path) -> None:
    """Nothing is sent while nothing happens, however often the console looks; keys cost a few hundred bytes."""
    with console(tmp_path, "--hasty") as pty:
        pty.wait_for("DUE")
        pty.settle()
        assert pty.bytes_in(1.5) == 0
        opened(pty)
        assert pty.bytes_in(1.5) == 0
        assert 0 < _cost(pty, "j") <= CURSOR_BUDGET
        pty.send("\x1b[F")
        pty.settle()
        pty.send("kkk")
        pty.wait_for("> [ ] PENDING The dashboard")
        pty.settle()
        assert 0 < _cost(pty, " ") <= TICK_BUDGET
        assert "> [x] PASS    The dashboard" in pty.screen.text


def test_burst_of_keys_arrives_where_it_was_meant(tmp_path: Path) -> None:
    """What a slow line delivers in one burst does what it would have done key by key: ticks, notes and moves."""
    with console(tmp_path, "--by-hand") as pty:
        pty.wait_for("By hand")
        pty.send("\r")  # opens the run
        pty.send(" nfirst note\rj nsecond\rjj g\x1b")
        pty.wait_for("> [x] PASS    Look at 03")
        pty.settle()
    store = SqliteStore(tmp_path / "records.db")
    events = [type(each.event.body).__name__ for each in store.events("by-hand@2026-11-21")]
    assert events == ["Opened", "Ticked", "Noted", "Ticked", "Noted", "Ticked"]
    store.close()


def test_no_color(tmp_path: Path) -> None:
    """Under NO_COLOR no colour is sent, and every state still reads as a glyph and a word."""
    with console(tmp_path, "--bad", env={"NO_COLOR": "1"}) as pty:
        opened(pty)
        pty.wait_for("[!] FAIL    Both collectors")
        for keys, seen in (("n", "Note"), ("\x1b", "Space tick"), ("g", "6 things to do"), ("?", "Keys on")):
            pty.send(keys)
            pty.wait_for(seen)
        pty.settle()
        codes = {int(code or 0) for match in _SGR.finditer(pty.output) for code in match[1].split(b";")}
        assert codes <= set(range(10)) | set(range(20, 30)), codes


@pytest.mark.parametrize("how", [("--ascii", "C.UTF-8"), ("", "C"), ("", "de_DE.ISO-8859-1")])
def test_ascii_only(tmp_path: Path, how: tuple[str, str]) -> None:
    """Where the locale is not UTF-8, or --ascii is given, nothing but ASCII is sent, and nothing is misaligned."""
    option, locale = how
    with console(tmp_path, *filter(None, (option, "--bad")), env={"LANG": locale, "LC_ALL": locale}) as pty:
        opened(pty)
        pty.wait_for("[!] FAIL    Both collectors")
        pty.send("g")
        pty.wait_for("6 things to do")
        pty.settle()
        assert pty.output.isascii()
        assert pty.screen.lines[0].endswith("not ready")


def test_sign_and_amend_plainly(tmp_path: Path) -> None:
    """A whole sign-off and an amendment with neither colours nor anything but ASCII: every word of it reads."""
    with console(tmp_path, "--ascii", "--by-hand", "--run", "by-hand", env={"NO_COLOR": "1"}) as pty:
        pty.wait_for("> [ ] PENDING Look at 00")
        pty.send(" j" * 15)
        pty.wait_for("15 pass")
        for keys, seen in (
            ("g", "ready: S signs"),
            ("d", "The statement, its last line"),
            ("\x1b", "ready: S signs"),
            ("S", "Signed. x"),
            ("\x1b", "signed PASS"),
            ("a", "Amend the signed run"),
            ("\r", "Found failed after all"),
            ("the lamp was red\r", "becomes    FAIL"),
            ("S", "Signed as amended."),
            ("\x1b", "signed PASS, amended to FAIL"),
        ):
            pty.send(keys)
            pty.wait_for(seen)
        pty.wait_for("the lamp was red")
        pty.settle()
        assert pty.output.isascii()
        codes = {int(code or 0) for match in _SGR.finditer(pty.output) for code in match[1].split(b";")}
        assert codes <= set(range(10)) | set(range(20, 30)), codes


def test_note_is_written_in_the_editor(tmp_path: Path) -> None:
    """Ctrl+O goes on in $EDITOR with what was typed; what it saved is in the form, and is kept with Enter."""
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\ncp "$1" "$1.seen"\nprintf "%s\\nfrom the editor" "$(cat "$1.seen")" > "$1"\n')
    editor.chmod(0o755)
    with console(tmp_path / "state", "--by-hand", "--run", "by-hand", env={"EDITOR": str(editor)}) as pty:
        pty.wait_for("> [ ] PENDING Look at 00")
        pty.send("ntyped\x0f")
        pty.wait_for("from the editor")
        pty.send("\r")
        pty.wait_for("noted")
    store = SqliteStore(tmp_path / "state" / "records.db")
    body = store.events("by-hand@2026-11-21")[-1].event.body
    assert isinstance(body, Noted)
    assert body.text == "typed\nfrom the editor"
    store.close()


def test_leaving_ends_what_probes_started(tmp_path: Path) -> None:
    """q while a check still runs ends the check's processes and the console; the run goes on the next time."""
    marker = f"{random.randrange(10**8)}.5"
    place = installed(tmp_path, slow=_SLOW.replace("SECONDS", marker))
    with Pty(place.arguments("run", "slow"), env=place.environment()) as pty:
        pty.wait_for("[.] READING")
        pty.wait_until(lambda: _running(marker), what="the check to start")
        pty.send("q")
        assert pty.wait_exit() == 0
        assert not _running(marker)


_SLOW = """
title = "Slow"
due = { timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "slow"
title = "Slow"
probe = "command"
argv = ["sleep", "SECONDS"]
timeout = "9 min"
require = ["exit_code == 0"]
"""


def _running(argument: str) -> bool:
    """Return whether a process has this argument."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if argument.encode() in path.read_bytes().split(b"\0"):
                return True
    return False


@pytest.mark.parametrize(("cols", "rows"), [(20, 5), (40, 10), (300, 100)])
def test_any_size_of_terminal(tmp_path: Path, cols: int, rows: int) -> None:
    """A terminal that is far too small or very large ends nothing, and can be resized."""
    with console(tmp_path) as pty:
        pty.wait_for("DUE")
        pty.resize(cols, rows)
        pty.send("\r")
        pty.settle()
        pty.send("ng\r\x1bg\x1b?\x1b")
        pty.settle()
        pty.resize(80, 24)
        pty.wait_for("QBR daily monitoring")
        pty.wait_for("2 pending")
        assert pty.is_running


def test_leaves_cleanly(tmp_path: Path) -> None:
    """q ends the console with 0 and gives the terminal back as it was."""
    with console(tmp_path) as pty:
        opened(pty)
        pty.send("q")
        assert pty.wait_exit() == 0
        assert not pty.screen.is_alternate


@pytest.mark.parametrize("cause", [signal.SIGHUP, signal.SIGTERM])
def test_signal_leaves_a_run_that_can_be_resumed(tmp_path: Path, cause: signal.Signals) -> None:
    """A dropped line or a shutdown loses nothing: the next console is where this one was."""
    with console(tmp_path, "--by-hand") as pty:
        pty.wait_for("By hand")
        pty.send("\r")
        pty.wait_for("Look at 00")
        pty.send(" ")
        pty.wait_for("[x] PASS    Look at 00")
        pty.send_signal(cause)
        assert pty.wait_exit() == 128 + cause
    with console(tmp_path, "--by-hand", "--run", "by-hand") as pty:
        pty.wait_for("[x] PASS    Look at 00")


def test_hung_up_line_is_left(tmp_path: Path) -> None:
    """When the terminal goes away the console ends, and what was ticked is on disk."""
    pty = console(tmp_path, "--by-hand", "--run", "by-hand")
    with pty:
        pty.wait_for("Look at 00")
        pty.send(" ")
        pty.wait_for("[x] PASS    Look at 00")
        pty.hang_up()
        pty.wait_unread(lambda: not pty.is_running, what="the console to end")
    store = SqliteStore(tmp_path / "records.db")
    (run,) = store.runs("by-hand")
    body = store.events(run.id)[-1].event.body
    assert isinstance(body, Ticked)
    assert body.item == "look-0"
    store.close()


def test_terminal_keeps_what_is_drawn_for_another_size() -> None:
    """Of the tests' own terminal: bytes for the size before a resize land within it, as in every real one."""
    screen = Screen(300, 100)
    screen.feed("\x1b[?1049h\x1b[99;290Hcaf\u00e9".encode()[:-1])
    screen.resize(80, 24)
    screen.feed("\u00e9".encode()[-1:] + b"\x1b[99;290Hlast\x1b[1;1Hfirst")
    assert screen.is_alternate
    assert screen.lines[0].startswith("first")
