"""What happens in a run, one struct for each kind of event. A run is the fold of its events (see `runs.py`)."""

import datetime as dt
from enum import StrEnum

import msgspec

from opsconsole.model.calendar import Times
from opsconsole.model.checklists import Checklist
from opsconsole.model.outcomes import Outcome, Result
from opsconsole.model.readings import Judgement, Past, Problem, Reading
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Number, Value


class Via(StrEnum):
    """Through which front end something was done."""

    CONSOLE = "console"
    HEADLESS = "headless"
    COMMAND = "command"


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who did it: the account that the system knows, which is an attribution and no proof."""

    login: str
    name: str = ""
    """Printed name, from the account's GECOS field."""
    host: str = ""
    via: Via = Via.COMMAND
    key: str = ""
    """Fingerprint of the SSH key that logged in, where sshd told it: tells people on a shared account apart."""

    @property
    def shown(self) -> str:
        """`Printed Name (login)`, or the login alone."""
        return f"{self.name} ({self.login})" if self.name and self.name != self.login else self.login


class Opened(msgspec.Struct, frozen=True, tag="opened", kw_only=True, omit_defaults=True):
    """A run was opened: its dates and the whole definition it follows."""

    times: Times
    definition: Checklist
    definition_hash: str
    version: str
    """Of opsconsole."""
    missed: bool = False
    """Its period was over already: nothing is measured any more, and what can be signed is why it was missed."""
    qualified: tuple[dt.date, dt.date] | None = None
    """The first and the last day of the qualification that the checklist comes after."""


class Redefined(msgspec.Struct, frozen=True, tag="redefined", kw_only=True):
    """The checklist was edited while its run was open; what follows was measured by the new definition."""

    definition: Checklist
    definition_hash: str


class Measured(msgspec.Struct, frozen=True, tag="measured", kw_only=True, omit_defaults=True):
    """One attempt to measure an item, or one of its targets, and what it was judged to be."""

    item: str
    judgement: Judgement
    started_at: dt.datetime
    elapsed: Number
    """Seconds."""
    target: str = ""
    attempt: int = 1
    """Within one pass: 2 for the first retry."""
    final: bool = True
    """False where another attempt follows because the item asks for retries."""
    reading: Reading | None = None
    problem: Problem | None = None
    definition_hash: str = ""
    """Of the definition it was measured and judged by: the checklist may be edited meanwhile."""


class Listed(msgspec.Struct, frozen=True, tag="listed", kw_only=True):
    """The targets of an item whose `for_each` asks another one for them: what is to be measured from here on."""

    item: str
    by: str
    """The item that found them out."""
    targets: tuple[str, ...]
    """Never empty; where nothing was found, the item is measured to be without targets."""
    definition_hash: str


class Ticked(msgspec.Struct, frozen=True, tag="ticked", omit_defaults=True):
    """A person confirmed a manual item."""

    item: str
    definition_hash: str = ""
    """Of the definition that the person saw."""


class Unticked(msgspec.Struct, frozen=True, tag="unticked"):
    """A person took a tick back."""

    item: str


class Entered(msgspec.Struct, frozen=True, tag="entered", omit_defaults=True):
    """A person typed a value, which was judged against the latest reading."""

    item: str
    value: Value
    text: str
    """What was typed."""
    judgement: Judgement
    definition_hash: str = ""
    """Of the definition it was judged by."""
    past: tuple[Past, ...] = ()
    """Earlier entries that its conditions compare with."""


class Noted(msgspec.Struct, frozen=True, tag="noted"):
    """A person wrote a note on an item, or on the run where `item` is empty."""

    item: str
    text: str


class Skipped(msgspec.Struct, frozen=True, tag="skipped"):
    """A person declared an item not applicable."""

    item: str
    reason: str


class Waived(msgspec.Struct, frozen=True, tag="waived", omit_defaults=True):
    """A person accepted an item that is not green, until a date."""

    item: str
    reason: str
    expires: dt.date
    """The last business date that the waiver holds for."""
    author: str = ""
    """Who waived it, where the waiver was carried over from an earlier run."""
    origin: str = ""
    """The run in which it was given, where it was carried over."""


class Restored(msgspec.Struct, frozen=True, tag="restored"):
    """A person took a skip or a waiver back."""

    item: str


class Filled(msgspec.Struct, frozen=True, tag="filled"):
    """A person wrote one of the free texts of the day's sheet."""

    field: str
    text: str


class Raised(msgspec.Struct, frozen=True, tag="raised", kw_only=True, omit_defaults=True):
    """Somebody found something to be done, which is carried on until it is; also after the run was signed."""

    action: str
    """Tells it from every other one of its run; made up by whoever raises it. People know it by its number, which
    is its place in the record (see RunState.actions)."""
    text: str
    owner: str = ""
    """Who is to do it, in the words of whoever raised it."""
    due: dt.date | None = None
    item: str = ""
    """The item that it was raised at, empty for the run."""


class ActionState(StrEnum):
    """What became of an action item."""

    OPEN = "open"
    DONE = "done"
    DROPPED = "dropped"
    """Somebody decided, with a reason, that it will not be done."""


class Handled(msgspec.Struct, frozen=True, tag="handled", kw_only=True, omit_defaults=True):
    """Somebody did an action item, dropped or changed it; it stands in the run that it was raised in."""

    action: str
    """As in the event that raised it."""
    state: ActionState = ActionState.OPEN
    text: str = ""
    """What was done, or why it is dropped or changed."""
    owner: str | None = None
    """The new one; None where it stays."""
    due: dt.date | None = None
    """The new date; None where it stays."""


class Meaning(StrEnum):
    """What a signature says."""

    PERFORMED = "performed"
    """Closes the run."""
    AMENDED = "amended"
    """Corrects a signed run or adds to it; see Amendment."""
    REVIEWED = "reviewed"
    APPROVED = "approved"
    """A qualification is approved; see Approval."""
    REFUSED = "refused"
    """It is not."""


DECIDING = frozenset({Meaning.APPROVED, Meaning.REFUSED})
"""What is said of a qualification."""


class Signature(msgspec.Struct, frozen=True, omit_defaults=True):
    """What binds the statement to its signer; empty but for the tier where no key signed."""

    tier: Tier
    principal: str = ""
    """Whom the allowed-signers file names for the key."""
    fingerprint: str = ""
    """Of the key, `SHA256:…`."""
    armored: str = ""
    """The SSHSIG block over the record and its statement (see record.py)."""


class Clock(StrEnum):
    """What the kernel said of its clock at the signing."""

    SYNCHRONISED = "synchronised"
    UNSYNCHRONISED = "unsynchronised"
    UNKNOWN = "unknown"


class AmendmentKind(StrEnum):
    """How a signed run is amended. Nothing can be declared to have passed by hand."""

    NOTE = "note"
    """Adds a note to an item, or to the run."""
    ENTRY = "entry"
    """Corrects what was entered; the new value is judged against the reading as the old one was."""
    FIELD = "field"
    """Corrects a free text of the day's sheet."""
    FAILED = "failed"
    """An item is found to have failed after all: so has the run."""
    RESET = "reset"
    """Documents why a qualification begins anew with the run."""
    EXCLUDED = "excluded"
    """Asks for the run not to count for a qualification, neither for nor against it: it needs a second person's
    review."""


class Amendment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One correction of a signed run; what it replaces stays in the record."""

    kind: AmendmentKind
    reason: str
    """Why, in the words of whoever amends."""
    item: str = ""
    field: str = ""
    text: str = ""
    """The note, the field's new text, or the new entry as it was typed."""
    value: Value = None
    """What the new entry means."""
    judgement: Judgement | None = None
    """Of the new entry."""
    qualification: str = ""
    """The one that a reset or an exclusion is about."""
    run: str = ""
    """The run that reset it, where that is another one, whose own record takes no amendment any more."""

    @property
    def about(self) -> str:
        """Which qualification, and by which run it was reset where that is not the amended one; else empty."""
        return f"{self.qualification} by {self.run}" if self.run else self.qualification


class ApprovedDay(msgspec.Struct, frozen=True, kw_only=True):
    """One day of a qualification as whoever decided on it was shown it."""

    date: dt.date
    run: str
    seq: int
    """Of the signature that settled the run last: its sign-off or an amendment."""
    hash: str
    """Of that event."""
    signer: str
    state: str
    """`passed`, `held` or `excluded`."""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided of a qualification, and on what grounds: part of what is signed."""

    qualification: str
    qualification_hash: str
    """SHA-256 of the canonical JSON of its definition."""
    attempt: int
    """Which count this was, from 1."""
    first: dt.date
    last: dt.date
    days: tuple[ApprovedDay, ...]
    resets: int
    """How often the count began anew before."""
    waivers: int
    """Items that were waived on the days that count."""
    warnings: int
    failed_since: tuple[str, ...] = ()
    """Runs after the last day that did not pass."""
    complete: bool
    """Whether nothing stood against an approval by the rules."""
    ready: bool
    """Whether the system is ready for `phase`."""
    phase: str
    own_work_allowed: bool
    """Whether the rules allowed somebody to approve who had signed one of the days."""
    reason: str = ""
    """Why it is refused, or what goes with the approval."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a signature says. The signer is shown all of it first."""

    schema: str = "opsconsole.statement.v1"
    store_id: str
    run: str
    checklist: str
    definition_hash: str
    business_date: dt.date
    result: Result
    counts: dict[Outcome, int]
    head_seq: int
    """The last event of the store that the statement covers."""
    head_hash: str
    meaning: Meaning
    login: str
    principal: str = ""
    """Whose key signs; empty where none does."""
    name: str
    """Printed name."""
    host: str
    signed_at: dt.datetime
    timezone: str
    utc_offset: str
    clock: Clock = Clock.UNKNOWN
    amends: str = ""
    """Hash of the sign-off that is amended, reviewed or approved; empty for the sign-off itself."""
    amendment: Amendment | None = None
    approval: Approval | None = None

    @property
    def signer(self) -> str:
        """`Printed Name (login)`, or the login alone."""
        return f"{self.name} ({self.login})" if self.name and self.name != self.login else self.login


class Signed(msgspec.Struct, frozen=True, tag="signed", kw_only=True):
    """A person signed the run; after its sign-off (`performed`) it is only amended or signed again."""

    statement: Statement
    signature: Signature


class Amended(msgspec.Struct, frozen=True, tag="amended", kw_only=True):
    """A person amended a signed run, and signed that; its statement tells the amendment."""

    statement: Statement
    signature: Signature


class Pruned(msgspec.Struct, frozen=True, tag="pruned", kw_only=True, omit_defaults=True):
    """What had become too old was removed; the hashes of it stay in the events."""

    through_seq: int = 0
    """The evidence texts of the run's events up to this seq were removed; 0: none were."""
    texts: int = 0
    """How many of them."""
    characters: int = 0
    """How long they were together."""
    files: tuple[str, ...] = ()
    """Names of exported files that were removed."""
    older_than: dt.datetime
    """What the configured age came to."""


Body = (
    Opened
    | Redefined
    | Measured
    | Listed
    | Ticked
    | Unticked
    | Entered
    | Noted
    | Skipped
    | Waived
    | Restored
    | Filled
    | Signed
    | Amended
    | Pruned
    | Raised
    | Handled
)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, as it is written down."""

    id: str
    """A UUID made by the writer: the same event sent twice is stored once."""
    run: str
    at: dt.datetime
    """UTC, by the writer's clock."""
    actor: Actor
    body: Body


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """An event in its place in the chain."""

    seq: int
    event: Event
    prev: str
    hash: str


def kind_of(body: Body) -> str:
    """Return the tag that names the kind of event, such as `measured`."""
    return str(body.__struct_config__.tag)
