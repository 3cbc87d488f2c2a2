"""What `opsconsole doctor` reports."""

import msgspec

from opsconsole.model.outcomes import Outcome


class Checked(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    subject: str
    outcome: Outcome
    text: str
    hint: str = ""
