"""Probe `cpu`: what the processors of this host do over a window of time, all together and each.

Read from /proc/stat, which numbers the processors: psutil gives them by their place in the list, which is another
one as soon as one is offline.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from opsconsole.checks import _groups, _proc, _sampling
from opsconsole.checks._sampling import Samples
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Duration, Number, Unit, Value, formatted

STAT = Path("/proc/stat")
LOADAVG = Path("/proc/loadavg")

SHARES: Subjects = dict.fromkeys(("used", "user", "system", "iowait", "steal", "idle"), Unit.PERCENT)
"""`user` with what runs at low priority, `system` with interrupts, `used` the two together; `iowait` idle while a
disk is waited for, `steal` taken by the hypervisor for others, `idle` the rest. They add up to 100 %."""
TOTALS: Subjects = {
    **SHARES,
    "busiest": Unit.PERCENT,
    "cpus": Unit.COUNT,
    **dict.fromkeys(("per_cpu1", "per_cpu5", "per_cpu15"), Unit.COUNT),
}
"""The shares of all processors together, `used` of the busiest one, the processors that are online, and the load
averages of 1, 5 and 15 minutes divided by them."""

_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_LINE = re.compile(r"^(cpu\d*) +([0-9 ]+)$", re.MULTILINE)
_LOADAVG = re.compile(r"([0-9]{1,12}\.[0-9]{1,6}) ([0-9]{1,12}\.[0-9]{1,6}) ([0-9]{1,12}\.[0-9]{1,6}) ")
_THOUSANDTH = Decimal("0.001")
_ALL = "cpu"

Ticks = Mapping[str, int]


class CpuOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Options of the probe `cpu`."""

    window: Duration = _sampling.DEFAULT
    """How long to look, for shares of all processors together that add up to 100 %: `used` is work, without
    `iowait`, `steal` (taken by the hypervisor) and `idle`. `1 s`, or longer, so that a short peak weighs less.
    It must lie within the item's `timeout`."""
    per_core: bool = False
    """Give each processor a row as well, so that conditions such as `every used < 95%` can speak of them."""


class CpuProbe:
    """Reads /proc/stat twice."""

    async def measure(self, options: CpuOptions, context: Context) -> Reading:
        """Return the shares of the processors' time, as `top` and `mpstat` show them."""
        _sampling.refuse_too_long(options.window, context)
        loads = _LOADAVG.match(_proc.read(LOADAVG))
        if loads is None:
            raise _proc.unreadable(LOADAVG)
        samples = await _sampling.sampled(_sample, options.window)
        cores = _cores(samples)
        totals = _shares(samples.first[_ALL], samples.last[_ALL])
        if totals is None:
            raise ProbeError(
                "bad-answer",
                f"{STAT} counted no processor time within {options.window}",
                "some sandboxes show zeros there; measure on the host, or look for longer",
            )
        measures: dict[str, Value] = {**totals, "busiest": _busiest(cores), "cpus": Number(Decimal(len(cores)))}
        for minutes, load in zip((1, 5, 15), loads.groups(), strict=True):
            measures[f"per_cpu{minutes}"] = Number((Decimal(load) / len(cores)).quantize(_THOUSANDTH))
        evidence = [Evidence("processors", _listing(options.window, totals, cores)), *_whose()]
        rows = tuple(map(_row, cores.items())) if options.per_core else ()
        return Reading(
            measures=measures,
            columns=("core", *SHARES) if options.per_core else (),
            rows=rows,
            label="core" if options.per_core else "",
            evidence=tuple(evidence),
            command=f"mpstat -P ALL {max(1, round(options.window.seconds))} 1",
        )

    async def aclose(self) -> None:
        """Nothing to end."""


async def _sample() -> dict[str, Ticks]:
    return parsed_stat(_proc.read(STAT))


def parsed_stat(text: str) -> dict[str, Ticks]:
    """Return the ticks of `cpu` (all together) and of `cpu0` and so on: proc(5); raise ProbeError."""
    found: dict[str, Ticks] = {}
    for name, numbers in _LINE.findall(text):
        ticks = [int(each) for each in numbers.split()]
        if len(ticks) >= len(_FIELDS):
            found[name] = dict(zip(_FIELDS, ticks, strict=False))
    if _ALL not in found or len(found) == 1:
        raise _proc.unreadable(STAT)
    return found


def _cores(samples: Samples[dict[str, Ticks]]) -> dict[str, dict[str, Number] | None]:
    """Return the shares of each processor; None for one that was not online all the time, or counted nothing."""
    names = sorted((samples.first.keys() | samples.last.keys()) - {_ALL}, key=lambda name: int(name[3:]))
    both = samples.first.keys() & samples.last.keys()
    return {
        name: _shares(samples.first[name], samples.last[name]) if name in both else None
        for name in names
    }  # fmt: skip


def _shares(first: Ticks, last: Ticks) -> dict[str, Number] | None:
    """Return what the time between two counts went to, None where none was counted.

    The kernel does not keep `iowait` and `idle` from running backward a little: what does is counted as nothing.
    """
    spent = {name: max(0, last[name] - first[name]) for name in _FIELDS}
    whole = sum(spent.values())
    if not whole:
        return None
    user = spent["user"] + spent["nice"]
    system = spent["system"] + spent["irq"] + spent["softirq"]
    parts = {"used": user + system, "user": user, "system": system}
    parts |= {name: spent[name] for name in ("iowait", "steal", "idle")}
    return {name: _sampling.share(part, whole) for name, part in parts.items()}


def _busiest(cores: Mapping[str, dict[str, Number] | None]) -> Number | None:
    return max((shares["used"] for shares in cores.values() if shares), key=lambda each: each.value, default=None)


def _row(core: tuple[str, dict[str, Number] | None]) -> tuple[Value, ...]:
    name, shares = core
    return (name, *(shares[each] if shares else None for each in SHARES))


def _listing(window: Duration, totals: dict[str, Number], cores: Mapping[str, dict[str, Number] | None]) -> str:
    lines = [f"over {window}, {len(cores)} processors", f"all: {_line(totals)}"]
    lines += [
        f"{name}: {_line(shares) if shares else 'not online, or nothing counted'}" for name, shares in cores.items()
    ]
    return "\n".join(lines)


def _line(shares: dict[str, Number]) -> str:
    return ", ".join(f"{formatted(share)} {name}" for name, share in shares.items())


def _whose() -> list[Evidence]:
    """Return whose figures these are, where somebody may take them for others."""
    said = []
    if _groups.shows_own(str(STAT)):
        said.append("/proc/stat is shown by lxcfs: these are the figures of the container, not of its host.")
    elif _groups.in_container():
        said.append("The console runs in a container: these are the figures of the whole host.")
    limit = _groups.cpu_limit()
    if limit is not None:
        said.append(
            f"The console itself runs in a control group that may use {formatted(Number(limit))} processors at "
            "most. What is measured is not the share of that."
        )
    return [Evidence("whose figures", "\n".join(said))] if said else []


def _problems(options: CpuOptions) -> list[tuple[str, str]]:
    problem = _sampling.window_problem(options.window)
    return [("window", problem)] if problem else []


def _subjects(options: CpuOptions) -> Subjects:
    return {**TOTALS, "core": None, "count": Unit.COUNT} if options.per_core else TOTALS


def _open(_environment: Environment) -> CpuProbe:
    return CpuProbe()


KIND = ProbeKind(
    name="cpu",
    summary="Measures what the processors of this host do over a window of time, all together and each.",
    options=CpuOptions,
    subjects=_subjects,
    open=_open,
    validate=_problems,
)
