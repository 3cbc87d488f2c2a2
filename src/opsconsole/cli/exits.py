"""The exit codes, which scripts and monitoring systems rely on."""

from collections.abc import Mapping
from enum import IntEnum

from opsconsole.model.outcomes import Outcome


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    """Passed, warned, or waiting for a person."""
    FAILED = 1
    """An item failed, or a chain or a file was found broken."""
    USAGE = 2
    """Wrong usage, configuration or checklist."""
    UNMEASURED = 3
    """Nothing failed, but something could not be measured."""
    NOT_SAVED = 4
    """The result could not be saved."""


def exit_code(counts: Mapping[Outcome, int], *, fail_on_warn: bool = False, fail_on_pending: bool = False) -> Exit:
    """Return the code for a run with these outcomes.

    A blocked item counts as not measured, and so does a run of which every item was skipped.
    """
    present = {outcome for outcome, count in counts.items() if count}
    if Outcome.FAIL in present:
        return Exit.FAILED
    if present & {Outcome.ERROR, Outcome.BLOCKED} or present == {Outcome.SKIPPED}:
        return Exit.UNMEASURED
    if fail_on_warn and Outcome.WARN in present:
        return Exit.FAILED
    if fail_on_pending and Outcome.PENDING in present:
        return Exit.FAILED
    return Exit.OK
