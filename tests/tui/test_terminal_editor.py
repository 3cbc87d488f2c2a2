"""Writing in the operator's own editor while the checks go on."""

import os
import signal
import stat
import sys
import termios
from pathlib import Path

import pytest

from opsconsole.widgets.editor import editor_command
from support.ptys import Pty
from support.terminal_run import beats, events, started

_EDITOR = """\
import os, pathlib, signal, sys, termios, time
directory, path = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[-1])
print("EDITING", path.read_text().replace("\\n", "|"), flush=True)
(directory / "editing").write_text(f"{os.getpid()} {path}")
while not (directory / "go").exists():
    time.sleep(0.02)
script = (directory / "go").read_text()
exec(script)
"""


def _with_editor(tmp_path: Path, **more: str) -> Pty:
    """Start the application with an editor that waits for instructions."""
    script = tmp_path / "editor.py"
    script.write_text(_EDITOR)
    (tmp_path / "tmp").mkdir()
    # A shell keyword in the way would show: the words are the editor's, no shell reads them.
    environ = {"EDITOR": f"'{sys.executable}' '{script}' '{tmp_path}' '$HOME;'", "TMPDIR": str(tmp_path / "tmp")}
    return started(tmp_path, env={**environ, **more})


def _editing(pty: Pty, tmp_path: Path) -> tuple[int, Path]:
    """Open the editor; return its process id and the file it has."""
    pty.send("e")
    pty.wait_until(lambda: (tmp_path / "editing").exists() and (tmp_path / "editing").read_text() != "")
    pty.wait_for("EDITING first line|second|")
    process, path = (tmp_path / "editing").read_text().split()
    return int(process), Path(path)


def _edit(tmp_path: Path, script: str) -> None:
    """Make the editor run `script`."""
    (tmp_path / "go.new").write_text(script)
    (tmp_path / "go.new").rename(tmp_path / "go")


def _edited(tmp_path: Path) -> list[str]:
    return [event for event in events(tmp_path) if event.startswith(("edited", "error"))]


def test_heart_beats_while_the_editor_is_open(tmp_path: Path) -> None:
    """Nothing waits for the editor but the note; its terminal is as a shell's, its file nobody else's."""
    with _with_editor(tmp_path) as pty:
        _, path = _editing(pty, tmp_path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert pty.attributes == pty.initial_attributes
        assert not pty.screen.is_alternate
        count = len(beats(tmp_path))
        pty.wait_until(lambda: len(beats(tmp_path)) >= count + 10, what="heartbeats meanwhile")
        _edit(tmp_path, "path.write_text('naïve first\\nsecond\\n\\n')")
        pty.wait_until(lambda: bool(_edited(tmp_path)), what="the text")
        assert _edited(tmp_path) == ["edited 'naïve first\\nsecond'"]
        assert list((tmp_path / "tmp").iterdir()) == []
        pty.settle()
        assert pty.screen.is_alternate
        assert pty.screen.lines[0].startswith("> [x] row 0")
        assert pty.screen.lines[22].startswith("  [x] row 22")
        pty.send("u")
        pty.wait_for("value 1 PASS")


def test_editor_that_fails_loses_nothing(tmp_path: Path) -> None:
    """Whatever the editor's end, what was saved in it is still there."""
    with _with_editor(tmp_path) as pty:
        _editing(pty, tmp_path)
        _edit(tmp_path, "path.write_text('typed'); sys.exit(3)")
        pty.wait_until(lambda: bool(_edited(tmp_path)), what="the error")
        (error,) = _edited(tmp_path)
        assert error.endswith("ended with status 3 | 'typed'")
        assert list((tmp_path / "tmp").iterdir()) == []


def test_killed_editor_leaves_no_raw_terminal(tmp_path: Path) -> None:
    """An editor killed in the middle leaves its modes on the terminal; the shell must not inherit them."""
    with _with_editor(tmp_path) as pty:
        process, _ = _editing(pty, tmp_path)
        attributes = termios.tcgetattr(pty.master)
        attributes[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(pty.master, termios.TCSANOW, attributes)
        os.kill(process, signal.SIGKILL)
        pty.wait_until(lambda: bool(_edited(tmp_path)), what="the error")
        assert _edited(tmp_path)[0].endswith("ended with signal 9 | 'first line\\nsecond'")
        pty.settle()
        pty.send("q")
        assert pty.wait_exit() == 0
        assert pty.attributes == pty.initial_attributes


def test_missing_editor_says_so(tmp_path: Path) -> None:
    """An EDITOR that is not there is named, and the text comes back."""
    with started(tmp_path, env={"EDITOR": "no-such-editor -x"}) as pty:
        pty.send("e")
        pty.wait_until(lambda: bool(_edited(tmp_path)), what="the error")
        (error,) = _edited(tmp_path)
        assert error.startswith("error no-such-editor cannot be run: ")
        assert error.endswith("| 'first line\\nsecond'")
        pty.settle()
        assert pty.screen.lines[0].startswith("> [x] row 0")


def test_interrupt_key_is_the_editors(tmp_path: Path) -> None:
    """Ctrl-C in the editor does not end the console behind it."""
    with _with_editor(tmp_path) as pty:
        _editing(pty, tmp_path)
        # The key's signal goes to the whole foreground group: the editor dies of it, the console does not.
        pty.send("\x03")
        pty.wait_until(lambda: bool(_edited(tmp_path)), what="the editor's end")
        pty.settle()
        pty.send("u")
        pty.wait_for("value 1 PASS")


@pytest.mark.parametrize("cause", [signal.SIGTERM, signal.SIGHUP], ids=lambda cause: cause.name)
def test_leaving_while_the_editor_is_open(tmp_path: Path, cause: signal.Signals) -> None:
    """A console that must end meanwhile ends the editor too, and says where the text was kept."""
    with _with_editor(tmp_path) as pty:
        process, path = _editing(pty, tmp_path)
        path.write_text("typed so far")
        pty.send_signal(cause)
        assert pty.wait_exit() == 128 + cause
        assert path.read_text() == "typed so far"
        assert str(path) in pty.screen.text.replace("\n", "")
        assert not Path(f"/proc/{process}").exists()
        assert "unmounted" in events(tmp_path)
        assert pty.attributes == pty.initial_attributes


def test_connection_drops_while_the_editor_is_open(tmp_path: Path) -> None:
    """The editor's text survives a dropped connection as well."""
    with _with_editor(tmp_path) as pty:
        _, path = _editing(pty, tmp_path)
        path.write_text("typed so far")
        pty.hang_up()
        assert pty.wait_exit() == 128 + signal.SIGHUP
        assert path.read_text() == "typed so far"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"VISUAL": "vim -n", "EDITOR": "ed"}, ["vim", "-n"]),
        ({"VISUAL": " ", "EDITOR": "'my editor' --wait"}, ["my editor", "--wait"]),
        ({"EDITOR": "nano"}, ["nano"]),
    ],
)
def test_editor_is_the_operators_choice(environ: dict[str, str], words: list[str]) -> None:
    """VISUAL goes before EDITOR, and either may hold options and quotes."""
    assert editor_command(environ) == words


def test_unreadable_editor_command_is_explained() -> None:
    """A quote left open in EDITOR is named as the problem."""
    with pytest.raises(ValueError, match="EDITOR cannot be read as a command: No closing quotation"):
        editor_command({"EDITOR": "'vim"})
