"""`store init`, `store copy` and `store backup`: the record itself, wherever it is kept."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from opsconsole.cli.common import UsageError, narrate, options_of
from opsconsole.cli.exits import Exit
from opsconsole.model.text import visible

store_commands = typer.Typer(
    help="The record: make it in a shared database, copy it, back it up.", no_args_is_help=True
)

_PLACE = "a SQLite file, or a connection string such as postgresql://db.example/opsconsole or service=NAME"


@store_commands.command("init")
def init(
    context: typer.Context,
    print_roles: Annotated[
        bool,
        typer.Option("--print-roles", help="Print the SQL that makes database and roles, and change nothing."),
    ] = False,
) -> None:
    """Make the configured record, or upgrade it, and give the roles of a shared one their rights.

    In PostgreSQL the record's owner does this: PGUSER=opsconsole_owner opsconsole store init.
    """
    options = options_of(context)
    from opsconsole.wiring.configuration import configured
    from opsconsole.wiring.stores import made, roles_sql

    place = configured(options.config, options.state)[0].store
    if print_roles:
        if place.path is not None:
            narrate(
                'the configured record is a SQLite file, which has no roles; this is for store = "postgresql://…"'
            )
        sys.stdout.write(roles_sql(place))
        return
    found = made(place)
    sys.stdout.write(visible(f"{found.location}: record {found.store_id}, {found.events} events") + "\n")
    for role in found.missing_roles:
        narrate(f"there is no role {role} yet; see `opsconsole store init --print-roles`, then do this once more")


@store_commands.command("backup")
def backup(
    context: typer.Context,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The new SQLite file.")],
) -> None:
    """Write a checked copy of the record to a new SQLite file, also while others write to it."""
    options = options_of(context)
    from opsconsole.wiring.configuration import configured
    from opsconsole.wiring.stores import backed_up

    made = backed_up(configured(options.config, options.state)[0].store, target.absolute())
    sys.stdout.write(visible(f"{target}: {made.events} events, head {made.head.seq} {made.head.hash}") + "\n")
    if made.broken is not None:
        narrate(f"BROKEN like the record itself, at event {made.broken.seq}: {made.broken.why}")
        raise typer.Exit(Exit.FAILED)


@store_commands.command("copy")
def copy(
    source: Annotated[str, typer.Argument(metavar="FROM", help=f"The record: {_PLACE}.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="Where no record is yet, written the same way.")],
) -> None:
    """Copy a whole record exactly, evidence and all, and verify the copy; FROM stays as it is.

    Nothing that looks like a record is left at TO unless the copy is complete. Name it in config.toml afterwards.
    """
    from opsconsole.wiring.stores import copied, place_of

    places = place_of(source), place_of(target)
    if places[0] == places[1]:
        raise UsageError("FROM and TO are the same")
    head = copied(*places)
    sys.stdout.write(visible(f"copied and verified: {head.seq} events, head {head.seq} {head.hash}") + "\n")
    narrate(f'from now on, name it in config.toml: store = "{places[1]}"')
