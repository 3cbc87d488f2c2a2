"""The network interfaces of this network namespace and their counters, by psutil."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from opsconsole.checks import _sampling
from opsconsole.checks._sampling import Samples
from opsconsole.checks._threads import in_thread
from opsconsole.contracts.probe import ProbeError, Subjects
from opsconsole.model.values import Number, Unit, Value, formatted

RATES: Subjects = {
    "rx_rate": Unit.BYTES,
    "tx_rate": Unit.BYTES,
    "used": Unit.PERCENT,
    "error_rate": Unit.COUNT,
    "drop_rate": Unit.COUNT,
}
"""Bytes received and sent a second, the share of the speed that the busier direction takes, and the errors and
dropped packets a second, of both directions together."""
SUBJECTS: Subjects = {
    "interface": None,
    "up": None,
    "speed": Unit.COUNT,
    **RATES,
    "rx_bytes": Unit.BYTES,
    "tx_bytes": Unit.BYTES,
    **dict.fromkeys(("rx_errors", "tx_errors", "rx_drops", "tx_drops"), Unit.COUNT),
}
"""Its name, whether it is up and has a link, its speed in Mbit/s where it says one, the rates over the window, and
the counters since it was made."""

_BITS = 8
_MEGA = 1_000_000


class Interface(msgspec.Struct, frozen=True, kw_only=True):
    """One interface at one time: its state, and its counters since it was made."""

    name: str
    wanted: bool
    """Whether it was set up to be used, and is no loopback."""
    up: bool
    """Whether it is ready: set up, and with a link."""
    speed: int
    """Mbit/s, 0 where it says none."""
    rx_bytes: int
    tx_bytes: int
    rx_errors: int
    tx_errors: int
    rx_drops: int
    tx_drops: int


Interfaces = Mapping[str, Interface]


async def interfaces() -> Interfaces:
    """Return all interfaces by name; raise ProbeError."""
    try:
        return await in_thread("network interfaces", _seen)
    except OSError as error:
        raise ProbeError(
            "failed", f"the network interfaces cannot be read: {error}", "is /proc mounted? See `ip link`"
        ) from error


def _seen() -> Interfaces:
    import psutil  # the first measurement loads it

    counters = psutil.net_io_counters(pernic=True, nowrap=False)
    found = {}
    for name, stats in psutil.net_if_stats().items():
        flags = stats.flags.split(",")
        counted = counters.get(name)
        if counted is None:
            continue  # it was made between the two calls
        found[name] = Interface(
            name=name,
            wanted="up" in flags and "loopback" not in flags,
            up=stats.isup,
            speed=stats.speed,
            rx_bytes=counted.bytes_recv,
            tx_bytes=counted.bytes_sent,
            rx_errors=counted.errin,
            tx_errors=counted.errout,
            rx_drops=counted.dropin,
            tx_drops=counted.dropout,
        )
    return found


def values(name: str, samples: Samples[Interfaces]) -> dict[str, Value]:
    """Return the subjects of an interface that the last sample has.

    Rates are None where it was made anew meanwhile, and so is `used` where it says no speed, as virtual ones do.
    """
    now = samples.last[name]
    rates = _rates(samples.first.get(name), now, samples.elapsed)
    counts = {
        each: Number(Decimal(getattr(now, each)), SUBJECTS[each] or Unit.COUNT)
        for each in ("rx_bytes", "tx_bytes", "rx_errors", "tx_errors", "rx_drops", "tx_drops")
    }
    speed = Number(Decimal(now.speed)) if now.speed > 0 else None
    return {"interface": name, "up": now.up, "speed": speed, **rates, **counts}


def _rates(before: Interface | None, now: Interface, elapsed: Decimal) -> dict[str, Value]:
    if before is None:
        return dict.fromkeys(RATES)

    def rise(*counters: str, unit: Unit = Unit.COUNT) -> Number | None:
        first, last = (sum(getattr(each, name) for name in counters) for each in (before, now))
        return _sampling.per_second(first, last, elapsed, unit)

    rx, tx = rise("rx_bytes", unit=Unit.BYTES), rise("tx_bytes", unit=Unit.BYTES)
    used = None
    if now.speed > 0 and rx is not None and tx is not None:
        used = _sampling.share(max(rx.value, tx.value) * _BITS, now.speed * _MEGA)
    return {
        "rx_rate": rx,
        "tx_rate": tx,
        "used": used,
        "error_rate": rise("rx_errors", "tx_errors"),
        "drop_rate": rise("rx_drops", "tx_drops"),
    }


def line(seen: Mapping[str, Value]) -> str:
    """Return the values of an interface in words."""

    def said(name: str, suffix: str = "") -> str:
        value = seen[name]
        return f"{formatted(value)}{suffix}" if isinstance(value, Number) else "unknown"

    return (
        f"{seen['interface']}: {'up' if seen['up'] else 'down, or without a link'}, "
        f"speed {said('speed', ' Mbit/s')}, "
        f"received {said('rx_rate', '/s')}, sent {said('tx_rate', '/s')}, "
        f"errors {said('error_rate', '/s')}, dropped {said('drop_rate', '/s')}; "
        f"since it was made {said('rx_errors')} and {said('tx_errors')} errors, "
        f"{said('rx_drops')} and {said('tx_drops')} dropped, receiving and sending"
    )
