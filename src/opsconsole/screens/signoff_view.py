"""What is signed, in words: everything that the statement binds, before it is signed."""

from collections.abc import Iterator, Sequence

from opsconsole.model.events import Statement
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.runs import ItemState, RunState
from opsconsole.model.signoff import Hurdle, count_words, hurdles
from opsconsole.model.text import visible
from opsconsole.model.tiers import Tier
from opsconsole.screens.marks import OUTCOMES
from opsconsole.screens.phrases import moment, moment_near, number_of, padded, zone_of
from opsconsole.screens.run_view import FIELD
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row

_MEANS = "With S you sign that you performed this checklist:"
_LABEL = 11

Seen = dict[str, tuple[str, ...]]
"""What an operator has seen of a run, by item or field, to be compared with what it is now."""


def _fact(label: str, text: str, style: str = "") -> Paragraph:
    return Paragraph((Piece(f"{label:<{_LABEL}}", "dim"), Piece(text, style)), _LABEL)


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


def statement_paragraphs(run: RunState, statement: Statement) -> list[Paragraph]:
    """Return everything that `statement` says about a run that is still open."""
    return [
        Paragraph.plain("What would be signed as it stands now:" if hurdles(run) else _MEANS, "bold"),
        *_facts(run, statement),
        _fact("time", f"the moment you sign ({moment(statement.signed_at, zone_of(run.times))} now)"),
        *_attributed(statement),
        *_not_green(run),
        *_sheet(run),
        *_bound(statement),
    ]


def signed_paragraphs(run: RunState) -> list[Paragraph]:
    """Return what was signed, by whom and when, of a signed run."""
    parts = []
    for each in run.signatures:
        statement = each.body.statement
        parts += [
            Paragraph.plain(f"Signed as {statement.meaning}:", "bold"),
            *_facts(run, statement),
            _fact("time", moment(statement.signed_at, zone_of(run.times))),
            *(_attributed(statement) if each.body.signature.tier is Tier.ATTRIBUTED else ()),
            *_bound(statement),
        ]
    return [*parts, *_not_green(run), *_sheet(run)]


def _facts(run: RunState, statement: Statement) -> Iterator[Paragraph]:
    style = OUTCOMES[Outcome.PASS if statement.result is Result.PASS else Outcome.FAIL].style
    yield Paragraph(
        (
            Piece(f"{'result':<{_LABEL}}", "dim"),
            Piece(f"{statement.result}", style),
            Piece(f"  {count_words(statement.counts)}"),
        ),
        _LABEL,
    )
    yield _fact("run", f"{statement.run}, business date {statement.business_date}: {run.definition.title}")
    yield _fact("meaning", f"{statement.meaning} by {statement.name} (login {statement.login}) on {statement.host}")


def _attributed(statement: Statement) -> Iterator[Paragraph]:
    yield _fact("proof", f"attributed to the login {statement.login}; not cryptographically signed", "$warning")


def _not_green(run: RunState) -> Iterator[Paragraph]:
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


def _bound(statement: Statement) -> Iterator[Paragraph]:
    yield Paragraph.plain("")
    yield _fact("bound to", f"event {statement.head_seq} of the record, hash {statement.head_hash}")
    yield _fact("checklist", f"{statement.checklist}, definition {statement.definition_hash}")
    yield _fact("record", f"store {statement.store_id}")


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
