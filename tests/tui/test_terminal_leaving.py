"""How the console ends: when asked to, when the line drops, when something in it fails."""

import os
import signal
import stat
from pathlib import Path

import pytest

from support.ptys import Pty
from support.terminal_app import SECRET
from support.terminal_run import beats, events, process_state, start, started, thread_count


def _left_cleanly(pty: Pty, directory: Path, cause: signal.Signals) -> None:
    """Check that the application ended because of `cause`, and that everything in it was told."""
    assert pty.wait_exit() == 128 + cause
    seen = events(directory)
    assert sum(event.startswith(f"leaving {cause.name}") for event in seen) == 1
    assert seen.index("worker cancelled") < seen.index("unmounted")


def _terminal_is_back(pty: Pty) -> None:
    """Check that the terminal is as it was before the application."""
    assert not pty.screen.is_alternate
    assert pty.screen.modes == {"7", "25"}
    assert pty.attributes == pty.initial_attributes


@pytest.mark.parametrize(
    "cause", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT], ids=lambda cause: cause.name
)
def test_signal_that_asks_to_leave(tmp_path: Path, cause: signal.Signals) -> None:
    """`kill` ends the console as its own key does: work is finished, and the shell gets its terminal back."""
    with started(tmp_path) as pty:
        pty.send_signal(cause)
        _left_cleanly(pty, tmp_path, cause)
        _terminal_is_back(pty)


def test_signal_during_start(tmp_path: Path) -> None:
    """A console that is asked to leave before it has drawn anything leaves too."""
    with start(tmp_path) as pty:
        pty.wait_until(lambda: pty.screen.is_alternate, what="the driver to start")
        pty.send_signal(signal.SIGTERM)
        assert pty.wait_exit() == 128 + signal.SIGTERM
        _terminal_is_back(pty)


def test_dropped_connection(tmp_path: Path) -> None:
    """When the SSH connection drops, the console finishes its work and ends: no process is left behind."""
    with started(tmp_path) as pty:
        pty.hang_up()
        _left_cleanly(pty, tmp_path, signal.SIGHUP)


def test_line_that_closes_without_a_signal(tmp_path: Path) -> None:
    """Where the kernel tells nobody, the end of the line itself does: nothing spins on a dead terminal."""
    with started(tmp_path, is_controlling=False) as pty:
        pty.hang_up()
        _left_cleanly(pty, tmp_path, signal.SIGHUP)


def test_dropped_connection_while_stalled(tmp_path: Path) -> None:
    """A connection that first stalls and then drops is the usual way; the console ends all the same."""
    with started(tmp_path) as pty:
        pty.send("f")
        pty.wait_unread(lambda: beats(tmp_path)[-1].endswith("stalled"), what="the line to fill up")
        pty.hang_up()
        _left_cleanly(pty, tmp_path, signal.SIGHUP)


def test_termination_while_stalled(tmp_path: Path) -> None:
    """A shutdown of the host is not held up by a terminal nobody reads."""
    with started(tmp_path) as pty:
        pty.send("f")
        pty.wait_unread(lambda: beats(tmp_path)[-1].endswith("stalled"), what="the line to fill up")
        pty.send_signal(signal.SIGTERM)
        pty.wait_unread(lambda: not pty.is_running, seconds=10, what="the end of the program")
        _left_cleanly(pty, tmp_path, signal.SIGTERM)
        assert pty.attributes == pty.initial_attributes


def test_second_hang_up_changes_nothing(tmp_path: Path) -> None:
    """Two hang-ups, with the SIGCONT the kernel adds, lead to one orderly end and to no second set of threads."""
    with started(tmp_path) as pty:
        before = thread_count(pty)
        os.kill(pty.pid, signal.SIGHUP)
        os.kill(pty.pid, signal.SIGCONT)
        os.kill(pty.pid, signal.SIGHUP)
        _left_cleanly(pty, tmp_path, signal.SIGHUP)
        (leaving,) = (event for event in events(tmp_path) if event.startswith("leaving"))
        # One more than before: the one that ends the process by force if need be.
        assert int(leaving.split()[2]) <= before + 1


def test_continue_signal_starts_no_second_set_of_threads(tmp_path: Path) -> None:
    """A SIGCONT out of nowhere leaves one thread that reads keys: no key is lost or doubled."""
    with started(tmp_path) as pty:
        before = thread_count(pty)
        for _ in range(3):
            pty.send_signal(signal.SIGCONT)
            pty.settle()
        assert thread_count(pty) == before
        pty.send("uuu")
        pty.wait_for("value 3 PASS")


@pytest.mark.parametrize("stop", [signal.SIGTSTP, signal.SIGSTOP], ids=lambda stop: stop.name)
def test_stopped_and_continued(tmp_path: Path, stop: signal.Signals) -> None:
    """Job control: a console that was stopped comes back with all of its screen."""
    with started(tmp_path) as pty:
        pty.send_signal(stop)
        pty.wait_until(lambda: process_state(pty) == "T", what="the program to stop")
        if stop == signal.SIGTSTP:  # of a SIGSTOP nobody is told
            pty.settle()
            _terminal_is_back(pty)
        drawn = len(pty.output)
        pty.send_signal(signal.SIGCONT)
        pty.wait_until(lambda: b"row 22" in pty.output[drawn:], what="the screen to be drawn anew")
        pty.settle()
        assert pty.screen.is_alternate
        assert pty.screen.lines[0].startswith("> [x] row 0")
        pty.send("u")
        pty.wait_for("value 1 PASS")
        pty.send("q")
        assert pty.wait_exit() == 0
        _terminal_is_back(pty)


def test_handler_that_never_returns(tmp_path: Path) -> None:
    """An application stuck in a handler of its own still leaves in order."""
    with started(tmp_path) as pty:
        pty.send("b")
        pty.wait_until(lambda: "blocked" in events(tmp_path))
        pty.send_signal(signal.SIGTERM)
        _left_cleanly(pty, tmp_path, signal.SIGTERM)
        _terminal_is_back(pty)


def test_end_by_force(tmp_path: Path) -> None:
    """What cannot end in order ends at the deadline, with the terminal given back."""
    with started(tmp_path, env={"LEAVE_WITHIN": "2"}) as pty:
        pty.send("s")
        pty.wait_until(lambda: "blocked" in events(tmp_path))
        pty.send_signal(signal.SIGTERM)
        assert pty.wait_exit(seconds=10) == 128 + signal.SIGTERM
        assert "unmounted" not in events(tmp_path)
        _terminal_is_back(pty)


def test_unexpected_error_shows_no_variables(tmp_path: Path) -> None:
    """A failure inside the console says what happened and where to read on, and shows nobody a password."""
    with started(tmp_path) as pty:
        pty.send("x")
        assert pty.wait_exit() == 1
        (report,) = (tmp_path / "crashes").iterdir()
        assert "KeyError: 'no item 7'" in pty.screen.text
        assert str(report) in pty.screen.text.replace("\n", "")
        assert "action_fail" in report.read_text()
        assert stat.S_IMODE(report.stat().st_mode) == 0o600
        assert stat.S_IMODE(report.parent.stat().st_mode) == 0o700
        for text in (pty.output.decode(), report.read_text()):
            assert SECRET not in text
        assert "unmounted" in events(tmp_path)
        _terminal_is_back(pty)


@pytest.mark.parametrize(
    ("key", "said"), [("w", "worker failed"), ("y", "forgotten task failed")], ids=["worker", "task"]
)
def test_failure_in_the_background_is_shown_and_survived(tmp_path: Path, key: str, said: str) -> None:
    """One failing piece of background work is reported on the screen, and does not end the morning's run."""
    with started(tmp_path) as pty:
        pty.send(key)
        pty.wait_for(said)
        pty.wait_for("Unexpected error")
        (report,) = (tmp_path / "crashes").iterdir()
        assert said in report.read_text()
        assert SECRET not in report.read_text()
        count = len(beats(tmp_path))
        pty.wait_until(lambda: len(beats(tmp_path)) > count + 3, what="the heart to go on")
        pty.send("q")
        assert pty.wait_exit() == 0
        assert SECRET not in pty.output.decode()
