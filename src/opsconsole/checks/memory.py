"""Probe `memory`: what the kernel says of this host's memory and swap."""

import re
from decimal import Decimal
from pathlib import Path

import msgspec

from opsconsole.checks import _groups, _proc
from opsconsole.contracts.probe import Context, Environment, ProbeError, ProbeKind, Subjects
from opsconsole.model.readings import Evidence, Reading
from opsconsole.model.values import Number, Unit, Value, formatted

MEMINFO = Path("/proc/meminfo")
VMSTAT = Path("/proc/vmstat")

SUBJECTS: Subjects = {
    "total": Unit.BYTES,
    "available": Unit.BYTES,
    "available_percent": Unit.PERCENT,
    "used": Unit.BYTES,
    "used_percent": Unit.PERCENT,
    "swap_total": Unit.BYTES,
    "swap_free": Unit.BYTES,
    "swap_used": Unit.PERCENT,
    "oom_kills": Unit.COUNT,
}
"""`available` is what programs could still get without swapping (the kernel's MemAvailable), `used` the rest of
`total`. Without any swap `swap_used` is 0 %. `oom_kills` are the processes that were killed for want of memory
since the host was started; `oom_kills <= previous` tells of new ones."""

_OOM_KILLS = re.compile(r"^oom_kill ([0-9]{1,20})$", re.MULTILINE)
_LINE = re.compile(r"^(\w+):\s+([0-9]{1,18}) kB$", re.MULTILINE | re.ASCII)
_HUNDREDTH = Decimal("0.01")


class MemoryOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the probe `memory`: it has none."""


class MemoryProbe:
    """Reads /proc/meminfo."""

    async def measure(self, _options: MemoryOptions, _context: Context) -> Reading:
        """Return the host's memory and swap, the same numbers as `free` shows."""
        fields = parsed_meminfo(_proc.read(MEMINFO))
        missing = {"MemTotal", "MemAvailable", "SwapTotal", "SwapFree"} - fields.keys()
        if missing or not fields["MemTotal"]:
            raise _proc.unreadable(MEMINFO)
        evidence = [Evidence("memory", _table(fields))]
        limit = _groups.memory_limit()
        if limit is not None and limit < fields["MemTotal"]:
            text = (
                f"The console itself runs in a control group that may use {_bytes(limit)} at most. "
                "What is measured is the host's memory, not what is left of that."
            )
            evidence.append(Evidence("control group", text))
        measures: dict[str, Value] = {**_measures(fields), "oom_kills": _oom_kills()}
        return Reading(measures=measures, evidence=tuple(evidence), command="free -h")

    async def aclose(self) -> None:
        """Nothing to end."""


def parsed_meminfo(text: str) -> dict[str, int]:
    """Return the fields of /proc/meminfo in bytes: proc(5)."""
    return {name: int(kilobytes) * 1024 for name, kilobytes in _LINE.findall(text)}


def _measures(fields: dict[str, int]) -> dict[str, Number]:
    total, available = fields["MemTotal"], fields["MemAvailable"]
    swap_total, swap_free = fields["SwapTotal"], fields["SwapFree"]
    return {
        "total": _size(total),
        "available": _size(available),
        "available_percent": _share(available, total),
        "used": _size(total - available),
        "used_percent": _share(total - available, total),
        "swap_total": _size(swap_total),
        "swap_free": _size(swap_free),
        "swap_used": _share(swap_total - swap_free, swap_total),
    }


def _oom_kills() -> Number | None:
    """Return the counter of /proc/vmstat, which kernels have since 4.13; None where there is none."""
    try:
        found = _OOM_KILLS.search(_proc.read(VMSTAT))
    except ProbeError:
        return None
    return Number(Decimal(found[1])) if found else None


def _size(value: int) -> Number:
    return Number(Decimal(value), Unit.BYTES)


def _share(part: int, whole: int) -> Number:
    return Number((Decimal(100) * part / whole).quantize(_HUNDREDTH) if whole else Decimal(0), Unit.PERCENT)


def _bytes(value: int) -> str:
    return formatted(_size(value))


def _table(fields: dict[str, int]) -> str:
    """Return what `free -h` shows."""
    cache = sum(fields.get(name, 0) for name in ("Buffers", "Cached", "SReclaimable"))
    swap_used = fields["SwapTotal"] - fields["SwapFree"]
    rows = (
        ("", "total", "used", "free", "shared", "buff/cache", "available"),
        (
            "Mem:",
            _bytes(fields["MemTotal"]),
            _bytes(fields["MemTotal"] - fields["MemAvailable"]),
            *(_bytes(fields.get(name, 0)) for name in ("MemFree", "Shmem")),
            _bytes(cache),
            _bytes(fields["MemAvailable"]),
        ),
        ("Swap:", _bytes(fields["SwapTotal"]), _bytes(swap_used), _bytes(fields["SwapFree"])),
    )
    return "\n".join(f"{row[0]:<6}" + "".join(f"{cell:>12}" for cell in row[1:]) for row in rows)


def _open(_environment: Environment) -> MemoryProbe:
    return MemoryProbe()


KIND = ProbeKind(
    name="memory",
    summary="Measures this host's memory and swap.",
    options=MemoryOptions,
    subjects=lambda _options: SUBJECTS,
    open=_open,
)
