"""Runs the console over told probes on the terminal it is started on: `python -m support.console_main DIRECTORY …`.

`--bad` gives a bad morning, `--hasty` makes every timer of the console run many times a second, `--by-hand` leaves
only items that a person ticks, `--jane` makes the operator another person, `--ascii` and `--run NAME` are those of
the command line.
"""

import argparse
import os
import sys
from pathlib import Path

from opsconsole.widgets.environment import Terminal, prepare, show_splash


def main() -> None:
    """Prepare the terminal as the command line does, and show the console."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    for option in ("--ascii", "--bad", "--hasty", "--by-hand", "--jane"):
        parser.add_argument(option, action="store_true")
    parser.add_argument("--run", default="")
    options = parser.parse_args()
    prepare(os.environ)
    show_splash("opsconsole ...", sys.stderr)

    import opsconsole.app
    from opsconsole.screens import keeping_up, run_shared, today
    from support.console import BY_HAND, HOST, JANES, OPERATOR, QBR, Morning, bad, good

    if options.hasty:
        keeping_up.REFRESH_EVERY = today.RELOAD_EVERY = run_shared.COMPANY_EVERY = 0.1
    checklists = (BY_HAND,) if options.by_hand else (QBR, HOST)
    actor = JANES if options.jane else OPERATOR
    morning = Morning(options.directory, bad() if options.bad else good(), checklists, actor=actor)
    terminal = Terminal.detect(os.environ, ascii_asked=options.ascii)
    raise SystemExit(opsconsole.app.run_console(morning.services(), terminal=terminal, run=options.run))


if __name__ == "__main__":
    main()
