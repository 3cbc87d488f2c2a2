"""The day log: a whole run as one document that a person reads and files, in CommonMark with GFM tables."""

from collections.abc import Iterator
from itertools import groupby
from zoneinfo import ZoneInfo

from opsconsole.contracts.exporter import Report
from opsconsole.export.commonmark import fenced, heading, inline, line, table
from opsconsole.export.facts import (
    binding,
    day,
    exact_moment,
    moment,
    monitored_by,
    period,
    person,
    rfc3339,
    zone_of,
)
from opsconsole.export.layout import one_line
from opsconsole.export.markdown_items import (
    LONGEST_CELL,
    facts,
    item_blocks,
    note_blocks,
    outcome_words,
)
from opsconsole.export.trail import deeds
from opsconsole.model.runs import RunState, SignOff
from opsconsole.model.signoff import count_words, hurdles
from opsconsole.model.text import shortened, visible
from opsconsole.model.tiers import Tier

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
            *_sign_off(state, where),
            *_trail(report, where),
            *_record(report, where),
        )
        return "\n\n".join(blocks) + "\n"


def _front(report: Report, where: ZoneInfo) -> Iterator[str]:
    state, times = report.state, report.state.times
    yield heading(1, f"{state.definition.title}, {period(times)}")
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
    yield "Result", state.result.value
    yield "Items", count_words(state.counts)
    if state.definition.system:
        yield "System", state.definition.system
    yield "Business date", f"{day(times.business_date)}, {times.timezone}"
    if times.period.start != times.period.end:
        yield "Period", period(times)
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
        yield "Signed", f"{exact_moment(signed.body.statement.signed_at, where)} by {_signer(signed)}"
    yield "Definition (SHA-256)", state.definition_hash


def _signer(signature: SignOff) -> str:
    statement = signature.body.statement
    if statement.name and statement.name != statement.login:
        return f"{statement.name} ({statement.login})"
    return statement.login


def _overview(state: RunState) -> Iterator[str]:
    yield heading(_SECTION, "Overview")
    rows = [
        (outcome_words(each), each.item.title, shortened(one_line(each.summary), LONGEST_CELL))
        for each in state.items.values()
    ]
    yield table(("Outcome", "Item", "Seen"), rows)


def _sections(state: RunState, where: ZoneInfo) -> Iterator[str]:
    for title, items in groupby(state.items.values(), key=lambda each: each.section):
        yield heading(_SECTION, title)
        for item in items:
            yield from item_blocks(item, where, _ITEM)


def _sheet(state: RunState, where: ZoneInfo) -> Iterator[str]:
    if state.definition.fields:
        yield heading(_SECTION, "Sheet")
    for field in state.definition.fields:
        yield heading(_ITEM, field.title)
        written = state.fields.get(field.id)
        if written is None:
            yield "Not filled in."
        else:
            yield from note_blocks("Written", written, where)
    if state.notes:
        yield heading(_SECTION, "Notes on the run")
    for note in state.notes:
        yield from note_blocks("Note", note, where)


def _retired(state: RunState, where: ZoneInfo) -> Iterator[str]:
    if state.retired:
        yield heading(_SECTION, "Items that an edit of the checklist removed")
        yield "They do not count; what had happened to them is kept here."
    for item in state.retired.values():
        yield from item_blocks(item, where, _ITEM)


# --- sign-off, trail, record ------------------------------------------------------------------------


def _sign_off(state: RunState, where: ZoneInfo) -> Iterator[str]:
    yield heading(_SECTION, "Sign-off")
    if state.signed is None:
        yield "**Not signed.**"
        yield from _to_do(state)
    for signature in state.signatures:
        yield from _signature(signature, where)


def _to_do(state: RunState) -> Iterator[str]:
    left = hurdles(state)
    if not left:
        yield "Nothing stands between this run and its sign-off."
        return
    yield "Still to be done:"
    yield "\n".join(f"- {line(one_line(each.text))}" for each in left)


def _signature(signature: SignOff, where: ZoneInfo) -> Iterator[str]:
    statement = signature.body.statement
    tier: Tier = signature.body.signature.tier
    strength = binding(tier)
    yield (
        f"**{statement.meaning.value.capitalize()}: {statement.result}**, "
        f"{inline(count_words(statement.counts))}. This sign-off is {strength}."
    )
    pairs = [
        ("Meaning", statement.meaning.value),
        ("Result", statement.result.value),
        ("Items", count_words(statement.counts)),
        ("Printed name", statement.name),
        ("Login", statement.login),
        ("Host", statement.host),
        ("Signed at", f"{exact_moment(statement.signed_at, where)}, {rfc3339(statement.signed_at)}"),
        ("Strength", strength),
        ("Covers the run", f"{statement.run}, {day(statement.business_date)}"),
        ("Covers the chain up to", f"event {statement.head_seq}, {statement.head_hash}"),
        ("Definition (SHA-256)", statement.definition_hash),
        ("Store", statement.store_id),
        ("Recorded as", f"event {signature.seq} by {person(signature.by.actor)}"),
    ]
    if signature.body.signature.principal:
        pairs.append(("Principal", signature.body.signature.principal))
    yield facts(pairs)
    if signature.body.signature.armored:
        yield fenced(signature.body.signature.armored)


def _trail(report: Report, where: ZoneInfo) -> Iterator[str]:
    if not report.events:
        return
    yield heading(_SECTION, "Trail")
    yield "What was done, in order, with what was changed or taken back later; measurements stand at their items."
    rows = [
        (str(stored.seq), moment(stored.event.at, where), stored.event.actor.shown, stored.event.actor.via, words)
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
        ("Exported", f"{exact_moment(report.exported_at, where)} by opsconsole {report.version}"),
    ]
    if report.store_location:
        pairs.insert(1, ("Kept in", report.store_location))
    yield facts(pairs)
    yield (
        "The hash of the head stands for every event before it: keep this document, and a record that was changed "
        "or cut off later shows. This command walks the chain and names the first event that does not fit:"
    )
    yield fenced(f"opsconsole verify {visible(state.run)}")
