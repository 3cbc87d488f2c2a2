"""`lint`, `doctor` and `config`: what is wrong, before a morning depends on it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from opsconsole.cli.common import narrate, options_of
from opsconsole.cli.exits import Exit
from opsconsole.model.outcomes import Outcome
from opsconsole.model.text import counted, visible

config_commands = typer.Typer(help="The configuration and where it comes from.", no_args_is_help=True)


def lint(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATH]...", help="Files or directories; the configured ones without.", show_default=False
        ),
    ] = None,
) -> None:
    """Report every problem of checklists, runbooks and configuration, with file, line and key."""
    options = options_of(context)
    from opsconsole.config.diagnostics import Severity
    from opsconsole.wiring.linting import linted

    found = linted(paths or [], options.config, options.state)
    for each in found:
        sys.stdout.write(visible(str(each)) + "\n")
    errors = sum(each.severity is Severity.ERROR for each in found)
    told = f"{counted(errors, 'error')}, {counted(len(found) - errors, 'warning')}"
    narrate(told if found else "no problems found")
    if errors:
        raise typer.Exit(Exit.USAGE)


def doctor(context: typer.Context) -> None:
    """Look whether each source can be reached and with which rights, and whether the record is fit for tomorrow."""
    options = options_of(context)
    from opsconsole.wiring.configuration import configured
    from opsconsole.wiring.definitions import definitions_of
    from opsconsole.wiring.doctor import looked_over

    config, warnings = configured(options.config, options.state)
    for each in warnings:
        narrate(each)
    checked = looked_over(config, definitions_of(config))
    for finding in checked:
        sys.stdout.write(visible(f"{finding.outcome:<5} {finding.subject}: {finding.text}") + "\n")
        if finding.hint and finding.outcome is not Outcome.PASS:
            sys.stdout.write(visible(f"      {finding.hint}") + "\n")
    if any(finding.outcome is Outcome.FAIL for finding in checked):
        raise typer.Exit(Exit.FAILED)


@config_commands.command("show")
def show(context: typer.Context) -> None:
    """Show every setting, its value, and where that comes from."""
    options = options_of(context)
    from opsconsole.wiring.configuration import loaded_config

    loaded = loaded_config(options.config, options.state)
    width = max(len(each.key) for each in loaded.settings)
    for each in loaded.settings:
        sys.stdout.write(visible(f"{each.key:<{width}} = {each.value}  ({each.origin})") + "\n")
    for problem in (*loaded.problems, *loaded.warnings):
        narrate(str(problem))
    if loaded.problems:
        raise typer.Exit(Exit.USAGE)


@config_commands.command("path")
def path(context: typer.Context) -> None:
    """Print which configuration file is used."""
    options = options_of(context)
    from opsconsole.wiring.configuration import loaded_config

    loaded = loaded_config(options.config, options.state)
    if loaded.path is None:
        narrate("no configuration file; the defaults are used")
        raise typer.Exit(Exit.OK)
    sys.stdout.write(f"{loaded.path}\n")
