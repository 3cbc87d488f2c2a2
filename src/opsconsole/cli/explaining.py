"""`explain`: why a period was missed, noted in its run and signed as that."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.common import UsageError, opened_services, options_of, report
from opsconsole.cli.exits import Exit
from opsconsole.cli.signing import (
    AttributedOption,
    KeyOption,
    ReauthenticateOption,
    YesOption,
    without_key_of,
)
from opsconsole.model.calendar import Standing
from opsconsole.model.events import Meaning, Via

if TYPE_CHECKING:
    from opsconsole.model.calendar import Period
    from opsconsole.model.checklists import Checklist
    from opsconsole.wiring.services import Services

_NAMED = 5
"""Missed runs that are named to somebody who named none."""


def explain(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="RUN", help="A missed run such as qbr-daily@2026-11-21.")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why nobody did it; it becomes part of the record.")
    ],
    key: KeyOption = "",
    attributed: AttributedOption = False,
    reauthenticate: ReauthenticateOption = False,
    yes: YesOption = False,
) -> None:
    """Say why a run was missed, and sign that: it stays MISSED, with its explanation.

    Nothing is measured, for what nobody saw then cannot be seen now. Exit codes: 0 explained and signed; 1 not
    signed (it was not missed, it was explained already, no key that may sign, the answer was no); 2 wrong usage or
    configuration; 4 the record could not be written.
    """
    without = without_key_of(key, attributed=attributed, reauthenticate=reauthenticate)
    if not yes and not sys.stdin.isatty():
        raise UsageError("not explained: there is no terminal to ask on", "say --yes to sign what is shown")
    from opsconsole.cli.asking import Asking, carried_out
    from opsconsole.cli.looping import finished
    from opsconsole.cli.proposing import Means, SignedRun

    with opened_services(options_of(context), Via.COMMAND) as parts:
        from opsconsole.engine.entering import ActionRefused

        checklist, period = _named(parts, name)
        try:
            run = finished(_noted(parts, checklist, period, reason))
        except ActionRefused as error:
            report(error)
            raise typer.Exit(Exit.FAILED) from error
        matter = SignedRun(run, Meaning.PERFORMED, Means(key, without))
        raise typer.Exit(carried_out(parts, matter, Asking(yes)))


def _named(parts: "Services", name: str) -> "tuple[Checklist, Period]":
    """Return the run that is meant; a checklist alone names none, and is told which of its runs were missed."""
    from opsconsole.cli.running import named

    checklist, period = named(parts, name)
    if period is not None:
        return checklist, period
    from opsconsole.engine.overview import today

    gaps = today(parts.engine, checklist).gaps
    missed = [each.run for each in gaps if each.standing is Standing.MISSED and not each.unsigned]
    more = f" and {len(missed) - _NAMED} more" if len(missed) > _NAMED else ""
    hint = f"missed and not explained: {', '.join(missed[:_NAMED])}{more}" if missed else "no run was missed lately"
    raise UsageError(f"'{name}' names no run, only a checklist", hint)


async def _noted(parts: "Services", checklist: "Checklist", period: "Period", reason: str) -> str:
    """Note the reason in the missed run, which is opened for that; return its name.

    A reason that stands there already, because nobody signed it then, is not written twice.
    """
    from opsconsole.engine.engine import opened
    from opsconsole.engine.entering import written
    from opsconsole.engine.missed import refuse_unless_missed

    said = written(reason)
    refuse_unless_missed(parts.engine, checklist, period)
    async with opened(parts.engine, checklist, period) as session:
        if said not in {each.text for each in session.state.notes}:
            await session.note("", said)
        return session.state.run
