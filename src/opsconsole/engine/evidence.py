"""What verifying the records of a qualification found: what does not hold, and what nobody can tell."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from opsconsole.model.day_rules import is_excluded
from opsconsole.model.events import Meaning
from opsconsole.model.qualifications import DayFact, Qualification
from opsconsole.model.verification import MADE_UP_FOR, CheckedRun, Weight

if TYPE_CHECKING:
    from opsconsole.engine.verifying import Verifying


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying the records of a qualification found."""

    faults: Mapping[str, str] = {}
    """Why records do not hold, by run: such a day resets the count."""
    unchecked: Mapping[str, str] = {}
    """Why nobody can tell whether records hold, by run: that stands against an approval, and resets nothing."""
    record: tuple[str, ...] = ()
    """What is wrong with the record as a whole, or could not be checked of it, a line each: see `blockers`."""
    record_holds: bool = True
    """Whether nothing of `record` is known to be wrong, and there are at most doubts."""

    @property
    def holds(self) -> bool:
        """Whether nothing is known to be wrong."""
        return not self.faults and self.record_holds

    @property
    def is_whole(self) -> bool:
        """Whether everything could be checked, and holds."""
        return self.holds and not self.unchecked and not self.record


class Doubt(msgspec.Struct, frozen=True):
    """What the chain says of when a run was done and signed, whatever it is dated."""

    made_up_for: str = ""
    """Why something of it may have been done after its period."""
    signed_after: dt.datetime | None = None
    """The latest date that stands before its sign-off."""

    def of(self, fact: DayFact, definition: Qualification) -> str:
        """Return why nobody can tell whether a day was done and signed in time; nothing for an excluded one."""
        if is_excluded(definition, fact):
            return ""
        limit = fact.ends_at + definition.sign_within.timedelta()
        after, signed_at = self.signed_after, fact.signed_at
        if self.made_up_for or after is None or signed_at is None or not signed_at < limit <= after:
            return self.made_up_for
        said, shown = f"{signed_at:%Y-%m-%d %H:%MZ}", f"{after:%Y-%m-%d %H:%MZ}"
        return f"its sign-off is dated {said}, in time, and stands behind an event of {shown}, when it was too late"


def doubt_of(checked: CheckedRun, verifying: "Verifying") -> Doubt:
    """Return what the place of a run's events in the chain says against the dates that they have."""
    made_up_for = next((each.text for each in checked.findings if each.code == MADE_UP_FOR), "")
    signed = next((each for each in checked.signatures if each.meaning is Meaning.PERFORMED), None)
    return Doubt(made_up_for, verifying.latest_before(signed.seq) if signed is not None else None)


def note(checked: CheckedRun, faults: dict[str, str], unchecked: dict[str, str]) -> None:
    """Add to `faults` and `unchecked` the first thing of each that was found of a run."""
    for finding in checked.findings:
        if finding.weight is Weight.FAULT:
            faults.setdefault(checked.run, finding.text)
        elif finding.weight is Weight.UNCHECKED:
            unchecked.setdefault(checked.run, finding.text)


def of_record(verifying: "Verifying") -> Iterator[tuple[Weight, str]]:
    """Yield what is wrong with the chain, and with the heads that are kept outside of it."""
    broken = verifying.chain.broken
    if broken is not None:
        yield Weight.FAULT, f"the chain of the record is broken at event {broken.seq}: {broken.why}"
    for anchor in verifying.anchors():
        for each in anchor.findings:
            if each.weight is Weight.FAULT:
                yield each.weight, f"{anchor.name}: {each.text}"
            elif each.weight is Weight.UNCHECKED:
                yield each.weight, f"{anchor.name} could not be checked: {each.text}"
