"""Probe `clock`: whether something keeps this host's clock right, and how far it is off."""

import shlex
import time
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from opsconsole.checks import _kernelclock, _sntp, _timedaemons
from opsconsole.checks._addresses import host_problem
from opsconsole.checks._kernelclock import KernelClock
from opsconsole.checks._timedaemons import COMMANDS, Daemon
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Number, Unit, Value, formatted, seconds

SUBJECTS: Subjects = {
    "synchronised": None,
    "max_error": Unit.SECONDS,
    "offset": Unit.SECONDS,
    "direction": None,
    "source": None,
    "stratum": Unit.COUNT,
}
"""Whether the kernel says that something keeps its clock right, and how wrong it may be at most; how far it is off
(never negative), whether it is `ahead` or `behind`, of what, and how many servers that is away from a clock of
its own. A host without a program that keeps its clock has no `offset`, unless a server is asked."""
DELAY: Subjects = {"delay": Unit.SECONDS}
"""With `server`: how long question and answer took; the offset is as precise as half of that."""

_DAEMONS: tuple[Daemon, ...] = ("chrony", "timesyncd", "ntpd")


class ClockOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `clock`."""

    server: str = ""
    """An NTP server that is asked for the time, such as `ntp.example`, to have a judgement of its own. `offset`
    is never negative; `direction` says whether the clock is `ahead` or `behind`. Where it
    is left out, the program that keeps the clock is asked."""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = _sntp.PORT
    """The port of `server`."""
    daemon: Literal["auto", "chrony", "timesyncd", "ntpd"] = "auto"
    """Which program keeps the clock. With `auto` each of them is asked until one can say how far the clock is
    off; none of them need be there."""


class Off(msgspec.Struct, frozen=True):
    """How far the clock is off."""

    offset: Decimal
    """Seconds by which it is behind; negative where it is ahead."""
    source: str
    stratum: int
    delay: Decimal | None = None


class ClockProbe:
    """Asks the kernel, and a server or the program that keeps the clock."""

    async def measure(self, options: ClockOptions, context: Context) -> Reading:
        """Return the state of the kernel's clock and its offset."""
        kernel = _kernelclock.kernel_clock()
        notes: list[str] = []
        command = "timedatectl"
        if options.server:
            sample = await _sntp.ask(options.server, options.port, context.allowance)
            off: Off | None = Off(sample.offset, options.server, sample.stratum, sample.delay)
            notes.append(f"{options.server} was asked at {sample.address}")
            command = shlex.join(["ntpdig", options.server])
        elif options.daemon != "auto":
            off, command = await _of_daemon(options.daemon, context.allowance), COMMANDS[options.daemon]
        else:
            off, notes = await _of_any(context.allowance)
        return _reading(options, kernel, off, notes, command)

    async def aclose(self) -> None:
        """Nothing to end."""


async def _of_daemon(daemon: Daemon, allowance: float) -> Off:
    kept = await _timedaemons.ask(daemon, allowance)
    return Off(kept.offset, f"{kept.daemon}: {kept.reference}" if kept.reference else kept.daemon, kept.stratum)


async def _of_any(allowance: float) -> tuple[Off | None, list[str]]:
    """Ask one after another; return what the first says that knows, and why the others could not."""
    until = time.monotonic() + allowance
    notes: list[str] = []
    for index, daemon in enumerate(_DAEMONS):
        allowed = max(0.1, (until - time.monotonic()) / (len(_DAEMONS) - index))
        try:
            return await _of_daemon(daemon, allowed), notes
        except ProbeError as error:
            notes.append(str(error))
    return None, notes


def _reading(
    options: ClockOptions, kernel: KernelClock | str, off: Off | None, notes: list[str], command: str
) -> Reading:
    subjects = _subjects(options)
    measures: dict[str, Value] = dict.fromkeys(subjects)
    if isinstance(kernel, KernelClock):
        measures["synchronised"] = kernel.synchronised
        measures["max_error"] = seconds(Decimal(kernel.max_error) / 1_000_000)
        state = "is kept right" if kernel.synchronised else "is not kept right by anything"
        said = [f"the kernel says that its clock {state}, and is wrong by {_shown(measures['max_error'])} at most"]
    else:
        said = [kernel]
    if off is not None:
        direction = "behind" if off.offset > 0 else "ahead"
        measures |= {
            "offset": seconds(abs(off.offset)),
            "direction": direction,
            "source": off.source,
            "stratum": Number(Decimal(off.stratum)),
        }
        said.append(f"it is {_shown(measures['offset'])} {direction} of {off.source} (stratum {off.stratum})")
        if off.delay is not None:
            measures["delay"] = seconds(off.delay)
            said.append(f"to within {_shown(seconds(off.delay / 2))}")
    return Reading(measures=measures, evidence=(Evidence("clock", "\n".join([*said, *notes])),), command=command)


def _shown(value: Value) -> str:
    return formatted(value) if isinstance(value, Number) else "unknown"


def _problems(options: ClockOptions) -> list[tuple[str, str]]:
    found = []
    if options.server and (problem := host_problem(options.server.replace("{target}", "target"))):
        found.append(("server", problem))
    if options.server and options.daemon != "auto":
        found.append(("daemon", "goes without `server`: the clock is held against one of them"))
    if options.port != _sntp.PORT and not options.server:
        found.append(("port", "goes with `server` only"))
    return found


def _subjects(options: ClockOptions) -> Subjects:
    return {**SUBJECTS, **DELAY} if options.server else SUBJECTS


def _open(_environment: Environment) -> ClockProbe:
    return ClockProbe()


KIND = ProbeKind(
    name="clock",
    summary="Measures whether something keeps this host's clock right, and how far it is off.",
    options=ClockOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
