"""What a probe brings back, and what judging makes of it."""

from enum import StrEnum

import msgspec

from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Number, Value

MAX_TEXT = 65_536
"""Characters of one text that a record keeps."""
CUT_OFF = " [cut off]"
"""What a text that was longer ends with."""


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """Raw text that backs a reading: hostile until a front end has made it visible."""

    title: str
    text: str
    truncated: bool = False
    sha256: str = ""
    """Of `text` in UTF-8, hexadecimal: what the event keeps, beside which a store keeps the text."""

    @property
    def pruned(self) -> bool:
        """Whether the text was removed because of its age; its hash is all that is left."""
        return bool(self.sha256) and not self.text and self.sha256 != EMPTY_SHA256


EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""Of no text at all."""


class Past(msgspec.Struct, frozen=True, omit_defaults=True):
    """The earlier readings of one subject, as conditions compare with them: what was known when it was judged."""

    subject: str
    """A measure or column."""
    row: str = ""
    """What the row is called, where the subject is a column."""
    values: dict[str, Number] = {}
    """By the names of conditions.PAST, those that could be had."""
    runs: dict[str, str] = {}
    """In which run each of them was read; the baseline is of many."""
    readings: int = 0
    """How many earlier ones the baseline was made of, or could not be made of."""
    missing: dict[str, str] = {}
    """Why a name has no value."""
    problem: str = ""
    """Why nothing can be compared, where that is no lack of earlier readings: the record cannot be read."""


class Reading(msgspec.Struct, frozen=True, omit_defaults=True):
    """A table, measures, or both, with the evidence they were taken from."""

    measures: dict[str, Value] = {}
    """Single named values: `value`, `count`, `age`, `available` …"""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Value, ...], ...] = ()
    """One tuple for each row, as long as `columns`."""
    label: str = ""
    """The column that names a row in explanations; the first text column where empty."""
    truncated: bool = False
    """Rows were left out: neither their number nor all of them can be judged."""
    lower_bounds: tuple[str, ...] = ()
    """Measures that are at least what is given: more was there than could be counted. Nothing can be shown to be
    less than a limit by them, only more."""
    evidence: tuple[Evidence, ...] = ()
    command: str = ""
    """A command line that shows the same, without secrets."""
    past: tuple[Past, ...] = ()
    """What its conditions compare with that was read earlier; kept, so that it can be judged again years later."""

    @property
    def tabular(self) -> bool:
        """Whether the reading is a table, be it an empty one."""
        return bool(self.columns)


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why something could not be measured, for a person: the cause and what to do about it."""

    reason: str
    """A stable code in kebab case: `no-permission`, `timeout`, `not-booted-with-systemd` …"""
    cause: str
    hint: str = ""


class Level(StrEnum):
    """How much a condition weighs: a broken requirement fails the item, a broken target warns."""

    REQUIRE = "require"
    TARGET = "target"


class Verdict(StrEnum):
    """Whether a condition holds of a reading."""

    HOLDS = "holds"
    NEAR = "near"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NAN = "nan"
    """A number that it speaks of is none."""
    NO_HISTORY = "no-history"
    """There is too little of a past to compare with."""
    UNREAD = "unread"
    """What an entry is held against could not be measured, and the item says itself what that means."""


class Finding(msgspec.Struct, frozen=True):
    """What became of one condition, explained in words."""

    condition: str
    level: Level
    verdict: Verdict
    text: str


class Judgement(msgspec.Struct, frozen=True, omit_defaults=True):
    """The outcome of an item with the findings that led to it."""

    outcome: Outcome
    summary: str = ""
    """One line that says what was seen, or what is wrong."""
    findings: tuple[Finding, ...] = ()
