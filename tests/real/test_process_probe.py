"""Processes under real names and real load: how many, what they take, and what may not be seen."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from decimal import Decimal
from pathlib import Path

import psutil
import pytest

from opsconsole.checks import _processes
from opsconsole.checks.process import KIND
from opsconsole.model.outcomes import Outcome
from support.hostprobes import (
    BUSY,
    eventually,
    measured,
    outcome,
    problem_of,
    problems,
    running,
    under_the_name,
    value,
)
from support.needs import missing

TESTS = Path(__file__).resolve().parents[1]
SOON = "100 ms"


@pytest.fixture
def name(tmp_path: Path) -> str:
    """Return a name that no other process has."""
    return f"idler-{os.getpid()}-{abs(hash(str(tmp_path))) % 10_000:04}-of-many"


async def test_how_many_run(name: str, tmp_path: Path) -> None:
    """Those of a name are counted, red where there are too few and green where there are enough."""
    program = under_the_name(name, "sleep", tmp_path)
    none = await measured(KIND, name=name, window=SOON)
    assert outcome(none, "count >= 1") is Outcome.FAIL
    assert outcome(none, "count == 0") is Outcome.PASS
    for condition in ("cpu < 100%", "rss < 1 TiB", "oldest < 1 d", "every rss < 1 TiB", "open_files < 9999"):
        assert outcome(none, condition) is Outcome.ERROR  # nothing was seen
    with running(program, "1000"), running(program, "1000"):
        reading = await measured(KIND, name=name, window=SOON)
        other = await measured(KIND, name=name[:15], window=SOON)
    assert outcome(reading, "count == 2", "zombies == 0", "oldest < 10 min", "threads == 2") is Outcome.PASS
    assert outcome(reading, "count >= 3") is Outcome.FAIL
    assert outcome(reading, "every rss < 100 MiB", "every age < 10 min", "rss > 10 kB") is Outcome.PASS
    assert outcome(reading, "rss < 1 kB") is Outcome.FAIL
    assert value(other, "count") == 0  # the kernel keeps 15 characters; a name is compared as a whole
    assert all(str(row[0]).startswith(f"{name} (") for row in reading.rows)
    assert reading.command == f"pgrep --list-name --exact -- {name[:15]}"


async def test_the_load_of_a_process() -> None:
    """One that is busy takes its part of a processor, one that sleeps takes none."""
    with running(*BUSY) as busy, running("sleep", "1000") as idle:
        handle = psutil.Process(busy.pid)
        await eventually(lambda: handle.cpu_times().user > 0.02)
        reading = await measured(KIND, user=_own(), window="300 ms")
    shares = {int(re.findall(r"\((\d+)\)", str(row[0]))[0]): row[2] for row in reading.rows}
    assert _number(shares[busy.pid]) > 10  # of a host that others use as well
    assert _number(shares[idle.pid]) < 5


def _number(cell: object) -> Decimal:
    found = getattr(cell, "value", None)
    assert isinstance(found, Decimal)
    return found


def _own() -> str:
    return _processes.own_user()


async def test_busy_is_red_and_idle_is_green(tmp_path: Path) -> None:
    """The load of the processes of a pidfile is judged."""
    pidfile = tmp_path / "pid"
    with running(*BUSY) as busy, running("sleep", "1000") as idle:
        handle = psutil.Process(busy.pid)
        await eventually(lambda: handle.cpu_times().user > 0.02)
        for child, expected in ((busy, Outcome.FAIL), (idle, Outcome.PASS)):
            pidfile.write_text(f"{child.pid}\n")
            reading = await measured(KIND, pidfile=str(pidfile), window="300 ms")
            assert outcome(reading, "count == 1", "cpu < 5%") is expected
    assert reading.command.endswith(f'-p "$(cat {pidfile})"')


async def test_one_that_was_started_meanwhile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    """A process that did not run when one began to look is counted with all it used since."""
    program = under_the_name(name, sys.executable, tmp_path)
    real, looked = _processes._snapshot, threading.Event()

    def noted() -> _processes.Snapshot:
        seen = real()
        looked.set()
        return seen

    monkeypatch.setattr(_processes, "_snapshot", noted)
    task = asyncio.create_task(measured(KIND, pattern=f"/{name}/", window="600 ms"))
    await eventually(looked.is_set)
    with running(program, "-S", "-c", "while True: pass"):
        reading = await task
    assert outcome(reading, "count == 1") is Outcome.PASS
    assert value(reading, "cpu") > 0


async def test_zombies(tmp_path: Path, name: str) -> None:
    """A process that has ended and waits for its parent does not run, and is told."""
    with running(under_the_name(name, "true", tmp_path)) as child:
        await eventually(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
        reading = await measured(KIND, name=name[:15], window=SOON)
        named = await measured(KIND, name=name, window=SOON)
    zombies = value(reading, "zombies") + value(named, "zombies")
    assert zombies == 1
    assert value(reading, "count") == value(named, "count") == 0
    seen = reading if value(reading, "zombies") else named
    assert outcome(seen, "zombies == 0") is Outcome.FAIL
    assert outcome(seen, "count == 1") is Outcome.FAIL
    assert "zombies" in seen.evidence[0].text


SECRET = "hunter2-not-real"


async def test_command_lines_are_compared_and_not_recorded() -> None:
    """A process is found by its arguments, and none of them gets into the record."""
    marker = f"marker-{time.monotonic_ns()}"
    argv = (sys.executable, "-S", "-c", "import time; time.sleep(1000)", f"--password={SECRET}", marker)
    with running(*argv):
        by_pattern = await measured(KIND, pattern=f"/{marker}$/", window=SOON)
        user_too = await measured(KIND, pattern=f"/{marker}/", user=_own(), window=SOON)
        other_user = await measured(KIND, pattern=f"/{marker}/", user="daemon", window=SOON)
    for reading in (by_pattern, user_too):
        assert outcome(reading, "count == 1") is Outcome.PASS
    assert outcome(other_user, "count == 0") is Outcome.PASS
    assert SECRET not in repr(by_pattern)
    assert by_pattern.command == f"pgrep --list-name --full -- '{marker}$'"


async def test_an_account_that_there_is_not() -> None:
    """That nothing runs as an account which was mistyped, or renamed, is no green."""
    problem = await problem_of(KIND, user="nobody-of-this-name", window=SOON)
    assert (problem.reason, problem.cause) == ("not-found", "this host knows no user nobody-of-this-name")
    assert outcome(await measured(KIND, user="54322", window=SOON), "count == 0") is Outcome.PASS, "a bare number"
    by_number = await measured(KIND, user=str(os.geteuid()), window=SOON)
    assert outcome(by_number, "count >= 1") is Outcome.PASS, "and one that has a name"


async def test_a_whole_command_line() -> None:
    """The exact command line is found, one with another argument is not."""
    duration = str(time.monotonic_ns())
    with running("sleep", duration):
        same = await measured(KIND, command=f"sleep {duration}", window=SOON)
        other = await measured(KIND, command=f"sleep {duration}0", window=SOON)
    assert outcome(same, "count == 1") is Outcome.PASS
    assert outcome(other, "count == 1") is Outcome.FAIL


async def test_the_console_does_not_count_itself() -> None:
    """A pattern in its own command line does not make the console find itself."""
    own = psutil.Process().name()
    reading = await measured(KIND, name=own, window=SOON)
    assert not any(f"({os.getpid()})" in str(row[0]) for row in reading.rows)


# --- pidfiles ----------------------------------------------------------------------------------------


async def test_a_pidfile_whose_process_is_gone(tmp_path: Path) -> None:
    """A number that nobody has, or another program has by now, is no running process."""
    pidfile = tmp_path / "pid"
    with running("sleep", "1000") as child:
        pidfile.write_text(f" {child.pid} \nand more\n")
        right = await measured(KIND, pidfile=str(pidfile), name="sleep", window=SOON)
        wrong = await measured(KIND, pidfile=str(pidfile), name="nginx", window=SOON)
    gone = await measured(KIND, pidfile=str(pidfile), window=SOON)
    assert outcome(right, "count == 1") is Outcome.PASS
    for reading in (wrong, gone):
        assert outcome(reading, "count == 1") is Outcome.FAIL
        assert reading.evidence[0].text == "no such process runs"


@pytest.mark.parametrize("content", ["", "abc", "-1", "0", "99999999999", "1 2", "\x1b[31m1"])
async def test_a_pidfile_that_holds_no_number(tmp_path: Path, content: str) -> None:
    """What is in there is a number or a problem."""
    pidfile = tmp_path / "pid"
    pidfile.write_text(content)
    assert (await problem_of(KIND, pidfile=str(pidfile), window=SOON)).reason == "bad-answer"


async def test_pidfiles_that_are_no_files(tmp_path: Path) -> None:
    """A missing one, a FIFO and a directory are told, and none of them keeps anybody waiting."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for path, reason in ((tmp_path / "gone", "not-found"), (fifo, "bad-answer"), (tmp_path, "bad-answer")):
        assert (await problem_of(KIND, pidfile=str(path), window=SOON)).reason == reason
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(2**40)
    assert (await problem_of(KIND, pidfile=str(huge), window=SOON)).reason == "bad-answer"


# --- what may not be seen ----------------------------------------------------------------------------

AS_ANOTHER = """
import asyncio, ctypes, os, psutil, pwd
from opsconsole.checks.process import KIND
from support.hostprobes import measured, outcome
os.setgroups([])
os.setresgid(54321, 54321, 54321)
os.setresuid(*[int(os.environ["AS"])] * 3)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE: its own /proc is its own again
"""
"""What may not be importable for another user is imported before."""

HIDDEN = (
    AS_ANOTHER
    + """
async def main():
    for name in ("init-of-this-test", "nobody-has-this-name"):
        reading = await measured(KIND, name=name, window="100 ms")
        for condition in ("count >= 1", "count == 0", "count < 5"):
            print(outcome(reading, condition))
    own = await measured(KIND, user="54322", window="100 ms")
    print(outcome(own, "count == 0"), "hidepid" in reading.evidence[0].text)

asyncio.run(main())
"""
)


def test_processes_that_are_hidden(tmp_path: Path) -> None:
    """Where /proc hides the processes of others, that none was found is no proof that none runs."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        missing("NOT ROOT: only root can mount a /proc that hides processes.")
    script = f'mount -t proc -o hidepid=2 proc /proc && exec "{sys.executable}" -c "$0"'
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, HIDDEN],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONPATH": str(TESTS), "PATH": os.environ["PATH"], "AS": "54322"},
    )
    if "mount" in done.stderr and "denied" in done.stderr:
        missing(f"NO /proc CAN BE MOUNTED: {done.stderr.strip()}")
    assert done.stdout.split() == ["ERROR"] * 6 + ["PASS", "True"], done.stderr


@pytest.mark.parametrize(
    ("line", "groups", "hides"),
    [
        ("22 27 0:21 / /proc rw,relatime - proc proc rw", [], False),
        ("22 27 0:21 / /proc rw,relatime - proc proc rw,hidepid=invisible", [], True),
        ("22 27 0:21 / /proc rw,relatime - proc proc rw,gid=27,hidepid=2", [27], False),
        ("22 27 0:21 / /proc rw,relatime - proc proc rw,gid=27,hidepid=2", [28], True),
        ("22 27 0:21 / /srv/proc rw - proc proc rw,hidepid=2", [], False),
        ("nonsense", [], False),
    ],
)
def test_whom_proc_hides(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str, groups: list[int], hides: bool
) -> None:
    """Who is let in by a group sees everything."""
    (tmp_path / "mountinfo").write_text(line + "\n")
    monkeypatch.setattr(_processes, "MOUNTINFO", tmp_path / "mountinfo")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "getgroups", lambda: groups)
    assert _processes.hidden() is hides


FILES = (
    AS_ANOTHER
    + """
async def main():
    reading = await measured(KIND, pidfile=os.environ["PIDFILE"], window="100 ms")
    print(outcome(reading, "count == 1"), outcome(reading, "open_files < 1000"))
    print("open_files not permitted" in reading.evidence[0].text)

asyncio.run(main())
"""
)


def test_open_files_that_may_not_be_seen() -> None:
    """The open files of another user's process are unknown to an ordinary user, not zero."""
    if os.geteuid() != 0:
        missing("NOT ROOT: only root has a process of another user here.")
    with running("sleep", "1000") as child, tempfile.NamedTemporaryFile("w", suffix=".pid") as file:
        file.write(str(child.pid))
        file.flush()
        Path(file.name).chmod(0o644)
        done = subprocess.run(
            [sys.executable, "-c", FILES],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PYTHONPATH": str(TESTS), "PATH": os.environ["PATH"], "AS": "54321", "PIDFILE": file.name},
        )
    assert done.stdout.split() == ["PASS", "ERROR", "True"], done.stderr


async def test_open_files_of_ones_own() -> None:
    """Those of a process that may be looked at are counted."""
    with running("sleep", "1000") as child:
        assert isinstance(child.args, tuple)
        reading = await measured(KIND, command=" ".join(child.args), user=_own(), window=SOON)
    assert outcome(reading, "open_files >= 3") is Outcome.PASS


async def test_a_kernel_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at the processes that hangs, as behind a dead disk, ends in time with its cause."""
    stuck = threading.Event()
    monkeypatch.setattr(_processes, "_snapshot", stuck.wait)
    try:
        problem = await problem_of(KIND, 0.5, name="x", window=SOON)
    finally:
        stuck.set()
    assert problem.reason == "timeout"


async def test_a_window_that_does_not_fit() -> None:
    """A window beyond the item's timeout is a mistake that is told."""
    assert (await problem_of(KIND, 1, name="x", window="5 s")).reason == "bad-options"


def test_options() -> None:
    """Mistakes are found when the checklist is loaded."""
    assert problems(KIND, name="nginx") == []
    assert problems(KIND) == ["name"]
    assert problems(KIND, name="/usr/sbin/nginx") == ["name"]
    assert problems(KIND, command="a", pattern="/a/") == ["pattern"]
    assert problems(KIND, pattern="a") == ["pattern"]
    assert problems(KIND, pattern="/(/") == ["pattern"]
    assert problems(KIND, command=f"x --password={SECRET}") == ["command"]
    assert problems(KIND, pidfile="run/x.pid") == ["pidfile"]
    assert problems(KIND, name="x", window="1 ms") == ["window"]
    assert problems(KIND, name="x", window="1 h") == ["window"]
