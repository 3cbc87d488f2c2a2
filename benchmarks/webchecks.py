"""A thousand HTTP checks of servers that answer after 50 ms, against forked `check_http`, 64 at once."""

import asyncio
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.comparing import COMPARED, CommandFailedError, Contestant, Sample, compared, in_turns, timed
from benchmarks.passes import Passed, answering, passed, written
from benchmarks.tables import Table
from benchmarks.workshop import Installation, Workshop
from opsconsole.checks._httpclient import opened_client
from opsconsole.checks._servers import CONNECTIONS

COUNT = 1000
AFTER = 50
"""Milliseconds until a server answers."""
AT_ONCE = 64
SERVERS = 50
SHIPPED = 16
"""The concurrency where nothing is configured."""
LIMIT = 0.25
HEAD = (f"{COUNT:,} HTTP checks", "against", *COMPARED)
CHECK_HTTP = Path("/usr/lib/nagios/plugins/check_http")
"""Where Debian's monitoring-plugins-basic has it."""
_MOST_ROUNDS = 7


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    if not CHECK_HTTP.exists():
        raise CommandFailedError(f"there is no {CHECK_HTTP}: install monitoring-plugins-basic")
    rounds = min(rounds, _MOST_ROUNDS)
    with answering(AFTER, SERVERS) as port:
        one, many = (written(workshop.directory / "web" / f"{n}.toml", _items(port, n)) for n in (1, SERVERS))
        fresh = partial(_fresh, workshop)
        installation = workshop.installation("web-whole", {"many": many.read_text(encoding="utf-8")})
        ours: dict[str, Callable[[], Sample]] = {
            f"of one server, {CONNECTIONS} at once": lambda: _sample(passed(one, SHIPPED, fresh())),
            f"of one server, {AT_ONCE} at once": lambda: _sample(
                passed(one, SHIPPED, fresh(), connections={f"http://127.0.0.1:{port}": AT_ONCE})
            ),
            f"of {SERVERS} servers, {SHIPPED} at once": lambda: _sample(passed(many, SHIPPED, fresh())),
            f"of {SERVERS} servers, {AT_ONCE} at once": lambda: _sample(passed(many, AT_ONCE, fresh())),
            "the same, a whole `run --headless`": lambda: timed(_whole(installation)),
            f"the client alone, {AT_ONCE} at once": lambda: asyncio.run(_client_alone(port)),
        }
        peer: Callable[[], Sample] = partial(timed, _peer(workshop, port))
        *mine, theirs = in_turns([*ours.values(), peer], rounds)
        looked = passed(many, AT_ONCE, fresh(), where=True)
        plain = passed(many, AT_ONCE, fresh())
    judged = list(ours)[1:-1]  # neither the one that spares its server on purpose, nor the client by itself
    rows = [
        (what, f"check_http, {AT_ONCE} at once", *compared(samples, theirs, LIMIT if what in judged else None))
        for what, samples in zip(ours, mine, strict=True)
    ]
    return Table("webchecks", HEAD, rows, f"{rounds} rounds in turns after 1 to warm up. {_spent(plain, looked)}")


def _spent(plain: Passed, looked: Passed) -> str:
    other = plain.cpu - plain.loop
    shares = ", ".join(f"{package} {share:.0%}" for package, share in list(looked.where.items())[:8])
    return (
        f"A check of {SERVERS} servers takes {plain.cpu / COUNT * 1e3:.2f} ms of CPU, of which the event loop's "
        f"thread {plain.loop / COUNT * 1e3:.2f} and the one that writes the record {other / COUNT * 1e3:.2f}, and "
        f"{(plain.most - plain.before) / COUNT / 1024:.0f} KiB of memory. The loop's thread, by package: {shares}."
    )


def _items(port: int, servers: int) -> list[str]:
    return [
        f'id = "web-{number}"\ntitle = "Service {number} answers"\nprobe = "http"\n'
        f'url = "http://127.0.0.{number % servers + 1}:{port}"\npath = "/health/{number}"\n'
        'require = ["status == 200"]\n'
        for number in range(COUNT)
    ]


def _fresh(workshop: Workshop) -> Path:
    place = workshop.directory / "web" / "record"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(mode=0o700)
    return place


def _sample(found: Passed) -> Sample:
    if found.outcomes != {"PASS": COUNT}:
        raise CommandFailedError(f"not all passed: {found.outcomes}")
    return Sample(found.wall, found.cpu)


def _whole(installation: Installation) -> Contestant:
    environment = {**installation.environment, "OPSCONSOLE_RUN_CONCURRENCY": str(AT_ONCE)}
    return Contestant(
        "opsconsole", lambda: installation.headless(installation.fresh_state(), "many", "--quiet"), environment
    )


def _peer(workshop: Workshop, port: int) -> Contestant:
    script = f'seq 0 {COUNT - 1} | xargs -P {AT_ONCE} -I@ "$0" -H 127.0.0.1 -p {port} -u /health/@'
    return Contestant("check_http", lambda: ["/bin/sh", "-c", script, str(CHECK_HTTP)], workshop.environment)


async def _client_alone(port: int) -> Sample:
    """Ask the same with the client of the probe and nothing else: no options, judging or record."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(number: int) -> None:
        async with turns:
            answer = await client.get(f"http://127.0.0.{number % SERVERS + 1}:{port}/health/{number}")
            if answer.status_code != 200:
                raise CommandFailedError(f"status {answer.status_code}")

    async with opened_client("", "", encrypted=False, reuse=True) as client:
        start, cpu = time.perf_counter(), time.process_time()
        async with asyncio.TaskGroup() as tasks:
            for number in range(COUNT):
                tasks.create_task(ask(number))
        return Sample(time.perf_counter() - start, time.process_time() - cpu)
