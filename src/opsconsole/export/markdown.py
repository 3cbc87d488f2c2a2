"""The day log: a whole run as one document that a person reads and files, in CommonMark with GFM tables."""

from collections.abc import Iterator
from itertools import groupby
from zoneinfo import ZoneInfo

from opsconsole.contracts.exporter import Report
from opsconsole.export.commonmark import fenced, heading, inline, line, table
from opsconsole.export.facts import (
    amended_first,
    day,
    exact_moment,
    moment,
    monitored_by,
    period,
    person,
    who,
    zone_of,
)
from opsconsole.export.layout import one_line
from opsconsole.export.markdown_actions import action_blocks
from opsconsole.export.markdown_items import (
    LONGEST_CELL,
    amended_blocks,
    facts,
    item_blocks,
    note_blocks,
    outcome_words,
)
from opsconsole.export.markdown_signatures import amendment_blocks, sign_off_blocks
from opsconsole.export.trail import deeds
from opsconsole.export.wording import items_words, looked_back, missed_words
from opsconsole.model.runs import RunState
from opsconsole.model.text import shortened, visible

_SECTION = 2
_ITEM = 3


class MarkdownExporter:
    """The day log. Whatever a source or a person wrote is text in it, never markup."""

    name = "markdown"
    suffix = ".md"

    def render(self, report: Report) -> str:
        """Return the whole run; `report.events` give it its trail."""
        state, where = report.state, zone_of(report.state.times)
        blocks = (
            *_front(report, where),
            *_overview(state),
            *_sections(state, where),
            *_sheet(state, where),
            *_retired(state, where),
            *action_blocks(state, where, _SECTION),
            *amendment_blocks(state, where, _SECTION),
            *sign_off_blocks(state, where, _SECTION),
            *_trail(report, where),
            *_record(report, where),
        )
        return "\n\n".join(blocks) + "\n"


def _front(report: Report, where: ZoneInfo) -> Iterator[str]:
    state, times = report.state, report.state.times
    yield heading(1, f"{state.definition.title}, {period(times)}")
    missed = missed_words(state, where)
    if missed:
        yield f"**Missed**: {inline(one_line(missed))}."
    amended = amended_first(state, where)
    if amended:
        yield f"**Amended** {inline(one_line(amended))}. See Amendments below."
    yield table(("Run", state.run), _cover(report, where))
    if state.definition.help:
        yield line(one_line(state.definition.help))
    for each in state.redefinitions:
        yield (
            f"**The checklist was edited while this run was open**: taken over {moment(each.at, where)} by "
            f"{inline(person(each.actor))}. What was measured before by other conditions does not count."
        )


def _cover(report: Report, where: ZoneInfo) -> Iterator[tuple[str, str]]:
    state, times = report.state, report.state.times
    yield "Result", _result(state)
    yield "Items", items_words(state)
    if state.definition.system:
        yield "System", state.definition.system
    yield "Business date", f"{day(times.business_date)}, {times.timezone}"
    if times.period.start != times.period.end:
        yield "Period", period(times)
    window = looked_back(state)
    if window:
        yield "Looks back over", window
    if report.monitoring is not None:
        yield "Day of monitoring", f"{report.monitoring.day} of {report.monitoring.length}"
    yield "Monitored by", ", ".join(monitored_by(state)) or "nobody yet"
    if times.scheduled is not None:
        yield "Job looked after", f"scheduled {moment(times.scheduled, where)}, data of {day(times.covered_date)}"
    yield "Due", f"{moment(times.due_at, where)}, overdue from {moment(times.overdue_at, where)}"
    yield "Opened", f"{exact_moment(state.opened.at, where)} by {person(state.opened.actor)}"
    signed = state.signed
    if signed is None:
        yield "Signed", "not signed"
    else:
        yield "Signed", f"{exact_moment(signed.body.statement.signed_at, where)} by {signed.body.statement.signer}"
    yield "Definition (SHA-256)", state.definition_hash


def _result(state: RunState) -> str:
    """Return the result, and what was signed first where that was another."""
    first = state.signed.body.statement.result if state.signed is not None else state.result
    return f"{state.result}, amended; it was signed as {first}" if first is not state.result else str(state.result)


def _overview(state: RunState) -> Iterator[str]:
    if state.missed:
        return
    yield heading(_SECTION, "Overview")
    rows = [
        (outcome_words(each), each.item.title, shortened(one_line(each.summary), LONGEST_CELL))
        for each in state.items.values()
    ]
    yield table(("Outcome", "Item", "Seen"), rows)


def _sections(state: RunState, where: ZoneInfo) -> Iterator[str]:
    for title, items in groupby(() if state.missed else state.items.values(), key=lambda each: each.section):
        yield heading(_SECTION, title)
        for item in items:
            yield from item_blocks(item, where, _ITEM)


def _sheet(state: RunState, where: ZoneInfo) -> Iterator[str]:
    fields = () if state.missed and not state.fields else state.definition.fields
    if fields:
        yield heading(_SECTION, "Sheet")
    for field in fields:
        yield heading(_ITEM, field.title)
        written = state.fields.get(field.id)
        if written is None:
            yield "Not filled in."
        else:
            yield from note_blocks("Written", written, where)
            for each in (every for every in state.amendments if every.amendment.field == field.id):
                yield from amended_blocks(each, where)
    if state.notes:
        yield heading(_SECTION, "Why it was missed" if state.missed else "Notes on the run")
    for note in state.notes:
        yield from note_blocks("Note", note, where)


def _retired(state: RunState, where: ZoneInfo) -> Iterator[str]:
    if state.retired:
        yield heading(_SECTION, "Items that an edit of the checklist removed")
        yield "They do not count; what had happened to them is kept here."
    for item in state.retired.values():
        yield from item_blocks(item, where, _ITEM)


# --- trail, record ---------------------------------------------------------------------------------


def _trail(report: Report, where: ZoneInfo) -> Iterator[str]:
    if not report.events:
        return
    yield heading(_SECTION, "Trail")
    yield "What was done, in order, with what was changed or taken back later; measurements stand at their items."
    rows = [
        (str(stored.seq), moment(stored.event.at, where), who(stored.event.actor), stored.event.actor.via, words)
        for stored, words in deeds(report.events)
    ]
    yield table(("Event", "Time", "Who", "Through", "What"), rows)


def _record(report: Report, where: ZoneInfo) -> Iterator[str]:
    state = report.state
    yield heading(_SECTION, "Record")
    pairs = [
        ("Store", report.store_id),
        ("Last event of this run", f"event {state.last_seq}, {state.head_hash}"),
        ("Head of the chain", f"event {report.head.seq}, {report.head.hash}"),
        ("Anchor", f"{report.store_id} {report.head.seq} {report.head.hash}"),
        ("Written by", f"opsconsole {report.version}"),
    ]
    if report.exported_at is not None:
        pairs[-1] = ("Exported", f"{exact_moment(report.exported_at, where)} by opsconsole {report.version}")
    if report.store_location:
        pairs.insert(1, ("Kept in", report.store_location))
    yield facts(pairs)
    yield (
        "The hash of the head stands for every event before it: keep this document, and a record that was changed "
        "or cut off later shows; the anchor is that head in one line, as the program reads it. This command "
        "walks the chain and names the first event that does not fit:"
    )
    yield fenced(f"opsconsole verify {visible(state.run)}")
