"""`prove`: shows that a checklist can go red."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.common import emit, narrate, opened_services, options_of, plain_json
from opsconsole.cli.exits import Exit
from opsconsole.model.events import Via
from opsconsole.model.proving import Proven
from opsconsole.model.text import visible

if TYPE_CHECKING:
    from opsconsole.engine.proving import ItemProof


def prove(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ID", help="A checklist.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only what cannot go red, or was never measured.")] = False,
) -> None:
    """Break each condition in turn on the last readings, and tell those that nothing can break.

    Nothing is measured and nothing is recorded. Exit codes: 0 every condition can go red; 1 one cannot; 2 wrong
    usage; 3 one was never measured: `opsconsole run ID --headless` does that.
    """
    with opened_services(options_of(context), Via.COMMAND) as parts:
        from opsconsole.engine.proving import proved

        proofs = proved(parts.engine.store, parts.checklist(name))
    emit(_json(proofs) if as_json else "".join(f"{line}\n" for line in _text(proofs, quiet=quiet)), None)
    found = {each.proven for item in proofs for each in item.proofs}
    counted = [sum(each.proven is proven for item in proofs for each in item.proofs) for proven in Proven]
    sys.stdout.flush()
    narrate(", ".join(f"{count} {proven}" for count, proven in zip(counted, Proven, strict=True) if count))
    if found & {Proven.NEVER, Proven.DOUBTFUL}:
        raise typer.Exit(Exit.FAILED)
    if Proven.UNSEEN in found:
        raise typer.Exit(Exit.UNMEASURED)


def _text(proofs: "list[ItemProof]", *, quiet: bool) -> Iterator[str]:
    for item in proofs:
        shown = [each for each in item.proofs if not quiet or each.proven is not Proven.RED]
        if not shown:
            continue
        yield f"{visible(item.item.title)}{f'  ({item.run})' if item.run else ''}"
        for each in shown:
            yield f"  {each.proven:<9}  {each.level} {visible(each.condition)}: {visible(each.how)}"


def _json(proofs: "list[ItemProof]") -> str:
    import json

    from opsconsole.model.encoding import plain

    found = [{"item": each.item.id, "run": each.run, "proofs": plain(each.proofs)} for each in proofs]
    return plain_json(json.dumps(found, indent=2)) + "\n"
