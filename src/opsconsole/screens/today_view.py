"""Where every checklist stands, in one line each, and everything about the one under the cursor."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

from rich.cells import cell_len

from opsconsole.engine.overview import RunSummary, Today
from opsconsole.model.calendar import Standing, Times
from opsconsole.model.checklists import Checklist
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.signoff import count_words
from opsconsole.model.text import visible
from opsconsole.screens.facts import amended_words, short_fact
from opsconsole.screens.handover_view import gap_words
from opsconsole.screens.marks import STANDING_WIDTH, Mark
from opsconsole.screens.phrases import day, due, minute_near, moment, number_of, padded, reflowed, zone_of
from opsconsole.screens.qualification_view import progress_bar, progress_words
from opsconsole.widgets.evidence import Paragraph
from opsconsole.widgets.pieces import Piece, cut
from opsconsole.widgets.rows import Row

_TITLE_AT_MOST = 34
"""Cells of a title on a screen of 80 columns."""
_BESIDE_TITLE = 60
"""Cells that a wider screen keeps for everything else; the pane below has the whole title."""
_WIDE = 100
_GAPS_NAMED = 5

_READING = Mark("[ ]", "...", "dim")
_BROKEN = Mark("[?]", "ERROR", "bold $error")
_TO_SIGN = Mark("[~]", "TO SIGN", "$warning")
_WAITS = Mark("[ ]", "WAITS", "dim")
_SIGNED = {Result.PASS: Mark("[x]", "PASS", "$success"), Result.FAIL: Mark("[!]", "FAIL", "bold $error")}
_STANDINGS = {
    Standing.UPCOMING: Mark("[ ]", "UPCOMING", "dim"),
    Standing.DUE: Mark("[ ]", "DUE", "bold"),
    Standing.OVERDUE: Mark("[!]", "OVERDUE", "bold $error"),
    Standing.MISSED: Mark("[!]", "MISSED", "bold $error"),
    Standing.EXPLAINED: Mark("[-]", "EXPLAINED", "$warning"),
    Standing.SIGNED: Mark("[x]", "SIGNED", "$success"),
    Standing.DONE: Mark("[x]", "DONE", "$success"),
}
_RANKS = {
    _BROKEN: 0,
    _STANDINGS[Standing.OVERDUE]: 0,
    _STANDINGS[Standing.MISSED]: 0,
    _STANDINGS[Standing.DUE]: 1,
    _TO_SIGN: 2,
    _STANDINGS[Standing.UPCOMING]: 3,
    _WAITS: 4,
}
_NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)
_WORST_FIRST = (
    Outcome.FAIL,
    Outcome.ERROR,
    Outcome.BLOCKED,
    Outcome.WARN,
    Outcome.PENDING,
    Outcome.WAIVED,
    Outcome.SKIPPED,
    Outcome.PASS,
)
_FINISHED = 5
"""The rank of what is signed, done or explained."""


def mark_of(today: Today) -> Mark:
    """Return how a checklist stands: what was signed, else how late it is, else whether it only waits for that."""
    current = today.current
    if today.times is None:
        return _WAITS
    if today.standing is Standing.SIGNED and current is not None:
        return _SIGNED.get(current.result, _STANDINGS[Standing.SIGNED])
    if today.standing in {Standing.UPCOMING, Standing.DUE} and today.waiting:
        return _TO_SIGN
    return _STANDINGS[today.standing]


def ranked(checklists: Iterable[str], known: Mapping[str, Today | str]) -> tuple[str, ...]:
    """Return the checklists in the order of their urgency: what needs the operator first.

    Overdue, due, waiting for a signature, upcoming, waiting for a qualification, finished; within each what will be
    missed first, then what is due first.
    """
    return tuple(sorted(checklists, key=lambda name: _urgency(known.get(name))))


def _urgency(today: Today | str | None) -> tuple[int, dt.datetime, dt.datetime]:
    if not isinstance(today, Today):
        return _RANKS[_BROKEN], _NEVER, _NEVER
    mark, times = mark_of(today), today.times
    due_at = today.next_due_at or (times.due_at if times is not None else _NEVER)
    rank = _RANKS.get(mark, _FINISHED)
    missed_at = times.ends_at if times is not None and rank < _RANKS[_STANDINGS[Standing.UPCOMING]] else None
    return rank, missed_at or due_at, due_at


def today_rows(
    checklists: Mapping[str, Checklist], known: Mapping[str, Today | str], now: dt.datetime, *, width: int = 80
) -> list[Row]:
    """Return one row for each checklist, in their order; one that was not read yet has its title only.

    `known` holds where each stands, or why that could not be found out; `width` is that of the screen.
    """
    at_most = max(_TITLE_AT_MOST, width - _BESIDE_TITLE)
    titles = [cut(visible(each.title), at_most) for each in checklists.values()]
    column = max(map(cell_len, titles), default=0)
    dues = {
        name: due(_due_at(each, each.times), now, zone_of(each.times))
        for name, each in known.items()
        if isinstance(each, Today) and each.times is not None
    }
    due_width = max(map(len, dues.values()), default=0)
    return [
        _row(name, padded(title, column), known.get(name), dues.get(name, "").ljust(due_width), wide=width >= _WIDE)
        for name, title in zip(checklists, titles, strict=True)
    ]


def _due_at(today: Today, times: Times) -> dt.datetime:
    """Return when it is due, or was, where it is late."""
    late = mark_of(today) in {_STANDINGS[Standing.OVERDUE], _STANDINGS[Standing.MISSED]}
    return times.due_at if late else today.next_due_at or times.due_at


def _row(name: str, title: str, today: Today | str | None, due_at: str, *, wide: bool) -> Row:
    if today is None:
        return Row(name, (_READING.piece(STANDING_WIDTH), Piece(title)))
    if isinstance(today, str):
        return Row(
            name,
            (_BROKEN.piece(STANDING_WIDTH), Piece(title), Piece(f"  {today}", "dim")),
        )
    left = (
        mark_of(today).piece(STANDING_WIDTH),
        Piece(title),
        Piece(f"  {due_at}  "),
        Piece(progress(today, wide=wide)),
    )
    return Row(name, left, (Piece(last_result(today, wide=wide), "dim"),))


def progress(today: Today, *, wide: bool = True) -> str:
    """Return what became of the present run so far; what is not well first, where the end may be cut off."""
    current = today.current
    if today.times is None:
        return today.waits_for
    if current is None:
        return "not opened"
    if current.result is Result.MISSED:
        return f"missed: {current.why}" if current.why else "missed, nobody has said why"
    if current.signed_at is not None:
        at = minute_near(current.signed_at, today.times.business_date, zone_of(today.times))
        return f"signed {at}{_amended(current)}, {count_words(current.counts)}"
    if wide:
        return count_words(current.counts)
    found = [f"{current.counts[each]} {each.lower()}" for each in _WORST_FIRST if current.counts.get(each)]
    return ", ".join(found) or count_words(current.counts)


def _amended(run: RunSummary) -> str:
    if not run.amendments or run.signed_result is None:
        return ""
    return amended_words(run.signed_result, run.result)


def last_result(today: Today, *, wide: bool) -> str:
    """Return the day of monitoring, whether a run is missing, and how the one before ended where there is room."""
    gap = "GAP" if any(each.standing is Standing.MISSED for each in today.gaps) else ""
    counted = str(today.monitoring) if today.monitoring is not None else ""
    if not wide or today.last is None:
        return ", ".join(filter(None, (counted, gap)))
    ended = f"{today.last.result}{' (amended)' if today.last.amendments else ''}"
    if today.last.signed_at is None and today.checklist.needs_signature:
        ended = "not signed"
    return ", ".join(filter(None, (counted, f"last {ended}", gap)))


def today_paragraphs(today: Today | str | None) -> list[Paragraph]:
    """Return everything about the checklist under the cursor."""
    if today is None:
        return [Paragraph.plain("reading the record …", "dim")]
    if isinstance(today, str):
        return [Paragraph.plain(today, "$error")]
    return list(_facts(today))


def _facts(today: Today) -> Iterator[Paragraph]:
    yield Paragraph.plain(today.checklist.title, "bold")
    if today.checklist.help:
        yield Paragraph.plain(reflowed(today.checklist.help))
    times = today.times
    if times is None:
        yield short_fact("waits", today.waits_for)
        return
    where = zone_of(times)
    late = minute_near(times.overdue_at, times.due_at.astimezone(where).date(), where)
    yield short_fact("due", f"{moment(times.due_at, where)}, overdue from {late} ({times.timezone})")
    if today.next_due_at is not None:
        yield short_fact("next", moment(today.next_due_at, where))
    yield from _present(today, where)
    for each in today.qualifications:
        yield short_fact("counts", f"[{progress_bar(each)}] {progress_words(each)} ({each.definition.id})")
    if today.actions:
        yield short_fact("to do", f"{number_of(len(today.actions), 'action item')} of its runs")
    yield from _before(today)


def _present(today: Today, where: ZoneInfo) -> Iterator[Paragraph]:
    current = today.current
    unsigned = "" if today.checklist.needs_signature else "; needs no signature"
    if current is None:
        yield short_fact("run", f"{today.run}, not opened yet{unsigned}")
    elif current.result is Result.MISSED:
        yield short_fact("run", f"{today.run}: {progress(today)}")
    else:
        result = "" if current.signed_at is None else f"{current.result}, "
        yield short_fact("run", f"{today.run}: {result}{count_words(current.counts)}{unsigned}")
    if current is not None and current.signed_at is not None:
        yield short_fact("signed", _signed(current, current.signed_at, where))
    elif today.waiting:
        yield short_fact("waits", "for its signature", "bold $warning")


def _signed(run: RunSummary, at: dt.datetime, where: ZoneInfo) -> str:
    """Return when and by whom a run was signed and how, and what became of it afterwards."""
    tier = f", {run.tier}" if run.tier is not None else ""
    amended = f"; signed as {run.signed_result}{_amended(run)}" if run.amendments else ""
    reviewed = f"; reviewed by {run.reviewed_by}" if run.reviewed_by else ""
    return f"{moment(at, where)} by {run.signed_by}{tier}{amended}{reviewed}"


def _before(today: Today) -> Iterator[Paragraph]:
    if today.last is None:
        yield short_fact("last", "there is no earlier run")
        return
    if today.times is None:
        return
    last, where = today.last, zone_of(today.times)
    said = count_words(last.counts) if last.result is not Result.MISSED else last.why or "nobody has said why"
    if last.signed_at is not None:
        yield short_fact(
            "last", f"{last.period}: {last.result}, {said}; signed {_signed(last, last.signed_at, where)}"
        )
    else:
        unsigned = "never signed, " if today.checklist.needs_signature else ""
        yield short_fact("last", f"{last.period}: {unsigned}{said}")
    for label, text in today.said:
        yield short_fact("said", f"{label}: {text}" if label else text)
    for gap in today.gaps[:_GAPS_NAMED]:
        style = "" if gap.standing is Standing.EXPLAINED else "bold $warning"
        yield short_fact("GAP", f"{gap.period}: {gap_words(gap)}", style)
    if len(today.gaps) > _GAPS_NAMED:
        yield short_fact("", f"and {len(today.gaps) - _GAPS_NAMED} more; h shows all", "dim")


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
