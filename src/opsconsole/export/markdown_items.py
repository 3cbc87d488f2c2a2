"""One item in the day log: what was seen against what, on what it rests, and what people did and said about it."""

from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from opsconsole.export.commonmark import fenced, heading, inline, quoted, table
from opsconsole.export.facts import (
    ADDING,
    amended_to,
    amended_what,
    moment,
    near,
    person,
    unmeasured_targets,
    verdict_word,
)
from opsconsole.export.layout import one_line
from opsconsole.export.wording import item_pasts, past_subject, past_words
from opsconsole.model.deeds import Attempt, Corrected, Note
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from opsconsole.model.text import shortened
from opsconsole.model.values import Moment, Value, shown

MOST_ROWS = 50
"""Rows of a measured table that the day log shows."""
LONGEST_CELL = 500
"""Characters of one cell."""


def item_blocks(state: ItemState, where: ZoneInfo, level: int) -> Iterator[str]:
    """Yield the blocks of one item, its heading of the given level first."""
    yield heading(level, state.item.title)
    yield _answer(state)
    yield facts([*_definition(state), *_deeds(state, where)])
    yield from _covered(state, where)
    yield from _findings(state)
    yield from _compared(state)
    missing = unmeasured_targets(state)
    if missing:
        yield f"Not measured yet: {inline(one_line(', '.join(missing)))}"
    for target, attempt in state.latest.items():
        yield from _latest(target, attempt, where, level + 1)
    yield from _attempts(state.attempts, where)
    for corrected in state.amendments:
        yield from amended_blocks(corrected, where)
    for note in state.notes:
        yield from note_blocks("Note", note, where)
    if not state.item.measured and state.item.help:
        yield f"Help: {inline(one_line(state.item.help))}"


def outcome_words(state: ItemState) -> str:
    """Return the outcome, and whether a green value is near its limit."""
    return f"{state.outcome}, near the limit" if near(state) else state.outcome.value


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of facts, each with its name."""
    return "\n".join(f"- {name}: {inline(one_line(text))}".rstrip() for name, text in pairs)


def note_blocks(label: str, note: Note, where: ZoneInfo) -> Iterator[str]:
    """Yield who wrote something and when, and what."""
    yield f"{label} by {inline(note.by.actor.shown)}, {moment(note.by.at, where)}:"
    yield quoted(note.text)


def amended_blocks(corrected: Corrected, where: ZoneInfo) -> Iterator[str]:
    """Yield an amendment where it applies: what was signed, and what counts since, each as it was written."""
    by, what = corrected.by, inline(one_line(amended_what(corrected)))
    yield (
        f"**Amended after the sign-off**, event {corrected.seq}, {moment(by.at, where)} "
        f"by {inline(one_line(person(by.actor)))}: {what}."
    )
    if corrected.amendment.kind not in ADDING:
        yield "It was:" if corrected.was else "It was empty."
        if corrected.was:
            yield quoted(corrected.was)
        yield "It is now:"
        yield quoted(amended_to(corrected))
    yield "Because:"
    yield quoted(corrected.amendment.reason)


def _answer(state: ItemState) -> str:
    summary = inline(one_line(state.summary))
    return f"**{outcome_words(state)}**" + (f": {summary}" if summary else "")


def _definition(state: ItemState) -> Iterator[tuple[str, str]]:
    item = state.item
    if item.manual:
        kind = "ticked by hand"
    elif item.entry is not None:
        kind = "entered by hand" + (f", compared with what the probe {item.probe} reads" if item.probe else "")
    else:
        kind = f"measured by the probe {item.probe}"
    yield "Item", f"{item.id}, {kind}"
    if item.refs:
        yield "Serves", ", ".join(item.refs)
    if item.requires:
        yield "Needs", ", ".join(item.requires)
    if item.listed_by:
        yield "Targets", f"{len(state.targets)}, found out by {item.listed_by}"
    if item.priority:
        yield "Priority", item.priority
    if item.minutes:
        yield "Minutes foreseen", str(item.minutes)
    if state.measured_outcome not in {Outcome.PASS, Outcome.SKIPPED, Outcome.PENDING}:
        if item.on_fail.runbook:
            yield "Runbook", item.on_fail.runbook
        if item.on_fail.escalate:
            yield "To tell", item.on_fail.escalate


def _deeds(state: ItemState, where: ZoneInfo) -> Iterator[tuple[str, str]]:
    if state.ticked is not None:
        yield "Ticked", f"by {person(state.ticked.actor)}, {moment(state.ticked.at, where)}"
    if state.typed is not None:
        typed, by = state.typed.body, state.typed.by
        label = state.item.entry.label if state.item.entry is not None else "Value"
        yield "Asked for", label
        yield "Entered", f"'{typed.text}' by {person(by.actor)}, {moment(by.at, where)}"


def _covered(state: ItemState, where: ZoneInfo) -> Iterator[str]:
    """Yield why an item that is not green is accepted: author, reason, until when."""
    if state.skipped is not None:
        yield from note_blocks("Skipped", state.skipped, where)
    if state.waiver is not None:
        body, by = state.waiver.body, state.waiver.by
        given = f"given in {inline(body.origin)}" if body.origin else moment(by.at, where)
        use = "" if state.outcome in {Outcome.WAIVED, Outcome.SKIPPED} else " (not needed: the item passed)"
        yield f"Waived until {body.expires} by {inline(state.waiver.author)}, {given}{use}:"
        yield quoted(body.reason)


def _findings(state: ItemState) -> Iterator[str]:
    """Yield what was measured against each limit; of an item not judged yet, what it will be judged by."""
    rows = [
        (target, verdict_word(finding), finding.level.value, finding.condition, finding.text)
        for target, judgement in state.judgements.items()
        for finding in judgement.findings
    ]
    head = ("Target", "Verdict", "Level", "Condition", "Measured against the limit")
    skip = 0 if state.targets else 1
    if rows:
        yield table(head[skip:], [row[skip:] for row in rows])
    elif state.item.require or state.item.target:
        rows = [("", "", "require", each.text, "") for each in state.item.require]
        rows += [("", "", "target", each.text, "") for each in state.item.target]
        yield table(("Level", "Condition that is asked for"), [row[2:4] for row in rows])


def _compared(state: ItemState) -> Iterator[str]:
    """Yield what was read earlier and compared with."""
    rows = [
        (past_subject(target, past), name, words)
        for target, past in item_pasts(state)
        for name, words in past_words(past)
    ]
    if rows:
        yield table(("Compared", "With", "Which was"), rows)


# --- what it rests on -------------------------------------------------------------------------------


def _latest(target: str, attempt: Attempt, where: ZoneInfo, level: int) -> Iterator[str]:
    body = attempt.body
    if target:
        yield heading(level, f"{target}: {body.judgement.outcome}")
    pairs = [("Measured", f"{moment(body.started_at, where)}, took {shown(body.elapsed)}, event {attempt.seq}")]
    if body.problem is not None:
        pairs.append(("Cause", body.problem.cause))
        if body.problem.hint:
            pairs.append(("Hint", body.problem.hint))
        pairs.append(("Reason code", body.problem.reason))
    elif target and body.judgement.summary:
        pairs.append(("Seen", body.judgement.summary))
    yield facts(pairs)
    if body.reading is not None:
        yield from _reading(body.reading, where)


def _reading(reading: Reading, where: ZoneInfo) -> Iterator[str]:
    if reading.measures:
        rows = [(name, _cell(each, where)) for name, each in reading.measures.items()]
        bounds = reading.lower_bounds
        yield table(
            ("Measure", "Value"), [(name, f"at least {cell}" if name in bounds else cell) for name, cell in rows]
        )
    if reading.columns:
        yield from _rows(reading, where)
    for evidence in reading.evidence:
        cut = ", cut off by the probe" if evidence.truncated else ""
        if evidence.pruned:
            yield (
                f"Evidence: {inline(one_line(evidence.title))}{cut}. **Removed because of its age**; what is left "
                f"of it is its SHA-256, {inline(evidence.sha256)}."
            )
            continue
        yield f"Evidence: {inline(one_line(evidence.title))}{cut}"
        yield fenced(evidence.text)
    if reading.command:
        yield "The same by hand:"
        yield fenced(reading.command)


def _rows(reading: Reading, where: ZoneInfo) -> Iterator[str]:
    width = len(reading.columns)
    if reading.rows:
        # A probe of somebody else's may bring rows of another length than its columns.
        rows = [[*(_cell(each, where) for each in row[:width]), *[""] * (width - len(row))] for row in reading.rows]
        yield table(reading.columns, rows[:MOST_ROWS])
    else:
        yield f"The result has no rows. Its columns: {inline(', '.join(reading.columns))}"
    left_out = len(reading.rows) - MOST_ROWS
    if left_out > 0:
        yield f"{left_out} more rows are in the record and in its JSON export."
    if reading.truncated:
        yield "The result was cut off by the probe: there were more rows than these."


def _cell(value: Value, where: ZoneInfo) -> str:
    text = moment(value.at, where) if isinstance(value, Moment) else shown(value)
    return shortened(text, LONGEST_CELL)


def _attempts(attempts: Sequence[Attempt], where: ZoneInfo) -> Iterator[str]:
    targets = {each.body.target for each in attempts}
    if len(attempts) == len(targets):
        return
    targeted = targets != {""}
    skip = 0 if targeted else 1
    rows = [
        (
            each.body.target,
            str(each.seq),
            moment(each.body.started_at, where),
            shown(each.body.elapsed),
            str(each.body.attempt),
            each.body.judgement.outcome.value + ("" if each.body.final else ", tried again"),
            shortened(one_line(each.body.judgement.summary), LONGEST_CELL),
        )
        for each in attempts
    ]
    yield "Every attempt; the readings of earlier ones are in the record and in its JSON export:"
    head = ("Target", "Event", "Started", "Took", "Attempt", "Outcome", "Seen")
    yield table(head[skip:], [row[skip:] for row in rows])
