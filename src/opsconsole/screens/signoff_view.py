"""What is signed, in words: everything that the statement binds, before it is signed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from opsconsole.model.actions import Action
from opsconsole.model.deeds import Corrected
from opsconsole.model.events import DECIDING, Clock, Meaning, Statement
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import Hurdle, count_words
from opsconsole.model.text import visible
from opsconsole.model.tiers import Tier
from opsconsole.screens.action_view import sign_off_paragraphs
from opsconsole.screens.amended_view import change_paragraphs
from opsconsole.screens.approval_view import approval_paragraphs
from opsconsole.screens.facts import LABEL, clock_words, fact
from opsconsole.screens.marks import OUTCOMES
from opsconsole.screens.missed_view import because_paragraphs
from opsconsole.screens.pen import Way
from opsconsole.screens.pen_view import signature_paragraphs, way_paragraphs
from opsconsole.screens.phrases import moment, moment_near, number_of, padded, zone_of
from opsconsole.screens.run_view import FIELD
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row

_MEANS = {
    Meaning.PERFORMED: "With S you sign that you performed this checklist:",
    Meaning.AMENDED: "With S you sign this amendment of the signed run:",
    Meaning.REVIEWED: "With S you sign that you reviewed this run:",
    Meaning.APPROVED: "With S you sign that you approve this qualification:",
    Meaning.REFUSED: "With S you sign that you refuse this qualification:",
}


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """The record of a run up to the statement that is to be signed."""

    events: int
    size: int
    """Bytes."""
    sha256: str


Seen = dict[str, tuple[str, ...]]
"""What an operator has seen of a run, by item or field, to be compared with what it is now."""


def hurdle_rows(to_do: Sequence[Hurdle]) -> list[Row]:
    """Return one row for each thing to do before the run can be signed; its key is that of the run's row."""
    if not to_do:
        return []
    head = Row(
        "heading", (Piece(f"Before it can be signed: {number_of(len(to_do), 'thing')} to do", "bold"),), (), False
    )
    rows = {}
    for each in to_do:
        key = each.item or FIELD + each.field
        rows[key] = Row(key, (Piece("[ ] "), Piece(visible(each.text))))
    return [head, *rows.values()]


@dataclass(frozen=True, slots=True)
class Preview:
    """Everything that is known of a signature before it is made."""

    statement: Statement
    way: Way | None
    """How it would be made; None as long as nobody has looked."""
    wanted: Tier
    """The weakest that the checklist takes."""
    record: RecordFacts | None = None
    """None as long as it was not read."""
    is_possible: bool = True
    """Whether it can be made now."""
    change: Corrected | None = None
    """The amendment that is to be signed, if it is one."""
    carried: tuple[Action, ...] = ()
    """What earlier runs left to be done."""


def statement_paragraphs(run: RunState, preview: Preview) -> list[Paragraph]:
    """Return everything that a signature would say and cover, before it is made."""
    statement = preview.statement
    where = zone_of(run.times)
    return [
        Paragraph.plain(
            _means(run, statement) if preview.is_possible else "What would be signed as it stands now:", "bold"
        ),
        *(change_paragraphs(preview.change, run) if preview.change is not None else ()),
        *approval_paragraphs(statement),
        *_results(run, statement),
        *_facts(run, statement),
        fact(
            "time",
            f"when you sign; {moment(statement.signed_at, where)} now, {clock_words(statement.clock)}",
            "" if statement.clock is Clock.SYNCHRONISED else "$warning",
        ),
        *_late(run, statement),
        *way_paragraphs(preview.way, preview.wanted, statement),
        *(() if _is_about_more(preview) else (*_not_green(run), *_sheet(run), *_to_be_done(run, preview))),
        *_bound(statement, preview.record),
    ]


def _is_about_more(preview: Preview) -> bool:
    """Return whether what is signed is an amendment or a decision, and not the run as it stands."""
    return preview.change is not None or preview.statement.meaning in DECIDING


def _late(run: RunState, statement: Statement) -> Iterator[Paragraph]:
    """Yield that a run was signed only after its period was over."""
    ends_at = run.times.ends_at
    performed = statement.meaning is Meaning.PERFORMED and not run.missed
    if performed and ends_at is not None and run.times.over(statement.signed_at):
        yield fact("LATE", f"its period was over at {moment(ends_at, zone_of(run.times))}", "bold $warning")


def _means(run: RunState, statement: Statement) -> str:
    if run.missed and statement.meaning is Meaning.PERFORMED:
        return "With S you sign why this run was missed; nothing of it can be seen any more:"
    return _MEANS[statement.meaning]


def _to_be_done(run: RunState, preview: Preview) -> Iterator[Paragraph]:
    today = preview.statement.signed_at.astimezone(zone_of(run.times)).date()
    return sign_off_paragraphs(run.actions.values(), preview.carried, today)


def signed_paragraphs(run: RunState) -> list[Paragraph]:
    """Return what was signed, by whom and when, of a signed run."""
    parts: list[Paragraph] = []
    changes = {each.seq: each for each in run.amendments}
    for each in run.signatures:
        statement, signature = each.body.statement, each.body.signature
        change = changes.get(each.seq)
        parts += [
            Paragraph.plain(("\n" if parts else "") + f"Signed as {statement.meaning}:", "bold"),
            *(change_paragraphs(change, run) if change is not None else ()),
            *approval_paragraphs(statement),
            *_result(statement),
            *_facts(run, statement),
            fact("time", f"{moment(statement.signed_at, zone_of(run.times))}, {clock_words(statement.clock)}"),
            *_late(run, statement),
            *signature_paragraphs(signature, statement),
            *_bound(statement, None),
        ]
    raised = sign_off_paragraphs(run.actions.values(), (), run.times.business_date)
    return [*parts, *_not_green(run), *_sheet(run), *raised]


def _results(run: RunState, statement: Statement) -> Iterator[Paragraph]:
    """Yield the result; of an amendment the one before it too."""
    if statement.amendment is not None:
        yield fact("before", f"{run.result}  {count_words(run.counts)}")
    yield from _result(statement)


def _result(statement: Statement) -> Iterator[Paragraph]:
    style = OUTCOMES[Outcome.PASS if statement.result is Result.PASS else Outcome.FAIL].style
    label = "result" if statement.amendment is None else "after"
    yield Paragraph(
        (
            Piece(f"{label:<{LABEL}}", "dim"),
            Piece(f"{statement.result}", style),
            Piece(f"  {count_words(statement.counts)}" if statement.counts else ""),
        ),
        LABEL,
    )


def _facts(run: RunState, statement: Statement) -> Iterator[Paragraph]:
    yield fact("run", f"{statement.run}, business date {statement.business_date}: {run.definition.title}")
    yield fact("meaning", f"{statement.meaning} by {statement.name} (login {statement.login}) on {statement.host}")


def _not_green(run: RunState) -> Iterator[Paragraph]:
    if run.missed:
        yield Paragraph.plain("\nMISSED", "bold $error")
        yield from because_paragraphs(run)
        return
    items = [each for each in run.items.values() if each.outcome is not Outcome.PASS]
    if not items:
        yield Paragraph.plain("\nEvery item passed.", "bold")
        return
    yield Paragraph.plain(f"\n{number_of(len(items), 'item')} that did not pass", "bold")
    for item in items:
        yield from _item(run, item)


def _item(run: RunState, state: ItemState) -> Iterator[Paragraph]:
    mark = OUTCOMES[state.outcome]
    yield Paragraph((mark.piece(), Piece(visible(state.item.title), "bold")), 12)
    if state.measured_summary:
        yield Paragraph.plain(" " * 12 + state.measured_summary, indent=12)
    where, day = zone_of(run.times), run.times.business_date
    for note in state.notes:
        when = moment_near(note.by.at, day, where)
        yield _said(f"note by {note.by.actor.shown} at {when}: ", note.text)
    if state.skipped is not None:
        yield _said(f"skipped by {state.skipped.by.actor.shown}: ", state.skipped.text)
    if state.waiver is not None:
        waiver = state.waiver
        yield _said(f"waived by {waiver.author} until {waiver.body.expires}: ", waiver.body.reason)


def _said(who: str, text: str) -> Paragraph:
    return Paragraph((Piece(" " * 12 + who, "dim"), Piece(text)), 12)


def _sheet(run: RunState) -> Iterator[Paragraph]:
    if run.missed:
        return  # its notes say why, and stand above
    if run.definition.fields or run.notes:
        yield Paragraph.plain("\nThe day's sheet", "bold")
    width = max((len(each.title) for each in run.definition.fields), default=0)
    for field in run.definition.fields:
        filled = run.fields.get(field.id)
        text = Piece(filled.text) if filled else Piece("not filled in", "dim")
        yield Paragraph((Piece(padded(f"{visible(field.title)}", width) + "  ", "dim"), text), width + 2)
    for note in run.notes:
        when = moment_near(note.by.at, run.times.business_date, zone_of(run.times))
        yield Paragraph((Piece(f"note by {note.by.actor.shown} at {when}: ", "dim"), Piece(note.text)), 2)


def _bound(statement: Statement, record: RecordFacts | None) -> Iterator[Paragraph]:
    yield Paragraph.plain("")
    yield fact("bound to", f"event {statement.head_seq} of the record, hash {statement.head_hash}")
    if record is not None:
        yield fact("covers", f"{number_of(record.events, 'event')}, {record.size:,} bytes, then all of the above")
        yield fact("SHA-256", record.sha256)
    yield fact("checklist", f"{statement.checklist}, definition {statement.definition_hash}")
    yield fact("record", f"store {statement.store_id}")
    if statement.amends and statement.meaning is not Meaning.PERFORMED:
        yield fact("follows", f"the sign-off {statement.amends}")


def seen_of(run: RunState) -> Seen:
    """Return what an operator sees of a run when the sign-off is shown."""
    seen: Seen = {
        each.item.title: (each.outcome, each.summary, *(note.text for note in each.notes))
        for each in run.items.values()
    }
    for field in run.definition.fields:
        filled = run.fields.get(field.id)
        seen[field.title] = (filled.text if filled else "",)
    seen["the notes on the run"] = tuple(note.text for note in run.notes)
    seen["the checklist itself"] = (run.definition_hash,)
    seen["what was signed"] = tuple(each.hash for each in run.signatures)
    return seen


def differences(before: Seen, after: Seen) -> list[str]:
    """Return in words what changed since the operator looked."""
    found = []
    for name in (*after, *(name for name in before if name not in after)):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if old and new and old[0] != new[0] and new[0] in list(Outcome):
            found.append(f"{name}: {old[0]} is {new[0]} now")
        else:
            found.append(f"{name} changed")
    return found
