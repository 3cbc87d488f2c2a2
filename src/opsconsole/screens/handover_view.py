"""The handover: what was missed, what is to be done, and what was written the day before, ahead of all else."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from opsconsole.engine.overview import Gap, Present, RunSummary, Today
from opsconsole.model.actions import Action
from opsconsole.model.calendar import Standing
from opsconsole.model.checklists import Checklist
from opsconsole.model.text import visible
from opsconsole.screens.action_view import ACTION, action_paragraphs, action_row
from opsconsole.screens.marks import STANDING_WIDTH, Mark
from opsconsole.screens.phrases import first_line, moment, number_of, zone_of
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row

GAP = "gap:"
NOTE = "note:"
MORE = "more:"
"""Begin the keys of the rows; no id of a checklist holds a colon."""

_MISSED = Mark("[!]", "MISSED", "bold $error")
_UNSIGNED = Mark("[ ]", "UNSIGNED", "$warning")
_NOTE = Mark("[i]", "NOTE")
_MORE = Mark("   ", "", "dim")

_FINISHED = frozenset({Standing.SIGNED, Standing.DONE, Standing.EXPLAINED})


@dataclass(frozen=True, slots=True)
class Missed:
    """The periods of one checklist that were missed, or never signed, and that nobody has explained."""

    checklist: Checklist
    gaps: tuple[Gap, ...]
    """The latest first."""
    where: ZoneInfo


@dataclass(frozen=True, slots=True)
class Written:
    """Something that was written in the run before the present one."""

    checklist: Checklist
    run: RunSummary
    label: str
    """The field or the item that it is about; empty for the run."""
    text: str
    where: ZoneInfo


@dataclass(frozen=True, slots=True)
class Handover:
    """What whoever begins the day should know first."""

    missed: tuple[Missed, ...] = ()
    actions: tuple[Action, ...] = ()
    notes: tuple[Written, ...] = ()

    def note(self, key: str) -> Written | None:
        """Return the note that a row's key names."""
        number = key.removeprefix(NOTE)
        return self.notes[int(number)] if key != number and int(number) < len(self.notes) else None

    def gaps_of(self, key: str) -> tuple[Missed, ...]:
        """Return the missed periods that a row's key names: those of one checklist, or all."""
        if key == f"{MORE}{GAP}":
            return self.missed
        return tuple(each for each in self.missed if f"{GAP}{each.checklist.id}" == key)

    def action(self, key: str) -> Action | None:
        """Return the action item that a row's key names."""
        return next((each for each in self.actions if ACTION + each.id == key), None)


@dataclass(frozen=True, slots=True)
class Room:
    """How many lines each part of the handover may take before its last line says how much more there is."""

    missed: int
    actions: int
    notes: int


SMALL, LARGE = Room(2, 3, 2), Room(6, 10, 6)
"""For a terminal of 24 lines, and for one of 40 and more."""


def handover_of(known: Mapping[str, Today | str], actions: Sequence[Action], now: dt.datetime) -> Handover:
    """Return what is to be handed over, by where each checklist stands."""
    stands = [each for each in known.values() if isinstance(each, Today)]
    missed = (
        Missed(each.checklist, unexplained, zone_of(each.times))
        for each in stands
        if each.times is not None
        if (unexplained := tuple(gap for gap in each.gaps if gap.standing is Standing.MISSED))
    )
    notes = (
        Written(each.checklist, each.last, label, text, zone_of(each.times))
        for each in stands
        if each.last is not None and each.times is not None and _is_read_now(each, now)
        for label, text in each.said
    )
    return Handover(tuple(missed), tuple(actions), tuple(notes))


def _is_read_now(today: Today, now: dt.datetime) -> bool:
    """Return whether the notes of the run before are for now: from its due day on, until this one is finished."""
    if today.times is None or today.standing in _FINISHED:
        return False
    where = zone_of(today.times)
    is_due_day = today.times.due_at.astimezone(where).date() <= now.astimezone(where).date()
    return today.current is not None or today.standing is not Standing.UPCOMING or is_due_day


def handover_rows(handover: Handover, present: Present, room: Room) -> list[Row]:
    """Return the rows under their headings; none where there is nothing to hand over."""
    rows = [
        *_within(room.missed, [_missed_row(each) for each in handover.missed], GAP, "checklists with missed runs"),
        *_within(room.actions, list(_action_rows(handover, present)), ACTION, "action items"),
        *_within(room.notes, list(_note_rows(handover)), NOTE, "notes"),
    ]
    if not rows:
        return []
    return [_heading("handover", "Handover"), *rows, _heading("checklists", "Checklists")]


def _heading(key: str, text: str) -> Row:
    return Row(f"heading:{key}", (Piece(text, "bold"),), selectable=False)


def _within(most: int, rows: list[Row], kind: str, things: str) -> list[Row]:
    """Return as many rows as there is room for; the last says how many more there are."""
    if len(rows) <= most:
        return rows
    left = (_MORE.piece(STANDING_WIDTH), Piece(f"and {len(rows) - most + 1} more {things}", "dim"))
    return [*rows[: most - 1], Row(f"{MORE}{kind}", left, (Piece("Enter shows all", "dim"),))]


def _missed_row(missed: Missed) -> Row:
    latest, *others = missed.gaps
    mark = _UNSIGNED if all(each.unsigned for each in missed.gaps) else _MISSED
    more = f", and {len(others)} more" if others else ""
    text = f"{visible(missed.checklist.title)}  {latest.period}: {gap_words(latest)}{more}"
    return Row(GAP + missed.checklist.id, (mark.piece(STANDING_WIDTH), Piece(text)))


def gap_words(gap: Gap) -> str:
    """Return what is missing for a period that is over."""
    if gap.standing is Standing.EXPLAINED:
        return f"explained: {first_line(gap.why)}"
    if gap.unsigned:
        return "never signed"
    return "why is written, not signed yet" if gap.why else "nobody ran it"


def _action_rows(handover: Handover, present: Present) -> Iterator[Row]:
    for each in handover.actions:
        yield action_row(each, present.date(each.run))


def _note_rows(handover: Handover) -> Iterator[Row]:
    for number, each in enumerate(handover.notes):
        about = f"  on {visible(each.label)}" if each.label else ""
        title = Piece(f"{visible(each.checklist.title)}  ", "dim")
        left = (_NOTE.piece(STANDING_WIDTH), title, Piece(first_line(each.text)), Piece(about, "dim"))
        yield Row(f"{NOTE}{number}", left, (Piece(each.run.period, "dim"),))


def handover_paragraphs(handover: Handover, key: str, present: Present) -> list[Paragraph]:
    """Return everything about the row under the cursor."""
    action, note = handover.action(key), handover.note(key) if key.startswith(NOTE) else None
    if action is not None:
        return action_paragraphs(action, present.date(action.run), present.where(action.run))
    if note is not None:
        return note_paragraphs(note)
    if key == MORE + NOTE:
        return [part for each in handover.notes for part in note_paragraphs(each)]
    if key == MORE + ACTION:
        return [
            Paragraph(tuple(row.left) + tuple(Piece(f"  {each.text}", each.style) for each in row.right), 14)
            for row in _action_rows(handover, present)
        ]
    return [part for each in handover.gaps_of(key) for part in _missed_paragraphs(each)]


def note_paragraphs(note: Written) -> list[Paragraph]:
    """Return a note in full, with its place."""
    about = f" · {note.label}" if note.label else ""
    signed = f"signed by {note.run.signed_by}" if note.run.signed_by else "not signed"
    return [
        Paragraph.plain(f"{note.checklist.title} · {note.run.period}{about}", "bold"),
        Paragraph.plain(note.text),
        Paragraph.plain(f"{note.run.run}, {signed}", "dim"),
    ]


def _missed_paragraphs(missed: Missed) -> Iterator[Paragraph]:
    count = number_of(len(missed.gaps), "period")
    yield Paragraph.plain(f"{missed.checklist.title}: {count} without a signed run or an explanation", "bold")
    for gap in missed.gaps:
        mark = _UNSIGNED if gap.unsigned else _MISSED
        yield Paragraph(
            (
                mark.piece(STANDING_WIDTH),
                Piece(f"{gap.period}: {gap_words(gap)}"),
                Piece(f"  was due {moment(gap.due_at, missed.where)}", "dim"),
            ),
            14,
        )
    yield Paragraph(
        (
            Piece("to do  ", "dim"),
            Piece("Enter", "bold"),
            Piece(" opens it: to write why and sign that, or to sign late what was seen in time"),
        ),
        7,
    )
