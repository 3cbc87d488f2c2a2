"""`opsconsole prune` on real records and real day logs; killed at any step, it still comes to the same end."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from opsconsole.store.postgres_roles import PRUNER, WRITER
from support.command import Installation, installed
from support.faults import not_made
from support.postgres import Postgres
from support.stores import DEADLINE, environment, shared_record
from support.syscalls import available

CHECKLIST = """
title = "Morning"
due = { timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "load"
title = "Load"
probe = "load"
require = ["load1 < 100000"]
"""

OLD, SIGNED, LATER = "2026-01-05", "2026-01-06", "2026-01-07"
LONG_AGO = 1_767_700_000
"""A moment in January 2026, in seconds."""
FEWEST_STEPS = 30
NO_JOURNAL = "[anchors]\njournal = false\n"


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation with an old run that nobody signed, an old signed one, and their day logs."""
    made = installed(tmp_path, NO_JOURNAL, morning=CHECKLIST)
    logs = made.state / "day-logs"
    for day in (OLD, SIGNED):
        made.then("morning", day)
    assert made.run("sign", f"morning@{SIGNED}", "--yes").code == 0
    logs.mkdir()
    for day in (OLD, SIGNED):
        log = logs / f"morning-{day}.md"
        assert made.run("export", f"morning@{day}", "--format", "markdown", "--output", str(log)).code == 0
        os.utime(log, (LONG_AGO, LONG_AGO))
    return made


def texts(place: Installation) -> int:
    """Return how many evidence texts are in the store."""
    with sqlite3.connect(place.state / "opsconsole.db") as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM evidence")
    connection.close()
    return int(count)


def test_nothing_configured_removes_nothing(place: Installation) -> None:
    """It says so, and ends well: a cron job that runs it by default does no harm."""
    done = place.run("prune")
    assert (done.code, done.out) == (0, "")
    assert "kept for ever" in done.err
    assert texts(place) == 2


def test_what_is_configured_is_shown_first_and_then_removed(place: Installation) -> None:
    """--dry-run tells exactly what then goes; the record verifies, tells it, and keeps what was signed."""
    place.config.write_text(place.config.read_text() + "[retention]\nevidence = 30\nexports = 90\n")
    told = [
        f"1 evidence text (# characters) of morning@{OLD}, which was never signed",
        f"morning-{OLD}.md of morning@{OLD}, written 2026-01-06",
        f"morning-{SIGNED}.md of morning@{SIGNED}, written 2026-01-06",
    ]
    for words, verb, left in ((("--dry-run",), "would remove", 2), ((), "removed", 1)):
        done = place.run("prune", *words)
        assert done.code == 0, done.err
        lines = [_without_size(line) for line in done.out.splitlines()]
        assert lines == [f"{verb} {each}" for each in told]
        assert texts(place) == left
    assert list((place.state / "day-logs").iterdir()) == []
    assert place.run("verify", "--all").code == 0
    for day, told_in_log in (
        (OLD, f"morning-{OLD}.md"),
        (OLD, "1 evidence text"),
        (SIGNED, f"morning-{SIGNED}.md"),
    ):
        assert told_in_log in place.run("export", f"morning@{day}", "--format", "markdown").out
    again = place.run("prune")
    assert (again.code, again.out) == (0, "")
    assert "nothing is old enough" in again.err


def _without_size(line: str) -> str:
    before, opening, rest = line.partition("(")
    return f"{before}(#{rest[rest.index(' ') :]}" if opening else line


def test_options_say_otherwise_than_the_configuration(place: Installation) -> None:
    """0 keeps; a number of days that nothing has reached removes nothing; nonsense is refused."""
    place.config.write_text(place.config.read_text() + "[retention]\nevidence = 30\nexports = 90\n")
    assert "kept for ever" in place.run("prune", "--evidence", "0", "--exports", "0").err
    done = place.run("prune", "--evidence", "36500", "--exports", "36500")
    assert (done.code, done.out) == (0, "")
    assert place.run("prune", "--evidence", "-1").code == 2
    assert place.run("prune", "--evidence", "soon").code == 2
    assert texts(place) == 2


def test_a_run_that_is_signed_late_keeps_what_is_left(place: Installation) -> None:
    """After the sign-off the evidence is the record's: pruning looks at the run no more."""
    assert place.run("sign", f"morning@{OLD}", "--yes").code == 0
    done = place.run("prune", "--evidence", "30")
    assert (done.code, done.out) == (0, "")
    assert texts(place) == 2


def test_what_people_put_there_stays(place: Installation) -> None:
    """Notes, links, exported records, spilled events and half-written files are not the program's day logs."""
    logs = place.state / "day-logs"
    mine = logs / "morning-2026-01-08.md"
    mine.write_text("# my own notes\n")
    (logs / "morning-2026-01-09.md").symlink_to(mine)
    (logs / ".opsconsole-half").write_text("half")
    spilled = place.state / "unsaved" / f"morning@{OLD}.x.jsonl.refused"
    spilled.parent.mkdir(mode=0o700)
    spilled.write_text("{}")
    renamed = logs / "morning-2026-01-10.md"
    renamed.write_bytes((logs / f"morning-{OLD}.md").read_bytes())
    for each in (mine, renamed, spilled):
        os.utime(each, (LONG_AGO, LONG_AGO))
    assert place.run("prune", "--exports", "1").code == 0
    assert sorted(each.name for each in logs.iterdir()) == sorted(
        [".opsconsole-half", mine.name, "morning-2026-01-09.md", renamed.name]
    )
    assert spilled.exists()


def test_a_day_log_that_contradicts_the_record_is_kept_and_told(place: Installation) -> None:
    """The record was put back to what it was before: the log proves it, and stays; the exit code says so."""
    copy = place.directory / "earlier.db"
    database = place.state / "opsconsole.db"
    copy.write_bytes(database.read_bytes())
    place.then("morning", LATER)
    log = place.state / "day-logs" / f"morning-{OLD}.md"
    assert place.run("export", f"morning@{OLD}", "--format", "markdown", "--output", str(log)).code == 0
    os.utime(log, (LONG_AGO, LONG_AGO))
    database.write_bytes(copy.read_bytes())
    alarmed = place.run("prune", "--evidence", "30", "--exports", "30")
    assert alarmed.code == 1
    assert "ALARM" in alarmed.err
    assert (texts(place), len(list(log.parent.iterdir()))) == (2, 2)
    stranger = place.environment(XDG_STATE_HOME=str(place.directory / "elsewhere"))
    done = place.run("prune", "--exports", "30", env=stranger)
    assert done.code == 1
    assert f"kept {log.name}: the record does not hold event" in done.err
    assert [each.name for each in log.parent.iterdir()] == [log.name]


def test_nothing_is_removed_from_a_broken_record(place: Installation) -> None:
    """Somebody changed a text: everything stays, and the message names the event."""
    database = place.state / "opsconsole.db"
    content = database.read_bytes()
    at = content.rindex(b"load1")
    database.write_bytes(content[:at] + b"lOad1" + content[at + 5 :])
    done = place.run("prune", "--evidence", "30", "--exports", "30")
    assert done.code == 1, done.err
    assert "broken at event" in done.err
    assert len(list((place.state / "day-logs").iterdir())) == 2


def test_a_record_that_cannot_be_written_ends_with_four(place: Installation) -> None:
    """Without room for the event that tells it, nothing is removed."""
    done = subprocess.run(
        ["prlimit", "--fsize=4096", "--", *place.arguments("prune", "--evidence", "30", "--exports", "30")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=place.environment(),
    )
    assert done.returncode == 4, done.stderr
    assert texts(place) == 2
    assert len(list((place.state / "day-logs").iterdir())) == 2


@pytest.mark.parametrize("how", ["statement", "call"])
def test_killed_at_every_step_it_is_told_and_finished(tmp_path: Path, how: str) -> None:
    """kill -9 between any two steps: the record verifies, what is gone is told, and the next one finishes it."""
    if how == "call" and not available():
        not_made("this Python has SQLite built in: its system calls cannot be counted")
    finished = subprocess.run(
        [sys.executable, "-m", "support.prune_dying", how, str(tmp_path)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert int(finished.stdout) >= FEWEST_STEPS


def test_a_shared_record_is_pruned_by_the_role_that_may(tmp_path: Path, postgres: Postgres) -> None:
    """The role that only writes is told so before anything is stored; the one that may prune does."""
    name = shared_record(postgres)
    (tmp_path / "place").mkdir()
    place = installed(tmp_path / "place", morning=CHECKLIST)
    checklists = place.config.read_text()

    def use(role: str) -> None:
        place.config.write_text(f'{checklists}store = "{postgres.dsn(name, role)}"\n{NO_JOURNAL}')

    def counted() -> str:
        query = "SELECT (SELECT count(*) FROM opsconsole.evidence), (SELECT count(*) FROM opsconsole.events)"
        return postgres.run(f"{query};", name).strip()

    use(WRITER)
    for day in (OLD, SIGNED):
        place.then("morning", day)
    assert place.run("sign", f"morning@{SIGNED}", "--yes").code == 0
    before = counted()
    done = place.run("prune", "--evidence", "30")
    assert done.code == 4, done.err
    assert "permission" in done.err or "right" in done.err or "may not" in done.err
    assert "Traceback" not in done.err
    assert counted() == before
    use(PRUNER)
    done = place.run("prune", "--evidence", "30")
    assert done.code == 0, done.err
    assert f"of morning@{OLD}, which was never signed" in done.out
    evidence, events = before.split("|")
    assert counted() == f"{int(evidence) - 1}|{int(events) + 1}"
    assert place.run("verify", "--all").code == 0
