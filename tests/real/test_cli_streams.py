"""The command line with streams and signals as scripts, pipes and dying terminals leave them."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from opsconsole.cli.looping import finished
from support.command import MANUAL, Installation, installed

SLOW = """
title = "Slow"
due = { timezone = "UTC" }

[[section]]
title = "All"

[[section.item]]
id = "slow"
title = "Slow"
probe = "command"
argv = ["sleep", "0.7"]
require = ["exit_code == 0"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Installation:
    """An installation with a morning that only waits for a tick."""
    return installed(tmp_path, morning=MANUAL.replace("Morning", "Matin d'été"), slow=SLOW)


def shell(place: Installation, ending: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a shell that redirects it."""
    line = f'"$@" {ending}'
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, "bash", *place.arguments(*words)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=place.environment(**environment),
    )


@pytest.mark.parametrize(
    ("ending", "code", "said"),
    [
        (">&-", 0, ""),
        ("2>&- >/dev/null", 0, ""),
        ("<&- >&- 2>&-", 0, ""),
        (">/dev/full", 4, "No space left on device"),
        ("2>/dev/full", 0, ""),
        ("| sleep 0", 141, ""),
    ],
)
@pytest.mark.parametrize("words", [("run", "morning", "--headless"), ("list",)])
def test_streams(place: Installation, words: tuple[str, ...], ending: str, code: int, said: str) -> None:
    """Closed, full or broken: no traceback, and only what could not be printed makes the code another."""
    done = shell(place, ending, *words)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr


def test_any_locale(place: Installation) -> None:
    """What the encoding lacks is spelled out."""
    done = shell(place, "", "run", "morning", "--headless", LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.returncode == 0
    assert r"Matin d'\xe9t\xe9" in done.stdout


def test_a_day_that_has_not_come(place: Installation) -> None:
    """Tomorrow cannot be measured; a day that was begun can still, and it is said that the readings are of now."""
    refused = place.run("run", "morning", "--headless", "--date", "2999-01-01")
    assert (refused.code, "has not come yet" in refused.err) == (2, True)
    place.then("morning", "2020-02-29", measured=False)
    done = place.run("run", "morning", "--headless", "--quiet", "--date", "2020-02-29")
    assert (done.code, "is how things are now" in done.err) == (0, True)


def test_nohup_is_respected(place: Installation) -> None:
    """Who logs out after `nohup opsconsole run …` finds the run measured."""
    job = subprocess.Popen(
        ["nohup", *place.arguments("run", "slow", "--headless", "--quiet")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=place.environment(),
    )
    while _ignored(job.pid) & 1 << (signal.SIGHUP - 1) == 0:
        os.sched_yield()
    job.send_signal(signal.SIGHUP)
    job.communicate(timeout=30)
    assert job.returncode == 0


def _ignored(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))


DEAF = """
import asyncio, contextlib
from opsconsole.cli.looping import finished

async def deaf():
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

async def main():
    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    return f"done, {task.done()}"

import opsconsole.cli.looping as looping
looping._UNWIND = 0.1
print(finished(main()))
"""


def test_a_deaf_probe_does_not_keep_the_process(python: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    """What swallows its cancellation is left behind at the end, without a word."""
    done = python(DEAF)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done, False\n", "")


@pytest.fixture
def python() -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a program in a process of its own."""

    def run(text: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", text]
        return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)

    return run


def test_finished_returns_the_result() -> None:
    """It is `asyncio.run` in everything else."""

    async def work() -> int:
        return 7

    assert finished(work()) == 7
