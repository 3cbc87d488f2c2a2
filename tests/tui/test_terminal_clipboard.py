"""Copying on a real terminal and in a real tmux: what arrives is the command, exactly, or the operator is told."""

import asyncio
import base64
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsconsole.widgets.clipboard import LIMIT, Route, clipboard_codes, give_to_tmux, refusal, route
from support.console import LONG_COMMAND
from support.ptys import Pty
from support.tmux import Tmux, tmux_server

_TESTS = str(Path(__file__).parents[1])
TAB_BUDGET = 700
"""Bytes of going to the next command, at 80x24: two lines, and the one on top."""
_OSC_52 = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color"}, Route.TERMINAL),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/t,1,0"}, Route.TMUX),
        ({"TERM": "screen", "TMUX": "/tmp/t,1,0"}, Route.TMUX),
        ({"TERM": "screen.xterm", "STY": "1.tty"}, Route.SCREEN),
        ({"TERM": "tmux-256color"}, Route.TMUX_BEYOND),
        ({"TERM": "screen", "TMUX": "/tmp/t,1,0", "STY": "1.tty"}, Route.TERMINAL),
        ({"TERM": "screen"}, Route.TERMINAL),
        ({"TERM": "linux"}, Route.NONE),
        ({}, Route.TERMINAL),
    ],
)
def test_the_way_to_the_clipboard(environ: dict[str, str], expected: Route) -> None:
    """What is around the console decides; where two are, neither is guessed to be the inner one."""
    assert route(environ) is expected


@given(st.text(max_size=500), st.sampled_from([Route.TERMINAL, Route.TMUX_BEYOND, Route.SCREEN]))
def test_codes_carry_the_text_and_nothing_that_is_obeyed(text: str, by: Route) -> None:
    """Whatever is wrapped around it, unwrapped it is one OSC 52 with the text; no part of the text is sent bare."""
    codes = clipboard_codes(text, by)
    inner = codes
    if by is Route.SCREEN:
        parts = codes.removesuffix("\x1b\\").split("\x1b\\")
        assert all(each.startswith("\x1bP") and len(each) <= 256 for each in parts)
        inner = "".join(each.removeprefix("\x1bP") for each in parts)
    if by is Route.TMUX_BEYOND:
        inner, wrapped = codes.split("\x1bPtmux;")
        assert wrapped.removesuffix("\x1b\\").replace("\x1b\x1b", "\x1b") == inner
    found = _OSC_52.fullmatch(inner.encode())
    assert found is not None
    assert base64.b64decode(found[1]).decode() == text


@given(st.text())
def test_only_lines_of_plain_text_may_be_pasted(text: str) -> None:
    """A control, format or private character refuses the whole text; a line end within it is part of a command."""
    if refusal(text) == "":
        assert all(each == "\n" or each.isprintable() or each.isspace() for each in text)
        assert "\x1b" not in text
    assert refusal("echo 1 \\\n  2") == ""
    assert refusal("x" * (LIMIT + 1)) != ""
    assert refusal(" \n") != ""


def test_a_terminal_gets_the_command(tmp_path: Path) -> None:
    """Over SSH without a multiplexer the terminal is sent OSC 52, once, between two frames."""
    with _console(tmp_path) as pty:
        pty.screen.copied = []
        _open_runbook(pty)
        pty.settle()
        before = len(pty.output)
        pty.send("\t")
        pty.settle()
        assert 0 < len(pty.output) - before <= TAB_BUDGET
        pty.send("y")
        pty.wait_for("sent to the terminal's clipboard")
        assert pty.screen.copied == [LONG_COMMAND]


def test_a_screen_without_a_clipboard_is_not_written_to(tmp_path: Path) -> None:
    """The Linux console shows what it does not know: it gets nothing, and the operator another way."""
    with _console(tmp_path, TERM="linux") as pty:
        _open_runbook(pty)
        pty.send("y")
        pty.wait_for("this terminal has no clipboard")
        assert b"]52;" not in pty.output


def test_alone_is_one_line_of_the_terminal(tmp_path: Path) -> None:
    """Alone, a long command is wrapped by the terminal itself, off the console's own screen; Enter comes back.

    What is typed or pasted meanwhile does nothing.
    """
    with _console(tmp_path) as pty:
        _open_runbook(pty)
        pty.send("\t")
        pty.wait_for("command 2 of 3")
        pty.send("\r")
        pty.wait_for("Enter goes back to the console.")
        assert not pty.screen.is_alternate
        assert pty.attributes == pty.initial_attributes
        assert LONG_COMMAND.encode() in pty.output, "no line end and no control code is in it"
        pty.send("q!rm\n")
        pty.wait_until(lambda: pty.screen.is_alternate, what="the console")
        pty.wait_for("command 2 of 3")
        pty.send("\x1b")
        pty.wait_for("Collection")
        pty.send("q")
        assert pty.wait_exit() == 0


def test_alone_ends_with_the_line(tmp_path: Path) -> None:
    """A hang-up while a command is shown alone ends the console as cleanly as anywhere."""
    with _console(tmp_path) as pty:
        _open_runbook(pty)
        pty.send("\r")
        pty.wait_for("Enter goes back to the console.")
        pty.send_signal(signal.SIGHUP)
        assert pty.wait_exit() == 128 + signal.SIGHUP


def _argv(directory: Path) -> list[str]:
    return [sys.executable, "-m", "support.console_main", str(directory), "--bad"]


def _console(directory: Path, **env: str | None) -> Pty:
    return Pty(_argv(directory), env={"PYTHONPATH": _TESTS, **env})


def _open_runbook(pty: Pty) -> None:
    pty.wait_for("QBR daily monitoring")
    pty.send("\r")
    pty.wait_for("b runbook")
    pty.send("b")
    pty.wait_for("command 1 of 3")


def _in_tmux(tmux: Tmux, directory: Path) -> None:
    tmux.start(_argv(directory), {**os.environ, "PYTHONPATH": _TESTS, "LC_ALL": "C.UTF-8"})
    tmux.sees("QBR daily monitoring")
    tmux.press("Enter")
    tmux.sees("b runbook")
    tmux.press("b")
    tmux.sees("command 1 of 3")
    tmux.press("Tab")
    tmux.sees("command 2 of 3")


def test_tmux_gets_the_command_as_it_is_set_up_by_default(tmp_path: Path) -> None:
    """Without any setting of tmux the command is in its buffer, to the character, ready to be pasted.

    Alone it is one line for tmux too, however narrow the pane; nothing runs.
    """
    with tmux_server() as tmux:
        _in_tmux(tmux, tmp_path)
        tmux.press("y")
        tmux.sees("in tmux's buffer (prefix ] pastes it)")
        assert tmux.command("show-buffer") == LONG_COMMAND
        tmux.press("Enter")
        tmux.sees("Enter goes back to the console.")
        assert LONG_COMMAND in tmux.command("capture-pane", "-p", "-J").splitlines()
        assert LONG_COMMAND not in tmux.screen.splitlines(), "it is longer than the pane is wide"
        tmux.press("Enter")
        tmux.sees("command 2 of 3")


def test_a_tmux_that_does_not_answer_is_no_tmux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tmux that is gone, hangs or is not installed takes nothing, in bounded time."""
    monkeypatch.setenv("TMUX", f"{tmp_path}/gone,1,0")
    assert not asyncio.run(give_to_tmux("ls"))
    hanging = tmp_path / "tmux"
    hanging.write_text("#!/bin/sh\nexec sleep 600\n")
    hanging.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("opsconsole.widgets.clipboard._TMUX_WITHIN", 0.1)
    assert not asyncio.run(give_to_tmux("ls"))
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert not asyncio.run(give_to_tmux("ls"))
