"""What is due and what was missed, on the command line: `list` at any moment, `explain`, and runs of the past."""

import datetime as dt
import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from opsconsole.cli.common import UsageError
from opsconsole.cli.listing import moment_of
from support.command import Installation, installed

LOAD = """
[[section]]
title = "All"

[[section.item]]
id = "load"
title = "Load"
probe = "load"
require = ["load1 < 100000"]
"""
DAILY = f'title = "Daily"\ndue = {{ timezone = "UTC" }}\n{LOAD}'
MONTHLY = f'title = "Monthly"\ncadence = "monthly"\ndue = {{ timezone = "UTC", days = "Mon#1" }}\n{LOAD}'
WORKDAYS = f'title = "Workdays"\ndue = {{ timezone = "UTC", days = "Mon..Fri" }}\n{LOAD}'
OFTEN = f'title = "Often"\ncadence = "interval"\ndue = {{ timezone = "UTC", every = "15 min" }}\n{LOAD}'
TODAY = dt.datetime.now(dt.UTC).date()
SATURDAY = TODAY - dt.timedelta(days=TODAY.weekday() + 2)
YESTERDAY = TODAY - dt.timedelta(days=1)
MOVE = f'title = "Move"\ncadence = "once"\ndue = {{ timezone = "UTC", on = {YESTERDAY} }}\n{LOAD}'


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    """An installation with a list of each kind, and of the daily one a run of five days ago."""
    place = installed(tmp_path, daily=DAILY, monthly=MONTHLY, workdays=WORKDAYS, often=OFTEN, move=MOVE)
    place.then("daily", ago(5))
    return place


def ago(days: int) -> str:
    """Return the date so many days ago."""
    return str(TODAY - dt.timedelta(days=days))


def row(printed: str, checklist: str) -> str:
    """Return the line of a checklist, its columns two spaces apart."""
    (found,) = [each for each in printed.splitlines() if each.startswith(f"{checklist} ")]
    return "  ".join(part.strip() for part in found.split("  ") if part.strip())


def test_how_everything_stood_and_will_stand(site: Installation) -> None:
    """Whoever asks for another moment is told which one it is, in which zone, and how each list stood then."""
    then = site.run("list", "--at", f"{ago(5)}T13:29", env=site.environment(TZ="Asia/Kolkata"))
    assert then.code == 0
    assert then.err == f"as of {ago(5)} 13:29:00 IST (Asia/Kolkata)\n"
    assert row(then.out, "daily") == f"daily  daily  {ago(5)} 08:00 UTC  upcoming  -  Daily"
    seen = site.run("list", "--at", f"{ago(5)}T13:00+00:00")
    assert "overdue, waiting for signature, 1 pass" in row(seen.out, "daily")
    later = site.run("list", "--at", "2999-06-30")
    assert "nothing is known of what will be done until then" in later.err
    assert "overdue, not opened  31 missed, last 2999-06-29" in row(later.out, "daily")
    assert f"{YESTERDAY} 08:00 UTC  overdue, not opened" in row(later.out, "move")
    assert "2999-06-30 23:45 UTC  due, not opened" in row(later.out, "often")
    assert "2999-06-03 08:00 UTC  overdue, not opened" in row(later.out, "monthly")
    assert "next 2999-07-01 08:00 UTC  upcoming" in row(later.out, "workdays")


def test_the_same_for_programs(site: Installation) -> None:
    """A program gets every instant in UTC, and each gap with what became of it."""
    printed = site.run("list", "--json", "--at", f"{ago(2)}T09:00Z", env=site.environment(TZ="UTC")).out
    found = json.loads(printed)
    assert (found["schema"], found["timezone"]) == ("opsconsole.list.v1", "UTC")
    assert found["at"] == f"{ago(2)}T09:00:00Z"
    lists = {each["checklist"]: each for each in found["checklists"]}
    assert lists.keys() == {"daily", "monthly", "workdays", "often", "move"}
    assert {key for each in lists.values() for key in each} == lists["move"].keys()
    daily = lists["daily"]
    assert (daily["run"], daily["standing"], daily["opened"]) == (f"daily@{ago(2)}", "due", False)
    assert [(each["period"], each["standing"], each["unsigned"]) for each in daily["gaps"]] == [
        (ago(3), "missed", False),
        (ago(4), "missed", False),
        (ago(5), "missed", True),
    ]


def test_a_missed_run_is_explained_and_stays_missed(site: Installation) -> None:
    """The reason is noted, shown and signed in one step; the day is no longer a gap without a word, but no pass."""
    run = f"daily@{ago(2)}"
    done = site.run("explain", run, "--reason", "No power\nuntil noon", "--attributed", "--yes")
    assert done.code == 0
    assert "MISSED   it was over on" in done.out
    assert f"{run}: performed MISSED by" in done.out
    assert "PENDING" not in done.out
    listed = site.run("list").out
    assert f"3 missed, last {ago(1)}; 1 unsigned, last {ago(5)}; 1 explained" in row(listed, "daily")
    exported = json.loads(site.run("export", run, "--format", "json").out)
    assert (exported["missed"], exported["result"], exported["passed"]) == (True, "MISSED", False)
    assert [each["text"] for each in exported["notes"]] == ["No power\nuntil noon"]
    again = site.run("explain", run, "--reason", "No power", "--attributed", "--yes")
    assert again.code == 1
    assert "was explained by" in again.err
    assert f"`opsconsole amend {run}` adds to it" in again.err
    shown = site.run("run", run, "--headless")
    assert shown.code == 1
    assert "nothing was measured" in shown.out
    assert shown.err == ""


def test_what_cannot_be_explained(site: Installation) -> None:
    """What was not missed is refused with what to do instead, and nothing is written about it."""
    for run, said in {
        f"daily@{ago(5)}": f"`opsconsole sign daily@{ago(5)}` a signature",
        f"daily@{TODAY}": "is not missed: it can be done until",
        f"daily@{ago(-1)}": "has not come yet: it can be done from",
        f"daily@{ago(400)}": "long after it",
        f"move@{YESTERDAY}": "is not missed: it can be done any time",
        f"workdays@{SATURDAY}": "workdays was not due then",
    }.items():
        done = site.run("explain", run, "--reason", "x", "--attributed", "--yes")
        assert (done.code, said in done.err) == (1, True), done.err
        assert done.out == ""
    assert site.run("history").out.count("\n") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("daily", "--reason", "x", "--yes"), "names no run, only a checklist\n  missed and not explained: daily@"),
        (("often", "--reason", "x", "--yes"), "no run was missed lately"),
        (("daily@2026-13-01", "--reason", "x", "--yes"), "names no run of a daily checklist"),
        (("daily@9999-12-31", "--reason", "x", "--yes"), "names no run of a daily checklist"),
        (("nothing@2026-11-01", "--reason", "x", "--yes"), "there is no checklist 'nothing'"),
        (("daily@DAY", "--reason", "x"), "there is no terminal to ask on"),
        (("daily@DAY", "--reason", " ", "--yes"), "some words are needed here"),
        (("daily@DAY", "--reason", "x", "--yes", "--key", "k", "--attributed"), "not several"),
    ],
)
def test_explain_asked_wrongly(site: Installation, words: tuple[str, ...], said: str) -> None:
    """A wrong name or a missing terminal is told, and the record stays as it is: no run is opened by mistake."""
    done = site.run("explain", *(each.replace("DAY", ago(2)) for each in words))
    assert done.code in {1, 2}
    assert said in done.err
    assert site.run("history").out.count("\n") == 2


def test_a_past_day_is_not_measured_afterwards(site: Installation) -> None:
    """A cron job that comes a day late says MISSED and ends with 1; it never makes up for what nobody saw."""
    done = site.run("run", "daily", "--headless", "--date", ago(3))
    assert done.code == 1
    assert "Result   MISSED   nothing was measured" in done.out
    assert "not explained yet" in " ".join(done.out.split())
    assert "was missed: nothing is measured any more" in done.err
    typo = site.run("run", "daily", "--headless", "--date", ago(3653))
    assert typo.code == 2
    assert "long after it" in typo.err
    for date in ("0001-01-01", "9999-12-31"):
        absurd = site.run("run", "daily", "--headless", "--date", date)
        assert (absurd.code, "there are no runs of" in absurd.err) == (2, True)


def test_a_run_that_nobody_signs_ends_with_its_period(site: Installation) -> None:
    """An interval that was measured stays what it came to, and one that was only opened is not made up for."""
    site.then("often", ago(3))
    site.then("often", ago(2), measured=False)
    whole, bare = f"often@{ago(3)}T1200Z", f"often@{ago(2)}T1200Z"
    listed = json.loads(site.run("list", "--json", "--at", f"{ago(2)}T12:16Z").out)["checklists"]
    gaps = {each["run"]: each["unsigned"] for row in listed for each in row["gaps"]}
    assert whole not in gaps
    assert gaps[bare] is True
    site.write("often", OFTEN.replace("100000", "99999"))
    before = site.run("export", whole, "--format", "json").out
    again = site.run("run", whole, "--headless")
    assert again.code == 0
    assert "nobody signs it: nothing is measured any more" in again.err
    assert json.loads(site.run("export", whole, "--format", "json").out)["items"] == json.loads(before)["items"]
    late = site.run("run", bare, "--headless")
    assert late.code == 3
    assert "PENDING  Load: not measured yet" in late.out


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-21T08:00", "2026-11-21T14:00:00+00:00"),
        ("2026-11-21 08:00:30", "2026-11-21T14:00:30+00:00"),
        ("2026-11-21T14:00Z", "2026-11-21T14:00:00+00:00"),
        ("2026-11-21T08:00+01:00", "2026-11-21T07:00:00+00:00"),
        ("2026-11-21", "2026-11-22T05:59:59+00:00"),
        ("2026-11-01", "2026-11-02T05:59:59+00:00"),  # a day of 25 hours
        ("2026-03-08T02:30", "2026-03-08T08:30:00+00:00"),  # skipped: 03:30
        ("2026-11-01T01:30", "2026-11-01T06:30:00+00:00"),  # the first of two
        ("2028-02-29", "2028-03-01T05:59:59+00:00"),
    ],
)
def test_moments(text: str, at: str) -> None:
    """A time without a zone is one of the host, a date stands for its end, and a zone that is written counts."""
    assert moment_of(text, ZoneInfo("America/Chicago")).isoformat() == at


@pytest.mark.parametrize(
    "text",
    ["x", "08:00", "2026", "2026-W47", "2026-02-30", "2026-11-21T24:01", "0001-01-01", "9999-12-31", "1969-07-20",
     "9999-12-31T23:59:59.999999-23:59", "0001-01-01T00:00+23:59", "\u0662026-11-21"],
)  # fmt: skip
def test_no_moments(text: str) -> None:
    """What is no moment, or one beyond every calendar, is a message and never a traceback."""
    with pytest.raises(UsageError, match="no moment"):
        moment_of(text, ZoneInfo("Pacific/Apia"))
