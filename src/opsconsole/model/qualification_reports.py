"""What the report of a qualification holds: `opsconsole.qualification-report.v1`, the same in every format.

It can be made at any time; while the qualification runs it says so first. `docs/reports.md` tells the keys.
"""

import datetime as dt

import msgspec

from opsconsole.model.counting import DayState, Phase
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.report_numbers import Accuracy, Series
from opsconsole.model.reports import ActionLine, AmendmentLine, Provenance, Trouble, Written
from opsconsole.model.tiers import Tier

SCHEMA = "opsconsole.qualification-report.v1"


class DayLine(msgspec.Struct, frozen=True, kw_only=True):
    """One due date of the qualified checklist: a line of the monitoring log."""

    attempt: int
    """Which count it belongs to, from 1."""
    number: int
    """Which day of that count; 0 where it is none."""
    date: dt.date
    run: str
    state: DayState
    result: Result | None
    """None where nobody opened the run."""
    counts: dict[Outcome, int]
    signer: str
    signed_at: dt.datetime | None
    tier: Tier | None
    cause: str
    """Why it is no plain pass."""
    notes: tuple[str, ...]
    """What people wrote in the run, each with its place."""
    verification: str = ""
    """What verifying its record came to; empty where there is none."""
    fault: str = ""


class AttemptLine(msgspec.Struct, frozen=True, kw_only=True):
    """One count, and how it ended."""

    number: int
    first: dt.date | None
    passed: int
    length: int
    ended_on: dt.date | None = None
    """The day that reset it; None for a count that was not."""
    cause: str = ""
    reason: str = ""
    """What a person documented; empty while nobody has."""
    reason_by: str = ""


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was not plainly good on one day, and what people wrote about it."""

    date: dt.date
    run: str
    subject: str
    """The title of the item, or of the field of the day's sheet."""
    outcome: Outcome | None
    """None for what was written in the sheet."""
    text: str
    said: tuple[str, ...] = ()
    """Notes, and reasons of waivers."""
    good_again_at: dt.datetime | None = None
    """The first good reading after it; None where there is none, and for what was written in the sheet."""
    actions: tuple[str, ...] = ()
    """The action items that were raised about it, and what became of them."""


class ReviewLine(msgspec.Struct, frozen=True, kw_only=True):
    """The final review."""

    run: str
    opened: bool
    passed: bool
    signed_at: dt.datetime | None
    signer: str
    fault: str
    outcomes: tuple[tuple[str, Outcome, str], ...]
    """Title, outcome and what was seen, of every item."""


class DecisionLine(msgspec.Struct, frozen=True, kw_only=True):
    """An approval or a refusal, as it was signed."""

    approved: bool
    ready: bool
    """For the next phase."""
    phase: str
    by: str
    at: dt.datetime
    tier: Tier | None
    run: str
    reason: str
    overturned: bool = False
    """The record bears it out no more."""


class QualificationReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a report of a qualification says."""

    schema: str = SCHEMA
    id: str
    title: str
    system: str
    checklist: str
    phase: Phase
    finished: bool
    """Whether it was decided on."""
    made_at: dt.datetime
    timezone: str
    """Of the checklist."""
    definition_hash: str
    rules: tuple[tuple[str, str], ...]
    """What the definition says of days, in words."""
    summary: tuple[str, ...]
    days: tuple[DayLine, ...]
    attempts: tuple[AttemptLine, ...]
    issues: tuple[Issue, ...]
    troubles: tuple[Trouble, ...]
    actions: tuple[ActionLine, ...]
    """That were raised in its runs, and what became of them."""
    measured_from: dt.date | None
    """With `measured_to` the days that performance, resources and accuracy are about: those of the last count of
    which a run was opened."""
    measured_to: dt.date | None
    performance: tuple[Series, ...]
    """Numbers of tables whose rows have names: one for each row and column."""
    resources: tuple[Series, ...]
    """All others that have limits."""
    accuracy: tuple[Accuracy, ...]
    review: ReviewLine | None
    recommendations: tuple[Written, ...]
    """The fields of the final review, as written."""
    decisions: tuple[DecisionLine, ...]
    blockers: tuple[str, ...]
    """What stands against an approval now; nothing once it was decided on."""
    amendments: tuple[AmendmentLine, ...]
    written: tuple[Written, ...]
    provenance: Provenance
