"""`list`, `show`, `history`, `export` and `verify`: what there is, and what was."""

import sys
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from opsconsole.cli.common import UsageError, emit, narrate, options_of
from opsconsole.cli.exits import Exit
from opsconsole.cli.running import Format, OutputOption, named
from opsconsole.model.events import Via
from opsconsole.model.signoff import count_words
from opsconsole.model.text import visible

if TYPE_CHECKING:
    from opsconsole.engine.overview import RunSummary, Today
    from opsconsole.model.checklists import Checklist, Item
    from opsconsole.model.runs import RunState
    from opsconsole.wiring.services import Services

NameArgument = Annotated[str, typer.Argument(metavar="ID", help="A checklist.")]


def _table(rows: list[tuple[str, ...]]) -> str:
    """Return rows as aligned columns, the last one as long as it likes."""
    clean = [tuple(visible(cell) for cell in row) for row in rows]
    widths = [max(len(row[at]) for row in clean) for at in range(len(clean[0]) - 1)] if clean else []
    lines = (
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in clean
    )
    return "".join(f"{line}\n" for line in lines)


def list_checklists(context: typer.Context) -> None:
    """List the checklists, when each is due and how it stands."""
    options = options_of(context)
    from opsconsole.wiring.services import services

    with services(options.config, options.state, Via.COMMAND) as parts:
        from opsconsole.engine.overview import today

        rows = [_listed(today(parts.engine, each)) for each in parts.checklists.values()]
        for problem in parts.problems:
            narrate(problem)
        if not rows:
            narrate('there is no checklist; name a directory of them in config.toml: checklists = ["checklists"]')
        sys.stdout.write(_table([("CHECKLIST", "CADENCE", "DUE", "STANDS", "TITLE"), *rows]) if rows else "")


def _listed(view: "Today") -> tuple[str, ...]:
    local = view.times.due_at.astimezone(ZoneInfo(view.times.timezone))
    stands = str(view.standing)
    if view.current is not None:
        stands += f", {view.current.result}"
    return (
        view.checklist.id,
        str(view.checklist.cadence),
        f"{local:%Y-%m-%d %H:%M %Z}",
        stands,
        view.checklist.title,
    )


def show(context: typer.Context, name: NameArgument) -> None:
    """Show a checklist: its items, what each requires, and what it serves."""
    options = options_of(context)
    from opsconsole.wiring.configuration import configured
    from opsconsole.wiring.definitions import definitions_of

    checklist = definitions_of(configured(options.config, options.state)[0]).checklist(name)
    sys.stdout.write("".join(f"{visible(line)}\n" for line in _shown(checklist)))


def _shown(checklist: "Checklist") -> list[str]:
    due = checklist.due
    lines = [
        f"{checklist.title} ({checklist.id})",
        f"{checklist.cadence}, due {due.days} at {due.at} {due.timezone}, overdue after {due.grace}",
    ]
    if checklist.qualification is not None:
        lines.append(f"qualification: {checklist.qualification.days} consecutive passing days")
    if checklist.help:
        lines.append(checklist.help)
    for section in checklist.sections:
        lines += ["", section.title]
        for item in section.items:
            lines += _shown_item(item)
    if checklist.fields:
        lines += ["", "Day's sheet", *(f"  {field.title}" for field in checklist.fields)]
    return lines


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
    from opsconsole.wiring.services import services

    with services(options.config, options.state, Via.COMMAND) as parts:
        from opsconsole.engine.overview import summaries

        if name:
            parts.checklist(name)
        found = summaries(parts.engine, parts.engine.store.runs(name, limit=limit))
        if not found:
            narrate("no run yet")
            return
        sys.stdout.write(_table([("RUN", "RESULT", "ITEMS", "SIGNED"), *map(_past, found)]))


def _past(run: "RunSummary") -> tuple[str, ...]:
    signed = f"{run.signed_by}, {run.signed_at:%Y-%m-%d %H:%MZ}" if run.signed_at else "not signed"
    return run.run, str(run.result), count_words(run.counts), signed


def export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="RUN", help="A run such as qbr-daily@2026-11-21.")],
    form: Annotated[Format, typer.Option("--format", help="The format.")] = Format.MARKDOWN,
    output: OutputOption = None,
) -> None:
    """Write a run as the day log, as JSON or as text. Nothing is measured or changed."""
    options = options_of(context)
    from opsconsole.wiring.services import services

    with services(options.config, options.state, Via.COMMAND) as parts:
        emit(parts.rendered(_recorded(parts, name), form), output)


def _recorded(parts: "Services", name: str) -> "RunState":
    run = name
    if "@" not in name:
        checklist, day = named(parts, name)
        run = parts.engine.key_of(checklist, day).id
    state = parts.engine.load(run)
    if state is None:
        raise UsageError(f"there is no record of {run}", "`opsconsole history` lists the runs there are")
    return state


def verify(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", help="Runs.", show_default=False)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every event of the store.")] = False,
) -> None:
    """Walk the chain of events over the exact stored bytes, and name the first one that does not fit.

    The whole chain is walked in any case: a run holds together only with what stands before it.
    """
    if not names and not everything:
        raise UsageError("name the runs to verify, or say --all")
    options = options_of(context)
    from opsconsole.wiring.services import services

    with services(options.config, options.state, Via.COMMAND) as parts:
        found = parts.engine.store.verify()
        sys.stdout.write(f"{found.events} events of {found.runs} runs, head {found.head.seq} {found.head.hash}\n")
        if found.broken is not None:
            broken = found.broken
            where = f"event {broken.seq} of {broken.run or 'an unknown run'}" if broken.seq else "the record itself"
            narrate(f"BROKEN at {where}: {broken.why}")
            raise typer.Exit(Exit.FAILED)
        for name in names or ():
            state = _recorded(parts, name)
            signed = f"signed {state.result} by {state.signed.by.actor.shown}" if state.signed else "not signed"
            sys.stdout.write(visible(f"{name}: {signed}, last event {state.last_seq} {state.head_hash}") + "\n")
        sys.stdout.write("the chain is intact\n")
