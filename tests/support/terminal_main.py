"""Runs the application of the pty tests as the console is run: `python -m support.terminal_main DIRECTORY`.

Exits with 2, saying why, where the console refuses the terminal.
"""

import os
import signal
import sys
from pathlib import Path

from opsconsole.widgets.environment import Terminal, prepare, refusal, show_splash


def main() -> None:
    """Refuse or prepare the terminal, and only then import what draws on it."""
    refused = refusal(os.environ)
    if refused is not None:
        sys.stderr.write(f"{refused}\n")
        raise SystemExit(2)
    prepare(os.environ)
    show_splash("starting", sys.stderr)
    from support.terminal_app import Application

    terminal = Terminal.detect(os.environ, ascii_asked="--ascii" in sys.argv)
    application = Application(Path(sys.argv[1]), terminal)
    application.run_on_terminal()
    if application.left_by == signal.SIGHUP:
        sys.stdout.write("ended\n")  # must do no harm where the terminal is gone
    raise SystemExit(application.return_code or 0)


if __name__ == "__main__":
    main()
