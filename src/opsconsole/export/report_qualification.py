"""The report of a qualification as blocks: its summary first, then the monitoring log and what it rests on."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from opsconsole.export.facts import moment
from opsconsole.export.report_blocks import Block, Bullets, Chart, Heading, Paragraph, table, told
from opsconsole.export.report_number_words import accuracy_blocks, series_blocks, trend_words
from opsconsole.export.report_people_words import (
    action_blocks,
    amendment_blocks,
    place,
    provenance_blocks,
    written_blocks,
)
from opsconsole.export.report_words import counts_words, spell_rows
from opsconsole.model.qualification_reports import DayLine, QualificationReport

CHARTED = 12
"""Series of performance that are drawn as well as told in numbers."""


def qualification_blocks(report: QualificationReport) -> Iterator[Block]:
    """Yield the whole report, the summary first."""
    where = place(report.timezone)
    yield Heading(1, title_of(report))
    yield Paragraph(report.summary[0], strong=True)
    yield Bullets(report.summary[1:])
    yield Paragraph(
        f"{report.id} counts the runs of {report.checklist}; definition {report.definition_hash}; "
        f"as the record stood at {moment(report.made_at, where)}."
    )
    yield from _days(report, where)
    yield from _attempts(report)
    yield from _issues(report, where)
    yield from action_blocks(report.actions, where)
    yield from _performance(report)
    yield from accuracy_blocks(report.accuracy)
    yield from series_blocks("Resource trends, nearest to their limits first", report.resources)
    yield from _review(report, where)
    yield from _decision(report, where)
    yield from amendment_blocks(report.amendments, where)
    yield Heading(2, "Rules")
    yield table(("Rule", "Is"), report.rules)
    yield from written_blocks(report.written, {report.checklist: where})
    yield from provenance_blocks(report.provenance, report.made_at, where)


def title_of(report: QualificationReport) -> str:
    """Return `Monitoring report: QBR collection, nine clean days`."""
    return f"Monitoring report: {report.title}{'' if report.finished else ' (not finished)'}"


def _days(report: QualificationReport, where: ZoneInfo) -> Iterator[Block]:
    yield Heading(2, "Days")
    head = (
        "Date",
        "Count",
        "Day",
        "State",
        "Result",
        "Items",
        "Signer",
        "Strength",
        "Signed",
        "Cause",
        "Notes",
        "Record",
    )
    yield table(head, [_day_row(report, each, where) for each in report.days], "No day so far.")


def _day_row(report: QualificationReport, day: DayLine, where: ZoneInfo) -> tuple[str, ...]:
    length = next((each.length for each in report.attempts if each.number == day.attempt), 0)
    return (
        f"{day.date}",
        str(day.attempt),
        f"{day.number} of {length}" if day.number else "-",
        str(day.state),
        str(day.result) if day.result is not None else "not opened",
        counts_words(day.counts),
        day.signer or "nobody",
        str(day.tier) if day.tier is not None else "-",
        moment(day.signed_at, where) if day.signed_at is not None else "-",
        day.cause,
        "; ".join(day.notes),
        f"{day.verification}{f': {day.fault}' if day.fault else ''}" or "-",
    )


def _attempts(report: QualificationReport) -> Iterator[Block]:
    yield Heading(2, "Counts and resets")
    rows = [
        (
            str(each.number),
            f"{each.first}" if each.first is not None else "-",
            f"{each.passed} of {each.length}",
            f"{each.ended_on}" if each.ended_on is not None else "not reset",
            each.cause,
            f"{each.reason} ({each.reason_by})" if each.reason else "none documented" if each.ended_on else "",
        )
        for each in report.attempts
    ]
    yield table(("Count", "First day", "Passed", "Reset on", "Cause", "Documented reason"), rows)


def _issues(report: QualificationReport, where: ZoneInfo) -> Iterator[Block]:
    yield Heading(2, "Issues met, and what became of them")
    rows = [
        (
            f"{each.date}",
            each.subject,
            str(each.outcome or "-"),
            each.text,
            "; ".join(each.said),
            moment(each.good_again_at, where) if each.good_again_at is not None else "-",
            "; ".join(each.actions),
            each.run,
        )
        for each in report.issues
    ]
    head = ("Date", "What", "Outcome", "Seen or written", "Said about it", "Good again", "Action items", "Run")
    yield table(head, rows)
    spells = [row for each in report.troubles for row in spell_rows(each, where)]
    if spells:
        yield Heading(3, "How long it lasted")
        yield table(("Item", "Since", "Until", "For", "Bad readings", "Cause"), spells)


def _performance(report: QualificationReport) -> Iterator[Block]:
    series = report.performance
    yield Heading(2, "Performance")
    if report.measured_from is not None:
        over = f"Over {report.measured_from} to {report.measured_to}, the last count of which a run was opened"
        yield Paragraph(f"{over}; accuracy and resources below too.")
    rows = [
        (
            each.row,
            each.subject,
            str(each.readings),
            told(each, each.mean),
            told(each, each.median),
            told(each, each.greatest),
            trend_words(each),
            each.title,
        )
        for each in series
    ]
    head = ("Of", "Measure", "Runs", "Average", "Median", "Maximum", "Trend", "Item")
    yield table(head, rows, "No table with named rows was read.")
    for each in [one for one in series if one.bounds][:CHARTED]:
        yield Chart(each.title, each)


def _review(report: QualificationReport, where: ZoneInfo) -> Iterator[Block]:
    yield Heading(2, "Final review")
    review = report.review
    if review is None:
        yield Paragraph("None yet." if not report.finished else "None.")
        return
    signed = f"signed by {review.signer}, {moment(review.signed_at, where)}" if review.signed_at else "not signed"
    done = ("passed" if review.passed else "not passed") if review.opened else "not done"
    yield Paragraph(
        f"{review.run}: {done}, {signed}{f'; its record does not hold: {review.fault}' if review.fault else ''}."
    )
    yield table(
        ("Item", "Outcome", "What was seen"),
        [(title, str(outcome), seen) for title, outcome, seen in review.outcomes],
    )
    yield from written_blocks(
        report.recommendations, {review.run.partition("@")[0]: where}, "Recommendations, as entered"
    )


def _decision(report: QualificationReport, where: ZoneInfo) -> Iterator[Block]:
    yield Heading(2, "Approval")
    rows = [
        (
            ("approved" if each.approved else "refused") + (", overturned" if each.overturned else ""),
            f"{'ready' if each.ready else 'not ready'} for {each.phase}",
            each.by,
            moment(each.at, where),
            str(each.tier) if each.tier is not None else "-",
            each.reason,
            each.run,
        )
        for each in report.decisions
    ]
    yield table(
        ("Decision", "Next phase", "By", "At", "Strength", "Reason", "In the record of"),
        rows,
        "Nothing was decided.",
    )
    if any(each.overturned for each in report.decisions):
        yield Paragraph("Overturned: the record that it was given for is another now, or does not hold.")
    if report.blockers:
        yield Heading(3, "What stands against an approval now")
        yield Bullets(report.blockers)
