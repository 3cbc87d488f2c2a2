"""`show`, `history` and `export`: what there is, and what was."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsconsole.cli.common import UsageError, emit, narrate, opened_services, options_of, report
from opsconsole.cli.exits import Exit
from opsconsole.cli.running import named
from opsconsole.cli.tables import table
from opsconsole.model.checklists import Cadence
from opsconsole.model.events import Via
from opsconsole.model.signoff import count_words
from opsconsole.model.text import visible

if TYPE_CHECKING:
    from opsconsole.engine.overview import RunSummary
    from opsconsole.model.checklists import Checklist, Item
    from opsconsole.model.runs import RunState
    from opsconsole.wiring.services import Services

NameArgument = Annotated[str, typer.Argument(metavar="ID", help="A checklist.")]


def show(context: typer.Context, name: NameArgument) -> None:
    """Show a checklist: its items, what each requires, and what it serves."""
    options = options_of(context)
    from opsconsole.wiring.configuration import configured
    from opsconsole.wiring.definitions import definitions_of

    checklist = definitions_of(configured(options.config, options.state)[0]).checklist(name)
    sys.stdout.write("".join(f"{visible(line)}\n" for line in _shown(checklist)))


def _shown(checklist: "Checklist") -> list[str]:
    lines = [f"{checklist.title} ({checklist.id})", _shown_due(checklist)]
    if checklist.help:
        lines.append(checklist.help)
    for section in checklist.sections:
        lines += ["", section.title]
        for item in section.items:
            lines += _shown_item(item)
    if checklist.fields:
        lines += ["", "Day's sheet", *(f"  {field.title}" for field in checklist.fields)]
    return lines


def _shown_due(checklist: "Checklist") -> str:
    """Return how often it is due, and when."""
    due = checklist.due
    rests = [f"holidays of {due.holidays}"] if due.holidays else []
    rests += [f"{len(due.closed)} closed dates"] if due.closed else []
    but = f" but for {' and '.join(rests)}" if rests else ""
    match checklist.cadence:
        case Cadence.INTERVAL:
            return f"every {due.every}, {due.days}{but}, {due.timezone}"
        case Cadence.ONCE:
            on = f"after {due.after} has been reached" if due.after else f"on {due.on}"
            return f"once, {on}, at {due.at} {due.timezone}, overdue after {due.grace}"
        case cadence:
            return f"{cadence}, due {due.days}{but} at {due.at} {due.timezone}, overdue after {due.grace}"


def _shown_item(item: "Item") -> list[str]:
    how = "tick" if item.manual else item.probe or "entry"
    if item.entry is not None and item.probe:
        how = f"entry, compared with {item.probe}"
    refs = f" [{', '.join(item.refs)}]" if item.refs else ""
    lines = [f"  {item.id}: {item.title} ({how}){refs}"]
    lines += [f"      require {each.text}" for each in item.require]
    lines += [f"      target  {each.text}" for each in item.target]
    if item.requires:
        lines.append(f"      after   {', '.join(item.requires)}")
    return lines


def history(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[ID]", help="A checklist; all of them without.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many runs.")] = 30,
) -> None:
    """List past runs, the latest first."""
    options = options_of(context)
    with opened_services(options, Via.COMMAND) as parts:
        from opsconsole.engine.overview import summaries

        if name:
            parts.checklist(name)
        found = summaries(parts.engine, parts.engine.store.runs(name, limit=limit))
        if not found:
            narrate("no run yet")
            return
        sys.stdout.write(table([("RUN", "RESULT", "ITEMS", "SIGNED"), *map(_past, found)]))


def _past(run: "RunSummary") -> tuple[str, ...]:
    if run.signed_at is None:
        signed = "not signed" if run.needs_signature else "needs no signature"
        return run.run, str(run.result), count_words(run.counts), signed
    told = [f"{run.signed_by}, {run.signed_at:%Y-%m-%d %H:%MZ}, {run.tier}"]
    if run.amendments:
        told.append(
            f"amended {'once' if run.amendments == 1 else f'{run.amendments} times'}, signed as {run.signed_result}"
        )
    if run.reviewed_by:
        told.append(f"reviewed by {run.reviewed_by}")
    return run.run, str(run.result), count_words(run.counts), "; ".join(told)


class ExportFormat(StrEnum):
    """What a run is exported as."""

    RECORD = "record"
    MARKDOWN = "markdown"
    JSON = "json"
    TOML = "toml"
    TEXT = "text"


def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="RUN", help="A run such as qbr-daily@2026-11-21.")],
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="The record with its signatures in files, or one document of the run."),
    ] = ExportFormat.RECORD,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="PATH",
            help="Write it there. A record is a new directory, or one file where that ends in .tar.",
            show_default="a record: qbr-daily-2026-11-21 here; a document: printed",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a record that is there already.")] = False,
) -> None:
    """Write the record of a run, which others can verify without this program, or one document of it.

    The path of a record is printed, and its README says how it is verified. Nothing is measured or changed.
    """
    if force and form is not ExportFormat.RECORD:
        raise UsageError("--force is about records: a document replaces the one that is there anyway")
    options = options_of(context)
    with opened_services(options, Via.COMMAND) as parts:
        state = _recorded(parts, name)
        if form is ExportFormat.RECORD:
            _export_record(parts, state, output, force=force)
        else:
            emit(parts.rendered(state, form), output)


def _export_record(parts: "Services", state: "RunState", output: Path | None, *, force: bool) -> None:
    from opsconsole.export.files import file_name
    from opsconsole.export.record import RecordBroken

    target = output if output is not None else Path(file_name(state.run, ""))
    try:
        path = parts.write_record(state.run, target, force=force)
    except RecordBroken as error:
        report(error)
        raise typer.Exit(Exit.FAILED) from error
    emit(f"{visible(str(path))}\n", None)
    keyed = sum(each.body.signature.tier.keyed for each in state.signatures)
    if state.signed is None:
        narrate("this run is not signed: its record proves nothing")
    elif not keyed:
        narrate("no key signed this run: its record names who did it, and proves nothing")


def _recorded(parts: "Services", name: str) -> "RunState":
    run = name
    if "@" not in name:
        checklist, period = named(parts, name)
        run = parts.engine.key_of(checklist, period).id
    state = parts.engine.load(run)
    if state is None:
        raise UsageError(f"there is no record of {run}", "`opsconsole history` lists the runs there are")
    return state
