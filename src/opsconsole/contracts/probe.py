"""What a probe is: it measures one thing and never judges."""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from opsconsole.model.calendar import Times
from opsconsole.model.readings import Evidence, Problem, Reading
from opsconsole.model.values import Unit

if TYPE_CHECKING:
    from opsconsole.contracts.past import History

TOO_LITTLE_HISTORY = "too-little-history"
"""The reason of a problem that is none yet: there are too few earlier readings to say anything."""


class ProbeError(Exception):
    """Something could not be measured: a value of the run, never a crash.

    `problem.reason` is a stable code. Those that several probes share: `no-permission`, `not-found`,
    `not-booted-with-systemd`, `missing-program`, `empty`, `source-down`, `unknown-source`, `superuser`, `timeout`,
    `bad-answer`, `failed`; `too-little-history`, which an item maps by `on_no_history`.
    """

    def __init__(self, reason: str, cause: str, hint: str = "", evidence: tuple[Evidence, ...] = ()) -> None:
        super().__init__(cause)
        self.problem = Problem(reason, cause, hint)
        self.evidence = evidence


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe may know of the run it measures for."""

    run: str = ""
    checklist: str = ""
    item: str
    times: Times
    now: dt.datetime
    timeout: float
    """Seconds that the measurement may take. The engine cancels it then; a probe that can end its work in a better
    way (a server-side timeout) does so a little earlier and raises ProbeError with the reason `timeout`."""
    target: str = ""
    """The target of `for_each` that is measured; already filled in for `{target}` in the options."""

    @property
    def allowance(self) -> float:
        """Seconds after which a probe ends its own work, so that it can say itself what had not answered."""
        return self.timeout - min(0.5, self.timeout / 10)


class Probe(Protocol):
    """One kind of probe, opened for one pass over a run: it may keep connections, which `aclose` ends."""

    async def measure(self, options: Any, context: Context) -> Reading:
        """Measure once; raise ProbeError where that cannot be done. Cancellation ends everything it started."""
        ...

    async def aclose(self) -> None:
        """End connections and processes; called once, after the last measurement was finished or cancelled."""
        ...


Subjects = Mapping[str, Unit | None]
"""Names that conditions may use, with the unit of each; None for texts, moments and numbers of any unit."""


class ProbeKind(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a kind of probe without opening one; each module of `checks/` has one as `KIND`."""

    name: str
    summary: str
    """One sentence for the documentation."""
    options: type[msgspec.Struct]
    """A frozen struct, `forbid_unknown_fields`, an attribute docstring for each field; Decimal instead of float,
    Duration for lengths of time."""
    subjects: Callable[[Any], Subjects | None]
    """The subjects that a reading with these options will have; None where only the source knows (SQL)."""
    open: Callable[["Environment"], Probe]
    """Make a probe for one pass. Must be cheap: drivers are imported by the first measurement."""
    lane: Callable[[Any], str] = lambda _options: ""
    """Items with the same non-empty lane are measured one after another (those of one connection)."""
    depth: int = 1
    """So many items of a lane may be under way at once. Where that is more than one they wait in a line of the
    probe's own, which then counts the time of each from when its turn comes."""
    validate: Callable[[Any], list[tuple[str, str]]] = lambda _options: []
    """What is wrong with decoded options beyond their types, as pairs of key and message."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A connection named in config.toml."""

    kind: str
    """`postgresql`."""
    dsn: str
    """A libpq connection string or URL without a password (PGPASSFILE, PGSERVICE and the like give that)."""
    connect_timeout: int = 5
    """Seconds."""


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What probes are opened with."""

    sources: Mapping[str, Source] = {}
    history: "History | None" = None
    """Earlier runs of the record; None where there is no record."""
