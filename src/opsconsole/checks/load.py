"""Probe `load`: how many processes run or wait to run, held against the number of processors."""

import os
import re
from decimal import Decimal
from pathlib import Path

import msgspec

from opsconsole.checks import _proc
from opsconsole.contracts.probe import Context, Environment, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Number, Unit, formatted

LOADAVG = Path("/proc/loadavg")
UPTIME = Path("/proc/uptime")

SUBJECTS: Subjects = {
    **dict.fromkeys(("load1", "load5", "load15"), Unit.COUNT),
    "cpus": Unit.COUNT,
    **dict.fromkeys(("per_cpu1", "per_cpu5", "per_cpu15"), Unit.COUNT),
    "uptime": Unit.SECONDS,
}
"""The load averages over 1, 5 and 15 minutes, the processors that are online, each load divided by them, and the
time since the host was started."""

_NUMBER = r"([0-9]{1,12}\.[0-9]{1,6})"
_LOADAVG = re.compile(rf"{_NUMBER} {_NUMBER} {_NUMBER} ([0-9]{{1,9}})/([0-9]{{1,9}}) [0-9]")
_UPTIME = re.compile(f"{_NUMBER} ")
_THOUSANDTH = Decimal("0.001")


class LoadOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the probe `load`: it has none."""


class LoadProbe:
    """Reads /proc/loadavg and /proc/uptime."""

    async def measure(self, _options: LoadOptions, _context: Context) -> Reading:
        """Return the load averages, the same numbers as `uptime` shows."""
        loads = _LOADAVG.match(_proc.read(LOADAVG))
        since = _UPTIME.match(_proc.read(UPTIME))
        if loads is None:
            raise _proc.unreadable(LOADAVG)
        if since is None:
            raise _proc.unreadable(UPTIME)
        cpus = os.cpu_count() or 1
        uptime = Number(Decimal(since[1]), Unit.SECONDS)
        measures = {"cpus": Number(Decimal(cpus)), "uptime": uptime}
        for minutes, text in zip((1, 5, 15), loads.groups()[:3], strict=True):
            load = Decimal(text)
            measures[f"load{minutes}"] = Number(load)
            measures[f"per_cpu{minutes}"] = Number((load / cpus).quantize(_THOUSANDTH))
        said = (
            f"up {formatted(uptime)}, load average: {loads[1]}, {loads[2]}, {loads[3]} on {cpus} processors; "
            f"{loads[4]} of {loads[5]} tasks run or wait to run"
        )
        return Reading(measures=dict(measures), evidence=(Evidence("load", said),), command="uptime")

    async def aclose(self) -> None:
        """Nothing to end."""


def _open(_environment: Environment) -> LoadProbe:
    return LoadProbe()


KIND = ProbeKind(
    name="load",
    summary="Measures the load averages of this host, as such and for each processor.",
    options=LoadOptions,
    subjects=lambda _options: SUBJECTS,
    open=_open,
)
