"""The document of a run, `opsconsole.run.v1`, as structs: in JSON every key is always there, in this order.

`docs/formats.md` says what each key means. Keys may be added to the schema; one that is renamed, dropped or given
another meaning makes it `opsconsole.run.v2`. Numbers of sources are objects with the decimal as a text and its
unit, so that no reader rounds them; instants are RFC 3339 in UTC.
"""

import datetime as dt

import msgspec

from opsconsole.model.checklists import Cadence, Required
from opsconsole.model.events import ActionState, AmendmentKind, Clock, Meaning, Via
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.readings import Finding
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Number, Unit, Value

SCHEMA = "opsconsole.run.v1"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Who did something, as the system knew it."""

    login: str
    name: str
    host: str
    via: Via
    key: str


class Stamp(msgspec.Struct, frozen=True, kw_only=True):
    """When something was done, and by whom."""

    at: dt.datetime
    by: Person


class NoteDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wrote."""

    text: str
    at: dt.datetime
    by: Person


class ChecklistDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The definition that the run follows."""

    id: str
    title: str
    system: str
    cadence: Cadence
    needs_signature: bool
    definition_hash: str
    edits: list[Stamp]


class PeriodDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The interval, day, week, month or quarter of the run, both dates included."""

    key: str
    start: dt.date
    end: dt.date


class WindowDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The stretch of time that the run looks back over."""

    start: dt.date
    end: dt.date
    begins_at: dt.datetime
    ends_at: dt.datetime


class QualifiedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The days of the qualification that the checklist comes after."""

    first: dt.date
    last: dt.date


class MonitoringDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Which day of its qualification the run is."""

    day: int
    length: int


class EvidenceDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Raw text that backs a reading, exactly as it was recorded; its hash, also where the text was removed."""

    title: str
    text: str
    truncated: bool
    sha256: str
    pruned: bool


class PastDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Earlier readings that a value was compared with."""

    subject: str
    row: str
    values: dict[str, Number]
    runs: dict[str, str]
    readings: int
    missing: dict[str, str]
    problem: str


class ReadingDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a probe brought back."""

    measures: dict[str, Value]
    columns: list[str]
    rows: list[list[Value]]
    label: str
    truncated: bool
    evidence: list[EvidenceDocument]
    command: str
    past: list[PastDocument]
    lower_bounds: list[str] = []
    """Measures that are at least what is given; left out where there are none."""


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Why something could not be measured."""

    reason: str
    cause: str
    hint: str


class JudgementDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement in force, of an item or one of its targets."""

    target: str
    outcome: Outcome
    summary: str
    findings: list[Finding]


class AttemptDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement."""

    seq: int
    target: str
    attempt: int
    final: bool
    started_at: dt.datetime
    elapsed: Number
    by: Person
    outcome: Outcome
    summary: str
    findings: list[Finding]
    problem: ProblemDocument | None
    reading: ReadingDocument | None


class EntryDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator was asked to type, and what was typed last."""

    label: str
    unit: Unit
    text: str | None
    value: Value
    entered: Stamp | None
    past: list[PastDocument]


class WaiverDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item that is not green is accepted."""

    reason: str
    expires: dt.date
    author: str
    origin: str
    at: dt.datetime
    by: Person


class AmendmentDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One correction after the sign-off, with what it replaced."""

    seq: int
    kind: AmendmentKind
    item: str
    field: str
    qualification: str
    was: str
    text: str
    value: Value
    outcome: Outcome | None
    reason: str
    result: Result | None
    name: str
    at: dt.datetime
    by: Person


class ItemDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One item with everything that happened to it."""

    id: str
    title: str
    section: str
    kind: str
    probe: str
    refs: list[str]
    requires: list[str]
    targets: list[str]
    require: list[str]
    target: list[str]
    runbook: str
    escalate: str
    priority: str
    minutes: int
    outcome: Outcome
    measured_outcome: Outcome
    near: bool
    summary: str
    judgements: list[JudgementDocument]
    attempts: list[AttemptDocument]
    entry: EntryDocument | None
    ticked: Stamp | None
    skipped: NoteDocument | None
    waiver: WaiverDocument | None
    notes: list[NoteDocument]
    amendments: list[AmendmentDocument]
    targets_from: str = ""
    """The item that found out the targets; left out where the checklist names them, or there are none."""


class FieldDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One free text of the sheet."""

    id: str
    title: str
    required: Required
    written: NoteDocument | None
    amendments: list[AmendmentDocument]


class HurdleDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do before the run can be signed."""

    item: str
    field: str
    text: str


class ApprovedDayDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One day of a qualification as whoever decided was shown it."""

    date: dt.date
    run: str
    seq: int
    hash: str
    signer: str
    state: str


class ApprovalDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided of a qualification, and on what grounds."""

    qualification: str
    qualification_hash: str
    attempt: int
    first: dt.date
    last: dt.date
    days: list[ApprovedDayDocument]
    resets: int
    waivers: int
    warnings: int
    failed_since: list[str]
    complete: bool
    ready: bool
    phase: str
    own_work_allowed: bool
    reason: str


class SignatureDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-off: what was signed, by whom, and how strongly that binds."""

    seq: int
    hash: str
    meaning: Meaning
    result: Result
    counts: dict[Outcome, int]
    name: str
    login: str
    host: str
    signed_at: dt.datetime
    timezone: str
    utc_offset: str
    clock: Clock
    store_id: str
    definition_hash: str
    head_seq: int
    head_hash: str
    amends: str
    approval: ApprovalDocument | None
    tier: Tier
    principal: str
    fingerprint: str
    armored: str


class StepDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said of an action item."""

    state: ActionState
    text: str
    owner: str | None
    due: dt.date | None
    at: dt.datetime
    by: Person


class ActionDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was found to be done, and what became of it."""

    id: str
    number: int
    text: str
    item: str
    owner: str
    due: dt.date | None
    state: ActionState
    raised_at: dt.datetime
    raised_by: Person
    raised_owner: str
    raised_due: dt.date | None
    steps: list[StepDocument]


class PrunedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed because of its age; the hashes of it stay."""

    through_seq: int
    texts: int
    characters: int
    files: list[str]
    older_than: dt.datetime


class DeedDocument(msgspec.Struct, frozen=True, kw_only=True):
    """One event that is no measurement."""

    seq: int
    hash: str
    at: dt.datetime
    by: Person
    kind: str
    item: str
    text: str


class ChainDocument(msgspec.Struct, frozen=True, kw_only=True):
    """Where the record is and what stands for it."""

    store_id: str
    store_location: str
    run_seq: int
    run_hash: str
    head_seq: int
    head_hash: str


class ExportDocument(msgspec.Struct, frozen=True, kw_only=True):
    """When and by what the document was made."""

    at: dt.datetime | None
    version: str


class RunDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A run."""

    schema: str = SCHEMA
    run: str
    checklist: ChecklistDocument
    business_date: dt.date
    weekday: str
    period: PeriodDocument
    timezone: str
    covered_date: dt.date
    scheduled_at: dt.datetime | None
    begins_at: dt.datetime
    due_at: dt.datetime
    overdue_at: dt.datetime
    ends_at: dt.datetime | None
    window: WindowDocument
    qualified: QualifiedDocument | None
    monitoring: MonitoringDocument | None
    opened: Stamp
    operators: list[str]
    missed: bool
    result: Result
    passed: bool
    counts: dict[Outcome, int]
    to_do: list[HurdleDocument]
    items: list[ItemDocument]
    retired_items: list[ItemDocument]
    fields: list[FieldDocument]
    notes: list[NoteDocument]
    actions: list[ActionDocument]
    signatures: list[SignatureDocument]
    amendments: list[AmendmentDocument]
    pruned: list[PrunedDocument]
    trail: list[DeedDocument]
    chain: ChainDocument
    exported: ExportDocument
