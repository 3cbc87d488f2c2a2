"""The day log read back by a markdown parser: its shape is the run's, whatever sources and people wrote."""

import re
from itertools import groupby

import msgspec
import pytest
from hypothesis import example, given, settings

from opsconsole.contracts.exporter import Report
from opsconsole.export.facts import amended_to
from opsconsole.export.layout import one_line
from opsconsole.export.markdown import MarkdownExporter
from opsconsole.model.deeds import Corrected
from opsconsole.model.events import AmendmentKind, Measured
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.text import visible, visible_lines
from support.hostile import hostile_text
from support.markdown import PLAIN_TOKENS, Parsed, parse
from support.states import HOSTILE_LINES, OPERATOR, QBR, SECOND, STATES, Telling, table, told

_STRONG = re.compile(
    rf"(?:{'|'.join(Outcome)})(?:, near the limit)?|Not signed\."
    r"|(?:Performed|Reviewed|Amended): (?:PASS|FAIL|OPEN|MISSED)|(?:Approved|Refused): qbr-9day"
    r"|Missed|Amended(?: after the sign-off)?"
    r"|The checklist was edited while this run was open|Removed because of its age"
)


def _title(text: str) -> str:
    return visible(" ".join(text.split())).strip()


def _item_headings(items: list[ItemState]) -> list[tuple[int, str]]:
    found = []
    for item in items:
        found.append((3, _title(item.item.title)))
        found += [
            (4, f"{target}: {attempt.body.judgement.outcome}") for target, attempt in item.latest.items() if target
        ]
    return found


def expected_headings(report: Report) -> list[tuple[int, str]]:
    """Return the headings that a run's day log has, and no other."""
    state = report.state
    times = state.times
    when = "Saturday 2026-11-21"
    if times.period.key.endswith("Z"):
        when += ", 06:00 to 12:00 CST"
    if times.period.start != times.period.end:
        when = f"{times.period.key}, Monday {times.period.start} to Sunday {times.period.end}"
    found = [(1, _title(f"{state.definition.title}, {when}")), *([] if state.missed else [(2, "Overview")])]
    for section, items in groupby(() if state.missed else state.items.values(), key=lambda each: each.section):
        found += [(2, _title(section)), *_item_headings(list(items))]
    if state.definition.fields and not state.missed:
        found += [(2, "Sheet"), *((3, _title(field.title)) for field in state.definition.fields)]
    if state.notes:
        found.append((2, "Why it was missed" if state.missed else "Notes on the run"))
    if state.retired:
        found += [(2, "Items that an edit of the checklist removed"), *_item_headings(list(state.retired.values()))]
    if state.actions:
        found.append((2, "Action items"))
    if state.amendments:
        found.append((2, "Amendments"))
    return [*found, (2, "Sign-off"), (2, "Trail"), (2, "Record")]


def readings_of(report: Report) -> list[Reading]:
    """Return the latest readings in the order of the document."""
    items = [*report.state.items.values(), *report.state.retired.values()]
    latest = (attempt.body.reading for item in items for attempt in item.latest.values())
    return [each for each in latest if each is not None]


def written_of(report: Report) -> list[str]:
    """Return everything that people wrote, as often as the document quotes it."""
    state = report.state
    found = []
    for item in [*state.items.values(), *state.retired.values()]:
        found += [item.skipped.text] if item.skipped else []
        found += [item.waiver.body.reason] if item.waiver else []
        found += amended_of(item.amendments)
        found += [note.text for note in item.notes]
    for field in state.definition.fields:
        found += [state.fields[field.id].text] if field.id in state.fields else []
        found += amended_of([each for each in state.amendments if each.amendment.field == field.id])
    found += [note.text for note in state.notes]
    for action in state.actions.values():
        found += [action.raised.text, *(each.body.text for each in action.steps if each.body.text)]
    return found


def amended_of(amendments: list[Corrected]) -> list[str]:
    """Return what is quoted of amendments: what was, what is, and why."""
    found = []
    for each in amendments:
        changed = each.amendment.kind is not AmendmentKind.NOTE
        found += [*filter(None, [each.was]), amended_to(each)] if changed else []
        found.append(each.amendment.reason)
    return found


def assert_plain(found: Parsed) -> None:
    """Nothing in the document is markup but what the program put there itself."""
    assert found.kinds <= PLAIN_TOKENS
    assert [each for each in found.strong if not _STRONG.fullmatch(each)] == []


def assert_shape(report: Report, found: Parsed) -> None:
    """Compare headings, tables, fences and quotations, in their order, with those that follow from the run."""
    assert found.headings == expected_headings(report)
    fences = []
    for reading in readings_of(report):
        fences += [each.text for each in reading.evidence if not each.pruned] + (
            [reading.command] if reading.command else []
        )
    fences += [each.body.signature.armored for each in report.state.signatures if each.body.signature.armored]
    fences.append(f"opsconsole verify {report.state.run}")
    assert found.fences == ["\n".join(visible_lines(each)) + "\n" for each in fences]
    quotes = [one_line(line) for quote in found.quotes for line in quote.split("\n") if one_line(line)]
    lines = [one_line(line) for each in written_of(report) for line in visible_lines(each) if one_line(line)]
    assert quotes == lines
    cover, *others, trail = found.tables
    assert cover[0] == ["Run", report.state.run]
    if not report.state.missed:
        titles = [one_line(each.item.title) for each in report.state.items.values()]
        assert [row[1] for row in others[0][1:]] == titles
    done = [each for each in report.events if not isinstance(each.event.body, Measured)]
    assert [row[0] for row in trail[1:]] == [str(each.seq) for each in done]
    assert all({len(row) for row in each} == {len(each[0])} for each in found.tables)
    tables = [list(map(one_line, each.columns)) for each in readings_of(report) if each.rows]
    assert [each for each in (table[0] for table in found.tables) if each in tables] == tables


@pytest.mark.parametrize("state", STATES)
def test_every_state_has_its_shape(state: str) -> None:
    """The day log of each kind of morning is a document of the form that was promised."""
    report = STATES[state]().report()
    found = parse(MarkdownExporter().render(report))
    assert_plain(found)
    assert_shape(report, found)


@settings(max_examples=150)
@given(text=hostile_text)
@example("\n# a\n| b |\n| - |")
@example(HOSTILE_LINES)
@example("#  \n\xa0")
def test_hostile_texts_change_no_shape(text: str) -> None:
    """A title, a value, a cause, a note or a name that tries to be markup is text, and all of it is there."""
    report = told(text).report()
    found = parse(MarkdownExporter().render(report))
    assert_plain(found)
    assert_shape(report, found)
    (rows,) = [each for each in found.tables if len(each[0]) == 2 and each[0] == [one_line(text), "other"]]
    assert rows[1:] == [[one_line(text), "nothing"]]
    (measures,) = [each for each in found.tables if each[0] == ["Measure", "Value"]]
    assert measures[1:] == [[one_line(text), one_line(text)]]
    bullets = {f"{label}: {one_line(text)}".strip() for label in ("Cause", "Login", "Principal") if text}
    assert bullets <= set(found.bullets)


@given(text=hostile_text)
@settings(max_examples=60)
def test_titles_are_hostile_too(text: str) -> None:
    """A checklist of somebody else's, with markup in its titles, does not change the shape of the day log."""
    telling = STATES["bad"]()
    report = telling.report()
    definition = msgspec.structs.replace(report.state.definition, title=text, system=text, help=text)
    report.state.definition = definition
    for item in report.state.items.values():
        item.section = text
        item.item = msgspec.structs.replace(item.item, title=text, refs=(text,), help=text, priority=text)
    found = parse(MarkdownExporter().render(report))
    assert_plain(found)
    assert_shape(report, found)


def test_the_day_log_is_complete() -> None:
    """Date, day, who, times, values against limits, notes, waiver, skip, sign-off and chain head are all in it."""
    telling = STATES["signed"]()
    report = telling.report()
    document = MarkdownExporter().render(report)
    statement = report.state.signatures[0].body.statement
    for needed in (
        "Saturday 2026-11-21",
        "3 of 9",
        OPERATOR.shown,
        SECOND.shown,
        "2026-11-21 08:12:03 CST (UTC-06:00)",
        "attributed to the login, not cryptographically signed",
        report.head.hash,
        str(report.head.seq),
        statement.head_hash,
        report.state.definition_hash,
        report.store_id,
        "opsconsole verify qbr-daily@2026-11-21",
        "opsconsole 0.1.0",
        "141",
        "took back the tick of backup-seen",
        "given in qbr-daily@2026-11-18",
    ):
        assert needed in document
    for item in report.state.items.values():
        for judgement in item.judgements.values():
            for finding in judgement.findings:
                assert finding.condition in document
                assert finding.text in document


def test_without_events_there_is_no_trail() -> None:
    """A document made from the state alone does not pretend that nobody did anything."""
    report = STATES["signed"]().report(events=())
    assert (2, "Trail") not in parse(MarkdownExporter().render(report)).headings


def test_a_long_table_says_what_it_leaves_out() -> None:
    """Of a table with many rows the first ones are shown, and how many more there are."""
    rows = table("metric_value", *((row,) for row in range(73)))
    telling = Telling(QBR).measure("tickets-agree", rows)
    assert "23 more rows are in the record and in its JSON export." in MarkdownExporter().render(telling.report())
