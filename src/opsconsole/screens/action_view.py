"""Action items: one line each, and everything about the one under the cursor."""

import datetime as dt
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from opsconsole.model.actions import Action, Step
from opsconsole.model.events import ActionState
from opsconsole.model.text import visible
from opsconsole.screens.facts import SHORT_LABEL, short_fact
from opsconsole.screens.marks import STANDING_WIDTH, Mark
from opsconsole.screens.phrases import day, first_line, moment, number_of
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece, cut
from opsconsole.widgets.rows import Row

ACTION = "action:"
"""Begins the keys of rows that are action items; no id of a checklist or an item holds a colon."""

_OWNER_AT_MOST = 18
_NEAR = 6
"""Days within which the name of a weekday is enough to name a date."""

_LATE = Mark("[!]", "LATE", "bold $error")
_DUE = Mark("[ ]", "DUE", "bold $warning")
_OPEN = Mark("[ ]", "TO DO")
_CLOSED = {
    ActionState.DONE: Mark("[x]", "DONE", "$success"),
    ActionState.DROPPED: Mark("[-]", "DROPPED", "dim"),
}


def mark_of_action(action: Action, today: dt.date) -> Mark:
    """Return what became of an action item, or how urgent it is."""
    if not action.is_open:
        return _CLOSED[action.state]
    if action.is_late(today):
        return _LATE
    return _DUE if action.due == today else _OPEN


def due_words(due: dt.date | None, today: dt.date) -> str:
    """Return `due today`, `due Thu`, `due 2026-12-01`, or of a day that is over `2 days late`."""
    if due is None:
        return ""
    days = (due - today).days
    if days < 0:
        return f"{number_of(-days, 'day')} late"
    if days <= 1:
        return ("due today", "due tomorrow")[days]
    return f"due {due:%a}" if days <= _NEAR else f"due {due}"


def action_row(action: Action, today: dt.date, *, width: int = STANDING_WIDTH, about: str = "") -> Row:
    """Return an action item in one line; `about` says where it comes from, `width` is that of its mark."""
    owner = cut(visible(action.owner), _OWNER_AT_MOST) if action.owner else ""
    when = due_words(action.due, today) if action.is_open else ""
    right = ", ".join(filter(None, (owner, when)))
    left = (mark_of_action(action, today).piece(width), Piece(first_line(action.raised.text)))
    beside = (Piece(f"  {about}", "dim"),) if about else ()
    style = "bold $error" if action.is_late(today) else "dim"
    return Row(ACTION + action.id, (*left, *beside), (Piece(right, style),) if right else ())


def action_paragraphs(action: Action, today: dt.date, where: ZoneInfo, item: str = "") -> list[Paragraph]:
    """Return everything about an action item; `item` is the title of the one that it was raised at."""
    return list(_told(action, today, where, item))


def _told(action: Action, today: dt.date, where: ZoneInfo, item: str) -> Iterator[Paragraph]:
    mark = mark_of_action(action, today)
    said = Paragraph((Piece(f"{mark.glyph} {mark.word}", mark.style), Piece(f"  {action.raised.text}", "bold")), 4)
    yield said
    if action.is_open:
        yield short_fact("owner", action.owner or "nobody yet")
        late = action.is_late(today)
        when = day(action.due) if action.due is not None else "no date"
        when += f", {due_words(action.due, today)}" if late else ""
        yield short_fact("due", when, "bold $error" if late else "")
    about = item or action.raised.item
    at = f" at {about}" if about else ""
    yield short_fact("raised", f"{moment(action.at, where)} by {action.actor.shown} in {action.run}{at}")
    for step in action.steps:
        yield short_fact("then", f"{moment(step.at, where)} {step.actor.shown}: {step_words(step)}")
    yield short_fact("named", action.id)
    if action.is_open:
        pieces = (
            Piece(f"{'to do':<{SHORT_LABEL}}", "dim"),
            Piece("Enter", "bold"),
            Piece(" done, dropped, date or owner"),
        )
        yield Paragraph(pieces, SHORT_LABEL)


def step_words(step: Step) -> str:
    """Return what was said of an action item: `done: the disk is replaced`, `due 2026-12-01 now`."""
    body = step.body
    changed = []
    if body.owner is not None:
        changed.append(f"owner {body.owner} now" if body.owner else "no owner now")
    if body.due is not None:
        changed.append(f"due {body.due} now")
    state = "" if body.state is ActionState.OPEN and changed else "still open"
    if body.state is not ActionState.OPEN:
        state = str(body.state)
    words = ", ".join(filter(None, (state, *changed)))
    return f"{words}: {body.text}" if body.text else words


def sign_off_paragraphs(own: Iterable[Action], carried: Iterable[Action], today: dt.date) -> Iterator[Paragraph]:
    """Yield the action items that a run leaves to be done: those it raised, and those that earlier runs did."""
    raised = list(own)
    still = [each for each in raised if each.is_open]
    closed = len(raised) - len(still)
    earlier = [each for each in carried if each.is_open]
    if not raised and not earlier:
        return
    yield Paragraph.plain(f"\nAction items: {number_of(len(still) + len(earlier), 'thing')} to do", "bold")
    for each in (*still, *earlier):
        mark = mark_of_action(each, today)
        facts = ", ".join(filter(None, (each.owner, due_words(each.due, today))))
        yield Paragraph(
            (
                mark.piece(),
                Piece(each.raised.text),
                Piece(f"  {facts}" if facts else "", "dim"),
                Piece(f"  carried from {each.run}" if each in earlier else "", "dim"),
            ),
            12,
        )
    if closed:
        yield Paragraph.plain(f"{closed} more done or dropped", "dim")
