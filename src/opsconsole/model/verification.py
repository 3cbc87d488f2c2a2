"""What verifying a record found: of each run, of each anchor, and what that comes to."""

import datetime as dt
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from opsconsole.model.events import Meaning
from opsconsole.model.outcomes import Result
from opsconsole.model.tiers import Tier

SCHEMA = "opsconsole.verification.v1"
"""Of the JSON document; docs/verification.md describes it."""

MADE_UP_FOR = "made-up-for"
"""The code of a finding: by its place in the chain, something of a run may have been done after its period."""


class Weight(StrEnum):
    """How much a finding means."""

    INFO = "info"
    """Good to know: a loss that the operator has accepted, a sign-off that came late."""
    FLAG = "flag"
    """Worth a look; nothing is proved by it."""
    UNCHECKED = "unchecked"
    """Something could not be checked, which is not the same as well."""
    FAULT = "fault"
    """It does not hold."""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was found."""

    weight: Weight
    code: str
    """Stable, in kebab case, such as `head-not-in-chain`."""
    text: str
    seq: int = 0
    """The event it is about, 0 for none in particular."""


class Standing(StrEnum):
    """What a run comes to."""

    VERIFIED = "verified"
    """Signed with keys, and everything holds."""
    ATTRIBUTED = "attributed"
    """Everything holds, but its sign-off or an amendment is this program's word for a login, and no proof."""
    UNSIGNED = "unsigned"
    """Nobody has signed it off; what there is of it holds."""
    UNCHECKED = "unchecked"
    """Nothing is known to be wrong, and not everything could be looked at."""
    BROKEN = "broken"


class CheckedSignature(msgspec.Struct, frozen=True, kw_only=True):
    """One signature of a run, as its statement tells, and whether it holds."""

    seq: int
    meaning: Meaning
    tier: Tier
    result: Result
    name: str
    login: str
    principal: str
    fingerprint: str
    signed_at: dt.datetime
    verified: bool | None
    """Whether the key's signature holds; None where no key signed, or where it could not be checked."""


class CheckedRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run and everything that was found about it."""

    run: str
    standing: Standing
    result: Result | None
    """What it came to; None where its events make no run."""
    last_seq: int
    last_hash: str
    signatures: tuple[CheckedSignature, ...] = ()
    findings: tuple[Finding, ...] = ()


class CheckedAnchor(msgspec.Struct, frozen=True, kw_only=True):
    """One place outside of the record, and whether the record holds what is kept there."""

    name: str
    heads: int
    """How many heads of this record it keeps."""
    furthest_seq: int
    """The last event that it stands for, 0 for none."""
    findings: tuple[Finding, ...] = ()


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole in numbers."""

    standing: Standing
    """`broken`, `unchecked` or `verified`: the worst of chain, runs and anchors."""
    runs: int
    verified: int
    attributed: int
    unsigned: int
    unchecked: int
    broken: int
    faults: int
    """Of runs and anchors together."""
    flags: int


class Tally:
    """Counts what is found while it is found, so that a long record need not be kept in memory."""

    def __init__(self, *, chain_broken: bool) -> None:
        self._chain_broken = chain_broken
        self._runs = dict.fromkeys(Standing, 0)
        self._weights = dict.fromkeys(Weight, 0)

    def add(self, checked: CheckedRun | CheckedAnchor) -> None:
        """Count one run or anchor."""
        if isinstance(checked, CheckedRun):
            self._runs[checked.standing] += 1
        for finding in checked.findings:
            self._weights[finding.weight] += 1

    def summary(self) -> Summary:
        """Return what it comes to so far."""
        return Summary(
            standing=self._standing,
            runs=sum(self._runs.values()),
            verified=self._runs[Standing.VERIFIED],
            attributed=self._runs[Standing.ATTRIBUTED],
            unsigned=self._runs[Standing.UNSIGNED],
            unchecked=self._runs[Standing.UNCHECKED],
            broken=self._runs[Standing.BROKEN],
            faults=self._weights[Weight.FAULT],
            flags=self._weights[Weight.FLAG],
        )

    @property
    def _standing(self) -> Standing:
        if self._chain_broken or self._weights[Weight.FAULT]:
            return Standing.BROKEN
        return Standing.UNCHECKED if self._weights[Weight.UNCHECKED] else Standing.VERIFIED


def standing_of(signatures: Iterable[CheckedSignature], findings: Iterable[Finding]) -> Standing:
    """Return what a run with these signatures and findings comes to: the weakest settling signature counts."""
    weights = {each.weight for each in findings}
    settling = [each for each in signatures if each.meaning in {Meaning.PERFORMED, Meaning.AMENDED}]
    if Weight.FAULT in weights:
        return Standing.BROKEN
    if Weight.UNCHECKED in weights:
        return Standing.UNCHECKED
    if not any(each.meaning is Meaning.PERFORMED for each in settling):
        return Standing.UNSIGNED
    return Standing.VERIFIED if all(each.tier.keyed for each in settling) else Standing.ATTRIBUTED
