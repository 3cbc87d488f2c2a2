"""The forms of action items: raising one, and saying what became of it, from whichever screen shows it."""

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial

from opsconsole.engine.entering import due_date
from opsconsole.model.actions import Action
from opsconsole.model.errors import OpsconsoleError
from opsconsole.model.events import ActionState
from opsconsole.model.item_state import ItemState
from opsconsole.screens.base import ConsoleScreen
from opsconsole.screens.form import Answer, Form
from opsconsole.screens.live import LiveRun
from opsconsole.screens.palette import Entry, PaletteScreen
from opsconsole.screens.run_forms import open_form

_LINES = 3
_HOW = "due: 2026-12-01, +7 for in seven days, or a weekday; owner and due may stay empty"


def with_run(screen: ConsoleScreen, run: str, then: Callable[[LiveRun], None]) -> None:
    """Work on a run that there is, also a signed one, and go on with `then`: action items stand in their own."""
    screen.console.start_first("opening the run", _resumed, screen, run, then)


async def _resumed(screen: ConsoleScreen, run: str, then: Callable[[LiveRun], None]) -> None:
    try:
        live = await screen.console.runs.resume(run)
    except OpsconsoleError as error:
        screen.say_error(error)
        return
    if screen.is_attached:
        then(live)


def raise_action(screen: ConsoleScreen, live: LiveRun, item: ItemState | None, today: dt.date) -> None:
    """Ask for something that is to be done, about an item, or about the run where there is none."""
    name = item.item.id if item is not None else ""

    async def save(typed: Mapping[str, str]) -> str:
        due = due_date(typed["due"], today)
        number = await live.session.raise_action(typed["text"], typed["owner"], due, name)
        return f"raised as {live.state.actions[number].id}"

    about = f"{item.item.title}\n{_HOW}" if item is not None else f"about the run as a whole\n{_HOW}"
    answers = (
        Answer("text", "to do", lines=_LINES),
        Answer("owner", "owner", optional=True),
        Answer("due", "due", optional=True),
    )
    open_form(screen, live, Form("Action item: to be done", about, answers, ("raise", name), save))


def choose(screen: ConsoleScreen, action: Action, today: dt.date) -> None:
    """Ask what became of an action item, then for the words."""
    ways: dict[str, tuple[str, Callable[[ConsoleScreen, LiveRun, Action], None]]] = {
        "done": ("Done: say what was done", _done),
        "change": ("Another date or owner", partial(_change, today=today)),
        "drop": ("Dropped: it will not be done, with the reason", _drop),
        "again": ("Open again: it is not done after all", _again),
    }
    offered = ("done", "change", "drop") if action.is_open else ("again",)

    def chosen(name: str | None) -> None:
        if name in ways:
            _, ask = ways[name]
            with_run(screen, action.run, lambda live: ask(screen, live, live.state.actions[str(action.number)]))

    entries = [Entry(name, ways[name][0]) for name in offered]
    screen.app.push_screen(PaletteScreen(f"Action item {action.id}", entries), chosen)


def _handle(
    screen: ConsoleScreen, live: LiveRun, action: Action, state: ActionState, title: str, answer: Answer
) -> None:
    async def save(typed: Mapping[str, str]) -> str:
        await live.session.handle_action(str(action.number), state, typed["text"])
        return f"{action.id}: {'open again' if state is ActionState.OPEN else state}"

    form = Form(title, action.raised.text, (answer,), ("handle", str(state), str(action.number)), save)
    open_form(screen, live, form)


def _done(screen: ConsoleScreen, live: LiveRun, action: Action) -> None:
    asked = Answer("text", "done", lines=_LINES, optional=True)
    _handle(screen, live, action, ActionState.DONE, "Done: what was done (may stay empty)", asked)


def _drop(screen: ConsoleScreen, live: LiveRun, action: Action) -> None:
    _handle(screen, live, action, ActionState.DROPPED, "Dropped: why", Answer("text", "reason", lines=_LINES))


def _again(screen: ConsoleScreen, live: LiveRun, action: Action) -> None:
    _handle(screen, live, action, ActionState.OPEN, "Open again: why", Answer("text", "reason", lines=_LINES))


def _change(screen: ConsoleScreen, live: LiveRun, action: Action, today: dt.date) -> None:
    before = action.due.isoformat() if action.due is not None else ""

    async def save(typed: Mapping[str, str]) -> str:
        due = action.due if typed["due"].strip() == before else due_date(typed["due"], today)
        owner, text = typed["owner"], typed["text"]
        await live.session.handle_action(str(action.number), ActionState.OPEN, text, owner, due)
        now = live.state.actions[str(action.number)]
        return f"{now.id}: {now.owner or 'no owner'}, {f'due {now.due}' if now.due is not None else 'no date'}"

    answers = (
        Answer("due", "due", before, optional=True),
        Answer("owner", "owner", action.owner, optional=True),
        Answer("text", "why", lines=2, optional=True),
    )
    draft = ("handle", "change", str(action.number))
    open_form(screen, live, Form("Another date or owner", f"{action.raised.text}\n{_HOW}", answers, draft, save))
