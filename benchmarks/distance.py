"""Forty SQL items with 20 ms to the database, against forty `psql` one after another."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.comparing import COMPARED, Contestant, compared, race
from benchmarks.tables import Table
from benchmarks.workshop import Workshop, psql_programs

COUNT = 40
DELAY = 20
"""Milliseconds of a round trip."""
CHECKLIST = "forty-queries"
SCRIPT = Path(__file__).with_name("peers") / "forty-queries.sh"
LIMIT = 0.25
HEAD = ("items", "against", *COMPARED)


def measure(workshop: Workshop, rounds: int) -> Table:
    """Return the table."""
    rounds = max(1, rounds // 2)
    with _line(workshop) as port:
        installation = workshop.installation("distance", {CHECKLIST: checklist()}, "127.0.0.1", port)
        questions = workshop.directory / "questions.sql"
        questions.write_text("".join(f"{query(number)}\n" for number in range(COUNT)), encoding="utf-8")
        before = installation.used_state(CHECKLIST)
        ours = Contestant(
            "opsconsole",
            lambda: installation.headless(installation.fresh_state(before), CHECKLIST),
            installation.environment,
        )
        there = {**workshop.environment, "PGHOST": "127.0.0.1", "PGPORT": str(port)}
        peers = [
            Contestant(name, lambda: [str(SCRIPT), str(questions)], {**there, "PSQL": program})
            for name, program in psql_programs().items()
        ]
        mine, *others = race([ours, *peers], rounds, warmups=1)
    rows = [
        (f"{COUNT}", f"{COUNT} times {peer.name}", *compared(mine, theirs, LIMIT))
        for peer, theirs in zip(peers, others, strict=True)
    ]
    about = f"{rounds} rounds in turns after 1 to warm up; a round trip to the database takes {DELAY} ms longer."
    return Table("distance", HEAD, rows, about)


def query(number: int) -> str:
    """Return the question about one night."""
    return (
        "select count(*) from qbr_collection_log "
        f"where started_at >= current_date - {number + 1} and started_at < current_date - {number}"
    )


def checklist() -> str:
    """Return a checklist with one item for each question."""
    items = "\n".join(
        f"[[section.item]]\n"
        f'id = "night-{number}"\n'
        f'title = "Both collectors ran {number} nights ago"\n'
        f'probe = "sql"\n'
        f'source = "inventory"\n'
        f'query = "{query(number)}"\n'
        f'require = ["value <= 4"]\n'
        for number in range(COUNT)
    )
    return f'title = "Forty nights"\ncadence = "daily"\n\n[[section]]\ntitle = "Nights"\n\n{items}'


@contextlib.contextmanager
def _line(workshop: Workshop) -> Iterator[int]:
    """Run a line with a delay to the server, and yield the port at its near end."""
    socket = workshop.sockets / ".s.PGSQL.5432"
    argv = [sys.executable, str(Path(__file__).with_name("delay.py")), str(socket), str(DELAY)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.stdin.close()
