"""What an item comes to that could not be measured, or that is only a reference for what a person types in."""

from collections.abc import Collection

import msgspec

from opsconsole.contracts.probe import TOO_FEW, TOO_LITTLE_HISTORY
from opsconsole.model.checklists import Item
from opsconsole.model.events import Measured
from opsconsole.model.judging import judge_item, measures_of, without_history
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Judgement, Level, Problem, Reading, Verdict

_UNSEEN = frozenset({Verdict.UNKNOWN, Verdict.NAN, Verdict.NO_HISTORY})
_MILD = frozenset({Outcome.PASS, Outcome.WARN, Outcome.SKIPPED})


def outcome_of(item: Item, problem: Problem, skip: Collection[tuple[str, str]] = ()) -> Outcome:
    """Return what a problem makes of an item; `skip` has kinds of probes with reasons that make any SKIPPED."""
    if problem.reason in item.skip_when or (item.probe, problem.reason) in skip:
        return Outcome.SKIPPED
    match problem.reason:
        case "timeout":
            return item.on_timeout
        case "source-down":
            return item.on_connect_error
        case "empty":
            return item.on_empty or Outcome.ERROR
        case reason if reason == TOO_FEW:
            return item.on_too_few
        case reason if reason == TOO_LITTLE_HISTORY:
            return without_history(item)
        case _:
            return Outcome.ERROR


def judged_problem(
    item: Item, problem: Problem, reading: Reading | None, skip: Collection[tuple[str, str]] = ()
) -> Judgement:
    """Judge an item that could not be measured, as it says itself; what was seen to be broken outweighs that."""
    if reading is not None and reading.measures and item.entry is None:
        found = judge_item(item, reading)
        if broken_by(found):
            broken = tuple(each for each in found.findings if each.verdict is Verdict.BROKEN)
            return Judgement(Outcome.FAIL, found.summary, broken)
    return Judgement(outcome_of(item, problem, skip), problem.cause)


def judged_reference(item: Item, reading: Reading) -> Judgement:
    """Judge the reading that an entry is compared with: all it has to be is there."""
    names = {name for condition in (*item.require, *item.target) for name in condition.names()}
    measures = measures_of(reading)
    missing = sorted(name for name in names if measures.get(name) is None)
    if missing:
        return Judgement(Outcome.ERROR, f"'{missing[0]}' could not be read, so nothing can be compared with it")
    return Judgement(Outcome.PENDING, "")


def broken_by(judgement: Judgement) -> str:
    """Return what was seen to break a requirement, empty where nothing was."""
    is_broken = any((each.level, each.verdict) == (Level.REQUIRE, Verdict.BROKEN) for each in judgement.findings)
    return judgement.summary if is_broken else ""


def confirmed(measured: Measured, broken: str) -> Measured:
    """Return another attempt after one that saw a requirement `broken`, empty where none did.

    It may have been seen to be good by now. Where it was not seen at all, what the item says such a problem means
    (a warning, not applicable) does not take the failure back.
    """
    if not broken or measured.judgement.outcome not in _MILD or _was_seen(measured):
        return measured
    cause = f"{broken}; measured again, it could not be seen: {measured.judgement.summary}"
    problem = Problem("unconfirmed", cause, measured.problem.hint if measured.problem is not None else "")
    return msgspec.structs.replace(measured, judgement=Judgement(Outcome.FAIL, cause), problem=problem)


def _was_seen(measured: Measured) -> bool:
    if measured.problem is not None:
        return measured.problem.reason == "empty"  # of which the item says what it means
    return not any(each.verdict in _UNSEEN for each in measured.judgement.findings)
