"""`opsconsole demo`: one of the five systems, on what the demo brings itself, with nothing to configure."""

from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.common import UsageError, options_of
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
from opsconsole.cli.tables import table
from opsconsole.config.words import guess
from opsconsole.demo.systems import SystemName, demo_system
from opsconsole.model.events import Via

if TYPE_CHECKING:
    from opsconsole.demo.system import DemoFault


def demo(
    context: typer.Context,
    system: Annotated[SystemName, typer.Option("--system", help="Which of the systems to show.")] = SystemName.QBR,
    headless: Annotated[
        bool,
        typer.Option(
            "--headless", help="Run one checklist once, print and end: the daily one, or one that sees the fault."
        ),
    ] = False,
    fault: Annotated[
        str, typer.Option("--fault", metavar="NAME", help="Show a bad morning.", show_default=False)
    ] = "",
    list_faults: Annotated[
        bool, typer.Option("--faults", help="List what can be wrong with the system, and end.")
    ] = False,
    form: FormatOption = Format.TEXT,
    output: OutputOption = None,
    only: OnlyOption = None,
    fail_on: FailOnOption = None,
    quiet: QuietOption = False,
) -> None:
    """Open the console on a system that the demo runs itself: qbr, unless told otherwise.

    Nothing is configured and nothing outside its own directory is touched; its servers end with the demo.
    """
    options = options_of(context)
    if list_faults:
        shown_in = demo_system(system)
        rows = [(each.value, shown_in.first_of(each), each.description) for each in shown_in.faults]
        typer.echo(table([("FAULT", "SEEN BY", "WHAT IS WRONG"), *rows]), nl=False)
        return
    wrong = _fault(system, fault)
    from opsconsole.wiring.demo import demo_services

    if headless:
        how = Headless(form, output, only, fail_on, quiet=quiet)
        with demo_services(system, options.config, options.state, wrong, Via.HEADLESS) as parts:
            raise typer.Exit(run_headless(parts, demo_system(system).first_of(wrong), "", how))
    with (
        opened_terminal(options) as terminal,
        demo_services(system, options.config, options.state, wrong, Via.CONSOLE) as parts,
    ):
        raise typer.Exit(shown(parts, terminal))


def _fault(system: SystemName, name: str) -> "DemoFault | None":
    if not name:
        return None
    faults = {each.value: each for each in demo_system(system).faults}
    if name not in faults:
        raise UsageError(f"{system} has no fault '{name}'{guess(name, faults, 'it has')} (--faults lists them)")
    return faults[name]
