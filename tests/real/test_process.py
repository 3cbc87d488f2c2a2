"""How programs are run for the probes: real programs, really killed."""

import asyncio
import contextlib
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from opsconsole.checks import _process
from opsconsole.checks._process import CannotStartError, TimedOutError, clean_environment, run

LONG = 30.0
"""A timeout that no test here is meant to reach."""


def _sh(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def _python(script: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", script]


def _alive(pid: int) -> bool:
    """Tell whether a process runs; one that is dead but not yet collected by its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


async def _until(condition: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        await asyncio.sleep(0.005)


def _children() -> set[int]:
    tasks = Path("/proc/self/task").iterdir()
    return {int(pid) for task in tasks for pid in (task / "children").read_text(encoding="ascii").split()}


async def test_the_answer_is_exit_status_and_both_streams() -> None:
    """A program's exit status and what it said arrive as they are, apart from each other."""
    finished = await run(_sh("echo out; echo err >&2; exit 3"), timeout=LONG)
    assert (finished.returncode, finished.stdout, finished.stderr) == (3, b"out\n", b"err\n")
    assert not finished.truncated
    assert 0 < finished.elapsed < LONG


async def test_a_signal_shows_as_its_negative_number() -> None:
    """A program that was killed is not taken for one that exited."""
    assert (await run(_sh("kill -TERM $$"), timeout=LONG)).returncode == -15


async def test_nothing_is_interpreted_by_a_shell(tmp_path: Path) -> None:
    """A value with shell characters in it reaches the program as it is and runs nothing."""
    trap = tmp_path / "made"
    argument = f"$(touch {trap}); `touch {trap}` | > {trap}"
    finished = await run(["/bin/echo", argument], timeout=LONG)
    assert finished.stdout == argument.encode() + b"\n"
    assert not trap.exists()


async def test_the_environment_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password in the console's environment does not reach the programs it runs, nor does its language."""
    monkeypatch.setenv("PGPASSWORD", "not-a-real-password")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TZ", "America/Chicago")
    finished = await run(["env"], timeout=LONG, env={"EXTRA": "1"})
    seen = dict(line.split("=", 1) for line in finished.stdout.decode().splitlines())
    assert "PGPASSWORD" not in seen
    assert (seen["LC_ALL"], seen["TZ"], seen["EXTRA"]) == ("C.UTF-8", "UTC", "1")


def test_crons_search_path_still_finds_administration_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under cron programs of /usr/sbin are found too, and relative directories are not searched."""
    monkeypatch.setenv("PATH", "/usr/bin:.:/bin")
    directories = clean_environment()["PATH"].split(":")
    assert directories[:2] == ["/usr/bin", "/bin"]
    assert "/usr/sbin" in directories
    assert "." not in directories


TERMINAL = """
import os, sys
print(repr(sys.stdin.read()), os.getsid(0) == os.getpid())
try:
    open("/dev/tty")
except OSError:
    print("no tty")
"""


async def test_there_is_no_input_and_no_terminal() -> None:
    """A program that asks for something gets end of file at once, and no terminal to ask on."""
    finished = await run(_python(TERMINAL), timeout=LONG)
    assert finished.stdout.decode().splitlines() == ["'' True", "no tty"]


FLOOD = """
import sys
block = b"x" * 1048576
for _ in range(100):
    sys.{stream}.buffer.write(block)
sys.exit(5)
"""


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_a_hundred_megabytes_do_not_fill_the_memory(stream: str) -> None:
    """A program that floods either stream is read to its end, and only the allowed beginning is kept."""
    flood = FLOOD.format(stream=stream)
    finished = await run(_python(flood), timeout=LONG, limit_bytes=4096)
    assert finished.returncode == 5
    assert finished.truncated
    assert getattr(finished, stream) == b"x" * 4096


@pytest.mark.parametrize(("size", "truncated"), [(10, False), (11, True), (0, False)])
async def test_only_what_was_cut_is_called_truncated(size: int, truncated: bool) -> None:
    """An answer of exactly the allowed size is whole, one byte more is not."""
    finished = await run(_python(f"print('x' * {size}, end='')"), timeout=LONG, limit_bytes=10)
    assert (finished.truncated, len(finished.stdout)) == (truncated, min(size, 10))


FAMILY = """
import os, sys, time
if os.fork() == 0:
    if {session}: os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
    time.sleep(600)
print(os.getpid(), flush=True)
time.sleep({leader})
"""


@pytest.mark.parametrize("session", [False, True], ids=["same-session", "own-session"])
async def test_a_timeout_kills_grandchildren_and_keeps_what_was_said(session: bool) -> None:
    """After a timeout nothing of the program runs, not even a daemon it made, and its words are kept."""
    before = _children()
    with pytest.raises(TimedOutError, match=r"had not ended after 1\.5 s") as caught:
        await run(_python(FAMILY.format(session=session, leader=600)), timeout=1.5)
    pids = [int(line) for line in caught.value.stdout.split()]
    assert len(pids) == 2
    await _until(lambda: not any(map(_alive, pids)), "the end of the whole family")
    assert _children() <= before, "a zombie was left"


DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 3) if {closing} else None
        os.chdir("/")
        os.execve("/bin/sh", ["sh", "-c", "echo $$ > {told}.new; mv {told}.new {told}; exec sleep 600"], {{}})
    os._exit(0)
os.wait()
time.sleep({leader})
"""
"""Makes what daemons make of themselves: a session of its own, no parent, an empty environment, maybe no output."""


async def test_a_timeout_ends_a_daemon_that_hides(tmp_path: Path) -> None:
    """What was started in the background ends with the timeout, however far it went from who started it."""
    told = tmp_path / "pid"
    task = asyncio.create_task(run(_python(DAEMON.format(told=told, closing=True, leader=600)), timeout=1.5))
    await _until(told.exists, "the daemon")
    pid = int(told.read_text(encoding="ascii"))
    assert _alive(pid)
    with pytest.raises(TimedOutError):
        await task
    await _until(lambda: not _alive(pid), "its end")


async def test_a_daemon_that_holds_the_output_ends_too(tmp_path: Path) -> None:
    """A program that ends while a daemon of its own keeps the pipe open is answered, and the daemon ended."""
    told = tmp_path / "pid"
    finished = await run(_python(DAEMON.format(told=told, closing=False, leader=0.1)), timeout=LONG)
    assert finished.elapsed < LONG / 3
    await _until(told.exists, "the daemon")
    pid = int(told.read_text(encoding="ascii"))
    await _until(lambda: not _alive(pid), "its end")


async def test_what_hides_before_it_is_marked_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that a program has already when it is marked are marked with it, and found without their parents."""
    marked = _process._mark
    told = tmp_path / "pid"
    late: list[int] = []

    def slowly(pid: int, token: str) -> None:
        deadline = time.monotonic() + 10
        while not told.exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        late.append(pid)
        marked(pid, token)

    monkeypatch.setattr(_process, "_mark", slowly)
    script = f"env -i setsid sh -c 'echo $$ > {told}.new; mv {told}.new {told}; exec sleep 600' & wait"
    with pytest.raises(TimedOutError):
        await run(_sh(script), timeout=0.5)
    assert late
    pid = int(told.read_text(encoding="ascii"))
    await _until(lambda: not _alive(pid), "its end")


async def test_marking_changes_nothing_that_a_program_needs() -> None:
    """A program has the limits that the console has, but for one that Linux does not keep."""
    shown = "for name in c d f l n s t v p; do ulimit -S -$name; ulimit -H -$name; done; ulimit -H -m"
    plain = await asyncio.to_thread(subprocess.run, _sh(shown), capture_output=True, check=True)
    before = resource.getrlimit(resource.RLIMIT_RSS)
    assert (await run(_sh(shown), timeout=LONG)).stdout == plain.stdout
    assert resource.getrlimit(resource.RLIMIT_RSS) == before


async def test_cancelling_kills_grandchildren(tmp_path: Path) -> None:
    """Leaving the console while a check runs leaves nothing of that check running."""
    told = tmp_path / "pids"
    before = _children()
    argv = _sh(f"sleep 600 & echo $! > {told}.new; echo $$ >> {told}.new; mv {told}.new {told}; wait")
    task = asyncio.create_task(run(argv, timeout=None))
    await _until(told.exists, "the child")
    pids = [int(line) for line in told.read_text(encoding="ascii").split()]
    assert all(map(_alive, pids))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until(lambda: not any(map(_alive, pids)), "the end of both")
    assert _children() <= before, "a zombie was left"


async def test_cancelling_twice_still_kills(tmp_path: Path) -> None:
    """An impatient second Ctrl-C while the first is being served does not leave the program running."""
    told = tmp_path / "pid"
    argv = _sh(f"echo $$ > {told}.new; mv {told}.new {told}; exec sleep 600")
    task = asyncio.create_task(run(argv, timeout=None))
    await _until(told.exists, "the child")
    pid = int(told.read_text(encoding="ascii"))
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until(lambda: not Path(f"/proc/{pid}").exists(), "the collected end")


@pytest.mark.parametrize("session", [False, True], ids=["same-session", "own-session"])
async def test_a_leftover_that_holds_the_output_does_not_delay_the_answer(session: bool) -> None:
    """A program that ends while a child of its own keeps the pipe open is answered, and the child ended."""
    finished = await run(_python(FAMILY.format(session=session, leader=0.1)), timeout=LONG)
    assert finished.elapsed < LONG / 3
    pids = [int(line) for line in finished.stdout.split()]
    assert len(pids) == 2
    await _until(lambda: not any(map(_alive, pids)), "the end of the leftovers")


async def test_a_stubborn_program_dies_too() -> None:
    """A program that ignores polite signals ends at its timeout all the same."""
    with pytest.raises(TimedOutError) as caught:
        await run(_sh("trap '' TERM INT HUP; echo $$; while :; do sleep 1; done"), timeout=1.0)
    await _until(lambda: not _alive(int(caught.value.stdout)), "the end")


async def test_a_missing_program_is_said_plainly(tmp_path: Path) -> None:
    """A program that is not installed is named as missing, in the search path and by path."""
    for name in ("no-such-program-anywhere", str(tmp_path / "nothing")):
        with pytest.raises(CannotStartError, match="there is no program") as caught:
            await run([name], timeout=LONG)
        assert caught.value.cause == "not-found"


async def test_a_closed_directory_of_the_search_path_is_not_blamed_on_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another user's directory on the search path a missing program is still called missing."""
    closed = tmp_path / "file-in-place-of-a-directory"
    closed.write_text("", encoding="ascii")
    monkeypatch.setenv("PATH", f"{closed}:{tmp_path / 'closed'}")
    (tmp_path / "closed").mkdir(mode=0)
    with pytest.raises(CannotStartError, match="there is no program no-such-program-anywhere") as caught:
        await run(["no-such-program-anywhere"], timeout=LONG)
    assert caught.value.cause == "not-found"


async def test_a_file_that_may_not_be_executed_is_said_plainly(tmp_path: Path) -> None:
    """A script without its x bit is not called missing, and a directory is not called a program."""
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n", encoding="ascii")
    script.chmod(0o644)
    for path in (script, tmp_path):
        with pytest.raises(CannotStartError, match="may not be executed") as caught:
            await run([str(path)], timeout=LONG)
        assert caught.value.cause == "not-executable"


async def test_other_reasons_not_to_start_are_told_apart(tmp_path: Path) -> None:
    """A missing interpreter, a file that is no program, a missing directory and a NUL: each is named."""
    orphan, junk = tmp_path / "orphan", tmp_path / "junk"
    orphan.write_text("#!/no/such/interpreter\n", encoding="ascii")
    junk.write_bytes(b"\x00\x01\x02\x03 no program")
    for path in (orphan, junk):
        path.chmod(0o755)
    for argv, cwd, words in (
        ([str(orphan)], "/", "interpreter named in the first line"),
        ([str(junk)], "/", "could not be started: Exec format error"),
        (["/bin/true"], str(tmp_path / "gone"), "cannot be entered"),
        (["/bin/echo", "a\0b"], "/", "null byte"),
    ):
        with pytest.raises(CannotStartError, match=words) as caught:
            await run(argv, timeout=LONG, cwd=cwd)
        assert caught.value.cause == "failed"


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_no_descriptor_is_left_open() -> None:
    """A console that checks for days does not run out of files."""
    open_before = _open_files()
    for _ in range(5):
        await run(["/bin/true"], timeout=LONG)
        with contextlib.suppress(TimedOutError):
            await run(["/bin/sleep", "600"], timeout=0.01)
        with contextlib.suppress(CannotStartError):
            await run(["/no/such"], timeout=LONG)
    assert _open_files() <= open_before


async def test_many_at_once_do_not_wait_for_each_other() -> None:
    """Forty slow programs take about as long as one."""
    started = time.monotonic()
    await asyncio.gather(*(run(["/bin/sleep", "0.5"], timeout=LONG) for _ in range(40)))
    assert time.monotonic() - started < 10  # one after another would be 20


async def test_a_program_stuck_in_the_kernel_does_not_hold_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that cannot even be killed is given up after a bounded time and reaped when it ends."""
    # an unkillable process cannot be made without breaking the machine: here the killing is taken away
    monkeypatch.setattr(_process, "_kill_tree", lambda *_: None)
    monkeypatch.setattr(_process, "_KILL_SECONDS", 0.05)
    before = _children()
    started = time.monotonic()
    with pytest.raises(TimedOutError):
        await run(["/bin/sleep", "3"], timeout=0.05)
    assert time.monotonic() - started < 2.5
    await _until(lambda: _children() <= before, "the reaped end")
