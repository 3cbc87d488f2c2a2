"""The metrics of the system, as Prometheus would have scraped them: node-exporter's, the application's, its own.

Counters are told by their rates: what one of them came to between two instants is the integral of its rate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from opsconsole.demo.drawing import between
from opsconsole.demo.golive.faults import Fault
from opsconsole.demo.golive.system import HOSTS, Site
from opsconsole.demo.golive.waves import DAY, Curve, Scaled, Switched, constant, wave

SCRAPED_EVERY = 15.0
"""Seconds."""
KEPT = 31 * DAY
"""How far back there are samples."""
_BLOCK = 7200.0
_HALF_HOUR = 1800.0
_NIGHT = 8 * 3600.0
"""How long ago the alert of the night began."""
_GIB = float(1 << 30)
_TIB = 1024 * _GIB
_ALWAYS = float("inf")

_PROMETHEUS = {"instance": "localhost:9090", "job": "prometheus"}

_ENDPOINTS: Mapping[str, tuple[float, tuple[float, ...]]] = {
    "/api/ask": (3.1, (0.02, 0.08, 0.30, 0.78, 0.965, 0.991, 0.999, 1.0)),
    "/api/search": (6.2, (0.20, 0.55, 0.85, 0.97, 0.992, 0.998, 1.0, 1.0)),
    "/api/session": (8.4, (0.62, 0.90, 0.97, 0.99, 0.997, 0.999, 1.0, 1.0)),
    "/api/history": (5.3, (0.35, 0.72, 0.93, 0.985, 0.996, 0.999, 1.0, 1.0)),
    "/api/feedback": (1.6, (0.30, 0.70, 0.92, 0.98, 0.995, 0.999, 1.0, 1.0)),
}
"""Requests a second on average, and the share of them that takes no longer than each of the limits."""
_LIMITS = ("0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5")
_SLOW = (0.0, 0.0, 0.01, 0.03, 0.08, 0.15, 0.30, 0.70)
_BACKENDS = (("backend-1:10010", 0.56, 1.0), ("backend-2:10010", 0.44, 1.12))
"""The two instances, the share of requests that each gets, and how much slower than the figures above it is."""
_GROWTH = 0.006 / DAY
"""Of the requests, in a second: six in a thousand in a day."""
_ERRORS = 0.006
"""A second."""
_MANY_ERRORS = 2.4
_CPUS = 4
_BUSY = {"node1": 0.27, "node2": 0.31, "node3": 0.36}
_IN_USE = {"node1": (32 * _GIB, 0.41), "node2": (64 * _GIB, 0.44), "node3": (96 * _GIB, 0.47)}
_DISKS: tuple[tuple[str, str, float, float, float], ...] = (
    ("node1", "/", 0.5 * _TIB, 0.38, 0.0006),
    ("node1", "/var", 1 * _TIB, 0.51, 0.0011),
    ("node2", "/", 0.5 * _TIB, 0.36, 0.0004),
    ("node2", "/srv", 4 * _TIB, 0.57, 0.0019),
    ("node3", "/", 1 * _TIB, 0.44, 0.0008),
)
"""Host and mount point, size, the share of it in use by now, and what is added to that each day."""
_FILLED = ("node2", "/srv")
_FILLING = (0.67, 0.013)
_READ, _WRITTEN = 2.1e6, 5.4e6
"""Bytes a second of a host."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One series."""

    labels: Mapping[str, str]
    curve: Curve
    """Its value; of a counter what is added to it in a second."""
    phase: float
    """How many seconds after each full interval it is scraped."""
    counter: bool = False
    since: float = 0.0
    until: float = _ALWAYS
    """When it was scraped for the last time."""

    def scraped(self, when: float) -> float:
        """Return when it was last scraped by an instant; it may be over, or not have begun."""
        last = (when - self.phase) // SCRAPED_EVERY * SCRAPED_EVERY + self.phase
        return min(last, self.until)

    def value(self, when: float, born: float) -> float:
        """Return the sample of an instant; a counter has counted since it was `born`."""
        return self.curve.sum(born, when) if self.counter else self.curve.at(when)


class Metrics:
    """All series there are by now."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.born = site.began - KEPT
        """When counters began."""
        self._known: dict[Fault | None, dict[str, list[Metric]]] = {}

    def named(self, name: str) -> list[Metric]:
        """Return the series of a metric, of all of them if there is no name."""
        fault = self._site.fault
        if fault not in self._known:
            found: dict[str, list[Metric]] = {}
            for each in self._all(fault):
                found.setdefault(each.labels["__name__"], []).append(each)
            self._known[fault] = found
        known = self._known[fault]
        return known.get(name, []) if name else [each for series in known.values() for each in series]

    def _all(self, fault: Fault | None) -> Iterator[Metric]:
        yield from self._targets()
        yield from self._application(fault)
        for host in HOSTS:
            yield from self._host(host, fault)
        if fault is Fault.NIGHT_ALERT:
            begun = self._site.began - _NIGHT
            labels = {"alertname": "ModelUnreachable", "alertstate": "firing", "severity": "critical"}
            yield self._gauge("ALERTS", labels, constant(1), since=begun, until=begun + _HALF_HOUR)
        oldest = (self.born // _BLOCK) * _BLOCK
        yield self._gauge("prometheus_tsdb_lowest_timestamp_seconds", _PROMETHEUS, constant(oldest))

    def _targets(self) -> Iterator[Metric]:
        jobs = {"node": [f"{host}:9100" for host in HOSTS], "cadvisor": [f"{host}:8080" for host in HOSTS]}
        jobs |= {name: [f"{name}:10010"] for name in ("auth", "billing", "worker")}
        jobs["backend"] = [instance for instance, _, _ in _BACKENDS]
        for job, instances in jobs.items():
            for instance in instances:
                yield self._gauge("up", {"instance": instance, "job": job}, constant(1))
        yield self._gauge("up", _PROMETHEUS, constant(1))

    def _application(self, fault: Fault | None) -> Iterator[Metric]:
        turned = self._site.began - _HALF_HOUR
        for instance, part, slower in _BACKENDS:
            own = {"instance": instance, "job": "backend"}
            for endpoint, (mean, shares) in _ENDPOINTS.items():
                labels = {"endpoint": endpoint, **own}
                rate = mean * part
                asked = wave(f"{instance} {endpoint}", rate, 0.5, slope=rate * _GROWTH, origin=self._site.began)
                yield self._counter("jarvis_requests_total", labels, asked)
                for limit, share, slow in zip(_LIMITS, shares, _SLOW, strict=True):
                    within: Curve = Scaled(asked, share**slower)
                    if fault is Fault.SLOW_REQUESTS and endpoint == "/api/ask":
                        within = Switched(within, Scaled(asked, slow), turned)
                    yield self._counter("jarvis_latency_seconds_bucket", {"le": limit, **labels}, within)
                yield self._counter("jarvis_latency_seconds_bucket", {"le": "+Inf", **labels}, asked)
            errors: Curve = wave(f"{instance} errors", _ERRORS * part, 0.6)
            if fault is Fault.REQUEST_ERRORS:
                errors = Switched(errors, wave(f"{instance} many errors", _MANY_ERRORS * part, 0.2), turned)
            until = turned if fault is Fault.LOST_METRIC else _ALWAYS
            yield self._counter("jarvis_errors_total", own, errors, until=until)

    def _host(self, host: str, fault: Fault | None) -> Iterator[Metric]:
        own = {"instance": f"{host}:9100", "job": "node"}
        for cpu in range(_CPUS):
            busy = wave(f"{host} cpu {cpu}", _BUSY[host], 0.4)
            idle = wave(f"{host} cpu {cpu}", 1 - _BUSY[host], -0.4 * _BUSY[host] / (1 - _BUSY[host]))
            parts: dict[str, Curve] = {
                "user": Scaled(busy, 0.71),
                "system": Scaled(busy, 0.22),
                "iowait": Scaled(busy, 0.07),
            }
            for mode, curve in [("idle", idle), *parts.items()]:
                yield self._counter("node_cpu_seconds_total", {"cpu": str(cpu), "mode": mode, **own}, curve)
        size, used = _IN_USE[host]
        yield self._gauge("node_memory_MemTotal_bytes", own, constant(size))
        yield self._gauge("node_memory_MemAvailable_bytes", own, wave(f"{host} memory", size * (1 - used), 0.04))
        tmpfs = {"device": "tmpfs", "fstype": "tmpfs", "mountpoint": "/run", **own}
        yield self._gauge("node_filesystem_size_bytes", tmpfs, constant(size / 10))
        yield self._gauge("node_filesystem_avail_bytes", tmpfs, constant(size / 10 * 0.98))
        for mountpoint, room, share, growth in (disk[1:] for disk in _DISKS if disk[0] == host):
            filling = fault is Fault.FILLING_DISK and (host, mountpoint) == _FILLED
            yield from self._disk(own, mountpoint, room, *(_FILLING if filling else (share, growth)))
        for name, mean in (("read", _READ), ("written", _WRITTEN)):
            disk = {"device": "nvme0n1", **own}
            yield self._counter(f"node_disk_{name}_bytes_total", disk, wave(f"{host} {name}", mean, 0.7))

    def _disk(
        self, own: Mapping[str, str], mountpoint: str, size: float, used: float, growth: float
    ) -> Iterator[Metric]:
        device = f"/dev/mapper/{mountpoint.strip('/') or 'root'}"
        labels = {"device": device, "fstype": "ext4", "mountpoint": mountpoint, **own}
        seed, slope = f"{own['instance']} {mountpoint}", -size * growth / DAY
        free = wave(seed, size * (1 - used), 0.004, slope=slope, origin=self._site.began)
        yield self._gauge("node_filesystem_size_bytes", labels, constant(size))
        yield self._gauge("node_filesystem_avail_bytes", labels, free)

    def _gauge(
        self,
        name: str,
        labels: Mapping[str, str],
        curve: Curve,
        *,
        since: float | None = None,
        until: float = _ALWAYS,
    ) -> Metric:
        phase = _phase(labels)
        return Metric({"__name__": name, **labels}, curve, phase, since=since or self.born, until=until)

    def _counter(self, name: str, labels: Mapping[str, str], rate: Curve, *, until: float = _ALWAYS) -> Metric:
        phase = _phase(labels)
        return Metric({"__name__": name, **labels}, rate, phase, counter=True, since=self.born, until=until)


def _phase(labels: Mapping[str, str]) -> float:
    """Return at which second of the interval the target of a series is scraped."""
    return between(f"{labels.get('instance', '')} scraped", 0, int(SCRAPED_EVERY) * 1000 - 1) / 1000
