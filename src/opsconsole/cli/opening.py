"""Opens the console. Next to nothing is imported before the terminal says so, for the operator waits."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from opsconsole.cli.common import Options, UsageError
from opsconsole.model.errors import OpsconsoleError
from opsconsole.widgets.environment import Terminal, clear_splash, prepare, refusal, show_splash

if TYPE_CHECKING:
    from opsconsole.wiring.services import Services

_VALUED = ("--config", "--state")


def asks_for_today(arguments: Sequence[str]) -> bool:
    """Tell whether these arguments surely open the console on Today, so that no other command need be loaded.

    That is `opsconsole` with any of `--config FILE`, `--state DIR` and `--ascii`, written out; for everything else,
    help and mistakes too, the whole command line is asked.
    """
    rest = iter(arguments)
    return all(each == "--ascii" or (each in _VALUED and not next(rest, "-").startswith("-")) for each in rest)


def open_today(arguments: Sequence[str]) -> int:
    """Open the console on Today; return the exit code."""
    values = {name: Path(value) for name, value in pairwise(arguments) if name in _VALUED}
    return console(Options(values.get("--config"), values.get("--state"), "--ascii" in arguments))


def console(options: Options, name: str = "", date: str = "") -> int:
    """Open the console, on a run where one is named."""
    with opened_terminal(options) as terminal:
        from opsconsole.model.events import Via
        from opsconsole.wiring.services import services

        with services(options.config, options.state, Via.CONSOLE) as parts:
            run_id = ""
            if name:
                from opsconsole.cli.running import named

                checklist, period = named(parts, name, date)
                run_id = parts.engine.key_of(checklist, period).id
            return shown(parts, terminal, run_id)


def shown(parts: "Services", terminal: Terminal, run_id: str = "") -> int:
    """Show the console until the operator leaves it; return the exit code."""
    if not parts.console.color:
        os.environ["NO_COLOR"] = "1"  # Textual and everything it starts ask the environment
        prepare(os.environ)
    terminal = Terminal(
        ascii=terminal.ascii or parts.console.ascii,
        no_color=terminal.no_color or not parts.console.color,
    )
    from opsconsole.app import run_console

    return run_console(parts, terminal=terminal, run=run_id)


@contextmanager
def opened_terminal(options: Options) -> Iterator[Terminal]:
    """Make the terminal ready for the console and say that it is starting; raises UsageError where it cannot be."""
    refused = refusal(os.environ)
    if refused is not None:
        raise UsageError(refused)
    prepare(os.environ)
    show_splash("opsconsole ...", sys.stderr)
    try:
        yield Terminal.detect(os.environ, ascii_asked=options.ascii_only)
    except OpsconsoleError:
        clear_splash(sys.stderr)
        raise
