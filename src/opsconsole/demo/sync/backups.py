"""The backups of both stores: one a night, with a checksum beside each, as they are at an instant."""

import datetime as dt
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from opsconsole.demo.drawing import between
from opsconsole.demo.files import noise, tar_gz, with_checksum
from opsconsole.demo.sync.faults import Fault
from opsconsole.demo.sync.records import DAY, FIELDS, Record, records_between

_KEPT = 30
_AT = {"questdb": dt.timedelta(hours=2, minutes=10), "pocketbase": dt.timedelta(hours=2, minutes=40)}
_SUFFIXES = {"questdb": "tar.gz", "pocketbase": "zip"}
_MISSED = 2


def write_backups(directory: Path, now: dt.datetime, fault: Fault | None) -> None:
    """Write the backups of a month up to an instant (aware) into a directory for each store."""
    for store, at in _AT.items():
        nights = list(_nights(now, at))
        wanted = {directory / store / f"{store}-{night:%Y-%m-%d}.{_SUFFIXES[store]}": night for night in nights}
        if store == "questdb" and fault is Fault.MISSED_BACKUPS:
            wanted = dict(list(wanted.items())[_MISSED:])
        for path in (directory / store).glob(f"{store}-*"):
            if path.with_name(path.name.removesuffix(".sha256")) not in wanted:
                path.unlink()
        for path, night in wanted.items():
            newest = night == nights[0]  # which may be one that was empty for an earlier demo
            if newest or not path.exists():
                empty = newest and store == "pocketbase" and fault is Fault.EMPTY_BACKUP
                with_checksum(path, b"" if empty else _content(store, night), night)


def _nights(now: dt.datetime, at: dt.timedelta) -> Iterator[dt.datetime]:
    """Yield when the backups were made, the newest first."""
    midnight = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    newest = midnight + at if midnight + at <= now else midnight + at - DAY
    yield from (newest - back * DAY for back in range(_KEPT))


def _content(store: str, night: dt.datetime) -> bytes:
    return _partitions(night) if store == "questdb" else _exports(night)


def _partitions(night: dt.datetime) -> bytes:
    """Return an archive with a file for each column of each table, as QuestDB keeps them, of the day before."""
    members = {}
    for table, columns in FIELDS.items():
        for column in ("recorded_at", *columns):
            name = f"db/{table}/{night - DAY:%Y-%m-%d}/{column}.d"
            size = 3_100 if table == "measurements" else 400
            members[name] = noise(f"{name}", size + between(f"{name} size", 0, size // 20))
    return tar_gz(members, night)


def _exports(night: dt.datetime) -> bytes:
    """Return an archive with the records of the day before, of each collection."""
    day = night.replace(hour=0, minute=0) - DAY
    records = list(records_between(day, day + DAY))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in FIELDS:
            found = [_exported(each) for each in records if each.collection == name]
            member = zipfile.ZipInfo(f"{name}.json", night.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, json.dumps(found))
    return made.getvalue()


def _exported(record: Record) -> dict[str, str | float]:
    values = dict(zip(FIELDS[record.collection], record.values, strict=True))
    return {"recorded_at": f"{record.at:%F %T}Z", **values}
