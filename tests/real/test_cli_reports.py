"""`report` and `qualification report`, as an operator and cron run them."""

import datetime as dt
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.command import MANUAL, Installation, installed
from support.report_pages import page_of
from support.tampering import edit_and_chain, tampered

QUALIFICATION = """
title = "Two clean days"
checklist = "morning"
days = 2
"""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """One checklist whose run of today was measured and is not signed, and a qualification that counts it."""
    place = installed(tmp_path, 'qualifications = ["qualifications"]\n', morning=MANUAL)
    (tmp_path / "qualifications").mkdir(mode=0o755)
    (tmp_path / "qualifications" / "two-days.toml").write_text(QUALIFICATION)
    assert place.run("run", "morning", "--headless", "--quiet").code == 0
    return place


def test_a_report_of_today(installation: Installation) -> None:
    """It is printed as markdown, its first lines saying how it is, and stderr stays empty."""
    done = installation.run("report", "daily")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    today = dt.datetime.now(dt.UTC).date()
    assert lines[0].startswith("# Daily report ")
    assert lines[0].endswith(", so far")
    assert lines[0][15:25] in {str(today), str(today - dt.timedelta(days=1)), str(today + dt.timedelta(days=1))}
    assert lines[2].startswith("**")
    assert [each.split(":")[0] for each in lines[4:9]] == [
        "- Done",
        "- Failed",
        "- Against the period before",
        "- Needed",
        "- Signed by",
    ]


@pytest.mark.parametrize("kind", ["weekly", "monthly", "quarterly"])
def test_formats_and_files(installation: Installation, kind: str) -> None:
    """JSON is one object, HTML one page, and a file is written whole and for its owner only."""
    plain = installation.run("report", kind, "--format", "json", "--checklist", "morning")
    document = json.loads(plain.out)
    assert (document["schema"], document["cadence"], document["checklist"]) == (
        "opsconsole.report.v1",
        kind,
        "morning",
    )
    assert [each["id"] for each in document["checklists"]] == ["morning"]
    target = installation.directory / "report.html"
    done = installation.run("report", kind, "--format", "html", "--output", str(target))
    assert (done.code, done.out) == (0, "")
    assert page_of(target.read_text(encoding="utf-8")).shown.startswith(kind.capitalize())
    assert target.stat().st_mode & 0o777 == 0o600


def test_what_there_is_not_is_refused(installation: Installation) -> None:
    """A wrong period, checklist, system or qualification ends with 2 and says what there is."""
    for words, told in (
        (("report", "weekly", "--at", "2026-11"), "names no week"),
        (("report", "daily", "--at", "2999-01-01"), "has not come yet"),
        (("report", "daily", "--checklist", "evening"), "no checklist 'evening'"),
        (("report", "daily", "--system", "qbr"), "no checklist is of the system"),
        (("report", "yearly"), "yearly"),
        (("qualification", "report", "nine-days"), "two-days"),
    ):
        done = installation.run(*words)
        assert (done.code, done.out) == (2, ""), words
        assert told in done.err, words


def test_the_last_period_is_reported_from_cron(installation: Installation) -> None:
    """Before the first run nothing was due, which is said and is no failure."""
    done = installation.run("report", "monthly", "--at", "last")
    assert done.code == 0
    assert "**Nothing was due.**" in done.out


def test_a_terminal_without_unicode(installation: Installation) -> None:
    """Charts are drawn in ASCII where the output knows nothing else, or where that was asked for."""
    env = installation.environment(LANG="C", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    done = installation.run("report", "daily", env=env)
    assert done.code == 0
    assert done.out.isascii()
    assert "\\u" not in done.out


def test_a_record_that_does_not_hold(installation: Installation) -> None:
    """`--verify` finds what was changed behind the program's back: it ends with 1, and the report says so first."""
    assert installation.run("report", "daily", "--verify").code == 0
    installation.write("failing", MANUAL.replace("load1 < 100000", "load1 > 100000"))
    assert installation.run("run", "failing", "--headless", "--quiet").code == 1
    database = next(installation.state.rglob("*.db"))
    with closing(sqlite3.connect(database)) as connection:
        ((seq,),) = connection.execute("select max(seq) from events")
    tampered(database, edit_and_chain(seq))
    done = installation.run("report", "daily", "--verify")
    assert done.code == 1
    assert "the record does not hold" in done.err
    assert "the record cannot be trusted, 1 of the heads kept outside" in done.out.splitlines()[2]


def test_the_report_of_a_qualification(installation: Installation) -> None:
    """It can be made on the first day, says that nothing is finished, and verified its records."""
    done = installation.run("qualification", "report", "two-days")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("# Monitoring report: Two clean days (not finished)\n")
    assert "**Not finished: 0 of 2 consecutive days have passed.**" in done.out
    assert "the chain is intact" in done.out
    document = json.loads(installation.run("qualification", "report", "two-days", "--format", "json").out)
    assert (document["phase"], document["provenance"]["verified"]) == ("running", True)
