"""The command line: its commands, what they have in common, and how each ends."""

import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from opsconsole.cli.common import Options, narrate
from opsconsole.cli.ending import exit_code_of
from opsconsole.cli.exits import Exit
from opsconsole.cli.lazily import group_of
from opsconsole.model.version import VERSION

COMMANDS = {
    "run": "opsconsole.cli.running:run",
    "demo": "opsconsole.cli.demonstrating:demo",
    "init": "opsconsole.cli.initialising:init",
    "lint": "opsconsole.cli.checking:lint",
    "probe": "opsconsole.cli.probing:probe",
    "prove": "opsconsole.cli.proving:prove",
    "doctor": "opsconsole.cli.checking:doctor",
    "list": "opsconsole.cli.listing:list_checklists",
    "show": "opsconsole.cli.reading:show",
    "history": "opsconsole.cli.reading:history",
    "sign": "opsconsole.cli.signing:sign",
    "amend": "opsconsole.cli.signing:amend",
    "explain": "opsconsole.cli.explaining:explain",
    "actions": "opsconsole.cli.actions:action_commands",
    "qualification": "opsconsole.cli.qualifying:qualification_commands",
    "report": "opsconsole.cli.reporting:report",
    "export": "opsconsole.cli.reading:export",
    "verify": "opsconsole.cli.verifying:verify",
    "people": "opsconsole.cli.people:people_commands",
    "prune": "opsconsole.cli.pruning:prune",
    "store": "opsconsole.cli.store:store_commands",
    "config": "opsconsole.cli.checking:config_commands",
}
"""Every command, in the order of the help, and where it is."""

cli = typer.Typer(
    cls=group_of(COMMANDS),
    name="opsconsole",
    help="The morning checklist that measures itself, and whose record can be trusted.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"opsconsole {VERSION}")
        raise typer.Exit


@cli.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="The configuration to use.", show_default=False)
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="DIR", help="Where records are kept.", show_default=False),
    ] = None,
    ascii_only: Annotated[
        bool, typer.Option("--ascii", help="Draw the console with ASCII characters only.")
    ] = False,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Open the console on Today, or run one of the commands."""
    context.obj = Options(config, state, ascii_only)
    if context.invoked_subcommand is None:
        from opsconsole.cli.opening import console

        raise typer.Exit(console(context.obj))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code. No error that a person can cause shows a traceback."""
    return exit_code_of(lambda: _called(list(sys.argv[1:] if arguments is None else arguments)))


def _called(arguments: list[str]) -> int:
    try:
        return int(cli(arguments, standalone_mode=False) or 0)
    except typer.Exit as ending:
        return int(ending.exit_code)
    except typer.Abort:
        return 128 + signal.SIGINT
    except SystemExit as ending:  # click ends so, with 1, where nobody reads the output any more
        raise BrokenPipeError from ending
    except Exception as error:  # typer keeps its usage errors private: what can explain itself is one
        usage = getattr(error, "format_message", None)
        if usage is None:
            raise
        narrate(_plainly(usage()))
        return Exit.USAGE


def _plainly(usage: str) -> str:
    """Return what click says of wrong usage in one line, without the choices in the name of an argument."""
    return " ".join(re.sub(r":\{[^{}]*\}(?=')", "", usage).split())
