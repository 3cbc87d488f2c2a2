"""Every key of the console, declared once: bindings, footer, help and palette are made of this list."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate

from rich.cells import cell_len
from textual.binding import Binding

from opsconsole.widgets.pieces import Piece


class Where(StrEnum):
    """On which screen a command can be given; the value is its name for the operator."""

    ANYWHERE = "everywhere"
    TODAY = "Today"
    RUN = "a run"
    SIGN_OFF = "the sign-off"
    HISTORY = "the history"
    QUALIFICATION = "a qualification"
    DECISION = "a decision"
    CALENDAR = "the calendar"
    ACTIONS = "the action items"
    RUNBOOK = "a runbook"
    READER = "a text"
    FORM = "a form"
    PASSWORD = "the password"


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the operator can ask for."""

    where: Where
    name: str
    """Names the screen's method, `action_NAME`, and with `where` the binding, so that a key can be remapped."""
    keys: str
    """Textual's names of the keys, separated by commas; the first is shown. Empty: the focused widget has it."""
    label: str
    """One or two words for the footer."""
    help: str
    """A sentence for help and palette."""
    rank: int = 0
    """Its place in the footer, from the left; 0 keeps it out of there."""
    changes: bool = False
    """Whether it changes the run: not offered where the run can only be read."""
    shown: str = ""
    """How the key is written where that is not its name."""

    @property
    def id(self) -> str:
        """The binding's id, such as `run.tick`."""
        return f"{self.where.name.lower()}.{self.name}".replace("_", "-")

    @property
    def action(self) -> str:
        """What Textual runs for it."""
        return f"app.{self.name}" if self.where is Where.ANYWHERE else self.name

    @property
    def key(self) -> str:
        """The first key as the operator knows it."""
        first = self.keys.partition(",")[0]
        return self.shown or _WRITTEN.get(first) or _with_control(first)


def _with_control(key: str) -> str:
    return f"Ctrl+{key.removeprefix('ctrl+').upper()}" if key.startswith("ctrl+") else key


_WRITTEN = {
    "space": "Space",
    "enter": "Enter",
    "escape": "Esc",
    "exclamation_mark": "!",
    "question_mark": "?",
    "slash": "/",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "tab": "Tab",
    "shift+tab": "Shift+Tab",
}


COMMANDS: tuple[Command, ...] = (
    Command(Where.TODAY, "open", "", "open", "Open the run of the checklist, and measure it", 1, shown="Enter"),
    Command(Where.TODAY, "history", "h", "history", "Past runs of the checklist", 2),
    Command(Where.TODAY, "days", "d", "days", "Its qualification: which days count, what is missing, decisions", 4),
    Command(Where.TODAY, "calendar", "c", "calendar", "A calendar of how its runs went, over months", 5),
    Command(Where.TODAY, "actions", "a", "actions", "Everything that is to be done, of all checklists", 3),
    Command(Where.TODAY, "reload", "r", "reload", "Read again where every checklist stands", 4),
    Command(Where.TODAY, "page_down", "right_square_bracket", "page down", "Turn the lower part a page on"),
    Command(Where.TODAY, "page_up", "left_square_bracket", "page up", "Turn the lower part a page back"),
    Command(Where.TODAY, "other_pane", "tab", "other part", "Move the keys between the parts of the screen"),
    Command(Where.RUN, "tick", "space", "tick", "Tick a manual item, or take its tick back", 1, changes=True),
    Command(
        Where.RUN, "enter", "e", "enter", "Enter a value, or fill in a line of the day's sheet", 2, changes=True
    ),
    Command(Where.RUN, "note", "n", "note", "Write a note on the item", 3, changes=True),
    Command(Where.RUN, "skip", "s", "skip", "Declare the item not applicable, with a reason", 4, changes=True),
    Command(Where.RUN, "waive", "w", "waive", "Accept the item until a date, with a reason", 5, changes=True),
    Command(Where.RUN, "restore", "u", "undo skip", "Take a skip or a waiver back", changes=True),
    Command(Where.RUN, "measure", "r", "again", "Measure the item again", 6, changes=True),
    Command(Where.RUN, "measure_all", "m,R", "measure all", "Measure all items again", changes=True),
    Command(Where.RUN, "fill", "f", "sheet", "Fill in the next open line of the day's sheet", 8, changes=True),
    Command(Where.RUN, "note_run", "N", "note on run", "Write a note on the run as a whole", changes=True),
    Command(Where.RUN, "raise_action", "i", "action item", "Note what is to be done about the item", 8),
    Command(Where.RUN, "raise_action_run", "I", "action on run", "Note what is to be done about the whole run"),
    Command(Where.RUN, "handle_action", "", "done, change", "Say what became of the action item", 1, shown="Enter"),
    Command(Where.RUN, "resume", "o", "resume", "Go on with a past run that nobody signed", 1),
    Command(Where.RUN, "amend", "a", "amend", "Correct the signed run or add to it, with a reason, signed", 1),
    Command(Where.RUN, "review", "v", "review", "Sign that you have reviewed what another person signed", 2),
    Command(Where.RUN, "sign_off", "g", "sign", "See what is signed, and sign it", 7),
    Command(Where.RUN, "read", "", "read", "Read the whole detail; Esc goes back to the list", shown="Enter"),
    Command(Where.RUN, "filter", "exclamation_mark", "not green", "Show only what is not green, or everything", 9),
    Command(Where.RUN, "find", "slash", "find", "Go to an item by a part of its title"),
    Command(Where.RUN, "runbook", "b", "runbook", "Show the runbook of the item", 10),
    Command(Where.RUN, "copy", "y", "copy", "Copy the command that shows by hand what was measured", 12),
    Command(Where.RUN, "alone", "Y", "show alone", "Show that command alone, to select with the mouse"),
    Command(Where.RUN, "export", "x", "export", "Write the day log to a file", 11),
    Command(Where.RUN, "history", "h", "history", "Past runs of the checklist"),
    Command(Where.RUN, "days", "d", "days", "Its qualification: which days count, what is missing, decisions"),
    Command(Where.RUN, "page_down", "right_square_bracket", "page down", "Turn the detail a page on"),
    Command(Where.RUN, "page_up", "left_square_bracket", "page up", "Turn the detail a page back"),
    Command(Where.RUN, "other_pane", "tab", "other pane", "Move the keys between list and detail"),
    Command(Where.SIGN_OFF, "sign", "S", "sign it", "Sign exactly what is shown", 1, changes=True),
    Command(
        Where.SIGN_OFF, "attribute", "Y", "yes, no proof", "Sign without a key, after S: attributed to the login", 2
    ),
    Command(Where.SIGN_OFF, "go", "", "go there", "Go to what is still to be done", 3, changes=True, shown="Enter"),
    Command(Where.SIGN_OFF, "choose_key", "c", "other key", "Choose with which key to sign, or to sign without", 4),
    Command(Where.SIGN_OFF, "look_again", "r", "look again", "Look again for keys, in the agent and in files", 5),
    Command(Where.SIGN_OFF, "document", "d", "exact bytes", "Read the exact bytes that the signature is over", 6),
    Command(Where.SIGN_OFF, "export", "x", "export", "Write the day log to a file", 7),
    Command(Where.SIGN_OFF, "other_pane", "tab", "other pane", "Move the keys between the two parts"),
    Command(Where.HISTORY, "open", "", "read", "Read the run; nothing about it can be changed", 1, shown="Enter"),
    Command(Where.HISTORY, "reload", "r", "reload", "Look again which runs there are", 2),
    Command(Where.HISTORY, "calendar", "c", "calendar", "A calendar of how the runs went, over months", 3),
    Command(
        Where.QUALIFICATION,
        "open",
        "",
        "open",
        "Open what the row is about; unfold an earlier count",
        1,
        shown="Enter",
    ),
    Command(Where.QUALIFICATION, "reason", "w", "why reset", "Document why the count began anew, signed", 2),
    Command(
        Where.QUALIFICATION,
        "exclude",
        "e",
        "exclude",
        "Ask for a day not to count, neither for nor against, signed",
        6,
    ),
    Command(
        Where.QUALIFICATION, "review", "v", "review", "Sign as a second person that you have reviewed the day", 5
    ),
    Command(Where.QUALIFICATION, "final_review", "f", "final review", "Open the run of the final review", 4),
    Command(Where.QUALIFICATION, "decide", "a", "decide", "See all there is to decide on; approve or refuse", 3),
    Command(Where.QUALIFICATION, "calendar", "c", "calendar", "A calendar of how the runs went, over months", 7),
    Command(Where.QUALIFICATION, "history", "h", "history", "Past runs of the checklist", 8),
    Command(Where.QUALIFICATION, "reload", "r", "verify", "Read the record again, and verify it", 9),
    Command(Where.QUALIFICATION, "page_down", "right_square_bracket", "page down", "Turn the detail a page on"),
    Command(Where.QUALIFICATION, "page_up", "left_square_bracket", "page up", "Turn the detail a page back"),
    Command(Where.QUALIFICATION, "other_pane", "tab", "other pane", "Move the keys between list and detail"),
    Command(
        Where.DECISION, "approve", "a", "approve", "Approve: say whether it is ready, then sign", 1, changes=True
    ),
    Command(Where.DECISION, "refuse", "n", "refuse", "Refuse: say why, then sign", 2, changes=True),
    Command(Where.DECISION, "reload", "r", "verify again", "Read the record again, and verify it", 3),
    Command(
        Where.CALENDAR, "open", "", "open", "Open the run; one that nobody ran opens to say why", 1, shown="Enter"
    ),
    Command(Where.CALENDAR, "earlier", "left_square_bracket,pageup", "earlier", "Look at the time before", 2),
    Command(Where.CALENDAR, "later", "right_square_bracket,pagedown", "later", "Look at the time after", 3),
    Command(Where.CALENDAR, "history", "h", "history", "Past runs of the checklist", 4),
    Command(Where.CALENDAR, "reload", "r", "reload", "Read the record again", 5),
    Command(Where.ACTIONS, "handle", "", "done, change", "Say what became of it", 1, shown="Enter"),
    Command(Where.ACTIONS, "filter", "c", "closed too", "Show those that are done or dropped, or hide them", 2),
    Command(Where.ACTIONS, "open_run", "o", "its run", "Read the run that it was raised in", 3),
    Command(Where.ACTIONS, "reload", "r", "reload", "Look again what is to be done", 4),
    Command(Where.ACTIONS, "page_down", "right_square_bracket", "page down", "Turn the lower part a page on"),
    Command(Where.ACTIONS, "page_up", "left_square_bracket", "page up", "Turn the lower part a page back"),
    Command(Where.ACTIONS, "other_pane", "tab", "other part", "Move the keys between the parts of the screen"),
    Command(Where.RUNBOOK, "next", "tab,n", "next command", "Go to the next command", 1),
    Command(Where.RUNBOOK, "previous", "shift+tab,p", "the one before", "Go to the command before", 4),
    Command(Where.RUNBOOK, "copy", "y", "copy", "Copy the command; nothing is ever run from here", 2),
    Command(Where.RUNBOOK, "alone", "enter,Y", "show alone", "Show the command alone, to select with the mouse", 3),
    Command(Where.RUNBOOK, "page_down", "right_square_bracket", "page down", "Turn a page on"),
    Command(Where.RUNBOOK, "page_up", "left_square_bracket", "page up", "Turn a page back"),
    Command(Where.FORM, "save", "", "save", "Save what was typed", 1, shown="Enter"),
    Command(Where.FORM, "break_line", "", "new line", "Begin a new line", 2, shown="Ctrl+J"),
    Command(Where.FORM, "editor", "ctrl+o", "editor", "Go on in $EDITOR", 3),
    Command(Where.FORM, "keep", "escape", "back", "Go back; what was typed is kept as a draft", 4),
    Command(Where.PASSWORD, "give", "", "sign", "Sign, where the system takes the password", 1, shown="Enter"),
    Command(Where.PASSWORD, "cancel", "escape", "back", "Go back; nothing is signed, the password is forgotten", 2),
    Command(Where.ANYWHERE, "back", "escape", "back", "Go back one step"),
    Command(Where.ANYWHERE, "help", "question_mark", "help", "All keys, and what the marks mean", 91),
    Command(Where.ANYWHERE, "redraw", "ctrl+l", "redraw", "Draw the screen anew, after something wrote over it"),
    Command(Where.ANYWHERE, "palette", "ctrl+p,colon", "commands", "Find a command by its name"),
    Command(
        Where.ANYWHERE, "leave", "q,ctrl+q", "quit", "Leave; everything saved stays, the run can be resumed", 92
    ),
)
"""In the order of help and palette."""

_WAY_BACK = 90

BY_ID = {each.id: each for each in COMMANDS}
"""The commands by their ids."""


def commands_of(where: Where, *, changing: bool = True, anywhere: bool = True) -> list[Command]:
    """Return the commands of a screen, without those that change a run where `changing` is false."""
    places = {where, Where.ANYWHERE} if anywhere else {where}
    return [each for each in COMMANDS if each.where in places and (changing or not each.changes)]


def with_way_back(commands: Iterable[Command], label: str) -> list[Command]:
    """Return `commands` with the key that goes back in the footer, called `label`."""
    back = BY_ID["anywhere.back"]
    return [replace(each, label=label, rank=_WAY_BACK) if each is back else each for each in commands]


def bindings(where: Where) -> list[Binding]:
    """Return the bindings of a screen's own keys."""
    return [
        Binding(each.keys, each.name, each.label, show=False, tooltip=each.help, id=each.id)
        for each in COMMANDS
        if each.where is where and each.keys
    ]


def footer(commands: Iterable[Command], width: int) -> tuple[Piece, ...]:
    """Return the line of keys: by rank, as many as fit into `width` cells; those of every screen always."""
    ranked = sorted((each for each in commands if each.rank), key=lambda each: each.rank)
    ends = accumulate(map(_cells, (each for each in ranked if each.where is not Where.ANYWHERE)))
    always = [each for each in ranked if each.where is Where.ANYWHERE]
    room = width - sum(map(_cells, always))
    chosen = [each for each, end in zip(ranked, ends, strict=False) if end <= room]
    pieces: list[Piece] = []
    for each in (*chosen, *always):
        pieces += [Piece(each.key, "bold"), Piece(f" {each.label}  ")]
    return tuple(pieces)


def _cells(each: Command) -> int:
    return cell_len(f"{each.key} {each.label}  ")
