"""`opsconsole demo --system sync`: two stores that agree are green, and each fault turns red what it should."""

import datetime as dt
import json
import shutil
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opsconsole.demo.errors import DemoError
from opsconsole.demo.sync import stores
from opsconsole.demo.sync.backups import write_backups
from opsconsole.demo.sync.faults import Fault
from opsconsole.demo.sync.pocketbase import PocketBase, running_pocketbase
from opsconsole.demo.sync.records import DAY, records_between, runs_between
from opsconsole.demo.systems import SystemName, demo_system
from opsconsole.model.events import Via
from opsconsole.model.outcomes import Outcome
from opsconsole.model.runs import fold
from opsconsole.wiring.demo import demo_services
from support.demos import Demos, seen_by_what_is_named

pytestmark = pytest.mark.xdist_group("demo-sync")

MORNINGS = 14
HOST = {
    *(f"sync-15min/{each}" for each in ("cpu", "memory", "disk", "disk-io", "network")),
    "sync-daily/backup-disk",
}
"""What tells of the host that runs the tests."""
LOOKS_BACK = {
    "sync-daily/processors",
    *(f"sync-weekly/{each}" for each in ("availability", "response-times", "processors", "memory", "disk-io")),
    "sync-weekly/traffic",
    *(f"sync-monthly/{each}" for each in ("quality", "success-rate", "disk-trend")),
}
"""What looks back further than the demo has been there."""
ENTERED = {"sync-monthly/restore-questdb", "sync-monthly/restore-pocketbase"}
"""What waits for a number that a person types in."""
TIMED = {
    *(f"sync-15min/{each}" for each in ("questdb", "questdb-health", "pocketbase")),
    "sync-daily/response-times",
}
"""What is a warning where an answer takes a second, which it can on a machine that is busy with other tests."""

RED: dict[Fault, dict[str, str]] = {
    Fault.QUESTDB_STUCK: {
        "sync-15min/questdb": "FAIL",
        **{f"sync-15min/{each}": "BLOCKED" for each in ("questdb-counts", "counts-agree", "last-runs")},
        "sync-daily/tables": "FAIL",
        **{f"sync-daily/{each}": "ERROR" for each in ("questdb-day", "quality", "runs")},
        **{f"sync-daily/{each}": "BLOCKED" for each in ("day-agrees", "quality-score", "success-rate")},
        "sync-monthly/restore-questdb": "ERROR",
    },
    Fault.QUESTDB_UNWELL: {"sync-15min/questdb-health": "FAIL"},
    Fault.POCKETBASE_DOWN: {
        "sync-15min/pocketbase": "FAIL",
        **{f"sync-15min/{each}": "BLOCKED" for each in ("signed-in", "pocketbase-counts", "counts-agree")},
        "sync-daily/signed-in": "FAIL",
        **{f"sync-daily/{each}": "BLOCKED" for each in ("pocketbase-day", "day-agrees")},
        **{f"sync-monthly/{each}": "ERROR" for each in ("restore-pocketbase", "closed")},
    },
    Fault.TOKEN_REVOKED: {
        "sync-15min/signed-in": "FAIL",
        **{f"sync-15min/{each}": "BLOCKED" for each in ("pocketbase-counts", "counts-agree")},
        "sync-daily/signed-in": "FAIL",
        **{f"sync-daily/{each}": "BLOCKED" for each in ("pocketbase-day", "day-agrees")},
    },
    Fault.ALARMS_STOPPED: {"sync-15min/last-runs": "FAIL"},
    Fault.LOST_RECORDS: {"sync-15min/counts-agree": "WARN", "sync-daily/day-agrees": "FAIL"},
    Fault.DOUBLED_ALARM: {"sync-15min/counts-agree": "WARN", "sync-daily/day-agrees": "FAIL"},
    Fault.COLLECTION_LOST: {
        "sync-15min/pocketbase-counts": "FAIL",
        "sync-15min/counts-agree": "ERROR",
        "sync-daily/pocketbase-day": "FAIL",
        "sync-daily/day-agrees": "ERROR",
        "sync-monthly/restore-pocketbase": "ERROR",
        "sync-monthly/closed": "FAIL",
    },
    Fault.BROKEN_SENSOR: {"sync-daily/quality": "WARN", "sync-daily/quality-score": "FAIL"},
    Fault.UNNAMED_DEVICE: {"sync-daily/quality": "WARN", "sync-daily/quality-score": "WARN"},
    Fault.FAILED_RUNS: {"sync-daily/runs": "FAIL", "sync-daily/success-rate": "FAIL"},
    Fault.NO_SYNC_LOG: {
        "sync-15min/last-runs": "ERROR",
        "sync-daily/tables": "FAIL",
        "sync-daily/runs": "ERROR",
        "sync-daily/success-rate": "BLOCKED",
    },
    Fault.MISSED_BACKUPS: {"sync-daily/questdb-backup": "FAIL", "sync-monthly/retention": "WARN"},
    Fault.EMPTY_BACKUP: {"sync-daily/pocketbase-backup": "FAIL"},
    Fault.OPEN_COLLECTION: {"sync-monthly/closed": "FAIL"},
}
"""What each fault changes, and to what."""


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Demos:
    """Open the demo once, so that its past is there."""
    return Demos(SystemName.SYNC, tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def good(demos: Demos) -> dict[str, tuple[Outcome, str]]:
    """Return what everything comes to while nothing is wrong."""
    return demos.said(without=HOST)


def test_all_is_green_while_nothing_is_wrong(good: dict[str, tuple[Outcome, str]]) -> None:
    """A visitor sees four lists that pass; what has too little to look back on says so, and nothing is red."""
    assert {name.partition("/")[0] for name in good} == set(demo_system(SystemName.SYNC).checklists)
    other = {name: said for name, said in good.items() if said[0] is not Outcome.PASS}
    assert other.keys() <= LOOKS_BACK | ENTERED | TIMED, other
    assert not {name for name, (outcome, _) in other.items() if outcome in {Outcome.FAIL, Outcome.ERROR}}, other


def test_every_fault_is_described() -> None:
    """What can be wrong is one table here, and has a sentence each for `--faults`."""
    assert set(RED) == set(Fault)
    assert all(seen_by_what_is_named(SystemName.SYNC, RED).values())
    assert all(each.description and not each.description.endswith(".") for each in Fault)


@pytest.mark.parametrize("fault", Fault)
def test_a_fault_turns_red_what_it_should(demos: Demos, good: dict[str, tuple[Outcome, str]], fault: Fault) -> None:
    """Each item that can see the fault says so, and no other one changes."""
    now = demos.said(fault, HOST)
    changed = {name: str(outcome) for name, (outcome, _) in now.items() if outcome is not good[name][0]}
    slow = {name for name in TIMED - RED[fault].keys() if now[name][0] in {Outcome.PASS, Outcome.WARN}}
    changed = {name: outcome for name, outcome in changed.items() if name not in slow}
    assert changed == RED[fault], {name: now[name] for name in changed}


def test_the_next_demo_goes_on_with_the_record(demos: Demos) -> None:
    """What was done is still there, the mornings before are signed, and nothing goes on running.

    The token that opens PocketBase is for its owner alone, another one each time, and in no text that is shown.
    """
    seen, tokens = [], set()
    others = psutil.Process().children(recursive=True)
    for _ in range(2):
        with demo_services(SystemName.SYNC, None, demos.state, None, Via.HEADLESS) as parts:
            store = parts.engine.store
            seen.append(store.runs())
            children = [each for each in psutil.Process().children(recursive=True) if each not in others]
            assert {"postgres", "pocketbase"} <= {each.name() for each in children}
            mornings = [fold(store.events(each.id)) for each in seen[-1] if each.checklist == "sync-daily"]
            kept = demos.state / "demo" / "sync" / "pocketbase" / "console.token"
            assert stat.S_IMODE(kept.stat().st_mode) == 0o600
            assert not kept.with_name("service.token").exists()
            tokens.add(kept.read_text())
            assert kept.read_text() not in parts.redact(f"bearer {kept.read_text()}")
    assert seen[0] == seen[1]
    assert len(tokens) == 2
    assert sum(each is not None and each.signed is not None for each in mornings) == MORNINGS
    assert not [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


_KILLED = """
import sys, time
from pathlib import Path
from opsconsole.demo.systems import SystemName
from opsconsole.model.events import Via
from opsconsole.wiring.demo import demo_services
with demo_services(SystemName.SYNC, None, Path(sys.argv[1]), None, Via.HEADLESS):
    print("open", flush=True)
    time.sleep(60)
"""


def test_a_killed_demo_leaves_nothing_running(demos: Demos) -> None:
    """Whoever kills the console has no server left over, and the next demo opens as always."""
    command = [sys.executable, "-c", _KILLED, str(demos.state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "open\n"
        servers = psutil.Process(killed.pid).children(recursive=True)
        assert {"postgres", "pocketbase"} <= {each.name() for each in servers}
        killed.send_signal(signal.SIGKILL)
    assert psutil.wait_procs(servers, timeout=10)[1] == []
    with demo_services(SystemName.SYNC, None, demos.state, None, Via.HEADLESS) as parts:
        assert parts.problems == ()


def _instead(program: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program of that text in the place of PocketBase, or none."""
    if program:
        (place / "pocketbase").write_text(program)
        (place / "pocketbase").chmod(0o755)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(place))
    monkeypatch.setattr("sys.executable", str(place / "python"))


def test_a_pocketbase_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever installed the console without its demo learns what to install."""
    _instead("", tmp_path, monkeypatch)
    with pytest.raises(DemoError, match="PocketBase, and that is not installed") as caught:
        running_pocketbase(tmp_path / "own").__enter__()
    assert "opsconsole[demo]" in caught.value.hint


def test_a_pocketbase_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own last words are in the message, at once."""
    program = shutil.which("sh")
    assert program is not None
    python = sys.executable
    _instead(f"#!{program}\necho 'there is no room left'; exit 1\n", tmp_path, monkeypatch)
    monkeypatch.setattr("sys.executable", python)  # which starts it
    with pytest.raises(DemoError, match="PocketBase did not start: there is no room left"):
        running_pocketbase(tmp_path / "own").__enter__()


# --- what it makes up --------------------------------------------------------------------------------

MOMENTS = st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2031, 1, 1), timezones=st.just(dt.UTC))


@settings(max_examples=40, deadline=None)
@given(begin=MOMENTS, lengths=st.tuples(st.integers(0, 200_000), st.integers(0, 200_000)))
def test_records_are_the_same_however_they_are_asked_for(begin: dt.datetime, lengths: tuple[int, int]) -> None:
    """What is copied bit by bit while the demo is open is what the other store was given at its start."""
    middle, end = (begin + dt.timedelta(seconds=each) for each in (lengths[0], sum(lengths)))
    records, runs = list(records_between(begin, end)), list(runs_between(begin, end))
    assert sorted([*records_between(begin, middle), *records_between(middle, end)]) == sorted(records)
    assert sorted([*runs_between(begin, middle), *runs_between(middle, end)]) == sorted(runs)
    assert all(begin <= at < end for at in (*(each.at for each in records), *(each.at for each in runs)))


@settings(max_examples=40, deadline=None)
@given(moment=MOMENTS)
def test_any_day_is_a_normal_one(moment: dt.datetime) -> None:
    """Whoever opens the demo, on whatever day, finds records of each kind that the lists have nothing against."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    records = list(records_between(day, day + DAY))
    readings = [each.values[1] for each in records if each.collection == "measurements"]
    assert len(readings) == 8 * 24
    assert all(isinstance(each, float) and -5 < each < 80 for each in readings)
    assert len(set(readings)) > 150
    alarms = [each.at for each in records if each.collection == "alarms"]
    assert len(alarms) >= 14
    assert len(list(runs_between(day, day + DAY))) == 3 * 96


@settings(max_examples=5, deadline=None)
@given(moments=st.lists(MOMENTS, min_size=1, max_size=3))
def test_backups_are_those_of_the_moment(
    tmp_path_factory: pytest.TempPathFactory, moments: list[dt.datetime]
) -> None:
    """A morning of the past sees the backups that there were then: none of later nights, and none too many."""
    place = tmp_path_factory.mktemp("backups")
    for moment in moments:
        write_backups(place, moment, None)
        for store in ("questdb", "pocketbase"):
            found = [path for path in (place / store).iterdir() if path.suffix != ".sha256"]
            ages = [moment.timestamp() - path.stat().st_mtime for path in found]
            assert len(ages) == 30
            assert 0 <= min(ages) < 24 * 3600
            assert max(ages) > 28 * 24 * 3600
            assert all(path.with_name(f"{path.name}.sha256").exists() for path in found)


# --- what goes on while it is open -------------------------------------------------------------------


def _counted(pocketbase: PocketBase, collection: str) -> int:
    token = pocketbase.token_file.read_text()
    url = f"{pocketbase.url}/api/collections/{collection}/records?perPage=1"
    request = urllib.request.Request(url, headers={"Authorization": token})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(json.load(answer)["totalItems"])


def test_what_is_recorded_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A console that stays open still finds both stores the same; a record that is there already stays one."""
    monkeypatch.setattr(stores, "_STEP_SECONDS", 0.01)
    since = dt.datetime.now(dt.UTC) - dt.timedelta(hours=3)
    recorded = [
        each for each in records_between(since, dt.datetime.now(dt.UTC)) if each.collection == "measurements"
    ]
    with running_pocketbase(tmp_path / "pocketbase") as pocketbase:
        pocketbase.load(recorded[:5])
        with stores.going_on(pocketbase, since, None, lambda _: None):
            deadline = time.monotonic() + 20
            while _counted(pocketbase, "measurements") < len(recorded) and time.monotonic() < deadline:
                time.sleep(0.02)
        assert _counted(pocketbase, "measurements") >= len(recorded)
        assert _counted(pocketbase, "measurements") <= len(recorded) + 8
