"""One pass of the engine over a checklist, in a process of its own: how long, how much processor, how much memory.

    python benchmarks/passes.py CHECKLIST CONCURRENCY DIRECTORY CONNECTIONS [where]

The process starts, imports and reads the checklist off the clock; what is measured is the pass alone, with every
event durably in a record of its own. It prints a JSON object, with `where` also what the event loop's thread did.
CONNECTIONS says in JSON of some HTTP sources, by name, their URL and how many may ask it at once.
"""

import asyncio
import contextlib
import cProfile
import json
import os
import pstats
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
_PACKAGE = re.compile(
    r"site-packages/([a-zA-Z0-9]+)|/(opsconsole/[a-z]+)[/.]|/lib/python[0-9.]+/(?!site-packages)([a-z0-9_]+)"
)


@dataclass(frozen=True, slots=True)
class Passed:
    """What a pass took."""

    wall: float
    """Seconds."""
    cpu: float
    """Seconds of processor, of all threads and of the children that were waited for."""
    loop: float
    """Seconds of processor of the event loop's thread; the rest is mostly the thread that writes the record."""
    before: int
    """Bytes that were resident when it began."""
    most: int
    """The most bytes that were."""
    outcomes: Mapping[str, int]
    where: Mapping[str, float]
    """Shares of the event loop's thread by package; empty where it was not asked for."""


def passed(
    checklist: Path,
    concurrency: int,
    directory: Path,
    *,
    where: bool = False,
    connections: Mapping[str, int] | None = None,
) -> Passed:
    """Measure one pass; `directory` gets its record, and must be empty. `connections` are by URL of a server."""
    sources = {f"web-{at}": each for at, each in enumerate((connections or {}).items())}
    words = [str(checklist), str(concurrency), str(directory), json.dumps(sources), *(["where"] if where else [])]
    done = subprocess.run([sys.executable, str(HERE), *words], stdout=subprocess.PIPE, check=True)
    return Passed(**json.loads(done.stdout))


@contextlib.contextmanager
def answering(milliseconds: float, servers: int) -> Iterator[int]:
    """Run servers that answer after a moment, on 127.0.0.1 and the addresses after it, and yield their port."""
    argv = [sys.executable, str(HERE.with_name("answering.py")), str(milliseconds), str(servers)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def written(path: Path, items: list[str]) -> Path:
    """Write a checklist with these items, each the lines of a table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = 'title = "Many"\ncadence = "daily"\n\n[[section]]\ntitle = "All"\n'
    path.write_text(text + "".join(f"\n[[section.item]]\n{item}" for item in items), encoding="utf-8")
    path.chmod(0o600)
    return path


# --- the process that measures -----------------------------------------------------------------------


async def _measured(
    path: Path, concurrency: int, directory: Path, servers: Mapping[str, Any], *, where: bool
) -> dict[str, Any]:
    from opsconsole.config.checklists import load_checklist
    from opsconsole.contracts.probe import Environment, Source
    from opsconsole.engine.engine import Engine, opened
    from opsconsole.engine.identity import current_actor
    from opsconsole.engine.measuring import MeasuringOptions
    from opsconsole.model.events import Via
    from opsconsole.store.sqlite import SqliteStore
    from opsconsole.wiring.kinds import probe_kinds

    loaded = load_checklist(path, probe_kinds())
    if loaded.checklist is None:
        raise SystemExit("\n".join(map(str, loaded.problems[:5])))
    with SqliteStore(directory / "opsconsole.db") as store:
        options = MeasuringOptions(concurrency=concurrency)
        sources = {name: Source(kind="http", url=url, connections=most) for name, (url, most) in servers.items()}
        environment = Environment(sources=sources)
        engine = Engine(store, probe_kinds(), environment, current_actor(Via.COMMAND), directory, options=options)
        async with opened(engine, loaded.checklist) as session:
            profile = cProfile.Profile() if where else None
            before, wall, cpu, loop = _memory("VmRSS"), time.perf_counter(), _processor(), time.thread_time()
            with profile or contextlib.nullcontext():
                await engine.measure(session)
            wall, cpu, loop = time.perf_counter() - wall, _processor() - cpu, time.thread_time() - loop
            outcomes = Counter(str(each.outcome) for each in session.state.items.values())
            problems = [each.body.problem for item in session.state.items.values() for each in item.latest.values()]
            for problem in [each for each in problems if each is not None][:3]:
                print(problem.cause, file=sys.stderr)
    return {
        "wall": wall,
        "cpu": cpu,
        "loop": loop,
        "before": before,
        "most": _memory("VmHWM"),
        "outcomes": outcomes,
        "where": _shares(profile) if profile is not None else {},
    }


def _processor() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _memory(name: str) -> int:
    """Return a figure of proc_pid_status(5), in bytes."""
    line = next(each for each in Path("/proc/self/status").read_text().splitlines() if each.startswith(name))
    return int(line.split()[1]) * 1024


def _shares(profile: cProfile.Profile) -> dict[str, float]:
    """Return the share of each package; what has no file, such as `re.sub`, counts for those that call it."""
    spent: Counter[str] = Counter()
    stats: Mapping[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (file, _, name), (_, _, own, _, callers) in stats.items():
        if "epoll" in name:
            continue  # waiting
        if file != "~":
            spent[_package(file)] += own
            continue
        for (caller, _, _), figures in callers.items():
            spent[_package(caller)] += figures[2]
    total = sum(spent.values())
    return {package: seconds / total for package, seconds in spent.most_common()}


def _package(file: str) -> str:
    found = _PACKAGE.search(file)
    return "other" if found is None else next(each for each in found.groups() if each)


if __name__ == "__main__":
    _list, _concurrency, _directory, _servers, *_more = sys.argv[1:]
    _work = _measured(Path(_list), int(_concurrency), Path(_directory), json.loads(_servers), where=bool(_more))
    print(json.dumps(asyncio.run(_work)))
