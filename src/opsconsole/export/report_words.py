"""The report of a period as blocks: its summary first, for whoever reads no further, then what it rests on."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

from opsconsole.export.facts import moment
from opsconsole.export.report_blocks import (
    Block,
    Bullets,
    Heading,
    Paragraph,
    table,
)
from opsconsole.export.report_number_words import accuracy_blocks, effort_blocks, series_blocks
from opsconsole.export.report_people_words import (
    action_blocks,
    amendment_blocks,
    place,
    provenance_blocks,
    written_blocks,
)
from opsconsole.model.checklists import Cadence
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.reports import (
    ChecklistLine,
    Kept,
    News,
    Overall,
    PeriodReport,
    RunLine,
    Spell,
    Trouble,
)
from opsconsole.model.values import Number, Unit, formatted

_MOST_ROWS = 200
"""Of a list that is due every few minutes, and has been down again and again."""
_KINDS = {
    Cadence.DAILY: "Daily",
    Cadence.WEEKLY: "Weekly",
    Cadence.MONTHLY: "Monthly",
    Cadence.QUARTERLY: "Quarterly",
}


def blocks_of(report: PeriodReport) -> Iterator[Block]:
    """Yield the whole report, the summary first."""
    yield Heading(1, title_of(report))
    yield Paragraph(report.summary[0], strong=True)
    yield Bullets(report.summary[1:])
    yield from _scope(report)
    where = {each.id: place(each.timezone) for each in report.checklists}
    own = place(report.timezone)
    yield from _checklists(report.checklists)
    yield from _troubles(report, where)
    yield from _warnings(report)
    yield from _waivers(report)
    yield from series_blocks("Trends, nearest to their limits first", report.series)
    yield from accuracy_blocks(report.accuracy)
    yield from effort_blocks(report.effort)
    yield from action_blocks(report.actions, own)
    yield from amendment_blocks(report.amendments, own)
    yield from _qualifications(report)
    yield from written_blocks(report.written, where)
    yield from _runs(report.checklists, where)
    yield from provenance_blocks(report.provenance, report.made_at, own)


def title_of(report: PeriodReport) -> str:
    """Return `Monthly report 2026-11: qbr`."""
    about = report.checklist or report.system
    so_far = "" if report.over else ", so far"
    return f"{_KINDS[report.cadence]} report {report.period.key}{f': {about}' if about else ''}{so_far}"


def lasted(seconds: dt.timedelta) -> str:
    """Return a length of time for reading."""
    return formatted(Number(Decimal(round(seconds.total_seconds())), Unit.SECONDS))


def _scope(report: PeriodReport) -> Iterator[Block]:
    dates = f"{report.period.start} to {report.period.end}"
    if report.period.start == report.period.end:
        dates = f"{report.period.start}"
    about = f"the checklist {report.checklist}" if report.checklist else "every checklist"
    if report.system:
        about = f"{about} of the system {report.system}"
    stood = moment(report.made_at, place(report.timezone))
    yield Paragraph(
        f"What was due on {dates}, of {about}, compared with {report.before.key}; "
        f"as the record stood at {stood} ({report.timezone})."
    )


# --- checklists ------------------------------------------------------------------------------------


_RARE = frozenset({Kept.UNFINISHED, Kept.OPEN})
"""Have a column of their own only where they occur."""


def _checklists(checklists: Sequence[ChecklistLine]) -> Iterator[Block]:
    yield Heading(2, "Checklists")
    kept = [kind for kind in Kept if kind not in _RARE or any(each.tally.kept[kind] for each in checklists)]
    extra = any(each.tally.extra for each in checklists)
    unseen = any(each.tally.unseen for each in checklists)
    head = ("Checklist", "Due", *(str(kind).capitalize() for kind in kept), "Passed", "Failed")
    head += (*(("Saw nothing",) if unseen else ()), *(("Done, not due",) if extra else ()))
    rows = [
        (
            f"{each.title} ({each.id})",
            str(each.tally.due),
            *(str(each.tally.kept[kind]) for kind in kept),
            str(each.tally.passed),
            str(each.tally.results[Result.FAIL] - each.tally.unseen),
            *([str(each.tally.unseen)] if unseen else []),
            *([str(each.tally.extra)] if extra else []),
        )
        for each in checklists
    ]
    yield table(head, rows, "There is no checklist.")
    notes = [f"{each.title} ({each.id}) has never been run." for each in checklists if each.never_run]
    notes += [f"{each.title} ({each.id}) is no checklist any more." for each in checklists if each.removed]
    if notes:
        yield Bullets(tuple(notes))


def _runs(checklists: Sequence[ChecklistLine], where: dict[str, ZoneInfo]) -> Iterator[Block]:
    yield Heading(2, "Every run")
    for line in checklists:
        if not line.runs:
            continue
        yield Heading(3, f"{line.title} ({line.id})")
        if line.cadence is Cadence.INTERVAL:
            yield Paragraph(
                "Only runs that did not both pass and come in time; the table above counts them all. "
                "Those that came to the same one after another are one row."
            )
        rows = list(_run_rows(line, where[line.id]))
        yield table(
            ("Run", "Due", "Became", "Result", "Items", "Signed", "Amendments", "Explanation"), rows[:_MOST_ROWS]
        )
        if len(rows) > _MOST_ROWS:
            yield Paragraph(f"And {len(rows) - _MOST_ROWS} rows more, which the JSON of this report holds.")


def _run_rows(line: ChecklistLine, where: ZoneInfo) -> Iterator[tuple[str, ...]]:
    """Yield a row for each run; neighbours of an interval of which the same is said share one."""
    if line.cadence is not Cadence.INTERVAL:
        yield from ((each.run, *_facts(each, where)) for each in line.runs)
        return

    def stretch(found: tuple[int, RunLine]) -> tuple[int, tuple[str, ...]]:
        return found[1].number - found[0], _facts(found[1], where)

    for (_, facts), same in groupby(enumerate(line.runs), stretch):
        yield (_run_words(run for _, run in same), *facts)


def _facts(run: RunLine, where: ZoneInfo) -> tuple[str, ...]:
    return (
        f"{run.date}",
        str(run.kept) if run.due else f"{run.kept}, not due",
        str(run.result) if run.result is not None else "-",
        counts_words(run.counts),
        _signed_words(run.signer, run.signed_at, run.tier, where),
        str(run.amendments or ""),
        run.why,
    )


def _run_words(runs: Iterable[RunLine]) -> str:
    """Return the name of a run, of several that of the first and how many there are up to which."""
    first, *others = runs
    if not others:
        return first.run
    return f"{first.run} to {others[-1].run.partition('@')[2]}, {len(others) + 1} runs"


def _signed_words(signer: str, at: dt.datetime | None, tier: object, where: ZoneInfo) -> str:
    return f"{signer}, {moment(at, where)}, {tier}" if at is not None else ""


def counts_words(counts: dict[Outcome, int]) -> str:
    """Return `22 PASS, 1 WARN`."""
    return ", ".join(f"{counts[each]} {each}" for each in Outcome if counts.get(each))


# --- what was not good -----------------------------------------------------------------------------


def _troubles(report: PeriodReport, where: dict[str, ZoneInfo]) -> Iterator[Block]:
    yield Heading(2, "Not good")
    now = [each for each in report.troubles if each.news in {News.NEW, News.AGAIN}]
    rows = [row for each in now for row in _trouble_rows(each, where[each.checklist])]
    head = ("Item", "Checklist", "News", "Runs", "Since", "Until", "For", "Bad readings", "Cause", "Help")
    whole = report.overall is Overall.GOOD and not report.tally.kept[Kept.OPEN]
    nothing = "Nothing failed, and everything could be seen." if whole else "Nothing failed in what was seen."
    yield table(head, rows, nothing)
    if rows:
        yield Paragraph(
            "From the first bad reading to the first good one after it. FAIL, ERROR and BLOCKED are bad: "
            "what could not be seen is not counted as good."
        )
    yield Heading(2, "Since the period before")
    changes = [
        (each.title, each.checklist, str(each.news), counts_words(each.runs_before), counts_words(each.runs))
        for each in report.troubles
    ]
    yield table(
        ("Item", "Checklist", "News", report.before.key, report.period.key),
        changes,
        "Nothing was seen to be bad in either period.",
    )


def _trouble_rows(trouble: Trouble, where: ZoneInfo) -> Iterator[tuple[str, ...]]:
    priority = f"priority {trouble.priority}" if trouble.priority else ""
    help_ = ", ".join(each for each in (priority, trouble.runbook, trouble.escalate) if each)
    runs = counts_words(trouble.runs)
    first = (trouble.title, trouble.checklist, str(trouble.news), runs)
    if not trouble.spells:
        yield (*first, "-", "-", "-", "0", trouble.cause or "not seen", help_)
    for each in trouble.spells:
        yield (*first, *_spell_words(each, where), str(each.readings), each.cause, help_)
        first = ("", "", "", "")


def spell_rows(trouble: Trouble, where: ZoneInfo) -> Iterator[tuple[str, ...]]:
    """Yield a row for each stretch in which an item was not good: item, since, until, for, bad readings, cause."""
    for each in trouble.spells:
        yield (trouble.title, *_spell_words(each, where), str(each.readings), each.cause)


def _spell_words(spell: Spell, where: ZoneInfo) -> tuple[str, str, str]:
    since = f"{moment(spell.began_at, where)}{' or earlier' if spell.earlier else ''}"
    if spell.ended_at is None:
        known = spell.last_bad_at - spell.began_at
        until = f"still, last seen {moment(spell.last_bad_at, where)}"
        return since, until, f"at least {lasted(known)}" if known else "seen once"
    after = ", after the period" if spell.ended_after else ""
    atleast = "at least " if spell.earlier else ""
    return since, f"{moment(spell.ended_at, where)}{after}", f"{atleast}{lasted(spell.ended_at - spell.began_at)}"


def _warnings(report: PeriodReport) -> Iterator[Block]:
    yield Heading(2, "Warnings")
    rows = [(each.title, each.checklist, str(each.runs), f"{each.last}", each.summary) for each in report.warnings]
    yield table(("Item", "Checklist", "Runs", "Last", "What was seen"), rows)


def _waivers(report: PeriodReport) -> Iterator[Block]:
    yield Heading(2, "Waivers")
    rows = [
        (
            each.title,
            each.checklist,
            each.author,
            f"{each.expires}{' (expired)' if each.expired else ''}",
            each.origin,
            str(each.runs),
            each.reason,
        )
        for each in report.waivers
    ]
    yield table(("Item", "Checklist", "Author", "Until", "Given in", "Runs covered", "Reason"), rows)
    if report.skips:
        yield Heading(3, "Skipped by hand")
        skipped = [(each.title, each.run, each.author, each.reason) for each in report.skips]
        yield table(("Item", "Run", "By", "Reason"), skipped)


def _qualifications(report: PeriodReport) -> Iterator[Block]:
    if not report.qualifications:
        return
    yield Heading(2, "Qualifications, as they are now")
    rows = [
        (
            f"{each.title} ({each.id})",
            each.words,
            f"{each.resets} ({each.resets_in_period} in the period)",
            str(each.unexplained),
            each.waiting or "nothing",
        )
        for each in report.qualifications
    ]
    yield table(("Qualification", "State", "Resets", "Without a reason", "Waits for"), rows)
