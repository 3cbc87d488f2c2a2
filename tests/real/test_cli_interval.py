"""A list that is due every five minutes, after weeks of it: what the commands print stays short, and true."""

import asyncio
import datetime as dt
import json
import os
import sqlite3
from pathlib import Path

import pytest

from opsconsole.contracts.store import StoreError
from opsconsole.engine import reporting
from opsconsole.engine.engine import opened
from opsconsole.engine.reporting import Reporting
from opsconsole.model.checklists import Cadence
from opsconsole.model.events import Via
from opsconsole.model.reports import PeriodReport
from opsconsole.wiring.services import services
from support.command import Installation, installed
from support.tampering import tampered

POOL = """
title = "Pool"
cadence = "interval"
due = { every = "5 min", timezone = "America/Chicago" }

[[section]]
title = "All"

[[section.item]]
id = "load"
title = "Load"
probe = "load"
require = ["load1 < 100000"]
"""
WARMING_UP = POOL.replace(
    'require = ["load1 < 100000"]',
    'require = ["load1 < baseline * 100000"]\nbaseline = { readings = 4, least = 3 }\non_no_history = "skipped"',
)
MORNING = """
title = "Morning"
due = { timezone = "UTC" }
sign_off = { needed = false }

[[section]]
title = "All"

[[section.item]]
id = "load"
title = "Load"
probe = "load"
require = ["load1 < 100000"]
"""
MOVE = """
title = "The move"
cadence = "once"
due = { on = 2999-06-30, timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "moved"
title = "Moved"
manual = true
"""
NIGHT = dt.datetime(2026, 3, 8, 7, 30, tzinfo=dt.UTC)
"""Half an hour before the clocks go forward in Chicago."""
RUNS, DOWN = 24, range(10, 16)


def lived(place: Installation, name: str, *, begins: dt.datetime = NIGHT, down: range = DOWN) -> None:
    """Measure a list every five minutes, as cron did then, but for the runs in which the host was down."""
    moment = begins

    async def work() -> None:
        nonlocal moment
        for number in range(RUNS):
            moment = begins + dt.timedelta(minutes=5 * number)
            if number not in down:
                async with opened(parts.engine, parts.checklist(name)) as session:
                    await parts.engine.measure(session)

    with services(place.config, place.state, Via.HEADLESS) as parts:
        parts.engine.clock = lambda: moment
        asyncio.run(work())


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation without anchors in the host's journal."""
    return installed(tmp_path, "[anchors]\njournal = false\n", pool=POOL, morning=MORNING)


def test_a_record_of_many_runs_is_verified_in_few_lines(place: Installation) -> None:
    """All of them are counted, the list has one line, and each run can still be asked for by its name."""
    lived(place, "pool")
    place.then("morning", "2026-03-08")
    done = place.run("verify", "--all")
    assert (done.code, done.err) == (0, "")
    lines = [each for each in done.out.splitlines() if "@" in each]
    assert "morning@2026-03-08  unsigned  PASS, last event" in lines[0]
    assert lines[1:] == ["pool@2026-03-08T0730Z to 2026-03-08T0925Z, 18 runs  unsigned  18 PASS"]
    assert "19 runs: 0 verified, 0 attributed only, 19 unsigned" in done.out
    place.write("other", POOL)
    place.run("run", "other", "--headless")
    assert "  unsigned  PASS, last event" in place.run("verify", "--all").out.partition("other@")[2]
    one = place.run("verify", "pool@2026-03-08T0730Z")
    assert "pool@2026-03-08T0730Z  unsigned  PASS, last event" in one.out


def test_what_was_down_is_one_row(place: Installation) -> None:
    """A report names a stretch of missed runs once; the JSON, and the count, have each of them."""
    lived(place, "pool")
    done = place.run("report", "daily", "--at", "2026-03-08", "--checklist", "pool", "--verify")
    assert done.code == 0, done.err
    rows = [each for each in done.out.splitlines() if each.startswith("| pool@")]
    assert [each.split("|")[1].strip() for each in rows] == [
        "pool@2026-03-08T0820Z to 2026-03-08T0845Z, 6 runs",
        # the host was off again for the rest of the day, which has 23 hours
        "pool@2026-03-08T0930Z to 2026-03-09T0455Z, 234 runs",
    ]
    assert "240 runs were missed" in done.out


def test_removed_evidence_is_told_in_one_line_a_list(place: Installation) -> None:
    """What --dry-run says is what then goes, and each run's own event still tells it."""
    lived(place, "pool")
    for verb, words in (("would remove", ("--dry-run",)), ("removed", ())):
        done = place.run("prune", "--evidence", "30", *words)
        assert (done.code, done.err) == (0, "")
        (line,) = done.out.splitlines()
        assert line.startswith(f"{verb} 18 evidence texts (")
        told = " of pool@2026-03-08T0730Z to 2026-03-08T0925Z, 18 runs that were never signed"
        assert line.endswith(told)
    assert "1 evidence text" in place.run("export", "pool@2026-03-08T0900Z", "--format", "markdown").out
    assert place.run("verify", "--all").code == 0


def test_many_runs_are_read_as_few_are(place: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read one by one or all in one pass, the report is the same; a changed event is refused either way."""
    lived(place, "pool")

    def reported() -> PeriodReport:
        with services(place.config, place.state, Via.COMMAND) as parts:
            parts.engine.clock = lambda: NIGHT + dt.timedelta(days=3)
            return Reporting(parts.engine, parts.checklists).report(Cadence.WEEKLY, "2026-03-08")

    found = reported()
    assert found.tally.passed == RUNS - len(DOWN)
    monkeypatch.setattr(reporting, "_MANY", 3)
    assert reported() == found
    change = "update events set document = cast(replace(document, 'load1', 'lOad1') as blob) where seq = 2"

    def attack(connection: sqlite3.Connection) -> None:
        connection.execute(change)

    tampered(place.state / "opsconsole.db", attack)
    with pytest.raises(StoreError, match="cannot be read"):
        reported()


def test_nothing_seen_is_not_said_to_have_failed(place: Installation) -> None:
    """Runs from before there was a past saw nothing: the report says that, and not that they failed."""
    place.write("pool", WARMING_UP)
    lived(place, "pool", begins=dt.datetime(2026, 3, 9, 5, 0, tzinfo=dt.UTC), down=range(0))
    done = place.run("report", "daily", "--at", "2026-03-09", "--checklist", "pool", "--format", "json")
    document = json.loads(done.out)
    assert document["tally"]["unseen"] == 3
    assert "failed" not in document["summary"][0]
    printed = place.run("report", "daily", "--at", "2026-03-09", "--checklist", "pool").out
    lines = [line.split("|") for line in printed.splitlines() if line.startswith("|")]
    head, _, row = ([cell.strip() for cell in line] for line in lines[:3])
    counted = dict(zip(head, row, strict=True))
    assert (counted["Failed"], counted["Saw nothing"]) == ("0", "3")


def test_a_run_of_an_interval_is_exported_like_any_other(place: Installation) -> None:
    """Signed, its record is kept in git; it can be had as a record, and as a day log that `prune` knows again."""
    place.config.write_text(place.config.read_text() + 'git = "records"\n[retention]\nexports = 1\n')
    lived(place, "pool")
    run = "pool@2026-03-08T0900Z"
    signed = place.run("sign", run, "--yes")
    assert (signed.code, "not noted" in signed.err) == (0, False), signed.err
    exported = place.run("export", run)
    assert (exported.code, exported.out) == (0, "pool-2026-03-08T0900Z\n"), exported.err
    log = place.state / "day-logs" / "pool-2026-03-08T0900Z.md"
    assert place.run("export", run, "--format", "markdown", "--output", str(log)).code == 0
    os.utime(log, (NIGHT.timestamp(),) * 2)
    assert f"removed {log.name} of {run}" in place.run("prune").out
    verified = place.run("verify", "--all")
    assert (verified.code, verified.err) == (0, "")
    assert "anchor git: 1 head of this record" in verified.out


def test_a_first_run_is_asked_for_when_it_is_due(place: Installation) -> None:
    """What is due in years is not among the things that somebody has to do now."""
    place.write("move", MOVE)
    summary = place.run("report", "monthly").out.partition("## Checklists")[0]
    needed = next(line for line in summary.splitlines() if line.startswith("- Needed"))
    assert "pool" in needed
    assert "move" not in needed


def test_a_list_without_signatures_is_not_called_unsigned(place: Installation) -> None:
    """Nobody signs a run of every quarter of an hour, and `history` does not say that anybody should."""
    place.write("signed", MORNING.replace("sign_off = { needed = false }\n", ""))
    for name in ("pool", "morning", "signed"):
        place.run("run", name, "--headless")
    lines = {line.split("@")[0]: line for line in place.run("history").out.splitlines()[1:]}
    assert lines["pool"].endswith("needs no signature")
    assert lines["morning"].endswith("needs no signature")
    assert lines["signed"].endswith("not signed")


def test_warnings_are_told_by_lint_only(place: Installation) -> None:
    """Cron mails what stands on stderr: a doubtful item is no reason, a list that cannot be used is."""
    doubtful = MORNING.replace('probe = "load"', 'probe = "sql"\nsource = "nowhere"\nquery = "select 1 as load1"')
    place.write("doubtful", doubtful)
    for words in (("list",), ("report", "weekly"), ("actions",), ("history",), ("run", "morning", "--headless")):
        assert "nowhere" not in place.run(*words).err, words
    assert "nowhere" in place.run("lint").out
    assert place.run("doctor").out.count("opsconsole lint") == 1
    place.write("broken", "titel = 'x'\n")
    for words in (("list",), ("report", "weekly")):
        assert "broken.toml" in place.run(*words).err, words
