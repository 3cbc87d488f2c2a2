"""`opsconsole demo`: the QBR morning on a PostgreSQL of its own, with nothing to configure."""

from typing import Annotated

import typer

from opsconsole.cli.common import options_of
from opsconsole.cli.opening import opened_terminal, shown
from opsconsole.cli.running import (
    FailOnOption,
    Format,
    FormatOption,
    Headless,
    OnlyOption,
    OutputOption,
    QuietOption,
    run_headless,
)
from opsconsole.demo.faults import Fault
from opsconsole.model.events import Via

CHECKLIST = "qbr-daily"


def demo(
    context: typer.Context,
    headless: Annotated[bool, typer.Option("--headless", help="Run qbr-daily once, print and end.")] = False,
    fault: Annotated[Fault | None, typer.Option("--fault", help="Show a bad morning.", show_default=False)] = None,
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    only: OnlyOption = None,
    fail_on: FailOnOption = None,
    quiet: QuietOption = False,
) -> None:
    """Open the console on a PostgreSQL of its own, filled with 40 nights of QBR collections.

    Nothing is configured and nothing outside its own directory is touched; the server ends with the demo.
    """
    options = options_of(context)
    from opsconsole.wiring.demo import demo_services

    if headless:
        how = Headless(form, output, only, fail_on, quiet=quiet)
        with demo_services(options.config, options.state, fault, Via.HEADLESS) as parts:
            raise typer.Exit(run_headless(parts, CHECKLIST, "", how))
    with (
        opened_terminal(options) as terminal,
        demo_services(options.config, options.state, fault, Via.CONSOLE) as parts,
    ):
        raise typer.Exit(shown(parts, terminal))
