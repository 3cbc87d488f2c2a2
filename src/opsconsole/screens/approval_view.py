"""What a decision on a qualification says, in words: every part of what is signed."""

from collections.abc import Iterator

from opsconsole.model.events import Statement
from opsconsole.screens.facts import fact
from opsconsole.screens.phrases import number_of
from opsconsole.widgets.evidence import Paragraph

_SHORT = 16
"""Characters that are shown of a hash that the exact bytes hold in full."""


def approval_paragraphs(statement: Statement) -> Iterator[Paragraph]:
    """Yield what a statement says of a qualification; nothing where it decides on none."""
    approval = statement.approval
    if approval is None:
        return
    ready = "READY" if approval.ready else "NOT READY"
    yield fact(
        "decides", f"{approval.qualification}, count {approval.attempt}: {approval.first} to {approval.last}"
    )
    yield fact("decision", f"{statement.meaning}; {ready} for {approval.phase}", "bold")
    yield fact("reason", approval.reason or "none given")
    stood = "nothing" if approval.complete else "something"
    yield fact("complete", f"{stood} stood against an approval", "" if approval.complete else "bold $warning")
    own = "people may decide" if approval.own_work_allowed else "nobody decides"
    yield fact("own work", f"{own} on their own work", "$warning" if approval.own_work_allowed else "")
    resets = number_of(approval.resets, "reset")
    counts = f"{number_of(approval.waivers, 'item')} waived, {number_of(approval.warnings, 'item')} with warnings"
    yield fact("before", f"{resets}; on the days that count {counts}")
    if approval.failed_since:
        yield fact("since", f"did not pass: {', '.join(approval.failed_since)}", "$warning")
    for number, each in enumerate(approval.days):
        text = f"{each.date} {each.state}, {each.signer}; event {each.seq}, hash {each.hash[:_SHORT]}"
        yield fact("" if number else "days", text)
    yield fact("rules", f"definition {approval.qualification_hash}")
