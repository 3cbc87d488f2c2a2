"""The `journal` probe on a real journald: what it counts, and what it refuses to call zero."""

import datetime as dt
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.checks import _journal, _systemd, journal
from opsconsole.checks._process import run
from opsconsole.contracts.probe import ProbeError
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Problem, Reading
from opsconsole.model.values import Moment, Number, number
from support.judged import assert_declared, outcome
from support.pretended import pretend
from support.systemd import USER_ID, BoxError, SystemdBox, context, until

pytestmark = pytest.mark.xdist_group("systemd")

boxed = pytest.mark.systemd

ABOUT_NOISY: Mapping[str, bytes] = {"OBJECT_SYSTEMD_UNIT": b"noisy.service", "PRIORITY": b"3"}


def _messages(reading: Reading) -> list[Any]:
    return [row[reading.columns.index("message")] for row in reading.rows]


# --- what is counted ---------------------------------------------------------------------------------


@boxed
def test_a_quiet_unit_is_a_pass(systemd_box: SystemdBox) -> None:
    """The collector's journal without errors is green, and its last lines are at hand."""
    reading = systemd_box.reading("journal", {"unit": "qbr-collector", "tail": 20})
    assert outcome(reading, "count == 0") is Outcome.PASS
    looked_at, matches, tail = reading.evidence
    assert "messages of qbr-collector.service with priority err or worse since" in looked_at.text
    assert matches.text == "none"
    assert "collected 5 metrics" in tail.text
    assert "Finished qbr-collector.service" in tail.text
    assert_declared(journal.KIND, journal.Options(), reading)


@boxed
@pytest.mark.parametrize(
    ("name", "count", "words"),
    [
        ("failing", 1, "Failed to start failing.service"),
        ("flaky", 4, "cannot bind to port 8080"),
        ("good", 0, ""),
        ("idle", 0, ""),
    ],
)
def test_errors_of_a_unit_and_about_it(systemd_box: SystemdBox, name: str, count: int, words: str) -> None:
    """What a unit says on priority err counts, and so does systemd's own word that it failed."""
    reading = systemd_box.reading("journal", {"unit": name})
    assert reading.measures["count"] == number(count)
    assert outcome(reading, "count == 0") is (Outcome.FAIL if count else Outcome.PASS)
    assert words in "\n".join(_messages(reading))
    assert all(row[reading.columns.index("unit")] == f"{name}.service" for row in reading.rows)


@boxed
def test_the_command_shows_the_same(systemd_box: SystemdBox) -> None:
    """What is copied out with the evidence reproduces it."""
    reading = systemd_box.reading("journal", {"unit": "flaky", "grep": "cannot bind"})
    shown = systemd_box.run(["sh", "-c", f"{reading.command} --output=cat"]).stdout.decode()
    assert shown.splitlines() == _messages(reading) == ["cannot bind to port 8080"] * 3


@boxed
def test_priority_and_pattern(systemd_box: SystemdBox) -> None:
    """A lower priority shows more, a pattern less; capitals matter, whatever the pattern's own."""
    counts = [
        systemd_box.reading("journal", {"unit": "noisy", "grep": "warning|well", **options}).measures["count"]
        for options in ({"priority": "err"}, {"priority": "warning"}, {"priority": "info"})
    ]
    assert counts == [number(0), number(1), number(2)]
    for pattern, count in (("CANNOT", 0), ("[Cc]ANNOT|cannot", 3)):
        reading = systemd_box.reading("journal", {"unit": "flaky", "grep": pattern})
        assert reading.measures["count"] == number(count)


@boxed
def test_messages_that_are_hard_to_read(systemd_box: SystemdBox) -> None:
    """Escapes, NUL, bad UTF-8, markup, several lines, a very long one, none, and two at once all arrive as text."""
    systemd_box.log(
        {"MESSAGE": b"nul \0 inside", **ABOUT_NOISY},
        {"MESSAGE": [b"one", b"two \x1b[0m"], **ABOUT_NOISY},
        {"MESSAGE": b"line 1\nline 2", **ABOUT_NOISY},
        {"MESSAGE": b"", **ABOUT_NOISY},
        ABOUT_NOISY,
        {"MESSAGE": b"big" * 3000, **ABOUT_NOISY},
        {"MESSAGE": "\u202eright to left".encode(), **ABOUT_NOISY},
    )
    reading = systemd_box.reading("journal", {"unit": "noisy"})
    messages = _messages(reading)
    assert messages[:3] == ["\x1b[31mred alert\x1b[0m", "bad \\xff byte", "[/] [@click=app.quit]markup[/]"]
    assert messages[3].startswith("0" * 1000)
    assert messages[4:9] == [
        "nul \0 inside",
        "one\ntwo \x1b[0m",
        "line 1\nline 2",
        "",
        "(an entry without a message)",
    ]
    assert messages[9].startswith("bigbig")
    assert len(messages[9]) == _journal.MESSAGE_CHARACTERS
    assert messages[10] == "\u202eright to left"
    assert reading.measures["count"] == number(11)
    assert {row[1] for row in reading.rows} == {"err"}


@boxed
def test_many_messages_are_counted_apart_from_those_shown(systemd_box: SystemdBox) -> None:
    """Of many errors all are counted, and the newest are shown, oldest first."""
    about = {"OBJECT_SYSTEMD_UNIT": b"to-file.service", "PRIORITY": b"2"}
    systemd_box.log(*({"MESSAGE": f"many {n}".encode(), **about} for n in range(300)))
    options = {"unit": "to-file", "rows": 5, "grep": "^many "}
    reading = systemd_box.reading("journal", options)
    assert reading.measures["count"] == number(300)
    assert _messages(reading) == [f"many {n}" for n in range(295, 300)]
    assert reading.truncated
    assert "only the newest 5 are shown" in reading.evidence[0].text
    assert outcome(reading, "count <= 300") is Outcome.PASS
    assert outcome(reading, "no message contains 'zzz'") is Outcome.ERROR, "not all rows were seen"


@boxed
@pytest.mark.parametrize(("since", "count"), [("3 h", 4), ("30 min", 0), ("scheduled", 0)])
def test_only_what_came_since(systemd_box: SystemdBox, since: str, count: int) -> None:
    """Errors before the time looked at do not count; `scheduled` is the time of the checklist's job."""
    now = dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)  # the errors of booting are two hours old then
    options = {"unit": "flaky", "since": since, "partial": True}
    reading = systemd_box.reading("journal", options, now=now, scheduled=now - dt.timedelta(hours=1))
    assert reading.measures["count"] == number(count)


@boxed
def test_all_units_together(systemd_box: SystemdBox) -> None:
    """Without a unit the whole host is looked at, each message under its own unit."""
    reading = systemd_box.reading("journal", {"grep": "cannot bind|Failed to start failing"})
    units = {row[reading.columns.index("unit")] for row in reading.rows}
    assert units == {"flaky.service", "failing.service"}
    assert all(isinstance(row[0], Moment) for row in reading.rows)


@boxed
def test_a_unit_with_a_journal_of_its_own(systemd_box: SystemdBox) -> None:
    """A unit that logs into a namespace is looked at there; plain journalctl shows none of its messages."""
    systemd_box.systemctl("start", "namespaced.service")
    until(lambda: b"invoice" in systemd_box.run(["journalctl", "--namespace=billing"]).stdout, "the message")
    plain = systemd_box.run(["journalctl", "-u", "namespaced", "-p", "err", "-o", "cat"]).stdout
    assert b"invoice" not in plain
    reading = systemd_box.reading("journal", {"unit": "namespaced"})
    assert _messages(reading) == ["invoice lost"]


@boxed
def test_output_that_goes_elsewhere_is_pointed_out(systemd_box: SystemdBox) -> None:
    """A unit whose output goes to a file is green only for its journal, and the evidence says so."""
    reading = systemd_box.reading("journal", {"unit": "to-file"})
    assert "standard output of to-file.service goes to a file, not to the journal" in reading.evidence[0].text


# --- what is never called zero -----------------------------------------------------------------------


@boxed
@pytest.mark.parametrize("options", [{}, {"unit": "good"}, {"directory": "/var/log/journal"}])
def test_a_user_who_may_not_read_the_journal(systemd_box: SystemdBox, options: dict[str, str]) -> None:
    """An operator without the right to read the journal gets an error that names the group, never a zero."""
    problem = systemd_box.problem("journal", options, uid=USER_ID)
    assert problem.reason == "no-permission"
    assert "systemd-journal" in problem.hint


@boxed
def test_a_user_who_may_read_only_part_of_the_journal(systemd_box: SystemdBox) -> None:
    """A user with messages of their own can open a journal, but not the system's: journalctl exits 0 then."""
    systemd_box.run(["systemd-cat", "--identifier=mine", "echo", "hello"], uid=USER_ID)
    systemd_box.sync()
    plain = systemd_box.run(["journalctl", "--unit=flaky", "--priority=err"], uid=USER_ID)
    assert plain.returncode == 0
    assert b"cannot bind" not in plain.stdout
    problem = systemd_box.problem("journal", {"unit": "flaky"}, uid=USER_ID)
    assert problem.reason == "no-permission"


@boxed
def test_a_unit_that_does_not_exist(systemd_box: SystemdBox) -> None:
    """A mistyped unit has no errors in the journal, which is an error."""
    assert systemd_box.run(["journalctl", "-u", "qbr-colector.service", "-p", "err"]).returncode == 0
    problem = systemd_box.problem("journal", {"unit": "qbr-colector"})
    assert (problem.reason, problem.cause) == ("not-found", "there is no unit qbr-colector.service on this host")
    assert "did you mean qbr-collector.service?" in problem.hint


@boxed
def test_a_journal_that_begins_too_late(systemd_box: SystemdBox) -> None:
    """Where the journal of an older host begins within the 24 hours, the hours before were not seen."""
    old = time.time() - 3 * 86400
    machine_id = systemd_box.path("/etc/machine-id")
    before = machine_id.stat().st_mtime
    os.utime(machine_id, (old, old))
    try:
        problem = systemd_box.problem("journal", {"unit": "good"})
        accepted = systemd_box.reading("journal", {"unit": "good", "partial": True})
    finally:
        os.utime(machine_id, (before, before))
    assert problem.reason == "incomplete"
    assert "but the journal begins at" in problem.cause
    assert outcome(accepted, "count == 0") is Outcome.PASS
    assert outcome(accepted, "covered >= 24 h") is Outcome.FAIL
    assert "the journal begins at" in accepted.evidence[0].text


@boxed
def test_a_file_that_does_not_tell_when_a_host_was_set_up(systemd_box: SystemdBox) -> None:
    """A machine id that was written again later proves nothing: the journal is older, and may have been longer."""
    machine_id = systemd_box.path("/etc/machine-id")
    before = machine_id.stat().st_mtime
    os.utime(machine_id, (time.time() + 7200,) * 2)
    try:
        problem = systemd_box.problem("journal", {"unit": "good"})
    finally:
        os.utime(machine_id, (before, before))
    assert problem.reason == "incomplete"


@boxed
def test_a_host_that_is_younger_than_what_is_asked(systemd_box: SystemdBox) -> None:
    """On a host set up an hour ago 24 hours without errors are the whole truth, and said to be short."""
    reading = systemd_box.reading("journal", {"unit": "good"})
    assert outcome(reading, "count == 0", "covered >= 24 h") is Outcome.PASS
    assert "when this system was set up" in reading.evidence[0].text


@boxed
def test_messages_that_journald_dropped(systemd_box: SystemdBox) -> None:
    """Where journald dropped messages of a unit that wrote too many, an error may have been among them."""

    def dropped() -> bool:
        systemd_box.systemctl("start", "talkative.service")
        systemd_box.sync()
        return b"Suppressed" in systemd_box.run(["journalctl", "-o", "cat", "_TRANSPORT=driver"]).stdout

    until(dropped, "a dropped message")
    problem = systemd_box.problem("journal", {"unit": "talkative", "priority": "crit"})
    assert problem.reason == "incomplete"
    assert "journald left out" in problem.cause
    accepted = systemd_box.reading("journal", {"unit": "talkative", "priority": "crit", "partial": True})
    assert outcome(accepted, "count == 0") is Outcome.PASS
    assert outcome(accepted, "dropped == 0") is Outcome.FAIL
    assert outcome(systemd_box.reading("journal", {"unit": "good"}), "dropped == 0") is Outcome.PASS


@boxed
def test_a_journald_that_is_not_running(systemd_box: SystemdBox) -> None:
    """While nothing is being recorded there are no errors in the journal: that is an error."""
    units = ["systemd-journald.socket", "systemd-journald-dev-log.socket", "systemd-journald.service"]
    systemd_box.systemctl("stop", *units)
    try:
        problem = systemd_box.problem("journal", {"unit": "good"})
    finally:
        systemd_box.systemctl("start", *units)
    assert problem.reason == "source-down"
    assert "nothing is being recorded" in problem.cause


@boxed
def test_a_pattern_that_is_none(systemd_box: SystemdBox) -> None:
    """A broken pattern is an error, not a search without a match, although both exit 1."""
    problem = systemd_box.problem("journal", {"unit": "good", "grep": "cannot("})
    assert "the pattern of `grep` cannot be used" in problem.cause


@boxed
def test_nothing_was_recorded_in_the_time(systemd_box: SystemdBox) -> None:
    """A time from which the journal holds nothing of anybody was not seen, however right the unit is."""
    now = dt.datetime.now(dt.UTC) + dt.timedelta(hours=2)
    problem = systemd_box.problem("journal", {"unit": "good", "since": "1 h"}, now=now)
    assert problem.reason == "empty"
    assert "of anything" in problem.cause


# --- a directory of journal files --------------------------------------------------------------------


@pytest.fixture(scope="module")
def copied(systemd_box: SystemdBox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a directory with a copy of the box's journal, to be read from outside."""
    systemd_box.sync()
    target = tmp_path_factory.mktemp("journal") / "copy"
    shutil.copytree(systemd_box.path("/var/log/journal"), target)
    return target


async def _read(directory: Path, **options: Any) -> Reading:
    return await journal.JournalProbe().measure(journal.Options(directory=str(directory), **options), context())


async def _refused(*, seconds: float = 30.0, **options: Any) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        await journal.JournalProbe().measure(journal.Options(**options), context(timeout=seconds))
    return caught.value


@boxed
async def test_journal_files_are_read_without_systemd(copied: Path) -> None:
    """Journal files brought from another host are read on one that has no systemd running."""
    reading = await _read(copied, unit="flaky", partial=True, tail=2)
    assert reading.measures["count"] == number(4)
    covered = reading.measures["covered"]
    assert isinstance(covered, Number)
    assert covered.value < 3600
    assert f"--directory={copied}" in reading.command
    assert f"in the journal files of {copied}" in reading.evidence[0].text


@boxed
async def test_journal_files_that_begin_too_late(copied: Path) -> None:
    """Files of an hour do not answer for a day."""
    error = await _refused(directory=str(copied), unit="flaky")
    assert error.problem.reason == "incomplete"


@boxed
async def test_a_unit_of_which_the_files_hold_nothing(copied: Path) -> None:
    """In files there is no list of units: one without any entry is taken for a typing error."""
    error = await _refused(directory=str(copied), unit="flakey", partial=True)
    assert (error.problem.reason, error.problem.cause) == (
        "not-found",
        f"the journal in {copied} has no entry of flakey.service",
    )


@boxed
async def test_a_damaged_file(copied: Path, tmp_path: Path) -> None:
    """A file that journalctl had to ignore, with exit status 0, makes the answer an error."""
    damaged = tmp_path / "damaged"
    shutil.copytree(copied, damaged)
    for file in damaged.glob("*/system.journal"):
        os.truncate(file, 100_000)
    shown = await run(["journalctl", f"--directory={damaged}"], timeout=30)
    assert shown.returncode == 0
    error = await _refused(directory=str(damaged), partial=True)
    assert error.problem.reason == "incomplete"
    assert "part of the journal cannot be read" in error.problem.cause
    assert error.evidence


@boxed
async def test_too_many_to_count_is_no_number(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A count that was cut off is not judged: neither as few nor as many."""
    monkeypatch.setattr(_journal, "COUNT_LIMIT", 3)
    reading = await _read(copied, unit="flaky", partial=True, rows=1)
    assert "count" not in reading.measures
    assert reading.truncated
    assert outcome(reading, "count == 0") is Outcome.ERROR
    assert outcome(reading, "count < 1_000_000") is Outcome.ERROR


async def test_an_empty_directory(tmp_path: Path) -> None:
    """A directory without journal files exits 0 with nothing, and is an error."""
    for options in ({"directory": str(tmp_path)}, {"directory": str(tmp_path), "unit": "nginx"}):
        error = await _refused(**msgspec.structs.asdict(msgspec.convert(options, journal.Options)))
        assert error.problem.reason == "empty"


async def test_a_missing_directory(tmp_path: Path) -> None:
    """A directory that is not there is named."""
    error = await _refused(directory=str(tmp_path / "gone"))
    assert error.problem.reason == "not-found"
    assert str(tmp_path / "gone") in error.problem.cause


# --- hosts that cannot be had in a test --------------------------------------------------------------


async def test_a_host_without_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In a container the check is an error under the code that the demo skips."""
    monkeypatch.setattr(_systemd, "BOOTED", tmp_path / "nothing")
    assert (await _refused(unit="nginx")).problem.reason == "not-booted-with-systemd"


async def test_journalctl_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host without journalctl says which program is missing."""
    pretend(monkeypatch, tmp_path)
    error = await _refused(directory=str(tmp_path))
    assert (error.problem.reason, error.problem.cause) == ("missing-program", "there is no program journalctl")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exec /bin/sleep 600", "timeout"),
        ("exit 1", "failed"),
        ("echo something new >&2", "failed"),
        ("echo 'Journal file /x uses an unsupported feature, ignoring file.' >&2", "incomplete"),
        ("echo '{}'", "bad-answer"),
        ("echo 'no json'", "bad-answer"),
        ('echo \'{"__REALTIME_TIMESTAMP": "9999999999999999999999"}\'', "bad-answer"),
    ],
)
async def test_answers_that_are_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, reason: str
) -> None:
    """Whatever journalctl does that is no answer ends in an error, never in a count."""
    pretend(monkeypatch, tmp_path, journalctl=script)
    error = await _refused(seconds=1.0, directory=str(tmp_path))
    assert error.problem.reason == reason
    assert error.problem.cause


async def test_scheduled_without_a_schedule() -> None:
    """`since = "scheduled"` on a checklist without a scheduled job is an error that says what to write."""
    problem = await _window_problem(None)
    assert problem.reason == "no-schedule"


async def test_scheduled_is_still_to_come() -> None:
    """Before the job's time nothing can have gone wrong with it yet: that is no pass."""
    problem = await _window_problem(dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))
    assert problem.reason == "too-early"


async def _window_problem(scheduled: dt.datetime | None) -> Problem:
    with pytest.raises(ProbeError) as caught:
        await journal.JournalProbe().measure(journal.Options(since="scheduled"), context(scheduled=scheduled))
    return caught.value.problem


def test_a_box_says_what_failed(systemd_box: SystemdBox) -> None:
    """The tests' own handle does not swallow errors of systemctl."""
    with pytest.raises(BoxError, match="no-such-verb"):
        systemd_box.systemctl("no-such-verb")


# --- options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({}, "", ""),
        ({"unit": "qbr-collector", "since": "36 h", "tail": 20}, "", ""),
        ({"since": "scheduled"}, "", ""),
        ({"unit": "qbr-*"}, "unit", "no name of a unit"),
        ({"since": "yesterday"}, "since", "or write 'scheduled'"),
        ({"since": "1m"}, "since", "minutes or months"),
        ({"since": "0 s"}, "since", "nothing lies within"),
        ({"since": "1 GB"}, "since", "not a duration"),
        ({"grep": "a\nb"}, "grep", "one line"),
        ({"directory": "var/log"}, "directory", "no absolute path"),
    ],
)
def test_options_are_checked_when_a_checklist_is_loaded(options: dict[str, Any], key: str, message: str) -> None:
    """Units, times and paths that mean nothing are lint errors, not red mornings."""
    problems = journal.KIND.validate(msgspec.convert(options, journal.Options))
    assert [each for each, _ in problems] == ([key] if key else [])
    assert not key or message in problems[0][1]


@pytest.mark.parametrize("options", [{"priority": "error"}, {"rows": 0}, {"tail": 5000}, {"units": "x"}])
def test_options_of_the_wrong_kind_are_refused(options: dict[str, Any]) -> None:
    """A priority journald does not know, absurd sizes and unknown keys never reach a run."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(options, journal.Options)
