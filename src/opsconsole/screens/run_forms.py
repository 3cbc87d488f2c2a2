"""The forms of a run: what each asks, and which deed of the session its answers become."""

import datetime as dt
import re
from collections.abc import Awaitable, Callable, Mapping

from opsconsole.engine.entering import ActionRefused
from opsconsole.model.checklists import Field
from opsconsole.model.item_state import ItemState
from opsconsole.screens.base import ConsoleScreen
from opsconsole.screens.form import Answer, Form, FormScreen
from opsconsole.screens.live import LiveRun
from opsconsole.screens.run_view import mark_of

WAIVED_FOR = dt.timedelta(days=7)
"""How long a waiver holds where the operator says nothing else."""
_LINES = 4
_DAYS = re.compile(r"\+?\s*(\d{1,4})\s*(?:d|days?)\Z")


def open_form(screen: ConsoleScreen, live: LiveRun, form: Form) -> None:
    """Open `form`; its deed takes its place after those asked for before."""

    async def in_order(typed: Mapping[str, str]) -> str:
        async with live.in_order:
            return await form.save(typed)

    asked = Form(form.title, form.about, form.answers, (live.state.run, *form.draft), in_order)
    screen.app.push_screen(FormScreen(asked), lambda said: screen.say(said or ""))


def _about(state: ItemState) -> str:
    mark = mark_of(state)
    return f"{mark.glyph} {mark.word.rstrip()}  {state.item.title}\n{state.summary}"


def _reason_form(
    title: str, state: ItemState, kind: str, save: Callable[[Mapping[str, str]], Awaitable[str]], *more: Answer
) -> Form:
    return Form(title, _about(state), (Answer("text", "reason", lines=_LINES), *more), (kind, state.item.id), save)


def note(screen: ConsoleScreen, live: LiveRun, state: ItemState | None) -> None:
    """Ask for a note on an item, or on the run where there is none."""
    name = state.item.id if state is not None else ""

    async def save(typed: Mapping[str, str]) -> str:
        await live.session.note(name, typed["text"])
        return "noted"

    title = "Note" if state is not None else "Note on the run as a whole"
    about = _about(state) if state is not None else ""
    open_form(screen, live, Form(title, about, (Answer("text", "note", lines=_LINES),), ("note", name), save))


def skip(screen: ConsoleScreen, live: LiveRun, state: ItemState) -> None:
    """Ask why an item is not applicable."""

    async def save(typed: Mapping[str, str]) -> str:
        await live.session.skip(state.item.id, typed["text"])
        return "skipped"

    open_form(screen, live, _reason_form("Skip: not applicable in this run", state, "skip", save))


def waive(screen: ConsoleScreen, live: LiveRun, state: ItemState) -> None:
    """Ask why an item that is not green is accepted, and until when."""
    today = live.state.times.business_date

    async def save(typed: Mapping[str, str]) -> str:
        expires = expiry(typed["expires"], today)
        await live.session.waive(state.item.id, typed["text"], expires)
        return f"waived until {expires:%a %Y-%m-%d}, that day included"

    until = Answer("expires", "until", (today + WAIVED_FOR).isoformat())
    title = "Waive: accepted until a date (YYYY-MM-DD, or a number of days such as 7 d)"
    open_form(screen, live, _reason_form(title, state, "waive", save, until))


def expiry(text: str, today: dt.date) -> dt.date:
    """Return the last day of a waiver: a date, or a number of days from `today`; raise ActionRefused for else."""
    clean = text.strip().lower()
    days = _DAYS.fullmatch(clean)
    try:
        return today + dt.timedelta(days=int(days[1])) if days else dt.date.fromisoformat(clean)
    except (ValueError, OverflowError) as error:
        raise ActionRefused(
            f"'{text.strip()}' is no date: write it like {today + WAIVED_FOR}, or as a number of days like '7 d'"
        ) from error


def enter(screen: ConsoleScreen, live: LiveRun, state: ItemState) -> None:
    """Ask for the value of an entry."""
    entry = state.item.entry
    if entry is None:
        return
    before = state.typed.body.text if state.typed is not None else ""

    async def save(typed: Mapping[str, str]) -> str:
        await live.session.enter(state.item.id, typed["value"])
        return f"entered: {live.state.items[state.item.id].summary}"

    unit = "" if entry.unit == "count" else f" ({entry.unit})"
    about = "\n".join(filter(None, (state.item.title, state.item.help)))
    answers = (Answer("value", "value", before),)
    open_form(screen, live, Form(f"{entry.label}{unit}", about, answers, ("enter", state.item.id), save))


def fill(screen: ConsoleScreen, live: LiveRun, field: Field) -> None:
    """Ask for a line of the day's sheet."""
    before = live.state.fields.get(field.id)

    async def save(typed: Mapping[str, str]) -> str:
        await live.session.fill(field.id, typed["text"])
        return f"{field.title}: saved"

    answers = (Answer("text", "text", before.text if before else "", lines=_LINES),)
    open_form(screen, live, Form(field.title, field.help, answers, ("fill", field.id), save))
