"""Past runs, one line each."""

from collections.abc import Mapping, Sequence

from opsconsole.contracts.store import RunKey
from opsconsole.engine.overview import RunSummary
from opsconsole.model.outcomes import Result
from opsconsole.model.signoff import count_words
from opsconsole.screens.marks import STANDING_WIDTH, Mark
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row

_SIGNED = {Result.PASS: Mark("[x]", "PASS", "$success"), Result.FAIL: Mark("[!]", "FAIL", "bold $error")}
_UNSIGNED = Mark("[ ]", "UNSIGNED", "$warning")
_NOT_READ = Mark("[ ]", "...", "dim")


def history_row(key: RunKey, summary: RunSummary | None) -> Row:
    """Return the row of a run; of one that was not read yet only its period."""
    period = Piece(f"{key.period:<12}")
    if summary is None:
        return Row(key.id, (_NOT_READ.piece(STANDING_WIDTH), period))
    if summary.signed_at is None:
        return Row(key.id, (_UNSIGNED.piece(STANDING_WIDTH), period, Piece(count_words(summary.counts))))
    by = Piece(f"by {summary.signed_by}", "dim")
    return Row(
        key.id, (_SIGNED[summary.result].piece(STANDING_WIDTH), period, Piece(count_words(summary.counts))), (by,)
    )


def history_rows(keys: Sequence[RunKey], known: Mapping[str, RunSummary]) -> list[Row]:
    """Return one row for each run, in the order given."""
    return [history_row(key, known.get(key.id)) for key in keys]


def history_head(title: str, count: int) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return the left and the right part of the top line."""
    return (Piece(title, "bold"), Piece(" · History")), (Piece(f"{count:,} run{'' if count == 1 else 's'}"),)
