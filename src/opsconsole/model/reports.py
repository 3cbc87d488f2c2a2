"""What a report of a day, week, month or quarter holds: `opsconsole.report.v1`, the same in every format.

All of it is computed from the record (see report_*.py beside this module). Instants are in UTC; numbers of sources
are decimals with their unit. `docs/reports.md` says what each key means.
"""

import datetime as dt
from decimal import Decimal
from enum import StrEnum

import msgspec

from opsconsole.model.checklists import Cadence
from opsconsole.model.events import ActionState, AmendmentKind
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.report_numbers import Accuracy, Series
from opsconsole.model.tiers import Tier
from opsconsole.model.verification import Standing

SCHEMA = "opsconsole.report.v1"
INTACT = "intact"
"""What is said of a chain that is."""


class Overall(StrEnum):
    """What the whole period comes to, worst last."""

    NOTHING = "nothing due"
    GOOD = "good"
    INCOMPLETE = "incomplete"
    """Nothing is known to have failed, and not everything was seen, done and signed."""
    BAD = "bad"


class Kept(StrEnum):
    """What became of one due period of a checklist; each has exactly one."""

    IN_TIME = "in time"
    """Done, and signed where that is asked for, before it was overdue."""
    LATE = "late"
    """Done, and after it was overdue."""
    EXPLAINED = "missed, explained"
    """Nobody did it before its period was over, and somebody signed why."""
    MISSED = "missed"
    UNSIGNED = "unsigned"
    """Opened in time and never signed; its period is over."""
    UNFINISHED = "unfinished"
    """The same of a list that nobody has to sign: not everything was seen before its period was over."""
    OPEN = "open"
    """Due, and its period is not over."""


DONE = frozenset({Kept.IN_TIME, Kept.LATE})
WANTING = frozenset({Kept.MISSED, Kept.UNSIGNED, Kept.UNFINISHED})
"""What somebody still has to sign or explain."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of dates, both included."""

    key: str
    """`2026-11-21`, `2026-W47`, `2026-11` or `2026-Q4`."""
    start: dt.date
    end: dt.date


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Counts over due periods. `due` is the sum of `kept`, and the runs that were opened that of `results`."""

    due: int
    kept: dict[Kept, int]
    """Every state, those that did not occur with 0."""
    results: dict[Result, int]
    """What the opened runs came to, runs that were not due included."""
    outcomes: dict[Outcome, int]
    """What their items came to."""
    passed: int
    """Runs that were done and passed."""
    extra: int
    """Runs on days that were not due."""
    unseen: int = 0
    """Runs that came to FAIL because every item was skipped: nothing failed in them, and nothing was seen."""


class RunLine(msgspec.Struct, frozen=True, kw_only=True):
    """One period of a checklist that was due, or done although it was not."""

    run: str
    """Its name, also where nobody opened it."""
    date: dt.date
    """On which it was due; of one that was not due, its business date."""
    kept: Kept
    due: bool = True
    result: Result | None = None
    """None where nobody opened it."""
    counts: dict[Outcome, int] = {}
    signer: str = ""
    signed_at: dt.datetime | None = None
    tier: Tier | None = None
    amendments: int = 0
    why: str = ""
    """The explanation of a missed one."""
    number: int = 0
    """Its place among the runs of its checklist in the period, from 1: those next to each other follow in time."""


class ChecklistLine(msgspec.Struct, frozen=True, kw_only=True):
    """One checklist in the period."""

    id: str
    title: str
    system: str
    cadence: Cadence
    timezone: str
    tally: Tally
    runs: tuple[RunLine, ...]
    """In order of time; of a list that is due every few minutes those that were not both passed and in time."""
    never_run: bool = False
    """Nobody has ever opened a run of it, so that nothing could be missed."""
    awaited: bool = False
    """The first run of one that was never run is due by now."""
    removed: bool = False
    """There is no such checklist any more; its last run tells what it was."""


class Spell(msgspec.Struct, frozen=True, kw_only=True):
    """An item that was not good, from its first bad reading to the first good one after it."""

    began_at: dt.datetime
    began_run: str
    earlier: bool
    """It may have begun earlier: no good reading before it is known."""
    last_bad_at: dt.datetime
    readings: int
    """How many bad ones."""
    outcomes: tuple[Outcome, ...]
    """Which ones occurred: FAIL, ERROR, BLOCKED."""
    cause: str
    """Of the last bad reading."""
    ended_at: dt.datetime | None = None
    """None where no good reading has followed until the report was made."""
    ended_run: str = ""
    ended_after: bool = False
    """It was still bad at the end of the period, and was found good since."""


class News(StrEnum):
    """How an item stands against the period before."""

    NEW = "new"
    AGAIN = "again"
    """It was not good in the period before either."""
    RECOVERED = "recovered"
    """Not good in the period before, and good in this one."""
    UNSEEN = "not seen since"
    """Not good in the period before, and nobody has seen it since: that is no recovery."""


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """An item that was not good in the period, or in the one before."""

    checklist: str
    item: str
    title: str
    priority: str
    news: News
    runs: dict[Outcome, int]
    """In how many runs of the period it came to what; PENDING only of runs whose period is over."""
    runs_before: dict[Outcome, int]
    """The same of the period before, without those that were good."""
    spells: tuple[Spell, ...]
    """Those that touch the period, in order of time."""
    cause: str
    """The last one."""
    runbook: str = ""
    escalate: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it was seen bad, and every such spell has ended; what was only not seen is not over."""
        return bool(self.spells) and all(each.ended_at is not None for each in self.spells)


class Warned(msgspec.Struct, frozen=True, kw_only=True):
    """An item that missed a target without breaking a requirement."""

    checklist: str
    item: str
    title: str
    runs: int
    last: dt.date
    summary: str


class WaiverLine(msgspec.Struct, frozen=True, kw_only=True):
    """A waiver that was in force in the period."""

    checklist: str
    item: str
    title: str
    author: str
    reason: str
    expires: dt.date
    origin: str
    """The run in which it was given."""
    runs: int
    """In how many runs of the period it covered something that was not a pass."""
    expired: bool
    """By the end of the period, or by now where that is not over."""


class SkipLine(msgspec.Struct, frozen=True, kw_only=True):
    """An item that a person declared not applicable."""

    run: str
    date: dt.date
    item: str
    title: str
    author: str
    reason: str


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wrote, word for word."""

    run: str
    date: dt.date
    place: str
    """The title of the field or item; empty for a note on the run."""
    field: str
    """The field's id; empty for a note."""
    text: str
    by: str
    at: dt.datetime


class ActionLine(msgspec.Struct, frozen=True, kw_only=True):
    """An action item that is open, or was raised, done or dropped in the period."""

    id: str
    text: str
    state: ActionState
    owner: str
    due: dt.date | None
    late: bool
    raised_by: str
    raised_at: dt.datetime
    raised_in_period: bool
    ended_by: str = ""
    ended_at: dt.datetime | None = None
    outcome: str = ""
    """What was said last of it."""


class AmendmentLine(msgspec.Struct, frozen=True, kw_only=True):
    """An amendment that was made in the period, or to one of its runs."""

    run: str
    kind: AmendmentKind
    subject: str
    """The item, field or qualification; empty for the run."""
    was: str
    now: str
    reason: str
    by: str
    at: dt.datetime


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """The time that people worked, against what was planned."""

    checklist: str
    runs: int
    """Runs in which somebody had something to do."""
    planned_minutes: int
    active_seconds: Decimal
    people: tuple[tuple[str, Decimal], ...]
    """Who, and for how many seconds, those with the most first."""


class QualificationLine(msgspec.Struct, frozen=True, kw_only=True):
    """How far a qualification is now."""

    id: str
    title: str
    phase: str
    passed: int
    length: int
    resets: int
    resets_in_period: int
    unexplained: int
    waiting: str = ""
    """What it waits for a person to do."""
    words: str = ""


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed off runs of the period."""

    name: str
    runs: int
    tier: Tier
    """The weakest of those signatures."""


class RecordCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What verifying one run of the report found."""

    run: str
    standing: str
    faults: tuple[str, ...] = ()


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where the report comes from."""

    store_id: str
    location: str
    head_seq: int
    head_hash: str
    runs: int
    """Folded for it, those of the period before and around it included."""
    version: str
    verified: bool
    """Whether the chain, signatures and judgements of the period's runs were verified for this report."""
    chain: str = ""
    """What was found of the chain, in words; empty where nobody looked."""
    lost: tuple[str, ...] = ()
    """Heads that are kept outside of the record and that it does not hold; all of it is to be distrusted then."""
    unread: tuple[str, ...] = ()
    """Places that keep heads outside of the record and could not be looked at, each with why."""
    checks: tuple[RecordCheck, ...] = ()
    """Every run of the period, where they were verified."""

    @property
    def holds(self) -> bool:
        """Whether nothing was found to be wrong; also where nobody looked."""
        return self.chain in {"", INTACT} and not self.lost and not any(each.faults for each in self.checks)

    @property
    def unchecked(self) -> list[str]:
        """The runs of which nothing is known to be wrong, and not everything could be looked at."""
        return [each.run for each in self.checks if each.standing == Standing.UNCHECKED]

    @property
    def is_whole(self) -> bool:
        """Whether everything was looked at, and holds."""
        return self.verified and self.holds and not self.unread and not self.unchecked


class PeriodReport(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report of a period says."""

    schema: str = SCHEMA
    cadence: Cadence
    period: Span
    before: Span
    over: bool
    """Whether the period was over when the report was made."""
    system: str
    """Only checklists of this system; all where empty."""
    checklist: str
    """Only this one; all where empty."""
    made_at: dt.datetime
    timezone: str
    """Of whoever made it; each checklist lives in its own."""
    overall: Overall
    summary: tuple[str, ...]
    """The report in a few sentences, the verdict first."""
    tally: Tally
    checklists: tuple[ChecklistLine, ...]
    troubles: tuple[Trouble, ...]
    """What was not good in the period, those still so first, then those of the period before that recovered."""
    warnings: tuple[Warned, ...]
    waivers: tuple[WaiverLine, ...]
    skips: tuple[SkipLine, ...]
    series: tuple[Series, ...]
    """Numbers with limits, those nearest to theirs first."""
    accuracy: tuple[Accuracy, ...]
    effort: tuple[Effort, ...]
    actions: tuple[ActionLine, ...]
    amendments: tuple[AmendmentLine, ...]
    qualifications: tuple[QualificationLine, ...]
    signers: tuple[Signer, ...]
    written: tuple[Written, ...]
    provenance: Provenance
