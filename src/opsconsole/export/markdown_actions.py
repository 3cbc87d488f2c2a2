"""Action items in the day log, and the days that a qualification was decided on."""

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from opsconsole.export.commonmark import heading, inline, quoted, table
from opsconsole.export.facts import moment, person
from opsconsole.export.layout import one_line
from opsconsole.export.wording import action_facts, action_state, step_change
from opsconsole.model.actions import Action
from opsconsole.model.events import Approval
from opsconsole.model.runs import RunState


def action_blocks(state: RunState, where: ZoneInfo, level: int) -> Iterator[str]:
    """Yield the section of what was found to be done, with everything that became of it."""
    if not state.actions:
        return
    yield heading(level, "Action items")
    today = state.times.business_date
    rows = [
        (f"#{each.number}", action_state(each, today), each.raised.text, each.owner, str(each.due or ""))
        for each in state.actions.values()
    ]
    yield table(("No.", "State", "What", "Who", "Until"), rows)
    for action in state.actions.values():
        yield from _action(action, where)


def _action(action: Action, where: ZoneInfo) -> Iterator[str]:
    given = action_facts(action)
    raised = f"{moment(action.at, where)} by {inline(one_line(person(action.actor)))}"
    yield f"Action item #{action.number}, raised {raised}{f', {inline(one_line(given))}' if given else ''}:"
    yield quoted(action.raised.text)
    for step in action.steps:
        by = f"{moment(step.at, where)} by {inline(one_line(person(step.actor)))}"
        yield f"{by}: {inline(one_line(step_change(step)))}{':' if step.body.text else '.'}"
        if step.body.text:
            yield quoted(step.body.text)


def approved_days(approval: Approval) -> str:
    """Return the table of the days that whoever decided was shown."""
    rows = [(str(each.date), each.state, each.run, each.signer, str(each.seq), each.hash) for each in approval.days]
    return table(("Date", "State", "Run", "Signed by", "Event", "Hash"), rows)
