"""`init`: a configuration and the checklists of a system, to begin with."""

import os
import shlex
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.common import emit, narrate
from opsconsole.cli.tables import table
from opsconsole.model.text import visible

if TYPE_CHECKING:
    from opsconsole.wiring.initialising import Written


def init(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="[DIRECTORY]", help="Where to; the current one without.", show_default=False),
    ] = None,
    system: Annotated[
        list[str] | None,
        typer.Option("--system", metavar="NAME", help="What is looked after; may be repeated.", show_default=False),
    ] = None,
) -> None:
    """Write a commented config.toml and the checklists of a system, with their runbooks; list the systems without.

    Nothing is ever written over: where another file has one of the names, nothing is written at all.
    """
    from opsconsole.wiring.initialising import InitRefused, initialised, systems

    if system:
        emit(_told(initialised(system, directory or Path())), None)
        return
    if directory is not None:
        raise InitRefused("no system is named", f"--system NAME; there are {', '.join(systems())}")
    known = systems()
    rows = [
        ("SYSTEM", "LISTS", "WHAT IT IS"),
        *((name, str(len(each.checklists)), each.summary) for name, each in known.items()),
    ]
    emit(table(rows), None)
    narrate("opsconsole init --system NAME [DIRECTORY] writes one")


def _told(written: "Written") -> str:
    """Return what was written, and what to do next."""
    place = written.directory
    lines = [f"written   {visible(str(place / each))}" for each in written.files]
    lines += [f"kept      {visible(str(place / each))} (the same already)" for each in written.kept]
    call = _call(place)
    fill_in = "what the head of each checklist says"
    if written.sources:
        some = "source" if len(written.sources) == 1 else "sources"
        fill_in = f"the {some} {', '.join(written.sources)} in config.toml, and {fill_in}"
    steps = [
        (f"{call} lint", "every problem, with file and line"),
        (f"{call} doctor", "can each source be reached, and with which rights"),
    ]
    for checklist in written.first:
        steps += [
            (f"{call} run {checklist} --headless", "measure"),
            (f"{call} prove {checklist}", "can each condition go red"),
        ]
    lines += ["", "next"]
    lines += textwrap.wrap(f"  fill in {fill_in}", 100, subsequent_indent="    ", break_on_hyphens=False)
    lines += textwrap.indent(table(steps), "  ").splitlines()
    return "\n".join(lines) + "\n"


def _call(directory: Path) -> str:
    """Return how the program is called so that it uses what lies in a directory."""
    from opsconsole.config.places import CONFIG_VARIABLE, current_directory

    if directory.absolute() == current_directory() and not os.environ.get(CONFIG_VARIABLE):
        return "opsconsole"
    return f"opsconsole --config {visible(shlex.quote(str(directory / 'config.toml')))}"
