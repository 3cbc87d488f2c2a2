"""What an item comes to that could not be measured, or that is only a reference for what a person types in."""

from collections.abc import Collection

from opsconsole.contracts.probe import TOO_FEW, TOO_LITTLE_HISTORY
from opsconsole.model.checklists import Item
from opsconsole.model.judging import measures_of, without_history
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Judgement, Problem, Reading


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


def judged_reference(item: Item, reading: Reading) -> Judgement:
    """Judge the reading that an entry is compared with: all it has to be is there."""
    names = {name for condition in (*item.require, *item.target) for name in condition.names()}
    measures = measures_of(reading)
    missing = sorted(name for name in names if measures.get(name) is None)
    if missing:
        return Judgement(Outcome.ERROR, f"'{missing[0]}' could not be read, so nothing can be compared with it")
    return Judgement(Outcome.PENDING, "")
