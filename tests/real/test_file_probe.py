"""Files as they lie on disk: what is there is measured, and what cannot be seen is never green."""

import asyncio
import errno
import os
import pwd
import shlex
import socket
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from opsconsole.checks import _files_walk, _secretscan, file
from opsconsole.checks.file import FileOptions
from opsconsole.contracts.probe import Environment
from opsconsole.model.outcomes import Outcome
from opsconsole.model.readings import Reading
from support.filing import DAY, HOUR, as_nobody, measured, no_file, of_file, plain, problem, ran, until, written
from support.judged import outcome
from support.postgres import open_directory
from support.systemd import context

ME = pwd.getpwuid(os.getuid()).pw_name
FAKE_TOKEN = "ghp_" + "a1B2" * 9


def values(reading: Reading) -> dict[str, Any]:
    """Return the measures as plain values."""
    return {name: plain(value) for name, value in reading.measures.items()}


def column(reading: Reading, name: str) -> list[Any]:
    """Return one column as plain values."""
    at = reading.columns.index(name)
    return [plain(row[at]) for row in reading.rows]


# --- one file ----------------------------------------------------------------------------------------


async def test_one_file(tmp_path: Path) -> None:
    """Age, size, mode and owner of a file are those of `stat`, and are judged either way."""
    place = written(tmp_path / "app.log", b"x" * 2048, age=2 * HOUR, mode=0o640)
    reading = await of_file(place, max_mode="0640")
    seen = values(reading)
    assert 2 * HOUR - 5 < seen.pop("age") < 2 * HOUR + 60
    assert seen.pop("group")
    assert seen == {
        "exists": True, "type": "file", "size": 2048, "mode": "0640", "owner": ME,
        "world_readable": False, "world_writable": False, "too_open": 0,
    }  # fmt: skip
    assert reading.command == f"stat -- {place}"
    green = ["exists == true", "age < 3 h", "size >= 2 KiB", "mode == '0640'", f"owner == '{ME}'", "too_open == 0"]
    red = ["exists == false", "age < 1 h", "size > 2 KiB", "mode == '0600'", "world_readable == true"]
    assert {outcome(reading, each) for each in green} == {Outcome.PASS}
    assert {outcome(reading, each) for each in red} == {Outcome.FAIL}
    place.chmod(0o666)
    opened = await of_file(place, max_mode="0640")
    assert outcome(opened, "world_writable == false") is Outcome.FAIL
    assert outcome(opened, "too_open == 0") is Outcome.FAIL


async def test_a_file_that_is_missing(tmp_path: Path) -> None:
    """That it is not there is known where its directory is; its age is not known, and never green."""
    reading = await of_file(tmp_path / "gone")
    assert outcome(reading, "exists == false") is Outcome.PASS
    assert outcome(reading, "exists == true", "age < 1 d") is Outcome.FAIL
    assert outcome(reading, "age < 1 d") is Outcome.ERROR
    assert "There is no" in reading.evidence[0].text
    for path in (tmp_path / "gone" / "file", written(tmp_path / "file") / "below"):
        error = await no_file(path)
        assert error.problem.reason == "not-found"
        assert "findmnt" in error.problem.hint


async def test_links_are_followed_when_said(tmp_path: Path) -> None:
    """A link is told to be one; where it is followed, what it leads to is measured."""
    target = written(tmp_path / "real", b"12345", mode=0o600)
    link = tmp_path / "link"
    link.symlink_to(target)
    seen = await of_file(link)
    assert (values(seen)["type"], values(seen)["size"], values(seen)["mode"]) == ("symbolic link", None, None)
    assert outcome(seen, "world_readable == false") is Outcome.ERROR
    assert "follow = true" in seen.evidence[0].text
    followed = values(await of_file(link, follow=True))
    assert (followed["type"], followed["size"], followed["mode"]) == ("file", 5, "0600")
    target.unlink()
    assert values(await of_file(link, follow=True))["exists"] is False
    assert values(await of_file(link))["exists"] is True
    (tmp_path / "round").symlink_to(tmp_path / "round")
    assert (await no_file(tmp_path / "round", follow=True)).problem.reason == "failed"


async def test_what_is_no_file_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FIFOs, sockets, devices and directories are told by their type, also where secrets are looked for."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as bound:
        monkeypatch.chdir(tmp_path)  # a socket has room for a short path only
        bound.bind("s")
        kinds = {
            fifo: "FIFO",
            tmp_path / "s": "socket",
            Path("/dev/null"): "character device",
            tmp_path: "directory",
        }
        for path, kind in {**kinds, tmp_path: "directory"}.items():
            reading = await of_file(path, secrets=True)
            assert (values(reading)["type"], values(reading)["size"]) == (kind, None)
            assert outcome(reading, "secrets == 0") is Outcome.ERROR
            assert outcome(reading, "unscanned == 0") is Outcome.FAIL


async def test_a_future_date_has_no_age(tmp_path: Path) -> None:
    """A file dated in the future is not fresh for ever; that the clocks differ a little does not matter."""
    assert values(await of_file(written(tmp_path / "a", age=-DAY)))["age"] is None
    assert values(await of_file(written(tmp_path / "b", age=-60)))["age"] == 0
    reading = await of_file(tmp_path, pattern="*")
    assert outcome(reading, "newest < 1 h") is Outcome.ERROR
    assert "dated in the future" in reading.evidence[0].text


# --- many files --------------------------------------------------------------------------------------


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Make a directory of logs."""
    place = tmp_path / "log"
    for day, mode in ((1, 0o640), (5, 0o640), (40, 0o644)):
        written(place / f"app-{day}.log", b"x" * day * 100, age=day * DAY, mode=mode)
    written(place / "below" / "deep" / "old.log", b"y" * 50, age=90 * DAY)
    written(place / "other.txt")
    (place / "link.log").symlink_to(place / "app-1.log")
    os.mkfifo(place / "pipe.log")
    return place


async def test_files_that_fit_a_pattern(logs: Path) -> None:
    """Count, size and ages of those that fit; links and FIFOs are told, and not counted."""
    reading = await of_file(logs, pattern="*.log", max_mode="0640")
    seen = values(reading)
    assert (seen["count"], seen["total"], seen["largest"], seen["unseen"]) == (3, 4600, 4000, 0)
    assert DAY - 5 < seen["newest"] < DAY + 60
    assert 40 * DAY - 5 < seen["oldest"] < 40 * DAY + 60
    assert (seen["owners"], seen["modes"]) == (ME, "0640, 0644")
    assert (seen["world_readable_files"], seen["world_writable_files"], seen["too_open"]) == (1, 0, 1)
    assert column(reading, "name") == ["app-1.log", "app-5.log", "app-40.log"]
    assert "1 FIFO, 1 symbolic link" in reading.evidence[0].text
    green = ["count == 3", "newest < 2 d", "oldest < 60 d", "total < 5 kB", f"owners == '{ME}'", "unseen == 0"]
    red = ["count > 3", "newest < 1 h", "oldest < 30 d", "largest < 1 kB", "modes == '0640'", "too_open == 0"]
    assert {outcome(reading, each) for each in [*green, "every size > 0 B", "any mode == '0644'"]} == {Outcome.PASS}
    assert {outcome(reading, each) for each in [*red, "every mode == '0640'"]} == {Outcome.FAIL}
    assert len(ran(*shlex.split(reading.command)).splitlines()) == 3


async def test_below_and_left_out(logs: Path) -> None:
    """Directories below on demand, several patterns, patterns of paths, what is left out, and in which order."""
    both = await of_file(logs, pattern=["*.log", "*.txt"], recursive=True, order="oldest")
    assert column(both, "name")[0] == "below/deep/old.log"
    assert values(both)["count"] == 5
    assert values(await of_file(logs, pattern="below/*.log", recursive=True))["count"] == 1
    assert values(await of_file(logs, pattern="*.log", recursive=True, exclude=["deep"]))["count"] == 3
    assert column(await of_file(logs, pattern="*.log", order="largest"), "size") == [4000, 500, 100]
    by_name = await of_file(logs, pattern="app*", order="name")
    assert column(by_name, "name") == ["app-1.log", "app-40.log", "app-5.log"]
    followed = await of_file(logs, pattern="*.log", follow=True)
    assert values(followed)["count"] == 4


async def test_links_in_a_circle(logs: Path) -> None:
    """Directories that contain themselves by links are entered once."""
    (logs / "below" / "up").symlink_to(logs)
    reading = await of_file(logs, pattern="*.log", recursive=True, follow=True)
    assert values(reading)["count"] == 5


async def test_no_file_fits(tmp_path: Path) -> None:
    """Nothing there is a count of 0; ages and modes that nothing has are not green."""
    reading = await of_file(tmp_path, pattern="*.log")
    assert outcome(reading, "count == 0", "total == 0 B") is Outcome.PASS
    assert outcome(reading, "count >= 1") is Outcome.FAIL
    for condition in ("newest < 1 d", "owners == 'root'", "every size > 0 B", "largest < 1 GB"):
        assert outcome(reading, condition) is Outcome.ERROR
    assert (await no_file(tmp_path / "gone", pattern="*")).problem.reason == "not-found"
    assert (await no_file(written(tmp_path / "file"), pattern="*")).problem.reason == "not-found"


async def test_more_files_than_rows(tmp_path: Path) -> None:
    """All are counted, few are shown, and conditions on columns are not judged by the few."""
    for each in range(300):
        written(tmp_path / f"{each:03}", b"12")
    reading = await of_file(tmp_path, pattern="*", rows=10, order="name")
    assert column(reading, "name") == [f"{each:03}" for each in range(10)]
    assert outcome(reading, "count == 300", "total == 600 B") is Outcome.PASS
    assert outcome(reading, "every size == 2 B") is Outcome.ERROR


async def test_a_walk_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of entries it says what it has not seen, and numbers are at least what was seen."""
    for each in range(30):
        written(tmp_path / f"{each}")
    monkeypatch.setattr(_files_walk, "MOST_ENTRIES", 20)
    reading = await of_file(tmp_path, pattern="*")
    assert outcome(reading, "count < 1000") is Outcome.ERROR
    assert outcome(reading, "newest < 1 d") is Outcome.ERROR
    assert outcome(reading, "count >= 20") is Outcome.PASS
    assert outcome(reading, "count < 10") is Outcome.FAIL
    assert "the rest was not looked at" in reading.evidence[0].text


def test_a_directory_that_cannot_be_entered() -> None:
    """It is named, and nothing that it may hide passes."""
    with open_directory() as place:
        log, closed = place / "log", place / "log" / "closed"
        written(log / "a.log", mode=0o644)
        written(closed / "b.log")
        log.chmod(0o755)
        closed.chmod(0)
        reading = as_nobody(lambda: of_file(log, pattern="*.log", recursive=True))
        closed.chmod(0o755)
    assert (values(reading)["count"], values(reading)["unseen"], reading.truncated) == (1, 1, True)
    assert outcome(reading, "count >= 1") is Outcome.PASS
    assert outcome(reading, "unseen == 0") is Outcome.FAIL
    for condition in ("count <= 9", "newest < 1 d", "oldest < 1 d", "modes == '0644'", "world_writable_files == 0",
                      "every size > 0 B", "total < 1 GB"):  # fmt: skip
        assert outcome(reading, condition) is Outcome.ERROR
    assert f"{closed}: this user may not read it" in reading.evidence[0].text


def test_what_may_not_be_read() -> None:
    """A directory that is closed is an error with a cause; a file that is closed is not scanned."""
    with open_directory() as place:
        closed = written(place / "closed" / "a.log", mode=0).parent
        (place / "closed").chmod(0o755)
        asyncio.run(of_file(closed, pattern="*.log", secrets=True))  # loads what `nobody` may not read either
        reading = as_nobody(lambda: of_file(closed, pattern="*.log", secrets=True))
        assert outcome(reading, "secrets == 0") is Outcome.ERROR
        assert "a.log: this user may not read it" in reading.evidence[1].text
        closed.chmod(0)
        denied = (as_nobody(lambda: no_file(closed, pattern="*.log")), as_nobody(lambda: no_file(closed / "a.log")))
        assert [each.problem.reason for each in denied] == ["no-permission"] * 2
        closed.chmod(0o755)


# --- secrets -----------------------------------------------------------------------------------------


async def test_secrets_in_logs(tmp_path: Path) -> None:
    """A token in a log fails, by file, line and kind; nothing of it is in the reading."""
    written(tmp_path / "a.log", b"fine\nalso fine\n")
    reading = await of_file(tmp_path, pattern="*.log", secrets=True)
    assert outcome(reading, "secrets == 0", "unscanned == 0", "scanned >= 1") is Outcome.PASS
    written(tmp_path / "b.log", b"one\ntoken " + FAKE_TOKEN.encode() + b"\n")
    reading = await of_file(tmp_path, pattern="*.log", secrets=True, exclude=["*.gz"])
    assert [tuple(map(plain, row)) for row in reading.rows] == [("b.log", 2, "GitHub Token")]
    assert outcome(reading, "secrets == 0") is Outcome.FAIL
    assert outcome(reading, "no kind == 'GitHub Token'") is Outcome.FAIL
    assert FAKE_TOKEN[4:] not in repr(reading)
    assert "b.log:2: GitHub Token" in reading.evidence[1].text


async def test_what_was_not_scanned_is_not_green(tmp_path: Path) -> None:
    """One file that is too large, or no text, and there is no saying that there are no secrets."""
    written(tmp_path / "a.log", b"fine\n" * 1000)
    reading = await of_file(tmp_path, pattern="*.log", secrets=True, scan_limit="1 kB")
    assert values(reading)["secrets"] == 0
    assert outcome(reading, "secrets == 0") is Outcome.ERROR
    assert outcome(reading, "secrets < 1") is Outcome.ERROR
    assert outcome(reading, "no kind == 'GitHub Token'") is Outcome.ERROR
    assert "only its first" in reading.evidence[1].text
    written(tmp_path / "b.log", FAKE_TOKEN.encode())
    both = await of_file(tmp_path, pattern="*.log", secrets=True, scan_limit="1 kB")
    assert outcome(both, "secrets == 0") is Outcome.FAIL
    one = await of_file(written(tmp_path / "core", b"\0\1\2" * 100), secrets=True)
    assert outcome(one, "secrets == 0") is Outcome.ERROR
    assert outcome(await of_file(tmp_path / "a.log", secrets=True), "secrets == 0") is Outcome.PASS


# --- time and mistakes -------------------------------------------------------------------------------


async def test_a_file_that_goes_away_has_no_secrets_that_were_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is rotated away between two looks at it was not scanned, and is not green."""
    path = written(tmp_path / "app.log", b"nothing")

    def gone(*_: object, **__: object) -> Any:
        raise FileNotFoundError(errno.ENOENT, "gone")

    monkeypatch.setattr(_secretscan, "open_regular", gone)
    assert (await no_file(path, secrets=True)).problem.reason == "not-found"


async def test_a_mount_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that does not answer ends in a time-out that names the place, and costs one thread."""
    hold, real = threading.Event(), os.scandir

    def hanging(path: str) -> Any:
        hold.wait(20)
        return real(path)

    monkeypatch.setattr(os, "scandir", hanging)
    before = threading.active_count()
    try:
        for _ in range(2):
            began = time.monotonic()
            error = await problem(file.KIND, FileOptions(path=str(tmp_path), pattern="*"), timeout=0.3)
            assert time.monotonic() - began < 5
            assert error.problem.reason == "timeout"
            assert str(tmp_path) in error.problem.cause
        assert threading.active_count() <= before + 1
    finally:
        hold.set()


async def test_cancelling_ends_the_scan(tmp_path: Path) -> None:
    """When nobody waits any more the thread ends, and does not read on."""
    written(tmp_path / "large.log", b"password=hunter2-not-real\n" * 400_000)
    options = FileOptions(path=str(tmp_path), pattern="*.log", secrets=True, keywords=True)
    before = threading.active_count()
    task = asyncio.ensure_future(file.KIND.open(Environment()).measure(options, context()))
    await until(lambda: threading.active_count() > before)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: threading.active_count() == before)


async def test_one_that_is_cancelled_does_not_end_another(tmp_path: Path) -> None:
    """Two items that ask for the same share the work; the one that goes on gets its answer all the same."""
    written(tmp_path / "large.log", b"password=hunter2-not-real\n" * 20_000)
    options = FileOptions(path=str(tmp_path), pattern="*.log", secrets=True, keywords=True)
    before = threading.active_count()
    first = asyncio.ensure_future(measured(file.KIND, options))
    await until(lambda: threading.active_count() > before)
    second = asyncio.ensure_future(measured(file.KIND, options))
    await asyncio.sleep(0)
    assert threading.active_count() == before + 1
    first.cancel()
    assert outcome(await second, "secrets == 20000", "unscanned == 0") is Outcome.PASS
    assert first.cancelled()


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"path": "relative"}, "path"),
        ({"path": "/a\0b"}, "path"),
        ({"path": "/var/log/*.log"}, "path"),
        ({"path": "/a", "pattern": ["*", ""]}, "pattern"),
        ({"path": "/a", "pattern": "../*"}, "pattern"),
        ({"path": "/a", "recursive": True}, "recursive"),
        ({"path": "/a", "exclude": ["x"]}, "exclude"),
        ({"path": "/a", "max_mode": "rw-r-----"}, "max_mode"),
        ({"path": "/a", "keywords": True}, "keywords"),
        ({"path": "/a", "scan_limit": "64 MB s"}, "scan_limit"),
        ({"path": "/a", "scan_limit": "10 s"}, "scan_limit"),
    ],
)
async def test_mistakes_in_options(options: dict[str, Any], key: str) -> None:
    """Each is told with its key before anything is measured."""
    asked = msgspec.convert(options, FileOptions)
    assert [each for each, _ in file.KIND.validate(asked)] == [key]
    assert (await problem(file.KIND, asked)).problem.reason == "bad-options"
