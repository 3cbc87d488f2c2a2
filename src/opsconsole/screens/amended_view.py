"""Amendments in words: what stood there, what stands there now, who changed it, when and why."""

from collections.abc import Iterable, Iterator

from opsconsole.model.deeds import Corrected
from opsconsole.model.events import Amendment, AmendmentKind
from opsconsole.model.outcomes import Outcome
from opsconsole.model.runs import RunState
from opsconsole.screens.facts import fact
from opsconsole.screens.phrases import moment_near, zone_of
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece

_OF_QUALIFICATIONS = frozenset({AmendmentKind.RESET, AmendmentKind.EXCLUDED})
"""Kinds that say something of the run and replace nothing in it."""


def what_of(amendment: Amendment) -> str:
    """Return what an amendment does."""
    match amendment.kind:
        case AmendmentKind.NOTE:
            return "note added"
        case AmendmentKind.ENTRY:
            return "entry corrected"
        case AmendmentKind.FIELD:
            return "text corrected"
        case AmendmentKind.FAILED:
            return "found failed after all"
        case AmendmentKind.RESET:
            return f"reset of {amendment.about} documented"
        case AmendmentKind.EXCLUDED:
            return f"exclusion from {amendment.qualification} asked for"


def becomes_of(amendment: Amendment) -> str:
    """Return what stands there with an amendment."""
    match amendment.kind:
        case AmendmentKind.ENTRY if amendment.judgement is not None:
            return f"{amendment.text} ({amendment.judgement.outcome}): {amendment.judgement.summary}"
        case AmendmentKind.FAILED:
            return str(Outcome.FAIL)
        case _:
            return amendment.text


def subject_of(amendment: Amendment, run: RunState) -> str:
    """Return what an amendment is about: the title of an item or a field, or the run as a whole."""
    state = run.items.get(amendment.item) or run.retired.get(amendment.item)
    if state is not None:
        return state.item.title
    field = next((each.title for each in run.definition.fields if each.id == amendment.field), amendment.field)
    return field or "the run as a whole"


def amended_paragraphs(made: Iterable[Corrected], run: RunState, *, named: bool = False) -> Iterator[Paragraph]:
    """Yield amendments that were made, each with what it replaced; `named`: and with what it is about."""
    for each in made:
        amendment = each.amendment
        when = moment_near(each.by.at, run.times.business_date, zone_of(run.times))
        about = f" ({subject_of(amendment, run)})" if named else ""
        yield Paragraph(
            (
                Piece(f"{each.by.actor.shown} at {when}  ", "dim"),
                Piece(f"{what_of(amendment)}{about}", "bold"),
            ),
            2,
        )
        if amendment.kind is AmendmentKind.NOTE:
            yield Paragraph((Piece("    note ", "dim"), Piece(amendment.text)), 9)
        elif amendment.kind not in _OF_QUALIFICATIONS:
            yield Paragraph((Piece("    was  ", "dim"), Piece(each.was or "nothing")), 9)
            yield Paragraph((Piece("    is   ", "dim"), Piece(becomes_of(amendment))), 9)
        yield Paragraph((Piece("    why  ", "dim"), Piece(amendment.reason)), 9)


def change_paragraphs(change: Corrected, run: RunState) -> Iterator[Paragraph]:
    """Yield what an amendment that is about to be signed would change."""
    amendment = change.amendment
    yield fact("amendment", f"{what_of(amendment)}: {subject_of(amendment, run)}", "bold")
    if amendment.kind is AmendmentKind.NOTE:
        yield fact("note", amendment.text)
    elif amendment.kind not in _OF_QUALIFICATIONS:
        yield fact("was", change.was or "nothing")
        yield fact("becomes", becomes_of(amendment))
    yield fact("reason", amendment.reason)
