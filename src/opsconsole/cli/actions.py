"""`actions`: what is to be done, listed, raised, and said to be done, without the console."""

import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsconsole.cli.common import UsageError, emit, narrate, opened_services, options_of, plain_json
from opsconsole.cli.tables import table
from opsconsole.model.events import ActionState, Via

if TYPE_CHECKING:
    from opsconsole.engine.overview import Present
    from opsconsole.engine.session import RunSession
    from opsconsole.model.actions import Action, Step
    from opsconsole.wiring.services import Services

action_commands = typer.Typer(help="What is to be done: action items, raised in runs and carried on until done.")

NameArgument = Annotated[
    str, typer.Argument(metavar="ID", help="An action item, such as qbr-daily@2026-11-21#1.", show_default=False)
]
AllOption = Annotated[bool, typer.Option("--all", help="Those that are done or dropped, too.")]
ChecklistOption = Annotated[
    str, typer.Option("--checklist", metavar="ID", help="Those of one checklist.", show_default="of all of them")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print them as JSON (opsconsole.actions.v1).")]
OwnerOption = Annotated[
    str | None, typer.Option("--owner", metavar="NAME", help="Who is to do it.", show_default=False)
]
DueOption = Annotated[
    str,
    typer.Option(
        "--due", metavar="DATE", help="2026-12-01, +7 for in seven days, or a weekday.", show_default=False
    ),
]


@action_commands.callback(invoke_without_command=True)
def actions(
    context: typer.Context,
    everything: AllOption = False,
    checklist: ChecklistOption = "",
    as_json: JsonOption = False,
) -> None:
    """List what is to be done, or raise, finish, drop or change an action item.

    Each belongs to the run in which it was raised, and stands in its record, also after that was signed. Exit
    codes: 0 done; 2 wrong usage or configuration, or nothing that could be done; 4 the record could not be read or
    written.
    """
    if context.invoked_subcommand is None:
        _list(context, checklist, everything=everything, as_json=as_json)
    elif everything or checklist or as_json:
        raise UsageError(f"write these options behind it: opsconsole actions {context.invoked_subcommand} …")


@action_commands.command("list")
def list_actions(
    context: typer.Context,
    everything: AllOption = False,
    checklist: ChecklistOption = "",
    as_json: JsonOption = False,
) -> None:
    """List what is to be done, what is due first ahead; late ones are marked."""
    _list(context, checklist, everything=everything, as_json=as_json)


@action_commands.command("add")
def add(
    context: typer.Context,
    run: Annotated[
        str,
        typer.Argument(metavar="RUN", help="A run such as qbr-daily@2026-11-21, or a checklist for its present."),
    ],
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is to be done.")],
    owner: OwnerOption = None,
    due: DueOption = "",
    item: Annotated[
        str, typer.Option("--item", metavar="ITEM", help="The item that it is about.", show_default="the run")
    ] = "",
) -> None:
    """Raise an action item in a run, also a signed one, and print its name."""
    with opened_services(options_of(context), Via.COMMAND) as parts:
        from opsconsole.cli.proposing import run_named
        from opsconsole.engine.entering import due_date

        name = run_named(parts, run)
        until = due_date(due, _present(parts).date(name))

        async def raised(session: "RunSession") -> str:
            number = await session.raise_action(text, owner or "", until, item)
            return session.state.actions[number].id

        emit(f"{_carried_out(parts, name, raised)}\n", None)


@action_commands.command("done")
def done(
    context: typer.Context,
    name: NameArgument,
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="What was done.", show_default=False)] = "",
) -> None:
    """Say that an action item is done."""
    _handle(context, name, ActionState.DONE, text)


@action_commands.command("drop")
def drop(
    context: typer.Context,
    name: NameArgument,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why it will not be done.", show_default=False)
    ],
) -> None:
    """Decide that an action item will not be done."""
    _handle(context, name, ActionState.DROPPED, reason)


@action_commands.command("change")
def change(
    context: typer.Context,
    name: NameArgument,
    owner: OwnerOption = None,
    due: DueOption = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.", show_default=False)] = "",
) -> None:
    """Give an action item to somebody else, postpone it, or open one again that is closed."""
    _handle(context, name, ActionState.OPEN, reason, owner, due)


def _handle(
    context: typer.Context,
    name: str,
    state: ActionState,
    text: str,
    owner: str | None = None,
    due: str = "",
) -> None:
    with opened_services(options_of(context), Via.COMMAND) as parts:
        from opsconsole.engine.entering import due_date
        from opsconsole.engine.overview import action_named

        action = action_named(parts.engine, name)
        until = due_date(due, _present(parts).date(action.run))

        async def handled(session: "RunSession") -> str:
            number = str(action.number)
            await session.handle_action(number, state, text, owner, until)
            return _told(session.state.actions[number])

        narrate(_carried_out(parts, action.run, handled))


def _told(action: "Action") -> str:
    if not action.is_open:
        return f"{action.id} is {action.state}"
    due = f"due {action.due}" if action.due is not None else "no date"
    return f"{action.id} is open: {action.owner or 'no owner'}, {due}"


def _carried_out(parts: "Services", run: str, deed: "Callable[[RunSession], Coroutine[Any, Any, str]]") -> str:
    """Do something to a run that there is; return what there is to tell."""
    from opsconsole.cli.looping import Interrupted, finished

    async def worked() -> str:
        session = await parts.engine.resume(run)
        try:
            return await deed(session)
        finally:
            await session.aclose()

    try:
        return finished(worked())
    except Interrupted as ending:
        raise typer.Exit(128 + ending.number) from None


def _present(parts: "Services") -> "Present":
    from opsconsole.engine.overview import present

    return present(parts.engine, parts.checklists)


def _list(context: typer.Context, checklist: str, *, everything: bool, as_json: bool) -> None:
    with opened_services(options_of(context), Via.COMMAND) as parts:
        from opsconsole.engine.overview import all_actions

        found = [each for each in all_actions(parts.engine, checklist) if everything or each.is_open]
        if not found and checklist:
            parts.checklist(checklist)  # a name that nobody knows is said, not taken for a quiet list
        now = _present(parts)
        if as_json:
            _write_json(found, now)
        elif found:
            head = ("ID", "STANDS", "DUE", "OWNER", "WHAT")
            sys.stdout.write(table([head, *(_row(each, now) for each in found)]))
        else:
            narrate("nothing is to be done" if not everything else "there is no action item yet")


def _row(action: "Action", now: "Present") -> tuple[str, ...]:
    stands = "late" if action.is_late(now.date(action.run)) else str(action.state)
    text = " ".join(action.raised.text.split())
    said = action.steps[-1].body.text if action.steps and not action.is_open else ""
    return (
        action.id,
        stands,
        action.due.isoformat() if action.due is not None else "-",
        action.owner or "-",
        f"{text} ({' '.join(said.split())})" if said else text,
    )


def _write_json(found: "list[Action]", now: "Present") -> None:
    import msgspec

    document = {"schema": "opsconsole.actions.v1", "actions": [_document(each, now) for each in found]}
    text = msgspec.json.format(msgspec.json.encode(document), indent=2).decode("utf-8")
    emit(f"{plain_json(text)}\n", None)


def _document(action: "Action", now: "Present") -> dict[str, Any]:
    return {
        "id": action.id,
        "run": action.run,
        "item": action.raised.item,
        "text": action.raised.text,
        "owner": action.owner,
        "due": action.due,
        "state": str(action.state),
        "late": action.is_late(now.date(action.run)),
        "raised_by": action.actor.shown,
        "raised_at": action.at,
        "steps": [_step(each) for each in action.steps],
    }


def _step(step: "Step") -> dict[str, Any]:
    body = step.body
    return {
        "state": str(body.state),
        "text": body.text,
        "owner": body.owner,
        "due": body.due,
        "by": step.actor.shown,
        "at": step.at,
    }


def late_words(parts: "Services", checklist: str) -> str:
    """Return in one line that action items of a checklist are late; empty where none is."""
    from opsconsole.engine.overview import open_actions

    now = _present(parts)
    late = [each for each in open_actions(parts.engine, checklist) if each.is_late(now.date(each.run))]
    if not late:
        return ""
    several = f"{len(late)} action items are late, the first" if len(late) > 1 else "1 action item is late,"
    return f"{several} {late[0].id} since {late[0].due}: opsconsole actions list --checklist {checklist}"
