"""A run that nobody did: that it was missed, and why."""

from collections.abc import Iterator

from opsconsole.model.item_state import ItemState
from opsconsole.model.runs import RunState
from opsconsole.screens.commands import BY_ID
from opsconsole.screens.facts import SHORT_LABEL, short_fact
from opsconsole.screens.item_view import item_paragraphs
from opsconsole.screens.phrases import moment, moment_near, zone_of
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece


def missed_paragraphs(run: RunState, item: ItemState | None, *, editable: bool = True) -> list[Paragraph]:
    """Return the detail of a missed run: of one of its items, or what can be said about the run."""
    if item is not None:
        head = Paragraph((Piece("[-] UNSEEN", "dim"), Piece(f"  {item.item.title}", "bold")))
        said = Paragraph.plain("nobody looked at it: the run was missed, and it cannot be filled in afterwards")
        return [head, said, *item_paragraphs(run, item, editable=False)[1:]]
    return list(_missed(run, editable=editable))


def _missed(run: RunState, *, editable: bool) -> Iterator[Paragraph]:
    where = zone_of(run.times)
    yield Paragraph(
        (Piece("[!] MISSED", "bold $error"), Piece(f"  {run.definition.title}, {run.times.period.key}", "bold"))
    )
    yield short_fact("due", moment(run.times.due_at, where))
    if run.times.ends_at is not None:
        yield short_fact("over", moment(run.times.ends_at, where))
    yield short_fact(
        "opened", f"{moment(run.opened.at, where)} by {run.opened.actor.shown}: too late to look at anything"
    )
    yield from because_paragraphs(run)
    if editable:
        keys = ((BY_ID["run.note-run"].key, "say why"), (BY_ID["run.sign-off"].key, "sign that"))
        pieces = [Piece(f"{'to do':<{SHORT_LABEL}}", "dim")]
        for key, words in keys if not run.notes else keys[::-1]:
            pieces += [Piece(key, "bold"), Piece(f" {words}   ")]
        yield Paragraph(tuple(pieces), SHORT_LABEL)


def because_paragraphs(run: RunState) -> Iterator[Paragraph]:
    """Yield why a run was missed, in the words of whoever knows."""
    where = zone_of(run.times)
    for note in run.notes:
        when = moment_near(note.by.at, run.times.business_date, where)
        yield short_fact("because", note.text, "bold")
        yield short_fact("", f"{note.by.actor.shown}, {when}", "dim")
    if not run.notes:
        yield short_fact("because", "nobody has said why yet", "bold $warning")
