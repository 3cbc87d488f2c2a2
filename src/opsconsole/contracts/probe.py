"""What a probe is: it measures one thing and never judges."""

import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import msgspec

from opsconsole.model.calendar import Times
from opsconsole.model.readings import Evidence, Problem, Reading
from opsconsole.model.values import Unit

if TYPE_CHECKING:
    from opsconsole.contracts.past import History

TOO_LITTLE_HISTORY = "too-little-history"
"""The reason of a problem that is none yet: there are too few earlier readings to say anything."""
TOO_FEW = "too-few"
"""The reason where less was counted than a share can be taken of."""


class ProbeError(Exception):
    """Something could not be measured: a value of the run, never a crash.

    `problem.reason` is a stable code. Those that several probes share: `no-permission`, `not-found`,
    `not-booted-with-systemd`, `missing-program`, `missing-driver`, `no-secret`, `empty`, `source-down` (nobody
    answers there at all), `tls`, `refused` (an answer that says no: wrong password, 401), `unknown-source`,
    `superuser`, `timeout`, `bad-answer`, `too-large`, `failed`; `too-little-history`, which an item maps by
    `on_no_history`, and `too-few`, by `on_too_few`. An item maps `source-down` by `on_connect_error`, `timeout` by
    `on_timeout` and `empty` by `on_empty`.
    """

    def __init__(
        self,
        reason: str,
        cause: str,
        hint: str = "",
        evidence: tuple[Evidence, ...] = (),
        *,
        seen: Reading | None = None,
    ) -> None:
        """`seen` is what could be measured all the same: a requirement that it breaks fails the item."""
        super().__init__(cause)
        self.problem = Problem(reason, cause, hint)
        self.evidence = evidence or (seen.evidence if seen is not None else ())
        self.seen = seen


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """What another item of the same checklist came to, for a probe that computes with it (`compare`, `ratio`)."""

    item: str
    title: str
    readings: Mapping[str, Reading] = {}
    """By target, `""` for an item without targets; only those that could be measured."""
    problems: Mapping[str, Problem] = {}
    """Why the others could not, by target."""
    started_at: Mapping[str, dt.datetime] = {}
    """When each was measured."""
    cutoffs: Mapping[str, dt.datetime] = {}
    """The cut-off of those that asked for it: what is younger is not in them."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe may know of the run it measures for."""

    run: str = ""
    checklist: str = ""
    item: str
    times: Times
    now: dt.datetime
    cutoff: dt.datetime
    """The same for all items of a pass: what came later is left out by those that compare two stores. It is the
    beginning of the pass, to the second, less the checklist's `cutoff`; queries get it as `:cutoff`."""
    inputs: Mapping[str, Input] = {}
    """The items that the options name (`ProbeKind.inputs`), by id."""
    timeout: float
    """Seconds that the measurement may take. The engine cancels it then; a probe that can end its work in a better
    way (a server-side timeout) does so a little earlier and raises ProbeError with the reason `timeout`."""
    target: str = ""
    """The target of `for_each` that is measured; already filled in for `{target}` in the options."""
    begun: float = msgspec.field(default_factory=time.monotonic)
    """What the monotonic clock said at `now`."""

    @property
    def present(self) -> dt.datetime:
        """The present time by the run's clock: later than `now` by what has passed since."""
        return self.now + dt.timedelta(seconds=time.monotonic() - self.begun)

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


class Lane(msgspec.Struct, frozen=True):
    """Whom several items ask, and how many of them may at once."""

    name: str
    """Items with the same name, of whatever kind, wait for each other."""
    depth: int
    """So many are measured at once; the time of the others counts from when their turn comes."""


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """A value of another item that the options of one name: `lint` tells whether there is such a thing."""

    key: str
    """The key that names it, `left.column`; numbers are places in a list."""
    item: str
    """Empty where the checklist alone is meant."""
    name: str = ""
    """A measure or column of its reading; empty where the item alone is meant."""
    checklist: str = ""
    """The checklist of the item, empty for the same one."""
    of_past: bool = False
    """Whether earlier runs are meant, in which there may have been what there is no more."""
    targets: bool = False
    """Whether all of its targets are meant, and not the one that is measured."""


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
    """So many items of a lane may be under way at once."""
    in_line: bool = False
    """Whether those that are wait in a line of the probe's own, one query of a connection behind the other. The
    probe counts the time of each from its turn on; the engine waits for `depth - 1` others that may be ahead."""
    server: Callable[[Any, Mapping[str, "Source"]], Lane | None] = lambda _options, _sources: None
    """In place of `lane` and `depth`, where the sources of config.toml say who is asked and how many may be."""
    validate: Callable[[Any], list[tuple[str, str]]] = lambda _options: []
    """What is wrong with decoded options beyond their types, as pairs of key and message."""
    inputs: Callable[[Any], Mapping[str, str]] = lambda _options: {}
    """The items of the same checklist whose readings it computes with: by the key of the option that names each,
    its id. They are measured first; the probe is not asked where one is BLOCKED or was never measured."""
    uses: Callable[[Any], Sequence[Use]] = lambda _options: ()
    """The values of other items that it computes with or looks back at."""
    sources: tuple[str, ...] = ()
    """The kinds of sources that its option `source` may name; none where nothing is known of that."""
    amiss: Callable[[Any], str] = lambda _options: ""
    """What its rows are where each of them is something bad, in the plural: `units that have failed`. An empty
    table is a good one then, and an `on_empty` that says otherwise a mistake."""


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A connection named in config.toml. Which keys go with which kind, its SourceKind says.

    Secrets are never written down, but named: `env:NAME` is a variable of the console's environment, `file:PATH`
    the content of a file without its last line feed (config.references).
    """

    kind: str
    """`postgresql`, `questdb`, `mysql` or `http`."""
    dsn: str = ""
    """Of `postgresql` and `questdb`, a libpq connection string or URL without a password (PGPASSFILE, PGSERVICE and
    the like give that); of `mysql`, a URL such as `mysql://USER@HOST:3306/DATABASE`."""
    url: str = ""
    """Of `http`, what the paths of items are added to: `http://prometheus.example:9090`, or the socket of a service
    as `unix:/run/docker.sock`."""
    user: str = ""
    """Of `http`, the name for basic authentication."""
    password: str = ""
    """Where its password is kept (`http`, `mysql`)."""
    bearer: str = ""
    """Of `http`, where the token is kept that goes with every request."""
    headers: dict[str, str] = {}
    """Of `http`, what else goes with every request; a value may say where it is kept."""
    ca: str = ""
    """A file with the certificates that its server is trusted by, where the system's are not enough."""
    connections: int | None = None
    """Of `http`, how many items may ask the server at once; None for what a browser does (checks._servers)."""
    connect_timeout: int = 5
    """Seconds."""


class SourceKind(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a kind of sources without connecting to one."""

    name: str
    keys: tuple[str, ...]
    """The keys that mean something beside `kind` and `connect_timeout`, the necessary one first."""
    check: Callable[[Source], list[tuple[str, str]]] = lambda _source: []
    """What is wrong with one beyond that, as pairs of key and message; no message repeats a secret."""


class Shared(Protocol):
    """Something that probes of several kinds use in one pass, such as an HTTP client."""

    async def aclose(self) -> None:
        """End it; called once, after the probes were closed."""
        ...


S = TypeVar("S", bound=Shared)


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What probes are opened with."""

    sources: Mapping[str, Source] = {}
    history: "History | None" = None
    """Earlier runs of the record; None where there is no record."""
    pool: dict[type[Any], Any] = {}
    """What `shared` made."""

    def shared(self, kind: type[S]) -> S:
        """Return the one object of a class that all probes of this pass share, made by the first that asks."""
        if kind not in self.pool:
            self.pool[kind] = kind()
        return cast("S", self.pool[kind])

    async def aclose(self) -> None:
        """End what is shared, whatever one of them raises first."""
        try:
            while self.pool:
                await self.pool.popitem()[1].aclose()
        finally:
            if self.pool:
                await self.aclose()
