"""Ten thousand checks of many kinds in one pass: what one of them costs, and where the time goes."""

import json
import shutil
import statistics
from pathlib import Path

from benchmarks.comparing import CommandFailedError
from benchmarks.passes import Passed, answering, passed, written
from benchmarks.tables import Table
from benchmarks.workshop import Workshop

AFTER = 50
"""Milliseconds until a server answers."""
SERVERS = 100
TARGETS = 100
"""Of an item that is measured for several; those of the other kinds are items each."""
_LISTED = frozenset({"http", "tcp", "file", "disk", "command"})
KINDS = {"http": 3000, "tcp": 2400, "file": 2500, "disk": 1000, "memory": 500, "compare": 500, "command": 100}
COUNT = sum(KINDS.values())
HEAD = ("checks", "at once", "wall", "CPU", "a check, wall", "a check, CPU", "a check, memory", "loop's thread")
_MOST_ROUNDS = 3


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    rounds = min(rounds, _MOST_ROUNDS)
    place = workshop.directory / "mixed"
    place.mkdir()
    with answering(AFTER, SERVERS) as port:
        everything = written(place / "all.toml", _items(port, place, KINDS))
        what = f"{COUNT:,} of {len(KINDS)} kinds"
        rows = [_row(what, at_once, KINDS, everything, place, rounds) for at_once in (16, 64)]
        for kind in ("http", "tcp", "file", "disk", "command"):
            count = {kind: min(KINDS[kind], 1000)}
            alone = written(place / f"{kind}.toml", _items(port, place, count))
            rows.append(_row(f"{count[kind]:,} {kind}", 16, count, alone, place, rounds))
        looked = passed(everything, 16, _fresh(place), where=True)
    shares = ", ".join(f"{package} {share:.0%}" for package, share in list(looked.where.items())[:10])
    of_kinds = ", ".join(f"{count:,} {kind}" for kind, count in KINDS.items())
    about = (
        f"Medians of {rounds} rounds, each pass in a process of its own, without its start and the reading of the "
        f"checklist. {of_kinds}; the servers answer after {AFTER} ms. *loop's thread* is its share of the CPU "
        f"time, by package: {shares}."
    )
    return Table("mixed", HEAD, rows, about)


def _row(
    what: str, at_once: int, kinds: dict[str, int], checklist: Path, place: Path, rounds: int
) -> tuple[str, ...]:
    count = sum(kinds.values())
    found = [_passing(passed(checklist, at_once, _fresh(place))) for _ in range(rounds)]
    wall, cpu = (statistics.median(getattr(each, name) for each in found) for name in ("wall", "cpu"))
    memory = statistics.median(each.most - each.before for each in found)
    loop = statistics.median(each.loop / each.cpu for each in found)
    return (
        what,
        str(at_once),
        f"{wall:.1f} s",
        f"{cpu:.1f} s",
        f"{wall / count * 1e3:.2f} ms",
        f"{cpu / count * 1e3:.2f} ms",
        f"{memory / count / 1024:.1f} KiB",
        f"{loop:.0%}",
    )


def _passing(found: Passed) -> Passed:
    if found.outcomes.keys() != {"PASS"}:
        raise CommandFailedError(f"not all passed: {found.outcomes}")
    return found


def _fresh(place: Path) -> Path:
    record = place / "record"
    shutil.rmtree(record, ignore_errors=True)
    record.mkdir(mode=0o700)
    return record


def _items(port: int, place: Path, kinds: dict[str, int]) -> list[str]:
    files = place / "files"
    files.mkdir(exist_ok=True)
    targets = [str(number + 1) for number in range(TARGETS)]
    for target in targets:
        (files / target).write_text("ok\n", encoding="utf-8")
    items = []
    for kind, count in kinds.items():
        for_each = f"for_each = {json.dumps(targets)}\n" if kind in _LISTED else ""
        items += [
            f'id = "{kind}-{number}"\ntitle = "{kind} {number}"\nprobe = "{kind}"\n'
            f"{for_each}{_options(kind, number, port, files)}"
            for number in range(count // TARGETS if for_each else count)
        ]
    return items


def _options(kind: str, number: int, port: int, files: Path) -> str:
    return {
        "http": f'url = "http://127.0.0.{{target}}:{port}"\npath = "/{number}"\njson = {{ state = "$.status" }}\n'
        'require = ["status == 200", "state == \'ok\'"]\n',
        "tcp": f'host = "127.0.0.{{target}}"\nport = {port}\nrequire = ["state == \'open\'"]\n',
        "file": f'path = "{files}/{{target}}"\nrequire = ["age < 7 d", "size > 0 B"]\n',
        "disk": f'path = "{files}/{{target}}"\nrequire = ["free > 0 B"]\n',
        "memory": 'require = ["available > 0 B"]\n',
        "compare": f'left = {{ item = "memory-{number}", value = "total" }}\n'
        f'right = {{ item = "memory-{(number + 1) % KINDS["memory"]}", value = "total" }}\n'
        'require = ["difference == 0 B"]\n',
        "command": 'argv = ["/bin/echo", "{target}"]\nrequire = ["exit_code == 0"]\n',
    }[kind]
