"""The definition of a checklist: what a TOML file says, and what a run keeps of it.

The same structs are decoded from TOML, written into the event that opens a run, and hashed, so that an edited
checklist shows in the record.
"""

import datetime as dt
import re
from enum import StrEnum
from typing import Any

import msgspec

from opsconsole.model.conditions import Condition
from opsconsole.model.outcomes import Outcome
from opsconsole.model.tiers import Tier
from opsconsole.model.values import Duration, Unit

ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}\Z")
"""Names of checklists, items, fields and sources: safe in a path, a shell and a URL."""


class Cadence(StrEnum):
    """How often a checklist is run."""

    INTERVAL = "interval"
    """Every few minutes or hours, as `due.every` says, counted from local midnight."""
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    ONCE = "once"
    """On one date (`due.on`), or when a qualification has been reached (`due.after`)."""


class Due(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a checklist has to be done, in its own time zone."""

    at: str = "08:00"
    """Local time of day, `HH:MM`."""
    days: str = "Mon..Sun"
    """Weekdays (`Mon..Fri`, `Mon,Thu`), the n-th of the month (`Mon#1`) or days of the month (`1`, `15`)."""
    timezone: str = "local"
    """An IANA name, or `local` for the zone of the host."""
    grace: Duration = Duration.parse("2 h")
    """How long after `at` it becomes overdue."""
    holidays: str = ""
    """A country, or a part of one, by ISO 3166 (`US`, `US-TX`, `DE-BY`): its public holidays are no due days. What
    is due weekly or more rarely moves to the next working day of its period then."""
    closed: tuple[dt.date, ...] = ()
    """Further dates that are no due days, as holidays are."""
    every: Duration | None = None
    """How often, for the cadence `interval`: `5 min`, `15 min`, `1 h`; whole minutes that divide a day."""
    on: dt.date | None = None
    """The date, for the cadence `once`."""
    after: str = ""
    """A qualification, for the cadence `once`: the list opens when its last day has passed."""


class Covers(StrEnum):
    """Which day the data of a scheduled collection belongs to."""

    SAME_DAY = "same-day"
    PREVIOUS_DAY = "previous-day"


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The job that the checklist looks after: gives queries `:scheduled`, `:covered_date` and `:month`."""

    at: str
    """Local time of day at which the job starts, `HH:MM`."""
    covers: Covers = Covers.SAME_DAY


class LooksBack(StrEnum):
    """Which stretch of time a run looks back over: queries get it as `:window_start` and `:window_end`."""

    PREVIOUS = "previous-period"
    """The period before its own: Monday's weekly list looks at the week that has ended."""
    SAME = "same-period"
    """Its own: Friday's weekly list looks at the week that is ending."""


class SignOffPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a signature of this checklist's runs must be."""

    tier: Tier = Tier.ATTRIBUTED
    """The weakest that is enough."""
    needed: bool | None = None
    """Whether a run waits for a signature. Without a word here all do, but those of the cadence `interval`."""


class Escalation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What helps when an item is not green."""

    runbook: str = ""
    """Name of a runbook beside the checklist, without `.md`."""
    escalate: str = ""
    """Whom to tell, in the words of the procedure (`L1`)."""


class EntryKind(StrEnum):
    """What an operator types into an entry."""

    NUMBER = "number"
    TEXT = "text"


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which earlier readings of an item make its `baseline`: their median."""

    readings: int = 14
    """The latest so many comparable ones."""
    least: int = 5
    """With fewer there is no baseline."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A value that the operator reads somewhere and types in; it is judged as `entry`."""

    label: str
    kind: EntryKind = EntryKind.NUMBER
    unit: Unit = Unit.COUNT
    """What a bare number means; `30 s` and the like are understood anyway."""


class ForEach(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Targets that another item of the checklist finds out: one for each row of what it read."""

    item: str
    """The item whose latest reading names them; it is measured first."""
    column: str = ""
    """The column of their names, which have to be texts; the only one, or the label, where it is left out."""


MOST_TARGETS = 1000
"""More are not measured for one item."""


class RetryOn(StrEnum):
    """Which outcomes are worth another attempt."""

    ERROR = "error"
    FAIL = "fail"


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another attempt before the outcome counts; every attempt is recorded."""

    times: int = 1
    delay: Duration = Duration.parse("2 s")
    on: tuple[RetryOn, ...] = (RetryOn.ERROR,)


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of a checklist: a live check, an entry, or a manual tick."""

    id: str
    title: str
    refs: tuple[str, ...] = ()
    """The controls or procedure steps it serves."""
    help: str = ""
    probe: str = ""
    """The kind of probe that measures it; empty for entries without a reference and for manual items."""
    options: dict[str, Any] = {}
    """What the probe is told; checked against the probe's own struct when the checklist is loaded."""
    entry: Entry | None = None
    manual: bool = False
    require: tuple[Condition, ...] = ()
    target: tuple[Condition, ...] = ()
    on_empty: Outcome | None = None
    on_timeout: Outcome = Outcome.ERROR
    on_connect_error: Outcome = Outcome.ERROR
    """What it comes to where nobody answers at the other end (`source-down`)."""
    on_nan: Outcome = Outcome.ERROR
    """What it comes to where a number that a condition speaks of is none (NaN) and no other value is beyond its
    limit."""
    on_too_few: Outcome = Outcome.SKIPPED
    """What it comes to where less was counted than a share can be taken of: mostly it does not apply then."""
    on_no_history: Outcome = Outcome.ERROR
    """What an item comes to that holds and has too few earlier readings to be compared with: never a pass."""
    baseline: Baseline = Baseline()
    skip_when: tuple[str, ...] = ()
    """Reasons of problems that make the item SKIPPED instead of ERROR, such as `not-booted-with-systemd`."""
    on_fail: Escalation = Escalation()
    requires: tuple[str, ...] = ()
    for_each: tuple[str, ...] | ForEach = ()
    """Targets, each measured and judged; `{target}` in the options and `:target` in a query stand for them."""
    retry: Retry | None = None
    timeout: Duration = Duration.parse("10 s")
    minutes: int = 0
    """Minutes that a person needs for it."""
    priority: str = ""

    @property
    def measured(self) -> bool:
        """Whether a probe measures it."""
        return bool(self.probe)

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that the definition names; none where another item finds them out."""
        return self.for_each if isinstance(self.for_each, tuple) else ()

    @property
    def listed_by(self) -> str:
        """The item that finds out the targets, empty where the definition names them or there are none."""
        return self.for_each.item if isinstance(self.for_each, ForEach) else ""


class Section(msgspec.Struct, frozen=True):
    """Items under one heading."""

    title: str
    items: tuple[Item, ...]


class Required(StrEnum):
    """When the sign-off waits for a field of the day's sheet; `none` is an answer."""

    NEVER = "never"
    UNLESS_GREEN = "unless-green"
    ALWAYS = "always"


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A free text of the day's sheet, such as its notes or action items."""

    id: str
    title: str
    help: str = ""
    required: Required = Required.NEVER
    """`unless-green` asks for it on a morning with anything but passes."""


class Checklist(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A definition, never a result."""

    id: str
    """The name of its file, without `.toml`."""
    title: str
    system: str = ""
    help: str = ""
    cadence: Cadence = Cadence.DAILY
    due: Due = Due()
    schedule: Schedule | None = None
    looks_back: LooksBack = LooksBack.PREVIOUS
    cutoff: Duration = Duration.parse("0 s")
    """How long before the beginning of a pass its cut-off lies, which queries get as `:cutoff`: what is younger is
    left out where two stores are compared, one of which lags behind."""
    sign_off: SignOffPolicy = SignOffPolicy()
    sections: tuple[Section, ...] = ()
    fields: tuple[Field, ...] = ()

    @property
    def items(self) -> tuple[Item, ...]:
        """All items in order."""
        return tuple(item for section in self.sections for item in section.items)

    @property
    def needs_signature(self) -> bool:
        """Whether a run of it is done only when somebody has signed it."""
        if self.sign_off.needed is not None:
            return self.sign_off.needed
        return self.cadence is not Cadence.INTERVAL


def substituted(options: Any, target: str) -> Any:
    """Return `options` with `{target}` filled in wherever a text holds it, the `query` of a probe excepted.

    A query gets its target as the parameter `:target`: a text put into SQL would be an injection.
    """
    if isinstance(options, str):
        return options.replace("{target}", target)
    if isinstance(options, dict):
        return {key: each if key == "query" else substituted(each, target) for key, each in options.items()}
    if isinstance(options, list | tuple):
        return [substituted(each, target) for each in options]
    return options
