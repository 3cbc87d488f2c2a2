"""The command line: its commands, what they have in common, and how each ends."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from opsconsole.cli import (
    checking,
    demonstrating,
    explaining,
    listing,
    people,
    pruning,
    reading,
    reporting,
    running,
    signing,
    verifying,
)
from opsconsole.cli.actions import action_commands
from opsconsole.cli.common import Options, narrate
from opsconsole.cli.ending import exit_code_of
from opsconsole.cli.exits import Exit
from opsconsole.cli.opening import console
from opsconsole.cli.qualifying import qualification_commands
from opsconsole.cli.store import store_commands
from opsconsole.model.version import VERSION

cli = typer.Typer(
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
        raise typer.Exit(console(context.obj))


cli.command("run")(running.run)
cli.command("demo")(demonstrating.demo)
cli.command("lint")(checking.lint)
cli.command("doctor")(checking.doctor)
cli.add_typer(checking.config_commands, name="config")
cli.add_typer(people.people_commands, name="people")
cli.command("list")(listing.list_checklists)
cli.command("show")(reading.show)
cli.command("history")(reading.history)
cli.command("export")(reading.export)
cli.command("report")(reporting.report)
cli.add_typer(action_commands, name="actions")
cli.command("verify")(verifying.verify)
cli.command("sign")(signing.sign)
cli.command("amend")(signing.amend)
cli.command("explain")(explaining.explain)
cli.command("prune")(pruning.prune)
qualification_commands.command("report")(reporting.qualification_report)
cli.add_typer(qualification_commands, name="qualification")
cli.add_typer(store_commands, name="store")


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
        narrate(usage())
        return Exit.USAGE
