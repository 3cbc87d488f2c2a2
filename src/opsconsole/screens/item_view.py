"""The detail of one item: the answer first, then why, then everything it rests on."""

from collections.abc import Iterable, Iterator, Sequence

from opsconsole.model.checklists import Field, Item
from opsconsole.model.deeds import Attempt, Corrected, Note
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Finding, Judgement, Level, Problem, Verdict
from opsconsole.model.runs import RunState
from opsconsole.model.text import visible
from opsconsole.model.values import formatted
from opsconsole.screens.amended_view import amended_paragraphs
from opsconsole.screens.commands import BY_ID
from opsconsole.screens.marks import MISSED, NEAR, OUTCOMES, VERDICTS, is_near
from opsconsole.screens.phrases import moment_near, number_of, person, reflowed, zone_of
from opsconsole.screens.reading_view import SEVERAL, heading, reading_paragraphs
from opsconsole.screens.run_view import mark_of
from opsconsole.widgets.evidence import NO_BREAK, Paragraph
from opsconsole.widgets.pieces import Piece

_INDENT = 2


def item_paragraphs(run: RunState, state: ItemState, *, editable: bool = True, width: int = 0) -> list[Paragraph]:
    """Return the detail of an item; text of the source is in it as it came, for a pane that makes it harmless.

    `width` is that of the pane in cells, for tables to fit into; 0 where it is not known.
    """
    return [
        _answer(state),
        *_problems(state),
        *_covered(run, state),
        *(_to_do(state) if editable else ()),
        *_amended(state.amendments, run),
        *_notes("Notes", state.notes, run),
        *_findings(state),
        *_help(state.item),
        *_attempts(run, state),
        *reading_paragraphs(state, width),
    ]


def compact(paragraphs: Iterable[Paragraph]) -> list[Paragraph]:
    """Return `paragraphs` without the blank lines between their groups, for a pane of a few lines."""
    return [
        Paragraph((Piece(first.text.removeprefix("\n"), first.style), *more), each.indent)
        for each in paragraphs
        for first, *more in (each.pieces,)
    ]


def _answer(state: ItemState) -> Paragraph:
    mark = mark_of(state)
    summary = "" if state.outcome is Outcome.PASS and state.ticked is not None else state.measured_summary
    return Paragraph(
        (
            Piece(f"{mark.glyph} {mark.word.rstrip()}", mark.style),
            Piece(f"  {visible(state.item.title)}", "bold"),
            Piece(f"\n{summary}" if summary else ""),
        )
    )


def _labelled(label: str, text: str, style: str = "") -> Paragraph:
    return Paragraph((Piece(f"{label}  ", "dim"), Piece(text, style)), _INDENT)


def _targeted(states: Iterable[tuple[str, Problem]]) -> Iterator[Paragraph]:
    for target, problem in states:
        yield _labelled(f"{target}: cause" if target else "cause", problem.cause)
        if problem.hint:
            yield _labelled("hint", problem.hint)


def _problems(state: ItemState) -> Iterator[Paragraph]:
    latest = state.latest.items()
    problems = [(target, each.body.problem) for target, each in latest if each.body.problem is not None]
    several = len(latest) > 1
    if not several and problems and problems[0][1].cause == state.measured_summary:
        hint = problems[0][1].hint
        return iter([_labelled("hint", hint)] if hint else [])
    return _targeted(problems)


def _covered(run: RunState, state: ItemState) -> Iterator[Paragraph]:
    if state.skipped is not None:
        yield _labelled("skipped by", f"{_by(state.skipped, run)}: {state.skipped.text}")
    if state.waiver is not None:
        waiver = state.waiver
        origin = f", given in {waiver.body.origin}" if waiver.body.origin else ""
        yield _labelled("waived by", f"{waiver.author} until {waiver.body.expires}{origin}: {waiver.body.reason}")
    if state.typed is not None:
        typed = state.typed
        when = moment_near(typed.by.at, run.times.business_date, zone_of(run.times))
        yield _labelled("entered", f"{typed.body.text}, by {typed.by.actor.shown} at {when}")
    if state.ticked is not None:
        when = moment_near(state.ticked.at, run.times.business_date, zone_of(run.times))
        yield _labelled("ticked by", f"{person(state.ticked.actor)} at {when}")


def _by(note: Note, run: RunState) -> str:
    return f"{note.by.actor.shown} at {moment_near(note.by.at, run.times.business_date, zone_of(run.times))}"


def _to_do(state: ItemState) -> Iterator[Paragraph]:
    """Yield what the operator can do about an item that is not green, with the keys."""
    outcome, item = state.outcome, state.item
    if outcome in {Outcome.PASS, Outcome.SKIPPED, Outcome.WAIVED}:
        return
    keys: list[tuple[str, str]] = []
    if outcome is Outcome.PENDING and item.manual:
        keys.append(("run.tick", "tick"))
    elif outcome is Outcome.PENDING and item.entry is not None:
        keys.append(("run.enter", "enter the value"))
    elif item.measured:
        keys.append(("run.measure", "again"))
    broken = outcome is not Outcome.PENDING
    if broken:
        keys += [("run.note", "note"), ("run.waive", "waive")]
    if broken and item.on_fail.runbook:
        keys.append(("run.runbook", "runbook"))
    pieces = [Piece("to do  ", "dim")]
    for name, words in keys:
        pieces += [Piece(BY_ID[name].key, "bold"), Piece(f"{NO_BREAK}{words}   ")]
    if broken and item.on_fail.escalate:
        pieces.append(Piece(f"tell {item.on_fail.escalate}", "bold"))
    yield Paragraph(tuple(pieces), _INDENT)


def _findings(state: ItemState) -> Iterator[Paragraph]:
    worst_first = sorted(state.judgements.items(), key=lambda each: each[1].outcome is Outcome.PASS)
    judgements = {target: each for target, each in worst_first if each.findings}
    if not judgements:
        yield from _conditions(state.item)
        return
    yield heading("Measured against")
    for target, judgement in judgements.items():
        if target and judgement.outcome is Outcome.PASS and len(judgements) >= SEVERAL:
            yield _green(target, judgement)
            continue
        if target:
            yield Paragraph.plain(f"{target}  {judgement.outcome}", "bold")
        for finding in judgement.findings:
            yield _finding(finding)


def _green(target: str, judgement: Judgement) -> Paragraph:
    """Return one line for a target with which all is well."""
    mark = NEAR if is_near(judgement) else OUTCOMES[Outcome.PASS]
    return Paragraph((mark.piece(), Piece(target), Piece(f"  {judgement.summary}", "dim")), 4)


def _finding(finding: Finding) -> Paragraph:
    missed = finding.level is Level.TARGET and finding.verdict is Verdict.BROKEN
    mark = MISSED if missed else VERDICTS[finding.verdict]
    level = "required" if finding.level is Level.REQUIRE else "target"
    return Paragraph(
        (
            Piece(f"{mark.glyph} {mark.word:<7} ", mark.style),
            Piece(f"{level:<8} ", "dim"),
            Piece(finding.condition),
            Piece(f"\n    {finding.text}", "dim"),
        ),
        4,
    )


def _conditions(item: Item) -> Iterator[Paragraph]:
    """Yield what will be asked of a reading that is not there yet."""
    if not (item.require or item.target):
        return
    yield heading("To be measured against" if item.measured else "To be judged by")
    for word, conditions in (("required", item.require), ("target", item.target)):
        for condition in conditions:
            yield Paragraph((Piece(f"    {word:<8} ", "dim"), Piece(condition.text)), 4)


def _amended(made: Sequence[Corrected], run: RunState) -> Iterator[Paragraph]:
    if made:
        yield heading("Amended after the sign-off")
        yield from amended_paragraphs(made, run)


def _notes(title: str, notes: Sequence[Note], run: RunState) -> Iterator[Paragraph]:
    if notes:
        yield heading(title)
    for note in notes:
        yield Paragraph((Piece(f"{_by(note, run)}  ", "dim"), Piece(note.text)), _INDENT)


def _help(item: Item) -> Iterator[Paragraph]:
    if item.help:
        yield Paragraph.plain(f"\n{reflowed(item.help)}")
    facts = []
    if item.refs:
        facts.append(f"serves {', '.join(item.refs)}")
    if item.priority:
        facts.append(f"priority {item.priority}")
    if item.minutes:
        facts.append(f"about {item.minutes} min")
    if item.requires:
        facts.append(f"needs {', '.join(item.requires)}")
    if item.listed_by:
        facts.append(f"targets from {item.listed_by}")
    facts.append(f"id {item.id}")
    yield Paragraph.plain(f"\n{' · '.join(facts)}", "dim")


def _attempts(run: RunState, state: ItemState) -> Iterator[Paragraph]:
    if not state.attempts:
        return
    told = [each for each in state.attempts if len(state.latest) < SEVERAL or not _is_plain(each)]
    yield heading("Attempts" if len(state.attempts) > 1 else "Measured")
    for attempt in reversed(told):
        yield _attempt(run, attempt)
    if plain := len(state.attempts) - len(told):
        others = "more " if told else ""
        yield Paragraph.plain(f"{number_of(plain, f'{others}attempt')}, green at once", "dim", _INDENT)


def _is_plain(attempt: Attempt) -> bool:
    """Return whether there is nothing to say of an attempt beyond that it was green."""
    body = attempt.body
    return body.judgement.outcome is Outcome.PASS and body.attempt == 1


def _attempt(run: RunState, attempt: Attempt) -> Paragraph:
    body = attempt.body
    mark = OUTCOMES[body.judgement.outcome]
    when = moment_near(body.started_at, run.times.business_date, zone_of(run.times))
    facts = [f"took {formatted(body.elapsed)}"]
    if body.target:
        facts.insert(0, body.target)
    if body.attempt > 1:
        facts.append(f"attempt {body.attempt}")
    if not body.final:
        facts.append("tried again")
    return Paragraph(
        (
            Piece(f"{when}  "),
            mark.piece(),
            Piece(f"{', '.join(facts)}  ", "dim"),
            Piece(body.judgement.summary, "dim"),
        ),
        10,
    )


def field_paragraphs(run: RunState, field: Field, *, editable: bool = True) -> list[Paragraph]:
    """Return the detail of a line of the day's sheet."""
    filled = run.fields.get(field.id)
    parts = [Paragraph.plain(field.title, "bold")]
    if filled is not None:
        parts += [Paragraph.plain(filled.text), Paragraph.plain(f"written by {_by(filled, run)}", "dim")]
    elif editable:
        parts.append(
            Paragraph((Piece("to do  ", "dim"), Piece(BY_ID["run.enter"].key, "bold"), Piece(" fill it in")))
        )
    else:
        parts.append(Paragraph.plain("not filled in", "dim"))
    if field.help:
        parts.append(Paragraph.plain(f"\n{reflowed(field.help)}"))
    parts += _amended([each for each in run.amendments if each.amendment.field == field.id], run)
    parts += _notes("Notes on the run", run.notes, run)
    of_run = [each for each in run.amendments if not each.amendment.item and not each.amendment.field]
    return [*parts, *_amended(of_run, run)]
