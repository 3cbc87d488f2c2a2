"""What the text format says of action items, and of what was decided of a qualification."""

from collections.abc import Iterator

from opsconsole.export.facts import moment, person, zone_of
from opsconsole.export.text_lines import STATE, clean, fact, labelled
from opsconsole.export.wording import action_facts, action_state, approval_facts, step_change
from opsconsole.model.events import Approval, Meaning
from opsconsole.model.runs import RunState


def actions(state: RunState) -> list[str]:
    """Return the section of what was found to be done, with everything that became of it."""
    lines = ["Action items"] if state.actions else []
    where = zone_of(state.times)
    for action in state.actions.values():
        stands = action_state(action, state.times.business_date)
        lines += fact(f"#{action.number}", f"{stands}: {clean(action.raised.text)}")
        told = action_facts(action)
        lines += labelled("to do", clean(told), STATE) if told else []
        lines += labelled("raised", f"{moment(action.at, where)} by {clean(person(action.actor))}", STATE)
        for step in action.steps:
            said = f"{step_change(step)}{f': {step.body.text}' if step.body.text else ''}"
            by = f"{clean(person(step.actor))}, {moment(step.at, where)}"
            lines += labelled("then", f"{clean(said)}; {by}", STATE)
    return lines


def decided(approval: Approval, meaning: Meaning) -> Iterator[str]:
    """Yield what a signature decided of a qualification, and each day that it was shown."""
    for name, text in approval_facts(approval, meaning):
        yield from fact("", f"{name.lower()}: {clean(text)}")
    for each in approval.days:
        yield from fact("", f"{each.date} {clean(f'{each.state}, by {each.signer}')}, event {each.seq}")
