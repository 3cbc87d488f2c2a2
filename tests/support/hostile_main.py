"""Measures checklists against hostile sources, each in a process of its own, and tells what that took.

    python -m support.hostile_main        (support.measured starts it)

Reads a `Task` a line and writes a `Told` a line. Each is measured by a fork of this process, in which everything is
loaded already, through the engine and a store as in `opsconsole run`: what it comes to is what a record would say.
"""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from opsconsole.checks import _process, _systemd
from opsconsole.config.checklists import load_checklist
from opsconsole.config.configfile import read_settings
from opsconsole.contracts.probe import Environment
from opsconsole.engine.engine import Engine
from opsconsole.engine.identity import current_actor
from opsconsole.model.events import Via
from opsconsole.model.outcomes import Outcome
from opsconsole.store.sqlite import SqliteStore
from opsconsole.wiring.configuration import SOURCE_KINDS
from opsconsole.wiring.kinds import probe_kinds
from support.hostile_tasks import Found, Task, Told

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of linux/prctl.h: whatever descends from a process becomes its child when orphaned."""
_GRACE = 2.0
"""Seconds for processes that were killed to end, and threads to close what they opened."""
_LOADED = (
    *("aiohttp", "asyncmy", "asyncmy.cursors", "dns.message", "httpx", "httpx_aiohttp", "jsonpath", "psutil"),
    *("psycopg", "cryptography.x509", "opsconsole.checks._mysqlproblems", "opsconsole.checks._mysqlwire"),
    *("psycopg_binary", "opsconsole.checks._tls", "opsconsole.checks._mysqlvalues"),
)
"""What probes load when they are first used: loaded before, so that only what a source does is counted."""


def main() -> None:
    """Do what the module says, until there are no more lines."""
    kinds = probe_kinds()
    for name in kinds:
        kinds[name]
    for name in _LOADED:
        importlib.import_module(name)
    gc.freeze()
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        task = msgspec.json.decode(line, type=Task)
        answers.write(_in_a_fork(task) + "\n")
        answers.flush()


def _in_a_fork(task: Task) -> str:
    """Return the answer of a child that measures; one that hangs or dies is told, too."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.setpgid(0, 0)
        try:
            told = msgspec.json.encode(_measured(task))
        except BaseException:  # noqa: BLE001 - the test shows it
            told = msgspec.json.encode(Told(traceback=traceback.format_exc()))
        os.write(writing, told)
        os._exit(0)
    os.close(writing)
    timer = signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(round(task.at_most))
    with open(reading, "rb") as pipe:  # noqa: PTH123 - a descriptor has no path
        told = pipe.read()
    signal.alarm(0)
    signal.signal(signal.SIGALRM, timer)
    _, status = os.waitpid(child, 0)
    return (told or msgspec.json.encode(Told(traceback=f"the measuring process ended with {status}"))).decode()


def _measured(task: Task) -> Told:
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
    os.environ.update(task.environment)
    if task.programs:
        os.environ["PATH"] = task.programs
        _process._STANDARD_PATH = ()  # type: ignore[assignment]
        _systemd.BOOTED = Path(task.programs)
    with tempfile.TemporaryDirectory(dir=task.directory) as state:
        checklist = load_checklist(Path(task.checklist), probe_kinds(), check_trust=False)
        settings, _, report = read_settings(Path(task.config), SOURCE_KINDS, check_trust=False)
        if checklist.checklist is None or settings is None:
            return Told(traceback="\n".join(map(str, (*checklist.problems, *report.diagnostics()))))
        open_before = _descriptors()
        before, of_files = _memory("VmRSS"), _memory("RssFile")
        found, seconds = asyncio.run(_run(checklist.checklist, Environment(sources=settings.sources), Path(state)))
        # pages of libraries that were read anew from files are none of what a source costs
        grown = _memory("VmHWM") - before - max(0, _memory("RssFile") - of_files)
        children = max(0, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before)
    left = _left()
    return Told(
        found=found,
        seconds=seconds,
        grown_kib=grown,
        of_children_kib=children,
        descriptors_left=_descriptors_left(open_before),
        processes_left=left,
    )


async def _run(checklist: Any, environment: Environment, state: Path) -> tuple[list[Found], float]:
    with closing(SqliteStore(state / "hostile.db")) as store:
        engine = Engine(store, probe_kinds(), environment, current_actor(Via.COMMAND), state)
        session = await engine.open(checklist)
        began = time.monotonic()
        try:
            await engine.measure(session)
            seconds = time.monotonic() - began
            found = [
                _found(name, attempt.body)
                for name, state_ in session.state.items.items()
                for attempt in state_.latest.values()
            ]
        finally:
            await session.aclose()
    return found, seconds


def _found(item: str, body: Any) -> Found:
    problem = body.problem
    return Found(
        item=item,
        outcome=str(body.judgement.outcome),
        green=body.judgement.outcome in {Outcome.PASS, Outcome.WARN},
        reason=problem.reason if problem else "",
        cause=problem.cause if problem else body.judgement.summary,
        seconds=float(body.elapsed.value),
    )


def _memory(name: str) -> int:
    """Return a line of /proc/self/status in KiB."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123 - cheaper than a Path while measuring
        return next(int(line.split()[1]) for line in status if line.startswith(f"{name}:"))


def _left() -> int:
    """Return how many descendants still run; those that were killed are given a moment to end."""
    deadline = time.monotonic() + _GRACE
    while True:
        try:
            child, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return 0
        if child == 0 and time.monotonic() > deadline:
            return len(_children())
        time.sleep(0.005)


def _children() -> list[int]:
    """Return the numbers of the children, and kill them."""
    found = [
        int(each) for each in Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    ]
    for each in found:
        os.kill(each, signal.SIGKILL)
    return found


def _descriptors() -> int:
    """Return how many files are open, but for the one in which the process sees its own memory, which it keeps."""
    found = 0
    for each in os.listdir("/proc/self/fd"):  # noqa: PTH208 - only the names
        with contextlib.suppress(OSError):
            found += not os.readlink(f"/proc/self/fd/{each}").endswith("/statm")  # noqa: PTH115 - a text stays one
    return found


def _descriptors_left(before: int) -> int:
    deadline = time.monotonic() + _GRACE
    while (left := _descriptors() - before) > 0 and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.005)
    return max(0, left)


if __name__ == "__main__":
    main()
