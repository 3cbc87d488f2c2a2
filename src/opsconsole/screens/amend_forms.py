"""The forms of an amendment: what kinds there are, what each asks, and on to its signature."""

from collections.abc import Mapping
from dataclasses import dataclass

from opsconsole.engine.amending import amendment_now
from opsconsole.model.checklists import Field
from opsconsole.model.events import Amendment, AmendmentKind, Meaning
from opsconsole.model.item_state import ItemState
from opsconsole.screens.base import ConsoleScreen
from opsconsole.screens.form import Answer, Form, FormScreen
from opsconsole.screens.live import LiveRun
from opsconsole.screens.palette import Entry, PaletteScreen
from opsconsole.screens.run_view import mark_of

_LINES = 3


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be amended."""

    kind: AmendmentKind
    title: str
    """In the list to choose from, and above the form."""
    about: str = ""
    """What stands there now."""
    label: str = ""
    """Of what is to be typed beside the reason; empty where nothing is."""
    initial: str = ""
    item: str = ""
    field: str = ""
    qualification: str = ""
    run: str = ""
    """The run whose reset it documents, where that is another one than the amended."""

    @property
    def id(self) -> str:
        """Tells it from the others, and names its draft."""
        return f"{self.kind} {self.item or self.field or self.qualification}".strip()


def choices(live: LiveRun, item: ItemState | None, field: Field | None) -> list[Choice]:
    """Return what can be amended about the row under the cursor, and about the run."""
    found: list[Choice] = []
    if item is not None:
        name, title = item.item.id, item.item.title
        mark = mark_of(item)
        now = f"{title}\nis {mark.glyph} {mark.word.rstrip()}  {item.summary}"
        if item.item.entry is not None:
            before = item.typed.body.text if item.typed is not None else ""
            about = f"{now}\nentered: {before or 'nothing'}"
            what = f"Correct the entry: {item.item.entry.label}"
            found.append(Choice(AmendmentKind.ENTRY, what, about, "value", before, item=name))
        if item.failed is None:
            found.append(Choice(AmendmentKind.FAILED, f"Found failed after all: {title}", now, item=name))
        found.append(Choice(AmendmentKind.NOTE, f"Add a note: {title}", now, "note", item=name))
    if field is not None:
        filled = live.state.fields.get(field.id)
        before = filled.text if filled is not None else ""
        about = f"now: {before or 'nothing'}"
        found.append(
            Choice(AmendmentKind.FIELD, f"Correct the text: {field.title}", about, "text", before, field=field.id)
        )
    found.append(Choice(AmendmentKind.NOTE, "Add a note on the run as a whole", "", "note"))
    return found


def choose(screen: ConsoleScreen, live: LiveRun, item: ItemState | None, field: Field | None) -> None:
    """Ask what is to be amended, then for the words, then for the signature."""
    offered = {each.id: each for each in choices(live, item, field)}

    def chosen(name: str | None) -> None:
        if name:
            ask(screen, live, offered[name])

    entries = [Entry(name, each.title) for name, each in offered.items()]
    screen.app.push_screen(PaletteScreen("Amend the signed run", entries), chosen)


def ask(screen: ConsoleScreen, live: LiveRun, choice: Choice) -> None:
    """Ask for what an amendment says and why, and go on to its signature."""
    draft = (live.state.run, "amend", choice.id)
    lines = 1 if choice.kind is AmendmentKind.ENTRY else _LINES
    said = (Answer("text", choice.label, choice.initial, lines),) if choice.label else ()
    made: list[tuple[Amendment, Mapping[str, str]]] = []

    async def save(typed: Mapping[str, str]) -> str:
        amendment = amendment_now(
            live.session,
            choice.kind,
            typed["reason"],
            item=choice.item,
            field=choice.field,
            text=typed.get("text", ""),
            qualification=choice.qualification,
            about=choice.run,
        )
        made.append((amendment, typed))
        return ""

    def closed(answer: str | None) -> None:
        if not made:
            screen.say(answer or "")
            return
        amendment, typed = made[-1]
        # It is no more than a draft before it is signed.
        screen.console.drafts[draft] = dict(typed)
        _sign(screen, live, amendment, draft)

    form = Form(choice.title, choice.about, (*said, Answer("reason", "reason", lines=2)), draft, save)
    screen.app.push_screen(FormScreen(form), closed)


def _sign(screen: ConsoleScreen, live: LiveRun, amendment: Amendment, draft: tuple[str, ...]) -> None:
    from opsconsole.screens.signing import Purpose
    from opsconsole.screens.signoff import SignOffScreen

    purpose = Purpose(Meaning.AMENDED, amendment, draft)
    screen.app.push_screen(SignOffScreen(live.state, live, purpose))
