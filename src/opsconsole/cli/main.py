"""The command line: its commands, what they have in common, and how each ends."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from opsconsole.cli import checking, demonstrating, reading, running
from opsconsole.cli.common import Options, narrate, report
from opsconsole.cli.exits import Exit
from opsconsole.cli.streams import abandon_output, make_streams_fit
from opsconsole.model.errors import OpsconsoleError
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
        raise typer.Exit(running.console(context.obj))


cli.command("run")(running.run)
cli.command("demo")(demonstrating.demo)
cli.command("lint")(checking.lint)
cli.command("doctor")(checking.doctor)
cli.add_typer(checking.config_commands, name="config")
cli.command("list")(reading.list_checklists)
cli.command("show")(reading.show)
cli.command("history")(reading.history)
cli.command("export")(reading.export)
cli.command("verify")(reading.verify)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code. No error that a person can cause shows a traceback."""
    make_streams_fit()
    try:
        outcome = _ended(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except (typer.Abort, KeyboardInterrupt):
        return 128 + signal.SIGINT
    except BrokenPipeError:
        abandon_output()
        return 128 + signal.SIGPIPE
    except OpsconsoleError as error:
        report(error)
        return _code_of(error)
    except OSError as error:
        narrate(f"{error.filename or 'the standard output'}: {error.strerror or error}")
        abandon_output()
        return Exit.NOT_SAVED
    except Exception as error:
        usage = getattr(error, "format_message", None)
        if usage is None:
            raise
        narrate(usage())
        return Exit.USAGE
    return outcome


def _ended(arguments: list[str]) -> int:
    try:
        return int(cli(arguments, standalone_mode=False) or 0)
    except typer.Exit as ending:
        return int(ending.exit_code)
    except SystemExit as ending:  # click ends so, with 1, where nobody reads the output any more
        raise BrokenPipeError from ending


def _code_of(error: OpsconsoleError) -> Exit:
    from opsconsole.contracts.store import StoreError
    from opsconsole.engine.recorder import NotSaved
    from opsconsole.export.files import NotWritten

    return Exit.NOT_SAVED if isinstance(error, StoreError | NotSaved | NotWritten) else Exit.USAGE
