"""A run as plain text for a terminal of 80 columns, a mail from cron, or a file."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from zoneinfo import ZoneInfo

from opsconsole.contracts.exporter import Report
from opsconsole.export.facts import (
    moment,
    monitored_by,
    near,
    period,
    telling,
    unmeasured_targets,
    verdict_word,
    zone_of,
)
from opsconsole.export.layout import cells, padded, wrapped
from opsconsole.export.text_actions import actions
from opsconsole.export.text_lines import LABEL, STATE, WIDTH, clean, fact, hanging, labelled, note_lines, prose
from opsconsole.export.text_signatures import amended_lines, amendments, banner, signed
from opsconsole.export.wording import item_pasts, items_words, looked_back, past_subject, past_words
from opsconsole.model.deeds import Waiver
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.readings import Judgement
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import hurdles
from opsconsole.model.text import visible

_COURSE = 6
"""Changes of outcome that the course of the attempts tells."""
_COMPARED = 10
"""Rows of a table whose earlier values are told; the other formats have all of them."""
_NEAR = "PASS ^"

_COLOURS = {
    Outcome.PASS: "32",
    Outcome.WARN: "33",
    Outcome.FAIL: "1;31",
    Outcome.ERROR: "1;35",
    Outcome.BLOCKED: "35",
    Outcome.SKIPPED: "2",
    Outcome.WAIVED: "33",
    Outcome.PENDING: "36",
    Result.PASS: "1;32",
    Result.FAIL: "1;31",
    Result.OPEN: "1;36",
    Result.MISSED: "1;33",
}
"""SGR parameters that sixteen colours are enough for."""


class TextExporter:
    """What `opsconsole run ID --headless` prints. ASCII but for what the checklist and its sources say."""

    name = "text"
    suffix = ".txt"

    def render(self, report: Report) -> str:
        """Return the run in lines of 80 columns where words allow; escape codes only where colour was asked for."""
        paint = _Paint(coloured=report.colour)
        blocks = (
            _header(report),
            *_sections(report.state, paint),
            _sheet(report.state),
            actions(report.state),
            amendments(report.state),
            _footer(report, paint),
        )
        return "\n".join("\n".join(block) + "\n" for block in (list(block) for block in blocks) if block)


class _Paint:
    """Makes the word at the start of a line, coloured or not."""

    def __init__(self, *, coloured: bool) -> None:
        self._coloured = coloured

    def word(self, word: str, outcome: Outcome | Result) -> str:
        fill = " " * (STATE - len(word))
        return f"\x1b[{_COLOURS[outcome]}m{word}\x1b[0m{fill}" if self._coloured else word + fill


# --- the parts --------------------------------------------------------------------------------------


def _header(report: Report) -> list[str]:
    state = report.state
    title, run = clean(state.definition.title), visible(state.run)
    gap = WIDTH - cells(title) - cells(run)
    lines = [f"{title}{' ' * gap}{run}"] if gap > 1 else [*wrapped(title, WIDTH), run]
    when = f"{period(state.times)}, {visible(state.times.timezone)}"
    if report.monitoring is not None:
        when += f", {report.monitoring}"
    lines += [*wrapped(when, WIDTH), *banner(state)]
    where = zone_of(state.times)
    window = looked_back(state)
    lines += wrapped(f"looks back over {window}", WIDTH) if window else []
    opened = f"opened {moment(state.opened.at, where)}"
    if state.last_at is not None and state.last_at != state.opened.at:
        opened += f", last event {moment(state.last_at, where)}"
    lines += wrapped(opened, WIDTH)
    people = monitored_by(state)
    if people:
        lines += hanging("monitored by ", clean(", ".join(people)), len("monitored by "))
    if state.redefinitions:
        lines.append("the checklist was edited while this run was open")
    return lines


def _sections(state: RunState, paint: _Paint) -> Iterator[list[str]]:
    where = zone_of(state.times)
    for title, items in groupby(() if state.missed else state.items.values(), key=lambda each: each.section):
        lines = wrapped(clean(title), WIDTH)
        for item in items:
            lines += _item(item, where, paint)
        yield lines


def _item(state: ItemState, where: ZoneInfo, paint: _Paint) -> list[str]:
    outcome, is_near = state.outcome, near(state)
    word = paint.word(_NEAR if is_near else outcome.value, outcome)
    by_target = bool(state.targets) and outcome is not Outcome.PASS and bool(state.judgements)
    title = clean(state.item.title)
    summary = "" if by_target and state.outcome is state.measured_outcome else clean(state.summary)
    together = f"{title}: {summary}" if summary else title
    if cells(together) <= WIDTH - STATE:
        lines = [word + together]
    else:
        lines = hanging(word, title, STATE)
        lines += [" " * STATE + line for line in wrapped(summary, WIDTH - STATE)] if summary else []
    if outcome is not Outcome.PASS or is_near:
        lines += _explained(state, where)
    lines += _compared(state)
    lines += _attempts(state)
    lines += _pruned(state)
    lines += amended_lines(state.amendments)
    for note in state.notes:
        lines += note_lines(padded("note", LABEL), note, where, STATE)
    return lines


def _explained(state: ItemState, where: ZoneInfo) -> Iterator[str]:
    """Yield why an item is not green, and what helps."""
    outcome, summary = state.outcome, clean(state.summary)
    if state.skipped is not None:
        by = state.skipped.by
        yield from labelled("by", f"{clean(by.actor.shown)}, {moment(by.at, where)}", STATE)
    elif state.waiver is not None and outcome is Outcome.WAIVED:
        yield from labelled("by", f"{clean(state.waiver.author)}, {_given(state.waiver, where)}", STATE)
    for target, judgement in state.judgements.items():
        if state.targets:
            yield from _target(state, target, judgement)
        else:
            yield from _findings(judgement, summary)
            yield from _problem(state, target, summary)
    missing = unmeasured_targets(state)
    if missing:
        yield from labelled("pending", f"{clean(', '.join(missing))}: not measured yet", STATE)
    if outcome in {Outcome.FAIL, Outcome.ERROR, Outcome.WARN}:
        if state.item.on_fail.runbook:
            yield from labelled("runbook", clean(state.item.on_fail.runbook), STATE)
        if state.item.on_fail.escalate:
            yield from labelled("tell", clean(state.item.on_fail.escalate), STATE)


def _given(waiver: Waiver, where: ZoneInfo) -> str:
    origin = waiver.body.origin
    return f"given in {clean(origin)}" if origin else moment(waiver.by.at, where)


def _target(state: ItemState, target: str, judgement: Judgement) -> Iterator[str]:
    """Yield a target that is not plainly green; its findings are in its summary."""
    if judgement.outcome is Outcome.PASS and not telling(judgement):
        return
    label = "near" if judgement.outcome is Outcome.PASS else judgement.outcome.value.lower()
    summary = clean(judgement.summary)
    yield from labelled(label, f"{clean(target)}: {summary}" if summary else clean(target), STATE)
    yield from _problem(state, target, summary)


def _findings(judgement: Judgement, said: str) -> Iterator[str]:
    """Yield each condition that does not plainly hold, with its explanation where the summary has not given it."""
    for finding in telling(judgement):
        condition, text = clean(finding.condition), clean(finding.text)
        yield from labelled(verdict_word(finding), condition if text in said else f"{condition}: {text}", STATE)


def _problem(state: ItemState, target: str, said: str) -> Iterator[str]:
    attempt = state.latest.get(target)
    if attempt is None or attempt.body.problem is None:
        return
    problem = attempt.body.problem
    cause = clean(problem.cause)
    if cause not in said:
        yield from labelled("cause", cause, STATE)
    if problem.hint:
        yield from labelled("hint", clean(problem.hint), STATE)


def _compared(state: ItemState) -> Iterator[str]:
    """Yield what was read earlier and compared with; of a long table the first rows."""
    pasts = list(item_pasts(state))
    for target, past in pasts[:_COMPARED]:
        told = "; ".join(f"{name} {words}" for name, words in past_words(past))
        yield from labelled("compared", clean(f"{past_subject(target, past)}: {told}"), STATE)
    if len(pasts) > _COMPARED:
        yield from labelled("", f"and {len(pasts) - _COMPARED} more", STATE)


def _attempts(state: ItemState) -> Iterator[str]:
    """Yield how often each target was tried, where one of the attempts was not green."""
    by_target: dict[str, list[Outcome]] = {}
    for attempt in state.attempts:
        by_target.setdefault(attempt.body.target, []).append(attempt.body.judgement.outcome)
    for target, outcomes in by_target.items():
        if len(outcomes) > 1 and (len(set(outcomes)) > 1 or outcomes[0] not in _UNEVENTFUL):
            named = f"{clean(target)}: " if target else ""
            yield from labelled("attempts", f"{named}{len(outcomes)}, {_course(outcomes)}", STATE)


_UNEVENTFUL = frozenset({Outcome.PASS, Outcome.SKIPPED, Outcome.PENDING})
"""Outcomes that nobody needs to read twice when every attempt had them."""


def _pruned(state: ItemState) -> Iterator[str]:
    """Yield the hash of each evidence text that was removed because of its age."""
    for attempt in state.latest.values():
        for evidence in attempt.body.reading.evidence if attempt.body.reading is not None else ():
            if evidence.pruned:
                yield from labelled("removed", f"evidence '{clean(evidence.title)}', because of its age", STATE)
                yield f"{' ' * STATE}{clean(evidence.sha256)}"


def _course(outcomes: Sequence[Outcome]) -> str:
    """Return `ERROR x2, then PASS`: the outcomes in their order, the last ones of many."""
    runs = [(outcome, len(list(same))) for outcome, same in groupby(outcomes)]
    words = [outcome.value if count == 1 else f"{outcome} x{count}" for outcome, count in runs]
    left_out = "... then " if len(words) > _COURSE else ""
    return left_out + ", then ".join(words[-_COURSE:])


def _sheet(state: RunState) -> list[str]:
    """Return the free texts of the day and the notes on the whole run."""
    where = zone_of(state.times)
    lines: list[str] = []
    for field in state.definition.fields:
        written = state.fields.get(field.id)
        if written is not None:
            lines += [*wrapped(f"{clean(field.title)}:", WIDTH), *prose(written.text, STATE)]
            lines += amended_lines([each for each in state.amendments if each.amendment.field == field.id])
    for note in state.notes:
        lines += note_lines(padded("Reason" if state.missed else "Note", STATE), note, where, 0)
    return lines


def _footer(report: Report, paint: _Paint) -> Iterator[str]:
    state = report.state
    close = sum(map(near, state.items.values()))
    words = items_words(state) + (f" ({close} near the limit, marked ^)" if close else "")
    yield from hanging(padded("Result", STATE) + paint.word(state.result.value, state.result), words, 2 * STATE)
    label = "To do"
    for hurdle in hurdles(state) if state.signed is None else ():
        yield from hanging(f"{padded(label, STATE)}- ", clean(hurdle.text), STATE + 2)
        label = ""
    if state.signed is None and label:
        asked = state.missed or state.definition.needs_signature
        yield from fact(label, "review and sign" if asked else "nothing: no signature is asked for")
    if state.missed and state.signed is None:
        yield from fact("Explain", f"opsconsole explain {visible(state.run)} --reason TEXT")
    for signature in state.signatures:
        yield from signed(signature, state)
    yield from fact("Record", f"{report.head.seq} {visible(report.head.hash)}")
    yield from fact("Store", visible(report.store_id))
    yield from fact("Verify", f"opsconsole verify {visible(state.run)}")
