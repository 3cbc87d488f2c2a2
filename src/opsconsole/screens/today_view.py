"""Where every checklist stands, in one line each, and everything about the one under the cursor."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from rich.cells import cell_len

from opsconsole.engine.overview import RunSummary, Today
from opsconsole.model.calendar import Standing
from opsconsole.model.checklists import Checklist
from opsconsole.model.outcomes import UNMEASURED, Result
from opsconsole.model.signoff import count_words
from opsconsole.model.text import visible
from opsconsole.screens.facts import amended_words
from opsconsole.screens.marks import STANDING_WIDTH, Mark
from opsconsole.screens.phrases import day, due, minute_near, moment, number_of, padded, zone_of
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece
from opsconsole.widgets.rows import Row

_TITLE_AT_MOST = 34

_READING = Mark("[ ]", "...", "dim")
_TO_SIGN = Mark("[~]", "TO SIGN", "$warning")
_SIGNED = {Result.PASS: Mark("[x]", "PASS", "$success"), Result.FAIL: Mark("[!]", "FAIL", "bold $error")}
_STANDINGS = {
    Standing.UPCOMING: Mark("[ ]", "UPCOMING", "dim"),
    Standing.DUE: Mark("[ ]", "DUE", "bold"),
    Standing.OVERDUE: Mark("[!]", "OVERDUE", "bold $error"),
    Standing.MISSED: Mark("[!]", "MISSED", "bold $error"),
    Standing.SIGNED: Mark("[x]", "SIGNED", "$success"),
}


def mark_of(today: Today) -> Mark:
    """Return how a checklist stands: what was signed, else how late it is, else whether it only waits for that."""
    current = today.current
    if today.standing is Standing.SIGNED and current is not None:
        return _SIGNED.get(current.result, _STANDINGS[Standing.SIGNED])
    if today.standing in {Standing.UPCOMING, Standing.DUE} and current is not None and is_seen(current):
        return _TO_SIGN
    return _STANDINGS[today.standing]


def is_seen(run: RunSummary) -> bool:
    """Return whether every item of a run has an outcome, so that only the signature is missing."""
    return bool(run.counts) and not UNMEASURED & run.counts.keys()


def today_rows(
    checklists: Mapping[str, Checklist], known: Mapping[str, Today | str], now: dt.datetime, *, wide: bool = False
) -> list[Row]:
    """Return one row for each checklist, in their order; one that was not read yet has its title only.

    `known` holds where each stands, or why that could not be found out. `wide`: there are 100 columns or more.
    """
    titles = [visible(each.title) for each in checklists.values()]
    column = min(_TITLE_AT_MOST, max(map(cell_len, titles), default=0))
    dues = {
        name: due(each.times.due_at, now, zone_of(each.times))
        for name, each in known.items()
        if isinstance(each, Today)
    }
    width = max(map(len, dues.values()), default=0)
    return [
        _row(name, padded(title, column), known.get(name), dues.get(name, "").ljust(width), wide=wide)
        for name, title in zip(checklists, titles, strict=True)
    ]


def _row(name: str, title: str, today: Today | str | None, due_at: str, *, wide: bool) -> Row:
    if today is None:
        return Row(name, (_READING.piece(STANDING_WIDTH), Piece(title)))
    if isinstance(today, str):
        return Row(
            name,
            (Mark("[?]", "ERROR", "bold $error").piece(STANDING_WIDTH), Piece(title), Piece(f"  {today}", "dim")),
        )
    left = (mark_of(today).piece(STANDING_WIDTH), Piece(title), Piece(f"  {due_at}  "), Piece(progress(today)))
    return Row(name, left, (Piece(last_result(today, wide=wide), "dim"),))


def progress(today: Today) -> str:
    """Return what became of the present run so far."""
    current = today.current
    if current is None:
        return "not opened"
    if current.signed_at is not None:
        at = minute_near(current.signed_at, today.times.business_date, zone_of(today.times))
        return f"signed {at}{_amended(current)}, {count_words(current.counts)}"
    return count_words(current.counts)


def _amended(run: RunSummary) -> str:
    if not run.amendments or run.signed_result is None:
        return ""
    return amended_words(run.signed_result, run.result)


def last_result(today: Today, *, wide: bool) -> str:
    """Return whether a run is missing before this one, and how the one before ended where there is room for it."""
    if today.last is None:
        return ""
    if not wide:
        return "GAP" if today.gap else ""
    ended = f"{today.last.result}{' (amended)' if today.last.amendments else ''}"
    ended = ended if today.last.signed_at is not None else "not signed"
    return f"last {ended}{', GAP' if today.gap else ''}"


def today_paragraphs(today: Today | str | None) -> list[Paragraph]:
    """Return everything about the checklist under the cursor."""
    if today is None:
        return [Paragraph.plain("reading the record …", "dim")]
    if isinstance(today, str):
        return [Paragraph.plain(today, "$error")]
    return list(_facts(today))


def _fact(label: str, text: str, style: str = "") -> Paragraph:
    return Paragraph((Piece(f"{label:<9}", "dim"), Piece(text, style)), 9)


def _facts(today: Today) -> Iterator[Paragraph]:
    where = zone_of(today.times)
    yield Paragraph.plain(today.checklist.title, "bold")
    if today.checklist.help:
        yield Paragraph.plain(today.checklist.help)
    times = today.times
    late = minute_near(times.overdue_at, times.due_at.astimezone(where).date(), where)
    yield _fact("due", f"{moment(times.due_at, where)}, overdue from {late} ({times.timezone})")
    if today.current is None:
        yield _fact("run", f"{today.run}, not opened yet")
    else:
        result = "" if today.current.signed_at is None else f"{today.current.result}, "
        yield _fact("run", f"{today.run}: {result}{count_words(today.current.counts)}")
        if today.current.signed_at is not None:
            yield _fact("signed", _signed(today.current, today.current.signed_at, where))
    if today.monitoring is not None:
        yield _fact("day", str(today.monitoring))
    yield from _before(today)


def _signed(run: RunSummary, at: dt.datetime, where: ZoneInfo) -> str:
    """Return when and by whom a run was signed and how, and what became of it afterwards."""
    tier = f", {run.tier}" if run.tier is not None else ""
    amended = f"; signed as {run.signed_result}{_amended(run)}" if run.amendments else ""
    reviewed = f"; reviewed by {run.reviewed_by}" if run.reviewed_by else ""
    return f"{moment(at, where)} by {run.signed_by}{tier}{amended}{reviewed}"


def _before(today: Today) -> Iterator[Paragraph]:
    if today.last is None:
        yield _fact("last", "there is no earlier run")
        return
    last, where = today.last, zone_of(today.times)
    if last.signed_at is None:
        text = f"{last.period}: never signed, {count_words(last.counts)}"
    else:
        text = f"{last.period}: {last.result}, {count_words(last.counts)}; "
        text += f"signed {_signed(last, last.signed_at, where)}"
    yield _fact("last", text)
    if today.gap:
        yield _fact("GAP", "the period before this one has no signed run", "bold $warning")


def notice_paragraphs(
    notices: Sequence[str], problems: Sequence[str], alarms: Sequence[str] = ()
) -> list[Paragraph]:
    """Return what the operator should know of the installation: what is wrong with the record first."""
    parts = [Paragraph((Piece("[ALARM] ", "bold $error"), Piece(each, "bold $error")), 8) for each in alarms]
    if problems:
        parts.append(
            Paragraph.plain(f"{number_of(len(problems), 'problem')} with the configuration", "bold $error")
        )
        parts += [Paragraph((Piece("[!] ", "bold $error"), Piece(each)), 4) for each in problems]
    parts += [Paragraph((Piece("note  ", "dim"), Piece(each)), 6) for each in notices]
    return parts


def today_head(person: str, now: dt.datetime) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return the left and the right part of the top line."""
    return (Piece("opsconsole", "bold"), Piece(f" · Today · {day(now.date())}")), (Piece(person),)
