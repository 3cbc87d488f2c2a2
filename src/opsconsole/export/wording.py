"""What several formats say in the same words of missed runs, windows, the past, action items and decisions."""

import datetime as dt
from collections.abc import Iterator
from zoneinfo import ZoneInfo

from opsconsole.export.facts import day, exact_moment, moment
from opsconsole.model.actions import Action, Step
from opsconsole.model.checklists import Cadence
from opsconsole.model.events import Approval, Meaning, Statement
from opsconsole.model.item_state import ItemState
from opsconsole.model.outcomes import Result
from opsconsole.model.readings import Past
from opsconsole.model.runs import RunState
from opsconsole.model.signoff import count_words
from opsconsole.model.values import shown

NOTHING_MEASURED = "nothing was measured"

_DAILY = frozenset({Cadence.DAILY, Cadence.INTERVAL})


def items_words(state: RunState) -> str:
    """Return how many items came to what; a missed run has seen none of them."""
    return NOTHING_MEASURED if state.missed else count_words(state.counts)


def signed_words(statement: Statement) -> str:
    """Return the same of what was signed."""
    return NOTHING_MEASURED if statement.result is Result.MISSED else count_words(statement.counts)


def missed_words(state: RunState, where: ZoneInfo) -> str:
    """Return what must be read first of a missed run: since when it is over, and who explained it."""
    if not state.missed:
        return ""
    over = f"over on {moment(state.times.ends_at, where)}" if state.times.ends_at is not None else "over"
    found = f"it was {over}, and nobody had opened it: {NOTHING_MEASURED}, and it never counts as done"
    if state.signed is None:
        return f"{found}; not explained yet"
    statement = state.signed.body.statement
    return f"{found}; explained by {statement.signer}, {exact_moment(statement.signed_at, where)}"


def looked_back(state: RunState) -> str:
    """Return the stretch of time that a run looks back over where that is more than its own day; else nothing."""
    window = state.times.window
    if state.definition.cadence in _DAILY or window.start == window.end == state.times.business_date:
        return ""
    if window.start == window.end:
        return day(window.start)
    of = ", the days of the qualification" if state.qualified is not None else ""
    return f"{day(window.start)} to {day(window.end)}{of}"


# --- the past ----------------------------------------------------------------------------------------


def item_pasts(state: ItemState) -> Iterator[tuple[str, Past]]:
    """Yield what the judgements in force of an item compared with, each with its target."""
    for target, attempt in state.latest.items():
        if attempt.body.reading is not None:
            yield from ((target, each) for each in attempt.body.reading.past)
    if state.typed is not None:
        yield from (("", each) for each in state.typed.body.past)


def past_words(past: Past) -> Iterator[tuple[str, str]]:
    """Yield each earlier value that was compared with (`baseline`, `8 s, of 14 readings`), or why it is lacking."""
    for name, value in past.values.items():
        if name == "baseline":
            yield name, f"{shown(value)}, of {past.readings} readings"
        else:
            run = past.runs.get(name, "")
            yield name, f"{shown(value)}{f', in {run}' if run else ''}"
    for name, why in past.missing.items():
        yield name, f"not known: {why}"
    if past.problem:
        yield "past", f"not known: {past.problem}"


def past_subject(target: str, past: Past) -> str:
    """Return what a past is of: target, row and measure."""
    return ": ".join(each for each in (target, past.row, past.subject) if each)


# --- action items -------------------------------------------------------------------------------------


def action_state(action: Action, today: dt.date) -> str:
    """Return `open`, `open, late`, `done` or `dropped`; late is what was due before the date of the run."""
    return f"{action.state}, late" if action.is_late(today) else str(action.state)


def action_facts(action: Action) -> str:
    """Return who is to do it until when, and what it is about; nothing where nobody said."""
    facts = (
        f"for {action.owner}" if action.owner else "",
        f"due {action.due}" if action.due is not None else "",
        f"at {action.raised.item}" if action.raised.item else "",
    )
    return ", ".join(filter(None, facts))


def step_change(step: Step) -> str:
    """Return what one step made of an action item, without its words: `open, for somebody, due 2026-12-01`."""
    body = step.body
    owner = f"for {body.owner or 'nobody'}" if body.owner is not None else ""
    due = f"due {body.due}" if body.due is not None else ""
    return ", ".join(filter(None, (str(body.state), owner, due)))


# --- decisions ----------------------------------------------------------------------------------------


def approval_facts(approval: Approval, meaning: Meaning) -> Iterator[tuple[str, str]]:
    """Yield what was decided of a qualification, and on what grounds."""
    yield "Decided", f"{approval.qualification} is {meaning}"
    count = len(approval.days)
    span = f"{day(approval.first)} to {day(approval.last)}"
    yield "Days", f"{count} {'day' if count == 1 else 'days'}, {span}; count {approval.attempt}"
    yield "Resets before", str(approval.resets)
    yield "Waived, warned", f"{approval.waivers} waived, {approval.warnings} warned on these days"
    if approval.failed_since:
        yield "Failed since", ", ".join(approval.failed_since)
    yield "Ready", f"{'yes' if approval.ready else 'no'}, for {approval.phase}"
    yield "By the rules", "nothing stood against it" if approval.complete else "something stood against it"
    if approval.own_work_allowed:
        yield "Four eyes", "lifted by the rules: who signed one of the days may decide"
    if approval.reason:
        yield "Reason", approval.reason
    yield "Qualification (SHA-256)", approval.qualification_hash
