"""A tmux server of a test's own, and what an operator does with it: keys, and looking at the screen."""

import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from support.needs import missing

WAIT = 60.0
"""Seconds that anything may take to show; machines that run tests are slow."""
_LOOK_EVERY = 0.05


class Tmux:
    """One pane of 80x24 in which a command runs."""

    def __init__(self, socket: Path) -> None:
        self._base = ("tmux", "-S", str(socket), "-f", "/dev/null")

    def command(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """Run a command of tmux and return what it prints."""
        done = subprocess.run(
            [*self._base, *words], capture_output=True, text=True, timeout=30, check=False, env=env
        )
        assert done.returncode == 0, f"tmux {words}: {done.stderr}"
        return done.stdout

    def start(self, argv: Sequence[str], env: Mapping[str, str], cols: int = 80, rows: int = 24) -> None:
        """Run `argv`; when it ends, the screen says with which status."""
        program = f"{shlex.join(argv)}; echo left with $?; exec sleep 600"
        size = ("-x", str(cols), "-y", str(rows))
        self.command("new-session", "-d", *size, "sh", "-c", program, env={**env, "SHELL": "/bin/sh"})
        self.command("set-option", "-s", "escape-time", "0")

    @property
    def screen(self) -> str:
        """What the pane shows."""
        return self.command("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names: Enter, Escape, End, Space, or a letter."""
        self.command("send-keys", *keys)

    def type(self, text: str) -> None:
        """Type a text as it is."""
        self.command("send-keys", "-l", text)

    def until(self, condition: Callable[[str], bool], what: str) -> str:
        """Wait until the screen fulfils `condition`; return it."""
        deadline = time.monotonic() + WAIT
        while not condition(screen := self.screen):
            assert time.monotonic() < deadline, f"not within {WAIT} s: {what}\n{screen}"
            time.sleep(_LOOK_EVERY)
        return screen

    def sees(self, *texts: str) -> str:
        """Wait until the screen shows all `texts`; return it."""
        return self.until(lambda screen: all(text in screen for text in texts), repr(texts))


@contextmanager
def tmux_server() -> Iterator[Tmux]:
    """Give a server with a socket of its own, and end it and what runs in it."""
    if shutil.which("tmux") is None:
        missing("TMUX IS NOT INSTALLED: the console was not driven in it.")
    directory = Path(tempfile.mkdtemp(prefix="opsconsole-tmux-"))  # a socket's path must be short
    tmux = Tmux(directory / "s")
    try:
        yield tmux
    finally:
        subprocess.run([*tmux._base, "kill-server"], capture_output=True, check=False, timeout=30)
        shutil.rmtree(directory, ignore_errors=True)
