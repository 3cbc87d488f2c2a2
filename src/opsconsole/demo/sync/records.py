"""What the devices of the demo report: the same records for the same day, whenever they are asked for."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from opsconsole.demo.drawing import between, pick

DAY = dt.timedelta(days=1)
FIELDS: Mapping[str, tuple[str, ...]] = {
    "devices": ("name",),
    "measurements": ("device", "reading"),
    "alarms": ("device", "severity"),
}
"""The collections, with what a record has beside its time."""

_DEVICES = {
    "boiler-1": (61.0, 5.5),
    "boiler-2": (58.5, 6.0),
    "cold-store": (3.6, 0.9),
    "compressor": (44.0, 7.5),
    "hall-north": (20.5, 2.2),
    "hall-south": (21.4, 2.8),
    "roof": (11.0, 8.0),
    "server-room": (22.8, 0.7),
}
"""Names of devices, with the temperature that is usual and by how much it follows the time of day, in degrees."""
_EVERY = dt.timedelta(hours=1)
_WARMEST = 15
"""The hour of the day."""
_SEVERITIES = ("info", "info", "info", "warning", "warning", "critical")
_RUN_EVERY = dt.timedelta(minutes=15)


class Record(NamedTuple):
    """A record of a collection."""

    collection: str
    at: dt.datetime
    """When it was recorded, to the second."""
    values: tuple[str | float, ...]
    """In the order of its FIELDS."""


class SyncRun(NamedTuple):
    """A run of the synchronisation: one collection was copied."""

    at: dt.datetime
    collection: str


def records_between(begin: dt.datetime, end: dt.datetime) -> Iterator[Record]:
    """Yield what was recorded from one instant (aware) to before another, day by day."""
    for midnight in _days(begin, end):
        for record in (*_devices(midnight), *_measurements(midnight), *_alarms(midnight)):
            if begin <= record.at < end:
                yield record


def runs_between(begin: dt.datetime, end: dt.datetime) -> Iterator[SyncRun]:
    """Yield the runs of the synchronisation that ended from one instant (aware) to before another."""
    for midnight in _days(begin, end):
        for collection in FIELDS:
            for slot in range(DAY // _RUN_EVERY):
                took = dt.timedelta(seconds=between(f"{midnight:%F} {collection} {slot} took", 4, 41))
                at = midnight + slot * _RUN_EVERY + took
                if begin <= at < end:
                    yield SyncRun(at, collection)


def _days(begin: dt.datetime, end: dt.datetime) -> Iterator[dt.datetime]:
    """Yield the midnights, in UTC, of the days that two instants are in and of those between."""
    midnight = begin.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while midnight < end:
        yield midnight
        midnight += DAY


def _devices(midnight: dt.datetime) -> Iterator[Record]:
    """Yield the devices that were set up anew."""
    for place in range(between(f"{midnight:%F} devices", 0, 2)):
        seed = f"{midnight:%F} device {place}"
        at = midnight + dt.timedelta(seconds=between(f"{seed} at", 7 * 3600, 17 * 3600))
        yield Record("devices", at, (pick(seed, tuple(_DEVICES)),))


def _measurements(midnight: dt.datetime) -> Iterator[Record]:
    for place, (device, (usual, swing)) in enumerate(_DEVICES.items()):
        for slot in range(DAY // _EVERY):
            drawn = between(f"{midnight:%F} {device} {slot}", 0, 60_000 - 1)
            second, noise = drawn % 60, drawn / 60_000 - 0.5
            at = midnight + slot * _EVERY + dt.timedelta(minutes=7 * place, seconds=second)
            of_day = math.cos((at.hour + at.minute / 60 - _WARMEST) / 12 * math.pi)
            yield Record("measurements", at, (device, round(usual + swing * of_day + noise, 2)))


def _alarms(midnight: dt.datetime) -> Iterator[Record]:
    """Yield more than a dozen a day, most of them by day."""
    for place in range(between(f"{midnight:%F} alarms", 14, 26)):
        seed = f"{midnight:%F} alarm {place}"
        begins = 6 * 3600 if place % 4 else 0
        at = midnight + dt.timedelta(seconds=between(f"{seed} at", begins, 24 * 3600 - 1))
        yield Record("alarms", at, (pick(f"{seed} of", tuple(_DEVICES)), pick(seed, _SEVERITIES)))
