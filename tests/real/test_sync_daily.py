"""The daily, weekly and monthly lists of the synchronisation: data, runs and backups, good and bad."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsconsole.model.outcomes import Outcome
from opsconsole.model.values import Number, Unit, number, seconds
from support.logs import written
from support.mornings import measures
from support.postgres import Postgres
from support.sync import HOST, HOST_KINDS, SHORT, Site, compared, entered, recorded, running_site, zip_of
from support.webapp import (
    DAY,
    HOUR,
    MIDNIGHT,
    MINUTE,
    NOW,
    YESTERDAY,
    Planned,
    Record,
    ends_of,
    planned_kinds,
    said,
    unbreakable,
)

pytestmark = pytest.mark.xdist_group("sync")
HOST_PROBES = planned_kinds(HOST, HOST_KINDS)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[Site]:
    """Both stores; a test puts them in order first."""
    with running_site(tmp_path_factory.mktemp("sync"), postgres) as site:
        yield site


@pytest.fixture
def record(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Record]:
    """An empty record, of a site in good order."""
    with recorded(site, tmp_path, monkeypatch) as record:
        yield record


def percent(value: float) -> Number:
    """Return a percentage."""
    return number(value, Unit.PERCENT)


def watched(*, good: bool = True) -> dict[str, Planned]:
    """Return what the quarter-hourly list read of services that were well, or were not."""
    latency, status = seconds(0.02 if good else 7), number(200)
    host = HOST if good else SHORT
    sent = number(9_000 if good else 200_000_000, Unit.BYTES)
    return {
        "questdb": lambda _: measures(tables=number(4), latency=latency),
        "questdb-health": lambda _: measures(status=status, latency=latency),
        "pocketbase": lambda _: measures(status=status, code=status, latency=latency),
        "signed-in": lambda _: measures(status=status, accounts=number(1 if good else 0)),
        "counts-agree": lambda _: compared(good=good),
        "cpu": host["cpu"],
        "memory": host["memory"],
        "disk": host["disk"],
        "disk-io": host["disk-io"],
        "network": lambda _: measures(
            up=True, error_rate=number(0 if good else 12), drop_rate=number(0), rx_rate=sent, tx_rate=sent
        ),
    }


async def looked(record: Record, *, good: bool = True) -> None:
    """Give the lists a past of the quarter-hourly one: the end of yesterday."""
    await record.past("sync-15min", watched(good=good), ends_of(MIDNIGHT, 15 * MINUTE))


# --- the daily list ----------------------------------------------------------------------------------


async def test_a_good_morning(site: Site, record: Record) -> None:
    """All is green, and each condition can go red on what was read."""
    await looked(record)
    state = await record.measured("sync-daily", kinds=HOST_PROBES)
    assert said(state) == {}
    assert state.counts[Outcome.PASS] == len(state.items)
    assert unbreakable(record, site.lists["sync-daily"]) == []


async def test_the_first_morning(record: Record) -> None:
    """What looks back on runs that there are none of is a warning; all else is measured at once."""
    found = said(await record.measured("sync-daily", kinds=HOST_PROBES))
    assert {name: text.split()[0] for name, text in found.items()} == dict.fromkeys(
        ("agreement", "response-times", "availability", "processors"), "WARN"
    )


def _spoil(site: Site) -> None:
    site.run("INSERT INTO measurements SELECT recorded_at, NULL, 20 FROM measurements WHERE device IS NOT NULL")
    site.record("measurements", YESTERDAY, reading=999)
    site.record("alarms", YESTERDAY, severity="very bad")
    site.record("devices", YESTERDAY, name="")
    site.run("UPDATE sync_log SET status = 'failed' WHERE collection = 'alarms'")
    site.run("DELETE FROM sync_log WHERE collection = 'devices'")
    written(site.newest("questdb"), b"half of it", NOW - 5 * HOUR)
    whole = site.newest("pocketbase")
    site.write_backup(f"pocketbase/{whole.name}", zip_of("devices", "alarms"), NOW - 5 * HOUR)
    for each in sorted(site.backups.glob("pocketbase/*.zip*"))[-8:-2]:
        each.unlink()


async def test_a_bad_morning(site: Site, record: Record) -> None:
    """Each thing that is wrong is seen by the item that is about it, and said in words."""
    await looked(record, good=False)
    _spoil(site)
    found = said(await record.measured("sync-daily", kinds=planned_kinds(SHORT, HOST_KINDS)))
    expected = {
        "day-agrees": "FAIL ",
        "agreement": "FAIL availability_due is 0 %",
        "quality": "WARN ",
        "quality-score": "FAIL 54.5",
        "runs": "FAIL devices: runs is 0, limit at least 1; alarms: failed is 24",
        "success-rate": "FAIL 50",
        "response-times": "FAIL ",
        "availability": "FAIL ",
        "processors": "FAIL p95 is 99 %",
        "backup-disk": "FAIL ",
        "questdb-backup": "FAIL ",
        "pocketbase-backup": "FAIL ",
    }
    assert found == {name: found.get(name) for name in expected}
    for name, text in expected.items():
        assert found[name].startswith(text), found[name]
    assert "checksum is 'differs'" in found["questdb-backup"]
    assert "missing is 1" in found["pocketbase-backup"]
    assert "gaps is 3" in found["pocketbase-backup"]


async def test_quality_far_off(site: Site, record: Record) -> None:
    """Hundreds of records that lack something are a failure by themselves."""
    site.run(
        "INSERT INTO measurements SELECT recorded_at, NULL, 20 FROM measurements, generate_series(1, 100) "
        "WHERE device IS NOT NULL"
    )
    found = said(await record.measured("sync-daily", only=["quality"]))
    assert found["quality"].startswith("FAIL measurements: missing is 200")


Breaks = Callable[[Site], None]


def _emptied(site: Site) -> None:
    site.run("TRUNCATE devices, measurements, alarms, sync_log")


def _no_table(site: Site) -> None:
    site.run("DROP TABLE sync_log")


def _no_collection(site: Site) -> None:
    site.pocketbase.drop("measurements")


def _no_backups(site: Site) -> None:
    for each in site.backups.glob("*/*"):
        each.unlink()


def _old_backups(site: Site) -> None:
    site.newest("questdb").unlink()


def _no_checksum(site: Site) -> None:
    newest = site.newest("questdb")
    newest.with_name(f"{newest.name}.sha256").unlink()


def _tiny_backup(site: Site) -> None:
    newest = site.newest("pocketbase")
    site.write_backup(f"pocketbase/{newest.name}", zip_of("settings"), NOW - 5 * HOUR)


def _empty_backup(site: Site) -> None:
    newest = site.newest("pocketbase")
    site.write_backup(f"pocketbase/{newest.name}", zip_of(), NOW - 5 * HOUR)


@pytest.mark.parametrize(
    ("breaks", "expected"),
    [
        (
            _emptied,
            {
                "questdb-day": "FAIL",
                "quality": "FAIL",
                "quality-score": "FAIL",
                "runs": "FAIL",
                "day-agrees": "FAIL",
            },
        ),
        (_no_table, {"tables": "FAIL sync_log: tables is 0", "runs": "ERROR", "success-rate": "BLOCKED"}),
        (_no_collection, {"pocketbase-day": "FAIL measurements: status is 404", "day-agrees": "ERROR"}),
        (_no_backups, {"questdb-backup": "FAIL", "pocketbase-backup": "FAIL"}),
        (_old_backups, {"questdb-backup": "FAIL newest is 29 h"}),
        (_no_checksum, {"questdb-backup": "FAIL checksum is 'absent'"}),
        (_tiny_backup, {"pocketbase-backup": "FAIL missing is 3"}),
        (_empty_backup, {"pocketbase-backup": "FAIL archive is 'damaged'"}),
    ],
)
async def test_what_is_not_there_is_not_green(
    site: Site, record: Record, breaks: Breaks, expected: dict[str, str]
) -> None:
    """Data, runs, collections and backups that are not there are a failure or an error, and never a pass."""
    breaks(site)
    found = said(await record.measured("sync-daily", kinds=HOST_PROBES))
    for name, text in expected.items():
        assert found[name].startswith(text), found


# --- the week and the month --------------------------------------------------------------------------


def mornings(value: float, *, failed: bool = False) -> dict[str, Planned]:
    """Return what the daily list read on a day."""
    good = "damaged" if failed else "ok"
    backup: Planned = lambda _: measures(  # noqa: E731 - a plan in a line
        newest=seconds(18_000),
        count=number(30),
        gaps=number(0),
        checksum="ok",
        archive=good,
        members=number(3),
        missing=number(0),
        relative_size=percent(100),
        oldest=seconds(30 * 86_400),
    )
    return {
        "day-agrees": lambda _: compared(good=not failed),
        "quality-score": lambda _: measures(value=percent(value)),
        "success-rate": lambda _: measures(value=percent(value)),
        "questdb-backup": backup,
        "pocketbase-backup": backup,
    }


WEEK = tuple(NOW - back * DAY for back in range(7, 0, -1))
NOVEMBER = tuple(NOW - back * DAY for back in range(36, 30, -1))
OCTOBER = tuple(NOW - back * DAY for back in range(60, 54, -1))


async def test_a_good_week(site: Site, record: Record) -> None:
    """All is green but what compares with a week before that there is none of, and each condition can go red."""
    await record.past("sync-daily", mornings(99.7), WEEK)
    await looked(record)
    state = await entered(site, record, "sync-weekly", {"spot-check": "10"})
    found = said(state)
    assert set(found) == {"response-times"}
    assert found["response-times"].startswith("SKIPPED")
    assert state.items["spot-check"].outcome is Outcome.PASS
    assert {each.split(":")[0] for each in unbreakable(record, site.lists["sync-weekly"])} == {"response-times"}


async def test_response_times_week_on_week(site: Site, record: Record) -> None:
    """With a week before it is compared, and its conditions can go red as well; a slower week is a warning."""
    await record.past("sync-15min", watched(), ends_of(MIDNIGHT - 7 * DAY, 15 * MINUTE))
    await looked(record)
    state = await record.measured("sync-weekly", only=["response-times"])
    assert state.items["response-times"].outcome is Outcome.PASS
    broken = [each for each in unbreakable(record, site.lists["sync-weekly"]) if each.startswith("response-times")]
    assert broken == []


async def test_a_slower_week(site: Site, record: Record) -> None:
    """Services that became slow since the week before are told, with how slow they are."""
    await record.past("sync-15min", watched(), ends_of(MIDNIGHT - 7 * DAY, 15 * MINUTE))
    await looked(record, good=False)
    found = said(await record.measured("sync-weekly", only=["response-times"]))
    assert found["response-times"].startswith("FAIL ")
    assert all(
        f"{name}: p95 is 7 s" in found["response-times"] for name in ("questdb", "questdb-health", "pocketbase")
    )


async def test_a_bad_week(site: Site, record: Record) -> None:
    """Each thing that was wrong in the week is seen by the item that is about it, and said in words."""
    await record.past("sync-daily", mornings(91, failed=True), WEEK)
    await looked(record, good=False)
    state = await entered(site, record, "sync-weekly", {"spot-check": "9"})
    found = said(state)
    expected = {
        "days-agree": "FAIL failed is 7",
        "quality": "FAIL min is 91 %",
        "success-rate": "FAIL min is 91 %",
        "availability": "FAIL ",
        "response-times": "SKIPPED",
        "processors": "FAIL p95 is 99 %",
        "memory": "FAIL p95 is 97 %",
        "disk-io": "FAIL p95 is 900 ms",
        "traffic": "FAIL availability is 0 %",
        "backups": "FAIL ",
    }
    assert found == {name: found.get(name) for name in expected}
    for name, text in expected.items():
        assert found[name].startswith(text), found[name]
    assert state.items["spot-check"].outcome is Outcome.FAIL


async def test_a_good_month(site: Site, record: Record) -> None:
    """All is green, and each condition can go red; a restored backup has what the stores have."""
    for days in (OCTOBER, NOVEMBER):
        await record.past("sync-daily", mornings(99.7), days)
    await looked(record)
    state = await entered(site, record, "sync-monthly", {"restore-questdb": "1", "restore-pocketbase": "1"})
    assert said(state) == {}
    assert {state.items[name].outcome for name in ("restore-questdb", "restore-pocketbase")} == {Outcome.PASS}
    assert unbreakable(record, site.lists["sync-monthly"]) == []


async def test_a_bad_month(site: Site, record: Record) -> None:
    """Data that got worse, a disk that is full, backups that are not kept, and data that anybody may see."""
    await record.past("sync-daily", mornings(99.7), OCTOBER)
    await record.past("sync-daily", mornings(90), NOVEMBER)
    await looked(record, good=False)
    site.write_backups(days=9)
    site.pocketbase.call("PATCH", "/api/collections/alarms", {"listRule": ""})
    state = await entered(site, record, "sync-monthly", {"restore-questdb": "0", "restore-pocketbase": "2"})
    found = said(state)
    expected = {
        "quality": "FAIL median is 90 %",
        "success-rate": "FAIL median is 90 %",
        "disk-trend": "FAIL limit_state is reached",
        "retention": "FAIL ",
        "closed": "FAIL alarms: records is 3, required 0",
    }
    assert found == {name: found.get(name) for name in expected}
    for name, text in expected.items():
        assert found[name].startswith(text), found[name]
    assert {state.items[name].outcome for name in ("restore-questdb", "restore-pocketbase")} == {Outcome.FAIL}
